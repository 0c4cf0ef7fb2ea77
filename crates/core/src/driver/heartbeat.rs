//! The task that tells the account's other devices that the owner gave this one the passphrase.
//!
//! Each round is a temporary queue and an anonymous connection of its own, so that nothing on the server joins this account's queues to
//! the others' kill queues.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use undertone_wire::{Code, Error as WireError};

use super::{Shared, kill::Kill, pause::Pause};
use crate::{
    error::Result,
    kill::Sender,
    sync::heartbeat::{self, Due},
};

/// How often it is looked whether another device wants to know meanwhile.
const LOOK: Duration = Duration::from_secs(3600);
/// How long a round may take.
const ROUND: Duration = Duration::from_secs(60);

pub(super) async fn run(shared: Arc<Shared>) {
    let Some(kill) = &shared.kill else { return };
    tokio::select! {
        () = tell(&shared, kill) => {}
        () = shared.stopped() => {}
    }
}

async fn tell(shared: &Arc<Shared>, kill: &Kill) {
    let mut here = kill.here.subscribe();
    let mut pause = Pause::new(LOOK);
    loop {
        let here_s = *here.borrow_and_update();
        kill.telling.store(true, Ordering::Relaxed);
        let wait = match round(shared, kill, here_s).await {
            Ok(()) => {
                pause.reset();
                LOOK
            }
            Err(error) => {
                tracing::debug!(code = error.code(), "a heartbeat could not be sent");
                pause.next(Duration::ZERO)
            }
        };
        // Who waits for everything to be done does not wait for a server that takes none.
        kill.telling.store(false, Ordering::Relaxed);
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            // The sender lives as long as `shared`.
            _ = here.changed() => {}
        }
    }
}

/// Tells whoever wants to know and was not told yet.
async fn round(shared: &Arc<Shared>, kill: &Kill, here_s: u64) -> Result<()> {
    let due = shared
        .write(move |work| heartbeat::due(work, here_s))
        .await?;
    let Some(due) = due else { return Ok(()) };
    tokio::time::timeout(ROUND, send(shared, kill, due))
        .await
        .map_err(|_| WireError::new(Code::ConnectionLost))??;
    shared
        .write(move |work| heartbeat::told(work, here_s))
        .await
}

async fn send(shared: &Arc<Shared>, kill: &Kill, due: Due) -> Result<()> {
    let transport = Arc::clone(&shared.transport);
    let sender = Sender::with(transport, Arc::clone(&kill.options.clock), &due.server).await?;
    let mut outcome = Ok(());
    for (heartbeat, slot) in due.heartbeats {
        // A mailbox that is full or gone is the other device's affair.
        if let Err(error) = sender.leave(heartbeat, &slot).await {
            outcome = Err(error);
        }
    }
    sender.close().await;
    outcome
}
