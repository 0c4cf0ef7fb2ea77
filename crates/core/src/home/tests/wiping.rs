//! A wipe, with and without somebody pulling the plug.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use super::processes::{child, told_place};
use super::{PASSPHRASE, SECRET_TEXT, every_byte, make, names, passphrase, secret_of, unlock};
use crate::home::key_table::moments::{self, Moment};
use crate::home::panic::{self, Press};
use crate::home::sentinel::Sentinel;
use crate::home::{Creation, Home, HomeError, HomeResult, Owner, Wipe, dead_man};

const FILE_TEXT: &[u8] = b"ciphertext of a picture of the locker";

/// What must not be found after a wipe.
struct Traces(Vec<Vec<u8>>);

impl Traces {
    /// A home with everything in it that a home may have.
    fn leave(place: &Path) -> Self {
        let home = make(place).unwrap();
        let mut traces = vec![
            home.opened.key.expose().to_vec(),
            SECRET_TEXT.as_bytes().to_vec(),
            FILE_TEXT.to_vec(),
        ];
        drop(home);
        fs::write(place.join("attachments/4711"), FILE_TEXT).unwrap();
        fs::create_dir(place.join("backups")).unwrap();
        fs::write(place.join("backups/old"), FILE_TEXT).unwrap();
        fs::write(
            place.join("keys.new"),
            fs::read(place.join("keys")).unwrap(),
        )
        .unwrap();
        let keys = fs::read(place.join("keys")).unwrap();
        // The salt, and each slot.
        traces.push(keys[32..64].to_vec());
        traces.extend(keys[64..].chunks(96).map(<[u8]>::to_vec));
        for store in ["store-a", "store-b"] {
            let store = fs::read(place.join(store)).unwrap();
            traces.push(store[..16].to_vec());
            traces.push(store[store.len() - 64..].to_vec());
        }
        Self(traces)
    }

    fn assert_gone(&self, place: &Path) {
        for (path, bytes) in every_byte(place) {
            for trace in &self.0 {
                assert!(
                    !bytes.windows(trace.len()).any(|window| window == trace),
                    "{}",
                    path.display()
                );
            }
        }
        assert_eq!(names(place), ["lock", "sentinel"]);
        assert_eq!(unlock(place, PASSPHRASE).err(), Some(HomeError::Wiped));
    }
}

#[test]
fn after_a_wipe_nothing_is_left_and_the_home_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("home");
    let traces = Traces::leave(&place);
    let home = unlock(&place, PASSPHRASE).unwrap();
    // Under a process that has it open, too.
    let report = Wipe::begin(&place).unwrap();
    assert!(report.is_complete() && !report.resumed);
    drop(home);
    traces.assert_gone(&place);
    assert_eq!(Owner::acquire(&place).err(), Some(HomeError::Wiped));
    assert_eq!(
        Sentinel::update(&place, |sentinel| sentinel.attempts.failed = 0),
        Err(HomeError::Wiped)
    );
    // A second wipe finds nothing to do.
    assert_eq!(Wipe::begin(&place).unwrap().files, 0);
    // A new home may be made there.
    let creation = Creation::begin(&place, &passphrase(PASSPHRASE)).unwrap();
    drop(creation.finish().unwrap());
    drop(unlock(&place, PASSPHRASE).unwrap());
}

#[test]
fn child_that_wipes_when_told() {
    let Some(place) = told_place() else { return };
    println!("ready");
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    Wipe::begin(&place).unwrap();
    println!("wiped");
}

#[test]
fn killed_at_any_moment_of_a_wipe_the_next_start_finishes_it() {
    let soak = std::env::var_os("UNDERTONE_SOAK").is_some_and(|value| value == "1");
    let rounds = if soak { 200 } else { 20 };
    let folder = tempfile::tempdir().unwrap();
    let mut longest = Duration::from_millis(5);
    let mut resumed = 0;
    for round in 0..rounds {
        let place = folder.path().join(format!("home-{round}"));
        let traces = Traces::leave(&place);
        let mut wiper = child("wiping::child_that_wipes_when_told", &place)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(wiper.stdout.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap().contains("ready")));
        let begun = Instant::now();
        writeln!(wiper.stdin.take().unwrap(), "go").unwrap();
        // The first one shows how long it takes; the others are cut somewhere in that time.
        if round > 0 {
            std::thread::sleep(longest * round / rounds);
            wiper.kill().unwrap();
        } else {
            assert!(lines.any(|line| line.unwrap().contains("wiped")));
            longest = begun.elapsed();
        }
        wiper.wait().unwrap();

        match Wipe::finish_if_marked(&place).unwrap() {
            Some(report) => {
                assert!(report.is_complete(), "{report:?}");
                resumed += u32::from(report.resumed);
            }
            // It had not begun: then nothing is missing.
            None => {
                assert_eq!(secret_of(&unlock(&place, PASSPHRASE).unwrap()), SECRET_TEXT);
                Wipe::begin(&place).unwrap();
            }
        }
        traces.assert_gone(&place);
        fs::remove_dir_all(&place).unwrap();
    }
    assert!(resumed > 0, "no wipe was cut in the middle");
}

#[test]
fn a_link_to_somewhere_else_is_removed_and_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("home");
    drop(make(&place).unwrap());
    let elsewhere = folder.path().join("elsewhere");
    fs::write(&elsewhere, b"not of this home").unwrap();
    std::os::unix::fs::symlink(&elsewhere, place.join("link")).unwrap();
    std::os::unix::fs::symlink(folder.path(), place.join("folder-link")).unwrap();
    assert!(Wipe::begin(&place).unwrap().is_complete());
    assert_eq!(fs::read(&elsewhere).unwrap(), b"not of this home");
    assert_eq!(names(&place), ["lock", "sentinel"]);
}

#[test]
fn a_folder_that_is_no_home_is_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("papers");
    fs::create_dir(&place).unwrap();
    for (name, text) in [("thesis.txt", "forty pages"), ("keys", "of the car")] {
        fs::write(place.join(name), text).unwrap();
    }
    let before = every_byte(&place);
    assert_eq!(Wipe::begin(&place).err(), Some(HomeError::Missing));
    assert_eq!(Wipe::destroy_keys(&place).err(), Some(HomeError::Missing));
    assert!(every_byte(&place) == before);
    // A home is known by its sentinel, by its keys, and by its names if it lost both.
    for lost in [&["keys"][..], &["sentinel"], &["sentinel", "keys"]] {
        let home = folder.path().join(lost.join("-"));
        drop(make(&home).unwrap());
        for name in lost {
            fs::remove_file(home.join(name)).unwrap();
        }
        assert!(Wipe::begin(&home).unwrap().is_complete(), "{lost:?}");
        assert_eq!(names(&home), ["lock", "sentinel"]);
    }
}

/// A home is wiped while somebody works on its keys in another thread, or another process.
#[test]
fn keys_that_a_wipe_destroyed_are_not_put_back_by_who_had_read_them_before() {
    type Work = fn(&Path, Option<Home>) -> HomeResult<()>;
    let next = || passphrase("another one");
    assert!(next() != passphrase(PASSPHRASE));
    let works: [(&str, Work, usize); 6] = [
        ("right", |place, _| unlock(place, PASSPHRASE).map(drop), 1),
        ("wrong", |place, _| unlock(place, "a guess").map(drop), 1),
        (
            "confirm",
            |_, home| home.unwrap().confirm(&passphrase(PASSPHRASE)),
            0,
        ),
        (
            "change",
            |_, home| {
                home.unwrap()
                    .change_passphrase(&passphrase(PASSPHRASE), &passphrase("another one"))
            },
            1,
        ),
        (
            "set duress",
            |_, home| {
                let home = home.unwrap();
                let decoy = home.begin_decoy()?;
                home.set_duress(
                    &passphrase(PASSPHRASE),
                    &passphrase("another one"),
                    None,
                    decoy,
                )
            },
            2,
        ),
        (
            "remove duress",
            |_, home| home.unwrap().remove_duress(&passphrase(PASSPHRASE)),
            1,
        ),
    ];
    for (name, work, saves) in works {
        let moments = [(Moment::Judge, 0)]
            .into_iter()
            .chain((0..saves).map(|passed| (Moment::Save, passed)));
        for (moment, passed) in moments {
            let folder = tempfile::tempdir().unwrap();
            let place = folder.path().join("home");
            let home = make(&place).unwrap();
            let home = (!matches!(name, "right" | "wrong")).then_some(home);
            let wiped = place.clone();
            moments::at(moment, passed, move || {
                assert!(Wipe::begin(&wiped).unwrap().is_complete());
            });
            let done = work(&place, home);
            assert!(moments::has_come(), "{name}");
            assert_eq!(done, Err(HomeError::Wiped), "{name} {passed}");
            for file in ["keys", "keys.new"] {
                assert!(!place.join(file).exists(), "{name} {passed}: {file}");
            }
        }
    }
}

#[test]
fn a_press_that_can_not_be_noted_locks_and_hardly_waits() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("home");
    drop(make(&place).unwrap());
    // Somebody was stopped in the middle of a change of the sentinel.
    let held = fs::File::open(&place).unwrap();
    rustix::fs::flock(&held, rustix::fs::FlockOperation::LockExclusive).unwrap();
    let begun = std::time::Instant::now();
    for _ in 0..2 {
        assert_eq!(
            panic::press(&place, &dead_man::Moment::now()),
            Ok(Press::Lock)
        );
    }
    assert!(begun.elapsed() < Duration::from_secs(2));
    assert!(!Owner::is_taken(&place).unwrap());
    drop(held);
    // One that is noted counts.
    assert_eq!(
        panic::press(&place, &dead_man::Moment::now()),
        Ok(Press::Lock)
    );
    assert_eq!(
        panic::press(&place, &dead_man::Moment::now()),
        Ok(Press::Wipe)
    );
    let owner = Owner::acquire(&place).unwrap();
    assert!(Owner::is_taken(&place).unwrap());
    drop(owner);
    // There is nothing to lock any more, or never was.
    Wipe::begin(&place).unwrap();
    assert_eq!(
        panic::press(&place, &dead_man::Moment::now()),
        Err(HomeError::Wiped)
    );
    assert_eq!(
        panic::press(folder.path(), &dead_man::Moment::now()),
        Err(HomeError::Missing)
    );
}
