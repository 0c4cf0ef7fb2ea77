//! What the engine needs of a network, and nothing else.
//!
//! [`crate::net`] implements it over TLS and WebSocket, tests implement it in memory and drop requests and responses.
//! The engine never sees a socket, a certificate or a proxy.
//!
//! What must stay true: one [`Connection`] is one TLS session. An inbox and an outbox connection share nothing that a
//! server could join them by: no session ticket, no proxy credentials.

use std::{future::Future, pin::Pin, sync::Arc};

use bytes::Bytes;
use undertone_wire::{
    forward::ServerKey,
    ids::BlobId,
    request::Request,
    response::{Ephemeral, Item, Notice, Response, SealKey, ServerHello},
    tokens::Token,
};

/// What a connection is for.
pub use undertone_wire::request::Role;

use crate::client::SocksProxy;

/// A boxed future, so that the traits can be used as `dyn`.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Where a server is and what it is known by.
pub use undertone_wire::{
    ids::Pin as PinOfServer,
    origin::{Origin, ServerAddress},
};

/// What an inbox connection is pushed.
#[derive(Clone)]
pub enum Push {
    /// A sealing key, always before the first item that needs it.
    SealKey(SealKey),
    /// An item; it has cost one credit.
    Item(Item),
    /// What was never stored; it has cost one credit for ephemerals.
    Ephemeral(Ephemeral),
    /// The server says something about the connection.
    Notice(Notice),
}

/// Why the network did not do it: the server's refusal, or one of the `connection.*` codes. [`Code::ConnectionLost`] and
/// [`Code::ConnectionTimeout`] leave open whether the request was done.
///
/// [`Code::ConnectionLost`]: undertone_wire::Code::ConnectionLost
/// [`Code::ConnectionTimeout`]: undertone_wire::Code::ConnectionTimeout
pub use undertone_wire::Error as TransportError;

/// How much of a blob the server has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlobState {
    /// Bytes that are there.
    pub offset: u64,
    /// Bytes that it will have.
    pub length: u64,
}

/// Makes connections and moves blobs.
pub trait Transport: Send + Sync + 'static {
    /// From now on new connections go through this proxy; None: straight. Those that are open stay as they are.
    fn use_proxy(&self, _proxy: Option<SocksProxy>) {}

    /// Opens a connection and waits for ServerHello. Refusals (`version.*`) come as their code.
    fn connect<'a>(
        &'a self,
        server: &'a ServerAddress,
        role: Role,
    ) -> BoxFuture<'a, Result<Arc<dyn Connection>, TransportError>>;

    /// The pin that whatever answers at this origin shows, if it holds the key. Whether it is the right one is for somebody else to say.
    fn look_up_pin<'a>(
        &'a self,
        origin: &'a Origin,
    ) -> BoxFuture<'a, Result<PinOfServer, TransportError>>;

    /// The key that what is for this server is sealed to, as it says.
    fn server_key<'a>(
        &'a self,
        server: &'a ServerAddress,
    ) -> BoxFuture<'a, Result<ServerKey, TransportError>>;

    /// Creates a blob of `length` bytes (one of the padded sizes). Idempotent: answers how much is there.
    fn create_blob<'a>(
        &'a self,
        server: &'a ServerAddress,
        id: &'a BlobId,
        length: u64,
        token: &'a Token,
    ) -> BoxFuture<'a, Result<BlobState, TransportError>>;

    /// Appends at `offset`; answers how much is there then.
    fn append_blob<'a>(
        &'a self,
        server: &'a ServerAddress,
        id: &'a BlobId,
        offset: u64,
        bytes: Bytes,
        token: &'a Token,
    ) -> BoxFuture<'a, Result<BlobState, TransportError>>;

    /// How much is there. An unknown blob is refused with `blob.unknown`.
    fn blob_state<'a>(
        &'a self,
        server: &'a ServerAddress,
        id: &'a BlobId,
    ) -> BoxFuture<'a, Result<BlobState, TransportError>>;

    /// Reads exactly `length` bytes from `from` (at most 4 MiB at a time; the blob must be complete).
    fn read_blob<'a>(
        &'a self,
        server: &'a ServerAddress,
        id: &'a BlobId,
        from: u64,
        length: u64,
    ) -> BoxFuture<'a, Result<Bytes, TransportError>>;
}

/// One open connection. Requests may be made from several tasks at once; those made in order on one task are sent in order.
pub trait Connection: Send + Sync + 'static {
    /// What the server said first.
    fn hello(&self) -> &ServerHello;

    /// Sends a request and waits for its response (with the transport's own time limit, then `connection.timeout`).
    /// An Error response comes as its code.
    fn request(&self, request: Request) -> BoxFuture<'_, Result<Response, TransportError>>;

    /// The next push, in the order the server sent them. One task calls it. `connection.lost` when it has ended.
    fn next_push(&self) -> BoxFuture<'_, Result<Push, TransportError>>;

    /// Lets the server push `items` more.
    fn credit(&self, items: u32) -> BoxFuture<'_, Result<(), TransportError>>;

    /// Lets the server push so many more of what is never stored.
    fn ephemeral_credit(&self, more: u32) -> BoxFuture<'_, Result<(), TransportError>>;

    /// Acknowledges all items up to and including `sequence`.
    fn ack(&self, sequence: u64) -> BoxFuture<'_, Result<(), TransportError>>;

    /// Ends it; pending requests end with `connection.lost`.
    fn close(&self);
}
