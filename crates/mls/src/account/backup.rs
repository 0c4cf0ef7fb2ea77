//! The key of an account's backups: opened by the recovery phrase, sealed to without it.
//!
//! The pair is derived from the phrase, `HKDF(BIP-39 seed, "backup")` by RFC 9180's DeriveKeyPair. Its public half is signed by the account's
//! root over `"undertone/1 backup key" || public key` and kept on the account's devices, so that each can make backups and none can open them.

use ed25519_dalek::Signer as _;
use undertone_wire::{
    hpke::{HpkeKeyPair, HpkePublicKey},
    ids::AccountId,
    secrets::Secret,
};

use super::{AccountRoot, RecoveryPhrase, account_id, certificate::take, verify};
use crate::{Error, Result, derive::hkdf};

/// What a device seals backups to.
#[derive(Clone)]
pub struct BackupKey {
    root_key: [u8; 32],
    signature: [u8; 64],
    public: HpkePublicKey,
}

fn signed(public: &HpkePublicKey) -> Vec<u8> {
    [b"undertone/1 backup key", public.as_bytes()].concat()
}

/// The pair that opens backups.
///
/// # Errors
/// [`Error::Library`] only if the library lacks the suite.
pub fn backup_pair(phrase: &RecoveryPhrase) -> Result<HpkeKeyPair> {
    let seed = hkdf(phrase.seed().as_slice(), "backup");
    HpkeKeyPair::from_seed(&Secret::new(*seed)).map_err(|_| Error::Library("hpke"))
}

impl BackupKey {
    /// The public half for the account of this phrase, signed by its root.
    ///
    /// # Errors
    /// [`Error::Library`] only if the library lacks the suite.
    pub fn of(phrase: &RecoveryPhrase) -> Result<Self> {
        let root = AccountRoot::from_phrase(phrase);
        let public = backup_pair(phrase)?.public().clone();
        Ok(Self {
            root_key: root.0.verifying_key().to_bytes(),
            signature: root.0.sign(&signed(&public)).to_bytes(),
            public,
        })
    }

    /// The public key.
    pub fn public(&self) -> &HpkePublicKey {
        &self.public
    }

    /// Root key, signature, public key.
    pub fn encode(&self) -> Vec<u8> {
        [
            &self.root_key[..],
            &self.signature[..],
            self.public.as_bytes(),
        ]
        .concat()
    }

    /// Reads it back; it must be signed by this account's root.
    ///
    /// # Errors
    /// [`Error::Malformed`].
    pub fn decode(bytes: &[u8], account: &AccountId) -> Result<Self> {
        let malformed = || Error::Malformed("backup key");
        let mut rest = bytes;
        let root_key = *take::<32>(&mut rest).ok_or_else(malformed)?;
        let signature = *take::<64>(&mut rest).ok_or_else(malformed)?;
        let public = HpkePublicKey::from_slice(rest).map_err(|_| malformed())?;
        if account_id(&root_key) != *account || !verify(&root_key, &signed(&public), &signature) {
            return Err(malformed());
        }
        Ok(Self {
            root_key,
            signature,
            public,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_same_words_open_what_was_sealed_and_no_others() {
        let phrase = RecoveryPhrase::generate().unwrap();
        let account = AccountRoot::from_phrase(&phrase).account_id();
        let bytes = BackupKey::of(&phrase).unwrap().encode();
        let key = BackupKey::decode(&bytes, &account).unwrap();
        let sealed = key.public().seal(b"info", b"", b"data key").unwrap();
        let again = RecoveryPhrase::parse(phrase.words()).unwrap();
        let opened = backup_pair(&again)
            .unwrap()
            .open(b"info", b"", &sealed.enc, &sealed.ciphertext)
            .unwrap();
        assert_eq!(opened.as_slice(), b"data key");
        let other = RecoveryPhrase::generate().unwrap();
        assert!(
            backup_pair(&other)
                .unwrap()
                .open(b"info", b"", &sealed.enc, &sealed.ciphertext)
                .is_err()
        );
        // Another account's key is not taken, nor one that was changed.
        let strange = AccountRoot::from_phrase(&other).account_id();
        assert!(BackupKey::decode(&bytes, &strange).is_err());
        let mut changed = bytes.clone();
        changed[200] ^= 1;
        assert!(BackupKey::decode(&changed, &account).is_err());
        assert!(BackupKey::decode(&bytes[..90], &account).is_err());
    }
}
