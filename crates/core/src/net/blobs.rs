//! Blobs over HTTP/1.1: the encrypted files that are too large for an item. See docs/protocol.md section 6.
//!
//! Each blob gets a TLS connection of its own (and, through Tor, a circuit), kept for a short while so that the pieces of one file do
//! not pay for a handshake each. Two blobs never share one: nothing here tells a server that they belong together. At
//! most one piece is in memory.

use std::{
    cmp::Ordering,
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt as _, Full};
use hyper::{
    Method, Request, Response,
    body::{Body as _, Incoming},
    client::conn::http1::{SendRequest, handshake},
    header,
};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, timeout},
};
use undertone_wire::{
    Code, Error,
    forward::ServerKey,
    ids::BlobId,
    limits::{BLOB_APPEND_BYTES, BLOBS_PATH, KEY_PATH},
    origin::ServerAddress,
    tls::PLACEHOLDER_NAME,
    tokens::Token,
};

use super::connect::{self, Timing};
use crate::{client::SocksProxy, transport::BlobState};

/// The most that [`BlobClient::read`] reads at once.
pub const MOST_READ_BYTES: u64 = 4 * 1024 * 1024;
/// Connections kept at the same time.
const MOST_IDLE: usize = 8;
/// An error's JSON.
const MOST_ERROR_BYTES: usize = 4096;
/// A piece may take this long on a slow line, on top of the request's own limit.
const PIECE: Duration = Duration::from_secs(240);

/// Moves blobs.
pub struct BlobClient {
    proxy: Option<SocksProxy>,
    timing: Timing,
    idle: Arc<Mutex<HashMap<Key, Idle>>>,
    /// Closes what nobody came back for.
    reaper: Mutex<JoinSet<()>>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    server: ServerAddress,
    blob: BlobId,
}

struct Idle {
    connection: HttpConnection,
    since: Instant,
}

/// An HTTP connection; the task that drives it ends with it.
struct HttpConnection {
    sender: SendRequest<Full<Bytes>>,
    _driver: JoinSet<()>,
}

#[derive(Deserialize)]
struct Refusal {
    code: String,
}

impl BlobClient {
    /// Through this proxy, if any.
    #[must_use]
    pub fn new(proxy: Option<SocksProxy>, timing: Timing) -> Self {
        Self {
            proxy,
            timing,
            idle: Arc::default(),
            reaper: Mutex::default(),
        }
    }

    /// The key that what is for this server is sealed to. On a connection of its own.
    ///
    /// # Errors
    /// A `connection.` code, or `server_key.malformed`.
    pub async fn server_key(&self, server: &ServerAddress) -> Result<ServerKey, Error> {
        let request = Request::builder()
            .method(Method::GET)
            .uri(KEY_PATH)
            .header(header::HOST, PLACEHOLDER_NAME)
            .body(Full::new(Bytes::new()))
            .map_err(|_| Error::new(Code::Internal))?;
        let work = async {
            let mut connection = self.open(server).await?;
            let response = connection
                .sender
                .send_request(request)
                .await
                .map_err(lost)?;
            collect(response, MOST_ERROR_BYTES).await
        };
        let response = timeout(self.timing.request, work)
            .await
            .map_err(|_| Error::new(Code::ConnectionTimeout))??;
        refused(&response)?;
        ServerKey::decode(response.body())
    }

    /// Creates a blob of `length` bytes, one of the padded sizes. Idempotent.
    ///
    /// # Errors
    /// A `connection.`, `blob.`, `token.` or `store.` code.
    pub async fn create(
        &self,
        server: &ServerAddress,
        blob: &BlobId,
        length: u64,
        token: &Token,
    ) -> Result<BlobState, Error> {
        let request = request(Method::PUT, blob)
            .header("upload-length", length)
            .header(header::AUTHORIZATION, token.to_authorization());
        let response = self.exchange(server, blob, request, Bytes::new()).await?;
        Ok(BlobState {
            offset: number(&response, "upload-offset").unwrap_or(0),
            length,
        })
    }

    /// Appends a piece of at most 16 MiB at `offset`; answers how much is there then.
    ///
    /// # Errors
    /// As [`Self::create`]. With `blob.offset`, [`Self::state`] tells where to go on.
    pub async fn append(
        &self,
        server: &ServerAddress,
        blob: &BlobId,
        offset: u64,
        piece: Bytes,
        token: &Token,
    ) -> Result<BlobState, Error> {
        if piece.len() as u64 > BLOB_APPEND_BYTES {
            return Err(Code::LimitPayload.into());
        }
        let end = offset.saturating_add(piece.len() as u64);
        let request = request(Method::PATCH, blob)
            .header("upload-offset", offset)
            .header(header::AUTHORIZATION, token.to_authorization());
        let response = self.exchange(server, blob, request, piece).await?;
        let state = BlobState {
            offset: number(&response, "upload-offset").ok_or_else(malformed)?,
            length: number(&response, "upload-length").unwrap_or(end),
        };
        if (offset..=end).contains(&state.offset) {
            Ok(state)
        } else {
            Err(malformed())
        }
    }

    /// How much of a blob is there.
    ///
    /// # Errors
    /// As [`Self::create`]; `blob.unknown` when nothing is.
    pub async fn state(&self, server: &ServerAddress, blob: &BlobId) -> Result<BlobState, Error> {
        let request = request(Method::HEAD, blob);
        let response = self.exchange(server, blob, request, Bytes::new()).await?;
        let state = BlobState {
            offset: number(&response, "upload-offset").ok_or_else(malformed)?,
            length: number(&response, "upload-length").ok_or_else(malformed)?,
        };
        if state.offset <= state.length {
            Ok(state)
        } else {
            Err(malformed())
        }
    }

    /// Reads exactly `length` bytes from `from`, at most 4 MiB.
    ///
    /// # Errors
    /// As [`Self::create`].
    pub async fn read(
        &self,
        server: &ServerAddress,
        blob: &BlobId,
        from: u64,
        length: u64,
    ) -> Result<Bytes, Error> {
        let last = length
            .checked_sub(1)
            .and_then(|more| from.checked_add(more))
            .filter(|_| length <= MOST_READ_BYTES)
            .ok_or(Error::new(Code::BlobRange))?;
        let request =
            request(Method::GET, blob).header(header::RANGE, format!("bytes={from}-{last}"));
        let wanted = usize::try_from(length).map_err(|_| Error::new(Code::BlobRange))?;
        let response = self
            .exchange_for(server, blob, request, Bytes::new(), wanted)
            .await?;
        // 206, or 200 when the range is the whole blob. A range that reaches beyond the end comes back short.
        let body = response.into_body();
        match body.len().cmp(&wanted) {
            Ordering::Equal => Ok(body),
            Ordering::Less => Err(Code::BlobRange.into()),
            Ordering::Greater => Err(malformed()),
        }
    }

    async fn exchange(
        &self,
        server: &ServerAddress,
        blob: &BlobId,
        request: hyper::http::request::Builder,
        body: Bytes,
    ) -> Result<Response<Bytes>, Error> {
        self.exchange_for(server, blob, request, body, MOST_ERROR_BYTES)
            .await
    }

    /// One request on the blob's own connection. A kept connection that turns out to be closed is replaced once: the server has not
    /// seen the request then.
    async fn exchange_for(
        &self,
        server: &ServerAddress,
        blob: &BlobId,
        request: hyper::http::request::Builder,
        body: Bytes,
        most: usize,
    ) -> Result<Response<Bytes>, Error> {
        let request = request
            .body(Full::new(body))
            .map_err(|_| Error::new(Code::Internal))?;
        let key = Key {
            server: server.clone(),
            blob: *blob,
        };
        let kept = self.take_idle(&key).await;
        let mut connection = match kept {
            Some(connection) => connection,
            None => self.open(server).await?,
        };
        let work = async {
            let response = match connection.sender.try_send_request(request).await {
                Ok(response) => response,
                Err(mut failed) => {
                    let request = failed
                        .take_message()
                        .ok_or(Error::new(Code::ConnectionLost))?;
                    connection = self.open(server).await?;
                    connection
                        .sender
                        .send_request(request)
                        .await
                        .map_err(lost)?
                }
            };
            collect(response, most).await
        };
        let response = timeout(self.timing.request + PIECE, work)
            .await
            .map_err(|_| Error::new(Code::ConnectionTimeout))??;
        self.keep(key, connection);
        refused(&response)?;
        Ok(response)
    }

    async fn open(&self, server: &ServerAddress) -> Result<HttpConnection, Error> {
        let stream = connect::secure(server, self.proxy.as_ref(), &self.timing).await?;
        let (sender, driver) = handshake(TokioIo::new(stream)).await.map_err(lost)?;
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            // How it ended shows in the request that needed it.
            let _ = driver.await;
        });
        Ok(HttpConnection {
            sender,
            _driver: tasks,
        })
    }

    async fn take_idle(&self, key: &Key) -> Option<HttpConnection> {
        let mut connection = {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            retain_fresh(&mut idle, self.timing.blob_idle);
            idle.remove(key)?.connection
        };
        connection.sender.ready().await.ok()?;
        Some(connection)
    }

    fn keep(&self, key: Key, connection: HttpConnection) {
        if connection.sender.is_closed() {
            return;
        }
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() >= MOST_IDLE {
            let oldest = idle
                .iter()
                .min_by_key(|(_, idle)| idle.since)
                .map(|(key, _)| key.clone());
            if let Some(oldest) = oldest {
                idle.remove(&oldest);
            }
        }
        let since = Instant::now();
        idle.insert(key, Idle { connection, since });
        drop(idle);
        self.reap_later();
    }

    /// One task at a time waits for the last connection to have been idle long enough.
    fn reap_later(&self) {
        let mut reaper = self.reaper.lock().unwrap_or_else(PoisonError::into_inner);
        reaper.abort_all();
        while reaper.try_join_next().is_some() {}
        let (idle, limit) = (self.idle.clone(), self.timing.blob_idle);
        reaper.spawn(async move {
            sleep(limit).await;
            retain_fresh(
                &mut idle.lock().unwrap_or_else(PoisonError::into_inner),
                limit,
            );
        });
    }
}

fn retain_fresh(idle: &mut HashMap<Key, Idle>, limit: Duration) {
    idle.retain(|_, idle| idle.since.elapsed() < limit);
}

fn request(method: Method, blob: &BlobId) -> hyper::http::request::Builder {
    Request::builder()
        .method(method)
        .uri(format!("{BLOBS_PATH}{blob}"))
        .header(header::HOST, PLACEHOLDER_NAME)
}

fn malformed() -> Error {
    Error::new(Code::ResponseMalformed)
}

fn lost(_: hyper::Error) -> Error {
    Error::new(Code::ConnectionLost)
}

/// Reads a body of at most `most` bytes, or of an error's size.
async fn collect(response: Response<Incoming>, most: usize) -> Result<Response<Bytes>, Error> {
    let most = most.max(MOST_ERROR_BYTES);
    let (parts, mut body) = response.into_parts();
    let expected = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    let mut bytes = BytesMut::with_capacity(expected.min(most));
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.map_err(lost)?.into_data() {
            if bytes.len() + data.len() > most {
                return Err(malformed());
            }
            bytes.extend_from_slice(&data);
        }
    }
    Ok(Response::from_parts(parts, bytes.freeze()))
}

fn number(response: &Response<Bytes>, name: &str) -> Option<u64> {
    response.headers().get(name)?.to_str().ok()?.parse().ok()
}

/// The code of a refusal. HEAD has no body: its status says enough.
fn refused(response: &Response<Bytes>) -> Result<(), Error> {
    let status = response.status();
    if status.is_success() {
        return Ok(());
    }
    let mut error = match serde_json::from_slice::<Refusal>(response.body()) {
        Ok(refusal) => Error::from_code_text(&refusal.code),
        Err(_) => Error::new(match status.as_u16() {
            404 | 410 => Code::BlobUnknown,
            429 => Code::LimitRate,
            503 => Code::StoreUnavailable,
            507 => Code::StoreFull,
            _ => Code::ResponseMalformed,
        }),
    };
    if let Some(seconds) = number(response, header::RETRY_AFTER.as_str()) {
        error.retry_after_s = u32::try_from(seconds).unwrap_or(u32::MAX);
    }
    Err(error)
}
