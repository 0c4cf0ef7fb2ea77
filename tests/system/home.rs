//! A home on a disk that somebody else holds.

use std::fs;

use undertone_tests::disk::{Needle, files, scan_for};
use undertone_tests::{Failed, Outcome, Person, ServerProcess};

/// What the app says to another passphrase.
fn refused(person: &Person, passphrase: &str) -> (Option<i32>, String) {
    fs::write(person.passphrase_file(), passphrase).expect("written");
    match person.run(["chats"]) {
        Ok(answer) => panic!("{passphrase:?} opened the home: {answer}"),
        Err(Failed { exit, code, .. }) => (exit, code),
    }
}

#[test]
fn a_home_opens_with_its_passphrase_only() -> Outcome {
    let server = ServerProcess::start()?;
    let invitation = server.invitation(2)?;
    // With the real key derivation.
    let folder = tempfile::tempdir().expect("a folder");
    let ada = Person::at("Ada Lovelace-Byron", folder.path())?;
    ada.init(&invitation)?;
    let ben = Person::join("Benjamin Whistleblower", &invitation)?;
    ada.meet(&ben)?;
    ada.send("Benjamin", "The documents are in the old mill")?;
    let secret_file = folder.path().join("the-ledger.txt");
    let ledger = "17 payments to the minister\n".repeat(1000);
    fs::write(&secret_file, &ledger).expect("a file");
    ada.send_file("Benjamin", &secret_file)?;
    fs::remove_file(&secret_file).expect("removed");

    let right = fs::read_to_string(ada.passphrase_file()).expect("a passphrase");
    let typed = right.trim_end();
    for other in [
        "wrong horse battery staple".to_owned(),
        typed.to_uppercase(),
        format!("{typed}e"),
        typed[..typed.len() - 1].to_owned(),
        format!(" {typed}"),
    ] {
        assert_eq!(
            refused(&ada, &other),
            (Some(3), "home.wrong_passphrase".to_owned()),
            "{other:?}"
        );
    }
    assert_eq!(refused(&ada, "").0, Some(3));

    // Without it, nothing of what is in there, nor where it is from.
    let account = ada_account(&ada, &right)?;
    let mut needles = Vec::new();
    for (name, text) in [
        ("name", "Lovelace"),
        ("contact", "Whistleblower"),
        ("message", "documents are in the old mill"),
        ("file name", "the-ledger"),
        ("file", "17 payments"),
        ("passphrase", typed),
        ("account", &account),
        ("origin", &server.address().to_string()),
        ("pin", server.pin()),
        ("invitation", &invitation),
    ] {
        needles.extend(Needle::text(name, text));
    }
    let phrase = fs::read_to_string(ada.recovery_file()).expect("a phrase");
    needles.extend(Needle::text("recovery phrase", phrase.trim_end()));
    assert_eq!(scan_for(&ada.home(), &needles).expect("readable"), []);
    // Nor does a plain SQLite file lie there.
    let plain = [Needle::exact("SQLite", b"SQLite format 3".to_vec())];
    assert_eq!(scan_for(&ada.home(), &plain).expect("readable"), []);
    let stores = files(&ada.home()).expect("readable");
    let stores: Vec<_> = stores
        .iter()
        .filter(|path| path.metadata().is_ok_and(|file| file.len() > 64 * 1024))
        .collect();
    assert!(stores.len() >= 2, "always two stores: {stores:?}");

    fs::write(ada.passphrase_file(), &right).expect("written");
    assert_eq!(
        ada.texts("Benjamin")?,
        ["The documents are in the old mill", ""]
    );
    Ok(())
}

fn ada_account(ada: &Person, passphrase: &str) -> Outcome<String> {
    fs::write(ada.passphrase_file(), passphrase).expect("written");
    let status = ada.run(["--offline", "status"])?;
    Ok(status["account"]["account_id"]
        .as_str()
        .expect("an account")
        .to_owned())
}
