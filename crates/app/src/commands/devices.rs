//! `undertone init --link` and `undertone devices`.

use std::{io::IsTerminal as _, path::Path, time::Duration};

use serde_json::json;
use undertone_core::{
    DeviceInfo, DeviceState, HistoryInfo, HistoryState, LinkServer, Linking, LinkingState,
    home::{HomeError, Passphrase, Wipe},
};
use zeroize::Zeroizing;

use super::{DELIVERY, NEWS, Visit, line_from_stdin, with};
use crate::{
    cli::{
        args::{DevicesCommand, Global},
        output::{Outcome, Output, write_stdout},
        passphrase,
        progress::Progress,
    },
    failure::Failure,
    rpc::{
        methods::{
            AccountGet, DevicesHistory, DevicesLink, DevicesList, DevicesRemove, DevicesRename,
            LinkingCancel, LinkingConfirm, LinkingGet,
        },
        params::{GivenCode, Nothing, RemovedDevice, RenamedDevice},
    },
    session::{Session, client_options, home_folder},
    terminal::{Screen, qr, single_line, time::Clock},
};

/// How often it is looked whether the other device has got on.
const LOOK: Duration = Duration::from_millis(100);
/// How long the other device may take: a person walks from one to the other.
const PATIENCE: Duration = Duration::from_secs(3600);

/// What is said while a command goes on: lines for people, one JSON value a line for scripts.
fn say(options: &Global, json: &serde_json::Value, lines: &[String]) -> Result<(), Failure> {
    let text = if options.json {
        format!("{json}\n")
    } else {
        lines.join("\n") + "\n"
    };
    write_stdout(text.as_bytes()).map(|_| ())
}

fn ask_whether_same(options: &Global, words: &str) -> Result<bool, Failure> {
    say(
        options,
        &json!({"words": words}),
        &[
            String::new(),
            format!("  {words}"),
            String::new(),
            "Does the other device show the same six words? Type yes or no.".to_owned(),
        ],
    )?;
    is_yes()
}

fn refused() -> Failure {
    Failure::new(
        "linking.refused",
        "The words are not the same, or you said no: nothing was linked, and nothing is left of it.",
    )
}

/// Reading the passphrase and answers from one stream can't work.
fn check_stdin(options: &Global) -> Result<(), Failure> {
    if options.passphrase_fd == Some(0) {
        return Err(Failure::usage(
            "Standard input can't give both the passphrase and answers; use another file descriptor.",
        ));
    }
    Ok(())
}

/// Makes a home that another device of the account links, or goes on with one.
pub(super) async fn init_linked(
    options: &Global,
    output: &Output,
    server: &str,
    device_name: Option<&str>,
) -> Result<Outcome, Failure> {
    if options.offline {
        return Err(Failure::usage(
            "Linking a device needs the server; leave --offline out.",
        ));
    }
    check_stdin(options)?;
    let home = home_folder(options)?;
    let linking = begin_or_resume(options, output, &home, server, device_name).await?;
    if !linking.is_confirmed().await? {
        show_code(options, output, &linking).await?;
        let words = tokio::select! {
            words = linking.words() => words,
            _ = tokio::signal::ctrl_c() => {
                linking.abandon().await?;
                return Err(refused());
            }
        };
        let words = match words {
            Ok(words) => words,
            Err(error) => {
                // Nothing came of it, and nothing can: the home goes with the code.
                let _ = linking.abandon().await;
                return Err(error.into());
            }
        };
        if !ask_whether_same(options, &words)? {
            linking.abandon().await?;
            return Err(refused());
        }
    }
    let progress = Progress::start(output, "Waiting for the other device");
    let client = linking.confirm().await?;
    progress.end();
    let progress = Progress::start(output, "Taking over the conversations");
    let mut session = Session::own(client, None, options).await?;
    let outcome = async {
        let deadline = tokio::time::Instant::now() + DELIVERY;
        loop {
            session.settle(DELIVERY).await?;
            let devices = session.call::<DevicesList>(Nothing {}).await?;
            if devices.len() > 1 || tokio::time::Instant::now() >= deadline {
                break;
            }
            tokio::time::sleep(LOOK).await;
        }
        session.settle(DELIVERY).await?;
        session.call::<AccountGet>(Nothing {}).await
    }
    .await;
    progress.end();
    session.close().await?;
    let account = outcome?;
    Ok(Outcome::prose(
        json!({"account": account, "home": home}),
        vec![
            format!(
                "This device belongs to {}'s account now.",
                single_line(&account.name)
            ),
            "Its conversations come as the other device lets it in; `undertone chats` lists them."
                .to_owned(),
        ],
    ))
}

async fn begin_or_resume(
    options: &Global,
    output: &Output,
    home: &Path,
    server: &str,
    device_name: Option<&str>,
) -> Result<Linking, Failure> {
    let exists = Wipe::finish_if_marked(home)?.is_none()
        && std::fs::read_dir(home).is_ok_and(|mut entries| entries.next().is_some());
    if exists {
        let passphrase = Passphrase::new(passphrase::existing(options)?)?;
        let resumed = Linking::resume(home, &passphrase, client_options(options)).await;
        return resumed.map_err(|error| {
            if error.code() == "linking.none" {
                HomeError::Exists.into()
            } else {
                error.into()
            }
        });
    }
    let server: LinkServer = server.parse().map_err(Failure::from)?;
    let passphrase = Passphrase::new(passphrase::new(options)?)?;
    let own_name;
    let name = match device_name {
        Some(name) => name,
        None => {
            own_name = machine_name();
            &own_name
        }
    };
    let progress = Progress::start(output, "Making keys");
    let begun = Linking::begin(home, &passphrase, &server, name, client_options(options)).await;
    progress.end();
    Ok(begun?)
}

/// What this machine is called; only the account's own devices see it.
pub(crate) fn machine_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name: String = name
        .trim()
        .chars()
        .filter(|c| !c.is_control())
        .take(32)
        .collect();
    if name.is_empty() {
        "New device".to_owned()
    } else {
        name
    }
}

async fn show_code(options: &Global, output: &Output, linking: &Linking) -> Result<(), Failure> {
    let code = Zeroizing::new(linking.code().await?);
    let until = output.clock.day_and_time(linking.expires_ms().await?);
    let mut lines = vec![code.to_string(), String::new()];
    match qr::draw(&code, output.screen) {
        Some(drawn) => lines.extend(drawn),
        None => lines.push("(The window is too narrow for the QR code.)".to_owned()),
    }
    lines.push(String::new());
    lines.push(format!(
        "On your other device: undertone devices link CODE. The code is good once, until {until}."
    ));
    lines.push("Show it to nobody else.".to_owned());
    say(options, &json!({"code": *code}), &lines)
}

pub(super) async fn devices(
    options: &Global,
    output: &Output,
    command: Option<DevicesCommand>,
) -> Result<Outcome, Failure> {
    match command.unwrap_or(DevicesCommand::List) {
        DevicesCommand::List => {
            let visit = Visit::begin(options, output, NEWS).await?;
            with!(visit, |visit| {
                let devices = visit.session.call::<DevicesList>(Nothing {}).await?;
                let histories = visit.session.call::<DevicesHistory>(Nothing {}).await?;
                let mut lines = list(&devices, output.screen, &output.clock);
                lines.extend(histories.iter().filter_map(|one| past(one, &devices)));
                Ok(Outcome::new(json!(devices), lines))
            })
        }
        DevicesCommand::Link {
            code,
            history,
            no_history,
        } => {
            let history = match (history, no_history) {
                (false, false) => None,
                (history, _) => Some(history),
            };
            link(options, output, &code, history).await
        }
        DevicesCommand::Rename { device, name } => {
            let visit = Visit::begin(options, output, NEWS).await?;
            with!(visit, |visit| {
                let found = find(&mut visit.session, &device).await?;
                visit
                    .session
                    .call::<DevicesRename>(RenamedDevice {
                        device: found.id.clone(),
                        name: name.clone(),
                    })
                    .await?;
                Ok(Outcome::line(
                    json!({"device": found.id, "name": name}),
                    "Renamed.",
                ))
            })
        }
        DevicesCommand::Kill { device, sending } => {
            super::kill_code::kill_device(options, output, &device, &sending).await
        }
        DevicesCommand::Remove {
            device,
            phrase_file,
            without_phrase,
        } => {
            remove(
                options,
                output,
                &device,
                phrase_file.as_deref(),
                without_phrase,
            )
            .await
        }
    }
}

/// Who sits at the terminal is asked whether the new device is to have what was said before; a script says it, or goes without.
fn wants_history(options: &Global) -> Result<bool, Failure> {
    if options.json || !std::io::stdin().is_terminal() || !std::io::stdout().is_terminal() {
        return Ok(false);
    }
    let question = "Shall the new device have what was said before, too? Type yes or no.";
    say(options, &json!({}), &[question.to_owned()])?;
    is_yes()
}

fn is_yes() -> Result<bool, Failure> {
    let answer = line_from_stdin("An answer (yes or no)")?;
    Ok(answer.eq_ignore_ascii_case("yes") || answer.eq_ignore_ascii_case("y"))
}

async fn link(
    options: &Global,
    output: &Output,
    code: &str,
    history: Option<bool>,
) -> Result<Outcome, Failure> {
    if options.offline {
        return Err(Failure::new(
            "net.offline",
            "Linking a device needs the server.",
        ));
    }
    check_stdin(options)?;
    let code = if code == "-" {
        line_from_stdin("The code of the new device")?
    } else {
        Zeroizing::new(code.to_owned())
    };
    let history = match history {
        Some(history) => history,
        None => wants_history(options)?,
    };
    let visit = Visit::begin(options, output, NEWS).await?;
    with!(visit, |visit| {
        visit.progress.say("Waiting for the new device");
        let before = visit.session.call::<DevicesList>(Nothing {}).await?.len();
        visit
            .session
            .call::<DevicesLink>(GivenCode {
                code: code.to_string(),
                history,
            })
            .await?;
        let words = wait(&mut visit.session, |info| info.words.clone()).await?;
        let Some(words) = words else {
            return Err(Failure::new("linking.none", "No device is being linked."));
        };
        if !ask_whether_same(options, &words)? {
            visit.session.call::<LinkingCancel>(Nothing {}).await?;
            // The other device waits until it is told.
            visit.session.settle(DELIVERY).await?;
            return Err(refused());
        }
        visit.session.call::<LinkingConfirm>(Nothing {}).await?;
        visit.progress.say("Letting the new device in");
        // It is over when the new device has said that it is there.
        wait(&mut visit.session, |_| None::<()>).await?;
        visit.session.settle(DELIVERY).await?;
        let devices = visit.session.call::<DevicesList>(Nothing {}).await?;
        if devices.len() <= before {
            return Err(Failure::new(
                "linking.refused",
                "The other device ended it.",
            ));
        }
        let mut lines = vec![
            "The new device belongs to your account now; it is let into your conversations one after the other.".to_owned(),
        ];
        if history {
            lines.push(
                "What was said before goes to it while Undertone runs here; `undertone devices` says how far that is."
                    .to_owned(),
            );
        }
        Ok(Outcome::prose(json!(devices), lines))
    })
}

/// Waits until `done` finds what it looks for, or the linking is over.
async fn wait<T>(
    session: &mut Session,
    done: impl Fn(&undertone_core::LinkingInfo) -> Option<T>,
) -> Result<Option<T>, Failure> {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let Some(info) = session.call::<LinkingGet>(Nothing {}).await?.linking else {
            return Ok(None);
        };
        if info.state == LinkingState::Failed {
            session.call::<LinkingCancel>(Nothing {}).await?;
            let sentence = info
                .problem
                .as_ref()
                .map_or("Nothing came of it.", |problem| problem.sentence.as_str());
            return Err(Failure::new("linking.refused", sentence.to_owned()));
        }
        if let Some(found) = done(&info) {
            return Ok(Some(found));
        }
        if tokio::time::Instant::now() >= deadline {
            return Ok(None);
        }
        tokio::time::sleep(LOOK).await;
    }
}

async fn remove(
    options: &Global,
    output: &Output,
    device: &str,
    phrase_file: Option<&Path>,
    without_phrase: bool,
) -> Result<Outcome, Failure> {
    let phrase = match (phrase_file, without_phrase) {
        (Some(path), _) => Some(Zeroizing::new(
            std::fs::read_to_string(path)
                .map_err(|error| Failure::file("The file with the recovery phrase", &error))?,
        )),
        (None, true) => None,
        (None, false) => Some(line_from_stdin(
            "The recovery phrase (or use --without-phrase)",
        )?),
    };
    let visit = Visit::begin(options, output, NEWS).await?;
    with!(visit, |visit| {
        let found = find(&mut visit.session, device).await?;
        let safe = phrase.is_some();
        visit
            .session
            .call::<DevicesRemove>(RemovedDevice {
                device: found.id.clone(),
                recovery_phrase: phrase.as_ref().map(|words| words.to_string()),
            })
            .await?;
        let mut lines = vec![format!(
            "{} is taken out of your account and of every conversation.",
            name_of(&found)
        )];
        if !safe {
            lines.push("This is not safe against a thief who opened it: what it knows could still make a device in your name for people who have not seen the removal. Remove it with the recovery phrase to end that.".to_owned());
        }
        Ok(Outcome::prose(
            json!({"device": found.id, "with_phrase": safe}),
            lines,
        ))
    })
}

pub(super) async fn find(session: &mut Session, wanted: &str) -> Result<DeviceInfo, Failure> {
    let devices = session.call::<DevicesList>(Nothing {}).await?;
    let lower = wanted.trim().to_lowercase();
    let fits = |device: &&DeviceInfo| {
        let by_id = device.id.as_str().starts_with(&lower);
        let by_name = device.name.to_lowercase().starts_with(&lower);
        !lower.is_empty()
            && match device.state {
                DeviceState::InUse => by_id || by_name,
                // Whoever means one of these has looked at the list.
                DeviceState::Unknown | DeviceState::RemovedWithoutPhrase => by_id,
                DeviceState::Removed => false,
            }
    };
    let fitting: Vec<&DeviceInfo> = devices.iter().filter(fits).collect();
    match fitting.as_slice() {
        [one] => Ok((*one).clone()),
        [] => Err(Failure::new(
            "device.unknown",
            "There is no such device; `undertone devices` lists them.",
        )),
        several => Err(Failure {
            choices: several.iter().map(|device| name_of(device)).collect(),
            ..Failure::new(
                "device.ambiguous",
                "More than one device fits; say more of the name, or give the id.",
            )
        }),
    }
}

pub(super) fn name_of(device: &DeviceInfo) -> String {
    if device.name.is_empty() {
        let name = if device.this {
            "This device"
        } else {
            "A device without a name"
        };
        name.to_owned()
    } else {
        single_line(&device.name).to_string()
    }
}

/// How far the past of a device is, as long as that is news.
fn past(history: &HistoryInfo, devices: &[DeviceInfo]) -> Option<String> {
    let device = devices.iter().find(|device| device.id == history.device)?;
    let (name, done, total) = (name_of(device), history.done, history.total);
    match history.state {
        HistoryState::UnderWay => Some(format!(
            "{name}: {done} of {total} earlier messages are there."
        )),
        HistoryState::Incomplete => Some(format!(
            "{name}: {done} of {total} earlier messages came; the rest did not."
        )),
        HistoryState::Done => None,
    }
}

fn list(devices: &[DeviceInfo], screen: Screen, clock: &Clock) -> Vec<String> {
    devices
        .iter()
        .map(|device| {
            let short = device.id.as_str().get(..8).unwrap_or(device.id.as_str());
            let state = match device.state {
                DeviceState::InUse if device.this => "this one",
                DeviceState::InUse => "",
                DeviceState::Unknown => {
                    "nobody has told of it; remove it, unless you have just linked one"
                }
                DeviceState::Removed => "removed",
                DeviceState::RemovedWithoutPhrase => {
                    "removed; not safe against a thief who opened it"
                }
            };
            format!(
                "{short}  since {}  {}  {}",
                clock.short(device.added_ms),
                name_of(device),
                screen.style.dim(state)
            )
        })
        .collect()
}
