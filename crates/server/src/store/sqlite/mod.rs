//! The SQLite backend: one file, one writer thread that groups commits, a few reader threads.
//!
//! The settings were chosen by measuring: write-ahead log, `synchronous = FULL`, 16 KiB pages, WITHOUT ROWID,
//! `secure_delete`; but the waiting for the disk is done by us and not by SQLite. The way of a write: [`submit`] (bounded
//! queue) -> [`writer`] (one transaction for all that waits) -> [`commit`] (on disk -> rings of the online queues ->
//! answers). Reads go to [`read`]. What a call does stands in the file named after the thing: [`queues`], [`addresses`],
//! [`key_packages`], [`fan_out`], [`channels`], [`admission`], [`bells`], [`blob_rows`], [`sweep`]. [`erase`], [`scrub`] and [`checkpoint`] see
//! to it that deleted means gone.

mod addresses;
mod admission;
mod backup;
mod bells;
mod blob_rows;
mod channels;
mod checkpoint;
mod commit;
mod erase;
mod fan_out;
mod forward;
mod key_packages;
mod open;
mod others;
mod queues;
mod read;
mod scrub;
mod state;
mod store;
mod submit;
mod sweep;
#[cfg(test)]
mod tests;
mod writer;

pub use backup::{backup, restore};
pub use open::DATABASE;
pub(crate) use open::private_folder;
pub(crate) use others::host_of;
use store::Shared;
pub use store::{Options, SqliteStore};

use super::StoreError;

/// The engine's own error as the store's: result codes only, since messages may quote values.
fn engine_error(error: rusqlite::Error) -> StoreError {
    use rusqlite::ErrorCode;
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => StoreError::Full,
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
            StoreError::Folder("its database is damaged")
        }
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => {
            StoreError::Folder("it cannot be written to")
        }
        Some(code) => StoreError::Engine(format!("{code:?}")),
        None => StoreError::Engine("unexpected value".to_owned()),
    }
}

/// Integers are stored bit for bit, so that every `u64` from a frame keeps its value.
fn stored(value: u64) -> i64 {
    value.cast_signed()
}

/// The opposite of [`stored`].
fn loaded(value: i64) -> u64 {
    value.cast_unsigned()
}
