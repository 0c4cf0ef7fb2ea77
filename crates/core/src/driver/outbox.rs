//! The sending connection: anonymous, paid for with blind tokens.

use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use tokio::{sync::Mutex, task::JoinSet};
use undertone_mls::ChannelId;
use undertone_wire::{
    Class, Code, Error as WireError,
    request::{AnySend, Request},
    response::{Accepted, Missed, Response, TokenCredit},
};

use super::{
    Shared,
    again::Again,
    elsewhere, ephemeral,
    pause::Pause,
    stall::Stalls,
    transfers::{Transfer, carry, transfer},
};
use crate::{
    error::{Error, Reason, Result},
    sync::{channel, commit, conversation, duty, outbox, reach, send, take, tokens},
    transport::{Connection, Role},
    view::LinkState,
};

/// A token is redeemed when fewer requests are left.
const FEW_REQUESTS: u64 = 48;
/// A token is redeemed when fewer bytes are left.
const FEW_BYTES: u64 = 4 * 1024 * 1024;
/// How often one request is paid for: the largest, 64 KiB to 4,096 addresses, takes five tokens of 64 MiB.
const PAYMENTS: u32 = 6;
/// How often a request is made again that the server says is none: what was damaged on the way, there or inside the server, is whole then, and
/// a message that was given up for that would be lost.
const REFUSALS: u32 = 3;
/// How long what was sent waits for company before the next round.
const GATHER: Duration = Duration::from_millis(3);
/// How long nothing is looked at when nothing is due.
const LOOK: Duration = Duration::from_secs(600);

/// A connection that was paid for.
pub(super) struct Line {
    pub(super) connection: Arc<dyn Connection>,
    credit: Mutex<TokenCredit>,
    /// On another server: the channels by which this device may ask for an allowance there, in place of tokens.
    pub(super) doors: Vec<ChannelId>,
    is_guest: bool,
}

impl Line {
    fn new(connection: Arc<dyn Connection>, doors: Vec<ChannelId>, is_guest: bool) -> Self {
        Self {
            connection,
            credit: Mutex::new(TokenCredit {
                requests_left: 0,
                bytes_left: 0,
            }),
            doors,
            is_guest,
        }
    }

    /// To another server.
    pub(super) fn guest(connection: Arc<dyn Connection>, doors: Vec<ChannelId>) -> Self {
        Self::new(connection, doors, true)
    }
}

/// Sends whatever is due until the driver stops.
pub(super) async fn run(shared: Arc<Shared>) {
    let mut line: Option<Line> = None;
    let mut pause = Pause::new(shared.engine.pace.reconnect_to);
    let mut stalls = Stalls::new(shared.engine.pace.reconnect_to);
    let mut transfers = JoinSet::new();
    let mut under_way = HashSet::new();
    let mut wakes = shared.engine.duties.subscribe();
    loop {
        let outcome = tokio::select! {
            outcome = round(&shared, &mut line, &mut stalls, &mut transfers, &mut under_way) => outcome,
            () = shared.stopped() => break,
        };
        let wait = match outcome {
            // Only what the server took is a success: one that answers with nonsense is no better than one that is away.
            Ok(Round::Busy { moved }) => {
                if moved {
                    pause.reset();
                    // The first message goes at once. What is written while it is on its way goes together with what is
                    // written in the moment after: a round costs about as much for many as for one.
                    tokio::select! {
                        () = tokio::time::sleep(GATHER) => {}
                        () = shared.stopped() => break,
                    }
                }
                continue;
            }
            Ok(Round::Idle(wait)) => wait,
            Err(error) => {
                tracing::debug!(code = error.code(), "outbox connection ended");
                if let Some(line) = line.take() {
                    line.connection.close();
                }
                let hint = match &error {
                    Error::Wire(error) => Duration::from_secs(u64::from(error.retry_after_s)),
                    _ => Duration::ZERO,
                };
                shared.show(|links| {
                    links.outbox = LinkState::Connecting;
                    // The inbox's reason is the better one, if both fail; else the latest counts.
                    if links.inbox == LinkState::Online || links.problem.is_none() {
                        links.problem = Some(error.problem());
                    }
                });
                let wait = pause.next(hint);
                tokio::select! {
                    () = tokio::time::sleep(wait) => continue,
                    () = shared.stopped() => break,
                }
            }
        };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            // A change while the round was under way counts too.
            changed = wakes.changed() => {
                if changed.is_err() {
                    break;
                }
            }
            Some(done) = transfers.join_next() => {
                if let Ok(done) = done {
                    under_way.remove(&done);
                }
            }
            () = shared.stopped() => break,
        }
        wakes.mark_unchanged();
    }
    if let Some(line) = line {
        line.connection.close();
    }
    transfers.shutdown().await;
    elsewhere::close_all(&shared);
}

enum Round {
    /// Something was asked for: there may be more. `moved`: the server took something of it.
    Busy { moved: bool },
    /// Nothing to do for so long, unless something wakes.
    Idle(Duration),
}

async fn round(
    shared: &Arc<Shared>,
    line: &mut Option<Line>,
    stalls: &mut Stalls,
    transfers: &mut JoinSet<Transfer>,
    under_way: &mut HashSet<Transfer>,
) -> Result<Round> {
    while let Some(done) = transfers.try_join_next() {
        if let Ok(done) = done {
            under_way.remove(&done);
        }
    }
    let waiting = stalls.waiting(Instant::now());
    // Both of one moment: what becomes due between two looks would be seen by neither.
    let (found, due) = shared
        .write(move |work| Ok((duty::outbox(work, &waiting)?, duty::next_due(work)?)))
        .await?;
    for conversation in found.failed {
        stalls.note(conversation, false, Instant::now());
    }
    let mut requests = Vec::new();
    for duty in found.duties {
        match transfer(duty) {
            Ok((key, work)) => {
                if under_way.insert(key.clone()) {
                    let shared = Arc::clone(shared);
                    transfers.spawn(async move {
                        carry(&shared, work).await;
                        key
                    });
                }
            }
            Err(duty) => requests.push(duty),
        }
    }
    let ephemerals = shared.ephemerals.take();
    if !ephemerals.is_empty() && line.is_none() {
        *line = open(shared).await?;
    }
    if let Some(line) = line.as_ref().filter(|_| !ephemerals.is_empty()) {
        ephemeral::send(shared, line, ephemerals).await?;
    }
    if requests.is_empty() && !under_way.is_empty() && line.is_none() {
        // Transfers pay with tokens that a connection must have been shown the keys of.
        *line = open(shared).await?;
    }
    if requests.is_empty() {
        let now = shared.engine.clock.now_ms();
        let wait = due.map_or(LOOK, |at| {
            Duration::from_millis(u64::try_from(at - now).unwrap_or(0)).min(LOOK)
        });
        let wait = stalls
            .next(Instant::now())
            .map_or(wait, |stalled| wait.min(stalled));
        return Ok(Round::Idle(wait.max(Duration::from_millis(5))));
    }
    if line.is_none() {
        let Some(opened) = open(shared).await? else {
            // Tokens come by the inbox connection; it wakes this task when they are there.
            return Ok(Round::Idle(Duration::from_secs(1)));
        };
        *line = Some(opened);
        stalls.forgive();
    }
    let Some(open) = line.as_ref() else {
        return Ok(Round::Busy { moved: false });
    };
    pay(shared, open, false).await?;
    let outcomes = join_all(requests.into_iter().map(|duty| async move {
        let conversation = duty.conversation();
        (conversation, perform(shared, open, duty).await)
    }))
    .await;
    let (mut moved, mut trouble) = (false, None);
    for (conversation, outcome) in outcomes {
        let done = match outcome {
            Ok(done) => done,
            Err(error) => {
                // What broke on the way says nothing about the conversation.
                let answered = matches!(
                    &error,
                    Error::Wire(WireError {
                        code: Code::ResponseMalformed,
                        ..
                    })
                );
                trouble = Some(error);
                if !answered {
                    continue;
                }
                false
            }
        };
        moved |= done;
        if let Some(conversation) = conversation {
            stalls.note(conversation, done, Instant::now());
        }
    }
    trouble.map_or(Ok(Round::Busy { moved }), Err)
}

/// Connects, compares the token keys with what the inbox was shown, and pays. None: there is no token yet.
async fn open(shared: &Arc<Shared>) -> Result<Option<Line>> {
    if shared
        .engine
        .read(|snapshot| tokens::count(snapshot.connection()))?
        == 0
    {
        return Ok(None);
    }
    shared.show(|links| links.outbox = LinkState::Connecting);
    let connection = shared
        .transport
        .connect(&shared.engine.me.server, Role::Outbox)
        .await?;
    let hello = connection.hello().clone();
    let checked = shared
        .write(move |work| tokens::check_outbox(work, &hello))
        .await;
    let line = Line::new(connection, Vec::new(), false);
    let outcome = match checked {
        Ok(()) => pay(shared, &line, true).await,
        Err(error) => Err(error),
    };
    if let Err(error) = outcome {
        line.connection.close();
        return Err(error);
    }
    shared.show(|links| {
        links.outbox = LinkState::Online;
        if links.inbox == LinkState::Online {
            links.problem = None;
        }
    });
    Ok(Some(line))
}

/// Redeems a token if little is left (or anyhow).
async fn pay(shared: &Arc<Shared>, line: &Line, anyhow: bool) -> Result<()> {
    let mut credit = line.credit.lock().await;
    if !anyhow && credit.requests_left >= FEW_REQUESTS && credit.bytes_left >= FEW_BYTES {
        return Ok(());
    }
    if line.is_guest {
        *credit = elsewhere::visit(line).await?;
        return Ok(());
    }
    // A token may be of a key that is no longer honoured, or have been seen by a connection that broke: the next one may do.
    for _ in 0..4 {
        let token = shared
            .write(|work| Ok(tokens::take(work, 1)?.pop()))
            .await?;
        let Some(token) = token else {
            if credit.requests_left > 0 && !anyhow {
                return Ok(());
            }
            return Err(Reason::NoTokens.into());
        };
        match line
            .connection
            .request(Request::RedeemTokens(vec![token]))
            .await
        {
            Ok(Response::TokenCredit(left)) => {
                *credit = left;
                return Ok(());
            }
            Ok(_) => return Err(WireError::new(Code::ResponseMalformed).into()),
            Err(WireError {
                code: Code::TokenSpent | Code::TokenKeyUnknown | Code::TokenInvalid,
                ..
            }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Reason::NoTokens.into())
}

/// Makes a request and keeps count of what it costs. A refusal that is for good is believed when it has been said several times.
pub(super) async fn ask(
    shared: &Arc<Shared>,
    line: &Line,
    make: impl Fn() -> Result<Request>,
) -> Result<std::result::Result<Response, WireError>> {
    let (mut unpaid, mut refused) = (0, 0);
    loop {
        let request = make()?;
        let (requests, bytes) = (request.request_cost(), request.byte_cost());
        {
            let mut credit = line.credit.lock().await;
            credit.requests_left = credit.requests_left.saturating_sub(requests);
            credit.bytes_left = credit.bytes_left.saturating_sub(bytes);
        }
        match line.connection.request(request).await {
            Err(WireError {
                code: Code::TokenRequired,
                ..
            }) => {
                unpaid += 1;
                if unpaid == PAYMENTS {
                    return Err(Reason::NoTokens.into());
                }
                pay(shared, line, true).await?;
            }
            Err(error) if error.code.is_local() => return Err(error.into()),
            Err(error) if error.class == Class::RetryLater => return Err(error.into()),
            Err(error) if makes_no_sense(error.code) && refused < REFUSALS => refused += 1,
            outcome => return Ok(outcome),
        }
    }
}

/// Whether a server says so of a request that is not one, or not one it takes from anybody: of one that was damaged, or for good.
fn makes_no_sense(code: Code) -> bool {
    matches!(
        code,
        Code::RequestMalformed
            | Code::RequestUnknown
            | Code::RequestWrongRole
            | Code::LimitPayload
            | Code::LimitAddresses
            | Code::LimitCount
    )
}

/// Does one thing and writes down what came of it; says whether the server took it. An error means that the connection is no good, or that
/// the server wants a pause.
pub(super) async fn perform(shared: &Arc<Shared>, line: &Line, duty: duty::Outbox) -> Result<bool> {
    match duty {
        duty::Outbox::Take(id, request) => take_key_packages(shared, line, id, &request)
            .await
            .map(|()| true),
        // A channel alone moves nothing: what it was made for has to be taken too.
        duty::Outbox::CreateChannel(id, request) => {
            let made = request.channel_id;
            match ask(shared, line, || Ok(Request::CreateChannel(request.clone()))).await? {
                Ok(_) => {
                    shared
                        .write(move |work| conversation::set_channel_made(work, id, &made))
                        .await?;
                }
                Err(_) => {
                    shared
                        .write(move |work| channel::exists_otherwise(work, id, &made))
                        .await?;
                }
            }
            Ok(false)
        }
        duty::Outbox::Commit(id, request, elsewhere) => {
            let sent = commit::Sent::of(&request);
            let again = Again::new(shared, AnySend::Commit(*request), elsewhere).await?;
            match ask(shared, line, || again.make()).await? {
                Ok(Response::Accepted(answer)) => {
                    let missed = again.missed(&answer);
                    shared
                        .write(move |work| commit::accepted(work, id, sent, &missed))
                        .await?;
                    Ok(true)
                }
                Ok(_) => Err(WireError::new(Code::ResponseMalformed).into()),
                Err(error) => {
                    shared
                        .write(move |work| commit::refused(work, id, sent, &error))
                        .await?;
                    Ok(false)
                }
            }
        }
        duty::Outbox::Messages(_, ready) => messages(shared, line, ready).await,
        duty::Outbox::Send(id, request, elsewhere) => {
            let again = Again::new(shared, AnySend::Direct(request), elsewhere).await?;
            if again.is_for_nobody() {
                // Nobody's server is known well enough: as if it had been sent, and reached nobody.
                let missed = again.missed(&Accepted {
                    number: 0,
                    missed: Missed::none(),
                });
                shared
                    .write(move |work| reach::direct_send(work, id, &missed))
                    .await?;
                return Ok(true);
            }
            match ask(shared, line, || again.make()).await? {
                Ok(Response::Accepted(answer)) => {
                    let missed = again.missed(&answer);
                    shared
                        .write(move |work| reach::direct_send(work, id, &missed))
                        .await?;
                }
                Err(WireError {
                    code: Code::BlobNeeded,
                    ..
                }) => {
                    shared
                        .write(move |work| send::upload_again(work, id))
                        .await?;
                    return Ok(false);
                }
                Ok(_) | Err(_) => shared.write(move |work| send::done(work, id)).await?,
            }
            Ok(true)
        }
        // Done by tasks of their own.
        duty::Outbox::UploadCommit { .. }
        | duty::Outbox::UploadSend { .. }
        | duty::Outbox::Fetch(_)
        | duty::Outbox::Away(_)
        | duty::Outbox::Files(_)
        | duty::Outbox::Download(_) => Ok(true),
    }
}

/// Messages of one conversation, in their order, all on their way at once. Says whether the server took any.
async fn messages(shared: &Arc<Shared>, line: &Line, ready: Vec<outbox::Ready>) -> Result<bool> {
    let mut sealed = Vec::with_capacity(ready.len());
    for message in ready {
        let send = AnySend::Channel(message.request);
        let again = Again::new(shared, send, message.elsewhere).await?;
        sealed.push((message.row, again));
    }
    let answers = join_all(sealed.into_iter().map(|(row, again)| async move {
        let answer = ask(shared, line, || again.make()).await;
        (row, again, answer)
    }))
    .await;
    let (mut trouble, mut moved) = (None, false);
    let mut told = Vec::new();
    for (row, again, answer) in answers {
        match answer {
            Ok(Ok(Response::Accepted(answer))) => {
                moved = true;
                told.push((row, Ok(again.missed(&answer))));
            }
            Ok(Ok(_)) => {}
            Ok(Err(refusal)) => told.push((row, Err(refusal))),
            Err(error) => trouble = Some(error),
        }
    }
    shared
        .write(move |work| {
            for (row, answer) in &told {
                match answer {
                    Ok(missed) => outbox::accepted(work, *row, missed)?,
                    Err(error) => outbox::refused(work, *row, error)?,
                }
            }
            Ok(())
        })
        .await?;
    trouble.map_or(Ok(moved), Err)
}

async fn take_key_packages(
    shared: &Arc<Shared>,
    line: &Line,
    id: i64,
    request: &undertone_wire::request::TakeKeyPackages,
) -> Result<()> {
    let make = || {
        Ok(Request::TakeKeyPackages(
            undertone_wire::request::TakeKeyPackages {
                send_id: request.send_id,
                addresses: request
                    .addresses
                    .iter()
                    .map(undertone_wire::secrets::AddressSecret::duplicate)
                    .collect(),
            },
        ))
    };
    let taken = match ask(shared, line, make).await? {
        Ok(Response::TakenKeyPackages(taken)) => taken,
        Ok(_) => return Err(WireError::new(Code::ResponseMalformed).into()),
        Err(_) => Vec::new(),
    };
    shared
        .write(move |work| take::answered(work, id, &taken))
        .await
}
