//! What is asked and shown at a terminal, and what comes by a file descriptor.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use undertone_mls::account::{AccountRoot, RecoveryPhrase};
use undertone_tests::disk::{Needle, scan_for};
use undertone_tests::{Failed, Outcome, ServerProcess, Terminal, binary};

const PASSPHRASE: &str = "a river under the city";
const CHEAP: (&str, &str) = ("UNDERTONE_TEST_CHEAP_KDF", "1");

fn at_a_terminal(home: &Path, arguments: &[&str]) -> Outcome<Terminal> {
    let home = home.to_str().expect("a path");
    let all = [&["--home", home], arguments].concat();
    Terminal::start(&binary("undertone")?, &all, &[CHEAP])
}

/// The numbered words of the second screen.
fn numbered(screen: &str) -> Vec<String> {
    let words = screen.lines().filter_map(|line| {
        let mut parts = line.split_whitespace();
        let number: usize = parts.next()?.parse().ok()?;
        Some((number, parts.next()?.to_owned()))
    });
    let words: BTreeMap<_, _> = words.collect();
    assert!(words.keys().copied().eq(1..=12), "{screen}");
    words.into_values().collect()
}

#[test]
fn a_passphrase_is_asked_for_twice_and_the_recovery_phrase_is_shown_once() -> Outcome {
    let server = ServerProcess::start()?;
    let place = tempfile::tempdir().expect("a folder");
    let home = place.path().join("home");
    let invitation = server.invitation(1)?;
    let init = ["init", "--server", &invitation, "--name", "Ada"];

    // Mistyped: nothing is made, and the invitation is as good as before.
    let mut terminal = at_a_terminal(&home, &init)?;
    terminal.asks("New passphrase: ")?;
    terminal.types(PASSPHRASE)?;
    terminal.asks("The same again: ")?;
    terminal.types("a river under the town")?;
    let (ended, shown) = terminal.ends()?;
    assert_eq!(ended.code(), Some(3), "{shown}");
    assert!(shown.contains("The two passphrases are not the same"));
    assert!(!home.join("keys").exists());

    let mut terminal = at_a_terminal(&home, &init)?;
    for question in ["New passphrase: ", "The same again: "] {
        terminal.asks(question)?;
        terminal.types(PASSPHRASE)?;
    }
    // On the terminal's second screen, which leaves nothing behind when it is left.
    terminal.asks("\u{1b}[?1049h")?;
    let screen = terminal.asks("Press Enter when you have it on paper. ")?;
    let words = numbered(&screen);
    let phrase = RecoveryPhrase::parse(&words.join(" ")).expect("a recovery phrase");
    terminal.types("")?;
    terminal.asks("\u{1b}[3J\u{1b}[?1049l")?;
    terminal.asks("Type yes or no.")?;
    terminal.types("no")?;
    let after = terminal.asks("Welcome, Ada.")?;
    let (ended, shown) = terminal.ends()?;
    assert!(ended.success(), "{shown}");
    assert!(!shown.contains(PASSPHRASE), "what is typed is not shown");
    let sequence = words.join(" ");
    assert!(!after.contains(&sequence) && numbered_lines(&after) == 0);
    assert_eq!(numbered_lines(&shown), 12, "shown once");
    // It is this account's, and nowhere on the disk.
    let needles = Needle::text("recovery phrase", &sequence);
    let found = scan_for(place.path(), &needles).expect("a folder");
    assert!(found.is_empty(), "{found:?}");

    // From then on it is asked for once, and three times where it is mistyped.
    let mut terminal = at_a_terminal(&home, &["status"])?;
    for _ in 0..3 {
        terminal.asks("Passphrase: ")?;
        terminal.types("not the passphrase")?;
    }
    let (ended, shown) = terminal.ends()?;
    assert_eq!(ended.code(), Some(3), "{shown}");
    let mut terminal = at_a_terminal(&home, &["status", "--json"])?;
    for typed in ["not the passphrase", PASSPHRASE] {
        terminal.asks("Passphrase: ")?;
        terminal.types(typed)?;
    }
    let (ended, shown) = terminal.ends()?;
    assert!(ended.success(), "{shown}");
    let account = AccountRoot::from_phrase(&phrase).account_id().to_string();
    assert!(shown.contains(&account), "{account}: {shown}");
    by_descriptor(&home, place.path())
}

fn numbered_lines(shown: &str) -> usize {
    let is_one = |line: &&str| {
        let mut parts = line.split_whitespace();
        let number = parts.next().and_then(|part| part.parse::<usize>().ok());
        number.is_some_and(|number| number <= 12) && parts.next().is_some()
    };
    shown.lines().filter(is_one).count()
}

/// The passphrase of that home on file descriptors: the right one, a wrong one, and none.
fn by_descriptor(home: &Path, place: &Path) -> Outcome {
    let (right, wrong) = (place.join("right"), place.join("wrong"));
    std::fs::write(&right, format!("{PASSPHRASE}\nand more\n")).expect("a file");
    std::fs::write(&wrong, "not the passphrase\n").expect("a file");
    let with = |shell: &str, file: &Path| {
        let output = Command::new("bash")
            .args(["-c", shell, "bash"])
            .arg(file)
            .arg(binary("undertone")?)
            .args(["--home".as_ref(), home])
            .args(["chats", "--json", "--passphrase-fd", "3"])
            .env(CHEAP.0, CHEAP.1)
            .output()
            .map_err(|error| Failed::harness("bash", error))?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        Ok::<_, Failed>((output.status.code(), said))
    };
    let file = r#"file=$1; shift; exec "$@" 3<"$file" </dev/null"#;
    // A pipe: nothing that can be read a second time.
    let pipe = r#"file=$1; shift; exec "$@" 3< <(cat "$file") </dev/null"#;
    let none = r#"shift; exec "$@" 3<&- </dev/null"#;
    assert_eq!(with(file, &right)?, (Some(0), String::new()));
    assert_eq!(with(pipe, &right)?, (Some(0), String::new()));
    for (shell, file, code) in [
        (file, &wrong, "home.wrong_passphrase"),
        (none, &right, "passphrase.missing"),
    ] {
        let (ended, said) = with(shell, file)?;
        assert!(ended == Some(3) && said.contains(code), "{ended:?} {said}");
    }
    Ok(())
}
