//! Why a message was refused: a stable code and the byte it was found at.
//!
//! An error never holds bytes of the message, so it may be logged and shown.

use std::fmt;

/// The reason a message is refused. Each has a stable code (see [`Refusal::code`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Refusal {
    /// The bytes end before the message does.
    Truncated,
    /// Bytes follow the end of the message.
    TrailingBytes,
    /// Not well-formed CBOR (RFC 8949 section 3): reserved bits, a stray break, a two-byte simple value below 32.
    Malformed,
    /// An item is of another CBOR type than the format has at this place.
    WrongType,
    /// An indefinite length, which deterministic encoding forbids (RFC 8949 section 4.2.1).
    IndefiniteLength,
    /// An integer, length, tag, float or bignum is not in its shortest form (RFC 8949 section 4.2.1).
    NotShortest,
    /// Map keys are not in bytewise order (RFC 8949 section 4.2.1).
    MapOrder,
    /// A map key stands twice.
    DuplicateKey,
    /// Text is not UTF-8.
    NotUtf8,
    /// An array or a map has another number of items than the format gives it.
    ItemCount,
    /// A number is outside the range of its field.
    OutOfRange,
    /// A byte or text string is shorter or longer than its field allows.
    FieldLength,
    /// A message id names a hash algorithm other than SHA-256.
    UnknownHash,
    /// Parts, or values inside an extension, are nested too deeply.
    TooDeep,
    /// Too many parts or extensions.
    TooMany,
    /// The message is larger than [`crate::limits::MESSAGE_BYTES`].
    TooLarge,
    /// The sender or room written in the message is not the one it came from.
    ClaimMismatch,
}

impl Refusal {
    /// Every refusal, for generated tables.
    pub const ALL: [Self; 17] = [
        Self::Truncated,
        Self::TrailingBytes,
        Self::Malformed,
        Self::WrongType,
        Self::IndefiniteLength,
        Self::NotShortest,
        Self::MapOrder,
        Self::DuplicateKey,
        Self::NotUtf8,
        Self::ItemCount,
        Self::OutOfRange,
        Self::FieldLength,
        Self::UnknownHash,
        Self::TooDeep,
        Self::TooMany,
        Self::TooLarge,
        Self::ClaimMismatch,
    ];

    /// The stable code; never renamed once released.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Truncated => "content.truncated",
            Self::TrailingBytes => "content.trailing_bytes",
            Self::Malformed => "content.malformed",
            Self::WrongType => "content.wrong_type",
            Self::IndefiniteLength => "content.indefinite_length",
            Self::NotShortest => "content.not_shortest",
            Self::MapOrder => "content.map_order",
            Self::DuplicateKey => "content.duplicate_key",
            Self::NotUtf8 => "content.not_utf8",
            Self::ItemCount => "content.item_count",
            Self::OutOfRange => "content.out_of_range",
            Self::FieldLength => "content.field_length",
            Self::UnknownHash => "content.unknown_hash",
            Self::TooDeep => "content.too_deep",
            Self::TooMany => "content.too_many",
            Self::TooLarge => "content.too_large",
            Self::ClaimMismatch => "content.claim_mismatch",
        }
    }

    /// One plain sentence for a person.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Truncated => "The message ends too early.",
            Self::TrailingBytes => "Something follows the end of the message.",
            Self::Malformed => "The message is not well-formed CBOR.",
            Self::WrongType => "The message has a value of the wrong type.",
            Self::IndefiniteLength => "The message uses an indefinite length.",
            Self::NotShortest => "A number in the message is not in its shortest form.",
            Self::MapOrder => "The message's extensions are not in order.",
            Self::DuplicateKey => "The message has the same extension twice.",
            Self::NotUtf8 => "Text in the message is not UTF-8.",
            Self::ItemCount => "A list in the message has the wrong number of items.",
            Self::OutOfRange => "A number in the message is out of range.",
            Self::FieldLength => "A field of the message is too short or too long.",
            Self::UnknownHash => "The message refers to another one by an unknown kind of id.",
            Self::TooDeep => "The message is nested too deeply.",
            Self::TooMany => "The message has too many parts or extensions.",
            Self::TooLarge => "The message is too large.",
            Self::ClaimMismatch => "The message names another sender or room than it came from.",
        }
    }
}

/// A refused message: the reason and the byte offset it was found at (0 where there is no one place).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContentError {
    refusal: Refusal,
    offset: usize,
}

impl ContentError {
    pub(crate) const fn new(refusal: Refusal, offset: usize) -> Self {
        Self { refusal, offset }
    }

    /// The reason.
    #[must_use]
    pub const fn refusal(&self) -> Refusal {
        self.refusal
    }

    /// The reason's stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        self.refusal.code()
    }

    /// Byte offset of the offending item in the encoded message.
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.offset
    }
}

impl fmt::Display for ContentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} ({} at byte {})",
            self.refusal.sentence(),
            self.code(),
            self.offset
        )
    }
}

impl std::error::Error for ContentError {}
