//! Entry points for fuzzing: each takes any bytes, and must neither panic nor disagree with itself.
//!
//! They run on stable Rust. `tests/fuzz.rs` drives them with a few thousand mutated inputs in every test run, `./dev fuzz` for
//! as long as one likes.

use bytes::Bytes;
use prost::Message as _;

use crate::{
    custodian::{CustodianKey, CustodianTicket},
    frame,
    ids::{KeyId, QueueId},
    origin::{Origin, ServerAddress},
    padding, proto,
    request::FromClient,
    response::{FromServer, QueueItem},
    seal::OpeningKey,
    secrets::Secret,
    strings::{ContactLink, Invitation},
    tokens::Token,
};

/// A fuzz target and its name.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: &[Target] = &[
    ("client_message", client_message),
    ("server_message", server_message),
    ("item", item),
    ("texts", texts),
];

/// A WebSocket message from a hostile client. What parses must encode to something that parses to the same.
pub fn client_message(data: &[u8]) {
    for frame in frame::client_frames(Bytes::copy_from_slice(data)).flatten() {
        let Ok(parsed) = FromClient::parse(frame) else {
            continue;
        };
        let known = !matches!(
            &parsed,
            FromClient::Request {
                request: Err(_),
                ..
            }
        );
        if known {
            let first = parsed.to_proto();
            let again = FromClient::parse(first.clone()).map(|parsed| parsed.to_proto());
            assert!(again.as_ref() == Ok(&first), "a request changed on the way");
        }
    }
}

/// A WebSocket message from a hostile server.
pub fn server_message(data: &[u8]) {
    for frame in frame::server_frames(Bytes::copy_from_slice(data)).flatten() {
        let Ok(parsed) = FromServer::parse(frame) else {
            continue;
        };
        // What the app found wrong by itself is never sent.
        let local = matches!(&parsed, FromServer::Response { outcome: Err(error), .. } if error.code.is_local());
        if local {
            continue;
        }
        let first = parsed.to_proto();
        let again = FromServer::parse(first.clone()).map(|parsed| parsed.to_proto());
        assert!(
            again.as_ref() == Ok(&first),
            "a response changed on the way"
        );
    }
}

/// A sealed item, and what one opens to.
pub fn item(data: &[u8]) {
    let bytes = Bytes::copy_from_slice(data);
    if let Ok(item) = padding::unpad_item(bytes.clone()) {
        let _ = QueueItem::parse(item);
    }
    if let Ok(item) = proto::QueueItem::decode(bytes) {
        let _ = QueueItem::parse(item);
    }
    let _ = padding::unpad_payload(data);
    let _ = padding::unpad_key_package(data);
    if let Ok(key) = OpeningKey::from_parts(KeyId::new([0; 16]), Secret::new([0; 32])) {
        let _ = key.open_item(&QueueId::new([0; 16]), 0, 0, data);
    }
}

/// Texts that a person pastes.
pub fn texts(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let _ = Invitation::parse_server(&text);
    let _ = text.parse::<ServerAddress>();
    let _ = Token::from_authorization(&text);
    if let Ok(link) = text.parse::<ContactLink>() {
        assert!(
            link.to_string().parse::<ContactLink>() == Ok(link),
            "a link changed on the way"
        );
    }
    if let Ok(key) = text.parse::<CustodianKey>() {
        assert!(
            key.to_string().parse::<CustodianKey>() == Ok(key),
            "a custodian's key changed on the way"
        );
    }
    let _ = text.parse::<CustodianTicket>();
    if let Ok(origin) = text.parse::<Origin>() {
        assert!(
            origin.to_string().parse::<Origin>() == Ok(origin),
            "an origin changed on the way"
        );
    }
}
