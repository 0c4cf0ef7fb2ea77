//! What a server sends with a bit of it flipped: taken for what it then says, or the end of the connection with a code. Never a panic, never
//! a connection that waits for nothing.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use tokio::time::timeout;
use tokio_websockets::Message;
use undertone_core::transport::{Push, Role, Transport as _};
use undertone_wire::{
    Code, frame,
    response::{FromServer, Notice},
};

use crate::{
    requests::{item, seal_key},
    server::{Server, transport},
};

fn in_one_message(frames: &[FromServer]) -> Vec<u8> {
    let mut message = BytesMut::new();
    for frame in frames {
        frame::append(&mut message, &frame.to_proto()).unwrap();
    }
    message.to_vec()
}

#[tokio::test]
async fn whatever_bit_of_a_message_is_flipped_the_app_takes_it_or_says_why_not() {
    let whole = in_one_message(&[
        seal_key(),
        item(1),
        FromServer::Notice(Notice::ShuttingDown { retry_after_s: 7 }),
    ]);
    let bits = whole.len() * 8;
    let soak = std::env::var_os("UNDERTONE_SOAK").is_some();
    let flips = if soak { 10_000 } else { 1_000 };
    // The bits in turn, a stride apart that meets all of them before it meets one again.
    let stride = (bits / flips).max(1) | 1;
    let turn = Arc::new(AtomicUsize::new(0));
    let server = {
        let (whole, turn) = (whole.clone(), turn.clone());
        Server::greeting(move |mut peer| {
            let bit = turn.fetch_add(1, Ordering::Relaxed) * stride % bits;
            let mut damaged = whole.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            async move {
                peer.frame().await;
                peer.send_raw(Message::binary(Bytes::from(damaged))).await;
                peer.send_raw(Message::close(None, "")).await;
            }
        })
        .await
    };
    let mut ends: BTreeMap<String, usize> = BTreeMap::new();
    for flip in 0..flips {
        let connection = transport()
            .connect(&server.at(), Role::Inbox)
            .await
            .unwrap();
        connection.credit(2).await.unwrap();
        let mut items = 0;
        let error = loop {
            let push = timeout(Duration::from_secs(20), connection.next_push()).await;
            match push.unwrap_or_else(|_| panic!("flip {flip}: it waits")) {
                Ok(Push::Item(_)) => items += 1,
                Ok(_) => {}
                Err(error) => break error,
            }
        };
        assert!(items <= 1, "flip {flip}");
        *ends.entry(error.code.to_string()).or_default() += 1;
    }
    let known = [
        Code::ConnectionLost,
        Code::ConnectionProtocol,
        Code::FrameMalformed,
        Code::FrameTooLarge,
        Code::ResponseMalformed,
        Code::ServerShuttingDown,
    ]
    .map(|code| code.to_string());
    println!("{flips} flips: {ends:?}");
    assert!(ends.keys().all(|code| known.contains(code)), "{ends:?}");
    // Most of the bytes are sealed ones: who opens them refuses them.
    assert!(ends[&Code::ServerShuttingDown.to_string()] > flips / 2);
}
