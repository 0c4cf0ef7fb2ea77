//! Size classes, so that a length says little.
//!
//! What stands at rest on a server is a padded QueueItem in one of [`ITEM_CLASSES`]; what an app sends is a padded payload in
//! one of [`PAYLOAD_CLASSES`]. The arithmetic, for one class of `c` bytes:
//!
//! ```text
//! item class                                   c
//! - length prefix of the padding                4   [`pad_item`]
//! - QueueItem fields around the payload      130   hashes of address and channel 68, kind 2, number 11, epoch 11, next_lock 34, payload's tag and length 4
//! = payload class                              c - 134, and at most 64 KiB
//! - envelope (version, nonce, tag)             29   docs/protocol.md section 7
//! = padded envelope plaintext
//! - length prefix of the padding                4   [`pad_payload`]
//! - Payload's tag and length                    4
//! = largest PrivateMessage                     c - 171
//! ```
//!
//! An MLS PrivateMessage of suite 0x004E adds 150 to 250 bytes to its content, MIMI about 200, so a text of up to
//! 200 bytes and every reaction and receipt fall in the smallest class, 1 KiB payloads in the second.
//!
//! Padding is zeros, and is checked: there is one padded form of every value and class.

use bytes::{BufMut as _, Bytes};
use prost::Message as _;

use crate::{Code, Error, Result, limits, proto};

/// Sizes of a padded QueueItem, in bytes. A seizure shows how many items of each class and day there are.
pub const ITEM_CLASSES: [usize; 5] = [768, 1536, 5120, 18_432, 69_632];

/// What a sealed item adds to its padded QueueItem: the AES-GCM tag.
pub const SEAL_OVERHEAD: usize = 16;

/// Bytes of the length that stands before padded content.
pub const LENGTH_PREFIX: usize = 4;

/// The most that a QueueItem's other fields take beside its payload. The hash of a blob that it names takes [`BLOB_FIELD`] more; such a
/// payload is small, and the item is of the next class.
pub const ITEM_FIELDS: usize = 130;

/// What the hash of a blob takes in a QueueItem.
pub const BLOB_FIELD: usize = 34;

/// Sizes of a payload that an app sends: each fills its item class.
pub const PAYLOAD_CLASSES: [usize; 5] = [
    ITEM_CLASSES[0] - LENGTH_PREFIX - ITEM_FIELDS,
    ITEM_CLASSES[1] - LENGTH_PREFIX - ITEM_FIELDS,
    ITEM_CLASSES[2] - LENGTH_PREFIX - ITEM_FIELDS,
    ITEM_CLASSES[3] - LENGTH_PREFIX - ITEM_FIELDS,
    limits::PAYLOAD_BYTES,
];

/// What the envelope around an application message or commit adds: version 1, nonce 12, tag 16.
pub const ENVELOPE_OVERHEAD: usize = 29;

/// The largest plaintext (an encoded `client_proto::Payload`) that [`pad_payload`] takes with [`ENVELOPE_OVERHEAD`]
/// to come; anything larger goes as a blob.
pub const LARGEST_ENVELOPE_PLAINTEXT: usize =
    limits::PAYLOAD_BYTES - ENVELOPE_OVERHEAD - LENGTH_PREFIX;

/// Encodes and pads an item; capacity is left for the seal's tag.
///
/// # Errors
/// [`Code::LimitPayload`] when the payload is over 64 KiB.
pub fn pad_item(item: &proto::QueueItem) -> Result<Vec<u8>> {
    let mut padded = Vec::new();
    pad_item_into(item, &mut padded)?;
    Ok(padded)
}

/// As [`pad_item`], into a buffer that is used again and again: what it held is gone, its memory stays.
///
/// # Errors
/// As [`pad_item`]; the buffer is empty then.
pub fn pad_item_into(item: &proto::QueueItem, padded: &mut Vec<u8>) -> Result<()> {
    padded.clear();
    let length = item.encoded_len();
    let class = item_class(length).ok_or(Code::LimitPayload)?;
    padded.reserve(class + SEAL_OVERHEAD);
    put_length(padded, length);
    item.encode_raw(padded);
    padded.resize(class, 0);
    Ok(())
}

/// The item class for a QueueItem of `length` encoded bytes.
pub fn item_class(length: usize) -> Option<usize> {
    smallest(&ITEM_CLASSES, length.checked_add(LENGTH_PREFIX)?)
}

/// What one copy of a payload takes on the server's disk: its padded item, sealed. Right for a payload of one of [`PAYLOAD_CLASSES`], and
/// never too little for any other.
pub fn copy_size(payload: usize, names_blob: bool) -> usize {
    let fields = if names_blob {
        ITEM_FIELDS + BLOB_FIELD
    } else {
        ITEM_FIELDS
    };
    let class = item_class(payload.saturating_add(fields));
    class.unwrap_or(payload) + SEAL_OVERHEAD
}

/// Takes the padding off and decodes.
///
/// # Errors
/// [`Code::ItemMalformed`] unless it is a class, the padding is zeros and the rest decodes.
pub fn unpad_item(padded: Bytes) -> Result<proto::QueueItem> {
    if !ITEM_CLASSES.contains(&padded.len()) {
        return Err(Code::ItemMalformed.into());
    }
    let content = unpad(&padded).map_err(|_| Code::ItemMalformed)?;
    proto::QueueItem::decode(padded.slice_ref(content)).map_err(|_| Code::ItemMalformed.into())
}

/// Pads a payload's plaintext so that, with `overhead` bytes that encryption will add, it fills a payload class.
/// `overhead` is [`ENVELOPE_OVERHEAD`] for envelopes and 0 for direct items.
///
/// # Errors
/// [`Code::LimitPayload`] when it fits no class: upload it as a blob and send a pointer.
pub fn pad_payload(plaintext: &[u8], overhead: usize) -> Result<Vec<u8>> {
    let total = plaintext
        .len()
        .saturating_add(LENGTH_PREFIX)
        .saturating_add(overhead);
    let class = smallest(&PAYLOAD_CLASSES, total).ok_or(Code::LimitPayload)?;
    Ok(pad_to(plaintext, class - overhead))
}

/// Takes the padding of [`pad_payload`] off.
///
/// # Errors
/// [`Code::PaddingMalformed`].
pub fn unpad_payload(padded: &[u8]) -> Result<&[u8]> {
    unpad(padded)
}

/// The plaintext of a sealed key package: what is left of 4,096 bytes beside nonce and tag.
pub const KEY_PACKAGE_PLAINTEXT_BYTES: usize = limits::SEALED_KEY_PACKAGE_BYTES - 12 - 16;

/// Pads a key package's plaintext to [`KEY_PACKAGE_PLAINTEXT_BYTES`].
///
/// # Errors
/// [`Code::LimitPayload`] when it is larger.
pub fn pad_key_package(plaintext: &[u8]) -> Result<Vec<u8>> {
    if plaintext.len().saturating_add(LENGTH_PREFIX) > KEY_PACKAGE_PLAINTEXT_BYTES {
        return Err(Code::LimitPayload.into());
    }
    Ok(pad_to(plaintext, KEY_PACKAGE_PLAINTEXT_BYTES))
}

/// Takes the padding of [`pad_key_package`] off.
///
/// # Errors
/// [`Code::PaddingMalformed`].
pub fn unpad_key_package(padded: &[u8]) -> Result<&[u8]> {
    if padded.len() != KEY_PACKAGE_PLAINTEXT_BYTES {
        return Err(Code::PaddingMalformed.into());
    }
    unpad(padded)
}

/// The smallest blob: 4 KiB.
pub const BLOB_MIN_BYTES: u64 = 4096;

/// The padded size of a blob of `length` bytes: eight steps in every octave, so at most 12.5 % more, and never under
/// 4 KiB. `None` only within one octave of 2^64.
pub fn blob_size(length: u64) -> Option<u64> {
    if length <= BLOB_MIN_BYTES {
        return Some(BLOB_MIN_BYTES);
    }
    // 2^k < length <= 2^(k+1); steps of 2^k / 8.
    let step = 1u64 << ((length - 1).ilog2() - 3);
    length.checked_next_multiple_of(step)
}

/// Content of a chunk of an attachment, and the tag behind it (docs/protocol.md section 7).
pub const CHUNK_CONTENT_BYTES: u64 = 65_520;
const CHUNK_TAG_BYTES: u64 = 16;

/// The size of the blob that holds an attachment of `content` bytes: with its tags, padded. `None` only near 2^64.
pub fn attachment_blob_size(content: u64) -> Option<u64> {
    let tags = content
        .div_ceil(CHUNK_CONTENT_BYTES)
        .max(1)
        .checked_mul(CHUNK_TAG_BYTES)?;
    blob_size(content.checked_add(tags)?)
}

/// Whether `length` is one of the padded sizes.
pub fn is_blob_size(length: u64) -> bool {
    blob_size(length) == Some(length)
}

/// The smallest that [`pad_in_steps`] makes.
const STEPS_FROM: usize = 512;

/// Pads to eight steps in every octave, from 512 bytes: for what goes to other servers.
pub fn pad_in_steps(content: &[u8]) -> Vec<u8> {
    let length = (content.len() + LENGTH_PREFIX).max(STEPS_FROM);
    let step = 1usize << ((length - 1).ilog2() - 3);
    pad_to(content, length.next_multiple_of(step))
}

/// Takes the padding of [`pad_in_steps`] off.
///
/// # Errors
/// [`Code::PaddingMalformed`].
pub fn unpad_steps(padded: &[u8]) -> Result<&[u8]> {
    unpad(padded)
}

fn smallest(classes: &[usize], length: usize) -> Option<usize> {
    classes.iter().copied().find(|class| *class >= length)
}

fn put_length(buffer: &mut Vec<u8>, length: usize) {
    // Every caller has fitted the length into a class of less than 2^32.
    buffer.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
}

fn pad_to(content: &[u8], class: usize) -> Vec<u8> {
    let mut padded = Vec::with_capacity(class + SEAL_OVERHEAD);
    put_length(&mut padded, content.len());
    padded.extend_from_slice(content);
    padded.resize(class, 0);
    padded
}

fn unpad(padded: &[u8]) -> Result<&[u8]> {
    let malformed = Error::new(Code::PaddingMalformed);
    let (length, rest) = padded
        .split_first_chunk::<LENGTH_PREFIX>()
        .ok_or(malformed)?;
    let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| malformed)?;
    let (content, zeros) = rest.split_at_checked(length).ok_or(malformed)?;
    if zeros.iter().any(|byte| *byte != 0) {
        return Err(malformed);
    }
    Ok(content)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn item(payload: usize) -> proto::QueueItem {
        proto::QueueItem {
            address_hash: vec![1; 32].into(),
            kind: 3,
            number: u64::MAX,
            epoch: u64::MAX,
            next_lock: vec![2; 32].into(),
            payload: vec![3; payload].into(),
            channel_hash: vec![4; 32].into(),
            blob_hash: Bytes::new(),
            server_pin: Bytes::new(),
        }
    }

    #[test]
    fn a_kibibyte_is_in_the_second_class_and_the_largest_payload_in_the_last() {
        assert_eq!(pad_item(&item(1024)).unwrap().len(), 1536);
        assert_eq!(pad_item(&item(64 * 1024)).unwrap().len(), 69_632);
        assert_eq!(pad_item(&item(0)).unwrap().len(), 768);
        assert!(pad_item(&item(70_000)).is_err());
    }

    #[test]
    fn every_payload_class_fits_the_item_class_of_the_same_rank_whatever_the_fields() {
        for (payload, class) in PAYLOAD_CLASSES.into_iter().zip(ITEM_CLASSES) {
            assert_eq!(pad_item(&item(payload)).unwrap().len(), class);
            let bare = proto::QueueItem {
                number: 0,
                epoch: 0,
                next_lock: Bytes::new(),
                channel_hash: Bytes::new(),
                ..item(payload)
            };
            assert_eq!(pad_item(&bare).unwrap().len(), class);
        }
    }

    #[test]
    fn a_copy_costs_what_it_takes_on_the_disk() {
        let sealed = |item: &proto::QueueItem| pad_item(item).unwrap().len() + SEAL_OVERHEAD;
        for payload in PAYLOAD_CLASSES {
            assert_eq!(copy_size(payload, false), sealed(&item(payload)));
        }
        for payload in (0..limits::PAYLOAD_BYTES).step_by(61) {
            let by_reference = proto::QueueItem {
                blob_hash: vec![5; 32].into(),
                ..item(payload)
            };
            assert!(copy_size(payload, false) >= sealed(&item(payload)));
            assert!(copy_size(payload, true) >= sealed(&by_reference));
        }
    }

    #[test]
    fn payloads_with_their_envelope_fill_a_class() {
        for length in [
            0,
            1,
            601,
            602,
            1369,
            1370,
            5000,
            20_000,
            LARGEST_ENVELOPE_PLAINTEXT,
        ] {
            let plaintext = vec![9; length];
            let padded = pad_payload(&plaintext, ENVELOPE_OVERHEAD).unwrap();
            assert!(PAYLOAD_CLASSES.contains(&(padded.len() + ENVELOPE_OVERHEAD)));
            assert_eq!(unpad_payload(&padded).unwrap(), plaintext);
        }
        let too_long = vec![9; LARGEST_ENVELOPE_PLAINTEXT + 1];
        assert!(pad_payload(&too_long, ENVELOPE_OVERHEAD).is_err());
    }

    #[test]
    fn padding_that_is_not_zeros_is_refused() {
        let mut padded = pad_payload(b"hello", 0).unwrap();
        let last = padded.len() - 1;
        padded[last] = 1;
        assert_eq!(
            unpad_payload(&padded).unwrap_err().code,
            Code::PaddingMalformed
        );
        let mut padded = pad_item(&item(10)).unwrap();
        padded[767] = 1;
        assert_eq!(
            unpad_item(padded.into()).unwrap_err().code,
            Code::ItemMalformed
        );
    }

    #[test]
    fn key_packages_are_all_alike() {
        let padded = pad_key_package(&[5; 2700]).unwrap();
        assert_eq!(padded.len(), 4068);
        assert_eq!(unpad_key_package(&padded).unwrap(), &[5; 2700]);
        assert!(pad_key_package(&[5; 4065]).is_err());
        assert!(unpad_key_package(&padded[..4067]).is_err());
    }

    #[test]
    fn blob_sizes() {
        for (length, padded) in [
            (0, 4096),
            (4096, 4096),
            (4097, 4608),
            (8192, 8192),
            (8193, 9216),
            (1 << 30, 1 << 30),
            ((1 << 30) + 1, (1 << 30) + (1 << 27)),
        ] {
            assert_eq!(blob_size(length), Some(padded));
            assert!(is_blob_size(padded));
        }
        assert!(!is_blob_size(0));
        assert!(!is_blob_size(4097));
        assert_eq!(blob_size(u64::MAX), None);
        // 4 GiB of content are more than 4 GiB of blob.
        assert_eq!(attachment_blob_size(4 << 30), Some(9 << 29));
        assert_eq!(attachment_blob_size(0), Some(4096));
        assert_eq!(attachment_blob_size(u64::MAX), None);
    }

    proptest! {
        #[test]
        fn blob_overhead_is_bounded(length in 4096u64..1 << 50) {
            let padded = blob_size(length).unwrap();
            prop_assert!(padded >= length);
            prop_assert!(padded - length <= length / 8);
            prop_assert!(is_blob_size(padded));
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
            let _ = unpad_payload(&bytes);
            let _ = unpad_key_package(&bytes);
            let _ = unpad_item(bytes.into());
        }

        #[test]
        fn items_round_trip(number: u64, epoch: u64, payload in proptest::collection::vec(any::<u8>(), 0..3000)) {
            let item = proto::QueueItem { number, epoch, payload: payload.into(), ..item(0) };
            let padded = pad_item(&item).unwrap();
            prop_assert!(unpad_item(padded.into()).unwrap() == item);
        }
    }
}
