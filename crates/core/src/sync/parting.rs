//! The last word of an account's only device: that it is wiped.
//!
//! Where the account has other devices, they tell people by removing it. What must stay true: it goes to those whom the account talks with
//! directly and to nobody else, only if the owner chose so, and no key of the home is kept for it a moment longer.

use super::{
    Work, automatic,
    conversation::{self, Conversation, Kind, State},
    devices, ignored,
    message::Sender,
    outbox, settings,
};
use crate::{error::Result, view::Notice};

/// Puts it into the outbox for every direct conversation, if the owner chose so and no other device is there to tell. Answers how many
/// will hear it.
pub(crate) fn say(work: &Work<'_>) -> Result<usize> {
    if devices::has_siblings(work)? || !devices::removes_wiped(work.db)? {
        return Ok(0);
    }
    let mut told = 0;
    for row in conversation::sendable(work)? {
        if !hears(work, &row)? {
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

/// A contact's device says that it is wiped: a line in the conversation with them.
pub(crate) fn came(work: &Work<'_>, row: &Conversation, sender: &Sender) -> Result<()> {
    let is_theirs = row.peer == Some(sender.account) && sender.account != work.me.account;
    if !is_theirs || !hears(work, row)? {
        ignored::note("device.gone");
        return Ok(());
    }
    let who = conversation::person(work, row.id, &sender.account)?;
    conversation::notice(work, row.id, &Notice::DeviceWiped { who })
}
