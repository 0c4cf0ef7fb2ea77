//! Bytes that were changed on the way: refused, nothing lost, no panic.

use undertone_wire::{client_proto as proto, ids::sha256, secrets::KpKey};

use super::town::{Event, Item, Town};
use crate::{
    Certificate, Change, Group, PeerKeyPackage, Provider, create_key_package, open_key_package,
    resync, seal_key_package,
};

const FLIPS: u64 = 200;

/// A bit of `bytes` chosen by hash, the same in every run.
fn flipped(bytes: &[u8], round: u64) -> Vec<u8> {
    let hash = sha256(&round.to_be_bytes());
    let place = u64::from_be_bytes(hash[..8].try_into().unwrap()) as usize % (bytes.len() * 8);
    let mut changed = bytes.to_vec();
    changed[place / 8] ^= 1 << (place % 8);
    changed
}

#[test]
fn flipped_bits_in_items_are_refused_and_the_item_itself_still_opens() {
    let mut town = Town::default();
    let [ada, ben] = town.people(["Ada", "Ben"]);
    let chat = town.direct(ada, ben);
    town.say(ada, &chat, "whole");
    let Some(Item::Application { epoch, payload, .. }) = town.devices[ben].queue.pop_front() else {
        panic!()
    };
    for round in 0..FLIPS {
        let event = town.take_application(ben, &chat, epoch, &flipped(&payload, round));
        assert_eq!(event, Event::Refused("envelope"));
    }
    assert_eq!(
        town.take_application(ben, &chat, epoch + 1, &payload),
        Event::Skipped("ahead")
    );
    for length in [0, 1, 12, 13, 29, payload.len() - 1] {
        assert_eq!(
            town.take_application(ben, &chat, epoch, &payload[..length]),
            Event::Refused("envelope")
        );
    }
    let heard = Event::Heard {
        from: ada,
        text: "whole".into(),
    };
    assert_eq!(town.take_application(ben, &chat, epoch, &payload), heard);
}

#[test]
fn flipped_bits_inside_the_envelope_are_refused_too() {
    let mut town = Town::default();
    let [ada, ben] = town.people(["Ada", "Ben"]);
    let chat = town.direct(ada, ben);
    // A malicious member can write anything into an envelope.
    let (outgoing, _) = town.encrypt(ada, &chat, "whole");
    for round in 0..FLIPS {
        let changed = flipped(&outgoing.body, round);
        let outcome = town.devices[ben]
            .with(&chat, |group, provider, _| {
                group.process_application(provider, outgoing.epoch, &changed)
            })
            .unwrap();
        assert!(!matches!(outcome, crate::ApplicationOutcome::Message(_)));
    }
    let outcome = town.devices[ben]
        .with(&chat, |group, provider, _| {
            group.process_application(provider, outgoing.epoch, &outgoing.body)
        })
        .unwrap();
    assert!(
        matches!(outcome, crate::ApplicationOutcome::Message(message) if *message.plaintext == b"whole")
    );

    let pending = town.stage(ada, &chat, Change::SelfUpdate).unwrap();
    for round in 0..FLIPS {
        let (mut body, mut lock) = (flipped(&pending.body, round), pending.next_lock);
        if round % 5 == 0 {
            body = pending.body.clone();
            lock = flipped(&lock, round).try_into().unwrap();
        }
        let outcome = town.devices[ben]
            .with(&chat, |group, provider, _| {
                group.process_commit(provider, pending.epoch, &lock, &body)
            })
            .unwrap();
        assert!(matches!(outcome, crate::CommitOutcome::Refused(_)));
    }
    assert!(town.send_commit(ada, &pending));
    town.settle();
    town.agree(&chat, &[ada, ben]);
}

#[test]
fn flipped_bits_in_a_welcome_join_nothing() {
    let mut town = Town::default();
    let [ada, ben] = town.people(["Ada", "Ben"]);
    let chat = town.create(ada, crate::Kind::Group, "Desk", None);
    town.add(ada, &chat, &[ben]);
    town.deliver(ada);
    let Some(Item::Welcome(bundle)) = town.devices[ben].queue.pop_front() else {
        panic!()
    };
    for round in 0..FLIPS / 2 {
        let changed = if round % 2 == 0 {
            proto::Welcome {
                welcome: flipped(&bundle.welcome, round).into(),
                ..bundle.clone()
            }
        } else {
            proto::Welcome {
                table: flipped(&bundle.table, round).into(),
                ..bundle.clone()
            }
        };
        // Rolled back, so that the key package is there for the next.
        let transaction = town.devices[ben].connection.transaction().unwrap();
        assert!(Group::join(&Provider::new(&transaction), &changed).is_err());
        drop(transaction);
        assert!(!town.devices[ben].has(&chat));
    }
    assert_eq!(
        town.take(ben, Item::Welcome(bundle)),
        Event::Joined { by: ada }
    );
    town.agree(&chat, &[ada, ben]);
}

#[test]
fn flipped_bits_in_key_packages_certificates_and_requests_are_refused() {
    let mut town = Town::default();
    let [ada, ben] = town.people(["Ada", "Ben"]);
    let chat = town.direct(ada, ben);
    let profile = town.profile(ben);
    let device = &town.devices[ben];
    let provider = Provider::new(&device.connection);
    let made = create_key_package(&provider, &device.keys, &profile, false).unwrap();
    let kp_key = KpKey::random();
    let sealed = seal_key_package(&made, &kp_key).unwrap();
    let request = resync::ask(&provider, &device.keys, &profile, &chat, 1, 0).unwrap();
    let certificate = device.keys.certificate().encode();
    for round in 0..FLIPS {
        assert!(open_key_package(&provider, &flipped(&sealed, round), &kp_key).is_err());
        assert!(PeerKeyPackage::decode(&provider, &flipped(&made.bytes, round)).is_err());
        assert!(Certificate::decode(&flipped(&certificate, round)).is_err());
    }
    for round in 0..FLIPS {
        let changed = flipped(&request, round);
        let result = town.devices[ada].with(&chat, |group, provider, _| {
            group.verify_resync(provider, &changed, 0)
        });
        assert!(result.is_err(), "round {round}");
    }
    let whole = town.devices[ada].with(&chat, |group, provider, _| {
        group.verify_resync(provider, &request, 0)
    });
    assert!(whole.is_ok());
}

#[test]
fn parsers_take_any_bytes() {
    let mut town = Town::default();
    let ada = town.person("Ada");
    let package = town.key_package(ada, false);
    let seeds = [
        package.encode().unwrap(),
        town.devices[ada].keys.certificate().encode(),
        vec![0; 64],
        Vec::new(),
    ];
    for (_, target) in crate::fuzzing::TARGETS {
        for seed in &seeds {
            target(seed);
            for round in 0..FLIPS / 8 {
                if !seed.is_empty() {
                    target(&flipped(seed, round));
                    target(&seed[..seed.len() * round as usize / 25]);
                }
            }
        }
    }
}
