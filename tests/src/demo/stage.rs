//! How the demo looks: chapters, steps that show that they are going on, and what the app prints.

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use console::style;
use indicatif::{ProgressBar, ProgressStyle};

use crate::failed::{Failed, Outcome};
use crate::person::Person;

/// Where the demo is shown.
#[derive(Clone, Default)]
pub struct Stage {
    stopping: Arc<AtomicBool>,
}

impl Stage {
    /// Asks the demo to end at the next step.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// Whether it was asked to end.
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// A heading, with a sentence about what comes.
    pub fn chapter(&self, title: &str, about: &str) {
        println!("\n{}", style(format!("== {title} ")).bold().cyan());
        if !about.is_empty() {
            self.say(about);
        }
    }

    /// Plain text, broken at the terminal's width.
    pub fn say(&self, text: &str) {
        for line in wrapped(text, width()) {
            println!("{line}");
        }
    }

    /// Something that takes a while: shown while it goes on, and ticked off with the time it took.
    ///
    /// # Errors
    /// What it says, or that the demo was asked to end.
    pub fn step<T>(&self, what: &str, act: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
        if self.is_stopping() {
            return Err(Failed::harness("the demo", "it was asked to end."));
        }
        let begun = Instant::now();
        let bar = std::io::stderr().is_terminal().then(|| spinner(what));
        let done = act();
        if let Some(bar) = bar {
            bar.finish_and_clear();
        }
        if done.is_ok() {
            let seconds = begun.elapsed().as_secs_f32();
            println!(
                "  {} {what} {}",
                style("✓").green(),
                style(format!("({seconds:.1} s)")).dim()
            );
        }
        done
    }

    /// Runs one of a person's commands and lets the app print, in colour where it can.
    ///
    /// # Errors
    /// If it does not succeed.
    pub fn show(&self, person: &Person, arguments: &[&str]) -> Outcome {
        self.shown(person, arguments, Stdio::inherit()).map(drop)
    }

    /// The same, and gives what it printed.
    ///
    /// # Errors
    /// If it does not succeed.
    pub fn show_and_keep(&self, person: &Person, arguments: &[&str]) -> Outcome<String> {
        let printed = self.shown(person, arguments, Stdio::piped())?;
        print!("{printed}");
        Ok(printed)
    }

    fn shown(&self, person: &Person, arguments: &[&str], output: Stdio) -> Outcome<String> {
        let quoted: Vec<_> = arguments.iter().map(|argument| quoted(argument)).collect();
        let line = format!("undertone {}", quoted.join(" "));
        let prompt = style(format!("{} $", person.name())).bold().magenta();
        println!("\n{prompt} {}", style(&line).bold());
        let step = format!("{}: {line}", person.name());
        let failed = |error: std::io::Error| Failed::harness(&step, error);
        std::io::stdout().flush().map_err(failed)?;
        let mut command = person.command_for_people();
        command
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(Stdio::inherit());
        let output = command
            .spawn()
            .and_then(std::process::Child::wait_with_output)
            .map_err(failed)?;
        if output.status.success() {
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        } else {
            Err(Failed::harness(
                &step,
                format!("it ended with {}.", output.status),
            ))
        }
    }

    /// Commands to copy.
    pub fn commands(&self, lines: &[String]) {
        for line in lines {
            println!("  {line}");
        }
    }

    /// A line that ends well, or not.
    pub fn verdict(&self, good: bool, text: &str) {
        let mark = if good {
            style("✓").green()
        } else {
            style("✗").red()
        };
        for (number, line) in wrapped(text, width().saturating_sub(4))
            .into_iter()
            .enumerate()
        {
            if number == 0 {
                println!("  {mark} {line}");
            } else {
                println!("    {line}");
            }
        }
    }
}

/// Columns of the terminal, or of a page where there is none.
pub fn width() -> usize {
    console::Term::stdout()
        .size_checked()
        .map_or(100, |(_, columns)| usize::from(columns).clamp(60, 120))
}

/// As a shell takes it.
pub fn quoted(argument: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "/._-+:=".contains(letter);
    if !argument.is_empty() && argument.chars().all(plain) {
        argument.to_owned()
    } else {
        format!("'{}'", argument.replace('\'', "'\\''"))
    }
}

/// A path as a shell takes it.
pub fn quoted_path(path: &Path) -> String {
    quoted(&path.display().to_string())
}

fn spinner(what: &str) -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("  {spinner:.cyan} {msg} {elapsed:.dim}") {
        bar.set_style(style.tick_chars("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏ "));
    }
    bar.set_message(what.to_owned());
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let full = lines.last().is_some_and(|line| {
            !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width
        });
        if full {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_can_be_pasted() {
        assert_eq!(quoted("read"), "read");
        assert_eq!(quoted("It's"), "'It'\\''s'");
        assert_eq!(quoted(""), "''");
    }

    #[test]
    fn text_is_broken_between_words() {
        assert_eq!(wrapped("one two  three", 8), ["one two", "three"]);
        assert_eq!(wrapped("incomprehensible", 4), ["incomprehensible"]);
    }
}
