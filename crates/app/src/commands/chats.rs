//! `undertone chats`, `undertone read`, `undertone draft` and `undertone export`.

use serde_json::json;
use undertone_core::{ChatPage, Delivery};

use super::{NEWS, Visit, contacts, messages::text_from_stdin, select, with};
use crate::{
    cli::{
        args::{DraftArgs, Global},
        output::{Outcome, Output},
    },
    failure::Failure,
    rpc::{
        methods::{
            ChatsExport, ChatsList, ChatsMarkRead, ChatsMembers, ChatsSetDraft, ChatsSetTimer,
            ContactsOtherAccounts, MessagesList,
        },
        params::{ChatTimer, ExportChat, ListMessages, Nothing, OneChat, ReadUpTo, SetDraft},
    },
    terminal::{chat_list, conversation, single_line},
};

pub(super) async fn list(options: &Global, output: &Output) -> Result<Outcome, Failure> {
    let visit = Visit::begin(options, output, NEWS).await?;
    with!(visit, |visit| {
        let chats = visit.session.call::<ChatsList>(ChatPage::default()).await?;
        let lines = chat_list::draw(&chats, output.screen, &output.clock);
        Ok(Outcome::new(json!(chats), lines).with_notes(visit.offline_note()))
    })
}

pub(super) async fn draft(
    options: &Global,
    output: &Output,
    wanted: DraftArgs,
) -> Result<Outcome, Failure> {
    let text = match wanted.text {
        Some(text) if text == "-" => Some(text_from_stdin()?),
        other => other,
    };
    let visit = Visit::begin(options, output, NEWS).await?;
    with!(visit, |visit| {
        let chat = select::chat(&mut visit.session, &wanted.chat).await?;
        let name = conversation::title(&chat);
        let Some(text) = &text else {
            let line = match &chat.draft {
                Some(draft) => draft.text.clone(),
                None => format!("Nothing was begun to be written to {name}."),
            };
            return Ok(Outcome::line(json!({"draft": chat.draft}), line));
        };
        let in_reply_to = match &wanted.reply_to {
            Some(answered) => Some(
                select::message(&mut visit.session, &chat, answered)
                    .await?
                    .id,
            ),
            None => None,
        };
        visit
            .session
            .call::<ChatsSetDraft>(SetDraft {
                chat: chat.id.clone(),
                text: text.clone(),
                in_reply_to,
            })
            .await?;
        let chat = select::chat(&mut visit.session, chat.id.as_str()).await?;
        let line = if chat.draft.is_some() {
            format!("Kept for {name}, on your devices only.")
        } else {
            format!("The draft for {name} is gone.")
        };
        Ok(Outcome::line(json!({"draft": chat.draft}), line))
    })
}

pub(super) async fn export(
    options: &Global,
    output: &Output,
    selector: &str,
    folder: &std::path::Path,
) -> Result<Outcome, Failure> {
    let folder = std::path::absolute(folder)
        .map_err(|error| Failure::file("The folder to export to", &error))?;
    let visit = Visit::begin(options, output, NEWS).await?;
    with!(visit, |visit| {
        let chat = select::chat(&mut visit.session, selector).await?;
        visit.progress.say("Writing pages and files");
        let exported = visit
            .session
            .call::<ChatsExport>(ExportChat {
                chat: chat.id.clone(),
                folder: folder.clone(),
            })
            .await?;
        let mut lines = vec![
            format!(
                "{} messages and {} files are in {}.",
                exported.messages,
                exported.files,
                single_line(&exported.index.display().to_string())
            ),
            "They are not encrypted: whoever can read the folder can read the conversation."
                .to_owned(),
        ];
        if exported.left_out > 0 {
            lines.push(format!(
                "Left out, because they disappear: {}.",
                exported.left_out
            ));
        }
        if exported.missing > 0 {
            lines.push(format!(
                "Files that could not be had: {}.",
                exported.missing
            ));
        }
        Ok(Outcome::prose(json!(exported), lines))
    })
}

pub(super) async fn timer(
    options: &Global,
    output: &Output,
    selector: &str,
    timer_s: u32,
) -> Result<Outcome, Failure> {
    let visit = Visit::begin(options, output, NEWS).await?;
    with!(visit, |visit| {
        let chat = select::chat(&mut visit.session, selector).await?;
        let answer = visit
            .session
            .call::<ChatsSetTimer>(ChatTimer {
                chat: chat.id.clone(),
                timer_s,
            })
            .await?;
        let title = conversation::title(&chat);
        let what = if timer_s == 0 {
            format!("New messages in {title} stay.")
        } else {
            format!("New messages in {title} disappear after they are read.")
        };
        let line = match answer.state {
            Delivery::Accepted => what,
            Delivery::Queued => {
                format!("Queued: as soon as the server has it. {what}")
            }
        };
        Ok(Outcome::line(json!(answer), line))
    })
}

pub(super) struct Reading {
    pub limit: u32,
    pub before: Option<i64>,
    /// From so many seconds ago on.
    pub since: Option<u64>,
    pub ids: bool,
    pub peek: bool,
}

/// Messages asked for at a time; the RPC gives at most 1,000.
const PAGE: u32 = 500;

pub(super) async fn read(
    options: &Global,
    output: &Output,
    selector: &str,
    reading: Reading,
) -> Result<Outcome, Failure> {
    let visit = Visit::begin(options, output, NEWS).await?;
    with!(visit, |visit| {
        let chat = select::chat(&mut visit.session, selector).await?;
        let members = visit
            .session
            .call::<ChatsMembers>(OneChat {
                chat: chat.id.clone(),
            })
            .await?;
        let mut messages = Vec::new();
        let mut before = reading.before;
        if let Some(seconds) = reading.since {
            let ms = i64::try_from(seconds.saturating_mul(1000)).unwrap_or(i64::MAX);
            messages = visit
                .session
                .call::<MessagesList>(ListMessages {
                    chat: chat.id.clone(),
                    limit: Some(reading.limit.min(PAGE)),
                    before: None,
                    from_ms: Some(output.clock.now_ms().saturating_sub(ms)),
                    after: None,
                    around: None,
                })
                .await?;
        }
        while reading.since.is_none() && messages.len() < reading.limit as usize {
            let left = reading.limit - u32::try_from(messages.len()).unwrap_or(reading.limit);
            let limit = left.min(PAGE);
            let mut page = visit
                .session
                .call::<MessagesList>(ListMessages {
                    chat: chat.id.clone(),
                    limit: Some(limit),
                    before,
                    from_ms: None,
                    after: None,
                    around: None,
                })
                .await?;
            let is_last = page.len() < limit as usize;
            before = page.first().map(|message| message.local_id);
            page.append(&mut messages);
            messages = page;
            if is_last || before.is_none() {
                break;
            }
        }
        if let (false, Some(last)) = (
            reading.peek,
            messages.iter().map(|message| message.local_id).max(),
        ) {
            visit
                .session
                .call::<ChatsMarkRead>(ReadUpTo {
                    chat: chat.id.clone(),
                    up_to_local_id: last,
                })
                .await?;
        }
        let view = conversation::View {
            chat: &chat,
            members: &members,
            messages: &messages,
            ids: reading.ids,
        };
        let lines = conversation::draw(&view, output.screen, &output.clock);
        let others = visit
            .session
            .call::<ContactsOtherAccounts>(Nothing {})
            .await?;
        Ok(Outcome::new(
            json!({"chat": chat, "members": members, "messages": messages}),
            lines,
        )
        .with_notes(contacts::other_account_notes(&others, &chat.id))
        .with_notes(visit.offline_note()))
    })
}
