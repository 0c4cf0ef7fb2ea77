//! Transfers of files that their owner stops, for a while or for good, and lets go on; and messages that are sent again after that.
//!
//! What must stay true: a message is stopped as a whole, since it goes with all of its files or not at all; what goes in the place of one that
//! was cancelled says nothing, so that nobody misses it; a message that is sent again is a new one, at the end of the chat.

use rusqlite::{OptionalExtension as _, params};
use undertone_content::{Attachment, MimiContent};

use super::{
    Work,
    change::Change,
    downloads, erase, files,
    message::{self, New, NewFile, State},
    uploads,
};
use crate::{
    attachments::{AttachmentError, AttachmentId},
    error::{Reason, Result},
};

/// What its owner wants of a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// That it waits.
    Pause,
    /// That it goes on; a file that never came is asked for.
    Resume,
    /// That it ends.
    Cancel,
}

/// Does it to the files of a message (messages.id): to one, or to all. Of a message that is on its way out all are meant.
pub(crate) fn wish(work: &Work<'_>, message: i64, index: Option<u32>, wish: Wish) -> Result<()> {
    let all = files::of_message(work.db, message)?.files;
    if let Some(index) = index
        && !all.iter().any(|file| file.position == index)
    {
        return Err(Reason::AttachmentUnknown.into());
    }
    let done = if uploads::waits_for_files(work.db, message)? {
        outgoing(work, message, &all, wish)?
    } else {
        let mut done = false;
        for file in &all {
            if index.is_none_or(|index| index == file.position) {
                done |= incoming(work, message, file, wish)?;
            }
        }
        done
    };
    if !done {
        return Err(Reason::AttachmentNotMoving.into());
    }
    work.wake();
    work.tell(Change::MessageState(message));
    Ok(())
}

fn outgoing(work: &Work<'_>, message: i64, all: &[files::File], wish: Wish) -> Result<bool> {
    let mut done = false;
    for id in all
        .iter()
        .filter_map(|file| AttachmentId::from_slice(&file.attachment))
    {
        done |= match wish {
            Wish::Pause => work.attachments.pause(work.tx, &id)?,
            Wish::Cancel => work.attachments.cancel(work.tx, &id)?,
            Wish::Resume => {
                work.attachments.resume(work.tx, &id)?;
                true
            }
        };
    }
    if wish == Wish::Cancel && done {
        uploads::take_out(work, message)?;
    }
    Ok(done)
}

fn incoming(work: &Work<'_>, message: i64, file: &files::File, wish: Wish) -> Result<bool> {
    let download = downloads::Download {
        message,
        position: file.position,
    };
    let known = AttachmentId::from_slice(&file.attachment);
    if let Some(id) = &known
        && work.attachments.status(id)?.is_here()
    {
        return Ok(false);
    }
    if wish != Wish::Resume && known.is_none() && !downloads::is_noted(work.db, download)? {
        return Ok(false);
    }
    let id = files::take_up(work, work.attachments, message, file.position)?;
    match wish {
        Wish::Pause => Ok(work.attachments.pause(work.tx, &id)?),
        Wish::Cancel => {
            downloads::done(work, download)?;
            Ok(work.attachments.cancel(work.tx, &id)?)
        }
        Wish::Resume => {
            work.attachments.resume(work.tx, &id)?;
            downloads::ask(work, download)?;
            Ok(true)
        }
    }
}

/// Sends a message that was given up or cancelled once more, as a new one; the line of the old one goes.
pub(crate) fn send_again(work: &Work<'_>, local: i64) -> Result<(i64, [u8; 32])> {
    let found: Option<(i64, Vec<u8>, String, bool, i64, bool)> = work
        .db
        .query_row(
            "SELECT conversation, content, text, markdown, view_once, forwarded FROM messages
             WHERE id = ?1 AND state = ?2 AND gone = 0 AND device = ?3",
            params![local, State::Failed as i64, work.me.device.as_bytes()],
            |row| {
                Ok((
                    row.get(0)?,
                    row.get(1)?,
                    row.get(2)?,
                    row.get(3)?,
                    row.get(4)?,
                    row.get(5)?,
                ))
            },
        )
        .optional()?;
    let Some((conversation, content, text, markdown, view_once, forwarded)) = found else {
        return Err(Reason::MessageNotFailed.into());
    };
    let content = MimiContent::decode(&content).map_err(|_| Reason::ContentMalformed)?;
    let shown = content.shown();
    let mut again = Vec::new();
    for file in files::of_message(work.db, local)?.files {
        let id = AttachmentId::from_slice(&file.attachment).ok_or(AttachmentError::Unknown)?;
        let part = files::part(work.db, local, file.position)?;
        work.attachments.resume(work.tx, &id)?;
        let reference = work.attachments.reference(&id)?;
        again.push(NewFile {
            attachment: *id.as_bytes(),
            part: Attachment {
                external: files::external(&reference, part.content_type, &part.name),
                preview: part.preview,
                info: part.info,
            },
            name: part.name,
        });
    }
    let sent = message::enqueue(
        work,
        conversation,
        New {
            text,
            markdown,
            reply_to: content.in_reply_to,
            files: again,
            expires: content.expires,
            view_once: view_once == 1,
            forwarded,
            card: shown.card,
        },
    )?;
    // They belong to the new one now.
    work.db.execute(
        "UPDATE message_files SET attachment = x'' WHERE message = ?1",
        [local],
    )?;
    erase::message(work, local, erase::Gone::Here)?;
    Ok(sent)
}
