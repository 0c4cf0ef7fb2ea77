//! One open connection: pipelined requests, pushes, credit and acks.
//!
//! A writer task and a reader task belong to a [`SocketConnection`] and are gone with it. What is queued anywhere is bounded:
//! requests by [`MOST_IN_FLIGHT`], items by the credit that was given, everything else a server pushes by [`MOST_NOTICES`]; a server
//! that pushes more is cut off.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use bytes::Bytes;
use futures_util::StreamExt as _;
use tokio::{
    sync::{Mutex as AsyncMutex, Notify, Semaphore, mpsc, oneshot, watch},
    task::JoinSet,
    time::timeout,
};
use undertone_wire::{
    Class, Code, Error, frame,
    request::Request,
    response::{Response, ServerHello},
};

use super::{
    connect::{Greeted, Timing},
    read, write,
};
use crate::transport::{BoxFuture, Connection, Push};

/// Requests that wait for a response at the same time; more wait their turn.
pub const MOST_IN_FLIGHT: usize = 1024;
/// Sealing keys and notices that wait to be taken.
pub(super) const MOST_NOTICES: usize = 1024;

type Outcome = Result<Response, Error>;

/// What the handle and its two tasks share.
pub(super) struct Shared {
    /// None once the connection has ended.
    pending: Mutex<Option<HashMap<u64, oneshot::Sender<Outcome>>>>,
    ended: OnceLock<Error>,
    /// True from `close` or the end on.
    pub(super) closing: watch::Sender<bool>,
    /// True once the server takes large messages: after signing in or the first token.
    pub(super) admitted: watch::Sender<bool>,
    /// Wakes the writer for what the next three say.
    pub(super) control: Notify,
    pub(super) credit_to_give: AtomicU64,
    pub(super) ephemerals_to_give: AtomicU64,
    pub(super) ack: AtomicU64,
    /// Items the server may still push.
    pub(super) credit_given: AtomicU64,
    /// Ephemerals the server may still push.
    pub(super) ephemerals_given: AtomicU64,
    /// Pushes other than items that nobody has taken yet.
    pub(super) notices_waiting: AtomicU64,
    in_flight: Semaphore,
}

impl Shared {
    fn new() -> Self {
        Self {
            pending: Mutex::new(Some(HashMap::new())),
            ended: OnceLock::new(),
            closing: watch::Sender::new(false),
            admitted: watch::Sender::new(false),
            control: Notify::new(),
            credit_to_give: AtomicU64::new(0),
            ephemerals_to_give: AtomicU64::new(0),
            ephemerals_given: AtomicU64::new(0),
            ack: AtomicU64::new(0),
            credit_given: AtomicU64::new(0),
            notices_waiting: AtomicU64::new(0),
            in_flight: Semaphore::new(MOST_IN_FLIGHT),
        }
    }

    fn pending(&self) -> MutexGuard<'_, Option<HashMap<u64, oneshot::Sender<Outcome>>>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the connection: the first reason given counts.
    pub(super) fn end(&self, reason: Error) {
        self.ended.get_or_init(|| reason);
        let pending = self.pending().take();
        for (_, waiting) in pending.into_iter().flatten() {
            // Whoever stopped waiting does not mind.
            let _ = waiting.send(Err(self.lost()));
        }
        self.in_flight.close();
        self.closing.send_replace(true);
    }

    /// Why it ended.
    fn reason(&self) -> Error {
        self.ended
            .get()
            .copied()
            .unwrap_or(Error::new(Code::ConnectionLost))
    }

    /// What every waiting and later request answers once the connection has ended. A server that refuses the connection as a whole
    /// has refused none of the requests on it: whoever made one must neither give it up nor try again on this connection.
    fn lost(&self) -> Error {
        let reason = self.reason();
        if reason.code.is_local() || reason.class == Class::RetryLater {
            return reason;
        }
        Error::retry_after(Code::ConnectionLost, reason.retry_after_s)
    }

    /// Hands a response to whoever waits for it. One that nobody waits for any more is dropped.
    pub(super) fn respond(&self, id: u64, outcome: Outcome) {
        if matches!(
            outcome,
            Ok(Response::SignedIn(_) | Response::TokenCredit(_))
        ) {
            self.admitted.send_replace(true);
        }
        let waiting = self
            .pending()
            .as_mut()
            .and_then(|pending| pending.remove(&id));
        if let Some(waiting) = waiting {
            let _ = waiting.send(outcome);
        }
    }
}

/// Forgets a request whose caller stopped waiting.
struct Waiting<'a> {
    shared: &'a Shared,
    id: u64,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if let Some(pending) = self.shared.pending().as_mut() {
            pending.remove(&self.id);
        }
    }
}

/// An open connection over TLS and WebSocket.
pub struct SocketConnection {
    hello: ServerHello,
    timing: Timing,
    shared: Arc<Shared>,
    next_id: AtomicU64,
    frames: mpsc::Sender<Bytes>,
    pushes: AsyncMutex<mpsc::UnboundedReceiver<Push>>,
    /// Aborted when dropped.
    _tasks: JoinSet<()>,
}

impl SocketConnection {
    pub(super) fn start(greeted: Greeted, timing: Timing) -> Self {
        let shared = Arc::new(Shared::new());
        let (frames, to_write) = mpsc::channel(MOST_IN_FLIGHT);
        let (to_take, pushes) = mpsc::unbounded_channel();
        let (sink, stream) = greeted.socket.split();
        let mut tasks = JoinSet::new();
        tasks.spawn(write::run(sink, to_write, shared.clone(), timing));
        tasks.spawn(read::run(
            stream,
            greeted.rest,
            to_take,
            shared.clone(),
            timing,
        ));
        Self {
            hello: greeted.hello,
            timing,
            shared,
            next_id: AtomicU64::new(1),
            frames,
            pushes: AsyncMutex::new(pushes),
            _tasks: tasks,
        }
    }

    async fn send_and_wait(&self, request: Request) -> Outcome {
        // First come, first served: requests go out in the order in which they were first polled.
        let _permit = self
            .shared
            .in_flight
            .acquire()
            .await
            .map_err(|_| self.shared.lost())?;
        let id = self.next_id.fetch_add(1, Relaxed);
        let frame = frame::message(&request.to_frame(id))?;
        drop(request);
        let (sender, response) = oneshot::channel();
        match self.shared.pending().as_mut() {
            Some(pending) => pending.insert(id, sender),
            None => return Err(self.shared.lost()),
        };
        let _waiting = Waiting {
            shared: &self.shared,
            id,
        };
        let exchange = async {
            self.frames
                .send(frame)
                .await
                .map_err(|_| self.shared.lost())?;
            response.await.unwrap_or_else(|_| Err(self.shared.lost()))
        };
        timeout(self.timing.request, exchange)
            .await
            .unwrap_or(Err(Error::new(Code::ConnectionTimeout)))
    }

    fn still_open(&self) -> Result<(), Error> {
        if *self.shared.closing.borrow() {
            Err(self.shared.reason())
        } else {
            Ok(())
        }
    }
}

impl Connection for SocketConnection {
    fn hello(&self) -> &ServerHello {
        &self.hello
    }

    fn request(&self, request: Request) -> BoxFuture<'_, Outcome> {
        Box::pin(self.send_and_wait(request))
    }

    fn next_push(&self) -> BoxFuture<'_, Result<Push, Error>> {
        Box::pin(async {
            let push = self.pushes.lock().await.recv().await;
            if matches!(push, Some(Push::SealKey(_) | Push::Notice(_))) {
                self.shared.notices_waiting.fetch_sub(1, Relaxed);
            }
            push.ok_or_else(|| self.shared.reason())
        })
    }

    fn credit(&self, items: u32) -> BoxFuture<'_, Result<(), Error>> {
        let open = self.still_open();
        if open.is_ok() {
            self.shared.credit_given.fetch_add(items.into(), Relaxed);
            self.shared.credit_to_give.fetch_add(items.into(), Relaxed);
            self.shared.control.notify_one();
        }
        Box::pin(std::future::ready(open))
    }

    fn ephemeral_credit(&self, more: u32) -> BoxFuture<'_, Result<(), Error>> {
        let open = self.still_open();
        if open.is_ok() {
            self.shared.ephemerals_given.fetch_add(more.into(), Relaxed);
            self.shared
                .ephemerals_to_give
                .fetch_add(more.into(), Relaxed);
            self.shared.control.notify_one();
        }
        Box::pin(std::future::ready(open))
    }

    fn ack(&self, sequence: u64) -> BoxFuture<'_, Result<(), Error>> {
        let open = self.still_open();
        if open.is_ok() {
            self.shared.ack.fetch_max(sequence, Relaxed);
            self.shared.control.notify_one();
        }
        Box::pin(std::future::ready(open))
    }

    fn close(&self) {
        self.shared.end(Error::new(Code::ConnectionLost));
    }
}
