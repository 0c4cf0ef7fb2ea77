//! The duress passphrase and the decoy that it opens.
//!
//! The decoy is the home's second store, with an account of its own in it: keys, folder entries and passphrases that have
//! nothing to do with the first one's. Setting a duress passphrase makes the decoy anew and wraps its key under the duress
//! passphrase, and under a third one if the owner wants to visit the decoy without destroying anything, to make it look
//! lived in.
//!
//! What must stay true:
//! - The slots say nothing: they are as many, and as random, with a duress passphrase and without one.
//! - Nor do the files: the decoy is written into the file that was there, which stays the one that the home was made with.
//! - The owner's own store is never written over from the decoy while a passphrase still opens it.
//! - After the duress passphrase no slot opens the other store; what is left of it becomes noise, with the names and
//!   sizes it had, and its files go: if not at once, then whenever the home is open again.
//!
//! What it can't do: who compares two images of the disk, one from before it was set, sees that the second store
//! changed; who knows the program sees from the sizes of the two stores that the smaller one is not much used; and who
//! copied the disk before the duress passphrase was typed, and learns the right one later, opens the copy.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::fs::FallocateFlags;
use rustix::io::Errno;

use super::folder;
use super::key_table::{Meaning, Purpose, SLOTS, Which};
use super::{Home, HomeError, HomeResult, Passphrase, wipe};
use crate::store::{DataKey, Database};

/// A second store in the making. Fill its [`database`](Decoy::database), drop every clone of it, and hand it to
/// [`Home::set_duress`]; dropping it instead removes it.
pub struct Decoy {
    database: Option<Database>,
    key: DataKey,
    unfinished: PathBuf,
    which: Which,
}

impl Drop for Decoy {
    fn drop(&mut self) {
        self.database.take();
        folder::remove_store(&self.unfinished);
    }
}

impl Decoy {
    /// The new store.
    ///
    /// # Errors
    /// [`HomeError::InUse`] after it was handed over.
    pub fn database(&self) -> HomeResult<&Database> {
        self.database.as_ref().ok_or(HomeError::InUse)
    }
}

impl Home {
    /// Starts making a decoy beside this store.
    ///
    /// # Errors
    /// [`HomeError::Decoy`] in the decoy itself; [`HomeError::DiskFull`], [`HomeError::ReadOnly`], or what
    /// [`Database::create`] says.
    pub fn begin_decoy(&self) -> HomeResult<Decoy> {
        if self.is_decoy() {
            return Err(HomeError::Decoy);
        }
        let which = self.opened.meaning.which.other();
        let unfinished = folder::unfinished_store(self.path(), which);
        folder::remove_store(&unfinished);
        let key = DataKey::random()?;
        let database = Database::create(&unfinished, key.duplicate())?;
        Ok(Decoy {
            database: Some(database),
            key,
            unfinished,
            which,
        })
    }

    /// Makes `duress` a passphrase that destroys this store's slots and opens `decoy`, in place of any before it; `visit`, if
    /// given, opens the decoy and destroys nothing. `current` is this store's passphrase; a wrong one counts as a
    /// wrong attempt. Blocks for three or four key derivations.
    ///
    /// After a crash there is either the new duress passphrase or none.
    ///
    /// # Errors
    /// [`HomeError::WrongPassphrase`], [`HomeError::TooSoon`], [`HomeError::Wiped`] for `current`;
    /// [`HomeError::PassphraseTaken`] if two of the three are the same; [`HomeError::Decoy`]; [`HomeError::InUse`] if a
    /// clone of the decoy's database lives; [`HomeError::DiskFull`], [`HomeError::ReadOnly`].
    pub fn set_duress(
        &self,
        current: &Passphrase,
        duress: &Passphrase,
        visit: Option<&Passphrase>,
        mut decoy: Decoy,
    ) -> HomeResult<()> {
        if self.is_decoy() {
            return Err(HomeError::Decoy);
        }
        if current == duress || visit.is_some_and(|visit| visit == current || visit == duress) {
            return Err(HomeError::PassphraseTaken);
        }
        let mut table = self.confirmed(current)?;
        let own = self.opened.slot;
        let keys = self.path().join(folder::KEYS);
        let for_duress = table.derive(duress)?;
        let for_visit = visit.map(|visit| table.derive(visit)).transpose()?;

        if let Some(database) = decoy.database.take() {
            database.checkpoint()?;
            if let Err(database) = database.close() {
                decoy.database = Some(database);
                return Err(HomeError::InUse);
            }
        }
        let place = folder::store(self.path(), decoy.which);
        let room = Room::reserve(&decoy.unfinished, &place)?;
        // A duress passphrase of before must not open a store that is not its own any more.
        table.scrub(own)?;
        table.save(&keys)?;
        // From here until the new slots are written the file is noise to everybody, whatever of it is written: a crash costs the decoy only.
        folder::remove_logs(&place);
        room.fill()?;
        wipe::remove(&decoy.unfinished);
        folder::sync(self.path())?;

        let meaning = Meaning {
            purpose: Purpose::Duress,
            which: decoy.which,
            decoy: true,
        };
        let [first, second] = two_slots_beside(own)?;
        table.wrap(first, &for_duress, meaning, &decoy.key)?;
        if let Some(for_visit) = &for_visit {
            let meaning = Meaning {
                purpose: Purpose::Open,
                ..meaning
            };
            table.wrap(second, for_visit, meaning, &decoy.key)?;
        }
        table.save(&keys)?;
        folder::even_out_times(self.path());
        Ok(())
    }

    /// Takes the duress passphrase and the decoy away, if there are any: their slots and the second store become random
    /// bytes.
    ///
    /// # Errors
    /// [`HomeError::WrongPassphrase`], [`HomeError::TooSoon`], [`HomeError::Wiped`] for `current`;
    /// [`HomeError::Decoy`], [`HomeError::ReadOnly`], [`HomeError::DiskFull`].
    pub fn remove_duress(&self, current: &Passphrase) -> HomeResult<()> {
        if self.is_decoy() {
            return Err(HomeError::Decoy);
        }
        let mut table = self.confirmed(current)?;
        table.scrub(self.opened.slot)?;
        table.save(&self.path().join(folder::KEYS))?;
        let other = folder::store(self.path(), self.opened.meaning.which.other());
        make_noise(&other)?;
        folder::even_out_times(self.path());
        Ok(())
    }

    /// What is to be cleaned up after the duress passphrase, if it was ever given here: also when that was begun before, or done. The
    /// store knows.
    #[must_use]
    pub fn cleaning(&self) -> Option<Cleaning> {
        let meaning = &self.opened.meaning;
        (meaning.purpose == Purpose::AfterDuress).then(|| Cleaning {
            home: self.path().to_owned(),
            other: folder::store(self.path(), meaning.which.other()),
        })
    }
}

/// What the store that nothing opens any more has left behind.
pub struct Cleaning {
    home: PathBuf,
    other: PathBuf,
}

impl Cleaning {
    /// Overwrites it, and `files` of its account, which then go. Takes as long as the disk needs for their size. Their keys are gone
    /// already: what is cut short, or fails, costs nothing but appearance. Whether all of it was done.
    #[must_use]
    pub fn run(&self, files: &[PathBuf]) -> bool {
        let mut done = make_noise(&self.other).is_ok();
        for file in files {
            done &= wipe::remove(file);
        }
        folder::even_out_times(&self.home);
        done
    }
}

/// Room for a new store in the file of an old one: it keeps its name, its number and the moment at which it came to be.
struct Room {
    from: fs::File,
    into: fs::File,
    length: u64,
}

impl Room {
    /// Has the disk keep as much room as the new one needs, while the old one is still whole.
    fn reserve(from: &Path, into: &Path) -> HomeResult<Self> {
        let from = fs::File::open(from)?;
        let into = fs::OpenOptions::new().write(true).open(into)?;
        let length = from.metadata()?.len();
        match rustix::fs::fallocate(&into, FallocateFlags::KEEP_SIZE, 0, length) {
            // A file system that can't do it may find later that there is no room.
            Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(Self { from, into, length })
    }

    /// Writes the new one over the old one.
    fn fill(mut self) -> HomeResult<()> {
        std::io::copy(&mut self.from, &mut self.into)?;
        self.into.set_len(self.length)?;
        Ok(self.into.sync_all()?)
    }
}

/// Overwrites a store file with as many random bytes, and removes its logs.
fn make_noise(store: &Path) -> HomeResult<()> {
    folder::remove_logs(store);
    let mut file = fs::OpenOptions::new().write(true).open(store)?;
    let length = file.metadata()?.len();
    folder::write_noise(&mut file, length)?;
    Ok(file.sync_all()?)
}

/// Two slots other than `own`, drawn at random.
fn two_slots_beside(own: usize) -> HomeResult<[usize; 2]> {
    loop {
        let mut drawn = [0; 2];
        folder::fill_random(&mut drawn)?;
        let [first, second] = drawn.map(|byte| usize::from(byte) % SLOTS);
        if first != own && second != own && first != second {
            return Ok([first, second]);
        }
    }
}
