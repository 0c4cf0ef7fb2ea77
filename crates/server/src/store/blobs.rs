//! The bytes of blobs: one file each, under `blobs/<first two hex digits>/<hash>`.
//!
//! The row in the [`Store`] says how much of a blob is there; the file's bytes up to that offset are on disk before
//! the row says so. Whatever lies beyond is left over from an upload that broke off, and is cut away when the next one
//! starts. So an upload resumes after `kill -9` at any point, and nothing is served that was not synced. Memory stays
//! flat: bytes pass through in the caller's chunks.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use data_encoding::HEXLOWER;
use tokio::task::spawn_blocking;

use super::sqlite::{Options, private_folder};
use super::{BlobHash, BlobRecord, Clock, FreeSpace, Store, StoreError};

/// The folder's name inside the data folder.
pub const FOLDER: &str = "blobs";

/// What [`BlobRead::next_chunk`] gives at most.
const CHUNK: usize = 256 * 1024;
/// Bytes written between two looks at the free space.
const PROBE_EVERY: u64 = 4 << 20;
/// Rows expired at once.
const EXPIRE_AT_ONCE: u32 = 256;

/// The blobs of a data folder.
pub struct Blobs {
    folder: PathBuf,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    free_space: Arc<dyn FreeSpace>,
    reserve: u64,
    /// Bytes that all may hold, and that they do, from above: counted anew by every sweep.
    most: u64,
    held: AtomicU64,
    /// Uploads under way: one at a time for each blob.
    uploading: Mutex<HashSet<BlobHash>>,
    looked_for_strays: AtomicBool,
}

impl Blobs {
    /// Opens the blobs of `data_folder`, with the clock, the free space and the reserve of its store. Blocks shortly.
    ///
    /// # Errors
    /// When the folder can't be created.
    pub fn open(
        data_folder: &Path,
        store: Arc<dyn Store>,
        options: &Options,
    ) -> Result<Arc<Self>, StoreError> {
        let folder = data_folder.join(FOLDER);
        private_folder(&folder)?;
        let held = store.blob_bytes().wait()?;
        Ok(Arc::new(Self {
            folder,
            store,
            clock: Arc::clone(&options.clock),
            free_space: Arc::clone(&options.free_space),
            reserve: options.limits.blob_reserve,
            most: options.limits.blob_bytes,
            held: AtomicU64::new(held),
            uploading: Mutex::default(),
            looked_for_strays: AtomicBool::new(false),
        }))
    }

    /// Announces a blob of `size` bytes. Idempotent.
    ///
    /// # Errors
    /// [`StoreError::BlobTaken`], [`StoreError::Full`].
    pub async fn create(&self, blob: BlobHash, size: u64) -> Result<BlobRecord, StoreError> {
        match self.state(blob).await {
            Err(StoreError::UnknownBlob) if self.no_room(size) => Err(StoreError::Full),
            _ => self.store.create_blob(blob, size).await,
        }
    }

    /// How much of a blob is there.
    ///
    /// # Errors
    /// [`StoreError::UnknownBlob`], also once it has expired.
    pub async fn state(&self, blob: BlobHash) -> Result<BlobRecord, StoreError> {
        let record = self.store.blob(blob).await?;
        if record.last_day < self.clock.day() {
            return Err(StoreError::UnknownBlob);
        }
        Ok(record)
    }

    /// Starts appending at `offset`, which must be where the blob stands.
    ///
    /// # Errors
    /// [`StoreError::UnknownBlob`], [`StoreError::BlobOffset`], [`StoreError::Full`], and [`StoreError::Busy`] while
    /// another upload of the same blob is under way.
    pub async fn append(
        self: &Arc<Self>,
        blob: BlobHash,
        offset: u64,
    ) -> Result<BlobAppend, StoreError> {
        let uploading = Uploading::start(self, blob)?;
        let record = self.state(blob).await?;
        if record.offset != offset {
            return Err(StoreError::BlobOffset {
                offset: record.offset,
            });
        }
        if self.no_room(0) {
            return Err(StoreError::Full);
        }
        let path = self.path(&blob);
        let file = spawn_blocking(move || open_for_append(&path, offset))
            .await
            .map_err(|_| StoreError::Closed)??;
        Ok(BlobAppend {
            uploading,
            blob,
            record,
            at: offset,
            probe_at: offset + PROBE_EVERY,
            file: Some(file),
        })
    }

    /// Opens a range of a complete blob; `None` for all of it. Its end may lie beyond the blob's and is cut.
    ///
    /// # Errors
    /// [`StoreError::UnknownBlob`], [`StoreError::BlobIncomplete`], [`StoreError::BlobRange`].
    pub async fn read(
        &self,
        blob: BlobHash,
        range: Option<Range<u64>>,
    ) -> Result<BlobRead, StoreError> {
        let record = self.state(blob).await?;
        if !record.complete() {
            return Err(StoreError::BlobIncomplete);
        }
        let range = range.unwrap_or(0..record.size);
        let range = range.start..range.end.min(record.size);
        if range.start >= range.end {
            return Err(StoreError::BlobRange);
        }
        let path = self.path(&blob);
        let start = range.start;
        let file = spawn_blocking(move || {
            let mut file = File::open(path)?;
            file.seek(SeekFrom::Start(start))?;
            Ok::<_, io::Error>(file)
        })
        .await
        .map_err(|_| StoreError::Closed)?
        .map_err(missing_is_unknown)?;
        Ok(BlobRead {
            file: Some(file),
            size: record.size,
            left: range.end - range.start,
            range,
        })
    }

    /// Deletes what has expired; the first time also files that a crash has left without a row. Answers how many
    /// files went.
    ///
    /// # Errors
    /// The store's own, or when a folder can't be read.
    pub async fn sweep(&self) -> Result<u64, StoreError> {
        let mut deleted = 0;
        loop {
            let expired = self.store.expire_blobs(EXPIRE_AT_ONCE).await?;
            let count = expired.len();
            for blob in expired {
                deleted += u64::from(self.delete_file(&blob).await?);
            }
            if count < EXPIRE_AT_ONCE as usize {
                break;
            }
        }
        if !self.looked_for_strays.load(Ordering::Relaxed) {
            deleted += self.delete_strays().await?;
            self.looked_for_strays.store(true, Ordering::Relaxed);
        }
        self.held
            .store(self.store.blob_bytes().await?, Ordering::Relaxed);
        Ok(deleted)
    }

    async fn delete_strays(&self) -> Result<u64, StoreError> {
        let folder = self.folder.clone();
        let names = spawn_blocking(move || blob_files(&folder))
            .await
            .map_err(|_| StoreError::Closed)??;
        let mut deleted = 0;
        for blob in names {
            if self.store.blob(blob).await == Err(StoreError::UnknownBlob) {
                deleted += u64::from(self.delete_file(&blob).await?);
            }
        }
        Ok(deleted)
    }

    async fn delete_file(&self, blob: &BlobHash) -> Result<bool, StoreError> {
        let path = self.path(blob);
        let removed = spawn_blocking(move || fs::remove_file(path))
            .await
            .map_err(|_| StoreError::Closed)?;
        match removed {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether so many bytes more are too many, for what blobs may hold or for the disk. 0: whatever comes, which is at least one.
    fn no_room(&self, more: u64) -> bool {
        let held = self.held.load(Ordering::Relaxed);
        let free = self.free_space.free_bytes();
        held.saturating_add(more.max(1)) > self.most
            || free.is_ok_and(|free| free < self.reserve.saturating_add(more))
    }

    fn path(&self, blob: &BlobHash) -> PathBuf {
        let name = HEXLOWER.encode(blob.as_bytes());
        self.folder.join(&name[..2]).join(name)
    }
}

/// An upload under way. Dropping it unfinished gives up what has been written since it started.
pub struct BlobAppend {
    uploading: Uploading,
    blob: BlobHash,
    record: BlobRecord,
    at: u64,
    probe_at: u64,
    file: Option<File>,
}

impl BlobAppend {
    /// The blob's row as it was when this started.
    #[must_use]
    pub fn record(&self) -> BlobRecord {
        self.record
    }

    /// Writes the next bytes. They count once [`BlobAppend::finish`] has returned.
    ///
    /// # Errors
    /// [`StoreError::BlobTooLong`], [`StoreError::Full`]. What was written before still counts if it is finished.
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        let length = bytes.len() as u64;
        if self.at + length > self.record.size {
            return Err(StoreError::BlobTooLong);
        }
        if self.at + length >= self.probe_at {
            if self.uploading.blobs.no_room(length) {
                return Err(StoreError::Full);
            }
            self.probe_at = self.at + length + PROBE_EVERY;
        }
        let Some(mut file) = self.file.take() else {
            return Err(StoreError::Closed);
        };
        let at = self.at;
        let (file, written) = spawn_blocking(move || {
            let written = file.write_all(&bytes);
            if written.is_err() {
                // The file must not be ahead of what is counted: the next write goes where this one began.
                let _ = file
                    .set_len(at)
                    .and_then(|()| file.seek(SeekFrom::Start(at)));
            }
            (file, written)
        })
        .await
        .map_err(|_| StoreError::Closed)?;
        self.file = Some(file);
        written?;
        self.at += length;
        self.uploading
            .blobs
            .held
            .fetch_add(length, Ordering::Relaxed);
        Ok(())
    }

    /// Has the bytes on disk, then says so in the row.
    ///
    /// # Errors
    /// [`StoreError::Full`], or the store's own.
    pub async fn finish(mut self) -> Result<BlobRecord, StoreError> {
        let Some(file) = self.file.take() else {
            return Err(StoreError::Closed);
        };
        if self.at == self.record.offset {
            return Ok(self.record);
        }
        spawn_blocking(move || file.sync_data())
            .await
            .map_err(|_| StoreError::Closed)??;
        self.uploading
            .blobs
            .store
            .advance_blob(self.blob, self.record.offset, self.at)
            .await
    }
}

/// Keeps a second upload of the same blob out while it lives.
struct Uploading {
    blobs: Arc<Blobs>,
    blob: BlobHash,
}

impl Uploading {
    fn start(blobs: &Arc<Blobs>, blob: BlobHash) -> Result<Self, StoreError> {
        let fresh = blobs
            .uploading
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(blob);
        if fresh {
            Ok(Self {
                blobs: Arc::clone(blobs),
                blob,
            })
        } else {
            Err(StoreError::Busy)
        }
    }
}

impl Drop for Uploading {
    fn drop(&mut self) {
        self.blobs
            .uploading
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.blob);
    }
}

/// A range being read.
pub struct BlobRead {
    file: Option<File>,
    size: u64,
    left: u64,
    range: Range<u64>,
}

impl BlobRead {
    /// The whole blob's size.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The range that is given, after cutting.
    #[must_use]
    pub fn range(&self) -> Range<u64> {
        self.range.clone()
    }

    /// The next bytes, `None` at the end. After an error, or if its future is dropped, it gives nothing more.
    ///
    /// # Errors
    /// When the file can't be read, or is shorter than its row says.
    pub async fn next_chunk(&mut self) -> Result<Option<Bytes>, StoreError> {
        if self.left == 0 {
            return Ok(None);
        }
        let Some(mut file) = self.file.take() else {
            return Err(StoreError::Closed);
        };
        let length = usize::try_from(self.left).map_or(CHUNK, |left| left.min(CHUNK));
        let (file, chunk) = spawn_blocking(move || {
            let mut chunk = vec![0; length];
            file.read_exact(&mut chunk)?;
            Ok::<_, io::Error>((file, chunk))
        })
        .await
        .map_err(|_| StoreError::Closed)??;
        self.file = Some(file);
        self.left -= length as u64;
        Ok(Some(chunk.into()))
    }
}

fn open_for_append(path: &Path, offset: u64) -> Result<File, StoreError> {
    let Some(parent) = path.parent() else {
        return Err(StoreError::Folder("it has no parent"));
    };
    let created = !path.exists();
    if created {
        if offset > 0 {
            return Err(StoreError::UnknownBlob);
        }
        let shard_created = !parent.exists();
        private_folder(parent)?;
        if shard_created && let Some(folder) = parent.parent() {
            File::open(folder)?.sync_all()?;
        }
    }
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(path)?;
    if created {
        File::open(parent)?.sync_all()?;
    }
    let length = file.metadata()?.len();
    if length < offset {
        // Synced bytes are gone: the disk has lost them, or somebody has.
        return Err(StoreError::Folder(
            "a blob's file is shorter than it should be",
        ));
    }
    if length > offset {
        file.set_len(offset)?;
    }
    file.seek(SeekFrom::Start(offset))?;
    Ok(file)
}

fn blob_files(folder: &Path) -> Result<Vec<BlobHash>, StoreError> {
    let mut found = Vec::new();
    for shard in fs::read_dir(folder)? {
        let shard = shard?;
        if !shard.file_type()?.is_dir() {
            continue;
        }
        for file in fs::read_dir(shard.path())? {
            let name = HEXLOWER.decode(file?.file_name().as_encoded_bytes());
            if let Some(blob) = name
                .ok()
                .and_then(|bytes| BlobHash::from_slice(&bytes).ok())
            {
                found.push(blob);
            }
        }
    }
    Ok(found)
}

fn missing_is_unknown(error: io::Error) -> StoreError {
    if error.kind() == io::ErrorKind::NotFound {
        StoreError::UnknownBlob
    } else {
        error.into()
    }
}
