//! The thin layer that joins the protocol's logic with a network: two connections, each a task, and a task for each transfer.
//!
//! A task reads what is to be done from the store, does it, and writes down what came of it; nothing else is remembered. What
//! must stay true: no task outlives [`Driver::stop`]; every queue is bounded; a lost connection is only ever a pause.

mod again;
mod alarm;
mod blobs;
mod elsewhere;
mod ephemeral;
mod heartbeat;
mod history;
mod inbox;
mod kill;
mod opening;
mod outbox;
mod parting;
mod pause;
mod stall;
mod timers;
mod transfers;

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{sync::watch, task::JoinSet};

pub(crate) use blobs::Blobs;
pub(crate) use kill::{Kill, Reach};
pub(crate) use pause::Pause;

use crate::{
    attachments::Attachments,
    bell::Bell,
    error::{Problem, Result},
    sync::{Engine, Work, duty, outbox as outbox_rows, tokens},
    transport::Transport,
    view::{Event, LinkState, Settled, Status},
};

/// How the connections are doing.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Links {
    pub(crate) inbox: LinkState,
    pub(crate) outbox: LinkState,
    /// The queue has been empty since this connection was signed in.
    pub(crate) drained: bool,
    /// Attempts that failed in a row because the server was not there, or refused.
    pub(crate) failures: u32,
    pub(crate) problem: Option<Problem>,
}

/// What the tasks share.
pub(crate) struct Shared {
    pub(crate) engine: Arc<Engine>,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) attachments: Attachments,
    pub(crate) links: watch::Sender<Links>,
    pub(crate) ephemerals: ephemeral::Ephemerals,
    /// None for a home in the making.
    pub(crate) kill: Option<Kill>,
    pub(crate) reach: watch::Sender<Reach>,
    /// Counts the times that the kill queue is to be looked at.
    pub(crate) kicks: watch::Sender<u64>,
    pub(crate) others: elsewhere::OtherServers,
    /// The largest blob that the server takes, as it said last; 0: it has not said yet.
    pub(crate) blob_bytes: AtomicU64,
    pub(crate) bell: Bell,
    stop: watch::Sender<bool>,
}

impl Shared {
    /// Runs one event off the async threads.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        event: impl FnOnce(&Work<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.engine
            .blocking(move |engine| engine.write(event))
            .await
    }

    /// Changes how the connections are shown, and tells watchers if that is news.
    fn show(&self, change: impl FnOnce(&mut Links)) {
        let mut news = None;
        self.links.send_if_modified(|links| {
            let before = links.clone();
            change(links);
            if *links == before {
                return false;
            }
            if (links.inbox, links.outbox, &links.problem)
                != (before.inbox, before.outbox, &before.problem)
            {
                news = Some(links.clone());
            }
            true
        });
        if let Some(links) = news {
            // No watcher is no fault.
            let _ = self.engine.events.send(Event::Connection {
                inbox: links.inbox,
                outbox: links.outbox,
                problem: links.problem,
            });
        }
    }

    /// Resolves when the driver is to stop.
    async fn stopped(&self) {
        let mut stop = self.stop.subscribe();
        // The sender lives as long as `self`.
        let _ = stop.wait_for(|stop| *stop).await;
    }
}

/// The tasks.
pub(crate) struct Driver {
    pub(crate) shared: Arc<Shared>,
    tasks: Mutex<Option<JoinSet<()>>>,
}

impl Driver {
    pub(crate) fn new(
        engine: Arc<Engine>,
        transport: Arc<dyn Transport>,
        attachments: Attachments,
        kill: Option<Kill>,
    ) -> Self {
        Self {
            shared: Arc::new(Shared {
                engine,
                transport,
                attachments,
                links: watch::channel(Links {
                    inbox: LinkState::Offline,
                    outbox: LinkState::Offline,
                    drained: false,
                    failures: 0,
                    problem: None,
                })
                .0,
                ephemerals: ephemeral::Ephemerals::default(),
                kill,
                reach: watch::channel(Reach::default()).0,
                kicks: watch::channel(0).0,
                others: elsewhere::OtherServers::default(),
                blob_bytes: AtomicU64::new(0),
                bell: Bell::new(),
                stop: watch::channel(false).0,
            }),
            tasks: Mutex::new(None),
        }
    }

    /// Starts the tasks, if they do not run.
    pub(crate) fn start(&self) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        if tasks.is_some() {
            return;
        }
        self.shared.stop.send_replace(false);
        let mut set = JoinSet::new();
        self.shared.reach.send_replace(Reach::default());
        set.spawn(kill::run(Arc::clone(&self.shared)));
        set.spawn(inbox::run(Arc::clone(&self.shared)));
        set.spawn(outbox::run(Arc::clone(&self.shared)));
        set.spawn(timers::run(Arc::clone(&self.shared)));
        set.spawn(heartbeat::run(Arc::clone(&self.shared)));
        set.spawn(history::run(Arc::clone(&self.shared)));
        set.spawn(alarm::run(Arc::clone(&self.shared)));
        *tasks = Some(set);
    }

    /// Whether the tasks run.
    pub(crate) fn runs(&self) -> bool {
        self.tasks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_some()
    }

    /// Stops the tasks and waits for them.
    pub(crate) async fn stop(&self) {
        self.shared.stop.send_replace(true);
        let tasks = self
            .tasks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(mut tasks) = tasks {
            while tasks.join_next().await.is_some() {}
        }
        self.shared.show(|links| {
            links.inbox = LinkState::Offline;
            links.outbox = LinkState::Offline;
            links.drained = false;
        });
    }

    /// Waits until everything that can be done is done: the inbox empty, the outbox accepted and its copies back. Returns early when
    /// the server can't be reached.
    pub(crate) async fn settle(&self, limit: Duration) -> Result<Settled> {
        self.start();
        // The clock may have gone on more than the timers that the tasks sleep by: what is due is looked for now.
        self.shared.engine.duties.send_modify(|count| *count += 1);
        let deadline = tokio::time::Instant::now() + limit;
        let mut calm = 0;
        loop {
            let links = self.shared.links.borrow().clone();
            let online = links.inbox == LinkState::Online;
            let left = |engine: &Engine| {
                engine.read(|snapshot| outbox_rows::waiting(snapshot.connection()))
            };
            if !online && links.failures > 0 && links.problem.is_some() {
                return Ok(Settled {
                    online: false,
                    outbox_left: left(&self.shared.engine)?,
                    problem: links.problem,
                });
            }
            let arming = self.shared.reach.borrow().arming;
            let kill = self.shared.kill.as_ref();
            let telling = kill.is_some_and(|kill| kill.telling.load(Ordering::Relaxed));
            let busy = !online
                || !links.drained
                || arming
                || telling
                || self.shared.write(duty::unsettled).await?;
            // What comes in may lead to something to do; a moment of calm shows that it did not.
            calm = if busy { 0 } else { calm + 1 };
            if calm >= 3 || tokio::time::Instant::now() >= deadline {
                return Ok(Settled {
                    online,
                    outbox_left: left(&self.shared.engine)?,
                    problem: links.problem,
                });
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Whether the queue is being read, and was empty since the connection was signed in.
    #[cfg(debug_assertions)]
    pub(crate) fn is_drained(&self) -> bool {
        let links = self.shared.links.borrow();
        links.inbox == LinkState::Online && links.drained
    }

    /// How it stands with the server.
    pub(crate) fn status(&self) -> Result<Status> {
        let links = self.shared.links.borrow().clone();
        let engine = &self.shared.engine;
        engine.read(|snapshot| {
            let db = snapshot.connection();
            let (clock_off_s, drained_at, proxy): (i64, i64, String) = db.query_row(
                "SELECT clock_off_s, drained_at_ms, proxy FROM server WHERE id = 1",
                [],
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
            )?;
            Ok(Status {
                inbox: links.inbox,
                outbox: links.outbox,
                outbox_waiting: outbox_rows::waiting(db)?,
                tokens: tokens::count(db)?,
                clock_off_s,
                clock_warning: inbox::clock_is_off(clock_off_s),
                problem: links.problem.clone(),
                server: engine.me.server.origin.to_string(),
                proxy: (!proxy.is_empty()).then_some(proxy),
                last_sync_ms: (drained_at > 0).then_some(drained_at),
            })
        })
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // The tasks end by themselves; dropping the set aborts those that wait.
        self.shared.stop.send_replace(true);
    }
}

/// Registers the queue, once, for a home in the making.
pub(crate) async fn register(driver: &Driver) -> Result<()> {
    inbox::register(&driver.shared).await
}
