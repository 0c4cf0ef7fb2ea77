//! What `undertone requests` and `undertone report` take.

use std::path::PathBuf;

use clap::Subcommand;

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
