#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use zeroize::Zeroizing;

use super::key_table::{FILE_LEN, KeyTable};
use super::socket::{self, Claim, Listener};
use super::{Creation, Home, HomeError, HomeResult, Owner, Passphrase, use_cheap_kdf_for_tests};
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

#[test]
fn a_home_opens_under_its_passphrase_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("deep/down/home");
    let home = make(&place).unwrap();
    assert_eq!(secret_of(&home), SECRET_TEXT);
    drop(home);
    assert_eq!(
        names(&place),
        ["attachments", "keys", "lock", "store-a", "store-b"]
    );
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
    assert_eq!(
        names(&place),
        ["attachments", "keys", "lock", "store-a", "store-b"]
    );
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

/// Runs one of the `child_*` functions below in a process of its own.
fn child(name: &str, place: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", &format!("home::tests::{name}"), "--nocapture"])
        .env("UNDERTONE_TEST_HOME", place)
        .env("UNDERTONE_TEST_CHEAP_KDF", "1")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn told_place() -> Option<PathBuf> {
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
        let mut maker = child("child_that_makes_homes", &place).spawn().unwrap();
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
    let owner = child("child_that_owns_a_home_until_it_is_killed", place)
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
    let mut command = child("child_that_unlocks", &place);
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
    super::harden::process().unwrap();
    let limit = rustix::process::getrlimit(rustix::process::Resource::Core);
    let dumpable = rustix::process::dumpable_behavior().unwrap();
    println!("core {:?} {:?}", limit.current, dumpable);
}

#[test]
fn a_hardened_process_leaves_no_core() {
    let output = child("child_that_hardens_itself", Path::new("/"))
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("core Some(0) NotDumpable"), "{text}");
}
