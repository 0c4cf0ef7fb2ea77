//! The task that erases messages whose time is over, on-line or not.

use std::{sync::Arc, time::Duration};

use super::Shared;
use crate::sync::timer;

/// Looked after this long at the latest: a moment is by the system's clock, which may jump.
const LONGEST: Duration = Duration::from_secs(30);
/// Not more often than this, whatever fails.
const SHORTEST: Duration = Duration::from_millis(50);

pub(super) async fn run(shared: Arc<Shared>) {
    let mut duties = shared.engine.duties.subscribe();
    loop {
        let next = shared
            .write(|work| {
                timer::tick(work)?;
                timer::next_due(work)
            })
            .await;
        let wait = match next {
            Ok(Some(ms)) => Duration::from_millis(u64::try_from(ms).unwrap_or(0)).min(LONGEST),
            Ok(None) => Duration::MAX,
            // A full disk, say. It is tried again.
            Err(_) => LONGEST,
        };
        tokio::select! {
            () = tokio::time::sleep(wait.max(SHORTEST)) => {}
            changed = duties.changed() => {
                if changed.is_err() {
                    return;
                }
                tokio::time::sleep(SHORTEST).await;
            }
            () = shared.stopped() => return,
        }
    }
}
