//! An open store: one writer, a few readers.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::Connection;

use super::connection::{self, Access};
use super::migrations::{self, Migration};
use super::{DataKey, Snapshot, StoreError, StoreResult, Transaction};

/// Idle read connections that are kept; opening one costs a few milliseconds.
const IDLE_READERS: usize = 3;

/// An open store. Cheap to clone; the file is closed (and its write-ahead log emptied and removed)
/// when the last clone is dropped.
///
/// All calls block. From async code, call them inside `spawn_blocking` or on a thread of their own,
/// and never hold a [`Transaction`] or [`Snapshot`] across an `.await`.
#[derive(Clone)]
pub struct Database {
    inner: Arc<Inner>,
}

struct Inner {
    // Before the writer, so that the writer is the last to close and can empty the write-ahead log.
    readers: Readers,
    writer: Mutex<Connection>,
    #[cfg(debug_assertions)]
    hook: Mutex<Option<super::transaction::CommitHook>>,
}

/// The pool of read connections.
pub(super) struct Readers {
    path: PathBuf,
    key: DataKey,
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    fn take(&self) -> StoreResult<Connection> {
        let idle = lock(&self.idle).pop();
        match idle {
            Some(connection) => Ok(connection),
            None => connection::open(&self.path, &self.key, Access::Read),
        }
    }

    pub(super) fn give_back(&self, connection: Connection) {
        let mut idle = lock(&self.idle);
        if idle.len() < IDLE_READERS {
            idle.push(connection);
        }
    }
}

/// A panic while the lock was held leaves the connection as SQLite left it: an open transaction was
/// rolled back by its guard's drop. So a poisoned lock is used on.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Database {
    /// Makes a new store file at `path` with all migrations applied, and opens it.
    ///
    /// # Errors
    /// [`StoreError::Constraint`] if the file exists; else as [`Database::open`].
    pub fn create(path: &Path, key: DataKey) -> StoreResult<Self> {
        Self::create_with(path, key, migrations::STEPS)
    }

    /// As [`Database::create`], with another list of migrations (tests).
    ///
    /// # Errors
    /// As [`Database::create`].
    pub fn create_with(path: &Path, key: DataKey, steps: &[Migration]) -> StoreResult<Self> {
        create_private_file(path)?;
        let mut writer = connection::open(path, &key, Access::Create)?;
        migrations::apply(&mut writer, steps)?;
        Ok(Self::from_parts(path, key, writer))
    }

    /// Opens the store at `path`, bringing it to the newest version first. An older store is copied
    /// beforehand; the copy is put back if anything fails and removed when all is well.
    ///
    /// Only the home's owner may call this (see `home::Owner`).
    ///
    /// # Errors
    /// [`StoreError::WrongKey`], [`StoreError::Newer`] (nothing is touched), [`StoreError::ReadOnly`],
    /// [`StoreError::DiskFull`], [`StoreError::CannotOpen`], [`StoreError::Corrupt`], [`StoreError::Io`].
    pub fn open(path: &Path, key: DataKey) -> StoreResult<Self> {
        Self::open_with(path, key, migrations::STEPS)
    }

    /// As [`Database::open`], with another list of migrations (tests).
    ///
    /// # Errors
    /// As [`Database::open`].
    pub fn open_with(path: &Path, key: DataKey, steps: &[Migration]) -> StoreResult<Self> {
        let writer = migrations::open_migrated(path, &key, steps)?;
        Ok(Self::from_parts(path, key, writer))
    }

    fn from_parts(path: &Path, key: DataKey, writer: Connection) -> Self {
        Self {
            inner: Arc::new(Inner {
                readers: Readers {
                    path: path.to_owned(),
                    key,
                    idle: Mutex::new(Vec::new()),
                },
                writer: Mutex::new(writer),
                #[cfg(debug_assertions)]
                hook: Mutex::new(None),
            }),
        }
    }

    /// Starts a transaction, waiting for the one before it to end. Starting a second one on the same
    /// thread while the first lives would wait for ever.
    ///
    /// # Errors
    /// Any [`StoreError`]; nothing is stored then.
    pub fn begin(&self) -> StoreResult<Transaction<'_>> {
        let transaction = Transaction::begin(lock(&self.inner.writer))?;
        #[cfg(debug_assertions)]
        let transaction = transaction.hooked(lock(&self.inner.hook).clone());
        Ok(transaction)
    }

    /// From now on each commit that changes something asks this first, and fails if it says no.
    #[cfg(debug_assertions)]
    pub(crate) fn set_commit_hook(&self, hook: super::transaction::CommitHook) {
        *lock(&self.inner.hook) = Some(hook);
    }

    /// Runs `work` in one transaction: committed if it returns `Ok`, rolled back if it returns `Err` or panics.
    ///
    /// # Errors
    /// What `work` returns, or any [`StoreError`] of beginning or committing.
    pub fn transaction<T, E: From<StoreError>>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let tx = self.begin()?;
        let value = work(&tx)?;
        tx.commit()?;
        Ok(value)
    }

    /// Takes a read-only view of this moment. It does not wait for writers, and writers do not wait for it.
    ///
    /// # Errors
    /// Any [`StoreError`].
    pub fn snapshot(&self) -> StoreResult<Snapshot<'_>> {
        let readers = &self.inner.readers;
        Snapshot::begin(readers.take()?, readers)
    }

    /// Runs `work` on a read-only view of this moment.
    ///
    /// # Errors
    /// What `work` returns, or any [`StoreError`] of opening the view.
    pub fn read<T, E: From<StoreError>>(
        &self,
        work: impl FnOnce(&Snapshot<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        work(&self.snapshot()?)
    }

    /// Closes the store now: empties and removes the write-ahead log and wipes the key.
    ///
    /// # Errors
    /// The database itself, if another clone of it lives; nothing is closed then.
    pub fn close(self) -> Result<(), Self> {
        match Arc::try_unwrap(self.inner) {
            Ok(inner) => {
                drop(inner);
                Ok(())
            }
            Err(inner) => Err(Self { inner }),
        }
    }

    /// Moves the write-ahead log into the file and empties it, so that what was deleted is gone from both.
    ///
    /// # Errors
    /// [`StoreError::Busy`] if a [`Snapshot`] is still in use; any other [`StoreError`].
    pub fn checkpoint(&self) -> StoreResult<()> {
        checkpoint(&lock(&self.inner.writer))
    }
}

/// Empties the write-ahead log of `writer`. It does not wait for readers: the writer is held meanwhile.
pub(super) fn checkpoint(writer: &Connection) -> StoreResult<()> {
    writer.busy_timeout(Duration::ZERO)?;
    let busy = writer.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| {
        row.get::<_, i64>(0)
    });
    writer.busy_timeout(connection::BUSY_TIMEOUT)?;
    if busy? != 0 {
        return Err(StoreError::Busy);
    }
    Ok(())
}

/// SQLite would make the file readable as the umask allows.
fn create_private_file(path: &Path) -> StoreResult<()> {
    use std::os::unix::fs::OpenOptionsExt;
    match std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
    {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            Err(StoreError::Constraint)
        }
        Err(error) => Err(error.into()),
    }
}
