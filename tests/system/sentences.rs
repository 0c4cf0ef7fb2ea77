//! What can go wrong at a person's or an owner's hand: one plain sentence, an exit code, and nothing damaged.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};
use undertone_tests::hello_proxy::HelloProxy;
use undertone_tests::{Failed, Outcome, Person, ServerOptions, ServerProcess, binary, eventually};
use undertone_wire::Code;

const PATIENCE: Duration = Duration::from_secs(30);
const TWO_DAYS_S: u64 = 2 * 24 * 3600;

/// What a program said to a person, not to a script.
pub struct Said {
    pub exit: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Said {
    pub fn by(command: &mut Command) -> Outcome<Self> {
        let output = command
            .stdin(Stdio::null())
            .output()
            .map_err(|error| Failed::harness("running a program", error))?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok(Self {
            exit: output.status.code(),
            out: text(&output.stdout),
            err: text(&output.stderr),
        })
    }

    /// It failed with this exit code and said so in one plain sentence, which has these words.
    #[track_caller]
    pub fn refused(&self, exit: i32, words: &str) {
        let Self { err, out, .. } = self;
        assert_eq!(self.exit, Some(exit), "{err}{out}");
        assert_eq!(out, "", "nothing but the sentence");
        is_one_sentence(err, words);
    }

    /// It went through, and noted something beside its answer.
    #[track_caller]
    pub fn noted(&self, words: &str) {
        assert_eq!(self.exit, Some(0), "{}", self.err);
        is_one_sentence(&self.err, words);
    }
}

#[track_caller]
fn is_one_sentence(text: &str, words: &str) {
    assert_eq!(text.lines().count(), 1, "one line: {text:?}");
    assert!(text.contains(words), "{words:?} in {text:?}");
    for inner in [
        "panicked", "unwrap", "Error", "Err(", "Some(", "os error", "::",
    ] {
        assert!(!text.contains(inner), "{inner:?} in {text:?}");
    }
}

/// What the app says to a person: without `--json`.
pub fn said(person: &Person, arguments: &[&str]) -> Outcome<Said> {
    Said::by(person.command_for_people().args(arguments))
}

/// The command that makes a person's home.
pub fn init_command(person: &Person, server: &str) -> Command {
    let mut command = person.command_for_people();
    command.args(["init", "--name", person.name(), "--server", server]);
    command.arg("--recovery-file").arg(person.recovery_file());
    command
}

/// Somebody without a home yet, and what `undertone init` says to that server.
fn init(folder: &Path, server: &str) -> Outcome<(Person, Said)> {
    let person = Person::at("Late", folder)?.with_cheap_passphrase();
    let said = Said::by(&mut init_command(&person, server))?;
    Ok((person, said))
}

/// Nothing but what was there before: the passphrase's file.
#[track_caller]
fn nothing_was_made(person: &Person, folder: &Path) {
    let left: Vec<_> = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("readable").path())
        .collect();
    assert_eq!(left, [person.passphrase_file()]);
}

fn server_program(arguments: &[&str], folder: &Path, more: &[&str]) -> Outcome<Command> {
    let mut command = Command::new(binary("undertone-server")?);
    command.args(arguments).arg(folder).args(more);
    Ok(command)
}

pub fn two_people(server: &ServerProcess) -> Outcome<(Person, Person)> {
    let invitation = server.invitation(2)?;
    let ada = Person::join("Ada", &invitation)?;
    let ben = Person::join("Ben", &invitation)?;
    ada.meet(&ben)?;
    Ok((ada, ben))
}

struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // A child that has ended already can't be killed.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_wrong_pin_is_one_plain_sentence() -> Outcome {
    let mut server = ServerProcess::start()?;
    let (ada, ben) = two_people(&server)?;
    let other = ServerProcess::prepare(ServerOptions {
        open: true,
        ..ServerOptions::default()
    })?;

    // A new account at a server that is not the one of the invitation.
    let folder = tempfile::tempdir().expect("a folder");
    let (late, said_to_late) = init(
        folder.path(),
        &format!("{}+{}", server.address(), other.pin()),
    )?;
    said_to_late.refused(
        9,
        "This is not the server that was agreed on: its key is another one.",
    );
    nothing_was_made(&late, folder.path());

    // Another server takes the place of the one that Ada knows: she tells it nothing.
    server.stop()?;
    let listen = server.address().to_string();
    let impostor = server_program(&["run"], other.folder(), &["--listen", &listen])?
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let impostor = Killed(impostor.expect("a server"));
    eventually(PATIENCE, "the other server", || {
        Ok(TcpStream::connect(server.address()).is_ok().then_some(()))
    })?;
    let sent = said(&ada, &["send", "Ben", "Is it you?"])?;
    sent.noted("Offline: This is not the server that was agreed on: its key is another one.");
    assert!(sent.out.contains("Queued for Ben"), "{}", sent.out);
    let asked = said(&ada, &["link"])?;
    assert_eq!(asked.exit, Some(7), "{}", asked.err);
    drop(impostor);

    server.run()?;
    said(&ada, &["status"])?;
    ben.reads_eventually("Ada", &["Is it you?"], PATIENCE)
}

#[test]
fn a_used_an_expired_and_a_damaged_invitation() -> Outcome {
    let mut server = ServerProcess::start()?;
    let used = server.invitation(1)?;
    let ada = Person::join("Ada", &used)?;
    let folder = tempfile::tempdir().expect("a folder");
    let (late, answer) = init(folder.path(), &used)?;
    answer.refused(
        8,
        "This invitation has been used already; please ask for a new one.",
    );
    nothing_was_made(&late, folder.path());

    let expired = server.invitation(1)?;
    server.stop()?;
    let store = rusqlite::Connection::open(server.data().join("store.sqlite")).expect("a store");
    let a_minute_ago = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970")
        .as_secs() as i64
        - 60;
    let changed = store
        .execute("UPDATE invitations SET expires_s = ?1", [a_minute_ago])
        .expect("changed");
    assert!(changed > 0);
    drop(store);
    server.run()?;
    let (_, answer) = init(folder.path(), &expired)?;
    answer.refused(8, "This invitation has expired; please ask for a new one.");

    // Not at its end: there a character says less than its bits, and a wrong one may be none at all.
    let whole = server.invitation(1)?;
    let (before, from) = whole.split_at(whole.len() - 10);
    let changed = if from.starts_with('A') { 'B' } else { 'A' };
    let damaged = format!("{before}{changed}{}", &from[1..]);
    let (_, answer) = init(folder.path(), &damaged)?;
    answer.refused(2, "damaged; please copy it again.");
    let (_, answer) = init(folder.path(), "example.org")?;
    assert_eq!(answer.exit, Some(2), "{}", answer.err);
    nothing_was_made(&late, folder.path());
    ada.send("notes", "I am fine")?;
    Ok(())
}

#[test]
fn a_wrong_passphrase_and_a_home_that_is_not_there() -> Outcome {
    let server = ServerProcess::start()?;
    let ada = Person::join("Ada", &server.invitation(1)?)?;
    ada.send("notes", "Mine alone")?;
    let right = fs::read(ada.passphrase_file()).expect("a passphrase");
    fs::write(ada.passphrase_file(), "correct horse battery stable\n").expect("written");
    said(&ada, &["read", "notes"])?.refused(3, "The passphrase is wrong.");
    fs::write(ada.passphrase_file(), right).expect("written");
    assert_eq!(ada.texts("notes")?, ["Mine alone"]);

    let folder = tempfile::tempdir().expect("a folder");
    let nobody = Person::at("Nobody", folder.path())?;
    said(&nobody, &["chats"])?.refused(
        4,
        "There is no Undertone home in this folder; `undertone init` makes one.",
    );
    fs::create_dir(nobody.home()).expect("a folder");
    fs::write(nobody.home().join("thesis.txt"), "years of work").expect("a file");
    said(&nobody, &["chats"])?.refused(4, "There is no Undertone home in this folder");
    let (_, answer) = init(folder.path(), &server.invitation(1)?)?;
    answer.refused(4, "choose another folder");
    assert_eq!(
        fs::read_to_string(nobody.home().join("thesis.txt")).expect("untouched"),
        "years of work"
    );
    Ok(())
}

#[test]
fn a_home_in_use_is_shared_through_its_socket_and_never_owned_twice() -> Outcome {
    let server = ServerProcess::start()?;
    let (ada, ben) = two_people(&server)?;
    let mut watching = ada.watch()?;
    let socket = ada.home().join("rpc.sock");
    eventually(PATIENCE, "the socket", || Ok(socket.exists().then_some(())))?;
    assert_eq!(
        said(&ada, &["send", "Ben", "Through the socket"])?.exit,
        Some(0)
    );

    // Without the socket, the process that has the home can't be asked, and is not pushed aside.
    fs::rename(&socket, socket.with_extension("away")).expect("moved");
    said(&ada, &["send", "Ben", "Never said"])?.refused(12, "Another process is using this home.");
    fs::rename(socket.with_extension("away"), &socket).expect("moved back");
    assert_eq!(
        said(&ada, &["send", "Ben", "Through it again"])?.exit,
        Some(0)
    );

    // It is killed: its lock and its socket don't outlive it.
    watching.kill9();
    ada.send("Ben", "By myself")?;
    ben.reads_eventually(
        "Ada",
        &["Through the socket", "Through it again", "By myself"],
        PATIENCE,
    )
}

#[test]
fn a_server_too_old_or_too_new_is_named_and_nothing_is_lost() -> Outcome {
    let (server, proxy) = HelloProxy::before_a_server()?;
    let (ada, ben) = two_people(&server)?;
    let invitation = server.invitation(1)?;
    let folder = tempfile::tempdir().expect("a folder");
    for (code, sentence) in [
        (
            Code::VersionClientTooOld,
            "This app is too old for the server; please update the app.",
        ),
        (
            Code::VersionClientTooNew,
            "The server is too old for this app; please ask its owner to update it.",
        ),
    ] {
        proxy.twist(move |_, _| Err(code));
        let (late, answer) = init(folder.path(), &invitation)?;
        answer.refused(13, sentence);
        nothing_was_made(&late, folder.path());
        let sent = said(&ada, &["send", "Ben", code.as_str()])?;
        sent.noted(sentence);
        assert!(sent.out.contains("Queued for Ben"), "{}", sent.out);
        assert!(said(&ada, &["status"])?.out.contains(sentence));
    }
    proxy.twist(|_, _| Ok(()));
    said(&ada, &["status"])?;
    ben.reads_eventually(
        "Ada",
        &["version.client_too_old", "version.client_too_new"],
        PATIENCE,
    )
}

#[test]
fn a_clock_two_days_off_warns_and_goes_on() -> Outcome {
    let (server, proxy) = HelloProxy::before_a_server()?;
    let (ada, ben) = two_people(&server)?;
    let warning = "This computer's clock and the server's are 2 days apart.";

    // The server's clock is wrong, either way.
    for (text, ahead) in [("Tomorrow", true), ("Yesterday", false)] {
        proxy.twist(move |_, hello| {
            hello.time_s = if ahead {
                hello.time_s + TWO_DAYS_S
            } else {
                hello.time_s - TWO_DAYS_S
            };
            Ok(())
        });
        assert_eq!(said(&ada, &["send", "Ben", text])?.exit, Some(0));
        let status = said(&ada, &["status"])?;
        assert!(
            status.out.contains(warning) && status.out.contains("online"),
            "{}",
            status.out
        );
    }
    proxy.twist(|_, _| Ok(()));

    // Ada's is, either way: she sends and receives, also somebody who is new to her.
    for (text, off) in [("Two days late", "-172800"), ("Two days early", "172800")] {
        let sent = Said::by(
            ada.command_for_people()
                .env("UNDERTONE_TEST_CLOCK_OFF_S", off)
                .args(["send", "Ben", text]),
        )?;
        sent.noted(warning);
    }
    ben.reads_eventually(
        "Ada",
        &["Tomorrow", "Yesterday", "Two days late", "Two days early"],
        PATIENCE,
    )?;
    assert!(
        !said(&ada, &["status"])?.out.contains("apart"),
        "the clock is right again"
    );
    let folder = tempfile::tempdir().expect("a folder");
    let cleo = Person::at("Cleo", folder.path())?.with_cheap_passphrase();
    let mut command = init_command(&cleo, &server.invitation(1)?);
    command.env("UNDERTONE_TEST_CLOCK_OFF_S", "172800");
    assert_eq!(Said::by(&mut command)?.exit, Some(0));
    cleo.meet(&ada)
}

#[test]
fn a_server_that_cannot_start_says_why() -> Outcome {
    let mut server = ServerProcess::start()?;
    let (ada, ben) = two_people(&server)?;

    // The port is taken.
    let other = ServerProcess::prepare(ServerOptions::default())?;
    let listen = server.address().to_string();
    let taken = Said::by(&mut server_program(
        &["run"],
        other.folder(),
        &["--listen", &listen],
    )?)?;
    taken.refused(
        4,
        &format!("Port {} is already in use", server.address().port()),
    );
    assert!(taken.err.contains("--listen"), "the remedy: {}", taken.err);

    // Or that of its metrics, which another argument would not help.
    let settings = other.folder().join("undertone-server.toml");
    let before = fs::read_to_string(&settings).expect("settings");
    fs::write(&settings, format!("metrics = \"{listen}\"\n{before}")).expect("written");
    let free = &["--listen", "127.0.0.1:0"];
    let taken = Said::by(&mut server_program(&["run"], other.folder(), free)?)?;
    taken.refused(4, &format!("The metrics can't be shown at {listen}: that port is already in use; choose another address in the setting metrics."));
    let same = "metrics = \"127.0.0.1:7443\"\nlisten = \"127.0.0.1:7443\"\n".to_owned();
    let without = before.lines().filter(|line| !line.starts_with("listen"));
    let without: Vec<&str> = without.collect();
    fs::write(&settings, same + &without.join("\n")).expect("written");
    Said::by(&mut server_program(&["check-config"], other.folder(), &[])?)?
        .refused(3, "metrics and listen need different ports");
    fs::write(&settings, before).expect("as it was");

    // The folder is owned by a server that runs.
    Said::by(&mut server_program(
        &["run"],
        server.folder(),
        &["--listen", "127.0.0.1:0"],
    )?)?
    .refused(5, "A server is already running on");
    Said::by(&mut server_program(&["init"], server.folder(), &[])?)?
        .refused(3, "is not empty, so nothing was written");

    // No folder, or another one.
    let nowhere = tempfile::tempdir().expect("a folder");
    for folder in [nowhere.path().to_owned(), nowhere.path().join("missing")] {
        for command in [
            &["run"][..],
            &["status"],
            &["invite", "create"],
            &["check-config"],
        ] {
            Said::by(&mut server_program(command, &folder, &[])?)?.refused(
                3,
                "is not a server folder; make one with: undertone-server init",
            );
        }
    }
    assert_eq!(
        fs::read_dir(nowhere.path()).expect("a folder").count(),
        0,
        "nothing is left behind"
    );

    // Data of a newer version is left as it is.
    ada.send("Ben", "Before")?;
    server.stop()?;
    let path = server.data().join("store.sqlite");
    let version = |set: Option<i64>| -> i64 {
        let store = rusqlite::Connection::open(&path).expect("a store");
        if let Some(version) = set {
            store
                .pragma_update(None, "user_version", version)
                .expect("written");
        }
        store
            .pragma_query_value(None, "user_version", |row| row.get(0))
            .expect("read")
    };
    let known = version(None);
    version(Some(99));
    let before = fs::read(&path).expect("a store");
    for command in [&["run"][..], &["status"], &["invite", "create"]] {
        Said::by(&mut server_program(command, server.folder(), &[])?)?.refused(
            6,
            "written by a newer undertone-server; install that version or a later one.",
        );
    }
    assert!(fs::read(&path).expect("a store") == before, "untouched");
    version(Some(known));

    // A setting is wrong.
    let settings = server.folder().join("undertone-server.toml");
    let right = fs::read_to_string(&settings).expect("settings");
    fs::write(&settings, format!("colour = \"blue\"\n{right}")).expect("written");
    let wrong = Said::by(&mut server_program(&["run"], server.folder(), &[])?)?;
    wrong.refused(3, "colour");
    fs::write(&settings, right).expect("written");

    // A key that others can read.
    use std::os::unix::fs::PermissionsExt;
    let key = server.folder().join("identity.pem");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).expect("changed");
    Said::by(&mut server_program(&["run"], server.folder(), &[])?)?.refused(3, "chmod 600");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).expect("changed");

    server.run()?;
    ben.reads_eventually("Ada", &["Before"], PATIENCE)
}

#[test]
fn a_home_of_a_newer_version_is_left_as_it_is() -> Outcome {
    let server = ServerProcess::start()?;
    let ada = Person::join("Ada", &server.invitation(1)?)?;
    ada.send("notes", "From before")?;
    let keys = ada.home().join("keys");
    let right = fs::read(&keys).expect("keys");
    let mut newer = right.clone();
    newer[15] += 1;
    fs::write(&keys, &newer).expect("written");
    said(&ada, &["chats"])?.refused(
        13,
        "This home was written by a newer Undertone; use the newer program.",
    );
    assert!(fs::read(&keys).expect("keys") == newer, "untouched");
    fs::write(&keys, right).expect("written");
    assert_eq!(ada.texts("notes")?, ["From before"]);
    Ok(())
}

/// One HTTP exchange with the server over TLS.
fn http(server: &ServerProcess, request: &str) -> Outcome<String> {
    let failed = |error: std::io::Error| Failed::harness("asking over HTTP", error);
    let pin = server.pin().parse().expect("a pin");
    let mut config = undertone_wire::tls::client_config(pin).expect("TLS");
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let name = ServerName::try_from("undertone.invalid").expect("a name");
    let connection = ClientConnection::new(Arc::new(config), name).expect("TLS");
    let tcp = TcpStream::connect(server.address()).map_err(failed)?;
    tcp.set_read_timeout(Some(PATIENCE)).map_err(failed)?;
    let mut stream = StreamOwned::new(connection, tcp);
    write!(stream, "{request} HTTP/1.1\r\nHost: undertone.invalid\r\nAccept: text/html\r\nConnection: close\r\n\r\n").map_err(failed)?;
    let mut answer = Vec::new();
    // The end of a connection without a TLS goodbye is an end as well.
    let _ = stream.read_to_end(&mut answer);
    Ok(String::from_utf8_lossy(&answer).to_lowercase())
}

#[test]
fn the_server_serves_no_page() -> Outcome {
    let server = ServerProcess::start()?;
    let blob = "a".repeat(52);
    let mut requests: Vec<String> = ["GET", "HEAD", "POST", "OPTIONS"]
        .iter()
        .map(|method| format!("{method} /"))
        .collect();
    for path in [
        "/index.html",
        "/app.js",
        "/main.css",
        "/favicon.ico",
        "/robots.txt",
        "/.well-known/security.txt",
        "/v1",
        "/v1/connect",
        "/v1/blobs/",
        "/update",
        "/download",
        "/healthz",
        "/metrics",
        "/link/undertone:c:x",
        "//",
        "/../identity.pem",
    ] {
        requests.push(format!("GET {path}"));
    }
    requests.push(format!("GET /v1/blobs/{blob}"));
    for request in requests {
        let answer = http(&server, &request)?;
        assert!(answer.starts_with("http/1.1 "), "{request}: {answer}");
        for page in [
            "<",
            "html",
            "javascript",
            "wasm",
            "location:",
            "set-cookie",
            "server:",
            "private key",
        ] {
            assert!(!answer.contains(page), "{request}: {page:?} in {answer}");
        }
        let status = answer.split_whitespace().nth(1).unwrap_or_default();
        let fine = request == "GET /healthz";
        assert!(
            if fine {
                status == "200"
            } else {
                status.starts_with('4')
            },
            "{request}: {answer}"
        );
    }
    Ok(())
}
