//! Which of a send's addresses it did not reach.

use bytes::Bytes;

/// A bitmap over the addresses of a send: bit i is in byte i/8 at mask `1 << (i % 8)`. Empty: none missed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Missed(Bytes);

impl Missed {
    /// None missed.
    pub const fn none() -> Self {
        Self(Bytes::new())
    }

    /// From the indices of the missed addresses.
    pub fn from_indices(indices: impl IntoIterator<Item = usize>) -> Self {
        let mut bits = Vec::new();
        for index in indices {
            if bits.len() <= index / 8 {
                bits.resize(index / 8 + 1, 0);
            }
            bits[index / 8] |= 1u8 << (index % 8);
        }
        Self(bits.into())
    }

    pub(super) const fn from_bytes(bits: Bytes) -> Self {
        Self(bits)
    }

    /// As it is sent.
    pub fn to_bytes(&self) -> Bytes {
        self.0.clone()
    }

    /// Whether every address was reached.
    pub fn is_none(&self) -> bool {
        self.0.iter().all(|byte| *byte == 0)
    }

    /// Whether the address at `index` was missed.
    pub fn contains(&self, index: usize) -> bool {
        self.0
            .get(index / 8)
            .is_some_and(|byte| byte & (1 << (index % 8)) != 0)
    }

    /// The indices of the missed addresses, ascending.
    pub fn indices(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.0.len() * 8).filter(|index| self.contains(*index))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_come_back() {
        let missed = Missed::from_indices([0, 7, 8, 4095]);
        assert_eq!(missed.to_bytes().len(), 512);
        assert_eq!(missed.indices().collect::<Vec<_>>(), [0, 7, 8, 4095]);
        assert!(missed.contains(8) && !missed.contains(9) && !missed.contains(1 << 40));
        assert!(!missed.is_none());
        assert!(Missed::none().is_none() && Missed::from_indices([]) == Missed::none());
    }
}
