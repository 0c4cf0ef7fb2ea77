//! What people of other servers may do here without a token: send on a channel that somebody of this server made, and take a few
//! key packages. Counted by the day, in memory, by channel and address; nobody is known.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use undertone_wire::ids::{AddressHash, ChannelHash};

use crate::store::Day;

/// Channels and addresses counted at once; beyond that nobody new is served until tomorrow.
const COUNTED: usize = 100_000;
/// What one visit gives at most.
const REQUESTS_A_VISIT: u64 = 200;
const BYTES_A_VISIT: u64 = 8 << 20;

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

/// The day's counts.
pub struct Guests {
    limits: GuestLimits,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    day: u32,
    all_bytes: u64,
    channels: HashMap<ChannelHash, (u64, u64)>,
    addresses: HashMap<AddressHash, u32>,
}

impl Guests {
    /// With nothing counted yet.
    #[must_use]
    pub fn new(limits: GuestLimits) -> Self {
        Self {
            limits,
            state: Mutex::default(),
        }
    }

    /// Requests and bytes for one connection, taken from what the channel's guests have left today. None: nothing is left.
    pub fn visit(&self, channel: ChannelHash, today: Day) -> Option<(u64, u64)> {
        let limits = self.limits;
        self.today(today, |state| {
            if state.channels.len() >= COUNTED && !state.channels.contains_key(&channel) {
                return None;
            }
            let (requests, bytes) = state.channels.get(&channel).copied().unwrap_or_default();
            let left = (limits.bytes.saturating_sub(bytes))
                .min(limits.all_bytes.saturating_sub(state.all_bytes));
            let granted = (
                limits
                    .requests
                    .saturating_sub(requests)
                    .min(REQUESTS_A_VISIT),
                left.min(BYTES_A_VISIT),
            );
            if granted.0 == 0 || granted.1 == 0 {
                return None;
            }
            state
                .channels
                .insert(channel, (requests + granted.0, bytes + granted.1));
            state.all_bytes += granted.1;
            Some(granted)
        })
    }

    /// Whether one more key package of each of these may be taken without a token; counts them if so.
    pub fn may_take(&self, addresses: &[AddressHash], today: Day) -> bool {
        let most = self.limits.key_packages;
        self.today(today, |state| {
            if state.addresses.len() + addresses.len() > COUNTED
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn guests() -> Guests {
        Guests::new(GuestLimits {
            requests: 250,
            bytes: 10 << 20,
            all_bytes: 25 << 20,
            key_packages: 2,
        })
    }

    #[test]
    fn a_channels_guests_share_what_it_has_a_day() {
        let guests = guests();
        let channel = ChannelHash::new([1; 32]);
        assert_eq!(guests.visit(channel, Day(1)), Some((200, 8 << 20)));
        assert_eq!(guests.visit(channel, Day(1)), Some((50, 2 << 20)));
        assert_eq!(guests.visit(channel, Day(1)), None);
        assert_eq!(guests.visit(channel, Day(2)), Some((200, 8 << 20)));
    }

    #[test]
    fn many_channels_do_not_give_more_than_all_may_have() {
        let guests = guests();
        let granted: u64 = (0..100)
            .filter_map(|channel| guests.visit(ChannelHash::new([channel; 32]), Day(1)))
            .map(|(_, bytes)| bytes)
            .sum();
        assert_eq!(granted, 25 << 20);
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
}
