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

/// The machine's clocks. In debug builds `UNDERTONE_TEST_CLOCK_OFF_S` moves the one that is set by so many seconds, for tests that run the server as a
/// process of its own; release builds know nothing of it.
pub struct SystemClock(Instant);

impl Default for SystemClock {
    fn default() -> Self {
        Self(Instant::now())
    }
}

#[cfg(debug_assertions)]
fn off_s() -> u64 {
    static OFF_S: std::sync::OnceLock<u64> = std::sync::OnceLock::new();
    *OFF_S.get_or_init(|| {
        let off = std::env::var("UNDERTONE_TEST_CLOCK_OFF_S").ok();
        off.and_then(|off| off.parse().ok()).unwrap_or(0)
    })
}

#[cfg(not(debug_assertions))]
fn off_s() -> u64 {
    0
}

impl Clock for SystemClock {
    fn unix_s(&self) -> u64 {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs())
            .saturating_add(off_s())
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
