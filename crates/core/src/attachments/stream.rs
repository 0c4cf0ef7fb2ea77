//! The format: STREAM with AES-256-GCM, 64 KiB of ciphertext a chunk, padded.
//!
//! A chunk is 65,520 bytes of plaintext and a 16-byte tag, so that chunks fall on 64 KiB boundaries and every
//! padded blob size is reachable. Chunk `i` has the nonce `prefix (7) || i (4, big-endian) || last (1)`
//! (`StreamBE32`); the last one alone has `last` = 1. The plaintext is the content and zeros up to the padded
//! size; the zeros are checked.

use aead_stream::{NewStream, StreamBE32, StreamPrimitive};
use aes_gcm::{Aes256Gcm, KeyInit};
use rand::TryRngCore;
use rand::rngs::OsRng;
use undertone_wire::padding::attachment_blob_size;
use zeroize::Zeroizing;

use super::AttachmentError;

/// Ciphertext bytes of a chunk, tag included.
pub const CHUNK: usize = 64 * 1024;
/// Plaintext bytes of a chunk.
pub const CHUNK_PLAINTEXT: usize = CHUNK - TAG;
const TAG: usize = 16;

const CHUNK_U64: u64 = CHUNK as u64;
const CHUNK_PLAINTEXT_U64: u64 = CHUNK_PLAINTEXT as u64;
const TAG_U64: u64 = TAG as u64;

/// Key and nonce of one STREAM. Never used for a second file. Wiped when dropped; no `Debug`, no `Clone`.
pub struct StreamKey {
    key: Box<Zeroizing<[u8; 32]>>,
    nonce: [u8; 7],
}

impl StreamKey {
    /// Draws a new one.
    ///
    /// # Errors
    /// [`AttachmentError::Random`].
    pub fn random() -> Result<Self, AttachmentError> {
        let mut fresh = Self {
            key: Box::new(Zeroizing::new([0; 32])),
            nonce: [0; 7],
        };
        OsRng
            .try_fill_bytes(&mut fresh.key[..])
            .and_then(|()| OsRng.try_fill_bytes(&mut fresh.nonce))
            .map_err(|_| AttachmentError::Random)?;
        Ok(fresh)
    }

    /// From a message or the store; `None` unless the key has 32 bytes and the nonce 7.
    #[must_use]
    pub fn from_slices(key: &[u8], nonce: &[u8]) -> Option<Self> {
        let mut made = Self {
            key: Box::new(Zeroizing::new([0; 32])),
            nonce: nonce.try_into().ok()?,
        };
        if key.len() != made.key.len() {
            return None;
        }
        made.key.copy_from_slice(key);
        Some(made)
    }

    /// The key, for the message.
    #[must_use]
    pub fn key(&self) -> &[u8; 32] {
        &self.key
    }

    /// The nonce, for the message.
    #[must_use]
    pub fn nonce(&self) -> &[u8; 7] {
        &self.nonce
    }
}

/// Where the chunks of a file of a given size lie.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    /// Content bytes.
    pub(super) size: u64,
    /// Ciphertext bytes, padding and tags included.
    pub(super) blob_len: u64,
    /// Number of chunks, at least one.
    pub(super) chunks: u32,
}

impl Layout {
    /// `None` if the file is too large for the format (2^32 chunks, 256 TiB).
    pub(super) fn of(size: u64) -> Option<Self> {
        let blob_len = attachment_blob_size(size)?;
        let chunks = u32::try_from(blob_len.div_ceil(CHUNK_U64)).ok()?;
        let layout = Self {
            size,
            blob_len,
            chunks,
        };
        // Blob sizes are multiples of 512 below, and of 64 KiB above, 512 KiB: a last chunk holds its tag.
        (layout.plaintext_len() >= size && layout.ciphertext_of(chunks - 1) > TAG).then_some(layout)
    }

    /// Content and padding.
    fn plaintext_len(self) -> u64 {
        self.blob_len - u64::from(self.chunks) * TAG_U64
    }

    pub(super) fn is_last(self, chunk: u32) -> bool {
        chunk + 1 == self.chunks
    }

    /// Ciphertext bytes of `chunk`.
    pub(super) fn ciphertext_of(self, chunk: u32) -> usize {
        let before = u64::from(chunk) * CHUNK_U64;
        usize::try_from((self.blob_len - before).min(CHUNK_U64)).unwrap_or(CHUNK)
    }

    /// Plaintext bytes of `chunk`, padding included.
    pub(super) fn plaintext_of(self, chunk: u32) -> usize {
        self.ciphertext_of(chunk) - TAG
    }

    /// Content bytes of `chunk`, padding left out.
    pub(super) fn content_of(self, chunk: u32) -> usize {
        let before = u64::from(chunk) * CHUNK_PLAINTEXT_U64;
        usize::try_from(self.size.saturating_sub(before))
            .unwrap_or(usize::MAX)
            .min(self.plaintext_of(chunk))
    }
}

/// Seals and opens the chunks of one file, in any order.
pub(super) struct ChunkCipher(StreamBE32<Aes256Gcm>);

impl ChunkCipher {
    pub(super) fn new(key: &StreamKey) -> Self {
        Self(StreamBE32::from_aead(
            Aes256Gcm::new(key.key().into()),
            key.nonce().into(),
        ))
    }

    /// Replaces the plaintext in `buffer` by ciphertext and tag. Allocates nothing if `buffer` has room.
    pub(super) fn seal(
        &self,
        chunk: u32,
        last: bool,
        buffer: &mut Vec<u8>,
    ) -> Result<(), AttachmentError> {
        self.0
            .encrypt_in_place(chunk, last, b"", buffer)
            .map_err(|_| AttachmentError::TooLarge)
    }

    /// Replaces the ciphertext in `buffer` by its plaintext, with what padding there is checked.
    ///
    /// # Errors
    /// [`AttachmentError::Damaged`] if a bit, the place or the length is not what was sealed.
    pub(super) fn open(
        &self,
        layout: Layout,
        chunk: u32,
        buffer: &mut Vec<u8>,
    ) -> Result<(), AttachmentError> {
        if buffer.len() != layout.ciphertext_of(chunk) {
            return Err(AttachmentError::Damaged);
        }
        self.0
            .decrypt_in_place(chunk, layout.is_last(chunk), b"", buffer)
            .map_err(|_| AttachmentError::Damaged)?;
        let padding = buffer
            .get(layout.content_of(chunk)..)
            .ok_or(AttachmentError::Damaged)?;
        if padding.iter().any(|byte| *byte != 0) {
            return Err(AttachmentError::Damaged);
        }
        Ok(())
    }
}

/// A buffer for one chunk that is wiped when dropped.
pub(super) fn chunk_buffer() -> Zeroizing<Vec<u8>> {
    Zeroizing::new(Vec::with_capacity(CHUNK))
}

/// Seals bytes that are in memory anyway (a large commit or message that goes as a blob) in the same format.
///
/// # Errors
/// [`AttachmentError::TooLarge`].
pub fn seal_blob(key: &StreamKey, content: &[u8]) -> Result<Vec<u8>, AttachmentError> {
    let size = u64::try_from(content.len()).map_err(|_| AttachmentError::TooLarge)?;
    let layout = Layout::of(size).ok_or(AttachmentError::TooLarge)?;
    let cipher = ChunkCipher::new(key);
    let mut blob = Vec::with_capacity(
        usize::try_from(layout.blob_len).map_err(|_| AttachmentError::TooLarge)?,
    );
    let mut parts = content.chunks(CHUNK_PLAINTEXT);
    let mut buffer = chunk_buffer();
    for chunk in 0..layout.chunks {
        buffer.clear();
        buffer.extend_from_slice(parts.next().unwrap_or_default());
        buffer.resize(layout.plaintext_of(chunk), 0);
        cipher.seal(chunk, layout.is_last(chunk), &mut buffer)?;
        blob.extend_from_slice(&buffer);
    }
    Ok(blob)
}

/// Opens what [`seal_blob`] sealed; `size` is the length of the content.
///
/// # Errors
/// [`AttachmentError::Damaged`] if any bit, or the length, is not what was sealed.
pub fn open_blob(
    key: &StreamKey,
    size: u64,
    blob: &[u8],
) -> Result<Zeroizing<Vec<u8>>, AttachmentError> {
    let layout = Layout::of(size).ok_or(AttachmentError::Damaged)?;
    if u64::try_from(blob.len()) != Ok(layout.blob_len) {
        return Err(AttachmentError::Damaged);
    }
    let cipher = ChunkCipher::new(key);
    // The blob is in memory and at least as long as its content.
    let mut content = Zeroizing::new(Vec::with_capacity(blob.len()));
    let mut buffer = chunk_buffer();
    for (chunk, sealed) in (0..layout.chunks).zip(blob.chunks(CHUNK)) {
        buffer.clear();
        buffer.extend_from_slice(sealed);
        cipher.open(layout, chunk, &mut buffer)?;
        content.extend_from_slice(&buffer[..layout.content_of(chunk)]);
    }
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attachments::LARGEST;

    #[test]
    #[expect(clippy::expect_used, reason = "a test")]
    fn the_end_of_the_largest_file_lies_past_what_32_bits_can_count() {
        let layout = Layout::of(LARGEST).expect("it fits");
        assert!(layout.blob_len > u64::from(u32::MAX));
        let contents: u64 = (0..layout.chunks)
            .map(|chunk| layout.content_of(chunk) as u64)
            .sum();
        assert_eq!(contents, LARGEST);
        let sealed: u64 = (0..layout.chunks)
            .map(|chunk| layout.ciphertext_of(chunk) as u64)
            .sum();
        assert_eq!(sealed, layout.blob_len);
        // Every byte of the content lies before the chunk that only pads.
        let last = u32::try_from((LARGEST - 1) / CHUNK_PLAINTEXT_U64).expect("a number");
        assert!(layout.content_of(last) > 0);
        assert_eq!(layout.content_of(last + 1), 0);
        assert!(u64::from(last) * CHUNK_U64 > u64::from(u32::MAX) - CHUNK_U64);
    }
}
