//! The file `sentinel`: what a locked device must know to be killed, to count attempts, and to notice that
//! nobody has unlocked it for too long.
//!
//! ```text
//! two copies, each 4096 bytes:
//!   magic "undertone watch" || version 1                   16
//!   serial: the valid copy with the higher one counts       8
//!   wipe marker                                             1   + 7 zero
//!   attempts: limit, failed, time of the last one          16
//!   dead-man timer                                         80
//!   time of the last panic                                  8
//!   random                                                376
//!   what the kill code needs (see KillSection)           2048
//!   random                                               1504
//!   SHA-256 of everything before                           32
//! ```
//!
//! No passphrase protects it, so nothing in it may open or read anything, and whoever has the disk can
//! read what is set here. The file has the same size in every home.
//!
//! What must stay true:
//! - A change overwrites the older copy in place and is synced before [`Sentinel::update`] returns: a torn
//!   write leaves the other copy, a full disk doesn't matter, and no stale copies lie in free blocks.
//! - Changes of several processes don't lose each other: each holds a lock on the home's folder while it
//!   reads, changes and writes. That lock is not the home's: panic and kill work beside its owner.
//! - The wipe marker is never taken back.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::FlockOperation;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::folder::{self, fill_random};
use super::{HomeError, HomeResult};

const MAGIC: &[u8; 15] = b"undertone watch";
const VERSION: u8 = 1;
const COPY_LEN: usize = 4096;
const SUM_LEN: usize = 32;
const COPIES: usize = 2;
/// Length of the file in bytes.
pub(super) const FILE_LEN: usize = COPY_LEN * COPIES;

const AT_SERIAL: usize = 16;
const AT_WIPE: usize = 24;
const AT_ATTEMPTS: usize = 32;
const AT_DEAD_MAN: usize = 48;
const AT_PANIC: usize = 128;
const AT_RESERVED: usize = 136;
const AT_KILL: usize = 512;
const AT_FILL: usize = AT_KILL + KILL_LEN;
const AT_SUM: usize = COPY_LEN - SUM_LEN;

/// Bytes that the kill code has in the sentinel.
pub const KILL_LEN: usize = 2048;

/// How long a change waits for another process's change. One takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a wipe, or panic, waits for it: who holds it longer may have been stopped on purpose.
const PATIENCE_OF_A_WIPE: Duration = Duration::from_millis(200);

/// Whether the home is being wiped. Why is not written down: it could put the owner in danger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WipeMark {
    /// A home like any other.
    None,
    /// A wipe has begun; whoever sees this finishes it before anything else.
    Begun,
    /// Everything is gone.
    Done,
}

/// Wrong passphrases in a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attempts {
    /// After so many the home is wiped; 0 is never.
    pub limit: u16,
    /// Attempts since the last right one, the one under way included.
    pub failed: u32,
    /// When the last one was, in seconds of Unix time by the local clock.
    pub last: u64,
}

/// The dead-man timer: settings and counters. [`super::dead_man`] holds the rules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeadManRecord {
    /// The home is wiped when it wasn't unlocked for so many days; 0 is never.
    pub days: u16,
    /// The warning that was given last: 0 none, then rising.
    pub warned: u8,
    /// When the home was unlocked last, in seconds of Unix time by the local clock.
    pub last_unlock: u64,
    /// Seconds since then that this machine was seen to run (suspended counts), whatever its clock said.
    pub ran: u64,
    /// The boot in which [`DeadManRecord::uptime`] was read.
    pub boot: [u8; 16],
    /// Seconds since that boot (`CLOCK_BOOTTIME`) at the last look.
    pub uptime: u64,
    /// The latest the local clock ever said, in seconds of Unix time.
    pub highest_clock: u64,
    /// Seconds that the warning "the clock may have been set back" still stands; 0 is no warning.
    pub set_back_left: u64,
    /// Whether heartbeats of the owner's other devices count.
    pub heartbeats: bool,
    /// The moment of the last heartbeat of another own device that was taken, in seconds of Unix time by that device's clock;
    /// none of before it is taken.
    pub heartbeat: u64,
    /// How many seconds a server's clock was ahead when that was warned of last.
    pub told_ahead: u64,
}

/// What the kill code needs, in a form of its own: see `kill::section`. Random bytes while nothing is set.
#[derive(Clone)]
pub struct KillSection(Zeroizing<Vec<u8>>);

impl KillSection {
    /// Random bytes.
    ///
    /// # Errors
    /// [`HomeError::Random`].
    pub fn random() -> HomeResult<Self> {
        let mut bytes = Zeroizing::new(vec![0; KILL_LEN]);
        fill_random(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// The bytes, [`KILL_LEN`] of them.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The bytes, to be changed in place.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

/// The sentinel, read.
#[derive(Clone)]
pub struct Sentinel {
    serial: u64,
    wipe: WipeMark,
    /// Wrong passphrases.
    pub attempts: Attempts,
    /// The dead-man timer.
    pub dead_man: DeadManRecord,
    /// When panic was pressed last, in seconds of Unix time by the local clock.
    pub panic_at: u64,
    /// What the kill code needs.
    pub kill: KillSection,
}

impl Sentinel {
    /// One in which nothing is set.
    pub(super) fn fresh() -> HomeResult<Self> {
        Ok(Self {
            serial: 0,
            wipe: WipeMark::None,
            attempts: Attempts::default(),
            dead_man: DeadManRecord::default(),
            panic_at: 0,
            kill: KillSection::random()?,
        })
    }

    /// Whether the home is being, or has been, wiped.
    #[must_use]
    pub fn wipe_mark(&self) -> WipeMark {
        self.wipe
    }

    /// Reads the sentinel of `home`. A home of before the sentinel, or one that lost it, has one in which
    /// nothing is set.
    ///
    /// # Errors
    /// [`HomeError::Newer`], [`HomeError::Io`], [`HomeError::Random`].
    pub fn load(home: &Path) -> HomeResult<Self> {
        match File::open(home.join(folder::SENTINEL)) {
            Ok(mut file) => Self::read(&mut file),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Self::fresh(),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether there is one in `home`, whole or not.
    pub(super) fn is_in(home: &Path) -> bool {
        let Ok(bytes) = fs::read(home.join(folder::SENTINEL)) else {
            return false;
        };
        let mut copies = bytes.chunks(COPY_LEN).take(COPIES);
        copies.any(|copy| copy.starts_with(MAGIC))
    }

    /// Does `write`, which puts into `home` what opens it, unless the home has been wiped or is wiped meanwhile: then `undo` takes it away
    /// again. A wipe writes its mark before it destroys anything, so what is written and finds no mark afterwards is there for the wipe to destroy.
    ///
    /// # Errors
    /// [`HomeError::Wiped`]; what `write` says.
    pub(super) fn unless_wiped(
        home: &Path,
        write: impl FnOnce() -> HomeResult<()>,
        undo: impl FnOnce(),
    ) -> HomeResult<()> {
        // With it a wipe that comes to its end finds all that was written before its mark; without it the check afterwards still does.
        let _turn = Turn::wait(home, PATIENCE_OF_A_WIPE).ok();
        let check = || match Self::load(home)?.wipe {
            WipeMark::None => Ok(()),
            WipeMark::Begun | WipeMark::Done => Err(HomeError::Wiped),
        };
        check()?;
        let written = write();
        check().inspect_err(|_| undo())?;
        written
    }

    /// Changes the sentinel of `home`; when this returns, the change is on the disk. Changes of other
    /// processes are waited for. `change` must not call [`Sentinel::update`] itself.
    ///
    /// # Errors
    /// [`HomeError::Wiped`] if the home has been wiped, [`HomeError::Missing`] if there is no such
    /// folder, [`HomeError::Newer`], [`HomeError::ReadOnly`], [`HomeError::DiskFull`] (only when the file
    /// must be made), [`HomeError::InUse`] if another process's change doesn't end, [`HomeError::Io`].
    pub fn update<T>(home: &Path, change: impl FnOnce(&mut Self) -> T) -> HomeResult<T> {
        Self::update_within(home, PATIENCE, change)
    }

    /// As [`Sentinel::update`], for what must not wait: another process's change is waited for as long as a wipe would.
    pub(super) fn update_soon<T>(
        home: &Path,
        change: impl FnOnce(&mut Self) -> T,
    ) -> HomeResult<T> {
        Self::update_within(home, PATIENCE_OF_A_WIPE, change)
    }

    fn update_within<T>(
        home: &Path,
        patience: Duration,
        change: impl FnOnce(&mut Self) -> T,
    ) -> HomeResult<T> {
        let _turn = Turn::wait(home, patience)?;
        let mut sentinel = Self::load(home)?;
        if sentinel.wipe != WipeMark::None {
            return Err(HomeError::Wiped);
        }
        let result = change(&mut sentinel);
        sentinel.wipe = WipeMark::None;
        sentinel.write(home, 1)?;
        Ok(result)
    }

    /// Writes what the kill code needs anew into both copies: as it is, or as random bytes if it is to be forgotten, being of an account that
    /// nobody can open any more. An account that is opened puts its own back. Heartbeats come by the kill code's ways, so that whether they
    /// count, and what was heard, is forgotten with it. Both take the same time.
    ///
    /// # Errors
    /// As [`Sentinel::update`].
    pub(super) fn write_kill_anew(home: &Path, forgets: bool) -> HomeResult<()> {
        for _ in 0..COPIES {
            let random = KillSection::random()?;
            Self::update(home, |sentinel| {
                if forgets {
                    sentinel.kill = random;
                    sentinel.dead_man.heartbeats = false;
                    sentinel.dead_man.heartbeat = 0;
                }
            })?;
        }
        Ok(())
    }

    /// Writes the wipe marker into both copies, with nothing else that was in them. Hardly waits for
    /// another process's change; one that was stopped in the middle of it can undo this once, which is why the end of a
    /// wipe marks again.
    pub(super) fn mark(home: &Path, mark: WipeMark) -> HomeResult<()> {
        let _turn = Turn::wait(home, PATIENCE_OF_A_WIPE).ok();
        // A sentinel that can't be read must not keep the home from being wiped.
        let serial = Self::load(home).map_or(0, |old| old.serial);
        let mut marked = Self::fresh()?;
        marked.serial = serial;
        marked.wipe = mark;
        marked.write(home, COPIES)
    }

    /// Makes the file, in a folder that nobody else uses yet.
    pub(super) fn create(home: &Path) -> HomeResult<()> {
        Self::fresh()?.write(home, COPIES)
    }

    /// Writes this into the older copy, and into the other one too if `copies` says so, one after the
    /// other.
    fn write(&mut self, home: &Path, copies: usize) -> HomeResult<()> {
        let path = home.join(folder::SENTINEL);
        let mut file = match fs::OpenOptions::new().read(true).write(true).open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let file = folder::create_private(&path)?;
                folder::sync(home)?;
                file
            }
            Err(error) => return Err(error.into()),
        };
        // A new file, or one cut short, gets its whole length at once.
        let copies = if file.metadata()?.len() == FILE_LEN as u64 {
            copies
        } else {
            COPIES
        };
        for _ in 0..copies {
            self.serial = self.serial.saturating_add(1);
            let place = self.serial % COPIES as u64;
            file.seek(SeekFrom::Start(place * COPY_LEN as u64))?;
            file.write_all(&self.encode()?)?;
            file.sync_all()?;
        }
        if file.metadata()?.len() != FILE_LEN as u64 {
            file.set_len(FILE_LEN as u64)?;
            file.sync_all()?;
        }
        Ok(())
    }

    fn read(file: &mut File) -> HomeResult<Self> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(FILE_LEN));
        file.take(FILE_LEN as u64).read_to_end(&mut bytes)?;
        let mut best: Option<Self> = None;
        for copy in bytes.chunks_exact(COPY_LEN) {
            if let Some(found) = Self::decode(copy)?
                && best.as_ref().is_none_or(|best| found.serial > best.serial)
            {
                best = Some(found);
            }
        }
        match best {
            Some(best) => Ok(best),
            None => Self::fresh(),
        }
    }

    fn encode(&self) -> HomeResult<Zeroizing<Vec<u8>>> {
        let mut out = Zeroizing::new(vec![0; COPY_LEN]);
        out[..15].copy_from_slice(MAGIC);
        out[15] = VERSION;
        put_u64(&mut out, AT_SERIAL, self.serial);
        out[AT_WIPE] = match self.wipe {
            WipeMark::None => 0,
            WipeMark::Begun => 1,
            WipeMark::Done => 2,
        };
        let attempts = &mut out[AT_ATTEMPTS..AT_DEAD_MAN];
        attempts[..2].copy_from_slice(&self.attempts.limit.to_be_bytes());
        attempts[4..8].copy_from_slice(&self.attempts.failed.to_be_bytes());
        put_u64(attempts, 8, self.attempts.last);

        let record = &self.dead_man;
        let timer = &mut out[AT_DEAD_MAN..AT_PANIC];
        timer[..2].copy_from_slice(&record.days.to_be_bytes());
        timer[2] = record.warned;
        timer[3] = record.heartbeats.into();
        put_u64(timer, 8, record.last_unlock);
        put_u64(timer, 16, record.ran);
        timer[24..40].copy_from_slice(&record.boot);
        put_u64(timer, 40, record.uptime);
        put_u64(timer, 48, record.highest_clock);
        put_u64(timer, 56, record.set_back_left);
        put_u64(timer, 64, record.heartbeat);
        put_u64(timer, 72, record.told_ahead);

        put_u64(&mut out, AT_PANIC, self.panic_at);
        fill_random(&mut out[AT_RESERVED..AT_KILL])?;
        out[AT_KILL..AT_FILL].copy_from_slice(self.kill.bytes());
        fill_random(&mut out[AT_FILL..AT_SUM])?;
        let sum = Sha256::digest(&out[..AT_SUM]);
        out[AT_SUM..].copy_from_slice(&sum);
        Ok(out)
    }

    /// `None` for a copy that a torn write left.
    fn decode(copy: &[u8]) -> HomeResult<Option<Self>> {
        if copy.len() != COPY_LEN
            || &copy[..15] != MAGIC
            || Sha256::digest(&copy[..AT_SUM])[..] != copy[AT_SUM..]
        {
            return Ok(None);
        }
        if copy[15] != VERSION {
            return Err(HomeError::Newer);
        }
        let wipe = match copy[AT_WIPE] {
            0 => WipeMark::None,
            1 => WipeMark::Begun,
            2 => WipeMark::Done,
            _ => return Err(HomeError::Newer),
        };
        let attempts = &copy[AT_ATTEMPTS..AT_DEAD_MAN];
        let timer = &copy[AT_DEAD_MAN..AT_PANIC];
        let mut kill = KillSection(Zeroizing::new(vec![0; KILL_LEN]));
        kill.0.copy_from_slice(&copy[AT_KILL..AT_FILL]);
        Ok(Some(Self {
            serial: get_u64(copy, AT_SERIAL),
            wipe,
            attempts: Attempts {
                limit: u16::from_be_bytes(get(attempts, 0)),
                failed: u32::from_be_bytes(get(attempts, 4)),
                last: get_u64(attempts, 8),
            },
            dead_man: DeadManRecord {
                days: u16::from_be_bytes(get(timer, 0)),
                warned: timer[2],
                heartbeats: timer[3] == 1,
                last_unlock: get_u64(timer, 8),
                ran: get_u64(timer, 16),
                boot: get(timer, 24),
                uptime: get_u64(timer, 40),
                highest_clock: get_u64(timer, 48),
                set_back_left: get_u64(timer, 56),
                heartbeat: get_u64(timer, 64),
                told_ahead: get_u64(timer, 72),
            },
            panic_at: get_u64(copy, AT_PANIC),
            kill,
        }))
    }
}

fn put_u64(out: &mut [u8], at: usize, number: u64) {
    out[at..at + 8].copy_from_slice(&number.to_be_bytes());
}

fn get<const LEN: usize>(bytes: &[u8], at: usize) -> [u8; LEN] {
    let mut out = [0; LEN];
    out.copy_from_slice(&bytes[at..at + LEN]);
    out
}

fn get_u64(bytes: &[u8], at: usize) -> u64 {
    u64::from_be_bytes(get(bytes, at))
}

/// The right to change the sentinel, by a lock on the home's folder; given back when dropped.
struct Turn {
    _folder: File,
}

impl Turn {
    fn wait(home: &Path, patience: Duration) -> HomeResult<Self> {
        let folder = File::open(home)?;
        let deadline = Instant::now() + patience;
        loop {
            match rustix::fs::flock(&folder, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(Self { _folder: folder }),
                Err(rustix::io::Errno::WOULDBLOCK | rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            if Instant::now() >= deadline {
                return Err(HomeError::InUse);
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}
