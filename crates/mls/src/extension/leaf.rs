//! `undertone_leaf`: how the other members reach a device.

use prost::Message as _;
use undertone_wire::{
    client_proto as proto,
    ids::Pin,
    secrets::{AddressSecret, KpKey},
};

use super::ORIGIN_BYTES;
use crate::{Error, GroupId, Result};

const VERSION: u32 = 1;
const NAME_BYTES: usize = 64;

/// What a device tells the members of one conversation about itself.
pub struct LeafProfile {
    /// Where items for this device are sent. For a key package: the address made for it alone.
    pub address: AddressSecret,
    /// Opens the pool of key packages under that address; in direct conversations only.
    pub kp_key: Option<KpKey>,
    /// The person's name, at most 64 bytes; shown until a profile message replaces it.
    pub name: String,
    /// The server of the address (`host:port`) and its pin, when it is not the conversation's; else empty.
    pub origin: String,
    /// See `origin`.
    pub pin: Option<Pin>,
    /// In this conversation the device takes the place of all devices that its account had before: it was made with the recovery
    /// phrase, and nothing else of the account is left. Set in the key package of a resync request only.
    pub replaces: Option<GroupId>,
}

/// Where sealed requests to a device go: both halves are needed to open one. 64 bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ResyncAddress {
    /// X25519 public key (HPKE, RFC 9180).
    pub(crate) public_key: [u8; 32],
    /// AES-256 key that only members know; it keeps out those who record now and compute later.
    pub(crate) sealing_key: [u8; 32],
}

impl ResyncAddress {
    /// Length of [`Self::encode`].
    pub const LEN: usize = 64;

    /// To be kept beside the MLS state, so that a device which loses that can still ask to come back.
    pub fn encode(&self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        bytes[..32].copy_from_slice(&self.public_key);
        bytes[32..].copy_from_slice(&self.sealing_key);
        bytes
    }

    /// From what was kept.
    ///
    /// # Errors
    /// [`Error::Malformed`] when the length is wrong.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let malformed = || Error::Malformed("resync address");
        let (public_key, sealing_key) = bytes.split_at_checked(32).ok_or_else(malformed)?;
        Ok(Self {
            public_key: public_key.try_into().map_err(|_| malformed())?,
            sealing_key: sealing_key.try_into().map_err(|_| malformed())?,
        })
    }
}

impl LeafProfile {
    /// A second one, on purpose.
    pub fn duplicate(&self) -> Self {
        Self {
            address: self.address.duplicate(),
            kp_key: self.kp_key.as_ref().map(KpKey::duplicate),
            name: self.name.clone(),
            origin: self.origin.clone(),
            pin: self.pin,
            replaces: self.replaces,
        }
    }

    /// # Errors
    /// [`Error::TooLong`] for the name or the origin; [`Error::Malformed`] when only one of origin and pin is there.
    pub(crate) fn check(&self) -> Result<()> {
        if self.name.len() > NAME_BYTES {
            return Err(Error::TooLong("name"));
        }
        if self.origin.len() > ORIGIN_BYTES {
            return Err(Error::TooLong("origin"));
        }
        if self.origin.is_empty() != self.pin.is_none() {
            return Err(Error::Malformed("origin"));
        }
        Ok(())
    }

    pub(super) fn encode(&self, resync: &ResyncAddress) -> Vec<u8> {
        proto::LeafExtension {
            version: VERSION,
            address_secret: self.address.to_bytes(),
            kp_key: self
                .kp_key
                .as_ref()
                .map(KpKey::to_bytes)
                .unwrap_or_default(),
            name: self.name.clone(),
            origin: self.origin.clone(),
            pin: self.pin.map(|pin| pin.to_bytes()).unwrap_or_default(),
            resync_key: resync.encode().to_vec().into(),
            replaces: self
                .replaces
                .map(|group| group.as_bytes().to_vec().into())
                .unwrap_or_default(),
        }
        .encode_to_vec()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<(Self, ResyncAddress)> {
        let malformed = || Error::Malformed("leaf extension");
        let decoded = proto::LeafExtension::decode(bytes)?;
        let profile = Self {
            address: AddressSecret::from_slice(&decoded.address_secret)?,
            kp_key: (!decoded.kp_key.is_empty())
                .then(|| KpKey::from_slice(&decoded.kp_key))
                .transpose()?,
            name: decoded.name,
            origin: decoded.origin,
            pin: (!decoded.pin.is_empty())
                .then(|| Pin::from_slice(&decoded.pin))
                .transpose()?,
            replaces: (!decoded.replaces.is_empty())
                .then(|| GroupId::from_slice(&decoded.replaces))
                .transpose()?,
        };
        let resync = ResyncAddress::decode(&decoded.resync_key)?;
        profile.check().map_err(|_| malformed())?;
        if profile.encode(&resync) != bytes {
            return Err(malformed());
        }
        Ok((profile, resync))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn profile() -> (LeafProfile, ResyncAddress) {
        let profile = LeafProfile {
            address: AddressSecret::new([1; 32]),
            kp_key: Some(KpKey::new([2; 32])),
            name: "Ada".into(),
            origin: String::new(),
            pin: None,
            replaces: None,
        };
        (
            profile,
            ResyncAddress {
                public_key: [3; 32],
                sealing_key: [4; 32],
            },
        )
    }

    #[test]
    fn one_encoding_only() {
        let (profile, resync) = profile();
        let bytes = profile.encode(&resync);
        let (again, resync_again) = LeafProfile::decode(&bytes).unwrap();
        assert_eq!(again.encode(&resync_again), bytes);
        // An unknown field would let two members see the same leaf and sign different bytes.
        assert!(LeafProfile::decode(&[&bytes[..], &[0x78, 1]].concat()).is_err());
        assert!(LeafProfile::decode(&bytes[..bytes.len() - 1]).is_err());
        assert!(LeafProfile::decode(&[]).is_err());
    }

    #[test]
    fn limits_hold_on_both_sides() {
        let (mut profile, resync) = profile();
        profile.name = "x".repeat(65);
        assert!(profile.check().is_err());
        assert!(LeafProfile::decode(&profile.encode(&resync)).is_err());
        profile.name.pop();
        assert!(LeafProfile::decode(&profile.encode(&resync)).is_ok());
        profile.origin = "other.example:7443".into();
        assert!(LeafProfile::decode(&profile.encode(&resync)).is_err());
        profile.pin = Some(Pin::new([5; 32]));
        assert!(LeafProfile::decode(&profile.encode(&resync)).is_ok());
    }
}
