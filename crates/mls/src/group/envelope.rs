//! The envelope around every item of a channel: `0x01 || nonce(12) || AES-256-GCM`, under an exporter secret of the epoch it
//! was sent in, over a padded Payload. The channel's server sees a size class and nothing else.
//!
//! The keys of the last epochs are kept as long as MLS's own secrets of those epochs, so that late messages open.

use bytes::Bytes;
use openmls_traits::OpenMlsProvider as _;
use prost::Message as _;
use undertone_wire::{
    client_proto::{BlobPointer, Payload, payload},
    padding,
};
use zeroize::Zeroizing;

use super::Group;
use crate::{Error, Provider, Result, derive, store};

const LABEL: &str = "undertone envelope";
const VERSION: u8 = 1;

/// The largest body that goes inline; a larger one is uploaded as a blob first.
pub const INLINE_MAX: usize = padding::LARGEST_ENVELOPE_PLAINTEXT - 8;

/// To more addresses than this a large commit goes as a blob: a copy in the largest class for each would take more than all else.
const MANY: usize = 64;

/// The largest commit that goes inline to so many addresses.
#[must_use]
pub const fn commit_inline_max(addresses: usize) -> usize {
    if addresses > MANY {
        padding::PAYLOAD_CLASSES[3] - padding::ENVELOPE_OVERHEAD - padding::LENGTH_PREFIX - 8
    } else {
        INLINE_MAX
    }
}

/// What is inside: the number is the item's kind on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum EnvelopeKind {
    /// An application message or a leave proposal.
    Application = 2,
    /// A commit envelope.
    Commit = 3,
    /// What is said for a moment and stored nowhere.
    Ephemeral = 5,
}

/// What to seal.
pub enum Body<'a> {
    /// At most [`INLINE_MAX`] bytes.
    Inline(&'a [u8]),
    /// Where the body was uploaded.
    Blob(&'a BlobPointer),
}

/// What was sealed.
pub enum Opened {
    /// The body.
    Inline(Bytes),
    /// Where the body is to be fetched.
    Blob(BlobPointer),
}

/// Why an envelope does not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Its epoch's key is gone.
    #[error("an item of an epoch that is too long past")]
    TooOld,
    /// Its epoch has not come yet: commits are missing.
    #[error("an item of an epoch that has not come yet")]
    Ahead,
    /// It is not an envelope of this conversation. All members of the epoch see that alike.
    #[error("not an envelope of this conversation")]
    Malformed,
    /// Our own trouble.
    #[error(transparent)]
    Local(#[from] Error),
}

fn aad(kind: EnvelopeKind, epoch: u64) -> Vec<u8> {
    [&[kind as u8][..], &epoch.to_be_bytes()].concat()
}

impl Group {
    /// The item's payload, ready for the wire. `epoch` is the current one, or that of an [`super::Outgoing`] made just
    /// before: a payload of an epoch that is gone has to be encrypted again.
    ///
    /// # Errors
    /// [`Error::TooLong`] for an inline body over [`INLINE_MAX`]; [`Error::NothingToDo`] for an epoch whose key is gone.
    pub fn seal(
        &self,
        provider: &Provider<'_>,
        kind: EnvelopeKind,
        epoch: u64,
        body: &Body<'_>,
    ) -> Result<Vec<u8>> {
        let body = match body {
            Body::Inline(bytes) => payload::Body::Inline(Bytes::copy_from_slice(bytes)),
            Body::Blob(pointer) => payload::Body::Blob((*pointer).clone()),
        };
        let plaintext = Zeroizing::new(Payload { body: Some(body) }.encode_to_vec());
        let padded = padding::pad_payload(&plaintext, padding::ENVELOPE_OVERHEAD)
            .map(Zeroizing::new)
            .map_err(|_| Error::TooLong("payload"))?;
        let key = self
            .envelope_key(provider, kind, epoch)?
            .ok_or(Error::NothingToDo("epoch"))?;
        let sealed = derive::seal(provider.crypto(), &key, &aad(kind, epoch), &padded)?;
        Ok([&[VERSION][..], &sealed].concat())
    }

    /// Opens an item's payload. `epoch` is the one the channel accepted it at.
    ///
    /// # Errors
    /// [`OpenError`]. [`OpenError::Malformed`] on a commit is a failure that all see alike: the conversation goes on on its
    /// next fallback channel.
    pub fn open(
        &self,
        provider: &Provider<'_>,
        kind: EnvelopeKind,
        epoch: u64,
        payload: &[u8],
    ) -> std::result::Result<Opened, OpenError> {
        if epoch > self.epoch() {
            return Err(OpenError::Ahead);
        }
        let key = self
            .envelope_key(provider, kind, epoch)?
            .ok_or(OpenError::TooOld)?;
        let sealed = payload
            .strip_prefix(&[VERSION])
            .ok_or(OpenError::Malformed)?;
        let padded = derive::open(provider.crypto(), &key, &aad(kind, epoch), sealed)
            .ok_or(OpenError::Malformed)?;
        let plaintext = padding::unpad_payload(&padded).map_err(|_| OpenError::Malformed)?;
        match Payload::decode(plaintext)
            .map_err(|_| OpenError::Malformed)?
            .body
        {
            Some(payload::Body::Inline(bytes)) => Ok(Opened::Inline(bytes)),
            Some(payload::Body::Blob(pointer)) => Ok(Opened::Blob(pointer)),
            None => Err(OpenError::Malformed),
        }
    }

    fn envelope_key(
        &self,
        provider: &Provider<'_>,
        kind: EnvelopeKind,
        epoch: u64,
    ) -> Result<Option<Zeroizing<[u8; 32]>>> {
        if epoch == self.epoch() {
            self.export(provider, LABEL, &[kind as u8]).map(Some)
        } else {
            store::read_epoch_secret(provider, &self.id, epoch, kind as u8)
        }
    }

    /// Keeps what late items of this epoch need, as the group is about to leave it. A commit of a past epoch is never
    /// processed, so its key is not kept.
    pub(super) fn keep_epoch_secrets(&self, provider: &Provider<'_>) -> Result<()> {
        let epoch = self.epoch();
        let application = EnvelopeKind::Application as u8;
        let key = self.export(provider, LABEL, &[application])?;
        store::write_epoch_secret(provider, &self.id, epoch, application, &key)?;
        let link = self.link_secret(provider)?;
        store::write_epoch_secret(
            provider,
            &self.id,
            epoch,
            super::channel::LINK_PURPOSE,
            &link,
        )
    }

    /// After the move to the current epoch: forgets what is out of the window.
    pub(super) fn drop_epoch_secrets(&self, provider: &Provider<'_>) -> Result<()> {
        let first = self.epoch().saturating_sub(super::PAST_EPOCHS as u64);
        store::delete_epoch_secrets_before(provider, &self.id, first)
    }
}
