//! `undertone search`.

use serde_json::json;
use undertone_core::{ChatId, ChatPage, ContactId, Search, SearchKind};

use super::{NEWS, Visit, select, with};
use crate::{
    cli::{
        args::{Global, Sort, When},
        output::{Outcome, Output},
    },
    failure::Failure,
    rpc::{
        methods::{AccountGet, ChatsList, ChatsMembers, MessagesSearch},
        params::{Nothing, OneChat},
    },
    session::Session,
    terminal::conversation,
};

pub(super) struct Wanted {
    pub text: String,
    pub chat: Option<String>,
    pub from: Option<String>,
    pub kind: Option<Sort>,
    pub since: Option<When>,
    pub until: Option<When>,
    pub limit: u32,
}

/// Oneself, a contact, or somebody who is in the chat.
async fn person(
    session: &mut Session,
    selector: &str,
    chat: Option<&ChatId>,
) -> Result<ContactId, Failure> {
    if selector == "me" {
        return Ok(session.call::<AccountGet>(Nothing {}).await?.account_id);
    }
    match (select::contact(session, selector).await, chat) {
        (Err(failure), Some(chat)) if failure.code == "contact.unknown" => {
            let of = OneChat { chat: chat.clone() };
            let members = session.call::<ChatsMembers>(of).await?;
            Ok(select::member(&members, selector)?.id)
        }
        (found, _) => Ok(found?.id),
    }
}

pub(super) async fn search(
    options: &Global,
    output: &Output,
    wanted: Wanted,
) -> Result<Outcome, Failure> {
    let nothing = wanted.text.trim().is_empty()
        && wanted.chat.is_none()
        && wanted.from.is_none()
        && wanted.kind.is_none();
    if nothing {
        return Err(Failure::usage(
            "Say what to find: words, --chat, --from or --kind.",
        ));
    }
    let moment = |when: Option<When>| match when {
        None => Ok(None),
        Some(When::Ago(seconds)) => {
            let ms = i64::try_from(seconds.saturating_mul(1000)).unwrap_or(i64::MAX);
            Ok(Some(output.clock.now_ms().saturating_sub(ms)))
        }
        Some(When::At(when)) => match output.clock.at_ms(when) {
            None => Err(Failure::usage("There is no such moment.")),
            some => Ok(some),
        },
    };
    let (from_ms, to_ms) = (moment(wanted.since)?, moment(wanted.until)?);
    let visit = Visit::begin(options, output, NEWS).await?;
    with!(visit, |visit| {
        let chat = match &wanted.chat {
            Some(selector) => Some(select::chat(&mut visit.session, selector).await?.id),
            None => None,
        };
        let sender = match &wanted.from {
            Some(selector) => Some(person(&mut visit.session, selector, chat.as_ref()).await?),
            None => None,
        };
        let found = visit
            .session
            .call::<MessagesSearch>(Search {
                text: wanted.text.clone(),
                chat,
                sender,
                from_ms,
                to_ms,
                kind: wanted.kind.map(|kind| match kind {
                    Sort::Photo => SearchKind::Photo,
                    Sort::Video => SearchKind::Video,
                    Sort::Audio => SearchKind::Audio,
                    Sort::File => SearchKind::File,
                    Sort::Link => SearchKind::Link,
                }),
                limit: Some(wanted.limit),
                before: None,
            })
            .await?;
        let chats = visit.session.call::<ChatsList>(ChatPage::default()).await?;
        let lines = conversation::found(&found, &chats, output.screen, &output.clock);
        Ok(Outcome::new(json!(found), lines).with_notes(visit.offline_note()))
    })
}
