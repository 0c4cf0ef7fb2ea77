//! What is kept in the sentinel's kill section: queues, keys and counters. Whoever has the disk can read it, so nothing here opens a
//! message, signs a command, or says whose device it is.
//!
//! ```text
//! SHA-256 of what follows up to the end of the message   32
//! length of the message                                   2
//! message (protobuf, State)
//! random
//! ```
//! Where the sum does not fit nothing is set.

use std::path::{Path, PathBuf};

use ed25519_dalek::SigningKey;
use prost::Message as _;
use undertone_mls::kill::{Generation, Record, Slot};
use undertone_wire::{
    hpke::HpkeKeyPair,
    ids::{QueueId, sha256},
    origin::ServerAddress,
    secrets::Secret,
};
use zeroize::Zeroizing;

use crate::{
    error::{Reason, Result},
    home::{HomeError, Sentinel, sentinel::KillSection},
};

const SUM: usize = 32;
const HEAD: usize = SUM + 2;
/// Bytes of SHA-256 by which a signer is known here.
pub(crate) const FINGERPRINT: usize = 16;

/// Everything.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct State {
    /// One for each account that has a place here.
    #[prost(message, repeated, tag = "1")]
    pub(crate) posts: Vec<Post>,
}

/// A kill queue.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Post {
    /// `host:port+pin`
    #[prost(string, tag = "1")]
    pub(crate) server: String,
    /// `host:port`, or empty.
    #[prost(string, tag = "2")]
    pub(crate) proxy: String,
    #[prost(bytes = "vec", tag = "3")]
    pub(crate) queue: Vec<u8>,
    /// Signs the queue in.
    #[prost(bytes = "vec", tag = "4")]
    pub(crate) queue_key: Vec<u8>,
    /// The queue's HPKE keys, the newest last.
    #[prost(message, repeated, tag = "5")]
    pub(crate) pairs: Vec<Pair>,
    #[prost(bool, tag = "6")]
    pub(crate) registered: bool,
    /// What it will be registered with.
    #[prost(bytes = "vec", tag = "7")]
    pub(crate) invitation: Vec<u8>,
    #[prost(message, repeated, tag = "8")]
    pub(crate) places: Vec<Place>,
    /// Names of addresses that are to go.
    #[prost(bytes = "vec", repeated, tag = "9")]
    pub(crate) revoke: Vec<Vec<u8>>,
    /// What the owner calls this device.
    #[prost(string, tag = "10")]
    pub(crate) name: String,
}

/// The seed of an HPKE key pair.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Pair {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) seed: Vec<u8>,
    /// Unix seconds.
    #[prost(int64, tag = "2")]
    pub(crate) made_s: i64,
    /// The server has it.
    #[prost(bool, tag = "3")]
    pub(crate) confirmed: bool,
}

/// A slot that this device has, or is about to take.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Place {
    /// Fingerprint of the code or custodian that it is of.
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) of: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) secret: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    pub(crate) generation: Vec<u8>,
    /// Those who are obeyed.
    #[prost(message, repeated, tag = "4")]
    pub(crate) signers: Vec<Signer>,
    /// It is of the owner's kill code, not of a custodian.
    #[prost(bool, tag = "5")]
    pub(crate) owner: bool,
    /// Its number in the code's order; nothing for a custodian's.
    #[prost(uint32, tag = "6")]
    pub(crate) number: u32,
    /// The server has the address.
    #[prost(bool, tag = "7")]
    pub(crate) claimed: bool,
    /// The server has the record.
    #[prost(bool, tag = "8")]
    pub(crate) published: bool,
}

/// Somebody whose commands count in a place. Each has a counter of their own, so that none can use up another's.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Signer {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) fingerprint: Vec<u8>,
    /// The highest counter that was seen and came to nothing.
    #[prost(uint64, tag = "2")]
    pub(crate) counter: u64,
}

/// By what a signer is known.
pub(crate) fn fingerprint(key: &[u8; 32]) -> Vec<u8> {
    sha256(&[b"undertone/1 kill signer".as_slice(), key].concat())[..FINGERPRINT].to_vec()
}

impl Place {
    pub(crate) fn slot(&self) -> Result<Slot> {
        Ok(Slot::of(Secret::from_slice(&self.secret)?))
    }

    pub(crate) fn generation(&self) -> Result<Generation> {
        let generation = self.generation[..].try_into();
        Ok(generation.map_err(|_| Reason::StateBroken)?)
    }

    fn signer(&self, key: &[u8; 32]) -> Option<&Signer> {
        let known = fingerprint(key);
        self.signers
            .iter()
            .find(|signer| signer.fingerprint == known)
    }

    pub(crate) fn obeys(&self, key: &[u8; 32]) -> bool {
        self.signer(key).is_some()
    }

    /// The highest counter seen of somebody.
    pub(crate) fn highest_of(&self, key: &[u8; 32]) -> u64 {
        self.signer(key).map_or(0, |signer| signer.counter)
    }

    /// A command of theirs came to nothing: it and those before never count again.
    pub(crate) fn saw(&mut self, key: &[u8; 32], counter: u64) {
        let known = fingerprint(key);
        for signer in &mut self.signers {
            if signer.fingerprint == known {
                signer.counter = signer.counter.max(counter);
            }
        }
    }

    /// These are obeyed from now on, and nobody else.
    pub(crate) fn set_signers(&mut self, keys: &[[u8; 32]]) {
        let before = std::mem::take(&mut self.signers);
        self.signers = keys
            .iter()
            .map(|key| {
                let fingerprint = fingerprint(key);
                let kept = before.iter().find(|old| old.fingerprint == fingerprint);
                Signer {
                    counter: kept.map_or(0, |old| old.counter),
                    fingerprint,
                }
            })
            .collect();
    }
}

impl Post {
    /// A queue of its own for these.
    pub(crate) fn new(queue: QueueId, server: &ServerAddress, now_s: i64) -> Self {
        Self {
            server: server.to_string(),
            queue: queue.as_bytes().to_vec(),
            queue_key: Secret::<32>::random().expose().to_vec(),
            pairs: vec![Pair::new(now_s)],
            ..Self::default()
        }
    }

    pub(crate) fn server(&self) -> Result<ServerAddress> {
        Ok(self.server.parse()?)
    }

    pub(crate) fn queue(&self) -> Result<QueueId> {
        Ok(QueueId::from_slice(&self.queue)?)
    }

    pub(crate) fn signing_key(&self) -> Result<SigningKey> {
        let secret = Secret::<32>::from_slice(&self.queue_key)?;
        Ok(SigningKey::from_bytes(secret.expose()))
    }

    /// The key pairs, the newest first.
    pub(crate) fn key_pairs(&self) -> Result<Vec<HpkeKeyPair>> {
        self.pairs.iter().rev().map(Pair::keys).collect()
    }

    /// What is left on the server for a place.
    pub(crate) fn record(&self, place: &Place) -> Result<Record> {
        Ok(Record {
            generation: place.generation()?,
            name: self.name.clone(),
        })
    }

    /// Whether everything stands on the server that is needed to be reached.
    pub(crate) fn is_armed(&self) -> bool {
        self.registered
            && !self.places.is_empty()
            && self
                .places
                .iter()
                .all(|place| place.claimed && place.published)
    }

    /// The server lost the queue: everything is to be made again, under the same names.
    pub(crate) fn begin_anew(&mut self) {
        self.registered = false;
        self.invitation.clear();
        for place in &mut self.places {
            (place.claimed, place.published) = (false, false);
        }
    }
}

impl Pair {
    pub(crate) fn new(now_s: i64) -> Self {
        Self {
            seed: Secret::<32>::random().expose().to_vec(),
            made_s: now_s,
            confirmed: false,
        }
    }

    pub(crate) fn keys(&self) -> Result<HpkeKeyPair> {
        Ok(HpkeKeyPair::from_seed(&Secret::from_slice(&self.seed)?)?)
    }
}

impl State {
    /// Whether more than what is noted on the way differs. A place that is to be taken anew has another generation each time, so only what
    /// is asked for is compared.
    pub(crate) fn wants_other_than(&self, before: &Self) -> bool {
        let asked = |state: &Self| {
            state
                .posts
                .iter()
                .map(|post| {
                    let mut post = post.clone();
                    for place in &mut post.places {
                        place.generation.clear();
                    }
                    post.encode_to_vec()
                })
                .collect::<Vec<_>>()
        };
        asked(self) != asked(before)
    }
}

/// The section of one home.
#[derive(Clone)]
pub(crate) struct Section {
    home: PathBuf,
}

impl Section {
    pub(crate) fn of(home: &Path) -> Self {
        Self {
            home: home.to_owned(),
        }
    }

    pub(crate) fn home(&self) -> &Path {
        &self.home
    }

    /// Reads it.
    pub(crate) fn load(&self) -> Result<State> {
        let sentinel = Sentinel::load(&self.home)?;
        Ok(decode(&sentinel.kill).unwrap_or_default())
    }

    /// The post of this queue.
    pub(crate) fn post(&self, queue: &QueueId) -> Result<Option<Post>> {
        let state = self.load()?;
        Ok(state
            .posts
            .into_iter()
            .find(|post| post.queue == queue.as_bytes()))
    }

    /// Changes it; on disk when this returns.
    pub(crate) fn update<T>(&self, change: impl FnOnce(&mut State) -> T) -> Result<T> {
        Sentinel::update(&self.home, |sentinel| {
            let before = decode(&sentinel.kill);
            let mut state = before.clone().unwrap_or_default();
            let value = change(&mut state);
            if before.as_ref() != Some(&state) && (before.is_some() || !state.posts.is_empty()) {
                encode(&state, &mut sentinel.kill)?;
            }
            Ok(value)
        })?
    }

    /// Takes a post away.
    pub(crate) fn forget(&self, queue: &QueueId) -> Result<()> {
        self.update(|state| {
            state.posts.retain(|post| post.queue != queue.as_bytes());
        })
    }

    /// Changes the post of this queue, if it is there.
    pub(crate) fn update_post<T>(
        &self,
        queue: &QueueId,
        change: impl FnOnce(&mut Post) -> T,
    ) -> Result<Option<T>> {
        self.update(|state| {
            state
                .posts
                .iter_mut()
                .find(|post| post.queue == queue.as_bytes())
                .map(change)
        })
    }
}

/// What stands in a section; None where nothing is set.
pub(super) fn decode(section: &KillSection) -> Option<State> {
    let (sum, rest) = section.bytes().split_first_chunk::<SUM>()?;
    let (length, body) = rest.split_first_chunk::<2>()?;
    let length = usize::from(u16::from_be_bytes(*length));
    let signed = rest.get(..2 + length)?;
    if sha256(signed) != *sum {
        return None;
    }
    State::decode(body.get(..length)?).ok()
}

fn encode(state: &State, section: &mut KillSection) -> Result<()> {
    let message = Zeroizing::new(state.encode_to_vec());
    let full = || crate::Error::from(Reason::KillFull);
    let length = u16::try_from(message.len()).map_err(|_| full())?;
    // What is not used is random, as everything is when nothing is set.
    let mut fresh = KillSection::random()?;
    let bytes = fresh.bytes_mut();
    if HEAD + message.len() > bytes.len() {
        return Err(full());
    }
    bytes[SUM..HEAD].copy_from_slice(&length.to_be_bytes());
    bytes[HEAD..HEAD + message.len()].copy_from_slice(&message);
    let sum = sha256(&bytes[SUM..HEAD + message.len()]);
    bytes[..SUM].copy_from_slice(&sum);
    section.bytes_mut().copy_from_slice(fresh.bytes());
    Ok(())
}

/// A home whose sentinel can't be written any more because it was wiped.
pub(crate) fn is_wiped(error: &crate::Error) -> bool {
    matches!(error, crate::Error::Home(HomeError::Wiped))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn post(signers: u8) -> Post {
        let server = format!(
            "{}.example.org:7443+{}",
            "a".repeat(60),
            undertone_wire::ids::Pin::random()
        );
        let mut post = Post::new(QueueId::random(), &server.parse().unwrap(), 1);
        post.pairs.extend([Pair::new(2), Pair::new(3)]);
        let mut place = Place {
            of: vec![1; FINGERPRINT],
            secret: vec![2; 32],
            generation: vec![3; 32],
            owner: true,
            ..Place::default()
        };
        let keys: Vec<[u8; 32]> = (0..signers).map(|key| [key; 32]).collect();
        place.set_signers(&keys);
        for key in &keys {
            place.saw(key, 1_800_000_000_000);
        }
        post.places.push(place);
        post
    }

    #[test]
    fn what_is_random_holds_nothing_and_what_is_written_comes_back() {
        let mut section = KillSection::random().unwrap();
        assert!(decode(&section).is_none());
        let state = State {
            posts: vec![post(32)],
        };
        encode(&state, &mut section).unwrap();
        assert!(decode(&section).unwrap() == state, "32 own devices fit");
        section.bytes_mut()[40] ^= 1;
        assert!(decode(&section).is_none());
    }

    #[test]
    fn what_does_not_fit_changes_nothing() {
        let mut section = KillSection::random().unwrap();
        let before = section.bytes().to_vec();
        let state = State {
            posts: vec![post(32), post(32)],
        };
        assert!(encode(&state, &mut section).is_err());
        assert_eq!(section.bytes(), before);
        // Two stores with a few devices each do.
        let state = State {
            posts: vec![post(4), post(4)],
        };
        assert!(encode(&state, &mut section).is_ok());
    }

    #[test]
    fn nobody_uses_up_the_counter_of_somebody_else() {
        let mut place = post(2).places.remove(0);
        place.saw(&[0; 32], u64::MAX);
        assert_eq!(place.highest_of(&[0; 32]), u64::MAX);
        assert_eq!(place.highest_of(&[1; 32]), 1_800_000_000_000);
        place.set_signers(&[[1; 32]]);
        assert!(!place.obeys(&[0; 32]), "who is taken off the list");
        assert_eq!(place.highest_of(&[1; 32]), 1_800_000_000_000);
    }
}
