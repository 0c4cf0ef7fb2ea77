//! Ten conversations as the app shows them to each who took part, kept as files: what changes about them shows as a difference.
//!
//! `UPDATE=1 cargo nextest run -p undertone-tests golden` writes them anew; what comes out is to be read before it is kept. Times, days and
//! sizes that depend on the machine are taken out.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use undertone_tests::{Failed, Outcome, Person, ServerOptions, ServerProcess, fixtures};

const LIMIT: Duration = Duration::from_secs(60);

/// Ada knows Ben and Cleo. Receipts are off: when they come is a matter of chance.
struct Stage {
    _server: ServerProcess,
    files: tempfile::TempDir,
    ada: Person,
    ben: Person,
    cleo: Person,
}

impl Stage {
    fn open() -> Outcome<Self> {
        let server = ServerProcess::start_with(ServerOptions {
            open: true,
            ..ServerOptions::default()
        })?;
        let at = server.origin_and_pin();
        let [ada, ben, cleo] = [
            Person::join_hurried("Ada", &at)?,
            Person::join_hurried("Ben", &at)?,
            Person::join_hurried("Cleo", &at)?,
        ];
        ada.meet(&ben)?;
        ada.meet(&cleo)?;
        for person in [&ada, &ben, &cleo] {
            person.run(["receipts", "off"])?;
        }
        Ok(Self {
            _server: server,
            files: tempfile::tempdir().map_err(|error| Failed::harness("files", error))?,
            ada,
            ben,
            cleo,
        })
    }

    /// A group of all three that everybody is in.
    fn group(&self, name: &str) -> Outcome {
        // One after the other, so that everybody is told the same each time.
        self.ada.run(["group", "create", name, "Ben"])?;
        self.has(&self.ben, name, |line| line["kind"] == "notice")?;
        self.ada.run(["group", "add", name, "Cleo"])?;
        let first = format!("This is {name}.");
        self.says(&self.ada, name, &first)
    }

    /// Somebody says something, and all have it before anybody goes on.
    fn says(&self, person: &Person, chat: &str, text: &str) -> Outcome {
        person.send(chat, text)?;
        self.all_have(chat, text)
    }

    fn all_have(&self, chat: &str, text: &str) -> Outcome {
        for person in [&self.ada, &self.ben, &self.cleo] {
            self.has(person, chat, |line| line["text"] == text)?;
        }
        Ok(())
    }

    /// Waits until somebody's chat has such a line.
    fn has(
        &self,
        person: &Person,
        chat: &str,
        wanted: impl Fn(&serde_json::Value) -> bool,
    ) -> Outcome {
        let what = format!("{} has a line in {chat}", person.name());
        undertone_tests::eventually(LIMIT, &what, || match person.read(chat) {
            Ok(lines) => Ok(lines.iter().any(&wanted).then_some(())),
            Err(failed) if failed.code == "chat.unknown" => Ok(None),
            Err(failed) => Err(failed),
        })
    }

    fn id(&self, person: &Person, chat: &str, text: &str) -> Outcome<String> {
        let lines = person.read(chat)?;
        let found = lines.iter().find(|line| line["text"] == text);
        let id = found.and_then(|line| line["id"].as_str());
        id.map(str::to_owned)
            .ok_or_else(|| Failed::harness("looking for a message", text))
    }

    fn file(&self, name: &str, bytes: &[u8]) -> Outcome<PathBuf> {
        let path = self.files.path().join(name);
        fs::write(&path, bytes).map_err(|error| Failed::harness("writing a file", error))?;
        Ok(path)
    }

    /// Compares what each of these is shown with the file, or writes it.
    fn compare(&self, name: &str, chats: &[(&Person, &str)]) -> Outcome {
        let mut shown = String::new();
        for (person, chat) in chats {
            let output = person
                .command_for_people()
                .args(["read", chat, "--peek"])
                .env("TZ", "UTC")
                .output()
                .map_err(|error| Failed::harness("reading a chat", error))?;
            let text = String::from_utf8_lossy(&output.stdout);
            let _ = writeln!(shown, "==== {} ====", person.name());
            for line in in_order(text.lines().map(|line| normal(line.trim_end()))) {
                let _ = writeln!(shown, "{line}");
            }
        }
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("golden")
            .join(format!("{name}.txt"));
        let failed = |error: std::io::Error| Failed::harness("a golden transcript", error);
        if std::env::var_os("UPDATE").is_some() {
            fs::create_dir_all(path.parent().unwrap_or(&path)).map_err(failed)?;
            fs::write(&path, &shown).map_err(failed)?;
        }
        let kept = fs::read_to_string(&path).map_err(failed)?;
        assert_eq!(kept, shown, "{name} is shown differently");
        Ok(())
    }
}

/// Lines about one change, and names in a list, stand in the order of random ids: here by the alphabet.
fn in_order(lines: impl Iterator<Item = String>) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    let mut notices = Vec::new();
    for (number, line) in lines.enumerate() {
        if line.starts_with("  * ") {
            notices.push(line);
            continue;
        }
        notices.sort();
        all.append(&mut notices);
        let mut names: Vec<_> = line.split(", ").collect();
        if number == 1 && names.first() == Some(&"You") {
            names.sort_unstable();
            all.push(names.join(", "));
        } else {
            all.push(line);
        }
    }
    notices.sort();
    all.append(&mut notices);
    all
}

/// Whether a word is the beginning of a message's id.
fn is_id(word: &str) -> bool {
    word.len() == 10 && word.starts_with("01") && word.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// A line without what depends on the day: `HH:MM` for times; `DAY` for a line that says which day it is.
fn normal(line: &str) -> String {
    let bytes = line.as_bytes();
    let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let mut out = String::with_capacity(line.len());
    let mut at = 0;
    while at < bytes.len() {
        let time = digit(at) && digit(at + 1) && bytes.get(at + 2) == Some(&b':');
        let alone = (at == 0 || !digit(at - 1)) && !digit(at + 5);
        if time && alone && digit(at + 3) && digit(at + 4) {
            out.push_str("HH:MM");
            at += 5;
        } else {
            let rest = line.get(at..).unwrap_or_default();
            let letter = rest.chars().next().unwrap_or(' ');
            out.push(letter);
            at += letter.len_utf8();
        }
    }
    // That it came is told when it is told.
    let out = out.replace("✓✓", "✓");
    let words: Vec<_> = out
        .split(' ')
        .map(|word| if is_id(word) { "MESSAGE-ID" } else { word })
        .collect();
    let out = words.join(" ");
    let is_day = ["Today", "Yesterday"].iter().any(|day| out.contains(day));
    let year = out
        .split(' ')
        .any(|word| word.len() == 4 && word.starts_with("20"));
    if is_day || (year && !out.contains("HH:MM")) {
        "DAY".to_owned()
    } else {
        out
    }
}

#[test]
fn what_people_say_to_each_other() -> Outcome {
    let stage = Stage::open()?;
    let Stage { ada, ben, cleo, .. } = &stage;
    let both = |name| stage.compare(name, &[(ada, "Ben"), (ben, "Ada")]);

    // 1. Two people meet.
    ada.send("Ben", "Good morning, Ben.")?;
    stage.has(ben, "Ada", |line| line["text"] == "Good morning, Ben.")?;
    ben.send(
        "Ada",
        "Good morning.\nIs the story ready?\n\nThe desk asks.",
    )?;
    stage.has(ada, "Ben", |line| line["mine"] == false)?;
    ada.send(
        "Ben",
        "Nearly: 日本語, עברית, and a long word: Donaudampfschifffahrtsgesellschaftskapitänsmütze.",
    )?;
    stage.has(ben, "Ada", |line| {
        line["text"]
            .as_str()
            .is_some_and(|text| text.starts_with("Nearly"))
    })?;
    both("01-two-people-meet")?;

    // 2. Corrections: edited, deleted for everyone, deleted for oneself.
    stage.group("Corrections")?;
    for text in ["We meat at ten.", "Forget this.", "Only for me to forget."] {
        stage.says(ada, "Corrections", text)?;
    }
    let first = stage.id(ada, "Corrections", "We meat at ten.")?;
    ada.run(["edit", "Corrections", &first, "We meet at ten."])?;
    let second = stage.id(ada, "Corrections", "Forget this.")?;
    ada.run(["delete", "Corrections", &second])?;
    let third = stage.id(ben, "Corrections", "Only for me to forget.")?;
    ben.run(["delete", "Corrections", &third, "--for-me"])?;
    stage.says(cleo, "Corrections", "Ten it is.")?;
    stage.compare(
        "02-corrections",
        &[(ada, "Corrections"), (ben, "Corrections")],
    )?;

    // 3. Replies and reactions.
    stage.group("Reactions")?;
    stage.says(ada, "Reactions", "It is out.")?;
    let out = stage.id(ben, "Reactions", "It is out.")?;
    ben.run(["send", "Reactions", "At last.", "--reply-to", &out])?;
    stage.all_have("Reactions", "At last.")?;
    ben.run(["react", "Reactions", &out, "🎉"])?;
    let reacted = |line: &serde_json::Value| {
        line["reactions"]
            .as_array()
            .is_some_and(|all| !all.is_empty())
    };
    stage.has(cleo, "Reactions", reacted)?;
    cleo.run(["react", "Reactions", &out, "🎉"])?;
    cleo.run(["react", "Reactions", &out, "👍"])?;
    stage.says(cleo, "Reactions", "Bravo.")?;
    stage.compare(
        "03-replies-and-reactions",
        &[(ada, "Reactions"), (cleo, "Reactions")],
    )?;

    // 4. Markdown, which is never HTML.
    stage.group("Markdown")?;
    let marked = "# Plan\n\n1. **Call** the *source*\n2. `file.txt`\n\n> she said\n\n<b>not bold</b> [a link](https://example.org)";
    ben.run(["send", "Markdown", marked, "--markdown"])?;
    stage.says(ada, "Markdown", "*Not* Markdown.")?;
    stage.compare("04-markdown", &[(ada, "Markdown"), (ben, "Markdown")])?;

    // 5. Messages that disappear.
    stage.group("Timers")?;
    ada.run(["timer", "Timers", "7d"])?;
    stage.has(ben, "Timers", |line| {
        line["text"]
            .as_str()
            .is_some_and(|text| text.contains("disappear"))
    })?;
    stage.says(ada, "Timers", "Not for long.")?;
    ada.run(["timer", "Timers", "off"])?;
    stage.has(ben, "Timers", |line| {
        line["text"]
            .as_str()
            .is_some_and(|text| text.contains("to stay"))
    })?;
    stage.says(ben, "Timers", "For good.")?;
    stage.compare("05-timers", &[(ada, "Timers"), (ben, "Timers")])
}

#[test]
fn what_people_do_in_groups() -> Outcome {
    let stage = Stage::open()?;
    let Stage { ada, ben, cleo, .. } = &stage;

    // 6. A group changes: its name, its roles, its owner.
    stage.group("The desk")?;
    ada.run(["group", "rename", "The desk", "Night desk"])?;
    stage.has(ben, "Night desk", |line| line["kind"] == "notice")?;
    ada.run(["group", "role", "Night desk", "Ben", "admin"])?;
    stage.says(ada, "Night desk", "Ben helps.")?;
    ada.run(["group", "hand-over", "Night desk", "Ben"])?;
    stage.says(ada, "Night desk", "It is Ben's now.")?;
    ben.run(["group", "remove", "Night desk", "Cleo"])?;
    ben.send("Night desk", "Cleo has gone home.")?;
    stage.has(ada, "Night desk", |line| {
        line["text"] == "Cleo has gone home."
    })?;
    let chats = [
        (ada, "Night desk"),
        (ben, "Night desk"),
        (cleo, "Night desk"),
    ];
    stage.compare("06-a-group-changes", &chats)?;

    // 7. A group for announcements.
    stage.group("News")?;
    ada.run([
        "group",
        "policy",
        "News",
        "--post",
        "admins",
        "--pin",
        "everybody",
    ])?;
    stage.says(ada, "News", "We publish at noon.")?;
    let noon = stage.id(ben, "News", "We publish at noon.")?;
    ben.run(["pin-message", "News", &noon])?;
    stage.has(ada, "News", |line| line["text"] == "Ben pinned a message.")?;
    ada.run([
        "group",
        "policy",
        "News",
        "--post",
        "everybody",
        "--add",
        "owners",
    ])?;
    stage.says(ada, "News", "Questions?")?;
    stage.says(cleo, "News", "None.")?;
    stage.compare("07-announcements", &[(ada, "News"), (ben, "News")])?;

    // 8. Files: an album with words, a memo, a file to be opened once.
    stage.group("Files")?;
    let failed = |error| Failed::harness("a fixture", error);
    let photo = stage.file("harbour.jpg", &fixtures::photo().map_err(failed)?)?;
    let memo = stage.file("memo.opus", &fixtures::memo().map_err(failed)?)?;
    let notes = stage.file("notes.txt", b"Nothing to see here.\n")?;
    let [photo, memo, notes] = [&photo, &memo, &notes].map(|path| path.to_string_lossy());
    ada.run([
        "send",
        "Files",
        "The harbour.",
        "--attach",
        &photo,
        "--attach",
        &photo,
    ])?;
    stage.all_have("Files", "The harbour.")?;
    ben.run(["send", "Files", "--attach", &memo])?;
    cleo.run([
        "send",
        "Files",
        "Once only.",
        "--attach",
        &notes,
        "--view-once",
    ])?;
    stage.all_have("Files", "Once only.")?;
    stage.has(ada, "Files", |line| {
        line["attachments"][0]["content_type"]
            .as_str()
            .is_some_and(|kind| kind.starts_with("audio"))
    })?;
    stage.says(ada, "Files", "Thank you.")?;
    stage.compare("08-files", &[(ada, "Files"), (cleo, "Files")])?;

    // 9. Forwarding says nothing of who said it first.
    stage.group("Forwarded")?;
    let said = stage.id(ben, "Files", "The harbour.")?;
    ben.run(["forward", "Files", &said, "Forwarded"])?;
    stage.all_have("Forwarded", "The harbour.")?;
    stage.says(ada, "Forwarded", "Who took it?")?;
    stage.compare("09-forwarded", &[(ada, "Forwarded"), (ben, "Forwarded")])?;

    // 10. Somebody unknown, and somebody who comes by a link.
    let link = ada.run(["link", "--uses", "2"])?;
    let at = stage._server.origin_and_pin();
    let dee = Person::join_hurried("Dee", &at)?;
    dee.add(link["uri"].as_str().unwrap_or_default())?;
    dee.waits_for_contact("Ada")?;
    dee.send("Ada", "You don't know me.")?;
    ada.reads_eventually("Dee", &["You don't know me."], LIMIT)?;
    ada.run(["requests", "accept", "Dee"])?;
    ada.send("Dee", "Now I do.")?;
    dee.reads_eventually("Ada", &["You don't know me.", "Now I do."], LIMIT)?;
    stage.group("Open house")?;
    let link = ada.run(["group", "invite", "Open house"])?;
    {
        let _there = ada.watch()?;
        dee.run_with_input(
            ["group", "join", "-"],
            link["uri"].as_str().unwrap_or_default(),
        )?;
    }
    dee.send("Open house", "Hello, house.")?;
    stage.all_have("Open house", "Hello, house.")?;
    let chats = [
        (ada, "Dee"),
        (&dee, "Ada"),
        (ben, "Open house"),
        (&dee, "Open house"),
    ];
    stage.compare("10-strangers", &chats)
}
