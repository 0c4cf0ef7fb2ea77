//! The account's own devices: who they are, and that each of them is in every conversation.
//!
//! Every device keeps key packages in a pool that its siblings know. A conversation that may lack a device, or hold one that was removed,
//! is noted in `device_checks`; when its turn comes the group itself is asked, and what is wrong becomes an intent. Each device of the
//! account does so, after a wait by its rank for that conversation, so that usually one acts and the others find it done.
//!
//! What must stay true: a device is added only while it is known to be in use; one that was removed is never added again.

use rusqlite::params;
use sha2::{Digest as _, Sha256};
use undertone_mls::{DeviceId, Group, Kind as GroupKind, KpKey};
use undertone_wire::secrets::AddressSecret;

use super::{
    Work, absent, account, add,
    address::{self, Kind},
    change::Change,
    contact,
    conversation::{self, Conversation, State},
    intent, linking,
    pool::{self, Pool},
    shared, shared_apply, siblings,
    take::{self, Source},
};
use crate::error::{Reason, Result};

/// One-time key packages that siblings find ready.
const WANTED: u32 = 6;
/// The most that a new device puts there at once: what a server holds for an address.
const WANTED_AT_FIRST: u32 = 96;
/// Conversations looked at in one round.
const AT_ONCE: i64 = 32;

/// As stored (devices.state).
pub(crate) const IN_USE: i64 = 1;
pub(crate) const REMOVED: i64 = 2;

/// The setting, common to all devices, that one which says that it was wiped is removed at once.
pub(crate) const REMOVE_WIPED: &str = "remove_wiped";

/// A device row.
pub(crate) struct Device {
    pub(crate) id: DeviceId,
    pub(crate) name: String,
    /// Where its key packages are.
    pub(crate) source: Option<Source>,
    pub(crate) in_use: bool,
    pub(crate) added_at_ms: i64,
    /// It was removed, and could still certify devices.
    pub(crate) stale: bool,
}

fn list(db: &rusqlite::Connection, condition: &str) -> Result<Vec<Device>> {
    let mut statement = db.prepare_cached(&format!(
        "SELECT device_id, name, pool_secret, kp_key, state, added_at_ms, stale FROM devices WHERE {condition} ORDER BY added_at_ms, device_id"
    ))?;
    let rows = statement
        .query_map([], |row| {
            Ok((
                row.get::<_, Vec<u8>>(0)?,
                row.get::<_, String>(1)?,
                row.get::<_, Vec<u8>>(2)?,
                row.get::<_, Vec<u8>>(3)?,
                row.get::<_, i64>(4)?,
                row.get::<_, i64>(5)?,
                row.get::<_, bool>(6)?,
            ))
        })?
        .collect::<std::result::Result<Vec<_>, _>>()?;
    rows.into_iter()
        .map(|(id, name, secret, kp_key, state, added_at_ms, stale)| {
            let source = if secret.is_empty() || kp_key.is_empty() {
                None
            } else {
                Some(Source {
                    secret: AddressSecret::from_slice(&secret)?,
                    kp_key: KpKey::from_slice(&kp_key)?,
                })
            };
            Ok(Device {
                id: DeviceId::from_slice(&id)?,
                name,
                source,
                in_use: state == IN_USE,
                added_at_ms,
                stale,
            })
        })
        .collect()
}

/// All that are or were.
pub(crate) fn all(db: &rusqlite::Connection) -> Result<Vec<Device>> {
    list(db, "1")
}

/// One.
pub(crate) fn get(db: &rusqlite::Connection, id: &DeviceId) -> Result<Option<Device>> {
    Ok(all(db)?.into_iter().find(|device| device.id == *id))
}

/// Whether the account has this device, and has not removed it.
pub(crate) fn is_in_use(work: &Work<'_>, id: &DeviceId) -> Result<bool> {
    Ok(work
        .db
        .prepare_cached("SELECT 1 FROM devices WHERE device_id = ?1 AND state = ?2")?
        .exists(params![id.as_bytes(), IN_USE])?)
}

/// How many devices the account has.
pub(crate) fn in_use(work: &Work<'_>) -> Result<usize> {
    Ok(all(work.db)?.iter().filter(|device| device.in_use).count())
}

/// Whether there are other devices of this account.
pub(crate) fn has_siblings(work: &Work<'_>) -> Result<bool> {
    Ok(work
        .db
        .prepare_cached("SELECT 1 FROM devices WHERE device_id <> ?1 AND state = ?2")?
        .exists(params![work.me.device.as_bytes(), IN_USE])?)
}

/// Writes a device down as it is known now. A device that was removed stays so.
pub(crate) fn put(work: &Work<'_>, device: &Device) -> Result<()> {
    let (secret, kp_key) = device.source.as_ref().map_or((&[][..], &[][..]), |source| {
        (&source.secret.expose()[..], &source.kp_key.expose()[..])
    });
    work.db.execute(
        "INSERT INTO devices (device_id, name, pool_secret, kp_key, state, added_at_ms, stale) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (device_id) DO UPDATE SET
            name = CASE excluded.name WHEN '' THEN name ELSE excluded.name END,
            pool_secret = CASE excluded.pool_secret WHEN x'' THEN pool_secret ELSE excluded.pool_secret END,
            kp_key = CASE excluded.kp_key WHEN x'' THEN kp_key ELSE excluded.kp_key END,
            state = max(state, excluded.state), added_at_ms = min(added_at_ms, excluded.added_at_ms),
            stale = CASE excluded.state WHEN 2 THEN excluded.stale ELSE stale END",
        params![
            device.id.as_bytes(),
            device.name,
            secret,
            kp_key,
            if device.in_use { IN_USE } else { REMOVED },
            device.added_at_ms,
            device.stale
        ],
    )?;
    work.db.execute(
        "DELETE FROM strangers WHERE device_id = ?1",
        [device.id.as_bytes()],
    )?;
    if let Some(source) = &device.source {
        take::moved(work, &device.id, source)?;
    }
    work.tell(Change::Devices);
    check_all(work)
}

/// Writes this device down, with a pool that its siblings take from, if it is not yet.
pub(crate) fn enter_self(work: &Work<'_>, name: &str, wanted: u32) -> Result<()> {
    if is_in_use(work, &work.me.device)? {
        return Ok(());
    }
    let source = new_pool(work, wanted.clamp(WANTED, WANTED_AT_FIRST))?;
    let device = Device {
        id: work.me.device,
        name: name.to_owned(),
        source: Some(source),
        in_use: true,
        added_at_ms: work.now_ms,
        stale: false,
    };
    put(work, &device)?;
    shared::put_device(work, &device)
}

fn new_pool(work: &Work<'_>, wanted: u32) -> Result<Source> {
    let address = address::create(work, Kind::Contact, 0)?;
    let kp_key = KpKey::random();
    pool::create(
        work,
        &Pool {
            address: address.id,
            kp_key: kp_key.duplicate(),
            link: 0,
            wanted,
            last_resort: true,
        },
    )?;
    // Many at first, for all the conversations there are; then as many as are used now and then.
    work.db.execute(
        "UPDATE pools SET wanted = ?2 WHERE address = ?1",
        params![address.id, WANTED],
    )?;
    Ok(Source {
        secret: address.secret,
        kp_key,
    })
}

/// Replaces the pool that siblings take from: one that was removed knows the old one, or what is in it is outdated.
pub(super) fn replace_pool(work: &Work<'_>) -> Result<()> {
    let Some(own) = get(work.db, &work.me.device)? else {
        return Ok(());
    };
    let source = new_pool(work, WANTED)?;
    if let Some(old) = &own.source
        && let Some(old) = address::by_name(work, old.secret.hash().as_bytes())?
        && let Some(new) = address::by_name(work, source.secret.hash().as_bytes())?
    {
        pool::replace(work, old.id, new.id)?;
        address::revoke(work, old.id)?;
    }
    let device = Device {
        source: Some(source),
        ..own
    };
    put(work, &device)?;
    shared::put_device(work, &device)
}

/// Whether everything in this device's pool is on the server.
pub(crate) fn is_published(work: &Work<'_>) -> Result<Option<Source>> {
    let Some(source) = get(work.db, &work.me.device)?.and_then(|device| device.source) else {
        return Ok(None);
    };
    let Some(address) = address::by_name(work, source.secret.hash().as_bytes())? else {
        return Ok(None);
    };
    let waits = work
        .db
        .prepare_cached("SELECT 1 FROM key_packages WHERE pool = ?1 AND state = 0")?
        .exists([address.id])?;
    Ok((!waits && address::is_made(work, address.id)?).then_some(source))
}

/// The group that only this account's devices are in.
pub(crate) fn own_group(work: &Work<'_>) -> Result<Option<Conversation>> {
    let id: Option<i64> = work.db.query_row(
        "SELECT min(id) FROM conversations WHERE kind = 3 AND state IN (1, 2, 3)",
        [],
        |row| row.get(0),
    )?;
    id.map(|id| conversation::load(work.db, id)).transpose()
}

/// The same, made if there is none.
pub(crate) fn make_own_group(work: &Work<'_>) -> Result<Conversation> {
    match own_group(work)? {
        Some(row) => Ok(row),
        None => {
            let id = add::create(work, GroupKind::Notes, "", None)?;
            conversation::load(work.db, id)
        }
    }
}

/// A conversation may lack a device of this account: it is looked at soon.
pub(crate) fn check(work: &Work<'_>, conversation: i64) -> Result<()> {
    if work
        .db
        .prepare_cached("SELECT 1 FROM devices WHERE device_id <> ?1")?
        .exists([work.me.device.as_bytes()])?
    {
        let row = conversation::load(work.db, conversation)?;
        note(work, &row)?;
        if row.kind == conversation::Kind::Notes {
            return siblings::heard(work);
        }
    }
    Ok(())
}

/// All conversations are looked at.
pub(crate) fn check_all(work: &Work<'_>) -> Result<()> {
    for row in conversation::sendable(work)? {
        note(work, &row)?;
    }
    Ok(())
}

/// When it is this device's turn to do in a conversation what each device of the account can do.
pub(crate) fn turn_at(work: &Work<'_>, row: &Conversation) -> Result<i64> {
    let rank = i64::try_from(rank(work, row)?).unwrap_or(0);
    let step = i64::try_from(work.pace.helper.as_millis()).unwrap_or(0);
    Ok(work.now_ms.saturating_add(rank.saturating_mul(step)))
}

fn note(work: &Work<'_>, row: &Conversation) -> Result<()> {
    work.db.execute(
        "INSERT INTO device_checks (conversation, not_before_ms) VALUES (?1, ?2)
         ON CONFLICT (conversation) DO UPDATE SET not_before_ms = min(not_before_ms, excluded.not_before_ms)",
        params![row.id, turn_at(work, row)?],
    )?;
    work.wake();
    Ok(())
}

/// How many of this account's devices in the conversation go before this one there.
fn rank(work: &Work<'_>, row: &Conversation) -> Result<usize> {
    let mut statement = work.db.prepare_cached(
        "SELECT m.device_id FROM members m JOIN devices d ON d.device_id = m.device_id AND d.state = 1 WHERE m.conversation = ?1 AND m.account_id = ?2",
    )?;
    let mut order = statement
        .query_map(params![row.id, work.me.account.as_bytes()], |found| {
            found.get::<_, Vec<u8>>(0)
        })?
        .map(|device| {
            let device = device?;
            let mut digest = Sha256::new();
            digest.update(row.group.as_bytes());
            digest.update(&device);
            Ok((digest.finalize().to_vec(), device))
        })
        .collect::<Result<Vec<_>>>()?;
    order.sort();
    Ok(order
        .iter()
        .position(|(_, device)| device[..] == work.me.device.as_bytes()[..])
        .unwrap_or(order.len()))
}

/// Looks at the conversations whose turn it is. Called now and then.
pub(crate) fn tick(work: &Work<'_>) -> Result<()> {
    let due = work.take_due("device_checks", AT_ONCE)?;
    if due.is_empty() {
        return Ok(());
    }
    let all = all(work.db)?;
    for id in due {
        if let Some(row) = conversation::get(work.db, id)? {
            look_at(work, &row, &all)?;
        }
    }
    work.wake();
    Ok(())
}

/// Whether this device can bring others in there, and take them out.
pub(crate) fn is_settled(work: &Work<'_>, row: &Conversation) -> Result<bool> {
    let settled = row.state == State::Active && row.link == 0 && !row.leaving && !row.request;
    Ok(settled && work.has_group(&row.group)?)
}

fn look_at(work: &Work<'_>, row: &Conversation, all: &[Device]) -> Result<()> {
    // What is not settled yet is looked at when it is.
    if !is_settled(work, row)? {
        return Ok(());
    }
    absent::is_here(work, row)?;
    let here: Vec<DeviceId> = work.group(&row.group, |group| {
        Ok(group
            .members()?
            .into_iter()
            .filter(|member| member.account == work.me.account)
            .map(|member| member.device)
            .collect())
    })?;
    for device in all.iter().filter(|device| device.id != work.me.device) {
        let is_here = here.contains(&device.id);
        if device.in_use && !is_here && !waits(work, row.id, intent::Kind::AddDevice, device)? {
            let Some(source) = &device.source else {
                continue;
            };
            let intent = intent::add(
                work,
                row.id,
                intent::Kind::AddDevice,
                device.id.as_bytes(),
                0,
                work.now_ms,
            )?;
            let source = Source {
                secret: source.secret.duplicate(),
                kp_key: source.kp_key.duplicate(),
            };
            take::push(
                work,
                take::Purpose::Intent,
                intent,
                &work.me.account,
                &[source],
            )?;
        }
        if !device.in_use {
            // Its pool is gone, and would be asked in vain for a long time.
            intent::end_waiting(work, row.id, intent::Kind::AddDevice, device.id.as_bytes())?;
        }
        if !device.in_use && is_here && !waits(work, row.id, intent::Kind::RemoveDevice, device)? {
            intent::add(
                work,
                row.id,
                intent::Kind::RemoveDevice,
                device.id.as_bytes(),
                0,
                work.now_ms,
            )?;
        }
    }
    Ok(())
}

fn waits(work: &Work<'_>, conversation: i64, kind: intent::Kind, device: &Device) -> Result<bool> {
    intent::is_wanted(work, conversation, kind, device.id.as_bytes())
}

/// This device came into a conversation by a sibling.
pub(crate) fn joined_by_sibling(work: &Work<'_>, id: i64, group: &Group) -> Result<()> {
    let row = conversation::load(work.db, id)?;
    if group.kind() == GroupKind::Notes {
        return linking::is_in(work);
    }
    if let Some(peer) = &row.peer {
        let name = group
            .members()?
            .into_iter()
            .find(|member| member.account == *peer)
            .map(|member| member.name)
            .unwrap_or_default();
        // What is known of them is the siblings' to say: this device has nothing to add.
        contact::enter(work, peer, &name, id, true)?;
        shared::apply_contact(work, peer)?;
    }
    Ok(())
}

/// The account leaves a conversation: its other devices are taken out of it first.
pub(crate) fn take_siblings_out(work: &Work<'_>, row: &Conversation) -> Result<()> {
    let siblings: Vec<DeviceId> = work.group(&row.group, |group| {
        Ok(group
            .members()?
            .into_iter()
            .filter(|member| member.account == work.me.account && member.device != work.me.device)
            .map(|member| member.device)
            .collect())
    })?;
    for device in siblings {
        intent::add(
            work,
            row.id,
            intent::Kind::RemoveDevice,
            device.as_bytes(),
            0,
            work.now_ms,
        )?;
    }
    Ok(())
}

/// Gives a device another name.
pub(crate) fn rename(work: &Work<'_>, id: &DeviceId, name: &str) -> Result<()> {
    if *id == work.me.device {
        enter_self(work, name, 0)?;
    }
    let device = get(work.db, id)?
        .filter(|device| device.in_use)
        .ok_or(Reason::DeviceUnknown)?;
    let device = Device {
        name: name.to_owned(),
        ..device
    };
    put(work, &device)?;
    shared::put_device(work, &device)
}

/// Removes a device from the account: out of every conversation, and nothing it knows leads anywhere any more. One that was removed while it
/// could still certify devices may be removed once more, with the phrase.
pub(crate) fn remove(work: &Work<'_>, id: &DeviceId, stale: bool) -> Result<()> {
    if *id == work.me.device {
        return Err(Reason::DeviceOwn.into());
    }
    let device = get(work.db, id)?
        .filter(|device| device.in_use || (device.stale && !stale))
        .ok_or(Reason::DeviceUnknown)?;
    let device = Device {
        in_use: false,
        stale,
        ..device
    };
    put(work, &device)?;
    shared::put_device(work, &device)?;
    // Who removes does it at once, everywhere; the others look after it.
    work.db
        .execute("UPDATE device_checks SET not_before_ms = ?1", [work.now_ms])?;
    replace_pool(work)
}

/// Whether a device that says that it was wiped is removed at once.
pub(crate) fn removes_wiped(db: &rusqlite::Connection) -> Result<bool> {
    Ok(db
        .prepare_cached("SELECT 1 FROM settings WHERE name = ?1 AND value <> 0")?
        .exists([REMOVE_WIPED])?)
}

/// From now on it is, or is not, whichever device of the account has it wiped.
pub(crate) fn set_removes_wiped(work: &Work<'_>, on: bool) -> Result<()> {
    work.db.execute(
        "INSERT INTO settings (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        params![REMOVE_WIPED, i64::from(on)],
    )?;
    shared_apply::put_settings(work)
}

/// A device said, signed, that it was wiped. If the owner wants it so, it is removed, and people in its chats see a line. Whoever holds it
/// may have said so with the keys of its sentinel: it could still certify devices then, as any that is removed without the phrase.
pub(crate) fn was_wiped(work: &Work<'_>, id: &DeviceId) -> Result<()> {
    if removes_wiped(work.db)? && is_in_use(work, id)? {
        remove(work, id, true)?;
    }
    Ok(())
}

/// A sibling says what it knows of a device.
pub(crate) fn told(work: &Work<'_>, device: &Device) -> Result<()> {
    if device.id == work.me.device {
        // Of itself a device takes only its name from others.
        if !device.name.is_empty() {
            work.db.execute(
                "UPDATE devices SET name = ?2 WHERE device_id = ?1",
                params![device.id.as_bytes(), device.name],
            )?;
            work.tell(Change::Devices);
        }
        return Ok(());
    }
    let was_in_use = is_in_use(work, &device.id)?;
    put(work, device)?;
    if was_in_use && !device.in_use {
        replace_pool(work)?;
    }
    Ok(())
}

/// Another device of this account took this one out of the account's own group: it has no account any more.
pub(crate) fn was_removed(work: &Work<'_>) -> Result<()> {
    account::set_removed(work.db)?;
    work.db.execute("DELETE FROM device_checks", [])?;
    work.tell(Change::Removed);
    work.wake();
    Ok(())
}
