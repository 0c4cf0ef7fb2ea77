//! What was done to messages that are not here: new versions and reactions that came first, or whose message never comes.
//!
//! A message may be late, or never be for this device: its author was blocked when it came, or it was said before this device was there.
//! Nobody sees what was done to it, so nobody would delete it, and its time never begins. What it says is therefore not kept for long:
//!
//! - a deletion erases it at once, though only the message tells who may delete it: versions by whoever deleted, and all reactions;
//! - what is to go at a moment goes at that moment;
//! - everything else goes after a day, or the time that the message has once it is read, unless something is missing in the conversation,
//!   which may be this message; and then when what is missing is given up.

use rusqlite::{OptionalExtension as _, params};
use undertone_content::MimiContent;

use super::{
    Work,
    conversation::{self, State},
    erase, timer,
};
use crate::error::Result;

/// How long it is kept, milliseconds.
pub(crate) const KEPT_MS: i64 = 24 * HOUR_MS;
/// How long it is kept at most: what is missing is asked for no longer.
pub(crate) const KEPT_AT_MOST_MS: i64 = 31 * 24 * HOUR_MS;
/// After so long it is looked at again while something is missing.
const HOUR_MS: i64 = 3_600_000;
/// Actions that go in one transaction.
const AT_ONCE: usize = 200;

/// An action (actions.id) came whose message is not here.
pub(crate) fn note(work: &Work<'_>, action: i64, content: &MimiContent) -> Result<()> {
    let age = timer::age(work)?;
    let (mut kept, mut at_most, mut at) = (KEPT_MS, KEPT_AT_MOST_MS, 0);
    if let Some(expires) = content.expires.filter(|expires| expires.seconds > 0) {
        let ms = i64::from(expires.seconds) * 1000;
        if expires.relative {
            kept = kept.min(ms);
        } else {
            at = ms;
            let left = timer::left_ms(work, ms, timer::said_ms(work, content));
            at_most = at_most.min(left);
            kept = kept.min(at_most);
        }
    }
    work.db
        .prepare_cached(
            "INSERT OR IGNORE INTO early (action, due_age_ms, last_age_ms, at_ms) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute([action, age + kept, age + at_most, at])?;
    work.wake();
    Ok(())
}

/// Erases what has had its time.
pub(super) fn tick(work: &Work<'_>) -> Result<()> {
    if !any(work.db)? {
        return Ok(());
    }
    let age = timer::age(work)?;
    let over = {
        let mut statement = work.db.prepare_cached(
            "SELECT action, last_age_ms <= ?1 OR (at_ms > 0 AND at_ms <= ?2) FROM early
             WHERE due_age_ms <= ?1 OR (at_ms > 0 AND at_ms <= ?2) LIMIT ?3",
        )?;
        statement
            .query_map(params![age, work.now_ms, AT_ONCE], |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, bool>(1)?))
            })?
            .collect::<std::result::Result<Vec<_>, _>>()?
    };
    if over.len() == AT_ONCE {
        work.wake();
    }
    for (action, ends) in over {
        look_at(work, action, ends, age)?;
    }
    Ok(())
}

fn look_at(work: &Work<'_>, action: i64, ends: bool, age: i64) -> Result<()> {
    let waits_in: Option<i64> = work
        .db
        .prepare_cached(
            "SELECT conversation FROM actions a WHERE id = ?1 AND NOT EXISTS (
                SELECT 1 FROM messages m WHERE m.conversation = a.conversation AND m.message_id = a.target)",
        )?
        .query_row([action], |row| row.get(0))
        .optional()?;
    if let Some(conversation) = waits_in {
        if !ends && may_come(work, conversation)? {
            work.db
                .prepare_cached("UPDATE early SET due_age_ms = ?2 WHERE action = ?1")?
                .execute([action, age + HOUR_MS])?;
            return Ok(());
        }
        erase::action(work, action)?;
    }
    work.db
        .prepare_cached("DELETE FROM early WHERE action = ?1")?
        .execute([action])?;
    Ok(())
}

/// Whether something that is not here may still come into a conversation.
fn may_come(work: &Work<'_>, id: i64) -> Result<bool> {
    let Some(row) = conversation::get(work.db, id)? else {
        return Ok(false);
    };
    if matches!(row.state, State::Left | State::Removed) {
        return Ok(false);
    }
    let missing = work
        .db
        .prepare_cached("SELECT 1 FROM gaps WHERE conversation = ?1")?
        .exists([id])?;
    Ok(missing || row.state != State::Active)
}

/// Whether anything waits.
pub(super) fn any(db: &rusqlite::Connection) -> Result<bool> {
    Ok(db.prepare_cached("SELECT 1 FROM early")?.exists([])?)
}

/// How long until the next one is looked at, milliseconds; None: nothing waits.
pub(super) fn next_due(work: &Work<'_>) -> Result<Option<i64>> {
    if !any(work.db)? {
        return Ok(None);
    }
    let age = timer::age(work)?;
    let (due, at): (i64, Option<i64>) = work
        .db
        .prepare_cached(
            "SELECT min(due_age_ms), (SELECT min(at_ms) FROM early WHERE at_ms > 0) FROM early",
        )?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let left = (due - age).min(at.map_or(i64::MAX, |at| at - work.now_ms));
    Ok(Some(left.max(0)))
}
