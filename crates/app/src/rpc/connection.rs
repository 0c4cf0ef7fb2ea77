//! The other end of a connection: calls methods of the process that owns the home.

use std::{collections::VecDeque, time::Duration};

use serde_json::{Value, json};
use tokio::{
    io::{self, AsyncRead, AsyncWrite, AsyncWriteExt},
    net::{
        UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
};
use undertone_core::{ErrorClass, Event};

use super::{
    answers::Greeting,
    line::{Line, Lines},
    message,
    methods::{Method, SessionHello},
    params::Hello,
};
use crate::failure::{ErrorData, Failure};

/// An owner that doesn't greet within this time hangs.
const GREETING: Duration = Duration::from_secs(5);
/// Longest answer: a page of messages with previews.
const MAX_ANSWER: usize = 256 * 1024 * 1024;

/// A connection to the owner of a home. One call at a time; events that come meanwhile are kept.
pub struct Connection {
    lines: Lines<OwnedReadHalf>,
    writer: OwnedWriteHalf,
    next_id: u64,
    events: VecDeque<Event>,
}

impl Connection {
    /// Greets the owner at the other end of `stream`.
    ///
    /// # Errors
    /// `home.busy` if it doesn't answer; `version.other_rpc` if it speaks another version of the interface.
    pub async fn open(stream: std::os::unix::net::UnixStream) -> Result<(Self, Greeting), Failure> {
        let lost = |_| gone();
        stream.set_nonblocking(true).map_err(lost)?;
        let (reader, writer) = UnixStream::from_std(stream).map_err(lost)?.into_split();
        let mut connection = Self {
            lines: Lines::new(reader, MAX_ANSWER),
            writer,
            next_id: 1,
            events: VecDeque::new(),
        };
        let hello = Hello {
            caller: Some(concat!("undertone ", env!("CARGO_PKG_VERSION")).to_owned()),
        };
        let greeting = tokio::time::timeout(GREETING, connection.call::<SessionHello>(hello))
            .await
            .map_err(|_| {
                Failure::new(
                    "home.busy",
                    "Another process has this home open and doesn't answer.",
                )
            })??;
        if greeting.rpc != super::RPC_VERSION {
            return Err(Failure::new(
                "version.other_rpc",
                format!(
                    "The process that has this home open is Undertone {}, which this command can't talk to.",
                    greeting.version
                ),
            ));
        }
        Ok((connection, greeting))
    }

    /// Calls a method and waits for its answer.
    ///
    /// # Errors
    /// What the method says; `rpc.lost` if the owner ended before it answered.
    pub async fn call<M: Method>(&mut self, params: M::Params) -> Result<M::Answer, Failure> {
        let id = self.next_id;
        self.next_id += 1;
        let params = serde_json::to_value(params).map_err(|_| garbled())?;
        let request = json!({"jsonrpc": "2.0", "id": id, "method": M::NAME, "params": params});
        self.writer
            .write_all(&message::line(&request))
            .await
            .map_err(|_| gone())?;
        loop {
            let mut message = self.read().await?.ok_or_else(gone)?;
            if message["id"] != json!(id) {
                continue;
            }
            if let Some(error) = message.get_mut("error") {
                let sentence = error["message"].as_str().unwrap_or_default().to_owned();
                return Err(
                    match serde_json::from_value::<ErrorData>(error["data"].take()) {
                        Ok(data) => Failure::from(data),
                        Err(_) => Failure::new("rpc.failed", sentence),
                    },
                );
            }
            return serde_json::from_value(message["result"].take()).map_err(|_| garbled());
        }
    }

    /// The next event, after `events.subscribe`; `None` when the owner has ended.
    ///
    /// # Errors
    /// `rpc.garbled`.
    pub async fn event(&mut self) -> Result<Option<Event>, Failure> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(Some(event));
            }
            if self.read().await?.is_none() {
                return Ok(self.events.pop_front());
            }
        }
    }

    /// Hands lines from `reader` to the owner and its answers to `writer`, until the owner has answered everything and
    /// `reader` has ended, or until `stop` turns true.
    ///
    /// # Errors
    /// Those of the streams.
    pub async fn hand_through<R, W>(
        self,
        mut reader: R,
        mut writer: W,
        mut stop: watch::Receiver<bool>,
    ) -> io::Result<()>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        let (mut answers, mut requests) = (self.lines.into_source(), self.writer);
        let asking = async {
            tokio::select! {
                copied = io::copy(&mut reader, &mut requests) => copied.map(|_| ())?,
                _ = stop.wait_for(|stop| *stop) => {}
            }
            requests.shutdown().await
        };
        let answering = async {
            io::copy(&mut answers, &mut writer).await?;
            writer.flush().await
        };
        tokio::pin!(asking, answering);
        tokio::select! {
            // The owner ended first: nothing more can be asked.
            answered = &mut answering => answered,
            asked = &mut asking => {
                asked?;
                answering.await
            }
        }
    }

    /// Reads one message; keeps it too if it is an event.
    async fn read(&mut self) -> Result<Option<Value>, Failure> {
        match self.lines.next().await {
            Ok(None) | Err(_) => Ok(None),
            Ok(Some(Line::TooLong)) => Err(garbled()),
            Ok(Some(Line::Text(line))) => {
                let message: Value = serde_json::from_slice(&line).map_err(|_| garbled())?;
                if message["method"] == "event" {
                    // An event that this version doesn't know is no harm.
                    if let Ok(event) = serde_json::from_value(message["params"].clone()) {
                        self.events.push_back(event);
                    }
                }
                Ok(Some(message))
            }
        }
    }
}

fn gone() -> Failure {
    Failure {
        class: ErrorClass::RetryNow,
        ..Failure::new(
            "home.lost",
            "The process that had this home open ended before it answered; see what was done before you repeat the command.",
        )
    }
}

fn garbled() -> Failure {
    Failure::new(
        "rpc.garbled",
        "The process that has this home open gave an answer that makes no sense here.",
    )
}
