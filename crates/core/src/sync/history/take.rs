//! A new device takes what was said before it was linked.

use std::collections::BTreeMap;

use prost::Message as _;
use rusqlite::{OptionalExtension as _, params, types::Value as Sql};
use undertone_wire::{ids::BlobId, secrets::Secret};

use super::{Body, Part, Portion, ROOM, give::put_lost, numbered, portions};
use crate::{
    backup::{self, Block, Places, Reader, Restored},
    error::{Reason, Result},
    sync::{
        Work, action,
        change::Change,
        conversation::{self, Conversation},
        fetch::Fetch,
        shared, shared_apply, timer,
    },
};

/// The largest portion that is fetched.
const LARGEST: u64 = 256 * 1024 * 1024;
/// How long a portion waits for the conversations that it is about.
const WAITS_MS: i64 = 24 * 3600 * 1000;

/// The next portion to be fetched, by its number.
pub(super) fn next(work: &Work<'_>) -> Result<Option<(u32, Fetch)>> {
    for (number, stamp, portion) in portions(work.db, &work.me.device, true)? {
        let late = stamp < work.now_ms - WAITS_MS;
        if !late && !are_here(work, &portion)? {
            continue;
        }
        let fits = portion.size <= LARGEST && portion.hash.len() == 32;
        let (Ok(blob), Ok(key), true) = (
            BlobId::from_slice(&portion.blob),
            Secret::from_slice(&portion.key),
            fits,
        ) else {
            // What can't be understood waits for a version that does.
            continue;
        };
        let fetch = Fetch {
            item: 0,
            blob,
            key,
            hash: portion.hash.try_into().map_err(|_| Reason::StateBroken)?,
            size: portion.size,
            server: None,
        };
        return Ok(Some((number, fetch)));
    }
    Ok(None)
}

/// Whether any portion waits.
pub(super) fn is_awaited(work: &Work<'_>) -> Result<bool> {
    Ok(!portions(work.db, &work.me.device, true)?.is_empty())
}

/// Whether this device is in all that a portion is about.
fn are_here(work: &Work<'_>, portion: &Portion) -> Result<bool> {
    for group in &portion.groups {
        let group = <[u8; 16]>::try_from(&group[..]).unwrap_or_default();
        if conversation::by_group(work.db, &group)?.is_none() {
            return Ok(false);
        }
    }
    Ok(true)
}

fn waiting(work: &Work<'_>, number: u32) -> Result<Option<Portion>> {
    let value: Option<Vec<u8>> = work
        .db
        .prepare_cached("SELECT value FROM shared WHERE key = ?1")?
        .query_row([numbered(&work.me.device, number)], |row| row.get(0))
        .optional()?;
    Ok(value
        .and_then(|value| Portion::decode(&value[..]).ok())
        .filter(|portion| portion.done == 0))
}

/// A portion never comes, or is not what it should be.
pub(crate) fn took_nothing(work: &Work<'_>, number: u32) -> Result<()> {
    match waiting(work, number)? {
        Some(portion) => put_lost(work, &work.me.device, number, &portion),
        None => Ok(()),
    }
}

/// Puts the lines of a portion into the store, and forgets where it was.
pub(crate) fn take(work: &Work<'_>, number: u32, body: &[u8]) -> Result<()> {
    let Some(portion) = waiting(work, number)? else {
        return Ok(());
    };
    let plaintext = backup::inflate(body)?;
    let body = Body::decode(&plaintext[..]).map_err(|_| Reason::BackupDamaged)?;
    for part in &body.parts {
        let group = <[u8; 16]>::try_from(&part.group[..]).map_err(|_| Reason::BackupDamaged)?;
        let row = match (conversation::by_group(work.db, &group)?, &part.closed) {
            (Some(row), _) => row,
            (None, Some(closed)) => match put_closed(work, &group, closed)? {
                Some(row) => row,
                None => continue,
            },
            // It never let this device in.
            (None, None) => continue,
        };
        put_part(work, &row, part)?;
    }
    let taken = Portion {
        messages: portion.messages,
        done: 1,
        ..Portion::default()
    };
    shared::put(
        work,
        &numbered(&work.me.device, number),
        &taken.encode_to_vec(),
    )?;
    work.tell(Change::History);
    Ok(())
}

/// What lines are made of; their timers come by themselves.
const OF_LINES: [&str; 5] = ["names", "messages", "receipts", "message_files", "actions"];
/// What there is beside of a conversation that the account is not in any more. Nobody says such things of one that it is in.
const OF_CLOSED: [&str; 7] = [
    "members",
    "old_channels",
    "device_counters",
    "rules",
    "chat_settings",
    "reactions",
    "pins",
];

/// Where the rows of a part go.
struct Here {
    /// The tables that it may write to.
    tables: &'static [&'static str],
    conversation: i64,
    /// Of those that are not here yet.
    messages: BTreeMap<i64, i64>,
}

impl Places for Here {
    fn message(&self, id: i64) -> Option<i64> {
        self.messages.get(&id).copied()
    }

    fn put(&self, table: &str, columns: &[&str], values: &mut [Sql]) -> bool {
        for (column, value) in columns.iter().zip(values) {
            match (table, *column) {
                ("messages", "id") | (_, "message") => {
                    let Sql::Integer(id) = *value else {
                        return false;
                    };
                    let Some(id) = self.message(id) else {
                        return false;
                    };
                    *value = Sql::Integer(id);
                }
                // A number of its own.
                (_, "id") => *value = Sql::Null,
                (_, "conversation") => *value = Sql::Integer(self.conversation),
                _ => {}
            }
        }
        self.tables.contains(&table)
    }
}

/// A conversation that the account is not in any more.
fn put_closed(work: &Work<'_>, group: &[u8; 16], closed: &Block) -> Result<Option<Conversation>> {
    let found = closed
        .tables
        .iter()
        .filter(|rows| rows.table == "conversations")
        .filter_map(Reader::new)
        .find_map(|reader| Some((reader.columns(), reader.values(reader.rows.first()?))));
    let Some((columns, values)) = found else {
        return Ok(None);
    };
    let mut values = values?;
    for (column, value) in columns.iter().zip(&mut values) {
        match *column {
            "id" => *value = Sql::Null,
            "group_id" => *value = Sql::Blob(group.to_vec()),
            "read_up_to" => *value = Sql::Integer(0),
            // Whatever it says: nobody let this device in.
            "state" if !matches!(value, Sql::Integer(4 | 5)) => *value = Sql::Integer(5),
            _ => {}
        }
    }
    let marks = vec!["?"; columns.len()].join(", ");
    work.db
        .prepare_cached(&format!(
            "INSERT INTO conversations ({}) VALUES ({marks})",
            columns.join(", ")
        ))?
        .execute(rusqlite::params_from_iter(values))
        .map_err(|_| Reason::BackupDamaged)?;
    let row = conversation::load(work.db, work.last_id())?;
    put_rows(work, &row, closed, &OF_CLOSED, BTreeMap::new())?;
    Ok(Some(row))
}

fn put_rows(
    work: &Work<'_>,
    row: &Conversation,
    block: &Block,
    tables: &'static [&'static str],
    messages: BTreeMap<i64, i64>,
) -> Result<()> {
    let age = timer::age(work)?;
    let here = Here {
        tables,
        conversation: row.id,
        messages,
    };
    let mut restored = Restored::default();
    backup::put_block(work.db, block, work.now_ms, age, &here, &mut restored)
}

fn put_part(work: &Work<'_>, row: &Conversation, part: &Part) -> Result<()> {
    let Some(lines) = &part.lines else {
        return Ok(());
    };
    let NewMessages { places, ids } = new_messages(work, row, lines)?;
    put_rows(work, row, lines, &OF_LINES, places)?;
    for id in &ids {
        shared_apply::opened_or_gone(work, row, id)?;
    }
    for target in targets(lines) {
        action::renew(work, row.id, &target)?;
    }
    // What was done to them came before they did.
    for id in &ids {
        action::renew_if_acted_on(work, row.id, id)?;
    }
    if let Some(read) = &part.read {
        shared_apply::read(work, row, &read.encode_to_vec())?;
    }
    shared_apply::read_before(work, row)?;
    // A chat where nothing was said since stands where it stood.
    work.db.execute(
        "UPDATE conversations SET changed_at_ms = ?2 WHERE id = ?1
         AND NOT EXISTS (SELECT 1 FROM messages m WHERE m.conversation = ?1 AND m.id > ?3)",
        params![row.id, part.changed_at_ms.min(work.now_ms), ROOM],
    )?;
    work.wake();
    work.tell(Change::Chat(row.id));
    Ok(())
}

/// Messages that are not here yet.
struct NewMessages {
    /// The numbers that they get, by those that they had.
    places: BTreeMap<i64, i64>,
    /// Their MIMI ids.
    ids: Vec<[u8; 32]>,
}

fn new_messages(work: &Work<'_>, row: &Conversation, lines: &Block) -> Result<NewMessages> {
    let mut known = work.db.prepare_cached(
        "SELECT 1 FROM messages WHERE conversation = ?1 AND sender = ?2 AND message_id = ?3",
    )?;
    let (mut old, mut ids) = (Vec::new(), Vec::new());
    let messages = lines.tables.iter().filter(|rows| rows.table == "messages");
    for reader in messages.filter_map(Reader::new) {
        for found in reader.rows {
            let (Some(local), Some(sender), Some(Ok(id))) = (
                reader.integer(found, "id"),
                reader.bytes(found, "sender"),
                reader.bytes(found, "message_id").map(<[u8; 32]>::try_from),
            ) else {
                return Err(Reason::BackupDamaged.into());
            };
            if !known.exists(params![row.id, sender, id])? {
                old.push(local);
                ids.push(id);
            }
        }
    }
    let count = i64::try_from(old.len()).map_err(|_| Reason::BackupDamaged)?;
    let lowest: Option<i64> = work
        .db
        .query_row("SELECT min(id) FROM messages", [], |found| found.get(0))?;
    let below = lowest.unwrap_or(ROOM).min(ROOM + 1) - count;
    let first = if below > 0 {
        below
    } else {
        // There is no room before what is here.
        work.db.query_row(
            "SELECT coalesce(max(id), 0) + 1 FROM messages",
            [],
            |found| found.get(0),
        )?
    };
    Ok(NewMessages {
        places: old.into_iter().zip(first..).collect(),
        ids,
    })
}

/// What the actions of a block are about.
fn targets(lines: &Block) -> Vec<[u8; 32]> {
    let mut targets = Vec::new();
    let actions = lines.tables.iter().filter(|rows| rows.table == "actions");
    for reader in actions.filter_map(Reader::new) {
        for found in reader.rows {
            if let Some(Ok(target)) = reader.bytes(found, "target").map(<[u8; 32]>::try_from) {
                targets.push(target);
            }
        }
    }
    targets.sort_unstable();
    targets.dedup();
    targets
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backup::TABLES;

    #[test]
    fn a_device_that_gives_what_was_said_before_writes_nothing_else() {
        for (tables, allowed) in [
            (&OF_LINES[..], OF_LINES.len()),
            (&OF_CLOSED[..], OF_CLOSED.len()),
        ] {
            let here = Here {
                tables,
                conversation: 1,
                messages: BTreeMap::new(),
            };
            let taken = TABLES
                .iter()
                .filter(|table| here.put(table.name, &[], &mut []));
            assert_eq!(taken.count(), allowed);
            for table in [
                "contacts",
                "settings",
                "shared",
                "conversations",
                "attachments",
                "reports",
            ] {
                assert!(!here.put(table, &[], &mut []), "{table}");
            }
        }
        assert!(!OF_LINES.contains(&"members") && !OF_LINES.contains(&"rules"));
    }
}
