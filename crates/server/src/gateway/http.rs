//! HTTP/1.1 on the port: health, blobs, and the upgrade that ends it.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::header::{self, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tungstenite::handshake::server::create_response_with_body;
use undertone_wire::{Code, Error, limits};

use super::stream::Stream;
use super::{Gateway, blobs, parcels};
use crate::server::stopped;

/// A response's body; an error while streaming ends the connection.
pub(super) type Body = UnsyncBoxBody<Bytes, std::io::Error>;

const BUFFER_BYTES: usize = 64 * 1024;
const HEADERS: usize = 32;

/// Serves HTTP until the client upgrades, and then gives the stream back. `None`: the connection is over.
pub(super) async fn serve(gateway: &Arc<Gateway>, stream: Stream) -> Option<Stream> {
    let upgraded = AtomicBool::new(false);
    let service = service_fn(|request: Request<Incoming>| {
        let upgraded = &upgraded;
        async move {
            let response = route(gateway, request).await;
            if response.status() == StatusCode::SWITCHING_PROTOCOLS {
                upgraded.store(true, Ordering::Relaxed);
            }
            Ok::<_, Infallible>(response)
        }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(gateway.hello_timeout())
        .max_buf_size(BUFFER_BYTES)
        .max_headers(HEADERS)
        .half_close(false)
        .auto_date_header(false)
        .serve_connection(TokioIo::new(stream), service)
        .without_shutdown();
    let mut stopping = gateway.stopping.clone();
    let parts = tokio::select! {
        parts = connection => parts,
        // Uploads resume where they were cut off.
        () = stopped(&mut stopping) => return None,
    };
    match parts {
        Ok(parts) if upgraded.load(Ordering::Relaxed) => {
            // A client that speaks before the answer to its upgrade has come does not speak this protocol.
            parts.read_buf.is_empty().then(|| parts.io.into_inner())
        }
        Ok(_) => None,
        Err(_) => {
            gateway.metrics.handshakes_failed.inc();
            None
        }
    }
}

async fn route(gateway: &Arc<Gateway>, request: Request<Incoming>) -> Response<Body> {
    let path = request.uri().path();
    if path == limits::CONNECT_PATH {
        return upgrade(&request);
    }
    if path == "/healthz" && request.method() == Method::GET {
        return health(gateway);
    }
    if path == limits::KEY_PATH && request.method() == Method::GET {
        return parcels::key(gateway);
    }
    if path == limits::PARCELS_PATH && request.method() == Method::POST {
        return parcels::take(gateway, request)
            .await
            .unwrap_or_else(|refused| refused.into_response());
    }
    if path.starts_with(limits::BLOBS_PATH) {
        return blobs::serve(gateway, request)
            .await
            .unwrap_or_else(|refused| refused.into_response());
    }
    plain(StatusCode::NOT_FOUND, "not found\n")
}

fn health(gateway: &Gateway) -> Response<Body> {
    if gateway.store.activity().accepts_sends {
        plain(StatusCode::OK, "ok\n")
    } else {
        plain(
            StatusCode::SERVICE_UNAVAILABLE,
            "the store does not accept writes\n",
        )
    }
}

/// RFC 6455 section 4.2.
fn upgrade(request: &Request<Incoming>) -> Response<Body> {
    create_response_with_body(request, || full("")).unwrap_or_else(|_| {
        let mut response = plain(
            StatusCode::UPGRADE_REQUIRED,
            "this path takes WebSocket connections only\n",
        );
        response
            .headers_mut()
            .insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        response
    })
}

pub(super) fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}

pub(super) fn plain(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(full(Bytes::from_static(text.as_bytes())));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    response
}

/// An HTTP request that is answered with an error code.
pub(super) struct Refused {
    pub(super) error: Error,
    /// With `blob.offset`: where the upload stands.
    pub(super) offset: Option<u64>,
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self {
            error,
            offset: None,
        }
    }
}

impl From<Code> for Refused {
    fn from(code: Code) -> Self {
        Error::new(code).into()
    }
}

impl Refused {
    fn status(&self) -> StatusCode {
        match self.error.code {
            Code::BlobUnknown => StatusCode::NOT_FOUND,
            Code::ForwardRefused => StatusCode::FORBIDDEN,
            Code::BlobExists | Code::BlobOffset | Code::BlobIncomplete => StatusCode::CONFLICT,
            Code::BlobTooLarge | Code::LimitPayload => StatusCode::PAYLOAD_TOO_LARGE,
            Code::BlobRange => StatusCode::RANGE_NOT_SATISFIABLE,
            Code::TokenRequired | Code::TokenInvalid | Code::TokenSpent | Code::TokenKeyUnknown => {
                StatusCode::UNAUTHORIZED
            }
            Code::StoreFull => StatusCode::INSUFFICIENT_STORAGE,
            Code::LimitRate => StatusCode::TOO_MANY_REQUESTS,
            Code::StoreUnavailable | Code::ServerShuttingDown | Code::Internal => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Code::RequestUnknown => StatusCode::METHOD_NOT_ALLOWED,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    pub(super) fn into_response(self) -> Response<Body> {
        let json = serde_json::json!({ "code": self.error.code.as_str(), "sentence": self.error.sentence() });
        let mut response = Response::new(full(json.to_string()));
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(offset) = self.offset {
            headers.insert("upload-offset", HeaderValue::from(offset));
        }
        if self.error.retry_after_s > 0 {
            headers.insert(
                header::RETRY_AFTER,
                HeaderValue::from(self.error.retry_after_s),
            );
        }
        if response.status() == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static("PrivateToken"),
            );
        }
        response
    }
}
