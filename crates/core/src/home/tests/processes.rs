//! Several processes, kills, and users: what one process cannot show. A `child_*` test does nothing unless
//! another test runs it in a process of its own.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::{PASSPHRASE, SECRET_TEXT, every_byte, make, names, passphrase, secret_of, unlock};
use crate::home::socket::{self, Claim, Listener};
use crate::home::{HomeError, Owner, harden, use_cheap_kdf_for_tests};

/// Runs one of the `child_*` functions below in a process of its own.
pub(super) fn child(name: &str, place: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", &format!("home::tests::{name}"), "--nocapture"])
        .env("UNDERTONE_TEST_HOME", place)
        .env("UNDERTONE_TEST_CHEAP_KDF", "1")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

pub(super) fn told_place() -> Option<PathBuf> {
    std::env::var_os("UNDERTONE_TEST_HOME").map(PathBuf::from)
}

fn wait_for(what: impl Fn() -> bool) {
    for _ in 0..2000 {
        if what() {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("waited in vain");
}

#[test]
fn child_that_makes_homes() {
    let Some(place) = told_place() else { return };
    for number in 0.. {
        drop(make(&place.join(format!("home-{number}"))).unwrap());
    }
}

#[test]
fn killed_while_making_a_home_there_is_none_or_a_whole_one() {
    let folder = tempfile::tempdir().unwrap();
    use_cheap_kdf_for_tests();
    for round in 0_u64..12 {
        let place = folder.path().join(format!("round-{round}"));
        let mut maker = child("processes::child_that_makes_homes", &place)
            .spawn()
            .unwrap();
        wait_for(|| place.exists());
        // Another moment of the making each time.
        std::thread::sleep(Duration::from_micros(200 + 1700 * round));
        maker.kill().unwrap();
        maker.wait().unwrap();

        for name in names(&place) {
            if name.starts_with("home-") {
                let home = unlock(&place.join(&name), PASSPHRASE).unwrap();
                assert_eq!(secret_of(&home), SECRET_TEXT);
            } else {
                assert!(
                    name.starts_with(".home-") && name.contains(".creating-"),
                    "{name}"
                );
                // The next attempt at the same place works, and removes what the first one left.
                let wanted = name[1..].split_once('.').unwrap().0.to_owned();
                drop(make(&place.join(wanted)).unwrap());
                assert!(!place.join(&name).exists());
            }
        }
    }
}

#[test]
fn child_that_owns_a_home_until_it_is_killed() {
    let Some(place) = told_place() else { return };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let owner = Owner::acquire(&place).unwrap();
        let listener = Listener::bind(&owner).unwrap();
        loop {
            let stream = listener.accept().await.unwrap();
            stream.writable().await.unwrap();
            // Who only looked whether there is an owner is gone already.
            let _ = stream.try_write(b"hello");
        }
    });
}

fn start_owner(place: &Path) -> Child {
    let owner = child(
        "processes::child_that_owns_a_home_until_it_is_killed",
        place,
    )
    .spawn()
    .unwrap();
    wait_for(|| socket::connect(place).is_ok());
    owner
}

#[test]
fn one_process_owns_the_home_and_the_others_reach_it_by_its_socket() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("home");
    drop(make(&place).unwrap());
    assert_eq!(socket::connect(&place).err(), Some(HomeError::NotServed));

    let mut owner = start_owner(&place);
    let refused = unlock(&place, PASSPHRASE).err().unwrap();
    assert_eq!(refused, HomeError::Owned);
    assert_eq!(refused.to_string(), "Another process is using this home.");
    let mode = fs::metadata(place.join("rpc.sock")).unwrap().mode();
    assert_eq!(mode & 0o777, 0o600);
    let Claim::Served(stream) = socket::claim(&place, Duration::ZERO).unwrap() else {
        panic!("the home has an owner");
    };
    let mut greeting = [0; 5];
    std::io::Read::read_exact(&mut &stream, &mut greeting).unwrap();
    assert_eq!(&greeting, b"hello");

    // The owner is killed and leaves its socket behind; the next one takes home and socket.
    owner.kill().unwrap();
    owner.wait().unwrap();
    assert!(place.join("rpc.sock").exists());
    assert_eq!(socket::connect(&place).err(), Some(HomeError::NotServed));
    assert!(matches!(
        socket::claim(&place, Duration::from_secs(5)).unwrap(),
        Claim::Owner(_)
    ));
    let mut owner = start_owner(&place);
    owner.kill().unwrap();
    owner.wait().unwrap();
}

#[test]
fn an_owner_that_does_not_serve_is_named_after_some_patience() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("home");
    let home = make(&place).unwrap();
    let claimed = socket::claim(&place, Duration::from_millis(50));
    assert_eq!(claimed.err(), Some(HomeError::Owned));
    drop(home);
}

#[tokio::test]
async fn a_home_with_a_very_long_path_can_be_served_too() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("long/".repeat(30)).join("home");
    let home = make(&place).unwrap();
    let listener = Listener::bind(home.owner()).unwrap();
    let caller = socket::connect(&place).unwrap();
    listener.accept().await.unwrap();
    drop((caller, listener));
    assert!(!place.join("rpc.sock").exists());
}

#[test]
fn child_that_unlocks() {
    let Some(place) = told_place() else { return };
    let outcome = unlock(&place, PASSPHRASE)
        .and_then(|home| home.change_passphrase(&passphrase(PASSPHRASE), &passphrase("new")));
    println!("outcome {outcome:?}");
}

#[test]
fn a_home_that_cannot_be_written_says_so_and_is_not_harmed() {
    // Root may write anywhere, so as root this is tried as `nobody`, with a copy of this program where
    // that user can run it.
    const NOBODY: u32 = 65534;
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("home");
    drop(make(&place).unwrap());
    let root = rustix::process::geteuid().is_root();
    let before = every_byte(&place);
    let mut command = child("processes::child_that_unlocks", &place);
    if root {
        let program = folder.path().join("program");
        fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let mut copied = Command::new(&program);
        copied.args(command.get_args());
        for (name, value) in command.get_envs() {
            copied.env(name, value.unwrap());
        }
        use std::os::unix::process::CommandExt;
        copied
            .uid(NOBODY)
            .gid(NOBODY)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command = copied;
    }
    let everything: Vec<PathBuf> = before.iter().map(|(path, _)| path.clone()).collect();
    let set_mode = |file_mode, folder_mode| {
        for path in &everything {
            fs::set_permissions(path, fs::Permissions::from_mode(file_mode)).unwrap();
        }
        fs::set_permissions(&place, fs::Permissions::from_mode(folder_mode)).unwrap();
    };
    if root {
        for path in everything
            .iter()
            .chain([&place, &place.join("attachments")])
        {
            std::os::unix::fs::chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
        }
    }
    set_mode(0o400, 0o500);
    let output = command.output().unwrap();
    set_mode(0o600, 0o700);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("outcome Err(home.read_only)"), "{text}");
    assert!(before == every_byte(&place));
}

#[test]
fn a_home_of_another_user_is_refused() {
    if !rustix::process::geteuid().is_root() {
        // "/" belongs to root.
        assert_eq!(
            Owner::acquire(Path::new("/")).err(),
            Some(HomeError::ForeignOwner)
        );
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("home");
    drop(make(&place).unwrap());
    std::os::unix::fs::chown(&place, Some(65534), None).unwrap();
    assert_eq!(Owner::acquire(&place).err(), Some(HomeError::ForeignOwner));
}

#[test]
fn loose_permissions_are_tightened() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("home");
    drop(make(&place).unwrap());
    fs::set_permissions(&place, fs::Permissions::from_mode(0o755)).unwrap();
    drop(unlock(&place, PASSPHRASE).unwrap());
    assert_eq!(fs::metadata(&place).unwrap().mode() & 0o777, 0o700);
}

#[test]
fn child_that_hardens_itself() {
    if told_place().is_none() {
        return;
    }
    harden::process().unwrap();
    let limit = rustix::process::getrlimit(rustix::process::Resource::Core);
    let dumpable = rustix::process::dumpable_behavior().unwrap();
    println!("core {:?} {:?}", limit.current, dumpable);
}

#[test]
fn a_hardened_process_leaves_no_core() {
    let output = child("processes::child_that_hardens_itself", Path::new("/"))
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("core Some(0) NotDumpable"), "{text}");
}
