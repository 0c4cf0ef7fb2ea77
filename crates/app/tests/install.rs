//! `undertone install` puts three files where desktops and systemd look, knows its own again, and leaves everything else alone.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    os::unix::fs::{PermissionsExt as _, symlink},
    path::Path,
    process::{Command, Output, Stdio},
};

use serde_json::json;

const FILES: [&str; 3] = [
    "data/applications/undertone.desktop",
    "data/icons/hicolor/scalable/apps/undertone.svg",
    "config/systemd/user/undertone.service",
];

fn undertone(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_undertone"))
        .args(arguments)
        .env("HOME", folder)
        .env("XDG_DATA_HOME", folder.join("data"))
        .env("XDG_CONFIG_HOME", folder.join("config"))
        .stdin(Stdio::null())
        .output()
        .expect("the program starts")
}

fn succeeds(output: &Output) {
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn what_is_installed_names_the_program_and_is_taken_away_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path().join("my home");
    succeeds(&undertone(
        folder.path(),
        &["install", "--home", home.to_str().expect("a path")],
    ));
    let read = |file: &str| fs::read_to_string(folder.path().join(file)).expect("it is there");
    let program = env!("CARGO_BIN_EXE_undertone");
    let entry = read(FILES[0]);
    let line = format!("Exec=\"{program}\" \"--home\" \"{}\"", home.display());
    assert!(entry.lines().any(|found| found == line), "{entry}");
    assert!(entry.lines().any(|line| line == "Icon=undertone"));
    assert!(read(FILES[1]).contains("<svg "));
    let unit = read(FILES[2]);
    assert!(
        unit.contains(&format!("ExecStart=\"{program}\" ")),
        "{unit}"
    );
    assert!(unit.contains("--no-browser\n"));
    // The code that it prints is for nobody who reads the journal.
    assert!(unit.contains("StandardOutput=null\n"));
    for file in FILES {
        let mode = fs::metadata(folder.path().join(file))
            .expect("it is there")
            .permissions()
            .mode();
        assert_eq!(mode & 0o022, 0, "{file}");
    }
    assert!(!home.exists(), "no account is made");
    let listed = fs::read_dir(folder.path().join("config/systemd/user")).expect("a folder");
    assert_eq!(listed.count(), 1, "nothing half-written, nothing enabled");

    // Again: as for a program that moved.
    succeeds(&undertone(folder.path(), &["install"]));
    let usual = format!("\"--home\" \"{}/data/undertone\"", folder.path().display());
    assert!(read(FILES[0]).contains(&usual));
    succeeds(&undertone(folder.path(), &["uninstall"]));
    for file in FILES {
        assert!(!folder.path().join(file).exists(), "{file}");
    }
    succeeds(&undertone(folder.path(), &["uninstall"]));
}

#[test]
fn a_file_of_somebody_elses_is_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let unit = folder.path().join(FILES[2]);
    fs::create_dir_all(unit.parent().expect("a folder")).expect("a folder");
    fs::write(&unit, "[Service]\nExecStart=/bin/mine\n").expect("a file");
    let output = undertone(folder.path(), &["install", "--json"]);
    assert_eq!(output.status.code(), Some(14), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("file.exists"), "{said}");
    assert!(!folder.path().join(FILES[0]).exists(), "all or nothing");

    // The others are taken away, and it is said that this one stays.
    fs::remove_file(&unit).expect("it goes");
    succeeds(&undertone(folder.path(), &["install"]));
    fs::remove_file(&unit).expect("it goes");
    let elsewhere = folder.path().join("mine.service");
    fs::write(&elsewhere, "[Service]\nExecStart=/bin/mine\n").expect("a file");
    symlink(&elsewhere, &unit).expect("a link");
    let output = undertone(folder.path(), &["uninstall", "--json"]);
    succeeds(&output);
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let path = |file: &str| folder.path().join(file).display().to_string();
    assert_eq!(told["files"], json!([path(FILES[0]), path(FILES[1])]));
    assert_eq!(told["left"], json!([path(FILES[2])]));
    let kept = fs::read_to_string(&unit).expect("it is there");
    assert!(kept.contains("/bin/mine"));
}

#[test]
fn a_unit_that_was_enabled_leaves_no_link_behind() {
    let folder = tempfile::tempdir().expect("a folder");
    succeeds(&undertone(folder.path(), &["install"]));
    let wants = folder
        .path()
        .join("config/systemd/user/default.target.wants");
    fs::create_dir_all(&wants).expect("a folder");
    let link = wants.join("undertone.service");
    symlink(folder.path().join(FILES[2]), &link).expect("a link");
    succeeds(&undertone(folder.path(), &["uninstall"]));
    assert!(fs::symlink_metadata(&link).is_err());
}

#[test]
fn systemd_has_nothing_to_say_about_the_unit() {
    let folder = tempfile::tempdir().expect("a folder");
    succeeds(&undertone(folder.path(), &["install"]));
    let unit = folder.path().join(FILES[2]);
    let checked = Command::new("systemd-analyze")
        .args(["verify", "--user", "--man=no"])
        .arg(&unit)
        .env("XDG_RUNTIME_DIR", folder.path())
        .output();
    let Ok(checked) = checked else {
        eprintln!(
            "NOT TRIED: there is no systemd-analyze here, so nobody was asked about the unit"
        );
        return;
    };
    let said = String::from_utf8_lossy(&checked.stderr).into_owned();
    assert!(checked.status.success(), "{said}");
    assert!(!said.contains("undertone.service"), "{said}");
}

/// The words of a line as systemd.service(5), "Command lines", and the Desktop Entry Specification, "The Exec key", have them undone:
/// first the escapes of a string, then those within quotes.
fn words_of(line: &str, is_entry: bool) -> Vec<String> {
    let line = if is_entry {
        line.replace("\\\\", "\\")
    } else {
        line.replace("$$", "$")
    };
    let (mut words, mut word, mut is_quoted) = (Vec::new(), String::new(), false);
    let mut letters = line
        .replace("%%", "%")
        .chars()
        .collect::<Vec<_>>()
        .into_iter();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => is_quoted = !is_quoted,
            '\\' => word.extend(letters.next()),
            ' ' if !is_quoted => words.push(std::mem::take(&mut word)),
            _ => word.push(letter),
        }
    }
    words.push(word);
    words
}

#[test]
fn what_the_menu_and_the_unit_start_is_the_program_with_its_home() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path().join("100% \"my\" $HOME\\ of `it`");
    let home = home.to_str().expect("a path");
    let output = undertone(folder.path(), &["install", "--json", "--home", home]);
    succeeds(&output);
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let paths = FILES.map(|file| folder.path().join(file).display().to_string());
    assert_eq!(told, json!({"files": paths}));
    for (file, key, more) in [
        (FILES[0], "Exec=", &[][..]),
        (FILES[2], "ExecStart=", &["--no-browser"]),
    ] {
        let content = fs::read_to_string(folder.path().join(file)).expect("it is there");
        let line = content.lines().find_map(|line| line.strip_prefix(key));
        let words = words_of(line.expect("a line that starts it"), file == FILES[0]);
        let wanted = [&[env!("CARGO_BIN_EXE_undertone"), "--home", home][..], more].concat();
        assert_eq!(words, wanted, "{file}");
        // It is a command that this program takes.
        let mut started = Command::new(&words[0])
            .args(&words[1..])
            .args((file == FILES[0]).then_some("--no-browser"))
            .arg("--json")
            .env("HOME", folder.path())
            .env("XDG_RUNTIME_DIR", folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut said = String::new();
        let lines = started.stdout.take().expect("what it says");
        BufReader::new(lines).read_line(&mut said).expect("a line");
        started.kill().expect("it ends");
        started.wait().expect("it ends");
        assert!(said.contains("http://127.0.0.1:"), "{said}");
    }
}

#[test]
fn the_desktop_has_nothing_to_say_about_the_entry_and_the_icon() {
    let folder = tempfile::tempdir().expect("a folder");
    succeeds(&undertone(folder.path(), &["install"]));
    // The icon is a picture of its own, with nothing before it that a reader of SVG stumbles over.
    let icon = fs::read_to_string(folder.path().join(FILES[1])).expect("it is there");
    let picture = icon
        .split_once("-->")
        .map_or(icon.as_str(), |(_, rest)| rest);
    assert!(picture.trim_start().starts_with("<svg xmlns="), "{icon}");
    let checked = Command::new("desktop-file-validate")
        .arg(folder.path().join(FILES[0]))
        .output();
    let Ok(checked) = checked else {
        eprintln!(
            "NOT TRIED: there is no desktop-file-validate here, so nobody was asked about the entry"
        );
        return;
    };
    assert!(checked.status.success(), "{checked:?}");
    assert!(checked.stdout.is_empty(), "{checked:?}");
}

#[test]
fn without_a_home_directory_nothing_is_guessed() {
    let output = Command::new(env!("CARGO_BIN_EXE_undertone"))
        .args(["install", "--json"])
        .env_remove("HOME")
        .env_remove("XDG_DATA_HOME")
        .env_remove("XDG_CONFIG_HOME")
        .stdin(Stdio::null())
        .output()
        .expect("the program starts");
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("usage.home"), "{said}");
}
