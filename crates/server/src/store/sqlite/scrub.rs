//! Wiping what `secure_delete` leaves behind.
//!
//! SQLite zeroes a deleted row where it stood, but when it moves rows between neighbouring pages it may leave copies of
//! them in a page's unused middle, and these outlive the row (measured: one 16-byte run in two thousand). So after
//! deletions the items that are left are written anew in order of their keys: each page that is emptied is
//! zeroed whole, and pages filled in order have no stale middle. Up to [`AT_ONCE`] of undelivered items this is done for the
//! whole table before each truncation of the log, so nothing is left over. A larger backlog is walked through in shares of
//! half that size or more, one before each truncation, with boundaries that differ from pass to pass; a share is done in
//! steps of at most [`STEP`], so that sends in between wait for milliseconds.

use std::sync::atomic::Ordering;

use rusqlite::{Statement, params};

use super::writer::Writer;
use crate::store::QueueId;

/// Bytes of sealed items rewritten before one truncation.
const AT_ONCE: usize = 4 << 20;
/// Bytes of them rewritten in one transaction, when not all are.
const STEP: usize = 512 << 10;

/// How far the present pass has come.
pub(super) struct Scrub {
    /// Whether something was deleted since the present or last pass began.
    pub(super) needed: bool,
    after: Option<(QueueId, i64)>,
    /// Bytes left of the present share.
    left: usize,
}

impl Scrub {
    /// For a store just opened: the last run may have left something undone.
    pub(super) fn due() -> Self {
        Self {
            needed: true,
            after: None,
            left: 0,
        }
    }

    fn is_due(&self) -> bool {
        self.needed || self.after.is_some()
    }
}

struct Row {
    queue: QueueId,
    sequence: i64,
    key_id: [u8; 16],
    nonce: i64,
    last_day: i64,
    sealed: Vec<u8>,
}

impl Writer<'_> {
    /// Whether there is more to do.
    pub(super) fn scrub_is_due(&self) -> bool {
        self.scrub.is_due()
    }

    /// Begins a new share of the work.
    pub(super) fn begin_scrub(&mut self) {
        self.scrub.left = AT_ONCE / 2 + rand::random_range(0..AT_ONCE / 2);
    }

    /// Does one step if there is need, in a transaction of its own; answers whether the share is done. A failure leaves
    /// all as it was, for next time.
    pub(super) fn scrub_step(&mut self) -> bool {
        if !self.scrub.is_due() {
            return true;
        }
        match self.try_scrub() {
            Ok(bytes) => self.scrub.left = self.scrub.left.saturating_sub(bytes),
            Err(error) => {
                let _ = self.connection.execute_batch("ROLLBACK");
                self.scrub = Scrub::due();
                tracing::warn!(error = %super::engine_error(error), "deleted items not scrubbed; trying again");
                return true;
            }
        }
        if self.scrub.after.is_none() {
            let numbers = &self.shared.submissions.numbers;
            numbers.scrubs.fetch_add(1, Ordering::Relaxed);
        }
        self.scrub.after.is_none() || self.scrub.left == 0
    }

    /// Answers the bytes rewritten.
    fn try_scrub(&mut self) -> rusqlite::Result<usize> {
        let after = self.scrub.after;
        self.connection.execute_batch("BEGIN IMMEDIATE")?;
        let (rows, more) = match after {
            None => match self.rows_after(None, AT_ONCE)? {
                (rows, false) => (rows, false),
                _ => self.rows_after(None, random_step())?,
            },
            Some(_) => self.rows_after(after, random_step())?,
        };
        if after.is_none() && !more {
            // Without a condition SQLite frees, and so zeroes, every page at once.
            self.connection.execute("DELETE FROM items", [])?;
        } else {
            for row in &rows {
                self.connection
                    .prepare_cached("DELETE FROM items WHERE queue_id = ?1 AND sequence = ?2")?
                    .execute(params![row.queue.as_bytes(), row.sequence])?;
            }
        }
        for row in &rows {
            insert(&mut self.hot.insert_item, row)?;
        }
        self.connection.execute_batch("COMMIT")?;
        if after.is_none() {
            self.scrub.needed = false;
        }
        self.scrub.after = if more {
            rows.last().map(|row| (row.queue, row.sequence))
        } else {
            None
        };
        Ok(rows.iter().map(|row| row.sealed.len()).sum())
    }

    fn rows_after(
        &self,
        after: Option<(QueueId, i64)>,
        limit: usize,
    ) -> rusqlite::Result<(Vec<Row>, bool)> {
        let (queue, sequence) = match &after {
            Some((queue, sequence)) => (&queue.as_bytes()[..], *sequence),
            // Sorts before every queue.
            None => (&[][..], 0),
        };
        let mut statement = self.connection.prepare_cached(
            "SELECT queue_id, sequence, key_id, nonce, last_day, sealed FROM items
             WHERE (queue_id, sequence) > (?1, ?2) ORDER BY queue_id, sequence",
        )?;
        let mut found = statement.query(params![queue, sequence])?;
        let mut rows = Vec::new();
        let mut bytes = 0;
        while let Some(row) = found.next()? {
            if bytes >= limit {
                return Ok((rows, true));
            }
            let sealed: Vec<u8> = row.get(5)?;
            bytes += sealed.len();
            rows.push(Row {
                queue: QueueId::new(row.get(0)?),
                sequence: row.get(1)?,
                key_id: row.get(2)?,
                nonce: row.get(3)?,
                last_day: row.get(4)?,
                sealed,
            });
        }
        Ok((rows, false))
    }
}

/// Of random length, so that no boundary is at the same place in every pass.
fn random_step() -> usize {
    STEP / 2 + rand::random_range(0..STEP / 2)
}

fn insert(statement: &mut Statement<'_>, row: &Row) -> rusqlite::Result<()> {
    statement.execute(params![
        row.queue.as_bytes(),
        row.sequence,
        row.key_id,
        row.nonce,
        row.last_day,
        &row.sealed[..]
    ])?;
    Ok(())
}
