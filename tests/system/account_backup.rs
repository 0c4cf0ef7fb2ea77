//! Somebody makes backups, loses the device, and comes back; and keeps a chat as pages.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;
use undertone_tests::{Failed, Outcome, Person, ServerProcess};

use crate::kill::{Owner, answers};
use crate::sentences::said;

const PATIENCE: Duration = Duration::from_secs(90);

/// Runs a command that takes paths.
fn run(person: &Person, words: &[&str], paths: &[&Path]) -> Outcome<Value> {
    let words = words.iter().map(OsStr::new);
    person.run(words.chain(paths.iter().map(|path| path.as_os_str())))
}

/// Makes or brings up to date.
pub fn make(person: &Person, folder: &Path) -> Outcome<Value> {
    run(person, &["backup", "make"], &[folder])
}

/// Checks with the words in a file.
fn verify(person: &Person, folder: &Path, words: &Path) -> Outcome<Value> {
    let mut command = person.command();
    command.args(["backup", "verify"]).arg(folder);
    command.arg("--phrase-file").arg(words);
    let output = command
        .output()
        .map_err(|error| Failed::harness("verifying a backup", error))?;
    if output.status.success() {
        return serde_json::from_slice(&output.stdout)
            .map_err(|error| Failed::harness("verifying a backup", error));
    }
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(Failed::harness("verifying a backup", told))
}

/// A new home from a backup.
pub fn restored(
    name: &str,
    place: &Path,
    backup: &Path,
    server: &str,
    words: &Path,
) -> Outcome<Person> {
    let person = Person::at(name, place)?.with_cheap_passphrase().hurried();
    let arguments = [
        OsStr::new("restore"),
        backup.as_os_str(),
        OsStr::new("--server"),
        OsStr::new(server),
        OsStr::new("--phrase-file"),
        words.as_os_str(),
    ];
    person.run(arguments)?;
    Ok(person)
}

#[test]
fn an_account_comes_back_from_its_backup_and_nobody_is_alarmed() -> Outcome {
    let server = ServerProcess::start()?;
    let invitation = server.invitation(4)?;
    let ada = Person::join_hurried("Ada", &invitation)?;
    let ben = Person::join_hurried("Ben", &invitation)?;
    let cleo = Person::join_hurried("Cleo", &invitation)?;
    ada.meet(&ben)?;
    ada.meet(&cleo)?;
    ada.run(["group", "create", "Desk", "Ben", "Cleo"])?;
    ada.send("Desk", "The plan is in the drawer")?;
    for person in [&ben, &cleo] {
        person.reads_eventually("Desk", &["The plan is in the drawer"], PATIENCE)?;
    }
    ada.send("Ben", "Only you know")?;
    ben.reads_eventually("Ada", &["Only you know"], PATIENCE)?;
    ben.run(["verify", "Ada", "--accept"])?;
    let number = ben.run(["verify", "Ada"])?["digits"].clone();

    let place = tempfile::tempdir().expect("a folder");
    let backup = place.path().join("backup");
    make(&ada, &backup)?;
    let words = place.path().join("words");
    fs::copy(ada.recovery_file(), &words).expect("copied");
    let check = verify(&ada, &backup, &words)?;
    assert_eq!(
        (&check["contacts"], &check["chats"]),
        (&2.into(), &3.into())
    );

    // The device is gone for good.
    fs::remove_dir_all(ada.home()).expect("gone");
    ben.send("Desk", "Where is Ada?")?;
    let folder = place.path().join("new");
    fs::create_dir(&folder).expect("a folder");
    let ada = restored("Ada", &folder, &backup, &server.invitation(1)?, &words)?;
    assert_eq!(ada.texts("Ben")?, ["Only you know"]);
    // The others' apps let it in as they come by.
    let before = ["The plan is in the drawer", "Where is Ada?"];
    let end = Instant::now() + PATIENCE;
    while ada.texts("Desk")? != before {
        ben.run(["status"])?;
        cleo.run(["status"])?;
        assert!(Instant::now() < end, "{:?}", ada.texts("Desk")?);
    }
    ada.send("Desk", "Here, with a new phone")?;
    let after = [&before[..], &["Here, with a new phone"]].concat();
    for person in [&ben, &cleo] {
        person.reads_eventually("Desk", &after, PATIENCE)?;
    }
    let end = Instant::now() + PATIENCE;
    while ada.run(["chats"])?.as_array().is_some_and(|chats| {
        chats
            .iter()
            .any(|chat| chat["name"] == "Ben" && chat["state"] != "active")
    }) {
        ben.run(["status"])?;
        assert!(Instant::now() < end, "never let in by Ben");
    }
    ada.send("Ben", "Still only you")?;
    ben.reads_eventually("Ada", &["Only you know", "Still only you"], PATIENCE)?;
    let seen = ben.run(["verify", "Ada"])?;
    assert_eq!(
        (&seen["digits"], &seen["verified"]),
        (&number, &true.into())
    );
    Ok(())
}

#[test]
fn killed_in_the_middle_the_backup_before_is_whole() -> Outcome {
    let server = ServerProcess::start()?;
    let ada = Person::join_hurried("Ada", &server.invitation(1)?)?;
    let place = tempfile::tempdir().expect("a folder");
    let file = place.path().join("large.bin");
    fs::write(&file, vec![7; 24 << 20]).expect("a file");
    ada.send("notes", "Before")?;
    let backup = place.path().join("backup");
    make(&ada, &backup)?;
    let manifest = fs::read(backup.join("manifest")).expect("a manifest");
    run(&ada, &["send", "notes", "--attach"], &[&file])?;

    let mut child = ada
        .command()
        .args(["backup", "make", "--media"])
        .arg(&backup)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("started");
    let end = Instant::now() + PATIENCE;
    let begun =
        || fs::read_dir(backup.join("files")).is_ok_and(|mut entries| entries.next().is_some());
    while !begun() && child.try_wait().expect("a child").is_none() {
        assert!(Instant::now() < end, "it never began");
    }
    child.kill().expect("killed");
    child.wait().expect("ended");
    let after = fs::read(backup.join("manifest")).expect("a manifest");
    let words = ada.recovery_file();
    let check = verify(&ada, &backup, &words)?;
    if after == manifest {
        assert_eq!(check["files"], 0);
    }
    // The next run finishes it, and tidies up what was left.
    run(&ada, &["backup", "make", "--media"], &[&backup])?;
    assert_eq!(verify(&ada, &backup, &words)?["files"], 1);
    for part in ["blocks", "files"] {
        let unfinished = fs::read_dir(backup.join(part)).expect("read").any(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .ends_with(".new")
        });
        assert!(!unfinished, "{part}");
    }
    Ok(())
}

#[test]
fn a_chat_is_kept_as_pages_for_its_owner_alone() -> Outcome {
    let server = ServerProcess::start()?;
    let invitation = server.invitation(2)?;
    let ada = Person::join_hurried("Ada", &invitation)?;
    let ben = Person::join_hurried("Ben <b>", &invitation)?;
    ada.add(&ben.link()?)?;
    ben.waits_for_contact("Ada")?;
    ada.waits_for_contact("Ben <b>")?;
    ada.send("Ben", "<script>alert(1)</script> & so on")?;
    ada.run([
        "send",
        "Ben",
        "**bold** [here](https://example.org)",
        "--markdown",
    ])?;
    ada.run(["send", "Ben", "gone in an hour", "--expires", "1h"])?;
    let brief = ada.read("Ben")?.pop().expect("a line");
    let brief = brief["id"].as_str().expect("an id");
    ada.run(["send", "Ben", "it is noted", "--reply-to", brief])?;
    let place = tempfile::tempdir().expect("a folder");
    let page_of_mine = place.path().join("page.html");
    fs::write(&page_of_mine, "<script>alert(2)</script>").expect("a file");
    run(&ada, &["send", "Ben", "--attach"], &[&page_of_mine])?;

    let folder = place.path().join("kept");
    let exported = run(&ada, &["export", "Ben"], &[&folder])?;
    assert_eq!(
        (
            &exported["messages"],
            &exported["files"],
            &exported["left_out"]
        ),
        (&4.into(), &1.into(), &1.into())
    );
    assert_eq!(
        folder.metadata().expect("there").permissions().mode() & 0o777,
        0o700
    );
    let html = fs::read_to_string(folder.join("index.html")).expect("a page");
    assert!(
        html.contains("&lt;script&gt;alert(1)&lt;/script&gt; &amp; so on"),
        "{html}"
    );
    assert!(html.contains("it is noted"), "what quotes it stays");
    assert!(html.contains("<strong>bold</strong>") && html.contains("Ben &lt;b&gt;"));
    assert!(
        !html.contains("<script") && !html.contains("gone in an hour"),
        "{html}"
    );
    assert!(html.contains("Content-Security-Policy"));
    // What a browser would run is a text here.
    assert!(folder.join("media/00001.html.txt").exists());
    // Nothing is written into a folder that holds something.
    let again = said(
        &ada,
        &["export", "Ben", folder.to_str().expect("a plain path")],
    )?;
    assert_ne!(again.exit, Some(0));
    Ok(())
}

/// The words on the paper are of the device that was lost.
#[test]
fn the_kill_code_of_before_does_nothing_to_what_was_restored() -> Outcome {
    let server = ServerProcess::start()?;
    let ada = Owner::join("Ada", &server)?;
    ada.person.send("notes", "The plan is in the drawer")?;
    let place = tempfile::tempdir().expect("a folder");
    let backup = place.path().join("backup");
    make(&ada.person, &backup)?;
    let words = ada.person.recovery_file();
    fs::remove_dir_all(ada.person.home()).expect("gone");
    let folder = place.path().join("new");
    fs::create_dir(&folder).expect("a folder");
    let again = restored("Ada", &folder, &backup, &server.invitation(1)?, &words)?;
    assert_eq!(again.run(["kill-code"])?["code"], false);

    // They reach what is left of the lost one on the server, which never answers; with a code of its own, too, the new one goes on.
    let reaches_the_lost_one_only = || {
        let (code, said) = ada.killed_from_elsewhere(&["--wait", "2s"])?;
        assert_eq!(
            (code, answers(&said)),
            (Some(7), vec!["waiting".to_owned()])
        );
        assert_eq!(again.texts("notes")?, ["The plan is in the drawer"]);
        Ok(())
    };
    reaches_the_lost_one_only()?;
    let kill_file = place.path().join("kill.txt");
    let made = run(&again, &["kill-code", "new", "--kill-file"], &[&kill_file])?;
    assert_eq!(
        (&made["armed"], &made["generation"]),
        (&true.into(), &1.into())
    );
    reaches_the_lost_one_only()
}
