//! The command line's grammar.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use jiff::civil::DateTime;
use undertone_core::Location;

pub use super::backup_args::BackupCommand;
pub use super::content_args::ContentCommand;
pub use super::devices::DevicesCommand;
pub use super::group_args::GroupCommand;
pub use super::kill_args::{CustodianCommand, KillArgs, KillCodeCommand};
pub use super::message_args::{DraftArgs, WhoReadArgs};
pub use super::people_args::{ProfileArgs, ReportCommand, RequestsCommand};
pub use super::protection::{DuressCommand, ProtectionArgs, ProtectionCommand};
pub use super::transfer_args::{TransferArgs, TransferCommand};
pub use super::values::{
    AppOptions, Expiry, GroupRole, Mute, OnOff, Proxy, Receipts, Sort, When, Who,
};
use super::values::{
    parse_expiry, parse_location, parse_moment, parse_mute, parse_proxy, parse_timer, parse_when,
};
use crate::terminal::time::parse_span;

/// Private messaging on a server you own.
#[derive(Parser)]
#[command(
    name = "undertone",
    version,
    about = "Private messaging on a server you own.",
    after_help = "Without a command the app opens in your browser.\nIn the terminal, start with `undertone init`, then `undertone link` or `undertone add`.\n`undertone help exit-codes` lists what the exit codes mean.",
    disable_help_subcommand = true,
    max_term_width = 100
)]
pub struct Cli {
    /// Options of every command.
    #[command(flatten)]
    pub global: Global,
    /// How the app in the browser comes up, when there is no command.
    #[command(flatten)]
    pub app: AppOptions,
    /// What to do; without one: the app in the browser.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Options of every command.
#[derive(Args, Clone, Debug)]
pub struct Global {
    /// Folder that holds the account [default: $XDG_DATA_HOME/undertone or ~/.local/share/undertone]
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        help_heading = "Options of every command"
    )]
    pub home: Option<PathBuf>,
    /// Print the result as JSON; a failure as one JSON line on standard error
    #[arg(long, global = true, help_heading = "Options of every command")]
    pub json: bool,
    /// Read the passphrase from this open file descriptor (its first line)
    #[arg(
        long,
        global = true,
        value_name = "N",
        conflicts_with = "passphrase_file",
        help_heading = "Options of every command"
    )]
    pub passphrase_fd: Option<u32>,
    /// Read the passphrase from this file (its first line); it must be yours and closed to others (mode 0600)
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        help_heading = "Options of every command"
    )]
    pub passphrase_file: Option<PathBuf>,
    /// Reach the server through a SOCKS5 proxy such as Tor: socks5://127.0.0.1:9050; remembered until another or none is given
    #[arg(long, global = true, value_name = "URL", value_parser = parse_proxy, help_heading = "Options of every command")]
    pub proxy: Option<Proxy>,
    /// Don't contact the server; what is to be sent waits
    #[arg(long, global = true, help_heading = "Options of every command")]
    pub offline: bool,
    /// Log to standard error; -vv logs more
    #[arg(short, long, global = true, action = clap::ArgAction::Count, help_heading = "Options of every command")]
    pub verbose: u8,
}

/// What can be done.
#[derive(Subcommand)]
pub enum Command {
    /// Open the app in your browser: the same as no command at all
    #[command(
        after_help = "The app is served on 127.0.0.1 to this user's browser only. It runs until Ctrl-C; a second start brings it to the front again."
    )]
    App {
        #[command(flatten)]
        options: AppOptions,
        /// Go on as the process that this one was before it locked itself
        #[arg(long, value_name = "SESSIONS", hide = true, allow_hyphen_values = true)]
        resume: Option<String>,
        /// The files in memory that the process before left
        #[arg(long, value_name = "NUMBER", hide = true, requires = "resume")]
        bell: Option<i32>,
        #[arg(long, value_name = "NUMBER", hide = true, requires = "resume")]
        pages: Option<i32>,
    },
    /// Make a home: a new account on a server
    #[command(
        after_help = "The recovery phrase is shown once, on the terminal, or written to a new file with --recovery-file. It is the only way to remove a stolen device safely, and the only thing that opens backups: keep it on paper.\n\nArguments can be seen by every user of this computer while the command runs. Where that matters, write `--server -` and give the invitation on standard input."
    )]
    Init {
        /// Invitation, or ORIGIN+PIN of a server with open registration; - reads it from standard input
        #[arg(
            long,
            value_name = "INVITATION|ORIGIN+PIN|-",
            allow_hyphen_values = true
        )]
        server: String,
        /// Your name, as contacts will see it
        #[arg(long, required_unless_present = "link")]
        name: Option<String>,
        /// Make this a further device of an account: shows a code for `undertone devices link`; --server is HOST:PORT then
        #[arg(long, conflicts_with_all = ["name", "recovery_file"])]
        link: bool,
        /// With --link: what to call this device [default: the machine's name]
        #[arg(long, value_name = "NAME", requires = "link")]
        device_name: Option<String>,
        /// Write the recovery phrase to this new file (mode 0600) instead of showing it
        #[arg(long, value_name = "FILE")]
        recovery_file: Option<PathBuf>,
        /// Make a kill code too, and write its words to this new file (mode 0600); on a terminal you are asked
        #[arg(long, value_name = "FILE", conflicts_with = "link")]
        kill_file: Option<PathBuf>,
        /// Make no kill code now, and don't ask
        #[arg(long, conflicts_with = "kill_file")]
        no_kill_code: bool,
    },
    /// Make a contact link for one person, as text and QR code
    #[command(
        after_help = "Whoever has the link can write to you, once. Give it to one person, in person or over a channel you trust."
    )]
    Link {
        /// How long it may be used: 2h, 7d, or never
        #[arg(long, value_name = "SPAN", default_value = "7d", value_parser = parse_expiry)]
        expires: Expiry,
        /// How many people may use it
        #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
        uses: u32,
        /// Accept whoever comes by it first (`undertone requests`) [default: if more than one may use it]
        #[arg(long, conflicts_with = "no_ask")]
        ask: bool,
        /// Make whoever comes by it a contact at once
        #[arg(long)]
        no_ask: bool,
    },
    /// List people who wait to be accepted, accept or refuse them
    Requests {
        /// Without one: list
        #[command(subcommand)]
        command: Option<RequestsCommand>,
    },
    /// Keep a record of what somebody wrote, on this device only; nobody is sent it
    Report {
        /// What to do
        #[command(subcommand)]
        command: ReportCommand,
    },
    /// List your devices, link, rename or remove one
    Devices {
        /// Without one: list
        #[command(subcommand)]
        command: Option<DevicesCommand>,
    },
    /// Have an account's devices wiped by its kill code, from any machine; needs no account here
    #[command(
        after_help = "The twelve words are asked for, or read from --words-fd or --words-file; never give them as arguments. A device that is off is wiped at its next contact, before it shows anything. Only an answer that the device signed counts as one."
    )]
    Kill(KillArgs),
    /// Show the kill code's state, or make a new one
    KillCode {
        /// Without one: show
        #[command(subcommand)]
        command: Option<KillCodeCommand>,
    },
    /// List who else may wipe this device, accept somebody, or be one
    Custodian {
        /// Without one: list
        #[command(subcommand)]
        command: Option<CustodianCommand>,
    },
    /// Write a chat as web pages with its files, to keep
    #[command(
        after_help = "The pages are plain text on the disk: whoever can read the folder can read the conversation. Messages that disappear are left out, and files that may be opened once. Files that are not on this device are fetched."
    )]
    Export {
        /// Name, beginning of a name, or id
        chat: String,
        /// A new or empty folder; it is closed to others (mode 0700)
        folder: PathBuf,
    },
    /// Make an encrypted backup that only the recovery phrase opens, or check one
    Backup {
        /// What to do
        #[command(subcommand)]
        command: BackupCommand,
    },
    /// Make a home from a backup, when all devices of the account are lost
    #[command(
        after_help = "Asks for the recovery phrase on standard input, or reads it from --phrase-file. What was said before can be read at once; a chat goes on when somebody in it has let this device in, which their app does by itself. Contacts see no new safety number. All devices that the account had before are out of its chats then.\n\nThe server must be the one of before, or the chats can only be read."
    )]
    Restore {
        /// The backup's folder
        backup: PathBuf,
        /// Invitation, or ORIGIN+PIN of a server with open registration
        #[arg(long, value_name = "INVITATION|ORIGIN+PIN", allow_hyphen_values = true)]
        server: String,
        /// Read the recovery phrase from this file
        #[arg(long, value_name = "FILE")]
        phrase_file: Option<PathBuf>,
    },
    /// List your contact links, or revoke one
    Links {
        /// Without one: list
        #[command(subcommand)]
        command: Option<LinksCommand>,
    },
    /// Add a contact by the link you were given
    #[command(
        after_help = "Arguments can be seen by every user of this computer while the command runs. Where that matters, write `undertone add -` and give the link on standard input."
    )]
    Add {
        /// The link, or - to read it from standard input
        #[arg(allow_hyphen_values = true)]
        link: String,
    },
    /// List contacts
    Contacts,
    /// List chats, the newest first
    Chats,
    /// Make and change groups
    Group {
        /// What to change
        #[command(subcommand)]
        command: GroupCommand,
    },
    /// Send a message
    #[command(
        after_help = "Waits until the server has it on disk and says so. Without a connection the message is queued: the next command, or `undertone watch`, delivers it.\n\nCHAT is a chat's or contact's name, a unique beginning of it, or an id; `notes` is your notes to self.\n\nArguments can be seen by every user of this computer while the command runs. Where that matters, write `-` for the text and give it on standard input."
    )]
    Send {
        /// Name, beginning of a name, or id
        chat: String,
        /// The message; - reads it from standard input
        #[arg(allow_hyphen_values = true, required_unless_present_any = ["attach", "contact", "location"])]
        text: Option<String>,
        /// Attach a file; pictures lose their metadata (place, camera) before they leave
        #[arg(long, value_name = "FILE")]
        attach: Vec<PathBuf>,
        /// Leave the metadata of pictures in
        #[arg(long, requires = "attach")]
        keep_metadata: bool,
        /// The text is Markdown
        #[arg(long)]
        markdown: bool,
        /// Reply to this message (id, or a beginning of it)
        #[arg(long, value_name = "MESSAGE-ID")]
        reply_to: Option<String>,
        /// Make it disappear this long after it was read: 30s, 5m, 2h, 7d [default: as the chat has it]
        #[arg(long, value_name = "SPAN", value_parser = parse_timer)]
        expires: Option<u32>,
        /// Make it disappear at this moment: 2026-03-01 or 2026-03-01T18:30, in your own time
        #[arg(long, value_name = "MOMENT", value_parser = parse_moment, conflicts_with = "expires")]
        until: Option<DateTime>,
        /// The files can be saved once by each receiver, and are gone then; here they go as soon as they were sent
        #[arg(long, requires = "attach")]
        view_once: bool,
        /// With a video: a picture of it, shown until it is fetched
        #[arg(long, value_name = "FILE", requires = "attach")]
        poster: Option<PathBuf>,
        /// With a video: how long it plays, in seconds
        #[arg(long, value_name = "SECONDS", requires = "attach")]
        plays: Option<u32>,
        /// Send a contact's card: the name you know them by and their account id
        #[arg(long, value_name = "NAME", conflicts_with_all = ["text", "attach", "markdown", "location"])]
        contact: Option<String>,
        /// With the card, a contact link that this person gave you to pass on; - reads it from standard input
        #[arg(long, value_name = "LINK", requires = "contact")]
        contact_link: Option<String>,
        /// Send a place, in degrees north and east, as text; no map is asked for, here or there
        #[arg(long, value_name = "LAT,LON", value_parser = parse_location, allow_hyphen_values = true, conflicts_with_all = ["text", "attach", "markdown"])]
        location: Option<Location>,
    },
    /// Make a chat's new messages disappear some time after they were read
    #[command(
        after_help = "Counts from when each person read a message; for whoever wrote it, from when it went out. In a group, admins set it. Other people's devices are asked to delete; nothing can make a changed app do so."
    )]
    Timer {
        /// Name, beginning of a name, or id
        chat: String,
        /// 30s, 5m, 2h, 7d, or off
        #[arg(value_parser = parse_timer)]
        span: u32,
    },
    /// Show a chat's messages
    Read {
        /// Name, beginning of a name, or id
        chat: String,
        /// At most this many, the newest
        #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        limit: u32,
        /// Only messages before this one (the `local_id` of --json)
        #[arg(long, value_name = "LOCAL-ID")]
        before: Option<i64>,
        /// From the first message of this span on, in place of the newest: 2h, 7d, 4w
        #[arg(long, value_name = "SPAN", value_parser = parse_span, conflicts_with = "before")]
        since: Option<u64>,
        /// Show message ids, as `save` and `send --reply-to` want them
        #[arg(long)]
        ids: bool,
        /// Leave them unread
        #[arg(long)]
        peek: bool,
    },
    /// Find messages by words, chat, person, date or sort, the newest first
    Search {
        /// Words, or beginnings of words, that must all be there; may be left out with --kind, --chat or --from
        #[arg(allow_hyphen_values = true, default_value = "")]
        text: String,
        /// Only in this chat
        #[arg(long, value_name = "CHAT")]
        chat: Option<String>,
        /// Only by this contact, by a member of the chat, or by you (`me`)
        #[arg(long, value_name = "PERSON")]
        from: Option<String>,
        /// Only of this sort
        #[arg(long, value_name = "SORT")]
        kind: Option<Sort>,
        /// Only of the last 2h, 7d, 4w, or from a day such as 2026-03-01 on
        #[arg(long, value_name = "WHEN", value_parser = parse_when)]
        since: Option<When>,
        /// Only older than that
        #[arg(long, value_name = "WHEN", value_parser = parse_when)]
        until: Option<When>,
        /// At most this many
        #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=200))]
        limit: u32,
    },
    /// Say nothing of a chat's new messages
    Mute {
        /// Name, beginning of a name, or id
        chat: String,
        /// How long: 8h, 1w, always, or off
        #[arg(default_value = "always", value_parser = parse_mute)]
        span: Mute,
    },
    /// Put a chat away until a message comes; a muted one stays away
    Archive {
        /// Name, beginning of a name, or id
        chat: String,
        /// Bring it back
        #[arg(long)]
        undo: bool,
    },
    /// Keep a chat at the top
    Pin {
        /// Name, beginning of a name, or id
        chat: String,
        /// Not any more
        #[arg(long)]
        undo: bool,
    },
    /// Drop what a contact writes in your direct chat; they are not told
    Block {
        /// Name, beginning of a name, or id
        contact: String,
        /// Let them write again; what was dropped is gone
        #[arg(long)]
        undo: bool,
    },
    /// Tell others what you have read, and be told what they have; off means off both ways
    Receipts {
        /// on, off, or default (as it is set for all); without it the present setting is shown
        setting: Option<Receipts>,
        /// Only for this chat
        #[arg(long, value_name = "CHAT", conflicts_with = "contact")]
        chat: Option<String>,
        /// Only with this contact
        #[arg(long, value_name = "CONTACT")]
        contact: Option<String>,
    },
    /// Tell others while you write, and be told while they do; off means off both ways
    #[command(
        after_help = "Only in direct chats and groups of at most 32 people, and only to who is connected at that moment. Nothing of it is stored, on no server and no device; who watches the server live sees that something small was sent to the chat's members."
    )]
    Typing {
        /// on or off; without it the present setting is shown
        setting: Option<OnOff>,
    },
    /// Show or set which files come by themselves
    #[command(
        after_help = "Of this device only. Nothing comes by itself from who waits to be accepted, nor what may be opened once. The server sees that this device fetches something, and of what size class, not what."
    )]
    Downloads {
        /// Files up to so many MB come by themselves; 0: none
        #[arg(long, value_name = "MB")]
        up_to: Option<u32>,
        /// The same while the network costs
        #[arg(long, value_name = "MB")]
        metered_up_to: Option<u32>,
        /// Whether the network that this device is on costs by what goes over it
        #[arg(long, value_name = "on|off")]
        metered: Option<OnOff>,
    },
    /// Change the text of a message you wrote; everybody sees that it was edited
    #[command(
        after_help = "Everybody in the chat can read what the message said before: `undertone history`.\n\nArguments can be seen by every user of this computer while the command runs. Where that matters, write `-` for the text and give it on standard input."
    )]
    Edit {
        /// Name, beginning of a name, or id
        chat: String,
        /// The message's id, or a beginning of it
        message: String,
        /// What it is to say; - reads it from standard input
        #[arg(allow_hyphen_values = true)]
        text: String,
        /// The text is Markdown
        #[arg(long)]
        markdown: bool,
    },
    /// Delete a message you wrote for everyone, or any message for yourself
    #[command(
        after_help = "For everyone: a line stays that says a message was deleted. Who has read it may have kept a copy."
    )]
    Delete {
        /// Name, beginning of a name, or id
        chat: String,
        /// The message's id, or a beginning of it
        message: String,
        /// Only here, without a trace; nobody else is told
        #[arg(long)]
        for_me: bool,
    },
    /// React to a message, usually with one emoji
    React {
        /// Name, beginning of a name, or id
        chat: String,
        /// The message's id, or a beginning of it
        message: String,
        /// The reaction, at most 64 bytes
        #[arg(allow_hyphen_values = true)]
        reaction: String,
        /// Take it back
        #[arg(long)]
        remove: bool,
    },
    /// Pin a message for everybody in a chat; in a group admins may
    PinMessage {
        /// Name, beginning of a name, or id
        chat: String,
        /// The message's id, or a beginning of it
        message: String,
        /// Not any more
        #[arg(long)]
        undo: bool,
    },
    /// Show the pinned messages of a chat
    Pinned {
        /// Name, beginning of a name, or id
        chat: String,
    },
    /// Say again in another chat what a message says, without who said it first
    Forward {
        /// The chat it is in
        chat: String,
        /// The message's id, or a beginning of it
        message: String,
        /// The chat to say it in
        to: String,
    },
    /// Show what a message said before it was edited
    History {
        /// Name, beginning of a name, or id
        chat: String,
        /// The message's id, or a beginning of it
        message: String,
    },
    /// Save an attachment to a new file, decrypted
    Save {
        /// Name, beginning of a name, or id
        chat: String,
        /// The message's id, or a beginning of it
        message: String,
        /// New file, or a folder to save under the sender's file name
        file: PathBuf,
        /// Which attachment of the message, from 1
        #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
        number: u32,
    },
    /// Pause, resume or cancel the transfer of a message's files
    Transfer {
        /// What to do
        #[command(subcommand)]
        command: TransferCommand,
    },
    /// Send a message of yours that failed or was cancelled once more, at the end of the chat
    SendAgain {
        /// Name, beginning of a name, or id
        chat: String,
        /// The message's id, or a beginning of it
        message: String,
    },
    /// Show what was begun to be written in a chat, keep something else, or end it (an empty text)
    Draft(DraftArgs),
    /// Show who has got a message of yours, and who has read it, as far as they tell
    WhoRead(WhoReadArgs),
    /// Show the SOCKS5 proxy that the server is reached through, or use another one from now on
    #[command(
        after_help = "It is used at once, also by an app that is open, and remembered. Nothing goes the old way any more."
    )]
    Proxy {
        /// Such as Tor: socks5://127.0.0.1:9050; or none
        #[arg(value_name = "URL", value_parser = parse_proxy)]
        way: Option<Proxy>,
    },
    /// Show how much the files of each chat take here, or remove some of them
    #[command(
        after_help = "Only copies on this device go, and only of what the server has had. Messages stay, and a file can be fetched again as long as the server keeps it (`undertone save`)."
    )]
    Storage {
        /// Only this chat
        chat: Option<String>,
        /// Remove files
        #[arg(long)]
        clean: bool,
        /// Only files of at least so many MB
        #[arg(long, value_name = "MB", requires = "clean")]
        larger_than: Option<u32>,
        /// Only files older than this: 2h, 7d, 4w
        #[arg(long, value_name = "SPAN", value_parser = parse_span, requires = "clean")]
        older_than: Option<u64>,
    },
    /// Stay connected and print events, one JSON object a line
    #[command(after_help = "Other commands work meanwhile: they go through this process.")]
    Watch,
    /// Show the safety number you share with a contact; mark the contact as verified
    Verify {
        /// Name, beginning of a name, or id
        contact: String,
        /// The numbers are the same on both sides: mark as verified
        #[arg(long, conflicts_with = "withdraw")]
        accept: bool,
        /// Mark as not verified
        #[arg(long)]
        withdraw: bool,
        /// Of an account that goes by a contact's name: you know of it, say no more about it
        #[arg(long, conflicts_with_all = ["accept", "withdraw"])]
        accept_account: bool,
    },
    /// What protects a device that is lost, seized or coerced.
    #[command(flatten)]
    Protection(ProtectionCommand),
    /// Show or change your name and picture
    Profile(ProfileArgs),
    /// Show account, server and connection
    Status,
    /// Speak JSON-RPC 2.0 on standard input and output, one message a line (docs/rpc.md)
    Rpc,
    /// Look into MIMI content
    Content {
        /// What to do with it
        #[command(subcommand)]
        command: ContentCommand,
    },
    /// Put Undertone into the desktop's menu, and a unit for systemd beside it
    Install,
    /// Take away what `install` put there; accounts stay
    Uninstall,
    /// Print help, for a command or for `exit-codes`
    Help {
        /// A command, or `exit-codes`
        topic: Vec<String>,
    },
}

/// What can be done with contact links.
#[derive(Subcommand)]
pub enum LinksCommand {
    /// List your contact links
    List,
    /// Revoke a link: nobody can use it from then on
    Revoke {
        /// The link's id, or a beginning of it
        link: String,
    },
}

#[cfg(test)]
mod tests;
