//! Conversations that this account is in, and this device is not, though it should be: nobody could add it, or its Welcome led nowhere (whoever
//! sent it was removed meanwhile, say), so that the others believe that it is in.
//!
//! The account's devices tell each other where they are ([`Kind::Here`]). One that does not come in for a while says so ([`Kind::Absent`]), and
//! the others add it; where the group holds a leaf of it already that leaf goes first.
//!
//! One that has lost the thread of a group asks its members to let it in again ([`super::resync`]), whose addresses may have other names by then.
//! So it asks the account's other devices, too.
//!
//! What must stay true: that a device says so makes others act for that device alone, and only where they see themselves what is wrong.

use prost::Message as _;
use rusqlite::{OptionalExtension as _, params};
use undertone_mls::DeviceId;

use super::{
    Work,
    conversation::{self, Conversation, State},
    devices, intent, resync,
    shared::{self, Kind, Number},
};
use crate::error::Result;

/// How often a device says that it is not in; each time it waits four times as long.
const SAYS: i64 = 8;

/// How long a device waits to be brought in before it says that it is not in: the others have turns.
fn patience(work: &Work<'_>) -> i64 {
    i64::try_from(work.pace.resync_again.as_millis() / 30).unwrap_or(i64::MAX)
}

fn is_live(row: &Conversation) -> bool {
    matches!(row.state, State::Joining | State::Active | State::Resyncing)
}

/// That a device is not in a conversation, as it tells the others.
#[derive(Clone, PartialEq, prost::Message)]
struct Absence {
    /// 0: it is in.
    #[prost(int64, tag = "1")]
    said: i64,
    /// It knows the group, and has lost its thread: what it asks its members. Empty: it does not know the group.
    #[prost(bytes = "vec", tag = "2")]
    request: Vec<u8>,
}

fn number(value: &[u8]) -> i64 {
    Number::decode(value).map_or(0, |number| number.value)
}

fn said(work: &Work<'_>, key: &[u8]) -> Result<i64> {
    let value: Option<Vec<u8>> = work
        .db
        .prepare_cached("SELECT value FROM shared WHERE key = ?1")?
        .query_row([key], |row| row.get(0))
        .optional()?;
    Ok(value.map_or(0, |value| number(&value)))
}

/// This device is in a conversation: the others are to be, too.
pub(crate) fn is_here(work: &Work<'_>, row: &Conversation) -> Result<()> {
    if row.kind == conversation::Kind::Notes {
        return Ok(());
    }
    shared::put_value(
        work,
        Kind::Here,
        &[row.group.as_bytes()],
        &Number { value: 1 },
    )
}

/// The account is not in a conversation any more.
pub(crate) fn is_over(work: &Work<'_>, row: &Conversation) -> Result<()> {
    if said(work, &shared::key(Kind::Here, &[row.group.as_bytes()]))? != 0 {
        shared::put_value(
            work,
            Kind::Here,
            &[row.group.as_bytes()],
            &Number { value: 0 },
        )?;
    }
    Ok(())
}

/// Another device says that the account is in a conversation, or is not any more.
pub(crate) fn told(work: &Work<'_>, group: &[u8], value: &[u8]) -> Result<()> {
    let Ok(group) = <&[u8; 16]>::try_from(group) else {
        return Ok(());
    };
    let row = conversation::by_group(work.db, group)?;
    let live = row.as_ref().is_some_and(is_live);
    match (number(value) != 0, live, row) {
        (true, false, _) => miss(work, group),
        // It has not heard that this account was let in again.
        (false, true, Some(row)) => devices::check(work, row.id),
        (false, false, _) => forget(work, group),
        (true, true, _) | (false, true, None) => Ok(()),
    }
}

fn miss(work: &Work<'_>, group: &[u8; 16]) -> Result<()> {
    work.db.execute(
        "INSERT OR IGNORE INTO absent (group_id, since_ms, said) VALUES (?1, ?2, 0)",
        params![group, work.now_ms],
    )?;
    work.wake();
    Ok(())
}

fn forget(work: &Work<'_>, group: &[u8; 16]) -> Result<()> {
    work.db
        .execute("DELETE FROM absent WHERE group_id = ?1", [group])?;
    Ok(())
}

/// Another device took this one out of a conversation that the account is in: it is to come in again.
pub(crate) fn taken_out(work: &Work<'_>, row: &Conversation) -> Result<()> {
    if said(work, &shared::key(Kind::Here, &[row.group.as_bytes()]))? == 0 {
        return Ok(());
    }
    miss(work, row.group.as_bytes())
}

/// This device has come in.
pub(crate) fn came(work: &Work<'_>, group: &[u8; 16]) -> Result<()> {
    forget(work, group)?;
    let parts: [&[u8]; 2] = [work.me.device.as_bytes(), group];
    if said(work, &shared::key(Kind::Absent, &parts))? != 0 {
        shared::put_value(work, Kind::Absent, &parts, &Number { value: 0 })?;
    }
    Ok(())
}

/// This device is on-line again: what lies in its queue may bring it in, so that the wait begins anew.
pub(crate) fn signed_in(work: &Work<'_>) -> Result<()> {
    work.db
        .execute("UPDATE absent SET since_ms = ?1", [work.now_ms])?;
    Ok(())
}

/// Says where this device should be and is not. Called now and then.
pub(crate) fn tick(work: &Work<'_>) -> Result<()> {
    let due = {
        let mut statement = work.db.prepare_cached(
            "UPDATE absent SET since_ms = ?1, said = said + 1 WHERE said < ?2 AND since_ms + (?3 << (2 * said)) <= ?1 RETURNING group_id, said",
        )?;
        statement
            .query_map(params![work.now_ms, SAYS, patience(work)], |row| {
                Ok((row.get::<_, [u8; 16]>(0)?, row.get::<_, i64>(1)?))
            })?
            .collect::<std::result::Result<Vec<_>, _>>()?
    };
    for (group, value) in due {
        if conversation::by_group(work.db, &group)?
            .as_ref()
            .is_some_and(is_live)
        {
            forget(work, &group)?;
            continue;
        }
        let parts: [&[u8]; 2] = [work.me.device.as_bytes(), &group];
        shared::put_value(work, Kind::Absent, &parts, &Number { value })?;
    }
    Ok(())
}

/// This device has lost the thread of a group, and asks to be let in again, also by way of the account's other devices.
pub(crate) fn ask(work: &Work<'_>, row: &Conversation, request: &[u8]) -> Result<()> {
    if row.kind == conversation::Kind::Notes {
        return Ok(());
    }
    let absence = Absence {
        said: 1,
        request: request.to_vec(),
    };
    let parts: [&[u8]; 2] = [work.me.device.as_bytes(), row.group.as_bytes()];
    shared::put_value(work, Kind::Absent, &parts, &absence)
}

/// When this device says so next.
pub(crate) fn next_due(work: &Work<'_>) -> Result<Option<i64>> {
    Ok(work.db.query_row(
        "SELECT min(at) FROM (SELECT since_ms + (?1 << (2 * said)) AS at FROM absent WHERE said < ?2) WHERE at > ?3",
        params![patience(work), SAYS, work.now_ms],
        |row| row.get(0),
    )?)
}

/// Another device says that it is not in a conversation.
pub(crate) fn asked(work: &Work<'_>, rest: &[u8], value: &[u8]) -> Result<()> {
    let Some((device, group)) = parts(rest).filter(|_| number(value) != 0) else {
        return Ok(());
    };
    let absence = Absence::decode(value).unwrap_or_default();
    if !absence.request.is_empty() {
        return resync::help(work, &absence.request);
    }
    let Some(row) = conversation::by_group(work.db, &group)? else {
        return Ok(());
    };
    if device == work.me.device
        || row.kind == conversation::Kind::Notes
        || !devices::is_settled(work, &row)?
        || !devices::is_in_use(work, &device)?
    {
        return Ok(());
    }
    let leaf = work.group(&row.group, |group| {
        Ok(group
            .members()?
            .into_iter()
            .find(|member| member.device == device && member.account == work.me.account)
            .map(|member| *member.address.hash().as_bytes()))
    })?;
    let Some(address) = leaf else {
        return devices::check(work, row.id);
    };
    let subject = [&device.as_bytes()[..], &address].concat();
    if intent::is_wanted(work, row.id, intent::Kind::RemoveDevice, &subject)? {
        return Ok(());
    }
    let at = devices::turn_at(work, &row)?;
    intent::add(work, row.id, intent::Kind::RemoveDevice, &subject, 0, at)?;
    Ok(())
}

fn parts(rest: &[u8]) -> Option<(DeviceId, [u8; 16])> {
    let (device, group) = rest.split_first_chunk::<16>()?;
    Some((
        DeviceId::from_slice(device).ok()?,
        <[u8; 16]>::try_from(group).ok()?,
    ))
}

/// What a removal intent is for: a device, and the address of the leaf that is of no use to it; without one, every leaf of it.
pub(crate) fn subject(subject: &[u8]) -> Result<(DeviceId, Option<&[u8]>)> {
    let (device, address) = subject.split_at_checked(16).unwrap_or((subject, &[]));
    Ok((
        DeviceId::from_slice(device)?,
        (!address.is_empty()).then_some(address),
    ))
}

/// Whether a device still says that it is not in a conversation.
pub(crate) fn is_absent(work: &Work<'_>, row: &Conversation, device: &DeviceId) -> Result<bool> {
    let key = shared::key(Kind::Absent, &[device.as_bytes(), row.group.as_bytes()]);
    Ok(said(work, &key)? != 0)
}
