//! Frames in WebSocket messages.
//!
//! A message holds one or more frames, each preceded by its length as a protobuf varint. Encoding appends to a buffer that
//! the caller owns and reuses; decoding borrows from the message (`Bytes` share its memory) and never panics: bytes
//! from outside give frames or a code.

use bytes::{Buf as _, Bytes, BytesMut};
use prost::{Message, encoding::encode_varint, length_delimiter_len};
use std::marker::PhantomData;

use crate::{Code, Result, limits, proto};

/// Appends a frame to a message.
///
/// # Errors
/// [`Code::FrameTooLarge`] when the frame is over [`limits::FRAME_BYTES`]; the buffer is as before.
pub fn append<F: Message>(message: &mut BytesMut, frame: &F) -> Result<()> {
    let length = frame.encoded_len();
    if length > limits::FRAME_BYTES {
        return Err(Code::FrameTooLarge.into());
    }
    message.reserve(length_delimiter_len(length) + length);
    encode_varint(length as u64, message);
    frame.encode_raw(message);
    Ok(())
}

/// How many bytes [`append`] would add.
pub fn framed_len<F: Message>(frame: &F) -> usize {
    let length = frame.encoded_len();
    length_delimiter_len(length) + length
}

/// A message of one frame.
///
/// # Errors
/// As [`append`].
pub fn message<F: Message>(frame: &F) -> Result<Bytes> {
    let mut message = BytesMut::new();
    append(&mut message, frame)?;
    Ok(message.freeze())
}

/// The frames of a message a client sent. See [`Frames`].
pub fn client_frames(message: Bytes) -> Frames<proto::ClientFrame> {
    Frames::new(message)
}

/// The frames of a message a server sent. See [`Frames`].
pub fn server_frames(message: Bytes) -> Frames<proto::ServerFrame> {
    Frames::new(message)
}

/// Iterates over the frames of one message; ends after the first error. An empty message is an error:
/// it would be a way to keep the other side busy for nothing.
pub struct Frames<F> {
    rest: Bytes,
    state: State,
    frame: PhantomData<fn() -> F>,
}

#[derive(PartialEq)]
enum State {
    First,
    Going,
    Ended,
}

impl<F> Frames<F> {
    /// Over the frames of `message`.
    pub const fn new(message: Bytes) -> Self {
        Self {
            rest: message,
            state: State::First,
            frame: PhantomData,
        }
    }
}

impl<F: Message + Default> Iterator for Frames<F> {
    type Item = Result<F>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.state == State::Ended || (self.state == State::Going && self.rest.is_empty()) {
            return None;
        }
        self.state = State::Going;
        let result = split(&mut self.rest)
            .and_then(|frame| F::decode(frame).map_err(|_| Code::FrameMalformed))
            .map_err(Into::into);
        if result.is_err() {
            self.state = State::Ended;
        }
        Some(result)
    }
}

fn split(rest: &mut Bytes) -> std::result::Result<Bytes, Code> {
    let length = take_length(rest)?;
    if length > limits::FRAME_BYTES {
        return Err(Code::FrameTooLarge);
    }
    if length > rest.len() {
        return Err(Code::FrameMalformed);
    }
    Ok(rest.split_to(length))
}

/// A varint of at most four bytes: 2^28 is far beyond the limit already.
fn take_length(rest: &mut Bytes) -> std::result::Result<usize, Code> {
    let mut length = 0usize;
    for shift in [0, 7, 14, 21] {
        let byte = *rest.first().ok_or(Code::FrameMalformed)?;
        rest.advance(1);
        length |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(length);
        }
    }
    Err(Code::FrameTooLarge)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;
    use proto::{ClientFrame, Send, client_frame, request};

    fn frame(id: u64, payload: usize) -> ClientFrame {
        ClientFrame {
            body: Some(client_frame::Body::Request(proto::Request {
                id,
                body: Some(request::Body::Send(Send {
                    send_id: vec![1; 16].into(),
                    payload: vec![2; payload].into(),
                    address_secrets: vec![vec![3; 32].into()],
                    blob_hash: Bytes::new(),
                })),
            })),
        }
    }

    #[test]
    fn several_frames_share_a_message() {
        let mut message = BytesMut::new();
        for id in 0..5 {
            let before = message.len();
            append(&mut message, &frame(id, 100)).unwrap();
            assert_eq!(message.len() - before, framed_len(&frame(id, 100)));
        }
        let frames: Vec<_> = client_frames(message.freeze())
            .map(Result::unwrap)
            .collect();
        assert_eq!(frames.len(), 5);
        assert!(frames[3] == frame(3, 100));
    }

    #[test]
    fn decoding_copies_no_payload() {
        let message = message(&frame(1, 1000)).unwrap();
        let range = message.as_ptr() as usize..message.as_ptr() as usize + message.len();
        let decoded = client_frames(message.clone()).next().unwrap().unwrap();
        let Some(client_frame::Body::Request(request)) = decoded.body else {
            panic!()
        };
        let Some(request::Body::Send(send)) = request.body else {
            panic!()
        };
        assert!(range.contains(&(send.payload.as_ptr() as usize)));
    }

    #[test]
    fn wrong_lengths_end_with_a_code() {
        let code = |bytes: &'static [u8]| {
            let mut frames = client_frames(Bytes::from_static(bytes));
            let code = frames.next().unwrap().unwrap_err().code;
            assert!(frames.next().is_none());
            code
        };
        assert_eq!(code(&[]), Code::FrameMalformed);
        assert_eq!(code(&[5, 0]), Code::FrameMalformed);
        assert_eq!(code(&[0x80]), Code::FrameMalformed);
        assert_eq!(code(&[0xff, 0xff, 0xff, 0xff, 0xff]), Code::FrameTooLarge);
        assert_eq!(code(&[0x81, 0x80, 0x20]), Code::FrameTooLarge);
        assert_eq!(code(&[1, 0xff]), Code::FrameMalformed);
    }

    #[test]
    fn a_frame_over_the_limit_is_not_encoded() {
        let mut message = BytesMut::from(&b"before"[..]);
        let error = append(&mut message, &frame(1, limits::FRAME_BYTES)).unwrap_err();
        assert_eq!(error.code, Code::FrameTooLarge);
        assert_eq!(&message[..], b"before");
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            for frame in client_frames(bytes.clone().into()) { let _ = frame; }
            for frame in server_frames(bytes.into()) { let _ = frame; }
        }

        #[test]
        fn a_truncated_message_is_an_error(cut in 1usize..100) {
            let whole = message(&frame(7, 80)).unwrap();
            let cut = cut.min(whole.len() - 1);
            let last = client_frames(whole.slice(..whole.len() - cut)).last().unwrap();
            prop_assert!(last.is_err());
        }
    }
}
