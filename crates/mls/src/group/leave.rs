//! Leaving: a Remove proposal for one's own leaf, which any other member commits (RFC 9420 section 12.1.3).

use openmls::prelude::Proposal;
use openmls_traits::OpenMlsProvider as _;

use super::{EnvelopeKind, Group, Outgoing};
use crate::{DeviceKeys, Error, Provider, Result};

impl Group {
    /// Proposes that this device leaves; goes out as an application item. The proposal is good for this epoch: if the next
    /// commit does not take it along, propose again. The device stays a member until a commit removes it.
    ///
    /// # Errors
    /// [`Error::CommitPending`]; [`Error::Refused`] for a group's only owner, and for the last device of an account in a
    /// direct conversation or in notes.
    pub fn leave(&mut self, provider: &Provider<'_>, device: &DeviceKeys) -> Result<Outgoing> {
        if self.mls.pending_commit().is_some() {
            return Err(Error::CommitPending);
        }
        let leaves = self.leaves()?;
        self.may_leave(self.own_leaf(), leaves.iter())?;
        let epoch = self.epoch();
        let message = self
            .mls
            .leave_group(provider, device)
            .map_err(|_| Error::Library("leave"))?;
        let own = self
            .mls
            .pending_proposals()
            .find(|queued| matches!(queued.proposal(), Proposal::Remove(_)))
            .cloned()
            .ok_or(Error::Library("leave"))?;
        self.mls.clear_pending_proposals(provider.storage())?;
        // A commit refers to the proposal by its hash, so its sender needs it to process that commit.
        self.keep_leave(provider, self.own_leaf(), &own)?;
        Ok(Outgoing {
            epoch,
            kind: EnvelopeKind::Application,
            body: message.to_bytes().map_err(|_| Error::Library("leave"))?,
        })
    }

    /// Whether other members' leave proposals wait for a commit.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn has_leaves(&self, provider: &Provider<'_>) -> Result<bool> {
        let leaves = crate::store::read_leaves(provider, &self.id)?;
        Ok(leaves.iter().any(|(leaf, _)| *leaf != self.own_leaf()))
    }
}
