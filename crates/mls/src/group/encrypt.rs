//! Sending. What comes out is a PrivateMessage that [`Group::seal`] wraps; on `channel.stale` it is made again.

use super::{EnvelopeKind, Group};
use crate::{DeviceKeys, Error, Provider, Result};

/// A message on its way to a channel.
pub struct Outgoing {
    /// The epoch it was encrypted in: that of the channel send.
    pub epoch: u64,
    /// What to seal it as.
    pub kind: EnvelopeKind,
    /// The MLSMessage.
    pub body: Vec<u8>,
}

impl Group {
    /// Encrypts an application message. The envelope pads it; no padding is needed here.
    ///
    /// # Errors
    /// [`Error::Library`].
    pub fn encrypt(
        &mut self,
        provider: &Provider<'_>,
        device: &DeviceKeys,
        plaintext: &[u8],
    ) -> Result<Outgoing> {
        let epoch = self.epoch();
        let message = self
            .mls
            .create_message(provider, device, plaintext)
            .map_err(|_| Error::Library("encrypt"))?;
        Ok(Outgoing {
            epoch,
            kind: EnvelopeKind::Application,
            body: message.to_bytes().map_err(|_| Error::Library("encrypt"))?,
        })
    }
}
