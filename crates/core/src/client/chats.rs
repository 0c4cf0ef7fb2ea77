//! Reading chats.

use super::Client;
use crate::{
    error::{Reason, Result},
    ids::ChatId,
    query,
    sync::{add, conversation, typing},
    view::*,
};

impl Client {
    /// All chats: pinned ones first, archived ones last, each by their newest line.
    ///
    /// # Errors
    /// `store.*`.
    pub async fn chats(&self) -> Result<Vec<ChatInfo>> {
        self.chats_of(ChatPage::default()).await
    }

    /// Some of the chats, in the same order.
    ///
    /// # Errors
    /// `store.*`; `chat.unknown` if something that is no chat's id is to be left out.
    pub async fn chats_of(&self, page: ChatPage) -> Result<Vec<ChatInfo>> {
        self.read(move |snapshot, engine| query::chats(snapshot.connection(), &engine.me, &page))
            .await
    }

    /// Tells whoever is there that this account is writing, if that is on, the chat is direct or a group of at most 32, and it was not
    /// told in the last four seconds. To be called while somebody types; nothing of it is kept or tried again.
    ///
    /// # Errors
    /// `chat.unknown`.
    pub async fn typing(&self, chat: &ChatId) -> Result<()> {
        let wanted = chat.clone();
        let id = self
            .read(move |snapshot, _| Ok(query::conversation_of(snapshot.connection(), &wanted)?.id))
            .await?;
        if self.is_unreachable() || !self.inner.typed.may(id, self.inner.engine.pace.typing) {
            return Ok(());
        }
        let send = self
            .write(move |work| typing::compose(work, &conversation::load(work.db, id)?))
            .await?;
        if let Some(send) = send {
            self.inner.driver.shared.ephemerals.push(send);
            self.inner.engine.duties.send_modify(|count| *count += 1);
        }
        Ok(())
    }

    /// One chat.
    ///
    /// # Errors
    /// `chat.unknown`.
    pub async fn chat(&self, chat: &ChatId) -> Result<ChatInfo> {
        let chat = chat.clone();
        self.read(move |snapshot, engine| {
            let db = snapshot.connection();
            query::chat(db, &engine.me, &query::conversation_of(db, &chat)?)
        })
        .await
    }

    /// The chat that a name, the beginning of one, an id, a contact or `notes` means.
    ///
    /// # Errors
    /// `chat.unknown`, `chat.ambiguous`.
    pub async fn find_chat(&self, selector: &str) -> Result<ChatInfo> {
        let wanted = selector.to_owned();
        let found = self
            .read(move |snapshot, engine| {
                query::find_chat(snapshot.connection(), &engine.me, &wanted)
            })
            .await;
        match found {
            Err(error)
                if error.is(Reason::ChatUnknown)
                    && selector.trim().eq_ignore_ascii_case("notes") =>
            {
                self.notes().await
            }
            other => other,
        }
    }

    /// The notes to oneself, made when they are first asked for.
    async fn notes(&self) -> Result<ChatInfo> {
        let id = self
            .write(|work| {
                let known: Option<i64> = work.db.query_row(
                    "SELECT min(id) FROM conversations WHERE kind = 3",
                    [],
                    |row| row.get(0),
                )?;
                match known {
                    Some(id) => Ok(id),
                    // The account has notes already; they come with the other devices' group.
                    None if crate::joining::get(work.db)?.is_some() => {
                        Err(Reason::LinkingUnfinished.into())
                    }
                    None => add::create(work, undertone_mls::Kind::Notes, "", None),
                }
            })
            .await?;
        self.read(move |snapshot, engine| {
            let db = snapshot.connection();
            query::chat(db, &engine.me, &conversation::load(db, id)?)
        })
        .await
    }

    /// Who is in a chat.
    ///
    /// # Errors
    /// `chat.unknown`.
    pub async fn members(&self, chat: &ChatId) -> Result<Vec<MemberInfo>> {
        let chat = chat.clone();
        self.read(move |snapshot, engine| {
            let db = snapshot.connection();
            query::members(db, &engine.me, query::conversation_of(db, &chat)?.id)
        })
        .await
    }
}
