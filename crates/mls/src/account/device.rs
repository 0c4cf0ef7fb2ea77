//! A device's own keys: what it signs with in every conversation, and what opens sealed requests to it.

use ed25519_dalek::{Signer as _, SigningKey};
use openmls::prelude::{BasicCredential, CredentialWithKey, SignatureScheme};
use openmls_traits::signatures::{Signer, SignerError};
use undertone_wire::ids::{AccountId, random_bytes};
use zeroize::Zeroizing;

use super::{Certificate, DeviceSigningKey};
use crate::{DeviceId, Error, Result, derive::hkdf};

/// A device's signature key and its newest certificate.
pub struct DeviceKeys {
    key: SigningKey,
    certificate: Certificate,
}

impl DeviceKeys {
    /// A new device of the account, certified now. `now_s` is in Unix seconds.
    pub fn generate(signing_key: &DeviceSigningKey, now_s: u64) -> Self {
        let secret = Zeroizing::new(random_bytes::<32>());
        let key = SigningKey::from_bytes(&secret);
        let certificate =
            signing_key.certify(DeviceId::random(), &key.verifying_key().to_bytes(), now_s);
        Self { key, certificate }
    }

    /// What says whose device it is.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// The account it belongs to.
    pub fn account_id(&self) -> AccountId {
        self.certificate.account_id()
    }

    /// Its id.
    pub fn device_id(&self) -> DeviceId {
        self.certificate.device_id()
    }

    /// Takes a newer certificate for the same device and key, after the account's device-signing key was replaced. It is
    /// shown in a conversation from this device's next path commit on ([`crate::Change::SelfUpdate`]).
    ///
    /// # Errors
    /// [`Error::Malformed`] when it is not for this device or not newer.
    pub fn recertify(&mut self, certificate: Certificate) -> Result<()> {
        let old = &self.certificate;
        let same = certificate.account_id() == old.account_id()
            && certificate.device_id() == old.device_id()
            && certificate.device_key() == old.device_key();
        if !same || certificate.generation() <= old.generation() {
            return Err(Error::Malformed("certificate"));
        }
        self.certificate = certificate;
        Ok(())
    }

    /// Signs with the device key. `message` begins with a label that no MLS structure begins with.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.key.sign(message).to_bytes()
    }

    /// For the encrypted store only.
    pub fn to_secret_bytes(&self) -> Zeroizing<Vec<u8>> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(1 + 32 + Certificate::LEN));
        bytes.push(1);
        bytes.extend_from_slice(self.key.as_bytes());
        bytes.extend_from_slice(&self.certificate.encode());
        bytes
    }

    /// Reads [`Self::to_secret_bytes`] back.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when they are not what was stored.
    pub fn from_secret_bytes(bytes: &[u8]) -> Result<Self> {
        let corrupt = || Error::Corrupt("device keys");
        let rest = bytes.strip_prefix(&[1]).ok_or_else(corrupt)?;
        let (secret, certificate) = rest.split_first_chunk::<32>().ok_or_else(corrupt)?;
        let key = SigningKey::from_bytes(secret);
        let certificate = Certificate::decode(certificate).map_err(|_| corrupt())?;
        if key.verifying_key().as_bytes() != certificate.device_key() {
            return Err(corrupt());
        }
        Ok(Self { key, certificate })
    }

    /// What this device's resync keys are derived from.
    pub(crate) fn resync_seed(&self) -> Zeroizing<[u8; 32]> {
        hkdf(self.key.as_bytes(), "resync")
    }

    /// The credential and key of this device's leaves.
    pub(crate) fn credential(&self) -> CredentialWithKey {
        CredentialWithKey {
            credential: BasicCredential::new(self.certificate.encode()).into(),
            signature_key: self.key.verifying_key().to_bytes().to_vec().into(),
        }
    }
}

impl Signer for DeviceKeys {
    fn sign(&self, payload: &[u8]) -> std::result::Result<Vec<u8>, SignerError> {
        Ok(self.key.sign(payload).to_bytes().to_vec())
    }

    fn signature_scheme(&self) -> SignatureScheme {
        SignatureScheme::ED25519
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{AccountRoot, RecoveryPhrase};

    #[test]
    fn keys_come_back_from_the_store() {
        let root = AccountRoot::from_phrase(&RecoveryPhrase::generate().unwrap());
        let dsk = root.device_signing_key(3);
        let dsk = DeviceSigningKey::from_secret_bytes(&dsk.to_secret_bytes()).unwrap();
        assert_eq!((dsk.generation(), dsk.account_id()), (3, root.account_id()));
        let device = DeviceKeys::generate(&dsk, 7);
        let bytes = device.to_secret_bytes();
        let again = DeviceKeys::from_secret_bytes(&bytes).unwrap();
        assert!(again.certificate() == device.certificate());
        assert_eq!(again.account_id(), root.account_id());
        let mut broken = bytes.to_vec();
        broken[5] ^= 1;
        assert!(DeviceKeys::from_secret_bytes(&broken).is_err());
    }

    #[test]
    fn the_phrase_alone_makes_the_account_again_and_replaces_the_signing_key() {
        let phrase = RecoveryPhrase::generate().unwrap();
        let root = AccountRoot::from_phrase(&phrase);
        let mut device = DeviceKeys::generate(&root.device_signing_key(1), 0);
        let old = device.certificate().clone();

        let root = AccountRoot::from_phrase(&RecoveryPhrase::parse(phrase.words()).unwrap());
        let next = root.device_signing_key(2);
        device
            .recertify(next.certify(device.device_id(), old.device_key(), 0))
            .unwrap();
        assert_eq!(device.certificate().generation(), 2);
        assert_eq!(device.account_id(), old.account_id());
        // Never back, and never somebody else's.
        assert!(device.recertify(old).is_err());
        let other = DeviceKeys::generate(&root.device_signing_key(9), 0);
        assert!(device.recertify(other.certificate().clone()).is_err());
    }
}
