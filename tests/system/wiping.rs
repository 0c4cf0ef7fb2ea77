//! A wipe of a home that people live in, cut at any moment while a process has it open: what is left, and whether anybody can use it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use serde_json::json;
use undertone_core::home::{Owner, Passphrase, use_cheap_kdf_for_tests};
use undertone_tests::disk::{Needle, copy_folder, files, scan_for};
use undertone_tests::{Failed, Outcome, Person, ServerProcess, Session, eventually, fixtures};

use crate::coercion::{PATIENCE, WORDS, ada_and_ben, data_key, passphrase_of, refusal, wiped};

/// What is said in a round, into a log of the database that is not merged yet.
const LAST_WORDS: &str = "Burn the list before Tuesday";

/// Between looks at a home that is being wiped.
const LOOK: Duration = Duration::from_micros(100);

/// What stays of a wiped home.
fn stays(path: &Path) -> bool {
    path.ends_with("sentinel") || path.ends_with("lock")
}

/// Bytes out of every file that is to go: where it begins, and from its middle, also of what is encrypted.
fn of_all_files(home: &Path) -> Vec<Needle> {
    let mut needles = Vec::new();
    for path in files(home).expect("readable") {
        let bytes = fs::read(&path).expect("readable");
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let middle = bytes.len() / 2;
        for part in [bytes.get(..64), bytes.get(middle..middle + 64)] {
            // A run of one byte is in many files.
            if let Some(part) = part.filter(|part| part.iter().any(|byte| *byte != part[0]))
                && !stays(&path)
            {
                needles.push(Needle::exact(&name, part.to_vec()));
            }
        }
    }
    needles
}

/// A home with people, messages and a picture in it, and what must not be found of it.
struct LivedIn {
    ada: Person,
    passphrase: Passphrase,
    needles: Vec<Needle>,
    keys: Vec<u8>,
}

impl LivedIn {
    fn new(server: &ServerProcess) -> Outcome<Self> {
        let (ada, ben) = ada_and_ben(server)?;
        let folder = tempfile::tempdir().map_err(|error| Failed::harness("a folder", error))?;
        let picture = folder.path().join("the locker.jpg");
        let photo = fixtures::photo().map_err(|error| Failed::harness("a photo", error))?;
        fs::write(&picture, &photo).map_err(|error| Failed::harness("a photo", error))?;
        ada.send_file("Benjamin", &picture)?;
        ben.send("Ada", "Understood")?;
        eventually(PATIENCE, "Ada to read the answer", || {
            let texts = ada.texts("Benjamin")?;
            Ok(texts.iter().any(|text| text == "Understood").then_some(()))
        })?;
        let keys = fs::read(ada.home().join("keys")).expect("a key table");
        let mut needles = Needle::bytes("data key", &data_key(&ada));
        for text in [WORDS, LAST_WORDS, "Understood", "the locker"] {
            needles.extend(Needle::text(text, text));
        }
        for name in ["Lovelace-Byron", "Whistleblower"] {
            needles.extend(Needle::text(name, name));
        }
        needles.push(Needle::exact("picture", photo[1000..1064].to_vec()));
        needles.push(Needle::exact("salt", keys[32..64].to_vec()));
        for slot in keys[64..].chunks_exact(96) {
            needles.push(Needle::exact("slot", slot.to_vec()));
        }
        use_cheap_kdf_for_tests();
        let passphrase = Passphrase::new(passphrase_of(&ada).into()).expect("a passphrase");
        Ok(Self {
            ada,
            passphrase,
            needles,
            keys,
        })
    }

    /// Another copy of the home, and a process that has it open and has just written.
    fn moves_to(&self, folder: &Path) -> Outcome<(Person, Session)> {
        copy_folder(&self.ada.home(), &folder.join("home"))
            .map_err(|error| Failed::harness("copying a home", error))?;
        let person = Person::at("Ada Lovelace-Byron", folder)?
            .with_cheap_passphrase()
            .with_options(&["--offline"]);
        let mut session = person.rpc()?;
        let chat = session.chat("Benjamin")?;
        session.call("messages.send", &json!({"chat": chat, "text": LAST_WORDS}))?;
        let home = files(&person.home()).expect("readable");
        let is_log = |path: &&PathBuf| path.to_string_lossy().ends_with("-wal");
        let log = home.iter().find(is_log).expect("a log that is not merged");
        assert!(fs::metadata(log).expect("a log").len() > 0);
        assert!(
            home.iter()
                .any(|path| path.starts_with(person.home().join("attachments")))
        );
        Ok((person, session))
    }

    /// Whether the old passphrase opens a copy, with what says that it was wiped taken away.
    fn opens_without_the_mark(&self, copy: &Path) -> bool {
        fs::remove_file(copy.join("sentinel")).expect("there is one");
        let owner = Owner::acquire(copy);
        owner.is_ok_and(|owner| owner.unlock(&self.passphrase).is_ok())
    }
}

/// How long a wipe takes from its start to its first trace on the disk, and until there is nothing left.
#[derive(Clone, Copy)]
struct Pace {
    begins: Duration,
    ends: Duration,
}

/// Starts a wipe and pulls the plug after part of the time that one takes; a whole one says how long that is.
fn wipe(person: &Person, session: &mut Session, cut: Option<(Pace, u32, f64)>) -> Outcome<Pace> {
    let keys = person.home().join("keys");
    let before = fs::read(person.home().join("sentinel")).unwrap_or_default();
    let has_begun = || {
        !keys.exists() || fs::read(person.home().join("sentinel")).is_ok_and(|now| now != before)
    };
    let is_empty = || {
        let left = files(&person.home()).unwrap_or_default();
        left.iter().all(|path| stays(path))
    };
    let began = Instant::now();
    let mut wiper = person
        .command()
        .args(["panic", "--wipe"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| Failed::harness("undertone panic", error))?;
    let mut is_over = || wiper.try_wait().is_ok_and(|ended| ended.is_some());
    let until_it_begins = || {
        while !has_begun() && began.elapsed() < PATIENCE {
            std::thread::sleep(LOOK);
        }
        began.elapsed()
    };
    let pace = match cut {
        None => {
            let begins = until_it_begins();
            while !is_over() && !is_empty() {
                std::thread::sleep(LOOK);
            }
            let ends = began.elapsed();
            Pace { begins, ends }
        }
        // Anywhere in it, and, since most of that time is over before there is anything to see, more often in what comes then.
        Some((pace, round, part)) => {
            if round % 4 == 0 {
                std::thread::sleep(pace.ends.mul_f64(part));
            } else {
                until_it_begins();
                std::thread::sleep((pace.ends - pace.begins).mul_f64(part));
            }
            pace
        }
    };
    // It may have ended by itself.
    let _ = wiper.kill();
    session.kill9();
    wiper
        .wait()
        .map_err(|error| Failed::harness("undertone panic", error))?;
    Ok(pace)
}

#[test]
fn a_home_that_people_live_in_is_gone_wherever_its_wipe_was_cut() -> Outcome {
    let server = ServerProcess::start()?;
    let lived_in = LivedIn::new(&server)?;
    let rounds = if undertone_tests::is_soak() { 200 } else { 20 };
    let mut pace = None;
    let (mut cut, mut open) = (0, 0);
    for round in 0..rounds {
        let folder = tempfile::tempdir().map_err(|error| Failed::harness("a folder", error))?;
        let (person, mut session) = lived_in.moves_to(folder.path())?;
        let mut needles = of_all_files(&person.home());
        needles.extend(lived_in.needles.iter().cloned());
        // Spread evenly, and never the same twice.
        let part = (f64::from(round) * 0.618_033_988_75).fract();
        let how = pace.map(|pace| (pace, round, part));
        pace = Some(wipe(&person, &mut session, how)?);

        // As the disk is at that moment.
        let home = person.home();
        let image = folder.path().join("image");
        copy_folder(&home, &image).map_err(|error| Failed::harness("copying", error))?;
        let has_keys = fs::read(image.join("keys")).is_ok_and(|now| now == lived_in.keys);
        assert_eq!(
            lived_in.opens_without_the_mark(&image),
            has_keys,
            "round {round}"
        );
        cut += u32::from(!has_keys && files(&image).expect("readable").len() > 2);

        // The next start ends what had begun. What had not leaves everything as it was.
        match person.run(["chats"]) {
            Err(failed) => assert_eq!(refusal(Err(failed)), wiped(), "round {round}"),
            Ok(chats) => {
                assert!(has_keys && chats.to_string().contains("Whistleblower"));
                open += 1;
                person.run(["panic", "--wipe"])?;
            }
        }
        assert_eq!(
            scan_for(&home, &needles).expect("readable"),
            [],
            "round {round}"
        );
        let left = files(&home).expect("readable");
        assert!(
            left.iter().all(|path| stays(path)),
            "round {round}: {left:?}"
        );
        assert_eq!(refusal(person.run(["chats"])), wiped());
        let copy = folder.path().join("copy");
        copy_folder(&home, &copy).map_err(|error| Failed::harness("copying", error))?;
        assert!(!lived_in.opens_without_the_mark(&copy), "round {round}");
    }
    println!("{rounds} wipes: {cut} were cut in the middle, {open} before they began");
    assert!(cut > 0, "no wipe was cut in the middle");
    Ok(())
}
