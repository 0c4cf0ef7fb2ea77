//! What the client shows: plain values for the command line, the RPC and tests.
//!
//! They are read from the store at one moment. Times are Unix milliseconds. The account and chats are here, links and people
//! in `people`, messages in `messages`, what a chat says of itself in `notice`, cards and places in `sharing`, files in `storage`, what happens in `event`.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{
    error::Problem,
    ids::{ChatId, ContactId, DeviceId, InviteId, MessageId},
};

macro_rules! view {
    ($(#[$doc:meta])* struct $name:ident { $($(#[$fdoc:meta])* $field:ident : $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
        pub struct $name { $($(#[$fdoc])* pub $field: $type,)* }
    };
    ($(#[$doc:meta])* enum $name:ident { $($(#[$vdoc:meta])* $variant:ident,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$vdoc])* $variant,)* }
    };
}

mod announcement;
mod backup;
mod devices;
mod event;
mod kill;
mod messages;
mod notice;
mod people;
mod profile;
mod sharing;
mod storage;

pub use announcement::*;
pub use backup::*;
pub use devices::*;
pub(crate) use event::TYPING_SHOWN_MS;
pub use event::{Event, SettingsPart};
pub use kill::*;
pub use messages::*;
pub use notice::{GroupAct, Notice, NoticePerson};
pub use people::*;
pub use profile::*;
pub use sharing::*;
pub use storage::*;

view! {
    /// This account and device.
    struct AccountInfo {
        /// The account id.
        account_id: ContactId,
        /// The name that contacts see.
        name: String,
        /// This device.
        device_id: DeviceId,
        /// `host:port` of the server.
        server: String,
        /// The server's pin, base32.
        pin: String,
        /// Whether the server has this device's queue.
        registered: bool,
        /// When the account was made.
        #[ts(type = "number")]
        created_ms: i64,
    }
}

view! {
    /// One connection's state.
    enum LinkState {
        /// Not connected, and not trying.
        Offline,
        /// Trying, or waiting to try again.
        Connecting,
        /// Connected and signed in (inbox) or paid for (outbox).
        Online,
    }
}

view! {
    /// The connection to the server.
    struct Status {
        /// The receiving connection.
        inbox: LinkState,
        /// The sending connection.
        outbox: LinkState,
        /// Messages that the server does not have yet.
        outbox_waiting: u32,
        /// Blind tokens in the wallet.
        tokens: u32,
        /// Server's clock minus ours, seconds; 0 until it was seen.
        #[ts(type = "number")]
        clock_off_s: i64,
        /// Whether that is enough to warn (over an hour).
        clock_warning: bool,
        /// Why the connection is not there.
        problem: Option<Problem>,
        /// `host:port`.
        server: String,
        /// The SOCKS5 proxy in use, `host:port`.
        proxy: Option<String>,
        /// When the inbox was last known empty.
        #[ts(type = "number | null")]
        last_sync_ms: Option<i64>,
    }
}

view! {
    /// What a one-shot command left behind.
    struct Settled {
        /// Whether the server was reached.
        online: bool,
        /// Messages and changes that the server does not have yet.
        outbox_left: u32,
        /// Why, if it was not reached.
        problem: Option<Problem>,
    }
}

view! {
    /// Whether the server has it.
    enum Delivery {
        /// On the server's disk.
        Accepted,
        /// In the outbox of this device.
        Queued,
    }
}

view! {
    /// What sort of conversation.
    enum ChatKind {
        /// Two accounts.
        Direct,
        /// A group.
        Group,
        /// Notes to oneself.
        Notes,
    }
}

view! {
    /// A member's role.
    enum Role {
        /// Reads and writes.
        Member,
        /// May also add and remove.
        Admin,
        /// May also make admins and owners.
        Owner,
    }
}

impl From<undertone_mls::Role> for Role {
    fn from(role: undertone_mls::Role) -> Self {
        match role {
            undertone_mls::Role::Owner => Self::Owner,
            undertone_mls::Role::Admin => Self::Admin,
            undertone_mls::Role::Member => Self::Member,
        }
    }
}

view! {
    /// How a chat is doing.
    enum ChatState {
        /// Being set up.
        Joining,
        /// All is well.
        Active,
        /// This device lost the thread and has asked to be let in again.
        Resyncing,
        /// Left.
        Left,
        /// Removed by somebody.
        Removed,
    }
}

view! {
    /// What is set for all chats.
    struct Settings {
        /// Whether this account tells others what it has read, and is told what they have.
        read_receipts: bool,
        /// Whether others are told, at the moment, that this account is writing, and it is told that they are.
        typing: bool,
        /// Files up to so many bytes come by themselves; 0: none. Of this device only.
        #[ts(type = "number")]
        download_bytes: u64,
        /// The same while the network is one that costs; 0: none. Of this device only.
        #[ts(type = "number")]
        download_metered_bytes: u64,
        /// Whether the network that this device is on costs by what goes over it. Of this device only.
        metered: bool,
    }
}

/// What to change of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct SettingsChange {
    /// Tell others what was read, and be told.
    #[serde(default)]
    #[ts(optional)]
    pub read_receipts: Option<bool>,
    /// Tell others that one is writing, and be told.
    #[serde(default)]
    #[ts(optional)]
    pub typing: Option<bool>,
    /// Files up to so many bytes come by themselves; 0: none. Of this device only.
    #[serde(default)]
    #[ts(optional, type = "number")]
    pub download_bytes: Option<u64>,
    /// The same while the network is one that costs; 0: none. Of this device only.
    #[serde(default)]
    #[ts(optional, type = "number")]
    pub download_metered_bytes: Option<u64>,
    /// Whether the network that this device is on costs by what goes over it. Of this device only.
    #[serde(default)]
    #[ts(optional)]
    pub metered: Option<bool>,
}

view! {
    /// A choice for one chat or person.
    enum Choice {
        /// As it is set for all.
        Default,
        /// On.
        On,
        /// Off.
        Off,
    }
}

impl Choice {
    pub(crate) fn as_choice(self) -> Option<bool> {
        match self {
            Self::Default => None,
            Self::On => Some(true),
            Self::Off => Some(false),
        }
    }
}

/// What to change about a chat, for this account only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct ChatChange {
    /// Say nothing of new messages until then, Unix milliseconds; 0: not muted.
    #[serde(default)]
    #[ts(optional, type = "number")]
    pub muted_until_ms: Option<i64>,
    /// Put it away until a message comes (for good while it is muted).
    #[serde(default)]
    #[ts(optional)]
    pub archived: Option<bool>,
    /// Keep it at the top.
    #[serde(default)]
    #[ts(optional)]
    pub pinned: Option<bool>,
    /// Read receipts in this chat.
    #[serde(default)]
    #[ts(optional)]
    pub read_receipts: Option<Choice>,
}

/// What to change about a person, for this account only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct ContactChange {
    /// Drop what they write in the direct chat. They are not told.
    #[serde(default)]
    #[ts(optional)]
    pub blocked: Option<bool>,
    /// Read receipts with this person, in all chats.
    #[serde(default)]
    #[ts(optional)]
    pub read_receipts: Option<Choice>,
}

view! {
    /// What was begun to be written.
    struct DraftText {
        /// The text.
        text: String,
        /// The message it answers.
        in_reply_to: Option<MessageId>,
    }
}

view! {
    /// What somebody told of a message.
    struct Receipt {
        /// Who.
        contact: ContactId,
        /// Their name.
        name: String,
        /// When it was told here that it came.
        #[ts(type = "number | null")]
        delivered_ms: Option<i64>,
        /// When it was told here that it was read.
        #[ts(type = "number | null")]
        read_ms: Option<i64>,
    }
}

view! {
    /// The lowest role that may do something in a group; every higher one may too.
    struct GroupPolicy {
        /// Add members.
        add: Role,
        /// Rename the group.
        rename: Role,
        /// Pin messages, and end that.
        pin: Role,
        /// Set how long messages stay.
        set_timer: Role,
        /// Write.
        post: Role,
    }
}

/// What to change about who may do what in a group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct PolicyChange {
    /// The lowest role that may add members.
    #[serde(default)]
    #[ts(optional)]
    pub add: Option<Role>,
    /// Rename the group.
    #[serde(default)]
    #[ts(optional)]
    pub rename: Option<Role>,
    /// Pin messages, and end that.
    #[serde(default)]
    #[ts(optional)]
    pub pin: Option<Role>,
    /// Set how long messages stay.
    #[serde(default)]
    #[ts(optional)]
    pub set_timer: Option<Role>,
    /// Write.
    #[serde(default)]
    #[ts(optional)]
    pub post: Option<Role>,
}

impl PolicyChange {
    pub(crate) fn lowest(&self, act: undertone_mls::Act) -> Option<Role> {
        use undertone_mls::Act;
        match act {
            Act::Add => self.add,
            Act::Rename => self.rename,
            Act::Pin => self.pin,
            Act::SetTimer => self.set_timer,
            Act::Post => self.post,
        }
    }
}

/// Which chats to read. Without anything: all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct ChatPage {
    /// At most so many, the first of the list; left out: all.
    #[serde(default)]
    #[ts(optional)]
    pub limit: Option<u32>,
    /// Without these: whoever has the first ones asks for the others, and misses none however the list changed between.
    #[serde(default)]
    #[ts(optional, as = "Option<Vec<ChatId>>")]
    pub except: Vec<ChatId>,
}

view! {
    /// A chat.
    struct ChatInfo {
        /// Its id.
        id: ChatId,
        /// Direct, group or notes.
        kind: ChatKind,
        /// The group's name, or the contact's.
        name: String,
        /// Accounts in it.
        members: u32,
        /// Messages not read yet.
        unread: u32,
        /// The newest line, if possible one that is not about devices only.
        last: Option<MessageInfo>,
        /// One's own role.
        my_role: Role,
        /// In a group: who may do what.
        policy: Option<GroupPolicy>,
        /// How it is doing.
        state: ChatState,
        /// The MLS epoch.
        #[ts(type = "number")]
        epoch: u64,
        /// How long new messages stay once they were read, seconds; None: for good.
        timer_s: Option<u32>,
        /// Until when nothing is said of new messages, Unix milliseconds; None: not muted.
        #[ts(type = "number | null")]
        muted_until_ms: Option<i64>,
        /// Whether it is put away.
        archived: bool,
        /// Whether it is kept at the top.
        pinned: bool,
        /// Read receipts in this chat.
        read_receipts: Choice,
        /// What was begun to be written.
        draft: Option<DraftText>,
    }
}

view! {
    /// A member of a chat.
    struct MemberInfo {
        /// The account id.
        id: ContactId,
        /// The name they go by.
        name: String,
        /// Their role.
        role: Role,
        /// Whether it is this account.
        is_me: bool,
        /// How many devices they have in it.
        devices: u32,
        /// Whether the safety number was compared.
        verified: bool,
        /// What a link in Markdown leads to that mentions them: `[@Name](uri)`.
        uri: String,
    }
}

view! {
    /// A link to a group.
    struct InviteInfo {
        /// Its id.
        id: InviteId,
        /// The group.
        chat: ChatId,
        /// The account id of who made it.
        maker: ContactId,
        /// The name they go by.
        maker_name: String,
        /// Whether this account made it.
        is_mine: bool,
        /// Whether this device made it: it alone lets people in by it, and has its text.
        is_here: bool,
        /// What to give to whom it is for; empty unless the link is open and this device made it.
        uri: String,
        /// When it was made; if another device made it, when this one heard of it.
        #[ts(type = "number")]
        created_ms: i64,
        /// When it ends, if ever.
        #[ts(type = "number | null")]
        expires_ms: Option<i64>,
        /// How many people may still come by it, as far as this device has heard.
        uses_left: u32,
        /// Whether somebody has to say yes to each of them, on the device that made it.
        approve: bool,
        /// What has become of it.
        state: LinkLife,
    }
}

/// How to make a link to a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InviteOptions {
    /// Life in seconds; None: 7 days; Some(0): without end.
    pub expires_in_s: Option<u64>,
    /// How many people may come by it (1 to 1,000).
    pub uses: u32,
    /// Whether somebody has to say yes to each of them.
    pub approve: bool,
}

view! {
    /// Somebody who asks to be let in to a group.
    struct JoinRequestInfo {
        /// Their account id.
        id: ContactId,
        /// The name they give; a contact's own name counts.
        name: String,
        /// Whether it is a contact.
        is_contact: bool,
        /// When they asked.
        #[ts(type = "number")]
        asked_ms: i64,
    }
}

view! {
    /// How far a wish to be let in is.
    enum JoinState {
        /// In.
        In,
        /// Asked; an admin's device, or an admin, has yet to answer.
        Asked,
        /// Not sent yet.
        Queued,
    }
}

view! {
    /// What asking to be let in led to.
    struct JoinResult {
        /// How far it is.
        state: JoinState,
        /// The group, once one is in.
        chat: Option<ChatId>,
    }
}

view! {
    /// What creating a group led to.
    struct GroupResult {
        /// The new chat.
        chat: ChatId,
        /// Whether the server has it.
        state: Delivery,
    }
}
