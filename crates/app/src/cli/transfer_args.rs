//! The grammar of `undertone transfer`.

use clap::{Args, Subcommand};

/// What can be done with the transfer of files.
#[derive(Subcommand)]
pub enum TransferCommand {
    /// Let it wait until it is resumed, over restarts too; a message you are sending waits as a whole
    Pause(TransferArgs),
    /// Let it go on, or fetch a file that was cancelled or never asked for, whatever its size
    Resume(TransferArgs),
    /// End it; a message you are sending stays here, to be sent again (`undertone send-again`) or deleted
    Cancel(TransferArgs),
}

/// Whose transfer.
#[derive(Args)]
pub struct TransferArgs {
    /// Name, beginning of a name, or id
    pub chat: String,
    /// The message's id, or a beginning of it
    pub message: String,
    /// Which attachment of the message, from 1 [default: all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub number: Option<u32>,
}
