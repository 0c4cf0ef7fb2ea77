//! The parts of a message (draft-ietf-mimi-content-08 sections 4.4 and 4.5).

use std::fmt;

use zeroize::Zeroizing;

/// Plain text.
pub const TEXT_PLAIN: &str = "text/plain;charset=utf-8";
/// Markdown as the draft profiles it: GitHub's, without raw HTML (section 7.1.1).
pub const TEXT_MARKDOWN: &str = "text/markdown;variant=GFM-MIMI";

/// What a part is meant for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Disposition {
    /// 0, no hint.
    Unspecified,
    /// 1, shown as local policy says.
    Render,
    /// 2, a reaction to another message.
    Reaction,
    /// 3, a profile of a person or a room.
    Profile,
    /// 4, shown right in the chat.
    Inline,
    /// 5, an icon such as a person's picture.
    Icon,
    /// 6, to be downloaded rather than shown.
    Attachment,
    /// 7, a session to join, such as a call.
    Session,
    /// 8, the sender's own preview of something else in the message.
    Preview,
    /// 9 to 255, unknown here: treated as [`Disposition::Render`].
    Unknown(UnknownDisposition),
}

/// A disposition number that the draft does not assign, 9 to 255.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct UnknownDisposition(u8);

impl Disposition {
    /// The number on the wire.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Unspecified => 0,
            Self::Render => 1,
            Self::Reaction => 2,
            Self::Profile => 3,
            Self::Inline => 4,
            Self::Icon => 5,
            Self::Attachment => 6,
            Self::Session => 7,
            Self::Preview => 8,
            Self::Unknown(UnknownDisposition(number)) => number,
        }
    }

    /// The disposition with a number.
    #[must_use]
    pub const fn from_number(number: u8) -> Self {
        match number {
            0 => Self::Unspecified,
            1 => Self::Render,
            2 => Self::Reaction,
            3 => Self::Profile,
            4 => Self::Inline,
            5 => Self::Icon,
            6 => Self::Attachment,
            7 => Self::Session,
            8 => Self::Preview,
            _ => Self::Unknown(UnknownDisposition(number)),
        }
    }

    /// The draft's word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified",
            Self::Render => "render",
            Self::Reaction => "reaction",
            Self::Profile => "profile",
            Self::Inline => "inline",
            Self::Icon => "icon",
            Self::Attachment => "attachment",
            Self::Session => "session",
            Self::Preview => "preview",
            Self::Unknown(_) => "unknown",
        }
    }
}

/// How the parts of a nesting part belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PartSemantics {
    /// 0, the receiver takes one of them.
    ChooseOne,
    /// 1, all of them or none.
    SingleUnit,
    /// 2, as many of them as the receiver understands.
    ProcessAll,
}

impl PartSemantics {
    /// The number on the wire.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::ChooseOne => 0,
            Self::SingleUnit => 1,
            Self::ProcessAll => 2,
        }
    }

    /// The semantics with a number; none is assigned above 2.
    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::ChooseOne),
            1 => Some(Self::SingleUnit),
            2 => Some(Self::ProcessAll),
            _ => None,
        }
    }

    /// The draft's word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ChooseOne => "chooseOne",
            Self::SingleUnit => "singleUnit",
            Self::ProcessAll => "processAll",
        }
    }
}

/// One part of a message, which may hold others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NestedPart {
    /// What it is for.
    pub disposition: Disposition,
    /// Empty, or a comma-separated list of language tags (RFC 5646); at most 255 bytes.
    pub language: String,
    /// What it holds.
    pub body: PartBody,
}

/// What a part holds: the draft's cardinality.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartBody {
    /// 0, nothing: the body of a delete or an unlike.
    Null,
    /// 1, content in the message itself.
    Single(SinglePart),
    /// 2, content elsewhere.
    External(Box<ExternalPart>),
    /// 3, at least two more parts.
    Multi(MultiPart),
}

/// Content in the message itself.
#[derive(Clone, PartialEq, Eq)]
pub struct SinglePart {
    /// IANA media type with parameters, at most 255 bytes.
    pub content_type: String,
    /// The content.
    pub content: Vec<u8>,
}

/// Content elsewhere, usually encrypted under a key that stands here.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ExternalPart {
    /// IANA media type with parameters, at most 255 bytes.
    pub content_type: String,
    /// Where it is, at most 4,096 bytes.
    pub url: String,
    /// Until when it is there, in seconds since 1970; 0: does not expire.
    pub expires: u32,
    /// Size of the content in bytes; 0: not known.
    pub size: u64,
    /// IANA AEAD algorithm number (RFC 5116); 0: not encrypted.
    pub encryption: u16,
    /// Its key, at most 64 bytes.
    pub key: Zeroizing<Vec<u8>>,
    /// Its nonce, at most 64 bytes.
    pub nonce: Vec<u8>,
    /// Its additional authenticated data, at most 4,096 bytes.
    pub aad: Vec<u8>,
    /// IANA Named Information hash algorithm number; 1: SHA-256.
    pub hash_algorithm: u8,
    /// Hash of the content as it stands at the URL, at most 64 bytes.
    pub content_hash: Vec<u8>,
    /// Description for people; may be empty, at most 4,096 bytes.
    pub description: String,
    /// Suggested file name; may be empty, at most 1,024 bytes. Hostile until [`ExternalPart::safe_filename`].
    pub filename: String,
}

/// Parts that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MultiPart {
    /// How they belong together.
    pub semantics: PartSemantics,
    /// The parts, at least two.
    pub parts: Vec<NestedPart>,
}

/// AES-256-GCM in 64 KiB chunks in the STREAM construction, as Undertone's attachments use it. From the IANA
/// AEAD registry's private range (RFC 5116 section 6), because the registry has no number for a STREAM.
pub const ENCRYPTION_STREAM: u16 = 0xF0A1;
/// AES-128-GCM, which the draft makes mandatory to understand.
pub const ENCRYPTION_AES_128_GCM: u16 = 1;
/// SHA-256 in the Named Information registry.
pub const HASH_SHA_256: u8 = 1;

impl NestedPart {
    /// A part that holds nothing.
    #[must_use]
    pub fn null(disposition: Disposition) -> Self {
        Self {
            disposition,
            language: String::new(),
            body: PartBody::Null,
        }
    }

    /// A part that holds its content.
    #[must_use]
    pub fn single(
        disposition: Disposition,
        content_type: &str,
        content: impl Into<Vec<u8>>,
    ) -> Self {
        let single = SinglePart {
            content_type: content_type.to_owned(),
            content: content.into(),
        };
        Self {
            disposition,
            language: String::new(),
            body: PartBody::Single(single),
        }
    }

    /// A part whose content is elsewhere.
    #[must_use]
    pub fn external(disposition: Disposition, external: ExternalPart) -> Self {
        Self {
            disposition,
            language: String::new(),
            body: PartBody::External(Box::new(external)),
        }
    }

    /// Parts that belong together. The format wants at least two; of one, that one is returned as it is.
    #[must_use]
    pub fn multi(
        disposition: Disposition,
        semantics: PartSemantics,
        mut parts: Vec<NestedPart>,
    ) -> Self {
        match parts.len() {
            0 => Self::null(disposition),
            1 => parts.swap_remove(0),
            _ => Self {
                disposition,
                language: String::new(),
                body: PartBody::Multi(MultiPart { semantics, parts }),
            },
        }
    }

    /// True if this is a text to show, and nothing else.
    #[must_use]
    pub fn is_text(&self) -> bool {
        self.disposition != Disposition::Preview
            && matches!(&self.body, PartBody::Single(single) if single.as_text().is_some())
    }

    /// This part and all below it, depth first: the position in this walk is the draft's part index.
    pub fn walk(&self) -> impl Iterator<Item = &NestedPart> {
        let mut waiting = vec![self];
        std::iter::from_fn(move || {
            let part = waiting.pop()?;
            if let PartBody::Multi(multi) = &part.body {
                waiting.extend(multi.parts.iter().rev());
            }
            Some(part)
        })
    }
}

impl SinglePart {
    /// The text, if this is text/plain or text/markdown in UTF-8.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        let is_text = matches!(
            media_type(&self.content_type).as_str(),
            "text/plain" | "text/markdown"
        );
        if is_text {
            std::str::from_utf8(&self.content).ok()
        } else {
            None
        }
    }

    /// True if the text is markdown.
    #[must_use]
    pub fn is_markdown(&self) -> bool {
        media_type(&self.content_type) == "text/markdown"
    }
}

/// A content type without its parameters, in lower case.
pub(crate) fn media_type(content_type: &str) -> String {
    content_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase()
}

impl fmt::Debug for SinglePart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SinglePart({} bytes)", self.content.len())
    }
}

impl fmt::Debug for ExternalPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ExternalPart({} bytes)", self.size)
    }
}
