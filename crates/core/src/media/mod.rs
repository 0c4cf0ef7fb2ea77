//! What happens to a file before it leaves the device: pictures lose everything but their pixels and get a tiny
//! preview, voice memos get a length and a waveform, and the content type is told from the bytes.
//!
//! Pure functions over bytes and readers. What must stay true:
//! - A picture that leaves as a picture was decoded and encoded anew. Nothing of the original container is
//!   copied: no EXIF, GPS position, XMP, colour profile, comment, embedded thumbnail, or bytes behind the end.
//! - A picture of a kind that can't be cleaned is refused here ([`MediaError::CannotClean`]); it leaves as it is
//!   only if its owner says so.
//! - The picture of a profile is small and encoded on each device that shows it.
//! - No input makes these functions panic, or use more memory than the limits below say.
//! - The app holds keys, so it has no audio or video decoder: an Opus waveform is an estimate from packet sizes.

mod animation;
mod face;
mod memo;
mod picture;
mod sniff;

pub use face::{FACE_BYTES, FACE_EDGE, profile_picture, received_profile_picture};
pub use memo::{MEMO_BYTES, WAVEFORM_BARS, describe_memo};
pub use picture::{CleanPicture, PICTURE_BYTES, PICTURE_PIXELS, PREVIEW_BYTES, clean_picture};
pub use sniff::{FileKind, SNIFF_BYTES, Sniffed, sniff};

/// Why a file can't be treated as a picture or a memo.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MediaError {
    /// The picture or memo is larger than the limits, or would be once decoded.
    #[error("The picture or memo is too large to be prepared.")]
    TooLarge,
    /// It is damaged, or not what its first bytes say.
    #[error("The picture or memo is damaged.")]
    Damaged,
    /// Its kind can carry a place and other data about its maker, and Undertone can't take them out.
    #[error("This kind of picture can hold the place it was taken, and Undertone can't remove it.")]
    CannotClean,
    /// Its owner's file could not be read.
    #[error("The file could not be read.")]
    Unreadable,
}

impl MediaError {
    /// Stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::TooLarge => "media.too_large",
            Self::Damaged => "media.damaged",
            Self::CannotClean => "media.cannot_clean",
            Self::Unreadable => "media.unreadable",
        }
    }
}

#[doc(hidden)]
pub mod fuzzing {
    //! Entry point for the fuzzer: any bytes, no panic, and nothing left over in what comes out.

    /// # Panics
    /// If a cleaned picture can't be cleaned again or its preview is over the limit.
    pub fn fuzz_media(data: &[u8]) {
        let _ = super::sniff(data);
        let _ = super::received_profile_picture(data);
        let _ = super::describe_memo(std::io::Cursor::new(data));
        if let Ok(picture) = super::clean_picture(data) {
            assert!(picture.preview.len() <= super::PREVIEW_BYTES);
            assert!(super::clean_picture(&picture.bytes).is_ok());
        }
    }
}
