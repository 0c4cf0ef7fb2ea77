//! Six words for two people's eyes: 66 bits, from the list that recovery phrases are made of.

use bip39::Language;

use crate::derive::hkdf;

const WORDS: usize = 6;
const BITS: usize = 11;

/// Six English words of the BIP-39 list: the first 66 bits of `HKDF(digest, "link words")`, 11 a word, highest bit first.
pub fn comparison_words(digest: &[u8; 32]) -> String {
    let bytes = hkdf(digest, "link words");
    let list = Language::English.word_list();
    let bit = |index: usize| usize::from(bytes[index / 8] >> (7 - index % 8) & 1);
    let words: Vec<&str> = (0..WORDS)
        .filter_map(|word| {
            let number = (word * BITS..(word + 1) * BITS).fold(0, |n, index| n << 1 | bit(index));
            list.get(number).copied()
        })
        .collect();
    words.join(" ")
}
