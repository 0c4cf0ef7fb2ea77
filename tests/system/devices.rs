//! One person with two devices, through the real programs and the real server.

use std::time::Duration;

use undertone_tests::linking::{Talking, link, link_with, shows_a_code};
use undertone_tests::{Outcome, Person, ServerProcess, eventually};

const PATIENCE: Duration = Duration::from_secs(60);

fn until(what: &str, mut holds: impl FnMut() -> Outcome<bool>) -> Outcome {
    eventually(PATIENCE, what, || Ok(holds()?.then_some(())))
}

fn origin(server: &ServerProcess) -> String {
    server.address().to_string()
}

/// A device with nothing on it yet.
fn blank(name: &str, folder: &tempfile::TempDir) -> Outcome<Person> {
    Ok(Person::at(name, folder.path())?
        .with_cheap_passphrase()
        .hurried())
}

#[test]
fn a_second_device_is_linked_talks_as_an_equal_and_is_removed() -> Outcome {
    let server = ServerProcess::start()?;
    let ada = Person::join_hurried("Ada", &server.invitation(1)?)?;
    let ben = Person::join_hurried("Ben", &server.invitation(1)?)?;
    ada.meet(&ben)?;
    let folder = tempfile::tempdir().expect("a folder");
    let laptop = blank("Ada's laptop", &folder)?;
    // The server takes people by invitation only, and a further device of somebody who is in.
    link(&ada, &laptop, &origin(&server))?;

    let arrived = |person: &Person| -> Outcome<bool> {
        Ok(person.run(["contacts"])?.as_array().is_some_and(|all| {
            all.iter()
                .any(|one| one["name"] == "Ben" && one["state"] == "ready")
        }))
    };
    until("the chat is on the laptop", || {
        ada.run(["status"])?;
        arrived(&laptop)
    })?;
    laptop.send("Ben", "from the laptop")?;
    ben.reads_eventually("Ada", &["from the laptop"], PATIENCE)?;
    ben.send("Ada", "to both")?;
    for device in [&ada, &laptop] {
        device.reads_eventually("Ben", &["from the laptop", "to both"], PATIENCE)?;
    }
    let lines = ben.read("Ada")?;
    assert!(
        lines
            .iter()
            .any(|line| line["text"] == "Ada reads this on another device too now."),
        "{lines:?}"
    );

    let devices = ada.run(["devices"])?;
    assert_eq!(devices.as_array().map(Vec::len), Some(2), "{devices}");
    ada.run(["devices", "rename", "Laptop", "Old laptop"])?;
    let removed = Talking::start(
        &ada,
        &[
            "devices",
            "remove",
            "Old laptop",
            "--phrase-file",
            &ada.recovery_file().display().to_string(),
        ],
    )?;
    assert!(removed.ends()?);
    until("the laptop knows that it was removed", || {
        let status = laptop.run(["status"])?;
        Ok(status["status"]["problem"]["code"] == "device.removed")
    })?;
    ben.send("Ada", "only to the first")?;
    ada.reads_eventually(
        "Ben",
        &["from the laptop", "to both", "only to the first"],
        PATIENCE,
    )?;
    assert_eq!(laptop.texts("Ben")?, ["from the laptop", "to both"]);
    let devices = ada.run(["devices"])?;
    assert_eq!(devices[1]["state"], "removed", "{devices}");
    Ok(())
}

#[test]
fn a_device_that_is_linked_with_its_past_reads_what_was_said_before() -> Outcome {
    let server = ServerProcess::start()?;
    let ada = Person::join_hurried("Ada", &server.invitation(1)?)?;
    let ben = Person::join_hurried("Ben", &server.invitation(1)?)?;
    ada.meet(&ben)?;
    ada.send("Ben", "from before")?;
    ben.reads_eventually("Ada", &["from before"], PATIENCE)?;
    ben.send("Ada", "an answer")?;
    let before = ["from before", "an answer"];
    ada.reads_eventually("Ben", &before, PATIENCE)?;
    let folder = tempfile::tempdir().expect("a folder");
    let laptop = blank("Ada's laptop", &folder)?;
    let arguments = ["devices", "link", "--history", "-"];
    link_with(&ada, &laptop, &origin(&server), &arguments)?;
    until("what was said before is there", || {
        ada.run(["status"])?;
        laptop.run(["status"])?;
        Ok(laptop.texts("Ben").is_ok_and(|texts| texts == before))
    })?;
    laptop.send("Ben", "from the laptop")?;
    let all = ["from before", "an answer", "from the laptop"];
    for (person, chat) in [(&ada, "Ben"), (&laptop, "Ben"), (&ben, "Ada")] {
        person.reads_eventually(chat, &all, PATIENCE)?;
    }
    Ok(())
}

#[test]
fn a_no_on_either_side_leaves_nothing() -> Outcome {
    let server = ServerProcess::start()?;
    let ada = Person::join_hurried("Ada", &server.invitation(1)?)?;
    let folder = tempfile::tempdir().expect("a folder");
    let laptop = blank("Ada's laptop", &folder)?;
    let (mut there, code) = shows_a_code(&laptop, &origin(&server))?;
    let mut here = Talking::start(&ada, &["devices", "link", &code])?;
    assert_eq!(here.says()?["words"], there.says()?["words"]);
    here.is_told("no")?;
    assert!(!here.ends()?);
    there.is_told("yes")?;
    assert!(!there.ends()?, "there is nothing to wait for");
    let devices = ada.run(["devices"])?;
    assert_eq!(devices.as_array().map(Vec::len), Some(1), "{devices}");
    Ok(())
}

#[test]
fn a_device_whose_power_failed_goes_on_where_it_was() -> Outcome {
    let server = ServerProcess::start()?;
    let ada = Person::join_hurried("Ada", &server.invitation(1)?)?;
    let folder = tempfile::tempdir().expect("a folder");
    let laptop = blank("Ada's laptop", &folder)?;
    let (there, code) = shows_a_code(&laptop, &origin(&server))?;
    there.is_killed()?;
    // The same home shows the same code.
    let (mut there, again) = shows_a_code(&laptop, &origin(&server))?;
    assert_eq!(code, again);
    let mut here = Talking::start(&ada, &["devices", "link", &code])?;
    let words = there.says()?["words"].clone();
    assert_eq!(here.says()?["words"], words);
    // Both go dark while people look at the words.
    there.is_killed()?;
    here.is_killed()?;
    let (mut there, _) = shows_a_code(&laptop, &origin(&server))?;
    assert_eq!(there.says()?["words"], words);
    let mut here = Talking::start(&ada, &["devices", "link", &code])?;
    assert_eq!(here.says()?["words"], words);
    there.is_told("yes")?;
    here.is_told("yes")?;
    assert!(here.ends()? && there.ends()?);
    let devices = laptop.run(["devices"])?;
    assert_eq!(devices.as_array().map(Vec::len), Some(2), "{devices}");
    Ok(())
}
