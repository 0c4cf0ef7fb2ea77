//! Erasing: what a message said goes from every table that holds it, and its files from the disk.
//!
//! The row stays, so that a second copy that comes later is known and dropped. Of an own message that is taken from everybody there stays
//! an empty content under the same counter: whoever missed the message gets that, and misses nothing. Of one that only this account has
//! nothing of any more, nothing stays: whoever missed it is to see that there was one.

use rusqlite::params;
use undertone_content::MimiContent;

use super::{
    Work,
    act::Source,
    again,
    change::Change,
    conversation::{self, Conversation},
    message, timer,
};
use crate::{
    attachments::AttachmentId,
    error::{Reason, Result},
};

/// As stored (messages.gone).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gone {
    /// By its author, everywhere; a line says so. The line goes as the others here do: on a wish, or when the message's time is over. So it is
    /// the same on every device, whichever came first there.
    ForEveryone = 1,
    /// On this account's own wish; nothing is shown.
    Here = 2,
    /// Its time was over; nothing is shown.
    Expired = 3,
}

/// Erases a message (messages.id).
pub(crate) fn message(work: &Work<'_>, local: i64, how: Gone) -> Result<()> {
    let (conversation, id, device, counter, said): (i64, Vec<u8>, Vec<u8>, u64, Vec<u8>) = work
        .db
        .prepare_cached(
            "SELECT conversation, message_id, device, counter, content FROM messages WHERE id = ?1",
        )?
        .query_row([local], |row| {
            Ok((
                row.get(0)?,
                row.get(1)?,
                row.get(2)?,
                row.get(3)?,
                row.get(4)?,
            ))
        })?;
    let row = conversation::load(work.db, conversation)?;
    let own = device == work.me.device.as_bytes();
    let left = if own && !stays_with_others(work, local, how)? {
        emptied(work, &row, counter)?
    } else {
        Vec::new()
    };
    files(work, local)?;
    if how != Gone::ForEveryone {
        timer::stop(work, local)?;
    }
    for table in ["receipts", "receipts_due"] {
        work.db
            .prepare_cached(&format!("DELETE FROM {table} WHERE message = ?1"))?
            .execute([local])?;
    }
    work.db
        .prepare_cached(
            "UPDATE messages SET gone = CASE WHEN gone < 2 THEN max(gone, ?2) ELSE gone END, content = ?3, text = '', notice = x'', markdown = 0, edits = 0, edited_at_ms = 0, reply_to = x'' WHERE id = ?1",
        )?
        .execute(params![local, how as i64, left])?;
    if own {
        // What has not gone out goes out empty.
        work.db
            .prepare_cached(
                "UPDATE outbox SET content = ?2, state = 1 WHERE message = ?1 AND state IN (0, 1)",
            )?
            .execute(params![local, emptied(work, &row, counter)?])?;
        again::erased(work, &row, &said, &left)?;
    }
    actions(work, &row, &id)?;
    for table in ["reactions", "pins"] {
        work.db
            .prepare_cached(&format!(
                "DELETE FROM {table} WHERE conversation = ?1 AND target = ?2"
            ))?
            .execute(params![conversation, id])?;
    }
    work.wake();
    work.tell(Change::MessageState(local));
    Ok(())
}

/// Whether everybody else is to keep a message of this device: it has gone out, and is gone on this account's wish only.
fn stays_with_others(work: &Work<'_>, local: i64, how: Gone) -> Result<bool> {
    let (state, gone): (i64, i64) = work
        .db
        .prepare_cached("SELECT state, gone FROM messages WHERE id = ?1")?
        .query_row([local], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(how == Gone::Here
        && state == message::State::Sent as i64
        && (gone == 0 || gone == Gone::Here as i64))
}

pub(super) fn emptied(work: &Work<'_>, row: &Conversation, counter: u64) -> Result<Vec<u8>> {
    let source = Source::with_counter(work, row, counter);
    let content = MimiContent::emptied(&source.origin(work));
    Ok(content.encode().map_err(|_| Reason::ContentMalformed)?)
}

/// The message's files, those under way included.
fn files(work: &Work<'_>, local: i64) -> Result<()> {
    work.db
        .prepare_cached("DELETE FROM downloads WHERE message = ?1")?
        .execute([local])?;
    let ids = {
        let mut statement = work
            .db
            .prepare_cached("DELETE FROM message_files WHERE message = ?1 RETURNING attachment")?;
        statement
            .query_map([local], |row| row.get::<_, Vec<u8>>(0))?
            .collect::<std::result::Result<Vec<_>, _>>()?
    };
    for id in ids.iter().filter_map(|id| AttachmentId::from_slice(id)) {
        work.attachments.remove(work.tx, &id)?;
    }
    Ok(())
}

/// The files of a message that may be opened once were opened, or have gone out: they go, the message stays. Nobody can say it again.
pub(crate) fn opened_once(work: &Work<'_>, local: i64) -> Result<()> {
    let (conversation, view_once, said): (i64, i64, Vec<u8>) = work
        .db
        .prepare_cached("SELECT conversation, view_once, content FROM messages WHERE id = ?1")?
        .query_row([local], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    if view_once != 1 {
        return Ok(());
    }
    again::erased(
        work,
        &conversation::load(work.db, conversation)?,
        &said,
        &[],
    )?;
    files(work, local)?;
    work.db
        .prepare_cached("UPDATE messages SET view_once = 2, content = x'' WHERE id = ?1")?
        .execute([local])?;
    work.tell(Change::MessageState(local));
    Ok(())
}

/// What its versions and reactions said. The rows stay: they are known when they come again.
fn actions(work: &Work<'_>, row: &Conversation, target: &[u8]) -> Result<()> {
    erase_actions(work, row, target, "a.kind <> 2")
}

/// What was said by reactions to a message that were taken back since.
pub(super) fn taken_back(work: &Work<'_>, row: &Conversation, target: &[u8]) -> Result<()> {
    let taken_back = "a.kind = 3 AND EXISTS (
        SELECT 1 FROM actions b WHERE b.conversation = a.conversation AND b.sender = a.sender AND b.kind = 2 AND b.target = a.message_id)";
    erase_actions(work, row, target, taken_back)
}

/// What was said by versions of, and reactions to, a message that is not here and was deleted. Only the message tells who its author is, so
/// versions go if whoever wrote them deleted it; a reaction says nothing once its message has gone.
pub(super) fn deleted_early(work: &Work<'_>, row: &Conversation, target: &[u8]) -> Result<()> {
    let deleted = "a.kind IN (1, 3) AND EXISTS (
        SELECT 1 FROM actions b WHERE b.conversation = a.conversation AND b.target = a.target AND b.kind = 2 AND (b.sender = a.sender OR a.kind = 3))";
    erase_actions(work, row, target, deleted)
}

/// `which` is one of a few fixed texts.
fn erase_actions(work: &Work<'_>, row: &Conversation, target: &[u8], which: &str) -> Result<()> {
    let found = {
        let mut statement = work.db.prepare_cached(&format!(
            "SELECT a.id, a.device, a.counter FROM actions a WHERE a.conversation = ?1 AND a.target = ?2 AND a.content <> x'' AND {which}"
        ))?;
        statement
            .query_map(params![row.id, target], |found| {
                Ok((
                    found.get::<_, i64>(0)?,
                    found.get::<_, Vec<u8>>(1)?,
                    found.get::<_, u64>(2)?,
                ))
            })?
            .collect::<std::result::Result<Vec<_>, _>>()?
    };
    for (id, device, counter) in found {
        empty_action(work, row, id, &device, counter)?;
    }
    Ok(())
}

/// Erases what an action (actions.id) said.
pub(super) fn action(work: &Work<'_>, id: i64) -> Result<()> {
    let (conversation, device, counter): (i64, Vec<u8>, u64) = work
        .db
        .prepare_cached("SELECT conversation, device, counter FROM actions WHERE id = ?1")?
        .query_row([id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let row = conversation::load(work.db, conversation)?;
    empty_action(work, &row, id, &device, counter)
}

fn empty_action(
    work: &Work<'_>,
    row: &Conversation,
    id: i64,
    device: &[u8],
    counter: u64,
) -> Result<()> {
    let left = if device == work.me.device.as_bytes() {
        let left = emptied(work, row, counter)?;
        work.db
            .prepare_cached("UPDATE outbox SET content = ?2 WHERE action = ?1 AND state IN (0, 1)")?
            .execute(params![id, left])?;
        let said: Vec<u8> = work
            .db
            .prepare_cached("SELECT content FROM actions WHERE id = ?1")?
            .query_row([id], |row| row.get(0))?;
        again::erased(work, row, &said, &left)?;
        left
    } else {
        Vec::new()
    };
    work.db
        .prepare_cached("UPDATE actions SET content = ?2 WHERE id = ?1")?
        .execute(params![id, left])?;
    Ok(())
}
