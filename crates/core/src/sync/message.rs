//! Message rows: what a chat shows.
//!
//! A message's id is that of its MIMI content, so that a copy encrypted again is the same message. Places are
//! (generation, number) of the channel; what is still in the outbox stands behind everything.

use rusqlite::{OptionalExtension as _, params};
use undertone_content::{
    Attachment, ContactCard, Expiration, ExtensionKey, MimiContent, Origin, Salt, uri,
};
use undertone_mls::{AccountId, Act, DeviceId};

use super::{
    Work, action,
    change::Change,
    conversation::{self, Conversation},
    downloads, elsewhere, erase, ignored, outbox, policy, receipt, request, settings, shared_apply,
    timer,
};
use crate::{
    error::{Reason, Result},
    rich_text,
    view::Notice,
};

/// The generation of what has no place yet.
pub(crate) const NO_PLACE: u32 = u32::MAX;
/// The longest text.
pub(crate) const TEXT_BYTES: usize = 32_000;
/// How long after it came a message may get a later place because it came once more.
const MOVES_MS: i64 = 24 * 3600 * 1000;
/// The largest content; MLS and the envelope add a little, and an item holds 64 KiB.
pub(crate) const CONTENT_BYTES: usize = 60_000;

/// As stored (messages.kind); 1 is a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Notice = 2,
    Gap = 3,
}

/// As stored (messages.state).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Received = 1,
    Queued = 2,
    Uploading = 3,
    Sending = 4,
    Accepted = 5,
    Sent = 6,
    Failed = 7,
}

/// Where a line stands in the conversation's order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) generation: u32,
    pub(crate) number: u64,
}

impl Place {
    /// Before everything.
    pub(crate) const FIRST: Self = Self {
        generation: 0,
        number: 0,
    };
}

/// A file of a message to be sent, ready to be uploaded.
pub(crate) struct NewFile {
    /// attachments.id
    pub(crate) attachment: [u8; 16],
    pub(crate) part: Attachment,
    pub(crate) name: String,
}

/// A message to be sent.
pub(crate) struct New {
    pub(crate) text: String,
    pub(crate) markdown: bool,
    pub(crate) reply_to: Option<undertone_content::MessageId>,
    pub(crate) files: Vec<NewFile>,
    /// When it is to go; None: as the conversation has it.
    pub(crate) expires: Option<Expiration>,
    /// Its files may be opened once.
    pub(crate) view_once: bool,
    /// Somebody else said it first.
    pub(crate) forwarded: bool,
    /// Somebody's contact card; the text is the name on it.
    pub(crate) card: Option<ContactCard>,
}

/// The sender and room as MIMI names them.
pub(crate) fn uris(account: &AccountId, conversation: &Conversation) -> (String, String) {
    (
        uri::account(account.as_bytes()),
        uri::room(conversation.group.as_bytes()),
    )
}

/// Puts a message into the store and the outbox, for good: what is fixed here is what everybody will get.
pub(crate) fn enqueue(work: &Work<'_>, id: i64, new: New) -> Result<(i64, [u8; 32])> {
    if (new.text.is_empty() || new.view_once) && new.files.is_empty() {
        return Err(Reason::MessageEmpty.into());
    }
    if new.text.len() > TEXT_BYTES {
        return Err(Reason::MessageTooLong.into());
    }
    let row = conversation::load(work.db, id)?;
    if matches!(
        row.state,
        conversation::State::Left | conversation::State::Removed
    ) || row.leaving
    {
        return Err(Reason::ChatClosed.into());
    }
    if let Some(peer) = &row.peer
        && settings::is_blocked(work.db, peer)?
    {
        return Err(Reason::ContactBlocked.into());
    }
    request::check(&row)?;
    policy::check(work, &row, Act::Post)?;
    let counter = conversation::take_counter(work, id)?;
    let (sender, room) = uris(&work.me.account, &row);
    let origin = Origin {
        salt: Salt::from_random(work.random()),
        sender: &sender,
        room: &room,
        sent_at_ms: u64::try_from(work.now_ms).unwrap_or(0),
        device_counter: counter,
    };
    let by_default = (row.timer_s > 0).then_some(Expiration {
        relative: true,
        seconds: row.timer_s,
    });
    let expires = new.expires.or(by_default);
    let mut files: Vec<_> = new.files.iter().map(|file| file.part.clone()).collect();
    if !row.server.is_empty() || elsewhere::is_mixed(work, &row)? {
        // Files are on this account's server, and not everybody else's address is.
        let server = work.me.server.to_string();
        for file in &mut files {
            if let Some(blob) = uri::parse_blob(&file.external.url) {
                file.external.url = uri::blob_at(&blob, &server);
            }
        }
    }
    let compose = |files: Vec<Attachment>| {
        let content = match (&new.card, files.is_empty(), new.markdown) {
            (Some(card), ..) => MimiContent::contact(&origin, card),
            (None, true, true) => MimiContent::markdown(&origin, &new.text),
            (None, true, false) => MimiContent::text(&origin, &new.text),
            (None, false, markdown) => MimiContent::files(
                &origin,
                (!new.text.is_empty()).then_some(new.text.as_str()),
                markdown,
                files,
            ),
        };
        let mut content = match new.reply_to {
            Some(target) => content.answering(target),
            None => content,
        };
        content.expires = expires;
        if new.view_once {
            content = content.marked(ExtensionKey::VIEW_ONCE);
        }
        if new.forwarded {
            content = content.marked(ExtensionKey::FORWARDED);
        }
        content
    };
    let encode = |content: &MimiContent| content.encode().map_err(|_| Reason::MessageTooLong);
    let mut content = compose(files.clone());
    let mut bytes = encode(&content)?;
    if bytes.len() > CONTENT_BYTES {
        // Previews are a courtesy; the files themselves are not in the message.
        let bare = files
            .into_iter()
            .map(|file| Attachment {
                preview: None,
                ..file
            })
            .collect();
        content = compose(bare);
        bytes = encode(&content)?;
        if bytes.len() > CONTENT_BYTES {
            return Err(Reason::MessageTooLong.into());
        }
    }
    let message_id = content
        .id(&sender, &room)
        .map_err(|_| Reason::ContentMalformed)?;
    let waits = !new.files.is_empty();
    let state = if waits {
        State::Uploading
    } else {
        State::Queued
    };
    work.db
        .prepare_cached(
            "INSERT INTO messages (conversation, message_id, sender, device, kind, state, generation, number, counter, content, text,
                markdown, reply_to, sent_at_ms, received_at_ms, delivered_at_ms, seen_at_ms)
             VALUES (?1, ?2, ?3, ?4, 1, ?5, ?6, ?7, ?7, ?8, ?9, ?10, ?11, ?12, ?12, 0, 0)",
        )?
        .execute(params![
            id,
            message_id.as_bytes(),
            work.me.account.as_bytes(),
            work.me.device.as_bytes(),
            state as i64,
            NO_PLACE,
            counter,
            bytes,
            new.text,
            new.markdown,
            new.reply_to.as_ref().map_or(&[][..], |id| id.as_bytes()),
            work.now_ms
        ])?;
    let local = work.last_id();
    mark(work, local, &content)?;
    insert_files(work, local, &content, |position| {
        new.files
            .get(position)
            .map(|file| (file.attachment, file.name.clone()))
    })?;
    timer::set(work, local, expires, work.now_ms)?;
    outbox::push(work, id, local, &bytes, waits, work.now_ms)?;
    touch(work, id)?;
    work.tell(Change::Message(local));
    Ok((local, *message_id.as_bytes()))
}

fn id_of(
    row: &Conversation,
    sender: &Sender,
    bytes: &[u8],
    content: &MimiContent,
) -> Option<undertone_content::MessageId> {
    let (sender_uri, room) = uris(&sender.account, row);
    undertone_content::MessageId::of(bytes, &content.salt, &sender_uri, &room).ok()
}

/// Whether this message or action of theirs is here already.
pub(crate) fn is_known(
    work: &Work<'_>,
    row: &Conversation,
    sender: &Sender,
    bytes: &[u8],
    content: &MimiContent,
) -> Result<bool> {
    let Some(id) = id_of(row, sender, bytes, content) else {
        return Ok(false);
    };
    Ok(work
        .db
        .prepare_cached(
            "SELECT 1 FROM messages WHERE conversation = ?1 AND sender = ?2 AND message_id = ?3
             UNION ALL SELECT 1 FROM actions WHERE conversation = ?1 AND sender = ?2 AND message_id = ?3",
        )?
        .exists(params![row.id, sender.account.as_bytes(), id.as_bytes()])?)
}

/// Its author says that it stands here, where something is missing. As in [`receive`], what was said long ago stays in its place.
pub(crate) fn stand_at(
    work: &Work<'_>,
    row: &Conversation,
    sender: &Sender,
    bytes: &[u8],
    content: &MimiContent,
    place: Place,
) -> Result<()> {
    let Some(id) = id_of(row, sender, bytes, content) else {
        return Ok(());
    };
    work.db
        .prepare_cached(
            "UPDATE messages SET generation = ?4, number = ?5
             WHERE conversation = ?1 AND sender = ?2 AND message_id = ?3 AND generation <> ?6 AND received_at_ms > ?7",
        )?
        .execute(params![
            row.id,
            sender.account.as_bytes(),
            id.as_bytes(),
            place.generation,
            place.number,
            NO_PLACE,
            work.now_ms - MOVES_MS
        ])?;
    action::stand_at(work, row, sender, &id, place)?;
    if let Some(local) = local_id(work.db, row.id, id.as_bytes())? {
        work.tell(Change::Message(local));
    }
    Ok(())
}

/// Notes what its marks say.
fn mark(work: &Work<'_>, local: i64, content: &MimiContent) -> Result<()> {
    let view_once =
        content.is_marked(&ExtensionKey::VIEW_ONCE) && !content.shown().files.is_empty();
    let forwarded = content.is_marked(&ExtensionKey::FORWARDED);
    if view_once || forwarded {
        work.db
            .prepare_cached("UPDATE messages SET view_once = ?2, forwarded = ?3 WHERE id = ?1")?
            .execute(params![local, view_once, forwarded])?;
    }
    Ok(())
}

fn touch(work: &Work<'_>, conversation: i64) -> Result<()> {
    work.db
        .prepare_cached("UPDATE conversations SET changed_at_ms = ?2 WHERE id = ?1")?
        .execute(params![conversation, work.now_ms])?;
    Ok(())
}

/// Who sent something, as MLS says.
pub(crate) struct Sender {
    pub(crate) account: AccountId,
    pub(crate) device: DeviceId,
}

/// Puts a message from somebody (or from an earlier life of this device) into the chat. False if it was there before.
pub(crate) fn receive(
    work: &Work<'_>,
    row: &Conversation,
    sender: &Sender,
    bytes: &[u8],
    content: &MimiContent,
    place: Place,
) -> Result<bool> {
    let Some(message_id) = id_of(row, sender, bytes, content) else {
        return Ok(false);
    };
    let known: Option<i64> = work
        .db
        .prepare_cached(
            "SELECT id FROM messages WHERE conversation = ?1 AND sender = ?2 AND message_id = ?3",
        )?
        .query_row(
            params![row.id, sender.account.as_bytes(), message_id.as_bytes()],
            |row| row.get(0),
        )
        .optional()?;
    if let Some(known) = known {
        // What was sent twice stands where it stood last, for everybody: its author has seen that copy, and perhaps not the one before.
        // But nobody can take what was said long ago out of its place.
        let moved = work
            .db
            .prepare_cached(
                "UPDATE messages SET generation = ?2, number = ?3
                 WHERE id = ?1 AND (generation, number) < (?2, ?3) AND generation <> ?4 AND received_at_ms > ?5",
            )?
            .execute(params![
                known,
                place.generation,
                place.number,
                NO_PLACE,
                work.now_ms - MOVES_MS
            ])?;
        if moved > 0 {
            work.tell(Change::Message(known));
        }
        return Ok(false);
    }
    let (text, markdown) = text_of(content);
    if markdown && rich_text::has_too_many_mentions(&text) {
        ignored::note("message.mentions");
    }
    let mine = sender.account == work.me.account;
    let state = if mine { State::Sent } else { State::Received };
    let sent_at = timer::said_ms(work, content);
    work.db
        .prepare_cached(
            "INSERT INTO messages (conversation, message_id, sender, device, kind, state, generation, number, counter, content, text,
                markdown, reply_to, sent_at_ms, received_at_ms, delivered_at_ms, seen_at_ms)
             VALUES (?1, ?2, ?3, ?4, 1, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, 0, 0)",
        )?
        .execute(params![
            row.id,
            message_id.as_bytes(),
            sender.account.as_bytes(),
            sender.device.as_bytes(),
            state as i64,
            place.generation,
            place.number,
            content.device_counter().and_then(|counter| i64::try_from(counter).ok()).unwrap_or(0),
            bytes,
            text,
            markdown,
            content.in_reply_to.as_ref().map_or(&[][..], |id| id.as_bytes()),
            sent_at,
            work.now_ms
        ])?;
    let local = work.last_id();
    mark(work, local, content)?;
    insert_files(work, local, content, |_| None)?;
    downloads::came(work, row, local)?;
    timer::set(work, local, content.expires, sent_at)?;
    if mine {
        timer::begin(work, local)?;
        // What may be opened once is for the others; another device of this account sent it.
        erase::opened_once(work, local)?;
    } else {
        receipt::came(work, row, local)?;
        settings::message_came(work, row)?;
    }
    touch(work, row.id)?;
    work.tell(Change::Message(local));
    // What somebody did to it may have come before it.
    action::renew_if_acted_on(work, row.id, message_id.as_bytes())?;
    shared_apply::message_came(work, row, message_id.as_bytes())?;
    Ok(true)
}

/// What a message says, and whether it is Markdown.
pub(crate) fn text_of(content: &MimiContent) -> (String, bool) {
    let shown = content.shown();
    let texts: Vec<&str> = shown.texts.iter().map(|text| text.text).collect();
    if let Some(card) = shown.card.filter(|_| texts.is_empty()) {
        // So that it is found, quoted and told of like any text.
        return (card.name, false);
    }
    let text = if texts.iter().all(|text| text.is_empty()) && shown.files.is_empty() {
        "This message needs a newer version of the app.".to_owned()
    } else {
        texts.join("\n")
    };
    (text, shown.texts.iter().any(|text| text.markdown))
}

/// Rows for the files of a message; `own` gives the attachment and name of a file from this device.
fn insert_files(
    work: &Work<'_>,
    message: i64,
    content: &MimiContent,
    own: impl Fn(usize) -> Option<([u8; 16], String)>,
) -> Result<()> {
    for (position, file) in content.shown().files.iter().enumerate() {
        let own = own(position);
        let name = own
            .as_ref()
            .map_or_else(|| file.external.safe_filename(), |(_, name)| name.clone());
        work.db.execute(
            "INSERT INTO message_files (message, position, attachment, name, content_type, size, width, height, duration_ms, waveform, preview)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            params![
                message,
                i64::try_from(position).unwrap_or(i64::MAX),
                own.as_ref().map_or(&[][..], |(id, _)| &id[..]),
                name,
                file.external.content_type,
                i64::try_from(file.external.size).unwrap_or(i64::MAX),
                file.info.width.unwrap_or(0),
                file.info.height.unwrap_or(0),
                file.info.duration_ms.and_then(|ms| i64::try_from(ms).ok()).unwrap_or(0),
                file.info.waveform.as_deref().unwrap_or(&[]),
                file.preview.unwrap_or(&[])
            ],
        )?;
    }
    Ok(())
}

/// A line that the chat says of itself, at a place.
pub(crate) fn add_notice(
    work: &Work<'_>,
    conversation: i64,
    notice: &Notice,
    place: Place,
) -> Result<()> {
    let text = notice.to_string();
    add_line(
        work,
        conversation,
        Kind::Notice,
        &text,
        &notice.encode(),
        place,
    )?;
    if !notice.is_of_devices() {
        touch(work, conversation)?;
    }
    Ok(())
}

/// A line that stands for a message that is missing.
pub(crate) fn add_gap(work: &Work<'_>, conversation: i64, place: Place) -> Result<i64> {
    let text = "A message is missing here.";
    add_line(work, conversation, Kind::Gap, text, &[], place)
}

/// A notice or a gap.
fn add_line(
    work: &Work<'_>,
    conversation: i64,
    kind: Kind,
    text: &str,
    notice: &[u8],
    place: Place,
) -> Result<i64> {
    work.db.execute(
        "INSERT INTO messages (conversation, message_id, sender, device, kind, state, generation, number, counter, content, text,
            notice, markdown, reply_to, sent_at_ms, received_at_ms, delivered_at_ms, seen_at_ms)
         VALUES (?1, ?2, x'', x'', ?3, 1, ?4, ?5, 0, x'', ?6, ?7, 0, x'', ?8, ?8, 0, 0)",
        params![
            conversation,
            work.random::<32>(),
            kind as i64,
            place.generation,
            place.number,
            text,
            notice,
            work.now_ms
        ],
    )?;
    let local = work.last_id();
    work.tell(Change::Message(local));
    Ok(local)
}

/// A message of this device got on.
pub(crate) fn set_state(work: &Work<'_>, local: i64, state: State) -> Result<()> {
    let changed = work
        .db
        .prepare_cached(
            "UPDATE messages SET state = ?2 WHERE id = ?1 AND state <> ?2 AND state <> 6",
        )?
        .execute(params![local, state as i64])?;
    if changed > 0 {
        work.tell(Change::MessageState(local));
    }
    Ok(())
}

/// The own copy of a message came back: it has its place.
pub(crate) fn set_place(work: &Work<'_>, local: i64, place: Place) -> Result<()> {
    let view_once: Option<i64> = work
        .db
        .prepare_cached(
            "UPDATE messages SET state = 6, generation = ?2, number = ?3 WHERE id = ?1 AND state <> 6 RETURNING view_once",
        )?
        .query_row(params![local, place.generation, place.number], |row| row.get(0))
        .optional()?;
    timer::begin(work, local)?;
    if view_once == Some(1) {
        erase::opened_once(work, local)?;
    }
    work.tell(Change::MessageState(local));
    Ok(())
}

/// Where the message with this id is, in this conversation.
pub(crate) fn local_id(
    db: &rusqlite::Connection,
    conversation: i64,
    message_id: &[u8; 32],
) -> Result<Option<i64>> {
    Ok(db
        .prepare_cached("SELECT id FROM messages WHERE conversation = ?1 AND message_id = ?2")?
        .query_row(params![conversation, message_id], |row| row.get(0))
        .optional()?)
}
