//! The program itself: what it prints, how it exits, and what its log does not say.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;
use undertone_wire::request::AddressKind;
use undertone_wire::strings::Invitation;

use super::client::{Device, TestServer};

fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_undertone-server"))
}

fn run(args: &[&str]) -> Output {
    program().args(args).output().unwrap()
}

fn said(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (
        output.status.code(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

/// Runs a command that must succeed, with `--json`.
fn json(args: &[&str]) -> serde_json::Value {
    let (code, out, err) = said(&run(&[args, &["--json"]].concat()));
    assert_eq!(code, Some(0), "{err}");
    serde_json::from_str(&out).unwrap()
}

/// Runs a command that must fail: its exit code and sentence.
fn failure(args: &[&str]) -> (i32, String) {
    let (code, _, err) = said(&run(args));
    (code.unwrap(), err)
}

fn made(dir: &TempDir) -> String {
    let folder = dir.path().join("server").to_str().unwrap().to_owned();
    json(&["init", &folder, "--origin", "chat.example.org:7443"]);
    folder
}

/// A running `undertone-server run`, killed when dropped.
struct Running {
    child: Child,
    listen: String,
}

impl Running {
    fn start(folder: &str, log: &str, stderr: Stdio) -> Self {
        let mut child = program()
            .args([
                "run",
                folder,
                "--listen",
                "127.0.0.1:0",
                "--log",
                log,
                "--json",
            ])
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let ready: serde_json::Value = serde_json::from_str(&line).unwrap();
        Self {
            child,
            listen: ready["listen"].as_str().unwrap().to_owned(),
        }
    }

    /// Asks it to stop; its exit code.
    fn stop(mut self) -> Option<i32> {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        self.child.wait().unwrap().code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn init_prints_pin_and_invitation_and_makes_only_private_files() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("server");
    let made = json(&[
        "init",
        folder.to_str().unwrap(),
        "--origin",
        "chat.example.org:7443",
    ]);
    let invitation: Invitation = made["invitation"].as_str().unwrap().parse().unwrap();
    assert_eq!(
        invitation.server.pin.to_string(),
        made["pin"].as_str().unwrap()
    );
    assert_eq!(
        invitation.server.origin.to_string(),
        "chat.example.org:7443"
    );
    assert!(invitation.code.is_some());
    for entry in std::fs::read_dir(&folder).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o077;
        assert_eq!(mode, 0, "{:?}", entry.file_name());
    }
    json(&["check-config", folder.to_str().unwrap()]);

    let (code, sentence) = failure(&["init", folder.to_str().unwrap(), "--origin", "a:1"]);
    assert_eq!(code, 3);
    assert!(sentence.contains("not empty"), "{sentence}");
    let (code, sentence) = failure(&[
        "init",
        dir.path().join("x").to_str().unwrap(),
        "--origin",
        "no port here",
    ]);
    assert_eq!(code, 3);
    assert!(sentence.contains("host:port"), "{sentence}");
    assert!(!dir.path().join("x").exists(), "nothing left half done");
    // Without an origin it works, and says what that means.
    let (code, _, err) = said(&run(&["init", dir.path().join("y").to_str().unwrap()]));
    assert_eq!(code, Some(0));
    assert!(err.contains("--origin"), "{err}");
}

#[test]
fn failures_are_one_sentence_and_an_exit_code() {
    let dir = tempfile::tempdir().unwrap();
    let folder = made(&dir);
    let none = dir.path().join("none");
    let none = none.to_str().unwrap();
    for args in [
        &["status", none][..],
        &["run", none],
        &["check-config", none],
        &["invite", "create", none],
    ] {
        let (code, sentence) = failure(args);
        assert_eq!(code, 3);
        assert!(sentence.contains("undertone-server init"), "{sentence}");
        assert_eq!(sentence.lines().count(), 1, "{sentence}");
    }
    assert!(!Path::new(none).exists(), "asking creates nothing");
    assert_eq!(
        failure(&["invite", "create", &folder, "--expires", "soon"]).0,
        2
    );
    assert_eq!(failure(&["invite", "create", &folder, "--uses", "0"]).0, 2);

    let settings = Path::new(&folder).join("undertone-server.toml");
    let good = std::fs::read_to_string(&settings).unwrap();
    std::fs::write(&settings, good.replace("item_days = 30", "item_days = 0")).unwrap();
    let (code, sentence) = failure(&["check-config", &folder]);
    assert_eq!(code, 3);
    assert!(sentence.contains("retention.item_days"), "{sentence}");
    std::fs::write(&settings, good).unwrap();

    let (code, _, err) = said(&run(&["status", none, "--json"]));
    assert_eq!(code, Some(3));
    let object: serde_json::Value = serde_json::from_str(&err).unwrap();
    assert_eq!(object["code"], "not_a_server_folder");
}

#[test]
fn commands_reach_the_running_server_and_signals_end_it() {
    let dir = tempfile::tempdir().unwrap();
    let folder = made(&dir);
    let running = Running::start(&folder, "info", Stdio::null());
    assert_eq!(json(&["status", &folder])["running"], true);
    let invitation = json(&[
        "invite",
        "create",
        &folder,
        "--uses",
        "3",
        "--expires",
        "2w",
    ]);
    assert_eq!(invitation["days"], 14);
    assert!(
        invitation["invitation"]
            .as_str()
            .unwrap()
            .parse::<Invitation>()
            .is_ok()
    );
    assert_eq!(json(&["status", &folder])["invitations"], 2);

    let (code, sentence) = failure(&["run", &folder]);
    assert_eq!(code, 5);
    assert!(sentence.contains("already running"), "{sentence}");
    let second = tempfile::tempdir().unwrap();
    let other = made(&second);
    let (code, sentence) = failure(&["run", &other, "--listen", &running.listen]);
    assert_eq!(code, 4);
    assert!(sentence.contains("--listen"), "{sentence}");

    assert_eq!(running.stop(), Some(0));
    assert_eq!(json(&["status", &folder])["running"], false);
}

#[test]
fn a_backup_of_a_running_server_is_restored_whole_or_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let folder = made(&dir);
    let running = Running::start(&folder, "info", Stdio::null());
    let file = dir.path().join("backup");
    let file = file.to_str().unwrap();
    json(&["backup", &folder, file]);
    assert_eq!(
        failure(&["backup", &folder, file]).0,
        2,
        "never overwritten"
    );
    assert_eq!(running.stop(), Some(0));

    let restored = dir.path().join("restored");
    let restored = restored.to_str().unwrap();
    let before = json(&["status", &folder]);
    assert_eq!(json(&["restore", file, restored])["pin"], before["pin"]);
    assert_eq!(
        json(&["status", restored])["invitations"],
        before["invitations"]
    );
    assert_eq!(
        failure(&["restore", file, restored]).0,
        3,
        "not over another server"
    );
    let seed = |folder: &str| std::fs::read(Path::new(folder).join("tokens.seed")).unwrap();
    assert_ne!(
        seed(restored),
        seed(&folder),
        "what was spent since could be spent again"
    );
    let packed = std::fs::read(file).unwrap();
    let old = seed(&folder);
    assert!(!packed.windows(64).any(|bytes| bytes == &old[..64]));

    let mut bytes = std::fs::read(file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let broken = dir.path().join("broken");
    std::fs::write(&broken, &bytes).unwrap();
    let target = dir.path().join("target");
    let (code, sentence) = failure(&[
        "restore",
        broken.to_str().unwrap(),
        target.to_str().unwrap(),
    ]);
    assert_eq!(code, 1);
    assert!(sentence.contains("nothing was restored"), "{sentence}");
    assert!(!target.exists());
}

#[test]
fn install_shows_what_it_would_do() {
    let dir = tempfile::tempdir().unwrap();
    let folder = made(&dir);
    let (code, out, _) = said(&run(&["install", &folder, "--dry-run"]));
    assert_eq!(code, Some(0));
    for line in [
        "Type=notify",
        "ProtectSystem=strict",
        "NoNewPrivileges=yes",
        "MemoryDenyWriteExecute=yes",
    ] {
        assert!(out.contains(line), "{line}");
    }
    let real = Path::new(&folder).canonicalize().unwrap();
    assert!(out.contains(&format!("run {}", real.display())), "{out}");
    assert_eq!(said(&run(&["uninstall", "--dry-run"])).0, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_debug_log_of_a_whole_run_names_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let folder = made(&dir);
    let settings = Path::new(&folder).join("undertone-server.toml");
    let open = std::fs::read_to_string(&settings)
        .unwrap()
        .replace("\"invitation\"", "\"open\"");
    std::fs::write(&settings, open).unwrap();
    let log = dir.path().join("log");
    let running = Running::start(
        &folder,
        "debug",
        std::fs::File::create(&log).unwrap().into(),
    );
    // The usual client, pointed at the other process.
    let mut there = TestServer::start().await;
    there.stop().await;
    there.address = running.listen.parse().unwrap();
    there.pin = json(&["status", &folder])["pin"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();

    let (mut ada, mut ben) = (Device::new(&there).await, Device::new(&there).await);
    let address = ben.address(AddressKind::Conversation).await;
    let mut outbox = there.paid_outbox(&mut ada).await;
    outbox
        .deliver(b"meet me at the bridge", &[&address])
        .await
        .unwrap();
    ben.give_credit(1).await;
    ben.item().await;
    // What is refused is logged, by code.
    let forged = ben.sign_in_on(&outbox);
    outbox.refused(forged).await;
    outbox.send_bytes(vec![9, 9].into()).await;
    outbox.closed_with().await;
    assert!(
        super::client::tls(there.address, undertone_wire::ids::Pin::random())
            .await
            .is_err()
    );
    let mut wrong = there.inbox().await;
    let request = ada.sign_in_on(&there.inbox().await);
    wrong.refused(request).await;
    assert_eq!(running.stop(), Some(0));

    let log = std::fs::read_to_string(&log).unwrap();
    assert!(
        log.contains("stopped") && log.contains("frame.malformed"),
        "{log}"
    );
    let hex = |bytes: &[u8]| data_encoding::HEXLOWER.encode(bytes);
    let forms = |bytes: &[u8]| {
        [
            hex(bytes),
            data_encoding::BASE64URL_NOPAD.encode(bytes),
            format!("{bytes:?}"),
        ]
    };
    let mut secrets = vec![
        "127.0.0.1".to_owned(),
        "[::1]".to_owned(),
        "bridge".to_owned(),
        "example.org".to_owned(),
    ];
    secrets.extend(forms(ada.queue.as_bytes()));
    secrets.extend(forms(ben.queue.as_bytes()));
    secrets.extend(forms(address.expose()));
    secrets.extend(forms(address.hash().as_bytes()));
    secrets.extend(forms(ada.key.verifying_key().as_bytes()));
    for secret in secrets {
        assert!(!log.contains(&secret), "{secret} in {log}");
    }
    let digit_pairs =
        |part: &str| part.len() >= 2 && part.bytes().rev().take(2).all(|b| b.is_ascii_digit());
    let time_of_day = log
        .split(':')
        .zip(log.split(':').skip(1))
        .any(|(before, after)| {
            digit_pairs(before) && after.bytes().take(2).filter(u8::is_ascii_digit).count() == 2
        });
    assert!(!time_of_day, "a time of day: {log}");
}
