//! What goes with a device that is wiped.

use std::{sync::Arc, time::Duration};

use crate::fake::{
    FakeServer, LIMIT, Person, at_rest, eventually,
    killing::{answers, how, is_armed, is_wiped, kill, with_code},
    passphrase,
};
use undertone_core::{
    ProtectionChange,
    home::{
        HomeError,
        dead_man::{self, DeadManWarning, Moment},
    },
    kill::{CustodianKey, KillAnswer, KillCode, Scope, Sender, SendingOptions, Watch},
};
use undertone_wire::ids::QueueId;

/// The queues that came with something.
fn new_queues(server: &FakeServer, before: &[QueueId]) -> Vec<QueueId> {
    let mut now = server.queues();
    now.retain(|queue| !before.contains(queue));
    now
}

/// Those of them that are still there.
fn left(server: &FakeServer, queues: &[QueueId]) -> usize {
    let now = server.queues();
    queues.iter().filter(|queue| now.contains(queue)).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_mailboxes_go_with_the_devices_only_where_they_are_meant_too() {
    for scope in [Scope::Devices, Scope::DevicesAndQueues] {
        let server = FakeServer::new();
        let ben = Person::new("Ben", &server).await;
        let bens = server.queues();
        let ada = Person::new("Ada", &server).await;
        let main = new_queues(&server, &bens);
        let code = with_code(&ada).await;
        let own = new_queues(&server, &bens);
        assert_eq!((main.len(), own.len()), (1, 2), "messages' and kill queue");
        let how = SendingOptions {
            scope,
            ..how(LIMIT)
        };
        let said = kill(&ben, &code, &server, &how).await;
        assert_eq!(answers(&said), [KillAnswer::Wiped]);
        assert!(is_wiped(&ada.home));
        let stay = usize::from(scope == Scope::Devices);
        eventually("the queues go", || async { left(&server, &own) == stay }).await;
        assert_eq!(
            left(&server, &main),
            stay,
            "the kill queue goes in any case"
        );
        assert_eq!(left(&server, &bens), 1, "and nobody else's");
        // What Ada's account was on the server is found by nobody.
        let sender = Sender::open(&ben.options(), &server.address).await.unwrap();
        let found = sender.find(vec![(0, code.seed().slot(0))]).await.unwrap();
        assert!(found.is_empty());
        sender.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_device_loses_what_it_has_the_keys_of_and_its_mailbox_ends_by_itself() {
    let server = FakeServer::new();
    let ben = Person::new("Ben", &server).await;
    let bens = server.queues();
    let mut ada = Person::new("Ada", &server).await;
    let main = new_queues(&server, &bens);
    let code = with_code(&ada).await;
    let own = new_queues(&server, &bens);
    let options = ada.options();
    ada.quit().await;
    let _watch = Watch::locked(&ada.home, &options, Arc::new(|| ()));
    let how = SendingOptions {
        scope: Scope::DevicesAndQueues,
        ..how(LIMIT)
    };
    let said = kill(&ben, &code, &server, &how).await;
    assert_eq!(answers(&said), [KillAnswer::Wiped]);
    assert!(is_wiped(&ada.home));
    eventually("the kill queue goes", || async { left(&server, &own) == 1 }).await;
    assert_eq!(left(&server, &main), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_device_is_wiped_and_the_others_go_on_and_then_all_of_them() {
    let server = FakeServer::new();
    let ben = Person::new("Ben", &server).await;
    let ada = Person::new("Ada", &server).await;
    let code = with_code(&ada).await;
    let laptop = Person::links(&ada, "Ada's laptop", &server).await;
    let phone = Person::links(&ada, "Ada's phone", &server).await;
    for device in [&ada, &laptop, &phone] {
        is_armed(device).await;
    }
    at_rest(&server, &[&ada, &laptop, &phone]).await;
    let mut sender = Sender::open(&ben.options(), &server.address).await.unwrap();
    let slots = (0..3).map(|number| (number, code.seed().slot(number)));
    let mut found = sender.find(slots.collect()).await.unwrap();
    assert_eq!(found.len(), 3);
    found.retain(|target| target.name == "Ada's laptop");
    let one = SendingOptions {
        scope: Scope::Device,
        ..how(LIMIT)
    };
    let said = sender
        .send(&code.signer(), found, &one, |_| ())
        .await
        .unwrap();
    sender.close().await;
    assert_eq!(answers(&said), [KillAnswer::Wiped]);
    assert!(is_wiped(&laptop.home) && !is_wiped(&ada.home) && !is_wiped(&phone.home));

    let all = SendingOptions {
        scope: Scope::DevicesAndQueues,
        ..how(LIMIT)
    };
    let said = kill(&ben, &code, &server, &all).await;
    assert_eq!(answers(&said), [KillAnswer::Wiped, KillAnswer::Wiped]);
    assert!(is_wiped(&ada.home) && is_wiped(&phone.home));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wipe_that_has_begun_is_finished_though_nobody_waits_for_it() {
    let server = FakeServer::new();
    let ada = Person::new("Ada", &server).await;
    // As when the page that asked for it is told that there is nothing to see any more, and goes.
    let asked = tokio::time::timeout(Duration::ZERO, ada.client().wipe()).await;
    assert!(asked.is_err(), "it was not even begun");
    eventually("all of it goes", || async { is_wiped(&ada.home) }).await;
    eventually("the queue goes too", || async {
        server.queues().is_empty()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_custodian_is_seen_for_ever_after_it_was_accepted() {
    let server = FakeServer::new();
    let mut ada = Person::new("Ada", &server).await;
    with_code(&ada).await;
    let mut accepted = Vec::new();
    for name in ["Acme IT", "The lawyer"] {
        let words = KillCode::generate().unwrap();
        let key = CustodianKey::new(name, words.signer().public()).unwrap();
        let ticket = ada.client().accept_custodian(&key.to_string()).await;
        ticket.unwrap();
        accepted.push(name);
        let seen = async |ada: &Person| {
            let status = ada.client().kill_status().await.unwrap();
            let mut names: Vec<_> = status.custodians.into_iter().map(|one| one.name).collect();
            names.sort();
            names
        };
        assert_eq!(seen(&ada).await, accepted);
        // Locked and opened, and with another kill code.
        ada.reopen().await;
        assert_eq!(seen(&ada).await, accepted);
        with_code(&ada).await;
        ada.reopen().await;
        eventually("the custodians reach the device as before", || async {
            let status = ada.client().kill_status().await.unwrap();
            status.custodians.iter().all(|one| one.armed)
        })
        .await;
        assert_eq!(seen(&ada).await, accepted);
    }
}

/// With full power over the server a command can be kept back, and that is all.
#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_the_server_keeps_back_only_waits_for_the_dead_man_timer() {
    let server = FakeServer::new();
    let ben = Person::new("Ben", &server).await;
    let bens = server.queues();
    let ada = Person::new("Ada", &server).await;
    let main = new_queues(&server, &bens);
    let code = with_code(&ada).await;
    let change = ProtectionChange {
        dead_man_days: Some(30),
        ..ProtectionChange::default()
    };
    let set = ada.client().set_protection(Some(passphrase()), change);
    set.await.unwrap();
    for queue in new_queues(&server, &bens) {
        if !main.contains(&queue) {
            server.hold(queue);
        }
    }
    let said = kill(&ben, &code, &server, &how(Duration::from_millis(500))).await;
    assert_eq!(answers(&said), [KillAnswer::Waiting]);
    let now = Moment::now();
    let after = |days: u64| Moment {
        clock: now.clock + days * 86_400,
        uptime: now.uptime + days * 86_400,
        ..now
    };
    let standing = dead_man::check(&ada.home, &after(29)).unwrap();
    assert_eq!(standing.warning, DeadManWarning::Today);
    assert!(!is_wiped(&ada.home), "the server keeps it back");
    let due = dead_man::check(&ada.home, &after(31));
    assert_eq!(due.err(), Some(HomeError::Wiped));
    assert!(!ada.home.join("keys").exists());
}
