//! `undertone edit`, `delete`, `react`, `history` and `who-read`.

use serde_json::json;
use undertone_core::{ChatId, ChatInfo, MessageId, MessageInfo};

use super::{DELIVERY, NEWS, Visit, messages::text_from_stdin, select, with};
use crate::{
    cli::{
        args::{Global, WhoReadArgs},
        output::{Outcome, Output},
    },
    failure::Failure,
    rpc::{
        methods::{
            MessagesDelete, MessagesEdit, MessagesForward, MessagesGet, MessagesHistory,
            MessagesPin, MessagesPinned, MessagesReact, MessagesReceipts, Method, SyncSettle,
        },
        params::{
            ChosenMessage, DeleteMessage, EditMessage, Forward, OneChat, OneMessage, PinMessage,
            React, Settle,
        },
    },
    terminal::{conversation, single_line},
};

/// The message as it is now, once the server has what was done to it, or it is known that it waits.
async fn done(
    visit: &mut Visit,
    chat: &ChatInfo,
    message: &MessageInfo,
    what: &str,
) -> Result<Outcome, Failure> {
    let mut waits = true;
    if visit.is_online() {
        let limit_ms = u64::try_from(DELIVERY.as_millis()).ok();
        let settled = visit
            .session
            .call::<SyncSettle>(Settle { limit_ms })
            .await?;
        waits = !settled.online || settled.outbox_left > 0;
        visit.has_waited = true;
    }
    let message = visit
        .session
        .call::<MessagesGet>(OneMessage {
            chat: chat.id.clone(),
            message: message.id.to_string(),
        })
        .await?;
    let line = if waits {
        format!("{what} here; the next command or `undertone watch` tells the others.")
    } else {
        format!("{what} in {}.", conversation::title(chat))
    };
    Ok(Outcome::line(
        json!({"message": message, "waits": waits}),
        line,
    ))
}

/// Does one thing to a message, and says so.
async fn act<M: Method>(
    options: &Global,
    output: &Output,
    (chat, message): (&str, &str),
    params: impl Fn(ChatId, MessageId) -> M::Params,
    what: &str,
) -> Result<Outcome, Failure> {
    let visit = Visit::begin(options, output, NEWS).await?;
    with!(visit, |visit| {
        let chat = select::chat(&mut visit.session, chat).await?;
        let message = select::message(&mut visit.session, &chat, message).await?;
        let params = params(chat.id.clone(), message.id.clone());
        visit.session.call::<M>(params).await?;
        done(visit, &chat, &message, what).await
    })
}

pub(super) async fn edit(
    options: &Global,
    output: &Output,
    chat: &str,
    message: &str,
    text: String,
    markdown: bool,
) -> Result<Outcome, Failure> {
    let text = if text == "-" {
        text_from_stdin()?
    } else {
        text
    };
    let params = |chat, message| EditMessage {
        chat,
        message,
        text: text.clone(),
        markdown,
    };
    act::<MessagesEdit>(options, output, (chat, message), params, "Edited").await
}

pub(super) async fn delete(
    options: &Global,
    output: &Output,
    chat: &str,
    message: &str,
    for_me: bool,
) -> Result<Outcome, Failure> {
    let params = |chat, message| DeleteMessage {
        chat,
        message,
        for_everyone: !for_me,
    };
    if !for_me {
        let what = "Deleted for everyone";
        return act::<MessagesDelete>(options, output, (chat, message), params, what).await;
    }
    let visit = Visit::begin(options, output, NEWS).await?;
    with!(visit, |visit| {
        let chat = select::chat(&mut visit.session, chat).await?;
        let message = select::message(&mut visit.session, &chat, message).await?;
        let params = params(chat.id.clone(), message.id.clone());
        visit.session.call::<MessagesDelete>(params).await?;
        Ok(Outcome::line(
            json!({"message": message.id, "waits": false}),
            "Deleted here.".to_owned(),
        ))
    })
}

pub(super) async fn react(
    options: &Global,
    output: &Output,
    chat: &str,
    message: &str,
    reaction: String,
    stands: bool,
) -> Result<Outcome, Failure> {
    let shown = single_line(reaction.trim());
    let what = if stands {
        format!("Reacted with {shown}")
    } else {
        format!("Took back {shown}")
    };
    let params = |chat, message| React {
        chat,
        message,
        text: reaction.clone(),
        stands,
    };
    act::<MessagesReact>(options, output, (chat, message), params, &what).await
}

pub(super) async fn pin(
    options: &Global,
    output: &Output,
    chat: &str,
    message: &str,
    pinned: bool,
) -> Result<Outcome, Failure> {
    let what = if pinned { "Pinned" } else { "Unpinned" };
    let params = |chat, message| PinMessage {
        chat,
        message,
        pinned,
    };
    act::<MessagesPin>(options, output, (chat, message), params, what).await
}

pub(super) async fn pinned(
    options: &Global,
    output: &Output,
    chat: &str,
) -> Result<Outcome, Failure> {
    let visit = Visit::begin(options, output, NEWS).await?;
    with!(visit, |visit| {
        let chat = select::chat(&mut visit.session, chat).await?;
        let pinned = visit
            .session
            .call::<MessagesPinned>(OneChat {
                chat: chat.id.clone(),
            })
            .await?;
        let chats = [chat];
        let lines = conversation::found(&pinned, &chats, output.screen, &output.clock);
        Ok(Outcome::new(json!(pinned), lines).with_notes(visit.offline_note()))
    })
}

pub(super) async fn forward(
    options: &Global,
    output: &Output,
    chat: &str,
    message: &str,
    to: &str,
) -> Result<Outcome, Failure> {
    let visit = Visit::begin(options, output, NEWS).await?;
    with!(visit, |visit| {
        let chat = select::chat(&mut visit.session, chat).await?;
        let to = select::chat(&mut visit.session, to).await?;
        let message = select::message(&mut visit.session, &chat, message).await?;
        let sent = visit
            .session
            .call::<MessagesForward>(Forward {
                chat: chat.id.clone(),
                message: message.id.clone(),
                to: to.id.clone(),
            })
            .await?;
        let copy = visit
            .session
            .call::<MessagesGet>(OneMessage {
                chat: to.id.clone(),
                message: sent.message.to_string(),
            })
            .await?;
        done(visit, &to, &copy, "Forwarded").await
    })
}

pub(super) async fn history(
    options: &Global,
    output: &Output,
    chat: &str,
    message: &str,
) -> Result<Outcome, Failure> {
    let visit = Visit::begin(options, output, NEWS).await?;
    with!(visit, |visit| {
        let chat = select::chat(&mut visit.session, chat).await?;
        let message = select::message(&mut visit.session, &chat, message).await?;
        let versions = visit
            .session
            .call::<MessagesHistory>(ChosenMessage {
                chat: chat.id.clone(),
                message: message.id.clone(),
            })
            .await?;
        let lines = conversation::versions(&versions, output.screen, &output.clock);
        Ok(Outcome::new(json!(versions), lines).with_notes(visit.offline_note()))
    })
}

pub(super) async fn who_read(
    options: &Global,
    output: &Output,
    wanted: &WhoReadArgs,
) -> Result<Outcome, Failure> {
    let visit = Visit::begin(options, output, NEWS).await?;
    with!(visit, |visit| {
        let chat = select::chat(&mut visit.session, &wanted.chat).await?;
        let message = select::message(&mut visit.session, &chat, &wanted.message).await?;
        let told = visit
            .session
            .call::<MessagesReceipts>(ChosenMessage {
                chat: chat.id.clone(),
                message: message.id.clone(),
            })
            .await?;
        let mut lines: Vec<String> = told
            .iter()
            .map(|one| {
                let name = single_line(&one.name);
                let when = |ms| output.clock.day_and_time(ms);
                match (one.read_ms, one.delivered_ms) {
                    (Some(read), _) => format!("{name} read it ({})", when(read)),
                    (None, Some(came)) => format!("{name} has it ({})", when(came)),
                    (None, None) => name,
                }
            })
            .collect();
        if lines.is_empty() {
            lines.push("Nobody has told anything of it.".to_owned());
        }
        Ok(Outcome::new(json!(told), lines).with_notes(visit.offline_note()))
    })
}
