//! What the operator of this account's server tells everybody there.

use super::Client;
use crate::{error::Result, ids::AnnouncementId, sync::announcement, view::AnnouncementInfo};

impl Client {
    /// What is announced now, the newest first, dismissed ones included.
    ///
    /// # Errors
    /// `store.*`.
    pub async fn announcements(&self) -> Result<Vec<AnnouncementInfo>> {
        self.read(|snapshot, engine| {
            announcement::shown(snapshot.connection(), &engine.me, engine.clock.now_ms())
        })
        .await
    }

    /// The owner has read one; it is not shown any more on any device of the account.
    ///
    /// # Errors
    /// `announcement.unknown`.
    pub async fn dismiss_announcement(&self, id: &AnnouncementId) -> Result<()> {
        let id = id.bytes()?;
        self.write(move |work| announcement::dismiss(work, &id))
            .await
    }
}
