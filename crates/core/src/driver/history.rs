//! The task that carries what was said before to a device that was linked, and fetches it there: one portion at a time, whatever its size.

use std::{sync::Arc, time::Duration};

use undertone_wire::{Code, Error as WireError};

use super::{
    Shared,
    blobs::{fetch_payload, upload_payload},
    pause::Pause,
};
use crate::{
    error::{Error, Reason, Result},
    sync::{
        fetch::Fetch,
        history::{self, Given, Step},
    },
};

/// While a new device is let into conversations one after the other, what can be given is gathered for so long.
const GATHERING: Duration = Duration::from_secs(1);
/// What waits for a conversation is looked at again after this at the latest.
const LOOK: Duration = Duration::from_secs(2);
/// Not more often than this, whatever wakes it.
const SHORTEST: Duration = Duration::from_millis(20);
const LONGEST: Duration = Duration::from_secs(60);

/// What came of a round.
enum Round {
    Nothing,
    /// For conversations that one of the two is not in yet.
    Wait,
    More,
    Gather,
}

pub(super) async fn run(shared: Arc<Shared>) {
    tokio::select! {
        () = carry(&shared) => {}
        () = shared.stopped() => {}
    }
}

async fn carry(shared: &Arc<Shared>) {
    let mut duties = shared.engine.duties.subscribe();
    let mut pause = Pause::new(shared.engine.pace.reconnect_to.min(LONGEST));
    loop {
        duties.borrow_and_update();
        match round(shared).await {
            Ok(Round::More) => pause.reset(),
            Ok(Round::Gather) => tokio::time::sleep(GATHERING).await,
            Ok(Round::Wait) => {
                pause.reset();
                let _ = tokio::time::timeout(LOOK, duties.changed()).await;
                tokio::time::sleep(SHORTEST).await;
            }
            Ok(Round::Nothing) => {
                pause.reset();
                if duties.changed().await.is_err() {
                    return;
                }
                tokio::time::sleep(SHORTEST).await;
            }
            Err(error) => {
                tracing::debug!(code = error.code(), "history goes on later");
                tokio::time::sleep(pause.next(Duration::ZERO)).await;
            }
        }
    }
}

async fn round(shared: &Arc<Shared>) -> Result<Round> {
    match shared.write(history::step).await? {
        Step::Take(number, fetch) => {
            take(shared, number, &fetch).await?;
            Ok(Round::More)
        }
        Step::Give(given) => give(shared, given).await,
        Step::Wait => Ok(Round::Wait),
        Step::Nothing => Ok(Round::Nothing),
    }
}

async fn give(shared: &Arc<Shared>, given: Box<Given>) -> Result<Round> {
    upload_payload(shared, &given.blob, &given.key, &given.body).await?;
    let full = given.full;
    shared
        .write(move |work| history::given(work, &given))
        .await?;
    Ok(if full { Round::More } else { Round::Gather })
}

async fn take(shared: &Arc<Shared>, number: u32, fetch: &Fetch) -> Result<()> {
    let taken = match fetch_payload(shared, fetch).await {
        Ok(body) => {
            shared
                .write(move |work| history::take(work, number, &body))
                .await
        }
        Err(error) => Err(error),
    };
    match taken {
        Err(error) if is_lost(&error) => {
            tracing::debug!(code = error.code(), "a portion of history is lost");
            shared
                .write(move |work| history::took_nothing(work, number))
                .await
        }
        taken => taken,
    }
}

/// Whether what is wrong with a portion will never get better.
fn is_lost(error: &Error) -> bool {
    match error {
        Error::Attachment(_) => true,
        Error::Wire(WireError { code, .. }) => *code == Code::BlobUnknown,
        Error::Reason(reason) => *reason == Reason::BackupDamaged,
        _ => false,
    }
}
