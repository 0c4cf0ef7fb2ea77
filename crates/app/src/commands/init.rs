//! `undertone init`: a new account on a server. And how twelve words, of whatever kind, are shown or written down once.

use std::{
    fs::{File, OpenOptions},
    io::{self, IsTerminal, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use serde_json::json;
use undertone_core::{
    Client, ServerChoice,
    home::{HomeError, Passphrase, Wipe},
};

use super::{DELIVERY, kill_code, line_from_stdin};
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

/// Whether a kill code is made with the account.
#[derive(Clone, Copy)]
pub(super) enum KillAtInit<'a> {
    /// Who sits at the terminal is asked; a script goes without.
    Ask,
    /// Written to a new file.
    File(&'a Path),
    /// Not now.
    No,
}

pub(super) async fn init(
    options: &Global,
    output: &Output,
    server: &str,
    name: &str,
    recovery_file: Option<&Path>,
    kill: KillAtInit<'_>,
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
    check_place(recovery_file, "recovery phrase", "--recovery-file")?;
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
    let recovery = KeptWords::begin(recovery_file, "recovery phrase", "--recovery-file")?;
    let kill_words = match kill {
        KillAtInit::File(path) => Some(KeptWords::begin(Some(path), "kill code", "--kill-file")?),
        KillAtInit::Ask | KillAtInit::No => None,
    };
    let progress = Progress::start(output, "Making keys and registering with the server");
    let (client, phrase) =
        Client::init(&home, &passphrase, &server, name, client_options(options)).await?;
    progress.end();
    recovery.keep(
        phrase.words(),
        &[
            "Your recovery phrase. Write it down on paper; it is shown only now.",
            "It is the only way to remove a stolen device safely, and the only thing that opens your backups. Nobody can give it to you again.",
        ],
    )?;
    drop(phrase);
    let kill_words = match (kill_words, kill) {
        (None, KillAtInit::Ask) if is_terminal() && wants_kill_code()? => {
            Some(KeptWords::begin(None, "kill code", "--kill-file")?)
        }
        (words, _) => words,
    };
    let has_kill_code = kill_words.is_some();
    if let Some(kept) = kill_words {
        kept.keep(client.new_kill_code().await?.words(), &kill_code::ABOUT)?;
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
    match kill {
        KillAtInit::File(path) => lines.push(format!(
            "The kill code is in {}; keep it on paper, apart from the recovery phrase, and delete the file.",
            single_line(&path.display().to_string())
        )),
        _ if has_kill_code => {}
        _ => lines.push("There is no kill code, with which you could have a lost device wiped; `undertone kill-code new` makes one.".to_owned()),
    }
    lines.push("Next: `undertone link` makes a link for somebody to reach you, `undertone add LINK` uses theirs.".to_owned());
    let online = settled.is_some_and(|settled| settled.online);
    Ok(Outcome::prose(
        json!({"account": account, "home": home, "recovery_file": recovery_file, "kill_code": has_kill_code, "online": online}),
        lines,
    ))
}

fn is_terminal() -> bool {
    io::stdout().is_terminal() && io::stdin().is_terminal()
}

fn wants_kill_code() -> Result<bool, Failure> {
    println!(
        "With a kill code, twelve more words on paper, you or somebody you trust can have a lost or seized device wiped from any machine."
    );
    println!("Make one now? Type yes or no.");
    let answer = line_from_stdin("An answer (yes or no)")?;
    Ok(answer.eq_ignore_ascii_case("yes") || answer.eq_ignore_ascii_case("y"))
}

/// There must be a place for words before they are made.
fn check_place(file: Option<&Path>, what: &str, option: &str) -> Result<(), Failure> {
    if file.is_none() && !is_terminal() {
        return Err(Failure::usage(format!(
            "There is no terminal to show the {what} on; give a new file for it with {option} FILE."
        )));
    }
    Ok(())
}

/// Where words go, once: the terminal, or a new file, closed to others, that is made before what they are for, so that they are not lost
/// for want of a place. The file is removed again if nothing comes of it.
pub(super) struct KeptWords<'a> {
    what: &'static str,
    file: Option<(&'a Path, File)>,
    kept: bool,
}

impl<'a> KeptWords<'a> {
    pub(super) fn begin(
        file: Option<&'a Path>,
        what: &'static str,
        option: &str,
    ) -> Result<Self, Failure> {
        check_place(file, what, option)?;
        let file = file
            .map(|path| {
                OpenOptions::new()
                    .write(true)
                    .create_new(true)
                    .mode(0o600)
                    .open(path)
                    .map(|file| (path, file))
                    .map_err(|error| {
                        Failure::file(
                            &format!("The file {} for the {what}", path.display()),
                            &error,
                        )
                    })
            })
            .transpose()?;
        Ok(Self {
            what,
            file,
            kept: false,
        })
    }

    /// Writes or shows them; `about` stands above and below.
    pub(super) fn keep(mut self, words: &str, about: &[&str; 2]) -> Result<(), Failure> {
        self.kept = true;
        let Some((path, file)) = &mut self.file else {
            return show(words, about);
        };
        let written = file
            .write_all(words.as_bytes())
            .and_then(|()| file.write_all(b"\n"))
            .and_then(|()| file.sync_all());
        written.map_err(|error| {
            Failure::file(
                &format!(
                    "It is made, but the {} could not be written to {}",
                    self.what,
                    path.display()
                ),
                &error,
            )
        })
    }
}

impl Drop for KeptWords<'_> {
    fn drop(&mut self) {
        if let (false, Some((path, _))) = (self.kept, &self.file) {
            // Nothing was written to it; if it can't be removed, an empty file stays.
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Shows words on the terminal's second screen, which leaves nothing in the scrollback.
fn show(words: &str, about: &[&str; 2]) -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::file("The terminal", &error);
    let mut out = io::stdout().lock();
    write!(out, "\u{1b}[?1049h\u{1b}[2J\u{1b}[H").map_err(failed)?;
    let shown = (|| {
        writeln!(out, "\n  {}\n", about[0])?;
        for (index, word) in words.split_whitespace().enumerate() {
            writeln!(out, "  {:>4}  {word}", index + 1)?;
        }
        writeln!(out, "\n  {}\n", about[1])?;
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
        let begin = |path| KeptWords::begin(Some(path), "recovery phrase", "--recovery-file");
        let file = begin(path.as_path()).unwrap_or_else(|failure| panic!("{}", failure.sentence));
        assert_eq!(
            path.metadata().expect("there").permissions().mode() & 0o777,
            0o600
        );
        assert!(begin(path.as_path()).is_err_and(|failure| failure.code == "file.exists"));
        drop(file);
        assert!(!path.exists());
    }
}
