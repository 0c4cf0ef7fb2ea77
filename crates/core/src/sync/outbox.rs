//! The outbox: what this device still has to send in conversations, in order.
//!
//! A row's content never changes, so its MIMI id survives every encryption. Its payload is made when it is first sent and
//! sent again unchanged until the server answers; only `channel.stale` makes a new one, and only once this device has
//! caught up. The row goes when the own copy comes back in the own queue, which also gives the message its place.

use bytes::Bytes;
use rusqlite::{OptionalExtension as _, params};
use undertone_mls::Body;
use undertone_wire::{
    Code, Error as WireError,
    ids::{SendId, sha256},
    request::ChannelSend,
    secrets::AddressSecret,
};

use super::{
    Work, action, automatic, channel,
    conversation::{self, Conversation},
    elsewhere::{self, Elsewhere, Split},
    ending, ignored, message, policy, reach, resync, shared, typing, uploads,
};
use crate::error::{Error, Result};

/// How many messages of one conversation are on their way at once.
const PIPELINED: usize = 32;

/// As stored (outbox.state).
const WAITS_FOR_FILES: i64 = 0;
const TO_ENCRYPT: i64 = 1;
const ENCRYPTED: i64 = 2;

/// Content.
const CONTENT: i64 = 1;
/// A wish to leave: its MLS proposal is made when it is sent.
const LEAVE: i64 = 2;

/// Puts content into the outbox. `message` 0: automatic.
pub(crate) fn push(
    work: &Work<'_>,
    conversation: i64,
    message: i64,
    content: &[u8],
    waits_for_files: bool,
    not_before_ms: i64,
) -> Result<()> {
    let state = if waits_for_files {
        WAITS_FOR_FILES
    } else {
        TO_ENCRYPT
    };
    insert(
        work,
        conversation,
        message,
        CONTENT,
        content,
        state,
        not_before_ms,
    )
}

/// Puts an action (actions.id) into the outbox.
pub(crate) fn push_action(
    work: &Work<'_>,
    conversation: i64,
    action: i64,
    content: &[u8],
) -> Result<()> {
    push(work, conversation, 0, content, false, work.now_ms)?;
    let row = work.last_id();
    work.db
        .prepare_cached("UPDATE outbox SET action = ?2 WHERE id = ?1")?
        .execute([row, action])?;
    Ok(())
}

/// Puts automatic content before everything that waits already: the proof of a link goes before the first message.
pub(crate) fn push_first(work: &Work<'_>, conversation: i64, content: &[u8]) -> Result<()> {
    push(work, conversation, 0, content, false, work.now_ms)?;
    let id = work.last_id();
    let first: i64 = work.db.query_row(
        "SELECT min(id) FROM outbox WHERE conversation = ?1",
        [conversation],
        |row| row.get(0),
    )?;
    if first < id {
        // Rows that wait in a conversation that has just begun were never sent: they may change places.
        work.db.execute(
            "UPDATE outbox SET id = id + ?2 WHERE conversation = ?1 AND id < ?2",
            params![conversation, id],
        )?;
    }
    Ok(())
}

/// Proposes one's own removal, once for each epoch until somebody commits it.
pub(crate) fn push_leave(work: &Work<'_>, conversation: i64) -> Result<()> {
    work.db.execute(
        "DELETE FROM outbox WHERE conversation = ?1 AND kind = 2",
        [conversation],
    )?;
    insert(work, conversation, 0, LEAVE, &[], TO_ENCRYPT, work.now_ms)
}

fn insert(
    work: &Work<'_>,
    conversation: i64,
    message: i64,
    kind: i64,
    content: &[u8],
    state: i64,
    not_before_ms: i64,
) -> Result<()> {
    work.db
        .prepare_cached(
            "INSERT INTO outbox (conversation, message, kind, content, state, not_before_ms, epoch, payload, payload_hash, send_id, channel_id, accepted_at_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, x'', x'', x'', x'', 0)",
        )?
        .execute(params![conversation, message, kind, content, state, not_before_ms])?;
    work.wake();
    Ok(())
}

struct Row {
    id: i64,
    message: i64,
    kind: i64,
    content: Vec<u8>,
    state: i64,
    epoch: u64,
    payload: Vec<u8>,
    send_id: Vec<u8>,
    channel: Vec<u8>,
    action: i64,
}

/// A message ready to be sent.
pub(crate) struct Ready {
    pub(crate) row: i64,
    pub(crate) request: ChannelSend,
    /// What of it goes to other servers than the conversation's.
    pub(crate) elsewhere: Vec<Elsewhere>,
}

/// The next messages of a conversation, in order, encrypted where they are not yet.
pub(crate) fn ready(work: &Work<'_>, row: &Conversation) -> Result<Vec<Ready>> {
    let mut statement = work.db.prepare_cached(
        "SELECT id, message, kind, content, state, epoch, payload, send_id, channel_id, action FROM outbox
         WHERE conversation = ?1 AND state IN (1, 2) AND not_before_ms <= ?2 ORDER BY id LIMIT ?3",
    )?;
    let rows = statement
        .query_map(params![row.id, work.now_ms, PIPELINED], |found| {
            Ok(Row {
                id: found.get(0)?,
                message: found.get(1)?,
                kind: found.get(2)?,
                content: found.get(3)?,
                state: found.get(4)?,
                epoch: found.get(5)?,
                payload: found.get(6)?,
                send_id: found.get(7)?,
                channel: found.get(8)?,
                action: found.get(9)?,
            })
        })?
        .collect::<std::result::Result<Vec<_>, _>>()?;
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let pending = work
        .db
        .prepare_cached("SELECT 1 FROM commits WHERE conversation = ?1")?
        .exists([row.id])?;
    let mut ready = Vec::new();
    for queued in rows {
        let same_channel = queued.channel == row.channel.as_bytes();
        let (request, elsewhere) =
            if queued.state == ENCRYPTED && (same_channel || queued.epoch == row.epoch) {
                again(work, row, &queued)?
            } else if pending || queued.epoch > row.epoch {
                // What was refused as stale waits until this device has caught up.
                break;
            } else {
                match encrypt(work, row, &queued) {
                    Ok(ready) => ready,
                    Err(Error::Mls(error @ undertone_mls::Error::Corrupt(_))) => {
                        return Err(Error::Mls(error));
                    }
                    // It would be the same the next time, and what was written after it waits.
                    Err(Error::Mls(error)) => {
                        ignored::note(error.code());
                        give_up(work, row, &queued)?;
                        continue;
                    }
                    Err(error) => return Err(error),
                }
            };
        ready.push(Ready {
            row: queued.id,
            request,
            elsewhere,
        });
    }
    Ok(ready)
}

fn addresses(work: &Work<'_>, row: &Conversation) -> Result<Split> {
    let all = work.group(&row.group, |group| Ok(channel::shuffled(group.addresses())))?;
    Ok(elsewhere::split(work, row, all, Vec::new())?.0)
}

fn again(
    work: &Work<'_>,
    row: &Conversation,
    queued: &Row,
) -> Result<(ChannelSend, Vec<Elsewhere>)> {
    if queued.channel != row.channel.as_bytes() {
        work.db.execute(
            "UPDATE outbox SET channel_id = ?2 WHERE id = ?1",
            params![queued.id, row.channel.as_bytes()],
        )?;
    }
    let split = addresses(work, row)?;
    let request = ChannelSend {
        channel_id: row.channel,
        epoch: queued.epoch,
        send_id: SendId::from_slice(&queued.send_id)?,
        payload: Bytes::copy_from_slice(&queued.payload),
        addresses: split.here,
    };
    Ok((request, split.elsewhere))
}

fn encrypt(
    work: &Work<'_>,
    row: &Conversation,
    queued: &Row,
) -> Result<(ChannelSend, Vec<Elsewhere>)> {
    let (epoch, payload) = work.group(&row.group, |group| {
        let outgoing = if queued.kind == LEAVE {
            group.leave(&work.mls, &work.keys())?
        } else {
            group.encrypt(&work.mls, &work.keys(), &queued.content)?
        };
        let payload = group.seal(
            &work.mls,
            outgoing.kind,
            outgoing.epoch,
            &Body::Inline(&outgoing.body),
        )?;
        Ok((outgoing.epoch, payload))
    })?;
    let send_id = SendId::random();
    typing::sent_for_good(work, row.id)?;
    work.db
        .prepare_cached(
            "UPDATE outbox SET state = 2, epoch = ?2, payload = ?3, payload_hash = ?4, send_id = ?5, channel_id = ?6 WHERE id = ?1",
        )?
        .execute(params![
            queued.id,
            epoch,
            payload,
            sha256(&payload),
            send_id.as_bytes(),
            row.channel.as_bytes()
        ])?;
    if queued.message != 0 {
        message::set_state(work, queued.message, message::State::Sending)?;
    }
    let split = addresses(work, row)?;
    let request = ChannelSend {
        channel_id: row.channel,
        epoch,
        send_id,
        payload: payload.into(),
        addresses: split.here,
    };
    Ok((request, split.elsewhere))
}

/// Nothing can be made of it that could be sent. A wish to leave is the group's to refuse: this account may have become its only owner since.
fn give_up(work: &Work<'_>, row: &Conversation, queued: &Row) -> Result<()> {
    work.db
        .execute("DELETE FROM outbox WHERE id = ?1", [queued.id])?;
    if queued.kind == LEAVE {
        return ending::not_left(work, row);
    }
    if queued.message != 0 {
        message::set_state(work, queued.message, message::State::Failed)?;
    }
    if queued.action != 0 {
        action::forget(work, row, queued.action)?;
    }
    Ok(())
}

/// The server has it on disk, and reached all addresses but these.
pub(crate) fn accepted(work: &Work<'_>, row: i64, missed: &[AddressSecret]) -> Result<()> {
    let found = work
        .db
        .prepare_cached(
            "UPDATE outbox SET state = 3, accepted_at_ms = ?2 WHERE id = ?1 AND state = 2 RETURNING message, conversation",
        )?
        .query_row(params![row, work.now_ms], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))
        })
        .optional()?;
    if let Some((message, conversation)) = found {
        if message != 0 {
            message::set_state(work, message, message::State::Accepted)?;
        }
        reach::channel_send(work, conversation, missed)?;
    }
    Ok(())
}

/// The server refused it.
pub(crate) fn refused(work: &Work<'_>, row: i64, error: &WireError) -> Result<()> {
    let found = work
        .db
        .query_row(
            "SELECT conversation, channel_id, epoch FROM outbox WHERE id = ?1 AND state = 2",
            [row],
            |row| {
                Ok((
                    row.get::<_, i64>(0)?,
                    row.get::<_, Vec<u8>>(1)?,
                    row.get::<_, u64>(2)?,
                ))
            },
        )
        .optional()?;
    let Some((id, sent_on, sent_in)) = found else {
        return Ok(());
    };
    let conversation = conversation::load(work.db, id)?;
    if sent_on != conversation.channel.as_bytes() {
        // The conversation has moved since: it goes out on the new channel.
        return Ok(());
    }
    match error.code {
        // The channel has gone back behind the epoch that it was sent in. What this device has learnt since it sent is no measure.
        Code::ChannelStale if error.epoch < sent_in => {
            channel::fall_back(work, &conversation)?;
        }
        Code::ChannelStale => {
            work.db.execute(
                "UPDATE outbox SET state = 1, epoch = ?2, payload = x'', payload_hash = x'' WHERE id = ?1",
                params![row, i64::try_from(error.epoch).unwrap_or(i64::MAX)],
            )?;
            resync::behind(work, &conversation, error.epoch)?;
        }
        Code::ChannelUnknown => channel::unknown(work, &conversation)?,
        Code::LimitPayload | Code::LimitAddresses | Code::RequestMalformed => {
            let message: i64 = work.db.query_row(
                "DELETE FROM outbox WHERE id = ?1 RETURNING message",
                [row],
                |row| row.get(0),
            )?;
            message::set_state(work, message, message::State::Failed)?;
        }
        _ => {}
    }
    work.wake();
    Ok(())
}

/// An item came in this conversation: if it is the own copy of something in the outbox, it has its place now.
pub(crate) fn own_copy(
    work: &Work<'_>,
    row: &Conversation,
    payload: &[u8],
    place: message::Place,
) -> Result<bool> {
    let hash = sha256(payload);
    let found = work
        .db
        .prepare_cached(
            "DELETE FROM outbox WHERE conversation = ?1 AND payload_hash = ?2 AND payload_hash <> x'' RETURNING message, kind, content, action, epoch",
        )?
        .query_row(params![row.id, hash], |row| {
            Ok((
                row.get::<_, i64>(0)?,
                row.get::<_, i64>(1)?,
                row.get::<_, Vec<u8>>(2)?,
                row.get::<_, i64>(3)?,
                row.get::<_, u64>(4)?,
            ))
        })
        .optional()?;
    let Some((message, kind, content, action, epoch)) = found else {
        return Ok(false);
    };
    if policy::undone(work, row, message, action, &content, place)? {
        // All others have ignored it.
    } else if message != 0 {
        message::set_place(work, message, place)?;
    } else if action != 0 {
        action::placed(work, row, action, place)?;
    } else if kind == CONTENT {
        automatic::keep_automatic(work, row, place, &content)?;
        if epoch < row.epoch {
            shared::told_too_early(work, row, &content)?;
        }
    } else {
        automatic::keep_nothing(work, row, place)?;
    }
    work.wake();
    Ok(true)
}

/// Something came that opens for nobody: if it is the own copy of something in the outbox, the epoch that it was sent in was damaged or changed
/// on the way, and nobody has read it. It is sent once more. Says whether it was.
pub(crate) fn own_copy_is_void(
    work: &Work<'_>,
    row: &Conversation,
    payload: &[u8],
) -> Result<bool> {
    let void = work
        .db
        .prepare_cached(
            "UPDATE outbox SET state = 1, epoch = 0, payload = x'', payload_hash = x'', not_before_ms = ?3
             WHERE conversation = ?1 AND payload_hash = ?2 AND payload_hash <> x'' AND state IN (2, 3)",
        )?
        .execute(params![row.id, sha256(payload), work.automatic_at()])?;
    work.wake();
    Ok(void > 0)
}

/// The queue was empty at a moment after this time: what was accepted before and has not come back never will. It is sent
/// once more, to an address that is told to the server once more; receivers drop the second copy.
pub(crate) fn copies_lost(work: &Work<'_>, before_ms: i64) -> Result<()> {
    let lost = {
        let mut statement = work.db.prepare_cached(
            "UPDATE outbox SET state = 1, epoch = 0, payload = x'', payload_hash = x'' WHERE state = 3
                AND accepted_at_ms < CASE (SELECT server FROM conversations c WHERE c.id = outbox.conversation) WHEN '' THEN ?1 ELSE ?2 END
             RETURNING conversation",
        )?;
        statement
            .query_map([before_ms, before_ms - elsewhere::ON_ITS_WAY_MS], |row| {
                row.get::<_, i64>(0)
            })?
            .collect::<std::result::Result<Vec<_>, _>>()?
    };
    for id in lost {
        channel::own_address_missed(work, id)?;
    }
    Ok(())
}

/// What the server does not have yet, of messages that somebody wrote.
pub(crate) fn waiting(db: &rusqlite::Connection) -> Result<u32> {
    Ok(db.query_row(
        "SELECT count(*) FROM outbox WHERE state < 3 AND (message <> 0 OR action <> 0)",
        [],
        |row| row.get(0),
    )?)
}

/// Whether the own copy of anything is still awaited, or something is due to be sent.
pub(crate) fn unsettled(work: &Work<'_>) -> Result<bool> {
    Ok(work
        .db
        .prepare_cached(&format!(
            "SELECT 1 FROM outbox o JOIN conversations c ON c.id = o.conversation
             WHERE c.state IN (1, 2) AND o.not_before_ms <= ?1 AND NOT ({})",
            uploads::PAUSED
        ))?
        .exists([work.now_ms])?)
}

/// What was accepted before the state was lost has no own copy to wait for: it is encrypted and sent again, and receivers drop
/// the second one.
pub(crate) fn send_all_again(work: &Work<'_>, conversation: i64) -> Result<()> {
    work.db.execute(
        "UPDATE outbox SET state = 1, epoch = 0, payload = x'', payload_hash = x'' WHERE conversation = ?1 AND state IN (1, 2, 3)",
        [conversation],
    )?;
    work.wake();
    Ok(())
}

/// What this device said on channels that were not the group's way is said again, before everything that waits: it is back where the others
/// are, in a generation before those.
pub(crate) fn say_again_after(work: &Work<'_>, conversation: i64, generation: u32) -> Result<()> {
    let before: i64 = work
        .db
        .query_row("SELECT coalesce(max(id), 0) FROM outbox", [], |row| {
            row.get(0)
        })?;
    let astray = {
        let mut statement = work.db.prepare_cached(
            "SELECT 0 AS action, id, content, generation AS g, number AS n FROM messages
                WHERE conversation = ?1 AND device = ?2 AND kind = 1 AND state = 6 AND generation > ?3 AND generation < ?4 AND content <> x''
             UNION ALL SELECT 1, id, content, generation, number FROM actions
                WHERE conversation = ?1 AND device = ?2 AND generation > ?3 AND generation < ?4 AND content <> x''
             ORDER BY g, n",
        )?;
        statement
            .query_map(
                params![
                    conversation,
                    work.me.device.as_bytes(),
                    generation,
                    message::NO_PLACE
                ],
                |row| {
                    Ok((
                        row.get::<_, bool>(0)?,
                        row.get::<_, i64>(1)?,
                        row.get::<_, Vec<u8>>(2)?,
                    ))
                },
            )?
            .collect::<std::result::Result<Vec<_>, _>>()?
    };
    for (is_action, id, content) in &astray {
        if *is_action {
            work.db.execute(
                "UPDATE actions SET generation = ?2 WHERE id = ?1",
                params![id, message::NO_PLACE],
            )?;
            push_action(work, conversation, *id, content)?;
        } else {
            work.db.execute(
                "UPDATE messages SET state = 2, generation = ?2, number = counter WHERE id = ?1",
                params![id, message::NO_PLACE],
            )?;
            push(work, conversation, *id, content, false, work.now_ms)?;
            work.tell(super::change::Change::MessageState(*id));
        }
    }
    // What others said there stands where this device is now; so do lines without a sender.
    for table in ["messages", "actions"] {
        work.db.execute(
            &format!(
                "UPDATE {table} SET (generation, number) = (SELECT generation, top_number FROM conversations WHERE id = ?1)
                 WHERE conversation = ?1 AND generation > ?2 AND generation < ?3"
            ),
            params![conversation, generation, message::NO_PLACE],
        )?;
    }
    if !astray.is_empty() {
        let top: i64 = work
            .db
            .query_row("SELECT max(id) FROM outbox", [], |row| row.get(0))?;
        work.db.execute(
            "UPDATE outbox SET id = id + ?3 WHERE conversation = ?1 AND id <= ?2",
            params![conversation, before, top],
        )?;
    }
    Ok(())
}

/// What waits for an epoch that the server spoke of waits no more: the conversation goes on elsewhere, and what that server said of the
/// channel before is worth nothing there.
pub(crate) fn wait_no_more(work: &Work<'_>, conversation: i64) -> Result<()> {
    work.db.execute(
        "UPDATE outbox SET epoch = 0 WHERE conversation = ?1 AND state = 1",
        [conversation],
    )?;
    work.wake();
    Ok(())
}
