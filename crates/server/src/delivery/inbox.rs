//! One signed-in queue's stream of items: from the ring while it keeps up, from the store where it does not.

use std::sync::Arc;

use super::ephemeral::{SealedEphemeral, Sealer};
use super::hub::{Hub, Ring};
use crate::store::{
    FetchLimit, Fetched, KeyId, Position, QueueId, QueueRecord, Reply, SealKey, Store, StoreError,
    StoredItem,
};

/// Most items given at once, so that one busy queue does not hold up its connection's other work.
const ITEMS_AT_ONCE: u32 = 128;
/// Ephemerals that an owner can take ahead.
const MOST_EPHEMERALS: u32 = 64;
/// Most sealed bytes given at once, but for a single item that is longer.
const BYTES_AT_ONCE: usize = 256 * 1024;

/// What goes to the queue's owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pushed {
    /// A sealing key; stands before the first item that needs it and costs no credit.
    SealKey(Arc<SealKey>),
    /// An item; costs one credit.
    Item(StoredItem),
    /// What is never stored; costs one credit of its own.
    Ephemeral(SealedEphemeral),
}

/// Why [`Inbox::next`] came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wake {
    /// There are items.
    Items,
    /// The same queue has signed in elsewhere; nothing more comes here.
    Replaced,
}

/// A queue that is online. Dropping it takes the queue offline.
pub struct Inbox {
    hub: Arc<Hub>,
    store: Arc<dyn Store>,
    queue: QueueId,
    ring: Arc<Ring>,
    next: u64,
    last_key: Option<KeyId>,
    /// A read under way, and the sequence up to which it fills in what the ring lacks.
    fetching: Option<(u64, Reply<Fetched>)>,
    /// How many ephemerals the owner takes now.
    ephemerals: u32,
    sealer: Option<Sealer>,
    /// The owner's present key is being asked for.
    asking: Option<Reply<Option<QueueRecord>>>,
}

impl Inbox {
    /// The owner takes so many more ephemerals, at most [`MOST_EPHEMERALS`] at once.
    pub fn take_ephemerals(&mut self, more: u32) {
        self.ephemerals = self.ephemerals.saturating_add(more).min(MOST_EPHEMERALS);
    }

    /// Seals one ephemeral if there is one and the owner takes it. Answers whether anything was put out.
    async fn ephemeral(&mut self, out: &mut Vec<Pushed>) -> Result<bool, StoreError> {
        if self.ephemerals == 0 || !self.ring.lock().has_ephemerals() {
            return Ok(false);
        }
        if self.sealer.as_ref().is_none_or(Sealer::is_worn) {
            let (store, queue) = (&self.store, self.queue);
            let asking = self.asking.get_or_insert_with(|| store.queue(queue));
            let record = asking.await;
            self.asking = None;
            let record = record?.ok_or(StoreError::UnknownQueue)?;
            let Ok(sealer) = Sealer::new(&self.queue, &record) else {
                // A key that can't be sealed to opens no items either; its owner gets nothing until it is replaced.
                self.ring.lock().pop_ephemeral();
                return Ok(false);
            };
            out.push(Pushed::SealKey(Arc::clone(sealer.row())));
            self.last_key = None;
            self.sealer = Some(sealer);
        }
        let padded = self.ring.lock().pop_ephemeral();
        if let (Some(padded), Some(sealer)) = (padded, &mut self.sealer)
            && let Ok(sealed) = sealer.seal(&self.queue, &padded)
        {
            self.ephemerals -= 1;
            out.push(Pushed::Ephemeral(sealed));
        }
        Ok(!out.is_empty())
    }

    /// Takes the queue online and says where it stands. Call it after the signature has been checked.
    ///
    /// # Errors
    /// [`StoreError::UnknownQueue`], or the store's own.
    pub async fn open(
        store: Arc<dyn Store>,
        hub: &Arc<Hub>,
        queue: QueueId,
    ) -> Result<(Position, Self), StoreError> {
        // Online first: an item queued after this sign-in reaches the ring, one queued before it is in the store.
        let ring = hub.subscribe(queue);
        let mut inbox = Self {
            hub: Arc::clone(hub),
            store,
            queue,
            ring,
            next: 0,
            last_key: None,
            fetching: None,
            ephemerals: 0,
            sealer: None,
            asking: None,
        };
        let position = inbox.store.sign_in(queue).await?;
        inbox.next = position.first_sequence;
        let mut state = inbox.ring.lock();
        state.end = state.end.max(position.next_sequence);
        drop(state);
        Ok((position, inbox))
    }

    /// One past the highest sequence that is on disk, as far as is known here.
    pub(crate) fn end(&self) -> u64 {
        self.ring.lock().end
    }

    /// Waits for items, appends at most `credit` of them to `out`, with the sealing keys that they need. With no
    /// credit it waits for [`Wake::Replaced`] only. Dropping the future loses nothing. `credit` must not be smaller
    /// than at the call before, less what that one gave.
    ///
    /// # Errors
    /// The store's own, when reading.
    pub async fn next(&mut self, credit: u32, out: &mut Vec<Pushed>) -> Result<Wake, StoreError> {
        loop {
            if let Some((target, reply)) = &mut self.fetching {
                let target = *target;
                let fetched = reply.await;
                self.fetching = None;
                if self.take_fetched(fetched?, target, out) {
                    return Ok(Wake::Items);
                }
            }
            if self.ephemeral(out).await? {
                return Ok(Wake::Items);
            }
            match self.take_fresh(credit, out) {
                Step::Done(wake) => return Ok(wake),
                Step::Fetch { target } => {
                    let missing = u32::try_from(target - self.next).unwrap_or(u32::MAX);
                    let limit = FetchLimit {
                        items: credit.min(missing).min(ITEMS_AT_ONCE),
                        bytes: BYTES_AT_ONCE,
                    };
                    self.fetching = Some((target, self.store.fetch(self.queue, self.next, limit)));
                }
                Step::Wait => self.ring.woken().await,
            }
        }
    }

    fn take_fresh(&mut self, credit: u32, out: &mut Vec<Pushed>) -> Step {
        let mut given = 0;
        let mut bytes = 0;
        let ring = Arc::clone(&self.ring);
        let mut state = ring.lock();
        if state.replaced {
            return Step::Done(Wake::Replaced);
        }
        if credit == 0 {
            return Step::Wait;
        }
        // What the store gave already may lie in the ring as well.
        while state
            .items
            .front()
            .is_some_and(|item| item.sequence < self.next)
        {
            state.pop();
        }
        while given < credit.min(ITEMS_AT_ONCE)
            && bytes < BYTES_AT_ONCE
            && state
                .items
                .front()
                .is_some_and(|item| item.sequence == self.next)
        {
            let Some(item) = state.pop() else { break };
            given += 1;
            bytes += item.sealed.len();
            self.give(item, out);
        }
        if given > 0 {
            return Step::Done(Wake::Items);
        }
        let target = match state.items.front() {
            Some(item) => item.sequence,
            None => {
                // Emptied: from here on the ring takes items again, and the store has all that it missed.
                state.overflowed = false;
                state.end
            }
        };
        if self.next < target {
            Step::Fetch { target }
        } else {
            Step::Wait
        }
    }

    /// Answers whether there was anything.
    fn take_fetched(&mut self, fetched: Fetched, target: u64, out: &mut Vec<Pushed>) -> bool {
        let mut filled = fetched.complete;
        let mut any = false;
        for item in fetched.items {
            if item.sequence >= target {
                // Not handed over by the writer yet, so perhaps not on disk either.
                filled = true;
                break;
            }
            if item.sequence >= self.next {
                self.give(item, out);
                any = true;
            }
        }
        if filled {
            // What is not there any more has expired or been acknowledged.
            self.next = self.next.max(target);
        }
        any
    }

    fn give(&mut self, item: StoredItem, out: &mut Vec<Pushed>) {
        self.next = item.sequence + 1;
        if self.last_key != Some(item.key.key_id) {
            self.last_key = Some(item.key.key_id);
            out.push(Pushed::SealKey(Arc::clone(&item.key)));
        }
        out.push(Pushed::Item(item));
    }
}

enum Step {
    Done(Wake),
    Fetch { target: u64 },
    Wait,
}

impl Drop for Inbox {
    fn drop(&mut self) {
        self.hub.unsubscribe(&self.queue, &self.ring);
    }
}
