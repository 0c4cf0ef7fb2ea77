//! The device-signing key (DSK): shared by an account's devices, signed by the root, with a generation number.

use ed25519_dalek::{Signer as _, SigningKey};
use undertone_wire::ids::AccountId;
use zeroize::Zeroizing;

use super::{Certificate, ED25519, account_id, certificate, verify};
use crate::{DeviceId, Error, Result};

/// What certifies an account's devices.
pub struct DeviceSigningKey {
    root_key: [u8; 32],
    generation: u32,
    key: SigningKey,
    root_signature: [u8; 64],
}

/// Bytes of [`DeviceSigningKey::to_secret_bytes`].
const STORED: usize = 1 + 32 + 4 + 32 + 64;

/// What the root signs.
pub(super) fn signed_by_root(root_key: &[u8; 32], generation: u32, key: &[u8; 32]) -> Vec<u8> {
    let mut message = b"undertone/1 device signing key".to_vec();
    message.push(ED25519);
    message.extend_from_slice(root_key);
    message.extend_from_slice(&generation.to_be_bytes());
    message.push(ED25519);
    message.extend_from_slice(key);
    message
}

impl DeviceSigningKey {
    pub(super) fn from_parts(
        root_key: [u8; 32],
        generation: u32,
        key: SigningKey,
        root_signature: [u8; 64],
    ) -> Self {
        Self {
            root_key,
            generation,
            key,
            root_signature,
        }
    }

    /// The account whose devices it certifies.
    pub fn account_id(&self) -> AccountId {
        account_id(&self.root_key)
    }

    /// Which of the account's device-signing keys it is; members believe only the highest they have seen.
    pub fn generation(&self) -> u32 {
        self.generation
    }

    /// Certifies a device's key. `not_before_s` (Unix seconds) is for people to read; no clock is checked against it.
    pub fn certify(
        &self,
        device: DeviceId,
        device_key: &[u8; 32],
        not_before_s: u64,
    ) -> Certificate {
        let account = self.account_id();
        let signature = self
            .key
            .sign(&certificate::signed_by_dsk(
                &account,
                self.generation,
                &device,
                device_key,
                not_before_s,
            ))
            .to_bytes();
        Certificate {
            root_key: self.root_key,
            generation: self.generation,
            signing_key: self.key.verifying_key().to_bytes(),
            root_signature: self.root_signature,
            device,
            device_key: *device_key,
            not_before_s,
            signature,
        }
    }

    /// For the encrypted store only.
    pub fn to_secret_bytes(&self) -> Zeroizing<Vec<u8>> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(STORED));
        bytes.push(1);
        bytes.extend_from_slice(&self.root_key);
        bytes.extend_from_slice(&self.generation.to_be_bytes());
        bytes.extend_from_slice(self.key.as_bytes());
        bytes.extend_from_slice(&self.root_signature);
        bytes
    }

    /// Reads [`Self::to_secret_bytes`] back.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when they are not what was stored.
    pub fn from_secret_bytes(bytes: &[u8]) -> Result<Self> {
        let corrupt = || Error::Corrupt("device-signing key");
        let mut rest = bytes.strip_prefix(&[1]).ok_or_else(corrupt)?;
        let root_key = *certificate::take::<32>(&mut rest).ok_or_else(corrupt)?;
        let generation = u32::from_be_bytes(*certificate::take(&mut rest).ok_or_else(corrupt)?);
        let key = SigningKey::from_bytes(certificate::take(&mut rest).ok_or_else(corrupt)?);
        let root_signature = *certificate::take::<64>(&mut rest).ok_or_else(corrupt)?;
        let signed = signed_by_root(&root_key, generation, &key.verifying_key().to_bytes());
        if !rest.is_empty() || !verify(&root_key, &signed, &root_signature) {
            return Err(corrupt());
        }
        Ok(Self::from_parts(root_key, generation, key, root_signature))
    }
}
