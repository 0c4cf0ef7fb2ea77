//! `./dev seizure`: the seizure drill, with what it proves and what a copied disk gives away.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use clap::Parser;
use undertone_tests::Outcome;
use undertone_tests::seizure::{self, learned};

/// Six people write messages through a real server; its disk is copied at six moments, and every byte is read.
#[derive(Parser)]
#[command(name = "undertone-seizure", version, max_term_width = 100)]
struct Arguments {
    /// How many messages, half of them to people who are away
    #[arg(long, default_value_t = 300)]
    messages: usize,
}

fn main() -> ExitCode {
    match drill(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failed) => {
            eprintln!("\nThe drill could not be done. {failed}");
            ExitCode::from(2)
        }
    }
}

/// Whether everything held.
fn drill(arguments: &Arguments) -> Outcome<bool> {
    let progress = Progress::default();
    let evidence = seizure::live(arguments.messages, &|step| progress.step(step))?;
    let findings = seizure::verdict(&evidence, &|step| progress.step(step))?;
    progress.done();

    println!("The disk was copied {} times:", evidence.copies.len());
    for copy in &evidence.copies {
        println!("  {}", copy.moment);
    }
    println!(
        "\n{} messages, {} of them waiting for somebody who was away.\n",
        evidence.messages, evidence.undelivered
    );
    for finding in &findings {
        let (mark, claim) = (
            if finding.against.is_empty() {
                "holds"
            } else {
                "FAILS"
            },
            finding.claim,
        );
        println!("{mark}  {claim}\n       ({})", finding.extent);
        for against in finding.against.iter().take(20) {
            println!("         {against}");
        }
    }
    let width = terminal_width();
    // While people write, and when the most is there.
    for copy in [&evidence.copies[1], &evidence.copies[3]] {
        println!("\nWhat is learned from the copy \"{}\":", copy.moment);
        println!(
            "{}",
            learned::table(&learned::from_disk(&copy.data())?, width)
        );
    }
    Ok(findings.iter().all(|finding| finding.against.is_empty()))
}

fn terminal_width() -> u16 {
    console::Term::stdout()
        .size_checked()
        .map_or(110, |(_, columns)| columns.clamp(60, 140))
}

/// Steps on standard error: one line that changes in a terminal, a line each elsewhere.
#[derive(Default)]
struct Progress {
    last: std::cell::RefCell<String>,
}

impl Progress {
    fn step(&self, step: &str) {
        let mut error = std::io::stderr().lock();
        if error.is_terminal() {
            // A closed standard error is no reason to stop.
            let _ = write!(error, "\r\x1b[2K{step} ...").and_then(|()| error.flush());
        } else if !step.starts_with(self.last.borrow().split(':').next().unwrap_or_default())
            || !step.contains(':')
        {
            let _ = writeln!(error, "{step} ...");
        }
        step.clone_into(&mut self.last.borrow_mut());
    }

    fn done(&self) {
        if std::io::stderr().is_terminal() {
            let _ = write!(std::io::stderr(), "\r\x1b[2K");
        }
    }
}
