//! Every member's current delivery address, computed by all members alike.
//!
//! A leaf starts with the address in its `undertone_leaf` extension, and a device's own update sets it. A commit that
//! removes somebody changes every remaining address to `HKDF(old || exporter_{n+1}("undertone address", ""), "address")`,
//! so that who left can no longer send; the tree still shows the old ones, hence this table. A joiner gets it in the
//! Welcome bundle.

use std::collections::BTreeMap;

use prost::Message as _;
use undertone_wire::{client_proto as proto, secrets::AddressSecret};
use zeroize::Zeroizing;

use crate::{Error, Result, derive::hkdf};

/// Addresses by leaf.
#[derive(Default)]
pub(crate) struct Addresses(BTreeMap<u32, AddressSecret>);

impl Addresses {
    pub(crate) fn get(&self, leaf: u32) -> Option<&AddressSecret> {
        self.0.get(&leaf)
    }

    pub(crate) fn set(&mut self, leaf: u32, address: AddressSecret) {
        self.0.insert(leaf, address);
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &AddressSecret)> {
        self.0.iter().map(|(leaf, address)| (*leaf, address))
    }

    pub(crate) fn leaves(&self) -> impl Iterator<Item = u32> {
        self.0.keys().copied()
    }

    /// The table after a commit, but for members that it adds: removed leaves go, the committer's own update is set, and
    /// then, if `removal_secret` is there, everything is re-keyed.
    pub(crate) fn after_commit(
        &self,
        removed: &[u32],
        updated: Option<(u32, &AddressSecret)>,
        removal_secret: Option<&[u8; 32]>,
    ) -> Self {
        let mut after: BTreeMap<u32, AddressSecret> = self
            .0
            .iter()
            .filter(|(leaf, _)| !removed.contains(leaf))
            .map(|(leaf, address)| (*leaf, address.duplicate()))
            .collect();
        if let Some((leaf, address)) = updated {
            after.insert(leaf, address.duplicate());
        }
        if let Some(secret) = removal_secret {
            for address in after.values_mut() {
                *address = rekeyed(address, secret);
            }
        }
        Self(after)
    }

    pub(crate) fn to_proto(&self) -> Vec<proto::LeafAddress> {
        self.iter()
            .map(|(leaf, address)| proto::LeafAddress {
                leaf,
                secret: address.to_bytes(),
            })
            .collect()
    }

    /// Reads a table; a leaf stands in it once.
    pub(crate) fn from_proto(entries: &[proto::LeafAddress]) -> Result<Self> {
        let mut table = BTreeMap::new();
        for entry in entries {
            if table
                .insert(entry.leaf, AddressSecret::from_slice(&entry.secret)?)
                .is_some()
            {
                return Err(Error::Malformed("address table"));
            }
        }
        Ok(Self(table))
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        proto::WelcomeTable {
            addresses: self.to_proto(),
            ..Default::default()
        }
        .encode_to_vec()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self> {
        Self::from_proto(&proto::WelcomeTable::decode(bytes)?.addresses)
    }
}

/// The address that takes an old one's place after a removal.
pub(crate) fn rekeyed(old: &AddressSecret, removal_secret: &[u8; 32]) -> AddressSecret {
    let secret = Zeroizing::new([old.expose().as_slice(), removal_secret].concat());
    AddressSecret::new(*hkdf(&secret, "address"))
}
