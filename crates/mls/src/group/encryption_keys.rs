//! The keys that a group's tree encrypts to. OpenMLS takes whatever bytes stand there, and finds out when somebody has to encrypt to them: then
//! every commit of every other member fails. It compares a new key with those of the leaves only, while who joins compares all. So a key is
//! looked at here when it comes in.

use std::collections::HashSet;

use openmls::prelude::{
    KeyPackage, LeafNode, ParentNode, StagedCommit,
    tls_codec::{Deserialize as _, Serialize, VLBytes},
};
use openmls::treesync::RatchetTree;
use openmls_traits::OpenMlsProvider as _;

use super::Group;
use crate::{Error, PeerKeyPackage, Provider, Result, Violation};

type Judgement<T> = std::result::Result<T, Violation>;

/// X-Wing: an ML-KEM-768 encapsulation key and an X25519 public key.
const KEY_BYTES: usize = 1184 + 32;
/// The part of the former that holds numbers, of 12 bits each (FIPS 203 section 4.2.1).
const COEFFICIENT_BYTES: usize = 1152;
/// Each is less than this (FIPS 203 section 7.2, "modulus check").
const MODULUS: u16 = 3329;

/// Whether something can be encrypted to this key at all.
pub(crate) fn is_whole(key: &[u8]) -> bool {
    key.len() == KEY_BYTES
        && key[..COEFFICIENT_BYTES].chunks_exact(3).all(|three| {
            let [low, middle, high] = [three[0], three[1], three[2]].map(u16::from);
            (low | ((middle & 0x0F) << 8)) < MODULUS && ((middle >> 4) | (high << 4)) < MODULUS
        })
}

/// The key at the beginning of something encoded, which OpenMLS shows to nobody otherwise.
fn first_key(encoded: &impl Serialize) -> Judgement<Vec<u8>> {
    encoded
        .tls_serialize_detached()
        .ok()
        .and_then(|bytes| VLBytes::tls_deserialize(&mut bytes.as_slice()).ok())
        .map(Into::into)
        .ok_or(Violation::EncryptionKey)
}

/// A leaf's.
pub(crate) fn of_leaf(leaf: &LeafNode) -> Judgement<Vec<u8>> {
    first_key(leaf.encryption_key())
}

/// A parent node's: it comes first in its encoding (RFC 9420 section 7.1).
fn of_parent(parent: &ParentNode) -> Judgement<Vec<u8>> {
    first_key(parent)
}

/// Both keys of a key package can be encrypted to.
pub(crate) fn judge_key_package(key_package: &KeyPackage) -> Judgement<()> {
    let leaf = of_leaf(key_package.leaf_node())?;
    if is_whole(&leaf) && is_whole(key_package.hpke_init_key().as_slice()) {
        Ok(())
    } else {
        Err(Violation::EncryptionKey)
    }
}

/// A tree that somebody may join: each key can be encrypted to, and stands once.
fn judge_keys(keys: impl Iterator<Item = Judgement<Vec<u8>>>) -> Judgement<()> {
    let mut seen = HashSet::new();
    for key in keys {
        let key = key?;
        if !is_whole(&key) || !seen.insert(key) {
            return Err(Violation::EncryptionKey);
        }
    }
    Ok(())
}

fn judge_tree(tree: &RatchetTree) -> Judgement<()> {
    judge_keys(
        tree.leaves()
            .map(of_leaf)
            .chain(tree.parents().map(of_parent)),
    )
}

impl Group {
    /// The tree as another's commit leaves it.
    pub(super) fn judge_keys_after(
        &self,
        provider: &Provider<'_>,
        commit: &StagedCommit,
    ) -> Result<()> {
        let before = self.mls.export_ratchet_tree();
        let after = commit
            .export_ratchet_tree(provider.crypto(), before)
            .map_err(|_| Error::Library("tree"))?;
        // None: this device is not in it.
        after.as_ref().map_or(Ok(()), judge_tree)?;
        Ok(())
    }

    /// The present tree.
    pub(super) fn judge_own_keys(&self) -> Judgement<()> {
        let tree = self.mls.treesync();
        let leaves = tree.full_leaves().map(|(_, leaf)| of_leaf(leaf));
        let parents = tree.full_parents().map(|(_, parent)| of_parent(parent));
        judge_keys(leaves.chain(parents))
    }

    /// The keys that stay in the tree once the leaves `going` are gone.
    fn keys_without(&self, going: &[u32]) -> Judgement<KeysInUse> {
        let tree = self.mls.treesync();
        let mut keys = KeysInUse::default();
        for (index, leaf) in tree.full_leaves() {
            if !going.contains(&index.u32()) {
                keys.encryption.insert(of_leaf(leaf)?);
                keys.signature
                    .insert(leaf.signature_key().as_slice().to_vec());
            }
        }
        for (_, parent) in tree.full_parents() {
            keys.encryption.insert(of_parent(parent)?);
        }
        Ok(keys)
    }

    /// Whether one commit can add these devices once the leaves `going` are gone.
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub(super) fn judge_additions(&self, added: &[PeerKeyPackage], going: &[u32]) -> Result<()> {
        if added.is_empty() {
            return Ok(());
        }
        self.keys_without(going)?.check(added)
    }

    /// The keys that nobody can come in with.
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn keys_in_use(&self) -> Result<KeysInUse> {
        Ok(self.keys_without(&[])?)
    }
}

/// Keys that are taken: of a group as it stands, or of those who are to be added.
#[derive(Default)]
pub struct KeysInUse {
    encryption: HashSet<Vec<u8>>,
    signature: HashSet<Vec<u8>>,
}

impl KeysInUse {
    /// Whether all of these can come in.
    ///
    /// # Errors
    /// [`Error::Refused`] where a key of theirs is taken, or two of them share one.
    pub fn check(&self, packages: &[PeerKeyPackage]) -> Result<()> {
        let mut own = Self::default();
        for package in packages {
            let (encryption, signature) = keys_of(package)?;
            for key in encryption {
                if self.encryption.contains(&key) || !own.encryption.insert(key) {
                    return Err(Violation::EncryptionKey.into());
                }
            }
            if self.signature.contains(&signature) || !own.signature.insert(signature) {
                return Err(Violation::Duplicate.into());
            }
        }
        Ok(())
    }

    /// The keys of these are taken too.
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn take(&mut self, packages: &[PeerKeyPackage]) -> Result<()> {
        for package in packages {
            let (encryption, signature) = keys_of(package)?;
            self.encryption.extend(encryption);
            self.signature.insert(signature);
        }
        Ok(())
    }
}

/// Of its leaf and for its Welcome; and what it signs with.
fn keys_of(package: &PeerKeyPackage) -> Judgement<([Vec<u8>; 2], Vec<u8>)> {
    let package = &package.key_package;
    judge_key_package(package)?;
    let leaf = package.leaf_node();
    let encryption = [of_leaf(leaf)?, package.hpke_init_key().as_slice().to_vec()];
    Ok((encryption, leaf.signature_key().as_slice().to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_nothing_can_be_encrypted_to_is_not_whole() {
        let mut key = vec![0; KEY_BYTES];
        assert!(is_whole(&key));
        assert!(!is_whole(&key[1..]) && !is_whole(&[]));
        // 3,328 is the last number that there is; 3,329 stands for 0, and the library refuses it.
        (key[0], key[1]) = (0x00, 0x0D);
        assert!(is_whole(&key));
        key[0] = 0x01;
        assert!(!is_whole(&key));
        (key[0], key[1], key[2]) = (0, 0x10, 0xD0);
        assert!(!is_whole(&key), "the second of three bytes' two");
        (key[1], key[2]) = (0x00, 0xD0);
        assert!(is_whole(&key));
        key[COEFFICIENT_BYTES..].fill(0xFF);
        assert!(is_whole(&key), "a seed and a point may be anything");
    }
}
