//! Bells: by which hash a queue's owner hears, while locked, that something came.

use rusqlite::{OptionalExtension, params};

use super::read::Readers;
use super::writer::{Failure, Writer};
use super::{engine_error, loaded};
use crate::store::{Day, QueueId, RUNG_BYTES, Reply, StoreError, StoredBell};

impl Writer<'_> {
    pub(super) fn set_bell(&mut self, request: &(QueueId, StoredBell)) -> Result<bool, Failure> {
        let (queue, bell) = request;
        if !self.load_queue(queue)? {
            return Err(StoreError::UnknownQueue.into());
        }
        // Nobody finds another's hash by chance; who copies one takes nothing over.
        let others = self
            .connection
            .prepare_cached("SELECT 1 FROM bells WHERE bell_hash = ?1 AND queue_id <> ?2")?
            .exists(params![bell.hash, queue.as_bytes()])?;
        if others {
            return Ok(false);
        }
        self.connection
            .prepare_cached(
                "INSERT INTO bells (queue_id, bell_hash, last_day, rung) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (queue_id) DO UPDATE SET bell_hash = excluded.bell_hash, last_day = excluded.last_day, rung = excluded.rung",
            )?
            .execute(params![queue.as_bytes(), bell.hash, bell.last_day.0, bell.rung])?;
        Ok(true)
    }

    pub(super) fn bell_rung(
        &mut self,
        request: &([u8; 32], [u8; RUNG_BYTES]),
    ) -> Result<(), Failure> {
        let (hash, rung) = request;
        self.connection
            .prepare_cached("UPDATE bells SET rung = ?2 WHERE bell_hash = ?1")?
            .execute(params![hash, rung])?;
        Ok(())
    }

    /// Deletes the bells that have ended of the queues behind `after` up to `last`.
    pub(super) fn sweep_bells(&mut self, after: &[u8], last: &QueueId) -> rusqlite::Result<()> {
        self.connection
            .prepare_cached(
                "DELETE FROM bells WHERE queue_id > ?1 AND queue_id <= ?2 AND last_day < ?3",
            )?
            .execute(params![after, last.as_bytes(), self.today.0])?;
        Ok(())
    }
}

impl Readers {
    pub(super) fn bell(&self, hash: [u8; 32]) -> Reply<Option<(QueueId, StoredBell)>> {
        self.read(move |connection| {
            connection
                .prepare_cached("SELECT queue_id, last_day, rung FROM bells WHERE bell_hash = ?1")
                .and_then(|mut statement| {
                    statement
                        .query_row([hash], |row| {
                            let bell = StoredBell {
                                hash,
                                last_day: Day(row.get(1)?),
                                rung: row.get(2)?,
                            };
                            Ok((QueueId::new(row.get(0)?), bell))
                        })
                        .optional()
                })
                .map_err(engine_error)
        })
    }

    pub(super) fn newest(&self, queue: QueueId) -> Reply<Option<u64>> {
        self.read(move |connection| {
            let newest: Option<i64> = connection
                .prepare_cached(
                    "SELECT max(sequence) FROM items WHERE queue_id = ?1 AND sequence >=
                     coalesce((SELECT floor FROM queue_floors WHERE queue_id = ?1), 0)",
                )
                .and_then(|mut statement| statement.query_row([queue.as_bytes()], |row| row.get(0)))
                .map_err(engine_error)?;
            Ok(newest.map(loaded))
        })
    }
}
