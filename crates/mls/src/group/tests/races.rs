//! Two members commit at the same moment.

use super::town::{Event, Town};
use crate::{Change, Kind};

#[test]
fn fifty_times_two_commits_at_once_end_with_both_changes() {
    let mut town = Town::default();
    let [ada, ben] = town.people(["Ada", "Ben"]);
    let notes = town.create(ada, Kind::Direct, "", Some(ben));
    town.add(ada, &notes, &[ben]);
    town.settle();
    for round in 0..50u32 {
        let timer = Change::SetPolicy(crate::Policy::default().with_timer(round + 1));
        let first = town.stage(ada, &notes, timer).unwrap();
        let second = town.stage(ben, &notes, Change::SelfUpdate).unwrap();
        let (winner, loser) = if round % 2 == 0 {
            (ada, ben)
        } else {
            (ben, ada)
        };
        let (win, lose) = if winner == ada {
            (first, second)
        } else {
            (second, first)
        };
        assert!(town.send_commit(winner, &win));
        assert!(!town.send_commit(loser, &lose), "one channel, one order");
        town.settle();
        // The loser has seen the other's commit, and its own is gone.
        let pending = town.devices[loser]
            .with(&notes, |group, provider, _| group.pending(provider))
            .unwrap();
        assert!(pending.is_none());
        let again = if loser == ada {
            Change::SetPolicy(crate::Policy::default().with_timer(round + 1))
        } else {
            Change::SelfUpdate
        };
        assert!(town.commit(loser, &notes, again).unwrap());
        town.settle();
        town.agree(&notes, &[ada, ben]);
        for who in [ada, ben] {
            let (epoch, timer) = town.devices[who]
                .with(&notes, |group, _, _| {
                    Ok((group.epoch(), group.policy().timer_s))
                })
                .unwrap();
            assert_eq!((epoch, timer), (u64::from(round) * 2 + 3, round + 1));
        }
    }
}

#[test]
fn a_pending_commit_is_found_again_after_a_restart_and_one_at_a_time() {
    let mut town = Town::default();
    let [ada, ben] = town.people(["Ada", "Ben"]);
    let chat = town.direct(ada, ben);
    town.devices[ada].take_events();
    let staged = town.stage(ada, &chat, Change::SelfUpdate).unwrap();
    assert_eq!(
        town.stage(ada, &chat, Change::SelfUpdate)
            .err()
            .unwrap()
            .code(),
        "mls.commit_pending"
    );
    // `with` loads the group from the store each time, as a restart does.
    let found = town.devices[ada]
        .with(&chat, |group, provider, _| group.pending(provider))
        .unwrap()
        .unwrap();
    assert_eq!(
        (found.commit_hash, found.next_lock, &found.body),
        (staged.commit_hash, staged.next_lock, &staged.body)
    );
    // Messages go out meanwhile.
    town.say(ada, &chat, "while we wait");
    assert!(town.send_commit(ada, &found));
    town.settle();
    assert_eq!(
        town.devices[ada].take_events(),
        [
            Event::Own,
            Event::Merged {
                epoch: 2,
                own: true,
                fallback: false
            }
        ]
    );
    town.agree(&chat, &[ada, ben]);
    assert_eq!(town.heard(ben), ["Ada: while we wait"]);
}

#[test]
fn a_rolled_back_transaction_changes_nothing() {
    use crate::{Group, Provider};
    let mut town = Town::default();
    let [ada, ben] = town.people(["Ada", "Ben"]);
    let chat = town.direct(ada, ben);
    {
        let device = &mut town.devices[ada];
        let transaction = device.connection.transaction().unwrap();
        let provider = Provider::new(&transaction);
        let mut group = Group::load(&provider, &chat).unwrap().unwrap();
        group
            .stage_commit(&provider, &device.keys, Change::SelfUpdate)
            .unwrap();
        group
            .encrypt(&provider, &device.keys, b"never sent")
            .unwrap();
        // Dropped without commit.
    }
    assert!(
        town.devices[ada]
            .with(&chat, |group, provider, _| group.pending(provider))
            .unwrap()
            .is_none()
    );
    town.say(ada, &chat, "sent");
    town.commit(ada, &chat, Change::SelfUpdate).unwrap();
    town.settle();
    assert_eq!(town.heard(ben), ["Ada: sent"]);
    town.agree(&chat, &[ada, ben]);
}
