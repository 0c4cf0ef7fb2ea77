//! Growing, jittered pauses between attempts.

use std::time::Duration;

use rand::Rng as _;

/// Doubles with every failure, up to a limit, and is drawn at random from half to the whole of that.
pub(crate) struct Pause {
    failures: u32,
    longest: Duration,
}

const FIRST: Duration = Duration::from_millis(200);
/// The most that a server's hint is worth: one that asks for a year, by malice or by a damaged answer, gets a minute.
const LONGEST_HINT: Duration = Duration::from_secs(60);

impl Pause {
    pub(crate) fn new(longest: Duration) -> Self {
        Self {
            failures: 0,
            longest,
        }
    }

    /// It worked: the next pause is a short one.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }

    /// How long to wait now; at least `hint`, as far as that is reasonable.
    pub(crate) fn next(&mut self, hint: Duration) -> Duration {
        let whole = FIRST
            .saturating_mul(1 << self.failures.min(16))
            .min(self.longest);
        self.failures = self.failures.saturating_add(1);
        let half = whole / 2;
        (half + rand::rng().random_range(Duration::ZERO..=half)).max(hint.min(LONGEST_HINT))
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
            pause.next(Duration::from_secs(50)),
            Duration::from_secs(50),
            "the server's hint counts"
        );
        assert_eq!(pause.next(Duration::MAX), LONGEST_HINT, "to a point");
    }

    /// A thousand apps that lost one server must not come back at one moment.
    #[test]
    fn pauses_are_drawn_from_half_to_the_whole() {
        let longest = Duration::from_secs(60);
        let drawn: Vec<_> = (0..100)
            .map(|_| {
                let mut pause = Pause::new(longest);
                for _ in 0..20 {
                    pause.next(Duration::ZERO);
                }
                pause.next(Duration::ZERO)
            })
            .collect();
        assert!(
            drawn
                .iter()
                .all(|pause| (longest / 2..=longest).contains(pause)),
            "{drawn:?}"
        );
        // All of a hundred in one half of the span, or two alike, is as good as impossible.
        let three_quarters = longest * 3 / 4;
        assert!(drawn.iter().any(|pause| *pause < three_quarters));
        assert!(drawn.iter().any(|pause| *pause > three_quarters));
        let different: std::collections::BTreeSet<_> = drawn.iter().collect();
        assert!(different.len() > 90, "{drawn:?}");
    }
}
