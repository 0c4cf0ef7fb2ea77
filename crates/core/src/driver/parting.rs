//! Telling the account's other devices, or people where there are none, in the last moment, that this device is wiped.
//!
//! It is called when no key of the home is on the disk any more. What must stay true: it ends soon, whatever the server does, and where the
//! server is not there at that moment it ends at once.

use std::time::Duration;

use super::Shared;
use crate::{error::Result, sync::parting, view::LinkState};

/// The longest that the rest of a wipe waits for it.
const LIMIT: Duration = Duration::from_millis(1500);
/// Between looks at whether it is sent.
const LOOK: Duration = Duration::from_millis(10);

impl Shared {
    /// Says it to whoever is to hear it, and waits until it is sent, a moment.
    pub(crate) async fn part(&self) {
        if self.links.borrow().inbox != LinkState::Online {
            return;
        }
        // Somebody who is not told now is not told.
        let _ = tokio::time::timeout(LIMIT, self.tell_of_parting()).await;
    }

    async fn tell_of_parting(&self) -> Result<()> {
        if self.write(parting::say).await? == 0 {
            return Ok(());
        }
        while self.write(parting::waits).await? {
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }
}
