//! Six people who know each other in a known way, what they say, and the moments at which the server's disk is copied.
//!
//! ```text
//! Adelheid --- Benedikt        groups: Night desk  Adelheid, Benedikt, Cleopatra, Dankwart
//!    |    \       |                    Harbour     Eveline, Dankwart, Finnegan
//! Dankwart  --- Cleopatra      Eveline knows Dankwart and Finnegan.
//! ```
//!
//! In the first half all are there and everything arrives. In the second half only Adelheid and Eveline are: what they
//! write waits on the server for the others.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::secrets::Secrets;
use crate::disk::copy_folder;
use crate::failed::{Failed, Outcome};
use crate::fixtures;
use crate::person::{PASSPHRASE, Person};
use crate::server_process::ServerProcess;
use crate::session::Session;
use crate::waiting::eventually;

/// Names long enough that no chance puts them anywhere.
const NAMES: [&str; 6] = [
    "Adelheid Quist",
    "Benedikt Oram",
    "Cleopatra Venn",
    "Dankwart Ilse",
    "Eveline Marsh",
    "Finnegan Troy",
];
const ADA: usize = 0;
const BEN: usize = 1;
const CLEO: usize = 2;
const DAN: usize = 3;
const EVE: usize = 4;
const FINN: usize = 5;

/// Who knows whom.
const CONTACTS: [(usize, usize); 6] = [
    (ADA, BEN),
    (ADA, CLEO),
    (ADA, DAN),
    (BEN, CLEO),
    (EVE, DAN),
    (EVE, FINN),
];

/// Groups: the maker first.
const GROUPS: [(&str, &[usize]); 2] = [
    ("Night desk of the Courier", &[ADA, BEN, CLEO, DAN]),
    ("Harbour watch committee", &[EVE, DAN, FINN]),
];

/// Who goes away for the second half.
const AWAY: [usize; 4] = [BEN, CLEO, DAN, FINN];

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// The log is emptied within three seconds of what was last written to it; apps at rest may still write a little.
const LOG_EMPTIED: Duration = Duration::from_secs(15);

/// The copy that holds the most: nothing of what the absent were sent was fetched.
pub const EVERYTHING_WAITS: &str = "everything waits for the four";

/// A copy of the whole server folder.
pub struct Copy {
    /// At which moment it was taken.
    pub moment: &'static str,
    /// Whether the server had stopped in order, or had nothing to do for some seconds.
    pub at_rest: bool,
    /// Where it is.
    pub folder: PathBuf,
}

impl Copy {
    /// The copied data folder.
    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }
}

/// Everything that the drill left behind: the copies, what must not be in them, and the logs.
pub struct Evidence {
    /// Copies of the server's disk in order of time.
    pub copies: Vec<Copy>,
    /// What must not be found.
    pub secrets: Secrets,
    /// The server's log.
    pub server_log: String,
    /// The log of each app, with the person's name.
    pub app_logs: Vec<(String, String)>,
    /// How many messages people wrote.
    pub messages: usize,
    /// How many of them had not reached any receiver when the disk was copied.
    pub undelivered: usize,
    /// How many were written to each of those who were away, up to the copy at [`EVERYTHING_WAITS`].
    pub written_to: Vec<(String, usize)>,
    _folder: TempDir,
}

/// A chat and those in it, the way the drill knows it.
struct Talk {
    /// Who, in order of [`NAMES`].
    members: Vec<usize>,
    /// How many messages should be in it.
    expected: usize,
    /// The chat's id by member; the same for all of a group.
    selector: TalkName,
}

enum TalkName {
    Direct,
    Group(&'static str),
}

impl Talk {
    /// What `member` calls it.
    fn name_for(&self, member: usize) -> &'static str {
        match self.selector {
            TalkName::Group(name) => name,
            TalkName::Direct => {
                let other = self.members.iter().find(|other| **other != member);
                other.map_or("", |other| NAMES[*other])
            }
        }
    }
}

/// Lets the town live, and copies the server's disk meanwhile. `messages` is how many people write in all; `progress` is
/// told what goes on.
///
/// # Errors
/// If any program does not do what it should: no evidence, no verdict.
pub fn live(messages: usize, progress: &dyn Fn(&str)) -> Outcome<Evidence> {
    let folder = tempfile::Builder::new()
        .prefix("undertone-seizure-")
        .tempdir();
    let folder = folder.map_err(|error| Failed::harness("making a folder", error))?;
    let mut town = Town::found(folder.path(), progress)?;
    town.meet(progress)?;
    town.talk_together(messages / 2, progress)?;
    town.talk_to_the_absent(messages - messages / 2, progress)?;
    town.lose_power_and_come_back(progress)?;
    town.read_everything(progress)?;
    town.close(folder, messages, progress)
}

struct Town {
    server: ServerProcess,
    people: Vec<Person>,
    sessions: Vec<Option<Session>>,
    talks: Vec<Talk>,
    files: Vec<PathBuf>,
    copies: Vec<Copy>,
    copies_folder: PathBuf,
    secrets: Secrets,
    said: usize,
    undelivered: usize,
    /// By person: messages of others in the second half.
    written_to: [usize; NAMES.len()],
}

impl Town {
    fn found(folder: &Path, progress: &dyn Fn(&str)) -> Outcome<Self> {
        progress("Six people join a server");
        let server = ServerProcess::start()?;
        let invitation = server.invitation(6)?;
        let people = std::thread::scope(|scope| {
            let joining: Vec<_> = NAMES
                .iter()
                .map(|name| scope.spawn(|| Person::join_with(name, &invitation, &["-vv"])))
                .collect();
            joining
                .into_iter()
                .map(|joining| {
                    joining
                        .join()
                        .map_err(|_| Failed::harness("joining", "it panicked."))?
                })
                .collect::<Outcome<Vec<_>>>()
        })?;
        let mut secrets = Secrets::default();
        for name in NAMES {
            secrets.add_text("name", name);
        }
        secrets.add_bytes("invitation", invitation.as_bytes());
        let mut town = Self {
            sessions: people.iter().map(|_| None).collect(),
            files: files(folder, &mut secrets)?,
            copies_folder: folder.join("copies"),
            server,
            people,
            talks: Vec::new(),
            copies: Vec::new(),
            secrets,
            said: 0,
            undelivered: 0,
            written_to: [0; NAMES.len()],
        };
        for person in 0..NAMES.len() {
            town.open(person)?;
        }
        Ok(town)
    }

    fn open(&mut self, person: usize) -> Outcome {
        self.sessions[person] = Some(self.people[person].rpc()?);
        Ok(())
    }

    fn session(&mut self, person: usize) -> Outcome<&mut Session> {
        self.sessions[person]
            .as_mut()
            .ok_or_else(|| Failed::harness(NAMES[person], "is not there."))
    }

    fn meet(&mut self, progress: &dyn Fn(&str)) -> Outcome {
        progress("They become contacts by links, and make two groups");
        for (one, other) in CONTACTS {
            let link = self.session(other)?.call("links.create", &json!({}))?;
            let link = link["uri"].as_str().unwrap_or_default().to_owned();
            self.secrets.add_link(&link)?;
            self.session(one)?
                .call("contacts.add", &json!({"link": link}))?;
            for (me, them) in [(one, other), (other, one)] {
                self.wait_for_contact(me, NAMES[them])?;
            }
            self.talks.push(Talk {
                members: vec![one, other],
                expected: 0,
                selector: TalkName::Direct,
            });
        }
        for (name, members) in GROUPS {
            self.secrets.add_text("group name", name);
            let maker = members[0];
            let others = members[1..]
                .iter()
                .map(|other| {
                    let contact = self
                        .session(maker)?
                        .call("contacts.find", &json!({"selector": NAMES[*other]}))?;
                    Ok(contact["id"].clone())
                })
                .collect::<Outcome<Vec<_>>>()?;
            self.session(maker)?
                .call("groups.create", &json!({"name": name, "members": others}))?;
            for member in members {
                self.wait_for_chat(*member, name)?;
            }
            self.talks.push(Talk {
                members: members.to_vec(),
                expected: 0,
                selector: TalkName::Group(name),
            });
        }
        Ok(())
    }

    fn wait_for_contact(&mut self, person: usize, name: &str) -> Outcome {
        let what = format!("{} and {name} becoming contacts", NAMES[person]);
        let session = self.session(person)?;
        eventually(PATIENCE, &what, || {
            let contacts = session.call("contacts.list", &json!({}))?;
            let ready = |contact: &Value| contact["name"] == name && contact["state"] == "ready";
            Ok(contacts
                .as_array()
                .is_some_and(|all| all.iter().any(ready))
                .then_some(()))
        })
    }

    fn wait_for_chat(&mut self, person: usize, name: &str) -> Outcome {
        let what = format!("{} being in {name}", NAMES[person]);
        let session = self.session(person)?;
        eventually(PATIENCE, &what, || {
            let chats = session.call("chats.list", &json!({}))?;
            let active = |chat: &Value| chat["name"] == name && chat["state"] == "active";
            Ok(chats
                .as_array()
                .is_some_and(|all| all.iter().any(active))
                .then_some(()))
        })
    }

    /// Writes one message as `person` in a talk, a file with every twelfth.
    fn message(&mut self, person: usize, talk: usize) -> Outcome<Value> {
        let token = hex(&rand::random::<[u8; 8]>());
        // Of every size class: a line, a paragraph, a letter.
        let length = [30, 400, 60, 2500, 120, 9000][self.said % 6];
        let mut text = format!("{token} is where we meet; ");
        while text.len() < length {
            text.push_str(&hex(&rand::random::<[u8; 6]>()));
            text.push(' ');
        }
        self.secrets.add_text("message text", &token);
        self.secrets.add_text("message text", &text);
        let name = self.talks[talk].name_for(person);
        let chat = self
            .session(person)?
            .call("chats.find", &json!({"selector": name}))?["id"]
            .clone();
        let mut params = json!({"chat": chat, "text": text});
        if self.said % 12 == 5 {
            let file = &self.files[self.said / 12 % self.files.len()];
            params["attachments"] = json!([{"path": file, "keep_metadata": false}]);
        }
        self.said += 1;
        self.talks[talk].expected += 1;
        Ok(params)
    }

    fn send(&mut self, person: usize, talk: usize) -> Outcome {
        let params = self.message(person, talk)?;
        self.session(person)?.call("messages.send", &params)?;
        Ok(())
    }

    fn talk_together(&mut self, messages: usize, progress: &dyn Fn(&str)) -> Outcome {
        progress(&format!("All are there and write {messages} messages"));
        let turns: Vec<_> = self
            .talks
            .iter()
            .enumerate()
            .flat_map(|(talk, who)| who.members.iter().map(move |member| (*member, talk)))
            .collect();
        for turn in 0..messages {
            let (person, talk) = turns[turn % turns.len()];
            self.send(person, talk)?;
            if turn == messages / 2 {
                self.seize("all are there, in the middle of talking")?;
            }
        }
        for person in 0..NAMES.len() {
            self.wait_until_read(person)?;
        }
        Ok(())
    }

    fn talk_to_the_absent(&mut self, messages: usize, progress: &dyn Fn(&str)) -> Outcome {
        progress(&format!(
            "Four go away; the other two write {messages} messages to them"
        ));
        for person in AWAY {
            if let Some(session) = self.sessions[person].take() {
                session.end()?;
            }
            // What they hold now, they may have forgotten later.
            let Self {
                secrets, people, ..
            } = self;
            secrets.add_home(&people[person], PASSPHRASE)?;
        }
        let turns: Vec<_> = self
            .talks
            .iter()
            .enumerate()
            .flat_map(|(talk, who)| who.members.iter().map(move |member| (*member, talk)))
            .filter(|(member, _)| !AWAY.contains(member))
            .collect();
        for turn in 0..messages {
            let (person, talk) = turns[turn % turns.len()];
            self.send(person, talk)?;
            for member in &self.talks[talk].members {
                if *member != person {
                    self.written_to[*member] += 1;
                }
            }
            if turn == messages / 2 {
                self.seize("four are away, in the middle of writing to them")?;
            }
        }
        for person in [ADA, EVE] {
            self.wait_until_accepted(person)?;
        }
        // A link that nobody has used yet waits on the server too.
        let link = self.session(ADA)?.call("links.create", &json!({}))?;
        self.secrets
            .add_link(link["uri"].as_str().unwrap_or_default())?;
        self.undelivered = messages;
        self.seize(EVERYTHING_WAITS)
    }

    fn lose_power_and_come_back(&mut self, progress: &dyn Fn(&str)) -> Outcome {
        progress("The server loses power in the middle of a message, and comes back");
        for (person, talk) in [(ADA, 0), (EVE, 4), (ADA, 6)] {
            self.send(person, talk)?;
        }
        self.undelivered += 3;
        self.server.kill9();
        self.copy("after a power cut")?;
        self.server.run()?;
        for person in [ADA, EVE] {
            self.wait_until_accepted(person)?;
        }
        self.server.stop()?;
        self.copy("stopped in order, everything waits")?;
        self.at_rest();
        self.server.run()
    }

    fn read_everything(&mut self, progress: &dyn Fn(&str)) -> Outcome {
        progress("The four come back and read everything");
        for person in AWAY {
            self.open(person)?;
        }
        for person in 0..NAMES.len() {
            self.wait_until_read(person)?;
        }
        let log = self.server.data().join("store.sqlite-wal");
        eventually(LOG_EMPTIED, "the server emptying its log", || {
            Ok(std::fs::metadata(&log)
                .is_ok_and(|log| log.len() == 0)
                .then_some(()))
        })?;
        self.seize("everything was read")?;
        self.at_rest();
        Ok(())
    }

    /// The last copy was taken of a server at rest.
    fn at_rest(&mut self) {
        if let Some(copy) = self.copies.last_mut() {
            copy.at_rest = true;
        }
    }

    fn close(
        mut self,
        folder: TempDir,
        messages: usize,
        progress: &dyn Fn(&str),
    ) -> Outcome<Evidence> {
        progress("The homes are opened for what must not be on the server");
        for session in self.sessions.drain(..).flatten() {
            session.end()?;
        }
        self.server.stop()?;
        for person in &self.people {
            self.secrets.add_home(person, PASSPHRASE)?;
        }
        let logs = self.people.iter().map(|person| {
            let log = std::fs::read(person.log_path()).unwrap_or_default();
            (
                person.name().to_owned(),
                String::from_utf8_lossy(&log).into_owned(),
            )
        });
        Ok(Evidence {
            app_logs: logs.collect(),
            server_log: self.server.log_text(),
            copies: self.copies,
            secrets: self.secrets,
            messages: messages + 3,
            undelivered: self.undelivered,
            written_to: AWAY
                .iter()
                .map(|person| (NAMES[*person].to_owned(), self.written_to[*person]))
                .collect(),
            _folder: folder,
        })
    }

    fn wait_until_accepted(&mut self, person: usize) -> Outcome {
        let what = format!("the server having all that {} wrote", NAMES[person]);
        let session = self.session(person)?;
        eventually(PATIENCE, &what, || {
            let settled = session.call("sync.settle", &json!({"limit_ms": 20_000}))?;
            Ok((settled["online"] == true && settled["outbox_left"] == 0).then_some(()))
        })
    }

    fn wait_until_read(&mut self, person: usize) -> Outcome {
        self.wait_until_accepted(person)?;
        let talks: Vec<_> = self
            .talks
            .iter()
            .filter(|talk| talk.members.contains(&person))
            .map(|talk| (talk.name_for(person), talk.expected))
            .collect();
        for (name, expected) in talks {
            let what = format!("{} having all {expected} messages of {name}", NAMES[person]);
            let session = self.session(person)?;
            let chat = session.call("chats.find", &json!({"selector": name}))?["id"].clone();
            eventually(PATIENCE, &what, || {
                let messages =
                    session.call("messages.list", &json!({"chat": chat, "limit": 1000}))?;
                let written = messages.as_array().into_iter().flatten();
                let written = written
                    .filter(|message| message["kind"] == "message")
                    .count();
                Ok((written == expected).then_some(()))
            })?;
        }
        Ok(())
    }

    /// Copies the disk of the running server as it is at one instant.
    fn seize(&mut self, moment: &'static str) -> Outcome {
        let step = "stopping the server's clock";
        let pid = self
            .server
            .pid()
            .and_then(|pid| rustix::process::Pid::from_raw(pid.cast_signed()));
        let pid = pid.ok_or_else(|| Failed::harness(step, "it does not run."))?;
        let signal = |signal| {
            rustix::process::kill_process(pid, signal).map_err(|error| Failed::harness(step, error))
        };
        signal(rustix::process::Signal::STOP)?;
        let stat = format!("/proc/{}/stat", pid.as_raw_nonzero());
        let stopped = eventually(PATIENCE, step, || {
            let stat = std::fs::read_to_string(&stat).unwrap_or_default();
            Ok(stat
                .rsplit_once(')')
                .is_some_and(|(_, rest)| rest.trim_start().starts_with('T'))
                .then_some(()))
        });
        let copied = self.copy(moment);
        signal(rustix::process::Signal::CONT)?;
        stopped.and(copied)
    }

    fn copy(&mut self, moment: &'static str) -> Outcome {
        let folder = self.copies_folder.join(self.copies.len().to_string());
        copy_folder(self.server.folder(), &folder)
            .map_err(|error| Failed::harness("copying the server's disk", error))?;
        self.copies.push(Copy {
            moment,
            at_rest: false,
            folder,
        });
        Ok(())
    }
}

/// The files that people send: a photo that says where it was taken, a memo, a list of names.
fn files(folder: &Path, secrets: &mut Secrets) -> Outcome<Vec<PathBuf>> {
    let failed = |error: std::io::Error| Failed::harness("making files", error);
    let photo = fixtures::photo().map_err(failed)?;
    let memo = fixtures::memo().map_err(failed)?;
    let mut list = String::new();
    for _ in 0..400 {
        list.push_str(&hex(&rand::random::<[u8; 8]>()));
        list.push('\n');
    }
    for secret in fixtures::PHOTO_SECRETS {
        secrets.add_text("photo's metadata", secret);
    }
    let made = [
        ("passport-of-the-witness.jpg", photo),
        ("what-the-minister-said.opus", memo),
        ("list-of-all-informants.txt", list.into_bytes()),
    ];
    made.into_iter()
        .map(|(name, content)| {
            secrets.add_text("file name", name);
            for part in content.chunks(97).step_by(7) {
                secrets.add_bytes("content of a file", part);
            }
            let path = folder.join(name);
            std::fs::write(&path, content).map_err(failed)?;
            Ok(path)
        })
        .collect()
}

fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}
