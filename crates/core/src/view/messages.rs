//! Messages: what is written, what is shown, and what is looked for.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::{CardInfo, Delivery, Location, Notice, SharedContact};
use crate::{
    ids::{ChatId, ContactId, MessageId},
    rich_text::Block,
};

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
    /// Of a video: what is shown of it before it is fetched.
    #[serde(default)]
    pub film: Option<DraftFilm>,
}

/// What is said of a video to be sent. The app has no decoder for video: whoever has one says it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct DraftFilm {
    /// A picture of it, such as a frame; it loses its metadata and gives width and height.
    #[serde(default)]
    pub poster: Option<PathBuf>,
    /// How long it plays, milliseconds, at most a day.
    #[serde(default)]
    #[ts(type = "number | null")]
    pub duration_ms: Option<u64>,
}

/// A message to send.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, TS)]
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
    /// Somebody's contact card; with it there is no text, no file and no place.
    #[serde(default)]
    pub contact: Option<SharedContact>,
    /// A place; with it there is no text, no file and no card.
    #[serde(default)]
    pub location: Option<Location>,
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
            film: None,
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
    /// Where the transfer of a file is that is not over.
    enum TransferState {
        /// It is under way, or begins as soon as it can.
        Waiting,
        /// Its owner lets it wait.
        Paused,
        /// Its owner ended it.
        Cancelled,
        /// It can't succeed.
        Failed,
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
        /// Of a picture or video, pixels.
        width: Option<u32>,
        /// Of a picture or video, pixels.
        height: Option<u32>,
        /// Of a voice memo or video.
        #[ts(type = "number | null")]
        duration_ms: Option<u64>,
        /// Of a voice memo, loudness 0 to 255.
        waveform: Vec<u8>,
        /// Small JPEG of a picture, or of a video's poster, base64.
        preview: Option<String>,
        /// Whether the file's (encrypted) bytes are on this device.
        here: bool,
        /// Where its transfer is; None: it is over, or nobody asked for the file yet.
        transfer: Option<TransferState>,
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
        /// Whether this account wrote it: others may have the same name.
        mine: bool,
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
        /// The text, or the notice's sentence in English.
        text: String,
        /// What a notice says, to be shown in any language; None: no notice, or one of which only the sentence is known.
        notice: Option<Notice>,
        /// Whether the text is Markdown.
        markdown: bool,
        /// Files.
        attachments: Vec<AttachmentInfo>,
        /// Somebody's contact card; the text is the name on it.
        card: Option<CardInfo>,
        /// The place that the text is.
        location: Option<Location>,
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
