//! The number two people compare to know that nobody stands between them.

use sha2::{Digest as _, Sha512};
use undertone_wire::ids::AccountId;

/// Hashed this often, so that a search for a pair with the same number costs more.
const ROUNDS: usize = 5200;

/// 60 digits in 12 groups of 5, the same on both sides: SHA-512 over both account ids, smaller first, hashed 5,200 times;
/// each group is 40 bits of it modulo 100,000.
pub fn safety_number(one: &AccountId, other: &AccountId) -> String {
    let (low, high) = if one <= other {
        (one, other)
    } else {
        (other, one)
    };
    let mut digest = Sha512::new()
        .chain_update(b"undertone/1 safety number")
        .chain_update(low)
        .chain_update(high)
        .finalize();
    for _ in 1..ROUNDS {
        digest = Sha512::new()
            .chain_update(digest)
            .chain_update(low)
            .chain_update(high)
            .finalize();
    }
    let groups: Vec<String> = digest
        .chunks_exact(5)
        .take(12)
        .map(|chunk| {
            let value = chunk
                .iter()
                .fold(0u64, |value, byte| value << 8 | u64::from(*byte));
            format!("{:05}", value % 100_000)
        })
        .collect();
    groups.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_see_the_same_sixty_digits() {
        let (ada, ben) = (AccountId::new([1; 32]), AccountId::new([2; 32]));
        let number = safety_number(&ada, &ben);
        assert_eq!(number, safety_number(&ben, &ada));
        assert_eq!(number.chars().filter(char::is_ascii_digit).count(), 60);
        assert_eq!(number.split(' ').count(), 12);
        assert_ne!(number, safety_number(&ada, &AccountId::new([3; 32])));
        assert_eq!(
            number,
            "30434 71058 87424 81556 35616 14484 31700 61998 88280 33593 01535 56501"
        );
    }
}
