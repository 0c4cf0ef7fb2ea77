//! `undertone kill`, and what custodians do: commands to wipe that are sent from any machine, without a home.

use std::time::Duration;

use serde_json::json;
use undertone_core::kill::{
    CustodianKey, CustodianTicket, KillAnswer, KillCode, KillProgress, KillSigner, KillTarget,
    SLOTS, Scope, Sender, SendingOptions, Slot, server_address,
};
use zeroize::Zeroizing;

use super::{init::KeptWords, line_from_stdin};
use crate::{
    cli::{
        args::Global,
        kill_args::{KillArgs, KillScope, Sending, Words},
        output::{Outcome, Output},
        passphrase,
        progress::Progress,
    },
    failure::Failure,
    session::client_options,
    terminal::single_line,
};

/// Differences of clocks that are worth a word.
const CLOCK_S: i64 = 3600;

/// Asks for the word that confirms what can't be taken back.
pub(super) fn confirm(yes: bool, word: &str, warning: &str) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    eprintln!("{warning}\nType the word `{word}` to go on.");
    let typed = line_from_stdin("The word that confirms it (or --yes)")?;
    if *typed == *word {
        Ok(())
    } else {
        Err(Failure::new(
            "usage.not_confirmed",
            "That was not the word; nothing was done.",
        ))
    }
}

fn read_words(from: &Words) -> Result<KillCode, Failure> {
    let words = passphrase::words(from.words_fd, from.words_file.as_deref())?;
    KillCode::parse(&words).map_err(|_| {
        Failure::new(
            "kill.words",
            "These are not twelve words of the list, or one of them is wrong; nothing was sent.",
        )
    })
}

fn online(options: &Global) -> Result<(), Failure> {
    if options.offline {
        return Err(Failure::new(
            "net.offline",
            "This needs the server; leave --offline out.",
        ));
    }
    Ok(())
}

/// `undertone kill`.
pub(super) async fn kill(
    options: &Global,
    output: &Output,
    given: KillArgs,
) -> Result<Outcome, Failure> {
    online(options)?;
    let server = server_address(&given.server, given.pin.as_deref())?;
    let code = read_words(&given.words)?;
    let progress = Progress::start(output, "Looking for devices");
    let mut sender = Sender::open(&client_options(options), &server).await?;
    let seed = code.seed();
    let slots = (0..SLOTS).map(|number| (number, seed.slot(number)));
    let found = sender.find(slots.collect()).await;
    progress.end();
    let outcome = match found {
        Ok(found) if found.is_empty() => Err(no_device()),
        Ok(found) if given.list => Ok(listed(&found)),
        Ok(found) => send(output, &mut sender, &code.signer(), found, &given).await,
        Err(error) => Err(error.into()),
    };
    sender.close().await;
    outcome
}

fn no_device() -> Failure {
    Failure::new(
        "kill.no_device",
        "No device has a place of this kill code on that server, or the server hides them. Nothing was sent.",
    )
}

fn called(name: &str, number: u32) -> String {
    if name.trim().is_empty() {
        format!("device {number}")
    } else {
        format!("device {number}, {}", single_line(name))
    }
}

fn listed(found: &[KillTarget]) -> Outcome {
    let devices: Vec<_> = found
        .iter()
        .map(|target| json!({"number": target.number, "name": target.name}))
        .collect();
    let lines = found
        .iter()
        .map(|target| called(&target.name, target.number))
        .collect();
    Outcome::new(json!({"devices": devices}), lines)
}

async fn send(
    output: &Output,
    sender: &mut Sender,
    signer: &KillSigner,
    found: Vec<KillTarget>,
    given: &KillArgs,
) -> Result<Outcome, Failure> {
    let targets = match &given.device {
        Some(wanted) => vec![chosen(found, wanted)?],
        None => found,
    };
    let names: Vec<_> = targets
        .iter()
        .map(|target| called(&target.name, target.number))
        .collect();
    let what = match given.scope {
        KillScope::Device | KillScope::Devices => "",
        KillScope::Everything => " and their mailboxes on the server",
    };
    confirm(
        given.sending.yes,
        "wipe",
        &format!(
            "This wipes {}{what}. What is only there is gone for ever.",
            names.join("; ")
        ),
    )?;
    let scope = match given.scope {
        KillScope::Device => Scope::Device,
        KillScope::Devices => Scope::Devices,
        KillScope::Everything => Scope::DevicesAndQueues,
    };
    send_to(output, sender, signer, targets, scope, &given.sending).await
}

fn chosen(found: Vec<KillTarget>, wanted: &str) -> Result<KillTarget, Failure> {
    let lower = wanted.trim().to_lowercase();
    let (mut fitting, others): (Vec<_>, Vec<_>) = found.into_iter().partition(|target| {
        target.number.to_string() == lower
            || (!lower.is_empty() && target.name.to_lowercase().starts_with(&lower))
    });
    let name = |target: &KillTarget| called(&target.name, target.number);
    match (fitting.pop(), fitting.is_empty()) {
        (Some(one), true) => Ok(one),
        (Some(last), false) => Err(Failure {
            choices: fitting.iter().chain([&last]).map(name).collect(),
            ..Failure::new(
                "device.ambiguous",
                "More than one device fits; give its number.",
            )
        }),
        (None, _) => Err(Failure {
            choices: others.iter().map(name).collect(),
            ..Failure::new("device.unknown", "The code reaches no such device.")
        }),
    }
}

async fn send_to(
    output: &Output,
    sender: &mut Sender,
    signer: &KillSigner,
    targets: Vec<KillTarget>,
    scope: Scope,
    how: &Sending,
) -> Result<Outcome, Failure> {
    let off = sender.clock_off_s();
    let options = SendingOptions {
        scope,
        good_for: Duration::from_secs(how.expires),
        wait: Duration::from_secs(how.wait),
    };
    let progress = Progress::start(output, "Waiting for the devices' answers");
    let answers = sender.send(signer, targets, &options, |_| ()).await;
    progress.end();
    let answers = answers?;
    let lines = answers
        .iter()
        .map(|answer| sentence(output, answer))
        .collect();
    let mut outcome = Outcome::new(json!({"devices": answers, "clock_off_s": off}), lines);
    if off.abs() > CLOCK_S {
        outcome = outcome.with_notes(["This machine's clock and the server's are more than an hour apart. Devices judge the command's end by their own clocks.".to_owned()]);
    }
    match failure(&answers) {
        None => Ok(outcome),
        Some(failure) => {
            output.print(&outcome)?;
            Err(failure)
        }
    }
}

/// What became of the command to a device, in words.
pub(super) fn answer(output: &Output, answer: &KillAnswer) -> String {
    match answer {
        KillAnswer::Wiped => "wiped; it says so, signed.".to_owned(),
        KillAnswer::Waiting => {
            "the server has the command, and the device gets it at its next contact.".to_owned()
        }
        KillAnswer::Replayed => {
            "nothing was done: it has seen a newer command. Try again.".to_owned()
        }
        KillAnswer::NotTaken => {
            "the server did not take the command: its mailbox is full, or gone.".to_owned()
        }
        KillAnswer::Expired { device_clock_s } => {
            let ms = i64::try_from(device_clock_s.saturating_mul(1000)).unwrap_or(i64::MAX);
            format!(
                "nothing was done: by its clock, which says {}, the command was over. Try again with a longer --expires.",
                output.clock.day_and_time(ms)
            )
        }
    }
}

fn sentence(output: &Output, progress: &KillProgress) -> String {
    format!(
        "{}: {}",
        called(&progress.name, progress.number),
        answer(output, &progress.answer)
    )
}

/// Why it is not done yet, if it isn't.
pub(super) fn failure(answers: &[KillProgress]) -> Option<Failure> {
    let any = |fits: fn(&KillAnswer) -> bool| answers.iter().any(|told| fits(&told.answer));
    if any(|answer| matches!(answer, KillAnswer::NotTaken)) {
        return Some(Failure::new(
            "kill.not_taken",
            "The server did not take the command for every device.",
        ));
    }
    if any(|answer| matches!(answer, KillAnswer::Expired { .. } | KillAnswer::Replayed)) {
        return Some(Failure::new(
            "kill.refused",
            "A device said that it did nothing.",
        ));
    }
    any(|answer| matches!(answer, KillAnswer::Waiting)).then(|| {
        Failure::new(
            "kill.unanswered",
            "Not every device has answered; the server has the command for them.",
        )
    })
}

/// `undertone custodian new`.
pub(super) fn custodian_new(
    name: &str,
    words_file: Option<&std::path::Path>,
) -> Result<Outcome, Failure> {
    let kept = KeptWords::begin(words_file, "custodian's words", "--words-file")?;
    let failed = |_| Failure::new("kill.words", "No words could be made.");
    let words = KillCode::generate().map_err(failed)?;
    let key = CustodianKey::new(name, words.signer().public()).map_err(|_| {
        Failure::usage("A custodian's name has 1 to 64 bytes and no control characters.")
    })?;
    kept.keep(
        words.words(),
        &[
            "Your words as a custodian. Write them down on paper; they are shown only now.",
            "With them and a device's ticket you can have that device wiped. Who else has them can too.",
        ],
    )?;
    Ok(Outcome::new(
        json!({"key": key.to_string(), "name": key.name}),
        vec![
            key.to_string(),
            String::new(),
            "Give this key to the owners of devices: `undertone custodian accept KEY`. They give you a ticket each.".to_owned(),
        ],
    ))
}

/// `undertone custodian wipe`.
pub(super) async fn custodian_wipe(
    options: &Global,
    output: &Output,
    ticket: &str,
    words: &Words,
    how: &Sending,
) -> Result<Outcome, Failure> {
    online(options)?;
    let ticket = if ticket == "-" {
        line_from_stdin("The ticket")?
    } else {
        Zeroizing::new(ticket.to_owned())
    };
    let ticket: CustodianTicket = ticket
        .parse()
        .map_err(|error| Failure::from(undertone_core::Error::Wire(error)))?;
    let code = read_words(words)?;
    let mut sender = Sender::open(&client_options(options), &ticket.server).await?;
    let outcome = async {
        let slot = Slot::of(ticket.slot.duplicate());
        let mut found = sender.find(vec![(0, slot)]).await?;
        if found.is_empty() {
            return Err(no_device());
        }
        for target in &mut found {
            target.name.clone_from(&ticket.name);
        }
        confirm(
            how.yes,
            "wipe",
            &format!(
                "This wipes {}. What is only there is gone for ever.",
                single_line(&ticket.name)
            ),
        )?;
        send_to(
            output,
            &mut sender,
            &code.signer(),
            found,
            Scope::Device,
            how,
        )
        .await
    }
    .await;
    sender.close().await;
    outcome
}
