//! Figures of the store alone, without sockets: what is delivered a second, beside a bare fdatasync loop on the same disk.
//!
//! `cargo run --release -p undertone-server --example store_speed [FOLDER]`

use std::error::Error;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use undertone_server::delivery::{Hub, Inbox, Pushed, RingLimits};
use undertone_server::store::sqlite::{Options, SqliteStore};
use undertone_server::store::{
    AddressHash, AddressKind, ChannelHash, ChannelSend, DirectSend, NewChannel, QueueId,
    Registration, SendId, Store,
};
use undertone_wire::hpke::HpkeKeyPair;

const SECONDS: u64 = 5;
const IN_FLIGHT: usize = 64;
const PAYLOAD: usize = 1024;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

struct World {
    store: Arc<SqliteStore>,
    hub: Arc<Hub>,
}

#[tokio::main]
async fn main() -> Outcome<()> {
    let folder = std::env::args().nth(1).unwrap_or_else(|| ".".to_owned());
    let folder = tempfile::tempdir_in(folder)?;
    let hub = Hub::new(RingLimits::default());
    let data = folder.path().join("data");
    let world = World {
        store: SqliteStore::open(&data, Options::new(&data, hub.clone()))?,
        hub,
    };
    println!(
        "fdatasync after 64 KiB   {:>9.0} a second",
        fdatasync(folder.path())?
    );
    println!(
        "50 pairs, 1 KiB          {:>9.0} delivered a second",
        pairs(&world, 50).await?
    );
    println!(
        "fan-out to 100           {:>9.0} delivered a second",
        fan_out(&world, 100).await?
    );
    let (accepted, drained) = store_and_forward(&world, 20_000).await?;
    println!("store 20,000             {accepted:>9.0} accepted a second");
    println!("forward 20,000           {drained:>9.0} drained a second");
    let activity = world.store.activity();
    println!(
        "items per transaction    {:>9.1}",
        activity.items_queued as f64 / activity.commits.max(1) as f64
    );
    world.store.close().await?;
    Ok(())
}

fn fdatasync(folder: &Path) -> Outcome<f64> {
    let mut file = std::fs::File::create(folder.join("bare"))?;
    let block = vec![7; 64 << 10];
    let start = Instant::now();
    let mut count = 0;
    while start.elapsed() < Duration::from_secs(1) {
        file.write_all(&block)?;
        file.sync_data()?;
        count += 1;
    }
    Ok(f64::from(count) / start.elapsed().as_secs_f64())
}

async fn owner(world: &World) -> Outcome<(QueueId, AddressHash)> {
    let (queue, address) = (QueueId::random(), AddressHash::random());
    let keys = HpkeKeyPair::generate()?;
    let registration = Registration {
        queue,
        signing_key: [0; 32],
        hpke_key: keys.public().as_bytes().into(),
        invitation: None,
        invitation_required: false,
        temporary: false,
    };
    world.store.register(registration).await?;
    world
        .store
        .create_addresses(queue, vec![(address, AddressKind::Conversation)])
        .await?;
    Ok((queue, address))
}

/// Reads and acknowledges until told to stop.
fn reader(
    world: &World,
    queue: QueueId,
    delivered: Arc<AtomicU64>,
) -> tokio::task::JoinHandle<Outcome<()>> {
    let (store, hub) = (Arc::clone(&world.store), Arc::clone(&world.hub));
    tokio::spawn(async move {
        let dynamic: Arc<dyn Store> = store.clone();
        let (_, mut inbox) = Inbox::open(dynamic, &hub, queue).await?;
        let mut pushed = Vec::new();
        loop {
            inbox.next(256, &mut pushed).await?;
            let mut last = 0;
            for item in pushed.drain(..) {
                if let Pushed::Item(item) = item {
                    last = item.sequence;
                    delivered.fetch_add(1, Ordering::Relaxed);
                }
            }
            store.ack(queue, last);
        }
    })
}

async fn pairs(world: &World, count: usize) -> Outcome<f64> {
    let delivered = Arc::new(AtomicU64::new(0));
    let stop = Arc::new(AtomicBool::new(false));
    let mut readers = Vec::new();
    let mut senders = Vec::new();
    for _ in 0..count {
        let (queue, address) = owner(world).await?;
        let channel = ChannelHash::random();
        let new = NewChannel {
            channel,
            epoch: 0,
            lock: [0; 32],
            min_send_epoch: 0,
        };
        world.store.create_channel(new).await?;
        readers.push(reader(world, queue, Arc::clone(&delivered)));
        let (store, stop) = (Arc::clone(&world.store), Arc::clone(&stop));
        senders.push(tokio::spawn(async move {
            let payload = Bytes::from(vec![7; PAYLOAD]);
            let mut in_flight = std::collections::VecDeque::new();
            while !stop.load(Ordering::Relaxed) {
                while in_flight.len() < IN_FLIGHT {
                    in_flight.push_back(store.channel_send(ChannelSend {
                        channel,
                        epoch: 0,
                        send_id: SendId::random(),
                        payload: payload.clone(),
                        addresses: vec![address],
                    }));
                }
                if let Some(reply) = in_flight.pop_front() {
                    reply.await?;
                }
            }
            for reply in in_flight {
                reply.await?;
            }
            Ok::<_, Box<dyn Error + Send + Sync>>(())
        }));
    }
    let rate = measure(&delivered).await;
    stop.store(true, Ordering::Relaxed);
    for sender in senders {
        sender.await??;
    }
    for reader in readers {
        reader.abort();
    }
    Ok(rate)
}

async fn fan_out(world: &World, width: usize) -> Outcome<f64> {
    let delivered = Arc::new(AtomicU64::new(0));
    let mut addresses = Vec::new();
    let mut readers = Vec::new();
    for _ in 0..width {
        let (queue, address) = owner(world).await?;
        addresses.push(address);
        readers.push(reader(world, queue, Arc::clone(&delivered)));
    }
    let store = Arc::clone(&world.store);
    let sender = tokio::spawn(async move {
        let mut in_flight = std::collections::VecDeque::new();
        loop {
            while in_flight.len() < 16 {
                in_flight.push_back(store.send(DirectSend {
                    send_id: SendId::random(),
                    payload: Bytes::from(vec![7; PAYLOAD]),
                    addresses: addresses.clone(),
                    blob: None,
                }));
            }
            if let Some(reply) = in_flight.pop_front() {
                drop(reply.await);
            }
        }
    });
    let rate = measure(&delivered).await;
    sender.abort();
    for reader in readers {
        reader.abort();
    }
    Ok(rate)
}

async fn measure(delivered: &AtomicU64) -> f64 {
    tokio::time::sleep(Duration::from_millis(500)).await;
    let (before, start) = (delivered.load(Ordering::Relaxed), Instant::now());
    tokio::time::sleep(Duration::from_secs(SECONDS)).await;
    (delivered.load(Ordering::Relaxed) - before) as f64 / start.elapsed().as_secs_f64()
}

async fn store_and_forward(world: &World, count: usize) -> Outcome<(f64, f64)> {
    let (queue, address) = owner(world).await?;
    let start = Instant::now();
    let replies: Vec<_> = (0..count)
        .map(|_| {
            world.store.send(DirectSend {
                send_id: SendId::random(),
                payload: Bytes::from(vec![7; PAYLOAD]),
                addresses: vec![address],
                blob: None,
            })
        })
        .collect();
    for reply in replies {
        reply.await?;
    }
    let accepted = count as f64 / start.elapsed().as_secs_f64();
    let delivered = Arc::new(AtomicU64::new(0));
    let start = Instant::now();
    let reader = reader(world, queue, Arc::clone(&delivered));
    while delivered.load(Ordering::Relaxed) < count as u64 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    reader.abort();
    Ok((accepted, count as f64 / start.elapsed().as_secs_f64()))
}
