//! What an earlier version wrote still opens: a store with MLS state, messages, a change, and a Welcome, kept as files.
//!
//! `testdata/frozen-N` was written once by the version that first wrote format N, and is never changed. `UNDERTONE_WRITE_FROZEN=1` writes the
//! present one where there is none.

use std::{fs, path::PathBuf};

use prost::Message as _;
use rusqlite::{Connection, backup::Backup};
use undertone_wire::{client_proto as proto, ids::ChannelId};

use super::town::{Event, Item, Town};
use crate::{Certificate, Change, ChannelPosition, DeviceKeys, GroupId, PeerKeyPackage, Provider};

/// The newest one.
const VERSION: u32 = 1;

#[derive(Clone, PartialEq, prost::Message)]
struct Frozen {
    /// Ada, Ben and Dee, in this order.
    #[prost(bytes = "vec", repeated, tag = "1")]
    keys: Vec<Vec<u8>>,
    #[prost(bytes = "vec", tag = "2")]
    group: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    channel: Vec<u8>,
    #[prost(uint64, tag = "4")]
    number: u64,
    /// What came to Ben.
    #[prost(message, repeated, tag = "5")]
    items: Vec<FrozenItem>,
    /// What came to Dee.
    #[prost(bytes = "vec", tag = "6")]
    welcome: Vec<u8>,
    /// Somebody's key package.
    #[prost(bytes = "vec", tag = "7")]
    key_package: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct FrozenItem {
    #[prost(uint64, tag = "1")]
    number: u64,
    #[prost(uint64, tag = "2")]
    epoch: u64,
    /// Of a commit; empty: an application item.
    #[prost(bytes = "vec", tag = "3")]
    next_lock: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    payload: Vec<u8>,
}

fn folder(version: u32) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("testdata/frozen-{version}"))
}

fn copy(from: &Connection, to: &mut Connection) {
    Backup::new(from, to)
        .unwrap()
        .run_to_completion(1000, std::time::Duration::ZERO, None)
        .unwrap();
}

fn save(connection: &Connection, name: &str) {
    let mut file = Connection::open(folder(VERSION).join(name)).unwrap();
    copy(connection, &mut file);
    file.execute_batch("VACUUM").unwrap();
}

fn frozen_items(items: impl IntoIterator<Item = Item>) -> Vec<FrozenItem> {
    items
        .into_iter()
        .filter_map(|item| match item {
            Item::Application {
                number,
                epoch,
                payload,
                ..
            } => Some(FrozenItem {
                number,
                epoch,
                next_lock: Vec::new(),
                payload,
            }),
            Item::Commit {
                number,
                epoch,
                next_lock,
                payload,
                ..
            } => Some(FrozenItem {
                number,
                epoch,
                next_lock: next_lock.to_vec(),
                payload,
            }),
            Item::Welcome(_) => None,
        })
        .collect()
}

fn write() {
    fs::create_dir_all(folder(VERSION)).unwrap();
    let mut town = Town::default();
    let [ada, ben, dee] = town.people(["Ada", "Ben", "Dee"]);
    let group = town.group("Desk", &[ada, ben]);
    let position = town.devices[ben].channel[&group];
    save(&town.devices[ben].connection, "ben.sqlite");
    town.say(ada, &group, "said before the change");
    town.deliver(ada);
    town.commit(ada, &group, Change::Rename("Desk 2".into()))
        .unwrap();
    town.deliver(ada);
    town.say(ada, &group, "said after the change");
    let items = frozen_items(town.devices[ben].queue.iter().cloned());
    town.settle();
    town.add(ada, &group, &[dee]);
    save(&town.devices[dee].connection, "dee.sqlite");
    town.deliver(ada);
    let welcome = town.devices[dee].queue.iter().find_map(|item| match item {
        Item::Welcome(welcome) => Some(welcome.encode_to_vec()),
        _ => None,
    });
    let frozen = Frozen {
        keys: [ada, ben, dee]
            .map(|who| town.devices[who].keys.to_secret_bytes().to_vec())
            .to_vec(),
        group: group.as_bytes().to_vec(),
        channel: position.channel_id.as_bytes().to_vec(),
        number: position.number,
        items,
        welcome: welcome.unwrap(),
        key_package: town.key_package(ada, false).encode().unwrap(),
    };
    fs::write(folder(VERSION).join("items"), frozen.encode_to_vec()).unwrap();
}

/// The people of then, with their stores of then.
fn read(version: u32) -> (Town, Frozen) {
    let bytes = fs::read(folder(version).join("items")).unwrap();
    let frozen = Frozen::decode(&bytes[..]).unwrap();
    let mut town = Town::default();
    for (who, name) in [(0, "Ada"), (1, "Ben"), (2, "Dee")] {
        assert_eq!(town.person(name), who);
        town.devices[who].keys = DeviceKeys::from_secret_bytes(&frozen.keys[who]).unwrap();
    }
    for (who, name) in [(1, "ben.sqlite"), (2, "dee.sqlite")] {
        let file = Connection::open(folder(version).join(name)).unwrap();
        copy(&file, &mut town.devices[who].connection);
        crate::migrate(&mut town.devices[who].connection).unwrap();
    }
    (town, frozen)
}

#[test]
fn messages_changes_and_welcomes_of_earlier_versions_open() {
    if !folder(VERSION).exists() && std::env::var_os("UNDERTONE_WRITE_FROZEN").is_some() {
        write();
    }
    for version in 1..=VERSION {
        let (mut town, frozen) = read(version);
        let [ada, ben, dee] = [0, 1, 2];
        let group = GroupId::from_slice(&frozen.group).unwrap();
        let channel = ChannelId::from_slice(&frozen.channel).unwrap();
        let position = ChannelPosition {
            generation: 0,
            channel_id: channel,
            number: frozen.number,
        };
        town.devices[ben].channel.insert(group, position);
        let mut events = Vec::new();
        for item in frozen.items {
            let item = match <[u8; 32]>::try_from(&item.next_lock[..]) {
                Ok(next_lock) => Item::Commit {
                    channel,
                    number: item.number,
                    epoch: item.epoch,
                    next_lock,
                    payload: item.payload,
                },
                Err(_) => Item::Application {
                    channel,
                    number: item.number,
                    epoch: item.epoch,
                    payload: item.payload,
                },
            };
            events.push(town.take(ben, item));
        }
        let heard = |text: &str| Event::Heard {
            from: ada,
            text: text.into(),
        };
        assert_eq!(events[0], heard("said before the change"));
        assert!(
            matches!(
                events[1],
                Event::Merged {
                    own: false,
                    fallback: false,
                    ..
                }
            ),
            "{:?}",
            events[1]
        );
        assert_eq!(events[2], heard("said after the change"));
        let name = town.devices[ben].with(&group, |group, _, _| Ok(group.name().to_owned()));
        assert_eq!(name.unwrap(), "Desk 2");

        let welcome = proto::Welcome::decode(&frozen.welcome[..]).unwrap();
        assert_eq!(
            town.take(dee, Item::Welcome(welcome)),
            Event::Joined { by: ada }
        );
        let members = town.devices[dee].with(&group, |group, _, _| group.members());
        assert_eq!(members.unwrap().len(), 3);
        let provider = Provider::new(&town.devices[dee].connection);
        let package = PeerKeyPackage::decode(&provider, &frozen.key_package).unwrap();
        assert!(package.account_id() == town.account(ada));
        assert_eq!(
            town.devices[ada].keys.certificate().encode().len(),
            Certificate::LEN
        );
    }
}
