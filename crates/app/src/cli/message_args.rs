//! The grammar of `undertone draft` and `undertone who-read`.

use clap::Args;

/// Which draft, and what it is to say.
#[derive(Args)]
pub struct DraftArgs {
    /// Name, beginning of a name, or id
    pub chat: String,
    /// What is to stand there; - reads it from standard input, an empty one ends the draft [default: shows it]
    #[arg(allow_hyphen_values = true)]
    pub text: Option<String>,
    /// It answers this message (id, or a beginning of it)
    #[arg(long, value_name = "MESSAGE-ID", requires = "text")]
    pub reply_to: Option<String>,
}

/// Which message.
#[derive(Args)]
pub struct WhoReadArgs {
    /// Name, beginning of a name, or id
    pub chat: String,
    /// The message's id, or a beginning of it
    pub message: String,
}
