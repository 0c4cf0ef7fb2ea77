//! Scripts of two people who send files to each other.

#![allow(clippy::unwrap_used)]

mod at_rest;
mod server;
mod transfers;

use std::fs;
use std::io::Read;
use std::path::PathBuf;

use sha2::{Digest, Sha256};

use super::{AttachmentId, Attachments, Progress, Reference, State};
use crate::store::{DataKey, Database, StoreResult};

/// One person's home, as far as attachments go.
struct Person {
    attachments: Attachments,
    folder: tempfile::TempDir,
}

impl Person {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("attachments")).unwrap();
        let database =
            Database::create(&folder.path().join("store"), DataKey::random().unwrap()).unwrap();
        let attachments = Attachments::new(database, folder.path().join("attachments"));
        Self {
            attachments,
            folder,
        }
    }

    /// As after a kill and a start.
    fn starts_again(&self) -> Attachments {
        let again = Attachments::new(
            self.attachments.database.clone(),
            self.attachments.folder.clone(),
        );
        again.recover().unwrap();
        again
    }

    fn takes_in(&self, mut content: &[u8]) -> AttachmentId {
        let id = self
            .attachments
            .import(&mut content, 0, &mut |_| true)
            .unwrap();
        let tx = self.attachments.database.begin().unwrap();
        self.attachments.accept(&tx, &id).unwrap();
        tx.commit().unwrap();
        id
    }

    fn is_told(&self, reference: &Reference) -> AttachmentId {
        let tx = self.attachments.database.begin().unwrap();
        let id = self.attachments.expect(&tx, reference, 0).unwrap();
        tx.commit().unwrap();
        id
    }

    fn reads(&self, id: &AttachmentId) -> Vec<u8> {
        let mut content = Vec::new();
        self.attachments
            .open(id)
            .unwrap()
            .read_to_end(&mut content)
            .unwrap();
        content
    }

    /// The only file there is.
    fn file(&self) -> PathBuf {
        let mut files = self.files();
        assert_eq!(files.len(), 1);
        files.remove(0)
    }

    fn files(&self) -> Vec<PathBuf> {
        fs::read_dir(self.folder.path().join("attachments"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect()
    }

    fn state(&self, id: &AttachmentId) -> State {
        self.attachments.status(id).unwrap().state
    }

    /// As if the program had been killed before it wrote down that a transfer was complete.
    fn forgets_that_it_is_done(&self, id: &AttachmentId) {
        self.attachments
            .database
            .transaction(|tx| -> StoreResult<()> {
                tx.connection().execute(
                    "UPDATE attachments SET state = 2 WHERE id = ?1",
                    [id.as_bytes()],
                )?;
                Ok(())
            })
            .unwrap();
    }
}

fn on(_: Progress) -> bool {
    true
}

/// Content that is different everywhere.
fn content(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    for (number, part) in bytes.chunks_mut(32).enumerate() {
        let hash = Sha256::digest(number.to_be_bytes());
        part.copy_from_slice(&hash[..part.len()]);
    }
    bytes
}

fn flipped(bytes: &[u8], at: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[at] ^= 0x40;
    bytes
}
