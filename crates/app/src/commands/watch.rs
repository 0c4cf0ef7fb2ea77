//! `undertone watch`: events, one JSON object a line, until interrupted.

use std::io::IsTerminal;

use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use undertone_core::Event;

use crate::{
    cli::{args::Global, output::write_stdout},
    failure::Failure,
    session::Session,
};

pub(super) async fn watch(options: &Global) -> Result<(), Failure> {
    let no_signals = |error: std::io::Error| Failure::file("Signals", &error);
    let mut interrupt = signal(SignalKind::interrupt()).map_err(no_signals)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(no_signals)?;
    let mut is_first = true;
    loop {
        let mut session = Session::open(options).await?;
        session.stay();
        session.subscribe().await?;
        if is_first {
            if !options.json && std::io::stderr().is_terminal() {
                eprintln!("Connected to the home; events follow. Ctrl-C ends.");
            }
        } else if !print(&Event::Lagged)? {
            // The home changed hands, and something may have happened in between.
            return session.close().await;
        }
        is_first = false;
        loop {
            tokio::select! {
                _ = interrupt.recv() => return session.close().await,
                _ = terminate.recv() => return session.close().await,
                event = session.event() => match event? {
                    Some(event) => if !print(&event)? { return session.close().await },
                    None if session.is_own() => return session.close().await,
                    None => break,
                },
            }
        }
    }
}

/// Prints one event; false when nobody reads any more.
fn print(event: &Event) -> Result<bool, Failure> {
    let mut line = json!(event).to_string();
    line.push('\n');
    write_stdout(line.as_bytes())
}
