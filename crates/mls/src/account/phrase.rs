//! The recovery phrase: 12 English words (BIP-39, 128 bits and a checksum).

use bip39::Mnemonic;
use undertone_wire::ids::random_bytes;
use zeroize::Zeroizing;

use crate::{Error, Result};

/// The words under which an account's root key exists. Shown once, kept on paper.
pub struct RecoveryPhrase {
    words: Zeroizing<String>,
    mnemonic: Mnemonic,
}

impl RecoveryPhrase {
    /// Twelve fresh words.
    ///
    /// # Errors
    /// None in practice; 128 bits always make 12 words.
    pub fn generate() -> Result<Self> {
        let entropy = Zeroizing::new(random_bytes::<16>());
        Mnemonic::from_entropy(entropy.as_slice())
            .map(Self::from_mnemonic)
            .map_err(|_| Error::RecoveryPhrase)
    }

    /// Reads the words back; case and the space between them do not matter.
    ///
    /// # Errors
    /// [`Error::RecoveryPhrase`] unless there are 12 known words and the checksum fits.
    pub fn parse(text: &str) -> Result<Self> {
        let lower = Zeroizing::new(text.to_lowercase());
        let words = Zeroizing::new(lower.split_whitespace().collect::<Vec<_>>().join(" "));
        let mnemonic = Mnemonic::parse_in_normalized(bip39::Language::English, &words)
            .map_err(|_| Error::RecoveryPhrase)?;
        if mnemonic.word_count() != 12 {
            return Err(Error::RecoveryPhrase);
        }
        Ok(Self::from_mnemonic(mnemonic))
    }

    /// The words, separated by single spaces, to be shown to the user and to nobody else.
    pub fn words(&self) -> &str {
        &self.words
    }

    /// BIP-39's 64-byte seed, with no passphrase.
    pub(crate) fn seed(&self) -> Zeroizing<[u8; 64]> {
        Zeroizing::new(self.mnemonic.to_seed_normalized(""))
    }

    fn from_mnemonic(mnemonic: Mnemonic) -> Self {
        let words = Zeroizing::new(mnemonic.words().collect::<Vec<_>>().join(" "));
        Self { words, mnemonic }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_words_come_back_however_they_are_typed() {
        let phrase = RecoveryPhrase::generate().unwrap();
        assert_eq!(phrase.words().split(' ').count(), 12);
        let typed = format!("  {}\n", phrase.words().to_uppercase().replace(' ', "  "));
        let again = RecoveryPhrase::parse(&typed).unwrap();
        assert_eq!(again.seed().as_slice(), phrase.seed().as_slice());
    }

    #[test]
    fn other_words_are_refused() {
        let right = "legal winner thank year wave sausage worth useful legal winner thank yellow";
        assert!(RecoveryPhrase::parse(right).is_ok());
        assert!(RecoveryPhrase::parse(&right.replace("yellow", "year")).is_err());
        assert!(RecoveryPhrase::parse(&right.replace("yellow", "gelb")).is_err());
        assert!(RecoveryPhrase::parse("").is_err());
        // 24 valid words are another kind of phrase.
        let long = "abandon ".repeat(23) + "art";
        assert!(RecoveryPhrase::parse(&long).is_err());
    }
}
