//! Plain lines about what a change did: who came and went, what the group is called, who may do what, how long messages stay.

use undertone_mls::{AccountId, Kind as GroupKind, Merged};

use super::{
    Work, application,
    conversation::{self, Conversation},
    message::{self, Place},
    timer,
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
    if kind != GroupKind::Group {
        return match timer {
            Some(line) => add_line(work, row, &line, place),
            None => Ok(()),
        };
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
    let came: std::collections::BTreeSet<_> =
        merged.added.iter().map(|member| member.account).collect();
    let went: std::collections::BTreeSet<_> =
        merged.removed.iter().map(|member| member.account).collect();
    let mut lines = Vec::new();
    for account in came.difference(&went) {
        lines.push(format!("{who} added {}.", object(account)?));
    }
    let mut told = std::collections::BTreeSet::new();
    for member in &merged.removed {
        if came.contains(&member.account) || !told.insert(member.account) {
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
                lines.push(format!("{who} made {} {word}.", object(account)?));
            }
        }
        for account in change.before.roles.keys() {
            if !change.after.roles.contains_key(account) && !went.contains(account) {
                lines.push(format!("{who} made {} plain member.", object(account)?));
            }
        }
    }
    for line in lines.iter().chain(&timer) {
        add_line(work, row, line, place)?;
    }
    Ok(())
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
