//! Channels: one order, the epoch's rules, renames. docs/protocol.md section 4.

use undertone_wire::ids::sha256;
use undertone_wire::response::ItemKind;

use super::*;

/// The key of a channel's epoch: any fixed function will do.
fn key(epoch: u64) -> [u8; 32] {
    sha256(&epoch.to_be_bytes())
}

fn lock(epoch: u64) -> [u8; 32] {
    sha256(&key(epoch))
}

pub(crate) fn channel(world: &World, epoch: u64) -> ChannelHash {
    let channel = ChannelHash::random();
    let new = NewChannel {
        channel,
        epoch,
        lock: lock(epoch),
        min_send_epoch: epoch,
    };
    world.store.create_channel(new).wait().unwrap();
    channel
}

pub(crate) fn message(
    channel: &ChannelHash,
    epoch: u64,
    text: &str,
    addresses: &[AddressHash],
) -> ChannelSend {
    ChannelSend {
        channel: *channel,
        epoch,
        send_id: SendId::random(),
        payload: Bytes::copy_from_slice(text.as_bytes()),
        addresses: addresses.to_vec(),
    }
}

pub(crate) fn commit(
    channel: &ChannelHash,
    epoch: u64,
    text: &str,
    addresses: &[AddressHash],
) -> ChannelCommit {
    ChannelCommit {
        channel: *channel,
        epoch,
        key_hash: lock(epoch),
        next_lock: lock(epoch + 1),
        payload: Bytes::copy_from_slice(text.as_bytes()),
        addresses: addresses.to_vec(),
        renames: vec![],
        removes: false,
        blob: None,
    }
}

pub(super) fn control(
    channel: &ChannelHash,
    text: &str,
    addresses: &[AddressHash],
) -> ChannelControl {
    ChannelControl {
        channel: *channel,
        send_id: SendId::random(),
        payload: Bytes::copy_from_slice(text.as_bytes()),
        addresses: addresses.to_vec(),
    }
}

pub(crate) fn creating_a_channel_twice_leaves_it(world: World) {
    let ada = world.owner();
    let address = world.conversation(&ada);
    let channel = channel(&world, 5);
    world
        .store
        .channel_send(message(&channel, 5, "hello", &[address]))
        .wait()
        .unwrap();
    let same = NewChannel {
        channel,
        epoch: 5,
        lock: lock(5),
        min_send_epoch: 5,
    };
    world.store.create_channel(same.clone()).wait().unwrap();
    let number = world
        .store
        .channel_send(message(&channel, 5, "hello", &[address]))
        .wait()
        .unwrap()
        .number;
    assert_eq!(number, 2, "the numbers go on");
    for other in [
        NewChannel {
            epoch: 6,
            ..same.clone()
        },
        NewChannel {
            lock: random(),
            ..same
        },
    ] {
        assert_eq!(
            world.store.create_channel(other).wait(),
            Err(StoreError::ChannelTaken)
        );
    }
    let nowhere = message(&ChannelHash::random(), 5, "hello", &[address]);
    assert_eq!(
        world.store.channel_send(nowhere).wait(),
        Err(StoreError::UnknownChannel)
    );
}

pub(crate) fn numbers_are_in_one_order(mut world: World) {
    let (ada, ben) = (world.owner(), world.owner());
    let to = [world.conversation(&ada), world.conversation(&ben)];
    let channel = channel(&world, 0);
    let send = message(&channel, 0, "one", &to);
    assert_eq!(
        world
            .store
            .channel_send(send.clone())
            .wait()
            .unwrap()
            .number,
        1
    );
    assert_eq!(
        world.store.channel_send(send).wait().unwrap().number,
        1,
        "a retry"
    );
    assert_eq!(
        world
            .store
            .channel_commit(commit(&channel, 0, "two", &to))
            .wait()
            .unwrap()
            .number,
        2
    );
    let to_ada = [AddressHash::random(), to[0]];
    let third = world
        .store
        .channel_control(control(&channel, "three", &to_ada))
        .wait()
        .unwrap();
    assert_eq!((third.number, &third.missed[..]), (3, &[0b01u8][..]));
    world.restart();
    assert_eq!(
        world
            .store
            .channel_send(message(&channel, 1, "four", &to))
            .wait()
            .unwrap()
            .number,
        4
    );
    let items = world.read(&ada);
    assert_eq!(
        items.iter().map(|item| item.number).collect::<Vec<_>>(),
        [1, 2, 3, 4]
    );
    assert_eq!(
        items.iter().map(|item| item.epoch).collect::<Vec<_>>(),
        [0, 0, 1, 1]
    );
    let kinds = [
        ItemKind::Application,
        ItemKind::Commit,
        ItemKind::Control,
        ItemKind::Application,
    ];
    assert!(items.iter().map(|item| item.kind).eq(kinds));
    assert_eq!(items[1].next_lock, Some(lock(1)));
    assert_eq!(world.texts(&ben), ["one", "two", "four"]);
}

pub(crate) fn the_send_window_follows_the_epoch(world: World) {
    let ada = world.owner();
    let to = [world.conversation(&ada)];
    let channel = channel(&world, 0);
    let send = |epoch| {
        world
            .store
            .channel_send(message(&channel, epoch, "hello", &to))
            .wait()
            .map(|_| ())
    };
    for epoch in 0..4 {
        world
            .store
            .channel_commit(commit(&channel, epoch, &format!("to {}", epoch + 1), &to))
            .wait()
            .unwrap();
    }
    let stale = |min_send_epoch| {
        Err(StoreError::Stale {
            epoch: 4,
            min_send_epoch,
        })
    };
    assert_eq!(
        [send(1), send(2), send(3), send(4), send(5)],
        [stale(2), Ok(()), Ok(()), Ok(()), stale(2)]
    );
    let removal = ChannelCommit {
        removes: true,
        ..commit(&channel, 4, "removal", &to)
    };
    world.store.channel_commit(removal).wait().unwrap();
    let stale = Err(StoreError::Stale {
        epoch: 5,
        min_send_epoch: 5,
    });
    assert_eq!([send(4), send(5)], [stale, Ok(())]);
    // The next commit without a removal does not let the removed member's epochs back in.
    world
        .store
        .channel_commit(commit(&channel, 5, "after", &to))
        .wait()
        .unwrap();
    assert_eq!(
        send(4),
        Err(StoreError::Stale {
            epoch: 6,
            min_send_epoch: 5
        })
    );
}

pub(crate) fn a_commit_needs_the_epoch_and_the_key(world: World) {
    let ada = world.owner();
    let to = [world.conversation(&ada)];
    let channel = channel(&world, 3);
    let refused = |commit: ChannelCommit| world.store.channel_commit(commit).wait().unwrap_err();
    assert_eq!(
        refused(commit(&channel, 2, "early", &to)),
        StoreError::Epoch { epoch: 3 }
    );
    assert_eq!(
        refused(commit(&channel, 4, "late", &to)),
        StoreError::Epoch { epoch: 3 }
    );
    let guess = ChannelCommit {
        key_hash: random(),
        ..commit(&channel, 3, "guess", &to)
    };
    assert_eq!(refused(guess), StoreError::Lock);
    assert!(
        world.texts(&ada).is_empty(),
        "a refused commit leaves nothing"
    );
    world
        .store
        .channel_commit(commit(&channel, 3, "right", &to))
        .wait()
        .unwrap();
    assert_eq!(
        refused(commit(&channel, 3, "second", &to)),
        StoreError::Epoch { epoch: 4 }
    );
    assert_eq!(world.texts(&ada), ["right"]);
}

pub(crate) fn a_repeated_commit_is_answered_with_its_number(mut world: World) {
    let ada = world.owner();
    let to = [world.conversation(&ada), AddressHash::random()];
    let channel = channel(&world, 0);
    world
        .store
        .channel_send(message(&channel, 0, "first", &to))
        .wait()
        .unwrap();
    let sent = commit(&channel, 0, "commit", &to);
    let accepted = world.store.channel_commit(sent.clone()).wait().unwrap();
    assert_eq!((accepted.number, &accepted.missed[..]), (2, &[0b10u8][..]));
    world
        .store
        .channel_send(message(&channel, 1, "third", &to))
        .wait()
        .unwrap();
    assert_eq!(
        world.store.channel_commit(sent.clone()).wait().unwrap(),
        accepted
    );
    world.restart();
    assert_eq!(
        world.store.channel_commit(sent).wait().unwrap().number,
        2,
        "also from disk"
    );
    assert_eq!(world.texts(&ada), ["first", "commit", "third"]);
}

pub(crate) fn fifty_race_and_one_wins(world: World) {
    let ada = world.owner();
    let to = [world.conversation(&ada)];
    let channel = channel(&world, 0);
    for epoch in 0..10 {
        let outcomes: Vec<_> = std::thread::scope(|scope| {
            let racers: Vec<_> = (0..50)
                .map(|racer| {
                    let commit = commit(&channel, epoch, &format!("{epoch} by {racer}"), &to);
                    let store = &world.store;
                    scope.spawn(move || store.channel_commit(commit).wait())
                })
                .collect();
            racers
                .into_iter()
                .map(|racer| racer.join().unwrap())
                .collect()
        });
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
        let lost = Err(StoreError::Epoch { epoch: epoch + 1 });
        assert_eq!(
            outcomes.iter().filter(|outcome| **outcome == lost).count(),
            49
        );
    }
    assert_eq!(world.texts(&ada).len(), 10);
}

pub(crate) fn a_control_send_skips_the_epoch(world: World) {
    let ada = world.owner();
    let to = [world.conversation(&ada)];
    let channel = channel(&world, 7);
    let send = control(&channel, "resync", &to);
    assert_eq!(
        world
            .store
            .channel_control(send.clone())
            .wait()
            .unwrap()
            .number,
        1
    );
    assert_eq!(
        world.store.channel_control(send).wait().unwrap().number,
        1,
        "a retry"
    );
    assert_eq!(world.texts(&ada), ["resync"]);
    let nowhere = control(&ChannelHash::random(), "resync", &to);
    assert_eq!(
        world.store.channel_control(nowhere).wait(),
        Err(StoreError::UnknownChannel)
    );
}

fn rename(
    world: &World,
    channel: &ChannelHash,
    epoch: u64,
    to: &[AddressHash],
    renames: &[(AddressHash, AddressHash)],
) {
    let renames = renames
        .iter()
        .map(|(old, new)| AddressRename {
            old: *old,
            new: *new,
        })
        .collect();
    let commit = ChannelCommit {
        renames,
        removes: true,
        ..commit(channel, epoch, &format!("rename {epoch}"), to)
    };
    world.store.channel_commit(commit).wait().unwrap();
}

pub(crate) fn a_rename_honours_the_old_name_for_a_while(mut world: World) {
    let ada = world.owner();
    let (old, new) = (world.conversation(&ada), AddressHash::random());
    let package = SealedKeyPackage {
        id: random().into(),
        sealed: Bytes::from_static(&[7; 4096]),
    };
    let publish = PublishKeyPackages {
        address: old,
        one_time: vec![package],
        last_resort: None,
    };
    world
        .store
        .publish_key_packages(ada.queue, publish)
        .wait()
        .unwrap();
    let channel = channel(&world, 0);
    rename(&world, &channel, 0, &[old], &[(old, new)]);
    world.restart();
    world.pass(Duration::from_secs(599));
    assert!(
        world
            .send("by the old name", &[old])
            .unwrap()
            .missed
            .is_empty()
    );
    assert!(
        world
            .send("by the new name", &[new])
            .unwrap()
            .missed
            .is_empty()
    );
    world.pass(Duration::from_secs(1));
    assert!(!world.send("too late", &[old]).unwrap().missed.is_empty());
    world.store.sweep().wait().unwrap();
    world.restart();
    assert!(!world.send("too late", &[old]).unwrap().missed.is_empty());
    let items = world.read(&ada);
    assert_eq!(
        items.iter().map(text).collect::<Vec<_>>(),
        ["rename 0", "by the old name", "by the new name"]
    );
    // The commit itself comes to the name that its reader knows.
    assert!(items[0].address == old && items[1].address == new && items[2].address == new);
    let taken = world
        .store
        .take_key_packages(SendId::random(), vec![new])
        .wait()
        .unwrap();
    assert_eq!(taken[0].sealed.len(), 4096, "the pool has moved too");
}

pub(crate) fn renames_are_followed_and_revoked_by_any_name(world: World) {
    let ada = world.owner();
    let first = world.conversation(&ada);
    let (second, third) = (AddressHash::random(), AddressHash::random());
    let channel = channel(&world, 0);
    rename(&world, &channel, 0, &[first], &[(first, second)]);
    rename(&world, &channel, 1, &[second], &[(second, third)]);
    assert!(
        world
            .send("hello", &[first, second, third])
            .unwrap()
            .missed
            .is_empty()
    );
    assert_eq!(
        world.texts(&ada),
        ["rename 0", "rename 1", "hello", "hello", "hello"]
    );
    let eve = world.owner();
    let claim = vec![(first, AddressKind::Conversation)];
    assert_eq!(
        world
            .store
            .create_addresses(eve.queue, claim.clone())
            .wait(),
        Err(StoreError::AddressTaken)
    );
    world
        .store
        .revoke_addresses(ada.queue, vec![first])
        .wait()
        .unwrap();
    assert_eq!(
        world.send("hello", &[first, second, third]).unwrap().missed,
        [0b111u8][..]
    );
    assert!(
        world
            .store
            .create_addresses(ada.queue, claim)
            .wait()
            .is_ok()
    );
}

pub(crate) fn a_rename_takes_nothing_from_others(world: World) {
    let (ada, ben) = (world.owner(), world.owner());
    let (to_ada, to_ben) = (world.conversation(&ada), world.conversation(&ben));
    let channel = channel(&world, 0);
    let unknown = AddressHash::random();
    let renames = [
        (to_ada, to_ben),
        (unknown, AddressHash::random()),
        (to_ben, to_ben),
    ];
    rename(&world, &channel, 0, &[to_ada, to_ben], &renames);
    world.send("to ada", &[to_ada]).unwrap();
    world.send("to ben", &[to_ben]).unwrap();
    assert_eq!(world.texts(&ada), ["rename 0", "to ada"]);
    assert_eq!(world.texts(&ben), ["rename 0", "to ben"]);
    assert_eq!(world.counts().addresses, 2);

    // Nor the old name of an address that has just got a new one: what is still sent to it is ben's. He himself may have it back.
    let (bens_new, adas_new) = (AddressHash::random(), AddressHash::random());
    rename(&world, &channel, 1, &[], &[(to_ben, bens_new)]);
    rename(&world, &channel, 2, &[], &[(to_ada, to_ben)]);
    world.send("to ben as before", &[to_ben]).unwrap();
    world.send("to ada as before", &[to_ada]).unwrap();
    assert_eq!(world.texts(&ben)[2..], ["to ben as before"]);
    assert_eq!(world.texts(&ada)[2..], ["to ada as before"]);
    rename(&world, &channel, 3, &[], &[(bens_new, to_ben)]);
    rename(&world, &channel, 4, &[], &[(to_ada, adas_new)]);
    world.send("to ben again", &[to_ben]).unwrap();
    assert_eq!(world.texts(&ben)[3..], ["to ben again"]);
}

/// Whoever gets a commit by reference must find what it refers to, today or on the item's last day: a blob that some find
/// and some do not would split the group.
pub(crate) fn what_a_commit_refers_to_is_there(mut world: World) {
    world.limit(|limits| limits.blob_days = 2);
    let ada = world.owner();
    let address = world.conversation(&ada);
    let channel = channel(&world, 0);
    let (old, blob) = (BlobHash::random(), BlobHash::random());
    let upload = |blob| {
        world.store.create_blob(blob, 4096).wait().unwrap();
        world.store.advance_blob(blob, 0, 4096).wait().unwrap();
    };
    upload(old);
    world.pass_days(1);
    world.store.create_blob(blob, 4096).wait().unwrap();
    world.store.advance_blob(blob, 0, 4095).wait().unwrap();
    let with = |blob, epoch| ChannelCommit {
        blob: Some(blob),
        ..commit(&channel, epoch, "see there", &[address])
    };
    for (missing, why) in [
        (BlobHash::random(), "nowhere"),
        (blob, "not whole"),
        (old, "gone a day before the item"),
    ] {
        assert_eq!(
            world.store.channel_commit(with(missing, 0)).wait(),
            Err(StoreError::BlobNeeded),
            "{why}"
        );
    }
    assert!(world.texts(&ada).is_empty(), "nothing has happened");
    world.store.advance_blob(blob, 4095, 4096).wait().unwrap();
    let number = world.store.channel_commit(with(blob, 0)).wait().unwrap();
    assert_eq!(number.number, 1, "no number was used");
    assert_eq!(world.read(&ada)[0].blob, Some(blob));
    // On the last day of the item the blob is there too, although blobs are kept for two days only.
    world.pass_days(30);
    world.store.sweep().wait().unwrap();
    assert_eq!(world.store.expire_blobs(10).wait().unwrap(), [old]);
    assert_eq!(world.read(&ada).len(), 1);
    assert!(world.store.blob(blob).wait().unwrap().complete());
    world.pass_days(1);
    world.store.sweep().wait().unwrap();
    assert_eq!(world.store.expire_blobs(10).wait().unwrap(), [blob]);
    assert!(world.read(&ada).is_empty());
    // A repetition is answered as it was, whatever has become of the blob.
    assert!(world.store.channel_commit(with(blob, 0)).wait().is_ok());
}

pub(crate) fn an_unused_channel_expires(world: World) {
    let (used, unused) = (channel(&world, 0), channel(&world, 0));
    world.pass_days(399);
    world
        .store
        .channel_send(message(&used, 0, "hello", &[]))
        .wait()
        .unwrap();
    world.pass_days(2);
    assert_eq!(world.store.sweep().wait().unwrap().channels, 1);
    assert!(
        world
            .store
            .channel_send(message(&used, 0, "hello", &[]))
            .wait()
            .is_ok()
    );
    let send = message(&unused, 0, "hello", &[]);
    assert_eq!(
        world.store.channel_send(send).wait(),
        Err(StoreError::UnknownChannel)
    );
}
