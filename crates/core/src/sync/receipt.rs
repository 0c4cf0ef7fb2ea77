//! Receipts: telling others that their messages came, or were read, and being told so.
//!
//! That a message came is told in direct chats only: in a group it would cost as many messages again as there are members. That it was
//! read is told where this account's owner has it on for the chat and the person, in groups of at most [`GROUP`] people; where it is
//! off, what others tell of reading is not kept either. Receipts wait a random while and go together, so that the moment of reading
//! can't be seen from outside. What counts is what is set when they go.

use rusqlite::params;
use undertone_content::{MessageId, MessageStatus, STATUSES};
use undertone_mls::AccountId;

use super::{
    Work, automatic,
    change::Change,
    conversation::{self, Conversation, Kind, State},
    message::Sender,
    outbox, settings,
};
use crate::error::Result;

/// The largest group in which reading is told.
const GROUP: i64 = 32;

/// As stored (receipts_due.status).
const DELIVERED: i64 = 1;
const READ: i64 = 2;

/// A message came from somebody.
pub(crate) fn came(work: &Work<'_>, row: &Conversation, message: i64) -> Result<()> {
    if row.kind != Kind::Direct || row.state != State::Active || row.request {
        return Ok(());
    }
    owe(work, row, DELIVERED, "m.id = ?3", &[&message])
}

/// Everything up to this line (messages.id) was read; `from` is how far it was before.
pub(crate) fn read_up_to(work: &Work<'_>, row: &Conversation, from: i64, to: i64) -> Result<()> {
    if row.state != State::Active || row.kind == Kind::Notes || row.request {
        return Ok(());
    }
    let people: i64 = work
        .db
        .prepare_cached("SELECT count(DISTINCT account_id) FROM members WHERE conversation = ?1")?
        .query_row([row.id], |found| found.get(0))?;
    if people > GROUP {
        return Ok(());
    }
    owe(
        work,
        row,
        READ,
        "m.conversation = ?1 AND m.id > ?3 AND m.id <= ?4 AND m.kind = 1 AND m.gone = 0 AND m.sender <> ?5",
        &[&from, &to, work.me.account.as_bytes()],
    )
}

fn owe(
    work: &Work<'_>,
    row: &Conversation,
    status: i64,
    which: &str,
    values: &[&dyn rusqlite::ToSql],
) -> Result<()> {
    let (conversation, at) = (row.id, work.automatic_at());
    let else_told = i64::from(settings::tells_reading(work.db, row.id, None)?);
    let values: Vec<&dyn rusqlite::ToSql> = [&conversation as &dyn rusqlite::ToSql, &status]
        .into_iter()
        .chain(values.iter().copied())
        .collect();
    let mut insert = work.db.prepare_cached(&format!(
        "INSERT INTO receipts_due (message, conversation, status, at_ms)
         SELECT m.id, ?1, ?2, 0 FROM messages m LEFT JOIN people p ON p.account_id = m.sender
            WHERE {which} AND coalesce(p.blocked, 0) = 0
                AND (?2 = 1 OR CASE coalesce(p.read_receipts, 0) WHEN 1 THEN 1 WHEN 2 THEN 0 ELSE {else_told} END)
         ON CONFLICT (message) DO UPDATE SET status = max(status, excluded.status)"
    ))?;
    if insert.execute(values.as_slice())? == 0 {
        return Ok(());
    }
    // All that a chat owes goes at one time.
    work.db
        .prepare_cached(
            "UPDATE receipts_due SET at_ms = coalesce(
                (SELECT min(at_ms) FROM receipts_due WHERE conversation = ?1 AND at_ms > 0), ?2) WHERE conversation = ?1 AND at_ms = 0",
        )?
        .execute([conversation, at])?;
    work.wake();
    Ok(())
}

/// Puts what is due into the outbox. Called now and then.
pub(crate) fn tick(work: &Work<'_>) -> Result<()> {
    let due = {
        let mut statement = work
            .db
            .prepare_cached("SELECT DISTINCT conversation FROM receipts_due WHERE at_ms <= ?1")?;
        statement
            .query_map([work.now_ms], |row| row.get::<_, i64>(0))?
            .collect::<std::result::Result<Vec<_>, _>>()?
    };
    for id in due {
        let Some(row) = conversation::get(work.db, id)? else {
            continue;
        };
        let owed = {
            let mut statement = work.db.prepare_cached(
                "DELETE FROM receipts_due WHERE conversation = ?1
                 RETURNING (SELECT message_id FROM messages WHERE id = message), (SELECT sender FROM messages WHERE id = message), status",
            )?;
            statement
                .query_map([id], |row| {
                    Ok((
                        row.get::<_, Option<Vec<u8>>>(0)?,
                        row.get::<_, Option<Vec<u8>>>(1)?,
                        row.get::<_, i64>(2)?,
                    ))
                })?
                .collect::<std::result::Result<Vec<_>, _>>()?
        };
        if row.state != State::Active || row.leaving {
            continue;
        }
        let mut statuses: Vec<(MessageId, MessageStatus)> = Vec::new();
        for (message, sender, owed) in owed {
            let (Some(message), Some(sender)) = (message, sender) else {
                continue;
            };
            let message = message.try_into().ok().map(MessageId::from_bytes);
            if let Some(Ok(message)) = message
                && let Some(status) = told_now(work, &row, &AccountId::from_slice(&sender)?, owed)?
            {
                statuses.push((message, status));
            }
        }
        for some in statuses.chunks(STATUSES) {
            let content = automatic::status(work, &row, some)?;
            outbox::push(work, id, 0, &content, false, work.now_ms)?;
        }
    }
    Ok(())
}

/// What somebody is told of what is owed to them, as things are set now: they may have been set otherwise since it was read.
fn told_now(
    work: &Work<'_>,
    row: &Conversation,
    author: &AccountId,
    owed: i64,
) -> Result<Option<MessageStatus>> {
    if settings::is_blocked(work.db, author)? {
        return Ok(None);
    }
    if owed == READ && settings::tells_reading(work.db, row.id, Some(author))? {
        return Ok(Some(MessageStatus::Read));
    }
    // In a group it is not told that something came.
    Ok((row.kind == Kind::Direct).then_some(MessageStatus::Delivered))
}

/// When the next ones are due.
pub(crate) fn next_due(work: &Work<'_>) -> Result<Option<i64>> {
    Ok(work
        .db
        .prepare_cached("SELECT min(at_ms) FROM receipts_due WHERE at_ms > ?1")?
        .query_row([work.now_ms], |row| row.get(0))?)
}

/// Somebody tells what has become of messages. Those of others are none of this account's business.
pub(crate) fn told(
    work: &Work<'_>,
    row: &Conversation,
    sender: &Sender,
    statuses: &[(MessageId, MessageStatus)],
) -> Result<()> {
    if sender.account == work.me.account {
        return Ok(());
    }
    let wants_reading = settings::tells_reading(work.db, row.id, Some(&sender.account))?;
    for (id, status) in statuses {
        let (delivered, read) = match status {
            MessageStatus::Delivered => (work.now_ms, 0),
            MessageStatus::Read if wants_reading => (work.now_ms, work.now_ms),
            MessageStatus::Read => (work.now_ms, 0),
            MessageStatus::Other(_) => continue,
        };
        keep(work, row, &sender.account, id, delivered, read)?;
    }
    Ok(())
}

fn keep(
    work: &Work<'_>,
    row: &Conversation,
    account: &AccountId,
    id: &MessageId,
    delivered: i64,
    read: i64,
) -> Result<()> {
    let message: Option<i64> = work
        .db
        .prepare_cached(
            "INSERT INTO receipts (message, account_id, delivered_at_ms, read_at_ms)
             SELECT id, ?3, ?5, ?6 FROM messages WHERE conversation = ?1 AND message_id = ?2 AND sender = ?4 AND kind = 1 AND gone = 0
             ON CONFLICT (message, account_id) DO UPDATE SET
                delivered_at_ms = CASE delivered_at_ms WHEN 0 THEN excluded.delivered_at_ms ELSE delivered_at_ms END,
                read_at_ms = CASE read_at_ms WHEN 0 THEN excluded.read_at_ms ELSE read_at_ms END
             RETURNING message",
        )?
        .query_map(
            params![
                row.id,
                id.as_bytes(),
                account.as_bytes(),
                work.me.account.as_bytes(),
                delivered,
                read
            ],
            |found| found.get(0),
        )?
        .next()
        .transpose()?;
    if let Some(message) = message {
        work.tell(Change::MessageState(message));
    }
    Ok(())
}
