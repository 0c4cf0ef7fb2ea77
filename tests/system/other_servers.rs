//! People of two servers: they meet, talk, form groups and send each other files, also while one of the servers is away.

use std::fs;
use std::time::Duration;

use undertone_tests::disk::{Needle, scan_for};
use undertone_tests::{Outcome, Person, ServerOptions, ServerProcess, eventually, fixtures};

const LIMIT: Duration = Duration::from_secs(90);

/// A server that may reach others on this machine, and does not pause long.
fn server() -> Outcome<ServerProcess> {
    let setting = |key: &str, value: toml::Value| ("forwarding".to_owned(), key.to_owned(), value);
    ServerProcess::start_with(ServerOptions {
        open: true,
        settings: vec![
            setting("private_addresses", true.into()),
            setting("retry_s", 1.into()),
        ],
        ..ServerOptions::default()
    })
}

fn people(first: &ServerProcess, second: &ServerProcess) -> Outcome<(Person, Person)> {
    Ok((
        Person::join_hurried("Ada", &first.origin_and_pin())?,
        Person::join_hurried("Ben", &second.origin_and_pin())?,
    ))
}

/// Looks from both sides until each has the other as a contact.
fn meet(one: &Person, other: &Person) -> Outcome {
    one.add(&other.link()?)?;
    eventually(LIMIT, "two people of two servers meeting", || {
        let known = |who: &Person, whom: &Person| -> Outcome<bool> {
            let contacts = who.run(["contacts"])?;
            Ok(contacts.as_array().is_some_and(|all| {
                all.iter()
                    .any(|contact| contact["name"] == whom.name() && contact["state"] == "ready")
            }))
        };
        Ok((known(one, other)? && known(other, one)?).then_some(()))
    })
}

#[test]
fn two_people_of_two_servers_talk() -> Outcome {
    let (first, second) = (server()?, server()?);
    let (ada, ben) = people(&first, &second)?;
    meet(&ada, &ben)?;
    ada.send("Ben", "Hello over there.")?;
    ben.reads_eventually("Ada", &["Hello over there."], LIMIT)?;
    ben.send("Ada", "Hello yourself.")?;
    let both = ["Hello over there.", "Hello yourself."];
    ada.reads_eventually("Ben", &both, LIMIT)?;
    ben.reads_eventually("Ada", &both, LIMIT)?;
    Ok(())
}

#[test]
fn a_group_of_three_on_two_servers_sends_a_photo_and_removes_somebody() -> Outcome {
    let (first, second) = (server()?, server()?);
    let (ada, ben) = people(&first, &second)?;
    let cleo = Person::join_hurried("Cleo", &first.origin_and_pin())?;
    meet(&ada, &ben)?;
    meet(&ada, &cleo)?;
    ada.run(["group", "create", "Harbour", "Ben", "Cleo"])?;
    ada.send("Harbour", "Welcome.")?;
    for person in [&ben, &cleo] {
        person.reads_eventually("Harbour", &["Welcome."], LIMIT)?;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let photo = folder.path().join("photo.jpg");
    fs::write(&photo, fixtures::photo().expect("a photo")).expect("a file");
    ben.send_file("Harbour", &photo)?;
    ben.send("Harbour", "Seen from here.")?;
    let said = ["Welcome.", "", "Seen from here."];
    for person in [&ada, &cleo, &ben] {
        person.reads_eventually("Harbour", &said, LIMIT)?;
    }
    for person in [&ada, &cleo] {
        let lines = person.read("Harbour")?;
        let picture = lines
            .iter()
            .find(|line| line["attachments"][0].is_object())
            .expect("a photo");
        let to = folder.path().join(person.name());
        person.save("Harbour", picture["id"].as_str().expect("an id"), &to)?;
        image::open(&to)
            .or_else(|_| image::load_from_memory(&fs::read(&to).expect("a file")))
            .expect("a picture");
    }

    // Addresses on both servers get new names; who is out reads nothing more.
    ada.run(["group", "remove", "Harbour", "Cleo"])?;
    ada.send("Harbour", "Only we two.")?;
    ben.reads_eventually(
        "Harbour",
        &["Welcome.", "", "Seen from here.", "Only we two."],
        LIMIT,
    )?;
    ben.send("Harbour", "So it seems.")?;
    let all = [
        "Welcome.",
        "",
        "Seen from here.",
        "Only we two.",
        "So it seems.",
    ];
    ada.reads_eventually("Harbour", &all, LIMIT)?;
    assert!(!cleo.texts("Harbour")?.contains(&"Only we two.".to_owned()));
    Ok(())
}

#[test]
fn what_is_said_while_a_server_is_away_arrives_once_and_in_order() -> Outcome {
    let (mut first, mut second) = (server()?, server()?);
    let (ada, ben) = people(&first, &second)?;
    meet(&ada, &ben)?;
    ada.send("Ben", "Before.")?;
    ben.reads_eventually("Ada", &["Before."], LIMIT)?;
    second.kill9();
    let mut said = vec!["Before.".to_owned()];
    for number in 0..5 {
        let text = format!("While you were away, {number}.");
        ada.send("Ben", &text)?;
        said.push(text);
        if number == 2 {
            // What waits is on disk.
            first.restart_after_kill9()?;
        }
    }
    let waiting = first.status()?["parcels"].as_u64();
    assert!(waiting >= Some(5), "{waiting:?}");

    // Whoever takes the first server's disk now finds nothing of Ben in it but where his server is.
    first.stop()?;
    let words: Vec<_> = said
        .iter()
        .flat_map(|text| Needle::text("text", text))
        .chain(Needle::text("name", "Ben"))
        .collect();
    let found = scan_for(&first.data(), &words).expect("readable");
    assert_eq!(found.len(), 0);

    first.run()?;
    second.run()?;
    let said: Vec<&str> = said.iter().map(String::as_str).collect();
    ben.reads_eventually("Ada", &said, LIMIT)?;
    eventually(LIMIT, "everything being taken over", || {
        Ok((first.status()?["parcels"].as_u64() == Some(0)).then_some(()))
    })?;
    ben.send("Ada", "Back again.")?;
    let all = [&said[..], &["Back again."]].concat();
    ada.reads_eventually("Ben", &all, LIMIT)?;
    ben.reads_eventually("Ada", &all, LIMIT)?;
    Ok(())
}
