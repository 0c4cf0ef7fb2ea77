//! Making a home so that a crash at any line leaves either none or a whole one.
//!
//! Everything is built in a hidden folder beside the place (`.NAME.creating-RANDOM`), written through to
//! the disk, and moved to the place by one rename. What a crash leaves behind is a folder under that
//! name, which the next creation removes.

use std::ffi::{OsStr, OsString};
use std::fs::{self, DirBuilder};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::folder;
use super::key_table::{KeyTable, Meaning, Opened, SLOTS, Which};
use super::owner::{Home, Owner};
use super::sentinel::Sentinel;
use super::wipe::Wipe;
use super::{HomeError, HomeResult, Passphrase};
use crate::store::{DataKey, Database};

/// A home in the making. Fill its [`database`](Creation::database), then [`finish`](Creation::finish);
/// dropping it instead removes every trace.
pub struct Creation {
    // In this order: the store is closed before its folder goes.
    database: Option<Database>,
    opened: Opened,
    folder: Unfinished,
    place: PathBuf,
}

/// The hidden folder; removed when dropped.
struct Unfinished {
    owner: Option<Owner>,
    path: PathBuf,
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if self.owner.is_some() {
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

impl Creation {
    /// Starts making a home at `place`, which must not exist or be an empty folder. Blocks while it
    /// measures the machine, and for the key derivation: about two seconds.
    ///
    /// # Errors
    /// [`HomeError::Exists`], [`HomeError::ReadOnly`], [`HomeError::DiskFull`], [`HomeError::Io`].
    pub fn begin(place: &Path, passphrase: &Passphrase) -> HomeResult<Self> {
        let place = std::path::absolute(place)?;
        check_free(&place)?;
        let (Some(parent), Some(name)) = (place.parent(), place.file_name()) else {
            return Err(HomeError::Exists);
        };
        make_parents(parent)?;
        remove_leftovers(parent, name);

        let folder = Unfinished::make(parent, name)?;
        folder::make_private(&folder.path.join(folder::ATTACHMENTS))?;
        Sentinel::create(&folder.path)?;

        let mut choice = [0; 2];
        folder::fill_random(&mut choice)?;
        let opened = Opened {
            slot: usize::from(choice[0]) % SLOTS,
            meaning: Meaning::own(if choice[1] & 1 == 0 {
                Which::A
            } else {
                Which::B
            }),
            key: DataKey::random()?,
        };
        let mut table = KeyTable::new()?;
        let wrapping = table.derive(passphrase)?;
        table.wrap(opened.slot, &wrapping, opened.meaning, &opened.key)?;
        table.save(&folder.path.join(folder::KEYS))?;

        let store = folder::store(&folder.path, opened.meaning.which);
        let database = Database::create(&store, opened.key.duplicate())?;
        Ok(Self {
            database: Some(database),
            opened,
            folder,
            place,
        })
    }

    /// The new store, to be filled with what a home must have from the first moment. Drop every clone
    /// before [`Creation::finish`].
    #[must_use]
    #[expect(
        clippy::missing_panics_doc,
        clippy::unwrap_used,
        reason = "the database is taken only by finish, which consumes self"
    )]
    pub fn database(&self) -> &Database {
        self.database.as_ref().unwrap()
    }

    /// Where attachments lie as ciphertext, until [`Creation::finish`] moves them with the home.
    #[must_use]
    pub fn attachments(&self) -> PathBuf {
        self.folder.path.join(folder::ATTACHMENTS)
    }

    /// Puts the home in its place and opens it there.
    ///
    /// # Errors
    /// [`HomeError::InUse`] if a clone of the database lives, [`HomeError::Exists`] if something has come
    /// to be at the place meanwhile, [`HomeError::DiskFull`], [`HomeError::Io`]. Nothing is left then, unless
    /// only the last step failed, opening the finished home.
    pub fn finish(mut self) -> HomeResult<Home> {
        // SQLite removes its write-ahead log by path, so the store is closed before the path changes.
        if let Some(database) = self.database.take() {
            database.checkpoint()?;
            if let Err(database) = database.close() {
                self.database = Some(database);
                return Err(HomeError::InUse);
            }
        }
        let home = &self.folder.path;
        write_unused_store(home, self.opened.meaning.which)?;
        folder::even_out_times(home);
        for which in [Which::A, Which::B] {
            fs::File::open(folder::store(home, which))?.sync_all()?;
        }
        folder::sync(&home.join(folder::ATTACHMENTS))?;
        folder::sync(home)?;

        fs::rename(home, &self.place).map_err(|error| match error.kind() {
            std::io::ErrorKind::DirectoryNotEmpty
            | std::io::ErrorKind::NotADirectory
            | std::io::ErrorKind::AlreadyExists => HomeError::Exists,
            _ => error.into(),
        })?;
        let Some(mut owner) = self.folder.owner.take() else {
            return Err(HomeError::Io);
        };
        owner.move_to(&self.place);
        folder::sync_parent(&self.place)?;

        let database = owner.open_store(&self.opened)?;
        let Self { opened, .. } = self;
        Ok(Home::new(owner, opened, database))
    }
}

impl Unfinished {
    fn make(parent: &Path, name: &OsStr) -> HomeResult<Self> {
        let mut random = [0; 10];
        folder::fill_random(&mut random)?;
        let mut hidden = prefix(name);
        hidden.push(data_encoding::BASE32_NOPAD.encode(&random).to_lowercase());
        let path = parent.join(hidden);
        folder::make_private(&path)?;
        let owner = folder::create_private(&path.join(folder::LOCK))
            .and_then(|lock| Owner::with_lock(&path, lock));
        match owner {
            Ok(owner) => Ok(Self {
                owner: Some(owner),
                path,
            }),
            Err(error) => {
                let _ = fs::remove_dir_all(&path);
                Err(error)
            }
        }
    }
}

fn prefix(name: &OsStr) -> OsString {
    let mut hidden = OsString::from(".");
    hidden.push(name);
    hidden.push(".creating-");
    hidden
}

/// Removes what unfinished creations of the home at `place` left beside it.
pub(super) fn remove_unfinished(place: &Path) {
    if let (Some(parent), Some(name)) = (place.parent(), place.file_name()) {
        remove_leftovers(parent, name);
    }
}

/// A rename replaces an empty folder and nothing else; this says so before the work is done.
fn check_free(place: &Path) -> HomeResult<()> {
    if place.is_dir() {
        Wipe::finish_if_marked(place)?;
    }
    if Wipe::is_finished(place) {
        // What stays of a wiped home makes room for a new one.
        for name in [folder::LOCK, folder::SENTINEL] {
            match fs::remove_file(place.join(name)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(error.into());
                }
                _ => {}
            }
        }
    }
    match fs::read_dir(place) {
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => Err(HomeError::Exists),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => {
            // Either the place itself is a file, or something above it is.
            Err(if place.parent().is_some_and(Path::is_dir) {
                HomeError::Exists
            } else {
                HomeError::ReadOnly
            })
        }
        Err(error) => Err(error.into()),
    }
}

/// Makes the folders above, each durable before what stands in it.
fn make_parents(parent: &Path) -> HomeResult<()> {
    if parent.is_dir() {
        return Ok(());
    }
    let made: Vec<&Path> = parent
        .ancestors()
        .take_while(|folder| !folder.is_dir())
        .collect();
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(parent)
        .map_err(|error| match error.kind() {
            // Nothing can be made there: a pseudo file system, or a name that is a file.
            std::io::ErrorKind::NotFound => HomeError::ReadOnly,
            _ => error.into(),
        })?;
    for folder in made.into_iter().rev() {
        folder::sync_parent(folder)?;
    }
    Ok(())
}

/// Removes what a crash left behind; a folder whose creator still runs is locked and stays.
fn remove_leftovers(parent: &Path, name: &OsStr) {
    let prefix = prefix(name).into_vec();
    let Ok(entries) = fs::read_dir(parent) else {
        return;
    };
    for entry in entries.flatten() {
        if !entry.file_name().as_bytes().starts_with(&prefix) {
            continue;
        }
        let path = entry.path();
        let lock = fs::OpenOptions::new()
            .write(true)
            .open(path.join(folder::LOCK));
        let abandoned = match lock {
            Ok(lock) => Owner::with_lock(&path, lock).is_ok(),
            // Killed before the lock was made, or about to make it: an empty folder is all it can be.
            Err(_) => fs::remove_dir(&path).is_err(),
        };
        if abandoned {
            let _ = fs::remove_dir_all(&path);
        }
    }
}

/// The second store: as many random bytes as the first one has, hence a whole number of pages, as an
/// encrypted store would be.
fn write_unused_store(home: &Path, used: Which) -> HomeResult<()> {
    let length = fs::metadata(folder::store(home, used))?.len();
    let mut file = folder::create_private(&folder::store(home, used.other()))?;
    folder::write_noise(&mut file, length)
}
