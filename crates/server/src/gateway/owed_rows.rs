//! How many of the store's rows an inbox connection may touch: what its owner asks for costs no token, and one thread writes for all.
//!
//! A connection that asks for more is not refused but read more slowly, so that whoever really has as much to do gets it done.

use std::time::Duration;

use tokio::time::Instant;
use undertone_wire::request::Request;

/// So many at once.
const BURST: u32 = 4096;
/// So many a second from then on.
const PER_SECOND: u32 = 1024;

/// What one connection has asked for.
pub(super) struct OwedRows {
    owed: f64,
    at: Instant,
}

impl OwedRows {
    pub(super) fn none(now: Instant) -> Self {
        Self { owed: 0.0, at: now }
    }

    /// Counts a request.
    pub(super) fn add(&mut self, request: &Request) {
        self.owed += f64::from(u32::try_from(rows(request)).unwrap_or(u32::MAX));
    }

    /// Whether nothing more may be asked for at present.
    pub(super) fn are_too_many(&self) -> bool {
        self.owed > f64::from(BURST)
    }

    /// When something may be asked for again; None: now.
    pub(super) fn pause(&mut self, now: Instant) -> Option<Instant> {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.at = now;
        self.owed = (self.owed - passed * f64::from(PER_SECOND)).max(0.0);
        self.are_too_many().then(|| {
            let above = self.owed - f64::from(BURST);
            now + Duration::from_secs_f64(above / f64::from(PER_SECOND)) + Duration::from_millis(1)
        })
    }
}

/// What a request has the writer look up or write, roughly.
fn rows(request: &Request) -> usize {
    match request {
        Request::Ping => 0,
        Request::CreateAddresses(addresses) => 1 + addresses.len(),
        Request::RevokeAddresses(addresses) => 1 + addresses.len(),
        Request::PublishKeyPackages(publish) => 2 + publish.one_time.len(),
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use undertone_wire::ids::AddressHash;

    #[test]
    fn whoever_asks_for_much_goes_on_after_a_pause() {
        let start = Instant::now();
        let mut rows = OwedRows::none(start);
        let request = Request::RevokeAddresses(vec![AddressHash::new([1; 32]); 1024]);
        for _ in 0..4 {
            assert_eq!(rows.pause(start), None);
            rows.add(&request);
        }
        let until = rows.pause(start);
        assert!(until.is_some_and(|until| until < start + Duration::from_secs(1)));
        assert_eq!(rows.pause(start + Duration::from_secs(1)), None);
        for _ in 0..10 {
            rows.add(&request);
        }
        let until = rows.pause(start + Duration::from_secs(1));
        assert!(until.is_some_and(|until| until > start + Duration::from_secs(9)));
        // Waiting saves nothing up beyond the first few thousand.
        assert_eq!(rows.pause(start + Duration::from_secs(1000)), None);
        for _ in 0..5 {
            rows.add(&request);
        }
        assert!(rows.are_too_many());
    }
}
