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

    let timer = Change::SetPolicy(crate::Policy::default().with_timer(60));
    assert!(one.stage(timer).is_err(), "neither of them is an admin");
}
