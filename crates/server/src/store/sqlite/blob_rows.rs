//! The rows of blobs. Their bytes are files; see `store::blobs`.

use rusqlite::params;

use super::read::read_blob;
use super::stored;
use super::writer::{Failure, Writer};
use crate::store::{BlobHash, BlobRecord, StoreError};

impl Writer<'_> {
    pub(super) fn create_blob(&mut self, request: &(BlobHash, u64)) -> Result<BlobRecord, Failure> {
        let (blob, size) = request;
        if let Some(record) = read_blob(self.connection, blob)? {
            return if record.size == *size {
                Ok(record)
            } else {
                Err(StoreError::BlobTaken.into())
            };
        }
        if self.full {
            return Err(StoreError::Full.into());
        }
        let limits = &self.shared.limits;
        let last_day = self.today.plus(limits.blob_days.max(limits.item_days));
        self.connection
            .prepare_cached(
                "INSERT INTO blobs (blob_hash, size, uploaded, last_day) VALUES (?1, ?2, 0, ?3)",
            )?
            .execute(params![blob.as_bytes(), stored(*size), last_day.0])?;
        Ok(BlobRecord {
            size: *size,
            offset: 0,
            last_day,
        })
    }

    pub(super) fn advance_blob(
        &mut self,
        request: &(BlobHash, u64, u64),
    ) -> Result<BlobRecord, Failure> {
        let (blob, from, to) = request;
        let Some(record) = read_blob(self.connection, blob)? else {
            return Err(StoreError::UnknownBlob.into());
        };
        if record.offset != *from || to < from {
            return Err(StoreError::BlobOffset {
                offset: record.offset,
            }
            .into());
        }
        if *to > record.size {
            return Err(StoreError::BlobTooLong.into());
        }
        self.connection
            .prepare_cached("UPDATE blobs SET uploaded = ?2 WHERE blob_hash = ?1")?
            .execute(params![blob.as_bytes(), stored(*to)])?;
        Ok(BlobRecord {
            offset: *to,
            ..record
        })
    }

    /// Whether what a payload refers to is whole, and stays until the items that are queued today have expired: else some of
    /// those who get them would find it and some would not. Reads only.
    pub(super) fn check_blob(&self, blob: Option<&BlobHash>) -> Result<(), Failure> {
        let Some(blob) = blob else { return Ok(()) };
        let until = self.today.plus(self.shared.limits.item_days);
        let kept = read_blob(self.connection, blob)?
            .is_some_and(|record| record.complete() && record.last_day >= until);
        if kept {
            Ok(())
        } else {
            Err(StoreError::BlobNeeded.into())
        }
    }

    pub(super) fn expire_blobs(&mut self, limit: &u32) -> Result<Vec<BlobHash>, Failure> {
        let mut statement = self
            .connection
            .prepare_cached("DELETE FROM blobs WHERE blob_hash IN (SELECT blob_hash FROM blobs WHERE last_day < ?1 LIMIT ?2) RETURNING blob_hash")?;
        let expired = statement
            .query_map(params![self.today.0, limit], |row| {
                Ok(BlobHash::new(row.get(0)?))
            })?
            .collect::<rusqlite::Result<Vec<_>>>()?;
        Ok(expired)
    }
}
