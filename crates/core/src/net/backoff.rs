//! How long to wait before the next attempt.
//!
//! There is no clock and no generator in here: the caller brings randomness and does the waiting.

use std::time::Duration;

use rand::Rng;

/// Exponential backoff with jitter: attempt n waits between half and all of `first * 2^n`, at most `most`.
///
/// The jitter keeps a thousand apps from coming back in the same second after a server was away.
#[derive(Clone, Debug)]
pub struct Backoff {
    first: Duration,
    most: Duration,
    attempt: u32,
}

impl Backoff {
    /// For reconnecting: half a second at first, two minutes at most.
    #[must_use]
    pub const fn for_reconnecting() -> Self {
        Self::new(Duration::from_millis(500), Duration::from_secs(120))
    }

    /// With bounds of one's own.
    #[must_use]
    pub const fn new(first: Duration, most: Duration) -> Self {
        Self {
            first,
            most,
            attempt: 0,
        }
    }

    /// The wait before the next attempt; each call counts as a failed one.
    pub fn wait(&mut self, rng: &mut impl Rng) -> Duration {
        let ceiling = self
            .first
            .saturating_mul(1u32.checked_shl(self.attempt).unwrap_or(u32::MAX))
            .min(self.most);
        self.attempt = self.attempt.saturating_add(1);
        let half = ceiling / 2;
        half + half.mul_f64(rng.random::<f64>())
    }

    /// As [`Self::wait`], and not before the server's hint has passed.
    pub fn wait_at_least(&mut self, hint: Duration, rng: &mut impl Rng) -> Duration {
        let wait = self.wait(rng);
        if hint > wait {
            hint + self.first.mul_f64(rng.random::<f64>())
        } else {
            wait
        }
    }

    /// After a success.
    pub const fn reset(&mut self) {
        self.attempt = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{SeedableRng as _, rngs::StdRng};

    #[test]
    fn waits_grow_stay_bounded_and_start_over() {
        let mut rng = StdRng::seed_from_u64(1);
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(60));
        for ceiling in [1, 2, 4, 8, 16, 32, 60, 60] {
            let wait = backoff.wait(&mut rng);
            assert!(
                wait >= Duration::from_secs(ceiling) / 2 && wait <= Duration::from_secs(ceiling)
            );
        }
        for _ in 0..100 {
            assert!(backoff.wait(&mut rng) <= Duration::from_secs(60));
        }
        backoff.reset();
        assert!(backoff.wait(&mut rng) <= Duration::from_secs(1));
    }

    #[test]
    fn a_hint_is_respected_and_spread() {
        let mut rng = StdRng::seed_from_u64(1);
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(60));
        let hint = Duration::from_secs(30);
        let waits: Vec<_> = (0..4)
            .map(|_| backoff.clone().wait_at_least(hint, &mut rng))
            .collect();
        assert!(
            waits
                .iter()
                .all(|wait| *wait >= hint && *wait <= Duration::from_secs(31))
        );
        assert!(waits.windows(2).all(|pair| pair[0] != pair[1]));
        assert!(backoff.wait_at_least(Duration::ZERO, &mut rng) <= Duration::from_secs(1));
    }
}
