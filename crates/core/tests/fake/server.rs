//! A server in memory, with the real rules of queues, addresses, pools and channels, and with requests and responses that get
//! lost on demand.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use undertone_core::transport::{
    BlobState, BoxFuture, Connection, Push, Role, ServerAddress, Transport, TransportError,
};
use undertone_wire::{
    Code, Error,
    ids::{AddressHash, BlobId, ChannelId, Incarnation, Pin, QueueId, SendId, sha256},
    request::{AddressKind, Request, SealedKeyPackage},
    response::{
        Accepted, Item, ItemKind, Limits, Missed, QueueItem, Response, ServerHello, SignedIn,
        TakenKeyPackage, TokenCredit,
    },
    seal::{SealingKey, seal_item},
    secrets::{AddressSecret, Secret},
    tokens::{Token, TokenIssuer},
};

/// What is to go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The request does not arrive; the connection breaks.
    Request,
    /// The request is done, its response is lost; the connection breaks.
    Response,
}

struct Queue {
    signing_key: [u8; 32],
    sealing: SealingKey,
    seal_keys: HashMap<undertone_wire::ids::KeyId, undertone_wire::response::SealKey>,
    items: BTreeMap<u64, Item>,
    next_sequence: u64,
    line: Option<Arc<Mutex<Line>>>,
}

struct Channel {
    epoch: u64,
    lock: [u8; 32],
    min_send_epoch: u64,
    next_number: u64,
    last_commit: Option<([u8; 32], u64)>,
}

#[derive(Default)]
struct Pool {
    one_time: VecDeque<SealedKeyPackage>,
    last_resort: Option<SealedKeyPackage>,
}

struct State {
    incarnation: Incarnation,
    queues: HashMap<QueueId, Queue>,
    addresses: HashMap<AddressHash, (QueueId, AddressKind)>,
    old_names: HashMap<AddressHash, AddressHash>,
    pools: HashMap<AddressHash, Pool>,
    channels: HashMap<ChannelId, Channel>,
    blobs: HashMap<BlobId, (u64, Vec<u8>)>,
    remembered: HashMap<SendId, Accepted>,
    taken: HashMap<SendId, Vec<Option<TakenKeyPackage>>>,
    spent: HashMap<[u8; 32], ()>,
    requests: u64,
    /// Request number -> what goes wrong.
    faults: HashMap<u64, Fault>,
    /// Every item goes into each queue so often.
    deliver_times: u32,
    online: bool,
    lose_next_to: Option<QueueId>,
    spoil_next_commit: bool,
    damage_next_push: u32,
    /// Queues whose items stay where they are for now.
    held: Vec<QueueId>,
    /// Queues in the order they were registered in.
    registered: Vec<QueueId>,
    /// Sends that were refused as stale.
    stale: u64,
    /// Key rotations so far.
    rotations: u64,
    /// Where the newest direct item went, and the newest message of a channel.
    last_direct: Vec<AddressHash>,
    last_message: Vec<AddressHash>,
    /// Addresses for key packages that somebody else will have been quicker to make.
    take_addresses: u32,
}

struct Line {
    role: Role,
    queue: Option<QueueId>,
    credit: u32,
    pushed: u64,
    keys_sent: Vec<undertone_wire::ids::KeyId>,
    open: bool,
    wake: Arc<tokio::sync::Notify>,
    challenge: [u8; 32],
}

/// The server, and somebody's way to it. Cheap to clone.
#[derive(Clone)]
pub struct FakeServer {
    state: Arc<Mutex<State>>,
    issuer: Arc<TokenIssuer>,
    /// Nothing more leaves through this way.
    cut: Arc<std::sync::atomic::AtomicBool>,
    pub address: ServerAddress,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl FakeServer {
    pub fn new() -> Self {
        let issuer = TokenIssuer::from_seed(&Secret::random()).expect("an issuer");
        Self {
            state: Arc::new(Mutex::new(State {
                incarnation: Incarnation::random(),
                queues: HashMap::new(),
                addresses: HashMap::new(),
                old_names: HashMap::new(),
                pools: HashMap::new(),
                channels: HashMap::new(),
                blobs: HashMap::new(),
                remembered: HashMap::new(),
                taken: HashMap::new(),
                spent: HashMap::new(),
                requests: 0,
                faults: HashMap::new(),
                deliver_times: 1,
                online: true,
                lose_next_to: None,
                spoil_next_commit: false,
                damage_next_push: 0,
                held: Vec::new(),
                registered: Vec::new(),
                stale: 0,
                rotations: 0,
                last_direct: Vec::new(),
                last_message: Vec::new(),
                take_addresses: 0,
            })),
            issuer: Arc::new(issuer),
            cut: Arc::default(),
            address: ServerAddress {
                origin: "server.example:7443".parse().expect("an origin"),
                pin: Pin::random(),
            },
        }
    }

    /// A way to the same server that is cut when the flag is raised.
    pub fn by_way_of(&self, cut: &Arc<std::sync::atomic::AtomicBool>) -> Self {
        Self {
            cut: Arc::clone(cut),
            ..self.clone()
        }
    }

    fn is_cut(&self) -> bool {
        self.cut.load(std::sync::atomic::Ordering::SeqCst)
    }

    /// `host:port+pin`.
    pub fn choice(&self) -> String {
        self.address.to_string()
    }

    /// Requests seen so far.
    pub fn requests(&self) -> u64 {
        lock(&self.state).requests
    }

    /// Breaks the request with this number.
    pub fn fault_at(&self, request: u64, fault: Fault) {
        lock(&self.state).faults.insert(request, fault);
    }

    /// Breaks every request once: each number that is a multiple of `every`.
    pub fn fault_every(&self, every: u64, until: u64, fault: Fault) {
        let mut state = lock(&self.state);
        let from = state.requests + 1;
        for number in (from..until).filter(|number| number % every == 0) {
            state.faults.insert(number, fault);
        }
    }

    /// Delivers every item so often.
    pub fn deliver_times(&self, times: u32) {
        lock(&self.state).deliver_times = times;
    }

    /// Cuts all connections, and lets nobody in, or lets them in again.
    pub fn set_online(&self, online: bool) {
        let mut state = lock(&self.state);
        state.online = online;
        if !online {
            for queue in state.queues.values_mut() {
                if let Some(line) = queue.line.take() {
                    let mut line = lock(&line);
                    line.open = false;
                    line.wake.notify_one();
                }
            }
        }
    }

    /// Forgets what a node only has in memory.
    pub fn forget_memory(&self) {
        let mut state = lock(&self.state);
        state.remembered.clear();
        state.taken.clear();
    }

    /// Queues there are.
    pub fn queues(&self) -> Vec<QueueId> {
        lock(&self.state).queues.keys().copied().collect()
    }

    /// Nothing is pushed to this queue's owner until [`FakeServer::let_go`].
    pub fn hold(&self, queue: QueueId) {
        lock(&self.state).held.push(queue);
    }

    /// Pushes everything again.
    pub fn let_go(&self) {
        let mut state = lock(&self.state);
        state.held.clear();
        for queue in state.queues.values() {
            if let Some(line) = &queue.line {
                lock(line).wake.notify_one();
            }
        }
    }

    /// All one-time key packages have been taken.
    pub fn exhaust_pools(&self) {
        for pool in lock(&self.state).pools.values_mut() {
            pool.one_time.clear();
        }
    }

    /// The queue that was registered after so many others.
    pub fn queue_numbered(&self, index: usize) -> QueueId {
        lock(&self.state).registered[index]
    }

    /// Sends that were refused as stale.
    pub fn stale(&self) -> u64 {
        lock(&self.state).stale
    }

    /// How often a queue was given a new key.
    pub fn rotations(&self) -> u64 {
        lock(&self.state).rotations
    }

    /// The addresses of the newest direct item, and of a channel's newest message.
    pub fn last_addresses(&self) -> (Vec<AddressHash>, Vec<AddressHash>) {
        let state = lock(&self.state);
        (state.last_direct.clone(), state.last_message.clone())
    }

    /// Loses all blobs.
    pub fn lose_blobs(&self) -> usize {
        std::mem::take(&mut lock(&self.state).blobs).len()
    }

    /// Blobs there are.
    pub fn blobs(&self) -> usize {
        lock(&self.state).blobs.len()
    }

    /// The next item for this queue never gets there.
    pub fn lose_next_to(&self, queue: QueueId) {
        lock(&self.state).lose_next_to = Some(queue);
    }

    /// The next commit arrives everywhere with the same bit flipped, as if a member had made nonsense of it.
    pub fn spoil_next_commit(&self) {
        lock(&self.state).spoil_next_commit = true;
    }

    /// The next so many pushed items have a bit flipped on the way.
    pub fn damage_next_pushes(&self, count: u32) {
        lock(&self.state).damage_next_push = count;
    }

    /// Somebody else has the next so many new addresses for key packages.
    pub fn take_next_addresses(&self, count: u32) {
        lock(&self.state).take_addresses = count;
    }

    /// As after `restore`: every queue has a new incarnation and begins anew, channels and addresses are gone.
    pub fn restore_from_backup(&self) {
        self.set_online(false);
        let mut state = lock(&self.state);
        state.incarnation = Incarnation::random();
        state.channels.clear();
        state.addresses.clear();
        state.pools.clear();
        state.remembered.clear();
        for queue in state.queues.values_mut() {
            queue.items.clear();
            queue.next_sequence = 1;
        }
        drop(state);
        self.set_online(true);
    }

    /// Items that lie in all queues.
    pub fn items(&self) -> usize {
        lock(&self.state)
            .queues
            .values()
            .map(|queue| queue.items.len())
            .sum()
    }
}

impl State {
    fn resolve(&self, secret: &AddressSecret) -> Option<AddressHash> {
        let hash = secret.hash();
        if self.addresses.contains_key(&hash) {
            return Some(hash);
        }
        self.old_names
            .get(&hash)
            .copied()
            .filter(|new| self.addresses.contains_key(new))
    }

    fn resolve_all(&self, secrets: &[AddressSecret]) -> Vec<AddressHash> {
        let known = secrets.iter().filter_map(|secret| self.resolve(secret));
        known.collect()
    }

    fn deliver(
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
            if self.lose_next_to == Some(queue_id) {
                self.lose_next_to = None;
                continue;
            }
            let times = self.deliver_times;
            let queue = self.queues.get_mut(&queue_id).expect("a queue");
            for _ in 0..times {
                let sequence = queue.next_sequence;
                queue.next_sequence += 1;
                let item = make(hash).to_proto();
                let (nonce, sealed) = seal_item(&mut queue.sealing, &queue_id, sequence, &item)
                    .expect("an item is sealed");
                let item = Item {
                    sequence,
                    key_id: queue.sealing.id(),
                    nonce,
                    sealed: sealed.into(),
                };
                queue.items.insert(sequence, item);
            }
            if let Some(line) = &queue.line {
                lock(line).wake.notify_one();
            }
        }
        Missed::from_indices(missed)
    }

    fn signed_in(&self, queue: &QueueId) -> SignedIn {
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

    fn answer(
        &mut self,
        issuer: &TokenIssuer,
        line: &Arc<Mutex<Line>>,
        request: Request,
    ) -> Result<Response, Error> {
        let refuse = |code| Err(Error::new(code));
        if request.role().is_some_and(|role| role != lock(line).role) {
            return refuse(Code::RequestWrongRole);
        }
        let queue_id = lock(line).queue;
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
            Request::IssueTokens(blinded) => Ok(Response::IssuedTokens(issuer.evaluate(&blinded)?)),
            Request::DeleteQueue | Request::Ping => Ok(Response::Done),
            Request::RedeemTokens(tokens) => {
                for token in &tokens {
                    issuer.verify(token)?;
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
                let payload = send.payload.clone();
                self.last_direct = self.resolve_all(&send.addresses);
                let missed = self.deliver(&send.addresses, |address| QueueItem {
                    address,
                    kind: ItemKind::Direct,
                    number: 0,
                    epoch: 0,
                    next_lock: None,
                    channel: None,
                    payload: payload.clone(),
                });
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
                self.last_message = resolved;
                let (payload, epoch) = (send.payload.clone(), send.epoch);
                let missed = self.deliver(&send.addresses, |address| QueueItem {
                    address,
                    kind: ItemKind::Application,
                    number,
                    epoch,
                    next_lock: None,
                    channel: Some(send.channel_id.hash()),
                    payload: payload.clone(),
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
                    return Err(Error::channel_epoch(channel.epoch));
                }
                if !commit.key.opens(&channel.lock) {
                    return refuse(Code::ChannelLock);
                }
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
                let missed = self.deliver(&commit.addresses, |address| QueueItem {
                    address,
                    kind: ItemKind::Commit,
                    number,
                    epoch: commit.epoch,
                    next_lock: Some(commit.next_lock),
                    channel: Some(commit.channel_id.hash()),
                    payload: payload.clone(),
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
            Request::ChannelControl(_) => refuse(Code::RequestUnknown),
        }
    }

    fn attach(&mut self, line: &Arc<Mutex<Line>>, id: QueueId) {
        let queue = self.queues.get_mut(&id).expect("a queue");
        if let Some(before) = queue.line.replace(Arc::clone(line)) {
            let mut before = lock(&before);
            before.open = false;
            before.wake.notify_one();
        }
        lock(line).queue = Some(id);
    }
}

struct FakeConnection {
    server: FakeServer,
    line: Arc<Mutex<Line>>,
    hello: ServerHello,
}

impl FakeConnection {
    fn is_open(&self) -> bool {
        !self.server.is_cut() && lock(&self.line).open && lock(&self.server.state).online
    }

    fn push_now(&self) -> Option<Push> {
        let mut state = lock(&self.server.state);
        let mut line = lock(&self.line);
        let damage = state.damage_next_push > 0;
        let id = line.queue?;
        if state.held.contains(&id) {
            return None;
        }
        let queue = state.queues.get(&id)?;
        let (sequence, item) = queue.items.range(line.pushed + 1..).next()?;
        if line.credit == 0 {
            return None;
        }
        if !line.keys_sent.contains(&item.key_id) {
            line.keys_sent.push(item.key_id);
            return Some(Push::SealKey(queue.seal_keys[&item.key_id].clone()));
        }
        line.credit -= 1;
        line.pushed = *sequence;
        let mut item = item.clone();
        if damage {
            let mut bytes = item.sealed.to_vec();
            bytes[7] ^= 4;
            item.sealed = bytes.into();
            state.damage_next_push -= 1;
        }
        Some(Push::Item(item))
    }
}

fn lost() -> Error {
    Error::new(Code::ConnectionLost)
}

impl Connection for FakeConnection {
    fn hello(&self) -> &ServerHello {
        &self.hello
    }

    fn request(&self, request: Request) -> BoxFuture<'_, Result<Response, TransportError>> {
        Box::pin(async move {
            // A real connection never answers within the same poll.
            tokio::task::yield_now().await;
            if !self.is_open() {
                return Err(lost());
            }
            let mut state = lock(&self.server.state);
            state.requests += 1;
            let number = state.requests;
            let fault = state.faults.remove(&number);
            if fault == Some(Fault::Request) {
                lock(&self.line).open = false;
                lock(&self.line).wake.notify_one();
                return Err(lost());
            }
            let answer = state.answer(&self.server.issuer, &self.line, request);
            if fault == Some(Fault::Response) {
                lock(&self.line).open = false;
                lock(&self.line).wake.notify_one();
                return Err(lost());
            }
            answer
        })
    }

    fn next_push(&self) -> BoxFuture<'_, Result<Push, TransportError>> {
        Box::pin(async move {
            loop {
                if !self.is_open() {
                    return Err(lost());
                }
                if let Some(push) = self.push_now() {
                    return Ok(push);
                }
                let wake = Arc::clone(&lock(&self.line).wake);
                wake.notified().await;
            }
        })
    }

    fn credit(&self, items: u32) -> BoxFuture<'_, Result<(), TransportError>> {
        Box::pin(async move {
            let mut line = lock(&self.line);
            line.credit += items;
            line.wake.notify_one();
            Ok(())
        })
    }

    fn ack(&self, sequence: u64) -> BoxFuture<'_, Result<(), TransportError>> {
        Box::pin(async move {
            if !self.is_open() {
                return Err(lost());
            }
            let mut state = lock(&self.server.state);
            let Some(id) = lock(&self.line).queue else {
                return Ok(());
            };
            if let Some(queue) = state.queues.get_mut(&id) {
                queue.items = queue.items.split_off(&(sequence + 1));
            }
            Ok(())
        })
    }

    fn close(&self) {
        let mut line = lock(&self.line);
        line.open = false;
        line.wake.notify_one();
    }
}

impl Transport for FakeServer {
    fn connect<'a>(
        &'a self,
        _server: &'a ServerAddress,
        role: Role,
    ) -> BoxFuture<'a, Result<Arc<dyn Connection>, TransportError>> {
        Box::pin(async move {
            if self.is_cut() || !lock(&self.state).online {
                return Err(Error::new(Code::ConnectionUnreachable));
            }
            let challenge = undertone_wire::ids::random_bytes();
            let line = Line {
                role,
                queue: None,
                credit: 0,
                pushed: 0,
                keys_sent: Vec::new(),
                open: true,
                wake: Arc::new(tokio::sync::Notify::new()),
                challenge,
            };
            let now = std::time::SystemTime::now()
                .duration_since(std::time::UNIX_EPOCH)
                .map_or(0, |since| since.as_secs());
            let hello = ServerHello {
                version: 1,
                challenge: line.challenge,
                time_s: now,
                limits: Limits {
                    frame_bytes: 512 * 1024,
                    item_bytes: 64 * 1024,
                    addresses_per_send: 4096,
                    blob_bytes: 1 << 40,
                    item_days: 30,
                    blob_days: 30,
                    token_requests: 1000,
                    token_bytes: 64 * 1024 * 1024,
                },
                token_keys: vec![*self.issuer.key()],
                registration_open: true,
            };
            Ok(Arc::new(FakeConnection {
                server: self.clone(),
                line: Arc::new(Mutex::new(line)),
                hello,
            }) as Arc<dyn Connection>)
        })
    }

    fn create_blob<'a>(
        &'a self,
        _server: &'a ServerAddress,
        id: &'a BlobId,
        length: u64,
        token: &'a Token,
    ) -> BoxFuture<'a, Result<BlobState, TransportError>> {
        Box::pin(async move {
            self.issuer.verify(token)?;
            let mut state = lock(&self.state);
            let blob = state.blobs.entry(*id).or_insert((length, Vec::new()));
            Ok(BlobState {
                offset: blob.1.len() as u64,
                length: blob.0,
            })
        })
    }

    fn append_blob<'a>(
        &'a self,
        _server: &'a ServerAddress,
        id: &'a BlobId,
        offset: u64,
        bytes: Bytes,
        token: &'a Token,
    ) -> BoxFuture<'a, Result<BlobState, TransportError>> {
        Box::pin(async move {
            self.issuer.verify(token)?;
            let mut state = lock(&self.state);
            let Some(blob) = state.blobs.get_mut(id) else {
                return Err(Error::new(Code::BlobUnknown));
            };
            if blob.1.len() as u64 != offset {
                return Err(Error::new(Code::BlobOffset));
            }
            blob.1.extend_from_slice(&bytes);
            Ok(BlobState {
                offset: blob.1.len() as u64,
                length: blob.0,
            })
        })
    }

    fn blob_state<'a>(
        &'a self,
        _server: &'a ServerAddress,
        id: &'a BlobId,
    ) -> BoxFuture<'a, Result<BlobState, TransportError>> {
        Box::pin(async move {
            let state = lock(&self.state);
            let Some(blob) = state.blobs.get(id) else {
                return Err(Error::new(Code::BlobUnknown));
            };
            Ok(BlobState {
                offset: blob.1.len() as u64,
                length: blob.0,
            })
        })
    }

    fn read_blob<'a>(
        &'a self,
        _server: &'a ServerAddress,
        id: &'a BlobId,
        from: u64,
        length: u64,
    ) -> BoxFuture<'a, Result<Bytes, TransportError>> {
        Box::pin(async move {
            let state = lock(&self.state);
            let Some(blob) = state.blobs.get(id) else {
                return Err(Error::new(Code::BlobUnknown));
            };
            let (from, to) = (from as usize, (from + length) as usize);
            let piece = blob.1.get(from..to).ok_or(Error::new(Code::BlobRange))?;
            Ok(Bytes::copy_from_slice(piece))
        })
    }
}
