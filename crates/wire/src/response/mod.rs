//! What a server sends, as types that cannot be wrong.
//!
//! An app calls [`FromServer::parse`] on every frame: a hostile server's answer becomes one of these or
//! `response.malformed`. A server builds the same types and calls their `to_proto`.

mod encode;
mod missed;
mod parse;

use bytes::Bytes;

pub use encode::response;
pub use missed::Missed;

use crate::{
    Result,
    ids::{AddressHash, BlobHash, ChannelHash, Incarnation, KeyId, Pin, TokenKeyId, sha256},
};

/// One frame from a server.
#[derive(Debug)]
pub enum FromServer {
    /// Answers ClientHello.
    Hello(ServerHello),
    /// Answers a request; id 0 with an error refuses the hello.
    Response {
        /// The request's.
        id: u64,
        /// What came of it.
        outcome: Result<Response>,
    },
    /// A sealing key, before the first item that needs it.
    SealKey(SealKey),
    /// A queued item; costs one credit.
    Item(Item),
    /// What is never stored; costs one credit for ephemerals.
    Ephemeral(Ephemeral),
    /// The connection is about to close, and why.
    Notice(Notice),
    /// A kind of frame from a newer server; to be skipped.
    Unknown,
}

/// What a server says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerHello {
    /// The version spoken from here on.
    pub version: u32,
    /// To be signed when signing in.
    pub challenge: [u8; 32],
    /// The server's clock, Unix seconds, rounded to a minute.
    pub time_s: u64,
    /// What the server allows; never above this crate's own ceilings after parsing.
    pub limits: Limits,
    /// Newest first; at most four.
    pub token_keys: Vec<TokenKey>,
    /// Whether one may register without an invitation.
    pub registration_open: bool,
}

/// What a server allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Largest frame.
    pub frame_bytes: u32,
    /// Largest payload of a send.
    pub item_bytes: u32,
    /// Most addresses of a send.
    pub addresses_per_send: u32,
    /// Largest blob.
    pub blob_bytes: u64,
    /// Days an undelivered item is kept.
    pub item_days: u32,
    /// Days a blob is kept.
    pub blob_days: u32,
    /// Requests one token buys.
    pub token_requests: u32,
    /// Bytes one token buys.
    pub token_bytes: u64,
}

/// A public key of the server's blind tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenKey {
    /// First 8 bytes of SHA-256 over a label and the public key.
    pub id: TokenKeyId,
    /// Ristretto255 element.
    pub public_key: [u8; 32],
    /// Its tokens are issued to temporary queues and buy little. The owner of any other queue takes none of it: it would be told from the rest.
    pub temporary: bool,
}

impl TokenKey {
    /// The id that belongs to a public key: it follows from it, so two keys cannot share one.
    pub fn id_of(public_key: &[u8; 32]) -> TokenKeyId {
        let digest = sha256(&[b"undertone/1 token key".as_slice(), public_key].concat());
        let mut id = [0u8; TokenKeyId::LEN];
        id.copy_from_slice(&digest[..TokenKeyId::LEN]);
        TokenKeyId::new(id)
    }
}

/// What answers a request that went well.
#[derive(Debug, PartialEq, Eq)]
pub enum Response {
    /// It is done.
    Done,
    /// RegisterQueue and SignIn.
    SignedIn(SignedIn),
    /// PublishKeyPackages: one-time packages now in the pool.
    KeyPackageCount(u32),
    /// IssueTokens.
    IssuedTokens(IssuedTokens),
    /// RedeemTokens: what the connection may still use.
    TokenCredit(TokenCredit),
    /// TakeKeyPackages, in the order asked; None: unknown address or empty pool.
    TakenKeyPackages(Vec<Option<TakenKeyPackage>>),
    /// Every kind of send.
    Accepted(Accepted),
}

/// Where a queue stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedIn {
    /// Changes when the server is restored from a backup.
    pub incarnation: Incarnation,
    /// Lowest sequence still held, or `next_sequence` if none.
    pub first_sequence: u64,
    /// What the next item will have.
    pub next_sequence: u64,
    /// Blind tokens that may still be issued today.
    pub tokens_left: u32,
    /// UTC day on which the queue's HPKE key was set.
    pub hpke_key_day: u32,
}

/// A batch of evaluated elements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuedTokens {
    /// The key they were evaluated under.
    pub key_id: TokenKeyId,
    /// In the order asked.
    pub evaluated: Vec<[u8; 32]>,
    /// One proof for the batch, 64 bytes.
    pub proof: Bytes,
}

/// What an outbox connection may still use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenCredit {
    /// Requests.
    pub requests_left: u64,
    /// Bytes.
    pub bytes_left: u64,
}

/// One key package out of a pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakenKeyPackage {
    /// 4,096 bytes. See [`crate::seal::open_key_package`].
    pub sealed: Bytes,
    /// It stays in the pool and others may be given it too.
    pub last_resort: bool,
}

/// A send is on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The channel's number; 0 for Send.
    pub number: u64,
    /// The addresses it did not reach.
    pub missed: Missed,
}

/// A sealing key, sealed for its queue's owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealKey {
    /// Names it.
    pub key_id: KeyId,
    /// HPKE encapsulation, 1,120 bytes.
    pub enc: Bytes,
    /// HPKE ciphertext of the key, 48 bytes.
    pub sealed: Bytes,
    /// Which of the owner's HPKE keys opens it.
    pub hpke_key_day: u32,
}

/// A sealed item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Its place in the queue.
    pub sequence: u64,
    /// The key that opens it.
    pub key_id: KeyId,
    /// The counter of its nonce.
    pub nonce: u64,
    /// One of the item classes, and the tag.
    pub sealed: Bytes,
}

/// A sealed payload that was never stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ephemeral {
    /// The key that opens it.
    pub key_id: KeyId,
    /// The counter of its nonce.
    pub nonce: u64,
    /// One of the item classes, and the tag.
    pub sealed: Bytes,
}

/// What an item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ItemKind {
    /// Send: Welcome, link and resync messages.
    Direct,
    /// ChannelSend.
    Application,
    /// ChannelCommit.
    Commit,
    /// ChannelControl.
    Control,
    /// SendEphemeral.
    Ephemeral,
}

/// What a sealed item opens to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueItem {
    /// The address it came to (its current name).
    pub address: AddressHash,
    /// What it is.
    pub kind: ItemKind,
    /// The channel's number; 0 for [`ItemKind::Direct`] and [`ItemKind::Ephemeral`].
    pub number: u64,
    /// The epoch it was accepted at.
    pub epoch: u64,
    /// Commits only, and always there.
    pub next_lock: Option<[u8; 32]>,
    /// The channel it came by, so that nobody's own channel is taken for the conversation's. None for [`ItemKind::Direct`] and
    /// [`ItemKind::Ephemeral`] only.
    pub channel: Option<ChannelHash>,
    /// At most 64 KiB.
    pub payload: Bytes,
    /// The blob that its sender named: the server has seen that it is whole, and keeps it as long as the item at least.
    pub blob: Option<BlobHash>,
    /// The other server that brought it and vouches for the fields above; None: this one.
    pub server: Option<Pin>,
}

/// Something that the operator of a server tells everybody there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// Names it.
    pub id: [u8; 16],
    /// Plain text, at most [`limits::ANNOUNCEMENT_BYTES`](crate::limits::ANNOUNCEMENT_BYTES) bytes; whatever its sender liked.
    pub text: String,
    /// UTC day on which it was made, as the server says.
    pub day: u32,
    /// The last UTC day on which it is shown.
    pub until_day: u32,
}

/// What a server says without being asked. The first two mean that it is about to close.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The same queue signed in elsewhere.
    Replaced,
    /// The server is shutting down.
    ShuttingDown {
        /// Seconds to wait; 0: no hint.
        retry_after_s: u32,
    },
    /// Inbox only: from here on ServerHello shows these token keys.
    TokenKeysChanged(Vec<TokenKey>),
    /// Inbox only: what the operator announces now, in the place of what was said before.
    Announcements(Vec<Announcement>),
    /// Something came to the queue whose bell is heard here.
    Bell,
}
