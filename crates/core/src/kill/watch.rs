//! Waiting on a kill queue: with the home open or locked, by what the sentinel holds and nothing else.
//!
//! A session signs in (or registers), puts on the server what belongs there, and takes what comes. It is run by the driver of an open
//! account, which knows more (invitations, free numbers), and by [`Watch`] for everything else.

use std::{path::Path, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use tokio::{sync::watch, task::JoinSet};
use undertone_wire::{
    Code, Error as WireError, auth,
    ids::{KeyPackageId, QueueId},
    origin::ServerAddress,
    request::{AddressKind, NewAddress, PublishKeyPackages, Request, SealedKeyPackage},
    response::{Item, Notice, Response, SignedIn},
    secrets::{InvitationCode, Secret},
};

use super::{
    act::{self, Farewell, Judged},
    line::Opening,
    look::watcher_of,
    section::{Pair, Post, Section, is_wiped},
};
use crate::{
    client::{ClientOptions, Clock},
    driver::Pause,
    error::{Error, Reason, Result},
    home::{
        HomeError, Owner, Wipe,
        dead_man::{self, Moment},
    },
    transport::{Connection, Push, Role, Transport},
};

/// Items that the server may push ahead.
const CREDIT: u32 = 16;
/// How often it is looked whether the queue wants another key while nothing comes.
const LOOK: Duration = Duration::from_secs(1800);
/// How often it is looked whether the home is free, or has another queue.
const FREE: Duration = Duration::from_millis(250);
const RELOAD: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// A pair of keys is used so long.
const PAIR_LIVES_S: i64 = 24 * 3600;
/// After this nothing new is sealed for an old pair.
const PAIR_NEEDED_S: i64 = 2 * 3600;
/// Pairs that are kept at most.
const PAIRS: usize = 3;

/// What is called when the home has been wiped: the process must end then, since it may hold keys in memory.
pub type OnWiped = Arc<dyn Fn() + Send + Sync>;

/// What is said when the keys of an open account's home are gone.
pub(crate) type Parting = Arc<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>;

/// The queue of an open account, which goes too if the command says so.
pub(crate) struct MainQueue {
    pub(crate) server: ServerAddress,
    pub(crate) queue: QueueId,
    pub(crate) key: Secret<32>,
}

/// How a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// There is no such queue in the sentinel any more.
    Gone,
    /// The server wants an invitation for it.
    NeedsInvitation,
    /// Another device has the slot of this number.
    Taken(u32),
    /// Another process signed in as it.
    Replaced,
    /// The server has it under other keys: this home is a copy of one that goes on elsewhere, or was.
    Foreign,
    /// The home is wiped.
    Wiped,
}

/// One kill queue.
pub(crate) struct Watcher {
    pub(crate) section: Section,
    pub(crate) queue: QueueId,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) main: Option<MainQueue>,
    /// What an open account says when its keys are gone and before the rest is.
    pub(crate) parting: Option<Parting>,
    /// Told `true` when everything that waited has been looked at.
    pub(crate) looked: watch::Sender<bool>,
    /// Told `true` when a right command has come: from then on the session must be let go on to its end.
    pub(crate) wiping: watch::Sender<bool>,
}

impl Watcher {
    /// Works on the section off the async threads.
    async fn on_section<T: Send + 'static>(
        &self,
        act: impl FnOnce(&Section) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let section = self.section.clone();
        tokio::task::spawn_blocking(move || act(&section))
            .await
            .map_err(|_| Error::Reason(Reason::Closed))?
    }

    async fn change(&self, change: impl FnOnce(&mut Post) + Send + 'static) -> Result<()> {
        let queue = self.queue;
        self.on_section(move |section| section.update_post(&queue, change))
            .await?;
        Ok(())
    }

    async fn post(&self) -> Result<Option<Post>> {
        let queue = self.queue;
        self.on_section(move |section| section.post(&queue)).await
    }

    fn now_s(&self) -> i64 {
        self.clock.now_ms() / 1000
    }

    /// One connection, from signing in to whatever ends it.
    ///
    /// # Errors
    /// The network's, the server's; `home.wiped` if somebody else wiped the home.
    pub(crate) async fn session(&self) -> Result<Step> {
        let Some(post) = self.post().await? else {
            return Ok(Step::Gone);
        };
        let server = post.server()?;
        let connection = self.transport.connect(&server, Role::Inbox).await?;
        let outcome = self.connected(post, &server, &connection).await;
        connection.close();
        outcome
    }

    async fn connected(
        &self,
        post: Post,
        server: &ServerAddress,
        connection: &Arc<dyn Connection>,
    ) -> Result<Step> {
        let signed_in = match self.sign_in(&post, server, connection).await {
            Ok(signed_in) => signed_in,
            Err(Error::Wire(WireError {
                code: Code::AuthQueueUnknown,
                ..
            })) => {
                // It ended, or the server was put back to a time before it.
                self.change(Post::begin_anew).await?;
                return Err(WireError::new(Code::ConnectionLost).into());
            }
            Err(Error::Wire(WireError {
                code: Code::AuthQueueTaken,
                ..
            })) => return Ok(Step::Foreign),
            Err(Error::Wire(WireError {
                code:
                    Code::InvitationRequired
                    | Code::InvitationUnknown
                    | Code::InvitationExpired
                    | Code::InvitationUsed,
                ..
            })) => {
                self.change(|post| post.invitation.clear()).await?;
                return Ok(Step::NeedsInvitation);
            }
            Err(error) => return Err(error),
        };
        if let Some(step) = self.put_in_place(connection).await? {
            return Ok(step);
        }
        let Some(post) = self.post().await? else {
            return Ok(Step::Gone);
        };
        let mut opening = Opening::new(self.queue, post.key_pairs()?);
        self.take(connection, &signed_in, &mut opening).await
    }

    async fn sign_in(
        &self,
        post: &Post,
        server: &ServerAddress,
        connection: &Arc<dyn Connection>,
    ) -> Result<SignedIn> {
        let (key, challenge) = (post.signing_key()?, connection.hello().challenge);
        let request = if post.registered {
            Request::SignIn(auth::sign_in(&key, &server.pin, &challenge, self.queue))
        } else {
            let newest = post.pairs.last().ok_or(Reason::StateBroken)?.keys()?;
            let invitation = (!post.invitation.is_empty())
                .then(|| InvitationCode::from_slice(&post.invitation))
                .transpose()?;
            Request::RegisterQueue(auth::register(
                &key,
                &server.pin,
                &challenge,
                self.queue,
                newest.public(),
                invitation,
            ))
        };
        let Response::SignedIn(answer) = connection.request(request).await? else {
            return Err(WireError::new(Code::ResponseMalformed).into());
        };
        if !post.registered {
            self.change(|post| {
                post.registered = true;
                post.invitation.clear();
                if let Some(newest) = post.pairs.last_mut() {
                    newest.confirmed = true;
                }
            })
            .await?;
        }
        Ok(answer)
    }

    /// Addresses and records, as the section says.
    async fn put_in_place(&self, connection: &Arc<dyn Connection>) -> Result<Option<Step>> {
        let Some(post) = self.post().await? else {
            return Ok(Some(Step::Gone));
        };
        for name in &post.revoke {
            let hash = name[..].try_into().map_err(|_| Reason::StateBroken)?;
            let request = Request::RevokeAddresses(vec![<[u8; 32]>::into(hash)]);
            match connection.request(request).await {
                // Gone is what was wanted.
                Ok(_)
                | Err(WireError {
                    code: Code::AddressUnknown,
                    ..
                }) => {}
                Err(error) => return Err(error.into()),
            }
            let gone = name.clone();
            self.change(move |post| post.revoke.retain(|name| *name != gone))
                .await?;
        }
        for place in &post.places {
            let slot = place.slot()?;
            let address = slot.address().hash();
            let secret = place.secret.clone();
            if !place.claimed {
                let request = Request::CreateAddresses(vec![NewAddress {
                    address,
                    kind: AddressKind::Contact,
                }]);
                match connection.request(request).await {
                    Ok(_) => {}
                    Err(WireError {
                        code: Code::AddressTaken,
                        ..
                    }) if place.owner => return Ok(Some(Step::Taken(place.number))),
                    Err(error) => return Err(error.into()),
                }
                let secret = secret.clone();
                self.change(move |post| {
                    for place in &mut post.places {
                        place.claimed |= place.secret == secret;
                    }
                })
                .await?;
            }
            if !place.published {
                let record = post.record(place)?.seal(&slot)?;
                let request = Request::PublishKeyPackages(PublishKeyPackages {
                    address,
                    one_time: Vec::new(),
                    last_resort: Some(SealedKeyPackage {
                        id: KeyPackageId::random(),
                        sealed: record.into(),
                    }),
                });
                connection.request(request).await?;
                let said = (place.generation.clone(), post.name.clone());
                self.change(move |post| {
                    // What was changed meanwhile is said the next time.
                    let same_name = post.name == said.1;
                    for place in &mut post.places {
                        place.published |=
                            same_name && place.secret == secret && place.generation == said.0;
                    }
                })
                .await?;
            }
        }
        Ok(None)
    }

    async fn take(
        &self,
        connection: &Arc<dyn Connection>,
        signed_in: &SignedIn,
        opening: &mut Opening,
    ) -> Result<Step> {
        let mut waits = signed_in.first_sequence < signed_in.next_sequence;
        if !waits {
            self.looked.send_replace(true);
        }
        self.renew_keys(connection, opening, !waits).await?;
        connection.credit(CREDIT).await?;
        loop {
            let push = match tokio::time::timeout(LOOK, connection.next_push()).await {
                Ok(push) => push?,
                Err(_) => {
                    self.renew_keys(connection, opening, !waits).await?;
                    continue;
                }
            };
            match push {
                Push::SealKey(key) => opening.key_came(&key),
                // No credit was given for any.
                Push::Ephemeral(_)
                | Push::Notice(
                    Notice::TokenKeysChanged(_) | Notice::Announcements(_) | Notice::Bell,
                ) => {}
                Push::Item(item) => {
                    let sequence = item.sequence;
                    if self.came(connection, opening, &item).await? {
                        return Ok(Step::Wiped);
                    }
                    connection.ack(sequence).await?;
                    connection.credit(1).await?;
                    if waits && sequence.saturating_add(1) >= signed_in.next_sequence {
                        waits = false;
                        self.looked.send_replace(true);
                    }
                }
                Push::Notice(Notice::Replaced) => return Ok(Step::Replaced),
                Push::Notice(Notice::ShuttingDown { retry_after_s }) => {
                    return Err(
                        WireError::retry_after(Code::ServerShuttingDown, retry_after_s).into(),
                    );
                }
            }
        }
    }

    /// Takes one item. Answers whether the home is wiped.
    async fn came(
        &self,
        connection: &Arc<dyn Connection>,
        opening: &Opening,
        item: &Item,
    ) -> Result<bool> {
        // What does not open is passed by: the server could as well have kept it.
        let Some(opened) = opening.open(item) else {
            return Ok(false);
        };
        let Some(post) = self.post().await? else {
            return Ok(false);
        };
        let now_s = u64::try_from(self.now_s()).unwrap_or(0);
        let judged = {
            let post = post.clone();
            self.on_section(move |section| act::judge(section, &post, &opened, now_s))
                .await?
        };
        let farewell = Farewell {
            transport: &self.transport,
            post: &post,
            inbox: connection,
            main: self.main.as_ref(),
        };
        match judged {
            Judged::Nothing => Ok(false),
            Judged::Heartbeat(at_s) => {
                // What can't be written down is not acknowledged either, and comes again.
                self.on_section(move |section| {
                    Ok(dead_man::heartbeat(section.home(), at_s, &Moment::now())?)
                })
                .await?;
                Ok(false)
            }
            Judged::Refused(found, verdict) => {
                let (place, command) = &*found;
                if let Err(error) = farewell.tell(place, command, verdict).await {
                    tracing::debug!(code = error.code(), "an answer could not be sent");
                }
                Ok(false)
            }
            Judged::Wipe(found) => {
                self.wiping.send_replace(true);
                let (place, command) = &*found;
                if let Some(part) = &self.parting {
                    let home = self.section.home().to_owned();
                    let destroyed =
                        tokio::task::spawn_blocking(move || Wipe::destroy_keys(&home)).await;
                    if matches!(destroyed, Ok(Ok(()))) {
                        part().await;
                    }
                }
                if !act::wipe(self.section.home()).await {
                    // Nothing is acknowledged, so it comes again.
                    self.wiping.send_replace(false);
                    return Err(HomeError::Io.into());
                }
                farewell.say(place, command, item.sequence).await;
                Ok(true)
            }
        }
    }

    /// A new pair every day, as every queue has; old halves are forgotten when nothing can need them.
    async fn renew_keys(
        &self,
        connection: &Arc<dyn Connection>,
        opening: &mut Opening,
        empty: bool,
    ) -> Result<()> {
        let now_s = self.now_s();
        let queue = self.queue;
        let newest = self
            .on_section(move |section| {
                section.update_post(&queue, |post| {
                    let pairs = &mut post.pairs;
                    let old = pairs.last().is_none_or(|newest| {
                        newest.confirmed && !(0..PAIR_LIVES_S).contains(&(now_s - newest.made_s))
                    });
                    if old {
                        pairs.push(Pair::new(now_s));
                    }
                    let settled = pairs.last().is_some_and(|newest| {
                        newest.confirmed && now_s - newest.made_s >= PAIR_NEEDED_S
                    });
                    let keep = if settled && empty { 1 } else { PAIRS };
                    let excess = pairs.len().saturating_sub(keep);
                    pairs.drain(..excess);
                    pairs.last().cloned()
                })
            })
            .await?
            .flatten();
        let Some(newest) = newest.filter(|newest| !newest.confirmed) else {
            return Ok(());
        };
        let pair = newest.keys()?;
        let public = pair.public().clone();
        opening.add(pair);
        connection.request(Request::RotateQueueKey(public)).await?;
        self.change(move |post| {
            for pair in &mut post.pairs {
                pair.confirmed |= pair.seed == newest.seed;
            }
        })
        .await
    }
}

/// Waits on the kill queues of a home that nobody has open: its own process keeps it locked.
pub struct Watch {
    task: tokio::task::JoinHandle<()>,
}

impl Watch {
    /// Begins to wait. While another process has the home, that one waits on the queues, and this one for the home.
    #[must_use]
    pub fn locked(home: &Path, options: &ClientOptions, on_wiped: OnWiped) -> Self {
        Self::start(home, options, None, true, on_wiped)
    }

    /// The queues that an open account does not look after itself.
    pub(crate) fn others(
        home: &Path,
        options: &ClientOptions,
        except: Option<QueueId>,
        on_wiped: OnWiped,
    ) -> Self {
        Self::start(home, options, except, false, on_wiped)
    }

    fn start(
        home: &Path,
        options: &ClientOptions,
        except: Option<QueueId>,
        locked: bool,
        on_wiped: OnWiped,
    ) -> Self {
        let task = tokio::spawn(supervise(
            Section::of(home),
            options.clone(),
            except,
            locked,
            on_wiped,
        ));
        Self { task }
    }

    /// Waits no more.
    pub async fn stop(mut self) {
        self.task.abort();
        let _ = (&mut self.task).await;
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Keeps a task for each queue.
async fn supervise(
    section: Section,
    options: ClientOptions,
    except: Option<QueueId>,
    locked: bool,
    on_wiped: OnWiped,
) {
    let mut tasks: JoinSet<(QueueId, bool)> = JoinSet::new();
    let mut running: Vec<QueueId> = Vec::new();
    loop {
        let queues = {
            let section = section.clone();
            let loaded = tokio::task::spawn_blocking(move || section.load()).await;
            loaded.ok().and_then(Result::ok).unwrap_or_default().posts
        };
        for post in queues {
            let Ok(queue) = post.queue() else { continue };
            if Some(queue) == except || running.contains(&queue) {
                continue;
            }
            let Some(watcher) = watcher_of(&section, &post, &options) else {
                continue;
            };
            running.push(queue);
            let longest = options.sending.reconnect_to;
            tasks.spawn(async move { (queue, wait_on(&watcher, locked, longest).await) });
        }
        tokio::select! {
            Some(ended) = tasks.join_next() => match ended {
                Ok((_, true)) => {
                    on_wiped();
                    return;
                }
                Ok((queue, false)) => running.retain(|known| *known != queue),
                Err(_) => return,
            },
            () = tokio::time::sleep(RELOAD) => {}
        }
    }
}

/// Waits on one queue until it is gone. Answers whether the home is wiped.
async fn wait_on(watcher: &Watcher, locked: bool, longest: Duration) -> bool {
    let mut pause = Pause::new(longest.min(LONGEST_PAUSE));
    loop {
        if locked {
            wait_until_free(watcher.section.home()).await;
        }
        let began = tokio::time::Instant::now();
        match watcher.session().await {
            Ok(Step::Wiped) => return true,
            Ok(Step::Gone) => return false,
            Ok(_) => {}
            Err(error) if is_wiped(&error) => return true,
            Err(error) => {
                tracing::debug!(code = error.code(), "a kill queue's connection ended");
            }
        }
        if began.elapsed() >= RELOAD {
            pause.reset();
        }
        tokio::time::sleep(pause.next(Duration::ZERO)).await;
    }
}

/// While another process has the home, it waits on the queues itself.
async fn wait_until_free(home: &Path) {
    loop {
        let place = home.to_owned();
        let taken = tokio::task::spawn_blocking(move || {
            matches!(Owner::acquire(&place), Err(HomeError::Owned))
        })
        .await;
        if !taken.unwrap_or(false) {
            return;
        }
        tokio::time::sleep(FREE).await;
    }
}
