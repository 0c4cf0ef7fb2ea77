//! What a leaf says, and what a member is to the caller.

use openmls::prelude::{BasicCredential, LeafNode};
use undertone_wire::{
    ids::{AccountId, Pin},
    secrets::{AddressSecret, KpKey},
};

use super::encryption_keys::{is_whole, of_leaf};
use crate::{
    Certificate, DeviceId, Error, LeafProfile, Result, ResyncAddress, Role, Settings, Violation,
    extension::read_leaf_extensions,
};

/// A leaf, read.
pub(crate) struct LeafFacts {
    pub(crate) account: AccountId,
    pub(crate) device: DeviceId,
    pub(crate) generation: u32,
    pub(crate) key: [u8; 32],
    pub(crate) profile: LeafProfile,
    pub(crate) resync: ResyncAddress,
}

impl Clone for LeafFacts {
    fn clone(&self) -> Self {
        Self {
            profile: self.profile.duplicate(),
            ..*self
        }
    }
}

impl LeafFacts {
    /// A leaf that comes in: the certificate chain is verified, and must be for the leaf's own key.
    pub(crate) fn verify(leaf: &LeafNode) -> std::result::Result<Self, Violation> {
        let certificate = Certificate::decode(&identity(leaf).map_err(|_| Violation::Certificate)?)
            .map_err(|_| Violation::Certificate)?;
        if certificate.device_key() != leaf.signature_key().as_slice() {
            return Err(Violation::Certificate);
        }
        if !is_whole(&of_leaf(leaf)?) {
            return Err(Violation::EncryptionKey);
        }
        Self::from_parts(leaf, &certificate).map_err(|_| Violation::Leaf)
    }

    /// A leaf of a tree whose leaves were verified when they came in.
    pub(crate) fn read(leaf: &LeafNode) -> Result<Self> {
        let corrupt = |_| Error::Corrupt("leaf");
        let certificate = Certificate::decode_verified_before(&identity(leaf)?).map_err(corrupt)?;
        Self::from_parts(leaf, &certificate).map_err(corrupt)
    }

    fn from_parts(leaf: &LeafNode, certificate: &Certificate) -> Result<Self> {
        let (profile, resync) = read_leaf_extensions(leaf.extensions())?;
        Ok(Self {
            account: certificate.account_id(),
            device: certificate.device_id(),
            generation: certificate.generation(),
            key: *certificate.device_key(),
            profile,
            resync,
        })
    }

    /// The same device of the same account, with the same key.
    pub(crate) fn same_device(&self, other: &Self) -> bool {
        self.account == other.account && self.device == other.device && self.key == other.key
    }
}

fn identity(leaf: &LeafNode) -> Result<Vec<u8>> {
    BasicCredential::try_from(leaf.credential().clone())
        .map(|credential| credential.identity().to_vec())
        .map_err(|_| Error::Malformed("credential"))
}

/// A member device of a conversation.
pub struct Member {
    /// Its leaf in this epoch.
    pub leaf: u32,
    /// Whose device it is.
    pub account: AccountId,
    /// Which.
    pub device: DeviceId,
    /// What it signs with.
    pub key: [u8; 32],
    /// The account's role.
    pub role: Role,
    /// The name in its leaf.
    pub name: String,
    /// Its current address in this conversation.
    pub address: AddressSecret,
    /// Opens its pool of key packages; in direct conversations only.
    pub kp_key: Option<KpKey>,
    /// Where sealed requests to it go.
    pub resync: ResyncAddress,
    /// Its address's server when it is not the conversation's, else empty.
    pub origin: String,
    /// That server's pin.
    pub pin: Option<Pin>,
    /// The generation of its account's device-signing key.
    pub generation: u32,
}

impl Member {
    pub(crate) fn new(
        leaf: u32,
        facts: LeafFacts,
        address: AddressSecret,
        settings: &Settings,
    ) -> Self {
        Self {
            leaf,
            account: facts.account,
            device: facts.device,
            key: facts.key,
            role: settings.role(&facts.account),
            name: facts.profile.name,
            address,
            kp_key: facts.profile.kp_key,
            resync: facts.resync,
            origin: facts.profile.origin,
            pin: facts.profile.pin,
            generation: facts.generation,
        }
    }
}
