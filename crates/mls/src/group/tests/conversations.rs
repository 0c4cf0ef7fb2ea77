//! What people do.

use super::town::{Event, Town};
use crate::{Act, Change, Error, Kind, Policy, Role, Violation};

#[test]
fn ada_and_ben_talk() {
    let mut town = Town::default();
    let [ada, ben] = town.people(["Ada", "Ben"]);
    let chat = town.direct(ada, ben);
    assert_eq!(town.devices[ben].take_events(), [Event::Joined { by: ada }]);
    town.agree(&chat, &[ada, ben]);

    town.say(ada, &chat, "the file is safe");
    town.say(ben, &chat, "thank you");
    town.settle();
    assert_eq!(town.heard(ben), ["Ada: the file is safe"]);
    assert_eq!(town.heard(ada), ["Ben: thank you"]);
    let name = town.devices[ada]
        .with(&chat, |group, _, _| Ok(group.members()?[1].name.clone()))
        .unwrap();
    assert_eq!(name, "Ben");
    assert_eq!(town.missed, 0);
}

#[test]
fn the_same_item_twice_is_a_duplicate() {
    let mut town = Town::default();
    let [ada, ben] = town.people(["Ada", "Ben"]);
    let chat = town.direct(ada, ben);
    town.say(ada, &chat, "once");
    let item = town.devices[ben].queue[0].clone();
    town.settle();
    assert_eq!(town.heard(ben), ["Ada: once"]);
    assert_eq!(town.take(ben, item), Event::Skipped("duplicate"));
}

#[test]
fn a_group_of_three_with_roles() {
    let mut town = Town::default();
    let [ada, ben, cy, dee] = town.people(["Ada", "Ben", "Cy", "Dee"]);
    let desk = town.group("Desk", &[ada, ben, cy]);
    town.agree(&desk, &[ada, ben, cy]);

    // A plain member may not add, rename, remove or rule.
    let dee_package = town.key_package(dee, false);
    let refused = |result: crate::Result<bool>| match result {
        Err(Error::Refused(violation)) => violation,
        other => panic!("{:?}", other.map_err(|error| error.code())),
    };
    assert_eq!(
        refused(town.commit(ben, &desk, Change::Add(vec![dee_package.clone()]))),
        Violation::MayNotAdd
    );
    assert_eq!(
        refused(town.commit(ben, &desk, Change::Rename("Ours".into()))),
        Violation::MayNotChange
    );
    let cy_account = town.account(cy);
    assert_eq!(
        refused(town.commit(ben, &desk, Change::RemoveAccount(cy_account))),
        Violation::MayNotRemove
    );
    let ben_account = town.account(ben);
    let mutiny = Change::SetRole(ben_account, Role::Owner);
    assert_eq!(
        refused(town.commit(ben, &desk, mutiny)),
        Violation::MayNotChange
    );

    // The owner makes Ben an admin; now he may add and remove, but not rule.
    town.commit(ada, &desk, Change::SetRole(ben_account, Role::Admin))
        .unwrap();
    town.settle();
    town.commit(ben, &desk, Change::Add(vec![dee_package]))
        .unwrap();
    town.settle();
    town.agree(&desk, &[ada, ben, cy, dee]);
    town.commit(ben, &desk, Change::Rename("News desk".into()))
        .unwrap();
    town.settle();
    let ada_account = town.account(ada);
    assert_eq!(
        refused(town.commit(ben, &desk, Change::RemoveAccount(ada_account))),
        Violation::MayNotRemove
    );
    let crown = Change::SetRole(cy_account, Role::Admin);
    assert_eq!(
        refused(town.commit(ben, &desk, crown)),
        Violation::MayNotChange
    );

    // The policy may open it to all.
    let open = Policy::default().allowing(Act::Rename, Role::Member);
    town.commit(ben, &desk, Change::SetPolicy(open)).unwrap();
    town.settle();
    town.commit(cy, &desk, Change::Rename("Everybody's desk".into()))
        .unwrap();
    town.settle();
    town.agree(&desk, &[ada, ben, cy, dee]);
    town.say(dee, &desk, "hello all");
    town.settle();
    assert_eq!(town.heard(ada), ["Dee: hello all"]);
    assert_eq!(town.heard(cy), ["Dee: hello all"]);
}

#[test]
fn who_is_removed_neither_reads_nor_writes() {
    let mut town = Town::default();
    let [ada, ben, cy] = town.people(["Ada", "Ben", "Cy"]);
    let desk = town.group("Desk", &[ada, ben, cy]);
    let cy_account = town.account(cy);

    // Cy keeps a copy of everything from before.
    let (outgoing, late) = town.encrypt(cy, &desk, "too late");
    let own_commit = town.stage(cy, &desk, Change::SelfUpdate).unwrap();
    town.commit(ada, &desk, Change::RemoveAccount(cy_account))
        .unwrap();

    // The channel takes nothing of the old epoch any more.
    assert!(!town.send(cy, &desk, outgoing.epoch, late));
    assert!(!town.send_commit(cy, &own_commit));
    town.devices[cy].take_events();
    town.settle();
    assert_eq!(town.devices[cy].take_events(), [Event::Removed { by: ada }]);
    assert!(!town.devices[cy].has(&desk));

    town.agree(&desk, &[ada, ben]);
    town.say(ada, &desk, "without Cy");
    assert!(town.devices[cy].queue.is_empty(), "no address leads to Cy");
    town.settle();
    assert_eq!(town.heard(ben), ["Ada: without Cy"]);
    assert_eq!(town.missed, 0);
}

/// Rows of every table that belongs to a conversation.
fn rows(connection: &rusqlite::Connection) -> Vec<(String, i64)> {
    let mut tables = connection
        .prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND (name LIKE 'openmls_%' OR name LIKE 'mls_%')")
        .unwrap();
    let names: Vec<String> = tables
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    names
        .into_iter()
        .filter(|name| !name.ends_with("migrations"))
        .map(|name| {
            let count = connection
                .query_row(&format!("SELECT count(*) FROM {name}"), [], |row| {
                    row.get(0)
                })
                .unwrap();
            (name, count)
        })
        .filter(|(_, count)| *count > 0)
        .collect()
}

#[test]
fn nothing_of_a_conversation_stays_with_who_is_removed_or_forgets_it() {
    let mut town = Town::default();
    let [ada, ben, cy, dee] = town.people(["Ada", "Ben", "Cy", "Dee"]);
    let desk = town.group("Desk", &[ada, ben, cy, dee]);
    for who in [ben, cy, dee, ada] {
        town.commit(who, &desk, Change::SelfUpdate).unwrap();
        town.settle();
    }
    town.leave(dee, &desk).unwrap();
    town.settle();
    let account = town.account(ben);
    town.commit(ada, &desk, Change::RemoveAccount(account))
        .unwrap();
    town.settle();
    assert_eq!(rows(&town.devices[ben].connection), []);
    let connection = &town.devices[cy].connection;
    assert!(!rows(connection).is_empty());
    // Also when it cannot be read any more.
    connection
        .execute(
            "UPDATE openmls_group_data SET group_data = x'00' WHERE data_type = 'tree'",
            [],
        )
        .unwrap();
    crate::Group::forget(&crate::Provider::new(connection), &desk).unwrap();
    assert_eq!(rows(connection), []);
}

#[test]
fn who_comes_back_comes_back_as_a_plain_member() {
    let mut town = Town::default();
    let [ada, ben, cy] = town.people(["Ada", "Ben", "Cy"]);
    let desk = town.group("Desk", &[ada, ben, cy]);
    let ben_account = town.account(ben);
    town.commit(ada, &desk, Change::SetRole(ben_account, Role::Admin))
        .unwrap();
    town.settle();
    town.commit(ada, &desk, Change::RemoveAccount(ben_account))
        .unwrap();
    town.settle();
    town.add(ada, &desk, &[ben]);
    town.settle();
    town.agree(&desk, &[ada, ben, cy]);
    let role = town.devices[cy]
        .with(&desk, |group, _, _| Ok(group.settings().role(&ben_account)))
        .unwrap();
    assert_eq!(role, Role::Member);
}

#[test]
fn leaving_is_proposed_by_one_and_committed_by_another() {
    let mut town = Town::default();
    let [ada, ben, cy] = town.people(["Ada", "Ben", "Cy"]);
    let desk = town.group("Desk", &[ada, ben, cy]);
    let ben_account = town.account(ben);
    town.commit(ada, &desk, Change::SetRole(ben_account, Role::Admin))
        .unwrap();
    town.settle();

    town.leave(ben, &desk).unwrap();
    town.settle();
    // Nobody is silenced by it, neither the one who leaves nor the rest.
    town.say(ben, &desk, "goodbye");
    town.say(cy, &desk, "see you");
    town.settle();
    assert_eq!(town.heard(ben), ["Cy: see you"]);
    assert!(
        town.devices[cy]
            .with(&desk, |group, provider, _| group.has_leaves(provider))
            .unwrap()
    );
    // A plain member may commit it, and an admin's role goes with him.
    town.commit(cy, &desk, Change::AcceptLeaves).unwrap();
    town.settle();
    assert!(
        town.devices[ben]
            .take_events()
            .contains(&Event::Removed { by: cy })
    );
    town.agree(&desk, &[ada, cy]);
    let roles = town.devices[cy]
        .with(&desk, |group, _, _| Ok(group.settings().roles.len()))
        .unwrap();
    assert_eq!(roles, 1);
}

#[test]
fn any_commit_takes_a_leave_along_and_one_that_does_not_ends_it() {
    let mut town = Town::default();
    let [ada, ben, cy, dee] = town.people(["Ada", "Ben", "Cy", "Dee"]);
    let desk = town.group("Desk", &[ada, ben, cy]);
    town.leave(ben, &desk).unwrap();
    town.settle();
    town.add(ada, &desk, &[dee]);
    town.settle();
    town.agree(&desk, &[ada, cy, dee]);

    // Cy proposes, but Ada's commit was on its way already.
    let rename = town
        .stage(ada, &desk, Change::Rename("Desk 2".into()))
        .unwrap();
    town.leave(cy, &desk).unwrap();
    assert!(town.send_commit(ada, &rename));
    town.settle();
    town.agree(&desk, &[ada, cy, dee]);
    assert!(
        !town.devices[ada]
            .with(&desk, |group, provider, _| group.has_leaves(provider))
            .unwrap()
    );
    town.leave(cy, &desk).unwrap();
    town.settle();
    town.commit(dee, &desk, Change::AcceptLeaves).unwrap();
    town.settle();
    town.agree(&desk, &[ada, dee]);
}

#[test]
fn asking_twice_to_leave_is_as_good_as_once() {
    let mut town = Town::default();
    let [ada, ben, cy] = town.people(["Ada", "Ben", "Cy"]);
    let desk = town.group("Desk", &[ada, ben, cy]);
    town.leave(ben, &desk).unwrap();
    town.settle();
    // Ada commits with the first proposal, while the second is on its way.
    let pending = town.stage(ada, &desk, Change::AcceptLeaves).unwrap();
    town.leave(ben, &desk).unwrap();
    town.settle();
    assert!(town.send_commit(ada, &pending));
    town.settle();
    town.agree(&desk, &[ada, cy]);

    // And who is put out while asking to leave is out.
    town.leave(cy, &desk).unwrap();
    town.leave(cy, &desk).unwrap();
    town.settle();
    let account = town.account(cy);
    town.commit(ada, &desk, Change::RemoveAccount(account))
        .unwrap();
    town.settle();
    town.agree(&desk, &[ada]);
}

#[test]
fn the_only_owner_hands_over_before_leaving() {
    let mut town = Town::default();
    let [ada, ben] = town.people(["Ada", "Ben"]);
    let desk = town.group("Desk", &[ada, ben]);
    assert_eq!(
        town.leave(ada, &desk).unwrap_err().code(),
        Violation::NoOwner.code()
    );
    let (ada_account, ben_account) = (town.account(ada), town.account(ben));
    let abdicate = town.commit(ada, &desk, Change::SetRole(ada_account, Role::Member));
    assert_eq!(abdicate.unwrap_err().code(), Violation::NoOwner.code());
    town.commit(ada, &desk, Change::SetRole(ben_account, Role::Owner))
        .unwrap();
    town.settle();
    town.leave(ada, &desk).unwrap();
    town.settle();
    town.commit(ben, &desk, Change::AcceptLeaves).unwrap();
    town.settle();
    town.agree(&desk, &[ben]);
}

#[test]
fn a_direct_conversation_is_between_its_two_accounts() {
    let mut town = Town::default();
    let [ada, ben, cy] = town.people(["Ada", "Ben", "Cy"]);
    let chat = town.direct(ada, ben);
    let cy_package = town.key_package(cy, false);
    let code = |result: crate::Result<bool>| result.unwrap_err().code();
    let fixed = Violation::FixedMembers.code();
    assert_eq!(
        code(town.commit(ada, &chat, Change::Add(vec![cy_package]))),
        fixed
    );
    let ben_account = town.account(ben);
    assert_eq!(
        code(town.commit(ada, &chat, Change::RemoveAccount(ben_account))),
        fixed
    );
    assert_eq!(town.leave(ben, &chat).unwrap_err().code(), fixed);

    // Either side's further devices come in, added by either side.
    let (ada_2, ben_2) = (town.second_device(ada), town.second_device(ben));
    town.add(ada, &chat, &[ada_2]);
    town.settle();
    town.add(ada_2, &chat, &[ben_2]);
    town.settle();
    town.agree(&chat, &[ada, ben, ada_2, ben_2]);
    // And one's own device can be put out by another of one's own, not by the peer.
    let leaf = town.devices[ben]
        .with(&chat, |group, _, _| Ok(group.own_leaf()))
        .unwrap();
    assert_eq!(
        code(town.commit(ada, &chat, Change::Remove(vec![leaf]))),
        fixed
    );
    town.commit(ben_2, &chat, Change::Remove(vec![leaf]))
        .unwrap();
    town.settle();
    town.agree(&chat, &[ada, ada_2, ben_2]);
}

#[test]
fn notes_are_for_ones_own_devices() {
    let mut town = Town::default();
    let [ada, ben] = town.people(["Ada", "Ben"]);
    let notes = town.create(ada, Kind::Notes, "Notes", None);
    let ada_2 = town.second_device(ada);
    town.add(ada, &notes, &[ada_2]);
    town.settle();
    town.say(ada, &notes, "milk");
    town.settle();
    assert_eq!(town.heard(ada_2), ["Ada: milk"]);
    let package = town.key_package(ben, false);
    let result = town.commit(ada, &notes, Change::Add(vec![package]));
    assert_eq!(result.unwrap_err().code(), Violation::FixedMembers.code());
}

#[test]
fn two_hundred_messages_in_reverse_order_all_open() {
    let mut town = Town::default();
    let [ada, ben] = town.people(["Ada", "Ben"]);
    let chat = town.direct(ada, ben);
    town.devices[ben].take_events();
    for number in 0..200 {
        town.say(ada, &chat, &format!("message {number}"));
    }
    let mut items: Vec<_> = town.devices[ben].queue.drain(..).collect();
    items.reverse();
    town.devices[ben].queue.extend(items);
    town.settle();
    let heard = town.heard(ben);
    assert_eq!(heard.len(), 200);
    assert_eq!(heard[0], "Ada: message 199");
    assert_eq!(heard[199], "Ada: message 0");
}

#[test]
fn messages_of_the_last_three_epochs_open_late() {
    let mut town = Town::default();
    let [ada, ben, cy] = town.people(["Ada", "Ben", "Cy"]);
    let desk = town.group("Desk", &[ada, ben, cy]);
    let mut late = Vec::new();
    for step in 0..5 {
        town.say(cy, &desk, &format!("late {step}"));
        late.push(town.devices[ben].queue.pop_back().unwrap());
        town.settle();
        town.commit(ada, &desk, Change::SelfUpdate).unwrap();
        town.settle();
    }
    town.heard(ben);
    let events: Vec<_> = late.into_iter().map(|item| town.take(ben, item)).collect();
    let heard = |text: &str| Event::Heard {
        from: cy,
        text: text.into(),
    };
    assert_eq!(
        events,
        [
            Event::Skipped("too old"),
            Event::Skipped("too old"),
            heard("late 2"),
            heard("late 3"),
            heard("late 4"),
        ]
    );
}

#[test]
fn a_contact_link_is_proven_in_the_first_message() {
    use undertone_wire::secrets::LinkSecret;
    let mut town = Town::default();
    let [ada, ben] = town.people(["Ada", "Ben"]);
    let chat = town.direct(ada, ben);
    let secret = LinkSecret::random();
    let (epoch, proof) = town.devices[ada]
        .with(&chat, |group, provider, _| {
            Ok((group.epoch(), group.link_proof(provider, &secret)?))
        })
        .unwrap();
    let mut checks = |epoch: u64, secret: &LinkSecret| {
        town.devices[ben]
            .with(&chat, |group, provider, _| {
                group.verify_link_proof(provider, secret, epoch, &proof)
            })
            .unwrap()
    };
    assert!(checks(epoch, &secret));
    assert!(!checks(epoch, &LinkSecret::random()));
    assert!(!checks(epoch + 1, &secret));
    // Ben may be an epoch ahead when he reads it.
    town.commit(ben, &chat, Change::SelfUpdate).unwrap();
    town.settle();
    let still = town.devices[ben].with(&chat, |group, provider, _| {
        group.verify_link_proof(provider, &secret, epoch, &proof)
    });
    assert!(still.unwrap());
}

#[test]
fn a_joiner_fills_its_part_of_the_tree_once() {
    let mut town = Town::default();
    let [ada, ben, cy] = town.people(["Ada", "Ben", "Cy"]);
    let desk = town.group("Desk", &[ada, ben]);
    let needs = |town: &mut Town, who: usize| {
        town.devices[who]
            .with(&desk, |group, _, _| Ok(group.needs_path_update()))
            .unwrap()
    };
    assert!(needs(&mut town, ben));
    town.commit(ben, &desk, Change::SelfUpdate).unwrap();
    town.settle();
    assert!(!needs(&mut town, ben));
    assert!(!needs(&mut town, ada));
    town.add(ada, &desk, &[cy]);
    town.settle();
    assert!(needs(&mut town, cy));
    town.commit(cy, &desk, Change::SelfUpdate).unwrap();
    town.settle();
    assert!(![ada, ben, cy].into_iter().any(|who| needs(&mut town, who)));
}

#[test]
fn who_joined_by_a_last_resort_package_takes_a_new_address() {
    let mut town = Town::default();
    let [ada, ben, cy] = town.people(["Ada", "Ben", "Cy"]);
    let package = town.key_package(ben, true);
    // The same package serves twice.
    let one = town.group("One", &[ada]);
    town.commit(ada, &one, Change::Add(vec![package.clone()]))
        .unwrap();
    let two = town.group("Two", &[cy]);
    town.commit(cy, &two, Change::Add(vec![package])).unwrap();
    town.settle();
    town.agree(&one, &[ada, ben]);
    town.agree(&two, &[cy, ben]);
    let fresh = town.profile(ben).address;
    let expected = fresh.duplicate();
    town.devices[ben]
        .with(&one, |group, provider, _| {
            assert!(group.needs_path_update() && group.joined_by_last_resort());
            group.set_own_address(provider, fresh)
        })
        .unwrap();
    town.commit(ben, &one, Change::SelfUpdate).unwrap();
    town.settle();
    town.agree(&one, &[ada, ben]);
    let seen = town.devices[ada]
        .with(&one, |group, _, _| {
            Ok(group.members()?[1].address.duplicate())
        })
        .unwrap();
    assert!(seen == expected);
    assert!(
        !town.devices[ben]
            .with(&one, |group, _, _| Ok(group.joined_by_last_resort()))
            .unwrap()
    );
}

#[test]
fn removing_a_device_with_the_phrase_withdraws_the_old_signing_key() {
    use crate::{AccountRoot, DeviceKeys};
    let mut town = Town::default();
    let [ada, ben, cy] = town.people(["Ada", "Ben", "Cy"]);
    let stolen = town.second_device(ada);
    let desk = town.group("Desk", &[ben, ada, stolen, cy]);
    // The phrase makes generation 2; Ada's first device is certified again and removes the stolen one.
    let root = AccountRoot::from_phrase(&town.devices[ada].phrase);
    let next = root.device_signing_key(2);
    let keys = &mut town.devices[ada].keys;
    let certificate = next.certify(keys.device_id(), keys.certificate().device_key(), 1);
    keys.recertify(certificate).unwrap();
    let leaf = town.devices[stolen]
        .with(&desk, |group, _, _| Ok(group.own_leaf()))
        .unwrap();
    town.commit(ada, &desk, Change::Remove(vec![leaf])).unwrap();
    town.settle();
    town.agree(&desk, &[ben, ada, cy]);
    // Whoever holds the old signing key cannot bring a device in any more, whoever adds it.
    let thief = town.second_device(stolen);
    let package = town.key_package(thief, false);
    let result = town.commit(ben, &desk, Change::Add(vec![package]));
    assert_eq!(result.unwrap_err().code(), Violation::Generation.code());
    // The new one can.
    town.devices[thief].keys = DeviceKeys::generate(&next, 1);
    let package = town.key_package(thief, false);
    town.commit(ben, &desk, Change::Add(vec![package])).unwrap();
    town.settle();
    town.agree(&desk, &[ben, ada, cy, thief]);

    // The generation stays known when the leaf that showed it goes, as long as another of the account is there.
    let old = town.second_device(ada);
    town.devices[old].keys = DeviceKeys::generate(
        &AccountRoot::from_phrase(&town.devices[ada].phrase).device_signing_key(3),
        1,
    );
    let package = town.key_package(old, false);
    town.commit(ben, &desk, Change::Add(vec![package])).unwrap();
    town.settle();
    let leaf = town.devices[old]
        .with(&desk, |group, _, _| Ok(group.own_leaf()))
        .unwrap();
    town.commit(ben, &desk, Change::Remove(vec![leaf])).unwrap();
    town.settle();
    town.agree(&desk, &[ben, ada, cy, thief]);
    let package = {
        let late = town.second_device(thief);
        town.devices[late].keys = DeviceKeys::generate(&next, 1);
        town.key_package(late, false)
    };
    let result = town.commit(ben, &desk, Change::Add(vec![package]));
    assert_eq!(result.unwrap_err().code(), Violation::Generation.code());
}
