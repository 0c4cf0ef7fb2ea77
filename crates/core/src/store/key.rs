//! The key of one store file.

use rand::TryRngCore;
use rand::rngs::OsRng;
use zeroize::Zeroizing;

use super::StoreError;

/// The 32-byte raw key of a store (SQLCipher's `PRAGMA key = "x'..'"`).
///
/// Drawn at random when the store is created and kept only wrapped in the home's key slots. It is
/// wiped when dropped, lives on the heap so that moving it leaves no copies behind, and has no
/// `Debug`, `Display` or `Clone`.
pub struct DataKey(Box<Zeroizing<[u8; 32]>>);

impl DataKey {
    /// Length in bytes.
    pub const LEN: usize = 32;

    /// Draws a new key from the operating system.
    ///
    /// # Errors
    /// [`StoreError::Random`] if the operating system gives no randomness.
    pub fn random() -> Result<Self, StoreError> {
        let mut key = Box::new(Zeroizing::new([0; Self::LEN]));
        OsRng
            .try_fill_bytes(&mut key[..])
            .map_err(|_| StoreError::Random)?;
        Ok(Self(key))
    }

    /// Takes a key that was just unwrapped. The caller wipes its own copy.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; Self::LEN]) -> Self {
        let mut key = Box::new(Zeroizing::new([0; Self::LEN]));
        key.copy_from_slice(bytes);
        Self(key)
    }

    /// A second copy, for another holder. There is no `Clone`, so that copies are made on purpose.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        Self::from_bytes(&self.0)
    }

    /// The raw bytes, for wrapping them.
    #[must_use]
    pub fn expose(&self) -> &[u8; Self::LEN] {
        &self.0
    }

    /// The statement that keys a SQLCipher connection.
    pub(super) fn pragma(&self) -> Zeroizing<String> {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        // Room for the whole statement: a growing String would leave pieces of the key behind.
        let mut sql = Zeroizing::new(String::with_capacity(96));
        sql.push_str("PRAGMA key = \"x'");
        for byte in self.0.iter() {
            sql.push(char::from(HEX[usize::from(byte >> 4)]));
            sql.push(char::from(HEX[usize::from(byte & 15)]));
        }
        sql.push_str("'\"");
        sql
    }
}
