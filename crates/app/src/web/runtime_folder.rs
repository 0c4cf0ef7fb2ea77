//! A folder of this user for what lives as long as the process: the redirect file, and the socket by which a second start
//! finds the first.
//!
//! It is in `XDG_RUNTIME_DIR`, which is memory and this user's alone; without one, below the temporary folder, or where somebody
//! else has taken that place, beside the home. It is made with 0700 and refused unless it is so and ours.

use std::{
    fs::{self, DirBuilder},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use super::doors::hexadecimal;
use crate::failure::Failure;

/// The folder, and how this home is called in it.
pub struct RuntimeFolder {
    folder: PathBuf,
    home: String,
}

impl RuntimeFolder {
    /// Makes it if need be.
    ///
    /// # Errors
    /// `host.runtime_folder` if it can't be made, or is open to others.
    pub fn of(home: &Path) -> Result<Self, Failure> {
        let base = std::env::var_os("XDG_RUNTIME_DIR")
            .map(PathBuf::from)
            .filter(|path| path.is_absolute());
        let folder = match base {
            Some(base) => private(base.join("undertone"))?,
            None => Self::without(&std::env::temp_dir(), home)?,
        };
        let name = Sha256::digest(home.as_os_str().as_encoded_bytes());
        Ok(Self {
            folder,
            home: hexadecimal(&name[..8]),
        })
    }

    /// Where there is no `XDG_RUNTIME_DIR`.
    fn without(temporary: &Path, home: &Path) -> Result<PathBuf, Failure> {
        let me = rustix::process::geteuid().as_raw();
        private(temporary.join(format!("undertone-{me}"))).or_else(|_| {
            let mut beside = home.as_os_str().to_owned();
            beside.push("-run");
            let beside = PathBuf::from(beside);
            if let Some(parent) = beside.parent() {
                let mut whole = DirBuilder::new();
                let made = whole.recursive(true).mode(0o700).create(parent);
                made.map_err(|_| unusable())?;
            }
            private(beside)
        })
    }

    /// Where a second start reaches the first.
    pub fn socket(&self) -> PathBuf {
        self.folder.join(format!("{}.sock", self.home))
    }

    /// What the first holds as long as it runs.
    pub fn lock(&self) -> PathBuf {
        self.folder.join(format!("{}.lock", self.home))
    }

    /// A new redirect file.
    pub fn redirect(&self, random: &str) -> PathBuf {
        self.folder.join(format!("{}-{random}.html", self.home))
    }

    /// Removes redirect files that a killed process left.
    pub fn sweep(&self) {
        let Ok(entries) = fs::read_dir(&self.folder) else {
            return;
        };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.starts_with(&self.home) && name.ends_with(".html") {
                // What can't be removed holds a token that is over.
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

/// The folder, made if need be; an error unless it is this user's alone.
fn private(folder: PathBuf) -> Result<PathBuf, Failure> {
    match DirBuilder::new().mode(0o700).create(&folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(unusable()),
        _ => {}
    }
    let me = rustix::process::geteuid().as_raw();
    let found = fs::symlink_metadata(&folder).map_err(|_| unusable())?;
    if !found.is_dir() || found.uid() != me || found.mode() & 0o077 != 0 {
        return Err(unusable());
    }
    Ok(folder)
}

fn unusable() -> Failure {
    Failure::new(
        "host.runtime_folder",
        "The folder for this session (in XDG_RUNTIME_DIR, the temporary folder or beside the home) can't be made, or is open to others.",
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_place_that_others_have_taken_is_not_used_and_stops_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("data/home");
        let without =
            || RuntimeFolder::without(folder.path(), &home).unwrap_or_else(|_| panic!("nowhere"));
        let taken = without();
        assert_eq!(taken.parent(), Some(folder.path()));
        assert_eq!(without(), taken);
        fs::set_permissions(&taken, fs::Permissions::from_mode(0o777)).unwrap();
        let beside = without();
        assert_eq!(beside, folder.path().join("data/home-run"));
        assert_eq!(beside.metadata().unwrap().mode() & 0o777, 0o700);
        assert!(!home.exists());
        assert_eq!(without(), beside);
        fs::set_permissions(&beside, fs::Permissions::from_mode(0o755)).unwrap();
        assert!(RuntimeFolder::without(folder.path(), &home).is_err());
    }
}
