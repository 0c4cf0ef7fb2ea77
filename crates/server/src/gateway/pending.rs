//! Requests that wait for the store, answered in the order in which they came.
//!
//! The store answers a connection's writes in order, a whole commit group at a time, so only the front is ever
//! waited for; when it is there, so are those behind it, and their responses leave in one message. Sends need no
//! allocation of their own here. A barrier holds back the requests behind it until it has taken effect.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};

use undertone_wire::proto::response::Body;
use undertone_wire::{Error, proto};

use super::refuse::refusal;
use crate::admission::credit::{Amount, Redeemed};
use crate::delivery::{Hearing, Inbox};
use crate::store::{Accepted, ChannelHash, QueueId, Reply};

/// Requests of one connection that may wait at once.
pub(super) const PENDING_LIMIT: usize = 1024;

/// Bytes of those requests.
pub(super) const PENDING_BYTES: usize = 8 * 1024 * 1024;

/// What a finished request changes about its session.
pub(super) enum Effect {
    /// Nothing.
    None,
    /// The connection has signed in.
    SignedIn(QueueId, Box<Inbox>),
    /// The connection hears a bell.
    Hears(Box<Hearing>),
    /// Tokens were redeemed: so many fresh ones.
    Redeemed(Redeemed),
    /// A guest of this channel may do so much more.
    Visited(ChannelHash, Amount),
    /// The queue is gone; the connection ends.
    Deleted,
}

/// A finished request.
pub(super) type Outcome = Result<(Body, Effect), Error>;

/// A request that is not a plain send.
pub(super) type Slow = Pin<Box<dyn Future<Output = Outcome> + Send>>;

enum Waiting {
    Send(Reply<Accepted>),
    Slow(Slow),
    Known(Option<Outcome>),
}

struct Entry {
    id: u64,
    bytes: usize,
    barrier: bool,
    waiting: Waiting,
}

/// The requests of one connection that wait.
#[derive(Default)]
pub(super) struct Pending {
    entries: VecDeque<Entry>,
    bytes: usize,
    barriers: usize,
    highest_id: Option<u64>,
}

impl Pending {
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether another request may be looked at.
    pub(super) fn has_room(&self) -> bool {
        self.entries.len() < PENDING_LIMIT && self.bytes < PENDING_BYTES && self.barriers == 0
    }

    /// Notes an id; false if a waiting request has the same.
    pub(super) fn is_new(&mut self, id: u64) -> bool {
        if self.highest_id.is_none_or(|highest| id > highest) {
            self.highest_id = Some(id);
            return true;
        }
        !self.entries.iter().any(|entry| entry.id == id)
    }

    /// A send on its way to the disk.
    pub(super) fn send(&mut self, id: u64, bytes: usize, reply: Reply<Accepted>) {
        self.add(id, bytes, false, Waiting::Send(reply));
    }

    /// Any other request.
    pub(super) fn slow(&mut self, id: u64, bytes: usize, slow: Slow) {
        self.add(id, bytes, false, Waiting::Slow(slow));
    }

    /// A request that those behind it must wait for.
    pub(super) fn barrier(&mut self, id: u64, bytes: usize, slow: Slow) {
        self.add(id, bytes, true, Waiting::Slow(slow));
    }

    /// A request whose answer is known, but whose turn has not come.
    pub(super) fn known(&mut self, id: u64, outcome: Result<Body, Error>) {
        self.add(
            id,
            0,
            false,
            Waiting::Known(Some(outcome.map(|body| (body, Effect::None)))),
        );
    }

    fn add(&mut self, id: u64, bytes: usize, barrier: bool, waiting: Waiting) {
        self.bytes += bytes;
        self.barriers += usize::from(barrier);
        self.entries.push_back(Entry {
            id,
            bytes,
            barrier,
            waiting,
        });
    }

    /// Gives memory back; called when a connection is quiet.
    pub(super) fn shrink(&mut self) {
        if self.entries.is_empty() {
            self.entries = VecDeque::new();
        }
    }

    /// Waits for the next outcome. Dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> (u64, Outcome) {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// The next outcome if it is there already: what was written in one group is answered in one message.
    pub(super) async fn ready(&mut self) -> Option<(u64, Outcome)> {
        poll_fn(|cx| match self.poll_next(cx) {
            Poll::Ready(outcome) => Poll::Ready(Some(outcome)),
            Poll::Pending => Poll::Ready(None),
        })
        .await
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<(u64, Outcome)> {
        let Some(front) = self.entries.front_mut() else {
            return Poll::Pending;
        };
        let outcome = match &mut front.waiting {
            Waiting::Send(reply) => match Pin::new(reply).poll(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(accepted)) => Ok((
                    Body::Accepted(proto::Accepted {
                        number: accepted.number,
                        missed: accepted.missed,
                    }),
                    Effect::None,
                )),
                Poll::Ready(Err(error)) => Err(refusal(&error)),
            },
            Waiting::Slow(slow) => match slow.as_mut().poll(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(outcome) => outcome,
            },
            Waiting::Known(outcome) => outcome
                .take()
                .unwrap_or(Err(Error::new(undertone_wire::Code::Internal))),
        };
        let id = front.id;
        self.bytes -= front.bytes;
        self.barriers -= usize::from(front.barrier);
        self.entries.pop_front();
        Poll::Ready((id, outcome))
    }
}
