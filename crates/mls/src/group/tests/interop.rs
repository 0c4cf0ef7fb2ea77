//! The same suite by another implementation of the cryptography: libcrux joins a group that RustCrypto made, and both come to
//! the same secrets.

use openmls::prelude::{
    BasicCredential, CredentialWithKey, KeyPackage, MlsMessageBodyIn, MlsMessageIn,
    OpenMlsProvider, ProcessedMessageContent, SignaturePublicKey, StagedWelcome,
    tls_codec::{Deserialize as _, Serialize as _},
};
use openmls_libcrux_crypto::Provider as Libcrux;
use openmls_traits::signatures::Signer as _;

use super::{super::join_config, town::Town};
use crate::{
    Change, CommitOutcome, PeerKeyPackage, Provider,
    extension::{capabilities, leaf_extensions},
    group::resync::address_of,
    key_package::lifetime,
    provider::SUITE,
};

#[test]
fn libcrux_and_rust_crypto_agree() {
    let mut town = Town::default();
    let [ada, ben] = town.people(["Ada", "Ben"]);
    let desk = town.create(ada, crate::Kind::Group, "Desk", None);

    // Ben's device runs libcrux, with OpenMLS's own storage.
    let profile = town.profile(ben);
    let libcrux = Libcrux::new().unwrap();
    let keys = &town.devices[ben].keys;
    assert_eq!(keys.signature_scheme(), SUITE.signature_algorithm());
    let credential = CredentialWithKey {
        credential: BasicCredential::new(keys.certificate().encode()).into(),
        signature_key: SignaturePublicKey::from(keys.certificate().device_key().to_vec()),
    };
    let bundle = KeyPackage::builder()
        .key_package_lifetime(lifetime())
        .leaf_node_capabilities(capabilities())
        .leaf_node_extensions(leaf_extensions(&profile, &address_of(keys).unwrap()).unwrap())
        .build(SUITE, &libcrux, keys, credential)
        .unwrap();
    let bytes = bundle.key_package().tls_serialize_detached().unwrap();
    let package =
        PeerKeyPackage::decode(&Provider::new(&town.devices[ada].connection), &bytes).unwrap();

    // Ada's runs RustCrypto, and adds it.
    let pending = town.stage(ada, &desk, Change::Add(vec![package])).unwrap();
    let (welcome, lock) = town.devices[ada]
        .with(&desk, |group, provider, _| {
            let outcome =
                group.process_commit(provider, pending.epoch, &pending.next_lock, &pending.body)?;
            let CommitOutcome::Merged(merged) = outcome else {
                panic!("merged")
            };
            Ok((
                merged.welcome.unwrap().welcome,
                group.channel_key(provider)?,
            ))
        })
        .unwrap();
    let MlsMessageBodyIn::Welcome(welcome) = MlsMessageIn::tls_deserialize_exact(&welcome[..])
        .unwrap()
        .extract()
    else {
        panic!("a welcome")
    };
    let mut joined = StagedWelcome::new_from_welcome(&libcrux, &join_config(), welcome, None)
        .unwrap()
        .into_group(&libcrux)
        .unwrap();
    let secret = joined
        .export_secret(
            libcrux.crypto(),
            super::super::channel::CHANNEL_KEY,
            &[],
            32,
        )
        .unwrap();
    assert_eq!(secret, lock.expose());

    // One writes, the other reads, both ways.
    let outgoing = town.devices[ada]
        .with(&desk, |group, provider, keys| {
            group.encrypt(provider, keys, b"hello libcrux")
        })
        .unwrap();
    let message = MlsMessageIn::tls_deserialize_exact(&outgoing.body[..])
        .unwrap()
        .try_into_protocol_message()
        .unwrap();
    let processed = joined.process_message(&libcrux, message).unwrap();
    let ProcessedMessageContent::ApplicationMessage(message) = processed.into_content() else {
        panic!("a message")
    };
    assert_eq!(message.into_bytes(), b"hello libcrux");
    let answer = joined
        .create_message(&libcrux, &town.devices[ben].keys, b"hello rust")
        .unwrap()
        .to_bytes()
        .unwrap();
    let outcome = town.devices[ada]
        .with(&desk, |group, provider, _| {
            group.process_application(provider, 1, &answer)
        })
        .unwrap();
    assert!(
        matches!(outcome, crate::ApplicationOutcome::Message(message) if *message.plaintext == b"hello rust")
    );
}
