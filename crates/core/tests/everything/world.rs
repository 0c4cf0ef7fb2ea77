//! The people, their devices, and what has been done so far.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    time::Duration,
};

use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use undertone_core::{
    ChatId, ChatInfo, ChatState, MessageId, MessageInfo, MessageKind, Page, Result,
};

use crate::fake::{FakeServer, LIMIT, Patience, Person, meet};

const MINUTE_MS: i64 = 60_000;
/// How long a person looks at what they did before they do something else.
const PATIENCE: Duration = Duration::from_millis(400);

pub const NAMES: [&str; 3] = ["Ada", "Ben", "Cleo"];

/// What `UNDERTONE_WITHOUT` leaves out: names of deeds and mishaps, separated by commas.
fn without() -> Vec<String> {
    let names = std::env::var("UNDERTONE_WITHOUT").unwrap_or_default();
    names
        .split(',')
        .map(|name| name.trim().to_owned())
        .collect()
}

/// How a device is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    Online,
    /// The app is open, and reaches nobody.
    Offline,
    Closed,
}

pub struct Device {
    pub person: Person,
    /// Whose, as a place in [`NAMES`].
    pub owner: usize,
    pub label: String,
    pub at: At,
    pub removed: bool,
    /// By how much its clock is wrong.
    pub jumped_ms: i64,
    /// The part of the play in which it was linked. What was done before is not for it.
    pub since: usize,
}

/// What was done, in words; printed if something fails.
#[derive(Default)]
pub struct Script(Vec<String>);

impl Script {
    pub fn note(&mut self, line: String) {
        if std::env::var_os("UNDERTONE_ALOUD").is_some() {
            println!("{line}");
        }
        self.0.push(line);
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("What was done:");
            for (number, line) in self.0.iter().enumerate() {
                println!("{number:4} {line}");
            }
        }
    }
}

/// What came of it.
pub enum Outcome<T> {
    Done(T),
    Refused(&'static str),
    /// The app ended meanwhile, or it takes longer than anybody looks.
    Unknown,
}

pub struct World {
    pub server: FakeServer,
    pub devices: Vec<Device>,
    pub phrases: Vec<String>,
    pub accounts: Vec<String>,
    pub rng: StdRng,
    pub script: Script,
    pub folder: tempfile::TempDir,
    /// Words that were written, each once.
    pub words: Vec<String>,
    /// The part of the play: it grows at every rest.
    pub part: usize,
    /// In which parts something was done to a message.
    pub touched: BTreeMap<MessageId, BTreeSet<usize>>,
    /// Messages that somebody deleted for themselves, perhaps.
    pub hidden: HashSet<(usize, MessageId)>,
    /// Messages that were deleted while they were on their way, perhaps: then what goes out is empty, and nobody is told that there was
    /// something. Only the device that deleted it shows a line that says so.
    pub recalled: BTreeSet<MessageId>,
    /// Conversations in which something was said that its author can't say again to whoever missed it, perhaps: it could be opened once, or
    /// its author has deleted it for themselves since.
    pub not_said_again: HashSet<ChatId>,
    /// Messages that were deleted for everyone, and by whom.
    pub deleted: BTreeMap<MessageId, usize>,
    /// Whoever may have come or gone, or not been heard, in this part.
    pub disturbed: HashSet<(usize, ChatId)>,
    /// Who blocked whom, or forgave them, in this part. They may have several chats: one for each link that was used.
    pub blocked: HashSet<(usize, usize)>,
    /// Conversations that a device has gone from for good. What it said last nobody sends again.
    pub gone_from: HashSet<ChatId>,
    /// Which devices were in which conversations at the last rest.
    pub was_active: HashSet<(usize, ChatId)>,
    /// Parts that a device was not in a conversation for all of.
    pub holes: HashMap<(usize, ChatId), BTreeSet<usize>>,
    /// Links to groups, and who made them.
    pub invites: Vec<(ChatId, String)>,
    pub files: usize,
    /// Files on their way that wait, perhaps: whose, and in which message.
    pub paused: Vec<(usize, ChatId, MessageId)>,
    /// Devices by whose link somebody came who is to be accepted first.
    pub asked: Vec<(usize, usize)>,
    /// What is left out, by name.
    pub without: Vec<String>,
    pub linked: usize,
}

impl World {
    pub async fn new(seed: u64) -> Self {
        let server = FakeServer::new();
        let (mut devices, mut phrases, mut accounts) = (Vec::new(), Vec::new(), Vec::new());
        for (owner, name) in NAMES.into_iter().enumerate() {
            let (person, phrase) = Person::with_phrase(name, &server).await;
            accounts.push(
                person
                    .client()
                    .account()
                    .await
                    .unwrap()
                    .account_id
                    .to_string(),
            );
            devices.push(Device {
                person,
                owner,
                label: format!("{name}'s phone"),
                at: At::Online,
                removed: false,
                jumped_ms: 0,
                since: 0,
            });
            phrases.push(phrase);
        }
        // Ben and Cleo do not know each other yet.
        meet(&devices[1].person, &devices[0].person).await;
        meet(&devices[2].person, &devices[0].person).await;
        let mut world = Self {
            server,
            devices,
            phrases,
            accounts,
            rng: StdRng::seed_from_u64(seed),
            script: Script::default(),
            folder: tempfile::tempdir().unwrap(),
            words: Vec::new(),
            part: 0,
            touched: BTreeMap::new(),
            hidden: HashSet::new(),
            recalled: BTreeSet::new(),
            not_said_again: HashSet::new(),
            deleted: BTreeMap::new(),
            disturbed: HashSet::new(),
            blocked: HashSet::new(),
            gone_from: HashSet::new(),
            was_active: HashSet::new(),
            holes: HashMap::new(),
            invites: Vec::new(),
            files: 0,
            paused: Vec::new(),
            asked: Vec::new(),
            without: without(),
            linked: 0,
        };
        for (owner, name) in NAMES.iter().enumerate() {
            world.links(owner, "laptop", false).await;
            world.note(format!("{name}'s laptop is linked"));
        }
        world.note("Ada makes the group Desk");
        let ada = &world.devices[0].person;
        let contacts = ada.client().contacts().await.unwrap();
        let ids: Vec<_> = contacts.into_iter().map(|contact| contact.id).collect();
        ada.client().create_group("Desk", &ids).await.unwrap();
        let mut patience = Patience::new();
        while let Some(missing) = world.not_in_the_group().await {
            assert!(!patience.is_over(), "{missing}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        for device in &world.devices {
            device.person.settle().await;
        }
        for (index, device) in world.devices.iter().enumerate() {
            let chats = device.person.client().chats().await.unwrap();
            let chats = chats.into_iter().map(|chat| (index, chat.id));
            world.was_active.extend(chats);
        }
        world
    }

    /// Who is not in the first group, and how that looks there.
    async fn not_in_the_group(&self) -> Option<String> {
        for device in &self.devices {
            let client = device.person.client();
            let found = client.find_chat("Desk").await;
            let shown = found.map(|chat| (chat.state, chat.members, chat.epoch));
            if !matches!(&shown, Ok((ChatState::Active, 3, _))) {
                let status = client.status().await;
                return Some(format!("{}: {shown:?}, {status:?}", device.label));
            }
        }
        None
    }

    /// Links another device to the first one of somebody's that is on-line, with or without what was said before.
    pub async fn links(&mut self, owner: usize, sort: &str, history: bool) -> Option<usize> {
        // A code counts for some minutes, by both clocks.
        let old = self.devices.iter().find(|device| {
            let fits = device.owner == owner
                && device.at == At::Online
                && device.jumped_ms.abs() < MINUTE_MS
                && !device.removed;
            if fits {
                device.person.ends_no_more();
            }
            fits && !device.person.has_ended()
        })?;
        // Linking that is cut short is tested elsewhere.
        self.server.calm();
        let label = format!("{}'s {sort}", NAMES[owner]);
        let linked = Person::links_with(&old.person, label.clone().leak(), &self.server, history);
        let Ok(person) = tokio::time::timeout(4 * LIMIT, linked).await else {
            let client = old.person.client();
            panic!(
                "{label} is never linked: {:?}, {:?}",
                client.linking().await,
                client.status().await
            );
        };
        // Until one of the others has let it in it is known to nobody but the one that it was linked by, which waits for some hours only.
        let mut patience = Patience::new();
        while person.client().devices().await.unwrap().len() < 2 {
            assert!(!patience.is_over(), "{label} is never let in");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        self.devices.push(Device {
            person,
            owner,
            label,
            at: At::Online,
            removed: false,
            jumped_ms: 0,
            since: self.part,
        });
        Some(self.devices.len() - 1)
    }

    /// Whether somebody came by a link of `device`, and is not in a chat with `sibling` yet. They wait on that one device, and would have a chat
    /// with nobody once it is removed.
    pub async fn somebody_waits_on(&self, device: usize, sibling: usize) -> bool {
        let client = self.devices[sibling].person.client();
        for (_, who) in self.asked.iter().filter(|(maker, _)| *maker == device) {
            let chat = client.find_chat(NAMES[*who]).await;
            if !chat.is_ok_and(|chat| chat.state == ChatState::Active) {
                return true;
            }
        }
        false
    }

    /// Whether `device` is in a conversation that `sibling` has not come into yet. Nobody there would hear that it is removed, and nobody could
    /// bring the account's other devices in.
    pub async fn is_alone_somewhere(&self, device: usize, sibling: usize) -> bool {
        let Ok(chats) = self.devices[device].person.client().chats().await else {
            return true;
        };
        let sibling = self.devices[sibling].person.client();
        for chat in chats {
            let there = sibling.chat(&chat.id).await;
            if !matches!(chat.state, ChatState::Left | ChatState::Removed)
                && !there.is_ok_and(|there| there.state == ChatState::Active)
            {
                return true;
            }
        }
        false
    }

    pub fn note(&mut self, line: impl Into<String>) {
        self.script.note(line.into());
    }

    pub fn one_in(&mut self, many: u32) -> bool {
        self.rng.random_range(0..many) == 0
    }

    pub fn pick<T: Clone>(&mut self, from: &[T]) -> Option<T> {
        (!from.is_empty()).then(|| from[self.rng.random_range(0..from.len())].clone())
    }

    /// One of these by weight, those left out excepted.
    pub fn draw(&mut self, from: &[(u32, &'static str)]) -> &'static str {
        let from: Vec<_> = from
            .iter()
            .filter(|(_, name)| !self.without.iter().any(|left_out| left_out == name))
            .collect();
        let all: u32 = from.iter().map(|(weight, _)| weight).sum();
        let mut at = self.rng.random_range(0..all);
        for &(weight, name) in from {
            if at < weight {
                return name;
            }
            at -= weight;
        }
        unreachable!("the weights are summed up")
    }

    /// A word that nobody has used before.
    pub fn word(&mut self) -> String {
        let word: String = (0..10)
            .map(|_| char::from(self.rng.random_range(b'a'..=b'z')))
            .collect();
        self.words.push(word.clone());
        word
    }

    /// Somebody who has an app open.
    pub fn anybody(&mut self) -> Option<usize> {
        let open: Vec<_> = (0..self.devices.len())
            .filter(|index| {
                let device = &self.devices[*index];
                device.at != At::Closed && !device.removed && !device.person.has_ended()
            })
            .collect();
        self.pick(&open)
    }

    /// Somebody who has an app open, and a conversation in which they are.
    pub async fn anybody_in_a_chat(&mut self) -> Option<(usize, ChatInfo)> {
        let who = self.anybody()?;
        let chats = self.devices[who].person.client().chats().await.ok()?;
        let active: Vec<_> = chats
            .into_iter()
            .filter(|chat| !matches!(chat.state, ChatState::Left | ChatState::Removed))
            .collect();
        self.pick(&active).map(|chat| (who, chat))
    }

    /// One of the newest messages of a conversation.
    pub async fn some_message(
        &mut self,
        who: usize,
        chat: &ChatInfo,
        fits: impl Fn(&MessageInfo) -> bool,
    ) -> Option<MessageInfo> {
        let page = Page {
            limit: 20,
            before: None,
        };
        let lines = self.devices[who]
            .person
            .client()
            .messages(&chat.id, page)
            .await;
        let lines: Vec<_> = lines
            .ok()?
            .into_iter()
            .filter(|line| line.kind == MessageKind::Message && fits(line))
            .collect();
        self.pick(&lines)
    }

    /// Notes that something is done to a message now.
    pub fn touch(&mut self, message: &MessageId) {
        self.touched
            .entry(message.clone())
            .or_default()
            .insert(self.part);
    }

    /// Does something on a device; says what came of it in the script.
    pub async fn does<T>(
        &mut self,
        who: usize,
        what: &str,
        call: impl AsyncFnOnce(&undertone_core::Client) -> Result<T>,
    ) -> Outcome<T> {
        let device = &self.devices[who];
        let person = &device.person;
        let call = person.unless_it_ends(call(person.client()));
        let outcome = match tokio::time::timeout(PATIENCE, call).await {
            Ok(Some(Ok(done))) => Outcome::Done(done),
            Ok(Some(Err(error))) if !person.has_ended() => Outcome::Refused(error.code()),
            Ok(Some(Err(_)) | None) | Err(_) => Outcome::Unknown,
        };
        let away = if device.at == At::Offline {
            ", off-line,"
        } else {
            ""
        };
        let label = &device.label;
        let line = match &outcome {
            Outcome::Done(_) => format!("{label}{away} {what}"),
            Outcome::Refused(code) => format!("{label}{away} {what}: refused, {code}"),
            Outcome::Unknown if person.has_ended() => {
                format!("{label}{away} {what}: the app ended")
            }
            Outcome::Unknown => format!("{label}{away} {what}: it takes a while"),
        };
        if let Outcome::Refused(code) = &outcome {
            let broken = ["state.", "store.", "content."];
            assert!(!broken.iter().any(|sort| code.starts_with(sort)), "{line}");
        }
        self.note(line);
        outcome
    }

    /// One thing happens.
    pub async fn step(&mut self) {
        for index in 0..self.devices.len() {
            if self.devices[index].person.has_ended() && self.one_in(4) {
                let device = &mut self.devices[index];
                device.person.comes_back_if_it_ended().await;
                device.at = At::Online;
                let line = format!("{} is opened again", device.label);
                self.note(line);
            }
        }
        if self.one_in(5) {
            self.mishap().await;
        }
        // What can't be done at the moment is no action.
        for _ in 0..50 {
            if self.deed().await.is_some() {
                break;
            }
        }
        let pause = self.rng.random_range(0..12);
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }
}
