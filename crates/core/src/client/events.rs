//! The stream of events.

use tokio::sync::broadcast::{Receiver, error::RecvError};

use crate::view::Event;

/// Events from when it was made on. They are hints: what a reader shows, it reads from the store.
pub struct EventStream {
    receiver: Receiver<Event>,
}

impl EventStream {
    pub(crate) fn new(receiver: Receiver<Event>) -> Self {
        Self { receiver }
    }

    /// The next event; None when the client is closed. A slow reader gets [`Event::Lagged`] in place of what it missed.
    pub async fn next(&mut self) -> Option<Event> {
        match self.receiver.recv().await {
            Ok(event) => Some(event),
            Err(RecvError::Lagged(_)) => Some(Event::Lagged),
            Err(RecvError::Closed) => None,
        }
    }
}
