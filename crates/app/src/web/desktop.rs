//! Hears from the desktop that the computer goes to sleep, or that its screen was locked, and locks.
//!
//! systemd's logind says both on the system's message bus (`org.freedesktop.login1`). They are read from `gdbus monitor`, which comes with GLib
//! and so with every desktop: a process of its own, that is given nothing. So no library that speaks D-Bus is part of what holds the keys.
//! Where there is no `gdbus`, no bus or no logind, everything else is as it was, and the Protection page says so.
//!
//! What must stay true: nothing that is read here does more than lock; what is not understood is passed by.

use std::{ffi::OsStr, process::Stdio, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::Command,
    sync::mpsc,
};
use undertone_core::Client;

use super::Host;

const PROGRAM: &str = "gdbus";
const SERVICE: &str = "org.freedesktop.login1";
/// Until it is tried again to listen.
const AGAIN: Duration = Duration::from_secs(60);
/// How long it may take to read what is set: the computer does not wait long with going to sleep.
const READING: Duration = Duration::from_millis(200);

/// What was heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Heard {
    /// Whether logind is there.
    Present(bool),
    /// The computer is about to be suspended.
    Sleep,
    /// The screen of this session was locked, or is to be.
    ScreenLocked,
}

/// Listens until it is aborted, and locks the host.
pub(super) async fn run(host: Arc<Host>) {
    let (tell, mut heard) = mpsc::channel(1);
    let listening = async {
        while let Some(sign) = heard.recv().await {
            if let Heard::Present(is) = sign {
                host.desktop.send_replace(is);
            } else if let Ok((client, _)) = host.home.client()
                && locks(&client, sign).await
            {
                host.lock();
            }
        }
    };
    tokio::join!(listen(tell), listening);
}

/// Listens until it is aborted, and asks the process that has this account open to lock.
pub(crate) async fn lock_with(client: Client) {
    let (tell, mut heard) = mpsc::channel(1);
    let listening = async {
        while let Some(sign) = heard.recv().await {
            if locks(&client, sign).await {
                client.lock();
            }
        }
    };
    tokio::join!(listen(tell), listening);
}

/// Listens again and again for as long as somebody wants to be told.
async fn listen(tell: mpsc::Sender<Heard>) {
    let session = std::env::var("XDG_SESSION_ID").ok();
    loop {
        let mut heard = Listener::start(PROGRAM.as_ref(), session.as_deref());
        while let Some(listener) = &mut heard {
            match listener.next().await {
                Some(sign) if tell.send(sign).await.is_err() => return,
                Some(_) => {}
                None => break,
            }
        }
        drop(heard);
        if tell.send(Heard::Present(false)).await.is_err() {
            return;
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// Whether the owner wants the account locked then.
async fn locks(client: &Client, sign: Heard) -> bool {
    let set = tokio::time::timeout(READING, client.protection()).await;
    match (set, sign) {
        (_, Heard::Present(_)) => false,
        (Ok(Ok(set)), Heard::Sleep) => set.lock_on_suspend,
        (Ok(Ok(set)), Heard::ScreenLocked) => set.lock_with_screen,
        // What can't be read, or not at once, may well be set.
        _ => true,
    }
}

/// A process that says what is said on the bus. It ends with this.
struct Listener {
    _process: tokio::process::Child,
    lines: tokio::io::Lines<BufReader<tokio::process::ChildStdout>>,
    /// The end of the session's object path; None: it is not known, and all sessions count.
    session: Option<String>,
}

impl Listener {
    /// None: there is no such program.
    fn start(program: &OsStr, session: Option<&str>) -> Option<Self> {
        let mut process = Command::new(program)
            .args(["monitor", "--system", "--dest", SERVICE])
            .env("LC_ALL", "C")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .ok()?;
        let lines = BufReader::new(process.stdout.take()?).lines();
        Some(Self {
            _process: process,
            lines,
            session: session.map(path_element),
        })
    }

    /// None: the process ended.
    async fn next(&mut self) -> Option<Heard> {
        loop {
            let line = self.lines.next_line().await.ok()??;
            if let Some(heard) = read(&line, self.session.as_deref()) {
                return Some(heard);
            }
        }
    }
}

/// What a line of `gdbus monitor` says: `PATH: INTERFACE.SIGNAL (ARGUMENTS)`, or a sentence about the service.
fn read(line: &str, session: Option<&str>) -> Option<Heard> {
    if let Some(said) = line.strip_prefix("The name ") {
        return Some(Heard::Present(said.contains(" is owned by ")));
    }
    let (path, said) = line.split_once(": ")?;
    let (signal, arguments) = said.split_once(' ')?;
    let of_session = || {
        let of = path.strip_prefix("/org/freedesktop/login1/session/");
        of.is_some_and(|of| session.is_none_or(|own| own == of))
    };
    match signal {
        "org.freedesktop.login1.Manager.PrepareForSleep" if arguments == "(true,)" => {
            Some(Heard::Sleep)
        }
        "org.freedesktop.login1.Session.Lock" if of_session() => Some(Heard::ScreenLocked),
        "org.freedesktop.DBus.Properties.PropertiesChanged"
            if of_session()
                && arguments.starts_with("('org.freedesktop.login1.Session', ")
                && arguments.contains("'LockedHint': <true>") =>
        {
            Some(Heard::ScreenLocked)
        }
        _ => None,
    }
}

/// As logind writes a session's name into its path (`sd_bus_path_encode`): `2` is `_32`, `c1` is `c1`.
fn path_element(name: &str) -> String {
    let mut element = String::new();
    for (at, byte) in name.bytes().enumerate() {
        if byte.is_ascii_alphabetic() || (at > 0 && byte.is_ascii_digit()) {
            element.push(char::from(byte));
        } else {
            element += &format!("_{byte:02x}");
        }
    }
    element
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use super::*;

    const SCREEN: &str = "/org/freedesktop/login1/session/_32: org.freedesktop.DBus.Properties.PropertiesChanged ('org.freedesktop.login1.Session', {'LockedHint': <true>}, @as [])";

    #[test]
    fn sleep_and_a_locked_screen_are_heard_and_nothing_else() {
        let own = Some("_32");
        let sleep = "/org/freedesktop/login1: org.freedesktop.login1.Manager.PrepareForSleep";
        let lock = "/org/freedesktop/login1/session/_32: org.freedesktop.login1.Session.Lock ()";
        for (line, heard) in [
            (format!("{sleep} (true,)"), Some(Heard::Sleep)),
            (format!("{sleep} (false,)"), None),
            (lock.to_owned(), Some(Heard::ScreenLocked)),
            (lock.replace("Session.Lock", "Session.Unlock"), None),
            (lock.replace("_32", "_33"), None),
            (SCREEN.to_owned(), Some(Heard::ScreenLocked)),
            (SCREEN.replace("<true>", "<false>"), None),
            (SCREEN.replace("login1.Session'", "login1.Seat'"), None),
            (SCREEN.replace("_32", "c1"), None),
            (
                "Monitoring signals from all objects owned by org.freedesktop.login1".to_owned(),
                None,
            ),
            (
                "The name org.freedesktop.login1 is owned by :1.3".to_owned(),
                Some(Heard::Present(true)),
            ),
            (
                "The name org.freedesktop.login1 does not have an owner".to_owned(),
                Some(Heard::Present(false)),
            ),
            (String::new(), None),
        ] {
            assert_eq!(read(&line, own), heard, "{line}");
        }
        // Who does not know the own session locks with any.
        assert_eq!(
            read(&SCREEN.replace("_32", "c1"), None),
            Some(Heard::ScreenLocked)
        );
    }

    #[test]
    fn a_session_is_known_by_its_path() {
        for (name, element) in [("2", "_32"), ("12", "_312"), ("c1", "c1"), ("a-b", "a_2db")] {
            assert_eq!(path_element(name), element);
        }
    }

    #[tokio::test]
    async fn what_a_process_says_is_heard_until_it_ends() {
        let folder = tempfile::tempdir().expect("a folder");
        let program = folder.path().join("gdbus");
        let script = format!("#!/bin/sh\necho \"$@\"\necho \"{SCREEN}\"\n");
        fs::write(&program, script).expect("written");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).expect("set");
        let mut listener = Listener::start(program.as_os_str(), Some("2")).expect("there");
        assert_eq!(listener.next().await, Some(Heard::ScreenLocked));
        assert_eq!(listener.next().await, None);
        assert!(Listener::start(folder.path().join("none").as_os_str(), None).is_none());
    }
}
