//! Bytes from a client become types, or a code.

use std::collections::HashSet;

use bytes::Bytes;

use super::{
    AddressKind, AddressRename, AnySend, ChannelCommit, ChannelControl, ChannelSend, ClientHello,
    CreateChannel, Forwarding, FromClient, NewAddress, PublishKeyPackages, RegisterQueue, Request,
    Role, SealedKeyPackage, Send, SendEphemeral, SignIn, TakeKeyPackages,
};
use crate::{
    Code, Error, Result,
    auth::signature_from,
    forward::Bundle,
    hpke::HpkePublicKey,
    ids::{AddressHash, BlobHash, ChannelId, KeyPackageId, QueueId, SendId, TokenKeyId},
    limits,
    proto::{self, client_frame, request::Body},
    secrets::{AddressSecret, ChannelKey, InvitationCode, Secret},
    tokens::Token,
};

fn malformed() -> Error {
    Error::new(Code::RequestMalformed)
}

/// A fixed-length field.
pub(crate) fn array<const N: usize>(bytes: &[u8]) -> Result<[u8; N]> {
    bytes.try_into().map_err(|_| malformed())
}

fn count<T>(list: Vec<T>, least: usize, most: usize, code: Code) -> Result<Vec<T>> {
    if list.len() > most {
        Err(code.into())
    } else if list.len() < least {
        Err(malformed())
    } else {
        Ok(list)
    }
}

fn payload(payload: Bytes, most: usize) -> Result<Bytes> {
    if payload.len() > most {
        Err(Code::LimitPayload.into())
    } else {
        Ok(payload)
    }
}

fn blob(hash: &[u8]) -> Result<Option<BlobHash>> {
    if hash.is_empty() {
        return Ok(None);
    }
    BlobHash::from_slice(hash).map(Some)
}

/// Where a send goes: each address once. A second copy on one queue would be of use to nobody, and would fill it.
fn recipients(least: usize, secrets: Vec<Bytes>) -> Result<Vec<AddressSecret>> {
    let all = at_least(least, secrets)?;
    let mut seen = HashSet::with_capacity(all.len());
    if all.iter().all(|address| seen.insert(address.expose())) {
        Ok(all)
    } else {
        Err(malformed())
    }
}

fn at_least(least: usize, secrets: Vec<Bytes>) -> Result<Vec<AddressSecret>> {
    count(
        secrets,
        least,
        limits::ADDRESSES_PER_SEND,
        Code::LimitAddresses,
    )?
    .iter()
    .map(|secret| AddressSecret::from_slice(secret))
    .collect()
}

impl FromClient {
    /// Checks a frame.
    ///
    /// # Errors
    /// [`Code::FrameMalformed`] when there is nothing that could be answered: the connection closes.
    pub fn parse(frame: proto::ClientFrame) -> Result<Self> {
        let broken = Error::new(Code::FrameMalformed);
        match frame.body.ok_or(broken)? {
            client_frame::Body::Hello(hello) => {
                let role = match hello.role() {
                    proto::Role::Inbox => Role::Inbox,
                    proto::Role::Outbox => Role::Outbox,
                    proto::Role::Unspecified => return Err(broken),
                };
                if hello.version_min > hello.version_max {
                    return Err(broken);
                }
                Ok(Self::Hello(ClientHello {
                    version_min: hello.version_min,
                    version_max: hello.version_max,
                    role,
                }))
            }
            client_frame::Body::Request(request) => Ok(Self::Request {
                id: request.id,
                request: request
                    .body
                    .ok_or(Error::new(Code::RequestUnknown))
                    .and_then(Request::parse),
            }),
            client_frame::Body::Credit(credit) if credit.ephemerals > 0 => Ok(
                Self::EphemeralCredit(credit.ephemerals.min(limits::CREDIT_PER_FRAME)),
            ),
            client_frame::Body::Credit(credit) => {
                Ok(Self::Credit(credit.items.min(limits::CREDIT_PER_FRAME)))
            }
            client_frame::Body::Ack(ack) => Ok(Self::Ack(ack.sequence)),
        }
    }
}

impl ClientHello {
    /// The version to speak: the highest that both know.
    ///
    /// # Errors
    /// [`Code::VersionClientTooOld`] or [`Code::VersionClientTooNew`].
    pub fn choose_version(&self) -> Result<u32> {
        if self.version_max < limits::VERSION_MIN {
            Err(Code::VersionClientTooOld.into())
        } else if self.version_min > limits::VERSION_MAX {
            Err(Code::VersionClientTooNew.into())
        } else {
            Ok(self.version_max.min(limits::VERSION_MAX))
        }
    }
}

impl Request {
    /// Checks a request's body.
    ///
    /// # Errors
    /// [`Code::RequestMalformed`], or one of the `limit.` codes.
    pub fn parse(body: Body) -> Result<Self> {
        Ok(match body {
            Body::RegisterQueue(body) => Self::RegisterQueue(register_queue(body)?),
            Body::SignIn(body) => Self::SignIn(SignIn {
                queue_id: QueueId::from_slice(&body.queue_id)?,
                signature: signature_from(&body.signature)?,
            }),
            Body::RotateQueueKey(body) => {
                Self::RotateQueueKey(HpkePublicKey::from_bytes(body.hpke_key)?)
            }
            Body::CreateAddresses(body) => Self::CreateAddresses(new_addresses(body)?),
            Body::RevokeAddresses(body) => Self::RevokeAddresses(
                count(
                    body.address_hashes,
                    1,
                    limits::ADDRESSES_PER_REQUEST,
                    Code::LimitAddresses,
                )?
                .iter()
                .map(|hash| AddressHash::from_slice(hash))
                .collect::<Result<_>>()?,
            ),
            Body::PublishKeyPackages(body) => Self::PublishKeyPackages(publish_key_packages(body)?),
            Body::IssueTokens(body) => Self::IssueTokens(
                count(body.blinded, 1, limits::TOKENS_PER_ISSUE, Code::LimitCount)?
                    .iter()
                    .map(|element| array(element))
                    .collect::<Result<_>>()?,
            ),
            Body::DeleteQueue(proto::DeleteQueue {}) => Self::DeleteQueue,
            Body::CreateInvitation(body) => Self::CreateInvitation(array(&body.code_hash)?),
            Body::SetBell(body) => Self::SetBell(array(&body.hash)?),
            Body::HearBell(body) => Self::HearBell(Secret::from_slice(&body.secret)?),
            Body::RedeemTokens(body) => Self::RedeemTokens(
                count(body.tokens, 1, limits::TOKENS_PER_REDEEM, Code::LimitCount)?
                    .iter()
                    .map(token)
                    .collect::<Result<_>>()?,
            ),
            Body::TakeKeyPackages(body) => Self::TakeKeyPackages(TakeKeyPackages {
                send_id: SendId::from_slice(&body.send_id)?,
                addresses: at_least(
                    1,
                    count(
                        body.address_secrets,
                        1,
                        limits::KEY_PACKAGES_PER_TAKE,
                        Code::LimitAddresses,
                    )?,
                )?,
            }),
            Body::Send(body) => Self::Send(direct(body, 1)?),
            Body::CreateChannel(body) => Self::CreateChannel(create_channel(body)?),
            Body::ChannelSend(body) => Self::ChannelSend(channel_send(body, 1)?),
            Body::ChannelCommit(body) => Self::ChannelCommit(channel_commit(body, 1)?),
            Body::Visit(body) => Self::Visit(ChannelId::from_slice(&body.channel_id)?),
            Body::Forwarding(body) => Self::Forwarding(Box::new(forwarding(body)?)),
            Body::SendEphemeral(body) => Self::SendEphemeral(SendEphemeral {
                epoch: body.epoch,
                payload: payload(body.payload, limits::EPHEMERAL_PAYLOAD_BYTES)?,
                addresses: recipients(
                    1,
                    count(
                        body.address_secrets,
                        1,
                        limits::EPHEMERAL_ADDRESSES,
                        Code::LimitAddresses,
                    )?,
                )?,
            }),
            Body::ChannelControl(body) => Self::ChannelControl(channel_control(body, 1)?),
            Body::Ping(proto::Ping {}) => Self::Ping,
        })
    }
}

fn register_queue(body: proto::RegisterQueue) -> Result<RegisterQueue> {
    let invitation = match body.invitation.len() {
        0 => None,
        _ => Some(InvitationCode::from_slice(&body.invitation)?),
    };
    if body.temporary && invitation.is_some() {
        return Err(Code::RequestMalformed.into());
    }
    Ok(RegisterQueue {
        queue_id: QueueId::from_slice(&body.queue_id)?,
        signing_key: array(&body.signing_key)?,
        hpke_key: HpkePublicKey::from_bytes(body.hpke_key)?,
        invitation,
        temporary: body.temporary,
        signature: signature_from(&body.signature)?,
    })
}

fn new_addresses(body: proto::CreateAddresses) -> Result<Vec<NewAddress>> {
    count(
        body.addresses,
        1,
        limits::ADDRESSES_PER_REQUEST,
        Code::LimitAddresses,
    )?
    .iter()
    .map(|address| {
        Ok(NewAddress {
            address: AddressHash::from_slice(&address.address_hash)?,
            kind: match address.kind() {
                proto::AddressKind::Conversation => AddressKind::Conversation,
                proto::AddressKind::Contact => AddressKind::Contact,
                proto::AddressKind::KeyPackage => AddressKind::KeyPackage,
                proto::AddressKind::Unspecified => return Err(malformed()),
            },
        })
    })
    .collect()
}

fn publish_key_packages(body: proto::PublishKeyPackages) -> Result<PublishKeyPackages> {
    Ok(PublishKeyPackages {
        address: AddressHash::from_slice(&body.address_hash)?,
        one_time: count(
            body.one_time,
            0,
            limits::KEY_PACKAGES_PER_REQUEST,
            Code::LimitCount,
        )?
        .into_iter()
        .map(sealed_key_package)
        .collect::<Result<_>>()?,
        last_resort: body.last_resort.map(sealed_key_package).transpose()?,
    })
}

fn sealed_key_package(body: proto::SealedKeyPackage) -> Result<SealedKeyPackage> {
    if body.sealed.len() != limits::SEALED_KEY_PACKAGE_BYTES {
        return Err(malformed());
    }
    Ok(SealedKeyPackage {
        id: KeyPackageId::from_slice(&body.id)?,
        sealed: body.sealed,
    })
}

fn token(body: &proto::Token) -> Result<Token> {
    Ok(Token::from_fields(
        TokenKeyId::from_slice(&body.key_id)?,
        array(&body.input)?,
        array(&body.output)?,
    ))
}

fn create_channel(body: proto::CreateChannel) -> Result<CreateChannel> {
    if body.min_send_epoch > body.epoch {
        return Err(malformed());
    }
    Ok(CreateChannel {
        channel_id: ChannelId::from_slice(&body.channel_id)?,
        epoch: body.epoch,
        lock: array(&body.lock)?,
        min_send_epoch: body.min_send_epoch,
    })
}

/// `least`: addresses that must be named, here and below.
fn direct(body: proto::Send, least: usize) -> Result<Send> {
    Ok(Send {
        send_id: SendId::from_slice(&body.send_id)?,
        payload: payload(body.payload, limits::PAYLOAD_BYTES)?,
        addresses: recipients(least, body.address_secrets)?,
        blob: blob(&body.blob_hash)?,
    })
}

fn channel_send(body: proto::ChannelSend, least: usize) -> Result<ChannelSend> {
    Ok(ChannelSend {
        channel_id: ChannelId::from_slice(&body.channel_id)?,
        epoch: body.epoch,
        send_id: SendId::from_slice(&body.send_id)?,
        payload: payload(body.payload, limits::PAYLOAD_BYTES)?,
        addresses: recipients(least, body.address_secrets)?,
    })
}

fn channel_control(body: proto::ChannelControl, least: usize) -> Result<ChannelControl> {
    Ok(ChannelControl {
        channel_id: ChannelId::from_slice(&body.channel_id)?,
        send_id: SendId::from_slice(&body.send_id)?,
        payload: payload(body.payload, limits::CONTROL_PAYLOAD_BYTES)?,
        addresses: recipients(least, body.address_secrets)?,
    })
}

fn forwarding(body: proto::Forwarding) -> Result<Forwarding> {
    use proto::forwarding::Send as Kind;
    Ok(Forwarding {
        send: match body.send.ok_or(malformed())? {
            Kind::Direct(body) => AnySend::Direct(direct(body, 0)?),
            Kind::ChannelSend(body) => AnySend::Channel(channel_send(body, 0)?),
            Kind::ChannelCommit(body) => AnySend::Commit(channel_commit(body, 0)?),
            Kind::ChannelControl(body) => AnySend::Control(channel_control(body, 0)?),
        },
        bundles: count(body.bundles, 1, limits::BUNDLES_PER_SEND, Code::LimitCount)?
            .into_iter()
            .map(Bundle::parse)
            .collect::<Result<_>>()?,
    })
}

fn channel_commit(body: proto::ChannelCommit, least: usize) -> Result<ChannelCommit> {
    // The channel moves to epoch + 1.
    if body.epoch == u64::MAX {
        return Err(malformed());
    }
    Ok(ChannelCommit {
        channel_id: ChannelId::from_slice(&body.channel_id)?,
        epoch: body.epoch,
        key: ChannelKey::from_slice(&body.key)?,
        next_lock: array(&body.next_lock)?,
        payload: payload(body.payload, limits::PAYLOAD_BYTES)?,
        addresses: recipients(least, body.address_secrets)?,
        renames: renames(body.renames)?,
        removes: body.removes,
        blob: blob(&body.blob_hash)?,
    })
}

fn renames(renames: Vec<proto::AddressRename>) -> Result<Vec<AddressRename>> {
    count(renames, 0, limits::ADDRESSES_PER_SEND, Code::LimitAddresses)?
        .iter()
        .map(|rename| {
            Ok(AddressRename {
                old: AddressSecret::from_slice(&rename.old_secret)?,
                new: AddressHash::from_slice(&rename.new_hash)?,
            })
        })
        .collect()
}

/// Addresses and renames as they stand in a bundle.
pub(crate) fn bundled(
    secrets: Vec<Bytes>,
    renamed: Vec<proto::AddressRename>,
) -> Result<(Vec<AddressSecret>, Vec<AddressRename>)> {
    Ok((recipients(1, secrets)?, renames(renamed)?))
}
