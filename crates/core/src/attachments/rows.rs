//! The `attachments` table: which files there are, under which keys, in which state.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use rand::TryRngCore;
use rand::rngs::OsRng;
use rusqlite::types::Type;
use rusqlite::{OptionalExtension, Row};
use undertone_wire::ids::BlobId;

use super::stream::{Layout, StreamKey};
use super::{AttachmentError, Attachments, CANCELLED, Reference};
use crate::store::{StoreError, StoreResult, Transaction};

/// Names an attachment in this store; random.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AttachmentId([u8; 16]);

impl AttachmentId {
    /// From the store; `None` unless it has 16 bytes.
    #[must_use]
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// For the store.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// Which way a file goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From this device to the server.
    Upload,
    /// From the server to this device.
    Download,
}

/// How far an attachment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is being taken in. A start finds it only after a crash, and removes it.
    Preparing,
    /// It waits for its transfer, or for the rest of it.
    Waiting,
    /// It has been transferred completely.
    Done,
    /// The transfer can't succeed; the reason is in [`AttachmentStatus::failure`].
    Failed,
    /// Its file is being removed.
    Removing,
}

impl State {
    pub(super) fn number(self) -> i64 {
        match self {
            Self::Preparing => 1,
            Self::Waiting => 2,
            Self::Done => 3,
            Self::Failed => 4,
            Self::Removing => 5,
        }
    }

    pub(crate) fn from_number(number: i64) -> Option<Self> {
        [
            Self::Preparing,
            Self::Waiting,
            Self::Done,
            Self::Failed,
            Self::Removing,
        ]
        .into_iter()
        .find(|state| state.number() == number)
    }
}

/// What is shown of an attachment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttachmentStatus {
    /// Which way it goes.
    pub direction: Direction,
    /// How far it is.
    pub state: State,
    /// Length of the content in bytes.
    pub size: u64,
    /// Stable code of what went wrong, if the state is [`State::Failed`]; else empty.
    pub failure: String,
    /// Whether the transfer waits until its owner wants it to go on.
    pub paused: bool,
}

impl AttachmentStatus {
    /// Whether its owner stopped the transfer for good.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.state == State::Failed && self.failure == CANCELLED
    }

    /// Whether the content can be read on this device.
    #[must_use]
    pub fn is_here(&self) -> bool {
        match self.direction {
            Direction::Upload => !matches!(self.state, State::Preparing | State::Removing),
            Direction::Download => self.state == State::Done,
        }
    }
}

/// A row with its keys.
pub(super) struct Record {
    pub(super) status: AttachmentStatus,
    pub(super) blob_id: BlobId,
    /// Key of the blob.
    pub(super) key: StreamKey,
    pub(super) content_hash: [u8; 32],
    /// Key of the file at rest.
    pub(super) rest_key: StreamKey,
    pub(super) layout: Layout,
    file_name: String,
}

/// What a new row needs.
pub(super) struct NewRecord<'a> {
    pub(super) direction: Direction,
    pub(super) state: State,
    pub(super) blob_id: &'a BlobId,
    pub(super) key: &'a StreamKey,
    pub(super) rest_key: &'a StreamKey,
    pub(super) size: u64,
    pub(super) content_hash: &'a [u8; 32],
    pub(super) now_ms: i64,
}

impl Attachments {
    /// Finishes what a crash cut short: removes files that were being taken in or removed. Call it once
    /// after unlocking. Transfers that wait are listed by [`Attachments::waiting`].
    ///
    /// # Errors
    /// [`AttachmentError::Io`], [`AttachmentError::Store`].
    pub fn recover(&self) -> Result<(), AttachmentError> {
        let unfinished = self.ids_in(&[State::Preparing, State::Removing])?;
        for id in unfinished {
            self.remove_file_and_row(&id)?;
        }
        Ok(())
    }

    /// The files in the folder that no attachment here has: those of the account whose store was destroyed by the duress passphrase.
    /// Others may be taken in meanwhile: a row is there before its file is.
    ///
    /// # Errors
    /// [`AttachmentError::Io`], [`AttachmentError::Store`].
    pub fn unknown(&self) -> Result<Vec<PathBuf>, AttachmentError> {
        let entries: Vec<_> = match fs::read_dir(&self.folder) {
            Ok(entries) => entries.flatten().collect(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(AttachmentError::in_home(&error)),
        };
        let known = self.database.read(|view| -> StoreResult<HashSet<String>> {
            let mut query = view
                .connection()
                .prepare_cached("SELECT file_name FROM attachments")?;
            let names = query.query_map([], |row| row.get(0))?;
            Ok(names.collect::<Result<_, _>>()?)
        })?;
        let is_known =
            |name: &std::ffi::OsStr| name.to_str().is_some_and(|name| known.contains(name));
        let unknown = entries
            .iter()
            .filter(|entry| !is_known(&entry.file_name()))
            .map(std::fs::DirEntry::path);
        Ok(unknown.collect())
    }

    /// The attachments that wait for a transfer, oldest first.
    ///
    /// # Errors
    /// [`AttachmentError::Store`].
    pub fn waiting(&self) -> Result<Vec<AttachmentId>, AttachmentError> {
        Ok(self.ids_in(&[State::Waiting])?)
    }

    /// What is known of `id`.
    ///
    /// # Errors
    /// [`AttachmentError::Unknown`], [`AttachmentError::Store`].
    pub fn status(&self, id: &AttachmentId) -> Result<AttachmentStatus, AttachmentError> {
        Ok(self.record(id)?.status)
    }

    /// The reference that a message to others carries.
    ///
    /// # Errors
    /// [`AttachmentError::Unknown`], [`AttachmentError::Store`].
    pub fn reference(&self, id: &AttachmentId) -> Result<Reference, AttachmentError> {
        let record = self.record(id)?;
        Ok(Reference {
            blob_id: record.blob_id,
            key: record.key,
            size: record.status.size,
            content_hash: record.content_hash,
        })
    }

    /// Takes an imported file into the transaction that puts its message into the outbox; without this
    /// the next start removes it.
    ///
    /// # Errors
    /// [`AttachmentError::Unknown`] if `id` is not a fresh import, [`AttachmentError::Store`].
    pub fn accept(&self, tx: &Transaction<'_>, id: &AttachmentId) -> Result<(), AttachmentError> {
        let changed = tx
            .connection()
            .prepare_cached("UPDATE attachments SET state = ?2 WHERE id = ?1 AND state = ?3")
            .and_then(|mut update| {
                update.execute((
                    id.as_bytes(),
                    State::Waiting.number(),
                    State::Preparing.number(),
                ))
            })
            .map_err(StoreError::from)?;
        if changed == 1 {
            Ok(())
        } else {
            Err(AttachmentError::Unknown)
        }
    }

    /// Notes a file that a received message refers to; [`Attachments::download`] fetches it.
    ///
    /// # Errors
    /// [`AttachmentError::TooLarge`] if the size can't be true, [`AttachmentError::Store`].
    pub fn expect(
        &self,
        tx: &Transaction<'_>,
        reference: &Reference,
        now_ms: i64,
    ) -> Result<AttachmentId, AttachmentError> {
        insert(
            tx,
            &NewRecord {
                direction: Direction::Download,
                state: State::Waiting,
                blob_id: &reference.blob_id,
                key: &reference.key,
                rest_key: &StreamKey::random()?,
                size: reference.size,
                content_hash: &reference.content_hash,
                now_ms,
            },
        )
    }

    /// Marks `id` for removal in the transaction that removes its message; the file goes once that is on
    /// disk, or once a transfer that is under way has ended.
    ///
    /// # Errors
    /// [`AttachmentError::Store`].
    pub fn remove(&self, tx: &Transaction<'_>, id: &AttachmentId) -> Result<(), AttachmentError> {
        set_state(tx, id, State::Removing, "")?;
        let (attachments, id) = (self.clone(), *id);
        tx.after_commit(move || {
            attachments.remove_if_asked(&id);
        });
        Ok(())
    }

    /// After a transfer: removes the file if [`Attachments::remove`] or [`Attachments::cancel`] came meanwhile.
    pub(super) fn remove_if_asked(&self, id: &AttachmentId) {
        let Ok(record) = self.record(id) else {
            return;
        };
        if record.status.state == State::Removing
            && let Ok(_occupied) = self.occupy(*id)
        {
            // What fails here is done again by `recover`.
            let _ = self.remove_file_and_row(id);
        } else if record.status.is_cancelled()
            && record.status.direction == Direction::Download
            && let Ok(_occupied) = self.occupy(*id)
        {
            // What stays is ciphertext, which a later attempt goes on from.
            let _ = fs::remove_file(self.file(&record));
        }
    }

    /// Removes an import that is not wanted after all.
    ///
    /// # Errors
    /// [`AttachmentError::Io`], [`AttachmentError::Store`].
    pub fn discard(&self, id: &AttachmentId) -> Result<(), AttachmentError> {
        let _occupied = self.occupy(*id)?;
        self.remove_file_and_row(id)
    }

    /// The same, if no message has it.
    pub(crate) fn discard_unaccepted(&self, id: &AttachmentId) -> Result<(), AttachmentError> {
        if self.record(id)?.status.state == State::Preparing {
            self.discard(id)?;
        }
        Ok(())
    }

    /// Lets a transfer that failed be tried again.
    ///
    /// # Errors
    /// [`AttachmentError::Store`].
    pub fn retry(&self, id: &AttachmentId) -> Result<(), AttachmentError> {
        let tx = self.database.begin()?;
        tx.connection()
            .execute(
                "UPDATE attachments SET state = ?2, failure = '' WHERE id = ?1 AND state = ?3",
                (
                    id.as_bytes(),
                    State::Waiting.number(),
                    State::Failed.number(),
                ),
            )
            .map_err(StoreError::from)?;
        Ok(tx.commit()?)
    }

    pub(super) fn record(&self, id: &AttachmentId) -> Result<Record, AttachmentError> {
        self.database
            .read(|view| -> StoreResult<Option<Record>> {
                Ok(view
                    .connection()
                    .prepare_cached(
                        "SELECT direction, state, blob_id, key, nonce, rest_key, rest_nonce,
                                content_hash, size, file_name, failure, paused
                         FROM attachments WHERE id = ?1",
                    )?
                    .query_row([id.as_bytes()], read_record)
                    .optional()?)
            })?
            .ok_or(AttachmentError::Unknown)
    }

    pub(super) fn file(&self, record: &Record) -> PathBuf {
        // Rows come from backups and other devices, too: whatever a name says, it is one in this folder.
        let name = Path::new(&record.file_name).file_name();
        self.folder.join(name.unwrap_or_default())
    }

    /// Writes down how a transfer ended, unless its owner was faster and stopped it for good.
    pub(super) fn finish(
        &self,
        id: &AttachmentId,
        state: State,
        failure: &str,
    ) -> Result<(), AttachmentError> {
        Ok(self.database.transaction(|tx| -> StoreResult<()> {
            tx.connection().execute(
                "UPDATE attachments SET state = ?2, failure = ?3, paused = 0 WHERE id = ?1 AND state = ?4",
                (id.as_bytes(), state.number(), failure, State::Waiting.number()),
            )?;
            Ok(())
        })?)
    }

    fn ids_in(&self, states: &[State]) -> StoreResult<Vec<AttachmentId>> {
        self.database.read(|view| {
            let mut query = view.connection().prepare_cached(
                "SELECT id FROM attachments WHERE state = ?1 ORDER BY created_at_ms, id",
            )?;
            let mut ids = Vec::new();
            for state in states {
                for id in query.query_map([state.number()], |row| row.get(0))? {
                    ids.push(AttachmentId(id?));
                }
            }
            Ok(ids)
        })
    }

    /// First the file, then the row: what is left of a crash in between is a row, which `recover` finds.
    fn remove_file_and_row(&self, id: &AttachmentId) -> Result<(), AttachmentError> {
        let record = self.record(id)?;
        match fs::remove_file(self.file(&record)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(AttachmentError::in_home(&error));
            }
            _ => {}
        }
        let tx = self.database.begin()?;
        tx.connection()
            .execute("DELETE FROM attachments WHERE id = ?1", [id.as_bytes()])
            .map_err(StoreError::from)?;
        Ok(tx.commit()?)
    }
}

pub(super) fn insert(
    tx: &Transaction<'_>,
    new: &NewRecord<'_>,
) -> Result<AttachmentId, AttachmentError> {
    Layout::of(new.size).ok_or(AttachmentError::TooLarge)?;
    let (mut id, mut name) = ([0; 16], [0; 20]);
    OsRng
        .try_fill_bytes(&mut id)
        .and_then(|()| OsRng.try_fill_bytes(&mut name))
        .map_err(|_| AttachmentError::Random)?;
    tx.connection()
        .prepare_cached(
            "INSERT INTO attachments (id, direction, state, blob_id, key, nonce, rest_key, rest_nonce,
                                      content_hash, size, file_name, failure, created_at_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, '', ?12)",
        )
        .and_then(|mut statement| {
            statement.execute(rusqlite::params![
                id,
                match new.direction {
                    Direction::Upload => 1,
                    Direction::Download => 2,
                },
                new.state.number(),
                new.blob_id.as_bytes(),
                new.key.key(),
                new.key.nonce(),
                new.rest_key.key(),
                new.rest_key.nonce(),
                new.content_hash,
                i64::try_from(new.size).unwrap_or(i64::MAX),
                data_encoding::BASE32_NOPAD.encode(&name).to_lowercase(),
                new.now_ms,
            ])
        })
        .map_err(StoreError::from)?;
    Ok(AttachmentId(id))
}

/// Whether the home draws such names of files: 20 bytes in base32, in lower case.
pub(crate) fn is_file_name(name: &str) -> bool {
    name.len() == 32
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || matches!(byte, b'2'..=b'7'))
}

/// Sets what an import has learned; the row stays in [`State::Preparing`].
pub(super) fn set_measured(
    tx: &Transaction<'_>,
    id: &AttachmentId,
    size: u64,
    content_hash: &[u8; 32],
) -> StoreResult<()> {
    tx.connection().execute(
        "UPDATE attachments SET size = ?2, content_hash = ?3 WHERE id = ?1",
        (
            id.as_bytes(),
            i64::try_from(size).unwrap_or(i64::MAX),
            content_hash,
        ),
    )?;
    Ok(())
}

pub(super) fn set_state(
    tx: &Transaction<'_>,
    id: &AttachmentId,
    state: State,
    failure: &str,
) -> StoreResult<()> {
    // Nothing comes back once it is being removed.
    tx.connection().execute(
        "UPDATE attachments SET state = ?2, failure = ?3 WHERE id = ?1 AND state <> ?4",
        (
            id.as_bytes(),
            state.number(),
            failure,
            State::Removing.number(),
        ),
    )?;
    Ok(())
}

fn read_record(row: &Row<'_>) -> rusqlite::Result<Record> {
    let malformed = |column| rusqlite::Error::InvalidColumnType(column, String::new(), Type::Blob);
    let stream_key = |key: usize, nonce: usize| -> rusqlite::Result<StreamKey> {
        StreamKey::from_slices(row.get_ref(key)?.as_blob()?, row.get_ref(nonce)?.as_blob()?)
            .ok_or_else(|| malformed(key))
    };
    let size: u64 = u64::try_from(row.get::<_, i64>(8)?).map_err(|_| malformed(8))?;
    Ok(Record {
        status: AttachmentStatus {
            direction: match row.get::<_, i64>(0)? {
                1 => Direction::Upload,
                2 => Direction::Download,
                _ => return Err(malformed(0)),
            },
            state: State::from_number(row.get(1)?).ok_or_else(|| malformed(1))?,
            size,
            failure: row.get(10)?,
            paused: row.get(11)?,
        },
        blob_id: BlobId::from_slice(row.get_ref(2)?.as_blob()?).map_err(|_| malformed(2))?,
        key: stream_key(3, 4)?,
        rest_key: stream_key(5, 6)?,
        content_hash: row.get(7)?,
        layout: Layout::of(size).ok_or_else(|| malformed(8))?,
        file_name: row.get(9)?,
    })
}
