//! Wiping what `secure_delete` leaves behind.
//!
//! SQLite zeroes a deleted row where it stood, but when it moves rows between neighbouring pages it may leave copies of
//! them in a page's unused middle, and these outlive the row (measured: one 16-byte run in two thousand). So after
//! deletions the items that are left are written anew in order of their keys: each page that is emptied is
//! zeroed whole, and pages filled in order have no stale middle. Up to [`AT_ONCE`] of undelivered items this is done for the
//! whole table before each truncation of the log, so nothing is left over. A larger backlog is walked through in steps of
//! that size, one before each truncation, with boundaries that differ from pass to pass.

use rusqlite::{Statement, params};

use super::writer::Writer;
use crate::store::QueueId;

/// Bytes of sealed items rewritten in one step.
const AT_ONCE: usize = 4 << 20;

/// How far the present pass has come.
pub(super) struct Scrub {
    /// Whether something was deleted since the present or last pass began.
    pub(super) needed: bool,
    after: Option<(QueueId, i64)>,
}

impl Scrub {
    /// For a store just opened: the last run may have left something undone.
    pub(super) fn due() -> Self {
        Self {
            needed: true,
            after: None,
        }
    }

    /// Whether there is another step to do.
    pub(super) fn is_due(&self) -> bool {
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
    /// Does one step if there is need, in a transaction of its own. A failure leaves all as it was, for next time.
    pub(super) fn scrub(&mut self) {
        if !self.scrub.is_due() {
            return;
        }
        if let Err(error) = self.try_scrub() {
            let _ = self.connection.execute_batch("ROLLBACK");
            self.scrub = Scrub::due();
            tracing::warn!(error = %super::engine_error(error), "deleted items not scrubbed; trying again");
        }
    }

    fn try_scrub(&mut self) -> rusqlite::Result<()> {
        let after = self.scrub.after.take();
        self.connection.execute_batch("BEGIN IMMEDIATE")?;
        // Steps of random length, so that no boundary is at the same place in every pass.
        let limit = if after.is_none() {
            AT_ONCE
        } else {
            AT_ONCE / 2 + rand::random_range(0..AT_ONCE / 2)
        };
        let (rows, more) = self.rows_after(after, limit)?;
        if after.is_none() {
            self.scrub.needed = false;
        }
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
        self.scrub.after = if more {
            rows.last().map(|row| (row.queue, row.sequence))
        } else {
            None
        };
        Ok(())
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
