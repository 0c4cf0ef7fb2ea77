//! One WebSocket connection: reading and writing at the same time from one task, without splitting it.
//!
//! What must stay true: an idle connection keeps no buffer; a client that does not read is dropped after the write timeout, and until then no more
//! than one batch waits for it; nothing is read while the session has no room; a message that is no
//! binary message ends the connection.

use std::future::{Future as _, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use tokio::io::AsyncWrite as _;
use tokio::time::{Instant, Sleep, sleep};
use undertone_wire::{Code, frame, proto};

use super::stream::Stream;
use super::websocket::{self, CloseCode, HEADER_SPACE, Messages, Received};

/// The largest message before a connection has signed in or paid.
const STRANGER_MESSAGE_BYTES: usize = 64 * 1024;

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
    stream: Stream,
    messages: Messages,
    /// Frames to go out with the next [`Socket::flush`], behind room for the message's header.
    out: BytesMut,
    /// Bytes on their way.
    sending: BytesMut,
    writing: bool,
    pings: u32,
    write_timeout: Duration,
    deadline: Option<Pin<Box<Sleep>>>,
}

impl Socket {
    pub(super) fn new(stream: Stream, write_timeout: Duration) -> Self {
        Self {
            stream,
            messages: Messages::new(STRANGER_MESSAGE_BYTES),
            out: BytesMut::new(),
            sending: BytesMut::new(),
            writing: false,
            pings: 0,
            write_timeout,
            deadline: None,
        }
    }

    /// Takes messages of the full size from here on.
    pub(super) fn trust_with_large_messages(&mut self) {
        self.messages
            .set_largest(undertone_wire::limits::MESSAGE_BYTES);
    }

    /// Whether something written before still waits for the client to read.
    pub(super) fn is_writing(&self) -> bool {
        self.writing
    }

    /// Whether more may be put into the next message.
    pub(super) fn has_room(&self) -> bool {
        self.out.len() < BATCH_BYTES
    }

    /// Adds a frame to what the next [`Socket::flush`] sends.
    pub(super) fn push(&mut self, body: proto::server_frame::Body) {
        if self.out.is_empty() {
            self.out.resize(HEADER_SPACE, 0);
        }
        // Nothing the server makes is larger than a frame; if it were, it is left out rather than sent broken.
        if frame::append(&mut self.out, &proto::ServerFrame { body: Some(body) }).is_err() {
            tracing::error!(code = Code::FrameTooLarge.as_str(), "frame not sent");
        }
    }

    /// Begins to send what was pushed; [`Socket::event`] finishes it. Call only while not [`Socket::is_writing`].
    pub(super) fn flush(&mut self) {
        if self.out.len() <= HEADER_SPACE {
            return;
        }
        let mut message = std::mem::take(&mut self.out);
        websocket::seal_message(&mut message);
        if self.sending.is_empty() {
            self.sending = message;
        } else {
            self.sending.extend_from_slice(&message);
        }
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
            let received = self
                .messages
                .poll_next(cx, &mut self.stream, &mut self.sending);
            // Pongs may have been added.
            self.writing |= !self.sending.is_empty();
            match received {
                Poll::Ready(Ok(Received::Message(message))) => {
                    return Poll::Ready(Event::Message(message));
                }
                Poll::Ready(Ok(Received::Ping)) => {
                    // The client must read its pongs.
                    self.pings += 1;
                    if self.pings > PINGS_AT_ONCE {
                        return Poll::Ready(Event::Refused(Code::LimitRate));
                    }
                }
                Poll::Ready(Ok(Received::Close)) => {
                    // The answer to a close goes out if the client reads.
                    let _ = self.poll_send(cx);
                    return Poll::Ready(Event::Closed);
                }
                Poll::Ready(Err(code)) => return Poll::Ready(Event::Refused(code)),
                Poll::Pending if self.writing => return self.poll_write(cx),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        match self.poll_send(cx) {
            Poll::Ready(Ok(())) => {
                self.writing = false;
                self.pings = 0;
                self.deadline = None;
                self.sending = BytesMut::new();
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

    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        while !self.sending.is_empty() {
            let count = ready!(Pin::new(&mut self.stream).poll_write(cx, &self.sending))?;
            if count == 0 {
                return Poll::Ready(Err(std::io::ErrorKind::WriteZero.into()));
            }
            self.sending.advance(count);
        }
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    /// Sends what was pushed and closes, within `limit`.
    pub(super) async fn close(mut self, code: CloseCode, limit: Duration) {
        let end = Instant::now() + limit;
        let finish = async {
            self.flush();
            self.messages.append_close(&mut self.sending, code);
            if poll_fn(|cx| self.poll_send(cx)).await.is_err() {
                return;
            }
            // What the client still sends is read and dropped until it has closed too: closing a socket with unread bytes
            // would reset the connection and take our last words with it.
            self.drain().await;
            let _ = poll_fn(|cx| Pin::new(&mut self.stream).poll_shutdown(cx)).await;
        };
        let _ = tokio::time::timeout_at(end, finish).await;
    }

    async fn drain(&mut self) {
        let mut answers = BytesMut::new();
        loop {
            let next = poll_fn(|cx| self.messages.poll_next(cx, &mut self.stream, &mut answers));
            match next.await {
                Ok(Received::Close) => return,
                Ok(_) => answers.clear(),
                // Behind broken bytes no frame can be found, only the end of the connection.
                Err(_) => break,
            }
        }
        while let Ok(1..) =
            poll_fn(|cx| websocket::poll_read(cx, &mut self.stream, <[u8]>::len)).await
        {}
    }
}
