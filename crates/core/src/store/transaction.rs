//! The only way to write ([`Transaction`]) and the only way to read ([`Snapshot`]).

use std::cell::RefCell;
use std::sync::MutexGuard;

use rusqlite::Connection;

use super::StoreResult;
use super::database::Readers;

type AfterCommit = Box<dyn FnOnce() + Send>;

/// Asked before each commit that changes something; false: the process might as well have ended here. Tests of crashes use it.
#[cfg(debug_assertions)]
pub(crate) type CommitHook = std::sync::Arc<dyn Fn() -> bool + Send + Sync>;

/// One event's changes, all or nothing. Dropping it without [`commit`](Transaction::commit) rolls back.
///
/// After a rollback every MLS group object that was changed inside is stale: drop it and load it again.
#[must_use = "a transaction that is not committed is rolled back"]
pub struct Transaction<'a> {
    connection: MutexGuard<'a, Connection>,
    after_commit: RefCell<Vec<AfterCommit>>,
    #[cfg(debug_assertions)]
    hook: Option<(CommitHook, u64)>,
}

impl<'a> Transaction<'a> {
    pub(super) fn begin(connection: MutexGuard<'a, Connection>) -> StoreResult<Self> {
        connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        Ok(Self {
            connection,
            after_commit: RefCell::new(Vec::new()),
            #[cfg(debug_assertions)]
            hook: None,
        })
    }

    /// This commit is to be asked for first.
    #[cfg(debug_assertions)]
    pub(super) fn hooked(mut self, hook: Option<CommitHook>) -> Self {
        let before = self.connection.total_changes();
        self.hook = hook.map(|hook| (hook, before));
        self
    }

    /// The connection inside this transaction, for SQL and for the MLS storage provider
    /// (`SqliteStorageProvider::new(tx.connection())`).
    ///
    /// Use `prepare_cached` for statements that run often. Never `BEGIN`, `COMMIT` or `ROLLBACK` on
    /// it; `SAVEPOINT` is allowed.
    #[must_use]
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Runs `action` once the commit is on disk, and never if it is rolled back: for waking tasks and
    /// telling watchers. It runs after the writer is free again, so it may start another transaction.
    pub fn after_commit(&self, action: impl FnOnce() + Send + 'static) {
        self.after_commit.borrow_mut().push(Box::new(action));
    }

    /// Writes everything to disk. When this returns `Ok`, it survives a power cut.
    ///
    /// # Errors
    /// Any [`StoreError`](super::StoreError); then nothing of this transaction was stored.
    pub fn commit(self) -> StoreResult<()> {
        #[cfg(debug_assertions)]
        if let Some((hook, before)) = &self.hook
            && self.connection.total_changes() != *before
            && !hook()
        {
            return Err(super::StoreError::Io);
        }
        self.connection.prepare_cached("COMMIT")?.execute([])?;
        let actions = self.after_commit.take();
        drop(self);
        for action in actions {
            action();
        }
        Ok(())
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        if !self.connection.is_autocommit() {
            // If even this fails SQLite has rolled back already, or the next BEGIN reports it.
            let _ = self.connection.execute_batch("ROLLBACK");
        }
    }
}

/// A read-only view of the store as of one moment. Later writes do not show in it.
///
/// Keep it short-lived: while it lives, the write-ahead log can't shrink.
pub struct Snapshot<'a> {
    connection: Option<Connection>,
    readers: &'a Readers,
}

impl<'a> Snapshot<'a> {
    pub(super) fn begin(connection: Connection, readers: &'a Readers) -> StoreResult<Self> {
        connection.execute_batch("BEGIN")?;
        // A deferred transaction takes its snapshot at the first read.
        connection
            .prepare_cached("SELECT 1 FROM sqlite_schema LIMIT 1")?
            .exists([])?;
        Ok(Self {
            connection: Some(connection),
            readers,
        })
    }

    /// The read-only connection.
    #[must_use]
    #[expect(
        clippy::missing_panics_doc,
        clippy::unwrap_used,
        reason = "the connection is taken only in drop"
    )]
    pub fn connection(&self) -> &Connection {
        self.connection.as_ref().unwrap()
    }
}

impl Drop for Snapshot<'_> {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take()
            && connection.execute_batch("ROLLBACK").is_ok()
        {
            self.readers.give_back(connection);
        }
    }
}
