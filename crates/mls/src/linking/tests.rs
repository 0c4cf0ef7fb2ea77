//! Two devices that link, and somebody between them.

#![allow(clippy::unwrap_used)]
use super::*;
use crate::{AccountRoot, RecoveryPhrase};
use undertone_wire::{ids::Pin, origin::ServerAddress, secrets::AddressSecret};

fn code(keys: &PairingKeys) -> DeviceCode {
    let server = ServerAddress {
        origin: "example.org".parse().unwrap(),
        pin: Pin::new([1; 32]),
    };
    device_code(
        server,
        AddressSecret::new([2; 32]),
        DeviceCodeKey::new([3; 32]),
        keys,
        1_800_000_000,
    )
}

fn provisioning() -> Provisioning {
    let root = AccountRoot::from_phrase(&RecoveryPhrase::generate().unwrap());
    Provisioning {
        signing_key: root.device_signing_key(1),
        name: "Ada".to_owned(),
        invitation: [4; 16],
        conversations: 3,
    }
}

#[test]
fn both_sides_see_the_same_words_and_the_account_goes_over() {
    let (old, new) = (
        PairingKeys::generate().unwrap(),
        PairingKeys::generate().unwrap(),
    );
    let code = code(&new);
    let here = Transcript::new(&code, &old.public(), &new.public()).unwrap();
    let there = Transcript::new(
        &code.to_string().parse().unwrap(),
        &old.public(),
        &new.public(),
    )
    .unwrap();
    assert_eq!(here.words(), there.words());
    assert_eq!(here.words().split(' ').count(), 6);

    let answer = Secret::random();
    let confirm = there.seal_confirm(&old.public(), &answer).unwrap();
    let heard = here.open_confirm(&old, &confirm).unwrap();
    let account = provisioning();
    let sealed = here
        .seal_provisioning(&new.public(), &heard, &account)
        .unwrap();
    let taken = there.open_provisioning(&new, &answer, &sealed).unwrap();
    assert_eq!(
        taken.signing_key.account_id(),
        account.signing_key.account_id()
    );
    assert_eq!((taken.name.as_str(), taken.invitation), ("Ada", [4; 16]));
}

#[test]
fn somebody_between_them_makes_other_words_and_gets_nothing() {
    let (old, new, eve) = (
        PairingKeys::generate().unwrap(),
        PairingKeys::generate().unwrap(),
        PairingKeys::generate().unwrap(),
    );
    let code = code(&new);
    // Eve photographed the code: she can offer her own key to the new device, but not show another key as the new device's.
    let with_eve = Transcript::new(&code, &eve.public(), &new.public()).unwrap();
    let honest = Transcript::new(&code, &old.public(), &new.public()).unwrap();
    assert_ne!(with_eve.words(), honest.words());
    assert!(Transcript::new(&code, &old.public(), &eve.public()).is_err());
    // A key of the new device's with another nonce is not what it committed to either.
    let mut other = new.public();
    other.nonce[0] ^= 1;
    assert!(Transcript::new(&code, &old.public(), &other).is_err());

    // She knows the new device's key. What she seals to it is not from whoever read the answer.
    let answer = Secret::random();
    let forged = honest
        .seal_provisioning(&new.public(), &Secret::random(), &provisioning())
        .unwrap();
    assert!(honest.open_provisioning(&new, &answer, &forged).is_err());
    // What was sealed in one pairing opens in no other.
    let confirm = with_eve.seal_confirm(&old.public(), &answer).unwrap();
    assert!(honest.open_confirm(&old, &confirm).is_err());
}

#[test]
fn a_message_is_for_one_code_and_one_direction() {
    let keys = PairingKeys::generate().unwrap();
    let key = DeviceCodeKey::random();
    let reveal = LinkMessage::Reveal {
        public: keys.public(),
        device_name: "Laptop".to_owned(),
    };
    let sealed = seal_message(&key, LinkSide::New, &reveal).unwrap();
    assert!(matches!(
        open_message(&key, LinkSide::New, &sealed),
        Ok(LinkMessage::Reveal { device_name, .. }) if device_name == "Laptop"
    ));
    assert!(open_message(&key, LinkSide::Old, &sealed).is_err());
    assert!(open_message(&DeviceCodeKey::random(), LinkSide::New, &sealed).is_err());
    for index in [0, 20, sealed.len() - 1] {
        let mut damaged = sealed.clone();
        damaged[index] ^= 1;
        assert!(open_message(&key, LinkSide::New, &damaged).is_err());
    }
    let rude = LinkMessage::Reveal {
        public: keys.public(),
        device_name: "\u{1b}[2J".to_owned(),
    };
    let sealed = seal_message(&key, LinkSide::New, &rude).unwrap();
    assert!(open_message(&key, LinkSide::New, &sealed).is_err());
}

#[test]
fn the_words_of_a_digest_never_change() {
    assert_eq!(comparison_words(&[7; 32]), comparison_words(&[7; 32]));
    assert_ne!(comparison_words(&[7; 32]), comparison_words(&[8; 32]));
}
