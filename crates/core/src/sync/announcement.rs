//! What the operator of this account's server tells everybody there.
//!
//! The server is not trusted: it says what it wants, to whom it wants. What must stay true: a text is plain, short, and shown as the
//! operator's and nobody else's; few are kept; and however often a server changes them, few new ones are taken within a day.

use rusqlite::{Connection, params};
use undertone_wire::{limits, response::Announcement};

use super::{
    Work,
    account::Me,
    change::Change,
    shared::{self, Kind},
};
use crate::{
    error::{Reason, Result},
    ids::AnnouncementId,
    view::AnnouncementInfo,
};

/// New ones that are taken within a day.
const NEW_PER_DAY: i64 = 8;
const DAY_MS: i64 = 24 * 3600 * 1000;
/// Lines that are shown of one.
const LINES: usize = 20;

/// The server says what is announced now: this and nothing else.
pub(crate) fn told(work: &Work<'_>, all: &[Announcement]) -> Result<()> {
    let before = standing(work)?;
    let mut changed = false;
    for id in &before {
        if !all.iter().any(|one| one.id == *id) {
            // It is kept for a day, so that it is counted.
            work.db
                .execute("UPDATE announcements SET gone = 1 WHERE id = ?1", [&id[..]])?;
            changed = true;
        }
    }
    work.db.execute(
        "DELETE FROM announcements WHERE gone = 1 AND came_at_ms NOT BETWEEN ?1 AND ?2",
        params![work.now_ms - DAY_MS, work.now_ms],
    )?;
    for one in all.iter().filter(|one| !before.contains(&one.id)) {
        changed |= take(work, one)?;
    }
    if changed {
        work.tell(Change::Announcements);
    }
    Ok(())
}

fn standing(work: &Work<'_>) -> Result<Vec<[u8; 16]>> {
    let mut statement = work
        .db
        .prepare_cached("SELECT id FROM announcements WHERE gone = 0")?;
    Ok(statement
        .query_map([], |row| row.get::<_, [u8; 16]>(0))?
        .collect::<std::result::Result<Vec<_>, _>>()?)
}

/// A new one, or one that is back; false: it is not shown.
fn take(work: &Work<'_>, one: &Announcement) -> Result<bool> {
    let back = work.db.execute(
        "UPDATE announcements SET gone = 0 WHERE id = ?1",
        [&one.id[..]],
    )?;
    if back > 0 {
        return Ok(true);
    }
    let lately: i64 = work.db.query_row(
        "SELECT count(*) FROM announcements WHERE came_at_ms BETWEEN ?1 AND ?2",
        params![work.now_ms - DAY_MS, work.now_ms],
        |row| row.get(0),
    )?;
    let text = plain(&one.text);
    if lately >= NEW_PER_DAY || text.is_empty() {
        tracing::info!("something that the server announced was ignored");
        return Ok(false);
    }
    work.db.execute(
        // Another device of the account may have heard of it, and its owner dismissed it there.
        "INSERT INTO announcements (id, text, day, until_day, came_at_ms, dismissed, gone)
         VALUES (?1, ?2, ?3, ?4, ?5, EXISTS (SELECT 1 FROM shared WHERE key = ?6), 0)",
        params![
            &one.id[..],
            text,
            one.day,
            one.until_day,
            work.now_ms,
            shared::key(Kind::Dismissed, &[&one.id])
        ],
    )?;
    Ok(true)
}

/// The text without what could make it look like something else: control characters, marks that turn the direction of writing, and lines
/// without end.
fn plain(text: &str) -> String {
    let turns = |one: char| matches!(one, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let lines = text.lines().map(|line| {
        line.chars()
            .filter(|one| !one.is_control() && !turns(*one))
            .collect::<String>()
    });
    let text = lines.take(LINES).collect::<Vec<_>>().join("\n");
    let mut text = text.trim().to_owned();
    while text.len() > limits::ANNOUNCEMENT_BYTES {
        text.pop();
    }
    text
}

/// The owner has read it: that counts on every device of the account.
pub(crate) fn dismiss(work: &Work<'_>, id: &[u8; 16]) -> Result<()> {
    if !mark(work, id)? {
        return Err(Reason::AnnouncementUnknown.into());
    }
    put(work, id)
}

/// The same, on another device. One that is not here yet is looked up when it comes.
pub(crate) fn dismissed_elsewhere(work: &Work<'_>, id: &[u8]) -> Result<()> {
    mark(work, id)?;
    Ok(())
}

/// Those dismissed here become entries.
pub(crate) fn put_dismissed(work: &Work<'_>) -> Result<()> {
    let mut statement = work
        .db
        .prepare("SELECT id FROM announcements WHERE dismissed = 1 AND gone = 0")?;
    let ids = statement
        .query_map([], |row| row.get::<_, [u8; 16]>(0))?
        .collect::<std::result::Result<Vec<_>, _>>()?;
    ids.iter().try_for_each(|id| put(work, id))
}

fn put(work: &Work<'_>, id: &[u8; 16]) -> Result<()> {
    shared::put(work, &shared::key(Kind::Dismissed, &[id]), &[])
}

/// False: it is not here.
fn mark(work: &Work<'_>, id: &[u8]) -> Result<bool> {
    let found = work
        .db
        .execute("UPDATE announcements SET dismissed = 1 WHERE id = ?1", [id])?;
    if found > 0 {
        work.tell(Change::Announcements);
    }
    Ok(found > 0)
}

/// What is announced at a moment, the newest first.
pub(crate) fn shown(db: &Connection, me: &Me, now_ms: i64) -> Result<Vec<AnnouncementInfo>> {
    let mut statement = db.prepare_cached(
        "SELECT id, text, day, dismissed FROM announcements WHERE gone = 0 AND until_day >= ?1 ORDER BY day DESC, came_at_ms DESC, id",
    )?;
    let rows = statement
        .query_map([now_ms.div_euclid(DAY_MS)], |row| {
            Ok(AnnouncementInfo {
                id: AnnouncementId::from_bytes(&row.get::<_, Vec<u8>>(0)?),
                server: me.server.origin.to_string(),
                text: row.get(1)?,
                day_ms: row.get::<_, i64>(2)?.saturating_mul(DAY_MS),
                dismissed: row.get(3)?,
            })
        })?
        .collect::<std::result::Result<Vec<_>, _>>()?;
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_keeps_its_words_and_nothing_that_changes_how_they_look() {
        assert_eq!(plain("  Two\r\nlines\u{7}. "), "Two\nlines.");
        assert_eq!(plain("a\u{202e}b\u{2066}c\u{200f}"), "abc");
        assert_eq!(plain("\u{202e}\u{0}"), "");
        assert_eq!(plain(&"line\n".repeat(99)).lines().count(), LINES);
        assert!(plain(&"é".repeat(2000)).len() <= limits::ANNOUNCEMENT_BYTES);
    }
}
