//! How results leave: lines for people, one JSON value for scripts, failures on standard error.

use std::io::{self, IsTerminal, Write};

use serde_json::{Value, json};

use super::args::Global;
use crate::{
    failure::Failure,
    terminal::{Screen, single_line, time::Clock, width::wrap},
};

/// A command's result, in both forms. Made whole before anything is printed.
pub struct Outcome {
    /// For `--json`.
    pub json: Value,
    /// For people.
    pub lines: Vec<String>,
    /// For people, beside the result: on standard error.
    pub notes: Vec<String>,
    is_prose: bool,
}

impl Outcome {
    /// A result with its JSON and its lines.
    #[must_use]
    pub fn new(json: Value, lines: Vec<String>) -> Self {
        Self {
            json,
            lines,
            notes: Vec::new(),
            is_prose: false,
        }
    }

    /// A result said in sentences, which are broken at the terminal's width.
    #[must_use]
    pub fn prose(json: Value, sentences: Vec<String>) -> Self {
        Self {
            is_prose: true,
            ..Self::new(json, sentences)
        }
    }

    /// A result of one sentence.
    #[must_use]
    pub fn line(json: Value, sentence: impl Into<String>) -> Self {
        Self::prose(json, vec![sentence.into()])
    }

    /// With notes on standard error.
    #[must_use]
    pub fn with_notes(mut self, notes: impl IntoIterator<Item = String>) -> Self {
        self.notes.extend(notes);
        self
    }
}

/// Where and how to print.
pub struct Output {
    json: bool,
    /// What the terminal can do.
    pub screen: Screen,
    /// The reader's zone and time.
    pub clock: Clock,
}

impl Output {
    /// As the options and the terminal say.
    #[must_use]
    pub fn new(options: &Global) -> Self {
        Self {
            json: options.json,
            screen: Screen::of_stdout(),
            clock: Clock::system(),
        }
    }

    /// Prints a result. A reader that went away is no failure.
    ///
    /// # Errors
    /// `file.*` if standard output can't be written.
    pub fn print(&self, outcome: &Outcome) -> Result<(), Failure> {
        let text = if self.json {
            let mut text = outcome.json.to_string();
            text.push('\n');
            text
        } else {
            for note in &outcome.notes {
                let _ = writeln!(io::stderr(), "{note}");
            }
            let mut text = String::new();
            for line in &outcome.lines {
                // Nobody reads a pipe's width: there a sentence stays on one line, for grep.
                if outcome.is_prose && self.screen.is_terminal {
                    for part in wrap(line, self.screen.width) {
                        text = text + &part + "\n";
                    }
                } else {
                    text = text + line + "\n";
                }
            }
            text
        };
        write_stdout(text.as_bytes()).map(|_| ())
    }

    /// Whether people, not scripts, read standard error.
    #[must_use]
    pub fn shows_progress(&self) -> bool {
        !self.json && io::stderr().is_terminal()
    }
}

/// Writes to standard output; false if nobody reads it any more.
///
/// # Errors
/// `file.*` if it can't be written for another reason.
pub fn write_stdout(bytes: &[u8]) -> Result<bool, Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(Failure::file("Standard output", &error)),
    }
}

/// Prints a failure on standard error: one sentence and any choices, or one JSON line.
pub fn print_failure(json: bool, failure: &Failure) {
    let mut err = io::stderr().lock();
    // Standard error may be gone; then there is nobody to tell.
    if json {
        let _ = writeln!(err, "{}", json!({"error": failure.to_json()}));
        return;
    }
    let _ = writeln!(err, "undertone: {}", single_line(&failure.sentence));
    for choice in &failure.choices {
        let _ = writeln!(err, "  {choice}");
    }
}
