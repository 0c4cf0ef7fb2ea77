//! A desktop's keyring: the real `gnome-keyring-daemon` on a message bus of its own, opened by a throwaway password.
//!
//! What must stay true: nothing of it touches the keyring, the bus or the screen of whoever runs the tests.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::failed::{Failed, Outcome};
use crate::waiting::eventually;

const PASSWORD: &[u8] = b"opens with the login";
/// How long the bus and the keyring may take to be there.
const PATIENCE: Duration = Duration::from_secs(30);
/// Where programs look for the address of their desktop's bus.
const BUS: &str = "DBUS_SESSION_BUS_ADDRESS";
const SERVICE: &str = "org.freedesktop.secrets";
const INSTALL: &str =
    "Install the packages gnome-keyring, libsecret-tools and dbus; `./dev setup` does.";

/// A keyring of a desktop where its owner has logged in. Dropping it logs out.
pub struct DesktopKeyring {
    folder: TempDir,
    running: Option<Running>,
}

/// The bus, and the keyring on it.
#[derive(Default)]
struct Running(Vec<Child>);

impl Drop for Running {
    fn drop(&mut self) {
        for process in &mut self.0 {
            // One that has ended already can't be killed, and that is as well.
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

fn failed(error: impl std::fmt::Display) -> Failed {
    Failed::harness("asking a desktop's keyring", error)
}

impl DesktopKeyring {
    /// A new desktop, whose owner logs in.
    ///
    /// # Errors
    /// Which package is missing, or what could not be started.
    pub fn start() -> Outcome<Self> {
        for program in [
            "gnome-keyring-daemon",
            "secret-tool",
            "dbus-daemon",
            "dbus-send",
        ] {
            let found = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
                .any(|folder| folder.join(program).is_file());
            if !found {
                return Err(failed(format!("There is no {program}. {INSTALL}")));
            }
        }
        let mut keyring = Self {
            folder: tempfile::tempdir().map_err(failed)?,
            running: None,
        };
        keyring.log_in()?;
        Ok(keyring)
    }

    /// The owner logs in, which opens the keyring.
    ///
    /// # Errors
    /// What could not be started.
    pub fn log_in(&mut self) -> Outcome {
        let mut running = Running::default();
        // A bus that was killed leaves its socket, or there is none.
        let _ = std::fs::remove_file(self.folder.path().join("bus"));
        let mut bus = Command::new("dbus-daemon");
        bus.args(["--session", "--nofork", "--print-address"])
            .arg(format!("--address={}", self.bus()))
            .stdout(Stdio::piped());
        let mut bus = start(&mut bus, self.folder.path())?;
        let said = bus.stdout.take();
        running.0.push(bus);
        // It says its address when it listens.
        let said = said.ok_or_else(|| failed("the bus says nothing."))?;
        BufReader::new(said)
            .read_line(&mut String::new())
            .map_err(failed)?;
        let mut daemon = Command::new("gnome-keyring-daemon");
        daemon
            .args(["--foreground", "--unlock", "--components=secrets"])
            .env(BUS, self.bus())
            .stdin(Stdio::piped())
            .stdout(Stdio::null());
        let mut daemon = start(&mut daemon, self.folder.path())?;
        let typed = daemon.stdin.take();
        running.0.push(daemon);
        typed
            .ok_or_else(|| failed("nobody to log in to."))?
            .write_all(PASSWORD)
            .map_err(failed)?;
        self.running = Some(running);
        // Whoever asks for a service that is not there has the bus start another one.
        eventually(PATIENCE, "a keyring on the bus", || {
            let owned = self.ask(
                "org.freedesktop.DBus",
                "/org/freedesktop/DBus",
                &[
                    "org.freedesktop.DBus.NameHasOwner",
                    &format!("string:{SERVICE}"),
                ],
            )?;
            Ok(owned.contains("true").then_some(()))
        })
    }

    /// The owner logs out: nothing answers any more.
    pub fn log_out(&mut self) {
        self.running = None;
    }

    /// Locks the keyring; there is nobody who could be asked for its password.
    ///
    /// # Errors
    /// What the keyring says.
    pub fn lock(&self) -> Outcome {
        let login = "array:objpath:/org/freedesktop/secrets/collection/login";
        let method = "org.freedesktop.Secret.Service.Lock";
        let said = self.ask(SERVICE, "/org/freedesktop/secrets", &[method, login])?;
        if said.contains("collection/login") {
            return Ok(());
        }
        Err(failed(format!("it did not lock: {said}")))
    }

    /// How many secrets of Undertone it keeps, locked or not.
    ///
    /// # Errors
    /// What the keyring says.
    pub fn items(&self) -> Outcome<usize> {
        let ours = "dict:string:string:application,undertone";
        let method = "org.freedesktop.Secret.Service.SearchItems";
        let said = self.ask(SERVICE, "/org/freedesktop/secrets", &[method, ours])?;
        Ok(said.matches("object path").count())
    }

    /// The address of the desktop's bus, whether or not anybody is logged in.
    pub fn bus(&self) -> String {
        format!("unix:path={}", self.folder.path().join("bus").display())
    }

    fn ask(&self, service: &str, object: &str, call: &[&str]) -> Outcome<String> {
        let asked = Command::new("dbus-send")
            .args(["--session", "--print-reply", "--reply-timeout=10000"])
            .arg(format!("--dest={service}"))
            .arg(object)
            .args(call)
            .env(BUS, self.bus())
            .output()
            .map_err(failed)?;
        let said = String::from_utf8_lossy(&asked.stdout).into_owned();
        if asked.status.success() {
            return Ok(said);
        }
        Err(failed(String::from_utf8_lossy(&asked.stderr)))
    }
}

/// Starts a program at home in `folder`, without a screen.
fn start(command: &mut Command, folder: &Path) -> Outcome<Child> {
    command
        .env("HOME", folder)
        .env("XDG_RUNTIME_DIR", folder)
        .env("XDG_DATA_HOME", folder)
        .env_remove("DISPLAY")
        .env_remove("WAYLAND_DISPLAY")
        .stderr(Stdio::null())
        .spawn()
        .map_err(failed)
}
