//! Sealing keys: one for each queue, often replaced, their rows there as long as their items.

use std::collections::HashSet;

use super::*;

fn keys(items: &[StoredItem]) -> Vec<KeyId> {
    let mut keys: Vec<KeyId> = items.iter().map(|item| item.key.key_id).collect();
    keys.dedup();
    keys
}

pub(crate) fn copies_share_no_bytes(world: World) {
    let owners: Vec<Owner> = (0..3).map(|_| world.owner()).collect();
    let mut addresses: Vec<AddressHash> = owners
        .iter()
        .map(|owner| world.conversation(owner))
        .collect();
    addresses.push(addresses[0]);
    world
        .send(&"the same words again and again ".repeat(30), &addresses)
        .unwrap();
    let mut runs = HashSet::new();
    let mut copies = 0;
    for owner in &owners {
        for item in world.fetch(owner, 0) {
            copies += 1;
            assert_eq!(item.sealed.len(), 1536 + 16);
            for run in item.sealed.windows(16) {
                assert!(
                    runs.insert(run.to_vec()),
                    "a run of 16 bytes stands in two items"
                );
            }
        }
    }
    assert_eq!(copies, 4);
}

pub(crate) fn a_sealing_key_is_replaced_hourly(world: World) {
    let ada = world.owner();
    let address = world.conversation(&ada);
    world.send("one", &[address]).unwrap();
    world.pass(Duration::from_secs(3599));
    world.send("two", &[address]).unwrap();
    world.pass(Duration::from_secs(1));
    world.send("three", &[address]).unwrap();
    let items = world.fetch(&ada, 0);
    assert_eq!(keys(&items).len(), 2);
    assert_eq!(items[0].key, items[1].key);
    assert_eq!(world.texts(&ada), ["one", "two", "three"]);
}

pub(crate) fn a_sealing_key_seals_4096_items(world: World) {
    let ada = world.owner();
    let address = world.conversation(&ada);
    let replies: Vec<_> = (0..4100)
        .map(|_| world.store.send(direct("x", &[address])))
        .collect();
    for reply in replies {
        reply.wait().unwrap();
    }
    let items = world.fetch(&ada, 0);
    let mut nonces = HashSet::new();
    assert!(
        items
            .iter()
            .all(|item| nonces.insert((item.key.key_id, item.nonce))),
        "a nonce was used twice"
    );
    assert_eq!(items[4095].key, items[0].key);
    assert_ne!(items[4096].key, items[0].key);
    assert_eq!(keys(&items).len(), 2);
}

pub(crate) fn a_restart_takes_a_new_sealing_key(mut world: World) {
    let ada = world.owner();
    let address = world.conversation(&ada);
    world.send("one", &[address]).unwrap();
    world.restart();
    world.send("two", &[address]).unwrap();
    assert_eq!(keys(&world.fetch(&ada, 0)).len(), 2);
    assert_eq!(world.texts(&ada), ["one", "two"]);
}

pub(crate) fn a_rotated_key_seals_what_follows(world: World) {
    let mut ada = world.owner();
    let address = world.conversation(&ada);
    world.send("old", &[address]).unwrap();
    world.pass_days(1);
    let old = std::mem::replace(&mut ada.keys, HpkeKeyPair::generate().unwrap());
    world
        .store
        .rotate_queue_key(ada.queue, ada.keys.public().as_bytes().into())
        .wait()
        .unwrap();
    world.send("new", &[address]).unwrap();
    let items = world.fetch(&ada, 0);
    assert!(ada.open(&items[0]).is_err(), "sealed before");
    assert_eq!(text(&ada.open(&items[1]).unwrap()), "new");
    assert_eq!(
        (items[0].key.hpke_key_day, items[1].key.hpke_key_day),
        (Day(20_000), Day(20_001))
    );
    assert_eq!(
        world.store.sign_in(ada.queue).wait().unwrap().hpke_key_day,
        Day(20_001)
    );
    let ada = Owner { keys: old, ..ada };
    assert_eq!(text(&ada.open(&items[0]).unwrap()), "old");
    assert!(ada.open(&items[1]).is_err());
}

pub(crate) fn a_key_row_goes_with_its_last_item(mut world: World) {
    let ada = world.owner();
    let address = world.conversation(&ada);
    // Three keys: items 1 and 2, item 3, item 4.
    world.send("one", &[address]).unwrap();
    world.send("two", &[address]).unwrap();
    world.restart();
    world.send("three", &[address]).unwrap();
    world.pass(Duration::from_secs(3600));
    world.send("four", &[address]).unwrap();
    world.ack(&ada, 1);
    assert_eq!(world.texts(&ada), ["two", "three", "four"]);
    world.ack(&ada, 3);
    assert_eq!(world.texts(&ada), ["four"]);
    // The key in use keeps its row when its items are gone, so that the next item has it.
    world.ack(&ada, 4);
    world.send("five", &[address]).unwrap();
    assert_eq!(world.texts(&ada), ["five"]);
    world.restart();
    assert_eq!(world.texts(&ada), ["five"]);
}

pub(crate) fn an_unusable_public_key_only_hurts_its_owner(world: World) {
    let ada = world.owner();
    let mallory = Owner {
        queue: QueueId::random(),
        keys: HpkeKeyPair::generate().unwrap(),
        signing_key: random(),
    };
    let registration = Registration {
        hpke_key: vec![0xff; 1216].into(),
        ..mallory.registration()
    };
    world.store.register(registration).wait().unwrap();
    let addresses = [world.conversation(&mallory), world.conversation(&ada)];
    let accepted = world.send("hello", &addresses).unwrap();
    assert!(accepted.missed.is_empty() || accepted.missed == [0b01u8][..]);
    assert_eq!(world.texts(&ada), ["hello"]);
}
