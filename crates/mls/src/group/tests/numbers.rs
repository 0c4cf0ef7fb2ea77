//! How many devices there may be.

use super::{
    cheat::Crime,
    hostile::{Desk, honest},
    town::Town,
};
use crate::{Change, DEVICES_OF_ACCOUNT, Error, PeerKeyPackage, Violation};

/// Key packages of new devices of somebody's account.
fn devices(town: &mut Town, of: usize, number: usize) -> Vec<PeerKeyPackage> {
    let devices: Vec<_> = (0..number).map(|_| town.second_device(of)).collect();
    let packages = devices.into_iter();
    packages
        .map(|device| town.key_package(device, false))
        .collect()
}

#[test]
fn a_member_brings_in_more_devices_than_an_account_may_have() {
    let mut desk = Desk::open();
    let cy = desk.cy;
    // With the one that is there it is one too many.
    let add = devices(&mut desk.town, cy, DEVICES_OF_ACCOUNT);
    let crime = Crime {
        add: add.into_iter().map(|added| added.key_package).collect(),
        ..Crime::default()
    };
    desk.refused(cy, crime, honest, Violation::TooMany);
}

#[test]
fn an_account_has_as_many_devices_as_it_may_have_and_no_more() {
    let mut town = Town::default();
    let [ada, ben] = town.people(["Ada", "Ben"]);
    let desk = town.group("Desk", &[ada, ben]);
    let all = devices(&mut town, ben, DEVICES_OF_ACCOUNT - 1);
    assert!(town.commit(ben, &desk, Change::Add(all)).unwrap());
    town.settle();
    let members = town.devices[ada]
        .with(&desk, |group, _, _| Ok(group.members()?.len()))
        .unwrap();
    assert_eq!(members, 1 + DEVICES_OF_ACCOUNT);
    let more = devices(&mut town, ben, 1);
    let refused = town.commit(ben, &desk, Change::Add(more));
    assert!(matches!(refused, Err(Error::Refused(Violation::TooMany))));
    // Ada's number is her own.
    let hers = devices(&mut town, ada, 1);
    assert!(town.commit(ada, &desk, Change::Add(hers)).unwrap());
}
