//! `undertone mute`, `archive`, `pin`, `block`, `receipts`, `typing` and `downloads`: what is set on this account only.

use serde_json::json;
use undertone_core::{BlockedInfo, ChatChange, Choice, ContactChange, SettingsChange};

use super::{NEWS, Visit, select, with};
use crate::{
    cli::{
        args::{Global, Mute, OnOff, Receipts},
        output::{Outcome, Output},
    },
    failure::Failure,
    rpc::{
        methods::{ChatsGet, ChatsSet, ContactsBlocked, ContactsSet, SettingsGet, SettingsSet},
        params::{Nothing, OneChat, SetChat, SetContact},
    },
    terminal::{conversation, single_line, width},
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
        let known = select::contact(&mut visit.session, selector).await;
        let (id, name) = match known {
            Ok(contact) => (contact.id, contact.name),
            // Somebody who was refused and blocked is no contact.
            Err(unknown) if !blocked => {
                let all = visit.session.call::<ContactsBlocked>(Nothing {}).await?;
                let fits = |one: &BlockedInfo| one.id.as_str() == selector || one.name == selector;
                let found = all.into_iter().find(fits).ok_or(unknown)?;
                (found.id, found.name)
            }
            Err(unknown) => return Err(unknown),
        };
        let change = ContactChange {
            blocked: Some(blocked),
            ..ContactChange::default()
        };
        let set = SetContact {
            contact: id.clone(),
            change,
        };
        visit.session.call::<ContactsSet>(set).await?;
        let name = single_line(&name);
        let line = if blocked {
            format!(
                "{name} is blocked: what they write in your direct chat is dropped. They are not told."
            )
        } else {
            format!("{name} is not blocked.")
        };
        Ok(Outcome::line(
            json!({"contact": id, "blocked": blocked}),
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
                    let change = SettingsChange {
                        read_receipts: Some(setting != Receipts::Off),
                        ..SettingsChange::default()
                    };
                    visit.session.call::<SettingsSet>(change).await?;
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

/// Shows or sets whether one tells that one is writing.
pub(super) async fn typing(
    options: &Global,
    output: &Output,
    setting: Option<OnOff>,
) -> Result<Outcome, Failure> {
    let visit = Visit::begin(options, output, NEWS).await?;
    with!(visit, |visit| {
        if let Some(setting) = setting {
            let change = SettingsChange {
                typing: Some(setting == OnOff::On),
                ..SettingsChange::default()
            };
            visit.session.call::<SettingsSet>(change).await?;
        }
        let now = visit.session.call::<SettingsGet>(Nothing {}).await?;
        let word = if now.typing { "on" } else { "off, both ways" };
        Ok(Outcome::line(
            json!({"typing": now.typing}),
            format!("Telling that you are writing: {word}."),
        ))
    })
}

/// Shows or sets which files come by themselves.
pub(super) async fn downloads(
    options: &Global,
    output: &Output,
    up_to: Option<u32>,
    metered_up_to: Option<u32>,
    metered: Option<OnOff>,
) -> Result<Outcome, Failure> {
    let bytes = |megabytes: u32| u64::from(megabytes) * 1_000_000;
    let change = SettingsChange {
        download_bytes: up_to.map(bytes),
        download_metered_bytes: metered_up_to.map(bytes),
        metered: metered.map(|setting| setting == OnOff::On),
        ..SettingsChange::default()
    };
    let visit = Visit::begin(options, output, NEWS).await?;
    with!(visit, |visit| {
        if change != SettingsChange::default() {
            visit.session.call::<SettingsSet>(change).await?;
        }
        let now = visit.session.call::<SettingsGet>(Nothing {}).await?;
        let words = |limit: u64| match limit {
            0 => "none".to_owned(),
            limit => format!("up to {}", width::bytes(limit)),
        };
        let network = if now.metered {
            "costs"
        } else {
            "does not cost"
        };
        let line = format!(
            "Files that come by themselves: {}; where the network costs, {}. This network {network}.",
            words(now.download_bytes),
            words(now.download_metered_bytes)
        );
        let told = json!({
            "download_bytes": now.download_bytes,
            "download_metered_bytes": now.download_metered_bytes,
            "metered": now.metered,
        });
        Ok(Outcome::line(told, line))
    })
}
