//! Serves a home's socket, so that commands work while another process has the home open.
//!
//! What must stay true: the socket goes before the home is given back, because the next owner makes its own at the same
//! path; and requests begun by others are finished before the home closes.

use std::{sync::Arc, time::Duration};

use tokio::{sync::watch, task::JoinSet};
use undertone_core::{Client, home::socket::Listener};

use super::{
    methods::{Context, Network},
    serve::{serve, stopped},
};

/// Most connections at a time. Each is a command of the same user.
const MAX_CONNECTIONS: usize = 64;
/// How long the requests of others may take to finish when the owner ends.
const LAST_REQUESTS: Duration = Duration::from_secs(30);

/// The running service. [`SocketService::close`] it before the client is closed.
pub struct SocketService {
    stop: watch::Sender<bool>,
    accepting: tokio::task::JoinHandle<()>,
}

impl SocketService {
    /// Starts to serve `client` at `listener`.
    #[must_use]
    pub fn start(listener: Listener, client: Client, network: Network) -> Self {
        let (stop, stopped) = watch::channel(false);
        let accepting = tokio::spawn(accept(listener, client, network, stopped));
        Self { stop, accepting }
    }

    /// Takes no more connections, lets requests at work finish (at most 30 seconds), and gives back the client.
    pub async fn close(self) {
        self.stop.send_replace(true);
        let mut accepting = self.accepting;
        if tokio::time::timeout(LAST_REQUESTS, &mut accepting)
            .await
            .is_err()
        {
            accepting.abort();
            let _ = accepting.await;
        }
    }
}

async fn accept(
    listener: Listener,
    client: Client,
    network: Network,
    mut stop: watch::Receiver<bool>,
) {
    let for_connections = stop.clone();
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = stopped(&mut stop) => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            accepted = listener.accept(), if connections.len() < MAX_CONNECTIONS => match accepted {
                Ok(stream) => {
                    let context = Arc::new(Context::new(client.clone(), network));
                    let stop = for_connections.clone();
                    connections.spawn(async move {
                        let (reader, writer) = stream.into_split();
                        if serve(&context, reader, writer, stop).await.is_err() {
                            tracing::debug!("a command went away before it was answered");
                        }
                    });
                }
                Err(_) => {
                    // Out of file descriptors, most likely: wait for some to come free.
                    tracing::warn!("a command could not be let in");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            },
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}
