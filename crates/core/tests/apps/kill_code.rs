//! The kill code against a server that does what it likes.

use std::time::Duration;

use crate::fake::{
    FakeServer, LIMIT, Person, at_rest, eventually,
    killing::{DAY, answers, how, is_armed, is_wiped, kill, with_code},
    meet, passphrase,
};
use undertone_core::{
    DeviceState, Event, ProtectionChange,
    home::{
        HomeError, Sentinel,
        dead_man::{self, Moment},
    },
    kill::{KillAnswer, KillCode, KillTarget, Scope, Sender, SendingOptions, Watch},
};

#[tokio::test(flavor = "multi_thread")]
async fn the_words_alone_wipe_an_open_device() {
    let server = FakeServer::new();
    let (ada, ben) = (
        Person::new("Ada", &server).await,
        Person::new("Ben", &server).await,
    );
    meet(&ben, &ada).await;
    let code = with_code(&ada).await;
    let mut events = ada.client().events();
    let said = kill(&ben, &code, &server, &how(LIMIT)).await;
    assert_eq!(answers(&said), [KillAnswer::Wiped]);
    assert!(is_wiped(&ada.home));
    loop {
        match events.next().await {
            Some(Event::Wiped) => break,
            Some(_) => {}
            None => panic!("whoever has it open is not told"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_device_is_wiped_by_what_the_sentinel_holds() {
    let server = FakeServer::new();
    let (mut ada, ben) = (
        Person::new("Ada", &server).await,
        Person::new("Ben", &server).await,
    );
    let code = with_code(&ada).await;
    let options = ada.options();
    ada.quit().await;
    let (told, mut is_told) = tokio::sync::mpsc::channel(1);
    let _watch = Watch::locked(
        &ada.home,
        &options,
        std::sync::Arc::new(move || {
            let _ = told.try_send(());
        }),
    );
    let said = kill(&ben, &code, &server, &how(LIMIT)).await;
    assert_eq!(answers(&said), [KillAnswer::Wiped]);
    is_told.recv().await.unwrap();
    assert!(is_wiped(&ada.home));
    ada.fails_to_open("home.wiped").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_was_off_shows_no_message_before_it_is_wiped() {
    let server = FakeServer::new();
    let (mut ada, ben) = (
        Person::new("Ada", &server).await,
        Person::new("Ben", &server).await,
    );
    meet(&ben, &ada).await;
    let code = with_code(&ada).await;
    ada.settle().await;
    ada.quit().await;
    ben.says("Ada", "too late").await;
    ben.settle().await;
    let said = kill(&ben, &code, &server, &how(Duration::from_millis(200))).await;
    assert_eq!(answers(&said), [KillAnswer::Waiting]);
    ada.open().await;
    let mut events = ada.client().events();
    let started = ada.client().start().await;
    assert_eq!(started.unwrap_err().code(), "home.wiped");
    loop {
        match events.next().await {
            Some(Event::Wiped) => break,
            Some(Event::Message { .. }) => panic!("a message was shown first"),
            Some(_) => {}
            None => panic!("it ended without being wiped"),
        }
    }
    assert!(is_wiped(&ada.home));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_of_the_server_wipes_nobody_and_saves_nobody() {
    let server = FakeServer::new();
    let (mut ada, ben) = (
        Person::new("Ada", &server).await,
        Person::new("Ben", &server).await,
    );
    let code = with_code(&ada).await;
    let in_2099 = 2_300_000_000;
    server.set_clock_off_s(in_2099);
    ada.reopen().await;
    ada.settle().await;
    assert!(ada.client().kill_status().await.unwrap().armed);
    ada.quit().await;
    // A command for a day, which the server keeps for two by the device's clock, and then claims that it is still today.
    let said = kill(&ben, &code, &server, &how(Duration::from_millis(200))).await;
    assert_eq!(answers(&said), [KillAnswer::Waiting]);
    ada.clock().set_off_ms(2 * 24 * 3600 * 1000);
    server.set_clock_off_s(0);
    ada.reopen().await;
    ada.settle().await;
    assert!(!is_wiped(&ada.home), "it was over by the device's clock");
    // Another one counts, though the server claims that its end is long past.
    server.set_clock_off_s(in_2099);
    let long = SendingOptions {
        good_for: DAY * 30,
        ..how(LIMIT)
    };
    let said = kill(&ben, &code, &server, &long).await;
    assert_eq!(answers(&said), [KillAnswer::Wiped]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_and_a_contact_of_the_year_2099_neither_wipe_nor_stop_the_dead_man_timer() {
    let server = FakeServer::new();
    let (mut ada, ben) = (
        Person::new("Ada", &server).await,
        Person::new("Ben", &server).await,
    );
    meet(&ben, &ada).await;
    let on = ProtectionChange {
        dead_man_days: Some(30),
        ..ProtectionChange::default()
    };
    let client = ada.client();
    client.set_protection(Some(passphrase()), on).await.unwrap();
    let in_2099_s = 2_300_000_000;
    server.set_clock_off_s(in_2099_s);
    ben.clock().set_off_ms(in_2099_s * 1000);
    ben.says("Ada", "Happy new century!").await;
    ada.reads("Ben", &["Ben: Happy new century!"]).await;
    ada.reopen().await;
    ada.settle().await;
    let off_s = ada.client().status().await.unwrap().clock_off_s;
    assert!(
        off_s > in_2099_s / 2,
        "the server's clock was heard: {off_s}"
    );
    // As the app does while it runs: what a server says can only show that this clock was set back.
    let theirs = Moment::now().clock.saturating_add_signed(off_s);
    dead_man::heard_of_time(&ada.home, theirs, &Moment::now()).unwrap();
    let standing = dead_man::check(&ada.home, &Moment::now()).unwrap();
    assert!(standing.clock_set_back_s > 0);
    assert_eq!(standing.left_s.div_ceil(DAY.as_secs()), 30);
    assert!(ada.home.join("keys").exists());

    // Its own days count all the same.
    let passes = |days: u64| {
        Sentinel::update(&ada.home, |sentinel| {
            sentinel.dead_man.last_unlock -= days * DAY.as_secs();
            sentinel.dead_man.ran += days * DAY.as_secs();
        })
        .unwrap();
        dead_man::check(&ada.home, &Moment::now()).map(|now| now.left_s.div_ceil(DAY.as_secs()))
    };
    assert_eq!(passes(29), Ok(1));
    assert_eq!(passes(1), Err(HomeError::Wiped));
    assert!(is_wiped(&ada.home));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_sends_is_told_what_the_devices_clock_says() {
    let server = FakeServer::new();
    let (ada, ben) = (
        Person::new("Ada", &server).await,
        Person::new("Ben", &server).await,
    );
    let code = with_code(&ada).await;
    ada.clock().set_off_ms(2 * 24 * 3600 * 1000);
    let said = kill(&ben, &code, &server, &how(LIMIT)).await;
    let [KillAnswer::Expired { device_clock_s }] = answers(&said)[..] else {
        panic!("{said:?}");
    };
    let ahead = i64::try_from(device_clock_s).unwrap() * 1000
        - i64::try_from(
            std::time::SystemTime::now()
                .duration_since(std::time::UNIX_EPOCH)
                .unwrap()
                .as_millis(),
        )
        .unwrap();
    assert!((ahead - 2 * 24 * 3600 * 1000).abs() < 60_000, "{ahead}");
    assert!(!is_wiped(&ada.home));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_played_again_does_nothing_also_when_a_clock_is_set_back() {
    let server = FakeServer::new();
    let (ada, ben) = (
        Person::new("Ada", &server).await,
        Person::new("Ben", &server).await,
    );
    let code = with_code(&ada).await;
    ada.clock().set_off_ms(2 * 24 * 3600 * 1000);
    let before = server.directs().len();
    let said = kill(&ben, &code, &server, &how(LIMIT)).await;
    assert!(matches!(answers(&said)[..], [KillAnswer::Expired { .. }]));
    let played: Vec<_> = server.directs()[before..].to_vec();
    assert!(!played.is_empty());
    ada.clock().set_off_ms(0);
    let place = code.seed().slot(0).address();
    for payload in &played {
        // As it was, and with any byte of it changed.
        server.send_direct(&place, payload.clone());
        for place_of_change in [0, 5, 40, payload.len() - 1] {
            let mut changed = payload.to_vec();
            changed[place_of_change] ^= 1;
            server.send_direct(&place, changed.into());
        }
    }
    // What comes after it was looked at after it: nothing was done.
    let later = SendingOptions {
        good_for: Duration::ZERO,
        ..how(LIMIT)
    };
    ada.clock().set_off_ms(3600 * 1000);
    let said = kill(&ben, &code, &server, &later).await;
    assert!(
        matches!(answers(&said)[..], [KillAnswer::Expired { .. }]),
        "{said:?}"
    );
    assert!(!is_wiped(&ada.home));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_to_one_account_does_nothing_in_another() {
    let server = FakeServer::new();
    let (ada, ben) = (
        Person::new("Ada", &server).await,
        Person::new("Ben", &server).await,
    );
    let code = with_code(&ada).await;
    let bens = with_code(&ben).await;
    let before = server.directs().len();
    let said = kill(&ben, &code, &server, &how(LIMIT)).await;
    assert_eq!(answers(&said), [KillAnswer::Wiped]);
    for payload in &server.directs()[before..] {
        server.send_direct(&bens.seed().slot(0).address(), payload.clone());
    }
    let later = SendingOptions {
        good_for: Duration::ZERO,
        ..how(LIMIT)
    };
    ben.clock().set_off_ms(3600 * 1000);
    let said = kill(&ada, &bens, &server, &later).await;
    assert!(
        matches!(answers(&said)[..], [KillAnswer::Expired { .. }]),
        "{said:?}"
    );
    assert!(!is_wiped(&ben.home));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_begins_anew_is_not_reached_by_what_was_sent_before() {
    let server = FakeServer::new();
    let (ada, phrase) = Person::with_phrase("Ada", &server).await;
    let ben = Person::new("Ben", &server).await;
    let code = with_code(&ada).await;
    let laptop = Person::links(&ada, "Ada's laptop", &server).await;
    is_armed(&laptop).await;
    let ada_id = ada.client().account().await.unwrap().device_id;
    eventually("both know each other", || async {
        ada.client().devices().await.unwrap().len() == 2
            && laptop.client().kill_status().await.unwrap().devices.len() == 1
    })
    .await;
    let slot = || code.seed().slot(0);
    let mut sender = Sender::open(&ben.options(), &server.address).await.unwrap();
    let found = sender.find(vec![(0, slot())]).await.unwrap();
    let old = found[0].generation;
    let before = server.directs().len();
    let signer = code.signer();
    let said = sender
        .send(&signer, found, &how(LIMIT), |_| ())
        .await
        .unwrap();
    assert_eq!(answers(&said), [KillAnswer::Wiped]);
    assert!(is_wiped(&ada.home));
    let kept: Vec<_> = server.directs()[before..].to_vec();

    // A device that is linked later takes the same slot.
    laptop
        .client()
        .remove_device(&ada_id, Some(&phrase))
        .await
        .unwrap();
    laptop.settle().await;
    let phone = Person::links(&laptop, "Ada's phone", &server).await;
    is_armed(&phone).await;
    let found = sender.find(vec![(0, slot())]).await.unwrap();
    assert_eq!(found.len(), 1, "the slot is taken again");
    assert_ne!(found[0].generation, old);
    for payload in kept {
        server.send_direct(&slot().address(), payload);
    }
    let outdated = KillTarget {
        slot: slot(),
        generation: old,
        name: String::new(),
        number: 0,
    };
    let soon = how(Duration::from_millis(500));
    let said = sender.send(&signer, vec![outdated], &soon, |_| ()).await;
    assert_eq!(answers(&said.unwrap()), [KillAnswer::Waiting]);
    assert!(!is_wiped(&phone.home));
    let said = sender.send(&signer, found, &how(LIMIT), |_| ()).await;
    assert_eq!(answers(&said.unwrap()), [KillAnswer::Wiped]);
    assert!(is_wiped(&phone.home) && !is_wiped(&laptop.home));
    sender.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn own_devices_wipe_each_other_and_one_that_was_removed_can_not() {
    let server = FakeServer::new();
    let (ada, phrase) = Person::with_phrase("Ada", &server).await;
    let code = with_code(&ada).await;
    let laptop = Person::links(&ada, "Ada's laptop", &server).await;
    let phone = Person::links(&ada, "Ada's phone", &server).await;
    for device in [&ada, &laptop, &phone] {
        is_armed(device).await;
        eventually("the others are known", || async {
            device.client().kill_status().await.unwrap().devices.len() == 2
        })
        .await;
    }
    let id = |person: &Person| {
        let client = person.client().clone();
        async move { client.account().await.unwrap().device_id }
    };
    let (laptop_id, phone_id, ada_id) = (id(&laptop).await, id(&phone).await, id(&ada).await);
    let said = ada.client().kill_device(&laptop_id, LIMIT).await.unwrap();
    assert_eq!(said, KillAnswer::Wiped);
    assert!(is_wiped(&laptop.home) && !is_wiped(&phone.home) && !is_wiped(&ada.home));
    let own = ada.client().kill_device(&ada_id, LIMIT).await;
    assert_eq!(own.unwrap_err().code(), "device.own");

    ada.client()
        .remove_device(&phone_id, Some(&phrase))
        .await
        .unwrap();
    ada.settle().await;
    // What it signs counts for nobody any more. It may not have heard of its removal, and tries.
    let soon = Duration::from_secs(1);
    if let Ok(said) = phone.client().kill_device(&ada_id, soon).await {
        assert_ne!(said, KillAnswer::Wiped);
    }
    assert!(!is_wiped(&ada.home));
    // The words still reach it, wherever it is.
    let said = kill(
        &ada,
        &code,
        &server,
        &SendingOptions {
            scope: Scope::Device,
            ..how(LIMIT)
        },
    )
    .await;
    assert!(answers(&said).contains(&KillAnswer::Wiped));
    assert!(is_wiped(&phone.home));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_custodian_wipes_the_device_that_was_accepted_and_nothing_else() {
    let server = FakeServer::new();
    let (ada, ben) = (
        Person::new("Ada", &server).await,
        Person::new("Ben", &server).await,
    );
    let code = with_code(&ada).await;
    let custodian = KillCode::generate().unwrap();
    let key =
        undertone_core::kill::CustodianKey::new("Acme IT", custodian.signer().public()).unwrap();
    let ticket = ada
        .client()
        .accept_custodian(&key.to_string())
        .await
        .unwrap();
    let again = ada
        .client()
        .accept_custodian(&key.to_string())
        .await
        .unwrap();
    assert_eq!(ticket, again, "accepting twice changes nothing");
    eventually("they reach it", || async {
        let status = ada.client().kill_status().await.unwrap();
        status
            .custodians
            .iter()
            .any(|one| one.armed && one.name == "Acme IT")
    })
    .await;
    let ticket: undertone_core::kill::CustodianTicket = ticket.parse().unwrap();
    let slot = || undertone_core::kill::Slot::of(ticket.slot.duplicate());
    let mut sender = Sender::open(&ben.options(), &server.address).await.unwrap();
    // Somebody else with the ticket, the owner's own words in the custodian's place, and a custodian who wants more than the device.
    let soon = Duration::from_millis(500);
    for (words, scope) in [
        (&KillCode::generate().unwrap(), Scope::Device),
        (&code, Scope::Device),
        (&custodian, Scope::Devices),
        (&custodian, Scope::DevicesAndQueues),
    ] {
        let found = sender.find(vec![(0, slot())]).await.unwrap();
        let how = SendingOptions { scope, ..how(soon) };
        let said = sender
            .send(&words.signer(), found, &how, |_| ())
            .await
            .unwrap();
        assert_eq!(answers(&said), [KillAnswer::Waiting]);
        assert!(!is_wiped(&ada.home));
    }
    // Their words say nothing in the owner's slot.
    let slots = vec![(0, code.seed().slot(0))];
    let found = sender.find(slots).await.unwrap();
    let said = sender
        .send(&custodian.signer(), found, &how(soon), |_| ())
        .await
        .unwrap();
    assert_eq!(answers(&said), [KillAnswer::Waiting]);
    let found = sender.find(vec![(0, slot())]).await.unwrap();
    let right = SendingOptions {
        scope: Scope::Device,
        ..how(LIMIT)
    };
    let said = sender
        .send(&custodian.signer(), found, &right, |_| ())
        .await
        .unwrap();
    assert_eq!(answers(&said), [KillAnswer::Wiped]);
    assert!(is_wiped(&ada.home));
    sender.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_that_the_server_makes_is_never_shown() {
    let server = FakeServer::new();
    let (mut ada, ben) = (
        Person::new("Ada", &server).await,
        Person::new("Ben", &server).await,
    );
    let code = with_code(&ada).await;
    // A right receipt of an earlier device, which the server keeps.
    let before = server.directs().len();
    let other = Person::new("Cleo", &server).await;
    let others = with_code(&other).await;
    assert_eq!(
        answers(&kill(&ben, &others, &server, &how(LIMIT)).await),
        [KillAnswer::Wiped]
    );
    let kept: Vec<_> = server.directs()[before..].to_vec();
    ada.quit().await;
    let mut sender = Sender::open(&ben.options(), &server.address).await.unwrap();
    let found = sender.find(vec![(0, code.seed().slot(0))]).await.unwrap();
    assert_eq!(found.len(), 1);
    let mut heard = 0;
    let made = async {
        // The server knows the reply address only as a name, and can put what it likes there.
        tokio::time::sleep(Duration::from_millis(100)).await;
        for payload in &kept {
            server.answer_everybody(payload.clone());
        }
        server.answer_everybody(vec![7; kept[0].len()].into());
    };
    let signer = code.signer();
    let how = how(Duration::from_millis(800));
    let (said, ()) = tokio::join!(sender.send(&signer, found, &how, |_| heard += 1), made);
    assert_eq!(answers(&said.unwrap()), [KillAnswer::Waiting]);
    assert_eq!(heard, 0);
    sender.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wiped_device_is_removed_and_people_see_a_line_if_the_owner_chose_so() {
    let server = FakeServer::new();
    let (ada, ben) = (
        Person::new("Ada", &server).await,
        Person::new("Ben", &server).await,
    );
    meet(&ben, &ada).await;
    with_code(&ada).await;
    let laptop = Person::links(&ada, "Ada's laptop", &server).await;
    let phone = Person::links(&ada, "Ada's phone", &server).await;
    for device in [&ada, &laptop, &phone] {
        is_armed(device).await;
        eventually("the others are known", || async {
            device.client().kill_status().await.unwrap().devices.len() == 2
        })
        .await;
    }
    at_rest(&server, &[&ada, &laptop, &phone, &ben]).await;
    let id = |person: &Person| {
        let client = person.client().clone();
        async move { client.account().await.unwrap().device_id }
    };
    let (laptop_id, phone_id) = (id(&laptop).await, id(&phone).await);
    let gone = "Ada removed one of their devices.";
    let lines = || async {
        let notices = ben.notices("Ada").await;
        notices.iter().filter(|line| *line == gone).count()
    };

    let said = ada.client().kill_device(&laptop_id, LIMIT).await.unwrap();
    assert_eq!(said, KillAnswer::Wiped);

    // The phone's owner chooses it, and the other devices have it too.
    let on = ProtectionChange {
        remove_wiped: Some(true),
        ..ProtectionChange::default()
    };
    let now = phone.client().set_protection(None, on).await.unwrap();
    assert!(now.remove_wiped);
    eventually("the other device hears of it", || async {
        ada.client().protection().await.unwrap().remove_wiped
    })
    .await;
    let said = ada.client().kill_device(&phone_id, LIMIT).await.unwrap();
    assert_eq!(said, KillAnswer::Wiped);
    let devices = ada.client().devices().await.unwrap();
    let state = |wanted| devices.iter().find(|one| one.id == wanted).unwrap().state;
    assert_eq!(state(phone_id), DeviceState::RemovedWithoutPhrase);
    assert_eq!(
        state(laptop_id),
        DeviceState::InUse,
        "nobody is told unasked"
    );
    eventually("Ben sees it", || async { lines().await == 1 }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_only_device_says_that_it_is_wiped_if_its_owner_chose_so() {
    let server = FakeServer::new();
    let (ada, ben, cleo) = (
        Person::new("Ada", &server).await,
        Person::new("Ben", &server).await,
        Person::new("Cleo", &server).await,
    );
    meet(&ben, &ada).await;
    meet(&ben, &cleo).await;
    let code = with_code(&ada).await;
    let on = ProtectionChange {
        remove_wiped: Some(true),
        ..ProtectionChange::default()
    };
    ada.client().set_protection(None, on).await.unwrap();
    at_rest(&server, &[&ada, &ben, &cleo]).await;
    let line = |name| {
        format!("{name}: the device used here was wiped. It reads and writes nothing any more.")
    };

    // By the words, while it is open.
    let said = kill(&cleo, &code, &server, &how(LIMIT)).await;
    assert_eq!(answers(&said), [KillAnswer::Wiped]);
    assert!(is_wiped(&ada.home));
    eventually("Ben sees it", || async {
        ben.notices("Ada").await.contains(&line("Ada"))
    })
    .await;

    // And by hand, which tells nobody unless it was chosen.
    cleo.client().wipe().await.unwrap();
    assert!(is_wiped(&cleo.home));
    at_rest(&server, &[&ben]).await;
    assert!(!ben.notices("Cleo").await.contains(&line("Cleo")));
}
