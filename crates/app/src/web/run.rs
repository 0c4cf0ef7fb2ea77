//! `undertone` without a command: starts the host, opens the browser, and stays until it is told to end.
//!
//! Locking replaces the process by a fresh image of itself, so that no key stays in memory whatever a library or an allocator
//! held. The listening socket is handed over as standard input, so that nobody else can have the port in between, and the sessions
//! as hashes of their tokens, which are worth nothing to who reads them among the arguments. What pages know the program by, and where the
//! owner wants to be told that something came a pass to hear that, go along in memory ([`super::handover`]).

use std::{ffi::OsString, net::Ipv4Addr, os::fd::OwnedFd, sync::Arc, time::Duration};

use serde_json::json;
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
};

use undertone_core::{Ending, bell::BellPass, home::HomeError};

use super::{
    Host, HostState, assets, desktop,
    doors::{Doors, Hash, hash_from_hexadecimal, hexadecimal},
    guarding as guard, handover,
    home::HomeKeeper,
    launch::{self, Place, WayIn},
    proof::Proofs,
    route,
    runtime_folder::RuntimeFolder,
};
use crate::{
    cli::{
        args::{Global, Proxy},
        output::write_stdout,
        passphrase,
    },
    failure::Failure,
};

/// How long connections may take to hear of the lock.
const FAREWELL: Duration = Duration::from_millis(400);
/// How long closing the home may take before the process locks without it: whatever a command, a server or a disk is still waited for.
/// The store is whole then, too.
const CLOSING: Duration = Duration::from_secs(1);
/// How long what the next image of the process is handed may take to be read.
const READING: Duration = Duration::from_millis(500);

/// How it is to come up.
#[derive(Clone, Debug, Default)]
pub struct Appearance {
    /// Print the address instead of opening the browser.
    pub no_browser: bool,
    /// The port; none: one that the system chooses.
    pub port: Option<u16>,
    /// Take over from the process that this one was, which had these sessions (hashes in hexadecimal, commas between).
    pub resume: Option<String>,
    /// The number of the file in memory in which that one left a pass to hear the bell with.
    pub bell: Option<i32>,
    /// The number of the one in which it left what its pages know it by.
    pub pages: Option<i32>,
}

/// What the process ends for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Signal,
    Lock,
    Wiped,
}

impl Host {
    /// Locks: takes back at once what sessions were given; the rest is done by [`run`].
    pub(super) fn lock(&self) {
        self.revoke();
        self.locking.send_replace(true);
    }
}

/// Runs the host until a signal ends it.
///
/// # Errors
/// `host.*`, `home.*`, `usage.home`.
pub async fn run(options: &Global, appearance: &Appearance) -> Result<(), Failure> {
    if !assets::are_there() {
        return Err(Failure::new(
            "host.no_interface",
            "This program was built without its web interface; build it with ./dev, or use the commands (`undertone --help`).",
        ));
    }
    let mut signals = Signals::listen()?;
    let home = HomeKeeper::look(options)?;
    let folder = Arc::new(RuntimeFolder::of(home.folder())?);
    let mut held = match take_place(&folder, !appearance.no_browser).await? {
        Place::First(held) => held,
        Place::Taken(way) => return show(options, &way, true),
    };
    let (listener, sessions) = match &appearance.resume {
        Some(sessions) => (inherited()?, parse_sessions(sessions)),
        None => (bind(appearance.port).await?, Vec::new()),
    };
    let pass = |number| handover::take(number, |bytes| BellPass::from_bytes(bytes).ok());
    if let Some(pass) = appearance.bell.and_then(pass) {
        home.while_locked.will_hear(pass);
    }
    let handed_over = |number| handover::take(number, Proofs::from_bytes);
    let proofs = match appearance.pages.and_then(handed_over) {
        Some(proofs) => proofs,
        None => Proofs::new()?,
    };
    let port = listener
        .local_addr()
        .map_err(|error| Failure::file("The port", &error))?
        .port();
    let host = Host::new(port, home, Doors::with_sessions(sessions), proofs);
    let listener = Arc::new(listener);
    let accepting = tokio::spawn(route::accept(Arc::clone(&host), Arc::clone(&listener)));
    let answering = {
        let (host, folder) = (Arc::clone(&host), Arc::clone(&folder));
        tokio::spawn(async move { held.answer(host, folder).await })
    };
    let guarding = tokio::spawn(guard::run(Arc::clone(&host)));
    let listening = tokio::spawn(desktop::run(Arc::clone(&host)));
    let end = match come_up(options, appearance, &host, &folder).await {
        Ok(()) => {
            host.home.watch_while_locked().await;
            signals.wait_or(&host).await
        }
        Err(failure) => {
            host.leave();
            guarding.abort();
            listening.abort();
            end_tasks(&host, accepting, answering).await;
            return Err(failure);
        }
    };
    guarding.abort();
    // Its process ends before this one becomes another image of itself, which knows nothing of it.
    listening.abort();
    let _ = listening.await;
    if end == End::Signal {
        host.leave();
    } else {
        // Pages are told to forget what they show.
        host.lock();
    }
    if end == End::Lock {
        let handed = async { (host.home.bell_pass().await, host.home.proxy().await) };
        let (bell, proxy) = tokio::time::timeout(READING, handed)
            .await
            .unwrap_or_else(|_| (None, options.proxy.clone()));
        let _ = tokio::join!(
            tokio::time::timeout(CLOSING, host.home.close()),
            tokio::time::sleep(FAREWELL)
        );
        end_tasks(&host, accepting, answering).await;
        return Err(replace_self(
            options,
            &host,
            &listener,
            bell.as_ref(),
            proxy.as_ref(),
            appearance.pages,
        ));
    }
    let closed = host.home.close().await;
    tokio::time::sleep(FAREWELL).await;
    end_tasks(&host, accepting, answering).await;
    if end == End::Wiped {
        return Err(HomeError::Wiped.into());
    }
    closed
}

async fn take_place(folder: &Arc<RuntimeFolder>, browser: bool) -> Result<Place, Failure> {
    let folder = Arc::clone(folder);
    // It may wait for another process; the runtime's other threads go on. The socket it makes needs the runtime.
    tokio::task::block_in_place(|| launch::take_place(&folder, browser))
}

/// Opens the home if a passphrase was given, and shows the way in. A process that took over has shown it before.
async fn come_up(
    options: &Global,
    appearance: &Appearance,
    host: &Arc<Host>,
    folder: &RuntimeFolder,
) -> Result<(), Failure> {
    if appearance.resume.is_some() {
        return Ok(());
    }
    if !passphrase::is_asked_for(options) && host.home.now().state == HostState::Locked {
        HomeKeeper::unlock(host, passphrase::existing(options)?).await?;
    }
    let way = launch::way_in(host, folder, !appearance.no_browser)?;
    show(options, &way, false)
}

/// Opens the browser, or says how to.
fn show(options: &Global, way: &WayIn, runs_already: bool) -> Result<(), Failure> {
    let opened = way.file.as_deref().is_some_and(launch::open_browser);
    if options.json {
        let mut line =
            json!({"address": way.address, "code": way.code, "opened": opened}).to_string();
        line.push('\n');
        write_stdout(line.as_bytes())?;
        return Ok(());
    }
    let spaced = match (way.code.get(..3), way.code.get(3..)) {
        (Some(first), Some(second)) => format!("{first} {second}"),
        _ => way.code.clone(),
    };
    let mut text = match (opened, runs_already) {
        (true, true) => "Undertone runs already; it opens in your browser.\n".to_owned(),
        (true, false) => "Undertone opens in your browser. Ctrl-C ends it.\n".to_owned(),
        (false, _) => String::new(),
    };
    let lead = if opened {
        "If it does not appear, open"
    } else {
        "Open"
    };
    text += &format!(
        "{lead} {} in a browser of this computer and type the code {spaced} (good for five minutes, once).\n",
        way.address
    );
    write_stdout(text.as_bytes())?;
    Ok(())
}

async fn end_tasks(
    host: &Host,
    accepting: tokio::task::JoinHandle<()>,
    answering: tokio::task::JoinHandle<()>,
) {
    answering.abort();
    let _ = answering.await;
    host.ending.send_replace(true);
    // It has a limit of its own; a fault in it changes nothing here.
    let _ = accepting.await;
}

/// Opens the port, on loopback and nowhere else.
async fn bind(port: Option<u16>) -> Result<TcpListener, Failure> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port.unwrap_or(0)))
        .await
        .map_err(|error| match error.kind() {
            std::io::ErrorKind::AddrInUse => Failure::new(
                "host.port_in_use",
                "That port is in use; choose another, or none.",
            ),
            std::io::ErrorKind::PermissionDenied => Failure::new(
                "host.port_in_use",
                "That port may not be used; choose one above 1023.",
            ),
            _ => Failure::file("The port", &error),
        })
}

/// The socket that the process before handed over.
fn inherited() -> Result<TcpListener, Failure> {
    let none = |_| Failure::new("host.not_resumed", "There is no session to go on with.");
    let socket: OwnedFd = rustix::stdio::stdin().try_clone_to_owned().map_err(none)?;
    let listener = std::net::TcpListener::from(socket);
    let address = listener.local_addr().map_err(none)?;
    if address.ip() != Ipv4Addr::LOCALHOST {
        return Err(none(std::io::ErrorKind::InvalidInput.into()));
    }
    // From here on standard input is empty, as for any service.
    let nothing = std::fs::File::open("/dev/null").map_err(none)?;
    rustix::stdio::dup2_stdin(&nothing).map_err(|error| none(error.into()))?;
    listener.set_nonblocking(true).map_err(none)?;
    TcpListener::from_std(listener).map_err(none)
}

/// Becomes a fresh image of the same program, which has no keys. Returns only if that fails.
fn replace_self(
    options: &Global,
    host: &Host,
    listener: &TcpListener,
    bell: Option<&BellPass>,
    proxy: Option<&Proxy>,
    pages: Option<i32>,
) -> Failure {
    if let Err(error) = rustix::stdio::dup2_stdin(listener) {
        return Failure::file("Standard input", &error.into());
    }
    let sessions: Vec<String> = host
        .doors
        .sessions()
        .iter()
        .map(|hash| hexadecimal(hash))
        .collect();
    let mut arguments: Vec<OsString> = Vec::new();
    if let Some(home) = &options.home {
        arguments.extend(["--home".into(), home.clone().into()]);
    }
    match proxy {
        Some(Proxy::Socks5 { host, port }) => {
            let host = if host.contains(':') {
                format!("[{host}]")
            } else {
                host.clone()
            };
            arguments.extend(["--proxy".into(), format!("socks5://{host}:{port}").into()]);
        }
        Some(Proxy::None) => arguments.extend(["--proxy".into(), "none".into()]),
        None => {}
    }
    if options.offline {
        arguments.push("--offline".into());
    }
    if options.json {
        arguments.push("--json".into());
    }
    arguments.extend((0..options.verbose).map(|_| OsString::from("-v")));
    arguments.extend(["app".into(), "--resume".into(), sessions.join(",").into()]);
    // Without it nothing is heard while locked, which is no reason not to lock.
    let left = bell.and_then(|pass| handover::write(&pass.to_bytes()).ok());
    if let Some(left) = &left {
        let number = handover::number(left).to_string();
        arguments.extend(["--bell".into(), number.into()]);
    }
    // Without it pages have to be opened anew. One file serves all locks, since nothing closes it.
    let secret = host.proofs.to_bytes();
    let again = pages.filter(|number| handover::write_again(*number, &secret).is_ok());
    let fresh = match again {
        Some(_) => None,
        None => handover::write(&secret).ok(),
    };
    if let Some(number) = again.or(fresh.as_ref().map(handover::number)) {
        arguments.extend(["--pages".into(), number.to_string().into()]);
    }
    let error = undertone_core::home::harden::execute_anew(arguments);
    Failure::file("The program", &error)
}

fn parse_sessions(text: &str) -> Vec<Hash> {
    text.split(',').filter_map(hash_from_hexadecimal).collect()
}

/// What ends the process from outside.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

impl Signals {
    fn listen() -> Result<Self, Failure> {
        let of = |kind| signal(kind).map_err(|error| Failure::file("Signals", &error));
        Ok(Self {
            interrupt: of(SignalKind::interrupt())?,
            terminate: of(SignalKind::terminate())?,
            hang_up: of(SignalKind::hangup())?,
        })
    }

    /// Waits for one of them, for the page to lock, or for the home to be locked or wiped from elsewhere.
    async fn wait_or(&mut self, host: &Host) -> End {
        let mut locking = host.locking.subscribe();
        let mut ended = host.home.ended();
        tokio::select! {
            _ = self.interrupt.recv() => End::Signal,
            _ = self.terminate.recv() => End::Signal,
            _ = self.hang_up.recv() => End::Signal,
            _ = locking.wait_for(|locking| *locking) => End::Lock,
            Ok(how) = ended.wait_for(Option::is_some) => match *how {
                Some(Ending::Wiped) => End::Wiped,
                _ => End::Lock,
            },
        }
    }
}
