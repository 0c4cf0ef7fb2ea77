//! Links to groups, as their members know them: the device that made one tells the others that there is one, and any of its account's
//! devices, or an admin, can end it.
//!
//! What is told is a link's public id, its end, for how many it is and whether each needs a yes; never its secret or address. Only the device
//! that made a link has those, and it alone lets people in by it ([`super::invite`]): so a link that somebody else ends has ended once that
//! device hears of it, and that device tells everybody then.
//!
//! What must stay true: a link is the account's whose device told of it; who may not add members tells of none; nobody ends a link of another
//! account but an admin or owner; what has ended stays so; few are kept of each account.

use rusqlite::{OptionalExtension as _, params};
use undertone_mls::{AccountId, Act, Merged, Role};

use super::{
    Work, automatic,
    change::Change,
    conversation::{self, Conversation, Kind, State},
    ignored, invite, link,
    message::{Place, Sender},
    outbox,
    policy::{self, Way},
};
use crate::error::{Reason, Result};

/// Links of one account that are kept for a group.
pub(crate) const OF_ACCOUNT: i64 = 100;
/// Links that one message tells of.
const AT_ONCE: usize = 100;
/// People who may come by one link, at most.
const USES: u32 = 1000;
/// Groups that are told in one round.
const GROUPS: i64 = 16;
/// The last moment that has a date of four digits of the year, milliseconds since 1970.
const LAST_MS: u64 = 253_402_300_799_999;

/// What is told of links.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Links {
    #[prost(message, repeated, tag = "1")]
    pub(crate) made: Vec<Made>,
    #[prost(message, repeated, tag = "2")]
    pub(crate) ended: Vec<Ended>,
}

/// A link that the sender's device made and that is open.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Made {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) id: Vec<u8>,
    /// Unix milliseconds; 0: never.
    #[prost(uint64, tag = "2")]
    pub(crate) expires_at_ms: u64,
    #[prost(uint32, tag = "3")]
    pub(crate) uses_left: u32,
    #[prost(bool, tag = "4")]
    pub(crate) approve: bool,
}

/// A link that is open no more, or is to be so.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Ended {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) id: Vec<u8>,
    /// Whose it is.
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) account: Vec<u8>,
    /// As stored (invites.state); who ends the link of another account withdraws it.
    #[prost(uint32, tag = "3")]
    pub(crate) how: u32,
}

/// Tells the groups of this device's open links, where that is due. Called now and then.
pub(crate) fn tick(work: &Work<'_>) -> Result<()> {
    let due = {
        let mut statement = work.db.prepare_cached(
            "SELECT DISTINCT i.conversation FROM invites i JOIN addresses a ON a.id = i.address AND a.state = 1
                JOIN conversations c ON c.id = i.conversation AND c.state = 2 AND c.leaving = 0
             WHERE i.state = 1 AND i.tell_at_ms BETWEEN 1 AND ?1 LIMIT ?2",
        )?;
        statement
            .query_map([work.now_ms, GROUPS], |row| row.get::<_, i64>(0))?
            .collect::<std::result::Result<Vec<_>, _>>()?
    };
    for id in due {
        let row = conversation::load(work.db, id)?;
        // The others would refuse it; it is told when that changes.
        let may = policy::may(work, &row, &work.me.account, Act::Add)?;
        let made = take_due(work, id, may)?;
        for some in made.chunks(AT_ONCE).filter(|_| may) {
            let links = Links {
                made: some.to_vec(),
                ended: Vec::new(),
            };
            let content = automatic::links(work, &row, &links)?;
            outbox::push(work, id, 0, &content, false, work.now_ms)?;
        }
    }
    Ok(())
}

/// The links to a group that are to be told of, which they are then.
fn take_due(work: &Work<'_>, conversation: i64, told: bool) -> Result<Vec<Made>> {
    let mut statement = work.db.prepare_cached(
        "UPDATE invites SET tell_at_ms = 0, told = max(told, ?3)
         WHERE conversation = ?1 AND state = 1 AND tell_at_ms BETWEEN 1 AND ?2 AND address IN (SELECT id FROM addresses WHERE state = 1)
         RETURNING invite_id, expires_at_ms, uses_left, approve",
    )?;
    let made = statement
        .query_map(params![conversation, work.now_ms, told], |row| {
            let expires: i64 = row.get(1)?;
            Ok(Made {
                id: row.get(0)?,
                expires_at_ms: expires.unsigned_abs().min(LAST_MS),
                uses_left: row.get(2)?,
                approve: row.get(3)?,
            })
        })?
        .collect::<std::result::Result<Vec<_>, _>>()?;
    Ok(made)
}

/// When a group is told next.
pub(crate) fn next_due(work: &Work<'_>) -> Result<Option<i64>> {
    Ok(work
        .db
        .prepare_cached("SELECT min(tell_at_ms) FROM invites WHERE state = 1 AND tell_at_ms > ?1")?
        .query_row([work.now_ms], |row| row.get(0))?)
}

/// Somebody came, or may do other things than before: who could not hear of this device's links, or would not, hears of them soon.
pub(crate) fn members_changed(work: &Work<'_>, row: &Conversation, merged: &Merged) -> Result<()> {
    let rules = merged.settings.as_ref().is_some_and(|change| {
        change.before.roles != change.after.roles
            || change.before.policy.lowest(Act::Add) != change.after.policy.lowest(Act::Add)
    });
    if rules || !merged.added.is_empty() {
        tell_again(work, row.id)?;
    }
    Ok(())
}

/// Tells a group again of the links that are open, after a short random wait: all who come meanwhile hear of them at once.
pub(crate) fn tell_again(work: &Work<'_>, conversation: i64) -> Result<()> {
    let due = work
        .db
        .prepare_cached(
            "UPDATE invites SET tell_at_ms = ?2 WHERE conversation = ?1 AND state = 1 AND tell_at_ms = 0",
        )?
        .execute(params![conversation, work.automatic_at()])?;
    if due > 0 {
        work.wake();
    }
    Ok(())
}

/// Whether a link that this device made waits for the group to hear of it for the first time.
pub(crate) fn unsettled(work: &Work<'_>) -> Result<bool> {
    Ok(work
        .db
        .prepare_cached(
            "SELECT 1 FROM invites i JOIN addresses a ON a.id = i.address AND a.state = 1
                JOIN conversations c ON c.id = i.conversation AND c.state = 2 AND c.leaving = 0
             WHERE i.state = 1 AND i.told = 0 AND i.tell_at_ms > 0",
        )?
        .exists([])?)
}

/// A link of this device has ended: the group hears of it, at a moment that does not show which device gave up an address.
pub(crate) fn own_ended(work: &Work<'_>, conversation: i64, id: [u8; 8], how: i64) -> Result<()> {
    work.tell(Change::Chat(conversation));
    let Some(row) = conversation::get(work.db, conversation)?.filter(is_open) else {
        return Ok(());
    };
    tell_end(work, &row, &work.me.account, id, how, work.automatic_at())
}

fn is_open(row: &Conversation) -> bool {
    !matches!(row.state, State::Left | State::Removed) && !row.leaving
}

fn tell_end(
    work: &Work<'_>,
    row: &Conversation,
    account: &AccountId,
    id: [u8; 8],
    how: i64,
    at_ms: i64,
) -> Result<()> {
    let ended = Ended {
        id: id.to_vec(),
        account: account.as_bytes().to_vec(),
        how: u32::try_from(how).unwrap_or(0),
    };
    let links = Links {
        made: Vec::new(),
        ended: vec![ended],
    };
    let content = automatic::links(work, row, &links)?;
    outbox::push(work, row.id, 0, &content, false, at_ms)
}

/// Withdraws links that other devices made and that go by this id. Says whether there is one.
pub(crate) fn withdraw(work: &Work<'_>, id: [u8; 8]) -> Result<bool> {
    let found = {
        let mut statement = work.db.prepare_cached(
            "SELECT conversation, account_id, state FROM invites_told WHERE invite_id = ?1",
        )?;
        statement
            .query_map([id], |row| {
                Ok((
                    row.get::<_, i64>(0)?,
                    row.get::<_, [u8; 32]>(1)?,
                    row.get::<_, i64>(2)?,
                ))
            })?
            .collect::<std::result::Result<Vec<_>, _>>()?
    };
    for (conversation, account, state) in &found {
        let (row, account) = (
            conversation::load(work.db, *conversation)?,
            AccountId::new(*account),
        );
        if !is_open(&row) {
            return Err(Reason::ChatClosed.into());
        }
        let me = &work.me.account;
        let may = account == *me
            || work.group(&row.group, |group| Ok(is_admin(group.settings().role(me))))?;
        if !may {
            return Err(Reason::GroupForbidden.into());
        }
        if *state == link::OPEN {
            note_end(work, row.id, &account, id, link::REVOKED)?;
            tell_end(work, &row, &account, id, link::REVOKED, work.now_ms)?;
        }
    }
    Ok(!found.is_empty())
}

fn is_admin(role: Role) -> bool {
    role >= Role::Admin
}

fn note_end(
    work: &Work<'_>,
    conversation: i64,
    account: &AccountId,
    id: [u8; 8],
    how: i64,
) -> Result<()> {
    let ended = work
        .db
        .prepare_cached(
            "UPDATE invites_told SET state = ?4 WHERE conversation = ?1 AND account_id = ?2 AND invite_id = ?3 AND state = 1",
        )?
        .execute(params![conversation, account.as_bytes(), id, how])?;
    if ended > 0 {
        work.tell(Change::Chat(conversation));
    }
    Ok(())
}

/// A member's device tells of links.
pub(crate) fn came(
    work: &Work<'_>,
    row: &Conversation,
    sender: &Sender,
    links: &Links,
    place: Place,
    way: Way,
) -> Result<()> {
    if row.kind != Kind::Group || sender.device == work.me.device {
        return Ok(());
    }
    // However much of it is refused, one line says so.
    let mut refused = None;
    if !links.made.is_empty() {
        let lets = |rules: &undertone_mls::Settings| rules.may(&sender.account, Act::Add);
        if policy::might(work, row, place, way, lets)? {
            for made in links.made.iter().take(AT_ONCE) {
                refused = made_came(work, row, sender, made)?.or(refused);
            }
        } else {
            refused = Some("group.role");
        }
    }
    if !links.ended.is_empty() {
        let lets = |rules: &undertone_mls::Settings| is_admin(rules.role(&sender.account));
        let of_others = policy::might(work, row, place, way, lets)?;
        for ended in links.ended.iter().take(AT_ONCE) {
            refused = ended_came(work, row, sender, ended, of_others)?.or(refused);
        }
    }
    if let Some(code) = refused {
        ignored::note(code);
    }
    Ok(())
}

/// Why something was refused.
type Refused = Option<&'static str>;

/// Keeps a link, or what is new of one.
fn made_came(work: &Work<'_>, row: &Conversation, sender: &Sender, made: &Made) -> Result<Refused> {
    let (Ok(id), Ok(expires)) = (
        <[u8; 8]>::try_from(&made.id[..]),
        i64::try_from(made.expires_at_ms),
    ) else {
        return Ok(Some("link.malformed"));
    };
    if made.expires_at_ms > LAST_MS || !(1..=USES).contains(&made.uses_left) {
        return Ok(Some("link.malformed"));
    }
    let known: Option<(Vec<u8>, i64)> = work
        .db
        .prepare_cached(
            "SELECT device_id, state FROM invites_told WHERE conversation = ?1 AND account_id = ?2 AND invite_id = ?3",
        )?
        .query_row(params![row.id, sender.account.as_bytes(), id], |found| {
            Ok((found.get(0)?, found.get(1)?))
        })
        .optional()?;
    match known {
        // What has ended stays so, and a link is the device's that first told of it.
        Some((device, state)) if state != link::OPEN || device != sender.device.as_bytes() => {
            return Ok(None);
        }
        Some(_) => {}
        None if !has_room(work, row, &sender.account)? => {
            return Ok(Some("link.too_many"));
        }
        None => {}
    }
    work.db
        .prepare_cached(
            "INSERT INTO invites_told (conversation, account_id, invite_id, device_id, expires_at_ms, uses_left, approve, state, heard_at_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
             ON CONFLICT (conversation, account_id, invite_id) DO UPDATE SET expires_at_ms = excluded.expires_at_ms,
                uses_left = excluded.uses_left, approve = excluded.approve",
        )?
        .execute(params![
            row.id,
            sender.account.as_bytes(),
            id,
            sender.device.as_bytes(),
            expires,
            made.uses_left,
            made.approve,
            link::OPEN,
            work.now_ms
        ])?;
    work.tell(Change::Chat(row.id));
    Ok(None)
}

/// Whether another link of this account can be kept: the one that has ended first, if any has, makes room.
fn has_room(work: &Work<'_>, row: &Conversation, account: &AccountId) -> Result<bool> {
    let kept: i64 = work
        .db
        .prepare_cached(
            "SELECT count(*) FROM invites_told WHERE conversation = ?1 AND account_id = ?2",
        )?
        .query_row(params![row.id, account.as_bytes()], |found| found.get(0))?;
    if kept < OF_ACCOUNT {
        return Ok(true);
    }
    let gone = work.db.execute(
        "DELETE FROM invites_told WHERE conversation = ?1 AND account_id = ?2 AND invite_id = (
            SELECT invite_id FROM invites_told
            WHERE conversation = ?1 AND account_id = ?2 AND (state <> 1 OR expires_at_ms BETWEEN 1 AND ?3) ORDER BY heard_at_ms LIMIT 1)",
        params![row.id, account.as_bytes(), work.now_ms],
    )?;
    Ok(gone > 0)
}

/// A link has ended, or somebody who may ends it: if it is this device's, it does so now.
fn ended_came(
    work: &Work<'_>,
    row: &Conversation,
    sender: &Sender,
    ended: &Ended,
    of_others: bool,
) -> Result<Refused> {
    let (Ok(id), Ok(account)) = (
        <[u8; 8]>::try_from(&ended.id[..]),
        AccountId::from_slice(&ended.account),
    ) else {
        return Ok(Some("link.malformed"));
    };
    let own = account == sender.account;
    if !own && !of_others {
        return Ok(Some("group.role"));
    }
    if account == work.me.account {
        invite::ended_by_other(work, row.id, id)?;
    }
    let how = match i64::from(ended.how) {
        how @ (link::USED | link::EXPIRED) if own => how,
        _ => link::REVOKED,
    };
    note_end(work, row.id, &account, id, how)?;
    Ok(None)
}

/// The members of a group are others now: a link goes with the device that made it.
pub(crate) fn makers_went(work: &Work<'_>, conversation: i64) -> Result<()> {
    work.db
        .prepare_cached(
            "UPDATE invites_told SET state = ?2 WHERE conversation = ?1 AND state = 1 AND NOT EXISTS (
                SELECT 1 FROM members m WHERE m.conversation = ?1 AND m.account_id = invites_told.account_id AND m.device_id = invites_told.device_id)",
        )?
        .execute(params![conversation, link::REVOKED])?;
    Ok(())
}

/// This device is not in the group any more, and hears no more of its links.
pub(crate) fn forget(work: &Work<'_>, conversation: i64) -> Result<()> {
    work.db.execute(
        "DELETE FROM invites_told WHERE conversation = ?1",
        [conversation],
    )?;
    Ok(())
}
