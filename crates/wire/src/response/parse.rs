//! Bytes from a server become types, or `response.malformed`.

use bytes::Bytes;

use super::{
    Accepted, Announcement, Ephemeral, FromServer, IssuedTokens, Item, ItemKind, Limits, Missed,
    Notice, QueueItem, Response, SealKey, ServerHello, SignedIn, TakenKeyPackage, TokenCredit,
    TokenKey,
};
use crate::{
    Code, Error, Result,
    ids::{AddressHash, BlobHash, ChannelHash, Incarnation, KeyId, Pin, TokenKeyId},
    limits,
    padding::{ITEM_CLASSES, SEAL_OVERHEAD},
    proto::{self, response::Body, server_frame},
    tokens::PROOF_BYTES,
};

fn malformed() -> Error {
    Error::new(Code::ResponseMalformed)
}

fn array<const N: usize>(bytes: &[u8]) -> Result<[u8; N]> {
    bytes.try_into().map_err(|_| malformed())
}

fn token_keys(keys: &[proto::TokenKey]) -> Result<Vec<TokenKey>> {
    if keys.len() > limits::TOKEN_KEYS {
        return Err(malformed());
    }
    keys.iter().map(TokenKey::parse).collect()
}

fn announcements(told: proto::Announcements) -> Result<Vec<Announcement>> {
    if told.announcements.len() > limits::ANNOUNCEMENTS {
        return Err(malformed());
    }
    let all = told.announcements.into_iter().map(|one| {
        if one.text.len() > limits::ANNOUNCEMENT_BYTES {
            return Err(malformed());
        }
        Ok(Announcement {
            id: array(&one.id)?,
            text: one.text,
            day: one.day,
            until_day: one.until_day,
        })
    });
    all.collect()
}

fn exactly(bytes: Bytes, length: usize) -> Result<Bytes> {
    if bytes.len() == length {
        Ok(bytes)
    } else {
        Err(malformed())
    }
}

impl FromServer {
    /// Checks a frame.
    ///
    /// # Errors
    /// [`Code::ResponseMalformed`] when the frame cannot be told apart from nonsense: the connection closes. A response
    /// whose body is malformed keeps its id.
    pub fn parse(frame: proto::ServerFrame) -> Result<Self> {
        let Some(body) = frame.body else {
            return Ok(Self::Unknown);
        };
        Ok(match body {
            server_frame::Body::Hello(hello) => Self::Hello(ServerHello::parse(hello)?),
            server_frame::Body::Response(response) => Self::Response {
                id: response.id,
                outcome: response
                    .body
                    .ok_or_else(malformed)
                    .and_then(Response::parse),
            },
            server_frame::Body::SealKey(key) => Self::SealKey(SealKey::parse(key)?),
            server_frame::Body::Item(item) => Self::Item(Item::parse(item)?),
            server_frame::Body::Ephemeral(sent) => {
                // The same limits hold for it as for an item.
                let item = Item::parse(proto::Item {
                    sequence: limits::EPHEMERAL_SEQUENCE,
                    key_id: sent.key_id,
                    nonce: sent.nonce,
                    sealed: sent.sealed,
                })?;
                Self::Ephemeral(Ephemeral {
                    key_id: item.key_id,
                    nonce: item.nonce,
                    sealed: item.sealed,
                })
            }
            server_frame::Body::Notice(notice) => match notice.body {
                Some(proto::notice::Body::Replaced(proto::Replaced {})) => {
                    Self::Notice(Notice::Replaced)
                }
                Some(proto::notice::Body::ShuttingDown(body)) => {
                    Self::Notice(Notice::ShuttingDown {
                        retry_after_s: body.retry_after_s,
                    })
                }
                Some(proto::notice::Body::TokenKeysChanged(body)) => {
                    Self::Notice(Notice::TokenKeysChanged(token_keys(&body.token_keys)?))
                }
                Some(proto::notice::Body::Announcements(body)) => {
                    Self::Notice(Notice::Announcements(announcements(body)?))
                }
                Some(proto::notice::Body::Bell(proto::Bell {})) => Self::Notice(Notice::Bell),
                None => Self::Unknown,
            },
        })
    }
}

impl ServerHello {
    /// Checks a hello.
    ///
    /// # Errors
    /// [`Code::ResponseMalformed`].
    pub fn parse(hello: proto::ServerHello) -> Result<Self> {
        if !(limits::VERSION_MIN..=limits::VERSION_MAX).contains(&hello.version) {
            return Err(malformed());
        }
        Ok(Self {
            version: hello.version,
            challenge: array(&hello.challenge)?,
            time_s: hello.time_s,
            limits: Limits::parse(&hello.limits.ok_or_else(malformed)?),
            token_keys: token_keys(&hello.token_keys)?,
            registration_open: hello.registration_open,
        })
    }
}

impl Limits {
    /// Nothing above this crate's own ceilings.
    fn parse(limits: &proto::Limits) -> Self {
        let most =
            |value: u32, ceiling: usize| value.min(u32::try_from(ceiling).unwrap_or(u32::MAX));
        Self {
            frame_bytes: most(limits.frame_bytes, limits::FRAME_BYTES),
            item_bytes: most(limits.item_bytes, limits::PAYLOAD_BYTES),
            addresses_per_send: most(limits.addresses_per_send, limits::ADDRESSES_PER_SEND),
            blob_bytes: limits.blob_bytes,
            item_days: limits.item_days,
            blob_days: limits.blob_days,
            token_requests: limits.token_requests,
            token_bytes: limits.token_bytes,
        }
    }
}

impl TokenKey {
    fn parse(key: &proto::TokenKey) -> Result<Self> {
        let public_key = array(&key.public_key)?;
        let id = TokenKeyId::new(array(&key.id)?);
        if id != Self::id_of(&public_key) {
            return Err(malformed());
        }
        Ok(Self {
            id,
            public_key,
            temporary: key.temporary,
        })
    }
}

impl Response {
    /// Checks a response's body. An Error body is the error it carries.
    ///
    /// # Errors
    /// The server's own, or [`Code::ResponseMalformed`].
    pub fn parse(body: Body) -> Result<Self> {
        Ok(match body {
            Body::Error(error) => return Err(Error::from_proto(&error)),
            Body::Done(proto::Done {}) => Self::Done,
            Body::SignedIn(body) => {
                if body.first_sequence > body.next_sequence {
                    return Err(malformed());
                }
                Self::SignedIn(SignedIn {
                    incarnation: Incarnation::new(array(&body.incarnation)?),
                    first_sequence: body.first_sequence,
                    next_sequence: body.next_sequence,
                    tokens_left: body.tokens_left,
                    hpke_key_day: body.hpke_key_day,
                })
            }
            Body::KeyPackageCount(body) => Self::KeyPackageCount(body.one_time),
            Body::IssuedTokens(body) => {
                if body.evaluated.len() > limits::TOKENS_PER_ISSUE {
                    return Err(malformed());
                }
                Self::IssuedTokens(IssuedTokens {
                    key_id: TokenKeyId::new(array(&body.key_id)?),
                    evaluated: body
                        .evaluated
                        .iter()
                        .map(|element| array(element))
                        .collect::<Result<_>>()?,
                    proof: exactly(body.proof, PROOF_BYTES)?,
                })
            }
            Body::TokenCredit(body) => Self::TokenCredit(TokenCredit {
                requests_left: body.requests_left,
                bytes_left: body.bytes_left,
            }),
            Body::TakenKeyPackages(body) => {
                if body.packages.len() > limits::KEY_PACKAGES_PER_TAKE {
                    return Err(malformed());
                }
                Self::TakenKeyPackages(
                    body.packages
                        .into_iter()
                        .map(TakenKeyPackage::parse)
                        .collect::<Result<_>>()?,
                )
            }
            Body::Accepted(body) => {
                if body.missed.len() > limits::ADDRESSES_PER_SEND.div_ceil(8) {
                    return Err(malformed());
                }
                Self::Accepted(Accepted {
                    number: body.number,
                    missed: Missed::from_bytes(body.missed),
                })
            }
        })
    }
}

impl TakenKeyPackage {
    fn parse(package: proto::TakenKeyPackage) -> Result<Option<Self>> {
        if package.sealed.is_empty() {
            return Ok(None);
        }
        Ok(Some(Self {
            sealed: exactly(package.sealed, limits::SEALED_KEY_PACKAGE_BYTES)?,
            last_resort: package.last_resort,
        }))
    }
}

impl SealKey {
    /// Checks a sealing key's row.
    ///
    /// # Errors
    /// [`Code::ResponseMalformed`].
    pub fn parse(key: proto::SealKey) -> Result<Self> {
        Ok(Self {
            key_id: KeyId::new(array(&key.key_id)?),
            enc: exactly(key.enc, limits::HPKE_ENC_BYTES)?,
            sealed: exactly(key.sealed, 32 + SEAL_OVERHEAD)?,
            hpke_key_day: key.hpke_key_day,
        })
    }
}

impl Item {
    /// Checks a sealed item's size.
    ///
    /// # Errors
    /// [`Code::ResponseMalformed`].
    pub fn parse(item: proto::Item) -> Result<Self> {
        let class = item.sealed.len().checked_sub(SEAL_OVERHEAD);
        if !class.is_some_and(|class| ITEM_CLASSES.contains(&class)) {
            return Err(malformed());
        }
        Ok(Self {
            sequence: item.sequence,
            key_id: KeyId::new(array(&item.key_id)?),
            nonce: item.nonce,
            sealed: item.sealed,
        })
    }
}

impl QueueItem {
    /// Checks what a sealed item opened to.
    ///
    /// # Errors
    /// [`Code::ItemMalformed`].
    pub fn parse(item: proto::QueueItem) -> Result<Self> {
        let malformed = Error::new(Code::ItemMalformed);
        let kind = match item.kind() {
            proto::ItemKind::Direct => ItemKind::Direct,
            proto::ItemKind::Application => ItemKind::Application,
            proto::ItemKind::Commit => ItemKind::Commit,
            proto::ItemKind::Control => ItemKind::Control,
            proto::ItemKind::Ephemeral => ItemKind::Ephemeral,
            proto::ItemKind::Unspecified => return Err(malformed),
        };
        let next_lock = match (kind, item.next_lock.len()) {
            (ItemKind::Commit, _) => Some(array(&item.next_lock).map_err(|_| malformed)?),
            (_, 0) => None,
            _ => return Err(malformed),
        };
        let channel = match (kind, item.channel_hash.len()) {
            (ItemKind::Direct | ItemKind::Ephemeral, 0) => None,
            (ItemKind::Direct | ItemKind::Ephemeral, _) => return Err(malformed),
            _ => Some(ChannelHash::from_slice(&item.channel_hash).map_err(|_| malformed)?),
        };
        let blob = match item.blob_hash.len() {
            0 => None,
            _ => Some(BlobHash::from_slice(&item.blob_hash).map_err(|_| malformed)?),
        };
        let server = match item.server_pin.len() {
            0 => None,
            _ => Some(Pin::from_slice(&item.server_pin).map_err(|_| malformed)?),
        };
        if item.payload.len() > limits::PAYLOAD_BYTES {
            return Err(malformed);
        }
        Ok(Self {
            address: AddressHash::from_slice(&item.address_hash).map_err(|_| malformed)?,
            kind,
            number: item.number,
            epoch: item.epoch,
            next_lock,
            channel,
            payload: item.payload,
            blob,
            server,
        })
    }
}
