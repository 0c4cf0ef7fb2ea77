//! Sealing what lies in queues and pools. See docs/protocol.md section 3.
//!
//! A [`SealingKey`] belongs to one (node, queue) and lives in memory only. Its counter is part of it and only ever goes up, so
//! a nonce is never used twice, also when the transaction that stored the item was rolled back. The key reaches the
//! queue's owner sealed by HPKE, and nobody else: the same item in a hundred queues shares no bytes.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use bytes::Bytes;

use crate::{
    Code, Error, Result,
    hpke::{HpkeKeyPair, HpkePublicKey},
    ids::{KeyId, QueueId, random_bytes},
    limits::{ITEMS_PER_SEALING_KEY, SEALED_KEY_PACKAGE_BYTES},
    padding::{self, SEAL_OVERHEAD},
    proto,
    response::{QueueItem, SealKey},
    secrets::{KpKey, Secret},
};

const SEAL_KEY_INFO: &[u8] = b"undertone/1 seal key";
const KEY_PACKAGE_AAD: &[u8] = b"undertone/1 key package";
const NONCE_BYTES: usize = 12;

/// Nonce of an item: 4 zero bytes, then the counter.
fn item_nonce(counter: u64) -> Nonce {
    let mut nonce = [0u8; NONCE_BYTES];
    nonce[4..].copy_from_slice(&counter.to_be_bytes());
    Nonce::assume_unique_for_key(nonce)
}

fn item_aad(queue: &QueueId, sequence: u64, key: &KeyId) -> Aad<[u8; 40]> {
    let mut aad = [0u8; 40];
    aad[..16].copy_from_slice(queue.as_bytes());
    aad[16..24].copy_from_slice(&sequence.to_be_bytes());
    aad[24..].copy_from_slice(key.as_bytes());
    Aad::from(aad)
}

fn seal_key_aad(queue: &QueueId, key: &KeyId) -> [u8; 32] {
    let mut aad = [0u8; 32];
    aad[..16].copy_from_slice(queue.as_bytes());
    aad[16..].copy_from_slice(key.as_bytes());
    aad
}

fn aes_256_gcm(key: &[u8; 32]) -> Result<LessSafeKey> {
    UnboundKey::new(&AES_256_GCM, key)
        .map(LessSafeKey::new)
        .map_err(|_| Code::Internal.into())
}

/// The key a node seals one queue's items with. Its key schedule is computed once.
pub struct SealingKey {
    id: KeyId,
    key: Secret<32>,
    aead: LessSafeKey,
    next_counter: u64,
}

impl SealingKey {
    /// A fresh one, with a fresh id.
    ///
    /// # Errors
    /// [`Code::Internal`] only if the library fails.
    pub fn generate() -> Result<Self> {
        Self::from_parts(KeyId::random(), Secret::random())
    }

    fn from_parts(id: KeyId, key: Secret<32>) -> Result<Self> {
        Ok(Self {
            id,
            aead: aes_256_gcm(key.expose())?,
            key,
            next_counter: 0,
        })
    }

    /// Names the key beside its items.
    pub const fn id(&self) -> KeyId {
        self.id
    }

    /// How many items it has sealed.
    pub const fn items_sealed(&self) -> u64 {
        self.next_counter
    }

    /// Whether it must be replaced before the next item. Its age is the caller's to watch.
    pub const fn is_used_up(&self) -> bool {
        self.next_counter >= ITEMS_PER_SEALING_KEY
    }

    /// Seals a padded item in place, appends the tag and returns the counter of its nonce. A buffer from
    /// [`padding::pad_item`] has room for the tag.
    ///
    /// # Errors
    /// [`Code::Internal`] when the key [is used up](Self::is_used_up). The counter goes up even when sealing fails.
    pub fn seal_in_place(
        &mut self,
        queue: &QueueId,
        sequence: u64,
        padded: &mut Vec<u8>,
    ) -> Result<u64> {
        if self.is_used_up() {
            return Err(Code::Internal.into());
        }
        let counter = self.next_counter;
        self.next_counter += 1;
        self.aead
            .seal_in_place_append_tag(
                item_nonce(counter),
                item_aad(queue, sequence, &self.id),
                padded,
            )
            .map_err(|_| Error::new(Code::Internal))?;
        Ok(counter)
    }

    /// Seals the key itself for the queue's owner. `hpke_key_day` says which of the owner's keys opens it.
    ///
    /// # Errors
    /// [`Code::RequestMalformed`] when the owner's key is not a valid one.
    pub fn seal_to_owner(
        &self,
        queue: &QueueId,
        owner: &HpkePublicKey,
        hpke_key_day: u32,
    ) -> Result<SealKey> {
        let sealed = owner.seal(
            SEAL_KEY_INFO,
            &seal_key_aad(queue, &self.id),
            self.key.expose(),
        )?;
        Ok(SealKey {
            key_id: self.id,
            enc: sealed.enc,
            sealed: sealed.ciphertext,
            hpke_key_day,
        })
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// A sealing key in its owner's hands.
pub struct OpeningKey {
    id: KeyId,
    key: Secret<32>,
    aead: LessSafeKey,
}

impl OpeningKey {
    /// Opens a pushed SealKey.
    ///
    /// # Errors
    /// [`Code::ItemMalformed`] when it was not sealed for this queue and key pair.
    pub fn open(queue: &QueueId, owner: &HpkeKeyPair, seal_key: &SealKey) -> Result<Self> {
        let key = owner.open(
            SEAL_KEY_INFO,
            &seal_key_aad(queue, &seal_key.key_id),
            &seal_key.enc,
            &seal_key.sealed,
        )?;
        let key = Secret::from_slice(&key).map_err(|_| Error::new(Code::ItemMalformed))?;
        Self::from_parts(seal_key.key_id, key)
    }

    /// From the owner's own encrypted store.
    ///
    /// # Errors
    /// [`Code::Internal`] only if the library fails.
    pub fn from_parts(id: KeyId, key: Secret<32>) -> Result<Self> {
        Ok(Self {
            id,
            aead: aes_256_gcm(key.expose())?,
            key,
        })
    }

    /// Names the key beside its items.
    pub const fn id(&self) -> KeyId {
        self.id
    }

    /// The key, for the owner's own encrypted store.
    pub const fn key(&self) -> &Secret<32> {
        &self.key
    }

    /// Opens a sealed item.
    ///
    /// # Errors
    /// [`Code::ItemMalformed`] when a bit of it, its place or its padding is not as it was sealed.
    pub fn open_item(
        &self,
        queue: &QueueId,
        sequence: u64,
        nonce: u64,
        sealed: &[u8],
    ) -> Result<QueueItem> {
        let malformed = Error::new(Code::ItemMalformed);
        let mut buffer = sealed.to_vec();
        let length = self
            .aead
            .open_in_place(
                item_nonce(nonce),
                item_aad(queue, sequence, &self.id),
                &mut buffer,
            )
            .map_err(|_| malformed)?
            .len();
        buffer.truncate(length);
        QueueItem::parse(padding::unpad_item(buffer.into())?)
    }
}

impl fmt::Debug for OpeningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// Pads and seals a whole item: what a server does on the way into a queue.
///
/// # Errors
/// [`Code::LimitPayload`], or as [`SealingKey::seal_in_place`].
pub fn seal_item(
    key: &mut SealingKey,
    queue: &QueueId,
    sequence: u64,
    item: &proto::QueueItem,
) -> Result<(u64, Vec<u8>)> {
    let mut padded = padding::pad_item(item)?;
    let counter = key.seal_in_place(queue, sequence, &mut padded)?;
    Ok((counter, padded))
}

/// Pads and seals a key package for a pool: nonce, ciphertext, tag; always 4,096 bytes.
///
/// # Errors
/// [`Code::LimitPayload`] when it is too large to be padded.
pub fn seal_key_package(key: &KpKey, plaintext: &[u8]) -> Result<Bytes> {
    let mut padded = padding::pad_key_package(plaintext)?;
    let nonce = random_bytes::<NONCE_BYTES>();
    aes_256_gcm(key.expose())?
        .seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(KEY_PACKAGE_AAD),
            &mut padded,
        )
        .map_err(|_| Error::new(Code::Internal))?;
    let mut sealed = Vec::with_capacity(SEALED_KEY_PACKAGE_BYTES);
    sealed.extend_from_slice(&nonce);
    sealed.extend_from_slice(&padded);
    Ok(sealed.into())
}

/// Opens what [`seal_key_package`] sealed.
///
/// # Errors
/// [`Code::ItemMalformed`] when the key is another or a bit differs.
pub fn open_key_package(key: &KpKey, sealed: &[u8]) -> Result<Vec<u8>> {
    let malformed = Error::new(Code::ItemMalformed);
    if sealed.len() != SEALED_KEY_PACKAGE_BYTES {
        return Err(malformed);
    }
    let (nonce, ciphertext) = sealed.split_first_chunk::<NONCE_BYTES>().ok_or(malformed)?;
    let mut buffer = ciphertext.to_vec();
    let padded = aes_256_gcm(key.expose())?
        .open_in_place(
            Nonce::assume_unique_for_key(*nonce),
            Aad::from(KEY_PACKAGE_AAD),
            &mut buffer,
        )
        .map_err(|_| malformed)?;
    padding::unpad_key_package(padded)
        .map(<[u8]>::to_vec)
        .map_err(|_| malformed)
}

// A sealed item is its class and the tag; the two constants must agree with the algorithm.
const _: () = assert!(SEAL_OVERHEAD == 16);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{
        ids::{AddressHash, ChannelHash},
        response::ItemKind,
    };
    use proptest::prelude::*;

    fn item(payload: &[u8]) -> QueueItem {
        QueueItem {
            address: AddressHash::new([1; 32]),
            kind: ItemKind::Application,
            number: 7,
            epoch: 3,
            next_lock: None,
            channel: Some(ChannelHash::new([2; 32])),
            payload: Bytes::copy_from_slice(payload),
            blob: None,
            server: None,
        }
    }

    #[test]
    fn the_owner_opens_what_the_node_sealed() {
        let queue = QueueId::random();
        let owner = HpkeKeyPair::generate().unwrap();
        let mut node = SealingKey::generate().unwrap();
        let row = node.seal_to_owner(&queue, owner.public(), 20_000).unwrap();
        let (nonce, sealed) = seal_item(&mut node, &queue, 1, &item(b"hello").to_proto()).unwrap();
        assert_eq!(sealed.len(), 768 + 16);

        let key = OpeningKey::open(&queue, &owner, &row).unwrap();
        assert!(key.open_item(&queue, 1, nonce, &sealed).unwrap() == item(b"hello"));
        // The same bytes at another place, or in another queue, are refused.
        assert!(key.open_item(&queue, 2, nonce, &sealed).is_err());
        assert!(key.open_item(&queue, 1, nonce + 1, &sealed).is_err());
        assert!(
            key.open_item(&QueueId::random(), 1, nonce, &sealed)
                .is_err()
        );
        assert!(OpeningKey::open(&QueueId::random(), &owner, &row).is_err());
    }

    #[test]
    fn a_counter_is_never_used_twice_and_a_used_up_key_seals_nothing() {
        let queue = QueueId::random();
        let mut node = SealingKey::generate().unwrap();
        for expected in 0..ITEMS_PER_SEALING_KEY {
            let mut padded = Vec::with_capacity(32);
            assert_eq!(
                node.seal_in_place(&queue, expected, &mut padded).unwrap(),
                expected
            );
        }
        assert!(node.is_used_up());
        let mut padded = vec![0; 768];
        assert!(node.seal_in_place(&queue, 1, &mut padded).is_err());
        assert_eq!(padded, vec![0; 768]);
    }

    #[test]
    fn copies_of_one_payload_share_no_sixteen_bytes() {
        let queues = [QueueId::random(), QueueId::random()];
        let sealed = queues.map(|queue| {
            let mut node = SealingKey::generate().unwrap();
            seal_item(&mut node, &queue, 1, &item(&[0; 400]).to_proto())
                .unwrap()
                .1
        });
        let runs: std::collections::HashSet<_> = sealed[0].windows(16).collect();
        assert!(sealed[1].windows(16).all(|run| !runs.contains(run)));
    }

    #[test]
    fn a_key_package_opens_under_its_key_only() {
        let key = KpKey::random();
        let sealed = seal_key_package(&key, &[7; 2700]).unwrap();
        assert_eq!(sealed.len(), 4096);
        assert_eq!(open_key_package(&key, &sealed).unwrap(), [7; 2700]);
        assert!(open_key_package(&KpKey::random(), &sealed).is_err());
        assert!(open_key_package(&key, &sealed[1..]).is_err());
        assert!(open_key_package(&key, &[]).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        #[test]
        fn a_bit_flip_is_refused(bit in 0usize..784 * 8) {
            let queue = QueueId::new([3; 16]);
            let key = || Secret::new([5; 32]);
            let mut node = SealingKey::from_parts(KeyId::new([4; 16]), key()).unwrap();
            let owner = OpeningKey::from_parts(KeyId::new([4; 16]), key()).unwrap();
            let (nonce, mut sealed) = seal_item(&mut node, &queue, 9, &item(b"hello").to_proto()).unwrap();
            sealed[bit / 8] ^= 1 << (bit % 8);
            let error = owner.open_item(&queue, 9, nonce, &sealed).unwrap_err();
            prop_assert_eq!(error.code, Code::ItemMalformed);
        }

        #[test]
        fn arbitrary_bytes_never_open(bytes in proptest::collection::vec(any::<u8>(), 0..1000)) {
            let owner = OpeningKey::from_parts(KeyId::new([4; 16]), Secret::new([5; 32])).unwrap();
            prop_assert!(owner.open_item(&QueueId::new([3; 16]), 9, 0, &bytes).is_err());
        }
    }
}
