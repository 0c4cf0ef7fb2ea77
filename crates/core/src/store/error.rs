//! Why a store could not be opened, read or written.
//!
//! No variant carries a path, a value or SQL text in what it displays: these sentences end up in
//! logs and on screens. The SQLite result code is kept because it helps and says nothing.

use std::fmt;

use rusqlite::ErrorCode;

/// Result of a store operation.
pub type StoreResult<T> = Result<T, StoreError>;

/// An error of the encrypted store. `Display` gives one plain sentence, [`StoreError::code`] a stable code.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum StoreError {
    /// The key does not open this file, or the file is not a store.
    WrongKey,
    /// The file was written by a newer version of Undertone.
    Newer {
        /// Version of the data.
        found: u32,
        /// Highest version this program knows.
        known: u32,
    },
    /// The disk (or the quota) is full. Nothing was changed.
    DiskFull,
    /// The file or its folder can't be written.
    ReadOnly,
    /// The file does not exist, or can't be opened.
    CannotOpen,
    /// Pages of the file fail their checks.
    Corrupt,
    /// Another process uses the file.
    Busy,
    /// A row that had to exist does not.
    NotFound,
    /// A rule of the schema was violated (a duplicate key, a missing reference).
    Constraint,
    /// A stored value does not have the form that this version writes.
    Malformed,
    /// The operating system failed to read or write.
    Io,
    /// The operating system gave no randomness.
    Random,
    /// Any other SQLite result; the extended result code is kept.
    Sqlite(i32),
}

impl StoreError {
    /// Stable code, for scripts and for the interface.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::WrongKey => "store.wrong_key",
            Self::Newer { .. } => "store.newer",
            Self::DiskFull => "store.disk_full",
            Self::ReadOnly => "store.read_only",
            Self::CannotOpen => "store.cannot_open",
            Self::Corrupt => "store.corrupt",
            Self::Busy => "store.busy",
            Self::NotFound => "store.not_found",
            Self::Constraint => "store.constraint",
            Self::Malformed => "store.malformed",
            Self::Io => "store.io",
            Self::Random => "store.random",
            Self::Sqlite(_) => "store.sqlite",
        }
    }
}

impl StoreError {
    /// Whether the machine, its disk or who else uses the file is why it failed: the same change may go well later. Everything else is what was
    /// to be written or read, and that fails in the same way each time.
    #[must_use]
    pub fn is_of_the_machine(&self) -> bool {
        match self {
            Self::WrongKey
            | Self::Newer { .. }
            | Self::DiskFull
            | Self::ReadOnly
            | Self::CannotOpen
            | Self::Corrupt
            | Self::Busy
            | Self::Io
            | Self::Random => true,
            Self::NotFound | Self::Constraint | Self::Malformed => false,
            // No memory, interrupted, locking protocol, no large files.
            Self::Sqlite(code) => matches!(code & 0xFF, 7 | 9 | 15 | 22),
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongKey => f.write_str("This key does not open the store."),
            Self::Newer { found, known } => write!(
                f,
                "This home was written by a newer Undertone (data version {found}, this program knows {known}); use the newer program."
            ),
            Self::DiskFull => f.write_str("The disk is full; nothing was changed."),
            Self::ReadOnly => f.write_str("The home can't be written to."),
            Self::CannotOpen => f.write_str("The store file can't be opened."),
            Self::Corrupt => f.write_str("The store file is damaged."),
            Self::Busy => f.write_str("Another process uses the store."),
            Self::NotFound => f.write_str("The store does not hold what was asked for."),
            Self::Constraint => f.write_str("The store refused a change that breaks its rules."),
            Self::Malformed => f.write_str("The store holds a value that can't be understood."),
            Self::Io => f.write_str("The disk failed to read or write."),
            Self::Random => f.write_str("The operating system gave no randomness."),
            Self::Sqlite(code) => write!(f, "The store failed (SQLite result {code})."),
        }
    }
}

impl fmt::Debug for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(code) => write!(f, "{} ({code})", self.code()),
            _ => f.write_str(self.code()),
        }
    }
}

impl std::error::Error for StoreError {}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error {
            rusqlite::Error::SqliteFailure(cause, _)
            | rusqlite::Error::SqlInputError { error: cause, .. } => match cause.code {
                ErrorCode::DiskFull => Self::DiskFull,
                ErrorCode::ReadOnly | ErrorCode::PermissionDenied => Self::ReadOnly,
                ErrorCode::CannotOpen => Self::CannotOpen,
                ErrorCode::NotADatabase => Self::WrongKey,
                ErrorCode::DatabaseCorrupt => Self::Corrupt,
                ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Self::Busy,
                ErrorCode::ConstraintViolation => Self::Constraint,
                // The write-ahead log's index could not grow: what a full disk looks like when a store is opened.
                ErrorCode::SystemIoFailure
                    if cause.extended_code == rusqlite::ffi::SQLITE_IOERR_SHMSIZE =>
                {
                    Self::DiskFull
                }
                ErrorCode::SystemIoFailure => Self::Io,
                _ => Self::Sqlite(cause.extended_code),
            },
            rusqlite::Error::QueryReturnedNoRows => Self::NotFound,
            rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::ToSqlConversionFailure(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
            | rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::Utf8Error(..) => Self::Malformed,
            _ => Self::Sqlite(1),
        }
    }
}

impl StoreError {
    /// What an error of the file system means here.
    pub(crate) fn from_io(error: &std::io::Error) -> Self {
        use std::io::ErrorKind;
        match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
                Self::DiskFull
            }
            ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied => Self::ReadOnly,
            ErrorKind::NotFound | ErrorKind::NotADirectory => Self::CannotOpen,
            _ => Self::Io,
        }
    }
}

impl From<std::io::Error> for StoreError {
    fn from(error: std::io::Error) -> Self {
        Self::from_io(&error)
    }
}
