//! Actions: new versions of messages, deletions and reactions, one's own and others'.
//!
//! An action is kept as it came, also when the message it is about has not come yet. How a message looks is worked out anew from all
//! actions on it, so that every device comes to the same whatever order things reach it in:
//!
//! - a deletion by the message's author wins over everything, for good;
//! - of versions by its author the one that stands last in the conversation counts;
//! - a person's reactions are those that this person has neither taken back nor replaced.
//!
//! What somebody does to a message of somebody else (but for reacting) is nothing. Who somebody is, MLS says, never the content.

use std::collections::HashMap;

use rusqlite::{OptionalExtension as _, params};
use undertone_content::{Disposition, Meaning, MessageId, MimiContent, PartBody};
use undertone_mls::AccountId;

use super::{
    Work,
    change::Change,
    conversation::{self, Conversation},
    early, erase, ignored,
    message::{self, NO_PLACE, Place, Sender},
    timer,
};
use crate::{
    error::{Reason, Result},
    rich_text,
    view::Notice,
};

/// As stored (actions.kind).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Edit = 1,
    Delete = 2,
    Reaction = 3,
    Pin = 4,
    Unpin = 5,
}

/// Content types of what pins a message and ends that; the message is the one it answers.
pub(super) const PIN: &str = "application/vnd.undertone.pin";
pub(super) const UNPIN: &str = "application/vnd.undertone.unpin";

fn pin_kind(content: &MimiContent) -> Option<Kind> {
    match &content.body.body {
        PartBody::Single(part) if content.body.disposition == Disposition::Session => {
            match part.content_type.as_str() {
                PIN => Some(Kind::Pin),
                UNPIN => Some(Kind::Unpin),
                _ => None,
            }
        }
        _ => None,
    }
}

/// Whether it pins a message, or ends that.
pub(crate) fn is_pin(content: &MimiContent) -> bool {
    pin_kind(content).is_some()
}

/// The longest reaction, bytes: an emoji of a family with skin tones has 41.
const REACTION_BYTES: usize = 64;
/// Reactions of one person to one message that are shown.
const REACTIONS_EACH: usize = 20;
/// As many of one person's to one message are looked at: the same one may come again and again.
const REACTIONS_LOOKED_AT: usize = 100;

/// What is done, to which message.
pub(super) struct Action<'a> {
    pub(super) kind: Kind,
    pub(super) target: [u8; 32],
    pub(super) replaces: Option<[u8; 32]>,
    pub(super) content: &'a MimiContent,
}

pub(super) fn read(content: &MimiContent) -> Option<Action<'_>> {
    let pin = pin_kind(content).zip(content.in_reply_to);
    let (kind, target, replaces) = match content.meaning() {
        Meaning::Post if pin.is_some() => {
            let (kind, target) = pin?;
            (kind, target, None)
        }
        Meaning::Edit(target) => (Kind::Edit, target, None),
        Meaning::Delete(target) => (Kind::Delete, target, None),
        Meaning::Reaction {
            target, replaces, ..
        } => (Kind::Reaction, target, replaces),
        Meaning::Post | Meaning::Nothing => return None,
    };
    Some(Action {
        kind,
        target: *target.as_bytes(),
        replaces: replaces.map(|id| *id.as_bytes()),
        content,
    })
}

/// Takes an action from somebody, or from an earlier life or another device of this account.
pub(crate) fn receive(
    work: &Work<'_>,
    row: &Conversation,
    sender: &Sender,
    bytes: &[u8],
    content: &MimiContent,
    place: Place,
) -> Result<()> {
    let Some(action) = read(content) else {
        return Ok(());
    };
    let (sender_uri, room) = message::uris(&sender.account, row);
    let Ok(id) = MessageId::of(bytes, &content.salt, &sender_uri, &room) else {
        return Ok(());
    };
    note_if_idle(work, row, sender, &action)?;
    if let Some(kept) = keep(work, row, sender, &id, bytes, &action, place)? {
        if matches!(action.kind, Kind::Edit | Kind::Reaction)
            && message::local_id(work.db, row.id, &action.target)?.is_none()
        {
            early::note(work, kept, content)?;
        }
        if action.kind == Kind::Pin {
            let who = conversation::person(work, row.id, &sender.account)?;
            message::add_notice(work, row.id, &Notice::Pinned { who }, place)?;
        }
        apply(work, row, action.kind, &action.target, &sender.account)?;
        return Ok(());
    }
    // As with messages.
    let stands: Option<Place> = work
        .db
        .prepare_cached(
            "SELECT generation, number FROM actions WHERE conversation = ?1 AND sender = ?2 AND message_id = ?3",
        )?
        .query_row(
            params![row.id, sender.account.as_bytes(), id.as_bytes()],
            |found| {
                Ok(Place {
                    generation: found.get(0)?,
                    number: found.get(1)?,
                })
            },
        )
        .optional()?;
    if stands.is_some_and(|stands| stands < place) {
        stand_at(work, row, sender, &id, place)?;
    }
    Ok(())
}

/// An action that is here stands at this place.
pub(crate) fn stand_at(
    work: &Work<'_>,
    row: &Conversation,
    sender: &Sender,
    id: &MessageId,
    place: Place,
) -> Result<()> {
    let moved: Option<(Vec<u8>, i64)> = work
        .db
        .prepare_cached(
            "UPDATE actions SET generation = ?4, number = ?5
             WHERE conversation = ?1 AND sender = ?2 AND message_id = ?3 AND generation <> ?6 RETURNING target, kind",
        )?
        .query_row(
            params![
                row.id,
                sender.account.as_bytes(),
                id.as_bytes(),
                place.generation,
                place.number,
                NO_PLACE
            ],
            |found| Ok((found.get(0)?, found.get(1)?)),
        )
        .optional()?;
    renew_unless_deleted(work, row, moved)
}

/// What was acted on looks as all actions say together; what is deleted for everyone stays so.
fn renew_unless_deleted(
    work: &Work<'_>,
    row: &Conversation,
    changed: Option<(Vec<u8>, i64)>,
) -> Result<()> {
    match changed {
        Some((target, kind)) if kind != Kind::Delete as i64 => {
            let target = target.try_into().map_err(|_| Reason::StateBroken)?;
            renew(work, row.id, &target)
        }
        _ => Ok(()),
    }
}

/// What changes nothing is noted in the log: a new version or deletion by somebody else than the author, whatever is about a message
/// that is not here (it may still come), what is no reaction, and mentions that are too many.
fn note_if_idle(
    work: &Work<'_>,
    row: &Conversation,
    sender: &Sender,
    action: &Action<'_>,
) -> Result<()> {
    let author: Option<Vec<u8>> = work
        .db
        .prepare_cached(
            "SELECT sender FROM messages WHERE conversation = ?1 AND message_id = ?2 AND kind = 1
             UNION ALL SELECT sender FROM actions WHERE conversation = ?1 AND message_id = ?2 AND kind = 3",
        )?
        .query_row(params![row.id, action.target], |found| found.get(0))
        .optional()?;
    match author {
        None => ignored::note("action.unknown_target"),
        Some(author)
            if matches!(action.kind, Kind::Edit | Kind::Delete)
                && author != sender.account.as_bytes() =>
        {
            ignored::note("action.not_the_author");
        }
        Some(_) => {}
    }
    match action.content.meaning() {
        Meaning::Reaction { reactions, .. } if !reactions.iter().all(|text| is_reaction(text)) => {
            ignored::note("reaction.malformed");
        }
        Meaning::Edit(_) => {
            let (text, markdown) = message::text_of(action.content);
            if markdown && rich_text::has_too_many_mentions(&text) {
                ignored::note("message.mentions");
            }
        }
        _ => {}
    }
    Ok(())
}

/// Its row; None if it was there before.
pub(super) fn keep(
    work: &Work<'_>,
    row: &Conversation,
    sender: &Sender,
    id: &MessageId,
    bytes: &[u8],
    action: &Action<'_>,
    place: Place,
) -> Result<Option<i64>> {
    let counter = action.content.device_counter().unwrap_or(0);
    let sent_at = timer::said_ms(work, action.content);
    let changed = work
        .db
        .prepare_cached(
            "INSERT OR IGNORE INTO actions (conversation, message_id, sender, device, kind, target, replaces, generation, number, counter, content, sent_at_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        )?
        .execute(params![
            row.id,
            id.as_bytes(),
            sender.account.as_bytes(),
            sender.device.as_bytes(),
            action.kind as i64,
            action.target,
            action.replaces.as_ref().map_or(&[][..], |id| &id[..]),
            place.generation,
            place.number,
            i64::try_from(counter).unwrap_or(0),
            bytes,
            sent_at
        ])?;
    Ok((changed > 0).then(|| work.last_id()))
}

/// Works out anew what an action has changed.
pub(super) fn apply(
    work: &Work<'_>,
    row: &Conversation,
    kind: Kind,
    target: &[u8; 32],
    sender: &AccountId,
) -> Result<()> {
    if kind == Kind::Delete {
        // It may be a reaction that is taken back.
        let reacted_to: Option<Vec<u8>> = work
            .db
            .prepare_cached(
                "SELECT target FROM actions WHERE conversation = ?1 AND message_id = ?2 AND sender = ?3 AND kind = 3",
            )?
            .query_row(params![row.id, target, sender.as_bytes()], |found| found.get(0))
            .optional()?;
        if let Some(reacted_to) = reacted_to
            && let Ok(reacted_to) = <[u8; 32]>::try_from(reacted_to)
        {
            return renew(work, row.id, &reacted_to);
        }
    }
    renew(work, row.id, target)
}

/// [`renew`] for a message that has just come, if anything was done to it before.
pub(crate) fn renew_if_acted_on(
    work: &Work<'_>,
    conversation: i64,
    target: &[u8; 32],
) -> Result<()> {
    let acted_on = work
        .db
        .prepare_cached("SELECT 1 FROM actions WHERE conversation = ?1 AND target = ?2")?
        .exists(params![conversation, target])?;
    if acted_on {
        renew(work, conversation, target)?;
    }
    Ok(())
}

/// Works out anew how a message looks. If it has not come yet there is nothing but what is not to be kept.
pub(crate) fn renew(work: &Work<'_>, conversation: i64, target: &[u8; 32]) -> Result<()> {
    let found: Option<(i64, Vec<u8>, i64)> = work
        .db
        .prepare_cached(
            "SELECT id, sender, gone FROM messages WHERE conversation = ?1 AND message_id = ?2 AND kind = 1",
        )?
        .query_row(params![conversation, target], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .optional()?;
    let row = conversation::load(work.db, conversation)?;
    erase::taken_back(work, &row, target)?;
    let Some((local, author, gone)) = found else {
        return erase::deleted_early(work, &row, target);
    };
    let deleted = work
        .db
        .prepare_cached(
            "SELECT 1 FROM actions WHERE conversation = ?1 AND target = ?2 AND sender = ?3 AND kind = 2",
        )?
        .exists(params![conversation, target, author])?;
    if deleted || gone != 0 {
        // What is gone already stays as it went; what came for it since goes too.
        let how = match gone {
            2 if !deleted => erase::Gone::Here,
            3 if !deleted => erase::Gone::Expired,
            _ => erase::Gone::ForEveryone,
        };
        erase::message(work, local, how)?;
    } else {
        versions(work, conversation, local, target, &author)?;
        reactions(work, conversation, target)?;
        pins(work, conversation, target)?;
    }
    work.tell(Change::MessageState(local));
    Ok(())
}

/// The version that counts.
fn versions(
    work: &Work<'_>,
    conversation: i64,
    local: i64,
    target: &[u8; 32],
    author: &[u8],
) -> Result<()> {
    // Newest first, and only by their rows: each new version comes here, and all of what they say would be read each time.
    let all = {
        let mut statement = work.db.prepare_cached(
            "SELECT id FROM actions WHERE conversation = ?1 AND target = ?2 AND sender = ?3 AND kind = 1
             ORDER BY generation DESC, number DESC, counter DESC, message_id DESC",
        )?;
        statement
            .query_map(params![conversation, target, author], |row| {
                row.get::<_, i64>(0)
            })?
            .collect::<std::result::Result<Vec<_>, _>>()?
    };
    let Some(newest) = all.first() else {
        return Ok(());
    };
    let mut read = work
        .db
        .prepare_cached("SELECT content, sent_at_ms FROM actions WHERE id = ?1")?;
    let mut read = |id: &i64| -> Result<(Vec<u8>, i64)> {
        Ok(read.query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))?)
    };
    // A version that came long before its message may be erased: that there was one is said all the same.
    let mut last = None;
    for id in &all {
        let (content, written_at) = read(id)?;
        if let Ok(content) = MimiContent::decode(&content) {
            last = Some((message::text_of(&content), written_at));
            break;
        }
    }
    let Some(((text, markdown), written_at)) = last else {
        work.db
            .prepare_cached("UPDATE messages SET edits = ?2, edited_at_ms = ?3 WHERE id = ?1")?
            .execute(params![
                local,
                i64::try_from(all.len()).unwrap_or(i64::MAX),
                read(newest)?.1
            ])?;
        return Ok(());
    };
    work.db
        .prepare_cached(
            "UPDATE messages SET text = ?2, markdown = ?3, edits = ?4, edited_at_ms = ?5 WHERE id = ?1",
        )?
        .execute(params![
            local,
            text,
            markdown,
            i64::try_from(all.len()).unwrap_or(i64::MAX),
            written_at
        ])?;
    Ok(())
}

/// The reactions that stand.
fn reactions(work: &Work<'_>, conversation: i64, target: &[u8; 32]) -> Result<()> {
    let standing = {
        let mut statement = work.db.prepare_cached(
            "SELECT a.id, a.sender FROM actions a
             WHERE a.conversation = ?1 AND a.target = ?2 AND a.kind = 3 AND NOT EXISTS (
                SELECT 1 FROM actions b WHERE b.conversation = ?1 AND b.sender = a.sender
                    AND ((b.kind = 2 AND b.target = a.message_id) OR (b.kind = 3 AND b.target = ?2 AND b.replaces = a.message_id)))
             ORDER BY a.generation, a.number, a.counter, a.message_id",
        )?;
        statement
            .query_map(params![conversation, target], |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?))
            })?
            .collect::<std::result::Result<Vec<_>, _>>()?
    };
    let mut read = work
        .db
        .prepare_cached("SELECT content FROM actions WHERE id = ?1")?;
    work.db
        .prepare_cached("DELETE FROM reactions WHERE conversation = ?1 AND target = ?2")?
        .execute(params![conversation, target])?;
    let mut insert = work.db.prepare_cached(
        "INSERT OR IGNORE INTO reactions (conversation, target, sender, text, position) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    let mut people: HashMap<Vec<u8>, Reacted> = HashMap::new();
    let mut position = 0_i64;
    for (id, sender) in standing {
        let person = people.entry(sender.clone()).or_default();
        person.looked_at += 1;
        if person.shown >= REACTIONS_EACH || person.looked_at > REACTIONS_LOOKED_AT {
            continue;
        }
        let content: Vec<u8> = read.query_row([id], |row| row.get(0))?;
        let Ok(content) = MimiContent::decode(&content) else {
            continue;
        };
        let Meaning::Reaction { reactions, .. } = content.meaning() else {
            continue;
        };
        for text in reactions.into_iter().filter(|text| is_reaction(text)) {
            if person.shown < REACTIONS_EACH {
                person.shown +=
                    insert.execute(params![conversation, target, sender, text, position])?;
                position += 1;
            }
        }
    }
    Ok(())
}

/// How often somebody reacted to a message.
#[derive(Default)]
struct Reacted {
    looked_at: usize,
    shown: usize,
}

/// Whether it is pinned: what was done last counts.
fn pins(work: &Work<'_>, conversation: i64, target: &[u8; 32]) -> Result<()> {
    let last: Option<(i64, Vec<u8>, i64)> = work
        .db
        .prepare_cached(
            "SELECT kind, sender, sent_at_ms FROM actions WHERE conversation = ?1 AND target = ?2 AND kind IN (4, 5)
             ORDER BY generation DESC, number DESC, counter DESC, message_id DESC LIMIT 1",
        )?
        .query_row(params![conversation, target], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .optional()?;
    match last {
        Some((kind, by, at)) if kind == Kind::Pin as i64 => {
            work.db
                .prepare_cached(
                    "INSERT OR REPLACE INTO pins (conversation, target, by_account, pinned_at_ms) VALUES (?1, ?2, ?3, ?4)",
                )?
                .execute(params![conversation, target, by, at])?;
        }
        _ => {
            work.db
                .prepare_cached("DELETE FROM pins WHERE conversation = ?1 AND target = ?2")?
                .execute(params![conversation, target])?;
        }
    }
    Ok(())
}

/// Whether a text can be a reaction: short, and nothing that writes over its surroundings.
pub(super) fn is_reaction(text: &str) -> bool {
    !text.trim().is_empty() && text.len() <= REACTION_BYTES && !text.chars().any(char::is_control)
}

/// The own copy of an action came back: it has its place, which may change what counts.
pub(crate) fn placed(work: &Work<'_>, row: &Conversation, action: i64, place: Place) -> Result<()> {
    let found: Option<(Vec<u8>, i64)> = work
        .db
        .prepare_cached(
            "UPDATE actions SET generation = ?2, number = ?3 WHERE id = ?1 AND generation = ?4 RETURNING target, kind",
        )?
        .query_row(
            params![action, place.generation, place.number, NO_PLACE],
            |found| Ok((found.get(0)?, found.get(1)?)),
        )
        .optional()?;
    renew_unless_deleted(work, row, found)
}

/// An own action that nobody else took: it never was.
pub(crate) fn forget(work: &Work<'_>, row: &Conversation, action: i64) -> Result<()> {
    let target: Option<Vec<u8>> = work
        .db
        .prepare_cached("DELETE FROM actions WHERE id = ?1 RETURNING target")?
        .query_row([action], |found| found.get(0))
        .optional()?;
    let Some(target) = target else { return Ok(()) };
    let target: [u8; 32] = target.try_into().map_err(|_| Reason::StateBroken)?;
    restore(work, row.id, &target)?;
    renew(work, row.id, &target)
}

/// Without any version left the message says what it said first.
fn restore(work: &Work<'_>, conversation: i64, target: &[u8; 32]) -> Result<()> {
    let Some(local) = message::local_id(work.db, conversation, target)? else {
        return Ok(());
    };
    let content: Vec<u8> = work
        .db
        .prepare_cached("SELECT content FROM messages WHERE id = ?1")?
        .query_row([local], |found| found.get(0))?;
    if let Ok(content) = MimiContent::decode(&content) {
        let (text, markdown) = message::text_of(&content);
        work.db
            .prepare_cached(
                "UPDATE messages SET text = ?2, markdown = ?3, edits = 0, edited_at_ms = 0 WHERE id = ?1 AND gone = 0",
            )?
            .execute(params![local, text, markdown])?;
    }
    Ok(())
}
