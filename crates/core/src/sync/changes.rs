//! Plain lines about what a change did: who came and went, what the group is called, who may do what, how long messages stay.

use std::collections::BTreeSet;
use undertone_mls::{AccountId, Act, Kind as GroupKind, Member, Merged, SettingsChange};

use super::{
    Work, application,
    conversation::{self, Conversation},
    gaps,
    message::{self, Place},
};
use crate::{error::Result, view::Notice};

/// Plain lines about who came and went.
pub(crate) fn tell(
    work: &Work<'_>,
    row: &Conversation,
    merged: &Merged,
    place: Place,
) -> Result<()> {
    let is_group = work.group(&row.group, |group| Ok(group.kind() == GroupKind::Group))?;
    let timer = timer_notice(work, row, merged)?;
    let devices = device_notices(work, row, merged)?;
    let mut notices = Vec::new();
    if is_group {
        let only_devices = accounts_with_other_devices(work, row, merged)?;
        let whole = |members: &[Member]| -> BTreeSet<AccountId> {
            members
                .iter()
                .filter(|member| !only_devices.contains(&member.account) || is_back(merged, member))
                .map(|member| member.account)
                .collect()
        };
        let (came, went) = (whole(&merged.added), whole(&merged.removed));
        member_notices(work, row, merged, &came, &went, &mut notices)?;
        if let Some(change) = &merged.settings {
            let by = &merged.committer.account;
            settings_notices(work, row, by, change, &came, &went, &mut notices)?;
        }
    }
    for notice in notices.iter().chain(&devices).chain(&timer) {
        message::add_notice(work, row.id, notice, place)?;
    }
    Ok(())
}

/// Who came, went, and came back.
fn member_notices(
    work: &Work<'_>,
    row: &Conversation,
    merged: &Merged,
    came: &BTreeSet<AccountId>,
    went: &BTreeSet<AccountId>,
    notices: &mut Vec<Notice>,
) -> Result<()> {
    let person = |account: &AccountId| conversation::person(work, row.id, account);
    let who = person(&merged.committer.account)?;
    let restored = restored(merged);
    for account in came.difference(went) {
        notices.push(Notice::Added {
            who: who.clone(),
            whom: person(account)?,
        });
    }
    let mut told = BTreeSet::new();
    for member in &merged.removed {
        if !went.contains(&member.account)
            || came.contains(&member.account)
            || !told.insert(member.account)
        {
            continue;
        }
        let left = application::asked_to_leave(work, row.id, &member.account)?;
        let gone = conversation::person_called(work, &member.account, member.name.clone());
        notices.push(if left {
            Notice::Left { who: gone }
        } else {
            Notice::Removed {
                who: who.clone(),
                whom: gone,
            }
        });
    }
    for account in came.intersection(went) {
        if !restored.contains(account) {
            notices.push(Notice::CameBack {
                who: person(account)?,
            });
        }
    }
    Ok(())
}

/// What the group is called, and who may do what.
fn settings_notices(
    work: &Work<'_>,
    row: &Conversation,
    by: &AccountId,
    change: &SettingsChange,
    came: &BTreeSet<AccountId>,
    went: &BTreeSet<AccountId>,
    notices: &mut Vec<Notice>,
) -> Result<()> {
    let who = conversation::person(work, row.id, by)?;
    let (before, after) = (&change.before, &change.after);
    if before.name != after.name {
        notices.push(Notice::Renamed {
            who: who.clone(),
            name: after.name.clone(),
        });
    }
    let given = after.roles.keys().filter(|account| {
        before.roles.get(account) != after.roles.get(account) && !came.contains(account)
    });
    let taken = before
        .roles
        .keys()
        .filter(|account| !after.roles.contains_key(account) && !went.contains(account));
    for account in given.chain(taken) {
        let who = who.clone();
        let role = after.role(account).into();
        notices.push(if account == by {
            Notice::SteppedDown { who, role }
        } else {
            let whom = conversation::person(work, row.id, account)?;
            Notice::MadeRole { who, whom, role }
        });
    }
    for act in Act::ALL {
        let lowest = after.policy.lowest(act);
        if before.policy.lowest(act) != lowest {
            notices.push(Notice::LetMay {
                who: who.clone(),
                role: lowest.into(),
                act: act.into(),
            });
        }
    }
    Ok(())
}

/// Whether the same device came and went: it lost the thread and was let in again.
fn is_back(merged: &Merged, member: &Member) -> bool {
    let same = |other: &Member| other.device == member.device && other.account == member.account;
    merged.added.iter().any(same) && merged.removed.iter().any(same)
}

/// Accounts of which devices came or went, and others were and are there.
fn accounts_with_other_devices(
    work: &Work<'_>,
    row: &Conversation,
    merged: &Merged,
) -> Result<BTreeSet<AccountId>> {
    let members = work.group(&row.group, |group| Ok(group.members()?))?;
    let is_new = |member: &Member| {
        merged
            .added
            .iter()
            .any(|added| added.device == member.device && added.account == member.account)
    };
    Ok(members
        .iter()
        .filter(|member| !is_new(member))
        .map(|member| member.account)
        .collect())
}

/// Plain lines about the devices of people who were here before and still are. Their account is the same: nothing has to be verified anew.
fn device_notices(work: &Work<'_>, row: &Conversation, merged: &Merged) -> Result<Vec<Notice>> {
    let here = accounts_with_other_devices(work, row, merged)?;
    let accounts = |members: &[Member]| -> BTreeSet<AccountId> {
        members
            .iter()
            .filter(|member| here.contains(&member.account) && !is_back(merged, member))
            .map(|member| member.account)
            .collect()
    };
    let person = |account: &AccountId| conversation::person(work, row.id, account);
    let mut notices = Vec::new();
    for account in restored(merged) {
        let who = person(&account)?;
        notices.push(Notice::Restored { who });
    }
    for account in accounts(&merged.added) {
        let who = person(&account)?;
        notices.push(Notice::NewDevice { who });
    }
    for account in accounts(&merged.removed) {
        let who = person(&account)?;
        notices.push(Notice::DeviceGone { who });
    }
    Ok(notices)
}

/// Accounts that lost all of their devices and came back with one that their recovery phrase made.
fn restored(merged: &Merged) -> BTreeSet<AccountId> {
    merged
        .added
        .iter()
        .filter(|member| gaps::takes_the_place(merged, member))
        .map(|member| member.account)
        .collect()
}

/// Says that the time messages stay has changed.
fn timer_notice(work: &Work<'_>, row: &Conversation, merged: &Merged) -> Result<Option<Notice>> {
    let Some(change) = &merged.settings else {
        return Ok(None);
    };
    let seconds = change.after.policy.timer_s;
    if change.before.policy.timer_s == seconds {
        return Ok(None);
    }
    let who = conversation::person(work, row.id, &merged.committer.account)?;
    Ok(Some(match seconds {
        0 => Notice::TimerOff { who },
        seconds => Notice::TimerSet { who, seconds },
    }))
}
