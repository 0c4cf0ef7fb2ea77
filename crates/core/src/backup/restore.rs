//! Filling the store of a new home from a backup.
//!
//! The rows come as they were, but for what has had its time: a message whose end has passed is restored as one that is gone, without a
//! word of what it said. MLS state is not there: the device asks to be let in to each conversation again, as one that takes the place of all
//! that its account had before.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use rusqlite::{Connection, params, params_from_iter, types::Value as Sql};

use super::{
    Backup, Control,
    block::{Block, Reader, Row, Rows},
};
use crate::{
    attachments::is_file_name,
    error::{Reason, Result},
    store::Database,
    sync::{
        Work,
        conversation::{self, Kind, State},
        early, notes,
    },
};

/// The store's age when a restored home begins: anything that is not nothing.
const AGE_MS: i64 = 1000;

/// What was restored.
#[derive(Clone, Copy, Default)]
pub(crate) struct Restored {
    pub(crate) messages: u64,
    pub(crate) files: u64,
    /// Messages whose time was over.
    pub(crate) expired: u64,
}

/// Restores everything into the store of a home in the making.
pub(crate) fn fill(
    backup: &Backup,
    database: &Database,
    attachments: &Path,
    now_ms: i64,
    control: &Control,
) -> Result<Restored> {
    let manifest = &backup.manifest;
    let total = (manifest.blocks.len() + manifest.files.len()) as u64;
    let mut restored = Restored::default();
    let mut done = 0;
    for named in &manifest.files {
        control.step(done, total)?;
        backup.check_file(named)?;
        backup.copy_file(named, &attachments.join(&named.name))?;
        restored.files += 1;
        done += 1;
    }
    // A clock that is behind does not bring back what ended.
    let now_ms = now_ms.max(manifest.made_at_ms);
    database.transaction(|tx| {
        let db = tx.connection();
        db.execute(
            "UPDATE age SET age_ms = ?1, wall_ms = ?2",
            params![AGE_MS, now_ms],
        )?;
        for named in &manifest.blocks {
            control.step(done, total)?;
            let block = backup.block(named)?;
            put_block(db, &block, now_ms, AGE_MS, &AsTheyWere, &mut restored)?;
            done += 1;
        }
        forget_what_is_gone(db)?;
        db.execute(
            "INSERT OR IGNORE INTO backups (set_id, made_at_ms) VALUES (?1, 0)",
            [backup.set],
        )?;
        Ok::<_, crate::Error>(())
    })?;
    control.step(total, total)?;
    Ok(restored)
}

/// A message's time, for this home.
struct Timer {
    after_ms: i64,
    at_ms: i64,
    due_age_ms: i64,
}

/// Where rows go: another store has other numbers for conversations and messages.
pub(crate) trait Places {
    /// The number here of a message; None: it is left out.
    fn message(&self, id: i64) -> Option<i64>;
    /// Puts a row of a table where it goes; false: it is left out.
    fn put(&self, table: &str, columns: &[&str], values: &mut [Sql]) -> bool;
}

/// In a store that holds nothing else.
struct AsTheyWere;

impl Places for AsTheyWere {
    fn message(&self, id: i64) -> Option<i64> {
        Some(id)
    }

    fn put(&self, _: &str, _: &[&str], _: &mut [Sql]) -> bool {
        true
    }
}

/// Puts the rows of a block where they belong, in a store of this age.
pub(crate) fn put_block(
    db: &Connection,
    block: &Block,
    now_ms: i64,
    age_ms: i64,
    places: &impl Places,
    restored: &mut Restored,
) -> Result<()> {
    let (timers, over) = timers(block, now_ms, age_ms)?;
    for rows in &block.tables {
        let Some(reader) = Reader::new(rows) else {
            continue;
        };
        let name = reader.table.name;
        if name == "timers" {
            continue;
        }
        if name == "messages" {
            restored.messages += rows.rows.len() as u64;
        }
        let columns = reader.columns();
        put_rows(db, &reader, |row, values| {
            let number = |column| reader.integer(row, column);
            let is_over = |id: Option<i64>| id.is_some_and(|id| over.contains(&id));
            match name {
                "messages" if is_over(number("id")) => empty(&columns, values),
                "message_files" | "receipts" if is_over(number("message")) => return false,
                _ => {}
            }
            places.put(name, &columns, values)
        })?;
    }
    for (message, timer) in timers {
        let Some(message) = places.message(message) else {
            continue;
        };
        db.prepare_cached(
            "INSERT OR IGNORE INTO timers (message, after_ms, at_ms, due_age_ms) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute(params![message, timer.after_ms, timer.at_ms, timer.due_age_ms])?;
    }
    restored.expired += over.len() as u64;
    Ok(())
}

/// The countdowns that go on, and the messages whose time is over.
fn timers(
    block: &Block,
    now_ms: i64,
    age_ms: i64,
) -> Result<(BTreeMap<i64, Timer>, BTreeSet<i64>)> {
    let (mut go_on, mut over) = (BTreeMap::new(), BTreeSet::new());
    let found = |rows: &&Rows| rows.table == "timers";
    for reader in block.tables.iter().filter(found).filter_map(Reader::new) {
        for row in reader.rows {
            let number = |column| reader.integer(row, column).ok_or(Reason::BackupDamaged);
            let (message, after_ms) = (number("message")?, number("after_ms")?);
            let (at_ms, ends_at_ms) = (number("at_ms")?, number("ends_at_ms")?);
            let begun = ends_at_ms > 0;
            if (begun && ends_at_ms <= now_ms) || (at_ms > 0 && at_ms <= now_ms) {
                over.insert(message);
                continue;
            }
            let mut left = ends_at_ms.saturating_sub(now_ms);
            if after_ms > 0 {
                left = left.min(after_ms);
            }
            let due_age_ms = if begun {
                age_ms.saturating_add(left.max(1))
            } else {
                0
            };
            go_on.insert(
                message,
                Timer {
                    after_ms,
                    at_ms,
                    due_age_ms,
                },
            );
        }
    }
    Ok((go_on, over))
}

/// Of a message that is gone the row stays, so that a second copy is known.
fn empty(columns: &[&str], values: &mut [Sql]) {
    for (column, value) in columns.iter().zip(values) {
        match *column {
            "content" | "reply_to" | "notice" => *value = Sql::Blob(Vec::new()),
            "text" => *value = Sql::Text(String::new()),
            "markdown" | "edits" | "edited_at_ms" => *value = Sql::Integer(0),
            "gone" if *value == Sql::Integer(0) => *value = Sql::Integer(3),
            _ => {}
        }
    }
}

/// Writes rows; `change` may alter the values of one, or leave it out.
fn put_rows(
    db: &Connection,
    reader: &Reader<'_>,
    mut change: impl FnMut(&Row, &mut [Sql]) -> bool,
) -> Result<()> {
    let columns = reader.columns();
    let marks = vec!["?"; columns.len()].join(", ");
    // One file may stand in several blocks.
    let mut insert = db.prepare_cached(&format!(
        "INSERT OR IGNORE INTO {} ({}) VALUES ({marks})",
        reader.table.name,
        columns.join(", ")
    ))?;
    for row in reader.rows {
        let mut values = reader.values(row)?;
        if !leads_nowhere_else(&columns, &values) {
            return Err(Reason::BackupDamaged.into());
        }
        if change(row, &mut values) {
            insert
                .execute(params_from_iter(values))
                .map_err(|_| Reason::BackupDamaged)?;
        }
    }
    Ok(())
}

/// Whether the name of a file that a row holds, if it holds one, is one that the home draws: nothing else leads to a place on the disk.
fn leads_nowhere_else(columns: &[&str], values: &[Sql]) -> bool {
    columns
        .iter()
        .zip(values)
        .filter(|(column, _)| **column == "file_name")
        .all(|(_, value)| matches!(value, Sql::Text(name) if is_file_name(name)))
}

/// What stands elsewhere of messages that are gone goes too.
pub(crate) fn forget_what_is_gone(db: &Connection) -> Result<()> {
    let gone = |table: &str| {
        format!(
            "EXISTS (SELECT 1 FROM messages m WHERE m.conversation = {table}.conversation AND m.message_id = {table}.target AND m.gone <> 0)"
        )
    };
    db.execute(
        &format!(
            "UPDATE actions SET content = x'' WHERE kind <> 2 AND {}",
            gone("actions")
        ),
        [],
    )?;
    for table in ["reactions", "pins"] {
        db.execute(&format!("DELETE FROM {table} WHERE {}", gone(table)), [])?;
    }
    // What was done to messages that are not here.
    db.execute(
        "INSERT OR IGNORE INTO early (action, due_age_ms, last_age_ms, at_ms)
         SELECT a.id, ?1 + ?2, ?1 + ?3, 0 FROM actions a WHERE a.kind IN (1, 3) AND a.content <> x'' AND NOT EXISTS (
            SELECT 1 FROM messages m WHERE m.conversation = a.conversation AND m.message_id = a.target)",
        [AGE_MS, early::KEPT_MS, early::KEPT_AT_MOST_MS],
    )?;
    Ok(())
}

/// The first thing that a restored device does: it asks to be let in to its conversations again. `here`: they are on the server that it is
/// registered with; elsewhere they stay as they are.
pub(crate) fn take_up(work: &Work<'_>, here: bool) -> Result<()> {
    let ids = work
        .db
        .prepare("SELECT id FROM conversations WHERE state IN (2, 3) ORDER BY id")?
        .query_map([], |row| row.get::<_, i64>(0))?
        .collect::<std::result::Result<Vec<_>, _>>()?;
    for id in ids {
        let row = conversation::load(work.db, id)?;
        if row.kind == Kind::Notes {
            notes::renew(work, &row)?;
        } else if here {
            conversation::set_state(work, id, State::Resyncing)?;
            work.db.execute(
                "INSERT OR IGNORE INTO resyncs (conversation, since_ms, asked_at_ms, asked_times, landing) VALUES (?1, ?2, 0, 0, 0)",
                params![id, work.now_ms],
            )?;
        } else {
            conversation::set_state(work, id, State::Removed)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_row_names_no_file_outside_the_home() {
        let folder = tempfile::tempdir().unwrap();
        let own = "a2".repeat(16);
        let outside = folder.path().join(&own);
        let others = [
            outside.to_str().unwrap(),
            "../store-a",
            "..",
            "",
            "keys",
            &own.to_uppercase(),
        ];
        let columns = ["id", "file_name"];
        let row = |name: &str| [Sql::Blob(vec![1; 16]), Sql::Text(name.to_owned())];
        assert!(leads_nowhere_else(&columns, &row(&own)));
        for name in others {
            assert!(!leads_nowhere_else(&columns, &row(name)), "{name}");
        }
        assert!(!leads_nowhere_else(
            &["file_name"],
            &[Sql::Blob(own.into())]
        ));
        assert!(leads_nowhere_else(&["id"], &[Sql::Integer(1)]));
    }
}
