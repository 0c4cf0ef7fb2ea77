//! Encrypted backups: a folder that only the account's recovery phrase opens (docs/backup.md).
//!
//! A backup is a manifest and blocks. Each block holds rows of one part of the store ([`tables`], [`block`]), deflated, padded and sealed ([`seal`])
//! under the key of the run that wrote it; each run's key is sealed to the account's backup key, whose private half exists only under the
//! phrase. A later run writes the blocks that changed and a new manifest ([`make`]); nobody can open what is there, the device that
//! made it included. [`open`] checks and reads, [`restore`] fills the store of a new home.
//!
//! What must stay true: what a manifest names is on disk before the manifest is; nothing it names goes before another manifest has taken
//! its place. No MLS state and no key of a device is in a backup. What has expired does not come back.

mod block;
mod folder;
mod make;
mod open;
mod restore;
mod seal;
mod tables;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

pub(crate) use block::{Block, Place, Reader, read, select};
pub(crate) use make::{MakeBackup, last_made, make};
pub(crate) use open::Backup;
pub(crate) use restore::{Places, Restored, fill, put_block, take_up};
pub(crate) use seal::{deflate, inflate};
#[cfg(test)]
pub(crate) use tables::TABLES;

use crate::{
    error::{Reason, Result},
    store::StoreError,
};

/// How far a run is, and a way to end it.
#[derive(Clone)]
pub(crate) struct Control {
    cancelled: Arc<AtomicBool>,
    progress: Arc<dyn Fn(u64, u64) + Send + Sync>,
}

impl Control {
    /// Tells `progress` of (done, total) parts.
    pub(crate) fn new(progress: impl Fn(u64, u64) + Send + Sync + 'static) -> Self {
        Self {
            cancelled: Arc::default(),
            progress: Arc::new(progress),
        }
    }

    /// Ends the run at its next step; what was there before stays as it was.
    pub(crate) fn cancel(&self) {
        self.cancelled.store(true, Ordering::SeqCst);
    }

    fn step(&self, done: u64, total: u64) -> Result<()> {
        if self.cancelled.load(Ordering::SeqCst) {
            return Err(Reason::BackupCancelled.into());
        }
        (self.progress)(done, total);
        Ok(())
    }
}

/// What a folder that the owner chose did not do.
fn unwritable(error: &std::io::Error) -> Reason {
    match StoreError::from_io(error) {
        StoreError::DiskFull => Reason::BackupDiskFull,
        _ => Reason::BackupUnwritable,
    }
}

#[cfg(test)]
mod tests;
