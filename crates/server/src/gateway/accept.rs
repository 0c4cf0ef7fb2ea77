//! The accept loop: owns every connection's task, keeps to the limit, and ends them all when the server stops.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::stream::{Stream, is_loopback, prepare};
use super::{Gateway, hello, http};
use crate::server::stopped;

/// How long connections may take to finish what they began when the server stops.
const GRACE: Duration = Duration::from_secs(8);

/// Accepts connections until the gateway stops, then waits for them to finish. `tls` absent means plain text.
pub async fn serve(gateway: Arc<Gateway>, listener: TcpListener, tls: Option<TlsAcceptor>) {
    let limit = usize::try_from(gateway.config.limits.connections).unwrap_or(usize::MAX);
    let mut connections = JoinSet::new();
    let mut stopping = gateway.stopping.clone();
    loop {
        tokio::select! {
            biased;
            () = stopped(&mut stopping) => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    while connections.try_join_next().is_some() {}
                    gateway.metrics.accepted.inc();
                    if connections.len() >= limit || (tls.is_none() && !is_loopback(peer)) {
                        gateway.metrics.turned_away.inc();
                        continue;
                    }
                    connections.spawn(connection(Arc::clone(&gateway), stream, tls.clone()));
                }
                Err(error) => {
                    // Out of file descriptors, mostly: wait for some to be given back.
                    tracing::warn!(kind = %error.kind(), "accept");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
    drop(listener);
    let finished = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(GRACE, finished).await.is_err() {
        tracing::warn!(
            connections = connections.len(),
            "connections cut off at shutdown"
        );
    }
    connections.shutdown().await;
}

/// Counts a connection while it lives.
struct Counted(Arc<Gateway>);

impl Counted {
    fn new(gateway: Arc<Gateway>) -> Self {
        gateway.metrics.connections.inc();
        Self(gateway)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.metrics.connections.dec();
    }
}

async fn connection(gateway: Arc<Gateway>, stream: TcpStream, tls: Option<TlsAcceptor>) {
    let counted = Counted::new(gateway);
    let gateway = &counted.0;
    // What the handshakes need is boxed and given back before the session begins: an idle connection should
    // cost little memory, and most connections are idle.
    let Some(stream) = Box::pin(handshakes(gateway, stream, tls)).await else {
        return;
    };
    hello::session(gateway, stream).await;
}

async fn handshakes(
    gateway: &Arc<Gateway>,
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
) -> Option<Stream> {
    prepare(&stream);
    let stream = match tls {
        None => Stream::Plain(stream),
        Some(acceptor) => {
            let mut stopping: watch::Receiver<bool> = gateway.stopping.clone();
            let shaken = tokio::select! {
                shaken = tokio::time::timeout(gateway.hello_timeout(), acceptor.accept(stream)) => shaken,
                () = stopped(&mut stopping) => return None,
            };
            match shaken {
                Ok(Ok(tls)) => Stream::Tls(Box::new(tls)),
                _ => {
                    gateway.metrics.handshakes_failed.inc();
                    tracing::debug!("TLS handshake failed");
                    return None;
                }
            }
        }
    };
    http::serve(gateway, stream).await
}
