//! How often something may be done in all: a bucket that fills by the minute. It lives in memory and knows nobody.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// So many at once, and so many a minute.
pub struct Rate {
    per_minute: u32,
    state: Mutex<State>,
}

struct State {
    /// Millionths of one.
    left: u64,
    at: Duration,
}

const ONE: u64 = 1_000_000;

impl Rate {
    /// A full bucket.
    #[must_use]
    pub fn per_minute(per_minute: u32) -> Self {
        Self {
            per_minute,
            state: Mutex::new(State {
                left: u64::from(per_minute) * ONE,
                at: Duration::ZERO,
            }),
        }
    }

    /// Takes one at `now`, of a clock that never goes back. False: there is none at present.
    pub fn take(&self, now: Duration) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let passed_us = u64::try_from(now.saturating_sub(state.at).as_micros()).unwrap_or(u64::MAX);
        let most = u64::from(self.per_minute) * ONE;
        let gained = passed_us.saturating_mul(u64::from(self.per_minute)) / 60;
        state.left = state.left.saturating_add(gained).min(most);
        state.at = now;
        match state.left.checked_sub(ONE) {
            Some(left) => {
                state.left = left;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_brings_so_many_and_no_more_are_saved_up() {
        let rate = Rate::per_minute(3);
        let taken = |now| {
            (0..10)
                .filter(|_| rate.take(Duration::from_secs(now)))
                .count()
        };
        assert_eq!(taken(1000), 3);
        assert_eq!(taken(1010), 0);
        assert_eq!(taken(1030), 1, "half a minute and what was left of it");
        assert_eq!(taken(10_000), 3);
    }
}
