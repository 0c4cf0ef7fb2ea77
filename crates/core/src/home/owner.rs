//! Owning a home, and unlocking it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::FlockOperation;

use super::dead_man::{self, Moment};
use super::folder;
use super::key_table::{KeyTable, Meaning, Opened, Purpose};
use super::keyring::{self, Keyring};
use super::sentinel::Sentinel;
use super::wipe::{Wipe, check_is_home};
use super::{HomeError, HomeResult, Passphrase, attempts, kdf};
use crate::store::{DataKey, Database};

/// A verdict comes at a multiple of this after the passphrase was given, so that the small differences between a right
/// one, a wrong one and the duress passphrase don't show.
const VERDICT_EVERY: Duration = Duration::from_millis(100);

/// The right to use a home, held by one process at a time through a lock on `HOME/lock`. It is given
/// back when dropped, and by the operating system when the process dies. This is also the locked
/// state: it holds no key.
pub struct Owner {
    path: PathBuf,
    // Held for its lock.
    _lock: File,
}

impl Drop for Owner {
    fn drop(&mut self) {
        // The store was closed before, and closing writes.
        folder::even_out_times(&self.path);
    }
}

impl Owner {
    /// Takes the home at `path`.
    ///
    /// # Errors
    /// [`HomeError::Owned`] while another process (or another part of this one) has it,
    /// [`HomeError::Missing`], [`HomeError::ForeignOwner`], [`HomeError::ReadOnly`]; [`HomeError::Wiped`], after
    /// finishing the wipe if it was interrupted.
    pub fn acquire(path: &Path) -> HomeResult<Self> {
        folder::check_ownership(path)?;
        if Wipe::finish_if_marked(path)?.is_some() {
            return Err(HomeError::Wiped);
        }
        if !path.join(folder::KEYS).try_exists()? {
            return Err(HomeError::Missing);
        }
        dead_man::check(path, &Moment::now())?;
        let lock = fs::OpenOptions::new()
            .read(true)
            .write(true)
            .open(path.join(folder::LOCK))?;
        Self::with_lock(path, lock)
    }

    /// Whether somebody has the home at `path`. Writes nothing and waits for nobody: who wants a home locked must not depend on a disk
    /// that takes writes, nor on another process's change of the sentinel.
    ///
    /// # Errors
    /// [`HomeError::Missing`] for a folder that is none of a home, [`HomeError::ForeignOwner`]; [`HomeError::Io`].
    pub fn is_taken(path: &Path) -> HomeResult<bool> {
        folder::check_owner(path)?;
        check_is_home(path)?;
        let lock = File::open(path.join(folder::LOCK))?;
        // A shared one asks for no right to write, and two who look don't take each other for an owner.
        match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockShared) {
            Ok(()) => Ok(false),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(true),
            Err(error) => Err(error.into()),
        }
    }

    /// Locks the file `lock`, which is `HOME/lock`.
    pub(super) fn with_lock(path: &Path, lock: File) -> HomeResult<Self> {
        match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {
                folder::remove_unfinished_stores(path);
                Ok(Self {
                    path: path.to_owned(),
                    _lock: lock,
                })
            }
            Err(rustix::io::Errno::WOULDBLOCK) => Err(HomeError::Owned),
            Err(error) => Err(error.into()),
        }
    }

    /// The home folder has been renamed; the lock went with it.
    pub(super) fn move_to(&mut self, path: &Path) {
        path.clone_into(&mut self.path);
    }

    /// The home folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where attachments lie as ciphertext.
    #[must_use]
    pub fn attachments(&self) -> PathBuf {
        self.path.join(folder::ATTACHMENTS)
    }

    /// Opens the store that `passphrase` opens. Takes about a second on the machine that made the home, the same whether it is right, wrong or
    /// the duress passphrase, and blocks meanwhile.
    ///
    /// The duress passphrase destroys the slots of all other passphrases and opens its store; what is left of the other one is for
    /// whoever opened it to clean up: [`Home::cleaning`].
    ///
    /// # Errors
    /// The owner is handed back with the reason: [`HomeError::WrongPassphrase`], [`HomeError::TooSoon`] (nothing was
    /// tried), [`HomeError::Wiped`] (that was the last attempt), [`HomeError::Damaged`], [`HomeError::Newer`],
    /// [`HomeError::TestHome`], [`HomeError::Memory`], or what [`Database::open`] says.
    pub fn unlock(self, passphrase: &Passphrase) -> Result<Home, (Self, HomeError)> {
        match self.open(passphrase) {
            Ok((opened, database, under_duress)) => {
                let mut home = Home::new(self, opened, database);
                home.under_duress = under_duress;
                Ok(home)
            }
            Err(error) => Err((self, error)),
        }
    }

    fn open(&self, passphrase: &Passphrase) -> HomeResult<(Opened, Database, bool)> {
        let begun = Instant::now();
        let opened = self
            .judge(passphrase)
            .and_then(|(opened, under_duress)| {
                let database = self.open_store(&opened)?;
                Ok((opened, database, under_duress))
            })
            .inspect_err(|error| {
                if *error == HomeError::WrongPassphrase {
                    self.open_in_vain();
                }
            });
        if !matches!(opened, Err(HomeError::TooSoon(_) | HomeError::Wiped)) && !kdf::is_cheap() {
            let taken = begun.elapsed().as_millis();
            let every = VERDICT_EVERY.as_millis();
            let rest = every - taken % every;
            std::thread::sleep(Duration::from_millis(u64::try_from(rest).unwrap_or(0)));
        }
        opened
    }

    /// Finds the slot that `passphrase` opens. Every attempt is counted, derives one key, tries all slots, and
    /// writes the table and the count, whatever comes of it; a duress passphrase alone changes what is written.
    fn judge(&self, passphrase: &Passphrase) -> HomeResult<(Opened, bool)> {
        let now = Moment::now();
        let keys = self.path.join(folder::KEYS);
        // A keyring that does not answer is no attempt.
        let mut table = KeyTable::load(&keys)?;
        attempts::begin(&self.path, &now)?;
        let wrapping = table
            .derive(passphrase)
            .inspect_err(|_| attempts::undo(&self.path))?;
        let mut found = table.open(&wrapping);
        let mut under_duress = false;
        if let Ok(opened) = &mut found
            && opened.meaning.purpose == Purpose::Duress
        {
            under_duress = true;
            opened.meaning = Meaning {
                purpose: Purpose::AfterDuress,
                ..Meaning::own(opened.meaning.which)
            };
        }
        // Before the slots: cut off here, the account is still there and puts it back. A disk that can't take it keeps nothing else
        // from being destroyed.
        let _ = Sentinel::write_kill_anew(&self.path, under_duress);
        if let Ok(opened) = &found
            && under_duress
        {
            table.scrub(opened.slot)?;
            table.wrap(opened.slot, &wrapping, opened.meaning, &opened.key)?;
        }
        match table.save(&keys) {
            Err(HomeError::Wiped) => return Err(HomeError::Wiped),
            Err(_) if under_duress => {
                let _ = table.overwrite(&keys);
            }
            _ => {}
        }
        match found {
            Ok(opened) => {
                attempts::right(&self.path, &now)?;
                Ok((opened, under_duress))
            }
            Err(HomeError::WrongPassphrase) => Err(attempts::wrong(&self.path)),
            Err(error) => {
                attempts::undo(&self.path);
                Err(error)
            }
        }
    }

    /// What opening a store costs, for an attempt that opens none.
    fn open_in_vain(&self) {
        if let Ok(key) = DataKey::random() {
            let store = folder::store(&self.path, super::key_table::Which::A);
            drop(Database::open(&store, key));
        }
    }

    pub(super) fn open_store(&self, opened: &Opened) -> HomeResult<Database> {
        let path = folder::store(&self.path, opened.meaning.which);
        Ok(Database::open(&path, opened.key.duplicate())?)
    }
}

/// An unlocked home. Dropping it (and every clone of its [`Database`]) closes the store and wipes the keys.
pub struct Home {
    database: Database,
    pub(super) opened: Opened,
    under_duress: bool,
    // Last, so that the home is given back only when the store is closed.
    owner: Owner,
}

impl Home {
    pub(super) fn new(owner: Owner, opened: Opened, database: Database) -> Self {
        folder::even_out_times(&owner.path);
        Self {
            database,
            opened,
            under_duress: false,
            owner,
        }
    }

    /// Whether the duress passphrase opened it, and destroyed what opened the other store.
    #[must_use]
    pub fn is_under_duress(&self) -> bool {
        self.under_duress
    }

    /// Whether this is the decoy, opened while the owner's own store is still there.
    #[must_use]
    pub fn is_decoy(&self) -> bool {
        self.opened.meaning.decoy
    }

    /// The store's key, for tests that look whether it is anywhere. Only debug builds have it.
    #[cfg(debug_assertions)]
    #[must_use]
    pub fn data_key_for_tests(&self) -> [u8; 32] {
        *self.opened.key.expose()
    }

    /// The store.
    #[must_use]
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// The home folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.owner.path()
    }

    /// Where attachments lie as ciphertext.
    #[must_use]
    pub fn attachments(&self) -> PathBuf {
        self.owner.attachments()
    }

    /// The lock, for the socket.
    #[must_use]
    pub fn owner(&self) -> &Owner {
        &self.owner
    }

    /// Wraps this store's key under `new` instead of `old`. The store itself is not touched. After a
    /// crash one of the two opens it. A wrong `old` counts as a wrong attempt.
    ///
    /// # Errors
    /// [`HomeError::WrongPassphrase`] if `old` is not this store's, [`HomeError::TooSoon`], [`HomeError::Wiped`],
    /// [`HomeError::PassphraseTaken`], [`HomeError::DiskFull`], [`HomeError::ReadOnly`].
    pub fn change_passphrase(&self, old: &Passphrase, new: &Passphrase) -> HomeResult<()> {
        let mut table = self.confirmed(old)?;
        let wrapping = table.derive(new)?;
        match table.open(&wrapping) {
            Err(HomeError::WrongPassphrase) => {}
            Ok(other) if other.slot == self.opened.slot => {}
            Ok(_) | Err(_) => return Err(HomeError::PassphraseTaken),
        }
        let opened = &self.opened;
        table.wrap(opened.slot, &wrapping, opened.meaning, &opened.key)?;
        table.save(&self.path().join(folder::KEYS))
    }

    /// Whether the desktop's keyring is needed to open the home.
    #[must_use]
    pub fn needs_keyring(&self) -> bool {
        KeyTable::item_of(&self.path().join(folder::KEYS)).is_some()
    }

    /// Has the desktop's keyring be needed to open the home, for all passphrases, or no more. The store itself is not touched, nor are
    /// the slots. A wrong passphrase counts as a wrong attempt.
    ///
    /// # Errors
    /// [`HomeError::NoKeyring`] if there is none that keeps a secret; [`HomeError::Keyring`] if the present one is not to be had;
    /// [`HomeError::WrongPassphrase`], [`HomeError::TooSoon`], [`HomeError::Wiped`], [`HomeError::DiskFull`], [`HomeError::ReadOnly`].
    pub fn set_keyring(&self, passphrase: &Passphrase, on: bool) -> HomeResult<()> {
        let mut table = self.confirmed(passphrase)?;
        let path = self.path().join(folder::KEYS);
        let before = KeyTable::item_of(&path);
        if before.is_some() == on {
            return Ok(());
        }
        let keyring = on.then(Keyring::create).transpose()?;
        let item = before.or(keyring.as_ref().map(|keyring| keyring.id));
        table.set_keyring(keyring);
        let saved = table.save(&path);
        folder::even_out_times(self.path());
        // Whatever the table on the disk does not need, the keyring forgets.
        if let Some(item) = item.filter(|item| KeyTable::item_of(&path).as_ref() != Some(item)) {
            keyring::forget(&item);
        }
        saved
    }

    /// Confirms that the owner is here: counts as an unlock for the dead-man timer. A wrong passphrase counts as a wrong
    /// attempt.
    ///
    /// # Errors
    /// [`HomeError::WrongPassphrase`], [`HomeError::TooSoon`], [`HomeError::Wiped`] (that was the last attempt; this
    /// process must end), [`HomeError::Memory`].
    pub fn confirm(&self, passphrase: &Passphrase) -> HomeResult<()> {
        self.confirmed(passphrase).map(|_| ())
    }

    /// The key table, if `passphrase` is the one of this store.
    pub(super) fn confirmed(&self, passphrase: &Passphrase) -> HomeResult<KeyTable> {
        let now = Moment::now();
        // A keyring that does not answer is no attempt.
        let table = KeyTable::load(&self.path().join(folder::KEYS))?;
        attempts::begin(self.path(), &now)?;
        let wrapping = table
            .derive(passphrase)
            .inspect_err(|_| attempts::undo(self.path()))?;
        match table.open(&wrapping) {
            Ok(found) if found.slot == self.opened.slot => {
                attempts::right(self.path(), &now)?;
                Ok(table)
            }
            Ok(_) | Err(HomeError::WrongPassphrase) => Err(attempts::wrong(self.path())),
            Err(error) => {
                attempts::undo(self.path());
                Err(error)
            }
        }
    }

    /// Takes the whole home away: the wrapped keys first, so that what a crash leaves opens for nobody.
    ///
    /// # Errors
    /// [`HomeError::InUse`] if a clone of the [`Database`] lives, [`HomeError::Io`].
    pub fn destroy(self) -> HomeResult<()> {
        let owner = self.lock().map_err(|(_, error)| error)?;
        let path = owner.path().to_owned();
        std::fs::remove_file(path.join(folder::KEYS))?;
        folder::sync(&path)?;
        std::fs::remove_dir_all(&path)?;
        folder::sync_parent(&path)
    }

    /// Closes the store and keeps the home: the locked state. Every clone of the [`Database`] must be
    /// gone before.
    ///
    /// # Errors
    /// [`HomeError::InUse`] if one is not; the home is handed back.
    pub fn lock(self) -> Result<Owner, (Self, HomeError)> {
        let Self {
            database,
            opened,
            under_duress,
            owner,
        } = self;
        match database.close() {
            Ok(()) => {
                folder::even_out_times(&owner.path);
                Ok(owner)
            }
            Err(database) => Err((
                Self {
                    database,
                    opened,
                    under_duress,
                    owner,
                },
                HomeError::InUse,
            )),
        }
    }
}
