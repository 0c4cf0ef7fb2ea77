//! The task that sends the silent alarm after the duress passphrase was given, as often as it takes.
//!
//! It goes as a heartbeat goes, from a temporary queue and by an anonymous connection of its own. Nothing that is shown changes by it, and
//! nobody waits for it.

use std::{sync::Arc, time::Duration};

use undertone_wire::{Code, Error as WireError};

use super::{Shared, pause::Pause};
use crate::{
    error::Result,
    kill::Sender,
    sync::alarm::{self, Due},
};

/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(600);
/// How long an attempt may take.
const ROUND: Duration = Duration::from_secs(60);

pub(super) async fn run(shared: Arc<Shared>) {
    // A home in the making has nobody to alarm, and who visits a decoy has not given the duress passphrase.
    if shared.kill.as_ref().is_none_or(|kill| kill.visited) {
        return;
    }
    tokio::select! {
        () = alarm_all(&shared) => {}
        () = shared.stopped() => {}
    }
}

/// Ends when there is nothing to send, as in every home but one whose duress passphrase was just given.
async fn alarm_all(shared: &Arc<Shared>) {
    let mut pause =
        Pause::new(LONGEST_PAUSE.min(shared.engine.pace.reconnect_to.saturating_mul(10)));
    loop {
        match shared.write(alarm::due).await {
            Ok(due) if due.is_empty() => return,
            Ok(due) => {
                for one in due {
                    if let Err(error) = round(shared, one).await {
                        tracing::debug!(code = error.code(), "something small could not be sent");
                    }
                }
            }
            Err(error) => tracing::debug!(code = error.code(), "the store could not be read"),
        }
        tokio::time::sleep(pause.next(Duration::ZERO)).await;
    }
}

async fn round(shared: &Arc<Shared>, due: Due) -> Result<()> {
    tokio::time::timeout(ROUND, send(shared, due))
        .await
        .map_err(|_| WireError::new(Code::ConnectionLost))?
}

async fn send(shared: &Arc<Shared>, due: Due) -> Result<()> {
    let transport = Arc::clone(&shared.transport);
    let clock = Arc::clone(&shared.engine.clock);
    let sender = Sender::with(transport, clock, &due.server).await?;
    let mut taken = false;
    let mut outcome = Ok(());
    for (alarm, slot) in due.alarms {
        match sender.leave(alarm, &slot).await {
            Ok(there) => taken |= there,
            Err(error) => outcome = Err(error),
        }
    }
    // At once: whoever has it has given its address up, and takes it no second time.
    if taken && outcome.is_ok() {
        outcome = shared.write(move |work| alarm::taken(work, due.id)).await;
    }
    sender.close().await;
    outcome
}
