//! Queues: registering, signing in, acknowledging, and the sealing keys of their items.

use std::collections::VecDeque;
use std::sync::Arc;

use rusqlite::{OptionalExtension, params};
use undertone_wire::hpke::HpkePublicKey;
use undertone_wire::seal::SealingKey;

use super::state::{ActiveKey, Held, QueueState};
use super::writer::{Failure, Writer};
use super::{loaded, stored};
use crate::store::{
    Day, KeyId, Position, QueueId, Registration, SealKey, StoreError, TokenAllowance,
};

/// Days a temporary queue outlives the one it was made on: so it lives at least one whole day, and at most two.
const TEMPORARY_DAYS: u32 = 1;

/// How many times [`StoreLimits::temporary_queues`](crate::store::StoreLimits) may have been made and given tokens before their last days
/// are over. Enough for apps, which delete theirs after a minute; a server that runs out of them makes none for a day or two.
const ENDED: u32 = 16;

/// A queue's newest sealing key cannot be made, because its owner registered a public key that is none.
pub(super) struct Unsealable;

impl Writer<'_> {
    pub(super) fn register(&mut self, registration: &Registration) -> Result<Position, Failure> {
        let queue = registration.queue;
        let held: Option<[u8; 32]> = self
            .connection
            .prepare_cached("SELECT signing_key FROM queues WHERE queue_id = ?1")?
            .query_row([queue.as_bytes()], |row| row.get(0))
            .optional()?;
        if let Some(signing_key) = held {
            if signing_key != registration.signing_key {
                return Err(StoreError::QueueTaken.into());
            }
            return self.sign_in(&queue);
        }
        if self.full {
            return Err(StoreError::Full.into());
        }
        if self.is_being_erased(&queue)? {
            return Err(StoreError::Busy.into());
        }
        if registration.temporary {
            self.take_temporary(&queue)?;
        } else {
            self.use_invitation(registration)?;
        }
        self.connection
            .prepare_cached(
                "INSERT INTO queues (queue_id, signing_key, hpke_key, hpke_key_day, last_day) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![
                queue.as_bytes(),
                registration.signing_key,
                registration.hpke_key,
                self.today.0,
                if registration.temporary {
                    self.today.plus(TEMPORARY_DAYS).0
                } else {
                    self.today.plus(self.shared.limits.queue_days).0
                }
            ])?;
        self.sign_in(&queue)
    }

    /// Makes room for one more temporary queue, if there is any. One that was deleted makes room for another at once; but if it had been
    /// given tokens it still counts among [`ENDED`] times as many until its last day, so that nobody makes and deletes them for more.
    fn take_temporary(&mut self, queue: &QueueId) -> Result<(), Failure> {
        let (held, ended): (u32, u32) = self
            .connection
            .prepare_cached(
                "SELECT (SELECT count(*) FROM temporary_queues),
                 (SELECT coalesce(sum(queues), 0) FROM ended_temporary_queues WHERE last_day >= ?1)",
            )?
            .query_row([self.today.0], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let most = self.shared.limits.temporary_queues;
        if held >= most || held.saturating_add(ended) >= most.saturating_mul(ENDED) {
            return Err(StoreError::TooManyTemporary.into());
        }
        self.connection
            .prepare_cached("INSERT INTO temporary_queues (queue_id) VALUES (?1)")?
            .execute([queue.as_bytes()])?;
        Ok(())
    }

    /// Whether a queue is a temporary one; brings it into memory.
    pub(super) fn is_temporary(&mut self, queue: &QueueId) -> rusqlite::Result<bool> {
        self.load_queue(queue)?;
        let state = self.state.queues.get(queue);
        Ok(state.is_some_and(|state| state.temporary))
    }

    pub(super) fn sign_in(&mut self, queue: &QueueId) -> Result<Position, Failure> {
        if !self.load_queue(queue)? {
            return Err(StoreError::UnknownQueue.into());
        }
        let (hpke_key_day, last_day): (u32, u32) = self
            .connection
            .prepare_cached("SELECT hpke_key_day, last_day FROM queues WHERE queue_id = ?1")?
            .query_row([queue.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let pushed_out = self.today.plus(self.shared.limits.queue_days).0;
        if last_day != pushed_out && !self.is_temporary(queue)? {
            self.connection
                .prepare_cached("UPDATE queues SET last_day = ?2 WHERE queue_id = ?1")?
                .execute(params![queue.as_bytes(), pushed_out])?;
        }
        let Some(state) = self.state.queues.get(queue) else {
            return Err(StoreError::UnknownQueue.into());
        };
        Ok(Position {
            incarnation: self.shared.incarnation,
            first_sequence: state.floor,
            next_sequence: state.next,
            hpke_key_day: Day(hpke_key_day),
        })
    }

    pub(super) fn rotate_queue_key(
        &mut self,
        request: &(QueueId, Box<[u8]>),
    ) -> Result<(), Failure> {
        let (queue, hpke_key) = request;
        if !self.load_queue(queue)? {
            return Err(StoreError::UnknownQueue.into());
        }
        self.connection
            .prepare_cached(
                "UPDATE queues SET hpke_key = ?2, hpke_key_day = ?3 WHERE queue_id = ?1",
            )?
            .execute(params![queue.as_bytes(), hpke_key, self.today.0])?;
        if let Some(state) = self.state.queues.get_mut(queue) {
            state.active = None;
        }
        self.drop_dead_keys(queue)?;
        Ok(())
    }

    pub(super) fn delete_queue(&mut self, queue: &QueueId) -> Result<(), Failure> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT address_hash FROM addresses WHERE queue_id = ?1")?;
        let addresses = statement
            .query_map([queue.as_bytes()], |row| row.get::<_, [u8; 32]>(0))?
            .collect::<rusqlite::Result<Vec<_>>>()?;
        drop(statement);
        for address in addresses {
            self.delete_address(&address.into())?;
        }
        self.scrub.needed = true;
        self.write_items()?;
        let floor = if self.erase_queue(queue)? {
            "INSERT OR REPLACE INTO queue_floors (queue_id, floor) VALUES (?1, 9223372036854775807)"
        } else {
            "DELETE FROM queue_floors WHERE queue_id = ?1"
        };
        self.connection
            .prepare_cached(
                "INSERT INTO ended_temporary_queues (last_day, queues)
                 SELECT last_day, 1 FROM queues WHERE queue_id = ?1 AND last_day >= ?2
                 AND queue_id IN (SELECT queue_id FROM temporary_queues)
                 AND queue_id IN (SELECT queue_id FROM token_allowances)
                 ON CONFLICT (last_day) DO UPDATE SET queues = queues + 1",
            )?
            .execute(params![queue.as_bytes(), self.today.0])?;
        for sql in [
            floor,
            "DELETE FROM sealing_keys WHERE queue_id = ?1",
            "DELETE FROM token_allowances WHERE queue_id = ?1",
            "DELETE FROM invitation_allowances WHERE queue_id = ?1",
            "DELETE FROM bells WHERE queue_id = ?1",
            "DELETE FROM temporary_queues WHERE queue_id = ?1",
            "DELETE FROM queues WHERE queue_id = ?1",
        ] {
            self.connection
                .prepare_cached(sql)?
                .execute([queue.as_bytes()])?;
        }
        self.state.queues.remove(queue);
        Ok(())
    }

    pub(super) fn take_token_allowance(
        &mut self,
        request: &(QueueId, u32, u32),
    ) -> Result<TokenAllowance, Failure> {
        let (queue, count, daily) = *request;
        if !self.load_queue(&queue)? {
            return Err(StoreError::UnknownQueue.into());
        }
        let temporary = self.is_temporary(&queue)?;
        // A temporary queue has its few tokens once, not every day.
        let issued: u32 = self
            .connection
            .prepare_cached(
                "SELECT issued FROM token_allowances WHERE queue_id = ?1 AND (day = ?2 OR ?3)",
            )?
            .query_row(params![queue.as_bytes(), self.today.0, temporary], |row| {
                row.get(0)
            })
            .optional()?
            .unwrap_or(0);
        let daily = if temporary {
            daily.min(self.shared.limits.temporary_tokens)
        } else {
            daily
        };
        let left = daily.saturating_sub(issued);
        if count == 0 {
            return Ok(TokenAllowance { left, temporary });
        }
        if count > left {
            return Err(StoreError::AllowanceSpent.into());
        }
        self.connection
            .prepare_cached(
                "INSERT INTO token_allowances (queue_id, day, issued) VALUES (?1, ?2, ?3)
                 ON CONFLICT (queue_id) DO UPDATE SET day = excluded.day, issued = excluded.issued",
            )?
            .execute(params![queue.as_bytes(), self.today.0, issued + count])?;
        Ok(TokenAllowance {
            left: left - count,
            temporary,
        })
    }

    /// Brings a queue into memory. Answers whether there is such a queue.
    pub(super) fn load_queue(&mut self, queue: &QueueId) -> rusqlite::Result<bool> {
        if self.state.queues.contains_key(queue) {
            return Ok(true);
        }
        let known = self
            .connection
            .prepare_cached("SELECT 1 FROM queues WHERE queue_id = ?1")?
            .exists([queue.as_bytes()])?;
        if !known {
            return Ok(false);
        }
        let temporary = self
            .connection
            .prepare_cached("SELECT 1 FROM temporary_queues WHERE queue_id = ?1")?
            .exists([queue.as_bytes()])?;
        let stored_floor: Option<i64> = self
            .connection
            .prepare_cached("SELECT floor FROM queue_floors WHERE queue_id = ?1")?
            .query_row([queue.as_bytes()], |row| row.get(0))
            .optional()?;
        let stored_floor = stored_floor.map_or(1, loaded);
        self.write_items()?;
        let mut held = Held::default();
        let mut range: Option<(u64, u64)> = None;
        {
            // What lies below the floor is as good as deleted.
            let mut statement = self.connection.prepare_cached(
                "SELECT sequence, length(sealed) FROM items WHERE queue_id = ?1 AND sequence >= ?2 ORDER BY sequence",
            )?;
            let mut rows = statement.query(params![queue.as_bytes(), stored(stored_floor)])?;
            while let Some(row) = rows.next()? {
                let sequence = loaded(row.get(0)?);
                held.push(row.get::<_, usize>(1)?);
                range = Some((range.map_or(sequence, |(first, _)| first), sequence));
            }
        }
        let mut statement = self.connection.prepare_cached(
            "SELECT key_id, first_sequence FROM sealing_keys WHERE queue_id = ?1 ORDER BY first_sequence",
        )?;
        let keys = statement
            .query_map([queue.as_bytes()], |row| {
                Ok((KeyId::new(row.get(0)?), loaded(row.get(1)?)))
            })?
            .collect::<rusqlite::Result<VecDeque<_>>>()?;
        drop(statement);
        let next = range.map_or(stored_floor, |(_, last)| stored_floor.max(last + 1));
        let floor = range.map_or(next, |(first, _)| first);
        let state = QueueState {
            next,
            temporary,
            addresses: None,
            floor,
            floor_unsaved: false,
            held,
            keys,
            active: None,
        };
        self.state.queues.insert(*queue, state);
        self.drop_dead_keys(queue)?;
        Ok(true)
    }

    /// Deletes the items up to `sequence`.
    pub(super) fn apply_ack(&mut self, queue: &QueueId, sequence: u64) -> rusqlite::Result<()> {
        if !self.load_queue(queue)? {
            return Ok(());
        }
        self.write_items()?;
        let Some(state) = self.state.queues.get(queue) else {
            return Ok(());
        };
        let sequence = sequence.min(state.next - 1);
        if sequence < state.floor {
            return Ok(());
        }
        // Sequences are given out without gaps, so these are the oldest items that are held.
        let count = (sequence + 1 - state.floor).min(state.held.items);
        let bytes = state.held.bytes_of(count);
        if self.may_erase_now(queue, bytes) {
            self.hot
                .delete_items
                .execute(params![queue.as_bytes(), stored(sequence)])?;
        } else {
            self.doom(queue);
        }
        let Some(state) = self.state.queues.get_mut(queue) else {
            return Ok(());
        };
        self.scrub.needed |= count > 0;
        state.held.pop(count);
        state.floor = sequence + 1;
        if !std::mem::replace(&mut state.floor_unsaved, true) {
            self.unsaved_queues.push(*queue);
        }
        self.tally.items_deleted += count;
        self.drop_dead_keys(queue)
    }

    /// Writes down how far the queues of this transaction have come, so that no sequence is given out twice.
    pub(super) fn save_queues(&mut self) -> rusqlite::Result<()> {
        for queue in std::mem::take(&mut self.unsaved_queues) {
            let Some(state) = self.state.queues.get_mut(&queue) else {
                continue;
            };
            state.floor_unsaved = false;
            self.connection
                .prepare_cached(
                    "INSERT INTO queue_floors (queue_id, floor) VALUES (?1, ?2)
                     ON CONFLICT (queue_id) DO UPDATE SET floor = excluded.floor",
                )?
                .execute(params![queue.as_bytes(), stored(state.floor)])?;
        }
        Ok(())
    }

    /// Makes sure that a loaded queue has a sealing key that may be used. Its row is written before its first item.
    pub(super) fn ensure_key(
        &mut self,
        queue: &QueueId,
    ) -> rusqlite::Result<Result<(), Unsealable>> {
        let (now, max_age) = (self.now, self.shared.limits.sealing_key_age);
        let Some(state) = self.state.queues.get_mut(queue) else {
            return Ok(Err(Unsealable));
        };
        if state.active.as_ref().is_some_and(|active| {
            !active.key.is_used_up() && now.saturating_sub(active.born) < max_age
        }) {
            return Ok(Ok(()));
        }
        state.active = None;
        let first = state.next;
        self.drop_dead_keys(queue)?;
        let (hpke_key, hpke_key_day): (Vec<u8>, u32) = self
            .connection
            .prepare_cached("SELECT hpke_key, hpke_key_day FROM queues WHERE queue_id = ?1")?
            .query_row([queue.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let made = SealingKey::generate().and_then(|key| {
            let owner = HpkePublicKey::from_bytes(hpke_key.into())?;
            let row = key.seal_to_owner(queue, &owner, hpke_key_day)?;
            Ok((key, row))
        });
        let Ok((key, row)) = made else {
            return Ok(Err(Unsealable));
        };
        self.connection
            .prepare_cached(
                "INSERT INTO sealing_keys (queue_id, key_id, first_sequence, enc, sealed, hpke_key_day)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![
                queue.as_bytes(),
                row.key_id.as_bytes(),
                stored(first),
                &row.enc[..],
                &row.sealed[..],
                hpke_key_day
            ])?;
        let row = Arc::new(SealKey {
            key_id: row.key_id,
            enc: row.enc,
            sealed: row.sealed,
            hpke_key_day: Day(hpke_key_day),
        });
        if let Some(state) = self.state.queues.get_mut(queue) {
            state.keys.push_back((row.key_id, first));
            state.active = Some(ActiveKey {
                key,
                row,
                born: now,
            });
        }
        Ok(Ok(()))
    }

    /// Deletes the rows of sealing keys whose last item is gone, but not that of the one in use.
    pub(super) fn drop_dead_keys(&mut self, queue: &QueueId) -> rusqlite::Result<()> {
        let Some(state) = self.state.queues.get_mut(queue) else {
            return Ok(());
        };
        while let Some((key_id, _)) = state.keys.front().copied() {
            // One past the last sequence that the key can have sealed.
            let end = match state.keys.get(1) {
                Some((_, next_first)) => *next_first,
                None if state.active.is_some() => break,
                None => state.next,
            };
            if end > state.floor {
                break;
            }
            state.keys.pop_front();
            self.connection
                .prepare_cached("DELETE FROM sealing_keys WHERE queue_id = ?1 AND key_id = ?2")?
                .execute(params![queue.as_bytes(), key_id.as_bytes()])?;
        }
        Ok(())
    }

    /// Takes sealing keys that have grown old out of memory, whether or not another item comes.
    pub(super) fn retire_idle_keys(&mut self) -> rusqlite::Result<()> {
        let (now, max_age) = (self.now, self.shared.limits.sealing_key_age);
        let old: Vec<QueueId> = self
            .state
            .queues
            .iter()
            .filter(|(_, state)| {
                state
                    .active
                    .as_ref()
                    .is_some_and(|active| now.saturating_sub(active.born) >= max_age)
            })
            .map(|(queue, _)| *queue)
            .collect();
        for queue in old {
            if let Some(state) = self.state.queues.get_mut(&queue) {
                state.active = None;
            }
            self.drop_dead_keys(&queue)?;
        }
        Ok(())
    }
}
