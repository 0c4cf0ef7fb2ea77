//! Parameters of the methods. Unknown fields are refused, so that a misspelt option fails instead of being ignored.

use serde::{Deserialize, Serialize};
use ts_rs::TS;
use undertone_core::{
    ChatChange, ChatId, CleanUp, ContactChange, ContactId, DeviceId, DraftAttachment, Expires,
    InviteId, LinkId, Location, MessageId, PolicyChange, ReportId, Role, SharedContact,
};

macro_rules! params {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* })*) => { $(
        $(#[$doc])*
        #[derive(Clone, Debug, Serialize, Deserialize, TS)]
        #[serde(deny_unknown_fields)]
        pub struct $name { $($(#[$field_doc])* pub $field: $type,)* }
    )* };
}

params! {
    /// No parameters.
    Nothing {}

    /// A chat to be exported.
    ExportChat {
        /// The chat.
        chat: ChatId,
        /// A new or empty folder, an absolute path.
        #[ts(type = "string")]
        folder: std::path::PathBuf,
    }

    /// A backup to be made.
    NewBackup {
        /// Where, an absolute path: an empty or new folder, or the one of an earlier backup.
        #[ts(type = "string")]
        folder: std::path::PathBuf,
        /// Whether the files in chats go along.
        #[serde(default)]
        media: bool,
        /// The recovery phrase, if this device is not ready to make backups without it.
        #[serde(default)]
        #[ts(optional)]
        recovery_phrase: Option<String>,
    }

    /// A backup to be checked.
    ChosenBackup {
        /// Its folder, an absolute path.
        #[ts(type = "string")]
        folder: std::path::PathBuf,
        /// The recovery phrase.
        recovery_phrase: String,
    }

    /// Who is calling.
    Hello {
        /// Name and version of the caller, for the log; may be left out.
        #[serde(default)]
        #[ts(optional)]
        caller: Option<String>,
    }

    /// How long to wait for the server.
    Settle {
        /// Longest wait, in milliseconds (at most 600,000).
        #[serde(default)]
        #[ts(optional, type = "number")]
        limit_ms: Option<u64>,
    }

    /// A new contact link.
    NewLink {
        /// Life in seconds; 0: without end; left out: 7 days.
        #[serde(default)]
        #[ts(optional, type = "number")]
        expires_in_s: Option<u64>,
        /// How many people may use it (1 to 100); left out: 1.
        #[serde(default)]
        #[ts(optional)]
        uses: Option<u32>,
        /// Whether who comes by it is to be accepted first; left out: if more than one person may use it.
        #[serde(default)]
        #[ts(optional)]
        ask: Option<bool>,
    }

    /// A request to refuse.
    RefuseRequest {
        /// The person's account id.
        contact: ContactId,
        /// Whether they are blocked too.
        #[serde(default)]
        #[ts(optional, as = "Option<bool>")]
        block: bool,
    }

    /// What to keep about somebody.
    NewReport {
        /// The person's account id.
        contact: ContactId,
        /// One's own words, at most 4,000 bytes.
        #[serde(default)]
        #[ts(optional, as = "Option<String>")]
        note: String,
    }

    /// A record.
    OneReport {
        /// Its id.
        report: ReportId,
    }

    /// Where to write a record.
    ExportReport {
        /// Its id.
        report: ReportId,
        /// Absolute path of a file that doesn't exist yet.
        path: std::path::PathBuf,
    }

    /// One contact link.
    OneLink {
        /// Its id.
        link: LinkId,
    }

    /// The code that a new device shows.
    GivenCode {
        /// `undertone:d:...`
        code: String,
        /// Whether the new device is to have what was said before, too.
        #[serde(default)]
        #[ts(optional, as = "Option<bool>")]
        history: bool,
    }

    /// A device and its new name.
    RenamedDevice {
        /// The device.
        device: DeviceId,
        /// Its name.
        name: String,
    }

    /// A device to be removed.
    RemovedDevice {
        /// The device.
        device: DeviceId,
        /// Twelve words; without them the removal is not safe against a thief who opened the device.
        #[serde(default)]
        #[ts(optional)]
        recovery_phrase: Option<String>,
    }

    /// Another device of the account that is to be wiped.
    KilledDevice {
        /// The device.
        device: DeviceId,
        /// The word `wipe`.
        confirm: String,
        /// How long to wait for its answer, milliseconds; at most 5 minutes, 20 seconds if left out.
        #[serde(default)]
        #[ts(optional, type = "number")]
        wait_ms: Option<u64>,
    }

    /// A custodian's key, to be looked at.
    GivenCustodian {
        /// `undertone:k:...`
        key: String,
    }

    /// A custodian's key.
    AcceptedCustodian {
        /// `undertone:k:...`
        key: String,
        /// The word `accept`.
        confirm: String,
    }

    /// A contact link that somebody gave.
    GivenLink {
        /// The link, `undertone:...`.
        link: String,
    }

    /// What a person typed to name a chat or contact.
    Selector {
        /// A name, a unique beginning of one, or an id.
        selector: String,
    }

    /// One contact.
    OneContact {
        /// The contact's account id.
        contact: ContactId,
    }

    /// Whether a contact's safety number was compared.
    Verified {
        /// The contact's account id.
        contact: ContactId,
        /// Compared, or not any more.
        verified: bool,
    }

    /// A scanned safety code.
    Scanned {
        /// The contact's account id.
        contact: ContactId,
        /// The bytes of the QR code.
        scanned: Vec<u8>,
    }

    /// One chat.
    OneChat {
        /// Its id.
        chat: ChatId,
    }

    /// How far a chat was read.
    ReadUpTo {
        /// The chat.
        chat: ChatId,
        /// The `local_id` of the last message read.
        #[ts(type = "number")]
        up_to_local_id: i64,
    }

    /// How long messages stay.
    ChatTimer {
        /// The chat.
        chat: ChatId,
        /// Seconds after they were read, at most a year; 0: for good.
        timer_s: u32,
    }

    /// What to change about a chat.
    SetChat {
        /// The chat.
        chat: ChatId,
        /// What to change; what is left out stays.
        change: ChatChange,
    }

    /// What was begun to be written.
    SetDraft {
        /// The chat.
        chat: ChatId,
        /// The text so far, at most 256 KiB; empty: nothing any more.
        text: String,
        /// The message it answers.
        #[serde(default)]
        #[ts(optional)]
        in_reply_to: Option<MessageId>,
    }

    /// What to change about a contact.
    SetContact {
        /// The contact's account id.
        contact: ContactId,
        /// What to change; what is left out stays.
        change: ContactChange,
    }

    /// A new group.
    NewGroup {
        /// Its name, 1 to 128 bytes.
        name: String,
        /// Account ids of its other members.
        members: Vec<ContactId>,
    }

    /// Who to add to a group.
    GroupMembers {
        /// The group.
        chat: ChatId,
        /// Their account ids.
        members: Vec<ContactId>,
    }

    /// A member of a group.
    GroupMember {
        /// The group.
        chat: ChatId,
        /// The member's account id.
        member: ContactId,
    }

    /// Leaving a group.
    LeaveGroup {
        /// The group.
        chat: ChatId,
        /// Account id of the member who is to be owner then; needed from the last owner only.
        #[serde(default)]
        #[ts(optional)]
        successor: Option<ContactId>,
    }

    /// A new link to a group.
    NewInvite {
        /// The group.
        chat: ChatId,
        /// Life in seconds; 0: without end; left out: 7 days.
        #[serde(default)]
        #[ts(optional, type = "number")]
        expires_in_s: Option<u64>,
        /// How many people may come by it (1 to 1,000); left out: 1.
        #[serde(default)]
        #[ts(optional)]
        uses: Option<u32>,
        /// Whether somebody has to say yes to each of them.
        #[serde(default)]
        #[ts(optional, as = "Option<bool>")]
        approve: bool,
    }

    /// A link to a group.
    OneInvite {
        /// Its id.
        invite: InviteId,
    }

    /// An answer to somebody who asks to be let in.
    AnswerJoin {
        /// The group.
        chat: ChatId,
        /// Their account id.
        contact: ContactId,
        /// Yes or no.
        accept: bool,
    }

    /// Who may do what in a group.
    SetPolicy {
        /// The group.
        chat: ChatId,
        /// What to change; what is left out stays.
        change: PolicyChange,
    }

    /// A member's role in a group.
    MemberRole {
        /// The group.
        chat: ChatId,
        /// The member's account id.
        member: ContactId,
        /// The role.
        role: Role,
    }

    /// A group's name.
    GroupName {
        /// The group.
        chat: ChatId,
        /// The name, 1 to 128 bytes.
        name: String,
    }

    /// A message to send.
    NewMessage {
        /// Where to.
        chat: ChatId,
        /// The text.
        #[serde(default)]
        #[ts(optional)]
        text: Option<String>,
        /// Whether the text is Markdown (GFM-MIMI).
        #[serde(default)]
        #[ts(optional, as = "Option<bool>")]
        markdown: bool,
        /// Files of this computer.
        #[serde(default)]
        #[ts(optional, as = "Option<Vec<DraftAttachment>>")]
        attachments: Vec<DraftAttachment>,
        /// The message it answers.
        #[serde(default)]
        #[ts(optional)]
        in_reply_to: Option<MessageId>,
        /// When it is to disappear: `{"after": seconds after it was read}` or `{"at": Unix seconds}`; left out: as the chat has it.
        #[serde(default)]
        #[ts(optional)]
        expires: Option<Expires>,
        /// Its files may be opened once by each receiver, and not at all by this account.
        #[serde(default)]
        #[ts(optional, as = "Option<bool>")]
        view_once: bool,
        /// Somebody's contact card; with it there is no text, no file and no place.
        #[serde(default)]
        #[ts(optional)]
        contact: Option<SharedContact>,
        /// A place; with it there is no text, no file and no card.
        #[serde(default)]
        #[ts(optional)]
        location: Option<Location>,
        /// How long to wait until the server has it, in milliseconds (at most 600,000); left out: answer as soon as it is in
        /// the outbox.
        #[serde(default)]
        #[ts(optional, type = "number")]
        wait_ms: Option<u64>,
    }

    /// Which messages to list.
    ListMessages {
        /// The chat.
        chat: ChatId,
        /// At most so many, the newest (1 to 1,000); left out: 50.
        #[serde(default)]
        #[ts(optional)]
        limit: Option<u32>,
        /// Only those before the message with this `local_id`.
        #[serde(default)]
        #[ts(optional, type = "number")]
        before: Option<i64>,
        /// Those from the first one that was written at this moment (Unix milliseconds) or after, in place of the newest.
        #[serde(default)]
        #[ts(optional, type = "number")]
        from_ms: Option<i64>,
        /// The first ones after the line with this `local_id`, in place of the newest.
        #[serde(default)]
        #[ts(optional, type = "number")]
        after: Option<i64>,
        /// The line with this `local_id` and those on both sides of it: half of `limit` before it, the rest from it on.
        #[serde(default)]
        #[ts(optional, type = "number")]
        around: Option<i64>,
    }

    /// One message.
    OneMessage {
        /// The chat.
        chat: ChatId,
        /// Its id, or a beginning of it (at least 6 characters).
        message: String,
    }

    /// What a user interface keeps for itself.
    Preference {
        /// 1 to 32 small letters and underscores.
        name: String,
        /// What it is.
        value: i32,
    }

    /// One message, by its whole id.
    ChosenMessage {
        /// The chat.
        chat: ChatId,
        /// The message.
        message: MessageId,
    }

    /// A new version of a message.
    EditMessage {
        /// The chat.
        chat: ChatId,
        /// The message.
        message: MessageId,
        /// What it is to say.
        text: String,
        /// Whether the text is Markdown (GFM-MIMI).
        #[serde(default)]
        #[ts(optional, as = "Option<bool>")]
        markdown: bool,
    }

    /// Which message to delete.
    DeleteMessage {
        /// The chat.
        chat: ChatId,
        /// The message.
        message: MessageId,
        /// On everybody's devices; left out: on this account's only.
        #[serde(default)]
        #[ts(optional, as = "Option<bool>")]
        for_everyone: bool,
    }

    /// A reaction.
    React {
        /// The chat.
        chat: ChatId,
        /// The message.
        message: MessageId,
        /// Usually one emoji, at most 64 bytes.
        text: String,
        /// Whether it is to stand, or to be taken back.
        stands: bool,
    }

    /// Which message to pin.
    PinMessage {
        /// The chat.
        chat: ChatId,
        /// The message.
        message: MessageId,
        /// Whether it is to be pinned, or not any more.
        pinned: bool,
    }

    /// What to say again where.
    Forward {
        /// The chat it is in.
        chat: ChatId,
        /// The message.
        message: MessageId,
        /// The chat to say it in.
        to: ChatId,
    }

    /// Which files to remove.
    CleanStorage {
        /// The chat; left out: all.
        #[serde(default)]
        #[ts(optional)]
        chat: Option<ChatId>,
        /// Which of its files.
        clean: CleanUp,
    }

    /// Where to save an attachment.
    SaveAttachment {
        /// The chat.
        chat: ChatId,
        /// The message.
        message: MessageId,
        /// Which of its attachments, from 0.
        index: u32,
        /// Absolute path of a file that doesn't exist yet.
        path: std::path::PathBuf,
    }

    /// The way to the server.
    ChosenProxy {
        /// A SOCKS5 proxy such as Tor, `HOST:PORT`; null: none.
        proxy: Option<String>,
    }

    /// Which files of a message.
    ChosenFiles {
        /// The chat.
        chat: ChatId,
        /// The message.
        message: MessageId,
        /// Which of its attachments, from 0; left out: all. Of a message on its way out all are meant.
        #[serde(default)]
        #[ts(optional)]
        index: Option<u32>,
    }
}
