//! [`Engine`]: the store, who we are, and the way to run a transaction.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use tokio::sync::{broadcast, watch};
use undertone_mls::{Group, GroupId, Provider};

use super::{Work, account::Me, change::Change, clock, resync};
use crate::{
    attachments::Attachments,
    client::{Clock, SendingPace},
    error::{Reason, Result},
    store::{Database, Snapshot},
    view::Event,
};

/// Groups kept in memory between transactions.
const GROUPS_KEPT: usize = 64;
/// Wishes that came to nothing, kept for whoever waits for them.
const VOIDED_KEPT: usize = 256;
/// Events a slow watcher may fall behind.
const EVENTS_KEPT: usize = 1024;

struct InFlight {
    count: usize,
    closed: bool,
}

/// One piece of work; given back when it ends, also by a panic.
struct InFlightToken(Arc<Engine>);

impl InFlightToken {
    fn take(engine: &Arc<Engine>) -> Result<Self> {
        let mut in_flight = lock(&engine.in_flight);
        if in_flight.closed {
            return Err(Reason::Closed.into());
        }
        in_flight.count += 1;
        Ok(Self(Arc::clone(engine)))
    }
}

impl Drop for InFlightToken {
    fn drop(&mut self) {
        lock(&self.0.in_flight).count -= 1;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The open account without a network. All calls block.
pub(crate) struct Engine {
    pub(crate) database: Database,
    pub(crate) attachments: Attachments,
    pub(crate) me: Me,
    pub(crate) clock: Arc<dyn Clock>,
    ages: OnceLock<i64>,
    /// How far the clock was ahead of the one that nobody sets, at the last transaction of this run.
    ahead_ms: Mutex<Option<i64>>,
    pub(crate) pace: SendingPace,
    inline_max: usize,
    pub(crate) events: broadcast::Sender<Event>,
    /// Counts the times that there may be something new to do.
    pub(crate) duties: watch::Sender<u64>,
    /// Work on the store's threads that has not ended; no more once it is closed.
    in_flight: Mutex<InFlight>,
    /// Taken for the length of a write, so that what is in memory is what is on disk.
    groups: Mutex<HashMap<GroupId, Group>>,
    /// Wishes (intents.id) of this run that came to nothing, and why.
    voided: Mutex<BTreeMap<i64, Reason>>,
}

impl Engine {
    pub(crate) fn new(
        database: Database,
        attachments: Attachments,
        me: Me,
        clock: Arc<dyn Clock>,
        pace: SendingPace,
        inline_max: usize,
    ) -> Self {
        Self {
            database,
            attachments,
            me,
            clock,
            ages: OnceLock::new(),
            ahead_ms: Mutex::new(None),
            pace,
            inline_max,
            events: broadcast::channel(EVENTS_KEPT).0,
            duties: watch::channel(0).0,
            in_flight: Mutex::new(InFlight {
                count: 0,
                closed: false,
            }),
            groups: Mutex::new(HashMap::new()),
            voided: Mutex::new(BTreeMap::new()),
        }
    }

    /// Runs `work` off the async threads. Cancelling the future does not cancel the work; [`Engine::close`] waits for it.
    pub(crate) async fn blocking<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let token = InFlightToken::take(self)?;
        tokio::task::spawn_blocking(move || work(&token.0))
            .await
            .map_err(|_| Reason::Closed)?
    }

    /// Refuses new work and waits for what is under way: a process must not end while a thread is inside the store.
    pub(crate) async fn close(&self) {
        lock(&self.in_flight).closed = true;
        while lock(&self.in_flight).count > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Runs one event as one transaction. If it fails nothing has changed, but that a group may have been found lost, and help is asked for.
    pub(crate) fn write<T>(&self, event: impl FnOnce(&Work<'_>) -> Result<T>) -> Result<T> {
        let (value, lost) = self.transact(event)?;
        if let Some(group) = lost {
            self.transact(|work| resync::state_lost(work, &group))?.0?;
        }
        value
    }

    /// What came of the event, and a group that it found to be lost. An error of its own: it did not come to the event.
    fn transact<T>(
        &self,
        event: impl FnOnce(&Work<'_>) -> Result<T>,
    ) -> Result<(Result<T>, Option<GroupId>)> {
        let mut kept = lock(&self.groups);
        let mut known_ahead_ms = lock(&self.ahead_ms);
        let transaction = self.database.begin()?;
        let (now_ms, steady_ms) = (self.clock.now_ms(), self.clock.steady_ms());
        let ahead_ms = now_ms.saturating_sub(steady_ms);
        let work = Work {
            tx: &transaction,
            db: transaction.connection(),
            mls: Provider::new(transaction.connection()),
            attachments: &self.attachments,
            me: &self.me,
            now_ms,
            steady_ms,
            set_by_ms: known_ahead_ms.map_or(0, |known| ahead_ms.saturating_sub(known)),
            ages: &self.ages,
            pace: &self.pace,
            inline_max: self.inline_max,
            groups: RefCell::new(std::mem::take(&mut *kept)),
            changes: RefCell::new(Vec::new()),
            duties: Cell::new(false),
            voided: RefCell::new(Vec::new()),
            recertified: RefCell::new(None),
            renamed: RefCell::new(None),
            lost: Cell::new(None),
        };
        // First, since a clock that ran ahead may be put right before anything else looks at it.
        clock::tick(&work)?;
        let outcome = event(&work);
        let lost = work.lost.get();
        let value = match outcome {
            Ok(value) => value,
            Err(error) => return Ok((Err(error), lost)),
        };
        let Work {
            groups,
            changes,
            duties,
            voided,
            recertified,
            renamed,
            ..
        } = work;
        // Before anybody can see that the wishes are gone from the store.
        let voided = voided.into_inner();
        self.note_voided(&voided);
        if let Err(error) = transaction.commit() {
            for (wish, _) in &voided {
                self.take_voided(*wish);
            }
            return Err(error.into());
        }
        *known_ahead_ms = Some(ahead_ms);
        if let Some(keys) = recertified.into_inner() {
            self.me.set_keys(keys);
        }
        if let Some(name) = renamed.into_inner() {
            self.me.set_name(name);
        }
        let groups = groups.into_inner();
        if groups.len() <= GROUPS_KEPT {
            *kept = groups;
        }
        drop((kept, known_ahead_ms));
        if duties.get() {
            self.duties.send_modify(|count| *count += 1);
        }
        self.tell(&changes.into_inner());
        Ok((Ok(value), lost))
    }

    fn note_voided(&self, wishes: &[(i64, Reason)]) {
        let mut voided = lock(&self.voided);
        voided.extend(wishes.iter().copied());
        while voided.len() > VOIDED_KEPT {
            voided.pop_first();
        }
    }

    /// Why a wish (intents.id) that is gone came to nothing; None if it was fulfilled.
    pub(crate) fn take_voided(&self, wish: i64) -> Option<Reason> {
        lock(&self.voided).remove(&wish)
    }

    /// Reads one moment of the store.
    pub(crate) fn read<T>(&self, view: impl FnOnce(&Snapshot<'_>) -> Result<T>) -> Result<T> {
        view(&self.database.snapshot()?)
    }

    fn tell(&self, changes: &[Change]) {
        if changes.is_empty() || self.events.receiver_count() == 0 {
            return;
        }
        let events = self.read(|snapshot| {
            Ok(changes
                .iter()
                .filter_map(|change| crate::query::event(snapshot.connection(), &self.me, *change))
                .collect::<Vec<_>>())
        });
        match events {
            Ok(events) => {
                for event in events {
                    // No watcher is no fault.
                    let _ = self.events.send(event);
                }
            }
            Err(_) => {
                let _ = self.events.send(Event::Lagged);
            }
        }
    }
}
