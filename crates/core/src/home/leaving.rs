//! What is needed to take leave of the servers, of homes that this process wipes.
//!
//! The queues of the kill code are known to the sentinel only, and a wipe begins by overwriting it. So whoever begins one keeps what stood
//! there, in memory, until somebody has the time to have those queues deleted. Nothing of it opens or reads anything.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::sentinel::{KillSection, Sentinel, WipeMark};

static KEPT: Mutex<Vec<(PathBuf, KillSection)>> = Mutex::new(Vec::new());

/// Keeps what stands in the sentinel of `home`, which is about to be overwritten. One that is marked already, or can't be read, has nothing.
pub(super) fn keep(home: &Path) {
    let Ok(sentinel) = Sentinel::load(home) else {
        return;
    };
    if sentinel.wipe_mark() == WipeMark::None {
        let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|(of, _)| of != home);
        kept.push((home.to_owned(), sentinel.kill));
    }
}

/// What was kept of `home`, once.
pub(crate) fn take(home: &Path) -> Option<KillSection> {
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    let at = kept.iter().position(|(of, _)| of == home)?;
    Some(kept.swap_remove(at).1)
}
