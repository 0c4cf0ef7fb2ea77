//! Two servers: what one has for the other, and what the other's people may do here (docs/protocol.md section 10).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ed25519_dalek::{Signer as _, SigningKey};
use hyper::StatusCode;
use undertone_server::store::{Clock as _, ManualClock, SystemClock};
use undertone_wire::Code;
use undertone_wire::forward::{Bearer, Bundle, ServerKey, Wrapping, gather, pin_of};
use undertone_wire::ids::{AddressHash, ChannelId, KeyPackageId, SendId, random_bytes};
use undertone_wire::origin::{Origin, ServerAddress};
use undertone_wire::proto;
use undertone_wire::request::{
    AddressKind, AnySend, ChannelSend, CreateChannel, Forwarding, PublishKeyPackages, Request,
    SealedKeyPackage, TakeKeyPackages,
};
use undertone_wire::response::{Accepted, Response};
use undertone_wire::secrets::AddressSecret;

use super::blobs::Http;
use super::client::{Client, Device, TestServer, send};

/// A server that may reach others on this machine, and does not pause long.
async fn server() -> TestServer {
    server_by(Arc::new(ManualClock::at(SystemClock::default().unix_s()))).await
}

async fn server_by(clock: Arc<ManualClock>) -> TestServer {
    TestServer::start_by(clock, |config| {
        config.forwarding.private_addresses = true;
        config.forwarding.retry_s = 1;
    })
    .await
}

pub(super) fn place(server: &TestServer) -> ServerAddress {
    ServerAddress {
        origin: Origin::new(&server.address.ip().to_string(), server.address.port()).unwrap(),
        pin: server.pin,
    }
}

pub(super) async fn key(server: &TestServer) -> ServerKey {
    let answer = Http::open(server)
        .await
        .ask("GET", "/v1/key", &[], b"")
        .await;
    assert_eq!(answer.status, StatusCode::OK);
    let key = ServerKey::decode(&answer.body).unwrap();
    key.check(&server.pin, SystemClock::default().day().0)
        .unwrap();
    key
}

fn forwarding(request: Request, bundles: Vec<Bundle>) -> Request {
    let send = match request {
        Request::Send(send) => AnySend::Direct(send),
        Request::ChannelSend(send) => AnySend::Channel(send),
        _ => panic!("not a send"),
    };
    Request::Forwarding(Box::new(Forwarding { send, bundles }))
}

async fn accepted(outbox: &mut Client, request: Request) -> Accepted {
    match outbox.ask(request).await {
        Ok(Response::Accepted(accepted)) => accepted,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_for_another_server_waits_a_day_for_it_and_arrives_once_and_in_order() {
    let clock = Arc::new(ManualClock::at(SystemClock::default().unix_s()));
    let mut first = server_by(Arc::clone(&clock)).await;
    let mut second = server().await;
    let mut ada = Device::new(&first).await;
    let mut ben = Device::new(&second).await;
    let to = ben.address(AddressKind::Conversation).await;
    let (place, key) = (place(&second), key(&second).await);
    // It comes back where it was.
    second.config.listen = second.address;
    second.stop().await;

    let mut outbox = first.paid_outbox(&mut ada).await;
    for text in ["one", "two", "three"] {
        let bundle = Bundle::seal(
            place.clone(),
            key.clone(),
            text.as_bytes(),
            &[to.duplicate()],
            &[],
        )
        .unwrap();
        let request = forwarding(send(text.as_bytes(), &[]), vec![bundle]);
        assert!(accepted(&mut outbox, request).await.missed.is_none());
        clock.advance(Duration::from_secs(8 * 3600));
    }
    // What waits is on disk: the first server may go away as well.
    first.stop().await;
    second.start_again().await;
    first.start_again().await;

    let mut inbox = second.inbox().await;
    let sign_in = ben.sign_in_on(&inbox);
    inbox.ask(sign_in).await.unwrap();
    ben.inbox = inbox;
    ben.give_credit(10).await;
    for text in ["one", "two", "three"] {
        let (_, item) = ben.item().await;
        assert_eq!(item.payload, text.as_bytes());
        assert_eq!(item.server, Some(first.pin), "it says by whom it came");
        assert!(item.address == to.hash());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_sealed_for_other_servers_before_it_is_paid_for() {
    let server = TestServer::start_with(|config| {
        config.metrics = Some("127.0.0.1:0".parse().unwrap());
        config.forwarding.private_addresses = true;
    })
    .await;
    let other = self::server().await;
    let mut ada = Device::new(&server).await;
    let (near, far) = (AddressSecret::random(), AddressSecret::random());
    let key = key(&other).await;
    let to_both = |payload: &[u8]| {
        let far = [far.duplicate()];
        let bundle = Bundle::seal(place(&other), key.clone(), payload, &far, &[]).unwrap();
        forwarding(send(payload, &[&near]), vec![bundle])
    };
    let mut outbox = server.outbox().await;
    for _ in 0..5 {
        let refused = outbox.refused(to_both(b"unpaid")).await;
        assert_eq!(refused, Code::TokenRequired);
    }
    let sealed = |figures: String, count: u32| {
        let line = format!("undertone_bundles_wrapped_total {count}\n");
        assert!(figures.contains(&line), "{line} in {figures}");
    };
    sealed(server.figures().await, 0);

    // What is paid for is sealed, and sends stay in the order in which they were read.
    let mut outbox = server.paid_outbox(&mut ada).await;
    let to = ada.address(AddressKind::Conversation).await;
    let mut ids = Vec::new();
    for number in 0..6 {
        let request = match number % 2 {
            0 => {
                let text = [b'a' + number];
                let far = [far.duplicate()];
                let bundle = Bundle::seal(place(&other), key.clone(), &text, &far, &[]).unwrap();
                forwarding(send(&text, &[&to]), vec![bundle])
            }
            _ => send(&[b'a' + number], &[&to]),
        };
        ids.push(outbox.submit(request).await);
    }
    for id in ids {
        assert!(outbox.answer(id).await.is_ok());
    }
    ada.give_credit(10).await;
    for text in [b"a", b"b", b"c", b"d", b"e", b"f"] {
        assert_eq!(ada.item().await.1.payload, &text[..]);
    }
    sealed(server.figures().await, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guest_sends_by_a_channel_that_was_paid_for_and_by_no_other() {
    let server = server().await;
    let mut ada = Device::new(&server).await;
    let to = ada.address(AddressKind::Conversation).await;
    let channel = |id| CreateChannel {
        channel_id: id,
        epoch: 0,
        lock: [1; 32],
        min_send_epoch: 0,
    };
    let says = |id, text: &'static [u8]| {
        Request::ChannelSend(ChannelSend {
            channel_id: id,
            epoch: 0,
            send_id: SendId::random(),
            payload: Bytes::from_static(text),
            addresses: vec![to.duplicate()],
        })
    };
    let (hosted, made_by_a_guest) = (ChannelId::random(), ChannelId::random());
    let mut paid = server.paid_outbox(&mut ada).await;
    let made = paid.ask(Request::CreateChannel(channel(hosted))).await;
    assert_eq!(made, Ok(Response::Done));

    let mut guest = server.outbox().await;
    assert_eq!(
        guest.refused(says(hosted, b"unpaid")).await,
        Code::TokenRequired
    );
    assert_eq!(
        guest.refused(Request::Visit(ChannelId::random())).await,
        Code::ChannelUnknown
    );
    let credit = guest.ask(Request::Visit(hosted)).await;
    assert!(matches!(credit, Ok(Response::TokenCredit(left)) if left.requests_left > 0));
    assert_eq!(accepted(&mut guest, says(hosted, b"hello")).await.number, 1);

    // What a guest makes gives no allowance of its own.
    let made = guest
        .ask(Request::CreateChannel(channel(made_by_a_guest)))
        .await;
    assert_eq!(made, Ok(Response::Done));
    let mut another = server.outbox().await;
    assert_eq!(
        another.refused(Request::Visit(made_by_a_guest)).await,
        Code::ChannelUnknown
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_guests_of_a_channel_have_so_much_a_day() {
    let server = TestServer::start_with(|config| {
        config.forwarding.guest_requests_per_day = 3;
    })
    .await;
    let mut ada = Device::new(&server).await;
    let hosted = ChannelId::random();
    let mut paid = server.paid_outbox(&mut ada).await;
    paid.ask(Request::CreateChannel(CreateChannel {
        channel_id: hosted,
        epoch: 0,
        lock: [1; 32],
        min_send_epoch: 0,
    }))
    .await
    .unwrap();
    let mut guest = server.outbox().await;
    guest.ask(Request::Visit(hosted)).await.unwrap();
    for _ in 0..3 {
        assert_eq!(guest.ask(Request::Ping).await, Ok(Response::Done));
    }
    assert_eq!(guest.refused(Request::Ping).await, Code::TokenRequired);
    let mut another = server.outbox().await;
    assert_eq!(
        another.refused(Request::Visit(hosted)).await,
        Code::QuotaGuests
    );
}

/// Somebody has channels of their own here, visits them over and over, and asks for key packages of addresses that they make up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn asking_for_an_allowance_takes_none_from_others() {
    let server = TestServer::start_with(|config| {
        config.forwarding.guests_mib_per_day = 64;
        config.forwarding.guest_key_packages_per_day = 1;
    })
    .await;
    let mut ada = Device::new(&server).await;
    let to = ada.address(AddressKind::Conversation).await;
    let mut paid = server.paid_outbox(&mut ada).await;
    let hosted: Vec<_> = (0..41).map(|_| ChannelId::random()).collect();
    for id in &hosted {
        let made = paid.ask(Request::CreateChannel(CreateChannel {
            channel_id: *id,
            epoch: 0,
            lock: [1; 32],
            min_send_epoch: 0,
        }));
        assert_eq!(made.await, Ok(Response::Done));
    }
    let (other, own) = hosted.split_first().unwrap();
    let mut stranger = server.outbox().await;
    for round in 0..3000 {
        let visit = Request::Visit(own[round % own.len()]);
        assert!(stranger.ask(visit).await.is_ok());
    }
    // 100,800 addresses, which is more than are counted in a day.
    for _ in 0..126 {
        let mut asked = Vec::new();
        for _ in 0..100 {
            let made_up = Request::TakeKeyPackages(TakeKeyPackages {
                send_id: SendId::random(),
                addresses: (0..8).map(|_| AddressSecret::random()).collect(),
            });
            asked.push(stranger.submit(made_up).await);
        }
        for id in asked {
            let taken = stranger.answer(id).await;
            assert!(
                matches!(taken, Ok(Response::TakenKeyPackages(taken)) if taken.iter().all(Option::is_none))
            );
        }
    }

    // Ben, a guest of another channel, still sends, and cleo, who is new, still takes a key package.
    let mut ben = server.outbox().await;
    let credit = ben.ask(Request::Visit(*other)).await;
    assert!(matches!(credit, Ok(Response::TokenCredit(left)) if left.bytes_left == 8 << 20));
    let says = Request::ChannelSend(ChannelSend {
        channel_id: *other,
        epoch: 0,
        send_id: SendId::random(),
        payload: Bytes::from_static(b"hello"),
        addresses: vec![to.duplicate()],
    });
    assert_eq!(accepted(&mut ben, says).await.number, 1);
    let mut cleo = server.outbox().await;
    let take = || {
        Request::TakeKeyPackages(TakeKeyPackages {
            send_id: SendId::random(),
            addresses: vec![to.duplicate(), AddressSecret::random()],
        })
    };
    assert!(cleo.ask(take()).await.is_ok());
    assert_eq!(cleo.refused(take()).await, Code::TokenRequired);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_take_a_few_key_packages_and_no_more() {
    let server = TestServer::start_with(|config| {
        config.forwarding.guest_key_packages_per_day = 2;
    })
    .await;
    let mut ben = Device::new(&server).await;
    let pool = ben.address(AddressKind::Contact).await;
    let publish = PublishKeyPackages {
        address: pool.hash(),
        one_time: (0..4)
            .map(|byte| SealedKeyPackage {
                id: KeyPackageId::new([byte; 16]),
                sealed: vec![byte; 4096].into(),
            })
            .collect(),
        last_resort: None,
    };
    ben.inbox
        .ask(Request::PublishKeyPackages(publish))
        .await
        .unwrap();
    let take = |pool: &AddressSecret| {
        Request::TakeKeyPackages(TakeKeyPackages {
            send_id: SendId::random(),
            addresses: vec![pool.duplicate()],
        })
    };
    for _ in 0..2 {
        let mut stranger = server.outbox().await;
        let taken = stranger.ask(take(&pool)).await;
        assert!(matches!(taken, Ok(Response::TakenKeyPackages(taken)) if taken[0].is_some()));
    }
    let mut stranger = server.outbox().await;
    assert_eq!(stranger.refused(take(&pool)).await, Code::TokenRequired);
    let mut paid = server.paid_outbox(&mut ben).await;
    let taken = paid.ask(take(&pool)).await;
    assert!(matches!(taken, Ok(Response::TakenKeyPackages(taken)) if taken[0].is_some()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_passed_on_is_told() {
    // By the usual settings nobody on this machine is dialled.
    let first = TestServer::start().await;
    let second = server().await;
    let mut ada = Device::new(&first).await;
    let to = AddressSecret::random();
    let (there, good) = (place(&second), key(&second).await);
    let own = key(&first).await;
    let mut outbox = first.paid_outbox(&mut ada).await;
    let bundle = |server: &ServerAddress, key: &ServerKey| {
        Bundle::seal(
            server.clone(),
            key.clone(),
            b"hello",
            &[to.duplicate()],
            &[],
        )
        .unwrap()
    };
    let far = ServerAddress {
        origin: "far.example".parse().unwrap(),
        pin: second.pin,
    };
    let bundles = vec![
        bundle(&there, &good),
        // Sealed to a key that is not that server's.
        bundle(&far, &own),
        // For itself.
        bundle(&place(&first), &own),
        bundle(&far, &good),
    ];
    let answer = accepted(
        &mut outbox,
        forwarding(send(b"hello", &[&AddressSecret::random()]), bundles),
    )
    .await;
    // The unknown address of this server, and behind it three of the four.
    assert_eq!(answer.missed.indices().collect::<Vec<_>>(), [0, 1, 2, 3]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_brings_something_signs_it_and_a_server_may_take_nothing() {
    let second = server().await;
    let mut ben = Device::new(&second).await;
    let to = ben.address(AddressKind::Conversation).await;
    let bundle = Bundle::seal(
        place(&second),
        key(&second).await,
        b"hello",
        &[to.duplicate()],
        &[],
    )
    .unwrap();
    let item = proto::QueueItem {
        kind: proto::ItemKind::Application.into(),
        number: 1_000_000,
        channel_hash: vec![7; 32].into(),
        payload: Bytes::from_static(b"hello"),
        address_hash: AddressHash::new([0; 32]).to_bytes(),
        ..Default::default()
    };
    let parcel = Wrapping::new(&bundle)
        .unwrap()
        .seal(&[1; 16], item)
        .unwrap();
    let body = gather([&parcel[..], b"nonsense that is no parcel"]);
    let identity = SigningKey::from_bytes(&random_bytes());
    let public = identity.verifying_key().to_bytes();
    let header = |to| {
        let signature = identity.sign(&Bearer::signed_message(to, &body)).to_bytes();
        let header = Bearer::new(public, signature).to_header();
        [("undertone-server", header)]
    };
    let mut http = Http::open(&second).await;
    let unsigned = http.ask("POST", "/v1/parcels", &[], &body).await;
    assert_eq!(unsigned.code(), "request.malformed");
    let for_another = header(&pin_of(&public));
    let mut http = Http::open(&second).await;
    let refused = http.ask("POST", "/v1/parcels", &for_another, &body).await;
    assert_eq!(refused.code(), "auth.signature");

    // Whoever it is: what they say of a channel they say for themselves.
    let good = gather([&parcel[..]]);
    let signature = identity
        .sign(&Bearer::signed_message(&second.pin, &good))
        .to_bytes();
    let signed = [(
        "undertone-server",
        Bearer::new(public, signature).to_header(),
    )];
    for _ in 0..2 {
        let taken = Http::open(&second)
            .await
            .ask("POST", "/v1/parcels", &signed, &good)
            .await;
        assert_eq!(taken.status, StatusCode::OK);
    }
    ben.give_credit(10).await;
    let (_, item) = ben.item().await;
    assert_eq!(item.server, Some(pin_of(&public)));
    let mut outbox = second.paid_outbox(&mut ben).await;
    outbox.ask(send(b"next", &[&to])).await.unwrap();
    assert_eq!(ben.item().await.1.payload, b"next"[..], "it came once");

    let closed = TestServer::start_with(|config| config.forwarding.from_others = false).await;
    let refused = Http::open(&closed)
        .await
        .ask("POST", "/v1/parcels", &signed, &good)
        .await;
    assert_eq!(
        (refused.status, refused.code()),
        (StatusCode::FORBIDDEN, "forward.refused".to_owned())
    );
}

/// Servers on hosts of their own that take a connection and never say a word, and bundles for them.
fn silent_servers(count: u8) -> (Vec<std::net::TcpListener>, Vec<ServerAddress>) {
    (0..count)
        .map(|number| {
            let host = format!("127.1.0.{}", number + 1);
            let listener = std::net::TcpListener::bind((host.as_str(), 0)).unwrap();
            let port = listener.local_addr().unwrap().port();
            let server = ServerAddress {
                origin: Origin::new(&host, port).unwrap(),
                pin: undertone_wire::ids::Pin::random(),
            };
            (listener, server)
        })
        .unzip()
}

/// A key that anybody can make up, and the pin of whoever it says it is of.
fn made_up_key() -> (undertone_wire::ids::Pin, ServerKey) {
    let identity = SigningKey::from_bytes(&random_bytes());
    let public = identity.verifying_key().to_bytes();
    let hpke = undertone_wire::hpke::HpkeKeyPair::generate().unwrap();
    let last_day = SystemClock::default().day().0 + 20;
    let message = ServerKey::signed_message(hpke.public(), last_day);
    let signature = identity.sign(&message).to_bytes();
    let key = ServerKey::new(hpke.public().clone(), last_day, public, signature);
    (pin_of(&public), key)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_servers_that_never_answer_hold_up_nobody() {
    let (first, second, third) = (server().await, server().await, server().await);
    let mut ada = Device::new(&first).await;
    let (mut ben, mut cleo) = (Device::new(&second).await, Device::new(&third).await);
    let to_ben = ben.address(AddressKind::Conversation).await;
    let to_cleo = cleo.address(AddressKind::Conversation).await;
    ben.give_credit(10).await;
    cleo.give_credit(10).await;
    let mut outbox = first.paid_outbox(&mut ada).await;
    let (keys, places) = (
        [key(&second).await, key(&third).await],
        [place(&second), place(&third)],
    );
    let for_one = |which: usize, text: &[u8], to: &AddressSecret| {
        let (place, key) = (places[which].clone(), keys[which].clone());
        let bundle = Bundle::seal(place, key, text, &[to.duplicate()], &[]).unwrap();
        forwarding(send(text, &[]), vec![bundle])
    };
    // Ben's server is one that answers.
    accepted(&mut outbox, for_one(0, b"hello", &to_ben)).await;
    assert_eq!(ben.item().await.1.payload, b"hello"[..]);

    let (_listeners, silent) = silent_servers(208);
    let (pin, made_up) = made_up_key();
    for sixteen in silent.chunks(16) {
        let bundles = sixteen
            .iter()
            .map(|server| {
                let server = ServerAddress {
                    pin,
                    ..server.clone()
                };
                Bundle::seal(
                    server,
                    made_up.clone(),
                    b"nobody",
                    &[AddressSecret::random()],
                    &[],
                )
                .unwrap()
            })
            .collect();
        let answer = accepted(&mut outbox, forwarding(send(b"nobody", &[]), bundles)).await;
        assert!(answer.missed.is_none(), "there is room for all of them");
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let begun = tokio::time::Instant::now();
    accepted(&mut outbox, for_one(0, b"still there?", &to_ben)).await;
    assert_eq!(ben.item().await.1.payload, b"still there?"[..]);
    assert!(
        begun.elapsed() < Duration::from_secs(8),
        "who answers has a place"
    );
    // A server that was never written to waits for an attempt or two of theirs.
    accepted(&mut outbox, for_one(1, b"hello, Cleo", &to_cleo)).await;
    assert_eq!(cleo.item().await.1.payload, b"hello, Cleo"[..]);
}
