//! The one commit of ours that is on its way, kept in the store so that a restart finds it again.

use prost::Message as _;
use undertone_wire::{
    ids::AddressHash,
    secrets::{AddressSecret, ChannelKey},
};

use super::Group;
use crate::{Error, GroupId, Provider, Result, store};
use openmls_traits::OpenMlsProvider as _;

/// An address that a removing commit replaces.
pub struct Rename {
    /// What the server knows it by until then.
    pub old: AddressSecret,
    /// SHA-256 of what takes its place.
    pub new_hash: AddressHash,
}

/// A staged commit: everything a ChannelCommit needs.
pub struct PendingCommit {
    /// Of which conversation.
    pub group_id: GroupId,
    /// The epoch it starts from, n.
    pub epoch: u64,
    /// SHA-256 of the commit, by which the echo is known.
    pub commit_hash: [u8; 32],
    /// Opens the channel's lock at epoch n.
    pub channel_key: ChannelKey,
    /// The lock of epoch n+1.
    pub next_lock: [u8; 32],
    /// The CommitEnvelope, to be sealed with [`Group::seal`] as [`super::EnvelopeKind::Commit`] at `epoch`.
    pub body: Vec<u8>,
    /// Whether it removes a member.
    pub removes: bool,
    /// All addresses at epoch n, one's own included. The caller shuffles them.
    pub addresses: Vec<AddressSecret>,
    /// New names of the addresses that remain; empty unless it removes.
    pub renames: Vec<Rename>,
    /// Whether there is a Welcome to be sent once it is merged.
    pub has_welcome: bool,
}

/// A Welcome to be sent after its commit was accepted.
pub struct PendingWelcome {
    /// Where to.
    pub recipients: Vec<AddressSecret>,
    /// The MLSMessage, with the ratchet tree.
    pub welcome: Vec<u8>,
}

/// What is stored.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct PendingRecord {
    #[prost(uint64, tag = "1")]
    pub(super) epoch: u64,
    #[prost(bytes = "vec", tag = "2")]
    pub(super) commit_hash: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    pub(super) next_lock: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    pub(super) body: Vec<u8>,
    #[prost(bool, tag = "5")]
    pub(super) removes: bool,
    #[prost(message, repeated, tag = "6")]
    pub(super) renames: Vec<RenameRecord>,
    #[prost(bytes = "vec", tag = "7")]
    pub(super) welcome: Vec<u8>,
    #[prost(bytes = "vec", repeated, tag = "8")]
    pub(super) recipients: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct RenameRecord {
    #[prost(bytes = "vec", tag = "1")]
    pub(super) old: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub(super) new_hash: Vec<u8>,
}

impl PendingRecord {
    pub(super) fn welcome(&self) -> Result<Option<PendingWelcome>> {
        if self.recipients.is_empty() {
            return Ok(None);
        }
        Ok(Some(PendingWelcome {
            recipients: self
                .recipients
                .iter()
                .map(|secret| Ok(AddressSecret::from_slice(secret)?))
                .collect::<Result<_>>()?,
            welcome: self.welcome.clone(),
        }))
    }
}

impl Group {
    /// Our commit that waits for its echo, if there is one; also after a restart.
    ///
    /// # Errors
    /// [`Error::Corrupt`], [`Error::Storage`].
    pub fn pending(&self, provider: &Provider<'_>) -> Result<Option<PendingCommit>> {
        let Some(record) = self.pending_record(provider)? else {
            return Ok(None);
        };
        let corrupt = |_| Error::Corrupt("pending commit");
        Ok(Some(PendingCommit {
            group_id: self.id,
            epoch: record.epoch,
            commit_hash: record.commit_hash.as_slice().try_into().map_err(corrupt)?,
            channel_key: self.channel_key(provider)?,
            next_lock: record.next_lock.as_slice().try_into().map_err(corrupt)?,
            has_welcome: !record.recipients.is_empty(),
            body: record.body,
            removes: record.removes,
            addresses: self.addresses(),
            renames: record
                .renames
                .iter()
                .map(|rename| {
                    Ok(Rename {
                        old: AddressSecret::from_slice(&rename.old)?,
                        new_hash: AddressHash::from_slice(&rename.new_hash)?,
                    })
                })
                .collect::<Result<_>>()?,
        }))
    }

    pub(super) fn pending_record(&self, provider: &Provider<'_>) -> Result<Option<PendingRecord>> {
        store::read_pending(provider, &self.id)?
            .map(|bytes| {
                PendingRecord::decode(bytes.as_slice())
                    .map_err(|_| Error::Corrupt("pending commit"))
            })
            .transpose()
    }

    /// Gives up our pending commit. Only when it is certain that nobody will see it accepted: the server refused it for
    /// good. When another commit wins the epoch, [`Group::process_commit`] does this itself.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn clear_pending(&mut self, provider: &Provider<'_>) -> Result<()> {
        self.mls.clear_pending_commit(provider.storage())?;
        store::delete_pending(provider, &self.id)?;
        Ok(())
    }
}
