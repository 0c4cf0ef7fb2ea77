//! The certificate of a device: the identity of its MLS BasicCredential (RFC 9420 section 5.3).
//!
//! 256 bytes of fixed layout, so that there is one encoding of every certificate:
//!
//! ```text
//! version 1 | root algorithm 1 | root key 32 | generation 4 | DSK algorithm 1 | DSK 32 | root's signature 64
//! | device id 16 | device algorithm 1 | device key 32 | not before 8 | DSK's signature 64
//! ```
//!
//! Integers are big-endian. The root signs `"undertone/1 device signing key" || root algorithm || root key || generation ||
//! DSK algorithm || DSK`; the DSK signs `"undertone/1 device" || account id || generation || device id || device algorithm ||
//! device key || not before`.

use undertone_wire::ids::AccountId;

use super::{ED25519, account_id, signing_key::signed_by_root, verify};
use crate::{DeviceId, Error, Result};

const VERSION: u8 = 1;

/// Says that a device belongs to an account. One that was made by [`Certificate::decode`] is verified.
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate {
    pub(super) root_key: [u8; 32],
    pub(super) generation: u32,
    pub(super) signing_key: [u8; 32],
    pub(super) root_signature: [u8; 64],
    pub(super) device: DeviceId,
    pub(super) device_key: [u8; 32],
    pub(super) not_before_s: u64,
    pub(super) signature: [u8; 64],
}

/// What the device-signing key signs.
pub(super) fn signed_by_dsk(
    account: &AccountId,
    generation: u32,
    device: &DeviceId,
    device_key: &[u8; 32],
    not_before_s: u64,
) -> Vec<u8> {
    let mut message = b"undertone/1 device".to_vec();
    message.extend_from_slice(account.as_bytes());
    message.extend_from_slice(&generation.to_be_bytes());
    message.extend_from_slice(device.as_bytes());
    message.push(ED25519);
    message.extend_from_slice(device_key);
    message.extend_from_slice(&not_before_s.to_be_bytes());
    message
}

/// The next `N` bytes.
pub(super) fn take<'a, const N: usize>(rest: &mut &'a [u8]) -> Option<&'a [u8; N]> {
    let (taken, left) = rest.split_first_chunk::<N>()?;
    *rest = left;
    Some(taken)
}

impl Certificate {
    /// Encoded length in bytes.
    pub const LEN: usize = 256;

    /// Decodes and verifies the whole chain.
    ///
    /// # Errors
    /// [`Error::Malformed`] for anything but the exact encoding of a certificate whose signatures verify.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let certificate = Self::decode_verified_before(bytes)?;
        if certificate.verifies() {
            Ok(certificate)
        } else {
            Err(Error::Malformed("certificate"))
        }
    }

    /// Decodes one that stands in a tree whose certificates were verified when they came in.
    pub(crate) fn decode_verified_before(bytes: &[u8]) -> Result<Self> {
        Self::parse(bytes).ok_or(Error::Malformed("certificate"))
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes;
        let tag = |rest: &mut &[u8], expected: u8| {
            take::<1>(rest).filter(|tag| tag[0] == expected).map(|_| ())
        };
        tag(&mut rest, VERSION)?;
        tag(&mut rest, ED25519)?;
        let root_key = *take(&mut rest)?;
        let generation = u32::from_be_bytes(*take(&mut rest)?);
        tag(&mut rest, ED25519)?;
        let signing_key = *take(&mut rest)?;
        let root_signature = *take(&mut rest)?;
        let device = DeviceId::new(*take(&mut rest)?);
        tag(&mut rest, ED25519)?;
        let device_key = *take(&mut rest)?;
        let not_before_s = u64::from_be_bytes(*take(&mut rest)?);
        let signature = *take(&mut rest)?;
        rest.is_empty().then_some(Self {
            root_key,
            generation,
            signing_key,
            root_signature,
            device,
            device_key,
            not_before_s,
            signature,
        })
    }

    /// The one encoding.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(Self::LEN);
        bytes.push(VERSION);
        bytes.push(ED25519);
        bytes.extend_from_slice(&self.root_key);
        bytes.extend_from_slice(&self.generation.to_be_bytes());
        bytes.push(ED25519);
        bytes.extend_from_slice(&self.signing_key);
        bytes.extend_from_slice(&self.root_signature);
        bytes.extend_from_slice(self.device.as_bytes());
        bytes.push(ED25519);
        bytes.extend_from_slice(&self.device_key);
        bytes.extend_from_slice(&self.not_before_s.to_be_bytes());
        bytes.extend_from_slice(&self.signature);
        bytes
    }

    fn verifies(&self) -> bool {
        let by_root = signed_by_root(&self.root_key, self.generation, &self.signing_key);
        let by_dsk = signed_by_dsk(
            &self.account_id(),
            self.generation,
            &self.device,
            &self.device_key,
            self.not_before_s,
        );
        self.generation > 0
            && verify(&self.root_key, &by_root, &self.root_signature)
            && verify(&self.signing_key, &by_dsk, &self.signature)
    }

    /// The account the device belongs to.
    pub fn account_id(&self) -> AccountId {
        account_id(&self.root_key)
    }

    /// The device.
    pub fn device_id(&self) -> DeviceId {
        self.device
    }

    /// The generation of the device-signing key that certified it; at least 1.
    pub fn generation(&self) -> u32 {
        self.generation
    }

    /// The device's Ed25519 public key: its leaf's signature key.
    pub fn device_key(&self) -> &[u8; 32] {
        &self.device_key
    }

    /// When it was made, in Unix seconds by the clock of whoever made it.
    pub fn not_before_s(&self) -> u64 {
        self.not_before_s
    }

    /// Whether `message` was signed by this device.
    pub fn verify(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        verify(&self.device_key, message, signature)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{AccountRoot, DeviceKeys, RecoveryPhrase};

    fn device() -> DeviceKeys {
        let root = AccountRoot::from_phrase(&RecoveryPhrase::generate().unwrap());
        DeviceKeys::generate(&root.device_signing_key(1), 1_700_000_000)
    }

    #[test]
    fn one_encoding_of_256_bytes() {
        let certificate = device().certificate().clone();
        let bytes = certificate.encode();
        assert_eq!(bytes.len(), Certificate::LEN);
        assert!(Certificate::decode(&bytes).unwrap() == certificate);
    }

    #[test]
    fn no_bit_can_change() {
        let bytes = device().certificate().encode();
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(Certificate::decode(&changed).is_err(), "bit {bit}");
        }
        assert!(Certificate::decode(&bytes[..255]).is_err());
        assert!(Certificate::decode(&[&bytes[..], &[0]].concat()).is_err());
    }

    #[test]
    fn a_device_cannot_be_moved_to_another_account() {
        let (ada, mallory) = (device(), device());
        let mut forged = mallory.certificate().clone();
        forged.root_key = ada.certificate().root_key;
        assert!(Certificate::decode(&forged.encode()).is_err());
        forged.root_signature = ada.certificate().root_signature;
        assert!(Certificate::decode(&forged.encode()).is_err());
        forged.signing_key = ada.certificate().signing_key;
        assert!(Certificate::decode(&forged.encode()).is_err());
    }
}
