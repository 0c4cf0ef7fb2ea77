//! Chats and messages for the tests of this folder.

use undertone_core::{Choice, ContactId, Quote, ReactionInfo, Role};

use super::*;

/// Sunday 22 November 2026, 12:00 UTC.
pub const NOON: i64 = 1_795_348_800_000;

pub fn account(name: &str) -> ContactId {
    let letter = name.bytes().next().map_or(b'a', |byte| b'a' + byte % 26) as char;
    format!("{}a", letter.to_string().repeat(51))
        .parse()
        .expect("account id")
}

pub fn chat(name: &str, kind: ChatKind) -> ChatInfo {
    ChatInfo {
        id: "aaaaaaaaaaaaaaaaaaaaaaaaaa".parse().expect("chat id"),
        kind,
        name: name.to_owned(),
        members: 2,
        unread: 0,
        last: None,
        my_role: Role::Owner,
        policy: None,
        state: undertone_core::ChatState::Active,
        epoch: 1,
        timer_s: None,
        muted_until_ms: None,
        archived: false,
        pinned: false,
        read_receipts: Choice::Default,
        draft: None,
    }
}

pub fn member(name: &str, is_me: bool) -> MemberInfo {
    MemberInfo {
        id: account(name),
        name: name.to_owned(),
        role: Role::Member,
        is_me,
        devices: 1,
        verified: false,
        uri: String::new(),
    }
}

pub fn text(name: &str, text: &str, sent_ms: i64) -> MessageInfo {
    MessageInfo {
        id: format!("01{:062x}", sent_ms.wrapping_mul(7919).rem_euclid(1 << 40))
            .parse()
            .expect("message id"),
        local_id: 1,
        chat: chat(name, ChatKind::Direct).id,
        sender: Some(account(name)),
        sender_name: name.to_owned(),
        mine: false,
        kind: MessageKind::Message,
        text: text.to_owned(),
        notice: None,
        markdown: false,
        attachments: Vec::new(),
        sent_ms,
        received_ms: sent_ms,
        state: MessageState::Received,
        order: None,
        in_reply_to: None,
        quote: None,
        edits: 0,
        edited_ms: None,
        deleted: false,
        timer_s: None,
        expires_ms: None,
        rich: None,
        mentions: Vec::new(),
        pinned: false,
        forwarded: false,
        card: None,
        location: None,
        view_once: false,
        opened: false,
        delivered_to: 0,
        read_by: 0,
        reactions: Vec::new(),
    }
}

pub fn quote(of: &MessageInfo) -> Quote {
    Quote {
        id: of.id.clone(),
        local_id: Some(of.local_id),
        sender_name: of.sender_name.clone(),
        mine: of.mine,
        text: of.text.clone(),
        files: 0,
        deleted: false,
    }
}

pub fn reaction(text: &str, names: &[&str]) -> ReactionInfo {
    ReactionInfo {
        text: text.to_owned(),
        people: names.iter().map(|name| account(name)).collect(),
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        mine: false,
    }
}

pub fn mine(words: &str, sent_ms: i64) -> MessageInfo {
    MessageInfo {
        mine: true,
        state: MessageState::Sent,
        ..text("Ada", words, sent_ms)
    }
}

pub fn notice(words: &str, sent_ms: i64) -> MessageInfo {
    MessageInfo {
        kind: MessageKind::Notice,
        sender: None,
        ..text("", words, sent_ms)
    }
}

pub fn file(name: &str, content_type: &str, size: u64) -> AttachmentInfo {
    AttachmentInfo {
        index: 0,
        name: name.to_owned(),
        content_type: content_type.to_owned(),
        size,
        width: None,
        height: None,
        duration_ms: None,
        waveform: Vec::new(),
        preview: None,
        here: false,
        transfer: None,
    }
}
