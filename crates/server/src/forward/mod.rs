//! To other servers: a task that takes what waits in the store to the servers it is for, in order, until they have it.
//!
//! What must stay true: everything that has to last is in the store; a server that is away costs one attempt now and then and holds up no
//! other; nobody learns from this server whether another one answered (so that it is no use for finding out what is where); no
//! address of this machine or its network is ever dialled unless the settings say so.

pub mod dial;
pub mod keys;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;
use undertone_wire::forward::gather;
use undertone_wire::origin::ServerAddress;

use crate::gateway::Gateway;
use crate::server::stopped;

/// Servers that are being served at once.
const AT_ONCE: usize = 32;
/// What is taken to a server in one request.
const REQUEST_BYTES: usize = 512 * 1024;
/// The first pause after a failure.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// How often it is looked even if nobody said that there is something.
const LOOK: Duration = Duration::from_secs(60);

/// When a server is tried again, and how long the pause was.
#[derive(Clone, Copy)]
struct Pause {
    until: Instant,
    length: Duration,
}

/// Runs until the server stops.
pub(crate) async fn run(gateway: Arc<Gateway>, mut stopping: watch::Receiver<bool>) {
    let longest = Duration::from_secs(u64::from(gateway.config.forwarding.retry_s));
    let mut under_way: JoinSet<(String, bool)> = JoinSet::new();
    let mut busy: HashSet<String> = HashSet::new();
    let mut pauses: HashMap<String, Pause> = HashMap::new();
    loop {
        let servers = gateway.store.parcel_servers().await.unwrap_or_default();
        pauses.retain(|server, _| servers.contains(server));
        let now = Instant::now();
        for server in servers {
            let paused = pauses.get(&server).is_some_and(|pause| pause.until > now);
            if under_way.len() < AT_ONCE && !paused && busy.insert(server.clone()) {
                let gateway = Arc::clone(&gateway);
                under_way.spawn(async move {
                    let done = serve(&gateway, &server).await.is_some();
                    (server, done)
                });
            }
        }
        let next = pauses
            .iter()
            .filter(|(server, _)| !busy.contains(*server))
            .map(|(_, pause)| pause.until)
            .min()
            .unwrap_or(now + LOOK)
            .min(now + LOOK);
        tokio::select! {
            () = stopped(&mut stopping) => break,
            () = gateway.parcels_wait.notified() => {}
            () = tokio::time::sleep_until(next) => {}
            Some(done) = under_way.join_next() => {
                let Ok((server, done)) = done else { continue };
                busy.remove(&server);
                if done {
                    pauses.remove(&server);
                } else {
                    let length = pauses
                        .get(&server)
                        .map_or(FIRST_PAUSE, |pause| pause.length.saturating_mul(2))
                        .min(longest);
                    let until = Instant::now() + length;
                    pauses.insert(server, Pause { until, length });
                }
            }
        }
    }
    // What they carried is in the store until the other side has said that it has it.
    under_way.shutdown().await;
}

/// Takes a server all that waits for it. None: it did not take it.
async fn serve(gateway: &Gateway, server: &str) -> Option<()> {
    let address: ServerAddress = server.parse().ok()?;
    let mut line = None;
    loop {
        let parcels = gateway
            .store
            .parcels(server.to_owned(), REQUEST_BYTES)
            .await
            .ok()?;
        let Some(last) = parcels.last() else {
            return Some(());
        };
        let last = last.sequence;
        let count = parcels.len();
        let body = gather(parcels.iter().map(|parcel| &parcel.sealed[..]));
        if line.is_none() {
            let allowed = gateway.config.forwarding.private_addresses;
            line = Some(dial::open(&address, allowed).await?);
        }
        let bearer = gateway.forward_keys.bearer(&address.pin, &body)?;
        line.as_mut()?.post(bearer, body).await?;
        gateway
            .store
            .parcels_taken(server.to_owned(), last)
            .await
            .ok()?;
        tracing::debug!(count, "another server took what waited for it");
    }
}
