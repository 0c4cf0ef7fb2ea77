//! Bells: what a locked device hears, and what its secret is not good for.

use undertone_server::admin::{Answer, Command};
use undertone_wire::Code;
use undertone_wire::ids::sha256;
use undertone_wire::request::{AddressKind, FromClient, Request};
use undertone_wire::response::{Notice, Response};
use undertone_wire::secrets::Secret;

use super::client::{Device, PATIENCE, TestServer, credit};
use super::ephemeral::walk;

/// Waits until the server has noticed that a device went.
async fn one_is_online(server: &TestServer) {
    let waiting = async {
        loop {
            let answer = server.ask(Command::Status).await.unwrap();
            let Answer::Status(status) = answer else {
                panic!()
            };
            if status.inboxes == 1 {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap();
}

fn hear(secret: &Secret<32>) -> Request {
    Request::HearBell(secret.duplicate())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_hears_a_bell_learns_that_something_came_and_nothing_else() {
    let server = TestServer::start().await;
    let (mut ada, mut ben) = (Device::new(&server).await, Device::new(&server).await);
    let address = ben.address(AddressKind::Conversation).await;
    let mut outbox = server.paid_outbox(&mut ada).await;
    let secret = Secret::random();
    let set = Request::SetBell(sha256(secret.expose()));
    assert_eq!(ben.inbox.ask(set).await, Ok(Response::Done));

    let mut bell = server.inbox().await;
    assert_eq!(bell.ask(hear(&secret)).await, Ok(Response::Done));
    // While the owner is there nobody needs to be told.
    outbox.deliver(b"read at once", &[&address]).await.unwrap();
    ben.give_credit(4).await;
    let (sequence, _) = ben.item().await;
    ben.ack(sequence).await;
    assert!(bell.is_quiet(200).await);

    // The owner locks, and something comes while nobody hears. There is one ring, for all that comes within a minute.
    drop(bell);
    ben.inbox = server.inbox().await;
    one_is_online(&server).await;
    outbox.deliver(b"one", &[&address]).await.unwrap();
    let mut bell = server.inbox().await;
    assert_eq!(bell.ask(hear(&secret)).await, Ok(Response::Done));
    assert_eq!(bell.notice().await, Notice::Bell);
    for text in [b"two", b"333"] {
        outbox.deliver(text, &[&address]).await.unwrap();
    }
    assert!(bell.is_quiet(300).await, "one for all of them");

    // It can neither take, nor acknowledge, nor ask for anything.
    bell.send(&[credit(8), FromClient::Ack(u64::MAX).to_proto()])
        .await;
    assert!(bell.is_quiet(200).await);
    for request in [
        Request::DeleteQueue,
        Request::RevokeAddresses(vec![address.hash()]),
        Request::IssueTokens(vec![[1; 32]]),
        Request::SetBell([0; 32]),
    ] {
        assert_eq!(bell.refused(request).await, Code::AuthRequired);
    }
    let sign_in = ben.sign_in_on(&bell);
    assert_eq!(bell.refused(sign_in).await, Code::AuthAlready);

    // Another connection does not make it ring earlier.
    drop(bell);
    let mut bell = server.inbox().await;
    assert_eq!(bell.ask(hear(&secret)).await, Ok(Response::Done));
    assert!(bell.is_quiet(300).await);

    // Unlocking ends it, and nothing is lost.
    ben.sign_in(&server).await;
    ben.give_credit(8).await;
    let mut came = Vec::new();
    for _ in 0..3 {
        came.push(ben.item().await.1.payload);
    }
    assert_eq!(came, [&b"one"[..], b"two", b"333"]);
    let next = Request::SetBell(sha256(b"the next one"));
    assert_eq!(ben.inbox.ask(next).await, Ok(Response::Done));
    assert_eq!(bell.notice().await, Notice::Replaced);
    let mut late = server.inbox().await;
    assert_eq!(late.refused(hear(&secret)).await, Code::BellUnknown);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bells_secret_is_in_no_file_and_its_hash_goes_with_its_queue() {
    let mut server = TestServer::start().await;
    let mut ben = Device::new(&server).await;
    let secret = Secret::random();
    let hash = sha256(secret.expose());
    ben.inbox.ask(Request::SetBell(hash)).await.unwrap();
    // Two can't hear one: the later one does.
    let mut first = server.inbox().await;
    first.ask(hear(&secret)).await.unwrap();
    let mut second = server.inbox().await;
    second.ask(hear(&secret)).await.unwrap();
    assert_eq!(first.notice().await, Notice::Replaced);
    // A guess is none.
    let mut guess = server.inbox().await;
    assert_eq!(
        guess.refused(hear(&Secret::random())).await,
        Code::BellUnknown
    );

    let stands_in_a_file = |server: &TestServer, value: &[u8; 32]| {
        walk(server.dir.path()).iter().any(|path| {
            let bytes = std::fs::read(path).unwrap_or_default();
            bytes.windows(32).any(|part| part == value)
        })
    };
    server.stop().await;
    assert!(!stands_in_a_file(&server, secret.expose()));
    assert!(stands_in_a_file(&server, &hash));
    server.start_again().await;
    let mut late = server.inbox().await;
    assert_eq!(late.ask(hear(&secret)).await, Ok(Response::Done));

    ben.sign_in(&server).await;
    ben.inbox.ask(Request::DeleteQueue).await.unwrap();
    assert_eq!(late.notice().await, Notice::Replaced);
    let mut late = server.inbox().await;
    assert_eq!(late.refused(hear(&secret)).await, Code::BellUnknown);
    server.stop().await;
    assert!(!stands_in_a_file(&server, &hash));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_ends_no_bell_and_rings_for_nothing_twice() {
    let mut server = TestServer::start().await;
    let (mut ada, mut ben) = (Device::new(&server).await, Device::new(&server).await);
    let address = ben.address(AddressKind::Conversation).await;
    let mut outbox = server.paid_outbox(&mut ada).await;
    let secret = Secret::random();
    let set = Request::SetBell(sha256(secret.expose()));
    ben.inbox.ask(set).await.unwrap();
    ben.inbox = server.inbox().await;
    one_is_online(&server).await;

    // One was rung for, and one comes while nobody hears.
    outbox.deliver(b"one", &[&address]).await.unwrap();
    let mut bell = server.inbox().await;
    bell.ask(hear(&secret)).await.unwrap();
    assert_eq!(bell.notice().await, Notice::Bell);
    // What is asked behind a ring is answered when the ring has gone out.
    bell.ask(Request::Ping).await.unwrap();
    server.stop().await;
    server.start_again().await;
    let mut bell = server.inbox().await;
    assert_eq!(bell.ask(hear(&secret)).await, Ok(Response::Done));
    assert!(bell.is_quiet(300).await, "it was rung for");

    drop(bell);
    ada.sign_in(&server).await;
    let mut outbox = server.paid_outbox(&mut ada).await;
    outbox.deliver(b"two", &[&address]).await.unwrap();
    server.stop().await;
    server.start_again().await;
    let mut bell = server.inbox().await;
    bell.ask(hear(&secret)).await.unwrap();
    assert_eq!(bell.notice().await, Notice::Bell);
    assert!(bell.is_quiet(300).await, "once");
    bell.ask(Request::Ping).await.unwrap();
    server.stop().await;
    server.start_again().await;
    let mut bell = server.inbox().await;
    bell.ask(hear(&secret)).await.unwrap();
    assert!(bell.is_quiet(300).await);

    // What comes while it is heard rings as before.
    ada.sign_in(&server).await;
    let mut outbox = server.paid_outbox(&mut ada).await;
    outbox.deliver(b"333", &[&address]).await.unwrap();
    assert_eq!(bell.notice().await, Notice::Bell);
}
