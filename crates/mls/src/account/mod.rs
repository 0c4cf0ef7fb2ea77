//! Whose device it is: from the words on paper to the key in a leaf.
//!
//! The account root exists only under the recovery phrase. It signs the account's device-signing key (DSK) with a
//! generation number; the DSK certifies each device's own key. That [`Certificate`] is the credential of the device's MLS
//! leaf, so whoever sees the leaf can check it down to the account id, which people compare as a safety number.
//!
//! Every key carries an algorithm tag, so that a hybrid with a post-quantum signature can follow.

mod backup;
mod certificate;
mod device;
mod phrase;
mod root;
mod safety_number;
mod signing_key;

pub use backup::{BackupKey, backup_pair};
pub use certificate::Certificate;
pub use device::DeviceKeys;
pub use phrase::RecoveryPhrase;
pub use root::AccountRoot;
pub use safety_number::safety_number;
pub use signing_key::DeviceSigningKey;

/// The algorithm tag of Ed25519 (RFC 8032).
pub(crate) const ED25519: u8 = 1;

/// SHA-256 over `"undertone/1 account" || algorithm tag || root public key`.
pub(crate) fn account_id(root_key: &[u8; 32]) -> undertone_wire::ids::AccountId {
    let mut tagged = b"undertone/1 account".to_vec();
    tagged.push(ED25519);
    tagged.extend_from_slice(root_key);
    undertone_wire::ids::sha256(&tagged).into()
}

/// Ed25519, with the strict check: no small-order keys, one signature per message and key.
pub(crate) fn verify(key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
    ed25519_dalek::VerifyingKey::from_bytes(key).is_ok_and(|key| {
        key.verify_strict(message, &ed25519_dalek::Signature::from_bytes(signature))
            .is_ok()
    })
}
