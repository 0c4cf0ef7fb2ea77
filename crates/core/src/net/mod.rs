//! The network as the engine needs it, over real sockets.
//!
//! [`TlsTransport`] implements [`Transport`]: TLS 1.3 to a server known by its pin (`tls`), directly or through a SOCKS5 proxy
//! (`connect`), requests and pushes over WebSocket (`connection`, `read`, `write`), blobs over HTTP (`blobs`).
//!
//! What must stay true: no connection shares TLS state, proxy credentials or a blob with another one; every queue is bounded; no task
//! outlives the handle it belongs to; whatever a server sends ends in a value or a code.

pub mod blobs;
pub mod connect;
pub mod connection;
mod read;
mod tls;
mod write;

use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;
use undertone_wire::{Error, forward::ServerKey, ids::BlobId, tokens::Token};

pub use blobs::BlobClient;
pub use connect::Timing;
pub use connection::SocketConnection;

use crate::{
    client::SocksProxy,
    transport::{
        BlobState, BoxFuture, Connection, Origin, PinOfServer, Role, ServerAddress, Transport,
    },
};

/// The network: TLS, directly or through a SOCKS5 proxy.
pub struct TlsTransport {
    way: RwLock<Arc<Way>>,
    timing: Timing,
}

/// How servers are reached.
struct Way {
    proxy: Option<SocksProxy>,
    blobs: BlobClient,
}

impl Way {
    fn new(proxy: Option<SocksProxy>, timing: Timing) -> Arc<Self> {
        Arc::new(Self {
            blobs: BlobClient::new(proxy.clone(), timing),
            proxy,
        })
    }
}

impl TlsTransport {
    /// With the usual time limits.
    #[must_use]
    pub fn new(proxy: Option<SocksProxy>) -> Self {
        Self::with_timing(proxy, Timing::default())
    }

    /// With time limits of one's own.
    #[must_use]
    pub fn with_timing(proxy: Option<SocksProxy>, timing: Timing) -> Self {
        Self {
            way: RwLock::new(Way::new(proxy, timing)),
            timing,
        }
    }

    fn way(&self) -> Arc<Way> {
        Arc::clone(&self.way.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Opens a connection and waits for ServerHello.
    ///
    /// # Errors
    /// A `connection.` code, or the server's refusal (`version.`).
    pub async fn open(
        &self,
        server: &ServerAddress,
        role: Role,
    ) -> Result<SocketConnection, Error> {
        let way = self.way();
        let greeted = connect::greet(server, role, way.proxy.as_ref(), &self.timing).await?;
        Ok(SocketConnection::start(greeted, self.timing))
    }
}

impl Transport for TlsTransport {
    fn use_proxy(&self, proxy: Option<SocksProxy>) {
        let way = Way::new(proxy, self.timing);
        *self.way.write().unwrap_or_else(PoisonError::into_inner) = way;
    }

    fn connect<'a>(
        &'a self,
        server: &'a ServerAddress,
        role: Role,
    ) -> BoxFuture<'a, Result<Arc<dyn Connection>, Error>> {
        Box::pin(async move {
            let connection = self.open(server, role).await?;
            Ok(Arc::new(connection) as Arc<dyn Connection>)
        })
    }

    fn look_up_pin<'a>(&'a self, origin: &'a Origin) -> BoxFuture<'a, Result<PinOfServer, Error>> {
        Box::pin(async move {
            let way = self.way();
            connect::look_up_pin(origin, way.proxy.as_ref(), &self.timing).await
        })
    }

    fn server_key<'a>(
        &'a self,
        server: &'a ServerAddress,
    ) -> BoxFuture<'a, Result<ServerKey, Error>> {
        Box::pin(async move { self.way().blobs.server_key(server).await })
    }

    fn create_blob<'a>(
        &'a self,
        server: &'a ServerAddress,
        id: &'a BlobId,
        length: u64,
        token: &'a Token,
    ) -> BoxFuture<'a, Result<BlobState, Error>> {
        Box::pin(async move { self.way().blobs.create(server, id, length, token).await })
    }

    fn append_blob<'a>(
        &'a self,
        server: &'a ServerAddress,
        id: &'a BlobId,
        offset: u64,
        bytes: Bytes,
        token: &'a Token,
    ) -> BoxFuture<'a, Result<BlobState, Error>> {
        Box::pin(async move {
            self.way()
                .blobs
                .append(server, id, offset, bytes, token)
                .await
        })
    }

    fn blob_state<'a>(
        &'a self,
        server: &'a ServerAddress,
        id: &'a BlobId,
    ) -> BoxFuture<'a, Result<BlobState, Error>> {
        Box::pin(async move { self.way().blobs.state(server, id).await })
    }

    fn read_blob<'a>(
        &'a self,
        server: &'a ServerAddress,
        id: &'a BlobId,
        from: u64,
        length: u64,
    ) -> BoxFuture<'a, Result<Bytes, Error>> {
        Box::pin(async move { self.way().blobs.read(server, id, from, length).await })
    }
}
