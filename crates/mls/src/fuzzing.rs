//! Entry points for fuzzing: each takes any bytes from outside, and must neither panic nor take two encodings for one value.

use openmls::prelude::{Extension, Extensions, UnknownExtension};
use rusqlite::Connection;

use crate::kill::{Command, Heartbeat, Receipt, Record, Slot};
use crate::{
    Certificate, Group, PeerKeyPackage, Provider,
    extension::{
        GROUP_EXTENSION, LEAF_EXTENSION, group_extensions, read_group_extensions,
        read_leaf_extensions,
    },
};
use undertone_wire::{client_proto, ids::Pin, secrets::Secret};

/// A fuzz target and its name.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: &[Target] = &[
    ("mls_certificate", certificate),
    ("mls_key_package", key_package),
    ("mls_extensions", extensions),
    ("mls_welcome", welcome),
    ("mls_kill", kill),
];

/// A credential's identity.
pub fn certificate(data: &[u8]) {
    if let Ok(certificate) = Certificate::decode(data) {
        assert!(
            certificate.encode() == data,
            "a certificate has two encodings"
        );
    }
}

/// A key package that a server handed out.
pub fn key_package(data: &[u8]) {
    let Ok(connection) = Connection::open_in_memory() else {
        return;
    };
    let _ = PeerKeyPackage::decode(&Provider::new(&connection), data);
}

/// The extensions of a group and of a leaf.
pub fn extensions(data: &[u8]) {
    let unknown = |number| Extension::Unknown(number, UnknownExtension(data.to_vec()));
    if let Ok(leaf) = Extensions::single(unknown(LEAF_EXTENSION)) {
        let _ = read_leaf_extensions(&leaf);
    }
    let Ok(group) = Extensions::single(unknown(GROUP_EXTENSION)) else {
        return;
    };
    if let Ok(settings) = read_group_extensions(&group) {
        assert!(
            group_extensions(&settings).is_ok(),
            "settings that cannot be written"
        );
    }
}

/// What comes to a kill address or to whoever sent a command: as the server can make it, and as somebody who knows the slot's secret can.
pub fn kill(data: &[u8]) {
    let (pin, slot) = (Pin::new([0; 32]), Slot::of(Secret::new([1; 32])));
    let reply_key = Secret::new([2; 32]);
    let refused = |payload: &[u8]| {
        let command = Command::open(payload, &pin, &slot, &[3; 32], |_| true);
        assert!(command.is_err(), "a command without a signature");
        let heartbeat = Heartbeat::open(payload, &pin, &slot, &[3; 32], |_| true);
        assert!(heartbeat.is_err(), "a heartbeat without a signature");
        let receipt = Receipt::open(payload, &pin, &slot, &reply_key);
        assert!(receipt.is_err(), "a receipt without a signature");
        let _ = Record::open(&slot, payload);
    };
    refused(data);
    for sealed in crate::kill::sealed_for_fuzzing(data, &slot, &reply_key) {
        refused(&sealed);
    }
}

/// A Welcome from anybody.
pub fn welcome(data: &[u8]) {
    let Ok(mut connection) = Connection::open_in_memory() else {
        return;
    };
    if crate::migrate(&mut connection).is_err() {
        return;
    }
    let bundle = client_proto::Welcome {
        welcome: data.to_vec().into(),
        table: data.to_vec().into(),
    };
    assert!(
        Group::join(&Provider::new(&connection), &bundle).is_err(),
        "joined without a key package"
    );
}
