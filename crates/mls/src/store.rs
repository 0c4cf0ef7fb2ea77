//! This crate's own tables, beside OpenMLS's in the same database.
//!
//! - `mls_conversation`: what a device knows of a group beyond MLS state: every leaf's effective address, the address its
//!   own next update will show, whether it joined by a last-resort key package.
//! - `mls_epoch_secret`: exporter secrets of the last epochs that late items need; deleted with the MLS secrets.
//! - `mls_pending`: the one commit of ours that waits for its echo.
//! - `mls_leave`: leave proposals of the current epoch. They stay out of OpenMLS's own queue, because OpenMLS sends no
//!   message while a proposal is queued, and a member who wants to leave must not silence the rest.
//! - `mls_resync_asked`, `mls_resync_seen`: requests we made, and those we answered.

use rusqlite::{Connection, OptionalExtension as _, params};

use crate::{DeviceId, GroupId, Provider, Result};

const TABLES: &str = "
CREATE TABLE IF NOT EXISTS mls_conversation (
    group_id      BLOB NOT NULL PRIMARY KEY,
    addresses     BLOB NOT NULL,
    next_address  BLOB NOT NULL,  -- empty: as it is
    last_resort   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS mls_epoch_secret (
    group_id  BLOB NOT NULL,
    epoch     INTEGER NOT NULL,
    purpose   INTEGER NOT NULL,  -- 1 link, 2 application envelope, 3 commit envelope
    secret    BLOB NOT NULL,
    PRIMARY KEY (group_id, epoch, purpose)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS mls_pending (
    group_id  BLOB NOT NULL PRIMARY KEY,
    record    BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS mls_leave (
    group_id   BLOB NOT NULL,
    reference  BLOB NOT NULL,
    leaf       INTEGER NOT NULL,
    proposal   BLOB NOT NULL,
    PRIMARY KEY (group_id, reference)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS mls_resync_asked (
    hash_ref  BLOB NOT NULL PRIMARY KEY,
    group_id  BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS mls_resync_seen (
    group_id  BLOB NOT NULL,
    device    BLOB NOT NULL,
    nonce     BLOB NOT NULL,
    at_s      INTEGER NOT NULL,
    PRIMARY KEY (group_id, device)
) STRICT, WITHOUT ROWID;
";

pub(crate) fn create_tables(connection: &Connection) -> Result<()> {
    connection.execute_batch(TABLES)?;
    Ok(())
}

/// What [`ConversationRow`] is called in the table.
pub(crate) struct ConversationRow {
    pub(crate) addresses: Vec<u8>,
    pub(crate) next_address: Vec<u8>,
    pub(crate) last_resort: bool,
}

/// SQLite integers are signed; epochs stay far below the limit.
fn integer(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub(crate) fn write_conversation(
    provider: &Provider<'_>,
    group: &GroupId,
    row: &ConversationRow,
) -> Result<()> {
    provider.connection().prepare_cached(
        "INSERT INTO mls_conversation (group_id, addresses, next_address, last_resort) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (group_id) DO UPDATE SET addresses = ?2, next_address = ?3, last_resort = ?4",
    )?.execute(params![group.as_bytes(), row.addresses, row.next_address, row.last_resort])?;
    Ok(())
}

pub(crate) fn read_conversation(
    provider: &Provider<'_>,
    group: &GroupId,
) -> Result<Option<ConversationRow>> {
    Ok(provider
        .connection()
        .prepare_cached(
            "SELECT addresses, next_address, last_resort FROM mls_conversation WHERE group_id = ?1",
        )?
        .query_row([group.as_bytes()], |row| {
            Ok(ConversationRow {
                addresses: row.get(0)?,
                next_address: row.get(1)?,
                last_resort: row.get(2)?,
            })
        })
        .optional()?)
}

/// This crate's tables that hold a group, requests excepted.
pub(crate) const OF_A_GROUP: [&str; 4] = [
    "mls_conversation",
    "mls_epoch_secret",
    "mls_pending",
    "mls_leave",
];

/// Everything of a group in this crate's tables, requests excepted.
pub(crate) fn delete_conversation(provider: &Provider<'_>, group: &GroupId) -> Result<()> {
    for table in OF_A_GROUP {
        provider.connection().execute(
            &format!("DELETE FROM {table} WHERE group_id = ?1"),
            [group.as_bytes()],
        )?;
    }
    Ok(())
}

pub(crate) fn write_epoch_secret(
    provider: &Provider<'_>,
    group: &GroupId,
    epoch: u64,
    purpose: u8,
    secret: &[u8; 32],
) -> Result<()> {
    provider
        .connection()
        .prepare_cached("INSERT OR REPLACE INTO mls_epoch_secret (group_id, epoch, purpose, secret) VALUES (?, ?, ?, ?)")?
        .execute(params![group.as_bytes(), integer(epoch), purpose, secret])?;
    Ok(())
}

pub(crate) fn read_epoch_secret(
    provider: &Provider<'_>,
    group: &GroupId,
    epoch: u64,
    purpose: u8,
) -> Result<Option<zeroize::Zeroizing<[u8; 32]>>> {
    Ok(provider
        .connection()
        .prepare_cached(
            "SELECT secret FROM mls_epoch_secret WHERE group_id = ? AND epoch = ? AND purpose = ?",
        )?
        .query_row(params![group.as_bytes(), integer(epoch), purpose], |row| {
            row.get(0)
        })
        .optional()?
        .map(zeroize::Zeroizing::new))
}

pub(crate) fn delete_epoch_secrets_before(
    provider: &Provider<'_>,
    group: &GroupId,
    epoch: u64,
) -> Result<()> {
    provider
        .connection()
        .prepare_cached("DELETE FROM mls_epoch_secret WHERE group_id = ? AND epoch < ?")?
        .execute(params![group.as_bytes(), integer(epoch)])?;
    Ok(())
}

pub(crate) fn write_pending(provider: &Provider<'_>, group: &GroupId, record: &[u8]) -> Result<()> {
    provider.connection().execute(
        "INSERT INTO mls_pending (group_id, record) VALUES (?, ?)",
        params![group.as_bytes(), record],
    )?;
    Ok(())
}

pub(crate) fn read_pending(provider: &Provider<'_>, group: &GroupId) -> Result<Option<Vec<u8>>> {
    Ok(provider
        .connection()
        .prepare_cached("SELECT record FROM mls_pending WHERE group_id = ?")?
        .query_row([group.as_bytes()], |row| row.get(0))
        .optional()?)
}

pub(crate) fn delete_pending(provider: &Provider<'_>, group: &GroupId) -> Result<bool> {
    let deleted = provider.connection().execute(
        "DELETE FROM mls_pending WHERE group_id = ?",
        [group.as_bytes()],
    )?;
    Ok(deleted > 0)
}

/// Every proposal is kept, also a second one for the same leaf: any of them may be the one that a commit refers to.
pub(crate) fn write_leave(
    provider: &Provider<'_>,
    group: &GroupId,
    reference: &[u8],
    leaf: u32,
    proposal: &[u8],
) -> Result<()> {
    provider.connection().execute(
        "INSERT OR REPLACE INTO mls_leave (group_id, reference, leaf, proposal) VALUES (?, ?, ?, ?)",
        params![group.as_bytes(), reference, leaf, proposal],
    )?;
    Ok(())
}

pub(crate) fn read_leaves(provider: &Provider<'_>, group: &GroupId) -> Result<Vec<(u32, Vec<u8>)>> {
    let mut statement = provider
        .connection()
        .prepare_cached("SELECT leaf, proposal FROM mls_leave WHERE group_id = ? ORDER BY leaf")?;
    let rows = statement.query_map([group.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

pub(crate) fn delete_leaves(provider: &Provider<'_>, group: &GroupId) -> Result<()> {
    provider
        .connection()
        .prepare_cached("DELETE FROM mls_leave WHERE group_id = ?")?
        .execute([group.as_bytes()])?;
    Ok(())
}

pub(crate) fn write_resync_asked(
    provider: &Provider<'_>,
    hash_ref: &[u8],
    group: &GroupId,
) -> Result<()> {
    provider.connection().execute(
        "INSERT INTO mls_resync_asked (hash_ref, group_id) VALUES (?, ?)",
        params![hash_ref, group.as_bytes()],
    )?;
    Ok(())
}

/// The group that a key package was made to come back to.
pub(crate) fn read_resync_asked(
    provider: &Provider<'_>,
    hash_ref: &[u8],
) -> Result<Option<Vec<u8>>> {
    Ok(provider
        .connection()
        .query_row(
            "SELECT group_id FROM mls_resync_asked WHERE hash_ref = ?",
            [hash_ref],
            |row| row.get(0),
        )
        .optional()?)
}

/// The key packages of all requests.
pub(crate) fn list_resync_asked(provider: &Provider<'_>) -> Result<Vec<Vec<u8>>> {
    let mut statement = provider
        .connection()
        .prepare_cached("SELECT hash_ref FROM mls_resync_asked")?;
    let rows = statement.query_map([], |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Forgets all requests for a group, and returns their key packages so that these can be deleted too.
pub(crate) fn delete_resync_asked(
    provider: &Provider<'_>,
    group: &GroupId,
) -> Result<Vec<Vec<u8>>> {
    let mut statement = provider
        .connection()
        .prepare_cached("DELETE FROM mls_resync_asked WHERE group_id = ? RETURNING hash_ref")?;
    let rows = statement.query_map([group.as_bytes()], |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The nonce and time (Unix seconds) of the last request of a device that was accepted.
pub(crate) fn read_resync_seen(
    provider: &Provider<'_>,
    group: &GroupId,
    device: &DeviceId,
) -> Result<Option<(Vec<u8>, u64)>> {
    Ok(provider
        .connection()
        .query_row(
            "SELECT nonce, at_s FROM mls_resync_seen WHERE group_id = ? AND device = ?",
            params![group.as_bytes(), device.as_bytes()],
            |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs())),
        )
        .optional()?)
}

pub(crate) fn write_resync_seen(
    provider: &Provider<'_>,
    group: &GroupId,
    device: &DeviceId,
    nonce: &[u8],
    at_s: u64,
) -> Result<()> {
    provider.connection().execute(
        "INSERT OR REPLACE INTO mls_resync_seen (group_id, device, nonce, at_s) VALUES (?, ?, ?, ?)",
        params![group.as_bytes(), device.as_bytes(), nonce, integer(at_s)],
    )?;
    Ok(())
}
