//! The clock of a device in tests.

use std::sync::atomic::{AtomicI64, Ordering::SeqCst};

use undertone_core::{Clock, SystemClock};

/// The system's clock, moved.
#[derive(Default)]
pub struct TestClock {
    off_ms: AtomicI64,
    passed_ms: AtomicI64,
}

impl TestClock {
    /// Moves it by so much from where the system's clock is.
    pub fn set_off_ms(&self, off_ms: i64) {
        self.off_ms.store(off_ms, SeqCst);
    }

    /// Moves it by so much from where it is.
    pub fn jump_ms(&self, ms: i64) {
        self.off_ms.fetch_add(ms, SeqCst);
    }

    /// Lets time pass: for the system's clock and for the one that nobody sets.
    pub fn pass_ms(&self, ms: i64) {
        self.off_ms.fetch_add(ms, SeqCst);
        self.passed_ms.fetch_add(ms, SeqCst);
    }
}

impl Clock for TestClock {
    fn now_ms(&self) -> i64 {
        SystemClock.now_ms() + self.off_ms.load(SeqCst)
    }

    fn steady_ms(&self) -> i64 {
        SystemClock.steady_ms() + self.passed_ms.load(SeqCst)
    }
}
