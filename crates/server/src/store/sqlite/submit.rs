//! The bounded queue in front of the writer. Callers put work in from any thread; the writer takes it out in batches.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::commit::IN_SYNC;
use super::writer::{Failure, Writer};
use crate::store::{Activity, QueueId, Reply, Responder, StoreError, reply};

/// Beyond this many waiting calls, or this many bytes, [`Submissions::ready`] makes callers wait.
const SOFT_CALLS: usize = 8_192;
const SOFT_BYTES: usize = 64 << 20;
/// Beyond this many calls or bytes a call is refused.
const HARD_CALLS: usize = 4 * SOFT_CALLS;
const HARD_BYTES: usize = 4 * SOFT_BYTES;
/// While the disk is busy with one batch, the next is begun only when this many bytes wait for it: the last page of a queue
/// is written again with every batch, so a few large ones cost less than many small ones.
const EARLY_BYTES: usize = 4 << 20;
/// How long nothing must come for [`Submissions::gather`] to take it that nothing more will.
const GATHER_STEP: Duration = Duration::from_millis(2);
/// What a call costs beside its payload.
const CALL_BYTES: usize = 256;
/// What looking up or writing one small row counts for.
pub(super) const ROW_BYTES: usize = 256;

/// One call on its way through the writer.
pub(super) trait Job: Send {
    /// Does the call inside the open transaction and remembers the outcome. A refusal is an outcome; an error means
    /// that the transaction must be rolled back.
    fn apply(&mut self, writer: &mut Writer<'_>) -> Result<(), rusqlite::Error>;

    /// Answers: the outcome if its transaction is on disk, else why not.
    fn finish(self: Box<Self>, committed: Result<(), StoreError>);

    /// What it counts against the bound.
    fn bytes(&self) -> usize;
}

/// What a call does, given its request.
pub(super) type Run<R, T> = fn(&mut Writer<'_>, &R) -> Result<T, Failure>;

struct Call<R, T> {
    request: R,
    run: Run<R, T>,
    bytes: usize,
    outcome: Option<Result<T, StoreError>>,
    responder: Responder<T>,
}

impl<R: Send, T: Send> Job for Call<R, T> {
    fn apply(&mut self, writer: &mut Writer<'_>) -> Result<(), rusqlite::Error> {
        self.outcome = Some(match (self.run)(writer, &self.request) {
            Ok(value) => Ok(value),
            Err(Failure::Refused(error)) => Err(error),
            Err(Failure::Engine(error)) => return Err(error),
        });
        Ok(())
    }

    fn finish(self: Box<Self>, committed: Result<(), StoreError>) {
        let outcome = self.outcome.unwrap_or(Err(StoreError::Closed));
        self.responder.answer(committed.and(outcome));
    }

    fn bytes(&self) -> usize {
        self.bytes
    }
}

#[derive(Default)]
struct Waiting {
    jobs: Vec<Box<dyn Job>>,
    job_bytes: usize,
    /// Highest acknowledged sequence of each queue.
    acks: HashMap<QueueId, u64>,
    acks_since: Option<Instant>,
    /// Somebody waits for the acknowledgements.
    acks_due: bool,
    closing: bool,
    /// What was written may not be on disk, and never will be for sure.
    failed: bool,
    /// Batches that wait for the disk in the background.
    in_sync: usize,
    /// The copier's answer.
    copied: Option<u64>,
    writer_sleeps: bool,
}

/// What the writer took out.
pub(super) struct Taken {
    pub(super) jobs: Vec<Box<dyn Job>>,
    pub(super) acks: HashMap<QueueId, u64>,
    pub(super) closing: bool,
    pub(super) failed: bool,
    /// Pages of the log that are in the database, when that has just been found out.
    pub(super) copied: Option<u64>,
}

/// Shared by the callers, the writer and the readers.
#[derive(Default)]
pub(super) struct Submissions {
    waiting: Mutex<Waiting>,
    work: Condvar,
    room: Notify,
    calls: AtomicUsize,
    bytes: AtomicUsize,
    pub(super) numbers: Numbers,
}

/// Counters for metrics.
#[derive(Default)]
pub(super) struct Numbers {
    pub(super) items_queued: AtomicU64,
    pub(super) items_deleted: AtomicU64,
    pub(super) sends: AtomicU64,
    pub(super) commits: AtomicU64,
    pub(super) syncs: AtomicU64,
    pub(super) checkpoints: AtomicU64,
    pub(super) scrubs: AtomicU64,
    pub(super) refuses_sends: AtomicBool,
    pub(super) broken: AtomicBool,
}

impl Submissions {
    /// Puts a call in.
    pub(super) fn submit<R, T>(&self, request: R, payload_bytes: usize, run: Run<R, T>) -> Reply<T>
    where
        R: Send + 'static,
        T: Send + 'static,
    {
        let bytes = payload_bytes + CALL_BYTES;
        if self.calls.load(Ordering::Relaxed) >= HARD_CALLS
            || self.bytes.load(Ordering::Relaxed) >= HARD_BYTES
        {
            return Reply::known(Err(StoreError::Busy));
        }
        let (responder, answer) = reply();
        let call = Box::new(Call {
            request,
            run,
            bytes,
            outcome: None,
            responder,
        });
        let mut waiting = self.lock();
        if waiting.closing {
            return Reply::known(Err(StoreError::Closed));
        }
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        waiting.jobs.push(call);
        waiting.job_bytes += bytes;
        self.wake_writer(waiting);
        answer
    }

    /// Puts an acknowledgement in; those of one queue are merged.
    pub(super) fn ack(&self, queue: QueueId, sequence: u64) {
        let mut waiting = self.lock();
        if waiting.closing {
            return;
        }
        let highest = waiting.acks.entry(queue).or_insert(sequence);
        *highest = sequence.max(*highest);
        if waiting.acks_since.is_none() {
            waiting.acks_since = Some(Instant::now());
            self.wake_writer(waiting);
        }
    }

    /// Makes the writer apply acknowledgements at once.
    pub(super) fn hurry_acks(&self) {
        let mut waiting = self.lock();
        waiting.acks_due = true;
        self.wake_writer(waiting);
    }

    /// Refuses new work; what is queued is still done.
    pub(super) fn close(&self) {
        let mut waiting = self.lock();
        waiting.closing = true;
        waiting.acks_due = true;
        self.wake_writer(waiting);
    }

    /// The writer is gone: whatever still waits is answered with [`StoreError::Closed`], as is all that comes.
    pub(super) fn stop(&self) {
        let mut waiting = self.lock();
        waiting.closing = true;
        let unanswered = std::mem::take(&mut waiting.jobs);
        drop(waiting);
        drop(unanswered);
        self.numbers.broken.store(true, Ordering::Relaxed);
        self.room.notify_waiters();
    }

    /// Waits while calls keep coming, at most `longest`: those just answered are about to ask for more.
    pub(super) fn gather(&self, longest: Duration) {
        let begun = Instant::now();
        let mut before = None;
        while begun.elapsed() < longest {
            let calls = self.calls.load(Ordering::Relaxed);
            if before == Some(calls) || self.lock().closing {
                return;
            }
            before = Some(calls);
            thread::sleep(GATHER_STEP.min(longest));
        }
    }

    /// After a COMMIT: whether the disk is to be waited for in the background, because there is enough to do meanwhile or
    /// because an earlier batch still is. Blocks while too many are.
    pub(super) fn begin_sync(&self) -> bool {
        let mut waiting = self.lock();
        if waiting.in_sync == 0 && waiting.job_bytes < EARLY_BYTES {
            return false;
        }
        while waiting.in_sync >= IN_SYNC && !waiting.failed {
            waiting.writer_sleeps = true;
            waiting = self
                .work
                .wait(waiting)
                .unwrap_or_else(PoisonError::into_inner);
            waiting.writer_sleeps = false;
        }
        waiting.in_sync += 1;
        true
    }

    /// So many batches have been settled in the background.
    pub(super) fn end_sync(&self, batches: usize) {
        let mut waiting = self.lock();
        waiting.in_sync -= batches.min(waiting.in_sync);
        self.wake_writer(waiting);
    }

    /// The copier's answer.
    pub(super) fn copied(&self, pages: u64) {
        let mut waiting = self.lock();
        waiting.copied = Some(pages);
        self.wake_writer(waiting);
    }

    /// The disk failed: nothing more is done.
    pub(super) fn fail(&self) {
        self.lock().failed = true;
        self.stop();
        self.work.notify_one();
    }

    pub(super) fn has_failed(&self) -> bool {
        self.lock().failed
    }

    /// Whether a caller may go on without waiting.
    pub(super) fn has_room(&self) -> bool {
        self.calls.load(Ordering::Relaxed) < SOFT_CALLS
            && self.bytes.load(Ordering::Relaxed) < SOFT_BYTES
    }

    /// Waits until [`Submissions::has_room`].
    pub(super) async fn ready(&self) {
        loop {
            let room = self.room.notified();
            tokio::pin!(room);
            room.as_mut().enable();
            if self.has_room() || self.lock().closing {
                return;
            }
            room.await;
        }
    }

    /// Waits for work, at most `patience`; acknowledgements alone wait `ack_delay` for company.
    pub(super) fn take(&self, patience: Duration, ack_delay: Duration) -> Taken {
        let mut waiting = self.lock();
        let deadline = Instant::now() + patience;
        loop {
            let now = Instant::now();
            let acks_at = waiting.acks_since.map(|since| {
                if waiting.acks_due {
                    now
                } else {
                    since + ack_delay
                }
            });
            let acks_ready = acks_at.is_some_and(|at| at <= now);
            let held_back = waiting.in_sync > 0 && waiting.job_bytes < EARLY_BYTES;
            let work = !held_back && (!waiting.jobs.is_empty() || acks_ready);
            if work || waiting.copied.is_some() || waiting.closing || now >= deadline {
                let acks = if acks_ready {
                    waiting.acks_since = None;
                    waiting.acks_due = false;
                    std::mem::take(&mut waiting.acks)
                } else {
                    HashMap::new()
                };
                let capacity = waiting.jobs.len();
                let jobs = std::mem::replace(&mut waiting.jobs, Vec::with_capacity(capacity));
                waiting.job_bytes = 0;
                return Taken {
                    jobs,
                    acks,
                    closing: waiting.closing,
                    failed: waiting.failed,
                    copied: waiting.copied.take(),
                };
            }
            let until = match acks_at {
                // Held back; the disk wakes us.
                _ if held_back => deadline,
                Some(at) => at.min(deadline),
                None => deadline,
            };
            waiting.writer_sleeps = true;
            waiting = self
                .work
                .wait_timeout(waiting, until.saturating_duration_since(now))
                .unwrap_or_else(PoisonError::into_inner)
                .0;
            waiting.writer_sleeps = false;
        }
    }

    /// Tells that calls have been answered.
    pub(super) fn done(&self, calls: usize, bytes: usize) {
        let had_room = self.has_room();
        self.calls.fetch_sub(calls, Ordering::Relaxed);
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        if !had_room {
            self.room.notify_waiters();
        }
    }

    pub(super) fn activity(&self) -> Activity {
        let numbers = &self.numbers;
        Activity {
            items_queued: numbers.items_queued.load(Ordering::Relaxed),
            items_deleted: numbers.items_deleted.load(Ordering::Relaxed),
            sends: numbers.sends.load(Ordering::Relaxed),
            commits: numbers.commits.load(Ordering::Relaxed),
            syncs: numbers.syncs.load(Ordering::Relaxed),
            waiting: self.calls.load(Ordering::Relaxed) as u64,
            checkpoints: numbers.checkpoints.load(Ordering::Relaxed),
            scrubs: numbers.scrubs.load(Ordering::Relaxed),
            accepts_sends: !numbers.refuses_sends.load(Ordering::Relaxed)
                && !numbers.broken.load(Ordering::Relaxed),
        }
    }

    fn wake_writer(&self, waiting: MutexGuard<'_, Waiting>) {
        let sleeps = waiting.writer_sleeps;
        drop(waiting);
        if sleeps {
            self.work.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
