//! The end of a conversation for this device: it was taken out, or leaves.

use undertone_mls::AccountId;

use super::{
    Work, absent, address,
    change::Change,
    conversation::{self, Conversation, State},
    devices, intent, invite_told, message, resync, shared,
};
use crate::{error::Result, view::Notice};

/// Another device of this account took this one out.
fn removed_by_sibling(work: &Work<'_>, row: &Conversation) -> Result<()> {
    end(work, row, State::Removed)?;
    if row.kind == conversation::Kind::Notes {
        conversation::notice(work, row.id, &Notice::DeviceRemoved {})?;
        return devices::was_removed(work);
    }
    absent::taken_out(work, row)?;
    conversation::notice(work, row.id, &Notice::DeviceTakenOut {})
}

/// A member took this device out.
pub(crate) fn removed(work: &Work<'_>, row: &Conversation, by: &AccountId) -> Result<()> {
    if *by == work.me.account && !row.leaving {
        return removed_by_sibling(work, row);
    }
    let whom = conversation::person(work, row.id, &work.me.account)?;
    let notice = if row.leaving {
        Notice::Left { who: whom }
    } else {
        let who = conversation::person(work, row.id, by)?;
        Notice::Removed { who, whom }
    };
    end(
        work,
        row,
        if row.leaving {
            State::Left
        } else {
            State::Removed
        },
    )?;
    account_is_out(work, row)?;
    conversation::notice(work, row.id, &notice)
}

/// None of this account's devices is a member any more. What was begun to be written there can't be sent: it goes on all of them.
fn account_is_out(work: &Work<'_>, row: &Conversation) -> Result<()> {
    work.db.execute(
        "UPDATE chat_settings SET draft = '', draft_reply_to = x'' WHERE conversation = ?1",
        [row.id],
    )?;
    shared::put_draft(work, row)?;
    absent::is_over(work, row)
}

/// This device is not a member any more: nothing is sent, nothing is received.
fn end(work: &Work<'_>, row: &Conversation, state: State) -> Result<()> {
    work.drop_group(&row.group);
    work.db
        .execute("DELETE FROM commits WHERE conversation = ?1", [row.id])?;
    intent::drop_all(work, row.id)?;
    let unsent = {
        let mut statement = work
            .db
            .prepare("DELETE FROM outbox WHERE conversation = ?1 RETURNING message")?;
        statement
            .query_map([row.id], |row| row.get::<_, i64>(0))?
            .collect::<std::result::Result<Vec<_>, _>>()?
    };
    for message in unsent {
        if message != 0 {
            message::set_state(work, message, message::State::Failed)?;
        }
    }
    address::revoke(work, row.address)?;
    resync::forget(work, row.id)?;
    invite_told::forget(work, row.id)?;
    conversation::set_state(work, row.id, state)
}

/// This account can't leave after all: it has become the group's only owner since it wanted to. It stays, with all of its devices.
pub(crate) fn not_left(work: &Work<'_>, row: &Conversation) -> Result<()> {
    work.db.execute(
        "UPDATE conversations SET leaving = 0 WHERE id = ?1",
        [row.id],
    )?;
    for device in devices::all(work.db)? {
        if device.in_use {
            let subject = device.id.as_bytes();
            intent::end_waiting(work, row.id, intent::Kind::RemoveDevice, subject)?;
        }
    }
    devices::check(work, row.id)?;
    work.tell(Change::Chat(row.id));
    Ok(())
}

/// Leaves a conversation that this device has lost the thread of: it can't ask to be taken out.
pub(crate) fn leave_unheard(work: &Work<'_>, row: &Conversation) -> Result<()> {
    undertone_mls::Group::settle(&work.mls, &row.group)?;
    undertone_mls::Group::forget(&work.mls, &row.group)?;
    end(work, row, State::Left)?;
    account_is_out(work, row)?;
    conversation::notice(work, row.id, &Notice::LeftUnheard {})
}

/// Leaves a group that nobody else is in: there is nobody who could take this account out.
pub(crate) fn leave_alone(work: &Work<'_>, row: &Conversation) -> Result<()> {
    undertone_mls::Group::forget(&work.mls, &row.group)?;
    end(work, row, State::Left)?;
    account_is_out(work, row)?;
    let who = conversation::person(work, row.id, &work.me.account)?;
    conversation::notice(work, row.id, &Notice::Left { who })
}
