//! `undertone mute`, `archive`, `pin`, `block` and `receipts`: what is set on this account only.

use serde_json::json;
use undertone_core::{ChatChange, Choice, ContactChange, Settings};

use super::{NEWS, Visit, select, with};
use crate::{
    cli::{
        args::{Global, Mute, Receipts},
        output::{Outcome, Output},
    },
    failure::Failure,
    rpc::{
        methods::{ChatsGet, ChatsSet, ContactsSet, SettingsGet, SettingsSet},
        params::{Nothing, OneChat, SetChat, SetContact},
    },
    terminal::{conversation, single_line},
};

pub(super) async fn mute(
    options: &Global,
    output: &Output,
    chat: &str,
    span: Mute,
) -> Result<Outcome, Failure> {
    let until = match span {
        Mute::Off => 0,
        Mute::Always => i64::MAX,
        Mute::For(seconds) => {
            let ms = i64::try_from(seconds.saturating_mul(1000)).unwrap_or(i64::MAX);
            output.clock.now_ms().saturating_add(ms)
        }
    };
    let change = ChatChange {
        muted_until_ms: Some(until),
        ..ChatChange::default()
    };
    self::chat(options, output, chat, change).await
}

pub(super) async fn chat(
    options: &Global,
    output: &Output,
    selector: &str,
    change: ChatChange,
) -> Result<Outcome, Failure> {
    let visit = Visit::begin(options, output, NEWS).await?;
    with!(visit, |visit| {
        let chat = select::chat(&mut visit.session, selector).await?.id;
        let set = SetChat {
            chat: chat.clone(),
            change,
        };
        visit.session.call::<ChatsSet>(set).await?;
        let now = visit.session.call::<ChatsGet>(OneChat { chat }).await?;
        let states = [
            (now.pinned, "pinned"),
            (now.muted_until_ms.is_some(), "muted"),
            (now.archived, "archived"),
        ];
        let states: Vec<&str> = states
            .into_iter()
            .filter_map(|(is, word)| is.then_some(word))
            .collect();
        let title = conversation::title(&now);
        let line = if states.is_empty() {
            format!("{title} is neither pinned, muted nor archived.")
        } else {
            format!("{title} is {}.", states.join(", "))
        };
        Ok(Outcome::line(json!(now), line))
    })
}

pub(super) async fn block(
    options: &Global,
    output: &Output,
    selector: &str,
    blocked: bool,
) -> Result<Outcome, Failure> {
    let visit = Visit::begin(options, output, NEWS).await?;
    with!(visit, |visit| {
        let contact = select::contact(&mut visit.session, selector).await?;
        let change = ContactChange {
            blocked: Some(blocked),
            ..ContactChange::default()
        };
        let set = SetContact {
            contact: contact.id.clone(),
            change,
        };
        visit.session.call::<ContactsSet>(set).await?;
        let name = single_line(&contact.name);
        let line = if blocked {
            format!(
                "{name} is blocked: what they write in your direct chat is dropped. They are not told."
            )
        } else {
            format!("{name} is not blocked.")
        };
        Ok(Outcome::line(
            json!({"contact": contact.id, "blocked": blocked}),
            line,
        ))
    })
}

fn choice(setting: Receipts) -> Choice {
    match setting {
        Receipts::On => Choice::On,
        Receipts::Off => Choice::Off,
        Receipts::Default => Choice::Default,
    }
}

pub(super) async fn receipts(
    options: &Global,
    output: &Output,
    setting: Option<Receipts>,
    chat: Option<String>,
    contact: Option<String>,
) -> Result<Outcome, Failure> {
    let visit = Visit::begin(options, output, NEWS).await?;
    with!(visit, |visit| {
        let (subject, choice) = match (&chat, &contact) {
            (Some(selector), _) => {
                let chat = select::chat(&mut visit.session, selector).await?;
                let mut now = chat.read_receipts;
                if let Some(setting) = setting {
                    now = choice(setting);
                    let change = ChatChange {
                        read_receipts: Some(now),
                        ..ChatChange::default()
                    };
                    let set = SetChat {
                        chat: chat.id.clone(),
                        change,
                    };
                    visit.session.call::<ChatsSet>(set).await?;
                }
                (conversation::title(&chat), now)
            }
            (None, Some(selector)) => {
                let contact = select::contact(&mut visit.session, selector).await?;
                let mut now = contact.read_receipts;
                if let Some(setting) = setting {
                    now = choice(setting);
                    let change = ContactChange {
                        read_receipts: Some(now),
                        ..ContactChange::default()
                    };
                    let set = SetContact {
                        contact: contact.id.clone(),
                        change,
                    };
                    visit.session.call::<ContactsSet>(set).await?;
                }
                (single_line(&contact.name), now)
            }
            (None, None) => {
                if let Some(setting) = setting {
                    // For all, the default is on.
                    let settings = Settings {
                        read_receipts: setting != Receipts::Off,
                    };
                    visit.session.call::<SettingsSet>(settings).await?;
                }
                let now = visit.session.call::<SettingsGet>(Nothing {}).await?;
                let choice = if now.read_receipts {
                    Choice::On
                } else {
                    Choice::Off
                };
                ("all chats".to_owned(), choice)
            }
        };
        let word = match choice {
            Choice::On => "on",
            Choice::Off => "off, both ways",
            Choice::Default => "as set for all chats",
        };
        Ok(Outcome::line(
            json!({"read_receipts": choice}),
            format!("Read receipts for {subject}: {word}."),
        ))
    })
}
