//! What a connection's methods work on: the open account, and what the connection asked about events.

use std::sync::{Mutex, PoisonError};

use undertone_core::{Client, EventStream};

/// What a connection's methods work on.
pub struct Context {
    /// The open account.
    pub client: Client,
    /// How it reaches the server.
    pub network: Network,
    change: Mutex<Option<Subscription>>,
}

/// How the process that owns the home reaches the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// Whether the server is contacted at all.
    pub online: bool,
}

/// What `events.subscribe` and `events.unsubscribe` ask of the connection.
pub enum Subscription {
    /// Send these from now on.
    Start(EventStream),
    /// Send no more.
    Stop,
}

impl Context {
    /// A connection's context.
    #[must_use]
    pub fn new(client: Client, network: Network) -> Self {
        Self {
            client,
            network,
            change: Mutex::new(None),
        }
    }

    /// What the last request asked about events, once.
    pub fn take_subscription(&self) -> Option<Subscription> {
        self.change
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    pub(super) fn set_subscription(&self, change: Subscription) {
        *self.change.lock().unwrap_or_else(PoisonError::into_inner) = Some(change);
    }
}
