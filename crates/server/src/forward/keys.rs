//! The HPKE keys that others seal to when something is for this server.
//!
//! A new one every week; the old ones are kept for as long as something sealed to them may still be on its way, then forgotten. They
//! lie in the store: whoever copies it can open what waited for this server elsewhere, and was sealed to one of them.

use std::sync::{Arc, PoisonError, RwLock};

use undertone_wire::forward::{Bearer, ServerKey, ServerKeyId, id_of};
use undertone_wire::hpke::HpkeKeyPair;
use undertone_wire::ids::Pin;
use zeroize::Zeroizing;

use crate::identity::Identity;
use crate::store::{Day, Store, StoreError};

/// The record's name.
const RECORD: &str = "forward_keys";
/// Days for which a key is shown as the newest.
const SHOWN_DAYS: u32 = 7;
/// Days after it was made until which others may seal to it.
const GOOD_DAYS: u32 = 21;
/// Days that a parcel may be on its way, at most.
const ON_ITS_WAY_DAYS: u32 = 40;
const PRIVATE_BYTES: usize = 32;
const ENTRY_BYTES: usize = 4 + PRIVATE_BYTES + undertone_wire::limits::HPKE_PUBLIC_KEY_BYTES;

struct Key {
    day: u32,
    id: ServerKeyId,
    pair: HpkeKeyPair,
}

/// All that are kept, oldest first, and the newest as it is shown.
struct Keys {
    kept: Vec<Key>,
    shown: ServerKey,
}

/// This server's keys for others.
pub struct ForwardKeys {
    identity: Arc<Identity>,
    keys: RwLock<Arc<Keys>>,
}

impl ForwardKeys {
    /// Reads them, making the first if there is none.
    ///
    /// # Errors
    /// The store's.
    pub async fn open(
        store: &Arc<dyn Store>,
        identity: Arc<Identity>,
        today: Day,
    ) -> Result<Self, StoreError> {
        let stored = Zeroizing::new(store.record(RECORD).await?.unwrap_or_default());
        let kept = decode(&stored);
        let (keys, changed) = renewed(&identity, kept, today)?;
        if changed {
            store.set_record(RECORD, encode(&keys.kept)).await?;
        }
        Ok(Self {
            identity,
            keys: RwLock::new(Arc::new(keys)),
        })
    }

    fn current(&self) -> Arc<Keys> {
        Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Makes a new one when a week has passed.
    ///
    /// # Errors
    /// The store's; the old one is shown on.
    pub async fn roll(&self, store: &Arc<dyn Store>, today: Day) -> Result<(), StoreError> {
        let current = self.current();
        if current.kept.last().is_some_and(|key| is_fresh(key, today)) {
            return Ok(());
        }
        let (keys, _) = renewed(&self.identity, decode(&encode(&current.kept)), today)?;
        // Nobody may seal to a key that a restart would lose.
        store.set_record(RECORD, encode(&keys.kept)).await?;
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
        Ok(())
    }

    /// What is shown to whoever asks.
    pub fn shown(&self) -> ServerKey {
        self.current().shown.clone()
    }

    /// Runs `open` with the key of that name, if it is kept.
    pub fn with<T>(
        &self,
        open: impl FnOnce(&dyn Fn(&ServerKeyId) -> Option<usize>, &[&HpkeKeyPair]) -> T,
    ) -> T {
        let keys = self.current();
        let pairs: Vec<&HpkeKeyPair> = keys.kept.iter().map(|key| &key.pair).collect();
        open(&|id| keys.kept.iter().position(|key| key.id == *id), &pairs)
    }

    /// This server's signature over what it brings to another.
    pub fn bearer(&self, to: &Pin, body: &[u8]) -> Option<Bearer> {
        let (identity, signature) = self.identity.sign(&Bearer::signed_message(to, body))?;
        Some(Bearer::new(identity, signature))
    }
}

fn is_fresh(key: &Key, today: Day) -> bool {
    // A day that lies ahead is that of a clock that was wrong: a new key is made then too.
    (key.day..key.day.saturating_add(SHOWN_DAYS)).contains(&today.0)
}

fn renewed(
    identity: &Identity,
    mut kept: Vec<Key>,
    today: Day,
) -> Result<(Keys, bool), StoreError> {
    let failed = || StoreError::Folder("a key could not be made");
    let before = kept.len();
    kept.retain(|key| key.day.saturating_add(GOOD_DAYS + ON_ITS_WAY_DAYS) >= today.0);
    let mut changed = kept.len() != before;
    if !kept.last().is_some_and(|key| is_fresh(key, today)) {
        let pair = HpkeKeyPair::generate().map_err(|_| failed())?;
        kept.push(Key {
            day: today.0,
            id: id_of(pair.public()),
            pair,
        });
        changed = true;
    }
    let newest = kept.last().ok_or_else(failed)?;
    let (hpke, last_day) = (newest.pair.public().clone(), newest.day + GOOD_DAYS);
    let (key, signature) = identity
        .sign(&ServerKey::signed_message(&hpke, last_day))
        .ok_or_else(failed)?;
    let shown = ServerKey::new(hpke, last_day, key, signature);
    Ok((Keys { kept, shown }, changed))
}

fn encode(kept: &[Key]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(kept.len() * ENTRY_BYTES);
    for key in kept {
        bytes.extend_from_slice(&key.day.to_be_bytes());
        bytes.extend_from_slice(key.pair.private().expose());
        bytes.extend_from_slice(key.pair.public().as_bytes());
    }
    bytes
}

/// What is not whole is passed over: the key is lost then, and what was sealed to it.
fn decode(bytes: &[u8]) -> Vec<Key> {
    bytes
        .chunks_exact(ENTRY_BYTES)
        .filter_map(|entry| {
            let (day, keys) = entry.split_first_chunk::<4>()?;
            let (private, public) = keys.split_at_checked(PRIVATE_BYTES)?;
            let pair = HpkeKeyPair::from_parts(private, public).ok()?;
            Some(Key {
                day: u32::from_be_bytes(*day),
                id: id_of(pair.public()),
                pair,
            })
        })
        .collect()
}
