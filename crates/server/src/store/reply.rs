//! The answer to a submitted call.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake};
use std::thread;

use tokio::sync::oneshot;

use super::StoreError;

/// Resolves when a store can take more work.
pub type Ready<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// The outcome of a call to the store; a future. May be awaited on any runtime, or with [`Reply::wait`] on none.
#[must_use = "a write is durable only once its reply has come"]
pub struct Reply<T>(Inner<T>);

enum Inner<T> {
    Known(Option<Result<T, StoreError>>),
    Coming(oneshot::Receiver<Result<T, StoreError>>),
}

/// The side that answers. Dropping it unanswered answers [`StoreError::Closed`].
pub struct Responder<T>(oneshot::Sender<Result<T, StoreError>>);

/// A reply and the side that answers it.
pub fn reply<T>() -> (Responder<T>, Reply<T>) {
    let (sender, receiver) = oneshot::channel();
    (Responder(sender), Reply(Inner::Coming(receiver)))
}

impl<T> Responder<T> {
    /// Answers. That nobody listens any more is no error.
    pub fn answer(self, outcome: Result<T, StoreError>) {
        drop(self.0.send(outcome));
    }
}

impl<T> Reply<T> {
    /// A reply that is known already.
    pub fn known(outcome: Result<T, StoreError>) -> Self {
        Self(Inner::Known(Some(outcome)))
    }

    /// Blocks the thread until the answer is there; for threads that are nobody else's.
    pub fn wait(mut self) -> Result<T, StoreError>
    where
        T: Unpin,
    {
        let waker = Arc::new(Unpark(thread::current())).into();
        let mut context = Context::from_waker(&waker);
        loop {
            if let Poll::Ready(outcome) = Pin::new(&mut self).poll(&mut context) {
                return outcome;
            }
            thread::park();
        }
    }
}

struct Unpark(thread::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

impl<T: Unpin> Future for Reply<T> {
    type Output = Result<T, StoreError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            Inner::Known(outcome) => Poll::Ready(outcome.take().unwrap_or(Err(StoreError::Closed))),
            Inner::Coming(receiver) => Pin::new(receiver)
                .poll(context)
                .map(|answer| answer.unwrap_or(Err(StoreError::Closed))),
        }
    }
}
