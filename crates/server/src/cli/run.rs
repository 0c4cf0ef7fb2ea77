//! `run`: the server in the foreground, until a signal ends it.

use tokio::signal::unix::{SignalKind, signal};

use super::{LogLevel, RunArgs, answer};
use crate::config::Config;
use crate::error::ServerError;
use crate::folder;
use crate::logs;
use crate::server::Server;

pub(super) fn run(args: &RunArgs) -> Result<(), ServerError> {
    let level = match args.log {
        LogLevel::Error => tracing::Level::ERROR,
        LogLevel::Warn => tracing::Level::WARN,
        LogLevel::Info => tracing::Level::INFO,
        LogLevel::Debug => tracing::Level::DEBUG,
    };
    folder::check_restored(&args.dir)?;
    let mut config = Config::read(&args.dir)?;
    if let Some(listen) = args.listen {
        config.listen = listen;
    }
    config.plain_text_on_loopback |= args.plain_text_on_loopback;
    logs::start(level, args.json);
    raise_open_files();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| ServerError::io("start", &args.dir, &e))?;
    runtime.block_on(serve(args, config))
}

/// Every connection is an open file; the usual soft limit of 1,024 is for programs that use `select`.
fn raise_open_files() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // Where that is not allowed, connections over the limit wait to be accepted.
    let _ = setrlimit(Resource::Nofile, limit);
}

async fn serve(args: &RunArgs, config: Config) -> Result<(), ServerError> {
    // Before anything is opened, so that a signal during start-up ends it in order too.
    let failed = |e: std::io::Error| ServerError::io("start", &args.dir, &e);
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let origin = config.origin.clone();
    let server = Server::start(&args.dir, config).await?;
    let value = serde_json::json!({
        "ready": true,
        "listen": server.local_addr().to_string(),
        "metrics": server.metrics_addr().map(|address| address.to_string()),
        "origin": origin,
        "pin": server.pin().to_string(),
    });
    answer(
        args.json,
        &value,
        &format!(
            "Listening on {}, known as {origin}. Pin {}",
            server.local_addr(),
            server.pin()
        ),
    );
    tracing::info!("ready");
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
    tracing::info!("stopping");
    tokio::select! {
        stopped = server.shutdown() => stopped?,
        // A second signal does not wait: what was acknowledged is on disk already.
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    tracing::info!("stopped");
    Ok(())
}
