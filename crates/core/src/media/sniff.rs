//! What a file is, told from its first bytes; its name is not asked.

/// How many of a file's first bytes [`sniff`] wants; fewer are fine if the file is shorter.
pub const SNIFF_BYTES: usize = 8192;

/// How a file is to be treated before it leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A picture that [`super::clean_picture`] can clean.
    Picture,
    /// A picture that can carry a place, of a kind that can't be cleaned (HEIC, TIFF and raw formats, AVIF and so
    /// on): refuse, unless its owner says to send the file as it is.
    UncleanPicture,
    /// A recording that [`super::describe_memo`] can describe.
    Memo,
    /// Any other file, sent as it is.
    Other,
}

/// What [`sniff`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sniffed {
    /// IANA media type; `application/octet-stream` if nothing is known.
    pub content_type: &'static str,
    /// How to treat it.
    pub kind: FileKind,
}

/// Tells a file's kind from its first [`SNIFF_BYTES`].
#[must_use]
pub fn sniff(head: &[u8]) -> Sniffed {
    let head = &head[..head.len().min(SNIFF_BYTES)];
    if head.starts_with(b"OggS") && head.get(28..36) == Some(b"OpusHead") {
        return Sniffed {
            content_type: "audio/ogg;codecs=opus",
            kind: FileKind::Memo,
        };
    }
    if head.starts_with(b"RIFF") && head.get(8..12) == Some(b"WAVE") {
        return Sniffed {
            content_type: "audio/wav",
            kind: FileKind::Memo,
        };
    }
    let Some(found) = infer::get(head) else {
        let content_type = if is_text(head) {
            "text/plain;charset=utf-8"
        } else {
            "application/octet-stream"
        };
        return Sniffed {
            content_type,
            kind: FileKind::Other,
        };
    };
    let kind = match (found.matcher_type(), found.mime_type()) {
        (_, "image/jpeg" | "image/png" | "image/webp" | "image/gif") => FileKind::Picture,
        // These two have no place for metadata.
        (_, "image/bmp" | "image/vnd.microsoft.icon") => FileKind::Other,
        (infer::MatcherType::Image, _) => FileKind::UncleanPicture,
        _ => FileKind::Other,
    };
    Sniffed {
        content_type: found.mime_type(),
        kind,
    }
}

/// UTF-8 without control characters that text does not use; the last character may be cut off.
fn is_text(head: &[u8]) -> bool {
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&head[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return false,
    };
    !text.is_empty()
        && !text
            .chars()
            .any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t' | '\u{0c}'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_what_their_bytes_say() {
        let kind = |bytes: &[u8]| (sniff(bytes).content_type, sniff(bytes).kind);
        assert_eq!(
            kind(&[0xff, 0xd8, 0xff, 0xe0]),
            ("image/jpeg", FileKind::Picture)
        );
        assert_eq!(kind(b"GIF89a"), ("image/gif", FileKind::Picture));
        assert_eq!(
            kind(b"II*\0\x10\0\0\0..."),
            ("image/tiff", FileKind::UncleanPicture)
        );
        assert_eq!(
            kind(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"),
            ("image/heif", FileKind::UncleanPicture)
        );
        assert_eq!(kind(b"%PDF-1.7\n"), ("application/pdf", FileKind::Other));
        assert_eq!(
            kind("Grüße".as_bytes()),
            ("text/plain;charset=utf-8", FileKind::Other)
        );
        assert_eq!(
            kind(&"Grüße".as_bytes()[..3]),
            ("text/plain;charset=utf-8", FileKind::Other)
        );
        assert_eq!(kind(b""), ("application/octet-stream", FileKind::Other));
        assert_eq!(
            kind(&[0, 1, 2, 3]),
            ("application/octet-stream", FileKind::Other)
        );
        assert_eq!(
            kind(b"RIFF\x24\0\0\0WAVEfmt "),
            ("audio/wav", FileKind::Memo)
        );
    }
}
