//! Opening the browser, and finding a host that runs already.
//!
//! The browser is given a file, not an address: arguments of programs can be read by every user of the computer, a file of mode
//! 0600 only by this one. The file leads to the page with a token behind `#`, which no browser sends anywhere; the page takes
//! it out of the address bar before it does anything else. A second start asks the first, over a socket of this user, for such a
//! file and opens it.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufRead, BufReader, Write},
    os::unix::{
        fs::{OpenOptionsExt, PermissionsExt},
        net::UnixStream as StdStream,
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use rustix::fs::FlockOperation;
use serde::{Deserialize, Serialize};
use tokio::{
    io::AsyncWriteExt,
    net::{UnixListener, UnixStream},
};

use super::{Host, doors, runtime_folder::RuntimeFolder};
use crate::failure::Failure;

/// A running host answers within this time.
const PATIENCE: Duration = Duration::from_secs(3);

/// A way in that was just made.
#[derive(Serialize, Deserialize)]
pub struct WayIn {
    /// `http://127.0.0.1:PORT/`.
    pub address: String,
    /// Six digits, for a browser that can't read the file.
    pub code: String,
    /// The redirect file; none if no browser is to be opened.
    pub file: Option<PathBuf>,
}

/// Whether this process is the one host of its home.
pub enum Place {
    /// It is.
    First(Held),
    /// Another one is, and answered this.
    Taken(WayIn),
}

/// The right to be the host of a home, for as long as it is held.
pub struct Held {
    socket: PathBuf,
    listener: Option<UnixListener>,
    _lock: File,
}

impl Drop for Held {
    fn drop(&mut self) {
        // The next host replaces one that stays.
        let _ = fs::remove_file(&self.socket);
    }
}

/// Becomes the host of a home, or asks the one that runs for a way in.
///
/// # Errors
/// `host.busy` if there is one and it doesn't answer; `host.runtime_folder`.
pub fn take_place(folder: &RuntimeFolder, browser: bool) -> Result<Place, Failure> {
    let trouble = |_| {
        Failure::new(
            "host.runtime_folder",
            "The folder for this session can't be written.",
        )
    };
    let lock = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(folder.lock())
        .map_err(trouble)?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        if rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok() {
            folder.sweep();
            let socket = folder.socket();
            match fs::remove_file(&socket) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(trouble(error));
                }
                _ => {}
            }
            let listener = UnixListener::bind(&socket).map_err(trouble)?;
            fs::set_permissions(&socket, fs::Permissions::from_mode(0o600)).map_err(trouble)?;
            return Ok(Place::First(Held {
                socket,
                listener: Some(listener),
                _lock: lock,
            }));
        }
        match ask(&folder.socket(), browser) {
            Ok(way) => return Ok(Place::Taken(way)),
            Err(_) if Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(50));
            }
            Err(_) => {
                return Err(Failure::new(
                    "host.busy",
                    "Undertone runs already and doesn't answer; end it first.",
                ));
            }
        }
    }
}

fn ask(socket: &Path, browser: bool) -> io::Result<WayIn> {
    let mut stream = StdStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(if browser { b"browser\n" } else { b"address\n" })?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
    serde_json::from_str(&line).map_err(io::Error::other)
}

impl Held {
    /// Answers those who start a second time.
    pub async fn answer(&mut self, host: Arc<Host>, folder: Arc<RuntimeFolder>) {
        let Some(listener) = self.listener.take() else {
            return;
        };
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            };
            let same_user = rustix::net::sockopt::socket_peercred(&stream)
                .is_ok_and(|peer| peer.uid == rustix::process::geteuid());
            if same_user {
                // One at a time; one that says nothing has three seconds.
                let _ = tokio::time::timeout(PATIENCE, answer_one(stream, &host, &folder)).await;
            }
        }
    }
}

async fn answer_one(
    stream: UnixStream,
    host: &Arc<Host>,
    folder: &RuntimeFolder,
) -> io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut lines = crate::rpc::line::Lines::new(reader, 16);
    let browser = match lines.next().await? {
        Some(crate::rpc::line::Line::Text(line)) => line == b"browser",
        _ => return Ok(()),
    };
    let Ok(way) = way_in(host, folder, browser) else {
        return Ok(());
    };
    let mut line = serde_json::to_vec(&way).map_err(io::Error::other)?;
    line.push(b'\n');
    writer.write_all(&line).await
}

/// Makes a way in: a code, and a redirect file that goes after 30 seconds.
///
/// # Errors
/// `host.random`, `host.runtime_folder`.
pub fn way_in(host: &Arc<Host>, folder: &RuntimeFolder, browser: bool) -> Result<WayIn, Failure> {
    let now = Instant::now();
    let code = host.doors.code(now)?;
    let address = format!("{}/", host.origin);
    let file = if browser {
        let token = host.doors.launch(now)?;
        let random = doors::token()?;
        let path = folder.redirect(&random[..16]);
        write_redirect(&path, &address, &token).map_err(|_| {
            Failure::new(
                "host.runtime_folder",
                "The folder for this session can't be written.",
            )
        })?;
        let gone = path.clone();
        tokio::spawn(async move {
            tokio::time::sleep(doors::LAUNCH_LIFE).await;
            // The token in it is over, whether or not it can be removed.
            let _ = fs::remove_file(gone);
        });
        Some(path)
    } else {
        None
    };
    Ok(WayIn {
        address,
        code: code.to_string(),
        file,
    })
}

fn write_redirect(path: &Path, address: &str, token: &str) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    // Both are digits, letters, dots, colons and slashes: nothing to be escaped.
    writeln!(
        file,
        "<!doctype html><meta charset=utf-8><meta name=referrer content=no-referrer><title>Undertone</title>\
         <meta http-equiv=refresh content=\"0;url={address}#{token}\">"
    )
}

/// Opens the file with the user's browser. False if there is no way to.
pub fn open_browser(file: &Path) -> bool {
    let opener = Command::new("xdg-open")
        .arg(file)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    match opener {
        Ok(mut child) => {
            // It may stay for as long as the browser; somebody must take note of its end.
            std::thread::spawn(move || child.wait());
            true
        }
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_redirect_file_is_this_users_only() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("x.html");
        write_redirect(&path, "http://127.0.0.1:4000/", "ab12").expect("written");
        assert_eq!(
            path.metadata().expect("there").permissions().mode() & 0o777,
            0o600
        );
        let text = fs::read_to_string(&path).expect("readable");
        assert!(text.contains("url=http://127.0.0.1:4000/#ab12\""), "{text}");
        assert!(write_redirect(&path, "http://127.0.0.1:4000/", "ab12").is_err());
    }
}
