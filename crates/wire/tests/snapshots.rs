//! The wire format, frozen: every frame of fixed content must have the bytes it has always had.
//!
//! A difference here means that apps and servers already out there would not understand each other. `UPDATE=1` rewrites the
//! snapshot, for additions only. Runs of one byte are written as `xx*count`.

#![allow(clippy::unwrap_used)]

mod samples;

use std::{env, fmt::Write as _, fs, path::Path};

use undertone_wire::{
    frame,
    hpke::HpkePublicKey,
    ids::{BlobHash, ChannelId, Pin, QueueId},
    padding,
    request::FromClient,
    response::{FromServer, QueueItem},
    secrets::{AddressSecret, InvitationCode, Secret},
    tokens::TokenIssuer,
};

fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for run in bytes.chunk_by(|a, b| a == b) {
        if run.len() > 3 {
            write!(text, "{:02x}*{} ", run[0], run.len()).unwrap();
        } else {
            for byte in run {
                write!(text, "{byte:02x}").unwrap();
            }
        }
    }
    text.trim_end().to_owned()
}

fn snapshot() -> String {
    let mut lines = Vec::new();
    for (name, frame) in samples::from_client() {
        lines.push(format!(
            "client {name}: {}",
            hex(&samples::client_message(&frame))
        ));
    }
    for (name, frame) in samples::from_server() {
        lines.push(format!(
            "server {name}: {}",
            hex(&samples::server_message(&frame))
        ));
    }
    let padded = padding::pad_item(&samples::commit_item().to_proto()).unwrap();
    lines.push(format!("padded item: {}", hex(&padded)));
    let by_reference = QueueItem {
        blob: Some(BlobHash::new([33; 32])),
        ..samples::commit_item()
    };
    let padded = padding::pad_item(&by_reference.to_proto()).unwrap();
    lines.push(format!("padded item by reference: {}", hex(&padded)));
    for (name, text) in samples::texts() {
        lines.push(format!("text {name}: {text}"));
    }

    let (pin, queue) = (Pin::new([1; 32]), QueueId::new([2; 16]));
    let sign_in = undertone_wire::auth::sign_in_message(&pin, &[3; 32], &queue);
    lines.push(format!("signed sign_in: {}", hex(&sign_in)));
    let register = undertone_wire::auth::register_message(
        &pin,
        &[3; 32],
        &queue,
        &[4; 32],
        &HpkePublicKey::from_slice(&[5; 1216]).unwrap(),
        Some(&InvitationCode::new([6; 16])),
    );
    lines.push(format!("signed register: {}", hex(&register)));

    let address = AddressSecret::new([7; 32]).hash();
    lines.push(format!("address hash: {}", hex(address.as_bytes())));
    let channel = ChannelId::new([8; 32]).hash();
    lines.push(format!("channel hash: {}", hex(channel.as_bytes())));
    let issuer = TokenIssuer::from_seed(&Secret::new([9; 32])).unwrap();
    let key = issuer.key();
    lines.push(format!(
        "token key: {} {}",
        hex(key.id.as_bytes()),
        hex(&key.public_key)
    ));
    lines.push(format!("item classes: {:?}", padding::ITEM_CLASSES));
    lines.push(format!("payload classes: {:?}", padding::PAYLOAD_CLASSES));
    lines.join("\n") + "\n"
}

#[test]
fn the_wire_format_is_as_it_was() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots/wire.txt");
    let now = snapshot();
    if env::var_os("UPDATE").is_some() {
        fs::write(&path, &now).unwrap();
    }
    let frozen = fs::read_to_string(&path).unwrap();
    for (frozen, now) in frozen.lines().zip(now.lines()) {
        assert_eq!(frozen, now);
    }
    assert_eq!(frozen.lines().count(), now.lines().count());
}

#[test]
fn every_frame_parses_to_what_it_was_made_from() {
    for (name, sample) in samples::from_client() {
        let frames: Vec<_> = frame::client_frames(samples::client_message(&sample)).collect();
        assert_eq!(frames.len(), 1, "{name}");
        let parsed = FromClient::parse(frames[0].clone().unwrap()).unwrap();
        assert!(parsed.to_proto() == sample.to_proto(), "{name}");
        if let FromClient::Request { request, .. } = parsed {
            assert_eq!(request.unwrap().name(), name);
        }
    }
    for (name, sample) in samples::from_server() {
        let frames: Vec<_> = frame::server_frames(samples::server_message(&sample)).collect();
        assert_eq!(frames.len(), 1, "{name}");
        let parsed = FromServer::parse(frames[0].clone().unwrap()).unwrap();
        assert!(parsed.to_proto() == sample.to_proto(), "{name}");
    }
}
