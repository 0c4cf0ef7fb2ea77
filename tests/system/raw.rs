//! Bytes on a real connection to a real server: what no app would send.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::{SinkExt as _, StreamExt as _};
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_websockets::{ClientBuilder, Limits, Message, WebSocketStream};
use undertone_wire::frame;
use undertone_wire::limits::{CONNECT_PATH, MESSAGE_BYTES};
use undertone_wire::origin::ServerAddress;
use undertone_wire::request::{ClientHello, FromClient, Request, Role};
use undertone_wire::response::FromServer;

/// A server that says nothing for so long hangs.
const PATIENCE: Duration = Duration::from_secs(20);

/// What came of a message.
#[derive(Debug, PartialEq, Eq)]
pub enum Fate {
    /// The server goes on; the codes with which it refused something.
    Open(Vec<&'static str>),
    /// The server closed; the codes it gave before.
    Closed(Vec<&'static str>),
}

/// A connection without a client behind it.
pub struct Raw {
    socket: WebSocketStream<TlsStream<TcpStream>>,
    next_id: u64,
    /// Frames of the last message that are still to be read: what was ready at once comes in one message.
    unread: VecDeque<FromServer>,
}

/// The bytes of one frame.
pub fn framed(frame: &undertone_wire::proto::ClientFrame) -> Vec<u8> {
    let mut bytes = BytesMut::new();
    frame::append(&mut bytes, frame).expect("fits");
    bytes.to_vec()
}

/// The bytes of a hello.
pub fn hello(role: Role) -> Vec<u8> {
    framed(&FromClient::Hello(ClientHello::new(role)).to_proto())
}

impl Raw {
    /// Connected, and nothing said yet. `server` is `ORIGIN+PIN`.
    pub async fn connect(server: &str) -> Self {
        let server: ServerAddress = server.parse().expect("a server");
        let address: SocketAddr = server.origin.to_string().parse().expect("an address");
        let config = undertone_wire::tls::client_config(server.pin).expect("TLS");
        let stream = TcpStream::connect(address).await.expect("connected");
        stream.set_nodelay(true).expect("a socket");
        let name = ServerName::try_from("undertone.invalid").expect("a name");
        let connector = TlsConnector::from(Arc::new(config));
        let stream = connector.connect(name, stream).await.expect("TLS");
        let (socket, _) = ClientBuilder::new()
            .uri(&format!("ws://undertone.invalid{CONNECT_PATH}"))
            .expect("a URI")
            .limits(Limits::default().max_payload_len(Some(MESSAGE_BYTES)))
            .connect_on(stream)
            .await
            .expect("upgraded");
        Self {
            socket,
            // Far above those of the frames that are damaged.
            next_id: 1 << 40,
            unread: VecDeque::new(),
        }
    }

    /// Connected, and greeted by the server.
    pub async fn open(server: &str, role: Role) -> Self {
        let mut raw = Self::connect(server).await;
        raw.say(hello(role)).await;
        assert!(matches!(raw.next().await, Some(FromServer::Hello(_))));
        raw
    }

    /// Sends a message; whether the server still listens shows later.
    pub async fn say(&mut self, bytes: Vec<u8>) {
        let message = Message::binary(Bytes::from(bytes));
        let _ = timeout(PATIENCE, self.socket.send(message))
            .await
            .expect("the server reads");
    }

    /// The next frame; None once the connection is closed.
    pub async fn next(&mut self) -> Option<FromServer> {
        loop {
            if let Some(frame) = self.unread.pop_front() {
                return Some(frame);
            }
            let message = timeout(PATIENCE, self.socket.next()).await;
            let message = message
                .expect("the server says something or closes")?
                .ok()?;
            if message.is_close() {
                return None;
            }
            if message.is_binary() {
                let payload = Bytes::from(message.into_payload());
                for frame in frame::server_frames(payload) {
                    let frame = FromServer::parse(frame.expect("a frame"));
                    self.unread.push_back(frame.expect("a frame of a server"));
                }
            }
        }
    }

    /// Sends damaged bytes, and sees what comes of it: the server answers a Ping behind them, or closes.
    pub async fn damaged(&mut self, bytes: Vec<u8>) -> Fate {
        self.next_id += 1;
        let id = self.next_id;
        self.say(bytes).await;
        self.say(framed(&Request::Ping.to_frame(id))).await;
        let mut codes = Vec::new();
        while let Some(frame) = self.next().await {
            match frame {
                FromServer::Response { id: answered, .. } if answered == id => {
                    return Fate::Open(codes);
                }
                FromServer::Response {
                    outcome: Err(error),
                    ..
                } => codes.push(error.code.as_str()),
                _ => {}
            }
        }
        Fate::Closed(codes)
    }
}
