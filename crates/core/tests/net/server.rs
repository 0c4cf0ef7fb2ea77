//! A server with an identity of its own that follows a script.

use std::{future::Future, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ED25519, PublicKeyData as _, date_time_ymd,
};
use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_websockets::{Message, ServerBuilder, WebSocketStream};
use undertone_core::{
    net::{Timing, TlsTransport},
    transport::ServerAddress,
};
use undertone_wire::{
    Error, frame,
    ids::{Pin, sha256},
    proto,
    request::{FromClient, Request},
    response::{FromServer, Limits, Response, ServerHello},
};

pub type Stream = TlsStream<TcpStream>;

const DAY: u64 = 86_400;

/// What a server shows in its TLS handshake.
pub struct Chain {
    pub certificates: Vec<CertificateDer<'static>>,
    pub key: PrivateKeyDer<'static>,
    pub pin: Pin,
    pub alpn: Vec<Vec<u8>>,
}

/// Days from today on which a leaf starts and stops being valid.
#[derive(Clone, Copy)]
pub struct Validity(pub i64, pub i64);

pub struct Identity {
    key: KeyPair,
    certificate: CertificateDer<'static>,
}

impl Identity {
    pub fn new() -> Self {
        let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        let certificate = identity_params().self_signed(&key).unwrap().der().clone();
        Self { key, certificate }
    }

    pub fn pin(&self) -> Pin {
        Pin::new(sha256(&self.key.subject_public_key_info()))
    }

    pub fn chain(&self, validity: Validity) -> Chain {
        let leaf_key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "leaf");
        let today = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs() / DAY;
        let day = |offset| {
            date_time_ymd(1970, 1, 1)
                + Duration::from_secs(today.saturating_add_signed(offset) * DAY)
        };
        params.not_before = day(validity.0);
        params.not_after = day(validity.1);
        let parent = identity_params();
        let leaf = params
            .signed_by(&leaf_key, &Issuer::from_params(&parent, &self.key))
            .unwrap();
        Chain {
            certificates: vec![leaf.der().clone(), self.certificate.clone()],
            key: PrivatePkcs8KeyDer::from(leaf_key.serialize_der()).into(),
            pin: self.pin(),
            alpn: vec![b"undertone/1".to_vec()],
        }
    }
}

fn identity_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params
        .distinguished_name
        .push(DnType::CommonName, "identity");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}

/// A chain that any client which knows its pin accepts.
pub fn good_chain() -> Chain {
    Identity::new().chain(Validity(-1, 90))
}

/// A listening server; gone when dropped.
pub struct Server {
    pub address: SocketAddr,
    pub pin: Pin,
    _task: JoinSet<()>,
}

impl Server {
    /// Runs `script` on every TLS connection, one after the other.
    pub async fn start<F, S>(chain: Chain, script: S) -> Self
    where
        F: Future<Output = ()> + Send,
        S: Fn(Stream) -> F + Send + Sync + 'static,
    {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain.certificates, chain.key)
            .unwrap();
        config.alpn_protocols = chain.alpn;
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut task = JoinSet::new();
        task.spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                stream.set_nodelay(true).unwrap();
                if let Ok(stream) = acceptor.accept(stream).await {
                    script(stream).await;
                }
            }
        });
        Self {
            address,
            pin: chain.pin,
            _task: task,
        }
    }

    /// Upgrades, answers the hello, then runs `script`.
    pub async fn greeting<F, S>(script: S) -> Self
    where
        F: Future<Output = ()> + Send,
        S: Fn(Peer) -> F + Send + Sync + 'static,
    {
        let script = Arc::new(script);
        Self::start(good_chain(), move |stream| {
            let script = script.clone();
            async move {
                let mut peer = Peer::accept(stream).await;
                assert!(matches!(peer.frame().await, Some(FromClient::Hello(_))));
                peer.send(&[FromServer::Hello(hello())]).await;
                script(peer).await;
            }
        })
        .await
    }

    pub fn known_as(&self, pin: Pin) -> ServerAddress {
        ServerAddress {
            origin: self.address.to_string().parse().unwrap(),
            pin,
        }
    }

    pub fn at(&self) -> ServerAddress {
        self.known_as(self.pin)
    }
}

pub fn hello() -> ServerHello {
    ServerHello {
        version: 1,
        challenge: [1; 32],
        time_s: 1_800_000_000,
        limits: Limits {
            frame_bytes: 524_288,
            item_bytes: 65_536,
            addresses_per_send: 4096,
            blob_bytes: 1 << 30,
            item_days: 30,
            blob_days: 30,
            token_requests: 100,
            token_bytes: 1 << 24,
        },
        token_keys: vec![],
        registration_open: true,
    }
}

/// The client, as the server sees it.
pub struct Peer {
    socket: WebSocketStream<Stream>,
    waiting: std::collections::VecDeque<FromClient>,
    /// Binary messages received.
    pub messages: usize,
    /// Size of the largest one.
    pub largest: usize,
}

impl Peer {
    pub async fn accept(stream: Stream) -> Self {
        let (_request, socket) = ServerBuilder::new().accept(stream).await.unwrap();
        Self {
            socket,
            waiting: std::collections::VecDeque::new(),
            messages: 0,
            largest: 0,
        }
    }

    /// The next frame; None: the client has gone.
    pub async fn frame(&mut self) -> Option<FromClient> {
        while self.waiting.is_empty() {
            let message = self.socket.next().await?.ok()?;
            if !message.is_binary() {
                continue;
            }
            let bytes: Bytes = message.into_payload().into();
            self.messages += 1;
            self.largest = self.largest.max(bytes.len());
            for frame in frame::client_frames(bytes) {
                self.waiting
                    .push_back(FromClient::parse(frame.unwrap()).unwrap());
            }
        }
        self.waiting.pop_front()
    }

    pub async fn request(&mut self) -> (u64, Request) {
        match self.frame().await {
            Some(FromClient::Request { id, request }) => (id, request.unwrap()),
            other => panic!("expected a request, not {other:?}"),
        }
    }

    /// Sends frames in one message.
    pub async fn send(&mut self, frames: &[FromServer]) {
        let mut message = bytes::BytesMut::new();
        for frame in frames {
            frame::append(&mut message, &frame.to_proto()).unwrap();
        }
        self.send_raw(Message::binary(message.freeze())).await;
    }

    pub async fn send_raw(&mut self, message: Message) {
        // The client may have gone.
        let _ = self.socket.send(message).await;
    }

    pub async fn answer(&mut self, id: u64, outcome: Result<Response, Error>) {
        self.send(&[FromServer::Response { id, outcome }]).await;
    }
}

/// What a frame of an unknown kind from a newer server looks like.
pub fn unknown_frame() -> Bytes {
    let mut message = vec![0];
    // Field 99, a varint.
    let body = [0x98, 0x06, 0x01];
    message[0] = u8::try_from(body.len()).unwrap();
    message.extend_from_slice(&body);
    assert!(
        frame::server_frames(message.clone().into())
            .all(|frame| frame == Ok(proto::ServerFrame { body: None }))
    );
    message.into()
}

/// Short enough for tests that wait for them.
pub fn quick() -> Timing {
    Timing {
        connect: Duration::from_secs(5),
        connect_through_proxy: Duration::from_secs(5),
        request: Duration::from_millis(400),
        ..Timing::default()
    }
}

pub fn transport() -> TlsTransport {
    TlsTransport::new(None)
}
