//! A connection that signs in as a queue: it receives, and manages the queue.
//!
//! Before it has signed in it may register, sign in and nothing else. Signing in is a barrier: requests, credit and
//! acknowledgements behind it are looked at when it has taken effect. Items leave only against credit, and only
//! when the client has read what was sent before.
//!
//! Instead of signing in, a connection may hear a queue's bell: it gets rings then and nothing else.

use std::future::pending;
use std::sync::Arc;

use bytes::Bytes;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep};
use undertone_wire::ids::{KeyId, QueueId, sha256};
use undertone_wire::proto::server_frame::Body as ServerBody;
use undertone_wire::proto::{notice, response};
use undertone_wire::request::{FromClient, RegisterQueue, Request, Role, SignIn};
use undertone_wire::response::{Notice, Response};
use undertone_wire::secrets::Secret;
use undertone_wire::{Code, Error, Result, frame, limits, proto};

use super::hello::{End, respond};
use super::outbox::{FINISH, TICK, done, shutting_down};
use super::owed_rows::OwedRows;
use super::pending::{Effect, Outcome, Pending};
use super::refuse::refusal;
use super::socket::{Event, Socket};
use super::websocket::CloseCode;
use super::{Gateway, convert};
use crate::admission::token_keys::{Kind, Rolls};
use crate::announcements::Changes;
use crate::delivery::{self, Heard, Hearing, Pushed, Wake};
use crate::server::stopped;
use crate::store::{Invitation, InvitationHash, Registration, StoreError};

/// Sign-ins and registrations that may fail on one connection.
const FAILED_SIGN_INS: u32 = 8;

/// Days from the one on which a queue's owner made an invitation until it ends: at least one whole day, at most two.
const OWN_INVITATION_DAYS: u32 = 2;

/// Most credit a connection can have.
const MOST_CREDIT: u32 = 1 << 20;

type Frames = frame::Frames<proto::ClientFrame>;

struct Session<'a> {
    gateway: &'a Arc<Gateway>,
    challenge: [u8; 32],
    pending: Pending,
    /// Set once signed in.
    inbox: Option<Box<delivery::Inbox>>,
    queue: Option<QueueId>,
    /// Set instead once it hears a bell.
    hearing: Option<Box<Hearing>>,
    failed: u32,
    owed: OwedRows,
    credit: u32,
    /// The last pushed item's key id as a field: consecutive items share it.
    key_id: Option<(KeyId, Bytes)>,
    counted: Option<SignedIn<'a>>,
    announcements: Changes,
}

/// Counts a signed-in inbox while it lives.
struct SignedIn<'a>(&'a Gateway);

impl<'a> SignedIn<'a> {
    fn new(gateway: &'a Gateway) -> Self {
        gateway.metrics.inboxes.inc();
        Self(gateway)
    }
}

impl Drop for SignedIn<'_> {
    fn drop(&mut self) {
        self.0.metrics.inboxes.dec();
    }
}

/// Runs an inbox connection to its end.
pub(super) async fn run(
    gateway: &Arc<Gateway>,
    socket: &mut Socket,
    challenge: [u8; 32],
    rolls: Rolls,
) -> End {
    let session = Session {
        gateway,
        challenge,
        pending: Pending::default(),
        inbox: None,
        queue: None,
        hearing: None,
        failed: 0,
        owed: OwedRows::none(Instant::now()),
        credit: 0,
        key_id: None,
        counted: None,
        announcements: gateway.announcements.changes(),
    };
    session.run(socket, rolls).await
}

impl Session<'_> {
    async fn run(mut self, socket: &mut Socket, mut rolls: Rolls) -> End {
        let mut stopping = self.gateway.stopping.clone();
        let mut frames: Option<Frames> = None;
        let mut pushed = Vec::new();
        let mut tick = interval_at(Instant::now() + TICK, TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let unsigned = sleep(self.gateway.stranger_timeout());
        tokio::pin!(unsigned);
        loop {
            let pause = self.owed.pause(Instant::now());
            if let Some(rest) = &mut frames {
                match self.take_frames(rest) {
                    Ok(true) => frames = None,
                    Ok(false) => {}
                    Err(end) => return end,
                }
            }
            if !socket.is_writing() {
                socket.flush();
            }
            let read = frames.is_none() && self.pending.has_room();
            let may_push = !socket.is_writing();
            tokio::select! {
                biased;
                first = self.pending.next(), if !self.pending.is_empty() && socket.has_room() => {
                    if let Some(end) = self.answer(first, socket).await { return end; }
                }
                event = socket.event(read) => match event {
                    Event::Message(message) => {
                        frames = Some(frame::client_frames(message));
                        self.gateway.store.ready().await;
                    }
                    Event::Flushed => {
                        if let Some(hearing) = &mut self.hearing {
                            hearing.told();
                        }
                    }
                    Event::Closed => return End::Gone,
                    Event::Slow => return End::Slow,
                    Event::Refused(code) => return End::Refused(code.into()),
                },
                wake = next(&mut self.inbox, self.credit, &mut pushed), if may_push => match wake {
                    Ok(Wake::Items) => self.push(&mut pushed, socket),
                    Ok(Wake::Replaced) => {
                        socket.push(ServerBody::Notice(proto::Notice {
                            body: Some(notice::Body::Replaced(proto::Replaced {})),
                        }));
                        return End::Over(CloseCode::Normal);
                    }
                    Err(error) => return End::Refused(refusal(&error)),
                },
                heard = ring(&mut self.hearing), if may_push => match heard {
                    Heard::Ring => socket.push(ServerBody::Notice(Notice::Bell.to_proto())),
                    Heard::Over => {
                        socket.push(ServerBody::Notice(Notice::Replaced.to_proto()));
                        return End::Over(CloseCode::Normal);
                    }
                },
                () = stopped(&mut stopping) => return self.shut_down(socket).await,
                () = tokio::time::sleep_until(pause.unwrap_or_else(Instant::now)), if pause.is_some() && frames.is_some() => {}
                keys = rolls.next() => {
                    socket.push(ServerBody::Notice(Notice::TokenKeysChanged(keys).to_proto()));
                },
                () = self.announcements.next(), if self.queue.is_some() => self.announce(socket),
                _ = tick.tick() => {
                    self.pending.shrink();
                    pushed.shrink_to(0);
                }
                // Whatever else it says meanwhile: it is nobody's.
                () = &mut unsigned, if self.inbox.is_none() && self.hearing.is_none() && self.pending.is_empty() => {
                    return End::Over(CloseCode::Normal);
                }
            }
        }
    }

    /// Tells what the operator announces, if there ever was anything.
    fn announce(&mut self, socket: &mut Socket) {
        if let Some(all) = self.announcements.shown(self.gateway.clock.day()) {
            socket.push(ServerBody::Notice(Notice::Announcements(all).to_proto()));
        }
    }

    fn push(&mut self, pushed: &mut Vec<Pushed>, socket: &mut Socket) {
        let mut items = 0;
        for push in pushed.drain(..) {
            match push {
                Pushed::SealKey(key) => socket.push(ServerBody::SealKey(proto::SealKey {
                    key_id: key.key_id.to_bytes(),
                    enc: key.enc.clone(),
                    sealed: key.sealed.clone(),
                    hpke_key_day: key.hpke_key_day.0,
                })),
                Pushed::Item(item) => {
                    let id = item.key.key_id;
                    let key_id = match &self.key_id {
                        Some((last, bytes)) if *last == id => bytes.clone(),
                        _ => {
                            let bytes = id.to_bytes();
                            self.key_id = Some((id, bytes.clone()));
                            bytes
                        }
                    };
                    socket.push(ServerBody::Item(proto::Item {
                        sequence: item.sequence,
                        key_id,
                        nonce: item.nonce,
                        sealed: item.sealed,
                    }));
                    items += 1;
                }
                Pushed::Ephemeral(sent) => {
                    socket.push(ServerBody::Ephemeral(proto::Ephemeral {
                        key_id: sent.key.key_id.to_bytes(),
                        nonce: sent.nonce,
                        sealed: sent.sealed,
                    }));
                }
            }
        }
        self.credit = self.credit.saturating_sub(items);
        self.gateway.metrics.items_pushed.inc_by(u64::from(items));
    }

    /// Takes frames from a message as long as there is room; true when there are no more.
    fn take_frames(&mut self, frames: &mut Frames) -> std::result::Result<bool, End> {
        while self.pending.has_room() && !self.owed.are_too_many() {
            let Some(frame) = frames.next() else {
                return Ok(true);
            };
            match frame.and_then(FromClient::parse).map_err(End::Refused)? {
                FromClient::Request { id, request } => {
                    self.gateway.metrics.requests.inc();
                    if !self.pending.is_new(id) {
                        return Err(End::Refused(Code::RequestDuplicateId.into()));
                    }
                    if let Ok(request) = &request {
                        self.owed.add(request);
                    }
                    if let Err(error) = request.and_then(|request| self.request(id, request)) {
                        self.pending.known(id, Err(error));
                    }
                }
                // Before signing in, and behind a sign-in that failed, there is nothing to count or acknowledge.
                FromClient::Credit(items) => {
                    if self.queue.is_some() {
                        self.credit = self.credit.saturating_add(items).min(MOST_CREDIT);
                    }
                }
                FromClient::EphemeralCredit(more) => {
                    if let Some(inbox) = &mut self.inbox {
                        inbox.take_ephemerals(more);
                    }
                }
                FromClient::Ack(sequence) => {
                    if let Some(queue) = self.queue {
                        self.gateway.store.ack(queue, sequence);
                    }
                }
                FromClient::Hello(_) => return Err(End::Refused(Code::FrameMalformed.into())),
            }
        }
        Ok(false)
    }

    fn request(&mut self, id: u64, request: Request) -> Result<()> {
        match request {
            Request::RegisterQueue(request) => self.register(id, request),
            Request::SignIn(request) => self.sign_in(id, request),
            Request::HearBell(secret) => self.hear(id, secret),
            Request::Ping => {
                self.pending
                    .known(id, Ok(response::Body::Done(proto::Done {})));
                Ok(())
            }
            request if request.role() == Some(Role::Inbox) => {
                let queue = self.queue.ok_or(Error::new(Code::AuthRequired))?;
                self.owner_request(id, queue, request)
            }
            _ => Err(Code::RequestWrongRole.into()),
        }
    }

    fn register(&mut self, id: u64, request: RegisterQueue) -> Result<()> {
        self.not_signed_in()?;
        let gateway = Arc::clone(self.gateway);
        let challenge = self.challenge;
        let registering = async move {
            request.verify(&gateway.pin, &challenge)?;
            if request.temporary && !gateway.temporary_rate.take(gateway.clock.monotonic()) {
                return Err(Error::retry_after(Code::RegistrationTemporary, 60));
            }
            let registration = Registration {
                queue: request.queue_id,
                signing_key: request.signing_key,
                hpke_key: request.hpke_key.as_bytes().into(),
                invitation: request
                    .invitation
                    .as_ref()
                    .map(|code| InvitationHash(sha256(code.expose()))),
                invitation_required: !gateway.registration_is_open(),
                temporary: request.temporary,
            };
            gateway
                .store
                .register(registration)
                .await
                .map_err(|error| refusal(&error))?;
            open(&gateway, request.queue_id).await
        };
        self.pending.barrier(id, 0, Box::pin(registering));
        Ok(())
    }

    fn sign_in(&mut self, id: u64, request: SignIn) -> Result<()> {
        self.not_signed_in()?;
        let gateway = Arc::clone(self.gateway);
        let challenge = self.challenge;
        let signing_in = async move {
            let record = gateway
                .store
                .queue(request.queue_id)
                .await
                .map_err(|error| refusal(&error))?;
            let record = record.ok_or(Error::new(Code::AuthQueueUnknown))?;
            request.verify(&gateway.pin, &challenge, &record.signing_key)?;
            open(&gateway, request.queue_id).await
        };
        self.pending.barrier(id, 0, Box::pin(signing_in));
        Ok(())
    }

    fn hear(&mut self, id: u64, secret: Secret<32>) -> Result<()> {
        self.not_signed_in()?;
        let gateway = Arc::clone(self.gateway);
        let hearing = async move {
            let today = gateway.clock.day();
            let hearing = Hearing::open(&gateway.store, &gateway.hub, secret.expose(), today).await;
            let hearing = hearing
                .map_err(|error| refusal(&error))?
                .ok_or(Error::new(Code::BellUnknown))?;
            Ok((
                response::Body::Done(proto::Done {}),
                Effect::Hears(Box::new(hearing)),
            ))
        };
        self.pending.barrier(id, 0, Box::pin(hearing));
        Ok(())
    }

    fn not_signed_in(&self) -> Result<()> {
        if self.queue.is_some() || self.hearing.is_some() {
            return Err(Code::AuthAlready.into());
        }
        Ok(())
    }

    fn owner_request(&mut self, id: u64, queue: QueueId, request: Request) -> Result<()> {
        let store = &self.gateway.store;
        match request {
            Request::RotateQueueKey(key) => {
                let reply = store.rotate_queue_key(queue, key.as_bytes().into());
                self.pending
                    .slow(id, 0, Box::pin(async move { done(reply.await) }));
            }
            Request::CreateAddresses(new) => {
                let reply = store.create_addresses(queue, convert::addresses(&new));
                self.pending
                    .slow(id, 0, Box::pin(async move { done(reply.await) }));
            }
            Request::RevokeAddresses(addresses) => {
                let reply = store.revoke_addresses(queue, addresses);
                self.pending
                    .slow(id, 0, Box::pin(async move { done(reply.await) }));
            }
            Request::PublishKeyPackages(request) => {
                let publish = convert::publish(request);
                let bytes = (publish.one_time.len() + 1) * limits::SEALED_KEY_PACKAGE_BYTES;
                let reply = store.publish_key_packages(queue, publish);
                let counting = async move {
                    let one_time = reply.await.map_err(|error| refusal(&error))?;
                    Ok((
                        response::Body::KeyPackageCount(proto::KeyPackageCount { one_time }),
                        Effect::None,
                    ))
                };
                self.pending.slow(id, bytes, Box::pin(counting));
            }
            Request::IssueTokens(blinded) => self.issue_tokens(id, queue, blinded),
            Request::CreateInvitation(hash) => {
                let invitation = Invitation {
                    code: InvitationHash(hash),
                    uses: 1,
                    expires_s: Some(
                        u64::from(self.gateway.clock.day().plus(OWN_INVITATION_DAYS).0) * 86_400,
                    ),
                };
                let reply = store.create_own_invitation(queue, invitation);
                self.pending
                    .slow(id, 0, Box::pin(async move { done(reply.await) }));
            }
            Request::SetBell(hash) => {
                let next = self.inbox.as_ref().map_or(0, |inbox| inbox.end());
                let today = self.gateway.clock.day();
                let setting = self
                    .gateway
                    .hub
                    .set_bell(&**store, queue, hash, next, today);
                self.pending
                    .slow(id, 0, Box::pin(async move { done(setting.await) }));
            }
            Request::DeleteQueue => {
                let reply = store.delete_queue(queue);
                let hub = Arc::clone(&self.gateway.hub);
                let deleting = async move {
                    reply.await.map_err(|error| refusal(&error))?;
                    hub.end_bell(&queue);
                    Ok((response::Body::Done(proto::Done {}), Effect::Deleted))
                };
                self.pending.barrier(id, 0, Box::pin(deleting));
            }
            _ => return Err(Code::RequestWrongRole.into()),
        }
        Ok(())
    }

    fn issue_tokens(&mut self, id: u64, queue: QueueId, blinded: Vec<[u8; 32]>) {
        let count = u32::try_from(blinded.len()).unwrap_or(u32::MAX);
        let gateway = Arc::clone(self.gateway);
        let allowance =
            gateway
                .store
                .take_token_allowance(queue, count, gateway.config.tokens.per_day);
        let issuing = async move {
            let allowance = allowance.await.map_err(|error| refusal(&error))?;
            let permit = Arc::clone(&gateway.arithmetic)
                .acquire_owned()
                .await
                .map_err(|_| Error::new(Code::ServerShuttingDown))?;
            let issuer = gateway.tokens.issuer(if allowance.temporary {
                Kind::Temporary
            } else {
                Kind::Ordinary
            });
            let issued = tokio::task::spawn_blocking(move || {
                let _permit = permit;
                issuer.evaluate(&blinded)
            })
            .await
            .map_err(|_| Error::new(Code::Internal))??;
            gateway.metrics.tokens_issued.inc_by(u64::from(count));
            Ok((Response::IssuedTokens(issued).to_proto(), Effect::None))
        };
        self.pending.slow(id, 0, Box::pin(issuing));
    }

    /// Puts an answer and those that are ready behind it into one message.
    async fn answer(&mut self, first: (u64, Outcome), socket: &mut Socket) -> Option<End> {
        let mut next = Some(first);
        while let Some((id, outcome)) = next {
            match outcome {
                Ok((body, effect)) => {
                    respond(socket, id, body);
                    match effect {
                        Effect::SignedIn(queue, inbox) => {
                            self.queue = Some(queue);
                            self.inbox = Some(inbox);
                            self.counted = Some(SignedIn::new(self.gateway));
                            socket.trust_with_large_messages();
                            self.announce(socket);
                        }
                        Effect::Hears(hearing) => self.hearing = Some(hearing),
                        Effect::Deleted => return Some(End::Over(CloseCode::Normal)),
                        Effect::None | Effect::Redeemed(_) | Effect::Visited(..) => {}
                    }
                }
                Err(error) => {
                    self.gateway.metrics.refused.inc();
                    if self.queue.is_none() && self.hearing.is_none() {
                        self.failed += 1;
                        if self.failed > FAILED_SIGN_INS {
                            return Some(End::Refused(error));
                        }
                    }
                    respond(socket, id, response::Body::Error(error.into()));
                }
            }
            if !socket.has_room() {
                break;
            }
            next = self.pending.ready().await;
        }
        None
    }

    /// Says that the server stops, reads nothing more, and answers what is on its way to the disk.
    async fn shut_down(mut self, socket: &mut Socket) -> End {
        socket.push(shutting_down());
        let finish = async {
            while !self.pending.is_empty() {
                if !socket.is_writing() {
                    socket.flush();
                }
                tokio::select! {
                    biased;
                    first = self.pending.next(), if socket.has_room() => {
                        if self.answer(first, socket).await.is_some() { return; }
                    }
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

/// Takes a queue online; the answer to a good sign-in.
async fn open(gateway: &Arc<Gateway>, queue: QueueId) -> Outcome {
    let failed = |error: StoreError| refusal(&error);
    let daily = gateway.config.tokens.per_day;
    let tokens_left = gateway
        .store
        .take_token_allowance(queue, 0, daily)
        .await
        .map_err(failed)?
        .left;
    let (position, inbox) = delivery::Inbox::open(Arc::clone(&gateway.store), &gateway.hub, queue)
        .await
        .map_err(failed)?;
    let body = response::Body::SignedIn(proto::SignedIn {
        incarnation: position.incarnation.to_bytes(),
        first_sequence: position.first_sequence,
        next_sequence: position.next_sequence,
        tokens_left,
        hpke_key_day: position.hpke_key_day.0,
    });
    Ok((body, Effect::SignedIn(queue, Box::new(inbox))))
}

async fn ring(hearing: &mut Option<Box<Hearing>>) -> Heard {
    match hearing {
        Some(hearing) => hearing.next().await,
        None => pending().await,
    }
}

async fn next(
    inbox: &mut Option<Box<delivery::Inbox>>,
    credit: u32,
    pushed: &mut Vec<Pushed>,
) -> std::result::Result<Wake, StoreError> {
    match inbox {
        Some(inbox) => inbox.next(credit, pushed).await,
        None => pending().await,
    }
}
