//! The extensions map (draft-ietf-mimi-content-08 section 4.3): integer or text keys, CBOR values kept byte for byte.

use std::collections::BTreeMap;
use std::fmt;

use crate::cbor::{Reader, Writer};
use crate::error::{ContentError, Refusal};
use crate::limits;

/// The key of an extension. Ordered as the keys' encodings are, bytewise.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ExtensionKey {
    /// A positive integer, assigned by IANA.
    Assigned(u64),
    /// The negative integer `-1 - n`, for private use.
    Private(u64),
    /// A text string of 1 to 255 bytes, for private use.
    Text(String),
}

impl ExtensionKey {
    /// The sender's URI (a text string).
    pub const SENDER_URI: Self = Self::Assigned(1);
    /// The room's URI (a text string).
    pub const ROOM_URI: Self = Self::Assigned(2);
    /// Private: when the sender's device wrote the message, in milliseconds since 1970 (an unsigned integer).
    pub const SENT_AT_MS: Self = Self::Private(0);
    /// Private: which message of this device in this group this is, counted from 1 (an unsigned integer).
    pub const DEVICE_COUNTER: Self = Self::Private(1);
    /// Private: proof that the sender holds a contact link (a byte string of 32).
    pub const LINK_PROOF: Self = Self::Private(2);

    /// Private: its files may be opened once (the unsigned integer 1).
    pub const VIEW_ONCE: Self = Self::Private(3);
    /// Private: somebody else said it first, who is not named (the unsigned integer 1).
    pub const FORWARDED: Self = Self::Private(4);

    fn order(&self) -> (u8, u64, &[u8]) {
        match self {
            Self::Assigned(n) => (0, *n, &[]),
            Self::Private(n) => (1, *n, &[]),
            // A text's head holds its length, so shorter texts sort first.
            Self::Text(text) => (3, text.len() as u64, text.as_bytes()),
        }
    }

    /// The integer, where it fits.
    #[must_use]
    pub fn as_integer(&self) -> Option<i128> {
        match self {
            Self::Assigned(n) => Some(i128::from(*n)),
            Self::Private(n) => Some(-1 - i128::from(*n)),
            Self::Text(_) => None,
        }
    }

    pub(crate) fn write(&self, writer: &mut Writer) {
        match self {
            Self::Assigned(n) => writer.unsigned(*n),
            Self::Private(n) => writer.negative(*n),
            Self::Text(text) => writer.text(text),
        }
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, ContentError> {
        let start = reader.offset();
        match reader.major()? {
            0 => match reader.unsigned()? {
                // Neither positive nor negative, and reserved in the registry.
                0 => Err(ContentError::new(Refusal::OutOfRange, start)),
                n => Ok(Self::Assigned(n)),
            },
            1 => reader.negative().map(Self::Private),
            3 => match reader.text_up_to(limits::EXTENSION_KEY_BYTES)? {
                text if text.is_empty() => Err(ContentError::new(Refusal::FieldLength, start)),
                text => Ok(Self::Text(text)),
            },
            _ => reader.refuse(Refusal::WrongType),
        }
    }
}

impl Ord for ExtensionKey {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.order().cmp(&other.order())
    }
}

impl PartialOrd for ExtensionKey {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// The value of an extension: one deterministically encoded CBOR item of at most 4,095 bytes.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ExtensionValue(Vec<u8>);

impl ExtensionValue {
    /// A text string.
    #[must_use]
    pub fn text(text: &str) -> Self {
        let mut writer = Writer::default();
        writer.text(text);
        Self(writer.finish())
    }

    /// An unsigned integer.
    #[must_use]
    pub fn unsigned(value: u64) -> Self {
        let mut writer = Writer::default();
        writer.unsigned(value);
        Self(writer.finish())
    }

    /// A byte string.
    #[must_use]
    pub fn bytes(bytes: &[u8]) -> Self {
        let mut writer = Writer::default();
        writer.bytes(bytes);
        Self(writer.finish())
    }

    /// Any CBOR item, which must be encoded deterministically.
    ///
    /// # Errors
    /// The refusal of the first thing that is not; the offset counts from the start of `cbor`.
    pub fn from_cbor(cbor: &[u8]) -> Result<Self, ContentError> {
        let mut reader = Reader::new(cbor);
        let value = Self::read(&mut reader)?;
        reader.finish()?;
        Ok(value)
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, ContentError> {
        let start = reader.offset();
        reader.any(0)?;
        let item = reader.since(start);
        if item.len() > limits::EXTENSION_VALUE_BYTES {
            return Err(ContentError::new(Refusal::FieldLength, start));
        }
        Ok(Self(item.to_vec()))
    }

    /// The encoded item.
    #[must_use]
    pub fn as_cbor(&self) -> &[u8] {
        &self.0
    }

    /// The text, if the value is a text string.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        Reader::new(&self.0).text().ok()
    }

    /// The number, if the value is an unsigned integer.
    #[must_use]
    pub fn as_unsigned(&self) -> Option<u64> {
        Reader::new(&self.0).unsigned().ok()
    }

    /// The bytes, if the value is a byte string.
    #[must_use]
    pub fn as_bytes(&self) -> Option<&[u8]> {
        Reader::new(&self.0).bytes().ok()
    }
}

impl fmt::Debug for ExtensionValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ExtensionValue({} bytes)", self.0.len())
    }
}

/// A message's extensions, in the order of their encoding.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extensions(BTreeMap<ExtensionKey, ExtensionValue>);

impl Extensions {
    /// Sets an extension and returns the value it replaces.
    pub fn set(&mut self, key: ExtensionKey, value: ExtensionValue) -> Option<ExtensionValue> {
        self.0.insert(key, value)
    }

    /// The value of an extension.
    #[must_use]
    pub fn get(&self, key: &ExtensionKey) -> Option<&ExtensionValue> {
        self.0.get(key)
    }

    /// Takes an extension out.
    pub fn remove(&mut self, key: &ExtensionKey) -> Option<ExtensionValue> {
        self.0.remove(key)
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&ExtensionKey, &ExtensionValue)> {
        self.0.iter()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True if there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn write(&self, writer: &mut Writer) {
        writer.map(self.0.len());
        for (key, value) in &self.0 {
            key.write(writer);
            writer.raw(value.as_cbor());
        }
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, ContentError> {
        let start = reader.offset();
        let len = reader.map()?;
        if len > limits::EXTENSIONS {
            return Err(ContentError::new(Refusal::TooMany, start));
        }
        let mut extensions = BTreeMap::new();
        let mut before = None;
        for _ in 0..len {
            let start = reader.offset();
            let key = ExtensionKey::read(reader)?;
            let encoded = reader.since(start);
            Reader::key_order(before, encoded, start)?;
            before = Some(encoded);
            let start = reader.offset();
            let value = ExtensionValue::read(reader)?;
            if matches!(key, ExtensionKey::SENDER_URI | ExtensionKey::ROOM_URI)
                && value.as_text().is_none()
            {
                return Err(ContentError::new(Refusal::WrongType, start));
            }
            extensions.insert(key, value);
        }
        Ok(Self(extensions))
    }
}

impl FromIterator<(ExtensionKey, ExtensionValue)> for Extensions {
    fn from_iter<T: IntoIterator<Item = (ExtensionKey, ExtensionValue)>>(iter: T) -> Self {
        Self(iter.into_iter().collect())
    }
}
