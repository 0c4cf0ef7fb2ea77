//! What people do with transfers under way: pause, go on, cancel, and send again what did not go.

use super::Client;
use crate::{
    error::Result,
    ids::{ChatId, MessageId},
    sync::halt::{self, Wish},
    view::{Delivery, Sent},
};

impl Client {
    /// Lets a transfer wait until [`Client::resume_transfer`], over restarts too. Of a message on its way out all files are meant; of another one,
    /// one of its files, or with None all that are still to come. Whoever waits for the file by [`Client::save`] gets `attachment.paused`.
    ///
    /// # Errors
    /// `chat.unknown`, `message.unknown`, `attachment.unknown`, `attachment.not_moving` if there is nothing to pause, `request.open`.
    pub async fn pause_transfer(
        &self,
        chat: &ChatId,
        message: &MessageId,
        index: Option<u32>,
    ) -> Result<()> {
        self.stop_or_go(chat, message, index, Wish::Pause).await
    }

    /// Lets a transfer go on where it is. A file of somebody else that was never asked for, or was cancelled, comes now, whatever its size.
    ///
    /// # Errors
    /// As [`Client::pause_transfer`]; `attachment.not_moving` if it is here already, or its message was cancelled: [`Client::send_again`].
    pub async fn resume_transfer(
        &self,
        chat: &ChatId,
        message: &MessageId,
        index: Option<u32>,
    ) -> Result<()> {
        self.stop_or_go(chat, message, index, Wish::Resume).await
    }

    /// Ends a transfer. A message on its way out does not go, and stays here as failed until it is sent again or deleted; of a file of somebody else
    /// what came is removed, and it does not come by itself any more.
    ///
    /// # Errors
    /// As [`Client::pause_transfer`].
    pub async fn cancel_transfer(
        &self,
        chat: &ChatId,
        message: &MessageId,
        index: Option<u32>,
    ) -> Result<()> {
        self.stop_or_go(chat, message, index, Wish::Cancel).await
    }

    async fn stop_or_go(
        &self,
        chat: &ChatId,
        message: &MessageId,
        index: Option<u32>,
        wish: Wish,
    ) -> Result<()> {
        let message = self.message(chat, message.as_str()).await?.local_id;
        self.write(move |work| halt::wish(work, message, index, wish))
            .await
    }

    /// Sends an own message that failed or was cancelled once more: as a new one, at the end of the chat, in the place of the old.
    ///
    /// # Errors
    /// `chat.*`, `message.unknown`, `message.not_failed`, `attachment.unknown`, `group.forbidden`.
    pub async fn send_again(&self, chat: &ChatId, message: &MessageId) -> Result<Sent> {
        let _turn = self.inner.turn.lock().await;
        let message = self.message(chat, message.as_str()).await?.local_id;
        let (local_id, id) = self
            .write(move |work| halt::send_again(work, message))
            .await?;
        Ok(Sent {
            message: MessageId::from_bytes(&id),
            local_id,
            state: Delivery::Queued,
        })
    }
}
