//! What opens and names a conversation's channel, and what proves a contact link: docs/protocol.md sections 4 and 7.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;
use undertone_wire::{
    ids::ChannelId,
    secrets::{ChannelKey, LinkSecret},
};

use super::Group;
use crate::{Provider, Result, store};

pub(super) const CHANNEL_KEY: &str = "undertone channel key";
const FALLBACK: &str = "undertone channel";
const LINK: &str = "undertone link";

/// In `mls_epoch_secret`.
pub(super) const LINK_PURPOSE: u8 = 1;

/// Where a conversation stands on its channel.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ChannelPosition {
    /// 0, and one more at every move to a fallback channel.
    pub generation: u32,
    /// The channel in use.
    pub channel_id: ChannelId,
    /// The channel's number of the last item.
    pub number: u64,
}

impl Group {
    /// `key_n`: opens the channel's lock for a commit at this epoch.
    ///
    /// # Errors
    /// [`crate::Error::Library`].
    pub fn channel_key(&self, provider: &Provider<'_>) -> Result<ChannelKey> {
        Ok(ChannelKey::new(*self.export(provider, CHANNEL_KEY, &[])?))
    }

    /// `lock_n`: what the channel holds at this epoch.
    ///
    /// # Errors
    /// [`crate::Error::Library`].
    pub fn lock(&self, provider: &Provider<'_>) -> Result<[u8; 32]> {
        Ok(self.channel_key(provider)?.lock())
    }

    /// The id of a fallback channel of this epoch; its lock is [`Self::lock`]. `counter` is 0 for the first move within an
    /// epoch, and one more for each that follows.
    ///
    /// # Errors
    /// [`crate::Error::Library`].
    pub fn fallback_channel_id(&self, provider: &Provider<'_>, counter: u64) -> Result<ChannelId> {
        Ok(ChannelId::new(*self.export(
            provider,
            FALLBACK,
            &counter.to_be_bytes(),
        )?))
    }

    /// Proves in this epoch that this device knows a contact link's secret.
    ///
    /// # Errors
    /// [`crate::Error::Library`].
    pub fn link_proof(
        &self,
        provider: &Provider<'_>,
        link_secret: &LinkSecret,
    ) -> Result<[u8; 32]> {
        Ok(proof(
            link_secret,
            &*self.link_secret(provider)?,
            self.epoch(),
        ))
    }

    /// Checks another's proof, made in `epoch`: the current one or one of the last three. `false` for older ones too.
    ///
    /// # Errors
    /// [`crate::Error::Library`], [`crate::Error::Storage`].
    pub fn verify_link_proof(
        &self,
        provider: &Provider<'_>,
        link_secret: &LinkSecret,
        epoch: u64,
        claimed: &[u8],
    ) -> Result<bool> {
        let secret = if epoch == self.epoch() {
            Some(self.link_secret(provider)?)
        } else {
            store::read_epoch_secret(provider, &self.id, epoch, LINK_PURPOSE)?
        };
        Ok(secret.is_some_and(|secret| proof(link_secret, &secret, epoch).ct_eq(claimed).into()))
    }

    pub(super) fn link_secret(
        &self,
        provider: &Provider<'_>,
    ) -> Result<zeroize::Zeroizing<[u8; 32]>> {
        self.export(provider, LINK, &[])
    }
}

/// HMAC-SHA-256(link secret, exporter || epoch).
fn proof(link_secret: &LinkSecret, exported: &[u8; 32], epoch: u64) -> [u8; 32] {
    // HMAC takes keys of any length.
    Hmac::<Sha256>::new_from_slice(link_secret.expose())
        .map(|mac| {
            mac.chain_update(exported)
                .chain_update(epoch.to_be_bytes())
                .finalize()
                .into_bytes()
                .into()
        })
        .unwrap_or_default()
}
