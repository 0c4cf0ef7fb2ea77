//! Requests, responses and pushes on one connection.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::future::join_all;
use tokio::{sync::mpsc, time::timeout};
use tokio_websockets::Message;
use undertone_core::{
    net::TlsTransport,
    transport::{Connection, Push, Role, Transport as _},
};
use undertone_wire::{
    Code, Error,
    ids::{KeyId, SendId},
    request::{FromClient, Request, Send},
    response::{Accepted, FromServer, Item, Missed, Notice, Response, SealKey, TokenCredit},
    secrets::AddressSecret,
};

use crate::server::{Server, quick, transport, unknown_frame};

fn send(length: usize) -> Request {
    Request::Send(Send {
        send_id: SendId::random(),
        payload: vec![1; length].into(),
        addresses: vec![AddressSecret::random()],
        blob: None,
    })
}

fn accepted(number: u64) -> Result<Response, Error> {
    Ok(Response::Accepted(Accepted {
        number,
        missed: Missed::none(),
    }))
}

pub fn item(sequence: u64) -> FromServer {
    FromServer::Item(Item {
        sequence,
        key_id: KeyId::new([1; 16]),
        nonce: sequence,
        sealed: Bytes::from(vec![0; 768 + 16]),
    })
}

pub fn seal_key() -> FromServer {
    FromServer::SealKey(SealKey {
        key_id: KeyId::new([1; 16]),
        enc: vec![0; 1120].into(),
        sealed: vec![0; 48].into(),
        hpke_key_day: 1,
    })
}

async fn connect(server: &Server) -> Arc<dyn Connection> {
    transport()
        .connect(&server.at(), Role::Outbox)
        .await
        .unwrap()
}

async fn code(connection: &Arc<dyn Connection>) -> Code {
    let push = timeout(Duration::from_secs(5), connection.next_push())
        .await
        .unwrap();
    match push {
        Ok(_) => panic!("a push, and not the end"),
        Err(error) => error.code,
    }
}

#[tokio::test]
async fn responses_find_their_requests_in_whatever_order_they_come() {
    let server = Server::greeting(|mut peer| async move {
        let mut ids = Vec::new();
        for _ in 0..20 {
            ids.push(peer.request().await.0);
        }
        assert!(ids.is_sorted());
        // All twenty were waiting together, so they shared messages.
        assert!(peer.messages < 10, "{} messages", peer.messages);
        for id in ids.into_iter().rev() {
            peer.answer(id, accepted(id * 10)).await;
        }
        peer.frame().await;
    })
    .await;
    let connection = connect(&server).await;
    let outcomes = join_all((0..20).map(|_| connection.request(send(100)))).await;
    let numbers: Vec<_> = outcomes
        .into_iter()
        .map(|outcome| match outcome {
            Ok(Response::Accepted(accepted)) => accepted.number,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(numbers, (1..=20).map(|id| id * 10).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_refusal_comes_as_its_code_with_its_numbers() {
    let server = Server::greeting(|mut peer| async move {
        let (id, _) = peer.request().await;
        peer.answer(id, Err(Error::stale(9, 7))).await;
        peer.frame().await;
    })
    .await;
    let error = connect(&server)
        .await
        .request(Request::Ping)
        .await
        .unwrap_err();
    assert_eq!(
        (error.code, error.epoch, error.min_send_epoch),
        (Code::ChannelStale, 9, 7)
    );
}

#[tokio::test]
async fn no_large_message_leaves_before_the_server_has_admitted_the_connection() {
    let server = Server::greeting(|mut peer| async move {
        let (first, request) = peer.request().await;
        assert_eq!(request.name(), "ping");
        // The large request is waiting: nothing comes until the credit does.
        assert!(
            timeout(Duration::from_millis(200), peer.frame())
                .await
                .is_err()
        );
        let credit = TokenCredit {
            requests_left: 9,
            bytes_left: 9,
        };
        peer.answer(first, Ok(Response::TokenCredit(credit))).await;
        let (id, _) = peer.request().await;
        assert!(peer.largest > 64 * 1024);
        peer.answer(id, accepted(2)).await;
        peer.frame().await;
    })
    .await;
    let connection = connect(&server).await;
    let outcomes = join_all([
        connection.request(Request::Ping),
        connection.request(send(64 * 1024)),
    ])
    .await;
    assert!(outcomes.iter().all(Result::is_ok));
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_given_up_on_and_a_late_answer_harms_nobody() {
    let server = Server::greeting(|mut peer| async move {
        let (late, _) = peer.request().await;
        let (next, _) = peer.request().await;
        peer.answer(late, accepted(1)).await;
        peer.answer(next, accepted(2)).await;
        peer.frame().await;
    })
    .await;
    let transport = TlsTransport::with_timing(None, quick());
    let connection = transport.connect(&server.at(), Role::Outbox).await.unwrap();
    assert_eq!(
        connection.request(send(1)).await.unwrap_err().code,
        Code::ConnectionTimeout
    );
    assert_eq!(connection.request(send(1)).await, accepted(2));
}

#[tokio::test]
async fn when_the_connection_breaks_every_waiting_request_says_lost() {
    let server = Server::greeting(|mut peer| async move {
        for _ in 0..3 {
            peer.request().await;
        }
    })
    .await;
    let connection = connect(&server).await;
    let outcomes = join_all((0..3).map(|_| connection.request(send(10)))).await;
    assert!(outcomes.iter().all(|outcome| {
        outcome
            .as_ref()
            .is_err_and(|error| error.code == Code::ConnectionLost)
    }));
    assert_eq!(
        connection.request(send(10)).await.unwrap_err().code,
        Code::ConnectionLost
    );
    assert_eq!(code(&connection).await, Code::ConnectionLost);
    assert!(connection.credit(1).await.is_err());
}

#[tokio::test]
async fn items_come_in_order_against_credit_and_acks_go_out_together() {
    let server = Server::greeting(|mut peer| async move {
        assert!(matches!(peer.frame().await, Some(FromClient::Credit(3))));
        peer.send(&[seal_key(), item(1), item(2)]).await;
        peer.send_raw(Message::binary(unknown_frame())).await;
        peer.send(&[item(3)]).await;
        let mut last = 0;
        while last < 3 {
            match peer.frame().await {
                Some(FromClient::Ack(sequence)) => {
                    assert!(sequence > last);
                    last = sequence;
                }
                other => panic!("{other:?}"),
            }
        }
        peer.frame().await;
    })
    .await;
    let connection = connect(&server).await;
    connection.credit(3).await.unwrap();
    assert!(matches!(connection.next_push().await, Ok(Push::SealKey(_))));
    for sequence in 1..=3 {
        match connection.next_push().await {
            Ok(Push::Item(item)) => assert_eq!(item.sequence, sequence),
            _ => panic!("an item"),
        }
        connection.ack(sequence).await.unwrap();
        connection.ack(1).await.unwrap();
    }
    // The server has checked the acks when the connection is still open after a while.
    assert!(
        timeout(Duration::from_millis(200), connection.next_push())
            .await
            .is_err()
    );
}

#[tokio::test]
async fn a_server_that_floods_is_cut_off() {
    let server = Server::greeting(|mut peer| async move {
        peer.frame().await;
        peer.send(&[item(1), item(2)]).await;
        while peer.frame().await.is_some() {}
    })
    .await;
    let connection = connect(&server).await;
    connection.credit(1).await.unwrap();
    assert!(matches!(connection.next_push().await, Ok(Push::Item(_))));
    assert_eq!(code(&connection).await, Code::ConnectionProtocol);

    let server = Server::greeting(|mut peer| async move {
        for _ in 0..20 {
            let flood: Vec<_> = (0..100).map(|_| seal_key()).collect();
            peer.send(&flood).await;
        }
        while peer.frame().await.is_some() {}
    })
    .await;
    let connection = connect(&server).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut taken = 0;
    while connection.next_push().await.is_ok() {
        taken += 1;
    }
    assert!(taken <= 1024, "{taken}");
}

#[tokio::test]
async fn nonsense_ends_the_connection_with_a_code() {
    for (message, expected) in [
        (Message::text("hello"), Code::ConnectionProtocol),
        (
            Message::binary(Bytes::from_static(&[9, 1])),
            Code::FrameMalformed,
        ),
        (Message::binary(Bytes::new()), Code::FrameMalformed),
        (
            Message::binary(Bytes::from_static(&[0xff; 8])),
            Code::FrameTooLarge,
        ),
        (Message::binary(vec![0; 2 << 20]), Code::ConnectionLost),
    ] {
        let server = Server::greeting(move |mut peer| {
            let message = message.clone();
            async move {
                peer.send_raw(message).await;
                while peer.frame().await.is_some() {}
            }
        })
        .await;
        assert_eq!(code(&connect(&server).await).await, expected);
    }
}

#[tokio::test]
async fn a_notice_says_why_the_server_closes() {
    for (notice, expected, of_requests) in [
        (Notice::Replaced, Code::AuthReplaced, Code::ConnectionLost),
        (
            Notice::ShuttingDown { retry_after_s: 7 },
            Code::ServerShuttingDown,
            Code::ServerShuttingDown,
        ),
    ] {
        let server = Server::greeting(move |mut peer| {
            let notice = notice.clone();
            async move {
                peer.send(&[FromServer::Notice(notice)]).await;
                peer.send_raw(Message::close(None, "")).await;
            }
        })
        .await;
        let connection = connect(&server).await;
        assert!(matches!(connection.next_push().await, Ok(Push::Notice(_))));
        assert_eq!(code(&connection).await, expected);
        assert_eq!(
            connection.request(Request::Ping).await.unwrap_err().code,
            of_requests
        );
    }
}

#[tokio::test]
async fn a_server_that_refuses_the_connection_has_refused_no_request_on_it() {
    let server = Server::greeting(|mut peer| async move {
        for _ in 0..2 {
            peer.request().await;
        }
        // One of the requests alone would be given up for good by this answer.
        peer.answer(0, Err(Code::RequestMalformed.into())).await;
    })
    .await;
    let connection = connect(&server).await;
    let waiting = join_all((0..2).map(|_| connection.request(send(10)))).await;
    let later = connection.request(send(10)).await;
    for outcome in waiting.into_iter().chain([later]) {
        assert_eq!(outcome.unwrap_err().code, Code::ConnectionLost);
    }
    assert_eq!(code(&connection).await, Code::RequestMalformed);
}

#[tokio::test]
async fn a_connection_that_is_closed_or_dropped_is_gone() {
    let (gone, mut seen) = mpsc::channel(2);
    let server = Server::greeting(move |mut peer| {
        let gone = gone.clone();
        async move {
            while peer.frame().await.is_some() {}
            gone.send(()).await.unwrap();
        }
    })
    .await;
    let connection = connect(&server).await;
    connection.close();
    assert_eq!(code(&connection).await, Code::ConnectionLost);
    timeout(Duration::from_secs(5), seen.recv()).await.unwrap();
    assert_eq!(
        connection.request(Request::Ping).await.unwrap_err().code,
        Code::ConnectionLost
    );
    drop(connect(&server).await);
    timeout(Duration::from_secs(5), seen.recv()).await.unwrap();
}

#[tokio::test]
async fn a_silent_connection_is_pinged_and_a_dead_one_given_up() {
    let timing = undertone_core::net::Timing {
        ping: Duration::from_millis(50),
        silence: Duration::from_millis(300),
        ..quick()
    };
    // This server answers pings (its WebSocket does), so the connection lives on.
    let server =
        Server::greeting(|mut peer| async move { while peer.frame().await.is_some() {} }).await;
    let connection = TlsTransport::with_timing(None, timing)
        .connect(&server.at(), Role::Inbox)
        .await
        .unwrap();
    assert!(
        timeout(Duration::from_millis(700), connection.next_push())
            .await
            .is_err()
    );
    // This one has stopped.
    let server = Server::greeting(|peer| async move {
        tokio::time::sleep(Duration::from_secs(5)).await;
        drop(peer);
    })
    .await;
    let connection = TlsTransport::with_timing(None, timing)
        .connect(&server.at(), Role::Inbox)
        .await
        .unwrap();
    assert_eq!(code(&connection).await, Code::ConnectionTimeout);
}
