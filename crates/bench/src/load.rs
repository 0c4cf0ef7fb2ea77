//! Load on a real server over TLS: pairs, fan-out, store-and-forward, latency, idle connections.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use hdrhistogram::Histogram;
use tokio::task::JoinHandle;
use undertone_wire::{
    ids::{ChannelId, SendId},
    proto::{self, client_frame, request, response, server_frame},
    request::Role,
    secrets::AddressSecret,
};

use crate::{
    connection::{Connection, Failure, Owner, Target, create_addresses, issue_tokens, paid_outbox},
    server::Server,
    stats::{self, Cores, Meter},
};

/// Requests a sender keeps in flight.
const WINDOW: usize = 256;
/// Queues that register at once.
const REGISTERING: usize = 64;
/// Items a receiver lets the server push ahead.
const CREDIT: u32 = 8192;
/// A WebSocket message is sent when it holds this many bytes, or nothing more is to be said.
const MESSAGE_BYTES: usize = 64 * 1024;

/// A queue with its signed-in connection and one address.
pub struct Receiver {
    /// Signed in.
    pub inbox: Connection,
    /// Keys and queue id.
    pub owner: Owner,
    /// Addresses of this queue.
    pub addresses: Vec<AddressSecret>,
}

/// Registers a queue with `addresses` addresses.
///
/// # Errors
/// The server's refusal.
pub async fn receiver(
    target: &Target,
    server: &Server,
    addresses: usize,
) -> Result<Receiver, Failure> {
    let mut inbox = Connection::open(target, Role::Inbox).await?;
    let owner = Owner::new()?;
    owner
        .register(&mut inbox, target, &server.invitation)
        .await?;
    let addresses = create_addresses(&mut inbox, addresses).await?;
    Ok(Receiver {
        inbox,
        owner,
        addresses,
    })
}

/// A channel at epoch 0 that anyone with its id may send on.
///
/// # Errors
/// The server's refusal.
pub async fn channel(outbox: &mut Connection) -> Result<ChannelId, Failure> {
    let channel_id = ChannelId::random();
    outbox
        .request(request::Body::CreateChannel(proto::CreateChannel {
            channel_id: channel_id.to_bytes(),
            epoch: 0,
            lock: Bytes::from_static(&[1; 32]),
            min_send_epoch: 0,
        }))
        .await?;
    Ok(channel_id)
}

fn channel_send(channel: &ChannelId, payload: &Bytes, addresses: &[Bytes]) -> request::Body {
    request::Body::ChannelSend(proto::ChannelSend {
        channel_id: channel.to_bytes(),
        epoch: 0,
        send_id: SendId::random().to_bytes(),
        payload: payload.clone(),
        address_secrets: addresses.to_vec(),
    })
}

/// Counts shared by the tasks of one row.
#[derive(Default)]
pub struct Counters {
    stop: AtomicBool,
    /// Sends the server accepted.
    pub accepted: AtomicU64,
    /// Items that came.
    pub delivered: AtomicU64,
    /// Sends the server refused.
    pub refused: AtomicU64,
}

impl Counters {
    fn refuse(&self, code: &str) {
        if self.refused.fetch_add(1, Ordering::Relaxed) == 0 {
            eprintln!("the server refused a send: {code}");
        }
    }
}

/// What a loaded stretch of time gave.
pub struct Figures {
    /// Sends accepted per second.
    pub accepted: f64,
    /// Items delivered per second.
    pub delivered: f64,
    /// Sends refused in all.
    pub refused: u64,
    /// What it took.
    pub cores: Cores,
    /// Sends for each time that the server waited for its disk.
    pub batch: f64,
}

/// Sends to each of `groups` in turn, as fast as the window lets it until told to stop, or `limit` sends are accepted.
async fn send_loop(
    mut outbox: Connection,
    channel: ChannelId,
    payload: Bytes,
    groups: Vec<Vec<Bytes>>,
    window: usize,
    limit: u64,
    counters: Arc<Counters>,
) -> Result<(), Failure> {
    let mut in_flight = 0;
    let mut sent = 0;
    let mut accepted = 0;
    let mut addresses = groups.iter().cycle();
    loop {
        let more = !counters.stop.load(Ordering::Relaxed) && sent < limit;
        if more {
            while in_flight < window && sent < limit {
                let group = addresses.next().ok_or("nobody to send to")?;
                outbox.push_request(channel_send(&channel, &payload, group))?;
                in_flight += 1;
                sent += 1;
                if outbox.waiting() >= MESSAGE_BYTES {
                    outbox.flush().await?;
                }
            }
            outbox.flush().await?;
        } else if in_flight == 0 {
            return Ok(());
        }
        for body in outbox.frames().await? {
            if let server_frame::Body::Response(answer) = body {
                in_flight -= 1;
                match answer.body {
                    Some(response::Body::Accepted(_)) => {
                        accepted += 1;
                        counters.accepted.fetch_add(1, Ordering::Relaxed);
                    }
                    Some(response::Body::Error(error)) => counters.refuse(&error.code),
                    _ => {}
                }
            }
        }
        if accepted >= limit {
            return Ok(());
        }
    }
}

/// Receives and acknowledges until `limit` items came or the task is aborted.
async fn receive_loop(
    mut inbox: Connection,
    limit: u64,
    counters: Arc<Counters>,
) -> Result<Connection, Failure> {
    let mut owed = 0;
    let mut received = 0;
    inbox.push(client_frame::Body::Credit(proto::Credit {
        items: CREDIT,
        ephemerals: 0,
    }))?;
    inbox.flush().await?;
    while received < limit {
        let mut last = None;
        for body in inbox.frames().await? {
            if let server_frame::Body::Item(item) = body {
                last = Some(item.sequence);
                owed += 1;
                received += 1;
                counters.delivered.fetch_add(1, Ordering::Relaxed);
            }
        }
        if let Some(sequence) = last {
            inbox.push(client_frame::Body::Ack(proto::Ack { sequence }))?;
            if owed >= CREDIT / 4 {
                inbox.push(client_frame::Body::Credit(proto::Credit {
                    items: owed,
                    ephemerals: 0,
                }))?;
                owed = 0;
            }
            inbox.flush().await?;
        }
    }
    Ok(inbox)
}

async fn measure(
    server: &Server,
    counters: &Counters,
    warm_up: Duration,
    time: Duration,
) -> Result<Figures, Failure> {
    tokio::time::sleep(warm_up).await;
    let done = server.done()?;
    let (begun, meter) = (Instant::now(), Meter::begin(server.pid()));
    let (accepted, delivered) = (
        counters.accepted.load(Ordering::Relaxed),
        counters.delivered.load(Ordering::Relaxed),
    );
    tokio::time::sleep(time).await;
    let seconds = begun.elapsed().as_secs_f64();
    let per_second =
        |now: &AtomicU64, before: u64| (now.load(Ordering::Relaxed) - before) as f64 / seconds;
    Ok(Figures {
        accepted: per_second(&counters.accepted, accepted),
        delivered: per_second(&counters.delivered, delivered),
        refused: counters.refused.load(Ordering::Relaxed),
        cores: meter.read(),
        batch: server.done()?.batch_since(done),
    })
}

fn start(counters: &AtomicBool) {
    counters.store(false, Ordering::Relaxed);
}

/// The shape of a load: every sender has a channel of its own.
#[derive(Clone, Copy)]
pub struct Load {
    /// Sending connections.
    pub senders: usize,
    /// Receiving queues.
    pub queues: usize,
    /// Addresses of one send, taken in turn from the queues.
    pub fan_out: usize,
    /// Requests that every sender keeps in flight.
    pub window: usize,
    /// Bytes.
    pub payload: usize,
}

/// Drives the server with a load for `time`.
///
/// # Errors
/// The server's refusal.
pub async fn throughput(
    server: &Server,
    target: &Target,
    load: Load,
    time: Duration,
) -> Result<Figures, Failure> {
    let Load {
        senders,
        queues,
        fan_out,
        window,
        payload,
    } = load;
    let counters = Arc::new(Counters::default());
    start(&counters.stop);
    let mut receivers: Vec<Receiver> = stream::iter(0..queues)
        .map(|_| receiver(target, server, 1))
        .buffered(REGISTERING)
        .try_collect()
        .await?;
    let mut tokens = issue_tokens(&mut receivers[0].inbox, senders.min(100)).await?;
    let secrets: Vec<Bytes> = receivers
        .iter()
        .map(|r| r.addresses[0].to_bytes())
        .collect();
    let receiving: Vec<JoinHandle<_>> = receivers
        .into_iter()
        .map(|receiver| {
            tokio::spawn(receive_loop(
                receiver.inbox,
                u64::MAX,
                Arc::clone(&counters),
            ))
        })
        .collect();
    let payload = Bytes::from(vec![0x5a; payload]);
    let groups: Vec<Vec<Bytes>> = secrets.chunks(fan_out).map(<[Bytes]>::to_vec).collect();
    let mut sending = Vec::new();
    for index in 0..senders {
        let mut outbox = paid_outbox(target, tokens.pop().ok_or("too few tokens")?).await?;
        let channel = channel(&mut outbox).await?;
        // No group has two senders, unless there are fewer groups than senders.
        let own = groups
            .iter()
            .skip(index % groups.len())
            .step_by(senders)
            .cloned()
            .collect();
        sending.push(tokio::spawn(send_loop(
            outbox,
            channel,
            payload.clone(),
            own,
            window,
            u64::MAX,
            Arc::clone(&counters),
        )));
    }
    // The first item of each queue needs a new sealing key.
    let warm_up = Duration::from_millis(1500) + Duration::from_micros(500) * queues as u32;
    let figures = measure(server, &counters, warm_up, time).await?;
    counters.stop.store(true, Ordering::Relaxed);
    for task in sending {
        task.await??;
    }
    for task in receiving {
        task.abort();
    }
    Ok(figures)
}

/// The pairs row: `pairs` senders, each to a queue of its own.
///
/// # Errors
/// The server's refusal.
pub async fn pairs(
    server: &Server,
    target: &Target,
    pairs: usize,
    time: Duration,
) -> Result<Figures, Failure> {
    let load = Load {
        senders: pairs,
        queues: pairs,
        fan_out: 1,
        window: WINDOW,
        payload: 1024,
    };
    throughput(server, target, load, time).await
}

/// Send-to-receive latency at a fixed rate over `pairs` pairs, open loop: a late message counts from when it should have left.
///
/// # Errors
/// The server's refusal.
pub async fn latency(
    server: &Server,
    target: &Target,
    pairs: usize,
    rate: u32,
    time: Duration,
) -> Result<(Histogram<u64>, Cores), Failure> {
    let mut ready = Vec::with_capacity(pairs);
    for _ in 0..pairs {
        let receiver = receiver(target, server, 1).await?;
        let Receiver {
            mut inbox,
            addresses,
            ..
        } = receiver;
        let token = issue_tokens(&mut inbox, 1).await?.pop().ok_or("no token")?;
        let mut outbox = paid_outbox(target, token).await?;
        let channel = channel(&mut outbox).await?;
        let addresses: Vec<Bytes> = addresses.iter().map(AddressSecret::to_bytes).collect();
        ready.push((inbox, outbox, channel, addresses));
    }
    // Only now: what setting up takes is nobody's latency.
    let meter = Meter::begin(server.pid());
    let started = Instant::now() + Duration::from_millis(200);
    let every = Duration::from_secs_f64(pairs as f64 / f64::from(rate));
    let total = (time.as_secs_f64() / every.as_secs_f64()) as u64;
    let mut tasks = Vec::new();
    let mut turns = Vec::new();
    for (index, (mut inbox, mut outbox, channel, addresses)) in ready.into_iter().enumerate() {
        let offset = every.mul_f64(index as f64 / pairs as f64);
        let payload = Bytes::from(vec![0x5a; 1024]);
        // One queue, one sender, in order: the n-th item is the n-th message, so its due time is known.
        let due = move |n: u64| started + offset + every.mul_f64(n as f64);
        let (turn, mut my_turn) = tokio::sync::mpsc::unbounded_channel::<()>();
        turns.push(turn);
        tasks.push(tokio::spawn(async move {
            let sender = tokio::spawn(async move {
                while my_turn.recv().await.is_some() {
                    outbox.push_request(channel_send(&channel, &payload, &addresses))?;
                    outbox.flush().await?;
                    // Responses are read only to keep the socket empty.
                    outbox.frames().await?;
                }
                Ok::<(), Failure>(())
            });
            let mut latencies = stats::latencies();
            inbox.push(client_frame::Body::Credit(proto::Credit {
                items: CREDIT,
                ephemerals: 0,
            }))?;
            inbox.flush().await?;
            let mut received = 0;
            while received < total {
                let bodies = inbox.frames().await?;
                let now = Instant::now();
                for body in bodies {
                    if let server_frame::Body::Item(item) = body {
                        let late = now.saturating_duration_since(due(received));
                        latencies
                            .saturating_record(u64::try_from(late.as_micros()).unwrap_or(u64::MAX));
                        received += 1;
                        inbox.push(client_frame::Body::Ack(proto::Ack {
                            sequence: item.sequence,
                        }))?;
                        inbox.push(client_frame::Body::Credit(proto::Credit {
                            items: 1,
                            ephemerals: 0,
                        }))?;
                    }
                }
                inbox.flush().await?;
            }
            sender.await??;
            Ok::<Histogram<u64>, Failure>(latencies)
        }));
    }
    // A thread of its own says whose turn it is: the timers of the runtime are late by up to a millisecond, which is no doing of the server.
    let clock = std::thread::spawn(move || {
        let step = every.div_f64(turns.len() as f64);
        for n in 0..total * turns.len() as u64 {
            let due = started + step.mul_f64(n as f64);
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            // Whoever has ended says itself why.
            let _ = turns[(n % turns.len() as u64) as usize].send(());
        }
    });
    let mut all = stats::latencies();
    for task in tasks {
        all.add(task.await??)?;
    }
    clock.join().map_err(|_| "the clock ended")?;
    Ok((all, meter.read()))
}

/// What store-and-forward gave.
pub struct Stored {
    /// Accepted per second while the owners were away.
    pub accepted: f64,
    /// Delivered and acknowledged per second when they came.
    pub drained: f64,
    /// What accepting took.
    pub accepting: Cores,
    /// What draining took.
    pub draining: Cores,
    /// Bytes that the data folder grew per stored message.
    pub bytes: f64,
}

/// Sends `messages` to queues whose owners are away, then lets them come.
///
/// # Errors
/// The server's refusal.
pub async fn store_and_forward(
    server: &Server,
    target: &Target,
    queues: usize,
    messages: u64,
) -> Result<Stored, Failure> {
    let mut owners = Vec::new();
    let mut outboxes = Vec::new();
    for _ in 0..queues {
        let mut receiver = receiver(target, server, 1).await?;
        let token = issue_tokens(&mut receiver.inbox, 1)
            .await?
            .pop()
            .ok_or("no token")?;
        let mut outbox = paid_outbox(target, token).await?;
        let channel = channel(&mut outbox).await?;
        outboxes.push((outbox, channel, receiver.addresses[0].to_bytes()));
        owners.push(receiver.owner);
    }
    let counters = Arc::new(Counters::default());
    let each = messages / queues as u64;
    let payload = Bytes::from(vec![0x5a; 1024]);
    let before = server.bytes_on_disk();
    let (begun, meter) = (Instant::now(), Meter::begin(server.pid()));
    let mut tasks = Vec::new();
    for (outbox, channel, address) in outboxes {
        tasks.push(tokio::spawn(send_loop(
            outbox,
            channel,
            payload.clone(),
            vec![vec![address]],
            WINDOW,
            each,
            Arc::clone(&counters),
        )));
    }
    for task in tasks {
        task.await??;
    }
    let total = (each * queues as u64) as f64;
    let accepted = total / begun.elapsed().as_secs_f64();
    let accepting = meter.read();
    // The write-ahead log is emptied every few seconds; what is left then is what a message costs.
    tokio::time::sleep(Duration::from_secs(8)).await;
    let bytes = server.bytes_on_disk().saturating_sub(before) as f64 / total;
    let mut inboxes = Vec::new();
    for owner in &owners {
        let mut inbox = Connection::open(target, Role::Inbox).await?;
        owner.sign_in(&mut inbox, target).await?;
        inboxes.push(inbox);
    }
    let (begun, meter) = (Instant::now(), Meter::begin(server.pid()));
    let draining: Vec<_> = inboxes
        .into_iter()
        .map(|inbox| tokio::spawn(receive_loop(inbox, each, Arc::clone(&counters))))
        .collect();
    for task in draining {
        task.await??;
    }
    let drained = total / begun.elapsed().as_secs_f64();
    Ok(Stored {
        accepted,
        drained,
        accepting,
        draining: meter.read(),
        bytes,
    })
}

/// Server memory per idle signed-in connection, in bytes, with `connections` of them.
///
/// # Errors
/// The server's refusal, or too few file descriptors.
pub async fn idle(server: &Server, target: &Target, connections: usize) -> Result<f64, Failure> {
    let before = stats::resident_bytes(server.pid());
    let mut open = Vec::with_capacity(connections);
    for _ in 0..connections {
        let mut receiver = receiver(target, server, 0).await?;
        receiver
            .inbox
            .push(client_frame::Body::Credit(proto::Credit {
                items: 16,
                ephemerals: 0,
            }))?;
        receiver.inbox.flush().await?;
        open.push(receiver.inbox);
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    let after = stats::resident_bytes(server.pid());
    Ok(after.saturating_sub(before) as f64 / connections as f64)
}
