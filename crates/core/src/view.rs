//! What the client shows: plain values for the command line, the RPC and tests.
//!
//! They are read from the store at one moment. Times are Unix milliseconds.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{
    error::Problem,
    ids::{ChatId, ContactId, DeviceId, LinkId, MessageId},
    rich_text::Block,
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
    /// A contact link's life.
    enum LinkLife {
        /// Can be used.
        Open,
        /// Was used as often as it may be.
        Used,
        /// Its time is over.
        Expired,
        /// Was withdrawn.
        Revoked,
    }
}

view! {
    /// A contact link that this device made.
    struct LinkInfo {
        /// Its id on this device.
        id: LinkId,
        /// What to give to one person; empty unless the link is open.
        uri: String,
        /// When it was made.
        #[ts(type = "number")]
        created_ms: i64,
        /// When it ends, if ever.
        #[ts(type = "number | null")]
        expires_ms: Option<i64>,
        /// How often it may still be used.
        uses_left: u32,
        /// What has become of it.
        state: LinkLife,
    }
}

/// How to make a contact link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkOptions {
    /// Life in seconds; None: 7 days; Some(0): without end.
    pub expires_in_s: Option<u64>,
    /// How many people may use it (1 to 100).
    pub uses: u32,
}

impl Default for LinkOptions {
    fn default() -> Self {
        Self {
            expires_in_s: None,
            uses: 1,
        }
    }
}

view! {
    /// How far a contact is.
    enum ContactState {
        /// The conversation is being set up.
        Pending,
        /// Messages can go.
        Ready,
    }
}

view! {
    /// A contact.
    struct ContactInfo {
        /// The account id.
        id: ContactId,
        /// The name they go by.
        name: String,
        /// Whether the safety number was compared.
        verified: bool,
        /// The direct chat.
        chat: Option<ChatId>,
        /// When they became a contact.
        #[ts(type = "number")]
        added_ms: i64,
        /// How far it is.
        state: ContactState,
        /// Whether what they write in the direct chat is dropped.
        blocked: bool,
        /// Read receipts with this person.
        read_receipts: Choice,
    }
}

view! {
    /// What adding a link led to.
    struct AddResult {
        /// The contact; None while the link waits for the server.
        contact: Option<ContactInfo>,
        /// The direct chat.
        chat: Option<ChatId>,
        /// Whether the server has the first message.
        state: Delivery,
    }
}

view! {
    /// A safety number.
    struct SafetyNumber {
        /// Whose.
        contact: ContactId,
        /// 60 digits in 12 groups of 5.
        digits: String,
        /// What its QR code holds.
        qr: Vec<u8>,
        /// Whether it was compared.
        verified: bool,
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
    }
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
        /// The newest line.
        last: Option<MessageInfo>,
        /// One's own role.
        my_role: Role,
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
    /// What creating a group led to.
    struct GroupResult {
        /// The new chat.
        chat: ChatId,
        /// Whether the server has it.
        state: Delivery,
    }
}

/// A file to send.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct DraftAttachment {
    /// Where it is.
    pub path: PathBuf,
    /// The name to send it under; None: the file's.
    #[serde(default)]
    pub name: Option<String>,
    /// Leave a picture's metadata (place, camera, time) in.
    #[serde(default)]
    pub keep_metadata: bool,
}

/// A message to send.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Draft {
    /// The text.
    #[serde(default)]
    pub text: Option<String>,
    /// Whether the text is Markdown (GFM-MIMI).
    #[serde(default)]
    pub markdown: bool,
    /// Files.
    #[serde(default)]
    pub attachments: Vec<DraftAttachment>,
    /// The message it answers.
    #[serde(default)]
    pub in_reply_to: Option<MessageId>,
    /// When it is to disappear; None: as the chat has it.
    #[serde(default)]
    pub expires: Option<Expires>,
    /// Its files may be opened once by each receiver, and not at all by this account.
    #[serde(default)]
    pub view_once: bool,
}

/// When a message is to disappear from every device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Expires {
    /// So many seconds after it was read (for its sender: after it went out); 0: never.
    After(u32),
    /// At this moment, Unix seconds.
    At(u32),
}

impl Expires {
    /// As the content has it.
    ///
    /// # Errors
    /// `message.timer_invalid` for a moment that has passed, or a span of more than a year.
    pub(crate) fn content(self, now_ms: i64) -> crate::Result<undertone_content::Expiration> {
        let (relative, seconds) = match self {
            Self::After(seconds) => (true, seconds),
            Self::At(seconds) => (false, seconds),
        };
        let over = !relative && i64::from(seconds) * 1000 <= now_ms;
        if over || (relative && seconds > LONGEST_TIMER_S) {
            return Err(crate::error::Reason::TimerInvalid.into());
        }
        Ok(undertone_content::Expiration { relative, seconds })
    }
}

/// The longest time that messages can be given to disappear: a year.
pub const LONGEST_TIMER_S: u32 = 366 * 24 * 3600;

impl Draft {
    /// A plain text.
    pub fn text(text: impl Into<String>) -> Self {
        Self {
            text: Some(text.into()),
            ..Self::default()
        }
    }

    /// With a file.
    #[must_use]
    pub fn attach(mut self, path: impl Into<PathBuf>) -> Self {
        self.attachments.push(DraftAttachment {
            path: path.into(),
            name: None,
            keep_metadata: false,
        });
        self
    }
}

view! {
    /// A message on its way.
    struct Sent {
        /// Its id, final.
        message: MessageId,
        /// Its place in this device's store.
        #[ts(type = "number")]
        local_id: i64,
        /// Whether the server has it.
        state: Delivery,
    }
}

/// Which messages to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Page {
    /// At most so many.
    pub limit: u32,
    /// Only those before the message with this `local_id`, in the chat's order.
    #[serde(default)]
    #[ts(type = "number | null")]
    pub before: Option<i64>,
}

impl Default for Page {
    fn default() -> Self {
        Self {
            limit: 50,
            before: None,
        }
    }
}

view! {
    /// What a line of a chat is.
    enum MessageKind {
        /// Somebody wrote it.
        Message,
        /// The app says what happened (members, names, resync).
        Notice,
        /// A message is missing here.
        Gap,
    }
}

view! {
    /// How far a message is.
    enum MessageState {
        /// From somebody else.
        Received,
        /// In the outbox.
        Queued,
        /// Its files are on their way.
        Uploading,
        /// Encrypted; the server has not answered yet.
        Sending,
        /// On the server's disk.
        Accepted,
        /// In the conversation's order: the own copy came back.
        Sent,
        /// Given up.
        Failed,
    }
}

view! {
    /// The conversation's order (docs/protocol.md section 4).
    struct Order {
        /// The channel's generation.
        generation: u32,
        /// The channel's number.
        #[ts(type = "number")]
        number: u64,
    }
}

view! {
    /// A file in a message.
    struct AttachmentInfo {
        /// Which of the message's files, from 0.
        index: u32,
        /// File name, without a path.
        name: String,
        /// Media type.
        content_type: String,
        /// Bytes.
        #[ts(type = "number")]
        size: u64,
        /// Of a picture, pixels.
        width: Option<u32>,
        /// Of a picture, pixels.
        height: Option<u32>,
        /// Of a voice memo.
        #[ts(type = "number | null")]
        duration_ms: Option<u64>,
        /// Of a voice memo, loudness 0 to 255.
        waveform: Vec<u8>,
        /// Small JPEG of a picture, base64.
        preview: Option<String>,
        /// Whether the file's (encrypted) bytes are on this device.
        here: bool,
    }
}

view! {
    /// A reaction to a message, as it stands.
    struct ReactionInfo {
        /// Usually one emoji.
        text: String,
        /// Who gave it, in the order they did.
        people: Vec<ContactId>,
        /// Their names, in the same order.
        names: Vec<String>,
        /// Whether this account is one of them.
        mine: bool,
    }
}

view! {
    /// The message that another one answers, as it stands now.
    struct Quote {
        /// Its id.
        id: MessageId,
        /// Its place in this device's store; None if it is not on this device.
        #[ts(type = "number | null")]
        local_id: Option<i64>,
        /// Who wrote it.
        sender_name: String,
        /// What it says, at most 300 characters.
        text: String,
        /// How many files it has.
        files: u32,
        /// Whether it was deleted.
        deleted: bool,
    }
}

view! {
    /// One version of a message.
    struct Version {
        /// What it said.
        text: String,
        /// Whether the text is Markdown.
        markdown: bool,
        /// When the sender says it was written.
        #[ts(type = "number")]
        sent_ms: i64,
    }
}

view! {
    /// A line of a chat.
    struct MessageInfo {
        /// Its id.
        id: MessageId,
        /// Its place in this device's store.
        #[ts(type = "number")]
        local_id: i64,
        /// The chat.
        chat: ChatId,
        /// Who wrote it; None for notices and gaps.
        sender: Option<ContactId>,
        /// Their name.
        sender_name: String,
        /// Whether this account wrote it.
        mine: bool,
        /// Message, notice or gap.
        kind: MessageKind,
        /// The text, or the notice's sentence.
        text: String,
        /// Whether the text is Markdown.
        markdown: bool,
        /// Files.
        attachments: Vec<AttachmentInfo>,
        /// When the sender says it was written.
        #[ts(type = "number")]
        sent_ms: i64,
        /// When it came here.
        #[ts(type = "number")]
        received_ms: i64,
        /// How far it is.
        state: MessageState,
        /// Its place in the conversation; None while it is in the outbox.
        order: Option<Order>,
        /// The message it answers.
        in_reply_to: Option<MessageId>,
        /// That message, as it stands now.
        quote: Option<Quote>,
        /// Versions after the first; what they said, `history` tells.
        edits: u32,
        /// When the sender says the last version was written.
        #[ts(type = "number | null")]
        edited_ms: Option<i64>,
        /// Whether its author deleted it; then it has no text and no files.
        deleted: bool,
        /// How long it stays once it was read, seconds; None: for good, or until a moment.
        timer_s: Option<u32>,
        /// When it disappears, if its time has begun.
        #[ts(type = "number | null")]
        expires_ms: Option<i64>,
        /// The text, if it is Markdown, as a tree that is safe to show.
        rich: Option<Vec<Block>>,
        /// Who is mentioned.
        mentions: Vec<ContactId>,
        /// Whether it is pinned in the chat.
        pinned: bool,
        /// Whether somebody else said it first.
        forwarded: bool,
        /// Whether its files may be opened once.
        view_once: bool,
        /// Whether they were, or are on their way from here: they are gone.
        opened: bool,
        /// Of one's own: how many people have it, as far as they tell.
        delivered_to: u32,
        /// Of one's own: how many people have read it, as far as they tell.
        read_by: u32,
        /// Reactions, in the order they were first given.
        reactions: Vec<ReactionInfo>,
    }
}

view! {
    /// What sort of message to look for.
    enum SearchKind {
        /// With a picture.
        Photo,
        /// With a video.
        Video,
        /// With a voice memo or other sound.
        Audio,
        /// With any other file.
        File,
        /// With a link in its text.
        Link,
    }
}

/// What to look for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct Search {
    /// Words, or beginnings of words, that must all be in the text, or in a file's name; empty: any message.
    #[serde(default)]
    #[ts(optional, as = "Option<String>")]
    pub text: String,
    /// Only in this chat.
    #[serde(default)]
    #[ts(optional)]
    pub chat: Option<ChatId>,
    /// Only by this person.
    #[serde(default)]
    #[ts(optional)]
    pub sender: Option<ContactId>,
    /// Only written at or after this, Unix milliseconds.
    #[serde(default)]
    #[ts(optional, type = "number")]
    pub from_ms: Option<i64>,
    /// Only written before this, Unix milliseconds.
    #[serde(default)]
    #[ts(optional, type = "number")]
    pub to_ms: Option<i64>,
    /// Only of this sort.
    #[serde(default)]
    #[ts(optional)]
    pub kind: Option<SearchKind>,
    /// At most so many (1 to 200); None: 50.
    #[serde(default)]
    #[ts(optional)]
    pub limit: Option<u32>,
    /// Only those before the message with this `local_id`: the next page.
    #[serde(default)]
    #[ts(optional, type = "number")]
    pub before: Option<i64>,
}

view! {
    /// A file that was saved.
    struct Saved {
        /// Where.
        path: PathBuf,
        /// Bytes.
        #[ts(type = "number")]
        bytes: u64,
    }
}

/// Something happened. Events are hints; the store is the truth.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A new line in a chat, from others or oneself.
    Message {
        /// The chat.
        chat: ChatId,
        /// The line.
        message: MessageInfo,
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
    /// Somebody became a contact.
    ContactAdded {
        /// The contact.
        contact: ContactInfo,
    },
    /// A contact's name or verification changed.
    ContactChanged {
        /// The contact.
        contact: ContactId,
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
    /// The server's clock and this one's are far apart; nothing is refused for that.
    ClockWarning {
        /// Server's minus ours, seconds.
        #[ts(type = "number")]
        off_s: i64,
    },
    /// Events were missed; read again what you show.
    Lagged,
}
