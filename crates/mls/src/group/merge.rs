//! Moving to the next epoch: MLS state, settings and addresses change together.

use openmls::prelude::StagedCommit;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::{Group, LeafFacts, Member, authorize::Effect, pending::PendingWelcome};
use crate::{Error, Provider, Result, Settings, extension::read_group_extensions, store};
use std::collections::BTreeMap;

/// Label of the exporter that re-keys addresses.
pub(super) const ADDRESS: &str = "undertone address";

/// A commit that is now part of the conversation.
pub struct Merged {
    /// The new epoch.
    pub epoch: u64,
    /// Whether it was ours.
    pub own: bool,
    /// Who made it, as of before.
    pub committer: Member,
    /// The channel holds a lock that is not this epoch's: go on at this epoch on its next fallback channel.
    pub fallback: bool,
    /// Devices that came.
    pub added: Vec<Member>,
    /// Devices that went, as of before.
    pub removed: Vec<Member>,
    /// What was agreed anew.
    pub settings: Option<SettingsChange>,
    /// Whether somebody was removed: every address has a new name, and earlier epochs may not send any more.
    pub removes: bool,
    /// Our own pending commit lost to this one: stage it again if it is still wanted.
    pub cleared_pending: bool,
    /// What is to be sent now; ours only.
    pub welcome: Option<PendingWelcome>,
}

/// Settings before and after.
pub struct SettingsChange {
    /// Before.
    pub before: Settings,
    /// After.
    pub after: Settings,
}

/// Which commit.
pub(super) enum Source {
    /// Our own, that waits in the store.
    Own,
    /// Another's, staged.
    Other(Box<StagedCommit>),
}

impl Group {
    /// Merges a commit that was authorised. `next_lock` is what the channel accepted with it.
    pub(super) fn merge(
        &mut self,
        provider: &Provider<'_>,
        source: Source,
        effect: Effect,
        before: BTreeMap<u32, LeafFacts>,
        next_lock: &[u8; 32],
    ) -> Result<Merged> {
        let committer = self
            .member(effect.committer)?
            .ok_or(Error::Corrupt("committer"))?;
        let removed = before
            .into_iter()
            .filter(|(leaf, _)| effect.removed.contains(leaf))
            .map(|(leaf, facts)| self.member_of(leaf, facts))
            .collect::<Result<Vec<_>>>()?;
        let own = matches!(source, Source::Own);
        let welcome = match source {
            Source::Own => self
                .pending_record(provider)?
                .map(|record| record.welcome())
                .transpose()?
                .flatten(),
            Source::Other(_) => None,
        };
        self.keep_epoch_secrets(provider)?;
        match source {
            Source::Own => self
                .mls
                .merge_pending_commit(provider)
                .map_err(|_| Error::Library("merge"))?,
            Source::Other(staged) => {
                self.mls
                    .merge_staged_commit(provider, *staged)
                    .map_err(|_| Error::Library("merge"))?;
            }
        }
        let cleared_pending = store::delete_pending(provider, &self.id)? && !own;
        store::delete_leaves(provider, &self.id)?;
        self.drop_epoch_secrets(provider)?;

        let removes = !effect.removed.is_empty();
        let removal_secret = removes
            .then(|| self.export(provider, ADDRESS, &[]))
            .transpose()?;
        self.move_addresses(&effect, removal_secret.as_deref())?;
        let settings =
            read_group_extensions(self.mls.extensions()).map_err(|_| Error::Corrupt("settings"))?;
        let change = (settings != self.settings).then(|| SettingsChange {
            before: self.settings.clone(),
            after: settings.clone(),
        });
        self.settings = settings;
        if effect.committer == self.own_leaf() && effect.path.is_some() {
            self.next_address = None;
            self.joined_by_last_resort = false;
        }
        self.save(provider)?;

        let lock = Zeroizing::new(self.lock(provider)?);
        Ok(Merged {
            epoch: self.epoch(),
            own,
            committer,
            fallback: !bool::from(lock.as_slice().ct_eq(next_lock)),
            added: self.members_with(&effect.added)?,
            removed,
            settings: change,
            removes,
            cleared_pending,
            welcome,
        })
    }

    /// The address table of the new epoch. Where an added device stands is known from the merged tree.
    fn move_addresses(&mut self, effect: &Effect, removal_secret: Option<&[u8; 32]>) -> Result<()> {
        let updated = effect
            .path
            .as_ref()
            .map(|path| (effect.committer, &path.profile.address));
        let mut addresses = self
            .addresses
            .after_commit(&effect.removed, updated, removal_secret);
        for added in &effect.added {
            addresses.set(
                self.leaf_with(&added.key)?,
                added.profile.address.duplicate(),
            );
        }
        let occupied = self
            .mls
            .treesync()
            .full_leaves()
            .map(|(index, _)| index.u32());
        if !addresses.leaves().eq(occupied) {
            return Err(Error::Corrupt("address table"));
        }
        self.addresses = addresses;
        Ok(())
    }

    fn leaf_with(&self, key: &[u8; 32]) -> Result<u32> {
        self.mls
            .treesync()
            .full_leaves()
            .find(|(_, node)| node.signature_key().as_slice() == key)
            .map(|(index, _)| index.u32())
            .ok_or(Error::Corrupt("added leaf"))
    }

    fn members_with(&self, added: &[LeafFacts]) -> Result<Vec<Member>> {
        added
            .iter()
            .map(|facts| self.member_of(self.leaf_with(&facts.key)?, facts.clone()))
            .collect()
    }
}
