//! An anonymous connection: it redeems blind tokens and sends. It never says who it is.
//!
//! Sends go to the store as they are read and are answered when they are on disk; up to
//! [`PENDING_LIMIT`](super::pending::PENDING_LIMIT) wait at once. Redeeming is a barrier: what follows it is looked at
//! when its credit is there, so that a client may pipeline behind it.

use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep};
use undertone_wire::proto::server_frame::Body as ServerBody;
use undertone_wire::proto::{notice, response};
use undertone_wire::request::{FromClient, Request, Role, SendEphemeral};
use undertone_wire::secrets::AddressSecret;
use undertone_wire::tokens::Token;
use undertone_wire::{Code, Error, Result, frame, proto};

use super::hello::{End, respond};
use super::pending::{Effect, Outcome, Pending};
use super::refuse::refusal;
use super::socket::{Event, Socket};
use super::websocket::CloseCode;
use super::{Gateway, convert};
use crate::admission::credit::{Amount, Credit, Price, Redeemed};
use crate::admission::guests::Visit;
use crate::admission::token_keys::Kind;
use crate::delivery;
use crate::server::stopped;
use crate::store::{
    Accepted, AddressHash, ChannelHash, Forwarding, Reply, SendId, StoreError, TakenKeyPackage,
};

/// How often a quiet connection is looked at.
pub(super) const TICK: Duration = Duration::from_secs(60);

/// How long in-flight requests may take to finish when the server stops.
pub(super) const FINISH: Duration = Duration::from_secs(5);

/// Addresses of which somebody who has not paid may take a key package at once.
const FREE_KEY_PACKAGES: usize = 8;

/// Seconds a client should wait when the server stops.
pub(super) const RETRY_AFTER_S: u32 = 2;

/// Bundles being sealed.
type Wrapping = Pin<Box<dyn Future<Output = Result<Forwarding>> + Send>>;

/// What is left of a message, and the length it had.
type Incoming = (frame::Frames<proto::ClientFrame>, usize);

struct Outbox<'a> {
    gateway: &'a Arc<Gateway>,
    pending: Pending,
    credit: Credit,
    trusted: bool,
    /// It has asked for an allowance as a guest: channels that it makes give guests none.
    guest: bool,
    /// The channel that it is a guest of, and how much it may do before it asks again. Counted when it does it.
    visit: Option<(ChannelHash, Amount)>,
    /// A paid send whose bundles are being sealed. Nothing is read meanwhile, so that sends stay in order.
    wrapping: Option<(u64, Wrapping)>,
    /// How long nothing has been paid for.
    quiet: Duration,
}

/// Runs an outbox connection to its end.
pub(super) async fn run(gateway: &Arc<Gateway>, socket: &mut Socket) -> End {
    gateway.metrics.outboxes.inc();
    let end = Outbox {
        gateway,
        pending: Pending::default(),
        credit: Credit::default(),
        trusted: false,
        guest: false,
        visit: None,
        wrapping: None,
        quiet: Duration::ZERO,
    }
    .run(socket)
    .await;
    gateway.metrics.outboxes.dec();
    end
}

impl Outbox<'_> {
    async fn run(mut self, socket: &mut Socket) -> End {
        let mut stopping = self.gateway.stopping.clone();
        let mut incoming: Option<Incoming> = None;
        let mut tick = interval_at(Instant::now() + TICK, TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let unpaid = sleep(self.gateway.stranger_timeout());
        tokio::pin!(unpaid);
        loop {
            if let Some(rest) = &mut incoming {
                match self.take_requests(rest) {
                    Ok(true) => incoming = None,
                    Ok(false) => {}
                    Err(end) => return end,
                }
            }
            if !socket.is_writing() {
                socket.flush();
            }
            let read = incoming.is_none() && self.has_room();
            tokio::select! {
                biased;
                first = self.pending.next(), if !self.pending.is_empty() && socket.has_room() => {
                    self.answer(first, socket).await;
                }
                wrapped = wrapped(&mut self.wrapping) => self.forward(wrapped),
                event = socket.event(read) => match event {
                    Event::Message(message) => {
                        let length = message.len();
                        incoming = Some((frame::client_frames(message), length));
                        self.gateway.store.ready().await;
                    }
                    Event::Flushed => {}
                    Event::Closed => return End::Gone,
                    Event::Slow => return End::Slow,
                    Event::Refused(code) => return End::Refused(code.into()),
                },
                () = stopped(&mut stopping) => return self.shut_down(socket).await,
                _ = tick.tick() => {
                    self.pending.shrink();
                    self.quiet += TICK;
                    if self.quiet >= self.gateway.idle_timeout() && !self.waits() {
                        return End::Over(CloseCode::Normal);
                    }
                }
                // Whatever else it says meanwhile: it is nobody's.
                () = &mut unpaid, if !self.trusted && !self.credit.has_been_bought() && !self.waits() => {
                    return End::Over(CloseCode::Normal);
                }
            }
            if !self.trusted && (self.credit.whole.requests > 0 || self.visit.is_some()) {
                // It has paid, with more than anybody can have, or is a guest of somebody who has: from here on it may send messages of the full size.
                self.trusted = true;
                socket.trust_with_large_messages();
            }
        }
    }

    /// Takes requests from a message as long as there is room; true when there are no more.
    fn take_requests(
        &mut self,
        (frames, message): &mut Incoming,
    ) -> std::result::Result<bool, End> {
        while self.has_room() {
            let Some(frame) = frames.next() else {
                return Ok(true);
            };
            let (id, request) = match frame.and_then(FromClient::parse).map_err(End::Refused)? {
                FromClient::Request { id, request } => (id, request),
                FromClient::Credit(_) | FromClient::EphemeralCredit(_) | FromClient::Ack(_) => {
                    return Err(End::Refused(Code::RequestWrongRole.into()));
                }
                FromClient::Hello(_) => return Err(End::Refused(Code::FrameMalformed.into())),
            };
            self.gateway.metrics.requests.inc();
            if !self.pending.is_new(id) {
                return Err(End::Refused(Code::RequestDuplicateId.into()));
            }
            if let Err(error) = request.and_then(|request| self.request(id, request, *message)) {
                self.pending.known(id, Err(error));
            }
        }
        Ok(false)
    }

    fn request(&mut self, id: u64, request: Request, message: usize) -> Result<()> {
        if request.role() == Some(Role::Inbox) {
            return Err(Code::RequestWrongRole.into());
        }
        // Credit is taken once the request is known to be well formed, and before it has any effect.
        let price = Price::of(&request);
        let (gateway, store) = (self.gateway, &self.gateway.store);
        match request {
            Request::Send(request) => {
                let send = convert::send(gateway, request, message)?;
                self.pay(price)?;
                self.pending.send(id, send.payload.len(), store.send(send));
            }
            Request::ChannelSend(request) => {
                let send = convert::channel_send(gateway, request, message)?;
                self.pay(price)?;
                self.pending
                    .send(id, send.payload.len(), store.channel_send(send));
            }
            Request::ChannelCommit(request) => {
                let commit = convert::channel_commit(gateway, request, message)?;
                self.pay(price)?;
                self.pending
                    .send(id, commit.payload.len(), store.channel_commit(commit));
            }
            Request::ChannelControl(request) => {
                let control = convert::channel_control(gateway, request, message)?;
                self.pay(price)?;
                self.pending
                    .send(id, control.payload.len(), store.channel_control(control));
            }
            Request::SendEphemeral(request) => {
                self.pay(price)?;
                let gateway = Arc::clone(gateway);
                self.pending
                    .slow(id, 0, Box::pin(hand_over(gateway, request)));
            }
            Request::CreateChannel(request) => {
                self.pay(price)?;
                let new = convert::new_channel(&request);
                let reply = if self.guest {
                    store.create_channel_by_guest(new)
                } else {
                    store.create_channel(new)
                };
                self.pending
                    .slow(id, 0, Box::pin(async move { done(reply.await) }));
            }
            Request::TakeKeyPackages(request) => {
                let addresses: Vec<_> = request.addresses.iter().map(AddressSecret::hash).collect();
                match self.pay(price) {
                    Ok(()) => {
                        let reply = store.take_key_packages(request.send_id, addresses);
                        self.pending.slow(id, 0, Box::pin(taken(reply)));
                    }
                    Err(_) if addresses.len() <= FREE_KEY_PACKAGES => {
                        let gateway = Arc::clone(gateway);
                        let taking = taken_for_nothing(gateway, request.send_id, addresses);
                        self.pending.slow(id, 0, Box::pin(taking));
                    }
                    Err(unpaid) => return Err(unpaid),
                }
            }
            Request::Forwarding(request) => {
                let unwrapped = convert::forwarding(gateway, *request, message)?;
                self.pay(price)?;
                let wrapping = wrap(Arc::clone(gateway), unwrapped);
                self.wrapping = Some((id, Box::pin(wrapping)));
            }
            Request::Visit(channel) => {
                self.guest = true;
                let visiting = visit(Arc::clone(gateway), channel.hash());
                self.pending.barrier(id, 0, Box::pin(visiting));
            }
            Request::RedeemTokens(tokens) => {
                let gateway = Arc::clone(gateway);
                let redeeming = async move {
                    let fresh = redeem(&gateway, tokens).await?;
                    // Filled in when the credit has been added.
                    Ok((
                        response::Body::TokenCredit(proto::TokenCredit::default()),
                        Effect::Redeemed(fresh),
                    ))
                };
                self.pending.barrier(id, 0, Box::pin(redeeming));
            }
            Request::Ping => {
                self.pay(price)?;
                self.pending
                    .known(id, Ok(response::Body::Done(proto::Done {})));
            }
            _ => return Err(Code::RequestWrongRole.into()),
        }
        Ok(())
    }

    /// Whether another request may be looked at.
    fn has_room(&self) -> bool {
        self.pending.has_room() && self.wrapping.is_none()
    }

    /// Whether something is being done for it.
    fn waits(&self) -> bool {
        !self.pending.is_empty() || self.wrapping.is_some()
    }

    /// A send's bundles are sealed: it goes to the store.
    fn forward(&mut self, (id, forwarding): (u64, Result<Forwarding>)) {
        let forwarding = match forwarding {
            Ok(forwarding) => forwarding,
            Err(error) => return self.pending.known(id, Err(error)),
        };
        let bytes = forwarding.send.payload().len();
        let reply = self.gateway.store.forwarding(forwarding);
        let wait = Arc::clone(&self.gateway.parcels_wait);
        self.pending
            .slow(id, bytes, Box::pin(forwarded(reply, wait)));
    }

    /// Takes what a request costs from what tokens have bought, or from what the channel's guests have left today.
    fn pay(&mut self, price: Price) -> Result<()> {
        let unpaid = match self.credit.pay(price) {
            Ok(()) => {
                self.quiet = Duration::ZERO;
                return Ok(());
            }
            Err(unpaid) => unpaid,
        };
        let Some((channel, left)) = &mut self.visit else {
            return Err(unpaid);
        };
        let mut after = *left;
        let day = self.gateway.clock.day();
        if after.take(price) && self.gateway.guests.spend(*channel, price, day) {
            *left = after;
            self.quiet = Duration::ZERO;
            Ok(())
        } else {
            Err(unpaid)
        }
    }

    /// What the connection may still do, as it is told.
    fn token_credit(&self) -> response::Body {
        let mut all = self.credit.all();
        if let Some((_, left)) = self.visit {
            all.add(left.requests, left.bytes);
        }
        response::Body::TokenCredit(proto::TokenCredit {
            requests_left: all.requests,
            bytes_left: all.bytes,
        })
    }

    /// Puts an answer and those that are ready behind it into one message.
    async fn answer(&mut self, first: (u64, Outcome), socket: &mut Socket) {
        let mut next = Some(first);
        while let Some((id, outcome)) = next {
            let body = match outcome {
                Ok((_, Effect::Redeemed(tokens))) => {
                    self.credit.add(
                        tokens,
                        u64::from(self.gateway.config.tokens.requests),
                        self.gateway.token_bytes(),
                    );
                    self.token_credit()
                }
                Ok((_, Effect::Visited(channel, granted))) => {
                    let mut left = match self.visit {
                        Some((visited, left)) if visited == channel => left,
                        _ => Amount::default(),
                    };
                    left.add(granted.requests, granted.bytes);
                    self.visit = Some((channel, left));
                    self.token_credit()
                }
                Ok((body, _)) => {
                    if matches!(body, response::Body::Accepted(_)) {
                        self.gateway.metrics.sends.inc();
                    }
                    body
                }
                Err(error) => {
                    self.gateway.metrics.refused.inc();
                    response::Body::Error(error.into())
                }
            };
            respond(socket, id, body);
            if !socket.has_room() {
                return;
            }
            next = self.pending.ready().await;
        }
    }

    /// Says that the server stops, reads nothing more, and answers what is on its way to the disk.
    async fn shut_down(mut self, socket: &mut Socket) -> End {
        socket.push(shutting_down());
        let finish = async {
            while self.waits() {
                if !socket.is_writing() {
                    socket.flush();
                }
                tokio::select! {
                    biased;
                    first = self.pending.next(), if !self.pending.is_empty() && socket.has_room() => self.answer(first, socket).await,
                    wrapped = wrapped(&mut self.wrapping) => self.forward(wrapped),
                    event = socket.event(false) => {
                        if !matches!(event, Event::Flushed) { return; }
                    }
                }
            }
        };
        let _ = tokio::time::timeout(FINISH, finish).await;
        End::Over(CloseCode::ServiceRestart)
    }
}

/// Hands a payload to whoever of these is there. The answer is the same whoever that is.
async fn hand_over(gateway: Arc<Gateway>, request: SendEphemeral) -> Outcome {
    let addresses: Vec<_> = request.addresses.iter().map(AddressSecret::hash).collect();
    let queues = gateway
        .store
        .resolve(addresses.clone())
        .await
        .map_err(|error| refusal(&error))?;
    let to = addresses
        .into_iter()
        .zip(queues)
        .filter_map(|(address, queue)| Some((address, queue?)));
    delivery::hand_over(&gateway.hub, request.epoch, &request.payload, to)?;
    Ok((response::Body::Done(proto::Done {}), Effect::None))
}

/// The send whose bundles are being sealed, when they are. Dropping the future loses nothing.
async fn wrapped(wrapping: &mut Option<(u64, Wrapping)>) -> (u64, Result<Forwarding>) {
    let Some((id, work)) = wrapping else {
        return pending().await;
    };
    let done = (*id, work.await);
    *wrapping = None;
    done
}

/// Seals a send's bundles, on one of the few threads that are for such work.
async fn wrap(gateway: Arc<Gateway>, unwrapped: convert::Unwrapped) -> Result<Forwarding> {
    let permit = Arc::clone(&gateway.arithmetic)
        .acquire_owned()
        .await
        .map_err(|_| Error::new(Code::ServerShuttingDown))?;
    tokio::task::spawn_blocking(move || {
        let _permit = permit;
        convert::wrapped(&gateway, unwrapped)
    })
    .await
    .map_err(|_| Error::new(Code::Internal))
}

/// A send that is on disk, and whose parcels are: the task that takes them to other servers is told.
async fn forwarded(reply: Reply<Accepted>, wait: Arc<Notify>) -> Outcome {
    let accepted = reply.await.map_err(|error| refusal(&error))?;
    wait.notify_one();
    Ok((
        response::Body::Accepted(proto::Accepted {
            number: accepted.number,
            missed: accepted.missed,
        }),
        Effect::None,
    ))
}

/// What a guest may do by a channel. Nobody pays for asking, so the store writes no more than once a day for it, and for no channel that
/// has no guests.
async fn visit(gateway: Arc<Gateway>, channel: ChannelHash) -> Outcome {
    let day = gateway.clock.day();
    let granted = match gateway.guests.visit(channel, day) {
        Visit::Spent => return Err(Error::retry_after(Code::QuotaGuests, 3600)),
        Visit::Welcome(granted) => granted,
        Visit::Unknown(granted) => {
            let failed = |error: StoreError| refusal(&error);
            if !gateway.store.has_guests(channel).await.map_err(failed)?
                || !gateway.store.visit(channel).await.map_err(failed)?
            {
                return Err(Code::ChannelUnknown.into());
            }
            gateway.guests.is_for_guests(channel, day);
            granted
        }
    };
    // Filled in when the credit has been added.
    Ok((
        response::Body::TokenCredit(proto::TokenCredit::default()),
        Effect::Visited(channel, granted),
    ))
}

/// A few key packages for somebody who has not paid. What is not there counts for nobody, and costs the store a look and no write.
async fn taken_for_nothing(
    gateway: Arc<Gateway>,
    send_id: SendId,
    addresses: Vec<AddressHash>,
) -> Outcome {
    let exist = gateway
        .store
        .exist(addresses.clone())
        .await
        .map_err(|error| refusal(&error))?;
    let there: Vec<_> = addresses
        .iter()
        .zip(exist)
        .filter_map(|(address, exists)| exists.then_some(*address))
        .collect();
    if there.is_empty() {
        let none = vec![TakenKeyPackage::default(); addresses.len()];
        return taken(Reply::known(Ok(none))).await;
    }
    if !gateway.guests.may_take(&there, gateway.clock.day()) {
        return Err(Code::TokenRequired.into());
    }
    taken(gateway.store.take_key_packages(send_id, addresses)).await
}

async fn taken(reply: Reply<Vec<TakenKeyPackage>>) -> Outcome {
    let packages = reply.await.map_err(|error| refusal(&error))?;
    let packages = packages
        .into_iter()
        .map(|package| proto::TakenKeyPackage {
            sealed: package.sealed,
            last_resort: package.last_resort,
        })
        .collect();
    Ok((
        response::Body::TakenKeyPackages(proto::TakenKeyPackages { packages }),
        Effect::None,
    ))
}

/// Marks tokens as spent; says how many of each kind were fresh.
///
/// # Errors
/// `token.invalid` or `token.key_unknown` when any is no token of this server, and then none is spent;
/// `token.spent` when none was fresh.
pub(super) async fn redeem(gateway: &Arc<Gateway>, tokens: Vec<Token>) -> Result<Redeemed> {
    let today = gateway.clock.day();
    let permit = Arc::clone(&gateway.arithmetic)
        .acquire_owned()
        .await
        .map_err(|_| Error::new(Code::ServerShuttingDown))?;
    let shared = Arc::clone(gateway);
    let checked = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        let mut checked = tokens
            .iter()
            .map(|token| Ok((shared.tokens.check(token)?, shared.tokens.kind(token)?)))
            .collect::<Result<Vec<_>>>()?;
        // The same token twice in one request counts once.
        checked.sort_unstable_by_key(|(hash, _)| *hash);
        checked.dedup_by_key(|(hash, _)| *hash);
        Ok::<_, Error>(checked)
    })
    .await
    .map_err(|_| Error::new(Code::Internal))??;
    let last_day = checked.iter().map(|((_, day), _)| *day).max();
    let (hashes, kinds): (_, Vec<Kind>) = checked
        .into_iter()
        .map(|((hash, _), kind)| (hash, kind))
        .unzip();
    let fresh = gateway
        .store
        .spend_tokens(hashes, last_day.unwrap_or(today))
        .await
        .map_err(|error| refusal(&error))?;
    let mut redeemed = Redeemed::default();
    for (kind, _) in kinds.into_iter().zip(fresh).filter(|(_, fresh)| *fresh) {
        match kind {
            Kind::Ordinary => redeemed.ordinary += 1,
            Kind::Temporary => redeemed.temporary += 1,
        }
    }
    let count = redeemed.ordinary + redeemed.temporary;
    if count == 0 {
        return Err(Code::TokenSpent.into());
    }
    gateway.metrics.tokens_redeemed.inc_by(u64::from(count));
    Ok(redeemed)
}

/// An outcome that is `Done` or an error.
pub(super) fn done(result: std::result::Result<(), crate::store::StoreError>) -> Outcome {
    match result {
        Ok(()) => Ok((response::Body::Done(proto::Done {}), Effect::None)),
        Err(error) => Err(refusal(&error)),
    }
}

/// The notice that the server stops.
pub(super) fn shutting_down() -> ServerBody {
    ServerBody::Notice(proto::Notice {
        body: Some(notice::Body::ShuttingDown(proto::ShuttingDown {
            retry_after_s: RETRY_AFTER_S,
        })),
    })
}
