//! The task that keeps an open account within reach of its kill code: brings the sentinel in line with the account, waits on the kill
//! queue, and ends the account when a command comes.
//!
//! Whenever the messages' connection is made anew, so is this one, and looked at first ([`Shared::kill_first`]): a machine that slept takes
//! no message before the command that waited for it.

use std::{
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use tokio::sync::watch;

use super::{Shared, pause::Pause};
use crate::{
    client::ClientOptions,
    error::{Error, Result},
    home::HomeError,
    kill::{
        MainQueue, OnWiped, Parting, Step, Watch, Watcher, section::Post, section::Section,
        section::is_wiped,
    },
    sync::kill::{self, Plan},
    view::{Event, LinkState},
};

/// How long what changes is let settle before it is looked at.
const SETTLE: Duration = Duration::from_millis(50);
/// How long the messages' connection, which is usually made at the same time, is waited for at the start.
const TOGETHER: Duration = Duration::from_millis(300);
/// When the server makes no invitation: how long until it is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(3600);
/// How long the server may take to be told of an invitation.
const INVITING: Duration = Duration::from_secs(5);
/// How long messages wait for the kill queue. A server that keeps that one back can keep the command back in other ways too.
const KILL_FIRST: Duration = Duration::from_secs(10);

/// What the task works with beside the account.
pub(crate) struct Kill {
    pub(crate) section: Section,
    pub(crate) options: ClientOptions,
    /// When the owner last gave the passphrase, in Unix seconds.
    pub(crate) here: watch::Sender<u64>,
    /// Whether the account's other devices have still to be told of it, as far as is known yet.
    pub(crate) telling: AtomicBool,
    /// Whether this is a decoy that its owner only visits.
    pub(crate) visited: bool,
}

/// How it stands with the kill queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reach {
    /// How often it was found that nothing waits there, that there is none, or that it can't be reached.
    pub(crate) looks: u64,
    /// There is none.
    pub(crate) none: bool,
    /// It is being put in place: soon the code works.
    pub(crate) arming: bool,
    /// A right command has come.
    pub(crate) wiping: bool,
    /// Nothing of the home is left.
    pub(crate) wiped: bool,
}

impl Shared {
    /// Has the kill queue looked at, and waits for that.
    ///
    /// # Errors
    /// `home.wiped`, once a command that waited there is carried out.
    pub(crate) async fn kill_first(&self) -> Result<()> {
        if self.kill.is_none() {
            return Ok(());
        }
        let mut reach = self.reach.subscribe();
        let before = reach.borrow_and_update().looks;
        self.kicks.send_modify(|kicks| *kicks += 1);
        let looked = reach.wait_for(|reach| reach.looks > before);
        // The sender lives as long as `self`.
        let _ = tokio::time::timeout(KILL_FIRST, looked).await;
        self.not_wiped().await
    }

    /// Waits until the kill queue was looked at once, at most `limit`. Where there is none, it waits as long for the messages' connection
    /// instead, which takes what that one would: the time says nothing of whether there is a kill code, as in a decoy there is not.
    ///
    /// # Errors
    /// `home.wiped`, once a command that waited there is carried out.
    pub(crate) async fn kill_looked(&self, limit: Duration) -> Result<()> {
        let mut reach = self.reach.subscribe();
        let mut links = self.links.subscribe();
        let looked = async {
            let looked = reach.wait_for(|reach| reach.looks > 0 || reach.wiping);
            // The senders live as long as `self`.
            if looked.await.is_ok_and(|reach| reach.none) {
                let _ = links
                    .wait_for(|links| links.inbox == LinkState::Online || links.problem.is_some())
                    .await;
            }
        };
        let _ = tokio::time::timeout(limit, looked).await;
        self.not_wiped().await
    }

    /// Whether nothing has come that wipes the home. If it has, answers when that is done.
    async fn not_wiped(&self) -> Result<()> {
        let mut reach = self.reach.subscribe();
        let done = reach.wait_for(|reach| reach.wiped || !reach.wiping).await;
        match done {
            Ok(reach) if reach.wiped => Err(HomeError::Wiped.into()),
            _ => Ok(()),
        }
    }

    fn looked(&self, arming: bool) {
        self.reach.send_modify(|reach| {
            reach.looks += 1;
            reach.arming = arming;
        });
    }

    /// Whether a kill code, or a custodian, is being put within reach.
    pub(crate) fn arming(&self, arming: bool) {
        self.reach.send_if_modified(|reach| {
            let changed = reach.arming != arming;
            reach.arming = arming;
            changed
        });
    }

    fn wiping(&self, wiping: bool) {
        self.reach.send_modify(|reach| reach.wiping = wiping);
    }

    /// Something else wipes the home, or has: it also says when the process is to end, for it may still have the server to ask.
    fn wiped_otherwise(&self) {
        self.reach.send_modify(|reach| reach.wiped = true);
        // No watcher is no fault.
        let _ = self.engine.events.send(Event::Wiped);
    }

    /// Nothing of the home is left: whoever opened it is told, and ends.
    fn wiped(&self) {
        self.wiped_otherwise();
        if let Some(kill) = &self.kill
            && let Some(on_wiped) = &kill.options.on_wiped
        {
            on_wiped();
        }
    }
}

/// Waits on the kill queue until the driver stops.
pub(super) async fn run(shared: Arc<Shared>) {
    let Some(kill) = &shared.kill else {
        return shared.looked(false);
    };
    let on_wiped: OnWiped = {
        let shared = Arc::downgrade(&shared);
        Arc::new(move || {
            if let Some(shared) = shared.upgrade() {
                shared.wiped();
            }
        })
    };
    let stopped = async {
        shared.stopped().await;
        let _ = shared.not_wiped().await;
    };
    tokio::pin!(stopped);
    loop {
        let own = shared.write(kill::queue).await.ok();
        // Queues of the other store of this home, if it has an account.
        let others = Watch::others(
            kill.section.home(),
            &kill.options,
            own,
            Arc::clone(&on_wiped),
        );
        let again = tokio::select! {
            again = own_queue(&shared, kill) => again,
            () = &mut stopped => false,
        };
        others.stop().await;
        if !again {
            return;
        }
    }
}

/// Waits on this account's queue. Answers true when it is another one from now on; ends otherwise only when there is nothing left.
async fn own_queue(shared: &Arc<Shared>, kill: &Kill) -> bool {
    let mut pause = Pause::new(shared.engine.pace.reconnect_to);
    let mut duties = shared.engine.duties.subscribe();
    let mut kicks = shared.kicks.subscribe();
    let mut tried = Vec::new();
    let mut asked: Option<tokio::time::Instant> = None;
    let _ = tokio::time::timeout(TOGETHER, kicks.changed()).await;
    loop {
        duties.mark_unchanged();
        kicks.mark_unchanged();
        let plan = match shared.write(kill::plan).await {
            Ok(Some(plan)) => plan,
            Ok(None) => {
                shared.reach.send_modify(|reach| {
                    reach.looks += 1;
                    reach.none = true;
                });
                tokio::select! {
                    _ = duties.changed() => tokio::time::sleep(SETTLE).await,
                    _ = kicks.changed() => {}
                }
                continue;
            }
            Err(_) => {
                shared.looked(false);
                tokio::time::sleep(pause.next(Duration::ZERO)).await;
                continue;
            }
        };
        let queue = plan.queue;
        match align(shared, kill, plan, tried.clone()).await {
            Ok(true) => {}
            Ok(false) => tracing::warn!("all slots of the kill code are taken"),
            Err(error) if is_wiped(&error) => {
                shared.wiped_otherwise();
                return false;
            }
            Err(error) => {
                tracing::warn!(code = error.code(), "the sentinel could not be changed");
                shared.looked(false);
                tokio::time::sleep(pause.next(Duration::ZERO)).await;
                continue;
            }
        }
        let watcher = watcher(shared, kill, queue);
        let began = tokio::time::Instant::now();
        let mut wiping = watcher.wiping.subscribe();
        // Once a command has come, nothing else ends the session.
        let moved = async {
            tokio::select! {
                // The messages' connection is made anew, or something else is asked for.
                _ = kicks.changed() => {}
                () = changed(shared, kill, &mut duties, &tried) => {}
            }
            let _ = wiping.wait_for(|wiping| !*wiping).await;
        };
        let outcome = tokio::select! {
            outcome = watcher.session() => outcome,
            () = moved => continue,
            () = follow(shared, &watcher) => return false,
        };
        if began.elapsed() >= Duration::from_secs(10) {
            pause.reset();
        }
        match outcome {
            Ok(Step::Wiped) => {
                shared.wiped();
                return false;
            }
            Ok(Step::Foreign) => {
                let section = kill.section.clone();
                let forgotten = shared
                    .engine
                    .blocking(move |_| section.forget(&queue))
                    .await;
                if forgotten.is_ok() && shared.write(kill::new_queue).await.is_ok() {
                    return true;
                }
                shared.looked(false);
            }
            Ok(Step::Taken(number)) => {
                tried.push(number);
                continue;
            }
            Ok(Step::NeedsInvitation) => {
                // Where nobody has registered nothing waits.
                let asks = asked.is_none_or(|at| at.elapsed() >= ASK_AGAIN);
                let waits = shared
                    .write(|work| Ok(kill::to_invite(work)?.is_some()))
                    .await;
                if asks && matches!(waits, Ok(false)) {
                    asked = Some(tokio::time::Instant::now());
                    let _ = shared.write(kill::want_invitation).await;
                }
                shared.looked(asks || matches!(waits, Ok(true)));
                if tokio::time::timeout(INVITING, told(shared, &mut duties, asks))
                    .await
                    .is_ok()
                {
                    continue;
                }
            }
            Ok(Step::Gone | Step::Replaced) => shared.looked(false),
            Err(error) if is_wiped(&error) => {
                shared.wiped_otherwise();
                return false;
            }
            Err(error) => {
                shared.wiping(false);
                tracing::debug!(code = error.code(), "the kill queue's connection ended");
                shared.looked(may_work_at_once(&error));
            }
        }
        tokio::select! {
            () = tokio::time::sleep(pause.next(Duration::ZERO)) => {}
            _ = kicks.changed() => {}
        }
    }
}

/// Waits until the server has been told of an invitation that was just asked for, or made none.
async fn told(shared: &Arc<Shared>, duties: &mut watch::Receiver<u64>, asked: bool) {
    if !asked {
        return std::future::pending().await;
    }
    loop {
        duties.mark_unchanged();
        let waits = shared
            .write(|work| Ok(kill::to_invite(work)?.is_some()))
            .await;
        if matches!(waits, Ok(false)) || duties.changed().await.is_err() {
            return;
        }
    }
}

fn watcher(shared: &Arc<Shared>, kill: &Kill, queue: undertone_wire::ids::QueueId) -> Watcher {
    let me = &shared.engine.me;
    let parted = Arc::downgrade(shared);
    let parting: Parting = Arc::new(move || {
        let shared = parted.upgrade();
        Box::pin(async move {
            if let Some(shared) = shared {
                shared.part().await;
            }
        })
    });
    Watcher {
        section: kill.section.clone(),
        queue,
        transport: Arc::clone(&shared.transport),
        clock: Arc::clone(&shared.engine.clock),
        main: Some(MainQueue {
            server: me.server.clone(),
            queue: me.queue,
            key: me.queue_key.duplicate(),
        }),
        parting: Some(parting),
        looked: watch::channel(false).0,
        wiping: watch::channel(false).0,
    }
}

fn may_work_at_once(error: &Error) -> bool {
    matches!(error, Error::Wire(error) if error.class == undertone_wire::Class::RetryNow)
}

/// Brings the sentinel in line with the account. Answers false if no slot is free.
async fn align(shared: &Arc<Shared>, kill: &Kill, plan: Plan, tried: Vec<u32>) -> Result<bool> {
    let section = kill.section.clone();
    let now_s = shared.engine.clock.now_ms() / 1000;
    shared
        .engine
        .blocking(move |_| section.update(|state| plan.apply(state, &tried, now_s))?)
        .await
}

/// When everything is in its place and was looked at, tells the others, and whoever waits. Never ends.
async fn follow(shared: &Arc<Shared>, watcher: &Watcher) {
    let mut looked = watcher.looked.subscribe();
    let (section, queue) = (watcher.section.clone(), watcher.queue);
    let read = |section: Section| shared.engine.blocking(move |_| section.post(&queue));
    let armed = |post: &Post| post.is_armed();
    let before = read(section.clone()).await;
    shared.arming(!matches!(&before, Ok(Some(post)) if armed(post)));
    let mut wiping = watcher.wiping.subscribe();
    // Both senders live as long as the watcher.
    let began = tokio::select! {
        _ = looked.wait_for(|looked| *looked) => false,
        _ = wiping.wait_for(|wiping| *wiping) => true,
    };
    if began {
        shared.wiping(true);
        return std::future::pending().await;
    }
    if let Ok(Some(post)) = read(section).await
        && armed(&post)
        && let Err(error) = shared
            .write(move |work| kill::tell_place(work, &post))
            .await
    {
        tracing::debug!(
            code = error.code(),
            "a place of the kill code was not told of"
        );
    }
    shared.looked(false);
    if wiping.wait_for(|wiping| *wiping).await.is_ok() {
        shared.wiping(true);
    }
    std::future::pending().await
}

/// Resolves when the account asks for something that the sentinel does not have.
async fn changed(
    shared: &Arc<Shared>,
    kill: &Kill,
    duties: &mut watch::Receiver<u64>,
    tried: &[u32],
) {
    loop {
        if duties.changed().await.is_err() {
            return std::future::pending().await;
        }
        tokio::time::sleep(SETTLE).await;
        let Ok(Some(plan)) = shared.write(kill::plan).await else {
            continue;
        };
        let (section, tried) = (kill.section.clone(), tried.to_vec());
        let now_s = shared.engine.clock.now_ms() / 1000;
        let differs = shared
            .engine
            .blocking(move |_| {
                let before = section.load()?;
                let mut state = before.clone();
                plan.apply(&mut state, &tried, now_s)?;
                Ok(state.wants_other_than(&before))
            })
            .await;
        if differs.unwrap_or(false) {
            return;
        }
    }
}
