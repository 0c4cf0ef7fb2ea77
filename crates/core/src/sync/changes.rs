//! Plain lines about what a change did: who came and went, what the group is called, who may do what, how long messages stay.

use std::collections::BTreeSet;
use undertone_mls::{AccountId, Act, Kind as GroupKind, Member, Merged};

use super::{
    Work, application,
    conversation::{self, Conversation},
    gaps,
    message::{self, Place},
    policy, timer,
};
use crate::error::Result;

/// Plain lines about who came and went.
pub(crate) fn tell(
    work: &Work<'_>,
    row: &Conversation,
    merged: &Merged,
    place: Place,
) -> Result<()> {
    let kind = work.group(&row.group, |group| Ok(group.kind()))?;
    let timer = timer_line(work, row, merged)?;
    let devices = device_lines(work, row, merged)?;
    if kind != GroupKind::Group {
        for line in devices.iter().chain(&timer) {
            add_line(work, row, line, place)?;
        }
        return Ok(());
    }
    let me = work.me.account;
    let name = |account: &AccountId| -> Result<String> {
        if *account == me {
            return Ok("You".to_owned());
        }
        conversation::name_of(work.db, row.id, account)
    };
    let object = |account: &AccountId| -> Result<String> {
        if *account == me {
            Ok("you".to_owned())
        } else {
            name(account)
        }
    };
    let who = name(&merged.committer.account)?;
    let only_devices = accounts_with_other_devices(work, row, merged)?;
    let whole = |members: &[Member]| -> BTreeSet<AccountId> {
        members
            .iter()
            .filter(|member| !only_devices.contains(&member.account) || is_back(merged, member))
            .map(|member| member.account)
            .collect()
    };
    let came = whole(&merged.added);
    let went = whole(&merged.removed);
    let restored = restored(merged);
    let mut lines = Vec::new();
    for account in came.difference(&went) {
        lines.push(format!("{who} added {}.", object(account)?));
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
        let gone = if member.name.is_empty() {
            "Somebody"
        } else {
            &member.name
        };
        lines.push(if left {
            format!("{gone} left.")
        } else {
            format!("{who} removed {gone}.")
        });
    }
    for account in came.intersection(&went) {
        if restored.contains(account) {
            continue;
        }
        lines.push(format!(
            "{} came back after losing the thread.",
            name(account)?
        ));
    }
    if let Some(change) = &merged.settings {
        if change.before.name != change.after.name {
            lines.push(format!(
                "{who} named the group \u{201c}{}\u{201d}.",
                change.after.name
            ));
        }
        for (account, role) in &change.after.roles {
            if change.before.roles.get(account) != Some(role) && !came.contains(account) {
                let word = match role {
                    undertone_mls::Role::Owner => "owner",
                    undertone_mls::Role::Admin => "admin",
                    undertone_mls::Role::Member => "member",
                };
                lines.push(if *account == merged.committer.account {
                    format!("{who} stepped down to {word}.")
                } else {
                    format!("{who} made {} {word}.", object(account)?)
                });
            }
        }
        for account in change.before.roles.keys() {
            if !change.after.roles.contains_key(account) && !went.contains(account) {
                lines.push(if *account == merged.committer.account {
                    format!("{who} stepped down to plain member.")
                } else {
                    format!("{who} made {} plain member.", object(account)?)
                });
            }
        }
        for act in Act::ALL {
            let after = change.after.policy.lowest(act);
            if change.before.policy.lowest(act) != after {
                let (may, verb) = (policy::who(after), policy::verb(act));
                lines.push(format!("{who} let {may} {verb}."));
            }
        }
    }
    for line in lines.iter().chain(&devices).chain(&timer) {
        add_line(work, row, line, place)?;
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
fn device_lines(work: &Work<'_>, row: &Conversation, merged: &Merged) -> Result<Vec<String>> {
    let here = accounts_with_other_devices(work, row, merged)?;
    let accounts = |members: &[Member]| -> BTreeSet<AccountId> {
        members
            .iter()
            .filter(|member| here.contains(&member.account) && !is_back(merged, member))
            .map(|member| member.account)
            .collect()
    };
    let mut lines = Vec::new();
    for account in restored(merged) {
        let name = conversation::name_of(work.db, row.id, &account)?;
        lines.push(format!(
            "{name} came back with a new device, by their recovery phrase. Their account is the same."
        ));
    }
    for account in accounts(&merged.added) {
        lines.push(if account == work.me.account {
            "Another device of yours is in this chat now.".to_owned()
        } else {
            let name = conversation::name_of(work.db, row.id, &account)?;
            format!("{name} reads this on another device too now.")
        });
    }
    for account in accounts(&merged.removed) {
        lines.push(if account == work.me.account {
            "A device of yours was removed.".to_owned()
        } else {
            let name = conversation::name_of(work.db, row.id, &account)?;
            format!("{name} removed one of their devices.")
        });
    }
    Ok(lines)
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

fn add_line(work: &Work<'_>, row: &Conversation, line: &str, place: Place) -> Result<()> {
    message::add_line(work, row.id, message::Kind::Notice, line, place)?;
    Ok(())
}

/// Says that the time messages stay has changed.
fn timer_line(work: &Work<'_>, row: &Conversation, merged: &Merged) -> Result<Option<String>> {
    let Some(change) = &merged.settings else {
        return Ok(None);
    };
    let after = change.after.policy.timer_s;
    if change.before.policy.timer_s == after {
        return Ok(None);
    }
    let account = &merged.committer.account;
    let who = if *account == work.me.account {
        "You".to_owned()
    } else {
        conversation::name_of(work.db, row.id, account)?
    };
    Ok(Some(match after {
        0 => format!("{who} set messages to stay."),
        seconds => format!(
            "{who} set messages to disappear {} after they are read.",
            timer::span(seconds)
        ),
    }))
}
