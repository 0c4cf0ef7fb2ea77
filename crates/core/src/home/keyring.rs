//! A second factor from the desktop: a secret that the Secret Service (the keyring of GNOME, KDE and others) keeps, without which the key
//! table does not open.
//!
//! The keyring is asked by `secret-tool`, a process of its own that says and is told secrets by pipes: so no library that speaks D-Bus is part
//! of what holds the keys, and no secret stands among arguments. The keyring's item is named by a random number, which the key table
//! shows in the clear.
//!
//! What must stay true: a keyring that is locked, gone, or has another secret is no attempt at a passphrase; a secret is used only after the
//! keyring has shown that it keeps it.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use data_encoding::HEXLOWER;
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::folder::fill_random;
use super::{HomeError, HomeResult};

const PROGRAM: &str = "secret-tool";
/// How long the keyring may take: the desktop may have to ask for its password first.
const PATIENCE: Duration = Duration::from_secs(90);
/// How long it may take to forget an item when the home is wiped.
const LAST_WORDS: Duration = Duration::from_secs(3);
/// More than it ever says.
const MOST: u64 = 4096;

pub(super) const ID_LEN: usize = 16;
const SECRET_LEN: usize = 32;

/// The secret of one home.
pub(super) struct Keyring {
    pub(super) id: [u8; ID_LEN],
    secret: Zeroizing<[u8; SECRET_LEN]>,
}

impl Keyring {
    /// Draws one and has the keyring keep it.
    ///
    /// # Errors
    /// [`HomeError::NoKeyring`] if it does not; [`HomeError::Random`].
    pub(super) fn create() -> HomeResult<Self> {
        let mut id = [0; ID_LEN];
        fill_random(&mut id)?;
        let mut secret = Zeroizing::new([0; SECRET_LEN]);
        fill_random(&mut secret[..])?;
        let written = Zeroizing::new(HEXLOWER.encode(&secret[..]));
        let name = HEXLOWER.encode(&id);
        let store = [
            "store",
            "--label=Undertone",
            "application",
            "undertone",
            "home",
            &name,
        ];
        let kept = run(&store, &written).is_some()
            && Self::find(id).is_ok_and(|found| found.secret == secret);
        if !kept {
            forget(&id);
            return Err(HomeError::NoKeyring);
        }
        Ok(Self { id, secret })
    }

    /// Asks the keyring for the secret of this home.
    ///
    /// # Errors
    /// [`HomeError::Keyring`].
    pub(super) fn find(id: [u8; ID_LEN]) -> HomeResult<Self> {
        let name = HEXLOWER.encode(&id);
        let said = run(&["lookup", "application", "undertone", "home", &name], "")
            .ok_or(HomeError::Keyring)?;
        let mut secret = Zeroizing::new([0; SECRET_LEN]);
        let written = said.trim_ascii();
        if written.len() != 2 * SECRET_LEN
            || HEXLOWER.decode_mut(written, &mut secret[..]) != Ok(SECRET_LEN)
        {
            return Err(HomeError::Keyring);
        }
        Ok(Self { id, secret })
    }

    /// The key that the slots are sealed with once more.
    pub(super) fn key(&self) -> HomeResult<Zeroizing<[u8; 32]>> {
        let mut key = Zeroizing::new([0; 32]);
        Hkdf::<Sha256>::new(Some(&self.id), &self.secret[..])
            .expand(b"undertone/1 keyring", &mut key[..])
            .map_err(|_| HomeError::Damaged)?;
        Ok(key)
    }
}

/// Has the keyring forget the secret of a home, and waits for that.
pub(super) fn forget(id: &[u8; ID_LEN]) {
    if let Some(forgetting) = Forgetting::begin(id) {
        forgetting.finish();
    }
}

/// A secret that is being forgotten, while other things are done.
pub(super) struct Forgetting(Child);

impl Forgetting {
    /// None: there is nobody to be told.
    pub(super) fn begin(id: &[u8; ID_LEN]) -> Option<Self> {
        let name = HEXLOWER.encode(id);
        let clear = ["clear", "application", "undertone", "home", &name];
        command()
            .args(clear)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .ok()
            .map(Self)
    }

    /// Waits for it, a moment.
    pub(super) fn finish(mut self) {
        let deadline = std::time::Instant::now() + LAST_WORDS;
        while matches!(self.0.try_wait(), Ok(None)) && std::time::Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        end(&mut self.0);
    }
}

/// One that has ended can't be killed, and that is as well.
fn end(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

/// Runs the program with `input`; what it says, if it succeeds in time.
fn run(arguments: &[&str], input: &str) -> Option<Zeroizing<Vec<u8>>> {
    let mut child = command()
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let wrote = child
        .stdin
        .take()
        .is_some_and(|mut pipe| pipe.write_all(input.as_bytes()).is_ok());
    let said = child.stdout.take().and_then(read_in_time);
    if !wrote || said.is_none() {
        end(&mut child);
        return None;
    }
    let done = child.wait().is_ok_and(|status| status.success());
    said.filter(|_| done)
}

fn read_in_time(mut pipe: std::process::ChildStdout) -> Option<Zeroizing<Vec<u8>>> {
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        let mut said = Zeroizing::new(Vec::with_capacity(4096));
        if (&mut pipe).take(MOST).read_to_end(&mut said).is_ok() {
            // Nobody waits any more: too late.
            let _ = tell.send(said);
        }
    });
    told.recv_timeout(PATIENCE).ok()
}

fn command() -> Command {
    let mut command = Command::new(program());
    command.env("LC_ALL", "C");
    command
}

#[cfg(debug_assertions)]
static FOR_TESTS: std::sync::OnceLock<PathBuf> = std::sync::OnceLock::new();

/// Another program in place of `secret-tool`, in this process.
#[cfg(debug_assertions)]
pub fn use_keyring_for_tests(program: &Path) {
    let _ = FOR_TESTS.set(program.to_owned());
}

#[cfg(debug_assertions)]
fn program() -> PathBuf {
    FOR_TESTS
        .get()
        .cloned()
        .unwrap_or_else(|| PathBuf::from(PROGRAM))
}

#[cfg(not(debug_assertions))]
fn program() -> PathBuf {
    Path::new(PROGRAM).to_owned()
}
