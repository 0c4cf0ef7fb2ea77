//! A server that says something else of itself than it is: a proxy that holds the test server's key and changes the first frame
//! that each connection gets, and nothing else.

use std::{
    net::{SocketAddr, TcpListener as StdListener},
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use rustls::pki_types::ServerName;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{
    TlsAcceptor, TlsConnector, client::TlsStream as ToServer, server::TlsStream as FromApp,
};
use tokio_websockets::{ClientBuilder, Limits, Message, ServerBuilder};
use undertone_server::identity::{Identity, tls_config};
use undertone_wire::{
    Code, frame,
    limits::{CONNECT_PATH, MESSAGE_BYTES},
    request::{FromClient, Role},
    response::{FromServer, ServerHello},
};

use crate::{
    failed::{Failed, Outcome},
    fault_proxy::pump::Prefixed,
    server_process::{ServerOptions, ServerProcess},
};

type Failure = Box<dyn std::error::Error + Send + Sync>;
type Twist = Box<dyn Fn(Role, &mut ServerHello) -> Result<(), Code> + Send>;

/// A running proxy; dropping it ends all its connections.
pub struct HelloProxy {
    twist: Arc<Mutex<Twist>>,
    runtime: Option<tokio::runtime::Runtime>,
}

impl HelloProxy {
    /// A new server that is known by the address of a proxy in front of it. At first nothing is changed.
    ///
    /// # Errors
    /// What either of them says.
    pub fn before_a_server() -> Outcome<(ServerProcess, Self)> {
        let step = "starting a hello proxy";
        let failed = |error: Failure| Failed::harness(step, error);
        let listener = StdListener::bind(("127.0.0.1", 0)).map_err(|error| failed(error.into()))?;
        let address = listener
            .local_addr()
            .map_err(|error| failed(error.into()))?;
        let server = ServerProcess::start_with(ServerOptions {
            origin: Some(address),
            ..ServerOptions::default()
        })?;
        let proxy = Self::start(listener, &server).map_err(failed)?;
        Ok((server, proxy))
    }

    fn start(listener: StdListener, server: &ServerProcess) -> Result<Self, Failure> {
        let identity = Identity::read(server.folder())?;
        let to_server = undertone_core::net::tls::client_config(identity.pin())?;
        let (from_app, _) = tls_config(Arc::new(identity))?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        listener.set_nonblocking(true)?;
        let listener = {
            let _inside = runtime.enter();
            TcpListener::from_std(listener)?
        };
        let twist: Arc<Mutex<Twist>> = Arc::new(Mutex::new(Box::new(|_, _| Ok(()))));
        let shared = Arc::new(Shared {
            upstream: server.address(),
            acceptor: TlsAcceptor::from(Arc::new(from_app)),
            connector: TlsConnector::from(Arc::new(to_server)),
            twist: Arc::clone(&twist),
        });
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let shared = Arc::clone(&shared);
                // A connection that ends in an error ends.
                tokio::spawn(async move { shared.connection(stream).await.ok() });
            }
        });
        Ok(Self {
            twist,
            runtime: Some(runtime),
        })
    }

    /// From now on each hello is changed like this, or refused with the code.
    pub fn twist(
        &self,
        twist: impl Fn(Role, &mut ServerHello) -> Result<(), Code> + Send + 'static,
    ) {
        *self.twist.lock().unwrap_or_else(PoisonError::into_inner) = Box::new(twist);
    }
}

impl Drop for HelloProxy {
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
    twist: Arc<Mutex<Twist>>,
}

impl Shared {
    async fn connection(&self, app: TcpStream) -> Result<(), Failure> {
        app.set_nodelay(true)?;
        let app = self.acceptor.accept(app).await?;
        let server = TcpStream::connect(self.upstream).await?;
        server.set_nodelay(true)?;
        let name = ServerName::try_from("undertone.invalid")?;
        let server = self.connector.connect(name, server).await?;
        self.pass(app, server).await
    }

    async fn pass(
        &self,
        app: FromApp<TcpStream>,
        mut server: ToServer<TcpStream>,
    ) -> Result<(), Failure> {
        let mut app = Prefixed::read(app).await?;
        if !app.asks_for_frames() {
            copy_bidirectional(&mut app, &mut server).await?;
            return Ok(());
        }
        let limits = Limits::default().max_payload_len(Some(MESSAGE_BYTES));
        let (_, mut app) = ServerBuilder::new().limits(limits).accept(app).await?;
        let (mut server, _) = ClientBuilder::new()
            .uri(&format!("ws://undertone.invalid{CONNECT_PATH}"))?
            .limits(limits)
            .connect_on(server)
            .await?;
        let hello = app.next().await.ok_or("the app closed")??;
        let role = role(&hello)?;
        server.send(hello).await?;
        let answer = server.next().await.ok_or("the server closed")??;
        let (answer, refused) = self.twisted(role, answer)?;
        app.send(answer).await?;
        if refused {
            app.close().await?;
            return Ok(());
        }
        loop {
            tokio::select! {
                message = app.next() => server.send(message.ok_or("the app closed")??).await?,
                message = server.next() => app.send(message.ok_or("the server closed")??).await?,
            }
        }
    }

    /// What the app gets in place of the server's hello, and whether that is a refusal.
    fn twisted(&self, role: Role, answer: Message) -> Result<(Message, bool), Failure> {
        let mut frames = frame::server_frames(answer.into_payload().into());
        let FromServer::Hello(mut hello) = FromServer::parse(frames.next().ok_or("no frame")??)?
        else {
            return Err("the server's first frame is no hello".into());
        };
        let twist = self.twist.lock().unwrap_or_else(PoisonError::into_inner);
        let said = match twist(role, &mut hello) {
            Ok(()) => FromServer::Hello(hello),
            Err(code) => FromServer::Response {
                id: 0,
                outcome: Err(code.into()),
            },
        };
        let refused = matches!(said, FromServer::Response { .. });
        let bytes = frame::message(&said.to_proto())?;
        let message = Message::binary(tokio_websockets::Payload::from(bytes));
        Ok((message, refused))
    }
}

/// What the app says the connection is for.
fn role(hello: &Message) -> Result<Role, Failure> {
    let bytes = Bytes::copy_from_slice(hello.as_payload());
    let first = frame::client_frames(bytes).next().ok_or("no frame")??;
    match FromClient::parse(first)? {
        FromClient::Hello(hello) => Ok(hello.role),
        _ => Err("the app's first frame is no hello".into()),
    }
}
