//! What can go wrong for the person who runs the server, one plain sentence and one exit code each.
//!
//! These reach a terminal, never a client: what clients are told is `undertone_wire`'s error codes. The
//! sentences name files of the owner's own machine, never anything that came from a client.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// A failure to start, stop or administer a server.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// A setting is wrong.
    #[error("The settings are wrong: {0}.")]
    Config(String),
    /// The folder holds no server.
    #[error("{} is not a server folder; make one with: undertone-server init {}", .0.display(), .0.display())]
    NotAServerFolder(PathBuf),
    /// `init` or `restore` into a folder that holds something.
    #[error("{} is not empty, so nothing was written; choose a new folder.", .0.display())]
    NotEmpty(PathBuf),
    /// Another process holds the folder's lock.
    #[error("A server is already running on {}; stop it first.", .0.display())]
    Running(PathBuf),
    /// A server runs but does not answer on its socket.
    #[error("The server running on {} does not answer; try again, and restart it if that does not help.", .0.display())]
    NotAnswering(PathBuf),
    /// The port is taken.
    #[error(
        "Port {} is already in use; stop the program that holds it (`ss -ltnp` names it) or choose another with --listen {}:PORT",
        .0.port(), bracketed(.0)
    )]
    AddressInUse(SocketAddr),
    /// The port needs rights.
    #[error("Port {} needs more rights than this user has; choose one above 1023 with --listen.", .0.port())]
    AddressForbidden(SocketAddr),
    /// The address is not this machine's.
    #[error("{} is not an address of this machine; choose another with --listen.", .0)]
    AddressUnavailable(SocketAddr),
    /// The same, of the port for metrics.
    #[error("The metrics can't be shown at {_0}: {}; choose another address in the setting metrics.", listening(*_1))]
    MetricsUnavailable(SocketAddr, std::io::ErrorKind),
    /// The data was written by a later version.
    #[error(
        "The data in this folder was written by a newer undertone-server; install that version or a later one."
    )]
    NewerData,
    /// A file is not what it should be.
    #[error("{} is damaged; put it back from a backup with: undertone-server restore", .0.display())]
    Damaged(PathBuf),
    /// A secret file can be read by others.
    #[error("{} can be read by other users; make it private with: chmod 600 {}", .0.display(), .0.display())]
    NotPrivate(PathBuf),
    /// The disk is full.
    #[error("There is no space left on the disk that holds {}; free some and try again.", .0.display())]
    DiskFull(PathBuf),
    /// The file system or folder is read-only.
    #[error("{} cannot be written to; check who owns it and whether the disk is read-only.", .0.display())]
    ReadOnly(PathBuf),
    /// Any other failed file operation.
    #[error("Could not {what} {}: {}.", path.display(), plainly(*kind))]
    Io {
        /// The verb, as in "read".
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// The operating system's words for it.
        kind: std::io::ErrorKind,
    },
    /// A cryptographic library refused.
    #[error("Could not {0}; this is a fault of the program or the machine.")]
    Crypto(&'static str),
    /// The store failed.
    #[error("The database could not be used: {0}.")]
    Store(String),
    /// The arguments do not fit together.
    #[error("{0}")]
    Usage(String),
    /// A file is no backup, or not a whole one.
    #[error("{} is not a complete backup; nothing was restored.", .0.display())]
    NotABackup(PathBuf),
    /// Two backups at once.
    #[error("Another backup of {} is being made; try again when it is done.", .0.display())]
    BackupUnderWay(PathBuf),
    /// A restore was interrupted.
    #[error(
        "Restoring into {} was interrupted, so it is no server; remove it and restore once more.",
        .0.display()
    )]
    Unfinished(PathBuf),
    /// A running server's own failure, as it told it.
    #[error("{sentence}")]
    Told {
        /// [`ServerError::code`] over there.
        code: String,
        /// Its sentence.
        sentence: String,
    },
    /// An outside program needed by `install` failed.
    #[error("{0}")]
    Install(String),
}

fn bracketed(address: &SocketAddr) -> String {
    match address {
        SocketAddr::V4(v4) => v4.ip().to_string(),
        SocketAddr::V6(v6) => format!("[{}]", v6.ip()),
    }
}

/// Why nobody can listen there.
fn listening(kind: std::io::ErrorKind) -> String {
    use std::io::ErrorKind;
    match kind {
        ErrorKind::AddrInUse => "that port is already in use".to_owned(),
        ErrorKind::PermissionDenied => "that port needs more rights than this user has".to_owned(),
        ErrorKind::AddrNotAvailable => "that is not an address of this machine".to_owned(),
        other => other.to_string(),
    }
}

/// What went wrong with a file, in words for whoever runs the server.
fn plainly(kind: std::io::ErrorKind) -> String {
    use std::io::ErrorKind;
    match kind {
        ErrorKind::NotFound => "there is no such file or folder".to_owned(),
        ErrorKind::PermissionDenied => "this user may not".to_owned(),
        ErrorKind::AlreadyExists => "it exists already".to_owned(),
        ErrorKind::IsADirectory => "it is a folder".to_owned(),
        ErrorKind::NotADirectory => "a part of its path is no folder".to_owned(),
        other => other.to_string(),
    }
}

impl ServerError {
    /// Puts an operating system error into the variant that has the best sentence.
    #[must_use]
    pub fn io(what: &'static str, path: &Path, error: &std::io::Error) -> Self {
        use std::io::ErrorKind;
        match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Self::DiskFull(path.to_path_buf()),
            ErrorKind::ReadOnlyFilesystem => Self::ReadOnly(path.to_path_buf()),
            ErrorKind::PermissionDenied if what != "read" => Self::ReadOnly(path.to_path_buf()),
            kind => Self::Io {
                what,
                path: path.to_path_buf(),
                kind,
            },
        }
    }

    /// The process exit code: 1 failed, 2 wrong arguments, 3 wrong settings or folder, 4 address not
    /// available, 5 a server is running, 6 newer data, 7 disk full or read-only.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Told { code, .. } => match code.as_str() {
                "usage" => 2,
                "config" | "not_private" => 3,
                "newer_data" => 6,
                "disk_full" | "read_only" => 7,
                _ => 1,
            },
            Self::Usage(_) => 2,
            Self::Config(_)
            | Self::NotAServerFolder(_)
            | Self::NotEmpty(_)
            | Self::NotPrivate(_)
            | Self::Unfinished(_) => 3,
            Self::AddressInUse(_)
            | Self::AddressForbidden(_)
            | Self::AddressUnavailable(_)
            | Self::MetricsUnavailable(..) => 4,
            Self::Running(_) | Self::NotAnswering(_) => 5,
            Self::NewerData => 6,
            Self::DiskFull(_) | Self::ReadOnly(_) => 7,
            _ => 1,
        }
    }

    /// A short stable name for programs and logs.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::Config(_) => "config",
            Self::NotAServerFolder(_) => "not_a_server_folder",
            Self::NotEmpty(_) => "not_empty",
            Self::Running(_) => "running",
            Self::NotAnswering(_) => "not_answering",
            Self::AddressInUse(_) => "address_in_use",
            Self::AddressForbidden(_) => "address_forbidden",
            Self::AddressUnavailable(_) => "address_unavailable",
            Self::MetricsUnavailable(..) => "metrics_unavailable",
            Self::NewerData => "newer_data",
            Self::Damaged(_) => "damaged",
            Self::NotPrivate(_) => "not_private",
            Self::DiskFull(_) => "disk_full",
            Self::ReadOnly(_) => "read_only",
            Self::Io { .. } => "io",
            Self::Crypto(_) => "crypto",
            Self::Store(_) => "store",
            Self::Usage(_) => "usage",
            Self::NotABackup(_) => "not_a_backup",
            Self::BackupUnderWay(_) => "backup_under_way",
            Self::Unfinished(_) => "unfinished",
            Self::Told { code, .. } => code,
            Self::Install(_) => "install",
        }
    }
}
