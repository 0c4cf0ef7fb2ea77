//! How much the files of each chat take, and what to remove of them.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::ids::{ChatId, MessageId};

view! {
    /// The files of a chat that are on this device.
    struct ChatStorage {
        /// The chat.
        chat: ChatId,
        /// Its name.
        name: String,
        /// How many.
        files: u32,
        /// Their bytes, as sent.
        #[ts(type = "number")]
        bytes: u64,
        /// The largest of them, at most 20.
        largest: Vec<StoredFile>,
    }
}

view! {
    /// A file that is on this device.
    struct StoredFile {
        /// The message it came with.
        message: MessageId,
        /// Which of the message's files.
        index: u32,
        /// As its sender named it.
        name: String,
        /// Its media type.
        content_type: String,
        /// Its bytes.
        #[ts(type = "number")]
        bytes: u64,
        /// When the message was sent.
        #[ts(type = "number")]
        sent_ms: i64,
    }
}

view! {
    /// What was removed.
    struct CleanedUp {
        /// Files.
        files: u32,
        /// Their bytes.
        #[ts(type = "number")]
        bytes: u64,
    }
}

/// Which files to remove from this device. The messages stay, and a file can be fetched again as long as the server has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct CleanUp {
    /// Only those of at least so many bytes.
    #[serde(default)]
    #[ts(optional, type = "number")]
    pub larger_than: Option<u64>,
    /// Only those sent before this moment, Unix milliseconds.
    #[serde(default)]
    #[ts(optional, type = "number")]
    pub older_than_ms: Option<i64>,
}
