//! A device shows a key that is somebody else's, or that nothing can be encrypted to. It comes in nowhere, and stops nobody.

use openmls::prelude::LeafNodeIndex;
use prost::Message as _;
use undertone_wire::client_proto::ResyncRequest;

use super::{
    super::{encryption_keys::of_leaf, resync::signed},
    cheat::with_leaf_key,
    town::{Town, provider_of},
};
use crate::{Change, Error, GroupId, PeerKeyPackage, Violation, create_key_package, resync};

const NOW: u64 = 1_800_000_000;

/// The key in somebody's leaf, which all members can read.
fn key_of(town: &mut Town, group: &GroupId, who: usize) -> Vec<u8> {
    town.devices[who]
        .with(group, |group, _, _| {
            let leaf = LeafNodeIndex::new(group.own_leaf());
            Ok(of_leaf(group.mls.public_group().leaf(leaf).unwrap()).unwrap())
        })
        .unwrap()
}

/// A key package of theirs with this key in its leaf, encoded.
fn forged(town: &mut Town, who: usize, key: &[u8]) -> Vec<u8> {
    let profile = town.profile(who);
    let device = &town.devices[who];
    let provider = provider_of(&device.connection);
    let made = create_key_package(&provider, &device.keys, &profile, false).unwrap();
    with_leaf_key(&made.bytes, &device.keys, key)
}

fn read(town: &Town, bytes: &[u8]) -> crate::Result<PeerKeyPackage> {
    PeerKeyPackage::decode(&provider_of(&town.devices[0].connection), bytes)
}

fn is_refused<T>(result: crate::Result<T>) {
    let error = result.err().expect("refused");
    assert!(matches!(error, Error::Refused(Violation::EncryptionKey)));
}

#[test]
fn who_asks_to_come_back_with_somebody_elses_key_is_not_listened_to() {
    let mut town = Town::default();
    let [ada, ben, cy] = town.people(["Ada", "Ben", "Cy"]);
    let desk = town.group("Desk", &[ada, ben, cy]);
    let own = key_of(&mut town, &desk, cy);
    for (key, is_taken) in [(key_of(&mut town, &desk, ada), false), (own, true)] {
        let package = forged(&mut town, cy, &key);
        let profile = town.profile(cy);
        let device = &town.devices[cy];
        let provider = provider_of(&device.connection);
        let asked = resync::ask(&provider, &device.keys, &profile, &desk, 1, NOW).unwrap();
        let mut request = ResyncRequest::decode(&asked[..]).unwrap();
        request.key_package = package.into();
        request.signature = device.keys.sign(&signed(&request)).to_vec().into();
        let request = request.encode_to_vec();
        let checked = town.devices[ben].with(&desk, |group, provider, _| {
            group.verify_resync(provider, &request, NOW)
        });
        if is_taken {
            assert!(checked.is_ok(), "it goes with the leaf that it stood in");
        } else {
            is_refused(checked);
        }
    }
}

#[test]
fn a_device_with_a_key_that_is_in_use_is_added_by_nobody() {
    let mut town = Town::default();
    let [ada, ben, cy, dee] = town.people(["Ada", "Ben", "Cy", "Dee"]);
    let desk = town.group("Desk", &[ada, ben]);
    let of_ben = key_of(&mut town, &desk, ben);
    let forged_by_cy = forged(&mut town, cy, &of_ben);
    let package = read(&town, &forged_by_cy).unwrap();
    is_refused(town.commit(ada, &desk, Change::Add(vec![package])));

    // Two who share a key: either can come, and not both.
    let shared = town.key_package(cy, false);
    let shared = of_leaf(shared.key_package.leaf_node()).unwrap();
    let both = [cy, dee].map(|who| {
        let bytes = forged(&mut town, who, &shared);
        read(&town, &bytes).unwrap()
    });
    is_refused(town.commit(ada, &desk, Change::Add(both.to_vec())));

    // Nothing is left of what was refused.
    town.say(ada, &desk, "we go on");
    town.add(ada, &desk, &[dee]);
    town.settle();
    assert_eq!(town.heard(ben), ["Ada: we go on"]);
    town.agree(&desk, &[ada, ben, dee]);
}

#[test]
fn a_key_package_to_which_nothing_can_be_encrypted_is_none() {
    let mut town = Town::default();
    let [ada] = town.people(["Ada"]);
    let genuine = town.key_package(ada, false);
    let key = of_leaf(genuine.key_package.leaf_node()).unwrap();
    let mut too_large = key.clone();
    too_large[0] = 0xFF;
    too_large[1] |= 0x0F;
    for wrong in [&key[1..], &[][..], &too_large[..]] {
        let bytes = forged(&mut town, ada, wrong);
        is_refused(read(&town, &bytes));
    }
    let bytes = forged(&mut town, ada, &key);
    assert!(
        read(&town, &bytes).is_ok(),
        "the forgery is right otherwise"
    );
}
