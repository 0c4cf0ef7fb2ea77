//! Names in the home folder, and writing files there so that a crash can't halve them.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rand::TryRngCore;
use rand::rngs::OsRng;

use super::key_table::Which;
use super::{HomeError, HomeResult};

pub(super) const LOCK: &str = "lock";
pub(super) const KEYS: &str = "keys";
pub(super) const ATTACHMENTS: &str = "attachments";
pub(super) const SOCKET: &str = "rpc.sock";
pub(super) const SENTINEL: &str = "sentinel";

pub(super) fn store(home: &Path, which: Which) -> PathBuf {
    home.join(match which {
        Which::A => "store-a",
        Which::B => "store-b",
    })
}

/// Where a second store is made, until it takes the place of what was there.
pub(super) fn unfinished_store(home: &Path, which: Which) -> PathBuf {
    store(home, which).with_extension("new")
}

/// Removes what SQLite and a migration may have left beside a store.
pub(super) fn remove_logs(store: &Path) {
    for suffix in ["-wal", "-shm", "-journal", ".before", ".copying"] {
        let mut name = store.as_os_str().to_owned();
        name.push(suffix);
        let _ = fs::remove_file(name);
    }
}

/// Removes a store and what lies beside it.
pub(super) fn remove_store(store: &Path) {
    remove_logs(store);
    let _ = fs::remove_file(store);
}

/// Removes what a crash left of a second store in the making.
pub(super) fn remove_unfinished_stores(home: &Path) {
    for which in [Which::A, Which::B] {
        remove_store(&unfinished_store(home, which));
    }
}

pub(super) fn fill_random(bytes: &mut [u8]) -> HomeResult<()> {
    OsRng.try_fill_bytes(bytes).map_err(|_| HomeError::Random)
}

/// Writes `left` random bytes from where `file` stands.
pub(super) fn write_noise(file: &mut File, mut left: u64) -> HomeResult<()> {
    let mut noise = vec![0; 64 * 1024];
    while left > 0 {
        let length = usize::try_from(left).map_or(noise.len(), |left| left.min(noise.len()));
        fill_random(&mut noise[..length])?;
        file.write_all(&noise[..length])?;
        left -= length as u64;
    }
    Ok(())
}

/// Makes one folder that only its owner can enter.
pub(super) fn make_private(path: &Path) -> HomeResult<()> {
    Ok(fs::DirBuilder::new().mode(0o700).create(path)?)
}

/// Writes a new file (0600) through to the disk. A leftover of a crash is replaced.
pub(super) fn write_private(path: &Path, bytes: &[u8]) -> HomeResult<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    let mut file = create_private(path)?;
    file.write_all(bytes)?;
    Ok(file.sync_all()?)
}

/// Makes a new file (0600); an existing one is an error, a symbolic link is not followed.
pub(super) fn create_private(path: &Path) -> HomeResult<File> {
    Ok(fs::OpenOptions::new()
        .write(true)
        .read(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?)
}

/// Makes the names in `folder` durable.
pub(super) fn sync(folder: &Path) -> HomeResult<()> {
    Ok(File::open(folder)?.sync_all()?)
}

/// Makes the name of `path` durable.
pub(super) fn sync_parent(path: &Path) -> HomeResult<()> {
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => sync(Path::new(".")),
        Some(parent) => sync(parent),
        None => Ok(()),
    }
}

/// Checks that `home` is a folder of this user.
pub(super) fn check_owner(home: &Path) -> HomeResult<fs::Metadata> {
    let metadata = fs::metadata(home)?;
    if !metadata.is_dir() {
        return Err(HomeError::Missing);
    }
    if metadata.uid() != rustix::process::geteuid().as_raw() {
        return Err(HomeError::ForeignOwner);
    }
    Ok(metadata)
}

/// Checks that `home` is a folder of this user, and takes away what others may do in it.
pub(super) fn check_ownership(home: &Path) -> HomeResult<()> {
    if check_owner(home)?.mode() & 0o077 != 0 {
        fs::set_permissions(home, fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

/// Gives the key table and both stores the same times, so that the dates do not tell which store is used, nor whether there
/// is a decoy that was made later than the home. Failing to do so harms nothing else, hence no error.
pub(super) fn even_out_times(home: &Path) {
    let now = std::time::SystemTime::now();
    let times = fs::FileTimes::new().set_accessed(now).set_modified(now);
    for path in [
        home.join(KEYS),
        store(home, Which::A),
        store(home, Which::B),
    ] {
        if let Ok(file) = fs::OpenOptions::new().write(true).open(path) {
            let _ = file.set_times(times);
        }
    }
}
