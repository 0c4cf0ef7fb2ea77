//! Who gets in.

use undertone_server::admin::{Answer, Command};
use undertone_server::config::Registration;
use undertone_wire::Code;
use undertone_wire::hpke::HpkeKeyPair;
use undertone_wire::ids::{Pin, QueueId};
use undertone_wire::proto;
use undertone_wire::request::{Request, Role};
use undertone_wire::response::{FromServer, Response};
use undertone_wire::secrets::InvitationCode;

use super::client::{Client, Device, TestServer, tls};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invitation_admits_as_many_as_it_says_and_no_more() {
    let server =
        TestServer::start_with(|config| config.registration = Registration::Invitation).await;
    let code = server.invitation(2).await;

    let ada = Device::with_invitation(&server, Some(code.duplicate()))
        .await
        .unwrap();
    // The same registration again is answered as the first time and uses nothing up.
    let mut again = server.inbox().await;
    let ada_again = Device {
        inbox: server.inbox().await,
        ..ada
    };
    let request = ada_again.registration(Some(code.duplicate()));
    drop(ada_again.inbox);
    assert_eq!(
        again.refused(request).await,
        Code::AuthSignature,
        "signed for another connection"
    );

    Device::with_invitation(&server, Some(code.duplicate()))
        .await
        .unwrap();
    let third = Device::with_invitation(&server, Some(code))
        .await
        .err()
        .unwrap();
    assert_eq!(third.code, Code::InvitationUsed);

    let none = Device::with_invitation(&server, None).await.err().unwrap();
    assert_eq!(none.code, Code::InvitationRequired);
    let guess = Device::with_invitation(&server, Some(InvitationCode::random()))
        .await
        .err()
        .unwrap();
    assert_eq!(guess.code, Code::InvitationUnknown);

    let Answer::Status(status) = server.ask(Command::Status).await.unwrap() else {
        panic!()
    };
    assert_eq!(status.queues, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_holder_of_the_key_signs_in() {
    let server = TestServer::start().await;
    let mut ada = Device::new(&server).await;
    let mallory = Device::new(&server).await;

    let mut inbox = server.inbox().await;
    let mut forged = mallory.sign_in_on(&inbox);
    if let Request::SignIn(sign_in) = &mut forged {
        sign_in.queue_id = ada.queue;
    }
    assert_eq!(inbox.refused(forged).await, Code::AuthSignature);

    // A signature for another connection is worth nothing on this one.
    let elsewhere = server.inbox().await;
    let replayed = ada.sign_in_on(&elsewhere);
    assert_eq!(inbox.refused(replayed).await, Code::AuthSignature);

    let mut nobody = mallory.sign_in_on(&inbox);
    if let Request::SignIn(sign_in) = &mut nobody {
        sign_in.queue_id = QueueId::random();
    }
    assert_eq!(inbox.refused(nobody).await, Code::AuthQueueUnknown);

    // Nothing but signing in works before signing in.
    assert_eq!(
        inbox.refused(Request::DeleteQueue).await,
        Code::AuthRequired
    );
    assert_eq!(inbox.ask(Request::Ping).await, Ok(Response::Done));

    // The same connection may still do it right, once.
    let request = ada.sign_in_on(&inbox);
    assert!(matches!(
        inbox.ask(request).await,
        Ok(Response::SignedIn(_))
    ));
    let again = ada.sign_in_on(&inbox);
    assert_eq!(inbox.refused(again).await, Code::AuthAlready);

    // A queue id is taken by the first who registers it.
    let mut other = Device {
        queue: ada.queue,
        hpke: HpkeKeyPair::generate().unwrap(),
        ..mallory
    };
    other.inbox = server.inbox().await;
    let request = other.registration(None);
    assert_eq!(other.inbox.refused(request).await, Code::AuthQueueTaken);
    ada.sign_in(&server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guessing_signatures_ends_the_connection() {
    let server = TestServer::start().await;
    let ada = Device::new(&server).await;
    let mut inbox = server.inbox().await;
    let elsewhere = server.inbox().await;
    for _ in 0..8 {
        let replayed = ada.sign_in_on(&elsewhere);
        assert_eq!(inbox.refused(replayed).await, Code::AuthSignature);
    }
    let replayed = ada.sign_in_on(&elsewhere);
    inbox.submit(replayed).await;
    assert_eq!(inbox.closed_with().await, Code::AuthSignature);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_sign_in_replaces_the_first() {
    let server = TestServer::start().await;
    let mut ada = Device::new(&server).await;
    let mut second = server.inbox().await;
    let request = ada.sign_in_on(&second);
    assert!(matches!(
        second.ask(request).await,
        Ok(Response::SignedIn(_))
    ));
    let notice = ada.inbox.notice().await;
    assert_eq!(notice, undertone_wire::response::Notice::Replaced);
    assert!(
        ada.inbox.next().await.is_none(),
        "the first connection closes"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn versions_that_have_nothing_in_common_are_told_so() {
    let server = TestServer::start().await;
    for (min, max, code) in [
        (0, 0, Code::VersionClientTooOld),
        (2, 9, Code::VersionClientTooNew),
    ] {
        let mut client = Client::without_hello(&server).await;
        client.send(&[hello(min, max, proto::Role::Inbox)]).await;
        assert_eq!(client.closed_with().await, code);
    }
    let mut client = Client::without_hello(&server).await;
    client.send(&[hello(0, 7, proto::Role::Outbox)]).await;
    let Some(FromServer::Hello(answer)) = client.next().await else {
        panic!()
    };
    assert_eq!(answer.version, 1);
    assert_eq!(answer.time_s % 60, 0);
    // No role, or no hello at all, is no beginning.
    let mut client = Client::without_hello(&server).await;
    client.send(&[hello(1, 1, proto::Role::Unspecified)]).await;
    assert_eq!(client.closed_with().await, Code::FrameMalformed);
    let mut client = Client::without_hello(&server).await;
    client.submit(Request::Ping).await;
    assert_eq!(client.closed_with().await, Code::FrameMalformed);
}

fn hello(version_min: u32, version_max: u32, role: proto::Role) -> proto::ClientFrame {
    proto::ClientFrame {
        body: Some(proto::client_frame::Body::Hello(proto::ClientHello {
            version_min,
            version_max,
            role: role.into(),
        })),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_connection_is_shown_the_same_token_keys_and_its_own_challenge() {
    let server = TestServer::start().await;
    let inbox = Client::open(&server, Role::Inbox).await;
    let outbox = Client::open(&server, Role::Outbox).await;
    assert_eq!(inbox.hello.token_keys, outbox.hello.token_keys);
    let temporary: Vec<_> = inbox.hello.token_keys.iter().map(|k| k.temporary).collect();
    assert_eq!(
        temporary,
        [false, false, true, true],
        "this week's and last week's for everybody, and the same for temporary queues"
    );
    assert_ne!(inbox.hello.challenge, outbox.hello.challenge);
    assert!(inbox.hello.registration_open);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_servers_key_is_not_this_servers_pin() {
    let server = TestServer::start().await;
    assert!(tls(server.address, Pin::random()).await.is_err());
    tls(server.address, server.pin).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_queue_is_gone() {
    let server = TestServer::start().await;
    let mut ada = Device::new(&server).await;
    let address = ada
        .address(undertone_wire::request::AddressKind::Conversation)
        .await;
    let mut outbox = server.paid_outbox(&mut ada).await;
    let accepted = outbox.deliver(b"waits", &[&address]).await.unwrap();
    assert!(accepted.missed.is_none());
    assert_eq!(
        ada.inbox.ask(Request::DeleteQueue).await,
        Ok(Response::Done)
    );
    assert!(ada.inbox.next().await.is_none());
    // Nobody is reached there any more.
    let accepted = outbox.deliver(b"too late", &[&address]).await.unwrap();
    assert!(accepted.missed.contains(0));
    let mut inbox = server.inbox().await;
    let request = ada.sign_in_on(&inbox);
    assert_eq!(inbox.refused(request).await, Code::AuthQueueUnknown);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_key_of_a_queue_is_replaced() {
    let server = TestServer::start().await;
    let mut ada = Device::new(&server).await;
    let fresh = HpkeKeyPair::generate().unwrap();
    let rotated = ada
        .inbox
        .ask(Request::RotateQueueKey(fresh.public().clone()))
        .await;
    assert_eq!(rotated, Ok(Response::Done));
    ada.hpke = fresh;
    let address = ada
        .address(undertone_wire::request::AddressKind::Conversation)
        .await;
    let mut outbox = server.paid_outbox(&mut ada).await;
    outbox
        .deliver(b"to the new key", &[&address])
        .await
        .unwrap();
    ada.give_credit(1).await;
    assert_eq!(ada.item().await.1.payload, &b"to the new key"[..]);
}
