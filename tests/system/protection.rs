//! What protects a device, changed from the command line and over RPC: with the passphrase, or a word that was typed, and not without.

use serde_json::{Value, json};
use undertone_core::home::Sentinel;
use undertone_tests::hello_proxy::HelloProxy;
use undertone_tests::{Failed, Outcome, Person, ServerProcess, eventually};

use crate::coercion::{PATIENCE, beside, passphrase_of, refusal, secret_file, types, wiped};
use crate::sentences::said;
use crate::web_page::Host;

const DURESS: &str = "all right all right";
const DAY: u64 = 86_400;

fn sets_a_duress_passphrase(person: &Person) -> Outcome {
    let duress = secret_file(person, "duress.txt", DURESS);
    let set = ["--offline", "duress", "set", "--duress-file", &duress];
    let words = beside(person, "decoy.txt");
    person.run([&set[..], &["--recovery-file", &words]].concat())?;
    assert_eq!(person.run(["--offline", "protection"])?["duress"], true);
    Ok(())
}

#[test]
fn the_duress_passphrase_and_its_decoy_are_taken_away_by_a_word_and_the_passphrase() -> Outcome {
    let server = ServerProcess::start()?;
    let ada = Person::join("Ada", &server.invitation(1)?)?;
    let right = passphrase_of(&ada);
    sets_a_duress_passphrase(&ada)?;

    // The home is open elsewhere, so that only what is asked for now counts.
    let mut session = ada.rpc()?;
    session.call("account.get", &json!({}))?;
    for typed in ["", "yes\n", "REMOVE\n"] {
        assert_eq!(
            refusal(ada.run_with_input(["duress", "remove"], typed)).0,
            Some(2)
        );
    }
    types(&ada, "not this one");
    let refused = ada.run(["duress", "remove", "--yes"]);
    assert_eq!(refusal(refused).1, "home.wrong_passphrase");
    types(&ada, &right);
    assert_eq!(ada.run(["protection"])?["duress"], true);
    // Nor is a decoy that may be lived in replaced by the way.
    let duress = secret_file(&ada, "duress.txt", DURESS);
    let words = beside(&ada, "new-decoy.txt");
    let again = ["duress", "set", "--duress-file", &duress];
    let again = [&again[..], &["--recovery-file", &words]].concat();
    assert_eq!(refusal(ada.run_with_input(&again, "yes\n")).0, Some(2));
    ada.run_with_input(&again, "replace\n")?;
    let answer = ada.run_with_input(["duress", "remove"], "remove\n")?;
    assert_eq!(answer["duress"], false);

    // The same over RPC.
    let set = json!({"current": right, "duress": DURESS});
    assert_eq!(session.call("duress.set", &set)?["registered"], false);
    let remove = |passphrase: &str| json!({"passphrase": passphrase, "confirm": "remove"});
    let wrong = session.call("duress.remove", &remove("not this one"));
    assert_eq!(refusal(wrong).1, "home.wrong_passphrase");
    assert_eq!(session.call("protection.get", &json!({}))?["duress"], true);
    let again = json!({"current": right, "duress": DURESS, "confirm": "replace"});
    session.call("duress.set", &again)?;
    session.call("duress.remove", &remove(&right))?;
    assert_eq!(session.call("protection.get", &json!({}))?["duress"], false);
    session.end()?;
    types(&ada, DURESS);
    let opened = ada.run(["--offline", "chats"]);
    assert_eq!(refusal(opened).1, "home.wrong_passphrase");
    types(&ada, &right);
    ada.run(["--offline", "chats"])?;
    Ok(())
}

#[test]
fn the_passphrase_is_changed_over_rpc_by_who_knows_it() -> Outcome {
    let server = ServerProcess::start()?;
    let ada = Person::join("Ada", &server.invitation(1)?)?;
    let (right, new) = (passphrase_of(&ada), "five quite different words here");
    let mut session = ada.rpc()?;
    let mut change = |current: &str, new: &str| {
        session.call(
            "passphrase.change",
            &json!({"current": current, "new": new}),
        )
    };
    assert_eq!(
        refusal(change("not this one", new)).1,
        "home.wrong_passphrase"
    );
    assert_eq!(refusal(change(&right, "short")).1, "passphrase.too_short");
    change(&right, new)?;
    assert_eq!(refusal(change(&right, new)).1, "home.wrong_passphrase");
    session.end()?;
    assert_eq!(
        refusal(ada.run(["--offline", "chats"])).1,
        "home.wrong_passphrase"
    );
    types(&ada, new);
    ada.run(["--offline", "chats"])?;
    Ok(())
}

/// Nobody was there for so many days more.
fn days_pass(person: &Person, days: u64) {
    Sentinel::update(&person.home(), |sentinel| {
        sentinel.dead_man.last_unlock -= days * DAY;
        sentinel.dead_man.ran += days * DAY;
    })
    .expect("written");
}

#[test]
fn whoever_keeps_the_home_open_confirms_with_the_passphrase_that_they_are_there() -> Outcome {
    let server = ServerProcess::start()?;
    let ada = Person::join("Ada", &server.invitation(1)?)?;
    ada.run(["protection", "--dead-man", "30d"])?;
    let right = passphrase_of(&ada);
    let mut session = ada.rpc()?;
    let mut elapsed = || -> Outcome<u64> {
        let now = session.call("protection.get", &json!({}))?;
        Ok(now["dead_man"]["elapsed_s"].as_u64().unwrap_or(0) / DAY)
    };
    assert_eq!(elapsed()?, 0, "opened just now");
    days_pass(&ada, 20);
    assert_eq!(elapsed()?, 20);
    types(&ada, "not this one");
    let refused = ada.run(["protection", "--confirm"]);
    assert_eq!(refusal(refused).1, "home.wrong_passphrase");
    assert_eq!(elapsed()?, 20);
    types(&ada, &right);
    let now = ada.run(["protection", "--confirm"])?;
    assert_eq!(now["dead_man"]["days"], 30, "{now}");
    assert_eq!(elapsed()?, 0);

    days_pass(&ada, 20);
    let wrong = session.call("passphrase.confirm", &json!({"passphrase": "not this one"}));
    assert_eq!(refusal(wrong).1, "home.wrong_passphrase");
    session.call("passphrase.confirm", &json!({"passphrase": right}))?;
    let now = session.call("protection.get", &json!({}))?;
    assert_eq!(now["dead_man"]["left_s"], 30 * DAY, "{now}");
    session.end()
}

#[test]
fn a_kill_code_on_paper_is_not_voided_over_rpc_without_the_word() -> Outcome {
    let server = ServerProcess::start()?;
    let ada = Person::join("Ada", &server.invitation(1)?)?;
    let mut session = ada.rpc()?;
    let first = session.call("kill.new_code", &json!({}))?;
    for confirm in [json!({}), json!({"confirm": "yes"})] {
        let refused = session.call("kill.new_code", &confirm);
        assert_eq!(refusal(refused).1, "usage.not_confirmed");
    }
    assert_eq!(session.call("kill.status", &json!({}))?["generation"], 1);
    let second = session.call("kill.new_code", &json!({"confirm": "new"}))?;
    assert_ne!(first["words"], second["words"]);
    assert_eq!(session.call("kill.status", &json!({}))?["generation"], 2);
    session.end()
}

#[test]
fn the_dead_man_timer_wipes_under_a_process_that_runs_open_or_locked() -> Outcome {
    let server = ServerProcess::start()?;
    let people = ["Ada", "Ben", "Cleo"].map(|name| -> Outcome<Person> {
        let person = Person::join(name, &server.invitation(1)?)?;
        person.run(["protection", "--dead-man", "30d"])?;
        Ok(person)
    });
    let [ada, ben, cleo] = people;
    let (ada, ben, cleo) = (ada?, ben?, cleo?);
    let mut watching = ada.watch()?;
    eventually(PATIENCE, "the home's socket", || {
        Ok(ada.home().join("rpc.sock").exists().then_some(()))
    })?;
    let passphrase_file = ben.passphrase_file().display().to_string();
    let open = ["--no-browser", "--passphrase-file", &passphrase_file];
    let mut hosts = [
        Host::start(&ben.home(), &open)?,
        Host::start(&cleo.home(), &["--no-browser"])?,
    ];
    for person in [&ada, &ben, &cleo] {
        assert!(person.home().join("keys").exists());
        days_pass(person, 30);
    }
    assert_eq!(watching.ends_with(PATIENCE)?, Some(15));
    for host in &mut hosts {
        let ended = eventually(PATIENCE, "the end of the host", || {
            let ended = host.child.try_wait();
            ended.map_err(|error| Failed::harness("waiting for the host", error))
        })?;
        assert_eq!(ended.code(), Some(15));
    }
    for person in [&ada, &ben, &cleo] {
        assert_eq!(refusal(person.run(["--offline", "chats"])), wiped());
    }
    Ok(())
}

/// Seconds from now to the year 2099.
const TO_2099_S: u64 = 2_300_000_000;

#[test]
fn a_server_and_a_contact_of_the_year_2099_wipe_nobody_and_the_timer_wipes_on_its_day() -> Outcome {
    let (server, proxy) = HelloProxy::before_a_server()?;
    let (ada, ben) = crate::sentences::two_people(&server)?;
    ada.run(["protection", "--dead-man", "30d"])?;
    proxy.twist(|_, hello| {
        hello.time_s += TO_2099_S;
        Ok(())
    });
    let mut watching = ada.watch()?;
    let sent = ben
        .command()
        .env("UNDERTONE_TEST_CLOCK_OFF_S", TO_2099_S.to_string())
        .args(["send", "Ada", "Happy new century!"])
        .output()
        .expect("runs");
    assert!(sent.status.success(), "{sent:?}");
    watching.message("Happy new century!", PATIENCE)?;
    // It was looked at: what is said of the time is that this clock may have been set back, which wipes nobody.
    let standing = || -> Outcome<Value> { Ok(ada.run(["protection"])?["dead_man"].clone()) };
    eventually(PATIENCE, "the device to hear of the year 2099", || {
        Ok((standing()?["clock_set_back_s"].as_u64() > Some(0)).then_some(()))
    })?;
    let left = |standing: &Value| standing["left_s"].as_u64().unwrap_or(0).div_ceil(DAY);
    assert_eq!(left(&standing()?), 30);
    days_pass(&ada, 29);
    assert_eq!(left(&standing()?), 1);
    days_pass(&ada, 1);
    assert_eq!(watching.ends_with(PATIENCE)?, Some(15));
    assert_eq!(refusal(ada.run(["--offline", "chats"])), wiped());
    Ok(())
}

#[test]
fn what_is_shown_names_everything_that_is_set_and_says_the_time_left_as_it_was_set() -> Outcome {
    let server = ServerProcess::start()?;
    let ada = Person::join_hurried("Ada", &server.invitation(1)?)?;
    let shown = |command: &str| -> Outcome<String> { Ok(said(&ada, &[command])?.out) };
    let before = shown("protection")?;
    for named in ["There is no kill code", "Panic: ", "Dead-man timer: off."] {
        assert!(before.contains(named), "{named}: {before}");
    }
    ada.run(["kill-code", "new", "--kill-file", &beside(&ada, "kill.txt")])?;
    let words = beside(&ada, "desk.txt");
    let key = ada.run(["custodian", "new", "--name", "Desk", "--words-file", &words])?;
    let key = key["key"].as_str().unwrap_or_default();
    ada.run(["custodian", "accept", "--yes", key])?;
    ada.run(["protection", "--dead-man", "7d"])?;
    let now = shown("protection")?;
    for named in [
        "The kill code of",
        "Desk may wipe this device",
        "(7 days left)",
    ] {
        assert!(now.contains(named), "{named}: {now}");
    }
    let looked = shown("guard")?;
    assert!(looked.contains("(7 days left)"), "{looked}");
    Ok(())
}
