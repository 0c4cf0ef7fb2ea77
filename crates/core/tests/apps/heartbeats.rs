//! An unlock of one device puts the dead-man timer of another off, and nothing that a server does makes more of it.

use std::{sync::Arc, time::Duration};

use crate::fake::{FakeServer, LIMIT, Person, at_rest, eventually, passphrase};
use undertone_core::{
    Protection, ProtectionChange,
    home::{Sentinel, sentinel::DeadManRecord},
    kill::{
        KillAnswer, KillCode, KillSigner, KillTarget, SLOTS, Scope, Sender, SendingOptions, Watch,
    },
};
use undertone_mls::kill::{Generation, Heartbeat};

const DAY: u64 = 24 * 3600;

/// Two devices of Ada's, both within reach of the same kill code.
async fn two_devices(server: &FakeServer) -> (Person, Person, KillCode) {
    let ada = Person::new("Ada", server).await;
    let words = ada.client().new_kill_code().await.unwrap();
    eventually("the kill code reaches the first", || async {
        ada.client().kill_status().await.unwrap().armed
    })
    .await;
    let laptop = Person::links(&ada, "Ada's laptop", server).await;
    for device in [&ada, &laptop] {
        eventually("the kill code reaches both", || async {
            let status = device.client().kill_status().await.unwrap();
            status.armed && status.devices.len() == 1
        })
        .await;
    }
    (ada, laptop, KillCode::parse(words.words()).unwrap())
}

async fn protects(device: &Person, change: ProtectionChange) -> Protection {
    let client = device.client();
    client
        .set_protection(Some(passphrase()), change)
        .await
        .unwrap()
}

/// The laptop is wiped after 30 days, and hears of Ada at her other devices.
async fn listens(laptop: &Person) {
    let change = ProtectionChange {
        dead_man_days: Some(30),
        heartbeats: Some(true),
        ..ProtectionChange::default()
    };
    let now = protects(laptop, change).await;
    assert!(now.dead_man.heartbeats && now.dead_man.heard_s == 0);
}

fn record(device: &Person) -> DeadManRecord {
    Sentinel::load(&device.home).unwrap().dead_man
}

/// Nobody was there for so many days more.
fn passes(device: &Person, days: u64) {
    Sentinel::update(&device.home, |sentinel| {
        let record = &mut sentinel.dead_man;
        record.last_unlock -= days * DAY;
        record.ran += days * DAY;
        record.heartbeat = record.heartbeat.saturating_sub(days * DAY);
    })
    .unwrap();
}

async fn days_since(device: &Person) -> u64 {
    let now = device.client().protection().await.unwrap();
    now.dead_man.elapsed_s / DAY
}

/// The device with slot 1 refuses a command that is over: it was looked at after all that came before it.
async fn has_looked(sender: &Person, code: &KillCode, server: &FakeServer) {
    sender.clock().set_off_ms(-2 * 3600 * 1000);
    let mut sender = Sender::open(&sender.options(), &server.address)
        .await
        .unwrap();
    let targets = found(&mut sender, code).await;
    let over = SendingOptions {
        scope: Scope::Device,
        good_for: Duration::ZERO,
        wait: LIMIT,
    };
    let mine = targets.into_iter().filter(|target| target.number == 1);
    let said = sender
        .send(&code.signer(), mine.collect(), &over, |_| ())
        .await
        .unwrap();
    sender.close().await;
    assert!(
        matches!(said[0].answer, KillAnswer::Expired { .. }),
        "{said:?}"
    );
}

async fn found(sender: &mut Sender, code: &KillCode) -> Vec<KillTarget> {
    let slots = (0..SLOTS).map(|number| (number, code.seed().slot(number)));
    sender.find(slots.collect()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unlock_of_one_device_puts_the_timer_of_another_off_open_or_locked() {
    let server = FakeServer::new();
    let (mut ada, mut laptop, _) = two_devices(&server).await;
    listens(&laptop).await;
    at_rest(&server, &[&ada, &laptop]).await;

    passes(&laptop, 20);
    assert_eq!(days_since(&laptop).await, 20);
    ada.reopen().await;
    eventually("the open laptop hears of it", || async {
        days_since(&laptop).await == 0
    })
    .await;

    // Twenty days later the laptop lies there locked.
    let options = laptop.options();
    laptop.quit().await;
    let _watch = Watch::locked(&laptop.home, &options, Arc::new(|| ()));
    passes(&laptop, 20);
    let before = record(&laptop);
    ada.clock().pass_ms(7 * 3600 * 1000);
    ada.reopen().await;
    eventually("the locked laptop hears of it", || async {
        record(&laptop).heartbeat > before.heartbeat
    })
    .await;
    let after = record(&laptop);
    assert!(after.heartbeats, "a heartbeat wipes nothing");
    assert!(after.last_unlock >= before.last_unlock + 19 * DAY);
    assert_eq!(after.ran, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_server_plays_again_or_others_sign_puts_nothing_off() {
    let server = FakeServer::new();
    let (mut ada, laptop, code) = two_devices(&server).await;
    listens(&laptop).await;
    at_rest(&server, &[&ada, &laptop]).await;
    passes(&laptop, 1);
    let before = server.directs().len();
    ada.reopen().await;
    eventually("the laptop hears of it", || async {
        record(&laptop).heartbeat > 0
    })
    .await;
    let played = server.directs()[before..].to_vec();
    assert!(!played.is_empty());

    // Twenty days later the server plays it all again, as it was and damaged.
    Sentinel::update(&laptop.home, |sentinel| sentinel.dead_man.ran += 20 * DAY).unwrap();
    let slot = code.seed().slot(1);
    for payload in &played {
        server.send_direct(&slot.address(), payload.clone());
        let mut changed = payload.to_vec();
        changed[40] ^= 1;
        server.send_direct(&slot.address(), changed.into());
    }
    // Somebody who found the words, and somebody with a key of their own, say that Ada was there.
    let mut sender = Sender::open(&ada.options(), &server.address).await.unwrap();
    let generation: Generation = found(&mut sender, &code)
        .await
        .into_iter()
        .find(|target| target.number == 1)
        .unwrap()
        .generation;
    sender.close().await;
    let at_s = record(&laptop).heartbeat + 3600;
    for signer in [code.signer(), KillSigner::generate()] {
        let sealed = Heartbeat { at_s }
            .seal(&signer, &server.address.pin, &slot, &generation)
            .unwrap();
        server.send_direct(&slot.address(), sealed.into());
    }
    has_looked(&ada, &code, &server).await;
    assert_eq!(days_since(&laptop).await, 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn heartbeats_count_only_where_the_owner_said_so_with_the_passphrase() {
    let server = FakeServer::new();
    let ada = Person::new("Ada", &server).await;
    let on = ProtectionChange {
        heartbeats: Some(true),
        ..ProtectionChange::default()
    };
    let refused = ada.client().set_protection(Some(passphrase()), on).await;
    assert_eq!(refused.unwrap_err().code(), "kill.none");
    drop(ada);

    let (mut ada, laptop, _) = two_devices(&server).await;
    let refused = laptop.client().set_protection(None, on).await;
    assert_eq!(refused.unwrap_err().code(), "home.empty_passphrase");
    listens(&laptop).await;
    let off = ProtectionChange {
        heartbeats: Some(false),
        ..ProtectionChange::default()
    };
    assert!(!protects(&laptop, off).await.dead_man.heartbeats);
    at_rest(&server, &[&ada, &laptop]).await;
    let before = server.directs().len();
    passes(&laptop, 20);
    ada.reopen().await;
    at_rest(&server, &[&ada, &laptop]).await;
    assert_eq!(days_since(&laptop).await, 20);
    assert_eq!(server.directs().len(), before, "nobody is told either");
}
