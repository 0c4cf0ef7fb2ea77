//! Messages that wait in the outbox for their files to be on the server: when they go, and that they do not go after all.

use rusqlite::{OptionalExtension as _, params};

use super::{Work, conversation, erase, message};
use crate::{
    error::{Error, Result},
    view::Notice,
};

/// All files of a message are on the server: it can go.
pub(crate) fn files_ready(work: &Work<'_>, message: i64) -> Result<()> {
    let waited = work.db.execute(
        "UPDATE outbox SET state = 1 WHERE message = ?1 AND state = 0",
        [message],
    )?;
    // Its owner may have been faster, and cancelled or deleted it.
    if waited > 0 {
        message::set_state(work, message, message::State::Queued)?;
        work.wake();
    }
    Ok(())
}

/// The files of a message can't be uploaded: it will not go.
pub(crate) fn give_up(work: &Work<'_>, message: i64, why: &Error) -> Result<()> {
    if let Some(conversation) = take_out(work, message)? {
        let notice = Notice::FileNotSent {
            code: why.code().to_owned(),
            why: why.to_string(),
        };
        conversation::notice(work, conversation, &notice)?;
    }
    Ok(())
}

/// A message that waits for its files will not go. Something that says nothing goes under its counter, so that nobody misses it. None: it did not
/// wait for them.
pub(super) fn take_out(work: &Work<'_>, message: i64) -> Result<Option<i64>> {
    let found: Option<(i64, u64)> = work
        .db
        .query_row(
            "SELECT m.conversation, m.counter FROM messages m JOIN outbox o ON o.message = m.id WHERE m.id = ?1 AND o.state = 0",
            [message],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?;
    let Some((conversation, counter)) = found else {
        return Ok(None);
    };
    let row = conversation::load(work.db, conversation)?;
    let nothing = erase::emptied(work, &row, counter)?;
    work.db.execute(
        "UPDATE outbox SET message = 0, content = ?2, state = 1 WHERE message = ?1 AND state = 0",
        params![message, nothing],
    )?;
    message::set_state(work, message, message::State::Failed)?;
    work.wake();
    Ok(Some(conversation))
}

/// Whether a message is still to go, as soon as its files are on the server.
pub(crate) fn waits_for_files(db: &rusqlite::Connection, message: i64) -> Result<bool> {
    Ok(db
        .prepare_cached("SELECT 1 FROM outbox WHERE message = ?1 AND state = 0")?
        .exists([message])?)
}

/// A message in the outbox (`o`) whose owner lets it wait.
pub(super) const PAUSED: &str = "o.state = 0 AND EXISTS (SELECT 1 FROM message_files f JOIN attachments a ON a.id = f.attachment
    WHERE f.message = o.message AND a.paused = 1)";

/// Messages whose files are to be uploaded now, the oldest first.
pub(super) fn due(work: &Work<'_>, at_once: usize) -> Result<Vec<i64>> {
    let mut statement = work.db.prepare_cached(&format!(
        "SELECT o.message FROM outbox o WHERE o.state = 0 AND o.not_before_ms <= ?1 AND NOT ({PAUSED}) ORDER BY o.id LIMIT ?2"
    ))?;
    let rows = statement
        .query_map(params![work.now_ms, at_once], |row| row.get(0))?
        .collect::<std::result::Result<Vec<_>, _>>()?;
    Ok(rows)
}
