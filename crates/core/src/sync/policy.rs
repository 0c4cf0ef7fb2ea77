//! Who may write and pin in a group, as its members agreed.
//!
//! What comes is judged by the MLS state that this device is in when it comes, which is the same for all, since all take things in the
//! channel's order: so a member who was told to be quiet can't go on by writing in an epoch that is past. What is sent again stood
//! somewhere before; it also counts if its author could do it there, as far as this device knows ([`note`]).

use rusqlite::params;
use undertone_content::{Meaning, MimiContent};
use undertone_mls::{AccountId, Act, Group, Policy, Settings};

use super::{
    Work, action,
    change::Change,
    conversation::{self, Conversation, Kind},
    message::{self, Place},
};
use crate::{
    error::{Reason, Result},
    view::Notice,
};

/// How a content reached this device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// By itself.
    Now,
    /// Its author sent it again, since it was missing.
    Again,
}

/// Lines looked back for one that says the same.
const LINES: i64 = 30;

/// What a content does that not everybody may; None: deleting, reacting, and what apps say by themselves.
pub(crate) fn act_of(content: &MimiContent) -> Option<Act> {
    match content.meaning() {
        Meaning::Post if action::is_pin(content) => Some(Act::Pin),
        Meaning::Post | Meaning::Edit(_) => Some(Act::Post),
        Meaning::Delete(_) | Meaning::Reaction { .. } | Meaning::Nothing => None,
    }
}

/// Whether an account may do this, as the group stands.
pub(crate) fn may(
    work: &Work<'_>,
    row: &Conversation,
    account: &AccountId,
    act: Act,
) -> Result<bool> {
    if row.kind != Kind::Group {
        return Ok(true);
    }
    work.group(&row.group, |group| Ok(group.settings().may(account, act)))
}

/// Refuses what all others would ignore, so that it can be said at once.
pub(crate) fn check(work: &Work<'_>, row: &Conversation, act: Act) -> Result<()> {
    if may(work, row, &work.me.account, act)? {
        return Ok(());
    }
    Err(match act {
        Act::Post => Reason::GroupQuiet,
        _ => Reason::GroupForbidden,
    }
    .into())
}

/// Whether a content of a member counts. If it does not, a line says so, once for each person in a while.
pub(crate) fn counts(
    work: &Work<'_>,
    row: &Conversation,
    account: &AccountId,
    content: &MimiContent,
    place: Place,
    way: Way,
) -> Result<bool> {
    let Some(act) = act_of(content) else {
        return Ok(true);
    };
    if might(work, row, place, way, |rules| rules.may(account, act))? {
        return Ok(true);
    }
    // Another device of this account: its own app says it.
    if *account != work.me.account {
        let who = conversation::person(work, row.id, account)?;
        let act = act.into();
        notice_once(work, row.id, &Notice::ActForbidden { who, act }, place)?;
    }
    Ok(false)
}

/// Whether the group lets somebody, as it stands; of what is sent again also if it did at its place.
pub(crate) fn might(
    work: &Work<'_>,
    row: &Conversation,
    place: Place,
    way: Way,
    lets: impl Fn(&Settings) -> bool,
) -> Result<bool> {
    Ok(row.kind != Kind::Group
        || work.group(&row.group, |group| Ok(lets(group.settings())))?
        || (way == Way::Again && did_let(work, row, place, lets)?))
}

/// Whether the group let somebody at a place, as far as is known: what is lost of the changes between two states that this device was
/// in counts for who wrote.
fn did_let(
    work: &Work<'_>,
    row: &Conversation,
    place: Place,
    lets: impl Fn(&Settings) -> bool,
) -> Result<bool> {
    let mut statement = work.db.prepare_cached(
        "SELECT settings FROM (SELECT settings FROM rules WHERE conversation = ?1 AND (generation, number) <= (?2, ?3)
            ORDER BY generation DESC, number DESC LIMIT 1)
         UNION ALL SELECT settings FROM (SELECT settings FROM rules WHERE conversation = ?1 AND (generation, number) > (?2, ?3)
            ORDER BY generation, number LIMIT 1)",
    )?;
    let found = statement
        .query_map(params![row.id, place.generation, place.number], |row| {
            row.get::<_, Vec<u8>>(0)
        })?
        .collect::<std::result::Result<Vec<_>, _>>()?;
    for bytes in found {
        if lets(&Settings::from_bytes(&bytes)?) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Keeps what the group agrees on, if it has changed, with the place from which on it holds.
pub(crate) fn note(work: &Work<'_>, conversation: i64, group: &Group) -> Result<()> {
    if group.kind() != undertone_mls::Kind::Group {
        return Ok(());
    }
    let settings = group.settings().to_bytes();
    if latest(work.db, conversation)?.is_some_and(|known| known == settings) {
        return Ok(());
    }
    work.db
        .prepare_cached(
            "INSERT OR REPLACE INTO rules (conversation, generation, number, settings)
             SELECT id, generation, top_number, ?2 FROM conversations WHERE id = ?1",
        )?
        .execute(params![conversation, settings])?;
    Ok(())
}

fn latest(db: &rusqlite::Connection, conversation: i64) -> Result<Option<Vec<u8>>> {
    use rusqlite::OptionalExtension as _;
    Ok(db
        .prepare_cached(
            "SELECT settings FROM rules WHERE conversation = ?1 ORDER BY generation DESC, number DESC LIMIT 1",
        )?
        .query_row([conversation], |row| row.get(0))
        .optional()?)
}

/// What a group agreed on last, for showing only.
pub(crate) fn shown(db: &rusqlite::Connection, conversation: i64) -> Result<Policy> {
    Ok(match latest(db, conversation)? {
        Some(settings) => Settings::from_bytes(&settings)?.policy,
        None => Policy::default(),
    })
}

/// The own copy of something came back after the group had agreed that it may not be: all others have ignored it. True if so.
pub(crate) fn undone(
    work: &Work<'_>,
    row: &Conversation,
    message: i64,
    action: i64,
    content: &[u8],
    place: Place,
) -> Result<bool> {
    if row.kind != Kind::Group || (message == 0 && action == 0) {
        return Ok(false);
    }
    let Some(act) = MimiContent::decode(content).ok().as_ref().and_then(act_of) else {
        return Ok(false);
    };
    if may(work, row, &work.me.account, act)? {
        return Ok(false);
    }
    if message != 0 {
        work.db
            .prepare_cached(
                "UPDATE messages SET state = 7, generation = ?2, number = ?3 WHERE id = ?1",
            )?
            .execute(params![message, place.generation, place.number])?;
        work.tell(Change::MessageState(message));
    } else {
        action::forget(work, row, action)?;
    }
    notice_once(work, row.id, &Notice::NotShown { act: act.into() }, place)?;
    Ok(true)
}

/// A line that is not among the last ones already: nobody can fill a chat with what is said about them.
pub(crate) fn notice_once(
    work: &Work<'_>,
    conversation: i64,
    notice: &Notice,
    place: Place,
) -> Result<()> {
    let said = work
        .db
        .prepare_cached(
            "SELECT 1 FROM (SELECT kind, text FROM messages WHERE conversation = ?1 ORDER BY id DESC LIMIT ?3) WHERE kind = 2 AND text = ?2",
        )?
        .exists(params![conversation, notice.to_string(), LINES])?;
    if !said {
        message::add_notice(work, conversation, notice, place)?;
    }
    Ok(())
}
