//! People with homes of their own and a server in memory between them.

#![allow(dead_code, unused_imports, reason = "not every test uses all of it")]

pub mod cheat;
pub mod clock;
pub mod forger;
mod homes;
mod kept;
pub mod killing;
pub mod server;

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

use undertone_core::{
    ChatInfo, Client, ClientOptions, Clock, Draft, Linking, MessageKind, Page, SendingPace,
    home::Passphrase,
};
use zeroize::Zeroizing;

pub use clock::TestClock;
pub use server::{FakeServer, Fault, Nonsense};

/// Long enough for anything here on a busy machine.
pub const LIMIT: Duration = Duration::from_secs(60);

/// The end of a wait: when nobody has asked any server for anything for [`LIMIT`], or after four times that in any case. On a machine that is
/// starved things take longer, but they go on.
pub struct Patience {
    asked: u64,
    since: tokio::time::Instant,
    began: tokio::time::Instant,
}

impl Patience {
    pub fn new() -> Self {
        let now = tokio::time::Instant::now();
        Self {
            asked: server::asked(),
            since: now,
            began: now,
        }
    }

    pub fn is_over(&mut self) -> bool {
        let (now, asked) = (tokio::time::Instant::now(), server::asked());
        if asked != self.asked {
            (self.asked, self.since) = (asked, now);
        }
        now - self.since > LIMIT || now - self.began > 4 * LIMIT
    }
}

/// Waits that would be minutes are moments.
pub fn pace() -> SendingPace {
    SendingPace {
        automatic_from: Duration::from_millis(1),
        automatic_to: Duration::from_millis(20),
        gap: Duration::from_millis(200),
        gap_shown: Duration::from_millis(800),
        left_out: Duration::from_millis(400),
        helper: Duration::from_millis(300),
        resync_again: Duration::from_secs(3600),
        reconnect_to: Duration::from_millis(300),
        welcome_again: Duration::from_millis(50),
        unreached: Duration::from_millis(500),
        typing: Duration::ZERO,
        update: Duration::from_millis(30),
    }
}

/// How an app ends at a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    BeforeCommit,
    AfterCommit,
}

/// Somebody with a home.
pub struct Person {
    pub name: &'static str,
    pub home: PathBuf,
    pub client: Option<Client>,
    pub linking: Option<Linking>,
    /// How long its app waits, from when it is opened the next time.
    pub pace: SendingPace,
    server: FakeServer,
    clock: Arc<TestClock>,
    /// The app has ended; nothing more goes out or is written.
    ended: Arc<AtomicBool>,
    /// At which commit from now it is to end, and how.
    end: Arc<Mutex<Option<(u64, End)>>>,
    _folder: tempfile::TempDir,
}

/// Of every home here.
pub fn passphrase() -> Passphrase {
    Passphrase::new(Zeroizing::new("correct horse battery staple".to_owned())).expect("long enough")
}

fn options(server: &FakeServer, clock: &Arc<TestClock>) -> ClientOptions {
    ClientOptions {
        transport: Some(Arc::new(server.clone())),
        clock: Arc::clone(clock) as Arc<dyn Clock>,
        cheap_kdf_for_tests: true,
        sending: pace(),
        inline_max_for_tests: server.inline_max(),
        ..ClientOptions::default()
    }
}

impl Person {
    pub async fn new(name: &'static str, server: &FakeServer) -> Self {
        Self::with_phrase(name, server).await.0
    }

    /// Somebody who has the words on paper.
    pub async fn with_phrase(name: &'static str, server: &FakeServer) -> (Self, String) {
        let folder = tempfile::tempdir().expect("a folder");
        let home = folder.path().join(name);
        let choice = server.choice().parse().expect("a server");
        let (clock, ended) = (Arc::new(server.clock()), Arc::default());
        let server = server.by_way_of(&ended);
        let options = options(&server, &clock);
        let (client, phrase) = Client::init(&home, &passphrase(), &choice, name, options)
            .await
            .expect("an account");
        assert_eq!(phrase.words().split(' ').count(), 12);
        client.start().await.expect("started");
        let person = Self {
            name,
            home,
            client: Some(client),
            linking: None,
            pace: pace(),
            server,
            clock,
            ended,
            end: Arc::default(),
            _folder: folder,
        };
        (person, phrase.words().to_owned())
    }

    /// A device of `old`'s owner, linked by the two of them.
    pub async fn links(old: &Person, name: &'static str, server: &FakeServer) -> Self {
        Self::links_with(old, name, server, false).await
    }

    /// The same, with or without what was said before.
    pub async fn links_with(
        old: &Person,
        name: &'static str,
        server: &FakeServer,
        history: bool,
    ) -> Self {
        let mut new = Self::shows_a_code(name, server).await;
        let code = new.linking().code().await.expect("a code");
        eventually("the one before is done with", || async {
            old.client().linking().await.expect("linking").is_none()
        })
        .await;
        let taken = old.client().begin_linking(&code, history).await;
        taken.expect("taken");
        let words = new.linking().words().await.expect("words");
        eventually("the same words on both", || async {
            let info = old.client().linking().await.expect("linking");
            info.is_some_and(|info| info.words.as_deref() == Some(words.as_str()))
        })
        .await;
        old.client().confirm_linking().await.expect("confirmed");
        let linking = new.linking.take().expect("linking");
        let client = linking.confirm().await.expect("an account");
        client.start().await.expect("started");
        new.client = Some(client);
        new
    }

    /// A device that is to be linked.
    pub async fn shows_a_code(name: &'static str, server: &FakeServer) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let home = folder.path().join(name);
        let (clock, ended) = (Arc::new(server.clock()), Arc::default());
        let server = server.by_way_of(&ended);
        let options = options(&server, &clock);
        let place = server.address.origin.to_string().parse().expect("a server");
        let linking = Linking::begin(&home, &passphrase(), &place, name, options)
            .await
            .expect("a code");
        Self {
            name,
            home,
            client: None,
            linking: Some(linking),
            pace: pace(),
            server,
            clock,
            ended,
            end: Arc::default(),
            _folder: folder,
        }
    }

    /// The home is opened again where it stood.
    pub async fn resumes_linking(&mut self) {
        self.linking = None;
        for _ in 0..200 {
            let options = options(&self.server, &self.clock);
            match Linking::resume(&self.home, &passphrase(), options).await {
                Ok(linking) => {
                    self.linking = Some(linking);
                    return;
                }
                // What is left of the old life still has it.
                Err(error) if error.code().starts_with("home.") => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                Err(error) => panic!("{error}"),
            }
        }
        panic!("the linking does not go on");
    }

    pub fn linking(&self) -> &Linking {
        self.linking.as_ref().expect("linking")
    }

    /// Gives the linking up; answers where the home was.
    pub async fn abandons(mut self) -> PathBuf {
        let linking = self.linking.take().expect("linking");
        linking.abandon().await.expect("abandoned");
        self.home.clone()
    }

    pub fn clock(&self) -> &TestClock {
        &self.clock
    }

    /// The app ends at its `nth` commit from now: right before that commit, or right after it, before anything leaves.
    pub fn ends_at(&self, nth: u64, end: End) {
        *self.end() = Some((nth, end));
        let (end, ended) = (Arc::clone(&self.end), Arc::clone(&self.ended));
        let hook = move || {
            let mut end = end.lock().unwrap_or_else(PoisonError::into_inner);
            if ended.load(SeqCst) {
                return false;
            }
            match &mut *end {
                Some((1, how)) => {
                    ended.store(true, SeqCst);
                    *how == End::AfterCommit
                }
                Some((left, _)) => {
                    *left -= 1;
                    true
                }
                None => true,
            }
        };
        match &self.linking {
            Some(linking) => linking.ask_before_commits_for_tests(hook),
            None => self.client().ask_before_commits_for_tests(hook),
        }
    }

    fn end(&self) -> std::sync::MutexGuard<'_, Option<(u64, End)>> {
        self.end.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the app has ended.
    pub fn has_ended(&self) -> bool {
        self.ended.load(SeqCst)
    }

    /// The app does not end at a commit any more, also not at one that is under way: whether it has ended is settled after this.
    pub fn ends_no_more(&self) {
        *self.end() = None;
    }

    /// Does something in an app that may end meanwhile. None: it did, and nobody knows what came of it.
    pub async fn unless_it_ends<T>(&self, call: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            outcome = call => (!self.ended.load(SeqCst)).then_some(outcome),
            () = self.ends() => None,
        }
    }

    async fn ends(&self) {
        while !self.ended.load(SeqCst) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until all is done, or the app has ended; opens it again in any case. True if it had ended.
    pub async fn settles_or_comes_back(&mut self) -> bool {
        let settled = self.unless_it_ends(self.client().settle(LIMIT)).await;
        if let Some(settled) = settled {
            assert!(settled.expect("settled").online);
        }
        let ended = self.ended.swap(true, SeqCst);
        self.quit().await;
        // A new life: whatever is left of the old one stays ended.
        self.ended = Arc::default();
        self.server = self.server.by_way_of(&self.ended);
        self.reopen().await;
        ended
    }

    /// If the app has ended it is opened again. True if it had.
    pub async fn comes_back_if_it_ended(&mut self) -> bool {
        if !self.ended.load(SeqCst) {
            return false;
        }
        self.quit().await;
        self.ended = Arc::default();
        self.server = self.server.by_way_of(&self.ended);
        self.reopen().await;
        true
    }

    /// The home holds no account that can be opened.
    pub async fn fails_to_open(&self, code: &str) {
        let opened = Client::open(&self.home, &passphrase(), self.options()).await;
        assert_eq!(opened.err().map(|error| error.code()), Some(code));
    }

    pub fn client(&self) -> &Client {
        self.client.as_ref().expect("the app is open")
    }

    /// What this person's app is opened with.
    pub fn options(&self) -> ClientOptions {
        ClientOptions {
            sending: self.pace,
            ..options(&self.server, &self.clock)
        }
    }

    /// The app is gone, as after a crash: nothing is tidied up first.
    pub async fn quit(&mut self) {
        if let Some(client) = self.client.take() {
            client.close().await.expect("closed");
        }
    }

    /// The app is opened again; it is not on-line yet.
    pub async fn open(&mut self) {
        self.quit().await;
        for _ in 0..200 {
            match Client::open(&self.home, &passphrase(), self.options()).await {
                Ok(client) => {
                    self.client = Some(client);
                    return;
                }
                Err(error) if error.code().starts_with("home.") => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                Err(error) => panic!("{error}"),
            }
        }
        panic!("the home does not open");
    }

    pub async fn reopen(&mut self) {
        self.open().await;
        self.client().start().await.expect("started");
    }

    pub async fn settle(&self) {
        let settled = self.client().settle(LIMIT).await.expect("settled");
        assert!(settled.online, "{:?}", settled.problem);
    }

    /// Waits until the app has seen that its server is away.
    pub async fn settle_in_vain(&self) {
        let settled = self.client().settle(LIMIT).await.expect("settled");
        assert!(!settled.online);
    }

    pub async fn chat(&self, name: &str) -> ChatInfo {
        self.client()
            .find_chat(name)
            .await
            .unwrap_or_else(|error| panic!("{} has no chat {name}: {error}", self.name))
    }

    pub async fn says(&self, chat: &str, text: &str) {
        let chat = self.chat(chat).await;
        self.client()
            .send(&chat.id, Draft::text(text))
            .await
            .unwrap_or_else(|error| panic!("{} can't send: {error}", self.name));
    }

    /// The messages of a chat as "Name: text".
    pub async fn lines(&self, chat: &str) -> Vec<String> {
        let chat = self.chat(chat).await;
        let page = Page {
            limit: 1000,
            before: None,
        };
        let all = self
            .client()
            .messages(&chat.id, page)
            .await
            .expect("messages");
        all.iter()
            .filter(|line| line.kind == MessageKind::Message)
            .map(|line| format!("{}: {}", line.sender_name, line.text))
            .collect()
    }

    /// Notices and gaps.
    pub async fn notices(&self, chat: &str) -> Vec<String> {
        let chat = self.chat(chat).await;
        let page = Page {
            limit: 1000,
            before: None,
        };
        let all = self
            .client()
            .messages(&chat.id, page)
            .await
            .expect("messages");
        all.into_iter()
            .filter(|line| line.kind != MessageKind::Message)
            .map(|line| line.text)
            .collect()
    }

    /// Waits until the chat reads like this.
    pub async fn reads(&self, chat: &str, wanted: &[&str]) {
        let mut patience = Patience::new();
        loop {
            let lines = match self.client().find_chat(chat).await {
                Ok(_) => self.lines(chat).await,
                Err(_) => Vec::new(),
            };
            if lines == wanted {
                return;
            }
            assert!(
                !patience.is_over(),
                "{} reads {lines:#?}, not {wanted:#?}",
                self.name
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Waits until something holds.
pub async fn eventually<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let mut patience = Patience::new();
    while !holds().await {
        assert!(!patience.is_over(), "never: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until everybody has their server again.
pub async fn on_line_again(people: &[&Person]) {
    for person in people {
        eventually("on-line again", || async {
            person
                .client()
                .settle(LIMIT)
                .await
                .is_ok_and(|settled| settled.online)
        })
        .await;
    }
}

/// Waits until nobody of these has anything to do by itself, now or later, and nothing is on its way to them. As long as somebody's own update
/// is still to come a group changes at a moment that no test has chosen.
pub async fn at_rest(server: &FakeServer, people: &[&Person]) {
    let mut patience = Patience::new();
    let mut before = None;
    loop {
        // What one did while another was asked shows in the second look.
        let asked = server.requests();
        let mut left = Vec::new();
        if server.items_on_their_way() > 0 {
            left.push("items on their way".to_owned());
        }
        for person in people {
            let client = person.client();
            let here = client.what_is_left_for_tests().await.expect("read");
            left.extend(here.iter().map(|kind| format!("{}: {kind}", person.name)));
        }
        let rest = left.is_empty();
        if rest && before == Some(asked) && server.requests() == asked {
            return;
        }
        before = rest.then_some(asked);
        assert!(!patience.is_over(), "never at rest: {left:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Waits until nobody of these has anything to do by itself; others may still get something.
pub async fn are_done(people: &[&Person]) {
    for person in people {
        eventually("all is done", || async {
            let left = person.client().what_is_left_for_tests().await;
            left.expect("read").is_empty()
        })
        .await;
    }
}

/// `adder` adds `maker` by a link of theirs.
pub async fn meet(adder: &Person, maker: &Person) {
    let link = maker
        .client()
        .create_link(undertone_core::LinkOptions::default())
        .await
        .expect("a link");
    let added = adder.client().add_contact(&link.uri).await.expect("added");
    assert_eq!(
        added.contact.map(|contact| contact.name),
        Some(maker.name.to_owned())
    );
    eventually("both are contacts", || async {
        maker.client().find_contact(adder.name).await.is_ok()
    })
    .await;
}

/// Ada, Ben and Cleo in Ada's group "Desk", in which no app has anything more to do by itself.
pub async fn three(server: &FakeServer) -> (Person, Person, Person) {
    let (ada, ben, cleo) = (
        Person::new("Ada", server).await,
        Person::new("Ben", server).await,
        Person::new("Cleo", server).await,
    );
    meet(&ben, &ada).await;
    meet(&cleo, &ada).await;
    for person in [&ada, &ben, &cleo] {
        person.settle().await;
    }
    let ids = [
        ada.client().find_contact("Ben").await.unwrap().id,
        ada.client().find_contact("Cleo").await.unwrap().id,
    ];
    ada.client().create_group("Desk", &ids).await.unwrap();
    for person in [&ben, &cleo] {
        eventually("in the group", || async {
            person.client().find_chat("Desk").await.is_ok()
        })
        .await;
    }
    at_rest(server, &[&ada, &ben, &cleo]).await;
    (ada, ben, cleo)
}

/// Copies a home, as a backup of the disk does.
pub fn copy_folder(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).expect("copied");
    for entry in std::fs::read_dir(from).expect("copied") {
        let entry = entry.expect("copied");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("copied").is_dir() {
            copy_folder(&entry.path(), &target);
        } else if entry.file_type().expect("copied").is_file() {
            std::fs::copy(entry.path(), target).expect("copied");
        }
    }
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(to, std::fs::Permissions::from_mode(0o700)).expect("copied");
}
