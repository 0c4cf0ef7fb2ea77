//! What is said for a moment only: an application message in an envelope of its own kind, good in the present epoch or never.
//!
//! It is encrypted as any other, so that nobody can speak for another and nothing can be replayed. That one is lost costs nothing: MLS
//! lets messages of a sender be missing before a later one (RFC 9420 section 9.1), and the caller sees to it that there are few
//! between two that are not lost.

use openmls::prelude::{BasicCredential, ContentType, ProcessedMessageContent, Sender};
use zeroize::Zeroizing;

use super::{Application, Body, EnvelopeKind, Group, Opened};
use crate::{Certificate, DeviceKeys, Error, Provider, Result};

impl Group {
    /// Encrypts and seals something for a moment; gives the epoch and the payload.
    ///
    /// # Errors
    /// [`Error::CommitPending`] while a change is on its way; [`Error::Library`].
    pub fn seal_ephemeral(
        &mut self,
        provider: &Provider<'_>,
        device: &DeviceKeys,
        plaintext: &[u8],
    ) -> Result<(u64, Vec<u8>)> {
        if self.mls.pending_commit().is_some() {
            return Err(Error::CommitPending);
        }
        let outgoing = self.encrypt(provider, device, plaintext)?;
        let body = Body::Inline(&outgoing.body);
        let payload = self.seal(provider, EnvelopeKind::Ephemeral, outgoing.epoch, &body)?;
        Ok((outgoing.epoch, payload))
    }

    /// Opens it. None: it is of another epoch or conversation, not an application message, one's own, or does not open; all that means
    /// nothing.
    ///
    /// # Errors
    /// [`Error::Storage`]: roll back and drop the group.
    pub fn open_ephemeral(
        &mut self,
        provider: &Provider<'_>,
        epoch: u64,
        payload: &[u8],
    ) -> Result<Option<Application>> {
        use openmls::prelude::ProcessMessageError;
        if epoch != self.epoch() {
            return Ok(None);
        }
        let Ok(Opened::Inline(body)) = self.open(provider, EnvelopeKind::Ephemeral, epoch, payload)
        else {
            return Ok(None);
        };
        let message = self
            .private_message(&body, ContentType::Application)
            .filter(|message| message.epoch().as_u64() == epoch);
        let Some(message) = message else {
            return Ok(None);
        };
        let processed = match self.mls.process_message(provider, message) {
            Ok(processed) => processed,
            Err(ProcessMessageError::StorageError(error)) => return Err(Error::Storage(error)),
            Err(_) => return Ok(None),
        };
        let Sender::Member(leaf) = *processed.sender() else {
            return Ok(None);
        };
        let corrupt = || Error::Corrupt("sender");
        let credential =
            BasicCredential::try_from(processed.credential().clone()).map_err(|_| corrupt())?;
        let certificate =
            Certificate::decode_verified_before(credential.identity()).map_err(|_| corrupt())?;
        match processed.into_content() {
            ProcessedMessageContent::ApplicationMessage(message) => Ok(Some(Application {
                epoch,
                is_member: true,
                leaf: leaf.u32(),
                account: certificate.account_id(),
                device: certificate.device_id(),
                key: *certificate.device_key(),
                plaintext: Zeroizing::new(message.into_bytes()),
            })),
            _ => Ok(None),
        }
    }
}
