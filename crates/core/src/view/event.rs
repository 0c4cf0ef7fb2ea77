//! What happens, as watchers are told.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::{ContactInfo, LinkState, MessageInfo, MessageState};
use crate::{
    error::Problem,
    ids::{ChatId, ContactId, MessageId},
};

/// How long somebody is shown to be writing.
pub(crate) const TYPING_SHOWN_MS: u32 = 7000;

/// Something happened. Events are hints; the store is the truth.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A new line in a chat, from others or oneself.
    Message {
        /// The chat.
        chat: ChatId,
        /// The line.
        message: Box<MessageInfo>,
    },
    /// A message got on, was edited or deleted, or somebody reacted to it.
    MessageChanged {
        /// The chat.
        chat: ChatId,
        /// The message.
        message: MessageId,
        /// How far it is.
        state: MessageState,
    },
    /// Members, name, role or state of a chat changed.
    ChatChanged {
        /// The chat.
        chat: ChatId,
    },
    /// Somebody unknown wrote, or wants to: it stands in the requests.
    Requested {
        /// Their chat.
        chat: ChatId,
    },
    /// Somebody became a contact.
    ContactAdded {
        /// The contact.
        contact: ContactInfo,
    },
    /// Somebody's name, picture or verification changed.
    ContactChanged {
        /// The contact.
        contact: ContactId,
    },
    /// Somebody is writing. It is said again every few seconds as long as they do; nobody says when they stop.
    Typing {
        /// The chat.
        chat: ChatId,
        /// Who.
        contact: ContactId,
        /// Their name.
        name: String,
        /// How long to show it, milliseconds, unless it is said again or a message of theirs comes.
        for_ms: u32,
    },
    /// A file got on.
    Transfer {
        /// The chat.
        chat: ChatId,
        /// The message.
        message: MessageId,
        /// Which of its files.
        index: u32,
        /// Bytes done.
        #[ts(type = "number")]
        done: u64,
        /// Bytes in all.
        #[ts(type = "number")]
        total: u64,
    },
    /// A connection changed.
    Connection {
        /// The receiving one.
        inbox: LinkState,
        /// The sending one.
        outbox: LinkState,
        /// Why, if it is not there.
        problem: Option<Problem>,
    },
    /// A backup that is being made got on.
    Backup {
        /// Parts done.
        #[ts(type = "number")]
        done: u64,
        /// Parts in all.
        #[ts(type = "number")]
        total: u64,
    },
    /// The linking of another device got on, or ended.
    LinkingChanged,
    /// The account's devices changed.
    DevicesChanged,
    /// What was said before a device was linked got on, on its way there.
    HistoryChanged,
    /// The operator of the server announces something else than before.
    AnnouncementsChanged,
    /// What the owner sets was changed: on another device, in a terminal, or on another page.
    SettingsChanged {
        /// Which part of it.
        part: SettingsPart,
    },
    /// This device was removed from its account; it connects no more.
    DeviceRemoved,
    /// Somebody who may has had this device wiped: nothing is left of the home, and the program ends.
    Wiped,
    /// The server's clock and this one's are far apart; nothing is refused for that.
    ClockWarning {
        /// Server's minus ours, seconds.
        #[ts(type = "number")]
        off_s: i64,
    },
    /// Events were missed; read again what you show.
    Lagged,
}

/// A part of what the owner sets, by where it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum SettingsPart {
    /// What is set for all chats: `settings.get`.
    AllChats,
    /// What a user interface keeps for itself: `settings.preferences`.
    Preferences,
    /// How this device is protected: `protection.get`.
    Protection,
    /// The kill code and custodians: `kill.status`.
    Kill,
    /// This account's name and picture: `account.get` and `profile.get`.
    Profile,
    /// Contact links: `links.list`.
    Links,
    /// Records that are kept of people: `reports.list`.
    Reports,
    /// Backups: `backups.get`.
    Backup,
}
