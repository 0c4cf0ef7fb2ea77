//! What both sides do on the network: opening what a queue is pushed, and saying something by an anonymous connection that is paid for
//! with a token of one's own queue.

use std::{collections::HashMap, sync::Arc};

use futures_util::future::join_all;
use undertone_wire::{
    Code, Error as WireError, Result,
    hpke::HpkeKeyPair,
    ids::{KeyId, QueueId, SendId},
    origin::ServerAddress,
    request::{Request, Send, TakeKeyPackages},
    response::{Item, ItemKind, QueueItem, Response, SealKey, TakenKeyPackage},
    seal::OpeningKey,
    secrets::AddressSecret,
    tokens::PendingTokens,
};

use crate::transport::{Connection, Role, Transport};

/// What opens items of one queue.
pub(super) struct Opening {
    queue: QueueId,
    pairs: Vec<HpkeKeyPair>,
    keys: HashMap<KeyId, OpeningKey>,
}

impl Opening {
    pub(super) fn new(queue: QueueId, pairs: Vec<HpkeKeyPair>) -> Self {
        Self {
            queue,
            pairs,
            keys: HashMap::new(),
        }
    }

    pub(super) fn key_came(&mut self, key: &SealKey) {
        let opened = self
            .pairs
            .iter()
            .find_map(|pair| OpeningKey::open(&self.queue, pair, key).ok());
        if let Some(opened) = opened {
            self.keys.insert(key.key_id, opened);
        }
    }

    /// A newer pair; tried first.
    pub(super) fn add(&mut self, pair: HpkeKeyPair) {
        self.pairs.insert(0, pair);
    }

    /// What was sent to one of the queue's addresses. None: it does not open, or is nothing that is sent to such a queue.
    pub(super) fn open(&self, item: &Item) -> Option<QueueItem> {
        self.keys
            .get(&item.key_id)?
            .open_item(&self.queue, item.sequence, item.nonce, &item.sealed)
            .ok()
            .filter(|opened| opened.kind == ItemKind::Direct)
    }
}

/// An anonymous connection with an allowance.
pub(super) struct Outbox(Arc<dyn Connection>);

impl Outbox {
    /// Opens one, and pays with tokens that `inbox`, which is signed in, is issued.
    pub(super) async fn open(
        transport: &Arc<dyn Transport>,
        server: &ServerAddress,
        inbox: &Arc<dyn Connection>,
        tokens: usize,
    ) -> Result<Self> {
        let pending = PendingTokens::blind(tokens)?;
        let request = Request::IssueTokens(pending.blinded().to_vec());
        let Response::IssuedTokens(issued) = inbox.request(request).await? else {
            return Err(WireError::new(Code::ResponseMalformed));
        };
        let shown = &inbox.hello().token_keys;
        let key = shown
            .iter()
            .find(|key| key.id == issued.key_id)
            .ok_or_else(|| WireError::new(Code::TokenKeysDiffer))?;
        let tokens = pending.finalize(key, &issued)?;
        let outbox = Self(transport.connect(server, Role::Outbox).await?);
        // A server that shows others here could tell whose tokens these are.
        if outbox
            .0
            .hello()
            .token_keys
            .iter()
            .any(|key| !shown.contains(key))
        {
            return Err(WireError::new(Code::TokenKeysDiffer));
        }
        outbox.0.request(Request::RedeemTokens(tokens)).await?;
        Ok(outbox)
    }

    /// What lies at these addresses, in their order.
    pub(super) async fn take(
        &self,
        addresses: Vec<AddressSecret>,
    ) -> Result<Vec<Option<TakenKeyPackage>>> {
        let wanted = addresses.len();
        let request = Request::TakeKeyPackages(TakeKeyPackages {
            send_id: SendId::random(),
            addresses,
        });
        match self.0.request(request).await? {
            Response::TakenKeyPackages(taken) if taken.len() == wanted => Ok(taken),
            _ => Err(WireError::new(Code::ResponseMalformed)),
        }
    }

    /// Sends; answers whether the address is there and took it.
    pub(super) async fn send(&self, payload: Vec<u8>, to: AddressSecret) -> Result<bool> {
        let request = Request::Send(Send {
            send_id: SendId::random(),
            payload: payload.into(),
            addresses: vec![to],
            blob: None,
        });
        match self.0.request(request).await? {
            Response::Accepted(accepted) => Ok(!accepted.missed.contains(0)),
            _ => Err(WireError::new(Code::ResponseMalformed)),
        }
    }

    /// Sends several, none waiting for another.
    pub(super) async fn send_all(&self, all: Vec<(Vec<u8>, AddressSecret)>) -> Vec<Result<bool>> {
        join_all(all.into_iter().map(|(payload, to)| self.send(payload, to))).await
    }

    pub(super) fn close(&self) {
        self.0.close();
    }
}
