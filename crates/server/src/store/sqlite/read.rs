//! Reads, on threads and connections of their own, so that they never wait for the writer.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, params};
use undertone_wire::limits::PARCELS_PER_REQUEST;

use super::addresses::kind_number;
use super::open::open_reader;
use super::{engine_error, loaded, stored};
use crate::store::{
    AddressHash, AddressKind, BlobHash, BlobRecord, ChannelHash, Counts, Day, FetchLimit, Fetched,
    KeyId, QueueId, QueueRecord, Reply, SealKey, StoreError, StoredItem, WaitingParcel, reply,
};

/// More than the readers do at once waits here; more than this is refused.
const WAITING: usize = 65_536;
const READERS: usize = 2;

type Read = Box<dyn FnOnce(&Connection) + Send>;

/// The reader threads. They end when this is dropped.
pub(super) struct Readers {
    queue: Arc<Queue>,
}

#[derive(Default)]
struct Queue {
    state: Mutex<State>,
    work: Condvar,
}

#[derive(Default)]
struct State {
    reads: VecDeque<Read>,
    closed: bool,
}

impl Readers {
    pub(super) fn start(folder: &Path) -> Result<Self, StoreError> {
        let queue = Arc::new(Queue::default());
        let readers = Self {
            queue: Arc::clone(&queue),
        };
        for _ in 0..READERS {
            let connection = open_reader(folder)?;
            let queue = Arc::clone(&queue);
            thread::Builder::new()
                .name("store-reader".to_owned())
                .spawn(move || {
                    while let Some(read) = queue.next() {
                        // A read that panics answers `Closed` by dropping its responder, and takes no reader with it.
                        let _ = catch_unwind(AssertUnwindSafe(|| read(&connection)));
                    }
                })?;
        }
        Ok(readers)
    }

    pub(super) fn close(&self) {
        self.queue
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .closed = true;
        self.queue.work.notify_all();
    }

    pub(super) fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Reply<T> {
        let (responder, answer) = reply();
        let mut state = self
            .queue
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if state.closed {
            return Reply::known(Err(StoreError::Closed));
        }
        if state.reads.len() >= WAITING {
            return Reply::known(Err(StoreError::Busy));
        }
        state.reads.push_back(Box::new(move |connection| {
            responder.answer(read(connection))
        }));
        drop(state);
        self.queue.work.notify_one();
        answer
    }

    pub(super) fn queue(&self, queue: QueueId) -> Reply<Option<QueueRecord>> {
        self.read(move |connection| read_queue(connection, &queue).map_err(engine_error))
    }

    pub(super) fn resolve(&self, addresses: Vec<AddressHash>) -> Reply<Vec<Option<QueueId>>> {
        self.read(move |connection| {
            let mut statement = connection
                .prepare_cached(
                    "SELECT queue_id FROM addresses WHERE address_hash = ?1 AND kind = ?2",
                )
                .map_err(engine_error)?;
            let kind = kind_number(AddressKind::Conversation);
            addresses
                .iter()
                .map(|address| {
                    statement
                        .query_row(params![address.as_bytes(), kind], |row| {
                            Ok(QueueId::new(row.get(0)?))
                        })
                        .optional()
                })
                .collect::<rusqlite::Result<_>>()
                .map_err(engine_error)
        })
    }

    pub(super) fn exist(&self, addresses: Vec<AddressHash>) -> Reply<Vec<bool>> {
        self.read(move |connection| {
            let mut statement = connection
                .prepare_cached(
                    "SELECT EXISTS (SELECT 1 FROM addresses WHERE address_hash = ?1)
                     OR EXISTS (SELECT 1 FROM renamed_addresses WHERE old_hash = ?1)",
                )
                .map_err(engine_error)?;
            addresses
                .iter()
                .map(|address| statement.query_row([address.as_bytes()], |row| row.get(0)))
                .collect::<rusqlite::Result<_>>()
                .map_err(engine_error)
        })
    }

    pub(super) fn has_guests(&self, channel: ChannelHash) -> Reply<bool> {
        self.read(move |connection| {
            connection
                .prepare_cached("SELECT hosted FROM channels WHERE channel_hash = ?1")
                .and_then(|mut statement| {
                    let hosted = statement.query_row([channel.as_bytes()], |row| row.get(0));
                    hosted.optional()
                })
                .map(|hosted| hosted.unwrap_or(false))
                .map_err(engine_error)
        })
    }

    pub(super) fn fetch(&self, queue: QueueId, from: u64, limit: FetchLimit) -> Reply<Fetched> {
        self.read(move |connection| {
            read_items(connection, &queue, from, limit).map_err(engine_error)
        })
    }

    pub(super) fn blob(&self, blob: BlobHash) -> Reply<BlobRecord> {
        self.read(move |connection| {
            read_blob(connection, &blob)
                .map_err(engine_error)?
                .ok_or(StoreError::UnknownBlob)
        })
    }

    pub(super) fn record(&self, name: &'static str) -> Reply<Option<Vec<u8>>> {
        self.read(move |connection| {
            connection
                .prepare_cached("SELECT value FROM server_records WHERE name = ?1")
                .and_then(|mut statement| statement.query_row([name], |row| row.get(0)).optional())
                .map_err(engine_error)
        })
    }

    pub(super) fn blob_bytes(&self) -> Reply<u64> {
        self.read(|connection| read_blob_bytes(connection).map_err(engine_error))
    }

    pub(super) fn parcel_servers(&self) -> Reply<Vec<String>> {
        self.read(|connection| {
            // A step for each server, however much waits for it.
            let mut statement = connection
                .prepare_cached(
                    "SELECT server FROM parcels WHERE server > ?1 ORDER BY server LIMIT 1",
                )
                .map_err(engine_error)?;
            let mut servers: Vec<String> = Vec::new();
            loop {
                let after = servers.last().map_or("", String::as_str);
                let next = statement
                    .query_row([after], |row| row.get(0))
                    .optional()
                    .map_err(engine_error)?;
                match next {
                    Some(server) => servers.push(server),
                    None => return Ok(servers),
                }
            }
        })
    }

    pub(super) fn parcels(&self, server: String, bytes: usize) -> Reply<Vec<WaitingParcel>> {
        self.read(move |connection| read_parcels(connection, &server, bytes).map_err(engine_error))
    }

    pub(super) fn counts(&self, database: &Path) -> Reply<Counts> {
        let mut log = database.as_os_str().to_owned();
        log.push("-wal");
        let length = |path: &Path| std::fs::metadata(path).map_or(0, |file| file.len());
        let database_bytes = length(database) + length(Path::new(&log));
        self.read(move |connection| {
            let counts = read_counts(connection).map_err(engine_error)?;
            Ok(Counts {
                database_bytes,
                ..counts
            })
        })
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.close();
    }
}

impl Queue {
    /// Waits for a read; `None` once closed and empty.
    fn next(&self) -> Option<Read> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(read) = state.reads.pop_front() {
                return Some(read);
            }
            if state.closed {
                return None;
            }
            state = self
                .work
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

fn read_queue(connection: &Connection, queue: &QueueId) -> rusqlite::Result<Option<QueueRecord>> {
    connection
        .prepare_cached(
            "SELECT signing_key, hpke_key, hpke_key_day FROM queues WHERE queue_id = ?1",
        )?
        .query_row([queue.as_bytes()], |row| {
            Ok(QueueRecord {
                signing_key: row.get(0)?,
                hpke_key: row.get::<_, Vec<u8>>(1)?.into(),
                hpke_key_day: Day(row.get(2)?),
            })
        })
        .optional()
}

fn read_items(
    connection: &Connection,
    queue: &QueueId,
    from: u64,
    limit: FetchLimit,
) -> rusqlite::Result<Fetched> {
    // One transaction: an item's key row must not go between the two reads.
    let transaction = connection.unchecked_transaction()?;
    let mut fetched = Fetched {
        items: Vec::new(),
        complete: true,
    };
    let mut bytes = 0;
    let mut key: Option<Arc<SealKey>> = None;
    {
        let mut statement = transaction.prepare_cached(
            "SELECT sequence, key_id, nonce, sealed FROM items WHERE queue_id = ?1 AND sequence >=
             max(?2, coalesce((SELECT floor FROM queue_floors WHERE queue_id = ?1), 0))
             ORDER BY sequence LIMIT ?3",
        )?;
        let mut rows = statement.query(params![queue.as_bytes(), stored(from), limit.items])?;
        while let Some(row) = rows.next()? {
            let key_id = KeyId::new(row.get(1)?);
            let sealed = row.get_ref(3)?.as_blob()?;
            if !fetched.items.is_empty() && bytes + sealed.len() > limit.bytes {
                fetched.complete = false;
                break;
            }
            bytes += sealed.len();
            let key = match &key {
                Some(held) if held.key_id == key_id => Arc::clone(held),
                _ => Arc::clone(key.insert(Arc::new(read_key(&transaction, queue, key_id)?))),
            };
            fetched.items.push(StoredItem {
                sequence: loaded(row.get(0)?),
                nonce: loaded(row.get(2)?),
                sealed: Bytes::copy_from_slice(sealed),
                key,
            });
        }
    }
    if fetched.items.len() >= limit.items as usize {
        fetched.complete = false;
    }
    transaction.finish()?;
    Ok(fetched)
}

fn read_key(connection: &Connection, queue: &QueueId, key_id: KeyId) -> rusqlite::Result<SealKey> {
    connection
        .prepare_cached("SELECT enc, sealed, hpke_key_day FROM sealing_keys WHERE queue_id = ?1 AND key_id = ?2")?
        .query_row(params![queue.as_bytes(), key_id.as_bytes()], |row| {
            Ok(SealKey {
                key_id,
                enc: row.get::<_, Vec<u8>>(0)?.into(),
                sealed: row.get::<_, Vec<u8>>(1)?.into(),
                hpke_key_day: Day(row.get(2)?),
            })
        })
}

/// A blob's row, as the writer sees it too.
pub(super) fn read_blob(
    connection: &Connection,
    blob: &BlobHash,
) -> rusqlite::Result<Option<BlobRecord>> {
    connection
        .prepare_cached("SELECT size, uploaded, last_day FROM blobs WHERE blob_hash = ?1")?
        .query_row([blob.as_bytes()], |row| {
            Ok(BlobRecord {
                size: loaded(row.get(0)?),
                offset: loaded(row.get(1)?),
                last_day: Day(row.get(2)?),
            })
        })
        .optional()
}

fn read_blob_bytes(connection: &Connection) -> rusqlite::Result<u64> {
    connection
        .prepare_cached("SELECT coalesce(sum(uploaded), 0) FROM blobs")?
        .query_row([], |row| row.get(0))
        .map(loaded)
}

fn read_parcels(
    connection: &Connection,
    server: &str,
    bytes: usize,
) -> rusqlite::Result<Vec<WaitingParcel>> {
    let mut statement = connection.prepare_cached(
        "SELECT sequence, sealed FROM parcels WHERE server = ?1 ORDER BY sequence",
    )?;
    let mut rows = statement.query([server])?;
    let (mut parcels, mut total) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        let sealed: Vec<u8> = row.get(1)?;
        total += sealed.len();
        if !parcels.is_empty() && (total > bytes || parcels.len() >= PARCELS_PER_REQUEST) {
            break;
        }
        parcels.push(WaitingParcel {
            sequence: loaded(row.get(0)?),
            sealed,
        });
    }
    Ok(parcels)
}

fn read_counts(connection: &Connection) -> rusqlite::Result<Counts> {
    let one = |sql: &str| {
        connection
            .prepare_cached(sql)?
            .query_row([], |row| row.get::<_, i64>(0))
            .map(loaded)
    };
    Ok(Counts {
        queues: one("SELECT count(*) FROM queues")?,
        addresses: one("SELECT count(*) FROM addresses")?,
        items: one("SELECT count(*) FROM items")?,
        key_packages: one("SELECT count(*) FROM key_packages")?,
        channels: one("SELECT count(*) FROM channels")?,
        blobs: one("SELECT count(*) FROM blobs")?,
        blob_bytes: read_blob_bytes(connection)?,
        invitations: one("SELECT count(*) FROM invitations WHERE uses > 0")?,
        spent_tokens: one("SELECT count(*) FROM spent_tokens")?,
        parcels: one("SELECT count(*) FROM parcels")?,
        database_bytes: 0,
    })
}
