//! Counting wrong passphrases.
//!
//! The count goes up, on the disk, before an attempt is judged, and back to zero when it was right: pulling the
//! plug in between spends an attempt instead of winning one. Only the home's owner judges, one attempt at a time,
//! so two processes can't share one. After a few failures in a row an attempt has to wait, each time twice as
//! long; after the owner's limit, if there is one, the home is wiped.
//!
//! Who copies the disk before trying has all attempts they like: what stands against them is the
//! passphrase and the cost of each guess.

use std::path::Path;

use super::dead_man::{self, Moment};
use super::sentinel::Sentinel;
use super::wipe::Wipe;
use super::{HomeError, HomeResult};

/// So many wrong attempts in a row cost nothing.
const FREE: u32 = 5;
/// The longest wait, in seconds.
const LONGEST: u32 = 300;

/// Seconds that must pass after the last of `failed` wrong attempts in a row.
#[must_use]
pub fn wait_after(failed: u32) -> u32 {
    match failed.checked_sub(FREE + 1) {
        None => 0,
        Some(more) => 1_u32
            .checked_shl(more)
            .map_or(LONGEST, |wait| wait.min(LONGEST)),
    }
}

/// Counts an attempt that is about to be judged.
///
/// # Errors
/// [`HomeError::TooSoon`]; [`HomeError::Wiped`] if the limit was reached before and the wipe did not come to it.
pub(super) fn begin(home: &Path, now: &Moment) -> HomeResult<()> {
    let counted = Sentinel::update(home, |sentinel| {
        let attempts = &mut sentinel.attempts;
        if attempts.limit > 0 && attempts.failed >= u32::from(attempts.limit) {
            return Err(HomeError::Wiped);
        }
        let wait = u64::from(wait_after(attempts.failed));
        // A clock that was set back makes nobody wait longer than from now on.
        let until = attempts.last.min(now.clock).saturating_add(wait);
        if let Some(left) = until.checked_sub(now.clock).filter(|left| *left > 0) {
            return Err(HomeError::TooSoon(u32::try_from(left).unwrap_or(LONGEST)));
        }
        attempts.failed = attempts.failed.saturating_add(1);
        attempts.last = now.clock;
        Ok(())
    });
    match counted {
        Ok(Ok(())) => Ok(()),
        Ok(Err(HomeError::Wiped)) => {
            Wipe::begin(home)?;
            Err(HomeError::Wiped)
        }
        Ok(Err(error)) => Err(error),
        // A home of before the sentinel, on a full or read-only disk: nothing is set there.
        Err(error @ (HomeError::DiskFull | HomeError::ReadOnly)) => {
            if Sentinel::load(home)?.attempts.limit == 0 {
                Ok(())
            } else {
                Err(error)
            }
        }
        Err(error) => Err(error),
    }
}

/// The attempt was right: the count and the dead-man timer begin anew.
///
/// # Errors
/// [`HomeError::Wiped`] if the home was wiped meanwhile: nothing is to be opened then.
pub(super) fn right(home: &Path, now: &Moment) -> HomeResult<()> {
    let begun = Sentinel::update(home, |sentinel| {
        sentinel.attempts.failed = 0;
        dead_man::unlocked(&mut sentinel.dead_man, now);
    });
    match begun {
        Err(HomeError::Wiped) => Err(HomeError::Wiped),
        // The worst of any other failure is a count that stays where it was.
        _ => Ok(()),
    }
}

/// The attempt was wrong. Writes as much as [`right`] does, so that the time is the same.
///
/// # Errors
/// [`HomeError::Wiped`] when that was the last one, or the home was wiped meanwhile; else [`HomeError::WrongPassphrase`].
pub(super) fn wrong(home: &Path) -> HomeError {
    let reached = Sentinel::update(home, |sentinel| {
        let attempts = &sentinel.attempts;
        attempts.limit > 0 && attempts.failed >= u32::from(attempts.limit)
    });
    match reached {
        Ok(true) if Wipe::begin(home).is_ok() => HomeError::Wiped,
        Err(HomeError::Wiped) => HomeError::Wiped,
        _ => HomeError::WrongPassphrase,
    }
}

/// The attempt could not be judged: nothing was learnt by it.
pub(super) fn undo(home: &Path) {
    let _ = Sentinel::update(home, |sentinel| {
        sentinel.attempts.failed = sentinel.attempts.failed.saturating_sub(1);
    });
}

#[cfg(test)]
mod tests {
    use super::wait_after;

    #[test]
    fn waits_double_up_to_five_minutes() {
        assert!((0..=5).all(|failed| wait_after(failed) == 0));
        let waits: Vec<_> = (6..17).map(wait_after).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        assert_eq!(wait_after(u32::MAX), 300);
    }
}
