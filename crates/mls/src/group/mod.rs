//! A conversation: one MLS group, and what Undertone adds to it.
//!
//! One file per act: [`create`], [`join`], [`stage`] (every change a member makes), [`process_commit`], [`encrypt`],
//! [`process_application`], [`leave`], [`resync`]. Around them [`authorize`] holds the rules that every commit is held
//! against, ours included; [`addresses`] the delivery addresses that all members compute alike; [`envelope`] what stands
//! around a message on its way; [`channel`] what opens the conversation's channel.
//!
//! What must stay true: OpenMLS's own proposal queue is empty between calls (leave proposals wait in `mls_leave`), and
//! `settings` and `addresses` are those of the epoch that the MLS state is in.

mod addresses;
mod aside;
mod authorize;
mod channel;
mod create;
mod encrypt;
pub(crate) mod encryption_keys;
mod envelope;
mod ephemeral;
pub mod invite;
mod join;
mod leave;
mod member;
mod merge;
mod pending;
mod populate;
mod process_application;
mod process_commit;
pub mod resync;
mod stage;
#[cfg(test)]
mod tests;

pub use channel::ChannelPosition;
pub use create::NewGroup;
pub use encrypt::Outgoing;
pub use encryption_keys::KeysInUse;
pub use envelope::{Body, EnvelopeKind, INLINE_MAX, OpenError, Opened, commit_inline_max};
pub use join::{HandedOn, Joined};
pub use member::Member;
pub use merge::{Merged, SettingsChange};
pub use pending::{PendingCommit, PendingWelcome, Rename};
pub use populate::update_jitter_ms;
pub use process_application::{Application, ApplicationOutcome};
pub use process_commit::{CommitOutcome, Refusal};
pub use resync::VerifiedResync;
pub use stage::Change;

pub(crate) use member::LeafFacts;

use std::collections::BTreeMap;

use openmls::prelude::{
    LeafNodeIndex, MlsGroup, MlsGroupJoinConfig, PURE_CIPHERTEXT_WIRE_FORMAT_POLICY,
    SenderRatchetConfiguration,
};
use openmls_traits::OpenMlsProvider as _;
use undertone_wire::{
    ids::{AccountId, ChannelId, Pin},
    secrets::AddressSecret,
};
use zeroize::Zeroizing;

use crate::{
    Error, GroupId, Kind, Policy, Provider, Result, Role, Settings,
    extension::read_group_extensions,
    provider::Cbor,
    store::{self, ConversationRow},
};
use addresses::Addresses;

/// Devices of one account in a conversation, at most.
pub const DEVICES_OF_ACCOUNT: usize = 16;
/// Devices in a conversation, at most: fewer than the addresses that one send may have.
pub const DEVICES: usize = 4000;
const _: () = assert!(DEVICES < undertone_wire::limits::ADDRESSES_PER_SEND);

/// Epochs whose late messages still open; the channel refuses older ones.
pub(crate) const PAST_EPOCHS: usize = 3;
/// Messages of one sender that may be overtaken by later ones and still open.
const OUT_OF_ORDER: u32 = 512;
/// Messages of one sender that may be missing before a later one.
const FORWARD: u32 = 4096;

/// A conversation in memory. See the module's paragraph for how long it is good.
pub struct Group {
    id: GroupId,
    mls: MlsGroup,
    settings: Settings,
    addresses: Addresses,
    /// What our next path commit shows instead of the current address.
    next_address: Option<AddressSecret>,
    joined_by_last_resort: bool,
}

fn ratchet() -> SenderRatchetConfiguration {
    SenderRatchetConfiguration::new(OUT_OF_ORDER, FORWARD)
}

fn join_config() -> MlsGroupJoinConfig {
    MlsGroupJoinConfig::builder()
        .wire_format_policy(PURE_CIPHERTEXT_WIRE_FORMAT_POLICY)
        .max_past_epochs(PAST_EPOCHS)
        .number_of_resumption_psks(0)
        .use_ratchet_tree_extension(false)
        .sender_ratchet_configuration(ratchet())
        .build()
}

impl Group {
    /// The generation of the device-signing key in this device's own leaf.
    ///
    /// # Errors
    /// [`Error::Corrupt`].
    pub fn shown_generation(&self) -> Result<u32> {
        let leaves = self.leaves()?;
        leaves
            .get(&self.own_leaf())
            .map(|facts| facts.generation)
            .ok_or(Error::Corrupt("own leaf"))
    }

    /// The highest generation of an account's device-signing key that this group has seen; 0: none. Key packages of a lower one can't be added.
    ///
    /// # Errors
    /// [`Error::Corrupt`].
    pub fn generation_floor(&self, account: &AccountId) -> Result<u32> {
        let leaves = self.leaves()?;
        let before = authorize::Before {
            group: &self.id,
            leaves: &leaves,
            settings: &self.settings,
        };
        Ok(authorize::generation_floor(&before, account))
    }

    /// The conversation of this id, if this device has it.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when what is stored does not fit together: the conversation needs a resync.
    pub fn load(provider: &Provider<'_>, id: &GroupId) -> Result<Option<Self>> {
        let corrupt = || Error::Corrupt("group");
        let Some(row) = store::read_conversation(provider, id)? else {
            return Ok(None);
        };
        let mls = MlsGroup::load(provider.storage(), &id.to_mls())
            .map_err(|_| corrupt())?
            .ok_or_else(corrupt)?;
        let settings = read_group_extensions(mls.extensions()).map_err(|_| corrupt())?;
        let next_address = (!row.next_address.is_empty())
            .then(|| AddressSecret::from_slice(&row.next_address))
            .transpose()
            .map_err(|_| corrupt())?;
        Ok(Some(Self {
            id: *id,
            mls,
            settings,
            addresses: Addresses::decode(&row.addresses).map_err(|_| corrupt())?,
            next_address,
            joined_by_last_resort: row.last_resort,
        }))
    }

    /// Deletes everything this device holds of a conversation. Works on unreadable state too.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn forget(provider: &Provider<'_>, id: &GroupId) -> Result<()> {
        match MlsGroup::load(provider.storage(), &id.to_mls()) {
            Ok(Some(mut mls)) => mls.delete(provider.storage())?,
            Ok(None) | Err(_) => delete_unreadable(provider, id)?,
        }
        store::delete_conversation(provider, id)
    }

    fn save(&self, provider: &Provider<'_>) -> Result<()> {
        store::write_conversation(
            provider,
            &self.id,
            &ConversationRow {
                addresses: self.addresses.encode(),
                next_address: self
                    .next_address
                    .as_ref()
                    .map(|address| address.expose().to_vec())
                    .unwrap_or_default(),
                last_resort: self.joined_by_last_resort,
            },
        )
    }

    /// The conversation's id.
    pub fn id(&self) -> &GroupId {
        &self.id
    }

    /// The MLS epoch.
    pub fn epoch(&self) -> u64 {
        self.mls.epoch().as_u64()
    }

    /// All that members agree on, as of this epoch.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// What it is.
    pub fn kind(&self) -> Kind {
        self.settings.kind
    }

    /// Its name; empty for direct conversations.
    pub fn name(&self) -> &str {
        &self.settings.name
    }

    /// Who may do what.
    pub fn policy(&self) -> Policy {
        self.settings.policy
    }

    /// Its server, `host:port`.
    pub fn origin(&self) -> &str {
        &self.settings.origin
    }

    /// Its server's pin.
    pub fn pin(&self) -> &Pin {
        &self.settings.pin
    }

    /// The channel it started on.
    pub fn first_channel_id(&self) -> &ChannelId {
        &self.settings.channel_id
    }

    /// This device's leaf.
    pub fn own_leaf(&self) -> u32 {
        self.mls.own_leaf_index().u32()
    }

    /// Every member device, by leaf.
    ///
    /// # Errors
    /// [`Error::Corrupt`].
    pub fn members(&self) -> Result<Vec<Member>> {
        self.leaves()?
            .into_iter()
            .map(|(leaf, facts)| self.member_of(leaf, facts))
            .collect()
    }

    /// The device at a leaf.
    ///
    /// # Errors
    /// [`Error::Corrupt`].
    pub fn member(&self, leaf: u32) -> Result<Option<Member>> {
        match self.mls.public_group().leaf(LeafNodeIndex::new(leaf)) {
            Some(node) => self.member_of(leaf, LeafFacts::read(node)?).map(Some),
            None => Ok(None),
        }
    }

    /// This device, as the others see it.
    ///
    /// # Errors
    /// [`Error::Corrupt`].
    pub fn own(&self) -> Result<Member> {
        self.member(self.own_leaf())?
            .ok_or(Error::Corrupt("own leaf"))
    }

    /// Every account with its role.
    ///
    /// # Errors
    /// [`Error::Corrupt`].
    pub fn accounts(&self) -> Result<BTreeMap<AccountId, Role>> {
        Ok(self
            .leaves()?
            .values()
            .map(|facts| (facts.account, self.settings.role(&facts.account)))
            .collect())
    }

    /// Where every item goes: all members' current addresses, one's own included. The caller shuffles them.
    pub fn addresses(&self) -> Vec<AddressSecret> {
        self.addresses
            .iter()
            .map(|(_, address)| address.duplicate())
            .collect()
    }

    /// This device's own current address in this conversation.
    ///
    /// # Errors
    /// [`Error::Corrupt`].
    pub fn own_address(&self) -> Result<AddressSecret> {
        self.addresses
            .get(self.own_leaf())
            .map(AddressSecret::duplicate)
            .ok_or(Error::Corrupt("own address"))
    }

    /// What this device's next path commit shows as its address, instead of the current one. It is in effect once that
    /// commit is merged. Needed after joining by a last-resort key package, whose address others may have seen.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn set_own_address(
        &mut self,
        provider: &Provider<'_>,
        address: AddressSecret,
    ) -> Result<()> {
        self.next_address = Some(address);
        self.save(provider)
    }

    /// Whether this device joined by a last-resort key package and has not updated its leaf since.
    pub fn joined_by_last_resort(&self) -> bool {
        self.joined_by_last_resort
    }

    pub(crate) fn leaves(&self) -> Result<BTreeMap<u32, LeafFacts>> {
        self.mls
            .treesync()
            .full_leaves()
            .map(|(index, node)| Ok((index.u32(), LeafFacts::read(node)?)))
            .collect()
    }

    fn member_of(&self, leaf: u32, facts: LeafFacts) -> Result<Member> {
        let address = self.addresses.get(leaf).ok_or(Error::Corrupt("address"))?;
        Ok(Member::new(
            leaf,
            facts,
            address.duplicate(),
            &self.settings,
        ))
    }

    /// `exporter_n(label, context)` of the current epoch.
    fn export(
        &self,
        provider: &Provider<'_>,
        label: &str,
        context: &[u8],
    ) -> Result<Zeroizing<[u8; 32]>> {
        let secret = self
            .mls
            .export_secret(provider.crypto(), label, context, 32)
            .map_err(|_| Error::Library("exporter"))?;
        exported(secret)
    }
}

/// An exporter's 32 bytes.
fn exported(secret: Vec<u8>) -> Result<Zeroizing<[u8; 32]>> {
    let secret = Zeroizing::new(secret);
    secret
        .as_slice()
        .try_into()
        .map(Zeroizing::new)
        .map_err(|_| Error::Library("exporter"))
}

/// OpenMLS deletes through a loaded group only; rows that no longer load are deleted one by one.
fn delete_unreadable(provider: &Provider<'_>, id: &GroupId) -> Result<()> {
    // A proposal's reference is of the same type as a key package's.
    use openmls::prelude::KeyPackageRef as ProposalRef;
    use openmls_sqlite_storage::Codec as _;
    use openmls_traits::storage::StorageProvider as _;
    let (storage, id) = (provider.storage(), id.to_mls());
    storage.delete_own_leaf_index(&id)?;
    storage.delete_group_epoch_secrets(&id)?;
    storage.delete_message_secrets(&id)?;
    storage.delete_all_resumption_psk_secrets(&id)?;
    storage.delete_group_config(&id)?;
    storage.delete_own_leaf_nodes(&id)?;
    storage.delete_group_state(&id)?;
    storage.delete_tree(&id)?;
    storage.delete_context(&id)?;
    storage.delete_interim_transcript_hash(&id)?;
    storage.delete_confirmation_tag(&id)?;
    storage.clear_proposal_queue::<_, ProposalRef>(&id)?;
    // The trait deletes these by an epoch and leaf that are not known any more.
    let key = Cbor::to_vec(&id).map_err(|_| Error::Library("group id"))?;
    provider.connection().execute(
        "DELETE FROM openmls_epoch_keys_pairs WHERE group_id = ?",
        [key],
    )?;
    Ok(())
}
