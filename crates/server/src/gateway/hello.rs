//! How a WebSocket connection begins: the client's hello, the version, and which kind of session follows.

use std::sync::Arc;
use std::time::Duration;

use undertone_wire::ids::random_bytes;
use undertone_wire::proto::response;
use undertone_wire::proto::server_frame::Body as ServerBody;
use undertone_wire::request::{FromClient, Role};
use undertone_wire::response::ServerHello;
use undertone_wire::{Code, Error, frame, proto};

use super::socket::{Event, Socket};
use super::stream::Stream;
use super::websocket::CloseCode;
use super::{Gateway, inbox, outbox};
use crate::server::stopped;

/// How long a closing connection may take.
pub(super) const CLOSE_LIMIT: Duration = Duration::from_secs(3);

/// How a session ended.
pub(super) enum End {
    /// The client left, or the connection broke.
    Gone,
    /// The client did not read.
    Slow,
    /// The client broke the rules; it is told and the connection closes.
    Refused(Error),
    /// The session is over and what is pushed should still arrive.
    Over(CloseCode),
}

/// Runs a connection from its hello to its end.
pub(super) async fn session(gateway: &Arc<Gateway>, stream: Stream) {
    let mut socket = Socket::new(stream, gateway.write_timeout());
    let mut stopping = gateway.stopping.clone();
    // From before the hello, so that no change falls between.
    let rolls = gateway.tokens.rolls();
    let hello = tokio::select! {
        biased;
        () = stopped(&mut stopping) => return,
        hello = tokio::time::timeout(gateway.hello_timeout(), hello(gateway, &mut socket)) => hello,
    };
    let end = match hello {
        Err(_) => End::Gone,
        Ok(Err(end)) => end,
        Ok(Ok((Role::Inbox, challenge))) => {
            inbox::run(gateway, &mut socket, challenge, rolls).await
        }
        Ok(Ok((Role::Outbox, _))) => outbox::run(gateway, &mut socket).await,
    };
    match end {
        End::Gone => {}
        End::Slow => {
            gateway.metrics.slow_clients.inc();
            tracing::debug!("slow client dropped");
        }
        End::Over(code) => socket.close(code, CLOSE_LIMIT).await,
        End::Refused(error) => {
            gateway.metrics.refused.inc();
            tracing::debug!(code = error.code.as_str(), "connection refused");
            respond(&mut socket, 0, response::Body::Error(error.into()));
            socket.close(CloseCode::PolicyViolation, CLOSE_LIMIT).await;
        }
    }
}

/// Adds a response to what goes out next.
pub(super) fn respond(socket: &mut Socket, id: u64, body: response::Body) {
    socket.push(ServerBody::Response(proto::Response {
        id,
        body: Some(body),
    }));
}

async fn hello(gateway: &Gateway, socket: &mut Socket) -> Result<(Role, [u8; 32]), End> {
    let refused = |code: Code| End::Refused(code.into());
    let message = match socket.event(true).await {
        Event::Message(message) => message,
        Event::Refused(code) => return Err(refused(code)),
        _ => return Err(End::Gone),
    };
    let mut frames = frame::client_frames(message);
    let first = frames.next().ok_or(refused(Code::FrameMalformed))?;
    let FromClient::Hello(hello) = first.and_then(FromClient::parse).map_err(End::Refused)? else {
        return Err(refused(Code::FrameMalformed));
    };
    // What follows needs the challenge, or the answer to the version.
    if frames.next().is_some() {
        return Err(refused(Code::FrameMalformed));
    }
    let version = hello.choose_version().map_err(End::Refused)?;
    let challenge: [u8; 32] = random_bytes();
    let now = gateway.clock.unix_s();
    let answer = ServerHello {
        version,
        challenge,
        time_s: now - now % 60,
        limits: gateway.limits(),
        token_keys: gateway.tokens.shown(),
        registration_open: gateway.registration_is_open(),
    };
    socket.push(ServerBody::Hello(answer.to_proto()));
    socket.flush();
    match socket.event(false).await {
        Event::Flushed => Ok((hello.role, challenge)),
        Event::Slow => Err(End::Slow),
        _ => Err(End::Gone),
    }
}
