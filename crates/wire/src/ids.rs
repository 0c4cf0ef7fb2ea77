//! Typed identifiers.
//!
//! Every one is random or a hash, and means nothing outside its row. They are still unlinkable names of things, so
//! `Debug` prints the type and no byte: a log line cannot join two rows. Those that people read have a text form.

use data_encoding::Specification;
use rand::{TryRngCore as _, rngs::OsRng};
use sha2::{Digest as _, Sha256};
use std::{fmt, sync::LazyLock};

use crate::{Code, Error, Result};

/// RFC 4648 base32, lower case, no padding: 32 bytes are 52 characters.
pub(crate) static BASE32: LazyLock<data_encoding::Encoding> = LazyLock::new(|| {
    let mut specification = Specification::new();
    specification
        .symbols
        .push_str("abcdefghijklmnopqrstuvwxyz234567");
    // The alphabet is a constant; a failure here is a build error that the first test shows.
    specification
        .encoding()
        .unwrap_or(data_encoding::BASE32_NOPAD)
});

/// Bytes from the operating system's generator.
///
/// # Panics
/// When the operating system gives no randomness: there is no safe way to go on.
pub fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0u8; N];
    if OsRng.try_fill_bytes(&mut bytes).is_err() {
        panic!("the operating system gives no randomness");
    }
    bytes
}

/// SHA-256.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $len:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name([u8; $len]);

        impl $name {
            /// Length in bytes.
            pub const LEN: usize = $len;

            /// A fresh one.
            pub fn random() -> Self {
                Self(random_bytes())
            }

            /// From bytes whose length is known to be right.
            pub const fn new(bytes: [u8; $len]) -> Self {
                Self(bytes)
            }

            /// From bytes from outside.
            ///
            /// # Errors
            /// [`Code::RequestMalformed`] when the length is wrong.
            pub fn from_slice(bytes: &[u8]) -> Result<Self> {
                bytes.try_into().map(Self).map_err(|_| Error::new(Code::RequestMalformed))
            }

            /// Its bytes.
            pub const fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }

            /// Its bytes, as a field of a frame.
            pub fn to_bytes(&self) -> bytes::Bytes {
                bytes::Bytes::copy_from_slice(&self.0)
            }
        }

        impl From<[u8; $len]> for $name {
            fn from(bytes: [u8; $len]) -> Self {
                Self(bytes)
            }
        }

        impl TryFrom<&[u8]> for $name {
            type Error = Error;
            fn try_from(bytes: &[u8]) -> Result<Self> {
                Self::from_slice(bytes)
            }
        }

        impl AsRef<[u8]> for $name {
            fn as_ref(&self) -> &[u8] {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(stringify!($name))
            }
        }
    };
}

macro_rules! text_form {
    ($name:ident) => {
        /// Base32, lower case, no padding.
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&BASE32.encode(&self.0))
            }
        }

        impl std::str::FromStr for $name {
            type Err = Error;
            /// Accepts upper case too; nothing else than the exact length.
            fn from_str(text: &str) -> Result<Self> {
                let malformed = Error::new(Code::RequestMalformed);
                let bytes = BASE32
                    .decode(text.to_ascii_lowercase().as_bytes())
                    .map_err(|_| malformed)?;
                Self::from_slice(&bytes)
            }
        }
    };
}

id!(
    /// A device's queue on its server; chosen by the device.
    QueueId, 16
);
id!(
    /// SHA-256 of an address secret: the address's name on the server.
    AddressHash, 32
);
id!(
    /// A channel, known to the members of one conversation.
    ChannelId, 32
);
id!(
    /// SHA-256 of a channel id: the channel's name on the server.
    ChannelHash, 32
);
id!(
    /// A blob, known to whoever may fetch it.
    BlobId, 32
);
id!(
    /// SHA-256 of a blob id: the blob's name on the server.
    BlobHash, 32
);
id!(
    /// Names one attempt to send, so that a retry is recognised while the node remembers it.
    SendId, 16
);
id!(
    /// A sealing key.
    KeyId, 16
);
id!(
    /// A queue's life on one server between restores from backup.
    Incarnation, 16
);
id!(
    /// SHA-256 of the SubjectPublicKeyInfo of a server's identity key: what an app knows a server by.
    Pin, 32
);
id!(
    /// One sealed key package in a pool.
    KeyPackageId, 16
);
id!(
    /// A weekly key of the server's blind tokens.
    TokenKeyId, 8
);
id!(
    /// SHA-256 of the tagged account root public key.
    AccountId, 32
);
text_form!(Pin);
text_form!(BlobId);
text_form!(AccountId);

impl ChannelId {
    /// The channel's name on the server.
    pub fn hash(&self) -> ChannelHash {
        ChannelHash(sha256(&self.0))
    }
}

impl BlobId {
    /// The blob's name on the server.
    pub fn hash(&self) -> BlobHash {
        BlobHash(sha256(&self.0))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn text_form_round_trips_and_refuses_other_lengths() {
        let pin = Pin::new([7; 32]);
        let text = pin.to_string();
        assert_eq!(text.len(), 52);
        assert_eq!(text, text.to_lowercase());
        assert_eq!(text.parse::<Pin>().unwrap(), pin);
        assert_eq!(text.to_uppercase().parse::<Pin>().unwrap(), pin);
        for wrong in ["", "a", &text[..51], &format!("{text}a"), "1", "ä"] {
            assert!(wrong.parse::<Pin>().is_err());
        }
        // Trailing bits that are not zero would give one pin several texts.
        assert!(format!("{}b", &text[..51]).parse::<Pin>().is_err());
    }

    #[test]
    fn debug_shows_no_byte() {
        assert_eq!(format!("{:?}", QueueId::random()), "QueueId");
        assert_eq!(format!("{:?}", Some(Pin::random())), "Some(Pin)");
    }

    #[test]
    fn only_the_exact_length_is_taken() {
        assert!(QueueId::from_slice(&[0; 15]).is_err());
        assert!(QueueId::from_slice(&[0; 17]).is_err());
        assert!(QueueId::try_from(&[0u8; 16][..]).is_ok());
        assert_ne!(QueueId::random(), QueueId::random());
    }
}
