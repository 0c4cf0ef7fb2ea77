//! Makes, opens and locks the home for the page.
//!
//! What must stay true: one change of state at a time; the home's socket is served for as long as it is open, so that commands
//! work meanwhile; the recovery phrase ([`super::phrase`]) is held until the page says that it is on paper.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use ts_rs::TS;
use undertone_core::{
    Client, ClientOptions, Ending, ErrorClass, Problem, RestoreReport, ServerChoice,
    bell::BellPass,
    home::{
        HomeError, Owner, Passphrase,
        socket::{self, Claim, Listener},
    },
    kill::OnWiped,
};
use zeroize::Zeroizing;

use super::{
    Host,
    joining::{self, Joining, JoiningInfo, JoiningStep},
    methods::{NewAccount, NewRestoring},
    phrase::UnkeptPhrase,
    while_locked::{self, WhileLocked},
};
use crate::{
    cli::{args::Global, passphrase},
    failure::Failure,
    rpc::{methods::Network, owner::SocketService},
    session::{client_options, end_wiped, home_folder},
};

/// How long to wait for a home that another process is just using.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a process whose home was wiped may take to tell its pages.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// How long it may take when the wipe has just begun, and the server is to delete the queue, too.
const LAST_BREATH: Duration = Duration::from_secs(10);
/// Between looks at it.
const LOOK: Duration = Duration::from_millis(50);

/// How far the home is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum HostState {
    /// There is none yet.
    New,
    /// There is one, and it is closed.
    Locked,
    /// One is being linked to an account that another device has.
    Joining,
    /// It is open.
    Open,
}

/// The home at this moment.
#[derive(Clone)]
pub struct Now {
    /// How far it is.
    pub state: HostState,
    /// The open account, and how it reaches the server.
    pub client: Option<(Client, Network)>,
    /// How far linking this device is, or why it came to nothing.
    pub joining: Option<JoiningInfo>,
    /// How often it was heard, while the home is locked, that something came.
    pub rings: u32,
}

/// What runs for the home; whoever holds it changes the home's state.
#[derive(Default)]
pub(super) struct Running {
    service: Option<SocketService>,
    pub(super) joining: Option<Joining>,
}

/// The home that this host is for.
pub struct HomeKeeper {
    options: Global,
    folder: PathBuf,
    now: watch::Sender<Now>,
    /// Held while the state changes.
    change: tokio::sync::Mutex<Running>,
    pub(super) phrase: UnkeptPhrase,
    /// How the host is to end, once the open account, or what looks after a locked one, says so.
    ended: watch::Sender<Option<Ending>>,
    /// Whether the open account is being wiped, or was.
    wiping: Arc<AtomicBool>,
    /// Waits for what may come while the home is locked.
    pub(super) while_locked: WhileLocked,
}

impl HomeKeeper {
    /// Looks whether there is a home.
    ///
    /// # Errors
    /// `home.*` if what is there can't be used; `usage.home`.
    pub fn look(options: &Global) -> Result<Self, Failure> {
        let folder = home_folder(options)?;
        let state = match Owner::acquire(&folder) {
            Ok(_) | Err(HomeError::Owned) => HostState::Locked,
            Err(HomeError::Missing) if is_free(&folder) => HostState::New,
            Err(error) => return Err(error.into()),
        };
        Ok(Self {
            options: options.clone(),
            folder,
            now: watch::channel(Now {
                state,
                client: None,
                joining: None,
                rings: 0,
            })
            .0,
            change: tokio::sync::Mutex::default(),
            phrase: UnkeptPhrase::default(),
            ended: watch::channel(None).0,
            wiping: Arc::default(),
            while_locked: WhileLocked::default(),
        })
    }

    /// How the host is to end; turns from None once.
    pub fn ended(&self) -> watch::Receiver<Option<Ending>> {
        self.ended.subscribe()
    }

    /// The home has been wiped, open or not: the process is to end.
    pub fn say_wiped(&self) {
        self.ended.send_replace(Some(Ending::Wiped));
        // The kill queues are deleted at the very end.
        end_within(LAST_BREATH, self.options.json);
    }

    /// Whether the home is wiped, or about to be: pages are told, and forget what they hold.
    pub(super) fn is_wiped(&self) -> bool {
        self.wiping.load(Ordering::Acquire) || matches!(*self.ended.borrow(), Some(Ending::Wiped))
    }

    /// A home that is locked can be wiped all the same by whoever may, and may be told that something came: begins to wait for that.
    pub async fn watch_while_locked(&self) {
        let locked = self.now.borrow().state == HostState::Locked;
        if locked && !self.options.offline {
            let options = self.client_options();
            self.while_locked
                .begin(&self.folder, &options, self.on_wiped(), &self.now)
                .await;
        }
    }

    /// What the process that takes over when the home is locked is to have.
    pub(super) async fn bell_pass(&self) -> Option<BellPass> {
        let (client, _) = self.client().ok()?;
        while_locked::bell_pass(&client).await
    }

    /// What an account is opened with here.
    pub(super) fn client_options(&self) -> ClientOptions {
        ClientOptions {
            on_wiped: Some(self.on_wiped()),
            bell: true,
            ..client_options(&self.options)
        }
    }

    /// When a command has wiped the home: pages are told to forget what they show, and the process ends, at the latest after a second.
    fn on_wiped(&self) -> OnWiped {
        let (now, ended, wiping) = (
            self.now.clone(),
            self.ended.clone(),
            Arc::clone(&self.wiping),
        );
        let json = self.options.json;
        Arc::new(move || {
            wiping.store(true, Ordering::Release);
            now.send_replace(Now {
                state: HostState::Locked,
                client: None,
                joining: None,
                rings: 0,
            });
            ended.send_replace(Some(Ending::Wiped));
            end_within(LAST_WORDS, json);
        })
    }

    /// How the program was started.
    pub(super) fn options(&self) -> &Global {
        &self.options
    }

    /// Waits until nobody else changes the home's state.
    pub(super) async fn turn(&self) -> tokio::sync::MutexGuard<'_, Running> {
        self.change.lock().await
    }

    /// A home is being linked.
    pub(super) fn is_joining(&self, info: JoiningInfo) {
        self.now.send_replace(Now {
            state: HostState::Joining,
            client: None,
            joining: Some(info),
            rings: 0,
        });
    }

    /// The linking has got on.
    pub(super) fn now_joining(&self, change: impl FnOnce(&mut JoiningInfo)) {
        self.now.send_modify(|now| {
            if let Some(info) = &mut now.joining {
                change(info);
            }
        });
    }

    /// The linking came to nothing, and its home is gone; without a problem, its owner did not want it.
    pub(super) fn came_to_nothing(&self, problem: Option<Problem>) {
        self.now.send_modify(|now| {
            now.state = HostState::New;
            now.joining = now
                .joining
                .take()
                .filter(|_| problem.is_some())
                .map(|info| JoiningInfo {
                    step: JoiningStep::Failed,
                    code: None,
                    words: None,
                    problem,
                    ..info
                });
        });
    }

    /// The home that was being linked has its account, and can be unlocked.
    pub(super) fn is_closed(&self) {
        self.now.send_replace(Now {
            state: HostState::Locked,
            client: None,
            joining: None,
            rings: 0,
        });
    }

    /// The account is here: from now on this is a home like any other.
    pub(super) async fn has_joined(&self, client: Client) -> Result<(), Failure> {
        let mut running = self.change.lock().await;
        let listener = client.listener()?;
        running.service = Some(self.serve(client, listener).await?);
        Ok(())
    }

    /// Takes the owner's answer to whether both devices show the same words; no at any time ends the linking.
    ///
    /// # Errors
    /// `linking.none`.
    pub(super) async fn say(&self, is_same: bool) -> Result<(), Failure> {
        let running = self.change.lock().await;
        let step = self.now.borrow().joining.as_ref().map(|info| info.step);
        match (&running.joining, step) {
            (Some(joining), Some(JoiningStep::Compare)) => joining.say(is_same),
            (Some(joining), Some(JoiningStep::Waiting | JoiningStep::Confirmed)) if !is_same => {
                joining.say(false);
            }
            _ => {
                return Err(Failure::new("linking.none", "No device is being linked."));
            }
        }
        Ok(())
    }

    /// The home's folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The home from now on.
    pub fn watch(&self) -> watch::Receiver<Now> {
        self.now.subscribe()
    }

    /// The home at this moment.
    pub fn now(&self) -> Now {
        self.now.borrow().clone()
    }

    /// The open account.
    ///
    /// # Errors
    /// `host.locked`.
    pub fn client(&self) -> Result<(Client, Network), Failure> {
        let now = self.now.borrow();
        now.client.clone().ok_or_else(not_open)
    }

    /// Makes a home with a new account.
    ///
    /// # Errors
    /// `home.exists`, `passphrase.too_short`, `net.offline`, and what registering says. Nothing is left then.
    pub(super) async fn create(&self, given: NewAccount) -> Result<(), Failure> {
        let mut running = self.change.lock().await;
        if self.now.borrow().state != HostState::New {
            return Err(HomeError::Exists.into());
        }
        if self.options.offline {
            return Err(Failure::new(
                "net.offline",
                "A new account needs its server; start `undertone` without --offline.",
            ));
        }
        let server: ServerChoice = given.server.trim().parse().map_err(Failure::from)?;
        let options = self.client_options_by(given.proxy.as_deref())?;
        passphrase::check_new(&given.passphrase.0)?;
        let passphrase = Passphrase::new(given.passphrase.0)?;
        let name = &given.name;
        let made = Client::init(&self.folder, &passphrase, &server, name, options).await;
        let (client, phrase) = made?;
        self.phrase.hold(&client, phrase).await;
        let listener = client.listener()?;
        running.service = Some(self.serve(client, listener).await?);
        Ok(())
    }

    /// Makes a home from a backup.
    ///
    /// # Errors
    /// `home.exists`, `passphrase.too_short`, `net.offline`, `rpc.invalid_params` for a folder that is no absolute path, `account.phrase_*`,
    /// `backup.*`, and what registering says. Nothing is left then.
    pub(super) async fn restore(&self, given: NewRestoring) -> Result<RestoreReport, Failure> {
        let mut running = self.change.lock().await;
        if self.now.borrow().state != HostState::New {
            return Err(HomeError::Exists.into());
        }
        if self.options.offline {
            return Err(Failure::new(
                "net.offline",
                "A restored home is registered with a server; start `undertone` without --offline.",
            ));
        }
        if !given.folder.is_absolute() {
            return Err(Failure::new(
                "rpc.invalid_params",
                "The folder must be given as an absolute path.",
            ));
        }
        let server: ServerChoice = given.server.trim().parse().map_err(Failure::from)?;
        let options = self.client_options_by(given.proxy.as_deref())?;
        passphrase::check_new(&given.passphrase.0)?;
        let passphrase = Passphrase::new(given.passphrase.0)?;
        let (client, report) = Client::restore(
            &self.folder,
            &passphrase,
            &server,
            &given.folder,
            &given.recovery_phrase.0,
            options,
            |_, _| {},
        )
        .await?;
        let listener = client.listener()?;
        running.service = Some(self.serve(client, listener).await?);
        Ok(report)
    }

    /// Opens the home, or goes on with linking it.
    ///
    /// # Errors
    /// `home.wrong_passphrase`; `home.elsewhere` if another process keeps it open; `home.*`.
    pub async fn unlock(host: &Arc<Host>, given: Zeroizing<String>) -> Result<(), Failure> {
        let keeper = &host.home;
        let mut running = keeper.change.lock().await;
        match keeper.now.borrow().state {
            HostState::Open | HostState::Joining => return Ok(()),
            HostState::New => return Err(HomeError::Missing.into()),
            HostState::Locked => {}
        }
        let passphrase = Passphrase::new(given)?;
        let opened = Self::open(host, &mut running, passphrase).await;
        if opened.is_err() {
            keeper.watch_while_locked().await;
        }
        opened?;
        // The open home has another one.
        keeper.while_locked.forget();
        tracing::info!("home unlocked");
        Ok(())
    }

    /// As an account's home, or as one that is being linked to one.
    async fn open(
        host: &Arc<Host>,
        running: &mut Running,
        passphrase: Passphrase,
    ) -> Result<(), Failure> {
        let keeper = &host.home;
        // The open home waits itself.
        keeper.while_locked.end().await;
        let owner = keeper.claim().await?;
        let (opened, passphrase) =
            tokio::task::spawn_blocking(move || (owner.unlock(&passphrase), passphrase))
                .await
                .map_err(|_| {
                    Failure::new("home.interrupted", "Opening the home was interrupted.")
                })?;
        let home = opened.map_err(|(_, error)| {
            if error == HomeError::Wiped {
                keeper.say_wiped();
            }
            error
        })?;
        let listener = Listener::bind(home.owner())?;
        match Client::from_home(home, keeper.client_options()).await {
            Ok(client) => {
                keeper.phrase.look(&client).await?;
                running.service = Some(keeper.serve(client, listener).await?);
            }
            Err(error) if error.code() == "linking.unfinished" => {
                drop(listener);
                running.joining = Some(joining::resume(host, &passphrase).await?);
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    async fn serve(&self, client: Client, listener: Listener) -> Result<SocketService, Failure> {
        let network = Network {
            online: !self.options.offline,
        };
        if network.online {
            client.start().await?;
        }
        let service = SocketService::start(listener, client.clone(), network);
        tokio::spawn(follow(
            client.ending(),
            self.now.clone(),
            self.ended.clone(),
            Arc::clone(&self.wiping),
            self.options.json,
        ));
        self.now.send_replace(Now {
            state: HostState::Open,
            client: Some((client, network)),
            joining: None,
            rings: 0,
        });
        Ok(service)
    }

    /// Waits for a command that has the home open just now; not for one that stays.
    async fn claim(&self) -> Result<Owner, Failure> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let folder = self.folder.clone();
            let claimed = tokio::task::spawn_blocking(move || socket::claim(&folder, LOOK)).await;
            match claimed {
                Ok(Ok(Claim::Owner(owner))) => return Ok(owner),
                Ok(Ok(Claim::Served(_)) | Err(HomeError::Owned)) if Instant::now() < deadline => {
                    tokio::time::sleep(LOOK).await;
                }
                Ok(Err(error)) if error != HomeError::Owned => return Err(error.into()),
                _ => {
                    return Err(Failure {
                        class: ErrorClass::RetryLater,
                        ..Failure::new(
                            "home.elsewhere",
                            "Another Undertone has this home open, perhaps `undertone watch`; end it and try again.",
                        )
                    });
                }
            }
        }
    }

    /// Closes the home, if it is open: requests of others are finished, then the keys go.
    ///
    /// # Errors
    /// What closing the store says.
    pub async fn close(&self) -> Result<(), Failure> {
        let mut running = self.change.lock().await;
        self.phrase.close();
        if let Some(joining) = running.joining.take() {
            joining.stop().await;
        }
        let was = self.now.send_replace(Now {
            state: HostState::Locked,
            client: None,
            joining: None,
            rings: 0,
        });
        if let Some(service) = running.service.take() {
            service.close().await;
        }
        if let Some((client, _)) = was.client {
            client.close().await?;
        }
        Ok(())
    }
}

/// Hides an account that is being wiped, and hands on how the process is to end.
async fn follow(
    mut ending: watch::Receiver<Option<Ending>>,
    now: watch::Sender<Now>,
    ended: watch::Sender<Option<Ending>>,
    wiping: Arc<AtomicBool>,
    json: bool,
) {
    loop {
        let how = *ending.borrow_and_update();
        match how {
            None => {}
            Some(Ending::Wiping) => {
                // Pages hear of it, and forget what they show.
                wiping.store(true, Ordering::Release);
                end_within(LAST_BREATH, json);
                now.send_replace(Now {
                    state: HostState::Locked,
                    client: None,
                    joining: None,
                    rings: 0,
                });
            }
            Some(Ending::Lock | Ending::Wiped) => {
                ended.send_replace(how);
                return;
            }
        }
        if ending.changed().await.is_err() {
            return;
        }
    }
}

/// Ends the process of a home that is wiped, whatever it still waits for: from a thread of its own, since memory that held keys goes only
/// with the process.
fn end_within(time: Duration, json: bool) {
    std::thread::spawn(move || {
        std::thread::sleep(time);
        end_wiped(json);
    });
}

/// Whether a home can be made there.
fn is_free(folder: &Path) -> bool {
    match std::fs::read_dir(folder) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    }
}

fn not_open() -> Failure {
    Failure::new("host.locked", "Undertone is locked.")
}
