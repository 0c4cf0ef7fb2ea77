//! Salts and message ids (draft-ietf-mimi-content-08 section 3.3).

use std::fmt;

use sha2::{Digest, Sha256};

use crate::error::{ContentError, Refusal};
use crate::limits;

/// SHA-256 in the IANA Named Information hash algorithm registry: the first octet of every message id.
const SHA_256: u8 = 1;

/// A message's 16 random bytes. Random comes from outside; the same salt is never used twice.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Salt([u8; 16]);

impl Salt {
    /// Takes 16 bytes that must come from a cryptographic random source.
    #[must_use]
    pub const fn from_random(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Debug for Salt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Salt(..)")
    }
}

/// A message's name: `0x01`, then the first 31 octets of a SHA-256 over sender, room, message and salt.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MessageId([u8; 32]);

impl MessageId {
    /// Takes an id off the wire or out of a store.
    ///
    /// # Errors
    /// [`Refusal::UnknownHash`] unless the first octet is that of SHA-256 (section 9.1).
    pub fn from_bytes(bytes: [u8; 32]) -> Result<Self, ContentError> {
        if bytes[0] == SHA_256 {
            Ok(Self(bytes))
        } else {
            Err(ContentError::new(Refusal::UnknownHash, 0))
        }
    }

    /// The id of an encoded message: `hash(len16(sender) || sender || len16(room) || room || message || salt)`.
    ///
    /// Sender and room are those that MLS vouches for, not those that the message claims.
    ///
    /// # Errors
    /// [`Refusal::FieldLength`] if a URI is longer than 65,535 bytes.
    pub fn of(message: &[u8], salt: &Salt, sender: &str, room: &str) -> Result<Self, ContentError> {
        let mut hash = Sha256::new();
        for uri in [sender, room] {
            debug_assert!(limits::URI_BYTES == usize::from(u16::MAX));
            let len =
                u16::try_from(uri.len()).map_err(|_| ContentError::new(Refusal::FieldLength, 0))?;
            hash.update(len.to_be_bytes());
            hash.update(uri.as_bytes());
        }
        hash.update(message);
        hash.update(salt.as_bytes());
        let digest: [u8; 32] = hash.finalize().into();
        let mut id = [SHA_256; 32];
        id[1..].copy_from_slice(&digest[..31]);
        Ok(Self(id))
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Lower-case hexadecimal, 64 characters.
    #[must_use]
    pub fn to_hex(&self) -> String {
        data_encoding::HEXLOWER.encode(&self.0)
    }

    /// Reads 64 hexadecimal characters of either case.
    ///
    /// # Errors
    /// [`Refusal::FieldLength`] unless they are 64 hexadecimal characters, [`Refusal::UnknownHash`] as in
    /// [`MessageId::from_bytes`].
    pub fn from_hex(text: &str) -> Result<Self, ContentError> {
        let bytes = data_encoding::HEXLOWER_PERMISSIVE
            .decode(text.as_bytes())
            .unwrap_or_default();
        let bytes =
            <[u8; 32]>::try_from(bytes).map_err(|_| ContentError::new(Refusal::FieldLength, 0))?;
        Self::from_bytes(bytes)
    }
}

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MessageId(..)")
    }
}
