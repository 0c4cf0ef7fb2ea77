//! Time as the store needs it: a UTC day for what is written, and a clock that never jumps for what is only in memory.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::types::Day;

/// Where the store takes time from.
pub trait Clock: Send + Sync + 'static {
    /// Unix seconds, UTC.
    fn unix_s(&self) -> u64;

    /// Time since some fixed moment; never goes back.
    fn monotonic(&self) -> Duration;

    /// UTC day number (days since 1970-01-01).
    fn day(&self) -> Day {
        Day::from_unix_s(self.unix_s())
    }
}

/// The machine's clocks.
pub struct SystemClock(Instant);

impl Default for SystemClock {
    fn default() -> Self {
        Self(Instant::now())
    }
}

impl Clock for SystemClock {
    fn unix_s(&self) -> u64 {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs())
    }

    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }
}

/// A clock that stands still until it is moved; for tests.
pub struct ManualClock {
    unix_s: AtomicU64,
    start_s: u64,
}

impl ManualClock {
    /// Starts at `unix_s`.
    #[must_use]
    pub fn at(unix_s: u64) -> Self {
        Self {
            unix_s: AtomicU64::new(unix_s),
            start_s: unix_s,
        }
    }

    /// Moves forward.
    pub fn advance(&self, by: Duration) {
        self.unix_s.fetch_add(by.as_secs(), Ordering::Relaxed);
    }
}

impl Clock for ManualClock {
    fn unix_s(&self) -> u64 {
        self.unix_s.load(Ordering::Relaxed)
    }

    fn monotonic(&self) -> Duration {
        Duration::from_secs(self.unix_s().saturating_sub(self.start_s))
    }
}
