//! What an app wants to know of a picture, film or memo before it has fetched it: size on screen, length, waveform.
//!
//! The draft has no fields for these. They travel as a preview part of a private media type beside the file,
//! which a receiver that doesn't know the type steps over (`processAll`).

use crate::cbor::{Reader, Writer};
use crate::error::ContentError;

/// The media type of an encoded [`MediaInfo`].
pub const MEDIA_INFO: &str = "application/vnd.undertone.media-info";

/// Most samples of a waveform.
pub const WAVEFORM_SAMPLES: usize = 256;

/// Facts about a medium, all as its sender claims.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MediaInfo {
    /// How long it plays, in milliseconds.
    pub duration_ms: Option<u64>,
    /// Loudness over time, evenly spaced, 0 (silence) to 255; at most 256 samples.
    pub waveform: Option<Vec<u8>>,
    /// Width in pixels, as it is shown.
    pub width: Option<u32>,
    /// Height in pixels, as it is shown.
    pub height: Option<u32>,
}

impl MediaInfo {
    /// A deterministic CBOR map: 1 duration, 2 waveform, 3 width, 4 height; what is not known is left out.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let waveform = self
            .waveform
            .as_ref()
            .map(|samples| &samples[..samples.len().min(WAVEFORM_SAMPLES)]);
        let numbers = [
            self.duration_ms,
            self.width.map(u64::from),
            self.height.map(u64::from),
        ];
        let mut writer = Writer::default();
        writer.map(numbers.iter().flatten().count() + usize::from(waveform.is_some()));
        let number = |key: u64, value: Option<u64>, writer: &mut Writer| {
            if let Some(value) = value {
                writer.unsigned(key);
                writer.unsigned(value);
            }
        };
        number(1, self.duration_ms, &mut writer);
        if let Some(waveform) = waveform {
            writer.unsigned(2);
            writer.bytes(waveform);
        }
        number(3, self.width.map(u64::from), &mut writer);
        number(4, self.height.map(u64::from), &mut writer);
        writer.finish()
    }

    /// Reads an encoded map; keys it doesn't know are stepped over.
    ///
    /// # Errors
    /// Anything but deterministic CBOR of the expected types, or a waveform of more than 256 samples.
    pub fn decode(bytes: &[u8]) -> Result<Self, ContentError> {
        let mut info = Self::default();
        Reader::numbered(bytes, |reader, key| {
            match key {
                1 => info.duration_ms = Some(reader.unsigned()?),
                2 => info.waveform = Some(reader.bytes_up_to(WAVEFORM_SAMPLES)?.to_vec()),
                3 => info.width = Some(reader.number()?),
                4 => info.height = Some(reader.number()?),
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(info)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_comes_back() {
        let voice = MediaInfo {
            duration_ms: Some(2_500),
            waveform: Some(vec![0, 128, 255]),
            ..MediaInfo::default()
        };
        assert_eq!(MediaInfo::decode(&voice.encode()), Ok(voice));
        let picture = MediaInfo {
            width: Some(4_000),
            height: Some(3_000),
            ..MediaInfo::default()
        };
        assert_eq!(MediaInfo::decode(&picture.encode()), Ok(picture));
        assert_eq!(
            MediaInfo::decode(&MediaInfo::default().encode()),
            Ok(MediaInfo::default())
        );
    }

    #[test]
    fn a_later_version_may_say_more() {
        // {1: 2, 9: "new"}
        let info = MediaInfo::decode(&[0xa2, 1, 2, 9, 0x63, b'n', b'e', b'w'])
            .expect("unknown keys are stepped over");
        assert_eq!(info.duration_ms, Some(2));
        assert!(MediaInfo::decode(&[0xa2, 9, 0, 1, 2]).is_err());
    }
}
