//! Bells: a connection that holds a queue's bell hears that something came to the queue, and nothing else.
//!
//! The owner, signed in, leaves the hash of a secret; whoever shows the secret later hears. It is for a device that is locked: what it
//! then holds can neither read, nor count, nor acknowledge what waits. All of it is in memory only, so a disk says nothing of it, and a
//! restart ends every bell.
//!
//! What must stay true: a queue has at most one bell, and a bell at most one that hears; setting a bell ends the one before, and who hears
//! it is told; it rings at most once in [`QUIET`], on however many connections, so that it tells neither how much came nor exactly when.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use undertone_wire::ids::sha256;

use super::Hub;
use crate::store::{Day, FetchLimit, QueueId, Store, StoreError};

/// The least time between two rings.
const QUIET: Duration = Duration::from_secs(60);
/// Days until a bell ends that nobody sets anew.
const BELL_DAYS: u32 = 31;

/// All bells of this node.
#[derive(Default)]
pub(super) struct Bells(Mutex<State>);

#[derive(Default)]
struct State {
    bells: HashMap<QueueId, Bell>,
    by_hash: HashMap<[u8; 32], QueueId>,
    /// When it was last looked for bells that ended.
    swept: Day,
}

struct Bell {
    hash: [u8; 32],
    ends: Day,
    /// One past the highest sequence that came.
    came: u64,
    /// One past the highest sequence that was rung for.
    rung: u64,
    /// It does not ring before.
    quiet_until: Instant,
    hearer: Option<Arc<Hearer>>,
}

/// Whoever hears a bell.
#[derive(Default)]
pub(crate) struct Hearer {
    wake: Notify,
    ended: std::sync::atomic::AtomicBool,
}

impl Hearer {
    /// Something is on disk.
    pub(crate) fn ring(&self) {
        self.wake.notify_one();
    }

    fn end(&self) {
        self.ended.store(true, std::sync::atomic::Ordering::Release);
        self.wake.notify_one();
    }

    fn is_ended(&self) -> bool {
        self.ended.load(std::sync::atomic::Ordering::Acquire)
    }
}

impl State {
    fn remove(&mut self, queue: &QueueId) {
        if let Some(bell) = self.bells.remove(queue) {
            self.by_hash.remove(&bell.hash);
            if let Some(hearer) = bell.hearer {
                hearer.end();
            }
        }
    }

    fn sweep(&mut self, today: Day) {
        if self.swept >= today {
            return;
        }
        self.swept = today;
        let over: Vec<QueueId> = self
            .bells
            .iter()
            .filter(|(_, bell)| bell.ends < today)
            .map(|(queue, _)| *queue)
            .collect();
        for queue in over {
            self.remove(&queue);
        }
    }
}

impl Bells {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, queue: QueueId, hash: [u8; 32], next: u64, today: Day) {
        let mut state = self.lock();
        state.sweep(today);
        state.remove(&queue);
        // Nobody finds another's hash by chance; who copies one takes nothing over.
        if state.by_hash.contains_key(&hash) {
            return;
        }
        state.by_hash.insert(hash, queue);
        state.bells.insert(
            queue,
            Bell {
                hash,
                ends: today.plus(BELL_DAYS),
                came: next,
                rung: 0,
                quiet_until: Instant::now(),
                hearer: None,
            },
        );
    }

    /// An item of this sequence is being queued. Answers who is to be told when it is on disk.
    pub(super) fn came(&self, queue: &QueueId, sequence: u64) -> Option<Arc<Hearer>> {
        let mut state = self.lock();
        let bell = state.bells.get_mut(queue)?;
        bell.came = bell.came.max(sequence + 1);
        bell.hearer.clone()
    }

    /// The queue of a bell, who hears it from now on, and from which sequence on nothing was rung for.
    fn hear(&self, hash: &[u8; 32], today: Day) -> Option<(QueueId, Arc<Hearer>, u64)> {
        let mut state = self.lock();
        state.sweep(today);
        let queue = *state.by_hash.get(hash)?;
        let bell = state.bells.get_mut(&queue)?;
        let hearer = Arc::new(Hearer::default());
        if let Some(before) = bell.hearer.replace(Arc::clone(&hearer)) {
            before.end();
        }
        Some((queue, hearer, bell.rung))
    }

    /// When it may ring at the earliest.
    fn quiet_until(&self, queue: &QueueId) -> Option<Instant> {
        Some(self.lock().bells.get(queue)?.quiet_until)
    }

    fn rung(&self, queue: &QueueId, hearer: &Arc<Hearer>) {
        if let Some(bell) = self.lock().bells.get_mut(queue)
            && bell.is_heard_by(hearer)
        {
            bell.rung = bell.came;
            bell.quiet_until = Instant::now() + QUIET;
        }
    }

    fn leave(&self, queue: &QueueId, hearer: &Arc<Hearer>) {
        if let Some(bell) = self.lock().bells.get_mut(queue)
            && bell.is_heard_by(hearer)
        {
            bell.hearer = None;
        }
    }

    fn end(&self, queue: &QueueId) {
        self.lock().remove(queue);
    }
}

impl Bell {
    fn is_heard_by(&self, hearer: &Arc<Hearer>) -> bool {
        self.hearer
            .as_ref()
            .is_some_and(|held| Arc::ptr_eq(held, hearer))
    }
}

impl Hub {
    /// The owner of `queue`, which has given out sequences below `next`, sets its bell.
    pub(crate) fn set_bell(&self, queue: QueueId, hash: [u8; 32], next: u64, today: Day) {
        self.bells.set(queue, hash, next, today);
    }

    /// The queue is gone.
    pub(crate) fn end_bell(&self, queue: &QueueId) {
        self.bells.end(queue);
    }
}

/// What [`Hearing::next`] came back for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// Something came.
    Ring,
    /// The bell is over, or somebody else hears it.
    Over,
}

/// A bell that is heard. Dropping it ends that.
pub struct Hearing {
    hub: Arc<Hub>,
    queue: QueueId,
    hearer: Arc<Hearer>,
    due: bool,
}

impl Hearing {
    /// Hears the bell of `secret`. It is due at once if something waits that it did not ring for. None: there is no such bell.
    ///
    /// # Errors
    /// The store's own.
    pub async fn open(
        store: &dyn Store,
        hub: &Arc<Hub>,
        secret: &[u8],
        today: Day,
    ) -> Result<Option<Self>, StoreError> {
        // Heard first: what comes after the look at the store rings.
        let Some((queue, hearer, from)) = hub.bells.hear(&sha256(secret), today) else {
            return Ok(None);
        };
        let mut hearing = Self {
            hub: Arc::clone(hub),
            queue,
            hearer,
            due: false,
        };
        let one = FetchLimit { items: 1, bytes: 0 };
        hearing.due = !store.fetch(queue, from, one).await?.items.is_empty();
        Ok(Some(hearing))
    }

    /// Waits until it rings. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Heard {
        loop {
            if self.hearer.is_ended() {
                return Heard::Over;
            }
            if !self.due {
                self.hearer.wake.notified().await;
                self.due = true;
                continue;
            }
            // A bell that is gone has ended.
            let quiet_until = self.hub.bells.quiet_until(&self.queue);
            let until = quiet_until.unwrap_or_else(Instant::now);
            tokio::select! {
                () = tokio::time::sleep_until(until) => break,
                () = self.hearer.wake.notified() => {}
            }
        }
        if self.hearer.is_ended() {
            return Heard::Over;
        }
        self.due = false;
        self.hub.bells.rung(&self.queue, &self.hearer);
        Heard::Ring
    }
}

impl Drop for Hearing {
    fn drop(&mut self) {
        self.hub.bells.leave(&self.queue, &self.hearer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TODAY: Day = Day(20_000);

    fn bells() -> (Bells, QueueId) {
        let bells = Bells::default();
        let queue = QueueId::new([1; 16]);
        bells.set(queue, sha256(b"one"), 5, TODAY);
        (bells, queue)
    }

    #[test]
    fn setting_a_bell_ends_the_one_before() {
        let (bells, queue) = bells();
        let (_, hearer, _) = bells.hear(&sha256(b"one"), TODAY).expect("set");
        bells.set(queue, sha256(b"two"), 5, TODAY);
        assert!(hearer.is_ended());
        assert!(bells.hear(&sha256(b"one"), TODAY).is_none());
        assert!(bells.hear(&sha256(b"two"), TODAY).is_some());
        bells.end(&queue);
        assert!(bells.hear(&sha256(b"two"), TODAY).is_none());
    }

    #[test]
    fn one_hears_at_a_time_and_what_was_rung_for_is_known() {
        let (bells, queue) = bells();
        let (_, first, from) = bells.hear(&sha256(b"one"), TODAY).expect("set");
        assert_eq!(from, 0);
        assert!(bells.came(&queue, 7).is_some());
        bells.rung(&queue, &first);
        let (_, second, from) = bells.hear(&sha256(b"one"), TODAY).expect("set");
        assert_eq!(from, 8);
        assert!(first.is_ended() && !second.is_ended());
        bells.leave(&queue, &first);
        assert!(bells.came(&queue, 8).is_some(), "the second one hears");
        bells.leave(&queue, &second);
        assert!(bells.came(&queue, 9).is_none());
    }

    #[test]
    fn a_bell_that_nobody_sets_anew_ends() {
        let (bells, _) = bells();
        assert!(bells.hear(&sha256(b"one"), TODAY.plus(BELL_DAYS)).is_some());
        assert!(
            bells
                .hear(&sha256(b"one"), TODAY.plus(BELL_DAYS + 1))
                .is_none()
        );
    }

    #[test]
    fn a_copied_hash_takes_nothing_over() {
        let (bells, queue) = bells();
        bells.set(QueueId::new([2; 16]), sha256(b"one"), 0, TODAY);
        assert_eq!(bells.hear(&sha256(b"one"), TODAY).expect("set").0, queue);
    }
}
