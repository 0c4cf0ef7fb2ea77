//! Somebody's app that cheats: what it is to send next is put into the outbox of the home while nobody has it open.

use openmls::prelude::{
    KeyPackageIn, ProtocolVersion,
    tls_codec::{DeserializeBytes as _, Serialize as _},
};
use openmls_traits::OpenMlsProvider as _;
use prost::Message as _;
use rusqlite::{Connection, params};
use undertone_content::{Attachment, Disposition, MimiContent, NestedPart, Origin, Salt, uri};
use undertone_core::{home::Home, store::StoreError};
use undertone_mls::{
    AddressSecret, Body, DeviceKeys, EnvelopeKind, Group, GroupId, LeafProfile, Provider,
    create_key_package, resync,
};
use undertone_wire::{
    client_proto::{BlobPointer, DirectMessage, ResyncRequest, direct_message},
    ids::{SendId, random_bytes, sha256},
    origin::ServerAddress,
};

use super::Person;

/// What stood at places that somebody misses. docs/protocol.md section 7.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Again {
    #[prost(message, repeated, tag = "1")]
    pub messages: Vec<Repeated>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Repeated {
    #[prost(uint32, tag = "1")]
    pub generation: u32,
    #[prost(uint64, tag = "2")]
    pub number: u64,
    #[prost(bytes = "vec", tag = "3")]
    pub content: Vec<u8>,
}

/// The home of somebody whose app is closed, and one of its chats.
pub struct Cheat {
    home: Home,
    keys: DeviceKeys,
    chat: i64,
    group: GroupId,
    sender: String,
    room: String,
}

impl Cheat {
    /// In the group with this name; empty: in the first chat between two.
    pub fn of(person: &Person, chat: &str) -> Self {
        let home = person.home_while_away();
        let found = home.database().read(|snapshot| {
            let db = snapshot.connection();
            let keys: Vec<u8> = db.query_row("SELECT device FROM account", [], |row| row.get(0))?;
            let (id, group): (i64, Vec<u8>) = db.query_row(
                "SELECT id, group_id FROM conversations WHERE (kind = 2 AND name = ?1) OR (kind = 1 AND ?1 = '') LIMIT 1",
                [chat],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )?;
            Ok::<_, StoreError>((keys, id, group))
        });
        let (keys, id, group) = found.expect("a chat");
        let keys = DeviceKeys::from_secret_bytes(&keys).expect("keys");
        Self {
            home,
            chat: id,
            sender: uri::account(keys.account_id().as_bytes()),
            room: uri::room(&group),
            group: GroupId::from_slice(&group).expect("an id"),
            keys,
        }
    }

    /// What stands in whatever the app says.
    pub fn origin(&self, device_counter: u64) -> Origin<'_> {
        Origin {
            salt: Salt::from_random(random_bytes()),
            sender: &self.sender,
            room: &self.room,
            sent_at_ms: 1_700_000_000_000,
            device_counter,
        }
    }

    /// A text.
    pub fn text(&self, counter: u64, text: &str) -> Vec<u8> {
        let content = MimiContent::text(&self.origin(counter), text);
        content.encode().expect("encoded")
    }

    /// A text in Markdown, said at this moment.
    pub fn markdown(&self, counter: u64, text: &str, sent_at_ms: u64) -> Vec<u8> {
        let origin = Origin {
            sent_at_ms,
            ..self.origin(counter)
        };
        let content = MimiContent::markdown(&origin, text);
        content.encode().expect("encoded")
    }

    /// A text, and so many new versions of it.
    pub fn versions(&self, count: u64) -> Vec<Vec<u8>> {
        let first = MimiContent::text(&self.origin(1), "Version 0.");
        let id = first.id(&self.sender, &self.room).expect("an id");
        let later = (1..=count).map(|number| {
            let text = format!("Version {number}.");
            MimiContent::text(&self.origin(1 + number), &text).replacing(id)
        });
        let all = std::iter::once(first.clone()).chain(later);
        all.map(|content| content.encode().expect("encoded"))
            .collect()
    }

    /// A message with the last file that this member sent, so many times, or with as many that seem to be others.
    pub fn files(&self, counter: u64, times: usize, others: bool) -> Vec<u8> {
        let last = self.home.database().read(|snapshot| {
            let content: Vec<u8> = snapshot.connection().query_row(
                "SELECT content FROM messages WHERE conversation = ?1 AND id IN (SELECT message FROM message_files) ORDER BY id DESC LIMIT 1",
                [self.chat],
                |row| row.get(0),
            )?;
            Ok::<_, StoreError>(content)
        });
        let last = MimiContent::decode(&last.expect("a message")).expect("decoded");
        let file = Attachment {
            external: last.shown().files.last().expect("a file").external.clone(),
            preview: None,
            info: None,
        };
        let mut files = vec![file; times];
        for file in files.iter_mut().filter(|_| others) {
            file.external.url = uri::blob(&random_bytes());
        }
        let content = MimiContent::files(&self.origin(counter), None, false, files);
        content.encode().expect("encoded")
    }

    /// What apps tell each other.
    pub fn tells(&self, kind: &str, message: &impl prost::Message) -> Vec<u8> {
        let kind = format!("application/vnd.undertone.{kind}");
        let part = NestedPart::single(Disposition::Session, &kind, message.encode_to_vec());
        let content = MimiContent::new(&self.origin(0), part);
        content.encode().expect("encoded")
    }

    fn write(&self, put: impl FnOnce(&Connection) -> rusqlite::Result<()>) {
        let done = self.home.database().transaction(|tx| {
            put(tx.connection())?;
            Ok::<_, StoreError>(())
        });
        done.expect("written");
    }

    /// This is said, in this order, when the app is there again.
    pub fn is_to_say(&self, contents: &[Vec<u8>]) {
        self.write(|db| {
            for content in contents {
                db.execute(
                    "INSERT INTO outbox (conversation, message, kind, content, state, not_before_ms, epoch, payload, payload_hash, send_id, channel_id, accepted_at_ms)
                     VALUES (?1, 0, 1, ?2, 1, 0, 0, x'', x'', x'', x'', 0)",
                    params![self.chat, content],
                )?;
            }
            Ok(())
        });
    }

    /// The change that waits to go out says that its body is on another server.
    pub fn sends_elsewhere(&self, server: &ServerAddress) {
        self.write(|db| {
            let provider = Provider::new(db);
            let group = Group::load(&provider, &self.group).expect("loads");
            let (epoch, body, blob, key): (u64, Vec<u8>, Vec<u8>, Vec<u8>) = db.query_row(
                "SELECT epoch, body, blob_id, blob_key FROM commits WHERE conversation = ?1",
                [self.chat],
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)),
            )?;
            let pointer = pointer_to(server, &blob, &key, &body);
            let (kind, body) = (EnvelopeKind::Commit, Body::Blob(&pointer));
            let sealed = group.expect("a group").seal(&provider, kind, epoch, &body);
            let payload = sealed.expect("sealed");
            db.execute(
                "UPDATE commits SET payload = ?2, payload_hash = ?3 WHERE conversation = ?1",
                params![self.chat, payload, sha256(&payload)],
            )?;
            Ok(())
        });
    }

    /// The app is to ask all others to be let in again, with a key package whose leaf has the key that the member of this name has in the tree.
    pub fn is_to_ask_with_the_key_of(&self, name: &str) {
        self.write(|db| {
            let provider = Provider::new(db);
            let group = Group::load(&provider, &self.group).expect("loads");
            let members = group.expect("a group").members().expect("members");
            let leaf = members.iter().find(|member| member.name == name);
            let key = leaf_key(&provider, &self.group, leaf.expect("a member").leaf);
            let package = forged_key_package(&provider, &self.keys, Some(&key));
            let now = std::time::SystemTime::UNIX_EPOCH.elapsed().expect("now");
            let mut request = ResyncRequest {
                group_id: self.group.as_bytes().to_vec().into(),
                certificate: self.keys.certificate().encode().into(),
                key_package: package.into(),
                last_epoch: 1,
                nonce: random_bytes::<16>().to_vec().into(),
                sent_at_s: now.as_secs(),
                signature: Default::default(),
            };
            // docs/protocol.md section 7.
            let mut signed = b"undertone/1 resync request".to_vec();
            part(&mut signed, &request.group_id);
            part(&mut signed, &request.certificate);
            signed.extend_from_slice(&sha256(&request.key_package));
            signed.extend_from_slice(&request.last_epoch.to_be_bytes());
            part(&mut signed, &request.nonce);
            signed.extend_from_slice(&request.sent_at_s.to_be_bytes());
            request.signature = self.keys.sign(&signed).to_vec().into();
            let request = request.encode_to_vec();
            for member in members
                .iter()
                .filter(|member| member.device != self.keys.device_id())
            {
                let sealed = resync::seal(&provider, &request, &member.resync).expect("sealed");
                let body = DirectMessage {
                    body: Some(direct_message::Body::Request(sealed)),
                };
                is_to_send(db, &body.encode_to_vec(), &member.address)?;
            }
            Ok(())
        });
    }
}

/// Says that this body is in a blob on that server.
pub fn pointer_to(server: &ServerAddress, blob: &[u8], key: &[u8], body: &[u8]) -> BlobPointer {
    BlobPointer {
        blob_id: blob.to_vec().into(),
        key: key.to_vec().into(),
        hash: sha256(body).to_vec().into(),
        size: body.len() as u64,
        origin: server.origin.to_string(),
        pin: server.pin.to_bytes(),
    }
}

/// This goes to an address, outside any channel, when the app is there again.
fn is_to_send(db: &Connection, body: &[u8], to: &AddressSecret) -> rusqlite::Result<()> {
    db.execute(
        "INSERT INTO sends (conversation, body, blob_id, blob_key, blob_done, send_id, addresses, not_before_ms, servers)
         VALUES (0, ?1, x'', x'', 0, ?2, ?3, 0, '')",
        params![body, SendId::random().as_bytes(), to.expose()],
    )?;
    Ok(())
}

fn part(message: &mut Vec<u8>, bytes: &[u8]) {
    message.extend_from_slice(&u16::try_from(bytes.len()).expect("short").to_be_bytes());
    message.extend_from_slice(bytes);
}

fn leaf_key(provider: &Provider<'_>, group: &GroupId, leaf: u32) -> Vec<u8> {
    let id = openmls::prelude::GroupId::from_slice(group.as_bytes());
    let mls = openmls::prelude::MlsGroup::load(provider.storage(), &id).expect("loads");
    let mls = mls.expect("a group");
    let member = mls.members().find(|member| member.index.u32() == leaf);
    member.expect("a member").encryption_key
}

/// A length as in QUIC (RFC 9420 section 2.1.2), and what is that long.
fn vector(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).expect("short");
    let mut encoded = match length {
        0..64 => vec![u8::try_from(length).expect("short")],
        64..16_384 => (length | 0x4000).to_be_bytes().to_vec(),
        _ => [[0x80, 0], length.to_be_bytes()].concat(),
    };
    encoded.extend_from_slice(bytes);
    encoded
}

/// RFC 9420 section 5.1.2.
fn signed(keys: &DeviceKeys, label: &str, content: &[u8]) -> Vec<u8> {
    let label = format!("MLS 1.0 {label}");
    let message = [vector(label.as_bytes()), vector(content)].concat();
    vector(&keys.sign(&message))
}

/// A key package of this device, right in everything but the key of its leaf.
fn forged_key_package(provider: &Provider<'_>, keys: &DeviceKeys, key: Option<&[u8]>) -> Vec<u8> {
    const KEY: usize = 2 + 1216;
    const SIGNATURE: usize = 2 + 64;
    let profile = LeafProfile {
        address: AddressSecret::random(),
        kp_key: None,
        name: "Mallory".into(),
        origin: String::new(),
        pin: None,
        replaces: None,
    };
    let made = create_key_package(provider, keys, &profile, false).expect("a key package");
    let Some(key) = key else { return made.bytes };
    let read = KeyPackageIn::tls_deserialize_exact_bytes(&made.bytes).expect("reads");
    let read = read.validate(provider.crypto(), ProtocolVersion::Mls10);
    let leaf = read.expect("valid").leaf_node().tls_serialize_detached();
    let leaf = leaf.expect("encoded");
    // Version, suite and the other key come before the leaf, whose signature is the last of it.
    let (before, rest) = made.bytes.split_at(4 + KEY);
    let after = &rest[leaf.len()..rest.len() - SIGNATURE];
    let mut forged = [&vector(key), &leaf[KEY..leaf.len() - SIGNATURE]].concat();
    forged.extend(signed(keys, "LeafNodeTBS", &forged));
    let mut package = [before, &forged, after].concat();
    package.extend(signed(keys, "KeyPackageTBS", &package));
    package
}
