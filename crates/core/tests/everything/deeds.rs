//! What people do, at random, with messages, chats and each other. None: it can't be done at the moment.

use rand::Rng as _;
use undertone_core::{
    ChatChange, ChatKind, Choice, Clock as _, ContactChange, ContactState, Draft, Expires,
    LinkOptions, Page, SettingsChange,
};

use crate::world::{At, NAMES, Outcome, World};

/// What there is to do, and how often it is done.
const DEEDS: &[(u32, &str)] = &[
    (24, "say"),
    (6, "answer"),
    (8, "edit"),
    (6, "delete"),
    (4, "hide"),
    (8, "react"),
    (4, "unreact"),
    (3, "pin"),
    (2, "unpin"),
    (1, "timer"),
    (4, "brief"),
    (2, "file"),
    (2, "once"),
    (2, "album"),
    (2, "photo"),
    (3, "search"),
    (2, "mention"),
    (1, "card"),
    (1, "place"),
    (2, "halt"),
    (1, "again"),
    (1, "hand over"),
    (1, "verify"),
    (2, "tell"),
    (3, "open"),
    (7, "read"),
    (4, "chat"),
    (4, "draft"),
    (2, "block"),
    (3, "forward"),
    (3, "type"),
    (2, "settings"),
    (1, "group"),
    (3, "add"),
    (2, "remove"),
    (1, "leave"),
    (3, "role"),
    (3, "rename"),
    (2, "policy"),
    (1, "invite"),
    (2, "join"),
    (3, "admit"),
    (1, "meet"),
    (2, "accept"),
    (1, "link"),
    (1, "unlink"),
];
const EMOJI: [&str; 4] = ["👍", "🎉", "❤️", "😮"];

impl World {
    pub async fn deed(&mut self) -> Option<()> {
        match self.draw(DEEDS) {
            "say" => self.says().await,
            "answer" => self.answers().await,
            "edit" => self.edits().await,
            "delete" => self.deletes_for_everyone().await,
            "hide" => self.deletes_for_me().await,
            "react" => self.reacts(true).await,
            "unreact" => self.reacts(false).await,
            "pin" => self.pins(true).await,
            "unpin" => self.pins(false).await,
            "timer" => self.sets_a_timer().await,
            "brief" => self.says_for_a_while().await,
            "file" => self.sends_a_file().await,
            "once" => self.sends_something_to_open_once().await,
            "album" => self.sends_several_files().await,
            "photo" => self.sends_a_photo().await,
            "search" => self.looks_for_a_message().await,
            "mention" => self.mentions().await,
            "card" => self.sends_a_card().await,
            "place" => self.sends_a_place().await,
            "halt" => self.halts_a_transfer().await,
            "again" => self.sends_again().await,
            "hand over" => self.hands_over().await,
            "verify" => self.verifies().await,
            "tell" => self.tells_a_person_what_is_read().await,
            "open" => self.opens_a_file().await,
            "read" => self.reads().await,
            "chat" => self.sets_a_chat().await,
            "draft" => self.drafts().await,
            "block" => self.blocks().await,
            "forward" => self.forwards().await,
            "type" => self.types().await,
            "settings" => self.sets_all().await,
            "group" => self.makes_a_group().await,
            "add" => self.adds().await,
            "remove" => self.removes().await,
            "leave" => self.leaves().await,
            "role" => self.sets_a_role().await,
            "rename" => self.renames().await,
            "policy" => self.sets_a_policy().await,
            "invite" => self.invites().await,
            "join" => self.joins().await,
            "admit" => self.answers_who_asks().await,
            "meet" => self.asks_to_be_a_contact().await,
            "accept" => self.accepts_a_contact().await,
            "link" => self.links_a_device().await,
            "unlink" => self.removes_a_device().await,
            other => unreachable!("{other}"),
        }
    }

    pub async fn sends(
        &mut self,
        who: usize,
        chat: &undertone_core::ChatInfo,
        what: &str,
        draft: Draft,
    ) {
        let id = chat.id.clone();
        let line = format!("in {}: {what}", chat.name);
        if let Outcome::Done(sent) = self
            .does(who, &line, async move |client| {
                client.enqueue(&id, draft).await
            })
            .await
        {
            self.touch(&sent.message);
        }
    }

    async fn says(&mut self) -> Option<()> {
        let (who, chat) = self.anybody_in_a_chat().await?;
        let word = self.word();
        let draft = if self.one_in(6) {
            Draft {
                markdown: true,
                ..Draft::text(format!("**{word}** it is"))
            }
        } else {
            Draft::text(format!("{word}, I say"))
        };
        self.sends(who, &chat, &format!("says {word}"), draft).await;
        Some(())
    }

    async fn answers(&mut self) -> Option<()> {
        let (who, chat) = self.anybody_in_a_chat().await?;
        let target = self.some_message(who, &chat, |_| true).await?;
        let word = self.word();
        let draft = Draft {
            in_reply_to: Some(target.id.clone()),
            ..Draft::text(format!("{word}, I answer"))
        };
        let what = format!("answers {word} to {}", named(&target));
        self.sends(who, &chat, &what, draft).await;
        Some(())
    }

    async fn edits(&mut self) -> Option<()> {
        let (who, chat) = self.anybody_in_a_chat().await?;
        let target = self
            .some_message(who, &chat, |line| line.mine && !line.deleted)
            .await?;
        let word = self.word();
        self.touch(&target.id);
        let line = format!("in {}: changes {} to {word}", chat.name, named(&target));
        self.does(who, &line, async |client| {
            let text = format!("{word}, I meant");
            client.edit(&chat.id, &target.id, &text, false).await
        })
        .await;
        Some(())
    }

    async fn deletes_for_everyone(&mut self) -> Option<()> {
        let (who, chat) = self.anybody_in_a_chat().await?;
        let target = self
            .some_message(who, &chat, |line| line.mine && !line.deleted)
            .await?;
        self.touch(&target.id);
        if target.order.is_none() {
            self.recalled.insert(target.id.clone());
        }
        let line = format!("in {}: deletes {} for everyone", chat.name, named(&target));
        let done = self
            .does(who, &line, async |client| {
                client.delete_for_everyone(&chat.id, &target.id).await
            })
            .await;
        if matches!(done, Outcome::Done(())) {
            self.deleted.insert(target.id, self.devices[who].owner);
        }
        Some(())
    }

    async fn deletes_for_me(&mut self) -> Option<()> {
        let (who, chat) = self.anybody_in_a_chat().await?;
        let target = self.some_message(who, &chat, |_| true).await?;
        if target.mine {
            self.not_said_again.insert(chat.id.clone());
        }
        self.hidden
            .insert((self.devices[who].owner, target.id.clone()));
        let line = format!(
            "in {}: deletes {} for themselves",
            chat.name,
            named(&target)
        );
        self.does(who, &line, async |client| {
            client.delete_for_me(&chat.id, &target.id).await
        })
        .await;
        Some(())
    }

    async fn reacts(&mut self, stands: bool) -> Option<()> {
        let (who, chat) = self.anybody_in_a_chat().await?;
        let target = self
            .some_message(who, &chat, |line| {
                !line.deleted && (stands || line.reactions.iter().any(|given| given.mine))
            })
            .await?;
        let emoji = if stands {
            self.pick(&EMOJI)?.to_owned()
        } else {
            let mut given = target.reactions.iter();
            given.find(|given| given.mine)?.text.clone()
        };
        self.touch(&target.id);
        let word = if stands { "gives" } else { "takes back" };
        let line = format!("in {}: {word} {emoji} for {}", chat.name, named(&target));
        self.does(who, &line, async |client| {
            client.react(&chat.id, &target.id, &emoji, stands).await
        })
        .await;
        Some(())
    }

    async fn pins(&mut self, stands: bool) -> Option<()> {
        let (who, chat) = self.anybody_in_a_chat().await?;
        let target = self
            .some_message(who, &chat, |line| !line.deleted && line.pinned != stands)
            .await?;
        self.touch(&target.id);
        let word = if stands { "pins" } else { "unpins" };
        let line = format!("in {}: {word} {}", chat.name, named(&target));
        self.does(who, &line, async |client| {
            client.pin(&chat.id, &target.id, stands).await
        })
        .await;
        Some(())
    }

    async fn sets_a_timer(&mut self) -> Option<()> {
        let (who, chat) = self.anybody_in_a_chat().await?;
        let seconds = self.pick(&[0, 0, 60, 3600, 24 * 3600])?;
        let line = format!("in {}: sets the timer to {seconds} s", chat.name);
        self.does(who, &line, async |client| {
            client.set_timer(&chat.id, seconds).await
        })
        .await;
        Some(())
    }

    async fn says_for_a_while(&mut self) -> Option<()> {
        let (who, chat) = self.anybody_in_a_chat().await?;
        let word = self.word();
        let seconds = self.rng.random_range(60..24 * 3600);
        let (expires, what) = if self.one_in(2) {
            let clock = self.devices[who].person.clock().now_ms() / 1000;
            let at = u32::try_from(clock).unwrap() + seconds;
            (Expires::At(at), "until a moment,")
        } else {
            (Expires::After(seconds), "once read")
        };
        let draft = Draft {
            expires: Some(expires),
            ..Draft::text(format!("{word}, for a while"))
        };
        let what = format!("says {word}, {what} {seconds} s from now");
        self.sends(who, &chat, &what, draft).await;
        Some(())
    }

    async fn reads(&mut self) -> Option<()> {
        let (who, chat) = self.anybody_in_a_chat().await?;
        let page = Page {
            limit: 1000,
            before: None,
        };
        let client = self.devices[who].person.client();
        let lines = client.messages(&chat.id, page).await.ok()?;
        let last = lines.iter().map(|line| line.local_id).max()?;
        let line = format!("in {}: reads", chat.name);
        self.does(who, &line, async |client| {
            client.mark_read(&chat.id, last).await
        })
        .await;
        Some(())
    }

    async fn sets_a_chat(&mut self) -> Option<()> {
        let (who, chat) = self.anybody_in_a_chat().await?;
        let mut change = ChatChange::default();
        let what = match self.rng.random_range(0..5) {
            0 => {
                let until = if chat.muted_until_ms.is_some() {
                    0
                } else {
                    i64::MAX
                };
                change.muted_until_ms = Some(until);
                format!("mutes until {until}")
            }
            1..=2 => {
                change.archived = Some(!chat.archived);
                format!("archived: {}", !chat.archived)
            }
            3 => {
                change.pinned = Some(!chat.pinned);
                format!("kept at the top: {}", !chat.pinned)
            }
            _ => {
                let choice = self.pick(&[Choice::On, Choice::Off, Choice::Default])?;
                change.read_receipts = Some(choice);
                format!("tells what is read: {choice:?}")
            }
        };
        let line = format!("in {}: {what}", chat.name);
        self.does(who, &line, async |client| {
            client.set_chat(&chat.id, change).await
        })
        .await;
        Some(())
    }

    async fn drafts(&mut self) -> Option<()> {
        let (who, chat) = self.anybody_in_a_chat().await?;
        let text = if chat.draft.is_some() && self.one_in(2) {
            String::new()
        } else {
            self.word()
        };
        let line = format!("in {}: begins to write {text:?}", chat.name);
        self.does(who, &line, async |client| {
            client.set_draft(&chat.id, &text, None).await
        })
        .await;
        Some(())
    }

    async fn blocks(&mut self) -> Option<()> {
        let who = self.anybody()?;
        let contacts = self.devices[who].person.client().contacts().await.ok()?;
        // Whoever is blocked is soon forgiven.
        let blocked = contacts.iter().find(|contact| contact.blocked).cloned();
        let contact = match blocked {
            Some(contact) => contact,
            None if self.one_in(2) => self.pick(&contacts)?,
            None => return None,
        };
        let account = contact.id.to_string();
        let other = self.accounts.iter().position(|known| *known == account)?;
        self.blocked.insert((self.devices[who].owner, other));
        let change = ContactChange {
            blocked: Some(!contact.blocked),
            ..ContactChange::default()
        };
        let line = format!("blocks {}: {}", contact.name, !contact.blocked);
        self.does(who, &line, async |client| {
            client.set_contact(&contact.id, change).await
        })
        .await;
        Some(())
    }

    async fn forwards(&mut self) -> Option<()> {
        let (who, from) = self.anybody_in_a_chat().await?;
        let target = self
            .some_message(who, &from, |line| !line.deleted && !line.view_once)
            .await?;
        let chats = self.devices[who].person.client().chats().await.ok()?;
        let to = self.pick(&chats)?;
        let line = format!(
            "forwards {} from {} to {}",
            named(&target),
            from.name,
            to.name
        );
        if let Outcome::Done(sent) = self
            .does(who, &line, async |client| {
                client.forward(&from.id, &target.id, &to.id).await
            })
            .await
        {
            self.touch(&sent.message);
        }
        Some(())
    }

    async fn types(&mut self) -> Option<()> {
        let (who, chat) = self.anybody_in_a_chat().await?;
        let line = format!("in {}: is typing", chat.name);
        self.does(who, &line, async |client| client.typing(&chat.id).await)
            .await;
        Some(())
    }

    async fn sets_all(&mut self) -> Option<()> {
        let who = self.anybody()?;
        let value = Some(self.one_in(2));
        let (change, what) = if self.one_in(2) {
            let change = SettingsChange {
                read_receipts: value,
                ..SettingsChange::default()
            };
            (change, "tells what is read")
        } else {
            let change = SettingsChange {
                typing: value,
                ..SettingsChange::default()
            };
            (change, "tells that they are typing")
        };
        let line = format!("everywhere: {what}: {value:?}");
        self.does(who, &line, async |client| client.set_settings(change).await)
            .await;
        Some(())
    }

    /// Ben and Cleo come to know each other.
    async fn asks_to_be_a_contact(&mut self) -> Option<()> {
        let who = self.anybody()?;
        let other = match self.devices[who].owner {
            1 => 2,
            2 => 1,
            _ => return None,
        };
        let knows = self.devices[who]
            .person
            .client()
            .find_contact(NAMES[other])
            .await;
        if knows.is_ok() {
            return None;
        }
        let maker = (0..self.devices.len()).find(|index| {
            let device = &self.devices[*index];
            device.owner == other
                && device.at == At::Online
                && !device.removed
                && !device.person.has_ended()
        })?;
        // Who comes while they are blocked has a chat with nobody.
        let blocked = self.devices[maker].person.client().blocked().await.ok()?;
        let owner = self.devices[who].owner;
        if blocked
            .iter()
            .any(|person| person.id.to_string() == self.accounts[owner])
        {
            return None;
        }
        let options = LinkOptions {
            ask: Some(true),
            ..LinkOptions::default()
        };
        let link = self
            .does(
                maker,
                "makes a link, and wants to be asked",
                async |client| client.create_link(options).await,
            )
            .await;
        let Outcome::Done(link) = link else {
            return Some(());
        };
        self.asked.push((maker, owner));
        let line = format!("comes by {}'s link", NAMES[other]);
        self.does(who, &line, async |client| {
            client.add_contact(&link.uri).await
        })
        .await;
        Some(())
    }

    async fn accepts_a_contact(&mut self) -> Option<()> {
        let who = self.anybody()?;
        let requests = self.devices[who].person.client().requests().await.ok()?;
        let request = self.pick(&requests)?;
        if request.person.state != ContactState::Request || request.chat.kind != ChatKind::Direct {
            return None;
        }
        let line = format!("accepts {}", request.person.name);
        self.does(who, &line, async |client| {
            client.accept_request(&request.person.id).await
        })
        .await;
        Some(())
    }

    async fn links_a_device(&mut self) -> Option<()> {
        if self.linked == 2 {
            return None;
        }
        let owner = self.rng.random_range(0..NAMES.len());
        let in_use = self
            .devices
            .iter()
            .filter(|device| device.owner == owner && !device.removed);
        if in_use.count() > 2 {
            return None;
        }
        let sort = ["tablet", "desktop"][self.linked];
        let history = self.one_in(2);
        let new = self.links(owner, sort, history).await?;
        self.linked += 1;
        let label = &self.devices[new].label;
        let line = format!("{label} is linked, with what was said before: {history}");
        self.note(line);
        Some(())
    }

    async fn removes_a_device(&mut self) -> Option<()> {
        let who = self.anybody()?;
        let owner = self.devices[who].owner;
        let others: Vec<_> = (0..self.devices.len())
            .filter(|index| {
                let device = &self.devices[*index];
                *index != who
                    && device.owner == owner
                    && !device.removed
                    && !device.person.has_ended()
            })
            .collect();
        if others.len() < 2 {
            return None;
        }
        let gone = self.pick(&others)?;
        let open = self.devices[gone].at != At::Closed;
        if !open
            || self.somebody_waits_on(gone, who).await
            || self.is_alone_somewhere(gone, who).await
        {
            return None;
        }
        let id = self.devices[gone]
            .person
            .client()
            .account()
            .await
            .ok()?
            .device_id;
        let phrase = self.one_in(2).then(|| self.phrases[owner].clone());
        let how = if phrase.is_some() { "with" } else { "without" };
        let line = format!("removes {} {how} the phrase", self.devices[gone].label);
        let done = self
            .does(who, &line, async |client| {
                client.remove_device(&id, phrase.as_deref()).await
            })
            .await;
        if !matches!(done, Outcome::Refused(_)) {
            self.devices[gone].removed = true;
        }
        Some(())
    }
}

/// A message, as the script calls it.
pub fn named(message: &undertone_core::MessageInfo) -> String {
    let first = message.text.split([',', ' ']).next().unwrap_or_default();
    let id = &message.id.as_str()[2..8];
    format!("{}'s {id} ({first})", message.sender_name)
}
