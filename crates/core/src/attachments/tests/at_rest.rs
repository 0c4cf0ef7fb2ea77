//! Files in the home, and what leaves it.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::{Read, Seek, SeekFrom};

use sha2::{Digest, Sha256};
use undertone_wire::padding;

use super::server::Server;
use super::{Person, content, flipped, on};
use crate::attachments::{
    AttachmentError, CHUNK, CHUNK_PLAINTEXT, State, StreamKey, open_blob, seal_blob,
};

#[tokio::test]
async fn neither_home_holds_the_content_or_the_bytes_that_travelled() {
    let (ada, ben, server) = (Person::new(), Person::new(), Server::default());
    let sent = content(3 * CHUNK);
    let id = ada.takes_in(&sent);
    ada.attachments.upload(&server, &id, on).await.unwrap();
    let reference = ada.attachments.reference(&id).unwrap();
    let told = ben.is_told(&reference);
    ben.attachments.download(&server, &told, on).await.unwrap();

    let blob = server.blob(&reference.blob_id);
    let homes = [fs::read(ada.file()).unwrap(), fs::read(ben.file()).unwrap()];
    let stores = [&ada, &ben].map(|person| {
        let mut bytes = fs::read(person.folder.path().join("store")).unwrap();
        bytes.extend(fs::read(person.folder.path().join("store-wal")).unwrap());
        bytes
    });
    let shares = |a: &[u8], b: &[u8]| {
        // Sixteen bytes from every part of `b`.
        b.chunks(4001)
            .filter(|part| part.len() >= 16)
            .any(|part| a.windows(16).any(|window| window == &part[..16]))
    };
    for home in &homes {
        assert!(!shares(home, &sent));
        assert!(!shares(home, &blob));
    }
    assert!(!shares(&homes[0], &homes[1]));
    assert!(!shares(&blob, &sent));
    for store in &stores {
        for key in [
            &reference.key.key()[..16],
            &reference.blob_id.as_bytes()[..16],
        ] {
            assert!(!store.windows(16).any(|window| window == key));
        }
    }
    let name = ben
        .file()
        .file_name()
        .unwrap()
        .to_owned()
        .into_string()
        .unwrap();
    assert_eq!(name.len(), 32, "random, and the same length for all");
}

#[test]
fn damage_at_rest_is_noticed_where_it_is_read() {
    let ada = Person::new();
    let sent = content(4 * CHUNK_PLAINTEXT);
    let id = ada.takes_in(&sent);
    let good = fs::read(ada.file()).unwrap();

    fs::write(ada.file(), flipped(&good, 2 * CHUNK + 5)).unwrap();
    let mut reader = ada.attachments.open(&id).unwrap();
    let mut first = vec![0; 2 * CHUNK_PLAINTEXT];
    reader.read_exact(&mut first).unwrap();
    assert_eq!(
        first,
        sent[..2 * CHUNK_PLAINTEXT],
        "what is whole can be read"
    );
    let error = reader.read(&mut [0; 10]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidData);
    let target = ada.folder.path().join("saved");
    assert_eq!(
        ada.attachments.save(&id, &target),
        Err(AttachmentError::Damaged)
    );
    assert!(!target.exists(), "no half of it is left");

    for length in [0, 100, CHUNK, 3 * CHUNK, good.len() - 1] {
        fs::write(ada.file(), &good[..length]).unwrap();
        assert_eq!(
            ada.attachments.save(&id, &target),
            Err(AttachmentError::Damaged)
        );
    }
    let (a, b) = good.split_at(CHUNK);
    fs::write(ada.file(), [&b[..CHUNK], a, &b[CHUNK..]].concat()).unwrap();
    assert_eq!(
        ada.attachments.save(&id, &target),
        Err(AttachmentError::Damaged)
    );
}

#[test]
fn every_place_can_be_sought() {
    let ada = Person::new();
    let sent = content(3 * CHUNK_PLAINTEXT + 123);
    let id = ada.takes_in(&sent);
    let mut reader = ada.attachments.open(&id).unwrap();
    assert_eq!(reader.size(), sent.len() as u64);
    let mut place = 7_919_usize;
    for _ in 0..200 {
        place = (place * 31 + 17) % sent.len();
        reader.seek(SeekFrom::Start(place as u64)).unwrap();
        let length = 4000.min(sent.len() - place);
        let mut piece = vec![0; length];
        reader.read_exact(&mut piece).unwrap();
        assert_eq!(piece, sent[place..place + length]);
    }
    assert_eq!(
        reader.seek(SeekFrom::End(-1)).unwrap(),
        sent.len() as u64 - 1
    );
    let mut tail = Vec::new();
    reader.read_to_end(&mut tail).unwrap();
    assert_eq!(tail, sent[sent.len() - 1..], "padding does not show");
    assert_eq!(
        reader.seek(SeekFrom::End(500)).unwrap(),
        sent.len() as u64 + 500
    );
    assert_eq!(reader.read(&mut [0; 4]).unwrap(), 0);
    assert!(reader.seek(SeekFrom::End(i64::MIN)).is_err());
}

#[test]
fn saving_is_the_only_way_out_and_overwrites_nothing() {
    use std::os::unix::fs::MetadataExt;
    let ada = Person::new();
    let sent = content(2 * CHUNK);
    let id = ada.takes_in(&sent);
    let target = ada.folder.path().join("heron.jpg");
    ada.attachments.save(&id, &target).unwrap();
    assert_eq!(fs::read(&target).unwrap(), sent);
    assert_eq!(fs::metadata(&target).unwrap().mode() & 0o777, 0o600);
    assert_eq!(
        ada.attachments.save(&id, &target),
        Err(AttachmentError::Exists)
    );
    let nowhere = ada.folder.path().join("none/heron.jpg");
    assert_eq!(
        ada.attachments.save(&id, &nowhere),
        Err(AttachmentError::Unwritable)
    );

    let mut full = fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    assert_eq!(
        ada.attachments.save_to(&id, &mut full),
        Err(AttachmentError::DiskFull)
    );
    let mut piped = Vec::new();
    ada.attachments.save_to(&id, &mut piped).unwrap();
    assert_eq!(piped, sent);
}

#[test]
fn what_was_only_half_taken_in_leaves_nothing() {
    struct Broken(usize);
    impl Read for Broken {
        fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
            if self.0 == 0 {
                return Err(std::io::ErrorKind::Other.into());
            }
            self.0 -= 1;
            out.fill(7);
            Ok(out.len())
        }
    }
    let ada = Person::new();
    let unreadable = ada.attachments.import(&mut Broken(3), 0, &mut |_| true);
    assert_eq!(unreadable.err(), Some(AttachmentError::Unreadable));
    let mut endless = std::io::repeat(1);
    let cancelled = ada
        .attachments
        .import(&mut endless, 0, &mut |read| read < 300_000);
    assert_eq!(cancelled.err(), Some(AttachmentError::Cancelled));
    assert!(ada.files().is_empty());

    // Killed after the import, before the message was in the outbox; another one is in it.
    let sent = ada.takes_in(b"sent");
    let lost = ada
        .attachments
        .import(&mut &b"lost"[..], 0, &mut |_| true)
        .unwrap();
    assert_eq!(ada.files().len(), 2);
    let again = ada.starts_again();
    assert_eq!(again.status(&lost).err(), Some(AttachmentError::Unknown));
    assert_eq!(ada.files().len(), 1);
    assert_eq!(ada.reads(&sent), b"sent");
}

#[test]
fn removing_follows_the_transaction_and_spares_what_other_stores_own() {
    let ada = Person::new();
    // The other store's file; this store knows nothing of it.
    let foreign = ada.folder.path().join("attachments/foreign");
    fs::write(&foreign, b"random").unwrap();
    let id = ada.takes_in(b"a note");
    let mut reader = ada.attachments.open(&id).unwrap();

    let tx = ada.attachments.database.begin().unwrap();
    ada.attachments.remove(&tx, &id).unwrap();
    drop(tx);
    assert_eq!(ada.reads(&id), b"a note", "rolled back");

    let tx = ada.attachments.database.begin().unwrap();
    ada.attachments.remove(&tx, &id).unwrap();
    tx.commit().unwrap();
    assert_eq!(
        ada.attachments.status(&id).err(),
        Some(AttachmentError::Unknown)
    );
    assert_eq!(ada.files(), std::slice::from_ref(&foreign));
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    assert_eq!(text, "a note", "who reads it reads on");

    // Killed between the commit and the removal.
    let id = ada.takes_in(b"another note");
    ada.attachments
        .database
        .transaction(|tx| super::super::rows::set_state(tx, &id, State::Removing, ""))
        .unwrap();
    ada.starts_again();
    assert_eq!(ada.files(), [foreign]);
}

#[test]
fn bytes_in_memory_use_the_same_format_and_it_is_frozen() {
    let key = StreamKey::from_slices(&[3; 32], &[9; 7]).unwrap();
    for size in [0, 1, 4080, 4081, CHUNK_PLAINTEXT, 200_000] {
        let sent = content(size);
        let blob = seal_blob(&key, &sent).unwrap();
        assert!(padding::is_blob_size(blob.len() as u64));
        assert_eq!(open_blob(&key, size as u64, &blob).unwrap()[..], sent[..]);
        for at in [0, blob.len() / 2, blob.len() - 1] {
            let refused = open_blob(&key, size as u64, &flipped(&blob, at));
            assert_eq!(refused.err(), Some(AttachmentError::Damaged));
        }
        assert!(open_blob(&key, size as u64, &blob[..blob.len() - 1]).is_err());
        assert!(open_blob(&key, u64::MAX, &blob).is_err());
        if size > 0 {
            assert!(
                open_blob(&key, size as u64 - 1, &blob).is_err(),
                "padding is zeros"
            );
        }
    }
    let blob = seal_blob(&key, &content(100_000)).unwrap();
    assert_eq!(blob.len(), 106_496);
    // A change here breaks every file that was ever sent.
    assert_eq!(
        data_encoding::HEXLOWER.encode(&Sha256::digest(&blob)),
        "e1e8b5aa897bed0e441c146fe3c865b6a878cf3b31028937f3c9fe34bf5898ae"
    );
    assert!(StreamKey::from_slices(&[3; 31], &[9; 7]).is_none());
    assert!(StreamKey::from_slices(&[3; 32], &[9; 12]).is_none());
}
