//! A person: a home folder and the real app, run one command at a time or left watching.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::binaries::binary;
use crate::failed::{Failed, Outcome};
use crate::keyring::DesktopKeyring;
use crate::server_process::{CLOCK, private_file, said, text};
use crate::waiting::eventually;

/// What every test person's passphrase is; a search for it on disk must find nothing but its own file.
pub const PASSPHRASE: &str = "correct horse battery staple";

/// Somebody with the app.
pub struct Person {
    program: PathBuf,
    name: String,
    folder: PathBuf,
    cheap: bool,
    fast: bool,
    by_reference: bool,
    hours_ahead: AtomicU64,
    options: Vec<String>,
    bus: Option<String>,
    _temporary: Option<TempDir>,
}

impl Person {
    /// Somebody with a new home in a temporary folder, registered at the server by an invitation or `ORIGIN+PIN`.
    /// The home's passphrase costs nothing to guess, which release builds refuse.
    ///
    /// # Errors
    /// What the app says, or that it is not built.
    pub fn join(name: &str, server: &str) -> Outcome<Self> {
        Self::join_at_pace(name, server, false, &[])
    }

    /// The same, with options that every command gets from the first on, such as `-vv`.
    ///
    /// # Errors
    /// As [`Person::join`].
    pub fn join_with(name: &str, server: &str, options: &[&str]) -> Outcome<Self> {
        Self::join_at_pace(name, server, false, options)
    }

    /// The same, and with an app whose waits are moments, such as those between attempts to connect. Debug builds only.
    ///
    /// # Errors
    /// As [`Person::join`].
    pub fn join_hurried(name: &str, server: &str) -> Outcome<Self> {
        Self::join_at_pace(name, server, true, &[])
    }

    fn join_at_pace(name: &str, server: &str, fast: bool, options: &[&str]) -> Outcome<Self> {
        let temporary = tempfile::Builder::new()
            .prefix("undertone-person-")
            .tempdir();
        let temporary =
            temporary.map_err(|error| Failed::harness("making a person's folder", error))?;
        let mut person = Self::at(name, temporary.path())?.with_options(options);
        person._temporary = Some(temporary);
        person.cheap = true;
        person.fast = fast;
        person.init(server)?;
        Ok(person)
    }

    /// Somebody whose files are in an existing folder of their own; the home may still have to be made.
    ///
    /// # Errors
    /// If the app is not built or the folder can't be written.
    pub fn at(name: &str, folder: &Path) -> Outcome<Self> {
        let person = Self {
            program: binary("undertone")?,
            name: name.to_owned(),
            folder: folder.to_owned(),
            cheap: false,
            fast: false,
            by_reference: false,
            hours_ahead: AtomicU64::new(0),
            options: Vec::new(),
            bus: None,
            _temporary: None,
        };
        let passphrase = person.passphrase_file();
        if !passphrase.exists() {
            let written =
                private_file(&passphrase).and_then(|mut file| writeln!(file, "{PASSPHRASE}"));
            written.map_err(|error| Failed::harness("writing a passphrase file", error))?;
        }
        Ok(person)
    }

    /// Options that every command of this person gets, such as `--proxy`.
    #[must_use]
    pub fn with_options(mut self, options: &[&str]) -> Self {
        self.options
            .extend(options.iter().map(|option| (*option).to_owned()));
        self
    }

    /// On a desktop with a keyring.
    #[must_use]
    pub fn at_desktop(mut self, keyring: &DesktopKeyring) -> Self {
        self.bus = Some(keyring.bus());
        self
    }

    /// With an app that puts every change and Welcome into a blob, as it does with those of large groups. Debug builds only.
    #[must_use]
    pub fn with_all_by_reference(mut self) -> Self {
        self.by_reference = true;
        self
    }

    /// With a passphrase that costs nothing to guess. Debug builds only; the home is marked.
    #[must_use]
    pub fn with_cheap_passphrase(mut self) -> Self {
        self.cheap = true;
        self
    }

    /// With an app whose waits are moments. Debug builds only.
    #[must_use]
    pub fn hurried(mut self) -> Self {
        self.fast = true;
        self
    }

    /// Makes the home.
    ///
    /// # Errors
    /// What the app says.
    pub fn init(&self, server: &str) -> Outcome<Value> {
        let recovery = self.recovery_file();
        let arguments = [
            "init",
            "--server",
            "-",
            "--name",
            &self.name,
            "--recovery-file",
        ]
        .map(OsStr::new);
        self.run_with_input(arguments.into_iter().chain([recovery.as_os_str()]), server)
    }

    /// The person's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The home folder.
    pub fn home(&self) -> PathBuf {
        self.folder.join("home")
    }

    /// Where the recovery phrase is.
    pub fn recovery_file(&self) -> PathBuf {
        self.folder.join("recovery.txt")
    }

    /// Where the passphrase is.
    pub fn passphrase_file(&self) -> PathBuf {
        self.folder.join("passphrase.txt")
    }

    /// Where the app's log of all commands goes.
    pub fn log_path(&self) -> PathBuf {
        self.folder.join("app.log")
    }

    /// The app with this person's home and passphrase, answering in JSON; add a command to it.
    pub fn command(&self) -> Command {
        let mut command = self.command_for_people();
        command.arg("--json");
        command
    }

    /// The same, answering as it answers people.
    pub fn command_for_people(&self) -> Command {
        let mut command = Command::new(&self.program);
        command
            .arg("--home")
            .arg(self.home())
            .arg("--passphrase-file")
            .arg(self.passphrase_file());
        command.args(&self.options);
        command.envs(
            self.bus
                .as_ref()
                .map(|bus| ("DBUS_SESSION_BUS_ADDRESS", bus)),
        );
        if self.cheap {
            command.env("UNDERTONE_TEST_CHEAP_KDF", "1");
        }
        if self.fast {
            command.env("UNDERTONE_TEST_PACE", "fast");
        }
        let hours = self.hours_ahead.load(Ordering::Relaxed);
        if hours > 0 {
            command.env(CLOCK, (hours * 3600).to_string());
        }
        if self.by_reference {
            command.env("UNDERTONE_TEST_INLINE_MAX", "0");
        }
        command
    }

    /// From now on this person's clock is so many hours ahead of the machine's. Debug builds only.
    pub fn moves_ahead(&self, hours: u64) {
        self.hours_ahead.store(hours, Ordering::Relaxed);
    }

    /// Runs a command to its end and gives its answer.
    ///
    /// # Errors
    /// What the app says.
    pub fn run<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Outcome<Value> {
        self.run_with_input(arguments, "")
    }

    /// The same with something on standard input, for what must not stand in arguments.
    ///
    /// # Errors
    /// What the app says.
    pub fn run_with_input<A: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = A>,
        input: &str,
    ) -> Outcome<Value> {
        let arguments: Vec<_> = arguments
            .into_iter()
            .map(|argument| argument.as_ref().to_owned())
            .collect();
        let shown: Vec<_> = arguments
            .iter()
            .map(|argument| argument.to_string_lossy())
            .collect();
        let step = format!("{}: undertone {}", self.name, shown.join(" "));
        let failed = |error: std::io::Error| Failed::harness(&step, error);
        let mut child = self
            .command()
            .args(&arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        if let Some(mut stdin) = child.stdin.take() {
            // A command that reads no input may have closed it.
            let _ = stdin.write_all(input.as_bytes());
        }
        let output = child.wait_with_output().map_err(failed)?;
        let logged = self.log().and_then(|mut log| log.write_all(&output.stderr));
        logged.map_err(failed)?;
        if output.status.success() {
            return serde_json::from_slice(&output.stdout)
                .map_err(|error| Failed::harness(&step, error));
        }
        Err(said(step, &output.stderr, output.status.code()))
    }

    fn log(&self) -> std::io::Result<File> {
        OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log_path())
    }

    /// Makes a contact link for one person.
    ///
    /// # Errors
    /// What the app says.
    pub fn link(&self) -> Outcome<String> {
        text(&self.run(["link"])?, "uri")
    }

    /// Adds a contact by their link; gives what came of it.
    ///
    /// # Errors
    /// What the app says.
    pub fn add(&self, link: &str) -> Outcome<Value> {
        self.run_with_input(["add", "-"], link)
    }

    /// Becomes a contact of somebody, both sides up to date at the end.
    ///
    /// # Errors
    /// What either side's app says, or that it did not come about within a minute.
    pub fn meet(&self, other: &Self) -> Outcome {
        self.add(&other.link()?)?;
        other.waits_for_contact(&self.name)?;
        self.waits_for_contact(&other.name)
    }

    /// Looks again and again until somebody is a contact to whom messages can go.
    ///
    /// # Errors
    /// What the app says, or that it did not come about within a minute.
    pub fn waits_for_contact(&self, name: &str) -> Outcome {
        let what = format!("{} and {name} becoming contacts", self.name);
        eventually(Duration::from_secs(60), &what, || {
            Ok(self.has_ready_contact(name)?.then_some(()))
        })
    }

    fn has_ready_contact(&self, name: &str) -> Outcome<bool> {
        let contacts = self.run(["contacts"])?;
        let ready = |contact: &Value| contact["name"] == name && contact["state"] == "ready";
        Ok(contacts
            .as_array()
            .is_some_and(|contacts| contacts.iter().any(ready)))
    }

    /// Sends a text; gives the message's id and whether the server has it.
    ///
    /// # Errors
    /// What the app says.
    pub fn send(&self, chat: &str, words: &str) -> Outcome<Value> {
        self.run(["send", chat, words])
    }

    /// Sends a file.
    ///
    /// # Errors
    /// What the app says.
    pub fn send_file(&self, chat: &str, file: &Path) -> Outcome<Value> {
        let arguments = [
            OsStr::new("send"),
            OsStr::new(chat),
            OsStr::new("--attach"),
            file.as_os_str(),
        ];
        self.run(arguments)
    }

    /// The chat's lines as the app gives them, oldest first.
    ///
    /// # Errors
    /// What the app says.
    pub fn read(&self, chat: &str) -> Outcome<Vec<Value>> {
        let shown = self.run(["read", chat, "--limit", "10000"])?;
        let messages = shown["messages"].as_array().cloned();
        messages.ok_or_else(|| {
            Failed::harness(
                "reading a chat",
                format!("there are no messages in {shown}"),
            )
        })
    }

    /// The texts that people wrote in a chat, oldest first, without notices.
    ///
    /// # Errors
    /// What the app says.
    pub fn texts(&self, chat: &str) -> Outcome<Vec<String>> {
        let written = |line: &Value| line["kind"] == "message";
        let lines = self.read(chat)?;
        Ok(lines
            .iter()
            .filter(|line| written(line))
            .filter_map(|line| line["text"].as_str().map(str::to_owned))
            .collect())
    }

    /// Reads a chat again and again until it says what it should.
    ///
    /// # Errors
    /// What the app says, or after `limit` what the chat says instead.
    pub fn reads_eventually(&self, chat: &str, expected: &[&str], limit: Duration) -> Outcome {
        let end = Instant::now() + limit;
        loop {
            // Somebody who has not been let in yet has no such chat.
            let found = match self.texts(chat) {
                Ok(found) => found,
                Err(failed) if failed.code == "chat.unknown" => Vec::new(),
                Err(failed) => return Err(failed),
            };
            if found == expected {
                return Ok(());
            }
            if Instant::now() >= end {
                let step = format!("{} reading {chat}", self.name);
                return Err(Failed::harness(
                    step,
                    format!("{expected:?} expected within {limit:?}, {found:?} found."),
                ));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Saves a message's first file.
    ///
    /// # Errors
    /// What the app says.
    pub fn save(&self, chat: &str, message: &str, file: &Path) -> Outcome<Value> {
        self.run([
            OsStr::new("save"),
            OsStr::new(chat),
            OsStr::new(message),
            file.as_os_str(),
        ])
    }

    /// Leaves the app running and listening.
    ///
    /// # Errors
    /// If it can't be started.
    pub fn watch(&self) -> Outcome<Watching> {
        let step = format!("{}: undertone watch", self.name);
        let (child, events) = self.left_running(&step, "watch", Stdio::null())?;
        Ok(Watching {
            step,
            child,
            events,
        })
    }

    /// The app in the middle of a command, and what it says, one JSON value a line.
    pub(crate) fn left_running(
        &self,
        step: &str,
        command: &str,
        input: Stdio,
    ) -> Outcome<(Child, Receiver<Value>)> {
        let failed = |error: std::io::Error| Failed::harness(step, error);
        let log = self.log().map_err(failed)?;
        let mut child = self
            .command()
            .arg(command)
            .stdin(input)
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .map_err(failed)?;
        let (sender, said) = mpsc::channel();
        if let Some(output) = child.stdout.take() {
            std::thread::spawn(move || {
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    if let Ok(value) = serde_json::from_str::<Value>(&line)
                        && sender.send(value).is_err()
                    {
                        break;
                    }
                }
            });
        }
        Ok((child, said))
    }
}

/// A running `undertone watch`.
pub struct Watching {
    step: String,
    child: Child,
    events: Receiver<Value>,
}

impl Watching {
    /// The next event that is wanted; others are passed over.
    ///
    /// # Errors
    /// If none comes in time, or the app ends.
    pub fn event(
        &self,
        limit: Duration,
        what: &str,
        wanted: impl Fn(&Value) -> bool,
    ) -> Outcome<Value> {
        let end = Instant::now() + limit;
        loop {
            match self
                .events
                .recv_timeout(end.saturating_duration_since(Instant::now()))
            {
                Ok(event) if wanted(&event) => return Ok(event),
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => {
                    return Err(Failed::harness(
                        &self.step,
                        format!("{what} did not come within {limit:?}."),
                    ));
                }
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Failed::harness(
                        &self.step,
                        format!("it ended before {what} came."),
                    ));
                }
            }
        }
    }

    /// The next message with that text.
    ///
    /// # Errors
    /// As [`Watching::event`].
    pub fn message(&self, text: &str, limit: Duration) -> Outcome<Value> {
        self.event(limit, &format!("the message {text:?}"), |event| {
            event["event"] == "message" && event["message"]["text"] == text
        })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends it at once: SIGKILL.
    pub fn kill9(&mut self) {
        // A child that has ended already can't be killed, and that is as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Waits until it ends by itself; gives its exit code.
    ///
    /// # Errors
    /// If it does not end in time.
    pub fn ends_with(&mut self, limit: Duration) -> Outcome<Option<i32>> {
        let step = self.step.clone();
        let child = &mut self.child;
        let ended = eventually(limit, "its end", || {
            child
                .try_wait()
                .map_err(|error| Failed::harness(&step, error))
        })?;
        Ok(ended.code())
    }

    /// Ends it in order, so that the home is free for others.
    ///
    /// # Errors
    /// If it does not end within 30 seconds.
    pub fn stop(mut self) -> Outcome {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM)
            .map_err(|error| Failed::harness(&self.step, error))?;
        let step = self.step.clone();
        let child = &mut self.child;
        eventually(Duration::from_secs(30), &step, || {
            child
                .try_wait()
                .map_err(|error| Failed::harness(&step, error))
        })
        .map(|_| ())
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.kill9();
    }
}
