//! Keyed SQLCipher connections and their settings.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::{DataKey, StoreError, StoreResult};

/// How long to wait for another connection's lock. The writer is alone, so only opening meets one.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// What a connection may do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// Make a new file.
    Create,
    /// Read and write a file that exists.
    Write,
    /// Read only; SQLite refuses every write.
    Read,
}

/// Opens `path` with `key` and applies the settings that every connection of a store has.
pub(super) fn open(path: &Path, key: &DataKey, access: Access) -> StoreResult<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_NO_MUTEX
        | match access {
            Access::Create => OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE,
            Access::Write => OpenFlags::SQLITE_OPEN_READ_WRITE,
            Access::Read => OpenFlags::SQLITE_OPEN_READ_ONLY,
        };
    let connection = Connection::open_with_flags(path, flags)?;
    // By default SQLCipher writes to standard error what it thinks of a wrong key.
    connection.execute_batch("PRAGMA cipher_log_level = NONE")?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    // The statement holds the key: whatever goes wrong here, its text must not travel in the error.
    connection
        .execute_batch(&key.pragma())
        .map_err(|_| StoreError::WrongKey)?;
    // Settings of SQLCipher 4, written out so that a newer library's defaults change nothing.
    // Temporary tables and sorters stay in memory: SQLCipher does not encrypt temporary files.
    // The first key of a process sets the level anew, so it is taken back before anything is read.
    connection.execute_batch(
        "PRAGMA cipher_log_level = NONE;
         PRAGMA cipher_page_size = 4096;
         PRAGMA cipher_use_hmac = ON;
         PRAGMA cipher_hmac_algorithm = HMAC_SHA512;
         PRAGMA cipher_plaintext_header_size = 0;
         PRAGMA temp_store = MEMORY;
         PRAGMA mmap_size = 0;
         PRAGMA cache_size = -8192;
         PRAGMA foreign_keys = ON;
         PRAGMA trusted_schema = OFF;",
    )?;
    if access != Access::Read {
        connection.execute_batch("PRAGMA secure_delete = ON;")?;
        // The first statement that reads the file, hence the one that finds a wrong key.
        let mode: String =
            connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
        if !mode.eq_ignore_ascii_case("wal") {
            return Err(StoreError::ReadOnly);
        }
        connection.execute_batch(
            "PRAGMA synchronous = FULL;
             PRAGMA wal_autocheckpoint = 1000;
             PRAGMA journal_size_limit = 4194304;",
        )?;
    } else {
        connection.execute_batch("PRAGMA query_only = ON;")?;
    }
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    connection.set_prepared_statement_cache_capacity(128);
    Ok(connection)
}
