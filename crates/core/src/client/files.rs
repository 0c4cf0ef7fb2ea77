//! Files: taken into the home before they are sent, downloaded and written out when somebody asks for them.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::Path,
    sync::atomic::Ordering,
    time::Duration,
};

use undertone_content::{Attachment, MediaInfo};
use undertone_wire::{Class, padding::attachment_blob_size};
use zeroize::Zeroizing;

use super::{Client, messages::ids_of};
use crate::{
    attachments::{AttachmentError, AttachmentId, Attachments, LARGEST},
    driver::Blobs,
    error::{Error, Reason, Result},
    ids::{ChatId, MessageId},
    media::{self, FileKind},
    query,
    sync::{change::Change, erase, files, message::NewFile, shared},
    view::*,
};

/// How long a download may stand still.
const PATIENCE: Duration = Duration::from_secs(60);
/// The longest that a video or recording is said to play, milliseconds: a day.
pub(super) const LONGEST_MS: u64 = 24 * 3600 * 1000;
/// Files of one message.
const MOST: usize = 32;

impl Client {
    /// Takes files into the home: pictures cleaned, memos described, everything encrypted.
    pub(super) async fn import(&self, drafts: &[DraftAttachment]) -> Result<Vec<NewFile>> {
        if drafts.len() > MOST {
            return Err(Reason::MessageTooLong.into());
        }
        // All of them are looked at before the first is taken in.
        for draft in drafts {
            let found = tokio::fs::metadata(&draft.path).await;
            let found = found.map_err(|_| Reason::AttachmentUnreadable)?;
            self.check_size(found.len())?;
        }
        let mut taken = Vec::with_capacity(drafts.len());
        for draft in drafts {
            let attachments = self.inner.attachments.clone();
            let draft = draft.clone();
            let now_ms = self.inner.engine.clock.now_ms();
            let engine = &self.inner.engine;
            let file = engine
                .blocking(move |_| import_one(&attachments, &draft, now_ms))
                .await;
            match file {
                Ok(file) => taken.push(file),
                Err(error) => {
                    self.discard(ids_of(&taken)).await;
                    return Err(error);
                }
            }
        }
        Ok(taken)
    }

    /// Removes files that were taken in for a message and are in none. What fails here is done again when the home is opened.
    pub(super) async fn discard(&self, files: Vec<AttachmentId>) {
        let attachments = self.inner.attachments.clone();
        let done = self.inner.engine.blocking(move |_| {
            for id in files {
                attachments.discard_unaccepted(&id)?;
            }
            Ok(())
        });
        let _ = done.await;
    }

    /// Whether a file of so many bytes can be sent, as far as is known before anything of it was read.
    ///
    /// # Errors
    /// `attachment.too_large`: over 4 GiB, or over what the server takes.
    pub fn check_size(&self, size: u64) -> Result<()> {
        let taken = self.inner.driver.shared.blob_bytes.load(Ordering::Relaxed);
        let needed = attachment_blob_size(size).filter(|_| size <= LARGEST);
        match needed {
            Some(needed) if taken == 0 || needed <= taken => Ok(()),
            _ => Err(AttachmentError::TooLarge.into()),
        }
    }

    /// Writes a message's file to a place of its own, downloading it first if need be. What was downloaded already is not
    /// downloaded again.
    ///
    /// # Errors
    /// `message.unknown`, `attachment.*`, `connection.offline` if it is not here and the server can't be reached.
    pub async fn save(
        &self,
        chat: &ChatId,
        id: &MessageId,
        index: u32,
        to: &Path,
    ) -> Result<Saved> {
        let message = self.message(chat, id.as_str()).await?;
        let attachments = self.inner.attachments.clone();
        let local = message.local_id;
        let attachment = self
            .write(move |work| files::take_up(work, &attachments, local, index))
            .await?;
        self.download(&message, index, &attachment).await?;
        let attachments = self.inner.attachments.clone();
        let view_once = message.view_once;
        let path = to.to_owned();
        let engine = &self.inner.engine;
        let bytes = engine
            .blocking(move |_| {
                attachments.save(&attachment, &path)?;
                Ok(attachments.status(&attachment)?.size)
            })
            .await?;
        if view_once {
            self.write(move |work| {
                shared::put_opened(work, local)?;
                erase::opened_once(work, local)
            })
            .await?;
        }
        Ok(Saved {
            path: to.to_owned(),
            bytes,
        })
    }

    /// Copies a message's files for another message: under new keys and as a new blob, so that nothing joins the two.
    pub(super) async fn copy_files(&self, message: &MessageInfo) -> Result<Vec<NewFile>> {
        let mut copies = Vec::with_capacity(message.attachments.len());
        for file in &message.attachments {
            let (local, index) = (message.local_id, file.index);
            let attachments = self.inner.attachments.clone();
            let id = self
                .write(move |work| files::take_up(work, &attachments, local, index))
                .await?;
            self.download(message, index, &id).await?;
            let attachments = self.inner.attachments.clone();
            let now_ms = self.inner.engine.clock.now_ms();
            let copy = self
                .inner
                .engine
                .blocking(move |engine| {
                    let mut reader = attachments.open(&id)?;
                    let copy = attachments.import(&mut reader, now_ms, &mut |_| true)?;
                    let old =
                        engine.read(|snapshot| files::part(snapshot.connection(), local, index))?;
                    let reference = attachments.reference(&copy)?;
                    let part = Attachment {
                        external: files::external(&reference, old.content_type, &old.name),
                        preview: old.preview,
                        info: old.info,
                    };
                    Ok(NewFile {
                        attachment: *copy.as_bytes(),
                        part,
                        name: old.name,
                    })
                })
                .await?;
            copies.push(copy);
        }
        Ok(copies)
    }

    /// The files on this device by chat, the chat that takes most first.
    ///
    /// # Errors
    /// `store.*`.
    pub async fn storage(&self) -> Result<Vec<ChatStorage>> {
        self.read(|snapshot, engine| query::storage(snapshot.connection(), &engine.me))
            .await
    }

    /// Removes files from this device: of one chat, or of all. Messages and previews stay; a file can be fetched again as long as the
    /// server has it. What has not gone out yet stays.
    ///
    /// # Errors
    /// `chat.unknown`.
    pub async fn clean_up(&self, chat: Option<&ChatId>, clean: CleanUp) -> Result<CleanedUp> {
        let chat = chat.cloned();
        self.write(move |work| {
            let mut done = CleanedUp { files: 0, bytes: 0 };
            for (message, position, id, bytes) in
                query::removable(work.db, chat.as_ref(), &clean)?
            {
                let Some(id) = AttachmentId::from_slice(&id) else {
                    continue;
                };
                work.db.execute(
                    "UPDATE message_files SET attachment = x'' WHERE message = ?1 AND position = ?2",
                    rusqlite::params![message, position],
                )?;
                work.attachments.remove(work.tx, &id)?;
                done.files += 1;
                done.bytes += bytes;
            }
            Ok(done)
        })
        .await
    }

    pub(super) async fn download(
        &self,
        message: &MessageInfo,
        index: u32,
        id: &AttachmentId,
    ) -> Result<()> {
        let attachments = &self.inner.attachments;
        let status = {
            let (attachments, id) = (attachments.clone(), *id);
            let engine = &self.inner.engine;
            engine
                .blocking(move |_| Ok(attachments.status(&id)?))
                .await?
        };
        if status.is_here() {
            return Ok(());
        }
        let local = message.local_id;
        let server = self
            .read(move |snapshot, _| files::server(snapshot.connection(), local, index))
            .await?;
        let blobs = Blobs::at(&self.inner.driver.shared, server);
        let mut stood_still_since = tokio::time::Instant::now();
        let mut furthest = 0;
        loop {
            let mut reached = furthest;
            let outcome = attachments
                .download(&blobs, id, |progress| {
                    reached = reached.max(progress.done);
                    // No watcher is no fault.
                    let _ = self.inner.engine.events.send(Event::Transfer {
                        chat: message.chat.clone(),
                        message: message.id.clone(),
                        index,
                        done: progress.done,
                        total: progress.total,
                    });
                    true
                })
                .await;
            match outcome {
                Ok(()) => {
                    // It is here now.
                    return self
                        .write(move |work| {
                            work.tell(Change::MessageState(local));
                            Ok(())
                        })
                        .await;
                }
                Err(AttachmentError::Transport(error)) if error.class != Class::Never => {
                    if reached > furthest {
                        furthest = reached;
                        stood_still_since = tokio::time::Instant::now();
                    }
                    if stood_still_since.elapsed() > PATIENCE || self.is_unreachable() {
                        return Err(error.into());
                    }
                    tokio::time::sleep(Duration::from_millis(300)).await;
                }
                // It comes by itself at this moment: it will be here, or free to be fetched.
                Err(AttachmentError::Busy) => {
                    if self.is_unreachable() {
                        return Err(Reason::Offline.into());
                    }
                    stood_still_since = tokio::time::Instant::now();
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The chat's conversation exists; for callers that only have its id.
    #[doc(hidden)]
    pub async fn has_chat(&self, chat: &ChatId) -> Result<bool> {
        let chat = chat.clone();
        self.read(move |snapshot, _| {
            Ok(query::conversation_of(snapshot.connection(), &chat).is_ok())
        })
        .await
    }
}

fn import_one(attachments: &Attachments, draft: &DraftAttachment, now_ms: i64) -> Result<NewFile> {
    let unreadable = |_| Error::Reason(Reason::AttachmentUnreadable);
    let mut file = File::open(&draft.path).map_err(unreadable)?;
    if !file.metadata().map_err(unreadable)?.is_file() {
        return Err(Reason::AttachmentUnreadable.into());
    }
    let mut head = Vec::new();
    (&mut file)
        .take(media::SNIFF_BYTES as u64)
        .read_to_end(&mut head)
        .map_err(unreadable)?;
    file.seek(SeekFrom::Start(0)).map_err(unreadable)?;
    let sniffed = media::sniff(&head);
    let name = file_name(draft.name.as_deref().map_or(&draft.path, Path::new));
    let facts = match &draft.film {
        Some(film) => {
            let mut poster = film.poster.as_ref().map(File::open).transpose();
            let poster = poster.as_mut().map_err(|_| Reason::AttachmentUnreadable)?;
            let poster = poster.as_mut().map(|file| file as &mut dyn Read);
            Facts::of_film(sniffed.content_type, poster, film.duration_ms)?
        }
        None => Facts::default(),
    };
    match sniffed.kind {
        FileKind::Picture if !draft.keep_metadata => {
            import_picture(attachments, file, &name, now_ms)
        }
        FileKind::UncleanPicture if !draft.keep_metadata => {
            Err(media::MediaError::CannotClean.into())
        }
        FileKind::Memo => {
            // A memo that can't be described is still a file.
            let info = media::describe_memo(&mut file).unwrap_or_default();
            file.seek(SeekFrom::Start(0)).map_err(unreadable)?;
            let content_type = sniffed.content_type.to_owned();
            let facts = Facts {
                info,
                preview: None,
            };
            import_as_it_is(attachments, file, name, content_type, facts, now_ms)
        }
        _ => {
            let content_type = sniffed.content_type.to_owned();
            import_as_it_is(attachments, file, name, content_type, facts, now_ms)
        }
    }
}

/// What a message says of a file besides its bytes.
#[derive(Default)]
pub(super) struct Facts {
    pub(super) info: MediaInfo,
    pub(super) preview: Option<Vec<u8>>,
}

impl Facts {
    /// Of a file that is told apart by this type; only a video has a poster and a length that somebody else measured.
    pub(super) fn of_film(
        content_type: &str,
        poster: Option<&mut dyn Read>,
        duration_ms: Option<u64>,
    ) -> Result<Self> {
        if !content_type.starts_with("video/") {
            return Err(Reason::AttachmentNotVideo.into());
        }
        let mut facts = Self::default();
        facts.info.duration_ms = duration_ms
            .map(|ms| ms.min(LONGEST_MS))
            .filter(|ms| *ms > 0);
        if let Some(poster) = poster {
            let picture = media::clean_picture(&picture_bytes(poster)?)?;
            facts.info.width = Some(picture.width);
            facts.info.height = Some(picture.height);
            facts.preview = Some(picture.preview);
        }
        Ok(facts)
    }
}

/// The whole of a picture's file, or one byte more than a picture may have.
fn picture_bytes(source: impl Read) -> Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::new());
    source
        .take(media::PICTURE_BYTES as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|_| Reason::AttachmentUnreadable)?;
    Ok(bytes)
}

/// Takes in a picture without its metadata.
pub(super) fn import_picture(
    attachments: &Attachments,
    source: impl Read,
    name: &str,
    now_ms: i64,
) -> Result<NewFile> {
    let picture = media::clean_picture(&picture_bytes(source)?)?;
    let name = with_extension(name, picture.extension);
    let id = attachments.import(&mut picture.bytes.as_slice(), now_ms, &mut |_| true)?;
    let reference = attachments.reference(&id)?;
    Ok(NewFile {
        attachment: *id.as_bytes(),
        part: Attachment {
            external: files::external(&reference, picture.content_type.to_owned(), &name),
            preview: Some(picture.preview),
            info: Some(MediaInfo {
                width: Some(picture.width),
                height: Some(picture.height),
                ..MediaInfo::default()
            }),
        },
        name,
    })
}

/// Takes in a file as it is.
pub(super) fn import_as_it_is(
    attachments: &Attachments,
    mut source: impl Read,
    name: String,
    content_type: String,
    facts: Facts,
    now_ms: i64,
) -> Result<NewFile> {
    let id = attachments.import(&mut source, now_ms, &mut |_| true)?;
    let reference = attachments.reference(&id)?;
    let known = facts.info != MediaInfo::default();
    Ok(NewFile {
        attachment: *id.as_bytes(),
        part: Attachment {
            external: files::external(&reference, content_type, &name),
            preview: facts.preview,
            info: known.then_some(facts.info),
        },
        name,
    })
}

/// The name it is sent under: no folders, not too long.
pub(super) fn file_name(path: &Path) -> String {
    let name = path
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    let name: String = name
        .chars()
        .filter(|letter| !letter.is_control())
        .take(120)
        .collect();
    if name.is_empty() {
        "file".to_owned()
    } else {
        name
    }
}

fn with_extension(name: &str, extension: &str) -> String {
    let same = |own: &str| {
        own.eq_ignore_ascii_case(extension)
            || (extension == "jpg" && own.eq_ignore_ascii_case("jpeg"))
    };
    match Path::new(name).extension().and_then(|own| own.to_str()) {
        Some(own) if same(own) => name.to_owned(),
        _ => Path::new(name)
            .with_extension(extension)
            .to_string_lossy()
            .into_owned(),
    }
}
