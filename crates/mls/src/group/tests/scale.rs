//! Sizes that grow with the logarithm of a group, not with the group.

use undertone_wire::padding::{
    ENVELOPE_OVERHEAD, LENGTH_PREFIX, PAYLOAD_CLASSES, attachment_blob_size,
};

use crate::{Change, bench_support::populated_group, commit_inline_max};

#[test]
fn a_large_commit_to_many_is_no_copy_of_the_largest_class_for_each() {
    let class = |addresses| commit_inline_max(addresses) + 8 + ENVELOPE_OVERHEAD + LENGTH_PREFIX;
    assert_eq!(class(64), PAYLOAD_CLASSES[4]);
    assert_eq!(class(65), PAYLOAD_CLASSES[3]);
    // What a commit in a group of a thousand takes, of 21 kB before it is padded.
    let on_the_wire = attachment_blob_size(21_300).unwrap() as usize + PAYLOAD_CLASSES[0];
    assert!(on_the_wire < 40_000, "{on_the_wire}");
}

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
    let staged = other.stage(Change::SelfUpdate).unwrap();
    assert_eq!(other.wire_bytes(&staged).unwrap(), PAYLOAD_CLASSES[3]);
    other.process(&staged).unwrap();
    one.process(&staged).unwrap();

    let (epoch, payload) = one.encrypt(&[0; 200]).unwrap();
    assert_eq!(other.decrypt(epoch, &payload).unwrap(), 200);
    assert_eq!(
        payload.len(),
        PAYLOAD_CLASSES[0],
        "a short message is in the smallest class"
    );

    let timer = Change::SetPolicy(crate::Policy::default().with_timer(60));
    assert!(one.stage(timer).is_err(), "neither of them is an admin");
}
