//! What a server, or somebody with another code, can do with commands and receipts: nothing.

#![allow(clippy::unwrap_used)]

use undertone_wire::{
    ids::Pin,
    secrets::{AddressSecret, Secret},
};

use super::*;
use crate::Error;

struct Scene {
    code: KillCode,
    pin: Pin,
    generation: Generation,
}

impl Scene {
    fn new() -> Self {
        Self {
            code: KillCode::generate().unwrap(),
            pin: Pin::random(),
            generation: Slot::generation(),
        }
    }

    fn slot(&self) -> Slot {
        self.code.seed().slot(3)
    }

    fn open(&self, payload: &[u8]) -> std::result::Result<Command, Refused> {
        let known = self.code.signer().public();
        Command::open(payload, &self.pin, &self.slot(), &self.generation, |key| {
            *key == known
        })
    }

    fn sealed(&self, order: &Order) -> SealedCommand {
        order
            .seal(
                &self.code.signer(),
                &self.pin,
                &self.slot(),
                &self.generation,
            )
            .unwrap()
    }
}

fn order(scope: Scope) -> Order {
    Order {
        scope,
        counter: 7,
        expires_s: 2_000_000_000,
        reply: AddressSecret::random(),
        reply_key: Secret::random(),
    }
}

fn refused(outcome: std::result::Result<Command, Refused>) -> Refused {
    match outcome {
        Ok(_) => panic!("it was taken for a command"),
        Err(refused) => refused,
    }
}

#[test]
fn the_words_say_where_and_what_and_nothing_else_does() {
    let code = KillCode::generate().unwrap();
    let again = KillCode::parse(&code.words().to_uppercase()).unwrap();
    assert_eq!(code.signer().public(), again.signer().public());
    for number in 0..SLOTS {
        assert!(
            code.seed().slot(number).address() == again.seed().slot(number).address(),
            "slot {number}"
        );
    }
    let mut addresses: Vec<_> = (0..SLOTS)
        .map(|number| *code.seed().slot(number).address().hash().as_bytes())
        .collect();
    addresses.sort_unstable();
    addresses.dedup();
    assert_eq!(addresses.len(), SLOTS as usize);
    let root =
        crate::AccountRoot::from_phrase(&crate::RecoveryPhrase::parse(code.words()).unwrap());
    let other = KillCode::generate().unwrap();
    assert_ne!(other.signer().public(), code.signer().public());
    // The same words as a recovery phrase give another key: neither opens anything of the other.
    assert_ne!(
        *root.account_id().as_bytes(),
        *crate::account::account_id(&code.signer().public()).as_bytes()
    );
}

/// Frozen: words on paper must work with every later version.
#[test]
fn words_of_today_work_for_ever() {
    let words = "legal winner thank year wave sausage worth useful legal winner thank yellow";
    let code = KillCode::parse(words).unwrap();
    let hex = |bytes: &[u8]| {
        bytes
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    };
    assert_eq!(
        hex(&code.signer().public()),
        "53f2a4733aa076b2f0c12d04de01792d0ac7fc7bd673e6d21c43afa2be9f438b"
    );
    assert_eq!(
        hex(code.seed().slot(31).address().hash().as_bytes()),
        "b7f836111450b5edbf85897689fa5a56d6996f80d64d93b970088398738c3fd4"
    );
}

#[test]
fn a_command_comes_as_it_was_given() {
    let scene = Scene::new();
    let order = order(Scope::DevicesAndQueues);
    let sealed = scene.sealed(&order);
    let command = scene.open(&sealed.payload).unwrap();
    assert_eq!(command.order.scope, Scope::DevicesAndQueues);
    assert_eq!(
        (command.order.counter, command.order.expires_s),
        (7, 2_000_000_000)
    );
    assert!(command.order.reply == order.reply);
    assert_eq!(command.id, sealed.id);
    assert_eq!(command.signer, scene.code.signer().public());
}

#[test]
fn every_command_has_the_same_size() {
    let scene = Scene::new();
    let mut long = order(Scope::Devices);
    (long.counter, long.expires_s) = (u64::MAX, u64::MAX);
    let mut short = order(Scope::Device);
    (short.counter, short.expires_s) = (0, 0);
    let sizes = [
        scene.sealed(&long).payload.len(),
        scene.sealed(&short).payload.len(),
    ];
    assert_eq!(sizes[0], sizes[1]);
    assert_eq!(sizes[0], undertone_wire::padding::PAYLOAD_CLASSES[0]);
}

#[test]
fn a_changed_command_is_nothing() {
    let scene = Scene::new();
    let sealed = scene.sealed(&order(Scope::Device)).payload;
    for place in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[place] ^= 1;
        assert_eq!(refused(scene.open(&changed)), Refused::Sealed);
    }
    for length in [0, 11, 12, 27, 28, sealed.len() - 1] {
        assert_eq!(refused(scene.open(&sealed[..length])), Refused::Sealed);
    }
}

#[test]
fn a_forged_command_is_nothing_even_from_who_knows_the_seed() {
    let scene = Scene::new();
    // A device that was stolen and opened knows the seed, so what it seals opens. It has no key that counts.
    let thief = KillSigner::generate();
    let forged = order(Scope::Device)
        .seal(&thief, &scene.pin, &scene.slot(), &scene.generation)
        .unwrap();
    assert_eq!(refused(scene.open(&forged.payload)), Refused::Signature);
    let other = KillCode::generate().unwrap();
    let foreign = order(Scope::Device)
        .seal(
            &other.signer(),
            &scene.pin,
            &other.seed().slot(3),
            &scene.generation,
        )
        .unwrap();
    assert_eq!(refused(scene.open(&foreign.payload)), Refused::Sealed);
}

#[test]
fn a_command_is_for_one_server_slot_generation_and_scope() {
    let scene = Scene::new();
    let sealed = scene.sealed(&order(Scope::Device)).payload;
    let may = |_: &[u8; 32]| true;
    let slot = scene.slot();
    let elsewhere = Command::open(&sealed, &Pin::random(), &slot, &scene.generation, may);
    assert_eq!(refused(elsewhere), Refused::Signature);
    let anew = Command::open(&sealed, &scene.pin, &slot, &Slot::generation(), may);
    assert_eq!(refused(anew), Refused::Signature);
    let other_slot = scene.code.seed().slot(4);
    let beside = Command::open(&sealed, &scene.pin, &other_slot, &scene.generation, may);
    assert_eq!(refused(beside), Refused::Sealed);
    let other_account = KillCode::generate().unwrap().seed().slot(3);
    let foreign = Command::open(&sealed, &scene.pin, &other_account, &scene.generation, may);
    assert_eq!(refused(foreign), Refused::Sealed);
    // Somebody who can open it (another own device) puts another scope or end around the same signature.
    for (scope, counter, expires_s) in [(3, 7, 2_000_000_000), (1, 8, 2_000_000_000), (1, 7, 0)] {
        let changed = command::resealed_for_tests(&sealed, &slot, |encoded| {
            (encoded.0, encoded.1, encoded.2) = (scope, counter, expires_s);
        });
        assert_eq!(refused(scene.open(&changed)), Refused::Signature);
    }
}

#[test]
fn a_receipt_is_of_its_device_and_command_only() {
    let scene = Scene::new();
    let (slot, reply) = (scene.slot(), Secret::<32>::random());
    let receipt = Receipt {
        command: [5; 32],
        verdict: Verdict::Wiped,
    };
    let sealed = receipt.seal(&scene.pin, &slot, &reply).unwrap();
    let opened = Receipt::open(&sealed, &scene.pin, &slot, &reply).unwrap();
    assert_eq!((opened.command, opened.verdict), ([5; 32], Verdict::Wiped));
    let no = |outcome: crate::Result<Receipt>| assert!(matches!(outcome, Err(Error::Sealed)));
    no(Receipt::open(&sealed, &Pin::random(), &slot, &reply));
    no(Receipt::open(
        &sealed,
        &scene.pin,
        &scene.code.seed().slot(4),
        &reply,
    ));
    no(Receipt::open(&sealed, &scene.pin, &slot, &Secret::random()));
    // Who knows where and under which key the answer goes, but not the slot's secret: the name fits, the signature does not.
    let forged = receipt::forged_for_tests(&receipt, &scene.pin, &slot, &Slot::random(), &reply);
    no(Receipt::open(&forged, &scene.pin, &slot, &reply));
    for place in [0, 12, 40, sealed.len() - 1] {
        let mut changed = sealed.clone();
        changed[place] ^= 1;
        no(Receipt::open(&changed, &scene.pin, &slot, &reply));
    }
}

#[test]
fn a_record_is_as_large_as_a_key_package_and_opens_for_its_slot() {
    let scene = Scene::new();
    let record = Record {
        generation: scene.generation,
        name: "Laptop".to_owned(),
    };
    let sealed = record.seal(&scene.slot()).unwrap();
    assert_eq!(
        sealed.len(),
        undertone_wire::limits::SEALED_KEY_PACKAGE_BYTES
    );
    assert!(Record::open(&scene.slot(), &sealed).unwrap() == record);
    assert!(Record::open(&scene.code.seed().slot(4), &sealed).is_err());
    let mut changed = sealed;
    changed[100] ^= 1;
    assert!(Record::open(&scene.slot(), &changed).is_err());
}

/// What the device with slot 3 takes from another device, whose key it was given.
fn heard(scene: &Scene, device: &KillSigner, payload: &[u8]) -> std::result::Result<u64, Refused> {
    let known = device.public();
    Heartbeat::open(
        payload,
        &scene.pin,
        &scene.slot(),
        &scene.generation,
        |key| *key == known,
    )
    .map(|heartbeat| heartbeat.at_s)
}

#[test]
fn a_heartbeat_comes_as_it_was_given_and_only_where_it_was_meant_for() {
    let scene = Scene::new();
    let laptop = KillSigner::generate();
    let heartbeat = Heartbeat {
        at_s: 1_800_000_000,
    };
    let seal = |signer: &KillSigner, pin: &Pin, slot: &Slot, generation: &Generation| {
        heartbeat.seal(signer, pin, slot, generation).unwrap()
    };
    let good = seal(&laptop, &scene.pin, &scene.slot(), &scene.generation);
    assert_eq!(heard(&scene, &laptop, &good), Ok(1_800_000_000));
    // The size says nothing: a command has the same.
    assert_eq!(
        good.len(),
        scene.sealed(&order(Scope::Device)).payload.len()
    );
    let elsewhere = [
        seal(&laptop, &Pin::random(), &scene.slot(), &scene.generation),
        seal(&laptop, &scene.pin, &scene.slot(), &Slot::generation()),
        seal(
            &KillSigner::generate(),
            &scene.pin,
            &scene.slot(),
            &scene.generation,
        ),
    ];
    for payload in &elsewhere {
        assert_eq!(heard(&scene, &laptop, payload), Err(Refused::Signature));
    }
    let other_slot = scene.code.seed().slot(4);
    let payload = seal(&laptop, &scene.pin, &other_slot, &scene.generation);
    assert_eq!(heard(&scene, &laptop, &payload), Err(Refused::Sealed));
    // Whoever has the seed, as every device has, can open it and can give it no other moment.
    let redated = heartbeat::redated_for_tests(&good, &scene.slot(), 1_900_000_000);
    assert_eq!(heard(&scene, &laptop, &redated), Err(Refused::Signature));
}

#[test]
fn a_heartbeat_is_no_command_and_a_command_no_heartbeat() {
    let scene = Scene::new();
    let signer = scene.code.signer();
    let heartbeat = Heartbeat { at_s: 7 }
        .seal(&signer, &scene.pin, &scene.slot(), &scene.generation)
        .unwrap();
    assert_eq!(refused(scene.open(&heartbeat)), Refused::Sealed);
    let command = scene.sealed(&order(Scope::Device)).payload;
    assert_eq!(heard(&scene, &signer, &command), Err(Refused::Sealed));
}
