//! Who somebody is: contact links and safety numbers.

use std::time::Duration;

use serde_json::Value;
use undertone_tests::{Failed, Outcome, Person, ServerProcess, eventually};
use undertone_wire::strings::ContactLink;

const PATIENCE: Duration = Duration::from_secs(30);

fn people<const N: usize>(server: &ServerProcess, names: [&str; N]) -> Outcome<[Person; N]> {
    let invitation = server.invitation(u32::try_from(N).expect("a few"))?;
    let mut made = Vec::new();
    for name in names {
        made.push(Person::join(name, &invitation)?);
    }
    Ok(made
        .try_into()
        .unwrap_or_else(|_| unreachable!("as many as asked for")))
}

#[track_caller]
fn refused(answer: Outcome<Value>, code: &str, exit: i32) {
    match answer {
        Ok(answer) => panic!("{code} expected, not {answer}"),
        Err(failed) => {
            assert_eq!(
                (failed.code.as_str(), failed.exit),
                (code, Some(exit)),
                "{failed}"
            );
            assert!(failed.sentence.ends_with('.'), "{failed}");
        }
    }
}

fn names_of_contacts(person: &Person) -> Outcome<Vec<String>> {
    let contacts = person.run(["contacts"])?;
    let contacts = contacts.as_array().cloned().unwrap_or_default();
    Ok(contacts
        .iter()
        .filter_map(|contact| contact["name"].as_str().map(str::to_owned))
        .collect())
}

fn parsed(link: &str) -> ContactLink {
    link.parse().expect("a link")
}

#[test]
fn a_link_works_once() -> Outcome {
    let server = ServerProcess::start()?;
    let [ada, ben, cleo] = people(&server, ["Ada", "Ben", "Cleo"])?;
    let link = ada.link()?;
    ben.add(&link)?;
    eventually(PATIENCE, "Ben being a contact", || {
        Ok((names_of_contacts(&ada)? == ["Ben"]).then_some(()))
    })?;
    refused(cleo.add(&link), "link.used", 8);
    assert_eq!(names_of_contacts(&cleo)?, Vec::<String>::new());
    // Nor is it of further use to the one who used it, and it is nothing to its maker.
    refused(ben.add(&link), "contact.already", 10);
    refused(ada.add(&link), "link.own", 2);
    ben.send("Ada", "It is me")?;
    ada.reads_eventually("Ben", &["It is me"], PATIENCE)?;
    assert_eq!(ada.run(["links"])?[0]["state"], "used");
    Ok(())
}

#[test]
fn of_two_who_use_a_link_at_once_one_becomes_a_contact() -> Outcome {
    let server = ServerProcess::start()?;
    let [ada, ben, cleo] = people(&server, ["Ada", "Ben", "Cleo"])?;
    // Ada's app is closed while both use it, so nobody but she can tell them that it was one too many.
    let link = ada.link()?;
    ben.add(&link)?;
    let second = cleo.add(&link);
    eventually(PATIENCE, "one contact", || {
        Ok((!names_of_contacts(&ada)?.is_empty()).then_some(()))
    })?;
    let first = names_of_contacts(&ada)?;
    assert_eq!(first.len(), 1, "{first:?}");
    let (first, other) = if first == ["Ben"] {
        (&ben, &cleo)
    } else {
        (&cleo, &ben)
    };
    first.send("Ada", "First")?;
    if second.is_ok() {
        // The other's app may think that it has a contact; whatever it says is not shown.
        match other.send("Ada", "Second") {
            Ok(_) | Err(Failed { exit: Some(_), .. }) => {}
            Err(failed) => return Err(failed),
        }
    }
    ada.reads_eventually(first.name(), &["First"], PATIENCE)?;
    assert_eq!(names_of_contacts(&ada)?, [first.name()]);
    let chats = ada.run(["chats"])?;
    assert!(
        !chats.to_string().contains("Second") && !chats.to_string().contains(other.name()),
        "{chats}"
    );
    Ok(())
}

#[test]
fn a_link_with_another_account_is_refused() -> Outcome {
    let server = ServerProcess::start()?;
    let [ada, ben, mallory] = people(&server, ["Ada", "Ben", "Mallory"])?;

    // Mallory's way in under Ben's name: what was fetched there is not Ben's.
    let mut link = parsed(&mallory.link()?);
    link.account = parsed(&ben.link()?).account;
    refused(ada.add(&link.to_string()), "link.forged", 9);

    // The same with Ben's own link, its addresses exchanged on the way.
    let mut link = parsed(&ben.link()?);
    let theirs = parsed(&mallory.link()?);
    link.addresses = theirs.addresses;
    refused(ada.add(&link.to_string()), "link.forged", 9);
    assert_eq!(names_of_contacts(&ada)?, Vec::<String>::new());
    assert_eq!(names_of_contacts(&mallory)?, Vec::<String>::new());

    // A link whose secret is not the real one proves nothing to its maker.
    let mut link = parsed(&ben.link()?);
    link.link_secret = parsed(&ben.link()?).link_secret;
    // Mallory's app goes through with it; Ben's shows nothing of it.
    match mallory.add(&link.to_string()) {
        Ok(_) | Err(Failed { exit: Some(_), .. }) => {}
        Err(failed) => return Err(failed),
    }
    assert_eq!(names_of_contacts(&ben)?, Vec::<String>::new());

    // The true one still works.
    ada.meet(&ben)
}

#[test]
fn a_link_ends_when_it_expires_or_is_revoked() -> Outcome {
    let server = ServerProcess::start()?;
    let [ada, ben] = people(&server, ["Ada", "Ben"])?;

    let made = ada.run(["link"])?;
    let uri = made["uri"].as_str().expect("a link").to_owned();
    ada.run(["links", "revoke", made["id"].as_str().expect("an id")])?;
    refused(ben.add(&uri), "link.used", 8);

    let short = ada.run(["link", "--expires", "1s"])?;
    let short = short["uri"].as_str().expect("a link").to_owned();
    let expired = eventually(PATIENCE, "the link expiring", || {
        let states = ada.run(["links"])?;
        let states: Vec<_> = states
            .as_array()
            .into_iter()
            .flatten()
            .map(|link| link["state"].clone())
            .collect();
        Ok((states == ["revoked", "expired"]).then_some(states))
    });
    expired?;
    refused(ben.add(&short), "link.expired", 8);
    // Who writes another date into it finds the address gone.
    let mut prolonged = parsed(&short);
    prolonged.expires_s = None;
    refused(ben.add(&prolonged.to_string()), "link.used", 8);
    assert_eq!(names_of_contacts(&ada)?, Vec::<String>::new());

    // Damaged, cut short, or something else altogether.
    let link = ada.link()?;
    let place = link.len() / 2;
    let other = if &link[place..=place] == "A" {
        "B"
    } else {
        "A"
    };
    let damaged = format!("{}{other}{}", &link[..place], &link[place + 1..]);
    refused(ben.add(&damaged), "text.checksum", 2);
    refused(ben.add("https://example.org/"), "text.malformed", 2);
    refused(ben.add(&server.invitation(1)?), "text.kind", 2);
    ben.add(&link)?;
    eventually(PATIENCE, "Ben being a contact", || {
        Ok((names_of_contacts(&ada)? == ["Ben"]).then_some(()))
    })
}

#[test]
fn both_sides_see_one_safety_number_and_mark_it() -> Outcome {
    let server = ServerProcess::start()?;
    let [ada, ben, cleo] = people(&server, ["Ada", "Ben", "Cleo"])?;
    ada.meet(&ben)?;
    ada.meet(&cleo)?;
    let number = |person: &Person, other: &str| -> Outcome<String> {
        Ok(person.run(["verify", other])?["digits"]
            .as_str()
            .expect("digits")
            .to_owned())
    };
    let hers = number(&ada, "Ben")?;
    assert_eq!(hers, number(&ben, "Ada")?);
    assert_ne!(hers, number(&ada, "Cleo")?);
    assert_eq!(hers.chars().filter(char::is_ascii_digit).count(), 60);
    assert_eq!(number(&ada, "Cleo")?, number(&cleo, "Ada")?);

    let verified = |person: &Person, name: &str| -> Outcome<Value> {
        let contacts = person.run(["contacts"])?;
        let contact = contacts
            .as_array()
            .into_iter()
            .flatten()
            .find(|contact| contact["name"] == name)
            .cloned();
        Ok(contact.expect("a contact")["verified"].clone())
    };
    assert_eq!(verified(&ada, "Ben")?, false);
    ada.run(["verify", "Ben", "--accept"])?;
    assert_eq!(verified(&ada, "Ben")?, true);
    // A mark is of the one who compared, and of the one compared.
    assert_eq!(
        (verified(&ben, "Ada")?, verified(&ada, "Cleo")?),
        (false.into(), false.into())
    );
    ada.run(["verify", "Ben", "--withdraw"])?;
    assert_eq!(verified(&ada, "Ben")?, false);
    Ok(())
}
