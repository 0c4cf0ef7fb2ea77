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
    /// Does what the policy lets everybody do.
    Member,
    /// Also removes plain members, and sets the policy as far as it is not for owners only.
    Admin,
    /// Also gives roles and removes anybody.
    Owner,
}

/// What the policy of a group decides about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Adding accounts, and letting people in by a link.
    Add,
    /// Changing the name.
    Rename,
    /// Pinning messages, and ending that.
    Pin,
    /// Setting how long new messages stay.
    SetTimer,
    /// Writing: messages, and new versions of one's own.
    Post,
}

impl Act {
    /// Every one.
    pub const ALL: [Self; 5] = [
        Self::Add,
        Self::Rename,
        Self::Pin,
        Self::SetTimer,
        Self::Post,
    ];

    /// The lowest role that may in a group where nobody has said anything else.
    const fn usual(self) -> Role {
        match self {
            Self::Add | Self::Rename | Self::Pin | Self::SetTimer => Role::Admin,
            Self::Post => Role::Member,
        }
    }
}

/// Who may do what in a group, and how long messages live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Seconds until messages vanish; 0: they stay.
    pub timer_s: u32,
    /// The lowest role that may, in the order of [`Act::ALL`].
    lowest: [Role; 5],
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            timer_s: 0,
            lowest: Act::ALL.map(Act::usual),
        }
    }
}

impl Policy {
    /// The lowest role that may do this.
    pub const fn lowest(&self, act: Act) -> Role {
        self.lowest[act as usize]
    }

    /// The same, but for who may do this: `lowest` and every higher role.
    #[must_use]
    pub const fn allowing(mut self, act: Act, lowest: Role) -> Self {
        self.lowest[act as usize] = lowest;
        self
    }

    /// The same with another time for messages to stay.
    #[must_use]
    pub const fn with_timer(mut self, timer_s: u32) -> Self {
        self.timer_s = timer_s;
        self
    }

    /// What is usual stands nowhere, so that there is one encoding, and groups from before there was a choice keep theirs.
    fn encoded(&self, act: Act) -> i32 {
        let lowest = self.lowest(act);
        let plain = match act {
            // Said by the fields of their own.
            Act::Add | Act::Rename => lowest == Role::Member || lowest == act.usual(),
            Act::Pin | Act::SetTimer | Act::Post => lowest == act.usual(),
        };
        let allowed = match lowest {
            _ if plain => proto::Allowed::Usual,
            Role::Member => proto::Allowed::Members,
            Role::Admin => proto::Allowed::Admins,
            Role::Owner => proto::Allowed::Owners,
        };
        allowed as i32
    }

    fn encode(&self) -> proto::Policy {
        proto::Policy {
            timer_s: self.timer_s,
            members_may_add: self.lowest(Act::Add) == Role::Member,
            members_may_rename: self.lowest(Act::Rename) == Role::Member,
            add: self.encoded(Act::Add),
            rename: self.encoded(Act::Rename),
            pin: self.encoded(Act::Pin),
            set_timer: self.encoded(Act::SetTimer),
            post: self.encoded(Act::Post),
        }
    }

    /// Takes more than one encoding; [`Settings::decode`] compares with the one that is right.
    fn decode(encoded: &proto::Policy) -> Self {
        let lowest = |act: Act, allowed: proto::Allowed, members: bool| match allowed {
            proto::Allowed::Usual if members => Role::Member,
            proto::Allowed::Usual => act.usual(),
            proto::Allowed::Members => Role::Member,
            proto::Allowed::Admins => Role::Admin,
            proto::Allowed::Owners => Role::Owner,
        };
        Self {
            timer_s: encoded.timer_s,
            lowest: [
                lowest(Act::Add, encoded.add(), encoded.members_may_add),
                lowest(Act::Rename, encoded.rename(), encoded.members_may_rename),
                lowest(Act::Pin, encoded.pin(), false),
                lowest(Act::SetTimer, encoded.set_timer(), false),
                lowest(Act::Post, encoded.post(), false),
            ],
        }
    }
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
    /// Who may do what.
    pub policy: Policy,
    /// Highest device-signing key generations that no leaf of the tree shows any more.
    pub(crate) generations: BTreeMap<AccountId, u32>,
}

impl Settings {
    /// An account's role; whether it is a member at all is in the tree.
    pub fn role(&self, account: &AccountId) -> Role {
        self.roles.get(account).copied().unwrap_or(Role::Member)
    }

    /// Whether an account that is a member may do this. Outside groups all may.
    pub fn may(&self, account: &AccountId, act: Act) -> bool {
        self.kind != Kind::Group || self.role(account) >= self.policy.lowest(act)
    }

    /// Whether an account that is a member may make this policy of the present one: admins may, but what is or becomes owners' only is
    /// for owners.
    pub fn may_set(&self, account: &AccountId, policy: &Policy) -> bool {
        let role = self.role(account);
        self.kind != Kind::Group
            || Act::ALL.into_iter().all(|act| {
                let (before, after) = (self.policy.lowest(act), policy.lowest(act));
                before == after || role >= before.max(after).max(Role::Admin)
            })
    }

    /// As members agree on it, for keeping.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.encode()
    }

    /// What [`Settings::to_bytes`] gave.
    ///
    /// # Errors
    /// [`Error::Malformed`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        Self::decode(bytes)
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
            policy: Some(self.policy.encode()),
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
            policy: Policy::decode(&policy),
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
            policy: Policy::default()
                .with_timer(60)
                .allowing(Act::Add, Role::Member),
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
    fn a_policy_has_one_encoding_and_says_nothing_of_what_is_usual() {
        for act in Act::ALL {
            for role in [Role::Member, Role::Admin, Role::Owner] {
                let mut settings = group();
                settings.policy = Policy::default().allowing(act, role);
                let again = Settings::decode(&settings.encode()).unwrap();
                assert_eq!(again.policy.lowest(act), role);
                assert!(again == settings);
            }
        }
        // A group from before there was a choice.
        let old = proto::Policy {
            timer_s: 60,
            members_may_add: true,
            ..proto::Policy::default()
        };
        assert_eq!(group().policy.encode(), old);
        // Said in another way: two members would sign different bytes for the same.
        let mut twice = proto::GroupExtension::decode(&group().encode()[..]).unwrap();
        twice.policy = Some(proto::Policy {
            add: proto::Allowed::Members as i32,
            ..old
        });
        assert!(Settings::decode(&twice.encode_to_vec()).is_err());
        twice.policy = Some(proto::Policy { post: 9, ..old });
        assert!(Settings::decode(&twice.encode_to_vec()).is_err());
    }

    #[test]
    fn admins_set_what_is_not_for_owners_only() {
        let [owner, admin, member] = [1, 2, 9].map(|id| AccountId::new([id; 32]));
        let mut settings = group();
        let quiet = settings.policy.allowing(Act::Post, Role::Admin);
        assert!(settings.may_set(&owner, &quiet) && settings.may_set(&admin, &quiet));
        assert!(!settings.may_set(&member, &quiet));
        let closed = settings.policy.allowing(Act::Post, Role::Owner);
        assert!(settings.may_set(&owner, &closed) && !settings.may_set(&admin, &closed));
        settings.policy = closed;
        assert!(!settings.may_set(&admin, &quiet), "nor take it back");
        assert!(settings.may(&owner, Act::Post) && !settings.may(&admin, Act::Post));
        assert!(settings.may(&member, Act::Add) && !settings.may(&member, Act::Pin));
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
