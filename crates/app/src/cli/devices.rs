//! The grammar of `undertone devices`.

use std::path::PathBuf;

use clap::Subcommand;

use super::kill_args::Sending;

/// What can be done with one's own devices.
#[derive(Subcommand)]
pub enum DevicesCommand {
    /// List your devices
    List,
    /// Link a new device by the code that it shows
    #[command(
        after_help = "Both devices then show six words: only if they are the same on both, say yes on both. Answers are read from standard input.\n\nArguments can be seen by every user of this computer while the command runs. Where that matters, write `undertone devices link -` and give the code on standard input."
    )]
    Link {
        /// The code, or - to read it from standard input
        #[arg(allow_hyphen_values = true)]
        code: String,
        /// Give it what was said before, too; files come when they are opened, as long as the server has them
        #[arg(long, conflicts_with = "no_history")]
        history: bool,
        /// Do not give it what was said before [default, unless somebody can be asked]
        #[arg(long)]
        no_history: bool,
    },
    /// Give a device another name
    Rename {
        /// Beginning of its name or id
        device: String,
        /// The new name
        name: String,
    },
    /// Have another device of yours wiped: everything on it is gone for ever
    #[command(
        after_help = "Works where a kill code was made (`undertone kill-code`), also while the other device is locked. If it is off, it is wiped at its next contact, before it shows anything. Remove it afterwards, with the recovery phrase if somebody may have opened it."
    )]
    Kill {
        /// Beginning of its name or id
        device: String,
        /// How it is sent.
        #[command(flatten)]
        sending: Sending,
    },
    /// Take a device out of your account and of every conversation
    #[command(
        after_help = "With the recovery phrase (on standard input, or in a file) nothing that the device knows is worth anything afterwards. Without it the removal is not safe against a thief who opened the device."
    )]
    Remove {
        /// Beginning of its name or id
        device: String,
        /// Read the recovery phrase from this file
        #[arg(long, value_name = "FILE", conflicts_with = "without_phrase")]
        phrase_file: Option<PathBuf>,
        /// Do it without the recovery phrase
        #[arg(long)]
        without_phrase: bool,
    },
}
