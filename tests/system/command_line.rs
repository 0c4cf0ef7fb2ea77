//! The command line as people use it: what they see, and what nobody can make them see.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use undertone_tests::{Failed, Outcome, Person, ServerProcess, fixtures};

const PATIENCE: Duration = Duration::from_secs(30);

/// What a person would see, not what a script gets.
fn shown(person: &Person, arguments: &[&str]) -> Outcome<String> {
    let output = person
        .command_for_people()
        .args(arguments)
        .env("COLUMNS", "72")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| Failed::harness("undertone", error))?;
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8(output.stdout).expect("UTF-8"))
}

/// Dark modules of a code in half blocks: a half that is not drawn is dark.
fn code_in(text: &str) -> Vec<Vec<bool>> {
    let is_code = |line: &&str| !line.is_empty() && line.chars().all(|c| " █▀▄".contains(c));
    text.lines()
        .filter(is_code)
        .flat_map(|row| {
            let half = |drawn: [char; 2]| row.chars().map(|c| !drawn.contains(&c)).collect();
            [half(['█', '▀']), half(['█', '▄'])]
        })
        .collect()
}

#[test]
fn a_links_code_says_the_link() -> Outcome {
    let server = ServerProcess::start()?;
    let ada = Person::join("Ada", &server.invitation(1)?)?;
    let told = shown(&ada, &["link"])?;
    let link = told.lines().next().expect("a link");
    assert!(link.starts_with("undertone:c:"), "{told}");
    let code = qrcodegen::QrCode::encode_text(link, qrcodegen::QrCodeEcc::Low).expect("a code");
    let read = code_in(&told);
    let frame = (i32::try_from(read[0].len()).expect("a width") - code.size()) / 2;
    assert!(frame >= 2, "{told}");
    for (y, row) in (-frame..).zip(&read) {
        // An odd number of rows leaves half of the last line over.
        for (x, dark) in (-frame..).zip(row).filter(|_| y < code.size() + frame) {
            assert_eq!(*dark, code.get_module(x, y), "{x}, {y}: {told}");
        }
    }
    Ok(())
}

fn exit_code(result: Outcome<serde_json::Value>) -> (Option<i32>, String) {
    match result {
        Ok(value) => panic!("it went through: {value}"),
        Err(failed) => (failed.exit, failed.code),
    }
}

#[test]
fn two_people_see_their_conversation() -> Outcome {
    let server = ServerProcess::start()?;
    let invitation = server.invitation(2)?;
    let ada = Person::join("Ada", &invitation)?;
    let ben = Person::join("Ben", &invitation)?;
    ada.meet(&ben)?;
    assert!(shown(&ada, &["contacts"])?.contains("Ben  not verified yet"));

    // Both see the same safety number; Ada marks Ben as verified.
    let number = |person: &Person, other: &str| {
        Ok(shown(person, &["verify", other])?
            .lines()
            .skip(2)
            .take(3)
            .collect::<Vec<_>>()
            .join("\n"))
    };
    let (hers, his): (String, String) = (number(&ada, "Ben")?, number(&ben, "Ada")?);
    assert_eq!(hers, his);
    assert_eq!(
        hers.chars().filter(char::is_ascii_digit).count(),
        60,
        "{hers}"
    );
    shown(&ada, &["verify", "Ben", "--accept"])?;
    assert!(shown(&ada, &["contacts"])?.contains("Ben  verified"));

    let folder = tempfile::tempdir().expect("a folder");
    let photo = folder.path().join("holiday.jpg");
    fs::write(&photo, fixtures::photo().expect("a photo")).expect("a file");
    let memo = folder.path().join("memo.opus");
    fs::write(&memo, fixtures::memo().expect("a memo")).expect("a file");
    ada.send("Ben", "Good morning")?;
    ada.send_file("Ben", &photo)?;
    ada.send_file("Ben", &memo)?;
    ben.reads_eventually("Ada", &["Good morning", "", ""], PATIENCE)?;
    ben.send("Ada", "Good morning, Ada")?;

    let chat = shown(&ben, &["read", "Ada"])?;
    for part in [
        "Ada  ",
        "  Good morning\n",
        "[photo ",
        "[voice memo 0:",
        "You  ",
        "  Good morning, Ada  ✓",
    ] {
        assert!(chat.contains(part), "{part:?} in\n{chat}");
    }
    assert!(!chat.contains('\u{1b}'), "no colours into a pipe");
    assert!(shown(&ben, &["chats"])?.lines().any(
        |line| line.trim_start().starts_with("Ada") && line.contains("You: Good morning, Ada")
    ));

    // Saved under the sender's name into a folder, and never over a file that is there.
    let lines = ben.read("Ada")?;
    let with_photo = lines
        .iter()
        .find(|line| line["attachments"][0]["content_type"] == "image/jpeg")
        .expect("the photo");
    let id = with_photo["id"].as_str().expect("an id");
    let kept = tempfile::tempdir().expect("a folder");
    let saved = ben.save("Ada", &id[..10], kept.path())?;
    assert_eq!(
        saved["path"].as_str().map(Path::new),
        Some(kept.path().join("holiday.jpg").as_path())
    );
    assert_eq!(
        kept.path()
            .join("holiday.jpg")
            .metadata()
            .expect("there")
            .permissions()
            .mode()
            & 0o777,
        0o600
    );
    assert_eq!(
        exit_code(ben.save("Ada", id, kept.path())),
        (Some(14), "attachment.exists".to_owned())
    );
    Ok(())
}

#[test]
fn a_name_cannot_forge_what_others_see() -> Outcome {
    let server = ServerProcess::start()?;
    let invitation = server.invitation(2)?;
    let ada = Person::join("Ada", &invitation)?;
    // The longest lie that a name may be: it reads right to left, hides characters, and passes for somebody else.
    let mallory = Person::join("\u{202e}adA\u{200b}", &invitation)?;
    ada.add(&mallory.link()?)?;
    mallory.run([
        "send",
        "Ada",
        "one\r\u{1b}[2J\u{1b}]0;owned\u{7}two\nAda  12:00\n  I agree",
    ])?;
    let mut seen = String::new();
    undertone_tests::eventually(PATIENCE, "the message", || {
        let contacts = ada.run(["contacts"])?;
        let id = contacts[0]["id"].as_str().unwrap_or_default().to_owned();
        seen = shown(&ada, &["read", &id])?;
        Ok(seen.contains("I agree").then_some(()))
    })?;
    for text in [
        seen.clone(),
        shown(&ada, &["contacts"])?,
        shown(&ada, &["chats"])?,
    ] {
        let obeyed = |c: &char| {
            (c.is_control() && *c != '\n') || matches!(c, '\u{202a}'..='\u{202e}' | '\u{200b}')
        };
        assert_eq!(text.chars().find(obeyed), None, "{text:?}");
    }
    assert!(!seen.lines().any(|line| line == "Ada  12:00"), "{seen}");
    Ok(())
}

#[test]
fn offline_a_message_is_queued_and_the_next_command_delivers_it() -> Outcome {
    let mut server = ServerProcess::start()?;
    let invitation = server.invitation(2)?;
    let ada = Person::join("Ada", &invitation)?;
    let ben = Person::join("Ben", &invitation)?;
    ada.meet(&ben)?;
    server.kill9();
    let sent = ada.send("Ben", "Are you there?")?;
    assert_eq!(sent["state"], "queued");
    assert!(shown(&ada, &["read", "Ben"])?.contains("Are you there?  waiting"));
    let asked = ada.run(["--offline", "send", "Ben", "And this?"])?;
    assert_eq!(asked["state"], "queued");
    // What needs the server says that it isn't there.
    assert_eq!(exit_code(ada.run(["link"])).0, Some(7));
    server.run()?;
    ada.run(["status"])?;
    ben.reads_eventually("Ada", &["Are you there?", "And this?"], PATIENCE)
}

#[test]
fn what_goes_wrong_has_an_exit_code_of_its_own() -> Outcome {
    let server = ServerProcess::start()?;
    let invitation = server.invitation(1)?;
    let ada = Person::join("Ada", &invitation)?;

    let folder = tempfile::tempdir().expect("a folder");
    let late = Person::at("Late", folder.path())?.with_cheap_passphrase();
    assert_eq!(
        exit_code(late.init(&invitation)),
        (Some(8), "invitation.used".to_owned())
    );
    assert!(
        !late.home().join("keys").exists() && !late.recovery_file().exists(),
        "nothing is left behind"
    );

    let (origin, pin) = server
        .origin_and_pin()
        .split_once('+')
        .map(|(origin, pin)| (origin.to_owned(), pin.to_owned()))
        .expect("origin+pin");
    let wrong = if pin.starts_with('a') {
        pin.replacen('a', "b", 1)
    } else {
        format!("a{}", &pin[1..])
    };
    assert_eq!(
        exit_code(late.init(&format!("{origin}+{wrong}"))),
        (Some(9), "connection.pin".to_owned())
    );
    assert_eq!(exit_code(late.init("nonsense")).0, Some(2));

    fs::write(ada.passphrase_file(), "not the passphrase\n").expect("a file");
    assert_eq!(
        exit_code(ada.run(["chats"])),
        (Some(3), "home.wrong_passphrase".to_owned())
    );
    fs::write(ada.passphrase_file(), "correct horse battery staple\n").expect("a file");

    assert_eq!(
        exit_code(ada.run(["read", "Nobody"])),
        (Some(5), "chat.unknown".to_owned())
    );
    assert_eq!(
        exit_code(ada.run(["add", "undertone:c:nonsense"])).0,
        Some(2)
    );
    assert_eq!(
        exit_code(ada.run(["send", "notes", ""])),
        (Some(2), "message.empty".to_owned())
    );
    assert_eq!(
        exit_code(ada.run(["send", "notes", "--attach", "/nonexistent"])),
        (Some(14), "file.not_found".to_owned())
    );
    Ok(())
}

#[test]
fn times_are_those_of_where_one_is() -> Outcome {
    let server = ServerProcess::start()?;
    let ada = Person::join("Ada", &server.invitation(1)?)?;
    // No summer time in either, and hours apart from each other.
    let places = [("UTC", 0), ("Asia/Tokyo", 9 * 60), ("Asia/Kolkata", 330)];
    ada.send("notes", "Here I am.")?;
    let sent_ms = ada.read("notes")?[0]["sent_ms"].as_u64().expect("a moment");
    for (zone, ahead) in places {
        let output = ada
            .command_for_people()
            .args(["read", "notes", "--peek"])
            .env("TZ", zone)
            .output()
            .map_err(|error| Failed::harness("undertone", error))?;
        let shown = String::from_utf8_lossy(&output.stdout);
        let minute = (sent_ms / 60_000 + ahead) % (24 * 60);
        let clock = format!("{:02}:{:02}", minute / 60, minute % 60);
        assert!(shown.contains(&clock), "{zone}, {clock}: {shown}");
    }
    // And what is to go at a moment goes at that of the place where it was said.
    let day = 1_893_542_400_000;
    for (zone, ahead) in places {
        let text = format!("Until midnight in {zone}");
        let sent = ada
            .command_for_people()
            .args(["send", "notes", &text, "--until", "2030-01-02"])
            .env("TZ", zone)
            .output()
            .map_err(|error| Failed::harness("undertone", error))?;
        assert!(sent.status.success(), "{sent:?}");
        let lines = ada.read("notes")?;
        let line = lines.iter().find(|line| line["text"] == text.as_str());
        let goes = line.expect("the note")["expires_ms"].as_u64();
        assert_eq!(goes, Some(day - ahead * 60_000), "{zone}");
    }
    Ok(())
}
