//! The grammar of `undertone kill`, `undertone kill-code` and `undertone custodian`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use crate::terminal::time::parse_span;

/// What is to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum KillScope {
    /// One device, named with --device.
    Device,
    /// All devices that the code reaches.
    Devices,
    /// All devices, and their mailboxes on the server.
    Everything,
}

/// Where twelve words come from.
#[derive(Args, Clone, Debug)]
pub struct Words {
    /// Read the twelve words from this open file descriptor (its first line)
    #[arg(long, value_name = "N", conflicts_with = "words_file")]
    pub words_fd: Option<u32>,
    /// Read the twelve words from this file (its first line); it must be yours and closed to others (mode 0600)
    #[arg(long, value_name = "FILE")]
    pub words_file: Option<PathBuf>,
}

/// How a command to wipe is sent.
#[derive(Args, Clone, Debug)]
pub struct Sending {
    /// How long the command is good for, by the devices' own clocks: 2h, 30d
    #[arg(long, value_name = "SPAN", default_value = "30d", value_parser = parse_span)]
    pub expires: u64,
    /// How long to wait for the devices' answers: 30s, 5m
    #[arg(long, value_name = "SPAN", default_value = "60s", value_parser = parse_span)]
    pub wait: u64,
    /// Don't ask for the word that confirms it
    #[arg(long)]
    pub yes: bool,
}

/// `undertone kill`.
#[derive(Args, Debug)]
pub struct KillArgs {
    /// The account's server: HOST:PORT, or HOST:PORT+PIN
    #[arg(long, value_name = "HOST:PORT")]
    pub server: String,
    /// What the server is known by
    #[arg(long, value_name = "PIN")]
    pub pin: Option<String>,
    /// Where the words come from; without these they are asked for.
    #[command(flatten)]
    pub words: Words,
    /// What is to go
    #[arg(long, value_name = "WHAT", default_value = "devices")]
    pub scope: KillScope,
    /// With --scope device: its number, or the beginning of its name, as --list shows them
    #[arg(
        long,
        value_name = "DEVICE",
        required_if_eq("scope", "device"),
        conflicts_with = "list"
    )]
    pub device: Option<String>,
    /// Only show which devices the code reaches; nothing is wiped
    #[arg(long)]
    pub list: bool,
    /// How many devices the code reaches, as `undertone kill-code` says where there is one of them: if the server shows fewer, those are
    /// sent the command, the others are looked for until --wait is over, and the command fails
    #[arg(long, value_name = "N", conflicts_with = "device", value_parser = clap::value_parser!(u32).range(1..=32))]
    pub devices: Option<u32>,
    /// How it is sent.
    #[command(flatten)]
    pub sending: Sending,
}

/// `undertone kill-code`.
#[derive(Debug, Subcommand)]
pub enum KillCodeCommand {
    /// Show whether there is a kill code, and which devices it reaches
    Status,
    /// Make a kill code; the words of the one before it are worth nothing from then on
    #[command(
        after_help = "The words are shown once, on the terminal, or written to a new file with --kill-file. Keep them on paper, or give them to somebody you trust: whoever has them can have all your devices wiped, and nothing else."
    )]
    New {
        /// Write the words to this new file (mode 0600) instead of showing them
        #[arg(long, value_name = "FILE")]
        kill_file: Option<PathBuf>,
        /// Don't ask for the word that confirms it
        #[arg(long)]
        yes: bool,
    },
}

/// `undertone custodian`.
#[derive(Debug, Subcommand)]
pub enum CustodianCommand {
    /// List who may wipe this device beside you
    List,
    /// As a custodian: make twelve words, and the key to give to owners of devices. Needs no account
    New {
        /// What owners will see: who you are
        #[arg(long, value_name = "NAME")]
        name: String,
        /// Write the words to this new file (mode 0600) instead of showing them
        #[arg(long, value_name = "FILE")]
        words_file: Option<PathBuf>,
    },
    /// As the owner of this device: let a custodian wipe it, and nothing else. It can't be taken back
    #[command(
        after_help = "Prints a ticket for the custodian. The custodian can read nothing and change nothing, but can have this device wiped at any time. They stay on the list of `undertone custodian` for as long as this device has its account; only wiping the device ends it."
    )]
    Accept {
        /// The custodian's key, undertone:k:..., or - to read it from standard input
        #[arg(allow_hyphen_values = true)]
        key: String,
        /// Don't ask for the word that confirms it
        #[arg(long)]
        yes: bool,
    },
    /// As a custodian: have a device wiped. Needs no account
    Wipe {
        /// The ticket that its owner gave you, undertone:w:..., or - to read it from standard input
        #[arg(allow_hyphen_values = true)]
        ticket: String,
        /// Where the words come from; without these they are asked for.
        #[command(flatten)]
        words: Words,
        /// How it is sent.
        #[command(flatten)]
        sending: Sending,
    },
}
