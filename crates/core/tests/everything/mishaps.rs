//! What goes wrong, and how time passes.

use rand::Rng as _;

use crate::{
    fake::{End, Fault},
    world::{At, World},
};

const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 24 * 60 * MINUTE_MS;

impl World {
    pub async fn mishap(&mut self) {
        match self.rng.random_range(0..20) {
            0..=3 => self.loses(Fault::Request),
            4..=7 => self.loses(Fault::Response),
            8..=9 => self.somebody_ends(),
            10..=11 => self.goes_away().await,
            12..=13 => self.comes_back().await,
            14..=15 => self.disorders(),
            16..=17 => self.a_clock_jumps(),
            _ => self.time_passes(),
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

    fn disorders(&mut self) {
        let number = self.rng.random_range(0..self.server.registered());
        let queue = self.server.queue_numbered(number);
        let line = match self.rng.random_range(0..6) {
            0 => {
                self.server.hold(queue);
                format!("(nothing reaches queue {number})")
            }
            1 => {
                self.server.let_go();
                "(everything reaches everybody)".to_owned()
            }
            2 => {
                self.server.deliver_times(2);
                "(everything comes twice)".to_owned()
            }
            3 => {
                self.server.deliver_times(1);
                "(everything comes once)".to_owned()
            }
            _ => {
                self.server.late_next_to(queue);
                format!("(the next item for queue {number} comes late)")
            }
        };
        self.note(line);
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
