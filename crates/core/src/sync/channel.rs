//! The channel that orders a conversation, and where it goes on when that one is no good (docs/protocol.md section 4).

use rand::seq::SliceRandom as _;
use rusqlite::{OptionalExtension as _, params};
use undertone_mls::ChannelId;
use undertone_wire::{request::CreateChannel, secrets::AddressSecret};

use super::{
    Work, address, automatic,
    conversation::{self, Conversation, State},
    elsewhere, gaps, intent,
    message::Place,
    outbox,
};
use crate::error::Result;

/// In an order that says nothing about who is the sender.
pub(crate) fn shuffled(mut addresses: Vec<AddressSecret>) -> Vec<AddressSecret> {
    addresses.shuffle(&mut rand::rng());
    addresses
}

/// What makes the conversation's channel on the server, if it is not known to be there. Every member makes the same one.
pub(crate) fn to_make(work: &Work<'_>, row: &Conversation) -> Result<Option<CreateChannel>> {
    if row.channel_made {
        return Ok(None);
    }
    work.group(&row.group, |group| {
        Ok(Some(CreateChannel {
            channel_id: row.channel,
            epoch: group.epoch(),
            lock: group.lock(&work.mls)?,
            min_send_epoch: group.epoch(),
        }))
    })
}

/// Fallback channels of an epoch that are known when something comes there: others may have had reasons for several moves.
const LOOK_AHEAD: u32 = 8;

/// Goes on in the same epoch on the next fallback channel: all members saw the same useless commit, or the server lost the channel.
pub(crate) fn fall_back(work: &Work<'_>, row: &Conversation) -> Result<()> {
    go_on(work, row, 1)
}

/// Goes on on the fallback channel that is so many moves away.
pub(crate) fn go_on(work: &Work<'_>, row: &Conversation, moves: u32) -> Result<()> {
    // The epoch's first fallback has counter 0.
    let (generation, moves) = (
        row.generation.saturating_add(moves),
        row.moves.saturating_add(moves),
    );
    let channel = work.group(&row.group, |group| {
        Ok(group.fallback_channel_id(&work.mls, u64::from(moves.saturating_sub(1)))?)
    })?;
    conversation::set_channel(work, row.id, generation, &channel, moves, false, 0)?;
    automatic::new_generation(work, row.id)?;
    outbox::wait_no_more(work, row.id)?;
    // A commit staged for the old channel is sent on the new one: its epoch and lock are the same.
    work.db.execute(
        "UPDATE commits SET sent = 0 WHERE conversation = ?1",
        [row.id],
    )?;
    // Somebody who can make such commits can rename addresses too; one's own is put right.
    address::assert(work, row.address)?;
    Ok(())
}

/// How an item's channel stands to the conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It is the conversation's channel.
    Present,
    /// It was, in this generation.
    Past(u32),
    /// It is a fallback channel so many moves away, which those can name who are or were members in this epoch.
    Next(u32),
}

/// Whether the channel with this hash is one of the conversation's.
pub(crate) fn standing(
    work: &Work<'_>,
    row: &Conversation,
    hash: &[u8],
) -> Result<Option<Standing>> {
    if hash == elsewhere::name_in(row, &row.channel)? {
        return Ok(Some(Standing::Present));
    }
    let past: Option<u32> = work
        .db
        .prepare_cached(
            "SELECT generation FROM old_channels WHERE conversation = ?1 AND channel_hash = ?2",
        )?
        .query_row(params![row.id, hash], |row| row.get(0))
        .optional()?;
    if let Some(generation) = past {
        return Ok(Some(Standing::Past(generation)));
    }
    work.group(&row.group, |group| {
        for ahead in 0..LOOK_AHEAD {
            let counter = u64::from(row.moves.saturating_add(ahead));
            let next = group.fallback_channel_id(&work.mls, counter)?;
            if hash == elsewhere::name_in(row, &next)? {
                return Ok(Some(Standing::Next(ahead + 1)));
            }
        }
        Ok(None)
    })
}

/// The epoch in which this device left a channel; None: it was never on it, or left it before that was noted.
pub(crate) fn left_in(
    work: &Work<'_>,
    conversation: i64,
    channel_hash: &[u8],
) -> Result<Option<u64>> {
    let epoch: Option<i64> = work
        .db
        .prepare_cached(
            "SELECT epoch FROM old_channels WHERE conversation = ?1 AND channel_hash = ?2 AND epoch < ?3",
        )?
        .query_row(params![conversation, channel_hash, i64::MAX], |row| {
            row.get(0)
        })
        .optional()?;
    Ok(epoch.and_then(|epoch| u64::try_from(epoch).ok()))
}

/// Something came on a fallback channel that is still to come. Any member, also one who was removed meanwhile, can name and make it, so that alone is no
/// reason to go there. This device tries its own channel with an update of its leaf: if that is refused it goes there too.
pub(crate) fn doubt(work: &Work<'_>, row: &Conversation) -> Result<()> {
    if row.state != State::Active {
        return Ok(());
    }
    let members = conversation::devices(work.db, row.id)?.len();
    intent::doubt(work, row.id, row.epoch, work.member_turn_at(members))
}

/// The server does not know the channel (it expired, or its creation was lost).
pub(crate) fn unknown(work: &Work<'_>, row: &Conversation) -> Result<()> {
    work.db.execute(
        "UPDATE conversations SET channel_made = 0 WHERE id = ?1",
        [row.id],
    )?;
    work.wake();
    Ok(())
}

/// The server has a channel of this id with another state.
pub(crate) fn exists_otherwise(
    work: &Work<'_>,
    conversation: i64,
    channel: &ChannelId,
) -> Result<()> {
    // It has moved on since, or somebody made it wrongly; sending will tell which.
    conversation::set_channel_made(work, conversation, channel)
}

/// Whether what stands at this number has not come before, or not so that it could be read.
pub(crate) fn is_missed(work: &Work<'_>, row: &Conversation, number: u64) -> Result<bool> {
    Ok(number > row.top_number || gaps::is_number_missing(work, row, number)?)
}

/// Takes note of an item's number: its place, and what is missing before it. None if the number was seen before.
pub(crate) fn place(work: &Work<'_>, row: &Conversation, number: u64) -> Result<Place> {
    if number > row.top_number {
        if row.top_number > 0 || row.generation > 0 {
            gaps::numbers_missing(work, row, row.top_number + 1, number)?;
        }
        work.db
            .prepare_cached(
                "UPDATE conversations SET top_number = ?2 WHERE id = ?1 AND top_number < ?2",
            )?
            .execute(params![row.id, number])?;
    } else {
        gaps::number_came(work, row, number)?;
    }
    Ok(Place {
        generation: row.generation,
        number,
    })
}

/// A send did not reach some address. If one's own is among them its copy never comes: it is put right.
pub(crate) fn own_address_missed(work: &Work<'_>, conversation: i64) -> Result<()> {
    let row = conversation::load(work.db, conversation)?;
    address::assert(work, row.address)
}

/// After a server was restored from a backup: what channels hold may be older than what members know.
pub(crate) fn server_restored(work: &Work<'_>) -> Result<()> {
    for row in conversation::sendable(work)? {
        if !work.has_group(&row.group)? {
            continue;
        }
        fall_back(work, &row)?;
        outbox::send_all_again(work, row.id)?;
    }
    // Addresses made since the backup are gone; telling those that exist again changes nothing.
    work.db
        .execute("UPDATE addresses SET state = 0 WHERE state = 1", [])?;
    work.db.execute(
        "UPDATE key_packages SET state = 2 WHERE state = 1 AND last_resort = 0",
        [],
    )?;
    work.db.execute("UPDATE pools SET checked_at_ms = 0", [])?;
    work.wake();
    Ok(())
}
