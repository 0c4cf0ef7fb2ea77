//! Reaching a server's folder: through the socket of the server that runs on it, or by opening it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::socket::socket_path;
use super::{Answer, Command, Context, perform};
use crate::announcements::Announcements;
use crate::config::Config;
use crate::error::ServerError;
use crate::folder::{self, FolderLock};
use crate::identity::Identity;
use crate::server::{Opened, store_error};
use crate::store::Store as _;

/// How long a running server may take to answer. Copying a large store takes its time.
const ANSWER_LIMIT: Duration = Duration::from_secs(3600);

/// How long somebody may have the folder without answering.
const HAND_OVER: Duration = Duration::from_secs(5);
const HAND_OVER_STEP: Duration = Duration::from_millis(20);

/// Carries out a command on the folder `dir`, whether a server runs on it or not.
///
/// # Errors
/// The sentence for what is in the way.
pub fn ask(dir: &Path, command: &Command) -> Result<Answer, ServerError> {
    // Says plainly when this is no server's folder, before anything is created in it.
    folder::check_restored(dir)?;
    let config = Config::read(dir)?;
    let answer = match reach(dir)? {
        Reached::Folder(lock) => at_rest(dir, config, lock, command)?,
        Reached::Server(stream) => running(dir, stream, command)?,
    };
    match answer {
        Answer::Failed { code, sentence } => Err(ServerError::Told { code, sentence }),
        answer => Ok(answer),
    }
}

/// Whoever has the folder.
enum Reached {
    Folder(FolderLock),
    Server(UnixStream),
}

/// A server that is just starting or stopping, or another command, has the folder for a moment without
/// answering: that is waited for.
fn reach(dir: &Path) -> Result<Reached, ServerError> {
    let deadline = Instant::now() + HAND_OVER;
    loop {
        match FolderLock::take(dir) {
            Ok(lock) => return Ok(Reached::Folder(lock)),
            Err(ServerError::Running(_)) => {}
            Err(error) => return Err(error),
        }
        if let Ok(stream) = connect(dir) {
            return Ok(Reached::Server(stream));
        }
        if Instant::now() >= deadline {
            return Err(ServerError::NotAnswering(dir.to_path_buf()));
        }
        std::thread::sleep(HAND_OVER_STEP);
    }
}

fn connect(dir: &Path) -> std::io::Result<UnixStream> {
    let (path, _opened) = socket_path(dir).map_err(std::io::Error::other)?;
    UnixStream::connect(path)
}

/// Takes the folder for a server to run on it, waiting for a command that has it for a moment.
///
/// # Errors
/// [`ServerError::Running`] when a server runs on it already.
pub(crate) async fn take_for_server(dir: &Path) -> Result<FolderLock, ServerError> {
    let deadline = Instant::now() + HAND_OVER;
    loop {
        match FolderLock::take(dir) {
            Err(ServerError::Running(_)) if Instant::now() < deadline && connect(dir).is_err() => {
                tokio::time::sleep(HAND_OVER_STEP).await;
            }
            outcome => return outcome,
        }
    }
}

fn at_rest(
    dir: &Path,
    config: Config,
    lock: FolderLock,
    command: &Command,
) -> Result<Answer, ServerError> {
    let pin = Identity::read(dir)?.pin();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| ServerError::io("start", dir, &e))?;
    let answer = runtime.block_on(async {
        let opened = Opened::open(dir, &config).await?;
        let context = Context {
            dir: dir.to_path_buf(),
            pin,
            config,
            announcements: Arc::new(Announcements::read(dir)?),
            store: opened.store.clone(),
            gateway: None,
            copying: Arc::default(),
        };
        let answer = perform(&context, command.clone()).await;
        let closed = opened.store.close().await;
        let answer = answer?;
        closed.map_err(|error| store_error(dir, &error))?;
        Ok(answer)
    });
    drop(lock);
    answer
}

fn running(dir: &Path, mut stream: UnixStream, command: &Command) -> Result<Answer, ServerError> {
    let silent = |_| ServerError::NotAnswering(dir.to_path_buf());
    stream
        .set_read_timeout(Some(ANSWER_LIMIT))
        .map_err(silent)?;
    let mut line =
        serde_json::to_vec(command).map_err(|_| ServerError::NotAnswering(dir.to_path_buf()))?;
    line.push(b'\n');
    stream.write_all(&line).map_err(silent)?;
    let mut text = String::new();
    BufReader::new(stream)
        .read_line(&mut text)
        .map_err(silent)?;
    serde_json::from_str(&text).map_err(|_| ServerError::NotAnswering(dir.to_path_buf()))
}
