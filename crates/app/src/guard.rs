//! Looks after a home while a process has it, or could open it: the dead-man timer, a wipe that another process began, and
//! whether the computer was asleep.
//!
//! That this machine slept shows in its own clocks, one of which stops meanwhile, also where nobody says so (`web::desktop`).

use std::{
    path::Path,
    sync::LazyLock,
    time::{Duration, Instant},
};

use rustix::time::{ClockId, clock_gettime};
use undertone_core::{
    Client,
    home::{
        HomeError,
        dead_man::{self, DeadManStanding, Moment},
    },
};

use crate::web::{desktop, sleep_delay::SleepDelay};

/// Between two looks.
pub const EVERY: Duration = Duration::from_secs(5);
/// A sleep shorter than this, in seconds, is none.
const SHORTEST_SLEEP: i64 = 2;

/// Notices that the computer was suspended: `CLOCK_BOOTTIME` goes on then, `CLOCK_MONOTONIC` stands still.
pub struct Sleep {
    apart: i64,
}

impl Sleep {
    /// From now on.
    #[must_use]
    pub fn watch() -> Self {
        Self { apart: apart() }
    }

    /// Whether it slept since the last look.
    pub fn was_there(&mut self) -> bool {
        self.seen(apart())
    }

    fn seen(&mut self, apart: i64) -> bool {
        let slept = apart - self.apart >= SHORTEST_SLEEP;
        self.apart = apart;
        slept
    }
}

/// Seconds that the two clocks are apart.
fn apart() -> i64 {
    clock_gettime(ClockId::Boottime).tv_sec - clock_gettime(ClockId::Monotonic).tv_sec
}

/// Looks once at the home in `folder`.
///
/// # Errors
/// `home.wiped` if it was wiped, by this look or before; else what reading the sentinel says.
pub async fn look(folder: &Path) -> Result<DeadManStanding, HomeError> {
    let folder = folder.to_owned();
    tokio::task::spawn_blocking(move || dead_man::check(&folder, &Moment::now()))
        .await
        .map_err(|_| HomeError::Io)?
}

/// What a server says the time is may show that this computer's clock was set back, and nothing else.
pub async fn compare_clocks(folder: &Path, client: &Client) {
    let Ok(status) = client.status().await else {
        return;
    };
    let now = Moment::now();
    let theirs = now.clock.saturating_add_signed(status.clock_off_s);
    let folder = folder.to_owned();
    // A warning that could not be written is given at the next look.
    let _ =
        tokio::task::spawn_blocking(move || dead_man::heard_of_time(&folder, theirs, &now)).await;
}

/// The home of an open client was wiped, perhaps by another process: the rest of it, and the server's, goes too.
pub async fn end_wiped(client: &Client) {
    if client.wipe().await.is_err() {
        client.was_wiped();
    }
}

/// Looks after the home of an open client until it ends.
pub async fn look_after(client: Client) {
    let folder = client.home_folder().to_owned();
    let mut ending = client.ending();
    loop {
        tokio::select! {
            _ = ending.wait_for(Option::is_some) => return,
            () = tokio::time::sleep(EVERY) => {}
        }
        if look(&folder).await == Err(HomeError::Wiped) {
            end_wiped(&client).await;
            return;
        }
        compare_clocks(&folder, &client).await;
    }
}

/// Locks the account of a process that stays, as the app in the browser locks itself: when nobody asked it for anything for as long as the
/// owner set, when the computer slept or goes to sleep, and with the screen. Until it ends.
pub async fn lock_by_itself(client: Client) {
    let mut ending = client.ending();
    let listening = desktop::lock_with(client.clone());
    let looking = async {
        let mut sleep = Sleep::watch();
        let delay = SleepDelay::default();
        let since = Instant::now();
        loop {
            tokio::time::sleep(EVERY).await;
            let slept = sleep.was_there();
            let Ok(protection) = client.protection().await else {
                continue;
            };
            delay.hold(protection.lock_on_suspend).await;
            let longest = Duration::from_secs(protection.auto_lock_s.into());
            let idle = protection.auto_lock_s > 0 && ASKED.time().min(since.elapsed()) >= longest;
            if idle || (slept && protection.lock_on_suspend) {
                client.lock();
            }
        }
    };
    tokio::select! {
        _ = ending.wait_for(Option::is_some) => {}
        () = listening => {}
        () = looking => {}
    }
}

/// When a program, or the owner by a command, last asked this process for something.
pub static ASKED: LazyLock<Idle> = LazyLock::new(Idle::default);

/// How long ago something was.
#[derive(Debug)]
pub struct Idle(std::sync::Mutex<Instant>);

impl Default for Idle {
    fn default() -> Self {
        Self(std::sync::Mutex::new(Instant::now()))
    }
}

impl Idle {
    /// It is now.
    pub fn touch(&self) {
        *self.lock() = Instant::now();
    }

    /// How long ago it was.
    #[must_use]
    pub fn time(&self) -> Duration {
        self.lock().elapsed()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Instant> {
        self.0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suspended_computer_is_noticed_once() {
        let mut sleep = Sleep { apart: 10 };
        assert!(!sleep.seen(10));
        assert!(!sleep.seen(11), "a second is rounding");
        assert!(sleep.seen(400));
        assert!(!sleep.seen(400));
    }
}
