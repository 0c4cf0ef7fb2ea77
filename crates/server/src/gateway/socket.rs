//! One WebSocket connection: reading and writing at the same time from one task, without splitting it.
//!
//! What must stay true: a client that does not read is dropped after the write timeout, and until then no more
//! than one batch waits for it; nothing is read while the session has no room; a message that is no
//! binary message ends the connection.

use std::future::{Future as _, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::{Sink as _, Stream as _};
use tokio::time::{Instant, Sleep, sleep};
use tokio_websockets::{CloseCode, Config, Limits, Message, ServerBuilder, WebSocketStream};
use undertone_wire::{Code, frame, proto};

use super::stream::Stream;

/// The largest message before a connection has signed in or paid.
const STRANGER_MESSAGE_BYTES: usize = 64 * 1024;

/// A message that is longer than allowed by no more than this is read to its end, so that its sender can be told; at
/// anything longer the connection just closes.
const EXCESS_BYTES: usize = 64 * 1024;

/// A message that is at least this long is sent before more is put into it.
pub(super) const BATCH_BYTES: usize = 128 * 1024;

/// Pings that may wait for their pongs to be written.
const PINGS_AT_ONCE: u32 = 16;

/// What happened on the socket.
pub(super) enum Event {
    /// A binary message.
    Message(Bytes),
    /// The client closed, or the connection broke.
    Closed,
    /// The client sent something that is no binary message, or one that is too large.
    Refused(Code),
    /// What was to be written is written.
    Flushed,
    /// The client did not read for too long.
    Slow,
}

/// A connection after its upgrade.
pub(super) struct Socket {
    socket: WebSocketStream<Stream>,
    /// Frames to go out with the next [`Socket::flush`].
    pub(super) out: BytesMut,
    largest: usize,
    writing: bool,
    pings: u32,
    write_timeout: Duration,
    deadline: Option<Pin<Box<Sleep>>>,
}

fn read_limit(largest: usize) -> Limits {
    Limits::default().max_payload_len(Some(largest + EXCESS_BYTES))
}

impl Socket {
    pub(super) fn new(stream: Stream, write_timeout: Duration) -> Self {
        let socket = ServerBuilder::new()
            .config(Config::default())
            .limits(read_limit(STRANGER_MESSAGE_BYTES))
            .serve(stream);
        Self {
            socket,
            out: BytesMut::new(),
            largest: STRANGER_MESSAGE_BYTES,
            writing: false,
            pings: 0,
            write_timeout,
            deadline: None,
        }
    }

    /// Takes messages of the full size from here on.
    pub(super) fn trust_with_large_messages(&mut self) {
        self.largest = undertone_wire::limits::MESSAGE_BYTES;
        *self.socket.limits_mut() = read_limit(self.largest);
    }

    /// Whether something written before still waits for the client to read.
    pub(super) fn is_writing(&self) -> bool {
        self.writing
    }

    /// Adds a frame to what the next [`Socket::flush`] sends.
    pub(super) fn push(&mut self, body: proto::server_frame::Body) {
        // Nothing the server makes is larger than a frame; if it were, it is left out rather than sent broken.
        if frame::append(&mut self.out, &proto::ServerFrame { body: Some(body) }).is_err() {
            tracing::error!(code = Code::FrameTooLarge.as_str(), "frame not sent");
        }
    }

    /// Begins to send what was pushed; [`Socket::event`] finishes it. Call only while not [`Socket::is_writing`].
    pub(super) fn flush(&mut self) {
        if self.out.is_empty() {
            return;
        }
        let message = std::mem::take(&mut self.out).freeze();
        // A closed socket says so at the next event.
        let _ = Pin::new(&mut self.socket).start_send(Message::binary(message));
        self.writing = true;
    }

    /// Waits for the next event; reads only if `read`. Dropping the future loses nothing.
    pub(super) async fn event(&mut self, read: bool) -> Event {
        poll_fn(|cx| self.poll_event(cx, read)).await
    }

    fn poll_event(&mut self, cx: &mut Context<'_>, read: bool) -> Poll<Event> {
        if self.writing {
            match self.poll_write(cx) {
                Poll::Ready(event) => return Poll::Ready(event),
                Poll::Pending => {}
            }
        }
        if !read {
            return Poll::Pending;
        }
        loop {
            let message = match Pin::new(&mut self.socket).poll_next(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(None) => return Poll::Ready(Event::Closed),
                Poll::Ready(Some(Err(tokio_websockets::Error::PayloadTooLong { .. }))) => {
                    return Poll::Ready(Event::Refused(Code::FrameTooLarge));
                }
                Poll::Ready(Some(Err(tokio_websockets::Error::Protocol(_)))) => {
                    return Poll::Ready(Event::Refused(Code::FrameMalformed));
                }
                Poll::Ready(Some(Err(_))) => return Poll::Ready(Event::Closed),
                Poll::Ready(Some(Ok(message))) => message,
            };
            if message.is_binary() {
                let bytes = Bytes::from(message.into_payload());
                return Poll::Ready(if bytes.len() > self.largest {
                    Event::Refused(Code::FrameTooLarge)
                } else {
                    Event::Message(bytes)
                });
            }
            if message.is_close() {
                return Poll::Ready(Event::Closed);
            }
            if message.is_text() {
                return Poll::Ready(Event::Refused(Code::FrameMalformed));
            }
            if message.is_ping() {
                // The pong is queued by the library; it must be written, and the client must read it.
                self.pings += 1;
                if self.pings > PINGS_AT_ONCE {
                    return Poll::Ready(Event::Refused(Code::LimitRate));
                }
                self.writing = true;
                if let Poll::Ready(event) = self.poll_write(cx) {
                    return Poll::Ready(event);
                }
            }
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        match Pin::new(&mut self.socket).poll_flush(cx) {
            Poll::Ready(Ok(())) => {
                self.writing = false;
                self.pings = 0;
                self.deadline = None;
                Poll::Ready(Event::Flushed)
            }
            Poll::Ready(Err(_)) => Poll::Ready(Event::Closed),
            Poll::Pending => {
                let timeout = self.write_timeout;
                let deadline = self
                    .deadline
                    .get_or_insert_with(|| Box::pin(sleep(timeout)));
                deadline.as_mut().poll(cx).map(|()| Event::Slow)
            }
        }
    }

    /// Sends what was pushed and closes, within `limit`.
    pub(super) async fn close(mut self, code: CloseCode, limit: Duration) {
        let end = Instant::now() + limit;
        let finish = async {
            while self.writing {
                match self.event(false).await {
                    Event::Flushed => {}
                    _ => return,
                }
            }
            self.flush();
            let _ = Pin::new(&mut self.socket).start_send(Message::close(Some(code), ""));
            let _ = poll_fn(|cx| Pin::new(&mut self.socket).poll_flush(cx)).await;
            // What the client still sends is read and dropped: closing a socket with unread bytes would reset
            // the connection and take our last words with it.
            let _ = poll_fn(|cx| Pin::new(&mut self.socket).poll_close(cx)).await;
        };
        let _ = tokio::time::timeout_at(end, finish).await;
    }
}
