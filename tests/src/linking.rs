//! Two devices of one person: the commands that run on both, and what is typed in between.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use serde_json::Value;

use crate::failed::{Failed, Outcome};
use crate::person::Person;

/// A command that says something, waits for an answer, and goes on.
pub struct Talking {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    step: String,
}

impl Talking {
    /// Starts a command of this person.
    ///
    /// # Errors
    /// If the app can't be started.
    pub fn start(person: &Person, arguments: &[&str]) -> Outcome<Self> {
        let step = format!("{}: undertone {}", person.name(), arguments.join(" "));
        let failed = |what: String| Failed::harness(step.clone(), what);
        let mut child = person
            .command()
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .map_err(|error| failed(error.to_string()))?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(failed("no pipes".to_owned()));
        };
        Ok(Self {
            child,
            input,
            output: BufReader::new(output),
            step,
        })
    }

    /// The next thing it says.
    ///
    /// # Errors
    /// If it ends instead.
    pub fn says(&mut self) -> Outcome<Value> {
        let mut line = String::new();
        let read = self.output.read_line(&mut line);
        read.map_err(|error| Failed::harness(self.step.clone(), error))?;
        serde_json::from_str(&line)
            .map_err(|_| Failed::harness(self.step.clone(), "it ended without saying more"))
    }

    /// Types a line.
    ///
    /// # Errors
    /// If it has ended.
    pub fn is_told(&mut self, line: &str) -> Outcome {
        writeln!(self.input, "{line}").map_err(|error| Failed::harness(self.step.clone(), error))
    }

    /// Waits for its end; whether it ended well.
    ///
    /// # Errors
    /// If it can't be waited for.
    pub fn ends(mut self) -> Outcome<bool> {
        drop(self.input);
        let status = self.child.wait();
        Ok(status
            .map_err(|error| Failed::harness(self.step, error))?
            .success())
    }

    /// Pulls the plug.
    ///
    /// # Errors
    /// If it can't be killed.
    pub fn is_killed(mut self) -> Outcome {
        let killed = self.child.kill().and_then(|()| self.child.wait());
        killed
            .map(|_| ())
            .map_err(|error| Failed::harness(self.step, error))
    }
}

/// Starts `init --link` for a new device; gives its command and the code that it shows.
///
/// # Errors
/// What the app says.
pub fn shows_a_code(new: &Person, origin: &str) -> Outcome<(Talking, String)> {
    let mut command = Talking::start(
        new,
        &[
            "init",
            "--link",
            "--server",
            origin,
            "--device-name",
            "Laptop",
        ],
    )?;
    let code = command.says()?["code"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    Ok((command, code))
}

/// Links `new` to the account of `old`, as a person does who types yes on both.
///
/// # Errors
/// What the app says, or that the words differ.
pub fn link(old: &Person, new: &Person, origin: &str) -> Outcome {
    link_with(old, new, origin, &["devices", "link", "-"])
}

/// The same, with other arguments of the old device's command.
///
/// # Errors
/// What the app says, or that the words differ.
pub fn link_with(old: &Person, new: &Person, origin: &str, arguments: &[&str]) -> Outcome {
    let (mut there, code) = shows_a_code(new, origin)?;
    let mut here = Talking::start(old, arguments)?;
    here.is_told(&code)?;
    let (one, other) = (here.says()?, there.says()?);
    if one["words"] != other["words"] || one["words"].as_str().is_none_or(str::is_empty) {
        return Err(Failed::harness("linking", "the words are not the same"));
    }
    there.is_told("yes")?;
    here.is_told("yes")?;
    match (here.ends()?, there.ends()?) {
        (true, true) => Ok(()),
        _ => Err(Failed::harness("linking", "a command failed")),
    }
}
