//! Backups as they are shown.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::ids::ContactId;

/// What a run of a backup wrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct BackupReport {
    /// Blocks that are new or changed.
    #[ts(type = "number")]
    pub written: u64,
    /// Blocks in all.
    #[ts(type = "number")]
    pub blocks: u64,
    /// Files in all.
    #[ts(type = "number")]
    pub files: u64,
    /// Files that were copied now.
    #[ts(type = "number")]
    pub new_files: u64,
    /// Bytes written, the manifest left out.
    #[ts(type = "number")]
    pub bytes_written: u64,
    /// Unix milliseconds.
    #[ts(type = "number")]
    pub made_ms: i64,
}

/// What a backup holds; all of it was opened and checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct BackupCheck {
    /// When it was made, Unix milliseconds.
    #[ts(type = "number")]
    pub made_ms: i64,
    /// Whose it is.
    pub account: ContactId,
    /// Their name.
    pub name: String,
    /// Blocks.
    #[ts(type = "number")]
    pub blocks: u64,
    /// Files.
    #[ts(type = "number")]
    pub files: u64,
    /// Chats.
    #[ts(type = "number")]
    pub chats: u64,
    /// Contacts.
    #[ts(type = "number")]
    pub contacts: u64,
    /// Messages and plain lines.
    #[ts(type = "number")]
    pub messages: u64,
    /// Bytes checked.
    #[ts(type = "number")]
    pub bytes: u64,
}

/// How it stands with backups on this device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct BackupState {
    /// Whether this device can make one without the recovery phrase.
    pub ready: bool,
    /// When it last finished one, Unix milliseconds; 0: never.
    #[ts(type = "number")]
    pub last_made_ms: i64,
    /// Whether one is being made.
    pub running: bool,
}

/// What a restored home holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct RestoreReport {
    /// Messages and plain lines.
    #[ts(type = "number")]
    pub messages: u64,
    /// Files.
    #[ts(type = "number")]
    pub files: u64,
    /// Messages whose time was over: they did not come back.
    #[ts(type = "number")]
    pub expired: u64,
    /// When the backup was made, Unix milliseconds.
    #[ts(type = "number")]
    pub made_ms: i64,
    /// Whether its conversations are on the server it is registered with now: only then it asks to be let in again.
    pub same_server: bool,
}
