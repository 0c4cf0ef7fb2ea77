//! Transfers that their owner stops: for a while, or for good.
//!
//! It is written down, so that it stays so over a restart, and a transfer under way ends in the middle of a piece. What a pause leaves is
//! gone on from later, as after any cut.

use std::future::Future;

use super::rows::State;
use super::{AttachmentError, AttachmentId, Attachments, CANCELLED};
use crate::store::{StoreError, Transaction};

impl Attachments {
    /// Stops a transfer until [`Attachments::resume`]. False: there is none to stop.
    ///
    /// # Errors
    /// [`AttachmentError::Store`].
    pub fn pause(&self, tx: &Transaction<'_>, id: &AttachmentId) -> Result<bool, AttachmentError> {
        let changed = tx
            .connection()
            .prepare_cached("UPDATE attachments SET paused = 1 WHERE id = ?1 AND state = ?2")
            .and_then(|mut update| update.execute((id.as_bytes(), State::Waiting.number())))
            .map_err(StoreError::from)?;
        self.tell_halt(tx, *id);
        Ok(changed > 0)
    }

    /// Lets a transfer that was paused, was cancelled or failed begin again from where it is. An upload that ended well looks once more
    /// whether its blob is still there.
    ///
    /// # Errors
    /// [`AttachmentError::Store`].
    pub fn resume(&self, tx: &Transaction<'_>, id: &AttachmentId) -> Result<(), AttachmentError> {
        tx.connection()
            .prepare_cached(
                "UPDATE attachments SET state = ?2, failure = '', paused = 0
                 WHERE id = ?1 AND (state IN (?2, ?3) OR (state = ?4 AND direction = 1))",
            )
            .and_then(|mut update| {
                update.execute((
                    id.as_bytes(),
                    State::Waiting.number(),
                    State::Failed.number(),
                    State::Done.number(),
                ))
            })
            .map_err(StoreError::from)?;
        Ok(())
    }

    /// Stops a transfer for good: it counts as failed, with the code `attachment.cancelled`, until [`Attachments::resume`]. What came of a
    /// download is removed; an upload can be cancelled as long as its message has not gone, and its content stays. False: there is none to stop.
    ///
    /// # Errors
    /// [`AttachmentError::Store`].
    pub fn cancel(&self, tx: &Transaction<'_>, id: &AttachmentId) -> Result<bool, AttachmentError> {
        let changed = tx
            .connection()
            .prepare_cached(
                "UPDATE attachments SET state = ?2, failure = ?3, paused = 0
                 WHERE id = ?1 AND (state = ?4 OR (state = ?5 AND direction = 1))",
            )
            .and_then(|mut update| {
                update.execute((
                    id.as_bytes(),
                    State::Failed.number(),
                    CANCELLED,
                    State::Waiting.number(),
                    State::Done.number(),
                ))
            })
            .map_err(StoreError::from)?;
        self.tell_halt(tx, *id);
        Ok(changed > 0)
    }

    /// Once it is on disk, whoever transfers it hears of it; what nobody transfers is tidied here.
    fn tell_halt(&self, tx: &Transaction<'_>, id: AttachmentId) {
        let attachments = self.clone();
        tx.after_commit(move || {
            attachments.halts.send_replace(());
            attachments.remove_if_asked(&id);
        });
    }

    /// Does `work`, or ends at once when its owner stops the transfer.
    pub(super) async fn unless_halted<T>(
        &self,
        id: &AttachmentId,
        work: impl Future<Output = T>,
    ) -> Result<T, AttachmentError> {
        tokio::select! {
            biased;
            why = self.halted(id) => Err(why),
            done = work => Ok(done),
        }
    }

    async fn halted(&self, id: &AttachmentId) -> AttachmentError {
        let mut halts = self.halts.subscribe();
        loop {
            // A store that can't be read stops nothing: the end of the transfer finds that out.
            if let Ok(status) = self.status(id) {
                if status.is_cancelled() {
                    return AttachmentError::Cancelled;
                }
                if status.paused {
                    return AttachmentError::Paused;
                }
            }
            if halts.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}
