//! That somebody is writing: said for a moment, to whoever is there, and kept nowhere.
//!
//! It goes past the outbox and comes past the inbox's position: no number, no counter, nothing to ask again for, and nothing that comes so
//! can lead to a resync or a line. Who has it off neither tells nor is told.

use bytes::Bytes;
use rusqlite::params;
use undertone_content::MimiContent;
use undertone_mls::Act;
use undertone_wire::{request::SendEphemeral, response::QueueItem};

use super::{
    Work, address,
    automatic::{self, Automatic},
    change::Change,
    channel, commit,
    conversation::{self, Conversation, Kind, State},
    elsewhere, ignored, message, policy, proof, settings,
};
use crate::error::Result;

/// The largest group in which it is told.
const GROUP: usize = 32;
/// How often it is said between two messages of this device: what is lost of them others have to skip.
const BETWEEN: i64 = 200;

/// Whether it is told and shown in this conversation.
fn applies(work: &Work<'_>, row: &Conversation) -> Result<bool> {
    if row.kind == Kind::Notes
        || row.state != State::Active
        || row.leaving
        || row.link != 0
        || row.request
        || !settings::all(work.db)?.typing
        || proof::is_under_way(work, row.id)?
    {
        return Ok(false);
    }
    if let Some(peer) = &row.peer
        && settings::is_blocked(work.db, peer)?
    {
        return Ok(false);
    }
    let people = work.group(&row.group, |group| Ok(group.accounts()?.len()))?;
    Ok(people <= GROUP)
}

/// Makes what says that this account is writing. None: nobody is to be told, or not now.
pub(crate) fn compose(work: &Work<'_>, row: &Conversation) -> Result<Option<SendEphemeral>> {
    // What is for a moment stays on the conversation's server, and guests send none.
    if !row.server.is_empty()
        || !applies(work, row)?
        || commit::is_staged(work, row.id)?
        || !policy::may(work, row, &work.me.account, Act::Post)?
    {
        return Ok(None);
    }
    let said = work
        .db
        .prepare_cached(
            "UPDATE conversations SET ephemerals = ephemerals + 1 WHERE id = ?1 AND ephemerals < ?2",
        )?
        .execute(params![row.id, BETWEEN])?;
    if said == 0 {
        return Ok(None);
    }
    let content = automatic::typing(work, row)?;
    let (epoch, payload, addresses) = work.group(&row.group, |group| {
        let (epoch, payload) = group.seal_ephemeral(&work.mls, &work.keys(), &content)?;
        Ok((epoch, payload, group.addresses()))
    })?;
    let (split, _) = elsewhere::split(work, row, channel::shuffled(addresses), Vec::new())?;
    Ok((!split.here.is_empty()).then(|| SendEphemeral {
        epoch,
        payload: Bytes::from(payload),
        addresses: split.here,
    }))
}

/// This device has sent something that will come again if it is lost.
pub(crate) fn sent_for_good(work: &Work<'_>, conversation: i64) -> Result<()> {
    work.db
        .prepare_cached("UPDATE conversations SET ephemerals = 0 WHERE id = ?1 AND ephemerals > 0")?
        .execute([conversation])?;
    Ok(())
}

/// Takes what came for a moment.
pub(crate) fn came(work: &Work<'_>, item: &QueueItem) -> Result<()> {
    let Some(address) = address::by_name(work, item.address.as_bytes())? else {
        return Ok(());
    };
    for row in conversation::at_address(work, address.id)? {
        if !work.has_group(&row.group)? || !applies(work, &row)? {
            continue;
        }
        let opened = work.group(&row.group, |group| {
            Ok(group.open_ephemeral(&work.mls, item.epoch, &item.payload)?)
        })?;
        let Some(opened) = opened else { continue };
        if opened.account == work.me.account
            || settings::is_blocked(work.db, &opened.account)?
            || !policy::may(work, &row, &opened.account, Act::Post)?
        {
            return Ok(());
        }
        let (sender, room) = message::uris(&opened.account, &row);
        let Ok(content) = MimiContent::decode(&opened.plaintext) else {
            ignored::note("content.malformed");
            return Ok(());
        };
        if content.check_claims(&sender, &room).is_err() {
            ignored::note("content.claims");
        } else if matches!(automatic::read(&content), Some(Automatic::Typing)) {
            work.tell(Change::Typing(row.id, *opened.account.as_bytes()));
        } else {
            ignored::note("content.unexpected");
        }
        return Ok(());
    }
    Ok(())
}
