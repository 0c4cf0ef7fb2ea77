//! Items that can't be read yet: they came before their Welcome, or need a blob that is being fetched, or came after one that does.

use rusqlite::{OptionalExtension as _, params};
use undertone_wire::response::ItemKind;

use super::{
    Work,
    address::{self, Address},
    fetch,
    inbox::{self, Item},
};
use crate::error::Result;

/// Items held for one address before its Welcome, at most: whoever knows an address could send to it without end.
const MOST: i64 = 2000;
/// Bytes held for one address before its Welcome.
const MOST_BYTES: i64 = 8 * 1024 * 1024;
/// Bytes held before Welcomes for all addresses together.
const MOST_BYTES_IN_ALL: i64 = 64 * 1024 * 1024;
/// How long an item waits for its Welcome.
const KEPT_MS: i64 = 31 * 24 * 3600 * 1000;
/// Bytes held behind a blob. When they are more the blob is given up.
const MOST_BYTES_BEHIND: i64 = 32 * 1024 * 1024;
/// How long a blob that can't be fetched is waited for by a device that is on-line.
const BLOB_MS: i64 = 24 * 3600 * 1000;

/// As stored (held_items.waits_for).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WaitsFor {
    Welcome = 1,
    Blob = 2,
}

/// Puts an item aside. Answers its row.
pub(crate) fn hold(
    work: &Work<'_>,
    address: &Address,
    item: &Item,
    waits_for: WaitsFor,
) -> Result<i64> {
    work.db.execute(
        "INSERT INTO held_items (address, kind, number, epoch, next_lock, payload, waits_for, received_at_ms, channel_hash, blob_hash)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        params![
            address.id,
            kind_number(item.kind),
            item.number,
            item.epoch,
            item.next_lock,
            item.payload,
            waits_for as i64,
            work.now_ms,
            item.channel,
            item.blob
        ],
    )?;
    Ok(work.last_id())
}

/// Puts an item aside until the Welcome to its address comes. Of too much, or too old, the oldest goes: what of it was for this device shows
/// as missing once it is let in, and is asked for.
pub(crate) fn hold_for_welcome(work: &Work<'_>, address: &Address, item: &Item) -> Result<()> {
    hold(work, address, item, WaitsFor::Welcome)?;
    work.db.execute(
        "DELETE FROM held_items WHERE waits_for = 1 AND received_at_ms < ?1",
        [work.now_ms - KEPT_MS],
    )?;
    work.db.execute(
        "DELETE FROM held_items WHERE address = ?1 AND waits_for = 1 AND id <= (SELECT id FROM held_items
            WHERE address = ?1 AND waits_for = 1 ORDER BY id DESC LIMIT 1 OFFSET ?2)",
        params![address.id, MOST],
    )?;
    while bytes(work, "waits_for = 1 AND address = ?1", address.id)? > MOST_BYTES {
        drop_oldest(work, address.id)?;
    }
    while bytes(work, "waits_for = ?1", 1)? > MOST_BYTES_IN_ALL {
        // Whoever was sent most loses first, so that nobody is crowded out by others.
        let most: i64 = work.db.query_row(
            "SELECT address FROM held_items WHERE waits_for = 1 GROUP BY address ORDER BY sum(length(payload)) DESC LIMIT 1",
            [],
            |row| row.get(0),
        )?;
        drop_oldest(work, most)?;
    }
    Ok(())
}

fn bytes(work: &Work<'_>, condition: &str, value: i64) -> Result<i64> {
    Ok(work
        .db
        .prepare_cached(&format!(
            "SELECT coalesce(sum(length(payload)), 0) FROM held_items WHERE {condition}"
        ))?
        .query_row([value], |row| row.get(0))?)
}

fn drop_oldest(work: &Work<'_>, address: i64) -> Result<()> {
    work.db.execute(
        "DELETE FROM held_items WHERE id = (SELECT min(id) FROM held_items WHERE address = ?1 AND waits_for = 1)",
        [address],
    )?;
    Ok(())
}

/// Puts an item aside behind one of its address that waits for a blob. When they become too many the blob is given up.
pub(crate) fn hold_behind(work: &Work<'_>, address: &Address, item: &Item) -> Result<()> {
    hold(work, address, item, WaitsFor::Blob)?;
    while bytes(work, "waits_for = 2 AND address = ?1", address.id)? > MOST_BYTES_BEHIND {
        let first: Option<i64> = work
            .db
            .query_row(
                "SELECT f.item FROM fetches f JOIN held_items h ON h.id = f.item WHERE h.address = ?1 AND f.state = 0 ORDER BY f.item LIMIT 1",
                [address.id],
                |row| row.get(0),
            )
            .optional()?;
        let Some(first) = first else { break };
        fetch::missing(work, first, true)?;
    }
    Ok(())
}

/// Whether a blob that can't be fetched was waited for long enough: what stands behind it goes on without it.
pub(crate) fn waited_enough(work: &Work<'_>, item: i64) -> Result<bool> {
    Ok(work
        .db
        .prepare_cached("SELECT 1 FROM held_items WHERE id = ?1 AND received_at_ms < ?2")?
        .exists(params![item, work.now_ms - BLOB_MS])?)
}

fn kind_number(kind: ItemKind) -> i64 {
    match kind {
        ItemKind::Direct => 1,
        ItemKind::Application => 2,
        ItemKind::Commit => 3,
        ItemKind::Control => 4,
        ItemKind::Ephemeral => 5,
    }
}

fn kind_from_number(kind: i64) -> ItemKind {
    match kind {
        1 => ItemKind::Direct,
        2 => ItemKind::Application,
        3 => ItemKind::Commit,
        5 => ItemKind::Ephemeral,
        _ => ItemKind::Control,
    }
}

/// Whether an item of this address waits for a blob, so that later ones must wait behind it.
pub(crate) fn blocked(work: &Work<'_>, address: i64) -> Result<bool> {
    Ok(work
        .db
        .prepare_cached("SELECT 1 FROM held_items WHERE address = ?1 AND waits_for = 2")?
        .exists([address])?)
}

/// The Welcome came: what was held for it is read in order.
pub(crate) fn welcome_came(work: &Work<'_>, address: i64) -> Result<()> {
    work.db.execute(
        "UPDATE held_items SET waits_for = 2 WHERE address = ?1 AND waits_for = 1",
        [address],
    )?;
    release(work, address)
}

/// Reads what is held for an address, in order, up to the next blob that is not here.
pub(crate) fn release(work: &Work<'_>, address: i64) -> Result<()> {
    let rows = {
        let mut statement = work.db.prepare_cached(
            "SELECT id, kind, number, epoch, next_lock, payload, channel_hash, blob_hash FROM held_items WHERE address = ?1 AND waits_for = 2 ORDER BY id",
        )?;
        statement
            .query_map([address], |row| {
                Ok((
                    row.get::<_, i64>(0)?,
                    Item {
                        kind: kind_from_number(row.get(1)?),
                        number: row.get(2)?,
                        epoch: row.get(3)?,
                        next_lock: row.get(4)?,
                        payload: row.get(5)?,
                        channel: row.get(6)?,
                        blob: row.get(7)?,
                    },
                ))
            })?
            .collect::<std::result::Result<Vec<_>, _>>()?
    };
    let Some(found) = address::get(work, address)? else {
        work.db
            .execute("DELETE FROM held_items WHERE address = ?1", [address])?;
        return Ok(());
    };
    for (id, item) in rows {
        let body = match fetch::body(work, id)? {
            fetch::Found::NotNeeded => inbox::Body::Unknown,
            fetch::Found::Waiting => return Ok(()),
            fetch::Found::Here(bytes) => inbox::Body::Here(bytes),
            fetch::Found::Missing => inbox::Body::Missing,
        };
        work.db
            .execute("DELETE FROM held_items WHERE id = ?1", [id])?;
        fetch::forget(work, id)?;
        let newest = newest(work)?;
        if item.kind == ItemKind::Direct {
            inbox::direct(work, &found, &item, body)?;
        } else {
            inbox::in_conversation(work, &found, &item, body)?;
        }
        if put_aside_again(work, address, id, newest)? {
            return Ok(());
        }
    }
    Ok(())
}

fn newest(work: &Work<'_>) -> Result<i64> {
    Ok(work
        .db
        .query_row("SELECT coalesce(max(id), 0) FROM held_items", [], |row| {
            row.get(0)
        })?)
}

/// Reading an item may have shown that it needs a blob: it went to the end, and has to stand where it stood.
fn put_aside_again(work: &Work<'_>, address: i64, id: i64, newest: i64) -> Result<bool> {
    let moved = work.db.execute(
        "UPDATE held_items SET id = ?2 WHERE address = ?1 AND id > ?3 AND id <> ?2",
        params![address, id, newest.max(id)],
    )?;
    if moved > 0 {
        work.db.execute(
            "UPDATE fetches SET item = ?1 WHERE item > ?2",
            params![id, newest.max(id)],
        )?;
    }
    Ok(moved > 0)
}
