//! Scripts of a person and the folder that holds everything of theirs.

#![allow(clippy::unwrap_used)]

mod attempts;
mod duress;
mod full_disk;
mod keyring;
mod processes;
mod wiping;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::key_table::{FILE_LEN, KeyTable};
use super::{
    Creation, Home, HomeError, HomeResult, Owner, Passphrase, Sentinel, use_cheap_kdf_for_tests,
};
use crate::store::{StoreError, StoreResult};

const PASSPHRASE: &str = "heron under the second bridge";
const SECRET_TEXT: &str = "the ledger is in locker nine";

fn passphrase(text: &str) -> Passphrase {
    Passphrase::new(Zeroizing::new(text.to_owned())).unwrap()
}

/// Makes a home with one secret in it.
fn make(place: &Path) -> HomeResult<Home> {
    use_cheap_kdf_for_tests();
    let creation = Creation::begin(place, &passphrase(PASSPHRASE))?;
    creation.database().transaction(|tx| -> StoreResult<()> {
        tx.connection().execute_batch(&format!(
            "CREATE TABLE note (body TEXT NOT NULL) STRICT; INSERT INTO note VALUES ('{SECRET_TEXT}')"
        ))?;
        Ok(())
    })?;
    creation.finish()
}

fn secret_of(home: &Home) -> String {
    home.database()
        .read(|view| -> StoreResult<String> {
            Ok(view
                .connection()
                .query_row("SELECT body FROM note", [], |row| row.get(0))?)
        })
        .unwrap()
}

fn unlock(place: &Path, text: &str) -> HomeResult<Home> {
    Owner::acquire(place)?
        .unlock(&passphrase(text))
        .map_err(|(_, error)| error)
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn every_byte(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            all.extend(every_byte(&entry.path()));
        } else if entry.file_type().unwrap().is_file() {
            all.push((entry.path(), fs::read(entry.path()).unwrap()));
        }
    }
    all
}

/// What stands in every home, whatever is set.
const WHOLE_HOME: [&str; 6] = [
    "attachments",
    "keys",
    "lock",
    "sentinel",
    "store-a",
    "store-b",
];

#[test]
fn a_home_opens_under_its_passphrase_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("deep/down/home");
    let home = make(&place).unwrap();
    assert_eq!(secret_of(&home), SECRET_TEXT);
    drop(home);
    assert_eq!(names(&place), WHOLE_HOME);
    for (path, _) in every_byte(&place) {
        assert_eq!(fs::metadata(path).unwrap().mode() & 0o777, 0o600);
    }
    for path in [&place, &place.join("attachments")] {
        assert_eq!(fs::metadata(path).unwrap().mode() & 0o777, 0o700);
    }

    let refused = unlock(&place, "heron under the first bridge")
        .err()
        .unwrap();
    assert_eq!(refused, HomeError::WrongPassphrase);
    assert_eq!(refused.to_string(), "The passphrase is wrong.");
    assert_eq!(secret_of(&unlock(&place, PASSPHRASE).unwrap()), SECRET_TEXT);

    let empty = Passphrase::new(Zeroizing::new(String::new()));
    assert_eq!(empty.err(), Some(HomeError::EmptyPassphrase));
}

#[test]
fn after_a_wrong_attempt_the_same_owner_may_try_again_and_lock() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("home");
    drop(make(&place).unwrap());
    let owner = Owner::acquire(&place).unwrap();
    let (owner, error) = owner.unlock(&passphrase("wrong")).err().unwrap();
    assert_eq!(error, HomeError::WrongPassphrase);
    let home = owner
        .unlock(&passphrase(PASSPHRASE))
        .map_err(|(_, e)| e)
        .unwrap();

    let held = home.database().clone();
    let (home, error) = home.lock().err().unwrap();
    assert_eq!(error, HomeError::InUse);
    drop(held);
    let owner = home.lock().map_err(|(_, e)| e).unwrap();
    assert_eq!(Owner::acquire(&place).err(), Some(HomeError::Owned));
    let home = owner
        .unlock(&passphrase(PASSPHRASE))
        .map_err(|(_, e)| e)
        .unwrap();
    assert_eq!(secret_of(&home), SECRET_TEXT);
}

#[test]
fn a_changed_passphrase_opens_the_same_store_and_the_old_one_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("home");
    let home = make(&place).unwrap();
    let before = fs::read(place.join("keys")).unwrap();
    let keys = fs::File::open(place.join("keys")).unwrap();

    let wrong = home.change_passphrase(&passphrase("not it"), &passphrase("new"));
    assert_eq!(wrong, Err(HomeError::WrongPassphrase));
    assert_eq!(fs::read(place.join("keys")).unwrap(), before);

    home.change_passphrase(&passphrase(PASSPHRASE), &passphrase("osprey"))
        .unwrap();
    drop(home);
    assert_eq!(
        unlock(&place, PASSPHRASE).err(),
        Some(HomeError::WrongPassphrase)
    );
    assert_eq!(secret_of(&unlock(&place, "osprey").unwrap()), SECRET_TEXT);

    // One slot changed and nothing else; the bytes of the old table were overwritten where they lay.
    let after = fs::read(place.join("keys")).unwrap();
    let changed: Vec<_> = (64..FILE_LEN)
        .step_by(96)
        .filter(|at| before[*at..at + 96] != after[*at..at + 96])
        .collect();
    assert_eq!((before[..64] == after[..64], changed.len()), (true, 1));
    let mut old = Vec::new();
    std::io::Read::read_to_end(&mut &keys, &mut old).unwrap();
    assert_ne!(old, before);
    assert_eq!(names(&place), WHOLE_HOME);
}

#[test]
fn the_second_store_cannot_be_told_from_the_first_by_its_form() {
    let folder = tempfile::tempdir().unwrap();
    let mut used_a = 0;
    for number in 0..12 {
        let place = folder.path().join(format!("home-{number}"));
        let home = make(&place).unwrap();
        used_a += usize::from(place.join("store-a-wal").exists());
        drop(home);
        let of = |name| fs::metadata(place.join(name)).unwrap();
        let (a, b) = (of("store-a"), of("store-b"));
        assert_eq!(a.len(), b.len());
        assert_eq!(a.len() % 4096, 0);
        assert_eq!(a.mode(), b.mode());
        assert_eq!(a.modified().unwrap(), b.modified().unwrap());
        // Both look random: of 256 byte values each has its share.
        for name in ["store-a", "store-b"] {
            let bytes = fs::read(place.join(name)).unwrap();
            let mut histogram = [0_usize; 256];
            bytes
                .iter()
                .for_each(|byte| histogram[usize::from(*byte)] += 1);
            let fair = bytes.len() / 256;
            assert!(histogram.iter().all(|n| *n > fair / 2 && *n < fair * 2));
        }
    }
    assert!(
        (1..12).contains(&used_a),
        "which store is used is a matter of chance"
    );
}

#[test]
fn no_file_of_the_home_shows_a_passphrase_a_key_or_a_message() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("home");
    let home = make(&place).unwrap();
    let table = KeyTable::load(&place.join("keys")).unwrap();
    let wrapping = table.derive(&passphrase(PASSPHRASE)).unwrap();
    let opened = table.open(&wrapping).unwrap();
    let hex = data_encoding::HEXLOWER.encode(opened.key.expose());

    let scan = |when: &str| {
        for (path, bytes) in every_byte(folder.path()) {
            for needle in [
                PASSPHRASE.as_bytes(),
                SECRET_TEXT.as_bytes(),
                &opened.key.expose()[..],
                &wrapping.expose()[..],
                hex.as_bytes(),
                b"SQLite format 3",
                b"attachments_by_state",
            ] {
                let found = bytes.windows(needle.len()).any(|window| window == needle);
                assert!(!found, "{when}: {}", path.display());
            }
        }
    };
    scan("while it is open");
    drop(home);
    scan("after it was closed");
}

#[test]
fn damage_and_newer_forms_are_told_apart_and_nothing_is_changed() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("home");
    drop(make(&place).unwrap());
    let keys = place.join("keys");
    let good = fs::read(&keys).unwrap();
    let attempt = |bytes: &[u8]| {
        fs::write(&keys, bytes).unwrap();
        // So many wrong ones in a row would have to wait.
        Sentinel::update(&place, |sentinel| sentinel.attempts.failed = 0).unwrap();
        let error = unlock(&place, PASSPHRASE).err();
        assert_eq!(fs::read(&keys).unwrap(), bytes);
        error
    };

    let changed = |at: usize, value: u8| {
        let mut bytes = good.clone();
        bytes[at] = value;
        bytes
    };
    assert_eq!(attempt(&changed(0, 0)), Some(HomeError::Damaged));
    assert_eq!(attempt(&changed(15, 2)), Some(HomeError::Newer));
    assert_eq!(
        attempt(&changed(16, 9)),
        Some(HomeError::Newer),
        "another KDF"
    );
    assert_eq!(attempt(&good[..FILE_LEN - 1]), Some(HomeError::Damaged));
    assert_eq!(
        attempt(&[&good[..], &[0]].concat()),
        Some(HomeError::Damaged)
    );
    assert_eq!(attempt(&[]), Some(HomeError::Damaged));
    // The parameters, the salt and every slot are authenticated.
    assert_eq!(
        attempt(&changed(23, good[23] ^ 1)),
        Some(HomeError::WrongPassphrase),
        "weaker parameters"
    );
    assert_eq!(
        attempt(&changed(40, good[40] ^ 1)),
        Some(HomeError::WrongPassphrase)
    );
    for at in (64..FILE_LEN).step_by(96) {
        let mut moved = good.clone();
        moved[64..].rotate_right(96);
        assert_eq!(attempt(&moved), Some(HomeError::WrongPassphrase));
        let mut flipped = good.clone();
        flipped[at + 40] ^= 0x80;
        let outcome = attempt(&flipped);
        assert!(outcome.is_none() || outcome == Some(HomeError::WrongPassphrase));
    }
    assert_eq!(attempt(&good), None);

    let home = unlock(&place, PASSPHRASE).unwrap();
    home.database()
        .transaction(|tx| -> StoreResult<()> {
            Ok(tx
                .connection()
                .pragma_update(None, "user_version", 4_000_000)?)
        })
        .unwrap();
    drop(home);
    assert!(matches!(
        unlock(&place, PASSPHRASE).err(),
        Some(HomeError::Store(StoreError::Newer {
            found: 4_000_000,
            ..
        }))
    ));
}

#[test]
fn a_home_is_made_only_where_there_is_nothing_yet() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |place: &Path| make(place).err().unwrap();

    let place = folder.path().join("home");
    fs::create_dir(&place).unwrap();
    drop(make(&place).unwrap());
    assert_eq!(refused(&place), HomeError::Exists);
    assert_eq!(secret_of(&unlock(&place, PASSPHRASE).unwrap()), SECRET_TEXT);

    let file = folder.path().join("file");
    fs::write(&file, b"mine").unwrap();
    assert_eq!(refused(&file), HomeError::Exists);
    assert_eq!(refused(&file.join("home")), HomeError::ReadOnly);
    // A place where not even root can make a folder.
    let nowhere = refused(Path::new("/proc/undertone/home"));
    assert_eq!(nowhere, HomeError::ReadOnly);
    assert_eq!(nowhere.to_string(), "The home can't be written to.");

    // Somebody else takes the place while the home is being made.
    let raced = folder.path().join("raced");
    let creation = Creation::begin(&raced, &passphrase(PASSPHRASE)).unwrap();
    drop(make(&raced).unwrap());
    assert_eq!(creation.finish().err(), Some(HomeError::Exists));
    assert_eq!(secret_of(&unlock(&raced, PASSPHRASE).unwrap()), SECRET_TEXT);

    // Given up.
    drop(Creation::begin(&folder.path().join("never"), &passphrase("x")).unwrap());
    assert_eq!(names(folder.path()), ["file", "home", "raced"]);
    assert_eq!(
        unlock(&folder.path().join("never"), "x").err(),
        Some(HomeError::Missing)
    );
    assert_eq!(unlock(folder.path(), "x").err(), Some(HomeError::Missing));
}
