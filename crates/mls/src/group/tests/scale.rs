//! Sizes that grow with the logarithm of a group, not with the group.

use crate::{Change, bench_support::populated_group};

#[test]
fn a_populated_group_of_forty_commits_in_a_few_kilobytes() {
    let (mut one, mut other) = populated_group(40, |_| {}).unwrap();
    for device in [&mut one, &mut other] {
        let (members, needs) = device
            .with(|group, _, _| Ok((group.members()?.len(), group.needs_path_update())))
            .unwrap();
        assert_eq!((members, needs), (40, false));
    }
    let update = other.update().unwrap();
    one.process(&update).unwrap();
    // Six nodes on the path, each with a key and, for every node of its copath, one encrypted secret.
    assert!(
        update.body.len() < 18_000,
        "a self-update of {} bytes",
        update.body.len()
    );

    let (epoch, payload) = one.encrypt(&[0; 200]).unwrap();
    assert_eq!(other.decrypt(epoch, &payload).unwrap(), 200);
    assert_eq!(
        payload.len(),
        undertone_wire::padding::PAYLOAD_CLASSES[0],
        "a short message is in the smallest class"
    );

    let timer = Change::SetPolicy(crate::Policy {
        timer_s: 60,
        members_may_add: true,
        ..Default::default()
    });
    assert!(one.stage(timer).is_err(), "neither of them is an admin");
}

#[test]
fn temporary_timing() {
    use std::time::Instant;
    for size in [2usize, 10, 100, 250] {
        let start = Instant::now();
        let (mut one, mut other) = populated_group(size, |_| {}).unwrap();
        let built = start.elapsed();
        let start = Instant::now();
        let mut items = Vec::new();
        for _ in 0..50 { items.push(one.encrypt(&[1; 1000]).unwrap()); }
        let encrypt = start.elapsed() / 50;
        let start = Instant::now();
        for (epoch, payload) in &items { other.decrypt(*epoch, payload).unwrap(); }
        let decrypt = start.elapsed() / 50;
        let start = Instant::now();
        let update = other.stage(Change::SelfUpdate).unwrap();
        let stage = start.elapsed();
        let start = Instant::now();
        other.process(&update).unwrap();
        let merge = start.elapsed();
        let start = Instant::now();
        one.process(&update).unwrap();
        let process = start.elapsed();
        let start = Instant::now();
        one.with(|_, _, _| Ok(())).unwrap();
        let load = start.elapsed();
        println!("{size}: built {built:?} encrypt {encrypt:?} decrypt {decrypt:?} stage {stage:?} merge own {merge:?} process {process:?} load {load:?} commit {} bytes", update.body.len());
    }
}
