//! Types become frames, on the client.

use bytes::Bytes;

use super::{
    AddressKind, AddressRename, AnySend, ChannelCommit, ChannelControl, ChannelSend, ClientHello,
    CreateChannel, Forwarding, FromClient, NewAddress, PublishKeyPackages, RegisterQueue, Request,
    Role, SealedKeyPackage, Send, SignIn, TakeKeyPackages,
};
use crate::{
    forward::Bundle,
    ids::BlobHash,
    limits,
    proto::{self, client_frame, request::Body},
    secrets::AddressSecret,
    tokens::Token,
};

fn copy(bytes: &[u8]) -> Bytes {
    Bytes::copy_from_slice(bytes)
}

fn blob_hash(blob: Option<BlobHash>) -> Bytes {
    blob.map_or_else(Bytes::new, |blob| blob.to_bytes())
}

/// All secrets of a send in one allocation.
pub(crate) fn secrets(addresses: &[AddressSecret]) -> Vec<Bytes> {
    let mut all = bytes::BytesMut::with_capacity(addresses.len() * AddressSecret::LEN);
    for address in addresses {
        all.extend_from_slice(address.expose());
    }
    let mut all = all.freeze();
    addresses
        .iter()
        .map(|_| all.split_to(AddressSecret::LEN))
        .collect()
}

pub(crate) fn renames(renames: &[AddressRename]) -> Vec<proto::AddressRename> {
    renames
        .iter()
        .map(|rename| proto::AddressRename {
            old_secret: rename.old.to_bytes(),
            new_hash: rename.new.to_bytes(),
        })
        .collect()
}

impl ClientHello {
    /// Offers every version this code speaks.
    pub const fn new(role: Role) -> Self {
        Self {
            version_min: limits::VERSION_MIN,
            version_max: limits::VERSION_MAX,
            role,
        }
    }
}

impl FromClient {
    /// The frame to send. A request that did not parse has none.
    pub fn to_proto(&self) -> proto::ClientFrame {
        let body = match self {
            Self::Hello(hello) => Some(client_frame::Body::Hello(proto::ClientHello {
                version_min: hello.version_min,
                version_max: hello.version_max,
                role: match hello.role {
                    Role::Inbox => proto::Role::Inbox,
                    Role::Outbox => proto::Role::Outbox,
                }
                .into(),
            })),
            Self::Request { id, request } => Some(client_frame::Body::Request(proto::Request {
                id: *id,
                body: request.as_ref().ok().map(Request::to_proto),
            })),
            Self::Credit(items) => Some(client_frame::Body::Credit(proto::Credit {
                items: *items,
                ephemerals: 0,
            })),
            Self::EphemeralCredit(ephemerals) => Some(client_frame::Body::Credit(proto::Credit {
                items: 0,
                ephemerals: *ephemerals,
            })),
            Self::Ack(sequence) => Some(client_frame::Body::Ack(proto::Ack {
                sequence: *sequence,
            })),
        };
        proto::ClientFrame { body }
    }
}

impl Request {
    /// The frame to send under `id`.
    pub fn to_frame(&self, id: u64) -> proto::ClientFrame {
        proto::ClientFrame {
            body: Some(client_frame::Body::Request(proto::Request {
                id,
                body: Some(self.to_proto()),
            })),
        }
    }

    /// The body to send.
    pub fn to_proto(&self) -> Body {
        match self {
            Self::RegisterQueue(request) => Body::RegisterQueue(request.to_proto()),
            Self::SignIn(request) => Body::SignIn(request.to_proto()),
            Self::RotateQueueKey(key) => Body::RotateQueueKey(proto::RotateQueueKey {
                hpke_key: key.to_bytes(),
            }),
            Self::CreateAddresses(addresses) => Body::CreateAddresses(proto::CreateAddresses {
                addresses: addresses
                    .iter()
                    .copied()
                    .map(NewAddress::to_proto)
                    .collect(),
            }),
            Self::RevokeAddresses(hashes) => Body::RevokeAddresses(proto::RevokeAddresses {
                address_hashes: hashes
                    .iter()
                    .map(crate::ids::AddressHash::to_bytes)
                    .collect(),
            }),
            Self::PublishKeyPackages(request) => Body::PublishKeyPackages(request.to_proto()),
            Self::IssueTokens(blinded) => Body::IssueTokens(proto::IssueTokens {
                blinded: blinded.iter().map(|element| copy(element)).collect(),
            }),
            Self::DeleteQueue => Body::DeleteQueue(proto::DeleteQueue {}),
            Self::CreateInvitation(hash) => Body::CreateInvitation(proto::CreateInvitation {
                code_hash: copy(hash),
            }),
            Self::SetBell(hash) => Body::SetBell(proto::SetBell { hash: copy(hash) }),
            Self::HearBell(secret) => Body::HearBell(proto::HearBell {
                secret: copy(secret.expose()),
            }),
            Self::RedeemTokens(tokens) => Body::RedeemTokens(proto::RedeemTokens {
                tokens: tokens.iter().map(Token::to_proto).collect(),
            }),
            Self::TakeKeyPackages(request) => Body::TakeKeyPackages(request.to_proto()),
            Self::Send(request) => Body::Send(request.to_proto()),
            Self::CreateChannel(request) => Body::CreateChannel(request.to_proto()),
            Self::ChannelSend(request) => Body::ChannelSend(request.to_proto()),
            Self::ChannelCommit(request) => Body::ChannelCommit(request.to_proto()),
            Self::ChannelControl(request) => Body::ChannelControl(request.to_proto()),
            Self::SendEphemeral(request) => Body::SendEphemeral(proto::SendEphemeral {
                epoch: request.epoch,
                payload: request.payload.clone(),
                address_secrets: secrets(&request.addresses),
            }),
            Self::Visit(channel) => Body::Visit(proto::Visit {
                channel_id: channel.to_bytes(),
            }),
            Self::Forwarding(request) => Body::Forwarding(request.to_proto()),
            Self::Ping => Body::Ping(proto::Ping {}),
        }
    }
}

impl Forwarding {
    fn to_proto(&self) -> proto::Forwarding {
        use proto::forwarding::Send as Kind;
        proto::Forwarding {
            send: Some(match &self.send {
                AnySend::Direct(send) => Kind::Direct(send.to_proto()),
                AnySend::Channel(send) => Kind::ChannelSend(send.to_proto()),
                AnySend::Commit(commit) => Kind::ChannelCommit(commit.to_proto()),
                AnySend::Control(control) => Kind::ChannelControl(control.to_proto()),
            }),
            bundles: self.bundles.iter().map(Bundle::to_proto).collect(),
        }
    }
}

impl RegisterQueue {
    fn to_proto(&self) -> proto::RegisterQueue {
        proto::RegisterQueue {
            queue_id: self.queue_id.to_bytes(),
            signing_key: copy(&self.signing_key),
            hpke_key: self.hpke_key.to_bytes(),
            invitation: self
                .invitation
                .as_ref()
                .map_or_else(Bytes::new, |code| code.to_bytes()),
            signature: copy(&self.signature),
            temporary: self.temporary,
        }
    }
}

impl SignIn {
    fn to_proto(self) -> proto::SignIn {
        proto::SignIn {
            queue_id: self.queue_id.to_bytes(),
            signature: copy(&self.signature),
        }
    }
}

impl NewAddress {
    fn to_proto(self) -> proto::NewAddress {
        proto::NewAddress {
            address_hash: self.address.to_bytes(),
            kind: match self.kind {
                AddressKind::Conversation => proto::AddressKind::Conversation,
                AddressKind::Contact => proto::AddressKind::Contact,
                AddressKind::KeyPackage => proto::AddressKind::KeyPackage,
            }
            .into(),
        }
    }
}

impl PublishKeyPackages {
    fn to_proto(&self) -> proto::PublishKeyPackages {
        proto::PublishKeyPackages {
            address_hash: self.address.to_bytes(),
            one_time: self
                .one_time
                .iter()
                .map(SealedKeyPackage::to_proto)
                .collect(),
            last_resort: self.last_resort.as_ref().map(SealedKeyPackage::to_proto),
        }
    }
}

impl SealedKeyPackage {
    fn to_proto(&self) -> proto::SealedKeyPackage {
        proto::SealedKeyPackage {
            id: self.id.to_bytes(),
            sealed: self.sealed.clone(),
        }
    }
}

impl Token {
    fn to_proto(&self) -> proto::Token {
        proto::Token {
            key_id: self.key_id().to_bytes(),
            input: copy(self.input()),
            output: copy(self.output()),
        }
    }
}

impl TakeKeyPackages {
    fn to_proto(&self) -> proto::TakeKeyPackages {
        proto::TakeKeyPackages {
            send_id: self.send_id.to_bytes(),
            address_secrets: secrets(&self.addresses),
        }
    }
}

impl Send {
    fn to_proto(&self) -> proto::Send {
        proto::Send {
            send_id: self.send_id.to_bytes(),
            payload: self.payload.clone(),
            address_secrets: secrets(&self.addresses),
            blob_hash: blob_hash(self.blob),
        }
    }
}

impl CreateChannel {
    fn to_proto(&self) -> proto::CreateChannel {
        proto::CreateChannel {
            channel_id: self.channel_id.to_bytes(),
            epoch: self.epoch,
            lock: copy(&self.lock),
            min_send_epoch: self.min_send_epoch,
        }
    }
}

impl ChannelSend {
    fn to_proto(&self) -> proto::ChannelSend {
        proto::ChannelSend {
            channel_id: self.channel_id.to_bytes(),
            epoch: self.epoch,
            send_id: self.send_id.to_bytes(),
            payload: self.payload.clone(),
            address_secrets: secrets(&self.addresses),
        }
    }
}

impl ChannelCommit {
    fn to_proto(&self) -> proto::ChannelCommit {
        proto::ChannelCommit {
            channel_id: self.channel_id.to_bytes(),
            epoch: self.epoch,
            key: self.key.to_bytes(),
            next_lock: copy(&self.next_lock),
            payload: self.payload.clone(),
            address_secrets: secrets(&self.addresses),
            renames: renames(&self.renames),
            removes: self.removes,
            blob_hash: blob_hash(self.blob),
        }
    }
}

impl ChannelControl {
    fn to_proto(&self) -> proto::ChannelControl {
        proto::ChannelControl {
            channel_id: self.channel_id.to_bytes(),
            send_id: self.send_id.to_bytes(),
            payload: self.payload.clone(),
            address_secrets: secrets(&self.addresses),
        }
    }
}
