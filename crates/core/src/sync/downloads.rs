//! Files that come by themselves: those up to a size that the owner has set, for a network that costs nothing and for one that does, and those
//! that were asked for.
//!
//! What must stay true: nothing comes by itself from somebody who was not accepted, nor what may be opened once; a file over the limit
//! of the network waits, and is there to be fetched when somebody wants it. Limits are this device's own: its networks are. And nobody fills
//! its disk: of a message come so many files, each once, from a person so much in a day, and none when little room is left.

use std::collections::HashSet;

use rusqlite::{Connection, OptionalExtension as _, params};
use undertone_content::MimiContent;

use super::{Work, change::Change, conversation::Conversation, settings};
use crate::error::Result;

/// Downloads at a time.
const AT_ONCE: usize = 2;
/// How often one is begun anew by itself.
const ATTEMPTS: i64 = 5;
/// How long a failed one waits: so long, then twice as long each time.
const AGAIN_MS: i64 = 60_000;

/// Files of one message that come by themselves.
const OF_A_MESSAGE: usize = 32;
/// Bytes that come by themselves from one person in [`DAY_MS`].
const OF_A_PERSON: i64 = 1 << 30;
const DAY_MS: i64 = 24 * 3600 * 1000;
/// What stays free on the disk.
const RESERVE: u64 = 256 << 20;

/// A file to be fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Download {
    /// messages.id
    pub(crate) message: i64,
    pub(crate) position: u32,
}

/// A message came: its files are noted, as far as one of the limits lets them come. What is larger than both is never noted, so that a limit
/// that is raised brings nothing of the past.
pub(crate) fn came(work: &Work<'_>, row: &Conversation, message: i64) -> Result<()> {
    if row.request {
        return Ok(());
    }
    let settings = settings::all(work.db)?;
    let most = settings.download_bytes.max(settings.download_metered_bytes);
    let found = {
        let mut statement = work.db.prepare_cached(
            "SELECT f.position, f.size FROM message_files f JOIN messages m ON m.id = f.message
             WHERE f.message = ?1 AND f.size <= ?2 AND f.attachment = x'' AND m.view_once = 0 ORDER BY f.position",
        )?;
        statement
            .query_map(params![message, stored(most)], |row| {
                Ok((row.get::<_, u32>(0)?, row.get::<_, i64>(1)?))
            })?
            .collect::<std::result::Result<Vec<_>, _>>()?
    };
    if found.is_empty() {
        return Ok(());
    }
    let (sender, content): (Vec<u8>, Vec<u8>) = work
        .db
        .prepare_cached("SELECT sender, content FROM messages WHERE id = ?1")?
        .query_row([message], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let Ok(content) = MimiContent::decode(&content) else {
        return Ok(());
    };
    let files = content.shown().files;
    let mut seen = HashSet::new();
    let mut left = left_of_a_person(work, &sender)?;
    let mut note = work.db.prepare_cached(
        "INSERT OR IGNORE INTO downloads (message, position, attempts, not_before_ms) VALUES (?1, ?2, 0, ?3)",
    )?;
    let mut noted = 0;
    for (position, size) in found {
        let url = usize::try_from(position).ok().and_then(|at| files.get(at));
        let first = url.is_some_and(|file| seen.insert(&file.external.url));
        if !first || size > left || noted == OF_A_MESSAGE {
            continue;
        }
        left -= size;
        noted += note.execute(params![message, position, work.now_ms])?;
    }
    work.db
        .prepare_cached(
            "UPDATE came_by_themselves SET bytes = ?2 WHERE account_id = ?1 AND bytes <> ?2",
        )?
        .execute(params![sender, OF_A_PERSON - left])?;
    if noted > 0 {
        work.wake();
    }
    Ok(())
}

/// How much may still come by itself from somebody today.
fn left_of_a_person(work: &Work<'_>, person: &[u8]) -> Result<i64> {
    work.db
        .prepare_cached(
            "INSERT INTO came_by_themselves (account_id, since_ms, bytes) VALUES (?1, ?2, 0)
             ON CONFLICT (account_id) DO UPDATE SET since_ms = excluded.since_ms, bytes = 0 WHERE since_ms <= ?2 - ?3",
        )?
        .execute(params![person, work.now_ms, DAY_MS])?;
    let bytes: i64 = work
        .db
        .prepare_cached("SELECT bytes FROM came_by_themselves WHERE account_id = ?1")?
        .query_row([person], |row| row.get(0))?;
    Ok(OF_A_PERSON - bytes)
}

/// The largest file for which there is room if nobody asked for it, as stored.
fn room(work: &Work<'_>) -> i64 {
    let disk = rustix::fs::statvfs(work.attachments.folder());
    let free = disk.map_or(0, |disk| disk.f_bavail.saturating_mul(disk.f_frsize));
    free.checked_sub(RESERVE).map_or(NONE, stored)
}

/// The largest size, as stored.
fn stored(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// What may be fetched on this network now, the newest first.
pub(crate) fn due(work: &Work<'_>) -> Result<Vec<Download>> {
    // Asked in every round, and mostly there is none.
    let any = work
        .db
        .prepare_cached("SELECT 1 FROM downloads LIMIT 1")?
        .exists([])?;
    if !any {
        return Ok(Vec::new());
    }
    let limit = limit(work.db)?.unwrap_or(NONE).min(room(work));
    let mut statement = work.db.prepare_cached(&format!(
        "SELECT d.message, d.position {WANTED} AND (d.asked = 1 OR f.size <= ?1) AND d.not_before_ms <= ?2
         ORDER BY d.asked DESC, d.message DESC, d.position LIMIT ?3"
    ))?;
    let found = statement
        .query_map(params![limit, work.now_ms, AT_ONCE], |row| {
            Ok(Download {
                message: row.get(0)?,
                position: row.get(1)?,
            })
        })?
        .collect::<std::result::Result<Vec<_>, _>>()?;
    Ok(found)
}

/// The largest file that comes by itself on this network, as stored; None: none does.
pub(crate) fn limit(db: &Connection) -> Result<Option<i64>> {
    let settings = settings::all(db)?;
    let limit = match settings.metered {
        true => settings.download_metered_bytes,
        false => settings.download_bytes,
    };
    Ok((limit > 0).then(|| stored(limit)))
}

/// Where no file comes by itself.
const NONE: i64 = -1;
/// Files noted here whose owner does not let them wait.
const WANTED: &str =
    "FROM downloads d JOIN message_files f ON f.message = d.message AND f.position = d.position
    LEFT JOIN attachments a ON a.id = f.attachment WHERE coalesce(a.paused, 0) = 0";

/// When one is due that is not due yet.
pub(crate) fn next_due(work: &Work<'_>) -> Result<Option<i64>> {
    Ok(work
        .db
        .prepare_cached("SELECT min(not_before_ms) FROM downloads WHERE not_before_ms > ?1")?
        .query_row([work.now_ms], |row| row.get(0))?)
}

/// Whether it is still to be fetched on the network as it is now: a limit may have been lowered on the way.
pub(crate) fn is_wanted(db: &Connection, download: Download) -> Result<bool> {
    let limit = limit(db)?.unwrap_or(NONE);
    Ok(db
        .prepare_cached(&format!(
            "SELECT 1 {WANTED} AND (d.asked = 1 OR f.size <= ?1) AND d.message = ?2 AND d.position = ?3"
        ))?
        .exists(params![limit, download.message, download.position])?)
}

/// Whether it is noted to come by itself, now or on another network.
pub(super) fn is_noted(db: &Connection, download: Download) -> Result<bool> {
    Ok(db
        .prepare_cached("SELECT 1 FROM downloads WHERE message = ?1 AND position = ?2")?
        .exists(params![download.message, download.position])?)
}

/// Its owner wants it now, whatever its size and the network.
pub(super) fn ask(work: &Work<'_>, download: Download) -> Result<()> {
    work.db
        .prepare_cached(
            "INSERT INTO downloads (message, position, attempts, not_before_ms, asked) VALUES (?1, ?2, 0, ?3, 1)
             ON CONFLICT (message, position) DO UPDATE SET attempts = 0, not_before_ms = excluded.not_before_ms, asked = 1",
        )?
        .execute(params![download.message, download.position, work.now_ms])?;
    work.wake();
    Ok(())
}

/// It is here, or never will be.
pub(crate) fn done(work: &Work<'_>, download: Download) -> Result<()> {
    work.db
        .prepare_cached("DELETE FROM downloads WHERE message = ?1 AND position = ?2")?
        .execute(params![download.message, download.position])?;
    work.tell(Change::MessageState(download.message));
    Ok(())
}

/// It did not come this time. After some attempts it is left to whoever wants it; what failed because there is no server was none.
pub(crate) fn failed(work: &Work<'_>, download: Download, is_attempt: bool) -> Result<()> {
    let attempts: Option<i64> = work
        .db
        .prepare_cached(
            "UPDATE downloads SET attempts = attempts + ?5, not_before_ms = ?3 + ?4 * (1 << min(attempts, 6))
             WHERE message = ?1 AND position = ?2 RETURNING attempts",
        )?
        .query_row(
            params![
                download.message,
                download.position,
                work.now_ms,
                AGAIN_MS,
                is_attempt
            ],
            |row| row.get(0),
        )
        .optional()?;
    if attempts.is_some_and(|attempts| attempts >= ATTEMPTS) {
        done(work, download)?;
    }
    Ok(())
}

/// The limits have changed: what is over both comes no more, what waited for another network may come.
pub(crate) fn limits_changed(work: &Work<'_>) -> Result<()> {
    let settings = settings::all(work.db)?;
    let most = settings.download_bytes.max(settings.download_metered_bytes);
    work.db.execute(
        "DELETE FROM downloads WHERE asked = 0 AND NOT EXISTS (
            SELECT 1 FROM message_files f WHERE f.message = downloads.message AND f.position = downloads.position AND f.size <= ?1)",
        [stored(most)],
    )?;
    work.wake();
    Ok(())
}
