//! The grammar of `undertone content`.

use std::path::PathBuf;

use clap::Subcommand;

/// What can be done with a file of MIMI content.
#[derive(Subcommand)]
pub enum ContentCommand {
    /// Show the fields and the message id
    Inspect {
        /// File of deterministic CBOR; - reads standard input
        #[arg(allow_hyphen_values = true)]
        file: PathBuf,
        /// Sender URI [default: extension 1]
        #[arg(long, value_name = "URI")]
        sender: Option<String>,
        /// Room URI [default: extension 2]
        #[arg(long, value_name = "URI")]
        room: Option<String>,
    },
    /// Decode and encode again; fails if a byte differs
    Roundtrip {
        /// File of deterministic CBOR; - reads standard input
        #[arg(allow_hyphen_values = true)]
        file: PathBuf,
    },
}
