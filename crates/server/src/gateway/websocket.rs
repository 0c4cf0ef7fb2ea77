//! The server's side of WebSocket framing (RFC 6455 section 5), and nothing else of it.
//!
//! Why not a library: the ones there are keep a read buffer of 8 KiB or more for every connection, which is half of
//! what an idle connection may cost. Here bytes are parsed out of a buffer that exists only while a frame is
//! incomplete. What must stay true: nothing is allocated for a length that is not allowed; no byte from outside
//! can cause a panic. The tests speak to it through a well-kept client library.

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use undertone_wire::Code;

/// The longest header of a frame that a server sends.
pub(super) const HEADER_SPACE: usize = 10;

/// Why the server closes (RFC 6455 section 7.4.1 and the IANA registry).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CloseCode {
    /// Done.
    Normal = 1000,
    /// The client broke the rules.
    PolicyViolation = 1008,
    /// The server restarts.
    ServiceRestart = 1012,
}

const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// What a client sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Received {
    /// A whole binary message.
    Message(Bytes),
    /// To be answered with the same bytes.
    Ping(Bytes),
    /// The client closes.
    Close,
}

/// Parses frames out of the bytes of a connection.
#[derive(Default)]
pub(super) struct Parser {
    /// Bytes of frames that are not complete, or not asked for yet.
    bytes: BytesMut,
    /// The beginning of a message that comes in several frames.
    fragments: Option<BytesMut>,
}

struct Header {
    last: bool,
    opcode: u8,
    mask: [u8; 4],
    header: usize,
    payload: usize,
}

impl Parser {
    /// Adds bytes from the connection.
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next thing the client sent, `None` if more bytes are needed. `largest` is the longest message allowed.
    ///
    /// # Errors
    /// [`Code::FrameTooLarge`] or [`Code::FrameMalformed`]; nothing sensible follows then.
    pub(super) fn next(&mut self, largest: usize) -> Result<Option<Received>, Code> {
        loop {
            let Some(header) = self.header(largest)? else {
                return Ok(None);
            };
            let length = header.header + header.payload;
            if self.bytes.len() < length {
                self.bytes.reserve(length - self.bytes.len());
                return Ok(None);
            }
            let payload = self.take(&header);
            match header.opcode {
                CLOSE => return Ok(Some(Received::Close)),
                PING => return Ok(Some(Received::Ping(payload.freeze()))),
                PONG => {}
                _ => {
                    if let Some(message) = self.assemble(&header, payload) {
                        return Ok(Some(Received::Message(message)));
                    }
                }
            }
        }
    }

    fn header(&self, largest: usize) -> Result<Option<Header>, Code> {
        let mut bytes = &self.bytes[..];
        if bytes.len() < 2 {
            return Ok(None);
        }
        let (first, second) = (bytes.get_u8(), bytes.get_u8());
        let (last, opcode) = (first & 0x80 != 0, first & 0x0f);
        // No extension is ever agreed on, and a client must mask.
        if first & 0x70 != 0 || second & 0x80 == 0 {
            return Err(Code::FrameMalformed);
        }
        let short = second & 0x7f;
        let control = opcode & 0x08 != 0;
        if control && (!last || short > 125) {
            return Err(Code::FrameMalformed);
        }
        match (opcode, &self.fragments) {
            (BINARY, None) | (CONTINUATION, Some(_)) | (CLOSE | PING | PONG, _) => {}
            // Text included: this protocol has none.
            (TEXT, _) | (_, _) => return Err(Code::FrameMalformed),
        }
        let payload = match short {
            126 if bytes.len() < 2 => return Ok(None),
            126 => u64::from(bytes.get_u16()),
            127 if bytes.len() < 8 => return Ok(None),
            127 => bytes.get_u64(),
            short => u64::from(short),
        };
        let before = self.fragments.as_ref().map_or(0, BytesMut::len);
        let payload = usize::try_from(payload)
            .ok()
            .filter(|payload| control || payload.saturating_add(before) <= largest)
            .ok_or(Code::FrameTooLarge)?;
        if bytes.len() < 4 {
            return Ok(None);
        }
        let mut mask = [0; 4];
        bytes.copy_to_slice(&mut mask);
        Ok(Some(Header {
            last,
            opcode,
            mask,
            header: self.bytes.len() - bytes.len(),
            payload,
        }))
    }

    /// Takes a frame's payload out and unmasks it.
    fn take(&mut self, header: &Header) -> BytesMut {
        self.bytes.advance(header.header);
        let mut payload = if self.bytes.len() == header.payload {
            std::mem::take(&mut self.bytes)
        } else {
            // Copied, so that a message that waits does not keep its neighbours' memory.
            let payload = BytesMut::from(&self.bytes[..header.payload]);
            self.bytes.advance(header.payload);
            payload
        };
        unmask(&mut payload, header.mask);
        payload
    }

    fn assemble(&mut self, header: &Header, payload: BytesMut) -> Option<Bytes> {
        match (self.fragments.take(), header.last) {
            (None, true) => Some(payload.freeze()),
            (None, false) => {
                self.fragments = Some(payload);
                None
            }
            (Some(mut fragments), last) => {
                fragments.extend_from_slice(&payload);
                if last {
                    return Some(fragments.freeze());
                }
                self.fragments = Some(fragments);
                None
            }
        }
    }
}

fn unmask(payload: &mut [u8], mask: [u8; 4]) {
    let wide = u64::from_ne_bytes([
        mask[0], mask[1], mask[2], mask[3], mask[0], mask[1], mask[2], mask[3],
    ]);
    let (words, rest) = payload.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(mask.into_iter().cycle()) {
        *byte ^= mask;
    }
}

/// Puts the header of a binary message in front of its payload. `message` begins with [`HEADER_SPACE`] bytes to spare.
pub(super) fn seal_message(message: &mut BytesMut) {
    let payload = message.len() - HEADER_SPACE;
    let mut header = [0; HEADER_SPACE];
    header[0] = 0x80 | BINARY;
    let length = if payload < 126 {
        header[1] = u8::try_from(payload).unwrap_or(125);
        2
    } else if let Ok(short) = u16::try_from(payload) {
        header[1] = 126;
        header[2..4].copy_from_slice(&short.to_be_bytes());
        4
    } else {
        header[1] = 127;
        header[2..].copy_from_slice(&(payload as u64).to_be_bytes());
        HEADER_SPACE
    };
    message.advance(HEADER_SPACE - length);
    message[..length].copy_from_slice(&header[..length]);
}

/// Appends the answer to a ping.
pub(super) fn append_pong(bytes: &mut BytesMut, payload: &[u8]) {
    append_control(bytes, PONG, payload);
}

/// Appends a close frame.
pub(super) fn append_close(bytes: &mut BytesMut, code: CloseCode) {
    append_control(bytes, CLOSE, &(code as u16).to_be_bytes());
}

fn append_control(bytes: &mut BytesMut, opcode: u8, payload: &[u8]) {
    // Control frames that are answered have been checked to be short.
    let payload = &payload[..payload.len().min(125)];
    bytes.put_u8(0x80 | opcode);
    bytes.put_u8(u8::try_from(payload.len()).unwrap_or(0));
    bytes.put_slice(payload);
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let mut payload = payload.to_vec();
        unmask(&mut payload, mask);
        bytes.put_slice(&payload);
        bytes.to_vec()
    }

    fn all(parser: &mut Parser) -> Vec<Received> {
        std::iter::from_fn(|| parser.next(100_000).expect("well formed")).collect()
    }

    #[test]
    fn messages_of_every_length_arrive_however_they_are_cut() {
        for length in [0, 1, 7, 8, 125, 126, 300, 65_535, 65_536, 100_000] {
            let content: Vec<u8> = (0..length)
                .map(|n| u8::try_from(n % 251).expect("a byte"))
                .collect();
            let bytes = [
                frame(0x82, &content),
                frame(0x89, b"?"),
                frame(0x82, b"next"),
            ]
            .concat();
            for step in [1, 3, 1000, bytes.len()] {
                let mut parser = Parser::default();
                let mut received = Vec::new();
                for part in bytes.chunks(step) {
                    parser.feed(part);
                    received.extend(all(&mut parser));
                }
                let expected = [
                    Received::Message(content.clone().into()),
                    Received::Ping(Bytes::from_static(b"?")),
                    Received::Message(Bytes::from_static(b"next")),
                ];
                assert!(received == expected, "{length} by {step}");
                assert!(parser.bytes.is_empty());
            }
        }
    }

    #[test]
    fn fragments_are_put_together_and_limited() {
        let mut parser = Parser::default();
        parser.feed(
            &[
                frame(0x02, b"a"),
                frame(0x89, b""),
                frame(0x00, b"b"),
                frame(0x80, b"c"),
            ]
            .concat(),
        );
        let expected = [
            Received::Ping(Bytes::new()),
            Received::Message(Bytes::from_static(b"abc")),
        ];
        assert_eq!(all(&mut parser), expected);

        parser.feed(&[frame(0x02, &[0; 60_000]), frame(0x00, &[0; 60_000])].concat());
        assert_eq!(parser.next(100_000), Err(Code::FrameTooLarge));
    }

    #[test]
    fn what_breaks_the_rules_is_refused_before_it_is_stored() {
        let unmasked = vec![0x82, 0x01, 0x00];
        let huge = [&[0x82, 0xff][..], &u64::MAX.to_be_bytes()].concat();
        for (bytes, code) in [
            (frame(0x81, b"text"), Code::FrameMalformed),
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
            let mut parser = Parser::default();
            parser.feed(&bytes);
            assert_eq!(parser.next(1000), Err(code));
        }
    }

    #[test]
    fn no_bytes_make_it_panic() {
        let mut state = 7u64;
        let mut byte = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            state.to_be_bytes()[0]
        };
        for _ in 0..2000 {
            let mut bytes: Vec<u8> = (0..40).map(|_| byte()).collect();
            // Often something that begins well.
            if byte() & 1 == 0 {
                bytes[0] &= 0x8a;
                bytes[1] |= 0x80;
            }
            let mut parser = Parser::default();
            for part in bytes.chunks(usize::from(byte() % 9) + 1) {
                parser.feed(part);
                while let Ok(Some(_)) = parser.next(64) {}
            }
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
}
