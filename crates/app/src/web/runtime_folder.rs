//! A folder of this user for what lives as long as the process: the redirect file, and the socket by which a second start
//! finds the first.
//!
//! It is in `XDG_RUNTIME_DIR`, which is memory and this user's alone; without one, below the temporary folder, made with 0700
//! and refused unless it is so and ours.

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
        let me = rustix::process::geteuid().as_raw();
        let base = std::env::var_os("XDG_RUNTIME_DIR")
            .map(PathBuf::from)
            .filter(|path| path.is_absolute());
        let folder = match base {
            Some(base) => base.join("undertone"),
            None => std::env::temp_dir().join(format!("undertone-{me}")),
        };
        match DirBuilder::new().mode(0o700).create(&folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(unusable()),
            _ => {}
        }
        let found = fs::symlink_metadata(&folder).map_err(|_| unusable())?;
        if !found.is_dir() || found.uid() != me || found.mode() & 0o077 != 0 {
            return Err(unusable());
        }
        let name = Sha256::digest(home.as_os_str().as_encoded_bytes());
        Ok(Self {
            folder,
            home: hexadecimal(&name[..8]),
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

fn unusable() -> Failure {
    Failure::new(
        "host.runtime_folder",
        "The folder for this session (in XDG_RUNTIME_DIR or the temporary folder) can't be made, or is open to others.",
    )
}
