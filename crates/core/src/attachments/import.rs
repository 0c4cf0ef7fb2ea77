//! Taking a file into the home: read once, encrypted as it is read.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use sha2::{Digest, Sha256};
use undertone_wire::ids::BlobId;

use super::rows::{self, AttachmentId, Direction, NewRecord, State};
use super::stream::{CHUNK_PLAINTEXT, ChunkCipher, Layout, StreamKey, chunk_buffer};
use super::{AttachmentError, Attachments, LARGEST};

impl Attachments {
    /// Encrypts what `source` holds into the home. Afterwards the source is not needed any more. The
    /// attachment must be [accepted](Attachments::accept) in the transaction that sends it. It makes its own
    /// transactions, so it must not be called inside one.
    ///
    /// `proceed` is called with the number of bytes read so far, a few times per MiB; if it returns
    /// `false` the import is cancelled and leaves nothing. `now_ms` is the time, for the order of transfers.
    ///
    /// # Errors
    /// [`AttachmentError::Unreadable`], [`AttachmentError::TooLarge`], [`AttachmentError::DiskFull`],
    /// [`AttachmentError::Cancelled`], [`AttachmentError::Io`], [`AttachmentError::Store`]. Nothing is left then.
    pub fn import(
        &self,
        source: &mut dyn Read,
        now_ms: i64,
        proceed: &mut dyn FnMut(u64) -> bool,
    ) -> Result<AttachmentId, AttachmentError> {
        // The row is there before the file, so that no file is ever nobody's.
        let tx = self.database.begin()?;
        let id = rows::insert(
            &tx,
            &NewRecord {
                direction: Direction::Upload,
                state: State::Preparing,
                blob_id: &BlobId::random(),
                key: &StreamKey::random()?,
                rest_key: &StreamKey::random()?,
                size: 0,
                content_hash: &[0; 32],
                now_ms,
            },
        )?;
        tx.commit()?;

        let outcome = self.fill(&id, source, proceed);
        if outcome.is_err() {
            // What can't be removed now is removed by the next `recover`.
            let _ = self.discard(&id);
        }
        outcome.map(|()| id)
    }

    fn fill(
        &self,
        id: &AttachmentId,
        source: &mut dyn Read,
        proceed: &mut dyn FnMut(u64) -> bool,
    ) -> Result<(), AttachmentError> {
        let _occupied = self.occupy(*id)?;
        let record = self.record(id)?;
        let mut sealer = Sealer {
            blob: ChunkCipher::new(&record.key),
            rest: ChunkCipher::new(&record.rest_key),
            hash: Sha256::new(),
            file: create_private(&self.file(&record))?,
            buffer: chunk_buffer(),
            chunk: 0,
        };
        let (mut current, mut next) = (chunk_buffer(), chunk_buffer());
        let mut size = fill_chunk(source, &mut current)?;
        // A chunk can be sealed once it is known whether another one follows.
        loop {
            if !proceed(size) {
                return Err(AttachmentError::Cancelled);
            }
            let read = fill_chunk(source, &mut next)?;
            if read == 0 {
                break;
            }
            size += read;
            if size > LARGEST {
                return Err(AttachmentError::TooLarge);
            }
            sealer.push(&current, false)?;
            std::mem::swap(&mut current, &mut next);
        }

        let layout = Layout::of(size).ok_or(AttachmentError::TooLarge)?;
        while sealer.chunk < layout.chunks {
            current.resize(layout.plaintext_of(sealer.chunk), 0);
            let last = layout.is_last(sealer.chunk);
            sealer.push(&current, last)?;
            current.clear();
        }
        let content_hash = sealer.finish()?;
        sync_folder(&self.folder)?;
        Ok(self
            .database
            .transaction(|tx| rows::set_measured(tx, id, size, &content_hash))?)
    }
}

/// Writes chunks to the file at rest and hashes the blob that they will be.
struct Sealer {
    blob: ChunkCipher,
    rest: ChunkCipher,
    hash: Sha256,
    file: File,
    buffer: zeroize::Zeroizing<Vec<u8>>,
    chunk: u32,
}

impl Sealer {
    fn push(&mut self, plaintext: &[u8], last: bool) -> Result<(), AttachmentError> {
        self.buffer.clear();
        self.buffer.extend_from_slice(plaintext);
        self.blob.seal(self.chunk, last, &mut self.buffer)?;
        self.hash.update(&self.buffer[..]);

        self.buffer.clear();
        self.buffer.extend_from_slice(plaintext);
        self.rest.seal(self.chunk, last, &mut self.buffer)?;
        self.file
            .write_all(&self.buffer)
            .map_err(|error| AttachmentError::in_home(&error))?;
        self.chunk = self.chunk.checked_add(1).ok_or(AttachmentError::TooLarge)?;
        Ok(())
    }

    fn finish(self) -> Result<[u8; 32], AttachmentError> {
        self.file
            .sync_all()
            .map_err(|error| AttachmentError::in_home(&error))?;
        Ok(self.hash.finalize().into())
    }
}

/// Reads until the buffer holds a chunk's plaintext or the source ends; answers how many bytes came.
fn fill_chunk(source: &mut dyn Read, buffer: &mut Vec<u8>) -> Result<u64, AttachmentError> {
    buffer.clear();
    source
        .take(CHUNK_PLAINTEXT as u64)
        .read_to_end(buffer)
        .map(|read| read as u64)
        .map_err(|_| AttachmentError::Unreadable)
}

/// Makes a new file that only its owner can read.
pub(super) fn create_private(path: &Path) -> Result<File, AttachmentError> {
    fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(|error| AttachmentError::in_home(&error))
}

/// Makes the names in the folder durable.
pub(super) fn sync_folder(folder: &Path) -> Result<(), AttachmentError> {
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|error| AttachmentError::in_home(&error))
}
