//! Why a home could not be made, owned or unlocked: one plain sentence each.

use std::fmt;
use std::io;

use crate::store::StoreError;

/// Result of an operation on a home.
pub type HomeResult<T> = Result<T, HomeError>;

/// An error of the home. `Display` gives one plain sentence without paths, [`HomeError::code`] a stable code.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum HomeError {
    /// No slot opens under this passphrase.
    WrongPassphrase,
    /// Too many wrong passphrases in a row: so many seconds are to pass before the next attempt.
    TooSoon(u32),
    /// In the decoy, what concerns the owner's own store can't be done.
    Decoy,
    /// The empty passphrase is not accepted.
    EmptyPassphrase,
    /// This passphrase can't be taken, because a slot opens under it already.
    PassphraseTaken,
    /// There is no home in this folder.
    Missing,
    /// This home has been wiped; nothing is left in it.
    Wiped,
    /// The folder holds something already.
    Exists,
    /// Another process owns the home; talk to its socket.
    Owned,
    /// No process serves this home.
    NotServed,
    /// The folder belongs to another user, or the process at the socket does.
    ForeignOwner,
    /// The folder can't be written to.
    ReadOnly,
    /// The disk (or the quota) is full.
    DiskFull,
    /// The key table was written by a newer version.
    Newer,
    /// The key table does not have its form.
    Damaged,
    /// The home was made with the cheap key derivation of tests, which this program refuses.
    TestHome,
    /// There is not enough memory for the key derivation.
    Memory,
    /// Something still uses the store that was to be closed.
    InUse,
    /// The desktop's keyring is locked, gone, or does not have this home's secret. No attempt was counted.
    Keyring,
    /// No keyring keeps a secret here.
    NoKeyring,
    /// The operating system gave no randomness.
    Random,
    /// The operating system failed to read or write.
    Io,
    /// The store failed.
    Store(StoreError),
}

impl HomeError {
    /// Stable code, for scripts and for the interface.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::WrongPassphrase => "home.wrong_passphrase",
            Self::TooSoon(_) => "home.too_soon",
            Self::Decoy => "home.decoy",
            Self::EmptyPassphrase => "home.empty_passphrase",
            Self::PassphraseTaken => "home.passphrase_taken",
            Self::Missing => "home.missing",
            Self::Wiped => "home.wiped",
            Self::Exists => "home.exists",
            Self::Owned => "home.owned",
            Self::NotServed => "home.not_served",
            Self::ForeignOwner => "home.foreign_owner",
            Self::ReadOnly => "home.read_only",
            Self::DiskFull => "home.disk_full",
            Self::Newer => "home.newer",
            Self::Damaged => "home.damaged",
            Self::TestHome => "home.test_home",
            Self::Memory => "home.memory",
            Self::InUse => "home.in_use",
            Self::Keyring => "home.keyring",
            Self::NoKeyring => "home.no_keyring",
            Self::Random => "home.random",
            Self::Io => "home.io",
            Self::Store(error) => error.code(),
        }
    }
}

impl fmt::Display for HomeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooSoon(seconds) => {
                return write!(
                    f,
                    "Too many wrong passphrases; the next can be tried in {seconds} s."
                );
            }
            Self::Decoy => "This is the decoy; that can be done only in your own account.",
            Self::WrongPassphrase => "The passphrase is wrong.",
            Self::EmptyPassphrase => "The passphrase must not be empty.",
            Self::PassphraseTaken => "This passphrase can't be used; choose another one.",
            Self::Missing => {
                "There is no Undertone home in this folder; `undertone init` makes one."
            }
            Self::Wiped => {
                "This home has been wiped; nothing is left in it. `undertone init` makes a new one."
            }
            Self::Exists => "This folder is not empty; choose another folder for the home.",
            Self::Owned => "Another process is using this home.",
            Self::NotServed => "No running Undertone serves this home.",
            Self::ForeignOwner => "This home belongs to another user.",
            Self::ReadOnly => "The home can't be written to.",
            Self::DiskFull => "The disk is full; nothing was changed.",
            Self::Newer => "This home was written by a newer Undertone; use the newer program.",
            Self::Damaged => "The home's key table is damaged.",
            Self::TestHome => "This home was made for tests and can't be opened.",
            Self::Memory => "There is not enough memory to check the passphrase.",
            Self::InUse => "The home is still in use by this process.",
            Self::Keyring => {
                "This home needs the desktop's keyring, which is locked, not running, or without this home's secret; no attempt was counted."
            }
            Self::NoKeyring => {
                "No keyring of the desktop answers; it has to be unlocked, and `secret-tool` installed."
            }
            Self::Random => "The operating system gave no randomness.",
            Self::Io => "The disk failed to read or write.",
            Self::Store(error) => return error.fmt(f),
        })
    }
}

impl fmt::Debug for HomeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl std::error::Error for HomeError {}

impl From<StoreError> for HomeError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::DiskFull => Self::DiskFull,
            StoreError::ReadOnly => Self::ReadOnly,
            StoreError::Random => Self::Random,
            other => Self::Store(other),
        }
    }
}

impl From<io::Error> for HomeError {
    fn from(error: io::Error) -> Self {
        use io::ErrorKind;
        match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
                Self::DiskFull
            }
            ErrorKind::ReadOnlyFilesystem
            | ErrorKind::PermissionDenied
            | ErrorKind::NotADirectory
            | ErrorKind::IsADirectory => Self::ReadOnly,
            ErrorKind::NotFound => Self::Missing,
            _ => Self::Io,
        }
    }
}

impl From<rustix::io::Errno> for HomeError {
    fn from(error: rustix::io::Errno) -> Self {
        io::Error::from(error).into()
    }
}
