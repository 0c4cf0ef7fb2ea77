//! The kill code through the real programs: a device that is open, locked, or off is wiped by twelve words from anywhere.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use undertone_tests::{Failed, Outcome, Person, ServerProcess, binary, disk, eventually};

const PATIENCE: Duration = Duration::from_secs(60);
/// How long a device that is on-line may take, on any machine.
const AT_ONCE: Duration = Duration::from_secs(2);
/// And how long at most, when this machine does something else.
const NOT_MUCH_LATER: Duration = Duration::from_secs(6);
/// What a process returns whose home is gone.
const WIPED: i32 = 15;

/// Somebody with a kill code.
pub struct Owner {
    pub person: Person,
    words: PathBuf,
    server: String,
    pin: String,
}

impl Owner {
    pub fn join(name: &str, server: &ServerProcess) -> Outcome<Self> {
        let person = Person::join_hurried(name, &server.invitation(1)?)?;
        let words = person.home().with_file_name("kill.txt");
        let made = person.run([
            OsStr::new("kill-code"),
            OsStr::new("new"),
            OsStr::new("--kill-file"),
            words.as_os_str(),
        ])?;
        assert_eq!(made["armed"], true, "{made}");
        Ok(Self {
            person,
            words,
            server: server.address().to_string(),
            pin: server.pin().to_owned(),
        })
    }

    /// What somebody does who has nothing but the words: no home, no account.
    pub fn killed_from_elsewhere(&self, more: &[&str]) -> Outcome<(Option<i32>, Value)> {
        let elsewhere = tempfile::tempdir().map_err(|error| Failed::harness("a folder", error))?;
        let output = Command::new(binary("undertone")?)
            .env("HOME", elsewhere.path())
            .env_remove("XDG_DATA_HOME")
            .args([
                "--json",
                "kill",
                "--server",
                &self.server,
                "--pin",
                &self.pin,
            ])
            .arg("--words-file")
            .arg(&self.words)
            .arg("--yes")
            .args(more)
            .stdin(Stdio::null())
            .output()
            .map_err(|error| Failed::harness("undertone kill", error))?;
        let nothing = std::fs::read_dir(elsewhere.path()).is_ok_and(|mut all| all.next().is_none());
        assert!(nothing, "it leaves nothing on that machine");
        let said = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
        Ok((output.status.code(), said))
    }

    fn is_wiped(&self) -> bool {
        is_wiped(&self.person.home())
    }
}

fn is_wiped(home: &Path) -> bool {
    let left =
        |entry: std::fs::DirEntry| entry.file_name() != "sentinel" && entry.file_name() != "lock";
    home.join("sentinel").exists()
        && std::fs::read_dir(home).is_ok_and(|all| !all.flatten().any(left))
}

/// What a command of a home that is gone says.
fn says_wiped(person: &Person) -> Outcome {
    match person.run(["chats"]) {
        Err(failed) if failed.code == "home.wiped" => Ok(()),
        other => Err(Failed::harness("a wiped home", format!("{other:?}"))),
    }
}

pub fn answers(said: &Value) -> Vec<String> {
    let devices = said["devices"].as_array().cloned().unwrap_or_default();
    devices
        .iter()
        .map(|device| device["answer"]["is"].as_str().unwrap_or("none").to_owned())
        .collect()
}

/// Has three devices wiped: the one in the middle was wiped at once, and none much later. What else this machine does at one moment decides
/// nothing then, and neither does luck.
fn at_once(mut wipe: impl FnMut() -> Outcome<Duration>) -> Outcome {
    let mut all = [wipe()?, wipe()?, wipe()?];
    all.sort_unstable();
    println!("wiped within {all:?}");
    if all[1] < AT_ONCE && all[2] < NOT_MUCH_LATER {
        return Ok(());
    }
    Err(Failed::harness(
        "wiping at once",
        format!("it took {all:?}"),
    ))
}

#[test]
fn an_open_device_is_wiped_within_two_seconds_by_words_from_elsewhere() -> Outcome {
    const SECRET: &str = "something that nobody else should read";
    let server = ServerProcess::start()?;
    at_once(|| {
        let ada = Owner::join("Ada", &server)?;
        let ben = Person::join_hurried("Ben", &server.invitation(1)?)?;
        ada.person.meet(&ben)?;
        ben.send("Ada", SECRET)?;
        ada.person.reads_eventually("Ben", &[SECRET], PATIENCE)?;
        // Telling people first takes a moment, and no more.
        ada.person.run(["protection", "--remove-wiped", "on"])?;
        let mut watching = ada.person.watch()?;
        eventually(PATIENCE, "the kill code reaches the open device", || {
            let status = ada.person.run(["kill-code"])?;
            Ok((status["armed"] == true).then_some(()))
        })?;
        let (_, listed) = ada.killed_from_elsewhere(&["--list"])?;
        assert_eq!(
            listed["devices"].as_array().map(Vec::len),
            Some(1),
            "{listed}"
        );
        assert!(!ada.is_wiped(), "listing wipes nothing");

        // From the start of the command on the other machine to the device's answer there.
        let began = Instant::now();
        let (code, said) = ada.killed_from_elsewhere(&[])?;
        let took = began.elapsed();
        assert_eq!((code, answers(&said)), (Some(0), wiped()), "{said}");
        assert!(ada.is_wiped());
        assert_eq!(watching.ends_with(PATIENCE)?, Some(WIPED));
        says_wiped(&ada.person)?;
        let needles = disk::Needle::text("message", SECRET);
        let found = disk::scan_for(&ada.person.home(), &needles)
            .map_err(|error| Failed::harness("searching the home", error))?;
        assert!(found.is_empty());
        // The server has no mailbox of it any more, and a second command finds no device.
        let (code, _) = ada.killed_from_elsewhere(&[])?;
        assert_eq!(code, Some(5));
        Ok(took)
    })
}

fn wiped() -> Vec<String> {
    vec!["wiped".to_owned()]
}

/// The app in the browser, locked.
struct Locked(Child);

impl Locked {
    fn start(person: &Person) -> Outcome<Self> {
        let runtime = person.home().with_file_name("run");
        std::fs::create_dir_all(&runtime).map_err(|error| Failed::harness("a folder", error))?;
        let child = Command::new(binary("undertone")?)
            .arg("--home")
            .arg(person.home())
            .args(["--json", "app", "--no-browser"])
            .env("UNDERTONE_TEST_CHEAP_KDF", "1")
            .env("UNDERTONE_TEST_PACE", "fast")
            .env("XDG_RUNTIME_DIR", &runtime)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| Failed::harness("undertone app", error))?;
        Ok(Self(child))
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        // A child that has ended already can't be killed, and that is as well.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_locked_device_is_wiped_within_two_seconds() -> Outcome {
    at_once(|| {
        let server = ServerProcess::start()?;
        let ada = Owner::join("Ada", &server)?;
        let mut app = Locked::start(&ada.person)?;
        eventually(PATIENCE, "the locked app is on-line", || {
            if app.0.try_wait().is_ok_and(|ended| ended.is_some()) {
                return Err(Failed::harness("undertone app", "it ended by itself"));
            }
            Ok((server.status()?["inboxes"] == 1).then_some(()))
        })?;
        let began = Instant::now();
        let (code, said) = ada.killed_from_elsewhere(&[])?;
        let took = began.elapsed();
        assert_eq!((code, answers(&said)), (Some(0), wiped()), "{said}");
        assert!(ada.is_wiped());
        let ended = eventually(PATIENCE, "the locked app ends", || {
            app.0
                .try_wait()
                .map_err(|error| Failed::harness("undertone app", error))
        })?;
        assert_eq!(ended.code(), Some(WIPED));
        Ok(took)
    })
}

#[test]
fn a_device_that_was_off_is_wiped_before_it_shows_anything() -> Outcome {
    let server = ServerProcess::start()?;
    let ada = Owner::join("Ada", &server)?;
    let ben = Person::join_hurried("Ben", &server.invitation(1)?)?;
    ada.person.meet(&ben)?;
    ben.send("Ada", "too late for anybody")?;
    let (code, said) = ada.killed_from_elsewhere(&["--wait", "1s"])?;
    assert_eq!(
        (code, answers(&said)),
        (Some(7), vec!["waiting".to_owned()]),
        "{said}"
    );
    assert!(!ada.is_wiped());
    match ada.person.run(["read", "Ben"]) {
        Err(failed) if failed.code == "home.wiped" => {}
        other => return Err(Failed::harness("reading", format!("{other:?}"))),
    }
    assert!(ada.is_wiped());
    let shown = std::fs::read_to_string(ada.person.log_path()).unwrap_or_default();
    assert!(!shown.contains("too late"), "{shown}");
    Ok(())
}

/// Nothing of Undertone runs but what the timer of systemd starts.
#[test]
fn a_device_whose_app_is_closed_is_wiped_when_it_is_looked_after() -> Outcome {
    let server = ServerProcess::start()?;
    let ada = Owner::join("Ada", &server)?;
    ada.person.run(["guard"])?;
    let (code, said) = ada.killed_from_elsewhere(&["--wait", "1s"])?;
    assert_eq!(
        (code, answers(&said)),
        (Some(7), vec!["waiting".to_owned()])
    );
    ada.person.run(["--offline", "guard"])?;
    assert!(!ada.is_wiped());
    match ada.person.run(["guard"]) {
        Err(failed) if failed.exit == Some(WIPED) => {}
        other => panic!("{other:?}"),
    }
    assert!(ada.is_wiped());
    says_wiped(&ada.person)
}

#[test]
fn pulling_the_plug_between_the_command_and_the_wipe_ends_wiped() -> Outcome {
    let server = ServerProcess::start()?;
    let rounds = if undertone_tests::is_soak() { 40 } else { 5 };
    for round in 0..rounds {
        let ada = Owner::join("Ada", &server)?;
        let mut watching = ada.person.watch()?;
        eventually(PATIENCE, "the device is on-line", || {
            let status = ada.person.run(["status"])?;
            Ok((status["status"]["inbox"] == "online").then_some(()))
        })?;
        let sending = std::thread::spawn({
            let (words, server, pin) = (ada.words.clone(), ada.server.clone(), ada.pin.clone());
            move || {
                let program = binary("undertone").ok()?;
                Command::new(program)
                    .args([
                        "--json", "kill", "--server", &server, "--pin", &pin, "--yes",
                    ])
                    .args(["--wait", "2s", "--words-file"])
                    .arg(&words)
                    .output()
                    .ok()
            }
        });
        // Somewhere between before the command came and after everything was done.
        let home = ada.person.home();
        let changed = |moment: Instant| moment.elapsed() > PATIENCE || !home.join("keys").exists();
        let began = Instant::now();
        if round % 2 == 0 {
            while !changed(began) {
                std::thread::yield_now();
            }
        } else {
            std::thread::sleep(Duration::from_millis(100 + 150 * round));
        }
        watching.kill9();
        let _ = sending.join();
        // Whatever was on the disk at that moment: the next start ends it, or takes the command first.
        says_wiped(&ada.person)?;
        assert!(ada.is_wiped(), "round {round}");
    }
    Ok(())
}

#[test]
fn nothing_is_wiped_without_the_word_and_no_words_stand_in_arguments() -> Outcome {
    let server = ServerProcess::start()?;
    let ada = Owner::join("Ada", &server)?;
    let words = std::fs::read_to_string(&ada.words).unwrap_or_default();
    let run = |arguments: &[&str], input: &str| -> Outcome<(Option<i32>, String)> {
        let failed = |error: std::io::Error| Failed::harness("undertone kill", error);
        let mut child = Command::new(binary("undertone")?)
            .args(["--json", "kill", "--server", &ada.server, "--pin", &ada.pin])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        if let Some(mut stdin) = child.stdin.take() {
            // A command that reads no input may have closed it.
            let _ = std::io::Write::write_all(&mut stdin, input.as_bytes());
        }
        let output = child.wait_with_output().map_err(failed)?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        Ok((output.status.code(), said))
    };
    let (code, said) = run(&["--words-fd", "0"], &format!("{words}no\n"))?;
    assert!(
        code == Some(2) && said.contains("usage.not_confirmed"),
        "{said}"
    );
    let (code, _) = run(&["--words-fd", "0"], &words)?;
    assert_eq!(code, Some(2));
    let (code, said) = run(
        &["--words-fd", "0", "--yes"],
        "legal winner thank year wave sausage worth useful legal winner thank year\n",
    )?;
    assert!(code == Some(2) && said.contains("kill.words"), "{said}");
    // Right words of nobody here.
    let (code, said) = run(
        &["--words-fd", "0", "--yes"],
        "legal winner thank year wave sausage worth useful legal winner thank yellow\n",
    )?;
    assert!(code == Some(5) && said.contains("kill.no_device"), "{said}");
    let (code, _) = run(&["--yes", "legal winner thank"], "")?;
    assert_eq!(code, Some(2));
    assert!(!ada.is_wiped());
    ada.person.run(["chats"])?;
    // The word does it.
    let (code, _) = run(
        &["--words-fd", "0", "--wait", "1s"],
        &format!("{words}wipe\n"),
    )?;
    assert_eq!(code, Some(7), "the device is off");
    says_wiped(&ada.person)
}

#[test]
fn a_device_that_the_server_does_not_show_is_missed_and_the_others_are_wiped() -> Outcome {
    let server = ServerProcess::start()?;
    let ada = Owner::join("Ada", &server)?;
    let status = ada.person.run(["kill-code"])?;
    assert_eq!(status["devices"].as_array().map(Vec::len), Some(0));
    // Two devices stand on the paper, and the server hands out the record of one.
    let (code, said) = ada.killed_from_elsewhere(&["--list", "--devices", "2"])?;
    assert_eq!((code, &said["found"]), (Some(7), &Value::from(1)), "{said}");
    let (code, said) = ada.killed_from_elsewhere(&["--list", "--devices", "1"])?;
    assert_eq!((code, &said["found"]), (Some(0), &Value::from(1)), "{said}");
    let watching = ada.person.watch()?;
    let begun = Instant::now();
    let (code, said) = ada.killed_from_elsewhere(&["--devices", "2", "--wait", "6s"])?;
    assert_eq!(code, Some(7), "{said}");
    assert_eq!(answers(&said), ["wiped"]);
    assert!(
        begun.elapsed() > Duration::from_secs(5),
        "it was not looked for again"
    );
    assert!(ada.is_wiped());
    drop(watching);
    Ok(())
}

#[test]
fn a_new_code_ends_the_old_one_and_init_makes_one_too() -> Outcome {
    let server = ServerProcess::start()?;
    let mut ada = Owner::join("Ada", &server)?;
    let second = ada.person.home().with_file_name("kill-2.txt");
    let new = |yes: &[&str]| {
        let mut arguments = vec![
            OsStr::new("kill-code"),
            OsStr::new("new"),
            OsStr::new("--kill-file"),
            second.as_os_str(),
        ];
        arguments.extend(yes.iter().map(OsStr::new));
        ada.person.run(arguments)
    };
    assert!(new(&[]).is_err_and(|failed| failed.code == "usage.invalid"));
    assert!(
        !second.exists(),
        "nothing is left of what was not confirmed"
    );
    let made = new(&["--yes"])?;
    assert_eq!(
        (&made["generation"], &made["armed"]),
        (&Value::from(2), &Value::from(true))
    );
    let (code, _) = ada.killed_from_elsewhere(&[])?;
    assert_eq!(code, Some(5), "the old words reach nobody");
    ada.words = second;
    let (code, _) = ada.killed_from_elsewhere(&["--wait", "1s"])?;
    assert_eq!(code, Some(7));
    says_wiped(&ada.person)?;

    let folder = tempfile::tempdir().map_err(|error| Failed::harness("a folder", error))?;
    let ben = Person::at("Ben", folder.path())?
        .with_cheap_passphrase()
        .hurried();
    let (recovery, kill) = (ben.recovery_file(), folder.path().join("kill.txt"));
    let arguments = ["init", "--server", "-", "--name", "Ben", "--recovery-file"].map(OsStr::new);
    let files = [
        recovery.as_os_str(),
        OsStr::new("--kill-file"),
        kill.as_os_str(),
    ];
    let made = ben.run_with_input(arguments.into_iter().chain(files), &server.invitation(1)?)?;
    assert_eq!(made["kill_code"], true);
    assert_eq!(ben.run(["kill-code"])?["armed"], true);
    let words = std::fs::read_to_string(&kill).unwrap_or_default();
    assert_eq!(words.split_whitespace().count(), 12);
    assert_ne!(
        words,
        std::fs::read_to_string(&recovery).unwrap_or_default()
    );
    Ok(())
}

#[test]
fn a_custodian_sees_nothing_and_wipes_what_was_accepted() -> Outcome {
    let server = ServerProcess::start()?;
    let ada = Person::join_hurried("Ada", &server.invitation(1)?)?;
    let folder = tempfile::tempdir().map_err(|error| Failed::harness("a folder", error))?;
    let office = Person::at("Office", folder.path())?;
    let words = folder.path().join("words.txt");
    let made = office.run([
        OsStr::new("custodian"),
        OsStr::new("new"),
        OsStr::new("--name"),
        OsStr::new("Acme IT"),
        OsStr::new("--words-file"),
        words.as_os_str(),
    ])?;
    let key = made["key"].as_str().unwrap_or_default();
    let no = ada.run_with_input(["custodian", "accept", key], "yes\n");
    assert!(no.is_err_and(|failed| failed.code == "usage.not_confirmed"));
    assert_eq!(ada.run(["custodian"])?.as_array().map(Vec::len), Some(0));
    let accepted = ada.run_with_input(["custodian", "accept", key], "accept\n")?;
    let ticket = accepted["ticket"].as_str().unwrap_or_default();
    let seen = ada.run(["custodian"])?;
    assert_eq!(
        (&seen[0]["name"], &seen[0]["armed"]),
        (&Value::from("Acme IT"), &Value::from(true)),
        "{seen}"
    );

    let mut watching = ada.watch()?;
    eventually(PATIENCE, "Ada is on-line", || {
        let status = ada.run(["status"])?;
        Ok((status["status"]["inbox"] == "online").then_some(()))
    })?;
    let wipe = [
        OsStr::new("custodian"),
        OsStr::new("wipe"),
        OsStr::new("-"),
        OsStr::new("--words-file"),
        words.as_os_str(),
        OsStr::new("--yes"),
    ];
    let said = office.run_with_input(wipe, ticket)?;
    assert_eq!(answers(&said), ["wiped"], "{said}");
    assert_eq!(watching.ends_with(PATIENCE)?, Some(WIPED));
    assert!(is_wiped(&ada.home()));
    Ok(())
}

#[test]
fn a_device_is_wiped_by_its_name_and_with_everything_its_mailbox_goes_too() -> Outcome {
    let server = ServerProcess::start()?;
    let ada = Owner::join("Ada", &server)?;
    let folder = tempfile::tempdir().map_err(|error| Failed::harness("a folder", error))?;
    let laptop = Person::at("Ada's laptop", folder.path())?
        .with_cheap_passphrase()
        .hurried();
    undertone_tests::linking::link(&ada.person, &laptop, &ada.server)?;
    eventually(PATIENCE, "the code reaches both", || {
        let (_, listed) = ada.killed_from_elsewhere(&["--list"])?;
        Ok((listed["devices"].as_array().map(Vec::len) == Some(2)).then_some(()))
    })?;
    // Which device is meant has to be said, and it has to be one of them.
    let (code, _) = ada.killed_from_elsewhere(&["--scope", "device"])?;
    assert_eq!(code, Some(2));
    let missing = ["--scope", "device", "--device", "Phone"];
    assert_eq!(ada.killed_from_elsewhere(&missing)?.0, Some(5));

    let queues = || -> Outcome<i64> { Ok(server.status()?["queues"].as_i64().unwrap_or(-1)) };
    let is_online = |person: &Person| -> Outcome {
        eventually(PATIENCE, "the device is on-line", || {
            let status = person.run(["status"])?;
            Ok((status["status"]["inbox"] == "online").then_some(()))
        })
    };
    let mut watching = laptop.watch()?;
    is_online(&laptop)?;
    let (code, said) = ada.killed_from_elsewhere(&["--scope", "device", "--device", "Laptop"])?;
    assert_eq!((code, answers(&said)), (Some(0), wiped()), "{said}");
    assert_eq!(watching.ends_with(PATIENCE)?, Some(WIPED));
    assert!(is_wiped(&laptop.home()) && !ada.is_wiped());

    let mut watching = ada.person.watch()?;
    is_online(&ada.person)?;
    // Two go: the mailbox, and the kill queue.
    let before = queues()?;
    let (code, said) = ada.killed_from_elsewhere(&["--scope", "everything"])?;
    assert_eq!((code, answers(&said)), (Some(0), wiped()), "{said}");
    assert_eq!(watching.ends_with(PATIENCE)?, Some(WIPED));
    assert!(ada.is_wiped());
    eventually(PATIENCE, "the mailbox goes too", || {
        Ok((queues()? == before - 2).then_some(()))
    })
}

#[test]
fn a_device_wipes_another_one_of_its_owner() -> Outcome {
    let server = ServerProcess::start()?;
    let ada = Owner::join("Ada", &server)?;
    let folder = tempfile::tempdir().map_err(|error| Failed::harness("a folder", error))?;
    let laptop = Person::at("Ada's laptop", folder.path())?
        .with_cheap_passphrase()
        .hurried();
    undertone_tests::linking::link(&ada.person, &laptop, &ada.server)?;
    eventually(PATIENCE, "the code reaches both", || {
        let (here, there) = (ada.person.run(["kill-code"])?, laptop.run(["kill-code"])?);
        let both = [&here, &there].iter().all(|status| {
            status["armed"] == true
                && status["devices"]
                    .as_array()
                    .is_some_and(|all| all.len() == 1)
        });
        Ok(both.then_some(()))
    })?;
    let mut watching = laptop.watch()?;
    eventually(PATIENCE, "the laptop is on-line", || {
        let status = laptop.run(["status"])?;
        Ok((status["status"]["inbox"] == "online").then_some(()))
    })?;
    let said = ada.person.run(["devices", "kill", "Laptop", "--yes"])?;
    assert_eq!(said["answer"]["is"], "wiped", "{said}");
    assert_eq!(watching.ends_with(PATIENCE)?, Some(WIPED));
    assert!(is_wiped(&laptop.home()) && !ada.is_wiped());
    Ok(())
}

#[test]
fn a_device_that_was_wiped_in_another_way_has_no_place_of_the_code_any_more() -> Outcome {
    let server = ServerProcess::start()?;
    for way in ["panic", "panic while open", "by hand", "wrong passphrases"] {
        let ada = Owner::join("Ada", &server)?;
        assert_eq!(ada.killed_from_elsewhere(&["--list"])?.0, Some(0), "{way}");
        match way {
            "panic" => drop(ada.person.run(["panic", "--wipe"])?),
            "panic while open" => {
                let mut session = ada.person.rpc()?;
                session.call("status.get", &serde_json::json!({}))?;
                ada.person.run(["panic", "--wipe"])?;
            }
            "by hand" => drop(ada.person.run_with_input(["wipe"], "wipe\n")?),
            _ => {
                ada.person.run(["protection", "--wrong-attempts", "3"])?;
                crate::coercion::types(&ada.person, "not this one");
                while !ada.is_wiped() {
                    assert!(ada.person.run(["chats"]).is_err());
                }
            }
        }
        assert!(ada.is_wiped(), "{way}");
        let (code, said) = ada.killed_from_elsewhere(&["--list"])?;
        assert_eq!(code, Some(5), "{way}: {said}");
    }
    Ok(())
}
