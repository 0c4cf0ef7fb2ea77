//! Large payloads (commits and Welcomes over 64 KiB) that were put in a blob: what is to be fetched, and what has come.

use rusqlite::{OptionalExtension as _, params};
use undertone_wire::{
    client_proto::BlobPointer,
    ids::{BlobId, sha256},
    origin::ServerAddress,
    secrets::Secret,
};

use super::{Work, elsewhere, held};
use crate::error::Result;

/// The largest one that is fetched: a Welcome to a group of several thousand.
const LARGEST: u64 = 16 * 1024 * 1024;
/// How often the server must say that it does not have it, with a growing wait between: it was there when the item was queued.
const ATTEMPTS: i64 = 3;

/// As stored (fetches.state).
const TO_FETCH: i64 = 0;
const HERE: i64 = 1;
const MISSING: i64 = 2;

/// What a held item's blob is doing.
pub(crate) enum Found {
    NotNeeded,
    Waiting,
    Here(Vec<u8>),
    Missing,
}

/// Something to fetch.
pub(crate) struct Fetch {
    pub(crate) item: i64,
    pub(crate) blob: BlobId,
    pub(crate) key: Secret<32>,
    pub(crate) hash: [u8; 32],
    pub(crate) size: u64,
    /// None: this account's own.
    pub(crate) server: Option<ServerAddress>,
}

/// Whether a pointer is whole and leads to the blob whose hash its sender named to the server. Any other is nothing, and all who get
/// it see that alike.
pub(crate) fn is_named(pointer: &BlobPointer, named: &[u8]) -> bool {
    pointer.blob_id.len() == 32
        && pointer.key.len() == 32
        && pointer.hash.len() == 32
        && pointer.size <= LARGEST
        && sha256(&pointer.blob_id) == named
}

/// A held item needs this blob, which is on `server` (as stored).
pub(crate) fn push(work: &Work<'_>, item: i64, pointer: &BlobPointer, server: &str) -> Result<()> {
    work.db.execute(
        "INSERT OR REPLACE INTO fetches (item, blob_id, key, hash, size, attempts, not_before_ms, body, state, server) VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6, x'', ?7, ?8)",
        params![
            item,
            &pointer.blob_id[..],
            &pointer.key[..],
            &pointer.hash[..],
            i64::try_from(pointer.size).unwrap_or(0),
            work.now_ms,
            TO_FETCH,
            server
        ],
    )?;
    work.wake();
    Ok(())
}

/// What is due. Whoever is not accepted leads this device to no server but its own.
pub(crate) fn due(work: &Work<'_>) -> Result<Vec<Fetch>> {
    let mut statement = work.db.prepare_cached(
        "SELECT item, blob_id, key, hash, size, server FROM fetches WHERE state = 0 AND not_before_ms <= ?1
            AND (server = '' OR NOT EXISTS (SELECT 1 FROM held_items h JOIN addresses a ON a.id = h.address JOIN conversations c ON c.id = a.conversation
                WHERE h.id = item AND (c.request = 1 OR c.link <> 0)))
         ORDER BY item LIMIT 4",
    )?;
    let rows = statement
        .query_map([work.now_ms], |row| {
            Ok((
                row.get::<_, i64>(0)?,
                row.get::<_, Vec<u8>>(1)?,
                row.get::<_, Vec<u8>>(2)?,
                row.get::<_, [u8; 32]>(3)?,
                row.get::<_, u64>(4)?,
                row.get::<_, String>(5)?,
            ))
        })?
        .collect::<std::result::Result<Vec<_>, _>>()?;
    rows.into_iter()
        .map(|(item, blob, key, hash, size, server)| {
            Ok(Fetch {
                item,
                blob: BlobId::from_slice(&blob)?,
                key: Secret::from_slice(&key)?,
                hash,
                size,
                server: elsewhere::parse(&server)?,
            })
        })
        .collect()
}

/// It is here: what waited for it is read.
pub(crate) fn came(work: &Work<'_>, item: i64, body: &[u8]) -> Result<()> {
    finish(work, item, HERE, body)
}

/// It is here, and not what its pointer says. All who fetch it see that, so it is read like a body in which nothing stands.
pub(crate) fn wrong(work: &Work<'_>, item: i64) -> Result<()> {
    finish(work, item, HERE, &[])
}

/// The server says that it does not have it. After some attempts, or at once if need be, it is given up.
pub(crate) fn missing(work: &Work<'_>, item: i64, for_good: bool) -> Result<()> {
    let attempts: Option<i64> = work
        .db
        .query_row(
            "UPDATE fetches SET attempts = attempts + 1, not_before_ms = ?2 + 1000 * (1 << min(attempts, 6)) WHERE item = ?1 AND state = 0 RETURNING attempts",
            params![item, work.now_ms],
            |row| row.get(0),
        )
        .optional()?;
    match attempts {
        Some(attempts) if for_good || attempts >= ATTEMPTS => finish(work, item, MISSING, &[]),
        _ => Ok(()),
    }
}

/// It could not be asked for although the server is there. That is tried again and again, but not for ever: a server could stop a
/// conversation with it. Says whether it is still wanted.
pub(crate) fn failed(work: &Work<'_>, item: i64) -> Result<bool> {
    if held::waited_enough(work, item)? {
        missing(work, item, true)?;
    }
    Ok(work
        .db
        .prepare_cached("SELECT 1 FROM fetches WHERE item = ?1 AND state = 0")?
        .exists([item])?)
}

fn finish(work: &Work<'_>, item: i64, state: i64, body: &[u8]) -> Result<()> {
    work.db.execute(
        "UPDATE fetches SET state = ?2, body = ?3 WHERE item = ?1 AND state = 0",
        params![item, state, body],
    )?;
    let address: Option<i64> = work
        .db
        .query_row(
            "SELECT address FROM held_items WHERE id = ?1",
            [item],
            |row| row.get(0),
        )
        .optional()?;
    match address {
        Some(address) => held::release(work, address),
        None => forget(work, item),
    }
}

/// What is known about a held item's blob.
pub(crate) fn body(work: &Work<'_>, item: i64) -> Result<Found> {
    let row = work
        .db
        .query_row(
            "SELECT state, body FROM fetches WHERE item = ?1",
            [item],
            |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?)),
        )
        .optional()?;
    Ok(match row {
        None => Found::NotNeeded,
        Some((HERE, body)) => Found::Here(body),
        Some((MISSING, _)) => Found::Missing,
        Some(_) => Found::Waiting,
    })
}

/// It was used.
pub(crate) fn forget(work: &Work<'_>, item: i64) -> Result<()> {
    work.db
        .execute("DELETE FROM fetches WHERE item = ?1", [item])?;
    Ok(())
}
