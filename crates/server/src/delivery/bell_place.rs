//! Up to where a bell has been rung, as it is stored: sealed to whoever holds the bell's secret.
//!
//! The server has the secret only while the bell is heard. So a disk that is taken does not tell up to when the locked device was there to
//! hear, nor whether it ever was: what is stored before the first ring is as long and as random.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use undertone_wire::ids::random_bytes;

use crate::store::{QueueId, RUNG_BYTES};

const INFO: &[u8] = b"undertone/1 bell place";
const PLACE_BYTES: usize = size_of::<u64>();

/// Seals and opens the places of one bell.
pub(super) struct Place {
    key: LessSafeKey,
    queue: QueueId,
}

impl Place {
    /// Of the bell of `queue` with this secret. Fails only if the library does.
    pub(super) fn new(secret: &[u8], queue: QueueId) -> Result<Self, Unspecified> {
        let extracted = Salt::new(HKDF_SHA256, &[]).extract(secret);
        let key = extracted.expand(&[INFO], &AES_256_GCM)?;
        Ok(Self {
            key: LessSafeKey::new(UnboundKey::from(key)),
            queue,
        })
    }

    /// Nonce, ciphertext, tag. Nonces are random: a bell rings at most once in a minute, for a month.
    pub(super) fn seal(&self, sequence: u64) -> Result<[u8; RUNG_BYTES], Unspecified> {
        let nonce: [u8; NONCE_LEN] = random_bytes();
        let mut sealed = [0; RUNG_BYTES];
        let (head, rest) = sealed.split_at_mut(NONCE_LEN);
        let (place, tag) = rest.split_at_mut(PLACE_BYTES);
        head.copy_from_slice(&nonce);
        place.copy_from_slice(&sequence.to_be_bytes());
        let nonce = Nonce::assume_unique_for_key(nonce);
        let made = self
            .key
            .seal_in_place_separate_tag(nonce, self.aad(), place)?;
        tag.copy_from_slice(made.as_ref());
        Ok(sealed)
    }

    /// None: it has never been rung.
    pub(super) fn open(&self, sealed: &[u8; RUNG_BYTES]) -> Option<u64> {
        let (nonce, rest) = sealed.split_first_chunk::<NONCE_LEN>()?;
        let mut rest = rest.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let place = self.key.open_in_place(nonce, self.aad(), &mut rest).ok()?;
        Some(u64::from_be_bytes((*place).try_into().ok()?))
    }

    fn aad(&self) -> Aad<&[u8]> {
        Aad::from(self.queue.as_bytes().as_slice())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_the_bells_secret_says_up_to_where_it_was_rung() {
        let queue = QueueId::new([1; 16]);
        let place = Place::new(b"the secret", queue).unwrap();
        let sealed = place.seal(7).unwrap();
        assert_eq!(place.open(&sealed), Some(7));
        assert!(sealed != place.seal(7).unwrap());
        let others = [
            Place::new(b"another", queue),
            Place::new(b"the secret", QueueId::new([2; 16])),
        ];
        for other in others {
            assert_eq!(other.unwrap().open(&sealed), None);
        }
        assert_eq!(place.open(&random_bytes()), None, "never rung");
    }
}
