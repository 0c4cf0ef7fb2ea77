//! Coming back after lost state: asking outside the group, and being removed and added again in one commit.
//!
//! A device that cannot process an epoch asks the members it knows of, by a request that only they can open and that its
//! device key signs. It carries a fresh key package, and a Welcome for that one is the only Welcome that replaces the old
//! state. Whoever helps checks that the device stands in the current tree; a device that is not a member gets no answer.
//!
//! One exception: an account that lost all of its devices comes back with one that its recovery phrase made. The device-signing key of
//! that device is of a higher generation than any seen, which only the account's root can sign, and its key package names the
//! conversation in which it takes the place of the older devices. They go in the same commit.

use openmls::prelude::LeafNodeIndex;
use openmls_rust_crypto::RustCrypto;
use openmls_traits::{
    OpenMlsProvider as _,
    crypto::OpenMlsCrypto as _,
    types::{HpkeAeadType, HpkeCiphertext, HpkeConfig, HpkeKdfType, HpkeKemType},
};
use prost::Message as _;
use undertone_wire::{
    client_proto::{ResyncRequest, SealedRequest},
    ids::{random_bytes, sha256},
};

use super::{
    Group, LeafFacts,
    authorize::{Before, generation_floor},
    process_commit::before_of,
};
use crate::{
    Certificate, DeviceId, DeviceKeys, Error, GroupId, LeafProfile, PeerKeyPackage, Provider,
    Result, ResyncAddress, Violation,
    derive::{hkdf, open as aead_open, put_part, seal as aead_seal},
    key_package::{create_key_package, delete_key_package},
    store,
};

/// The inner layer; the outer one is AES-256-GCM under a key that only members know.
pub(super) const HPKE: HpkeConfig = HpkeConfig(
    HpkeKemType::DhKem25519,
    HpkeKdfType::HkdfSha256,
    HpkeAeadType::AesGcm256,
);
const INFO: &[u8] = b"undertone/1 resync";
/// A request is answered this long after it was sent, by clocks that may be two days apart.
const FRESH_S: u64 = 3 * 24 * 3600;
/// One answer per device in this time: less than the two minutes after which it asks once more, since the first answer may be lost.
const INTERVAL_S: u64 = 60;

/// Where sealed requests to this device go; the private half is derived from the device's key.
pub(crate) fn address_of(device: &DeviceKeys) -> Result<ResyncAddress> {
    let seed = device.resync_seed();
    let pair = RustCrypto::default()
        .derive_hpke_keypair(HPKE, hkdf(seed.as_slice(), "resync hpke").as_slice())
        .map_err(|_| Error::Library("hpke"))?;
    Ok(ResyncAddress {
        public_key: pair
            .public
            .as_slice()
            .try_into()
            .map_err(|_| Error::Library("hpke"))?,
        sealing_key: *hkdf(seed.as_slice(), "resync seal"),
    })
}

/// A request that was checked, for [`crate::Change::Readd`].
pub struct VerifiedResync {
    pub(crate) key_package: PeerKeyPackage,
    /// Where the device says it stopped.
    pub last_epoch: u64,
    /// Decides who helps: [`Group::helper_rank`].
    pub nonce: [u8; 16],
    /// The device's leaf in this epoch; of one that takes the place of others, all of its account's.
    leaves: Vec<u32>,
    request: Vec<u8>,
    /// The device is back by this very request.
    answered: bool,
    /// It has not renewed its leaf since.
    unproven: bool,
}

impl VerifiedResync {
    /// The request itself, to be kept in the outbox and checked again with [`Group::recheck_resync`] when the commit has
    /// to be staged anew.
    pub fn request(&self) -> &[u8] {
        &self.request
    }

    /// Whether another member has answered it already.
    pub fn is_answered(&self) -> bool {
        self.answered
    }

    /// Which device comes back.
    pub fn device(&self) -> DeviceId {
        self.key_package.device_id()
    }

    /// Whose.
    pub fn account(&self) -> undertone_wire::ids::AccountId {
        self.key_package.account_id()
    }
}

/// Makes a request, encoded; it is then sealed to each member. The key package in it shows `profile`, whose address is a
/// fresh one. `now_s` is in Unix seconds.
///
/// # Errors
/// [`Error::TooLong`], [`Error::Library`], [`Error::Storage`].
pub fn ask(
    provider: &Provider<'_>,
    device: &DeviceKeys,
    profile: &LeafProfile,
    group: &GroupId,
    last_epoch: u64,
    now_s: u64,
) -> Result<Vec<u8>> {
    let key_package = create_key_package(provider, device, profile, false)?;
    store::write_resync_asked(provider, &key_package.hash_ref, group)?;
    let mut request = ResyncRequest {
        group_id: group.as_bytes().to_vec().into(),
        certificate: device.certificate().encode().into(),
        key_package: key_package.bytes.into(),
        last_epoch,
        nonce: random_bytes::<16>().to_vec().into(),
        sent_at_s: now_s,
        signature: Default::default(),
    };
    request.signature = device.sign(&signed(&request)).to_vec().into();
    Ok(request.encode_to_vec())
}

/// Forgets the requests of this device for a conversation, and deletes their key packages: a Welcome for them is no longer waited for.
///
/// # Errors
/// [`Error::Storage`].
pub fn withdraw(provider: &Provider<'_>, group: &GroupId) -> Result<()> {
    for reference in store::delete_resync_asked(provider, group)? {
        delete_key_package(provider, &reference)?;
    }
    Ok(())
}

/// Seals a request to one member.
///
/// # Errors
/// [`Error::Library`].
pub fn seal(provider: &Provider<'_>, request: &[u8], to: &ResyncAddress) -> Result<SealedRequest> {
    let inner = provider
        .crypto()
        .hpke_seal(HPKE, &to.public_key, INFO, &[], request)
        .map_err(|_| Error::Library("hpke"))?;
    Ok(SealedRequest {
        enc: inner.kem_output.as_slice().to_vec().into(),
        sealed: aead_seal(
            provider.crypto(),
            &to.sealing_key,
            INFO,
            inner.ciphertext.as_slice(),
        )?
        .into(),
    })
}

/// Opens a request to this device.
///
/// # Errors
/// [`Error::Sealed`].
pub fn open(
    provider: &Provider<'_>,
    device: &DeviceKeys,
    sealed: &SealedRequest,
) -> Result<Vec<u8>> {
    let seed = device.resync_seed();
    let pair = provider
        .crypto()
        .derive_hpke_keypair(HPKE, hkdf(seed.as_slice(), "resync hpke").as_slice())
        .map_err(|_| Error::Library("hpke"))?;
    let ciphertext = aead_open(
        provider.crypto(),
        &hkdf(seed.as_slice(), "resync seal"),
        INFO,
        &sealed.sealed,
    )
    .ok_or(Error::Sealed)?;
    let inner = HpkeCiphertext {
        kem_output: sealed.enc.to_vec().into(),
        ciphertext: ciphertext.to_vec().into(),
    };
    provider
        .crypto()
        .hpke_open(HPKE, &inner, &pair.private, INFO, &[])
        .map_err(|_| Error::Sealed)
}

/// The conversation an opened request is for.
///
/// # Errors
/// [`Error::Malformed`].
pub fn group_of(request: &[u8]) -> Result<GroupId> {
    GroupId::from_slice(&ResyncRequest::decode(request)?.group_id)
}

/// What the device key signs: everything but the signature.
pub(super) fn signed(request: &ResyncRequest) -> Vec<u8> {
    let mut message = b"undertone/1 resync request".to_vec();
    put_part(&mut message, &request.group_id);
    put_part(&mut message, &request.certificate);
    message.extend_from_slice(&sha256(&request.key_package));
    message.extend_from_slice(&request.last_epoch.to_be_bytes());
    put_part(&mut message, &request.nonce);
    message.extend_from_slice(&request.sent_at_s.to_be_bytes());
    message
}

/// The leaves that go when a device is let in by its request: its own; or, for a device of a newer device-signing key that says so, all
/// of its account.
///
/// # Errors
/// [`Error::Refused`] for a device that is no member and takes nobody's place.
pub(super) fn leaves_of(before: &Before<'_>, asks: &LeafFacts) -> Result<Vec<u32>> {
    let leaves = before.leaves;
    if let Some((leaf, _)) = leaves.iter().find(|(_, facts)| facts.same_device(asks)) {
        return Ok(vec![*leaf]);
    }
    let of_account: Vec<_> = leaves
        .iter()
        .filter(|(_, facts)| facts.account == asks.account)
        .collect();
    let replaces = asks.profile.replaces.as_ref() == Some(before.group)
        && asks.generation > generation_floor(before, &asks.account);
    if of_account.is_empty() || !replaces {
        return Err(Violation::ResyncRequest.into());
    }
    Ok(of_account.into_iter().map(|(leaf, _)| *leaf).collect())
}

impl Group {
    /// Checks an opened request, and notes it: one per device and minute is accepted, also if another member has answered it already.
    /// `now_s` is in Unix seconds.
    ///
    /// # Errors
    /// [`Error::Malformed`]; [`Error::Refused`] when it is not a member's, stale, repeated or too frequent.
    pub fn verify_resync(
        &self,
        provider: &Provider<'_>,
        request: &[u8],
        now_s: u64,
    ) -> Result<VerifiedResync> {
        let verified = self.check(provider, request, now_s)?;
        let device = verified.device();
        let seen = store::read_resync_seen(provider, &self.id, &device)?;
        if seen.is_some_and(|(nonce, at_s)| {
            nonce == verified.nonce || now_s.abs_diff(at_s) < INTERVAL_S
        }) {
            return Err(Violation::ResyncRequest.into());
        }
        store::write_resync_seen(provider, &self.id, &device, &verified.nonce, now_s)?;
        Ok(verified)
    }

    /// The same check without the limit, for a request that [`Self::verify_resync`] accepted before: its commit lost the
    /// race, or was not sent before a restart.
    ///
    /// # Errors
    /// As [`Self::verify_resync`]. In particular the device may have been added again by another meanwhile.
    pub fn recheck_resync(
        &self,
        provider: &Provider<'_>,
        request: &[u8],
        now_s: u64,
    ) -> Result<VerifiedResync> {
        let verified = self.check(provider, request, now_s)?;
        // Another helper was faster: a second answer would put the device out, because its key package serves once.
        if verified.answered {
            return Err(Violation::ResyncRequest.into());
        }
        Ok(verified)
    }

    /// Whether the device is back by this very request and has sent no commit of its own since: it may be waiting to hear from another
    /// member that the state it was given is the group's.
    ///
    /// # Errors
    /// [`Error::Corrupt`].
    pub fn is_unproven(&self, provider: &Provider<'_>, request: &[u8], now_s: u64) -> Result<bool> {
        match self.check(provider, request, now_s) {
            Ok(verified) => Ok(verified.answered && verified.unproven),
            Err(Error::Malformed(_) | Error::Refused(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn check(&self, provider: &Provider<'_>, request: &[u8], now_s: u64) -> Result<VerifiedResync> {
        let refused = || Error::Refused(Violation::ResyncRequest);
        let decoded = ResyncRequest::decode(request)?;
        if decoded.group_id != self.id.as_bytes()[..] || decoded.sent_at_s.abs_diff(now_s) > FRESH_S
        {
            return Err(refused());
        }
        let certificate = Certificate::decode(&decoded.certificate)?;
        let signature = decoded.signature[..]
            .try_into()
            .map_err(|_| Error::Malformed("signature"))?;
        if !certificate.verify(&signed(&decoded), &signature) {
            return Err(refused());
        }
        let key_package = PeerKeyPackage::decode(provider, &decoded.key_package)?;
        let leaves = self.leaves()?;
        let going = leaves_of(&before_of(&leaves, self), &key_package.facts)?;
        let (mut answered, mut unproven) = (false, false);
        for leaf in &going {
            let node = self.mls.public_group().leaf(LeafNodeIndex::new(*leaf));
            let same_key = node.is_some_and(|node| {
                node.encryption_key() == key_package.key_package.leaf_node().encryption_key()
            });
            // Nothing but this device's requests shows the address. A leaf with it that is another request's, and that the device has not
            // renewed, says that the answer to that one was lost.
            let renewed = node.is_some_and(|node| node.parent_hash().is_some());
            let same_address = leaves
                .get(leaf)
                .is_some_and(|here| here.profile.address == key_package.facts.profile.address);
            answered |= same_address && (same_key || renewed);
            unproven |= same_key;
        }
        let same = key_package.facts.key == *certificate.device_key()
            && key_package.facts.device == certificate.device_id()
            && key_package.facts.account == certificate.account_id();
        // Only a key that is nobody else's can come in; one's own stays what it was where this request was answered.
        self.judge_additions(std::slice::from_ref(&key_package), &going)?;
        // A request from a leaf's own future or present: it has not missed anything that we know of.
        if !same || going.contains(&self.own_leaf()) || key_package.last_resort() {
            return Err(refused());
        }
        Ok(VerifiedResync {
            key_package,
            last_epoch: decoded.last_epoch,
            nonce: decoded.nonce[..]
                .try_into()
                .map_err(|_| Error::Malformed("nonce"))?,
            leaves: going,
            request: request.to_vec(),
            answered,
            unproven,
        })
    }

    /// Who answers a request: members are ordered by SHA-256(nonce || leaf key), the asker left out. 0 answers at once, the
    /// others wait in turn, and stop when they see the device come back.
    ///
    /// # Errors
    /// [`Error::Corrupt`].
    pub fn helper_rank(&self, request: &VerifiedResync) -> Result<usize> {
        let order = |key: &[u8; 32]| sha256(&[&request.nonce[..], key].concat());
        let leaves = self.leaves()?;
        let own = leaves
            .get(&self.own_leaf())
            .ok_or(Error::Corrupt("own leaf"))?;
        let place = order(&own.key);
        Ok(leaves
            .iter()
            .filter(|(leaf, facts)| !request.leaves.contains(leaf) && order(&facts.key) < place)
            .count())
    }
}
