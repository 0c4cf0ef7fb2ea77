//! WebSocket (RFC 6455) without a buffer for every connection.
//!
//! The protocol is tungstenite's: frames, masks, fragments, pings and closing. What is here lends it to a connection
//! only while something is on its way: the library keeps its buffers for as long as it lives, and what was read for one
//! large message would stay with a connection that is quiet ever after. So bytes are first read to where the whole
//! thread reads to; when some came, the library is made around them, and when all of them are used up it goes again.
//! It tells the `log` crate what it reads, at a level and to a place where this program has put no ear.
//!
//! What must stay true: an idle connection keeps nothing; nothing is allocated for a length that is not allowed; what
//! the library writes by itself (pongs, the answer to a close) goes in whole frames behind what is being sent.

use std::cell::RefCell;
use std::io::{self, ErrorKind, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes, BytesMut};
use tokio::io::{AsyncRead, ReadBuf};
use tungstenite::protocol::frame::coding::{CloseCode as WireCloseCode, Data, OpCode};
use tungstenite::protocol::frame::{CloseFrame, FrameHeader, Utf8Bytes};
use tungstenite::protocol::{Role, WebSocketConfig, WebSocketContext};
use tungstenite::{Error, Message};
use undertone_wire::Code;

/// The longest header of a frame that a server sends.
pub(super) const HEADER_SPACE: usize = 10;

/// Bytes read from a connection at once.
const READ_BYTES: usize = 32 * 1024;

/// Bytes read at once while a message is incomplete.
const MORE_BYTES: usize = 4 * 1024;

thread_local! {
    /// Where bytes are read to: one for each thread instead of one for each connection.
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_BYTES]);
}

/// Why the server closes (RFC 6455 section 7.4.1 and the IANA registry).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CloseCode {
    /// Done.
    Normal,
    /// The client broke the rules.
    PolicyViolation,
    /// The server restarts.
    ServiceRestart,
}

impl From<CloseCode> for WireCloseCode {
    fn from(code: CloseCode) -> Self {
        match code {
            CloseCode::Normal => Self::Normal,
            CloseCode::PolicyViolation => Self::Policy,
            CloseCode::ServiceRestart => Self::Restart,
        }
    }
}

/// What a client sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Received {
    /// A whole binary message.
    Message(Bytes),
    /// A ping; its pong goes out with what is sent next.
    Ping,
    /// The client closes, or the connection ended.
    Close,
}

/// A connection's messages.
pub(super) struct Messages {
    /// The longest message allowed.
    largest: usize,
    /// There while something is incomplete or not asked for yet.
    context: Option<Box<WebSocketContext>>,
    /// Bytes that this context was given.
    given: u64,
    /// At most so many of them were in what it gave back: fewer when a client cut its messages into fragments. Only when
    /// both are the same is it known that nothing is left in it.
    used: u64,
}

impl Messages {
    /// Takes messages of up to `largest` bytes.
    pub(super) fn new(largest: usize) -> Self {
        Self {
            largest,
            context: None,
            given: 0,
            used: 0,
        }
    }

    /// Takes messages of up to `largest` bytes from here on.
    pub(super) fn set_largest(&mut self, largest: usize) {
        self.largest = largest;
        if let Some(context) = &mut self.context {
            context.set_config(|config| *config = configuration(largest));
        }
    }

    fn context(&mut self) -> &mut WebSocketContext {
        let largest = self.largest;
        self.context.get_or_insert_with(|| {
            Box::new(WebSocketContext::new(
                Role::Server,
                Some(configuration(largest)),
            ))
        })
    }

    /// The next thing the client sent. What has to be answered is appended to `answers`.
    ///
    /// # Errors
    /// [`Code::FrameTooLarge`] or [`Code::FrameMalformed`]; nothing sensible follows then.
    pub(super) fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
        stream: &mut (impl AsyncRead + Unpin),
        answers: &mut BytesMut,
    ) -> Poll<Result<Received, Code>> {
        loop {
            let Some(context) = &mut self.context else {
                let part = match ready!(poll_read(cx, stream, <[u8]>::to_vec)) {
                    Ok(part) if !part.is_empty() => part,
                    _ => return Poll::Ready(Ok(Received::Close)),
                };
                self.given = part.len() as u64;
                self.used = 0;
                let config = Some(configuration(self.largest));
                self.context = Some(Box::new(WebSocketContext::from_partially_read(
                    part,
                    Role::Server,
                    config,
                )));
                continue;
            };
            let mut wire = Wire {
                cx,
                stream,
                answers,
                given: &mut self.given,
            };
            match context.read(&mut wire) {
                Ok(Message::Binary(message)) => {
                    self.used += frame_bytes(message.len());
                    return Poll::Ready(Ok(Received::Message(alone(message))));
                }
                Ok(Message::Ping(payload)) => {
                    self.used += frame_bytes(payload.len());
                    return Poll::Ready(Ok(Received::Ping));
                }
                Ok(Message::Pong(payload)) => self.used += frame_bytes(payload.len()),
                Ok(Message::Close(_)) => {
                    // Writes the answer; there is nothing more to come.
                    let _ = context.flush(&mut wire);
                    return Poll::Ready(Ok(Received::Close));
                }
                // This protocol has no text; bare frames are never read.
                Ok(Message::Text(_) | Message::Frame(_)) => {
                    return Poll::Ready(Err(Code::FrameMalformed));
                }
                Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => {
                    // One that has sent a close must know the answer to it.
                    if self.given == self.used && context.can_write() {
                        self.context = None;
                    }
                    return Poll::Pending;
                }
                Err(Error::Io(_) | Error::ConnectionClosed | Error::AlreadyClosed) => {
                    return Poll::Ready(Ok(Received::Close));
                }
                Err(Error::Protocol(
                    tungstenite::error::ProtocolError::ResetWithoutClosingHandshake,
                )) => return Poll::Ready(Ok(Received::Close)),
                Err(Error::Capacity(_)) => return Poll::Ready(Err(Code::FrameTooLarge)),
                Err(_) => return Poll::Ready(Err(Code::FrameMalformed)),
            }
        }
    }

    /// Appends a close frame to `sending`.
    pub(super) fn append_close(&mut self, sending: &mut BytesMut, code: CloseCode) {
        let frame = CloseFrame {
            code: code.into(),
            reason: Utf8Bytes::default(),
        };
        // Fails only where the client closed first, and then it has its answer.
        let _ = self
            .context()
            .close(&mut WriteOnly { sending }, Some(frame));
    }
}

/// Limits of what is read. Nothing is written that waits in the library's own buffer.
fn configuration(largest: usize) -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(MORE_BYTES)
        .write_buffer_size(0)
        .max_message_size(Some(largest))
        .max_frame_size(Some(largest))
}

/// The bytes of a client's frame whose length is written in the shortest way.
fn frame_bytes(payload: usize) -> u64 {
    let header = FrameHeader {
        mask: Some([0; 4]),
        ..FrameHeader::default()
    };
    (header.len(payload as u64) + payload) as u64
}

/// A message shares memory with what was read together with it. One that waits should keep none of its neighbours', so it
/// is copied unless it is most of what was read.
fn alone(message: Bytes) -> Bytes {
    if message.len() < READ_BYTES / 2 {
        Bytes::copy_from_slice(&message)
    } else {
        message
    }
}

/// Reads once to where the thread reads to; `take` is given the bytes, none at the end of the connection.
pub(super) fn poll_read<T>(
    cx: &mut Context<'_>,
    stream: &mut (impl AsyncRead + Unpin),
    take: impl FnOnce(&[u8]) -> T,
) -> Poll<io::Result<T>> {
    SCRATCH.with_borrow_mut(|scratch| {
        let mut read = ReadBuf::new(scratch);
        ready!(Pin::new(stream).poll_read(cx, &mut read))?;
        Poll::Ready(Ok(take(read.filled())))
    })
}

/// The connection as the library wants it: bytes that are not there yet are [`ErrorKind::WouldBlock`].
struct Wire<'a, 'cx, S> {
    cx: &'a mut Context<'cx>,
    stream: &'a mut S,
    answers: &'a mut BytesMut,
    given: &'a mut u64,
}

impl<S: AsyncRead + Unpin> Read for Wire<'_, '_, S> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let mut read = ReadBuf::new(bytes);
        match Pin::new(&mut *self.stream).poll_read(self.cx, &mut read) {
            Poll::Pending => Err(ErrorKind::WouldBlock.into()),
            Poll::Ready(result) => {
                result?;
                *self.given += read.filled().len() as u64;
                Ok(read.filled().len())
            }
        }
    }
}

impl<S> Write for Wire<'_, '_, S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.answers.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Takes what the library writes; there is nothing to read.
struct WriteOnly<'a> {
    sending: &'a mut BytesMut,
}

impl Read for WriteOnly<'_> {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(ErrorKind::WouldBlock.into())
    }
}

impl Write for WriteOnly<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.sending.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Puts the header of a binary message in front of its payload. `message` begins with [`HEADER_SPACE`] bytes to spare.
pub(super) fn seal_message(message: &mut BytesMut) {
    let payload = (message.len() - HEADER_SPACE) as u64;
    let header = FrameHeader {
        opcode: OpCode::Data(Data::Binary),
        ..FrameHeader::default()
    };
    message.advance(HEADER_SPACE - header.len(payload));
    let written = header.format(payload, &mut &mut message[..]);
    debug_assert!(written.is_ok(), "the header fits into its own length");
}

#[cfg(test)]
mod tests {
    use bytes::BufMut as _;
    use proptest::prelude::*;

    use super::*;

    /// A connection on which `bytes` come in parts of at most `step`, and more may come later.
    struct Parts<'a> {
        bytes: &'a [u8],
        step: usize,
        ended: bool,
        /// Every other read finds nothing.
        pause: bool,
    }

    impl AsyncRead for Parts<'_> {
        fn poll_read(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            read: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            self.pause = !self.pause;
            if self.pause || (self.bytes.is_empty() && !self.ended) {
                return Poll::Pending;
            }
            let (now, later) = self
                .bytes
                .split_at(self.bytes.len().min(self.step).min(read.remaining()));
            read.put_slice(now);
            self.bytes = later;
            Poll::Ready(Ok(()))
        }
    }

    /// Everything that comes of `bytes` that arrive in parts of `step`, what is answered, and the error at the end of it.
    fn receive(
        messages: &mut Messages,
        bytes: &[u8],
        step: usize,
    ) -> (Vec<Received>, BytesMut, Option<Code>) {
        let mut stream = Parts {
            bytes,
            step,
            ended: false,
            pause: false,
        };
        let mut answers = BytesMut::new();
        let mut received = Vec::new();
        let mut cx = Context::from_waker(std::task::Waker::noop());
        loop {
            match messages.poll_next(&mut cx, &mut stream, &mut answers) {
                Poll::Ready(Ok(Received::Close)) => {
                    received.push(Received::Close);
                    return (received, answers, None);
                }
                Poll::Ready(Ok(next)) => received.push(next),
                Poll::Ready(Err(code)) => return (received, answers, Some(code)),
                Poll::Pending if stream.bytes.is_empty() && stream.pause => {
                    return (received, answers, None);
                }
                Poll::Pending => {}
            }
        }
    }

    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mask = [1, 2, 3, 4];
        let mut bytes = BytesMut::new();
        bytes.put_u8(first);
        match payload.len() {
            short @ 0..126 => bytes.put_u8(0x80 | u8::try_from(short).expect("short")),
            long @ 126..65_536 => {
                bytes.put_u8(0x80 | 126);
                bytes.put_u16(u16::try_from(long).expect("long"));
            }
            long => {
                bytes.put_u8(0x80 | 127);
                bytes.put_u64(long as u64);
            }
        }
        bytes.put_slice(&mask);
        bytes.extend(
            payload
                .iter()
                .zip(mask.iter().cycle())
                .map(|(byte, mask)| byte ^ mask),
        );
        bytes.to_vec()
    }

    #[test]
    fn messages_of_every_length_arrive_however_they_are_cut_and_leave_nothing_behind() {
        for length in [0, 1, 7, 8, 125, 126, 300, 65_535, 65_536, 100_000] {
            let content: Vec<u8> = (0..length)
                .map(|n| u8::try_from(n % 251).expect("a byte"))
                .collect();
            let bytes = [
                frame(0x82, &content),
                frame(0x89, b"?"),
                frame(0x82, b"next"),
                frame(0x8a, b"late"),
            ]
            .concat();
            for step in [1, 3, 1000, bytes.len()] {
                let mut messages = Messages::new(100_000);
                let (received, answers, code) = receive(&mut messages, &bytes, step);
                let expected = [
                    Received::Message(content.clone().into()),
                    Received::Ping,
                    Received::Message(Bytes::from_static(b"next")),
                ];
                assert!(received == expected, "{length} by {step}");
                assert_eq!(code, None);
                assert_eq!(&answers[..], [0x8a, 1, b'?']);
                assert!(
                    messages.context.is_none(),
                    "an idle connection keeps nothing"
                );
            }
        }
    }

    #[test]
    fn fragments_are_put_together_and_limited() {
        let mut messages = Messages::new(100_000);
        let bytes = [
            frame(0x02, b"a"),
            frame(0x89, b""),
            frame(0x00, b"b"),
            frame(0x80, b"c"),
        ]
        .concat();
        let (received, ..) = receive(&mut messages, &bytes, 1000);
        let expected = [
            Received::Ping,
            Received::Message(Bytes::from_static(b"abc")),
        ];
        assert_eq!(received, expected);

        let bytes = [frame(0x02, &[0; 60_000]), frame(0x00, &[0; 60_000])].concat();
        let (_, _, code) = receive(&mut messages, &bytes, 1000);
        assert_eq!(code, Some(Code::FrameTooLarge));
    }

    #[test]
    fn what_breaks_the_rules_is_refused() {
        let unmasked = vec![0x82, 0x01, 0x00];
        let huge = [&[0x82, 0xff][..], &u64::MAX.to_be_bytes(), &[0; 4]].concat();
        for (bytes, code) in [
            (frame(0x81, b"text"), Code::FrameMalformed),
            (frame(0x81, &[0xff]), Code::FrameMalformed),
            (frame(0xc2, b"extension"), Code::FrameMalformed),
            (frame(0x83, b"reserved"), Code::FrameMalformed),
            (frame(0x80, b"no beginning"), Code::FrameMalformed),
            (frame(0x09, b"ping in parts"), Code::FrameMalformed),
            (frame(0x89, &[0; 126]), Code::FrameMalformed),
            (
                [frame(0x02, b"a"), frame(0x82, b"b")].concat(),
                Code::FrameMalformed,
            ),
            (unmasked, Code::FrameMalformed),
            (huge, Code::FrameTooLarge),
        ] {
            let (received, _, refused) = receive(&mut Messages::new(1000), &bytes, 1000);
            assert_eq!((received, refused), (vec![], Some(code)), "{bytes:?}");
        }
    }

    #[test]
    fn a_limit_counts_from_the_message_on_that_follows() {
        let mut messages = Messages::new(1000);
        let long = frame(0x82, &[7; 2000]);
        let (received, ..) = receive(&mut messages, &frame(0x82, &[7; 1000]), 100);
        assert_eq!(received.len(), 1);
        messages.set_largest(2000);
        let (received, _, code) = receive(&mut messages, &long, 100);
        assert_eq!((received.len(), code), (1, None));
        messages.set_largest(1999);
        let (_, _, code) = receive(&mut messages, &long, 100);
        assert_eq!(code, Some(Code::FrameTooLarge));
    }

    #[test]
    fn closing_is_answered_whoever_begins() {
        let mut messages = Messages::new(1000);
        let (received, answers, _) =
            receive(&mut messages, &frame(0x88, &1000_u16.to_be_bytes()), 1);
        assert_eq!(received, [Received::Close]);
        assert_eq!(&answers[..], [0x88, 2, 0x03, 0xe8]);

        let mut messages = Messages::new(1000);
        let mut sending = BytesMut::from(&b"before"[..]);
        messages.append_close(&mut sending, CloseCode::ServiceRestart);
        assert_eq!(&sending[..], b"before\x88\x02\x03\xf4");
        let (received, answers, _) =
            receive(&mut messages, &frame(0x88, &1012_u16.to_be_bytes()), 1);
        assert_eq!((received, answers.len()), (vec![Received::Close], 0));
    }

    #[test]
    fn the_end_of_a_connection_is_no_error() {
        for bytes in [
            vec![],
            frame(0x82, b"whole"),
            frame(0x82, b"cut")[..5].to_vec(),
        ] {
            let mut stream = Parts {
                bytes: &bytes,
                step: 100,
                ended: true,
                pause: false,
            };
            let mut messages = Messages::new(1000);
            let mut cx = Context::from_waker(std::task::Waker::noop());
            let last = (0..10)
                .map(|_| messages.poll_next(&mut cx, &mut stream, &mut BytesMut::new()))
                .find(|next| *next == Poll::Ready(Ok(Received::Close)));
            assert!(last.is_some(), "{bytes:?}");
        }
    }

    #[test]
    fn headers_of_what_is_sent() {
        for (length, header) in [
            (5, &[0x82, 5][..]),
            (126, &[0x82, 126, 0, 126]),
            (70_000, &[0x82, 127, 0, 0, 0, 0, 0, 1, 0x11, 0x70]),
        ] {
            let mut message = BytesMut::zeroed(HEADER_SPACE + length);
            seal_message(&mut message);
            assert_eq!(&message[..header.len()], header);
            assert_eq!(message.len(), header.len() + length);
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(
            bytes in proptest::collection::vec(any::<u8>(), 0..200),
            begins_well: bool,
            step in 1..50_usize,
        ) {
            let mut bytes = bytes;
            if begins_well && bytes.len() > 1 {
                bytes[0] &= 0x8a;
                bytes[1] |= 0x80;
            }
            let (received, _, _) = receive(&mut Messages::new(64), &bytes, step);
            for message in received {
                prop_assert!(!matches!(message, Received::Message(message) if message.len() > 64));
            }
        }
    }
}
