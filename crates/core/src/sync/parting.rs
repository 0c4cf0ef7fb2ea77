//! The last word of a device: that it is wiped.
//!
//! Where the account has other devices, it goes to them: they remove it, which shows people a line. What must stay true: it goes to those
//! devices, or else to those whom the account talks with directly, and to nobody else, only if the owner chose so, and no key of the home is
//! kept for it a moment longer.

use super::{
    Work, automatic,
    conversation::{self, Conversation, Kind, State},
    devices, ignored,
    message::Sender,
    outbox, settings,
};
use crate::{error::Result, view::Notice};

/// Puts it into the outbox for the account's other devices, or for every direct conversation if there are none, where the owner chose so.
/// Answers in how many conversations it is said.
pub(crate) fn say(work: &Work<'_>) -> Result<usize> {
    if !devices::removes_wiped(work.db)? {
        return Ok(0);
    }
    let to_siblings = devices::has_siblings(work)?;
    let mut told = 0;
    for row in conversation::sendable(work)? {
        let is_told = match to_siblings {
            true => row.kind == Kind::Notes,
            false => hears(work, &row)?,
        };
        if !is_told {
            continue;
        }
        let content = automatic::gone(work, &row)?;
        outbox::push(work, row.id, 0, &content, false, work.now_ms)?;
        told += 1;
    }
    work.wake();
    Ok(told)
}

fn hears(work: &Work<'_>, row: &Conversation) -> Result<bool> {
    let Some(peer) = row.peer else {
        return Ok(false);
    };
    Ok(row.kind == Kind::Direct
        && row.state == State::Active
        && !row.request
        && !settings::is_blocked(work.db, &peer)?)
}

/// Whether any of it still waits to be sent.
pub(crate) fn waits(work: &Work<'_>) -> Result<bool> {
    Ok(work
        .db
        .prepare_cached("SELECT 1 FROM outbox WHERE state < 3 AND message = 0")?
        .exists([])?)
}

/// A device says that it is wiped. An own one is removed, if the owner chose so; a contact's is a line in the conversation with them.
pub(crate) fn came(work: &Work<'_>, row: &Conversation, sender: &Sender) -> Result<()> {
    if row.kind == Kind::Notes && sender.account == work.me.account {
        if sender.device == work.me.device {
            return Ok(());
        }
        return devices::was_wiped(work, &sender.device);
    }
    let is_theirs = row.peer == Some(sender.account) && sender.account != work.me.account;
    if !is_theirs || !hears(work, row)? {
        ignored::note("device.gone");
        return Ok(());
    }
    let who = conversation::person(work, row.id, &sender.account)?;
    conversation::notice(work, row.id, &Notice::DeviceWiped { who })
}
