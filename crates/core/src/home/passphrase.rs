//! The passphrase, from the edge to the key derivation.

use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

use super::HomeError;

/// What the owner types. Wiped when dropped; has no `Debug`, `Display` or `Clone`.
///
/// It is prepared as RFC 8265's OpaqueString (section 4.2): NFC, and every space that is not ASCII becomes
/// one that is, so that another keyboard or system that writes the same characters in other code points
/// opens the home too. Nothing else is changed; trimming a newline that a file or a pipe adds
/// is the caller's work.
#[derive(PartialEq, Eq)]
pub struct Passphrase(Zeroizing<String>);

impl Passphrase {
    /// Takes the text. The caller keeps no copy.
    ///
    /// # Errors
    /// [`HomeError::EmptyPassphrase`].
    pub fn new(text: Zeroizing<String>) -> Result<Self, HomeError> {
        if text.is_empty() {
            return Err(HomeError::EmptyPassphrase);
        }
        // NFC grows UTF-8 at most threefold; a growing String would leave pieces behind.
        let mut prepared = Zeroizing::new(String::with_capacity(text.len() * 3));
        prepared.extend(text.chars().map(to_ascii_space).nfc());
        Ok(Self(prepared))
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// The space separators of Unicode (general category Zs) other than U+0020.
fn to_ascii_space(character: char) -> char {
    match character {
        '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' => {
            ' '
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn bytes(text: &str) -> Vec<u8> {
        let passphrase = Passphrase::new(Zeroizing::new(text.to_owned())).unwrap();
        passphrase.as_bytes().to_vec()
    }

    #[test]
    fn the_same_characters_are_the_same_passphrase_however_they_are_encoded() {
        assert_eq!(bytes("Zo\u{eb}"), bytes("Zoe\u{308}"));
        assert_eq!(bytes("two\u{a0}words"), b"two words");
        assert_eq!(bytes("\u{1112}\u{1161}\u{11ab}"), "\u{d55c}".as_bytes());
    }

    #[test]
    fn nothing_else_is_changed() {
        for text in [" Two  Words ", "line\n", "ﬁ", "Straße", "\u{0}"] {
            assert_eq!(bytes(text), text.as_bytes());
        }
    }
}
