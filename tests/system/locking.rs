//! Locking and wiping while something else hangs, and what they leave alone.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    time::{Duration, Instant},
};

use rustix::fs::FlockOperation;
use serde_json::json;
use undertone_tests::{Outcome, Person, ServerProcess, eventually};

use crate::coercion::{PATIENCE, passphrase_of, refusal};
use crate::web_page::Host;

/// On a machine that does something else, too: who waits for the sentinel's turn waits longer.
const AT_ONCE: Duration = Duration::from_secs(4);

#[test]
fn a_folder_that_is_no_home_is_not_wiped() -> Outcome {
    let folder = tempfile::tempdir().expect("a folder");
    let person = Person::at("Ada", folder.path())?;
    let papers = person.home();
    fs::create_dir_all(&papers).expect("made");
    fs::write(papers.join("thesis.txt"), "forty pages").expect("written");
    for command in [
        &["panic", "--wipe"][..],
        &["panic"],
        &["wipe", "--yes-wipe"],
    ] {
        let (_, code) = refusal(person.run(command));
        assert_eq!(code, "home.missing", "{command:?}");
    }
    let text = fs::read_to_string(papers.join("thesis.txt")).expect("it is there");
    assert_eq!(text, "forty pages");
    Ok(())
}

/// Turning the keyring on asks a keyring that waits for somebody to type its password; then panic is pressed.
#[tokio::test(flavor = "multi_thread")]
async fn a_keyring_that_hangs_holds_up_neither_a_wipe_nor_a_lock() -> Outcome {
    let server = ServerProcess::start()?;
    let ada = tokio::task::block_in_place(|| Person::join("Ada", &server.invitation(1)?))?;
    let passphrase_file = ada.passphrase_file().display().to_string();
    let options = ["--no-browser", "--passphrase-file", &passphrase_file];
    let folder = tempfile::tempdir().expect("a folder");
    let program = folder.path().join("secret-tool");
    let asked = folder.path().join("asked");
    let script = format!("#!/bin/sh\n: > '{}'\nexec /bin/sleep 60\n", asked.display());
    fs::write(&program, script).expect("written");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).expect("set");
    let path = folder.path().display().to_string();
    for wipes in [false, true] {
        let _ = fs::remove_file(&asked);
        let host = Host::start_in(&ada.home(), &options, &[("PATH", &path)])?;
        let (welcome, mut page) = host.page(json!({"code": host.code})).await?;
        let session = json!({"session": welcome["session"]});
        let (_, mut other) = host.page(session).await?;
        let passphrase = passphrase_of(&ada);
        let asking = tokio::spawn(async move {
            let change = json!({"passphrase": passphrase, "change": {"keyring": true}});
            page.call("protection.set", change).await
        });
        eventually(PATIENCE, "the keyring to be asked", || {
            Ok(asked.exists().then_some(()))
        })?;
        // Whoever looks how it stands is answered meanwhile.
        let seen = tokio::time::timeout(
            Duration::from_secs(5),
            other.call("protection.get", json!({})),
        );
        let seen = seen.await.expect("in time");
        assert_eq!(seen["result"]["keyring"], false, "{seen}");
        let keys = ada.home().join("keys");
        let socket = ada.home().join("rpc.sock");
        let begun = std::time::Instant::now();
        other.call("host.panic", json!({"wipe": wipes})).await;
        eventually(Duration::from_secs(5), "the end of it", || {
            Ok((!if wipes { &keys } else { &socket }.exists()).then_some(()))
        })?;
        assert!(begun.elapsed() < Duration::from_secs(3));
        asking.abort();
    }
    Ok(())
}

/// Somebody stopped a program in the middle of a change of the sentinel, whose lock is not the home's.
#[tokio::test(flavor = "multi_thread")]
async fn somebody_who_holds_the_sentinel_holds_up_neither_panic_nor_a_lock() -> Outcome {
    let server = ServerProcess::start()?;
    let ada = tokio::task::block_in_place(|| Person::join("Ada", &server.invitation(1)?))?;
    let held = || {
        let folder = fs::File::open(ada.home()).expect("a folder");
        rustix::fs::flock(&folder, FlockOperation::LockExclusive).expect("held");
        folder
    };
    for command in ["panic", "lock"] {
        let mut session = tokio::task::block_in_place(|| {
            let mut session = ada.rpc()?;
            session.call("status.get", &json!({})).map(|_| session)
        })?;
        let holding = held();
        let begun = Instant::now();
        let answer = tokio::task::block_in_place(|| ada.run([command]))?;
        assert_eq!(answer["was_open"], true, "{command}: {answer}");
        assert!(begun.elapsed() < AT_ONCE, "{command}");
        tokio::task::block_in_place(|| session.ends())?;
        drop(holding);
    }
    // By RPC, and from the page.
    let mut session = tokio::task::block_in_place(|| {
        let mut session = ada.rpc()?;
        session.call("status.get", &json!({})).map(|_| session)
    })?;
    let holding = held();
    let begun = Instant::now();
    tokio::task::block_in_place(|| {
        let answer = session.call("home.panic", &json!({}))?;
        assert_eq!(answer["wiped"], false);
        session.ends()
    })?;
    assert!(begun.elapsed() < AT_ONCE);
    drop(holding);
    let passphrase_file = ada.passphrase_file().display().to_string();
    let options = ["--no-browser", "--passphrase-file", &passphrase_file];
    let host = Host::start(&ada.home(), &options)?;
    let (_, mut page) = host.page(json!({"code": host.code})).await?;
    let holding = held();
    page.call("host.panic", json!({})).await;
    let socket = ada.home().join("rpc.sock");
    eventually(AT_ONCE, "the lock", || Ok((!socket.exists()).then_some(())))?;
    drop(holding);
    Ok(())
}
