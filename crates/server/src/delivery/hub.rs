//! Who is online on this node, and the rings that carry fresh items to them.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;

use super::bells::{Bells, Hearer};
use crate::store::{QueueId, StoredItem};

/// What a ring holds of what is never stored.
const EPHEMERALS: usize = 16;

/// How much a ring holds before its inbox has to read from the store.
#[derive(Debug, Clone, Copy)]
pub struct RingLimits {
    /// Items.
    pub items: usize,
    /// Bytes of sealed data.
    pub bytes: usize,
}

impl Default for RingLimits {
    fn default() -> Self {
        Self {
            items: 1024,
            bytes: 1 << 20,
        }
    }
}

/// The queues that are online on this node.
pub struct Hub {
    limits: RingLimits,
    rings: Mutex<HashMap<QueueId, Arc<Ring>>>,
    pub(super) bells: Bells,
}

impl Hub {
    /// A hub with nobody online.
    #[must_use]
    pub fn new(limits: RingLimits) -> Arc<Self> {
        Arc::new(Self {
            limits,
            rings: Mutex::new(HashMap::new()),
            bells: Bells::default(),
        })
    }

    /// How many queues are online here.
    #[must_use]
    pub fn online(&self) -> usize {
        lock(&self.rings).len()
    }

    /// The ring of a queue, if it is online.
    pub(crate) fn ring(&self, queue: &QueueId) -> Option<Arc<Ring>> {
        lock(&self.rings).get(queue).cloned()
    }

    /// An item of this sequence is being queued: who hears the queue's bell, if anybody does.
    pub(crate) fn bell(&self, queue: &QueueId, sequence: u64) -> Option<Arc<Hearer>> {
        self.bells.came(queue, sequence)
    }

    /// Takes a queue online. Whoever had it online before is told that it was replaced.
    pub(crate) fn subscribe(&self, queue: QueueId) -> Arc<Ring> {
        let ring = Arc::new(Ring {
            limits: self.limits,
            state: Mutex::new(RingState::default()),
            wake: Notify::new(),
        });
        let before = lock(&self.rings).insert(queue, Arc::clone(&ring));
        if let Some(before) = before {
            before.lock().replaced = true;
            before.wake.notify_one();
        }
        ring
    }

    /// Takes a queue offline, unless somebody else has taken it over.
    pub(crate) fn unsubscribe(&self, queue: &QueueId, ring: &Arc<Ring>) {
        let mut rings = lock(&self.rings);
        if rings.get(queue).is_some_and(|held| Arc::ptr_eq(held, ring)) {
            rings.remove(queue);
        }
    }
}

/// Fresh items of one online queue.
pub(crate) struct Ring {
    limits: RingLimits,
    state: Mutex<RingState>,
    wake: Notify,
}

/// Holds a run of items without gaps. Once it has overflowed it takes no more until its inbox has emptied it and
/// turned to the store for what is missing.
#[derive(Default)]
pub(crate) struct RingState {
    pub(crate) items: VecDeque<StoredItem>,
    bytes: usize,
    pub(crate) overflowed: bool,
    /// One past the highest sequence that is on disk, as far as told.
    pub(crate) end: u64,
    pub(crate) replaced: bool,
    wake_due: bool,
    /// Padded, not sealed yet: what is never stored waits here for the owner's credit, the oldest goes first.
    ephemerals: VecDeque<Bytes>,
}

impl RingState {
    /// Takes the first item out.
    pub(crate) fn pop(&mut self) -> Option<StoredItem> {
        let item = self.items.pop_front()?;
        self.bytes = self.bytes.saturating_sub(item.sealed.len());
        Some(item)
    }
}

impl RingState {
    /// Takes the first ephemeral out.
    pub(crate) fn pop_ephemeral(&mut self) -> Option<Bytes> {
        self.ephemerals.pop_front()
    }

    pub(crate) fn has_ephemerals(&self) -> bool {
        !self.ephemerals.is_empty()
    }
}

impl Ring {
    /// Hands over what is never stored. An owner who does not take it in time loses the oldest.
    pub(crate) fn push_ephemeral(&self, padded: Bytes) {
        let mut state = self.lock();
        while state.ephemerals.len() >= EPHEMERALS {
            state.ephemerals.pop_front();
        }
        state.ephemerals.push_back(padded);
        drop(state);
        self.wake.notify_one();
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, RingState> {
        lock(&self.state)
    }

    /// Hands over an item whose transaction is on disk. Answers whether the caller should call [`Ring::wake`] when it
    /// has handed over the rest of its batch.
    pub(crate) fn push(&self, item: StoredItem) -> bool {
        let mut state = self.lock();
        state.end = state.end.max(item.sequence + 1);
        let length = item.sealed.len();
        if state.overflowed
            || state.items.len() >= self.limits.items
            || (!state.items.is_empty() && state.bytes + length > self.limits.bytes)
        {
            state.overflowed = true;
        } else {
            state.bytes += length;
            state.items.push_back(item);
        }
        !std::mem::replace(&mut state.wake_due, true)
    }

    /// Wakes the inbox.
    pub(crate) fn wake(&self) {
        self.lock().wake_due = false;
        self.wake.notify_one();
    }

    /// Resolves after a [`Ring::wake`] that has not been waited for yet.
    pub(crate) async fn woken(&self) {
        self.wake.notified().await;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
