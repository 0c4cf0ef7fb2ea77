//! From COMMIT to the answer: waiting for the disk.
//!
//! The writer's transactions are in the write-ahead log when COMMIT returns, but not yet on disk (`synchronous = NORMAL`). A
//! [`Committed`] batch is settled (handed to the connections, answered) only after an `fdatasync` of the log that began after
//! its COMMIT. Under little load the writer does that itself. While more work waits than a batch is worth, the [`Syncer`]'s
//! thread does it, and the writer prepares the next batch meanwhile; a single `fdatasync` then serves all batches that wait.
//!
//! What must stay true: batches are settled in the order of their COMMITs; at most [`IN_SYNC`] of them wait; after an
//! `fdatasync` that failed nothing is ever answered with success again, because what the kernel then still holds of the log
//! is unknown.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};

use super::Shared;
use super::open::log_path;
use super::submit::Job;
use crate::delivery::{Hearer, Ring};
use crate::store::{StoreError, StoredItem};

/// Batches that may wait for the disk while the writer prepares another.
pub(super) const IN_SYNC: usize = 2;

/// The write-ahead log's file, opened a second time only to wait for it.
pub(super) struct Log {
    path: PathBuf,
    file: Option<File>,
}

impl Log {
    pub(super) fn new(folder: &Path) -> Self {
        Self {
            path: log_path(folder),
            file: None,
        }
    }

    fn sync(&mut self) -> Result<(), StoreError> {
        let file = match &self.file {
            Some(file) => file,
            // There is one by now, and it stays as long as the store is open. Closing this one gives up no lock of
            // SQLite's, which locks other files.
            None => self
                .file
                .insert(OpenOptions::new().write(true).open(&self.path)?),
        };
        Ok(file.sync_data()?)
    }
}

/// What a transaction counts for.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) items_queued: u64,
    pub(super) items_deleted: u64,
    pub(super) sends: u64,
}

/// A transaction after its COMMIT, or what is left of one that failed.
pub(super) struct Committed {
    pub(super) jobs: Vec<Box<dyn Job>>,
    pub(super) outcome: Result<(), StoreError>,
    /// For the connections.
    pub(super) fresh: Vec<(Arc<Ring>, StoredItem)>,
    pub(super) bells: Vec<Arc<Hearer>>,
    pub(super) tally: Tally,
    /// Whether it wrote anything.
    pub(super) changed: bool,
}

impl Committed {
    /// Whether there is something to say that is true only once the disk has it.
    fn needs_disk(&self) -> bool {
        self.changed && !(self.jobs.is_empty() && self.fresh.is_empty() && self.bells.is_empty())
    }

    /// Hands fresh items to the connections, then answers. Only after [`Log::sync`].
    fn settle(self, shared: &Shared) {
        let mut to_wake: Vec<Arc<Ring>> = Vec::new();
        if self.outcome.is_ok() {
            for (ring, item) in self.fresh {
                if ring.push(item) {
                    to_wake.push(ring);
                }
            }
            for bell in self.bells {
                bell.ring();
            }
        }
        for ring in to_wake {
            ring.wake();
        }
        let calls = self.jobs.len();
        let mut bytes = 0;
        for job in self.jobs {
            bytes += job.bytes();
            job.finish(self.outcome.clone());
        }
        let numbers = &shared.submissions.numbers;
        let Tally {
            items_queued,
            items_deleted,
            sends,
        } = self.tally;
        numbers
            .items_queued
            .fetch_add(items_queued, Ordering::Relaxed);
        numbers
            .items_deleted
            .fetch_add(items_deleted, Ordering::Relaxed);
        numbers.sends.fetch_add(sends, Ordering::Relaxed);
        numbers
            .commits
            .fetch_add(u64::from(self.outcome.is_ok()), Ordering::Relaxed);
        shared.submissions.done(calls, bytes);
    }
}

/// Waits for the disk, then settles, in order. After a failure everything is refused.
fn settle_all(batches: Vec<Committed>, log: &mut Log, shared: &Shared) {
    let mut refused = shared
        .submissions
        .has_failed()
        .then_some(StoreError::Closed);
    if refused.is_none() && batches.iter().any(Committed::needs_disk) {
        if let Err(error) = log.sync() {
            tracing::error!(%error, "the disk did not take what was written; the store stops");
            shared.submissions.fail();
            refused = Some(error);
        }
        let numbers = &shared.submissions.numbers;
        numbers.syncs.fetch_add(1, Ordering::Relaxed);
    }
    for mut batch in batches {
        if let Some(error) = &refused {
            batch.outcome = Err(error.clone());
        }
        batch.settle(shared);
    }
}

/// The thread that waits for the disk under load, and the writer's way to it.
pub(super) struct Syncer {
    shared: Arc<Shared>,
    own: Log,
    batches: Option<Sender<Committed>>,
    thread: Option<JoinHandle<()>>,
}

impl Syncer {
    pub(super) fn start(folder: &Path, shared: &Arc<Shared>) -> Result<Self, StoreError> {
        let (batches, waiting) = mpsc::channel();
        let (of_thread, log) = (Arc::clone(shared), Log::new(folder));
        let thread = thread::Builder::new()
            .name("store-sync".to_owned())
            .spawn(move || run(&waiting, log, &of_thread))?;
        Ok(Self {
            shared: Arc::clone(shared),
            own: Log::new(folder),
            batches: Some(batches),
            thread: Some(thread),
        })
    }

    /// Settles a batch: at once, or in the background when there is enough to do meanwhile.
    pub(super) fn settle(&mut self, batch: Committed) {
        let submissions = &self.shared.submissions;
        if !submissions.begin_sync() {
            settle_all(vec![batch], &mut self.own, &self.shared);
            return;
        }
        if let Some(batches) = &self.batches
            && let Err(mpsc::SendError(batch)) = batches.send(batch)
        {
            // Its thread is gone, which only a panic in it explains: nobody may be told that anything is on disk.
            submissions.fail();
            settle_all(vec![batch], &mut self.own, &self.shared);
        }
    }
}

impl Drop for Syncer {
    /// Ends when everything handed over has been settled.
    fn drop(&mut self) {
        drop(self.batches.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(waiting: &Receiver<Committed>, mut log: Log, shared: &Shared) {
    let stopped = Stopped(shared);
    while let Ok(first) = waiting.recv() {
        let batches: Vec<Committed> = std::iter::once(first).chain(waiting.try_iter()).collect();
        let count = batches.len();
        settle_all(batches, &mut log, shared);
        shared.submissions.end_sync(count);
    }
    std::mem::forget(stopped);
}

/// Stops the store if the thread panics, so that the writer does not wait for it.
struct Stopped<'a>(&'a Shared);

impl Drop for Stopped<'_> {
    fn drop(&mut self) {
        self.0.submissions.fail();
    }
}
