//! Somebody who has a home in their hands and answers, with its keys, as no app would.

use bytes::Bytes;
use openmls::prelude::{Extension, Extensions, MlsGroup, UnknownExtension};
use openmls_traits::OpenMlsProvider as _;
use prost::Message as _;
use undertone_core::{Clock as _, SystemClock};
use undertone_mls::{
    AccountId, AddressSecret, Change, ChannelId, ChannelPosition, CommitOutcome, DeviceKeys,
    DeviceSigningKey, Group, GroupId, HandedOn, Kind, KpKey, LeafProfile, NewGroup, PeerKeyPackage,
    Policy, Provider, open_key_package, resync,
};
use undertone_wire::{
    client_proto::{
        DirectMessage, GroupExtension, GroupRole, Payload, RoleEntry, Welcome, direct_message,
        payload,
    },
    padding,
};

use super::{FakeServer, Person, copy_folder, eventually};

/// What a forged answer says.
#[derive(Clone, Copy, Default)]
pub struct Lie {
    /// The group is on this channel; else on its own.
    pub channel: Option<ChannelId>,
    /// The forger owns the group.
    pub owner: bool,
}

/// Answers a request among these as the app would, but with the state of a group that only this home knows. None: there is no request that
/// this member can open.
pub fn forge(forger: &Person, sent: &[Bytes], lie: Lie) -> Option<(AddressSecret, Bytes)> {
    let home = forger.home_while_away();
    let transaction = home.database().begin().expect("a transaction");
    let db = transaction.connection();
    let provider = Provider::new(db);
    let keys: Vec<u8> = db
        .query_row("SELECT device FROM account", [], |row| row.get(0))
        .expect("keys");
    let keys = DeviceKeys::from_secret_bytes(&keys).expect("keys");
    let (group, channel, generation): (Vec<u8>, Vec<u8>, u32) = db
        .query_row(
            "SELECT group_id, channel_id, generation FROM conversations WHERE kind = 2",
            [],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
        .expect("a group");
    let id = GroupId::from_slice(&group).expect("an id");
    let request = sent.iter().find_map(|bytes| {
        let plain = padding::unpad_payload(bytes).ok()?;
        let Some(payload::Body::Inline(inline)) = Payload::decode(plain).ok()?.body else {
            return None;
        };
        match DirectMessage::decode(&inline[..]).ok()?.body? {
            direct_message::Body::Request(sealed) => {
                let request = resync::open(&provider, &keys, &sealed).ok()?;
                (resync::group_of(&request).ok()? == id).then_some(request)
            }
            direct_message::Body::Welcome(_)
            | direct_message::Body::Linking(_)
            | direct_message::Body::Join(_) => None,
        }
    })?;
    if lie.owner {
        make_owner(&provider, &keys, &id);
    }
    let now_s = u64::try_from(SystemClock.now_ms() / 1000).expect("after 1970");
    let mut group = Group::load(&provider, &id)
        .expect("loads")
        .expect("a group");
    let verified = group
        .verify_resync(&provider, &request, now_s)
        .expect("a good request");
    let pending = group
        .stage_commit(&provider, &keys, Change::Readd(vec![verified]))
        .expect("staged");
    let merged = group
        .process_commit(&provider, pending.epoch, &pending.next_lock, &pending.body)
        .expect("processed");
    let CommitOutcome::Merged(merged) = merged else {
        panic!("not merged");
    };
    let welcome = merged.welcome.expect("a Welcome");
    let bundle = group
        .welcome_bundle(
            &provider,
            &welcome,
            ChannelPosition {
                generation,
                channel_id: lie
                    .channel
                    .unwrap_or_else(|| ChannelId::from_slice(&channel).expect("an id")),
                number: 40,
            },
            HandedOn::default(),
        )
        .expect("a bundle");
    Some((welcome.recipients[0].duplicate(), direct(bundle)))
}

/// The forger commits, for herself alone, what no app would let her.
fn make_owner(provider: &Provider<'_>, keys: &DeviceKeys, id: &GroupId) {
    let id = openmls::prelude::GroupId::from_slice(id.as_bytes());
    let mut mls = MlsGroup::load(provider.storage(), &id)
        .expect("loads")
        .expect("a group");
    let extensions = mls.extensions().iter().map(|extension| match extension {
        Extension::Unknown(0xF0A1, bytes) => {
            let mut settings = GroupExtension::decode(&bytes.0[..]).expect("settings");
            settings.roles = vec![RoleEntry {
                account_id: keys.account_id().to_bytes(),
                role: GroupRole::RoleOwner as i32,
            }];
            Extension::Unknown(0xF0A1, UnknownExtension(settings.encode_to_vec()))
        }
        other => other.clone(),
    });
    let extensions = Extensions::from_vec(extensions.collect()).expect("extensions");
    mls.commit_builder()
        .propose_group_context_extensions(extensions)
        .expect("proposed")
        .load_psks(provider.storage())
        .expect("no PSK")
        .build(provider.rand(), provider.crypto(), keys, |_| true)
        .expect("built")
        .stage_commit(provider)
        .expect("staged");
    mls.merge_pending_commit(provider).expect("merged");
}

/// Ben's home of today; see [`put_back`].
pub async fn copy_of(ben: &mut Person) -> std::path::PathBuf {
    ben.settle().await;
    ben.quit().await;
    let copy = ben.home.with_extension("copy");
    copy_folder(&ben.home, &copy);
    ben.reopen().await;
    copy
}

/// Ben's disk is put back to an earlier day; he is not on-line yet.
pub async fn put_back(ben: &mut Person, copy: &std::path::Path) {
    ben.settle().await;
    ben.quit().await;
    std::fs::remove_dir_all(&ben.home).unwrap();
    copy_folder(copy, &ben.home);
}

/// Answers Ben's request before anybody else does.
pub async fn answer_first(server: &FakeServer, forger: &Person, lie: Lie) {
    let answer = std::cell::RefCell::new(None);
    eventually("Ben has asked", || async {
        *answer.borrow_mut() = forge(forger, &server.directs(), lie);
        answer.borrow().is_some()
    })
    .await;
    let (to, payload) = answer.into_inner().unwrap();
    server.send_direct(&to, payload);
}

/// A Welcome, as it goes to an address.
fn direct(welcome: Welcome) -> Bytes {
    let body = DirectMessage {
        body: Some(direct_message::Body::Welcome(welcome)),
    };
    let plain = Payload {
        body: Some(payload::Body::Inline(body.encode_to_vec().into())),
    };
    let payload = padding::pad_payload(&plain.encode_to_vec(), 0).expect("fits");
    payload.into()
}

/// What a thief took along who had opened a device: with it another one is made in the account's name, which no device of the account knows.
pub struct Loot {
    db: rusqlite::Connection,
    keys: DeviceKeys,
    peer: AccountId,
    /// Of the peer, and of the account's other device.
    packages: [PeerKeyPackage; 2],
    origin: String,
}

impl Loot {
    /// From a device with one direct chat, while its app is closed.
    pub fn of(device: &Person, server: &FakeServer) -> Self {
        let home = device.home_while_away();
        let transaction = home.database().begin().expect("a transaction");
        let db = transaction.connection();
        let provider = Provider::new(db);
        let (signing_key, own): (Vec<u8>, Vec<u8>) = db
            .query_row("SELECT signing_key, device FROM account", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .expect("keys");
        let own = DeviceKeys::from_secret_bytes(&own).expect("keys");
        let (secret, kp_key): (Vec<u8>, Vec<u8>) = db
            .query_row(
                "SELECT pool_secret, kp_key FROM devices WHERE device_id <> ?1",
                [own.device_id().as_bytes()],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .expect("another device");
        let chat: Vec<u8> = db
            .query_row(
                "SELECT group_id FROM conversations WHERE kind = 1",
                [],
                |row| row.get(0),
            )
            .expect("a chat");
        let chat = Group::load(&provider, &GroupId::from_slice(&chat).expect("an id"));
        let members = chat.expect("loads").expect("a group").members();
        let peer = members
            .expect("members")
            .into_iter()
            .find(|member| member.account != own.account_id())
            .expect("somebody else");
        let take = |address: &AddressSecret, kp_key: &KpKey| {
            let sealed = server.take_key_package(address);
            open_key_package(&provider, &sealed, kp_key).expect("a key package")
        };
        let of_peer = take(&peer.address, peer.kp_key.as_ref().expect("a pool"));
        let of_sibling = take(
            &AddressSecret::from_slice(&secret).expect("a secret"),
            &KpKey::from_slice(&kp_key).expect("a key"),
        );
        let signing_key = DeviceSigningKey::from_secret_bytes(&signing_key).expect("a key");
        let mut own_db = rusqlite::Connection::open_in_memory().expect("a database");
        undertone_mls::migrate(&mut own_db).expect("tables");
        Self {
            db: own_db,
            keys: DeviceKeys::generate(&signing_key, 1_700_000_000),
            peer: peer.account,
            packages: [of_peer, of_sibling],
            origin: server.address.origin.to_string(),
        }
    }

    /// The thief's device makes a direct chat with the same person, in which that person is not, and brings the account's other device in.
    pub fn leads_astray(self, server: &FakeServer) {
        let provider = Provider::new(&self.db);
        let profile = LeafProfile {
            address: AddressSecret::random(),
            kp_key: Some(KpKey::random()),
            name: "Ada".into(),
            origin: String::new(),
            pin: None,
            replaces: None,
        };
        let channel_id = ChannelId::random();
        let new = NewGroup {
            kind: Kind::Direct,
            name: String::new(),
            peer: Some(self.peer),
            origin: self.origin,
            pin: server.address.pin,
            channel_id,
            policy: Policy::default(),
        };
        let mut group = Group::create(&provider, &self.keys, &profile, new).expect("made");
        let to = self.packages[1].address().duplicate();
        let pending = group
            .stage_commit(&provider, &self.keys, Change::Add(self.packages.into()))
            .expect("staged");
        let merged = group
            .process_commit(&provider, pending.epoch, &pending.next_lock, &pending.body)
            .expect("processed");
        let CommitOutcome::Merged(merged) = merged else {
            panic!("not merged");
        };
        let position = ChannelPosition {
            generation: 0,
            channel_id,
            number: 1,
        };
        let welcome = merged.welcome.expect("a Welcome");
        let bundle = group
            .welcome_bundle(&provider, &welcome, position, HandedOn::default())
            .expect("a bundle");
        server.send_direct(&to, direct(bundle));
    }
}
