//! Making a commit. It is staged and stored, and merged only when its echo comes back.
//!
//! Every commit takes the leave proposals of the epoch with it, since a commit of another kind would end the epoch and with
//! it their validity. A commit without a path (additions alone) is cheap; all others renew this device's leaf with its
//! current address and newest certificate.

use std::collections::{BTreeMap, BTreeSet};

use openmls::prelude::{
    LeafNodeIndex, LeafNodeParameters, Proposal, ProposalOrRefType, QueuedProposal,
};
use openmls_traits::OpenMlsProvider as _;
use prost::Message as _;
use undertone_wire::{
    client_proto::CommitEnvelope,
    ids::{AccountId, sha256},
    secrets::AddressSecret,
};

use super::{
    Group, LeafFacts, VerifiedResync,
    addresses::rekeyed,
    authorize::{Before, Effect, authorize, may_remove, normalised, takes_the_place},
    channel::CHANNEL_KEY,
    exported,
    pending::{PendingCommit, PendingRecord, RenameRecord},
    process_commit::before_of,
    resync::{self, leaves_of},
};
use crate::{
    DeviceKeys, Error, LeafProfile, PeerKeyPackage, Policy, Provider, Result, Role, Settings,
    Violation,
    derive::put_part,
    extension::{group_extensions, leaf_extensions},
    provider::Cbor,
    store,
};

/// Devices added by one commit.
const ADD_BLOCK: usize = 32;

/// What to change. Pending leave proposals go with any of them.
pub enum Change {
    /// Adds devices, at most 32.
    Add(Vec<PeerKeyPackage>),
    /// Removes devices, by leaf.
    Remove(Vec<u32>),
    /// Removes all devices of an account.
    RemoveAccount(AccountId),
    /// Renews this device's leaf: fresh keys, its address, its newest certificate.
    SelfUpdate,
    /// Sets the name.
    Rename(String),
    /// Gives an account a role.
    SetRole(AccountId, Role),
    /// Sets who may do what, and how long messages stay.
    SetPolicy(Policy),
    /// Makes an account owner, and this one an admin, at once.
    HandOver(AccountId),
    /// Commits the leave proposals that are waiting.
    AcceptLeaves,
    /// Removes and adds again devices that lost their state, or that take the place of their account's older ones.
    Readd(Vec<VerifiedResync>),
}

/// A change as OpenMLS is told it.
struct Plan {
    add: Vec<PeerKeyPackage>,
    remove: Vec<u32>,
    settings: Settings,
    path: bool,
}

/// What the committer signs with its leaf key: docs/protocol.md section 7.
pub(super) fn signed_commit(
    group: &crate::GroupId,
    epoch: u64,
    commit_hash: &[u8; 32],
    next_lock: &[u8; 32],
) -> Vec<u8> {
    let mut message = b"undertone/1 commit".to_vec();
    put_part(&mut message, group.as_bytes());
    message.extend_from_slice(&epoch.to_be_bytes());
    message.extend_from_slice(commit_hash);
    message.extend_from_slice(next_lock);
    message
}

impl Group {
    /// Stages a commit and stores it. The caller puts it in its outbox in the same transaction, sends it to the channel,
    /// and waits for its echo.
    ///
    /// # Errors
    /// [`Error::CommitPending`] when one is on its way; [`Error::Refused`] when the others would refuse it;
    /// [`Error::NothingToDo`] when it changes nothing; [`Error::TooLong`].
    pub fn stage_commit(
        &mut self,
        provider: &Provider<'_>,
        device: &DeviceKeys,
        change: Change,
    ) -> Result<PendingCommit> {
        if self.mls.pending_commit().is_some() {
            return Err(Error::CommitPending);
        }
        let leaves = self.leaves()?;
        let leaving = self.queue_leaves(provider)?;
        let staged = self.stage(provider, device, change, &leaves, &leaving);
        self.mls.clear_pending_proposals(provider.storage())?;
        let record = match staged {
            Ok(record) => record,
            Err(error) => {
                self.mls.clear_pending_commit(provider.storage())?;
                return Err(error);
            }
        };
        store::write_pending(provider, &self.id, &record.encode_to_vec())?;
        self.pending(provider)?
            .ok_or(Error::Corrupt("pending commit"))
    }

    fn stage(
        &mut self,
        provider: &Provider<'_>,
        device: &DeviceKeys,
        change: Change,
        leaves: &BTreeMap<u32, LeafFacts>,
        leaving: &[u32],
    ) -> Result<PendingRecord> {
        let mut plan = self.plan(change, leaves, leaving)?;
        let settings = self.settings.clone();
        let id = self.id;
        let before = Before {
            group: &id,
            leaves,
            settings: &settings,
        };
        let own = leaves
            .get(&self.own_leaf())
            .ok_or(Error::Corrupt("own leaf"))?;
        for target in plan.remove.iter().filter_map(|leaf| leaves.get(leaf)) {
            let comes_back = plan.add.iter().any(|added| {
                added.facts.same_device(target)
                    || (added.facts.account == target.account
                        && takes_the_place(&before, &plan.remove, &added.facts))
            });
            if !comes_back {
                may_remove(&settings, &own.account, &target.account)?;
            }
        }
        let gone = |leaf: &u32| plan.remove.contains(leaf) || leaving.contains(leaf);
        let mut after: Vec<_> = leaves
            .iter()
            .filter(|(leaf, _)| !gone(leaf))
            .map(|(_, facts)| facts)
            .collect();
        after.extend(plan.add.iter().map(|added| &added.facts));
        plan.settings = normalised(&before, &plan.settings, &after);
        if let Err(error) = plan.settings.check() {
            return Err(match error {
                Error::Malformed(_) => Violation::NoOwner.into(),
                other => other,
            });
        }

        let (commit, welcome) = self.build(provider, device, &plan, leaving)?;
        let staged = self.mls.pending_commit().ok_or(Error::Library("stage"))?;
        let effect = authorize(&before, self.own_leaf(), staged)?;
        let export = |label| {
            staged
                .export_secret(provider.crypto(), label, &[], 32)
                .map_err(|_| Error::Library("exporter"))
                .and_then(exported)
        };
        let next_lock = sha256(export(CHANNEL_KEY)?.as_slice());
        let removes = !effect.removed.is_empty();
        let renames = if removes {
            let secret = export(super::merge::ADDRESS)?;
            self.renames(&effect, &secret)
        } else {
            Vec::new()
        };
        let commit_hash = sha256(&commit);
        let signature = device.sign(&signed_commit(
            &self.id,
            self.epoch(),
            &commit_hash,
            &next_lock,
        ));
        Ok(PendingRecord {
            epoch: self.epoch(),
            commit_hash: commit_hash.to_vec(),
            next_lock: next_lock.to_vec(),
            body: CommitEnvelope {
                commit: commit.into(),
                sender_leaf: self.own_leaf(),
                signature: signature.to_vec().into(),
            }
            .encode_to_vec(),
            removes,
            renames,
            welcome: welcome.unwrap_or_default(),
            recipients: plan
                .add
                .iter()
                .map(|added| added.address().expose().to_vec())
                .collect(),
        })
    }

    fn plan(
        &self,
        change: Change,
        leaves: &BTreeMap<u32, LeafFacts>,
        leaving: &[u32],
    ) -> Result<Plan> {
        let mut plan = Plan {
            add: Vec::new(),
            remove: Vec::new(),
            settings: self.settings.clone(),
            path: !leaving.is_empty(),
        };
        match change {
            Change::Add(packages) => plan.add = packages,
            Change::Remove(wanted) => plan.remove = wanted,
            Change::RemoveAccount(account) => {
                plan.remove = leaves
                    .iter()
                    .filter(|(_, facts)| facts.account == account)
                    .map(|(leaf, _)| *leaf)
                    .collect();
            }
            Change::SelfUpdate => plan.path = true,
            Change::Rename(name) => plan.settings.name = name,
            Change::SetRole(account, role) => {
                if !leaves.values().any(|facts| facts.account == account) {
                    return Err(Error::NothingToDo("member"));
                }
                plan.settings.roles.insert(account, role);
            }
            Change::SetPolicy(policy) => plan.settings.policy = policy,
            Change::HandOver(account) => {
                let own = leaves
                    .get(&self.own_leaf())
                    .ok_or(Error::Corrupt("own leaf"))?
                    .account;
                if account == own || !leaves.values().any(|facts| facts.account == account) {
                    return Err(Error::NothingToDo("member"));
                }
                plan.settings.roles.insert(own, Role::Admin);
                plan.settings.roles.insert(account, Role::Owner);
            }
            Change::AcceptLeaves => {}
            Change::Readd(requests) => {
                for request in requests {
                    if request.is_answered() {
                        return Err(Violation::ResyncRequest.into());
                    }
                    plan.remove.extend(leaves_of(
                        &before_of(leaves, self),
                        &request.key_package.facts,
                    )?);
                    plan.add.push(request.key_package);
                }
            }
        }
        if plan.add.len() > ADD_BLOCK {
            return Err(Error::TooLong("list of additions"));
        }
        plan.remove.sort_unstable();
        plan.remove.dedup();
        if plan.remove.contains(&self.own_leaf())
            || plan.remove.iter().any(|leaf| !leaves.contains_key(leaf))
        {
            return Err(Error::NothingToDo("member"));
        }
        let going: Vec<_> = plan.remove.iter().chain(leaving).copied().collect();
        self.judge_additions(&plan.add, &going)?;
        let idle = plan.add.is_empty()
            && plan.remove.is_empty()
            && !plan.path
            && plan.settings == self.settings;
        if idle {
            Err(Error::NothingToDo("change"))
        } else {
            Ok(plan)
        }
    }

    /// Builds and stages; gives back the commit and the Welcome as MLSMessages.
    fn build(
        &mut self,
        provider: &Provider<'_>,
        device: &DeviceKeys,
        plan: &Plan,
        leaving: &[u32],
    ) -> Result<(Vec<u8>, Option<Vec<u8>>)> {
        let changed = plan.settings != self.settings;
        let path = plan.path || changed || !plan.remove.is_empty() || !leaving.is_empty();
        let own = self.own_leaf();
        let parameters = path.then(|| self.leaf_parameters(device)).transpose()?;

        let removals = plan.remove.iter().map(|leaf| LeafNodeIndex::new(*leaf));
        let mut builder = self
            .mls
            .commit_builder()
            .consume_proposal_store(true)
            .propose_removals(removals)
            .propose_adds(plan.add.iter().map(|added| added.key_package.clone()));
        if changed {
            builder = builder
                .propose_group_context_extensions(group_extensions(&plan.settings)?)
                .map_err(|_| Error::Library("settings"))?;
        }
        if let Some(parameters) = parameters {
            builder = builder
                .force_self_update(true)
                .leaf_node_parameters(parameters);
        }
        // A leaf may have asked twice; one proposal is enough.
        let mut taken = BTreeSet::from_iter(plan.remove.iter().copied().chain([own]));
        let wanted = |queued: &QueuedProposal| match queued.proposal() {
            Proposal::Remove(remove)
                if queued.proposal_or_ref_type() == ProposalOrRefType::Reference =>
            {
                taken.insert(remove.removed().u32())
            }
            _ => true,
        };
        let bundle = builder
            .load_psks(provider.storage())
            .map_err(|_| Error::Library("commit"))?
            .use_ratchet_tree_extension(!plan.add.is_empty())
            .build(provider.rand(), provider.crypto(), device, wanted)
            .map_err(|_| Error::Library("commit"))?
            .stage_commit(provider)
            .map_err(|_| Error::Library("commit"))?;
        let commit = bundle
            .commit()
            .to_bytes()
            .map_err(|_| Error::Library("commit"))?;
        let welcome = bundle
            .to_welcome_msg()
            .map(|welcome| welcome.to_bytes())
            .transpose()
            .map_err(|_| Error::Library("welcome"))?;
        Ok((commit, welcome))
    }

    /// This device's leaf as its next path shows it.
    fn leaf_parameters(&self, device: &DeviceKeys) -> Result<LeafNodeParameters> {
        let own = self.own()?;
        let profile = LeafProfile {
            address: match &self.next_address {
                Some(next) => next.duplicate(),
                None => own.address,
            },
            kp_key: own.kp_key,
            name: own.name,
            origin: own.origin,
            pin: own.pin,
            replaces: None,
        };
        Ok(LeafNodeParameters::builder()
            .with_credential_with_key(device.credential())
            .with_extensions(leaf_extensions(&profile, &resync::address_of(device)?)?)
            .build())
    }

    fn renames(&self, effect: &Effect, removal_secret: &[u8; 32]) -> Vec<RenameRecord> {
        let updated = effect
            .path
            .as_ref()
            .map(|path| (effect.committer, &path.profile.address));
        self.addresses
            .after_commit(&effect.removed, updated, None)
            .iter()
            .map(|(_, old): (u32, &AddressSecret)| RenameRecord {
                old: old.expose().to_vec(),
                new_hash: rekeyed(old, removal_secret).hash().as_bytes().to_vec(),
            })
            .collect()
    }

    /// Puts the epoch's leave proposals into OpenMLS's queue for the act that follows, which clears it again. Gives the
    /// leaves that a commit of ours takes along: all but our own, which is for another to commit.
    pub(super) fn queue_leaves(&mut self, provider: &Provider<'_>) -> Result<Vec<u32>> {
        use openmls_sqlite_storage::Codec as _;
        let mut leaving = Vec::new();
        for (leaf, bytes) in store::read_leaves(provider, &self.id)? {
            let proposal: QueuedProposal =
                Cbor::from_slice(&bytes).map_err(|_| Error::Corrupt("leave proposal"))?;
            self.mls
                .store_pending_proposal(provider.storage(), proposal)?;
            if leaf != self.own_leaf() {
                leaving.push(leaf);
            }
        }
        Ok(leaving)
    }
}
