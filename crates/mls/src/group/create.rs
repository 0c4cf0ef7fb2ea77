//! Starting a conversation. It has one member and epoch 0; the others are added by a commit.

use openmls::prelude::{MlsGroup, MlsGroupCreateConfig, PURE_CIPHERTEXT_WIRE_FORMAT_POLICY};
use undertone_wire::ids::{AccountId, ChannelId, Pin};

use super::{Group, PAST_EPOCHS, addresses::Addresses, ratchet, resync};
use crate::{
    DeviceKeys, Error, GroupId, Kind, LeafProfile, Policy, Provider, Result, Role, Settings,
    extension::{capabilities, group_extensions, leaf_extensions},
    key_package::lifetime,
    provider::SUITE,
};

/// What a new conversation is.
pub struct NewGroup {
    /// Direct, group or notes.
    pub kind: Kind,
    /// Its name, at most 128 bytes; empty for a direct one.
    pub name: String,
    /// Direct: the other account. Else `None`.
    pub peer: Option<AccountId>,
    /// Its server, `host:port`.
    pub origin: String,
    /// That server's pin.
    pub pin: Pin,
    /// A fresh one, also created on the server with epoch 0 and [`Group::lock`].
    pub channel_id: ChannelId,
    /// Who may do what.
    pub policy: Policy,
}

impl Group {
    /// Makes the group with this device as its only member, its account as owner.
    ///
    /// # Errors
    /// [`Error::TooLong`]; [`Error::Malformed`] when kind, name and peer contradict each other.
    pub fn create(
        provider: &Provider<'_>,
        device: &DeviceKeys,
        profile: &LeafProfile,
        new: NewGroup,
    ) -> Result<Self> {
        profile.check()?;
        let own = device.account_id();
        if new.peer.is_some() != (new.kind == Kind::Direct) {
            return Err(Error::Malformed("peer"));
        }
        let settings = Settings {
            kind: new.kind,
            name: new.name,
            roles: [own]
                .into_iter()
                .chain(new.peer)
                .map(|account| (account, Role::Owner))
                .collect(),
            channel_id: new.channel_id,
            origin: new.origin,
            pin: new.pin,
            policy: new.policy,
            generations: Default::default(),
        };
        settings.check()?;
        let config = MlsGroupCreateConfig::builder()
            .ciphersuite(SUITE)
            .capabilities(capabilities())
            .lifetime(lifetime())
            .wire_format_policy(PURE_CIPHERTEXT_WIRE_FORMAT_POLICY)
            .max_past_epochs(PAST_EPOCHS)
            .number_of_resumption_psks(0)
            .use_ratchet_tree_extension(false)
            .sender_ratchet_configuration(ratchet())
            .with_group_context_extensions(group_extensions(&settings)?)
            .with_leaf_node_extensions(leaf_extensions(profile, &resync::address_of(device)?)?)
            .map_err(|_| Error::Library("leaf extensions"))?
            .build();
        let id = GroupId::random();
        let mls = MlsGroup::new_with_group_id(
            provider,
            device,
            &config,
            id.to_mls(),
            device.credential(),
        )
        .map_err(|_| Error::Library("new group"))?;
        let mut addresses = Addresses::default();
        addresses.set(mls.own_leaf_index().u32(), profile.address.duplicate());
        let group = Self {
            id,
            mls,
            settings,
            addresses,
            next_address: None,
            joined_by_last_resort: false,
        };
        group.save(provider)?;
        Ok(group)
    }
}
