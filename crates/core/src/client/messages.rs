//! Sending and reading messages.

use std::time::Duration;

use rusqlite::OptionalExtension as _;
use undertone_content::{ContactCard, MessageId as ContentId};

use super::Client;
use crate::{
    attachments::AttachmentId,
    error::{Reason, Result},
    ids::{ChatId, MessageId},
    query,
    sync::{
        card,
        message::{self, New, NewFile},
        receipt, shared, timer,
    },
    view::*,
};

/// How long [`Client::send`] waits for the server.
const WAIT: Duration = Duration::from_secs(15);
const LOOK: Duration = Duration::from_millis(10);
/// Lines read at once, at most.
const PAGE: u32 = 1000;

/// Whether it is a card or a place.
fn is_shared(draft: &Draft) -> bool {
    draft.contact.is_some() || draft.location.is_some()
}

pub(super) fn ids_of(files: &[NewFile]) -> Vec<AttachmentId> {
    let ids = files.iter();
    ids.filter_map(|file| AttachmentId::from_slice(&file.attachment))
        .collect()
}

/// A message that somebody else said first.
pub(super) struct Forwarded {
    /// The contact card that it is.
    card: Option<ContactCard>,
}

impl Client {
    /// Puts a message into the outbox, for good. The order of calls is the order of messages.
    ///
    /// # Errors
    /// `chat.*`, `message.empty`, `message.too_long`, `message.timer_invalid`, `message.mixed`, `message.location_invalid`, `message.card_other_link`,
    /// `contact.unknown`, `request.open`, `link.*`, `attachment.*`, `media.*`.
    pub async fn enqueue(&self, chat: &ChatId, draft: Draft) -> Result<Sent> {
        // A fair lock: whoever called first writes first, however the threads that write are scheduled.
        let _turn = self.inner.turn.lock().await;
        if is_shared(&draft) && !draft.attachments.is_empty() {
            return Err(Reason::MessageMixed.into());
        }
        let files = self.import(&draft.attachments).await?;
        let taken = ids_of(&files);
        let sent = self.enqueue_with(chat, draft, files, None).await;
        self.kept_if_sent(sent, taken).await
    }

    /// What was taken in for a message that was not written goes.
    async fn kept_if_sent(&self, sent: Result<Sent>, taken: Vec<AttachmentId>) -> Result<Sent> {
        if sent.is_err() {
            self.discard(taken).await;
        }
        sent
    }

    /// Says again, in another chat, what a message says, with its files. Who said it first is not told.
    ///
    /// # Errors
    /// `chat.*`, `message.unknown`, `message.gone` (deleted, or to be opened once), `attachment.*`, `connection.offline` if a
    /// file is not here and the server can't be reached.
    pub async fn forward(&self, from: &ChatId, message: &MessageId, to: &ChatId) -> Result<Sent> {
        let _turn = self.inner.turn.lock().await;
        let found = self.message(from, message.as_str()).await?;
        if found.deleted || found.view_once {
            return Err(Reason::MessageGone.into());
        }
        let files = self.copy_files(&found).await?;
        // A link was given for one chat; whoever wants to pass it on asks the person.
        let card = match found.card {
            Some(card) => Some(ContactCard {
                account: card.account.bytes()?,
                name: card.name,
                link: None,
            }),
            None => None,
        };
        let draft = Draft {
            text: Some(found.text),
            markdown: found.markdown,
            ..Draft::default()
        };
        let taken = ids_of(&files);
        let forwarded = Some(Forwarded { card });
        let sent = self.enqueue_with(to, draft, files, forwarded).await;
        self.kept_if_sent(sent, taken).await
    }

    pub(super) async fn enqueue_with(
        &self,
        chat: &ChatId,
        draft: Draft,
        files: Vec<NewFile>,
        forwarded: Option<Forwarded>,
    ) -> Result<Sent> {
        let is_more = draft.text.as_ref().is_some_and(|text| !text.is_empty())
            || !files.is_empty()
            || (draft.contact.is_some() && draft.location.is_some())
            || draft.view_once
            || draft.markdown;
        if is_shared(&draft) && is_more {
            return Err(Reason::MessageMixed.into());
        }
        let chat = chat.clone();
        let attachments = self.inner.attachments.clone();
        self.write(move |work| {
            let row = query::conversation_of(work.db, &chat)?;
            let reply_to = draft
                .in_reply_to
                .as_ref()
                .map(|id| {
                    let bytes = id.bytes()?;
                    message::local_id(work.db, row.id, &bytes)?.ok_or(Reason::MessageUnknown)?;
                    Ok::<_, crate::Error>(
                        ContentId::from_bytes(bytes).map_err(|_| Reason::MessageUnknown)?,
                    )
                })
                .transpose()?;
            let expires = draft
                .expires
                .map(|expires| expires.content(work.now_ms))
                .transpose()?;
            for file in &files {
                if let Some(id) = AttachmentId::from_slice(&file.attachment) {
                    attachments.accept(work.tx, &id)?;
                }
            }
            let is_forwarded = forwarded.is_some();
            let card = match (forwarded, &draft.contact) {
                (Some(Forwarded { card }), _) => card,
                (None, Some(shared)) => Some(card::of_contact(work, shared)?),
                (None, None) => None,
            };
            let text = match (&card, &draft.location) {
                (Some(card), _) => card.name.clone(),
                (None, Some(place)) => place.uri()?,
                (None, None) => draft.text.unwrap_or_default(),
            };
            let (local_id, id) = message::enqueue(
                work,
                row.id,
                New {
                    text,
                    markdown: draft.markdown,
                    reply_to,
                    files,
                    expires,
                    view_once: draft.view_once,
                    forwarded: is_forwarded,
                    card,
                },
            )?;
            Ok(Sent {
                message: MessageId::from_bytes(&id),
                local_id,
                state: Delivery::Queued,
            })
        })
        .await
    }

    /// Waits until the server has a message on its disk, at most `limit`.
    ///
    /// # Errors
    /// `message.unknown`; `message.not_sent` if it will not go because it failed, or somebody cancelled it meanwhile.
    pub async fn wait_sent(
        &self,
        _chat: &ChatId,
        local_id: i64,
        limit: Duration,
    ) -> Result<Delivery> {
        let deadline = tokio::time::Instant::now() + limit;
        loop {
            let state = self
                .read(move |snapshot, _| {
                    Ok(snapshot
                        .connection()
                        .prepare_cached("SELECT state FROM messages WHERE id = ?1")?
                        .query_row([local_id], |row| row.get::<_, i64>(0))
                        .optional()?
                        .ok_or(Reason::MessageUnknown)?)
                })
                .await?;
            if state == message::State::Accepted as i64 || state == message::State::Sent as i64 {
                return Ok(Delivery::Accepted);
            }
            if state == message::State::Failed as i64 {
                return Err(Reason::MessageNotSent.into());
            }
            if !self.inner.driver.runs()
                || self.is_unreachable()
                || tokio::time::Instant::now() >= deadline
            {
                return Ok(Delivery::Queued);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// [`Client::enqueue`], then [`Client::wait_sent`] for 15 seconds.
    ///
    /// # Errors
    /// As both.
    pub async fn send(&self, chat: &ChatId, draft: Draft) -> Result<Sent> {
        let sent = self.enqueue(chat, draft).await?;
        let state = self.wait_sent(chat, sent.local_id, WAIT).await?;
        Ok(Sent { state, ..sent })
    }

    /// Lines of a chat, oldest first.
    ///
    /// # Errors
    /// `chat.unknown`.
    pub async fn messages(&self, chat: &ChatId, page: Page) -> Result<Vec<MessageInfo>> {
        self.expire().await?;
        let chat = chat.clone();
        self.read(move |snapshot, engine| {
            let db = snapshot.connection();
            let row = query::conversation_of(db, &chat)?;
            query::messages(db, &engine.me, &row, page.limit.min(PAGE), page.before)
        })
        .await
    }

    /// Lines of a chat, oldest first, from the first message that says it was written at that moment (Unix milliseconds) or after.
    ///
    /// # Errors
    /// `chat.unknown`.
    pub async fn messages_from(
        &self,
        chat: &ChatId,
        from_ms: i64,
        limit: u32,
    ) -> Result<Vec<MessageInfo>> {
        self.expire().await?;
        let chat = chat.clone();
        self.read(move |snapshot, engine| {
            let db = snapshot.connection();
            let row = query::conversation_of(db, &chat)?;
            query::messages_from(db, &engine.me, &row, from_ms, limit.min(PAGE))
        })
        .await
    }

    /// The lines of a chat after the one with this `local_id`, oldest first. Nothing if the chat has no such line.
    ///
    /// # Errors
    /// `chat.unknown`.
    pub async fn messages_after(
        &self,
        chat: &ChatId,
        after: i64,
        limit: u32,
    ) -> Result<Vec<MessageInfo>> {
        self.expire().await?;
        let chat = chat.clone();
        self.read(move |snapshot, engine| {
            let db = snapshot.connection();
            let row = query::conversation_of(db, &chat)?;
            query::messages_after(db, &engine.me, &row, after, limit.min(PAGE))
        })
        .await
    }

    /// The line of a chat with this `local_id` and those on both sides of it, oldest first: half of `limit` (rounded down) before it, the rest
    /// from it on. Nothing if the chat has no such line.
    ///
    /// # Errors
    /// `chat.unknown`.
    pub async fn messages_around(
        &self,
        chat: &ChatId,
        around: i64,
        limit: u32,
    ) -> Result<Vec<MessageInfo>> {
        self.expire().await?;
        let chat = chat.clone();
        self.read(move |snapshot, engine| {
            let db = snapshot.connection();
            let row = query::conversation_of(db, &chat)?;
            query::messages_around(db, &engine.me, &row, around, limit.min(PAGE))
        })
        .await
    }

    /// Looks for messages, the newest first.
    ///
    /// # Errors
    /// `chat.unknown`, `contact.unknown`.
    pub async fn search(&self, search: Search) -> Result<Vec<MessageInfo>> {
        self.expire().await?;
        if !self
            .read(|snapshot, _| query::is_indexed(snapshot.connection()))
            .await?
        {
            self.write(|work| query::index(work.db)).await?;
        }
        self.read(move |snapshot, engine| query::search(snapshot.connection(), &engine.me, &search))
            .await
    }

    /// Erases what has had its time, so that nothing is shown a moment too long.
    pub(super) async fn expire(&self) -> Result<()> {
        let any = self
            .read(|snapshot, _| timer::waits(snapshot.connection()))
            .await?;
        if any {
            self.write(timer::tick).await?;
        }
        Ok(())
    }

    /// The message that an id, or the beginning of one (at least 4 characters), means.
    ///
    /// # Errors
    /// `chat.unknown`, `message.unknown`, `message.ambiguous`.
    pub async fn message(&self, chat: &ChatId, id: &str) -> Result<MessageInfo> {
        let chat = chat.clone();
        let id = id.to_owned();
        self.read(move |snapshot, engine| {
            let db = snapshot.connection();
            let row = query::conversation_of(db, &chat)?;
            query::find_message(db, &engine.me, &row, &id)
        })
        .await
    }

    /// Notes that everything up to this line was read: the time of messages that disappear begins, and
    /// their authors are told where read receipts are on.
    ///
    /// # Errors
    /// `chat.unknown`.
    pub async fn mark_read(&self, chat: &ChatId, up_to_local_id: i64) -> Result<()> {
        let chat = chat.clone();
        self.write(move |work| {
            let row = query::conversation_of(work.db, &chat)?;
            let before: i64 = work.db.query_row(
                "SELECT read_up_to FROM conversations WHERE id = ?1",
                [row.id],
                |found| found.get(0),
            )?;
            work.db.execute(
                "UPDATE conversations SET read_up_to = max(read_up_to, ?2) WHERE id = ?1",
                [row.id, up_to_local_id],
            )?;
            receipt::read_up_to(work, &row, before, up_to_local_id)?;
            timer::read_up_to(work, &row, up_to_local_id)?;
            shared::put_read(work, &row)?;
            work.tell(crate::sync::change::Change::Chat(row.id));
            Ok(())
        })
        .await
    }
}
