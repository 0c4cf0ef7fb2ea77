//! What `undertone group` takes.

use clap::Subcommand;

use super::values::{GroupRole, Who};

/// What can be done with groups.
#[derive(Subcommand)]
pub enum GroupCommand {
    /// Make a group
    Create {
        /// The group's name
        name: String,
        /// Contacts: name, beginning of a name, or id
        #[arg(value_name = "MEMBER")]
        members: Vec<String>,
    },
    /// Add contacts to a group
    Add {
        /// The group
        group: String,
        /// Contacts to add
        #[arg(required = true, value_name = "MEMBER")]
        members: Vec<String>,
    },
    /// Remove a member from a group
    Remove {
        /// The group
        group: String,
        /// Who goes
        member: String,
    },
    /// Leave a group
    Leave {
        /// The group
        group: String,
        /// Who is to be owner then; needed from the last owner
        #[arg(long, value_name = "MEMBER")]
        successor: Option<String>,
    },
    /// Make a member owner in your place; you stay as an admin
    HandOver {
        /// The group
        group: String,
        /// The new owner
        member: String,
    },
    /// Show or set who may do what in a group
    #[command(
        after_help = "Admins may set it; what is for owners only, or is to be, only owners. With `--post admins` a group is for announcements: everybody reads and reacts."
    )]
    Policy {
        /// The group
        group: String,
        /// Who may add members
        #[arg(long, value_name = "WHO")]
        add: Option<Who>,
        /// Who may rename the group
        #[arg(long, value_name = "WHO")]
        rename: Option<Who>,
        /// Who may pin messages
        #[arg(long, value_name = "WHO")]
        pin: Option<Who>,
        /// Who may set how long messages stay
        #[arg(long, value_name = "WHO")]
        timer: Option<Who>,
        /// Who may write
        #[arg(long, value_name = "WHO")]
        post: Option<Who>,
    },
    /// Give a member a role
    Role {
        /// The group
        group: String,
        /// Whose role
        member: String,
        /// The role
        role: GroupRole,
    },
    /// Rename a group
    Rename {
        /// The group
        group: String,
        /// Its new name
        name: String,
    },
    /// List a group's members
    Members {
        /// The group
        group: String,
    },
}
