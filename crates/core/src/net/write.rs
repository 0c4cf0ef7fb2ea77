//! The writing half of a connection: frames that wait at the same time go out in one WebSocket message.

use std::sync::{Arc, atomic::Ordering::Relaxed};

use bytes::{Bytes, BytesMut};
use futures_util::{SinkExt as _, stream::SplitSink};
use tokio::{
    sync::mpsc,
    time::{Instant, MissedTickBehavior, interval_at, timeout},
};
use tokio_websockets::Message;
use undertone_wire::{Code, Error, frame, limits::CREDIT_PER_FRAME, request::FromClient};

use super::{
    connect::{Socket, Timing},
    connection::{MOST_IN_FLIGHT, Shared},
};

/// Frames are gathered up to this size; a larger one goes alone.
const GATHER_BYTES: usize = 48 * 1024;
/// A larger message must wait until the server has admitted the connection.
const BEFORE_ADMISSION_BYTES: usize = 64 * 1024;
/// How long a goodbye may take.
const GOODBYE: std::time::Duration = std::time::Duration::from_secs(2);

type Sink = SplitSink<Socket, Message>;

/// Writes until the connection ends, and ends it when writing fails.
pub(super) async fn run(
    mut sink: Sink,
    frames: mpsc::Receiver<Bytes>,
    shared: Arc<Shared>,
    timing: Timing,
) {
    let mut closing = shared.closing.subscribe();
    let mut writer = Writer {
        sink: &mut sink,
        frames,
        shared: &shared,
        timing,
        ack_sent: 0,
    };
    let mut reader_ended = shared.closing.subscribe();
    let failed = async {
        let reason = writer.write().await;
        // A server that closes may have said why; the reader is about to find it.
        let _ = timeout(GOODBYE, reader_ended.wait_for(|closing| *closing)).await;
        shared.end(reason);
    };
    tokio::select! {
        () = failed => {}
        _ = closing.wait_for(|closing| *closing) => {}
    }
    // Best effort: the server finds out anyway.
    let _ = timeout(GOODBYE, sink.close()).await;
}

struct Writer<'a> {
    sink: &'a mut Sink,
    frames: mpsc::Receiver<Bytes>,
    shared: &'a Shared,
    timing: Timing,
    ack_sent: u64,
}

impl Writer<'_> {
    async fn write(&mut self) -> Error {
        let mut batch = Vec::new();
        let mut pings = interval_at(Instant::now() + self.timing.ping, self.timing.ping);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let written = tokio::select! {
                count = self.frames.recv_many(&mut batch, MOST_IN_FLIGHT) => {
                    if count == 0 {
                        return Code::ConnectionLost.into();
                    }
                    self.write_batch(&mut batch).await
                }
                () = self.shared.control.notified() => self.write_batch(&mut batch).await,
                _ = pings.tick() => self.send(Message::ping(Bytes::new())).await,
            };
            if let Err(error) = written {
                return error;
            }
        }
    }

    async fn write_batch(&mut self, batch: &mut Vec<Bytes>) -> Result<(), Error> {
        let mut message = self.control_frames()?;
        for frame in batch.drain(..) {
            if !message.is_empty() && message.len() + frame.len() > GATHER_BYTES {
                self.send_message(message.split().freeze()).await?;
            }
            if message.is_empty() && frame.len() > GATHER_BYTES {
                self.send_message(frame).await?;
            } else {
                message.extend_from_slice(&frame);
            }
        }
        if message.is_empty() {
            return Ok(());
        }
        self.send_message(message.freeze()).await
    }

    /// Ack and credit, if there is anything new to say.
    fn control_frames(&mut self) -> Result<BytesMut, Error> {
        let mut message = BytesMut::new();
        let ack = self.shared.ack.load(Relaxed);
        if ack > self.ack_sent {
            frame::append(&mut message, &FromClient::Ack(ack).to_proto())?;
            self.ack_sent = ack;
        }
        let mut credit = self.shared.credit_to_give.swap(0, Relaxed);
        while credit > 0 {
            let step = u32::try_from(credit)
                .unwrap_or(u32::MAX)
                .min(CREDIT_PER_FRAME);
            frame::append(&mut message, &FromClient::Credit(step).to_proto())?;
            credit -= u64::from(step);
        }
        let ephemerals = self.shared.ephemerals_to_give.swap(0, Relaxed);
        if ephemerals > 0 {
            let step = u32::try_from(ephemerals).unwrap_or(u32::MAX);
            frame::append(&mut message, &FromClient::EphemeralCredit(step).to_proto())?;
        }
        Ok(message)
    }

    async fn send_message(&mut self, message: Bytes) -> Result<(), Error> {
        if message.len() > BEFORE_ADMISSION_BYTES {
            let mut admitted = self.shared.admitted.subscribe();
            // The sender lives in `shared`, so this ends with admission or with the whole writer.
            let _ = admitted.wait_for(|admitted| *admitted).await;
        }
        self.send(Message::binary(message)).await
    }

    /// A server that stops reading is as good as gone.
    async fn send(&mut self, message: Message) -> Result<(), Error> {
        match timeout(self.timing.silence, self.sink.send(message)).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(Code::ConnectionLost.into()),
        }
    }
}
