//! What the server does with each request: the rules of queues, addresses, pools, channels and tokens.

use super::*;

impl Nonsense {
    fn answer(self, request: &Request) -> Option<Result<Response, Error>> {
        Some(match (self, request) {
            (Self::EpochOfOnesOwn, Request::ChannelCommit(commit)) => {
                Err(Error::channel_epoch(commit.epoch))
            }
            (Self::NoChannelThatExists, Request::ChannelCommit(_) | Request::ChannelSend(_)) => {
                Err(Error::new(Code::ChannelUnknown))
            }
            (Self::NoChannelThatExists, Request::CreateChannel(_)) => {
                Err(Error::new(Code::ChannelExists))
            }
            (Self::OtherKind, Request::ChannelCommit(_) | Request::ChannelSend(_)) => {
                Ok(Response::Done)
            }
            (Self::StaleForOnesOwn, Request::ChannelSend(send)) => {
                Err(Error::stale(send.epoch, send.epoch))
            }
            (Self::EpochBefore, Request::ChannelSend(send)) => {
                let before = send.epoch.saturating_sub(1);
                Err(Error::stale(before, before))
            }
            (Self::NoPool, Request::PublishKeyPackages(_)) => Err(Error::new(Code::AddressUnknown)),
            _ => return None,
        })
    }
}

impl State {
    pub(super) fn resolve(&self, secret: &AddressSecret) -> Option<AddressHash> {
        let hash = secret.hash();
        if self.addresses.contains_key(&hash) {
            return Some(hash);
        }
        self.old_names
            .get(&hash)
            .copied()
            .filter(|new| self.addresses.contains_key(new))
    }

    pub(super) fn resolve_all(&self, secrets: &[AddressSecret]) -> Vec<AddressHash> {
        let known = secrets.iter().filter_map(|secret| self.resolve(secret));
        known.collect()
    }

    /// An item outside any channel.
    pub(super) fn direct_item(
        &mut self,
        addresses: &[AddressSecret],
        payload: &Bytes,
        blob: Option<undertone_wire::ids::BlobHash>,
    ) -> Missed {
        self.deliver(addresses, |address| QueueItem {
            address,
            kind: ItemKind::Direct,
            number: 0,
            epoch: 0,
            next_lock: None,
            channel: None,
            payload: payload.clone(),
            blob,
            server: None,
        })
    }

    pub(super) fn deliver(
        &mut self,
        addresses: &[AddressSecret],
        make: impl Fn(AddressHash) -> QueueItem,
    ) -> Missed {
        let mut missed = Vec::new();
        for (index, secret) in addresses.iter().enumerate() {
            let Some(hash) = self.resolve(secret) else {
                missed.push(index);
                continue;
            };
            let queue_id = self.addresses[&hash].0;
            if self.unreachable.contains(&queue_id) {
                missed.push(index);
                continue;
            }
            if self.lose_next_to == Some(queue_id) {
                self.lose_next_to = None;
                continue;
            }
            let item = make(hash);
            if self.lose_next_direct_to == Some(queue_id) && item.kind == ItemKind::Direct {
                self.lose_next_direct_to = None;
                continue;
            }
            if let Some((_, direct)) = self.keep_back.filter(|(queue, _)| *queue == queue_id)
                && (!direct || item.kind == ItemKind::Direct)
            {
                self.keep_back = None;
                self.kept_back = Some((queue_id, item));
                continue;
            }
            match self.late.get_mut(&queue_id) {
                Some(late @ None) => *late = Some(item),
                Some(late) => {
                    let late = late.take();
                    self.late.remove(&queue_id);
                    self.put(queue_id, &item);
                    if let Some(late) = late {
                        self.put(queue_id, &late);
                    }
                }
                None => self.put(queue_id, &item),
            }
        }
        Missed::from_indices(missed)
    }

    /// A direct item to every address that there is, with nobody's secret.
    pub(super) fn direct_to_all(
        &mut self,
        payload: &Bytes,
        blob: Option<undertone_wire::ids::BlobHash>,
    ) {
        let all: Vec<_> = self
            .addresses
            .iter()
            .map(|(address, (queue, _))| (*address, *queue))
            .collect();
        for (address, queue) in all {
            let item = QueueItem {
                address,
                kind: ItemKind::Direct,
                number: 0,
                epoch: 0,
                next_lock: None,
                channel: None,
                payload: payload.clone(),
                blob,
                server: None,
            };
            self.put(queue, &item);
        }
    }

    pub(super) fn signed_in(&self, queue: &QueueId) -> SignedIn {
        let row = &self.queues[queue];
        SignedIn {
            incarnation: self.incarnation,
            first_sequence: row
                .items
                .keys()
                .next()
                .copied()
                .unwrap_or(row.next_sequence),
            next_sequence: row.next_sequence,
            tokens_left: 1000,
            hpke_key_day: 0,
        }
    }

    pub(super) fn answer(
        &mut self,
        issuers: &[Arc<TokenIssuer>],
        line: &Arc<Mutex<Line>>,
        request: Request,
    ) -> Result<Response, Error> {
        let refuse = |code| Err(Error::new(code));
        if request.role().is_some_and(|role| role != lock(line).role) {
            return refuse(Code::RequestWrongRole);
        }
        let queue_id = lock(line).queue;
        if let Some(answer) = self.nonsense.and_then(|kind| kind.answer(&request)) {
            self.lies += 1;
            return answer;
        }
        if let Some((code, times)) = self.refuse_next
            && matches!(
                request,
                Request::Send(_) | Request::ChannelSend(_) | Request::ChannelCommit(_)
            )
        {
            self.refuse_next = (times > 1).then_some((code, times - 1));
            return refuse(code);
        }
        match request {
            Request::RegisterQueue(register) => {
                if !self.registered.contains(&register.queue_id) {
                    self.registered.push(register.queue_id);
                }
                self.queues.entry(register.queue_id).or_insert_with(|| {
                    let sealing = SealingKey::generate().expect("a key");
                    let seal_key = sealing
                        .seal_to_owner(&register.queue_id, &register.hpke_key, 0)
                        .expect("sealed");
                    Queue {
                        signing_key: register.signing_key,
                        sealing,
                        seal_keys: HashMap::from([(seal_key.key_id, seal_key)]),
                        items: BTreeMap::new(),
                        next_sequence: 1,
                        line: None,
                    }
                });
                self.attach(line, register.queue_id);
                Ok(Response::SignedIn(self.signed_in(&register.queue_id)))
            }
            Request::SignIn(sign_in) => {
                let Some(queue) = self.queues.get(&sign_in.queue_id) else {
                    return refuse(Code::AuthQueueUnknown);
                };
                let _ = queue.signing_key;
                self.sign_ins += 1;
                self.attach(line, sign_in.queue_id);
                Ok(Response::SignedIn(self.signed_in(&sign_in.queue_id)))
            }
            Request::RotateQueueKey(key) => {
                // What comes from now on is sealed for the new key only.
                let id = queue_id.expect("signed in");
                self.rotations += 1;
                let queue = self.queues.get_mut(&id).expect("a queue");
                queue.sealing = SealingKey::generate().expect("a key");
                let seal_key = queue.sealing.seal_to_owner(&id, &key, 1).expect("sealed");
                queue.seal_keys.insert(seal_key.key_id, seal_key);
                Ok(Response::Done)
            }
            Request::CreateAddresses(addresses) => {
                let id = queue_id.expect("signed in");
                for address in addresses {
                    if self.take_addresses > 0
                        && address.kind == AddressKind::KeyPackage
                        && !self.addresses.contains_key(&address.address)
                    {
                        self.take_addresses -= 1;
                        let other = (QueueId::random(), address.kind);
                        self.addresses.insert(address.address, other);
                    }
                    let known = self.addresses.get(&address.address);
                    if known.is_some_and(|(queue, _)| *queue != id) {
                        return refuse(Code::AddressTaken);
                    }
                    self.addresses.insert(address.address, (id, address.kind));
                }
                Ok(Response::Done)
            }
            Request::RevokeAddresses(addresses) => {
                for address in addresses {
                    self.addresses.remove(&address);
                    self.pools.remove(&address);
                }
                Ok(Response::Done)
            }
            Request::PublishKeyPackages(publish) => {
                if !self.addresses.contains_key(&publish.address) {
                    return refuse(Code::AddressUnknown);
                }
                let pool = self.pools.entry(publish.address).or_default();
                for package in publish.one_time {
                    if !pool.one_time.iter().any(|known| known.id == package.id) {
                        pool.one_time.push_back(package);
                    }
                }
                if publish.last_resort.is_some() {
                    pool.last_resort = publish.last_resort;
                }
                Ok(Response::KeyPackageCount(pool.one_time.len() as u32))
            }
            Request::IssueTokens(blinded) => {
                Ok(Response::IssuedTokens(issuers[0].evaluate(&blinded)?))
            }
            Request::DeleteQueue => {
                let id = queue_id.expect("signed in");
                self.queues.remove(&id);
                self.addresses.retain(|_, (queue, _)| *queue != id);
                lock(line).queue = None;
                Ok(Response::Done)
            }
            Request::CreateInvitation(hash) => {
                self.invitations.push(hash);
                Ok(Response::Done)
            }
            Request::Ping => Ok(Response::Done),
            Request::SendEphemeral(send) => {
                for secret in &send.addresses {
                    let Some(address) = self.resolve(secret) else {
                        continue;
                    };
                    let queue_id = self.addresses[&address].0;
                    let queue = self.queues.get_mut(&queue_id).expect("a queue");
                    let Some(line) = &queue.line else { continue };
                    let item = QueueItem {
                        address,
                        kind: ItemKind::Ephemeral,
                        number: 0,
                        epoch: send.epoch,
                        next_lock: None,
                        channel: None,
                        payload: send.payload.clone(),
                        blob: None,
                        server: None,
                    };
                    let (nonce, sealed) =
                        seal_item(&mut queue.sealing, &queue_id, 0, &item.to_proto())
                            .expect("sealed");
                    let mut line = lock(line);
                    if line.open {
                        self.ephemerals += 1;
                        line.ephemerals.push_back(Ephemeral {
                            key_id: queue.sealing.id(),
                            nonce,
                            sealed: sealed.into(),
                        });
                        line.wake.notify_one();
                    }
                }
                Ok(Response::Done)
            }
            Request::RedeemTokens(tokens) => {
                for token in &tokens {
                    if let Err(error) = verify(issuers, token) {
                        self.unknown_tokens += 1;
                        return Err(error);
                    }
                    if self.spent.insert(token.input_hash(), ()).is_some() {
                        return refuse(Code::TokenSpent);
                    }
                }
                Ok(Response::TokenCredit(TokenCredit {
                    requests_left: 1000,
                    bytes_left: 64 * 1024 * 1024,
                }))
            }
            Request::TakeKeyPackages(take) => {
                if let Some(known) = self.taken.get(&take.send_id) {
                    return Ok(Response::TakenKeyPackages(known.clone()));
                }
                let taken: Vec<_> = take
                    .addresses
                    .iter()
                    .map(|secret| {
                        let hash = self.resolve(secret)?;
                        let pool = self.pools.get_mut(&hash)?;
                        if let Some(package) = pool.one_time.pop_front() {
                            return Some(TakenKeyPackage {
                                sealed: package.sealed,
                                last_resort: false,
                            });
                        }
                        pool.last_resort.as_ref().map(|package| TakenKeyPackage {
                            sealed: package.sealed.clone(),
                            last_resort: true,
                        })
                    })
                    .collect();
                self.taken.insert(take.send_id, taken.clone());
                Ok(Response::TakenKeyPackages(taken))
            }
            Request::Send(send) => {
                if let Some(known) = self.remembered.get(&send.send_id) {
                    return Ok(Response::Accepted(known.clone()));
                }
                self.blob_checks.check(&self.blobs, send.blob)?;
                self.last_direct = self.resolve_all(&send.addresses);
                self.directs.push(send.payload.clone());
                let missed = self.direct_item(&send.addresses, &send.payload, send.blob);
                let accepted = Accepted { number: 0, missed };
                self.remembered.insert(send.send_id, accepted.clone());
                Ok(Response::Accepted(accepted))
            }
            Request::CreateChannel(create) => {
                if let Some(known) = self.channels.get(&create.channel_id) {
                    return if known.epoch == create.epoch && known.lock == create.lock {
                        Ok(Response::Done)
                    } else {
                        refuse(Code::ChannelExists)
                    };
                }
                self.channels.insert(
                    create.channel_id,
                    Channel {
                        epoch: create.epoch,
                        lock: create.lock,
                        min_send_epoch: create.min_send_epoch,
                        next_number: 1,
                        last_commit: None,
                    },
                );
                Ok(Response::Done)
            }
            Request::ChannelSend(send) => {
                if let Some(known) = self.remembered.get(&send.send_id) {
                    return Ok(Response::Accepted(known.clone()));
                }
                let resolved = self.resolve_all(&send.addresses);
                let Some(channel) = self.channels.get_mut(&send.channel_id) else {
                    return refuse(Code::ChannelUnknown);
                };
                if send.epoch > channel.epoch || send.epoch < channel.min_send_epoch {
                    self.stale += 1;
                    return Err(Error::stale(channel.epoch, channel.min_send_epoch));
                }
                let number = channel.next_number;
                channel.next_number += 1;
                self.messages += 1;
                self.last_message = resolved;
                let payload = send.payload.clone();
                let misdated = u64::from(std::mem::take(&mut self.misdate_next_message));
                let epoch = send.epoch.saturating_sub(misdated);
                let missed = self.deliver(&send.addresses, |address| QueueItem {
                    address,
                    kind: ItemKind::Application,
                    number,
                    epoch,
                    next_lock: None,
                    channel: Some(send.channel_id.hash()),
                    payload: payload.clone(),
                    blob: None,
                    server: None,
                });
                let accepted = Accepted { number, missed };
                self.remembered.insert(send.send_id, accepted.clone());
                Ok(Response::Accepted(accepted))
            }
            Request::ChannelCommit(commit) => {
                let Some(channel) = self.channels.get_mut(&commit.channel_id) else {
                    return refuse(Code::ChannelUnknown);
                };
                let hash = sha256(&commit.payload);
                if let Some((last, number)) = channel.last_commit
                    && last == hash
                {
                    return Ok(Response::Accepted(Accepted {
                        number,
                        missed: Missed::none(),
                    }));
                }
                if commit.epoch != channel.epoch {
                    self.refused_commits += 1;
                    return Err(Error::channel_epoch(channel.epoch));
                }
                if !commit.key.opens(&channel.lock) {
                    return refuse(Code::ChannelLock);
                }
                self.blob_checks.check(&self.blobs, commit.blob)?;
                channel.epoch += 1;
                channel.lock = commit.next_lock;
                channel.min_send_epoch = if commit.removes {
                    channel.epoch
                } else {
                    channel.min_send_epoch.max(commit.epoch.saturating_sub(1))
                };
                let number = channel.next_number;
                channel.next_number += 1;
                channel.last_commit = Some((hash, number));
                let mut payload = commit.payload.clone();
                if std::mem::take(&mut self.spoil_next_commit) {
                    let mut bytes = payload.to_vec();
                    bytes[40] ^= 1;
                    payload = bytes.into();
                }
                let misnamed = std::mem::take(&mut self.misname_next_commit);
                let named = commit
                    .blob
                    .map(|blob| if misnamed { BlobHash::random() } else { blob });
                let missed = self.deliver(&commit.addresses, |address| QueueItem {
                    address,
                    kind: ItemKind::Commit,
                    number,
                    epoch: commit.epoch,
                    next_lock: Some(commit.next_lock),
                    channel: Some(commit.channel_id.hash()),
                    payload: payload.clone(),
                    blob: named,
                    server: None,
                });
                for rename in &commit.renames {
                    let old = rename.old.hash();
                    if let Some(row) = self.addresses.remove(&old) {
                        self.addresses.insert(rename.new, row);
                        self.old_names.insert(old, rename.new);
                        if let Some(pool) = self.pools.remove(&old) {
                            self.pools.insert(rename.new, pool);
                        }
                    }
                }
                Ok(Response::Accepted(Accepted { number, missed }))
            }
            Request::SetBell(_) => Ok(Response::Done),
            Request::HearBell(_)
            | Request::ChannelControl(_)
            | Request::Visit(_)
            | Request::Forwarding(_) => refuse(Code::RequestUnknown),
        }
    }

    pub(super) fn attach(&mut self, line: &Arc<Mutex<Line>>, id: QueueId) {
        let queue = self.queues.get_mut(&id).expect("a queue");
        if let Some(before) = queue.line.replace(Arc::clone(line)) {
            let mut before = lock(&before);
            before.open = false;
            before.wake.notify_one();
        }
        lock(line).queue = Some(id);
    }
}

/// Whether one of these keys made the token.
pub(super) fn verify(issuers: &[Arc<TokenIssuer>], token: &Token) -> Result<(), Error> {
    let issuer = issuers
        .iter()
        .find(|issuer| issuer.key().id == token.key_id())
        .ok_or(Error::new(Code::TokenKeyUnknown))?;
    issuer.verify(token)
}

impl BlobChecks {
    /// What is referred to must be whole, and there for long enough.
    fn check(
        &mut self,
        blobs: &HashMap<BlobId, (u64, Vec<u8>)>,
        named: Option<BlobHash>,
    ) -> Result<(), Error> {
        let Some(named) = named else { return Ok(()) };
        let whole = blobs
            .iter()
            .any(|(id, (length, bytes))| id.hash() == named && bytes.len() as u64 == *length);
        if whole && self.end_soon == 0 {
            return Ok(());
        }
        self.end_soon = self.end_soon.saturating_sub(1);
        self.refused += 1;
        Err(Error::new(Code::BlobNeeded))
    }
}
