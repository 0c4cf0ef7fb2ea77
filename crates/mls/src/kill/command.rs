//! The command to wipe: signed, then sealed and padded to the smallest class.
//!
//! The signature is over the server's pin, the address's name, the generation, the scope, a counter, an end and where the answer goes. So a
//! command is nothing on another server, device or account, after the device began anew, with another scope, or a second time.

use openmls_rust_crypto::RustCrypto;
use prost::Message as _;
use undertone_wire::{
    ids::{Pin, sha256},
    padding,
    secrets::{AddressSecret, Secret},
};
use zeroize::Zeroizing;

use super::{Generation, KillSigner, Slot};
use crate::{
    Error, Result,
    account::verify,
    derive::{self, NONCE},
};

pub(super) const LABEL: &[u8] = b"undertone/1 kill command";
/// Nonce and tag.
const OVERHEAD: usize = NONCE + 16;

/// What is to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Scope {
    /// The device that gets it, alone.
    Device = 1,
    /// All the account's devices; what waits for them on the server ends by itself.
    Devices = 2,
    /// All devices, and their queues on the server.
    DevicesAndQueues = 3,
}

impl Scope {
    /// From its number.
    pub const fn from_number(number: u32) -> Option<Self> {
        match number {
            1 => Some(Self::Device),
            2 => Some(Self::Devices),
            3 => Some(Self::DevicesAndQueues),
            _ => None,
        }
    }
}

/// What a command says.
pub struct Order {
    /// What is to go.
    pub scope: Scope,
    /// Higher than any that the device has seen in this generation; usually the sender's clock in milliseconds.
    pub counter: u64,
    /// Unix seconds by the device's own clock, after which it does nothing any more.
    pub expires_s: u64,
    /// Where the receipt goes.
    pub reply: AddressSecret,
    /// What the receipt is sealed with.
    pub reply_key: Secret<32>,
}

/// A command that opened and whose signature is right.
pub struct Command {
    /// What it says.
    pub order: Order,
    /// Whose key signed it.
    pub signer: [u8; 32],
    /// Names it in the receipt: SHA-256 of what was signed.
    pub id: [u8; 32],
}

/// A payload as it goes to the server, and what its receipt will name.
pub struct SealedCommand {
    /// Of the smallest payload class.
    pub payload: Vec<u8>,
    /// See [`Command::id`].
    pub id: [u8; 32],
}

/// Why what came is no command for this device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It does not open under the slot's key, or has no sense.
    Sealed,
    /// Nobody signed it whom this device obeys in this slot, or it was signed for something else.
    Signature,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Encoded {
    #[prost(uint32, tag = "1")]
    scope: u32,
    #[prost(uint64, tag = "2")]
    counter: u64,
    #[prost(uint64, tag = "3")]
    expires_s: u64,
    #[prost(bytes = "vec", tag = "4")]
    reply: Vec<u8>,
    #[prost(bytes = "vec", tag = "5")]
    reply_key: Vec<u8>,
    #[prost(bytes = "vec", tag = "6")]
    signer: Vec<u8>,
    #[prost(bytes = "vec", tag = "7")]
    signature: Vec<u8>,
}

impl Order {
    /// What is signed; all parts but the label have fixed lengths.
    fn message(&self, pin: &Pin, slot: &Slot, generation: &Generation) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(
            [
                LABEL,
                pin.as_bytes(),
                slot.address().hash().as_bytes(),
                generation,
                &[self.scope as u8],
                &self.counter.to_be_bytes(),
                &self.expires_s.to_be_bytes(),
                self.reply.expose(),
                self.reply_key.expose(),
            ]
            .concat(),
        )
    }

    /// Signs it for one slot and generation, and seals it.
    ///
    /// # Errors
    /// [`Error::Library`].
    pub fn seal(
        &self,
        signer: &KillSigner,
        pin: &Pin,
        slot: &Slot,
        generation: &Generation,
    ) -> Result<SealedCommand> {
        let message = self.message(pin, slot, generation);
        let encoded = Zeroizing::new(
            Encoded {
                scope: self.scope as u32,
                counter: self.counter,
                expires_s: self.expires_s,
                reply: self.reply.expose().to_vec(),
                reply_key: self.reply_key.expose().to_vec(),
                signer: signer.public().to_vec(),
                signature: signer.sign(&message).to_vec(),
            }
            .encode_to_vec(),
        );
        let padded = padding::pad_payload(&encoded, OVERHEAD)
            .map(Zeroizing::new)
            .map_err(|_| Error::TooLong("kill command"))?;
        let payload = derive::seal(
            &RustCrypto::default(),
            slot.command_key().expose(),
            LABEL,
            &padded,
        )?;
        Ok(SealedCommand {
            payload,
            id: sha256(&message),
        })
    }
}

impl Command {
    /// Opens what came to a slot's address. `may` says whose keys the device obeys there. Whether it is too old or was seen before is the
    /// caller's to say.
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
        let (order, signer, signature) = decode(payload, slot).ok_or(Refused::Sealed)?;
        let message = order.message(pin, slot, generation);
        if !may(&signer) || !verify(&signer, &message, &signature) {
            return Err(Refused::Signature);
        }
        Ok(Self {
            id: sha256(&message),
            order,
            signer,
        })
    }
}

fn decode(payload: &[u8], slot: &Slot) -> Option<(Order, [u8; 32], [u8; 64])> {
    let padded = derive::open(
        &RustCrypto::default(),
        slot.command_key().expose(),
        LABEL,
        payload,
    )?;
    let encoded = Encoded::decode(padding::unpad_payload(&padded).ok()?).ok()?;
    let order = Order {
        scope: Scope::from_number(encoded.scope)?,
        counter: encoded.counter,
        expires_s: encoded.expires_s,
        reply: AddressSecret::from_slice(&encoded.reply).ok()?,
        reply_key: Secret::from_slice(&encoded.reply_key).ok()?,
    };
    Some((
        order,
        encoded.signer[..].try_into().ok()?,
        encoded.signature[..].try_into().ok()?,
    ))
}

/// What somebody with the slot's secret, and no signing key, can make of a command: other fields around the same signature.
#[cfg(test)]
pub(super) fn resealed_for_tests(
    payload: &[u8],
    slot: &Slot,
    change: impl Fn(&mut (u32, u64, u64)),
) -> Vec<u8> {
    let crypto = RustCrypto::default();
    let key = slot.command_key();
    let padded = derive::open(&crypto, key.expose(), LABEL, payload).unwrap_or_default();
    let plain = padding::unpad_payload(&padded).unwrap_or_default();
    let mut encoded = Encoded::decode(plain).unwrap_or_default();
    let mut fields = (encoded.scope, encoded.counter, encoded.expires_s);
    change(&mut fields);
    (encoded.scope, encoded.counter, encoded.expires_s) = fields;
    let padded = padding::pad_payload(&encoded.encode_to_vec(), OVERHEAD).unwrap_or_default();
    derive::seal(&crypto, key.expose(), LABEL, &padded).unwrap_or_default()
}
