//! HPKE (RFC 9180), base mode, single shot, with the parameters of MLS suite 0x004E: ML-KEM-768 + X25519 (X-Wing),
//! HKDF-SHA-384, AES-256-GCM.
//!
//! Used for sealing keys (server to queue owner) and for requests between devices outside MLS. Public keys come from
//! outside; lengths are checked here before any of it reaches the library.

use std::{fmt, sync::LazyLock};

use bytes::Bytes;
use openmls_rust_crypto::RustCrypto;
use openmls_traits::{
    crypto::OpenMlsCrypto as _,
    types::{Ciphersuite, HpkeCiphertext, HpkeConfig},
};
use zeroize::Zeroizing;

use crate::{
    Code, Error, Result,
    limits::{HPKE_ENC_BYTES, HPKE_PUBLIC_KEY_BYTES},
    secrets::Secret,
};

const SUITE: Ciphersuite = Ciphersuite::MLS_128_MLKEM768X25519_AES256GCM_SHA384_Ed25519;

static CRYPTO: LazyLock<RustCrypto> = LazyLock::new(RustCrypto::default);

fn config() -> HpkeConfig {
    SUITE.hpke_config()
}

/// A public key of the right length. Whether it is a point on the curve shows when something is sealed to it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct HpkePublicKey(Bytes);

impl HpkePublicKey {
    /// Length in bytes.
    pub const LEN: usize = HPKE_PUBLIC_KEY_BYTES;

    /// From bytes from outside.
    ///
    /// # Errors
    /// [`Code::RequestMalformed`] when the length is wrong.
    pub fn from_bytes(bytes: Bytes) -> Result<Self> {
        if bytes.len() == Self::LEN {
            Ok(Self(bytes))
        } else {
            Err(Code::RequestMalformed.into())
        }
    }

    /// As [`Self::from_bytes`], copying.
    ///
    /// # Errors
    /// [`Code::RequestMalformed`] when the length is wrong.
    pub fn from_slice(bytes: &[u8]) -> Result<Self> {
        Self::from_bytes(Bytes::copy_from_slice(bytes))
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Its bytes, sharing memory.
    pub fn to_bytes(&self) -> Bytes {
        self.0.clone()
    }

    /// Seals `plaintext` so that only the private key opens it, under the same `info` and `aad`.
    ///
    /// # Errors
    /// [`Code::RequestMalformed`] when the key is not a valid one.
    pub fn seal(&self, info: &[u8], aad: &[u8], plaintext: &[u8]) -> Result<HpkeSealed> {
        let sealed = CRYPTO
            .hpke_seal(config(), &self.0, info, aad, plaintext)
            .map_err(|_| Error::new(Code::RequestMalformed))?;
        Ok(HpkeSealed {
            enc: Vec::from(sealed.kem_output).into(),
            ciphertext: Vec::from(sealed.ciphertext).into(),
        })
    }
}

impl fmt::Debug for HpkePublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HpkePublicKey")
    }
}

/// What [`HpkePublicKey::seal`] gives.
#[derive(Clone, PartialEq, Eq)]
pub struct HpkeSealed {
    /// The encapsulated key, 1,120 bytes.
    pub enc: Bytes,
    /// The ciphertext with its tag.
    pub ciphertext: Bytes,
}

impl fmt::Debug for HpkeSealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HpkeSealed")
    }
}

/// A private key with its public one.
pub struct HpkeKeyPair {
    private: Secret<32>,
    public: HpkePublicKey,
}

impl HpkeKeyPair {
    /// A fresh one.
    ///
    /// # Errors
    /// [`Code::Internal`] only if the library lacks the suite.
    pub fn generate() -> Result<Self> {
        Self::from_seed(&Secret::random())
    }

    /// The pair of a seed (RFC 9180's DeriveKeyPair), so that 32 bytes are enough to keep both halves.
    ///
    /// # Errors
    /// [`Code::Internal`] only if the library lacks the suite.
    pub fn from_seed(seed: &Secret<32>) -> Result<Self> {
        let internal = Error::new(Code::Internal);
        let pair = CRYPTO
            .derive_hpke_keypair(config(), seed.expose())
            .map_err(|_| internal)?;
        Self::from_parts(&pair.private, &pair.public).map_err(|_| internal)
    }

    /// From a store.
    ///
    /// # Errors
    /// [`Code::RequestMalformed`] when a length is wrong. That the two belong together is not checked.
    pub fn from_parts(private: &[u8], public: &[u8]) -> Result<Self> {
        Ok(Self {
            private: Secret::from_slice(private)?,
            public: HpkePublicKey::from_slice(public)?,
        })
    }

    /// The private key, 32 bytes, to be stored.
    pub const fn private(&self) -> &Secret<32> {
        &self.private
    }

    /// The public key.
    pub const fn public(&self) -> &HpkePublicKey {
        &self.public
    }

    /// Opens what was sealed to the public key under the same `info` and `aad`.
    ///
    /// # Errors
    /// [`Code::ItemMalformed`] when anything differs.
    pub fn open(
        &self,
        info: &[u8],
        aad: &[u8],
        enc: &[u8],
        ciphertext: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>> {
        if enc.len() != HPKE_ENC_BYTES {
            return Err(Code::ItemMalformed.into());
        }
        let sealed = HpkeCiphertext {
            kem_output: enc.to_vec().into(),
            ciphertext: ciphertext.to_vec().into(),
        };
        CRYPTO
            .hpke_open(config(), &sealed, self.private.expose(), info, aad)
            .map(Zeroizing::new)
            .map_err(|_| Code::ItemMalformed.into())
    }
}

impl fmt::Debug for HpkeKeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_the_owner_opens_and_only_in_the_same_context() {
        let owner = HpkeKeyPair::generate().unwrap();
        let sealed = owner.public().seal(b"info", b"aad", b"plaintext").unwrap();
        assert_eq!(sealed.enc.len(), HPKE_ENC_BYTES);
        assert_eq!(sealed.ciphertext.len(), 9 + 16);
        let open = |pair: &HpkeKeyPair, info: &[u8], aad: &[u8]| {
            pair.open(info, aad, &sealed.enc, &sealed.ciphertext)
        };
        assert_eq!(&open(&owner, b"info", b"aad").unwrap()[..], b"plaintext");
        assert!(open(&owner, b"other", b"aad").is_err());
        assert!(open(&owner, b"info", b"other").is_err());
        assert!(open(&HpkeKeyPair::generate().unwrap(), b"info", b"aad").is_err());
    }

    #[test]
    fn a_seed_gives_the_same_pair_again() {
        let seed = Secret::random();
        let pair = HpkeKeyPair::from_seed(&seed).unwrap();
        let again = HpkeKeyPair::from_seed(&seed).unwrap();
        assert_eq!(pair.public(), again.public());
        let sealed = pair.public().seal(b"", b"", b"plaintext").unwrap();
        let opened = again.open(b"", b"", &sealed.enc, &sealed.ciphertext);
        assert_eq!(&opened.unwrap()[..], b"plaintext");
    }

    #[test]
    fn a_stored_pair_still_opens() {
        let owner = HpkeKeyPair::generate().unwrap();
        let sealed = owner.public().seal(b"", b"", b"plaintext").unwrap();
        let stored =
            HpkeKeyPair::from_parts(owner.private().expose(), owner.public().as_bytes()).unwrap();
        assert_eq!(
            &stored
                .open(b"", b"", &sealed.enc, &sealed.ciphertext)
                .unwrap()[..],
            b"plaintext"
        );
    }

    #[test]
    fn damage_is_refused_and_wrong_lengths_never_panic() {
        let owner = HpkeKeyPair::generate().unwrap();
        let sealed = owner.public().seal(b"", b"", b"plaintext").unwrap();
        for index in [0, 500, HPKE_ENC_BYTES - 1] {
            let mut enc = sealed.enc.to_vec();
            enc[index] ^= 1;
            assert!(owner.open(b"", b"", &enc, &sealed.ciphertext).is_err());
        }
        for length in [0, 1, 15, 16, 24] {
            assert!(
                owner
                    .open(b"", b"", &sealed.enc, &sealed.ciphertext[..length])
                    .is_err()
            );
        }
        assert!(
            owner
                .open(b"", b"", &sealed.enc[1..], &sealed.ciphertext)
                .is_err()
        );
        assert!(HpkePublicKey::from_slice(&[0; 1215]).is_err());
        let nonsense = HpkePublicKey::from_slice(&[0xff; 1216]).unwrap();
        assert_eq!(
            nonsense.seal(b"", b"", b"x").unwrap_err().code,
            Code::RequestMalformed
        );
    }
}
