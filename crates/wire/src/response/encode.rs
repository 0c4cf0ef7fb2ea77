//! Types become frames, on the server.

use bytes::Bytes;

use super::{
    Announcement, FromServer, IssuedTokens, Item, ItemKind, Limits, Notice, QueueItem, Response,
    SealKey, ServerHello, SignedIn, TakenKeyPackage, TokenKey,
};
use crate::{
    Error, Result,
    proto::{self, response::Body, server_frame},
};

fn copy(bytes: &[u8]) -> Bytes {
    Bytes::copy_from_slice(bytes)
}

impl FromServer {
    /// The frame to send.
    pub fn to_proto(&self) -> proto::ServerFrame {
        let body = match self {
            Self::Hello(hello) => Some(server_frame::Body::Hello(hello.to_proto())),
            Self::Response { id, outcome } => {
                Some(server_frame::Body::Response(response(*id, outcome)))
            }
            Self::SealKey(key) => Some(server_frame::Body::SealKey(key.to_proto())),
            Self::Item(item) => Some(server_frame::Body::Item(item.to_proto())),
            Self::Ephemeral(sent) => Some(server_frame::Body::Ephemeral(proto::Ephemeral {
                key_id: sent.key_id.to_bytes(),
                nonce: sent.nonce,
                sealed: sent.sealed.clone(),
            })),
            Self::Notice(notice) => Some(server_frame::Body::Notice(notice.to_proto())),
            Self::Unknown => None,
        };
        proto::ServerFrame { body }
    }
}

/// The response to request `id`.
pub fn response(id: u64, outcome: &Result<Response>) -> proto::Response {
    proto::Response {
        id,
        body: Some(match outcome {
            Ok(response) => response.to_proto(),
            Err(error) => Body::Error((*error).into()),
        }),
    }
}

impl From<Error> for Body {
    fn from(error: Error) -> Self {
        Self::Error(error.into())
    }
}

impl ServerHello {
    /// The message to send.
    pub fn to_proto(&self) -> proto::ServerHello {
        proto::ServerHello {
            version: self.version,
            challenge: copy(&self.challenge),
            time_s: self.time_s,
            limits: Some(self.limits.to_proto()),
            token_keys: self
                .token_keys
                .iter()
                .copied()
                .map(TokenKey::to_proto)
                .collect(),
            registration_open: self.registration_open,
        }
    }
}

impl Limits {
    const fn to_proto(self) -> proto::Limits {
        proto::Limits {
            frame_bytes: self.frame_bytes,
            item_bytes: self.item_bytes,
            addresses_per_send: self.addresses_per_send,
            blob_bytes: self.blob_bytes,
            item_days: self.item_days,
            blob_days: self.blob_days,
            token_requests: self.token_requests,
            token_bytes: self.token_bytes,
        }
    }
}

impl TokenKey {
    fn to_proto(self) -> proto::TokenKey {
        proto::TokenKey {
            id: self.id.to_bytes(),
            public_key: copy(&self.public_key),
            temporary: self.temporary,
        }
    }
}

impl Response {
    /// The body to send.
    pub fn to_proto(&self) -> Body {
        match self {
            Self::Done => Body::Done(proto::Done {}),
            Self::SignedIn(signed_in) => Body::SignedIn(signed_in.to_proto()),
            Self::KeyPackageCount(one_time) => Body::KeyPackageCount(proto::KeyPackageCount {
                one_time: *one_time,
            }),
            Self::IssuedTokens(issued) => Body::IssuedTokens(issued.to_proto()),
            Self::TokenCredit(credit) => Body::TokenCredit(proto::TokenCredit {
                requests_left: credit.requests_left,
                bytes_left: credit.bytes_left,
            }),
            Self::TakenKeyPackages(packages) => Body::TakenKeyPackages(proto::TakenKeyPackages {
                packages: packages
                    .iter()
                    .map(|package| TakenKeyPackage::to_proto(package.as_ref()))
                    .collect(),
            }),
            Self::Accepted(accepted) => Body::Accepted(proto::Accepted {
                number: accepted.number,
                missed: accepted.missed.to_bytes(),
            }),
        }
    }
}

impl SignedIn {
    fn to_proto(self) -> proto::SignedIn {
        proto::SignedIn {
            incarnation: self.incarnation.to_bytes(),
            first_sequence: self.first_sequence,
            next_sequence: self.next_sequence,
            tokens_left: self.tokens_left,
            hpke_key_day: self.hpke_key_day,
        }
    }
}

impl IssuedTokens {
    fn to_proto(&self) -> proto::IssuedTokens {
        proto::IssuedTokens {
            key_id: self.key_id.to_bytes(),
            evaluated: self.evaluated.iter().map(|element| copy(element)).collect(),
            proof: self.proof.clone(),
        }
    }
}

impl TakenKeyPackage {
    fn to_proto(package: Option<&Self>) -> proto::TakenKeyPackage {
        package.map_or_else(proto::TakenKeyPackage::default, |package| {
            proto::TakenKeyPackage {
                sealed: package.sealed.clone(),
                last_resort: package.last_resort,
            }
        })
    }
}

impl SealKey {
    /// The message to push.
    pub fn to_proto(&self) -> proto::SealKey {
        proto::SealKey {
            key_id: self.key_id.to_bytes(),
            enc: self.enc.clone(),
            sealed: self.sealed.clone(),
            hpke_key_day: self.hpke_key_day,
        }
    }
}

impl Item {
    /// The message to push.
    pub fn to_proto(&self) -> proto::Item {
        proto::Item {
            sequence: self.sequence,
            key_id: self.key_id.to_bytes(),
            nonce: self.nonce,
            sealed: self.sealed.clone(),
        }
    }
}

impl QueueItem {
    /// The message to be padded and sealed.
    pub fn to_proto(&self) -> proto::QueueItem {
        proto::QueueItem {
            address_hash: self.address.to_bytes(),
            kind: self.kind.to_proto().into(),
            number: self.number,
            epoch: self.epoch,
            next_lock: self
                .next_lock
                .as_ref()
                .map_or_else(Bytes::new, |lock| copy(lock)),
            payload: self.payload.clone(),
            channel_hash: self
                .channel
                .map_or_else(Bytes::new, |channel| channel.to_bytes()),
            blob_hash: self.blob.map_or_else(Bytes::new, |blob| blob.to_bytes()),
            server_pin: self.server.map_or_else(Bytes::new, |pin| pin.to_bytes()),
        }
    }
}

impl ItemKind {
    /// As it stands in a QueueItem.
    pub const fn to_proto(self) -> proto::ItemKind {
        match self {
            Self::Direct => proto::ItemKind::Direct,
            Self::Application => proto::ItemKind::Application,
            Self::Commit => proto::ItemKind::Commit,
            Self::Control => proto::ItemKind::Control,
            Self::Ephemeral => proto::ItemKind::Ephemeral,
        }
    }
}

impl Announcement {
    fn to_proto(&self) -> proto::Announcement {
        proto::Announcement {
            id: copy(&self.id),
            text: self.text.clone(),
            day: self.day,
            until_day: self.until_day,
        }
    }
}

impl Notice {
    /// The message to send.
    pub fn to_proto(&self) -> proto::Notice {
        proto::Notice {
            body: Some(match self {
                Self::Replaced => proto::notice::Body::Replaced(proto::Replaced {}),
                Self::ShuttingDown { retry_after_s } => {
                    proto::notice::Body::ShuttingDown(proto::ShuttingDown {
                        retry_after_s: *retry_after_s,
                    })
                }
                Self::TokenKeysChanged(keys) => {
                    proto::notice::Body::TokenKeysChanged(proto::TokenKeysChanged {
                        token_keys: keys.iter().copied().map(TokenKey::to_proto).collect(),
                    })
                }
                Self::Announcements(all) => {
                    proto::notice::Body::Announcements(proto::Announcements {
                        announcements: all.iter().map(Announcement::to_proto).collect(),
                    })
                }
                Self::Bell => proto::notice::Body::Bell(proto::Bell {}),
            }),
        }
    }
}
