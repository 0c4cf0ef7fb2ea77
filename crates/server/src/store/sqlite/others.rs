//! How much may wait for which other server.
//!
//! What an app names as another server may be no server at all, so one that never took anything (since this process began) is a
//! stranger. Strangers have a small part of the room for themselves, and a few days; when it is full, the one that has been out of
//! reach for the longest makes room for the next. So whoever makes servers up crowds out what never answered, and nothing else.
//! Who has answered is remembered in memory only: a list of the servers that this one has to do with is nothing for a disk.

use std::collections::HashMap;
use std::time::Duration;

use undertone_wire::origin::ServerAddress;

use crate::store::{Day, StoreLimits};

/// Servers remembered of each sort. There is no room for as many to wait.
const REMEMBERED: usize = 16_384;

/// What is known of other servers, while the process runs.
#[derive(Default)]
pub(super) struct Others {
    /// The last day on which it took something.
    answered: HashMap<String, Day>,
    /// Since when it could not be reached, for those for which something waits.
    unreached: HashMap<String, Duration>,
}

impl Others {
    pub(super) fn took_something(&mut self, server: &str, today: Day) {
        self.unreached.remove(server);
        match self.answered.get_mut(server) {
            Some(day) => *day = today,
            None => {
                if self.answered.len() >= REMEMBERED {
                    self.answered.retain(|_, day| *day == today);
                }
                if self.answered.len() < REMEMBERED {
                    self.answered.insert(server.to_owned(), today);
                }
            }
        }
    }

    pub(super) fn was_not_reached(&mut self, server: &str, now: Duration) {
        if self.unreached.len() < REMEMBERED {
            self.unreached.entry(server.to_owned()).or_insert(now);
        }
    }

    /// Nothing waits for it any more.
    pub(super) fn has_nothing_waiting(&mut self, server: &str) {
        self.unreached.remove(server);
    }

    pub(super) fn is_stranger(&self, server: &str, today: Day, limits: &StoreLimits) -> bool {
        self.answered
            .get(server)
            .is_none_or(|day| day.plus(limits.item_days) < today)
    }
}

/// What waits for one server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Waiting {
    pub(super) next_sequence: u64,
    pub(super) bytes: u64,
    pub(super) stranger: bool,
}

/// Servers and bytes.
#[derive(Clone, Copy, Default)]
struct Share {
    servers: usize,
    bytes: u64,
}

/// What of a send's parcels there is room for, decided before anything is written.
pub(super) struct Room<'a> {
    waiting: &'a HashMap<String, Waiting>,
    others: &'a Others,
    limits: &'a StoreLimits,
    today: Day,
    all: Share,
    strangers: Share,
    /// What this send adds to.
    touched: HashMap<&'a str, Waiting>,
    /// Those that make room.
    crowded_out: Vec<&'a str>,
}

impl<'a> Room<'a> {
    pub(super) fn new(
        waiting: &'a HashMap<String, Waiting>,
        others: &'a Others,
        limits: &'a StoreLimits,
        today: Day,
    ) -> Self {
        let (mut all, mut strangers) = (Share::default(), Share::default());
        for server in waiting.values() {
            all.servers += 1;
            all.bytes += server.bytes;
            if server.stranger {
                strangers.servers += 1;
                strangers.bytes += server.bytes;
            }
        }
        Self {
            waiting,
            others,
            limits,
            today,
            all,
            strangers,
            touched: HashMap::new(),
            crowded_out: Vec::new(),
        }
    }

    /// Takes room for a parcel, if there is any.
    pub(super) fn take(&mut self, server: &'a str, weight: u64) -> bool {
        let limits = self.limits;
        let held = self.held(server);
        let stranger = held.map_or_else(
            || self.others.is_stranger(server, self.today, limits),
            |held| held.stranger,
        );
        let most = if stranger {
            limits
                .stranger_bytes_per_server
                .min(limits.parcel_bytes_per_server)
        } else {
            limits.parcel_bytes_per_server
        };
        if held.map_or(0, |held| held.bytes) + weight > most {
            return false;
        }
        let one_more = usize::from(held.is_none());
        if stranger && held.is_none() && !self.make_room_on_host(server) {
            return false;
        }
        loop {
            let (all, strangers) = (self.all, self.strangers);
            let fits = all.servers + one_more <= limits.parcel_servers
                && all.bytes + weight <= limits.parcel_bytes;
            let fits_strangers = strangers.servers + one_more <= limits.strangers()
                && strangers.bytes + weight <= limits.stranger_bytes();
            if fits && (fits_strangers || !stranger) {
                break;
            }
            if !self.crowd_out(server, |_| true) {
                return false;
            }
        }
        self.all.servers += one_more;
        self.all.bytes += weight;
        if stranger {
            self.strangers.servers += one_more;
            self.strangers.bytes += weight;
        }
        let held = held.unwrap_or(Waiting {
            next_sequence: 1,
            bytes: 0,
            stranger,
        });
        let held = Waiting {
            bytes: held.bytes + weight,
            ..held
        };
        self.touched.insert(server, held);
        true
    }

    /// Those whose parcels are to be deleted.
    pub(super) fn crowded_out(self) -> Vec<String> {
        self.crowded_out.into_iter().map(str::to_owned).collect()
    }

    fn held(&self, server: &str) -> Option<Waiting> {
        if let Some(held) = self.touched.get(server) {
            return Some(*held);
        }
        if self.crowded_out.contains(&server) {
            return None;
        }
        self.waiting.get(server).copied()
    }

    /// Few strangers on one host: or one host would hold up the rest, and pins made up for a good one would keep it out.
    fn make_room_on_host(&mut self, server: &str) -> bool {
        let host = host_of(server);
        let there = self
            .waiting
            .iter()
            .filter(|(name, held)| held.stranger && host_of(name) == host)
            .filter(|(name, _)| !self.crowded_out.contains(&name.as_str()))
            .count()
            + self
                .touched
                .iter()
                .filter(|(name, held)| held.stranger && host_of(name) == host)
                .filter(|(name, _)| !self.waiting.contains_key(**name))
                .count();
        there < self.limits.strangers_per_host
            || self.crowd_out(server, |other| host_of(other) == host)
    }

    /// Gives up the stranger that has been out of reach for the longest, among some.
    fn crowd_out(&mut self, for_whom: &str, among: impl Fn(&str) -> bool) -> bool {
        let longest = self
            .others
            .unreached
            .iter()
            .filter(|(server, _)| among(server) && *server != for_whom)
            .filter(|(server, _)| !self.touched.contains_key(server.as_str()))
            .filter(|(server, _)| self.held(server).is_some_and(|held| held.stranger))
            .min_by_key(|(_, since)| **since);
        let Some((server, _)) = longest else {
            return false;
        };
        let bytes = self.held(server).map_or(0, |held| held.bytes);
        for share in [&mut self.all, &mut self.strangers] {
            share.servers -= 1;
            share.bytes -= bytes;
        }
        self.crowded_out.push(server);
        true
    }
}

/// The host of a server's name, or the network that one customer is given of IPv6.
pub(crate) fn host_of(server: &str) -> String {
    let Ok(address) = server.parse::<ServerAddress>() else {
        return server.to_owned();
    };
    match address.origin.ip() {
        Some(std::net::IpAddr::V6(ip)) => {
            let [a, b, c, ..] = ip.segments();
            format!("{a:x}:{b:x}:{c:x}::/48")
        }
        _ => address.origin.host().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const TODAY: Day = Day(20_000);

    fn server(number: usize) -> String {
        format!(
            "h{number}.example:7443+{}",
            undertone_wire::ids::Pin::random()
        )
    }

    fn limits() -> StoreLimits {
        StoreLimits {
            parcel_servers: 8,
            parcel_bytes: 8000,
            parcel_bytes_per_server: 4000,
            stranger_bytes_per_server: 1000,
            strangers_per_host: 2,
            ..StoreLimits::default()
        }
    }

    fn stranger(bytes: u64) -> Waiting {
        Waiting {
            next_sequence: 2,
            bytes,
            stranger: true,
        }
    }

    #[test]
    fn strangers_have_half_the_places_and_a_quarter_of_the_room() {
        let (limits, mut others) = (limits(), Others::default());
        let names: Vec<_> = (0..10).map(server).collect();
        others.took_something(&names[9], TODAY);
        let nothing = HashMap::new();
        let mut room = Room::new(&nothing, &others, &limits, TODAY);
        let taken = names[..9].iter().filter(|name| room.take(name, 10)).count();
        assert_eq!(taken, 4);
        assert!(room.take(&names[9], 4000), "one that answered");
        assert!(!room.take(&names[0], 1000), "more than a stranger may have");
        assert!(room.take(&names[0], 990) && room.take(&names[1], 900));
        assert!(!room.take(&names[2], 200), "all strangers together");
    }

    #[test]
    fn the_stranger_out_of_reach_for_the_longest_makes_room() {
        let (limits, mut others) = (limits(), Others::default());
        let names: Vec<_> = (0..6).map(server).collect();
        let waiting: HashMap<_, _> = names[..4]
            .iter()
            .map(|name| (name.clone(), stranger(100)))
            .collect();
        let mut room = Room::new(&waiting, &others, &limits, TODAY);
        assert!(!room.take(&names[4], 10), "nobody knows yet who is there");
        for (name, since) in [(2, 30), (1, 20), (3, 40)] {
            others.was_not_reached(&names[name], Duration::from_secs(since));
        }
        others.was_not_reached(&names[1], Duration::from_secs(50));
        let mut room = Room::new(&waiting, &others, &limits, TODAY);
        assert!(room.take(&names[4], 10) && room.take(&names[5], 10));
        assert_eq!(room.crowded_out(), [names[1].clone(), names[2].clone()]);
    }

    #[test]
    fn a_host_has_room_for_few_strangers() {
        let (limits, mut others) = (limits(), Others::default());
        let names: Vec<_> = (0..3).map(|_| server(1)).collect();
        let waiting: HashMap<_, _> = names[..2]
            .iter()
            .map(|name| (name.clone(), stranger(100)))
            .collect();
        let mut room = Room::new(&waiting, &others, &limits, TODAY);
        assert!(!room.take(&names[2], 10));
        others.was_not_reached(&names[0], Duration::ZERO);
        let mut room = Room::new(&waiting, &others, &limits, TODAY);
        assert!(room.take(&names[2], 10));
        assert_eq!(room.crowded_out(), [names[0].clone()]);
        assert_eq!(
            host_of("[2001:db8:1:2::3]:1+x"),
            "[2001:db8:1:2::3]:1+x",
            "no server's name"
        );
    }
}
