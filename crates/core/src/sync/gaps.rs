//! No silent drop: what is missing is noticed, asked for again, and shown if it can't be had.
//!
//! Two things tell that something is missing: a number of the channel that never came, and a counter of a sender's device. After a
//! minute the group is asked; whoever wrote it sends it again, unchanged ([`super::again`]). What stays missing gets a line.
//! What was said last, and nobody would miss, is [`super::heard`]'s.

use std::ops::Range;

use rusqlite::{OptionalExtension as _, params};
use undertone_mls::{DeviceId, Member, Merged};

use super::{
    Work,
    automatic::{self, Ask, Counter, Number},
    conversation::{self, Conversation, State},
    message::{self, Place},
    outbox,
};
use crate::error::Result;

/// Open gaps of what one device wrote in a conversation, or of the numbers of its channel, at most: whoever leaves them out costs everybody a
/// row and a few questions for each. Of more, the last ones count.
const MOST: u64 = 500;
/// What one message asks for, at most.
pub(super) const ASKED_AT_ONCE: usize = 200;
/// How often a gap is asked for: after a minute, when it is shown, and after 4, 8, 16 and 32 hours.
const ASKS: i64 = 6;
/// In place of a line (gaps.message): there is one, and it does not go when this gap is closed.
const SHOWN_FOR_GOOD: i64 = -1;
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
    note_run(work, row.id, &[], row.generation, from..to, |number| {
        Place {
            generation: row.generation,
            number,
        }
    })
}

/// Notes that all of these are missing: of a device's counters, or of the channel's numbers.
pub(super) fn note_run(
    work: &Work<'_>,
    conversation: i64,
    device: &[u8],
    generation: u32,
    run: Range<u64>,
    place: impl Fn(u64) -> Place,
) -> Result<()> {
    if run.is_empty() {
        return Ok(());
    }
    let open: u64 = work
        .db
        .prepare_cached("SELECT count(*) FROM gaps WHERE conversation = ?1 AND device = ?2")?
        .query_row(params![conversation, device], |row| row.get(0))?;
    let mut room = MOST.saturating_sub(open);
    if room == 0 {
        make_room(work, conversation, device)?;
        room = 1;
    }
    for number in run.start.max(run.end.saturating_sub(room))..run.end {
        note(
            work,
            conversation,
            device,
            generation,
            number,
            place(number),
        )?;
    }
    Ok(())
}

/// The oldest one, if possible one that is shown, is not waited for any more. Its line stays.
fn make_room(work: &Work<'_>, conversation: i64, device: &[u8]) -> Result<()> {
    let line: Option<i64> = work
        .db
        .prepare_cached(
            "DELETE FROM gaps WHERE id = (SELECT id FROM gaps WHERE conversation = ?1 AND device = ?2 ORDER BY message = 0, id LIMIT 1)
             RETURNING message",
        )?
        .query_row(params![conversation, device], |row| row.get(0))
        .optional()?;
    if let Some(line) = line.filter(|line| *line > 0) {
        work.db
            .prepare_cached(
                "UPDATE gaps SET message = ?3 WHERE conversation = ?1 AND message = ?2",
            )?
            .execute(params![conversation, line, SHOWN_FOR_GOOD])?;
    }
    Ok(())
}

/// What stood at this place came, and was not taken.
pub(crate) fn number_missing(work: &Work<'_>, conversation: i64, place: Place) -> Result<()> {
    let run = place.number..place.number.saturating_add(1);
    note_run(work, conversation, &[], place.generation, run, |_| place)
}

/// Whether a number is known to be missing.
pub(crate) fn is_number_missing(work: &Work<'_>, row: &Conversation, number: u64) -> Result<bool> {
    Ok(gap_at(work, row, &[], row.generation, number)?.is_some())
}

/// Whether any number of the present channel is known to be missing.
pub(crate) fn are_numbers_missing(work: &Work<'_>, row: &Conversation) -> Result<bool> {
    Ok(work
        .db
        .prepare_cached(
            "SELECT 1 FROM gaps WHERE conversation = ?1 AND device = x'' AND generation = ?2",
        )?
        .exists(params![row.id, row.generation])?)
}

/// Somebody says what stood at a number that is missing. Only this device's own question closes it: who answers before may hide what another
/// said there, and whoever said it is asked with all the others.
pub(crate) fn number_answered(
    work: &Work<'_>,
    row: &Conversation,
    generation: u32,
    number: u64,
) -> Result<()> {
    let asked = work
        .db
        .prepare_cached(
            "SELECT 1 FROM gaps WHERE conversation = ?1 AND device = x'' AND generation = ?2 AND number = ?3 AND asks > 0",
        )?
        .exists(params![
            row.id,
            generation,
            i64::try_from(number).unwrap_or(-1)
        ])?;
    if asked {
        close(work, row.id, &[], generation, number)?;
    }
    Ok(())
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
            let run = top + 1..counter;
            note_run(work, row.id, device.as_bytes(), 0, run, |_| place)?;
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

fn note(
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

pub(super) fn close(
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
    if let Some(line) = line.filter(|line| *line > 0) {
        let of_others = work
            .db
            .prepare_cached("SELECT 1 FROM gaps WHERE conversation = ?1 AND message = ?2")?
            .exists([conversation, line])?;
        if !of_others {
            work.db
                .execute("DELETE FROM messages WHERE id = ?1 AND kind = 3", [line])?;
            work.tell(super::change::Change::Chat(conversation));
        }
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
        let Some(row) = conversation::get(work.db, id)? else {
            continue;
        };
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
        let line = match line_of_run(work, row, &gap)? {
            Some(line) => line,
            None => message::add_gap(work, row.id, gap.place)?,
        };
        work.db.execute(
            "UPDATE gaps SET message = ?2 WHERE id = ?1",
            params![gap.id, line],
        )?;
    }
    Ok(())
}

/// The line of what is missing beside it: one says so for all.
fn line_of_run(work: &Work<'_>, row: &Conversation, gap: &Gap) -> Result<Option<i64>> {
    let beside = if gap.device.is_empty() {
        "generation = ?3 AND number BETWEEN ?4 - 1 AND ?4 + 1"
    } else {
        "place_generation = ?3 AND place_number = ?4"
    };
    let (generation, number) = if gap.device.is_empty() {
        (gap.generation, gap.number)
    } else {
        (gap.place.generation, gap.place.number)
    };
    Ok(work
        .db
        .prepare_cached(&format!(
            "SELECT message FROM gaps WHERE conversation = ?1 AND device = ?2 AND message > 0 AND {beside} LIMIT 1"
        ))?
        .query_row(
            params![row.id, gap.device, generation, number],
            |found| found.get(0),
        )
        .optional()?)
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

/// Where the gap shows, if there is one.
pub(super) fn gap_at(
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
