//! Where a device was taken out of a conversation.
//!
//! Messages of the last epochs still open, so also what somebody makes in one of them who was taken out since. What they said before that may
//! come late, and is read; the rest is nothing. The channel's order tells the one from the other: what stands before the change that took
//! them out was said before it. On a channel that the conversation left before there is no such order. What is read there is what has a place
//! among what this device saw before it left.

use rusqlite::{OptionalExtension as _, params};
use undertone_mls::{Application, Group};

use super::{Work, conversation::Conversation, message::Place};
use crate::error::Result;

/// Epochs after which a departure is forgotten: what was said before opens no more.
const KEPT_EPOCHS: u64 = 8;

/// The members are about to be those of this group: notes which devices of those known until now are not among them.
pub(crate) fn note(work: &Work<'_>, conversation: i64, group: &Group) -> Result<()> {
    let known = {
        let mut statement = work
            .db
            .prepare_cached("SELECT account_id, device_id FROM members WHERE conversation = ?1")?;
        statement
            .query_map([conversation], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<std::result::Result<Vec<(Vec<u8>, Vec<u8>)>, _>>()?
    };
    let members = group.members()?;
    for (account, device) in known {
        let stays = members.iter().any(|member| {
            member.account.as_bytes()[..] == account[..]
                && member.device.as_bytes()[..] == device[..]
        });
        if stays {
            continue;
        }
        work.db
            .prepare_cached(
                "INSERT OR REPLACE INTO departures (conversation, account_id, device_id, epoch, generation, number)
                 SELECT id, ?2, ?3, ?4, generation, top_number FROM conversations WHERE id = ?1",
            )?
            .execute(params![conversation, account, device, group.epoch()])?;
    }
    work.db
        .prepare_cached("DELETE FROM departures WHERE conversation = ?1 AND epoch < ?2")?
        .execute(params![
            conversation,
            group.epoch().saturating_sub(KEPT_EPOCHS)
        ])?;
    Ok(())
}

/// Whether what a device said that is no member any more stood before it was taken out.
pub(crate) fn stood_before(
    work: &Work<'_>,
    row: &Conversation,
    said: &Application,
    place: Place,
) -> Result<bool> {
    let went: Option<(u32, u64)> = work
        .db
        .prepare_cached(
            "SELECT generation, number FROM departures WHERE conversation = ?1 AND account_id = ?2 AND device_id = ?3",
        )?
        .query_row(
            params![row.id, said.account.as_bytes(), said.device.as_bytes()],
            |found| Ok((found.get(0)?, found.get(1)?)),
        )
        .optional()?;
    let Some((generation, number)) = went else {
        return Ok(false);
    };
    if place.generation == generation {
        return Ok(place.number < number);
    }
    let seen_before = work
        .db
        .prepare_cached(
            "SELECT 1 FROM old_channels WHERE conversation = ?1 AND generation = ?2 AND top_number >= ?3",
        )?
        .exists(params![row.id, place.generation, place.number])?;
    Ok(place.generation < generation && seen_before)
}
