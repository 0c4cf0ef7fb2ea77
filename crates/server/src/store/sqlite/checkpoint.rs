//! Keeping the write-ahead log short, and deleted things gone.
//!
//! A round has three parts: a share of the [scrub](super::scrub), in steps between batches; copying the log back into the
//! database, by the [`Copier`] on a thread and connection of its own while the writer goes on; and, when little is left to
//! copy, truncation by the writer, which nothing else can do at the same time. So sends wait for a few pages and two
//! `fsync`s, however long the log was. A round begins early enough to end within [`StoreLimits::checkpoint_every`] of the work
//! that asked for it; a log that grows beyond [`LONG`] is shortened at once, without scrubbing.
//!
//! [`StoreLimits::checkpoint_every`]: crate::store::StoreLimits::checkpoint_every

use std::cell::Cell;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use rustix::fs::{Advice, fadvise};

use super::Shared;
use super::open::{log_path, open_copier};
use super::writer::Writer;
use crate::store::StoreError;

/// Pages in the log from which on it is shortened without waiting for a round.
const LONG: u64 = 2048;
/// Pages that the writer copies itself, in the same go as truncating.
const LITTLE: u64 = 128;
/// How often the copier is asked in one round before the writer does the rest.
const ASKS: u32 = 2;
/// How often a log that is too long is shortened, if that did not help.
const SHORTEN_EVERY: Duration = Duration::from_millis(50);
/// How soon a truncation that a reader held up is tried again.
const RETRY: Duration = Duration::from_millis(500);
/// How long a truncation waits for readers, and sends with it. A backup reads for longer than anybody should wait.
pub(super) const PATIENCE: Duration = Duration::from_millis(20);

thread_local! {
    /// Pages in the log after the last COMMIT of this thread, which is the writer's.
    static PAGES: Cell<u64> = const { Cell::new(0) };
}

/// What is to become of the log once it is copied.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    /// It is written anew from its beginning.
    Reused,
    /// It is cut to nothing.
    Cut,
}

/// Copies the log into the database when asked, on its own thread.
pub(super) struct Copier {
    asks: Option<Sender<Then>>,
    thread: Option<JoinHandle<()>>,
}

impl Copier {
    pub(super) fn start(folder: &Path, shared: &Arc<Shared>) -> Result<Self, StoreError> {
        let connection = open_copier(folder)?;
        let shared = Arc::clone(shared);
        let log = log_path(folder);
        let (asks, asked) = mpsc::channel();
        let thread = thread::Builder::new()
            .name("store-copy".to_owned())
            .spawn(move || {
                while let Ok(then) = asked.recv() {
                    let pages = checkpoint(&connection, "PASSIVE").map_or(0, |(_, pages)| pages);
                    if then == Then::Cut {
                        leave_memory(&log);
                    }
                    shared.submissions.copied(pages);
                }
            })?;
        Ok(Self {
            asks: Some(asks),
            thread: Some(thread),
        })
    }

    /// Asks for a copy. Answers whether there is anybody who will do it.
    fn ask(&self, then: Then) -> bool {
        let asks = self.asks.as_ref();
        asks.is_some_and(|asks| asks.send(then).is_ok())
    }
}

impl Drop for Copier {
    fn drop(&mut self) {
        drop(self.asks.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The system need not remember what is in the log any more. Half of what cutting it takes is forgetting it, and sends wait for that.
fn leave_memory(log: &Path) {
    // Where it can't be done, cutting takes longer.
    let _ = File::open(log).map(|file| fadvise(&file, 0, None, Advice::DontNeed));
}

/// Whether somebody was in the way, and the pages of the log that are in the database now.
fn checkpoint(connection: &Connection, mode: &str) -> rusqlite::Result<(bool, u64)> {
    connection.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| {
        let (busy, pages): (i64, i64) = (row.get(0)?, row.get(2)?);
        Ok((busy != 0, u64::try_from(pages).unwrap_or(0)))
    })
}

#[derive(Clone, Copy)]
enum Part {
    Waiting,
    Scrubbing,
    Copying { asked: u32, scrubbed: bool },
}

/// Where the present round stands.
pub(super) struct Rounds {
    copier: Copier,
    part: Part,
    /// When the first change was made that no round has taken care of.
    since: Option<Instant>,
    /// Not before then: a reader was in the way.
    not_before: Option<Instant>,
}

impl Rounds {
    /// Takes over the log of the writer's connection.
    pub(super) fn new(connection: &Connection, copier: Copier) -> Self {
        connection.wal_hook(Some(|_, pages| {
            PAGES.set(u64::try_from(pages).unwrap_or(0));
            Ok(())
        }));
        Self {
            copier,
            part: Part::Waiting,
            since: None,
            not_before: None,
        }
    }

    /// How long nothing need be done, if nothing happens.
    pub(super) fn patience(&self, shared: &Shared, longest: Duration, erasing: bool) -> Duration {
        if erasing {
            return if self.log_has_room() {
                Duration::ZERO
            } else {
                SHORTEN_EVERY
            };
        }
        match self.part {
            Part::Scrubbing => Duration::ZERO,
            Part::Copying { .. } => longest,
            Part::Waiting => {
                let due = self.due(shared).max(self.not_before);
                due.map_or(longest, |at| {
                    at.saturating_duration_since(Instant::now()).min(longest)
                })
            }
        }
    }

    /// Whether the log is short enough for work that can wait.
    pub(super) fn log_has_room(&self) -> bool {
        PAGES.get() < 2 * LONG
    }

    /// Two thirds of the time allowed are for waiting, the rest for the round.
    fn due(&self, shared: &Shared) -> Option<Instant> {
        self.since
            .map(|since| since + shared.limits.checkpoint_every * 2 / 3)
    }

    /// Goes on with the round, after a batch that did or did not change anything; `copied` is the copier's answer.
    pub(super) fn step(&mut self, writer: &mut Writer<'_>, changed: bool, copied: Option<u64>) {
        let now = Instant::now();
        if changed && self.since.is_none() {
            self.since = Some(now);
        }
        match self.part {
            Part::Waiting => {
                if self.not_before.is_some_and(|at| now < at) {
                    return;
                }
                if self.due(writer.shared).is_some_and(|at| at <= now) {
                    self.since = None;
                    writer.begin_scrub();
                    self.part = Part::Scrubbing;
                } else if PAGES.get() >= LONG {
                    self.copy(writer, 0, false);
                }
            }
            Part::Scrubbing => {
                if writer.scrub_step() {
                    self.copy(writer, 0, true);
                }
            }
            Part::Copying { asked, scrubbed } => {
                let Some(pages) = copied else { return };
                if PAGES.get().saturating_sub(pages) <= LITTLE || asked >= ASKS {
                    self.truncate(writer, scrubbed);
                } else {
                    self.copy(writer, asked, scrubbed);
                }
            }
        }
    }

    fn copy(&mut self, writer: &mut Writer<'_>, asked: u32, scrubbed: bool) {
        let then = if scrubbed { Then::Cut } else { Then::Reused };
        if self.copier.ask(then) {
            self.part = Part::Copying {
                asked: asked + 1,
                scrubbed,
            };
        } else {
            self.truncate(writer, scrubbed);
        }
    }

    fn truncate(&mut self, writer: &mut Writer<'_>, scrubbed: bool) {
        self.part = Part::Waiting;
        if !scrubbed {
            // The next transaction begins the log anew in the same file, which is cheaper than in a file that must grow again.
            let _ = checkpoint(writer.connection, "PASSIVE");
            self.not_before = Some(Instant::now() + SHORTEN_EVERY);
            return;
        }
        let done = truncate(writer.connection);
        let now = Instant::now();
        self.not_before = (!done).then_some(now + RETRY);
        if done {
            let numbers = &writer.shared.submissions.numbers;
            numbers.checkpoints.fetch_add(1, Ordering::Relaxed);
        }
        if !done || writer.scrub_is_due() {
            self.since.get_or_insert(now);
        }
    }

    /// All of a round at once, when the store closes.
    pub(super) fn finish(self, writer: &mut Writer<'_>) {
        // Whatever the copier is at, it has the log to itself until it is done.
        drop(self.copier);
        writer.begin_scrub();
        while !writer.scrub_step() {}
        truncate(writer.connection);
    }
}

/// Copies what is left of the log and cuts it to nothing. Answers whether it did.
fn truncate(connection: &Connection) -> bool {
    let done = checkpoint(connection, "TRUNCATE").is_ok_and(|(busy, _)| !busy);
    if done {
        PAGES.set(0);
    }
    done
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::super::SqliteStore;
    use super::super::tests::options;
    use super::*;
    use crate::store::StoreLimits;
    use crate::store::conformance::World;

    /// The threat model's three seconds, and what a busy machine may add.
    const STATED: Duration = Duration::from_secs(3);
    const MARGIN: Duration = Duration::from_millis(1500);

    /// What the log groups is there for seconds only, also when there is never a pause.
    #[test]
    fn the_log_is_cut_again_and_again_while_sends_never_stop() {
        assert_eq!(StoreLimits::default().checkpoint_every, STATED);
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().to_owned();
        let world = World::new(Box::new(move |parts| {
            SqliteStore::open(&place, options(parts)).unwrap()
        }));
        assert_eq!(world.limits().checkpoint_every, STATED);
        let owners: Vec<_> = (0..8).map(|_| world.owner()).collect();
        let addresses: Vec<_> = owners
            .iter()
            .map(|owner| world.conversation(owner))
            .collect();
        let over = AtomicBool::new(false);
        let log = log_path(folder.path());
        let gaps = thread::scope(|scope| {
            let watching = scope.spawn(|| {
                let gaps = gaps_between_cuts(&log);
                over.store(true, Ordering::Relaxed);
                gaps
            });
            for sent in 1.. {
                world.send("without a pause", &addresses).unwrap();
                // They read, too, or there would soon be no room.
                for owner in owners.iter().filter(|_| sent % 100 == 0) {
                    world.store.ack(owner.queue, sent);
                }
                if over.load(Ordering::Relaxed) {
                    break;
                }
            }
            watching.join().unwrap()
        });
        assert_eq!(gaps.len(), 3, "it was not cut any more: {gaps:?}");
        assert!(gaps.iter().all(|gap| *gap < STATED + MARGIN), "{gaps:?}");
    }

    /// How long a log was not cut, three times over; fewer if it is not any more.
    fn gaps_between_cuts(log: &Path) -> Vec<Duration> {
        let mut gaps = Vec::new();
        let (mut cut_at, mut longest) = (Instant::now(), 0);
        while gaps.len() < 3 && cut_at.elapsed() < 4 * STATED {
            thread::sleep(Duration::from_millis(1));
            let length = std::fs::metadata(log).map_or(0, |log| log.len());
            // Whatever else is done to a log, it does not become shorter.
            if length < longest {
                gaps.push(cut_at.elapsed());
                cut_at = Instant::now();
            }
            longest = length;
        }
        gaps
    }
}
