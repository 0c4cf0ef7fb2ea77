//! The client as the command line, the RPC and tests use it.
//!
//! [`Client`] is a handle: the truth is in the store, the work is done by the driver's tasks. Each file here holds the calls of
//! one subject. What must stay true: a call that changes something has changed the store before it returns, so that a crash
//! right after it loses nothing.

mod actions;
mod announcements;
mod backup;
mod chats;
mod cleaning;
mod contacts;
mod events;
mod files;
mod groups;
mod invites;
mod kill;
mod life;
mod linking;
mod messages;
mod options;
mod profile;
mod protection;
mod proxy;
mod requests;
mod settings;
mod streams;
mod transfers;

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

pub use events::EventStream;
pub use kill::KillWords;
pub(crate) use life::transport;
pub use linking::{LinkServer, Linking};
pub use options::{
    ClientOptions, Clock, ProxyChoice, RecoveryPhrase, SendingPace, ServerChoice, SocksProxy,
    SystemClock,
};
pub use profile::ProfileChange;
pub use protection::{
    DecoyAccount, DuressSet, Ending, NewDuress, Protection, ProtectionChange, Wiped,
};
pub use streams::{Arriving, Film, Recording, TakenFile};

use crate::{
    attachments::Attachments,
    driver::Driver,
    error::Result,
    home::Home,
    store::Snapshot,
    sync::{Engine, Work},
};

/// An open account. Cheap to clone; the last one dropped stops its tasks.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    engine: Arc<Engine>,
    attachments: Attachments,
    driver: Driver,
    /// Kept open, so that nobody else opens it. The lock is held for a moment only: who works on the home has a share of it.
    home: Mutex<Option<Arc<Home>>>,
    /// The home's folder, for who must not wait for anything.
    folder: PathBuf,
    /// Held by who changes how the home opens, which may take long: the keyring may have to ask its owner.
    opening: tokio::sync::Mutex<()>,
    /// Held while a message is put into the outbox, so that the order of calls is the order of messages.
    turn: tokio::sync::Mutex<()>,
    typed: Typed,
    /// How the process that has the account open is to end it, once somebody asked.
    ending: tokio::sync::watch::Sender<Option<Ending>>,
    /// What a wipe did; held while one is under way.
    wiped: tokio::sync::Mutex<Option<Wiped>>,
    /// The backup that is being made.
    backup: Mutex<Option<crate::backup::Control>>,
    /// Whether nothing lies about any more of an account that the duress passphrase destroyed; None while that is seen to.
    cleaned: tokio::sync::watch::Sender<Option<bool>>,
}

/// When it was last told in a chat (conversations.id) that this account is writing.
#[derive(Default)]
struct Typed(Mutex<HashMap<i64, Instant>>);

impl Typed {
    /// Whether it is time; if so, the next time is `every` later.
    fn may(&self, conversation: i64, every: Duration) -> bool {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.retain(|_, at| at.elapsed() < every);
        let may = !told.contains_key(&conversation);
        if may {
            told.insert(conversation, Instant::now());
        }
        may
    }
}

impl Client {
    /// From now on each commit that changes something asks this first, and fails if it says no: a crash at a chosen moment.
    /// Only debug builds have it.
    #[cfg(debug_assertions)]
    pub fn ask_before_commits_for_tests(&self, hook: impl Fn() -> bool + Send + Sync + 'static) {
        self.inner.engine.database.set_commit_hook(Arc::new(hook));
    }

    /// What this device has still to do by itself, now or later, a word for each kind: nothing if it is on-line and has emptied its queue too.
    /// Only debug builds have it.
    ///
    /// # Errors
    /// `store.*`.
    #[cfg(debug_assertions)]
    pub async fn what_is_left_for_tests(&self) -> Result<Vec<String>> {
        if !self.inner.driver.is_drained() {
            return Ok(vec!["queue".to_owned()]);
        }
        self.write(crate::sync::rest::what_is_left).await
    }

    /// Runs one event in one transaction, off the async threads.
    async fn write<T: Send + 'static>(
        &self,
        event: impl FnOnce(&Work<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.inner.driver.shared.write(event).await
    }

    /// Reads one moment of the store, off the async threads.
    async fn read<T: Send + 'static>(
        &self,
        view: impl FnOnce(&Snapshot<'_>, &Engine) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.inner
            .engine
            .blocking(move |engine| engine.read(|snapshot| view(snapshot, engine)))
            .await
    }
}
