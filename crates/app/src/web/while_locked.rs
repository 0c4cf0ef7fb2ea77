//! What a locked home waits for: a command to wipe it, and a sign that something came.

use std::{
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::watch;
use undertone_core::{
    Client, ClientOptions,
    bell::{BellPass, BellWatch},
    kill::{OnWiped, Watch},
};

use super::home::Now;

/// What the page keeps in the home: whether the system is to tell of new messages.
const NOTIFICATIONS: &str = "notifications";
/// How long locking may take to ask for it.
const ASKING: Duration = Duration::from_secs(1);

/// The tasks that wait.
#[derive(Default)]
pub(super) struct WhileLocked {
    watching: tokio::sync::Mutex<Option<Watching>>,
    /// What the process that locked the home left to hear with that something came.
    pass: Mutex<Option<Arc<BellPass>>>,
}

struct Watching {
    kill: Watch,
    bell: Option<BellWatch>,
}

impl WhileLocked {
    /// Begins to wait, unless it does.
    pub(super) async fn begin(
        &self,
        home: &Path,
        options: &ClientOptions,
        on_wiped: OnWiped,
        now: &watch::Sender<Now>,
    ) {
        let mut watching = self.watching.lock().await;
        if watching.is_some() {
            return;
        }
        let bell = self.lock_pass().clone().map(|pass| {
            let now = now.clone();
            let on_ring = Arc::new(move || {
                now.send_modify(|now| now.rings = now.rings.saturating_add(1));
            });
            BellWatch::start(pass, options, on_ring)
        });
        let kill = Watch::locked(home, options, on_wiped);
        *watching = Some(Watching { kill, bell });
    }

    /// Waits no more.
    pub(super) async fn end(&self) {
        if let Some(watching) = self.watching.lock().await.take() {
            watching.kill.stop().await;
            if let Some(bell) = watching.bell {
                bell.stop().await;
            }
        }
    }

    /// The process that locked the home left this.
    pub(super) fn will_hear(&self, pass: BellPass) {
        *self.lock_pass() = Some(Arc::new(pass));
    }

    /// The home is open, and has another bell.
    pub(super) fn forget(&self) {
        self.lock_pass().take();
    }

    fn lock_pass(&self) -> MutexGuard<'_, Option<Arc<BellPass>>> {
        self.pass.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a locked process is to hear with that something came; None: the owner does not want to be told, or the server has not been told of a
/// bell. Locking does not wait for it.
pub(super) async fn bell_pass(client: &Client) -> Option<BellPass> {
    let asked = async {
        let wanted = client.preferences().await.ok()?.get(NOTIFICATIONS) == Some(&1);
        if wanted {
            client.bell_pass().await.ok()?
        } else {
            None
        }
    };
    tokio::time::timeout(ASKING, asked).await.ok()?
}
