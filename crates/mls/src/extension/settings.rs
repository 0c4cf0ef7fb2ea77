//! `undertone_group`: what all members of a conversation agree on.

use std::collections::BTreeMap;

use prost::Message as _;
use undertone_wire::{
    client_proto as proto,
    ids::{AccountId, ChannelId, Pin},
};

use super::ORIGIN_BYTES;
use crate::{Error, Result};

const VERSION: u32 = 1;
const NAME_BYTES: usize = 128;

/// What a conversation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// All devices of two accounts, for good.
    Direct,
    /// Members come and go, by role.
    Group,
    /// All devices of one account.
    Notes,
}

/// What an account may do in a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Writes; adds or renames where the policy lets it.
    Member,
    /// Also adds, removes members, renames and sets the policy.
    Admin,
    /// Also gives roles and removes anybody.
    Owner,
}

/// What plain members may do, and how long messages live.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// Seconds until messages vanish; 0: they stay.
    pub timer_s: u32,
    /// Whether plain members may add accounts.
    pub members_may_add: bool,
    /// Whether plain members may change the name.
    pub members_may_rename: bool,
}

/// The agreed settings of a conversation.
#[derive(Clone, PartialEq, Eq)]
pub struct Settings {
    /// Never changes.
    pub kind: Kind,
    /// At most 128 bytes; empty for direct conversations.
    pub name: String,
    /// Accounts that are more than plain members. In a direct conversation and in notes: the accounts, as owners.
    pub roles: BTreeMap<AccountId, Role>,
    /// The first channel; never changes.
    pub channel_id: ChannelId,
    /// The conversation's server, `host:port`.
    pub origin: String,
    /// That server's pin.
    pub pin: Pin,
    /// What plain members may do.
    pub policy: Policy,
    /// Highest device-signing key generations that no leaf of the tree shows any more.
    pub(crate) generations: BTreeMap<AccountId, u32>,
}

impl Settings {
    /// An account's role; whether it is a member at all is in the tree.
    pub fn role(&self, account: &AccountId) -> Role {
        self.roles.get(account).copied().unwrap_or(Role::Member)
    }

    /// # Errors
    /// [`Error::TooLong`], or [`Error::Malformed`] when the parts contradict each other.
    pub(crate) fn check(&self) -> Result<()> {
        if self.name.len() > NAME_BYTES {
            return Err(Error::TooLong("name"));
        }
        if self.origin.len() > ORIGIN_BYTES {
            return Err(Error::TooLong("origin"));
        }
        let owners = self
            .roles
            .values()
            .filter(|role| **role == Role::Owner)
            .count();
        let fits = match self.kind {
            Kind::Direct => owners == 2 && self.roles.len() == 2 && self.name.is_empty(),
            Kind::Notes => owners == 1 && self.roles.len() == 1,
            Kind::Group => owners >= 1,
        };
        let generations = self.generations.values().all(|generation| *generation > 0);
        if fits && generations {
            Ok(())
        } else {
            Err(Error::Malformed("settings"))
        }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        proto::GroupExtension {
            version: VERSION,
            kind: match self.kind {
                Kind::Direct => proto::Kind::Direct,
                Kind::Group => proto::Kind::Group,
                Kind::Notes => proto::Kind::Notes,
            } as i32,
            name: self.name.clone(),
            roles: self
                .roles
                .iter()
                .filter_map(|(account, role)| {
                    let role = match role {
                        Role::Member => return None,
                        Role::Admin => proto::GroupRole::RoleAdmin,
                        Role::Owner => proto::GroupRole::RoleOwner,
                    };
                    Some(proto::RoleEntry {
                        account_id: account.to_bytes(),
                        role: role as i32,
                    })
                })
                .collect(),
            channel_id: self.channel_id.to_bytes(),
            origin: self.origin.clone(),
            pin: self.pin.to_bytes(),
            policy: Some(proto::Policy {
                timer_s: self.policy.timer_s,
                members_may_add: self.policy.members_may_add,
                members_may_rename: self.policy.members_may_rename,
            }),
            generations: self
                .generations
                .iter()
                .map(|(account, generation)| proto::AccountGeneration {
                    account_id: account.to_bytes(),
                    generation: *generation,
                })
                .collect(),
        }
        .encode_to_vec()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self> {
        let malformed = || Error::Malformed("group extension");
        let decoded = proto::GroupExtension::decode(bytes)?;
        let kind = match decoded.kind() {
            proto::Kind::Direct => Kind::Direct,
            proto::Kind::Group => Kind::Group,
            proto::Kind::Notes => Kind::Notes,
            proto::Kind::Unspecified => return Err(malformed()),
        };
        let roles = decoded
            .roles
            .iter()
            .map(|entry| {
                let role = match entry.role() {
                    proto::GroupRole::RoleMember => return Err(malformed()),
                    proto::GroupRole::RoleAdmin => Role::Admin,
                    proto::GroupRole::RoleOwner => Role::Owner,
                };
                Ok((AccountId::from_slice(&entry.account_id)?, role))
            })
            .collect::<Result<_>>()?;
        let generations = decoded
            .generations
            .iter()
            .map(|entry| Ok((AccountId::from_slice(&entry.account_id)?, entry.generation)))
            .collect::<Result<_>>()?;
        let policy = decoded.policy.ok_or_else(malformed)?;
        let settings = Self {
            kind,
            roles,
            generations,
            channel_id: ChannelId::from_slice(&decoded.channel_id)?,
            pin: Pin::from_slice(&decoded.pin)?,
            policy: Policy {
                timer_s: policy.timer_s,
                members_may_add: policy.members_may_add,
                members_may_rename: policy.members_may_rename,
            },
            name: decoded.name,
            origin: decoded.origin,
        };
        settings.check().map_err(|_| malformed())?;
        // Also refuses unsorted or repeated entries, another version, and unknown fields.
        if settings.encode() != bytes {
            return Err(malformed());
        }
        Ok(settings)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn group() -> Settings {
        Settings {
            kind: Kind::Group,
            name: "Desk".into(),
            roles: [
                (AccountId::new([1; 32]), Role::Owner),
                (AccountId::new([2; 32]), Role::Admin),
            ]
            .into(),
            channel_id: ChannelId::new([3; 32]),
            origin: "relay.example:7443".into(),
            pin: Pin::new([4; 32]),
            policy: Policy {
                timer_s: 60,
                members_may_add: true,
                members_may_rename: false,
            },
            generations: [(AccountId::new([2; 32]), 3)].into(),
        }
    }

    #[test]
    fn one_encoding_only() {
        let bytes = group().encode();
        let again = Settings::decode(&bytes).unwrap();
        assert!(again == group());
        assert!(Settings::decode(&[&bytes[..], &[0x78, 1]].concat()).is_err());
        assert!(Settings::decode(&bytes[..bytes.len() - 1]).is_err());
        assert!(Settings::decode(&[]).is_err());
    }

    #[test]
    fn a_group_has_an_owner_and_a_direct_conversation_two_accounts() {
        let mut settings = group();
        settings.roles.remove(&AccountId::new([1; 32]));
        assert!(Settings::decode(&settings.encode()).is_err());
        let mut settings = group();
        settings.kind = Kind::Direct;
        assert!(Settings::decode(&settings.encode()).is_err());
        settings.name.clear();
        settings.roles.insert(AccountId::new([2; 32]), Role::Owner);
        assert!(Settings::decode(&settings.encode()).is_ok());
    }
}
