//! Through a SOCKS5 proxy such as Tor: everything, each connection by itself, and nothing around it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use undertone_tests::fault_proxy::{FaultProxy, Pass};
use undertone_tests::socks_server::SocksServer;
use undertone_tests::{Outcome, Person, ServerOptions, ServerProcess, eventually, fixtures};

use crate::sentences::{Said, init_command, said};

const PATIENCE: Duration = Duration::from_secs(30);
/// An onion service's name; nothing but a proxy knows the way there.
const ONION: &str = "undertonetestundertonetestundertonetestundertonetestabcd.onion:7443";
const AWAY: &str = "Offline: The proxy cannot be reached or refused to connect.";

/// Somebody who named a proxy when the home was made, and never again.
fn join_through(
    proxy: &SocksServer,
    name: &str,
    folder: &Path,
    invitation: &str,
) -> Outcome<Person> {
    let url = proxy.url();
    let first = Person::at(name, folder)?.with_cheap_passphrase();
    first.with_options(&["--proxy", &url]).init(invitation)?;
    Ok(Person::at(name, folder)?.with_cheap_passphrase())
}

#[test]
fn an_onion_service_is_reached_and_no_two_connections_can_be_joined() -> Outcome {
    let server = ServerProcess::start_with(ServerOptions {
        origin: Some(ONION.to_owned()),
        ..ServerOptions::default()
    })?;
    let invitation = server.invitation(2)?;
    let folder = tempfile::tempdir().expect("a folder");
    let [for_ada, for_ben] = ["ada", "ben"].map(|name| folder.path().join(name));
    fs::create_dir(&for_ada).expect("a folder");
    fs::create_dir(&for_ben).expect("a folder");

    // Without a proxy not even a name is looked up.
    let ada = Person::at("Ada", &for_ada)?.with_cheap_passphrase();
    Said::by(&mut init_command(&ada, &invitation))?.refused(
        2,
        "This server is reached through Tor only; a Tor proxy must be named.",
    );
    assert!(!ada.home().exists() && !ada.recovery_file().exists());

    let proxy = SocksServer::start(Some(server.address()))?;
    let ada = join_through(&proxy, "Ada", &for_ada, &invitation)?;
    let ben = join_through(&proxy, "Ben", &for_ben, &invitation)?;
    ada.meet(&ben)?;
    ben.send("Ada", "Nobody sees from where")?;
    let photo = folder.path().join("photo.jpg");
    fs::write(&photo, fixtures::photo().expect("a photo")).expect("a file");
    let before = proxy.asked().len();
    ada.send_file("Ben", &photo)?;
    let sending = proxy.asked().len() - before;
    assert!(
        sending >= 3,
        "an inbox, an outbox and a file: {sending} connections"
    );
    ben.reads_eventually("Ada", &["Nobody sees from where", ""], PATIENCE)?;
    let lines = ben.read("Ada")?;
    let id = lines.iter().find(|line| line["attachments"][0].is_object());
    let id = id.and_then(|line| line["id"].as_str()).expect("the photo");
    let before = proxy.asked().len();
    ben.save("Ada", id, &folder.path().join("saved.jpg"))?;
    assert!(
        proxy.asked().len() > before,
        "the file came through the proxy"
    );

    let asked = proxy.asked();
    let (host, port) = ONION.rsplit_once(':').expect("a port");
    for one in &asked {
        assert_eq!(
            (one.host.as_str(), one.port.to_string().as_str()),
            (host, port)
        );
    }
    let users: BTreeSet<_> = asked.iter().map(|one| &one.credentials.0).collect();
    let pairs: BTreeSet<_> = asked.iter().map(|one| &one.credentials).collect();
    assert_eq!(
        (users.len(), pairs.len()),
        (asked.len(), asked.len()),
        "credentials of their own"
    );
    // Random enough that nobody else has them.
    assert!(users.iter().all(|user| user.len() >= 16));
    let status = ada.run(["status"])?;
    assert_eq!(status["status"]["proxy"], proxy.address.to_string());
    // There is no other way to this server.
    let refused = ada.run(["proxy", "none"]).map_err(|failed| failed.code);
    assert_eq!(refused, Err("connection.onion".to_owned()));
    assert_eq!(ada.run(["proxy"])?["proxy"], proxy.address.to_string());
    Ok(())
}

#[test]
fn a_proxy_that_is_away_means_offline_and_nothing_goes_around_it() -> Outcome {
    // The server's origin is an address that the apps could reach by themselves; what arrives there is counted.
    let (server, front) = FaultProxy::before_a_server(ServerOptions::default(), Arc::new(Pass))?;
    let arrived = || front.tally.connections.load(Ordering::Relaxed);
    let mut proxy = SocksServer::start(None)?;
    let invitation = server.invitation(2)?;
    let folder = tempfile::tempdir().expect("a folder");
    let [ada, ben] = ["Ada", "Ben"].map(|name| {
        let own = folder.path().join(name);
        fs::create_dir(&own).expect("a folder");
        join_through(&proxy, name, &own, &invitation)
    });
    let (ada, ben) = (ada?, ben?);
    ada.meet(&ben)?;
    let memo = folder.path().join("memo.opus");
    fs::write(&memo, fixtures::memo().expect("a memo")).expect("a file");
    ada.send_file("Ben", &memo)?;
    assert!(arrived() > 0);
    assert_eq!(
        arrived(),
        proxy.asked().len() as u64,
        "all came through the proxy"
    );

    proxy.stop();
    let before = arrived();
    let memo = memo.to_str().expect("a plain path");
    for words in [&["Into the drawer"][..], &["--attach", memo]] {
        let sent = said(&ada, &[&["send", "Ben"], words].concat())?;
        sent.noted(AWAY);
        assert!(sent.out.contains("Queued for Ben"), "{}", sent.out);
    }
    said(&ada, &["link"])?.refused(
        7,
        "there is no connection to it right now. The proxy cannot be reached",
    );
    let status = said(&ada, &["status"])?;
    assert!(
        status.exit == Some(0) && status.out.contains("The proxy cannot be reached"),
        "{}",
        status.out
    );
    assert_eq!(said(&ben, &["read", "Ada"])?.exit, Some(0));
    assert_eq!(arrived(), before, "nothing went around the proxy");

    // It is there again: what waited goes, the same way.
    proxy.run()?;
    eventually(PATIENCE, "all being sent", || {
        Ok((ada.run(["status"])?["status"]["outbox_waiting"] == 0).then_some(()))
    })?;
    ben.reads_eventually("Ada", &["", "Into the drawer", ""], PATIENCE)?;
    assert_eq!(
        arrived(),
        proxy.asked().len() as u64,
        "all came through the proxy"
    );

    // Only who says so goes without.
    let before = proxy.asked().len();
    assert_eq!(
        said(&ben, &["--proxy", "none", "send", "Ada", "In the open"])?.exit,
        Some(0)
    );
    assert!(proxy.asked().len() == before && arrived() > before as u64);
    ada.reads_eventually("Ben", &["", "Into the drawer", "", "In the open"], PATIENCE)
}

#[test]
fn a_proxy_is_set_while_the_app_is_open_and_used_at_once() -> Outcome {
    let (server, front) = FaultProxy::before_a_server(ServerOptions::default(), Arc::new(Pass))?;
    let arrived = || front.tally.connections.load(Ordering::Relaxed);
    let proxy = SocksServer::start(None)?;
    let ada = Person::join_hurried("Ada", &server.invitation(1)?)?;
    let _open = ada.watch()?;
    ada.send("notes", "Straight")?;
    assert_eq!(ada.run(["proxy"])?["proxy"], serde_json::Value::Null);
    assert_eq!(proxy.asked().len(), 0);

    let mut before = arrived();
    eventually(PATIENCE, "no connection being begun any more", || {
        std::thread::sleep(Duration::from_secs(1));
        let last = std::mem::replace(&mut before, arrived());
        Ok((last == before).then_some(()))
    })?;
    let set = ada.run(["proxy", &proxy.url()])?;
    assert_eq!(set["proxy"], proxy.address.to_string());
    ada.send("notes", "Around")?;
    // One that has been asked for is about to arrive.
    eventually(
        PATIENCE,
        "an inbox and an outbox, and nothing the old way",
        || {
            let asked = proxy.asked().len() as u64;
            Ok((asked >= 2 && arrived() - before == asked).then_some(()))
        },
    )?;

    let set = ada.run(["proxy", "none"])?;
    assert_eq!(set["proxy"], serde_json::Value::Null);
    let around = proxy.asked().len();
    ada.send("notes", "Straight again")?;
    assert_eq!(proxy.asked().len(), around);
    for wrong in [
        "http://127.0.0.1:9050",
        "socks5://127.0.0.1",
        "socks5://a b:1",
    ] {
        let refused = ada.run(["proxy", wrong]).map_err(|failed| failed.code);
        assert_eq!(refused, Err("usage.invalid".to_owned()), "{wrong}");
    }
    Ok(())
}
