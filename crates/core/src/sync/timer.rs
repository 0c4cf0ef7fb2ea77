//! Messages that disappear: how long each may stay, and the count of time that decides it.
//!
//! A clock can be turned back, so nothing is decided by it alone. The store has an age: while the app runs it grows by a clock that
//! only goes on (sleep included), and between two runs by what the system's clock gained, never by less than nothing. What is to go
//! after it was read goes when the age says so. What is to go at a moment goes at that moment by the system's clock, and at the latest
//! when as much time has passed as was left when it came, or as its author gave it.

use rusqlite::{OptionalExtension as _, params};
use undertone_content::{Expiration, MimiContent};

use super::{Work, change::Change, conversation::Conversation, early, erase};
use crate::error::Result;

/// Messages that go in one transaction.
const AT_ONCE: usize = 200;

/// The store's age now, milliseconds. Writes it down.
pub(crate) fn age(work: &Work<'_>) -> Result<i64> {
    let born = match work.ages.get() {
        Some(born) => *born,
        None => {
            let (age, wall): (i64, i64) = work
                .db
                .prepare_cached("SELECT age_ms, wall_ms FROM age WHERE id = 1")?
                .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            let slept = if wall == 0 { 0 } else { work.now_ms - wall };
            let now = age.saturating_add(slept.max(0));
            *work.ages.get_or_init(|| work.steady_ms - now)
        }
    };
    let now = work.steady_ms - born;
    work.db
        .prepare_cached("UPDATE age SET age_ms = max(age_ms, ?1), wall_ms = ?2 WHERE id = 1")?
        .execute([now, work.now_ms])?;
    Ok(now)
}

/// The last moment that has a date of four digits of the year, milliseconds since 1970. A page can't show what is far beyond.
const LAST_MS: i64 = 253_402_300_799_999;

/// When something was said, as its author says; now, where there is no such moment.
pub(super) fn said_ms(work: &Work<'_>, content: &MimiContent) -> i64 {
    content
        .sent_at_ms()
        .and_then(|ms| i64::try_from(ms).ok())
        .filter(|ms| *ms <= LAST_MS)
        .unwrap_or(work.now_ms)
}

/// How long it is until a moment, milliseconds: by this clock, or if that is less by the clock of whoever named it when they did, which may have
/// run ahead.
pub(super) fn left_ms(work: &Work<'_>, moment_ms: i64, sent_at_ms: i64) -> i64 {
    let left = |now_ms: i64| moment_ms.saturating_sub(now_ms);
    left(work.now_ms).min(left(sent_at_ms)).max(1)
}

/// Notes how long a message that has just come, or was just written, may stay.
pub(crate) fn set(
    work: &Work<'_>,
    message: i64,
    expires: Option<Expiration>,
    sent_at_ms: i64,
) -> Result<()> {
    let Some(expires) = expires.filter(|expires| expires.seconds > 0) else {
        return Ok(());
    };
    let ms = i64::from(expires.seconds) * 1000;
    let (after, at, due) = if expires.relative {
        (ms, 0, 0)
    } else {
        (0, ms, age(work)? + left_ms(work, ms, sent_at_ms))
    };
    work.db
        .prepare_cached(
            "INSERT OR IGNORE INTO timers (message, after_ms, at_ms, due_age_ms) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute([message, after, at, due])?;
    work.wake();
    Ok(())
}

/// It was read here, or its own copy came back: its time begins.
pub(crate) fn begin(work: &Work<'_>, message: i64) -> Result<()> {
    let waits = work
        .db
        .prepare_cached("SELECT 1 FROM timers WHERE message = ?1 AND due_age_ms = 0")?
        .exists([message])?;
    if waits {
        begin_all(work, "message = ?1", &[&message])?;
    }
    Ok(())
}

/// Everything from others in a conversation up to this line (messages.id) was read.
pub(crate) fn read_up_to(work: &Work<'_>, row: &Conversation, local: i64) -> Result<()> {
    begin_all(
        work,
        "message IN (SELECT m.id FROM messages m JOIN timers t ON t.message = m.id
            WHERE m.conversation = ?1 AND m.id <= ?2 AND m.sender <> ?3 AND t.due_age_ms = 0)",
        &[&row.id, &local, work.me.account.as_bytes()],
    )
}

fn begin_all(work: &Work<'_>, which: &str, values: &[&dyn rusqlite::ToSql]) -> Result<()> {
    age(work)?;
    let begun = {
        let mut statement = work.db.prepare_cached(&format!(
            "UPDATE timers SET due_age_ms = after_ms + (SELECT age_ms FROM age) WHERE due_age_ms = 0 AND {which} RETURNING message"
        ))?;
        statement
            .query_map(values, |row| row.get::<_, i64>(0))?
            .collect::<std::result::Result<Vec<_>, _>>()?
    };
    for message in begun {
        work.tell(Change::MessageState(message));
    }
    work.wake();
    Ok(())
}

/// Its message has gone.
pub(crate) fn stop(work: &Work<'_>, message: i64) -> Result<()> {
    work.db
        .prepare_cached("DELETE FROM timers WHERE message = ?1")?
        .execute([message])?;
    Ok(())
}

/// Whether any countdown runs.
fn any(db: &rusqlite::Connection) -> Result<bool> {
    Ok(db
        .prepare_cached("SELECT 1 FROM timers WHERE due_age_ms > 0")?
        .exists([])?)
}

/// Whether [`tick`] may have something to do, now or later.
pub(crate) fn waits(db: &rusqlite::Connection) -> Result<bool> {
    Ok(any(db)? || early::any(db)?)
}

/// Erases what has had its time. Called now and then, and before anything is shown.
pub(crate) fn tick(work: &Work<'_>) -> Result<()> {
    early::tick(work)?;
    if !any(work.db)? {
        return Ok(());
    }
    let age = age(work)?;
    let over = {
        let mut statement = work.db.prepare_cached(
            "SELECT message FROM timers WHERE due_age_ms > 0 AND (due_age_ms <= ?1 OR (at_ms > 0 AND at_ms <= ?2)) LIMIT ?3",
        )?;
        statement
            .query_map(params![age, work.now_ms, AT_ONCE], |row| {
                row.get::<_, i64>(0)
            })?
            .collect::<std::result::Result<Vec<_>, _>>()?
    };
    if over.len() == AT_ONCE {
        work.wake();
    }
    for message in over {
        erase::message(work, message, erase::Gone::Expired)?;
    }
    Ok(())
}

/// How long until the next one goes, milliseconds; None: nothing waits.
pub(crate) fn next_due(work: &Work<'_>) -> Result<Option<i64>> {
    let early = early::next_due(work)?;
    if !any(work.db)? {
        return Ok(early);
    }
    let age = age(work)?;
    let next: Option<(i64, i64)> = work
        .db
        .prepare_cached(
            "SELECT min(due_age_ms), min(CASE WHEN at_ms > 0 THEN at_ms ELSE 9223372036854775807 END) FROM timers WHERE due_age_ms > 0",
        )?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let next = next.map(|(due, at)| (due - age).min(at.saturating_sub(work.now_ms)).max(0));
    Ok(next.into_iter().chain(early).min())
}
