//! `undertone init`: a new account on a server.

use std::{
    fs::{File, OpenOptions},
    io::{self, IsTerminal, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use serde_json::json;
use undertone_core::{
    Client, RecoveryPhrase, ServerChoice,
    home::{HomeError, Passphrase, Wipe},
};

use super::{DELIVERY, line_from_stdin};
use crate::{
    cli::{
        args::Global,
        output::{Outcome, Output},
        passphrase,
        progress::Progress,
    },
    failure::Failure,
    rpc::{methods::AccountGet, params::Nothing},
    session::{Session, client_options, home_folder},
    terminal::single_line,
};

pub(super) async fn init(
    options: &Global,
    output: &Output,
    server: &str,
    name: &str,
    recovery_file: Option<&Path>,
) -> Result<Outcome, Failure> {
    if options.offline {
        return Err(Failure::usage(
            "A new account needs its server; leave --offline out.",
        ));
    }
    let from_stdin = server == "-";
    if from_stdin && options.passphrase_fd == Some(0) {
        return Err(Failure::usage(
            "Standard input can't give both the invitation and the passphrase; use another file descriptor.",
        ));
    }
    if recovery_file.is_none() && !(io::stdout().is_terminal() && io::stdin().is_terminal()) {
        return Err(Failure::usage(
            "There is no terminal to show the recovery phrase on; give a new file for it with --recovery-file FILE.",
        ));
    }
    let home = home_folder(options)?;
    // What a wipe left, finished or not, makes room.
    if Wipe::finish_if_marked(&home)?.is_none()
        && std::fs::read_dir(&home).is_ok_and(|mut entries| entries.next().is_some())
    {
        return Err(HomeError::Exists.into());
    }
    let server = if from_stdin {
        line_from_stdin("An invitation")?
    } else {
        zeroize::Zeroizing::new(server.trim().to_owned())
    };
    let server: ServerChoice = server.parse().map_err(Failure::from)?;
    let passphrase = Passphrase::new(passphrase::new(options)?)?;
    let recovery = recovery_file.map(RecoveryFile::create).transpose()?;
    let progress = Progress::start(output, "Making keys and registering with the server");
    let (client, phrase) =
        Client::init(&home, &passphrase, &server, name, client_options(options)).await?;
    progress.end();
    match recovery {
        Some(recovery) => recovery.keep(&phrase)?,
        None => show(&phrase)?,
    }
    let progress = Progress::start(output, "Leaving keys with the server for contacts to use");
    let mut session = Session::own(client, None, options).await?;
    let settled = session.settle(DELIVERY).await;
    let account = session.call::<AccountGet>(Nothing {}).await;
    progress.end();
    session.close().await?;
    let (settled, account) = (settled?, account?);
    let mut lines = vec![format!(
        "Welcome, {}. Your account is on {}.",
        single_line(name),
        account.server
    )];
    if let Some(path) = recovery_file {
        lines.push(format!(
            "The recovery phrase is in {}; keep it on paper and delete the file.",
            single_line(&path.display().to_string())
        ));
    }
    lines.push("Next: `undertone link` makes a link for somebody to reach you, `undertone add LINK` uses theirs.".to_owned());
    let online = settled.is_some_and(|settled| settled.online);
    Ok(Outcome::prose(
        json!({"account": account, "home": home, "recovery_file": recovery_file, "online": online}),
        lines,
    ))
}

/// A new file, closed to others, made before the account so that the phrase is not lost for want of a place. Removed again
/// if no account comes of it.
struct RecoveryFile<'a> {
    path: &'a Path,
    file: File,
    kept: bool,
}

impl<'a> RecoveryFile<'a> {
    fn create(path: &'a Path) -> Result<Self, Failure> {
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .map_err(|error| {
                Failure::file(&format!("The recovery file {}", path.display()), &error)
            })?;
        Ok(Self {
            path,
            file,
            kept: false,
        })
    }

    fn keep(mut self, phrase: &RecoveryPhrase) -> Result<(), Failure> {
        self.kept = true;
        let written = self
            .file
            .write_all(phrase.words().as_bytes())
            .and_then(|()| self.file.write_all(b"\n"))
            .and_then(|()| self.file.sync_all());
        written.map_err(|error| {
            Failure::file(
                &format!(
                    "The account is there, but its recovery phrase could not be written to {}",
                    self.path.display()
                ),
                &error,
            )
        })
    }
}

impl Drop for RecoveryFile<'_> {
    fn drop(&mut self) {
        if !self.kept {
            // Nothing was written to it; if it can't be removed, an empty file stays.
            let _ = std::fs::remove_file(self.path);
        }
    }
}

/// Shows the phrase on the terminal's second screen, which leaves nothing in the scrollback.
fn show(phrase: &RecoveryPhrase) -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::file("The terminal", &error);
    let mut out = io::stdout().lock();
    write!(out, "\u{1b}[?1049h\u{1b}[2J\u{1b}[H").map_err(failed)?;
    let shown = (|| {
        writeln!(
            out,
            "\n  Your recovery phrase. Write it down on paper; it is shown only now.\n"
        )?;
        for (index, word) in phrase.words().split_whitespace().enumerate() {
            writeln!(out, "  {:>4}  {word}", index + 1)?;
        }
        writeln!(
            out,
            "\n  It is the only way to remove a stolen device safely. Nobody can give it to you again.\n"
        )?;
        write!(out, "  Press Enter when you have it on paper. ")?;
        out.flush()?;
        io::stdin().read_line(&mut String::new())
    })();
    // Back to the first screen whatever happened.
    write!(out, "\u{1b}[2J\u{1b}[3J\u{1b}[?1049l")
        .and_then(|()| out.flush())
        .map_err(failed)?;
    shown.map(|_| ()).map_err(failed)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_recovery_file_is_new_closed_to_others_and_gone_without_an_account() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("phrase");
        let file =
            RecoveryFile::create(&path).unwrap_or_else(|failure| panic!("{}", failure.sentence));
        assert_eq!(
            path.metadata().expect("there").permissions().mode() & 0o777,
            0o600
        );
        assert!(RecoveryFile::create(&path).is_err_and(|failure| failure.code == "file.exists"));
        drop(file);
        assert!(!path.exists());
    }
}
