//! A home, open: by this process, or by another that serves it. Commands don't see which.
//!
//! What must stay true: a home is unlocked only by the process that owns it; a proxy that the user asked for is never
//! silently left out; a process that owns the home serves its socket for as long.

use std::{path::Path, sync::Arc, time::Duration};

use undertone_core::{
    Client, ClientOptions, Ending, Event, EventStream, ProxyChoice, SocksProxy,
    home::{
        HomeError, Owner, Passphrase,
        socket::{self, Claim, Listener},
    },
    kill::{self, OnWiped},
};
use zeroize::Zeroizing;

use crate::{
    cli::{
        args::{Global, Proxy},
        output::{self, print_failure},
        passphrase,
    },
    failure::Failure,
    guard,
    rpc::{
        connection::Connection,
        methods::{Context, EventsSubscribe, Method, Network, SyncSettle},
        owner::SocketService,
        params::{Nothing, Settle},
    },
};

/// How long to wait for a home that another process is just opening or closing.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often a person may mistype the passphrase before the command ends.
const ATTEMPTS: u32 = 3;

/// An open home.
pub enum Session {
    /// This process has it.
    Own(Box<OwnHome>),
    /// Another process has it.
    Served(Box<Connection>),
}

/// A home that this process owns, with its socket.
pub struct OwnHome {
    context: Context,
    service: Option<SocketService>,
    events: EventStream,
    /// Looks after the home, and ends the process when it is locked or wiped.
    watching: Vec<tokio::task::JoinHandle<()>>,
}

impl Session {
    /// Opens the home, or connects to the process that has it open. Asks for the passphrase only in the first case.
    ///
    /// # Errors
    /// `home.*`, `passphrase.*`; `usage.proxy` if another process has it open and uses another way to the server.
    pub async fn open(options: &Global) -> Result<Self, Failure> {
        let home = home_folder(options)?;
        if let Ok(stream) = socket::connect(&home) {
            match Self::join(stream, options).await {
                // It ended in this very moment: the home is free, or about to be.
                Err(failure) if failure.code == "home.lost" => {}
                joined => return joined,
            }
        }
        // Before anything is asked: is there a home at all?
        match Owner::acquire(&home) {
            Ok(_) | Err(HomeError::Owned) => {}
            Err(error) => return Err(in_folder(error, &home)),
        }
        let passphrase = passphrase::existing(options)?;
        let place = home.clone();
        let claim = tokio::task::spawn_blocking(move || socket::claim(&place, PATIENCE))
            .await
            .map_err(|_| interrupted())?;
        match claim.map_err(|error| in_folder(error, &home))? {
            Claim::Served(stream) => Self::join(stream, options).await,
            Claim::Owner(owner) => Self::unlock(owner, passphrase, options).await,
        }
    }

    async fn unlock(
        mut owner: Owner,
        mut passphrase: Zeroizing<String>,
        options: &Global,
    ) -> Result<Self, Failure> {
        let mut attempts = if passphrase::is_asked_for(options) {
            ATTEMPTS
        } else {
            1
        };
        let home = loop {
            attempts -= 1;
            let attempt = Passphrase::new(passphrase)?;
            let tried = tokio::task::spawn_blocking(move || owner.unlock(&attempt))
                .await
                .map_err(|_| interrupted())?;
            match tried {
                Ok(home) => break home,
                Err((back, HomeError::WrongPassphrase)) if attempts > 0 => {
                    owner = back;
                    eprintln!("{}", HomeError::WrongPassphrase);
                    passphrase = passphrase::existing(options)?;
                }
                Err((_, error)) => return Err(error.into()),
            }
        };
        tracing::info!("home unlocked");
        let listener = Listener::bind(home.owner())?;
        let client = Client::from_home(home, client_options(options)).await?;
        Self::own(client, Some(listener), options).await
    }

    /// The session of a client that this process has just made.
    ///
    /// # Errors
    /// What starting the client says.
    pub async fn own(
        client: Client,
        listener: Option<Listener>,
        options: &Global,
    ) -> Result<Self, Failure> {
        let network = Network {
            online: !options.offline,
        };
        // Before the start, so that what comes first is not missed.
        let events = client.events();
        if network.online {
            client.start().await?;
        }
        let service =
            listener.map(|listener| SocketService::start(listener, client.clone(), network));
        let watching = vec![
            tokio::spawn(guard::look_after(client.clone())),
            tokio::spawn(end_when_asked(client.clone(), options.clone())),
        ];
        Ok(Self::Own(Box::new(OwnHome {
            context: Context::new(client, network),
            service,
            events,
            watching,
        })))
    }

    async fn join(
        stream: std::os::unix::net::UnixStream,
        options: &Global,
    ) -> Result<Self, Failure> {
        let (connection, greeting) = Connection::open(stream).await?;
        tracing::info!("the home is open in another process");
        if options
            .proxy
            .as_ref()
            .is_some_and(|wanted| wanted.shown() != greeting.proxy)
        {
            return Err(Failure::new(
                "usage.proxy",
                "Another process has this home open and doesn't use that proxy; end it first, or leave --proxy out.",
            ));
        }
        Ok(Self::Served(Box::new(connection)))
    }

    /// From now on this process stays: if it has the home, it locks by itself, as the app in the browser does.
    pub fn stay(&mut self) {
        if let Self::Own(own) = self {
            let client = own.context.client.clone();
            own.watching
                .push(tokio::spawn(guard::lock_by_itself(client)));
        }
    }

    /// Whether this process owns the home.
    #[must_use]
    pub fn is_own(&self) -> bool {
        matches!(self, Self::Own(_))
    }

    /// Calls a method of the RPC.
    ///
    /// # Errors
    /// What the method says.
    pub async fn call<M: Method>(&mut self, params: M::Params) -> Result<M::Answer, Failure> {
        match self {
            Self::Own(own) => M::run(&own.context, params).await,
            Self::Served(connection) => connection.call::<M>(params).await,
        }
    }

    /// Lets the server have what waits, and gets what waits there. For the commands that come and go; a process that stays
    /// has done so already.
    ///
    /// # Errors
    /// What `sync.settle` says.
    pub async fn settle(
        &mut self,
        limit: Duration,
    ) -> Result<Option<undertone_core::Settled>, Failure> {
        if !self.is_own() {
            return Ok(None);
        }
        let limit_ms = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
        self.call::<SyncSettle>(Settle {
            limit_ms: Some(limit_ms),
        })
        .await
        .map(Some)
    }

    /// Asks for events; [`Session::event`] then gives them. From a home of this process they come from the start on.
    ///
    /// # Errors
    /// What `events.subscribe` says.
    pub async fn subscribe(&mut self) -> Result<(), Failure> {
        match self {
            Self::Own(_) => {}
            Self::Served(connection) => {
                connection.call::<EventsSubscribe>(Nothing {}).await?;
            }
        }
        Ok(())
    }

    /// The next event; `None` when the home was closed.
    ///
    /// # Errors
    /// `rpc.garbled`.
    pub async fn event(&mut self) -> Result<Option<Event>, Failure> {
        match self {
            Self::Own(own) => Ok(own.events.next().await),
            Self::Served(connection) => connection.event().await,
        }
    }

    /// From now on this process itself ends when it is done, also when the home is locked or wiped meanwhile: for the command
    /// that wipes it.
    pub fn end_by_itself(&mut self) {
        if let Self::Own(own) = self {
            for task in own.watching.drain(..) {
                task.abort();
            }
        }
    }

    /// Closes the home, if it is this process's, after others' requests are done.
    ///
    /// # Errors
    /// What closing the store says; `home.locked` or `home.wiped` if somebody made it end.
    pub async fn close(self) -> Result<(), Failure> {
        if let Self::Own(own) = self {
            if let Some(service) = own.service {
                service.close().await;
            }
            for task in own.watching {
                task.abort();
                let _ = task.await;
            }
            own.context.client.close().await?;
            let how = *own.context.client.ending().borrow();
            if let Some(how) = how {
                return Err(ended(how));
            }
        }
        Ok(())
    }

    /// The client of a home that this process owns, and how it reaches the server, to serve it over other streams.
    #[must_use]
    pub fn own_client(&self) -> Option<(Client, Network)> {
        match self {
            Self::Own(own) => Some((own.context.client.clone(), own.context.network)),
            Self::Served(_) => None,
        }
    }
}

/// How long who asked for the end may take to be answered.
const ANSWER: Duration = Duration::from_millis(100);
/// How long closing may take before the process ends without it.
const CLOSING: Duration = Duration::from_secs(1);

/// How long the servers may take to delete the kill queues of a home that is wiped.
const LEAVING: Duration = Duration::from_secs(5);

/// What the process says when it was made to end.
fn ended(how: Ending) -> Failure {
    match how {
        Ending::Wiping | Ending::Wiped => HomeError::Wiped.into(),
        Ending::Lock => Failure::new("home.locked", "Undertone was locked."),
    }
}

/// Ends the process when the home is locked from outside, or wiped: memory is let go of as a whole.
async fn end_when_asked(client: Client, options: Global) {
    let mut ending = client.ending();
    let is_over = |how: &Option<Ending>| matches!(how, Some(Ending::Lock | Ending::Wiped));
    let how = match ending.wait_for(is_over).await {
        Ok(how) => how.unwrap_or(Ending::Lock),
        Err(_) => return,
    };
    tokio::time::sleep(ANSWER).await;
    // The store is whole after a crash, too.
    let _ = tokio::time::timeout(CLOSING, client.close()).await;
    if how == Ending::Wiped {
        take_leave(&options).await;
    }
    let failure = ended(how);
    print_failure(options.json, &failure);
    std::process::exit(failure.exit_code().into());
}

/// What the client is opened with.
#[must_use]
pub fn client_options(options: &Global) -> ClientOptions {
    let proxy = match &options.proxy {
        Some(Proxy::Socks5 { host, port }) => ProxyChoice::Socks5(SocksProxy {
            host: host.clone(),
            port: *port,
        }),
        Some(Proxy::None) => ProxyChoice::Direct,
        None => ProxyChoice::Remembered,
    };
    ClientOptions {
        proxy,
        on_wiped: Some(on_wiped(options)),
        ..ClientOptions::default()
    }
}

/// When the home is gone, what this process still has in memory goes with it, whatever it was doing.
#[must_use]
fn on_wiped(options: &Global) -> OnWiped {
    let json = options.json;
    Arc::new(move || end_wiped(json))
}

/// Has the servers delete the kill queues of the home, if this process has wiped it without an account that was open and did so itself.
pub(crate) async fn take_leave(options: &Global) {
    if !options.offline
        && let Ok(home) = home_folder(options)
    {
        kill::take_leave(&home, &client_options(options), LEAVING).await;
    }
}

/// Ends the process, whose home is gone.
pub(crate) fn end_wiped(json: bool) -> ! {
    let failure = Failure::from(HomeError::Wiped);
    output::print_failure(json, &failure);
    std::process::exit(i32::from(failure.exit_code()))
}

/// The home's folder: as given, or where the XDG base directory specification puts it.
///
/// # Errors
/// `usage.home` when neither it nor a home directory is known.
pub fn home_folder(options: &Global) -> Result<std::path::PathBuf, Failure> {
    if let Some(home) = &options.home {
        return std::path::absolute(home).map_err(|error| Failure::file("--home", &error));
    }
    let absolute = |name| {
        std::env::var_os(name)
            .map(std::path::PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    absolute("XDG_DATA_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".local/share")))
        .map(|data| data.join("undertone"))
        .ok_or_else(|| Failure::new("usage.home", "It isn't known where your home directory is; say where Undertone's shall be with --home DIR."))
}

/// Says which folder: the folder comes from the user's own command line or environment.
fn in_folder(error: HomeError, home: &Path) -> Failure {
    let mut failure = Failure::from(error);
    failure.sentence = format!("{} ({})", failure.sentence, home.display());
    failure
}

fn interrupted() -> Failure {
    Failure::new("home.interrupted", "Opening the home was interrupted.")
}
