//! Reading a file at rest, from any place in it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use zeroize::Zeroizing;

use super::rows::AttachmentId;
use super::stream::{CHUNK, CHUNK_PLAINTEXT, ChunkCipher, Layout, StreamKey, chunk_buffer};
use super::{AttachmentError, Attachments};

/// The decrypted content of an attachment, chunk by chunk: nothing but the current chunk is in memory,
/// and every byte that comes out has been authenticated.
pub struct AttachmentReader {
    chunks: ChunkFile,
    position: u64,
    /// The chunk in `buffer`.
    loaded: Option<u32>,
    buffer: Zeroizing<Vec<u8>>,
}

/// Opens single chunks of a file at rest.
pub(super) struct ChunkFile {
    pub(super) file: File,
    pub(super) cipher: ChunkCipher,
    pub(super) layout: Layout,
}

impl ChunkFile {
    /// Puts the plaintext of `chunk`, padding included, into `buffer`.
    pub(super) fn load(&self, chunk: u32, buffer: &mut Vec<u8>) -> Result<(), AttachmentError> {
        buffer.clear();
        buffer.resize(self.layout.ciphertext_of(chunk), 0);
        self.file
            .read_exact_at(buffer, u64::from(chunk) * CHUNK as u64)
            .map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => AttachmentError::Damaged,
                _ => AttachmentError::in_home(&error),
            })?;
        self.cipher.open(self.layout, chunk, buffer)
    }
}

impl AttachmentReader {
    /// Length of the content in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.chunks.layout.size
    }

    /// The authenticated bytes from the current position to the end of their chunk; empty at the end.
    fn rest_of_chunk(&mut self) -> Result<&[u8], AttachmentError> {
        if self.position >= self.size() {
            return Ok(&[]);
        }
        let chunk = u32::try_from(self.position / CHUNK_PLAINTEXT as u64)
            .map_err(|_| AttachmentError::Damaged)?;
        if self.loaded != Some(chunk) {
            self.loaded = None;
            self.chunks.load(chunk, &mut self.buffer)?;
            self.loaded = Some(chunk);
        }
        let within = usize::try_from(self.position % CHUNK_PLAINTEXT as u64)
            .map_err(|_| AttachmentError::Damaged)?;
        let end = self.chunks.layout.content_of(chunk);
        self.buffer.get(within..end).ok_or(AttachmentError::Damaged)
    }
}

impl Read for AttachmentReader {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let available = self
            .rest_of_chunk()
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        let length = available.len().min(out.len());
        out[..length].copy_from_slice(&available[..length]);
        self.position += length as u64;
        Ok(length)
    }
}

impl Seek for AttachmentReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::End(offset) => self.size().checked_add_signed(offset),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
        };
        self.position = position.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}

impl Attachments {
    /// Opens an attachment for reading from any place. It stays readable while the reader lives, also if
    /// the attachment is removed meanwhile.
    ///
    /// # Errors
    /// [`AttachmentError::Unknown`], [`AttachmentError::NotHere`], [`AttachmentError::Io`],
    /// [`AttachmentError::Store`]; reading says [`io::ErrorKind::InvalidData`] for a damaged file.
    pub fn open(&self, id: &AttachmentId) -> Result<AttachmentReader, AttachmentError> {
        let record = self.record(id)?;
        if !record.status.is_here() {
            return Err(AttachmentError::NotHere);
        }
        let file =
            File::open(self.file(&record)).map_err(|error| AttachmentError::in_home(&error))?;
        Ok(AttachmentReader {
            chunks: ChunkFile {
                file,
                cipher: ChunkCipher::new(&record.rest_key),
                layout: record.layout,
            },
            position: 0,
            loaded: None,
            buffer: chunk_buffer(),
        })
    }

    /// Writes the decrypted content to a new file at `path` (0600), the place its owner chose: the one
    /// way in which decrypted bytes reach the disk. On an error the file is removed again.
    ///
    /// # Errors
    /// [`AttachmentError::Exists`] (nothing is overwritten), [`AttachmentError::Unwritable`],
    /// [`AttachmentError::DiskFull`], [`AttachmentError::Damaged`], and those of [`Attachments::open`].
    pub fn save(&self, id: &AttachmentId, path: &Path) -> Result<(), AttachmentError> {
        let mut reader = self.open(id)?;
        let mut target = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .map_err(|error| AttachmentError::at_target(&error))?;
        let written = write_all(&mut reader, &mut target).and_then(|()| {
            target
                .sync_all()
                .map_err(|error| AttachmentError::at_target(&error))
        });
        if written.is_err() {
            let _ = fs::remove_file(path);
        }
        written
    }

    /// Writes the decrypted content to `target`, for pipes.
    ///
    /// # Errors
    /// [`AttachmentError::Unwritable`], [`AttachmentError::DiskFull`], [`AttachmentError::Damaged`]
    /// (what was written before is whole chunks of the content), and those of [`Attachments::open`].
    pub fn save_to(
        &self,
        id: &AttachmentId,
        target: &mut dyn Write,
    ) -> Result<(), AttachmentError> {
        write_all(&mut self.open(id)?, target)
    }
}

fn write_all(reader: &mut AttachmentReader, target: &mut dyn Write) -> Result<(), AttachmentError> {
    loop {
        let bytes = reader.rest_of_chunk()?;
        if bytes.is_empty() {
            return target
                .flush()
                .map_err(|error| AttachmentError::at_target(&error));
        }
        let length = bytes.len() as u64;
        target
            .write_all(bytes)
            .map_err(|error| AttachmentError::at_target(&error))?;
        reader.position += length;
    }
}

/// Reads a file at rest to its end and checks every chunk of its content.
pub(crate) fn check_stream(key: &StreamKey, size: u64, file: File) -> Result<(), AttachmentError> {
    let layout = Layout::of(size).ok_or(AttachmentError::Damaged)?;
    let mut reader = AttachmentReader {
        chunks: ChunkFile {
            file,
            cipher: ChunkCipher::new(key),
            layout,
        },
        position: 0,
        loaded: None,
        buffer: chunk_buffer(),
    };
    write_all(&mut reader, &mut io::sink())
}
