//! Sends: addresses, quotas, retries, key packages, a full disk.

use undertone_wire::response::ItemKind;

use super::*;

pub(crate) fn a_send_reaches_every_address(world: World) {
    let owners: Vec<Owner> = (0..5).map(|_| world.owner()).collect();
    let addresses: Vec<AddressHash> = owners
        .iter()
        .map(|owner| world.conversation(owner))
        .collect();
    let accepted = world.send("hello", &addresses).unwrap();
    assert_eq!(accepted, Accepted::default());
    for (owner, address) in owners.iter().zip(&addresses) {
        let items = world.read(owner);
        assert_eq!(items.len(), 1);
        assert_eq!(text(&items[0]), "hello");
        assert!(items[0].address == *address && items[0].kind == ItemKind::Direct);
    }
}

pub(crate) fn nobody_there_fails_nothing(world: World) {
    let ada = world.owner();
    let address = world.conversation(&ada);
    let mut addresses: Vec<AddressHash> = (0..11).map(|_| AddressHash::random()).collect();
    addresses[9] = address;
    let accepted = world.send("hello", &addresses).unwrap();
    assert_eq!(accepted.missed, [0b1111_1111u8, 0b0000_0101][..]);
    assert_eq!(world.texts(&ada), ["hello"]);
}

pub(crate) fn a_retry_is_answered_from_memory(world: World) {
    let ada = world.owner();
    let send = direct("hello", &[world.conversation(&ada), AddressHash::random()]);
    let first = world.store.send(send.clone()).wait().unwrap();
    // The disk fills up in between: what was accepted stays accepted.
    world.parts.disk.set(0);
    assert_eq!(world.store.send(send).wait().unwrap(), first);
    assert_eq!(world.texts(&ada), ["hello"]);
}

pub(crate) fn creating_an_address_twice_leaves_it(world: World) {
    let ada = world.owner();
    let address = world.address(&ada, AddressKind::KeyPackage);
    for _ in 0..2 {
        world.send("hello", &[address]).unwrap();
    }
    assert!(
        !world
            .send("over quota", &[address])
            .unwrap()
            .missed
            .is_empty()
    );
    // It becomes a conversation's; and not anything less again.
    world
        .store
        .create_addresses(ada.queue, vec![(address, AddressKind::Conversation)])
        .wait()
        .unwrap();
    world
        .store
        .create_addresses(ada.queue, vec![(address, AddressKind::KeyPackage)])
        .wait()
        .unwrap();
    assert!(world.send("hello", &[address]).unwrap().missed.is_empty());
    assert_eq!(world.counts().addresses, 1);
}

pub(crate) fn an_address_has_one_owner(world: World) {
    let (ada, eve) = (world.owner(), world.owner());
    let address = world.conversation(&ada);
    let hers = AddressHash::random();
    let wanted = vec![
        (hers, AddressKind::Conversation),
        (address, AddressKind::Conversation),
    ];
    assert_eq!(
        world.store.create_addresses(eve.queue, wanted).wait(),
        Err(StoreError::AddressTaken)
    );
    assert_eq!(world.counts().addresses, 1, "all or none");
    world
        .store
        .revoke_addresses(eve.queue, vec![address])
        .wait()
        .unwrap();
    world.send("hello", &[address]).unwrap();
    assert_eq!(world.texts(&ada), ["hello"]);
}

pub(crate) fn addresses_are_limited(world: World) {
    let ada = world.owner();
    let many = |count: usize| {
        (0..count)
            .map(|_| (AddressHash::random(), AddressKind::Contact))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        world.store.create_addresses(ada.queue, many(21)).wait(),
        Err(StoreError::TooManyAddresses)
    );
    let held = many(20);
    world
        .store
        .create_addresses(ada.queue, held.clone())
        .wait()
        .unwrap();
    world
        .store
        .create_addresses(ada.queue, held)
        .wait()
        .unwrap();
    assert_eq!(
        world.store.create_addresses(ada.queue, many(1)).wait(),
        Err(StoreError::TooManyAddresses)
    );
}

pub(crate) fn a_revoked_address_takes_nothing(mut world: World) {
    let ada = world.owner();
    let (old, other) = (world.conversation(&ada), world.conversation(&ada));
    world
        .store
        .revoke_addresses(ada.queue, vec![old, AddressHash::random()])
        .wait()
        .unwrap();
    assert_eq!(
        world.send("hello", &[old, other]).unwrap().missed,
        [0b01u8][..]
    );
    world.restart();
    assert_eq!(
        world.send("hello", &[old, other]).unwrap().missed,
        [0b01u8][..]
    );
}

pub(crate) fn quotas_are_by_kind_and_freed_by_acknowledging(world: World) {
    let ada = world.owner();
    let contact = world.address(&ada, AddressKind::Contact);
    let conversation = world.conversation(&ada);
    for _ in 0..3 {
        assert!(world.send("hello", &[contact]).unwrap().missed.is_empty());
    }
    assert_eq!(
        world
            .send("hello", &[contact, conversation])
            .unwrap()
            .missed,
        [0b01u8][..]
    );
    world.ack(&ada, 4);
    for _ in 0..3 {
        assert!(world.send("hello", &[contact]).unwrap().missed.is_empty());
    }
    assert!(!world.send("hello", &[contact]).unwrap().missed.is_empty());
}

pub(crate) fn a_whole_queue_has_a_quota_that_outlives_a_restart(mut world: World) {
    world.limit(|limits| {
        limits.queue = Quota {
            items: 5,
            bytes: 1 << 20,
        }
    });
    let ada = world.owner();
    let address = world.conversation(&ada);
    for _ in 0..5 {
        assert!(world.send("hello", &[address]).unwrap().missed.is_empty());
    }
    world.restart();
    assert!(!world.send("hello", &[address]).unwrap().missed.is_empty());
    world.ack(&ada, 1);
    assert!(world.send("hello", &[address]).unwrap().missed.is_empty());
    world.limit(|limits| {
        limits.queue = Quota {
            items: 100,
            bytes: 784 * 6,
        }
    });
    assert!(world.send("hello", &[address]).unwrap().missed.is_empty());
    assert!(!world.send("hello", &[address]).unwrap().missed.is_empty());
}

pub(crate) fn a_fetch_keeps_to_its_limits(world: World) {
    let ada = world.owner();
    let address = world.conversation(&ada);
    for number in 0..5 {
        world
            .send(&format!("message {number}"), &[address])
            .unwrap();
    }
    let fetch = |from, items, bytes| {
        world
            .store
            .fetch(ada.queue, from, FetchLimit { items, bytes })
            .wait()
            .unwrap()
    };
    let some = fetch(2, 2, usize::MAX);
    assert_eq!(
        some.items
            .iter()
            .map(|item| item.sequence)
            .collect::<Vec<_>>(),
        [2, 3]
    );
    assert!(!some.complete);
    assert_eq!(fetch(1, 10, 784 * 2).items.len(), 2);
    assert_eq!(
        fetch(1, 10, 1).items.len(),
        1,
        "one is given whatever the bytes"
    );
    assert!(!fetch(1, 10, 1).complete);
    assert!(fetch(4, 10, usize::MAX).complete);
    assert!(fetch(6, 10, usize::MAX).complete);
}

pub(crate) fn a_full_disk_stops_sends_and_nothing_else(world: World) {
    let (ada, ben) = (world.owner(), world.owner());
    let (to_ada, to_ben) = (world.conversation(&ada), world.conversation(&ben));
    let channel = super::channels::channel(&world, 0);
    world.send("before", &[to_ada]).unwrap();
    world.parts.disk.set(RESERVE - 1);
    assert_eq!(world.send("hello", &[to_ada]), Err(StoreError::Full));
    let send = super::channels::message(&channel, 0, "hello", &[to_ada]);
    assert_eq!(world.store.channel_send(send).wait(), Err(StoreError::Full));
    let someone = Registration {
        queue: QueueId::random(),
        ..ada.registration()
    };
    assert_eq!(world.store.register(someone).wait(), Err(StoreError::Full));
    assert!(!world.store.activity().accepts_sends);
    // What makes room, and what a removal needs, goes on.
    let commit = super::channels::commit(&channel, 0, "commit", &[to_ada, to_ben]);
    assert!(world.store.channel_commit(commit).wait().is_ok());
    assert!(world.store.sign_in(ada.queue).wait().is_ok());
    world.ack(&ada, 1);
    world
        .store
        .revoke_addresses(ben.queue, vec![to_ben])
        .wait()
        .unwrap();
    world.store.delete_queue(ben.queue).wait().unwrap();
    assert_eq!(world.texts(&ada), ["commit"]);
    world.parts.disk.set(RESERVE);
    assert!(world.send("hello", &[to_ada]).is_ok());
    assert!(world.store.activity().accepts_sends);
}

/// What is left below the reserve is for commits, but for the last part of it.
pub(crate) fn commits_leave_the_last_of_the_reserve_alone(world: World) {
    let ada = world.owner();
    let to_ada = world.conversation(&ada);
    let channel = super::channels::channel(&world, 0);
    let last = RESERVE / 4;
    // A change is written twice: to the log, then to the database.
    let large = "x".repeat(60_000);
    world.parts.disk.set(last + 3 * 2 * 65_536);
    let many = [to_ada; 6];
    let commit = |addresses| super::channels::commit(&channel, 0, &large, addresses);
    assert_eq!(
        world.store.channel_commit(commit(&many)).wait(),
        Err(StoreError::Full),
        "one change could take all of it"
    );
    assert!(world.texts(&ada).is_empty(), "nothing of it was queued");
    assert!(
        world
            .store
            .channel_commit(commit(&many[..2]))
            .wait()
            .is_ok()
    );
    assert_eq!(world.texts(&ada).len(), 2);
    world.parts.disk.set(last - 1);
    let small = super::channels::commit(&channel, 1, "small", &[to_ada]);
    assert_eq!(
        world.store.channel_commit(small.clone()).wait(),
        Err(StoreError::Full)
    );
    let new = NewChannel {
        channel: ChannelHash::random(),
        epoch: 0,
        lock: random(),
        min_send_epoch: 0,
    };
    assert_eq!(
        world.store.create_channel(new.clone()).wait(),
        Err(StoreError::Full)
    );
    world.ack(&ada, 2);
    assert!(world.texts(&ada).is_empty(), "what makes room goes on");
    world.parts.disk.set(last + 65_536);
    assert!(world.store.channel_commit(small).wait().is_ok());
    assert!(world.store.create_channel(new).wait().is_ok());
    assert!(!world.store.activity().accepts_sends);
}

pub(crate) fn what_a_send_refers_to_is_there(world: World) {
    let ada = world.owner();
    let to_ada = world.conversation(&ada);
    let blob = BlobHash::random();
    let send = DirectSend {
        blob: Some(blob),
        ..direct("see there", &[to_ada])
    };
    let sent = || world.store.send(send.clone()).wait();
    assert_eq!(sent(), Err(StoreError::BlobNeeded));
    world.store.create_blob(blob, 4096).wait().unwrap();
    assert_eq!(sent(), Err(StoreError::BlobNeeded), "it is not whole");
    world.store.advance_blob(blob, 0, 4096).wait().unwrap();
    assert!(sent().is_ok());
    assert_eq!(world.read(&ada)[0].blob, Some(blob));
}

pub(crate) fn everything_is_there_after_a_restart(mut world: World) {
    let ada = world.owner();
    let address = world.conversation(&ada);
    for number in 0..300 {
        world.send(&number.to_string(), &[address]).unwrap();
    }
    world.restart();
    let expected: Vec<String> = (0..300).map(|number| number.to_string()).collect();
    assert_eq!(world.texts(&ada), expected);
}

fn package(byte: u8) -> SealedKeyPackage {
    SealedKeyPackage {
        id: [byte; 16].into(),
        sealed: Bytes::from(vec![byte; 4096]),
    }
}

fn take(world: &World, addresses: &[AddressHash]) -> Vec<(u8, bool)> {
    let taken = world
        .store
        .take_key_packages(SendId::random(), addresses.to_vec())
        .wait()
        .unwrap();
    taken
        .iter()
        .map(|package| {
            (
                package.sealed.first().copied().unwrap_or(0),
                package.last_resort,
            )
        })
        .collect()
}

pub(crate) fn one_time_key_packages_go_once(mut world: World) {
    let ada = world.owner();
    let address = world.address(&ada, AddressKind::Contact);
    let publish = PublishKeyPackages {
        address,
        one_time: vec![package(2), package(1)],
        last_resort: Some(package(9)),
    };
    assert_eq!(
        world
            .store
            .publish_key_packages(ada.queue, publish.clone())
            .wait(),
        Ok(2)
    );
    assert_eq!(
        world.store.publish_key_packages(ada.queue, publish).wait(),
        Ok(2),
        "by id"
    );

    let send_id = SendId::random();
    let asked = vec![address, AddressHash::random()];
    let first = world
        .store
        .take_key_packages(send_id, asked.clone())
        .wait()
        .unwrap();
    assert_eq!(first.len(), 2);
    assert_eq!((first[0].sealed[0], first[0].last_resort), (1, false));
    assert!(first[1].sealed.is_empty());
    assert_eq!(
        world
            .store
            .take_key_packages(send_id, asked)
            .wait()
            .unwrap(),
        first,
        "a retry"
    );

    world.restart();
    assert_eq!(
        take(&world, &[address, address, address]),
        [(2, false), (9, true), (9, true)]
    );
    let nothing = PublishKeyPackages {
        address,
        one_time: vec![],
        last_resort: None,
    };
    assert_eq!(
        world.store.publish_key_packages(ada.queue, nothing).wait(),
        Ok(0)
    );
    let newer = PublishKeyPackages {
        address,
        one_time: vec![],
        last_resort: Some(package(8)),
    };
    world
        .store
        .publish_key_packages(ada.queue, newer)
        .wait()
        .unwrap();
    assert_eq!(take(&world, &[address]), [(8, true)]);
}

pub(crate) fn key_packages_are_the_owners_to_publish(world: World) {
    let (ada, eve) = (world.owner(), world.owner());
    let address = world.address(&ada, AddressKind::Contact);
    let publish = |queue: QueueId, one_time: Vec<SealedKeyPackage>| {
        let publish = PublishKeyPackages {
            address,
            one_time,
            last_resort: None,
        };
        world.store.publish_key_packages(queue, publish).wait()
    };
    assert_eq!(
        publish(eve.queue, vec![package(1)]),
        Err(StoreError::UnknownAddress)
    );
    assert_eq!(
        publish(ada.queue, (1..=5).map(package).collect()),
        Err(StoreError::TooManyKeyPackages)
    );
    assert_eq!(publish(ada.queue, (1..=4).map(package).collect()), Ok(4));
    assert_eq!(take(&world, &[address]), [(1, false)]);
}
