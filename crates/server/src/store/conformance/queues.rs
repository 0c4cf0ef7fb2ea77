//! Queues: who they belong to, where they stand, when they end.

use super::*;

pub(crate) fn registering_twice_is_answered_alike(world: World) {
    let ada = world.owner();
    let again = world.store.register(ada.registration()).wait().unwrap();
    assert_eq!(again, world.store.sign_in(ada.queue).wait().unwrap());
    assert_eq!(
        (
            again.first_sequence,
            again.next_sequence,
            again.hpke_key_day
        ),
        (1, 1, Day(20_000))
    );
    assert_eq!(world.counts().queues, 1);
}

pub(crate) fn a_queue_id_has_one_owner(world: World) {
    let ada = world.owner();
    let eve = Registration {
        signing_key: random(),
        ..ada.registration()
    };
    assert_eq!(
        world.store.register(eve).wait(),
        Err(StoreError::QueueTaken)
    );
    let record = world.store.queue(ada.queue).wait().unwrap().unwrap();
    assert_eq!(record.signing_key, ada.signing_key);
    assert_eq!(record.hpke_key[..], *ada.keys.public().as_bytes());
}

pub(crate) fn an_unknown_queue_is_nobodys(world: World) {
    let nobody = QueueId::random();
    assert!(world.store.queue(nobody).wait().unwrap().is_none());
    assert_eq!(
        world.store.sign_in(nobody).wait(),
        Err(StoreError::UnknownQueue)
    );
    assert_eq!(
        world.store.create_addresses(nobody, vec![]).wait(),
        Err(StoreError::UnknownQueue)
    );
    assert_eq!(
        world
            .store
            .rotate_queue_key(nobody, Box::new([0; 1216]))
            .wait(),
        Err(StoreError::UnknownQueue)
    );
    assert_eq!(world.store.delete_queue(nobody).wait(), Ok(()));
    world.store.ack(nobody, 7);
    world.store.flush().wait().unwrap();
}

pub(crate) fn acknowledging_is_cumulative_and_never_ahead(world: World) {
    let ada = world.owner();
    let address = world.conversation(&ada);
    for text in ["one", "two", "three"] {
        world.send(text, &[address]).unwrap();
    }
    world.ack(&ada, 2);
    assert_eq!(world.texts(&ada), ["three"]);
    world.ack(&ada, 1);
    assert_eq!(world.texts(&ada), ["three"]);
    world.ack(&ada, u64::MAX);
    assert!(world.texts(&ada).is_empty());
    let position = world.store.sign_in(ada.queue).wait().unwrap();
    assert_eq!((position.first_sequence, position.next_sequence), (4, 4));
    // An acknowledgement of what is still to come takes nothing of it.
    world.send("four", &[address]).unwrap();
    assert_eq!(world.texts(&ada), ["four"]);
}

pub(crate) fn a_sequence_is_never_given_out_twice(mut world: World) {
    let ada = world.owner();
    let address = world.conversation(&ada);
    world.send("one", &[address]).unwrap();
    world.send("two", &[address]).unwrap();
    let before = world.store.sign_in(ada.queue).wait().unwrap();
    world.ack(&ada, 2);
    world.restart();
    let after = world.store.sign_in(ada.queue).wait().unwrap();
    assert_eq!((after.first_sequence, after.next_sequence), (3, 3));
    assert_eq!(after.incarnation, before.incarnation);
    world.send("three", &[address]).unwrap();
    assert_eq!(world.fetch(&ada, 0)[0].sequence, 3);
    world.restart();
    world.send("four", &[address]).unwrap();
    let sequences: Vec<u64> = world
        .fetch(&ada, 0)
        .iter()
        .map(|item| item.sequence)
        .collect();
    assert_eq!(sequences, [3, 4]);
}

pub(crate) fn deleting_a_queue_takes_all_of_it(world: World) {
    let (ada, ben) = (world.owner(), world.owner());
    let (to_ada, to_ben) = (world.conversation(&ada), world.conversation(&ben));
    let package = SealedKeyPackage {
        id: random().into(),
        sealed: Bytes::from_static(&[1; 4096]),
    };
    let publish = PublishKeyPackages {
        address: to_ada,
        one_time: vec![package],
        last_resort: None,
    };
    world
        .store
        .publish_key_packages(ada.queue, publish)
        .wait()
        .unwrap();
    world.send("hello", &[to_ada, to_ben]).unwrap();
    world.store.delete_queue(ada.queue).wait().unwrap();
    let counts = world.counts();
    assert_eq!(
        (
            counts.queues,
            counts.addresses,
            counts.items,
            counts.key_packages
        ),
        (1, 1, 1, 0)
    );
    assert_eq!(
        world.send("again", &[to_ada, to_ben]).unwrap().missed,
        [0b01u8][..]
    );
    assert_eq!(world.texts(&ben), ["hello", "again"]);
}

pub(crate) fn what_nobody_fetches_expires(world: World) {
    let ada = world.owner();
    let address = world.conversation(&ada);
    world.send("old", &[address]).unwrap();
    world.pass_days(10);
    world.send("young", &[address]).unwrap();
    assert_eq!(world.store.sweep().wait().unwrap(), Swept::default());
    world.pass_days(21);
    assert_eq!(world.store.sweep().wait().unwrap().items, 1);
    assert_eq!(world.texts(&ada), ["young"]);
    let position = world.store.sign_in(ada.queue).wait().unwrap();
    assert_eq!((position.first_sequence, position.next_sequence), (2, 3));
}

pub(crate) fn a_queue_whose_owner_stays_away_expires(world: World) {
    let (ada, ben) = (world.owner(), world.owner());
    world.conversation(&ada);
    world.pass_days(100);
    world.store.sign_in(ben.queue).wait().unwrap();
    world.pass_days(81);
    assert_eq!(world.store.sweep().wait().unwrap().queues, 1);
    assert_eq!(
        world.store.sign_in(ada.queue).wait(),
        Err(StoreError::UnknownQueue)
    );
    assert!(world.store.sign_in(ben.queue).wait().is_ok());
    assert_eq!(world.counts().addresses, 0);
}
