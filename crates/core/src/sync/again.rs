//! Sending again: what this device wrote and a member misses, and what comes when somebody answers so. What is missing, and when it is asked
//! for, is [`super::gaps`]'s.
//!
//! What must stay true: only the author of a message sends it again, byte for byte, and only what the asker was a member for; a place that
//! somebody names counts only where something is missing.

use rusqlite::{OptionalExtension as _, params};
use undertone_content::MimiContent;
use undertone_mls::DeviceId;

use super::{
    Work, application,
    automatic::{self, Again, Ask, Automatic, Repeated},
    conversation::{self, Conversation},
    gaps, ignored,
    message::{self, Place, Sender},
    outbox,
    policy::Way,
};
use crate::error::Result;

/// Bytes of one message that sends again.
const AGAIN_BYTES: usize = 40_000;
/// Messages that send again, for one request.
const AGAIN_MESSAGES: usize = 8;
/// Bytes sent again for one device in [`SHARE_MS`].
const SHARE_BYTES: usize = 1024 * 1024;
/// What was sent again for a device is not sent again for it within this time.
const SHARE_MS: i64 = 3600 * 1000;
/// How far what a device writes may get out of turn, by when it was read here.
const OUT_OF_TURN_MS: i64 = 3600 * 1000;

/// A member misses something: what this device wrote of it is sent again.
pub(crate) fn asked(work: &Work<'_>, row: &Conversation, sender: &Sender, ask: &Ask) -> Result<()> {
    if sender.device == work.me.device {
        return Ok(());
    }
    let mut found: Vec<Repeated> = Vec::new();
    let own = |condition: &str, values: &[&dyn rusqlite::ToSql]| -> Result<Option<Repeated>> {
        Ok(work
            .db
            .prepare_cached(&format!(
                "SELECT generation, number, content FROM messages WHERE {condition} AND state = 6 AND kind = 1
                 UNION ALL SELECT generation, number, content FROM actions WHERE {condition} AND generation <> {}",
                message::NO_PLACE
            ))?
            .query_row(values, |row| {
                Ok(Repeated {
                    generation: row.get(0)?,
                    number: row.get(1)?,
                    content: row.get(2)?,
                })
            })
            .optional()?)
    };
    for number in ask.numbers.iter().take(gaps::ASKED_AT_ONCE) {
        let Ok(wanted) = i64::try_from(number.number) else {
            continue;
        };
        let message = own(
            "conversation = ?1 AND device = ?2 AND generation = ?3 AND number = ?4",
            &[
                &row.id,
                work.me.device.as_bytes(),
                &number.generation,
                &wanted,
            ],
        )?;
        let automatic = work
            .db
            .query_row(
                "SELECT content FROM automatic_sent WHERE conversation = ?1 AND generation = ?2 AND number = ?3",
                params![row.id, number.generation, wanted],
                |row| row.get::<_, Vec<u8>>(0),
            )
            .optional()?
            .map(|content| Repeated {
                generation: number.generation,
                number: number.number,
                content,
            });
        found.extend(message.or(automatic));
    }
    for counter in ask.counters.iter().take(gaps::ASKED_AT_ONCE) {
        let Ok(wanted) = i64::try_from(counter.counter) else {
            continue;
        };
        if counter.device == work.me.device.as_bytes() {
            found.extend(own(
                "conversation = ?1 AND device = ?2 AND counter = ?3",
                &[&row.id, work.me.device.as_bytes(), &wanted],
            )?);
        }
    }
    send_again(work, row, &sender.device, found)
}

/// Sends again what this device asked for, as far as it was a member then, did not get it within the hour and its hour's share lasts: one
/// small request makes everybody who is asked send to the whole group.
pub(super) fn send_again(
    work: &Work<'_>,
    row: &Conversation,
    asker: &DeviceId,
    mut found: Vec<Repeated>,
) -> Result<()> {
    let since: Option<(u32, u64)> = work
        .db
        .query_row(
            "SELECT generation, number FROM member_since WHERE conversation = ?1 AND device = ?2",
            params![row.id, asker.as_bytes()],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?;
    if let Some(since) = since {
        found.retain(|message| (message.generation, message.number) > since);
    }
    // What was erased since has nothing left to send.
    found.retain(|message| !message.content.is_empty());
    work.db.execute(
        "DELETE FROM sent_again WHERE at_ms < ?1",
        [work.now_ms - SHARE_MS],
    )?;
    let mut share: usize = work.db.query_row(
        "SELECT coalesce(sum(bytes), 0) FROM sent_again WHERE conversation = ?1 AND device = ?2",
        params![row.id, asker.as_bytes()],
        |row| row.get(0),
    )?;
    let mut batches: Vec<Again> = Vec::new();
    let mut bytes = 0;
    for message in found {
        let size = message.content.len();
        if share + size > SHARE_BYTES {
            continue;
        }
        let new_batch = batches.is_empty() || bytes + size > AGAIN_BYTES;
        if new_batch && batches.len() == AGAIN_MESSAGES {
            break;
        }
        let noted = work
            .db
            .prepare_cached(
                "INSERT INTO sent_again (conversation, device, generation, number, bytes, at_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT (conversation, device, generation, number) DO UPDATE SET times = times + 1, bytes = bytes + excluded.bytes
                    WHERE times < 2",
            )?
            .execute(params![
                row.id,
                asker.as_bytes(),
                message.generation,
                i64::try_from(message.number).unwrap_or(i64::MAX),
                size,
                work.now_ms
            ])?;
        if noted == 0 {
            continue;
        }
        if new_batch {
            batches.push(Again::default());
            bytes = 0;
        }
        share += size;
        bytes += size;
        if let Some(batch) = batches.last_mut() {
            batch.messages.push(message);
        }
    }
    for batch in &batches {
        // A message near the limit does not fit into another one; it can't be sent again this way.
        if let Ok(content) = automatic::again(work, row, batch) {
            outbox::push(work, row.id, 0, &content, false, work.automatic_at())?;
        }
    }
    Ok(())
}

/// What this device said was erased: what waits here to be sent again for somebody says it no more.
pub(super) fn erased(work: &Work<'_>, row: &Conversation, said: &[u8], left: &[u8]) -> Result<()> {
    if said.is_empty() {
        return Ok(());
    }
    let waiting = {
        let mut statement = work.db.prepare_cached(
            "SELECT id, content FROM outbox WHERE conversation = ?1 AND message = 0 AND action = 0 AND kind = 1 AND content <> x''",
        )?;
        statement
            .query_map([row.id], |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?))
            })?
            .collect::<std::result::Result<Vec<_>, _>>()?
    };
    for (id, content) in waiting {
        let Ok(content) = MimiContent::decode(&content) else {
            continue;
        };
        let Some(Automatic::Again(mut again)) = automatic::read(&content) else {
            continue;
        };
        if again.messages.iter().any(|message| message.content == said) {
            // Of what has nothing left the gap stays.
            again
                .messages
                .retain(|message| message.content != said || !left.is_empty());
            for message in &mut again.messages {
                if message.content == said {
                    message.content = left.to_vec();
                }
            }
            work.db
                .prepare_cached("UPDATE outbox SET content = ?2 WHERE id = ?1")?
                .execute(params![id, automatic::again(work, row, &again)?])?;
        }
    }
    Ok(())
}

/// Whether a message is missing by its author's counter, and may have been said where it is said to stand: the numbers of a channel that was
/// left tell nothing of what was said last there.
fn is_missing_there(
    work: &Work<'_>,
    row: &Conversation,
    sender: &Sender,
    content: &MimiContent,
    said: Place,
    top: Place,
) -> Result<bool> {
    let device = sender.device.as_bytes();
    let Some(counter) = content.device_counter() else {
        return Ok(false);
    };
    if gaps::gap_at(work, row, device, 0, counter)?.is_none() {
        return Ok(false);
    }
    let before = work
        .db
        .prepare_cached(&format!(
            "SELECT generation, number FROM (
                SELECT generation, number, counter FROM messages WHERE conversation = ?1 AND device = ?2 AND kind = 1
                UNION ALL SELECT generation, number, counter FROM actions WHERE conversation = ?1 AND device = ?2)
             WHERE counter < ?3 AND generation <> {} ORDER BY counter DESC LIMIT 1",
            message::NO_PLACE
        ))?
        .query_row(
            params![row.id, device, i64::try_from(counter).unwrap_or(-1)],
            place,
        )
        .optional()?;
    let Some(before) = before else {
        return Ok(said <= top);
    };
    Ok(before.max(said) <= top && (before < said || is_little_before(work, row, before, said)?))
}

/// Whether a place is before another one by no more than what was read within [`OUT_OF_TURN_MS`]. A photo that takes its time to upload is
/// overtaken by the words after it; nobody is to write into what was read long ago.
fn is_little_before(
    work: &Work<'_>,
    row: &Conversation,
    place_there: Place,
    said: Place,
) -> Result<bool> {
    let oldest: Option<Place> = work
        .db
        .prepare_cached(
            "WITH before AS (SELECT generation, number, received_at_ms FROM messages
                WHERE conversation = ?1 AND kind = 1 AND (generation, number) <= (?2, ?3))
             SELECT generation, number FROM before
             WHERE received_at_ms < (SELECT received_at_ms FROM before ORDER BY generation DESC, number DESC LIMIT 1) - ?4
             ORDER BY generation DESC, number DESC LIMIT 1",
        )?
        .query_row(
            params![row.id, place_there.generation, place_there.number, OUT_OF_TURN_MS],
            place,
        )
        .optional()?;
    Ok(oldest.is_none_or(|oldest| oldest < said))
}

fn place(row: &rusqlite::Row<'_>) -> rusqlite::Result<Place> {
    Ok(Place {
        generation: row.get(0)?,
        number: row.get(1)?,
    })
}

/// Somebody sent again what was missing.
pub(crate) fn came_again(
    work: &Work<'_>,
    row: &Conversation,
    sender: &Sender,
    again: &Again,
) -> Result<()> {
    for message in &again.messages {
        // Beyond what SQLite holds there is no place.
        if i64::try_from(message.number).is_err() {
            ignored::note("again.place");
            continue;
        }
        let said = Place {
            generation: message.generation,
            number: message.number,
        };
        // Somebody's say about a place counts only where something is missing.
        let missing = gaps::gap_at(work, row, &[], said.generation, said.number)?.is_some();
        let now = conversation::load(work.db, row.id)?;
        let top = Place {
            generation: now.generation,
            number: now.top_number,
        };
        let Ok(content) = MimiContent::decode(&message.content) else {
            application::malformed(work, row, sender, if missing { said } else { top })?;
            if missing {
                gaps::number_answered(work, row, said.generation, said.number)?;
            }
            continue;
        };
        let place = if missing || is_missing_there(work, row, sender, &content, said, top)? {
            said
        } else if message::is_known(work, row, sender, &message.content, &content)? {
            // It stays where it is.
            Place::FIRST
        } else {
            top
        };
        // What asks or repeats is not repeated once more; its number is closed all the same. That a link has ended must not get lost.
        if matches!(automatic::read(&content), None | Some(Automatic::Links(_))) {
            let bytes = &message.content;
            application::content_came(work, row, sender, bytes, &content, place, Way::Again)?;
        }
        if missing {
            message::stand_at(work, row, sender, &message.content, &content, place)?;
            gaps::number_answered(work, row, message.generation, message.number)?;
        }
    }
    Ok(())
}
