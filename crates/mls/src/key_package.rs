//! Key packages (RFC 9420 section 10): how a device is added while it is away.
//!
//! Each carries its own delivery address in its leaf, so that two conversations cannot be joined by it. On a server it lies
//! padded and sealed under `kp_key`, which travels with the contact address and never reaches a server.
//!
//! The MLS lifetime is unlimited on purpose: OpenMLS checks it against the machine's clock on every receive path, and a
//! clock that is days off must not make one member refuse a commit that the others take. What bounds a key package's life is
//! that a one-time one is gone when taken, and that its owner replaces the last-resort one and deletes its private half.

use openmls::prelude::{
    KeyPackage, KeyPackageIn, KeyPackageRef, Lifetime, ProtocolVersion,
    tls_codec::{Deserialize as _, Serialize as _},
};
use openmls_traits::{OpenMlsProvider as _, storage::StorageProvider as _};
use undertone_wire::{
    ids::{AccountId, KeyPackageId},
    seal as wire_seal,
    secrets::{AddressSecret, KpKey},
};

use crate::{
    DeviceId, DeviceKeys, Error, LeafProfile, Provider, Result, Violation,
    extension::{capabilities, has_capabilities, leaf_extensions},
    group::{LeafFacts, encryption_keys, resync},
    provider::SUITE,
};

/// A key package whose private half is now in the store.
pub struct NewKeyPackage {
    /// Names it on the server; random.
    pub id: KeyPackageId,
    /// The encoded KeyPackage, not yet sealed.
    pub bytes: Vec<u8>,
    /// Names it in the store, for [`delete_key_package`].
    pub hash_ref: Vec<u8>,
}

/// Makes one. A one-time key package carries an address of its own; a last-resort one a landing address.
///
/// # Errors
/// [`Error::TooLong`] for the profile's name or origin, [`Error::Library`].
pub fn create_key_package(
    provider: &Provider<'_>,
    device: &DeviceKeys,
    profile: &LeafProfile,
    last_resort: bool,
) -> Result<NewKeyPackage> {
    profile.check()?;
    let mut builder = KeyPackage::builder()
        .key_package_lifetime(lifetime())
        .leaf_node_capabilities(capabilities())
        .leaf_node_extensions(leaf_extensions(profile, &resync::address_of(device)?)?);
    if last_resort {
        builder = builder.mark_as_last_resort();
    }
    let bundle = builder
        .build(SUITE, provider, device, device.credential())
        .map_err(|_| Error::Library("key package"))?;
    Ok(NewKeyPackage {
        id: KeyPackageId::random(),
        hash_ref: hash_ref(provider, bundle.key_package())?,
        bytes: bundle
            .key_package()
            .tls_serialize_detached()
            .map_err(|_| Error::Library("key package"))?,
    })
}

pub(crate) fn lifetime() -> Lifetime {
    Lifetime::init(0, u64::MAX)
}

pub(crate) fn hash_ref(provider: &Provider<'_>, key_package: &KeyPackage) -> Result<Vec<u8>> {
    key_package
        .hash_ref(provider.crypto())
        .ok()
        .and_then(|reference| reference.tls_serialize_detached().ok())
        .ok_or(Error::Library("key package reference"))
}

/// `SealedKeyPackage.sealed`: exactly 4,096 bytes, AES-256-GCM under `kp_key`.
///
/// # Errors
/// [`Error::TooLong`] when it does not fit, which no profile within its limits does.
pub fn seal_key_package(key_package: &NewKeyPackage, kp_key: &KpKey) -> Result<Vec<u8>> {
    wire_seal::seal_key_package(kp_key, &key_package.bytes)
        .map(Vec::from)
        .map_err(|_| Error::TooLong("key package"))
}

/// Another device's key package, checked in full.
#[derive(Clone)]
pub struct PeerKeyPackage {
    pub(crate) key_package: KeyPackage,
    pub(crate) facts: LeafFacts,
}

/// Opens what a server handed out.
///
/// # Errors
/// [`Error::Sealed`] when `kp_key` does not open it; [`Error::Malformed`] or [`Error::Refused`] when what is inside is not a
/// key package of a certified device.
pub fn open_key_package(
    provider: &Provider<'_>,
    sealed: &[u8],
    kp_key: &KpKey,
) -> Result<PeerKeyPackage> {
    let plaintext = wire_seal::open_key_package(kp_key, sealed).map_err(|_| Error::Sealed)?;
    PeerKeyPackage::decode(provider, &plaintext)
}

impl PeerKeyPackage {
    /// The generation of the device-signing key that certified its device. A group takes none below the highest that it has seen of the
    /// account ([`crate::Group::generation_floor`]).
    #[must_use]
    pub fn generation(&self) -> u32 {
        self.facts.generation
    }

    /// The account that the adder must compare with the one it means.
    pub fn account_id(&self) -> AccountId {
        self.facts.account
    }

    /// The device.
    pub fn device_id(&self) -> DeviceId {
        self.facts.device
    }

    /// The name it goes by until a profile message says another.
    pub fn name(&self) -> &str {
        &self.facts.profile.name
    }

    /// Where its Welcome goes.
    pub fn address(&self) -> &AddressSecret {
        &self.facts.profile.address
    }

    /// Whether it may have been used before; its owner then updates its leaf in its first commit.
    pub fn last_resort(&self) -> bool {
        self.key_package.last_resort()
    }

    /// To keep it over a restart.
    ///
    /// # Errors
    /// [`Error::Library`].
    pub fn encode(&self) -> Result<Vec<u8>> {
        self.key_package
            .tls_serialize_detached()
            .map_err(|_| Error::Library("key package"))
    }

    /// Decodes and checks signatures, certificate, suite, extensions, capabilities, and that both keys can be encrypted to.
    ///
    /// # Errors
    /// [`Error::Malformed`], [`Error::Refused`].
    pub fn decode(provider: &Provider<'_>, bytes: &[u8]) -> Result<Self> {
        let key_package = KeyPackageIn::tls_deserialize_exact(bytes)
            .map_err(|_| Error::Malformed("key package"))?
            .validate(provider.crypto(), ProtocolVersion::Mls10)
            .map_err(|_| Error::Malformed("key package"))?;
        Self::from_mls(key_package).map_err(Error::Refused)
    }

    pub(crate) fn from_mls(key_package: KeyPackage) -> std::result::Result<Self, Violation> {
        if key_package.ciphersuite() != SUITE || *key_package.life_time() != lifetime() {
            return Err(Violation::Leaf);
        }
        if !has_capabilities(key_package.leaf_node().capabilities()) {
            return Err(Violation::Leaf);
        }
        encryption_keys::judge_key_package(&key_package)?;
        let facts = LeafFacts::verify(key_package.leaf_node())?;
        Ok(Self { key_package, facts })
    }
}

/// Deletes the private half of a key package that will not be used any more.
///
/// # Errors
/// [`Error::Malformed`], [`Error::Storage`].
pub fn delete_key_package(provider: &Provider<'_>, hash_ref: &[u8]) -> Result<()> {
    let reference = KeyPackageRef::tls_deserialize_exact(hash_ref)
        .map_err(|_| Error::Malformed("key package reference"))?;
    provider.storage().delete_key_package(&reference)?;
    Ok(())
}
