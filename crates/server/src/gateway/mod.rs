//! The one port: TLS, HTTP for blobs and health, WebSocket connections for everything else.
//!
//! `listen` opens the port, `accept` owns the connections, `http` routes requests, `hello` begins a WebSocket
//! connection and hands it to `inbox` (signed in, receives) or `outbox` (anonymous, sends). Both are built from `socket`
//! (bytes in and out, framed by `websocket`) and `pending` (requests that wait for the store, in order).
//!
//! What must stay true:
//! - Nothing learnt from a connection is logged, and the peer's address is looked at only to tell loopback.
//! - Every task belongs to the accept loop and ends with it; every queue is bounded; a slow client is dropped.
//! - Writes of one connection reach the store in the order in which they came, many at a time.
//! - No lock and no task per message.

mod accept;
mod blobs;
mod convert;
mod hello;
mod http;
mod inbox;
pub mod listen;
mod outbox;
mod owed_rows;
mod parcels;
mod pending;
mod refuse;
mod socket;
mod stream;
mod websocket;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, Semaphore, watch};
use undertone_wire::ids::Pin;
use undertone_wire::response::Limits;

use crate::admission::bringers::Bringers;
use crate::admission::guests::Guests;
use crate::admission::rate::Rate;
use crate::admission::token_keys::TokenKeys;
use crate::announcements::Announcements;
use crate::config::{Config, Registration};
use crate::delivery::Hub;
use crate::forward::keys::ForwardKeys;
use crate::metrics::Metrics;
use crate::store::blobs::Blobs;
use crate::store::{Clock, Store};

pub use accept::serve;

/// What every connection shares.
pub struct Gateway {
    pub(crate) config: Config,
    pub(crate) pin: Pin,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) hub: Arc<Hub>,
    pub(crate) blobs: Arc<Blobs>,
    pub(crate) tokens: TokenKeys,
    /// What the operator tells everybody.
    pub(crate) announcements: Arc<Announcements>,
    pub(crate) metrics: Metrics,
    pub(crate) clock: Arc<dyn Clock>,
    /// Turns true once, when the server begins to shut down.
    pub(crate) stopping: watch::Receiver<bool>,
    /// Bounds the threads busy with token arithmetic.
    pub(crate) arithmetic: Arc<Semaphore>,
    /// How many temporary queues may be made at present.
    pub(crate) temporary_rate: Rate,
    /// What people of other servers have done today.
    pub(crate) guests: Guests,
    /// What others seal to when something is for this server.
    pub(crate) forward_keys: ForwardKeys,
    /// Told when something has been written for another server.
    pub(crate) parcels_wait: Arc<Notify>,
    /// How often other servers may bring something.
    pub(crate) bringers: Bringers,
}

impl Gateway {
    fn write_timeout(&self) -> Duration {
        Duration::from_secs(u64::from(self.config.limits.write_timeout_s))
    }

    fn idle_timeout(&self) -> Duration {
        Duration::from_secs(u64::from(self.config.limits.idle_timeout_s))
    }

    fn hello_timeout(&self) -> Duration {
        Duration::from_secs(u64::from(self.config.limits.hello_timeout_s))
    }

    /// How long a connection may stay that has neither signed in nor paid, whatever it says: time enough for both by a slow network.
    fn stranger_timeout(&self) -> Duration {
        self.hello_timeout() * 4
    }

    fn registration_is_open(&self) -> bool {
        self.config.registration == Registration::Open
    }

    /// The largest payload of a send, in bytes.
    fn item_bytes(&self) -> usize {
        usize::try_from(self.config.limits.item_kib).unwrap_or(64) * 1024
    }

    /// The most addresses of a send.
    fn addresses_per_send(&self) -> usize {
        usize::try_from(self.config.limits.addresses_per_send)
            .unwrap_or(undertone_wire::limits::ADDRESSES_PER_SEND)
    }

    /// The largest blob, in bytes: that of the largest attachment.
    fn blob_bytes(&self) -> u64 {
        let attachment = self.config.limits.blob_mib << 20;
        undertone_wire::padding::attachment_blob_size(attachment).unwrap_or(u64::MAX)
    }

    /// What one token buys, in bytes.
    fn token_bytes(&self) -> u64 {
        u64::from(self.config.tokens.mib) << 20
    }

    /// What a client is told about limits.
    fn limits(&self) -> Limits {
        use undertone_wire::limits;
        Limits {
            frame_bytes: u32::try_from(limits::FRAME_BYTES).unwrap_or(u32::MAX),
            item_bytes: u32::try_from(self.item_bytes()).unwrap_or(u32::MAX),
            addresses_per_send: self.config.limits.addresses_per_send,
            blob_bytes: self.blob_bytes(),
            item_days: self.config.retention.item_days,
            blob_days: self.config.retention.blob_days,
            token_requests: self.config.tokens.requests,
            token_bytes: self.token_bytes(),
        }
    }
}
