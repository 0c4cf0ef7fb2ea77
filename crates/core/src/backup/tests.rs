//! The format, and what is in it.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use prost::Message as _;

use super::{
    block::{Block, Held, Row, Rows, Value},
    open::{Head, Manifest, NamedBlock, NamedFile, read_head, signed},
    seal::{RunKey, SealedRun, pack, unpack},
    tables::{LEFT_OUT, TABLES},
};
use crate::store::{DataKey, Database};

fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

#[test]
fn every_table_of_the_store_is_in_a_backup_or_left_out_on_purpose() {
    let folder = tempfile::tempdir().unwrap();
    let store = Database::create(&folder.path().join("store"), DataKey::random().unwrap()).unwrap();
    let tables: BTreeSet<String> = store
        .read(|snapshot| {
            let mut statement = snapshot.connection().prepare(
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT LIKE 'messages_text%'",
            )?;
            let names = statement
                .query_map([], |row| row.get(0))?
                .collect::<rusqlite::Result<_>>()?;
            Ok::<_, crate::store::StoreError>(names)
        })
        .unwrap();
    // MLS state is never in one.
    let mls = |name: &str| {
        ["openmls_", "mls_", "refinery_", "vc_", "registered_vc_"]
            .iter()
            .any(|first| name.starts_with(first))
    };
    let known: BTreeSet<&str> = TABLES
        .iter()
        .map(|table| table.name)
        .chain(LEFT_OUT.iter().copied())
        .collect();
    let unknown: Vec<&String> = tables
        .iter()
        .filter(|name| !mls(name) && !known.contains(name.as_str()))
        .collect();
    assert!(
        unknown.is_empty(),
        "say in backup/tables.rs whether these are backed up: {unknown:?}"
    );
}

fn sample() -> Block {
    let held = |held| Value { held: Some(held) };
    Block {
        tables: vec![Rows {
            table: "names".into(),
            columns: vec!["account_id".into(), "name".into()],
            rows: vec![Row {
                values: vec![
                    held(Held::Bytes(vec![1; 4])),
                    held(Held::Text("Ada".into())),
                    held(Held::Integer(-2)),
                ],
            }],
        }],
    }
}

fn manifest() -> Manifest {
    Manifest {
        account: vec![1; 2],
        made_at_ms: 3,
        store_version: 11,
        generation: 4,
        name: "Ada".into(),
        origin: "h:1".into(),
        pin: vec![5],
        media: true,
        blocks: vec![NamedBlock {
            name: "chat/1".into(),
            file: "ab".into(),
            run: vec![6],
            length: 7,
            hash: vec![8],
            rows: 9,
        }],
        files: vec![NamedFile {
            name: "f".into(),
            size: 10,
            key: vec![11],
            nonce: vec![12],
        }],
        certificate: vec![13],
        signature: vec![14],
    }
}

/// What is written, frozen: later versions must read it. `UPDATE=1` rewrites the snapshot, for additions only.
#[test]
fn the_format_is_frozen() {
    let head = Head {
        set: vec![1],
        runs: vec![SealedRun {
            id: vec![2],
            enc: vec![3],
            sealed: vec![4],
        }],
    };
    let mut text = format!(
        "block: {}\nmanifest: {}\nhead: {}\nsigned: {}\n",
        hex(&sample().encode_to_vec()),
        hex(&manifest().encode_to_vec()),
        hex(&head.encode_to_vec()),
        hex(&signed(&[1; 16], &manifest())),
    );
    for table in TABLES {
        let columns: Vec<&str> = table.columns().collect();
        text.push_str(&format!("{}: {}\n", table.name, columns.join(", ")));
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/backup-format.txt");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, &text).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap(), text);
}

#[test]
fn what_is_packed_comes_back_and_its_length_says_little() {
    for length in [0, 1, 300, 5_000, 100_000] {
        let plaintext: Vec<u8> = (0..length)
            .map(|n: u32| n.to_le_bytes()[0] ^ 0x5a)
            .collect();
        let packed = pack(&plaintext).unwrap();
        assert!(undertone_wire::padding::is_blob_size(
            packed.len() as u64 + 28
        ));
        assert_eq!(unpack(&packed).unwrap().as_slice(), plaintext);
    }
    assert_eq!(pack(b"a").unwrap().len(), pack(b"ab").unwrap().len());
    assert!(unpack(b"").is_err());
    assert!(unpack(&[0, 0, 1, 0, 7]).is_err());
    let mut padded = pack(b"a").unwrap();
    *padded.last_mut().unwrap() = 1;
    assert!(unpack(&padded).is_err());
}

#[test]
fn a_block_is_for_one_place_in_one_backup() {
    let key = RunKey::random();
    let sealed = key.seal(b"here", b"rows").unwrap();
    assert_eq!(key.unseal(b"here", &sealed).unwrap().as_slice(), b"rows");
    assert!(key.unseal(b"there", &sealed).is_err());
    assert!(RunKey::random().unseal(b"here", &sealed).is_err());
    assert!(key.unseal(b"here", &sealed[..20]).is_err());
}

#[test]
fn only_a_manifest_is_read_as_one() {
    assert_eq!(read_head(b"").err().unwrap().code(), "backup.none");
    assert_eq!(
        read_head(b"undertone backup\n\x02").err().unwrap().code(),
        "backup.newer"
    );
    assert_eq!(
        read_head(b"undertone backup\n\x01\xff")
            .err()
            .unwrap()
            .code(),
        "backup.damaged"
    );
}
