//! Deleting much at once: a share in each transaction.
//!
//! Every deleted byte is overwritten, and that goes through the log. What an acknowledgement, an expiry or the end of a queue deletes
//! beyond a few megabytes is therefore gone at once for everybody who asks (the queue's floor lies above it), and deleted in steps
//! between batches, so that nobody waits for it and a disk that is nearly full has room for it.
//!
//! What must stay true: only what lies below a floor that is in the database is deleted here, so a transaction that was rolled back
//! deletes nothing afterwards; what a dead process left is found by the sweep.

use rusqlite::{OptionalExtension, params};

use super::loaded;
use super::writer::{Failure, Writer};
use crate::store::QueueId;

/// Bytes that one acknowledgement, expiry or end of a queue deletes in the transaction it belongs to, and one step after it.
const STEP: u64 = 4 << 20;
/// Bytes that all of a transaction delete in it.
pub(super) const IN_ONE_TRANSACTION: u64 = 16 << 20;
/// The floor of a queue that is no more: everything lies below.
pub(super) const GONE: i64 = i64::MAX;
/// Floors looked at in one step of the sweep.
const FLOORS_AT_ONCE: u32 = 1024;

impl Writer<'_> {
    /// Whether so many bytes of a queue may be deleted in this transaction; they count.
    pub(super) fn may_erase_now(&mut self, queue: &QueueId, bytes: u64) -> bool {
        if bytes > STEP || bytes > self.erasable || self.doomed.contains(queue) {
            return false;
        }
        self.erasable -= bytes;
        true
    }

    /// What lies below the queue's floor is deleted from now on.
    pub(super) fn doom(&mut self, queue: &QueueId) {
        if !self.doomed.contains(queue) {
            self.doomed.push_back(*queue);
        }
    }

    /// Whether there is something to delete.
    pub(super) fn has_doomed(&self) -> bool {
        !self.doomed.is_empty()
    }

    /// Does one step in a transaction of its own. What fails is left to the sweep.
    pub(super) fn erase_step(&mut self) {
        let Some(queue) = self.doomed.front().copied() else {
            return;
        };
        match self.try_erase(&queue) {
            Ok(true) => {}
            Ok(false) => {
                self.doomed.pop_front();
            }
            Err(error) => {
                let _ = self.connection.execute_batch("ROLLBACK");
                self.doomed.clear();
                tracing::warn!(error = %super::engine_error(error), "deleted items not erased; the sweep will");
            }
        }
    }

    /// Answers whether there is more.
    fn try_erase(&mut self, queue: &QueueId) -> rusqlite::Result<bool> {
        self.connection.execute_batch("BEGIN IMMEDIATE")?;
        let floor: Option<i64> = self
            .connection
            .prepare_cached("SELECT floor FROM queue_floors WHERE queue_id = ?1")?
            .query_row([queue.as_bytes()], |row| row.get(0))
            .optional()?;
        let mut more = false;
        if let Some(floor) = floor {
            let share = self.first_share(queue, floor)?;
            if let Some((last, _)) = share.last {
                self.hot
                    .delete_items
                    .execute(params![queue.as_bytes(), last])?;
                self.scrub.needed = true;
            }
            more = share.more;
            if floor == GONE && !more {
                self.connection
                    .prepare_cached("DELETE FROM queue_floors WHERE queue_id = ?1")?
                    .execute([queue.as_bytes()])?;
            }
        }
        self.connection.execute_batch("COMMIT")?;
        Ok(more)
    }

    /// The first few megabytes of what a queue has below `floor`.
    fn first_share(&self, queue: &QueueId, floor: i64) -> rusqlite::Result<Share> {
        let mut statement = self.connection.prepare_cached(
            "SELECT sequence, length(sealed) FROM items WHERE queue_id = ?1 AND sequence < ?2 ORDER BY sequence",
        )?;
        let mut rows = statement.query(params![queue.as_bytes(), floor])?;
        let mut share = Share {
            last: None,
            more: false,
        };
        while let Some(row) = rows.next()? {
            let bytes = share.last.map_or(0, |(_, bytes)| bytes);
            if bytes >= STEP {
                share.more = true;
                break;
            }
            share.last = Some((row.get(0)?, bytes + loaded(row.get(1)?)));
        }
        Ok(share)
    }

    /// Deletes the items of a queue that ends. Answers whether some are left for later, below [`GONE`].
    pub(super) fn erase_queue(&mut self, queue: &QueueId) -> rusqlite::Result<bool> {
        let share = self.first_share(queue, GONE)?;
        let bytes = share.last.map_or(0, |(_, bytes)| bytes);
        if !share.more && self.may_erase_now(queue, bytes) {
            self.connection
                .prepare_cached("DELETE FROM items WHERE queue_id = ?1")?
                .execute([queue.as_bytes()])?;
            return Ok(false);
        }
        self.doom(queue);
        Ok(true)
    }

    /// Whether a queue of this name has ended and is still being deleted.
    pub(super) fn is_being_erased(&self, queue: &QueueId) -> rusqlite::Result<bool> {
        self.connection
            .prepare_cached("SELECT 1 FROM queue_floors WHERE queue_id = ?1 AND floor = ?2")?
            .exists(params![queue.as_bytes(), GONE])
    }

    /// Finds what a process left that died before it had deleted all. Answers where the next step goes on.
    pub(super) fn find_doomed(
        &mut self,
        after: &Option<QueueId>,
    ) -> Result<Option<QueueId>, Failure> {
        let after = after.as_ref().map_or(&[][..], |queue| queue.as_bytes());
        let mut statement = self.connection.prepare_cached(
            "SELECT queue_id, floor = ?3 OR EXISTS
             (SELECT 1 FROM items i WHERE i.queue_id = f.queue_id AND i.sequence < f.floor)
             FROM queue_floors f WHERE queue_id > ?1 ORDER BY queue_id LIMIT ?2",
        )?;
        let found = statement
            .query_map(params![after, FLOORS_AT_ONCE, GONE], |row| {
                Ok((QueueId::new(row.get(0)?), row.get(1)?))
            })?
            .collect::<rusqlite::Result<Vec<(QueueId, bool)>>>()?;
        drop(statement);
        let last = found.last().map(|(queue, _)| *queue);
        for (queue, doomed) in found {
            if doomed {
                self.doom(&queue);
            }
        }
        Ok(last)
    }
}

/// The last sequence of a share, with the bytes up to it, and whether anything is left.
struct Share {
    last: Option<(i64, u64)>,
    more: bool,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::path::Path;
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    use bytes::Bytes;

    use super::super::tests::options;
    use super::super::{DATABASE, SqliteStore};
    use crate::store::StoreError;
    use crate::store::conformance::{Owner, World, direct};

    const ITEMS: usize = 2300;

    /// A world with a queue in which 160 megabytes wait.
    fn full_queue(folder: &Path) -> (World, Owner, crate::store::AddressHash) {
        let folder = folder.to_path_buf();
        let mut world = World::new(Box::new(move |parts| {
            SqliteStore::open(&folder, options(parts)).unwrap()
        }));
        world.limit(|limits| {
            limits.conversation.bytes = 1 << 30;
            limits.checkpoint_every = Duration::from_millis(100);
        });
        let ada = world.owner();
        let address = world.conversation(&ada);
        let payload = Bytes::from(vec![7; 60_000]);
        for _ in 0..ITEMS / 100 {
            let replies: Vec<_> = (0..100)
                .map(|_| {
                    let mut send = direct("", &[address]);
                    send.payload = payload.clone();
                    world.store.send(send)
                })
                .collect();
            for reply in replies {
                assert!(reply.wait().unwrap().missed.is_empty());
            }
        }
        (world, ada, address)
    }

    fn log_bytes(folder: &Path) -> u64 {
        let log = folder.join(format!("{DATABASE}-wal"));
        std::fs::metadata(log).map_or(0, |file| file.len())
    }

    /// Until that many items are left in the database; the longest that the log was meanwhile.
    fn until_left(world: &World, folder: &Path, items: u64) -> u64 {
        let deadline = Instant::now() + Duration::from_secs(120);
        let mut longest = 0;
        while world.counts().items != items {
            assert!(Instant::now() < deadline, "{:?}", world.counts());
            longest = longest.max(log_bytes(folder));
            std::thread::sleep(Duration::from_millis(1));
        }
        longest
    }

    #[test]
    fn a_full_queue_is_deleted_in_steps_and_gone_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let (mut world, ada, address) = full_queue(folder.path());
        world.restart();
        world.ack(&ada, u64::MAX);
        assert!(world.fetch(&ada, 0).is_empty());
        world.send("next", &[address]).unwrap();
        assert_eq!(world.texts(&ada), ["next"]);
        let longest = until_left(&world, folder.path(), 1);
        assert!(longest < 100 << 20, "{longest} bytes of log");
        assert_eq!(world.texts(&ada), ["next"]);
    }

    #[test]
    fn a_queue_that_ends_is_deleted_in_steps_and_its_name_is_free_then() {
        let folder = tempfile::tempdir().unwrap();
        let (world, ada, _) = full_queue(folder.path());
        // What filling it has left in the log is cut away first.
        let deadline = Instant::now() + Duration::from_secs(60);
        while log_bytes(folder.path()) > 8 << 20 {
            assert!(Instant::now() < deadline);
            std::thread::sleep(Duration::from_millis(10));
        }
        world.store.delete_queue(ada.queue).wait().unwrap();
        assert_eq!(
            world.store.sign_in(ada.queue).wait().err(),
            Some(StoreError::UnknownQueue)
        );
        let again = world.store.register(ada.registration()).wait();
        assert!(again.is_err_and(|error| error == StoreError::Busy));
        let longest = until_left(&world, folder.path(), 0);
        assert!(longest < 100 << 20, "{longest} bytes of log");
        // The last step has been taken when this is answered, or is about to be.
        let deadline = Instant::now() + Duration::from_secs(20);
        while world.store.register(ada.registration()).wait().is_err() {
            assert!(Instant::now() < deadline);
        }
        assert!(world.fetch(&ada, 0).is_empty());
    }

    /// A process died between an acknowledgement and the last step: its owner sees nothing of that, and the sweep goes on with it.
    #[test]
    fn what_a_dead_process_left_is_deleted_by_the_sweep() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_path_buf();
        let mut world = World::new(Box::new(move |parts| {
            SqliteStore::open(&path, options(parts)).unwrap()
        }));
        let ada = world.owner();
        let address = world.conversation(&ada);
        for text in ["one", "two", "three"] {
            world.send(text, &[address]).unwrap();
        }
        world.store.close().wait().unwrap();
        let database = rusqlite::Connection::open(folder.path().join(DATABASE)).unwrap();
        database
            .execute(
                "INSERT INTO queue_floors (queue_id, floor) VALUES (?1, 3)",
                [ada.queue.as_bytes()],
            )
            .unwrap();
        drop(database);
        world.restart();
        assert_eq!(world.store.newest(ada.queue).wait().unwrap(), Some(3));
        assert_eq!(world.texts(&ada), ["three"]);
        let position = world.store.sign_in(ada.queue).wait().unwrap();
        assert_eq!((position.first_sequence, position.next_sequence), (3, 4));
        world.ack(&ada, 3);
        assert_eq!(world.store.newest(ada.queue).wait().unwrap(), None);
        world.send("four", &[address]).unwrap();
        world.store.sweep().wait().unwrap();
        until_left(&world, folder.path(), 1);
        assert_eq!(world.texts(&ada), ["four"]);
    }

    #[test]
    fn nothing_is_doomed_by_what_was_rolled_back() {
        let folder = tempfile::tempdir().unwrap();
        let hub = crate::delivery::Hub::new(Default::default());
        let options = super::super::Options::new(folder.path(), hub);
        let store = SqliteStore::open(folder.path(), options).unwrap();
        let opened = Arc::clone(&store);
        let world = World::new(Box::new(move |_| opened.clone()));
        let ada = world.owner();
        let address = world.conversation(&ada);
        world.send("hello", &[address]).unwrap();
        store
            .write(ada.queue, |writer, queue| {
                writer.doom(queue);
                Ok(())
            })
            .wait()
            .unwrap();
        world.send("still here", &[address]).unwrap();
        assert_eq!(world.texts(&ada), ["hello", "still here"]);
    }
}
