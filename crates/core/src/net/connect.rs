//! From an origin to a stream that speaks to the right server: TCP or SOCKS5, TLS, WebSocket, hello.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use futures_util::{SinkExt as _, StreamExt as _};
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_socks::{Error as SocksError, tcp::Socks5Stream};
use tokio_websockets::{ClientBuilder, Limits as MessageLimits, Message, WebSocketStream};
use undertone_wire::{
    Code, Error,
    frame::{self, Frames},
    ids::{Pin, random_bytes},
    limits::{ALPN, CONNECT_PATH, MESSAGE_BYTES},
    origin::{Origin, ServerAddress},
    proto,
    request::{ClientHello, FromClient, Role},
    response::{FromServer, ServerHello},
    tls::{PLACEHOLDER_NAME, client_config, client_config_for_any},
};

use super::tls;
use crate::client::SocksProxy;

/// How long things may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// From the first packet to ServerHello.
    pub connect: Duration,
    /// The same through a proxy, where a circuit must be built first.
    pub connect_through_proxy: Duration,
    /// From handing a request over to its response.
    pub request: Duration,
    /// Between pings.
    pub ping: Duration,
    /// Nothing at all heard for so long: the connection is dead.
    pub silence: Duration,
    /// An HTTP connection for blobs is kept for so long after its last use.
    pub blob_idle: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(20),
            connect_through_proxy: Duration::from_secs(90),
            request: Duration::from_secs(60),
            ping: Duration::from_secs(45),
            silence: Duration::from_secs(120),
            blob_idle: Duration::from_secs(30),
        }
    }
}

/// A TLS connection to a server whose pin is right.
pub(super) type SecureStream = TlsStream<TcpStream>;

/// A WebSocket on one.
pub(super) type Socket = WebSocketStream<SecureStream>;

/// A connection on which ServerHello has come.
pub(super) struct Greeted {
    pub(super) socket: Socket,
    pub(super) hello: ServerHello,
    /// Frames that came in the same message behind the hello.
    pub(super) rest: Frames<proto::ServerFrame>,
}

/// Opens TCP and TLS, within the time limit.
///
/// # Errors
/// One of the `connection.` codes.
pub(super) async fn secure(
    server: &ServerAddress,
    proxy: Option<&SocksProxy>,
    timing: &Timing,
) -> Result<SecureStream, Error> {
    let limit = if proxy.is_some() {
        timing.connect_through_proxy
    } else {
        timing.connect
    };
    timeout(limit, async {
        let tcp = dial(&server.origin, proxy).await?;
        handshake(tcp, client_config(server.pin)?).await
    })
    .await
    .map_err(|_| Error::new(Code::ConnectionUnreachable))?
}

async fn dial(origin: &Origin, proxy: Option<&SocksProxy>) -> Result<TcpStream, Error> {
    let unreachable = |_| Error::new(Code::ConnectionUnreachable);
    let stream = match proxy {
        Some(proxy) => dial_through(proxy, origin).await?,
        None if origin.is_onion() => return Err(Code::ConnectionOnion.into()),
        None => TcpStream::connect((origin.host(), origin.port()))
            .await
            .map_err(unreachable)?,
    };
    stream.set_nodelay(true).map_err(unreachable)?;
    Ok(stream)
}

/// The proxy resolves the name. Fresh credentials for every connection make Tor build each a circuit of its own, so that an inbox and
/// an outbox do not leave from the same place.
async fn dial_through(proxy: &SocksProxy, origin: &Origin) -> Result<TcpStream, Error> {
    let isolation = data_encoding::HEXLOWER.encode(&random_bytes::<16>());
    let socket = TcpStream::connect((proxy.host.as_str(), proxy.port))
        .await
        .map_err(|_| Error::new(Code::ConnectionProxy))?;
    Socks5Stream::connect_with_password_and_socket(
        socket,
        (origin.host(), origin.port()),
        &isolation,
        &isolation,
    )
    .await
    .map(Socks5Stream::into_inner)
    .map_err(|error| {
        Error::new(match error {
            SocksError::GeneralSocksServerFailure
            | SocksError::NetworkUnreachable
            | SocksError::HostUnreachable
            | SocksError::ConnectionRefused
            | SocksError::TtlExpired => Code::ConnectionUnreachable,
            _ => Code::ConnectionProxy,
        })
    })
}

/// The pin that whatever answers at this origin shows.
///
/// # Errors
/// One of the `connection.` codes.
pub(super) async fn look_up_pin(
    origin: &Origin,
    proxy: Option<&SocksProxy>,
    timing: &Timing,
) -> Result<Pin, Error> {
    let limit = if proxy.is_some() {
        timing.connect_through_proxy
    } else {
        timing.connect
    };
    let seen = Arc::new(OnceLock::new());
    timeout(limit, async {
        let tcp = dial(origin, proxy).await?;
        handshake(tcp, client_config_for_any(&seen)?).await
    })
    .await
    .map_err(|_| Error::new(Code::ConnectionUnreachable))??;
    seen.get()
        .copied()
        .ok_or_else(|| Error::new(Code::ConnectionTls))
}

async fn handshake(tcp: TcpStream, config: ClientConfig) -> Result<SecureStream, Error> {
    let name = ServerName::try_from(PLACEHOLDER_NAME).map_err(|_| Error::new(Code::Internal))?;
    let config = Arc::new(config);
    let stream = TlsConnector::from(config)
        .connect(name, tcp)
        .await
        .map_err(|error| Error::new(tls::error_code(&error)))?;
    if stream.get_ref().1.alpn_protocol() == Some(ALPN) {
        Ok(stream)
    } else {
        Err(Code::ConnectionProtocol.into())
    }
}

/// Opens a connection up to and including ServerHello.
///
/// # Errors
/// One of the `connection.` codes, or the server's refusal (`version.`).
pub(super) async fn greet(
    server: &ServerAddress,
    role: Role,
    proxy: Option<&SocksProxy>,
    timing: &Timing,
) -> Result<Greeted, Error> {
    let stream = secure(server, proxy, timing).await?;
    timeout(timing.request, async {
        let socket = upgrade(stream).await?;
        exchange_hellos(socket, role).await
    })
    .await
    .map_err(|_| Error::new(Code::ConnectionTimeout))?
}

async fn upgrade(stream: SecureStream) -> Result<Socket, Error> {
    let protocol = |_| Error::new(Code::ConnectionProtocol);
    let uri = format!("ws://{PLACEHOLDER_NAME}{CONNECT_PATH}");
    let builder = ClientBuilder::new()
        .uri(&uri)
        .map_err(|_| Error::new(Code::Internal))?
        .limits(MessageLimits::default().max_payload_len(Some(MESSAGE_BYTES)));
    let (socket, _response) = builder.connect_on(stream).await.map_err(protocol)?;
    Ok(socket)
}

async fn exchange_hellos(mut socket: Socket, role: Role) -> Result<Greeted, Error> {
    let lost = Error::new(Code::ConnectionLost);
    let protocol = Error::new(Code::ConnectionProtocol);
    let hello = FromClient::Hello(ClientHello::new(role)).to_proto();
    socket
        .send(Message::binary(frame::message(&hello)?))
        .await
        .map_err(|_| lost)?;
    loop {
        let message = socket.next().await.ok_or(lost)?.map_err(|_| lost)?;
        if message.is_ping() || message.is_pong() {
            continue;
        }
        if !message.is_binary() {
            return Err(protocol);
        }
        let mut rest = frame::server_frames(message.into_payload().into());
        let first = rest.next().ok_or(protocol)?.map_err(|_| protocol)?;
        return match FromServer::parse(first).map_err(|_| protocol)? {
            FromServer::Hello(hello) => Ok(Greeted {
                socket,
                hello,
                rest,
            }),
            FromServer::Response {
                id: 0,
                outcome: Err(refused),
            } => Err(refused),
            _ => Err(protocol),
        };
    }
}
