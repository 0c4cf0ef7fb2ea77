//! Bells: what a locked device hears by, as it is stored.

use super::*;

fn bell(hash: u8, last_day: u32) -> StoredBell {
    StoredBell {
        hash: [hash; 32],
        last_day: Day(last_day),
        rung: random(),
    }
}

impl World {
    /// Whose the bell of this hash is, and up to where it was rung.
    fn bell(&self, hash: u8) -> Option<(QueueId, [u8; RUNG_BYTES])> {
        let found = self.store.bell([hash; 32]).wait().unwrap();
        found.map(|(queue, bell)| (queue, bell.rung))
    }
}

pub(crate) fn a_bell_outlives_a_restart_and_goes_with_its_queue(mut world: World) {
    let ada = world.owner();
    let address = world.conversation(&ada);
    assert_eq!(
        world
            .store
            .set_bell(QueueId::random(), bell(1, 20_031))
            .wait(),
        Err(StoreError::UnknownQueue)
    );
    // It needs no room that messages could have used.
    world.parts.disk.set(RESERVE / 2);
    assert_eq!(
        world.store.set_bell(ada.queue, bell(1, 20_031)).wait(),
        Ok(true)
    );
    world.parts.disk.set(u64::MAX);
    assert_eq!(world.store.newest(ada.queue).wait(), Ok(None));
    for text in ["one", "two"] {
        world.send(text, &[address]).unwrap();
    }
    world.ack(&ada, 1);
    assert_eq!(world.store.newest(ada.queue).wait(), Ok(Some(2)));
    let rung = random();
    world.store.bell_rung([1; 32], rung).wait().unwrap();
    world.store.bell_rung([2; 32], rung).wait().unwrap();
    world.restart();
    assert_eq!(world.bell(1), Some((ada.queue, rung)));
    assert_eq!(world.store.newest(ada.queue).wait(), Ok(Some(2)));
    world.store.delete_queue(ada.queue).wait().unwrap();
    assert_eq!(world.bell(1), None);
}

pub(crate) fn a_bell_is_set_anew_and_ends(world: World) {
    let (ada, ben) = (world.owner(), world.owner());
    for (owner, hash, days) in [(&ada, 1, 3), (&ben, 2, 4), (&ada, 3, 5)] {
        let set = bell(hash, 20_000 + days);
        world.store.set_bell(owner.queue, set).wait().unwrap();
    }
    assert_eq!(world.bell(1), None, "another is in its place");
    world.pass_days(4);
    world.store.sweep().wait().unwrap();
    assert_eq!(world.bell(2).map(|(queue, _)| queue), Some(ben.queue));
    world.pass_days(1);
    world.store.sweep().wait().unwrap();
    assert_eq!(world.bell(2), None);
    assert_eq!(world.bell(3).map(|(queue, _)| queue), Some(ada.queue));
}

pub(crate) fn a_copied_hash_takes_nothing_over(world: World) {
    let (ada, eve) = (world.owner(), world.owner());
    world
        .store
        .set_bell(ada.queue, bell(1, 20_031))
        .wait()
        .unwrap();
    world
        .store
        .set_bell(eve.queue, bell(2, 20_031))
        .wait()
        .unwrap();
    let copied = world.store.set_bell(eve.queue, bell(1, 20_031));
    assert_eq!(copied.wait(), Ok(false));
    assert_eq!(world.bell(1).map(|(queue, _)| queue), Some(ada.queue));
    assert_eq!(world.bell(2).map(|(queue, _)| queue), Some(eve.queue));
}
