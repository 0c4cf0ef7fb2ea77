//! From a sender's outbox to a reader's inbox.

use undertone_wire::Code;
use undertone_wire::ids::KeyPackageId;
use undertone_wire::request::{
    AddressKind, PublishKeyPackages, Request, SealedKeyPackage, TakeKeyPackages,
};
use undertone_wire::response::{ItemKind, Response};
use undertone_wire::secrets::AddressSecret;
use undertone_wire::{ids::SendId, limits};

use super::client::{Device, TestServer, credit, send};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_ada_sends_ben_reads_and_nobody_is_named() {
    let server = TestServer::start().await;
    let (mut ada, mut ben) = (Device::new(&server).await, Device::new(&server).await);
    let address = ben.address(AddressKind::Conversation).await;
    let mut outbox = server.paid_outbox(&mut ada).await;

    let accepted = outbox.deliver(b"hello", &[&address]).await.unwrap();
    assert!(accepted.missed.is_none());
    assert_eq!(accepted.number, 0);

    ben.give_credit(10).await;
    let (sequence, item) = ben.item().await;
    assert_eq!(item.payload, &b"hello"[..]);
    assert_eq!(item.kind, ItemKind::Direct);
    assert_eq!(item.address, address.hash());
    ben.ack(sequence).await;

    // Online, with credit left: the next one comes by itself.
    outbox.deliver(b"and again", &[&address]).await.unwrap();
    assert_eq!(ben.item().await.1.payload, &b"and again"[..]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_not_acknowledged_comes_again_and_what_was_does_not() {
    let mut server = TestServer::start().await;
    let (mut ada, mut ben) = (Device::new(&server).await, Device::new(&server).await);
    let address = ben.address(AddressKind::Conversation).await;
    let mut outbox = server.paid_outbox(&mut ada).await;
    for text in ["one", "two", "three"] {
        outbox.deliver(text.as_bytes(), &[&address]).await.unwrap();
    }
    ben.give_credit(3).await;
    let (first, item) = ben.item().await;
    assert_eq!(item.payload, &b"one"[..]);
    ben.item().await;
    ben.item().await;
    ben.ack(first).await;
    // The acknowledgement and this answer take the same way in.
    assert_eq!(ben.inbox.ask(Request::Ping).await, Ok(Response::Done));

    // The server is restarted; Ben signs in anew and gets the rest, in order, once.
    server.stop().await;
    server.start_again().await;
    let position = ben.sign_in(&server).await;
    assert_eq!(position.first_sequence, first + 1);
    assert_eq!(position.next_sequence, first + 3);
    ben.give_credit(10).await;
    assert_eq!(ben.item().await.1.payload, &b"two"[..]);
    let (last, item) = ben.item().await;
    assert_eq!(item.payload, &b"three"[..]);
    ben.ack(last).await;
    assert!(ben.inbox.is_quiet(200).await);
    let position = ben.sign_in(&server).await;
    assert_eq!(position.first_sequence, position.next_sequence);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_pushed_without_credit() {
    let server = TestServer::start().await;
    let (mut ada, mut ben) = (Device::new(&server).await, Device::new(&server).await);
    let address = ben.address(AddressKind::Conversation).await;
    let mut outbox = server.paid_outbox(&mut ada).await;
    for n in 0..5u8 {
        outbox.deliver(&[n], &[&address]).await.unwrap();
    }
    assert!(ben.inbox.is_quiet(200).await, "no credit, no items");
    ben.give_credit(2).await;
    assert_eq!(ben.item().await.1.payload, vec![0]);
    assert_eq!(ben.item().await.1.payload, vec![1]);
    assert!(ben.inbox.is_quiet(200).await, "credit used up");
    ben.give_credit(100).await;
    for n in 2..5u8 {
        assert_eq!(ben.item().await.1.payload, vec![n]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sends_of_one_connection_stay_in_order_however_they_are_batched() {
    let server = TestServer::start().await;
    let (mut ada, mut ben) = (Device::new(&server).await, Device::new(&server).await);
    let address = ben.address(AddressKind::Conversation).await;
    let mut outbox = server.paid_outbox(&mut ada).await;
    ben.give_credit(10_000).await;
    let mut ids = Vec::new();
    let mut n = 0u32;
    for batch in [1usize, 7, 200, 1, 91] {
        let mut frames = Vec::new();
        for _ in 0..batch {
            let id = outbox.fresh_id();
            ids.push(id);
            frames.push(send(&n.to_be_bytes(), &[&address]).to_frame(id));
            n += 1;
        }
        outbox.send(&frames).await;
    }
    for id in ids {
        assert!(matches!(outbox.answer(id).await, Ok(Response::Accepted(_))));
    }
    let mut last = None;
    for expected in 0..n {
        let (sequence, item) = ben.item().await;
        assert_eq!(item.payload, &expected.to_be_bytes()[..]);
        assert!(last.is_none_or(|last| sequence == last + 1));
        last = Some(sequence);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn credit_and_acknowledgements_may_be_sent_behind_the_sign_in() {
    let server = TestServer::start().await;
    let (mut ada, mut ben) = (Device::new(&server).await, Device::new(&server).await);
    let address = ben.address(AddressKind::Conversation).await;
    let mut outbox = server.paid_outbox(&mut ada).await;
    outbox.deliver(b"waiting", &[&address]).await.unwrap();
    ben.inbox = server.inbox().await;
    let id = ben.inbox.fresh_id();
    let request = ben.sign_in_on(&ben.inbox);
    ben.inbox.send(&[request.to_frame(id), credit(1)]).await;
    assert!(matches!(
        ben.inbox.answer(id).await,
        Ok(Response::SignedIn(_))
    ));
    assert_eq!(ben.item().await.1.payload, &b"waiting"[..]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unknown_and_revoked_addresses_are_reported_to_the_sender_alone() {
    let server = TestServer::start().await;
    let (mut ada, mut ben) = (Device::new(&server).await, Device::new(&server).await);
    let good = ben.address(AddressKind::Conversation).await;
    let revoked = ben.address(AddressKind::Conversation).await;
    let unknown = AddressSecret::random();
    let done = ben
        .inbox
        .ask(Request::RevokeAddresses(vec![revoked.hash()]))
        .await;
    assert_eq!(done, Ok(Response::Done));
    let mut outbox = server.paid_outbox(&mut ada).await;
    let accepted = outbox
        .deliver(b"x", &[&unknown, &good, &revoked])
        .await
        .unwrap();
    assert_eq!(accepted.missed.indices().collect::<Vec<_>>(), [0, 2]);
    ben.give_credit(5).await;
    assert_eq!(ben.item().await.1.payload, &b"x"[..]);
    assert!(ben.inbox.is_quiet(100).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn key_packages_are_given_out_once_and_the_last_one_again_and_again() {
    let server = TestServer::start().await;
    let (mut ada, mut ben) = (Device::new(&server).await, Device::new(&server).await);
    let address = ben.address(AddressKind::Contact).await;
    let package = |fill: u8| SealedKeyPackage {
        id: KeyPackageId::random(),
        sealed: vec![fill; limits::SEALED_KEY_PACKAGE_BYTES].into(),
    };
    let publish = Request::PublishKeyPackages(PublishKeyPackages {
        address: address.hash(),
        one_time: vec![package(1)],
        last_resort: Some(package(2)),
    });
    assert_eq!(
        ben.inbox.ask(publish).await,
        Ok(Response::KeyPackageCount(1))
    );
    let mut outbox = server.paid_outbox(&mut ada).await;
    let mut take = async || {
        let request = Request::TakeKeyPackages(TakeKeyPackages {
            send_id: SendId::random(),
            addresses: vec![address.duplicate(), AddressSecret::random()],
        });
        let Ok(Response::TakenKeyPackages(taken)) = outbox.ask(request).await else {
            panic!()
        };
        assert_eq!(taken.len(), 2);
        assert!(taken[1].is_none());
        taken.into_iter().next().unwrap().unwrap()
    };
    let first = take().await;
    assert_eq!((first.sealed[0], first.last_resort), (1, false));
    for _ in 0..2 {
        let last = take().await;
        assert_eq!((last.sealed[0], last.last_resort), (2, true));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn addresses_belong_to_one_queue_and_are_limited() {
    let server = TestServer::start_with(|config| config.quotas.addresses_per_queue = 3).await;
    let (mut ada, mut ben) = (Device::new(&server).await, Device::new(&server).await);
    let address = ada.address(AddressKind::Contact).await;
    let new = undertone_wire::request::NewAddress {
        address: address.hash(),
        kind: AddressKind::Contact,
    };
    assert_eq!(
        ben.inbox.refused(Request::CreateAddresses(vec![new])).await,
        Code::AddressTaken
    );
    assert_eq!(
        ada.inbox.ask(Request::CreateAddresses(vec![new])).await,
        Ok(Response::Done),
        "idempotent"
    );
    ada.address(AddressKind::Contact).await;
    ada.address(AddressKind::Contact).await;
    let more = undertone_wire::request::NewAddress {
        address: AddressSecret::random().hash(),
        kind: AddressKind::Contact,
    };
    assert_eq!(
        ada.inbox
            .refused(Request::CreateAddresses(vec![more]))
            .await,
        Code::QuotaAddresses
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_contact_address_takes_no_more_and_the_sender_learns_it() {
    let server = TestServer::start_with(|config| config.quotas.contact_items = 2).await;
    let (mut ada, mut ben) = (Device::new(&server).await, Device::new(&server).await);
    let address = ben.address(AddressKind::Contact).await;
    let mut outbox = server.paid_outbox(&mut ada).await;
    for _ in 0..2 {
        assert!(
            outbox
                .deliver(b"x", &[&address])
                .await
                .unwrap()
                .missed
                .is_none()
        );
    }
    let accepted = outbox.deliver(b"x", &[&address]).await.unwrap();
    assert!(accepted.missed.contains(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_on_the_wrong_kind_of_connection_are_refused() {
    let server = TestServer::start().await;
    let mut ada = Device::new(&server).await;
    let address = ada.address(AddressKind::Contact).await;
    assert_eq!(
        ada.inbox.refused(send(b"x", &[&address])).await,
        Code::RequestWrongRole
    );
    let mut outbox = server.paid_outbox(&mut ada).await;
    let request = ada.sign_in_on(&outbox);
    assert_eq!(outbox.refused(request).await, Code::RequestWrongRole);
    assert_eq!(
        outbox.refused(Request::DeleteQueue).await,
        Code::RequestWrongRole
    );
    outbox.send(&[credit(1)]).await;
    assert_eq!(outbox.closed_with().await, Code::RequestWrongRole);
}
