//! What `undertone profile`, `undertone requests` and `undertone report` take.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// What of the profile is to change; without any it is shown.
#[derive(Args, Clone, Debug)]
#[command(
    after_help = "Everybody you talk with is told, inside encrypted messages; no server sees it. Of the picture, its middle is taken, made small, and loses all but its pixels."
)]
pub struct ProfileArgs {
    /// The name that others see
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// A picture that others see: JPEG, PNG, WebP or GIF
    #[arg(long, value_name = "FILE", conflicts_with = "no_picture")]
    pub picture: Option<PathBuf>,
    /// No picture any more
    #[arg(long)]
    pub no_picture: bool,
}

/// What can be done with requests.
#[derive(Subcommand)]
pub enum RequestsCommand {
    /// List who waits
    List,
    /// Make somebody a contact
    Accept {
        /// Name, beginning of a name, or id
        person: String,
    },
    /// Delete a request with everything in it; they are not told
    Refuse {
        /// Name, beginning of a name, or id
        person: String,
        /// And let them make no other
        #[arg(long)]
        block: bool,
    },
    /// List who is blocked; `undertone block ID --undo` ends that
    Blocked,
}

/// What can be done with records of people.
#[derive(Subcommand)]
pub enum ReportCommand {
    /// Keep who somebody is and their last 50 messages
    Make {
        /// A contact, or somebody who waits: name, beginning of a name, or id
        person: String,
        /// Your own words
        note: Option<String>,
    },
    /// List records
    List,
    /// Write a record to a new file, as JSON that anybody can read who has the file
    Export {
        /// The record's id, or a beginning of it
        report: String,
        /// New file
        file: PathBuf,
    },
    /// Delete a record
    Delete {
        /// The record's id, or a beginning of it
        report: String,
    },
}
