//! A member who cheats. Opens a real member's home beside the app, and makes with its keys what no app would make; an accomplice,
//! whom nobody knows, gives it to the real server, which takes it as it takes everything that has the right key.

use std::sync::Arc;

use bytes::Bytes;
use ed25519_dalek::SigningKey;
use openmls::prelude::tls_codec::{DeserializeBytes as _, Serialize as _};
use openmls::prelude::{
    BasicCredential, CredentialWithKey, Extension, Extensions, GroupContext, KeyPackage,
    LeafNodeIndex, MlsGroup, UnknownExtension,
};
use openmls::prelude::{KeyPackageIn, ProtocolVersion};
use openmls_traits::OpenMlsProvider as _;
use prost::Message as _;
use undertone_content::{MimiContent, Origin, Salt, uri};
use undertone_core::home::{Home, Owner};
use undertone_core::net::TlsTransport;
use undertone_core::transport::{Connection, Transport as _};
use undertone_mls::{
    AccountRoot, AddressSecret, Body, ChannelId, DeviceKeys, EnvelopeKind, Group, GroupId,
    LeafProfile, Outgoing, Provider, RecoveryPhrase, create_key_package,
};
use undertone_wire::auth;
use undertone_wire::client_proto::{CommitEnvelope, GroupExtension};
use undertone_wire::hpke::HpkeKeyPair;
use undertone_wire::ids::{QueueId, SendId, random_bytes, sha256};
use undertone_wire::origin::ServerAddress;
use undertone_wire::request::{ChannelCommit, ChannelSend, Request, Role, Send};
use undertone_wire::response::Response;
use undertone_wire::tokens::PendingTokens;

use super::residents::{Resident, passphrase};

/// What a cheat commits; with nothing set, an update of its own leaf.
#[derive(Default)]
pub struct Crime {
    pub add: Vec<KeyPackage>,
    /// Leaves.
    pub remove: Vec<u32>,
    /// What all members are to agree on from then on.
    pub settings: Option<fn(&mut GroupExtension)>,
}

/// A member's keys and MLS state, out of the app's hands.
pub struct Insider {
    home: Home,
    keys: DeviceKeys,
    group: GroupId,
    channel: ChannelId,
}

/// A group as an insider uses it.
pub struct Inside<'a> {
    pub group: Group,
    pub provider: Provider<'a>,
    pub keys: &'a DeviceKeys,
    pub channel: ChannelId,
}

impl Insider {
    /// Opens the home of somebody whose app is closed, for the conversation with this name; empty: the first direct one.
    pub fn open(member: &Resident, name: &str) -> Self {
        let owner = Owner::acquire(&member.home()).expect("a free home");
        let home = owner
            .unlock(&passphrase())
            .map_err(|(_, error)| error)
            .expect("unlocked");
        let (keys, group, channel) = home
            .database()
            .read(|snapshot| -> Result<_, undertone_core::Error> {
                let db = snapshot.connection();
                let keys: Vec<u8> =
                    db.query_row("SELECT device FROM account", [], |row| row.get(0))?;
                let conversation: (Vec<u8>, Vec<u8>) = db.query_row(
                    "SELECT group_id, channel_id FROM conversations
                     WHERE (kind = 2 AND name = ?1) OR (kind = 1 AND ?1 = '') LIMIT 1",
                    [name],
                    |row| Ok((row.get(0)?, row.get(1)?)),
                )?;
                Ok((keys, conversation.0, conversation.1))
            })
            .expect("a conversation");
        Self {
            keys: DeviceKeys::from_secret_bytes(&keys).expect("keys"),
            group: GroupId::from_slice(&group).expect("an id"),
            channel: ChannelId::from_slice(&channel).expect("an id"),
            home,
        }
    }

    /// Uses the group; with `keep` the app finds its state changed later, as after having done it itself.
    pub fn inside<T>(&self, keep: bool, act: impl FnOnce(&mut Inside<'_>) -> T) -> T {
        let transaction = self.home.database().begin().expect("a transaction");
        let provider = Provider::new(transaction.connection());
        let group = Group::load(&provider, &self.group)
            .expect("loads")
            .expect("a group");
        let mut inside = Inside {
            group,
            provider,
            keys: &self.keys,
            channel: self.channel,
        };
        let done = act(&mut inside);
        drop(inside);
        if keep {
            transaction.commit().expect("committed");
        }
        done
    }

    /// Any commit that OpenMLS can build, in an envelope that `forge` may change before it is signed by this member.
    pub fn commit(&self, crime: Crime, forge: impl FnOnce(&mut CommitEnvelope)) -> ChannelCommit {
        self.inside(false, |inside| {
            let (provider, keys) = (&inside.provider, inside.keys);
            let id = openmls::prelude::GroupId::from_slice(inside.group.id().as_bytes());
            let mut mls = MlsGroup::load(provider.storage(), &id)
                .expect("loads")
                .expect("a group");
            let remove = crime.remove.into_iter().map(LeafNodeIndex::new);
            let settings = crime.settings.map(|change| changed(&mls, change));
            let mut builder = mls
                .commit_builder()
                .propose_adds(crime.add)
                .propose_removals(remove)
                .force_self_update(true);
            if let Some(settings) = settings {
                builder = builder
                    .propose_group_context_extensions(settings)
                    .expect("proposed");
            }
            let bundle = builder
                .load_psks(provider.storage())
                .expect("no PSK")
                .use_ratchet_tree_extension(true)
                .build(provider.rand(), provider.crypto(), keys, |_| true)
                .expect("built")
                .stage_commit(provider)
                .expect("staged");
            let commit = bundle
                .commit()
                .tls_serialize_detached()
                .expect("serialized");
            let staged = mls.pending_commit().expect("staged");
            let next = staged
                .export_secret(provider.crypto(), "undertone channel key", &[], 32)
                .expect("exported");
            let next_lock = sha256(&next);
            let mut envelope = CommitEnvelope {
                commit: commit.into(),
                sender_leaf: inside.group.own_leaf(),
                signature: Bytes::new(),
            };
            forge(&mut envelope);
            // docs/protocol.md section 7.
            let id = inside.group.id().as_bytes();
            let length = u16::try_from(id.len()).expect("short").to_be_bytes();
            let signed = [
                &b"undertone/1 commit"[..],
                &length,
                id,
                &inside.group.epoch().to_be_bytes(),
                &sha256(&envelope.commit),
                &next_lock,
            ]
            .concat();
            envelope.signature = keys.sign(&signed).to_vec().into();
            let body = envelope.encode_to_vec();
            ChannelCommit {
                channel_id: inside.channel,
                epoch: inside.group.epoch(),
                key: inside.group.channel_key(provider).expect("a key"),
                next_lock,
                payload: inside.seal(EnvelopeKind::Commit, inside.group.epoch(), &body),
                addresses: inside.group.addresses(),
                renames: Vec::new(),
                removes: false,
                blob: None,
            }
        })
    }
}

/// The group's extensions with other settings, encoded as an app would.
fn changed(mls: &MlsGroup, change: fn(&mut GroupExtension)) -> Extensions<GroupContext> {
    const UNDERTONE_GROUP: u16 = 0xF0A1;
    let extensions = mls.extensions().iter().map(|extension| match extension {
        Extension::Unknown(UNDERTONE_GROUP, settings) => {
            let mut settings = GroupExtension::decode(&settings.0[..]).expect("settings");
            change(&mut settings);
            let settings = UnknownExtension(settings.encode_to_vec());
            Extension::Unknown(UNDERTONE_GROUP, settings)
        }
        other => other.clone(),
    });
    Extensions::from_vec(extensions.collect()).expect("extensions")
}

impl Inside<'_> {
    /// An item's payload with any body.
    pub fn seal(&self, kind: EnvelopeKind, epoch: u64, body: &[u8]) -> Bytes {
        let sealed = self
            .group
            .seal(&self.provider, kind, epoch, &Body::Inline(body));
        sealed.expect("sealed").into()
    }

    /// Encrypts and seals any content for the channel.
    pub fn say(&mut self, content: &[u8]) -> ChannelSend {
        let outgoing = self.encrypt(content);
        let payload = self.seal(outgoing.kind, outgoing.epoch, &outgoing.body);
        self.send(outgoing.epoch, payload)
    }

    /// A plain text as this member's app would write it, or with another sender's name on it.
    pub fn content(&self, sender: &[u8; 32], counter: u64, text: &str) -> Vec<u8> {
        let origin = Origin {
            salt: Salt::from_random(random_bytes()),
            sender: &uri::account(sender),
            room: &uri::room(self.group.id().as_bytes()),
            sent_at_ms: 1_700_000_000_000,
            device_counter: counter,
        };
        MimiContent::text(&origin, text).encode().expect("encoded")
    }

    pub fn encrypt(&mut self, content: &[u8]) -> Outgoing {
        self.group
            .encrypt(&self.provider, self.keys, content)
            .expect("encrypted")
    }

    /// What the channel is asked to pass on to everybody.
    pub fn send(&self, epoch: u64, payload: Bytes) -> ChannelSend {
        ChannelSend {
            channel_id: self.channel,
            epoch,
            send_id: SendId::random(),
            payload,
            addresses: self.group.addresses(),
        }
    }

    /// Encrypts and seals a text of this member.
    pub fn text(&mut self, counter: u64, text: &str) -> ChannelSend {
        let me = *self.keys.account_id().as_bytes();
        let content = self.content(&me, counter, text);
        self.say(&content)
    }

    /// The leaf of the member with this name.
    pub fn leaf(&self, name: &str) -> u32 {
        let members = self.group.members().expect("members");
        let found = members.iter().find(|member| member.name == name);
        found.expect("a member").leaf
    }
}

/// How Mallory calls themselves.
pub fn mallory() -> LeafProfile {
    LeafProfile {
        address: AddressSecret::random(),
        kp_key: None,
        name: "Mallory".into(),
        origin: String::new(),
        pin: None,
        replaces: None,
    }
}

/// A key package, out of its encoding.
pub fn read_key_package(provider: &Provider<'_>, bytes: &[u8]) -> KeyPackage {
    KeyPackageIn::tls_deserialize_exact_bytes(bytes)
        .expect("reads")
        .validate(provider.crypto(), ProtocolVersion::Mls10)
        .expect("valid")
}

/// A key package of somebody whom nobody invited.
pub fn stranger() -> KeyPackage {
    strangers_device(|_| None)
}

/// The same with another certificate, made of their own one, in its leaf.
pub fn strangers_device(certificate: impl FnOnce(&[u8]) -> Option<Vec<u8>>) -> KeyPackage {
    let mut db = rusqlite::Connection::open_in_memory().expect("a database");
    undertone_mls::migrate(&mut db).expect("tables");
    let provider = Provider::new(&db);
    let root = AccountRoot::from_phrase(&RecoveryPhrase::generate().expect("a phrase"));
    let keys = DeviceKeys::generate(&root.device_signing_key(1), 1_700_000_000);
    let made = create_key_package(&provider, &keys, &mallory(), false).expect("a key package");
    let genuine = read_key_package(&provider, &made.bytes);
    let Some(certificate) = certificate(&keys.certificate().encode()) else {
        return genuine;
    };
    let leaf = genuine.leaf_node();
    let credential = CredentialWithKey {
        credential: BasicCredential::new(certificate).into(),
        signature_key: leaf.signature_key().clone(),
    };
    KeyPackage::builder()
        .key_package_lifetime(*genuine.life_time())
        .leaf_node_capabilities(leaf.capabilities().clone())
        .leaf_node_extensions(leaf.extensions().clone())
        .build(genuine.ciphersuite(), &provider, &keys, credential)
        .expect("built")
        .key_package()
        .clone()
}

/// Somebody with a paid connection that nothing joins to anybody.
pub struct Accomplice {
    connection: Arc<dyn Connection>,
    /// Kept open, as a registered device would.
    _inbox: Arc<dyn Connection>,
}

impl Accomplice {
    /// At a server where anyone may register; `server` is `ORIGIN+PIN`.
    pub async fn at(server: &str) -> Self {
        let server: ServerAddress = server.parse().expect("a server");
        let network = TlsTransport::new(None);
        let inbox = network
            .connect(&server, Role::Inbox)
            .await
            .expect("connected");
        let pair = HpkeKeyPair::generate().expect("a key pair");
        let register = auth::register(
            &SigningKey::from_bytes(&random_bytes()),
            &server.pin,
            &inbox.hello().challenge,
            QueueId::random(),
            pair.public(),
            None,
        );
        inbox
            .request(Request::RegisterQueue(register))
            .await
            .expect("registered");
        let pending = PendingTokens::blind(40).expect("blinded");
        let blinded = Request::IssueTokens(pending.blinded().to_vec());
        let Response::IssuedTokens(issued) = inbox.request(blinded).await.expect("issued") else {
            panic!("tokens")
        };
        let keys = &inbox.hello().token_keys;
        let key = keys
            .iter()
            .find(|key| key.id == issued.key_id)
            .expect("a key");
        let tokens = pending.finalize(key, &issued).expect("tokens");
        let connection = network
            .connect(&server, Role::Outbox)
            .await
            .expect("connected");
        let redeem = Request::RedeemTokens(tokens);
        connection.request(redeem).await.expect("paid");
        Self {
            connection,
            _inbox: inbox,
        }
    }

    /// Asks the server; gives the code of a refusal.
    pub async fn ask(&self, request: Request) -> Result<Response, undertone_wire::Code> {
        self.connection
            .request(request)
            .await
            .map_err(|error| error.code)
    }

    pub async fn send(&self, send: ChannelSend) -> Result<Response, undertone_wire::Code> {
        self.ask(Request::ChannelSend(send)).await
    }

    pub async fn commit(&self, commit: ChannelCommit) -> Result<Response, undertone_wire::Code> {
        self.ask(Request::ChannelCommit(commit)).await
    }

    /// Outside any channel.
    pub async fn direct(
        &self,
        addresses: Vec<AddressSecret>,
        payload: Bytes,
    ) -> Result<Response, undertone_wire::Code> {
        let send = Send {
            send_id: SendId::random(),
            payload,
            addresses,
            blob: None,
        };
        self.ask(Request::Send(send)).await
    }
}
