//! `HOME/rpc.sock`: how later commands reach the process that owns the home.
//!
//! The socket is 0600 in a 0700 folder, and both ends check who the other one is (`SO_PEERCRED`): only
//! the same user, or root, passes. A socket file whose owner is gone is replaced by the next owner, which
//! is safe because only the holder of the home's lock makes one.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener as StdListener, UnixStream as StdStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::net::{UnixListener, UnixStream};

use super::folder;
use super::{HomeError, HomeResult, Owner};

/// The longest path that fits a socket address on Linux (`sun_path`), its final zero left out.
const ADDRESS_LEN: usize = 107;

/// What [`claim`] found.
pub enum Claim {
    /// No other process has the home: it is ours now.
    Owner(Owner),
    /// Another process serves the home; this is the connection to it.
    Served(StdStream),
}

/// Takes the home at `path` or connects to the process that has it. While that process starts up or
/// ends, this waits up to `patience`; it blocks.
///
/// # Errors
/// [`HomeError::Owned`] if another process keeps the home and serves no socket, [`HomeError::Missing`],
/// [`HomeError::ForeignOwner`], [`HomeError::ReadOnly`].
pub fn claim(path: &Path, patience: Duration) -> HomeResult<Claim> {
    let deadline = std::time::Instant::now() + patience;
    loop {
        match Owner::acquire(path) {
            Ok(owner) => return Ok(Claim::Owner(owner)),
            Err(HomeError::Owned) => {}
            Err(error) => return Err(error),
        }
        match connect(path) {
            Ok(stream) => return Ok(Claim::Served(stream)),
            Err(HomeError::NotServed) => {}
            Err(error) => return Err(error),
        }
        if std::time::Instant::now() >= deadline {
            return Err(HomeError::Owned);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Connects to the process that serves the home at `path`. The stream is in blocking mode.
///
/// # Errors
/// [`HomeError::NotServed`]; [`HomeError::ForeignOwner`] if a process of another user answers.
pub fn connect(path: &Path) -> HomeResult<StdStream> {
    let address = Address::of(path)?;
    let stream = match StdStream::connect(&address.path) {
        Ok(stream) => stream,
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
            ) =>
        {
            return Err(HomeError::NotServed);
        }
        Err(error) => return Err(error.into()),
    };
    if is_allowed_peer(&stream) {
        Ok(stream)
    } else {
        Err(HomeError::ForeignOwner)
    }
}

/// The process that has the home at `path` and serves no socket, if the system says which one it is.
#[must_use]
pub fn holder(path: &Path) -> Option<rustix::process::Pid> {
    let inode = fs::metadata(path.join(folder::LOCK)).ok()?.ino();
    let locks = fs::read_to_string("/proc/locks").ok()?;
    locks.lines().find_map(|line| {
        // `1: FLOCK  ADVISORY  WRITE 4711 08:02:1234 0 EOF`
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (kind, pid, file) = (*fields.get(1)?, *fields.get(4)?, *fields.get(5)?);
        let is_of_file = file.rsplit(':').next()?.parse() == Ok(inode);
        let pid = pid.parse().ok().filter(|pid| *pid > 1)?;
        (kind == "FLOCK" && is_of_file).then(|| rustix::process::Pid::from_raw(pid))?
    })
}

/// The owner's end. The socket file goes when this is dropped.
pub struct Listener {
    listener: UnixListener,
    path: PathBuf,
}

impl Listener {
    /// Makes the socket, in place of one that a dead owner left. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// [`HomeError::ReadOnly`], [`HomeError::DiskFull`], [`HomeError::Io`].
    pub fn bind(owner: &Owner) -> HomeResult<Self> {
        let path = owner.path().join(folder::SOCKET);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        let address = Address::of(owner.path())?;
        let listener = StdListener::bind(&address.path)?;
        // Until here the folder's 0700 keeps others out.
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        listener.set_nonblocking(true)?;
        Ok(Self {
            listener: UnixListener::from_std(listener)?,
            path,
        })
    }

    /// The next connection of the same user. Others are closed without a word.
    ///
    /// # Errors
    /// What the operating system says; the listener can be used on.
    pub async fn accept(&self) -> io::Result<UnixStream> {
        loop {
            let (stream, _) = self.listener.accept().await?;
            if is_allowed_peer(&stream) {
                return Ok(stream);
            }
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// Whether the process at the other end runs as this user, or as root, from whom nothing here is hidden.
fn is_allowed_peer(stream: &impl AsFd) -> bool {
    rustix::net::sockopt::socket_peercred(stream)
        .is_ok_and(|peer| peer.uid == rustix::process::geteuid() || peer.uid.is_root())
}

/// Where the socket of a home is bound. A home whose path is too long for a socket address is reached
/// through its folder's file descriptor.
struct Address {
    path: PathBuf,
    // Keeps the descriptor that `path` may name.
    _folder: Option<File>,
}

impl Address {
    fn of(home: &Path) -> HomeResult<Self> {
        let path = home.join(folder::SOCKET);
        if path.as_os_str().as_bytes().len() <= ADDRESS_LEN {
            return Ok(Self {
                path,
                _folder: None,
            });
        }
        let folder = File::open(home)?;
        let path = Path::new("/proc/self/fd")
            .join(folder.as_raw_fd().to_string())
            .join(folder::SOCKET);
        Ok(Self {
            path,
            _folder: Some(folder),
        })
    }
}
