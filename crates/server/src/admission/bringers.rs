//! How often other servers may bring something.
//!
//! Anybody can make up a server and have it sign. So those whose parcels have reached somebody here lately have half of all requests
//! to themselves, each a part of it, and the made-up ones can only take the other half from each other. Who they are is remembered
//! in memory only.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use undertone_wire::ids::Pin;

use super::rate::Rate;

/// Servers remembered.
const REMEMBERED: usize = 4096;
/// What one of them may take of what they have together.
const PART: u32 = 8;
/// How long one is remembered after something of it reached somebody.
const LATELY: Duration = Duration::from_secs(7 * 86_400);

/// See the module.
pub struct Bringers {
    part: u32,
    anybody: Rate,
    known: Rate,
    servers: Mutex<HashMap<Pin, Known>>,
}

struct Known {
    reached: Duration,
    rate: Rate,
}

impl Bringers {
    /// So many requests a minute in all.
    #[must_use]
    pub fn per_minute(all: u32) -> Self {
        let half = all.div_ceil(2);
        Self {
            part: half.div_ceil(PART),
            anybody: Rate::per_minute(half),
            known: Rate::per_minute(half),
            servers: Mutex::default(),
        }
    }

    /// Whether a server may bring something at `now`, of a clock that never goes back. Ask when its signature has been checked.
    pub fn may_bring(&self, server: &Pin, now: Duration) -> bool {
        let own = self.servers().get(server).is_some_and(|known| {
            now.saturating_sub(known.reached) < LATELY && known.rate.take(now)
        });
        (own && self.known.take(now)) || self.anybody.take(now)
    }

    /// Something that it brought reached somebody.
    pub fn reached_somebody(&self, server: Pin, now: Duration) {
        let mut servers = self.servers();
        if let Some(known) = servers.get_mut(&server) {
            known.reached = now;
            return;
        }
        if servers.len() >= REMEMBERED {
            let oldest = servers.iter().min_by_key(|(_, known)| known.reached);
            if let Some(oldest) = oldest.map(|(pin, _)| *pin) {
                servers.remove(&oldest);
            }
        }
        let known = Known {
            reached: now,
            rate: Rate::per_minute(self.part),
        };
        servers.insert(server, known);
    }

    fn servers(&self) -> MutexGuard<'_, HashMap<Pin, Known>> {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_makes_servers_up_leaves_the_others_their_half() {
        let bringers = Bringers::per_minute(160);
        let now = Duration::from_secs(1000);
        let known = Pin::random();
        bringers.reached_somebody(known, now);
        let taken = (0..1000)
            .filter(|_| bringers.may_bring(&Pin::random(), now))
            .count();
        assert_eq!(taken, 80);
        let own = (0..1000)
            .filter(|_| bringers.may_bring(&known, now))
            .count();
        assert_eq!(own, 10, "its part, and no more");
        let later = now + LATELY;
        assert!(bringers.may_bring(&known, later), "there is room again");
        let taken = (0..1000)
            .filter(|_| bringers.may_bring(&known, later))
            .count();
        assert_eq!(taken, 79, "it is one of many by now");
    }
}
