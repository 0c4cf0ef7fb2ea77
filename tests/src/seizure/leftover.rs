//! What a write-ahead log still holds of an earlier use of its file.
//!
//! A log that was copied back is written anew from its beginning, and what was longer lies behind it until the file is cut. SQLite does not
//! read these frames; somebody who copied the disk does. There is no state before the first of them, so a row counts as new only where an
//! earlier picture of its page is there too: what is found is the least that can be learned.

use std::collections::{BTreeMap, BTreeSet};

use super::wal::{FRAME_HEADER, HEADER, Written};

/// Leaf and inner page of an index, which is how SQLite stores a table without row numbers (file format, section 1.6).
const LEAF: u8 = 0x0a;
const INNER: u8 = 0x02;

/// A row that says something of who talks with whom.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Row {
    /// Queue and sequence.
    Item(Vec<u8>, i64),
    /// Channel, epoch and next number.
    Channel(Vec<u8>, i64, i64),
}

/// The transactions whose frames stand behind byte `end` of a log with pages of this size.
pub fn transactions(log: &[u8], end: usize, page: usize) -> Vec<Written> {
    let mut found = Vec::new();
    let mut run = Run::default();
    let mut at = end.max(HEADER);
    while let Some(frame) = log.get(at..at + FRAME_HEADER + page) {
        let (head, content) = frame.split_at(FRAME_HEADER);
        if run.salt != head[8..16] {
            run = Run {
                salt: head[8..16].to_vec(),
                ..Run::default()
            };
        }
        run.take(number(&head[..4]), content);
        // A frame that ends a transaction says how many pages the database has then.
        if number(&head[4..8]) != 0 {
            found.push(run.commit());
        }
        at += FRAME_HEADER + page;
    }
    found
}

/// Frames of one use of the file.
#[derive(Default)]
struct Run {
    salt: Vec<u8>,
    pages: BTreeSet<u32>,
    items: BTreeSet<Row>,
    channels: BTreeMap<Vec<u8>, Row>,
    /// Of the transaction that is being read: its pages, and its rows with whether an earlier picture of their page is there.
    writing: BTreeSet<u32>,
    rows: Vec<(Row, bool)>,
}

impl Run {
    fn take(&mut self, page: u32, content: &[u8]) {
        let is_known = self.pages.contains(&page);
        self.writing.insert(page);
        self.rows
            .extend(rows(content).into_iter().map(|row| (row, is_known)));
    }

    fn commit(&mut self) -> Written {
        let mut written = Written::default();
        for (row, is_known) in std::mem::take(&mut self.rows) {
            match &row {
                Row::Item(queue, _) => {
                    let queue = queue.clone();
                    if self.items.insert(row) && is_known {
                        written.queues.insert(queue);
                    }
                }
                Row::Channel(channel, ..) => {
                    let before = self.channels.insert(channel.clone(), row.clone());
                    written.channel |= before.is_some_and(|before| before != row);
                }
            }
        }
        self.pages.append(&mut self.writing);
        written
    }
}

fn number(bytes: &[u8]) -> u32 {
    bytes
        .iter()
        .fold(0, |number, byte| (number << 8) | u32::from(*byte))
}

/// The rows of a page that are of these two tables, told by their shape.
fn rows(page: &[u8]) -> Vec<Row> {
    let (Some(kind), Some(count)) = (page.first(), page.get(3..5)) else {
        return Vec::new();
    };
    let (pointers, before) = match *kind {
        LEAF => (8, 0),
        INNER => (12, 4),
        _ => return Vec::new(),
    };
    (0..number(count) as usize)
        .filter_map(|cell| {
            let pointer = page.get(pointers + 2 * cell..pointers + 2 * cell + 2)?;
            row(page.get(number(pointer) as usize + before..)?)
        })
        .collect()
}

/// A cell's record, if all columns that matter are in the page.
fn row(mut cell: &[u8]) -> Option<Row> {
    let _payload = variable(&mut cell)?;
    let record = cell;
    let head = usize::try_from(variable(&mut cell)?).ok()?;
    let mut kinds = Vec::new();
    while record.len() - cell.len() < head {
        kinds.push(variable(&mut cell)?);
    }
    let mut columns = record.get(head..)?;
    let mut values = Vec::new();
    // Sequence or epoch is the second, the next number the fifth; what comes later may be on another page.
    for kind in kinds.iter().take(5) {
        let (value, rest) = columns.split_at_checked(length(*kind)?)?;
        values.push(value);
        columns = rest;
    }
    let is_blob = |at: usize| kinds[at] >= 12 && kinds[at].is_multiple_of(2);
    let is_number = |at: usize| (1..=9).contains(&kinds[at]);
    let signed = |at: usize| match kinds[at] {
        8 => 0,
        9 => 1,
        _ => values[at]
            .iter()
            .fold(0, |number: i64, byte| (number << 8) | i64::from(*byte)),
    };
    match kinds.len() {
        6 if is_blob(0) && is_number(1) && is_blob(2) && is_number(3) && is_number(4) => {
            Some(Row::Item(values[0].to_vec(), signed(1)))
        }
        9 if is_blob(0) && is_number(1) && is_blob(2) && is_number(3) && is_number(4) => {
            Some(Row::Channel(values[0].to_vec(), signed(1), signed(4)))
        }
        _ => None,
    }
}

/// How long a column of this serial type is.
fn length(kind: u64) -> Option<usize> {
    Some(match kind {
        0 | 8 | 9 => 0,
        1..=4 => usize::try_from(kind).ok()?,
        5 => 6,
        6 | 7 => 8,
        10 | 11 => return None,
        longer => usize::try_from((longer - 12) / 2).ok()?,
    })
}

/// A number of one to nine bytes.
fn variable(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for at in 0..9 {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        if at == 8 {
            return Some((number << 8) | u64::from(*byte));
        }
        number = (number << 7) | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            break;
        }
    }
    Some(number)
}
