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
/// Between looks for devices that the server does not show.
const LOOK: Duration = Duration::from_secs(5);
/// Such looks at most: each costs an anonymous request, and the slots of all are asked for.
const LOOKS: u32 = 60;

/// Nothing but the device knows whose words it obeys.
const ANOTHERS_WORDS: &str = "If these are not the words of the custodian whom the owner accepted with this ticket, the device does nothing and does not answer.";

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
    let found = find(&sender, &code).await;
    progress.end();
    let outcome = match found {
        Ok(found) if found.is_empty() => Err(no_device()),
        Ok(found) if given.list => listed(output, &found, given.devices),
        Ok(found) => send(output, &mut sender, &code, found, &given).await,
        Err(failure) => Err(failure),
    };
    sender.close().await;
    outcome
}

async fn find(sender: &Sender, code: &KillCode) -> Result<Vec<KillTarget>, Failure> {
    let seed = code.seed();
    let slots = (0..SLOTS).map(|number| (number, seed.slot(number)));
    Ok(sender.find(slots.collect()).await?)
}

/// Looks for devices that the server did not show before, until there are so many, or `until`; at least once.
async fn find_more(
    sender: &Sender,
    code: &KillCode,
    known: &[KillProgress],
    wanted: usize,
    until: tokio::time::Instant,
) -> Result<Vec<KillTarget>, Failure> {
    for look in 1.. {
        let mut found = find(sender, code).await?;
        found.retain(|target| known.iter().all(|known| known.number != target.number));
        let next = tokio::time::Instant::now() + LOOK;
        if known.len() + found.len() >= wanted || next > until || look >= LOOKS {
            return Ok(found);
        }
        tokio::time::sleep_until(next).await;
    }
    Ok(Vec::new())
}

/// The server shows fewer devices than there are.
fn hidden(found: usize, wanted: usize) -> Failure {
    Failure::new(
        "kill.hidden",
        format!(
            "The server shows {found} of {wanted} devices. It may hide the others, or they are wiped or removed already. Try again later; what hides from the command is left to its dead-man timer."
        ),
    )
}

fn no_device() -> Failure {
    Failure::new(
        "kill.no_device",
        "No device has a place of this kill code on that server, or the server hides them. Nothing was sent.",
    )
}

fn called(name: &str, number: u32) -> String {
    if name.trim().is_empty() {
        format!("device {number}, which has no name")
    } else {
        format!("device {number}, {}", single_line(name))
    }
}

fn listed(output: &Output, found: &[KillTarget], wanted: Option<u32>) -> Result<Outcome, Failure> {
    let devices: Vec<_> = found
        .iter()
        .map(|target| json!({"number": target.number, "name": target.name}))
        .collect();
    let lines = found
        .iter()
        .map(|target| called(&target.name, target.number))
        .collect();
    let shown = json!({"devices": devices, "found": found.len()});
    let outcome = Outcome::new(shown, lines).with_notes([counted(found.len())]);
    complete(output, outcome, found.len(), wanted)
}

/// What only a count that somebody knows from elsewhere can say.
fn counted(found: usize) -> String {
    format!(
        "Found: {found}. A server can hide devices from this command; how many there are stands where the kill code was made. With --devices N fewer are an error."
    )
}

/// The outcome, if no device is missing.
fn complete(
    output: &Output,
    outcome: Outcome,
    found: usize,
    wanted: Option<u32>,
) -> Result<Outcome, Failure> {
    match wanted.and_then(|wanted| usize::try_from(wanted).ok()) {
        Some(wanted) if found < wanted => {
            output.print(&outcome)?;
            Err(hidden(found, wanted))
        }
        _ => Ok(outcome),
    }
}

async fn send(
    output: &Output,
    sender: &mut Sender,
    code: &KillCode,
    found: Vec<KillTarget>,
    given: &KillArgs,
) -> Result<Outcome, Failure> {
    let shown = found.len();
    let wanted = given
        .devices
        .and_then(|wanted| usize::try_from(wanted).ok())
        .unwrap_or(0);
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
    let until = tokio::time::Instant::now() + Duration::from_secs(given.sending.wait);
    let mut answers = answered(
        output,
        sender,
        &code.signer(),
        targets,
        scope,
        &given.sending,
    )
    .await?;
    if shown < wanted {
        let progress = Progress::start(output, "Looking for more devices");
        let more = find_more(sender, code, &answers, wanted, until).await;
        progress.end();
        let more = more?;
        if !more.is_empty() {
            let more =
                answered(output, sender, &code.signer(), more, scope, &given.sending).await?;
            answers.extend(more);
        }
    }
    let shown = shown.max(answers.len());
    let outcome = told(output, &answers, shown, sender.clock_off_s()).with_notes([counted(shown)]);
    let outcome = complete(output, outcome, shown, given.devices)?;
    judged(output, outcome, &answers)
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

/// Sends the command and waits for the answers.
async fn answered(
    output: &Output,
    sender: &mut Sender,
    signer: &KillSigner,
    targets: Vec<KillTarget>,
    scope: Scope,
    how: &Sending,
) -> Result<Vec<KillProgress>, Failure> {
    let options = SendingOptions {
        scope,
        good_for: Duration::from_secs(how.expires),
        wait: Duration::from_secs(how.wait),
    };
    let progress = Progress::start(output, "Waiting for the devices' answers");
    let answers = sender.send(signer, targets, &options, |_| ()).await;
    progress.end();
    Ok(answers?)
}

fn told(output: &Output, answers: &[KillProgress], found: usize, clock_off_s: i64) -> Outcome {
    let lines = answers
        .iter()
        .map(|answer| sentence(output, answer))
        .collect();
    let said = json!({"devices": answers, "found": found, "clock_off_s": clock_off_s});
    let outcome = Outcome::new(said, lines);
    if clock_off_s.abs() > CLOCK_S {
        return outcome.with_notes(["This machine's clock and the server's are more than an hour apart. Devices judge the command's end by their own clocks.".to_owned()]);
    }
    outcome
}

/// The outcome, if all devices are wiped.
fn judged(output: &Output, outcome: Outcome, answers: &[KillProgress]) -> Result<Outcome, Failure> {
    match failure(answers) {
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
        let signer = code.signer();
        let answers = answered(output, &mut sender, &signer, found, Scope::Device, how).await?;
        let mut outcome = told(output, &answers, answers.len(), sender.clock_off_s());
        if answers
            .iter()
            .any(|told| told.answer == KillAnswer::Waiting)
        {
            outcome = outcome.with_notes([ANOTHERS_WORDS.to_owned()]);
        }
        judged(output, outcome, &answers)
    }
    .await;
    sender.close().await;
    outcome
}
