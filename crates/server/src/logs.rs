//! Structured logs that cannot name anybody.
//!
//! Only this program's own events are written, at any level: libraries are filtered out, so that none of them can
//! put an address or a header into a line. Our own events carry codes, counts and durations as fields, never
//! a value that came from a client; a test greps the debug log of a full run. Panics log their place in
//! the source and not their message, which may quote data. Lines carry the UTC day and no time of day.

use std::io::IsTerminal as _;
use std::time::{SystemTime, UNIX_EPOCH};

use tracing::Level;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, fmt};

/// The UTC day, as `2026-11-22`.
struct Today;

impl FormatTime for Today {
    fn format_time(&self, writer: &mut Writer<'_>) -> std::fmt::Result {
        let seconds = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        let (year, month, day) = civil(seconds / 86_400);
        write!(writer, "{year:04}-{month:02}-{day:02}")
    }
}

/// Year, month and day of a day number since 1970-01-01, in the Gregorian calendar.
fn civil(days: u64) -> (u64, u64, u64) {
    // Counted from 0000-03-01, so that the leap day is a year's last; 146,097 days are 400 years.
    let days = days + 719_468;
    let era = days / 146_097;
    let day_of_era = days % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

/// Starts logging to standard error: JSON lines when `json`, else text.
///
/// A second call in one process changes nothing.
pub fn start(level: Level, json: bool) {
    let ours = filter_fn(move |meta| {
        meta.is_event() && meta.target().starts_with("undertone_server") && *meta.level() <= level
    });
    let layer = if json {
        fmt::layer()
            .json()
            .flatten_event(true)
            .with_timer(Today)
            .with_writer(std::io::stderr)
            .boxed()
    } else {
        fmt::layer()
            .with_writer(std::io::stderr)
            .with_ansi(std::io::stderr().is_terminal())
            .with_target(false)
            .with_timer(Today)
            .boxed()
    };
    let started = tracing_subscriber::registry()
        .with(layer.with_filter(ours))
        .try_init();
    if started.is_ok() {
        std::panic::set_hook(Box::new(|panic| {
            let (file, line) = panic.location().map_or(("?", 0), |l| (l.file(), l.line()));
            tracing::error!(target: "undertone_server", file, line, "panic");
        }));
        tracing::debug!(target: "undertone_server", version = env!("CARGO_PKG_VERSION"), "logging");
    }
}

#[cfg(test)]
mod tests {
    use super::civil;

    #[test]
    fn days_have_dates() {
        assert_eq!(civil(0), (1970, 1, 1));
        assert_eq!(civil(11_016), (2000, 2, 29));
        assert_eq!(civil(20_779), (2026, 11, 22));
        assert_eq!(civil(47_540), (2100, 2, 28));
        assert_eq!(civil(47_541), (2100, 3, 1));
    }
}
