//! The values that go in and out of a store. Parsed at the gateway's edge; nothing here can be of a wrong length.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
pub use undertone_wire::ids::{
    AddressHash, BlobHash, ChannelHash, Incarnation, KeyId, KeyPackageId, QueueId, SendId,
};

macro_rules! identifier {
    ($(#[$meta:meta])* $name:ident, $length:literal) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub [u8; $length]);

        impl From<[u8; $length]> for $name {
            fn from(bytes: [u8; $length]) -> Self {
                Self(bytes)
            }
        }

        impl AsRef<[u8]> for $name {
            fn as_ref(&self) -> &[u8] {
                &self.0
            }
        }

        /// Never shows the value: identifiers do not go into logs.
        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(concat!(stringify!($name), "(..)"))
            }
        }
    };
}

identifier!(
    /// SHA-256 of an invitation code.
    InvitationHash, 32);
identifier!(
    /// SHA-256 of a spent token's input.
    TokenHash, 32);

/// Days since 1970-01-01, UTC.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day(pub u32);

impl Day {
    /// The day in which a moment lies.
    #[must_use]
    pub fn from_unix_s(seconds: u64) -> Self {
        Self(u32::try_from(seconds / 86_400).unwrap_or(u32::MAX))
    }

    /// That many days later.
    #[must_use]
    pub fn plus(self, days: u32) -> Self {
        Self(self.0.saturating_add(days))
    }
}

/// What an address is for; decides its quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressKind {
    /// One conversation's.
    Conversation,
    /// A contact link's.
    Contact,
    /// Where the Welcome for one key package lands.
    KeyPackage,
}

/// A new queue.
#[derive(Clone)]
pub struct Registration {
    /// Chosen by the owner.
    pub queue: QueueId,
    /// Ed25519 public key.
    pub signing_key: [u8; 32],
    /// ML-KEM-768 + X25519 public key, 1,216 bytes; the gateway has checked that it parses.
    pub hpke_key: Box<[u8]>,
    /// The hash of the code given, if one was.
    pub invitation: Option<InvitationHash>,
    /// Whether one is needed.
    pub invitation_required: bool,
    /// Needs none, is gone in a day or two, and holds next to nothing.
    pub temporary: bool,
}

/// What is stored about a queue's owner.
#[derive(Clone)]
pub struct QueueRecord {
    /// Ed25519 public key that signs in.
    pub signing_key: [u8; 32],
    /// Public key that sealing keys are sealed to.
    pub hpke_key: Box<[u8]>,
    /// Day on which it was set.
    pub hpke_key_day: Day,
}

/// Length of [`StoredBell::rung`]: a nonce, a sealed sequence, a tag.
pub const RUNG_BYTES: usize = 12 + 8 + 16;

/// A queue's bell, as it is stored.
#[derive(Clone, Copy)]
pub struct StoredBell {
    /// SHA-256 of the secret that it is heard with.
    pub hash: [u8; 32],
    /// It ends after this day.
    pub last_day: Day,
    /// Up to where it has been rung, sealed to whoever holds the secret; random bytes if it never was.
    pub rung: [u8; RUNG_BYTES],
}

/// Where a queue stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Positions of different incarnations can't be compared.
    pub incarnation: Incarnation,
    /// Lowest sequence still held; `next_sequence` if none is.
    pub first_sequence: u64,
    /// What the next item will get.
    pub next_sequence: u64,
    /// Day on which the HPKE public key was set.
    pub hpke_key_day: Day,
}

/// One key package, encrypted under a key that the server never sees.
#[derive(Clone)]
pub struct SealedKeyPackage {
    /// Random.
    pub id: KeyPackageId,
    /// Opaque.
    pub sealed: Bytes,
}

/// What is added to an address's pool.
#[derive(Clone)]
pub struct PublishKeyPackages {
    /// Whose pool.
    pub address: AddressHash,
    /// Each is given out once.
    pub one_time: Vec<SealedKeyPackage>,
    /// Given out when the others are gone; replaces the one before.
    pub last_resort: Option<SealedKeyPackage>,
}

/// What came out of a pool.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TakenKeyPackage {
    /// Empty if the address is unknown or its pool is.
    pub sealed: Bytes,
    /// Whether it is the last-resort one.
    pub last_resort: bool,
}

/// A send outside any channel.
#[derive(Clone)]
pub struct DirectSend {
    /// For retries.
    pub send_id: SendId,
    /// At most 64 KiB minus framing.
    pub payload: Bytes,
    /// At most 4,096.
    pub addresses: Vec<AddressHash>,
    /// The blob that the payload refers to. Checked and given out with the item, never stored beside anything.
    pub blob: Option<BlobHash>,
}

/// A send of any kind.
#[derive(Clone)]
pub enum AnySend {
    /// Outside any channel.
    Direct(DirectSend),
    /// On a channel.
    Channel(ChannelSend),
    /// On a channel.
    Commit(ChannelCommit),
    /// On a channel.
    Control(ChannelControl),
}

impl AnySend {
    /// What is sent.
    #[must_use]
    pub fn payload(&self) -> &Bytes {
        match self {
            Self::Direct(send) => &send.payload,
            Self::Channel(send) => &send.payload,
            Self::Commit(send) => &send.payload,
            Self::Control(send) => &send.payload,
        }
    }

    /// How many addresses of this server it names.
    #[must_use]
    pub fn addresses(&self) -> usize {
        match self {
            Self::Direct(send) => send.addresses.len(),
            Self::Channel(send) => send.addresses.len(),
            Self::Commit(send) => send.addresses.len(),
            Self::Control(send) => send.addresses.len(),
        }
    }
}

/// A send that also goes to other servers.
pub struct Forwarding {
    /// What happens here.
    pub send: AnySend,
    /// One for each other server.
    pub parcels: Vec<Outgoing>,
    /// Places, among the sender's bundles, of those that the gateway has left out already.
    pub left_out: Vec<usize>,
}

/// What goes to one other server.
pub struct Outgoing {
    /// Its place among the sender's bundles.
    pub index: usize,
    /// host:port+pin.
    pub server: String,
    /// Seals it.
    pub wrapping: undertone_wire::forward::Wrapping,
}

/// A parcel that waits for another server.
#[derive(Clone, PartialEq, Eq)]
pub struct WaitingParcel {
    /// Its place in that server's order.
    pub sequence: u64,
    /// Opens with that server's key only.
    pub sealed: Vec<u8>,
}

impl WaitingParcel {
    /// Which one it is.
    #[must_use]
    pub fn mark(&self) -> ParcelMark {
        let beginning = &self.sealed[..self.sealed.len().min(ParcelMark::BEGINNING)];
        ParcelMark {
            sequence: self.sequence,
            beginning: beginning.into(),
        }
    }
}

/// Which parcel is meant: numbers alone begin anew when nothing waits any more.
#[derive(Clone, PartialEq, Eq)]
pub struct ParcelMark {
    /// Its place in its server's order.
    pub sequence: u64,
    /// How it begins, which is random.
    pub beginning: Box<[u8]>,
}

impl ParcelMark {
    /// Bytes that tell parcels apart.
    const BEGINNING: usize = 32;
}

/// What another server brought, opened.
#[derive(Clone)]
pub struct Brought {
    /// By whom.
    pub from: undertone_wire::ids::Pin,
    /// Its random name there.
    pub parcel: undertone_wire::forward::ParcelId,
    /// What is to be queued.
    pub item: undertone_wire::response::QueueItem,
    /// Where.
    pub addresses: Vec<AddressHash>,
    /// New names, from the next item on.
    pub renames: Vec<AddressRename>,
}

/// A new channel.
#[derive(Clone)]
pub struct NewChannel {
    /// Its name.
    pub channel: ChannelHash,
    /// Where it starts.
    pub epoch: u64,
    /// SHA-256 of the key that the next commit must show.
    pub lock: [u8; 32],
    /// Lowest epoch that may send.
    pub min_send_epoch: u64,
}

/// A message in a channel.
#[derive(Clone)]
pub struct ChannelSend {
    /// Which.
    pub channel: ChannelHash,
    /// Encrypted at this epoch.
    pub epoch: u64,
    /// For retries.
    pub send_id: SendId,
    /// Opaque.
    pub payload: Bytes,
    /// The members', the sender's own included.
    pub addresses: Vec<AddressHash>,
}

/// A commit in a channel.
#[derive(Clone)]
pub struct ChannelCommit {
    /// Which.
    pub channel: ChannelHash,
    /// Of this epoch; the channel is at the next one afterwards.
    pub epoch: u64,
    /// SHA-256 of the key shown.
    pub key_hash: [u8; 32],
    /// The channel's lock afterwards.
    pub next_lock: [u8; 32],
    /// Opaque.
    pub payload: Bytes,
    /// The members', by their present names.
    pub addresses: Vec<AddressHash>,
    /// New names, from the next item on.
    pub renames: Vec<AddressRename>,
    /// Whether a member is removed: then nothing encrypted before is accepted any more.
    pub removes: bool,
    /// As in [`DirectSend`].
    pub blob: Option<BlobHash>,
}

/// A new name for an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddressRename {
    /// SHA-256 of the old secret.
    pub old: AddressHash,
    /// SHA-256 of the new one.
    pub new: AddressHash,
}

/// A send that skips the epoch check.
#[derive(Clone)]
pub struct ChannelControl {
    /// Which.
    pub channel: ChannelHash,
    /// For retries.
    pub send_id: SendId,
    /// At most 16 KiB.
    pub payload: Bytes,
    /// The members'.
    pub addresses: Vec<AddressHash>,
}

/// That a send is on disk.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Accepted {
    /// The channel's number; 0 outside channels.
    pub number: u64,
    /// Bit `i % 8` of byte `i / 8` is set if address `i` got nothing. Empty: none missed. A commit answered
    /// a second time after a restart has it empty as well.
    pub missed: Bytes,
}

/// A sealing key, sealed to the queue's owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealKey {
    /// Its name.
    pub key_id: KeyId,
    /// HPKE encapsulation.
    pub enc: Bytes,
    /// HPKE ciphertext.
    pub sealed: Bytes,
    /// Which of the owner's HPKE keys opens it.
    pub hpke_key_day: Day,
}

/// A queued item as it leaves the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredItem {
    /// Its place in the queue.
    pub sequence: u64,
    /// The sealing key's counter.
    pub nonce: u64,
    /// Sealed bytes, of one of five lengths.
    pub sealed: Bytes,
    /// The key that opens it.
    pub key: Arc<SealKey>,
}

/// How much a fetch may give.
#[derive(Debug, Clone, Copy)]
pub struct FetchLimit {
    /// Items.
    pub items: u32,
    /// Bytes of sealed data; one item is given even if it is longer.
    pub bytes: usize,
}

/// What a fetch gave.
#[derive(Debug, Clone, Default)]
pub struct Fetched {
    /// In order of sequence.
    pub items: Vec<StoredItem>,
    /// Whether the queue held nothing after these when it was read.
    pub complete: bool,
}

/// A blob's row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlobRecord {
    /// Padded size, announced at creation.
    pub size: u64,
    /// How much of it is uploaded and synced.
    pub offset: u64,
    /// Last day on which it is served.
    pub last_day: Day,
}

impl BlobRecord {
    /// Whether all of it is there.
    #[must_use]
    pub fn complete(&self) -> bool {
        self.offset == self.size
    }
}

/// A way in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Invitation {
    /// Hash of its code.
    pub code: InvitationHash,
    /// How many may still use it.
    pub uses: u32,
    /// Unix second from which it is refused, if it expires. Set by the administrator; says nothing about users.
    pub expires_s: Option<u64>,
}

/// What is left of a queue's blind tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenAllowance {
    /// How many may still be issued: today, or to a temporary queue at all.
    pub left: u32,
    /// Whether the queue is a temporary one, whose tokens are of another key and buy little.
    pub temporary: bool,
}

/// What a sweep deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Swept {
    /// Items whose days were over.
    pub items: u64,
    /// Queues whose owners stayed away.
    pub queues: u64,
    /// Channels out of use.
    pub channels: u64,
    /// Invitations past their time.
    pub invitations: u64,
    /// Token hashes that no longer matter.
    pub tokens: u64,
    /// Parcels that another server did not take in time, and marks of those that others brought.
    pub parcels: u64,
}

/// How much there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Registered queues, temporary ones included.
    pub queues: u64,
    /// Addresses.
    pub addresses: u64,
    /// Undelivered items.
    pub items: u64,
    /// One-time and last-resort key packages.
    pub key_packages: u64,
    /// Channels.
    pub channels: u64,
    /// Blobs, complete or not.
    pub blobs: u64,
    /// Bytes those blobs hold.
    pub blob_bytes: u64,
    /// Invitations with uses left.
    pub invitations: u64,
    /// Hashes of spent tokens.
    pub spent_tokens: u64,
    /// Parcels that wait for other servers.
    pub parcels: u64,
    /// Bytes of database and write-ahead log.
    pub database_bytes: u64,
}

/// What the engine has done since it started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Activity {
    /// Items queued.
    pub items_queued: u64,
    /// Items acknowledged or expired.
    pub items_deleted: u64,
    /// Sends accepted.
    pub sends: u64,
    /// Transactions committed to disk.
    pub commits: u64,
    /// Times that the disk was waited for; one such wait may serve several transactions.
    pub syncs: u64,
    /// Commands waiting now.
    pub waiting: u64,
    /// Write-ahead log truncations, not counting those without which the log would only have become too long.
    pub checkpoints: u64,
    /// Times that everything undelivered has been written anew, so that nothing deleted is left between.
    pub scrubs: u64,
    /// Whether writes are accepted: false once the disk's reserve is reached or the engine fails.
    pub accepts_sends: bool,
}
