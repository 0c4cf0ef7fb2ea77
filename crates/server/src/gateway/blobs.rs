//! Blobs over HTTP (docs/protocol.md section 6): created, appended to, looked at, and read in ranges, with flat memory.
//!
//! Whoever knows a blob's id may read it; creating and appending cost one blind token each. The token is taken last, when
//! nothing else is known to be in the way, so that a resumed upload does not pay for finding out where it stands. What was issued to a
//! temporary queue, which anybody can make, pays for none.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::stream;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use tokio::time::timeout;
use undertone_wire::ids::{BlobHash, BlobId};
use undertone_wire::tokens::Token;
use undertone_wire::{Code, Error, limits, padding};

use super::Gateway;
use super::http::{Body, Refused, full};
use super::outbox::redeem;
use super::refuse::refusal;
use crate::admission::token_keys::Kind;
use crate::store::blobs::BlobRead;
use crate::store::{BlobRecord, StoreError};

const UPLOAD_LENGTH: &str = "upload-length";
const UPLOAD_OFFSET: &str = "upload-offset";
const UPLOAD_COMPLETE: &str = "upload-complete";

/// Bytes gathered before they are written to the file.
const WRITE_BYTES: usize = 256 * 1024;

/// Time a client may be silent in the middle of an upload.
const SILENCE: Duration = Duration::from_secs(30);

/// Answers a request under `/v1/blobs/`.
pub(super) async fn serve(
    gateway: &Arc<Gateway>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Refused> {
    let text = request.uri().path().trim_start_matches(limits::BLOBS_PATH);
    let id: BlobId = text
        .parse()
        .map_err(|_| Refused::from(Code::RequestMalformed))?;
    let blob = id.hash();
    match *request.method() {
        Method::PUT => create(gateway, blob, request.headers()).await,
        Method::PATCH => append(gateway, blob, request).await,
        Method::HEAD => {
            let record = gateway.blobs.state(blob).await.map_err(refused)?;
            Ok(standing(StatusCode::OK, record))
        }
        Method::GET => read(gateway, blob, request.headers()).await,
        _ => Err(Code::RequestUnknown.into()),
    }
}

fn refused(error: StoreError) -> Refused {
    Refused {
        error: refusal(&error),
        offset: match error {
            StoreError::BlobOffset { offset } => Some(offset),
            _ => None,
        },
    }
}

async fn create(
    gateway: &Arc<Gateway>,
    blob: BlobHash,
    headers: &HeaderMap,
) -> Result<Response<Body>, Refused> {
    let size = number(headers, UPLOAD_LENGTH)?;
    if size > gateway.blob_bytes() {
        return Err(Code::BlobTooLarge.into());
    }
    if !padding::is_blob_size(size) {
        return Err(Code::BlobLength.into());
    }
    let token = token(headers)?;
    match gateway.blobs.state(blob).await {
        // A repeated request costs nothing.
        Ok(record) if record.size == size => return Ok(standing(StatusCode::OK, record)),
        Ok(_) => return Err(Code::BlobExists.into()),
        Err(StoreError::UnknownBlob) => {}
        Err(error) => return Err(refused(error)),
    }
    pay(gateway, token).await?;
    let record = gateway.blobs.create(blob, size).await.map_err(refused)?;
    Ok(standing(StatusCode::CREATED, record))
}

async fn append(
    gateway: &Arc<Gateway>,
    blob: BlobHash,
    request: Request<Incoming>,
) -> Result<Response<Body>, Refused> {
    let (head, mut body) = request.into_parts();
    let result = append_body(gateway, blob, &head.headers, &mut body).await;
    if result.is_err() {
        // A connection that is closed with bytes unread is reset, and the client might not get the answer, which says
        // where to go on.
        let _ = timeout(SILENCE, drain(&mut body)).await;
    }
    result
}

async fn drain(body: &mut Incoming) {
    let mut left = limits::BLOB_APPEND_BYTES;
    while let Some(Ok(frame)) = body.frame().await {
        let length = frame.data_ref().map_or(0, |data| data.len() as u64);
        match left.checked_sub(length) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}

async fn append_body(
    gateway: &Arc<Gateway>,
    blob: BlobHash,
    headers: &HeaderMap,
    body: &mut Incoming,
) -> Result<Response<Body>, Refused> {
    let offset = number(headers, UPLOAD_OFFSET)?;
    let announced = match headers.get(header::CONTENT_LENGTH) {
        Some(_) => Some(number(headers, header::CONTENT_LENGTH.as_str())?),
        None => None,
    };
    if announced.is_some_and(|length| length > limits::BLOB_APPEND_BYTES) {
        return Err(Code::LimitPayload.into());
    }
    let token = token(headers)?;
    let mut append = gateway.blobs.append(blob, offset).await.map_err(refused)?;
    let room = append.record().size - offset;
    if announced.is_some_and(|length| length > room) {
        return Err(Code::BlobLength.into());
    }
    pay(gateway, token).await?;

    let mut gathered = BytesMut::new();
    let mut received = 0u64;
    let mut outcome = Ok(());
    // Whatever arrived before a failure still counts: the client goes on from there.
    loop {
        let data = match timeout(SILENCE, body.frame()).await {
            Ok(Some(Ok(frame))) => frame.into_data().unwrap_or_default(),
            Ok(None) => break,
            Ok(Some(Err(_))) | Err(_) => {
                outcome = Err(Refused::from(Code::RequestMalformed));
                break;
            }
        };
        received += data.len() as u64;
        if received > limits::BLOB_APPEND_BYTES {
            outcome = Err(Code::LimitPayload.into());
            break;
        }
        if received > room {
            outcome = Err(Code::BlobLength.into());
            break;
        }
        gathered.extend_from_slice(&data);
        if gathered.len() >= WRITE_BYTES {
            let bytes = gathered.split().freeze();
            gateway.metrics.blob_bytes_in.inc_by(bytes.len() as u64);
            if let Err(error) = append.write(bytes).await {
                outcome = Err(refused(error));
                break;
            }
        }
    }
    if outcome.is_ok() && !gathered.is_empty() {
        gateway.metrics.blob_bytes_in.inc_by(gathered.len() as u64);
        outcome = append.write(gathered.freeze()).await.map_err(refused);
    }
    let record = append.finish().await.map_err(refused)?;
    outcome.map(|()| standing(StatusCode::NO_CONTENT, record))
}

async fn read(
    gateway: &Arc<Gateway>,
    blob: BlobHash,
    headers: &HeaderMap,
) -> Result<Response<Body>, Refused> {
    let record = gateway.blobs.state(blob).await.map_err(refused)?;
    let range = match headers.get(header::RANGE) {
        None => None,
        Some(value) => Some(parse_range(value, record.size).ok_or(Refused::from(Code::BlobRange))?),
    };
    let partial = range.is_some();
    let blob = gateway.blobs.read(blob, range).await.map_err(refused)?;
    let given = blob.range();
    let mut response = Response::new(streamed(gateway, blob));
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/octet-stream"),
    );
    headers.insert(
        header::CONTENT_LENGTH,
        HeaderValue::from(given.end - given.start),
    );
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    if partial {
        let text = format!("bytes {}-{}/{}", given.start, given.end - 1, record.size);
        if let Ok(value) = HeaderValue::from_str(&text) {
            headers.insert(header::CONTENT_RANGE, value);
        }
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    Ok(response)
}

fn streamed(gateway: &Arc<Gateway>, blob: BlobRead) -> Body {
    let chunks = stream::unfold((blob, Arc::clone(gateway)), |(mut blob, gateway)| async {
        match blob.next_chunk().await {
            Ok(Some(chunk)) => {
                gateway.metrics.blob_bytes_out.inc_by(chunk.len() as u64);
                Some((Ok(Frame::data(chunk)), (blob, gateway)))
            }
            Ok(None) => None,
            Err(error) => Some((Err(std::io::Error::other(error)), (blob, gateway))),
        }
    });
    StreamBody::new(chunks).boxed_unsync()
}

/// Where an upload stands.
fn standing(status: StatusCode, record: BlobRecord) -> Response<Body> {
    let mut response = Response::new(full(Bytes::new()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(UPLOAD_OFFSET, HeaderValue::from(record.offset));
    headers.insert(UPLOAD_LENGTH, HeaderValue::from(record.size));
    let complete = if record.complete() { "?1" } else { "?0" };
    headers.insert(UPLOAD_COMPLETE, HeaderValue::from_static(complete));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Spends a token, if it is one that pays for uploads.
async fn pay(gateway: &Arc<Gateway>, token: Token) -> Result<(), Refused> {
    if gateway.tokens.kind(&token)? == Kind::Temporary {
        return Err(Code::QuotaTemporary.into());
    }
    redeem(gateway, vec![token]).await?;
    Ok(())
}

fn number(headers: &HeaderMap, name: &str) -> Result<u64, Refused> {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .filter(|text| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()))
        .and_then(|text| text.parse().ok())
        .ok_or(Refused::from(Code::RequestMalformed))
}

fn token(headers: &HeaderMap) -> Result<Token, Refused> {
    let value = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .ok_or(Refused::from(Error::new(Code::TokenRequired)))?;
    Ok(Token::from_authorization(value)?)
}

/// One range of RFC 9110 section 14.1.2: `bytes=first-last`, `bytes=first-` or `bytes=-suffix`.
fn parse_range(value: &HeaderValue, size: u64) -> Option<Range<u64>> {
    let (first, last) = value
        .to_str()
        .ok()?
        .strip_prefix("bytes=")?
        .split_once('-')?;
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if digits {
            text.parse::<u64>().ok()
        } else {
            None
        }
    };
    let range = match (first, last) {
        ("", suffix) => size.saturating_sub(number(suffix)?)..size,
        (first, "") => number(first)?..size,
        (first, last) => number(first)?..number(last)?.checked_add(1)?.min(size),
    };
    (range.start < range.end).then_some(range)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        let range = |text: &'static str| parse_range(&HeaderValue::from_static(text), 100);
        assert_eq!(range("bytes=0-0"), Some(0..1));
        assert_eq!(range("bytes=10-"), Some(10..100));
        assert_eq!(range("bytes=-30"), Some(70..100));
        assert_eq!(range("bytes=-300"), Some(0..100));
        assert_eq!(range("bytes=90-200"), Some(90..100));
        for wrong in [
            "bytes=",
            "bytes=-",
            "bytes=-0",
            "bytes=5-4",
            "bytes=100-",
            "bytes=0-1,3-4",
            "items=0-1",
            "bytes=+1-2",
        ] {
            assert_eq!(range(wrong), None, "{wrong}");
        }
    }
}
