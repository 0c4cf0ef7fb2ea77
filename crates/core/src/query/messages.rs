//! Messages as they are shown: with their files, reactions, quotes and receipts.

use data_encoding::BASE64;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use undertone_content::{Meaning, MimiContent};
use undertone_mls::AccountId;

use crate::{
    attachments::{CANCELLED, State},
    error::{Reason, Result},
    ids::{ChatId, ContactId, MessageId},
    rich_text,
    sync::{account::Me, card, conversation, downloads, message},
    view::*,
};

const MESSAGE: &str = "SELECT m.id, m.message_id, m.conversation, m.sender, m.kind, m.text, m.markdown, m.sent_at_ms, m.received_at_ms, m.state,
    m.generation, m.number, m.reply_to, c.group_id, m.gone, m.edits, m.edited_at_ms,
    t.after_ms, t.at_ms, t.due_age_ms, (SELECT wall_ms - age_ms FROM age), m.view_once, m.forwarded,
    EXISTS (SELECT 1 FROM pins p WHERE p.conversation = m.conversation AND p.target = m.message_id), m.notice,
    CASE WHEN instr(m.content, CAST('application/vnd.undertone.contact' AS BLOB)) > 0 AND m.edits = 0 AND m.gone = 0 THEN m.content ELSE x'' END
    FROM messages m JOIN conversations c ON c.id = m.conversation LEFT JOIN timers t ON t.message = m.id";
/// Characters of a quoted text.
const QUOTED: usize = 300;

struct Raw {
    conversation: i64,
    sender: Vec<u8>,
    reply: Vec<u8>,
    /// If it may hold a contact card. What was edited is what it says now.
    content: Vec<u8>,
    info: MessageInfo,
}

fn message_row(row: &Row<'_>) -> rusqlite::Result<Raw> {
    let generation: u32 = row.get(10)?;
    let reply: Vec<u8> = row.get(12)?;
    let sender: Vec<u8> = row.get(3)?;
    Ok(Raw {
        conversation: row.get(2)?,
        info: MessageInfo {
            id: MessageId::from_bytes(&row.get::<_, Vec<u8>>(1)?),
            local_id: row.get(0)?,
            chat: ChatId::from_bytes(&row.get::<_, Vec<u8>>(13)?),
            sender: (!sender.is_empty()).then(|| ContactId::from_bytes(&sender)),
            sender_name: String::new(),
            mine: false,
            kind: match row.get::<_, i64>(4)? {
                1 => MessageKind::Message,
                2 => MessageKind::Notice,
                _ => MessageKind::Gap,
            },
            text: row.get(5)?,
            notice: Notice::decode(&row.get::<_, Vec<u8>>(24)?),
            markdown: row.get(6)?,
            attachments: Vec::new(),
            card: None,
            location: None,
            sent_ms: row.get(7)?,
            received_ms: row.get(8)?,
            state: match row.get::<_, i64>(9)? {
                1 => MessageState::Received,
                2 => MessageState::Queued,
                3 => MessageState::Uploading,
                4 => MessageState::Sending,
                5 => MessageState::Accepted,
                6 => MessageState::Sent,
                _ => MessageState::Failed,
            },
            order: (generation != message::NO_PLACE).then_some(Order {
                generation,
                number: row.get(11)?,
            }),
            in_reply_to: (!reply.is_empty()).then(|| MessageId::from_bytes(&reply)),
            quote: None,
            edits: row.get(15)?,
            edited_ms: Some(row.get(16)?).filter(|at| *at > 0),
            deleted: row.get::<_, i64>(14)? != 0,
            timer_s: row
                .get::<_, Option<i64>>(17)?
                .filter(|after| *after > 0)
                .and_then(|after| u32::try_from(after / 1000).ok()),
            expires_ms: expires(row)?,
            rich: None,
            mentions: Vec::new(),
            pinned: row.get(23)?,
            forwarded: row.get(22)?,
            view_once: row.get::<_, i64>(21)? != 0,
            opened: row.get::<_, i64>(21)? == 2,
            delivered_to: 0,
            read_by: 0,
            reactions: Vec::new(),
        },
        reply,
        content: row.get(25)?,
        sender,
    })
}

/// When a message goes, by the system's clock.
fn expires(row: &Row<'_>) -> rusqlite::Result<Option<i64>> {
    let (at, due): (Option<i64>, Option<i64>) = (row.get(18)?, row.get(19)?);
    if let Some(at) = at.filter(|at| *at > 0) {
        return Ok(Some(at));
    }
    let born: i64 = row.get(20)?;
    Ok(due.filter(|due| *due > 0).map(|due| due + born))
}

fn whole(db: &Connection, me: &Me, raw: Raw) -> Result<MessageInfo> {
    let mut info = raw.info;
    if !raw.sender.is_empty() {
        let account = AccountId::from_slice(&raw.sender)?;
        info.mine = account == me.account;
        info.sender_name = sender_name(db, me, raw.conversation, &account)?;
    }
    if info.mine {
        (info.delivered_to, info.read_by) = db
            .prepare_cached(
                "SELECT count(*), count(nullif(read_at_ms, 0)) FROM receipts WHERE message = ?1",
            )?
            .query_row([info.local_id], |row| Ok((row.get(0)?, row.get(1)?)))?;
    }
    if info.markdown {
        let read = rich_text::read(&info.text);
        info.rich = Some(read.blocks);
        info.mentions = read.mentions;
    }
    if info.kind == MessageKind::Message {
        info.attachments = files(db, info.local_id)?;
        let is_stranger = !info.mine && conversation::load(db, raw.conversation)?.request;
        if is_stranger {
            // Nothing of a stranger's pictures is shown before they are accepted.
            for file in &mut info.attachments {
                file.preview = None;
            }
        }
        info.card = card::shown(db, me, &raw.content, is_stranger)?;
        if !info.markdown && info.card.is_none() && info.attachments.is_empty() {
            info.location = Location::of_text(&info.text);
        }
        info.reactions = reactions(db, me, raw.conversation, &info.id)?;
        if !raw.reply.is_empty() {
            info.quote = Some(quote(db, me, raw.conversation, &raw.reply)?);
        }
    }
    Ok(info)
}

fn sender_name(db: &Connection, me: &Me, conversation: i64, account: &AccountId) -> Result<String> {
    if *account == me.account {
        return Ok(me.name());
    }
    conversation::name_of(db, conversation, account)
}

/// What a message answers, as it stands now: an edit or a deletion changes the quote too.
fn quote(db: &Connection, me: &Me, conversation: i64, id: &[u8]) -> Result<Quote> {
    let found = db
        .prepare_cached(
            "SELECT id, sender, text, gone, (SELECT count(*) FROM message_files f WHERE f.message = messages.id)
             FROM messages WHERE conversation = ?1 AND message_id = ?2 AND kind = 1",
        )?
        .query_row(params![conversation, id], |row| {
            Ok((
                row.get::<_, i64>(0)?,
                row.get::<_, Vec<u8>>(1)?,
                row.get::<_, String>(2)?,
                row.get::<_, i64>(3)?,
                row.get::<_, u32>(4)?,
            ))
        })
        .optional()?;
    let id = MessageId::from_bytes(id);
    let Some((local, sender, text, gone, files)) = found.filter(|found| found.3 < 2) else {
        return Ok(Quote {
            id,
            local_id: None,
            sender_name: String::new(),
            mine: false,
            text: String::new(),
            files: 0,
            deleted: true,
        });
    };
    let sender = AccountId::from_slice(&sender)?;
    Ok(Quote {
        id,
        local_id: Some(local),
        sender_name: sender_name(db, me, conversation, &sender)?,
        mine: sender == me.account,
        text: text.chars().take(QUOTED).collect(),
        files,
        deleted: gone != 0,
    })
}

fn reactions(
    db: &Connection,
    me: &Me,
    conversation: i64,
    target: &MessageId,
) -> Result<Vec<ReactionInfo>> {
    let mut statement = db.prepare_cached(
        "SELECT sender, text FROM reactions WHERE conversation = ?1 AND target = ?2 ORDER BY position",
    )?;
    let rows = statement
        .query_map(params![conversation, target.bytes()?], |row| {
            Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, String>(1)?))
        })?
        .collect::<std::result::Result<Vec<_>, _>>()?;
    let mut shown: Vec<ReactionInfo> = Vec::new();
    for (sender, text) in rows {
        let account = AccountId::from_slice(&sender)?;
        let at = shown.iter().position(|reaction| reaction.text == text);
        let at = at.unwrap_or_else(|| {
            shown.push(ReactionInfo {
                text,
                people: Vec::new(),
                names: Vec::new(),
                mine: false,
            });
            shown.len() - 1
        });
        if let Some(reaction) = shown.get_mut(at) {
            reaction.people.push(ContactId::from_bytes(&sender));
            reaction
                .names
                .push(sender_name(db, me, conversation, &account)?);
            reaction.mine |= account == me.account;
        }
    }
    Ok(shown)
}

/// The pinned messages of a chat, the one pinned last first.
pub(crate) fn pinned(db: &Connection, me: &Me, conversation: i64) -> Result<Vec<MessageInfo>> {
    let mut statement = db.prepare_cached(&format!(
        "{MESSAGE} JOIN pins p ON p.conversation = m.conversation AND p.target = m.message_id
         WHERE m.conversation = ?1 AND m.kind = 1 AND m.gone = 0 ORDER BY p.pinned_at_ms DESC, m.id DESC"
    ))?;
    let raw = statement
        .query_map([conversation], message_row)?
        .collect::<std::result::Result<Vec<_>, _>>()?;
    raw.into_iter().map(|raw| whole(db, me, raw)).collect()
}

/// What others told of a message of one's own, by name.
pub(crate) fn receipts(db: &Connection, me: &Me, local: i64) -> Result<Vec<Receipt>> {
    let mut statement = db.prepare_cached(
        "SELECT r.account_id, r.delivered_at_ms, r.read_at_ms, m.conversation FROM receipts r JOIN messages m ON m.id = r.message
         WHERE r.message = ?1",
    )?;
    let rows = statement
        .query_map([local], |row| {
            Ok((
                row.get::<_, Vec<u8>>(0)?,
                row.get::<_, i64>(1)?,
                row.get::<_, i64>(2)?,
                row.get::<_, i64>(3)?,
            ))
        })?
        .collect::<std::result::Result<Vec<_>, _>>()?;
    let mut told = rows
        .into_iter()
        .map(|(account, delivered, read, conversation)| {
            let name = sender_name(db, me, conversation, &AccountId::from_slice(&account)?)?;
            Ok(Receipt {
                contact: ContactId::from_bytes(&account),
                name,
                delivered_ms: Some(delivered).filter(|at| *at > 0),
                read_ms: Some(read).filter(|at| *at > 0),
            })
        })
        .collect::<Result<Vec<_>>>()?;
    told.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(told)
}

/// Versions of a message that are shown: each may be as large as a message.
const VERSIONS: i64 = 500;

/// All versions of a message, the first one first; of very many the last ones.
pub(crate) fn history(db: &Connection, local: i64) -> Result<Vec<Version>> {
    let mut statement = db.prepare_cached(
        "SELECT content, sent_at_ms, 0, 0, 0, 0 FROM messages WHERE id = ?1 AND gone = 0
         UNION ALL SELECT a.content, a.sent_at_ms, 1, a.generation, a.number, a.counter
            FROM messages m JOIN actions a ON a.conversation = m.conversation AND a.target = m.message_id AND a.sender = m.sender
            WHERE m.id = ?1 AND m.gone = 0 AND a.kind = 1
         ORDER BY 3 DESC, 4 DESC, 5 DESC, 6 DESC LIMIT ?2",
    )?;
    let rows = statement
        .query_map(rusqlite::params![local, VERSIONS], |row| {
            Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, i64>(1)?))
        })?
        .collect::<std::result::Result<Vec<_>, _>>()?;
    rows.into_iter()
        .rev()
        .map(|(content, sent_ms)| {
            // What could be opened once was opened: nothing is left of what it said first.
            let (text, markdown) = match MimiContent::decode(&content) {
                _ if content.is_empty() => (String::new(), false),
                Ok(content) if content.meaning() == Meaning::Nothing => (String::new(), false),
                Ok(content) => message::text_of(&content),
                Err(_) => return Err(Reason::ContentMalformed.into()),
            };
            Ok(Version {
                text,
                markdown,
                sent_ms,
            })
        })
        .collect()
}

fn files(db: &Connection, message: i64) -> Result<Vec<AttachmentInfo>> {
    let mut statement = db.prepare_cached(
        "SELECT f.position, f.name, f.content_type, f.size, f.width, f.height, f.duration_ms, f.waveform, f.preview,
            coalesce(a.direction = 1 OR a.state = 3, 0), coalesce(a.direction, 2), coalesce(a.state, 2), coalesce(a.paused, 0),
            coalesce(a.failure, ''), m.state, d.asked
         FROM message_files f JOIN messages m ON m.id = f.message LEFT JOIN attachments a ON a.id = f.attachment
            LEFT JOIN downloads d ON d.message = f.message AND d.position = f.position
         WHERE f.message = ?1 ORDER BY f.position",
    )?;
    let rows = statement
        .query_map([message], |row| {
            let preview: Vec<u8> = row.get(8)?;
            Ok(AttachmentInfo {
                index: row.get(0)?,
                name: row.get(1)?,
                content_type: row.get(2)?,
                size: row.get(3)?,
                width: Some(row.get(4)?).filter(|pixels| *pixels > 0),
                height: Some(row.get(5)?).filter(|pixels| *pixels > 0),
                duration_ms: Some(row.get(6)?).filter(|ms| *ms > 0),
                waveform: row.get(7)?,
                preview: (!preview.is_empty()).then(|| BASE64.encode(&preview)),
                here: row.get(9)?,
                transfer: transfer(db, row)?,
            })
        })?
        .collect::<std::result::Result<Vec<_>, _>>()?;
    Ok(rows)
}

/// Where the transfer of a file is, of a row of [`files`].
fn transfer(db: &Connection, row: &Row<'_>) -> rusqlite::Result<Option<TransferState>> {
    let is_upload = row.get::<_, i64>(10)? == 1;
    let (state, paused, failure): (i64, bool, String) = (row.get(11)?, row.get(12)?, row.get(13)?);
    let is_going = if is_upload {
        row.get::<_, i64>(14)? == message::State::Uploading as i64
    } else {
        match row.get::<_, Option<bool>>(15)? {
            None => false,
            Some(true) => true,
            Some(false) => downloads::limit(db)
                .ok()
                .flatten()
                .is_some_and(|limit| row.get(3).is_ok_and(|size: i64| size <= limit)),
        }
    };
    Ok(match State::from_number(state) {
        Some(State::Waiting) if paused && (is_going || !is_upload) => Some(TransferState::Paused),
        Some(State::Waiting) if is_going => Some(TransferState::Waiting),
        Some(State::Failed) if failure == CANCELLED => Some(TransferState::Cancelled),
        Some(State::Failed) => Some(TransferState::Failed),
        _ => None,
    })
}

/// A line by its row.
pub(crate) fn message_by_row(db: &Connection, me: &Me, local: i64) -> Result<Option<MessageInfo>> {
    db.prepare_cached(&format!("{MESSAGE} WHERE m.id = ?1"))?
        .query_row([local], message_row)
        .optional()?
        .map(|raw| whole(db, me, raw))
        .transpose()
}

/// The last `limit` lines of a chat (those before the line `before`), oldest first.
pub(crate) fn messages(
    db: &Connection,
    me: &Me,
    row: &conversation::Conversation,
    limit: u32,
    before: Option<i64>,
) -> Result<Vec<MessageInfo>> {
    let raw = if let Some(before) = before {
        let mut statement = db.prepare_cached(&format!("{MESSAGE} {BEFORE}"))?;
        statement
            .query_map(params![row.id, limit, before], message_row)?
            .collect::<std::result::Result<Vec<_>, _>>()?
    } else {
        let mut statement = db.prepare_cached(&format!("{MESSAGE} {LAST}"))?;
        statement
            .query_map(params![row.id, limit], message_row)?
            .collect::<std::result::Result<Vec<_>, _>>()?
    };
    raw.into_iter()
        .rev()
        .map(|raw| whole(db, me, raw))
        .collect()
}

/// Lines of a chat in its order, from the first message that was written at that moment or after.
pub(crate) fn messages_from(
    db: &Connection,
    me: &Me,
    row: &conversation::Conversation,
    from_ms: i64,
    limit: u32,
) -> Result<Vec<MessageInfo>> {
    let first = db
        .prepare_cached(FIRST_FROM)?
        .query_row(params![row.id, from_ms], place)
        .optional()?;
    first.map_or_else(
        || Ok(Vec::new()),
        |first| lines_from(db, me, row, first, limit),
    )
}

/// The lines of a chat after the line `after`, in its order. Nothing if there is no such line.
pub(crate) fn messages_after(
    db: &Connection,
    me: &Me,
    row: &conversation::Conversation,
    after: i64,
    limit: u32,
) -> Result<Vec<MessageInfo>> {
    let Some((generation, number, id)) = place_of(db, row, after)? else {
        return Ok(Vec::new());
    };
    let next = (generation, number, id.saturating_add(1));
    lines_from(db, me, row, next, limit)
}

/// A line of a chat with those on both sides of it, in its order: half of `limit` before it, the rest of it and after it. Nothing if there
/// is no such line.
pub(crate) fn messages_around(
    db: &Connection,
    me: &Me,
    row: &conversation::Conversation,
    around: i64,
    limit: u32,
) -> Result<Vec<MessageInfo>> {
    let Some(place) = place_of(db, row, around)? else {
        return Ok(Vec::new());
    };
    let before = limit / 2;
    let mut lines = messages(db, me, row, before, Some(around))?;
    lines.extend(lines_from(db, me, row, place, limit - before)?);
    Ok(lines)
}

/// Where a line stands in its chat: generation, number, row.
type Place = (u32, u64, i64);

fn place(found: &rusqlite::Row<'_>) -> rusqlite::Result<Place> {
    Ok((found.get(0)?, found.get(1)?, found.get(2)?))
}

fn place_of(
    db: &Connection,
    row: &conversation::Conversation,
    local: i64,
) -> Result<Option<Place>> {
    let place = db
        .prepare_cached(
            "SELECT generation, number, id FROM messages WHERE id = ?1 AND conversation = ?2",
        )?
        .query_row([local, row.id], place)
        .optional()?;
    Ok(place)
}

fn lines_from(
    db: &Connection,
    me: &Me,
    row: &conversation::Conversation,
    (generation, number, id): Place,
    limit: u32,
) -> Result<Vec<MessageInfo>> {
    let mut statement = db.prepare_cached(&format!("{MESSAGE} {FROM}"))?;
    let raw = statement
        .query_map(params![row.id, limit, generation, number, id], message_row)?
        .collect::<std::result::Result<Vec<_>, _>>()?;
    raw.into_iter().map(|raw| whole(db, me, raw)).collect()
}

/// The last lines of a chat, those before a line, and those from a place on.
const LAST: &str = "WHERE m.conversation = ?1 AND m.gone < 2 ORDER BY m.generation DESC, m.number DESC, m.id DESC LIMIT ?2";
const BEFORE: &str = "WHERE m.conversation = ?1 AND m.gone < 2 AND (m.generation, m.number, m.id) <
        (SELECT generation, number, id FROM messages WHERE id = ?3 AND conversation = ?1)
    ORDER BY m.generation DESC, m.number DESC, m.id DESC LIMIT ?2";
const FROM: &str =
    "WHERE m.conversation = ?1 AND m.gone < 2 AND (m.generation, m.number, m.id) >= (?3, ?4, ?5)
    ORDER BY m.generation, m.number, m.id LIMIT ?2";

/// What a chat is opened with, for the test that looks at how the store answers.
#[cfg(test)]
pub(crate) fn chat_queries() -> Vec<String> {
    let mut all: Vec<String> = [LAST, BEFORE, FROM]
        .map(|of| format!("{MESSAGE} {of}"))
        .into();
    all.push(FIRST_FROM.to_owned());
    all
}

/// The first message of a chat at or after a moment.
const FIRST_FROM: &str =
    "SELECT generation, number, id FROM messages WHERE conversation = ?1 AND kind = 1 AND gone = 0 AND sent_at_ms >= ?2
     ORDER BY sent_at_ms, id LIMIT 1";

/// The message that a person means: its id, or what only one id begins with.
pub(crate) fn find_message(
    db: &Connection,
    me: &Me,
    row: &conversation::Conversation,
    selector: &str,
) -> Result<MessageInfo> {
    let lower = selector.trim().to_ascii_lowercase();
    if lower.len() < 4 || !lower.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(Reason::MessageUnknown.into());
    }
    let mut statement = db.prepare_cached(&format!(
        "{MESSAGE} WHERE m.conversation = ?1 AND substr(lower(hex(m.message_id)), 1, ?3) = ?2 AND m.kind = 1 AND m.gone < 2 LIMIT 2"
    ))?;
    let mut raw = statement
        .query_map(params![row.id, lower, lower.len()], message_row)?
        .collect::<std::result::Result<Vec<_>, _>>()?;
    match (raw.pop(), raw.pop()) {
        (Some(raw), None) => whole(db, me, raw),
        (Some(_), Some(_)) => Err(Reason::MessageAmbiguous.into()),
        _ => Err(Reason::MessageUnknown.into()),
    }
}
