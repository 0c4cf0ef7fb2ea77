//! `undertone lock`, `panic`, `wipe`, `passphrase`, `protection`, `duress` and `guard`.
//!
//! What must stay true: what destroys asks for a word first, except panic; panic destroys the keys before it waits for anybody, and then
//! waits for no process longer than a moment.

use std::{
    io::IsTerminal,
    path::Path,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use undertone_core::{
    Protection, ProtectionChange,
    home::{
        HomeError, Owner, Wipe,
        dead_man::{DeadManStanding, DeadManWarning, Moment},
        panic::{self, Press},
        socket,
    },
    kill::look_once,
};
use zeroize::Zeroizing;

use super::{NEWS, Visit, init::KeptWords, kill, kill_code, line_from_stdin, select, with};
use crate::{
    cli::{
        args::{Global, OnOff},
        output::{Outcome, Output},
        passphrase,
        protection::{DuressCommand, ProtectionArgs, ProtectionCommand},
    },
    failure::Failure,
    guard,
    rpc::{
        connection::Connection,
        methods::{
            DuressRemove, DuressSetUp, HomeLock, HomeWipe, KillStatusGet, PassphraseChange,
            PassphraseConfirm, ProtectionGet, ProtectionSet,
        },
        params::Nothing,
        protection_params::{
            ChangePassphrase, Confirmation, RemoveDuress, SetDuress, SetProtection, WipeHome,
        },
    },
    session::{client_options, home_folder, take_leave},
    terminal::{single_line, time::Clock},
    web::secret::Secret,
};

/// How long the process that has the home open may take to lock or wipe before it is killed.
const PATIENCE: Duration = Duration::from_secs(2);
/// Between looks whether it has.
const LOOK: Duration = Duration::from_millis(20);
/// How long it may take to tell people, when the keys of the home are destroyed already and the rest is not: a little longer than it takes for
/// that itself.
const LAST_WORDS: Duration = Duration::from_millis(2000);
/// How long it may take to delete what the server has, when the home is wiped already.
const LAST_BREATH: Duration = Duration::from_secs(8);
/// How long a wipe waits for the greeting of the process that has the home open.
const GREETING: Duration = Duration::from_millis(500);
/// How long `undertone guard` waits for the server of the kill queue.
const KILL_QUEUE: Duration = Duration::from_secs(5);
/// What confirms a wipe.
const WORD: &str = "wipe";
/// What the words of the decoy's account are for, above and below them.
const ABOUT_DECOY: [&str; 2] = [
    "Recovery phrase of the decoy's account. It is shown only now.",
    "It opens backups of the decoy, and nothing of yours. Whoever finds it on paper knows that there is a decoy.",
];

pub(super) async fn run(
    options: &Global,
    output: &Output,
    command: ProtectionCommand,
) -> Result<Outcome, Failure> {
    match command {
        ProtectionCommand::Lock => lock(options).await,
        ProtectionCommand::Panic { wipe } => press(options, wipe).await,
        ProtectionCommand::Wipe { yes_wipe } => wipe(options, output, yes_wipe).await,
        ProtectionCommand::Passphrase {
            new_passphrase_file,
        } => change(options, output, new_passphrase_file.as_deref()).await,
        ProtectionCommand::Protection(args) => protection(options, output, args).await,
        ProtectionCommand::Duress { command } => duress(options, output, command).await,
        ProtectionCommand::Guard => look(options).await,
    }
}

/// The home's folder, if there is a home in it.
fn existing_home(options: &Global) -> Result<std::path::PathBuf, Failure> {
    let home = home_folder(options)?;
    match Owner::acquire(&home) {
        Ok(_) | Err(HomeError::Owned) => Ok(home),
        Err(error) => Err(error.into()),
    }
}

async fn lock(options: &Global) -> Result<Outcome, Failure> {
    let home = home_folder(options)?;
    let was_open = end_owner(&home).await?;
    // Only now may anything wait for the disk or for somebody else: a home that is wiped, or due to be, is said to be so.
    match Owner::acquire(&home) {
        Err(error @ HomeError::Wiped) => Err(error.into()),
        _ => Ok(say_locked(was_open)),
    }
}

fn say_locked(locked: bool) -> Outcome {
    let line = if locked {
        "Locked: no process has a key of this home any more."
    } else {
        "Nothing had this home open; it is locked."
    };
    Outcome::line(json!({"locked": true, "was_open": locked}), line)
}

/// Lets the process that has the home open lock, and kills it if it doesn't: when this returns, it has let go of the home's keys. Whether
/// there was one.
///
/// # Errors
/// `home.owned` if it can't be told to, nor killed.
async fn end_owner(home: &Path) -> Result<bool, Failure> {
    let mut deadline = Instant::now() + PATIENCE;
    let mut asked: Option<(tokio::task::JoinHandle<()>, Option<Pid>)> = None;
    let mut there_was = false;
    let mut killed = false;
    loop {
        // It is the home's lock that says so, and not the socket: that goes before what was begun is finished.
        if !is_taken(home).await? {
            break;
        }
        there_was = true;
        if asked.is_none()
            && let Ok(stream) = socket::connect(home)
        {
            let process = rustix::net::sockopt::socket_peercred(&stream)
                .ok()
                .map(|peer| peer.pid);
            let asking = tokio::spawn(async move {
                // Whether it was heard shows by what it does.
                if let Ok((mut connection, _)) = Connection::open(stream).await {
                    let _ = connection.call::<HomeLock>(Nothing {}).await;
                }
            });
            asked = Some((asking, process));
        }
        if Instant::now() >= deadline {
            if killed {
                return Err(HomeError::Owned.into());
            }
            let by_socket = asked.as_ref().and_then(|(_, process)| *process);
            end(by_socket.or_else(|| socket::holder(home)));
            killed = true;
            deadline = Instant::now() + PATIENCE;
        }
        tokio::time::sleep(LOOK).await;
    }
    if let Some((asking, _)) = asked {
        asking.abort();
    }
    Ok(there_was)
}

/// Whether a process has the home.
async fn is_taken(home: &Path) -> Result<bool, Failure> {
    let home = home.to_owned();
    let looked = tokio::task::spawn_blocking(move || Owner::is_taken(&home)).await;
    Ok(looked.map_err(|_| HomeError::Io)??)
}

fn end(process: Option<Pid>) {
    if let Some(process) = process {
        // It may have ended by itself.
        let _ = kill_process(process, Signal::KILL);
    }
}

async fn press(options: &Global, wipe: bool) -> Result<Outcome, Failure> {
    let home = home_folder(options)?;
    let press = if wipe {
        Press::Wipe
    } else {
        panic::press(&home, &Moment::now()).inspect_err(|error| {
            if *error == HomeError::Wiped {
                // What a wipe that was cut short has left.
                let _ = Wipe::finish_if_marked(&home);
            }
        })?
    };
    if press == Press::Lock {
        return Ok(say_locked(end_owner(&home).await?));
    }
    // Keys first. Nothing in the home opens from here on, but for a process that has it open.
    let place = home.clone();
    tokio::task::spawn_blocking(move || Wipe::destroy_keys(&place))
        .await
        .map_err(|_| HomeError::Io)??;
    // The owner can do more, with what it has in memory and the store that is still there: the server, and people.
    let owner = socket::connect(&home).ok();
    let process = owner
        .as_ref()
        .and_then(|stream| rustix::net::sockopt::socket_peercred(stream).ok())
        .map(|peer| peer.pid);
    let greeted = match owner {
        Some(stream) => tokio::time::timeout(GREETING, Connection::open(stream)).await,
        None => Ok(Err(HomeError::NotServed.into())),
    };
    let mut asking = tokio::spawn(async move {
        let (mut connection, _) = greeted.ok()?.ok()?;
        let confirm = WORD.to_owned();
        connection.call::<HomeWipe>(WipeHome { confirm }).await.ok()
    });
    let mut answered = tokio::time::timeout(LAST_WORDS, &mut asking).await;
    let folder = home.clone();
    let report = tokio::task::spawn_blocking(move || Wipe::begin(&folder))
        .await
        .map_err(|_| HomeError::Io)??;
    if answered.is_err() {
        answered = tokio::time::timeout(LAST_BREATH, asking).await;
    }
    let by_owner = answered.ok().and_then(Result::ok).flatten();
    if by_owner.is_none() {
        end(process.or_else(|| socket::holder(&home)));
    }
    // What it may have written meanwhile, and what both were at once.
    let report = Wipe::finish_if_marked(&home)?.unwrap_or(report);
    take_leave(options).await;
    let server = by_owner.is_some_and(|wiped| wiped.server);
    Ok(say_wiped(report.is_complete(), server))
}

fn say_wiped(complete: bool, server: bool) -> Outcome {
    let mut lines = vec![if complete {
        "This device is wiped: nothing is left in the home.".to_owned()
    } else {
        "The keys are gone, but some files could not be removed; run the command again.".to_owned()
    }];
    if !server {
        lines.push("The server was not asked, or didn't answer: what waits in the mailbox there stays until it expires, and can't be read by anybody.".to_owned());
    }
    Outcome::prose(
        json!({"wiped": true, "complete": complete, "server": server}),
        lines,
    )
}

async fn wipe(options: &Global, output: &Output, yes: bool) -> Result<Outcome, Failure> {
    existing_home(options)?;
    if !yes {
        if options.passphrase_fd == Some(0) {
            return Err(Failure::usage(
                "Standard input can't give both the passphrase and the word; use another file descriptor, or --yes-wipe.",
            ));
        }
        if std::io::stdin().is_terminal() {
            eprintln!(
                "Everything of this account on this device will be gone. Type {WORD} to go on:"
            );
        }
        if line_from_stdin("The word")?.trim() != WORD {
            return Err(Failure::new(
                "usage.not_confirmed",
                "The word was not typed; nothing was wiped.",
            ));
        }
    }
    let mut visit = Visit::begin(options, output, Duration::from_millis(0)).await?;
    visit.session.end_by_itself();
    let confirm = WORD.to_owned();
    let wiped = visit.session.call::<HomeWipe>(WipeHome { confirm }).await;
    // The home is gone: closing it has nothing more to say.
    let _ = visit.close().await;
    let wiped = wiped?;
    Ok(say_wiped(wiped.complete, wiped.server))
}

async fn change(
    options: &Global,
    output: &Output,
    file: Option<&Path>,
) -> Result<Outcome, Failure> {
    let visit = Visit::begin(options, output, NEWS).await?;
    with!(visit, |visit| {
        let current = Secret(passphrase::existing(options)?);
        let new = Secret(passphrase::another("New passphrase", file)?);
        let change = ChangePassphrase { current, new };
        visit.session.call::<PassphraseChange>(change).await?;
        Ok(Outcome::line(
            json!({"changed": true}),
            "The passphrase is changed; the old one opens nothing here any more. Copies of this home from before still open with the old one.",
        ))
    })
}

async fn protection(
    options: &Global,
    output: &Output,
    args: ProtectionArgs,
) -> Result<Outcome, Failure> {
    let visit = Visit::begin(options, output, NEWS).await?;
    with!(visit, |visit| {
        let needs_passphrase = args.wrong_attempts.is_some()
            || args.dead_man.is_some()
            || args.heartbeats.is_some()
            || args.keyring.is_some();
        if args.confirm && !needs_passphrase {
            let passphrase = Secret(passphrase::existing(options)?);
            let confirmation = Confirmation { passphrase };
            visit
                .session
                .call::<PassphraseConfirm>(confirmation)
                .await?;
        }
        let change = ProtectionChange {
            wrong_attempts_limit: args.wrong_attempts,
            auto_lock_s: args.auto_lock,
            lock_on_suspend: args.lock_on_suspend.map(|set| matches!(set, OnOff::On)),
            lock_with_screen: args.lock_with_screen.map(|set| matches!(set, OnOff::On)),
            keyring: args.keyring.map(|set| matches!(set, OnOff::On)),
            remove_wiped: args.remove_wiped.map(|set| matches!(set, OnOff::On)),
            dead_man_days: args.dead_man,
            heartbeats: args.heartbeats.map(|set| matches!(set, OnOff::On)),
        };
        let now = if change == ProtectionChange::default() {
            visit.session.call::<ProtectionGet>(Nothing {}).await?
        } else {
            let passphrase = if needs_passphrase {
                Some(Secret(passphrase::existing(options)?))
            } else {
                None
            };
            let set = SetProtection { passphrase, change };
            visit.session.call::<ProtectionSet>(set).await?
        };
        let kill = visit.session.call::<KillStatusGet>(Nothing {}).await?;
        let mut lines = describe(&now, &output.clock);
        lines.extend(kill_code::describe(&kill, output));
        lines.push("Panic: `undertone panic` locks at once; a second time within ten seconds, or with --wipe, it wipes.".to_owned());
        lines.push(LIMITS.to_owned());
        Ok(Outcome::prose(json!(now), lines))
    })
}

/// What holds for all of it.
const LIMITS: &str =
    "None of this helps against somebody who controls this computer, or sees you type.";

/// What is set, what each protects from, and what it can't do.
fn describe(now: &Protection, clock: &Clock) -> Vec<String> {
    let attempts = match now.wrong_attempts_limit {
        0 => "Wrong passphrases: no limit. Each next attempt waits longer, up to five minutes; who copies the disk can try as often as they like.".to_owned(),
        limit => format!(
            "Wrong passphrases: after {limit} in a row this device is wiped. Who copies the disk before can try on the copy as often as they like."
        ),
    };
    let mut dead_man = timer(&now.dead_man);
    if now.dead_man.days > 0 {
        dead_man += " It needs Undertone, or `undertone guard`, to run; a disk taken out of the computer is not wiped.";
    }
    let heartbeats = match (now.dead_man.heartbeats, now.dead_man.heard_s) {
        (false, _) => {
            "Heartbeats: off; only the passphrase on this device puts its dead-man timer off."
                .to_owned()
        }
        (true, 0) => "Heartbeats: unlocking another of your devices puts the dead-man timer off here too; none was heard yet. Whoever can unlock one of them can do so as well.".to_owned(),
        (true, heard) => format!(
            "Heartbeats: unlocking another of your devices puts the dead-man timer off here too; the last one that was heard was on {}. Whoever can unlock one of them can do so as well.",
            clock.day_and_time(i64::try_from(heard).unwrap_or(0).saturating_mul(1000))
        ),
    };
    let auto_lock = match now.auto_lock_s {
        0 => "Auto-lock: off; the app stays open until it is locked.".to_owned(),
        seconds => format!(
            "Auto-lock: the app in the browser locks after {} without you; `undertone watch` and `undertone rpc` end when nothing asked them for anything for so long.",
            span(seconds.into())
        ),
    };
    let suspend = if now.lock_on_suspend {
        "Suspend: the app locks, at the latest when the computer wakes up."
    } else {
        "Suspend: the app stays open."
    };
    let screen = if now.lock_with_screen {
        "Screen lock: the app locks with it, where the desktop says so."
    } else {
        "Screen lock: the app stays open."
    };
    let keyring = if now.keyring {
        "Keyring: this home opens only with the secret that this desktop's keyring keeps, so a copy of the disk and the passphrase are not enough unless the keyring is on it and opens. Without the keyring what is here is lost: keep a backup and the recovery phrase."
    } else {
        "Keyring: not needed; whoever has a copy of the disk and the passphrase opens it."
    };
    let duress = match (now.decoy, now.duress) {
        (true, _) => "This is the decoy, opened for a visit.".to_owned(),
        (false, true) => {
            let alarmed = match now.alarm.len() {
                0 => "nobody is told".to_owned(),
                1 => "1 contact is told, silently".to_owned(),
                many => format!("{many} contacts are told, silently"),
            };
            format!(
                "Duress passphrase: set. It destroys this account's keys here and opens the decoy, and {alarmed}; a copy of the disk from before still opens with the right passphrase."
            )
        }
        (false, false) => "Duress passphrase: none.".to_owned(),
    };
    let wiped = if now.remove_wiped {
        "A device that was wiped, from another one or by hand while open and online, is removed from your account when it says so; people in your chats see that a device of yours was removed. Your only device tells the people in your direct chats itself when it is wiped while open and online; one that is locked or off-line then goes without a word, and they see nothing."
    } else {
        "A device that was wiped stays on the list until you remove it; people in your chats see nothing."
    };
    vec![
        attempts,
        dead_man,
        heartbeats,
        auto_lock,
        suspend.to_owned(),
        screen.to_owned(),
        keyring.to_owned(),
        duress,
        wiped.to_owned(),
    ]
}

/// How the dead-man timer stands.
fn timer(standing: &DeadManStanding) -> String {
    match standing.days {
        0 => "Dead-man timer: off.".to_owned(),
        days => format!(
            "Dead-man timer: wiped when not unlocked for {days} days ({} left).",
            span(standing.left_s)
        ),
    }
}

/// In the largest unit that fits, rounded: what was set a moment ago is said as it was set.
fn span(seconds: u64) -> String {
    let in_units = |unit: u64| (seconds + unit / 2) / unit;
    let (number, unit) = match seconds {
        0..120 => (seconds, "seconds"),
        120..7200 => (in_units(60), "minutes"),
        7200..172_800 => (in_units(3600), "hours"),
        _ => (in_units(86_400), "days"),
    };
    format!("{number} {unit}")
}

/// What every command says beside its answer when the dead-man timer is near its end.
pub(super) fn warnings(standing: &DeadManStanding) -> Vec<String> {
    let mut lines = Vec::new();
    if standing.warning != DeadManWarning::None {
        lines.push(format!(
            "This device wipes itself in {} unless the passphrase is given: lock and unlock, or `undertone protection --confirm`.",
            span(standing.left_s)
        ));
    }
    if standing.clock_set_back_s > 0 {
        lines.push("The clock of this computer may have been set back. The dead-man timer goes on by running time; unlock within 72 hours to confirm that you are there.".to_owned());
    }
    lines
}

async fn duress(
    options: &Global,
    output: &Output,
    command: DuressCommand,
) -> Result<Outcome, Failure> {
    // Before anything else: there must be a place for the words.
    let words_file = match &command {
        DuressCommand::Set { recovery_file, .. } => Some(recovery_file.clone()),
        DuressCommand::Remove { .. } => None,
    };
    let kept = match &words_file {
        Some(file) => Some(KeptWords::begin(
            file.as_deref(),
            "recovery phrase of the decoy's account",
            "--recovery-file",
        )?),
        None => None,
    };
    let visit = Visit::begin(options, output, NEWS).await?;
    with!(visit, |visit| {
        match command {
            DuressCommand::Remove { yes } => {
                kill::confirm(
                    yes,
                    "remove",
                    "The decoy and the account in it will be gone from this device.",
                )?;
                let passphrase = Secret(passphrase::existing(options)?);
                let confirm = "remove".to_owned();
                let remove = RemoveDuress {
                    passphrase,
                    confirm,
                };
                visit.session.call::<DuressRemove>(remove).await?;
                Ok(Outcome::line(
                    json!({"duress": false}),
                    "There is no duress passphrase and no decoy any more.",
                ))
            }
            DuressCommand::Set {
                server,
                name,
                visit: wants_visit,
                duress_file,
                visit_file,
                alarm,
                recovery_file,
                yes,
            } => {
                let before = visit.session.call::<ProtectionGet>(Nothing {}).await?;
                if before.duress {
                    kill::confirm(
                        yes,
                        "replace",
                        "The decoy of before and the account in it will be gone from this device.",
                    )?;
                }
                let mut alarmed = Vec::new();
                for selector in &alarm {
                    alarmed.push(select::contact(&mut visit.session, selector).await?);
                }
                let server = match server.as_deref() {
                    Some("-") => Some(Secret(line_from_stdin("An invitation")?)),
                    Some(server) => Some(Secret(Zeroizing::new(server.to_owned()))),
                    None => None,
                };
                let current = Secret(passphrase::existing(options)?);
                let duress = passphrase::another("Duress passphrase", duress_file.as_deref())?;
                let for_visits = if wants_visit || visit_file.is_some() {
                    let what = "Passphrase for visits to the decoy";
                    Some(Secret(passphrase::another(what, visit_file.as_deref())?))
                } else {
                    None
                };
                let set = SetDuress {
                    current,
                    duress: Secret(duress),
                    visit: for_visits,
                    server,
                    name,
                    alarm: alarmed.iter().map(|one| one.id.clone()).collect(),
                    confirm: before.duress.then(|| "replace".to_owned()),
                };
                let answer = visit.session.call::<DuressSetUp>(set).await?;
                if let Some(kept) = kept {
                    kept.keep(&answer.phrase.0, &ABOUT_DECOY)?;
                }
                let mut lines = vec![
                    "The duress passphrase is set: given instead of yours, it destroys this account's keys on this device and opens the decoy. Nothing asks again.".to_owned(),
                ];
                if let Some(path) = &recovery_file {
                    lines.push(format!(
                        "The recovery phrase of the decoy's account is in {}; whoever finds the file knows of the decoy.",
                        single_line(&path.display().to_string())
                    ));
                }
                if !alarmed.is_empty() {
                    let names: Vec<&str> = alarmed.iter().map(|one| one.name.as_str()).collect();
                    lines.push(format!("It then tells, silently: {}. Their devices have to hear of that first, so let Undertone run a while.", names.join(", ")));
                }
                if !answer.registered {
                    lines
                        .push("The decoy is an empty account that no server knows yet.".to_owned());
                }
                Ok(Outcome::prose(
                    json!({"registered": answer.registered, "recovery_file": recovery_file}),
                    lines,
                ))
            }
        }
    })
}

async fn look(options: &Global) -> Result<Outcome, Failure> {
    let home = home_folder(options)?;
    match Owner::acquire(&home) {
        Ok(owner) => {
            drop(owner);
            // Whoever has the home open looks itself.
            if !options.offline {
                look_once(&home, &client_options(options), KILL_QUEUE).await?;
            }
        }
        Err(HomeError::Owned) => {}
        Err(error) => return Err(error.into()),
    }
    let standing = guard::look(&home).await?;
    let mut lines = vec![timer(&standing)];
    lines.extend(warnings(&standing));
    Ok(Outcome::prose(json!(standing), lines))
}
