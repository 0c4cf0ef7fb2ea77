//! Who guesses at the passphrase, with and without pulling the plug.

#![allow(clippy::unwrap_used)]

use std::cell::Cell;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::Stdio;
use std::rc::Rc;

use super::processes::{child, told_place};
use super::{PASSPHRASE, SECRET_TEXT, make, passphrase, secret_of, unlock};
use crate::home::dead_man::{self, Moment};
use crate::home::key_table::moments;
use crate::home::panic::{self, Press};
use crate::home::sentinel::{KILL_LEN, Sentinel};
use crate::home::{Home, HomeError, Owner, attempts};

fn limit(place: &Path, limit: u16) {
    Sentinel::update(place, |sentinel| sentinel.attempts.limit = limit).unwrap();
}

fn failed(place: &Path) -> u32 {
    Sentinel::load(place).unwrap().attempts.failed
}

#[test]
fn the_count_survives_restarts_and_a_right_passphrase_ends_it() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("home");
    drop(make(&place).unwrap());
    for count in 1..=3 {
        // Each time another owner, as after a restart.
        assert_eq!(
            unlock(&place, "a guess").err(),
            Some(HomeError::WrongPassphrase)
        );
        assert_eq!(failed(&place), count);
    }
    let home = unlock(&place, PASSPHRASE).unwrap();
    assert_eq!(failed(&place), 0);

    // Somebody at an open home guesses no cheaper.
    assert_eq!(
        home.confirm(&passphrase("a guess")),
        Err(HomeError::WrongPassphrase)
    );
    assert_eq!(failed(&place), 1);
    home.confirm(&passphrase(PASSPHRASE)).unwrap();
    assert_eq!(failed(&place), 0);
}

#[test]
fn guesses_wait_longer_and_longer_and_so_does_the_owner() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("home");
    drop(make(&place).unwrap());
    for _ in 0..5 {
        assert_eq!(
            unlock(&place, "a guess").err(),
            Some(HomeError::WrongPassphrase)
        );
    }
    // From the next one on, each waits. What a restart forgets, the sentinel does not.
    Sentinel::update(&place, |sentinel| sentinel.attempts.failed = 12).unwrap();
    for typed in ["a guess", PASSPHRASE] {
        match unlock(&place, typed).err() {
            Some(HomeError::TooSoon(seconds)) => assert!((1..=64).contains(&seconds)),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(failed(&place), 12, "what was not tried does not count");
    Sentinel::update(&place, |sentinel| sentinel.attempts.last -= 64).unwrap();
    assert_eq!(secret_of(&unlock(&place, PASSPHRASE).unwrap()), SECRET_TEXT);
}

#[test]
fn after_the_owners_limit_the_home_is_wiped() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("home");
    drop(make(&place).unwrap());
    limit(&place, 3);
    for _ in 0..2 {
        assert_eq!(
            unlock(&place, "a guess").err(),
            Some(HomeError::WrongPassphrase)
        );
    }
    assert_eq!(unlock(&place, "a guess").err(), Some(HomeError::Wiped));
    assert_eq!(unlock(&place, PASSPHRASE).err(), Some(HomeError::Wiped));
}

#[test]
fn pulling_the_plug_before_the_verdict_spends_the_attempt() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("home");
    drop(make(&place).unwrap());
    limit(&place, 3);
    for count in 1..=3 {
        // Counted, and then the power goes: nothing was judged.
        attempts::begin(&place, &Moment::now()).unwrap();
        assert_eq!(failed(&place), count);
    }
    assert_eq!(unlock(&place, PASSPHRASE).err(), Some(HomeError::Wiped));
}

/// The power goes, or the process is killed, when the key is derived and no slot is tried yet.
#[test]
fn an_attempt_is_counted_before_it_is_judged() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("home");
    let home = make(&place).unwrap();
    let counts_first = |attempt: &dyn Fn(&Home)| {
        let (seen, sentinel) = (Rc::new(Cell::new(None)), place.clone());
        let before = failed(&place);
        let sees = Rc::clone(&seen);
        moments::at(moments::Moment::Judge, 0, move || {
            sees.set(Some(failed(&sentinel)));
        });
        attempt(&home);
        assert_eq!(seen.get(), Some(before + 1));
    };
    for typed in ["a guess", PASSPHRASE] {
        counts_first(&|home| {
            let _ = home.confirm(&passphrase(typed));
        });
    }
    counts_first(&|home| {
        let _ = home.change_passphrase(&passphrase("a guess"), &passphrase("new"));
    });
    drop(home);
    for typed in ["a guess", PASSPHRASE] {
        let (seen, sentinel) = (Rc::new(Cell::new(None)), place.clone());
        let before = failed(&place);
        let sees = Rc::clone(&seen);
        moments::at(moments::Moment::Judge, 0, move || {
            sees.set(Some(failed(&sentinel)));
        });
        drop(unlock(&place, typed));
        assert_eq!(seen.get(), Some(before + 1));
    }
}

#[test]
fn child_that_guesses_when_told() {
    let Some(place) = told_place() else { return };
    println!("ready");
    std::io::stdin().read_line(&mut String::new()).unwrap();
    for _ in 0..50 {
        match unlock(&place, "a guess").err() {
            Some(HomeError::WrongPassphrase) => println!("judged"),
            Some(HomeError::Wiped | HomeError::Missing) => return,
            Some(HomeError::Owned | HomeError::TooSoon(_)) => std::thread::yield_now(),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn processes_that_guess_at_once_get_no_more_attempts_than_one() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("home");
    drop(make(&place).unwrap());
    limit(&place, 5);
    let mut guessing: Vec<_> = (0..4)
        .map(|_| {
            let mut child = child("attempts::child_that_guesses_when_told", &place)
                .stdin(Stdio::piped())
                .spawn()
                .unwrap();
            let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
            assert!(said.any(|line| line.unwrap().contains("ready")));
            (child, said)
        })
        .collect();
    for (child, _) in &mut guessing {
        writeln!(child.stdin.take().unwrap(), "go").unwrap();
    }
    let mut judged = 0;
    for (mut child, said) in guessing {
        judged += said
            .filter(|line| line.as_ref().unwrap().contains("judged"))
            .count();
        assert!(child.wait().unwrap().success());
    }
    assert!((1..=4).contains(&judged), "{judged}");
    // They may all have looked away from the lock each time.
    while Owner::acquire(&place).is_ok() {
        let _ = unlock(&place, "a guess");
    }
    assert_eq!(unlock(&place, PASSPHRASE).err(), Some(HomeError::Wiped));
}

#[test]
fn changes_of_many_at_once_do_not_lose_each_other_and_a_torn_write_loses_one_at_most() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("home");
    drop(make(&place).unwrap());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..10 {
                    Sentinel::update(&place, |sentinel| sentinel.attempts.failed += 1).unwrap();
                }
            });
        }
    });
    assert_eq!(failed(&place), 40);
    let path = place.join("sentinel");
    let whole = fs::read(&path).unwrap();
    assert_eq!(whole.len(), 8192);
    let mut seen = Vec::new();
    for half in 0..2 {
        let mut torn = whole.clone();
        torn[half * 4096 + 700] ^= 1;
        fs::write(&path, torn).unwrap();
        seen.push(failed(&place));
    }
    seen.sort_unstable();
    assert_eq!(seen, [39, 40]);
}

#[test]
fn the_sentinel_has_one_size_and_keeps_what_it_is_given() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("home");
    drop(make(&place).unwrap());
    let before = fs::metadata(place.join("sentinel")).unwrap().len();
    Sentinel::update(&place, |sentinel| {
        sentinel.kill.bytes_mut().fill(7);
        sentinel.dead_man.days = 30;
        sentinel.dead_man.heartbeat = 9;
        sentinel.attempts.limit = 10;
    })
    .unwrap();
    let read = Sentinel::load(&place).unwrap();
    assert_eq!(read.kill.bytes(), [7; KILL_LEN]);
    assert_eq!((read.dead_man.days, read.dead_man.heartbeat), (30, 9));
    assert_eq!(read.attempts.limit, 10);
    assert_eq!(fs::metadata(place.join("sentinel")).unwrap().len(), before);
}

#[test]
fn a_home_that_nobody_unlocks_wipes_itself_on_its_day_whatever_others_say_the_time_is() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("home");
    drop(make(&place).unwrap());
    let start = Moment::now();
    let later = |days: u64| Moment {
        clock: start.clock + days * 86_400,
        uptime: start.uptime + days * 86_400,
        ..start
    };
    dead_man::set(&place, 7, &start).unwrap();
    // A server claims the year 2099: a warning, no more.
    dead_man::heard_of_time(&place, 4_070_908_800, &start).unwrap();
    let standing = dead_man::check(&place, &later(1)).unwrap();
    assert!(standing.clock_set_back_s > 0);
    assert_eq!(standing.left_s, 6 * 86_400);
    // The owner's other device vouches for them: not before they allowed it, and once each time.
    let heard = |day: u64, moment: u64| {
        dead_man::heartbeat(&place, later(moment).clock, &later(day)).unwrap()
    };
    assert!(!heard(5, 5));
    Sentinel::update(&place, |sentinel| sentinel.dead_man.heartbeats = true).unwrap();
    assert!(heard(5, 5));
    assert!(!heard(6, 5));
    assert_eq!(dead_man::check(&place, &later(11)).unwrap().left_s, 86_400);
    assert_eq!(
        dead_man::check(&place, &later(12)).err(),
        Some(HomeError::Wiped)
    );
    assert_eq!(unlock(&place, PASSPHRASE).err(), Some(HomeError::Wiped));
}

#[test]
fn a_server_whose_clock_is_ahead_is_told_of_once() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("home");
    drop(make(&place).unwrap());
    let now = Moment::now();
    dead_man::set(&place, 7, &now).unwrap();
    let warns = |days_ahead: u64| {
        dead_man::heard_of_time(&place, now.clock + days_ahead * 86_400, &now).unwrap();
        let warns = dead_man::check(&place, &now).unwrap().clock_set_back_s > 0;
        // The owner unlocks, and says with that that they have heard it.
        drop(unlock(&place, PASSPHRASE).unwrap());
        warns
    };
    assert!(warns(2));
    assert!(!warns(2), "the same server again");
    // Further behind it than before: that is not the server's clock any more.
    assert!(warns(5));
    assert!(warns(2));
    assert!(!warns(0));
}

#[test]
fn panic_twice_soon_after_each_other_wipes() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("home");
    drop(make(&place).unwrap());
    let now = Moment::now();
    let after = |seconds: u64| Moment {
        clock: now.clock + seconds,
        ..now
    };
    assert_eq!(panic::press(&place, &now), Ok(Press::Lock));
    assert_eq!(panic::press(&place, &after(11)), Ok(Press::Lock));
    assert_eq!(panic::press(&place, &after(20)), Ok(Press::Wipe));
}
