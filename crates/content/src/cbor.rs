//! Deterministic CBOR (RFC 8949 section 4.2.1) on top of `cbor4ii`'s tokens.
//!
//! `cbor4ii` reads and writes the tokens; this file adds only what the crate leaves to its user: after each
//! token its head is written again by the crate's encoder and compared, and map keys are compared with the one
//! before. So a message has exactly one encoding that is accepted.

use cbor4ii::core::dec::{self, Decode, Read, Reference};
use cbor4ii::core::enc::{self, Encode};
use cbor4ii::core::{major, marker, types};

use crate::error::{ContentError, Refusal};
use crate::limits;

type Result<T> = std::result::Result<T, ContentError>;

/// The canonical bit pattern of a not-a-number.
const NAN_F16: u16 = 0x7e00;

struct Source<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Read<'a> for Source<'a> {
    type Error = std::convert::Infallible;

    fn fill<'b>(&'b mut self, want: usize) -> std::result::Result<Reference<'a, 'b>, Self::Error> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        Ok(Reference::Long(&rest[..want.min(rest.len())]))
    }

    fn advance(&mut self, n: usize) {
        self.at = self.at.saturating_add(n).min(self.bytes.len());
    }
}

/// A token's head: at most a type byte and eight bytes of argument.
#[derive(Default)]
struct Head {
    bytes: [u8; 9],
    len: usize,
}

impl enc::Write for Head {
    type Error = std::fmt::Error;

    fn push(&mut self, input: &[u8]) -> std::result::Result<(), Self::Error> {
        let end = self.len + input.len();
        self.bytes
            .get_mut(self.len..end)
            .ok_or(std::fmt::Error)?
            .copy_from_slice(input);
        self.len = end;
        Ok(())
    }
}

/// Reads deterministic CBOR and refuses any other encoding of the same values.
pub(crate) struct Reader<'a> {
    source: Source<'a>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self {
            source: Source { bytes, at: 0 },
        }
    }

    pub(crate) fn offset(&self) -> usize {
        self.source.at
    }

    pub(crate) fn since(&self, start: usize) -> &'a [u8] {
        self.source
            .bytes
            .get(start..self.source.at)
            .unwrap_or_default()
    }

    /// A refusal at the byte that comes next.
    pub(crate) fn refuse<T>(&self, refusal: Refusal) -> Result<T> {
        Err(ContentError::new(refusal, self.offset()))
    }

    fn peek(&self) -> Result<u8> {
        match self.source.bytes.get(self.source.at) {
            Some(byte) => Ok(*byte),
            None => self.refuse(Refusal::Truncated),
        }
    }

    /// True once everything has been read, else refused.
    pub(crate) fn finish(&self) -> Result<()> {
        if self.source.at == self.source.bytes.len() {
            Ok(())
        } else {
            self.refuse(Refusal::TrailingBytes)
        }
    }

    /// Checks the type of the next item, and that its length is definite.
    fn expect(&self, wanted: u8) -> Result<usize> {
        let byte = self.peek()?;
        if dec::if_major(byte) != wanted {
            return self.refuse(Refusal::WrongType);
        }
        match byte & marker::START {
            28..=30 => self.refuse(Refusal::Malformed),
            31 if (major::BYTES..=major::MAP).contains(&wanted) => {
                self.refuse(Refusal::IndefiniteLength)
            }
            31 => self.refuse(Refusal::Malformed),
            _ => Ok(self.offset()),
        }
    }

    /// Turns what the tokenizer says about a token at `start` into a refusal there.
    fn token<T, E>(start: usize, read: std::result::Result<T, dec::Error<E>>) -> Result<T> {
        read.map_err(|error| {
            let refusal = match error {
                dec::Error::Eof { .. }
                | dec::Error::RequireLength { .. }
                | dec::Error::CastOverflow { .. } => Refusal::Truncated,
                dec::Error::RequireUtf8 { .. } => Refusal::NotUtf8,
                dec::Error::Mismatch { .. } => Refusal::WrongType,
                _ => Refusal::Malformed,
            };
            ContentError::new(refusal, start)
        })
    }

    /// Refuses the token at `start` unless `write` gives the same head.
    fn shortest<E>(
        &self,
        start: usize,
        write: impl FnOnce(&mut Head) -> std::result::Result<(), E>,
    ) -> Result<()> {
        let mut head = Head::default();
        let written = write(&mut head).is_ok();
        let found = self
            .source
            .bytes
            .get(start..start + head.len)
            .unwrap_or_default();
        if written && found == &head.bytes[..head.len] {
            Ok(())
        } else {
            Err(ContentError::new(Refusal::NotShortest, start))
        }
    }

    pub(crate) fn unsigned(&mut self) -> Result<u64> {
        let start = self.expect(major::UNSIGNED)?;
        let value = Self::token(start, u64::decode(&mut self.source))?;
        self.shortest(start, |head| value.encode(head))?;
        Ok(value)
    }

    /// The `n` of a negative integer `-1 - n`.
    pub(crate) fn negative(&mut self) -> Result<u64> {
        let start = self.expect(major::NEGATIVE)?;
        let types::Negative(value) =
            Self::token(start, types::Negative::<u64>::decode(&mut self.source))?;
        self.shortest(start, |head| types::Negative(value).encode(head))?;
        Ok(value)
    }

    /// An unsigned integer that fits the field's type.
    pub(crate) fn number<T: TryFrom<u64>>(&mut self) -> Result<T> {
        let start = self.offset();
        T::try_from(self.unsigned()?).map_err(|_| ContentError::new(Refusal::OutOfRange, start))
    }

    pub(crate) fn bytes(&mut self) -> Result<&'a [u8]> {
        let start = self.expect(major::BYTES)?;
        let types::Bytes(value) =
            Self::token(start, types::Bytes::<&[u8]>::decode(&mut self.source))?;
        self.shortest(start, |head| types::Bytes::bounded(value.len(), head))?;
        Ok(value)
    }

    pub(crate) fn text(&mut self) -> Result<&'a str> {
        let start = self.expect(major::STRING)?;
        let value = Self::token(start, <&str>::decode(&mut self.source))?;
        self.shortest(start, |head| {
            types::UncheckedStr::bounded(value.len(), head)
        })?;
        Ok(value)
    }

    /// A byte string of at most `most` bytes.
    pub(crate) fn bytes_up_to(&mut self, most: usize) -> Result<&'a [u8]> {
        let start = self.offset();
        let value = self.bytes()?;
        if value.len() > most {
            Err(ContentError::new(Refusal::FieldLength, start))
        } else {
            Ok(value)
        }
    }

    /// A byte string of exactly `N` bytes.
    pub(crate) fn bytes_exact<const N: usize>(&mut self) -> Result<[u8; N]> {
        let start = self.offset();
        <[u8; N]>::try_from(self.bytes()?)
            .map_err(|_| ContentError::new(Refusal::FieldLength, start))
    }

    /// A text string of at most `most` bytes.
    pub(crate) fn text_up_to(&mut self, most: usize) -> Result<String> {
        let start = self.offset();
        let value = self.text()?;
        if value.len() > most {
            Err(ContentError::new(Refusal::FieldLength, start))
        } else {
            Ok(value.to_owned())
        }
    }

    /// The number of items of an array that starts here.
    pub(crate) fn array(&mut self) -> Result<usize> {
        let start = self.expect(major::ARRAY)?;
        let len = Self::token(start, types::Array::len(&mut self.source))?.unwrap_or_default();
        self.shortest(start, |head| types::Array::bounded(len, head))?;
        Ok(len)
    }

    /// The number of entries of a map that starts here.
    pub(crate) fn map(&mut self) -> Result<usize> {
        let start = self.expect(major::MAP)?;
        let len = Self::token(start, types::Map::len(&mut self.source))?.unwrap_or_default();
        self.shortest(start, |head| types::Map::bounded(len, head))?;
        Ok(len)
    }

    pub(crate) fn bool(&mut self) -> Result<bool> {
        let start = self.offset();
        match self.peek()? {
            marker::TRUE | marker::FALSE => Self::token(start, bool::decode(&mut self.source)),
            _ => self.refuse(Refusal::WrongType),
        }
    }

    /// Steps over a null, if one comes next.
    pub(crate) fn null(&mut self) -> Result<bool> {
        let is_null = self.peek()? == marker::NULL;
        if is_null {
            self.source.advance(1);
        }
        Ok(is_null)
    }

    /// The major type of the next item.
    pub(crate) fn major(&self) -> Result<u8> {
        self.peek().map(dec::if_major)
    }

    /// Reads a whole document that is one map with unsigned keys. `take` reads a key's value, or answers false and it is stepped over.
    pub(crate) fn numbered(
        bytes: &'a [u8],
        mut take: impl FnMut(&mut Self, u64) -> Result<bool>,
    ) -> Result<()> {
        let mut reader = Self::new(bytes);
        let mut before = None;
        for _ in 0..reader.map()? {
            let start = reader.offset();
            let key = reader.unsigned()?;
            let encoded = reader.since(start);
            Self::key_order(before, encoded, start)?;
            before = Some(encoded);
            if !take(&mut reader, key)? {
                reader.any(0)?;
            }
        }
        reader.finish()
    }

    /// Refuses keys that repeat or do not follow the one before in bytewise order.
    pub(crate) fn key_order(before: Option<&[u8]>, key: &[u8], start: usize) -> Result<()> {
        match before.map(|before| before.cmp(key)) {
            None | Some(std::cmp::Ordering::Less) => Ok(()),
            Some(std::cmp::Ordering::Equal) => Err(ContentError::new(Refusal::DuplicateKey, start)),
            Some(std::cmp::Ordering::Greater) => Err(ContentError::new(Refusal::MapOrder, start)),
        }
    }

    /// Steps over one item of any kind, checking that it is deterministic all the way down.
    pub(crate) fn any(&mut self, depth: usize) -> Result<()> {
        if depth > limits::EXTENSION_DEPTH {
            return self.refuse(Refusal::TooDeep);
        }
        match self.major()? {
            major::UNSIGNED => self.unsigned().map(drop),
            major::NEGATIVE => self.negative().map(drop),
            major::BYTES => self.bytes().map(drop),
            major::STRING => self.text().map(drop),
            major::ARRAY => {
                for _ in 0..self.array()? {
                    self.any(depth + 1)?;
                }
                Ok(())
            }
            major::MAP => {
                let mut before = None;
                for _ in 0..self.map()? {
                    let start = self.offset();
                    self.any(depth + 1)?;
                    let key = self.since(start);
                    Self::key_order(before, key, start)?;
                    before = Some(key);
                    self.any(depth + 1)?;
                }
                Ok(())
            }
            major::TAG => self.tagged(depth),
            _ => self.simple(),
        }
    }

    fn tagged(&mut self, depth: usize) -> Result<()> {
        let start = self.expect(major::TAG)?;
        let tag = Self::token(start, types::Tag::tag(&mut self.source))?;
        self.shortest(start, |head| types::Tag(tag, types::Nothing).encode(head))?;
        // A bignum that fits an integer, or has leading zeros, has a shorter form (RFC 8949 section 3.4.3).
        if matches!(tag, 2 | 3) {
            let start = self.offset();
            let digits = self.bytes()?;
            return if digits.len() <= 8 || digits.first() == Some(&0) {
                Err(ContentError::new(Refusal::NotShortest, start))
            } else {
                Ok(())
            };
        }
        self.any(depth + 1)
    }

    fn simple(&mut self) -> Result<()> {
        let start = self.offset();
        let short = match self.peek()? {
            0xe0..=marker::UNDEFINED => {
                self.source.advance(1);
                true
            }
            0xf8 => {
                let types::Simple(value) =
                    Self::token(start, types::Simple::decode(&mut self.source))?;
                if value < 32 {
                    return Err(ContentError::new(Refusal::Malformed, start));
                }
                true
            }
            marker::F16 => {
                let types::F16(bits) = Self::token(start, types::F16::decode(&mut self.source))?;
                bits & 0x7fff <= 0x7c00 || bits == NAN_F16
            }
            marker::F32 => {
                let value = Self::token(start, f32::decode(&mut self.source))?;
                !value.is_nan() && !fits_half(value)
            }
            marker::F64 => {
                let value = Self::token(start, f64::decode(&mut self.source))?;
                // Lossless iff the way back gives the same number.
                #[allow(clippy::cast_possible_truncation)]
                let single = f64::from(value as f32);
                !value.is_nan() && single.to_bits() != value.to_bits()
            }
            _ => return self.refuse(Refusal::Malformed),
        };
        if short {
            Ok(())
        } else {
            Err(ContentError::new(Refusal::NotShortest, start))
        }
    }
}

/// True if the number has an exact half-precision form (11 significant bits, exponents -24 to 15).
fn fits_half(value: f32) -> bool {
    let bits = value.to_bits();
    let fraction = bits & 0x007f_ffff;
    let exponent = i32::try_from((bits >> 23) & 0xff).unwrap_or_default() - 127;
    match exponent {
        128 => fraction == 0,
        -127 => fraction == 0,
        -14..=15 => fraction.trailing_zeros() >= 13,
        // Below -14 each step down costs one more bit of precision.
        -24..=-15 => {
            (fraction | 0x0080_0000).trailing_zeros()
                >= u32::try_from(-1 - exponent).unwrap_or(u32::MAX)
        }
        _ => false,
    }
}

/// Writes deterministic CBOR into memory. Values come in the order they are written; maps are the caller's to sort.
#[derive(Default)]
pub(crate) struct Writer {
    bytes: Vec<u8>,
}

impl enc::Write for Writer {
    type Error = std::convert::Infallible;

    fn push(&mut self, input: &[u8]) -> std::result::Result<(), Self::Error> {
        self.bytes.extend_from_slice(input);
        Ok(())
    }
}

impl Writer {
    /// Memory cannot fail, so neither can writing to it.
    fn written(result: std::result::Result<(), enc::Error<std::convert::Infallible>>) {
        debug_assert!(result.is_ok(), "the writer's error type has no value");
    }

    pub(crate) fn unsigned(&mut self, value: u64) {
        Self::written(value.encode(self));
    }

    /// Writes the negative integer `-1 - n`.
    pub(crate) fn negative(&mut self, n: u64) {
        Self::written(types::Negative(n).encode(self));
    }

    pub(crate) fn bytes(&mut self, value: &[u8]) {
        Self::written(types::Bytes(value).encode(self));
    }

    pub(crate) fn text(&mut self, value: &str) {
        Self::written(value.encode(self));
    }

    pub(crate) fn array(&mut self, len: usize) {
        Self::written(types::Array::bounded(len, self));
    }

    pub(crate) fn map(&mut self, len: usize) {
        Self::written(types::Map::bounded(len, self));
    }

    pub(crate) fn bool(&mut self, value: bool) {
        Self::written(value.encode(self));
    }

    pub(crate) fn null(&mut self) {
        Self::written(types::Null.encode(self));
    }

    /// Bytes that are CBOR already.
    pub(crate) fn raw(&mut self, value: &[u8]) {
        self.bytes.extend_from_slice(value);
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(hex: &str) -> Option<Refusal> {
        let bytes = data_encoding::HEXLOWER
            .decode(hex.as_bytes())
            .expect("hex in the test");
        let mut reader = Reader::new(&bytes);
        reader
            .any(0)
            .and_then(|()| reader.finish())
            .err()
            .map(|error| error.refusal())
    }

    #[test]
    fn deterministic_items_pass() {
        for hex in [
            "00",
            "17",
            "1818",
            "190100",
            "1a00010000",
            "1b0000000100000000",
            "20",
            "3bffffffffffffffff",
            "40",
            "60",
            "62c3bc",
            "80",
            "83010203",
            "a0",
            "a201020304",
            "a2190100006161f6",
            "c074323031332d30332d32315432303a30343a30305a",
            "f4",
            "f5",
            "f6",
            "f7",
            "e0",
            "f0",
            "f820",
            "f8ff",
            "f90000",
            "f98000",
            "f93c00",
            "f97e00",
            "f97c00",
            "f9fc00",
            "fa47c35000",
            "fa7f7fffff",
            "fb3ff199999999999a",
            "fb7e37e43c8800759c",
            "c249010000000000000000",
        ] {
            assert_eq!(refusal(hex), None, "{hex}");
        }
    }

    #[test]
    fn every_other_encoding_is_refused_by_name() {
        for (hex, expected) in [
            ("1800", Refusal::NotShortest),
            ("1900ff", Refusal::NotShortest),
            ("1a0000ffff", Refusal::NotShortest),
            ("1b00000000ffffffff", Refusal::NotShortest),
            ("3817", Refusal::NotShortest),
            ("580100", Refusal::NotShortest),
            ("780161", Refusal::NotShortest),
            ("980100", Refusal::NotShortest),
            ("b8010000", Refusal::NotShortest),
            ("d80200", Refusal::NotShortest),
            ("c24101", Refusal::NotShortest),
            ("c24a00010000000000000000", Refusal::NotShortest),
            ("fa3f800000", Refusal::NotShortest),
            ("fb3ff0000000000000", Refusal::NotShortest),
            ("fa7fc00000", Refusal::NotShortest),
            ("fb7ff8000000000000", Refusal::NotShortest),
            ("f97e01", Refusal::NotShortest),
            ("f9fe00", Refusal::NotShortest),
            ("fa7f800000", Refusal::NotShortest),
            ("5f42010243030405ff", Refusal::IndefiniteLength),
            ("7fff", Refusal::IndefiniteLength),
            ("9fff", Refusal::IndefiniteLength),
            ("bfff", Refusal::IndefiniteLength),
            ("ff", Refusal::Malformed),
            ("1c", Refusal::Malformed),
            ("1f", Refusal::Malformed),
            ("fc", Refusal::Malformed),
            ("f800", Refusal::Malformed),
            ("f81f", Refusal::Malformed),
            ("a200000000", Refusal::DuplicateKey),
            ("a201000000", Refusal::MapOrder),
            ("a261620061aa00", Refusal::NotUtf8),
            ("a2616200616100", Refusal::MapOrder),
            ("61ff", Refusal::NotUtf8),
            ("", Refusal::Truncated),
            ("19ff", Refusal::Truncated),
            ("4401", Refusal::Truncated),
            ("8201", Refusal::Truncated),
            ("5bffffffffffffffff", Refusal::Truncated),
            ("9bffffffffffffffff", Refusal::Truncated),
            ("0000", Refusal::TrailingBytes),
        ] {
            assert_eq!(refusal(hex), Some(expected), "{hex}");
        }
        assert_eq!(refusal(&"81".repeat(40)), Some(Refusal::TooDeep));
    }

    /// The value of a half-precision number, by its definition in IEEE 754.
    fn half_value(bits: u16) -> f32 {
        let sign = if bits & 0x8000 == 0 { 1.0 } else { -1.0 };
        let fraction = f32::from(bits & 0x3ff);
        match i32::from((bits >> 10) & 0x1f) {
            0 => sign * fraction * 2f32.powi(-24),
            31 => sign * f32::INFINITY,
            exponent => sign * (1024.0 + fraction) * 2f32.powi(exponent - 25),
        }
    }

    #[test]
    fn exactly_the_halves_fit_a_half() {
        let mut halves = std::collections::HashSet::new();
        for bits in (0..=u16::MAX).filter(|bits| bits & 0x7c00 != 0x7c00 || bits & 0x3ff == 0) {
            assert!(fits_half(half_value(bits)), "{bits:04x}");
            halves.insert(half_value(bits).to_bits());
        }
        // Around every half, the nearest single-precision neighbours are not halves.
        for bits in halves.iter().copied() {
            for near in [bits.wrapping_add(1), bits.wrapping_sub(1)] {
                let value = f32::from_bits(near);
                assert_eq!(
                    !value.is_nan() && fits_half(value),
                    halves.contains(&near),
                    "{near:08x}"
                );
            }
        }
    }
}
