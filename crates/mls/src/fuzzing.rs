//! Entry points for fuzzing: each takes any bytes from outside, and must neither panic nor take two encodings for one value.

use openmls::prelude::{Extension, Extensions, UnknownExtension};
use rusqlite::Connection;

use crate::{
    Certificate, Group, PeerKeyPackage, Provider,
    extension::{
        GROUP_EXTENSION, LEAF_EXTENSION, group_extensions, read_group_extensions,
        read_leaf_extensions,
    },
};
use undertone_wire::client_proto;

/// A fuzz target and its name.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: &[Target] = &[
    ("mls_certificate", certificate),
    ("mls_key_package", key_package),
    ("mls_extensions", extensions),
    ("mls_welcome", welcome),
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
