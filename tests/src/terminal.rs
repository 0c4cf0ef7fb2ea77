//! A program at a terminal, as somebody who sits there has it: asked, typed to, and read.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::failed::{Failed, Outcome};
use crate::waiting::eventually;

const PATIENCE: Duration = Duration::from_secs(60);
/// From a question to the moment at which what is typed is not shown any more.
const BEFORE_TYPING: Duration = Duration::from_millis(400);

/// The program, and all that the terminal showed.
pub struct Terminal {
    child: Child,
    keyboard: ChildStdin,
    shown: Arc<Mutex<Vec<u8>>>,
    /// Up to where it was waited for.
    read: usize,
}

impl Terminal {
    /// Starts a program at a terminal of its own, made by `script` of util-linux.
    ///
    /// # Errors
    /// If it can't be started.
    pub fn start(
        program: &Path,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Outcome<Self> {
        let step = "starting a program at a terminal";
        let failed = |error: std::io::Error| Failed::harness(step, error);
        let mut line = quoted(&program.display().to_string());
        for argument in arguments {
            line.push(' ');
            line.push_str(&quoted(argument));
        }
        let mut child = Command::new("script")
            .args(["--quiet", "--return", "--command", &line, "/dev/null"])
            .envs(environment.iter().copied())
            .env("TERM", "xterm")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(failed)?;
        let missing = || Failed::harness(step, "it has no standard streams.");
        let keyboard = child.stdin.take().ok_or_else(missing)?;
        let mut screen = child.stdout.take().ok_or_else(missing)?;
        let shown = Arc::new(Mutex::new(Vec::new()));
        let filled = Arc::clone(&shown);
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(length @ 1..) = screen.read(&mut bytes) {
                let mut filled = filled.lock().unwrap_or_else(PoisonError::into_inner);
                filled.extend_from_slice(&bytes[..length]);
            }
        });
        Ok(Self {
            child,
            keyboard,
            shown,
            read: 0,
        })
    }

    /// All that was shown so far.
    pub fn shown(&self) -> String {
        let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&shown).into_owned()
    }

    /// Waits until it shows these words, after those that were waited for before, and gives what came in between.
    ///
    /// # Errors
    /// If it does not.
    pub fn asks(&mut self, words: &str) -> Outcome<String> {
        let found = eventually(PATIENCE, words, || {
            let shown = self.shown();
            let fresh = shown.get(self.read..).unwrap_or_default();
            Ok(fresh.find(words).map(|at| at + words.len()))
        });
        let length = found.map_err(|failed| Failed::harness(failed.step, self.shown()))?;
        let fresh = self.shown()[self.read..][..length].to_owned();
        self.read += length;
        Ok(fresh)
    }

    /// Types a line.
    ///
    /// # Errors
    /// If nobody takes it.
    pub fn types(&mut self, line: &str) -> Outcome {
        std::thread::sleep(BEFORE_TYPING);
        self.keyboard
            .write_all(format!("{line}\r").as_bytes())
            .and_then(|()| self.keyboard.flush())
            .map_err(|error| Failed::harness("typing", error))
    }

    /// Waits for its end; gives how it ended and all that it showed.
    ///
    /// # Errors
    /// If it does not end.
    pub fn ends(mut self) -> Outcome<(ExitStatus, String)> {
        let status = eventually(PATIENCE, "the program's end", || {
            self.child
                .try_wait()
                .map_err(|error| Failed::harness("waiting", error))
        })?;
        // What came last may still be on its way.
        std::thread::sleep(Duration::from_millis(100));
        Ok((status, self.shown()))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // One that has ended can't be killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A word of a shell's command line.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}
