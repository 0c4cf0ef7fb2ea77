//! Bells: a connection that holds a queue's bell hears that something came to the queue, and nothing else.
//!
//! The owner, signed in, leaves the hash of a secret; whoever shows the secret later hears. It is for a device that is locked: what it
//! then holds can neither read, nor count, nor acknowledge what waits. The hash is stored beside the queue, with up to where it has been rung
//! ([`Place`]), so that a restart ends no bell and rings for nothing twice; who hears, and when it rang, is in memory only.
//!
//! What must stay true: a queue has at most one bell, and a bell at most one that hears; setting a bell ends the one before, and who hears
//! it is told; it rings at most once in [`QUIET`], on however many connections, so that it tells neither how much came nor exactly when.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use undertone_wire::ids::{random_bytes, sha256};

use super::Hub;
use super::bell_place::Place;
use crate::store::{Day, QueueId, Store, StoreError, StoredBell};

/// The least time between two rings.
const QUIET: Duration = Duration::from_secs(60);
/// Days until a bell ends that nobody sets anew.
const BELL_DAYS: u32 = 31;

/// The bells of this node that were set or heard since it was started.
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

    fn insert(&mut self, queue: QueueId, bell: Bell) {
        self.by_hash.insert(bell.hash, queue);
        self.bells.insert(queue, bell);
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

    fn set(&self, queue: QueueId, hash: [u8; 32], next: u64, ends: Day) {
        let mut state = self.lock();
        state.remove(&queue);
        state.insert(queue, Bell::new(hash, ends, next, 0));
    }

    /// Whether setting this one would change nothing.
    fn is_as_set(&self, queue: &QueueId, hash: &[u8; 32], ends: Day) -> bool {
        self.lock().bells.get(queue).is_some_and(|bell| {
            bell.hash == *hash && bell.ends == ends && bell.rung == 0 && bell.hearer.is_none()
        })
    }

    /// One that was set before this node was started. It changes nothing if the queue has another by now.
    fn load(&self, queue: QueueId, stored: &StoredBell, rung: u64) {
        let mut state = self.lock();
        if !state.bells.contains_key(&queue) {
            let bell = Bell::new(stored.hash, stored.last_day, rung, rung);
            state.insert(queue, bell);
        }
    }

    /// Everything below `next` has come.
    fn came_up_to(&self, queue: &QueueId, next: u64) {
        if let Some(bell) = self.lock().bells.get_mut(queue) {
            bell.came = bell.came.max(next);
        }
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

    /// It rings. Answers up to where it has been rung now.
    fn rung(&self, queue: &QueueId, hearer: &Arc<Hearer>) -> Option<u64> {
        let mut state = self.lock();
        let bell = state.bells.get_mut(queue)?;
        if !bell.is_heard_by(hearer) {
            return None;
        }
        bell.rung = bell.came;
        bell.quiet_until = Instant::now() + QUIET;
        Some(bell.rung)
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
    fn new(hash: [u8; 32], ends: Day, came: u64, rung: u64) -> Self {
        Self {
            hash,
            ends,
            came,
            rung,
            quiet_until: Instant::now(),
            hearer: None,
        }
    }

    fn is_heard_by(&self, hearer: &Arc<Hearer>) -> bool {
        self.hearer
            .as_ref()
            .is_some_and(|held| Arc::ptr_eq(held, hearer))
    }
}

impl Hub {
    /// The owner of `queue`, which has given out sequences below `next`, sets its bell. It is on its way to the disk when this returns,
    /// and set when the future resolves. A hash that another queue's bell has is passed over.
    ///
    /// # Errors
    /// [`StoreError::UnknownQueue`], or the store's own.
    pub(crate) fn set_bell(
        self: &Arc<Self>,
        store: &dyn Store,
        queue: QueueId,
        hash: [u8; 32],
        next: u64,
        today: Day,
    ) -> impl Future<Output = Result<(), StoreError>> + Send + 'static + use<> {
        self.bells.lock().sweep(today);
        let hub = Arc::clone(self);
        let bell = StoredBell {
            hash,
            last_day: today.plus(BELL_DAYS),
            rung: random_bytes(),
        };
        let setting = (!hub.bells.is_as_set(&queue, &hash, bell.last_day))
            .then(|| store.set_bell(queue, bell));
        async move {
            let Some(setting) = setting else {
                return Ok(());
            };
            if setting.await? {
                hub.bells.set(queue, hash, next, bell.last_day);
            }
            Ok(())
        }
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
    store: Arc<dyn Store>,
    hub: Arc<Hub>,
    hash: [u8; 32],
    queue: QueueId,
    hearer: Arc<Hearer>,
    /// None: what it rings for is not written down, and rung for another time after a restart.
    place: Option<Place>,
    /// Up to where it rang, as long as that has not gone out.
    untold: Option<u64>,
    due: bool,
}

impl Hearing {
    /// Hears the bell of `secret`. It is due at once if something waits that it did not ring for. None: there is no such bell.
    ///
    /// # Errors
    /// The store's own.
    pub async fn open(
        store: &Arc<dyn Store>,
        hub: &Arc<Hub>,
        secret: &[u8],
        today: Day,
    ) -> Result<Option<Self>, StoreError> {
        let hash = sha256(secret);
        let mut heard = hub.bells.hear(&hash, today);
        if heard.is_none() {
            let Some((queue, stored)) = store.bell(hash).await? else {
                return Ok(None);
            };
            if stored.last_day < today {
                return Ok(None);
            }
            let place = Place::new(secret, queue).ok();
            let rung = place.and_then(|place| place.open(&stored.rung));
            hub.bells.load(queue, &stored, rung.unwrap_or(0));
            heard = hub.bells.hear(&hash, today);
        }
        let Some((queue, hearer, from)) = heard else {
            return Ok(None);
        };
        let mut hearing = Self {
            store: Arc::clone(store),
            hub: Arc::clone(hub),
            hash,
            queue,
            hearer,
            place: Place::new(secret, queue).ok(),
            untold: None,
            due: false,
        };
        // Heard first: what comes after the look at the store rings.
        if let Some(newest) = store.newest(queue).await? {
            hearing.due = newest >= from;
            hub.bells.came_up_to(&queue, newest + 1);
        }
        Ok(Some(hearing))
    }

    /// The ring has gone out: after a restart it does not ring for the same again. If the server ends before, it does: better twice than never.
    pub fn told(&mut self) {
        if let Some(rung) = self.untold.take()
            && let Some(place) = &self.place
            && let Ok(sealed) = place.seal(rung)
        {
            // Nobody waits for it.
            drop(self.store.bell_rung(self.hash, sealed));
        }
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
        self.untold = self.hub.bells.rung(&self.queue, &self.hearer);
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
        bells.set(queue, sha256(b"one"), 5, TODAY.plus(BELL_DAYS));
        (bells, queue)
    }

    #[test]
    fn setting_a_bell_ends_the_one_before() {
        let (bells, queue) = bells();
        let (_, hearer, _) = bells.hear(&sha256(b"one"), TODAY).expect("set");
        bells.set(queue, sha256(b"two"), 5, TODAY);
        assert!(bells.is_as_set(&queue, &sha256(b"two"), TODAY));
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
    fn one_that_was_set_anew_meanwhile_is_not_loaded() {
        let (bells, queue) = bells();
        let before = StoredBell {
            hash: sha256(b"before"),
            last_day: TODAY,
            rung: random_bytes(),
        };
        bells.load(queue, &before, 3);
        assert!(bells.hear(&before.hash, TODAY).is_none());
        bells.end(&queue);
        bells.load(queue, &before, 3);
        assert_eq!(bells.hear(&before.hash, TODAY).expect("loaded").2, 3);
    }
}
