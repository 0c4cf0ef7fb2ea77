//! A server in this process, and clients that speak to it over TLS with nothing but the wire crate.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use ed25519_dalek::SigningKey;
use futures_util::{SinkExt as _, StreamExt as _};
use rustls::pki_types::ServerName;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_websockets::{ClientBuilder, Limits, Message, WebSocketStream};
use undertone_server::admin::{self, Answer, Command};
use undertone_server::config::{Config, Registration};
use undertone_server::store::{Clock, SystemClock};
use undertone_server::{Server, ServerError};
use undertone_wire::hpke::HpkeKeyPair;
use undertone_wire::ids::{Pin, QueueId, SendId, random_bytes};
use undertone_wire::proto::{self, ClientFrame};
use undertone_wire::request::{
    AddressKind, ClientHello, FromClient, NewAddress, Request, Role, Send,
};
use undertone_wire::response::{
    Accepted, FromServer, Item, Notice, QueueItem, Response, SealKey, ServerHello,
};
use undertone_wire::seal::OpeningKey;
use undertone_wire::secrets::{AddressSecret, InvitationCode};
use undertone_wire::strings::Invitation;
use undertone_wire::tokens::{PendingTokens, Token};
use undertone_wire::{Code, Error, auth, frame, limits};

/// Nothing in these scripts takes longer unless it is broken.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A running server and its folder.
pub struct TestServer {
    pub dir: TempDir,
    pub server: Option<Server>,
    pub config: Config,
    pub address: SocketAddr,
    pub pin: Pin,
}

impl TestServer {
    pub async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// A fresh folder, with these settings changed. Registration is open unless the script says otherwise.
    pub async fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        Self::start_by(Arc::new(SystemClock::default()), change).await
    }

    /// The same, with the time from this clock.
    pub async fn start_by(clock: Arc<dyn Clock>, change: impl FnOnce(&mut Config)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        undertone_server::identity::Identity::create(dir.path()).unwrap();
        undertone_server::admission::token_keys::TokenKeys::create_seed(dir.path()).unwrap();
        let mut config = Config::with_origin("127.0.0.1:7443");
        config.listen = "127.0.0.1:0".parse().unwrap();
        config.registration = Registration::Open;
        config.disk.reserve_mib = 1;
        change(&mut config);
        let text = undertone_server::config::template("127.0.0.1:7443", None, config.registration);
        std::fs::write(dir.path().join(undertone_server::config::FILE_NAME), text).unwrap();
        let server = Server::start_by(dir.path(), config.clone(), clock)
            .await
            .unwrap();
        Self {
            address: server.local_addr(),
            pin: server.pin(),
            server: Some(server),
            dir,
            config,
        }
    }

    pub async fn stop(&mut self) {
        let server = self.server.take().unwrap();
        timeout(PATIENCE, server.shutdown()).await.unwrap().unwrap();
    }

    /// Starts again on the same folder and another port.
    pub async fn start_again(&mut self) {
        let server = Server::start(self.dir.path(), self.config.clone())
            .await
            .unwrap();
        self.address = server.local_addr();
        self.server = Some(server);
    }

    pub async fn ask(&self, command: Command) -> Result<Answer, ServerError> {
        let dir = self.dir.path().to_owned();
        tokio::task::spawn_blocking(move || admin::reach::ask(&dir, &command))
            .await
            .unwrap()
    }

    /// The page for Prometheus, as it is sent.
    pub async fn figures(&self) -> String {
        let address = self.server.as_ref().unwrap().metrics_addr().unwrap();
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream
            .write_all(b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            .await
            .unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        text
    }

    pub async fn invitation(&self, uses: u32) -> InvitationCode {
        let command = Command::CreateInvitation { uses, days: 7 };
        let Answer::Invitation { invitation } = self.ask(command).await.unwrap() else {
            panic!()
        };
        let invitation: Invitation = invitation.parse().unwrap();
        assert_eq!(invitation.server.pin, self.pin);
        invitation.code.unwrap()
    }

    pub async fn tls(&self) -> TlsStream<TcpStream> {
        tls(self.address, self.pin).await.unwrap()
    }

    pub async fn inbox(&self) -> Client {
        Client::open(self, Role::Inbox).await
    }

    pub async fn outbox(&self) -> Client {
        Client::open(self, Role::Outbox).await
    }

    /// An outbox that has redeemed one token of this device.
    pub async fn paid_outbox(&self, device: &mut Device) -> Client {
        let mut outbox = self.outbox().await;
        let token = device.token().await;
        let credit = outbox
            .ask(Request::RedeemTokens(vec![token]))
            .await
            .unwrap();
        assert!(matches!(credit, Response::TokenCredit(_)));
        outbox
    }
}

pub async fn tls(address: SocketAddr, pin: Pin) -> std::io::Result<TlsStream<TcpStream>> {
    let config = undertone_wire::tls::client_config(pin).unwrap();
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from(undertone_wire::tls::PLACEHOLDER_NAME).unwrap();
    TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
}

/// One WebSocket connection.
pub struct Client {
    socket: WebSocketStream<TlsStream<TcpStream>>,
    pub hello: ServerHello,
    pub pin: Pin,
    next_id: u64,
    /// Frames that came while something else was waited for.
    early: VecDeque<FromServer>,
    incoming: Option<frame::Frames<proto::ServerFrame>>,
}

impl Client {
    pub async fn open(server: &TestServer, role: Role) -> Self {
        let mut client = Self::without_hello(server).await;
        client
            .send(&[FromClient::Hello(ClientHello::new(role)).to_proto()])
            .await;
        let Some(FromServer::Hello(hello)) = client.next().await else {
            panic!("no hello")
        };
        assert_eq!(hello.version, 1);
        client.hello = hello;
        client
    }

    /// Upgraded, and nothing said yet.
    pub async fn without_hello(server: &TestServer) -> Self {
        let stream = server.tls().await;
        let (socket, _) = ClientBuilder::new()
            .uri(&format!("ws://undertone.invalid{}", limits::CONNECT_PATH))
            .unwrap()
            .limits(Limits::default().max_payload_len(Some(limits::MESSAGE_BYTES)))
            .connect_on(stream)
            .await
            .unwrap();
        Self {
            socket,
            hello: ServerHello::parse(proto::ServerHello {
                challenge: vec![0; 32].into(),
                limits: Some(proto::Limits::default()),
                version: 1,
                ..Default::default()
            })
            .unwrap(),
            pin: server.pin,
            next_id: 1,
            early: VecDeque::new(),
            incoming: None,
        }
    }

    /// Sends frames in one message.
    pub async fn send(&mut self, frames: &[ClientFrame]) {
        self.try_send(frames).await.unwrap();
    }

    /// The same, to a server that may have closed the connection.
    pub async fn try_send(
        &mut self,
        frames: &[ClientFrame],
    ) -> Result<(), tokio_websockets::Error> {
        let mut message = BytesMut::new();
        for frame in frames {
            frame::append(&mut message, frame).unwrap();
        }
        self.send_message(Message::binary(message.freeze())).await
    }

    pub async fn send_bytes(&mut self, message: Bytes) {
        self.send_message(Message::binary(message)).await.unwrap();
    }

    pub async fn send_message(&mut self, message: Message) -> Result<(), tokio_websockets::Error> {
        timeout(PATIENCE, self.socket.send(message)).await.unwrap()
    }

    /// Sends a request without waiting; its id.
    pub async fn submit(&mut self, request: Request) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        self.send(&[request.to_frame(id)]).await;
        id
    }

    pub fn fresh_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id - 1
    }

    /// The answer to a request; what comes before it is kept.
    pub async fn answer(&mut self, id: u64) -> Result<Response, Error> {
        loop {
            match self.receive().await.expect("connection closed") {
                FromServer::Response {
                    id: answered,
                    outcome,
                } if answered == id => return outcome,
                other => self.early.push_back(other),
            }
        }
    }

    pub async fn ask(&mut self, request: Request) -> Result<Response, Error> {
        let id = self.submit(request).await;
        self.answer(id).await
    }

    pub async fn refused(&mut self, request: Request) -> Code {
        self.ask(request).await.expect_err("must be refused").code
    }

    /// The next frame, kept ones first; `None` once the connection is closed.
    pub async fn next(&mut self) -> Option<FromServer> {
        match self.early.pop_front() {
            Some(frame) => Some(frame),
            None => self.receive().await,
        }
    }

    async fn receive(&mut self) -> Option<FromServer> {
        loop {
            if let Some(frames) = &mut self.incoming {
                if let Some(frame) = frames.next() {
                    return Some(FromServer::parse(frame.unwrap()).unwrap());
                }
                self.incoming = None;
            }
            let message = timeout(PATIENCE, self.socket.next())
                .await
                .expect("server is silent")?
                .ok()?;
            if message.is_close() {
                return None;
            }
            if message.is_binary() {
                self.incoming = Some(frame::server_frames(Bytes::from(message.into_payload())));
            }
        }
    }

    /// That nothing comes for a while.
    pub async fn is_quiet(&mut self, for_ms: u64) -> bool {
        self.early.is_empty()
            && timeout(Duration::from_millis(for_ms), self.receive())
                .await
                .is_err()
    }

    /// The error with which the server closes.
    pub async fn closed_with(&mut self) -> Code {
        let mut code = None;
        while let Some(frame) = self.next().await {
            if let FromServer::Response {
                id: 0,
                outcome: Err(error),
            } = frame
            {
                code = Some(error.code);
            }
        }
        code.expect("closed without a word")
    }

    pub async fn notice(&mut self) -> Notice {
        loop {
            if let FromServer::Notice(notice) = self.next().await.expect("connection closed") {
                return notice;
            }
        }
    }

    /// Sends a payload to addresses, outside any channel.
    pub async fn deliver(
        &mut self,
        payload: &[u8],
        to: &[&AddressSecret],
    ) -> Result<Accepted, Error> {
        match self.ask(send(payload, to)).await? {
            Response::Accepted(accepted) => Ok(accepted),
            _ => panic!("another answer"),
        }
    }
}

pub fn send(payload: &[u8], to: &[&AddressSecret]) -> Request {
    Request::Send(Send {
        send_id: SendId::random(),
        payload: Bytes::copy_from_slice(payload),
        addresses: to.iter().map(|secret| secret.duplicate()).collect(),
        blob: None,
    })
}

pub fn credit(items: u32) -> ClientFrame {
    FromClient::Credit(items).to_proto()
}

pub fn ack(sequence: u64) -> ClientFrame {
    FromClient::Ack(sequence).to_proto()
}

/// Somebody's device: its keys, and its signed-in inbox.
pub struct Device {
    pub key: SigningKey,
    pub queue: QueueId,
    pub hpke: HpkeKeyPair,
    pub inbox: Client,
    pub tokens: Vec<Token>,
    pub opening: Vec<OpeningKey>,
}

impl Device {
    /// A new queue on an open server.
    pub async fn new(server: &TestServer) -> Self {
        Self::with_invitation(server, None).await.unwrap()
    }

    /// Somebody whom nobody has invited, with a temporary queue.
    pub async fn temporary(server: &TestServer) -> Result<Self, Error> {
        let mut device = Self::unregistered(server).await;
        let inbox = &device.inbox;
        let request = auth::register_temporary(
            &device.key,
            &inbox.pin,
            &inbox.hello.challenge,
            device.queue,
            device.hpke.public(),
        );
        device.inbox.ask(Request::RegisterQueue(request)).await?;
        Ok(device)
    }

    async fn unregistered(server: &TestServer) -> Self {
        Self {
            key: SigningKey::from_bytes(&random_bytes()),
            queue: QueueId::random(),
            hpke: HpkeKeyPair::generate().unwrap(),
            inbox: server.inbox().await,
            tokens: Vec::new(),
            opening: Vec::new(),
        }
    }

    pub async fn with_invitation(
        server: &TestServer,
        code: Option<InvitationCode>,
    ) -> Result<Self, Error> {
        let mut device = Self::unregistered(server).await;
        let request = device.registration(code);
        device.inbox.ask(request).await?;
        Ok(device)
    }

    pub fn registration(&self, code: Option<InvitationCode>) -> Request {
        let inbox = &self.inbox;
        let hpke = self.hpke.public();
        Request::RegisterQueue(auth::register(
            &self.key,
            &inbox.pin,
            &inbox.hello.challenge,
            self.queue,
            hpke,
            code,
        ))
    }

    pub fn sign_in_on(&self, client: &Client) -> Request {
        Request::SignIn(auth::sign_in(
            &self.key,
            &client.pin,
            &client.hello.challenge,
            self.queue,
        ))
    }

    /// Signs in on a new connection.
    pub async fn sign_in(&mut self, server: &TestServer) -> undertone_wire::response::SignedIn {
        self.inbox = server.inbox().await;
        self.opening.clear();
        let request = self.sign_in_on(&self.inbox);
        match self.inbox.ask(request).await.unwrap() {
            Response::SignedIn(signed_in) => signed_in,
            _ => panic!("another answer"),
        }
    }

    pub async fn address(&mut self, kind: AddressKind) -> AddressSecret {
        let secret = AddressSecret::random();
        let new = NewAddress {
            address: secret.hash(),
            kind,
        };
        assert_eq!(
            self.inbox.ask(Request::CreateAddresses(vec![new])).await,
            Ok(Response::Done)
        );
        secret
    }

    pub async fn issue(&mut self, count: usize) -> Result<(), Error> {
        let pending = PendingTokens::blind(count).unwrap();
        let request = Request::IssueTokens(pending.blinded().to_vec());
        let Response::IssuedTokens(issued) = self.inbox.ask(request).await? else {
            panic!()
        };
        let shown = &self.inbox.hello.token_keys;
        let key = shown.iter().find(|key| key.id == issued.key_id).unwrap();
        self.tokens.extend(pending.finalize(key, &issued).unwrap());
        Ok(())
    }

    pub async fn token(&mut self) -> Token {
        if self.tokens.is_empty() {
            self.issue(5).await.unwrap();
        }
        self.tokens.pop().unwrap()
    }

    pub async fn give_credit(&mut self, items: u32) {
        self.inbox.send(&[credit(items)]).await;
    }

    pub async fn ack(&mut self, sequence: u64) {
        self.inbox.send(&[ack(sequence)]).await;
    }

    /// The next item, opened.
    pub async fn item(&mut self) -> (u64, QueueItem) {
        loop {
            match self.inbox.next().await.expect("connection closed") {
                FromServer::SealKey(key) => self.seal_key(&key),
                FromServer::Item(item) => return (item.sequence, self.open(&item)),
                FromServer::Response { .. } => panic!("an unexpected response"),
                _ => {}
            }
        }
    }

    /// The next of what is never stored, opened.
    pub async fn ephemeral(&mut self) -> QueueItem {
        loop {
            match self.inbox.next().await.expect("connection closed") {
                FromServer::SealKey(key) => self.seal_key(&key),
                FromServer::Ephemeral(sent) => {
                    let item = Item {
                        sequence: limits::EPHEMERAL_SEQUENCE,
                        key_id: sent.key_id,
                        nonce: sent.nonce,
                        sealed: sent.sealed,
                    };
                    return self.open(&item);
                }
                FromServer::Item(_) => panic!("an item"),
                _ => {}
            }
        }
    }

    fn seal_key(&mut self, key: &SealKey) {
        self.opening
            .push(OpeningKey::open(&self.queue, &self.hpke, key).unwrap());
    }

    fn open(&self, item: &Item) -> QueueItem {
        let key = self
            .opening
            .iter()
            .find(|key| key.id() == item.key_id)
            .expect("the seal key comes first");
        key.open_item(&self.queue, item.sequence, item.nonce, &item.sealed)
            .unwrap()
    }
}
