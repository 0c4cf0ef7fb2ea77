//! Wiping a home: everything in it becomes unreadable first, and then it goes.
//!
//! The order is what makes it safe against a lost power supply: the marker, synced; the wrapped keys and
//! their salt, overwritten and synced, from which moment nothing in the home opens for anybody; then the
//! heads of all files (the stores' own salts among them), and then the files themselves. Who opens the
//! home looks at the marker before anything else and goes on where the wipe stopped.
//!
//! What stays is the sentinel, which says that this home has been wiped, and the empty lock. Why it was
//! wiped is not written down.
//!
//! Overwriting reaches the old bytes only on disks and file systems that write in place. Flash disks and
//! copy-on-write file systems may keep the old wrapped keys until they reuse the block; the passphrase
//! still stands before those.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::folder;
use super::key_table::{self, KeyTable};
use super::keyring::Forgetting;
use super::leaving;
use super::sentinel::{Sentinel, WipeMark};
use super::{HomeError, HomeResult};

/// So much of each file's beginning is overwritten: the salt of a store, the header of an attachment. The rest is
/// ciphertext whose key is gone.
const HEAD_LEN: usize = 64 * 1024;
/// Files up to this length are overwritten whole.
const WHOLE_LEN: u64 = 16 * 1024 * 1024;

/// What a wipe did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WipeReport {
    /// Whether this call had to go on with a wipe that had begun before.
    pub resumed: bool,
    /// Files that were overwritten and removed.
    pub files: u64,
    /// Files that could not be overwritten or removed. The keys are gone all the same if
    /// [`WipeReport::keys_gone`].
    pub failed: u64,
    /// Whether the wrapped keys and their salt are gone, so that nothing in the home opens any more.
    pub keys_gone: bool,
}

impl WipeReport {
    /// Whether nothing is left.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.keys_gone && self.failed == 0
    }
}

/// Wiping a home.
pub struct Wipe;

impl Wipe {
    /// Wipes the home in the folder `home`, whoever owns it: no lock and no passphrase is needed. When it
    /// returns, everything is gone, except where the report says otherwise. A process that has the home open must
    /// end, or [`execute_anew`](super::harden::execute_anew), afterwards: what it holds in memory this can't reach.
    ///
    /// A failure at one file keeps the others from nothing.
    ///
    /// # Errors
    /// [`HomeError::Missing`] if the folder is none, or none of a home: nothing in it is touched. Everything else is in the report.
    pub fn begin(home: &Path) -> HomeResult<WipeReport> {
        check_is_home(home)?;
        mark(home);
        Ok(go_on(home, false))
    }

    /// Destroys what opens the home, and nothing else yet: the marker, then the wrapped keys and their salt. From then on the store is there
    /// only for a process that has it open already, and whoever starts next finishes the wipe. [`Wipe::begin`] does the rest.
    ///
    /// # Errors
    /// As [`Wipe::begin`].
    pub fn destroy_keys(home: &Path) -> HomeResult<()> {
        check_is_home(home)?;
        mark(home);
        let (_, forgetting) = destroy_keys(home);
        if let Some(forgetting) = forgetting {
            std::thread::spawn(|| forgetting.finish());
        }
        Ok(())
    }

    /// Finishes a wipe of `home` that was begun, if one was. To be called before anything else whenever a
    /// home is opened; [`Owner::acquire`](super::Owner::acquire) does. `None` means that there is no marker.
    ///
    /// # Errors
    /// [`HomeError::Newer`], [`HomeError::Io`] if the sentinel can't be read.
    pub fn finish_if_marked(home: &Path) -> HomeResult<Option<WipeReport>> {
        match Sentinel::load(home)?.wipe_mark() {
            WipeMark::None => Ok(None),
            WipeMark::Begun => Ok(Some(go_on(home, true))),
            // A process that was still running may have written something after it.
            WipeMark::Done if has_leftovers(home) => Ok(Some(go_on(home, true))),
            WipeMark::Done => Ok(Some(WipeReport {
                resumed: false,
                files: 0,
                failed: 0,
                keys_gone: true,
            })),
        }
    }

    /// Whether `home` is the rest of a home whose wipe is finished, so that a new home may take its place.
    #[must_use]
    pub fn is_finished(home: &Path) -> bool {
        home.join(folder::SENTINEL).is_file()
            && Sentinel::load(home).is_ok_and(|sentinel| sentinel.wipe_mark() == WipeMark::Done)
            && !has_leftovers(home)
    }
}

/// Whether `home` is the folder of a home, also of one that is wiped or half wiped: by a sentinel, a key table, or the names of a home
/// that lost both.
///
/// # Errors
/// [`HomeError::Missing`] if not.
pub(super) fn check_is_home(home: &Path) -> HomeResult<()> {
    if !fs::metadata(home)?.is_dir() {
        return Err(HomeError::Missing);
    }
    let table = home.join(folder::KEYS);
    let is_file = |path: &Path| fs::symlink_metadata(path).is_ok_and(|found| found.is_file());
    let is_home = Sentinel::is_in(home)
        || KeyTable::is_at(&table)
        || KeyTable::is_at(&table.with_extension("new"))
        || [
            home.join(folder::LOCK),
            folder::store(home, key_table::Which::A),
            folder::store(home, key_table::Which::B),
        ]
        .iter()
        .all(|path| is_file(path));
    if is_home {
        Ok(())
    } else {
        Err(HomeError::Missing)
    }
}

/// Marks a home whose wipe begins. Without a marker (a disk that takes no writes) the rest is still tried.
fn mark(home: &Path) {
    leaving::keep(home);
    let _ = Sentinel::mark(home, WipeMark::Begun);
}

fn stays(name: &std::ffi::OsStr) -> bool {
    name == folder::SENTINEL || name == folder::LOCK
}

fn has_leftovers(home: &Path) -> bool {
    fs::read_dir(home).is_ok_and(|mut entries| {
        entries.any(|entry| entry.is_ok_and(|entry| !stays(&entry.file_name())))
    })
}

fn go_on(home: &Path, resumed: bool) -> WipeReport {
    let mut report = WipeReport {
        resumed,
        ..WipeReport::default()
    };
    let _ = fs::set_permissions(home, fs::Permissions::from_mode(0o700));
    let (keys_gone, forgetting) = destroy_keys(home);
    report.keys_gone = keys_gone;
    // What opens the rest before what is large: stores, then everything else.
    for which in [key_table::Which::A, key_table::Which::B] {
        let store = folder::store(home, which);
        for suffix in ["", "-wal", "-shm", "-journal"] {
            let mut name = store.clone().into_os_string();
            name.push(suffix);
            let _ = overwrite(Path::new(&name), HEAD_LEN as u64);
        }
    }
    remove_all(home, true, &mut report);
    super::create::remove_unfinished(home);
    if let Some(forgetting) = forgetting {
        forgetting.finish();
    }
    let _ = folder::sync(home);
    if report.is_complete() {
        let _ = Sentinel::mark(home, WipeMark::Done);
    }
    // Who was saving a table as this began is done, having had its turn before the mark.
    report.keys_gone &= destroy_table(&home.join(folder::KEYS));
    report
}

/// Overwrites the key table, and what a crash may have left of a new one, with noise, and then removes
/// them. The desktop's keyring is told to forget its part while other things are done.
fn destroy_keys(home: &Path) -> (bool, Option<Forgetting>) {
    let table = home.join(folder::KEYS);
    let item = KeyTable::item_of(&table);
    let gone = destroy_table(&table);
    let _ = folder::sync(home);
    (gone, item.as_ref().and_then(Forgetting::begin))
}

/// Overwrites and removes the key table `table`, and a new one in the making. Whether they are gone.
pub(super) fn destroy_table(table: &Path) -> bool {
    let unfinished = table.with_extension("new");
    let mut gone = true;
    for path in [table, &unfinished] {
        gone &= overwrite(path, key_table::FILE_LEN as u64).is_ok();
    }
    // Removing helps where overwriting was refused.
    let mut removed = true;
    for path in [table, &unfinished] {
        removed &= match fs::remove_file(path) {
            Ok(()) => true,
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        };
    }
    gone || removed
}

/// Overwrites a regular file with noise, at least `least` bytes of it (or as much as it has), and syncs it.
/// A file that is not there is fine; symbolic links are not followed.
fn overwrite(path: &Path, least: u64) -> io::Result<()> {
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if !metadata.is_file() {
        return Ok(());
    }
    let mut file = match fs::OpenOptions::new().write(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
            fs::OpenOptions::new().write(true).open(path)?
        }
        other => other?,
    };
    let length = metadata.len();
    let noisy = if length <= WHOLE_LEN {
        length
    } else {
        least.min(length)
    };
    folder::write_noise(&mut file, noisy).map_err(|_| io::ErrorKind::Other)?;
    file.sync_data()
}

/// Overwrites a file (a long one its beginning) and removes it. Whether it is gone.
pub(super) fn remove(path: &Path) -> bool {
    let _ = overwrite(path, HEAD_LEN as u64);
    match fs::remove_file(path) {
        Ok(()) => true,
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

/// Overwrites and removes everything in `folder`; in the home itself the sentinel and the lock stay.
fn remove_all(folder: &Path, is_home: bool, report: &mut WipeReport) {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        // Another process that wipes the same home was quicker, here and below.
        Err(error) => return count(Err(error), report),
    };
    for entry in entries {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                count(Err(error), report);
                continue;
            }
        };
        if is_home && stays(&entry.file_name()) {
            continue;
        }
        let path = entry.path();
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            let _ = fs::set_permissions(&path, fs::Permissions::from_mode(0o700));
            remove_all(&path, false, report);
            count(fs::remove_dir(&path), report);
        } else {
            if !remove(&path) {
                report.failed += 1;
            }
            report.files += 1;
        }
    }
}

fn count(result: io::Result<()>, report: &mut WipeReport) {
    match result {
        Err(error) if error.kind() != io::ErrorKind::NotFound => report.failed += 1,
        _ => {}
    }
}
