//! What the machine can do at all: a grouped `fdatasync` loop and a bare WebSocket echo, measured beside the rows they are
//! floors for.

use std::{
    fs::File,
    io::Write as _,
    path::Path,
    time::{Duration, Instant},
};

use futures_util::{SinkExt as _, StreamExt as _};
use hdrhistogram::Histogram;
use tokio::net::TcpListener;
use tokio_websockets::{ClientBuilder, Message, ServerBuilder};

use crate::stats;

/// Appends `batch` records of `record` bytes, then `fdatasync`, for `time`. Answers records per second and the latency of
/// one `fdatasync` with its batch, in microseconds.
///
/// # Errors
/// What the disk says.
pub fn fdatasync(
    dir: &Path,
    record: usize,
    batch: usize,
    time: Duration,
) -> std::io::Result<(f64, Histogram<u64>)> {
    let path = dir.join("fdatasync-floor");
    let mut file = File::create(&path)?;
    let bytes = vec![0x5a_u8; record * batch];
    let mut latencies = stats::latencies();
    let started = Instant::now();
    let mut records = 0_u64;
    while started.elapsed() < time {
        let begun = Instant::now();
        file.write_all(&bytes)?;
        file.sync_data()?;
        latencies.saturating_record(u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX));
        records += batch as u64;
    }
    let per_second = records as f64 / started.elapsed().as_secs_f64();
    std::fs::remove_file(&path)?;
    Ok((per_second, latencies))
}

/// Messages of `size` bytes per second through `pairs` bare WebSocket connections on loopback that echo, `window` in flight
/// on each, without TLS and without anything else.
///
/// # Errors
/// What the sockets say.
pub async fn echo(
    pairs: usize,
    size: usize,
    window: usize,
    time: Duration,
) -> Result<f64, Box<dyn std::error::Error + Send + Sync>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let _ = stream.set_nodelay(true);
            tokio::spawn(async move {
                let Ok((_, mut socket)) = ServerBuilder::new().accept(stream).await else {
                    return;
                };
                while let Some(Ok(message)) = socket.next().await {
                    if socket.send(message).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    let started = Instant::now();
    let mut clients = Vec::new();
    for _ in 0..pairs {
        clients.push(tokio::spawn(async move {
            let uri = format!("ws://{address}/")
                .parse()
                .map_err(|_| "bad address")?;
            let (mut socket, _) = ClientBuilder::from_uri(uri)
                .connect()
                .await
                .map_err(|_| "no socket")?;
            let payload = vec![0x5a_u8; size];
            let mut echoed = 0_u64;
            for _ in 0..window {
                socket
                    .feed(Message::binary(payload.clone()))
                    .await
                    .map_err(|_| "send")?;
            }
            socket.flush().await.map_err(|_| "flush")?;
            while started.elapsed() < time {
                socket
                    .next()
                    .await
                    .ok_or("closed")?
                    .map_err(|_| "receive")?;
                echoed += 1;
                socket
                    .send(Message::binary(payload.clone()))
                    .await
                    .map_err(|_| "send")?;
            }
            Ok::<u64, &'static str>(echoed)
        }));
    }
    let mut echoed = 0;
    for client in clients {
        echoed += client.await??;
    }
    let per_second = echoed as f64 / started.elapsed().as_secs_f64();
    server.abort();
    Ok(per_second)
}
