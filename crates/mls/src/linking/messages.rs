//! What goes over the server between the two: sealed under the code's key, each side under its own label, padded by the item.

use openmls_rust_crypto::RustCrypto;
use prost::Message as _;
use undertone_wire::{
    client_proto::{self as proto, link_message::Body},
    secrets::{AddressSecret, DeviceCodeKey},
};

use super::PairingPublic;
use crate::{
    Error, Result,
    derive::{hkdf, open, seal},
};

/// Who says it: what one side sealed is nothing when it comes back to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkSide {
    /// The device that has the account.
    Old,
    /// The device that is to have it.
    New,
}

impl LinkSide {
    fn aad(self) -> &'static [u8] {
        match self {
            Self::Old => b"undertone/1 link old",
            Self::New => b"undertone/1 link new",
        }
    }
}

/// One message of a pairing.
pub enum LinkMessage {
    /// Old to new: its key and nonce, and where it hears answers.
    Offer {
        /// For this pairing.
        public: PairingPublic,
        /// On the old device's queue.
        reply: AddressSecret,
    },
    /// New to old: what the code committed to.
    Reveal {
        /// For this pairing.
        public: PairingPublic,
        /// What the person calls the new device.
        device_name: String,
    },
    /// New to old: the words were found to be the same there. See [`super::Transcript::open_confirm`].
    Confirm(proto::LinkSealed),
    /// Old to new. See [`super::Transcript::open_provisioning`].
    Provision(proto::LinkSealed),
    /// New to old: it has a queue, and key packages wait there. Under the answer secret too.
    Ready(Vec<u8>),
    /// Either: it comes to nothing.
    End,
}

/// Longest name of a device in bytes.
const NAME_BYTES: usize = 64;

/// Seals a message under the code's key.
///
/// # Errors
/// [`Error::Library`].
pub fn seal_message(key: &DeviceCodeKey, from: LinkSide, message: &LinkMessage) -> Result<Vec<u8>> {
    let body = match message {
        LinkMessage::Offer { public, reply } => Body::Offer(proto::LinkOffer {
            hpke_key: public.key.to_bytes(),
            nonce: public.nonce.to_vec().into(),
            address_secret: reply.to_bytes(),
        }),
        LinkMessage::Reveal {
            public,
            device_name,
        } => Body::Reveal(proto::LinkReveal {
            hpke_key: public.key.to_bytes(),
            nonce: public.nonce.to_vec().into(),
            device_name: device_name.clone(),
        }),
        LinkMessage::Confirm(sealed) => Body::Confirm(sealed.clone()),
        LinkMessage::Provision(sealed) => Body::Provision(sealed.clone()),
        LinkMessage::Ready(sealed) => Body::Ready(proto::LinkReady {
            sealed: sealed.clone().into(),
        }),
        LinkMessage::End => Body::End(proto::LinkEnd {}),
    };
    let plain = proto::LinkMessage { body: Some(body) }.encode_to_vec();
    let key = hkdf(key.expose(), "link message");
    seal(&RustCrypto::default(), &key, from.aad(), &plain)
}

/// Opens what the other side sealed.
///
/// # Errors
/// [`Error::Malformed`] when it is not for this code, not from that side, or nonsense.
pub fn open_message(key: &DeviceCodeKey, from: LinkSide, sealed: &[u8]) -> Result<LinkMessage> {
    let malformed = || Error::Malformed("link message");
    let key = hkdf(key.expose(), "link message");
    let plain = open(&RustCrypto::default(), &key, from.aad(), sealed).ok_or_else(malformed)?;
    let body = proto::LinkMessage::decode(plain.as_slice())?
        .body
        .ok_or_else(malformed)?;
    Ok(match body {
        Body::Offer(offer) => LinkMessage::Offer {
            public: PairingPublic::from_parts(&offer.hpke_key, &offer.nonce)?,
            reply: AddressSecret::from_slice(&offer.address_secret).map_err(|_| malformed())?,
        },
        Body::Reveal(reveal) => LinkMessage::Reveal {
            public: PairingPublic::from_parts(&reveal.hpke_key, &reveal.nonce)?,
            device_name: Some(reveal.device_name)
                .filter(|name| name.len() <= NAME_BYTES && !name.chars().any(char::is_control))
                .ok_or_else(malformed)?,
        },
        Body::Confirm(sealed) => LinkMessage::Confirm(sealed),
        Body::Provision(sealed) => LinkMessage::Provision(sealed),
        Body::Ready(ready) => LinkMessage::Ready(ready.sealed.to_vec()),
        Body::End(proto::LinkEnd {}) => LinkMessage::End,
    })
}
