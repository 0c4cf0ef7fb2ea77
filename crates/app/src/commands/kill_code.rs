//! `undertone kill-code`, the owner's side of `undertone custodian`, and `undertone devices kill`.

use std::path::Path;

use serde_json::json;
use undertone_core::{
    DeviceInfo, KillStatus,
    kill::{CustodianKey, KillProgress},
};

use super::{DELIVERY, NEWS, Visit, init::KeptWords, kill, line_from_stdin, with};
use crate::{
    cli::{
        args::Global,
        kill_args::{CustodianCommand, KillCodeCommand, Sending},
        output::{Outcome, Output},
    },
    failure::Failure,
    rpc::{
        methods::{CustodiansAccept, DevicesKill, KillNewCode, KillStatusGet},
        params::{AcceptedCustodian, KilledDevice, Nothing},
        protection_params::NewKillCode,
    },
    terminal::single_line,
};

/// How often it is looked whether the server has it.
const LOOK: std::time::Duration = std::time::Duration::from_millis(50);

/// What the kill words are for, above and below them.
pub(super) const ABOUT: [&str; 2] = [
    "Your kill code. Write it down on paper, apart from the recovery phrase; it is shown only now.",
    "Whoever has these words can have all your devices wiped, from any machine: `undertone kill`. They open and show nothing.",
];

/// `undertone kill-code`.
pub(super) async fn kill_code(
    options: &Global,
    output: &Output,
    command: Option<KillCodeCommand>,
) -> Result<Outcome, Failure> {
    match command.unwrap_or(KillCodeCommand::Status) {
        KillCodeCommand::Status => status(options, output).await,
        KillCodeCommand::New { kill_file, yes } => {
            new(options, output, kill_file.as_deref(), yes).await
        }
    }
}

async fn status(options: &Global, output: &Output) -> Result<Outcome, Failure> {
    let visit = Visit::begin(options, output, NEWS).await?;
    with!(visit, |visit| {
        let status = visit.session.call::<KillStatusGet>(Nothing {}).await?;
        Ok(Outcome::prose(json!(status), describe(&status, output)))
    })
}

/// Whom this device can be wiped by from elsewhere.
pub(super) fn describe(status: &KillStatus, output: &Output) -> Vec<String> {
    let mut lines = vec![match (status.code, status.armed) {
        (false, _) => "There is no kill code; `undertone kill-code new` makes one.".to_owned(),
        (true, true) => format!(
            "The kill code of {} reaches {} device(s), this one included; write that number beside the words.",
            output.clock.day_and_time(status.made_ms),
            status.devices.len() + 1
        ),
        (true, false) => format!(
            "There is a kill code of {}, but it does not reach this device yet.",
            output.clock.day_and_time(status.made_ms)
        ),
    }];
    lines.extend(custodians(&status.custodians, output));
    lines
}

fn custodians(all: &[undertone_core::CustodianInfo], output: &Output) -> Vec<String> {
    all.iter()
        .map(|custodian| {
            format!(
                "{} may wipe this device; you accepted that on {}.{}",
                single_line(&custodian.name),
                output.clock.day_and_time(custodian.accepted_ms),
                if custodian.armed {
                    ""
                } else {
                    " They can't reach it yet."
                }
            )
        })
        .collect()
}

async fn new(
    options: &Global,
    output: &Output,
    kill_file: Option<&Path>,
    yes: bool,
) -> Result<Outcome, Failure> {
    let kept = KeptWords::begin(kill_file, "kill code", "--kill-file")?;
    let visit = Visit::begin(options, output, NEWS).await?;
    with!(visit, |visit| {
        let before = visit.session.call::<KillStatusGet>(Nothing {}).await?;
        if before.code {
            kill::confirm(
                yes,
                "new",
                "The words of the present kill code will be worth nothing.",
            )?;
        }
        let confirm = before.code.then(|| "new".to_owned());
        let made = visit
            .session
            .call::<KillNewCode>(NewKillCode { confirm })
            .await?;
        let words = zeroize::Zeroizing::new(made.words);
        kept.keep(&words, &ABOUT)?;
        visit.progress.say("Taking a place on the server");
        let status = until_armed(visit, |status| status.armed).await?;
        let mut lines = vec![if status.armed {
            "The kill code reaches this device. Your other devices follow when they are on-line."
                .to_owned()
        } else {
            "The kill code will reach your devices when they have been on-line.".to_owned()
        }];
        if let Some(path) = kill_file {
            lines.push(format!(
                "The words are in {}; keep them on paper and delete the file.",
                single_line(&path.display().to_string())
            ));
        }
        Ok(Outcome::prose(
            json!({"armed": status.armed, "generation": status.generation, "kill_file": kill_file}),
            lines,
        ))
    })
}

/// Waits a while until the server has what is needed; in whatever process the home is open.
async fn until_armed(
    visit: &mut Visit,
    armed: impl Fn(&KillStatus) -> bool,
) -> Result<KillStatus, Failure> {
    let deadline = tokio::time::Instant::now() + DELIVERY;
    loop {
        let status = visit.session.call::<KillStatusGet>(Nothing {}).await?;
        let late = tokio::time::Instant::now() >= deadline;
        if armed(&status) || late || !visit.is_online() {
            return Ok(status);
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// `undertone custodian`.
pub(super) async fn custodian(
    options: &Global,
    output: &Output,
    command: Option<CustodianCommand>,
) -> Result<Outcome, Failure> {
    match command.unwrap_or(CustodianCommand::List) {
        CustodianCommand::List => {
            let visit = Visit::begin(options, output, NEWS).await?;
            with!(visit, |visit| {
                let status = visit.session.call::<KillStatusGet>(Nothing {}).await?;
                let mut lines = custodians(&status.custodians, output);
                if lines.is_empty() {
                    lines.push("Nobody but you may wipe this device.".to_owned());
                }
                Ok(Outcome::prose(json!(status.custodians), lines))
            })
        }
        CustodianCommand::New { name, words_file } => {
            kill::custodian_new(&name, words_file.as_deref())
        }
        CustodianCommand::Wipe {
            ticket,
            words,
            sending,
        } => kill::custodian_wipe(options, output, &ticket, &words, &sending).await,
        CustodianCommand::Accept { key, yes } => accept(options, output, &key, yes).await,
    }
}

async fn accept(
    options: &Global,
    output: &Output,
    key: &str,
    yes: bool,
) -> Result<Outcome, Failure> {
    let text = if key == "-" {
        line_from_stdin("The custodian's key")?.to_string()
    } else {
        key.to_owned()
    };
    let key: CustodianKey = text
        .parse()
        .map_err(|error| Failure::from(undertone_core::Error::Wire(error)))?;
    kill::confirm(
        yes,
        "accept",
        &format!(
            "{} will be able to wipe this device at any time, and nothing else. It can't be taken back but by wiping the device.",
            single_line(&key.name)
        ),
    )?;
    let visit = Visit::begin(options, output, NEWS).await?;
    with!(visit, |visit| {
        let accepted = visit
            .session
            .call::<CustodiansAccept>(AcceptedCustodian {
                key: key.to_string(),
                confirm: "accept".to_owned(),
            })
            .await?;
        until_armed(visit, |status| {
            status.custodians.iter().all(|one| one.armed)
        })
        .await?;
        Ok(Outcome::new(
            json!({"custodian": key.name, "ticket": accepted.ticket}),
            vec![
                accepted.ticket,
                String::new(),
                format!(
                    "Give this ticket to {}. They can wipe this device now; `undertone custodian` shows it.",
                    single_line(&key.name)
                ),
            ],
        ))
    })
}

/// `undertone devices kill`.
pub(super) async fn kill_device(
    options: &Global,
    output: &Output,
    wanted: &str,
    how: &Sending,
) -> Result<Outcome, Failure> {
    if options.offline {
        return Err(Failure::new("net.offline", "This needs the server."));
    }
    let visit = Visit::begin(options, output, NEWS).await?;
    with!(visit, |visit| {
        let found: DeviceInfo = super::devices::find(&mut visit.session, wanted).await?;
        let name = super::devices::name_of(&found);
        kill::confirm(
            how.yes,
            "wipe",
            &format!("This wipes {name}. What is only there is gone for ever."),
        )?;
        visit.progress.say("Waiting for the device's answer");
        let said = visit
            .session
            .call::<DevicesKill>(KilledDevice {
                device: found.id.clone(),
                confirm: "wipe".to_owned(),
                wait_ms: Some(how.wait.saturating_mul(1000)),
            })
            .await?;
        let outcome = Outcome::new(
            json!({"device": found.id, "answer": said.answer, "removed": said.removed}),
            vec![
                format!("{name}: {}", kill::answer(output, &said.answer)),
                if said.removed {
                    "It is removed from your account; people in your chats see a line.".to_owned()
                } else {
                    "It stays on the list of your devices until you remove it: `undertone devices remove`.".to_owned()
                },
            ],
        );
        let progress = KillProgress {
            name: found.name,
            number: 0,
            answer: said.answer,
        };
        match kill::failure(&[progress]) {
            None => Ok(outcome),
            Some(failure) => {
                output.print(&outcome)?;
                Err(failure)
            }
        }
    })
}
