//! What is done on other servers: sends on channels that are there, and key packages of people who are there.
//!
//! Each conversation there has a connection of its own, made without a token: it asks for an allowance by the channel that it sends on. A
//! server that is away holds up nothing but what is for it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use undertone_mls::ChannelId;
use undertone_wire::{
    Code, Error as WireError,
    forward::{Bundle, ServerKey},
    ids::Pin,
    origin::ServerAddress,
    request::{AnySend, Forwarding, Request},
    response::{Response, TokenCredit},
};

use super::{
    Shared,
    outbox::{Line, perform},
    pause::Pause,
};
use crate::{
    error::{Error, Reason, Result},
    sync::{
        duty,
        elsewhere::{self, Elsewhere},
    },
    transport::Role,
};

/// A server whose key could not be had is not asked again for so long: what is sent meanwhile goes without it.
const KEY_AWAY: Duration = Duration::from_secs(60);
/// Connections that are kept.
const LINES: usize = 64;

/// What is remembered of other servers while the driver runs.
#[derive(Default)]
pub(crate) struct OtherServers {
    lines: Mutex<HashMap<Guest, Arc<Line>>>,
    pauses: Mutex<HashMap<Pin, Pause>>,
    keys_away: Mutex<HashMap<Pin, Instant>>,
}

/// What a connection to another server is for.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Guest {
    /// conversations.id
    Conversation(i64),
    /// takes.id
    Take(i64),
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Does one thing on another server. If that fails, it is due again after a pause.
pub(super) async fn carry(shared: &Arc<Shared>, guest: Guest, away: duty::Away) {
    let duty::Away {
        server,
        doors,
        duty,
    } = away;
    let done = match line(shared, guest, &server, doors).await {
        Ok(line) => perform(shared, &line, *duty).await,
        Err(error) => Err(error),
    };
    if matches!(guest, Guest::Take(_)) {
        close(shared, guest);
    }
    let moved = match done {
        Ok(moved) => moved,
        Err(error) => {
            tracing::debug!(code = error.code(), "another server did not do it");
            close(shared, guest);
            false
        }
    };
    let wait = {
        let mut pauses = lock(&shared.others.pauses);
        let pause = pauses
            .entry(server.pin)
            .or_insert_with(|| Pause::new(shared.engine.pace.reconnect_to));
        if moved {
            pause.reset();
            None
        } else {
            Some(pause.next(Duration::ZERO))
        }
    };
    if let Some(wait) = wait {
        tokio::time::sleep(wait).await;
    }
}

fn close(shared: &Shared, guest: Guest) {
    if let Some(line) = lock(&shared.others.lines).remove(&guest) {
        line.connection.close();
    }
}

async fn line(
    shared: &Arc<Shared>,
    guest: Guest,
    server: &ServerAddress,
    doors: Vec<ChannelId>,
) -> Result<Arc<Line>> {
    let kept = lock(&shared.others.lines).get(&guest).cloned();
    if let Some(kept) = kept.filter(|line| line.doors == doors) {
        return Ok(kept);
    }
    close(shared, guest);
    let connection = shared.transport.connect(server, Role::Outbox).await?;
    let line = Arc::new(Line::guest(connection, doors));
    let mut lines = lock(&shared.others.lines);
    if lines.len() >= LINES
        && let Some(any) = lines.keys().next().copied()
        && let Some(line) = lines.remove(&any)
    {
        line.connection.close();
    }
    lines.insert(guest, Arc::clone(&line));
    Ok(line)
}

/// Ends all connections.
pub(super) fn close_all(shared: &Shared) {
    for (_, line) in lock(&shared.others.lines).drain() {
        line.connection.close();
    }
}

/// Asks for an allowance by the first of these channels that gives one.
pub(super) async fn visit(line: &Line) -> Result<TokenCredit> {
    let mut refused = Error::from(Reason::NoTokens);
    for door in &line.doors {
        match line.connection.request(Request::Visit(*door)).await {
            Ok(Response::TokenCredit(credit)) => return Ok(credit),
            Ok(_) => return Err(WireError::new(Code::ResponseMalformed).into()),
            Err(error) if error.code == Code::ChannelUnknown => refused = error.into(),
            Err(error) => return Err(error.into()),
        }
    }
    Err(refused)
}

/// A send together with what goes to other servers. Those whose key can't be had are left out, and told apart: the second list.
pub(super) async fn seal(
    shared: &Arc<Shared>,
    send: AnySend,
    elsewhere: Vec<Elsewhere>,
) -> Result<(Request, Vec<Elsewhere>, Vec<Elsewhere>)> {
    let (mut bundles, mut sent, mut left_out) = (Vec::new(), Vec::new(), Vec::new());
    for part in elsewhere {
        let Some(key) = key(shared, &part.server).await? else {
            left_out.push(part);
            continue;
        };
        bundles.push(Bundle::seal(
            part.server.clone(),
            key,
            send.payload(),
            &part.addresses,
            &part.renames,
        )?);
        sent.push(part);
    }
    let request = match (bundles.is_empty(), send) {
        (false, send) => Request::Forwarding(Box::new(Forwarding { send, bundles })),
        (true, AnySend::Direct(send)) => Request::Send(send),
        (true, AnySend::Channel(send)) => Request::ChannelSend(send),
        (true, AnySend::Commit(commit)) => Request::ChannelCommit(commit),
        (true, AnySend::Control(control)) => Request::ChannelControl(control),
    };
    Ok((request, sent, left_out))
}

/// A server's key: from the store, or from the server itself.
async fn key(shared: &Arc<Shared>, server: &ServerAddress) -> Result<Option<ServerKey>> {
    let pin = server.pin;
    let known = shared.write(move |work| elsewhere::key(work, &pin)).await?;
    let stale = known.as_ref().is_none_or(|(_, stale)| *stale);
    let away = lock(&shared.others.keys_away)
        .get(&pin)
        .is_some_and(|since| since.elapsed() < KEY_AWAY);
    if !stale || away {
        return Ok(known.map(|(key, _)| key));
    }
    match shared.transport.server_key(server).await {
        Ok(fresh) => {
            lock(&shared.others.keys_away).remove(&pin);
            let (from, kept) = (server.clone(), fresh.clone());
            let right = shared
                .write(move |work| elsewhere::keep_key(work, &from, &kept))
                .await;
            match right {
                Ok(()) => Ok(Some(fresh)),
                Err(Error::Wire(_)) => Ok(known.map(|(key, _)| key)),
                Err(error) => Err(error),
            }
        }
        Err(error) => {
            tracing::debug!(
                code = error.code.as_str(),
                "another server's key could not be had"
            );
            lock(&shared.others.keys_away).insert(pin, Instant::now());
            Ok(known.map(|(key, _)| key))
        }
    }
}
