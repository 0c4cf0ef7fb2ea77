//! Panic: the first press locks, a second one soon after it wipes.

use std::path::Path;

use super::HomeResult;
use super::dead_man::Moment;
use super::sentinel::Sentinel;
use super::wipe::check_is_home;

/// A second press within so many seconds wipes.
pub const TWICE_WITHIN: u64 = 10;

/// What a press asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Press {
    /// Lock at once.
    Lock,
    /// Wipe.
    Wipe,
}

/// Notes a press, in the sentinel, so that it doesn't matter which process it comes from.
///
/// # Errors
/// As [`Sentinel::update`]; [`HomeError::Missing`](super::HomeError::Missing) for a folder that is none of a home.
pub fn press(home: &Path, now: &Moment) -> HomeResult<Press> {
    check_is_home(home)?;
    Sentinel::update(home, |sentinel| {
        let last = std::mem::replace(&mut sentinel.panic_at, now.clock);
        if last > 0
            && now
                .clock
                .checked_sub(last)
                .is_some_and(|since| since <= TWICE_WITHIN)
        {
            Press::Wipe
        } else {
            Press::Lock
        }
    })
}
