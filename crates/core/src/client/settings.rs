//! What the owner sets for all chats, for one, or for one person, and drafts. Nobody else is told.

use std::collections::BTreeMap;

use undertone_mls::AccountId;

use super::{Client, RecoveryPhrase};
use crate::{
    error::{Reason, Result},
    ids::{ChatId, ContactId, MessageId},
    query,
    sync::{settings, unkept_phrase},
    view::*,
};

impl Client {
    /// What is set for all chats.
    ///
    /// # Errors
    /// `store.*`.
    pub async fn settings(&self) -> Result<Settings> {
        self.read(|snapshot, _| settings::all(snapshot.connection()))
            .await
    }

    /// Sets it.
    ///
    /// # Errors
    /// `store.*`.
    pub async fn set_settings(&self, change: SettingsChange) -> Result<()> {
        self.write(move |work| settings::set_all(work, &change))
            .await
    }

    /// What a user interface keeps for itself: small numbers by name.
    ///
    /// # Errors
    /// `store.*`.
    pub async fn preferences(&self) -> Result<BTreeMap<String, i32>> {
        self.read(|snapshot, _| settings::preferences(snapshot.connection()))
            .await
    }

    /// Keeps one of them.
    ///
    /// # Errors
    /// `settings.name_invalid`.
    pub async fn set_preference(&self, name: &str, value: i32) -> Result<()> {
        let name = name.to_owned();
        self.write(move |work| settings::set_preference(work, &name, value))
            .await
    }

    /// Holds the recovery phrase in the encrypted home until it is on paper.
    ///
    /// # Errors
    /// `store.*`.
    pub async fn hold_phrase(&self, phrase: &RecoveryPhrase) -> Result<()> {
        let phrase = phrase.clone();
        self.write(move |work| unkept_phrase::hold(work, &phrase))
            .await
    }

    /// The recovery phrase, if it is not on paper yet.
    ///
    /// # Errors
    /// `store.*`.
    pub async fn unkept_phrase(&self) -> Result<Option<RecoveryPhrase>> {
        self.read(|snapshot, _| unkept_phrase::held(snapshot.connection()))
            .await
    }

    /// The recovery phrase is on paper: it is held no longer.
    ///
    /// # Errors
    /// `store.*`.
    pub async fn phrase_is_kept(&self) -> Result<()> {
        self.write(unkept_phrase::forget).await
    }

    /// Mutes, archives or pins a chat, or sets its read receipts.
    ///
    /// # Errors
    /// `chat.unknown`.
    pub async fn set_chat(&self, chat: &ChatId, change: ChatChange) -> Result<()> {
        let chat = chat.clone();
        self.write(move |work| {
            let row = query::conversation_of(work.db, &chat)?;
            settings::set_chat(work, &row, &change)
        })
        .await
    }

    /// Blocks a person, or ends that, or sets read receipts with them.
    ///
    /// # Errors
    /// `contact.unknown`.
    pub async fn set_contact(&self, contact: &ContactId, change: ContactChange) -> Result<()> {
        let account = contact.bytes()?;
        self.write(move |work| {
            // Somebody who was refused and blocked is no contact, and can be forgiven.
            if query::contact(work.db, &account)?.is_none()
                && !settings::is_blocked(work.db, &AccountId::new(account))?
            {
                return Err(Reason::ContactUnknown.into());
            }
            let read_receipts = change.read_receipts.map(Choice::as_choice);
            settings::set_person(
                work,
                &AccountId::new(account),
                change.blocked,
                read_receipts,
            )
        })
        .await
    }

    /// Keeps what was begun to be written in a chat; an empty text ends it.
    ///
    /// # Errors
    /// `chat.unknown`, `message.too_long` (over 256 KiB).
    pub async fn set_draft(
        &self,
        chat: &ChatId,
        text: &str,
        in_reply_to: Option<&MessageId>,
    ) -> Result<()> {
        let (chat, text) = (chat.clone(), text.to_owned());
        let reply_to = in_reply_to.map(MessageId::bytes).transpose()?;
        self.write(move |work| {
            let row = query::conversation_of(work.db, &chat)?;
            settings::set_draft(work, &row, &text, reply_to.as_ref())
        })
        .await
    }

    /// What others told of a message of one's own, by name.
    ///
    /// # Errors
    /// `chat.unknown`, `message.unknown`.
    pub async fn receipts(&self, chat: &ChatId, message: &MessageId) -> Result<Vec<Receipt>> {
        let found = self.message(chat, message.as_str()).await?;
        self.read(move |snapshot, engine| {
            query::receipts(snapshot.connection(), &engine.me, found.local_id)
        })
        .await
    }
}
