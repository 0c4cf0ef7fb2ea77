//! Moving blobs: up from the file at rest, down into it, piece by piece, from wherever the last attempt
//! was cut.
//!
//! What was transferred is not written down: the server knows how much of an upload it has, and the file
//! at rest is as long as a download is far. A transfer does not sleep or retry by itself except
//! where the server's answer says how to go on; the caller waits and calls again.

use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use bytes::{Bytes, BytesMut};
use sha2::{Digest, Sha256};
use undertone_wire::ids::BlobId;
use undertone_wire::{Code, Error};
use zeroize::Zeroizing;

use super::import::sync_folder;
use super::read::ChunkFile;
use super::rows::{AttachmentId, Direction, Record, State};
use super::stream::{CHUNK, ChunkCipher, Layout, chunk_buffer};
use super::{AttachmentError, Attachments, Occupied};
use crate::transport::{BlobState, BoxFuture};

/// Bytes sent in one append: what a transfer holds in memory, and what one blind token pays for.
pub const PIECE: usize = 128 * CHUNK;
/// Bytes asked for in one read.
pub const READ_PIECE: usize = 64 * CHUNK;

/// How often a server may send an upload back without having taken anything.
const SETBACKS: u32 = 4;

/// What a transfer needs of a server's blobs. Tokens, proxies and time limits are the implementer's.
pub trait BlobTransport: Send + Sync {
    /// Creates a blob of `length` bytes; if it exists already, answers how much of it is there.
    fn create<'a>(&'a self, id: &'a BlobId, length: u64)
    -> BoxFuture<'a, Result<BlobState, Error>>;

    /// Appends `bytes` at `offset`; answers how much is there then. `blob.offset` if that is not the end.
    fn append<'a>(
        &'a self,
        id: &'a BlobId,
        offset: u64,
        bytes: Bytes,
    ) -> BoxFuture<'a, Result<BlobState, Error>>;

    /// How much is there.
    fn state<'a>(&'a self, id: &'a BlobId) -> BoxFuture<'a, Result<BlobState, Error>>;

    /// Reads exactly `length` bytes from `from` of a complete blob.
    fn read<'a>(
        &'a self,
        id: &'a BlobId,
        from: u64,
        length: u64,
    ) -> BoxFuture<'a, Result<Bytes, Error>>;
}

/// How far a transfer is, in bytes of the blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Transferred.
    pub done: u64,
    /// To be transferred in all.
    pub total: u64,
}

impl Attachments {
    /// Sends an accepted attachment to the server, from where an earlier attempt ended. A finished one is
    /// answered at once.
    ///
    /// `proceed` is told the progress before every piece; if it returns `false` the transfer ends with
    /// [`AttachmentError::Cancelled`] and can be taken up again. Dropping the future does the same. Its owner can stop
    /// it in the middle of a piece with [`Attachments::pause`] and [`Attachments::cancel`].
    ///
    /// # Errors
    /// [`AttachmentError::Transport`]: call again later, unless the server refuses this blob for good; then the
    /// attachment is marked as failed. [`AttachmentError::Failed`], [`AttachmentError::Busy`], [`AttachmentError::Cancelled`], [`AttachmentError::Paused`],
    /// [`AttachmentError::Damaged`] (the file at rest), [`AttachmentError::Io`], [`AttachmentError::Unknown`].
    pub async fn upload(
        &self,
        transport: &dyn BlobTransport,
        id: &AttachmentId,
        mut proceed: impl FnMut(Progress) -> bool + Send,
    ) -> Result<(), AttachmentError> {
        let Some((record, occupied)) = self.begin(id, Direction::Upload)? else {
            return Ok(());
        };
        let outcome = self
            .send_pieces(transport, id, &record, occupied, &mut proceed)
            .await;
        self.end(id, outcome)
    }

    /// Fetches an expected attachment from the server, from where an earlier attempt ended.
    ///
    /// As [`Attachments::upload`]; in addition:
    ///
    /// # Errors
    /// [`AttachmentError::Damaged`] if the blob is not the promised one (marked as failed, and what came
    /// is removed), [`AttachmentError::DiskFull`].
    pub async fn download(
        &self,
        transport: &dyn BlobTransport,
        id: &AttachmentId,
        mut proceed: impl FnMut(Progress) -> bool + Send,
    ) -> Result<(), AttachmentError> {
        let Some((record, occupied)) = self.begin(id, Direction::Download)? else {
            return Ok(());
        };
        let outcome = self
            .fetch_pieces(transport, id, &record, occupied, &mut proceed)
            .await;
        if outcome == Err(AttachmentError::Damaged) {
            let _ = std::fs::remove_file(self.file(&record));
        }
        self.end(id, outcome)
    }

    /// Takes the attachment for one transfer; `None` if there is nothing left to do.
    fn begin(
        &self,
        id: &AttachmentId,
        direction: Direction,
    ) -> Result<Option<(Record, Occupied)>, AttachmentError> {
        let occupied = self.occupy(*id)?;
        let record = self.record(id)?;
        if record.status.direction != direction {
            return Err(AttachmentError::Unknown);
        }
        match record.status.state {
            State::Done => Ok(None),
            State::Preparing | State::Removing => Err(AttachmentError::Unknown),
            State::Failed if record.status.is_cancelled() => Err(AttachmentError::Cancelled),
            State::Failed => Err(AttachmentError::Failed),
            State::Waiting if record.status.paused => Err(AttachmentError::Paused),
            State::Waiting => Ok(Some((record, occupied))),
        }
    }

    /// Writes down how it ended.
    fn end(
        &self,
        id: &AttachmentId,
        outcome: Result<(), AttachmentError>,
    ) -> Result<(), AttachmentError> {
        match outcome {
            Ok(()) => self.finish(id, State::Done, "")?,
            Err(error) if is_final(error) => self.finish(id, State::Failed, error.code())?,
            Err(_) => {}
        }
        self.remove_if_asked(id);
        outcome
    }

    async fn send_pieces(
        &self,
        transport: &dyn BlobTransport,
        id: &AttachmentId,
        record: &Record,
        occupied: Occupied,
        proceed: &mut (dyn FnMut(Progress) -> bool + Send),
    ) -> Result<(), AttachmentError> {
        let (layout, blob_id) = (record.layout, &record.blob_id);
        let file =
            File::open(self.file(record)).map_err(|error| AttachmentError::in_home(&error))?;
        let mut source = PieceSource {
            chunks: ChunkFile {
                file,
                cipher: ChunkCipher::new(&record.rest_key),
                layout,
            },
            blob: ChunkCipher::new(&record.key),
            buffer: chunk_buffer(),
            _occupied: occupied,
        };

        let there = transport.create(blob_id, layout.blob_len);
        let mut offset = known(self.unless_halted(id, there).await?, layout)?;
        let mut setbacks = 0;
        let mut space = BytesMut::new();
        while offset < layout.blob_len {
            if !proceed(progress(offset, layout)) {
                return Err(AttachmentError::Cancelled);
            }
            let piece;
            (source, piece) = blocking(move || {
                let piece = source.piece(offset, space);
                (source, piece)
            })
            .await?;
            let piece = piece?;
            let sending = transport.append(blob_id, offset, piece.clone());
            let answer = self.unless_halted(id, sending).await?;
            // Taken back, so that a large file does not leave a piece behind in the memory of every thread.
            space = piece.try_into_mut().unwrap_or_default();
            let reached = match answer {
                // Another attempt's bytes arrived late: the server says from where to go on.
                Err(error) if error.code == Code::BlobOffset => transport.state(blob_id).await,
                // It expired half-way.
                Err(error) if error.code == Code::BlobUnknown => {
                    transport.create(blob_id, layout.blob_len).await
                }
                other => other,
            };
            let reached = known(reached, layout)?;
            if reached <= offset {
                setbacks += 1;
                if setbacks >= SETBACKS {
                    return Err(AttachmentError::Transport(Code::BlobOffset.into()));
                }
            }
            offset = reached;
        }
        proceed(progress(offset, layout));
        Ok(())
    }

    async fn fetch_pieces(
        &self,
        transport: &dyn BlobTransport,
        id: &AttachmentId,
        record: &Record,
        occupied: Occupied,
        proceed: &mut (dyn FnMut(Progress) -> bool + Send),
    ) -> Result<(), AttachmentError> {
        let layout = record.layout;
        let path = self.file(record);
        let (blob, rest, again) = (
            ChunkCipher::new(&record.key),
            ChunkCipher::new(&record.rest_key),
            ChunkCipher::new(&record.rest_key),
        );
        let mut sink =
            blocking(move || PieceSink::resume(&path, blob, rest, again, layout, occupied))
                .await??;
        while sink.chunk < layout.chunks {
            let from = u64::from(sink.chunk) * CHUNK as u64;
            if !proceed(progress(from, layout)) {
                return Err(AttachmentError::Cancelled);
            }
            let length = (layout.blob_len - from).min(READ_PIECE as u64);
            let reading = transport.read(&record.blob_id, from, length);
            let piece = self
                .unless_halted(id, reading)
                .await?
                .map_err(AttachmentError::Transport)?;
            if piece.len() as u64 != length {
                return Err(AttachmentError::Transport(Code::ConnectionLost.into()));
            }
            let taken;
            (sink, taken) = blocking(move || {
                let taken = sink.take(&piece);
                (sink, taken)
            })
            .await?;
            taken?;
        }
        let (expected, folder) = (record.content_hash, self.folder.clone());
        blocking(move || sink.finish(&expected, &folder)).await??;
        proceed(progress(layout.blob_len, layout));
        Ok(())
    }
}

/// Whether trying again can't help.
fn is_final(error: AttachmentError) -> bool {
    match error {
        AttachmentError::Damaged | AttachmentError::TooLarge => true,
        AttachmentError::Transport(error) => is_of_blob(error.code),
        _ => false,
    }
}

/// Whether a server says this of one blob and for good. A wrong pin or an old version is about the server.
pub(crate) fn is_of_blob(code: Code) -> bool {
    matches!(
        code,
        Code::BlobUnknown
            | Code::BlobExists
            | Code::BlobLength
            | Code::BlobTooLarge
            | Code::BlobRange
    )
}

fn progress(done: u64, layout: Layout) -> Progress {
    Progress {
        done,
        total: layout.blob_len,
    }
}

/// Checks what a server says it has.
fn known(answer: Result<BlobState, Error>, layout: Layout) -> Result<u64, AttachmentError> {
    let state = answer.map_err(AttachmentError::Transport)?;
    if state.length != layout.blob_len || state.offset > layout.blob_len {
        return Err(AttachmentError::Transport(Code::BlobExists.into()));
    }
    Ok(state.offset)
}

/// Runs disk and cipher work off the async threads.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, AttachmentError> {
    // It fails only if the runtime is shutting down, or on a bug that panicked.
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| AttachmentError::Cancelled)
}

/// Makes the blob's bytes from the file at rest.
struct PieceSource {
    chunks: ChunkFile,
    blob: ChunkCipher,
    buffer: Zeroizing<Vec<u8>>,
    // Until the last work on the file is over, not until the future is dropped.
    _occupied: Occupied,
}

impl PieceSource {
    /// The blob's bytes from `offset`, to the end of a chunk, at most [`PIECE`], in `space`.
    fn piece(&mut self, offset: u64, mut space: BytesMut) -> Result<Bytes, AttachmentError> {
        let layout = self.chunks.layout;
        let first = u32::try_from(offset / CHUNK as u64).map_err(|_| AttachmentError::TooLarge)?;
        let mut skip = usize::try_from(offset % CHUNK as u64).unwrap_or(0);
        let length = usize::try_from(layout.blob_len - offset).unwrap_or(usize::MAX);
        space.clear();
        space.reserve(length.min(PIECE));
        for chunk in first..layout.chunks {
            if space.len() + layout.ciphertext_of(chunk) - skip > PIECE {
                break;
            }
            self.chunks.load(chunk, &mut self.buffer)?;
            self.blob
                .seal(chunk, layout.is_last(chunk), &mut self.buffer)?;
            space.extend_from_slice(&self.buffer[skip..]);
            skip = 0;
        }
        Ok(space.freeze())
    }
}

/// Turns the blob's bytes into the file at rest.
struct PieceSink {
    file: File,
    blob: ChunkCipher,
    rest: ChunkCipher,
    layout: Layout,
    /// Of the blob, as far as it has come.
    hash: Sha256,
    /// The next chunk to come.
    chunk: u32,
    buffer: Zeroizing<Vec<u8>>,
    _occupied: Occupied,
}

impl PieceSink {
    /// Opens or makes the file, and checks and hashes what an earlier attempt left in it.
    fn resume(
        path: &PathBuf,
        blob: ChunkCipher,
        rest: ChunkCipher,
        again: ChunkCipher,
        layout: Layout,
        occupied: Occupied,
    ) -> Result<Self, AttachmentError> {
        let in_home = |error: std::io::Error| AttachmentError::in_home(&error);
        let open = || {
            OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o600)
                .open(path)
        };
        let chunks = ChunkFile {
            file: open().map_err(in_home)?,
            cipher: again,
            layout,
        };
        let there = chunks.file.metadata().map_err(in_home)?.len() / CHUNK as u64;
        let (mut hash, mut chunk, mut buffer) = (Sha256::new(), 0, chunk_buffer());
        // The last chunk is never taken as received, whatever its length: it comes again.
        while u64::from(chunk) < there && chunk + 1 < layout.chunks {
            // A chunk that a crash left torn comes again, with all after it.
            if chunks.load(chunk, &mut buffer).is_err() {
                break;
            }
            blob.seal(chunk, false, &mut buffer)?;
            hash.update(&buffer[..]);
            chunk += 1;
        }
        let mut file = open().map_err(in_home)?;
        let kept = u64::from(chunk) * CHUNK as u64;
        file.set_len(kept).map_err(in_home)?;
        file.seek(SeekFrom::Start(kept)).map_err(in_home)?;
        Ok(Self {
            file,
            blob,
            rest,
            layout,
            hash,
            chunk,
            buffer,
            _occupied: occupied,
        })
    }

    /// Takes whole chunks, each checked before it is written.
    fn take(&mut self, piece: &[u8]) -> Result<(), AttachmentError> {
        self.hash.update(piece);
        for sealed in piece.chunks(CHUNK) {
            self.buffer.clear();
            self.buffer.extend_from_slice(sealed);
            self.blob.open(self.layout, self.chunk, &mut self.buffer)?;
            let last = self.layout.is_last(self.chunk);
            self.rest.seal(self.chunk, last, &mut self.buffer)?;
            self.file
                .write_all(&self.buffer)
                .map_err(|error| AttachmentError::in_home(&error))?;
            self.chunk += 1;
        }
        Ok(())
    }

    /// Compares the hash and makes the file durable.
    fn finish(self, expected: &[u8; 32], folder: &std::path::Path) -> Result<(), AttachmentError> {
        if <[u8; 32]>::from(self.hash.finalize()) != *expected {
            return Err(AttachmentError::Damaged);
        }
        self.file
            .sync_all()
            .map_err(|error| AttachmentError::in_home(&error))?;
        sync_folder(folder)
    }
}
