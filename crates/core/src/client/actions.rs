//! What is done to messages: new versions, deletions, reactions.
//!
//! All of it shows here at once and goes out in the order of the calls, like messages do.

use super::Client;
use crate::{
    error::Result,
    ids::{ChatId, MessageId},
    query,
    sync::{Work, act, conversation, erase, shared},
    view::*,
};

impl Client {
    /// Runs `act` on a message, in turn with what else is put into the outbox.
    async fn act(
        &self,
        chat: &ChatId,
        message: &MessageId,
        act: impl FnOnce(&Work<'_>, i64, &act::Target) -> Result<()> + Send + 'static,
    ) -> Result<()> {
        let _turn = self.inner.turn.lock().await;
        let (chat, message) = (chat.clone(), message.clone());
        self.write(move |work| {
            let row = query::conversation_of(work.db, &chat)?;
            let target = act::target(work, row.id, &message.bytes()?)?;
            act(work, row.id, &target)
        })
        .await
    }

    /// Gives an own message a new text; its files stay. Everybody sees that it was edited, and what it said before.
    ///
    /// # Errors
    /// `chat.*`, `message.unknown`, `message.not_yours`, `message.gone`, `message.empty`, `message.too_long`.
    pub async fn edit(
        &self,
        chat: &ChatId,
        message: &MessageId,
        text: &str,
        markdown: bool,
    ) -> Result<()> {
        let text = text.to_owned();
        self.act(chat, message, move |work, row, target| {
            act::edit(work, row, target, &text, markdown)
        })
        .await
    }

    /// Deletes an own message on everybody's devices; a line says that there was one.
    ///
    /// # Errors
    /// `chat.*`, `message.unknown`, `message.not_yours`.
    pub async fn delete_for_everyone(&self, chat: &ChatId, message: &MessageId) -> Result<()> {
        self.act(chat, message, act::delete).await
    }

    /// Deletes a message here, without a trace. Nobody else is told.
    ///
    /// # Errors
    /// `chat.unknown`, `message.unknown`.
    pub async fn delete_for_me(&self, chat: &ChatId, message: &MessageId) -> Result<()> {
        self.act(chat, message, |work, row, target| {
            let row = conversation::load(work.db, row)?;
            shared::put_gone(work, &row, target.id.as_bytes())?;
            erase::message(work, target.local, erase::Gone::Here)
        })
        .await
    }

    /// Reacts to a message (usually with one emoji), or takes that reaction back. Several reactions can stand.
    ///
    /// # Errors
    /// `chat.*`, `message.unknown`, `message.gone`, `message.reaction_invalid`.
    pub async fn react(
        &self,
        chat: &ChatId,
        message: &MessageId,
        text: &str,
        stands: bool,
    ) -> Result<()> {
        let text = text.to_owned();
        self.act(chat, message, move |work, row, target| {
            act::react(work, row, target, &text, stands)
        })
        .await
    }

    /// Pins a message for everybody in the chat, or ends that. In a group admins may.
    ///
    /// # Errors
    /// `chat.*`, `message.unknown`, `message.gone`, `group.forbidden`.
    pub async fn pin(&self, chat: &ChatId, message: &MessageId, pinned: bool) -> Result<()> {
        self.act(chat, message, move |work, row, target| {
            act::pin(work, row, target, pinned)
        })
        .await
    }

    /// The pinned messages of a chat, the one pinned last first.
    ///
    /// # Errors
    /// `chat.unknown`.
    pub async fn pinned(&self, chat: &ChatId) -> Result<Vec<MessageInfo>> {
        let chat = chat.clone();
        self.read(move |snapshot, engine| {
            let db = snapshot.connection();
            let row = query::conversation_of(db, &chat)?;
            query::pinned(db, &engine.me, row.id)
        })
        .await
    }

    /// All versions of a message, the first one first; none of one that was deleted.
    ///
    /// # Errors
    /// `chat.unknown`, `message.unknown`.
    pub async fn history(&self, chat: &ChatId, message: &MessageId) -> Result<Vec<Version>> {
        let found = self.message(chat, message.as_str()).await?;
        self.read(move |snapshot, _| query::history(snapshot.connection(), found.local_id))
            .await
    }
}
