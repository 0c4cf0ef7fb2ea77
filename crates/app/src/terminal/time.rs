//! Times as people say them, in their own time zone.

use jiff::{
    Timestamp,
    civil::{Date, DateTime},
    tz::TimeZone,
};

/// The reader's place in time: zone and present moment, given from outside so that a test can stand still.
#[derive(Clone, Debug)]
pub struct Clock {
    zone: TimeZone,
    now: Timestamp,
}

impl Clock {
    /// The machine's own zone and time.
    #[must_use]
    pub fn system() -> Self {
        Self {
            zone: TimeZone::system(),
            now: Timestamp::now(),
        }
    }

    /// A fixed moment in UTC, in milliseconds since 1970.
    #[must_use]
    pub fn fixed(now_ms: i64) -> Self {
        Self {
            zone: TimeZone::UTC,
            now: moment(now_ms),
        }
    }

    /// What a calendar and a clock here mean, Unix milliseconds; None: there is no such moment.
    #[must_use]
    pub fn at_ms(&self, when: DateTime) -> Option<i64> {
        let zoned = when.to_zoned(self.zone.clone()).ok()?;
        Some(zoned.timestamp().as_millisecond())
    }

    fn date(&self, at_ms: i64) -> Date {
        moment(at_ms).to_zoned(self.zone.clone()).date()
    }

    /// Now, Unix milliseconds.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        self.now.as_millisecond()
    }

    /// Whether two moments fall on the same local day.
    #[must_use]
    pub fn same_day(&self, one_ms: i64, other_ms: i64) -> bool {
        self.date(one_ms) == self.date(other_ms)
    }

    /// `14:05`.
    #[must_use]
    pub fn time_of_day(&self, at_ms: i64) -> String {
        moment(at_ms)
            .to_zoned(self.zone.clone())
            .strftime("%H:%M")
            .to_string()
    }

    /// `Today`, `Yesterday`, `Tuesday 3 March`, with the year when it is another one.
    #[must_use]
    pub fn day(&self, at_ms: i64) -> String {
        let date = self.date(at_ms);
        let today = self.now.to_zoned(self.zone.clone()).date();
        if date == today {
            return "Today".to_owned();
        }
        if today.yesterday().is_ok_and(|yesterday| yesterday == date) {
            return "Yesterday".to_owned();
        }
        if date.year() == today.year() {
            date.strftime("%A %-d %B").to_string()
        } else {
            date.strftime("%A %-d %B %Y").to_string()
        }
    }

    /// For a list: `14:05` today, `Tue` within a week, `3 Mar`, or `3 Mar 2025`.
    #[must_use]
    pub fn short(&self, at_ms: i64) -> String {
        let date = self.date(at_ms);
        let today = self.now.to_zoned(self.zone.clone()).date();
        let days = (today - date).get_days();
        if days == 0 {
            self.time_of_day(at_ms)
        } else if (1..7).contains(&days) {
            date.strftime("%a").to_string()
        } else if date.year() == today.year() {
            date.strftime("%-d %b").to_string()
        } else {
            date.strftime("%-d %b %Y").to_string()
        }
    }

    /// A moment in full: `Tuesday 3 March, 14:05`.
    #[must_use]
    pub fn day_and_time(&self, at_ms: i64) -> String {
        format!("{}, {}", self.day(at_ms), self.time_of_day(at_ms))
    }
}

fn moment(at_ms: i64) -> Timestamp {
    Timestamp::from_millisecond(at_ms).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// `0:03`, `12:40`, `1:02:03`.
#[must_use]
pub fn duration(ms: u64) -> String {
    let seconds = ms.saturating_add(500) / 1000;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}

/// A span as given on the command line: a number and `s`, `m`, `h`, `d` or `w`. Returns seconds.
///
/// # Errors
/// One sentence, when it isn't such a span or is zero.
pub fn parse_span(text: &str) -> Result<u64, String> {
    let refuse = || {
        format!(
            "\"{text}\" is no time span; write a number and one of s, m, h, d, w, as in 2h or 7d"
        )
    };
    let unit = text.chars().last().ok_or_else(refuse)?;
    let factor = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        'w' => 604_800,
        _ => return Err(refuse()),
    };
    let count: u64 = text[..text.len() - 1].parse().map_err(|_| refuse())?;
    count
        .checked_mul(factor)
        .filter(|seconds| *seconds > 0 && *seconds <= 3_660 * 86_400)
        .ok_or_else(refuse)
}

#[cfg(test)]
mod tests {
    use super::*;

    // Sunday 22 November 2026, 12:00 UTC.
    const NOON: i64 = 1_795_348_800_000;
    const DAY: i64 = 86_400_000;

    #[test]
    fn days_are_named_as_people_name_them() {
        let clock = Clock::fixed(NOON);
        assert_eq!(clock.day(NOON), "Today");
        assert_eq!(clock.day(NOON - DAY), "Yesterday");
        assert_eq!(clock.day(NOON - 5 * DAY), "Tuesday 17 November");
        assert_eq!(clock.day(NOON - 365 * DAY), "Saturday 22 November 2025");
        assert_eq!(clock.time_of_day(NOON + 5 * 60_000), "12:05");
    }

    #[test]
    fn a_list_says_no_more_than_needed() {
        let clock = Clock::fixed(NOON);
        assert_eq!(clock.short(NOON), "12:00");
        assert_eq!(clock.short(NOON - 2 * DAY), "Fri");
        assert_eq!(clock.short(NOON - 10 * DAY), "12 Nov");
        assert_eq!(clock.short(NOON - 400 * DAY), "18 Oct 2025");
        assert!(!clock.short(i64::MAX).is_empty());
        assert!(!clock.short(i64::MIN).is_empty());
    }

    #[test]
    fn spans_are_read_and_nonsense_is_refused() {
        assert_eq!(parse_span("90s"), Ok(90));
        assert_eq!(parse_span("2h"), Ok(7200));
        assert_eq!(parse_span("1w"), Ok(604_800));
        for nonsense in [
            "",
            "h",
            "-1d",
            "5",
            "5y",
            "0d",
            "99999999999999999999d",
            "1é",
        ] {
            assert!(parse_span(nonsense).is_err(), "{nonsense}");
        }
    }

    #[test]
    fn durations_read_like_a_player() {
        assert_eq!(duration(3_200), "0:03");
        assert_eq!(duration(760_000), "12:40");
        assert_eq!(duration(3_723_000), "1:02:03");
    }
}
