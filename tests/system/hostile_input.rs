//! Damage on the way: in frames, in items, in what is inside of them. Refused with a code, nothing lost, no panic.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::json;
use undertone_mls::EnvelopeKind;
use undertone_tests::fault_proxy::{FaultProxy, Mangle, Script};
use undertone_tests::{
    Failed, Outcome, Person, ServerOptions, ServerProcess, Session, eventually, is_soak, written,
};
use undertone_wire::ids::{AddressHash, ChannelId, KeyPackageId, QueueId, SendId};
use undertone_wire::padding;
use undertone_wire::request::{
    AddressKind, ChannelCommit, ChannelControl, ChannelSend, CreateChannel, FromClient, NewAddress,
    PublishKeyPackages, Request, Role, SealedKeyPackage, Send, TakeKeyPackages,
};
use undertone_wire::secrets::{AddressSecret, ChannelKey};

use super::insider::{Accomplice, Insider};
use super::raw::{Fate, Raw, framed, hello};
use super::residents::{Resident, calm, meet};

const PATIENCE: Duration = Duration::from_secs(90);

fn rounds() -> u64 {
    if is_soak() { 10_000 } else { 1_000 }
}

fn open_to_all() -> Outcome<ServerProcess> {
    ServerProcess::start_with(ServerOptions {
        open: true,
        ..ServerOptions::default()
    })
}

/// The same damage on every run: a bit flipped, the end cut off, or both.
fn damage(bytes: &[u8], chance: &mut StdRng) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let kind = chance.random_range(0..4);
    if kind != 0 && !bytes.is_empty() {
        // Heads are short and matter most: half of the flips go there.
        let reach = if chance.random() {
            bytes.len().min(48)
        } else {
            bytes.len()
        };
        let at = chance.random_range(0..reach);
        bytes[at] ^= 1 << chance.random_range(0..8);
    }
    if kind == 0 || kind == 3 {
        bytes.truncate(chance.random_range(0..=bytes.len()));
    }
    bytes
}

/// One frame of every kind that a client sends on this kind of connection.
fn frames(role: Role, channel: ChannelId, address: &AddressSecret) -> Vec<Vec<u8>> {
    let payload = Bytes::from_static(b"this is not the message");
    let addresses = || vec![address.duplicate()];
    let send_id = SendId::random();
    let requests = match role {
        Role::Inbox => vec![
            Request::SignIn(undertone_wire::request::SignIn {
                queue_id: QueueId::random(),
                signature: [7; 64],
            }),
            Request::CreateAddresses(vec![NewAddress {
                address: address.hash(),
                kind: AddressKind::Conversation,
            }]),
            Request::RevokeAddresses(vec![AddressHash::random()]),
            Request::PublishKeyPackages(PublishKeyPackages {
                address: address.hash(),
                one_time: vec![SealedKeyPackage {
                    id: KeyPackageId::random(),
                    sealed: vec![3; 4096].into(),
                }],
                last_resort: None,
            }),
            Request::IssueTokens(vec![[9; 32]]),
            Request::Ping,
        ],
        Role::Outbox => vec![
            Request::TakeKeyPackages(TakeKeyPackages {
                send_id,
                addresses: addresses(),
            }),
            Request::Send(Send {
                send_id,
                payload: payload.clone(),
                addresses: addresses(),
                blob: None,
            }),
            Request::CreateChannel(CreateChannel {
                channel_id: ChannelId::random(),
                epoch: 0,
                lock: [1; 32],
                min_send_epoch: 0,
            }),
            Request::ChannelSend(ChannelSend {
                channel_id: channel,
                epoch: 0,
                send_id,
                payload: payload.clone(),
                addresses: addresses(),
            }),
            Request::ChannelCommit(ChannelCommit {
                channel_id: channel,
                epoch: 5,
                key: ChannelKey::random(),
                next_lock: [2; 32],
                payload: payload.clone(),
                addresses: addresses(),
                renames: Vec::new(),
                removes: true,
                blob: None,
            }),
            Request::ChannelControl(ChannelControl {
                channel_id: ChannelId::random(),
                send_id,
                payload,
                addresses: addresses(),
            }),
        ],
    };
    let mut all: Vec<_> = (1..)
        .zip(&requests)
        .map(|(id, one)| framed(&one.to_frame(id)))
        .collect();
    if role == Role::Inbox {
        all.push(framed(&FromClient::Credit(64).to_proto()));
        all.push(framed(&FromClient::Ack(u64::MAX).to_proto()));
    }
    all.push(hello(role));
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_frames_are_refused_with_a_code_and_the_server_goes_on() -> Outcome {
    let server = open_to_all()?;
    let at = server.origin_and_pin();
    let (ada, ben) = (
        Resident::join("Ada", &at).await,
        Resident::join("Ben", &at).await,
    );
    meet(&ada, &ben).await;
    let accomplice = Accomplice::at(&at).await;
    let (with_ben, with_ada) = (ada.chat("Ben").await.id, ben.chat("Ada").await.id);
    let channel = ChannelId::random();
    let create = Request::CreateChannel(CreateChannel {
        channel_id: channel,
        epoch: 0,
        lock: [1; 32],
        min_send_epoch: 0,
    });
    accomplice.ask(create).await.expect("a channel");

    let mut chance = StdRng::seed_from_u64(2026);
    let mut seen: BTreeMap<&'static str, u32> = BTreeMap::new();
    let mut closed = 0;
    let mut expected = Vec::new();
    let mut connections: BTreeMap<bool, Raw> = BTreeMap::new();
    for round in 0..rounds() {
        let inbox = round % 2 == 0;
        let role = if inbox { Role::Inbox } else { Role::Outbox };
        if round % 16 < 2 {
            // Before anything else was said.
            let mut raw = Raw::connect(&at).await;
            raw.say(damage(&hello(role), &mut chance)).await;
            drop(raw);
        }
        let mut raw = match connections.remove(&inbox) {
            Some(raw) => raw,
            None => Raw::open(&at, role).await,
        };
        let all = frames(role, channel, &AddressSecret::random());
        let whole = &all[chance.random_range(0..all.len())];
        match raw.damaged(damage(whole, &mut chance)).await {
            Fate::Open(codes) => {
                codes
                    .iter()
                    .for_each(|code| *seen.entry(code).or_default() += 1);
                connections.insert(inbox, raw);
            }
            Fate::Closed(codes) => {
                assert!(!codes.is_empty(), "round {round}: closed without a word");
                codes
                    .iter()
                    .for_each(|code| *seen.entry(code).or_default() += 1);
                closed += 1;
            }
        }
        if round % 100 == 99 {
            let words = format!("After {}", round + 1);
            ada.says(&with_ben, &words).await;
            expected.push(format!("Ada: {words}"));
        }
    }
    let expected: Vec<_> = expected.iter().map(String::as_str).collect();
    ben.reads(&with_ada, &expected).await;
    assert!(ben.notices(&with_ada).await.is_empty());
    eprintln!(
        "{} damaged frames, {closed} connections closed: {seen:?}",
        rounds()
    );
    assert!(
        seen.len() >= 5 && seen.contains_key("frame.malformed"),
        "{seen:?}"
    );
    assert_eq!(server.status()?["running"], true);
    assert!(!server.log_text().contains("panicked"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_items_cost_nobody_a_message() -> Outcome {
    let server = open_to_all()?;
    let at = server.origin_and_pin();
    let (mut ada, ben) = (
        Resident::join("Ada", &at).await,
        Resident::join("Ben", &at).await,
    );
    meet(&ada, &ben).await;
    calm(&[&ada, &ben]).await;
    let with_ada = ben.chat("Ada").await.id;
    ada.leave().await;
    // A server that does its worst, and a member who helps it: what is inside is damaged at every depth.
    let insider = Insider::open(&ada, "");
    let accomplice = Accomplice::at(&at).await;
    let mut chance = StdRng::seed_from_u64(7);
    let mut expected = Vec::new();
    let (mut number, mut damaged) = (0, 0);
    for block in 0..rounds() / 60 {
        let (sends, directs) = insider.inside(true, |inside| {
            let me = *inside.keys.account_id().as_bytes();
            let (mut sends, mut directs) = (Vec::new(), Vec::new());
            number += 1;
            let words = format!("Number {number}");
            let content = inside.content(&me, number, &words);
            let outgoing = inside.encrypt(&content);
            let (kind, epoch) = (outgoing.kind, outgoing.epoch);
            let whole = inside.seal(kind, epoch, &outgoing.body);
            for _ in 0..30 {
                // The item's payload; the MLS message in a right envelope; the content of a right message.
                sends.push(inside.send(epoch, damage(&whole, &mut chance).into()));
                let body = damage(&outgoing.body, &mut chance);
                let payload = inside.seal(EnvelopeKind::Application, epoch, &body);
                sends.push(inside.send(epoch, payload));
                let damaged = damage(&content, &mut chance);
                // What the damage does not touch would be a message as good as any.
                if undertone_content::MimiContent::decode(&damaged).is_err() {
                    let damaged = inside.encrypt(&damaged);
                    let payload = inside.seal(kind, damaged.epoch, &damaged.body);
                    sends.push(inside.send(epoch, payload));
                }
                // Outside the channel: garbage, and a body that says it is a Welcome or a request.
                let mut body = vec![0x0a, 60, if chance.random() { 0x0a } else { 0x12 }, 58];
                body.extend((0..58).map(|_| chance.random::<u8>()));
                let padded = padding::pad_payload(&damage(&body, &mut chance), 0);
                directs.push(Bytes::from(padded.expect("padded").to_vec()));
            }
            // The whole one, three times over.
            for _ in 0..3 {
                sends.push(inside.send(epoch, whole.clone()));
            }
            expected.push(format!("Ada: {words}"));
            (sends, directs)
        });
        let addresses = insider.inside(false, |inside| inside.group.addresses());
        for (send, payload) in sends.into_iter().zip(directs.into_iter().cycle()) {
            // An empty payload is refused by the server itself.
            damaged += u64::from(accomplice.send(send).await.is_ok());
            if block % 3 == 0 {
                let to = addresses.iter().map(AddressSecret::duplicate).collect();
                damaged += u64::from(accomplice.direct(to, payload).await.is_ok());
            }
        }
        // The whole ones are none.
        damaged -= 3;
    }
    assert!(damaged >= rounds(), "{damaged} damaged items were accepted");
    let expected: Vec<_> = expected.iter().map(String::as_str).collect();
    ben.reads(&with_ada, &expected).await;
    drop(insider);
    ada.come().await;
    let with_ben = ada.chat("Ben").await.id;
    ben.says(&with_ada, "Still here").await;
    super::residents::until("Ada reads on", || async {
        ada.lines(&with_ben)
            .await
            .iter()
            .any(|line| line == "Ben: Still here")
    })
    .await;
    let after = [&expected[..], &["Ben: Still here"]].concat();
    ben.reads(&with_ada, &after).await;
    Ok(())
}

/// Damages one message of so many, once it is told to.
struct Damage {
    on: AtomicBool,
    seen: AtomicU64,
    seed: u64,
}

impl Damage {
    fn new(seed: u64) -> Self {
        Self {
            on: AtomicBool::new(false),
            seen: AtomicU64::new(0),
            seed,
        }
    }

    fn fate(&self, message: &[u8], every: u64) -> Mangle {
        let number = self.seen.fetch_add(1, Ordering::Relaxed);
        if !self.on.load(Ordering::Relaxed) {
            return Mangle::No;
        }
        let mut chance = StdRng::seed_from_u64(self.seed.wrapping_mul(1_000_003) ^ number);
        if chance.random_range(0..every) != 0 {
            return Mangle::No;
        }
        match chance.random_range(0..4) {
            0 => Mangle::Truncate {
                keep: chance.random_range(0..message.len()),
            },
            _ => Mangle::Flip {
                bit: chance.random_range(0..message.len() * 8),
            },
        }
    }
}

impl Script for Damage {
    fn mangle_to_server(&self, message: &[u8]) -> Mangle {
        self.fate(message, 8)
    }

    fn mangle_to_app(&self, message: &[u8]) -> Mangle {
        self.fate(message, 8)
    }
}

struct Talk {
    server: ServerProcess,
    proxy: FaultProxy,
    ada: Session,
    ben: Session,
    with_ben: String,
    with_ada: String,
    _homes: [Person; 2],
}

impl Talk {
    fn through(script: Arc<dyn Script>) -> Outcome<Self> {
        let (server, proxy) = FaultProxy::before_a_server(ServerOptions::default(), script)?;
        let invitation = server.invitation(2)?;
        let ada = Person::join_hurried("Ada", &invitation)?;
        let ben = Person::join_hurried("Ben", &invitation)?;
        ada.meet(&ben)?;
        let (mut for_ada, mut for_ben) = (ada.rpc()?, ben.rpc()?);
        Ok(Self {
            with_ben: for_ada.chat("Ben")?,
            with_ada: for_ben.chat("Ada")?,
            server,
            proxy,
            ada: for_ada,
            ben: for_ben,
            _homes: [ada, ben],
        })
    }

    /// Both read all of it, once, in one order.
    fn agree(&mut self, expected: &[String]) -> Outcome {
        let mut wanted = expected.to_vec();
        wanted.sort();
        let (mut one, mut other) = (Vec::new(), Vec::new());
        // A damaged answer may ask for a pause, which is a minute at most.
        let read = eventually(3 * PATIENCE, "both reading all of it", || {
            one = written(&self.ada.lines(&self.with_ben)?);
            other = written(&self.ben.lines(&self.with_ada)?);
            let mut all = one.clone();
            all.sort();
            Ok((one == other && all == wanted).then_some(()))
        });
        let told = |_| {
            let sentence = format!("{wanted:#?} expected; Ada has {one:#?}, Ben has {other:#?}.");
            Failed::harness("reading on both sides", sentence)
        };
        read.map_err(told)
    }
}

#[test]
fn flipped_bits_are_refused_and_nothing_is_lost() -> Outcome {
    for seed in 0..if is_soak() { 20 } else { 1 } {
        let script = Arc::new(Damage::new(seed));
        let mut talk = Talk::through(script.clone())?;
        script.on.store(true, Ordering::Relaxed);
        let mut expected = Vec::new();
        for round in 0..15 {
            talk.ada.queue(&talk.with_ben, &format!("Ada {round}"))?;
            talk.ben.queue(&talk.with_ada, &format!("Ben {round}"))?;
            expected.push(format!("Ada: Ada {round}"));
            expected.push(format!("Ben: Ben {round}"));
            std::thread::sleep(Duration::from_millis(60));
        }
        // A damaged answer leaves an app waiting for the right one; a connection that ends sooner shortens that.
        let enough = eventually(PATIENCE, "enough damage", || {
            let number = expected.len();
            talk.ada.queue(&talk.with_ben, &format!("More {number}"))?;
            expected.push(format!("Ada: More {number}"));
            std::thread::sleep(Duration::from_millis(400));
            talk.proxy.cut();
            Ok((talk.proxy.tally.mangled.load(Ordering::Relaxed) >= 24).then_some(()))
        });
        enough?;
        script.on.store(false, Ordering::Relaxed);
        talk.proxy.cut();
        // What was damaged each time that it was fetched is passed over. That it is missing shows by what comes after it.
        talk.ada.queue(&talk.with_ben, "After that")?;
        talk.ben.queue(&talk.with_ada, "After that")?;
        expected.extend(["Ada: After that".to_owned(), "Ben: After that".to_owned()]);
        talk.agree(&expected)?;
        eprintln!(
            "seed {seed}: {} messages damaged",
            talk.proxy.tally.mangled.load(Ordering::Relaxed)
        );
        assert!(!talk.server.log_text().contains("panicked"));
        for session in [talk.ada, talk.ben] {
            session.end()?;
        }
    }
    Ok(())
}

#[test]
fn a_cut_connection_loses_nothing() -> Outcome {
    let mut chance = undertone_tests::chance("cutting connections");
    let mut talk = Talk::through(Arc::new(undertone_tests::fault_proxy::Pass))?;
    let mut expected = Vec::new();
    for round in 0..if is_soak() { 500 } else { 40 } {
        talk.ada.queue(&talk.with_ben, &format!("Ada {round}"))?;
        talk.ben.queue(&talk.with_ada, &format!("Ben {round}"))?;
        expected.push(format!("Ada: Ada {round}"));
        expected.push(format!("Ben: Ben {round}"));
        std::thread::sleep(Duration::from_millis(chance.random_range(0..80)));
        talk.proxy.cut();
    }
    talk.agree(&expected)?;
    let settled = talk.ada.call("sync.settle", &json!({}))?;
    assert_eq!(settled["outbox_left"], 0);
    Ok(())
}

/// Every message to either side is sent twice.
struct Twice(AtomicBool);

impl Script for Twice {
    fn mangle_to_app(&self, _: &[u8]) -> Mangle {
        if self.0.load(Ordering::Relaxed) {
            Mangle::Repeat
        } else {
            Mangle::No
        }
    }
}

#[test]
fn what_is_delivered_twice_is_read_once() -> Outcome {
    let script = Arc::new(Twice(AtomicBool::new(false)));
    let mut talk = Talk::through(script.clone())?;
    script.0.store(true, Ordering::Relaxed);
    let mut expected = Vec::new();
    for round in 0..10 {
        talk.ada.queue(&talk.with_ben, &format!("Ada {round}"))?;
        talk.ben.queue(&talk.with_ada, &format!("Ben {round}"))?;
        expected.push(format!("Ada: Ada {round}"));
        expected.push(format!("Ben: Ben {round}"));
    }
    talk.proxy.cut();
    eventually(PATIENCE, "repeating", || {
        Ok((talk.proxy.tally.mangled.load(Ordering::Relaxed) > 10).then_some(()))
    })?;
    script.0.store(false, Ordering::Relaxed);
    talk.proxy.cut();
    talk.agree(&expected)
}
