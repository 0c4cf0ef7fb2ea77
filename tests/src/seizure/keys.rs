//! Trying to open waiting items with what is on the disk: every 32 bytes in a row, anywhere, taken as their key.
//!
//! An item begins with its length and the tag of its first field, which are known. So a key can be ruled out with one block
//! of AES, and only a key that passes is tried on the whole item. That makes it possible to try every place of every file
//! instead of those where keys were expected.

use std::collections::HashMap;
use std::path::Path;

use aes_gcm::aes::Aes256;
use aes_gcm::aes::cipher::{BlockCipherEncrypt, KeyInit};
use bytes::Bytes;
use undertone_wire::hpke::HpkeKeyPair;
use undertone_wire::ids::{KeyId, QueueId};
use undertone_wire::response::SealKey;
use undertone_wire::seal::OpeningKey;
use undertone_wire::secrets::Secret;

use super::database::{Database, Item};
use super::secrets::Secrets;
use super::town::Copy;
use crate::disk::files;
use crate::failed::{Failed, Outcome};

/// The items to be opened: one of each sealing key, since whoever has the key of one has it of all.
pub struct Targets {
    items: Vec<Item>,
}

/// An item that was opened.
#[derive(Debug, PartialEq, Eq)]
pub struct OpenedItem {
    /// The file whose bytes opened it.
    pub file: String,
    /// Where in the file.
    pub offset: usize,
}

impl Targets {
    /// One item of each key in these copies.
    ///
    /// # Errors
    /// If a copy can't be read.
    pub fn of(copies: &[Copy]) -> Outcome<Self> {
        let mut by_key = HashMap::new();
        for copy in copies {
            for item in Database::open(&copy.data())?.items()? {
                by_key.entry(item.key.clone()).or_insert(item);
            }
        }
        Ok(Self {
            items: by_key.into_values().collect(),
        })
    }

    /// How many keys they were sealed with.
    pub fn keys(&self) -> usize {
        self.items.len()
    }

    /// Tries every 32 bytes in a row as the key.
    pub fn opened_by(&self, bytes: &[u8]) -> Vec<usize> {
        bytes
            .windows(32)
            .enumerate()
            .filter(|(_, key)| self.is_key(key))
            .map(|(at, _)| at)
            .collect()
    }

    fn is_key(&self, key: &[u8]) -> bool {
        // Half of a database is zeros, and no random key is.
        if key.iter().all(|byte| *byte == 0) {
            return false;
        }
        let Ok(aes) = Aes256::new_from_slice(key) else {
            return false;
        };
        self.items.iter().any(|item| {
            let mut block = first_counter_block(item.nonce).into();
            aes.encrypt_block(&mut block);
            begins_like_an_item(&block, &item.sealed) && opens(item, key)
        })
    }

    /// The same with every file below a folder. `progress` gets the bytes done.
    ///
    /// # Errors
    /// If a file can't be read.
    pub fn opened_by_folder(
        &self,
        folder: &Path,
        progress: &dyn Fn(u64),
    ) -> Outcome<(u64, Vec<OpenedItem>)> {
        let failed = |error: std::io::Error| Failed::harness("reading a copied disk", error);
        let (mut tried, mut opened) = (0, Vec::new());
        for path in files(folder).map_err(failed)? {
            let bytes = std::fs::read(&path).map_err(failed)?;
            let file = path
                .strip_prefix(folder)
                .unwrap_or(&path)
                .display()
                .to_string();
            for (number, chunk) in overlapping(&bytes).enumerate() {
                opened.extend(self.opened_by(chunk).into_iter().map(|at| OpenedItem {
                    file: file.clone(),
                    offset: number * STEP + at,
                }));
                tried += chunk.len().saturating_sub(31) as u64;
                progress(tried);
            }
        }
        Ok((tried, opened))
    }
}

const STEP: usize = 1 << 20;

/// Pieces of [`STEP`] bytes that reach 31 bytes into the next one.
fn overlapping(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    (0..bytes.len().div_ceil(STEP)).map(|number| {
        let start = number * STEP;
        &bytes[start..bytes.len().min(start + STEP + 31)]
    })
}

/// The block whose encryption hides an item's first 16 bytes (AES-GCM with a nonce of 4 zero bytes and a counter).
fn first_counter_block(nonce: u64) -> [u8; 16] {
    let mut block = [0; 16];
    block[4..12].copy_from_slice(&nonce.to_be_bytes());
    block[15] = 2;
    block
}

/// An item is a 32-bit length below 2^17, then the tag and length of an address's hash.
fn begins_like_an_item(stream: &[u8], sealed: &[u8]) -> bool {
    let plain = |at: usize| stream[at] ^ sealed[at];
    plain(0) == 0 && plain(1) <= 1 && plain(4) == 0x0a && plain(5) == 0x20
}

fn opens(item: &Item, key: &[u8]) -> bool {
    let (Ok(queue), Ok(id), Ok(key)) = (
        QueueId::from_slice(&item.queue),
        KeyId::from_slice(&item.key),
        Secret::from_slice(key),
    ) else {
        return false;
    };
    OpeningKey::from_parts(id, key).is_ok_and(|key| {
        key.open_item(&queue, item.sequence, item.nonce, &item.sealed)
            .is_ok()
    })
}

/// The sealing keys of a copy's items, opened with the owners' private keys, which only the apps have. They show that the
/// trial above would notice, and are secrets to look for.
///
/// # Errors
/// If the copy can't be read.
pub fn with_the_owners_help(copy: &Copy, secrets: &Secrets) -> Outcome<Vec<Vec<u8>>> {
    let database = Database::open(&copy.data())?;
    let mut keys = Vec::new();
    for (queue, owner) in &secrets.queue_keys {
        let Ok(queue_id) = QueueId::from_slice(queue) else {
            continue;
        };
        for (key_id, enc, sealed, hpke_key_day) in database.sealing_keys(queue)? {
            let Ok(key_id) = KeyId::from_slice(&key_id) else {
                continue;
            };
            let row = SealKey {
                key_id,
                enc: Bytes::from(enc),
                sealed: Bytes::from(sealed),
                hpke_key_day,
            };
            let open = |pair: &HpkeKeyPair| OpeningKey::open(&queue_id, pair, &row).ok();
            if let Some(key) = owner.iter().find_map(open) {
                keys.push(key.key().expose().to_vec());
            }
        }
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use undertone_wire::proto;
    use undertone_wire::seal::SealingKey;
    use undertone_wire::{hpke, padding};

    use super::*;

    #[test]
    fn a_key_on_the_disk_is_found_wherever_it_stands() {
        let queue = QueueId::random();
        let mut sealing = SealingKey::generate().expect("a key");
        let item = proto::QueueItem {
            address_hash: vec![1; 32].into(),
            kind: 1,
            payload: vec![2; 400].into(),
            ..Default::default()
        };
        let mut sealed = padding::pad_item(&item).expect("an item");
        let nonce = sealing
            .seal_in_place(&queue, 7, &mut sealed)
            .expect("sealed");
        let owner = hpke::HpkeKeyPair::generate().expect("a pair");
        let row = sealing
            .seal_to_owner(&queue, owner.public(), 1)
            .expect("sealed");
        let key = OpeningKey::open(&queue, &owner, &row).expect("opened");

        let targets = Targets {
            items: vec![Item {
                queue: queue.as_bytes().to_vec(),
                sequence: 7,
                key: sealing.id().as_bytes().to_vec(),
                nonce,
                last_day: 1,
                sealed,
            }],
        };
        let mut disk = vec![5; STEP - 10];
        disk.extend_from_slice(key.key().expose());
        disk.extend([5; 100]);
        let found: Vec<_> = overlapping(&disk)
            .enumerate()
            .flat_map(|(number, chunk)| {
                targets
                    .opened_by(chunk)
                    .into_iter()
                    .map(move |at| number * STEP + at)
            })
            .collect();
        assert_eq!(found, [STEP - 10]);
        assert!(targets.opened_by(&[5; 1000]).is_empty());
    }
}
