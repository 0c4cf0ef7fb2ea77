//! A member cheats, and the server helps. Every other client must say no, and all must go on together.

use openmls::prelude::{
    BasicCredential, CredentialWithKey, Extension, Extensions, LeafNodeIndex, LeafNodeParameters,
    UnknownExtension,
};
use openmls_traits::OpenMlsProvider as _;

use super::{
    cheat::{Crime, Forged},
    town::{Event, Item, Town},
};
use crate::{
    Body, Change, ChannelPosition, DeviceKeys, EnvelopeKind, GroupId, HandedOn, PeerKeyPackage,
    Provider, Role, Settings, Violation,
    extension::{GROUP_EXTENSION, group_extensions},
};

/// Ada owns, Ben is an admin, Cy is a plain member and cheats, Dee looks on.
pub(super) struct Desk {
    pub(super) town: Town,
    pub(super) desk: GroupId,
    pub(super) ada: usize,
    pub(super) ben: usize,
    pub(super) cy: usize,
    dee: usize,
}

impl Desk {
    pub(super) fn open() -> Self {
        let mut town = Town::default();
        let [ada, ben, cy, dee] = town.people(["Ada", "Ben", "Cy", "Dee"]);
        let desk = town.group("Desk", &[ada, ben, cy, dee]);
        let admin = Change::SetRole(town.account(ben), Role::Admin);
        town.commit(ada, &desk, admin).unwrap();
        town.settle();
        for device in &mut town.devices {
            device.events.clear();
        }
        Self {
            town,
            desk,
            ada,
            ben,
            cy,
            dee,
        }
    }

    pub(super) fn settings(&mut self, change: impl FnOnce(&mut Settings)) -> Settings {
        let mut settings = self.town.devices[self.ada]
            .with(&self.desk, |group, _, _| Ok(group.settings.clone()))
            .unwrap();
        change(&mut settings);
        settings
    }

    fn leaf(&mut self, who: usize) -> LeafNodeIndex {
        let leaf = self.town.devices[who]
            .with(&self.desk, |group, _, _| Ok(group.own_leaf()))
            .unwrap();
        LeafNodeIndex::new(leaf)
    }

    /// `who` cheats; the others refuse it for `violation`, go to the same fallback channel and talk on.
    pub(super) fn refused(
        mut self,
        who: usize,
        crime: Crime,
        forge: impl FnOnce(&mut Forged),
        violation: Violation,
    ) {
        let desk = self.desk;
        self.town.cheat(who, &desk, crime, forge);
        self.town.settle();
        let honest: Vec<_> = [self.ada, self.ben, self.cy, self.dee]
            .into_iter()
            .filter(|one| *one != who)
            .collect();
        for one in &honest {
            assert_eq!(
                self.town.devices[*one].take_events(),
                [Event::Refused(violation.code())]
            );
        }
        self.goes_on(&honest);
    }

    fn goes_on(&mut self, honest: &[usize]) {
        let desk = self.desk;
        let position = |town: &Town, who: usize| town.devices[who].channel[&desk];
        let first = position(&self.town, honest[0]);
        assert_eq!(first.generation, 1);
        assert!(honest.iter().all(|who| position(&self.town, *who) == first));
        self.town.say(honest[0], &desk, "we go on");
        self.town
            .commit(honest[1], &desk, Change::SelfUpdate)
            .unwrap();
        self.town.settle();
        assert_eq!(
            self.town.heard(honest[1]),
            [format!("{}: we go on", self.town.devices[honest[0]].name)]
        );
        let epochs: Vec<_> = honest
            .iter()
            .map(|who| self.town.devices[*who].epoch(&desk))
            .collect();
        assert!(epochs.iter().all(|epoch| *epoch == epochs[0]));
    }
}

pub(super) fn add(package: PeerKeyPackage) -> Crime {
    Crime {
        add: vec![package.key_package],
        ..Crime::default()
    }
}

fn remove(leaf: LeafNodeIndex) -> Crime {
    Crime {
        remove: vec![leaf],
        ..Crime::default()
    }
}

pub(super) fn set(settings: &Settings) -> Crime {
    Crime {
        extensions: Some(group_extensions(settings).unwrap()),
        ..Crime::default()
    }
}

/// An update of the leaf to this certificate, under its own key.
fn show(certificate: Vec<u8>, keys: &DeviceKeys) -> Crime {
    let credential = CredentialWithKey {
        credential: BasicCredential::new(certificate).into(),
        signature_key: keys.credential().signature_key,
    };
    let leaf = LeafNodeParameters::builder()
        .with_credential_with_key(credential)
        .build();
    Crime {
        leaf: Some(leaf),
        ..Crime::default()
    }
}

pub(super) fn honest(_: &mut Forged) {}

#[test]
fn a_plain_member_adds_a_friend() {
    let mut desk = Desk::open();
    let friend = desk.town.person("Friend");
    let package = desk.town.key_package(friend, false);
    let cy = desk.cy;
    desk.refused(cy, add(package), honest, Violation::MayNotAdd);
}

#[test]
fn a_plain_member_removes_another() {
    let mut desk = Desk::open();
    let (cy, dee) = (desk.cy, desk.dee);
    let leaf = desk.leaf(dee);
    desk.refused(cy, remove(leaf), honest, Violation::MayNotRemove);
}

#[test]
fn an_admin_removes_the_owner() {
    let mut desk = Desk::open();
    let (ada, ben) = (desk.ada, desk.ben);
    let leaf = desk.leaf(ada);
    let account = desk.town.account(ada);
    let ben_account = desk.town.account(ben);
    let settings = desk.settings(|settings| {
        settings.roles.remove(&account);
        settings.roles.insert(ben_account, Role::Owner);
    });
    let crime = Crime {
        remove: vec![leaf],
        ..set(&settings)
    };
    desk.refused(ben, crime, honest, Violation::MayNotRemove);
}

#[test]
fn a_plain_member_takes_the_crown() {
    let mut desk = Desk::open();
    let cy = desk.cy;
    let account = desk.town.account(cy);
    let settings = desk.settings(|settings| {
        settings.roles.insert(account, Role::Owner);
    });
    desk.refused(cy, set(&settings), honest, Violation::MayNotChange);
}

#[test]
fn an_admin_takes_the_crown() {
    let mut desk = Desk::open();
    let ben = desk.ben;
    let account = desk.town.account(ben);
    let settings = desk.settings(|settings| {
        settings.roles.insert(account, Role::Owner);
    });
    desk.refused(ben, set(&settings), honest, Violation::MayNotChange);
}

#[test]
fn a_plain_member_renames_the_group() {
    let mut desk = Desk::open();
    let cy = desk.cy;
    let settings = desk.settings(|settings| settings.name = "Cy's".into());
    desk.refused(cy, set(&settings), honest, Violation::MayNotChange);
}

#[test]
fn an_owner_moves_the_first_channel() {
    let mut desk = Desk::open();
    let ada = desk.ada;
    let settings = desk.settings(|settings| settings.channel_id = crate::ChannelId::random());
    desk.refused(ada, set(&settings), honest, Violation::Settings);
}

#[test]
fn an_owner_gives_a_role_to_somebody_who_is_not_there() {
    let mut desk = Desk::open();
    let ada = desk.ada;
    let stranger = desk.town.person("Stranger");
    let account = desk.town.account(stranger);
    let settings = desk.settings(|settings| {
        settings.roles.insert(account, Role::Admin);
    });
    desk.refused(ada, set(&settings), honest, Violation::Settings);
}

#[test]
fn an_owner_claims_a_generation_that_nobody_has() {
    let mut desk = Desk::open();
    let (ada, ben) = (desk.ada, desk.ben);
    let account = desk.town.account(ben);
    let settings = desk.settings(|settings| {
        settings.generations.insert(account, 9);
    });
    desk.refused(ada, set(&settings), honest, Violation::Generation);
}

#[test]
fn an_owner_slips_in_what_older_clients_do_not_read() {
    let mut desk = Desk::open();
    let ada = desk.ada;
    let settings = desk.settings(|_| {});
    let mut extensions = group_extensions(&settings).unwrap();
    let bytes = extensions.unknown(GROUP_EXTENSION).unwrap().0.clone();
    let bytes = [bytes, vec![0x78, 1]].concat();
    extensions
        .add_or_replace(Extension::Unknown(GROUP_EXTENSION, UnknownExtension(bytes)))
        .unwrap();
    let crime = Crime {
        extensions: Some(extensions),
        ..Crime::default()
    };
    desk.refused(ada, crime, honest, Violation::Settings);
}

#[test]
fn an_update_puts_on_another_name() {
    let desk = Desk::open();
    let (cy, ada) = (desk.cy, desk.ada);
    // Ada's certificate on Cy's key: the certificate does not fit the key.
    let certificate = desk.town.devices[ada].keys.certificate().encode();
    let crime = show(certificate, &desk.town.devices[cy].keys);
    desk.refused(cy, crime, honest, Violation::Certificate);
}

#[test]
fn an_update_becomes_another_device_of_the_account() {
    let desk = Desk::open();
    let cy = desk.cy;
    // A certificate for the same key, but another device id.
    let device = &desk.town.devices[cy];
    let key = *device.keys.certificate().device_key();
    let certificate = device
        .signing_key
        .certify(crate::DeviceId::random(), &key, 0)
        .encode();
    let crime = show(certificate, &desk.town.devices[cy].keys);
    desk.refused(cy, crime, honest, Violation::Identity);
}

#[test]
fn an_update_drops_its_address() {
    let desk = Desk::open();
    let cy = desk.cy;
    let leaf = LeafNodeParameters::builder()
        .with_extensions(Extensions::empty())
        .build();
    desk.refused(
        cy,
        Crime {
            leaf: Some(leaf),
            ..Crime::default()
        },
        honest,
        Violation::Leaf,
    );
}

#[test]
fn nobody_signs_for_another() {
    let mut desk = Desk::open();
    let (cy, ada) = (desk.cy, desk.ada);
    let ada_leaf = desk.leaf(ada).u32();
    desk.refused(
        cy,
        Crime::default(),
        |forged| forged.envelope.sender_leaf = ada_leaf,
        Violation::EnvelopeSignature,
    );
}

#[test]
fn the_server_cannot_put_its_own_lock_on_a_right_commit() {
    let desk = Desk::open();
    let cy = desk.cy;
    desk.refused(
        cy,
        Crime::default(),
        |forged| forged.given_lock = [9; 32],
        Violation::EnvelopeSignature,
    );
}

#[test]
fn garbage_in_a_signed_envelope_names_its_sender() {
    let mut desk = Desk::open();
    let (ada, cy) = (desk.ada, desk.cy);
    let desk_id = desk.desk;
    desk.town.cheat(cy, &desk_id, Crime::default(), |forged| {
        forged.envelope.commit = b"nothing".to_vec().into()
    });
    let Some(Item::Commit {
        epoch,
        next_lock,
        payload,
        ..
    }) = desk.town.devices[ada].queue.front().cloned()
    else {
        panic!("a commit");
    };
    let account = desk.town.account(cy);
    let outcome = desk.town.devices[ada]
        .with(&desk_id, |group, provider, _| {
            let Ok(crate::Opened::Inline(body)) =
                group.open(provider, EnvelopeKind::Commit, epoch, &payload)
            else {
                panic!("opens");
            };
            group.process_commit(provider, epoch, &next_lock, &body)
        })
        .unwrap();
    let crate::CommitOutcome::Refused(refusal) = outcome else {
        panic!("refused")
    };
    assert_eq!(
        (refusal.violation, refusal.offender),
        (Violation::Framing, Some(account))
    );
}

#[test]
fn a_right_commit_with_a_wrong_lock_moves_all_to_a_fallback_channel_of_the_new_epoch() {
    let mut desk = Desk::open();
    let (ada, ben, cy, dee) = (desk.ada, desk.ben, desk.cy, desk.dee);
    let desk_id = desk.desk;
    let before = desk.town.devices[ada].epoch(&desk_id);
    desk.town.cheat(cy, &desk_id, Crime::default(), |forged| {
        forged.signed_lock = [9; 32];
        forged.given_lock = [9; 32];
    });
    desk.town.settle();
    for who in [ada, ben, dee] {
        let merged = Event::Merged {
            epoch: before + 1,
            own: false,
            fallback: true,
        };
        assert_eq!(desk.town.devices[who].take_events(), [merged]);
    }
    desk.goes_on(&[ada, ben, dee]);
}

#[test]
fn an_item_that_does_not_open_at_all_is_ignored_by_all() {
    let mut desk = Desk::open();
    let (ada, ben, cy, dee) = (desk.ada, desk.ben, desk.cy, desk.dee);
    let desk_id = desk.desk;
    let channel = desk.town.devices[cy].channel[&desk_id].channel_id;
    let (epoch, lock, addresses) = desk.town.devices[cy]
        .with(&desk_id, |group, provider, _| {
            Ok((group.epoch(), group.lock(provider)?, group.addresses()))
        })
        .unwrap();
    assert!(desk.town.accept(
        channel,
        epoch,
        &lock,
        [1; 32],
        vec![1; 600],
        &addresses,
        false
    ));
    desk.town.settle();
    for who in [ada, ben, cy, dee] {
        assert_eq!(
            desk.town.devices[who].take_events(),
            [Event::Refused(Violation::Envelope.code())]
        );
    }
    desk.goes_on(&[ada, ben, cy, dee]);
}

#[test]
fn a_pending_commit_survives_a_refused_one_and_is_sent_on_the_fallback_channel() {
    let mut desk = Desk::open();
    let (ada, ben, cy) = (desk.ada, desk.ben, desk.cy);
    let desk_id = desk.desk;
    let pending = desk
        .town
        .stage(ada, &desk_id, Change::Rename("Still mine".into()))
        .unwrap();
    let account = desk.town.account(cy);
    let settings = desk.settings(|settings| {
        settings.roles.insert(account, Role::Owner);
    });
    desk.town.cheat(cy, &desk_id, set(&settings), honest);
    assert!(!desk.town.send_commit(ada, &pending));
    desk.town.settle();
    assert!(desk.town.send_commit(ada, &pending));
    desk.town.settle();
    let name = desk.town.devices[ben]
        .with(&desk_id, |group, _, _| Ok(group.name().to_owned()))
        .unwrap();
    assert_eq!(name, "Still mine");
}

#[test]
fn nobody_proposes_that_another_leaves() {
    let mut desk = Desk::open();
    let (ada, ben, cy, dee) = (desk.ada, desk.ben, desk.cy, desk.dee);
    let desk_id = desk.desk;
    let leaf = desk.leaf(dee);
    let propose = |town: &mut Town,
                   act: &dyn Fn(
        &mut openmls::group::MlsGroup,
        &Provider<'_>,
        &DeviceKeys,
    ) -> Vec<u8>| {
        let (epoch, payload) = town.devices[cy]
            .with(&desk_id, |group, provider, keys| {
                let body = act(&mut group.mls, provider, keys);
                group.mls.clear_pending_proposals(provider.storage())?;
                let payload = group.seal(
                    provider,
                    EnvelopeKind::Application,
                    group.epoch(),
                    &Body::Inline(&body),
                )?;
                Ok((group.epoch(), payload))
            })
            .unwrap();
        assert!(town.send(cy, &desk_id, epoch, payload));
        town.settle();
    };
    propose(&mut desk.town, &|mls, provider, keys| {
        mls.propose_remove_member(provider, keys, leaf)
            .unwrap()
            .0
            .to_bytes()
            .unwrap()
    });
    for who in [ada, ben, dee] {
        assert_eq!(
            desk.town.devices[who].take_events(),
            [Event::Refused(Violation::NotOwnLeave.code())]
        );
    }
    // Nor any other kind of proposal.
    propose(&mut desk.town, &|mls, provider, keys| {
        mls.propose_self_update(provider, keys, LeafNodeParameters::default())
            .unwrap()
            .0
            .to_bytes()
            .unwrap()
    });
    for who in [ada, ben, dee] {
        assert_eq!(
            desk.town.devices[who].take_events(),
            [Event::Refused(Violation::Proposal.code())]
        );
    }
    assert!(
        !desk.town.devices[ada]
            .with(&desk_id, |group, provider, _| group.has_leaves(provider))
            .unwrap()
    );
}

#[test]
fn a_commit_refers_to_a_proposal_that_nobody_saw() {
    let mut desk = Desk::open();
    let (cy, dee) = (desk.cy, desk.dee);
    let desk_id = desk.desk;
    let leaf = desk.leaf(dee);
    // It stays in Cy's own queue, from which the commit takes it.
    desk.town.devices[cy]
        .with(&desk_id, |group, provider, keys| {
            group
                .mls
                .propose_remove_member(provider, keys, leaf)
                .unwrap();
            Ok(())
        })
        .unwrap();
    desk.refused(cy, Crime::default(), honest, Violation::MissingProposal);
}

#[test]
fn a_withdrawn_certificate_does_not_come_back_by_an_update() {
    use crate::AccountRoot;
    let mut desk = Desk::open();
    let (ada, ben, cy, dee) = (desk.ada, desk.ben, desk.cy, desk.dee);
    let desk_id = desk.desk;
    let device = &mut desk.town.devices[cy];
    let old = device.keys.certificate().encode();
    let next = AccountRoot::from_phrase(&device.phrase).device_signing_key(2);
    let newer = next.certify(
        device.keys.device_id(),
        device.keys.certificate().device_key(),
        0,
    );
    device.keys.recertify(newer).unwrap();
    desk.town.commit(cy, &desk_id, Change::SelfUpdate).unwrap();
    desk.town.settle();
    for who in [ada, ben, dee] {
        desk.town.devices[who].take_events();
    }
    let crime = show(old, &desk.town.devices[cy].keys);
    desk.refused(cy, crime, honest, Violation::Generation);
}

#[test]
fn a_welcome_does_not_replace_a_conversation_that_is_here() {
    let mut town = Town::default();
    let [ada, ben] = town.people(["Ada", "Ben"]);
    let chat = town.direct(ada, ben);
    // Ben keeps another of his key packages out there; Ada makes a fork of the group and adds him with it.
    let package = town.key_package(ben, false);
    let ben_account = town.account(ben);
    let bundle = town.devices[ada]
        .with(&chat, |group, provider, keys| {
            let leaf = group
                .members()?
                .into_iter()
                .find(|member| member.account == ben_account)
                .unwrap()
                .leaf;
            let bundle = group
                .mls
                .commit_builder()
                .propose_removals([LeafNodeIndex::new(leaf)])
                .propose_adds([package.key_package.clone()])
                .load_psks(provider.storage())
                .unwrap()
                .use_ratchet_tree_extension(true)
                .build(provider.rand(), provider.crypto(), keys, |_| true)
                .unwrap()
                .stage_commit(provider)
                .unwrap();
            let welcome = bundle.to_welcome_msg().unwrap().to_bytes().unwrap();
            group.mls.merge_pending_commit(provider).unwrap();
            let position = ChannelPosition {
                generation: 0,
                channel_id: *group.first_channel_id(),
                number: 2,
            };
            let pending = crate::PendingWelcome {
                recipients: Vec::new(),
                welcome,
            };
            group.welcome_bundle(provider, &pending, position, HandedOn::default())
        })
        .unwrap();
    assert_eq!(
        town.take(ben, Item::Welcome(bundle)),
        Event::Skipped("mls.group_exists")
    );
    assert_eq!(town.devices[ben].epoch(&chat), 1);
}
