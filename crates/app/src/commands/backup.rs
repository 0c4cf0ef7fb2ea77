//! `undertone backup` and `undertone restore`.

use std::path::Path;

use serde_json::json;
use undertone_core::{Client, ServerChoice, home::HomeError, home::Passphrase};
use zeroize::Zeroizing;

use super::{DELIVERY, NEWS, Visit, line_from_stdin, with};
use crate::{
    cli::{
        args::{BackupCommand, Global},
        output::{Outcome, Output},
        passphrase,
        progress::Progress,
    },
    failure::Failure,
    rpc::{
        methods::{AccountGet, BackupsGet, BackupsMake},
        params::{NewBackup, Nothing},
    },
    session::{Session, client_options, home_folder},
    terminal::{single_line, width},
};

/// The words, from a file or from standard input.
fn phrase(options: &Global, file: Option<&Path>) -> Result<Zeroizing<String>, Failure> {
    match file {
        Some(path) => std::fs::read_to_string(path)
            .map(Zeroizing::new)
            .map_err(|error| Failure::file("The file with the recovery phrase", &error)),
        None if options.passphrase_fd == Some(0) => Err(Failure::usage(
            "Standard input can't give both the passphrase and the recovery phrase; use another file descriptor, or --phrase-file.",
        )),
        None => line_from_stdin("The recovery phrase"),
    }
}

fn folder(path: &Path) -> Result<std::path::PathBuf, Failure> {
    std::path::absolute(path).map_err(|error| Failure::file("The backup's folder", &error))
}

/// `1 message`, `2 messages`.
fn counted(number: u64, one: &str) -> String {
    if number == 1 {
        format!("1 {one}")
    } else {
        format!("{number} {one}s")
    }
}

pub(super) async fn backup(
    options: &Global,
    output: &Output,
    command: BackupCommand,
) -> Result<Outcome, Failure> {
    match command {
        BackupCommand::Make {
            folder,
            media,
            phrase_file,
        } => make(options, output, &folder, media, phrase_file.as_deref()).await,
        BackupCommand::Verify {
            folder,
            phrase_file,
        } => verify(options, output, &folder, phrase_file.as_deref()).await,
    }
}

async fn make(
    options: &Global,
    output: &Output,
    place: &Path,
    media: bool,
    phrase_file: Option<&Path>,
) -> Result<Outcome, Failure> {
    let place = folder(place)?;
    let given = phrase_file
        .map(|file| phrase(options, Some(file)))
        .transpose()?;
    let visit = Visit::begin(options, output, NEWS).await?;
    with!(visit, |visit| {
        let ready = visit.session.call::<BackupsGet>(Nothing {}).await?.ready;
        if !ready && given.is_none() {
            return Err(Failure::new(
                "backup.no_key",
                "This device does not know yet what to encrypt backups to; give the recovery phrase once, with --phrase-file.",
            ));
        }
        visit.progress.say("Writing what is new");
        // Ctrl-C ends the run and leaves the backup before it as it was.
        let interrupt = visit.session.own_client().map(|(client, _)| {
            tokio::spawn(async move {
                if tokio::signal::ctrl_c().await.is_ok() {
                    client.cancel_backup();
                }
            })
        });
        let made = visit
            .session
            .call::<BackupsMake>(NewBackup {
                folder: place.clone(),
                media,
                recovery_phrase: given.as_ref().map(|words| words.to_string()),
            })
            .await;
        if let Some(interrupt) = interrupt {
            interrupt.abort();
        }
        let report = made?;
        Ok(Outcome::prose(
            json!({"folder": place, "report": report}),
            vec![
                format!(
                    "The backup is whole: {} of {} written, {}, {} in all.",
                    report.written,
                    counted(report.blocks, "part"),
                    counted(report.new_files, "new file"),
                    width::bytes(report.bytes_written)
                ),
                "Only your recovery phrase opens it. Whoever sees the folder sees how much it is, and when it was written.".to_owned(),
            ],
        ))
    })
}

async fn verify(
    options: &Global,
    output: &Output,
    place: &Path,
    phrase_file: Option<&Path>,
) -> Result<Outcome, Failure> {
    let place = folder(place)?;
    let words = phrase(options, phrase_file)?;
    let progress = Progress::start(output, "Checking every part");
    let tell = progress.teller();
    let checked = Client::check_backup(&place, &words, tell).await;
    progress.end();
    let check = checked?;
    Ok(Outcome::prose(
        json!(check),
        vec![format!(
            "The backup of {} from {} is whole: {}, {}, {}, {}; {} checked.",
            single_line(&check.name),
            output.clock.day_and_time(check.made_ms),
            counted(check.contacts, "contact"),
            counted(check.chats, "chat"),
            counted(check.messages, "line"),
            counted(check.files, "file"),
            width::bytes(check.bytes)
        )],
    ))
}

pub(super) async fn restore(
    options: &Global,
    output: &Output,
    place: &Path,
    server: &str,
    phrase_file: Option<&Path>,
) -> Result<Outcome, Failure> {
    if options.offline {
        return Err(Failure::usage(
            "A restored home is registered with a server; leave --offline out.",
        ));
    }
    let home = home_folder(options)?;
    if std::fs::read_dir(&home).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(HomeError::Exists.into());
    }
    let place = folder(place)?;
    let server: ServerChoice = server.trim().parse().map_err(Failure::from)?;
    let words = phrase(options, phrase_file)?;
    let passphrase = Passphrase::new(passphrase::new(options)?)?;
    let progress = Progress::start(output, "Restoring");
    let tell = progress.teller();
    let restored = Client::restore(
        &home,
        &passphrase,
        &server,
        &place,
        &words,
        client_options(options),
        tell,
    )
    .await;
    progress.end();
    let (client, report) = restored?;
    let progress = Progress::start(output, "Asking to be let in to your chats again");
    let mut session = Session::own(client, None, options).await?;
    let settled = session.settle(DELIVERY).await;
    let account = session.call::<AccountGet>(Nothing {}).await;
    progress.end();
    session.close().await?;
    settled?;
    let account = account?;
    let mut lines = vec![format!(
        "Welcome back, {}. {} and {} are here.",
        single_line(&account.name),
        counted(report.messages, "line"),
        counted(report.files, "file")
    )];
    if report.expired > 0 {
        lines.push(format!(
            "{} had their time since the backup was made and did not come back.",
            counted(report.expired, "message")
        ));
    }
    lines.push(if report.same_server {
        "Your chats go on as somebody in each of them lets this device in; until then they can be read. Other devices that your account had are out of them then: link those anew.".to_owned()
    } else {
        "Your chats were on another server; here they can be read, and no more.".to_owned()
    });
    lines.push("What protected your devices did not come back: the words of a kill code on paper reach nothing here, and there is no custodian, no duress passphrase and no dead-man timer. `undertone kill-code new` makes another code.".to_owned());
    Ok(Outcome::prose(
        json!({"account": account, "home": home, "report": report}),
        lines,
    ))
}
