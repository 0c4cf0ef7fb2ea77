//! Whom a client takes for its server.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};
use undertone_core::transport::{Role, ServerAddress, Transport as _};
use undertone_wire::{Code, Error, ids::Pin, origin::Origin, response::FromServer};

use crate::server::{Chain, Identity, Peer, Server, Validity, good_chain, hello, transport};

/// The code with which a client refuses a chain; None: it is greeted.
async fn refusal(chain: Chain, pin: Pin) -> Option<Code> {
    let server = Server::start(chain, |stream| async {
        let mut peer = Peer::accept(stream).await;
        peer.frame().await;
        peer.send(&[FromServer::Hello(hello())]).await;
        peer.frame().await;
    })
    .await;
    let connected = transport()
        .connect(&server.known_as(pin), Role::Inbox)
        .await;
    connected.err().map(|error| error.code)
}

#[tokio::test]
async fn the_server_with_the_right_pin_is_greeted() {
    let chain = good_chain();
    let pin = chain.pin;
    assert_eq!(refusal(chain, pin).await, None);
}

#[tokio::test]
async fn another_server_is_refused_however_good_its_chain_is() {
    assert_eq!(
        refusal(good_chain(), Pin::random()).await,
        Some(Code::ConnectionPin)
    );
}

#[tokio::test]
async fn the_identity_certificate_alone_proves_nothing() {
    // An impostor copies the identity certificate, which everybody sees, behind a leaf of its own.
    let (right, impostor) = (Identity::new(), Identity::new());
    let mut chain = impostor.chain(Validity(-1, 90));
    chain.certificates[1] = right.chain(Validity(-1, 90)).certificates[1].clone();
    assert_eq!(refusal(chain, right.pin()).await, Some(Code::ConnectionPin));
}

#[tokio::test]
async fn a_chain_of_another_length_is_refused() {
    let right = Identity::new();
    let mut short = right.chain(Validity(-1, 90));
    short.certificates.truncate(1);
    assert_eq!(refusal(short, right.pin()).await, Some(Code::ConnectionPin));
    let mut long = right.chain(Validity(-1, 90));
    let extra = long.certificates[1].clone();
    long.certificates.push(extra);
    assert_eq!(refusal(long, right.pin()).await, Some(Code::ConnectionPin));
}

#[tokio::test]
async fn a_wrong_clock_locks_nobody_out_for_ten_years() {
    for (validity, expected) in [
        (Validity(-1000, -900), None),
        (Validity(900, 1000), None),
        (Validity(-5000, -4000), Some(Code::ConnectionTls)),
        (Validity(4000, 5000), Some(Code::ConnectionTls)),
    ] {
        let chain = Identity::new().chain(validity);
        let pin = chain.pin;
        assert_eq!(refusal(chain, pin).await, expected);
    }
}

#[tokio::test]
async fn a_leaf_that_another_key_signed_is_refused_with_a_wrong_clock_too() {
    let (right, impostor) = (Identity::new(), Identity::new());
    let mut chain = impostor.chain(Validity(-1000, -900));
    chain.certificates[1] = right.chain(Validity(-1, 90)).certificates[1].clone();
    assert_eq!(refusal(chain, right.pin()).await, Some(Code::ConnectionPin));
}

#[tokio::test]
async fn a_server_that_speaks_something_else_is_named_as_such() {
    let mut chain = good_chain();
    chain.alpn = vec![b"h2".to_vec()];
    let pin = chain.pin;
    assert_eq!(refusal(chain, pin).await, Some(Code::ConnectionProtocol));
    let mut chain = good_chain();
    chain.alpn.clear();
    let pin = chain.pin;
    assert_eq!(refusal(chain, pin).await, Some(Code::ConnectionProtocol));
}

#[tokio::test]
async fn the_client_hello_names_no_server_and_offers_post_quantum_keys_first() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = ServerAddress {
        origin: Origin::new("localhost", listener.local_addr().unwrap().port()).unwrap(),
        pin: Pin::random(),
    };
    let client = tokio::spawn(async move { transport().connect(&server, Role::Inbox).await.err() });
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut record = [0; 5];
    stream.read_exact(&mut record).await.unwrap();
    let mut hello = vec![0; u16::from_be_bytes([record[3], record[4]]).into()];
    stream.read_exact(&mut hello).await.unwrap();
    drop(stream);
    let has = |bytes: &[u8]| hello.windows(bytes.len()).any(|window| window == bytes);
    assert!(has(b"undertone/1"));
    for name in [&b"localhost"[..], b"undertone.invalid"] {
        assert!(!has(name));
    }
    // supported_groups: X25519MLKEM768 (0x11ec), then X25519 (0x001d).
    assert!(has(&[
        0x00, 0x0a, 0x00, 0x06, 0x00, 0x04, 0x11, 0xec, 0x00, 0x1d
    ]));
    // No pre_shared_key extension (41) with its ticket.
    assert!(!has(&[0x00, 0x29, 0x00]));
    let error = tokio::time::timeout(Duration::from_secs(5), client)
        .await
        .unwrap()
        .unwrap();
    assert!(matches!(
        error.map(|error| error.code),
        Some(Code::ConnectionLost | Code::ConnectionTls)
    ));
}

/// RFC 8446 sections 4.1.3 and 6.2: who answers with an older TLS is told `protocol_version` (70).
#[tokio::test]
async fn a_server_with_an_older_tls_is_refused() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = ServerAddress {
        origin: Origin::new("localhost", listener.local_addr().unwrap().port()).unwrap(),
        pin: Pin::random(),
    };
    let client = tokio::spawn(async move { transport().connect(&server, Role::Inbox).await.err() });
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut record = [0; 5];
    stream.read_exact(&mut record).await.unwrap();
    let mut hello = vec![0; u16::from_be_bytes([record[3], record[4]]).into()];
    stream.read_exact(&mut hello).await.unwrap();
    // A ServerHello of TLS 1.2 (RFC 5246 section 7.4.1.3): TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256.
    let answer = [
        &[0x16, 0x03, 0x03, 0, 42, 2, 0, 0, 38, 0x03, 0x03][..],
        &[7; 32],
        &[0, 0xc0, 0x2b, 0],
    ];
    stream.write_all(&answer.concat()).await.unwrap();
    let mut said = Vec::new();
    let _ = stream.read_to_end(&mut said).await;
    assert_eq!(said, [0x15, 0x03, 0x03, 0, 2, 2, 70]);
    let error = tokio::time::timeout(Duration::from_secs(5), client);
    let error = error.await.unwrap().unwrap();
    assert_eq!(
        error.map(|error| error.code),
        Some(Code::ConnectionProtocol)
    );
}

#[tokio::test]
async fn a_server_that_is_too_old_or_too_new_says_so() {
    for code in [Code::VersionClientTooNew, Code::VersionClientTooOld] {
        let server = Server::start(good_chain(), move |stream| async move {
            let mut peer = Peer::accept(stream).await;
            peer.frame().await;
            peer.answer(0, Err(Error::new(code))).await;
            peer.frame().await;
        })
        .await;
        let error = transport()
            .connect(&server.at(), Role::Inbox)
            .await
            .err()
            .unwrap();
        assert_eq!(error.code, code);
    }
}

#[tokio::test]
async fn nobody_there_is_unreachable_and_an_onion_needs_tor() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = listener.local_addr().unwrap().to_string();
    drop(listener);
    let reach = |origin: &str| {
        let server = ServerAddress {
            origin: origin.parse().unwrap(),
            pin: Pin::random(),
        };
        async move {
            transport()
                .connect(&server, Role::Inbox)
                .await
                .err()
                .unwrap()
                .code
        }
    };
    assert_eq!(reach(&origin).await, Code::ConnectionUnreachable);
    assert_eq!(reach("abcdefgh.onion:1").await, Code::ConnectionOnion);
}
