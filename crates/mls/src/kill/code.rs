//! From twelve words to a signing key and a seed.

use ed25519_dalek::{Signer as _, SigningKey};
use undertone_wire::secrets::Secret;
use zeroize::Zeroizing;

use super::Slot;
use crate::{RecoveryPhrase, Result, derive::hkdf};

/// A kill code: 12 words of the same form as a recovery phrase, and never the same words.
///
/// The words hold 128 random bits, which nobody guesses, so no derivation has to be slow; BIP-39's own 2,048 rounds are part of it all
/// the same.
pub struct KillCode(RecoveryPhrase);

impl KillCode {
    /// Twelve fresh words.
    ///
    /// # Errors
    /// None in practice; 128 bits always make 12 words.
    pub fn generate() -> Result<Self> {
        RecoveryPhrase::generate().map(Self)
    }

    /// Reads the words back; case and the space between them do not matter.
    ///
    /// # Errors
    /// [`crate::Error::RecoveryPhrase`] unless there are 12 known words and the checksum fits.
    pub fn parse(text: &str) -> Result<Self> {
        RecoveryPhrase::parse(text).map(Self)
    }

    /// The words, separated by single spaces, to be shown once and kept nowhere.
    pub fn words(&self) -> &str {
        self.0.words()
    }

    /// What signs commands: Ed25519 from `HKDF(BIP-39 seed, "kill signing key")`.
    pub fn signer(&self) -> KillSigner {
        KillSigner(SigningKey::from_bytes(&hkdf(
            self.0.seed().as_slice(),
            "kill signing key",
        )))
    }

    /// What the slots come from: `HKDF(BIP-39 seed, "kill seed")`.
    pub fn seed(&self) -> KillSeed {
        KillSeed(Secret::new(*hkdf(self.0.seed().as_slice(), "kill seed")))
    }
}

/// Signs commands: of a kill code, of a custodian's words, or of one of the account's own devices.
pub struct KillSigner(SigningKey);

impl KillSigner {
    /// A fresh one, for a device.
    pub fn generate() -> Self {
        Self(SigningKey::from_bytes(Secret::<32>::random().expose()))
    }

    /// From a store.
    pub fn from_secret(secret: &Secret<32>) -> Self {
        Self(SigningKey::from_bytes(secret.expose()))
    }

    /// To be stored.
    pub fn to_secret(&self) -> Secret<32> {
        Secret::new(*Zeroizing::new(self.0.to_bytes()))
    }

    /// What devices know it by.
    pub fn public(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }

    pub(super) fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }
}

/// What the slots of a kill code come from. Devices have it; it lets nobody sign.
#[derive(PartialEq, Eq)]
pub struct KillSeed(Secret<32>);

impl KillSeed {
    /// From a store.
    ///
    /// # Errors
    /// [`crate::Error::Malformed`] when the length is wrong.
    pub fn from_slice(bytes: &[u8]) -> Result<Self> {
        Ok(Self(Secret::from_slice(bytes)?))
    }

    /// To be stored.
    pub const fn expose(&self) -> &[u8; 32] {
        self.0.expose()
    }

    /// Slot `number`: `HKDF(seed, "kill slot " || number in decimal)`.
    pub fn slot(&self, number: u32) -> Slot {
        let secret = hkdf(self.0.expose(), &format!("kill slot {number}"));
        Slot::of(Secret::new(*secret))
    }
}
