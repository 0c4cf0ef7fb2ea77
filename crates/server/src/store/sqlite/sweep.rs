//! Expiry: walks the queues in small steps, each a call of its own, so that sends go on in between.

use rusqlite::{OptionalExtension, params};

use super::submit::Submissions;
use super::writer::{Failure, Writer};
use super::{loaded, stored};
use crate::store::{QueueId, StoreError, Swept};

/// Queues looked at in one step.
const QUEUES_AT_ONCE: u32 = 64;
/// Rows of the other tables deleted in one step.
const ROWS_AT_ONCE: u32 = 1024;

/// Deletes what has expired. Blocks until done.
pub(super) fn sweep(submissions: &Submissions) -> Result<Swept, StoreError> {
    let mut swept = Swept::default();
    let mut after: Option<QueueId> = None;
    loop {
        let step = submissions
            .submit(after, 0, |writer, request| writer.sweep_queues(request))
            .wait()?;
        swept.items += step.items;
        swept.queues += step.queues;
        match step.last {
            Some(last) => after = Some(last),
            None => break,
        }
    }
    let mut after: Option<QueueId> = None;
    loop {
        let find = submissions.submit(after, 0, |writer, request| writer.find_doomed(request));
        after = find.wait()?;
        if after.is_none() {
            break;
        }
    }
    loop {
        let step = submissions
            .submit((), 0, |writer, ()| writer.sweep_rows())
            .wait()?;
        swept.channels += step.channels;
        swept.invitations += step.invitations;
        swept.tokens += step.tokens;
        swept.parcels += step.parcels;
        if step.channels + step.invitations + step.tokens + step.parcels == 0 {
            return Ok(swept);
        }
    }
}

/// What a step over the queues did, and where the next one goes on.
pub(super) struct Step {
    items: u64,
    queues: u64,
    last: Option<QueueId>,
}

impl Writer<'_> {
    fn sweep_queues(&mut self, after: &Option<QueueId>) -> Result<Step, Failure> {
        if after.is_none() {
            self.expire_grace()?;
            self.retire_idle_keys()?;
        }
        let mut statement = self.connection.prepare_cached(
            "SELECT queue_id, last_day FROM queues WHERE queue_id > ?1 ORDER BY queue_id LIMIT ?2",
        )?;
        let after = after.as_ref().map_or(&[][..], |queue| queue.as_bytes());
        let queues = statement
            .query_map(params![after, QUEUES_AT_ONCE], |row| {
                Ok((QueueId::new(row.get(0)?), row.get(1)?))
            })?
            .collect::<rusqlite::Result<Vec<(QueueId, u32)>>>()?;
        drop(statement);
        let mut step = Step {
            items: 0,
            queues: 0,
            last: queues.last().map(|(queue, _)| *queue),
        };
        if let Some(last) = &step.last {
            self.sweep_bells(after, last)?;
        }
        for (queue, last_day) in queues {
            let temporary = last_day < self.today.0 && self.is_temporary(&queue)?;
            if last_day < self.today.0 && !temporary && self.shared.hub.ring(&queue).is_some() {
                // Its owner is here, and has been since before that day was set.
                self.sign_in(&queue)?;
                step.items += self.expire_items(&queue)?;
            } else if last_day < self.today.0 {
                self.delete_queue(&queue)?;
                step.queues += 1;
            } else {
                step.items += self.expire_items(&queue)?;
            }
        }
        Ok(step)
    }

    /// Days only grow along a queue, so what has expired is its head, deleted as an acknowledgement would.
    fn expire_items(&mut self, queue: &QueueId) -> rusqlite::Result<u64> {
        self.write_items()?;
        let last: Option<i64> = self
            .connection
            .prepare_cached(
                "SELECT sequence FROM items WHERE queue_id = ?1 AND sequence <
                 coalesce((SELECT sequence FROM items WHERE queue_id = ?1 AND last_day >= ?2 ORDER BY sequence LIMIT 1), ?3)
                 ORDER BY sequence DESC LIMIT 1",
            )?
            .query_row(params![queue.as_bytes(), self.today.0, i64::MAX], |row| row.get(0))
            .optional()?;
        let Some(last) = last else { return Ok(0) };
        let before = self.tally.items_deleted;
        self.apply_ack(queue, loaded(last))?;
        Ok(self.tally.items_deleted - before)
    }

    fn sweep_rows(&mut self) -> Result<Swept, Failure> {
        let unused = self.today.0.saturating_sub(self.shared.limits.channel_days);
        let forgotten: Vec<[u8; 32]> = self
            .connection
            .prepare_cached(
                "DELETE FROM channels WHERE channel_hash IN
                 (SELECT channel_hash FROM channels WHERE last_used_day < ?1 LIMIT ?2) RETURNING channel_hash",
            )?
            .query_map(params![unused, ROWS_AT_ONCE], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        for channel in &forgotten {
            self.state.channels.remove(&(*channel).into());
        }
        let invitations = self
            .connection
            .prepare_cached("DELETE FROM invitations WHERE expires_s < ?1")?
            // An expired one is kept a week, so that whoever comes late is told why.
            .execute([stored(
                self.shared.clock.unix_s().saturating_sub(7 * 86_400),
            )])?;
        let tokens = self
            .connection
            .prepare_cached(
                "DELETE FROM spent_tokens WHERE token_hash IN
                 (SELECT token_hash FROM spent_tokens WHERE last_day < ?1 LIMIT ?2)",
            )?
            .execute(params![self.today.0, ROWS_AT_ONCE])?;
        self.connection
            .prepare_cached("DELETE FROM ended_temporary_queues WHERE last_day < ?1")?
            .execute([self.today.0])?;
        let parcels = self.sweep_parcels(ROWS_AT_ONCE)?;
        Ok(Swept {
            channels: forgotten.len() as u64,
            parcels,
            invitations: invitations as u64,
            tokens: tokens as u64,
            ..Swept::default()
        })
    }
}
