//! The heartbeat: one of the account's devices tells another when the owner last gave it the passphrase, which puts the other one's
//! dead-man timer off.
//!
//! It goes where commands go, so that a locked device hears it, and is nothing like one: it has a key and a label of its own, and no more in
//! it than a moment. The signature is over the server's pin, the address's name, the generation and that moment. What a server keeps of it
//! and hands out later still says when the owner was there, and not when it came.

use openmls_rust_crypto::RustCrypto;
use prost::Message as _;
use undertone_wire::{ids::Pin, padding};
use zeroize::Zeroizing;

use super::{Generation, KillSigner, Refused, Slot};
use crate::{
    Error, Result,
    account::verify,
    derive::{self, NONCE},
};

pub(super) const LABEL: &[u8] = b"undertone/1 heartbeat";
/// Nonce and tag.
const OVERHEAD: usize = NONCE + 16;

/// What a heartbeat says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// When the owner gave the passphrase, in Unix seconds by the sender's clock.
    pub at_s: u64,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Encoded {
    #[prost(uint64, tag = "1")]
    at_s: u64,
    #[prost(bytes = "vec", tag = "2")]
    signer: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    signature: Vec<u8>,
}

impl Heartbeat {
    /// What is signed; all parts but the label have fixed lengths.
    fn message(self, pin: &Pin, slot: &Slot, generation: &Generation) -> Vec<u8> {
        [
            LABEL,
            pin.as_bytes(),
            slot.address().hash().as_bytes(),
            generation,
            &self.at_s.to_be_bytes(),
        ]
        .concat()
    }

    /// Signs it for one slot and generation, and seals it: a payload of the smallest class.
    ///
    /// # Errors
    /// [`Error::Library`].
    pub fn seal(
        self,
        signer: &KillSigner,
        pin: &Pin,
        slot: &Slot,
        generation: &Generation,
    ) -> Result<Vec<u8>> {
        let encoded = Encoded {
            at_s: self.at_s,
            signer: signer.public().to_vec(),
            signature: signer.sign(&self.message(pin, slot, generation)).to_vec(),
        };
        let padded = padding::pad_payload(&encoded.encode_to_vec(), OVERHEAD)
            .map(Zeroizing::new)
            .map_err(|_| Error::TooLong("heartbeat"))?;
        derive::seal(
            &RustCrypto::default(),
            slot.heartbeat_key().expose(),
            LABEL,
            &padded,
        )
    }

    /// Opens what came to a slot's address. `may` says whose heartbeats count there. Whether it says anything new is the caller's to see.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn open(
        payload: &[u8],
        pin: &Pin,
        slot: &Slot,
        generation: &Generation,
        may: impl Fn(&[u8; 32]) -> bool,
    ) -> std::result::Result<Self, Refused> {
        let (heartbeat, signer, signature) = decode(payload, slot).ok_or(Refused::Sealed)?;
        let message = heartbeat.message(pin, slot, generation);
        if !may(&signer) || !verify(&signer, &message, &signature) {
            return Err(Refused::Signature);
        }
        Ok(heartbeat)
    }
}

fn decode(payload: &[u8], slot: &Slot) -> Option<(Heartbeat, [u8; 32], [u8; 64])> {
    let padded = derive::open(
        &RustCrypto::default(),
        slot.heartbeat_key().expose(),
        LABEL,
        payload,
    )?;
    let encoded = Encoded::decode(padding::unpad_payload(&padded).ok()?).ok()?;
    Some((
        Heartbeat { at_s: encoded.at_s },
        encoded.signer[..].try_into().ok()?,
        encoded.signature[..].try_into().ok()?,
    ))
}

/// What somebody with the slot's secret, and no signing key, can make of a heartbeat: another moment under the same signature.
#[cfg(test)]
pub(super) fn redated_for_tests(payload: &[u8], slot: &Slot, at_s: u64) -> Vec<u8> {
    let crypto = RustCrypto::default();
    let key = slot.heartbeat_key();
    let padded = derive::open(&crypto, key.expose(), LABEL, payload).unwrap_or_default();
    let plain = padding::unpad_payload(&padded).unwrap_or_default();
    let mut encoded = Encoded::decode(plain).unwrap_or_default();
    encoded.at_s = at_s;
    let padded = padding::pad_payload(&encoded.encode_to_vec(), OVERHEAD).unwrap_or_default();
    derive::seal(&crypto, key.expose(), LABEL, &padded).unwrap_or_default()
}
