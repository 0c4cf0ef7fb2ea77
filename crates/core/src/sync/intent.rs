//! Intents: what somebody here, or the protocol itself, wants changed in a group.
//!
//! An intent outlives lost races: the commit that carries it may lose to another member's, then it is looked at again and staged anew
//! if the group still needs it.

use rusqlite::params;
use undertone_mls::{
    AccountId, Act, Change, DEVICES_OF_ACCOUNT, DeviceId, Group, Member, PeerKeyPackage, Policy,
    Role,
};

use super::{
    Work, absent,
    conversation::{Conversation, role_from_number, role_number},
    devices,
    plan::{Additions, BLOCK, Plan},
    proof, take,
};
use crate::error::{Reason, Result};

/// After a hundred attempts an intent is dropped: it is refused for a reason that does not go away.
const OVERTRIED: &str = "attempts > 100";
const IS_STAGED: &str = "state = 1";
const IS_WAITING: &str = "state IN (0, 2)";

/// As stored (intents.kind).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Add = 1,
    Remove = 2,
    SetRole = 3,
    Rename = 4,
    SelfUpdate = 5,
    AcceptLeaves = 6,
    Readd = 7,
    Leave = 8,
    SetTimer = 9,
    SetPolicy = 20,
    HandOver = 21,
    /// A device of this account, by its id.
    AddDevice = 30,
    /// A device of this account ([`absent::subject`]).
    RemoveDevice = 31,
}

fn kind_from_row(value: i64) -> Kind {
    match value {
        1 => Kind::Add,
        2 => Kind::Remove,
        3 => Kind::SetRole,
        4 => Kind::Rename,
        5 => Kind::SelfUpdate,
        6 => Kind::AcceptLeaves,
        7 => Kind::Readd,
        8 => Kind::Leave,
        20 => Kind::SetPolicy,
        21 => Kind::HandOver,
        30 => Kind::AddDevice,
        31 => Kind::RemoveDevice,
        _ => Kind::SetTimer,
    }
}

/// As stored (intents.state).
const WAITS: i64 = 0;
const STAGED: i64 = 1;
const NEEDS_KEY_PACKAGES: i64 = 2;

/// An intent row.
pub(crate) struct Intent {
    pub(crate) id: i64,
    pub(crate) kind: Kind,
    pub(crate) subject: Vec<u8>,
    pub(crate) value: i64,
}

/// Notes an intent.
pub(crate) fn add(
    work: &Work<'_>,
    conversation: i64,
    kind: Kind,
    subject: &[u8],
    value: i64,
    not_before_ms: i64,
) -> Result<i64> {
    let state = if matches!(kind, Kind::Add | Kind::AddDevice) {
        NEEDS_KEY_PACKAGES
    } else {
        WAITS
    };
    work.db.execute(
        "INSERT INTO intents (conversation, kind, subject, value, state, not_before_ms, attempts, created_at_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, ?7)",
        params![
            conversation,
            kind as i64,
            subject,
            value,
            state,
            not_before_ms,
            work.now_ms
        ],
    )?;
    work.wake();
    Ok(work.last_id())
}

/// Renews the own leaf in this very epoch, to see whether the channel still takes that. Once in an epoch.
pub(crate) fn doubt(work: &Work<'_>, conversation: i64, epoch: u64, at_ms: i64) -> Result<()> {
    let Some(value) = i64::try_from(epoch).ok().and_then(|e| e.checked_add(1)) else {
        return Ok(());
    };
    let waits = work
        .db
        .prepare_cached(
            "SELECT 1 FROM intents WHERE conversation = ?1 AND kind = ?2 AND value = ?3",
        )?
        .exists(params![conversation, Kind::SelfUpdate as i64, value])?;
    if !waits {
        add(work, conversation, Kind::SelfUpdate, &[], value, at_ms)?;
    }
    Ok(())
}

/// A self-update that shows this device's newest certificate: its value.
const CERTIFICATE: i64 = -1;

/// Has this device's leaf show its newest certificate.
pub(crate) fn show_certificate(work: &Work<'_>, conversation: i64) -> Result<()> {
    let waits = work
        .db
        .prepare_cached(
            "SELECT 1 FROM intents WHERE conversation = ?1 AND kind = ?2 AND value = ?3",
        )?
        .exists(params![conversation, Kind::SelfUpdate as i64, CERTIFICATE])?;
    if !waits {
        add(
            work,
            conversation,
            Kind::SelfUpdate,
            &[],
            CERTIFICATE,
            work.now_ms,
        )?;
    }
    Ok(())
}

/// The epoch of a self-update's doubt (its value less one); None: it fills the tree.
fn doubted(value: i64) -> Option<u64> {
    u64::try_from(value).ok()?.checked_sub(1)
}

/// Whether an intent of this kind waits already.
pub(crate) fn waits(work: &Work<'_>, conversation: i64, kind: Kind) -> Result<bool> {
    Ok(work
        .db
        .prepare_cached("SELECT 1 FROM intents WHERE conversation = ?1 AND kind = ?2")?
        .exists(params![conversation, kind as i64])?)
}

/// Whether exactly this is wanted already.
pub(crate) fn is_wanted(
    work: &Work<'_>,
    conversation: i64,
    kind: Kind,
    subject: &[u8],
) -> Result<bool> {
    Ok(work
        .db
        .prepare_cached(
            "SELECT 1 FROM intents WHERE conversation = ?1 AND kind = ?2 AND subject = ?3",
        )?
        .exists(params![conversation, kind as i64, subject])?)
}

/// Its key packages have come: it can be staged.
pub(crate) fn key_packages_came(work: &Work<'_>, intent: i64) -> Result<()> {
    work.db.execute(
        "UPDATE intents SET state = 0 WHERE id = ?1 AND state = 2",
        [intent],
    )?;
    work.wake();
    Ok(())
}

/// Others have to be taken first.
pub(crate) fn needs_key_packages(work: &Work<'_>, intent: i64) -> Result<()> {
    work.db.execute(
        "UPDATE intents SET state = ?2 WHERE id = ?1 AND state = ?3",
        params![intent, NEEDS_KEY_PACKAGES, WAITS],
    )?;
    work.wake();
    Ok(())
}

/// Those of the key packages for an intent that the group takes. None: others are taken first, or it is given up.
fn up_to_date(
    work: &Work<'_>,
    group: &Group,
    intent: &Intent,
    account: &AccountId,
    packages: Vec<PeerKeyPackage>,
) -> Result<Option<Vec<PeerKeyPackage>>> {
    let floor = group.generation_floor(account)?;
    let all = packages.len();
    let good: Vec<_> = packages
        .into_iter()
        .filter(|package| package.generation() >= floor)
        .collect();
    if good.len() == all {
        return Ok(Some(good));
    }
    match take::outdated(work, intent.id, !good.is_empty())? {
        take::Outdated::Again => Ok(None),
        take::Outdated::Left => Ok(Some(good)),
        take::Outdated::GivenUp => {
            give_up(work, intent.id, Reason::NoKeyPackage)?;
            Ok(None)
        }
    }
}

/// What waits of this kind for exactly this is not wanted any more.
pub(crate) fn end_waiting(
    work: &Work<'_>,
    conversation: i64,
    kind: Kind,
    subject: &[u8],
) -> Result<()> {
    for intent in rows(work, conversation, IS_WAITING, i64::MAX)? {
        if intent.kind == kind && intent.subject == subject {
            end(work, intent.id)?;
        }
    }
    Ok(())
}

/// It is fulfilled, or there is nothing to do for it any more.
pub(crate) fn end(work: &Work<'_>, intent: i64) -> Result<()> {
    take::forget(work, take::Purpose::Intent, intent)?;
    work.db
        .execute("DELETE FROM intents WHERE id = ?1", [intent])?;
    Ok(())
}

/// It can't be fulfilled: whoever waits for it hears why.
pub(crate) fn give_up(work: &Work<'_>, intent: i64, why: Reason) -> Result<()> {
    work.void_wish(intent, why);
    end(work, intent)
}

/// The staged commit lost or is void: its intents wait again.
pub(crate) fn unstage(work: &Work<'_>, conversation: i64) -> Result<()> {
    work.db.execute(
        "UPDATE intents SET state = 0, attempts = attempts + 1 WHERE conversation = ?1 AND state = 1",
        [conversation],
    )?;
    for intent in rows(work, conversation, OVERTRIED, i64::MAX)? {
        give_up(work, intent.id, Reason::GroupRefused)?;
    }
    work.wake();
    Ok(())
}

/// The staged commit is merged: its intents are fulfilled.
pub(crate) fn fulfilled(work: &Work<'_>, conversation: i64) -> Result<()> {
    for intent in rows(work, conversation, IS_STAGED, i64::MAX)? {
        end(work, intent.id)?;
    }
    Ok(())
}

/// The server will never take the staged commit.
pub(crate) fn refused(work: &Work<'_>, conversation: i64) -> Result<()> {
    for intent in rows(work, conversation, IS_STAGED, i64::MAX)? {
        give_up(work, intent.id, Reason::GroupRefused)?;
    }
    Ok(())
}

/// All intents of a conversation are void (left, removed).
pub(crate) fn drop_all(work: &Work<'_>, conversation: i64) -> Result<()> {
    for intent in rows(work, conversation, "1", i64::MAX)? {
        give_up(work, intent.id, Reason::ChatClosed)?;
    }
    Ok(())
}

/// `condition` is one of a few fixed texts: the statements are kept, and each new text would push another out.
fn rows(
    work: &Work<'_>,
    conversation: i64,
    condition: &str,
    due_at_ms: i64,
) -> Result<Vec<Intent>> {
    let mut statement = work.db.prepare_cached(&format!(
        "SELECT id, kind, subject, value FROM intents
         WHERE conversation = ?1 AND not_before_ms <= ?2 AND {condition} ORDER BY id"
    ))?;
    let rows = statement
        .query_map([conversation, due_at_ms], |row| {
            Ok(Intent {
                id: row.get(0)?,
                kind: kind_from_row(row.get(1)?),
                subject: row.get(2)?,
                value: row.get(3)?,
            })
        })?
        .collect::<std::result::Result<Vec<_>, _>>()?;
    Ok(rows)
}

/// Those that are due.
pub(crate) fn due(work: &Work<'_>, conversation: i64) -> Result<Vec<Intent>> {
    rows(work, conversation, &format!("state = {WAITS}"), work.now_ms)
}

/// Marks the ones that a commit carries.
pub(crate) fn mark_staged(work: &Work<'_>, intents: &[i64]) -> Result<()> {
    for intent in intents {
        work.db.execute(
            "UPDATE intents SET state = ?2 WHERE id = ?1",
            params![intent, STAGED],
        )?;
    }
    Ok(())
}

/// The next change that the group still needs. Intents that are fulfilled already, or can't be, are dropped on the way.
pub(crate) fn plan(work: &Work<'_>, row: &Conversation, group: &mut Group) -> Result<Option<Plan>> {
    if proof::is_under_way(work, row.id)? {
        return Ok(Some(Plan::proof()));
    }
    let members = group.members()?;
    let role_of = |account: &AccountId| {
        members
            .iter()
            .find(|member| member.account == *account)
            .map(|member| member.role)
    };
    let mut additions = Additions::default();
    for intent in due(work, row.id)? {
        if !matches!(intent.kind, Kind::Add | Kind::AddDevice) && !additions.adds.is_empty() {
            continue;
        }
        let one = |change| Ok(Some(Plan::of(intent.id, change)));
        match intent.kind {
            Kind::Add => {
                let account = AccountId::from_slice(&intent.subject)?;
                let packages = take::packages(work, take::Purpose::Intent, intent.id)?;
                if role_of(&account).is_some() {
                    end(work, intent.id)?;
                } else if packages.len() > DEVICES_OF_ACCOUNT {
                    // It would have what else is to be added refused with it.
                    give_up(work, intent.id, Reason::GroupRefused)?;
                } else if packages.is_empty() {
                    give_up(work, intent.id, Reason::NoKeyPackage)?;
                } else if additions.count + packages.len() <= BLOCK
                    && let Some(packages) = up_to_date(work, group, &intent, &account, packages)?
                {
                    additions.push(work, group, intent.id, packages)?;
                }
            }
            Kind::AddDevice => {
                let device = DeviceId::from_slice(&intent.subject)?;
                let here = members.iter().any(|member| member.device == device);
                let mut packages = take::packages(work, take::Purpose::Intent, intent.id)?;
                packages.retain(|package| package.device_id() == device);
                if here || packages.is_empty() || !devices::is_in_use(work, &device)? {
                    end(work, intent.id)?;
                } else if additions.count + packages.len() <= BLOCK
                    && let Some(packages) =
                        up_to_date(work, group, &intent, &work.me.account, packages)?
                {
                    additions.push(work, group, intent.id, packages)?;
                }
            }
            Kind::RemoveDevice => {
                let (device, address) = absent::subject(&intent.subject)?;
                let is_meant = |member: &&Member| match address {
                    Some(address) => member.address.hash().as_bytes()[..] == *address,
                    None => true,
                };
                let leaf = members
                    .iter()
                    .find(|member| member.device == device && member.account == work.me.account)
                    .filter(is_meant);
                let wanted = address.is_none() || absent::is_absent(work, row, &device)?;
                if let Some(member) = leaf.filter(|_| wanted) {
                    return one(Change::Remove(vec![member.leaf]));
                }
                end(work, intent.id)?;
            }
            Kind::Remove => {
                let account = AccountId::from_slice(&intent.subject)?;
                if role_of(&account).is_some() {
                    return one(Change::RemoveAccount(account));
                }
                end(work, intent.id)?;
            }
            Kind::SetRole => {
                let account = AccountId::from_slice(&intent.subject)?;
                let wanted: Role = role_from_number(intent.value);
                match role_of(&account) {
                    Some(role) if role_number(role) == role_number(wanted) => {
                        end(work, intent.id)?;
                    }
                    Some(_) => return one(Change::SetRole(account, wanted)),
                    None => give_up(work, intent.id, Reason::GroupNotMember)?,
                }
            }
            Kind::Rename => {
                let name = String::from_utf8_lossy(&intent.subject).into_owned();
                if group.name() != name {
                    return one(Change::Rename(name));
                }
                end(work, intent.id)?;
            }
            Kind::SetTimer => {
                let timer_s = u32::try_from(intent.value).unwrap_or(0);
                let policy = group.policy();
                if policy.timer_s != timer_s {
                    return one(Change::SetPolicy(policy.with_timer(timer_s)));
                }
                end(work, intent.id)?;
            }
            Kind::SetPolicy => {
                let wanted = wanted_policy(&group.policy(), &intent.subject);
                if wanted != group.policy() {
                    return one(Change::SetPolicy(wanted));
                }
                end(work, intent.id)?;
            }
            Kind::HandOver => {
                let account = AccountId::from_slice(&intent.subject)?;
                let own = role_of(&work.me.account);
                if role_of(&account).is_none() {
                    give_up(work, intent.id, Reason::GroupNotMember)?;
                } else if own == Some(Role::Owner) {
                    return one(Change::HandOver(account));
                } else {
                    give_up(work, intent.id, Reason::GroupForbidden)?;
                }
            }
            Kind::SelfUpdate => {
                let wanted = match doubted(intent.value) {
                    None if intent.value == CERTIFICATE => {
                        group.shown_generation()? < work.keys().certificate().generation()
                    }
                    Some(epoch) => epoch == group.epoch(),
                    None => group.needs_path_update(),
                };
                if wanted {
                    return one(Change::SelfUpdate);
                }
                end(work, intent.id)?;
            }
            Kind::AcceptLeaves => {
                if group.has_leaves(&work.mls)? {
                    return one(Change::AcceptLeaves);
                }
                end(work, intent.id)?;
            }
            Kind::Readd => match group.recheck_resync(&work.mls, &intent.subject, work.now_s()) {
                Ok(request) => return one(Change::Readd(vec![request])),
                Err(_) => {
                    proof::vouch(work, row, group, &intent.subject)?;
                    end(work, intent.id)?;
                }
            },
            // Sent as a proposal, not committed by oneself.
            Kind::Leave => end(work, intent.id)?,
        }
    }
    if additions.adds.is_empty() {
        return Ok(None);
    }
    Ok(Some(Plan::additions(additions.adds)))
}

/// What is to change about a policy, as an intent's subject: for each act the lowest role plus one, or 0 to leave it.
pub(crate) fn policy_subject(change: impl Fn(Act) -> Option<Role>) -> Vec<u8> {
    let byte = |act| change(act).map_or(0, |role| u8::try_from(role_number(role) + 1).unwrap_or(0));
    Act::ALL.into_iter().map(byte).collect()
}

/// The policy with these changes.
pub(crate) fn wanted_policy(policy: &Policy, subject: &[u8]) -> Policy {
    Act::ALL
        .into_iter()
        .zip(subject)
        .filter(|(_, byte)| **byte > 0)
        .fold(*policy, |policy, (act, byte)| {
            policy.allowing(act, role_from_number(i64::from(*byte) - 1))
        })
}
