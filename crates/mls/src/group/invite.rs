//! Asking to be let in by a link: a key package, sealed to the device that made the link.
//!
//! Two layers, as around a request to come back: HPKE to the device's X25519 key, which only it can open, inside AES-256-GCM under a key of
//! the link's secret. So who does not have the link can't ask, and who records now and computes later has the link's secret to find
//! first. The key package is signed by the asking device and carries its certificate; nothing else is said.

use openmls_rust_crypto::RustCrypto;
use openmls_traits::{OpenMlsProvider as _, crypto::OpenMlsCrypto as _, types::HpkeCiphertext};
use undertone_wire::{client_proto::SealedRequest, secrets::LinkSecret};

use super::resync::HPKE;
use crate::{
    DeviceKeys, Error, PeerKeyPackage, Provider, Result,
    derive::{hkdf, open as aead_open, seal as aead_seal},
};

const INFO: &[u8] = b"undertone/1 join";
const KEY: &str = "join hpke";
const OUTER: &str = "join seal";

/// The X25519 key that requests by this device's links are sealed to; derived from the device's key.
///
/// # Errors
/// [`Error::Library`].
pub fn public_key(device: &DeviceKeys) -> Result<[u8; 32]> {
    RustCrypto::default()
        .derive_hpke_keypair(HPKE, hkdf(device.resync_seed().as_slice(), KEY).as_slice())
        .ok()
        .and_then(|pair| pair.public.as_slice().try_into().ok())
        .ok_or(Error::Library("hpke"))
}

/// Seals a key package for the device that made a link.
///
/// # Errors
/// [`Error::Library`].
pub fn ask(
    provider: &Provider<'_>,
    key_package: &[u8],
    to: &[u8; 32],
    secret: &LinkSecret,
) -> Result<SealedRequest> {
    let inner = provider
        .crypto()
        .hpke_seal(HPKE, to, INFO, &[], key_package)
        .map_err(|_| Error::Library("hpke"))?;
    let key = hkdf(secret.expose(), OUTER);
    Ok(SealedRequest {
        enc: inner.kem_output.as_slice().to_vec().into(),
        sealed: aead_seal(provider.crypto(), &key, INFO, inner.ciphertext.as_slice())?.into(),
    })
}

/// Opens a request by one of this device's links, and checks the key package in full.
///
/// # Errors
/// [`Error::Sealed`], [`Error::Malformed`], [`Error::Refused`].
pub fn open(
    provider: &Provider<'_>,
    device: &DeviceKeys,
    secret: &LinkSecret,
    sealed: &SealedRequest,
) -> Result<PeerKeyPackage> {
    let key = hkdf(secret.expose(), OUTER);
    let ciphertext =
        aead_open(provider.crypto(), &key, INFO, &sealed.sealed).ok_or(Error::Sealed)?;
    let pair = provider
        .crypto()
        .derive_hpke_keypair(HPKE, hkdf(device.resync_seed().as_slice(), KEY).as_slice())
        .map_err(|_| Error::Library("hpke"))?;
    let inner = HpkeCiphertext {
        kem_output: sealed.enc.to_vec().into(),
        ciphertext: ciphertext.to_vec().into(),
    };
    let key_package = provider
        .crypto()
        .hpke_open(HPKE, &inner, &pair.private, INFO, &[])
        .map_err(|_| Error::Sealed)?;
    PeerKeyPackage::decode(provider, &key_package)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::tests::town::{Town, provider_of};
    use super::*;

    #[test]
    fn a_request_opens_for_its_device_with_its_link_only() {
        let mut town = Town::default();
        let [ada, ben, cy] = town.people(["Ada", "Ben", "Cy"]);
        let package = town.key_package(cy, false).encode().unwrap();
        let secret = LinkSecret::random();
        let to = public_key(&town.devices[ada].keys).unwrap();
        let provider = provider_of(&town.devices[cy].connection);
        let sealed = ask(&provider, &package, &to, &secret).unwrap();
        let opened = |who: usize, secret: &LinkSecret, sealed: &SealedRequest| {
            let device = &town.devices[who];
            open(
                &provider_of(&device.connection),
                &device.keys,
                secret,
                sealed,
            )
        };
        let found = opened(ada, &secret, &sealed).unwrap();
        assert_eq!(found.account_id(), town.account(cy));
        assert!(opened(ben, &secret, &sealed).is_err());
        assert!(opened(ada, &LinkSecret::random(), &sealed).is_err());
        for byte in 0..sealed.sealed.len().min(200) {
            let mut bent = sealed.clone();
            let mut bytes = bent.sealed.to_vec();
            bytes[byte] ^= 1;
            bent.sealed = bytes.into();
            assert!(opened(ada, &secret, &bent).is_err());
        }
        // What is no key package, however well it is sealed.
        let nothing = ask(&provider, b"let me in", &to, &secret).unwrap();
        assert!(opened(ada, &secret, &nothing).is_err());
    }
}
