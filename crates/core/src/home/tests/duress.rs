//! Somebody is forced to give a passphrase.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::processes::{child, told_place};
use super::{
    PASSPHRASE, SECRET_TEXT, WHOLE_HOME, every_byte, make, names, passphrase, secret_of, unlock,
};
use crate::home::{Home, HomeError, Sentinel};
use crate::store::StoreResult;

const DURESS: &str = "all right, here it is";
const VISIT: &str = "dusting the decoy";
const DECOY_TEXT: &str = "buy milk";

fn set_duress(home: &Home, visit: Option<&str>) {
    let decoy = home.begin_decoy().unwrap();
    decoy
        .database()
        .unwrap()
        .transaction(|tx| -> StoreResult<()> {
            tx.connection().execute_batch(&format!(
                "CREATE TABLE note (body TEXT NOT NULL) STRICT; INSERT INTO note VALUES ('{DECOY_TEXT}')"
            ))?;
            Ok(())
        })
        .unwrap();
    let visit = visit.map(passphrase);
    home.set_duress(
        &passphrase(PASSPHRASE),
        &passphrase(DURESS),
        visit.as_ref(),
        decoy,
    )
    .unwrap();
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// The owner's account had a kill code: what that needs stands where no passphrase protects it.
#[test]
fn nothing_of_a_kill_code_of_the_other_account_is_left_under_duress() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("home");
    let home = make(&place).unwrap();
    set_duress(&home, Some(VISIT));
    drop(home);
    let needs = [0x5a; 200];
    for _ in 0..2 {
        Sentinel::update(&place, |sentinel| {
            sentinel.kill.bytes_mut()[..200].copy_from_slice(&needs);
            // Heartbeats count, and one was heard.
            sentinel.dead_man.heartbeats = true;
            sentinel.dead_man.heartbeat = 1_800_000_000;
        })
        .unwrap();
    }
    let stands = || {
        let bytes = fs::read(place.join("sentinel")).unwrap();
        bytes.windows(16).any(|run| run == &needs[..16])
    };
    let heartbeats = || {
        let record = Sentinel::load(&place).unwrap().dead_man;
        (record.heartbeats, record.heartbeat)
    };
    let writes = || {
        let bytes = fs::read(place.join("sentinel")).unwrap();
        let serial = |copy: &[u8]| u64::from_be_bytes(copy[16..24].try_into().unwrap());
        bytes.chunks(4096).map(serial).max().unwrap()
    };
    // Neither a wrong passphrase nor a visit touches it, and all of them write as often.
    let mut counts = Vec::new();
    for typed in ["something else", VISIT, PASSPHRASE] {
        let before = writes();
        drop(unlock(&place, typed));
        assert!(stands(), "{typed}");
        assert_eq!(heartbeats(), (true, 1_800_000_000), "{typed}");
        counts.push(writes() - before);
    }
    let before = writes();
    drop(unlock(&place, DURESS).unwrap());
    assert!(!stands());
    assert_eq!(
        heartbeats(),
        (false, 0),
        "without a kill code there are none"
    );
    counts.push(writes() - before);
    assert_eq!(counts, [counts[0]; 4]);
}

#[test]
fn the_duress_passphrase_opens_the_decoy_and_nothing_opens_the_rest_any_more() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("home");
    let home = make(&place).unwrap();
    set_duress(&home, Some(VISIT));
    drop(home);
    assert_eq!(secret_of(&unlock(&place, PASSPHRASE).unwrap()), SECRET_TEXT);
    let before = folder.path().join("image");
    copy(&place, &before);

    let home = unlock(&place, DURESS).unwrap();
    assert_eq!(secret_of(&home), DECOY_TEXT);
    assert!(home.is_under_duress() && !home.is_decoy());
    drop(home);
    for typed in [PASSPHRASE, VISIT] {
        assert_eq!(
            unlock(&place, typed).err(),
            Some(HomeError::WrongPassphrase)
        );
    }
    // It stays the passphrase of this home, like any other: it can be changed, and a decoy made anew.
    let home = unlock(&place, DURESS).unwrap();
    assert!(!home.is_under_duress() && !home.is_decoy());
    home.change_passphrase(&passphrase(DURESS), &passphrase("another"))
        .unwrap();
    drop(home.begin_decoy().unwrap());
    drop(home);
    assert_eq!(secret_of(&unlock(&place, "another").unwrap()), DECOY_TEXT);

    // An image of the disk from before gives who knows the duress passphrase the decoy too, and nothing else.
    assert_eq!(secret_of(&unlock(&before, DURESS).unwrap()), DECOY_TEXT);
    assert_eq!(
        unlock(&before, PASSPHRASE).err(),
        Some(HomeError::WrongPassphrase)
    );
}

#[test]
fn what_is_left_of_the_other_store_becomes_noise_of_the_same_size() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("home");
    let home = make(&place).unwrap();
    assert!(home.cleaning().is_none());
    set_duress(&home, Some(VISIT));
    drop(home);
    let visited = unlock(&place, VISIT).unwrap();
    assert!(visited.cleaning().is_none());
    drop(visited);
    let before = every_byte(&place);
    drop(unlock(&place, DURESS).unwrap());
    // Cut short there: the next one who opens it knows, also with another passphrase.
    let home = unlock(&place, DURESS).unwrap();
    home.change_passphrase(&passphrase(DURESS), &passphrase("another"))
        .unwrap();
    drop(home);
    let home = unlock(&place, "another").unwrap();
    let file = place.join("attachments/4711");
    fs::write(&file, b"of the first account").unwrap();
    assert!(home.cleaning().unwrap().run(&[file]));
    drop(home);

    let now = every_byte(&place);
    assert_eq!(names(&place), WHOLE_HOME);
    assert_eq!(now.len(), before.len());
    // Not one page of either store's old bytes is where it was, in the store that was not opened.
    let noise = before.iter().zip(&now).filter(|((path, old), (_, new))| {
        path.file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .starts_with("store-")
            && old.len() == new.len()
            && old
                .chunks(4096)
                .zip(new.chunks(4096))
                .all(|(old, new)| old != new)
    });
    assert!(noise.count() >= 1, "it was never overwritten");
}

#[test]
fn the_decoy_can_be_visited_and_the_owners_store_is_safe_from_there() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("home");
    let home = make(&place).unwrap();
    set_duress(&home, Some(VISIT));
    drop(home);
    let visit = unlock(&place, VISIT).unwrap();
    assert!(visit.is_decoy());
    assert_eq!(secret_of(&visit), DECOY_TEXT);
    assert_eq!(visit.begin_decoy().err(), Some(HomeError::Decoy));
    assert_eq!(
        visit.remove_duress(&passphrase(VISIT)),
        Err(HomeError::Decoy)
    );
    drop(visit);
    let home = unlock(&place, PASSPHRASE).unwrap();
    assert_eq!(secret_of(&home), SECRET_TEXT);
    home.remove_duress(&passphrase(PASSPHRASE)).unwrap();
    drop(home);
    for typed in [DURESS, VISIT] {
        assert_eq!(
            unlock(&place, typed).err(),
            Some(HomeError::WrongPassphrase)
        );
    }
    assert_eq!(secret_of(&unlock(&place, PASSPHRASE).unwrap()), SECRET_TEXT);
}

#[test]
fn a_home_with_a_decoy_looks_like_one_without() {
    let folder = tempfile::tempdir().unwrap();
    let (with, without) = (folder.path().join("with"), folder.path().join("without"));
    let home = make(&with).unwrap();
    set_duress(&home, Some(VISIT));
    drop(home);
    drop(make(&without).unwrap());
    assert_eq!(names(&with), names(&without));
    for name in ["keys", "sentinel", "lock"] {
        let size = |home: &Path| fs::metadata(home.join(name)).unwrap().len();
        assert_eq!(size(&with), size(&without), "{name}");
    }
    for home in [&with, &without] {
        let times: Vec<_> = ["store-a", "store-b"]
            .map(|name| fs::metadata(home.join(name)).unwrap().modified().unwrap())
            .into();
        assert_eq!(times[0], times[1]);
        for name in ["store-a", "store-b"] {
            let bytes = fs::read(home.join(name)).unwrap();
            assert_eq!(bytes.len() % 4096, 0, "{name}");
            // Nothing in it has a form: a byte is as often there as any other.
            let mut counts = [0_usize; 256];
            bytes
                .iter()
                .for_each(|byte| counts[usize::from(*byte)] += 1);
            let mean = bytes.len() / 256;
            assert!(
                counts
                    .iter()
                    .all(|count| (mean / 2..mean * 2).contains(count)),
                "{name}"
            );
        }
    }
}

/// What one sort of dates in a home tells: which of its files have the same one, and in which order those moments came.
fn dates(home: &Path, date: impl Fn(&fs::Metadata) -> SystemTime) -> Vec<Vec<String>> {
    let mut all: Vec<_> = names(home)
        .into_iter()
        .map(|name| (date(&fs::metadata(home.join(&name)).unwrap()), name))
        .collect();
    all.sort();
    all.chunk_by(|one, next| one.0 == next.0)
        .map(|same| same.iter().map(|(_, name)| name.clone()).collect())
        .collect()
}

/// What a file system keeps of each store beside its bytes: which file it is, and where it says so, when that came to be.
fn births(home: &Path) -> Vec<(u64, Option<SystemTime>)> {
    ["store-a", "store-b"]
        .map(|name| fs::metadata(home.join(name)).unwrap())
        .map(|file| (file.ino(), file.created().ok()))
        .into()
}

#[test]
fn a_decoy_stands_in_the_file_that_the_home_was_made_with() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("home");
    drop(make(&place).unwrap());
    let at_first = births(&place);
    // Once, once more, and taken away.
    for _ in 0..2 {
        // Moments of a clock that is not finer than this.
        std::thread::sleep(Duration::from_millis(20));
        let home = unlock(&place, PASSPHRASE).unwrap();
        set_duress(&home, Some(VISIT));
        drop(home);
        assert_eq!(births(&place), at_first);
        assert_eq!(names(&place), WHOLE_HOME);
        assert_eq!(secret_of(&unlock(&place, VISIT).unwrap()), DECOY_TEXT);
    }
    let home = unlock(&place, PASSPHRASE).unwrap();
    home.remove_duress(&passphrase(PASSPHRASE)).unwrap();
    drop(home);
    assert_eq!(births(&place), at_first);
    // And when it is used.
    let home = unlock(&place, PASSPHRASE).unwrap();
    set_duress(&home, None);
    drop(home);
    let home = unlock(&place, DURESS).unwrap();
    assert!(home.cleaning().unwrap().run(&[]));
    drop(home);
    assert_eq!(births(&place), at_first);
}

#[test]
fn child_that_sets_decoys() {
    let Some(place) = told_place() else { return };
    let home = unlock(&place, PASSPHRASE).unwrap();
    loop {
        set_duress(&home, Some(VISIT));
    }
}

#[test]
fn killed_while_a_decoy_is_made_there_is_it_or_none_and_the_account_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("home");
    drop(make(&place).unwrap());
    let at_first = births(&place);
    for round in 0_u64..12 {
        let mut maker = child("duress::child_that_sets_decoys", &place)
            .spawn()
            .unwrap();
        // Another moment of the making each time.
        std::thread::sleep(Duration::from_millis(60 + 7 * round));
        maker.kill().unwrap();
        maker.wait().unwrap();
        for typed in [VISIT, PASSPHRASE] {
            match unlock(&place, typed) {
                Ok(home) if typed == VISIT => assert_eq!(secret_of(&home), DECOY_TEXT),
                Ok(home) => assert_eq!(secret_of(&home), SECRET_TEXT),
                Err(error) => assert_eq!((typed, error), (VISIT, HomeError::WrongPassphrase)),
            }
        }
        assert_eq!(names(&place), WHOLE_HOME);
        assert_eq!(births(&place), at_first);
    }
}

#[test]
fn the_dates_in_a_home_that_is_used_do_not_tell_that_there_is_a_decoy() {
    let folder = tempfile::tempdir().unwrap();
    let (with, without) = (folder.path().join("with"), folder.path().join("without"));
    let writes = |place: &Path, typed: &str| {
        let home = unlock(place, typed).unwrap();
        home.database()
            .transaction(|tx| -> StoreResult<()> {
                tx.connection()
                    .execute("INSERT INTO note VALUES ('one more')", [])?;
                Ok(())
            })
            .unwrap();
    };
    for (place, has_decoy) in [(&with, true), (&without, false)] {
        drop(make(place).unwrap());
        for _ in 0..2 {
            writes(place, PASSPHRASE);
        }
        if has_decoy {
            let home = unlock(place, PASSPHRASE).unwrap();
            set_duress(&home, Some(VISIT));
            drop(home);
            writes(place, VISIT);
        }
        writes(place, PASSPHRASE);
        // Moments of a clock that is not finer than this.
        std::thread::sleep(Duration::from_millis(20));
        drop(unlock(place, PASSPHRASE).unwrap());
    }
    let modified = |home: &Path| dates(home, |file| file.modified().unwrap());
    assert_eq!(modified(&with), modified(&without));
    let latest = modified(&with).pop().unwrap();
    assert_eq!(latest, ["keys", "store-a", "store-b"]);
}

#[test]
fn the_three_passphrases_must_differ_and_the_present_one_must_be_right() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("home");
    let home = make(&place).unwrap();
    for (current, duress, visit, refusal) in [
        (PASSPHRASE, PASSPHRASE, None, HomeError::PassphraseTaken),
        (PASSPHRASE, DURESS, Some(DURESS), HomeError::PassphraseTaken),
        ("a guess", DURESS, None, HomeError::WrongPassphrase),
    ] {
        let decoy = home.begin_decoy().unwrap();
        let refused = home.set_duress(
            &passphrase(current),
            &passphrase(duress),
            visit.map(passphrase).as_ref(),
            decoy,
        );
        assert_eq!(refused, Err(refusal));
    }
    // Nothing is left of the decoys that came to nothing.
    drop(home);
    assert_eq!(names(&place), WHOLE_HOME);
    assert_eq!(
        unlock(&place, DURESS).err(),
        Some(HomeError::WrongPassphrase)
    );
    assert_eq!(secret_of(&unlock(&place, PASSPHRASE).unwrap()), SECRET_TEXT);
}
