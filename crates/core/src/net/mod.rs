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

use std::sync::Arc;

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
    proxy: Option<SocksProxy>,
    timing: Timing,
    blobs: BlobClient,
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
            blobs: BlobClient::new(proxy.clone(), timing),
            proxy,
            timing,
        }
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
        let greeted = connect::greet(server, role, self.proxy.as_ref(), &self.timing).await?;
        Ok(SocketConnection::start(greeted, self.timing))
    }
}

impl Transport for TlsTransport {
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
        Box::pin(connect::look_up_pin(
            origin,
            self.proxy.as_ref(),
            &self.timing,
        ))
    }

    fn server_key<'a>(
        &'a self,
        server: &'a ServerAddress,
    ) -> BoxFuture<'a, Result<ServerKey, Error>> {
        Box::pin(async move { self.blobs.server_key(server).await })
    }

    fn create_blob<'a>(
        &'a self,
        server: &'a ServerAddress,
        id: &'a BlobId,
        length: u64,
        token: &'a Token,
    ) -> BoxFuture<'a, Result<BlobState, Error>> {
        Box::pin(async move { self.blobs.create(server, id, length, token).await })
    }

    fn append_blob<'a>(
        &'a self,
        server: &'a ServerAddress,
        id: &'a BlobId,
        offset: u64,
        bytes: Bytes,
        token: &'a Token,
    ) -> BoxFuture<'a, Result<BlobState, Error>> {
        Box::pin(async move { self.blobs.append(server, id, offset, bytes, token).await })
    }

    fn blob_state<'a>(
        &'a self,
        server: &'a ServerAddress,
        id: &'a BlobId,
    ) -> BoxFuture<'a, Result<BlobState, Error>> {
        Box::pin(async move { self.blobs.state(server, id).await })
    }

    fn read_blob<'a>(
        &'a self,
        server: &'a ServerAddress,
        id: &'a BlobId,
        from: u64,
        length: u64,
    ) -> BoxFuture<'a, Result<Bytes, Error>> {
        Box::pin(async move { self.blobs.read(server, id, from, length).await })
    }
}
