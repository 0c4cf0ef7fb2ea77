//! `undertone transfer` and `undertone send-again`.

use serde_json::json;
use undertone_core::{Delivery, Error, MessageState, Reason};

use super::{DELIVERY, NEWS, Visit, select, with};
use crate::{
    cli::{
        args::{Global, TransferArgs, TransferCommand},
        output::{Outcome, Output},
    },
    failure::Failure,
    rpc::{
        answers::Done,
        methods::{
            AttachmentsCancel, AttachmentsPause, AttachmentsResume, MessagesGet, MessagesSendAgain,
            Method, SyncSettle,
        },
        params::{ChosenFiles, ChosenMessage, OneMessage, Settle},
    },
    terminal::conversation,
};

pub(super) async fn transfer(
    options: &Global,
    output: &Output,
    command: TransferCommand,
) -> Result<Outcome, Failure> {
    match command {
        TransferCommand::Pause(of) => {
            wish::<AttachmentsPause>(options, output, &of, "Paused.").await
        }
        TransferCommand::Resume(of) => {
            let said = "Goes on, as long as an app is running here (`undertone watch`).";
            wish::<AttachmentsResume>(options, output, &of, said).await
        }
        TransferCommand::Cancel(of) => {
            wish::<AttachmentsCancel>(options, output, &of, "Cancelled.").await
        }
    }
}

async fn wish<M: Method<Params = ChosenFiles, Answer = Done>>(
    options: &Global,
    output: &Output,
    of: &TransferArgs,
    said: &str,
) -> Result<Outcome, Failure> {
    let visit = Visit::begin(options, output, NEWS).await?;
    with!(visit, |visit| {
        let chat = select::chat(&mut visit.session, &of.chat).await?;
        let message = select::message(&mut visit.session, &chat, &of.message).await?;
        visit
            .session
            .call::<M>(ChosenFiles {
                chat: chat.id.clone(),
                message: message.id.clone(),
                index: of.number.map(|number| number - 1),
            })
            .await?;
        let message = visit
            .session
            .call::<MessagesGet>(OneMessage {
                chat: chat.id.clone(),
                message: message.id.to_string(),
            })
            .await?;
        Ok(Outcome::line(json!({"message": message}), said.to_owned()))
    })
}

pub(super) async fn send_again(
    options: &Global,
    output: &Output,
    chat: &str,
    message: &str,
) -> Result<Outcome, Failure> {
    let visit = Visit::begin(options, output, NEWS).await?;
    with!(visit, |visit| {
        let chat = select::chat(&mut visit.session, chat).await?;
        let message = select::message(&mut visit.session, &chat, message).await?;
        let mut sent = visit
            .session
            .call::<MessagesSendAgain>(ChosenMessage {
                chat: chat.id.clone(),
                message: message.id.clone(),
            })
            .await?;
        if visit.is_online() {
            let limit_ms = u64::try_from(DELIVERY.as_millis()).ok();
            let settled = visit
                .session
                .call::<SyncSettle>(Settle { limit_ms })
                .await?;
            visit.has_waited = true;
            // Somebody may have cancelled it again, or its files could not be sent.
            let now = visit
                .session
                .call::<MessagesGet>(OneMessage {
                    chat: chat.id.clone(),
                    message: sent.message.to_string(),
                })
                .await?;
            if now.state == MessageState::Failed {
                return Err(Error::from(Reason::MessageNotSent).into());
            }
            if settled.online && settled.outbox_left == 0 {
                sent.state = Delivery::Accepted;
            }
        }
        let line = match sent.state {
            Delivery::Accepted => format!(
                "Sent to {}: the server has it on disk.",
                conversation::title(&chat)
            ),
            Delivery::Queued => format!(
                "Queued for {}: the next command or `undertone watch` sends it.",
                conversation::title(&chat)
            ),
        };
        Ok(Outcome::line(json!(sent), line))
    })
}
