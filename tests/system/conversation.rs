//! What people do to messages, through the real programs: answered, changed, taken back, timed, found.

use std::fs;
use std::time::Duration;

use serde_json::Value;
use undertone_tests::{Outcome, Person, ServerProcess, eventually, fixtures};

const PATIENCE: Duration = Duration::from_secs(30);

struct Two {
    _server: ServerProcess,
    ada: Person,
    ben: Person,
}

fn two() -> Outcome<Two> {
    let server = ServerProcess::start()?;
    let ada = Person::join_hurried("Ada", &server.invitation(1)?)?;
    let ben = Person::join_hurried("Ben", &server.invitation(1)?)?;
    ada.meet(&ben)?;
    Ok(Two {
        _server: server,
        ada,
        ben,
    })
}

/// What people wrote in a chat, as the app gives it.
fn written(person: &Person, chat: &str) -> Outcome<Vec<Value>> {
    let mut lines = person.read(chat)?;
    lines.retain(|line| line["kind"] == "message");
    Ok(lines)
}

/// The id of the message of a chat that says this.
fn id(person: &Person, chat: &str, text: &str) -> Outcome<String> {
    let lines = written(person, chat)?;
    let found = lines.iter().find(|line| line["text"] == text);
    let found = found.unwrap_or_else(|| panic!("{} has no message {text}", person.name()));
    Ok(found["id"].as_str().unwrap_or_default().to_owned())
}

fn until(what: &str, mut holds: impl FnMut() -> Outcome<bool>) -> Outcome {
    eventually(PATIENCE, what, || Ok(holds()?.then_some(())))
}

/// Waits until the messages of a chat are so.
fn sees(person: &Person, chat: &str, what: &str, holds: impl Fn(&[Value]) -> bool) -> Outcome {
    let told = format!("{} sees {what}", person.name());
    until(&told, || Ok(holds(&written(person, chat)?)))
}

#[test]
fn ada_corrects_herself_takes_back_a_word_and_ben_reacts() -> Outcome {
    let Two { ada, ben, .. } = &two()?;
    ada.send("Ben", "We meat at ten")?;
    ada.send("Ben", "Bring the papers")?;
    ben.reads_eventually("Ada", &["We meat at ten", "Bring the papers"], PATIENCE)?;
    let first = id(ada, "Ben", "We meat at ten")?;
    let second = id(ada, "Ben", "Bring the papers")?;

    let edited = ada.run(["edit", "Ben", &first[..10], "We meet at ten"])?;
    assert_eq!(edited["waits"], false);
    ben.run(["send", "Ada", "Where?", "--reply-to", &first])?;
    ben.run(["react", "Ada", &first, "👍"])?;
    ada.run(["delete", "Ben", &second])?;
    sees(ada, "Ben", "the reaction", |lines| {
        lines[0]["reactions"][0]["names"][0] == "Ben"
    })?;
    sees(ben, "Ada", "the correction and the deletion", |lines| {
        lines[0]["text"] == "We meet at ten"
            && lines[0]["edits"] == 1
            && lines[1]["deleted"] == true
    })?;
    let lines = written(ben, "Ada")?;
    assert_eq!(lines[1]["text"], "");
    assert_eq!(lines[2]["quote"]["text"], "We meet at ten");
    let versions = ben.run(["history", "Ada", &first])?;
    assert_eq!(versions[0]["text"], "We meat at ten");
    assert_eq!(versions[1]["text"], "We meet at ten");
    // Nobody changes what somebody else wrote.
    let refused = ben.run(["edit", "Ada", &first, "We never meet"]);
    assert!(refused.is_err());

    // As a person reads it.
    let shown = ben.command_for_people().args(["read", "Ada"]).output();
    let shown = String::from_utf8_lossy(&shown.expect("run").stdout).into_owned();
    for line in [
        "We meet at ten",
        "edited",
        "👍",
        "This message was deleted.",
        "│ Ada: We meet at ten",
    ] {
        assert!(shown.contains(line), "no {line:?} in\n{shown}");
    }
    Ok(())
}

#[test]
fn a_timed_message_goes_from_both_sides_and_what_may_be_opened_once_is_opened_once() -> Outcome {
    let Two { ada, ben, .. } = &two()?;
    ada.run(["timer", "Ben", "2s"])?;
    ada.send("Ben", "The code is 4711")?;
    until("Ben gets it", || {
        Ok(ben.run(["read", "Ada", "--peek"])?["messages"]
            .as_array()
            .is_some_and(|lines| lines.iter().any(|line| line["text"] == "The code is 4711")))
    })?;
    // Not read, it stays; read, it goes two seconds later.
    std::thread::sleep(Duration::from_secs(3));
    ben.reads_eventually("Ada", &["The code is 4711"], PATIENCE)?;
    for (person, chat) in [(ada, "Ben"), (ben, "Ada")] {
        sees(person, chat, "that it is gone", <[Value]>::is_empty)?;
    }
    ada.run(["timer", "Ben", "off"])?;

    let folder = tempfile::tempdir().expect("a folder");
    let photo = folder.path().join("pass.jpg");
    fs::write(&photo, fixtures::photo().expect("a photo")).expect("a file");
    let path = photo.to_string_lossy().into_owned();
    ada.run(["send", "Ben", "--attach", &path, "--view-once"])?;
    sees(ben, "Ada", "a photo", |lines| lines.len() == 1)?;
    let message = written(ben, "Ada")?[0]["id"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    ben.save("Ada", &message, &folder.path().join("once.jpg"))?;
    assert!(
        ben.save("Ada", &message, &folder.path().join("twice.jpg"))
            .is_err()
    );
    sees(ada, "Ben", "that it is gone here", |lines| {
        lines[0]["opened"] == true
    })
}

#[test]
fn what_was_said_is_found_pinned_and_forwarded_and_reading_is_told() -> Outcome {
    let Two { ada, ben, .. } = &two()?;
    ben.send("Ada", "The archive is in the cellar")?;
    ben.send("Ada", "Good night")?;
    ada.reads_eventually(
        "Ben",
        &["The archive is in the cellar", "Good night"],
        PATIENCE,
    )?;
    // Ada has read; her next command tells.
    until("Ben is told", || {
        ada.run(["chats"])?;
        Ok(written(ben, "Ada")?[0]["read_by"] == 1)
    })?;
    let found = ada.run(["search", "arch cell", "--from", "Ben"])?;
    assert_eq!(found.as_array().map(Vec::len), Some(1));
    let message = found[0]["id"].as_str().unwrap_or_default();
    ada.run(["pin-message", "Ben", message])?;
    until("Ben sees the pin", || {
        Ok(ben.run(["pinned", "Ada"])?[0]["text"] == "The archive is in the cellar")
    })?;
    ada.run(["forward", "Ben", message, "notes"])?;
    let notes = written(ada, "notes")?;
    assert_eq!(notes[0]["text"], "The archive is in the cellar");
    assert_eq!(
        (&notes[0]["forwarded"], &notes[0]["mine"]),
        (&true.into(), &true.into())
    );

    ada.run(["receipts", "off"])?;
    ada.run(["pin", "Ben"])?;
    ada.run(["mute", "Ben", "8h"])?;
    let chats = ada.run(["chats"])?;
    assert_eq!(chats[0]["pinned"], true);
    assert!(chats[0]["muted_until_ms"].is_number());
    ada.run(["block", "Ben"])?;
    assert!(ada.send("Ben", "Hello?").is_err());
    ada.run(["block", "Ben", "--undo"])?;
    ada.send("Ben", "Hello?")?;
    Ok(())
}
