//! The folder of a backup on disk: `manifest`, `blocks/RANDOM` and `files/NAME`.
//!
//! Every file is written beside its place under a name that ends in `.new`, brought to the disk, and then moved there. Blocks and files never
//! change once they are there; the manifest is replaced last.

use std::{
    collections::BTreeSet,
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use super::unwritable;
use crate::error::{Reason, Result};

const MANIFEST: &str = "manifest";
const BLOCKS: &str = "blocks";
const FILES: &str = "files";
const NEW: &str = ".new";
/// Bytes copied at once.
const PIECE: usize = 128 * 1024;

/// Where a backup is.
#[derive(Clone)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// One that is to be read.
    pub(crate) fn at(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// One that is to be written: it is made if it is not there (mode 0700), and must be empty or a backup.
    pub(crate) fn for_writing(path: &Path) -> Result<Self> {
        let folder = Self(path.to_owned());
        match fs::read_dir(path) {
            Ok(entries) => {
                let known =
                    |name: &str| [MANIFEST, BLOCKS, FILES].contains(&name.trim_end_matches(NEW));
                let strange = entries
                    .filter_map(io::Result::ok)
                    .any(|entry| !entry.file_name().to_str().is_some_and(known));
                if strange {
                    return Err(Reason::BackupForeign.into());
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => make(path)?,
            Err(error) => return Err(unwritable(&error).into()),
        }
        for part in [BLOCKS, FILES] {
            let part = path.join(part);
            if !part.is_dir() {
                make(&part)?;
            }
        }
        Ok(folder)
    }

    /// The manifest; None: there is none.
    pub(crate) fn manifest(&self) -> Result<Option<Vec<u8>>> {
        match fs::read(self.0.join(MANIFEST)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(_) => Err(Reason::BackupDamaged.into()),
        }
    }

    /// Puts a manifest in the place of the one before. Everything it names is on disk.
    pub(crate) fn put_manifest(&self, bytes: &[u8]) -> Result<()> {
        for part in [BLOCKS, FILES] {
            sync(&self.0.join(part))?;
        }
        put(&self.0.join(MANIFEST), &mut &bytes[..])?;
        sync(&self.0)
    }

    pub(crate) fn put_block(&self, name: &str, bytes: &[u8]) -> Result<()> {
        put(&self.0.join(BLOCKS).join(name), &mut &bytes[..])
    }

    /// Copies a file as it lies in the home, ciphertext as it is.
    pub(crate) fn put_file(&self, name: &str, from: &Path) -> Result<()> {
        let mut source = File::open(from).map_err(|error| unwritable(&error))?;
        put(&self.0.join(FILES).join(name), &mut source)
    }

    pub(crate) fn block(&self, name: &str) -> Result<Vec<u8>> {
        check_name(name)?;
        fs::read(self.0.join(BLOCKS).join(name)).map_err(|_| Reason::BackupDamaged.into())
    }

    /// A file, to be read in order.
    pub(crate) fn file(&self, name: &str) -> Result<File> {
        check_name(name)?;
        File::open(self.0.join(FILES).join(name)).map_err(|_| Reason::BackupDamaged.into())
    }

    /// Whether a block of this length is there.
    pub(crate) fn has_block(&self, name: &str, length: u64) -> bool {
        fs::metadata(self.0.join(BLOCKS).join(name)).is_ok_and(|found| found.len() == length)
    }

    /// Whether a file of the same length as this one of the home is there.
    pub(crate) fn has_file(&self, name: &str, from: &Path) -> bool {
        let (Ok(there), Ok(here)) = (
            fs::metadata(self.0.join(FILES).join(name)),
            fs::metadata(from),
        ) else {
            return false;
        };
        there.len() == here.len()
    }

    /// Removes what no manifest names any more, and what a run that was cut short left behind.
    pub(crate) fn clean(&self, blocks: &BTreeSet<String>, files: &BTreeSet<String>) {
        for (part, named) in [(BLOCKS, blocks), (FILES, files)] {
            let Ok(entries) = fs::read_dir(self.0.join(part)) else {
                continue;
            };
            for entry in entries.filter_map(io::Result::ok) {
                let name = entry.file_name();
                let Some(name) = name.to_str() else { continue };
                let ours = check_name(name.trim_end_matches(NEW)).is_ok();
                if ours && !named.contains(name) {
                    // What can't be removed now is removed by the next run.
                    let _ = fs::remove_file(entry.path());
                }
            }
        }
    }
}

/// Names are drawn here or by the home: lower-case letters, digits. Nothing else leads to a place on the disk.
fn check_name(name: &str) -> Result<()> {
    let plain = !name.is_empty()
        && name.len() <= 64
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    if plain {
        Ok(())
    } else {
        Err(Reason::BackupDamaged.into())
    }
}

fn make(path: &Path) -> Result<()> {
    DirBuilder::new()
        .mode(0o700)
        .create(path)
        .map_err(|error| unwritable(&error).into())
}

fn put(place: &Path, from: &mut impl Read) -> Result<()> {
    let mut name = place.as_os_str().to_owned();
    name.push(NEW);
    let new = PathBuf::from(name);
    let written = write(&new, from).and_then(|()| fs::rename(&new, place));
    if let Err(error) = written {
        let _ = fs::remove_file(&new);
        return Err(unwritable(&error).into());
    }
    Ok(())
}

fn write(new: &Path, from: &mut impl Read) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(new)?;
    let mut piece = vec![0; PIECE];
    loop {
        let read = from.read(&mut piece)?;
        if read == 0 {
            break;
        }
        file.write_all(&piece[..read])?;
    }
    file.sync_all()
}

fn sync(folder: &Path) -> Result<()> {
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|error| unwritable(&error).into())
}
