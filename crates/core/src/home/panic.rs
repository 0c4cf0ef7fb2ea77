//! Panic: the first press locks, a second one soon after it wipes.
//!
//! What must stay true: nothing keeps a press from locking but that there is nothing left to lock. What can't be noted, because the disk
//! is full, closed or held by somebody else, is a first press.

use std::path::Path;

use super::dead_man::Moment;
use super::sentinel::Sentinel;
use super::wipe::check_is_home;
use super::{HomeError, HomeResult};

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

/// Notes a press, in the sentinel, so that it doesn't matter which process it comes from. Hardly waits for whoever changes the sentinel; one
/// that can't be noted locks.
///
/// # Errors
/// [`HomeError::Wiped`] if the home has been wiped; [`HomeError::Missing`] for a folder that is none of a home.
pub fn press(home: &Path, now: &Moment) -> HomeResult<Press> {
    check_is_home(home)?;
    let noted = Sentinel::update_soon(home, |sentinel| {
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
    });
    match noted {
        Err(HomeError::Wiped | HomeError::Missing) | Ok(_) => noted,
        Err(_) => Ok(Press::Lock),
    }
}
