//! All members compute the same addresses, whatever happens in whatever order.

use proptest::prelude::*;

use super::town::Town;
use crate::{Change, GroupId};

#[derive(Debug, Clone)]
enum Act {
    Add(usize),
    Remove(usize),
    Update(usize),
    NewAddress(usize),
    Leave(usize),
    Race(usize, usize),
}

fn act() -> impl Strategy<Value = Act> {
    let who = 0..6usize;
    prop_oneof![
        who.clone().prop_map(Act::Add),
        who.clone().prop_map(Act::Remove),
        who.clone().prop_map(Act::Update),
        who.clone().prop_map(Act::NewAddress),
        who.clone().prop_map(Act::Leave),
        (who.clone(), who).prop_map(|(one, other)| Act::Race(one, other)),
    ]
}

struct Script {
    town: Town,
    desk: GroupId,
    inside: Vec<usize>,
    outside: Vec<usize>,
}

impl Script {
    fn new() -> Self {
        let mut town = Town::default();
        let people = town.people(["Ada", "Ben", "Cy", "Dee", "Eve", "Flo", "Gil"]);
        let desk = town.group("Desk", &people[..3]);
        Self {
            town,
            desk,
            inside: people[..3].to_vec(),
            outside: people[3..].to_vec(),
        }
    }

    /// Somebody inside, never the owner.
    fn guest(&self, pick: usize) -> Option<usize> {
        let guests = &self.inside[1..];
        (!guests.is_empty()).then(|| guests[pick % guests.len()])
    }

    fn anybody(&self, pick: usize) -> usize {
        self.inside[pick % self.inside.len()]
    }

    fn act(&mut self, act: &Act) {
        let (desk, owner) = (self.desk, self.inside[0]);
        match *act {
            Act::Add(pick) => {
                if self.outside.is_empty() {
                    return;
                }
                let who = self.outside.remove(pick % self.outside.len());
                self.town.add(owner, &desk, &[who]);
                self.inside.push(who);
            }
            Act::Remove(pick) => {
                let Some(who) = self.guest(pick) else { return };
                let account = self.town.account(who);
                self.town
                    .commit(owner, &desk, Change::RemoveAccount(account))
                    .unwrap();
                self.gone(who);
            }
            Act::Update(pick) => {
                self.town
                    .commit(self.anybody(pick), &desk, Change::SelfUpdate)
                    .unwrap();
            }
            Act::NewAddress(pick) => {
                let who = self.anybody(pick);
                let address = self.town.profile(who).address;
                self.town.devices[who]
                    .with(&desk, |group, provider, _| {
                        group.set_own_address(provider, address)
                    })
                    .unwrap();
                self.town.commit(who, &desk, Change::SelfUpdate).unwrap();
            }
            Act::Leave(pick) => {
                let Some(who) = self.guest(pick) else { return };
                self.town.leave(who, &desk).unwrap();
                self.town.settle();
                self.town
                    .commit(owner, &desk, Change::AcceptLeaves)
                    .unwrap();
                self.gone(who);
            }
            Act::Race(one, other) => {
                let (one, other) = (self.anybody(one), self.anybody(other));
                let first = self.town.stage(one, &desk, Change::SelfUpdate).unwrap();
                let Ok(second) = self.town.stage(other, &desk, Change::SelfUpdate) else {
                    self.town.send_commit(one, &first);
                    return;
                };
                assert!(self.town.send_commit(other, &second));
                assert!(!self.town.send_commit(one, &first));
            }
        }
    }

    fn gone(&mut self, who: usize) {
        self.inside.retain(|other| *other != who);
        self.outside.push(who);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn everybody_reaches_everybody_after_any_script(acts in prop::collection::vec(act(), 1..14)) {
        let mut script = Script::new();
        for act in &acts {
            script.act(act);
            script.town.settle();
            let inside = script.inside.clone();
            script.town.agree(&script.desk, &inside);
        }
        let desk = script.desk;
        let inside = script.inside.clone();
        let author = inside[0];
        script.town.say(author, &desk, "who hears me?");
        script.town.settle();
        for who in &inside[1..] {
            prop_assert!(script.town.heard(*who).contains(&"Ada: who hears me?".to_owned()));
        }
        for who in &script.outside {
            prop_assert!(!script.town.heard(*who).contains(&"Ada: who hears me?".to_owned()));
        }
        prop_assert_eq!(script.town.missed, 0);
    }
}
