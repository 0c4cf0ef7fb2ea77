//! A device that is lost, seized, or whose owner is coerced.

use std::{fs, path::Path, process::Stdio, time::Duration};

use serde_json::{Value, json};
use undertone_core::home::{Owner, Passphrase, use_cheap_kdf_for_tests};
use undertone_tests::disk::{Needle, copy_folder, scan_for};
use undertone_tests::{Failed, Outcome, Person, ServerProcess, eventually};

use crate::web_page::{Host, desktop, sleep_delay};

/// How long anything here may take on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);
pub const WORDS: &str = "The meeting is behind the cold store at seven";

/// What a command that must fail says: its exit code and its stable code.
pub fn refusal(answer: Outcome<Value>) -> (Option<i32>, String) {
    match answer {
        Ok(answer) => panic!("it was done: {answer}"),
        Err(Failed { exit, code, .. }) => (exit, code),
    }
}

pub fn wiped() -> (Option<i32>, String) {
    (Some(15), "home.wiped".to_owned())
}

pub fn passphrase_of(person: &Person) -> String {
    let text = fs::read_to_string(person.passphrase_file()).expect("a passphrase");
    text.trim_end().to_owned()
}

pub fn types(person: &Person, passphrase: &str) {
    fs::write(person.passphrase_file(), passphrase).expect("written");
}

/// A file for a further passphrase.
pub fn secret_file(person: &Person, name: &str, passphrase: &str) -> String {
    use std::os::unix::fs::PermissionsExt;
    let path = person.home().parent().expect("a folder").join(name);
    fs::write(&path, passphrase).expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("private");
    path.display().to_string()
}

/// Where a command may write words.
pub fn beside(person: &Person, name: &str) -> String {
    person.home().with_file_name(name).display().to_string()
}

/// Two people who have met, and Ada has something to hide.
pub fn ada_and_ben(server: &ServerProcess) -> Outcome<(Person, Person)> {
    let invitation = server.invitation(4)?;
    let ada = Person::join_hurried("Ada Lovelace-Byron", &invitation)?;
    let ben = Person::join_hurried("Benjamin Whistleblower", &invitation)?;
    ada.meet(&ben)?;
    ada.send("Benjamin", WORDS)?;
    Ok((ada, ben))
}

/// The key of Ada's store, from a copy of her home.
pub fn data_key(person: &Person) -> Vec<u8> {
    use_cheap_kdf_for_tests();
    let folder = tempfile::tempdir().expect("a folder");
    let copy = folder.path().join("home");
    copy_folder(&person.home(), &copy).expect("copied");
    let passphrase = Passphrase::new(passphrase_of(person).into()).expect("a passphrase");
    let owner = Owner::acquire(&copy).expect("nobody has the copy");
    let home = owner.unlock(&passphrase).map_err(|(_, error)| error);
    home.expect("opens").data_key_for_tests().to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_nobody_uses_locks_itself() -> Outcome {
    let server = ServerProcess::start()?;
    let ada = tokio::task::block_in_place(|| Person::join("Ada", &server.invitation(1)?))?;
    let passphrase_file = ada.passphrase_file().display().to_string();
    let host = Host::start(
        &ada.home(),
        &["--no-browser", "--passphrase-file", &passphrase_file],
    )?;
    let (_, mut page) = host.page(json!({"code": host.code})).await?;
    let change = json!({"change": {"auto_lock_s": 1}});
    let now = page.call("protection.set", change).await;
    assert_eq!(now["result"]["auto_lock_s"], 1, "{now}");
    let socket = ada.home().join("rpc.sock");
    // What a page asks when others write to it, or has shown by itself, is nobody's doing.
    let begun = std::time::Instant::now();
    while socket.exists() {
        assert!(begun.elapsed() < Duration::from_secs(60), "no lock");
        for (method, params) in [
            ("messages.search", json!({"text": "desk"})),
            ("chats.list", json!({})),
            ("profile.get", json!({})),
        ] {
            page.call(method, params).await;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_app_locks_with_the_screen_and_when_the_computer_goes_to_sleep() -> Outcome {
    let server = ServerProcess::start()?;
    let ada = tokio::task::block_in_place(|| Person::join("Ada", &server.invitation(1)?))?;
    let passphrase_file = ada.passphrase_file().display().to_string();
    let options = ["--no-browser", "--passphrase-file", &passphrase_file];
    for (off, on, line) in [
        (
            "lock_on_suspend",
            "lock_with_screen",
            "/org/freedesktop/login1/session/_32: org.freedesktop.login1.Session.Lock ()",
        ),
        (
            "lock_with_screen",
            "lock_on_suspend",
            "/org/freedesktop/login1: org.freedesktop.login1.Manager.PrepareForSleep (true,)",
        ),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let said = desktop(folder.path());
        let delay = sleep_delay(folder.path());
        let path = folder.path().display().to_string();
        let environment = [("PATH", path.as_str()), ("XDG_SESSION_ID", "2")];
        let host = Host::start_in(&ada.home(), &options, &environment)?;
        let (_, mut page) = host.page(json!({"code": host.code})).await?;
        while page.call("host.state", json!({})).await["result"]["desktop"] != true {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let change = json!({"change": {off: false, on: true}});
        let now = page.call("protection.set", change).await;
        assert_eq!(now["result"][off], false, "{now}");
        // Sleep waits for the lock where there is to be one, and for nothing else.
        let held = || fs::read_to_string(&delay).unwrap_or_default();
        if on == "lock_on_suspend" {
            eventually(Duration::from_secs(60), "sleep to be held up", || {
                Ok((held() == "held --what=sleep --mode=delay\n").then_some(()))
            })?;
        }
        fs::write(&said, format!("{line}\n")).expect("said");
        let socket = ada.home().join("rpc.sock");
        eventually(Duration::from_secs(60), "the lock", || {
            Ok((!socket.exists()).then_some(()))
        })?;
        if !held().is_empty() {
            eventually(Duration::from_secs(60), "sleep to go on", || {
                Ok(held().ends_with("over\n").then_some(()))
            })?;
        }
    }
    Ok(())
}

/// What stays open without the browser: a watch, and programs that speak to it.
#[test]
fn what_stays_open_without_the_app_locks_by_itself_too() -> Outcome {
    let server = ServerProcess::start()?;
    let ada = Person::join("Ada", &server.invitation(1)?)?;
    let folder = tempfile::tempdir().expect("a folder");
    let said = desktop(folder.path());
    sleep_delay(folder.path());
    let stays = |command: &str, idle: &str| -> Outcome<Option<i32>> {
        ada.run(["protection", "--auto-lock", idle])?;
        let mut staying = ada
            .command()
            .arg(command)
            .env("PATH", folder.path())
            .env("XDG_SESSION_ID", "2")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("starts");
        let ended = eventually(PATIENCE, "the lock", || {
            staying
                .try_wait()
                .map_err(|error| Failed::harness("waiting for it to lock", error))
        });
        if ended.is_err() {
            let _ = staying.kill();
        }
        Ok(ended?.code())
    };
    assert_eq!(stays("watch", "30s")?, Some(16));
    fs::write(
        &said,
        "/org/freedesktop/login1/session/_32: org.freedesktop.login1.Session.Lock ()\n",
    )
    .expect("said");
    for command in ["watch", "rpc"] {
        assert_eq!(stays(command, "off")?, Some(16), "{command}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_panic_button_of_the_page_locks_and_held_it_wipes_also_while_locked() -> Outcome {
    let server = ServerProcess::start()?;
    let ada = tokio::task::block_in_place(|| Person::join("Ada", &server.invitation(1)?))?;
    let passphrase_file = ada.passphrase_file().display().to_string();
    let mut host = Host::start(
        &ada.home(),
        &["--no-browser", "--passphrase-file", &passphrase_file],
    )?;
    let code = host.code.clone();
    let (welcome, mut page) = host.page(json!({"code": code})).await?;
    page.call("host.panic", json!({})).await;
    let session = json!({"session": welcome["session"]});
    loop {
        if let Ok((answer, mut page)) = host.page(session.clone()).await
            && answer["admitted"] == true
        {
            let state = page.call("host.state", json!({})).await;
            assert_eq!(state["result"]["state"], "locked");
            page.call("host.panic", json!({"wipe": true})).await;
            break;
        }
    }
    let code = eventually(Duration::from_secs(60), "the end of the host", || {
        let ended = host.child.try_wait();
        ended.map_err(|error| Failed::harness("waiting for the host", error))
    })?;
    assert_eq!(code.code(), Some(15));
    tokio::task::block_in_place(|| assert_eq!(refusal(ada.run(["chats"])), wiped()));
    Ok(())
}

#[test]
fn panic_locks_what_runs_and_twice_it_wipes_the_device() -> Outcome {
    let server = ServerProcess::start()?;
    let (ada, ben) = ada_and_ben(&server)?;
    let mut watching = ada
        .command()
        .arg("watch")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("starts");
    let socket = ada.home().join("rpc.sock");
    let came = eventually(Duration::from_secs(60), "the home's socket", || {
        Ok(socket.exists().then_some(()))
    });
    let first = came.and_then(|()| ada.run(["panic"]));
    if first.is_err() {
        let _ = watching.kill();
    }
    let code = watching.wait().expect("ended").code();
    assert_eq!(first?["was_open"], true);
    assert!(undertone_core::home::socket::connect(&ada.home()).is_err());
    // It was asked to lock; one that doesn't answer in time is killed.
    assert!(matches!(code, Some(16) | None), "{code:?}");
    // Nothing is lost yet.
    assert_eq!(ada.texts("Benjamin")?, [WORDS]);

    let second = ada.run(["panic", "--wipe"])?;
    assert_eq!(
        (&second["wiped"], &second["complete"]),
        (&json!(true), &json!(true))
    );
    assert_eq!(refusal(ada.run(["chats"])), wiped());
    assert_eq!(refusal(ada.run(["panic"])), wiped());
    // Others go on, and a new home may be made there.
    ben.send("Ada", "Are you there?")?;
    fs::remove_file(ada.recovery_file()).expect("removed");
    ada.init(&server.invitation(1)?)?;
    Ok(())
}

#[test]
fn panic_wipes_under_the_process_that_has_the_home_open_and_on_the_server() -> Outcome {
    let server = ServerProcess::start()?;
    let (ada, ben) = ada_and_ben(&server)?;
    ada.run(["protection", "--remove-wiped", "on"])?;
    let key = data_key(&ada);
    let mut session = ada.rpc()?;
    // With its connection, she can still say that she is gone.
    session.call("sync.settle", &json!({"limit_ms": 20_000}))?;
    let answer = ada.run(["panic", "--wipe"])?;
    assert_eq!(answer["complete"], true);
    assert_eq!(
        answer["server"], true,
        "the server deleted the queue: {answer}"
    );
    drop(session);
    let mut needles = Needle::bytes("data key", &key);
    for text in [WORDS, "Whistleblower", "Lovelace"] {
        needles.extend(Needle::text(text, text));
    }
    assert_eq!(scan_for(&ada.home(), &needles).expect("readable"), []);
    assert_eq!(refusal(ada.run(["chats"])), wiped());
    let shown = ben.run(["read", "Ada"])?;
    assert!(shown.to_string().contains("wiped"), "{shown}");
    Ok(())
}

#[test]
fn wiping_asks_for_the_word_first() -> Outcome {
    let server = ServerProcess::start()?;
    let (ada, _ben) = ada_and_ben(&server)?;
    for typed in ["", "yes\n", "WIPE\n"] {
        assert_eq!(refusal(ada.run_with_input(["wipe"], typed)).0, Some(2));
    }
    let mut session = ada.rpc()?;
    let refused = session.call("home.wipe", &json!({"confirm": "please"}));
    assert_eq!(refusal(refused).1, "usage.not_confirmed");
    session.end()?;
    assert_eq!(ada.texts("Benjamin")?, [WORDS]);
    let answer = ada.run_with_input(["wipe"], "wipe\n")?;
    assert_eq!(
        (&answer["complete"], &answer["server"]),
        (&json!(true), &json!(true))
    );
    assert_eq!(refusal(ada.run(["chats"])), wiped());
    Ok(())
}

#[test]
fn the_owners_limit_of_wrong_passphrases_wipes_over_restarts() -> Outcome {
    let server = ServerProcess::start()?;
    let (ada, _ben) = ada_and_ben(&server)?;
    let now = ada.run(["protection", "--wrong-attempts", "3"])?;
    assert_eq!(now["wrong_attempts_limit"], 3);
    let right = passphrase_of(&ada);
    types(&ada, "not this one");
    for _ in 0..2 {
        assert_eq!(refusal(ada.run(["chats"])).1, "home.wrong_passphrase");
    }
    // A right one in between begins anew.
    types(&ada, &right);
    assert_eq!(ada.texts("Benjamin")?, [WORDS]);
    types(&ada, "not this one");
    for _ in 0..2 {
        assert_eq!(refusal(ada.run(["chats"])).1, "home.wrong_passphrase");
    }
    assert_eq!(refusal(ada.run(["chats"])), wiped());
    types(&ada, &right);
    assert_eq!(refusal(ada.run(["chats"])), wiped());
    Ok(())
}

#[test]
fn a_changed_passphrase_opens_and_the_old_one_does_not() -> Outcome {
    let server = ServerProcess::start()?;
    let (ada, _ben) = ada_and_ben(&server)?;
    let new = secret_file(&ada, "new.txt", "five quite different words here");
    ada.run(["passphrase", "--new-passphrase-file", new.as_str()])?;
    assert_eq!(refusal(ada.run(["chats"])).1, "home.wrong_passphrase");
    types(&ada, "five quite different words here");
    assert_eq!(ada.texts("Benjamin")?, [WORDS]);
    Ok(())
}

#[test]
fn a_wrong_passphrase_is_one_sentence_and_nothing_else() -> Outcome {
    let server = ServerProcess::start()?;
    let ada = Person::join("Ada", &server.invitation(1)?)?;
    types(&ada, "not this one");
    let output = ada.command_for_people().arg("chats").output();
    let said = String::from_utf8_lossy(&output.expect("runs").stderr).into_owned();
    assert_eq!(said, "undertone: The passphrase is wrong.\n");
    Ok(())
}

/// The app on a day to come.
fn on_day(person: &Person, day: u32, arguments: &[&str]) -> (Option<i32>, String) {
    let output = person
        .command()
        .env("UNDERTONE_TEST_CLOCK_OFF_S", (day * 86_400).to_string())
        .args(arguments)
        .output()
        .expect("runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.code(), said)
}

#[test]
fn a_device_that_nobody_unlocks_wipes_itself_on_its_day_though_the_server_is_silent() -> Outcome {
    let mut server = ServerProcess::start()?;
    let (ada, _ben) = ada_and_ben(&server)?;
    let now = ada.run(["protection", "--dead-man", "30d"])?;
    assert_eq!(now["dead_man"]["days"], 30);
    // Whatever was sent to wipe it never arrives.
    server.stop()?;
    let (code, said) = on_day(&ada, 20, &["guard"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("\"warning\":\"none\""), "{said}");
    let (_, said) = on_day(&ada, 25, &["guard"]);
    assert!(said.contains("\"warning\":\"soon\""), "{said}");
    assert_eq!(on_day(&ada, 31, &["guard"]).0, Some(15));
    assert_eq!(refusal(ada.run(["--offline", "chats"])), wiped());
    Ok(())
}

#[test]
fn an_unlock_starts_the_dead_man_timer_anew() -> Outcome {
    let server = ServerProcess::start()?;
    let (ada, _ben) = ada_and_ben(&server)?;
    ada.run(["protection", "--dead-man", "30d"])?;
    assert_eq!(on_day(&ada, 29, &["--offline", "chats"]).0, Some(0));
    let (code, said) = on_day(&ada, 31, &["guard"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("\"warning\":\"none\""), "{said}");
    Ok(())
}

#[test]
fn the_duress_passphrase_opens_a_decoy_with_an_account_of_its_own() -> Outcome {
    let server = ServerProcess::start()?;
    let (ada, ben) = ada_and_ben(&server)?;
    let key = data_key(&ada);
    let duress = secret_file(&ada, "duress.txt", "all right all right");
    let visit = secret_file(&ada, "visit.txt", "just dusting the shelves");
    let words = beside(&ada, "decoy.txt");
    let set = [
        "duress",
        "set",
        "--server",
        "-",
        "--name",
        "Ada B.",
        "--duress-file",
        duress.as_str(),
        "--visit-file",
        visit.as_str(),
        "--recovery-file",
        words.as_str(),
        "--alarm",
        "Benjamin",
    ];
    let answer = ada.run_with_input(set, &server.invitation(1)?)?;
    assert_eq!(answer["registered"], true);
    let words = fs::read_to_string(words).expect("written");
    assert_eq!(words.split_whitespace().count(), 12);
    let first = words.split_whitespace().next().unwrap_or_default();
    assert!(!answer.to_string().contains(first), "{answer}");
    assert_eq!(ada.texts("Benjamin")?, [WORDS]);
    ben.texts("Ada")?;

    // The owner makes the decoy look lived in.
    let right = passphrase_of(&ada);
    types(&ada, "just dusting the shelves");
    let protection = ada.run(["protection"])?;
    assert_eq!(protection["decoy"], true);
    // What protects the owner's own account is not weakened from here, and what is the decoy's is.
    for change in [
        ["--dead-man", "off"],
        ["--wrong-attempts", "off"],
        ["--heartbeats", "off"],
        ["--keyring", "off"],
    ] {
        let refused = ada.run([&["protection"], &change[..]].concat());
        assert_eq!(refusal(refused).1, "home.decoy", "{change:?}");
    }
    let changed = ada.run(["protection", "--auto-lock", "10m"])?;
    assert_eq!(changed["auto_lock_s"], 600);
    ada.link()?;
    types(&ada, &right);
    assert_eq!(ada.texts("Benjamin")?, [WORDS]);
    let image = tempfile::tempdir().expect("a folder");
    copy_folder(&ada.home(), &image.path().join("home")).expect("copied");

    // And then is asked for the passphrase.
    types(&ada, "all right all right");
    let status = ada.run(["status"])?;
    assert_eq!(status["account"]["name"], "Ada B.");
    assert_eq!(
        refusal(ada.texts("Benjamin").map(Value::from)).1,
        "chat.unknown"
    );
    let protection = ada.run(["protection"])?;
    assert_eq!(
        (&protection["decoy"], &protection["duress"]),
        (&json!(false), &json!(false))
    );
    eventually(Duration::from_secs(60), "Benjamin is told", || {
        ada.run(["status"])?;
        let told = ben
            .read("Ada")?
            .iter()
            .any(|line| line["notice"]["kind"] == "duress_alarm");
        Ok(told.then_some(()))
    })?;
    types(&ada, &right);
    assert_eq!(refusal(ada.run(["chats"])).1, "home.wrong_passphrase");
    let needles = Needle::bytes("data key", &key);
    assert_eq!(scan_for(&ada.home(), &needles).expect("readable"), []);

    // An image of before gives who has the duress passphrase the decoy and nothing else.
    fs::remove_dir_all(ada.home()).expect("removed");
    copy_folder(&image.path().join("home"), &ada.home()).expect("copied");
    types(&ada, "all right all right");
    assert_eq!(
        ada.run(["--offline", "status"])?["account"]["name"],
        "Ada B."
    );
    types(&ada, &right);
    assert_eq!(
        refusal(ada.run(["--offline", "chats"])).1,
        "home.wrong_passphrase"
    );
    Ok(())
}

#[test]
fn an_empty_decoy_is_made_without_asking_any_server() -> Outcome {
    let server = ServerProcess::start()?;
    let (ada, _ben) = ada_and_ben(&server)?;
    let duress = secret_file(&ada, "duress.txt", "all right all right");
    let set = ["--offline", "duress", "set", "--duress-file", &duress];
    // There is no terminal to show the decoy's words on.
    assert_eq!(refusal(ada.run(set)).0, Some(2));
    let words = beside(&ada, "decoy.txt");
    let answer = ada.run([&set[..], &["--recovery-file", &words]].concat())?;
    assert_eq!(answer["registered"], false);
    types(&ada, "all right all right");
    let chats = ada.run(["--offline", "chats"])?;
    assert!(!chats.to_string().contains("Benjamin"), "{chats}");
    let status = ada.run(["--offline", "status"])?;
    assert_eq!(status["account"]["registered"], false);
    Ok(())
}

/// A home with the real key derivation, its decoy, and which passphrase does what.
fn copies_of_a_home(folder: &Path) -> std::path::PathBuf {
    let home = folder.join("home");
    let text = |text: &str| Passphrase::new(text.to_owned().into()).expect("a passphrase");
    let creation =
        undertone_core::home::Creation::begin(&home, &text("the real one")).expect("made");
    let home_open = creation.finish().expect("made");
    let decoy = home_open.begin_decoy().expect("made");
    home_open
        .set_duress(&text("the real one"), &text("the duress one"), None, decoy)
        .expect("set");
    drop(home_open);
    home
}

/// How well times tell two things apart: 0.5 is not at all (the area under the ROC curve).
fn area_under_curve(first: &[Duration], second: &[Duration]) -> f64 {
    let mut score = 0.0;
    for one in first {
        for other in second {
            score += match one.cmp(other) {
                std::cmp::Ordering::Greater => 1.0,
                std::cmp::Ordering::Equal => 0.5,
                std::cmp::Ordering::Less => 0.0,
            };
        }
    }
    score / (first.len() as f64 * second.len() as f64)
}

/// In a soak only: six hundred real key derivations, with nothing else to disturb the clock.
#[test]
fn a_clock_does_not_tell_the_real_the_duress_and_a_wrong_passphrase_apart() {
    if !undertone_tests::is_soak() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let home = copies_of_a_home(folder.path());
    let typed = ["the real one", "the duress one", "a wrong one"];
    let mut times: [Vec<Duration>; 3] = Default::default();
    for round in 0..600 {
        // Mixed, so that what else the machine does hits all alike.
        let which = (round * 7 + round / 3) % 3;
        let copy = folder.path().join("copy");
        copy_folder(&home, &copy).expect("copied");
        let passphrase = Passphrase::new(typed[which].to_owned().into()).expect("a passphrase");
        let owner = Owner::acquire(&copy).expect("nobody has it");
        let begun = std::time::Instant::now();
        let opened = owner.unlock(&passphrase);
        times[which].push(begun.elapsed());
        assert_eq!(opened.is_ok(), which < 2);
        drop(opened);
        // What goes on in the background belongs to this round.
        std::thread::sleep(Duration::from_millis(50));
        fs::remove_dir_all(&copy).expect("removed");
    }
    let [real, duress, wrong] = &times;
    for (name, area) in [
        ("real and duress", area_under_curve(real, duress)),
        ("real and wrong", area_under_curve(real, wrong)),
        ("duress and wrong", area_under_curve(duress, wrong)),
    ] {
        println!("{name}: {area:.3}");
        assert!((0.4..=0.6).contains(&area), "{name}: {area:.3}");
    }
}
