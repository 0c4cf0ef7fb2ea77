//! What travels to other servers. See docs/protocol.md section 10.
//!
//! Two seals lie around each other. An app seals a [`Bundle`] to the other server: the addresses there, good for one payload.
//! The app's or conversation's server puts it, the payload and what its channel says of it into a parcel, sealed again to the other
//! server before it is written down. So the one in between learns no address of the other, and its disk nothing at all.
//!
//! A [`ServerKey`] is signed by the identity key that a server's pin stands for; who handed it over does not matter.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use bytes::Bytes;
use prost::Message as _;

use crate::{
    Code, Error, Result,
    auth::{self, SIGNATURE_BYTES, VERIFYING_KEY_BYTES},
    hpke::{HpkeKeyPair, HpkePublicKey},
    ids::{AddressHash, Pin, random_bytes, sha256},
    limits,
    origin::ServerAddress,
    padding, proto,
    request::{AddressRename, encode, parse},
    response::{ItemKind, QueueItem},
    secrets::{AddressSecret, Secret},
};

/// DER before the 32 bytes of an Ed25519 key in a SubjectPublicKeyInfo (RFC 8410).
const SPKI_ED25519: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];
const BUNDLE_INFO: &[u8] = b"undertone/1 bundle";
const PARCEL_INFO: &[u8] = b"undertone/1 parcel";
const NONCE_BYTES: usize = 12;
/// An encoded [`ServerKey`].
const SERVER_KEY_BYTES: usize = 2048;
/// Every bundle's parcel has this much around it, or a little less.
const PARCEL_OVERHEAD: usize = 4096;

/// Names one of a server's HPKE keys.
pub type ServerKeyId = [u8; 8];

/// Names a parcel, so that it counts once.
pub type ParcelId = [u8; 16];

/// A key that bundles and parcels for one server are sealed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerKey {
    hpke: HpkePublicKey,
    last_day: u32,
    identity: [u8; VERIFYING_KEY_BYTES],
    signature: [u8; SIGNATURE_BYTES],
}

fn malformed() -> Error {
    Error::new(Code::ServerKeyMalformed)
}

impl ServerKey {
    /// What the identity key signs.
    pub fn signed_message(hpke: &HpkePublicKey, last_day: u32) -> Vec<u8> {
        [
            b"undertone/1 server key".as_slice(),
            &last_day.to_be_bytes(),
            hpke.as_bytes(),
        ]
        .concat()
    }

    /// From its parts; [`Self::check`] says whether they belong together.
    pub const fn new(
        hpke: HpkePublicKey,
        last_day: u32,
        identity: [u8; VERIFYING_KEY_BYTES],
        signature: [u8; SIGNATURE_BYTES],
    ) -> Self {
        Self {
            hpke,
            last_day,
            identity,
            signature,
        }
    }

    /// Whether it is that server's, and good on this day.
    ///
    /// # Errors
    /// [`Code::ServerKeyMalformed`].
    pub fn check(&self, pin: &Pin, today: u32) -> Result<()> {
        if pin_of(&self.identity) != *pin || today > self.last_day {
            return Err(malformed());
        }
        let message = Self::signed_message(&self.hpke, self.last_day);
        auth::verify(&self.identity, &message, &self.signature).map_err(|_| malformed())
    }

    /// The server that it says it is of.
    pub fn pin(&self) -> Pin {
        pin_of(&self.identity)
    }

    /// Its name.
    pub fn id(&self) -> ServerKeyId {
        id_of(&self.hpke)
    }

    /// UTC day until which it may be sealed to.
    pub const fn last_day(&self) -> u32 {
        self.last_day
    }

    fn to_proto(&self) -> proto::ServerKey {
        proto::ServerKey {
            hpke_key: self.hpke.to_bytes(),
            last_day: self.last_day,
            identity_key: Bytes::copy_from_slice(&self.identity),
            signature: Bytes::copy_from_slice(&self.signature),
        }
    }

    fn from_proto(key: proto::ServerKey) -> Result<Self> {
        Ok(Self {
            hpke: HpkePublicKey::from_slice(&key.hpke_key).map_err(|_| malformed())?,
            last_day: key.last_day,
            identity: parse::array(&key.identity_key).map_err(|_| malformed())?,
            signature: parse::array(&key.signature).map_err(|_| malformed())?,
        })
    }

    /// As `GET /v1/key` gives it.
    pub fn encode(&self) -> Vec<u8> {
        self.to_proto().encode_to_vec()
    }

    /// From bytes from outside.
    ///
    /// # Errors
    /// [`Code::ServerKeyMalformed`].
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        if bytes.len() > SERVER_KEY_BYTES {
            return Err(malformed());
        }
        Self::from_proto(proto::ServerKey::decode(bytes).map_err(|_| malformed())?)
    }
}

/// The name of an HPKE key.
pub fn id_of(key: &HpkePublicKey) -> ServerKeyId {
    let mut id = ServerKeyId::default();
    id.copy_from_slice(&sha256(key.as_bytes())[..8]);
    id
}

/// The addresses on one other server that a send goes to, sealed to that server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    /// Which.
    pub server: ServerAddress,
    /// What it is sealed to.
    pub key: ServerKey,
    enc: Bytes,
    sealed: Bytes,
}

impl Bundle {
    /// Seals the addresses for one payload.
    ///
    /// # Errors
    /// [`Code::RequestMalformed`] when the server's key is no usable one.
    pub fn seal(
        server: ServerAddress,
        key: ServerKey,
        payload: &[u8],
        addresses: &[AddressSecret],
        renames: &[AddressRename],
    ) -> Result<Self> {
        let content = proto::BundleContent {
            payload_hash: sha256(payload).to_vec().into(),
            address_secrets: encode::secrets(addresses),
            renames: encode::renames(renames),
        };
        let padded = padding::pad_in_steps(&content.encode_to_vec());
        let sealed = key.hpke.seal(BUNDLE_INFO, server.pin.as_bytes(), &padded)?;
        Ok(Self {
            server,
            key,
            enc: sealed.enc,
            sealed: sealed.ciphertext,
        })
    }

    /// What it weighs, in bytes.
    #[expect(clippy::len_without_is_empty, reason = "it never is")]
    pub const fn len(&self) -> usize {
        self.enc.len() + self.sealed.len() + PARCEL_OVERHEAD
    }

    pub(crate) fn to_proto(&self) -> proto::Bundle {
        proto::Bundle {
            origin: self.server.origin.to_string(),
            pin: self.server.pin.to_bytes(),
            key: Some(self.key.to_proto()),
            enc: self.enc.clone(),
            sealed: self.sealed.clone(),
        }
    }

    /// From outside.
    ///
    /// # Errors
    /// [`Code::RequestMalformed`].
    pub fn parse(bundle: proto::Bundle) -> Result<Self> {
        let wrong = Error::new(Code::RequestMalformed);
        if bundle.enc.len() != limits::HPKE_ENC_BYTES {
            return Err(wrong);
        }
        Ok(Self {
            server: ServerAddress {
                origin: bundle.origin.parse().map_err(|_| wrong)?,
                pin: Pin::from_slice(&bundle.pin)?,
            },
            key: ServerKey::from_proto(bundle.key.ok_or(wrong)?).map_err(|_| wrong)?,
            enc: bundle.enc,
            sealed: bundle.sealed,
        })
    }
}

/// What a parcel needs of the other server's key, made ahead: the rest costs a symmetric seal only.
pub struct Wrapping {
    key_id: ServerKeyId,
    enc: Bytes,
    sealed_key: Bytes,
    key: Secret<32>,
    bundle_enc: Bytes,
    bundle_sealed: Bytes,
}

impl Wrapping {
    /// For one bundle's parcel.
    ///
    /// # Errors
    /// [`Code::RequestMalformed`] when the server's key is no usable one.
    pub fn new(bundle: &Bundle) -> Result<Self> {
        let key = Secret::random();
        let sealed =
            bundle
                .key
                .hpke
                .seal(PARCEL_INFO, bundle.server.pin.as_bytes(), key.expose())?;
        // Copied out of the frame, which would be kept whole in memory as long as this.
        Ok(Self {
            key_id: bundle.key.id(),
            enc: sealed.enc,
            sealed_key: sealed.ciphertext,
            key,
            bundle_enc: Bytes::copy_from_slice(&bundle.enc),
            bundle_sealed: Bytes::copy_from_slice(&bundle.sealed),
        })
    }

    /// What the parcel of a payload of this length will weigh at most.
    pub const fn parcel_bytes(&self, payload: usize) -> usize {
        let content = self.bundle_enc.len() + self.bundle_sealed.len() + payload;
        content + content / 8 + PARCEL_OVERHEAD
    }

    /// Seals the parcel. The nonce is random, since a transaction that is rolled back leads to a second one under the same key.
    ///
    /// # Errors
    /// [`Code::Internal`] only if the library fails.
    pub fn seal(&self, parcel: &ParcelId, item: proto::QueueItem) -> Result<Vec<u8>> {
        let content = proto::ParcelContent {
            parcel_id: Bytes::copy_from_slice(parcel),
            item: Some(item),
            bundle_enc: self.bundle_enc.clone(),
            bundle_sealed: self.bundle_sealed.clone(),
        };
        let mut padded = padding::pad_in_steps(&content.encode_to_vec());
        let nonce = random_bytes::<NONCE_BYTES>();
        aead(&self.key)?
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::empty(),
                &mut padded,
            )
            .map_err(|_| Error::new(Code::Internal))?;
        Ok(proto::Parcel {
            key_id: Bytes::copy_from_slice(&self.key_id),
            enc: self.enc.clone(),
            sealed_key: self.sealed_key.clone(),
            sealed: [&nonce[..], &padded].concat().into(),
        }
        .encode_to_vec())
    }
}

fn aead(key: &Secret<32>) -> Result<LessSafeKey> {
    UnboundKey::new(&AES_256_GCM, key.expose())
        .map(LessSafeKey::new)
        .map_err(|_| Code::Internal.into())
}

/// What another server brought, opened.
#[derive(Debug, PartialEq, Eq)]
pub struct Delivery {
    /// A parcel counts once.
    pub parcel: ParcelId,
    /// What goes into the queues; its address is none, nor does it say by whom it came.
    pub item: QueueItem,
    /// At least one.
    pub addresses: Vec<AddressSecret>,
    /// Done after the item is queued, if it is a commit.
    pub renames: Vec<AddressRename>,
}

/// Who brings parcels: the identity key of the server that says it, and its signature over what it brings to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bearer {
    identity: [u8; VERIFYING_KEY_BYTES],
    signature: [u8; SIGNATURE_BYTES],
}

impl Bearer {
    /// From its parts.
    pub const fn new(
        identity: [u8; VERIFYING_KEY_BYTES],
        signature: [u8; SIGNATURE_BYTES],
    ) -> Self {
        Self {
            identity,
            signature,
        }
    }

    /// What the identity key signs: who is to have it, and the body.
    pub fn signed_message(to: &Pin, body: &[u8]) -> Vec<u8> {
        [
            b"undertone/1 parcels".as_slice(),
            to.as_bytes(),
            &sha256(body),
        ]
        .concat()
    }

    /// The value of the `Undertone-Server` header.
    pub fn to_header(&self) -> String {
        data_encoding::BASE64URL_NOPAD.encode(&[&self.identity[..], &self.signature].concat())
    }

    /// From a header's value.
    ///
    /// # Errors
    /// [`Code::RequestMalformed`].
    pub fn from_header(text: &str) -> Result<Self> {
        let wrong = Error::new(Code::RequestMalformed);
        let bytes = data_encoding::BASE64URL_NOPAD
            .decode(text.as_bytes())
            .map_err(|_| wrong)?;
        let (identity, signature) = bytes.split_at_checked(VERIFYING_KEY_BYTES).ok_or(wrong)?;
        Ok(Self {
            identity: parse::array(identity)?,
            signature: parse::array(signature)?,
        })
    }

    /// The pin of the server that signed, if it did.
    ///
    /// # Errors
    /// [`Code::AuthSignature`].
    pub fn check(&self, to: &Pin, body: &[u8]) -> Result<Pin> {
        auth::verify(
            &self.identity,
            &Self::signed_message(to, body),
            &self.signature,
        )?;
        Ok(pin_of(&self.identity))
    }
}

/// The pin of an Ed25519 identity key.
pub fn pin_of(identity: &[u8; VERIFYING_KEY_BYTES]) -> Pin {
    Pin::new(sha256(&[&SPKI_ED25519[..], identity].concat()))
}

/// Several parcels in one body, of which each stays as it was sealed.
pub fn gather<'a>(parcels: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut body = Vec::new();
    for parcel in parcels {
        // Field 1 of Parcels, length-delimited.
        body.push(0x0a);
        prost::encoding::encode_varint(parcel.len() as u64, &mut body);
        body.extend_from_slice(parcel);
    }
    body
}

/// The parcels of a body, still sealed.
///
/// # Errors
/// [`Code::RequestMalformed`], [`Code::LimitCount`].
pub fn parcels(body: Bytes) -> Result<Vec<proto::Parcel>> {
    let decoded = proto::Parcels::decode(body).map_err(|_| Error::new(Code::RequestMalformed))?;
    if decoded.parcels.len() > limits::PARCELS_PER_REQUEST {
        return Err(Code::LimitCount.into());
    }
    Ok(decoded.parcels)
}

/// Opens a parcel with the key that it names, if that is known.
///
/// # Errors
/// [`Code::ItemMalformed`] when it is not for this server, or not whole.
pub fn open<'k>(
    parcel: &proto::Parcel,
    pin: &Pin,
    key: impl FnOnce(&ServerKeyId) -> Option<&'k HpkeKeyPair>,
) -> Result<Delivery> {
    let broken = Error::new(Code::ItemMalformed);
    let id: ServerKeyId = parcel.key_id[..].try_into().map_err(|_| broken)?;
    let pair = key(&id).ok_or(broken)?;
    let inner = pair.open(PARCEL_INFO, pin.as_bytes(), &parcel.enc, &parcel.sealed_key)?;
    let inner = Secret::from_slice(&inner).map_err(|_| broken)?;
    let (nonce, sealed) = parcel
        .sealed
        .split_first_chunk::<NONCE_BYTES>()
        .ok_or(broken)?;
    let mut sealed = sealed.to_vec();
    let padded = aead(&inner)?
        .open_in_place(
            Nonce::assume_unique_for_key(*nonce),
            Aad::empty(),
            &mut sealed,
        )
        .map_err(|_| broken)?;
    let content = padding::unpad_steps(padded).map_err(|_| broken)?;
    let content = proto::ParcelContent::decode(content).map_err(|_| broken)?;
    let mut item = content.item.ok_or(broken)?;
    item.address_hash = AddressHash::new([0; 32]).to_bytes();
    let item = QueueItem::parse(item)?;
    if item.kind == ItemKind::Ephemeral
        || item.server.is_some()
        || item.payload.len() > limits::PAYLOAD_BYTES
    {
        return Err(broken);
    }
    let bundle = pair.open(
        BUNDLE_INFO,
        pin.as_bytes(),
        &content.bundle_enc,
        &content.bundle_sealed,
    )?;
    let bundle = padding::unpad_steps(&bundle).map_err(|_| broken)?;
    let bundle = proto::BundleContent::decode(bundle).map_err(|_| broken)?;
    if bundle.payload_hash[..] != sha256(&item.payload) {
        return Err(broken);
    }
    let (addresses, renames) =
        parse::bundled(bundle.address_secrets, bundle.renames).map_err(|_| broken)?;
    if !renames.is_empty() && item.kind != ItemKind::Commit {
        return Err(broken);
    }
    Ok(Delivery {
        parcel: content.parcel_id[..].try_into().map_err(|_| broken)?,
        item,
        addresses,
        renames,
    })
}

#[cfg(test)]
mod tests;
