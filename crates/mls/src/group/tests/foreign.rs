//! A device that says it belongs to an account, and does not. Whichever way it would come in (a commit, a proposal, a Welcome, a pool of key
//! packages, a link to a group, a request to come back) it is refused for its certificate, or for nothing less.

use openmls::prelude::{BasicCredential, CredentialWithKey, KeyPackage, tls_codec::Serialize as _};
use openmls_traits::OpenMlsProvider as _;
use prost::Message as _;
use undertone_wire::{
    client_proto::ResyncRequest,
    secrets::{KpKey, LinkSecret},
};

use super::{
    hostile::{Desk, add, honest},
    town::{Event, Item, Town, provider_of},
};
use crate::{
    Body, Certificate, ChannelPosition, EnvelopeKind, Error, HandedOn, Kind, PeerKeyPackage,
    Violation,
    extension::{capabilities, leaf_extensions},
    group::{invite, resync},
    key_package::{NewKeyPackage, lifetime},
    open_key_package,
    provider::SUITE,
    seal_key_package,
};

/// Where in a certificate the account's root key ends, and where what the device-signing key certifies begins.
const ROOT: usize = 34;
const DEVICE: usize = 135;

/// What an impostor may try to pass off as a certificate of `of`'s account: a right one, copied; and its own, under `of`'s root key, or under
/// `of`'s root key and device-signing key.
fn forgeries(town: &Town, of: usize, impostor: usize) -> Vec<Vec<u8>> {
    let certificate = |who: usize| town.devices[who].keys.certificate().encode().to_vec();
    let (genuine, own) = (certificate(of), certificate(impostor));
    assert_eq!(genuine.len(), Certificate::LEN);
    vec![
        genuine.clone(),
        [&genuine[..ROOT], &own[ROOT..]].concat(),
        [&genuine[..DEVICE], &own[DEVICE..]].concat(),
    ]
}

/// A key package of the impostor's key under such a certificate, right in everything else.
fn claims(town: &mut Town, impostor: usize, certificate: Vec<u8>) -> KeyPackage {
    let profile = town.profile(impostor);
    let device = &town.devices[impostor];
    let resync = resync::address_of(&device.keys).unwrap();
    let credential = CredentialWithKey {
        credential: BasicCredential::new(certificate).into(),
        ..device.keys.credential()
    };
    KeyPackage::builder()
        .key_package_lifetime(lifetime())
        .leaf_node_capabilities(capabilities())
        .leaf_node_extensions(leaf_extensions(&profile, &resync).unwrap())
        .build(
            SUITE,
            &provider_of(&device.connection),
            &device.keys,
            credential,
        )
        .unwrap()
        .key_package()
        .clone()
}

fn encoded(package: &KeyPackage) -> Vec<u8> {
    package.tls_serialize_detached().unwrap()
}

#[test]
fn what_is_right_in_everything_is_taken() {
    let mut town = Town::default();
    let ada = town.person("Ada");
    let own = town.devices[ada].keys.certificate().encode().to_vec();
    let package = encoded(&claims(&mut town, ada, own));
    let opened = PeerKeyPackage::decode(&provider_of(&town.devices[ada].connection), &package);
    assert!(opened.unwrap().account_id() == town.account(ada));
}

#[test]
fn a_foreign_device_does_not_come_in_by_a_commit() {
    // Whoever may add others cheats, and one who may bring in devices of their own only.
    for by_admin in [true, false] {
        for forgery in 0..3 {
            let mut desk = Desk::open();
            let (ada, ben, cy) = (desk.ada, desk.ben, desk.cy);
            let (cheat, of) = if by_admin { (ben, ada) } else { (cy, cy) };
            let impostor = desk.town.person("Mallory");
            let certificate = forgeries(&desk.town, of, impostor).remove(forgery);
            let key_package = claims(&mut desk.town, impostor, certificate);
            let facts = desk.town.key_package(impostor, false).facts;
            let package = PeerKeyPackage { key_package, facts };
            desk.refused(cheat, add(package), honest, Violation::Certificate);
        }
    }
}

#[test]
fn a_foreign_device_does_not_come_in_by_a_proposal() {
    let mut desk = Desk::open();
    let (ada, ben, cy) = (desk.ada, desk.ben, desk.cy);
    let group = desk.desk;
    let impostor = desk.town.person("Mallory");
    for certificate in forgeries(&desk.town, ada, impostor) {
        let package = claims(&mut desk.town, impostor, certificate);
        let (epoch, payload) = desk.town.devices[cy]
            .with(&group, |group, provider, keys| {
                let (proposal, _) = group
                    .mls
                    .propose_add_member(provider, keys, &package)
                    .unwrap();
                group.mls.clear_pending_proposals(provider.storage())?;
                let body = proposal.to_bytes().unwrap();
                let body = Body::Inline(&body);
                let payload =
                    group.seal(provider, EnvelopeKind::Application, group.epoch(), &body)?;
                Ok((group.epoch(), payload))
            })
            .unwrap();
        assert!(desk.town.send(cy, &group, epoch, payload));
        desk.town.settle();
        for who in [ada, ben] {
            assert_eq!(
                desk.town.devices[who].take_events(),
                [Event::Refused(Violation::Proposal.code())]
            );
        }
    }
}

#[test]
fn a_foreign_device_does_not_stand_in_a_group_that_somebody_is_welcomed_to() {
    // The last one is genuine, and comes along.
    for forgery in 0..4 {
        let mut town = Town::default();
        let [ada, ben, impostor] = town.people(["Ada", "Ben", "Mallory"]);
        let mut certificates = forgeries(&town, ada, impostor);
        let own = town.devices[impostor].keys.certificate().encode();
        certificates.push(own.to_vec());
        let foreign = claims(&mut town, impostor, certificates.remove(forgery));
        let trap = town.create(ada, Kind::Group, "Trap", None);
        let bens = town.key_package(ben, false);
        let address = town.profile(impostor).address;
        let bundle = town.devices[ada]
            .with(&trap, |group, provider, keys| {
                let commit = group
                    .mls
                    .commit_builder()
                    .propose_adds([bens.key_package.clone(), foreign])
                    .load_psks(provider.storage())
                    .unwrap()
                    .use_ratchet_tree_extension(true)
                    .build(provider.rand(), provider.crypto(), keys, |_| true)
                    .unwrap()
                    .stage_commit(provider)
                    .unwrap();
                let welcome = commit.to_welcome_msg().unwrap().to_bytes().unwrap();
                group.mls.merge_pending_commit(provider).unwrap();
                group.addresses.set(1, bens.address().duplicate());
                group.addresses.set(2, address);
                let position = ChannelPosition {
                    generation: 0,
                    channel_id: *group.first_channel_id(),
                    number: 1,
                };
                let pending = crate::PendingWelcome {
                    recipients: Vec::new(),
                    welcome,
                };
                group.welcome_bundle(provider, &pending, position, HandedOn::default())
            })
            .unwrap();
        let wanted = if forgery == 3 {
            Event::Joined { by: ada }
        } else {
            Event::Skipped(Violation::Certificate.code())
        };
        assert_eq!(town.take(ben, Item::Welcome(bundle)), wanted);
    }
}

#[test]
fn no_key_package_of_a_foreign_device_opens() {
    let mut town = Town::default();
    let [ada, ben, impostor] = town.people(["Ada", "Ben", "Mallory"]);
    for certificate in forgeries(&town, ada, impostor) {
        let bytes = encoded(&claims(&mut town, impostor, certificate));
        let device = &town.devices[ben];
        let provider = provider_of(&device.connection);
        let refused = |opened: crate::Result<PeerKeyPackage>| {
            assert!(matches!(
                opened.err(),
                Some(Error::Refused(Violation::Certificate))
            ));
        };
        // Out of a pool.
        let made = NewKeyPackage {
            id: undertone_wire::ids::KeyPackageId::random(),
            hash_ref: Vec::new(),
            bytes: bytes.clone(),
        };
        let kp_key = KpKey::random();
        let sealed = seal_key_package(&made, &kp_key).unwrap();
        refused(open_key_package(&provider, &sealed, &kp_key));
        // By a link to a group.
        let secret = LinkSecret::random();
        let to = invite::public_key(&device.keys).unwrap();
        let asked = invite::ask(&provider, &bytes, &to, &secret).unwrap();
        refused(invite::open(&provider, &device.keys, &secret, &asked));
    }
}

#[test]
fn a_foreign_device_does_not_come_back_as_a_member() {
    const NOW_S: u64 = 1_700_000_000;
    let mut desk = Desk::open();
    let (ada, ben) = (desk.ada, desk.ben);
    let group = desk.desk;
    let impostor = desk.town.person("Mallory");
    let mut certificates = forgeries(&desk.town, ada, impostor);
    // One that is genuine, of an account that is no member.
    let own = desk.town.devices[impostor].keys.certificate().encode();
    certificates.push(own.to_vec());
    for certificate in certificates {
        let package = encoded(&claims(&mut desk.town, impostor, certificate.clone()));
        let mut request = ResyncRequest {
            group_id: group.as_bytes().to_vec().into(),
            certificate: certificate.into(),
            key_package: package.into(),
            last_epoch: 0,
            nonce: vec![7; 16].into(),
            sent_at_s: NOW_S,
            signature: Default::default(),
        };
        let keys = &desk.town.devices[impostor].keys;
        request.signature = keys.sign(&resync::signed(&request)).to_vec().into();
        let request = request.encode_to_vec();
        let right = desk.town.devices[ben].with(&group, |group, provider, _| {
            Ok(group.verify_resync(provider, &request, NOW_S).is_ok())
        });
        assert!(!right.unwrap());
    }
}
