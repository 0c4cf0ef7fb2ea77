//! One home, several programs: the owner serves its socket, commands and JSON-RPC go through it.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use undertone_tests::{Failed, Outcome, Person, ServerProcess, binary};

const PATIENCE: Duration = Duration::from_secs(30);

/// A program that speaks to `undertone rpc`.
struct Program {
    child: Child,
    input: Option<ChildStdin>,
    lines: std::sync::mpsc::Receiver<String>,
}

impl Program {
    fn start(mut command: Command) -> Self {
        let mut child = command
            .arg("rpc")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("undertone rpc starts");
        let (sender, lines) = std::sync::mpsc::channel();
        let output = child.stdout.take().expect("standard output");
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let input = child.stdin.take();
        Self {
            child,
            input,
            lines,
        }
    }

    fn say(&mut self, line: &[u8]) {
        let input = self.input.as_mut().expect("open");
        input
            .write_all(line)
            .and_then(|()| input.write_all(b"\n"))
            .expect("the app reads");
    }

    fn ask(&mut self, id: u64, method: &str, params: &Value) {
        self.say(
            json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
                .to_string()
                .as_bytes(),
        );
    }

    /// The next line that is wanted; others are passed over.
    fn line(&self, wanted: impl Fn(&Value) -> bool) -> Value {
        let end = Instant::now() + PATIENCE;
        loop {
            let line = self
                .lines
                .recv_timeout(end.saturating_duration_since(Instant::now()))
                .expect("a line in time");
            let line: Value = serde_json::from_str(&line).expect("each line is JSON");
            if wanted(&line) {
                return line;
            }
        }
    }

    fn answer(&self, id: u64) -> Value {
        self.line(|line| line["id"] == id)
    }

    fn call(&mut self, id: u64, method: &str, params: &Value) -> Value {
        self.ask(id, method, params);
        let answer = self.answer(id);
        assert!(answer["error"].is_null(), "{method}: {answer}");
        answer["result"].clone()
    }

    /// Ends the input; gives the exit code.
    fn end(mut self) -> Option<i32> {
        drop(self.input.take());
        self.child.wait().expect("it ends").code()
    }
}

/// A command of this person without any passphrase: it works only through the process that has the home open.
fn without_passphrase(person: &Person, arguments: &[&str]) -> Outcome<std::process::Output> {
    let mut command = Command::new(binary("undertone")?);
    command
        .arg("--home")
        .arg(person.home())
        .arg("--json")
        .args(arguments)
        .stdin(Stdio::null());
    command
        .output()
        .map_err(|error| Failed::harness("undertone", error))
}

fn two_people() -> Outcome<(ServerProcess, Person, Person)> {
    let server = ServerProcess::start()?;
    let invitation = server.invitation(2)?;
    let ada = Person::join("Ada", &invitation)?;
    let ben = Person::join("Ben", &invitation)?;
    ada.meet(&ben)?;
    Ok((server, ada, ben))
}

#[test]
fn commands_go_through_the_process_that_has_the_home_open() -> Outcome {
    let (_server, ada, ben) = two_people()?;
    let watching = ada.watch()?;
    // It answers as soon as its socket is there.
    let socket = ada.home().join("rpc.sock");
    undertone_tests::eventually(PATIENCE, "the socket", || Ok(socket.exists().then_some(())))?;
    let sent = without_passphrase(&ada, &["send", "Ben", "through the socket"])?;
    assert!(
        sent.status.success(),
        "{}",
        String::from_utf8_lossy(&sent.stderr)
    );
    let sent: Value = serde_json::from_slice(&sent.stdout).expect("JSON");
    assert_eq!(sent["state"], "accepted");
    watching.message("through the socket", PATIENCE)?;
    ben.reads_eventually("Ada", &["through the socket"], PATIENCE)?;

    // What comes in reaches the watching process, and a command sees it at once.
    ben.send("Ada", "and back")?;
    watching.message("and back", PATIENCE)?;
    let read = without_passphrase(&ada, &["read", "Ben"])?;
    assert!(String::from_utf8_lossy(&read.stdout).contains("and back"));

    // A proxy that the owner doesn't use is not silently left out.
    let refused = without_passphrase(&ada, &["--proxy", "socks5://127.0.0.1:9", "status"])?;
    assert_eq!(
        refused.status.code(),
        Some(2),
        "{}",
        String::from_utf8_lossy(&refused.stderr)
    );

    // When it ends, the socket is gone, and the home is free for whoever has the passphrase.
    watching.stop()?;
    assert!(!socket.exists());
    assert_eq!(without_passphrase(&ada, &["chats"])?.status.code(), Some(3));
    assert!(ada.run(["chats"])?.is_array());
    Ok(())
}

#[test]
fn a_program_speaks_json_rpc_and_nonsense_does_not_disturb_it() -> Outcome {
    let (_server, ada, ben) = two_people()?;
    let mut program = Program::start(ada.command());
    assert_eq!(
        program.call(1, "session.hello", &json!({}))["app"],
        "undertone"
    );
    let chat = program.call(2, "chats.find", &json!({"selector": "Ben"}))["id"].clone();

    for nonsense in [
        &b"{"[..],
        b"\xff\xfe\x00",
        b"[]",
        b"1",
        br#"{"jsonrpc":"2.0","id":[],"method":"x"}"#,
    ] {
        program.say(nonsense);
        let answer = program.line(|line| line["id"].is_null() && !line["error"].is_null());
        assert!(
            answer["error"]["data"]["code"]
                .as_str()
                .is_some_and(|code| code.starts_with("rpc.")),
            "{answer}"
        );
    }
    program.say(&vec![b'['; 5 * 1024 * 1024]);
    assert_eq!(
        program.line(|line| line["id"].is_null())["error"]["data"]["code"],
        "rpc.too_large"
    );
    program.say("[".repeat(100_000).as_bytes());
    assert_eq!(
        program.line(|line| line["id"].is_null())["error"]["code"],
        -32700
    );
    program.ask(
        3,
        "chats.find",
        &json!({"selector": "Ben", "colour": "blue"}),
    );
    assert_eq!(program.answer(3)["error"]["code"], -32602);
    program.ask(4, "chats.paint", &json!({}));
    assert_eq!(program.answer(4)["error"]["code"], -32601);
    program.ask(5, "chats.find", &json!({"selector": "Zoe"}));
    let unknown = program.answer(5);
    assert_eq!(
        (&unknown["error"]["code"], &unknown["error"]["data"]["code"]),
        (&json!(-32000), &json!("chat.unknown"))
    );
    program.ask(
        6,
        "messages.send",
        &json!({"chat": chat, "text": "x", "attachments": [{"path": "relative.jpg"}]}),
    );
    assert_eq!(program.answer(6)["error"]["code"], -32602);

    // A batch answers its requests together; a notification gets no answer.
    program.say(
        json!([
            {"jsonrpc": "2.0", "id": "a", "method": "account.get"},
            {"jsonrpc": "2.0", "method": "account.get"},
            {"jsonrpc": "2.0", "id": "b", "method": "nothing"},
        ])
        .to_string()
        .as_bytes(),
    );
    let answers = program.line(Value::is_array);
    assert_eq!(answers.as_array().map(Vec::len), Some(2), "{answers}");

    // Events come once asked for.
    program.call(7, "events.subscribe", &json!({}));
    let sent = program.call(
        8,
        "messages.send",
        &json!({"chat": chat, "text": "over RPC", "wait_ms": 20_000}),
    );
    assert_eq!(sent["state"], "accepted");
    ben.reads_eventually("Ada", &["over RPC"], PATIENCE)?;
    ben.send("Ada", "heard")?;
    program.line(|line| line["method"] == "event" && line["params"]["message"]["text"] == "heard");
    assert_eq!(program.end(), Some(0));
    Ok(())
}

#[test]
fn messages_sent_without_waiting_keep_their_order() -> Outcome {
    let (_server, ada, ben) = two_people()?;
    let mut program = Program::start(ada.command());
    let chat = program.call(1, "chats.find", &json!({"selector": "Ben"}))["id"].clone();
    let words: Vec<String> = (0..100).map(|number| format!("number {number}")).collect();
    for (number, text) in (10..).zip(&words) {
        program.ask(
            number,
            "messages.send",
            &json!({"chat": chat, "text": text}),
        );
    }
    // The end of the input loses nothing that was asked before.
    assert_eq!(program.end(), Some(0));
    let expected: Vec<&str> = words.iter().map(String::as_str).collect();
    ben.reads_eventually("Ada", &expected, PATIENCE)?;
    Ok(())
}

#[test]
fn a_program_shares_the_home_with_a_watching_process() -> Outcome {
    let (_server, ada, ben) = two_people()?;
    let watching = ada.watch()?;
    let socket = ada.home().join("rpc.sock");
    undertone_tests::eventually(PATIENCE, "the socket", || Ok(socket.exists().then_some(())))?;
    let mut program = Program::start(ada.command());
    let chat = program.call(1, "chats.find", &json!({"selector": "Ben"}))["id"].clone();
    program.call(
        2,
        "messages.send",
        &json!({"chat": chat, "text": "shared", "wait_ms": 20_000}),
    );
    assert_eq!(program.end(), Some(0));
    watching.message("shared", PATIENCE)?;
    ben.reads_eventually("Ada", &["shared"], PATIENCE)?;
    watching.stop()
}
