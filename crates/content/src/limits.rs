//! How large a message may be. What is over a limit is refused when encoding and when decoding.
//!
//! The draft gives some of these (section 9.1: topic, parts, depth; section 4.3: extensions); the others are
//! Undertone's local policy, chosen so that a hostile message costs its reader little.

/// Whole encoded message, bytes. Large bodies belong in external parts.
pub const MESSAGE_BYTES: usize = 1 << 20;
/// Topic id, bytes.
pub const TOPIC_BYTES: usize = 4096;
/// Levels of nested parts, the body being the first.
pub const DEPTH: usize = 4;
/// Parts in a message, the body and every nesting part counted.
pub const PARTS: usize = 1024;
/// Extensions in a message.
pub const EXTENSIONS: usize = 64;
/// Text key of an extension, bytes (at least 1).
pub const EXTENSION_KEY_BYTES: usize = 255;
/// Encoded value of an extension, bytes.
pub const EXTENSION_VALUE_BYTES: usize = 4095;
/// Levels of arrays, maps and tags inside an extension's value.
pub const EXTENSION_DEPTH: usize = 16;
/// Language tags of a part, bytes.
pub const LANGUAGE_BYTES: usize = 255;
/// Content type of a part, bytes.
pub const CONTENT_TYPE_BYTES: usize = 255;
/// URL of an external part, bytes.
pub const URL_BYTES: usize = 4096;
/// Key, nonce and content hash of an external part, bytes each.
pub const KEY_BYTES: usize = 64;
/// Additional authenticated data of an external part, bytes.
pub const AAD_BYTES: usize = 4096;
/// Description of an external part, bytes.
pub const DESCRIPTION_BYTES: usize = 4096;
/// File name of an external part, bytes.
pub const FILENAME_BYTES: usize = 1024;
/// Sender or room URI, bytes: its length is hashed as 16 bits into the message id.
pub const URI_BYTES: usize = 65_535;
