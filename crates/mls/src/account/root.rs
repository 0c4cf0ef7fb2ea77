//! The account root key, which exists only while the recovery phrase is at hand.

use ed25519_dalek::{Signer as _, SigningKey};
use undertone_wire::ids::{AccountId, random_bytes};
use zeroize::Zeroizing;

use super::{DeviceSigningKey, RecoveryPhrase, account_id, signing_key};
use crate::derive::hkdf;

/// The root of an account. Drop it as soon as the device-signing key is made.
pub struct AccountRoot(pub(super) SigningKey);

impl AccountRoot {
    /// The one root of a phrase: Ed25519 from `HKDF(BIP-39 seed, "account root")`.
    pub fn from_phrase(phrase: &RecoveryPhrase) -> Self {
        Self(SigningKey::from_bytes(&hkdf(
            phrase.seed().as_slice(),
            "account root",
        )))
    }

    /// The account's id.
    pub fn account_id(&self) -> AccountId {
        account_id(&self.0.verifying_key().to_bytes())
    }

    /// A fresh device-signing key of this generation, signed by the root. The first generation is 1; removing a device
    /// with the phrase makes the next, with which the other devices are certified again.
    pub fn device_signing_key(&self, generation: u32) -> DeviceSigningKey {
        let secret = Zeroizing::new(random_bytes::<32>());
        let key = SigningKey::from_bytes(&secret);
        let root_key = self.0.verifying_key().to_bytes();
        let signature = self
            .0
            .sign(&signing_key::signed_by_root(
                &root_key,
                generation,
                &key.verifying_key().to_bytes(),
            ))
            .to_bytes();
        DeviceSigningKey::from_parts(root_key, generation, key, signature)
    }
}
