//! The app left running, and spoken to over JSON-RPC on its standard input and output.

use std::io::Write;
use std::path::Path;
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::Receiver;
use std::time::Duration;

use serde_json::{Value, json};

use crate::failed::{Failed, Outcome};
use crate::person::Person;
use crate::server_process::text;
use crate::waiting::eventually;

/// The longest that any call takes; sending waits for the server no longer than this.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running `undertone rpc`.
pub struct Session {
    step: String,
    child: Child,
    input: Option<ChildStdin>,
    answers: Receiver<Value>,
    calls: u64,
}

impl Person {
    /// Leaves the app running and listening to calls.
    ///
    /// # Errors
    /// If it can't be started.
    pub fn rpc(&self) -> Outcome<Session> {
        let step = format!("{}: undertone rpc", self.name());
        let (mut child, answers) = self.left_running(&step, "rpc", Stdio::piped())?;
        let input = child.stdin.take();
        Ok(Session {
            step,
            child,
            input,
            answers,
            calls: 0,
        })
    }
}

impl Session {
    /// Waits for the process to end by itself.
    ///
    /// # Errors
    /// If it has not within a minute.
    pub fn ends(&mut self) -> Outcome<()> {
        eventually(PATIENCE, "the end of the process", || {
            let ended = self.child.try_wait();
            let ended = ended.map_err(|error| Failed::harness(&self.step, error))?;
            Ok(ended.map(drop))
        })
    }

    /// Calls a method and waits for its answer.
    ///
    /// # Errors
    /// What the method says.
    pub fn call(&mut self, method: &str, params: &Value) -> Outcome<Value> {
        self.calls += 1;
        let id = self.calls;
        let step = format!("{} {method}", self.step);
        let request = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        let input = self.input.as_mut();
        let input = input.ok_or_else(|| Failed::harness(&step, "its input is closed."))?;
        writeln!(input, "{request}").map_err(|error| Failed::harness(&step, error))?;
        loop {
            let answer = self.answers.recv_timeout(PATIENCE * 2);
            let answer =
                answer.map_err(|error| Failed::harness(&step, format!("no answer: {error}.")))?;
            if answer["id"] != id {
                continue;
            }
            let error = &answer["error"];
            if error.is_null() {
                return Ok(answer["result"].clone());
            }
            return Err(Failed {
                step,
                code: error["data"]["code"].as_str().unwrap_or("rpc").to_owned(),
                sentence: error["message"].as_str().unwrap_or_default().to_owned(),
                exit: None,
            });
        }
    }

    /// The id of the chat that is meant by a name, as soon as there is one.
    ///
    /// # Errors
    /// What the app says, or that there is none within a minute.
    pub fn chat(&mut self, name: &str) -> Outcome<String> {
        let what = format!("{} having the chat {name}", self.step);
        eventually(PATIENCE, &what, || {
            match self.call("chats.find", &json!({"selector": name})) {
                Ok(chat) => text(&chat, "id").map(Some),
                Err(failed) if failed.code == "chat.unknown" => Ok(None),
                Err(failed) => Err(failed),
            }
        })
    }

    /// Puts a text in the outbox; its place in the chat is settled by the server later.
    ///
    /// # Errors
    /// What the app says.
    pub fn queue(&mut self, chat: &str, words: &str) -> Outcome<Value> {
        self.call("messages.send", &json!({"chat": chat, "text": words}))
    }

    /// Sends a text and waits until the server has it on disk.
    ///
    /// # Errors
    /// What the app says, or that it is still queued after a minute.
    pub fn send(&mut self, chat: &str, words: &str) -> Outcome<Value> {
        self.accepted(&json!({"chat": chat, "text": words, "wait_ms": PATIENCE.as_millis()}))
    }

    /// Sends a file and waits until the server has it on disk.
    ///
    /// # Errors
    /// What the app says, or that it is still queued after a minute.
    pub fn send_file(&mut self, chat: &str, file: &Path) -> Outcome<Value> {
        let attachments = json!([{"path": file, "name": null, "keep_metadata": true}]);
        self.accepted(
            &json!({"chat": chat, "attachments": attachments, "wait_ms": PATIENCE.as_millis()}),
        )
    }

    fn accepted(&mut self, message: &Value) -> Outcome<Value> {
        let sent = self.call("messages.send", message)?;
        if sent["state"] == "accepted" {
            return Ok(sent);
        }
        Err(Failed::harness(
            &self.step,
            format!("it was not accepted: {sent}"),
        ))
    }

    /// The chat's lines, oldest first.
    ///
    /// # Errors
    /// What the app says.
    pub fn lines(&mut self, chat: &str) -> Outcome<Vec<Value>> {
        let lines = self.call("messages.list", &json!({"chat": chat, "limit": 1000}))?;
        let found = lines.as_array().cloned();
        found.ok_or_else(|| Failed::harness(&self.step, format!("no list: {lines}")))
    }

    /// Ends it at once: SIGKILL.
    pub fn kill9(&mut self) {
        // A child that has ended already can't be killed, and that is as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Closes its input and waits until it has ended, so that the home is free for others.
    ///
    /// # Errors
    /// If it does not end within a minute.
    pub fn end(mut self) -> Outcome {
        drop(self.input.take());
        let step = self.step.clone();
        let child = &mut self.child;
        let ended = eventually(PATIENCE, &step, || {
            child
                .try_wait()
                .map_err(|error| Failed::harness(&step, error))
        })?;
        if ended.success() {
            return Ok(());
        }
        Err(Failed::harness(&step, format!("it ended with {ended}.")))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.kill9();
    }
}

/// What people wrote, as "Name: text" (files as "Name: [name]"), in the chat's order.
#[must_use]
pub fn written(lines: &[Value]) -> Vec<String> {
    lines
        .iter()
        .filter(|line| line["kind"] == "message")
        .map(|line| {
            let words = line["text"].as_str().unwrap_or_default();
            let file = line["attachments"][0]["name"].as_str();
            let said = file.map_or_else(|| words.to_owned(), |file| format!("[{file}]"));
            format!("{}: {said}", line["sender_name"].as_str().unwrap_or("?"))
        })
        .collect()
}
