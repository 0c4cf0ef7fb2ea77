//! An account that lost all of its devices comes back with one that its recovery phrase made.

use openmls::prelude::LeafNodeIndex;
use undertone_wire::client_proto::SealedRequest;

use super::{
    cheat::Crime,
    town::{Event, Town},
};
use crate::{
    Change, GroupId, LeafProfile, PeerKeyPackage, Provider, ResyncAddress, VerifiedResync,
    Violation, create_key_package, resync,
};

const NOW: u64 = 1_800_000_000;

/// A profile that says it takes the place of the account's older devices there.
fn profile(town: &mut Town, who: usize, replaces: Option<GroupId>) -> LeafProfile {
    LeafProfile {
        replaces,
        ..town.profile(who)
    }
}

fn address(town: &mut Town, of: usize, group: &GroupId) -> ResyncAddress {
    let device = town.devices[of].keys.device_id();
    let members = town.devices[of]
        .with(group, |group, _, _| group.members())
        .unwrap();
    let own = members.iter().find(|member| member.device == device);
    own.unwrap().resync
}

/// Asks one member to be let in.
fn ask(
    town: &mut Town,
    who: usize,
    group: &GroupId,
    replaces: Option<GroupId>,
    helper: usize,
) -> crate::Result<VerifiedResync> {
    let to = address(town, helper, group);
    let profile = profile(town, who, replaces);
    let device = &town.devices[who];
    let provider = Provider::new(&device.connection);
    let request = resync::ask(&provider, &device.keys, &profile, group, 0, NOW).unwrap();
    let sealed: SealedRequest = resync::seal(&provider, &request, &to).unwrap();
    town.devices[helper].with(group, |group, provider, keys| {
        let request = resync::open(provider, keys, &sealed)?;
        group.verify_resync(provider, &request, NOW)
    })
}

fn leaves(town: &mut Town, seen_by: usize, group: &GroupId, of: usize) -> Vec<LeafNodeIndex> {
    let account = town.account(of);
    let members = town.devices[seen_by]
        .with(group, |group, _, _| group.members())
        .unwrap();
    members
        .into_iter()
        .filter(|member| member.account == account)
        .map(|member| LeafNodeIndex::new(member.leaf))
        .collect()
}

#[test]
fn it_takes_the_place_of_all_that_the_account_had() {
    let mut town = Town::default();
    let [ada, ben, cy] = town.people(["Ada", "Ben", "Cy"]);
    let desk = town.group("Desk", &[ada, ben, cy]);
    let second = town.second_device(ben);
    town.add(ben, &desk, &[second]);
    town.settle();
    assert_eq!(leaves(&mut town, ada, &desk, ben).len(), 2);

    // Both are lost. A plain member lets the new one in: nobody's role is needed, since only the phrase can have made it.
    let new = town.restored_device(ben, 2);
    let request = ask(&mut town, new, &desk, Some(desk), cy).unwrap();
    town.commit(cy, &desk, Change::Readd(vec![request]))
        .unwrap();
    for device in [ada, ben, second, cy, new] {
        town.devices[device].take_events();
    }
    town.settle();
    town.agree(&desk, &[ada, cy, new]);
    assert_eq!(leaves(&mut town, ada, &desk, ben).len(), 1);
    for lost in [ben, second] {
        assert!(!town.devices[lost].has(&desk));
    }
    town.say(new, &desk, "it was stolen");
    town.say(ada, &desk, "welcome back");
    town.settle();
    assert!(town.heard(cy).contains(&"Ben: it was stolen".to_owned()));
    assert_eq!(town.heard(new), ["Ada: welcome back"]);
    // What was stolen can't come back the same way: its key is older now.
    let thief = town.second_device(ben);
    let again = ask(&mut town, thief, &desk, Some(desk), cy);
    assert_eq!(again.err().unwrap().code(), Violation::ResyncRequest.code());
}

#[test]
fn in_a_direct_conversation_too() {
    let mut town = Town::default();
    let [ada, ben] = town.people(["Ada", "Ben"]);
    let chat = town.direct(ada, ben);
    let new = town.restored_device(ben, 7);
    let request = ask(&mut town, new, &chat, Some(chat), ada).unwrap();
    town.commit(ada, &chat, Change::Readd(vec![request]))
        .unwrap();
    town.settle();
    town.agree(&chat, &[ada, new]);
}

#[test]
fn nobody_else_is_let_in_by_it() {
    let mut town = Town::default();
    let [ada, ben, cy] = town.people(["Ada", "Ben", "Cy"]);
    let desk = town.group("Desk", &[ada, ben, cy]);
    let other = town.group("Other", &[ada, ben, cy]);
    let refused = Violation::ResyncRequest.code();
    let code = |result: crate::Result<VerifiedResync>| result.err().map(|error| error.code());
    // One that does not say so, or says so of another conversation.
    let new = town.restored_device(ben, 2);
    assert_eq!(code(ask(&mut town, new, &desk, None, ada)), Some(refused));
    let elsewhere = ask(&mut town, new, &desk, Some(other), ada);
    assert_eq!(code(elsewhere), Some(refused));
    // One that the device-signing key of a stolen device made.
    let stolen = town.second_device(ben);
    let same = ask(&mut town, stolen, &desk, Some(desk), ada);
    assert_eq!(code(same), Some(refused));
    // Somebody who is no member.
    let dee = town.person("Dee");
    let stranger = ask(&mut town, dee, &desk, Some(desk), ada);
    assert_eq!(code(stranger), Some(refused));
}

fn package(town: &mut Town, who: usize, replaces: Option<GroupId>) -> PeerKeyPackage {
    let profile = profile(town, who, replaces);
    let device = &town.devices[who];
    let provider = Provider::new(&device.connection);
    let made = create_key_package(&provider, &device.keys, &profile, false).unwrap();
    PeerKeyPackage::decode(&provider, &made.bytes).unwrap()
}

/// Cy commits a removal of Ben's devices and an addition of one that the phrase made. What Ada makes of it.
fn crime(
    wrong: impl FnOnce(
        &mut Town,
        usize,
        GroupId,
        Vec<LeafNodeIndex>,
    ) -> (PeerKeyPackage, Vec<LeafNodeIndex>),
) -> Vec<Event> {
    let mut town = Town::default();
    let [ada, ben, cy] = town.people(["Ada", "Ben", "Cy"]);
    let desk = town.group("Desk", &[ada, ben, cy]);
    let second = town.second_device(ben);
    town.add(ben, &desk, &[second]);
    town.settle();
    let old = leaves(&mut town, ada, &desk, ben);
    let new = town.restored_device(ben, 2);
    let (package, remove) = wrong(&mut town, new, desk, old);
    let crime = Crime {
        add: vec![package.key_package],
        remove,
        ..Crime::default()
    };
    town.devices[ada].take_events();
    town.cheat(cy, &desk, crime, |_| {});
    town.settle();
    assert_eq!(leaves(&mut town, ada, &desk, ben).len(), 2);
    town.devices[ada].take_events()
}

#[test]
fn a_member_cannot_use_it_to_throw_devices_out() {
    let refused = [Event::Refused(Violation::MayNotAdd.code())];
    // A key package that was made for something else, although its device-signing key is newer.
    let ordinary = crime(|town, new, _, old| (package(town, new, None), old));
    assert_eq!(ordinary, refused);
    // The right one, but a device of before stays.
    let kept = crime(|town, new, desk, old| (package(town, new, Some(desk)), vec![old[0]]));
    assert_eq!(kept, refused);
    // One of the same age as those it would replace.
    let same = crime(|town, new, desk, old| {
        let same = town.restored_device(new, 1);
        (package(town, same, Some(desk)), old)
    });
    assert_eq!(same, refused);
}
