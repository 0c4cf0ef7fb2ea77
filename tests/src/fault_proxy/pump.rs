//! One connection: frames both ways, or HTTP requests.

use std::{
    collections::HashSet,
    io,
    pin::Pin,
    sync::atomic::Ordering,
    task::{Context, Poll},
};

use bytes::{Bytes, BytesMut};
use futures_util::{SinkExt as _, StreamExt as _};
use prost::Message as _;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::{client::TlsStream as ToServer, server::TlsStream as FromApp};
use tokio_websockets::{ClientBuilder, Limits, Message, ServerBuilder};
use undertone_wire::{
    frame,
    limits::{CONNECT_PATH, MESSAGE_BYTES},
    proto::{self, client_frame, server_frame},
    request::{FromClient, Request, Role},
    response::FromServer,
};

use super::{
    Failure, Tally, http,
    script::{Fate, Mangle, Script},
};

/// Tells frames from blobs by the first request line and pumps accordingly until either side ends or the script ends it.
pub async fn connection(
    app: FromApp<TcpStream>,
    server: ToServer<TcpStream>,
    home: String,
    script: &dyn Script,
    tally: &Tally,
) -> Result<(), Failure> {
    let app = Prefixed::read(app).await?;
    if app.asks_for_frames() {
        frames(app, server, home, script, tally).await
    } else {
        http::exchanges(app, server, script, tally).await
    }
}

async fn frames(
    app: Prefixed,
    server: ToServer<TcpStream>,
    home: String,
    script: &dyn Script,
    tally: &Tally,
) -> Result<(), Failure> {
    let limits = Limits::default().max_payload_len(Some(MESSAGE_BYTES));
    let (_, app) = ServerBuilder::new().limits(limits).accept(app).await?;
    let uri = format!("ws://undertone.invalid{CONNECT_PATH}");
    let (server, _) = ClientBuilder::new()
        .uri(&uri)?
        .limits(limits)
        .connect_on(server)
        .await?;
    let (mut to_app, mut from_app) = app.split();
    let (mut to_server, mut from_server) = server.split();
    let mut talk = Talk {
        home,
        ..Talk::default()
    };
    loop {
        tokio::select! {
            message = from_app.next() => {
                let message = message.ok_or("the app closed")??;
                if !message.is_binary() {
                    to_server.send(message).await?;
                    continue;
                }
                let payload: Bytes = message.into_payload().into();
                let (passed, ends) = requests(payload, script, tally, &mut talk);
                for message in mangled(passed, |bytes| script.mangle_to_server(bytes), tally) {
                    to_server.send(message).await?;
                }
                if ends {
                    // What went before is to arrive, as bytes in flight do when a connection breaks behind them.
                    to_server.flush().await?;
                    return Ok(());
                }
            }
            message = from_server.next() => {
                let message = message.ok_or("the server closed")??;
                if !message.is_binary() {
                    to_app.send(message).await?;
                    continue;
                }
                let payload: Bytes = message.into_payload().into();
                let (passed, ends) = answers(payload, script, tally, &talk);
                for message in mangled(passed, |bytes| script.mangle_to_app(bytes), tally) {
                    to_app.send(message).await?;
                }
                if ends {
                    to_app.flush().await?;
                    return Ok(());
                }
            }
        }
    }
}

/// What has to be remembered of one connection.
#[derive(Default)]
struct Talk {
    /// The home of the program at the app's end.
    home: String,
    /// What the app said that the connection is for.
    role: Option<Role>,
    /// The ids of requests whose responses will be lost.
    lost_responses: HashSet<u64>,
}

/// The frames of an app's message up to the first lost one, and whether one was lost.
fn requests(
    payload: Bytes,
    script: &dyn Script,
    tally: &Tally,
    talk: &mut Talk,
) -> (BytesMut, bool) {
    let mut passed = BytesMut::new();
    for decoded in frame::client_frames(payload.clone()) {
        let Ok(decoded) = decoded else {
            return (BytesMut::from(&payload[..]), false);
        };
        if talk.role.is_none()
            && let Ok(FromClient::Hello(hello)) = FromClient::parse(decoded.clone())
        {
            talk.role = Some(hello.role);
        }
        if let Some(client_frame::Body::Request(request)) = &decoded.body
            && let Some(body) = &request.body
            && let Ok(typed) = Request::parse(body.clone())
        {
            // The id is the connection's; what is asked is the same at every try.
            let body = proto::Request {
                id: 0,
                body: Some(body.clone()),
            }
            .encode_to_vec();
            match script.request(&talk.home, &typed, &body) {
                Fate::Pass => {}
                Fate::LoseRequest => {
                    tally.requests_lost.fetch_add(1, Ordering::Relaxed);
                    return (passed, true);
                }
                Fate::LoseResponse => {
                    talk.lost_responses.insert(request.id);
                }
            }
        }
        if frame::append(&mut passed, &decoded).is_err() {
            return (passed, true);
        }
    }
    (passed, false)
}

/// The frames of a server's message up to the first lost one, and whether one was lost.
fn answers(payload: Bytes, script: &dyn Script, tally: &Tally, talk: &Talk) -> (BytesMut, bool) {
    let mut passed = BytesMut::new();
    for decoded in frame::server_frames(payload.clone()) {
        let Ok(mut decoded) = decoded else {
            return (BytesMut::from(&payload[..]), false);
        };
        let mut is_refused = false;
        match &decoded.body {
            Some(server_frame::Body::Hello(_)) => {
                (decoded, is_refused) = greeting(decoded, script, talk.role);
            }
            Some(server_frame::Body::Response(answer))
                if talk.lost_responses.contains(&answer.id) =>
            {
                tally.responses_lost.fetch_add(1, Ordering::Relaxed);
                return (passed, true);
            }
            Some(server_frame::Body::Item(item)) if script.lose_item(&item.sealed) => {
                tally.items_lost.fetch_add(1, Ordering::Relaxed);
                return (passed, true);
            }
            _ => {}
        }
        if frame::append(&mut passed, &decoded).is_err() || is_refused {
            return (passed, true);
        }
    }
    (passed, false)
}

/// What the app gets in place of the server's hello, and whether that is a refusal.
fn greeting(
    said: proto::ServerFrame,
    script: &dyn Script,
    role: Option<Role>,
) -> (proto::ServerFrame, bool) {
    let (Ok(FromServer::Hello(mut hello)), Some(role)) = (FromServer::parse(said.clone()), role)
    else {
        return (said, false);
    };
    match script.hello(role, &mut hello) {
        Ok(()) => (FromServer::Hello(hello).to_proto(), false),
        Err(code) => {
            let outcome = Err(code.into());
            (FromServer::Response { id: 0, outcome }.to_proto(), true)
        }
    }
}

/// The messages to send in place of one.
fn mangled(message: BytesMut, fate: impl Fn(&[u8]) -> Mangle, tally: &Tally) -> Vec<Message> {
    if message.is_empty() {
        return Vec::new();
    }
    let fate = fate(&message);
    let mut message = message;
    let length = message.len();
    if fate != Mangle::No {
        tally.mangled.fetch_add(1, Ordering::Relaxed);
    }
    match fate {
        Mangle::Flip { bit } => message[bit / 8 % length] ^= 1 << (bit % 8),
        Mangle::Truncate { keep } => message.truncate((keep % length).max(1)),
        Mangle::No | Mangle::Repeat => {}
    }
    let message = Message::binary(tokio_websockets::Payload::from(message.freeze()));
    if fate == Mangle::Repeat {
        vec![message.clone(), message]
    } else {
        vec![message]
    }
}

/// A stream of which the first bytes were read already.
struct Prefixed {
    head: BytesMut,
    stream: FromApp<TcpStream>,
}

impl Prefixed {
    /// Reads until there is a request line.
    async fn read(mut stream: FromApp<TcpStream>) -> Result<Self, Failure> {
        let mut head = BytesMut::with_capacity(1024);
        while !head.contains(&b'\n') {
            if head.len() > 8192 || stream.read_buf(&mut head).await? == 0 {
                return Err("no request line".into());
            }
        }
        Ok(Self { head, stream })
    }

    /// Whether it asks for frames rather than blobs.
    fn asks_for_frames(&self) -> bool {
        self.head
            .starts_with(format!("GET {CONNECT_PATH} ").as_bytes())
    }
}

impl AsyncRead for Prefixed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.head.is_empty() {
            return Pin::new(&mut self.stream).poll_read(context, buffer);
        }
        let length = buffer.remaining().min(self.head.len());
        buffer.put_slice(&self.head.split_to(length));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Prefixed {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
