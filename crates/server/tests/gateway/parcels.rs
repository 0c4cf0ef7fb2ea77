//! Who may bring parcels here, and how many (docs/protocol.md section 10).

use bytes::Bytes;
use ed25519_dalek::{Signer as _, SigningKey};
use hyper::StatusCode;
use undertone_wire::forward::{Bearer, Bundle, Wrapping, gather};
use undertone_wire::ids::{AddressHash, random_bytes};
use undertone_wire::proto;
use undertone_wire::request::AddressKind;

use super::blobs::Http;
use super::client::{Device, TestServer};
use super::other_servers::{key, place};

/// What `identity` brings here, signed for `body` or for something else.
async fn bring(to: &TestServer, identity: &SigningKey, body: &[u8], signed: &[u8]) -> String {
    let message = Bearer::signed_message(&to.pin, signed);
    let signature = identity.sign(&message).to_bytes();
    let bearer = Bearer::new(identity.verifying_key().to_bytes(), signature);
    let header = [("undertone-server", bearer.to_header())];
    let mut http = Http::open(to).await;
    let answer = http.ask("POST", "/v1/parcels", &header, body).await;
    if answer.status == StatusCode::OK {
        "taken".to_owned()
    } else {
        answer.code()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn made_up_servers_do_not_shut_the_door_to_real_ones() {
    let server = TestServer::start_with(|config| config.forwarding.requests_per_minute = 8).await;
    let mut ben = Device::new(&server).await;
    let to = ben.address(AddressKind::Conversation).await;
    let (place, key) = (place(&server), key(&server).await);
    let parcel = || {
        let bundle =
            Bundle::seal(place.clone(), key.clone(), b"hello", &[to.duplicate()], &[]).unwrap();
        let item = proto::QueueItem {
            kind: proto::ItemKind::Application.into(),
            number: 1,
            channel_hash: vec![7; 32].into(),
            payload: Bytes::from_static(b"hello"),
            address_hash: AddressHash::new([0; 32]).to_bytes(),
            ..Default::default()
        };
        let sealed = Wrapping::new(&bundle).unwrap().seal(&random_bytes(), item);
        gather([&sealed.unwrap()[..]])
    };
    let real = SigningKey::from_bytes(&random_bytes());
    // Signatures that are none use nothing up.
    for _ in 0..20 {
        assert_eq!(
            bring(&server, &real, b"", b"something else").await,
            "auth.signature"
        );
    }
    let body = parcel();
    assert_eq!(bring(&server, &real, &body, &body).await, "taken");
    // Good ones by servers that nobody has heard of are soon too many, but only for such.
    let mut refused = false;
    for _ in 0..10 {
        let made_up = SigningKey::from_bytes(&random_bytes());
        refused |= bring(&server, &made_up, b"", b"").await == "limit.rate";
    }
    assert!(refused);
    let body = parcel();
    assert_eq!(bring(&server, &real, &body, &body).await, "taken");
    ben.give_credit(10).await;
    assert_eq!(ben.item().await.1.payload, b"hello"[..]);
    assert_eq!(ben.item().await.1.payload, b"hello"[..]);
}
