//! Backup and restore of a data folder.
//!
//! A backup is a consistent copy of the database as of one moment, and of the blobs' files. It opens nothing: items in
//! it are sealed to their owners. A restored server is a new incarnation of every queue, because items with the same
//! sequence may have been given out after the backup was made.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::open::{DATABASE, open_writer, private_folder, set_incarnation};
use super::store::extra_reader;
use super::{SqliteStore, engine_error};
use crate::store::StoreError;
use crate::store::blobs::FOLDER as BLOBS;

/// Copies the store into `to`, which must be empty or not there. The store goes on working; its log is not truncated
/// meanwhile. Blocks.
///
/// # Errors
/// [`StoreError::Folder`] when `to` holds something, [`StoreError::Full`], or the engine's own.
pub fn backup(store: &SqliteStore, to: &Path) -> Result<(), StoreError> {
    empty_folder(to)?;
    let database = to.join(DATABASE);
    let target = database
        .to_str()
        .ok_or(StoreError::Folder("its name is not valid UTF-8"))?;
    let connection = extra_reader(store.folder())?;
    connection
        .execute_batch("PRAGMA query_only = OFF")
        .map_err(engine_error)?;
    connection
        .execute("VACUUM INTO ?1", [target])
        .map_err(engine_error)?;
    make_private_and_durable(&database)?;
    // After the database: whatever offset it states, the bytes up to there are in the file by now.
    copy_blobs(&store.folder().join(BLOBS), &to.join(BLOBS))?;
    fs::File::open(to)?.sync_all()?;
    Ok(())
}

/// Makes a data folder at `to`, which must be empty or not there, from a backup. Blocks.
///
/// # Errors
/// [`StoreError::Folder`] when `from` is no backup or `to` holds something, [`StoreError::Newer`], [`StoreError::Full`].
pub fn restore(from: &Path, to: &Path) -> Result<(), StoreError> {
    if !from.join(DATABASE).is_file() {
        return Err(StoreError::Folder("it is not a backup"));
    }
    empty_folder(to)?;
    let database = to.join(DATABASE);
    fs::copy(from.join(DATABASE), &database)?;
    // At once: positions of the old incarnation must never be given out again.
    let connection = open_writer(to, 1 << 20)?;
    set_incarnation(&connection).map_err(engine_error)?;
    drop(connection);
    make_private_and_durable(&database)?;
    copy_blobs(&from.join(BLOBS), &to.join(BLOBS))?;
    fs::File::open(to)?.sync_all()?;
    Ok(())
}

fn empty_folder(folder: &Path) -> Result<(), StoreError> {
    private_folder(folder)?;
    if fs::read_dir(folder)?.next().is_some() {
        return Err(StoreError::Folder("it is not empty"));
    }
    Ok(())
}

fn copy_blobs(from: &Path, to: &Path) -> Result<(), StoreError> {
    if !from.is_dir() {
        return Ok(());
    }
    private_folder(to)?;
    for shard in fs::read_dir(from)? {
        let shard = shard?;
        if !shard.file_type()?.is_dir() {
            continue;
        }
        let target = to.join(shard.file_name());
        private_folder(&target)?;
        for file in fs::read_dir(shard.path())? {
            let file = file?;
            let copy = target.join(file.file_name());
            match fs::copy(file.path(), &copy) {
                Ok(_) => make_private_and_durable(&copy)?,
                // Expired while the copy was being made.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(error.into()),
            }
        }
        fs::File::open(&target)?.sync_all()?;
    }
    Ok(())
}

fn make_private_and_durable(file: &Path) -> Result<(), StoreError> {
    fs::set_permissions(file, fs::Permissions::from_mode(0o600))?;
    fs::File::open(file)?.sync_all()?;
    Ok(())
}
