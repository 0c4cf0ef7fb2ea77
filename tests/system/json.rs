//! Every command prints JSON when it is asked to, and a failure is one line of JSON too.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;
use undertone_tests::{Failed, Outcome, Person, ServerProcess, fixtures};

/// Commands that are tried elsewhere: they stay, need another device or a person at the keyboard, or end the home.
const ELSEWHERE: &[&str] = &[
    // Stay, and speak JSON only: rpc.rs, web_host.rs, conversation.rs.
    "app",
    "rpc",
    "watch",
    // Ends or replaces a home, or needs words that a person types: kill.rs, coercion.rs, account_backup.rs.
    "init",
    "restore",
    "kill",
    "custodian",
    "duress",
    "panic",
    "wipe",
    "passphrase",
    "guard",
    // Of the system, and of the terminal: install.rs, command_line.rs.
    "install",
    "uninstall",
    "help",
];

/// The commands that `undertone help` lists.
fn listed(person: &Person) -> Outcome<BTreeSet<String>> {
    let help = person
        .command_for_people()
        .arg("help")
        .output()
        .map_err(|error| Failed::harness("undertone help", error))?;
    let help = String::from_utf8_lossy(&help.stdout).into_owned();
    let (_, commands) = help.split_once("Commands:\n").expect("a list of commands");
    Ok(commands
        .lines()
        .take_while(|line| line.starts_with("  "))
        .filter_map(|line| line.split_whitespace().next())
        .map(str::to_owned)
        .collect())
}

#[test]
fn every_command_answers_in_json_when_asked() -> Outcome {
    let server = ServerProcess::start()?;
    let invitation = server.invitation(2)?;
    let ada = Person::join("Ada", &invitation)?;
    let ben = Person::join("Ben", &invitation)?;
    ada.meet(&ben)?;
    let folder = tempfile::tempdir().expect("a folder");
    let place = |name: &str| folder.path().join(name).display().to_string();
    let memo = place("memo.opus");
    fs::write(&memo, fixtures::memo().expect("a memo")).expect("written");

    let mut tried = BTreeSet::new();
    let mut run = |line: &[&str]| -> Outcome<Value> {
        tried.insert(line[0].to_owned());
        ada.run(line)
    };
    run(&["link"])?;
    // Nobody uses this one.
    let link = run(&["links"])?;
    let link = link[0]["id"].as_str().unwrap_or_default().to_owned();
    run(&["links", "revoke", &link])?;
    run(&["contacts"])?;
    run(&["verify", "Ben"])?;
    run(&["requests"])?;
    run(&["report", "make", "Ben"])?;
    run(&["report", "list"])?;
    run(&["devices"])?;
    run(&["kill-code"])?;
    run(&["protection"])?;
    run(&["profile"])?;
    run(&["status"])?;
    run(&["downloads"])?;
    run(&["proxy"])?;
    for switch in ["receipts", "typing"] {
        run(&[switch])?;
        run(&[switch, "off"])?;
    }

    let sent = run(&["send", "Ben", "A *word*", "--attach", &memo])?;
    let message = sent["message"].as_str().unwrap_or_default().to_owned();
    run(&["edit", "Ben", &message, "Another word"])?;
    run(&["history", "Ben", &message])?;
    let told = run(&["who-read", "Ben", &message])?;
    assert!(told.is_array(), "{told}");
    let draft = run(&["draft", "Ben", "Not yet", "--reply-to", &message])?;
    assert_eq!(draft["draft"]["text"], "Not yet");
    assert_eq!(run(&["draft", "Ben"])?, draft);
    let ended = run(&["draft", "Ben", ""])?;
    assert!(ended["draft"].is_null(), "{ended}");
    run(&["react", "Ben", &message, "👍"])?;
    run(&["pin-message", "Ben", &message])?;
    run(&["pinned", "Ben"])?;
    run(&["read", "Ben"])?;
    run(&["search", "word"])?;
    let mine = run(&["search", "word", "--from", "me", "--since", "2020-01-01"])?;
    assert_eq!(mine.as_array().map(Vec::len), Some(1), "{mine}");
    let before = run(&["search", "word", "--from", "me", "--until", "2020-01-01"])?;
    assert_eq!(before.as_array().map(Vec::len), Some(0), "{before}");
    run(&["send", "Ben", "Gone then", "--until", "2090-01-01T08:30"])?;
    run(&["save", "Ben", &message, &place("saved.opus")])?;
    run(&["send-again", "Ben", &message]).expect_err("it did not fail");
    run(&["transfer", "cancel", "Ben", &message]).expect_err("nothing of it is under way");
    run(&["storage"])?;
    run(&["storage", "Ben"])?;
    run(&["export", "Ben", &place("export")])?;
    run(&["content", "inspect", &memo]).expect_err("a memo is no message");

    run(&["group", "create", "Desk", "Ben"])?;
    run(&["group", "members", "Desk"])?;
    run(&["group", "policy", "Desk"])?;
    run(&["group", "invite", "Desk"])?;
    run(&["group", "invites", "Desk"])?;
    run(&["forward", "Ben", &message, "Desk"])?;
    run(&["timer", "Desk", "1d"])?;
    run(&["mute", "Desk"])?;
    run(&["archive", "Desk"])?;
    run(&["pin", "Desk"])?;
    run(&["chats"])?;
    run(&["delete", "Ben", &message])?;
    run(&["block", "Ben"])?;
    run(&["backup", "make", &place("backup")])?;
    // Nothing has the home open.
    assert_eq!(run(&["lock"])?["was_open"], false);
    let refused = run(&["add", "no link"]).expect_err("no link");
    assert!(!refused.code.is_empty(), "{refused}");

    let all = listed(&ada)?;
    let left: Vec<_> = all
        .iter()
        .filter(|command| !tried.contains(*command) && !ELSEWHERE.contains(&command.as_str()))
        .collect();
    assert!(left.is_empty(), "never tried with --json: {left:?}");
    let gone: Vec<_> = ELSEWHERE
        .iter()
        .filter(|one| !all.contains(**one))
        .collect();
    assert!(gone.is_empty(), "no command any more: {gone:?}");
    Ok(())
}
