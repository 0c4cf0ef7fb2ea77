//! What the server keeps, and the one interface through which it is kept.
//!
//! [`Store`] is the seam between the gateway and an engine: today SQLite ([`sqlite`]), later PostgreSQL with
//! the same [`conformance`] suite. Every identifier in here is random or a hash and means nothing outside its
//! row. What must stay true of every backend:
//!
//! - **Durable means on disk.** A [`Reply`] to a write resolves after the transaction is on disk, not before.
//! - **No graph at rest.** Nothing stored joins a channel to a queue or two queues to each other; items are
//!   sealed again for each queue; the only times stored are UTC day numbers.
//! - **In order.** Writes submitted one after the other by one task are applied in that order.
//! - **Idempotent or says why not**, as `docs/protocol.md` section 2 lists.
//! - **A full disk stops sends and nothing else.** Below the reserve, sends and registrations, and uploads before them, fail with
//!   [`StoreError::Full`]; acknowledgements and deletes go on, and so do commits and new channels as long as what they
//!   write leaves the last part of the reserve alone ([`StoreLimits::commit_reserve`]).
//! - **What is referred to is there.** A send or commit that names a blob is refused with [`StoreError::BlobNeeded`] unless
//!   that blob is whole and is kept until the items have expired. Which one it was is stored nowhere but inside the items.

pub mod blobs;
mod clock;
#[cfg(test)]
pub(crate) mod conformance;
mod error;
mod limits;
mod reply;
pub mod sqlite;
mod types;

pub use clock::{Clock, ManualClock, SystemClock};
pub use error::StoreError;
pub use limits::{FixedFreeSpace, FreeSpace, Quota, StoreLimits, VolumeFreeSpace};
pub use reply::{Ready, Reply, Responder, reply};
pub use types::*;

/// A storage engine. Cheap to share (`Arc<dyn Store>`); every method returns at once.
///
/// A call submits; awaiting the returned [`Reply`] gives the outcome. A caller that pipelines keeps its own
/// order by submitting in order and may await the replies in any order. Dropping a `Reply` does not undo the call.
///
/// Backpressure: before taking the next request from a connection, await [`Store::ready`]. Submitting
/// without it is allowed, but past a hard limit a call is answered with [`StoreError::Busy`].
pub trait Store: Send + Sync + 'static {
    /// Whether [`Store::ready`] would resolve at once.
    fn has_room(&self) -> bool;

    /// Resolves when the engine can take more work.
    fn ready(&self) -> Ready<'_>;

    // ---- queues ----

    /// Creates a queue, using up one use of the invitation in the same transaction. The same id with the same
    /// signing key is answered as the first time and uses nothing up.
    /// Errors: `QueueTaken`, `InvitationRequired`, `InvitationUnknown`, `InvitationUsed`, `InvitationExpired`, `Full`.
    fn register(&self, registration: Registration) -> Reply<Position>;

    /// The keys of a queue, to check a sign-in against; `None` if there is no such queue. Reads only.
    fn queue(&self, queue: QueueId) -> Reply<Option<QueueRecord>>;

    /// The queue's position; pushes its expiry day out. Call it after the signature has been checked.
    /// Errors: `UnknownQueue`.
    fn sign_in(&self, queue: QueueId) -> Reply<Position>;

    /// Replaces the HPKE public key to which sealing keys are sealed; the next item uses a new sealing key.
    /// Errors: `UnknownQueue`.
    fn rotate_queue_key(&self, queue: QueueId, hpke_key: Box<[u8]>) -> Reply<()>;

    /// Deletes a queue with its addresses, items and key packages. An unknown queue is no error.
    fn delete_queue(&self, queue: QueueId) -> Reply<()>;

    /// Sets the queue's bell in the place of the one before. False: another queue has one of this hash, and nothing is changed.
    /// Errors: `UnknownQueue`.
    fn set_bell(&self, queue: QueueId, bell: StoredBell) -> Reply<bool>;

    /// The bell of this hash, and whose it is. Reads only.
    fn bell(&self, hash: [u8; 32]) -> Reply<Option<(QueueId, StoredBell)>>;

    /// Up to where the bell of this hash has been rung. An unknown bell is no error.
    fn bell_rung(&self, hash: [u8; 32], rung: [u8; RUNG_BYTES]) -> Reply<()>;

    /// Takes `count` from the queue's daily token allowance of `daily`; the answer is what is left today.
    /// `count` 0 only asks. Errors: `UnknownQueue`, `AllowanceSpent`.
    fn take_token_allowance(&self, queue: QueueId, count: u32, daily: u32)
    -> Reply<TokenAllowance>;

    // ---- addresses and key packages ----

    /// Creates addresses; all or none. One that exists on this queue is left as it is, but for its kind, which
    /// is raised from `KeyPackage` or `Contact` to `Conversation` where asked and never lowered.
    /// Errors: `UnknownQueue`, `AddressTaken`, `TooManyAddresses`.
    fn create_addresses(
        &self,
        queue: QueueId,
        addresses: Vec<(AddressHash, AddressKind)>,
    ) -> Reply<()>;

    /// Deletes addresses with their key packages. One that is unknown, or another queue's, is left alone and no error.
    fn revoke_addresses(&self, queue: QueueId, addresses: Vec<AddressHash>) -> Reply<()>;

    /// Adds to the pool of one of the queue's addresses; the answer is how many one-time packages it now holds.
    /// Idempotent by key package id. Errors: `UnknownAddress`, `TooManyKeyPackages`, `Full`.
    fn publish_key_packages(&self, queue: QueueId, publish: PublishKeyPackages) -> Reply<u32>;

    /// Takes one key package for each address, in the order asked. One-time ones are gone afterwards. A retry
    /// with the same send id is answered alike while the node remembers it.
    fn take_key_packages(
        &self,
        send_id: SendId,
        addresses: Vec<AddressHash>,
    ) -> Reply<Vec<TakenKeyPackage>>;

    /// The queue that each address of a conversation leads to, in the order asked. Addresses of other kinds, old names and unknown ones lead
    /// nowhere. Reads only.
    fn resolve(&self, addresses: Vec<AddressHash>) -> Reply<Vec<Option<QueueId>>>;

    /// Which of these addresses there are, old names in grace included. Reads only.
    fn exist(&self, addresses: Vec<AddressHash>) -> Reply<Vec<bool>>;

    // ---- sends ----

    /// Queues a payload on each address. Unknown, revoked or full addresses are reported in the bitmap only.
    /// Errors: `BlobNeeded`, `Full`.
    fn send(&self, send: DirectSend) -> Reply<Accepted>;

    /// Creates a channel. One with the same epoch and lock is left as it is. Errors: `ChannelTaken`, `Full`.
    fn create_channel(&self, channel: NewChannel) -> Reply<()>;

    /// A message at an epoch between the channel's `min_send_epoch` and its epoch. Gets the channel's next number.
    /// Errors: `UnknownChannel`, `Stale`, `Full`.
    fn channel_send(&self, send: ChannelSend) -> Reply<Accepted>;

    /// Moves the channel to the next epoch, fans the payload out and renames addresses, in one transaction.
    /// A payload whose hash is that of the last accepted commit is answered with that one's number.
    /// Errors: `UnknownChannel`, `Epoch`, `Lock`, `BlobNeeded`, `Full`.
    fn channel_commit(&self, commit: ChannelCommit) -> Reply<Accepted>;

    /// A send accepted at any epoch (resync requests, complaints). Gets the channel's next number.
    /// Errors: `UnknownChannel`, `Full`.
    fn channel_control(&self, control: ChannelControl) -> Reply<Accepted>;

    // ---- items ----

    /// Items of a queue from sequence `from` on, in order, at most `limit`; with the sealing keys that open them.
    /// Reads only, and may see items that were not answered yet because they are not on disk: those must not be given out.
    /// At least one item is given if there is one, whatever the byte limit.
    fn fetch(&self, queue: QueueId, from: u64, limit: FetchLimit) -> Reply<Fetched>;

    /// The highest sequence that waits in a queue. Reads only, and may see what is not on disk yet.
    fn newest(&self, queue: QueueId) -> Reply<Option<u64>>;

    /// Deletes all items up to and including `sequence` (which is cut to what the queue has given out). Applied
    /// within [`StoreLimits::ack_delay`]; it is lost if the server dies before, or the power fails before the disk is next waited
    /// for, and the owner's next one repeats it.
    fn ack(&self, queue: QueueId, sequence: u64);

    /// Resolves when everything submitted before it, acknowledgements included, has been applied or refused.
    fn flush(&self) -> Reply<()>;

    // ---- blobs (bytes are kept by `blobs::Blobs`) ----

    /// Creates the row of a blob. The same blob with the same size is answered with its present state.
    /// Errors: `BlobTaken` if it exists with another size, `Full`.
    fn create_blob(&self, blob: BlobHash, size: u64) -> Reply<BlobRecord>;

    /// The row of a blob. Reads only. Errors: `UnknownBlob`.
    fn blob(&self, blob: BlobHash) -> Reply<BlobRecord>;

    /// Bytes that all blobs hold. Reads only.
    fn blob_bytes(&self) -> Reply<u64>;

    /// Moves the uploaded offset from `from` to `to`; the bytes must be synced before.
    /// Errors: `UnknownBlob`, `BlobOffset` if it no longer stands at `from`.
    fn advance_blob(&self, blob: BlobHash, from: u64, to: u64) -> Reply<BlobRecord>;

    /// Deletes the rows of at most `limit` blobs whose last day has passed, and names them.
    fn expire_blobs(&self, limit: u32) -> Reply<Vec<BlobHash>>;

    // ---- admission ----

    /// Adds an invitation; one with the same hash is replaced.
    fn create_invitation(&self, invitation: Invitation) -> Reply<()>;

    /// Adds an invitation that a queue's owner made, if they have made few today. One that exists is left as it is.
    /// Errors: `UnknownQueue`, `Temporary`, `InvitationsSpent`, `Full`.
    fn create_own_invitation(&self, queue: QueueId, invitation: Invitation) -> Reply<()>;

    /// Marks token hashes as spent until the day after `last_day`. For each, in order: whether it was fresh.
    fn spend_tokens(&self, tokens: Vec<TokenHash>, last_day: Day) -> Reply<Vec<bool>>;

    /// A small record of the server itself (such as its token keys), shared by all nodes.
    fn record(&self, name: &'static str) -> Reply<Option<Vec<u8>>>;

    /// Replaces such a record.
    fn set_record(&self, name: &'static str, value: Vec<u8>) -> Reply<()>;

    // ---- other servers ----

    /// A send that also goes to other servers: what is for them is written in the same transaction. What finds no room is left out; the
    /// bitmap says so behind the addresses. Errors: those of the send it is.
    fn forwarding(&self, forwarding: Forwarding) -> Reply<Accepted>;

    /// The servers for which something waits. Reads only.
    fn parcel_servers(&self) -> Reply<Vec<String>>;

    /// What waits for a server, from the first, at most `bytes` (but one). Reads only.
    fn parcels(&self, server: String, bytes: usize) -> Reply<Vec<WaitingParcel>>;

    /// A server has taken everything up to this one, if it is still there.
    fn parcels_taken(&self, server: String, upto: ParcelMark) -> Reply<()>;

    /// A server was not there, or took nothing. In memory only: one that never took anything makes room for others when there is none.
    fn not_reached(&self, server: &str);

    /// Queues what another server brought; once, however often it comes. Addresses that don't take it are passed over. The answer is
    /// whether it reached anybody; what did not leaves nothing behind. Errors: `Full`.
    fn bring(&self, brought: Brought) -> Reply<bool>;

    /// As [`Store::create_channel`], for somebody who has not paid with this server's tokens: it gives guests no allowance.
    fn create_channel_by_guest(&self, channel: NewChannel) -> Reply<()>;

    /// Whether guests may send by this channel: it is known, and was paid for. Reads only.
    fn has_guests(&self, channel: ChannelHash) -> Reply<bool>;

    /// The same, and it counts as used.
    fn visit(&self, channel: ChannelHash) -> Reply<bool>;

    // ---- upkeep ----

    /// Deletes what has expired: items, queues, channels, invitations, spent tokens. The gateway calls it every
    /// hour; it works in small steps so that sends go on in between.
    fn sweep(&self) -> Reply<Swept>;

    /// Counts for status and metrics. Reads only; may walk the tables.
    fn counts(&self) -> Reply<Counts>;

    /// Numbers of the engine since start, for metrics. Cheap.
    fn activity(&self) -> Activity;

    /// Refuses new work, finishes what is queued, truncates the log and closes.
    fn close(&self) -> Reply<()>;
}
