//! `undertone rpc`: JSON-RPC 2.0 on standard input and output, one message a line.

use std::time::Duration;

use tokio::{
    io,
    signal::unix::{SignalKind, signal},
    sync::watch,
};

use crate::{
    cli::args::Global,
    failure::Failure,
    rpc::{methods::Context, serve::serve},
    session::Session,
};

/// After the last request, what was queued may still go out for this long.
const LAST_DELIVERY: Duration = Duration::from_secs(20);

pub(super) async fn rpc(options: &Global) -> Result<(), Failure> {
    let (stop, stopped) = watch::channel(false);
    let mut terminate =
        signal(SignalKind::terminate()).map_err(|error| Failure::file("Signals", &error))?;
    let mut interrupt =
        signal(SignalKind::interrupt()).map_err(|error| Failure::file("Signals", &error))?;
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        stop.send_replace(true);
    });
    let mut session = Session::open(options).await?;
    session.stay();
    if let Some((client, network)) = session.own_client() {
        let context = Context::new(client, network);
        let served = serve(&context, io::stdin(), io::stdout(), stopped).await;
        drop(context);
        let settled = session.settle(LAST_DELIVERY).await;
        session.close().await?;
        settled?;
        return finished(served);
    }
    // Another process has the home: its answers are handed through as they are.
    let Session::Served(connection) = session else {
        return Ok(());
    };
    finished(
        connection
            .hand_through(io::stdin(), io::stdout(), stopped)
            .await,
    )
}

/// A reader that went away is the usual end of a pipe, not a failure.
fn finished(result: io::Result<()>) -> Result<(), Failure> {
    match result {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::file("Standard input or output", &error))
        }
        _ => Ok(()),
    }
}
