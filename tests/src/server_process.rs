//! A real server in a process of its own, that can be killed and started again on the same port.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::binaries::binary;
use crate::failed::{Failed, Outcome};
use crate::waiting::eventually;

/// What moves the clock of debug builds, in seconds.
pub(crate) const CLOCK: &str = "UNDERTONE_TEST_CLOCK_OFF_S";

/// How long a server may take to start or to stop.
const PATIENCE: Duration = Duration::from_secs(30);

/// How much a server logs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogLevel {
    /// Everything it can.
    #[default]
    Debug,
    /// As usual.
    Info,
}

/// How a server is set up.
#[derive(Clone, Debug, Default)]
pub struct ServerOptions {
    /// Where its folder goes; none: a temporary folder, removed at the end.
    pub folder: Option<PathBuf>,
    /// Anyone may register.
    pub open: bool,
    /// The origin to be known as, such as a fault proxy's address or an onion service; none: its own address.
    pub origin: Option<String>,
    /// Log level.
    pub log: LogLevel,
    /// Settings to change before it starts, as (table, key, value); the top level's table is empty.
    pub settings: Vec<(String, String, toml::Value)>,
}

/// A server's folder, and its process while it runs.
pub struct ServerProcess {
    program: PathBuf,
    folder: PathBuf,
    address: SocketAddr,
    pin: String,
    log: LogLevel,
    ready: Option<Value>,
    hours_ahead: u64,
    child: Option<Child>,
    _temporary: Option<TempDir>,
}

impl ServerProcess {
    /// Makes a server folder in a temporary place and starts the server on a free loopback port.
    ///
    /// # Errors
    /// What `undertone-server` says, or that it is not built.
    pub fn start() -> Outcome<Self> {
        Self::start_with(ServerOptions::default())
    }

    /// The same with options.
    ///
    /// # Errors
    /// As [`ServerProcess::start`].
    pub fn start_with(options: ServerOptions) -> Outcome<Self> {
        let mut server = Self::prepare(options)?;
        server.run()?;
        Ok(server)
    }

    /// Makes the folder and settings, but doesn't start the server.
    ///
    /// # Errors
    /// As [`ServerProcess::start`].
    pub fn prepare(options: ServerOptions) -> Outcome<Self> {
        let step = "making a server folder";
        let program = binary("undertone-server")?;
        let (folder, temporary) = match options.folder {
            Some(folder) => (folder, None),
            None => {
                let temporary = tempfile::Builder::new()
                    .prefix("undertone-server-")
                    .tempdir();
                let temporary = temporary.map_err(|error| Failed::harness(step, error))?;
                (temporary.path().join("server"), Some(temporary))
            }
        };
        let address = free_address().map_err(|error| Failed::harness(step, error))?;
        let mut init = Command::new(&program);
        init.arg("init")
            .arg(&folder)
            .args(["--json", "--listen", &address.to_string()]);
        init.arg("--origin");
        init.arg(options.origin.unwrap_or_else(|| address.to_string()));
        if options.open {
            init.arg("--open");
        }
        let made = finish(&mut init)?;
        let mut server = Self {
            program,
            folder,
            address,
            pin: text(&made, "pin")?,
            log: options.log,
            ready: None,
            hours_ahead: 0,
            child: None,
            _temporary: temporary,
        };
        server.change_settings(&options.settings)?;
        Ok(server)
    }

    /// Changes settings of a server that is not running.
    ///
    /// # Errors
    /// If the settings file can't be read or written.
    pub fn change_settings(&mut self, settings: &[(String, String, toml::Value)]) -> Outcome {
        if settings.is_empty() {
            return Ok(());
        }
        let path = self.folder.join("undertone-server.toml");
        let step = "changing the server's settings";
        let found = fs::read_to_string(&path).map_err(|error| Failed::harness(step, error))?;
        let mut table: toml::Table = found
            .parse()
            .map_err(|error| Failed::harness(step, error))?;
        for (section, key, value) in settings {
            let place = if section.is_empty() {
                Some(&mut table)
            } else {
                table
                    .entry(section.as_str())
                    .or_insert_with(|| toml::Table::new().into())
                    .as_table_mut()
            };
            let place =
                place.ok_or_else(|| Failed::harness(step, format!("{section} is no table.")))?;
            place.insert(key.clone(), value.clone());
        }
        fs::write(&path, table.to_string()).map_err(|error| Failed::harness(step, error))
    }

    /// Starts the server that was stopped or killed, on the same port and the same folder.
    ///
    /// # Errors
    /// What it says if it does not become ready.
    pub fn run(&mut self) -> Outcome {
        let step = "starting the server";
        if self.child.is_some() {
            return Err(Failed::harness(step, "it runs already."));
        }
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log_path());
        let log = log.map_err(|error| Failed::harness(step, error))?;
        let level = match self.log {
            LogLevel::Debug => "debug",
            LogLevel::Info => "info",
        };
        let mut child = Command::new(&self.program)
            .arg("run")
            .arg(&self.folder)
            .args([
                "--json",
                "--log",
                level,
                "--listen",
                &self.address.to_string(),
            ])
            .env(CLOCK, (self.hours_ahead * 3600).to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .map_err(|error| Failed::harness(step, error))?;
        let said = first_line(&mut child);
        self.child = Some(child);
        match said {
            Some(line) => {
                self.ready = Some(
                    serde_json::from_str(&line).map_err(|error| Failed::harness(step, error))?,
                );
                Ok(())
            }
            None => {
                self.kill9();
                let log = self.log_text();
                let last = log.lines().last().unwrap_or("it said nothing.").to_owned();
                Err(Failed::harness(step, last))
            }
        }
    }

    /// When it starts again, its clock is so many hours ahead of the machine's. Debug builds only.
    pub fn moves_ahead(&mut self, hours: u64) {
        self.hours_ahead = hours;
    }

    /// Ends the process at once, as a power cut would: SIGKILL.
    pub fn kill9(&mut self) {
        if let Some(mut child) = self.child.take() {
            // A child that has ended already can't be killed, and that is as well.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Kills it and starts it again.
    ///
    /// # Errors
    /// As [`ServerProcess::run`].
    pub fn restart_after_kill9(&mut self) -> Outcome {
        self.kill9();
        self.run()
    }

    /// Ends the process in order (SIGTERM) and waits until it is gone.
    ///
    /// # Errors
    /// If it does not stop in time or ends with another exit code than 0.
    pub fn stop(&mut self) -> Outcome {
        let step = "stopping the server";
        let Some(mut child) = self.child.take() else {
            return Ok(());
        };
        rustix::process::kill_process(
            rustix::process::Pid::from_child(&child),
            rustix::process::Signal::TERM,
        )
        .map_err(|error| Failed::harness(step, error))?;
        let ended = eventually(PATIENCE, step, || {
            child
                .try_wait()
                .map_err(|error| Failed::harness(step, error))
        });
        match ended {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(Failed::harness(step, format!("it ended with {status}."))),
            Err(failed) => {
                let _ = child.kill();
                let _ = child.wait();
                Err(failed)
            }
        }
    }

    /// Makes an invitation for that many devices.
    ///
    /// # Errors
    /// What the server says.
    pub fn invitation(&self, uses: u32) -> Outcome<String> {
        let made = self.admin(&["invite", "create"], &["--uses", &uses.to_string()])?;
        text(&made, "invitation")
    }

    /// Counts and sizes, as `undertone-server status` shows them.
    ///
    /// # Errors
    /// What the server says.
    pub fn status(&self) -> Outcome<Value> {
        self.admin(&["status"], &[])
    }

    /// Runs an administrator's command on this server's folder; gives its answer.
    ///
    /// # Errors
    /// What it says.
    pub fn admin(&self, command: &[&str], options: &[&str]) -> Outcome<Value> {
        finish(
            Command::new(&self.program)
                .args(command)
                .arg(&self.folder)
                .args(options)
                .arg("--json"),
        )
    }

    /// The folder that holds keys, settings and data.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The folder that holds what the server stores for others.
    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The pin of its identity key.
    pub fn pin(&self) -> &str {
        &self.pin
    }

    /// `ORIGIN+PIN`, which is enough for a server with open registration.
    pub fn origin_and_pin(&self) -> String {
        format!("{}+{}", self.address, self.pin)
    }

    /// What it printed when it was ready.
    pub fn ready(&self) -> Option<&Value> {
        self.ready.as_ref()
    }

    /// Its process id, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Where its log goes: beside its folder, and not in it.
    pub fn log_path(&self) -> PathBuf {
        self.folder.with_extension("log")
    }

    /// All that it has logged.
    pub fn log_text(&self) -> String {
        fs::read(self.log_path())
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        self.kill9();
    }
}

/// A free loopback port outside of the range that outgoing connections take theirs from, so that it is still free
/// when a killed server comes back.
fn free_address() -> std::io::Result<SocketAddr> {
    let mut last = std::io::Error::other("no free port");
    for _ in 0..100 {
        let address = SocketAddr::from(([127, 0, 0, 1], rand::random_range(18_000..32_000)));
        match TcpListener::bind(address) {
            Ok(_) => return Ok(address),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// The first line of the child's standard output; none if it ends or the time is over without one.
fn first_line(child: &mut Child) -> Option<String> {
    let output = child.stdout.take()?;
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut lines = BufReader::new(output).lines();
        if let Some(Ok(line)) = lines.next() {
            // The test may have given up waiting.
            let _ = sender.send(line);
        }
        // Whatever follows is read, so that the child never waits for a reader.
        lines.for_each(drop);
    });
    receiver.recv_timeout(PATIENCE).ok()
}

/// Runs a command of the server's to its end.
fn finish(command: &mut Command) -> Outcome<Value> {
    let arguments = command
        .get_args()
        .map(|argument| argument.to_string_lossy().into_owned())
        .collect::<Vec<_>>();
    let step = format!("undertone-server {}", arguments.join(" "));
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| Failed::harness(&step, error))?;
    if output.status.success() {
        return serde_json::from_slice(&output.stdout)
            .map_err(|error| Failed::harness(step, error));
    }
    Err(said(step, &output.stderr, output.status.code()))
}

/// A failure as a program printed it on standard error with `--json`.
pub(crate) fn said(step: String, stderr: &[u8], exit: Option<i32>) -> Failed {
    let printed = String::from_utf8_lossy(stderr);
    let found = printed
        .lines()
        .rev()
        .find_map(|line| serde_json::from_str::<Value>(line).ok());
    let found = found.map(|value| value.get("error").cloned().unwrap_or(value));
    let field = |name: &str| {
        found
            .as_ref()
            .and_then(|value| value[name].as_str())
            .map(str::to_owned)
    };
    Failed {
        step,
        code: field("code").unwrap_or_else(|| "unknown".to_owned()),
        sentence: field("sentence").unwrap_or_else(|| printed.trim().to_owned()),
        exit,
    }
}

/// A text field of a program's answer.
pub(crate) fn text(value: &Value, field: &str) -> Outcome<String> {
    let found = value[field].as_str().map(str::to_owned);
    found.ok_or_else(|| {
        Failed::harness(
            "reading an answer",
            format!("it has no text `{field}`: {value}"),
        )
    })
}

/// An empty file closed to others.
pub(crate) fn private_file(path: &Path) -> std::io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}
