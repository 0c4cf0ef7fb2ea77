//! The grammar of `undertone backup`.

use std::path::PathBuf;

use clap::Subcommand;

/// What can be done with backups.
#[derive(Subcommand)]
pub enum BackupCommand {
    /// Make a backup in a folder, or bring the one there up to date
    #[command(
        after_help = "Contacts, chats, messages and settings, encrypted so that only the recovery phrase opens them. A second run writes only what is new. What was deleted or has disappeared goes from the backup with its next run. Ctrl-C ends a run; the backup before it stays whole.\n\nWhether the phrase is needed: only on a device that was set up by an older version."
    )]
    Make {
        /// An empty or new folder, or the one of an earlier backup
        folder: PathBuf,
        /// Take the files in your chats along
        #[arg(long)]
        media: bool,
        /// Read the recovery phrase from this file
        #[arg(long, value_name = "FILE")]
        phrase_file: Option<PathBuf>,
    },
    /// Open every part of a backup and check it
    #[command(
        after_help = "Asks for the recovery phrase on standard input, or reads it from --phrase-file. No home is needed."
    )]
    Verify {
        /// The backup's folder
        folder: PathBuf,
        /// Read the recovery phrase from this file
        #[arg(long, value_name = "FILE")]
        phrase_file: Option<PathBuf>,
    },
}
