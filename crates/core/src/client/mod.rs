//! The client as the command line, the RPC and tests use it.
//!
//! [`Client`] is a handle: the truth is in the store, the work is done by the driver's tasks. Each file here holds the calls of
//! one subject. What must stay true: a call that changes something has changed the store before it returns, so that a crash
//! right after it loses nothing.

mod calls;
mod events;
mod options;

use std::sync::Arc;

pub use events::EventStream;
pub use options::{
    Clock, ClientOptions, RecoveryPhrase, SendingPace, ServerChoice, SocksProxy, SystemClock,
};

/// An open account. Cheap to clone; the last one dropped stops its tasks.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    events: tokio::sync::broadcast::Sender<crate::Event>,
}
