//! What the owner has set: for all chats, for one, and for one person.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension as _, params};
use undertone_mls::AccountId;

use super::{Work, change::Change, conversation::Conversation, downloads, shared, shared_apply};
use crate::{
    error::{Reason, Result},
    view::{ChatChange, Settings, SettingsChange, SettingsPart},
};

/// Drafts may be longer than messages, but not endless.
const DRAFT_BYTES: usize = 256 * 1024;

/// What comes by itself is each device's own matter; these are not told to the others.
const DOWNLOAD: &str = "download_bytes";
const DOWNLOAD_METERED: &str = "download_metered_bytes";
const METERED: &str = "metered";

fn number(db: &Connection, name: &str) -> Result<Option<i64>> {
    Ok(db
        .prepare_cached("SELECT value FROM settings WHERE name = ?1")?
        .query_row([name], |row| row.get(0))
        .optional()?)
}

fn get(db: &Connection, name: &str, default: bool) -> Result<bool> {
    Ok(number(db, name)?.map_or(default, |value| value != 0))
}

/// A limit in bytes; 0 unless it was set.
fn limit(db: &Connection, name: &str) -> Result<u64> {
    let value = number(db, name)?.unwrap_or(0);
    Ok(u64::try_from(value).unwrap_or(0))
}

/// For all chats.
pub(crate) fn all(db: &Connection) -> Result<Settings> {
    Ok(Settings {
        read_receipts: get(db, "read_receipts", true)?,
        typing: get(db, "typing", true)?,
        download_bytes: limit(db, DOWNLOAD)?,
        download_metered_bytes: limit(db, DOWNLOAD_METERED)?,
        metered: get(db, METERED, false)?,
    })
}

/// Sets those for all chats.
pub(crate) fn set_all(work: &Work<'_>, change: &SettingsChange) -> Result<()> {
    let set = |name: &str, value: i64| {
        work.db.execute(
            "INSERT INTO settings (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            params![name, value],
        )
    };
    if let Some(on) = change.read_receipts {
        set("read_receipts", on.into())?;
    }
    if let Some(on) = change.typing {
        set("typing", on.into())?;
    }
    let limits = [
        (DOWNLOAD, change.download_bytes),
        (DOWNLOAD_METERED, change.download_metered_bytes),
    ];
    for (name, bytes) in limits {
        if let Some(bytes) = bytes {
            set(name, i64::try_from(bytes).unwrap_or(i64::MAX))?;
        }
    }
    if let Some(on) = change.metered {
        set(METERED, on.into())?;
    }
    downloads::limits_changed(work)?;
    work.tell(Change::Settings(SettingsPart::AllChats));
    shared_apply::put_settings(work)
}

/// What sets a user interface's own names apart from the engine's.
const PREFERENCE: &str = "ui.";
/// Longest name of one.
const PREFERENCE_BYTES: usize = 32;

/// What a user interface keeps for itself.
pub(crate) fn preferences(db: &Connection) -> Result<BTreeMap<String, i32>> {
    let mut query = db.prepare_cached(
        "SELECT substr(name, length(?1) + 1), value FROM settings WHERE substr(name, 1, length(?1)) = ?1",
    )?;
    let rows = query.query_map([PREFERENCE], |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.collect::<rusqlite::Result<_>>().map_err(Into::into)
}

/// Keeps one such number.
pub(crate) fn set_preference(work: &Work<'_>, name: &str, value: i32) -> Result<()> {
    let is_name = !name.is_empty()
        && name.len() <= PREFERENCE_BYTES
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    if !is_name {
        return Err(Reason::PreferenceInvalid.into());
    }
    work.db.execute(
        "INSERT INTO settings (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        params![format!("{PREFERENCE}{name}"), value],
    )?;
    work.tell(Change::Settings(SettingsPart::Preferences));
    Ok(())
}

/// As stored: as elsewhere, yes, no.
fn choice(value: i64) -> Option<bool> {
    match value {
        1 => Some(true),
        2 => Some(false),
        _ => None,
    }
}

fn stored(choice: Option<bool>) -> i64 {
    match choice {
        None => 0,
        Some(true) => 1,
        Some(false) => 2,
    }
}

/// Whether this account and that person tell each other, in this chat, what they have read: the person's setting, else the chat's,
/// else the one for all.
pub(crate) fn tells_reading(
    db: &Connection,
    conversation: i64,
    person: Option<&AccountId>,
) -> Result<bool> {
    let of_person: Option<i64> = match person {
        Some(person) => db
            .prepare_cached("SELECT read_receipts FROM people WHERE account_id = ?1")?
            .query_row([person.as_bytes()], |row| row.get(0))
            .optional()?,
        None => None,
    };
    let of_chat: Option<i64> = db
        .prepare_cached("SELECT read_receipts FROM chat_settings WHERE conversation = ?1")?
        .query_row([conversation], |row| row.get(0))
        .optional()?;
    let own = of_person
        .and_then(choice)
        .or_else(|| of_chat.and_then(choice));
    match own {
        Some(own) => Ok(own),
        None => Ok(all(db)?.read_receipts),
    }
}

/// Whether this account wants nothing from somebody.
pub(crate) fn is_blocked(db: &Connection, account: &AccountId) -> Result<bool> {
    Ok(db
        .prepare_cached("SELECT 1 FROM people WHERE account_id = ?1 AND blocked = 1")?
        .exists([account.as_bytes()])?)
}

/// Makes a chat's row, if it has none.
pub(crate) fn make_row(work: &Work<'_>, conversation: i64) -> Result<()> {
    work.db.execute(
        "INSERT OR IGNORE INTO chat_settings (conversation) VALUES (?1)",
        [conversation],
    )?;
    Ok(())
}

/// Changes what is set for a chat.
pub(crate) fn set_chat(work: &Work<'_>, row: &Conversation, change: &ChatChange) -> Result<()> {
    make_row(work, row.id)?;
    let set = |column: &str, value: i64| {
        work.db.execute(
            &format!("UPDATE chat_settings SET {column} = ?2 WHERE conversation = ?1"),
            [row.id, value],
        )
    };
    if let Some(until) = change.muted_until_ms {
        set("muted_until_ms", until.max(0))?;
    }
    if let Some(archived) = change.archived {
        set("archived", archived.into())?;
    }
    if let Some(pinned) = change.pinned {
        set("pinned_at_ms", if pinned { work.now_ms.max(1) } else { 0 })?;
    }
    if let Some(read_receipts) = change.read_receipts {
        set("read_receipts", stored(read_receipts.as_choice()))?;
    }
    shared::put_chat(work, row)?;
    work.tell(Change::Chat(row.id));
    Ok(())
}

/// Keeps what was begun to be written, and what it answers.
pub(crate) fn set_draft(
    work: &Work<'_>,
    row: &Conversation,
    text: &str,
    reply_to: Option<&[u8; 32]>,
) -> Result<()> {
    if text.len() > DRAFT_BYTES {
        return Err(Reason::MessageTooLong.into());
    }
    let reply_to = reply_to.map_or(&[][..], |id| &id[..]);
    work.db.execute(
        "INSERT INTO chat_settings (conversation, draft, draft_reply_to) VALUES (?1, ?2, ?3)
         ON CONFLICT (conversation) DO UPDATE SET draft = excluded.draft, draft_reply_to = excluded.draft_reply_to",
        params![row.id, text, reply_to],
    )?;
    shared::put_draft(work, row)?;
    work.tell(Change::Chat(row.id));
    Ok(())
}

/// A message came: an archived chat comes back, unless it is muted. The other devices are told: there the message may have come first, and
/// nothing would bring the chat back.
pub(crate) fn message_came(work: &Work<'_>, row: &Conversation) -> Result<()> {
    let back = work
        .db
        .prepare_cached(
            "UPDATE chat_settings SET archived = 0 WHERE conversation = ?1 AND archived = 1 AND muted_until_ms <= ?2",
        )?
        .execute([row.id, work.now_ms])?;
    if back > 0 {
        shared::put_chat(work, row)?;
    }
    Ok(())
}

/// Blocks a person, or ends that; sets whether this account and that person tell each other what they have read.
pub(crate) fn set_person(
    work: &Work<'_>,
    account: &AccountId,
    blocked: Option<bool>,
    read_receipts: Option<Option<bool>>,
) -> Result<()> {
    work.db.execute(
        "INSERT OR IGNORE INTO people (account_id) VALUES (?1)",
        [account.as_bytes()],
    )?;
    if let Some(blocked) = blocked {
        work.db.execute(
            "UPDATE people SET blocked = ?2 WHERE account_id = ?1",
            params![account.as_bytes(), blocked],
        )?;
    }
    if let Some(choice) = read_receipts {
        work.db.execute(
            "UPDATE people SET read_receipts = ?2 WHERE account_id = ?1",
            params![account.as_bytes(), stored(choice)],
        )?;
    }
    shared::put_person(work, account)?;
    work.tell(Change::Contact(*account.as_bytes()));
    Ok(())
}
