//! The people of a test, their devices, and a server in memory.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use rusqlite::Connection;
use undertone_wire::{
    client_proto as proto,
    ids::{AccountId, AddressHash, ChannelId, Pin},
    secrets::{AddressSecret, KpKey},
};

use crate::{
    AccountRoot, ApplicationOutcome, Change, ChannelPosition, CommitOutcome, DeviceKeys,
    DeviceSigningKey, EnvelopeKind, Error, Group, GroupId, HandedOn, Kind, LeafProfile, NewGroup,
    OpenError, Opened, PendingCommit, Policy, Provider, RecoveryPhrase, Result, create_key_package,
    migrate, open_key_package, seal_key_package,
};

/// What a device gets from its queue.
#[derive(Clone)]
pub(in crate::group) enum Item {
    Application {
        channel: ChannelId,
        number: u64,
        epoch: u64,
        payload: Vec<u8>,
    },
    Commit {
        channel: ChannelId,
        number: u64,
        epoch: u64,
        next_lock: [u8; 32],
        payload: Vec<u8>,
    },
    Welcome(proto::Welcome),
}

/// What a device made of it.
#[derive(Debug, PartialEq, Eq, Clone)]
pub(in crate::group) enum Event {
    Heard {
        from: usize,
        text: String,
    },
    Own,
    Joined {
        by: usize,
    },
    Merged {
        epoch: u64,
        own: bool,
        fallback: bool,
    },
    Removed {
        by: usize,
    },
    Leaving {
        who: usize,
    },
    Refused(&'static str),
    Resync(&'static str),
    Skipped(&'static str),
}

pub(in crate::group) struct Device {
    pub(in crate::group) connection: Connection,
    pub(in crate::group) keys: DeviceKeys,
    pub(in crate::group) signing_key: DeviceSigningKey,
    pub(in crate::group) phrase: RecoveryPhrase,
    pub(in crate::group) name: String,
    pub(in crate::group) queue: VecDeque<Item>,
    pub(in crate::group) events: Vec<Event>,
    /// Where it believes the conversation to be.
    pub(in crate::group) channel: BTreeMap<GroupId, ChannelPosition>,
}

#[derive(Default)]
pub(in crate::group) struct Channel {
    pub(in crate::group) epoch: u64,
    pub(in crate::group) lock: [u8; 32],
    pub(in crate::group) min_send_epoch: u64,
    pub(in crate::group) number: u64,
}

/// Everybody, and the server.
#[derive(Default)]
pub(in crate::group) struct Town {
    pub(in crate::group) devices: Vec<Device>,
    pub(in crate::group) addresses: BTreeMap<AddressHash, usize>,
    pub(in crate::group) channels: BTreeMap<ChannelId, Channel>,
    /// Addresses that a send missed.
    pub(in crate::group) missed: usize,
}

pub(in crate::group) fn provider_of(connection: &Connection) -> Provider<'_> {
    Provider::new(connection)
}

impl Device {
    /// Runs `act` on the loaded group in a transaction that is committed.
    pub(in crate::group) fn with<T>(
        &mut self,
        group: &GroupId,
        act: impl FnOnce(&mut Group, &Provider<'_>, &DeviceKeys) -> Result<T>,
    ) -> Result<T> {
        let transaction = self.connection.transaction()?;
        let provider = Provider::new(&transaction);
        let mut group = Group::load(&provider, group)?.ok_or(Error::NothingToDo("group"))?;
        let result = act(&mut group, &provider, &self.keys)?;
        transaction.commit()?;
        Ok(result)
    }

    pub(in crate::group) fn epoch(&mut self, group: &GroupId) -> u64 {
        self.with(group, |group, _, _| Ok(group.epoch())).unwrap()
    }

    pub(in crate::group) fn has(&self, group: &GroupId) -> bool {
        Group::load(&Provider::new(&self.connection), group)
            .unwrap()
            .is_some()
    }

    pub(in crate::group) fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }
}

impl Town {
    /// A new account with one device.
    pub(in crate::group) fn person(&mut self, name: &str) -> usize {
        let phrase = RecoveryPhrase::generate().unwrap();
        let signing_key = AccountRoot::from_phrase(&phrase).device_signing_key(1);
        self.device(name, phrase, signing_key)
    }

    pub(in crate::group) fn people<const N: usize>(&mut self, names: [&str; N]) -> [usize; N] {
        names.map(|name| self.person(name))
    }

    /// Another device of the same account.
    pub(in crate::group) fn second_device(&mut self, of: usize) -> usize {
        let first = &self.devices[of];
        let signing_key =
            DeviceSigningKey::from_secret_bytes(&first.signing_key.to_secret_bytes()).unwrap();
        let phrase = RecoveryPhrase::parse(first.phrase.words()).unwrap();
        let name = first.name.clone();
        self.device(&name, phrase, signing_key)
    }

    /// A device made with the recovery phrase, when the account has lost all others.
    pub(in crate::group) fn restored_device(&mut self, of: usize, generation: u32) -> usize {
        let phrase = RecoveryPhrase::parse(self.devices[of].phrase.words()).unwrap();
        let signing_key = AccountRoot::from_phrase(&phrase).device_signing_key(generation);
        let name = self.devices[of].name.clone();
        self.device(&name, phrase, signing_key)
    }

    fn device(
        &mut self,
        name: &str,
        phrase: RecoveryPhrase,
        signing_key: DeviceSigningKey,
    ) -> usize {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection).unwrap();
        self.devices.push(Device {
            connection,
            keys: DeviceKeys::generate(&signing_key, 1_700_000_000),
            signing_key,
            phrase,
            name: name.into(),
            queue: VecDeque::new(),
            events: Vec::new(),
            channel: BTreeMap::new(),
        });
        self.devices.len() - 1
    }

    pub(in crate::group) fn account(&self, who: usize) -> AccountId {
        self.devices[who].keys.account_id()
    }

    fn who(&self, account: &AccountId) -> usize {
        self.devices
            .iter()
            .position(|device| device.keys.account_id() == *account)
            .unwrap()
    }

    /// A fresh profile whose address the server knows.
    pub(in crate::group) fn profile(&mut self, who: usize) -> LeafProfile {
        let address = AddressSecret::random();
        self.addresses.insert(address.hash(), who);
        LeafProfile {
            address,
            kp_key: Some(KpKey::random()),
            name: self.devices[who].name.clone(),
            origin: String::new(),
            pin: None,
            replaces: None,
        }
    }

    pub(in crate::group) fn key_package(
        &mut self,
        who: usize,
        last_resort: bool,
    ) -> crate::PeerKeyPackage {
        let profile = self.profile(who);
        let device = &self.devices[who];
        let provider = provider_of(&device.connection);
        let made = create_key_package(&provider, &device.keys, &profile, last_resort).unwrap();
        let kp_key = KpKey::random();
        let sealed = seal_key_package(&made, &kp_key).unwrap();
        assert_eq!(sealed.len(), 4096);
        assert!(open_key_package(&provider, &sealed, &KpKey::random()).is_err());
        open_key_package(&provider, &sealed, &kp_key).unwrap()
    }

    /// Creates a conversation and its channel; the creator is alone.
    pub(in crate::group) fn create(
        &mut self,
        who: usize,
        kind: Kind,
        name: &str,
        peer: Option<usize>,
    ) -> GroupId {
        let peer = peer.map(|peer| self.account(peer));
        let profile = self.profile(who);
        let channel_id = ChannelId::random();
        let new = NewGroup {
            kind,
            name: name.into(),
            peer,
            origin: "relay.example:7443".into(),
            pin: Pin::new([7; 32]),
            channel_id,
            policy: Policy::default(),
        };
        let device = &mut self.devices[who];
        let provider = Provider::new(&device.connection);
        let group = Group::create(&provider, &device.keys, &profile, new).unwrap();
        let lock = group.lock(&provider).unwrap();
        let position = ChannelPosition {
            generation: 0,
            channel_id,
            number: 0,
        };
        device.channel.insert(*group.id(), position);
        self.channels.insert(
            channel_id,
            Channel {
                lock,
                ..Channel::default()
            },
        );
        *group.id()
    }

    /// Two people, connected.
    pub(in crate::group) fn direct(&mut self, one: usize, other: usize) -> GroupId {
        let group = self.create(one, Kind::Direct, "", Some(other));
        self.add(one, &group, &[other]);
        self.settle();
        group
    }

    /// A group of all of them, the first as owner.
    pub(in crate::group) fn group(&mut self, name: &str, members: &[usize]) -> GroupId {
        let group = self.create(members[0], Kind::Group, name, None);
        if members.len() > 1 {
            self.add(members[0], &group, &members[1..]);
        }
        self.settle();
        group
    }

    pub(in crate::group) fn add(&mut self, who: usize, group: &GroupId, others: &[usize]) {
        let packages = others
            .iter()
            .map(|other| self.key_package(*other, false))
            .collect();
        self.commit(who, group, Change::Add(packages)).unwrap();
    }

    pub(in crate::group) fn stage(
        &mut self,
        who: usize,
        group: &GroupId,
        change: Change,
    ) -> Result<PendingCommit> {
        self.devices[who].with(group, |group, provider, keys| {
            group.stage_commit(provider, keys, change)
        })
    }

    /// Stages and sends. `Ok(false)`: the channel refused it.
    pub(in crate::group) fn commit(
        &mut self,
        who: usize,
        group: &GroupId,
        change: Change,
    ) -> Result<bool> {
        let pending = self.stage(who, group, change)?;
        Ok(self.send_commit(who, &pending))
    }

    /// Everybody takes everything, until nothing is left.
    pub(in crate::group) fn settle(&mut self) {
        while let Some(who) =
            (0..self.devices.len()).find(|who| !self.devices[*who].queue.is_empty())
        {
            self.deliver(who);
        }
    }

    /// One device takes what is in its queue.
    pub(in crate::group) fn deliver(&mut self, who: usize) {
        while let Some(item) = self.devices[who].queue.pop_front() {
            let event = self.take(who, item);
            self.devices[who].events.push(event);
        }
    }

    pub(in crate::group) fn take(&mut self, who: usize, item: Item) -> Event {
        match item {
            Item::Welcome(welcome) => self.join(who, &welcome),
            Item::Application {
                channel,
                number,
                epoch,
                payload,
            } => match self.group_on(who, channel) {
                Some(group) => {
                    self.advance(who, &group, channel, number);
                    self.take_application(who, &group, epoch, &payload)
                }
                None => Event::Skipped("no group"),
            },
            Item::Commit {
                channel,
                number,
                epoch,
                next_lock,
                payload,
            } => match self.group_on(who, channel) {
                Some(group) => {
                    self.advance(who, &group, channel, number);
                    self.take_commit(who, &group, epoch, next_lock, &payload)
                }
                None => Event::Skipped("no group"),
            },
        }
    }

    fn group_on(&self, who: usize, channel: ChannelId) -> Option<GroupId> {
        let positions = &self.devices[who].channel;
        positions
            .iter()
            .find(|(_, position)| position.channel_id == channel)
            .map(|(group, _)| *group)
    }

    fn advance(&mut self, who: usize, group: &GroupId, channel: ChannelId, number: u64) {
        let position = self.devices[who].channel.get_mut(group).unwrap();
        if position.channel_id == channel {
            position.number = number;
        }
    }

    fn join(&mut self, who: usize, welcome: &proto::Welcome) -> Event {
        let device = &mut self.devices[who];
        let transaction = device.connection.transaction().unwrap();
        let joined = Group::join(&Provider::new(&transaction), welcome);
        transaction.commit().unwrap();
        match joined {
            Ok(joined) => {
                device.channel.insert(*joined.group.id(), joined.channel);
                let by = joined.adder.account;
                Event::Joined { by: self.who(&by) }
            }
            Err(error) => Event::Skipped(error.code()),
        }
    }

    fn open(
        &mut self,
        who: usize,
        group: &GroupId,
        kind: EnvelopeKind,
        epoch: u64,
        payload: &[u8],
    ) -> std::result::Result<Bytes, OpenError> {
        let provider = provider_of(&self.devices[who].connection);
        let group = Group::load(&provider, group).unwrap().unwrap();
        match group.open(&provider, kind, epoch, payload)? {
            Opened::Inline(body) => Ok(body),
            Opened::Blob(_) => panic!("no blobs here"),
        }
    }

    pub(in crate::group) fn take_application(
        &mut self,
        who: usize,
        group: &GroupId,
        epoch: u64,
        payload: &[u8],
    ) -> Event {
        let body = match self.open(who, group, EnvelopeKind::Application, epoch, payload) {
            Ok(body) => body,
            Err(OpenError::TooOld) => return Event::Skipped("too old"),
            Err(OpenError::Ahead) => return Event::Skipped("ahead"),
            Err(_) => return Event::Refused("envelope"),
        };
        let outcome = self.devices[who]
            .with(group, |group, provider, _| {
                group.process_application(provider, epoch, &body)
            })
            .unwrap();
        match outcome {
            ApplicationOutcome::Message(message) => Event::Heard {
                from: self.who(&message.account),
                text: String::from_utf8(message.plaintext.to_vec()).unwrap(),
            },
            ApplicationOutcome::Own => Event::Own,
            ApplicationOutcome::LeaveProposed { account, .. } => Event::Leaving {
                who: self.who(&account),
            },
            ApplicationOutcome::Duplicate => Event::Skipped("duplicate"),
            ApplicationOutcome::TooOld => Event::Skipped("too old"),
            ApplicationOutcome::Ahead => Event::Skipped("ahead"),
            ApplicationOutcome::Refused(refusal) => Event::Refused(refusal.violation.code()),
        }
    }

    pub(in crate::group) fn take_commit(
        &mut self,
        who: usize,
        group: &GroupId,
        epoch: u64,
        next_lock: [u8; 32],
        payload: &[u8],
    ) -> Event {
        let outcome = match self.open(who, group, EnvelopeKind::Commit, epoch, payload) {
            Ok(body) => self.devices[who]
                .with(group, |group, provider, _| {
                    group.process_commit(provider, epoch, &next_lock, &body)
                })
                .unwrap(),
            Err(OpenError::TooOld) => CommitOutcome::Stale,
            Err(OpenError::Ahead) => CommitOutcome::Ahead,
            Err(_) => Group::refused(crate::Violation::Envelope),
        };
        match outcome {
            CommitOutcome::Merged(merged) => {
                if let Some(welcome) = &merged.welcome {
                    let position = self.devices[who].channel[group];
                    let bundle = self.devices[who]
                        .with(group, |group, provider, _| {
                            group.welcome_bundle(provider, welcome, position, HandedOn::default())
                        })
                        .unwrap();
                    self.fan_out(&welcome.recipients, &Item::Welcome(bundle));
                }
                if merged.fallback {
                    self.fall_back(who, group);
                }
                Event::Merged {
                    epoch: merged.epoch,
                    own: merged.own,
                    fallback: merged.fallback,
                }
            }
            CommitOutcome::Removed { by } => Event::Removed { by: self.who(&by) },
            CommitOutcome::Refused(refusal) => {
                self.fall_back(who, group);
                Event::Refused(refusal.violation.code())
            }
            CommitOutcome::Resync(refusal) => Event::Resync(refusal.violation.code()),
            CommitOutcome::Stale => Event::Skipped("stale"),
            CommitOutcome::Ahead => Event::Skipped("ahead"),
        }
    }

    /// Every member computes the same next channel.
    fn fall_back(&mut self, who: usize, group: &GroupId) {
        let channel_id = self.devices[who]
            .with(group, |group, provider, _| {
                group.fallback_channel_id(provider, 0)
            })
            .unwrap();
        let position = self.devices[who].channel.get_mut(group).unwrap();
        *position = ChannelPosition {
            generation: position.generation + 1,
            channel_id,
            number: 0,
        };
    }

    /// What each of them heard since they were last asked.
    pub(in crate::group) fn heard(&mut self, who: usize) -> Vec<String> {
        self.devices[who]
            .take_events()
            .into_iter()
            .filter_map(|event| match event {
                Event::Heard { from, text } => Some(format!("{}: {text}", self.devices[from].name)),
                _ => None,
            })
            .collect()
    }

    /// All of them are in the same epoch with the same members, settings and addresses, and can open each other's mail.
    pub(in crate::group) fn agree(&mut self, group: &GroupId, members: &[usize]) {
        let mut first = None;
        for who in members {
            let seen = self.devices[*who]
                .with(group, |group, provider, _| {
                    let members: Vec<_> = group
                        .members()?
                        .into_iter()
                        .map(|member| {
                            (
                                member.leaf,
                                member.account,
                                member.device,
                                member.role,
                                *member.address.expose(),
                            )
                        })
                        .collect();
                    Ok((
                        group.epoch(),
                        group.lock(provider)?,
                        members,
                        group.name().to_owned(),
                    ))
                })
                .unwrap();
            assert_eq!(
                seen.2.len(),
                members.len(),
                "{} counts the members",
                self.devices[*who].name
            );
            match &first {
                None => first = Some(seen),
                Some(first) => assert!(
                    *first == seen,
                    "{} sees another group",
                    self.devices[*who].name
                ),
            }
        }
        let (_, _, seen, _) = first.unwrap();
        for (_, account, device, _, address) in seen {
            let owner = self.addresses[&AddressSecret::new(address).hash()];
            let keys = &self.devices[owner].keys;
            assert!(
                keys.account_id() == account && keys.device_id() == device,
                "an address leads elsewhere"
            );
        }
    }
}
