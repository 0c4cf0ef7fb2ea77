//! Who may do what, as the group agreed: what is allowed goes through, and what is not is refused by everybody also when the server helps.

use super::{
    hostile::{Desk, add, honest, set},
    town::{Event, Town},
};
use crate::{Act, Change, Error, Policy, Role, Violation};

fn refused(outcome: Result<bool, Error>) -> Violation {
    match outcome {
        Err(Error::Refused(violation)) => violation,
        _ => panic!("not refused"),
    }
}

impl Desk {
    /// The owner sets the policy.
    fn agree_on(&mut self, policy: Policy) {
        let (ada, desk) = (self.ada, self.desk);
        let set = Change::SetPolicy(policy);
        self.town.commit(ada, &desk, set).unwrap();
        self.town.settle();
        for device in &mut self.town.devices {
            device.events.clear();
        }
    }
}

#[test]
fn a_plain_member_sets_how_long_messages_stay() {
    let mut desk = Desk::open();
    let cy = desk.cy;
    let settings = desk.settings(|settings| settings.policy.timer_s = 1);
    desk.refused(cy, set(&settings), honest, Violation::MayNotChange);
}

#[test]
fn a_plain_member_lets_everybody_do_everything() {
    for act in Act::ALL {
        let mut desk = Desk::open();
        let cy = desk.cy;
        let role = if act == Act::Post {
            Role::Owner
        } else {
            Role::Member
        };
        let settings =
            desk.settings(|settings| settings.policy = settings.policy.allowing(act, role));
        desk.refused(cy, set(&settings), honest, Violation::MayNotChange);
    }
}

#[test]
fn an_admin_takes_from_owners_what_is_theirs() {
    let mut desk = Desk::open();
    let ben = desk.ben;
    desk.agree_on(Policy::default().allowing(Act::Post, Role::Owner));
    let settings = desk
        .settings(|settings| settings.policy = settings.policy.allowing(Act::Post, Role::Member));
    desk.refused(ben, set(&settings), honest, Violation::MayNotChange);
}

#[test]
fn an_admin_keeps_owners_from_nothing() {
    let mut desk = Desk::open();
    let ben = desk.ben;
    let settings =
        desk.settings(|settings| settings.policy = settings.policy.allowing(Act::Pin, Role::Owner));
    desk.refused(ben, set(&settings), honest, Violation::MayNotChange);
}

#[test]
fn an_admin_adds_where_only_owners_may() {
    let mut desk = Desk::open();
    let ben = desk.ben;
    desk.agree_on(Policy::default().allowing(Act::Add, Role::Owner));
    let stranger = desk.town.person("Stranger");
    let group = desk.desk;
    let package = desk.town.key_package(stranger, false);
    let wanted = Change::Add(vec![desk.town.key_package(stranger, false)]);
    let outcome = desk.town.commit(ben, &group, wanted);
    assert_eq!(refused(outcome), Violation::MayNotAdd);
    desk.refused(ben, add(package), honest, Violation::MayNotAdd);
}

#[test]
fn an_admin_renames_where_only_owners_may() {
    let mut desk = Desk::open();
    let ben = desk.ben;
    desk.agree_on(Policy::default().allowing(Act::Rename, Role::Owner));
    let settings = desk.settings(|settings| settings.name = "Ben's".into());
    desk.refused(ben, set(&settings), honest, Violation::MayNotChange);
}

#[test]
fn members_do_what_they_were_given() {
    let mut town = Town::default();
    let [ada, ben, cy] = town.people(["Ada", "Ben", "Cy"]);
    let desk = town.group("Desk", &[ada, ben]);
    let mut policy = Policy::default().with_timer(60);
    for act in Act::ALL {
        policy = policy.allowing(act, Role::Member);
    }
    town.commit(ada, &desk, Change::SetPolicy(policy)).unwrap();
    town.settle();
    let package = town.key_package(cy, false);
    town.commit(ben, &desk, Change::Add(vec![package])).unwrap();
    town.settle();
    let timer = Change::SetPolicy(policy.with_timer(3600));
    town.commit(cy, &desk, timer).unwrap();
    town.settle();
    let name = Change::Rename("Ours".into());
    town.commit(cy, &desk, name).unwrap();
    town.settle();
    town.agree(&desk, &[ada, ben, cy]);
    let crown = Change::SetPolicy(policy.allowing(Act::Pin, Role::Admin));
    assert_eq!(
        refused(town.commit(cy, &desk, crown)),
        Violation::MayNotChange,
        "the policy itself is not theirs"
    );
}

#[test]
fn an_owner_hands_over_and_may_go() {
    let mut town = Town::default();
    let [ada, ben, cy] = town.people(["Ada", "Ben", "Cy"]);
    let desk = town.group("Desk", &[ada, ben, cy]);
    let (of_ada, of_ben) = (town.account(ada), town.account(ben));
    assert_eq!(
        refused(town.commit(ben, &desk, Change::HandOver(of_ada))),
        Violation::MayNotChange,
        "what is not one's own can't be handed over"
    );
    assert!(matches!(
        town.commit(ada, &desk, Change::HandOver(of_ada)),
        Err(Error::NothingToDo(_))
    ));
    town.commit(ada, &desk, Change::HandOver(of_ben)).unwrap();
    town.settle();
    town.agree(&desk, &[ada, ben, cy]);
    let roles = town.devices[cy]
        .with(&desk, |group, _, _| group.accounts())
        .unwrap();
    assert_eq!((roles[&of_ben], roles[&of_ada]), (Role::Owner, Role::Admin));
    for device in &mut town.devices {
        assert!(
            !device
                .take_events()
                .iter()
                .any(|event| matches!(event, Event::Refused(_)))
        );
    }
}
