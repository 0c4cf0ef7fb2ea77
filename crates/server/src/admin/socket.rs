//! The admin socket of a running server: one command and one answer a connection, each a line of JSON.

use std::os::fd::AsRawFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::{Answer, Command, Context, perform};
use crate::error::ServerError;
use crate::folder;
use crate::server::stopped;

/// A command's line is never longer.
const LINE_LIMIT: u64 = 4096;

/// Time for a command to arrive.
const READ_LIMIT: Duration = Duration::from_secs(5);

/// Commands at once.
const AT_ONCE: usize = 8;

/// Longest path that a socket address takes on Linux, with its final zero.
const PATH_LIMIT: usize = 107;

/// The bound socket.
pub struct AdminSocket {
    listener: UnixListener,
}

/// The path of a folder's admin socket, going through `/proc` where it would be too long for a socket address. The
/// opened folder must be kept while the path is used.
pub(super) fn socket_path(dir: &Path) -> Result<(PathBuf, Option<std::fs::File>), ServerError> {
    let path = dir.join(folder::ADMIN_SOCKET);
    if path.as_os_str().len() <= PATH_LIMIT {
        return Ok((path, None));
    }
    let opened = std::fs::File::open(dir).map_err(|e| ServerError::io("open", dir, &e))?;
    let through =
        PathBuf::from(format!("/proc/self/fd/{}", opened.as_raw_fd())).join(folder::ADMIN_SOCKET);
    Ok((through, Some(opened)))
}

impl AdminSocket {
    /// Binds `DIR/admin.sock` for its owner alone; the caller holds the folder's lock, so that a socket found there
    /// belongs to nobody any more.
    ///
    /// # Errors
    /// When the folder cannot be written to.
    pub fn bind(dir: &Path) -> Result<Self, ServerError> {
        let (path, _opened) = socket_path(dir)?;
        let failed =
            |e: std::io::Error| ServerError::io("create", &dir.join(folder::ADMIN_SOCKET), &e);
        match std::fs::remove_file(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
        // The folder itself is the owner's alone, so nobody gets in between these two calls.
        let listener = UnixListener::bind(&path).map_err(failed)?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).map_err(failed)?;
        Ok(Self { listener })
    }

    /// Answers commands until the server stops.
    pub async fn serve(self, context: Context, mut stopping: watch::Receiver<bool>) {
        let context = Arc::new(context);
        let mut commands = JoinSet::new();
        loop {
            tokio::select! {
                biased;
                () = stopped(&mut stopping) => break,
                Some(_) = commands.join_next() => {}
                accepted = self.listener.accept(), if commands.len() < AT_ONCE => match accepted {
                    Ok((stream, _)) if is_owner(&stream) => {
                        commands.spawn(answer(Arc::clone(&context), stream));
                    }
                    Ok(_) => tracing::warn!("admin socket: not the owner"),
                    Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
                }
            }
        }
        commands.shutdown().await;
    }
}

fn is_owner(stream: &UnixStream) -> bool {
    let own = rustix::process::geteuid().as_raw();
    stream
        .peer_cred()
        .is_ok_and(|peer| peer.uid() == own || peer.uid() == 0)
}

async fn answer(context: Arc<Context>, stream: UnixStream) {
    let (read, mut write) = stream.into_split();
    let mut line = String::new();
    let mut limited = BufReader::new(read.take(LINE_LIMIT));
    let Ok(Ok(_)) = tokio::time::timeout(READ_LIMIT, limited.read_line(&mut line)).await else {
        return;
    };
    let result = match serde_json::from_str::<Command>(&line) {
        Ok(command) => perform(&context, command).await,
        Err(_) => Err(ServerError::Usage(
            "The running server does not know this command; it may be of another version."
                .to_owned(),
        )),
    };
    let answer = result.unwrap_or_else(|error| Answer::Failed {
        code: error.code().to_owned(),
        sentence: error.to_string(),
    });
    if let Ok(mut text) = serde_json::to_vec(&answer) {
        text.push(b'\n');
        let _ = write.write_all(&text).await;
    }
}
