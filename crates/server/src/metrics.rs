//! Figures for the owner: counts, sizes and durations, nothing that names anybody.
//!
//! Counters are plain atomics without label look-ups, so that counting costs nothing on the hot path. The
//! page is served on its own loopback port.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode, header};
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::error::ServerError;
use crate::server::stopped;
use crate::store::Store;

type Level = Gauge<i64, AtomicI64>;

/// Everything the gateway counts.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Connections open, HTTP included.
    pub connections: Level,
    /// Signed-in inbox connections.
    pub inboxes: Level,
    /// Outbox connections.
    pub outboxes: Level,
    /// Connections accepted since start.
    pub accepted: Counter,
    /// Connections refused because the limit was reached.
    pub turned_away: Counter,
    /// TLS or HTTP handshakes that failed or took too long.
    pub handshakes_failed: Counter,
    /// Clients dropped because they did not read.
    pub slow_clients: Counter,
    /// Requests received.
    pub requests: Counter,
    /// Requests answered with an error.
    pub refused: Counter,
    /// Sends and commits accepted.
    pub sends: Counter,
    /// Items pushed to their owners.
    pub items_pushed: Counter,
    /// Blind tokens issued.
    pub tokens_issued: Counter,
    /// Blind tokens redeemed.
    pub tokens_redeemed: Counter,
    /// Bundles for other servers that were sealed to them.
    pub bundles_wrapped: Counter,
    /// Blob bytes received.
    pub blob_bytes_in: Counter,
    /// Blob bytes sent.
    pub blob_bytes_out: Counter,
}

impl Metrics {
    fn registry(&self, store: Arc<dyn Store>) -> Registry {
        let mut r = Registry::with_prefix("undertone");
        r.register_collector(Box::new(StoreFigures(store)));
        r.register("connections", "Connections open", self.connections.clone());
        r.register(
            "inboxes",
            "Signed-in inbox connections",
            self.inboxes.clone(),
        );
        r.register("outboxes", "Outbox connections", self.outboxes.clone());
        r.register("accepted", "Connections accepted", self.accepted.clone());
        r.register(
            "turned_away",
            "Connections over the limit",
            self.turned_away.clone(),
        );
        r.register(
            "handshakes_failed",
            "Handshakes failed",
            self.handshakes_failed.clone(),
        );
        r.register(
            "slow_clients",
            "Clients dropped for not reading",
            self.slow_clients.clone(),
        );
        r.register("requests", "Requests received", self.requests.clone());
        r.register(
            "refused",
            "Requests answered with an error",
            self.refused.clone(),
        );
        r.register("sends", "Sends and commits accepted", self.sends.clone());
        r.register(
            "items_pushed",
            "Items pushed to owners",
            self.items_pushed.clone(),
        );
        r.register(
            "tokens_issued",
            "Blind tokens issued",
            self.tokens_issued.clone(),
        );
        r.register(
            "tokens_redeemed",
            "Blind tokens redeemed",
            self.tokens_redeemed.clone(),
        );
        r.register(
            "bundles_wrapped",
            "Bundles sealed for other servers",
            self.bundles_wrapped.clone(),
        );
        r.register(
            "blob_bytes_in",
            "Blob bytes received",
            self.blob_bytes_in.clone(),
        );
        r.register(
            "blob_bytes_out",
            "Blob bytes sent",
            self.blob_bytes_out.clone(),
        );
        r
    }
}

/// The engine's own counts, read when the page is.
struct StoreFigures(Arc<dyn Store>);

impl std::fmt::Debug for StoreFigures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StoreFigures")
    }
}

impl Collector for StoreFigures {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let activity = self.0.activity();
        for (name, help, count) in [
            ("store_items_queued", "Items queued", activity.items_queued),
            (
                "store_items_deleted",
                "Items acknowledged or expired",
                activity.items_deleted,
            ),
            ("store_sends", "Sends applied", activity.sends),
            (
                "store_commits",
                "Transactions committed to disk",
                activity.commits,
            ),
            (
                "store_syncs",
                "Times that the disk was waited for",
                activity.syncs,
            ),
            (
                "store_checkpoints",
                "Write-ahead log truncations",
                activity.checkpoints,
            ),
        ] {
            let counter = ConstCounter::new(count);
            counter.encode(encoder.encode_descriptor(
                name,
                help,
                None,
                counter.metric_type(),
            )?)?;
        }
        for (name, help, level) in [
            (
                "store_waiting",
                "Commands waiting",
                i64::try_from(activity.waiting).unwrap_or(i64::MAX),
            ),
            (
                "store_accepts_sends",
                "1 while sends are accepted",
                i64::from(activity.accepts_sends),
            ),
        ] {
            let gauge = ConstGauge::new(level);
            gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)?;
        }
        Ok(())
    }
}

/// The bound metrics port.
pub struct MetricsPort {
    listener: TcpListener,
    registry: Registry,
}

impl MetricsPort {
    /// Binds `address`, which the settings have checked to be loopback.
    ///
    /// # Errors
    /// [`ServerError::MetricsUnavailable`].
    pub async fn bind(
        address: SocketAddr,
        metrics: &Metrics,
        store: Arc<dyn Store>,
    ) -> Result<Self, ServerError> {
        let listener = TcpListener::bind(address)
            .await
            .map_err(|error| ServerError::MetricsUnavailable(address, error.kind()))?;
        Ok(Self {
            listener,
            registry: metrics.registry(store),
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.listener.local_addr().ok()
    }

    /// Serves `GET /metrics` until `stop` changes.
    pub async fn serve(self, mut stop: watch::Receiver<bool>) {
        let registry = Arc::new(self.registry);
        let mut scrapes = JoinSet::new();
        loop {
            let stream = tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => stream,
                    Err(_) => {
                        tokio::time::sleep(Duration::from_millis(100)).await;
                        continue;
                    }
                },
                Some(_) = scrapes.join_next() => continue,
                () = stopped(&mut stop) => break,
            };
            if scrapes.len() >= 8 {
                continue;
            }
            let registry = Arc::clone(&registry);
            scrapes.spawn(async move {
                let service = service_fn(move |request: Request<hyper::body::Incoming>| {
                    let response = page(&registry, request.uri().path());
                    async move { Ok::<_, std::convert::Infallible>(response) }
                });
                let connection = hyper::server::conn::http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(Duration::from_secs(10))
                    .keep_alive(false)
                    .serve_connection(TokioIo::new(stream), service);
                let _ = tokio::time::timeout(Duration::from_secs(30), connection).await;
            });
        }
        scrapes.shutdown().await;
    }
}

fn page(registry: &Registry, path: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    let mut text = String::new();
    if path != "/metrics" {
        *response.status_mut() = StatusCode::NOT_FOUND;
    } else if encode(&mut text, registry).is_err() {
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    } else {
        response.headers_mut().insert(
            header::CONTENT_TYPE,
            header::HeaderValue::from_static(
                "application/openmetrics-text; version=1.0.0; charset=utf-8",
            ),
        );
        *response.body_mut() = Full::from(text);
    }
    response
}
