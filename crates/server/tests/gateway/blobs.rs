//! Blobs over HTTP: created, appended, resumed, read in ranges, and paid for.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{HeaderMap, Request, StatusCode};
use hyper_util::rt::TokioIo;
use undertone_wire::Code;
use undertone_wire::ids::{BlobId, ChannelId, random_bytes};
use undertone_wire::request::{self, AddressKind, ChannelCommit, CreateChannel};
use undertone_wire::response::Response;
use undertone_wire::secrets::ChannelKey;
use undertone_wire::tokens::Token;

use super::client::{Device, TestServer, send};

/// An HTTP connection.
pub(super) struct Http(SendRequest<Full<Bytes>>);

pub(super) struct Answer {
    pub(super) status: StatusCode,
    headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    pub(super) fn code(&self) -> String {
        let json: serde_json::Value = serde_json::from_slice(&self.body).unwrap();
        assert!(json["sentence"].as_str().unwrap().ends_with('.'));
        json["code"].as_str().unwrap().to_owned()
    }
}

impl Http {
    pub(super) async fn open(server: &TestServer) -> Self {
        let (sender, connection) = handshake(TokioIo::new(server.tls().await)).await.unwrap();
        tokio::spawn(connection);
        Self(sender)
    }

    pub(super) async fn ask(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, String)],
        body: &[u8],
    ) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "undertone.invalid");
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let request = request
            .body(Full::new(Bytes::copy_from_slice(body)))
            .unwrap();
        self.0.ready().await.unwrap();
        let response = self.0.send_request(request).await.unwrap();
        let (head, body) = response.into_parts();
        Answer {
            status: head.status,
            headers: head.headers,
            body: body.collect().await.unwrap().to_bytes(),
        }
    }

    pub(super) async fn create(&mut self, id: &BlobId, size: usize, token: &Token) -> Answer {
        let headers = [
            ("upload-length", size.to_string()),
            ("authorization", token.to_authorization()),
        ];
        self.ask("PUT", &path(id), &headers, b"").await
    }

    async fn append(&mut self, id: &BlobId, offset: usize, bytes: &[u8], token: &Token) -> Answer {
        let headers = [
            ("upload-offset", offset.to_string()),
            ("authorization", token.to_authorization()),
        ];
        self.ask("PATCH", &path(id), &headers, bytes).await
    }

    async fn get(&mut self, id: &BlobId, range: Option<&str>) -> Answer {
        let headers: Vec<_> = range
            .map(|range| ("range", range.to_owned()))
            .into_iter()
            .collect();
        self.ask("GET", &path(id), &headers, b"").await
    }
}

fn path(id: &BlobId) -> String {
    format!("/v1/blobs/{id}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_blob_is_uploaded_in_steps_resumed_and_read_in_ranges() {
    let mut server = TestServer::start().await;
    let mut ada = Device::new(&server).await;
    ada.issue(10).await.unwrap();
    let content: Vec<u8> = (0..1 << 20).map(|n| (n % 251) as u8).collect();
    let id = BlobId::random();
    let mut http = Http::open(&server).await;

    assert_eq!(http.get(&id, None).await.code(), "blob.unknown");
    let created = http.create(&id, content.len(), &ada.token().await).await;
    assert_eq!(created.status, StatusCode::CREATED);
    assert_eq!(
        (
            created.header("upload-offset"),
            created.header("upload-complete")
        ),
        ("0", "?0")
    );

    let token = ada.token().await;
    let appended = http.append(&id, 0, &content[..700_000], &token).await;
    assert_eq!(
        (appended.status, appended.header("upload-offset")),
        (StatusCode::NO_CONTENT, "700000")
    );
    assert_eq!(http.get(&id, None).await.code(), "blob.incomplete");

    // The client goes away, the server is restarted; HEAD says where to go on.
    server.stop().await;
    server.start_again().await;
    let mut http = Http::open(&server).await;
    let head = http.ask("HEAD", &path(&id), &[], b"").await;
    assert_eq!(
        (head.header("upload-offset"), head.header("upload-length")),
        ("700000", "1048576")
    );
    let token = ada.token().await;
    let wrong = http.append(&id, 0, &content, &token).await;
    assert_eq!(
        (wrong.status, wrong.header("upload-offset")),
        (StatusCode::CONFLICT, "700000")
    );
    assert_eq!(wrong.code(), "blob.offset");
    // The token was not taken by the refused step.
    let rest = http.append(&id, 700_000, &content[700_000..], &token).await;
    assert_eq!(rest.status, StatusCode::NO_CONTENT);
    assert_eq!(rest.header("upload-complete"), "?1");

    let whole = http.get(&id, None).await;
    assert_eq!(whole.status, StatusCode::OK);
    assert!(whole.body == content);
    for (range, expected) in [
        ("bytes=0-0", &content[..1]),
        ("bytes=300000-699999", &content[300_000..700_000]),
        ("bytes=1048000-", &content[1_048_000..]),
        ("bytes=-10", &content[content.len() - 10..]),
        ("bytes=1048570-9999999", &content[1_048_570..]),
    ] {
        let part = http.get(&id, Some(range)).await;
        assert_eq!(part.status, StatusCode::PARTIAL_CONTENT);
        assert!(part.body == expected, "{range}");
    }
    assert_eq!(
        http.get(&id, Some("bytes=0-4"))
            .await
            .header("content-range"),
        "bytes 0-4/1048576"
    );
    let beyond = http.get(&id, Some("bytes=1048576-")).await;
    assert_eq!(
        (beyond.status, beyond.code().as_str()),
        (StatusCode::RANGE_NOT_SATISFIABLE, "blob.range")
    );
}

/// What is announced costs nothing yet: no byte of these four gibibytes is moved.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_attachment_of_four_gibibytes_is_let_in_and_nothing_larger() {
    let server = TestServer::start().await;
    let mut ada = Device::new(&server).await;
    ada.issue(10).await.unwrap();
    let mut http = Http::open(&server).await;
    let id = BlobId::random();
    let token = ada.token().await;
    let largest = undertone_wire::padding::attachment_blob_size(4 << 30).unwrap();
    assert!(largest > 1 << 32);
    let next = undertone_wire::padding::blob_size(largest + 1).unwrap();
    let [largest, next] = [largest, next].map(|size| usize::try_from(size).unwrap());
    assert_eq!(
        http.create(&id, next, &token).await.code(),
        "blob.too_large"
    );
    let created = http.create(&id, largest, &token).await;
    assert_eq!(created.status, StatusCode::CREATED);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn uploads_are_checked_and_paid_for() {
    let server = TestServer::start_with(|config| config.limits.blob_mib = 1).await;
    let mut ada = Device::new(&server).await;
    ada.issue(10).await.unwrap();
    let mut http = Http::open(&server).await;
    let id = BlobId::random();
    let token = ada.token().await;

    let unpaid = http
        .ask("PUT", &path(&id), &[("upload-length", "4096".into())], b"")
        .await;
    assert_eq!(
        (unpaid.status, unpaid.code().as_str()),
        (StatusCode::UNAUTHORIZED, "token.required")
    );
    assert_eq!(unpaid.header("www-authenticate"), "PrivateToken");
    let invented = Token::from_slice(&random_bytes::<{ Token::LEN }>()).unwrap();
    assert_eq!(
        http.create(&id, 4096, &invented).await.code(),
        "token.key_unknown"
    );
    assert_eq!(http.create(&id, 5000, &token).await.code(), "blob.length");
    assert_eq!(
        http.create(&id, 2 << 20, &token).await.code(),
        "blob.too_large"
    );
    assert_eq!(
        http.create(&id, 4096, &token).await.status,
        StatusCode::CREATED
    );
    assert_eq!(
        http.create(&id, 4096, &token).await.status,
        StatusCode::OK,
        "repeated for nothing"
    );
    assert_eq!(http.create(&id, 8192, &token).await.code(), "blob.exists");
    assert_eq!(
        http.create(&BlobId::random(), 4096, &token).await.code(),
        "token.spent"
    );

    let second = ada.token().await;
    assert_eq!(
        http.append(&id, 0, &[1; 5000], &second).await.code(),
        "blob.length"
    );
    let mut http = Http::open(&server).await;
    assert_eq!(
        http.append(&id, 0, &[1; 4096], &second).await.status,
        StatusCode::NO_CONTENT
    );
    let mut http = Http::open(&server).await;
    assert_eq!(
        http.append(&BlobId::random(), 0, b"x", &second)
            .await
            .code(),
        "blob.unknown"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_else_is_served() {
    let server = TestServer::start().await;
    let mut http = Http::open(&server).await;
    let health = http.ask("GET", "/healthz", &[], b"").await;
    assert_eq!(
        (health.status, &health.body[..]),
        (StatusCode::OK, &b"ok\n"[..])
    );
    assert!(health.headers.get("server").is_none() && health.headers.get("date").is_none());
    assert_eq!(
        http.ask("GET", "/", &[], b"").await.status,
        StatusCode::NOT_FOUND
    );
    assert_eq!(
        http.ask("GET", "/metrics", &[], b"").await.status,
        StatusCode::NOT_FOUND
    );
    assert_eq!(
        http.ask("GET", "/v1/connect", &[], b"").await.status,
        StatusCode::UPGRADE_REQUIRED
    );
    for id in ["", "x", "../../etc/passwd", &"a".repeat(51)] {
        assert_eq!(
            http.ask("GET", &format!("/v1/blobs/{id}"), &[], b"")
                .await
                .code(),
            "request.malformed"
        );
    }
    let id = BlobId::random();
    assert_eq!(
        http.ask("DELETE", &path(&id), &[], b"").await.status,
        StatusCode::METHOD_NOT_ALLOWED
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_refers_to_a_blob_is_taken_when_all_of_it_is_there() {
    let server = TestServer::start().await;
    let mut ada = Device::new(&server).await;
    let to = ada.address(AddressKind::Conversation).await;
    let mut outbox = server.paid_outbox(&mut ada).await;
    let (channel_id, key, next) = (
        ChannelId::random(),
        ChannelKey::random(),
        ChannelKey::random(),
    );
    let made = outbox
        .ask(request::Request::CreateChannel(CreateChannel {
            channel_id,
            epoch: 0,
            lock: key.lock(),
            min_send_epoch: 0,
        }))
        .await;
    assert_eq!(made, Ok(Response::Done));
    let id = BlobId::random();
    let commit = || {
        request::Request::ChannelCommit(ChannelCommit {
            channel_id,
            epoch: 0,
            key: key.duplicate(),
            next_lock: next.lock(),
            payload: Bytes::from_static(b"see there"),
            addresses: vec![to.duplicate()],
            renames: vec![],
            removes: false,
            blob: Some(id.hash()),
        })
    };
    let welcome = || {
        let request::Request::Send(mut send) = send(b"come in", &[&to]) else {
            panic!()
        };
        send.blob = Some(id.hash());
        request::Request::Send(send)
    };
    let mut http = Http::open(&server).await;
    for step in ["nothing", "announced", "half"] {
        match step {
            "announced" => {
                http.create(&id, 4096, &ada.token().await).await;
            }
            "half" => {
                http.append(&id, 0, &[1; 2048], &ada.token().await).await;
            }
            _ => {}
        }
        assert_eq!(outbox.refused(commit()).await, Code::BlobNeeded, "{step}");
        assert_eq!(outbox.refused(welcome()).await, Code::BlobNeeded, "{step}");
    }
    let whole = http.append(&id, 2048, &[1; 2048], &ada.token().await).await;
    assert_eq!(whole.header("upload-complete"), "?1");
    for request in [commit(), welcome()] {
        assert!(matches!(
            outbox.ask(request).await,
            Ok(Response::Accepted(_))
        ));
    }
    ada.give_credit(2).await;
    for _ in 0..2 {
        assert_eq!(ada.item().await.1.blob, Some(id.hash()));
    }
}
