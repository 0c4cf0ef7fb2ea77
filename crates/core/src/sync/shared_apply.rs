//! What an entry of [`super::shared`] changes in this device's own tables. It changes them without making an entry of its own.

use prost::Message as _;
use rusqlite::{OptionalExtension as _, params};
use undertone_mls::AccountId;

use super::{
    Work, absent, alarm, announcement,
    change::Change,
    conversation::{self, Conversation, Kind as ConversationKind},
    devices, erase, kill, message, profile, rotation, settings,
    shared::{self, CHAT_FIELDS, Contact, Draft, Kind, Number, Person, Place},
    timer,
};
use crate::{error::Result, view::SettingsPart};

/// Names of settings for all chats.
const SETTINGS: &[&str] = &["read_receipts", "typing", devices::REMOVE_WIPED];

/// The settings for all chats become entries.
pub(crate) fn put_settings(work: &Work<'_>) -> Result<()> {
    for name in SETTINGS {
        let value: Option<i64> = work
            .db
            .query_row(
                "SELECT value FROM settings WHERE name = ?1",
                [name],
                |row| row.get(0),
            )
            .optional()?;
        if let Some(value) = value {
            shared::put_value(work, Kind::Settings, &[name.as_bytes()], &Number { value })?;
        }
    }
    Ok(())
}

/// An entry counts now. What can't be understood, or is about what is not here, changes nothing.
pub(crate) fn apply(work: &Work<'_>, key: &[u8], value: &[u8]) -> Result<()> {
    let Some((kind, rest)) = key.split_first() else {
        return Ok(());
    };
    match *kind {
        kind if kind == Kind::Contact as u8 => contact(work, rest, value),
        kind if kind == Kind::Person as u8 => person(work, rest, value),
        kind if kind == Kind::Settings as u8 => for_all_chats(work, rest, value),
        kind if kind == Kind::Device as u8 => match shared::device(rest, value) {
            Some(device) => devices::told(work, &device),
            None => Ok(()),
        },
        kind if kind == Kind::SigningKey as u8 => rotation::came(work, value),
        kind if kind == Kind::KillCode as u8 || kind == Kind::KillPlace as u8 => {
            kill::came(work);
            Ok(())
        }
        kind if kind == Kind::Here as u8 => absent::told(work, rest, value),
        kind if kind == Kind::Absent as u8 => absent::asked(work, rest, value),
        kind if kind == Kind::Alarm as u8 => alarm::apply(work, rest, value),
        kind if kind == Kind::BackupKey as u8 => {
            work.tell(Change::Settings(SettingsPart::Backup));
            rotation::backup_key_came(work, value)
        }
        kind if kind == Kind::Profile as u8 => profile::changed_elsewhere(work),
        kind if kind == Kind::Dismissed as u8 => announcement::dismissed_elsewhere(work, rest),
        kind if kind == Kind::History as u8 => {
            work.tell(Change::History);
            Ok(())
        }
        kind => {
            let Some((group, rest)) = rest.split_first_chunk::<16>() else {
                return Ok(());
            };
            let Some(row) = conversation::by_group(work.db, group)? else {
                return Ok(());
            };
            if kind == Kind::Chat as u8 {
                chat(work, &row, rest, value)
            } else if kind == Kind::Draft as u8 {
                draft(work, &row, value)
            } else if kind == Kind::Read as u8 {
                read(work, &row, value)
            } else if kind == Kind::Gone as u8 {
                gone(work, &row, rest)
            } else if kind == Kind::Opened as u8 {
                opened(work, &row, rest)
            } else {
                Ok(())
            }
        }
    }
}

fn contact(work: &Work<'_>, account: &[u8], value: &[u8]) -> Result<()> {
    let (Ok(account), Ok(contact)) = (AccountId::from_slice(account), Contact::decode(value))
    else {
        return Ok(());
    };
    let name: String = contact.name.chars().filter(|c| !c.is_control()).collect();
    // The conversation with them comes by itself; until then they can't be written to.
    work.db.execute(
        "INSERT INTO contacts (account_id, name, verified, conversation, state, added_at_ms)
         VALUES (?1, ?2, ?3, coalesce((SELECT max(id) FROM conversations WHERE kind = 1 AND peer = ?1 AND state IN (1, 2, 3)), 0),
            CASE WHEN EXISTS (SELECT 1 FROM conversations WHERE kind = 1 AND peer = ?1 AND state IN (2, 3)) THEN 2 ELSE 1 END, ?4)
         ON CONFLICT (account_id) DO UPDATE SET name = excluded.name, verified = excluded.verified",
        params![
            account.as_bytes(),
            name,
            contact.verified,
            contact.added_at_ms.min(work.now_ms)
        ],
    )?;
    work.tell(Change::Contact(*account.as_bytes()));
    Ok(())
}

fn person(work: &Work<'_>, account: &[u8], value: &[u8]) -> Result<()> {
    let (Ok(account), Ok(person)) = (AccountId::from_slice(account), Person::decode(value)) else {
        return Ok(());
    };
    work.db.execute(
        "INSERT INTO people (account_id, blocked, read_receipts, accepted) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (account_id) DO UPDATE SET blocked = excluded.blocked, read_receipts = excluded.read_receipts, accepted = max(accepted, excluded.accepted)",
        params![
            account.as_bytes(),
            person.blocked,
            person.read_receipts.clamp(0, 2),
            person.accepted
        ],
    )?;
    work.tell(Change::Contact(*account.as_bytes()));
    Ok(())
}

fn for_all_chats(work: &Work<'_>, name: &[u8], value: &[u8]) -> Result<()> {
    let Some(name) = SETTINGS.iter().find(|known| known.as_bytes() == name) else {
        return Ok(());
    };
    let Ok(number) = Number::decode(value) else {
        return Ok(());
    };
    work.db.execute(
        "INSERT INTO settings (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        params![name, number.value],
    )?;
    let part = match *name {
        devices::REMOVE_WIPED => SettingsPart::Protection,
        _ => SettingsPart::AllChats,
    };
    work.tell(Change::Settings(part));
    Ok(())
}

fn chat(work: &Work<'_>, row: &Conversation, field: &[u8], value: &[u8]) -> Result<()> {
    let column = CHAT_FIELDS
        .iter()
        .find(|(known, _)| [*known] == *field)
        .map(|(_, column)| *column);
    let (Some(column), Ok(number)) = (column, Number::decode(value)) else {
        return Ok(());
    };
    let most = match column {
        "archived" => 1,
        "read_receipts" => 2,
        _ => i64::MAX,
    };
    settings::make_row(work, row.id)?;
    work.db.execute(
        &format!("UPDATE chat_settings SET {column} = ?2 WHERE conversation = ?1"),
        params![row.id, number.value.clamp(0, most)],
    )?;
    work.tell(Change::Chat(row.id));
    Ok(())
}

fn draft(work: &Work<'_>, row: &Conversation, value: &[u8]) -> Result<()> {
    let Ok(draft) = Draft::decode(value) else {
        return Ok(());
    };
    let reply_to = if draft.reply_to.len() == 32 {
        &draft.reply_to[..]
    } else {
        &[]
    };
    settings::make_row(work, row.id)?;
    work.db.execute(
        "UPDATE chat_settings SET draft = ?2, draft_reply_to = ?3 WHERE conversation = ?1",
        params![row.id, draft.text, reply_to],
    )?;
    work.tell(Change::Chat(row.id));
    Ok(())
}

/// What was read on one device is read on all: the time of messages that disappear begins here too. Their authors were told by the device
/// on which they were read.
pub(super) fn read(work: &Work<'_>, row: &Conversation, value: &[u8]) -> Result<()> {
    let Ok(place) = Place::decode(value) else {
        return Ok(());
    };
    let Ok(number) = i64::try_from(place.number) else {
        return Ok(());
    };
    let up_to: Option<i64> = work.db.query_row(
        "SELECT max(id) FROM messages WHERE conversation = ?1 AND (generation, number) <= (?2, ?3)",
        params![row.id, place.generation, number],
        |found| found.get(0),
    )?;
    let Some(up_to) = up_to else { return Ok(()) };
    let changed = work.db.execute(
        "UPDATE conversations SET read_up_to = ?2 WHERE id = ?1 AND read_up_to < ?2",
        [row.id, up_to],
    )?;
    if changed > 0 {
        timer::read_up_to(work, row, up_to)?;
        work.tell(Change::Chat(row.id));
    }
    Ok(())
}

/// A message came that may have been read, or deleted, on another device before.
pub(crate) fn message_came(work: &Work<'_>, row: &Conversation, id: &[u8; 32]) -> Result<()> {
    opened_or_gone(work, row, id)?;
    read_before(work, row)
}

/// A message came that may have been opened once, or deleted, on another device before.
pub(super) fn opened_or_gone(work: &Work<'_>, row: &Conversation, id: &[u8; 32]) -> Result<()> {
    let is_said = |kind: Kind| {
        let key = shared::key(kind, &[row.group.as_bytes(), id]);
        let mut entry = work
            .db
            .prepare_cached("SELECT 1 FROM shared WHERE key = ?1")?;
        Ok::<_, crate::Error>(entry.exists([key])?)
    };
    if is_said(Kind::Opened)? {
        opened(work, row, id)?;
    }
    if is_said(Kind::Gone)? {
        gone(work, row, id)?;
    }
    Ok(())
}

/// What came may stand before what was read on another device.
pub(super) fn read_before(work: &Work<'_>, row: &Conversation) -> Result<()> {
    if row.kind == ConversationKind::Notes {
        return Ok(());
    }
    let read_key = shared::key(Kind::Read, &[row.group.as_bytes()]);
    let place: Option<Vec<u8>> = work
        .db
        .prepare_cached("SELECT value FROM shared WHERE key = ?1 AND device <> ?2")?
        .query_row(params![read_key, work.me.device.as_bytes()], |found| {
            found.get(0)
        })
        .optional()?;
    match place {
        Some(place) => read(work, row, &place),
        None => Ok(()),
    }
}

fn gone(work: &Work<'_>, row: &Conversation, id: &[u8]) -> Result<()> {
    let Ok(id) = <&[u8; 32]>::try_from(id) else {
        return Ok(());
    };
    match message::local_id(work.db, row.id, id)? {
        Some(local) => erase::message(work, local, erase::Gone::Here),
        None => Ok(()),
    }
}

/// What may be opened once was opened on another device.
fn opened(work: &Work<'_>, row: &Conversation, id: &[u8]) -> Result<()> {
    let Ok(id) = <&[u8; 32]>::try_from(id) else {
        return Ok(());
    };
    match message::local_id(work.db, row.id, id)? {
        Some(local) => erase::opened_once(work, local),
        None => Ok(()),
    }
}
