//! Tasks that move files and large payloads, beside the connections: each goes on until it is done or never will be.

use std::{sync::Arc, time::Duration};

use undertone_wire::{Code, Error as WireError, ids::BlobId, secrets::Secret};

use super::{
    Blobs, Shared,
    blobs::{fetch_payload, upload_payload},
    elsewhere::{self, Guest},
    pause::Pause,
};
use crate::{
    attachments::{AttachmentError, AttachmentId, Progress, is_of_blob},
    error::{Error, Result},
    sync::{
        commit,
        downloads::{self, Download},
        duty, fetch, files, send, uploads,
    },
    view::{Event, LinkState},
};

/// A transfer that failed is taken up again after this at the latest.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// So many answers in a row that make no sense, with pauses between them, are a refusal.
const REFUSALS: u32 = 24;

/// What a transfer task works on, so that nothing is transferred twice at once.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) enum Transfer {
    Files(i64),
    Commit(i64),
    Send(i64),
    Fetch(i64),
    Away(Guest),
    Download(Download),
}

/// What a transfer task does.
pub(super) enum Carry {
    Files(i64),
    Commit {
        conversation: i64,
        blob: BlobId,
        key: Secret<32>,
        body: Vec<u8>,
    },
    Send {
        send: i64,
        blob: BlobId,
        key: Secret<32>,
        body: Vec<u8>,
    },
    Fetch(fetch::Fetch),
    Away(Guest, duty::Away),
    Download(Download),
}

/// Whether a duty is a transfer, which has a task of its own.
#[expect(
    clippy::result_large_err,
    reason = "what is no transfer is given back as it came"
)]
pub(super) fn transfer(duty: duty::Outbox) -> std::result::Result<(Transfer, Carry), duty::Outbox> {
    Ok(match duty {
        duty::Outbox::Files(message) => (Transfer::Files(message), Carry::Files(message)),
        duty::Outbox::UploadCommit {
            conversation,
            blob,
            key,
            body,
        } => (
            Transfer::Commit(conversation),
            Carry::Commit {
                conversation,
                blob,
                key,
                body,
            },
        ),
        duty::Outbox::UploadSend {
            send,
            blob,
            key,
            body,
        } => (
            Transfer::Send(send),
            Carry::Send {
                send,
                blob,
                key,
                body,
            },
        ),
        duty::Outbox::Download(download) => {
            (Transfer::Download(download), Carry::Download(download))
        }
        duty::Outbox::Fetch(fetch) => (Transfer::Fetch(fetch.item), Carry::Fetch(fetch)),
        duty::Outbox::Away(away) => {
            let guest = match (&*away.duty, away.duty.conversation()) {
                (duty::Outbox::Take(id, _), _) => Guest::Take(*id),
                (_, Some(id)) => Guest::Conversation(id),
                (_, None) => return Err(*away.duty),
            };
            (Transfer::Away(guest), Carry::Away(guest, away))
        }
        other => return Err(other),
    })
}

/// Carries until it is done or will never be.
pub(super) async fn carry(shared: &Arc<Shared>, work: Carry) {
    let work = match work {
        // What was to be done may be something else after a failure.
        Carry::Away(guest, away) => return elsewhere::carry(shared, guest, away).await,
        // One that fails makes room for others, and has its own time to come again.
        Carry::Download(download) => return download_file(shared, download).await,
        other => other,
    };
    let mut pause = Pause::new(shared.engine.pace.reconnect_to.min(LONGEST_PAUSE));
    let mut refusals = 0;
    loop {
        let outcome = match &work {
            Carry::Files(message) => upload_files(shared, *message).await,
            Carry::Commit {
                conversation,
                blob,
                key,
                body,
            } => match upload_payload(shared, blob, key, body).await {
                Ok(()) => {
                    let (conversation, blob) = (*conversation, *blob);
                    shared
                        .write(move |work| commit::uploaded(work, conversation, &blob))
                        .await
                }
                Err(error) => Err(error),
            },
            Carry::Send {
                send,
                blob,
                key,
                body,
            } => match upload_payload(shared, blob, key, body).await {
                Ok(()) => {
                    let (send, blob) = (*send, *blob);
                    shared
                        .write(move |work| send::uploaded(work, send, &blob))
                        .await
                }
                Err(error) => Err(error),
            },
            Carry::Fetch(wanted) => fetch_one(shared, wanted).await,
            Carry::Away(..) | Carry::Download(_) => return,
        };
        let outcome = match outcome {
            Err(Error::Wire(error)) => {
                refusals = if makes_no_sense(error.code) {
                    refusals + 1
                } else {
                    0
                };
                if is_refused_for_good(error.code) || refusals == REFUSALS {
                    refused_for_good(shared, &work, error).await
                } else {
                    Err(error.into())
                }
            }
            outcome => outcome,
        };
        match outcome {
            Ok(()) => {
                return;
            }
            Err(error) => {
                tracing::debug!(code = error.code(), "a transfer is taken up again later");
                tokio::time::sleep(pause.next(Duration::ZERO)).await;
            }
        }
    }
}

/// Whether a server answers so what it does not understand, or what the app does not.
fn makes_no_sense(code: Code) -> bool {
    matches!(
        code,
        Code::ResponseMalformed
            | Code::RequestMalformed
            | Code::RequestUnknown
            | Code::Unrecognised
    )
}

/// Whether a server takes no blob of this size. Anything else that it says of a blob helps itself with a new one, or passes.
fn is_refused_for_good(code: Code) -> bool {
    matches!(code, Code::BlobTooLarge | Code::BlobLength)
}

/// What needs a blob that the server will never take is given up: trying for ever would keep the conversation waiting.
async fn refused_for_good(shared: &Arc<Shared>, work: &Carry, error: WireError) -> Result<()> {
    tracing::debug!(code = error.code.as_str(), "a transfer is given up");
    match work {
        Carry::Commit {
            conversation, blob, ..
        } => {
            let (conversation, blob) = (*conversation, *blob);
            shared
                .write(move |work| commit::body_refused(work, conversation, &blob))
                .await
        }
        Carry::Send { send, .. } => {
            let send = *send;
            shared
                .write(move |work| send::body_refused(work, send))
                .await
        }
        Carry::Files(message) => files_refused(shared, *message, error.into()).await,
        // They have rules of their own (fetch.rs, elsewhere.rs).
        Carry::Fetch(_) | Carry::Away(..) | Carry::Download(_) => Err(error.into()),
    }
}

async fn fetch_one(shared: &Arc<Shared>, wanted: &fetch::Fetch) -> Result<()> {
    let item = wanted.item;
    match fetch_payload(shared, wanted).await {
        Ok(body) => {
            shared
                .write(move |work| fetch::came(work, item, &body))
                .await
        }
        Err(Error::Attachment(_)) => shared.write(move |work| fetch::wrong(work, item)).await,
        Err(Error::Wire(error)) if error.code == Code::BlobUnknown => {
            shared
                .write(move |work| fetch::missing(work, item, false))
                .await
        }
        Err(error) => {
            // While there is no server at all nothing is given up.
            let online = shared.links.borrow().inbox == LinkState::Online;
            if online && !shared.write(move |work| fetch::failed(work, item)).await? {
                return Ok(());
            }
            Err(error)
        }
    }
}

/// The files of a message can't be sent, and so it will not go.
async fn files_refused(shared: &Arc<Shared>, message: i64, why: Error) -> Result<()> {
    tracing::debug!(code = why.code(), "a file can't be sent");
    shared
        .write(move |work| uploads::give_up(work, message, &why))
        .await
}

/// Whether a message still waits for its files.
fn is_waited_for(shared: &Shared, message: i64) -> Result<bool> {
    let engine = &shared.engine;
    engine.read(|snapshot| uploads::waits_for_files(snapshot.connection(), message))
}

/// Uploads the files of a message, one after the other; then the message can go.
async fn upload_files(shared: &Arc<Shared>, message: i64) -> Result<()> {
    let found = shared
        .write(move |work| files::of_message(work.db, message))
        .await?;
    let blobs = Blobs::own(shared);
    for file in &found.files {
        let Some(id) = AttachmentId::from_slice(&file.attachment) else {
            continue;
        };
        let tell = |progress: Progress| {
            // No watcher is no fault.
            let _ = shared.engine.events.send(Event::Transfer {
                chat: found.chat.clone(),
                message: found.message.clone(),
                index: file.position,
                done: progress.done,
                total: progress.total,
            });
            true
        };
        match shared.attachments.upload(&blobs, &id, tell).await {
            Ok(()) => {}
            // Its owner stopped it or deleted the message; when it is to go on, somebody else begins.
            Err(AttachmentError::Paused) => return Ok(()),
            Err(_) if !is_waited_for(shared, message)? => return Ok(()),
            Err(AttachmentError::Transport(error)) if !is_of_blob(error.code) => {
                return Err(error.into());
            }
            Err(
                error @ (AttachmentError::Busy
                | AttachmentError::Cancelled
                | AttachmentError::DiskFull
                | AttachmentError::Store(_)),
            ) => return Err(error.into()),
            Err(error) => return files_refused(shared, message, error.into()).await,
        }
    }
    shared
        .write(move |work| uploads::files_ready(work, message))
        .await
}

/// Fetches a file that comes by itself. It ends at once when it is not wanted any more, since the limit or the network has changed.
async fn download_file(shared: &Arc<Shared>, download: Download) {
    let outcome = try_download(shared, download).await;
    let noted = match outcome {
        Ok(()) => {
            shared
                .write(move |work| downloads::done(work, download))
                .await
        }
        // Its owner stopped it, or it is to wait for another network.
        Err(Error::Attachment(AttachmentError::Cancelled | AttachmentError::Paused)) => Ok(()),
        Err(error) => {
            tracing::debug!(code = error.code(), "a file did not come by itself");
            let online = shared.links.borrow().inbox == LinkState::Online;
            shared
                .write(move |work| downloads::failed(work, download, online))
                .await
        }
    };
    if let Err(error) = noted {
        tracing::debug!(code = error.code(), "a download was not noted");
    }
}

async fn try_download(shared: &Arc<Shared>, download: Download) -> Result<()> {
    let attachments = shared.attachments.clone();
    let (message, index) = (download.message, download.position);
    let (id, server, of) = shared
        .write(move |work| {
            let id = files::take_up(work, &attachments, message, index)?;
            let server = files::server(work.db, message, index)?;
            Ok((id, server, files::of_message(work.db, message)?))
        })
        .await?;
    let blobs = Blobs::at(shared, server);
    let engine = &shared.engine;
    let fetched = shared.attachments.download(&blobs, &id, |progress| {
        // No watcher is no fault.
        let _ = engine.events.send(Event::Transfer {
            chat: of.chat.clone(),
            message: of.message.clone(),
            index,
            done: progress.done,
            total: progress.total,
        });
        let wanted = engine.read(|snapshot| downloads::is_wanted(snapshot.connection(), download));
        wanted.unwrap_or(false)
    });
    Ok(fetched.await?)
}
