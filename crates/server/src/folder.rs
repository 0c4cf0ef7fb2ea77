//! The server's folder: what files it has, who owns it at the moment, and how secrets get written.
//!
//! ```text
//! DIR/undertone-server.toml   settings
//! DIR/identity.pem            identity key (0600)
//! DIR/tokens.seed             master seed of the blind token keys (0600)
//! DIR/announcements.json      what the operator announces, once something was (0600)
//! DIR/data/                   the store
//! DIR/server.lock             held by the process that has the store open
//! DIR/admin.sock              a running server's admin socket (0600)
//! ```
//!
//! One process at a time opens the store: whoever holds [`FolderLock`].

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use zeroize::Zeroizing;

use crate::error::ServerError;

/// Where the store lives in the folder.
pub const DATA: &str = "data";
/// The admin socket's name.
pub const ADMIN_SOCKET: &str = "admin.sock";
/// Where a running server, or whoever has the folder, leaves a copy of the store for a backup.
pub const COPY: &str = "backup.partial";
/// Where `restore` unpacks a backup.
pub const UNPACKED: &str = "restore.partial";
const LOCK: &str = "server.lock";
/// No secret file is longer.
const SECRET_FILE_LIMIT: u64 = 64 * 1024;

/// Ownership of a server folder; ends when dropped or when the process ends.
#[derive(Debug)]
pub struct FolderLock {
    _file: File,
}

impl FolderLock {
    /// Takes the folder, at once or not at all.
    ///
    /// # Errors
    /// [`ServerError::Running`] when another process has it.
    pub fn take(dir: &Path) -> Result<Self, ServerError> {
        let path = dir.join(LOCK);
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&path)
            .map_err(|e| ServerError::io("open", &path, &e))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self { _file: file }),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(ServerError::Running(dir.to_path_buf())),
            Err(errno) => Err(ServerError::io("lock", &path, &errno.into())),
        }
    }
}

/// Held by whoever makes a backup, from before there is a [`COPY`] until it is gone. Nobody else may remove it meanwhile; and when
/// nobody holds this, it was left behind. It ends when dropped or when the process ends.
#[derive(Debug)]
pub struct BackupLock {
    _dir: File,
}

impl BackupLock {
    /// Takes it, if nobody else has it.
    ///
    /// # Errors
    /// When the folder cannot be opened.
    pub fn take(dir: &Path) -> Result<Option<Self>, ServerError> {
        let opened = File::open(dir).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => ServerError::NotAServerFolder(dir.to_path_buf()),
            _ => ServerError::io("open", dir, &error),
        })?;
        match flock(&opened, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Self { _dir: opened })),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(errno) => Err(ServerError::io("lock", dir, &errno.into())),
        }
    }
}

/// Removes the copy of a backup that was interrupted. Answers whether there is none any more.
///
/// # Errors
/// When it cannot be removed.
pub fn remove_stale_copy(dir: &Path) -> Result<bool, ServerError> {
    let copy = dir.join(COPY);
    if !copy.exists() {
        return Ok(true);
    }
    let Some(_nobody_makes_one) = BackupLock::take(dir)? else {
        return Ok(false);
    };
    std::fs::remove_dir_all(&copy).map_err(|e| ServerError::io("remove", &copy, &e))?;
    Ok(true)
}

/// Creates `dir` (0700), or takes it as it is when it is an empty folder.
///
/// # Errors
/// [`ServerError::NotEmpty`] when something is in it.
pub fn create(dir: &Path) -> Result<(), ServerError> {
    match std::fs::read_dir(dir) {
        Ok(mut entries) => {
            if entries.next().is_some() {
                return Err(ServerError::NotEmpty(dir.to_path_buf()));
            }
            use std::os::unix::fs::PermissionsExt;
            std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o700))
                .map_err(|e| ServerError::io("make private", dir, &e))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)
            .map_err(|e| ServerError::io("create", dir, &e)),
        Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => {
            Err(ServerError::NotEmpty(dir.to_path_buf()))
        }
        Err(error) => Err(ServerError::io("open", dir, &error)),
    }
}

/// Whether a restore into this folder was interrupted: nothing may run on it then. What a finished one left is removed.
///
/// # Errors
/// [`ServerError::Unfinished`].
pub fn check_restored(dir: &Path) -> Result<(), ServerError> {
    let unpacked = dir.join(UNPACKED);
    if !unpacked.exists() {
        return Ok(());
    }
    // The settings are what comes last.
    let settings = crate::config::FILE_NAME;
    if !dir.join(settings).exists()
        || unpacked.join(settings).exists()
        || unpacked.join(DATA).exists()
    {
        return Err(ServerError::Unfinished(dir.to_path_buf()));
    }
    std::fs::remove_dir_all(&unpacked).map_err(|e| ServerError::io("remove", &unpacked, &e))
}

/// Empties a folder that [`create`] accepted, after a failure, so that nothing is left half done.
pub fn undo_create(dir: &Path, existed: bool) {
    if existed {
        for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
            let path = entry.path();
            let _ = std::fs::remove_dir_all(&path).or_else(|_| std::fs::remove_file(&path));
        }
    } else {
        let _ = std::fs::remove_dir_all(dir);
    }
}

/// Writes a new file readable by its owner alone, and has it on disk before returning.
///
/// # Errors
/// When the file exists or cannot be written.
pub fn write_secret(path: &Path, bytes: &[u8]) -> Result<(), ServerError> {
    write_new(path, bytes, 0o600)
}

/// Writes a new file, and has it on disk before returning.
///
/// # Errors
/// When the file exists or cannot be written.
pub fn write_new(path: &Path, bytes: &[u8], mode: u32) -> Result<(), ServerError> {
    let failed = |e: &std::io::Error| ServerError::io("write", path, e);
    let mut file = OpenOptions::new()
        .create_new(true)
        .write(true)
        .mode(mode)
        .open(path)
        .map_err(|e| failed(&e))?;
    file.write_all(bytes)
        .and_then(|()| file.sync_all())
        .map_err(|e| failed(&e))?;
    sync_parent(path)
}

/// Makes a file's name durable.
///
/// # Errors
/// When the folder cannot be synced.
pub fn sync_parent(path: &Path) -> Result<(), ServerError> {
    let parent: PathBuf = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
        _ => PathBuf::from("."),
    };
    File::open(&parent)
        .and_then(|dir| dir.sync_all())
        .map_err(|e| ServerError::io("write", &parent, &e))
}

/// Reads a secret file, refusing one that other users can read.
///
/// # Errors
/// [`ServerError::NotPrivate`], or when it cannot be read.
pub fn read_secret(path: &Path) -> Result<Zeroizing<Vec<u8>>, ServerError> {
    let failed = |e: std::io::Error| ServerError::io("read", path, &e);
    let file = File::open(path).map_err(failed)?;
    if file.metadata().map_err(failed)?.mode() & 0o077 != 0 {
        return Err(ServerError::NotPrivate(path.to_path_buf()));
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(4096));
    file.take(SECRET_FILE_LIMIT)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_owner_at_a_time() {
        let dir = tempfile::tempdir().expect("temp dir");
        let first = FolderLock::take(dir.path()).expect("free");
        assert!(matches!(
            FolderLock::take(dir.path()),
            Err(ServerError::Running(_))
        ));
        drop(first);
        FolderLock::take(dir.path()).expect("free again");
    }

    #[test]
    fn a_copy_is_removed_when_nobody_makes_a_backup() {
        let dir = tempfile::tempdir().expect("temp dir");
        std::fs::create_dir_all(dir.path().join(COPY).join("blobs")).expect("a copy");
        let making = BackupLock::take(dir.path()).expect("opens");
        assert!(making.is_some());
        assert!(BackupLock::take(dir.path()).expect("opens").is_none());
        assert_eq!(remove_stale_copy(dir.path()).ok(), Some(false));
        assert!(dir.path().join(COPY).exists(), "it is being packed");
        drop(making);
        assert_eq!(remove_stale_copy(dir.path()).ok(), Some(true));
        assert!(!dir.path().join(COPY).exists());
    }

    #[test]
    fn create_refuses_a_folder_with_something_in_it() {
        let dir = tempfile::tempdir().expect("temp dir");
        create(dir.path()).expect("empty is fine");
        write_secret(&dir.path().join("a"), b"x").expect("write");
        assert!(matches!(create(dir.path()), Err(ServerError::NotEmpty(_))));
        assert!(
            write_secret(&dir.path().join("a"), b"y").is_err(),
            "never overwritten"
        );
    }
}
