//! Growing, jittered pauses between attempts.

use std::time::Duration;

use rand::Rng as _;

/// Doubles with every failure, up to a limit, and is drawn at random from half to the whole of that.
pub(super) struct Pause {
    failures: u32,
    longest: Duration,
}

const FIRST: Duration = Duration::from_millis(200);

impl Pause {
    pub(super) fn new(longest: Duration) -> Self {
        Self {
            failures: 0,
            longest,
        }
    }

    /// It worked: the next pause is a short one.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }

    /// How long to wait now; at least `hint`.
    pub(super) fn next(&mut self, hint: Duration) -> Duration {
        let whole = FIRST
            .saturating_mul(1 << self.failures.min(16))
            .min(self.longest);
        self.failures = self.failures.saturating_add(1);
        let half = whole / 2;
        (half + rand::rng().random_range(Duration::ZERO..=half)).max(hint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_the_limit_and_no_further() {
        let mut pause = Pause::new(Duration::from_secs(60));
        let mut before = Duration::ZERO;
        for _ in 0..12 {
            let now = pause.next(Duration::ZERO);
            assert!(now * 4 >= before && now <= Duration::from_secs(60));
            before = now;
        }
        assert!(before >= Duration::from_secs(30));
        pause.reset();
        assert!(pause.next(Duration::ZERO) <= FIRST);
        assert_eq!(
            pause.next(Duration::from_secs(90)),
            Duration::from_secs(90),
            "the server's hint counts"
        );
    }
}
