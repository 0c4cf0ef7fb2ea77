//! What is never stored: handed to queues that are online, sealed under a key that lives and dies with the connection.
//!
//! No part of it touches the store but to ask where an address leads. A connection's key is made when the first one comes, sealed to its
//! owner as those of items are, replaced like them, and never written anywhere.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use undertone_wire::hpke::HpkePublicKey;
use undertone_wire::limits::EPHEMERAL_SEQUENCE;
use undertone_wire::padding::{self, LENGTH_PREFIX};
use undertone_wire::proto::{self, ItemKind};
use undertone_wire::seal::SealingKey;
use undertone_wire::{Code, Error, Result};

use super::hub::Hub;
use crate::store::{AddressHash, Day, QueueId, QueueRecord, SealKey};

/// Where the address hash stands in a padded item: after the length, the field's tag and the field's length.
const ADDRESS_AT: usize = LENGTH_PREFIX + 2;
/// How long one key seals.
const KEY_LIFE: Duration = Duration::from_secs(3600);

/// Hands a payload to those of these queues that are online, each under the address it came to.
///
/// # Errors
/// `limit.payload` when it does not fit into an item.
pub(crate) fn hand_over(
    hub: &Hub,
    epoch: u64,
    payload: &Bytes,
    to: impl Iterator<Item = (AddressHash, QueueId)>,
) -> Result<()> {
    const ANY: [u8; AddressHash::LEN] = [0; AddressHash::LEN];
    let item = proto::QueueItem {
        address_hash: Bytes::from_static(&ANY),
        kind: ItemKind::Ephemeral.into(),
        epoch,
        payload: payload.clone(),
        ..proto::QueueItem::default()
    };
    let template = padding::pad_item(&item)?;
    for (address, queue) in to {
        let Some(ring) = hub.ring(&queue) else {
            continue;
        };
        let mut padded = BytesMut::from(&template[..]);
        padded[ADDRESS_AT..ADDRESS_AT + AddressHash::LEN].copy_from_slice(address.as_bytes());
        ring.push_ephemeral(padded.freeze());
    }
    Ok(())
}

/// An ephemeral on its way to its owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedEphemeral {
    /// The key that opens it, which was pushed before.
    pub key: Arc<SealKey>,
    /// The counter of its nonce.
    pub nonce: u64,
    /// The padded item and the tag.
    pub sealed: Bytes,
}

/// A connection's key for what is never stored.
pub(super) struct Sealer {
    key: SealingKey,
    row: Arc<SealKey>,
    born: Instant,
}

impl Sealer {
    /// A fresh key, sealed to the queue's owner.
    pub(super) fn new(queue: &QueueId, record: &QueueRecord) -> Result<Self> {
        let key = SealingKey::generate()?;
        let owner = HpkePublicKey::from_slice(&record.hpke_key)?;
        let Day(day) = record.hpke_key_day;
        let sealed = key.seal_to_owner(queue, &owner, day)?;
        Ok(Self {
            key,
            row: Arc::new(SealKey {
                key_id: sealed.key_id,
                enc: sealed.enc,
                sealed: sealed.sealed,
                hpke_key_day: record.hpke_key_day,
            }),
            born: Instant::now(),
        })
    }

    /// What goes to the owner before the first item.
    pub(super) fn row(&self) -> &Arc<SealKey> {
        &self.row
    }

    /// Whether another key is due.
    pub(super) fn is_worn(&self) -> bool {
        self.key.is_used_up() || self.born.elapsed() >= KEY_LIFE
    }

    /// Seals one.
    pub(super) fn seal(&mut self, queue: &QueueId, padded: &Bytes) -> Result<SealedEphemeral> {
        let mut sealed = padded.to_vec();
        let nonce = self
            .key
            .seal_in_place(queue, EPHEMERAL_SEQUENCE, &mut sealed)
            .map_err(|_| Error::new(Code::Internal))?;
        Ok(SealedEphemeral {
            key: Arc::clone(&self.row),
            nonce,
            sealed: sealed.into(),
        })
    }
}
