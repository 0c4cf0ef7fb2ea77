//! The encrypted store: one SQLite file under SQLCipher that holds everything a device knows.
//!
//! What lives here: opening and keying the file, the numbered migrations, the one way to write
//! ([`Transaction`]) and the one way to read ([`Snapshot`]). What the rows mean belongs to the
//! modules that own the tables; each of them adds its SQL under `crates/core/migrations` and a line
//! in [`migrations::STEPS`].
//!
//! What must stay true:
//! - Every event is exactly one transaction. MLS state, messages, outbox and inbox position change
//!   together or not at all, so a crash at any instant leaves both sides able to go on.
//! - There is one writer. [`Transaction`] is the only thing that can write; a [`Snapshot`] is opened
//!   read-only by SQLite itself.
//! - A commit is on disk when [`Transaction::commit`] returns (WAL, `synchronous=FULL`).
//! - What is deleted is overwritten (`secure_delete`), and SQLite keeps no temporary file.
//! - The data key never stands in an error, a log line or a `Debug` text.

mod connection;
mod database;
mod error;
mod key;
pub mod migrations;
mod transaction;

pub use database::Database;
pub use error::{StoreError, StoreResult};
pub use key::DataKey;
pub use migrations::{Migration, Step};
pub use transaction::{Snapshot, Transaction};

#[cfg(test)]
mod tests;
