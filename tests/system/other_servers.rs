//! People of two servers: they meet, talk, form groups and send each other files, also while one of the servers is away.

use std::fs;
use std::time::Duration;

use undertone_tests::disk::{Needle, scan_for};
use undertone_tests::{Outcome, Person, ServerOptions, ServerProcess, eventually, fixtures};

use crate::account_backup::{make, restored};

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
fn who_comes_back_from_a_backup_talks_on_in_conversations_of_another_server() -> Outcome {
    let (first, second) = (server()?, server()?);
    let (ada, ben) = people(&first, &second)?;
    meet(&ada, &ben)?;
    ben.run(["group", "create", "Harbour", "Ada"])?;
    ben.send("Harbour", "Made over there.")?;
    ada.reads_eventually("Harbour", &["Made over there."], LIMIT)?;
    ada.send("Ben", "Hello over there.")?;
    ben.reads_eventually("Ada", &["Hello over there."], LIMIT)?;
    let place = tempfile::tempdir().expect("a folder");
    let (backup, words) = (place.path().join("backup"), place.path().join("words"));
    make(&ada, &backup)?;
    fs::copy(ada.recovery_file(), &words).expect("copied");

    // The device is gone; somebody writes meanwhile.
    fs::remove_dir_all(ada.home()).expect("gone");
    ben.send("Harbour", "Are you there?")?;
    let folder = place.path().join("new");
    fs::create_dir(&folder).expect("a folder");
    let ada = restored("Ada", &folder, &backup, &first.origin_and_pin(), &words)?;
    assert_eq!(ada.texts("Ben")?, ["Hello over there."]);
    eventually(LIMIT, "being let in again from the other server", || {
        ben.run(["status"])?;
        let chats = ada.run(["chats"])?;
        let all_active = chats.as_array().is_some_and(|chats| {
            chats.len() == 2 && chats.iter().all(|chat| chat["state"] == "active")
        });
        Ok(all_active.then_some(()))
    })?;
    ada.send("Harbour", "Back again.")?;
    let harbour = ["Made over there.", "Are you there?", "Back again."];
    ben.reads_eventually("Harbour", &harbour, LIMIT)?;
    ada.reads_eventually("Harbour", &harbour, LIMIT)?;
    ben.send("Ada", "Good.")?;
    ada.reads_eventually("Ben", &["Hello over there.", "Good."], LIMIT)?;
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

/// The names of a group's members, as somebody has them.
fn members(of: &Person, group: &str) -> Outcome<Vec<String>> {
    let all = of.run(["group", "members", group])?;
    let mut names: Vec<_> = all["members"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|member| member["name"].as_str().map(str::to_owned))
        .collect();
    names.sort();
    Ok(names)
}

#[test]
fn a_group_goes_on_while_one_of_its_servers_is_away_for_more_than_a_day() -> Outcome {
    let (mut first, mut second) = (server()?, server()?);
    let (ada, ben) = people(&first, &second)?;
    let join = |name: &str, at: &ServerProcess| Person::join_hurried(name, &at.origin_and_pin());
    let (cleo, dora, eve) = (
        join("Cleo", &first)?,
        join("Dora", &first)?,
        join("Eve", &first)?,
    );
    let finn = join("Finn", &second)?;
    meet(&ada, &ben)?;
    for other in [&cleo, &dora, &finn] {
        meet(&ada, other)?;
    }
    ada.run(["group", "create", "Harbour", "Ben", "Cleo", "Finn"])?;
    ada.send("Harbour", "Welcome.")?;
    for person in [&ben, &cleo, &finn] {
        person.reads_eventually("Harbour", &["Welcome."], LIMIT)?;
    }
    let invite = ada.run(["group", "invite", "Harbour"])?;
    let link = invite["uri"].as_str().expect("a link").to_owned();
    let folder = tempfile::tempdir().expect("a folder");
    let photo = folder.path().join("photo.jpg");
    fs::write(&photo, fixtures::photo().expect("a photo")).expect("a file");

    // Ben's and Finn's server is away; at first nobody minds.
    second.stop()?;
    ada.send("Harbour", "Is everybody there?")?;
    ada.run(["group", "add", "Harbour", "Dora"])?;
    dora.reads_eventually("Harbour", &[], LIMIT)?;

    // Half a day later the other one is started anew, and somebody comes by the link.
    first.stop()?;
    first.moves_ahead(13);
    first.run()?;
    for person in [&ada, &ben, &cleo, &dora, &eve, &finn] {
        person.moves_ahead(13);
    }
    {
        let _there = ada.watch()?;
        let joined = eve.run_with_input(["group", "join", "-"], &link)?;
        assert_eq!(joined["state"], "in");
    }
    cleo.send_file("Harbour", &photo)?;
    ada.reads_eventually("Harbour", &["Welcome.", "Is everybody there?", ""], LIMIT)?;
    ada.run(["group", "remove", "Harbour", "Cleo"])?;
    // Whose server is away can write, and finds out later what became of it.
    ben.run(["send", "Harbour", "In the dark here."])?;

    // A day and two hours after it went it is back.
    first.stop()?;
    first.moves_ahead(26);
    first.run()?;
    let all = [&ada, &ben, &dora, &eve, &finn];
    for person in all {
        person.moves_ahead(26);
    }
    ada.send("Harbour", "A day has gone.")?;
    assert!(first.status()?["parcels"].as_u64() > Some(0));
    second.moves_ahead(26);
    second.run()?;

    // All of them look, each time: what one has said goes when their app runs. The three who were there all along have the
    // same in the same order, and those who came have it from then on.
    let mut wanted = [
        "Welcome.",
        "Is everybody there?",
        "",
        "A day has gone.",
        "In the dark here.",
    ];
    wanted.sort_unstable();
    let said = eventually(LIMIT, "everybody reading everything", || {
        let mut texts = Vec::new();
        for person in all {
            texts.push(person.texts("Harbour")?);
        }
        let [adas, bens, doras, eves, finns] = &texts[..] else {
            unreachable!("five of them");
        };
        let mut sorted = adas.clone();
        sorted.sort_unstable();
        let agree = sorted == wanted
            && [bens, finns] == [adas, adas]
            && [doras, eves]
                .iter()
                .all(|newer| newer.len() >= 3 && adas.ends_with(newer));
        Ok(agree.then(|| adas.clone()))
    })?;
    eventually(LIMIT, "everything being taken over", || {
        Ok((first.status()?["parcels"].as_u64() == Some(0)).then_some(()))
    })?;
    for person in all {
        assert_eq!(
            members(person, "Harbour")?,
            ["Ada", "Ben", "Dora", "Eve", "Finn"],
            "{}",
            person.name()
        );
    }
    let lines = ben.read("Harbour")?;
    let picture = lines
        .iter()
        .find(|line| line["attachments"][0].is_object())
        .expect("a photo");
    let id = picture["id"].as_str().expect("an id");
    let (bens, adas) = (folder.path().join("bens"), folder.path().join("adas"));
    ben.save("Harbour", id, &bens)?;
    ada.save("Harbour", id, &adas)?;
    assert_eq!(
        fs::read(bens).expect("a file"),
        fs::read(adas).expect("a file")
    );

    // And on it goes, both ways, without whoever was removed.
    finn.send("Harbour", "Back again.")?;
    eve.send("Harbour", "So I see.")?;
    let said = [
        &said[..],
        &["Back again.".to_owned(), "So I see.".to_owned()],
    ]
    .concat();
    eventually(LIMIT, "it going on", || {
        let mut all_there = true;
        for person in [&ada, &ben, &finn] {
            all_there &= person.texts("Harbour")? == said;
        }
        Ok(all_there.then_some(()))
    })?;
    cleo.moves_ahead(26);
    let cleos = cleo.texts("Harbour")?;
    assert!(!cleos.contains(&"A day has gone.".to_owned()), "{cleos:?}");
    Ok(())
}

#[test]
fn somebody_let_in_while_a_server_is_away_can_write_to_the_people_there() -> Outcome {
    let (first, mut second) = (server()?, server()?);
    let (ada, ben) = people(&first, &second)?;
    let dora = Person::join_hurried("Dora", &first.origin_and_pin())?;
    meet(&ada, &ben)?;
    meet(&ada, &dora)?;
    ada.run(["group", "create", "Harbour", "Ben"])?;
    ada.send("Harbour", "Welcome.")?;
    ben.reads_eventually("Harbour", &["Welcome."], LIMIT)?;

    // Dora never had to do with Ben's server, and can't ask it for anything now.
    second.stop()?;
    ada.run(["group", "add", "Harbour", "Dora"])?;
    dora.reads_eventually("Harbour", &[], LIMIT)?;
    dora.send("Harbour", "I am new, and gone tomorrow.")?;
    let said = ["Welcome.", "I am new, and gone tomorrow."];
    ada.reads_eventually("Harbour", &said, LIMIT)?;

    // Her device is never seen again, and nobody else's is needed.
    second.run()?;
    ben.reads_eventually("Harbour", &said, LIMIT)
}
