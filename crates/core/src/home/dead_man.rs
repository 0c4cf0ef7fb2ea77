//! The dead-man timer: a home that nobody unlocks for so many days wipes itself.
//!
//! Time is the larger of two: what the local clock says has passed since the last unlock, and the sum of what this
//! machine was seen to run since then (suspended or not), whatever its clock said. Setting the clock back stops the
//! first and not the second, and what the clock had shown to be over before goes into the second: so does a false step
//! ahead that is put right. What servers and contacts say the time is advances nothing, or they could forge a
//! wipe; it may only show that the clock was set back, which starts a warning.
//!
//! Only an unlock, or the owner's heartbeat from another of their devices, starts it anew. A home that is simply
//! kept open counts on, and can be confirmed with the passphrase.
//!
//! A heartbeat says when the owner was at the other device, and from that moment it is counted, whenever the heartbeat
//! comes: whoever keeps heartbeats back and hands them out one by one wins no time. It counts only where the owner
//! allowed it.
//!
//! The rules are in plain functions of a [`Moment`], so that tests can live through years.

use std::path::Path;

use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::sentinel::{DeadManRecord, Sentinel, WipeMark};
use super::wipe::Wipe;
use super::{HomeError, HomeResult};
use crate::client::{Clock as _, SystemClock};

/// Seconds of a day.
const DAY: u64 = 24 * 60 * 60;
/// The longest that can be set, in days.
pub const LONGEST_DAYS: u16 = 3650;
/// How long the warning of a clock that was set back stands, in seconds.
const SET_BACK_WARNING: u64 = 72 * 60 * 60;
/// A clock may go back this far, in seconds, without a word: leap seconds, and time servers that put it right.
const SMALL_STEP: u64 = 10 * 60;
/// A server's clock must be this far ahead, in seconds, to show anything; a heartbeat from further ahead is none.
const FAR_AHEAD: u64 = DAY;
/// Looks closer together than this, in seconds, aren't written down.
const WRITE_EVERY: u64 = 60;

/// A moment as this machine tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Seconds of Unix time by the local clock.
    pub clock: u64,
    /// Which boot this is: random, one value each.
    pub boot: [u8; 16],
    /// Seconds since that boot, suspended ones included (`CLOCK_BOOTTIME`).
    pub uptime: u64,
}

impl Moment {
    /// Now.
    #[must_use]
    pub fn now() -> Self {
        let seconds = |clock| u64::try_from(clock_gettime(clock).tv_sec).unwrap_or(0);
        let mut boot = [0; 16];
        if let Ok(id) = std::fs::read_to_string("/proc/sys/kernel/random/boot_id") {
            let digits: String = id.chars().filter(char::is_ascii_hexdigit).collect();
            if let Ok(bytes) = data_encoding::HEXLOWER_PERMISSIVE.decode(digits.as_bytes())
                && bytes.len() == boot.len()
            {
                boot.copy_from_slice(&bytes);
            }
        }
        Self {
            // Milliseconds of the clock that tests can move.
            clock: u64::try_from(SystemClock.now_ms() / 1000).unwrap_or(0),
            boot,
            uptime: seconds(ClockId::Boottime),
        }
    }
}

/// How near the end is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum DeadManWarning {
    /// Far.
    None,
    /// Less than a quarter of the time is left.
    Soon,
    /// Less than a day is left.
    Today,
}

/// How the timer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct DeadManStanding {
    /// The home is wiped when it wasn't unlocked for so many days; 0: the timer is off.
    pub days: u16,
    /// Seconds that count since the last unlock.
    #[ts(type = "number")]
    pub elapsed_s: u64,
    /// Seconds until the home is wiped; 0 when the timer is off.
    #[ts(type = "number")]
    pub left_s: u64,
    /// Whether it is time to say so.
    pub warning: DeadManWarning,
    /// The clock of this machine may have been set back: for so many seconds more the owner is asked to unlock. Nothing is
    /// wiped for it. 0: no such thing.
    #[ts(type = "number")]
    pub clock_set_back_s: u64,
    /// Whether an unlock of another of the owner's devices starts the timer anew.
    pub heartbeats: bool,
    /// When the owner unlocked another device, as far as it was heard here, in seconds of Unix time by that device's clock;
    /// 0: nothing was heard.
    #[ts(type = "number")]
    pub heard_s: u64,
}

/// What a look says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// This is how it stands.
    Standing(DeadManStanding),
    /// The time is over.
    Due,
}

/// Looks at the timer at `now`, and takes the time that has passed into `record`.
pub fn look(record: &mut DeadManRecord, now: &Moment) -> Look {
    advance(record, now);
    if record.days == 0 {
        return Look::Standing(DeadManStanding {
            days: 0,
            elapsed_s: 0,
            left_s: 0,
            warning: DeadManWarning::None,
            clock_set_back_s: 0,
            heartbeats: record.heartbeats,
            heard_s: record.heartbeat,
        });
    }
    let by_clock = now.clock.saturating_sub(record.last_unlock);
    let elapsed = by_clock.max(record.ran);
    let whole = u64::from(record.days) * DAY;
    let Some(left) = whole.checked_sub(elapsed).filter(|left| *left > 0) else {
        return Look::Due;
    };
    let warning = if left <= DAY {
        DeadManWarning::Today
    } else if left <= whole / 4 {
        DeadManWarning::Soon
    } else {
        DeadManWarning::None
    };
    record.warned = match warning {
        DeadManWarning::None => 0,
        DeadManWarning::Soon => 1,
        DeadManWarning::Today => 2,
    };
    Look::Standing(DeadManStanding {
        days: record.days,
        elapsed_s: elapsed,
        left_s: left,
        warning,
        clock_set_back_s: record.set_back_left,
        heartbeats: record.heartbeats,
        heard_s: record.heartbeat,
    })
}

/// Adds what this machine ran since the last look, and notices a clock that was set back.
fn advance(record: &mut DeadManRecord, now: &Moment) {
    let set_back = now.clock.saturating_add(SMALL_STEP) < record.highest_clock;
    if set_back {
        // What the clock had shown to be over stays over.
        let shown = record.highest_clock.saturating_sub(record.last_unlock);
        record.ran = record.ran.max(shown);
    }
    let ran = if record.boot == now.boot {
        now.uptime.saturating_sub(record.uptime)
    } else {
        // Another boot: all of it came after the last look.
        now.uptime
    };
    record.ran = record.ran.saturating_add(ran);
    record.set_back_left = record.set_back_left.saturating_sub(ran);
    record.boot = now.boot;
    record.uptime = now.uptime;
    if set_back {
        record.set_back_left = SET_BACK_WARNING;
        // From here on measured anew: one step back is told once.
        record.highest_clock = now.clock;
    } else {
        record.highest_clock = record.highest_clock.max(now.clock);
    }
}

/// The owner was here: everything starts anew.
pub fn unlocked(record: &mut DeadManRecord, now: &Moment) {
    record.last_unlock = now.clock;
    record.ran = 0;
    record.boot = now.boot;
    record.uptime = now.uptime;
    record.highest_clock = now.clock;
    record.set_back_left = 0;
    record.warned = 0;
}

/// Sets the timer to `days` (0 turns it off, at most [`LONGEST_DAYS`]) and starts it.
///
/// # Errors
/// As [`Sentinel::update`].
pub fn set(home: &Path, days: u16, now: &Moment) -> HomeResult<()> {
    Sentinel::update(home, |sentinel| {
        sentinel.dead_man.days = days.min(LONGEST_DAYS);
        sentinel.dead_man.told_ahead = 0;
        unlocked(&mut sentinel.dead_man, now);
    })
}

/// The owner was at another of their devices at `at_s`, by that device's clock. Counting goes on from then: neither a
/// moment that was known before, nor one that is said again, changes anything; nor one that this machine's clock has
/// not come to by a day, nor any when the time is over. The answer says whether it was taken.
pub fn heard(record: &mut DeadManRecord, at_s: u64, now: &Moment) -> bool {
    if !record.heartbeats || matches!(look(record, now), Look::Due) {
        return false;
    }
    let known = record.last_unlock.max(record.heartbeat);
    let Some(later) = at_s.checked_sub(known).filter(|later| *later > 0) else {
        return false;
    };
    if at_s > now.clock.saturating_add(FAR_AHEAD) {
        return false;
    }
    record.heartbeat = at_s;
    record.last_unlock = at_s.min(now.clock);
    // What ran before that moment counts no more, what ran after it does.
    record.ran = record.ran.saturating_sub(later);
    true
}

/// Takes a heartbeat that the owner's other device signed, which the caller has checked. The answer says whether it was
/// taken: see [`heard`].
///
/// # Errors
/// As [`Sentinel::update`].
pub fn heartbeat(home: &Path, at_s: u64, now: &Moment) -> HomeResult<bool> {
    // Most are of no use, and the disk is left alone then.
    if !heard(&mut Sentinel::load(home)?.dead_man, at_s, now) {
        return Ok(false);
    }
    Sentinel::update(home, |sentinel| heard(&mut sentinel.dead_man, at_s, now))
}

/// Looks at the timer of the home in the folder `home`, and wipes the home when the time is over. To be called at every
/// start and every minute or so after it.
///
/// # Errors
/// [`HomeError::Wiped`] when it was or is wiped; else as [`Sentinel::update`].
pub fn check(home: &Path, now: &Moment) -> HomeResult<DeadManStanding> {
    let mut seen = Sentinel::load(home)?;
    if seen.wipe_mark() != WipeMark::None {
        return Err(HomeError::Wiped);
    }
    let before = seen.dead_man;
    let looked = look(&mut seen.dead_man, now);
    let is_news = before.boot != now.boot
        || now.uptime.saturating_sub(before.uptime) >= WRITE_EVERY
        || (before.warned, before.set_back_left > 0)
            != (seen.dead_man.warned, seen.dead_man.set_back_left > 0);
    match looked {
        Look::Standing(standing) if before.days == 0 || !is_news => Ok(standing),
        Look::Standing(_) | Look::Due => {
            match Sentinel::update(home, |sentinel| look(&mut sentinel.dead_man, now))? {
                Look::Standing(standing) => Ok(standing),
                Look::Due => {
                    Wipe::begin(home)?;
                    Err(HomeError::Wiped)
                }
            }
        }
    }
}

/// A server says it is `theirs` (seconds of Unix time) at `now`. If that is far ahead, the local clock may have been set back, and
/// the warning starts; nothing else comes of it, whatever the server says. One whose clock goes as it did when that was warned of gives no
/// second warning: the owner has heard of it.
///
/// # Errors
/// As [`Sentinel::update`].
pub fn heard_of_time(home: &Path, theirs: u64, now: &Moment) -> HomeResult<()> {
    let record = Sentinel::load(home)?.dead_man;
    let ahead = theirs.saturating_sub(now.clock);
    let is_known = record.told_ahead.abs_diff(ahead) < FAR_AHEAD;
    if record.days == 0 || record.set_back_left > 0 || ahead < FAR_AHEAD || is_known {
        return Ok(());
    }
    Sentinel::update(home, |sentinel| {
        sentinel.dead_man.set_back_left = SET_BACK_WARNING;
        sentinel.dead_man.told_ahead = ahead;
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: u64 = 1_800_000_000;

    fn at(days: f64, boot: u8, up_days: f64) -> Moment {
        let seconds = |days: f64| (days * 86_400.0) as u64;
        Moment {
            clock: START + seconds(days),
            boot: [boot; 16],
            uptime: seconds(up_days),
        }
    }

    fn started(days: u16) -> DeadManRecord {
        let mut record = DeadManRecord {
            days,
            ..DeadManRecord::default()
        };
        unlocked(&mut record, &at(0.0, 1, 5.0));
        record
    }

    fn standing(record: &mut DeadManRecord, now: &Moment) -> DeadManStanding {
        match look(record, now) {
            Look::Standing(standing) => standing,
            Look::Due => panic!("it was due"),
        }
    }

    #[test]
    fn it_warns_first_and_is_due_on_its_day() {
        let mut record = started(30);
        assert_eq!(
            standing(&mut record, &at(20.0, 1, 25.0)).warning,
            DeadManWarning::None
        );
        let soon = standing(&mut record, &at(23.0, 1, 28.0));
        assert_eq!((soon.warning, soon.left_s), (DeadManWarning::Soon, 7 * DAY));
        assert_eq!(
            standing(&mut record, &at(29.5, 1, 34.5)).warning,
            DeadManWarning::Today
        );
        assert_eq!(look(&mut record, &at(30.0, 1, 35.0)), Look::Due);
    }

    #[test]
    fn a_machine_that_was_off_all_the_time_is_due_when_it_starts() {
        let mut record = started(7);
        assert_eq!(look(&mut record, &at(8.0, 2, 0.001)), Look::Due);
    }

    #[test]
    fn a_clock_that_stands_still_or_is_set_back_does_not_stop_what_the_machine_runs() {
        let mut record = started(7);
        for day in 1..7 {
            // The thief sets the clock back to the first day every day.
            let seen = standing(&mut record, &at(0.0, 1, 5.0 + f64::from(day)));
            assert_eq!(seen.elapsed_s, u64::try_from(day).unwrap_or(0) * DAY);
        }
        assert_eq!(look(&mut record, &at(0.0, 1, 12.0)), Look::Due);
    }

    #[test]
    fn a_clock_that_is_set_back_gives_no_time_back_that_it_had_shown_to_be_over() {
        let mut record = started(30);
        // Off for 29 days, switched on, and the clock set back while it runs.
        let seen = standing(&mut record, &at(29.0, 2, 0.001));
        assert_eq!(seen.warning, DeadManWarning::Today);
        let seen = standing(&mut record, &at(0.0, 2, 0.01));
        assert!(seen.elapsed_s >= 29 * DAY, "{}", seen.elapsed_s);
        assert!(seen.clock_set_back_s > 0);
        // Over the next start, and until its day, too.
        assert!(standing(&mut record, &at(0.1, 3, 0.5)).elapsed_s >= 29 * DAY + DAY / 2);
        assert_eq!(look(&mut record, &at(0.2, 4, 0.6)), Look::Due);
        // The owner's unlock starts it anew, whatever was.
        unlocked(&mut record, &at(0.2, 4, 0.7));
        assert!(standing(&mut record, &at(0.3, 4, 0.8)).elapsed_s <= DAY);
    }

    #[test]
    fn the_sum_goes_on_over_restarts() {
        let mut record = started(7);
        for boot in 2..8 {
            standing(&mut record, &at(0.0, boot, 1.0));
        }
        assert_eq!(record.ran, 6 * DAY);
        assert_eq!(look(&mut record, &at(0.0, 8, 1.0)), Look::Due);
    }

    #[test]
    fn a_clock_set_back_starts_a_warning_of_72_hours_of_running_and_wipes_nothing() {
        let mut record = started(30);
        standing(&mut record, &at(10.0, 1, 15.0));
        let seen = standing(&mut record, &at(1.0, 1, 15.1));
        assert_eq!(seen.clock_set_back_s, 72 * 60 * 60);
        assert_eq!(seen.elapsed_s, (10.1 * 86_400.0) as u64);
        let later = standing(&mut record, &at(3.0, 1, 17.1));
        assert_eq!(later.clock_set_back_s, 24 * 60 * 60);
        assert_eq!(standing(&mut record, &at(4.5, 1, 18.6)).clock_set_back_s, 0);
        // A minute of a time server is nothing.
        let mut record = started(30);
        standing(&mut record, &at(10.0, 1, 15.0));
        assert_eq!(
            standing(&mut record, &at(9.9995, 1, 15.0)).clock_set_back_s,
            0
        );
    }

    #[test]
    fn only_an_unlock_starts_it_anew() {
        let mut record = started(7);
        standing(&mut record, &at(6.5, 1, 11.5));
        unlocked(&mut record, &at(6.6, 1, 11.6));
        let seen = standing(&mut record, &at(13.0, 1, 18.0));
        assert_eq!(seen.elapsed_s / DAY, 6);
        assert_eq!(look(&mut record, &at(13.7, 1, 18.7)), Look::Due);
    }

    fn listening(days: u16) -> DeadManRecord {
        DeadManRecord {
            heartbeats: true,
            ..started(days)
        }
    }

    fn clock(days: f64) -> u64 {
        at(days, 1, 0.0).clock
    }

    #[test]
    fn a_heartbeat_counts_from_when_the_owner_was_there_whenever_it_comes() {
        let mut record = listening(30);
        // Six heartbeats of the first six days, which the server keeps back and hands out shortly before the end each time.
        for sent in 1..=6 {
            let held_until = at(29.0, 1, 34.0);
            assert!(heard(&mut record, clock(f64::from(sent)), &held_until));
            let seen = standing(&mut record, &held_until);
            assert_eq!(seen.elapsed_s / DAY, u64::try_from(29 - sent).unwrap_or(0));
        }
        assert_eq!(
            standing(&mut record, &at(35.9, 1, 40.9)).warning,
            DeadManWarning::Today
        );
        assert_eq!(look(&mut record, &at(36.0, 1, 41.0)), Look::Due);
    }

    #[test]
    fn a_heartbeat_that_is_played_again_or_comes_late_changes_nothing() {
        let mut record = listening(30);
        assert!(heard(&mut record, clock(5.0), &at(5.1, 1, 10.1)));
        for again in [5.0, 4.9, 0.0] {
            assert!(!heard(&mut record, clock(again), &at(9.0, 1, 14.0)));
        }
        assert_eq!(
            standing(&mut record, &at(9.0, 1, 14.0)).elapsed_s / DAY,
            4,
            "counted from the fifth day"
        );
        // Nor one of before the owner was here.
        unlocked(&mut record, &at(10.0, 1, 15.0));
        assert!(!heard(&mut record, clock(9.5), &at(11.0, 1, 16.0)));
        // Nor any when the time is over.
        assert!(!heard(&mut record, clock(40.1), &at(40.2, 1, 45.2)));
        assert_eq!(look(&mut record, &at(40.2, 1, 45.2)), Look::Due);
    }

    #[test]
    fn a_heartbeat_of_a_clock_that_is_years_ahead_is_none() {
        let mut record = listening(30);
        assert!(!heard(&mut record, clock(10_000.0), &at(3.0, 1, 8.0)));
        // And those of a right clock count all the same.
        assert!(heard(&mut record, clock(3.0), &at(3.0, 1, 8.0)));
        // A little ahead: nothing is won by it.
        assert!(heard(&mut record, clock(4.5), &at(4.0, 1, 9.0)));
        assert_eq!(standing(&mut record, &at(5.0, 1, 10.0)).elapsed_s, DAY);
    }

    #[test]
    fn a_thief_who_stops_the_clock_wins_nothing_by_heartbeats_that_were_kept_back() {
        let mut record = listening(30);
        // The clock stands still from the second day on, and all of twenty heartbeats are handed out at once, late.
        for day in 1..=20 {
            let now = at(1.0, 1, 5.0 + 29.0);
            heard(&mut record, clock(f64::from(day)), &now);
        }
        let seen = standing(&mut record, &at(1.0, 1, 5.0 + 29.0));
        assert_eq!(seen.elapsed_s / DAY, 27, "those of days to come are none");
        assert_eq!(look(&mut record, &at(1.0, 1, 5.0 + 32.0)), Look::Due);
    }

    #[test]
    fn a_heartbeat_counts_only_where_the_owner_allowed_it() {
        let mut record = started(30);
        assert!(!heard(&mut record, clock(5.0), &at(5.0, 1, 10.0)));
        assert_eq!(standing(&mut record, &at(5.0, 1, 10.0)).elapsed_s, 5 * DAY);
    }

    #[test]
    fn off_is_never() {
        let mut record = started(0);
        let seen = standing(&mut record, &at(40_000.0, 9, 30_000.0));
        assert_eq!((seen.days, seen.left_s), (0, 0));
    }
}
