//! What people of other servers may do here without a token: send on a channel that somebody of this server made, and take a few
//! key packages. Counted by the day, in memory, by channel and address; nobody is known.
//!
//! Only what is done is counted: asking for an allowance, or for what is not there, takes nothing from anybody.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use undertone_wire::ids::{AddressHash, ChannelHash};

use super::credit::{Amount, Price};
use crate::store::Day;

/// Channels and addresses counted at once. Beyond that those that had least are forgotten.
const COUNTED: usize = 100_000;
/// What one visit gives at most.
const REQUESTS_A_VISIT: u64 = 200;
const BYTES_A_VISIT: u64 = 8 << 20;
/// Half of what all channels may have is for those that have had no more than this part of it.
const SMALL_PART: u64 = 4096;
/// A channel that has had less than this part of its day's requests and bytes may be forgotten.
const FORGOTTEN_PART: u64 = 100;

/// How much guests may do in a day.
#[derive(Clone, Copy, Debug)]
pub struct GuestLimits {
    /// Requests by one channel.
    pub requests: u64,
    /// Bytes by one channel, each copy counted.
    pub bytes: u64,
    /// Bytes by all channels.
    pub all_bytes: u64,
    /// Key packages from one address.
    pub key_packages: u32,
}

/// What a visit comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visit {
    /// The channel's guests may do so much now.
    Welcome(Amount),
    /// Likewise, if the store says that it is a channel for guests.
    Unknown(Amount),
    /// They have done today what they may.
    Spent,
}

/// The day's counts.
pub struct Guests {
    limits: GuestLimits,
    counted: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    day: u32,
    /// By all channels; and the part of it that channels took which had had their small part.
    all_bytes: u64,
    large_bytes: u64,
    channels: HashMap<ChannelHash, Amount>,
    /// Channels of which the store has said today that they are for guests.
    known: HashSet<ChannelHash>,
    addresses: HashMap<AddressHash, u32>,
}

impl Guests {
    /// With nothing counted yet.
    #[must_use]
    pub fn new(limits: GuestLimits) -> Self {
        Self {
            limits,
            counted: COUNTED,
            state: Mutex::default(),
        }
    }

    /// What a channel's guests have left today, at most as much as one visit gives. Takes nothing.
    pub fn visit(&self, channel: ChannelHash, today: Day) -> Visit {
        self.today(today, |state| {
            let left = state.left(&self.limits, &channel);
            let granted = Amount {
                requests: left.requests.min(REQUESTS_A_VISIT),
                bytes: left.bytes.min(BYTES_A_VISIT),
            };
            if granted.requests == 0 || granted.bytes == 0 {
                Visit::Spent
            } else if state.known.contains(&channel) {
                Visit::Welcome(granted)
            } else {
                Visit::Unknown(granted)
            }
        })
    }

    /// The store says that this is a channel for guests.
    pub fn is_for_guests(&self, channel: ChannelHash, today: Day) {
        self.today(today, |state| {
            if state.known.len() >= self.counted {
                // The store is asked again.
                state.known.clear();
            }
            state.known.insert(channel);
        });
    }

    /// Counts what a guest does. False, and nothing is counted, if that is more than the channel's guests, or all, have left today.
    pub fn spend(&self, channel: ChannelHash, price: Price, today: Day) -> bool {
        self.today(today, |state| {
            let left = state.left(&self.limits, &channel);
            if left.requests < price.requests || left.bytes < price.bytes {
                return false;
            }
            if state.channels.len() >= self.counted && !state.channels.contains_key(&channel) {
                let GuestLimits {
                    requests, bytes, ..
                } = self.limits;
                state.channels.retain(|_, had| {
                    had.requests >= requests / FORGOTTEN_PART || had.bytes >= bytes / FORGOTTEN_PART
                });
                if state.channels.len() >= self.counted {
                    return false;
                }
            }
            let had = state.channels.entry(channel).or_default();
            had.add(price.requests, price.bytes);
            if had.bytes > self.limits.small_part() {
                state.large_bytes += price.bytes;
            }
            state.all_bytes += price.bytes;
            true
        })
    }

    /// Whether one more key package of each of these may be taken without a token; counts them if so. Addresses that exist.
    pub fn may_take(&self, addresses: &[AddressHash], today: Day) -> bool {
        let most = self.limits.key_packages;
        self.today(today, |state| {
            if state.addresses.len() + addresses.len() > self.counted {
                state.addresses.retain(|_, taken| *taken > most / 2);
            }
            if state.addresses.len() + addresses.len() > self.counted
                || addresses.iter().any(|address| {
                    state
                        .addresses
                        .get(address)
                        .is_some_and(|taken| *taken >= most)
                })
                || most == 0
            {
                return false;
            }
            for address in addresses {
                *state.addresses.entry(*address).or_default() += 1;
            }
            true
        })
    }

    fn today<T>(&self, today: Day, act: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.day != today.0 {
            *state = State {
                day: today.0,
                ..State::default()
            };
        }
        act(&mut state)
    }
}

impl GuestLimits {
    fn small_part(&self) -> u64 {
        self.all_bytes / SMALL_PART
    }
}

impl State {
    fn left(&self, limits: &GuestLimits, channel: &ChannelHash) -> Amount {
        let had = self.channels.get(channel).copied().unwrap_or_default();
        let small = limits.small_part().saturating_sub(had.bytes);
        let large = (limits.all_bytes / 2).saturating_sub(self.large_bytes);
        Amount {
            requests: limits.requests.saturating_sub(had.requests),
            bytes: (limits.bytes.saturating_sub(had.bytes))
                .min(small.max(large))
                .min(limits.all_bytes.saturating_sub(self.all_bytes)),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const MIB: u64 = 1 << 20;

    fn guests() -> Guests {
        Guests::new(GuestLimits {
            requests: 250,
            bytes: 10 * MIB,
            all_bytes: 32 * MIB,
            key_packages: 2,
        })
    }

    fn channel(number: u32) -> ChannelHash {
        let mut name = [0; 32];
        name[..4].copy_from_slice(&number.to_be_bytes());
        ChannelHash::new(name)
    }

    fn price(requests: u64, bytes: u64) -> Price {
        Price {
            requests,
            bytes,
            small: false,
        }
    }

    fn unknown(requests: u64, bytes: u64) -> Visit {
        Visit::Unknown(Amount { requests, bytes })
    }

    #[test]
    fn a_channels_guests_share_what_it_has_a_day() {
        let (guests, channel) = (guests(), channel(1));
        assert_eq!(guests.visit(channel, Day(1)), unknown(200, 8 * MIB));
        assert!(guests.spend(channel, price(200, 8 * MIB), Day(1)));
        assert_eq!(guests.visit(channel, Day(1)), unknown(50, 2 * MIB));
        assert!(!guests.spend(channel, price(51, 1), Day(1)));
        assert!(!guests.spend(channel, price(1, 2 * MIB + 1), Day(1)));
        assert!(guests.spend(channel, price(50, 1), Day(1)));
        assert_eq!(guests.visit(channel, Day(1)), Visit::Spent);
        assert_eq!(guests.visit(channel, Day(2)), unknown(200, 8 * MIB));
    }

    #[test]
    fn asking_takes_nothing_from_anybody() {
        let guests = guests();
        for number in 0..3000 {
            assert_eq!(
                guests.visit(channel(number % 41), Day(1)),
                unknown(200, 8 * MIB)
            );
        }
        assert!(guests.spend(channel(50), price(1, 8 * MIB), Day(1)));
        guests.is_for_guests(channel(50), Day(1));
        let (requests, bytes) = (200, 2 * MIB);
        let welcome = Visit::Welcome(Amount { requests, bytes });
        assert_eq!(guests.visit(channel(50), Day(1)), welcome);
    }

    #[test]
    fn many_channels_do_not_give_more_than_all_may_have() {
        let guests = guests();
        let mut spent = 0;
        for number in 0..100 {
            for bytes in [8 * MIB, 2 * MIB] {
                if guests.spend(channel(number), price(1, bytes), Day(1)) {
                    spent += bytes;
                }
            }
        }
        assert_eq!(spent, 16 * MIB, "the rest is for those that had little");
        let small = 32 * MIB / 4096;
        let mut others = 0;
        for number in 100..10_000 {
            others += u64::from(guests.spend(channel(number), price(1, small), Day(1)));
        }
        assert_eq!(others, 2048);
        assert_eq!(guests.visit(channel(10_000), Day(1)), Visit::Spent);
    }

    #[test]
    fn a_pool_is_not_emptied_by_strangers_in_a_day() {
        let guests = guests();
        let address = [AddressHash::new([1; 32])];
        assert!(guests.may_take(&address, Day(1)));
        assert!(guests.may_take(&address, Day(1)));
        assert!(!guests.may_take(&address, Day(1)));
        assert!(guests.may_take(&[AddressHash::new([2; 32])], Day(1)));
        assert!(guests.may_take(&address, Day(2)));
    }

    #[test]
    fn those_that_had_least_are_forgotten_first() {
        let guests = Guests {
            counted: 100,
            ..guests()
        };
        let spend = |number, bytes| guests.spend(channel(number), price(1, bytes), Day(1));
        assert!(spend(0, 10 * MIB));
        for number in 1..1000 {
            assert!(spend(number, 1));
        }
        assert!(!spend(0, 1), "it had all it may");

        let address = |number: u32| [AddressHash::new(*channel(number).as_bytes())];
        let take = |number| guests.may_take(&address(number), Day(1));
        assert!(take(0) && take(0));
        for number in 1..1000 {
            assert!(take(number));
        }
        assert!(!take(0));
    }
}
