//! MIMI content (draft-ietf-mimi-content-08): what people say to each other, as bytes and back. Pure: no I/O, no
//! clock, no random numbers; these come in from outside.
//!
//! What must stay true:
//! - A message has exactly one accepted encoding, the deterministic one of RFC 8949 section 4.2.1. Message ids
//!   are hashes over those bytes, so a second encoding of the same message would be a second message.
//! - Whatever is accepted is within [`limits`]; nothing is allocated on the word of a length alone.
//! - Errors carry a stable code and a byte offset, never a byte of the message. `Debug` shows sizes only.
//! - Extensions that are not understood are kept byte for byte.
//!
//! CBOR tokens are read and written by `cbor4ii`: small, without dependencies, kept up, no `unsafe` in its core,
//! bounded in what it allocates, and in this workspace already as the storage codec of the MLS state. It is
//! lenient as CBOR libraries are, so `cbor.rs` writes each token's head again and compares, and checks the order
//! of map keys.
//!
//! The way in: [`MimiContent::decode`], [`MimiContent::check_claims`] against what MLS says,
//! [`MimiContent::meaning`] for what it does, [`MimiContent::shown`] for what to show. The way out: an [`Origin`]
//! and one of `MimiContent::{text, markdown, reaction, unlike, delete, files}`, then [`MimiContent::encode`].

mod cbor;
mod compose;
mod contact_card;
mod error;
mod extension;
mod filename;
#[doc(hidden)]
pub mod fuzzing;
mod id;
mod inspect;
pub mod limits;
mod media_info;
mod message;
mod part;
mod reading;
mod status;
pub mod uri;

pub use compose::{Attachment, Origin};
pub use contact_card::{CONTACT_CARD, ContactCard};
pub use error::{ContentError, Refusal};
pub use extension::{ExtensionKey, ExtensionValue, Extensions};
pub use id::{MessageId, Salt};
pub use inspect::{inspect, roundtrip};
pub use media_info::{MEDIA_INFO, MediaInfo, WAVEFORM_SAMPLES};
pub use message::{Expiration, MimiContent};
pub use part::{
    Disposition, ENCRYPTION_AES_128_GCM, ENCRYPTION_STREAM, ExternalPart, HASH_SHA_256, MultiPart,
    NestedPart, PartBody, PartSemantics, SinglePart, TEXT_MARKDOWN, TEXT_PLAIN, UnknownDisposition,
};
pub use reading::{Meaning, Shown, ShownFile, ShownText};
pub use status::{MESSAGE_STATUS, MessageStatus, STATUSES, decode_report, encode_report};
