//! How blocks and manifests are sealed: deflate, pad to a size class, AES-256-GCM under the key of a run.

use std::io::{Read as _, Write as _};

use aes_gcm::{
    Aes256Gcm, KeyInit,
    aead::{Aead, Payload},
};
use flate2::{Compression, read::DeflateDecoder, write::DeflateEncoder};
use undertone_wire::{
    hpke::{HpkeKeyPair, HpkePublicKey},
    ids::random_bytes,
    padding::blob_size,
    secrets::Secret,
};
use zeroize::Zeroizing;

use crate::error::{Reason, Result};

const NONCE: usize = 12;
const TAG: usize = 16;
/// The most that one block may grow to when it is opened.
const LARGEST: u64 = 1 << 30;
const RUN: &[u8] = b"undertone/1 backup run";

/// The key of one run. It writes blocks, and is sealed and forgotten.
pub(crate) struct RunKey(Secret<32>);

/// A run as the manifest's head has it.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct SealedRun {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) id: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) enc: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    pub(crate) sealed: Vec<u8>,
}

impl RunKey {
    pub(crate) fn random() -> Self {
        Self(Secret::random())
    }

    /// Seals the key to the account's backup key.
    pub(crate) fn sealed_to(&self, key: &HpkePublicKey, set: &[u8; 16]) -> Result<SealedRun> {
        let id: [u8; 16] = random_bytes();
        let sealed = key.seal(RUN, &[&set[..], &id[..]].concat(), self.0.expose())?;
        Ok(SealedRun {
            id: id.to_vec(),
            enc: sealed.enc.to_vec(),
            sealed: sealed.ciphertext.to_vec(),
        })
    }

    /// Opens a run's key with the phrase's pair.
    pub(crate) fn open(run: &SealedRun, pair: &HpkeKeyPair, set: &[u8]) -> Result<Self> {
        let opened = pair
            .open(RUN, &[set, &run.id[..]].concat(), &run.enc, &run.sealed)
            .map_err(|_| Reason::PhraseWrong)?;
        Ok(Self(
            Secret::from_slice(&opened).map_err(|_| Reason::BackupDamaged)?,
        ))
    }

    /// `nonce || AES-256-GCM(length || deflated || zeros)`.
    pub(crate) fn seal(&self, what: &[u8], plaintext: &[u8]) -> Result<Vec<u8>> {
        let packed = pack(plaintext)?;
        let nonce: [u8; NONCE] = random_bytes();
        let sealed = self
            .cipher()
            .encrypt(
                &nonce.into(),
                Payload {
                    msg: &packed,
                    aad: what,
                },
            )
            .map_err(|_| Reason::BackupDamaged)?;
        Ok([&nonce[..], &sealed[..]].concat())
    }

    /// Opens it.
    pub(crate) fn unseal(&self, what: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        let (nonce, ciphertext) = sealed
            .split_first_chunk::<NONCE>()
            .ok_or(Reason::BackupDamaged)?;
        let packed = self
            .cipher()
            .decrypt(
                &(*nonce).into(),
                Payload {
                    msg: ciphertext,
                    aad: what,
                },
            )
            .map_err(|_| Reason::BackupDamaged)?;
        unpack(&Zeroizing::new(packed))
    }

    fn cipher(&self) -> Aes256Gcm {
        Aes256Gcm::new(self.0.expose().into())
    }
}

/// Deflated and padded, so that its length says little: the same classes as files on a server.
pub(crate) fn pack(plaintext: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
    let deflated = deflate(plaintext)?;
    let length = u32::try_from(deflated.len()).map_err(|_| Reason::BackupDamaged)?;
    let whole = blob_size(u64::from(length) + 4 + (NONCE + TAG) as u64)
        .and_then(|size| usize::try_from(size).ok())
        .ok_or(Reason::BackupDamaged)?;
    let mut packed = Zeroizing::new(Vec::with_capacity(whole));
    packed.extend_from_slice(&length.to_be_bytes());
    packed.extend_from_slice(&deflated);
    packed.resize(whole - NONCE - TAG, 0);
    Ok(packed)
}

/// Reads [`pack`] back.
pub(crate) fn unpack(packed: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
    let damaged = || Reason::BackupDamaged;
    let (length, rest) = packed.split_first_chunk::<4>().ok_or_else(damaged)?;
    let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| damaged())?;
    let (deflated, padding) = rest.split_at_checked(length).ok_or_else(damaged)?;
    if padding.iter().any(|byte| *byte != 0) {
        return Err(damaged().into());
    }
    inflate(deflated)
}

pub(crate) fn deflate(plaintext: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
    let failed = |_| Reason::BackupDamaged;
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(plaintext).map_err(failed)?;
    Ok(Zeroizing::new(encoder.finish().map_err(failed)?))
}

/// Reads [`deflate`] back.
pub(crate) fn inflate(deflated: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
    let mut plaintext = Zeroizing::new(Vec::new());
    let read = DeflateDecoder::new(deflated)
        .take(LARGEST)
        .read_to_end(&mut plaintext)
        .map_err(|_| Reason::BackupDamaged)?;
    if read as u64 >= LARGEST {
        return Err(Reason::BackupDamaged.into());
    }
    Ok(plaintext)
}
