//! Owning a home, and unlocking it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;

use super::folder;
use super::key_table::{KeyTable, Opened};
use super::{HomeError, HomeResult, Passphrase};
use crate::store::Database;

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
    /// [`HomeError::Missing`], [`HomeError::ForeignOwner`], [`HomeError::ReadOnly`].
    pub fn acquire(path: &Path) -> HomeResult<Self> {
        folder::check_ownership(path)?;
        if !path.join(folder::KEYS).try_exists()? {
            return Err(HomeError::Missing);
        }
        let lock = fs::OpenOptions::new()
            .read(true)
            .write(true)
            .open(path.join(folder::LOCK))?;
        Self::with_lock(path, lock)
    }

    /// Locks the file `lock`, which is `HOME/lock`.
    pub(super) fn with_lock(path: &Path, lock: File) -> HomeResult<Self> {
        match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self {
                path: path.to_owned(),
                _lock: lock,
            }),
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

    /// Opens the store that `passphrase` opens. Takes about a quarter of a second, the same whether it
    /// fails or not, and blocks meanwhile.
    ///
    /// # Errors
    /// The owner is handed back with the reason: [`HomeError::WrongPassphrase`], [`HomeError::Damaged`],
    /// [`HomeError::Newer`], [`HomeError::TestHome`], [`HomeError::Memory`], or what
    /// [`Database::open`] says.
    pub fn unlock(self, passphrase: &Passphrase) -> Result<Home, (Self, HomeError)> {
        match self.open(passphrase) {
            Ok((opened, database)) => Ok(Home::new(self, opened, database)),
            Err(error) => Err((self, error)),
        }
    }

    fn open(&self, passphrase: &Passphrase) -> HomeResult<(Opened, Database)> {
        let table = KeyTable::load(&self.path.join(folder::KEYS))?;
        let opened = table.open(&table.derive(passphrase)?)?;
        let database = self.open_store(&opened)?;
        Ok((opened, database))
    }

    pub(super) fn open_store(&self, opened: &Opened) -> HomeResult<Database> {
        let path = folder::store(&self.path, opened.which);
        Ok(Database::open(&path, opened.key.duplicate())?)
    }
}

/// An unlocked home. Dropping it (and every clone of its [`Database`]) closes the store and wipes the keys.
pub struct Home {
    database: Database,
    opened: Opened,
    // Last, so that the home is given back only when the store is closed.
    owner: Owner,
}

impl Home {
    pub(super) fn new(owner: Owner, opened: Opened, database: Database) -> Self {
        folder::even_out_times(&owner.path);
        Self {
            database,
            opened,
            owner,
        }
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
    /// crash one of the two opens it.
    ///
    /// # Errors
    /// [`HomeError::WrongPassphrase`] if `old` is not this store's, [`HomeError::PassphraseTaken`],
    /// [`HomeError::DiskFull`], [`HomeError::ReadOnly`].
    pub fn change_passphrase(&self, old: &Passphrase, new: &Passphrase) -> HomeResult<()> {
        let path = self.path().join(folder::KEYS);
        let mut table = KeyTable::load(&path)?;
        let found = table.open(&table.derive(old)?)?;
        if found.which != self.opened.which || found.slot != self.opened.slot {
            return Err(HomeError::WrongPassphrase);
        }
        let wrapping = table.derive(new)?;
        match table.open(&wrapping) {
            Err(HomeError::WrongPassphrase) => {}
            Ok(other) if other.slot == found.slot => {}
            Ok(_) | Err(_) => return Err(HomeError::PassphraseTaken),
        }
        table.wrap(found.slot, &wrapping, found.which, &found.key)?;
        table.save(&path)
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
                    owner,
                },
                HomeError::InUse,
            )),
        }
    }
}
