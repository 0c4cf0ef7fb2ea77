//! What a device answers a command with. The server carries it and can neither make nor read one.

use ed25519_dalek::Signer as _;
use openmls_rust_crypto::RustCrypto;
use prost::Message as _;
use undertone_wire::{
    ids::{AddressHash, Pin},
    padding,
    secrets::Secret,
};

use super::Slot;
use crate::{
    Error, Result,
    account::verify,
    derive::{self, NONCE},
};

pub(super) const LABEL: &[u8] = b"undertone/1 kill receipt";
/// Nonce and tag.
const OVERHEAD: usize = NONCE + 16;

/// What became of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The device is wiped.
    Wiped,
    /// Its end was over by the device's clock, which says this (unix seconds). Nothing was done.
    Expired(u64),
    /// Its counter is not above the highest that the device has seen, which is this. Nothing was done.
    Replayed(u64),
}

impl Verdict {
    const fn numbers(self) -> (u32, u64) {
        match self {
            Self::Wiped => (1, 0),
            Self::Expired(now_s) => (2, now_s),
            Self::Replayed(highest) => (3, highest),
        }
    }

    const fn from_numbers(kind: u32, number: u64) -> Option<Self> {
        match kind {
            1 => Some(Self::Wiped),
            2 => Some(Self::Expired(number)),
            3 => Some(Self::Replayed(number)),
            _ => None,
        }
    }
}

/// An answer.
pub struct Receipt {
    /// What it answers: [`super::Command::id`].
    pub command: [u8; 32],
    /// What became of it.
    pub verdict: Verdict,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Encoded {
    #[prost(bytes = "vec", tag = "1")]
    slot: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    command: Vec<u8>,
    #[prost(uint32, tag = "3")]
    verdict: u32,
    #[prost(uint64, tag = "4")]
    number: u64,
    #[prost(bytes = "vec", tag = "5")]
    signature: Vec<u8>,
}

/// What is signed; all parts but the label have fixed lengths.
fn message(pin: &Pin, slot: &AddressHash, command: &[u8; 32], verdict: Verdict) -> Vec<u8> {
    let (kind, number) = verdict.numbers();
    [
        LABEL,
        pin.as_bytes(),
        slot.as_bytes(),
        command,
        &kind.to_be_bytes(),
        &number.to_be_bytes(),
    ]
    .concat()
}

impl Receipt {
    /// Signs it with the slot's key and seals it for whoever sent the command.
    ///
    /// # Errors
    /// [`Error::Library`].
    pub fn seal(&self, pin: &Pin, slot: &Slot, reply_key: &Secret<32>) -> Result<Vec<u8>> {
        let name = slot.address().hash();
        let (verdict, number) = self.verdict.numbers();
        let encoded = Encoded {
            slot: name.as_bytes().to_vec(),
            command: self.command.to_vec(),
            verdict,
            number,
            signature: slot
                .receipt_key()
                .sign(&message(pin, &name, &self.command, self.verdict))
                .to_bytes()
                .to_vec(),
        };
        let padded = padding::pad_payload(&encoded.encode_to_vec(), OVERHEAD)
            .map_err(|_| Error::TooLong("kill receipt"))?;
        derive::seal(&RustCrypto::default(), reply_key.expose(), LABEL, &padded)
    }

    /// Opens what came, if it is of this slot and its signature is right.
    ///
    /// # Errors
    /// [`Error::Sealed`].
    pub fn open(payload: &[u8], pin: &Pin, slot: &Slot, reply_key: &Secret<32>) -> Result<Self> {
        Self::decode(payload, pin, slot, reply_key).ok_or(Error::Sealed)
    }

    fn decode(payload: &[u8], pin: &Pin, slot: &Slot, reply_key: &Secret<32>) -> Option<Self> {
        let padded = derive::open(&RustCrypto::default(), reply_key.expose(), LABEL, payload)?;
        let encoded = Encoded::decode(padding::unpad_payload(&padded).ok()?).ok()?;
        let name = slot.address().hash();
        if encoded.slot[..] != name.as_bytes()[..] {
            return None;
        }
        let command: [u8; 32] = encoded.command[..].try_into().ok()?;
        let verdict = Verdict::from_numbers(encoded.verdict, encoded.number)?;
        let signature: [u8; 64] = encoded.signature[..].try_into().ok()?;
        let key = slot.receipt_key().verifying_key().to_bytes();
        verify(&key, &message(pin, &name, &command, verdict), &signature)
            .then_some(Self { command, verdict })
    }
}

/// A receipt in the name of `slot`, signed with another slot's key.
#[cfg(test)]
pub(super) fn forged_for_tests(
    receipt: &Receipt,
    pin: &Pin,
    slot: &Slot,
    forger: &Slot,
    reply_key: &Secret<32>,
) -> Vec<u8> {
    let name = slot.address().hash();
    let (verdict, number) = receipt.verdict.numbers();
    let signed = message(pin, &name, &receipt.command, receipt.verdict);
    let encoded = Encoded {
        slot: name.as_bytes().to_vec(),
        command: receipt.command.to_vec(),
        verdict,
        number,
        signature: forger.receipt_key().sign(&signed).to_bytes().to_vec(),
    };
    let padded = padding::pad_payload(&encoded.encode_to_vec(), OVERHEAD).unwrap_or_default();
    derive::seal(&RustCrypto::default(), reply_key.expose(), LABEL, &padded).unwrap_or_default()
}
