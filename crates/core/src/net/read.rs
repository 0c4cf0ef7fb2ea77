//! The reading half of a connection: responses go to whoever waits, pushes to whoever takes them.

use std::sync::{Arc, atomic::Ordering::Relaxed};

use futures_util::{StreamExt as _, stream::SplitStream};
use tokio::{sync::mpsc, time::timeout};
use undertone_wire::{
    Code, Error,
    frame::{self, Frames},
    proto,
    response::{FromServer, Notice},
};

use super::{
    connect::{Socket, Timing},
    connection::{MOST_NOTICES, Shared},
};
use crate::transport::Push;

/// Reads until the connection ends, and says why it did.
pub(super) async fn run(
    stream: SplitStream<Socket>,
    first: Frames<proto::ServerFrame>,
    pushes: mpsc::UnboundedSender<Push>,
    shared: Arc<Shared>,
    timing: Timing,
) {
    let mut reader = Reader {
        stream,
        pushes,
        shared: &shared,
        timing,
        goodbye: Error::new(Code::ConnectionLost),
    };
    let mut closing = shared.closing.subscribe();
    tokio::select! {
        reason = reader.read(first) => shared.end(reason),
        // This side closed, or could not write any more: whoever takes pushes must learn of it now.
        _ = closing.wait_for(|closing| *closing) => {}
    }
}

struct Reader<'a> {
    stream: SplitStream<Socket>,
    pushes: mpsc::UnboundedSender<Push>,
    shared: &'a Shared,
    timing: Timing,
    /// What to answer when the server closes.
    goodbye: Error,
}

impl Reader<'_> {
    async fn read(&mut self, first: Frames<proto::ServerFrame>) -> Error {
        if let Err(error) = self.take_frames(first) {
            return error;
        }
        loop {
            let Ok(message) = timeout(self.timing.silence, self.stream.next()).await else {
                return Code::ConnectionTimeout.into();
            };
            let Some(Ok(message)) = message else {
                return self.goodbye;
            };
            if message.is_binary() {
                let frames = frame::server_frames(message.into_payload().into());
                if let Err(error) = self.take_frames(frames) {
                    return error;
                }
            } else if message.is_text() {
                return Code::ConnectionProtocol.into();
            }
        }
    }

    fn take_frames(&mut self, frames: Frames<proto::ServerFrame>) -> Result<(), Error> {
        // The rest of the first message may be empty; a later message never is, and its first frame says so.
        for frame in frames {
            self.take_frame(FromServer::parse(frame?)?)?;
        }
        Ok(())
    }

    fn take_frame(&mut self, frame: FromServer) -> Result<(), Error> {
        match frame {
            FromServer::Response {
                id: 0,
                outcome: Err(reason),
            } => return Err(reason),
            FromServer::Response { id, outcome } => self.shared.respond(id, outcome),
            FromServer::Item(item) => {
                self.shared
                    .credit_given
                    .fetch_update(Relaxed, Relaxed, |credit| credit.checked_sub(1))
                    .map_err(|_| Error::new(Code::ConnectionProtocol))?;
                self.push(Push::Item(item));
            }
            FromServer::Ephemeral(sent) => {
                self.shared
                    .ephemerals_given
                    .fetch_update(Relaxed, Relaxed, |credit| credit.checked_sub(1))
                    .map_err(|_| Error::new(Code::ConnectionProtocol))?;
                self.push(Push::Ephemeral(sent));
            }
            FromServer::SealKey(key) => self.push_notice(Push::SealKey(key))?,
            FromServer::Notice(notice) => {
                match &notice {
                    Notice::Replaced => self.goodbye = Error::new(Code::AuthReplaced),
                    Notice::ShuttingDown { retry_after_s } => {
                        self.goodbye = Error::retry_after(Code::ServerShuttingDown, *retry_after_s);
                    }
                    Notice::TokenKeysChanged(_) | Notice::Announcements(_) | Notice::Bell => {}
                }
                self.push_notice(Push::Notice(notice))?;
            }
            FromServer::Hello(_) => return Err(Code::ConnectionProtocol.into()),
            FromServer::Unknown => {}
        }
        Ok(())
    }

    /// Items are bounded by credit.
    fn push(&self, push: Push) {
        // Nobody takes pushes any more when the handle is gone; then this task is about to be as well.
        let _ = self.pushes.send(push);
    }

    fn push_notice(&self, push: Push) -> Result<(), Error> {
        let waiting = self.shared.notices_waiting.fetch_add(1, Relaxed);
        if waiting >= MOST_NOTICES as u64 {
            return Err(Code::ConnectionProtocol.into());
        }
        self.push(push);
        Ok(())
    }
}
