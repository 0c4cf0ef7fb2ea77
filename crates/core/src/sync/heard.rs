//! What was said last: nobody would miss it by a number or a counter, so devices tell each other how far they have come. And what was said
//! first: only who knows where a device began misses what came before the first thing that comes of it, so that is noted of each that is
//! added, and told to each that is let in.

use std::collections::HashSet;

use rusqlite::{OptionalExtension as _, params};
use undertone_mls::{DeviceId, Joined, Merged};

use super::{
    Work, again,
    automatic::{self, Counter, Heard, Repeated},
    conversation::Conversation,
    gaps,
    message::{self, Place, Sender},
    outbox,
};
use crate::error::Result;

/// Devices of which one message says how far they were heard: those first that said most.
const HEARD_OF: usize = 500;
/// Devices of which a Welcome says so.
const HANDED_ON: usize = 5000;

/// Tells the others how far this device and they have come. Called when it came back: what was said last before nobody would miss.
pub(crate) fn tell(work: &Work<'_>, row: &Conversation) -> Result<()> {
    // Somebody who is not accepted is told nothing.
    if row.request {
        return Ok(());
    }
    let last: u64 = work.db.query_row(
        "SELECT next_counter - 1 FROM conversations WHERE id = ?1",
        [row.id],
        |row| row.get(0),
    )?;
    let of = {
        let mut statement = work.db.prepare_cached(
            "SELECT d.device, d.top FROM device_counters d JOIN members m ON m.conversation = d.conversation AND m.device_id = d.device
             WHERE d.conversation = ?1 AND d.device <> ?2 ORDER BY d.top DESC LIMIT ?3",
        )?;
        statement
            .query_map(
                params![row.id, work.me.device.as_bytes(), HEARD_OF],
                |row| {
                    Ok(Counter {
                        device: row.get(0)?,
                        counter: row.get(1)?,
                    })
                },
            )?
            .collect::<std::result::Result<Vec<_>, _>>()?
    };
    let content = automatic::heard(work, row, &Heard { last, of })?;
    outbox::push(work, row.id, 0, &content, false, work.automatic_at())
}

/// Devices that come for the first time have said nothing yet.
pub(crate) fn members_came(work: &Work<'_>, row: &Conversation, merged: &Merged) -> Result<()> {
    for member in &merged.added {
        if member.device == work.me.device
            || merged
                .removed
                .iter()
                .any(|gone| gone.device == member.device)
        {
            continue;
        }
        keep(work, row.id, &member.device, 0)?;
    }
    Ok(())
}

/// How far the devices have come, this one with them, for somebody who is let in now. What waits to be sent counts as said.
pub(crate) fn to_hand_on(work: &Work<'_>, row: &Conversation) -> Result<Vec<(DeviceId, u64)>> {
    let mut statement = work.db.prepare_cached(
        "SELECT d.device, d.top FROM device_counters d JOIN members m ON m.conversation = d.conversation AND m.device_id = d.device
         WHERE d.conversation = ?1 AND d.device <> ?2
         UNION ALL SELECT ?2, next_counter - 1 FROM conversations WHERE id = ?1 LIMIT ?3",
    )?;
    let rows = statement
        .query_map(
            params![row.id, work.me.device.as_bytes(), HANDED_ON],
            |row| Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, u64>(1)?)),
        )?
        .collect::<std::result::Result<Vec<_>, _>>()?;
    let counters = rows.into_iter().filter_map(|(device, top)| {
        let device = DeviceId::from_slice(&device).ok()?;
        Some((device, top))
    });
    Ok(counters.collect())
}

/// Keeps what was handed on so. Who lies about it has this device miss what others said, or ask for what it was not there for: the first the
/// others' next message shows as before, the second nobody answers.
pub(crate) fn handed_on(work: &Work<'_>, conversation: i64, joined: &Joined) -> Result<()> {
    let members = joined.group.members()?;
    let devices: HashSet<&DeviceId> = members.iter().map(|member| &member.device).collect();
    for (device, top) in joined.handed_on.counters.iter().take(HANDED_ON) {
        if *device != work.me.device && devices.contains(device) {
            keep(work, conversation, device, *top)?;
        }
    }
    Ok(())
}

fn keep(work: &Work<'_>, conversation: i64, device: &DeviceId, top: u64) -> Result<()> {
    let Ok(top) = i64::try_from(top) else {
        return Ok(());
    };
    work.db
        .prepare_cached(
            "INSERT OR IGNORE INTO device_counters (conversation, device, top) VALUES (?1, ?2, ?3)",
        )?
        .execute(params![conversation, device.as_bytes(), top])?;
    Ok(())
}

/// A device says how far it has come: what it wrote and this one does not have is missing, and what this one wrote and it does not have
/// is sent again.
pub(crate) fn came(
    work: &Work<'_>,
    row: &Conversation,
    sender: &Sender,
    heard: &Heard,
    place: Place,
) -> Result<()> {
    if sender.device == work.me.device {
        return Ok(());
    }
    if let Ok(last) = i64::try_from(heard.last) {
        let top: Option<i64> = work
            .db
            .prepare_cached(
                "SELECT top FROM device_counters WHERE conversation = ?1 AND device = ?2",
            )?
            .query_row(params![row.id, sender.device.as_bytes()], |row| row.get(0))
            .optional()?;
        if let Some(top) = top.filter(|top| *top < last) {
            let run = top.unsigned_abs() + 1..last.unsigned_abs() + 1;
            gaps::note_run(work, row.id, sender.device.as_bytes(), 0, run, |_| place)?;
            work.db
                .prepare_cached(
                    "UPDATE device_counters SET top = ?3 WHERE conversation = ?1 AND device = ?2",
                )?
                .execute(params![row.id, sender.device.as_bytes(), last])?;
        }
    }
    let Some(mine) = heard
        .of
        .iter()
        .find(|counter| counter.device == work.me.device.as_bytes())
    else {
        return Ok(());
    };
    let Ok(top) = i64::try_from(mine.counter) else {
        return Ok(());
    };
    let found = {
        let mut statement = work.db.prepare_cached(&format!(
            "SELECT generation, number, content FROM (
                SELECT generation, number, content, counter FROM messages
                    WHERE conversation = ?1 AND device = ?2 AND counter > ?3 AND state = 6 AND kind = 1
                UNION ALL SELECT generation, number, content, counter FROM actions
                    WHERE conversation = ?1 AND device = ?2 AND counter > ?3 AND generation <> {})
             ORDER BY counter LIMIT ?4",
            message::NO_PLACE
        ))?;
        statement
            .query_map(
                params![row.id, work.me.device.as_bytes(), top, gaps::ASKED_AT_ONCE],
                |row| {
                    Ok(Repeated {
                        generation: row.get(0)?,
                        number: row.get(1)?,
                        content: row.get(2)?,
                    })
                },
            )?
            .collect::<std::result::Result<Vec<_>, _>>()?
    };
    again::send_again(work, row, &sender.device, found)
}
