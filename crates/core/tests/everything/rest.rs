//! Coming to rest: everybody is on-line, everything is read, and time passes. Then the devices are compared, and in the end what they hold.

use std::{
    collections::HashSet,
    path::Path,
    time::{Duration, Instant},
};

use undertone_core::{ChatId, ChatState, ContactChange, store::StoreError};

use crate::{
    fake::{LIMIT, Person},
    seen::{Seen, seen},
    world::{At, NAMES, World},
};

const HOUR_MS: i64 = 3_600_000;
/// So many rounds, each an hour and more of the people's time, may nothing change in what differs; and so long must that have taken.
const ROUNDS: usize = 20;
const REST: Duration = Duration::from_secs(60);
/// How long a round waits for all to be done with what they can do now. Some can't be before time passes.
const ROUND: Duration = Duration::from_secs(5);
/// Rounds after which the apps are opened anew, so that they look at the time.
const REOPENED_AFTER: usize = 4;
/// So much of a word is looked for: the index of words keeps only what differs from the word before.
const PIECE: usize = 7;

/// How long a difference is borne: a busy machine does less in a second, but not less in a round.
struct Standstill {
    difference: String,
    rounds: usize,
    since: Instant,
}

impl Standstill {
    fn new() -> Self {
        Self {
            difference: String::new(),
            rounds: 0,
            since: Instant::now(),
        }
    }

    /// Another round has this difference: whether none that follows will change it.
    fn is_for_good(&mut self, difference: &str) -> bool {
        if self.difference != difference {
            *self = Self {
                difference: difference.to_owned(),
                ..Self::new()
            };
        }
        self.rounds += 1;
        self.rounds > ROUNDS && self.since.elapsed() > REST
    }
}

impl World {
    fn in_use(&self) -> Vec<usize> {
        let all = 0..self.devices.len();
        all.filter(|index| !self.devices[*index].removed).collect()
    }

    /// Everybody's app is open and on-line, and nothing goes wrong any more.
    async fn all_come_back(&mut self) {
        self.note("-- all come to rest");
        self.server.calm();
        for device in self.devices.iter_mut().filter(|device| !device.removed) {
            let back = std::mem::take(&mut device.jumped_ms);
            device.person.clock().jump_ms(-back);
            // First, or it ends after this has looked whether it has, and is never heard of again.
            device.person.ends_no_more();
            if !device.person.comes_back_if_it_ended().await && device.at != At::Online {
                device.person.reopen().await;
            }
            device.at = At::Online;
        }
    }

    /// All do what they can do now. Who can't reach the server, and why?
    async fn settles(&self, limit: Duration) -> Option<String> {
        let all = self.in_use().into_iter();
        let settled = futures_util::future::join_all(all.map(|index| async move {
            let device = &self.devices[index];
            let settled = device.person.client().settle(limit).await.unwrap();
            (!settled.online).then(|| format!("{}: {:?}", device.label, settled.problem))
        }))
        .await;
        settled.into_iter().flatten().next()
    }

    /// Whoever waits to be a contact becomes one; whoever is blocked is forgiven.
    async fn all_are_friends(&mut self) {
        for index in self.in_use() {
            let client = self.devices[index].person.client();
            for request in client.requests().await.unwrap() {
                // Another device may have been quicker.
                let _ = client.accept_request(&request.person.id).await;
            }
            for contact in client.contacts().await.unwrap() {
                if contact.blocked {
                    let forgiven = ContactChange {
                        blocked: Some(false),
                        ..ContactChange::default()
                    };
                    client.set_contact(&contact.id, forgiven).await.unwrap();
                }
            }
        }
    }

    async fn reads_all(&self, all: &[Seen]) {
        for (at, seen) in all.iter().enumerate() {
            let first = !all[..at].iter().any(|before| before.owner == seen.owner);
            let client = self.devices[seen.device].person.client();
            for (id, chat) in seen.chats.values() {
                // The other devices learn it from the first one, of what that one has.
                let learns = !first && !self.has_a_hole(seen.owner, id);
                if chat.last_local > 0 && !learns {
                    client.mark_read(id, chat.last_local).await.unwrap();
                }
            }
        }
    }

    /// Whether a device of somebody's came into a conversation later than another one, or was out of it for a while.
    fn has_a_hole(&self, owner: usize, chat: &ChatId) -> bool {
        let mut devices = 0..self.devices.len();
        devices.any(|device| {
            self.devices[device].owner == owner && self.holes.contains_key(&(device, chat.clone()))
        })
    }

    async fn look(&self) -> Vec<Seen> {
        let all = self.in_use().into_iter();
        let all = all.map(|index| async move { seen(self, index).await.unwrap() });
        futures_util::future::join_all(all).await
    }

    /// Notes which devices were in which conversations for all of this part.
    fn note_who_was_there(&mut self, all: &[Seen]) {
        let part = self.part;
        let mut groups = HashSet::new();
        for seen in all {
            groups.extend(seen.chats.values().map(|(id, _)| id.clone()));
            for (id, chat) in seen.chats.values().filter(|(_, chat)| chat.direct) {
                let with_blocked = |(one, other): &&(usize, usize)| {
                    chat.members.contains(NAMES[*one]) && chat.members.contains(NAMES[*other])
                };
                let by: Vec<_> = self.blocked.iter().filter(with_blocked).collect();
                self.disturbed
                    .extend(by.into_iter().map(|(one, _)| (*one, id.clone())));
            }
        }
        for seen in all {
            for group in &groups {
                let active = seen.chats.get(&group.to_string());
                let active = active.is_some_and(|(_, chat)| chat.state == ChatState::Active);
                let key = (seen.device, group.clone());
                let before = self.was_active.contains(&key);
                let there =
                    active && before && !self.disturbed.contains(&(seen.owner, group.clone()));
                if active {
                    self.was_active.insert(key.clone());
                } else {
                    self.was_active.remove(&key);
                }
                if !there {
                    self.holes.entry(key).or_default().insert(part);
                }
            }
            for (_, chat) in seen.chats.values() {
                for line in &chat.lines {
                    // Sent by an app that ended before it could say so.
                    let touched = self.touched.entry(line.id.clone()).or_default();
                    if touched.is_empty() {
                        touched.insert(part);
                    }
                }
            }
        }
    }

    /// All come to rest, and show the same.
    pub async fn rests(&mut self) {
        self.all_come_back().await;
        self.all_goes_on().await;
        let mut standstill = Standstill::new();
        let mut round = 0;
        loop {
            // What was said before the great leap in time is to come before it.
            let limit = if round == 0 { LIMIT } else { ROUND };
            let trouble = self.settles(limit).await;
            self.all_are_friends().await;
            let all = self.look().await;
            if round == 0 {
                self.note_who_was_there(&all);
            }
            let difference = trouble.or_else(|| self.difference(&all));
            // Everything has been read, and its time is over.
            if round > 1 && difference.is_none() {
                self.note_who_was_there(&all);
                break;
            }
            if let Some(difference) =
                difference.filter(|difference| standstill.is_for_good(difference))
            {
                self.note(format!("-- still not the same: {difference}"));
                for line in self.what_holds_them(&all).await {
                    self.note(line);
                }
                for seen in &all {
                    let person = &mut self.devices[seen.device].person;
                    person.quit().await;
                    let lines = kept(person);
                    self.note(format!("   {} keeps", seen.label));
                    lines.into_iter().for_each(|line| self.note(line));
                }
                panic!("{difference}");
            }
            self.reads_all(&all).await;
            self.settles(limit).await;
            self.pass_ms(if round == 0 { 49 * HOUR_MS } else { HOUR_MS });
            round += 1;
            if round % REOPENED_AFTER == 0 {
                for device in self.devices.iter_mut().filter(|device| !device.removed) {
                    device.person.reopen().await;
                }
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        self.disturbed.clear();
        self.blocked.clear();
        self.part += 1;
    }

    /// For whoever looks into a difference: what each device still has to do, and what is wrong there by itself.
    async fn what_holds_them(&self, all: &[Seen]) -> Vec<String> {
        let mut lines = Vec::new();
        for seen in all {
            let client = self.devices[seen.device].person.client();
            let left = client.what_is_left_for_tests().await.unwrap();
            lines.push(format!("   {}: left to do {left:?}", seen.label));
            for (id, chat) in seen.chats.values() {
                if chat.state != ChatState::Active {
                    lines.push(format!(
                        "   {}, {}: {:?}",
                        seen.label, chat.name, chat.state
                    ));
                }
                let wrong = self.is_wrong(seen, id, chat);
                lines.extend(
                    wrong.map(|wrong| format!("   {}, {}: {wrong}", seen.label, chat.name)),
                );
            }
        }
        lines
    }

    /// Everybody closes the app, and what they hold is looked through. What was done to a message that is not there may wait for it, while
    /// something is missing, for a month: then it is looked through again.
    pub async fn ends(&mut self) {
        if self.hold_nothing_else(Waiting::IsAllowed).await {
            for device in self.devices.iter_mut().filter(|device| !device.removed) {
                device.person.reopen().await;
            }
            self.pass_ms(32 * 24 * HOUR_MS);
            self.settles(LIMIT).await;
            self.hold_nothing_else(Waiting::IsOver).await;
        }
    }

    /// All close the app, and nobody has a word or a file that they don't show. Answers whether something waits for its message.
    async fn hold_nothing_else(&mut self, waiting: Waiting) -> bool {
        let all = self.look().await;
        let mut waits = false;
        for seen in all {
            let device = &mut self.devices[seen.device];
            device.person.quit().await;
            let gone: Vec<_> = self
                .words
                .iter()
                .filter(|word| !seen.text.contains(*word))
                .collect();
            let found = holds(&device.person, &gone, waiting);
            let strays = strays(&device.person);
            assert!(
                strays.is_empty(),
                "{} keeps files of nothing that it shows: {strays:?}",
                device.label
            );
            assert!(
                found.is_empty(),
                "{} of {} still holds {found:#?}",
                device.label,
                NAMES[seen.owner]
            );
            waits |= !device.removed && device.person.looks_up("SELECT count(*) FROM early") > 0;
        }
        waits
    }
}

/// What a home keeps of where its conversations are, for whoever looks into a difference.
fn kept(person: &Person) -> Vec<String> {
    let tables = [
        "SELECT 'conversation', id, name, 'state', state, 'epoch', epoch, 'generation', generation, 'moves', moves, 'top', top_number, 'leaving', leaving FROM conversations",
        "SELECT 'commit', conversation, 'epoch', epoch, 'sent', sent, 'accepted', accepted_at_ms FROM commits",
        "SELECT 'held', address, 'number', number, 'epoch', epoch, 'waits for', waits_for FROM held_items",
        "SELECT 'intent', conversation, 'kind', kind, 'state', state, 'attempts', attempts FROM intents",
        "SELECT 'gap', conversation, 'generation', generation, 'number', number, 'asked', asked_at_ms FROM gaps",
        "SELECT 'behind', conversation, 'epoch', epoch, since_ms FROM behind",
        "SELECT 'stuck', conversation, 'epoch', epoch FROM stuck",
    ];
    let home = person.home_while_away();
    let read = home.database().read(|snapshot| {
        let mut lines = Vec::new();
        for sql in tables {
            let mut statement = snapshot.connection().prepare(sql)?;
            let columns = statement.column_count();
            let rows = statement.query_map([], |row| {
                let column = |at| row.get::<_, rusqlite::types::Value>(at);
                (0..columns)
                    .map(column)
                    .collect::<rusqlite::Result<Vec<_>>>()
            })?;
            for row in rows {
                lines.push(format!(
                    "      {}",
                    row?.iter().map(shown).collect::<Vec<_>>().join(" ")
                ));
            }
        }
        Ok::<_, StoreError>(lines)
    });
    read.unwrap()
}

fn shown(value: &rusqlite::types::Value) -> String {
    use rusqlite::types::Value;
    match value {
        Value::Integer(number) => number.to_string(),
        Value::Text(text) => text.clone(),
        other => format!("{other:?}"),
    }
}

/// Whether what was done to a message that is not there may be there still.
#[derive(Clone, Copy, PartialEq)]
enum Waiting {
    IsAllowed,
    IsOver,
}

/// Which of these words are in the store or the files of a home, and where.
fn holds(person: &Person, words: &[&String], waiting: Waiting) -> Vec<String> {
    let pieces: HashSet<&[u8]> = words
        .iter()
        .map(|word| &word.as_bytes()[word.len() - PIECE..])
        .collect();
    let mut found = Vec::new();
    let home = person.home_while_away();
    let read = home.database().read(|snapshot| {
        let db = snapshot.connection();
        let mut tables = db.prepare(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%'",
        )?;
        let names = tables
            .query_map([], |row| row.get::<_, String>(0))?
            .collect::<rusqlite::Result<Vec<_>>>()?;
        for name in names {
            let which = match (name.as_str(), waiting) {
                ("actions", Waiting::IsAllowed) => "WHERE id NOT IN (SELECT action FROM early)",
                _ => "",
            };
            let mut all = db.prepare(&format!("SELECT * FROM \"{name}\" {which}"))?;
            let columns: Vec<_> = all.column_names().into_iter().map(ToOwned::to_owned).collect();
            let mut rows = all.query([])?;
            while let Some(row) = rows.next()? {
                for (index, column) in columns.iter().enumerate() {
                    let bytes = row.get_ref(index)?.as_bytes().unwrap_or_default();
                    for piece in pieces_in(bytes, &pieces) {
                        found.push(format!("{piece} in {name}.{column}"));
                    }
                }
            }
        }
        Ok::<_, StoreError>(())
    });
    read.unwrap();
    drop(home);
    in_files(&person.home, &pieces, &mut found);
    found
}

/// Files of attachments, which are encrypted, that no message names that is shown or on its way.
fn strays(person: &Person) -> Vec<String> {
    let home = person.home_while_away();
    let named = home.database().read(|snapshot| {
        let mut named = snapshot.connection().prepare(
            "SELECT a.file_name FROM attachments a WHERE EXISTS (
                SELECT 1 FROM message_files f JOIN messages m ON m.id = f.message WHERE f.attachment = a.id AND m.gone = 0)",
        )?;
        let names = named.query_map([], |row| row.get::<_, String>(0))?;
        Ok::<_, StoreError>(names.collect::<rusqlite::Result<HashSet<_>>>()?)
    });
    let named = named.unwrap();
    drop(home);
    let files = std::fs::read_dir(person.home.join("attachments")).unwrap();
    let files = files.map(|file| file.unwrap().file_name().to_string_lossy().into_owned());
    files.filter(|name| !named.contains(name)).collect()
}

fn in_files(folder: &Path, pieces: &HashSet<&[u8]>, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            in_files(&entry.path(), pieces, found);
        } else if entry.file_type().unwrap().is_file() {
            let bytes = std::fs::read(entry.path()).unwrap();
            for piece in pieces_in(&bytes, pieces) {
                found.push(format!("{piece} in {:?}", entry.file_name()));
            }
        }
    }
}

fn pieces_in(bytes: &[u8], pieces: &HashSet<&[u8]>) -> Vec<String> {
    let lower = bytes.to_ascii_lowercase();
    let mut found = Vec::new();
    for run in lower.split(|byte| !byte.is_ascii_lowercase()) {
        if run.len() < PIECE {
            continue;
        }
        for window in run.windows(PIECE) {
            if pieces.contains(window) {
                found.push(String::from_utf8_lossy(window).into_owned());
            }
        }
    }
    found
}
