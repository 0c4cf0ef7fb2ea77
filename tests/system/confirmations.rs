//! What destroys asks for a word first, over RPC and as a command, and panic for nothing.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use undertone_tests::{Outcome, Person, ServerProcess, eventually};

use crate::coercion::{PATIENCE, beside, passphrase_of, refusal, secret_file, wiped};

/// The methods of which `docs/rpc.md` says that they take a word.
fn methods_with_a_word() -> BTreeSet<String> {
    let docs = include_str!("../../docs/rpc.md");
    let rows = docs
        .lines()
        .filter(|line| line.contains("confirm: string") || line.contains("confirm?: string"));
    rows.filter_map(|row| Some(row.strip_prefix("| `")?.split_once('`')?.0.to_owned()))
        .collect()
}

/// Something that each of them could destroy.
fn parameters(of: &str, passphrase: &str, device: &Value) -> Value {
    match of {
        "home.wipe" | "kill.new_code" => json!({}),
        "devices.kill" => json!({"device": device}),
        "custodians.accept" => json!({"key": "undertone:k:1"}),
        "duress.set" => json!({"current": passphrase, "duress": "four kettles on a tram"}),
        "duress.remove" => json!({"passphrase": passphrase}),
        other => panic!("{other} takes a word, and this test does not know it"),
    }
}

#[test]
fn no_method_destroys_anything_without_its_word() -> Outcome {
    let server = ServerProcess::start()?;
    let ada = Person::join("Ada", &server.invitation(1)?)?;
    let right = passphrase_of(&ada);
    let mut session = ada.rpc()?;
    let device = session.call("account.get", &json!({}))?["device_id"].clone();
    // There is something to be replaced.
    session.call("kill.new_code", &json!({}))?;
    let set = json!({"current": right, "duress": "the first of them all"});
    session.call("duress.set", &set)?;
    let methods = methods_with_a_word();
    assert_eq!(methods.len(), 6, "{methods:?}");
    for method in &methods {
        for word in [
            json!(null),
            json!(""),
            json!("yes"),
            json!("WIPE"),
            json!("wipe it"),
            json!("Remove"),
            json!(true),
        ] {
            let mut params = parameters(method, &right, &device);
            if !word.is_null() {
                params["confirm"] = word.clone();
            }
            let (_, code) = refusal(session.call(method, &params));
            let refused = ["usage.not_confirmed", "rpc.invalid_params"].contains(&code.as_str());
            assert!(refused, "{method} {word}: {code}");
            if word.is_string() {
                assert_eq!(code, "usage.not_confirmed", "{method} {word}");
            }
        }
    }
    // Nothing was done.
    assert_eq!(session.call("kill.status", &json!({}))?["generation"], 1);
    assert_eq!(session.call("protection.get", &json!({}))?["duress"], true);
    assert_eq!(
        session.call("protection.get", &json!({}))?["wrong_attempts"],
        0
    );
    // Nor by a command.
    let key = ada.run([
        "custodian",
        "new",
        "--name",
        "Desk",
        "--words-file",
        &beside(&ada, "desk.txt"),
    ])?;
    let key = key["key"].as_str().unwrap_or_default().to_owned();
    for command in [
        &["wipe"][..],
        &["custodian", "accept", &key],
        &["kill-code", "new", "--kill-file", &beside(&ada, "code.txt")],
        &["duress", "remove"],
        &[
            "duress",
            "set",
            "--duress-file",
            &secret_file(&ada, "duress.txt", "another one of them"),
            "--recovery-file",
            &beside(&ada, "decoy.txt"),
        ],
    ] {
        for typed in ["", "no\n"] {
            let (exit, code) = refusal(ada.run_with_input(command, typed));
            assert_eq!(exit, Some(2), "{command:?} {typed:?}: {code}");
        }
    }
    assert_eq!(
        session.call("kill.status", &json!({}))?["custodians"],
        json!([])
    );
    session.end()
}

#[test]
fn a_device_is_not_wiped_by_a_command_without_the_word() -> Outcome {
    let server = ServerProcess::start()?;
    let ada = Person::join_hurried("Ada", &server.invitation(2)?)?;
    let words = beside(&ada, "desk.txt");
    let key = ada.run(["custodian", "new", "--name", "Desk", "--words-file", &words])?;
    let key = key["key"].as_str().unwrap_or_default().to_owned();
    let ticket = ada.run(["custodian", "accept", "--yes", &key])?;
    let ticket = ticket["ticket"].as_str().unwrap_or_default().to_owned();
    let mut session = ada.rpc()?;
    let account = session.call("account.get", &json!({}))?;
    let device = account["device_id"].as_str().unwrap_or_default().to_owned();
    session.end()?;
    for typed in ["", "no\n", "WIPE\n"] {
        let wipe = ["custodian", "wipe", "--words-file", &words, &ticket];
        assert_eq!(refusal(ada.run_with_input(wipe, typed)).0, Some(2));
        let kill = ["devices", "kill", &device];
        assert_eq!(
            refusal(ada.run_with_input(kill, typed)).0,
            Some(2),
            "{typed}"
        );
    }
    ada.run(["chats"])?;
    Ok(())
}

#[test]
fn panic_over_rpc_locks_and_the_second_time_it_wipes_and_asks_for_nothing() -> Outcome {
    let server = ServerProcess::start()?;
    let ada = Person::join("Ada", &server.invitation(1)?)?;
    let mut session = ada.rpc()?;
    assert_eq!(session.call("home.panic", &json!({}))?["wiped"], false);
    session.ends()?;
    let mut session = ada.rpc()?;
    // The answer may be cut off by the end of the process.
    let _ = session.call("home.panic", &json!({}));
    eventually(PATIENCE, "the wipe", || {
        Ok((!ada.home().join("keys").exists()).then_some(()))
    })?;
    drop(session);
    assert_eq!(refusal(ada.run(["chats"])), wiped());
    Ok(())
}
