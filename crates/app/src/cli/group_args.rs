//! What `undertone group` takes.

use clap::Subcommand;

use super::values::{Expiry, GroupRole, Who, parse_expiry};

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
    /// Make a link to a group: who has it may ask this device to be let in
    #[command(
        after_help = "The link names neither the group nor anybody in it. People come in while your app is online; with --approve they wait until you say yes: `undertone group requests`, then `accept` or `refuse`."
    )]
    Invite {
        /// The group
        group: String,
        /// How long it may be used: 2h, 7d, or never
        #[arg(long, value_name = "SPAN", default_value = "7d", value_parser = parse_expiry)]
        expires: Expiry,
        /// How many people may come by it
        #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
        uses: u32,
        /// Say yes to each of them first
        #[arg(long)]
        approve: bool,
    },
    /// List the links to a group, and who made them
    Invites {
        /// The group
        group: String,
    },
    /// Withdraw a link to a group: your own, or as an admin anybody's
    #[command(
        after_help = "A link that another device made ends as soon as that device hears of it; until then somebody who has it may still be let in."
    )]
    RevokeInvite {
        /// The group
        group: String,
        /// The link's id, or a beginning of it
        invite: String,
    },
    /// List who asks to be let in
    Requests {
        /// The group
        group: String,
    },
    /// Let somebody in who asks
    Accept {
        /// The group
        group: String,
        /// Name, beginning of a name, or id
        person: String,
    },
    /// Don't let somebody in who asks; they are not told
    Refuse {
        /// The group
        group: String,
        /// Name, beginning of a name, or id
        person: String,
    },
    /// Ask to be let in to a group by a link you were given; - reads it from standard input
    Join {
        /// The link
        link: String,
    },
}
