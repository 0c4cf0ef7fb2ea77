//! The one thread that writes. It takes what waits and does it in one transaction, which [`commit`](super::commit) answers
//! when the disk has it.
//!
//! What must stay true: nothing is answered or handed to a connection but through [`Syncer`]; a call either is
//! refused before it writes anything or succeeds whole; when the engine fails in the middle of a batch, the batch is
//! rolled back, the memory forgotten, and each call tried alone, so that one cannot spoil another.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rusqlite::{Connection, Statement};

use super::checkpoint::{self, Copier, Rounds};
use super::commit::{Committed, Syncer, Tally};
use super::erase;
use super::scrub::Scrub;
use super::state::State;
use super::submit::{Job, Submissions};
use super::{Shared, engine_error};
use crate::delivery::{Hearer, Ring};
use crate::store::{Day, QueueId, StoreError, StoredItem};

/// Most calls and bytes in one transaction, and the time after which no further call is begun in it: bounds how long the first of
/// them waits for the last, whatever they turn out to cost.
const BATCH_CALLS: usize = 4096;
const BATCH_BYTES: usize = 16 << 20;
const BATCH_TIME: Duration = Duration::from_millis(100);
/// How often expired names and idle sealing keys are looked for.
const UPKEEP_EVERY: Duration = Duration::from_secs(30);
/// An eighth of the last batch's time is spent on waiting for company, if that is at least the one and at most the other.
const WORTH_GATHERING: Duration = Duration::from_millis(1);
const LONGEST_GATHERING: Duration = Duration::from_millis(6);

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
    syncer: Syncer,
    /// Handed to connections once the transaction is on disk.
    pub(super) fresh: Vec<(Arc<Ring>, StoredItem)>,
    /// Rung then.
    pub(super) bells: Vec<Arc<Hearer>>,
    /// The day, and the time, of this batch.
    pub(super) today: Day,
    pub(super) now: Duration,
    /// Whether the disk's reserve has been reached.
    pub(super) full: bool,
    /// Free bytes on the volume when this batch began, less what it has written since.
    left: u64,
    /// Sealed, but not in the table yet; see [`Writer::write_items`].
    pub(super) unwritten: Vec<(QueueId, StoredItem)>,
    /// Queues and channels with something to write back before COMMIT.
    pub(super) unsaved_queues: Vec<QueueId>,
    pub(super) unsaved_channels: Vec<crate::store::ChannelHash>,
    pub(super) tally: Tally,
    /// Calls of this batch that were begun.
    begun: usize,
    /// Queues with items below their floor, which are deleted bit by bit; and the bytes that may still be deleted at once in this
    /// transaction.
    pub(super) doomed: VecDeque<QueueId>,
    pub(super) erasable: u64,
    /// Wiping what deletions leave behind.
    pub(super) scrub: Scrub,
    next_upkeep: Duration,
}

/// Runs until the store is closed, then leaves the log empty.
pub(super) fn run(
    connection: &Connection,
    shared: &Shared,
    syncer: Syncer,
    copier: Copier,
) -> Result<(), StoreError> {
    let submissions: &Submissions = &shared.submissions;
    connection
        .busy_timeout(checkpoint::PATIENCE)
        .map_err(engine_error)?;
    let mut rounds = Rounds::new(connection, copier);
    let mut writer = Writer::new(connection, shared, syncer).map_err(engine_error)?;
    let mut backlog: VecDeque<Box<dyn Job>> = VecDeque::new();
    let mut took = Duration::ZERO;
    loop {
        let patience = if backlog.is_empty() {
            rounds.patience(shared, UPKEEP_EVERY, writer.has_doomed())
        } else {
            Duration::ZERO
        };
        if backlog.is_empty() {
            // A batch costs as much for each queue it touches as for a dozen items in it, so under load the calls that the
            // last one's answers bring are worth waiting for.
            let worth = took / 8;
            if worth >= WORTH_GATHERING {
                submissions.gather(worth.min(LONGEST_GATHERING));
            }
        }
        let taken = submissions.take(patience, shared.limits.ack_delay);
        if taken.failed {
            return Err(StoreError::Closed);
        }
        backlog.extend(taken.jobs);
        let begun = Instant::now();
        let mut changed = writer.batch(&mut backlog, &taken.acks);
        took = begun.elapsed();
        if writer.has_doomed() && rounds.log_has_room() {
            writer.erase_step();
            changed = true;
        }
        if taken.closing && backlog.is_empty() && !(writer.has_doomed() && rounds.log_has_room()) {
            rounds.finish(&mut writer);
            return Ok(());
        }
        rounds.step(&mut writer, changed, taken.copied);
    }
}

impl<'c> Writer<'c> {
    fn new(
        connection: &'c Connection,
        shared: &'c Shared,
        syncer: Syncer,
    ) -> rusqlite::Result<Self> {
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
            syncer,
            fresh: Vec::new(),
            bells: Vec::new(),
            today: shared.clock.day(),
            now: shared.opened,
            full: false,
            left: u64::MAX,
            unwritten: Vec::new(),
            unsaved_queues: Vec::new(),
            unsaved_channels: Vec::new(),
            tally: Tally::default(),
            begun: 0,
            doomed: VecDeque::new(),
            erasable: erase::IN_ONE_TRANSACTION,
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
        let changes = self.connection.total_changes();
        let outcome = self.transact(&mut jobs, acks, upkeep);
        if outcome.is_err() && self.begun == 0 {
            // It is none of their doing; each is told so.
            self.begun = jobs.len();
        }
        // Those for which there was no time are the next batch's.
        for job in jobs.drain(self.begun..).rev() {
            backlog.push_front(job);
        }
        let calls = jobs.len();
        match outcome {
            Ok(()) => {
                let written = self.connection.total_changes() != changes;
                self.settle(jobs, Ok(()), written);
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
        self.connection.total_changes() != changes
    }

    fn one_by_one(&mut self, jobs: Vec<Box<dyn Job>>, acks: &HashMap<QueueId, u64>) {
        if !acks.is_empty() {
            match self.transact(&mut [], acks, false) {
                Ok(()) => self.settle(Vec::new(), Ok(()), true),
                Err(error) => {
                    tracing::warn!(error = %engine_error(error), "acknowledgements not applied; owners will repeat them");
                }
            }
        }
        let mut broken = false;
        for job in jobs {
            let mut alone = vec![job];
            let committed = self
                .transact(&mut alone, &HashMap::new(), false)
                .map_err(engine_error);
            broken = committed.is_err();
            self.settle(alone, committed, true);
        }
        self.shared
            .submissions
            .numbers
            .broken
            .store(broken, Ordering::Relaxed);
    }

    /// One transaction, in the log when this returns `Ok`; rolled back and forgotten when it returns an error.
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
        self.begun = 0;
        self.erasable = erase::IN_ONE_TRANSACTION;
        self.hot.begin.execute([])?;
        // Acknowledgements first: they make room for what follows.
        let mut acks: Vec<(&QueueId, &u64)> = acks.iter().collect();
        acks.sort_unstable_by_key(|(queue, _)| queue.as_bytes());
        for (queue, sequence) in acks {
            self.apply_ack(queue, *sequence)?;
        }
        let start = Instant::now();
        for job in jobs {
            if self.begun > 0 && start.elapsed() >= BATCH_TIME {
                break;
            }
            self.begun += 1;
            job.apply(self)?;
        }
        if upkeep {
            self.expire_grace()?;
            self.retire_idle_keys()?;
        }
        self.write_items()?;
        self.save_queues()?;
        self.save_channels()?;
        self.hot.commit.execute([])?;
        Ok(())
    }

    /// After COMMIT, or after it failed.
    fn settle(&mut self, jobs: Vec<Box<dyn Job>>, outcome: Result<(), StoreError>, changed: bool) {
        let room = Vec::with_capacity(self.fresh.len());
        self.syncer.settle(Committed {
            jobs,
            outcome,
            fresh: std::mem::replace(&mut self.fresh, room),
            bells: std::mem::take(&mut self.bells),
            tally: std::mem::take(&mut self.tally),
            changed,
        });
    }

    fn forget(&mut self) {
        self.state = State::new();
        self.fresh.clear();
        self.bells.clear();
        self.unwritten.clear();
        self.unsaved_queues.clear();
        self.unsaved_channels.clear();
        self.tally = Tally::default();
        if let Err(error) = self.load_grace() {
            tracing::warn!(error = %engine_error(error), "renamed addresses could not be read again");
        }
    }

    /// Room for so many bytes more, which are written to the log and then to the database. Refused when that would touch what is
    /// kept for acknowledgements and deletes; nothing may have been written for the call yet.
    pub(super) fn take_room(&mut self, bytes: usize) -> Result<(), StoreError> {
        let twice = (bytes as u64).saturating_mul(2);
        match self.left.checked_sub(twice) {
            Some(left) if left >= self.shared.limits.commit_reserve => {
                self.left = left;
                Ok(())
            }
            _ => Err(StoreError::Full),
        }
    }

    fn probe_disk(&mut self) {
        // A volume that can't be asked is not taken for a full one: the engine will say so itself.
        self.left = self.shared.free_space.free_bytes().unwrap_or(u64::MAX);
        self.full = self.left < self.shared.limits.disk_reserve;
        self.shared
            .submissions
            .numbers
            .refuses_sends
            .store(self.full, Ordering::Relaxed);
    }
}
