//! From a checked request to the store's types: secrets are hashed on the way, so that nothing behind this file
//! sees one, and the limits of this server's settings are applied.

use bytes::Bytes;
use undertone_wire::forward::{Bundle, Wrapping};
use undertone_wire::ids::sha256;
use undertone_wire::secrets::AddressSecret;
use undertone_wire::{Code, Result, request};

use super::Gateway;
use crate::forward::dial;
use crate::store::{
    AddressHash, AddressKind, AddressRename, AnySend, ChannelCommit, ChannelControl, ChannelSend,
    DirectSend, Forwarding, NewChannel, Outgoing, PublishKeyPackages, SealedKeyPackage,
};

fn targets(gateway: &Gateway, secrets: &[AddressSecret]) -> Result<Vec<AddressHash>> {
    if secrets.len() > gateway.addresses_per_send() {
        return Err(Code::LimitAddresses.into());
    }
    Ok(secrets.iter().map(AddressSecret::hash).collect())
}

/// A payload that may wait: a slice of a message keeps the whole message in memory, so one that is only a
/// small part of it is copied out.
fn payload(gateway: &Gateway, payload: Bytes, message: usize) -> Result<Bytes> {
    if payload.len() > gateway.item_bytes() {
        return Err(Code::LimitPayload.into());
    }
    if payload.len() >= message / 2 {
        Ok(payload)
    } else {
        Ok(Bytes::copy_from_slice(&payload))
    }
}

/// `message` is the length of the WebSocket message that the request came in, here and below.
pub(super) fn send(
    gateway: &Gateway,
    request: request::Send,
    message: usize,
) -> Result<DirectSend> {
    Ok(DirectSend {
        send_id: request.send_id,
        addresses: targets(gateway, &request.addresses)?,
        payload: payload(gateway, request.payload, message)?,
        blob: request.blob,
    })
}

pub(super) fn channel_send(
    gateway: &Gateway,
    request: request::ChannelSend,
    message: usize,
) -> Result<ChannelSend> {
    Ok(ChannelSend {
        channel: request.channel_id.hash(),
        epoch: request.epoch,
        send_id: request.send_id,
        addresses: targets(gateway, &request.addresses)?,
        payload: payload(gateway, request.payload, message)?,
    })
}

pub(super) fn channel_control(
    gateway: &Gateway,
    request: request::ChannelControl,
    message: usize,
) -> Result<ChannelControl> {
    Ok(ChannelControl {
        channel: request.channel_id.hash(),
        send_id: request.send_id,
        addresses: targets(gateway, &request.addresses)?,
        payload: payload(gateway, request.payload, message)?,
    })
}

pub(super) fn channel_commit(
    gateway: &Gateway,
    request: request::ChannelCommit,
    message: usize,
) -> Result<ChannelCommit> {
    if request.renames.len() > gateway.addresses_per_send() {
        return Err(Code::LimitAddresses.into());
    }
    let renames = request
        .renames
        .iter()
        .map(|rename| AddressRename {
            old: rename.old.hash(),
            new: rename.new,
        })
        .collect();
    Ok(ChannelCommit {
        channel: request.channel_id.hash(),
        epoch: request.epoch,
        key_hash: sha256(request.key.expose()),
        next_lock: request.next_lock,
        addresses: targets(gateway, &request.addresses)?,
        payload: payload(gateway, request.payload, message)?,
        renames,
        removes: request.removes,
        blob: request.blob,
    })
}

/// A send with bundles, before anything is sealed for the servers that they are for.
pub(super) struct Unwrapped {
    pub(super) send: AnySend,
    bundles: Vec<(usize, Bundle)>,
    left_out: Vec<usize>,
}

/// Left out are: bundles for servers that this one may not dial, for itself, or sealed to a key that is not that server's. Their places are
/// kept, so that the sender is told.
pub(super) fn forwarding(
    gateway: &Gateway,
    request: request::Forwarding,
    message: usize,
) -> Result<Unwrapped> {
    let send = match request.send {
        request::AnySend::Direct(request) => AnySend::Direct(send(gateway, request, message)?),
        request::AnySend::Channel(request) => {
            AnySend::Channel(channel_send(gateway, request, message)?)
        }
        request::AnySend::Commit(request) => {
            AnySend::Commit(channel_commit(gateway, request, message)?)
        }
        request::AnySend::Control(request) => {
            AnySend::Control(channel_control(gateway, request, message)?)
        }
    };
    let settings = &gateway.config.forwarding;
    let (mut bundles, mut left_out) = (Vec::new(), Vec::new());
    for (index, bundle) in request.bundles.into_iter().enumerate() {
        let server = &bundle.server;
        if settings.to_others
            && server.pin != gateway.pin
            && dial::may_dial(&server.origin, settings.private_addresses)
        {
            bundles.push((index, bundle));
        } else {
            left_out.push(index);
        }
    }
    Ok(Unwrapped {
        send,
        bundles,
        left_out,
    })
}

/// Public-key work, a good part of a millisecond for each bundle: for a thread of its own, once it is paid for.
pub(super) fn wrapped(gateway: &Gateway, unwrapped: Unwrapped) -> Forwarding {
    let today = gateway.clock.day().0;
    let Unwrapped {
        send,
        bundles,
        mut left_out,
    } = unwrapped;
    let mut parcels = Vec::new();
    for (index, bundle) in bundles {
        gateway.metrics.bundles_wrapped.inc();
        let server = &bundle.server;
        let checked = bundle.key.check(&server.pin, today);
        match checked.and_then(|()| Wrapping::new(&bundle)) {
            Ok(wrapping) => parcels.push(Outgoing {
                index,
                server: server.to_string(),
                wrapping,
            }),
            Err(_) => left_out.push(index),
        }
    }
    Forwarding {
        send,
        parcels,
        left_out,
    }
}

pub(super) fn new_channel(request: &request::CreateChannel) -> NewChannel {
    NewChannel {
        channel: request.channel_id.hash(),
        epoch: request.epoch,
        lock: request.lock,
        min_send_epoch: request.min_send_epoch,
    }
}

pub(super) fn addresses(requested: &[request::NewAddress]) -> Vec<(AddressHash, AddressKind)> {
    let kind = |kind| match kind {
        request::AddressKind::Conversation => AddressKind::Conversation,
        request::AddressKind::Contact => AddressKind::Contact,
        request::AddressKind::KeyPackage => AddressKind::KeyPackage,
    };
    requested
        .iter()
        .map(|new| (new.address, kind(new.kind)))
        .collect()
}

pub(super) fn publish(request: request::PublishKeyPackages) -> PublishKeyPackages {
    // Copied out of the message for the same reason as payloads.
    let sealed = |package: request::SealedKeyPackage| SealedKeyPackage {
        id: package.id,
        sealed: Bytes::copy_from_slice(&package.sealed),
    };
    PublishKeyPackages {
        address: request.address,
        one_time: request.one_time.into_iter().map(sealed).collect(),
        last_resort: request.last_resort.map(sealed),
    }
}
