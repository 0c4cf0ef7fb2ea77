//! What a device shows, and where two devices differ.
//!
//! Left out is what each device says of its own: notices (who was there tells them), receipts, and when something came.

use std::collections::{BTreeMap, BTreeSet};

use undertone_core::{
    ChatId, ChatInfo, ChatKind, ChatState, Client, MessageId, MessageInfo, MessageKind,
    MessageState, Page, Result,
};

use crate::{
    groups::name_of,
    world::{Device, NAMES, World},
};

/// A message, or something missing.
pub struct Line {
    pub id: MessageId,
    /// As everybody sees it.
    pub shown: String,
    /// As all devices of an account see it.
    pub own: String,
    pub deleted: bool,
    pub gap: bool,
    pub once: bool,
}

/// A conversation.
pub struct Chat {
    pub name: String,
    pub state: ChatState,
    pub direct: bool,
    /// As every member sees it.
    pub shown: String,
    /// As all devices of an account see it.
    pub own: String,
    pub members: BTreeSet<String>,
    pub pinned: Vec<MessageId>,
    pub lines: Vec<Line>,
    pub last_local: i64,
}

/// Everything.
pub struct Seen {
    pub label: String,
    pub device: usize,
    pub owner: usize,
    pub chats: BTreeMap<String, (ChatId, Chat)>,
    /// What is shown, in one piece.
    pub text: String,
    pub own: String,
}

async fn line(
    world: &World,
    client: &Client,
    line: &MessageInfo,
    text: &mut String,
) -> Result<Line> {
    let mut history = Vec::new();
    if line.edits > 0 {
        for version in client.history(&line.chat, &line.id).await? {
            text.push_str(&version.text);
            text.push('\n');
            history.push(format!("{} {}", version.sent_ms, version.text));
        }
    }
    text.push_str(&line.text);
    text.push('\n');
    let mut files = Vec::new();
    for file in &line.attachments {
        text.push_str(&file.name);
        text.push('\n');
        files.push(format!("{} {} {}", file.name, file.content_type, file.size));
    }
    let account = line.sender.as_ref().map(ToString::to_string);
    let sender = account.map_or_else(String::new, |account| name_of(&world.accounts, &account));
    let reactions: Vec<_> = line
        .reactions
        .iter()
        .map(|given| {
            let people: Vec<_> = given
                .people
                .iter()
                .map(|person| name_of(&world.accounts, &person.to_string()))
                .collect();
            format!("{}{people:?}", given.text)
        })
        .collect();
    let id = &line.id.as_str()[2..8];
    if line.view_once {
        // What it said first went with its files, where they were opened.
        history.clear();
    }
    let mut shown = format!("{id} {sender}: {:?}", line.text);
    for (is, what) in [
        (line.deleted, "deleted".to_owned()),
        (line.kind == MessageKind::Gap, "gap".to_owned()),
        (line.markdown, "markdown".to_owned()),
        (line.forwarded, "forwarded".to_owned()),
        (line.view_once, "once".to_owned()),
        (line.pinned, "pinned".to_owned()),
        (
            line.edits > 0,
            format!("edited {:?} {history:?}", line.edited_ms),
        ),
        (!reactions.is_empty(), format!("{reactions:?}")),
        (!files.is_empty() && !line.view_once, format!("{files:?}")),
        (line.timer_s.is_some(), format!("timer {:?}", line.timer_s)),
        (
            line.in_reply_to.is_some(),
            format!("answers {:?}", line.in_reply_to),
        ),
        (!line.deleted, format!("at {}", line.sent_ms)),
    ] {
        if is {
            shown += &format!(" [{what}]");
        }
    }
    Ok(Line {
        id: line.id.clone(),
        own: format!("{shown} opened: {} {files:?}", line.opened),
        shown,
        deleted: line.deleted,
        gap: line.kind == MessageKind::Gap,
        once: line.view_once,
    })
}

async fn chat(world: &World, client: &Client, chat: &ChatInfo, text: &mut String) -> Result<Chat> {
    let page = Page {
        limit: 1000,
        before: None,
    };
    let all = client.messages(&chat.id, page).await?;
    let mut lines = Vec::new();
    for one in all.iter().filter(|line| line.kind != MessageKind::Notice) {
        let line = line(world, client, one, text).await?;
        // What was never said, since the group had agreed otherwise meanwhile, is shown to whoever wrote it, as not sent.
        if one.state != MessageState::Failed {
            lines.push(line);
        }
    }
    let mut members = BTreeSet::new();
    let mut listed = BTreeSet::new();
    for member in client.members(&chat.id).await? {
        let name = name_of(&world.accounts, &member.id.to_string());
        listed.insert(format!(
            "{name} {:?} with {} devices",
            member.role, member.devices
        ));
        members.insert(name);
    }
    let pinned = client.pinned(&chat.id).await?;
    let name = match chat.kind {
        ChatKind::Group => chat.name.clone(),
        ChatKind::Direct | ChatKind::Notes => {
            let members: Vec<_> = members.iter().map(String::as_str).collect();
            members.join(" & ")
        }
    };
    let draft = chat.draft.as_ref().map(|draft| draft.text.clone());
    text.push_str(draft.as_deref().unwrap_or_default());
    text.push('\n');
    Ok(Chat {
        shown: format!(
            "{name}: {:?}, epoch {}, {listed:?}, {:?}, timer {:?}",
            chat.kind, chat.epoch, chat.policy, chat.timer_s
        ),
        own: format!(
            "{name}: muted {:?}, archived {}, at the top {}, tells {:?}, draft {draft:?}, unread {}",
            chat.muted_until_ms, chat.archived, chat.pinned, chat.read_receipts, chat.unread
        ),
        name,
        state: chat.state,
        direct: chat.kind == ChatKind::Direct,
        members,
        pinned: pinned.into_iter().map(|line| line.id).collect(),
        last_local: all.iter().map(|line| line.local_id).max().unwrap_or(0),
        lines,
    })
}

/// Everything that a device shows.
pub async fn seen(world: &World, device: usize) -> Result<Seen> {
    let shown = &world.devices[device];
    let client = shown.person.client();
    let (mut chats, mut text) = (BTreeMap::new(), String::new());
    let mut all = client.chats().await?;
    for request in client.requests().await? {
        all.push(request.chat);
    }
    for info in all {
        let one = chat(world, client, &info, &mut text).await?;
        chats.insert(info.id.to_string(), (info.id, one));
    }
    let contacts: BTreeSet<_> = client
        .contacts()
        .await?
        .into_iter()
        .map(|one| {
            let name = name_of(&world.accounts, &one.id.to_string());
            format!(
                "{name} {:?} verified {} blocked {} {:?}",
                one.state, one.verified, one.blocked, one.read_receipts
            )
        })
        .collect();
    Ok(Seen {
        label: shown.label.clone(),
        device,
        owner: shown.owner,
        chats,
        text,
        own: format!("{:?} {contacts:?}", client.settings().await?),
    })
}

fn first_difference(one: &[&str], other: &[&str]) -> Option<String> {
    let at = (0..one.len().max(other.len())).find(|at| one.get(*at) != other.get(*at))?;
    let show = |lines: &[&str]| lines.get(at).map_or("nothing", |line| *line).to_owned();
    let before = at.checked_sub(1).and_then(|at| one.get(at)).copied();
    Some(format!(
        "\n  after     {}\n  the first {}\n  the other {}",
        before.unwrap_or("nothing"),
        show(one),
        show(other)
    ))
}

impl World {
    /// Whether a device was in a conversation for all that was done to a message. What an account was not there for it may have or not.
    fn was_there(&self, device: usize, chat: &ChatId, message: &MessageId) -> bool {
        let Some(touched) = self.touched.get(message) else {
            return true;
        };
        let since = self.devices[device].since;
        let holes = self.holes.get(&(device, chat.clone()));
        touched.iter().all(|part| *part >= since)
            && holes.is_none_or(|holes| holes.is_disjoint(touched))
    }

    /// Whether somebody's device has gone from there for good, so that nobody may have what it said last.
    fn may_lack_what_is_lost(&self, id: &ChatId, chat: &Chat) -> bool {
        let of_a_member = |device: &Device| chat.members.contains(NAMES[device.owner]);
        let mut removed = self.devices.iter().filter(|device| device.removed);
        self.gone_from.contains(id) || self.not_said_again.contains(id) || removed.any(of_a_member)
    }

    /// Lines that only the one has, though nobody's words are lost: what nobody can say again is missing for the other, and that is said there;
    /// and who deletes for everyone leaves those nothing who had not got it.
    fn may_be_one_sided(&self, one: &Chat, other: &Chat) -> BTreeSet<MessageId> {
        let of_other: BTreeSet<_> = other.lines.iter().map(|line| &line.id).collect();
        let says_that_something_is_missing = other.lines.iter().any(|line| line.gap);
        let alone = one.lines.iter().filter(|line| !of_other.contains(&line.id));
        alone
            .filter(|line| {
                let hidden = self.hidden.iter().any(|(_, hidden)| *hidden == line.id);
                line.deleted || (says_that_something_is_missing && (line.once || hidden))
            })
            .map(|line| line.id.clone())
            .collect()
    }

    /// Where these two devices, both in the conversation, show something else.
    fn lines_differ(
        &self,
        one: (&Seen, &Chat),
        other: (&Seen, &Chat),
        id: &ChatId,
    ) -> Option<String> {
        let same_account = one.0.owner == other.0.owner;
        let mut one_sided = self.may_be_one_sided(one.1, other.1);
        one_sided.extend(self.may_be_one_sided(other.1, one.1));
        let counts = |message: &MessageId| {
            !self.recalled.contains(message)
                && !one_sided.contains(message)
                && self.was_there(one.0.device, id, message)
                && self.was_there(other.0.device, id, message)
                && (same_account
                    || (!self.hidden.contains(&(one.0.owner, message.clone()))
                        && !self.hidden.contains(&(other.0.owner, message.clone()))))
        };
        let pick = |chat: &'_ Chat| -> Vec<String> {
            let lost = self.may_lack_what_is_lost(id, chat);
            let lines = chat
                .lines
                .iter()
                .filter(|line| counts(&line.id) && !(line.gap && lost));
            lines
                .map(|line| {
                    if same_account {
                        line.own.clone()
                    } else {
                        line.shown.clone()
                    }
                })
                .collect()
        };
        let (left, right) = (pick(one.1), pick(other.1));
        let left: Vec<_> = left.iter().map(String::as_str).collect();
        let right: Vec<_> = right.iter().map(String::as_str).collect();
        if let Some(difference) = first_difference(&left, &right) {
            return Some(difference);
        }
        let pins = |chat: &Chat| -> Vec<String> {
            let pinned = chat.pinned.iter().filter(|id| counts(id));
            pinned
                .map(|id| format!("pin of {}", &id.as_str()[2..8]))
                .collect()
        };
        let (left, right) = (pins(one.1), pins(other.1));
        let left: Vec<_> = left.iter().map(String::as_str).collect();
        let right: Vec<_> = right.iter().map(String::as_str).collect();
        first_difference(&left, &right)
    }

    /// What is wrong with a conversation on one device, whatever the others show.
    pub fn is_wrong(&self, seen: &Seen, id: &ChatId, chat: &Chat) -> Option<String> {
        let whole = !self.holes.contains_key(&(seen.device, id.clone()))
            && !self.may_lack_what_is_lost(id, chat);
        if let Some(gap) = chat.lines.iter().find(|line| line.gap && whole) {
            return Some(format!("something is missing: {}", gap.shown));
        }
        let undead = chat.lines.iter().find(|line| {
            !line.deleted
                && self.was_there(seen.device, id, &line.id)
                && self.deleted.get(&line.id).is_some_and(|by| {
                    // Who leaves, or is taken out, takes along what has not gone out yet.
                    let mut devices = 0..self.devices.len();
                    devices.all(|device| {
                        self.devices[device].owner != *by || self.was_there(device, id, &line.id)
                    })
                })
        });
        undead.map(|line| format!("was deleted: {}", line.shown))
    }

    /// The first difference between two devices, in words.
    pub fn difference(&self, all: &[Seen]) -> Option<String> {
        for (at, one) in all.iter().enumerate() {
            for (key, (id, chat)) in &one.chats {
                if chat.state != ChatState::Active {
                    let sibling = all.iter().find(|other| {
                        other.owner == one.owner
                            && other
                                .chats
                                .get(key)
                                .is_some_and(|(_, chat)| chat.state == ChatState::Active)
                    });
                    if let Some(sibling) = sibling {
                        return Some(format!(
                            "{} is in {}, {} is {:?}",
                            sibling.label, chat.name, one.label, chat.state
                        ));
                    }
                    continue;
                }
                if let Some(wrong) = self.is_wrong(one, id, chat) {
                    return Some(format!("{}, {}: {wrong}", one.label, chat.name));
                }
                for other in &all[at + 1..] {
                    if !chat.members.contains(NAMES[other.owner]) {
                        continue;
                    }
                    let Some((_, theirs)) = other.chats.get(key) else {
                        return Some(format!(
                            "{} has no chat {}, and {} has",
                            other.label, chat.name, one.label
                        ));
                    };
                    let who = format!("{} and {}, {}:", one.label, other.label, chat.name);
                    if theirs.state != ChatState::Active {
                        return Some(format!("{who} {:?} for the other", theirs.state));
                    }
                    if chat.shown != theirs.shown {
                        return Some(format!(
                            "{who}\n  the first {}\n  the other {}",
                            chat.shown, theirs.shown
                        ));
                    }
                    if one.owner == other.owner && chat.own != theirs.own {
                        return Some(format!(
                            "{who}\n  the first {}\n  the other {}",
                            chat.own, theirs.own
                        ));
                    }
                    if let Some(difference) = self.lines_differ((one, chat), (other, theirs), id) {
                        return Some(format!("{who} {difference}"));
                    }
                }
            }
            for other in all.iter().filter(|other| other.owner == one.owner) {
                if one.own != other.own {
                    return Some(format!(
                        "{} and {}:\n  the first {}\n  the other {}",
                        one.label, other.label, one.own, other.own
                    ));
                }
            }
        }
        None
    }
}
