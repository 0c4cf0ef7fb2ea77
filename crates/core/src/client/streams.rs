//! Files as streams, for a user interface that has no files of its own: taken in as they come, read from any place.
//!
//! What must stay true: nothing decrypted touches the disk either way. What was taken in and not sent is removed when it is
//! given back, or by the next start.

use std::io::{Cursor, Read};

use undertone_content::MediaInfo;

use super::{
    Client,
    files::{self, Facts},
};
use crate::{
    attachments::{AttachmentId, AttachmentReader},
    error::{Reason, Result},
    ids::{ChatId, MessageId},
    media::{self, FileKind},
    sync::{erase, files as rows, message::NewFile, shared},
    view::{Draft, Sent},
};

/// Loudness samples of a recording, at most.
const WAVEFORM: usize = 256;

/// What is known of a file that is about to come.
#[derive(Clone, Debug, Default)]
pub struct Arriving {
    /// The name to send it under.
    pub name: String,
    /// Leave a picture's metadata (place, camera, time) in.
    pub keep_metadata: bool,
    /// It is a voice memo that was just recorded.
    pub recording: Option<Recording>,
    /// It is a video, and this is known of it.
    pub film: Option<Film>,
}

/// What a user interface that can play a video says of it.
#[derive(Clone, Default)]
pub struct Film {
    /// How long it plays, milliseconds, at most a day.
    pub duration_ms: Option<u64>,
    /// A picture of it, such as a frame: JPEG, PNG, WebP or GIF.
    pub poster: Option<Vec<u8>>,
}

impl std::fmt::Debug for Film {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Film(..)")
    }
}

/// What the recorder measured of a voice memo. The app has no audio decoder, so it can't measure by itself.
#[derive(Clone, Debug, Default)]
pub struct Recording {
    /// How long it plays, milliseconds.
    pub duration_ms: u64,
    /// Loudness over time, evenly spaced, 0 to 255; samples after the 256th are left out.
    pub waveform: Vec<u8>,
}

/// A file that is in the home, encrypted, and belongs to no message yet.
pub struct TakenFile(NewFile);

impl Client {
    /// Takes in what `source` holds: a picture loses its metadata, everything is encrypted as it is read.
    ///
    /// # Errors
    /// `attachment.*` and `media.*`; `attachment.unreadable` if the source fails before its end. Nothing is left then.
    pub async fn take_in(
        &self,
        mut source: impl Read + Send + 'static,
        arriving: Arriving,
    ) -> Result<TakenFile> {
        let attachments = self.inner.attachments.clone();
        let now_ms = self.inner.engine.clock.now_ms();
        let taken = self
            .inner
            .engine
            .blocking(move |_| {
                let mut head = Vec::new();
                (&mut source)
                    .take(media::SNIFF_BYTES as u64)
                    .read_to_end(&mut head)
                    .map_err(|_| Reason::AttachmentUnreadable)?;
                let sniffed = media::sniff(&head);
                let name = files::file_name(arriving.name.as_ref());
                let whole = Cursor::new(head).chain(source);
                match sniffed.kind {
                    FileKind::Picture if !arriving.keep_metadata => {
                        files::import_picture(&attachments, whole, &name, now_ms)
                    }
                    FileKind::UncleanPicture if !arriving.keep_metadata => {
                        Err(media::MediaError::CannotClean.into())
                    }
                    _ => {
                        let (content_type, facts) = match (arriving.recording, arriving.film) {
                            (Some(recording), _) => (
                                recorded_type(sniffed.content_type).to_owned(),
                                measured(recording),
                            ),
                            (None, Some(film)) => {
                                let mut poster = film.poster.as_deref();
                                let poster = poster.as_mut().map(|bytes| bytes as &mut dyn Read);
                                let kind = sniffed.content_type;
                                let facts = Facts::of_film(kind, poster, film.duration_ms)?;
                                (kind.to_owned(), facts)
                            }
                            (None, None) => (sniffed.content_type.to_owned(), Facts::default()),
                        };
                        files::import_as_it_is(
                            &attachments,
                            whole,
                            name,
                            content_type,
                            facts,
                            now_ms,
                        )
                    }
                }
            })
            .await?;
        Ok(TakenFile(taken))
    }

    /// Removes a file that is not to be sent after all.
    ///
    /// # Errors
    /// `attachment.*`.
    pub async fn give_back(&self, taken: TakenFile) -> Result<()> {
        let attachments = self.inner.attachments.clone();
        self.inner
            .engine
            .blocking(move |_| {
                if let Some(id) = AttachmentId::from_slice(&taken.0.attachment) {
                    attachments.discard(&id)?;
                }
                Ok(())
            })
            .await
    }

    /// [`Client::enqueue`] with files that were taken in before; those the draft names by path are not looked at.
    ///
    /// # Errors
    /// As [`Client::enqueue`]. The files are gone either way.
    pub async fn enqueue_taken(
        &self,
        chat: &ChatId,
        draft: Draft,
        taken: Vec<TakenFile>,
    ) -> Result<Sent> {
        let _turn = self.inner.turn.lock().await;
        let files = taken.into_iter().map(|file| file.0).collect();
        self.enqueue_with(chat, draft, files, None).await
    }

    /// Opens a message's file for reading from any place, downloading it first if need be. A file that may be opened once can
    /// be read with this reader only: it is gone for everybody who comes later.
    ///
    /// # Errors
    /// `message.unknown`, `attachment.*`, `connection.offline` if it is not here and the server can't be reached.
    pub async fn open_file(
        &self,
        chat: &ChatId,
        id: &MessageId,
        index: u32,
    ) -> Result<AttachmentReader> {
        let message = self.message(chat, id.as_str()).await?;
        let attachments = self.inner.attachments.clone();
        let local = message.local_id;
        let attachment = self
            .write(move |work| rows::take_up(work, &attachments, local, index))
            .await?;
        self.download(&message, index, &attachment).await?;
        let attachments = self.inner.attachments.clone();
        let reader = self
            .inner
            .engine
            .blocking(move |_| Ok(attachments.open(&attachment)?))
            .await?;
        if message.view_once {
            self.write(move |work| {
                shared::put_opened(work, local)?;
                erase::opened_once(work, local)
            })
            .await?;
        }
        Ok(reader)
    }
}

/// The containers that browsers record to are told from video only by what is in them; the recorder knows.
fn recorded_type(sniffed: &'static str) -> &'static str {
    match sniffed {
        "video/mp4" | "audio/m4a" => "audio/mp4",
        "video/webm" | "video/x-matroska" => "audio/webm",
        other => other,
    }
}

fn measured(recording: Recording) -> Facts {
    let mut waveform = recording.waveform;
    waveform.truncate(WAVEFORM);
    let info = MediaInfo {
        duration_ms: Some(recording.duration_ms.min(files::LONGEST_MS)),
        waveform: (!waveform.is_empty()).then_some(waveform),
        ..MediaInfo::default()
    };
    Facts {
        info,
        preview: None,
    }
}
