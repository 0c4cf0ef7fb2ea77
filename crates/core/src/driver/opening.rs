//! Opening what the server pushes, with the keys that it pushed before.

use std::collections::HashMap;

use undertone_wire::{
    Code, Error as WireError,
    hpke::HpkeKeyPair,
    ids::KeyId,
    limits::EPHEMERAL_SEQUENCE,
    response::{Ephemeral, Item, ItemKind, QueueItem, SealKey},
    seal::OpeningKey,
};

use super::Shared;
use crate::error::Result;

/// How often an item that does not open is fetched again before it is passed over.
const ATTEMPTS: u32 = 3;

/// What opens items.
pub(super) struct Opening<'a> {
    pub(super) pairs: Vec<(i64, HpkeKeyPair)>,
    pub(super) keys: HashMap<KeyId, OpeningKey>,
    /// How often an item did not open, by sequence.
    pub(super) damaged: &'a mut HashMap<u64, u32>,
}

impl Opening<'_> {
    /// False: none of the pairs at hand opens it.
    pub(super) fn key_came(&mut self, shared: &Shared, seal_key: &SealKey) -> bool {
        let queue = &shared.engine.me.queue;
        // The server's day and ours may differ: the right pair is tried first, but all are.
        let same_day = |pair: &&(i64, HpkeKeyPair)| pair.0 == i64::from(seal_key.hpke_key_day);
        let first = self.pairs.iter().filter(same_day);
        let others = self.pairs.iter().filter(|pair| !same_day(pair));
        for (_, pair) in first.chain(others) {
            if let Ok(key) = OpeningKey::open(queue, pair, seal_key) {
                self.keys.insert(seal_key.key_id, key);
                return true;
            }
        }
        false
    }

    /// Opens what was never stored. None: it does not open, and nothing is lost.
    pub(super) fn open_ephemeral(&self, shared: &Shared, sent: &Ephemeral) -> Option<QueueItem> {
        let key = self.keys.get(&sent.key_id)?;
        let queue = &shared.engine.me.queue;
        key.open_item(queue, EPHEMERAL_SEQUENCE, sent.nonce, &sent.sealed)
            .ok()
            .filter(|item| item.kind == ItemKind::Ephemeral)
    }

    /// Opens an item. `Ok(None)`: it was tried often enough.
    pub(super) fn open(&mut self, shared: &Shared, item: &Item) -> Result<Option<QueueItem>> {
        let opened = self
            .keys
            .get(&item.key_id)
            .ok_or(WireError::new(Code::ItemMalformed))
            .and_then(|key| {
                key.open_item(
                    &shared.engine.me.queue,
                    item.sequence,
                    item.nonce,
                    &item.sealed,
                )
            });
        match opened {
            Ok(opened) => Ok(Some(opened)),
            Err(error) => {
                let attempts = self.damaged.entry(item.sequence).or_insert(0);
                *attempts += 1;
                if *attempts < ATTEMPTS {
                    // It may have been damaged on the way: the server sends it again on the next connection.
                    return Err(error.into());
                }
                self.damaged.remove(&item.sequence);
                Ok(None)
            }
        }
    }
}
