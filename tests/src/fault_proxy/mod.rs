//! A proxy that holds the test server's key and loses things on purpose.
//!
//! It stands between apps and a server, ends TLS on both sides, decodes frames and HTTP requests, and asks a [`Script`] for the
//! fate of each request, response and item. A lost frame takes its connection with it, as on a real network, where TCP loses
//! nothing but whole connections. Scripts are deterministic: the same seed and traffic give the same losses.
//!
//! What must stay true: nothing but what the script says is changed, and frames pass in their order.

mod http;
mod pump;
mod script;
mod whose;

use std::{
    net::{SocketAddr, TcpListener as StdListener},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use rustls::pki_types::ServerName;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};
use tokio_rustls::{TlsAcceptor, TlsConnector};
use undertone_server::identity::{Identity, tls_config};

use crate::{
    failed::{Failed, Outcome},
    server_process::{ServerOptions, ServerProcess},
};

pub use script::{DropOnce, Fate, HttpRequest, Mangle, Pass, Script};

/// Any failure of the proxy itself, as a sentence.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// What the proxy has done so far.
#[derive(Default)]
pub struct Tally {
    /// Requests that never reached the server.
    pub requests_lost: AtomicU64,
    /// Responses that never reached the app.
    pub responses_lost: AtomicU64,
    /// Items that never reached the app.
    pub items_lost: AtomicU64,
    /// Messages with changed bytes.
    pub mangled: AtomicU64,
    /// Connections made.
    pub connections: AtomicU64,
}

impl Tally {
    /// All losses.
    pub fn losses(&self) -> u64 {
        [&self.requests_lost, &self.responses_lost, &self.items_lost]
            .iter()
            .map(|count| count.load(Ordering::Relaxed))
            .sum()
    }
}

/// A running proxy; dropping it ends all its connections.
pub struct FaultProxy {
    /// Where apps connect.
    pub address: SocketAddr,
    /// What it has done.
    pub tally: Arc<Tally>,
    online: Arc<AtomicBool>,
    cuts: watch::Sender<u64>,
    runtime: Option<tokio::runtime::Runtime>,
}

impl FaultProxy {
    /// A new server that is known by the address of a proxy in front of it.
    ///
    /// # Errors
    /// What either of them says.
    pub fn before_a_server(
        options: ServerOptions,
        script: Arc<dyn Script>,
    ) -> Outcome<(ServerProcess, Self)> {
        let step = "starting a fault proxy";
        let listener =
            StdListener::bind(("127.0.0.1", 0)).map_err(|error| Failed::harness(step, error))?;
        let address = listener.local_addr();
        let address = address.map_err(|error| Failed::harness(step, error))?;
        let server = ServerProcess::start_with(ServerOptions {
            origin: Some(address.to_string()),
            ..options
        })?;
        let proxy = Self::start(listener, server.address(), server.folder(), script)
            .map_err(|error| Failed::harness(step, error))?;
        Ok((server, proxy))
    }

    /// Takes connections from `listener` and passes on to `upstream`, the server whose folder is `server_dir`.
    ///
    /// # Errors
    /// When the folder has no identity.
    pub fn start(
        listener: StdListener,
        upstream: SocketAddr,
        server_dir: &Path,
        script: Arc<dyn Script>,
    ) -> Result<Self, Failure> {
        let identity = Identity::read(server_dir)?;
        let to_server = undertone_wire::tls::client_config(identity.pin())?;
        let (from_app, _) = tls_config(Arc::new(identity))?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let listener = {
            let _inside = runtime.enter();
            TcpListener::from_std(listener)?
        };
        let tally = Arc::new(Tally::default());
        let online = Arc::new(AtomicBool::new(true));
        let (cuts, cut) = watch::channel(0);
        let shared = Arc::new(Shared {
            upstream,
            acceptor: TlsAcceptor::from(Arc::new(from_app)),
            connector: TlsConnector::from(Arc::new(to_server)),
            script,
            tally: Arc::clone(&tally),
        });
        let listening = Arc::clone(&online);
        runtime.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                while connections.try_join_next().is_some() {}
                if listening.load(Ordering::Relaxed) {
                    let shared = Arc::clone(&shared);
                    let mut cut = cut.clone();
                    cut.mark_unchanged();
                    connections.spawn(async move {
                        tokio::select! {
                            // A connection that ends in an error is what this proxy is for.
                            _ = shared.connection(stream) => {}
                            _ = cut.changed() => {}
                        }
                    });
                }
            }
        });
        Ok(Self {
            address,
            tally,
            online,
            cuts,
            runtime: Some(runtime),
        })
    }

    /// Whether new connections are taken; those that are open stay.
    pub fn set_online(&self, online: bool) {
        self.online.store(online, Ordering::Relaxed);
    }

    /// Ends every connection, wherever it is.
    pub fn cut(&self) {
        self.cuts.send_modify(|cuts| *cuts += 1);
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

struct Shared {
    upstream: SocketAddr,
    acceptor: TlsAcceptor,
    connector: TlsConnector,
    script: Arc<dyn Script>,
    tally: Arc<Tally>,
}

impl Shared {
    async fn connection(&self, app: TcpStream) -> Result<(), Failure> {
        app.set_nodelay(true)?;
        let home = whose::home_at(app.peer_addr()?, app.local_addr()?).await;
        let app = self.acceptor.accept(app).await?;
        let server = TcpStream::connect(self.upstream).await?;
        server.set_nodelay(true)?;
        let name = ServerName::try_from("undertone.invalid")?;
        let server = self.connector.connect(name, server).await?;
        self.tally.connections.fetch_add(1, Ordering::Relaxed);
        pump::connection(app, server, home, self.script.as_ref(), &self.tally).await
    }
}
