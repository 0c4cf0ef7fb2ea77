//! Coming back: a device that can't process an epoch asks to be removed and added again.
//!
//! The request goes outside MLS state, to every member's address, sealed to each and signed by the device. One member helps: the
//! first in hash order, the others only if it did not. Requests are made and answered at most once an hour.

use prost::Message as _;
use rand::seq::SliceRandom as _;
use rusqlite::{OptionalExtension as _, params};
use undertone_mls::{KpKey, ResyncAddress, resync};
use undertone_wire::{
    client_proto::{DirectMessage, SealedRequest, direct_message},
    secrets::AddressSecret,
};

use super::{
    Work,
    address::{self, Kind},
    commit,
    conversation::{self, Conversation, State},
    intent, outbox, pool, send,
};
use crate::error::Result;

/// Members who are asked, at most.
const ASKED: usize = 32;

/// This device can't go on in this conversation without help.
pub(crate) fn need(work: &Work<'_>, row: &Conversation) -> Result<()> {
    if matches!(row.state, State::Left | State::Removed | State::Resyncing) {
        return Ok(());
    }
    work.db.execute(
        "INSERT OR IGNORE INTO resyncs (conversation, since_ms, asked_at_ms, asked_times, landing) VALUES (?1, ?2, 0, 0, 0)",
        params![row.id, work.now_ms],
    )?;
    work.db
        .execute("DELETE FROM behind WHERE conversation = ?1", [row.id])?;
    conversation::set_state(work, row.id, State::Resyncing)
}

/// The server says that the channel is at `epoch`. If the commits up to there do not come, this device was left out.
pub(crate) fn behind(work: &Work<'_>, row: &Conversation, epoch: u64) -> Result<()> {
    work.db.execute(
        "INSERT INTO behind (conversation, epoch, since_ms) VALUES (?1, ?2, ?3)
         ON CONFLICT (conversation) DO UPDATE SET epoch = max(epoch, excluded.epoch)",
        params![row.id, epoch, work.now_ms],
    )?;
    work.wake();
    Ok(())
}

fn millis(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// Asks where it is due. Called now and then.
pub(crate) fn tick(work: &Work<'_>) -> Result<()> {
    work.db.execute(
        "DELETE FROM behind WHERE EXISTS (SELECT 1 FROM conversations c WHERE c.id = behind.conversation AND c.epoch >= behind.epoch)",
        [],
    )?;
    let left_out = ids(
        work,
        "SELECT conversation FROM behind WHERE since_ms <= ?1",
        work.now_ms - millis(work.pace.left_out),
    )?;
    for id in left_out {
        need(work, &conversation::load(work.db, id)?)?;
    }
    let due = ids(
        work,
        "SELECT conversation FROM resyncs WHERE asked_at_ms <= ?1",
        work.now_ms - millis(work.pace.resync_again),
    )?;
    for id in due {
        ask(work, &conversation::load(work.db, id)?)?;
    }
    Ok(())
}

/// When something here is due next.
pub(crate) fn next_due(work: &Work<'_>) -> Result<Option<i64>> {
    let behind: Option<i64> = work.db.query_row(
        "SELECT min(since_ms) + ?1 FROM behind",
        [millis(work.pace.left_out)],
        |row| row.get(0),
    )?;
    let asked: Option<i64> = work.db.query_row(
        "SELECT min(asked_at_ms) + ?1 FROM resyncs WHERE asked_at_ms > 0",
        [millis(work.pace.resync_again)],
        |row| row.get(0),
    )?;
    Ok(behind.into_iter().chain(asked).min())
}

fn ids(work: &Work<'_>, sql: &str, value: i64) -> Result<Vec<i64>> {
    let mut statement = work.db.prepare_cached(sql)?;
    let rows = statement
        .query_map([value], |row| row.get(0))?
        .collect::<std::result::Result<Vec<_>, _>>()?;
    Ok(rows)
}

fn ask(work: &Work<'_>, row: &Conversation) -> Result<()> {
    if row.state != State::Resyncing {
        work.db
            .execute("DELETE FROM resyncs WHERE conversation = ?1", [row.id])?;
        return Ok(());
    }
    // The Welcome's address must be on the server before anybody can use it.
    let landing: i64 = work.db.query_row(
        "SELECT landing FROM resyncs WHERE conversation = ?1",
        [row.id],
        |row| row.get(0),
    )?;
    if landing == 0 {
        let landing = address::create(work, Kind::KeyPackage, 0)?;
        work.db.execute(
            "UPDATE resyncs SET landing = ?2 WHERE conversation = ?1",
            params![row.id, landing.id],
        )?;
        return Ok(());
    }
    if !address::is_made(work, landing)? {
        return Ok(());
    }
    let Some(landing) = address::get(work, landing)? else {
        return Ok(());
    };
    let kp_key = (row.kind == conversation::Kind::Direct).then(KpKey::random);
    let profile = pool::profile(work, landing.secret, kp_key.as_ref());
    let request = resync::ask(
        &work.mls,
        &work.me.keys,
        &profile,
        &row.group,
        row.epoch,
        work.now_s(),
    )?;
    let mut members = members(work, row.id)?;
    members.shuffle(&mut rand::rng());
    for (secret, key) in members.iter().take(ASKED) {
        let sealed = resync::seal(&work.mls, &request, key)?;
        let body = DirectMessage {
            body: Some(direct_message::Body::Request(sealed)),
        }
        .encode_to_vec();
        send::push(
            work,
            row.id,
            &body,
            std::slice::from_ref(secret),
            work.now_ms,
        )?;
    }
    work.db.execute(
        "UPDATE resyncs SET asked_at_ms = ?2, asked_times = asked_times + 1 WHERE conversation = ?1",
        params![row.id, work.now_ms],
    )?;
    Ok(())
}

fn members(work: &Work<'_>, conversation: i64) -> Result<Vec<(AddressSecret, ResyncAddress)>> {
    let mut statement = work.db.prepare_cached(
        "SELECT address, resync_key FROM members WHERE conversation = ?1 AND device_id <> ?2",
    )?;
    let rows = statement
        .query_map(params![conversation, work.me.device.as_bytes()], |row| {
            Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, Vec<u8>>(1)?))
        })?
        .collect::<std::result::Result<Vec<_>, _>>()?;
    rows.iter()
        .map(|(address, key)| {
            Ok((
                AddressSecret::from_slice(address)?,
                ResyncAddress::decode(key)?,
            ))
        })
        .collect()
}

/// A member asks to be let in again. Wrong, stale and repeated requests do nothing.
pub(crate) fn requested(work: &Work<'_>, sealed: &SealedRequest) -> Result<()> {
    let Ok(request) = resync::open(&work.mls, &work.me.keys, sealed) else {
        return Ok(());
    };
    let Ok(group) = resync::group_of(&request) else {
        return Ok(());
    };
    let Some(row) = conversation::by_group(work.db, group.as_bytes())? else {
        return Ok(());
    };
    if row.state != State::Active || !work.has_group(&row.group)? {
        return Ok(());
    }
    let rank = work.group(&row.group, |group| {
        match group.verify_resync(&work.mls, &request, work.now_s()) {
            Ok(verified) => Ok(Some(group.helper_rank(&verified)?)),
            Err(
                undertone_mls::Error::Malformed(_)
                | undertone_mls::Error::Refused(_)
                | undertone_mls::Error::Sealed,
            ) => Ok(None),
            Err(error) => Err(error.into()),
        }
    })?;
    if let Some(rank) = rank {
        let at = work.now_ms + i64::try_from(rank).unwrap_or(0) * millis(work.pace.helper);
        intent::add(work, row.id, intent::Kind::Readd, &request, 0, at)?;
    }
    Ok(())
}

/// Whether a Welcome to this address answers a request of this device.
pub(crate) fn awaits(work: &Work<'_>, landing: i64) -> Result<bool> {
    Ok(work
        .db
        .query_row(
            "SELECT 1 FROM resyncs WHERE landing = ?1",
            [landing],
            |_| Ok(()),
        )
        .optional()?
        .is_some())
}

/// This device is back: the rows follow the new state.
pub(crate) fn came_back(work: &Work<'_>, row: &Conversation) -> Result<()> {
    work.db
        .execute("DELETE FROM resyncs WHERE conversation = ?1", [row.id])?;
    work.db
        .execute("DELETE FROM behind WHERE conversation = ?1", [row.id])?;
    commit::void_for_rejoin(work, row.id)?;
    outbox::send_all_again(work, row.id)?;
    if row.address != 0 {
        pool::remove(work, row.address)?;
        address::revoke(work, row.address)?;
    }
    Ok(())
}
