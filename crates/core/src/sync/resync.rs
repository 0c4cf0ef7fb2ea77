//! Coming back: a device that can't process an epoch asks to be removed and added again.
//!
//! The request goes outside MLS state, to every member's address, sealed to each and signed by the device. One member helps: the
//! first in hash order, the others only if it did not. Requests are repeated after two minutes, eight, and half an
//! hour, then once an hour.

use prost::Message as _;
use rand::seq::SliceRandom as _;
use rusqlite::{OptionalExtension as _, params};
use undertone_mls::{Group, GroupId, KpKey, ResyncAddress, resync};
use undertone_wire::{
    client_proto::{DirectMessage, SealedRequest, direct_message},
    secrets::AddressSecret,
};

use super::{
    Work, absent,
    address::{self, Kind},
    channel,
    conversation::{self, Conversation, State},
    devices, ignored, intent, invite_told, notes, outbox, pool, profile, proof, send, spare,
};
use crate::{error::Result, view::Notice};

/// Members who are asked, at most.
const ASKED: usize = 32;

/// This device can't go on in this conversation without help.
pub(crate) fn need(work: &Work<'_>, row: &Conversation) -> Result<()> {
    if proof::is_under_way(work, row.id)? {
        // The state that is tried does not do; nobody is to blame for sure.
        return proof::drop_answer(work, row.id);
    }
    work.db
        .execute("DELETE FROM behind WHERE conversation = ?1", [row.id])?;
    if matches!(row.state, State::Left | State::Removed | State::Resyncing) {
        return Ok(());
    }
    work.db.execute(
        "INSERT OR IGNORE INTO resyncs (conversation, since_ms, asked_at_ms, asked_times, landing) VALUES (?1, ?2, 0, 0, 0)",
        params![row.id, work.now_ms],
    )?;
    conversation::set_state(work, row.id, State::Resyncing)
}

/// What this device knew of a group it is a member of is gone, or can't be read.
pub(crate) fn state_lost(work: &Work<'_>, group: &GroupId) -> Result<()> {
    let Some(row) = conversation::by_group(work.db, group.as_bytes())? else {
        return Ok(());
    };
    if row.state != State::Active || !is_known_member(work, row.id)? || work.has_group(group)? {
        return Ok(());
    }
    tracing::warn!("the state of a group is lost");
    work.drop_group(group);
    Group::forget(&work.mls, group)?;
    work.wake();
    if row.kind == conversation::Kind::Notes && conversation::devices(work.db, row.id)?.len() == 1 {
        // Nobody else could let it in: they go on in a new group.
        return notes::renew(work, &row);
    }
    need(work, &row)
}

/// Whether this device was a member when it last looked.
fn is_known_member(work: &Work<'_>, conversation: i64) -> Result<bool> {
    Ok(conversation::devices(work.db, conversation)?.contains(&work.me.device))
}

/// What this device could not take in is a change whose body the server has lost. Its maker has the body, so somebody can help; only when
/// nobody has for long is the change passed over.
pub(crate) fn need_after_loss(work: &Work<'_>, row: &Conversation) -> Result<()> {
    need(work, row)?;
    work.db.execute(
        "UPDATE resyncs SET body_lost = 1 WHERE conversation = ?1",
        [row.id],
    )?;
    Ok(())
}

/// The server says that the channel is at `epoch`. If the commits up to there do not come, this device was left out; who is no member any more
/// was meant to be.
pub(crate) fn behind(work: &Work<'_>, row: &Conversation, epoch: u64) -> Result<()> {
    if matches!(row.state, State::Left | State::Removed) {
        return Ok(());
    }
    work.db.execute(
        "INSERT INTO behind (conversation, epoch, since_ms) VALUES (?1, ?2, ?3)
         ON CONFLICT (conversation) DO UPDATE SET epoch = max(epoch, excluded.epoch)",
        params![
            row.id,
            i64::try_from(epoch).unwrap_or(i64::MAX),
            work.now_ms
        ],
    )?;
    work.wake();
    Ok(())
}

/// The commit that took the channel on to the next epoch was nothing, to this device and to all others: that the server spoke of that epoch
/// does not mean that this device was left out.
pub(crate) fn not_behind(work: &Work<'_>, row: &Conversation) -> Result<()> {
    work.db.execute(
        "DELETE FROM behind WHERE conversation = ?1 AND epoch <= ?2",
        params![
            row.id,
            i64::try_from(row.epoch.saturating_add(1)).unwrap_or(i64::MAX)
        ],
    )?;
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
        if proof::is_under_way(work, id)? {
            // The channel is elsewhere, and what leads there does not come.
            proof::refuse(work, id)?;
        } else if let Some(row) = conversation::get(work.db, id)? {
            need(work, &row)?;
        }
    }
    proof::tick(work)?;
    spare::tick(work)?;
    go_on_without(work)?;
    let mut due = ids(
        work,
        "SELECT conversation FROM resyncs WHERE asked_at_ms <= ?1 AND conversation NOT IN (SELECT conversation FROM proofs WHERE way = 1)",
        work.now_ms - millis(work.pace.resync_again),
    )?;
    // A request or its answer may have been lost: it is made again when every helper has had its turn.
    for (asked_times, wait) in (1..).zip(sooner(work)) {
        let condition = format!(
            "SELECT conversation FROM resyncs WHERE asked_times = {asked_times} AND asked_at_ms > 0 AND asked_at_ms <= ?1
                AND conversation NOT IN (SELECT conversation FROM proofs)"
        );
        due.extend(ids(work, &condition, work.now_ms - wait)?);
    }
    due.sort_unstable();
    due.dedup();
    for id in due {
        if let Some(row) = conversation::get(work.db, id)? {
            ask(work, &row)?;
        }
    }
    Ok(())
}

/// When something here is due next.
pub(crate) fn next_due(work: &Work<'_>) -> Result<Option<i64>> {
    let behind: Option<i64> = work.one(
        "SELECT min(since_ms) + ?1 FROM behind WHERE since_ms + ?1 > ?2",
        [millis(work.pace.left_out), work.now_ms],
        |row| row.get(0),
    )?;
    let asked: Option<i64> = work.one(
        "SELECT min(asked_at_ms) + ?1 FROM resyncs WHERE asked_at_ms > 0 AND asked_at_ms + ?1 > ?2",
        [millis(work.pace.resync_again), work.now_ms],
        |row| row.get(0),
    )?;
    let [first, second, third] = sooner(work);
    let once_more: Option<i64> = work.one(
        "SELECT min(at) FROM (SELECT asked_at_ms + CASE asked_times WHEN 1 THEN ?1 WHEN 2 THEN ?2 ELSE ?3 END AS at
            FROM resyncs WHERE asked_times BETWEEN 1 AND 3) WHERE at > ?4",
        params![first, second, third, work.now_ms],
        |row| row.get(0),
    )?;
    let alone: Option<i64> = work.one(
        "SELECT min(r.asked_at_ms) + ?1 FROM resyncs r JOIN stuck s ON s.conversation = r.conversation WHERE r.asked_at_ms + ?1 > ?2",
        params![alone_after(work), work.now_ms],
        |row| row.get(0),
    )?;
    let proof = proof::next_due(work)?;
    Ok(behind
        .into_iter()
        .chain(asked)
        .chain(once_more)
        .chain(alone)
        .chain(proof)
        .min())
}

/// How long after the first three requests the next one is made, if that is sooner than the rule: some helpers' turns, and more.
fn sooner(work: &Work<'_>) -> [i64; 3] {
    [12, 48, 192].map(|turns| {
        millis(work.pace.helper)
            .saturating_mul(turns)
            .min(millis(work.pace.resync_again))
    })
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
        return forget(work, row.id);
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
    let mut profile = pool::profile(work, landing.secret, kp_key.as_ref());
    if !work.has_group(&row.group)? && !is_known_member(work, row.id)? {
        // This device never was a member: it was made with the recovery phrase after the account lost its others.
        profile.replaces = Some(row.group);
    }
    let request = resync::ask(
        &work.mls,
        &work.keys(),
        &profile,
        &row.group,
        row.epoch,
        work.now_s(),
    )?;
    if asked_before(work, row.id)? {
        // Since this device stopped the members' addresses may have got other names, which it can't know: the account's other devices know
        // where the group is.
        absent::ask(work, row, &request)?;
    }
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

fn asked_before(work: &Work<'_>, conversation: i64) -> Result<bool> {
    Ok(work
        .db
        .prepare_cached("SELECT 1 FROM resyncs WHERE conversation = ?1 AND asked_times > 0")?
        .exists([conversation])?)
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
    match resync::open(&work.mls, &work.keys(), sealed) {
        Ok(request) => help(work, &request),
        Err(_) => Ok(()),
    }
}

/// Notes that a device is to be let in again, if its request is right.
pub(super) fn help(work: &Work<'_>, request: &[u8]) -> Result<()> {
    let Ok(group) = resync::group_of(request) else {
        return Ok(());
    };
    let Some(row) = conversation::by_group(work.db, group.as_bytes())? else {
        return Ok(());
    };
    if row.state == State::Resyncing && work.has_group(&row.group)? {
        if proof::is_under_way(work, row.id)? {
            return Ok(());
        }
        return stuck_too(work, &row, request);
    }
    if row.state != State::Active || !work.has_group(&row.group)? {
        return Ok(());
    }
    let rank = work.group(&row.group, |group| {
        match group.verify_resync(&work.mls, request, work.now_s()) {
            Ok(verified) => Ok(Some(group.helper_rank(&verified)?)),
            Err(
                error @ (undertone_mls::Error::Malformed(_)
                | undertone_mls::Error::Refused(_)
                | undertone_mls::Error::Sealed),
            ) => {
                ignored::note(error.code());
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    })?;
    if let Some(rank) = rank {
        let at = work.now_ms + i64::try_from(rank).unwrap_or(0) * millis(work.pace.helper);
        // Also where another was quicker: then the device may be waiting for a second member's word (proof.rs).
        intent::add(work, row.id, intent::Kind::Readd, request, 0, at)?;
    }
    Ok(())
}

/// Another device asks to be let in again while this one does. It can't be helped from here; but if it stopped at the same epoch, the
/// commit that this device could not take in was nothing to it either.
fn stuck_too(work: &Work<'_>, row: &Conversation, request: &[u8]) -> Result<()> {
    let stopped = work.group(&row.group, |group| {
        match group.recheck_resync(&work.mls, request, work.now_s()) {
            Ok(verified) => Ok(Some((verified.last_epoch, verified.device()))),
            Err(
                undertone_mls::Error::Malformed(_)
                | undertone_mls::Error::Refused(_)
                | undertone_mls::Error::Sealed,
            ) => Ok(None),
            Err(error) => Err(error.into()),
        }
    })?;
    if let Some((epoch, device)) = stopped
        && epoch == row.epoch
    {
        work.db.execute(
            "INSERT OR REPLACE INTO stuck (conversation, device, epoch, generation) VALUES (?1, ?2, ?3, ?4)",
            params![row.id, device.as_bytes(), row.epoch, row.generation],
        )?;
        work.wake();
    }
    Ok(())
}

/// How long help is waited for where others are stuck too.
fn alone_after(work: &Work<'_>) -> i64 {
    millis(work.pace.helper).saturating_mul(3)
}

/// Whether a commit that this device could not take in was nothing to anybody but its maker: all the others ask as well. Where not
/// everybody is asked, half of those who are must do.
fn nobody_could(others: usize, stuck: usize) -> bool {
    others >= 2 && stuck >= (others - 1).min(ASKED / 2)
}

/// Where nobody could take a commit in, nobody can help: it is passed over like one that all see to be wrong, and the conversation goes
/// on in its epoch on the fallback channel. Should somebody have taken it in after all, what they send shows that, and this device asks again.
fn go_on_without(work: &Work<'_>) -> Result<()> {
    let waiting = ids(
        work,
        "SELECT r.conversation FROM resyncs r JOIN conversations c ON c.id = r.conversation WHERE c.state = 3 AND r.asked_at_ms > 0 AND r.asked_at_ms <= ?1
            AND (r.body_lost = 0 OR r.asked_times > 4) AND EXISTS (SELECT 1 FROM stuck s WHERE s.conversation = r.conversation)
            AND NOT EXISTS (SELECT 1 FROM proofs p WHERE p.conversation = r.conversation)",
        work.now_ms - alone_after(work),
    )?;
    for id in waiting {
        let row = conversation::load(work.db, id)?;
        let (stuck, generation): (usize, Option<u32>) = work.db.query_row(
            "SELECT count(*), min(generation) FROM stuck WHERE conversation = ?1 AND epoch = ?2
                AND device IN (SELECT device_id FROM members WHERE conversation = ?1)",
            params![id, row.epoch],
            |found| Ok((found.get(0)?, found.get(1)?)),
        )?;
        let others = members(work, id)?.len();
        if !nobody_could(others, stuck) {
            continue;
        }
        work.db
            .execute("DELETE FROM stuck WHERE conversation = ?1", [id])?;
        conversation::set_state(work, id, State::Active)?;
        // Unless this device has moved since they asked.
        if generation == Some(row.generation) {
            channel::fall_back(work, &row)?;
        }
        conversation::notice(work, id, &Notice::ChangeIgnored {})?;
        catch_up(work, id)?;
    }
    Ok(())
}

/// This device can act here again. What it passed over while it could not is looked at now: devices of this account that were linked or removed
/// meanwhile, a profile that was changed, and who came and has not heard of this device's links.
pub(crate) fn catch_up(work: &Work<'_>, conversation: i64) -> Result<()> {
    devices::check(work, conversation)?;
    invite_told::tell_again(work, conversation)?;
    profile::look(work, conversation)
}

/// The conversation whose request a Welcome to this address answers.
pub(crate) fn awaits(work: &Work<'_>, landing: i64) -> Result<Option<i64>> {
    Ok(work
        .db
        .query_row(
            "SELECT conversation FROM resyncs WHERE landing = ?1",
            [landing],
            |row| row.get(0),
        )
        .optional()?)
}

/// This device is no member any more: nothing is asked for.
pub(crate) fn forget(work: &Work<'_>, conversation: i64) -> Result<()> {
    let group = conversation::load(work.db, conversation)?.group;
    resync::withdraw(&work.mls, &group)?;
    let landing: Option<i64> = work
        .db
        .query_row(
            "DELETE FROM resyncs WHERE conversation = ?1 RETURNING landing",
            [conversation],
            |row| row.get(0),
        )
        .optional()?;
    if let Some(landing) = landing.filter(|landing| *landing != 0) {
        address::revoke(work, landing)?;
    }
    for table in ["behind", "stuck"] {
        work.db.execute(
            &format!("DELETE FROM {table} WHERE conversation = ?1"),
            [conversation],
        )?;
    }
    proof::forget(work, conversation)
}

/// This device is back, and at another address than this one of before: the rows follow the new state.
pub(crate) fn came_back(work: &Work<'_>, conversation: i64, old_address: i64) -> Result<()> {
    for table in ["resyncs", "behind", "stuck"] {
        work.db.execute(
            &format!("DELETE FROM {table} WHERE conversation = ?1"),
            [conversation],
        )?;
    }
    let group = conversation::load(work.db, conversation)?.group;
    absent::came(work, group.as_bytes())?;
    outbox::send_all_again(work, conversation)?;
    if old_address != 0 {
        let new_address = conversation::load(work.db, conversation)?.address;
        pool::replace(work, old_address, new_address)?;
        address::revoke(work, old_address)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_is_passed_over_when_all_but_its_maker_are_stuck() {
        // Two people, or one alone: the other side may have taken it in.
        assert!(!nobody_could(0, 0) && !nobody_could(1, 0) && !nobody_could(1, 1));
        // Three: this device, one more who asks, and the maker.
        assert!(nobody_could(2, 1) && !nobody_could(2, 0));
        assert!(nobody_could(9, 8) && !nobody_could(9, 7));
        // In a large group not everybody is asked.
        assert!(nobody_could(500, ASKED / 2) && !nobody_could(500, ASKED / 2 - 1));
    }
}
