//! What goes wrong, and how time passes.

use rand::Rng as _;

use crate::{
    fake::{End, Fault},
    world::{At, World},
};

/// What goes wrong, and how often.
const MISHAPS: &[(u32, &str)] = &[
    (4, "lost request"),
    (4, "lost response"),
    (2, "end"),
    (2, "away"),
    (2, "back"),
    (1, "hold"),
    (1, "let go"),
    (1, "twice"),
    (3, "late"),
    (2, "jump"),
    (2, "time"),
];
const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 24 * 60 * MINUTE_MS;

impl World {
    pub async fn mishap(&mut self) {
        match self.draw(MISHAPS) {
            "lost request" => self.loses(Fault::Request),
            "lost response" => self.loses(Fault::Response),
            "end" => self.somebody_ends(),
            "away" => self.goes_away().await,
            "back" => self.comes_back().await,
            "hold" => self.holds(),
            "let go" => self.lets_go(),
            "twice" => self.sends_twice(),
            "late" => self.comes_late(),
            "jump" => self.a_clock_jumps(),
            "time" => self.time_passes(),
            other => unreachable!("{other}"),
        }
    }

    fn loses(&mut self, fault: Fault) {
        let ahead = self.rng.random_range(1..20);
        self.server.fault_at(self.server.requests() + ahead, fault);
        self.note(format!("({fault:?} {ahead} from now is lost)"));
    }

    fn somebody_ends(&mut self) {
        let Some(who) = self.anybody() else { return };
        let (nth, after) = (self.rng.random_range(1..15), self.one_in(2));
        let (end, word) = if after {
            (End::AfterCommit, "after")
        } else {
            (End::BeforeCommit, "before")
        };
        self.devices[who].person.ends_at(nth, end);
        let line = format!(
            "({} will end {word} its commit {nth})",
            self.devices[who].label
        );
        self.note(line);
    }

    async fn goes_away(&mut self) {
        let Some(who) = self.anybody() else { return };
        let closes = self.one_in(2);
        let device = &mut self.devices[who];
        let line = if closes {
            device.person.quit().await;
            device.at = At::Closed;
            format!("({} is closed)", device.label)
        } else {
            device.person.open().await;
            device.at = At::Offline;
            format!("({} is off-line)", device.label)
        };
        self.note(line);
    }

    async fn comes_back(&mut self) {
        let away: Vec<_> = (0..self.devices.len())
            .filter(|index| self.devices[*index].at != At::Online && !self.devices[*index].removed)
            .collect();
        let Some(who) = self.pick(&away) else { return };
        let device = &mut self.devices[who];
        if !device.person.comes_back_if_it_ended().await {
            device.person.reopen().await;
        }
        device.at = At::Online;
        let line = format!("({} is on-line again)", device.label);
        self.note(line);
    }

    fn some_queue(&mut self) -> (usize, undertone_wire::ids::QueueId) {
        let number = self.rng.random_range(0..self.server.registered());
        (number, self.server.queue_numbered(number))
    }

    fn holds(&mut self) {
        let (number, queue) = self.some_queue();
        self.server.hold(queue);
        self.note(format!("(nothing reaches queue {number})"));
    }

    fn lets_go(&mut self) {
        self.server.let_go();
        self.note("(everything reaches everybody)");
    }

    fn sends_twice(&mut self) {
        let times = self.rng.random_range(1..=2);
        self.server.deliver_times(times);
        self.note(format!("(from now on everything comes {times} times)"));
    }

    fn comes_late(&mut self) {
        let (number, queue) = self.some_queue();
        self.server.late_next_to(queue);
        self.note(format!("(the next item for queue {number} comes late)"));
    }

    fn a_clock_jumps(&mut self) {
        let Some(who) = self.anybody() else { return };
        let ms = match self.rng.random_range(0..3) {
            0 => -self.devices[who].jumped_ms,
            1 => self.rng.random_range(-30 * DAY_MS..30 * DAY_MS),
            _ => self.rng.random_range(-90 * MINUTE_MS..90 * MINUTE_MS),
        };
        let device = &mut self.devices[who];
        device.jumped_ms += ms;
        device.person.clock().jump_ms(ms);
        let line = format!(
            "({}'s clock jumps by {} min, and is {} min off)",
            device.label,
            ms / MINUTE_MS,
            device.jumped_ms / MINUTE_MS
        );
        self.note(line);
    }

    fn time_passes(&mut self) {
        let ms = if self.one_in(3) {
            self.rng.random_range(DAY_MS / 2..3 * DAY_MS)
        } else {
            self.rng.random_range(MINUTE_MS..90 * MINUTE_MS)
        };
        self.pass_ms(ms);
        self.note(format!("({} min pass)", ms / MINUTE_MS));
    }

    pub fn pass_ms(&mut self, ms: i64) {
        self.server.pass_ms(ms);
        for device in &self.devices {
            device.person.clock().pass_ms(ms);
        }
    }
}
