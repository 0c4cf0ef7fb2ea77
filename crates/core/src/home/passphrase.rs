//! The passphrase, from the edge to the key derivation.

use zeroize::Zeroizing;

use super::HomeError;

/// What the owner types. Wiped when dropped; has no `Debug`, `Display` or `Clone`.
///
/// It is taken byte for byte: trimming a newline that a file or a pipe adds is the caller's work.
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
        Ok(Self(text))
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}
