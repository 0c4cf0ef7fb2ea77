//! No silent drop: what is missing is noticed, asked for again, and shown if it can't be had.
//!
//! Two things tell that something is missing: a number of the channel that never came, and a counter of a sender's device. After a
//! minute the group is asked; whoever wrote it sends it again, unchanged. What stays missing gets a line.
//! What was said last, and nobody would miss, is [`super::heard`]'s.

use rusqlite::{OptionalExtension as _, params};
use undertone_content::MimiContent;
use undertone_mls::{DeviceId, Member, Merged};

use super::{
    Work, application,
    automatic::{self, Again, Ask, Counter, Number, Repeated},
    conversation::{self, Conversation, State},
    message::{self, Place, Sender},
    outbox,
    policy::Way,
};
use crate::error::Result;

/// Open gaps of one conversation, at most; beyond that a resync is what helps.
pub(super) const MOST: u64 = 500;
/// What one message asks for, at most.
pub(super) const ASKED_AT_ONCE: usize = 200;
/// Bytes of one message that sends again.
const AGAIN_BYTES: usize = 40_000;
/// Messages that send again, for one request.
const AGAIN_MESSAGES: usize = 8;
/// Bytes sent again for one device in [`SHARE_MS`].
const SHARE_BYTES: usize = 1024 * 1024;
/// What was sent again for a device is not sent again for it within this time.
const SHARE_MS: i64 = 3600 * 1000;
/// How often a gap is asked for: after a minute, when it is shown, and after 4, 8, 16 and 32 hours.
const ASKS: i64 = 6;
/// How long a gap may still be closed.
const GAP_KEPT_MS: i64 = 30 * 24 * 3600 * 1000;

fn millis(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// Numbers from `from` up to but not including `to` have not come.
pub(crate) fn numbers_missing(
    work: &Work<'_>,
    row: &Conversation,
    from: u64,
    to: u64,
) -> Result<()> {
    for number in from.max(to.saturating_sub(MOST))..to {
        let place = Place {
            generation: row.generation,
            number,
        };
        note(work, row.id, &[], row.generation, number, place)?;
    }
    Ok(())
}

/// What stood at this place came, and was not taken.
pub(crate) fn number_missing(work: &Work<'_>, conversation: i64, place: Place) -> Result<()> {
    note(
        work,
        conversation,
        &[],
        place.generation,
        place.number,
        place,
    )
}

/// Whether a number is known to be missing.
pub(crate) fn is_number_missing(work: &Work<'_>, row: &Conversation, number: u64) -> Result<bool> {
    Ok(gap_at(work, row, &[], row.generation, number)?.is_some())
}

/// A number below the highest came after all.
pub(crate) fn number_came(work: &Work<'_>, row: &Conversation, number: u64) -> Result<()> {
    close(work, row.id, &[], row.generation, number)
}

/// A message with this counter came from a device.
pub(crate) fn counter_came(
    work: &Work<'_>,
    row: &Conversation,
    device: &DeviceId,
    counter: u64,
    place: Place,
) -> Result<()> {
    // Beyond what SQLite holds it is no counter.
    if counter == 0 || counter > i64::MAX as u64 {
        return Ok(());
    }
    let top: Option<u64> = work
        .db
        .prepare_cached("SELECT top FROM device_counters WHERE conversation = ?1 AND device = ?2")?
        .query_row(params![row.id, device.as_bytes()], |row| row.get(0))
        .optional()?;
    match top {
        Some(top) if counter <= top => {
            return close(work, row.id, device.as_bytes(), 0, counter);
        }
        Some(top) => {
            for missing in (top + 1).max(counter.saturating_sub(MOST))..counter {
                note(work, row.id, device.as_bytes(), 0, missing, place)?;
            }
        }
        // What it wrote before this device was there is not for this device.
        None => {}
    }
    work.db
        .prepare_cached(
            "INSERT INTO device_counters (conversation, device, top) VALUES (?1, ?2, ?3)
             ON CONFLICT (conversation, device) DO UPDATE SET top = excluded.top",
        )?
        .execute(params![row.id, device.as_bytes(), counter])?;
    Ok(())
}

pub(super) fn note(
    work: &Work<'_>,
    conversation: i64,
    device: &[u8],
    generation: u32,
    number: u64,
    place: Place,
) -> Result<()> {
    work.db
        .prepare_cached(
            "INSERT OR IGNORE INTO gaps (conversation, device, generation, number, place_generation, place_number, noticed_at_ms, asked_at_ms, message)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, 0)",
        )?
        .execute(params![
            conversation,
            device,
            generation,
            number,
            place.generation,
            place.number,
            work.now_ms
        ])?;
    work.wake();
    Ok(())
}

fn close(
    work: &Work<'_>,
    conversation: i64,
    device: &[u8],
    generation: u32,
    number: u64,
) -> Result<()> {
    let line: Option<i64> = work
        .db
        .prepare_cached(
            "DELETE FROM gaps WHERE conversation = ?1 AND device = ?2 AND generation = ?3 AND number = ?4 RETURNING message",
        )?
        .query_row(params![conversation, device, generation, number], |row| {
            row.get(0)
        })
        .optional()?;
    if let Some(line) = line
        && line != 0
    {
        work.db
            .execute("DELETE FROM messages WHERE id = ?1 AND kind = 3", [line])?;
        work.tell(super::change::Change::Chat(conversation));
    }
    Ok(())
}

struct Gap {
    id: i64,
    device: Vec<u8>,
    generation: u32,
    number: u64,
    place: Place,
}

fn open_gaps(
    work: &Work<'_>,
    conversation: i64,
    condition: &str,
    before_ms: i64,
) -> Result<Vec<Gap>> {
    let mut statement = work.db.prepare_cached(&format!(
        "SELECT id, device, generation, number, place_generation, place_number FROM gaps
         WHERE conversation = ?1 AND {condition} ORDER BY id LIMIT ?3"
    ))?;
    let rows = statement
        .query_map(params![conversation, before_ms, ASKED_AT_ONCE], |row| {
            Ok(Gap {
                id: row.get(0)?,
                device: row.get(1)?,
                generation: row.get(2)?,
                number: row.get(3)?,
                place: Place {
                    generation: row.get(4)?,
                    number: row.get(5)?,
                },
            })
        })?
        .collect::<std::result::Result<Vec<_>, _>>()?;
    Ok(rows)
}

/// Asks for what is missing long enough, and shows what did not come for all that. Called now and then.
pub(crate) fn tick(work: &Work<'_>) -> Result<()> {
    let conversations = {
        let mut statement = work
            .db
            .prepare_cached("SELECT DISTINCT conversation FROM gaps")?;
        statement
            .query_map([], |row| row.get::<_, i64>(0))?
            .collect::<std::result::Result<Vec<_>, _>>()?
    };
    for id in conversations {
        let row = conversation::load(work.db, id)?;
        // Somebody who is not accepted is told nothing, also not what is missing.
        if row.state != State::Active || row.request {
            continue;
        }
        // First, since asking once more is no reason to say nothing yet.
        show(work, &row)?;
        ask(work, &row)?;
    }
    work.db.execute(
        "DELETE FROM gaps WHERE noticed_at_ms < ?1",
        [work.now_ms - GAP_KEPT_MS],
    )?;
    Ok(())
}

fn ask(work: &Work<'_>, row: &Conversation) -> Result<()> {
    let mut due = open_gaps(
        work,
        row.id,
        "asked_at_ms = 0 AND noticed_at_ms <= ?2",
        work.now_ms - millis(work.pace.gap),
    )?;
    // The question or its answer may have been lost too.
    for asks in 1..ASKS {
        let condition = format!("asked_at_ms > 0 AND asked_at_ms <= ?2 AND asks = {asks}");
        let before = work.now_ms - ask_again_after(work, asks);
        due.extend(open_gaps(work, row.id, &condition, before)?);
    }
    due.truncate(ASKED_AT_ONCE);
    if due.is_empty() {
        return Ok(());
    }
    let mut asked = Ask::default();
    for gap in &due {
        if gap.device.is_empty() {
            asked.numbers.push(Number {
                generation: gap.generation,
                number: gap.number,
            });
        } else {
            asked.counters.push(Counter {
                device: gap.device.clone(),
                counter: gap.number,
            });
        }
        work.db.execute(
            "UPDATE gaps SET asked_at_ms = ?2, asks = asks + 1 WHERE id = ?1",
            params![gap.id, work.now_ms],
        )?;
    }
    let content = automatic::ask(work, row, &asked)?;
    outbox::push(work, row.id, 0, &content, false, work.automatic_at())
}

/// How long after the `asks`-th question the next one is due.
fn ask_again_after(work: &Work<'_>, asks: i64) -> i64 {
    match asks {
        1 => millis(work.pace.gap_shown),
        more => 3_600_000 << more,
    }
}

fn show(work: &Work<'_>, row: &Conversation) -> Result<()> {
    let before = work.now_ms - millis(work.pace.gap_shown);
    for gap in open_gaps(
        work,
        row.id,
        "asked_at_ms > 0 AND asked_at_ms <= ?2 AND message = 0",
        before,
    )? {
        // A lost message is missing twice, by its number and by its counter; one line is enough.
        let by_number_too = !gap.device.is_empty()
            && work.db.query_row(
                "SELECT EXISTS (SELECT 1 FROM gaps WHERE conversation = ?1 AND device = x'' AND place_generation = ?2 AND place_number <= ?3)",
                params![row.id, gap.place.generation, gap.place.number],
                |row| row.get(0),
            )?;
        if by_number_too {
            continue;
        }
        let line = message::add_gap(work, row.id, gap.place)?;
        work.db.execute(
            "UPDATE gaps SET message = ?2 WHERE id = ?1",
            params![gap.id, line],
        )?;
    }
    Ok(())
}

/// When something about gaps is due next.
pub(crate) fn next_due(work: &Work<'_>) -> Result<Option<i64>> {
    Ok(work.one(
        "SELECT min(at) FROM (SELECT CASE asks WHEN 0 THEN noticed_at_ms + ?1 WHEN 1 THEN asked_at_ms + ?2 ELSE asked_at_ms + (3600000 << asks) END AS at
            FROM gaps WHERE asks < ?4) WHERE at > ?3",
        params![
            millis(work.pace.gap),
            millis(work.pace.gap_shown),
            work.now_ms,
            ASKS
        ],
        |row| row.get(0),
    )?)
}

/// Notes where new members came in: what was said before is not for them, however they ask. A device that comes back by resync
/// was a member all the time.
pub(crate) fn members_came(
    work: &Work<'_>,
    row: &Conversation,
    merged: &Merged,
    place: Place,
) -> Result<()> {
    for member in &merged.added {
        let came_back = merged
            .removed
            .iter()
            .any(|gone| gone.device == member.device && gone.account == member.account);
        if came_back || takes_the_place(merged, member) {
            continue;
        }
        work.db.execute(
            "INSERT OR REPLACE INTO member_since (conversation, device, generation, number) VALUES (?1, ?2, ?3, ?4)",
            params![
                row.id,
                member.device.as_bytes(),
                place.generation,
                place.number
            ],
        )?;
    }
    Ok(())
}

/// Whether a device came in the place of all that its account had: somebody else removed those and added it in one commit. The account was a
/// member all the time.
pub(crate) fn takes_the_place(merged: &Merged, member: &Member) -> bool {
    merged.committer.account != member.account
        && merged
            .removed
            .iter()
            .any(|gone| gone.account == member.account && gone.device != member.device)
}

/// This device came in anew: what was said while it was no member is not missing.
pub(crate) fn start_anew(work: &Work<'_>, conversation: i64) -> Result<()> {
    let lines = "DELETE FROM messages WHERE kind = 3 AND id IN (SELECT message FROM gaps WHERE conversation = ?1)";
    work.db.execute(lines, [conversation])?;
    for table in [
        "gaps",
        "device_counters",
        "member_since",
        "leave_wishes",
        "sent_again",
        "misses",
    ] {
        work.db.execute(
            &format!("DELETE FROM {table} WHERE conversation = ?1"),
            [conversation],
        )?;
    }
    Ok(())
}

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
    for number in ask.numbers.iter().take(ASKED_AT_ONCE) {
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
    for counter in ask.counters.iter().take(ASKED_AT_ONCE) {
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

/// Where the gap shows, if there is one.
fn gap_at(
    work: &Work<'_>,
    row: &Conversation,
    device: &[u8],
    generation: u32,
    number: u64,
) -> Result<Option<Place>> {
    Ok(work
        .db
        .prepare_cached(
            "SELECT place_generation, place_number FROM gaps WHERE conversation = ?1 AND device = ?2 AND generation = ?3 AND number = ?4",
        )?
        .query_row(
            params![row.id, device, generation, i64::try_from(number).unwrap_or(-1)],
            |row| {
                Ok(Place {
                    generation: row.get(0)?,
                    number: row.get(1)?,
                })
            },
        )
        .optional()?)
}

/// Whether a message is missing by its author's counter, and was said to stand between what that device said before and what told that it
/// is missing: the numbers of a channel that was left tell nothing of what was said last there.
fn is_missing_there(
    work: &Work<'_>,
    row: &Conversation,
    sender: &Sender,
    content: &MimiContent,
    said: Place,
) -> Result<bool> {
    let device = sender.device.as_bytes();
    let Some(counter) = content.device_counter() else {
        return Ok(false);
    };
    let Some(gap) = gap_at(work, row, device, 0, counter)? else {
        return Ok(false);
    };
    let before: Option<Place> = work
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
            |row| {
                Ok(Place {
                    generation: row.get(0)?,
                    number: row.get(1)?,
                })
            },
        )
        .optional()?;
    Ok(said < gap && before.is_none_or(|before| before < said))
}

/// Somebody sent again what was missing.
pub(crate) fn came_again(
    work: &Work<'_>,
    row: &Conversation,
    sender: &Sender,
    again: &Again,
) -> Result<()> {
    for message in &again.messages {
        let Ok(content) = MimiContent::decode(&message.content) else {
            continue;
        };
        let said = Place {
            generation: message.generation,
            number: message.number,
        };
        // Somebody's say about a place counts only where something is missing.
        let missing = gap_at(work, row, &[], said.generation, said.number)?.is_some();
        let now = conversation::load(work.db, row.id)?;
        let place = if missing || is_missing_there(work, row, sender, &content, said)? {
            said
        } else if message::is_known(work, row, sender, &message.content, &content)? {
            // It stays where it is.
            Place::FIRST
        } else {
            Place {
                generation: now.generation,
                number: now.top_number,
            }
        };
        // What asks or repeats is not repeated once more; its number is closed all the same.
        if automatic::read(&content).is_none() {
            let bytes = &message.content;
            application::content_came(work, row, sender, bytes, &content, place, Way::Again)?;
        }
        if missing {
            message::stand_at(work, row, sender, &message.content, &content, place)?;
            close(work, row.id, &[], message.generation, message.number)?;
        }
    }
    Ok(())
}
