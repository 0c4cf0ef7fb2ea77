//! Looking for a hundred thousand secrets at once in every byte of a folder.

use std::collections::HashMap;
use std::path::Path;

use crate::disk::{Found, Needle, files};

/// Shorter ones turn up by chance.
pub const SHORTEST: usize = 8;

/// Bits in the filter that rules out nearly every place with one look.
const FILTER_BITS: usize = 1 << 24;

/// Needles, indexed by how they begin.
pub struct Search {
    needles: Vec<Needle>,
    beginnings: HashMap<u64, Vec<usize>>,
    filter: Vec<u64>,
}

impl Search {
    /// Needles under [`SHORTEST`] bytes and repeated ones are left out.
    pub fn new(needles: impl IntoIterator<Item = Needle>) -> Self {
        let mut search = Self {
            needles: Vec::new(),
            beginnings: HashMap::new(),
            filter: vec![0; FILTER_BITS / 64],
        };
        for needle in needles {
            search.add(needle);
        }
        search
    }

    fn add(&mut self, needle: Needle) {
        let Some(beginning) = beginning(needle.content()) else {
            return;
        };
        let same = self.beginnings.entry(beginning).or_default();
        if same
            .iter()
            .any(|at| self.needles[*at].content() == needle.content())
        {
            return;
        }
        same.push(self.needles.len());
        let bit = filter_bit(beginning);
        self.filter[bit / 64] |= 1 << (bit % 64);
        self.needles.push(needle);
    }

    /// How many needles there are, all forms counted.
    pub fn len(&self) -> usize {
        self.needles.len()
    }

    /// Whether there is nothing to look for.
    pub fn is_empty(&self) -> bool {
        self.needles.is_empty()
    }

    /// Every needle that stands in these bytes, with the first place of each.
    pub fn in_bytes(&self, bytes: &[u8]) -> Vec<(&str, usize)> {
        let mut first = HashMap::new();
        for (at, window) in bytes.windows(SHORTEST).enumerate() {
            let Some(beginning) = beginning(window) else {
                continue;
            };
            let bit = filter_bit(beginning);
            if self.filter[bit / 64] & (1 << (bit % 64)) == 0 {
                continue;
            }
            for needle in self.beginnings.get(&beginning).into_iter().flatten() {
                if bytes[at..].starts_with(self.needles[*needle].content()) {
                    first.entry(*needle).or_insert(at);
                }
            }
        }
        let mut found: Vec<_> = first
            .into_iter()
            .map(|(needle, at)| (self.needles[needle].name.as_str(), at))
            .collect();
        found.sort_unstable();
        found
    }

    /// Every needle that stands in a file below the folder, or in the name of one.
    ///
    /// # Errors
    /// If a file can't be read.
    pub fn in_folder(&self, folder: &Path) -> std::io::Result<Vec<Found>> {
        let mut found = Vec::new();
        for path in files(folder)? {
            let name = path
                .strip_prefix(folder)
                .unwrap_or(&path)
                .to_string_lossy()
                .into_owned();
            let content = std::fs::read(&path)?;
            for place in [name.as_bytes(), &content] {
                found.extend(self.in_bytes(place).into_iter().map(|(needle, at)| Found {
                    name: needle.to_owned(),
                    path: path.clone(),
                    offset: at as u64,
                }));
            }
        }
        Ok(found)
    }
}

fn beginning(bytes: &[u8]) -> Option<u64> {
    bytes.first_chunk().map(|eight| u64::from_le_bytes(*eight))
}

fn filter_bit(beginning: u64) -> usize {
    // The top bits of a product with an odd constant (Fibonacci hashing).
    (beginning.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as usize % FILTER_BITS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_found_and_nothing_else() {
        let search = Search::new(
            Needle::bytes("key", &[7, 1, 2, 3, 4, 5, 6, 7, 8, 9])
                .into_iter()
                .chain(Needle::text("name", "Adelheid")),
        );
        let mut bytes = vec![7; 50];
        bytes.extend([1, 2, 3, 4, 5, 6, 7, 8, 9]);
        bytes.extend(b"...0701020304050607 08 Adelhei");
        assert_eq!(search.in_bytes(&bytes), [("key", 49)]);
        bytes.extend(b"d");
        assert_eq!(search.in_bytes(&bytes).len(), 2);
        assert_eq!(search.in_bytes(b"07010203040506070809"), [("key (hex)", 0)]);
    }
}
