//! A device loses its state and comes back.

use prost::Message as _;
use rusqlite::{Connection, backup::Backup};
use undertone_wire::client_proto::{self as proto, ResyncRequest};

use openmls::prelude::LeafNodeIndex;

use super::{
    cheat::Crime,
    town::{Event, Town},
};
use crate::{
    Change, Group, GroupId, HandedOn, Provider, ResyncAddress, VerifiedResync, Violation, resync,
};

const NOW: u64 = 1_800_000_000;

fn copy(of: &Connection) -> Connection {
    let mut copy = Connection::open_in_memory().unwrap();
    Backup::new(of, &mut copy)
        .unwrap()
        .run_to_completion(1000, std::time::Duration::ZERO, None)
        .unwrap();
    copy
}

/// What a device that asks knows of the others, from before it lost its state.
fn known(town: &mut Town, who: usize, group: &GroupId) -> Vec<(usize, ResyncAddress)> {
    let members = town.devices[who]
        .with(group, |group, _, _| group.members())
        .unwrap();
    let own = town.devices[who].keys.device_id();
    members
        .into_iter()
        .filter(|member| member.device != own)
        .map(|member| {
            let owner = town
                .devices
                .iter()
                .position(|device| device.keys.device_id() == member.device)
                .unwrap();
            (owner, member.resync)
        })
        .collect()
}

fn ask(town: &mut Town, who: usize, group: &GroupId, last_epoch: u64, now_s: u64) -> Vec<u8> {
    let profile = town.profile(who);
    let device = &town.devices[who];
    resync::ask(
        &Provider::new(&device.connection),
        &device.keys,
        &profile,
        group,
        last_epoch,
        now_s,
    )
    .unwrap()
}

fn seal(town: &Town, who: usize, request: &[u8], to: &ResyncAddress) -> proto::SealedRequest {
    resync::seal(&Provider::new(&town.devices[who].connection), request, to).unwrap()
}

fn check(
    town: &mut Town,
    helper: usize,
    group: &GroupId,
    sealed: &proto::SealedRequest,
    now_s: u64,
) -> crate::Result<VerifiedResync> {
    town.devices[helper].with(group, |group, provider, keys| {
        let request = resync::open(provider, keys, sealed)?;
        assert!(resync::group_of(&request)? == *group.id());
        group.verify_resync(provider, &request, now_s)
    })
}

#[test]
fn a_device_that_was_rolled_back_comes_back() {
    let mut town = Town::default();
    let [ada, ben, cy] = town.people(["Ada", "Ben", "Cy"]);
    let desk = town.group("Desk", &[ada, ben, cy]);
    let snapshot = copy(&town.devices[ben].connection);
    let members = known(&mut town, ben, &desk);

    town.commit(ada, &desk, Change::Rename("Desk 2".into()))
        .unwrap();
    town.settle();
    town.commit(ben, &desk, Change::SelfUpdate).unwrap();
    town.settle();
    // Ben's phone is restored from an old backup: the items are acknowledged and gone.
    town.devices[ben].connection = snapshot;
    town.say(ada, &desk, "are you there?");
    town.settle();
    assert!(
        town.devices[ben]
            .take_events()
            .contains(&Event::Skipped("ahead"))
    );

    let request = ask(&mut town, ben, &desk, 1, NOW);
    let mut ranks = Vec::new();
    let mut verified = None;
    for (member, address) in &members {
        let sealed = seal(&town, ben, &request, address);
        let checked = check(&mut town, *member, &desk, &sealed, NOW + 60).unwrap();
        let rank = town.devices[*member]
            .with(&desk, |group, _, _| group.helper_rank(&checked))
            .unwrap();
        ranks.push(rank);
        if rank == 0 {
            verified = Some((*member, checked));
        }
    }
    ranks.sort_unstable();
    assert_eq!(ranks, [0, 1], "one helper, and one who waits");
    let (helper, verified) = verified.unwrap();
    assert_eq!(verified.last_epoch, 1);
    town.commit(helper, &desk, Change::Readd(vec![verified]))
        .unwrap();
    town.settle();
    assert!(
        town.devices[ben]
            .take_events()
            .contains(&Event::Joined { by: helper })
    );
    town.agree(&desk, &[ada, ben, cy]);
    // Whoever waited finds it answered: a second answer would put him out.
    for (member, _) in &members {
        let again = town.devices[*member].with(&desk, |group, provider, _| {
            group.recheck_resync(provider, &request, NOW + 60)
        });
        assert_eq!(again.err().unwrap().code(), "mls.resync_request");
    }
    town.say(ben, &desk, "here again");
    town.say(cy, &desk, "good");
    town.settle();
    assert!(town.heard(ada).contains(&"Ben: here again".to_owned()));
    assert_eq!(town.heard(ben), ["Cy: good"]);
    assert_eq!(town.missed, 0);
}

#[test]
fn a_rolled_back_device_whose_own_commit_comes_back_asks_too() {
    let mut town = Town::default();
    let [ada, ben] = town.people(["Ada", "Ben"]);
    let chat = town.direct(ada, ben);
    let snapshot = copy(&town.devices[ben].connection);
    town.commit(ben, &chat, Change::SelfUpdate).unwrap();
    town.devices[ben].connection = snapshot;
    town.devices[ben].take_events();
    town.settle();
    assert_eq!(
        town.devices[ben].take_events(),
        [Event::Resync(Violation::OwnUnknown.code())]
    );
    // In a direct conversation the only other device helps, and no role is needed.
    let members = known(&mut town, ben, &chat);
    let request = ask(&mut town, ben, &chat, 1, NOW);
    let sealed = seal(&town, ben, &request, &members[0].1);
    let verified = check(&mut town, ada, &chat, &sealed, NOW).unwrap();
    town.commit(ada, &chat, Change::Readd(vec![verified]))
        .unwrap();
    town.settle();
    town.agree(&chat, &[ada, ben]);
}

#[test]
fn a_device_whose_state_is_unreadable_comes_back() {
    let mut town = Town::default();
    let [ada, ben, cy] = town.people(["Ada", "Ben", "Cy"]);
    let desk = town.group("Desk", &[ada, ben, cy]);
    let members = known(&mut town, cy, &desk);
    town.devices[cy]
        .connection
        .execute_batch("UPDATE openmls_group_data SET group_data = x'00'")
        .unwrap();
    let provider = Provider::new(&town.devices[cy].connection);
    assert_eq!(
        Group::load(&provider, &desk).err().unwrap().code(),
        "mls.corrupt"
    );
    let request = ask(&mut town, cy, &desk, 0, NOW);
    // A plain member may help as well as an admin.
    let (_, address) = members.iter().find(|(member, _)| *member == ben).unwrap();
    let sealed = seal(&town, cy, &request, address);
    let verified = check(&mut town, ben, &desk, &sealed, NOW).unwrap();
    // Nothing is here any more that could take items; only the Welcome counts.
    Group::forget(&Provider::new(&town.devices[cy].connection), &desk).unwrap();
    town.devices[cy].channel.clear();
    town.commit(ben, &desk, Change::Readd(vec![verified]))
        .unwrap();
    town.settle();
    town.agree(&desk, &[ada, ben, cy]);
}

#[test]
fn nobody_is_thrown_out_by_being_added_again() {
    let mut town = Town::default();
    let [ada, ben, cy] = town.people(["Ada", "Ben", "Cy"]);
    let desk = town.group("Desk", &[ada, ben, cy]);
    let members = known(&mut town, ben, &desk);
    // Cy may remove nobody, but has a key package of Ben's, and keeps the Welcome to herself.
    let package = town.key_package(ben, false);
    let leaf = town.devices[ben]
        .with(&desk, |group, _, _| Ok(group.own_leaf()))
        .unwrap();
    let crime = Crime {
        add: vec![package.key_package.clone()],
        remove: vec![LeafNodeIndex::new(leaf)],
        ..Crime::default()
    };
    town.devices[ben].take_events();
    town.cheat(cy, &desk, crime, |_| {});
    town.settle();
    assert_eq!(
        town.devices[ben].take_events(),
        [Event::Resync(Violation::ResyncRequest.code())]
    );
    assert!(town.devices[ben].has(&desk));
    // He asks, and Ada will let him in.
    let request = ask(&mut town, ben, &desk, 1, NOW);
    let address = members.iter().find(|(member, _)| *member == ada).unwrap().1;
    let sealed = seal(&town, ben, &request, &address);
    assert!(check(&mut town, ada, &desk, &sealed, NOW).is_ok());
}

#[test]
fn who_may_not_come_back() {
    let mut town = Town::default();
    let [ada, ben, cy] = town.people(["Ada", "Ben", "Cy"]);
    let desk = town.group("Desk", &[ada, ben, cy]);
    let members = known(&mut town, ben, &desk);
    let address = members.iter().find(|(member, _)| *member == ada).unwrap().1;
    let refused = Violation::ResyncRequest.code();
    let code = |result: crate::Result<VerifiedResync>| result.err().map(|error| error.code());

    // Stale, and from the far future.
    let request = ask(&mut town, ben, &desk, 1, NOW);
    let sealed = seal(&town, ben, &request, &address);
    assert_eq!(
        code(check(&mut town, ada, &desk, &sealed, NOW + 4 * 86_400)),
        Some(refused)
    );
    assert_eq!(
        code(check(&mut town, ada, &desk, &sealed, NOW - 4 * 86_400)),
        Some(refused)
    );
    // Changed on the way.
    let mut changed = ResyncRequest::decode(&request[..]).unwrap();
    changed.last_epoch = 9;
    let forged = seal(&town, ben, &changed.encode_to_vec(), &address);
    assert_eq!(
        code(check(&mut town, ada, &desk, &forged, NOW)),
        Some(refused)
    );
    // Not for the one who opens it.
    let provider = Provider::new(&town.devices[cy].connection);
    assert_eq!(
        resync::open(&provider, &town.devices[cy].keys, &sealed)
            .unwrap_err()
            .code(),
        "mls.sealed"
    );
    // Good once, and once a minute.
    let verified = check(&mut town, ada, &desk, &sealed, NOW).unwrap();
    assert_eq!(
        code(check(&mut town, ada, &desk, &sealed, NOW + 2 * 3600)),
        Some(refused)
    );
    let again = ask(&mut town, ben, &desk, 1, NOW);
    let sealed = seal(&town, ben, &again, &address);
    assert_eq!(
        code(check(&mut town, ada, &desk, &sealed, NOW + 59)),
        Some(refused)
    );
    // But one that was accepted may be checked again after a lost race.
    let request = verified.request().to_vec();
    let rechecked = town.devices[ada].with(&desk, |group, provider, _| {
        group.recheck_resync(provider, &request, NOW + 60)
    });
    assert!(rechecked.is_ok());

    // A member who was removed gets no answer.
    let cy_request = ask(&mut town, cy, &desk, 1, NOW);
    let cy_account = town.account(cy);
    town.commit(ada, &desk, Change::RemoveAccount(cy_account))
        .unwrap();
    town.settle();
    let sealed = seal(&town, cy, &cy_request, &address);
    assert_eq!(
        code(check(&mut town, ada, &desk, &sealed, NOW)),
        Some(refused)
    );
}

#[test]
fn a_key_package_for_coming_back_serves_for_nothing_else() {
    let mut town = Town::default();
    let [ada, ben] = town.people(["Ada", "Ben"]);
    let chat = town.direct(ada, ben);
    let members = known(&mut town, ben, &chat);
    let request = ask(&mut town, ben, &chat, 1, NOW);
    let sealed = seal(&town, ben, &request, &members[0].1);
    let verified = check(&mut town, ada, &chat, &sealed, NOW).unwrap();
    // Ada puts it into another group.
    let other = town.group("Other", &[ada]);
    town.commit(ada, &other, Change::Add(vec![verified.key_package]))
        .unwrap();
    town.devices[ben].take_events();
    town.settle();
    assert_eq!(
        town.devices[ben].take_events(),
        [Event::Skipped(Violation::ResyncRequest.code())]
    );
    assert!(town.devices[ben].has(&chat));
}

#[test]
fn an_answer_that_is_not_believed_leaves_everything_as_it_was() {
    let mut town = Town::default();
    let [ada, ben, cy] = town.people(["Ada", "Ben", "Cy"]);
    let desk = town.group("Desk", &[ada, ben, cy]);
    let members = known(&mut town, ben, &desk);
    let address = |of: usize| members.iter().find(|(member, _)| *member == of).unwrap().1;
    let request = ask(&mut town, ben, &desk, 1, NOW);
    // Cy answers from a state that only she has.
    let (mine, to_cy) = (copy(&town.devices[cy].connection), address(cy));
    let sealed = seal(&town, ben, &request, &to_cy);
    let forged = {
        let provider = Provider::new(&mine);
        let keys = &town.devices[cy].keys;
        let opened = resync::open(&provider, keys, &sealed).unwrap();
        let mut group = Group::load(&provider, &desk).unwrap().unwrap();
        let verified = group.verify_resync(&provider, &opened, NOW).unwrap();
        let pending = group
            .stage_commit(&provider, keys, Change::Readd(vec![verified]))
            .unwrap();
        let merged =
            group.process_commit(&provider, pending.epoch, &pending.next_lock, &pending.body);
        let crate::CommitOutcome::Merged(merged) = merged.unwrap() else {
            panic!("not merged");
        };
        let channel = crate::ChannelPosition {
            generation: 0,
            channel_id: *group.first_channel_id(),
            number: 9,
        };
        group
            .welcome_bundle(
                &provider,
                &merged.welcome.unwrap(),
                channel,
                HandedOn::default(),
            )
            .unwrap()
    };
    let provider = Provider::new(&town.devices[ben].connection);
    let before = Group::load(&provider, &desk).unwrap().unwrap();
    for _ in 0..2 {
        let joined = Group::join(&provider, &forged).unwrap();
        assert!(joined.came_back && joined.group.epoch() > before.epoch());
        Group::put_back(&provider, &desk).unwrap();
        let after = Group::load(&provider, &desk).unwrap().unwrap();
        assert_eq!(after.epoch(), before.epoch());
        assert_eq!(
            after.lock(&provider).unwrap(),
            before.lock(&provider).unwrap()
        );
    }
    // An answer to the same request that is the group's still counts, and ends it.
    let sealed = seal(&town, ben, &request, &address(ada));
    let verified = check(&mut town, ada, &desk, &sealed, NOW).unwrap();
    town.commit(ada, &desk, Change::Readd(vec![verified]))
        .unwrap();
    town.settle();
    town.agree(&desk, &[ada, ben, cy]);
    let unproven = |town: &mut Town| {
        town.devices[ada]
            .with(&desk, |group, provider, _| {
                group.is_unproven(provider, &request, NOW)
            })
            .unwrap()
    };
    assert!(unproven(&mut town));
    let provider = Provider::new(&town.devices[ben].connection);
    Group::settle(&provider, &desk).unwrap();
    assert_eq!(
        Group::join(&provider, &forged).err().unwrap().code(),
        "mls.unknown_key_package"
    );
    town.commit(ben, &desk, Change::SelfUpdate).unwrap();
    town.settle();
    assert!(!unproven(&mut town));
    town.agree(&desk, &[ada, ben, cy]);
}

#[test]
fn a_device_comes_back_with_its_newest_certificate_and_not_with_a_withdrawn_one() {
    use crate::AccountRoot;
    let mut town = Town::default();
    let [ada, ben, cy] = town.people(["Ada", "Ben", "Cy"]);
    let desk = town.group("Desk", &[ada, ben, cy]);
    let members = known(&mut town, ben, &desk);
    let address = members.iter().find(|(member, _)| *member == ada).unwrap().1;
    let old = ask(&mut town, ben, &desk, 1, NOW);
    // The phrase makes generation 2, and certifies Ben's device again.
    let root = AccountRoot::from_phrase(&town.devices[ben].phrase);
    let next = root.device_signing_key(2);
    let keys = &mut town.devices[ben].keys;
    let certificate = next.certify(keys.device_id(), keys.certificate().device_key(), 1);
    keys.recertify(certificate).unwrap();
    let request = ask(&mut town, ben, &desk, 1, NOW + 1);
    let sealed = seal(&town, ben, &request, &address);
    let verified = check(&mut town, ada, &desk, &sealed, NOW).unwrap();
    town.commit(ada, &desk, Change::Readd(vec![verified]))
        .unwrap();
    town.settle();
    town.agree(&desk, &[ada, ben, cy]);
    let generation = town.devices[cy]
        .with(&desk, |group, _, _| group.members())
        .unwrap()
        .into_iter()
        .find(|member| member.device == town.devices[ben].keys.device_id())
        .unwrap()
        .generation;
    assert_eq!(generation, 2);
    // The request of before, with the certificate of before, brings the old generation back with nobody's help.
    let sealed = seal(&town, ben, &old, &address);
    let late = NOW + 2 * 3600;
    let verified = check(&mut town, ada, &desk, &sealed, late).unwrap();
    let result = town.commit(ada, &desk, Change::Readd(vec![verified]));
    assert_eq!(result.unwrap_err().code(), Violation::Generation.code());
    // Another device of the account, whoever certified it, is no member, and gets no answer.
    let other = town.second_device(ben);
    town.devices[other].keys = crate::DeviceKeys::generate(&next, 1);
    let request = ask(&mut town, other, &desk, 1, late);
    let sealed = seal(&town, other, &request, &address);
    let result = check(&mut town, ada, &desk, &sealed, late);
    assert_eq!(
        result.err().map(|error| error.code()),
        Some(Violation::ResyncRequest.code())
    );
}
