//! What locks the host by itself: time without the owner, and a computer that slept; and what ends it: a home that was wiped.

use std::{sync::Arc, time::Duration};

use undertone_core::home::{
    HomeError, Wipe,
    dead_man::{DeadManStanding, Moment},
    panic::{self, Press},
};

use super::{Host, HostState};
use crate::{
    failure::Failure,
    guard::{self, Sleep},
};

/// Looks after the home, open or locked, until the home is wiped.
pub(super) async fn run(host: Arc<Host>) {
    let folder = host.home.folder().to_owned();
    let mut sleep = Sleep::watch();
    loop {
        tokio::time::sleep(guard::EVERY).await;
        let slept = sleep.was_there();
        if guard::look(&folder).await == Err(HomeError::Wiped) {
            if host.home.is_wiped() {
                // Whoever wipes it ends the host, once the server was told.
                return;
            }
            if let Ok((client, _)) = host.home.client() {
                guard::end_wiped(&client).await;
            }
            // What another process has begun and may not have finished.
            let _ = tokio::task::spawn_blocking(move || Wipe::finish_if_marked(&folder)).await;
            host.home.say_wiped();
            return;
        }
        let Ok((client, _)) = host.home.client() else {
            continue;
        };
        guard::compare_clocks(&folder, &client).await;
        let Ok(protection) = client.protection().await else {
            continue;
        };
        host.sleep_delay.hold(protection.lock_on_suspend).await;
        let longest = Duration::from_secs(protection.auto_lock_s.into());
        let idle = protection.auto_lock_s > 0 && host.idle.time() >= longest;
        if idle || (slept && protection.lock_on_suspend) {
            host.lock();
        }
    }
}

impl Host {
    /// Panic: locks, or wipes at the second press and when it is held. Whether it wiped, or it was wiped before. Whatever goes wrong with
    /// noting the press, it locks.
    ///
    /// # Errors
    /// `home.*`.
    pub(super) async fn panic(&self, held: bool) -> Result<bool, Failure> {
        if self.home.now().state == HostState::New {
            // There is nothing to wipe, and nowhere to note the press.
            self.lock();
            return Ok(false);
        }
        let wipes = held || {
            let folder = self.home.folder().to_owned();
            let press = tokio::task::spawn_blocking(move || panic::press(&folder, &Moment::now()));
            matches!(press.await, Ok(Ok(Press::Wipe) | Err(HomeError::Wiped)))
        };
        if !wipes {
            self.lock();
            return Ok(false);
        }
        if let Ok((client, _)) = self.home.client() {
            client.wipe().await?;
        } else {
            let folder = self.home.folder().to_owned();
            tokio::task::spawn_blocking(move || Wipe::begin(&folder))
                .await
                .map_err(|_| HomeError::Io)??;
            self.home.say_wiped();
        }
        Ok(true)
    }
}

/// How the dead-man timer of a locked home stands, as its sentinel says without a key.
pub(super) async fn while_locked(host: &Host, state: HostState) -> Option<DeadManStanding> {
    if state != HostState::Locked {
        return None;
    }
    // That it was wiped is found, and told, by `run`.
    guard::look(host.home.folder()).await.ok()
}
