//! To other servers: a task that takes what waits in the store to the servers it is for, in order, until they have it.
//!
//! What must stay true: everything that has to last is in the store; a server that is away costs one attempt now and then and holds up no
//! other; nobody learns from this server whether another one answered (so that it is no use for finding out what is where); no
//! address of this machine or its network is ever dialled unless the settings say so.

pub mod dial;
pub mod keys;
mod turns;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use undertone_wire::forward::gather;
use undertone_wire::origin::ServerAddress;

use self::turns::{Standing, Turns};
use crate::gateway::Gateway;
use crate::server::stopped;
use crate::store::WaitingParcel;

/// What is taken to a server in one request; the first to one that may not be there is smaller.
const REQUEST_BYTES: usize = 512 * 1024;
const FIRST_REQUEST_BYTES: usize = 64 * 1024;
/// How long the first request of an attempt may take, connecting included: the very first, and those to a server that was not there.
const NEW_PATIENCE: Duration = Duration::from_secs(10);
const AWAY_PATIENCE: Duration = Duration::from_secs(45);
/// How often it is looked even if nobody said that there is something.
const LOOK: Duration = Duration::from_secs(60);

/// How an attempt ended.
#[derive(Default)]
struct Attempt {
    /// It took something.
    took: bool,
    /// There is nothing more for it.
    all: bool,
}

/// Runs until the server stops.
pub(crate) async fn run(gateway: Arc<Gateway>, mut stopping: watch::Receiver<bool>) {
    let longest = Duration::from_secs(u64::from(gateway.config.forwarding.retry_s));
    let mut under_way: JoinSet<(String, Attempt)> = JoinSet::new();
    let mut turns = Turns::new(longest);
    loop {
        let waiting = gateway.store.parcel_servers().await.unwrap_or_default();
        for (server, standing) in turns.next(&waiting, Instant::now()) {
            let gateway = Arc::clone(&gateway);
            under_way.spawn(async move {
                let mut attempt = Attempt::default();
                let done = serve(&gateway, &server, standing, &mut attempt).await;
                if done.is_none() {
                    gateway.store.not_reached(&server);
                }
                (server, attempt)
            });
        }
        let now = Instant::now();
        let next = turns.wake(now).unwrap_or(now + LOOK).min(now + LOOK);
        tokio::select! {
            () = stopped(&mut stopping) => break,
            () = gateway.parcels_wait.notified() => {}
            () = tokio::time::sleep_until(next) => {}
            Some(done) = under_way.join_next() => {
                let Ok((server, attempt)) = done else { continue };
                turns.over(&server, attempt.took, attempt.all, Instant::now());
            }
        }
    }
    // What they carried is in the store until the other side has said that it has it.
    under_way.shutdown().await;
}

/// Takes a server all that waits for it. None: it did not take it.
async fn serve(
    gateway: &Gateway,
    server: &str,
    standing: Standing,
    attempt: &mut Attempt,
) -> Option<()> {
    let address: ServerAddress = server.parse().ok()?;
    let (first_bytes, patience) = match standing {
        Standing::New => (FIRST_REQUEST_BYTES, Some(NEW_PATIENCE)),
        Standing::Away => (FIRST_REQUEST_BYTES, Some(AWAY_PATIENCE)),
        Standing::Good => (REQUEST_BYTES, None),
    };
    let mut line = None;
    loop {
        let most = if attempt.took {
            REQUEST_BYTES
        } else {
            first_bytes
        };
        let waiting = gateway.store.parcels(server.to_owned(), most);
        let parcels = waiting.await.ok()?;
        let Some(last) = parcels.last() else {
            attempt.all = true;
            return Some(());
        };
        let bring = bring(gateway, &address, &mut line, &parcels);
        match patience {
            Some(patience) if !attempt.took => timeout(patience, bring).await.ok()??,
            _ => bring.await?,
        }
        let taken = gateway.store.parcels_taken(server.to_owned(), last.mark());
        taken.await.ok()?;
        attempt.took = true;
        tracing::debug!(
            count = parcels.len(),
            "another server took what waited for it"
        );
    }
}

async fn bring(
    gateway: &Gateway,
    address: &ServerAddress,
    line: &mut Option<dial::Line>,
    parcels: &[WaitingParcel],
) -> Option<()> {
    let body = gather(parcels.iter().map(|parcel| &parcel.sealed[..]));
    if line.is_none() {
        let allowed = gateway.config.forwarding.private_addresses;
        *line = Some(dial::open(address, allowed).await?);
    }
    let bearer = gateway.forward_keys.bearer(&address.pin, &body)?;
    line.as_mut()?.post(bearer, body).await
}
