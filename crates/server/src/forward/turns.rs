//! Whose turn it is: which of the servers for which something waits is tried next.
//!
//! What apps name as servers may be nobody, or somebody who answers as slowly as can be. So those that took what was brought last time
//! have half of the places to themselves; the rest is for those that were never tried and, apart from them, for those that could
//! not be reached, and no host has more than two of these.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use tokio::time::Instant;

use crate::store::sqlite::host_of;

/// Servers that are being served at once.
const AT_ONCE: usize = 32;
/// Of them, never tried before; and such as could not be reached.
const NEW_AT_ONCE: usize = 8;
const AWAY_AT_ONCE: usize = 8;
/// Of both on one host.
const ON_ONE_HOST: usize = 2;
/// Attempts that may fail before a server that used to answer counts as away.
const FAILURES: u32 = 3;
/// The first pause after a failure.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// Servers that are remembered although nothing waits for them.
const REMEMBERED: usize = 4096;

/// What is known of a server, for as long as the process runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Standing {
    /// Never tried.
    New,
    /// It takes what is brought.
    Good,
    /// It could not be reached.
    Away,
}

struct Server {
    standing: Standing,
    failures: u32,
    /// Not before then, and how long that pause was.
    until: Instant,
    pause: Duration,
    /// When it was first seen to have something waiting, or last tried: whoever has waited the longest is next.
    since: Instant,
    host: String,
}

/// Who is served, and when the others are.
pub(super) struct Turns {
    longest_pause: Duration,
    servers: HashMap<String, Server>,
    busy: HashMap<String, Standing>,
}

impl Turns {
    pub(super) fn new(longest_pause: Duration) -> Self {
        Self {
            longest_pause,
            servers: HashMap::new(),
            busy: HashMap::new(),
        }
    }

    /// Picks those of the `waiting` that are to be served now.
    pub(super) fn next(&mut self, waiting: &[String], now: Instant) -> Vec<(String, Standing)> {
        self.look_at(waiting, now);
        let mut candidates: Vec<(&String, &Server)> = waiting
            .iter()
            .filter(|name| !self.busy.contains_key(*name))
            .filter_map(|name| self.servers.get_key_value(name))
            .filter(|(_, server)| server.until <= now)
            .collect();
        // Of those never tried the last first: whoever puts many before it delays it by no more than one attempt.
        candidates.sort_by_key(|(_, server)| server.since);
        let (new, known): (Vec<_>, Vec<_>) = candidates
            .into_iter()
            .partition(|(_, server)| server.standing == Standing::New);
        let mut chosen = Vec::new();
        for (name, server) in known.into_iter().chain(new.into_iter().rev()) {
            if self.has_place_for(server) {
                self.busy.insert(name.clone(), server.standing);
                chosen.push((name.clone(), server.standing));
            }
        }
        chosen
    }

    fn has_place_for(&self, server: &Server) -> bool {
        let of = |standing| self.busy.values().filter(|busy| **busy == standing).count();
        let most = match server.standing {
            Standing::Good => return self.busy.len() < AT_ONCE,
            Standing::New => NEW_AT_ONCE,
            Standing::Away => AWAY_AT_ONCE,
        };
        let on_host = self
            .busy
            .iter()
            .filter(|(_, standing)| **standing != Standing::Good)
            .filter_map(|(name, _)| self.servers.get(name))
            .filter(|busy| busy.host == server.host)
            .count();
        self.busy.len() < AT_ONCE && of(server.standing) < most && on_host < ON_ONE_HOST
    }

    fn look_at(&mut self, waiting: &[String], now: Instant) {
        for name in waiting {
            if !self.servers.contains_key(name) {
                let new = Server {
                    standing: Standing::New,
                    failures: 0,
                    until: now,
                    pause: Duration::ZERO,
                    since: now,
                    host: host_of(name),
                };
                self.servers.insert(name.clone(), new);
            }
        }
        if self.servers.len() > waiting.len() {
            let waiting: HashSet<&String> = waiting.iter().collect();
            let mut room = REMEMBERED;
            let busy = &self.busy;
            self.servers.retain(|name, server| {
                waiting.contains(name) || busy.contains_key(name) || {
                    room = room.saturating_sub(1);
                    server.standing == Standing::Good && room > 0
                }
            });
        }
    }

    /// An attempt is over. `took`: it took something; `all`: there is no more.
    pub(super) fn over(&mut self, name: &str, took: bool, all: bool, now: Instant) {
        self.busy.remove(name);
        let Some(server) = self.servers.get_mut(name) else {
            return;
        };
        server.since = now;
        if took || all {
            server.standing = Standing::Good;
            server.failures = 0;
            server.pause = Duration::ZERO;
        }
        if all {
            server.until = now;
            return;
        }
        server.failures += 1;
        if server.standing == Standing::New || server.failures >= FAILURES {
            server.standing = Standing::Away;
        }
        server.pause = if server.pause.is_zero() {
            FIRST_PAUSE
        } else {
            server.pause.saturating_mul(2)
        }
        .min(self.longest_pause);
        server.until = now + server.pause;
    }

    /// When the next pause ends. Those that have no place yet are not waited for by the clock: a place is free when an attempt is over.
    pub(super) fn wake(&self, now: Instant) -> Option<Instant> {
        self.servers
            .iter()
            .filter(|(name, server)| server.until > now && !self.busy.contains_key(*name))
            .map(|(_, server)| server.until)
            .min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(hosts: std::ops::Range<usize>) -> Vec<String> {
        let pin = undertone_wire::ids::Pin::random();
        hosts
            .map(|host| format!("h{host}.example:7443+{pin}"))
            .collect()
    }

    fn chosen(turns: &mut Turns, waiting: &[String], now: Instant) -> Vec<String> {
        let next = turns.next(waiting, now);
        next.into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn two_hundred_that_never_answer_hold_up_nobody_who_does() {
        let mut turns = Turns::new(Duration::from_secs(300));
        let mut now = Instant::now();
        let live = names(1000..1001);
        assert_eq!(chosen(&mut turns, &live, now), live);
        turns.over(&live[0], true, true, now);
        let silent = names(0..200);
        let mut under_way = chosen(&mut turns, &silent, now);
        assert_eq!(under_way.len(), NEW_AT_ONCE);
        // However often they are tried: there is a place for the one that answers at once, and soon for one that is new.
        for round in 0..100 {
            let all = [&silent[..], &live[..]].concat();
            let next = chosen(&mut turns, &all, now);
            assert!(next.contains(&live[0]), "{round}");
            turns.over(&live[0], true, true, now);
            under_way.extend(next.into_iter().filter(|name| *name != live[0]));
            now += Duration::from_secs(10);
            for standing in [Standing::New, Standing::Away] {
                let one = under_way
                    .iter()
                    .position(|name| turns.busy[name] == standing);
                if let Some(one) = one {
                    turns.over(&under_way.remove(one), false, false, now);
                }
            }
            let newcomer = names(2000 + round..2001 + round);
            let all = [&silent[..], &newcomer[..]].concat();
            let next = chosen(&mut turns, &all, now);
            assert!(next.contains(&newcomer[0]), "{round}");
            turns.over(&newcomer[0], true, true, now);
            under_way.extend(next.into_iter().filter(|name| *name != newcomer[0]));
            assert!(turns.busy.len() <= NEW_AT_ONCE + AWAY_AT_ONCE);
        }
        let tried = turns
            .servers
            .values()
            .filter(|server| server.standing == Standing::Away)
            .count();
        assert!(tried > 50, "{tried} of the silent ones were tried");
    }

    #[test]
    fn one_host_has_two_places() {
        let mut turns = Turns::new(Duration::from_secs(300));
        let now = Instant::now();
        let pin = undertone_wire::ids::Pin::random();
        let ports: Vec<_> = (1..50)
            .map(|port| format!("evil.example:{port}+{pin}"))
            .collect();
        assert_eq!(chosen(&mut turns, &ports, now).len(), ON_ONE_HOST);
        assert_eq!(chosen(&mut turns, &ports, now).len(), 0);
    }

    #[test]
    fn whoever_has_waited_the_longest_is_next_and_pauses_grow() {
        let mut turns = Turns::new(Duration::from_secs(5));
        let start = Instant::now();
        let all = names(0..20);
        let (mut now, mut order) = (start, Vec::new());
        while order.len() < all.len() {
            for name in chosen(&mut turns, &all, now) {
                now += Duration::from_millis(1);
                turns.over(&name, false, false, now);
                order.push(name);
            }
        }
        let now = start + Duration::from_secs(60);
        assert_eq!(chosen(&mut turns, &all, now), order[..AWAY_AT_ONCE]);
        turns.over(&order[0], false, false, now);
        assert_eq!(turns.servers[&order[0]].pause, Duration::from_secs(2));
        assert_eq!(turns.wake(now), Some(now + Duration::from_secs(2)));
        // One that used to answer has a few attempts before it is one of these.
        turns.over(&order[1], true, false, now);
        assert_eq!(turns.servers[&order[1]].standing, Standing::Good);
        turns.over(&order[1], false, false, now);
        turns.over(&order[1], false, false, now);
        assert_eq!(turns.servers[&order[1]].standing, Standing::Away);
    }
}
