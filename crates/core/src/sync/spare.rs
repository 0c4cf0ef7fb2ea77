//! Items that do not fit the state or the channel of now, and will if that turns out to be another one: they came on the next fallback
//! channel before this device had a reason of its own to go there, or while it proves a state that may not be the group's.

use rusqlite::params;
use undertone_wire::response::ItemKind;

use super::{
    Work,
    address::{self, Address},
    conversation::{self, Conversation},
    elsewhere,
    inbox::{self, Body, Item},
};
use crate::error::Result;

/// Items kept for one conversation, at most: members can send without end.
const MOST: i64 = 200;
/// How long one is kept.
const KEPT_MS: i64 = 2 * 24 * 3600 * 1000;

/// As in held_items.
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

/// Keeps an item for later.
pub(crate) fn keep(
    work: &Work<'_>,
    row: &Conversation,
    address: &Address,
    item: &Item,
) -> Result<()> {
    work.db.execute(
        "INSERT INTO spare_items (conversation, address, kind, channel_hash, number, epoch, next_lock, payload, received_at_ms, blob_hash)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        params![
            row.id,
            address.id,
            kind_number(item.kind),
            item.channel,
            item.number,
            item.epoch,
            item.next_lock,
            item.payload,
            work.now_ms,
            item.blob
        ],
    )?;
    work.db.execute(
        "DELETE FROM spare_items WHERE conversation = ?1 AND (received_at_ms < ?2
            OR id <= (SELECT id FROM spare_items WHERE conversation = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?3))",
        params![row.id, work.now_ms - KEPT_MS, MOST],
    )?;
    Ok(())
}

/// The conversation is on the channel of some of them now: these are read, in order.
pub(crate) fn release(work: &Work<'_>, row: &Conversation) -> Result<()> {
    let hash = elsewhere::name_in(row, &row.channel)?;
    let any = work
        .db
        .prepare_cached("SELECT 1 FROM spare_items WHERE conversation = ?1 AND channel_hash = ?2")?
        .exists(params![row.id, hash])?;
    if !any {
        return Ok(());
    }
    for (address, item) in take(work, row.id, &hash)? {
        if let Some(address) = address::get(work, address)? {
            inbox::in_conversation(work, &address, &item, Body::Unknown)?;
        }
    }
    Ok(())
}

/// Reads what waits where the conversation is now. Called now and then.
pub(crate) fn tick(work: &Work<'_>) -> Result<()> {
    let ids = {
        let mut statement = work.db.prepare_cached(
            "SELECT DISTINCT s.conversation FROM spare_items s JOIN conversations c ON c.id = s.conversation
             WHERE c.state = 2 AND NOT EXISTS (SELECT 1 FROM proofs p WHERE p.conversation = c.id)",
        )?;
        statement
            .query_map([], |row| row.get::<_, i64>(0))?
            .collect::<std::result::Result<Vec<_>, _>>()?
    };
    for id in ids {
        let row = conversation::load(work.db, id)?;
        release(work, &row)?;
        // The group has gone on without going there: what was said there is read all the same.
        for (_, item) in take_where(
            work,
            "conversation = ?1 AND epoch < ?2",
            params![id, row.epoch],
        )? {
            inbox::said_elsewhere(work, &conversation::load(work.db, id)?, &item)?;
        }
    }
    Ok(())
}

/// The state has changed: all are read, in order, as if they came now.
pub(crate) fn release_all(work: &Work<'_>, conversation: i64) -> Result<()> {
    let channels = {
        let mut statement = work.db.prepare_cached(
            "SELECT channel_hash FROM spare_items WHERE conversation = ?1 GROUP BY channel_hash ORDER BY min(id)",
        )?;
        statement
            .query_map([conversation], |row| row.get::<_, Vec<u8>>(0))?
            .collect::<std::result::Result<Vec<_>, _>>()?
    };
    for channel in channels {
        for (address, item) in take(work, conversation, &channel)? {
            if let Some(address) = address::get(work, address)? {
                inbox::in_conversation(work, &address, &item, Body::Unknown)?;
            }
        }
    }
    Ok(())
}

/// They are of no use any more.
pub(crate) fn forget(work: &Work<'_>, conversation: i64) -> Result<()> {
    work.db.execute(
        "DELETE FROM spare_items WHERE conversation = ?1",
        [conversation],
    )?;
    Ok(())
}

fn take(work: &Work<'_>, conversation: i64, channel: &[u8]) -> Result<Vec<(i64, Item)>> {
    take_where(
        work,
        "conversation = ?1 AND channel_hash = ?2",
        params![conversation, channel],
    )
}

/// Takes items out, with the address that each came to.
fn take_where(
    work: &Work<'_>,
    which: &str,
    values: &[&dyn rusqlite::ToSql],
) -> Result<Vec<(i64, Item)>> {
    let items = {
        let mut statement = work.db.prepare_cached(&format!(
            "SELECT address, kind, number, epoch, next_lock, payload, channel_hash, blob_hash FROM spare_items WHERE {which} ORDER BY id"
        ))?;
        statement
            .query_map(values, |row| {
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
    work.db
        .prepare_cached(&format!("DELETE FROM spare_items WHERE {which}"))?
        .execute(values)?;
    Ok(items)
}
