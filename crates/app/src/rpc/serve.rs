//! Answers one connection.
//!
//! Requests of a connection are worked on side by side and may be answered in any order; each is begun in the order it came,
//! so that messages sent one after the other stay in order. What must stay true: a peer can hold no more memory than
//! [`MAX_MESSAGE`] a line and [`AT_WORK`] requests, and a connection that ends still finishes what it has begun.

use std::{io, pin::Pin};

use futures_util::{StreamExt, stream::FuturesUnordered};
use serde_json::Value;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    sync::watch,
};
use undertone_core::{Event, EventStream};

use super::{
    MAX_MESSAGE,
    line::{Line, Lines},
    message::{self, INVALID_REQUEST, Incoming, Request},
    methods::{Context, Subscription, dispatch},
};

use crate::guard;

/// Most requests of one connection at work; more have to wait to be read.
pub const AT_WORK: usize = 64;

type Work<'a> = Pin<Box<dyn Future<Output = Option<Value>> + Send + 'a>>;

/// Reads requests until the stream ends or `stop` turns true, finishes those begun, and returns.
///
/// # Errors
/// Those of the streams.
pub async fn serve<R, W>(
    context: &Context,
    reader: R,
    mut writer: W,
    mut stop: watch::Receiver<bool>,
) -> io::Result<()>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let mut lines = Lines::new(reader, MAX_MESSAGE);
    let mut at_work: FuturesUnordered<Work<'_>> = FuturesUnordered::new();
    let mut events: Option<EventStream> = None;
    let mut reading = true;
    while reading || !at_work.is_empty() {
        tokio::select! {
            biased;
            Some(answer) = at_work.next(), if !at_work.is_empty() => {
                match context.take_subscription() {
                    Some(Subscription::Start(stream)) => events = Some(stream),
                    Some(Subscription::Stop) => events = None,
                    None => {}
                }
                if let Some(answer) = answer {
                    write(&mut writer, &answer).await?;
                }
            }
            event = next_event(&mut events), if events.is_some() => match event {
                Some(event) => {
                    if let Ok(params) = serde_json::to_value(&event) {
                        write(&mut writer, &message::notification("event", params)).await?;
                    }
                }
                None => events = None,
            },
            () = stopped(&mut stop), if reading => reading = false,
            line = lines.next(), if reading && at_work.len() < AT_WORK => match line? {
                None => reading = false,
                Some(Line::TooLong) => {
                    let answer = message::protocol_error(INVALID_REQUEST, "rpc.too_large", "A message has at most 4 MiB.", Value::Null);
                    write(&mut writer, &answer).await?;
                }
                Some(Line::Text(line)) => at_work.push(Box::pin(handle(context, line))),
            },
        }
    }
    writer.flush().await
}

async fn next_event(events: &mut Option<EventStream>) -> Option<Event> {
    match events {
        Some(stream) => stream.next().await,
        None => None,
    }
}

/// Returns when `stop` turns true.
pub(super) async fn stopped(stop: &mut watch::Receiver<bool>) {
    // An error means that whoever could say stop is gone: then nobody will.
    if stop.wait_for(|stop| *stop).await.is_err() {
        std::future::pending::<()>().await;
    }
}

async fn handle(context: &Context, line: Vec<u8>) -> Option<Value> {
    match message::parse(&line) {
        Incoming::Single(request) => answer(context, request).await,
        Incoming::Batch(requests) => {
            let mut answers = Vec::new();
            for request in requests {
                answers.extend(answer(context, request).await);
            }
            if answers.is_empty() {
                None
            } else {
                Some(Value::Array(answers))
            }
        }
    }
}

async fn answer(context: &Context, request: Result<Request, Value>) -> Option<Value> {
    let request = match request {
        Ok(request) => request,
        Err(answer) => return Some(answer),
    };
    guard::ASKED.touch();
    let outcome = dispatch(context, &request.method, request.params).await;
    if let Err(failure) = &outcome {
        tracing::debug!(code = failure.code, "request failed");
    }
    let id = request.id?;
    Some(match outcome {
        Ok(result) => message::success(result, id),
        Err(failure) => message::failure(&failure, id),
    })
}

async fn write(writer: &mut (impl AsyncWrite + Unpin), message: &Value) -> io::Result<()> {
    writer.write_all(&message::line(message)).await?;
    writer.flush().await
}
