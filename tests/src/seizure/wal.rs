//! What the write-ahead log groups: each commit in it was one transaction, and what one transaction wrote belongs together.
//!
//! The log is cut back commit by commit, and the database is read as it was after each.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, OpenOptions};
use std::path::Path;

use super::database::{Database, FILE};
use super::leftover;
use crate::failed::{Failed, Outcome};

/// Length of the log's own header and of each frame's (SQLite file format, section 4.1).
pub(super) const HEADER: usize = 32;
pub(super) const FRAME_HEADER: usize = 24;

/// What a log gives away.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Grouping {
    /// Bytes in the log's file.
    pub bytes: u64,
    /// Commits that can be told apart.
    pub commits: usize,
    /// How many of them are of an earlier use of the file.
    pub earlier: usize,
    /// Commits that put items into one queue, by how many items.
    pub single: usize,
    /// Commits that put items into several queues: the number of queues of each.
    pub several: Vec<usize>,
    /// Pairs of queues that some commit wrote to, each counted once.
    pub pairs: usize,
    /// Commits that changed a channel and put items into queues: these join the two for as long as the log is there.
    pub with_channel: usize,
}

/// What one transaction wrote.
#[derive(Default)]
pub(super) struct Written {
    /// Queues that got items.
    pub queues: BTreeSet<Vec<u8>>,
    /// Whether a channel changed.
    pub channel: bool,
}

/// Reads the log in a data folder, from a copy of its own.
///
/// # Errors
/// If it can't be read.
pub fn grouping(data: &Path) -> Outcome<Grouping> {
    let failed = |error: std::io::Error| Failed::harness("reading a write-ahead log", error);
    let place = tempfile::tempdir().map_err(failed)?;
    let log_name = format!("{FILE}-wal");
    let log = match fs::read(data.join(&log_name)) {
        Ok(log) => log,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(failed(error)),
    };
    fs::copy(data.join(FILE), place.path().join(FILE)).map_err(failed)?;
    let copy = place.path().join(&log_name);
    fs::write(&copy, &log).map_err(failed)?;

    let (ends, behind) = commits(&log);
    let earlier = behind.map_or_else(Vec::new, |(end, page)| {
        leftover::transactions(&log, end, page)
    });
    let mut grouping = Grouping {
        bytes: log.len() as u64,
        commits: ends.len() + earlier.len(),
        earlier: earlier.len(),
        ..Grouping::default()
    };
    let mut pairs = BTreeSet::new();
    for written in &earlier {
        grouping.count(written, &mut pairs);
    }
    let mut after: Option<State> = None;
    // From the last commit back to none, since a file is more easily cut than made longer.
    for end in ends.iter().rev().chain([&0]) {
        OpenOptions::new()
            .write(true)
            .open(&copy)
            .and_then(|file| file.set_len(*end as u64))
            .map_err(failed)?;
        // The index of the log is made anew.
        match fs::remove_file(place.path().join(format!("{FILE}-shm"))) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(failed(error));
            }
            _ => {}
        }
        let before = State::read(place.path())?;
        if let Some(after) = after {
            grouping.count(&after.written_since(&before), &mut pairs);
        }
        after = Some(before);
    }
    grouping.pairs = pairs.len();
    Ok(grouping)
}

impl Grouping {
    fn count(&mut self, written: &Written, pairs: &mut BTreeSet<(Vec<u8>, Vec<u8>)>) {
        let queues: Vec<_> = written.queues.iter().collect();
        match queues.len() {
            0 => return,
            1 => self.single += 1,
            several => self.several.push(several),
        }
        for (at, one) in queues.iter().enumerate() {
            pairs.extend(
                queues[at + 1..]
                    .iter()
                    .map(|other| ((*one).clone(), (*other).clone())),
            );
        }
        if written.channel {
            self.with_channel += 1;
        }
    }
}

/// What a database says at one moment, as far as it matters here.
struct State {
    items: BTreeSet<(Vec<u8>, u64)>,
    channels: BTreeMap<String, String>,
}

impl State {
    fn read(data: &Path) -> Outcome<Self> {
        let database = Database::open(data)?;
        // A log that is cut before its first commit may leave a database without tables.
        let tables =
            database.texts("SELECT name FROM sqlite_schema WHERE name IN ('items', 'channels')")?;
        if tables.len() < 2 {
            return Ok(Self {
                items: BTreeSet::new(),
                channels: BTreeMap::new(),
            });
        }
        let items = database
            .items()?
            .into_iter()
            .map(|item| (item.queue, item.sequence))
            .collect();
        let channels = database.texts(
            "SELECT hex(channel_hash) || ' ' || epoch || ' ' || next_number FROM channels",
        )?;
        let channels = channels
            .iter()
            .filter_map(|text| text.split_once(' '))
            .map(|(channel, state)| (channel.to_owned(), state.to_owned()))
            .collect();
        Ok(Self { items, channels })
    }

    fn written_since(&self, before: &Self) -> Written {
        let fresh = self.items.difference(&before.items);
        Written {
            queues: fresh.map(|(queue, _)| queue.clone()).collect(),
            channel: before.channels != self.channels,
        }
    }
}

/// Where each commit of a log ends; and where what is of an earlier use of the file begins, with the size of a page.
fn commits(log: &[u8]) -> (Vec<usize>, Option<(usize, usize)>) {
    let number = |at: usize| {
        log.get(at..at + 4)
            .and_then(|four| four.try_into().ok())
            .map(u32::from_be_bytes)
    };
    let (Some(page), Some(salt)) = (number(8), log.get(16..24)) else {
        return (Vec::new(), None);
    };
    // A page size of 65,536 is written as 1.
    let page = if page == 1 { 65_536 } else { page as usize };
    let mut ends = Vec::new();
    let mut at = HEADER;
    while log.len() >= at + FRAME_HEADER + page && log.get(at + 8..at + 16) == Some(salt) {
        let is_commit = number(at + 4).is_some_and(|pages| pages != 0);
        at += FRAME_HEADER + page;
        if is_commit {
            ends.push(at);
        }
    }
    (ends, Some((at, page)))
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;

    #[test]
    fn each_commit_is_told_apart_with_the_queues_it_touched() {
        let folder = tempfile::tempdir().expect("a folder");
        let writer = Connection::open(folder.path().join(FILE)).expect("a database");
        writer
            .execute_batch(
                "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0;
                 CREATE TABLE items (queue_id BLOB, sequence INTEGER, key_id BLOB, nonce INTEGER, last_day INTEGER, sealed BLOB);
                 CREATE TABLE channels (channel_hash BLOB, epoch INTEGER, next_number INTEGER);
                 INSERT INTO channels VALUES (x'09', 1, 1);
                 BEGIN;
                 INSERT INTO items VALUES (x'01', 1, x'00', 0, 0, x'00'), (x'02', 1, x'00', 0, 0, x'00'), (x'03', 1, x'00', 0, 0, x'00');
                 UPDATE channels SET next_number = 2;
                 COMMIT;
                 INSERT INTO items VALUES (x'01', 2, x'00', 0, 0, x'00');
                 DELETE FROM items;",
            )
            .expect("written");
        let found = grouping(folder.path()).expect("read");
        assert_eq!(
            Grouping { bytes: 0, ..found },
            Grouping {
                bytes: 0,
                commits: 6,
                earlier: 0,
                single: 1,
                several: vec![3],
                pairs: 3,
                with_channel: 1
            }
        );
    }

    #[test]
    fn what_an_earlier_use_of_the_file_left_behind_is_read_too() {
        let folder = tempfile::tempdir().expect("a folder");
        let writer = Connection::open(folder.path().join(FILE)).expect("a database");
        writer
            .execute_batch(
                "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0;
                 CREATE TABLE items (queue_id BLOB NOT NULL, sequence INTEGER NOT NULL, key_id BLOB NOT NULL, nonce INTEGER NOT NULL,
                 last_day INTEGER NOT NULL, sealed BLOB NOT NULL, PRIMARY KEY (queue_id, sequence)) WITHOUT ROWID;
                 CREATE TABLE channels (channel_hash BLOB NOT NULL PRIMARY KEY, epoch INTEGER, lock BLOB, min_send_epoch INTEGER,
                 next_number INTEGER, last_commit_hash BLOB, last_commit_number INTEGER, last_used_day INTEGER, hosted INTEGER)
                 WITHOUT ROWID;
                 CREATE TABLE others (number INTEGER) STRICT;
                 INSERT INTO channels VALUES (x'0909', 1, x'00', 1, 1, NULL, 0, 20000, 1);
                 INSERT INTO items VALUES (x'0101', 1, x'00', 0, 20000, x'00');
                 BEGIN;
                 INSERT INTO items VALUES (x'0101', 2, x'00', 0, 20000, x'00'), (x'0202', 300, x'00', 7, 20000, x'00'),
                 (x'0303', 70000, x'00', 0, 20000, x'00');
                 UPDATE channels SET next_number = 2;
                 COMMIT;
                 INSERT INTO items VALUES (x'0202', 301, x'00', 0, 20000, x'00');
                 PRAGMA wal_checkpoint(PASSIVE);
                 INSERT INTO others VALUES (1);",
            )
            .expect("written");
        let found = grouping(folder.path()).expect("read");
        assert_eq!(
            (
                found.single,
                &found.several,
                found.pairs,
                found.with_channel
            ),
            (2, &vec![3], 3, 1),
            "{found:?}"
        );
        assert_eq!(found.commits, found.earlier + 1);
    }
}
