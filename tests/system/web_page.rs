//! `undertone` as the host of its user interface, and a page that speaks to it: the other ends of what `web_host` tests.

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio_websockets::{ClientBuilder, Message};
use undertone_tests::{Failed, Outcome, binary};

/// How long an answer may take.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// `undertone` serving its user interface, with a runtime folder of its own and a browser that only notes what it is given.
pub struct Host {
    pub child: Child,
    pub folder: tempfile::TempDir,
    pub home: PathBuf,
    pub address: SocketAddr,
    pub code: String,
}

impl Host {
    pub fn command(folder: &Path, home: &Path) -> Outcome<Command> {
        Ok(Self::command_of(&binary("undertone")?, folder, home))
    }

    fn command_of(program: &Path, folder: &Path, home: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .env("XDG_RUNTIME_DIR", folder.join("runtime"))
            .env("PATH", folder.join("bin"))
            .env("UNDERTONE_TEST_CHEAP_KDF", "1")
            .args(["--json", "--home"])
            .arg(home);
        command
    }

    pub fn start(home: &Path, options: &[&str]) -> Outcome<Self> {
        Self::start_in(home, options, &[])
    }

    /// The same, with more in its environment.
    pub fn start_in(home: &Path, options: &[&str], more: &[(&str, &str)]) -> Outcome<Self> {
        Self::start_of(&binary("undertone")?, home, options, more)
    }

    /// The same, of a program that is at another place.
    pub fn start_of(
        program: &Path,
        home: &Path,
        options: &[&str],
        more: &[(&str, &str)],
    ) -> Outcome<Self> {
        let step = "starting the host";
        let folder = tempfile::tempdir().map_err(|error| Failed::harness(step, error))?;
        let place = folder.path();
        for name in ["runtime", "bin"] {
            fs::create_dir(place.join(name)).map_err(|error| Failed::harness(step, error))?;
            let private = fs::Permissions::from_mode(0o700);
            fs::set_permissions(place.join(name), private)
                .map_err(|error| Failed::harness(step, error))?;
        }
        // Stands for the browser: notes its arguments, and keeps a copy of the file that they name.
        let opener = place.join("bin/xdg-open");
        let noted = place.join("opened");
        let script = format!(
            "#!/bin/sh\necho \"$#\" > '{0}.count'\n/bin/cp \"$1\" '{0}.html'\necho \"$1\" > '{0}'\n",
            noted.display()
        );
        fs::write(&opener, script).map_err(|error| Failed::harness(step, error))?;
        fs::set_permissions(&opener, fs::Permissions::from_mode(0o700))
            .map_err(|error| Failed::harness(step, error))?;
        let mut child = Self::command_of(program, place, home)
            .args(options)
            .envs(more.iter().copied())
            .stdout(Stdio::piped())
            .stdin(Stdio::null())
            .spawn()
            .map_err(|error| Failed::harness(step, error))?;
        let said = first_line(&mut child)?;
        let address = said["address"]
            .as_str()
            .and_then(|address| {
                address
                    .strip_prefix("http://")?
                    .strip_suffix('/')?
                    .parse()
                    .ok()
            })
            .ok_or_else(|| Failed::harness(step, format!("no address in {said}")))?;
        Ok(Self {
            child,
            home: home.to_owned(),
            address,
            code: said["code"].as_str().unwrap_or_default().to_owned(),
            folder,
        })
    }

    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Sends bytes as they are; gives what comes back.
    pub fn raw(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(self.address).expect("connects");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.write_all(request.as_bytes()).expect("written");
        let mut answer = Vec::new();
        // A host that cuts the connection has answered as well.
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// The status of a request with these header lines; nothing is added but the end of the connection.
    pub fn status(&self, first: &str, headers: &[&str]) -> u16 {
        let lines: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
        let answer = self.raw(&format!(
            "{first} HTTP/1.1\r\n{lines}Connection: close\r\n\r\n"
        ));
        answer
            .split_whitespace()
            .nth(1)
            .and_then(|status| status.parse().ok())
            .unwrap_or(0)
    }

    pub async fn page(&self, first: Value) -> Outcome<(Value, Page)> {
        Page::connect(self.address, &self.origin(), first).await
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // One that has ended already can't be killed, and that is as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn first_line(child: &mut Child) -> Outcome<Value> {
    use std::io::{BufRead, BufReader};
    let step = "reading what the host says";
    let output = child
        .stdout
        .take()
        .ok_or_else(|| Failed::harness(step, "nothing."))?;
    let mut line = String::new();
    BufReader::new(output)
        .read_line(&mut line)
        .map_err(|error| Failed::harness(step, error))?;
    serde_json::from_str(&line).map_err(|error| Failed::harness(step, format!("{error}: {line}")))
}

/// A page's WebSocket.
pub struct Page(
    tokio_websockets::WebSocketStream<tokio_websockets::MaybeTlsStream<tokio::net::TcpStream>>,
);

impl Page {
    /// Connects and says who it is; gives the answer.
    pub async fn connect(
        address: SocketAddr,
        origin: &str,
        first: Value,
    ) -> Outcome<(Value, Self)> {
        let step = "connecting as a page";
        let uri = format!("ws://{address}/rpc");
        let (socket, _) = ClientBuilder::new()
            .uri(&uri)
            .map_err(|error| Failed::harness(step, error))?
            .add_header(
                "origin"
                    .parse()
                    .map_err(|_| Failed::harness(step, "no header"))?,
                origin
                    .parse()
                    .map_err(|_| Failed::harness(step, "no header"))?,
            )
            .map_err(|error| Failed::harness(step, error))?
            .connect()
            .await
            .map_err(|error| Failed::harness(step, error))?;
        let mut page = Self(socket);
        page.0
            .send(Message::text(first.to_string()))
            .await
            .map_err(|error| Failed::harness(step, error))?;
        let answer = page.next().await.unwrap_or(Value::Null);
        Ok((answer, page))
    }

    /// Says something more before it is let in; gives the answer.
    pub async fn say(&mut self, what: Value) -> Value {
        if self.0.send(Message::text(what.to_string())).await.is_err() {
            return Value::Null;
        }
        self.next().await.unwrap_or(Value::Null)
    }

    async fn next(&mut self) -> Option<Value> {
        let message = tokio::time::timeout(PATIENCE, self.0.next())
            .await
            .ok()??
            .ok()?;
        serde_json::from_str(message.as_text()?).ok()
    }

    pub async fn call(&mut self, method: &str, params: Value) -> Value {
        let request = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        if self
            .0
            .send(Message::text(request.to_string()))
            .await
            .is_err()
        {
            return Value::Null;
        }
        while let Some(message) = self.next().await {
            if message["id"] == 1 {
                return message;
            }
        }
        Value::Null
    }
}

/// Stands for what holds sleep up: notes that it does, and that it does no more.
pub fn sleep_delay(folder: &Path) -> PathBuf {
    let noted = folder.join("delay");
    let script = format!(
        "#!/bin/sh\necho \"held $1 $2\" > '{0}'\nwhile [ $# -gt 1 ]; do shift; done\n\"$1\"\necho over >> '{0}'\n",
        noted.display()
    );
    let program = folder.join("systemd-inhibit");
    fs::write(&program, script).expect("written");
    fs::set_permissions(program, fs::Permissions::from_mode(0o700)).expect("set");
    noted
}

/// Stands for the bus: says that logind is there, and what the desktop says once it is let.
pub fn desktop(folder: &Path) -> PathBuf {
    let said = folder.join("said");
    let script = format!(
        "#!/bin/sh\necho 'The name org.freedesktop.login1 is owned by :1.3'\nexec /usr/bin/tail -n +1 -F '{}' 2>/dev/null\n",
        said.display()
    );
    fs::write(folder.join("gdbus"), script).expect("written");
    fs::set_permissions(folder.join("gdbus"), fs::Permissions::from_mode(0o700)).expect("set");
    said
}
