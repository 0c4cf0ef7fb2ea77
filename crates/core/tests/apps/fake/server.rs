//! A server in memory, with the real rules of queues, addresses, pools and channels, and with requests and responses that get
//! lost on demand.

mod blobs;
mod connection;
mod counts;
mod disorder;
mod faults;
mod rules;

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
    ids::{AddressHash, BlobHash, BlobId, ChannelId, Incarnation, Pin, QueueId, SendId, sha256},
    request::{AddressKind, Request, SealedKeyPackage},
    response::{
        Accepted, Announcement, Ephemeral, Item, ItemKind, Limits, Missed, Notice, QueueItem,
        Response, ServerHello, SignedIn, TakenKeyPackage, TokenCredit, TokenKey,
    },
    seal::{SealingKey, seal_item},
    secrets::{AddressSecret, Secret},
    tokens::{Token, TokenIssuer},
};

/// What a server that is up to no good answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nonsense {
    /// Every commit is for another epoch, namely the one that it is for.
    EpochOfOnesOwn,
    /// No channel is known, and none can be made because it exists.
    NoChannelThatExists,
    /// What is sent to a channel is answered as if it had been something else.
    OtherKind,
    /// Whatever is sent is too old for the very epoch that it is of.
    StaleForOnesOwn,
    /// Whatever is sent is for an epoch that the channel has not reached yet, as if the server had gone back.
    EpochBefore,
    /// No address has key packages, though each exists.
    NoPool,
}

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

/// Looking after what sends and commits refer to.
#[derive(Default)]
struct BlobChecks {
    /// So often it will not be there for long enough.
    end_soon: u32,
    refused: u64,
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
    uploads_break: u32,
    uploads_refused: Option<Code>,
    blob_checks: BlobChecks,
    blobs_read: u64,
    /// How often somebody came for a blob who was sent to another server.
    sought_elsewhere: u64,
    /// How often a piece of a blob was asked for, with or without a server.
    pieces_asked_for: u64,
    outboxes: Vec<Arc<Mutex<Line>>>,
    sign_ins: u64,
    unknown_tokens: u64,
    remembered: HashMap<SendId, Accepted>,
    taken: HashMap<SendId, Vec<Option<TakenKeyPackage>>>,
    spent: HashMap<[u8; 32], ()>,
    requests: u64,
    /// Request number -> what goes wrong.
    faults: HashMap<u64, Fault>,
    /// Every item goes into each queue so often.
    deliver_times: u32,
    online: bool,
    /// What it claims the time to be, from what it is.
    clock_off_s: i64,
    lose_next_to: Option<QueueId>,
    spoil_next_commit: bool,
    misname_next_commit: bool,
    damage_next_push: u32,
    /// Queues to which the next item comes after the one behind it.
    late: HashMap<QueueId, Option<QueueItem>>,
    /// The queue whose next item, or next direct one, is kept back.
    keep_back: Option<(QueueId, bool)>,
    /// What is kept back.
    kept_back: Option<(QueueId, QueueItem)>,
    /// How much time has passed for everybody, milliseconds.
    passed_ms: i64,
    /// Queues whose items stay where they are for now.
    held: Vec<QueueId>,
    /// Queues in the order they were registered in.
    registered: Vec<QueueId>,
    /// Sends that were refused as stale.
    stale: u64,
    /// Commits that came after another one.
    refused_commits: u64,
    /// Answers that were nonsense.
    lies: u64,
    /// The next so many sends and commits are refused with this.
    refuse_next: Option<(Code, u32)>,
    misdate_next_message: bool,
    lose_next_direct_to: Option<QueueId>,
    /// Hashes of the codes that owners of queues made.
    invitations: Vec<[u8; 32]>,
    /// Key rotations so far.
    rotations: u64,
    /// Where the newest direct item went, and the newest message of a channel.
    last_direct: Vec<AddressHash>,
    /// Payloads of all direct items.
    directs: Vec<Bytes>,
    last_message: Vec<AddressHash>,
    /// Queues that nothing reaches: who sends there is told so.
    unreachable: Vec<QueueId>,
    nonsense: Option<Nonsense>,
    /// Blobs can't be read at present.
    blobs_fail: bool,
    /// Messages that channels took.
    messages: u64,
    /// Copies of what is never stored that somebody was there for.
    ephemerals: u64,
    /// Addresses for key packages that somebody else will have been quicker to make.
    take_addresses: u32,
}

struct Line {
    role: Role,
    queue: Option<QueueId>,
    credit: u32,
    pushed: u64,
    keys_sent: Vec<undertone_wire::ids::KeyId>,
    ephemeral_credit: u32,
    /// What is never stored, for whoever is on this line now.
    ephemerals: VecDeque<Ephemeral>,
    notices: VecDeque<Notice>,
    open: bool,
    wake: Arc<tokio::sync::Notify>,
    challenge: [u8; 32],
}

/// The server, and somebody's way to it. Cheap to clone.
#[derive(Clone)]
pub struct FakeServer {
    state: Arc<Mutex<State>>,
    /// Of the apps that come by this way.
    inline_max: Option<usize>,
    /// Newest first.
    issuers: Arc<Mutex<Vec<Arc<TokenIssuer>>>>,
    /// Answers to commits and messages are held back.
    answers_held: Arc<tokio::sync::watch::Sender<bool>>,
    /// So many more pieces of blobs go; None: all do.
    pieces_left: Arc<tokio::sync::watch::Sender<Option<u64>>>,
    /// Nothing more leaves through this way.
    cut: Arc<std::sync::atomic::AtomicBool>,
    pub address: ServerAddress,
}

/// Requests to all servers of this process.
static ASKED: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);

/// How many there were so far.
pub fn asked() -> u64 {
    ASKED.load(std::sync::atomic::Ordering::SeqCst)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn new_temporary_issuer() -> Arc<TokenIssuer> {
    let issuer = TokenIssuer::from_seed(&Secret::random()).expect("an issuer");
    Arc::new(issuer.for_temporary_queues())
}

fn new_issuer() -> Arc<TokenIssuer> {
    Arc::new(TokenIssuer::from_seed(&Secret::random()).expect("an issuer"))
}

impl FakeServer {
    pub fn new() -> Self {
        Self {
            state: Arc::new(Mutex::new(State {
                incarnation: Incarnation::random(),
                queues: HashMap::new(),
                addresses: HashMap::new(),
                old_names: HashMap::new(),
                pools: HashMap::new(),
                channels: HashMap::new(),
                blobs: HashMap::new(),
                uploads_break: 0,
                uploads_refused: None,
                blob_checks: BlobChecks::default(),
                blobs_read: 0,
                sought_elsewhere: 0,
                pieces_asked_for: 0,
                outboxes: Vec::new(),
                sign_ins: 0,
                unknown_tokens: 0,
                remembered: HashMap::new(),
                taken: HashMap::new(),
                spent: HashMap::new(),
                requests: 0,
                faults: HashMap::new(),
                deliver_times: 1,
                online: true,
                clock_off_s: 0,
                lose_next_to: None,
                spoil_next_commit: false,
                misname_next_commit: false,
                damage_next_push: 0,
                late: HashMap::new(),
                keep_back: None,
                kept_back: None,
                passed_ms: 0,
                held: Vec::new(),
                registered: Vec::new(),
                stale: 0,
                refused_commits: 0,
                lies: 0,
                refuse_next: None,
                misdate_next_message: false,
                lose_next_direct_to: None,
                invitations: Vec::new(),
                rotations: 0,
                last_direct: Vec::new(),
                directs: Vec::new(),
                last_message: Vec::new(),
                unreachable: Vec::new(),
                nonsense: None,
                blobs_fail: false,
                messages: 0,
                ephemerals: 0,
                take_addresses: 0,
            })),
            inline_max: None,
            answers_held: Arc::new(tokio::sync::watch::Sender::new(false)),
            pieces_left: Arc::new(tokio::sync::watch::Sender::new(None)),
            issuers: Arc::new(Mutex::new(vec![new_issuer(), new_issuer()])),
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

    /// A way to the same server for apps that put larger commits and Welcomes into blobs.
    pub fn with_inline_max(&self, bytes: usize) -> Self {
        Self {
            inline_max: Some(bytes),
            ..self.clone()
        }
    }

    pub fn inline_max(&self) -> Option<usize> {
        self.inline_max
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

    /// What channels are sent is done at once, but nobody gets an answer until [`FakeServer::let_answers_go`]: what comes of it is sooner in
    /// the queues.
    pub fn hold_answers(&self) {
        self.answers_held.send_replace(true);
    }

    /// Answers again.
    pub fn let_answers_go(&self) {
        self.answers_held.send_replace(false);
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

    /// Commits that were refused because another one was first.
    pub fn refused_commits(&self) -> u64 {
        lock(&self.state).refused_commits
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

    /// Nothing reaches this queue, and whoever sends there is told so; or everything does again.
    pub fn set_reachable(&self, queue: QueueId, reachable: bool) {
        let mut state = lock(&self.state);
        state.unreachable.retain(|other| *other != queue);
        if !reachable {
            state.unreachable.push(queue);
        }
    }

    /// From now on it answers so.
    pub fn answer_with(&self, nonsense: Option<Nonsense>) {
        lock(&self.state).nonsense = nonsense;
    }

    /// Blobs can't be read, or can again.
    pub fn set_blobs_fail(&self, fail: bool) {
        lock(&self.state).blobs_fail = fail;
    }

    /// Messages that channels took so far.
    pub fn messages(&self) -> u64 {
        lock(&self.state).messages
    }

    /// From now on it claims that the time is another one.
    pub fn set_clock_off_s(&self, off_s: i64) {
        lock(&self.state).clock_off_s = off_s;
    }

    /// Payloads of all direct items so far.
    pub fn directs(&self) -> Vec<Bytes> {
        lock(&self.state).directs.clone()
    }

    /// The server puts a direct item of its own at every address that there is.
    pub fn answer_everybody(&self, payload: Bytes) {
        lock(&self.state).direct_to_all(&payload, None);
    }

    /// The same, with its body in this blob.
    pub fn refer_everybody(&self, payload: Bytes, blob: &BlobId) {
        lock(&self.state).direct_to_all(&payload, Some(blob.hash()));
    }

    /// Somebody sends a direct item, which an app did not make.
    pub fn send_direct(&self, to: &AddressSecret, payload: Bytes) {
        lock(&self.state).direct_item(std::slice::from_ref(to), &payload, None);
    }

    /// Takes a key package, as anybody can who knows the address.
    pub fn take_key_package(&self, address: &AddressSecret) -> Bytes {
        let mut state = lock(&self.state);
        let hash = state.resolve(address).expect("an address");
        let pool = state.pools.get_mut(&hash).expect("a pool");
        pool.one_time.pop_front().expect("a key package").sealed
    }

    /// Channels take messages of every epoch that they had so far.
    pub fn take_what_is_old(&self) {
        for channel in lock(&self.state).channels.values_mut() {
            channel.min_send_epoch = 0;
        }
    }

    /// Whether there is such a channel.
    pub fn has_channel(&self, channel: &ChannelId) -> bool {
        lock(&self.state).channels.contains_key(channel)
    }

    /// Loses all blobs.
    pub fn lose_blobs(&self) -> usize {
        std::mem::take(&mut lock(&self.state).blobs).len()
    }

    /// A new week: there is a new key, and the one before is honoured. Those who are signed in are told, or not.
    pub fn new_week(&self, tell: bool) {
        lock(&self.issuers).insert(0, new_issuer());
        lock(&self.issuers).truncate(2);
        if tell {
            self.tell_token_keys();
        }
    }

    /// A key for temporary queues is there too, and nobody who is signed in is told of it.
    pub fn show_a_temporary_key(&self) {
        lock(&self.issuers).push(new_temporary_issuer());
    }

    /// The keys are new, and the tokens of everybody are issued under one for temporary queues.
    pub fn issue_temporary_tokens_only(&self) {
        *lock(&self.issuers) = vec![new_temporary_issuer(), new_issuer(), new_issuer()];
        self.tell_token_keys();
    }

    /// Tells those who are signed in which keys there are.
    pub fn tell_token_keys(&self) {
        let keys = self.token_keys();
        for queue in lock(&self.state).queues.values() {
            if let Some(line) = &queue.line {
                let mut line = lock(line);
                line.notices
                    .push_back(Notice::TokenKeysChanged(keys.clone()));
                line.wake.notify_one();
            }
        }
    }

    /// The operator tells everybody who is signed in this, and nothing else any more.
    pub fn announce(&self, all: &[Announcement]) {
        for queue in lock(&self.state).queues.values() {
            if let Some(line) = &queue.line {
                let mut line = lock(line);
                line.notices.push_back(Notice::Announcements(all.to_vec()));
                line.wake.notify_one();
            }
        }
    }

    fn token_keys(&self) -> Vec<TokenKey> {
        let issuers = lock(&self.issuers);
        issuers.iter().map(|issuer| *issuer.key()).collect()
    }

    /// Cuts all anonymous connections.
    pub fn cut_outboxes(&self) {
        for line in std::mem::take(&mut lock(&self.state).outboxes) {
            let mut line = lock(&line);
            line.open = false;
            line.wake.notify_one();
        }
    }

    /// Sign-ins so far, and tokens of keys that are not honoured.
    pub fn sign_ins(&self) -> (u64, u64) {
        let state = lock(&self.state);
        (state.sign_ins, state.unknown_tokens)
    }

    /// As after `restore`: every queue has a new incarnation and begins anew, channels and addresses are gone, tokens have new keys.
    pub fn restore_from_backup(&self) {
        self.set_online(false);
        *lock(&self.issuers) = vec![new_issuer(), new_issuer()];
        let mut state = lock(&self.state);
        state.spent.clear();
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
}
