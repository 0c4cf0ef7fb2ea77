//! From a passphrase to the key that opens slots: Argon2id (RFC 9106).
//!
//! The parameters are stored beside the slots: a new home measures its machine, and a home that is moved to another one
//! keeps what it has. Tests use a cheap setting that is marked in the table; a release build neither makes nor opens such a
//! table.

use std::time::{Duration, Instant};

use argon2::{Algorithm, Argon2, Block, Params, Version};
use zeroize::{Zeroize, Zeroizing};

use super::calibration::{self, Cost};
use super::{HomeError, HomeResult, Passphrase};

/// Marks Argon2id with parameters fit for use.
const ARGON2ID: u8 = 1;
/// Marks the cheap setting of tests.
const CHEAP: u8 = 0x7f;

/// Bounds on what a table may ask for: below is too weak to open, above is somebody's prank.
const MEMORY_KIB: std::ops::RangeInclusive<u32> = 32 * 1024..=2 * 1024 * 1024;
const PASSES: std::ops::RangeInclusive<u32> = 2..=64;
const LANES: std::ops::RangeInclusive<u32> = 1..=16;

pub(super) const SALT_LEN: usize = 32;
/// Length of the encoded form.
pub(super) const ENCODED_LEN: usize = 16 + SALT_LEN;

/// How a passphrase becomes a key.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Kdf {
    algorithm: u8,
    memory_kib: u32,
    passes: u32,
    lanes: u32,
    salt: [u8; SALT_LEN],
}

/// The key that wraps data keys.
pub(super) struct WrappingKey(Zeroizing<[u8; 32]>);

impl WrappingKey {
    pub(super) fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl Kdf {
    /// The setting for a new home, which takes about a second on this machine, and half of one to find: at least 64 MiB and 3
    /// passes, and one lane because attackers have more cores than phones do.
    pub(super) fn for_new_home(salt: [u8; SALT_LEN]) -> Self {
        if is_cheap() {
            return Self {
                algorithm: CHEAP,
                memory_kib: 64,
                passes: 1,
                lanes: 1,
                salt,
            };
        }
        let memory = calibration::memory_of_this_machine_kib();
        let cost = calibration::fitting(memory, |cost| Self::of(cost, [0; SALT_LEN]).measure());
        Self::of(cost, salt)
    }

    fn of(cost: Cost, salt: [u8; SALT_LEN]) -> Self {
        Self {
            algorithm: ARGON2ID,
            memory_kib: cost.memory_kib,
            passes: cost.passes,
            lanes: 1,
            salt,
        }
    }

    /// How long a derivation takes; None if it can't be done at present.
    fn measure(&self) -> Option<Duration> {
        #[cfg(test)]
        if let Some(taken) = tests::MEASURED.get() {
            return Some(taken);
        }
        let any = Passphrase::new(Zeroizing::new("how long it takes".to_owned())).ok()?;
        let begun = Instant::now();
        self.derive(&any).ok()?;
        Some(begun.elapsed())
    }

    pub(super) fn encode(&self) -> [u8; ENCODED_LEN] {
        let mut out = [0; ENCODED_LEN];
        out[0] = self.algorithm;
        out[4..8].copy_from_slice(&self.memory_kib.to_be_bytes());
        out[8..12].copy_from_slice(&self.passes.to_be_bytes());
        out[12..16].copy_from_slice(&self.lanes.to_be_bytes());
        out[16..].copy_from_slice(&self.salt);
        out
    }

    pub(super) fn decode(bytes: &[u8; ENCODED_LEN]) -> HomeResult<Self> {
        let number = |at: usize| {
            let mut four = [0; 4];
            four.copy_from_slice(&bytes[at..at + 4]);
            u32::from_be_bytes(four)
        };
        let mut salt = [0; SALT_LEN];
        salt.copy_from_slice(&bytes[16..]);
        let kdf = Self {
            algorithm: bytes[0],
            memory_kib: number(4),
            passes: number(8),
            lanes: number(12),
            salt,
        };
        if bytes[1..4] != [0; 3] {
            return Err(HomeError::Damaged);
        }
        match kdf.algorithm {
            ARGON2ID => {
                if MEMORY_KIB.contains(&kdf.memory_kib)
                    && PASSES.contains(&kdf.passes)
                    && LANES.contains(&kdf.lanes)
                {
                    Ok(kdf)
                } else {
                    Err(HomeError::Damaged)
                }
            }
            CHEAP if cheap_is_allowed() && kdf.memory_kib <= 1024 && kdf.passes == 1 => Ok(kdf),
            CHEAP => Err(HomeError::TestHome),
            _ => Err(HomeError::Newer),
        }
    }

    /// Derives the wrapping key. Takes about a second on the machine that made the home, and up to 1 GiB, which is wiped.
    pub(super) fn derive(&self, passphrase: &Passphrase) -> HomeResult<WrappingKey> {
        let params = Params::new(self.memory_kib, self.passes, self.lanes, Some(32))
            .map_err(|_| HomeError::Damaged)?;
        let blocks = params.block_count();
        let mut memory: Vec<Block> = Vec::new();
        memory
            .try_reserve_exact(blocks)
            .map_err(|_| HomeError::Memory)?;
        memory.resize(blocks, Block::default());
        let mut key = Zeroizing::new([0; 32]);
        let result = Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into_with_memory(
                passphrase.as_bytes(),
                &self.salt,
                &mut key[..],
                &mut memory,
            );
        for block in &mut memory {
            block.zeroize();
        }
        result.map_err(|_| HomeError::Damaged)?;
        Ok(WrappingKey(key))
    }
}

#[cfg(debug_assertions)]
static CHEAP_IN_THIS_PROCESS: std::sync::atomic::AtomicBool =
    std::sync::atomic::AtomicBool::new(false);

/// From now on this process makes and opens homes whose passphrases cost nothing to guess.
///
/// For tests only: it exists in debug builds alone, and such homes are marked, so that a release build
/// refuses them. Child processes are told by the environment variable `UNDERTONE_TEST_CHEAP_KDF=1`.
#[cfg(debug_assertions)]
pub fn use_cheap_kdf_for_tests() {
    CHEAP_IN_THIS_PROCESS.store(true, std::sync::atomic::Ordering::Relaxed);
}

#[cfg(debug_assertions)]
fn cheap_is_allowed() -> bool {
    CHEAP_IN_THIS_PROCESS.load(std::sync::atomic::Ordering::Relaxed)
        || std::env::var_os("UNDERTONE_TEST_CHEAP_KDF").is_some_and(|value| value == "1")
}

/// Whether new homes of this process cost nothing to guess at, as only tests may have it.
pub(super) fn is_cheap() -> bool {
    #[cfg(test)]
    if tests::MEASURED.get().is_some() {
        return false;
    }
    cheap_is_allowed()
}

#[cfg(not(debug_assertions))]
const fn cheap_is_allowed() -> bool {
    false
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::cell::Cell;

    use super::super::key_table::KeyTable;
    use super::*;

    thread_local! {
        /// What every measurement of this thread says; a new home is a real one then.
        pub(super) static MEASURED: Cell<Option<Duration>> = const { Cell::new(None) };
    }

    fn passphrase(text: &str) -> Passphrase {
        Passphrase::new(Zeroizing::new(text.to_owned())).unwrap()
    }

    #[test]
    fn the_keys_of_a_new_home_cost_what_was_measured_as_it_was_made() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        let memory = calibration::memory_of_this_machine_kib();
        for taken in [2_000, 500, 100, 10].map(Duration::from_millis) {
            MEASURED.set(Some(taken));
            KeyTable::new().unwrap().save(&path).unwrap();
            MEASURED.set(None);
            let bytes = std::fs::read(&path).unwrap();
            let cost = calibration::fitting(memory, |_| Some(taken));
            assert_eq!(bytes[16], ARGON2ID);
            assert_eq!(bytes[20..24], cost.memory_kib.to_be_bytes(), "{taken:?}");
            assert_eq!(bytes[24..28], cost.passes.to_be_bytes(), "{taken:?}");
            assert_eq!(cost == Cost::LEAST, taken > Duration::from_secs(1));
        }
    }

    #[test]
    fn the_parameters_of_a_real_home_are_those_of_the_design_and_cost_what_they_should() {
        let kdf = Kdf {
            algorithm: ARGON2ID,
            memory_kib: 64 * 1024,
            passes: 3,
            lanes: 1,
            salt: [7; SALT_LEN],
        };
        let encoded = kdf.encode();
        assert_eq!(
            &encoded[..16],
            &[1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 3, 0, 0, 0, 1]
        );
        assert!(Kdf::decode(&encoded).unwrap() == kdf);
        let key = kdf.derive(&passphrase("the quick brown fox")).unwrap();
        // Frozen: an existing home depends on it.
        assert_eq!(
            data_encoding::HEXLOWER.encode(key.expose()),
            "67e99c852897745516f43351c8545245eaa4d598818e4329e1c734183804d1bb"
        );
    }

    #[test]
    fn what_a_new_home_can_have_can_be_opened() {
        let ends = [
            Cost::LEAST,
            Cost {
                memory_kib: 1024 * 1024,
                passes: 16,
            },
        ];
        for cost in ends {
            let kdf = Kdf::of(cost, [7; SALT_LEN]);
            assert!(Kdf::decode(&kdf.encode()).unwrap() == kdf);
        }
        assert!(Kdf::of(Cost::LEAST, [7; SALT_LEN]).measure().is_some());
    }

    #[test]
    fn parameters_that_are_too_weak_too_greedy_or_unknown_are_refused() {
        let good = Kdf {
            algorithm: ARGON2ID,
            memory_kib: 64 * 1024,
            passes: 3,
            lanes: 1,
            salt: [7; SALT_LEN],
        };
        for weak in [
            Kdf {
                memory_kib: 1024,
                ..good.clone()
            },
            Kdf {
                passes: 1,
                ..good.clone()
            },
            Kdf {
                memory_kib: u32::MAX,
                ..good.clone()
            },
            Kdf {
                passes: u32::MAX,
                ..good.clone()
            },
            Kdf {
                lanes: 0,
                ..good.clone()
            },
        ] {
            assert_eq!(Kdf::decode(&weak.encode()).err(), Some(HomeError::Damaged));
        }
        let unknown = Kdf {
            algorithm: 2,
            ..good
        };
        assert_eq!(Kdf::decode(&unknown.encode()).err(), Some(HomeError::Newer));
    }
}
