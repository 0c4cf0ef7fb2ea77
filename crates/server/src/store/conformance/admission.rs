//! Invitations, tokens and the server's own records.

use super::*;

fn invited(owner: &Owner, code: InvitationHash) -> Registration {
    Registration {
        invitation: Some(code),
        invitation_required: true,
        ..owner.registration()
    }
}

fn stranger() -> Owner {
    Owner {
        queue: QueueId::random(),
        keys: HpkeKeyPair::generate().unwrap(),
        signing_key: random(),
    }
}

pub(crate) fn an_invitation_is_used_up(mut world: World) {
    let code = InvitationHash(random());
    world
        .store
        .create_invitation(Invitation {
            code,
            uses: 2,
            expires_s: None,
        })
        .wait()
        .unwrap();
    assert_eq!(world.counts().invitations, 1);
    let (ada, ben, eve) = (stranger(), stranger(), stranger());
    let uninvited = Registration {
        invitation_required: true,
        ..eve.registration()
    };
    assert_eq!(
        world.store.register(uninvited).wait(),
        Err(StoreError::InvitationRequired)
    );
    let wrong = invited(&eve, InvitationHash(random()));
    assert_eq!(
        world.store.register(wrong).wait(),
        Err(StoreError::InvitationUnknown)
    );
    world.store.register(invited(&ada, code)).wait().unwrap();
    world.store.register(invited(&ada, code)).wait().unwrap();
    world.restart();
    world.store.register(invited(&ben, code)).wait().unwrap();
    assert_eq!(
        world.store.register(invited(&eve, code)).wait(),
        Err(StoreError::InvitationUsed)
    );
    assert_eq!(world.counts().invitations, 0);
}

pub(crate) fn a_temporary_queue_holds_next_to_nothing_and_is_gone_in_two_days(mut world: World) {
    let ada = stranger();
    let registration = Registration {
        invitation_required: true,
        temporary: true,
        ..ada.registration()
    };
    world.store.register(registration.clone()).wait().unwrap();
    let address = |kind| (AddressHash::new(random()), kind);
    let conversation = vec![address(AddressKind::Conversation)];
    assert_eq!(
        world.store.create_addresses(ada.queue, conversation).wait(),
        Err(StoreError::Temporary)
    );
    let few = (0..3).map(|_| address(AddressKind::KeyPackage)).collect();
    assert_eq!(
        world.store.create_addresses(ada.queue, few).wait(),
        Err(StoreError::TooManyAddresses)
    );
    let many = (0..3).map(|_| AddressHash::new(random())).collect();
    assert_eq!(
        world.store.revoke_addresses(ada.queue, many).wait(),
        Err(StoreError::TooManyAddresses),
        "nor is it looked for more than it can have"
    );
    let one = address(AddressKind::KeyPackage);
    world
        .store
        .create_addresses(ada.queue, vec![one])
        .wait()
        .unwrap();
    // What waits for it is little, whatever its addresses could take.
    world.limit(|limits| {
        limits.key_package.items = 100;
        limits.temporary.items = 3;
    });
    let missed = |world: &World| !world.send("a word", &[one.0]).unwrap().missed.is_empty();
    assert_eq!(
        [(); 4].map(|()| missed(&world)),
        [false, false, false, true]
    );
    world.ack(&ada, 3);
    assert!(!missed(&world));
    // A restart forgets nothing of what it is.
    world.restart();
    let package = PublishKeyPackages {
        address: one.0,
        one_time: Vec::new(),
        last_resort: None,
    };
    assert_eq!(
        world.store.publish_key_packages(ada.queue, package).wait(),
        Err(StoreError::Temporary)
    );
    let invitation = Invitation {
        code: InvitationHash(random()),
        uses: 1,
        expires_s: None,
    };
    assert_eq!(
        world
            .store
            .create_own_invitation(ada.queue, invitation)
            .wait(),
        Err(StoreError::Temporary)
    );
    let tokens = |count| {
        world
            .store
            .take_token_allowance(ada.queue, count, 500)
            .wait()
    };
    assert_eq!(tokens(7), Err(StoreError::AllowanceSpent));
    let left = TokenAllowance {
        left: 0,
        temporary: true,
    };
    assert_eq!(tokens(6), Ok(left));
    // Signing in does not make it last, a day does not bring new tokens, and a restart changes nothing.
    world.pass_days(1);
    world.restart();
    world.store.sign_in(ada.queue).wait().unwrap();
    assert_eq!(
        world.store.take_token_allowance(ada.queue, 1, 500).wait(),
        Err(StoreError::AllowanceSpent)
    );
    assert_eq!(world.store.sweep().wait().unwrap().queues, 0);
    world.pass_days(1);
    assert_eq!(world.store.sweep().wait().unwrap().queues, 1);
    assert_eq!(world.counts().addresses, 0);
    assert_eq!(
        world.store.sign_in(ada.queue).wait().err(),
        Some(StoreError::UnknownQueue)
    );
}

pub(crate) fn temporary_queues_are_few(world: World) {
    let most = world.limits().temporary_queues;
    for _ in 0..most {
        let queue = Registration {
            temporary: true,
            ..stranger().registration()
        };
        world.store.register(queue).wait().unwrap();
    }
    let one_more = Registration {
        temporary: true,
        ..stranger().registration()
    };
    assert_eq!(
        world.store.register(one_more).wait(),
        Err(StoreError::TooManyTemporary)
    );
    world
        .store
        .register(stranger().registration())
        .wait()
        .unwrap();
}

/// Somebody without an invitation wants more than the few tokens of a temporary queue.
pub(crate) fn temporary_queues_are_not_made_and_deleted_for_their_tokens(mut world: World) {
    let make = |world: &World| {
        let queue = Registration {
            temporary: true,
            ..stranger().registration()
        };
        let id = queue.queue;
        world.store.register(queue).wait().map(|_| id)
    };
    // Those that were given none make room for others at once.
    for _ in 0..100 {
        let queue = make(&world).unwrap();
        world.store.delete_queue(queue).wait().unwrap();
    }
    let used = |world: &World| {
        let queue = make(world)?;
        world.store.take_token_allowance(queue, 6, 500).wait()?;
        world.store.delete_queue(queue).wait()
    };
    let most = world.limits().temporary_queues * 16;
    for _ in 0..most {
        used(&world).unwrap();
    }
    assert_eq!(used(&world), Err(StoreError::TooManyTemporary));
    world.pass_days(1);
    world.restart();
    world.store.sweep().wait().unwrap();
    assert_eq!(used(&world), Err(StoreError::TooManyTemporary));
    world.pass_days(1);
    assert_eq!(used(&world), Ok(()), "their days are over");
}

pub(crate) fn an_owner_brings_in_a_few_devices_a_day(mut world: World) {
    let ada = stranger();
    world.store.register(ada.registration()).wait().unwrap();
    let make = |world: &World, code| {
        let invitation = Invitation {
            code,
            uses: 1,
            expires_s: None,
        };
        world
            .store
            .create_own_invitation(ada.queue, invitation)
            .wait()
    };
    let first = InvitationHash(random());
    for _ in 0..10 {
        assert_eq!(make(&world, first), Ok(()), "asked again, it costs nothing");
    }
    for _ in 1..world.limits().invitations {
        assert_eq!(make(&world, InvitationHash(random())), Ok(()));
    }
    assert_eq!(
        make(&world, InvitationHash(random())),
        Err(StoreError::InvitationsSpent)
    );
    world.restart();
    let device = stranger();
    world
        .store
        .register(invited(&device, first))
        .wait()
        .unwrap();
    assert_eq!(
        world.store.register(invited(&stranger(), first)).wait(),
        Err(StoreError::InvitationUsed)
    );
    world.pass_days(1);
    assert_eq!(make(&world, InvitationHash(random())), Ok(()));
    assert_eq!(
        make(&world, first),
        Ok(()),
        "one that was used is not made anew"
    );
    assert_eq!(
        world.store.register(invited(&stranger(), first)).wait(),
        Err(StoreError::InvitationUsed)
    );
}

pub(crate) fn an_invitation_expires(world: World) {
    let code = InvitationHash(random());
    let invitation = Invitation {
        code,
        uses: 9,
        expires_s: Some(NOON + 60),
    };
    world.store.create_invitation(invitation).wait().unwrap();
    world.pass(Duration::from_secs(59));
    world
        .store
        .register(invited(&stranger(), code))
        .wait()
        .unwrap();
    world.pass(Duration::from_secs(1));
    assert_eq!(
        world.store.register(invited(&stranger(), code)).wait(),
        Err(StoreError::InvitationExpired)
    );
    world.pass_days(8);
    assert_eq!(world.store.sweep().wait().unwrap().invitations, 1);
}

pub(crate) fn a_failed_registration_uses_nothing_up(world: World) {
    let code = InvitationHash(random());
    world
        .store
        .create_invitation(Invitation {
            code,
            uses: 1,
            expires_s: None,
        })
        .wait()
        .unwrap();
    let ada = world.owner();
    let taken = Registration {
        signing_key: random(),
        ..invited(&ada, code)
    };
    assert_eq!(
        world.store.register(taken).wait(),
        Err(StoreError::QueueTaken)
    );
    world.parts.disk.set(0);
    assert_eq!(
        world.store.register(invited(&stranger(), code)).wait(),
        Err(StoreError::Full)
    );
    world.parts.disk.set(u64::MAX);
    assert!(
        world
            .store
            .register(invited(&stranger(), code))
            .wait()
            .is_ok()
    );
}

pub(crate) fn a_token_is_spent_once(mut world: World) {
    let tokens: Vec<TokenHash> = (0..3).map(|_| TokenHash(random())).collect();
    let today = Day(20_000);
    assert_eq!(
        world
            .store
            .spend_tokens(tokens[..2].to_vec(), today)
            .wait()
            .unwrap(),
        [true, true]
    );
    let again = vec![tokens[1], tokens[2], tokens[2]];
    assert_eq!(
        world.store.spend_tokens(again, today).wait().unwrap(),
        [false, true, false]
    );
    world.restart();
    assert_eq!(
        world
            .store
            .spend_tokens(tokens.clone(), today)
            .wait()
            .unwrap(),
        [false; 3]
    );
    assert_eq!(world.store.sweep().wait().unwrap().tokens, 0);
    world.pass_days(1);
    assert_eq!(world.store.sweep().wait().unwrap().tokens, 3);
    assert_eq!(world.counts().spent_tokens, 0);
}

pub(crate) fn the_days_allowance_is_limited(mut world: World) {
    let ada = world.owner();
    let take = |world: &World, count| {
        world
            .store
            .take_token_allowance(ada.queue, count, 10)
            .wait()
            .map(|allowance| allowance.left)
    };
    assert_eq!(take(&world, 0), Ok(10));
    assert_eq!(take(&world, 7), Ok(3));
    assert_eq!(take(&world, 4), Err(StoreError::AllowanceSpent));
    world.restart();
    assert_eq!(take(&world, 3), Ok(0));
    assert_eq!(take(&world, 0), Ok(0));
    world.pass_days(1);
    assert_eq!(take(&world, 1), Ok(9));
    assert_eq!(
        world
            .store
            .take_token_allowance(QueueId::random(), 0, 10)
            .wait(),
        Err(StoreError::UnknownQueue)
    );
}

pub(crate) fn records_are_kept(mut world: World) {
    assert_eq!(world.store.record("colour").wait().unwrap(), None);
    world
        .store
        .set_record("colour", b"red".to_vec())
        .wait()
        .unwrap();
    world
        .store
        .set_record("colour", b"blue".to_vec())
        .wait()
        .unwrap();
    world.restart();
    assert_eq!(
        world.store.record("colour").wait().unwrap().unwrap(),
        b"blue"
    );
}
