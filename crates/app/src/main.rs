//! The `undertone` program: reads the command line, runs the command, says in one sentence what went wrong.

use std::{process::ExitCode, time::Duration};

use clap::{Parser, error::ErrorKind};
use tracing_subscriber::{EnvFilter, fmt};
use undertone_app::{
    cli::{args::Cli, output::print_failure},
    commands,
    failure::Failure,
};

/// How long threads may take to end.
const LAST_THREADS: Duration = Duration::from_secs(3);

fn main() -> ExitCode {
    if undertone_core::home::harden::process().is_err() {
        let failure = Failure::new(
            "home.harden",
            "Memory dumps of this process could not be turned off; nothing was opened.",
        );
        print_failure(false, &failure);
        return ExitCode::from(failure.exit_code());
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return refuse(&error),
    };
    let json = cli.global.json;
    log(cli.global.verbose);
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            print_failure(json, &Failure::file("The runtime", &error));
            return ExitCode::FAILURE;
        }
    };
    let result = runtime.block_on(commands::run(cli));
    // Threads that still use the store must end before the process does: leaving `main` runs the clean-up of the C libraries
    // under it. Only a read of standard input may never end; it touches none of them.
    runtime.shutdown_timeout(LAST_THREADS);
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            print_failure(json, &failure);
            ExitCode::from(failure.exit_code())
        }
    }
}

/// Help and version on standard output; a wrong command line as a failure like any other.
fn refuse(error: &clap::Error) -> ExitCode {
    let is_help = matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    );
    if !is_help && std::env::args_os().any(|argument| argument == "--json") {
        let text = error.to_string();
        let sentence = text
            .lines()
            .next()
            .unwrap_or_default()
            .trim_start_matches("error: ")
            .to_owned();
        print_failure(true, &Failure::usage(sentence));
    } else if error.print().is_err() {
        return ExitCode::FAILURE;
    }
    if is_help {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(2)
    }
}

/// Logs go to standard error and hold counts and codes, never names, ids or addresses. Only this project's own lines: what
/// a library would say is not known to be so.
fn log(verbosity: u8) {
    let level = match verbosity {
        0 => return,
        1 => "info",
        2 => "debug",
        _ => "trace",
    };
    let own = [
        "undertone_app",
        "undertone_core",
        "undertone_mls",
        "undertone_wire",
        "undertone_content",
    ];
    let filter = own.iter().fold(String::from("off"), |filter, name| {
        format!("{filter},{name}={level}")
    });
    fmt()
        .with_env_filter(EnvFilter::new(filter))
        .with_writer(std::io::stderr)
        .with_target(false)
        .init();
    tracing::debug!(target: "undertone_app", version = env!("CARGO_PKG_VERSION"), "logging");
}
