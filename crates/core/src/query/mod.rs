//! Reading: rows of the store as [`crate::view`] shows them.
//!
//! Nothing here changes anything; every call sees one moment of the store. Contacts, links and chats are here, messages in `messages`,
//! looking for them in `search`.

mod messages;
mod people;
mod search;
mod storage;

#[cfg(test)]
pub(crate) use messages::chat_queries;
pub(crate) use messages::{
    find_message, history, message_by_row, messages, messages_after, messages_around,
    messages_from, pinned, receipts,
};
pub(crate) use people::{blocked, find_request, invites, join_requests, report, reports, requests};
pub(crate) use search::{index, is_indexed, search};
pub(crate) use storage::{removable, storage};

use std::collections::HashSet;

use rusqlite::{Connection, OptionalExtension as _, Row, params};
use undertone_mls::{AccountId, Act};

use crate::{
    error::{Reason, Result},
    ids::{ChatId, ContactId, LinkId, MessageId},
    sync::{
        account::Me,
        add,
        change::Change,
        conversation::{self, role_from_number},
        policy,
    },
    view::*,
};

/// An event from what a transaction changed; None if it is gone again.
pub(crate) fn event(db: &Connection, me: &Me, change: Change) -> Option<Event> {
    match change {
        Change::Message(local) => {
            let message = message_by_row(db, me, local).ok()??;
            if conversation_of(db, &message.chat).ok()?.request {
                return Some(Event::Requested { chat: message.chat });
            }
            Some(Event::Message {
                chat: message.chat.clone(),
                message: Box::new(message),
            })
        }
        Change::MessageState(local) => {
            let message = message_by_row(db, me, local).ok()??;
            Some(Event::MessageChanged {
                chat: message.chat,
                message: message.id,
                state: message.state,
            })
        }
        Change::Chat(id) => Some(Event::ChatChanged {
            chat: chat_id(db, id).ok()?,
        }),
        Change::Request(id) => Some(Event::Requested {
            chat: chat_id(db, id).ok()?,
        }),
        Change::Typing(id, account) => {
            let contact = AccountId::new(account);
            Some(Event::Typing {
                chat: chat_id(db, id).ok()?,
                name: conversation::name_of(db, id, &contact).ok()?,
                contact: ContactId::from_bytes(&account),
                for_ms: TYPING_SHOWN_MS,
            })
        }
        Change::ContactAdded(account) => Some(Event::ContactAdded {
            contact: contact(db, &account).ok()??,
        }),
        Change::Contact(account) => Some(Event::ContactChanged {
            contact: ContactId::from_bytes(&account),
        }),
        Change::Linking => Some(Event::LinkingChanged),
        Change::History => Some(Event::HistoryChanged),
        Change::Devices => Some(Event::DevicesChanged),
        Change::Announcements => Some(Event::AnnouncementsChanged),
        Change::Settings(part) => Some(Event::SettingsChanged { part }),
        Change::Removed => Some(Event::DeviceRemoved),
        Change::Clock(off_s) => Some(Event::ClockWarning { off_s }),
    }
}

pub(crate) fn chat_id(db: &Connection, id: i64) -> Result<ChatId> {
    Ok(ChatId::from_bytes(
        conversation::load(db, id)?.group.as_bytes(),
    ))
}

/// The conversation of a chat id.
pub(crate) fn conversation_of(
    db: &Connection,
    chat: &ChatId,
) -> Result<conversation::Conversation> {
    Ok(conversation::by_group(db, &chat.bytes()?)?.ok_or(Reason::ChatUnknown)?)
}

// ---- contacts

const CONTACT: &str = "SELECT c.account_id, c.name, c.verified, c.state, c.added_at_ms, v.group_id,
    coalesce(p.blocked, 0), coalesce(p.read_receipts, 0), coalesce(v.request, 0)
    FROM contacts c LEFT JOIN conversations v ON v.id = c.conversation LEFT JOIN people p ON p.account_id = c.account_id";

fn contact_row(row: &Row<'_>) -> rusqlite::Result<ContactInfo> {
    Ok(ContactInfo {
        id: ContactId::from_bytes(&row.get::<_, Vec<u8>>(0)?),
        name: row.get(1)?,
        verified: row.get(2)?,
        state: match (row.get::<_, i64>(3)?, row.get::<_, bool>(8)?) {
            (2, true) => ContactState::Request,
            (2, false) => ContactState::Ready,
            _ => ContactState::Pending,
        },
        added_ms: row.get(4)?,
        chat: row
            .get::<_, Option<Vec<u8>>>(5)?
            .map(|group| ChatId::from_bytes(&group)),
        blocked: row.get(6)?,
        read_receipts: choice(row.get(7)?),
    })
}

/// As stored.
fn choice(value: i64) -> Choice {
    match value {
        1 => Choice::On,
        2 => Choice::Off,
        _ => Choice::Default,
    }
}

/// All contacts, by name.
pub(crate) fn contacts(db: &Connection) -> Result<Vec<ContactInfo>> {
    let mut statement = db.prepare_cached(&format!(
        "{CONTACT} WHERE coalesce(v.request, 0) = 0 ORDER BY c.name, c.account_id"
    ))?;
    let rows = statement
        .query_map([], contact_row)?
        .collect::<std::result::Result<Vec<_>, _>>()?;
    Ok(rows)
}

/// One contact.
pub(crate) fn contact(db: &Connection, account: &[u8; 32]) -> Result<Option<ContactInfo>> {
    Ok(db
        .prepare_cached(&format!("{CONTACT} WHERE c.account_id = ?1"))?
        .query_row([account], contact_row)
        .optional()?)
}

/// The one of several things that a person means: by id, exact name, or what only one name begins with.
fn select<T>(
    all: Vec<T>,
    selector: &str,
    id: impl Fn(&T) -> String,
    name: impl Fn(&T) -> String,
    unknown: Reason,
    ambiguous: Reason,
) -> Result<T> {
    let selector = selector.trim();
    let lower = selector.to_lowercase();
    let tests: [&dyn Fn(&T) -> bool; 4] = [
        &|one| id(one) == lower,
        &|one| name(one) == selector,
        &|one| name(one).to_lowercase() == lower,
        &|one| {
            !lower.is_empty()
                && (name(one).to_lowercase().starts_with(&lower)
                    || (lower.len() >= 6 && id(one).starts_with(&lower)))
        },
    ];
    let mut all = all;
    for test in tests {
        match all.iter().filter(|one| test(one)).count() {
            0 => {}
            1 => {
                all.retain(|one| test(one));
                return Ok(all.pop().ok_or(unknown)?);
            }
            _ => return Err(ambiguous.into()),
        }
    }
    Err(unknown.into())
}

/// The contact that a person means.
pub(crate) fn find_contact(db: &Connection, selector: &str) -> Result<ContactInfo> {
    select(
        contacts(db)?,
        selector,
        |contact| contact.id.to_string(),
        |contact| contact.name.clone(),
        Reason::ContactUnknown,
        Reason::ContactAmbiguous,
    )
}

/// How an add goes, as a result.
pub(crate) fn added(
    db: &Connection,
    add_row: i64,
    account: &AccountId,
) -> Result<Option<AddResult>> {
    match add::progress(db, add_row)? {
        Some(add::Progress {
            failure: Some(reason),
        }) => Err(reason.into()),
        Some(add::Progress { failure: None, .. }) => Ok(None),
        None => {
            let contact = contact(db, account.as_bytes())?;
            Ok(Some(AddResult {
                chat: contact.as_ref().and_then(|contact| contact.chat.clone()),
                contact,
                state: Delivery::Accepted,
            }))
        }
    }
}

// ---- links

/// As stored.
fn link_life(state: i64) -> LinkLife {
    match state {
        1 => LinkLife::Open,
        2 => LinkLife::Used,
        3 => LinkLife::Expired,
        _ => LinkLife::Revoked,
    }
}

/// All links; the text of an open one is made by `uri` from its row.
pub(crate) fn links(db: &Connection, uri: impl Fn(i64) -> Result<String>) -> Result<Vec<LinkInfo>> {
    let mut statement = db.prepare_cached(
        "SELECT id, link_id, created_at_ms, expires_at_ms, uses_left, state, ask FROM links ORDER BY id",
    )?;
    let rows = statement
        .query_map([], |row| {
            Ok((
                row.get::<_, i64>(0)?,
                LinkInfo {
                    id: LinkId::from_bytes(&row.get::<_, Vec<u8>>(1)?),
                    uri: String::new(),
                    created_ms: row.get(2)?,
                    expires_ms: Some(row.get::<_, i64>(3)?).filter(|at| *at > 0),
                    uses_left: row.get(4)?,
                    ask: row.get(6)?,
                    state: link_life(row.get(5)?),
                },
            ))
        })?
        .collect::<std::result::Result<Vec<_>, _>>()?;
    rows.into_iter()
        .map(|(row, mut info)| {
            if info.state == LinkLife::Open {
                info.uri = uri(row)?;
            }
            Ok(info)
        })
        .collect()
}

// ---- chats

/// Chats: pinned ones first, archived ones last, each by their newest line.
pub(crate) fn chats(db: &Connection, me: &Me, page: &ChatPage) -> Result<Vec<ChatInfo>> {
    let except = page
        .except
        .iter()
        .map(ChatId::bytes)
        .collect::<std::result::Result<HashSet<_>, _>>()?;
    let limit = page.limit.map_or(usize::MAX, |limit| limit as usize);
    in_order(db)?
        .into_iter()
        .filter(|(_, group)| !except.contains(group.as_slice()))
        .take(limit)
        .map(|(id, _)| chat(db, me, &conversation::load(db, id)?))
        .collect()
}

/// The conversations that are chats, with their group ids, in the order of the list.
fn in_order(db: &Connection) -> Result<Vec<(i64, Vec<u8>)>> {
    let mut statement =
        // A conversation that somebody began with a link and has not proven is nobody's yet.
        db.prepare_cached(
            "SELECT c.id, c.group_id FROM conversations c LEFT JOIN chat_settings s ON s.conversation = c.id
             WHERE c.link = 0 AND c.request = 0
             ORDER BY coalesce(s.archived, 0), coalesce(s.pinned_at_ms, 0) > 0 DESC, c.changed_at_ms DESC, c.id DESC",
        )?;
    let rows = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<std::result::Result<Vec<_>, _>>()?;
    Ok(rows)
}

/// What a chat is called.
fn title(db: &Connection, row: &conversation::Conversation) -> Result<String> {
    match (row.kind, &row.peer) {
        (conversation::Kind::Direct, Some(peer)) => conversation::name_of(db, row.id, peer),
        (conversation::Kind::Notes, _) => Ok("Notes to self".to_owned()),
        _ => Ok(row.name.clone()),
    }
}

/// The line that stands for a chat in the list: the newest one, but for those about devices if there is another.
fn newest(
    db: &Connection,
    me: &Me,
    row: &conversation::Conversation,
) -> Result<Option<MessageInfo>> {
    let mut of_devices = None;
    for limit in [1, 8, 64] {
        let mut lines = messages(db, me, row, limit, None)?;
        let is_all = lines.len() < limit as usize;
        let is_of_devices =
            |line: &MessageInfo| line.notice.as_ref().is_some_and(Notice::is_of_devices);
        if let Some(at) = lines.iter().rposition(|line| !is_of_devices(line)) {
            return Ok(Some(lines.swap_remove(at)));
        }
        of_devices = lines.pop();
        if is_all {
            break;
        }
    }
    Ok(of_devices)
}

/// One chat.
pub(crate) fn chat(db: &Connection, me: &Me, row: &conversation::Conversation) -> Result<ChatInfo> {
    let (members, role): (u32, Option<i64>) = db
        .prepare_cached(
            "SELECT count(DISTINCT account_id), max(CASE WHEN account_id = ?2 THEN role END) FROM members WHERE conversation = ?1",
        )?
        .query_row(params![row.id, me.account.as_bytes()], |found| {
            Ok((found.get(0)?, found.get(1)?))
        })?;
    let unread: u32 = db
        .prepare_cached(
            // Only messages have a sender: the index over it answers this without the rows, which are many and long. Those that are gone are
            // counted by an index of their own.
            "SELECT (SELECT count(*) FROM messages m INDEXED BY sqlite_autoindex_messages_1
                WHERE m.conversation = c.id AND m.id > c.read_up_to AND m.sender <> x'' AND m.sender <> ?2)
              - (SELECT count(*) FROM messages m INDEXED BY messages_gone
                WHERE m.conversation = c.id AND m.id > c.read_up_to AND m.gone <> 0 AND m.sender <> x'' AND m.sender <> ?2)
             FROM conversations c WHERE c.id = ?1",
        )?
        .query_row(params![row.id, me.account.as_bytes()], |found| found.get(0))?;
    let last = newest(db, me, row)?;
    let own = own_settings(db, row.id)?;
    Ok(ChatInfo {
        id: ChatId::from_bytes(row.group.as_bytes()),
        kind: match row.kind {
            conversation::Kind::Direct => ChatKind::Direct,
            conversation::Kind::Group => ChatKind::Group,
            conversation::Kind::Notes => ChatKind::Notes,
        },
        name: title(db, row)?,
        members,
        unread,
        last,
        my_role: role_view(role.unwrap_or(0)),
        policy: match row.kind {
            conversation::Kind::Group => Some(policy_view(&policy::shown(db, row.id)?)),
            _ => None,
        },
        state: match row.state {
            conversation::State::Joining => ChatState::Joining,
            conversation::State::Active => ChatState::Active,
            conversation::State::Resyncing => ChatState::Resyncing,
            conversation::State::Left => ChatState::Left,
            conversation::State::Removed => ChatState::Removed,
        },
        epoch: row.epoch,
        timer_s: (row.timer_s > 0).then_some(row.timer_s),
        muted_until_ms: own.muted_until_ms,
        archived: own.archived,
        pinned: own.pinned,
        read_receipts: own.read_receipts,
        draft: own.draft,
    })
}

struct OwnSettings {
    muted_until_ms: Option<i64>,
    archived: bool,
    pinned: bool,
    read_receipts: Choice,
    draft: Option<DraftText>,
}

fn own_settings(db: &Connection, conversation: i64) -> Result<OwnSettings> {
    let found = db
        .prepare_cached(
            "SELECT muted_until_ms, archived, pinned_at_ms > 0, read_receipts, draft, draft_reply_to FROM chat_settings WHERE conversation = ?1",
        )?
        .query_row([conversation], |row| {
            let reply: Vec<u8> = row.get(5)?;
            Ok(OwnSettings {
                muted_until_ms: Some(row.get(0)?).filter(|until| *until > 0),
                archived: row.get(1)?,
                pinned: row.get(2)?,
                read_receipts: choice(row.get(3)?),
                draft: Some(row.get::<_, String>(4)?)
                    .filter(|text| !text.is_empty())
                    .map(|text| DraftText {
                        text,
                        in_reply_to: (!reply.is_empty()).then(|| MessageId::from_bytes(&reply)),
                    }),
            })
        })
        .optional()?;
    Ok(found.unwrap_or(OwnSettings {
        muted_until_ms: None,
        archived: false,
        pinned: false,
        read_receipts: Choice::Default,
        draft: None,
    }))
}

fn role_view(role: i64) -> Role {
    role_from_number(role).into()
}

fn policy_view(policy: &undertone_mls::Policy) -> GroupPolicy {
    let lowest = |act| policy.lowest(act).into();
    GroupPolicy {
        add: lowest(Act::Add),
        rename: lowest(Act::Rename),
        pin: lowest(Act::Pin),
        set_timer: lowest(Act::SetTimer),
        post: lowest(Act::Post),
    }
}

/// The chat that a person means; a contact's name or id means the direct chat with them.
pub(crate) fn find_chat(db: &Connection, me: &Me, selector: &str) -> Result<ChatInfo> {
    // Names first: there may be a thousand chats, and one is wanted whole.
    let named = in_order(db)?
        .into_iter()
        .map(|(id, _)| {
            let row = conversation::load(db, id)?;
            Ok((title(db, &row)?, row))
        })
        .collect::<Result<Vec<_>>>()?;
    let found = select(
        named,
        selector,
        |(_, row)| ChatId::from_bytes(row.group.as_bytes()).to_string(),
        |(name, _)| name.clone(),
        Reason::ChatUnknown,
        Reason::ChatAmbiguous,
    );
    match found.and_then(|(_, row)| chat(db, me, &row)) {
        Err(error) if error.is(Reason::ChatUnknown) => {
            let Ok(contact) = find_contact(db, selector) else {
                return find_request(db, me, selector)
                    .map(|request| request.chat)
                    .map_err(|_| error);
            };
            let chat_id = contact.chat.ok_or(Reason::ChatUnknown)?;
            chat(db, me, &conversation_of(db, &chat_id)?)
        }
        other => other,
    }
}

/// Who is in a chat, one row an account.
pub(crate) fn members(db: &Connection, me: &Me, id: i64) -> Result<Vec<MemberInfo>> {
    let mut statement = db.prepare_cached(
        "SELECT m.account_id, max(m.role), count(*), coalesce(max(c.verified), 0)
         FROM members m LEFT JOIN contacts c ON c.account_id = m.account_id
         WHERE m.conversation = ?1 GROUP BY m.account_id ORDER BY min(m.leaf)",
    )?;
    let rows = statement
        .query_map([id], |row| {
            Ok((
                row.get::<_, Vec<u8>>(0)?,
                row.get::<_, i64>(1)?,
                row.get::<_, u32>(2)?,
                row.get::<_, bool>(3)?,
            ))
        })?
        .collect::<std::result::Result<Vec<_>, _>>()?;
    rows.into_iter()
        .map(|(account, role, devices, verified)| {
            let account = AccountId::from_slice(&account)?;
            let is_me = account == me.account;
            Ok(MemberInfo {
                id: ContactId::from_bytes(account.as_bytes()),
                name: if is_me {
                    me.name()
                } else {
                    conversation::name_of(db, id, &account)?
                },
                role: role_view(role),
                is_me,
                devices,
                verified: verified || is_me,
                uri: undertone_content::uri::account(account.as_bytes()),
            })
        })
        .collect()
}
