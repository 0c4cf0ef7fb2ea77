//! Which of those that say that they are devices of this account are.
//!
//! Every device of an account can certify others, also one that was stolen and removed: a certificate says no more than that somebody had one
//! of them once. What counts is the account's own group. A device is one of the account's if it is in there, with the same key, and was not
//! removed; what another one gives is held until this device has heard of it, or has to be proven like what a stranger gives.
//!
//! Who stands in a conversation as a device of the account, and of whom no device has told, is shown to the owner, goes with the next device
//! that they remove, and hears of no new key.

use rusqlite::{Connection, params};
use undertone_mls::{DeviceId, Joined, Kind as GroupKind, Member};

use super::{
    Work,
    account::Me,
    change::Change,
    conversation::{self, Conversation, State},
    devices::{self, Device},
    early_welcome, proof,
};
use crate::error::Result;

/// What a device is that says that it is of this account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// One of the account's.
    Known,
    /// Not in the account's own group as this device knows it.
    Unheard,
    /// One that was removed.
    Removed,
}

/// Whether it says that it is of this account, and was removed from it.
pub(crate) fn is_removed(work: &Work<'_>, member: &Member) -> Result<bool> {
    let removed = || -> Result<bool> {
        Ok(devices::get(work.db, &member.device)?.is_some_and(|device| !device.in_use))
    };
    Ok(member.account == work.me.account && removed()?)
}

/// What a member that says that it is of this account is.
pub(crate) fn standing(work: &Work<'_>, member: &Member) -> Result<Standing> {
    if is_removed(work, member)? {
        return Ok(Standing::Removed);
    }
    let Some(own) = devices::own_group(work)?.filter(|row| row.state == State::Active) else {
        return Ok(Standing::Unheard);
    };
    let known = member.account == work.me.account
        && !proof::is_under_way(work, own.id)?
        && is_one_of(work, &own, &member.device, &member.key)?;
    Ok(if known {
        Standing::Known
    } else {
        Standing::Unheard
    })
}

/// What a device of this account is that wants to bring this one into a conversation.
pub(crate) fn may_bring_in(work: &Work<'_>, joined: &Joined) -> Result<Standing> {
    if is_removed(work, &joined.adder)? {
        return Ok(Standing::Removed);
    }
    let own = devices::own_group(work)?;
    match own {
        // This device is being linked: only those know its key packages whom the device told that links it.
        None => Ok(Standing::Known),
        // Into the account's own group it comes once.
        Some(own) if joined.group.kind() == GroupKind::Notes => {
            let by = &joined.adder;
            let same = own.group == *joined.group.id();
            Ok(if same && is_one_of(work, &own, &by.device, &by.key)? {
                Standing::Known
            } else {
                Standing::Removed
            })
        }
        Some(_) => standing(work, &joined.adder),
    }
}

/// Whether a device is in the account's own group, with this key, as far as this device knew before what it tries now; and was not removed.
pub(crate) fn is_one_of(
    work: &Work<'_>,
    own: &Conversation,
    device: &DeviceId,
    key: &[u8; 32],
) -> Result<bool> {
    Ok(work
        .db
        .prepare_cached(
            "SELECT 1 FROM members m WHERE m.conversation = ?1 AND m.device_id = ?2 AND m.key = ?3
                AND NOT EXISTS (SELECT 1 FROM devices d WHERE d.device_id = m.device_id AND d.state <> ?4)",
        )?
        .exists(params![own.id, device.as_bytes(), key, devices::IN_USE])?)
}

/// Whether a member of the account's own group is one of its devices, and nobody else is in there.
pub(crate) fn is_only_other(work: &Work<'_>, own: &Conversation, member: &Member) -> Result<bool> {
    let others = work
        .db
        .prepare_cached(
            "SELECT 1 FROM members m WHERE m.conversation = ?1 AND m.device_id NOT IN (?2, ?3)
                AND NOT EXISTS (SELECT 1 FROM devices d WHERE d.device_id = m.device_id AND d.state <> ?4)",
        )?
        .exists(params![
            own.id,
            member.device.as_bytes(),
            work.me.device.as_bytes(),
            devices::IN_USE
        ])?;
    Ok(!others && is_one_of(work, own, &member.device, &member.key)?)
}

/// A store of an earlier version knows no keys of members: those of the account's own group are read, as long as nothing is wrong there.
pub(crate) fn read_keys(work: &Work<'_>) -> Result<()> {
    let Some(own) = devices::own_group(work)?.filter(|row| row.state == State::Active) else {
        return Ok(());
    };
    let unread = work
        .db
        .prepare_cached("SELECT 1 FROM members WHERE conversation = ?1 AND key = x''")?
        .exists([own.id])?;
    if !unread || !work.has_group(&own.group)? {
        return Ok(());
    }
    work.group(&own.group, |group| {
        conversation::refresh(work, own.id, group)
    })
}

/// This device is in the account's own group, or others came or went there: what it did not believe before may be right.
pub(crate) fn heard(work: &Work<'_>) -> Result<()> {
    proof::look_again(work)?;
    early_welcome::try_again(work)
}

/// How long a device may be in a conversation before others have told of it, without being shown as a stranger. It is told of as soon as it is
/// in.
const PATIENCE_MS: i64 = 60_000;

/// The members of a conversation have changed: notes those that say that they are of this account and that nobody has told of.
pub(crate) fn note_strangers(work: &Work<'_>, conversation: i64) -> Result<()> {
    let noted = work
        .db
        .prepare_cached(
            "INSERT OR IGNORE INTO strangers (device_id, since_ms) SELECT m.device_id, ?2 FROM members m
             WHERE m.conversation = ?1 AND m.account_id = ?3 AND m.device_id <> ?4
                AND NOT EXISTS (SELECT 1 FROM devices d WHERE d.device_id = m.device_id)",
        )?
        .execute(params![
            conversation,
            work.now_ms,
            work.me.account.as_bytes(),
            work.me.device.as_bytes()
        ])?;
    if noted > 0 {
        work.tell(Change::Devices);
    }
    Ok(())
}

/// Those that are in a conversation, nobody having told of them: since when they have been seen.
fn strangers(db: &Connection, me: &Me) -> Result<Vec<(DeviceId, i64)>> {
    let mut statement = db.prepare_cached(
        "SELECT DISTINCT m.device_id, coalesce(s.since_ms, 0) FROM members m JOIN conversations c ON c.id = m.conversation AND c.state IN (1, 2, 3)
            LEFT JOIN strangers s ON s.device_id = m.device_id
         WHERE m.account_id = ?1 AND m.device_id <> ?2 AND NOT EXISTS (SELECT 1 FROM devices d WHERE d.device_id = m.device_id)",
    )?;
    let rows = statement
        .query_map(
            params![me.account.as_bytes(), me.device.as_bytes()],
            |row| Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, i64>(1)?)),
        )?
        .collect::<std::result::Result<Vec<_>, _>>()?;
    rows.iter()
        .map(|(device, since)| Ok((DeviceId::from_slice(device)?, *since)))
        .collect()
}

/// Those that the owner is shown.
pub(crate) fn shown(db: &Connection, me: &Me, now_ms: i64) -> Result<Vec<(DeviceId, i64)>> {
    let mut all = strangers(db, me)?;
    all.retain(|(_, since)| since.saturating_add(PATIENCE_MS) <= now_ms);
    Ok(all)
}

/// The owner removes a device: with it go those of whom nobody has told, since whoever had it may have made them. A device that has not
/// heard of the others yet leaves them alone. True if it was one of these itself.
pub(crate) fn remove_with(work: &Work<'_>, id: &DeviceId, stale: bool) -> Result<bool> {
    let all = devices::has_siblings(work)?;
    let mut was_one = false;
    for (device, _) in strangers(work.db, work.me)? {
        if !all && device != *id {
            continue;
        }
        was_one |= device == *id;
        let known = Device {
            id: device,
            name: String::new(),
            source: None,
            in_use: true,
            added_at_ms: work.now_ms,
            stale: false,
        };
        devices::put(work, &known)?;
        devices::remove(work, &device, stale)?;
    }
    Ok(was_one)
}

/// Whether all that are in the account's own group are devices in use: a secret that is told there reaches nobody else.
pub(crate) fn are_among_themselves(work: &Work<'_>, own: &Conversation) -> Result<bool> {
    Ok(!work
        .db
        .prepare_cached(
            "SELECT 1 FROM members m WHERE m.conversation = ?1
                AND NOT EXISTS (SELECT 1 FROM devices d WHERE d.device_id = m.device_id AND d.state = ?2)",
        )?
        .exists(params![own.id, devices::IN_USE])?)
}
