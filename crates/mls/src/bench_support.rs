//! Devices and populated groups for measuring, through the same code that the client runs.
//!
//! A populated group is built by a chain: each joiner updates its leaf, adds the next device and is dropped, so that the tree
//! has no blank node and only the last few devices hold state. Nothing here is used by the client.

use rusqlite::Connection;
use undertone_wire::{
    client_proto,
    ids::{ChannelId, Pin, random_bytes, sha256},
    padding,
    secrets::AddressSecret,
};

use crate::{
    AccountRoot, Act, ApplicationOutcome, Body, Change, ChannelPosition, CommitOutcome, DeviceKeys,
    EnvelopeKind, Error, Group, GroupId, HandedOn, Kind, LeafProfile, NewGroup, Opened,
    PeerKeyPackage, PendingCommit, PendingWelcome, Policy, Provider, RecoveryPhrase, Result, Role,
    create_key_package, group::commit_inline_max, migrate,
};

/// A device with a database in memory, in at most one conversation.
pub struct BenchDevice {
    connection: Connection,
    keys: DeviceKeys,
    group: Option<GroupId>,
}

/// A commit as it goes over the wire.
pub struct BenchCommit {
    /// The epoch it starts from.
    pub epoch: u64,
    /// See [`PendingCommit::next_lock`].
    pub next_lock: [u8; 32],
    /// The CommitEnvelope.
    pub body: Vec<u8>,
}

impl From<PendingCommit> for BenchCommit {
    fn from(pending: PendingCommit) -> Self {
        Self {
            epoch: pending.epoch,
            next_lock: pending.next_lock,
            body: pending.body,
        }
    }
}

impl BenchDevice {
    /// A device of a new account.
    ///
    /// # Errors
    /// [`Error::Storage`], [`Error::Migration`].
    pub fn new() -> Result<Self> {
        let mut connection = Connection::open_in_memory()?;
        migrate(&mut connection)?;
        let root = AccountRoot::from_phrase(&RecoveryPhrase::generate()?);
        let keys = DeviceKeys::generate(&root.device_signing_key(1), 0);
        Ok(Self {
            connection,
            keys,
            group: None,
        })
    }

    /// Runs `act` in one transaction, with the group loaded from the database as the client does.
    ///
    /// # Errors
    /// What `act` gives; [`Error::NothingToDo`] without a group.
    pub fn with<T>(
        &mut self,
        act: impl FnOnce(&mut Group, &Provider<'_>, &DeviceKeys) -> Result<T>,
    ) -> Result<T> {
        let transaction = self.connection.transaction()?;
        let provider = Provider::new(&transaction);
        let id = self.group.ok_or(Error::NothingToDo("group"))?;
        let mut group = Group::load(&provider, &id)?.ok_or(Error::NothingToDo("group"))?;
        let result = act(&mut group, &provider, &self.keys)?;
        transaction.commit()?;
        Ok(result)
    }

    fn profile() -> LeafProfile {
        LeafProfile {
            address: AddressSecret::random(),
            kp_key: None,
            name: "Bench".into(),
            origin: String::new(),
            pin: None,
            replaces: None,
        }
    }

    /// A key package of this device.
    ///
    /// # Errors
    /// [`Error::Library`].
    pub fn key_package(&self) -> Result<PeerKeyPackage> {
        let provider = Provider::new(&self.connection);
        let made = create_key_package(&provider, &self.keys, &Self::profile(), false)?;
        PeerKeyPackage::decode(&provider, &made.bytes)
    }

    /// Starts a group alone.
    ///
    /// # Errors
    /// [`Error::Library`].
    pub fn create(&mut self) -> Result<()> {
        let new = NewGroup {
            kind: Kind::Group,
            name: "Bench".into(),
            peer: None,
            origin: "localhost:7443".into(),
            pin: Pin::new([0; 32]),
            channel_id: ChannelId::random(),
            policy: Policy::default().allowing(Act::Add, Role::Member),
        };
        let group = Group::create(
            &Provider::new(&self.connection),
            &self.keys,
            &Self::profile(),
            new,
        )?;
        self.group = Some(*group.id());
        Ok(())
    }

    /// Stages a change.
    ///
    /// # Errors
    /// As [`Group::stage_commit`].
    pub fn stage(&mut self, change: Change) -> Result<BenchCommit> {
        self.with(|group, provider, keys| group.stage_commit(provider, keys, change))
            .map(Into::into)
    }

    /// What a commit takes on the wire: its item's payload, and the blob where that is how it goes.
    ///
    /// # Errors
    /// [`Error::Library`].
    pub fn wire_bytes(&mut self, commit: &BenchCommit) -> Result<usize> {
        self.with(|group, provider, _| {
            let addresses = group.addresses().len();
            let seal = |body: &Body<'_>| {
                let sealed = group.seal(provider, EnvelopeKind::Commit, commit.epoch, body);
                sealed.map(|payload| payload.len())
            };
            if commit.body.len() <= commit_inline_max(addresses) {
                return seal(&Body::Inline(&commit.body));
            }
            let size = commit.body.len() as u64;
            let pointer = client_proto::BlobPointer {
                blob_id: random_bytes::<32>().to_vec().into(),
                key: random_bytes::<32>().to_vec().into(),
                hash: sha256(&commit.body).to_vec().into(),
                size,
                ..Default::default()
            };
            let blob = padding::attachment_blob_size(size).ok_or(Error::TooLong("commit"))?;
            let blob = usize::try_from(blob).map_err(|_| Error::TooLong("commit"))?;
            Ok(seal(&Body::Blob(&pointer))? + blob)
        })
    }

    /// Takes a commit, one's own included.
    ///
    /// # Errors
    /// [`Error::NothingToDo`] when it is not merged.
    pub fn process(&mut self, commit: &BenchCommit) -> Result<Option<PendingWelcome>> {
        self.with(|group, provider, _| {
            match group.process_commit(provider, commit.epoch, &commit.next_lock, &commit.body)? {
                CommitOutcome::Merged(merged) if !merged.fallback => Ok(merged.welcome),
                _ => Err(Error::NothingToDo("commit")),
            }
        })
    }

    /// The Welcome bundle of an addition that was just merged.
    ///
    /// # Errors
    /// [`Error::Library`].
    pub fn welcome(&mut self, welcome: &PendingWelcome) -> Result<client_proto::Welcome> {
        self.with(|group, provider, _| {
            let channel = ChannelPosition {
                generation: 0,
                channel_id: *group.first_channel_id(),
                number: 1,
            };
            group.welcome_bundle(provider, welcome, channel, HandedOn::default())
        })
    }

    /// Joins.
    ///
    /// # Errors
    /// As [`Group::join`].
    pub fn join(&mut self, welcome: &client_proto::Welcome) -> Result<()> {
        let transaction = self.connection.transaction()?;
        let joined = Group::join(&Provider::new(&transaction), welcome)?;
        transaction.commit()?;
        self.group = Some(*joined.group.id());
        Ok(())
    }

    /// Encrypts and seals: the epoch and payload of an item.
    ///
    /// # Errors
    /// [`Error::Library`].
    pub fn encrypt(&mut self, plaintext: &[u8]) -> Result<(u64, Vec<u8>)> {
        self.with(|group, provider, keys| {
            let outgoing = group.encrypt(provider, keys, plaintext)?;
            let payload = group.seal(
                provider,
                outgoing.kind,
                outgoing.epoch,
                &Body::Inline(&outgoing.body),
            )?;
            Ok((outgoing.epoch, payload))
        })
    }

    /// Opens and decrypts an item.
    ///
    /// # Errors
    /// [`Error::NothingToDo`] when it is not a message.
    pub fn decrypt(&mut self, epoch: u64, payload: &[u8]) -> Result<usize> {
        self.with(|group, provider, _| {
            let Ok(Opened::Inline(body)) =
                group.open(provider, EnvelopeKind::Application, epoch, payload)
            else {
                return Err(Error::NothingToDo("message"));
            };
            match group.process_application(provider, epoch, &body)? {
                ApplicationOutcome::Message(message) => Ok(message.plaintext.len()),
                _ => Err(Error::NothingToDo("message")),
            }
        })
    }

    /// Adds `next`, which joins.
    ///
    /// # Errors
    /// Those of the steps.
    pub fn add(&mut self, next: &mut Self) -> Result<()> {
        let commit = self.stage(Change::Add(vec![next.key_package()?]))?;
        let welcome = self
            .process(&commit)?
            .ok_or(Error::NothingToDo("welcome"))?;
        let bundle = self.welcome(&welcome)?;
        next.join(&bundle)
    }

    /// Renews its leaf.
    ///
    /// # Errors
    /// Those of the steps.
    pub fn update(&mut self) -> Result<BenchCommit> {
        let commit = self.stage(Change::SelfUpdate)?;
        self.process(&commit)?;
        Ok(commit)
    }
}

/// A populated group of `size` devices (at least 2) built by a chain, and its last two devices, in the same epoch.
/// `progress` is called with the size reached.
///
/// # Errors
/// Those of the steps.
pub fn populated_group(
    size: usize,
    mut progress: impl FnMut(usize),
) -> Result<(BenchDevice, BenchDevice)> {
    let mut last = BenchDevice::new()?;
    last.create()?;
    let mut before = None;
    for reached in 2..=size.max(2) {
        let mut next = BenchDevice::new()?;
        last.add(&mut next)?;
        let commit = next.update()?;
        last.process(&commit)?;
        before = Some(std::mem::replace(&mut last, next));
        progress(reached);
    }
    before
        .map(|before| (before, last))
        .ok_or(Error::NothingToDo("group"))
}
