//! The one thread that writes. It takes what waits, does it in one transaction, waits for the disk, then answers.
//!
//! What must stay true: nothing is answered or handed to a connection before COMMIT has returned; a call either is
//! refused before it writes anything or succeeds whole; when the engine fails in the middle of a batch, the batch is
//! rolled back, the memory forgotten, and each call tried alone, so that one cannot spoil another.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rusqlite::{Connection, Statement};

use super::scrub::Scrub;
use super::state::State;
use super::submit::{Job, Submissions, Taken};
use super::{Shared, engine_error};
use crate::delivery::Ring;
use crate::store::{Day, QueueId, StoreError, StoredItem};

/// Most calls and bytes in one transaction: bounds how long the first of them waits for the last.
const BATCH_CALLS: usize = 4096;
const BATCH_BYTES: usize = 16 << 20;
/// How often expired names and idle sealing keys are looked for.
const UPKEEP_EVERY: Duration = Duration::from_secs(30);
/// How soon a truncation that a reader held up is tried again.
const CHECKPOINT_RETRY: Duration = Duration::from_millis(500);
/// How long a truncation waits for readers, and sends with it. A backup reads for longer than anybody should wait.
const CHECKPOINT_PATIENCE: Duration = Duration::from_millis(20);

/// Why a call was not done.
pub(super) enum Failure {
    /// By the rules, with nothing written.
    Refused(StoreError),
    /// By the engine; the transaction is spoilt.
    Engine(rusqlite::Error),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Engine(error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Refused(error)
    }
}

/// The statements that run for every item, prepared once.
pub(super) struct Hot<'c> {
    pub(super) insert_item: Statement<'c>,
    pub(super) delete_items: Statement<'c>,
    begin: Statement<'c>,
    commit: Statement<'c>,
    rollback: Statement<'c>,
}

/// The writer's side of the store.
pub(super) struct Writer<'c> {
    pub(super) connection: &'c Connection,
    pub(super) shared: &'c Shared,
    pub(super) hot: Hot<'c>,
    pub(super) state: State,
    /// Handed to connections once the transaction is on disk.
    pub(super) fresh: Vec<(Arc<Ring>, StoredItem)>,
    /// The day, and the time, of this batch.
    pub(super) today: Day,
    pub(super) now: Duration,
    /// Whether the disk's reserve has been reached.
    pub(super) full: bool,
    /// A buffer for sealing what goes to nobody who is online.
    pub(super) scratch: Vec<u8>,
    /// Queues and channels with something to write back before COMMIT.
    pub(super) unsaved_queues: Vec<QueueId>,
    pub(super) unsaved_channels: Vec<crate::store::ChannelHash>,
    pub(super) items_queued: u64,
    pub(super) items_deleted: u64,
    pub(super) sends: u64,
    /// Wiping what deletions leave behind.
    pub(super) scrub: Scrub,
    next_upkeep: Duration,
}

/// Runs until the store is closed, then leaves the log empty.
pub(super) fn run(connection: &Connection, shared: &Shared) -> Result<(), StoreError> {
    let submissions: &Submissions = &shared.submissions;
    connection
        .busy_timeout(CHECKPOINT_PATIENCE)
        .map_err(engine_error)?;
    let mut writer = Writer::new(connection, shared).map_err(engine_error)?;
    let mut backlog: VecDeque<Box<dyn Job>> = VecDeque::new();
    let mut truncate_at: Option<Instant> = None;
    loop {
        let patience = match truncate_at {
            _ if !backlog.is_empty() => Duration::ZERO,
            Some(at) => at.saturating_duration_since(Instant::now()),
            None => UPKEEP_EVERY,
        };
        let Taken {
            jobs,
            acks,
            closing,
        } = submissions.take(patience, shared.limits.ack_delay);
        backlog.extend(jobs);
        let worked = writer.batch(&mut backlog, &acks);
        if worked && truncate_at.is_none() {
            truncate_at = Some(Instant::now() + shared.limits.checkpoint_every);
        }
        if truncate_at.is_some_and(|at| at <= Instant::now()) {
            writer.scrub();
            let again_in = if !writer.truncate_log() {
                Some(CHECKPOINT_RETRY)
            } else {
                writer
                    .scrub
                    .is_due()
                    .then_some(shared.limits.checkpoint_every)
            };
            truncate_at = again_in.map(|wait| Instant::now() + wait);
        }
        if closing && backlog.is_empty() {
            writer.scrub();
            writer.truncate_log();
            return Ok(());
        }
    }
}

impl<'c> Writer<'c> {
    fn new(connection: &'c Connection, shared: &'c Shared) -> rusqlite::Result<Self> {
        let hot = Hot {
            insert_item: connection.prepare(
                "INSERT INTO items (queue_id, sequence, key_id, nonce, last_day, sealed) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?,
            delete_items: connection.prepare("DELETE FROM items WHERE queue_id = ?1 AND sequence <= ?2")?,
            begin: connection.prepare("BEGIN IMMEDIATE")?,
            commit: connection.prepare("COMMIT")?,
            rollback: connection.prepare("ROLLBACK")?,
        };
        let mut writer = Self {
            connection,
            shared,
            hot,
            state: State::new(),
            fresh: Vec::new(),
            today: shared.clock.day(),
            now: shared.opened,
            full: false,
            scratch: Vec::new(),
            unsaved_queues: Vec::new(),
            unsaved_channels: Vec::new(),
            items_queued: 0,
            items_deleted: 0,
            sends: 0,
            scrub: Scrub::due(),
            next_upkeep: Duration::ZERO,
        };
        writer.load_grace()?;
        Ok(writer)
    }

    /// Does one batch from the front of the backlog. Answers whether there was anything to do.
    fn batch(
        &mut self,
        backlog: &mut VecDeque<Box<dyn Job>>,
        acks: &HashMap<QueueId, u64>,
    ) -> bool {
        self.today = self.shared.clock.day();
        self.now = self.shared.clock.monotonic();
        let upkeep = self.now >= self.next_upkeep;
        if backlog.is_empty() && acks.is_empty() && !upkeep {
            return false;
        }
        self.probe_disk();
        self.state.trim();
        let mut bytes = 0;
        let mut count = 0;
        while count < BATCH_CALLS && bytes < BATCH_BYTES {
            let Some(job) = backlog.get(count) else { break };
            bytes += job.bytes();
            count += 1;
        }
        let mut jobs: Vec<Box<dyn Job>> = backlog.drain(..count).collect();
        let calls = jobs.len();
        let changes = self.connection.total_changes();
        match self.transact(&mut jobs, acks, upkeep) {
            Ok(()) => {
                self.settle(jobs, Ok(()));
                self.shared
                    .submissions
                    .numbers
                    .broken
                    .store(false, Ordering::Relaxed);
            }
            Err(error) => {
                tracing::warn!(error = %engine_error(error), calls, "batch rolled back, doing its calls one by one");
                self.one_by_one(jobs, acks);
            }
        }
        if upkeep {
            self.next_upkeep = self.now + UPKEEP_EVERY;
        }
        self.shared.submissions.done(calls, bytes);
        self.connection.total_changes() != changes
    }

    fn one_by_one(&mut self, jobs: Vec<Box<dyn Job>>, acks: &HashMap<QueueId, u64>) {
        if !acks.is_empty()
            && let Err(error) = self.transact(&mut [], acks, false)
        {
            tracing::warn!(error = %engine_error(error), "acknowledgements not applied; owners will repeat them");
        }
        let mut broken = false;
        for job in jobs {
            let mut alone = vec![job];
            let committed = self
                .transact(&mut alone, &HashMap::new(), false)
                .map_err(engine_error);
            broken = committed.is_err();
            self.settle(alone, committed);
        }
        self.shared
            .submissions
            .numbers
            .broken
            .store(broken, Ordering::Relaxed);
    }

    /// One transaction, on disk when this returns `Ok`; rolled back and forgotten when it returns an error.
    fn transact(
        &mut self,
        jobs: &mut [Box<dyn Job>],
        acks: &HashMap<QueueId, u64>,
        upkeep: bool,
    ) -> rusqlite::Result<()> {
        let done = self.try_transact(jobs, acks, upkeep);
        if done.is_err() {
            // SQLite may have rolled back by itself; then this fails, as it should.
            let _ = self.hot.rollback.execute([]);
            self.forget();
        }
        done
    }

    fn try_transact(
        &mut self,
        jobs: &mut [Box<dyn Job>],
        acks: &HashMap<QueueId, u64>,
        upkeep: bool,
    ) -> rusqlite::Result<()> {
        self.hot.begin.execute([])?;
        // Acknowledgements first: they make room for what follows.
        for (queue, sequence) in acks {
            self.apply_ack(queue, *sequence)?;
        }
        for job in jobs {
            job.apply(self)?;
        }
        if upkeep {
            self.expire_grace()?;
            self.retire_idle_keys()?;
        }
        self.save_queues()?;
        self.save_channels()?;
        self.hot.commit.execute([])?;
        Ok(())
    }

    /// After COMMIT: hands fresh items to the connections, then answers.
    fn settle(&mut self, jobs: Vec<Box<dyn Job>>, committed: Result<(), StoreError>) {
        let mut to_wake: Vec<Arc<Ring>> = Vec::new();
        for (ring, item) in self.fresh.drain(..) {
            if ring.push(item) {
                to_wake.push(ring);
            }
        }
        for ring in to_wake {
            ring.wake();
        }
        for job in jobs {
            job.finish(committed.clone());
        }
        let numbers = &self.shared.submissions.numbers;
        numbers
            .items_queued
            .fetch_add(std::mem::take(&mut self.items_queued), Ordering::Relaxed);
        numbers
            .items_deleted
            .fetch_add(std::mem::take(&mut self.items_deleted), Ordering::Relaxed);
        numbers
            .sends
            .fetch_add(std::mem::take(&mut self.sends), Ordering::Relaxed);
        numbers
            .commits
            .fetch_add(u64::from(committed.is_ok()), Ordering::Relaxed);
    }

    fn forget(&mut self) {
        self.state = State::new();
        self.fresh.clear();
        self.unsaved_queues.clear();
        self.unsaved_channels.clear();
        self.items_queued = 0;
        self.items_deleted = 0;
        self.sends = 0;
        if let Err(error) = self.load_grace() {
            tracing::warn!(error = %engine_error(error), "renamed addresses could not be read again");
        }
    }

    fn probe_disk(&mut self) {
        // A volume that can't be asked is not taken for a full one: the engine will say so itself.
        self.full = self
            .shared
            .free_space
            .free_bytes()
            .is_ok_and(|free| free < self.shared.limits.disk_reserve);
        self.shared
            .submissions
            .numbers
            .refuses_sends
            .store(self.full, Ordering::Relaxed);
    }

    /// Copies the log back into the database and cuts it to nothing. Answers whether it did.
    fn truncate_log(&mut self) -> bool {
        let busy = self
            .connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| {
                row.get::<_, i64>(0)
            })
            .unwrap_or(1);
        if busy == 0 {
            self.shared
                .submissions
                .numbers
                .checkpoints
                .fetch_add(1, Ordering::Relaxed);
        }
        busy == 0
    }
}
