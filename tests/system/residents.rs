//! People whose app runs inside the test, over real TLS to a real server process: the same client as in the programs, spoken to
//! directly, so that hundreds of steps take seconds.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;
use undertone_core::home::Passphrase;
use undertone_core::{
    ChatId, ChatInfo, ChatState, Client, ClientOptions, ContactId, Draft, LinkOptions, MessageInfo,
    MessageKind, Page, SendingPace,
};

/// Long enough for anything here on a busy machine.
pub const LIMIT: Duration = Duration::from_secs(60);

pub fn passphrase() -> Passphrase {
    Passphrase::new("correct horse battery staple".to_owned().into()).expect("long enough")
}

/// Somebody with a home of their own.
pub struct Resident {
    pub name: &'static str,
    client: Option<Client>,
    folder: TempDir,
}

fn options() -> ClientOptions {
    ClientOptions {
        cheap_kdf_for_tests: true,
        sending: SendingPace::fast_for_tests(),
        ..ClientOptions::default()
    }
}

impl Resident {
    /// Registers at a server: an invitation or `ORIGIN+PIN`.
    pub async fn join(name: &'static str, server: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let server = server.parse().expect("a server");
        let home = folder.path().join("home");
        let (client, _) = Client::init(&home, &passphrase(), &server, name, options())
            .await
            .unwrap_or_else(|error| panic!("{name} can't register: {error}"));
        client.start().await.expect("started");
        Self {
            name,
            client: Some(client),
            folder,
        }
    }

    pub fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    pub fn client(&self) -> &Client {
        self.client.as_ref().expect("the app is open")
    }

    /// Closes the app; the home is free for others.
    pub async fn leave(&mut self) {
        if let Some(client) = self.client.take() {
            client.close().await.expect("closed");
        }
    }

    /// Opens the app again and goes on-line.
    pub async fn come(&mut self) {
        self.leave().await;
        for _ in 0..500 {
            match Client::open(&self.home(), &passphrase(), options()).await {
                Ok(client) => {
                    client.start().await.expect("started");
                    self.client = Some(client);
                    return;
                }
                // The last task of the app before is still letting go of it.
                Err(error) if error.code() == "home.owned" || error.code() == "home.in_use" => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                Err(error) => panic!("{}: {error}", self.name),
            }
        }
        panic!("{}'s home does not open", self.name);
    }

    pub async fn id(&self) -> ContactId {
        self.client()
            .account()
            .await
            .expect("an account")
            .account_id
    }

    pub async fn settle(&self) {
        let settled = self.client().settle(LIMIT).await.expect("settled");
        assert!(settled.online, "{}: {:?}", self.name, settled.problem);
    }

    pub async fn chat(&self, name: &str) -> ChatInfo {
        let found = self.client().find_chat(name).await;
        found.unwrap_or_else(|error| panic!("{} has no chat {name}: {error}", self.name))
    }

    pub async fn says(&self, chat: &ChatId, text: &str) {
        let sent = self.client().send(chat, Draft::text(text)).await;
        let sent = sent.unwrap_or_else(|error| panic!("{} can't send: {error}", self.name));
        assert_eq!(
            sent.state,
            undertone_core::Delivery::Accepted,
            "{}: {text}",
            self.name
        );
    }

    /// All lines of a chat, oldest first.
    pub async fn all(&self, chat: &ChatId) -> Vec<MessageInfo> {
        let mut all = Vec::new();
        let mut before = None;
        loop {
            let page = Page {
                limit: 1000,
                before,
            };
            let mut lines = self.client().messages(chat, page).await.expect("messages");
            let whole = lines.len() == 1000;
            before = lines.first().map(|line| line.local_id);
            lines.append(&mut all);
            all = lines;
            if !whole {
                return all;
            }
        }
    }

    /// What people wrote, as "Name: text".
    pub async fn lines(&self, chat: &ChatId) -> Vec<String> {
        let all = self.all(chat).await;
        let written = all.iter().filter(|line| line.kind == MessageKind::Message);
        written
            .map(|line| format!("{}: {}", line.sender_name, line.text))
            .collect()
    }

    /// Notices and gaps.
    pub async fn notices(&self, chat: &ChatId) -> Vec<String> {
        let all = self.all(chat).await.into_iter();
        all.filter(|line| line.kind != MessageKind::Message)
            .map(|line| line.text)
            .collect()
    }

    /// Waits until the chat reads like this.
    pub async fn reads(&self, chat: &ChatId, wanted: &[&str]) {
        let end = tokio::time::Instant::now() + LIMIT;
        loop {
            let lines = self.lines(chat).await;
            if lines == wanted {
                return;
            }
            assert!(
                tokio::time::Instant::now() < end,
                "{} reads {lines:#?}, not {wanted:#?}; notices: {:#?}",
                self.name,
                self.notices(chat).await,
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Waits until something holds.
pub async fn until<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let end = tokio::time::Instant::now() + LIMIT;
    while !holds().await {
        assert!(tokio::time::Instant::now() < end, "never: {what}");
        tokio::time::sleep(Duration::from_millis(15)).await;
    }
}

/// `one` adds `other` by a link of theirs; both can write when it is done.
pub async fn meet(one: &Resident, other: &Resident) {
    let link = other.client().create_link(LinkOptions::default()).await;
    let link = link.expect("a link");
    one.client().add_contact(&link.uri).await.expect("added");
    for (here, there) in [(one, other), (other, one)] {
        until("both are contacts", || async {
            let contact = here.client().find_contact(there.name).await;
            contact.is_ok_and(|contact| contact.state == undertone_core::ContactState::Ready)
        })
        .await;
    }
}

/// A group that the first one makes of all of them; gives its id.
pub async fn group(name: &str, people: &[&Resident]) -> ChatId {
    let [maker, others @ ..] = people else {
        panic!("a group has members")
    };
    let mut ids = Vec::new();
    for other in others {
        meet(maker, other).await;
        ids.push(other.id().await);
    }
    let made = maker
        .client()
        .create_group(name, &ids)
        .await
        .expect("a group");
    for one in people {
        until("everybody is in", || async {
            let chat = one.client().chat(&made.chat).await;
            chat.is_ok_and(|chat| {
                chat.state == ChatState::Active && chat.members as usize == people.len()
            })
        })
        .await;
    }
    calm(people).await;
    made.chat
}

/// Waits until nobody has anything to do by itself, now or later, and all are in the same epoch of every chat that they share: first updates of
/// new members are through, and nothing is on its way.
pub async fn calm(people: &[&Resident]) {
    let end = tokio::time::Instant::now() + LIMIT;
    let mut before = None;
    loop {
        let mut rest = true;
        let mut epochs = BTreeMap::new();
        for one in people {
            let left = one.client().what_is_left_for_tests().await;
            rest &= left.expect("a state").is_empty();
            for chat in one.client().chats().await.expect("chats") {
                let known = *epochs.entry(chat.id.to_string()).or_insert(chat.epoch);
                rest &= known == chat.epoch;
            }
        }
        // What one did while another was asked shows in the second look.
        if rest && before.as_ref() == Some(&epochs) {
            return;
        }
        before = rest.then_some(epochs);
        assert!(tokio::time::Instant::now() < end, "never calm");
        tokio::time::sleep(Duration::from_millis(15)).await;
    }
}

/// Waits until all of them are in the same epoch.
pub async fn same_epoch(chat: &ChatId, people: &[&Resident]) -> u64 {
    let mut epoch = 0;
    let end = tokio::time::Instant::now() + LIMIT;
    loop {
        let mut epochs = Vec::new();
        for one in people {
            epochs.push(one.client().chat(chat).await.expect("a chat").epoch);
        }
        if epochs.windows(2).all(|pair| pair[0] == pair[1]) {
            epoch = epochs.first().copied().unwrap_or(epoch);
            return epoch;
        }
        assert!(tokio::time::Instant::now() < end, "epochs {epochs:?}");
        tokio::time::sleep(Duration::from_millis(15)).await;
    }
}
