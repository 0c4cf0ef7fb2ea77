//! What is sealed for another server opens there only, and who brings something says so.

#![allow(clippy::unwrap_used)]
use super::*;
use crate::ids::ChannelHash;
use ed25519_dalek::{Signer as _, SigningKey};

struct Server {
    identity: SigningKey,
    pair: HpkeKeyPair,
}

impl Server {
    fn new() -> Self {
        Self {
            identity: SigningKey::from_bytes(&random_bytes()),
            pair: HpkeKeyPair::generate().unwrap(),
        }
    }

    fn public(&self) -> [u8; 32] {
        self.identity.verifying_key().to_bytes()
    }

    fn address(&self) -> ServerAddress {
        ServerAddress {
            origin: "chat.example".parse().unwrap(),
            pin: pin_of(&self.public()),
        }
    }

    fn key(&self, last_day: u32) -> ServerKey {
        let message = ServerKey::signed_message(self.pair.public(), last_day);
        ServerKey::new(
            self.pair.public().clone(),
            last_day,
            self.public(),
            self.identity.sign(&message).to_bytes(),
        )
    }

    fn open(&self, parcel: &[u8]) -> Result<Delivery> {
        let parcel = parcels(gather([parcel]).into())?.remove(0);
        open(&parcel, &self.address().pin, |id| {
            (*id == id_of(self.pair.public())).then_some(&self.pair)
        })
    }
}

fn item(payload: &[u8]) -> QueueItem {
    QueueItem {
        address: AddressHash::new([0; 32]),
        kind: ItemKind::Commit,
        number: 7,
        epoch: 3,
        next_lock: Some([1; 32]),
        channel: Some(ChannelHash::new([2; 32])),
        payload: Bytes::copy_from_slice(payload),
        blob: None,
        server: None,
    }
}

fn bundle(server: &Server, payload: &[u8]) -> Bundle {
    let renames = [AddressRename {
        old: AddressSecret::new([3; 32]),
        new: AddressHash::new([5; 32]),
    }];
    Bundle::seal(
        server.address(),
        server.key(20_000),
        payload,
        &[AddressSecret::new([3; 32]), AddressSecret::new([4; 32])],
        &renames,
    )
    .unwrap()
}

#[test]
fn what_is_sealed_for_a_server_opens_there_and_nowhere_else() {
    let (server, other) = (Server::new(), Server::new());
    let wrapping = Wrapping::new(&bundle(&server, b"hello")).unwrap();
    let parcel = wrapping.seal(&[9; 16], item(b"hello").to_proto()).unwrap();
    assert!(parcel.len() <= wrapping.parcel_bytes(5));
    let delivery = server.open(&parcel).unwrap();
    assert!(delivery.parcel == [9; 16] && delivery.item == item(b"hello"));
    assert_eq!(delivery.addresses.len(), 2);
    assert_eq!(delivery.renames.len(), 1);
    assert!(other.open(&parcel).is_err());
    // Twice under one key is not the same twice.
    let again = wrapping.seal(&[9; 16], item(b"hello").to_proto()).unwrap();
    assert_ne!(again, parcel);
}

#[test]
fn a_bundle_is_good_for_its_payload_only() {
    let server = Server::new();
    let wrapping = Wrapping::new(&bundle(&server, b"hello")).unwrap();
    let parcel = wrapping.seal(&[9; 16], item(b"other").to_proto()).unwrap();
    assert_eq!(server.open(&parcel).unwrap_err().code, Code::ItemMalformed);
    // Nor does the server in between say that somebody else brought it.
    let forged = QueueItem {
        server: Some(Pin::new([1; 32])),
        ..item(b"hello")
    };
    let parcel = wrapping.seal(&[9; 16], forged.to_proto()).unwrap();
    assert!(server.open(&parcel).is_err());
}

#[test]
fn a_key_is_its_servers_and_ends() {
    let (server, other) = (Server::new(), Server::new());
    let key = ServerKey::decode(&server.key(20_000).encode()).unwrap();
    key.check(&server.address().pin, 20_000).unwrap();
    let refused = |key: &ServerKey, pin: &Pin, day| {
        assert_eq!(
            key.check(pin, day).unwrap_err().code,
            Code::ServerKeyMalformed
        );
    };
    refused(&key, &server.address().pin, 20_001);
    refused(&key, &other.address().pin, 20_000);
    let forged = ServerKey::new(
        other.pair.public().clone(),
        20_000,
        server.public(),
        key.signature,
    );
    refused(&forged, &server.address().pin, 20_000);
}

#[test]
fn who_brings_something_signs_it_for_whom_it_is() {
    let (from, to) = (Server::new(), Server::new().address().pin);
    let signature = from
        .identity
        .sign(&Bearer::signed_message(&to, b"body"))
        .to_bytes();
    let bearer = Bearer::new(from.public(), signature);
    let bearer = Bearer::from_header(&bearer.to_header()).unwrap();
    assert!(bearer.check(&to, b"body").unwrap() == from.address().pin);
    assert!(bearer.check(&to, b"more").is_err());
    assert!(bearer.check(&Pin::random(), b"body").is_err());
    assert!(Bearer::from_header("").is_err());
}
