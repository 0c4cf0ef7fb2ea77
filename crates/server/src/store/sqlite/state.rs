//! What the writer remembers between transactions. All of it can be forgotten at any time: the database holds what
//! must last, and after a rollback everything here is dropped and read again, sealing keys included, so that no
//! key ever seals with a counter twice.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use undertone_wire::seal::SealingKey;

use super::others::Waiting;
use crate::store::{
    Accepted, AddressHash, AddressKind, ChannelHash, KeyId, QueueId, Quota, SealKey, SendId,
    TakenKeyPackage,
};

/// Entries kept of each kind; beyond that, half of them are forgotten.
const QUEUES: usize = 65_536;
const ADDRESSES: usize = 262_144;
const CHANNELS: usize = 65_536;

/// Answers remembered for retries of sends.
const RECENT_SENDS: usize = 65_536;
/// Answers remembered for retries of TakeKeyPackages, which are larger.
const RECENT_TAKES: usize = 512;

/// The writer's memory.
pub(super) struct State {
    pub(super) queues: HashMap<QueueId, QueueState>,
    pub(super) addresses: HashMap<AddressHash, AddressState>,
    pub(super) channels: HashMap<ChannelHash, ChannelState>,
    /// Old names of addresses: the new name, and until when the old one is honoured.
    pub(super) grace: HashMap<AddressHash, (AddressHash, Duration)>,
    pub(super) recent_sends: Recent<Accepted>,
    pub(super) recent_commits: Recent<Accepted>,
    pub(super) recent_takes: Recent<Vec<TakenKeyPackage>>,
    /// How much waits for each other server; None: to be counted.
    pub(super) waiting: Option<HashMap<String, Waiting>>,
}

impl State {
    pub(super) fn new() -> Self {
        Self {
            queues: HashMap::new(),
            addresses: HashMap::new(),
            channels: HashMap::new(),
            grace: HashMap::new(),
            recent_sends: Recent::new(RECENT_SENDS),
            recent_commits: Recent::new(RECENT_SENDS / 16),
            recent_takes: Recent::new(RECENT_TAKES),
            waiting: None,
        }
    }

    /// Keeps the maps within their bounds. Called between transactions, when nothing in them is unsaved.
    pub(super) fn trim(&mut self) {
        halve(&mut self.queues, QUEUES);
        halve(&mut self.addresses, ADDRESSES);
        halve(&mut self.channels, CHANNELS);
    }
}

fn halve<K, V>(map: &mut HashMap<K, V>, limit: usize) {
    if map.len() > limit {
        let mut keep = false;
        map.retain(|_, _| {
            keep = !keep;
            keep
        });
    }
}

/// A queue while it is in use.
pub(super) struct QueueState {
    /// What the next item gets.
    pub(super) next: u64,
    /// Made by anybody, for a day or two.
    pub(super) temporary: bool,
    /// How many addresses lead to it; None: to be counted.
    pub(super) addresses: Option<u32>,
    /// Every sequence below is gone.
    pub(super) floor: u64,
    /// Whether `floor` differs from what is stored.
    pub(super) floor_unsaved: bool,
    /// Sizes of the items held, oldest first.
    pub(super) held: Held,
    /// The stored sealing keys, oldest first, each with the first sequence it could have sealed.
    pub(super) keys: VecDeque<(KeyId, u64)>,
    /// The one in use; its row is the last of `keys`.
    pub(super) active: Option<ActiveKey>,
}

/// A sealing key in use, with the row that goes to the owner.
pub(super) struct ActiveKey {
    pub(super) key: SealingKey,
    pub(super) row: Arc<SealKey>,
    pub(super) born: Duration,
}

/// Counts and sizes of a queue's items, as runs of equal size.
#[derive(Default)]
pub(super) struct Held {
    runs: VecDeque<(u32, u32)>,
    pub(super) items: u64,
    pub(super) bytes: u64,
}

impl Held {
    pub(super) fn push(&mut self, length: usize) {
        let length = length as u32;
        self.items += 1;
        self.bytes += u64::from(length);
        match self.runs.back_mut() {
            Some((size, count)) if *size == length && *count < u32::MAX => *count += 1,
            _ => self.runs.push_back((length, 1)),
        }
    }

    /// Forgets the oldest items.
    pub(super) fn pop(&mut self, mut count: u64) {
        while count > 0 {
            let Some((size, run)) = self.runs.front_mut() else {
                self.items = 0;
                self.bytes = 0;
                return;
            };
            let taken = count.min(u64::from(*run));
            *run -= taken as u32;
            self.items -= taken;
            self.bytes -= taken * u64::from(*size);
            count -= taken;
            if *run == 0 {
                self.runs.pop_front();
            }
        }
    }

    /// How large the oldest are.
    pub(super) fn bytes_of(&self, mut count: u64) -> u64 {
        if count >= self.items {
            return self.bytes;
        }
        let mut bytes = 0;
        for (size, run) in &self.runs {
            let taken = count.min(u64::from(*run));
            bytes += taken * u64::from(*size);
            count -= taken;
            if count == 0 {
                break;
            }
        }
        bytes
    }

    pub(super) fn fits(&self, length: usize, quota: Quota) -> bool {
        self.items < u64::from(quota.items) && self.bytes + length as u64 <= quota.bytes
    }
}

/// An address while it is in use.
#[derive(Clone)]
pub(super) struct AddressState {
    pub(super) queue: QueueId,
    pub(super) kind: AddressKind,
    pub(super) load: AddressLoad,
}

/// How much of an address's waits undelivered, from above.
///
/// Which item came to which address is not stored, so it is counted here and starts anew with the process (the
/// whole queue's quota is exact and holds across restarts). Two buckets: the older is dropped when the owner has
/// acknowledged its last item, so in steady traffic the count is of at most two rounds of acknowledgement.
#[derive(Clone, Copy, Default)]
pub(super) struct AddressLoad {
    older: Bucket,
    newer: Bucket,
}

#[derive(Clone, Copy, Default)]
struct Bucket {
    items: u32,
    bytes: u64,
    last: u64,
}

impl AddressLoad {
    /// Whether another item fits. `floor`: every sequence below it is gone.
    pub(super) fn fits(&mut self, length: usize, quota: Quota, floor: u64) -> bool {
        for _ in 0..2 {
            if self.older.last < floor {
                self.older = std::mem::take(&mut self.newer);
            }
        }
        self.older.items + self.newer.items < quota.items
            && self.older.bytes + self.newer.bytes + length as u64 <= quota.bytes
    }

    /// Counts an item that [`AddressLoad::fits`].
    pub(super) fn add(&mut self, length: usize, sequence: u64) {
        self.newer.items += 1;
        self.newer.bytes += length as u64;
        self.newer.last = sequence;
    }
}

/// A channel while it is in use; written back before the transaction ends.
#[derive(Clone)]
pub(super) struct ChannelState {
    pub(super) epoch: u64,
    pub(super) lock: [u8; 32],
    pub(super) min_send_epoch: u64,
    pub(super) next_number: u64,
    pub(super) last_commit: Option<([u8; 32], u64)>,
    pub(super) last_used_day: u32,
    /// Paid for with this server's tokens.
    pub(super) hosted: bool,
    pub(super) unsaved: bool,
}

/// The last few answers, by what the sender calls the request.
pub(super) struct Recent<T> {
    answers: HashMap<SendId, T>,
    order: VecDeque<SendId>,
    limit: usize,
}

impl<T: Clone> Recent<T> {
    fn new(limit: usize) -> Self {
        Self {
            answers: HashMap::new(),
            order: VecDeque::new(),
            limit,
        }
    }

    pub(super) fn get(&self, id: &SendId) -> Option<T> {
        self.answers.get(id).cloned()
    }

    pub(super) fn put(&mut self, id: SendId, answer: T) {
        if self.answers.insert(id, answer).is_none() {
            self.order.push_back(id);
        }
        if self.order.len() > self.limit
            && let Some(oldest) = self.order.pop_front()
        {
            self.answers.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const QUOTA: Quota = Quota {
        items: 4,
        bytes: 1000,
    };

    #[test]
    fn an_offline_owner_fills_the_address_and_an_acknowledgement_frees_it() {
        let mut load = AddressLoad::default();
        for sequence in 1..=4 {
            assert!(load.fits(10, QUOTA, 1));
            load.add(10, sequence);
        }
        assert!(!load.fits(10, QUOTA, 1));
        assert!(load.fits(10, QUOTA, 5));
    }

    #[test]
    fn steady_traffic_whose_owner_is_always_a_little_behind_never_fills_it() {
        let mut load = AddressLoad::default();
        for sequence in 1..=1000u64 {
            assert!(
                load.fits(10, QUOTA, sequence.saturating_sub(1)),
                "at {sequence}"
            );
            load.add(10, sequence);
        }
    }

    #[test]
    fn bytes_count_as_well() {
        let mut load = AddressLoad::default();
        assert!(load.fits(1000, QUOTA, 1));
        load.add(900, 1);
        assert!(!load.fits(101, QUOTA, 1));
        assert!(load.fits(100, QUOTA, 1));
    }

    #[test]
    fn held_items_go_oldest_first() {
        let mut held = Held::default();
        for length in [10, 10, 20, 20, 20, 10] {
            held.push(length);
        }
        assert_eq!(
            (held.bytes_of(0), held.bytes_of(3), held.bytes_of(9)),
            (0, 40, 90)
        );
        held.pop(3);
        assert_eq!((held.items, held.bytes), (3, 50));
        held.pop(9);
        assert_eq!((held.items, held.bytes), (0, 0));
    }

    #[test]
    fn only_the_last_few_answers_are_remembered() {
        let mut recent = Recent::new(2);
        let ids = [SendId::random(), SendId::random(), SendId::random()];
        for (number, id) in ids.iter().enumerate() {
            recent.put(*id, number);
        }
        assert_eq!(
            [
                recent.get(&ids[0]),
                recent.get(&ids[1]),
                recent.get(&ids[2])
            ],
            [None, Some(1), Some(2)]
        );
    }
}
