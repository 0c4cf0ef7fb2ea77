//! Conversations in which the server's answers lead nowhere: it refuses in turns, or says what makes no sense. Each round pays for its
//! requests, so after a few of them such a conversation waits, longer and longer. The others go on.

use std::{
    collections::{HashMap, HashSet},
    time::{Duration, Instant},
};

use super::pause::Pause;

/// Rounds without result that are no reason to wait: an epoch that was lost, a channel that had to be made.
const FREE: u32 = 4;
/// The longest wait: somebody may be waiting for an answer.
const LONGEST: Duration = Duration::from_secs(45);

struct Stall {
    rounds: u32,
    until: Option<Instant>,
    pause: Pause,
}

/// By conversation.
pub(super) struct Stalls {
    longest: Duration,
    rows: HashMap<i64, Stall>,
}

impl Stalls {
    pub(super) fn new(reconnect_to: Duration) -> Self {
        Self {
            longest: reconnect_to.saturating_mul(10).min(LONGEST),
            rows: HashMap::new(),
        }
    }

    /// Those that wait now.
    pub(super) fn waiting(&self, now: Instant) -> HashSet<i64> {
        self.rows
            .iter()
            .filter(|(_, stall)| stall.until.is_some_and(|until| until > now))
            .map(|(conversation, _)| *conversation)
            .collect()
    }

    /// How long until the first of them has waited enough.
    pub(super) fn next(&self, now: Instant) -> Option<Duration> {
        self.rows
            .values()
            .filter_map(|stall| stall.until?.checked_duration_since(now))
            .filter(|wait| !wait.is_zero())
            .min()
    }

    /// A new connection is a new chance for all; how long the next wait is stays as it was. Connections have pauses of their own.
    pub(super) fn forgive(&mut self) {
        for stall in self.rows.values_mut() {
            stall.until = None;
        }
    }

    /// A round of this conversation is over; `moved`: the server took something.
    pub(super) fn note(&mut self, conversation: i64, moved: bool, now: Instant) {
        if moved {
            self.rows.remove(&conversation);
            return;
        }
        let longest = self.longest;
        let stall = self.rows.entry(conversation).or_insert_with(|| Stall {
            rounds: 0,
            until: None,
            pause: Pause::new(longest),
        });
        stall.rounds += 1;
        if stall.rounds >= FREE {
            stall.until = Some(now + stall.pause.next(Duration::ZERO));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leads_nowhere_waits_longer_and_longer_and_the_others_do_not() {
        let mut stalls = Stalls::new(Duration::from_secs(6));
        let begin = Instant::now();
        let mut now = begin;
        for _ in 1..FREE {
            stalls.note(1, false, now);
            assert!(stalls.waiting(now).is_empty() && stalls.next(now).is_none());
        }
        let mut rounds = 0;
        while now < begin + Duration::from_secs(3600) {
            stalls.note(1, false, now);
            stalls.note(2, true, now);
            assert_eq!(stalls.waiting(now), HashSet::from([1]));
            let wait = stalls.next(now).expect("it waits");
            assert!(wait <= Duration::from_secs(60));
            now += wait;
            assert!(stalls.waiting(now).is_empty());
            rounds += 1;
        }
        assert!(rounds < 140, "{rounds} rounds in an hour");
        stalls.note(1, true, now);
        stalls.note(1, false, now);
        assert!(stalls.waiting(now).is_empty(), "it begins anew");
    }
}
