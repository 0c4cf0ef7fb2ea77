//! Linking a device: what two devices of one person say to each other before they share an account. docs/protocol.md section 8.
//!
//! The new device shows a code. It holds a key that no server sees, and a commitment to an HPKE key and a nonce. The old device offers a
//! key and a nonce of its own; only then the new one reveals what it committed to. So neither side, nor anybody between them, chose its
//! part knowing the other's, and the six words that both show say the same only if both saw the same: whoever stands between them has
//! one guess in 2^66. Nothing of the account is said before a person has compared them on both sides.
//!
//! What must stay true: the account's keys are sealed to a key that was compared; the new device takes them only from whoever could
//! read its answer secret, which was sealed to the other key that was compared.

mod messages;
mod words;

use openmls_rust_crypto::RustCrypto;
use prost::Message as _;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use undertone_wire::{
    client_proto as proto,
    hpke::{HpkeKeyPair, HpkePublicKey},
    ids::random_bytes,
    secrets::{AddressSecret, DeviceCodeKey, KpKey, Secret},
    strings::DeviceCode,
};
use zeroize::Zeroizing;

pub use messages::{LinkMessage, LinkSide, open_message, seal_message};
pub use words::comparison_words;

use crate::{
    DeviceId, DeviceSigningKey, Error, Result,
    derive::{self, hkdf, put_part},
};

const CONFIRM_INFO: &[u8] = b"undertone/1 link confirm";
const PROVISION_INFO: &[u8] = b"undertone/1 link provision";
/// Bytes of a nonce.
pub const NONCE_BYTES: usize = 32;

/// One side's key pair and nonce for one pairing.
pub struct PairingKeys {
    pair: HpkeKeyPair,
    nonce: [u8; NONCE_BYTES],
}

impl PairingKeys {
    /// Fresh ones.
    ///
    /// # Errors
    /// [`Error::Library`].
    pub fn generate() -> Result<Self> {
        Ok(Self {
            pair: HpkeKeyPair::generate().map_err(|_| Error::Library("hpke key"))?,
            nonce: random_bytes(),
        })
    }

    /// From the encrypted store.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when a length is wrong.
    pub fn from_parts(private: &[u8], public: &[u8], nonce: &[u8]) -> Result<Self> {
        let corrupt = || Error::Corrupt("pairing keys");
        Ok(Self {
            pair: HpkeKeyPair::from_parts(private, public).map_err(|_| corrupt())?,
            nonce: nonce.try_into().map_err(|_| corrupt())?,
        })
    }

    /// The private half, for the encrypted store only.
    pub fn private(&self) -> &Secret<32> {
        self.pair.private()
    }

    /// What the other side is told.
    pub fn public(&self) -> PairingPublic {
        PairingPublic {
            key: self.pair.public().clone(),
            nonce: self.nonce,
        }
    }
}

/// What one side of a pairing tells the other.
#[derive(Clone, PartialEq, Eq)]
pub struct PairingPublic {
    /// X25519 + ML-KEM-768.
    pub key: HpkePublicKey,
    /// Random.
    pub nonce: [u8; NONCE_BYTES],
}

impl PairingPublic {
    /// From outside, or from the store.
    ///
    /// # Errors
    /// [`Error::Malformed`] when a length is wrong.
    pub fn from_parts(key: &[u8], nonce: &[u8]) -> Result<Self> {
        let malformed = || Error::Malformed("pairing key");
        Ok(Self {
            key: HpkePublicKey::from_slice(key).map_err(|_| malformed())?,
            nonce: nonce.try_into().map_err(|_| malformed())?,
        })
    }

    /// What a code holds in their place: SHA-256 over the key and the nonce.
    pub fn commitment(&self) -> [u8; 32] {
        let mut message = b"undertone/1 link commitment".to_vec();
        put_part(&mut message, self.key.as_bytes());
        put_part(&mut message, &self.nonce);
        undertone_wire::ids::sha256(&message)
    }
}

/// All that the two devices said before the words, hashed. Two sides with the same one saw the same.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Transcript([u8; 32]);

impl Transcript {
    /// Over the code, the old device's offer and what the new device revealed.
    ///
    /// # Errors
    /// [`Error::Refused`] when what was revealed is not what the code committed to.
    pub fn new(code: &DeviceCode, old: &PairingPublic, new: &PairingPublic) -> Result<Self> {
        if !bool::from(new.commitment().ct_eq(&code.commitment)) {
            return Err(Error::Malformed("commitment"));
        }
        let mut digest = Sha256::new();
        let mut put = |part: &[u8]| {
            let mut framed = Vec::with_capacity(part.len() + 2);
            put_part(&mut framed, part);
            digest.update(&framed);
        };
        put(b"undertone/1 link transcript");
        put(code.server.origin.to_string().as_bytes());
        put(code.server.pin.as_bytes());
        put(code.address.expose());
        put(code.key.expose());
        put(&code.commitment);
        put(&code.expires_s.to_be_bytes());
        put(old.key.as_bytes());
        put(&old.nonce);
        put(new.key.as_bytes());
        put(&new.nonce);
        Ok(Self(digest.finalize().into()))
    }

    /// From the store.
    ///
    /// # Errors
    /// [`Error::Corrupt`].
    pub fn from_slice(bytes: &[u8]) -> Result<Self> {
        bytes
            .try_into()
            .map(Self)
            .map_err(|_| Error::Corrupt("transcript"))
    }

    /// For the store.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The six words that both sides show.
    pub fn words(&self) -> String {
        comparison_words(&self.0)
    }

    /// The new device says that the words are the same there: its answer secret, sealed to the old device.
    ///
    /// # Errors
    /// [`Error::Malformed`] when the old device's key is none.
    pub fn seal_confirm(
        &self,
        old: &PairingPublic,
        answer: &Secret<32>,
    ) -> Result<proto::LinkSealed> {
        seal(old, CONFIRM_INFO, &self.0, answer.expose())
    }

    /// The old device reads it.
    ///
    /// # Errors
    /// [`Error::Malformed`] when it is not for this pairing.
    pub fn open_confirm(
        &self,
        keys: &PairingKeys,
        sealed: &proto::LinkSealed,
    ) -> Result<Secret<32>> {
        let plain = open(keys, CONFIRM_INFO, &self.0, sealed)?;
        Secret::from_slice(&plain).map_err(|_| Error::Malformed("confirmation"))
    }

    /// The old device hands over the account.
    ///
    /// # Errors
    /// [`Error::Malformed`] when the new device's key is none.
    pub fn seal_provisioning(
        &self,
        new: &PairingPublic,
        answer: &Secret<32>,
        account: &Provisioning,
    ) -> Result<proto::LinkSealed> {
        let plain = proto::Provisioning {
            answer: answer.to_bytes(),
            signing_key: account.signing_key.to_secret_bytes().to_vec().into(),
            name: account.name.clone(),
            invitation: account.invitation.to_vec().into(),
            conversations: account.conversations,
        };
        let plain = Zeroizing::new(plain.encode_to_vec());
        seal(new, PROVISION_INFO, &self.0, &plain)
    }

    /// The new device takes it over, if it comes from whoever read its answer secret.
    ///
    /// # Errors
    /// [`Error::Malformed`] when it is not for this pairing or from somebody else.
    pub fn open_provisioning(
        &self,
        keys: &PairingKeys,
        answer: &Secret<32>,
        sealed: &proto::LinkSealed,
    ) -> Result<Provisioning> {
        let malformed = || Error::Malformed("provisioning");
        let plain = open(keys, PROVISION_INFO, &self.0, sealed)?;
        let read = proto::Provisioning::decode(plain.as_slice())?;
        let echoed = Secret::<32>::from_slice(&read.answer).map_err(|_| malformed())?;
        if echoed != *answer {
            return Err(malformed());
        }
        Ok(Provisioning {
            signing_key: DeviceSigningKey::from_secret_bytes(&read.signing_key)
                .map_err(|_| malformed())?,
            name: read.name,
            invitation: read.invitation[..].try_into().map_err(|_| malformed())?,
            conversations: read.conversations,
        })
    }
}

/// What makes a device one of an account's.
pub struct Provisioning {
    /// Certifies the new device, and further ones.
    pub signing_key: DeviceSigningKey,
    /// What the person goes by.
    pub name: String,
    /// Registers one queue.
    pub invitation: [u8; 16],
    /// The account's conversations: so many key packages will be needed.
    pub conversations: u32,
}

/// Where a new device's key packages are.
pub struct LinkPool {
    /// The new device.
    pub device: DeviceId,
    /// Its pool's address.
    pub address: AddressSecret,
    /// Opens what is in it.
    pub kp_key: KpKey,
}

/// For those who know the answer secret: the two devices.
///
/// # Errors
/// [`Error::Library`].
pub fn seal_pool(answer: &Secret<32>, pool: &LinkPool) -> Result<Vec<u8>> {
    let plain = proto::LinkPool {
        device_id: pool.device.as_bytes().to_vec().into(),
        address_secret: pool.address.to_bytes(),
        kp_key: pool.kp_key.to_bytes(),
    };
    let plain = Zeroizing::new(plain.encode_to_vec());
    let key = hkdf(answer.expose(), "link ready");
    derive::seal(&RustCrypto::default(), &key, &[], &plain)
}

/// Opens [`seal_pool`].
///
/// # Errors
/// [`Error::Malformed`] when it is from somebody else.
pub fn open_pool(answer: &Secret<32>, sealed: &[u8]) -> Result<LinkPool> {
    let malformed = || Error::Malformed("pool");
    let key = hkdf(answer.expose(), "link ready");
    let plain = derive::open(&RustCrypto::default(), &key, &[], sealed).ok_or_else(malformed)?;
    let pool = proto::LinkPool::decode(plain.as_slice())?;
    Ok(LinkPool {
        device: DeviceId::from_slice(&pool.device_id)?,
        address: AddressSecret::from_slice(&pool.address_secret).map_err(|_| malformed())?,
        kp_key: KpKey::from_slice(&pool.kp_key).map_err(|_| malformed())?,
    })
}

fn seal(
    to: &PairingPublic,
    info: &[u8],
    transcript: &[u8; 32],
    plain: &[u8],
) -> Result<proto::LinkSealed> {
    let sealed = to
        .key
        .seal(info, transcript, plain)
        .map_err(|_| Error::Malformed("pairing key"))?;
    Ok(proto::LinkSealed {
        enc: sealed.enc,
        sealed: sealed.ciphertext,
    })
}

fn open(
    keys: &PairingKeys,
    info: &[u8],
    transcript: &[u8; 32],
    sealed: &proto::LinkSealed,
) -> Result<Zeroizing<Vec<u8>>> {
    keys.pair
        .open(info, transcript, &sealed.enc, &sealed.sealed)
        .map_err(|_| Error::Malformed("sealed for another pairing"))
}

/// A code for a new device with these keys.
pub fn device_code(
    server: undertone_wire::origin::ServerAddress,
    address: AddressSecret,
    key: DeviceCodeKey,
    keys: &PairingKeys,
    expires_s: u64,
) -> DeviceCode {
    DeviceCode {
        server,
        address,
        key,
        commitment: keys.public().commitment(),
        expires_s,
    }
}

#[cfg(test)]
mod tests;
