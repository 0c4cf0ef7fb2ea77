//! What a transaction changed, for watchers: ids only. The event is made from the store after the commit.

use crate::view::SettingsPart;

/// A hint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// A new line (messages.id).
    Message(i64),
    /// A line got on (messages.id).
    MessageState(i64),
    /// A conversation (conversations.id).
    Chat(i64),
    /// Somebody is writing in a conversation.
    Typing(i64, [u8; 32]),
    /// Somebody unknown waits to be accepted (conversations.id).
    Request(i64),
    /// A new contact.
    ContactAdded([u8; 32]),
    /// A contact's name or verification.
    Contact([u8; 32]),
    /// The linking of another device got on, or ended.
    Linking,
    /// The account's devices.
    Devices,
    /// What was said before goes to a new device, or comes to this one.
    History,
    /// What the server's operator announces.
    Announcements,
    /// Something that the owner sets.
    Settings(SettingsPart),
    /// This device was removed from the account.
    Removed,
    /// The server's clock is far off, seconds.
    Clock(i64),
}
