//! `undertone search`.

use serde_json::json;
use undertone_core::{ChatPage, Search, SearchKind};

use super::{NEWS, Visit, select, with};
use crate::{
    cli::{
        args::{Global, Sort},
        output::{Outcome, Output},
    },
    failure::Failure,
    rpc::methods::{ChatsList, MessagesSearch},
    terminal::conversation,
};

pub(super) struct Wanted {
    pub text: String,
    pub chat: Option<String>,
    pub from: Option<String>,
    pub kind: Option<Sort>,
    /// Seconds ago.
    pub since: Option<u64>,
    /// Seconds ago.
    pub until: Option<u64>,
    pub limit: u32,
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
    let ago = |seconds: u64| {
        let ms = i64::try_from(seconds.saturating_mul(1000)).unwrap_or(i64::MAX);
        output.clock.now_ms().saturating_sub(ms)
    };
    let visit = Visit::begin(options, output, NEWS).await?;
    with!(visit, |visit| {
        let chat = match &wanted.chat {
            Some(selector) => Some(select::chat(&mut visit.session, selector).await?.id),
            None => None,
        };
        let sender = match &wanted.from {
            Some(selector) => Some(select::contact(&mut visit.session, selector).await?.id),
            None => None,
        };
        let found = visit
            .session
            .call::<MessagesSearch>(Search {
                text: wanted.text.clone(),
                chat,
                sender,
                from_ms: wanted.since.map(ago),
                to_ms: wanted.until.map(ago),
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
