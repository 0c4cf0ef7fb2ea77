//! Entry points for the fuzzer: what must hold for any bytes at all.

use crate::media_info::MediaInfo;
use crate::message::MimiContent;

/// Any bytes are either refused, or are the one encoding of what they decode to; reading them never panics.
///
/// # Panics
/// If that does not hold.
pub fn fuzz_content(data: &[u8]) {
    if let Ok(message) = MimiContent::decode(data) {
        assert_eq!(
            message.encode().as_deref(),
            Ok(data),
            "an accepted message has another encoding"
        );
        let _ = message.meaning();
        for file in message.shown().files {
            assert!(!file.external.safe_filename().contains(['/', '\\', '\0']));
        }
        assert!(crate::inspect(data, Some("a"), Some("b")).is_ok());
    }
    if let Ok(statuses) = crate::decode_report(data) {
        assert_eq!(crate::encode_report(&statuses), data);
    }
    if let Ok(info) = MediaInfo::decode(data) {
        assert_eq!(MediaInfo::decode(&info.encode()), Ok(info));
    }
}
