//! Blobs over HTTP, against a small server that keeps one in memory.

use std::{
    convert::Infallible,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Method, Request, Response, StatusCode, body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use undertone_core::{
    net::{Timing, TlsTransport},
    transport::{BlobState, Transport as _},
};
use undertone_wire::{Class, Code, ids::BlobId, tokens::Token};

use crate::server::{Server, good_chain, transport};

#[derive(Default)]
struct Held {
    id: String,
    length: u64,
    bytes: Vec<u8>,
}

fn empty(status: StatusCode) -> hyper::http::response::Builder {
    Response::builder().status(status)
}

fn refusal(status: StatusCode, code: &str) -> Response<Full<Bytes>> {
    let json = format!(r#"{{"code":"{code}","sentence":"Pay here: https://example.org"}}"#);
    empty(status)
        .header("retry-after", 9)
        .body(Full::new(json.into()))
        .unwrap()
}

async fn answer(request: Request<Incoming>, held: Arc<Mutex<Held>>) -> Response<Full<Bytes>> {
    let number = |name: &str| -> u64 { request.headers()[name].to_str().unwrap().parse().unwrap() };
    assert_eq!(request.headers()["host"], "undertone.invalid");
    assert!(!request.headers().contains_key("user-agent"));
    let id = request
        .uri()
        .path()
        .strip_prefix("/v1/blobs/")
        .unwrap()
        .to_owned();
    let token = request
        .headers()
        .get("authorization")
        .map(|value| Token::from_authorization(value.to_str().unwrap()).unwrap());
    match *request.method() {
        Method::PUT => {
            assert!(token.is_some());
            let mut held = held.lock().unwrap();
            held.id = id;
            held.length = number("upload-length");
            empty(StatusCode::CREATED)
                .header("upload-offset", held.bytes.len())
                .body(Full::default())
                .unwrap()
        }
        Method::PATCH => {
            assert!(token.is_some());
            let offset = number("upload-offset");
            let piece = request.into_body().collect().await.unwrap().to_bytes();
            let mut held = held.lock().unwrap();
            if offset != held.bytes.len() as u64 {
                return refusal(StatusCode::CONFLICT, "blob.offset");
            }
            held.bytes.extend_from_slice(&piece);
            empty(StatusCode::NO_CONTENT)
                .header("upload-offset", held.bytes.len())
                .header("upload-length", held.length)
                .body(Full::default())
                .unwrap()
        }
        Method::HEAD => {
            assert!(token.is_none());
            let held = held.lock().unwrap();
            if held.id != id {
                return empty(StatusCode::NOT_FOUND).body(Full::default()).unwrap();
            }
            empty(StatusCode::OK)
                .header("upload-offset", held.bytes.len())
                .header("upload-length", held.length)
                .body(Full::default())
                .unwrap()
        }
        _ => {
            let range = request.headers()["range"]
                .to_str()
                .unwrap()
                .strip_prefix("bytes=")
                .unwrap()
                .to_owned();
            let (from, last) = range.split_once('-').unwrap();
            let (from, last): (usize, usize) = (from.parse().unwrap(), last.parse().unwrap());
            let held = held.lock().unwrap();
            let end = held.bytes.len().min(last + 1);
            match held.bytes.get(from..end) {
                Some(piece) if !piece.is_empty() => empty(StatusCode::PARTIAL_CONTENT)
                    .body(Full::new(piece.to_vec().into()))
                    .unwrap(),
                _ => refusal(StatusCode::RANGE_NOT_SATISFIABLE, "blob.range"),
            }
        }
    }
}

struct Blobs {
    server: Server,
    connections: Arc<AtomicUsize>,
}

/// `keep_alive` false: a server that closes after every answer.
async fn blob_server(keep_alive: bool) -> Blobs {
    let held = Arc::new(Mutex::new(Held::default()));
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = connections.clone();
    let server = Server::start(good_chain(), move |stream| {
        counted.fetch_add(1, Relaxed);
        let held = held.clone();
        async move {
            let service = service_fn(move |request| {
                let held = held.clone();
                async move { Ok::<_, Infallible>(answer(request, held).await) }
            });
            let connection = hyper::server::conn::http1::Builder::new()
                .keep_alive(keep_alive)
                .serve_connection(TokioIo::new(stream), service);
            tokio::spawn(async move {
                let _ = connection.await;
            });
        }
    })
    .await;
    Blobs {
        server,
        connections,
    }
}

fn token() -> Token {
    Token::from_slice(&[7; 104]).unwrap()
}

#[tokio::test]
async fn a_blob_goes_up_in_pieces_and_comes_down_in_ranges_on_one_connection() {
    let blobs = blob_server(true).await;
    let (transport, at, id) = (transport(), blobs.server.at(), BlobId::random());
    let content: Vec<u8> = (0..100_000u32).flat_map(u32::to_be_bytes).collect();
    let length = content.len() as u64;

    let created = transport
        .create_blob(&at, &id, length, &token())
        .await
        .unwrap();
    assert_eq!(created, BlobState { offset: 0, length });
    let mut offset = 0;
    for piece in content.chunks(150_000) {
        let state = transport
            .append_blob(&at, &id, offset, Bytes::copy_from_slice(piece), &token())
            .await
            .unwrap();
        offset += piece.len() as u64;
        assert_eq!(state, BlobState { offset, length });
    }
    assert_eq!(
        transport.blob_state(&at, &id).await.unwrap(),
        BlobState {
            offset: length,
            length
        }
    );
    let part = transport.read_blob(&at, &id, 1000, 5000).await.unwrap();
    assert_eq!(part, content[1000..6000]);
    assert_eq!(
        transport.read_blob(&at, &id, 0, length).await.unwrap(),
        content
    );
    // A range that reaches beyond the end comes back short, and is refused.
    let error = transport
        .read_blob(&at, &id, length - 1, 2)
        .await
        .unwrap_err();
    assert_eq!(error.code, Code::BlobRange);
    assert_eq!(blobs.connections.load(Relaxed), 1);
}

#[tokio::test]
async fn two_blobs_never_share_a_connection() {
    let blobs = blob_server(true).await;
    let (transport, at) = (transport(), blobs.server.at());
    for _ in 0..3 {
        let error = transport
            .blob_state(&at, &BlobId::random())
            .await
            .unwrap_err();
        assert_eq!(error.code, Code::BlobUnknown);
    }
    assert_eq!(blobs.connections.load(Relaxed), 3);
}

#[tokio::test]
async fn a_refusal_is_the_code_and_never_the_servers_words() {
    let blobs = blob_server(true).await;
    let (transport, at, id) = (transport(), blobs.server.at(), BlobId::random());
    transport
        .create_blob(&at, &id, 4096, &token())
        .await
        .unwrap();
    let error = transport
        .append_blob(&at, &id, 5, Bytes::from_static(b"x"), &token())
        .await
        .unwrap_err();
    assert_eq!(
        (error.code, error.class, error.retry_after_s),
        (Code::BlobOffset, Class::RetryNow, 9)
    );
    assert!(!error.to_string().contains("example"));
    let error = transport.read_blob(&at, &id, 0, 10).await.unwrap_err();
    assert_eq!(error.code, Code::BlobRange);
    for length in [0, 5 << 20] {
        assert_eq!(
            transport
                .read_blob(&at, &id, 0, length)
                .await
                .unwrap_err()
                .code,
            Code::BlobRange
        );
    }
}

#[tokio::test]
async fn a_connection_the_server_has_closed_meanwhile_is_replaced() {
    let blobs = blob_server(false).await;
    let (transport, at, id) = (transport(), blobs.server.at(), BlobId::random());
    transport
        .create_blob(&at, &id, 4096, &token())
        .await
        .unwrap();
    for offset in 0..3 {
        transport
            .append_blob(&at, &id, offset, Bytes::from_static(b"x"), &token())
            .await
            .unwrap();
    }
    assert_eq!(blobs.connections.load(Relaxed), 4);
}

#[tokio::test]
async fn an_idle_connection_is_not_kept_for_long() {
    let blobs = blob_server(true).await;
    let timing = Timing {
        blob_idle: Duration::from_millis(50),
        ..Timing::default()
    };
    let (transport, at, id) = (
        TlsTransport::with_timing(None, timing),
        blobs.server.at(),
        BlobId::random(),
    );
    transport
        .create_blob(&at, &id, 4096, &token())
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    transport.blob_state(&at, &id).await.unwrap();
    assert_eq!(blobs.connections.load(Relaxed), 2);
}
