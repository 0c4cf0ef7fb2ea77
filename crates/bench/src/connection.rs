//! A client that is as light as the wire allows: no MLS, no store, many frames in a WebSocket message.

use std::{net::SocketAddr, sync::Arc};

use bytes::{Bytes, BytesMut};
use ed25519_dalek::SigningKey;
use futures_util::{SinkExt as _, StreamExt as _};
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_websockets::{ClientBuilder, Limits, Message, WebSocketStream};
use undertone_wire::{
    auth, frame,
    hpke::HpkeKeyPair,
    ids::{Pin, QueueId, random_bytes},
    limits,
    proto::{self, client_frame, request, server_frame},
    request::{AddressKind, ClientHello, FromClient, NewAddress, Request, Role},
    response::{FromServer, Response, ServerHello},
    secrets::{AddressSecret, InvitationCode},
    strings::Invitation,
    tokens::{PendingTokens, Token},
};

/// Any failure ends the benchmark with its sentence.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// An open connection after its hello.
pub struct Connection {
    socket: WebSocketStream<TlsStream<TcpStream>>,
    outgoing: BytesMut,
    /// What the server said first.
    pub hello: ServerHello,
    next_id: u64,
}

/// Where to connect.
#[derive(Clone)]
pub struct Target {
    /// Address of the server.
    pub address: SocketAddr,
    /// Its pin.
    pub pin: Pin,
    tls: Arc<ClientConfig>,
}

impl Target {
    /// A target for the server that gave this invitation.
    ///
    /// # Errors
    /// When TLS cannot be configured.
    pub fn new(address: SocketAddr, invitation: &Invitation) -> Result<Self, Failure> {
        let tls = Arc::new(undertone_wire::tls::client_config(invitation.server.pin)?);
        Ok(Self {
            address,
            pin: invitation.server.pin,
            tls,
        })
    }
}

impl Connection {
    /// Dials, upgrades and exchanges hellos.
    ///
    /// # Errors
    /// What the socket, TLS or the server says.
    pub async fn open(target: &Target, role: Role) -> Result<Self, Failure> {
        let stream = TcpStream::connect(target.address).await?;
        stream.set_nodelay(true)?;
        let name = ServerName::try_from("undertone.invalid")?;
        let stream = TlsConnector::from(Arc::clone(&target.tls))
            .connect(name, stream)
            .await?;
        let (socket, _) = ClientBuilder::new()
            .uri(&format!("ws://undertone.invalid{}", limits::CONNECT_PATH))?
            .limits(Limits::default().max_payload_len(Some(limits::MESSAGE_BYTES)))
            .connect_on(stream)
            .await?;
        let mut outgoing = BytesMut::new();
        frame::append(
            &mut outgoing,
            &FromClient::Hello(ClientHello::new(role)).to_proto(),
        )?;
        let hello = ServerHello {
            version: 0,
            challenge: [0; 32],
            time_s: 0,
            limits: undertone_wire::response::Limits {
                frame_bytes: 0,
                item_bytes: 0,
                addresses_per_send: 0,
                blob_bytes: 0,
                item_days: 0,
                blob_days: 0,
                token_requests: 0,
                token_bytes: 0,
            },
            token_keys: Vec::new(),
            registration_open: false,
        };
        let mut connection = Self {
            socket,
            outgoing,
            hello,
            next_id: 1,
        };
        connection.flush().await?;
        let body = connection.frames().await?.into_iter().next();
        match FromServer::parse(proto::ServerFrame { body })? {
            FromServer::Hello(hello) => connection.hello = hello,
            FromServer::Response {
                outcome: Err(error),
                ..
            } => return Err(error.into()),
            _ => return Err("the server did not say hello".into()),
        }
        Ok(connection)
    }

    fn challenge(&self) -> Result<[u8; 32], Failure> {
        Ok(self.hello.challenge)
    }

    /// Adds a frame to the message that [`Self::flush`] sends.
    ///
    /// # Errors
    /// When the frame is too large.
    pub fn push(&mut self, body: client_frame::Body) -> Result<(), Failure> {
        frame::append(&mut self.outgoing, &proto::ClientFrame { body: Some(body) })?;
        Ok(())
    }

    /// Adds a request; answers its id.
    ///
    /// # Errors
    /// When the frame is too large.
    pub fn push_request(&mut self, body: request::Body) -> Result<u64, Failure> {
        let id = self.next_id;
        self.next_id += 1;
        self.push(client_frame::Body::Request(proto::Request {
            id,
            body: Some(body),
        }))?;
        Ok(id)
    }

    /// Bytes that wait for [`Self::flush`].
    pub fn waiting(&self) -> usize {
        self.outgoing.len()
    }

    /// Sends what was pushed as one WebSocket message.
    ///
    /// # Errors
    /// What the socket says.
    pub async fn flush(&mut self) -> Result<(), Failure> {
        if self.outgoing.is_empty() {
            return Ok(());
        }
        let message = self.outgoing.split().freeze();
        self.socket
            .send(Message::binary(tokio_websockets::Payload::from(message)))
            .await?;
        Ok(())
    }

    /// The frames of the next WebSocket message.
    ///
    /// # Errors
    /// When the connection ends or something malformed comes.
    pub async fn frames(&mut self) -> Result<Vec<server_frame::Body>, Failure> {
        loop {
            let message = self
                .socket
                .next()
                .await
                .ok_or("the server closed the connection")??;
            if !message.is_binary() {
                if message.is_close() {
                    return Err("the server closed the connection".into());
                }
                continue;
            }
            let payload: Bytes = message.into_payload().into();
            let mut bodies = Vec::with_capacity(8);
            for frame in frame::server_frames(payload) {
                bodies.extend(frame?.body);
            }
            return Ok(bodies);
        }
    }

    /// One request and its response; anything else that comes meanwhile is dropped.
    ///
    /// # Errors
    /// The server's refusal or the socket's.
    pub async fn request(&mut self, body: request::Body) -> Result<Response, Failure> {
        let id = self.push_request(body)?;
        self.flush().await?;
        loop {
            for body in self.frames().await? {
                if !matches!(body, server_frame::Body::Response(_)) {
                    continue;
                }
                match FromServer::parse(proto::ServerFrame { body: Some(body) })? {
                    FromServer::Response {
                        id: answered,
                        outcome,
                    } if answered == id => {
                        return Ok(outcome?);
                    }
                    _ => {}
                }
            }
        }
    }
}

/// A queue's owner, as far as a benchmark needs one.
pub struct Owner {
    /// The queue.
    pub queue: QueueId,
    key: SigningKey,
    hpke: HpkeKeyPair,
}

impl Owner {
    /// Makes keys.
    ///
    /// # Errors
    /// When the random source fails.
    pub fn new() -> Result<Self, Failure> {
        Ok(Self {
            queue: QueueId::random(),
            key: SigningKey::from_bytes(&random_bytes()),
            hpke: HpkeKeyPair::generate()?,
        })
    }

    /// Registers on an open inbox connection, which is signed in afterwards.
    ///
    /// # Errors
    /// The server's refusal.
    pub async fn register(
        &self,
        inbox: &mut Connection,
        target: &Target,
        invitation: &Invitation,
    ) -> Result<(), Failure> {
        let challenge = inbox.challenge()?;
        let code = invitation.code.as_ref().map(InvitationCode::duplicate);
        let register = auth::register(
            &self.key,
            &target.pin,
            &challenge,
            self.queue,
            self.hpke.public(),
            code,
        );
        inbox
            .request(Request::RegisterQueue(register).to_proto())
            .await?;
        Ok(())
    }

    /// Signs in on an open inbox connection.
    ///
    /// # Errors
    /// The server's refusal.
    pub async fn sign_in(&self, inbox: &mut Connection, target: &Target) -> Result<(), Failure> {
        let sign_in = auth::sign_in(&self.key, &target.pin, &inbox.challenge()?, self.queue);
        inbox.request(Request::SignIn(sign_in).to_proto()).await?;
        Ok(())
    }
}

/// Registers conversation addresses; answers their secrets.
///
/// # Errors
/// The server's refusal.
pub async fn create_addresses(
    inbox: &mut Connection,
    count: usize,
) -> Result<Vec<AddressSecret>, Failure> {
    let secrets: Vec<AddressSecret> = (0..count).map(|_| AddressSecret::random()).collect();
    let addresses = secrets
        .iter()
        .map(|secret| NewAddress {
            address: secret.hash(),
            kind: AddressKind::Conversation,
        })
        .collect();
    if count > 0 {
        inbox
            .request(Request::CreateAddresses(addresses).to_proto())
            .await?;
    }
    Ok(secrets)
}

/// Has `count` blind tokens issued.
///
/// # Errors
/// The server's refusal, or a proof that does not hold.
pub async fn issue_tokens(inbox: &mut Connection, count: usize) -> Result<Vec<Token>, Failure> {
    let pending = PendingTokens::blind(count)?;
    let request = Request::IssueTokens(pending.blinded().to_vec()).to_proto();
    let key = *inbox
        .hello
        .token_keys
        .first()
        .ok_or("the server has no token key")?;
    match inbox.request(request).await? {
        Response::IssuedTokens(issued) => Ok(pending.finalize(&key, &issued)?),
        _ => Err("no tokens were issued".into()),
    }
}

/// An outbox connection with credit for a benchmark.
///
/// # Errors
/// The server's refusal.
pub async fn paid_outbox(target: &Target, token: Token) -> Result<Connection, Failure> {
    let mut outbox = Connection::open(target, Role::Outbox).await?;
    outbox
        .request(Request::RedeemTokens(vec![token]).to_proto())
        .await?;
    Ok(outbox)
}
