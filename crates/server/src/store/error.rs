//! What can go wrong in a store, without any user data in it. The gateway maps each to a stable wire code.

use thiserror::Error;

/// Why the store did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum StoreError {
    /// No queue of that id.
    #[error("There is no such queue.")]
    UnknownQueue,
    /// The queue id is in use with other keys.
    #[error("This queue id is taken.")]
    QueueTaken,
    /// Registration needs an invitation and none was given.
    #[error("This server takes new users by invitation only.")]
    InvitationRequired,
    /// Never existed, or was forgotten after it expired.
    #[error("This invitation is unknown.")]
    InvitationUnknown,
    /// All its uses are gone.
    #[error("This invitation has been used.")]
    InvitationUsed,
    /// Its time has passed.
    #[error("This invitation has expired.")]
    InvitationExpired,
    /// There are as many temporary queues as there may be.
    #[error("There are too many temporary queues.")]
    TooManyTemporary,
    /// Not for a temporary queue.
    #[error("A temporary queue can't do that.")]
    Temporary,
    /// The queue's owner has made as many invitations today as allowed.
    #[error("Today's invitations have been made.")]
    InvitationsSpent,
    /// The day's blind tokens have all been issued.
    #[error("Today's allowance is used up.")]
    AllowanceSpent,
    /// The address belongs to another queue.
    #[error("This address is taken.")]
    AddressTaken,
    /// The queue has no such address.
    #[error("There is no such address on this queue.")]
    UnknownAddress,
    /// The queue holds as many addresses as it may.
    #[error("This queue holds as many addresses as it may.")]
    TooManyAddresses,
    /// The address's pool holds as many key packages as it may.
    #[error("This address holds as many key packages as it may.")]
    TooManyKeyPackages,
    /// No channel of that id.
    #[error("There is no such channel.")]
    UnknownChannel,
    /// The channel exists and differs.
    #[error("This channel exists already.")]
    ChannelTaken,
    /// A commit for another epoch than the channel's.
    #[error("The channel is at another epoch.")]
    Epoch {
        /// The channel's epoch.
        epoch: u64,
    },
    /// The commit's key does not open the channel's lock.
    #[error("The commit does not fit the channel's lock.")]
    Lock,
    /// A send at an epoch outside the channel's window.
    #[error("The message was encrypted for an epoch that is no longer accepted.")]
    Stale {
        /// The channel's epoch.
        epoch: u64,
        /// The lowest epoch that may send.
        min_send_epoch: u64,
    },
    /// The payload fits no item; the gateway refuses such before it comes here.
    #[error("The message is larger than allowed.")]
    PayloadTooLarge,
    /// No blob of that id.
    #[error("There is no such blob.")]
    UnknownBlob,
    /// The blob exists with another size.
    #[error("This blob exists already.")]
    BlobTaken,
    /// The upload does not stand where the caller thinks it does.
    #[error("The upload stands at another offset.")]
    BlobOffset {
        /// Where it stands.
        offset: u64,
    },
    /// More bytes than the blob's size.
    #[error("The upload is longer than announced.")]
    BlobTooLong,
    /// The blob has not been uploaded to its end.
    #[error("The blob has not been uploaded completely yet.")]
    BlobIncomplete,
    /// What is sent refers to a blob that is not there, not whole, or gone before the items would be.
    #[error("The blob that this refers to is not there for long enough.")]
    BlobNeeded,
    /// The range asked for is not in the blob.
    #[error("This range is not in the blob.")]
    BlobRange,
    /// The disk's reserve has been reached.
    #[error("The server's disk is full.")]
    Full,
    /// More is queued than the engine takes.
    #[error("The server is busy.")]
    Busy,
    /// The store has been closed.
    #[error("The server is shutting down.")]
    Closed,
    /// Another process has the data folder open.
    #[error("Another process uses this data folder.")]
    InUse,
    /// The data was written by a newer version.
    #[error(
        "The data was written by a newer version (format {found}; this program knows up to {known}). Use that version or a backup."
    )]
    Newer {
        /// Format found.
        found: u32,
        /// Newest format known.
        known: u32,
    },
    /// The data folder can't be used as it is.
    #[error("The data folder cannot be used: {0}.")]
    Folder(&'static str),
    /// The engine failed; the text is the engine's own result code, never data.
    #[error("The storage engine failed ({0}).")]
    Engine(String),
}

impl StoreError {
    /// Whether the same request may succeed later without change.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        matches!(
            self,
            Self::Full
                | Self::Busy
                | Self::Closed
                | Self::AllowanceSpent
                | Self::InvitationsSpent
                | Self::TooManyTemporary
                | Self::Engine(_)
        )
    }
}

impl From<std::io::Error> for StoreError {
    fn from(error: std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::StorageFull {
            return Self::Full;
        }
        Self::Engine(format!("file: {:?}", error.kind()))
    }
}
