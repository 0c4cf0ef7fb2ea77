//! A request to one's own server that may have to be made more than once, with what goes to other servers sealed into it.

use std::sync::Arc;

use undertone_wire::{
    request::{AnySend, ChannelCommit, ChannelSend, Forwarding, Request},
    response::Accepted,
    secrets::AddressSecret,
};

use super::{Shared, elsewhere};
use crate::{
    error::{Reason, Result},
    sync::elsewhere::{Elsewhere, renames_again},
};

/// A request that can be made once more after paying: its secrets can't be cloned by accident, so it is duplicated on purpose.
pub(super) struct Again {
    request: Request,
    /// In the order of the bundles.
    elsewhere: Vec<Elsewhere>,
    /// On servers whose key could not be had.
    left_out: Vec<Elsewhere>,
}

impl Again {
    pub(super) async fn new(
        shared: &Arc<Shared>,
        send: AnySend,
        elsewhere: Vec<Elsewhere>,
    ) -> Result<Self> {
        let (request, elsewhere, left_out) = elsewhere::seal(shared, send, elsewhere).await?;
        Ok(Self {
            request,
            elsewhere,
            left_out,
        })
    }

    /// The addresses of this server that it names.
    fn addresses(&self) -> &[AddressSecret] {
        match &self.request {
            Request::Forwarding(forwarding) => forwarding.send.addresses(),
            Request::Send(send) => &send.addresses,
            Request::ChannelSend(send) => &send.addresses,
            Request::ChannelCommit(commit) => &commit.addresses,
            _ => &[],
        }
    }

    /// Whether nobody is left to whom it could go.
    pub(super) fn is_for_nobody(&self) -> bool {
        self.addresses().is_empty() && self.elsewhere.is_empty()
    }

    /// The addresses that the server says it did not reach, and those that it was not told of. Of what it passes on it knows only whether it
    /// does.
    pub(super) fn missed(&self, answer: &Accepted) -> Vec<AddressSecret> {
        let here = self.addresses();
        let mut missed: Vec<AddressSecret> = Vec::new();
        for index in answer.missed.indices() {
            match index.checked_sub(here.len()) {
                None => missed.extend(here.get(index).map(AddressSecret::duplicate)),
                Some(bundle) => {
                    if let Some(part) = self.elsewhere.get(bundle) {
                        missed.extend(part.addresses.iter().map(AddressSecret::duplicate));
                    }
                }
            }
        }
        for part in &self.left_out {
            missed.extend(part.addresses.iter().map(AddressSecret::duplicate));
        }
        missed
    }

    pub(super) fn make(&self) -> Result<Request> {
        Ok(match &self.request {
            Request::Send(request) => Request::Send(send_again(request)),
            Request::ChannelSend(request) => Request::ChannelSend(channel_send_again(request)),
            Request::ChannelCommit(request) => Request::ChannelCommit(commit_again(request)),
            Request::Forwarding(forwarding) => {
                let send = match &forwarding.send {
                    AnySend::Direct(request) => AnySend::Direct(send_again(request)),
                    AnySend::Channel(request) => AnySend::Channel(channel_send_again(request)),
                    AnySend::Commit(request) => AnySend::Commit(commit_again(request)),
                    AnySend::Control(_) => return Err(Reason::StateBroken.into()),
                };
                Request::Forwarding(Box::new(Forwarding {
                    send,
                    bundles: forwarding.bundles.clone(),
                }))
            }
            _ => return Err(Reason::StateBroken.into()),
        })
    }
}

fn addresses_again(all: &[AddressSecret]) -> Vec<AddressSecret> {
    all.iter().map(AddressSecret::duplicate).collect()
}

fn send_again(send: &undertone_wire::request::Send) -> undertone_wire::request::Send {
    undertone_wire::request::Send {
        send_id: send.send_id,
        payload: send.payload.clone(),
        addresses: addresses_again(&send.addresses),
        blob: send.blob,
    }
}

fn channel_send_again(send: &ChannelSend) -> ChannelSend {
    ChannelSend {
        channel_id: send.channel_id,
        epoch: send.epoch,
        send_id: send.send_id,
        payload: send.payload.clone(),
        addresses: addresses_again(&send.addresses),
    }
}

fn commit_again(commit: &ChannelCommit) -> ChannelCommit {
    ChannelCommit {
        channel_id: commit.channel_id,
        epoch: commit.epoch,
        key: commit.key.duplicate(),
        next_lock: commit.next_lock,
        payload: commit.payload.clone(),
        addresses: addresses_again(&commit.addresses),
        renames: renames_again(&commit.renames),
        removes: commit.removes,
        blob: commit.blob,
    }
}
