//! What each command does: one file per subject.
//!
//! A command opens a [`Session`], calls methods of the RPC, and returns an [`Outcome`] in both of its forms; it prints
//! nothing itself (except `watch` and `rpc`, which go on). What must stay true: whatever a command can do, a program can do
//! over the RPC.

mod actions;
mod backup;
mod chats;
mod contacts;
mod content;
mod devices;
mod groups;
mod help;
mod init;
mod install;
mod invites;
mod kill;
mod kill_code;
mod links;
mod messages;
mod profile;
mod protection;
mod proxy;
mod requests;
mod rpc;
mod search;
mod select;
mod settings;
mod status;
mod storage;
mod transfers;
mod watch;

pub(crate) use devices::machine_name;

use std::time::Duration;

use jiff::civil::DateTime;
use undertone_core::{ChatChange, Expires, Settled};

use crate::{
    cli::{
        args::{AppOptions, Cli, Command, Global},
        output::Output,
        progress::Progress,
    },
    failure::Failure,
    rpc::{
        methods::{ProtectionGet, StatusGet},
        params::Nothing,
    },
    session::{Session, take_leave},
    web::{self, Appearance},
};

/// How long a command that shows something waits for news from the server.
const NEWS: Duration = Duration::from_secs(5);
/// How long a command that changes something waits for the server to have it.
const DELIVERY: Duration = Duration::from_secs(20);

/// Carries a command out and prints its result.
///
/// # Errors
/// One sentence, a code and an exit code; nothing has been printed for it yet.
pub async fn run(cli: Cli) -> Result<(), Failure> {
    let options = cli.global.clone();
    let done = carry_out(cli).await;
    if done
        .as_ref()
        .is_err_and(|failure| failure.code == "home.wiped")
    {
        take_leave(&options).await;
    }
    done
}

async fn carry_out(cli: Cli) -> Result<(), Failure> {
    let options = &cli.global;
    let output = Output::new(options);
    let Some(command) = cli.command else {
        return app(options, cli.app, None, None, None).await;
    };
    if cli.app.no_browser || cli.app.port.is_some() {
        return Err(Failure::usage(
            "--no-browser and --port are for the app in the browser, not for a command.",
        ));
    }
    let outcome = match command {
        Command::App {
            options: how,
            resume,
            bell,
            pages,
        } => return app(options, how, resume, bell, pages).await,
        Command::Init {
            server,
            name,
            recovery_file,
            kill_file,
            no_kill_code,
            link,
            device_name,
        } => match name {
            Some(name) if !link => {
                let kill = match &kill_file {
                    Some(path) => init::KillAtInit::File(path),
                    None if no_kill_code => init::KillAtInit::No,
                    None => init::KillAtInit::Ask,
                };
                let recovery = recovery_file.as_deref();
                init::init(options, &output, &server, &name, recovery, kill).await
            }
            _ => devices::init_linked(options, &output, &server, device_name.as_deref()).await,
        },
        Command::Kill(given) => kill::kill(options, &output, given).await,
        Command::KillCode { command } => kill_code::kill_code(options, &output, command).await,
        Command::Custodian { command } => kill_code::custodian(options, &output, command).await,
        Command::Export { chat, folder } => chats::export(options, &output, &chat, &folder).await,
        Command::Backup { command } => backup::backup(options, &output, command).await,
        Command::Restore {
            backup,
            server,
            phrase_file,
        } => backup::restore(options, &output, &backup, &server, phrase_file.as_deref()).await,
        Command::Devices { command } => devices::devices(options, &output, command).await,
        Command::Link {
            expires,
            uses,
            ask,
            no_ask,
        } => {
            let ask = (ask || no_ask).then_some(ask);
            links::create(options, &output, expires, uses, ask).await
        }
        Command::Links { command } => links::links(options, &output, command).await,
        Command::Add { link } => contacts::add(options, &output, &link).await,
        Command::Contacts => contacts::list(options, &output).await,
        Command::Verify {
            contact,
            accept_account: true,
            ..
        } => contacts::accept_account(options, &output, &contact).await,
        Command::Verify {
            contact,
            accept,
            withdraw,
            accept_account: false,
        } => contacts::verify(options, &output, &contact, accept, withdraw).await,
        Command::Requests { command } => requests::requests(options, &output, command).await,
        Command::Report { command } => requests::report(options, &output, command).await,
        Command::Storage {
            chat,
            clean,
            larger_than,
            older_than,
        } => {
            let wanted = storage::Wanted {
                chat,
                clean,
                larger_than_mb: larger_than,
                older_than_s: older_than,
            };
            storage::run(options, &output, wanted).await
        }
        Command::Chats => chats::list(options, &output).await,
        Command::Read {
            chat,
            limit,
            before,
            since,
            ids,
            peek,
        } => {
            chats::read(
                options,
                &output,
                &chat,
                chats::Reading {
                    limit,
                    before,
                    since,
                    ids,
                    peek,
                },
            )
            .await
        }
        Command::Group { command } if invites::concerns(&command) => {
            invites::run(options, &output, command).await
        }
        Command::Group { command } => groups::run(options, &output, command).await,
        Command::Send {
            chat,
            text,
            attach,
            keep_metadata,
            markdown,
            reply_to,
            expires,
            until,
            view_once,
            poster,
            plays,
            contact,
            contact_link,
            location,
        } => {
            let until = until.map(|when| when_s(&output, when)).transpose()?;
            let draft = messages::Writing {
                text,
                attach,
                keep_metadata,
                markdown,
                reply_to,
                expires: expires.map(Expires::After).or(until.map(Expires::At)),
                view_once,
                poster,
                plays,
                contact,
                contact_link,
                location,
            };
            messages::send(options, &output, &chat, draft).await
        }
        Command::Timer { chat, span } => chats::timer(options, &output, &chat, span).await,
        Command::Mute { chat, span } => settings::mute(options, &output, &chat, span).await,
        Command::Archive { chat, undo } => {
            let change = ChatChange {
                archived: Some(!undo),
                ..ChatChange::default()
            };
            settings::chat(options, &output, &chat, change).await
        }
        Command::Pin { chat, undo } => {
            let change = ChatChange {
                pinned: Some(!undo),
                ..ChatChange::default()
            };
            settings::chat(options, &output, &chat, change).await
        }
        Command::Block { contact, undo } => {
            settings::block(options, &output, &contact, !undo).await
        }
        Command::Receipts {
            setting,
            chat,
            contact,
        } => settings::receipts(options, &output, setting, chat, contact).await,
        Command::Typing { setting } => settings::typing(options, &output, setting).await,
        Command::Downloads {
            up_to,
            metered_up_to,
            metered,
        } => settings::downloads(options, &output, up_to, metered_up_to, metered).await,
        Command::Search {
            text,
            chat,
            from,
            kind,
            since,
            until,
            limit,
        } => {
            let wanted = search::Wanted {
                text,
                chat,
                from,
                kind,
                since,
                until,
                limit,
            };
            search::search(options, &output, wanted).await
        }
        Command::Edit {
            chat,
            message,
            text,
            markdown,
        } => actions::edit(options, &output, &chat, &message, text, markdown).await,
        Command::Delete {
            chat,
            message,
            for_me,
        } => actions::delete(options, &output, &chat, &message, for_me).await,
        Command::React {
            chat,
            message,
            reaction,
            remove,
        } => actions::react(options, &output, &chat, &message, reaction, !remove).await,
        Command::PinMessage {
            chat,
            message,
            undo,
        } => actions::pin(options, &output, &chat, &message, !undo).await,
        Command::Pinned { chat } => actions::pinned(options, &output, &chat).await,
        Command::Forward { chat, message, to } => {
            actions::forward(options, &output, &chat, &message, &to).await
        }
        Command::History { chat, message } => {
            actions::history(options, &output, &chat, &message).await
        }
        Command::Save {
            chat,
            message,
            file,
            number,
        } => messages::save(options, &output, &chat, &message, &file, number).await,
        Command::Transfer { command } => transfers::transfer(options, &output, command).await,
        Command::Draft(wanted) => chats::draft(options, &output, wanted).await,
        Command::WhoRead(wanted) => actions::who_read(options, &output, &wanted).await,
        Command::Proxy { way } => proxy::proxy(options, &output, way).await,
        Command::SendAgain { chat, message } => {
            transfers::send_again(options, &output, &chat, &message).await
        }
        Command::Protection(command) => protection::run(options, &output, command).await,
        Command::Profile(wanted) => profile::profile(options, &output, wanted).await,
        Command::Status => status::status(options, &output).await,
        Command::Content { command } => content::run(&command),
        Command::Install => install::install(options),
        Command::Uninstall => install::uninstall(),
        Command::Help { topic } => help::help(&topic),
        Command::Watch => return watch::watch(options).await,
        Command::Rpc => return rpc::rpc(options).await,
    }?;
    output.print(&outcome)
}

/// The second that a calendar and a clock here mean.
fn when_s(output: &Output, when: DateTime) -> Result<u32, Failure> {
    let seconds = output.clock.at_ms(when).map(|ms| ms / 1000);
    seconds
        .and_then(|seconds| u32::try_from(seconds).ok())
        .ok_or_else(|| Failure::usage("There is no such moment."))
}

/// The app in the browser.
async fn app(
    options: &Global,
    how: AppOptions,
    resume: Option<String>,
    bell: Option<i32>,
    pages: Option<i32>,
) -> Result<(), Failure> {
    let appearance = Appearance {
        no_browser: how.no_browser,
        port: how.port,
        resume,
        bell,
        pages,
    };
    web::run(options, &appearance).await
}

/// A session for one command, and how the exchange with the server went before it.
struct Visit {
    session: Session,
    settled: Option<Settled>,
    progress: Progress,
    /// Said beside whatever the command answers.
    warnings: Vec<String>,
    /// It has been waited for the server already, in vain: not once more at the end.
    has_waited: bool,
}

impl Visit {
    /// Opens the home and, unless told to stay offline, fetches what waits, for at most `limit`.
    async fn begin(options: &Global, output: &Output, limit: Duration) -> Result<Self, Failure> {
        let mut session = Session::open(options).await?;
        let mut progress = Progress::start(output, "Connecting");
        let settled = if options.offline {
            None
        } else {
            session.settle(limit).await?
        };
        if let Some(settled) = &settled {
            let code = settled
                .problem
                .as_ref()
                .map_or("none", |problem| problem.code.as_str());
            tracing::info!(
                online = settled.online,
                waiting = settled.outbox_left,
                problem = code,
                "exchanged with the server"
            );
        }
        progress.follow(session.own_client().map(|(client, _)| client));
        let mut warnings = Vec::new();
        if settled.is_some() {
            let status = session.call::<StatusGet>(Nothing {}).await?;
            warnings.extend(status::clock_warning(&status));
        }
        let protection = session.call::<ProtectionGet>(Nothing {}).await?;
        warnings.extend(protection::warnings(&protection.dead_man));
        Ok(Self {
            session,
            settled,
            progress,
            warnings,
            has_waited: false,
        })
    }

    /// Whether waiting for the server makes sense.
    fn is_online(&self) -> bool {
        match &self.settled {
            Some(settled) => settled.online,
            // Another process has the home; whether it is connected is its business, and it answers quickly if not.
            None => !self.session.is_own(),
        }
    }

    /// A failure for want of a connection, with the reason why there is none.
    async fn explained(&mut self, failure: Failure) -> Failure {
        if failure.code != "connection.offline" {
            return failure;
        }
        let status = self.session.call::<StatusGet>(Nothing {}).await.ok();
        match status.and_then(|status| status.problem) {
            Some(problem) => Failure {
                sentence: format!("{} {}", failure.sentence, problem.sentence),
                ..failure
            },
            None => failure,
        }
    }

    /// A note for people when what is shown may be old.
    fn offline_note(&self) -> Option<String> {
        let settled = self.settled.as_ref()?;
        if settled.online {
            return None;
        }
        Some(match &settled.problem {
            Some(problem) => format!(
                "Offline: this is what is on this device. {}",
                problem.sentence
            ),
            None => "Offline: this is what is on this device.".to_owned(),
        })
    }

    /// Lets the server have what the command caused, then closes.
    async fn end(mut self) -> Result<(), Failure> {
        if self.is_online() && !self.has_waited {
            self.session.settle(DELIVERY).await?;
        }
        self.close().await
    }

    /// Closes without waiting for the server.
    async fn close(self) -> Result<(), Failure> {
        drop(self.progress);
        self.session.close().await
    }
}

/// Runs `work` with an open home and closes it whatever comes of it.
macro_rules! with {
    ($visit:expr, |$open:ident| $work:expr) => {{
        let mut visit = $visit;
        let result = {
            let $open = &mut visit;
            async { $work }.await
        };
        match result {
            // What was done is told even if closing then fails: nobody should do it twice.
            Ok(outcome) => {
                let outcome = outcome.with_notes(std::mem::take(&mut visit.warnings));
                match visit.end().await {
                    Ok(()) => Ok(outcome),
                    Err(failure) => Ok(outcome.with_notes([failure.sentence])),
                }
            }
            Err(failure) => {
                let failure = visit.explained(failure).await;
                // The first failure is the one to tell.
                let _ = visit.close().await;
                Err(failure)
            }
        }
    }};
}
use with;

/// Reads a line of standard input, for secrets that must not be arguments.
fn line_from_stdin(what: &str) -> Result<zeroize::Zeroizing<String>, Failure> {
    use std::io::{BufRead, Read};
    let mut line = zeroize::Zeroizing::new(String::with_capacity(16 * 1024));
    std::io::stdin()
        .lock()
        .take(16 * 1024)
        .read_line(&mut line)
        .map_err(|error| Failure::file(&format!("{what} on standard input"), &error))?;
    let trimmed = line.trim();
    if trimmed.is_empty() {
        return Err(Failure::usage(format!(
            "{what} was to come on standard input, but nothing came."
        )));
    }
    Ok(zeroize::Zeroizing::new(trimmed.to_owned()))
}
