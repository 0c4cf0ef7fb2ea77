//! The `undertone` program as a script sees it: exit codes, one sentence a failure, JSON where asked for. Without a server.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use serde_json::Value;

fn undertone(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_undertone"));
    command
        .args(arguments)
        .stdin(Stdio::null())
        .env_remove("XDG_DATA_HOME")
        .env("HOME", "/nonexistent")
        .env("TZ", "UTC");
    command
}

fn run(arguments: &[&str]) -> Output {
    undertone(arguments).output().expect("the program starts")
}

fn exit(output: &Output) -> i32 {
    output.status.code().expect("an exit code")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("UTF-8")
}

/// The `error` of a command that failed with `--json`.
fn refusal(output: &Output) -> Value {
    assert!(
        output.stdout.is_empty(),
        "a failure prints nothing on standard output"
    );
    let text = stderr(output);
    assert_eq!(text.lines().count(), 1, "{text}");
    let value: Value = serde_json::from_str(&text).expect("JSON");
    let error = value["error"].clone();
    assert_eq!(error["exit_code"], exit(output), "{error}");
    assert!(
        error["sentence"]
            .as_str()
            .is_some_and(|sentence| !sentence.is_empty()),
        "{error}"
    );
    error
}

fn private(path: &Path, text: &str) {
    let mut file = OpenOptions::new()
        .create_new(true)
        .write(true)
        .mode(0o600)
        .open(path)
        .expect("file");
    file.write_all(text.as_bytes()).expect("written");
}

fn vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../content/tests/vectors")
}

#[test]
fn help_is_there_without_a_home() {
    for arguments in [
        &["help"][..],
        &["--help"],
        &["help", "exit-codes"],
        &["help", "send"],
        &["help", "group", "add"],
        &["send", "--help"],
        &["--version"],
    ] {
        let output = run(arguments);
        assert_eq!(exit(&output), 0, "{arguments:?}: {}", stderr(&output));
        assert!(!output.stdout.is_empty(), "{arguments:?}");
    }
    assert!(stdout(&run(&["help", "exit-codes"])).contains("Wrong passphrase"));
    assert!(stdout(&run(&["help", "send"])).contains("--attach"));
    assert_eq!(exit(&run(&["help", "nonsense"])), 2);
}

#[test]
fn a_wrong_command_line_is_exit_code_2() {
    for arguments in [
        &["nonsense"][..],
        &["app", "--port", "none"],
        &["send"],
        &["read"],
        &["link", "--expires", "soon"],
        &["status", "--proxy", "http://x:1"],
    ] {
        let output = run(arguments);
        assert_eq!(exit(&output), 2, "{arguments:?}");
        assert!(output.stdout.is_empty());
    }
    assert_eq!(
        refusal(&run(&["nonsense", "--json"]))["code"],
        "usage.invalid"
    );
}

#[test]
fn without_a_home_every_command_says_so_before_it_asks_for_a_passphrase() {
    let folder = tempfile::tempdir().expect("folder");
    let home = folder.path().join("none");
    let home = home.to_str().expect("path");
    for command in [
        &["chats"][..],
        &["contacts"],
        &["status"],
        &["watch"],
        &["rpc"],
        &["read", "Ben"],
        &["send", "Ben", "hi"],
        &["link"],
        &["verify", "Ben"],
    ] {
        let output = run(&[&["--json", "--home", home], command].concat());
        assert_eq!(refusal(&output)["code"], "home.missing", "{command:?}");
        assert_eq!(exit(&output), 4);
    }
    assert!(!Path::new(home).exists(), "nothing was made");
}

#[test]
fn init_finds_what_is_wrong_before_it_makes_anything() {
    let folder = tempfile::tempdir().expect("folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("path").to_owned();
    let (home, recovery, passphrase) = (path("home"), path("recovery"), path("passphrase"));
    private(Path::new(&passphrase), "correct horse battery staple\n");
    let init = |extra: &[&str]| {
        run(&[
            &[
                "--json",
                "--home",
                &home,
                "--passphrase-file",
                &passphrase,
                "init",
                "--name",
                "Ada",
            ],
            extra,
        ]
        .concat())
    };

    // No terminal and no file for the phrase.
    assert_eq!(exit(&init(&["--server", "localhost:7443+x"])), 2);
    // Neither an invitation nor an origin with a pin.
    let output = init(&["--server", "nonsense", "--recovery-file", &recovery]);
    assert_eq!(
        (exit(&output), refusal(&output)["exit_code"].as_i64()),
        (2, Some(2))
    );
    // Nothing on standard input.
    assert_eq!(
        exit(&init(&["--server", "-", "--recovery-file", &recovery])),
        2
    );
    // The invitation and the passphrase can't both come from there.
    let output = run(&[
        "--home",
        &home,
        "--passphrase-fd",
        "0",
        "init",
        "--name",
        "Ada",
        "--server",
        "-",
        "--recovery-file",
        &recovery,
    ]);
    assert_eq!(exit(&output), 2);
    // A folder that holds something.
    fs::create_dir(&home).expect("folder");
    fs::write(Path::new(&home).join("letter.txt"), "dear").expect("file");
    let output = init(&["--server", "localhost:7443+x", "--recovery-file", &recovery]);
    assert_eq!(
        (exit(&output), refusal(&output)["code"].as_str()),
        (4, Some("home.exists"))
    );
    assert!(
        !Path::new(&recovery).exists(),
        "no recovery file is left behind"
    );
    assert_eq!(
        fs::read_dir(&home).expect("folder").count(),
        1,
        "nothing was added"
    );
}

#[test]
fn a_passphrase_never_comes_from_argument_or_environment() {
    let help = stdout(&run(&["help"]));
    assert!(help.contains("--passphrase-fd") && help.contains("--passphrase-file"));
    for option in ["--passphrase", "--password"] {
        assert_eq!(exit(&run(&["status", option, "secret"])), 2);
    }
    let source = include_str!("../src/cli/passphrase.rs");
    assert!(
        !source.contains("env::var"),
        "the passphrase is not read from the environment"
    );
}

#[test]
fn a_passphrase_file_must_be_closed_to_others() {
    let folder = tempfile::tempdir().expect("folder");
    let home = folder.path().join("home");
    fs::create_dir(&home).expect("folder");
    fs::set_permissions(&home, fs::Permissions::from_mode(0o700)).expect("mode");
    // Enough of a home that the passphrase is asked for.
    for name in ["keys", "lock"] {
        private(&home.join(name), "");
    }
    let passphrase = folder.path().join("passphrase");
    private(&passphrase, "correct horse battery staple\n");
    fs::set_permissions(&passphrase, fs::Permissions::from_mode(0o640)).expect("mode");
    let options = [
        "--json",
        "--home",
        home.to_str().expect("path"),
        "--passphrase-file",
        passphrase.to_str().expect("path"),
        "chats",
    ];
    let output = run(&options);
    assert_eq!(
        (exit(&output), refusal(&output)["code"].as_str()),
        (3, Some("passphrase.file_open_to_others"))
    );
    // Closed, it is read, and the home is found to be none.
    fs::set_permissions(&passphrase, fs::Permissions::from_mode(0o600)).expect("mode");
    assert_eq!(exit(&run(&options)), 4);
    // And without any there is nobody to ask.
    let output = run(&options[..3]
        .iter()
        .chain(&["chats"])
        .copied()
        .collect::<Vec<_>>());
    assert_eq!(
        (exit(&output), refusal(&output)["code"].as_str()),
        (3, Some("passphrase.missing"))
    );
}

#[test]
fn every_vector_of_the_content_format_is_inspected_and_comes_out_the_same() {
    let mut seen = 0;
    for entry in fs::read_dir(vectors()).expect("vectors") {
        let path = entry.expect("entry").path();
        if path.extension().is_none_or(|extension| extension != "cbor") {
            continue;
        }
        seen += 1;
        let file = path.to_str().expect("path");
        let output = run(&["content", "roundtrip", file, "--json"]);
        assert_eq!(exit(&output), 0, "{file}: {}", stderr(&output));
        let value: Value = serde_json::from_str(&stdout(&output)).expect("JSON");
        assert_eq!(value["same"], true);
        let output = run(&[
            "content",
            "inspect",
            file,
            "--json",
            "--sender",
            "mimi://example.com/u/alice",
            "--room",
            "mimi://example.com/r/room",
        ]);
        assert_eq!(exit(&output), 0, "{file}: {}", stderr(&output));
        let value: Value = serde_json::from_str(&stdout(&output)).expect("JSON");
        assert_eq!(
            value["message_id"].as_str().map(str::len),
            Some(64),
            "{file}"
        );
        let output = run(&["content", "inspect", file]);
        assert!(stdout(&output).contains("salt"), "{file}");
        assert!(!stdout(&output).contains('\u{1b}'));
    }
    assert!(seen > 5, "{seen} vectors");
}

#[test]
fn content_that_is_damaged_is_exit_code_1() {
    let folder = tempfile::tempdir().expect("folder");
    let file = folder.path().join("damaged.cbor");
    for bytes in [&b""[..], b"\xff\xff", b"\x87", b"hello"] {
        fs::write(&file, bytes).expect("file");
        for command in ["inspect", "roundtrip"] {
            let output = run(&["content", command, file.to_str().expect("path"), "--json"]);
            assert_eq!(exit(&output), 1, "{command} {bytes:?}");
            assert!(
                refusal(&output)["code"]
                    .as_str()
                    .is_some_and(|code| code.starts_with("content."))
            );
        }
    }
    assert_eq!(exit(&run(&["content", "inspect", "/nonexistent/file"])), 14);
}

#[test]
fn content_can_come_on_standard_input() {
    let path = fs::read_dir(vectors())
        .expect("vectors")
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|e| e == "cbor"));
    let file = fs::File::open(path.expect("a vector")).expect("file");
    let output = undertone(&["content", "roundtrip", "-"])
        .stdin(file)
        .output()
        .expect("runs");
    assert_eq!(exit(&output), 0, "{}", stderr(&output));
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let mut child = undertone(&["help"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("starts");
    drop(child.stdout.take());
    assert_eq!(child.wait().expect("ends").code(), Some(0));
}
