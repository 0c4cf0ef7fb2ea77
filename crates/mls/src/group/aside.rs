//! The state a device had before it was let in again, kept aside until the new one has proven itself.
//!
//! A Welcome says nothing about whether its sender may speak for the group. So the state it leads to is tried, while the old one lies
//! under a name of its own in the same tables, and the key package of the request stays good for another answer. One of two calls ends
//! that: [`Group::settle`] or [`Group::put_back`].

use openmls::prelude::{KeyPackageBundle, KeyPackageRef, tls_codec::Deserialize as _};
use openmls_sqlite_storage::Codec as _;
use openmls_traits::{OpenMlsProvider as _, storage::StorageProvider as _};
use rusqlite::params;

use super::{Group, resync};
use crate::{Error, GroupId, Provider, Result, provider::Cbor, store};

/// OpenMLS's tables that hold something of a group, by its encoded id.
const LIBRARY: [&str; 4] = [
    "openmls_group_data",
    "openmls_epoch_keys_pairs",
    "openmls_own_leaf_nodes",
    "openmls_proposals",
];
/// What follows a group's id in the rows that lie aside. No id has it: ids have a fixed length.
const ASIDE: &[u8] = b" aside";

/// A table, the group's id there, and the id of what lies aside.
type Table = (&'static str, Vec<u8>, Vec<u8>);

/// Every table.
fn tables(id: &GroupId) -> Result<Vec<Table>> {
    let encoded = Cbor::to_vec(&id.to_mls()).map_err(|_| Error::Library("group id"))?;
    let aside = |of: &[u8]| [of, ASIDE].concat();
    let library = LIBRARY.map(|table| (table, encoded.clone(), aside(&encoded)));
    let own = store::OF_A_GROUP.map(|table| (table, id.as_bytes().to_vec(), aside(id.as_bytes())));
    Ok(library.into_iter().chain(own).collect())
}

impl Group {
    /// Puts the state of a conversation aside. If some lies there already, that is the older one and stays, and this is forgotten.
    pub(super) fn set_aside(provider: &Provider<'_>, id: &GroupId) -> Result<()> {
        if lies_aside(provider, id)? {
            return Self::forget(provider, id);
        }
        for (table, here, aside) in tables(id)? {
            provider.connection().execute(
                &format!("UPDATE {table} SET group_id = ?2 WHERE group_id = ?1"),
                params![here, aside],
            )?;
        }
        Ok(())
    }

    /// The state that a resync's Welcome led to is believed: what was before is deleted, with the key packages of the requests.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn settle(provider: &Provider<'_>, id: &GroupId) -> Result<()> {
        for (table, _, aside) in tables(id)? {
            provider
                .connection()
                .execute(&format!("DELETE FROM {table} WHERE group_id = ?1"), [aside])?;
        }
        resync::withdraw(provider, id)
    }

    /// The state that a resync's Welcome led to is not believed: this device is where it was before, and still waits for an answer.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn put_back(provider: &Provider<'_>, id: &GroupId) -> Result<()> {
        Self::forget(provider, id)?;
        for (table, here, aside) in tables(id)? {
            provider.connection().execute(
                &format!("UPDATE {table} SET group_id = ?1 WHERE group_id = ?2"),
                params![here, aside],
            )?;
        }
        Ok(())
    }
}

fn lies_aside(provider: &Provider<'_>, id: &GroupId) -> Result<bool> {
    let aside = [id.as_bytes().as_slice(), ASIDE].concat();
    Ok(provider
        .connection()
        .prepare_cached("SELECT 1 FROM mls_conversation WHERE group_id = ?1")?
        .exists([aside])?)
}

/// A request's key package with its private half, to be kept over a join that may not be the last one.
pub(super) struct KeptKeyPackage {
    hash_ref: Vec<u8>,
    reference: KeyPackageRef,
    bundle: KeyPackageBundle,
}

impl KeptKeyPackage {
    /// Those of all requests that wait for an answer.
    pub(super) fn read_asked(provider: &Provider<'_>) -> Result<Vec<Self>> {
        let mut kept = Vec::new();
        for hash_ref in store::list_resync_asked(provider)? {
            let reference = KeyPackageRef::tls_deserialize_exact(&hash_ref)
                .map_err(|_| Error::Corrupt("key package reference"))?;
            if let Some(bundle) = provider.storage().key_package(&reference)? {
                kept.push(Self {
                    hash_ref,
                    reference,
                    bundle,
                });
            }
        }
        Ok(kept)
    }

    pub(super) fn is(&self, hash_ref: &[u8]) -> bool {
        self.hash_ref == hash_ref
    }

    pub(super) fn write(&self, provider: &Provider<'_>) -> Result<()> {
        provider
            .storage()
            .write_key_package(&self.reference, &self.bundle)?;
        Ok(())
    }
}
