//! Commits that no honest client makes, sent with the server's help.

use openmls::prelude::{
    Extensions, GroupContext, KeyPackage, KeyPackageIn, LeafNodeIndex, LeafNodeParameters,
    ProtocolVersion,
    tls_codec::{Deserialize as _, Serialize as _, VLBytes},
};
use openmls_rust_crypto::RustCrypto;
use openmls_traits::OpenMlsProvider as _;
use prost::Message as _;
use undertone_wire::{client_proto::CommitEnvelope, ids::sha256};

use super::{
    super::{Body, EnvelopeKind, channel::CHANNEL_KEY, stage::signed_commit},
    town::Town,
};
use crate::{DeviceKeys, Error, GroupId};

/// What a cheat commits; with nothing set, an update of its own leaf.
#[derive(Default)]
pub(super) struct Crime {
    pub(super) add: Vec<KeyPackage>,
    pub(super) remove: Vec<LeafNodeIndex>,
    pub(super) extensions: Option<Extensions<GroupContext>>,
    pub(super) leaf: Option<LeafNodeParameters>,
}

/// A commit as it leaves the cheat's hands.
pub(super) struct Forged {
    pub(super) envelope: CommitEnvelope,
    /// What is signed.
    pub(super) signed_lock: [u8; 32],
    /// What the channel is given.
    pub(super) given_lock: [u8; 32],
}

impl Town {
    /// Builds any commit that OpenMLS can build, and has the server accept it.
    pub(super) fn cheat(
        &mut self,
        who: usize,
        group: &GroupId,
        crime: Crime,
        forge: impl FnOnce(&mut Forged),
    ) {
        let channel = self.devices[who].channel[group].channel_id;
        let (epoch, key, forged, payload, addresses) = self.devices[who]
            .with(group, |group, provider, keys| {
                let mut builder = group
                    .mls
                    .commit_builder()
                    .propose_adds(crime.add)
                    .propose_removals(crime.remove)
                    .force_self_update(true)
                    .leaf_node_parameters(crime.leaf.unwrap_or_default());
                if let Some(extensions) = crime.extensions {
                    builder = builder
                        .propose_group_context_extensions(extensions)
                        .unwrap();
                }
                let bundle = builder
                    .load_psks(provider.storage())
                    .unwrap()
                    .use_ratchet_tree_extension(true)
                    .build(provider.rand(), provider.crypto(), keys, |_| true)
                    .unwrap()
                    .stage_commit(provider)
                    .unwrap();
                let commit = bundle.commit().to_bytes().unwrap();
                let staged = group.mls.pending_commit().ok_or(Error::Library("stage"))?;
                let secret = staged
                    .export_secret(provider.crypto(), CHANNEL_KEY, &[], 32)
                    .unwrap();
                let mut forged = Forged {
                    signed_lock: sha256(&secret),
                    given_lock: sha256(&secret),
                    envelope: CommitEnvelope {
                        commit: commit.into(),
                        sender_leaf: group.own_leaf(),
                        signature: Default::default(),
                    },
                };
                forge(&mut forged);
                if forged.envelope.signature.is_empty() {
                    let hash = sha256(&forged.envelope.commit);
                    let signed =
                        signed_commit(&group.id, group.epoch(), &hash, &forged.signed_lock);
                    forged.envelope.signature = keys.sign(&signed).to_vec().into();
                }
                let body = forged.envelope.encode_to_vec();
                let payload = group.seal(
                    provider,
                    EnvelopeKind::Commit,
                    group.epoch(),
                    &Body::Inline(&body),
                )?;
                let sent = (
                    group.epoch(),
                    group.channel_key(provider)?,
                    forged,
                    payload,
                    group.addresses(),
                );
                group.mls.clear_pending_commit(provider.storage())?;
                Ok(sent)
            })
            .unwrap();
        assert!(self.accept(
            channel,
            epoch,
            &key.lock(),
            forged.given_lock,
            payload,
            &addresses,
            false
        ));
        // The cheat does not read its own commit.
        self.devices[who].queue.clear();
    }
}

/// A length as in QUIC (RFC 9420 section 2.1.2), and what is that long.
fn vector(bytes: &[u8]) -> Vec<u8> {
    VLBytes::from(bytes.to_vec())
        .tls_serialize_detached()
        .unwrap()
}

/// RFC 9420 section 5.1.2.
fn signed(keys: &DeviceKeys, label: &str, content: &[u8]) -> Vec<u8> {
    let label = format!("MLS 1.0 {label}");
    let message = [vector(label.as_bytes()), vector(content)].concat();
    vector(&keys.sign(&message))
}

/// The same key package with another key in its leaf: right in everything else, and signed by its owner.
pub(super) fn with_leaf_key(package: &[u8], keys: &DeviceKeys, key: &[u8]) -> Vec<u8> {
    const KEY: usize = 2 + 1216;
    const SIGNATURE: usize = 2 + 64;
    let read = KeyPackageIn::tls_deserialize_exact(package).unwrap();
    let read = read
        .validate(&RustCrypto::default(), ProtocolVersion::Mls10)
        .unwrap();
    let leaf = read.leaf_node().tls_serialize_detached().unwrap();
    // Version, suite and the other key come before the leaf, whose signature is the last of it.
    let (before, rest) = package.split_at(4 + KEY);
    let after = &rest[leaf.len()..rest.len() - SIGNATURE];
    let mut forged = [&vector(key), &leaf[KEY..leaf.len() - SIGNATURE]].concat();
    forged.extend(signed(keys, "LeafNodeTBS", &forged));
    let mut package = [before, &forged, after].concat();
    package.extend(signed(keys, "KeyPackageTBS", &package));
    package
}
