//! What is damaged, too large, too fast or too slow is refused with a code, and the server lives on.

use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_websockets::Message;
use undertone_server::{Server, ServerError};
use undertone_wire::ids::AddressHash;
use undertone_wire::request::{AddressKind, Request, Role};
use undertone_wire::response::{FromServer, Notice, Response};
use undertone_wire::{Code, frame};

use super::client::{Client, Device, PATIENCE, TestServer, send};

/// A small generator of the same damage on every run.
struct Damage(u64);

impl Damage {
    fn next(&mut self, below: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % below
    }
}

/// Reads until the connection closes or is quiet; the codes seen.
async fn codes(client: &mut Client) -> Vec<Code> {
    let mut codes = Vec::new();
    while let Ok(Some(frame)) = tokio::time::timeout(Duration::from_millis(50), client.next()).await
    {
        if let FromServer::Response {
            outcome: Err(error),
            ..
        } = frame
        {
            codes.push(error.code);
        }
    }
    codes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bit_flips_and_truncation_never_bring_the_server_down() {
    let server = TestServer::start().await;
    let (mut ada, mut ben) = (Device::new(&server).await, Device::new(&server).await);
    let address = ben.address(AddressKind::Conversation).await;
    let mut whole = BytesMut::new();
    frame::append(&mut whole, &send(&[7; 300], &[&address]).to_frame(77)).unwrap();
    let whole = whole.freeze();
    let mut damage = Damage(2026);
    let mut outbox = server.paid_outbox(&mut ada).await;
    for round in 0..400 {
        let mut bytes = whole.to_vec();
        if round % 2 == 0 {
            let at = damage.next(bytes.len());
            bytes[at] ^= 1 << damage.next(8);
        } else {
            bytes.truncate(damage.next(bytes.len()));
        }
        // The server may have closed already; then a new connection takes over.
        if outbox.send_message(Message::binary(bytes)).await.is_err() || round % 8 == 7 {
            codes(&mut outbox).await;
            outbox = server.outbox().await;
            if ada.tokens.is_empty() {
                ada.issue(50).await.unwrap();
            }
            let token = ada.token().await;
            outbox
                .ask(Request::RedeemTokens(vec![token]))
                .await
                .unwrap();
        }
    }
    // Whatever got through is whole or was never accepted; and everything still works.
    let mut outbox = server.paid_outbox(&mut ada).await;
    outbox.deliver(b"still here", &[&address]).await.unwrap();
    ben.give_credit(10_000).await;
    while ben.item().await.1.payload != b"still here"[..] {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damaged_frames_are_refused_with_a_code() {
    let server = TestServer::start().await;
    let cases: [(Bytes, Code); 5] = [
        (Bytes::new(), Code::FrameMalformed),
        (Bytes::from_static(&[5, 1, 2]), Code::FrameMalformed),
        (
            Bytes::from_static(&[3, 0xff, 0xff, 0xff]),
            Code::FrameMalformed,
        ),
        (
            Bytes::from_static(&[0xff, 0xff, 0xff, 0x7f]),
            Code::FrameTooLarge,
        ),
        (Bytes::from(vec![0; 65 * 1024]), Code::FrameTooLarge),
    ];
    for (bytes, code) in cases {
        for role in [Role::Inbox, Role::Outbox] {
            let mut client = Client::open(&server, role).await;
            client.send_bytes(bytes.clone()).await;
            assert_eq!(client.closed_with().await, code);
        }
    }
    let mut client = server.inbox().await;
    client.send_message(Message::text("hello")).await.unwrap();
    assert_eq!(client.closed_with().await, Code::FrameMalformed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_of_a_later_version_is_refused_by_code_and_nothing_else_suffers() {
    let server = TestServer::start().await;
    let mut inbox = server.inbox().await;
    // Request { id: 9, field 999: {} }
    let later = [0x12, 0x05, 0x08, 0x09, 0xba, 0x3e, 0x00];
    let mut message = vec![u8::try_from(later.len()).unwrap()];
    message.extend(later);
    inbox.send_bytes(message.into()).await;
    assert_eq!(
        inbox.answer(9).await.unwrap_err().code,
        Code::RequestUnknown
    );
    let id = inbox.submit(Request::Ping).await;
    assert_eq!(inbox.answer(id).await, Ok(Response::Done));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_id_names_one_request() {
    let server = TestServer::start().await;
    let mut ada = Device::new(&server).await;
    let address = ada.address(AddressKind::Conversation).await;
    let mut outbox = server.paid_outbox(&mut ada).await;
    let twice = [
        send(b"x", &[&address]).to_frame(500),
        send(b"x", &[&address]).to_frame(500),
    ];
    outbox.send(&twice).await;
    assert_eq!(outbox.closed_with().await, Code::RequestDuplicateId);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_does_not_read_is_dropped_and_loses_nothing() {
    let server = TestServer::start_with(|config| config.limits.write_timeout_s = 1).await;
    let (mut ada, mut ben) = (Device::new(&server).await, Device::new(&server).await);
    let address = ben.address(AddressKind::Conversation).await;
    let mut outbox = server.paid_outbox(&mut ada).await;
    ben.give_credit(60_000).await;
    let payload = vec![1; 60 * 1024];
    let count = 300usize;
    for _ in 0..count {
        outbox.deliver(&payload, &[&address]).await.unwrap();
    }
    // Ben has read nothing; the server gives up on the connection, not on the items.
    tokio::time::sleep(Duration::from_millis(2500)).await;
    let position = ben.sign_in(&server).await;
    assert_eq!(
        position.next_sequence - position.first_sequence,
        count as u64
    );
    ben.give_credit(60_000).await;
    for _ in 0..count {
        assert_eq!(ben.item().await.1.payload.len(), payload.len());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silent_and_foreign_connections_are_closed_and_the_limit_holds() {
    let server = TestServer::start_with(|config| {
        config.limits.hello_timeout_s = 1;
        config.limits.connections = 3;
    })
    .await;
    // Not TLS at all.
    let mut stranger = tokio::net::TcpStream::connect(server.address)
        .await
        .unwrap();
    stranger.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    assert_closed(&mut stranger).await;
    // Silent before, in and after TLS.
    let mut silent = tokio::net::TcpStream::connect(server.address)
        .await
        .unwrap();
    assert_closed(&mut silent).await;
    let mut silent = server.tls().await;
    assert_closed(&mut silent).await;
    let mut silent = Client::without_hello(&server).await;
    assert!(silent.next().await.is_none());

    let open = [
        server.inbox().await,
        server.inbox().await,
        server.outbox().await,
    ];
    assert!(
        super::client::tls(server.address, server.pin)
            .await
            .is_err(),
        "one too many"
    );
    drop(open);
    tokio::time::sleep(Duration::from_millis(200)).await;
    server.inbox().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_hold_no_connection_by_talking() {
    let server = TestServer::start_with(|config| config.limits.hello_timeout_s = 1).await;
    let mut ada = Device::new(&server).await;
    let mut paid = server.paid_outbox(&mut ada).await;
    let (mut inbox, mut outbox) = (server.inbox().await, server.outbox().await);
    let mut open = [true, true];
    for _ in 0..60 {
        if open == [false, false] {
            break;
        }
        for (client, open) in [&mut inbox, &mut outbox].into_iter().zip(&mut open) {
            if *open {
                let id = client.fresh_id();
                let _ = client.try_send(&[Request::Ping.to_frame(id)]).await;
                *open = client.next().await.is_some();
            }
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(open, [false, false], "strangers, closed");
    // Who has signed in or paid stays, without a word.
    assert_eq!(paid.ask(Request::Ping).await, Ok(Response::Done));
    assert_eq!(ada.inbox.ask(Request::Ping).await, Ok(Response::Done));
}

async fn assert_closed(stream: &mut (impl tokio::io::AsyncRead + Unpin)) {
    use tokio::io::AsyncReadExt as _;
    let mut bytes = Vec::new();
    let ended = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut bytes)).await;
    assert!(ended.is_ok(), "still open");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shutting_down_answers_what_was_asked_and_says_so() {
    let mut server = TestServer::start().await;
    let (mut ada, mut ben) = (Device::new(&server).await, Device::new(&server).await);
    let address = ben.address(AddressKind::Conversation).await;
    let mut outbox = server.paid_outbox(&mut ada).await;
    let mut idle = server.outbox().await;
    let frames: Vec<_> = (1000..1200u64)
        .map(|id| send(b"x", &[&address]).to_frame(id))
        .collect();
    outbox.send(&frames).await;
    outbox.answer(1000).await.unwrap();
    server.stop().await;
    assert!(matches!(idle.notice().await, Notice::ShuttingDown { .. }));
    assert!(idle.next().await.is_none());
    let mut answered = 1;
    while let Some(frame) = outbox.next().await {
        answered += u64::from(matches!(
            frame,
            FromServer::Response {
                outcome: Ok(Response::Accepted(_)),
                ..
            }
        ));
    }
    assert!(!server.dir.path().join("admin.sock").exists());
    server.start_again().await;
    let position = ben.sign_in(&server).await;
    let stored = position.next_sequence - position.first_sequence;
    assert!(stored >= answered, "{answered} answered, {stored} stored");
    assert_eq!(answered, 200, "all were read before the server stopped");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_outlives_the_server() {
    let server = TestServer::start().await;
    let mut client = server.inbox().await;
    let (address, dir) = (server.address, server.dir);
    drop(server.server);
    while client.next().await.is_some() {}
    let port_is_closed = async {
        while tokio::net::TcpStream::connect(address).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, port_is_closed)
        .await
        .unwrap();
    drop(dir);
}

/// RFC 8446 sections 4.2.1 and 6.2: who offers no TLS 1.3 is told `protocol_version` (70).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_tls_is_refused() {
    let server = TestServer::start().await;
    // A ClientHello of TLS 1.2 (RFC 5246 section 7.4.1.2): TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 on X25519, signed with Ed25519.
    let mut body = vec![0x03, 0x03];
    body.extend([7; 32]);
    body.extend([0, 0, 2, 0xc0, 0x2b, 1, 0]);
    let extensions = [
        &[0x00, 0x0a, 0x00, 0x04, 0x00, 0x02, 0x00, 0x1d][..],
        &[0x00, 0x0d, 0x00, 0x04, 0x00, 0x02, 0x08, 0x07],
    ]
    .concat();
    body.extend([0, u8::try_from(extensions.len()).unwrap()]);
    body.extend(extensions);
    let length = u8::try_from(body.len()).unwrap();
    let mut record = vec![0x16, 0x03, 0x01, 0, length + 4, 1, 0, 0, length];
    record.extend(body);
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(&record).await.unwrap();
    let mut said = Vec::new();
    let all = stream.read_to_end(&mut said);
    tokio::time::timeout(PATIENCE, all).await.unwrap().unwrap();
    assert_eq!(said, [0x15, 0x03, 0x03, 0, 2, 2, 70]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_in_use_names_port_and_remedy() {
    let server = TestServer::start().await;
    let other = tempfile::tempdir().unwrap();
    undertone_server::identity::Identity::create(other.path()).unwrap();
    undertone_server::admission::token_keys::TokenKeys::create_seed(other.path()).unwrap();
    let mut config = server.config.clone();
    config.listen = server.address;
    let error = Server::start(other.path(), config).await.err().unwrap();
    assert!(matches!(error, ServerError::AddressInUse(_)));
    let sentence = error.to_string();
    assert!(
        sentence.contains(&server.address.port().to_string()) && sentence.contains("--listen"),
        "{sentence}"
    );
    assert_eq!(error.exit_code(), 4);

    let again = Server::start(server.dir.path(), server.config.clone())
        .await
        .err()
        .unwrap();
    assert!(matches!(again, ServerError::Running(_)));
}

/// What an inbox asks for costs nothing, so one that asks without end must not hold up those who send.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_free_requests_holds_up_no_send() {
    let server = TestServer::start().await;
    let (mut ada, mut ben) = (Device::new(&server).await, Device::new(&server).await);
    let address = ben.address(AddressKind::Conversation).await;
    let mut mallory = Device::new(&server).await;
    let mut outbox = server.paid_outbox(&mut ada).await;
    let flood = tokio::spawn(async move {
        for _ in 0..2000 {
            let unknown = (0..1024).map(|_| AddressHash::random()).collect();
            mallory
                .inbox
                .submit(Request::RevokeAddresses(unknown))
                .await;
        }
    });
    let mut slowest = Duration::ZERO;
    for _ in 0..40 {
        let begun = Instant::now();
        outbox.deliver(b"hello", &[&address]).await.unwrap();
        slowest = slowest.max(begun.elapsed());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(!flood.is_finished(), "it is read as slowly as it is done");
    flood.abort();
    assert!(slowest < Duration::from_secs(1), "{slowest:?}");
}
