//! The few derivations of docs/protocol.md: HKDF with a label, and AES-256-GCM under a random nonce.

use hkdf::Hkdf;
use openmls_rust_crypto::RustCrypto;
use openmls_traits::{crypto::OpenMlsCrypto as _, types::AeadType};
use sha2::Sha256;
use undertone_wire::ids::random_bytes;
use zeroize::Zeroizing;

use crate::{Error, Result};

/// Bytes of an AES-GCM nonce.
pub(crate) const NONCE: usize = 12;

/// `HKDF(secret, label)`: HKDF-SHA-256 with empty salt and `info = "undertone/1 " || label`, 32 bytes out.
pub(crate) fn hkdf(secret: &[u8], label: &str) -> Zeroizing<[u8; 32]> {
    let mut out = Zeroizing::new([0u8; 32]);
    // 32 bytes are within HKDF's limit of 255 hashes, so this cannot fail.
    let _ = Hkdf::<Sha256>::new(None, secret)
        .expand_multi_info(&[b"undertone/1 ", label.as_bytes()], out.as_mut_slice());
    out
}

/// `nonce(12) || AES-256-GCM`.
pub(crate) fn seal(
    crypto: &RustCrypto,
    key: &[u8; 32],
    aad: &[u8],
    plaintext: &[u8],
) -> Result<Vec<u8>> {
    let nonce: [u8; NONCE] = random_bytes();
    let sealed = crypto
        .aead_encrypt(AeadType::Aes256Gcm, key, plaintext, &nonce, aad)
        .map_err(|_| Error::Library("aead"))?;
    Ok([&nonce[..], &sealed[..]].concat())
}

/// Opens [`seal`]; `None` when it is not for this key and context.
pub(crate) fn open(
    crypto: &RustCrypto,
    key: &[u8; 32],
    aad: &[u8],
    sealed: &[u8],
) -> Option<Zeroizing<Vec<u8>>> {
    let (nonce, ciphertext) = sealed.split_first_chunk::<NONCE>()?;
    crypto
        .aead_decrypt(AeadType::Aes256Gcm, key, ciphertext, nonce, aad)
        .ok()
        .map(Zeroizing::new)
}

/// A variable-length part of a signed or hashed string: 16-bit length, then the bytes.
pub(crate) fn put_part(into: &mut Vec<u8>, part: &[u8]) {
    // Group ids and encoded certificates, all far below 64 KiB.
    let length = u16::try_from(part.len()).unwrap_or(u16::MAX);
    into.extend_from_slice(&length.to_be_bytes());
    into.extend_from_slice(part);
}
