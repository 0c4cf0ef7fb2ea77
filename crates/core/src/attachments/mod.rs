//! Files of any size, sent and received with flat memory.
//!
//! A file travels as one blob: AES-256-GCM in 64 KiB chunks in the STREAM construction (Hoang, Reyhanitabar,
//! Rogaway and Vizár, 2015), padded so that its length is one of `wire::padding::blob_size`, under a key that is drawn for it alone
//! and reaches the other side inside the encrypted message. At rest it is a STREAM of the same layout under
//! a second key of its own, so that neither a server's disk nor another person's home holds the same bytes.
//!
//! What must stay true:
//! - Nothing decrypted is written to disk, except by [`Attachments::save`] to the place its owner chose.
//! - Memory does not grow with the file: a transfer holds [`PIECE`] bytes and a few chunks.
//! - A transfer can be cut anywhere, by a kill too, and goes on where it was. The blob's bytes follow from
//!   the keys and the content alone, so a piece that is sent twice is the same twice.
//! - A chunk that was flipped, moved, dropped or added is refused before a byte of it is used; a blob whose
//!   hash is not the promised one never counts as received.
//! - A file in the folder belongs to a row from before it exists until after it is gone. The folder is
//!   shared by both stores of a home, so no store may remove what it does not know, until the other one is no more.

mod halt;
mod import;
mod read;
mod rows;
mod stream;
mod transfer;

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

pub use read::AttachmentReader;
pub(crate) use read::check_stream;
pub(crate) use rows::is_file_name;
pub use rows::{AttachmentId, AttachmentStatus, Direction, State};
pub use stream::{CHUNK, CHUNK_PLAINTEXT, StreamKey, open_blob, seal_blob};
pub(crate) use transfer::is_of_blob;
pub use transfer::{BlobTransport, PIECE, Progress, READ_PIECE};

use tokio::sync::watch;
use undertone_wire::ids::BlobId;

use crate::store::{Database, StoreError};

/// What the receiver of a file must know, from the message that carries it.
pub struct Reference {
    /// Where it is on the server.
    pub blob_id: BlobId,
    /// Key and nonce of the STREAM.
    pub key: StreamKey,
    /// Length of the file in bytes, without padding.
    pub size: u64,
    /// SHA-256 of the blob as it stands on the server (MIMI content's `contentHash`).
    pub content_hash: [u8; 32],
}

/// The attachments of one open store. Cheap to clone.
///
/// Calls that are not `async` block on the disk.
#[derive(Clone)]
pub struct Attachments {
    database: Database,
    folder: PathBuf,
    /// Transfers under way; a second one of the same file would write over the first.
    active: Arc<Mutex<HashSet<AttachmentId>>>,
    /// Changes whenever a transfer is stopped, so that those under way look whether it is theirs.
    halts: Arc<watch::Sender<()>>,
}

/// Code of a transfer that was cancelled, and the failure of one that its owner cancelled.
pub(crate) const CANCELLED: &str = "attachment.cancelled";

/// The largest file that is sent, bytes: 4 GiB.
pub const LARGEST: u64 = 4 << 30;

impl Attachments {
    /// The attachments of `database`, whose files lie in `folder` (`Home::attachments`). Call
    /// [`Attachments::recover`] once before anything else.
    #[must_use]
    pub fn new(database: Database, folder: PathBuf) -> Self {
        Self {
            database,
            folder,
            active: Arc::default(),
            halts: Arc::new(watch::Sender::new(())),
        }
    }

    /// Where the files lie.
    pub(crate) fn folder(&self) -> &std::path::Path {
        &self.folder
    }

    /// Takes `id` for one transfer until the guard is dropped.
    fn occupy(&self, id: AttachmentId) -> Result<Occupied, AttachmentError> {
        let mut active = self.active.lock().unwrap_or_else(PoisonError::into_inner);
        if !active.insert(id) {
            return Err(AttachmentError::Busy);
        }
        Ok(Occupied {
            id,
            active: Arc::clone(&self.active),
        })
    }
}

/// Held by whatever reads or writes a file, also by work that outlives a dropped future.
struct Occupied {
    id: AttachmentId,
    active: Arc<Mutex<HashSet<AttachmentId>>>,
}

impl Drop for Occupied {
    fn drop(&mut self) {
        self.active
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.id);
    }
}

/// Why an attachment could not be taken in, sent, received or saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AttachmentError {
    /// No attachment has this id.
    #[error("There is no such attachment.")]
    Unknown,
    /// It has not been received completely.
    #[error("The attachment has not been received yet.")]
    NotHere,
    /// An earlier transfer failed for good; the status says why, and [`Attachments::retry`] allows another.
    #[error("The attachment could not be transferred.")]
    Failed,
    /// It is being transferred already.
    #[error("The attachment is being transferred already.")]
    Busy,
    /// It was cancelled.
    #[error("The transfer was cancelled.")]
    Cancelled,
    /// Its owner has paused it.
    #[error("The transfer is paused; resume it first.")]
    Paused,
    /// It fails its checks: a chunk was changed, or the hash is another one.
    #[error("The attachment is not what its sender sent; nothing was saved.")]
    Damaged,
    /// It is larger than [`LARGEST`], or than the server takes.
    #[error(
        "The file is too large: one has at most 4 GiB, or what the server allows if that is less."
    )]
    TooLarge,
    /// The file to be sent can't be read.
    #[error("The file can't be read.")]
    Unreadable,
    /// There is a file at the place to save to.
    #[error("There is a file of that name already; nothing was overwritten.")]
    Exists,
    /// The place to save to can't be written.
    #[error("The file can't be written there.")]
    Unwritable,
    /// The disk is full.
    #[error("The disk is full; nothing was changed.")]
    DiskFull,
    /// The home can't be read or written.
    #[error("The disk failed to read or write.")]
    Io,
    /// The operating system gave no randomness.
    #[error("The operating system gave no randomness.")]
    Random,
    /// The network or the server did not do it; its class says whether to try again.
    #[error("{}", .0.sentence())]
    Transport(undertone_wire::Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl AttachmentError {
    /// Stable code.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Unknown => "attachment.unknown",
            Self::NotHere => "attachment.not_here",
            Self::Failed => "attachment.failed",
            Self::Busy => "attachment.busy",
            Self::Cancelled => CANCELLED,
            Self::Paused => "attachment.paused",
            Self::Damaged => "attachment.damaged",
            Self::TooLarge => "attachment.too_large",
            Self::Unreadable => "attachment.unreadable",
            Self::Exists => "attachment.exists",
            Self::Unwritable => "attachment.unwritable",
            Self::DiskFull => "attachment.disk_full",
            Self::Io => "attachment.io",
            Self::Random => "attachment.random",
            Self::Transport(error) => error.code.as_str(),
            Self::Store(error) => error.code(),
        }
    }

    /// For what goes wrong with files inside the home.
    fn in_home(error: &std::io::Error) -> Self {
        match StoreError::from_io(error) {
            StoreError::DiskFull => Self::DiskFull,
            _ => Self::Io,
        }
    }

    /// For what goes wrong at the place the owner chose.
    fn at_target(error: &std::io::Error) -> Self {
        match StoreError::from_io(error) {
            StoreError::DiskFull => Self::DiskFull,
            _ if error.kind() == std::io::ErrorKind::AlreadyExists => Self::Exists,
            _ => Self::Unwritable,
        }
    }
}

#[cfg(test)]
mod tests;
