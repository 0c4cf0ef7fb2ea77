//! HTTP/1.1 on the port: the user interface, files, and the upgrade to the WebSocket.

use std::{convert::Infallible, sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, combinators::UnsyncBoxBody};
use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming,
    header::{self, HeaderValue},
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::Value;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    task::JoinSet,
};
use tungstenite::handshake::server::create_response_with_body;

use super::{Host, assets, guard, media, socket, upload};

/// A response's body; an error while streaming ends the connection.
pub type Body = UnsyncBoxBody<Bytes, std::io::Error>;

/// Connections at a time: browsers open six to an origin, players some more.
const CONNECTIONS: usize = 128;
/// Those who have not said yet who they are, or were refused: an upgraded connection does not count as one of [`CONNECTIONS`] any more.
static STRANGERS: Semaphore = Semaphore::const_new(32);
/// How long somebody may take to say what they want.
const HEADERS: Duration = Duration::from_secs(10);
/// How long answers under way may take when the process ends.
const LAST: Duration = Duration::from_millis(300);

/// Serves connections until the process is to end.
pub async fn accept(host: Arc<Host>, listener: Arc<TcpListener>) {
    let mut ending = host.ending.subscribe();
    let mut locking = host.locking.subscribe();
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = turned(&mut ending) => break,
            // Who comes from here on waits for the image that takes this one's place: this one must not be unlocked any more.
            () = turned(&mut locking) => {
                turned(&mut ending).await;
                break;
            }
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            accepted = listener.accept(), if connections.len() < CONNECTIONS => match accepted {
                Ok((stream, from)) if from.ip().is_loopback() => {
                    connections.spawn(serve(Arc::clone(&host), stream));
                }
                Ok(_) => {}
                Err(_) => {
                    tracing::warn!("a connection could not be let in");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            },
        }
    }
    let rest = async { while connections.join_next().await.is_some() {} };
    // Who hasn't finished by then is cut off.
    let _ = tokio::time::timeout(LAST, rest).await;
}

/// Returns when a switch of the host's is turned: the process is to end, or to be locked.
pub async fn turned(switch: &mut watch::Receiver<bool>) {
    // An error means that whoever could turn it is gone, which is the end too.
    let _ = switch.wait_for(|is_on| *is_on).await;
}

async fn serve(host: Arc<Host>, stream: TcpStream) {
    // Without it small answers would wait for each other; if it fails they do.
    let _ = stream.set_nodelay(true);
    let mut ending = host.ending.subscribe();
    let service = service_fn(|request| {
        let host = Arc::clone(&host);
        async move {
            let mut response = answer(&host, request).await;
            guard::harden(&mut response);
            Ok::<_, Infallible>(response)
        }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS)
        .max_buf_size(64 * 1024)
        .max_headers(64)
        .auto_date_header(false)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    tokio::select! {
        served = connection => if served.is_err() {
            tracing::debug!("a connection of the browser ended early");
        },
        () = turned(&mut ending) => tokio::time::sleep(LAST / 2).await,
    }
}

async fn answer(host: &Arc<Host>, request: Request<Incoming>) -> Response<Body> {
    if let Err(refusal) = guard::check(&request, &host.authority, &host.origin) {
        tracing::info!(
            status = refusal.status().as_u16(),
            "a request from elsewhere was refused"
        );
        return empty(refusal.status());
    }
    if *host.locking.borrow() {
        return empty(StatusCode::SERVICE_UNAVAILABLE);
    }
    let path = request.uri().path().to_owned();
    let method = request.method().clone();
    if path == "/rpc" {
        return upgrade(host, request);
    }
    if let Some(token) = path.strip_prefix("/upload/") {
        return match method {
            Method::PUT => upload::serve(host, token, request).await,
            _ => empty(StatusCode::METHOD_NOT_ALLOWED),
        };
    }
    if method != Method::GET {
        return empty(StatusCode::METHOD_NOT_ALLOWED);
    }
    if let Some(token) = path.strip_prefix("/media/") {
        return media::serve(host, token, request.headers()).await;
    }
    match assets::find(&path) {
        Some(asset) => file(host, asset),
        None => empty(StatusCode::NOT_FOUND),
    }
}

fn file(host: &Host, asset: &'static assets::Asset) -> Response<Body> {
    let body = if asset.path == "/" {
        let page = String::from_utf8_lossy(asset.bytes);
        match host.proofs.put_into(&page) {
            Ok(page) => Bytes::from(page),
            Err(_) => return empty(StatusCode::SERVICE_UNAVAILABLE),
        }
    } else {
        Bytes::from_static(asset.bytes)
    };
    let mut response = Response::new(full(body));
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(asset.content_type),
    );
    if asset.path == "/"
        && let Ok(policy) = HeaderValue::from_str(&guard::page_policy(&host.authority))
    {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

/// RFC 6455 section 4.2. Who connects has to say who they are in their first message.
fn upgrade(host: &Arc<Host>, mut request: Request<Incoming>) -> Response<Body> {
    let Ok(response) = create_response_with_body(&request, || full("")) else {
        return empty(StatusCode::UPGRADE_REQUIRED);
    };
    let Ok(stranger) = STRANGERS.try_acquire() else {
        return empty(StatusCode::SERVICE_UNAVAILABLE);
    };
    let host = Arc::clone(host);
    tokio::spawn(async move {
        let upgraded = tokio::time::timeout(HEADERS, hyper::upgrade::on(&mut request)).await;
        if let Ok(Ok(upgraded)) = upgraded {
            socket::talk(host, TokioIo::new(upgraded), stranger).await;
        }
    });
    response
}

/// A body that is there already.
pub fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// An answer that says no more than its status.
pub fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(full(""));
    *response.status_mut() = status;
    response
}

/// An answer in JSON.
pub fn json_answer(status: StatusCode, value: &Value) -> Response<Body> {
    let mut response = Response::new(full(value.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    response
}
