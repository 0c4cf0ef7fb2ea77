//! The grammar of what protects a device that is lost, seized or coerced.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::values::OnOff;
use crate::terminal::time::parse_span;

/// What can be done for a device that is lost, seized or coerced.
#[derive(Subcommand)]
pub enum ProtectionCommand {
    /// Lock: the Undertone that has this home open lets go of every key
    #[command(
        after_help = "The app in the browser locks with the screen by itself where systemd-logind knows of the lock and `gdbus` is there (the Protection page says whether it is). Elsewhere, have this run by whatever locks your screen, for example `swayidle lock 'undertone lock'` or xss-lock."
    )]
    Lock,
    /// Lock at once; a second time within ten seconds, or with --wipe, wipe
    #[command(
        after_help = "It asks nothing and waits for nobody: a process that doesn't let go of the home within two seconds is killed. Wiped is wiped: nothing on this device comes back."
    )]
    Panic {
        /// Wipe at once
        #[arg(long)]
        wipe: bool,
    },
    /// Wipe this device: keys first, then everything in the home, then the mailbox on the server
    #[command(
        after_help = "Asks for the word `wipe` on standard input, unless --yes-wipe is given. The account lives on on your other devices. Overwriting can't be promised on flash disks and copy-on-write file systems; the passphrase still stands before what they may keep. Backups outside the home are not touched."
    )]
    Wipe {
        /// For scripts: ask nothing
        #[arg(long)]
        yes_wipe: bool,
    },
    /// Change the passphrase
    Passphrase {
        /// Read the new passphrase from this file (its first line); it must be yours and closed to others
        #[arg(long, value_name = "FILE")]
        new_passphrase_file: Option<PathBuf>,
    },
    /// Show or change what protects this device when it is lost, seized, or you are coerced
    Protection(ProtectionArgs),
    /// A passphrase for when you are forced to give one
    Duress {
        /// What to do with it
        #[command(subcommand)]
        command: DuressCommand,
    },
    /// Look once whether the dead-man timer is over, or a command of the kill code waits, and wipe if so; for a timer of the system
    #[command(
        after_help = "No passphrase is needed, and nothing is opened. A systemd user timer that runs it every hour makes both work while Undertone itself doesn't run; docs/threat-model.md has the two files."
    )]
    Guard,
}

/// What of it is to change; without any it is shown.
#[derive(Args, Clone, Debug)]
#[command(
    after_help = "`--wrong-attempts`, `--dead-man`, `--heartbeats` and `--keyring` ask for the passphrase, and can't be changed on a visit to the decoy. `--confirm` alone tells the dead-man timer that you are there, as an unlock does. With `--heartbeats on`, so does the passphrase given on another of your devices, which tells this one by the ways of the kill code: make one first. This device hears it locked or open, but not while Undertone doesn't run.\n\nNone of this helps when the disk was copied before, when somebody controls this computer, or when a camera sees you type."
)]
pub struct ProtectionArgs {
    /// Wipe after so many wrong passphrases in a row (3 or more), or `off`
    #[arg(long, value_name = "N|off", value_parser = parse_attempts)]
    pub wrong_attempts: Option<u16>,
    /// Wipe when the home was not unlocked for so long: 30d, 4w, or `off`
    #[arg(long, value_name = "DAYS|off", value_parser = parse_days)]
    pub dead_man: Option<u16>,
    /// Let an unlock of another of your devices put the dead-man timer off
    #[arg(long, value_name = "on|off")]
    pub heartbeats: Option<OnOff>,
    /// Lock the app after so long without you: 10m, 1h, or `off`
    #[arg(long, value_name = "SPAN|off", value_parser = parse_idle)]
    pub auto_lock: Option<u32>,
    /// Lock the app when the computer is suspended
    #[arg(long, value_name = "on|off")]
    pub lock_on_suspend: Option<OnOff>,
    /// Lock the app when the desktop locks the screen
    #[arg(long, value_name = "on|off")]
    pub lock_with_screen: Option<OnOff>,
    /// Need the desktop's keyring, too, to open this home: for a copy of the disk the passphrase is not enough then
    #[arg(long, value_name = "on|off")]
    pub keyring: Option<OnOff>,
    /// Remove a device from your account as soon as it says that it was wiped; your contacts see a line
    #[arg(long, value_name = "on|off")]
    pub remove_wiped: Option<OnOff>,
    /// Confirm with the passphrase that you are there
    #[arg(long)]
    pub confirm: bool,
}

/// What can be done with the duress passphrase.
#[derive(Subcommand)]
pub enum DuressCommand {
    /// Set it, and make the decoy that it opens
    #[command(
        after_help = "Typed instead of your passphrase it destroys this account's keys on this device and opens the decoy: an account of its own, which you can prepare. Without --server the decoy is an empty account that is not registered; without --visit it can't be opened before. A decoy of before is replaced once the word `replace` was typed (before an invitation on standard input), or with --yes.\n\nWith --alarm, contacts are told when it is typed: their devices get what they need for that in your chat with them, and the alarm goes out of the decoy, unseen, as soon as there is a network. It stands in the decoy until it was taken, for who knows where to look."
    )]
    Set {
        /// Register the decoy's account with this invitation (or ORIGIN+PIN of an open server); - reads it from standard input
        #[arg(long, value_name = "INVITATION|-", allow_hyphen_values = true)]
        server: Option<String>,
        /// The name in the decoy [default: yours]
        #[arg(long)]
        name: Option<String>,
        /// Ask for a third passphrase, which opens the decoy and destroys nothing
        #[arg(long)]
        visit: bool,
        /// Read the duress passphrase from this file
        #[arg(long, value_name = "FILE")]
        duress_file: Option<PathBuf>,
        /// Read the passphrase for visits from this file
        #[arg(long, value_name = "FILE")]
        visit_file: Option<PathBuf>,
        /// Tell this contact, silently, when the duress passphrase is given; can be given several times
        #[arg(long, value_name = "CONTACT")]
        alarm: Vec<String>,
        /// Write the recovery phrase of the decoy's account to this new file; needed where there is no terminal to show it on
        #[arg(long, value_name = "FILE")]
        recovery_file: Option<PathBuf>,
        /// Where there is a decoy already: don't ask for the word that confirms that it is replaced
        #[arg(long)]
        yes: bool,
    },
    /// Take it and the decoy away
    #[command(
        after_help = "Asks for the word `remove` on standard input, unless --yes is given, and for the passphrase. The account in the decoy is on no other device: what its recovery phrase does not bring back is gone."
    )]
    Remove {
        /// Don't ask for the word that confirms it
        #[arg(long)]
        yes: bool,
    },
}

fn parse_attempts(text: &str) -> Result<u16, String> {
    match text {
        "off" => Ok(0),
        _ => match text.parse() {
            Ok(number) if number >= 3 => Ok(number),
            _ => Err("a number of 3 or more, or off".to_owned()),
        },
    }
}

fn parse_days(text: &str) -> Result<u16, String> {
    const DAY: u64 = 24 * 60 * 60;
    if text == "off" {
        return Ok(0);
    }
    let refuse = || "days or weeks such as 30d or 4w, 1d to 3650d, or off".to_owned();
    let seconds = parse_span(text).map_err(|_| refuse())?;
    match u16::try_from(seconds / DAY) {
        Ok(days) if (1..=3650).contains(&days) && seconds % DAY == 0 => Ok(days),
        _ => Err(refuse()),
    }
}

fn parse_idle(text: &str) -> Result<u32, String> {
    if text == "off" {
        return Ok(0);
    }
    let seconds = parse_span(text).map_err(|_| "a span such as 10m or 1h, or off")?;
    match u32::try_from(seconds) {
        Ok(seconds) if (30..=86_400).contains(&seconds) => Ok(seconds),
        _ => Err("30s to 24h, or off".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_typed() {
        assert_eq!(parse_attempts("10"), Ok(10));
        assert_eq!(parse_attempts("off"), Ok(0));
        assert!(parse_attempts("2").is_err());
        assert_eq!(parse_days("30d"), Ok(30));
        assert_eq!(parse_days("4w"), Ok(28));
        for out_of_bounds in ["12h", "0d", "3651d", "5000d", "600w", "soon"] {
            let refused = parse_days(out_of_bounds).expect_err(out_of_bounds);
            assert!(
                refused.contains("1d to 3650d"),
                "{out_of_bounds}: {refused}"
            );
        }
        assert_eq!(parse_idle("10m"), Ok(600));
        assert!(parse_idle("5s").is_err());
    }
}
