//! A slot: one device's place among those that a kill code, or a custodian, reaches.

use ed25519_dalek::SigningKey;
use undertone_wire::{
    ids::random_bytes,
    secrets::{AddressSecret, KpKey, Secret},
};

use crate::derive::hkdf;

/// Slots of a kill code, and so devices that it reaches.
pub const SLOTS: u32 = 32;

/// Drawn at random by a device when it takes a slot; a command is for one of them only. So whoever is linked or restored later is not
/// reached by an older command, whatever a server kept of it.
pub type Generation = [u8; 32];

/// What comes from a slot's secret, each by `HKDF(secret, label)`.
pub struct Slot {
    secret: Secret<32>,
}

impl Slot {
    /// From its secret.
    pub const fn of(secret: Secret<32>) -> Self {
        Self { secret }
    }

    /// One that comes from no seed.
    pub fn random() -> Self {
        Self::of(Secret::random())
    }

    /// A new generation.
    pub fn generation() -> Generation {
        random_bytes()
    }

    /// To be stored.
    pub const fn secret(&self) -> &Secret<32> {
        &self.secret
    }

    /// Where commands go (`"kill address"`).
    pub fn address(&self) -> AddressSecret {
        AddressSecret::new(*hkdf(self.secret.expose(), "kill address"))
    }

    /// What the record on the server is sealed with (`"kill record"`).
    pub(super) fn record_key(&self) -> KpKey {
        KpKey::new(*hkdf(self.secret.expose(), "kill record"))
    }

    /// What commands are sealed with (`"kill command"`).
    pub(super) fn command_key(&self) -> Secret<32> {
        Secret::new(*hkdf(self.secret.expose(), "kill command"))
    }

    /// What heartbeats are sealed with (`"kill heartbeat"`).
    pub(super) fn heartbeat_key(&self) -> Secret<32> {
        Secret::new(*hkdf(self.secret.expose(), "kill heartbeat"))
    }

    /// What signs receipts (`"kill receipt"`).
    pub(super) fn receipt_key(&self) -> SigningKey {
        SigningKey::from_bytes(&hkdf(self.secret.expose(), "kill receipt"))
    }
}
