//! Where the passphrase comes from: a terminal, an open file descriptor, or a file closed to others.
//!
//! Never from an argument or the environment: both can be read by other processes. The text is wiped when dropped.

use std::{
    fs::File,
    io::{IsTerminal, Read},
    os::unix::fs::MetadataExt,
    path::Path,
};

use zeroize::Zeroizing;

use super::args::Global;
use crate::failure::Failure;

/// Longest passphrase, in bytes.
const LONGEST: usize = 1024;
/// Shortest passphrase that a new home takes, in characters.
const SHORTEST: usize = 8;

/// The passphrase of an existing home, from where the options say, or asked for.
///
/// # Errors
/// `passphrase.*`, one sentence each.
pub fn existing(options: &Global) -> Result<Zeroizing<String>, Failure> {
    match given(options)? {
        Some(passphrase) => Ok(passphrase),
        None => ask("Passphrase: "),
    }
}

/// Whether a person types it, who may mistype.
#[must_use]
pub fn is_asked_for(options: &Global) -> bool {
    options.passphrase_file.is_none() && options.passphrase_fd.is_none()
}

/// The passphrase of a new home: asked for twice, at least 8 characters.
///
/// # Errors
/// `passphrase.*`, one sentence each.
pub fn new(options: &Global) -> Result<Zeroizing<String>, Failure> {
    let passphrase = if let Some(passphrase) = given(options)? {
        passphrase
    } else {
        asked_twice("New passphrase")?
    };
    check_new(&passphrase)?;
    Ok(passphrase)
}

/// Another passphrase beside the home's, from `file`, or asked for twice as `what`.
///
/// # Errors
/// `passphrase.*`, one sentence each.
pub fn another(what: &str, file: Option<&Path>) -> Result<Zeroizing<String>, Failure> {
    let passphrase = match file {
        Some(file) => from_file(file)?,
        None => asked_twice(what)?,
    };
    check_new(&passphrase)?;
    Ok(passphrase)
}

fn asked_twice(what: &str) -> Result<Zeroizing<String>, Failure> {
    let first = ask(&format!("{what}: "))?;
    check_new(&first)?;
    let second = ask("The same again: ")?;
    if *first != *second {
        return Err(Failure::new(
            "passphrase.differs",
            "The two passphrases are not the same; nothing was changed.",
        ));
    }
    Ok(first)
}

/// Whether a new home may have this passphrase.
///
/// # Errors
/// `passphrase.too_short`.
pub fn check_new(passphrase: &str) -> Result<(), Failure> {
    if passphrase.chars().count() < SHORTEST {
        return Err(Failure::new(
            "passphrase.too_short",
            format!(
                "A passphrase needs at least {SHORTEST} characters; five random words are a good one."
            ),
        ));
    }
    Ok(())
}

/// Twelve words that are no passphrase, from an open file descriptor, a file closed to others, or asked for. Never from an argument.
///
/// # Errors
/// `passphrase.*`, one sentence each.
pub fn words(descriptor: Option<u32>, file: Option<&Path>) -> Result<Zeroizing<String>, Failure> {
    match (file, descriptor) {
        (Some(path), _) => from_file(path),
        (None, Some(descriptor)) => from_descriptor(descriptor),
        (None, None) if std::io::stdin().is_terminal() || std::io::stderr().is_terminal() => {
            ask("The twelve words: ")
        }
        (None, None) => Err(Failure::new(
            "passphrase.missing",
            "There is no terminal to ask for the words; give them with --words-fd N or --words-file FILE.",
        )),
    }
}

fn given(options: &Global) -> Result<Option<Zeroizing<String>>, Failure> {
    if let Some(path) = &options.passphrase_file {
        return from_file(path).map(Some);
    }
    if let Some(descriptor) = options.passphrase_fd {
        return from_descriptor(descriptor).map(Some);
    }
    Ok(None)
}

fn ask(prompt: &str) -> Result<Zeroizing<String>, Failure> {
    if !std::io::stdin().is_terminal() && !std::io::stderr().is_terminal() {
        return Err(Failure::new(
            "passphrase.missing",
            "There is no terminal to ask for the passphrase; give it with --passphrase-fd N or --passphrase-file FILE.",
        ));
    }
    let typed = rpassword::prompt_password(prompt).map(Zeroizing::new).map_err(|_| {
        Failure::new(
            "passphrase.missing",
            "The passphrase could not be read from the terminal; give it with --passphrase-fd N or --passphrase-file FILE.",
        )
    })?;
    if typed.is_empty() {
        return Err(Failure::new(
            "passphrase.missing",
            "No passphrase was typed.",
        ));
    }
    Ok(typed)
}

fn from_file(path: &Path) -> Result<Zeroizing<String>, Failure> {
    let what = format!("The passphrase file {}", path.display());
    let unreadable = |error: std::io::Error| {
        let mut failure = Failure::file(&what, &error);
        failure.code = "passphrase.file_unreadable".to_owned();
        failure
    };
    let file = File::open(path).map_err(unreadable)?;
    // Checked on the open file, so that it can't be exchanged in between.
    let metadata = file.metadata().map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(Failure::new(
            "passphrase.file_unreadable",
            format!("{what} is no regular file."),
        ));
    }
    if metadata.uid() != rustix::process::geteuid().as_raw() {
        return Err(Failure::new(
            "passphrase.file_not_yours",
            format!("{what} belongs to another user; it must be yours."),
        ));
    }
    if metadata.mode() & 0o077 != 0 {
        return Err(Failure::new(
            "passphrase.file_open_to_others",
            format!("{what} can be read or changed by others; close it with chmod 600."),
        ));
    }
    first_line(file).map_err(|error| error.unwrap_or_else_file(&what))
}

fn from_descriptor(descriptor: u32) -> Result<Zeroizing<String>, Failure> {
    let what = format!("The passphrase on file descriptor {descriptor}");
    let failure = |error: LineError| error.unwrap_or_else_file(&what);
    if descriptor == 0 {
        return first_line(std::io::stdin()).map_err(failure);
    }
    let file = File::open(format!("/dev/fd/{descriptor}")).map_err(|_| {
        Failure::new(
            "passphrase.missing",
            format!("File descriptor {descriptor} is not open for reading."),
        )
    })?;
    first_line(file).map_err(failure)
}

enum LineError {
    Io(std::io::Error),
    Unusable(&'static str),
}

impl LineError {
    fn unwrap_or_else_file(self, what: &str) -> Failure {
        match self {
            Self::Io(error) => {
                let mut failure = Failure::file(what, &error);
                failure.code = "passphrase.missing".to_owned();
                failure
            }
            Self::Unusable(why) => Failure::new("passphrase.missing", format!("{what} {why}.")),
        }
    }
}

/// Reads up to the first line break and no further: what follows may be meant for somebody else.
fn first_line(mut source: impl Read) -> Result<Zeroizing<String>, LineError> {
    // Full capacity at once: a buffer that grows would leave copies behind.
    let mut line = Zeroizing::new(Vec::with_capacity(LONGEST + 1));
    let mut byte = Zeroizing::new([0_u8; 1]);
    loop {
        match source.read(&mut *byte) {
            Ok(0) => break,
            Ok(_) if byte[0] == b'\n' => break,
            Ok(_) if line.len() == LONGEST => {
                return Err(LineError::Unusable("is longer than 1024 bytes"));
            }
            Ok(_) => line.push(byte[0]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(LineError::Io(error)),
        }
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    if line.is_empty() {
        return Err(LineError::Unusable("is empty"));
    }
    let text = std::str::from_utf8(&line).map_err(|_| LineError::Unusable("is not UTF-8 text"))?;
    Ok(Zeroizing::new(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::{
        io::Write,
        os::unix::fs::{OpenOptionsExt, PermissionsExt},
    };

    use super::*;

    fn file(mode: u32, content: &[u8]) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("passphrase");
        let mut file = std::fs::OpenOptions::new()
            .create_new(true)
            .write(true)
            .mode(0o600)
            .open(&path)
            .expect("file");
        file.write_all(content).expect("write");
        file.set_permissions(std::fs::Permissions::from_mode(mode))
            .expect("mode");
        (folder, path)
    }

    #[test]
    fn a_closed_file_gives_its_first_line() {
        for content in [
            &b"correct horse\n"[..],
            b"correct horse",
            b"correct horse\r\nsecond line\n",
        ] {
            let (_folder, path) = file(0o600, content);
            assert_eq!(*taken(&path), "correct horse");
        }
        let (_folder, path) = file(0o400, b"correct horse");
        assert_eq!(*taken(&path), "correct horse");
    }

    #[test]
    fn a_file_open_to_others_is_refused_by_name() {
        for mode in [0o644, 0o640, 0o660, 0o604, 0o602] {
            let (_folder, path) = file(mode, b"correct horse");
            let failure = refusal(&path);
            assert_eq!(failure.code, "passphrase.file_open_to_others");
            assert!(failure.sentence.contains("chmod 600"));
            assert_eq!(failure.exit_code(), 3);
        }
    }

    #[test]
    fn what_holds_no_passphrase_is_refused() {
        for content in [&b""[..], b"\n", b"\r\n", b"\xff\xfe", &[b'x'; 1025]] {
            let (_folder, path) = file(0o600, content);
            assert_eq!(refusal(&path).code, "passphrase.missing");
        }
        let folder = tempfile::tempdir().expect("folder");
        assert_eq!(refusal(folder.path()).exit_code(), 3);
        assert_eq!(refusal(&folder.path().join("none")).exit_code(), 3);
    }

    #[test]
    fn a_longest_passphrase_is_read_whole() {
        let (_folder, path) = file(0o600, &[b'x'; 1024]);
        assert_eq!(taken(&path).len(), 1024);
    }

    #[test]
    fn a_new_passphrase_of_seven_characters_is_too_short() {
        assert_eq!(
            check_new("1234567").expect_err("refused").code,
            "passphrase.too_short"
        );
        assert!(check_new("12345678").is_ok());
        assert!(check_new("ünïcödé8").is_ok());
    }

    fn taken(path: &Path) -> Zeroizing<String> {
        from_file(path).unwrap_or_else(|failure| panic!("{}", failure.sentence))
    }

    fn refusal(path: &Path) -> Failure {
        match from_file(path) {
            Ok(_) => panic!("taken"),
            Err(failure) => failure,
        }
    }
}
