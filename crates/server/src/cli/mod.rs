//! The command line: one file per command, named by its verb.
//!
//! Commands that look at or change a server reach a running one through its admin socket and open the folder
//! themselves when none runs; the folder's lock decides which. With `--json` the answer is one JSON object
//! on standard output, and a failure one on standard error with `code` and `sentence`. Exit codes are those of
//! [`ServerError::exit_code`].

mod announce;
mod backup;
mod check_config;
mod init;
mod install;
mod invite;
mod restore;
mod run;
mod status;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};
use serde::Serialize;

use crate::error::ServerError;

/// A server for Undertone messaging that knows nothing worth taking.
#[derive(Debug, Parser)]
#[command(name = "undertone-server", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a new server folder: keys, settings, and a first invitation.
    Init(InitArgs),
    /// Run the server.
    Run(RunArgs),
    /// Invitations.
    #[command(subcommand)]
    Invite(InviteCommand),
    /// Tell everybody on the server something, list what is told, or take it back.
    #[command(
        after_help = "Apps show it as words of this server's operator, as plain text without links. It is no secret, and everybody whose device is registered here is told alike."
    )]
    Announce(AnnounceArgs),
    /// Show what the server holds: counts and sizes, which is all it knows.
    Status(FolderArgs),
    /// Check the settings file.
    CheckConfig(FolderArgs),
    /// Write everything the server needs to one file. It holds the identity key: keep it as safe as the server.
    Backup(BackupArgs),
    /// Make a server folder from a backup.
    Restore(RestoreArgs),
    /// Run the server at boot, by a hardened systemd unit.
    Install(InstallArgs),
    /// Undo `install`; the server folder stays.
    Uninstall(UninstallArgs),
}

#[derive(Debug, Args)]
struct FolderArgs {
    /// The server's folder.
    dir: PathBuf,
    /// Answer in JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct InitArgs {
    /// The folder to make.
    dir: PathBuf,
    /// Public address of the server as apps reach it, for example chat.example.org:7443.
    #[arg(long, value_name = "HOST:PORT")]
    origin: Option<String>,
    /// Where the server will listen (default [::]:7443).
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Let anyone register, without invitation.
    #[arg(long)]
    open: bool,
    /// How many devices the first invitation admits.
    #[arg(long, default_value_t = 1)]
    uses: u32,
    /// Answer in JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
}

#[derive(Debug, Args)]
struct RunArgs {
    /// The server's folder.
    dir: PathBuf,
    /// Listen here instead of where the settings say.
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Serve without TLS. Loopback only.
    #[arg(long)]
    plain_text_on_loopback: bool,
    /// How much to log. No level names anybody.
    #[arg(long, value_enum, default_value = "info")]
    log: LogLevel,
    /// Log lines and the ready line as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum InviteCommand {
    /// Make an invitation and print it. It is shown once and stored only as a hash.
    Create(InviteCreateArgs),
}

#[derive(Debug, Args)]
struct InviteCreateArgs {
    /// The server's folder.
    dir: PathBuf,
    /// How many devices it admits.
    #[arg(long, default_value_t = 1)]
    uses: u32,
    /// How long it is good for: 36h, 7d, 2w. Counted in whole UTC days.
    #[arg(long, default_value = "7d", value_name = "DURATION")]
    expires: String,
    /// Answer in JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct AnnounceArgs {
    /// The server's folder.
    dir: PathBuf,
    /// What to tell, at most 1,000 bytes; read from standard input when left out, or -.
    #[arg(allow_hyphen_values = true, conflicts_with_all = ["list", "remove"])]
    text: Option<String>,
    /// How long it is shown: 36h, 7d, 2w. Counted in whole UTC days.
    #[arg(long, default_value = "30d", value_name = "DURATION")]
    expires: String,
    /// List what is told.
    #[arg(long, conflicts_with = "remove")]
    list: bool,
    /// Take back the one with this id, or a beginning of it.
    #[arg(long, value_name = "ID")]
    remove: Option<String>,
    /// Answer in JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct BackupArgs {
    /// The server's folder.
    dir: PathBuf,
    /// The file to write; it must not exist.
    file: PathBuf,
    /// Answer in JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct RestoreArgs {
    /// The backup.
    file: PathBuf,
    /// The folder to make.
    dir: PathBuf,
    /// Answer in JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct InstallArgs {
    /// The server's folder.
    dir: PathBuf,
    /// The user the server runs as.
    #[arg(long, default_value = "undertone")]
    user: String,
    /// Print the unit and the steps, and change nothing.
    #[arg(long)]
    dry_run: bool,
    /// Answer in JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct UninstallArgs {
    /// Print the steps, and change nothing.
    #[arg(long)]
    dry_run: bool,
    /// Answer in JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the command that the process was started with.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let (json, result) = match &cli.command {
        Command::Init(args) => (args.json, init::run(args)),
        Command::Run(args) => (args.json, run::run(args)),
        Command::Invite(InviteCommand::Create(args)) => (args.json, invite::create(args)),
        Command::Announce(args) => (args.json, announce::run(args)),
        Command::Status(args) => (args.json, status::run(args)),
        Command::CheckConfig(args) => (args.json, check_config::run(args)),
        Command::Backup(args) => (args.json, backup::run(args)),
        Command::Restore(args) => (args.json, restore::run(args)),
        Command::Install(args) => (args.json, install::install(args)),
        Command::Uninstall(args) => (args.json, install::uninstall(args)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if json {
                let object =
                    serde_json::json!({ "code": error.code(), "sentence": error.to_string() });
                print_error(&object.to_string());
            } else {
                print_error(&error.to_string());
            }
            ExitCode::from(error.exit_code())
        }
    }
}

/// Prints one answer: `value` as JSON, or `text`.
fn answer(json: bool, value: &impl Serialize, text: &str) {
    use std::io::Write as _;
    let line = if json {
        serde_json::to_string(value).unwrap_or_default()
    } else {
        text.trim_end().to_owned()
    };
    // A reader that went away is not a failure of the command.
    let _ = writeln!(std::io::stdout(), "{line}");
}

fn print_error(line: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// A warning beside a command that succeeds.
fn warn(sentence: &str) {
    print_error(&format!("Note: {sentence}"));
}

/// Whole UTC days that a duration like `36h`, `7d` or `2w` covers, rounded up.
fn days(text: &str) -> Result<u32, ServerError> {
    let wrong = || ServerError::Usage(format!("\"{text}\" is no duration; write 36h, 7d or 2w"));
    let split = text.len() - text.chars().next_back().map_or(0, char::len_utf8);
    let (number, unit) = text.split_at(split);
    let number: u32 = number.parse().map_err(|_| wrong())?;
    let days = match unit {
        "h" => number.div_ceil(24),
        "d" => number,
        "w" => number.checked_mul(7).ok_or_else(wrong)?,
        _ => return Err(wrong()),
    };
    if days == 0 || days > 3650 {
        Err(wrong())
    } else {
        Ok(days)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        assert_eq!(days("1h").ok(), Some(1));
        assert_eq!(days("36h").ok(), Some(2));
        assert_eq!(days("7d").ok(), Some(7));
        assert_eq!(days("2w").ok(), Some(14));
        for wrong in ["", "d", "0d", "7", "-1d", "7 d", "9999999999d", "7ä"] {
            assert_eq!(days(wrong).err().map(|e| e.exit_code()), Some(2), "{wrong}");
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory as _;
        Cli::command().debug_assert();
    }
}
