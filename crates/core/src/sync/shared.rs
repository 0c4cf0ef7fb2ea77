//! What the account's devices have in common beside conversations: contacts, settings, drafts, what was read and deleted, and the
//! devices themselves. A map of small entries; each device has all of it, and tells the others of what it changed through the account's
//! own group.
//!
//! The entry with the highest (stamp, device) of a key counts, wherever and in whatever order it arrives, so all devices come to have the
//! same. A stamp is the moment of the change, and more than that of the entry that it takes the place of. A device that is new is told
//! everything; so are all of them when one of them has missed something.
//!
//! What must stay true: entries come from this account's own devices only; an entry that can't be understood is kept and passed by.

use prost::Message as _;
use rusqlite::{Connection, OptionalExtension as _, params};
use undertone_content::MimiContent;
use undertone_mls::{AccountId, DeviceId, KpKey};
use undertone_wire::secrets::AddressSecret;

use super::{
    Work,
    automatic::{self, Automatic},
    conversation::{self, Conversation, State},
    devices::{self, Device},
    outbox, shared_apply, siblings,
    take::Source,
};
use crate::error::{Reason, Result};

/// Bytes of entries in one message.
const MESSAGE_BYTES: usize = 32_000;
/// Messages composed in one round.
const MESSAGES_AT_ONCE: usize = 8;
/// The longest key and value that are taken from another device.
const KEY_BYTES: usize = 96;
const VALUE_BYTES: usize = 30_000;
/// The highest stamp that is taken: there must be room for those that follow. How far ahead it is of this device's clock says nothing: that
/// clock, or the other device's, may be wrong by years, and both must come to have the same all the same.
const HIGHEST_STAMP: i64 = i64::MAX / 2;

/// What an entry is about: the first byte of its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    /// || account: [`Contact`].
    Contact = b'c',
    /// || account: [`Person`].
    Person = b'p',
    /// For all chats: [`Number`].
    Settings = b'g',
    /// || group || field: [`Number`].
    Chat = b's',
    /// || group: [`Draft`].
    Draft = b'd',
    /// || group: [`Place`].
    Read = b'r',
    /// || group || message id: nothing.
    Gone = b'x',
    /// || group || message id: nothing.
    Opened = b'o',
    /// || device id: [`SharedDevice`].
    Device = b'v',
    /// The account's device-signing key: [`SigningKey`].
    SigningKey = b'k',
    /// The account's kill code: `kill::SharedCode`.
    KillCode = b'l',
    /// || device id: which slot of it the device has.
    KillPlace = b'q',
    /// || account || device id: how that device's alarm is known, `alarm::Agreement`.
    Alarm = b'a',
    /// || group: whether the account is in that conversation, [`Number`] 1 or 0.
    Here = b'n',
    /// || device id || group: that the device is not in that conversation, [`Number`]; 0 when it is.
    Absent = b'w',
    /// What the account's backups are sealed to.
    BackupKey = b'b',
    /// This account's name and picture: `profile::Profile`.
    Profile = b'f',
    /// || announcement id: that the owner has read it; nothing.
    Dismissed = b'e',
    /// || device id: `history::Head`. || device id || number: `history::Portion`.
    History = b'h',
}

/// A message with entries.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Entries {
    #[prost(message, repeated, tag = "1")]
    pub(crate) entries: Vec<Entry>,
}

/// An entry.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Entry {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) key: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) value: Vec<u8>,
    #[prost(int64, tag = "3")]
    pub(crate) stamp: i64,
    #[prost(bytes = "vec", tag = "4")]
    pub(crate) device: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Contact {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(bool, tag = "2")]
    pub(crate) verified: bool,
    #[prost(int64, tag = "3")]
    pub(crate) added_at_ms: i64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Person {
    #[prost(bool, tag = "1")]
    pub(crate) blocked: bool,
    #[prost(int64, tag = "2")]
    pub(crate) read_receipts: i64,
    #[prost(bool, tag = "3")]
    pub(crate) accepted: bool,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(crate) struct Number {
    #[prost(int64, tag = "1")]
    pub(crate) value: i64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Draft {
    #[prost(string, tag = "1")]
    pub(crate) text: String,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) reply_to: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(crate) struct Place {
    #[prost(uint32, tag = "1")]
    pub(crate) generation: u32,
    #[prost(uint64, tag = "2")]
    pub(crate) number: u64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct SharedDevice {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) pool_secret: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    pub(crate) kp_key: Vec<u8>,
    #[prost(bool, tag = "4")]
    pub(crate) removed: bool,
    #[prost(int64, tag = "5")]
    pub(crate) added_at_ms: i64,
    #[prost(bool, tag = "6")]
    pub(crate) stale: bool,
}

/// Fields of a chat, as the last byte of a key; each is a column of `chat_settings`.
pub(crate) const CHAT_FIELDS: &[(u8, &str)] = &[
    (b'm', "muted_until_ms"),
    (b'a', "archived"),
    (b'p', "pinned_at_ms"),
    (b'r', "read_receipts"),
];

/// A key.
pub(crate) fn key(kind: Kind, parts: &[&[u8]]) -> Vec<u8> {
    let mut key = vec![kind as u8];
    for part in parts {
        key.extend_from_slice(part);
    }
    key
}

/// This device changes an entry. One that says the same already is left as it is.
pub(crate) fn put(work: &Work<'_>, key: &[u8], value: &[u8]) -> Result<()> {
    let known: Option<(Vec<u8>, i64)> = work
        .db
        .prepare_cached("SELECT value, stamp FROM shared WHERE key = ?1")?
        .query_row([key], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let stamp = match known {
        Some((same, _)) if same == value => return Ok(()),
        Some((_, stamp)) => work.now_ms.max(stamp.saturating_add(1)),
        None => work.now_ms,
    };
    work.db
        .prepare_cached("INSERT OR REPLACE INTO shared (key, value, stamp, device, told) VALUES (?1, ?2, ?3, ?4, 0)")?
        .execute(params![key, value, stamp, work.me.device.as_bytes()])?;
    work.wake();
    Ok(())
}

/// The same, with a value as a message.
pub(crate) fn put_value(
    work: &Work<'_>,
    kind: Kind,
    parts: &[&[u8]],
    value: &impl prost::Message,
) -> Result<()> {
    put(work, &key(kind, parts), &value.encode_to_vec())
}

/// This device knows something new of a device.
pub(crate) fn put_device(work: &Work<'_>, device: &Device) -> Result<()> {
    let source = device.source.as_ref();
    put_value(
        work,
        Kind::Device,
        &[device.id.as_bytes()],
        &SharedDevice {
            name: device.name.clone(),
            pool_secret: source.map_or_else(Vec::new, |source| source.secret.expose().to_vec()),
            kp_key: source.map_or_else(Vec::new, |source| source.kp_key.expose().to_vec()),
            removed: !device.in_use,
            added_at_ms: device.added_at_ms,
            stale: device.stale,
        },
    )
}

/// From an entry.
pub(crate) fn device(id: &[u8], value: &[u8]) -> Option<Device> {
    let shared = SharedDevice::decode(value).ok()?;
    let source = match (shared.pool_secret.is_empty(), shared.kp_key.is_empty()) {
        (false, false) => Some(Source {
            secret: AddressSecret::from_slice(&shared.pool_secret).ok()?,
            kp_key: KpKey::from_slice(&shared.kp_key).ok()?,
        }),
        _ => None,
    };
    Some(Device {
        id: DeviceId::from_slice(id).ok()?,
        name: shared.name,
        source,
        in_use: !shared.removed,
        added_at_ms: shared.added_at_ms,
        stale: shared.stale,
    })
}

/// What a contact is to this account now.
pub(crate) fn put_contact(work: &Work<'_>, account: &AccountId) -> Result<()> {
    let contact = work
        .db
        .query_row(
            // Who only asks to be one is none yet, on any device.
            "SELECT name, verified, added_at_ms FROM contacts WHERE account_id = ?1 AND state = 2
                AND NOT EXISTS (SELECT 1 FROM conversations v WHERE v.id = contacts.conversation AND v.request = 1)",
            [account.as_bytes()],
            |row| {
                Ok(Contact {
                    name: row.get(0)?,
                    verified: row.get(1)?,
                    added_at_ms: row.get(2)?,
                })
            },
        )
        .optional()?;
    match contact {
        Some(contact) => put_value(work, Kind::Contact, &[account.as_bytes()], &contact),
        None => Ok(()),
    }
}

/// What is set for a person.
pub(crate) fn put_person(work: &Work<'_>, account: &AccountId) -> Result<()> {
    let person = work.db.query_row(
        "SELECT blocked, read_receipts, accepted FROM people WHERE account_id = ?1",
        [account.as_bytes()],
        |row| {
            Ok(Person {
                blocked: row.get(0)?,
                read_receipts: row.get(1)?,
                accepted: row.get(2)?,
            })
        },
    )?;
    put_value(work, Kind::Person, &[account.as_bytes()], &person)
}

/// What is set for a chat.
pub(crate) fn put_chat(work: &Work<'_>, row: &Conversation) -> Result<()> {
    for (field, column) in CHAT_FIELDS {
        let value: Option<i64> = work
            .db
            .query_row(
                &format!("SELECT {column} FROM chat_settings WHERE conversation = ?1"),
                [row.id],
                |found| found.get(0),
            )
            .optional()?;
        let key = key(Kind::Chat, &[row.group.as_bytes(), &[*field]]);
        let said = work
            .db
            .prepare_cached("SELECT 1 FROM shared WHERE key = ?1")?
            .exists([&key])?;
        // What was never set is not worth an entry.
        if let Some(value) = value.filter(|value| said || *value != 0) {
            put(work, &key, &Number { value }.encode_to_vec())?;
        }
    }
    Ok(())
}

/// What was begun to be written in a chat.
pub(crate) fn put_draft(work: &Work<'_>, row: &Conversation) -> Result<()> {
    let draft = work
        .db
        .query_row(
            "SELECT draft, draft_reply_to FROM chat_settings WHERE conversation = ?1",
            [row.id],
            |found| {
                Ok(Draft {
                    text: found.get(0)?,
                    reply_to: found.get(1)?,
                })
            },
        )
        .optional()?
        .unwrap_or_default();
    let key = key(Kind::Draft, &[row.group.as_bytes()]);
    let said = work
        .db
        .prepare_cached("SELECT 1 FROM shared WHERE key = ?1")?
        .exists([&key])?;
    let value = draft.encode_to_vec();
    // A draft that is longer than what goes over stays on this device.
    if (!said && draft.text.is_empty()) || value.len() > VALUE_BYTES {
        return Ok(());
    }
    put(work, &key, &value)
}

/// How far a chat was read.
pub(crate) fn put_read(work: &Work<'_>, row: &Conversation) -> Result<()> {
    let place = work
        .db
        .prepare_cached(
            "SELECT m.generation, m.number FROM messages m JOIN conversations c ON c.id = m.conversation
             WHERE m.conversation = ?1 AND m.id <= c.read_up_to AND m.kind = 1 AND m.generation <> 4294967295
             ORDER BY m.generation DESC, m.number DESC LIMIT 1",
        )?
        .query_row([row.id], |found| {
            Ok(Place {
                generation: found.get(0)?,
                number: found.get(1)?,
            })
        })
        .optional()?;
    match place {
        Some(place) => put_value(work, Kind::Read, &[row.group.as_bytes()], &place),
        None => Ok(()),
    }
}

/// A message was deleted for this account alone.
pub(crate) fn put_gone(work: &Work<'_>, row: &Conversation, message: &[u8; 32]) -> Result<()> {
    put(
        work,
        &key(Kind::Gone, &[row.group.as_bytes(), message]),
        &[],
    )
}

/// The files of a message that may be opened once were opened on this device.
pub(crate) fn put_opened(work: &Work<'_>, local: i64) -> Result<()> {
    let (group, message): (Vec<u8>, Vec<u8>) = work.db.query_row(
        "SELECT c.group_id, m.message_id FROM messages m JOIN conversations c ON c.id = m.conversation WHERE m.id = ?1",
        [local],
        |found| Ok((found.get(0)?, found.get(1)?)),
    )?;
    put(work, &key(Kind::Opened, &[&group, &message]), &[])
}

/// Everything that this device has becomes an entry: it is about to get a sibling.
pub(crate) fn fill(work: &Work<'_>) -> Result<()> {
    let accounts = |sql: &str| -> Result<Vec<AccountId>> {
        let mut statement = work.db.prepare(sql)?;
        let rows = statement
            .query_map([], |row| row.get::<_, Vec<u8>>(0))?
            .collect::<std::result::Result<Vec<_>, _>>()?;
        rows.iter()
            .map(|bytes| Ok(AccountId::from_slice(bytes)?))
            .collect()
    };
    for account in accounts("SELECT account_id FROM contacts WHERE state = 2")? {
        put_contact(work, &account)?;
    }
    for account in accounts("SELECT account_id FROM people")? {
        put_person(work, &account)?;
    }
    for row in conversation::sendable(work)? {
        put_chat(work, &row)?;
        put_draft(work, &row)?;
        put_read(work, &row)?;
    }
    super::rotation::put_backup_key(work)?;
    super::announcement::put_dismissed(work)?;
    shared_apply::put_settings(work)
}

/// The others are told of everything again: one of them is new, or missed something.
pub(crate) fn tell_all_again(work: &Work<'_>) -> Result<()> {
    work.db.execute("UPDATE shared SET told = 0", [])?;
    work.wake();
    Ok(())
}

/// What this device told the others was encrypted in an epoch that is over: a device that has come since got none of it, and the one that
/// let it in could not tell it either. It is told once more.
pub(crate) fn told_too_early(work: &Work<'_>, row: &Conversation, content: &[u8]) -> Result<()> {
    if row.kind != conversation::Kind::Notes {
        return Ok(());
    }
    let content = MimiContent::decode(content).map_err(|_| Reason::ContentMalformed)?;
    let Some(Automatic::Sync(told)) = automatic::read(&content) else {
        return Ok(());
    };
    for entry in told.entries {
        work.db
            .prepare_cached("UPDATE shared SET told = 0 WHERE key = ?1")?
            .execute([entry.key])?;
    }
    work.wake();
    Ok(())
}

/// Whether entries can go: there is somebody to tell, and a way.
fn way(work: &Work<'_>) -> Result<Option<Conversation>> {
    if !devices::has_siblings(work)? {
        return Ok(None);
    }
    let Some(row) = devices::own_group(work)?.filter(|row| row.state == State::Active) else {
        return Ok(None);
    };
    let waits = work
        .db
        .prepare_cached("SELECT 1 FROM shared WHERE told = 0 AND key <> ?1")?
        .exists([held_back(work, &row)?])?;
    if !waits {
        return Ok(None);
    }
    let several = conversation::devices(work.db, row.id)?.len() > 1;
    // One round at a time: what is changed meanwhile goes with the next.
    let busy = work
        .db
        .prepare_cached("SELECT 1 FROM outbox WHERE conversation = ?1 AND message = 0 AND action = 0 AND state < 3")?
        .exists([row.id])?;
    Ok((several && !busy).then_some(row))
}

/// What is told to nobody yet: the account's device-signing key, as long as somebody is in the account's own group who is none of its devices,
/// or not any more. Who was removed, or made by somebody who was, must not hear of it.
fn held_back(work: &Work<'_>, own: &Conversation) -> Result<Vec<u8>> {
    Ok(if siblings::are_among_themselves(work, own)? {
        Vec::new()
    } else {
        key(Kind::SigningKey, &[])
    })
}

/// Puts what changed into messages for the other devices. Called now and then.
pub(crate) fn tick(work: &Work<'_>) -> Result<()> {
    for _ in 0..MESSAGES_AT_ONCE {
        let Some(row) = way(work)? else { return Ok(()) };
        let mut statement = work.db.prepare_cached(
            "SELECT key, value, stamp, device FROM shared WHERE told = 0 AND key <> ?1 ORDER BY key LIMIT 500",
        )?;
        let all = statement
            .query_map([held_back(work, &row)?], |found| {
                Ok(Entry {
                    key: found.get(0)?,
                    value: found.get(1)?,
                    stamp: found.get(2)?,
                    device: found.get(3)?,
                })
            })?
            .collect::<std::result::Result<Vec<_>, _>>()?;
        drop(statement);
        let mut entries = Entries::default();
        let mut bytes = 0;
        for entry in all {
            bytes += entry.encoded_len() + 4;
            if bytes > MESSAGE_BYTES && !entries.entries.is_empty() {
                break;
            }
            work.db.execute(
                "UPDATE shared SET told = 1 WHERE key = ?1 AND stamp = ?2",
                params![entry.key, entry.stamp],
            )?;
            entries.entries.push(entry);
        }
        if entries.entries.is_empty() {
            return Ok(());
        }
        let content = automatic::sync(work, &row, &entries)?;
        outbox::push(work, row.id, 0, &content, false, work.automatic_at())?;
    }
    Ok(())
}

/// A device of this account tells of entries.
pub(crate) fn came(work: &Work<'_>, entries: &Entries) -> Result<()> {
    for entry in &entries.entries {
        let fits = (1..=KEY_BYTES).contains(&entry.key.len())
            && entry.value.len() <= VALUE_BYTES
            && entry.device.len() == 16
            && entry.stamp <= HIGHEST_STAMP;
        if !fits {
            continue;
        }
        if is_newer(work.db, entry)? {
            work.db
                .prepare_cached("INSERT OR REPLACE INTO shared (key, value, stamp, device, told) VALUES (?1, ?2, ?3, ?4, 1)")?
                .execute(params![
                    entry.key,
                    entry.value,
                    entry.stamp,
                    entry.device
                ])?;
            shared_apply::apply(work, &entry.key, &entry.value)?;
        } else if entry.key.first() == Some(&(Kind::Read as u8)) {
            // What was read stays read: the device that read less may have read it later.
            shared_apply::apply(work, &entry.key, &entry.value)?;
        }
    }
    work.wake();
    Ok(())
}

fn is_newer(db: &Connection, entry: &Entry) -> Result<bool> {
    let known: Option<(i64, Vec<u8>, Vec<u8>)> = db
        .prepare_cached("SELECT stamp, device, value FROM shared WHERE key = ?1")?
        .query_row([&entry.key], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .optional()?;
    Ok(known.is_none_or(|(stamp, device, value)| {
        (entry.stamp, &entry.device, &entry.value) > (stamp, &device, &value)
    }))
}

/// A contact is here now: what was said of them before counts.
pub(crate) fn apply_contact(work: &Work<'_>, account: &AccountId) -> Result<()> {
    let key = key(Kind::Contact, &[account.as_bytes()]);
    let value: Option<Vec<u8>> = work
        .db
        .prepare_cached("SELECT value FROM shared WHERE key = ?1")?
        .query_row([&key], |row| row.get(0))
        .optional()?;
    match value {
        Some(value) => shared_apply::apply(work, &key, &value),
        None => Ok(()),
    }
}

/// A conversation is here now: what was said of it before counts.
pub(crate) fn apply_for(work: &Work<'_>, group: &[u8; 16]) -> Result<()> {
    for kind in [
        Kind::Chat,
        Kind::Draft,
        Kind::Read,
        Kind::Gone,
        Kind::Opened,
    ] {
        let from = key(kind, &[group]);
        let mut to = from.clone();
        // Whatever follows the group: fields and message ids are shorter than this.
        to.extend_from_slice(&[0xff; 33]);
        let mut statement = work
            .db
            .prepare_cached("SELECT key, value FROM shared WHERE key >= ?1 AND key <= ?2")?;
        let found = statement
            .query_map([from, to], |row| {
                Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, Vec<u8>>(1)?))
            })?
            .collect::<std::result::Result<Vec<_>, _>>()?;
        for (key, value) in found {
            shared_apply::apply(work, &key, &value)?;
        }
    }
    Ok(())
}
