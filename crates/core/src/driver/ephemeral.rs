//! What is said for a moment: it waits in memory for the outbox connection, at most a few seconds, and is forgotten.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use undertone_wire::{request::Request, request::SendEphemeral, secrets::AddressSecret};

use super::{
    Shared,
    outbox::{Line, ask},
};
use crate::error::Result;

/// What may wait; the oldest goes first.
const WAITING: usize = 8;
/// How long one is worth sending.
const LIFE: Duration = Duration::from_secs(4);

/// What waits.
#[derive(Default)]
pub(crate) struct Ephemerals(Mutex<VecDeque<(Instant, SendEphemeral)>>);

impl Ephemerals {
    /// Puts one in.
    pub(crate) fn push(&self, send: SendEphemeral) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while waiting.len() >= WAITING {
            waiting.pop_front();
        }
        waiting.push_back((Instant::now(), send));
    }

    /// Takes out those that are still worth it.
    pub(super) fn take(&self) -> Vec<SendEphemeral> {
        let waiting = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        waiting
            .into_iter()
            .filter(|(since, _)| since.elapsed() < LIFE)
            .map(|(_, send)| send)
            .collect()
    }
}

/// Sends them. What the server answers is of no interest, unless the connection is gone.
pub(super) async fn send(
    shared: &std::sync::Arc<Shared>,
    line: &Line,
    sends: Vec<SendEphemeral>,
) -> Result<()> {
    for send in sends {
        let again = || {
            Ok(Request::SendEphemeral(SendEphemeral {
                epoch: send.epoch,
                payload: send.payload.clone(),
                addresses: send
                    .addresses
                    .iter()
                    .map(AddressSecret::duplicate)
                    .collect(),
            }))
        };
        if let Err(refused) = ask(shared, line, again).await? {
            tracing::debug!(
                code = refused.code.as_str(),
                "something for a moment was not taken"
            );
        }
    }
    Ok(())
}
