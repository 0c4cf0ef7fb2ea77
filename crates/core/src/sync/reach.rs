//! Whom sends reach. The server tells a sender which addresses it did not know or could not fill; that is its word alone, so nobody is ever
//! put out for it: a Welcome is sent again for some days, and a line says who is not reached, so that a person can do something.

use prost::Message as _;
use rusqlite::{OptionalExtension as _, params};
use undertone_mls::{AccountId, DeviceId};
use undertone_wire::{
    client_proto::{DirectMessage, direct_message},
    secrets::AddressSecret,
};

use super::{
    Work, address, channel,
    conversation::{self, Conversation, Kind},
    join, linking, send,
};
use crate::{error::Result, view::Notice};

/// Sends that did not reach a device before it is shown; they must also lie [`crate::SendingPace::unreached`] apart.
const MISSES: i64 = 3;
/// Times that a Welcome is sent before it is given up: six pauses, each six times as long as the one before, are six days and a half.
const WELCOMES: u32 = 7;
/// After so many of them it is said that somebody could not be let in yet.
const WELCOMES_UNSEEN: u32 = 3;

/// What does not reach a device that is to be linked is sent again after this.
const LINKING_AGAIN_MS: i64 = 1000;

/// A member's device.
struct Reached {
    account: AccountId,
    device: DeviceId,
}

/// Whose address this is, as of the cached epoch; None: nobody's any more.
fn member_at(
    work: &Work<'_>,
    conversation: i64,
    secret: &AddressSecret,
) -> Result<Option<Reached>> {
    let row = work
        .db
        .prepare_cached(
            "SELECT account_id, device_id FROM members WHERE conversation = ?1 AND address = ?2",
        )?
        .query_row(params![conversation, secret.expose()], |row| {
            Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, Vec<u8>>(1)?))
        })
        .optional()?;
    row.map(|(account, device)| {
        Ok(Reached {
            account: AccountId::from_slice(&account)?,
            device: DeviceId::from_slice(&device)?,
        })
    })
    .transpose()
}

/// A commit or message was accepted and reached all of the conversation's addresses but these.
pub(crate) fn channel_send(
    work: &Work<'_>,
    conversation: i64,
    missed: &[AddressSecret],
) -> Result<()> {
    let row = conversation::load(work.db, conversation)?;
    let mut unreached = Vec::new();
    for secret in missed {
        // One's own copy never comes then: the address is put right.
        if address::by_name(work, secret.hash().as_bytes())?
            .is_some_and(|own| own.id == row.address)
        {
            channel::own_address_missed(work, conversation)?;
        } else if let Some(member) = member_at(work, conversation, secret)? {
            unreached.push(member);
        }
    }
    reached_again(work, &row, &unreached)?;
    for member in &unreached {
        did_not_reach(work, &row, member)?;
    }
    Ok(())
}

/// Everybody else was reached: what was noted about them is over.
fn reached_again(work: &Work<'_>, row: &Conversation, unreached: &[Reached]) -> Result<()> {
    let noted = {
        let mut statement = work.db.prepare_cached(
            "SELECT device, told, (SELECT account_id FROM members m WHERE m.conversation = ?1 AND m.device_id = misses.device)
             FROM misses WHERE conversation = ?1",
        )?;
        statement
            .query_map([row.id], |row| {
                Ok((
                    row.get::<_, Vec<u8>>(0)?,
                    row.get::<_, bool>(1)?,
                    row.get::<_, Option<Vec<u8>>>(2)?,
                ))
            })?
            .collect::<std::result::Result<Vec<_>, _>>()?
    };
    for (device, told, account) in noted {
        if unreached
            .iter()
            .any(|member| member.device.as_bytes()[..] == device)
        {
            continue;
        }
        work.db.execute(
            "DELETE FROM misses WHERE conversation = ?1 AND device = ?2",
            params![row.id, device],
        )?;
        if let (true, Some(account)) = (told, account) {
            let account = AccountId::from_slice(&account)?;
            let who = conversation::person(work, row.id, &account)?;
            conversation::notice(work, row.id, &Notice::ReachedAgain { who })?;
        }
    }
    Ok(())
}

fn did_not_reach(work: &Work<'_>, row: &Conversation, member: &Reached) -> Result<()> {
    let (since, times, told): (i64, i64, bool) = work.db.query_row(
        "INSERT INTO misses (conversation, device, since_ms, times, told) VALUES (?1, ?2, ?3, 1, 0)
         ON CONFLICT (conversation, device) DO UPDATE SET times = times + 1 RETURNING since_ms, times, told",
        params![row.id, member.device.as_bytes(), work.now_ms],
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
    )?;
    let long = i64::try_from(work.pace.unreached.as_millis()).unwrap_or(i64::MAX);
    if told || times < MISSES || work.now_ms - since < long {
        return Ok(());
    }
    work.db.execute(
        "UPDATE misses SET told = 1 WHERE conversation = ?1 AND device = ?2",
        params![row.id, member.device.as_bytes()],
    )?;
    let who = conversation::person(work, row.id, &member.account)?;
    let group = row.kind == Kind::Group;
    conversation::notice(work, row.id, &Notice::NotReached { who, group })
}

/// A Send was accepted and reached all of its addresses but these. A Welcome goes to them again later: without it somebody whom the group
/// believes to be in is not. Requests are made anew anyhow.
pub(crate) fn direct_send(work: &Work<'_>, send: i64, missed: &[AddressSecret]) -> Result<()> {
    let row = work
        .db
        .query_row(
            "SELECT conversation, body FROM sends WHERE id = ?1",
            [send],
            |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?)),
        )
        .optional()?;
    let Some((conversation, body)) = row else {
        return Ok(());
    };
    if !missed.is_empty() {
        join::not_reached(work, send)?;
    }
    if !missed.is_empty() && is_linking(&body) && linking::is_under_way(work)? {
        // Its code may be shown before its mailbox is there. It is asked for as long as the code counts.
        let all: Vec<_> = missed.iter().collect();
        return send::again(work, send, &all, work.now_ms + LINKING_AGAIN_MS);
    }
    let mut waiting = Vec::new();
    if !missed.is_empty() && is_welcome(&body) {
        for secret in missed {
            // Whoever has another address by now, or is out, waits no more.
            if let Some(member) = member_at(work, conversation, secret)? {
                waiting.push((secret, member));
            }
        }
    }
    if waiting.is_empty() {
        return done(work, send);
    }
    let times: u32 = work.db.query_row(
        "INSERT INTO send_attempts (send, missed) VALUES (?1, 1) ON CONFLICT (send) DO UPDATE SET missed = missed + 1 RETURNING missed",
        [send],
        |row| row.get(0),
    )?;
    if times == WELCOMES_UNSEEN || times == WELCOMES {
        let row = conversation::load(work.db, conversation)?;
        for (_, member) in &waiting {
            let who = conversation::person(work, conversation, &member.account)?;
            let notice = if times < WELCOMES {
                Notice::WelcomeWaits { who }
            } else {
                let group = row.kind == Kind::Group;
                Notice::WelcomeLost { who, group }
            };
            conversation::notice(work, conversation, &notice)?;
        }
    }
    if times >= WELCOMES {
        return done(work, send);
    }
    let pause = work
        .pace
        .welcome_again
        .saturating_mul(6u32.saturating_pow(times - 1));
    let at = work
        .now_ms
        .saturating_add(i64::try_from(pause.as_millis()).unwrap_or(i64::MAX));
    let addresses: Vec<_> = waiting.into_iter().map(|(secret, _)| secret).collect();
    send::again(work, send, &addresses, at)
}

fn is_linking(body: &[u8]) -> bool {
    DirectMessage::decode(body)
        .is_ok_and(|message| matches!(message.body, Some(direct_message::Body::Linking(_))))
}

fn is_welcome(body: &[u8]) -> bool {
    DirectMessage::decode(body)
        .is_ok_and(|message| matches!(message.body, Some(direct_message::Body::Welcome(_))))
}

fn done(work: &Work<'_>, send: i64) -> Result<()> {
    work.db
        .execute("DELETE FROM send_attempts WHERE send = ?1", [send])?;
    send::done(work, send)
}
