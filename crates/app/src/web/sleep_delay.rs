//! Has the computer wait with going to sleep until the lock is done.
//!
//! systemd's logind waits, for five seconds at most, for whoever holds a delay lock. It is held by `systemd-inhibit`, a process of its own, for as
//! long as a program runs that ends when a pipe of this process does: at the end of the lock, when this process becomes a fresh image
//! of itself, or whenever and however it ends. So it can't be forgotten, and no library that speaks D-Bus is part of what holds the keys.
//! Where there is no `systemd-inhibit` or no logind, everything else is as it was.
//!
//! What must stay true: it is held only while the home is open and is to be locked before sleep, so that no other sleep has to wait.

use std::{process::Stdio, sync::Mutex, sync::PoisonError};

use tokio::process::{ChildStdin, Command};

/// The program in the middle ends at once, so that nobody has to wait for the others; they go on with its standard input.
const SCRIPT: &str = "exec 3<&0; systemd-inhibit --what=sleep --mode=delay --who=Undertone --why='Locks before sleep' /bin/cat <&3 3<&- >/dev/null 2>&1 &";

/// Whether sleep waits for this process.
#[derive(Default)]
pub(crate) struct SleepDelay(Mutex<Option<ChildStdin>>);

impl SleepDelay {
    /// Begins to hold sleep up, or lets go.
    pub(crate) async fn hold(&self, wanted: bool) {
        if wanted == self.lock().is_some() {
            return;
        }
        let pipe = if wanted { begin().await } else { None };
        *self.lock() = pipe;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<ChildStdin>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn begin() -> Option<ChildStdin> {
    let mut process = Command::new("/bin/sh")
        .args(["-c", SCRIPT])
        .env("LC_ALL", "C")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let pipe = process.stdin.take();
    process.wait().await.ok()?;
    pipe
}
