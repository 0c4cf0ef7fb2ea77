//! The receiving connection: signs in, looks after addresses, key packages, tokens and keys, and takes items out of the queue.

use std::{
    collections::HashMap,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use ed25519_dalek::SigningKey;
use futures_util::FutureExt as _;
use undertone_wire::{
    Code, Error as WireError, auth,
    request::Request,
    response::{Notice, QueueItem, Response, ServerHello, SignedIn},
    secrets::InvitationCode,
    tokens::PendingTokens,
};

use super::{Shared, opening::Opening, pause::Pause};
use crate::{
    error::{Error, Reason, Result},
    sync::{
        account, address, announcement, change::Change, commit, duty, inbox, keys, kill, linking,
        outbox, pool, tokens, typing,
    },
    transport::{Connection, Push, Role},
    view::LinkState,
};

/// Items that the server may push ahead.
const CREDIT: u32 = 64;
/// What is never stored that the server may push ahead.
const EPHEMERALS: u32 = 16;
/// Items of one transaction.
const BATCH: usize = 64;
/// How often key packages are published anew on one connection because the server says that their address is gone.
const RENAMED_AWAY: u32 = 4;
/// A connection that lived so long, or brought something, was a good one.
const LIVED: Duration = Duration::from_secs(10);
/// The server's clock may be so far off before somebody is told.
const CLOCK_S: i64 = 3600;
/// How often keys are looked at on a connection that lives long.
const LOOK: Duration = Duration::from_secs(1800);

/// Whether a difference of clocks is worth a warning.
pub(super) fn clock_is_off(off_s: i64) -> bool {
    off_s.abs() > CLOCK_S
}

/// Connects again and again until the driver stops.
pub(super) async fn run(shared: Arc<Shared>) {
    let mut pause = Pause::new(shared.engine.pace.reconnect_to);
    let mut damaged = HashMap::new();
    loop {
        if is_removed(&shared).await {
            // There is nothing to receive any more.
            shared.show(|links| {
                links.inbox = LinkState::Offline;
                links.problem = Some(Error::from(Reason::DeviceRemoved).problem());
                links.failures = links.failures.saturating_add(1);
            });
            return;
        }
        shared.show(|links| links.inbox = LinkState::Connecting);
        let began = tokio::time::Instant::now();
        let outcome = tokio::select! {
            outcome = session(&shared, &mut pause, &mut damaged) => outcome,
            () = shared.stopped() => return,
        };
        if began.elapsed() >= LIVED {
            pause.reset();
        }
        let hint = match &outcome {
            Err(Error::Wire(error)) => Duration::from_secs(u64::from(error.retry_after_s)),
            _ => Duration::ZERO,
        };
        if let Err(error) = outcome {
            tracing::debug!(code = error.code(), "inbox connection ended");
            let broke = matches!(
                &error,
                Error::Wire(WireError {
                    code: Code::ConnectionLost | Code::ConnectionTimeout | Code::ItemMalformed,
                    ..
                })
            );
            shared.show(|links| {
                links.inbox = LinkState::Connecting;
                links.drained = false;
                // A connection that broke says nothing about the next one.
                if !broke {
                    links.failures = links.failures.saturating_add(1);
                }
                links.problem = Some(error.problem());
            });
        }
        tokio::select! {
            () = tokio::time::sleep(pause.next(hint)) => {}
            () = shared.stopped() => return,
        }
    }
}

async fn is_removed(shared: &Arc<Shared>) -> bool {
    let removed = shared.write(|work| account::is_removed(work.db)).await;
    removed.unwrap_or(false)
}

async fn session(
    shared: &Arc<Shared>,
    pause: &mut Pause,
    damaged: &mut HashMap<u64, u32>,
) -> Result<()> {
    // A command to wipe comes before anything that could be shown.
    shared.kill_first().await?;
    let connection = shared
        .transport
        .connect(&shared.engine.me.server, Role::Inbox)
        .await?;
    let outcome = signed_in_session(shared, &connection, pause, damaged).await;
    connection.close();
    outcome
}

async fn signed_in_session(
    shared: &Arc<Shared>,
    connection: &Arc<dyn Connection>,
    pause: &mut Pause,
    damaged: &mut HashMap<u64, u32>,
) -> Result<()> {
    let signed_in_ms = shared.engine.clock.now_ms();
    let signed_in = sign_in(shared, connection).await?;
    let (pairs, retired) = shared
        .write(|work| Ok((keys::all(work)?, keys::retired(work)?)))
        .await?;
    let session = Session {
        next_sequence: signed_in.next_sequence,
        signed_in_ms,
        retired,
    };
    let mut opening = Opening {
        pairs,
        keys: HashMap::new(),
        damaged,
    };
    connection.credit(CREDIT).await?;
    connection.ephemeral_credit(EPHEMERALS).await?;
    // Subscribed before the first look, so that nothing falls between.
    let mut duties = shared.engine.duties.subscribe();
    shared.show(|links| {
        links.inbox = LinkState::Online;
        links.failures = 0;
        links.problem = None;
    });
    if shared.kill.as_ref().is_some_and(|kill| kill.options.bell) {
        shared.bell.set(connection).await?;
    }
    drained(shared, &session).await?;
    let mut look = tokio::time::interval(LOOK);
    let mut renamed_away = 0;
    loop {
        loop {
            let publish = renamed_away < RENAMED_AWAY;
            let Some(duty) = shared.write(move |work| duty::inbox(work, publish)).await? else {
                break;
            };
            match perform(shared, connection, duty).await? {
                Performed::Done => {}
                Performed::RenamedAway => renamed_away += 1,
                Performed::NotNow => break,
            }
        }
        tokio::select! {
            push = connection.next_push() => {
                let mut pushes = vec![push?];
                while pushes.len() < BATCH
                    && let Some(push) = connection.next_push().now_or_never()
                {
                    pushes.push(push?);
                }
                let items = take(shared, connection, &mut opening, pushes).await?;
                if is_removed(shared).await {
                    // What lies in the queue is for a device that the account does not have any more.
                    let _ = connection.request(Request::DeleteQueue).await;
                    return Err(Reason::DeviceRemoved.into());
                }
                if items > 0 {
                    pause.reset();
                    connection.credit(items).await?;
                    drained(shared, &session).await?;
                }
            }
            changed = duties.changed() => {
                if changed.is_err() {
                    return Ok(());
                }
            }
            _ = look.tick() => {
                if shared.write(|work| Ok(keys::next_due(work)?.is_some_and(|at| at <= work.now_ms))).await? {
                    // Signing in anew tells whether the queue was empty, and with that what can be forgotten.
                    return Ok(());
                }
            }
        }
    }
}

async fn sign_in(shared: &Arc<Shared>, connection: &Arc<dyn Connection>) -> Result<SignedIn> {
    let hello = connection.hello().clone();
    shared
        .blob_bytes
        .store(hello.limits.blob_bytes, Ordering::Relaxed);
    let (registered, invitation, pair) = shared
        .write(move |work| {
            tokens::shown_to_inbox(work, &hello.token_keys)?;
            note_clock(work, &hello)?;
            let state = account::queue_state(work.db)?;
            let pair = if state.registered {
                None
            } else {
                Some(keys::newest(work)?)
            };
            Ok((state.registered, state.invitation, pair))
        })
        .await?;
    let me = &shared.engine.me;
    let key = SigningKey::from_bytes(me.queue_key.expose());
    let hello = connection.hello();
    let request = match (&pair, registered) {
        (Some(pair), false) => Request::RegisterQueue(auth::register(
            &key,
            &me.server.pin,
            &hello.challenge,
            me.queue,
            pair.public(),
            (!invitation.is_empty())
                .then(|| InvitationCode::from_slice(&invitation))
                .transpose()?,
        )),
        _ => Request::SignIn(auth::sign_in(
            &key,
            &me.server.pin,
            &hello.challenge,
            me.queue,
        )),
    };
    let Response::SignedIn(answer) = connection.request(request).await? else {
        return Err(WireError::new(Code::ResponseMalformed).into());
    };
    shared
        .write(move |work| {
            if !registered {
                account::set_registered(work.db)?;
                keys::confirmed(work)?;
            }
            inbox::signed_in(work, &answer)?;
            work.wake();
            Ok(())
        })
        .await?;
    Ok(answer)
}

/// What is known of the queue since it was signed in.
struct Session {
    next_sequence: u64,
    signed_in_ms: i64,
    /// Key pairs that were retired before.
    retired: Vec<i64>,
}

fn note_clock(work: &crate::sync::Work<'_>, hello: &ServerHello) -> Result<()> {
    let theirs = i64::try_from(hello.time_s).unwrap_or(i64::MAX);
    let off = theirs.saturating_sub(work.now_ms / 1000);
    account::set_clock_off(work.db, off)?;
    if clock_is_off(off) {
        work.tell(Change::Clock(off));
    }
    Ok(())
}

/// Notes it if everything that was in the queue when this connection was signed in has been taken.
async fn drained(shared: &Arc<Shared>, session: &Session) -> Result<()> {
    if shared.links.borrow().drained {
        return Ok(());
    }
    let (next, signed_in_ms) = (session.next_sequence, session.signed_in_ms);
    let retired = session.retired.clone();
    let empty = shared
        .write(move |work| {
            let empty = inbox::position(work)? + 1 >= next;
            if empty {
                account::set_drained(work.db, work.now_ms)?;
                keys::queue_is_empty(work, &retired)?;
                outbox::copies_lost(work, signed_in_ms)?;
                commit::copies_lost(work, signed_in_ms)?;
                work.wake();
            }
            Ok(empty)
        })
        .await?;
    if empty {
        shared.show(|links| links.drained = true);
    }
    Ok(())
}

/// What came of a duty.
enum Performed {
    Done,
    /// The server does not know the address of a pool: it is told of it again.
    RenamedAway,
    /// It can't be done now, and the rest has to wait too.
    NotNow,
}

/// Does one thing.
async fn perform(
    shared: &Arc<Shared>,
    connection: &Arc<dyn Connection>,
    duty: duty::Inbox,
) -> Result<Performed> {
    match duty {
        duty::Inbox::CreateAddresses(told) => {
            return create_addresses(shared, connection, told)
                .await
                .map(|()| Performed::Done);
        }
        duty::Inbox::RevokeAddresses(told) => {
            let hashes = told.iter().map(|(_, hash, _)| (*hash).into()).collect();
            match connection.request(Request::RevokeAddresses(hashes)).await {
                // Gone is what was wanted.
                Ok(_)
                | Err(WireError {
                    code: Code::AddressUnknown,
                    ..
                }) => {}
                Err(error) => return Err(error.into()),
            }
            shared
                .write(move |work| address::revoked(work, &told))
                .await?;
        }
        duty::Inbox::Publish(publication) => {
            let request = Request::PublishKeyPackages(duty::publish(&publication));
            let held = match connection.request(request).await {
                Ok(Response::KeyPackageCount(held)) => held,
                Ok(_) => return Err(WireError::new(Code::ResponseMalformed).into()),
                // The pool is full: what is there will do.
                Err(WireError {
                    code: Code::QuotaKeyPackages,
                    ..
                }) => u32::MAX / 2,
                // Somebody renamed it away: it is made anew, and then this.
                Err(WireError {
                    code: Code::AddressUnknown,
                    ..
                }) => {
                    let pool = publication.pool;
                    shared
                        .write(move |work| address::assert(work, pool))
                        .await?;
                    return Ok(Performed::RenamedAway);
                }
                Err(error) => return Err(error.into()),
            };
            shared
                .write(move |work| pool::published(work, &publication, held))
                .await?;
        }
        duty::Inbox::RotateKey(pair) => {
            connection
                .request(Request::RotateQueueKey(pair.public().clone()))
                .await?;
            shared.write(keys::confirmed).await?;
        }
        duty::Inbox::Invite(hash) => {
            match connection.request(Request::CreateInvitation(hash)).await {
                Ok(_) => shared.write(linking::invited).await?,
                Err(WireError {
                    code: Code::QuotaInvitations | Code::RequestUnknown,
                    ..
                }) => shared.write(linking::not_invited).await?,
                Err(error) => return Err(error.into()),
            }
        }
        duty::Inbox::InviteKillQueue(hash) => {
            match connection.request(Request::CreateInvitation(hash)).await {
                Ok(_) => shared.write(kill::invited).await?,
                Err(WireError {
                    code: Code::QuotaInvitations | Code::RequestUnknown,
                    ..
                }) => shared.write(kill::not_invited).await?,
                Err(error) => return Err(error.into()),
            }
        }
        duty::Inbox::IssueTokens(count) => {
            return Ok(if issue(shared, connection, count).await? {
                Performed::Done
            } else {
                Performed::NotNow
            });
        }
    }
    Ok(Performed::Done)
}

/// Tells the server of addresses: all at once, and if it refuses that, one by one, so that one that it will not have does not stop
/// this connection, and with it everything that comes in.
async fn create_addresses(
    shared: &Arc<Shared>,
    connection: &Arc<dyn Connection>,
    told: Vec<(i64, [u8; 32], i32)>,
) -> Result<()> {
    let request = |told: &[_]| Request::CreateAddresses(duty::new_addresses(told));
    let refused =
        |error: &WireError| matches!(error.code, Code::AddressTaken | Code::QuotaAddresses);
    match connection.request(request(&told)).await {
        Ok(_) => return shared.write(move |work| address::made(work, &told)).await,
        Err(error) if !refused(&error) => return Err(error.into()),
        Err(_) => {}
    }
    for one in told {
        match connection.request(request(&[one])).await {
            Ok(_) => {
                shared
                    .write(move |work| address::made(work, &[one]))
                    .await?
            }
            Err(error) if refused(&error) => {
                tracing::debug!(code = error.code.as_str(), "an address was refused");
                let taken = error.code == Code::AddressTaken;
                shared
                    .write(move |work| address::refused(work, one.0, taken))
                    .await?;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

async fn issue(shared: &Arc<Shared>, connection: &Arc<dyn Connection>, count: u32) -> Result<bool> {
    let pending = PendingTokens::blind(usize::try_from(count).unwrap_or(1).clamp(1, 100))?;
    let request = Request::IssueTokens(pending.blinded().to_vec());
    match connection.request(request).await {
        Ok(Response::IssuedTokens(issued)) => {
            let id = issued.key_id;
            let key = shared
                .write(move |work| tokens::issuing_key(work, id))
                .await?
                .ok_or_else(|| WireError::new(Code::TokenKeysDiffer))?;
            let fresh = pending.finalize(&key, &issued)?;
            shared.write(move |work| tokens::put(work, &fresh)).await?;
            Ok(true)
        }
        Ok(_) => Err(WireError::new(Code::ResponseMalformed).into()),
        // Today's are used up. What is in the wallet has to do.
        Err(WireError {
            code: Code::QuotaTokens,
            ..
        }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Takes what was pushed. Answers how many items there were.
async fn take(
    shared: &Arc<Shared>,
    connection: &Arc<dyn Connection>,
    opening: &mut Opening<'_>,
    pushes: Vec<Push>,
) -> Result<u32> {
    let mut items = Vec::new();
    let mut ephemerals = Vec::new();
    let mut trouble = None;
    for push in pushes {
        match push {
            Push::Ephemeral(sent) => ephemerals.push(opening.open_ephemeral(shared, &sent)),
            Push::SealKey(key) => {
                if !opening.key_came(shared, &key) {
                    // The pair may have been replaced since this connection was signed in.
                    opening.pairs = shared.write(keys::all).await?;
                    opening.key_came(shared, &key);
                }
            }
            Push::Item(item) => match opening.open(shared, &item) {
                Ok(opened) => items.push((item.sequence, opened)),
                Err(error) => {
                    trouble = Some(error);
                    break;
                }
            },
            Push::Notice(Notice::TokenKeysChanged(keys)) => {
                shared
                    .write(move |work| tokens::shown_to_inbox(work, &keys))
                    .await?;
            }
            Push::Notice(Notice::Announcements(all)) => {
                shared
                    .write(move |work| announcement::told(work, &all))
                    .await?;
            }
            // Nothing was asked for that it could be about.
            Push::Notice(Notice::Bell) => {}
            Push::Notice(Notice::Replaced) => {
                trouble = Some(WireError::new(Code::AuthReplaced).into());
                break;
            }
            Push::Notice(Notice::ShuttingDown { retry_after_s }) => {
                trouble =
                    Some(WireError::retry_after(Code::ServerShuttingDown, retry_after_s).into());
                break;
            }
        }
    }
    let count = u32::try_from(items.len()).unwrap_or(u32::MAX);
    if let Some((last, _)) = items.last() {
        let last = *last;
        store(shared, items).await?;
        connection.ack(last).await?;
    }
    if !ephemerals.is_empty() {
        let taken = u32::try_from(ephemerals.len()).unwrap_or(u32::MAX);
        for item in ephemerals.into_iter().flatten() {
            let told = shared.write(move |work| typing::came(work, &item)).await;
            if let Err(error) = told {
                tracing::debug!(
                    code = error.code(),
                    "something for a moment was passed over"
                );
            }
        }
        connection.ephemeral_credit(taken).await?;
    }
    match trouble {
        Some(error) => Err(error),
        None => Ok(count),
    }
}

/// Stores the effects of a batch; if that fails, of each item by itself, so that one bad item does not hold up the others.
async fn store(shared: &Arc<Shared>, items: Vec<(u64, Option<QueueItem>)>) -> Result<()> {
    let batch = items.clone();
    let together = shared
        .write(move |work| {
            for (sequence, item) in &batch {
                inbox::take(work, *sequence, item.as_ref())?;
            }
            Ok(())
        })
        .await;
    if together.is_ok() {
        return Ok(());
    }
    for (sequence, item) in items {
        let one = item.clone();
        let alone = shared
            .write(move |work| inbox::take(work, sequence, one.as_ref()))
            .await;
        match alone {
            Ok(()) => {}
            // It waits in the queue until the machine is well again.
            Err(error) if error.is_of_the_machine() => return Err(error),
            Err(error) => {
                shared
                    .write(move |work| inbox::pass_over(work, sequence, item.as_ref(), &error))
                    .await?;
            }
        }
    }
    Ok(())
}

/// Registers the queue and closes.
pub(super) async fn register(shared: &Arc<Shared>) -> Result<()> {
    let connection = shared
        .transport
        .connect(&shared.engine.me.server, Role::Inbox)
        .await?;
    let outcome = sign_in(shared, &connection).await;
    connection.close();
    outcome.map(|_| ())
}
