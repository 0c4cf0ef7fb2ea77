//! What can go wrong, as the user and a program see it.
//!
//! Every error has a stable code (`area.reason`), a class and one plain sentence. None carries a name, an id, a path or a byte of
//! anybody's data, so all of them may be logged as they are.

use std::fmt;

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use undertone_wire::Class;

/// What to do after an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum ErrorClass {
    /// The same call may work at once.
    RetryNow,
    /// The same call may work later, without anybody changing anything.
    RetryLater,
    /// The same call will fail again.
    Never,
}

/// An error as it is shown and sent over RPC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Problem {
    /// Stable, `area.reason`.
    pub code: String,
    /// What to do.
    pub class: ErrorClass,
    /// One plain sentence.
    pub sentence: String,
}

macro_rules! reasons {
    ($( $name:ident = $code:literal, $class:ident, $sentence:literal; )*) => {
        /// The engine's own reasons.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Reason { $( #[doc = $sentence] $name, )* }

        impl Reason {
            /// All of them, for the glossary.
            pub const ALL: &'static [Reason] = &[ $( Reason::$name, )* ];

            /// Stable code.
            #[must_use]
            pub const fn code(self) -> &'static str { match self { $( Reason::$name => $code, )* } }

            /// What to do.
            #[must_use]
            pub const fn class(self) -> ErrorClass { match self { $( Reason::$name => ErrorClass::$class, )* } }

            /// One plain sentence.
            #[must_use]
            pub const fn sentence(self) -> &'static str { match self { $( Reason::$name => $sentence, )* } }
        }
    };
}

reasons! {
    Offline = "connection.offline", RetryLater, "This needs the server, and there is no connection to it right now.";
    TimedOut = "connection.no_answer", RetryLater, "The server did not answer in time.";
    NoTokens = "token.none", RetryLater, "The daily allowance of sends is used up.";
    ServerInvalid = "account.server_invalid", Never, "This is neither an invitation nor an origin with a pin.";
    ProxyInvalid = "account.proxy_invalid", Never, "A proxy is given as host:port.";
    AnnouncementUnknown = "announcement.unknown", Never, "There is no such announcement.";
    NameInvalid = "account.name_invalid", Never, "A name has 1 to 64 bytes and no control characters.";
    NotRegistered = "account.not_registered", RetryLater, "This device is not registered with its server yet.";
    NoAccount = "account.none", Never, "This home holds no account.";
    ContactUnknown = "contact.unknown", Never, "There is no such contact.";
    ContactAmbiguous = "contact.ambiguous", Never, "More than one contact fits; say more of the name, or give the id.";
    ContactNotReady = "contact.not_ready", RetryLater, "This contact can't be reached yet: the conversation with them is still being set up.";
    ContactBlocked = "contact.blocked", Never, "You have blocked this contact; unblock them to write.";
    NoKeyPackage = "contact.no_key_package", RetryLater, "This contact has no key package left on the server; their app must come on-line once.";
    LinkInvalid = "link.invalid", Never, "This is not a whole Undertone contact link.";
    LinkExpired = "link.expired", Never, "This contact link has expired.";
    LinkUsed = "link.used", Never, "This contact link has been used or withdrawn.";
    LinkOwn = "link.own", Never, "This contact link is your own.";
    LinkOtherServer = "link.other_server", Never, "This contact is on another server, which this version can't reach.";
    LinkForged = "link.forged", Never, "The server handed out a key that is not this contact's; nothing was sent.";
    LinkUnknown = "link.unknown", Never, "There is no such contact link.";
    LinkTooMany = "link.too_many", Never, "You have as many open links to this group as there can be; withdraw one first.";
    AlreadyContact = "contact.already", Never, "This person is a contact already.";
    ChatUnknown = "chat.unknown", Never, "There is no such chat.";
    ChatAmbiguous = "chat.ambiguous", Never, "More than one chat fits; say more of the name, or give the id.";
    ChatClosed = "chat.closed", Never, "You are not a member of this chat any more.";
    NotAGroup = "group.not_a_group", Never, "This is not a group.";
    GroupNameInvalid = "group.name_invalid", Never, "A group's name has 1 to 128 bytes and no control characters.";
    GroupForbidden = "group.forbidden", Never, "Your role in this group does not allow that.";
    GroupRefused = "group.refused", Never, "The group or its server does not take this change; everything is as it was.";
    GroupQuiet = "group.quiet", Never, "You may not write in this group: its admins have kept that for themselves.";
    GroupHandingOver = "group.handing_over", RetryLater, "The group is being handed over; leave once that has gone through.";
    GroupNoMembers = "group.no_members", Never, "A group needs at least one other member.";
    GroupNotMember = "group.not_member", Never, "That contact is not a member of this group.";
    GroupAlreadyMember = "group.already_member", Never, "That contact is a member of this group already.";
    GroupLastOwner = "group.last_owner", Never, "The last owner can't leave or step down while others are there; make somebody else owner first.";
    RequestOpen = "request.open", Never, "This person waits to be accepted; accept the request first.";
    RequestUnknown = "request.unknown", Never, "There is no such request.";
    ReportUnknown = "report.unknown", Never, "There is no such report.";
    MessageEmpty = "message.empty", Never, "There is nothing to send.";
    MessageTooLong = "message.too_long", Never, "A text has at most 32,000 bytes; send more as a file.";
    MessageUnknown = "message.unknown", Never, "There is no such message in this chat.";
    MessageAmbiguous = "message.ambiguous", Never, "More than one message fits; give more of the id.";
    MessageNotYours = "message.not_yours", Never, "Only who wrote a message can change it or delete it for everyone.";
    MessageGone = "message.gone", Never, "This message was deleted, or never went out.";
    TimerInvalid = "message.timer_invalid", Never, "A message can disappear after at most a year, or at a moment to come.";
    MessageMixed = "message.mixed", Never, "A contact card or a place is a message of its own: without text, without files.";
    MessageNotText = "message.not_text", Never, "A contact card can't be changed; delete it, and send another one.";
    CardOtherLink = "message.card_other_link", Never, "This contact link is not that person's.";
    LocationInvalid = "message.location_invalid", Never, "A place is given by its latitude, -90 to 90, and its longitude, -180 to 180.";
    ReactionInvalid = "message.reaction_invalid", Never, "A reaction is one emoji or a few letters, at most 64 bytes.";
    AttachmentUnknown = "attachment.unknown", Never, "This message has no such attachment.";
    AttachmentNotMoving = "attachment.not_moving", Never, "No transfer of this attachment is under way or stopped.";
    MessageNotFailed = "message.not_failed", Never, "Only an own message that failed or was cancelled can be sent again.";
    MessageNotSent = "message.not_sent", Never, "The message did not go: it was cancelled or failed meanwhile. It stays here, and can be sent again.";
    AttachmentMissing = "attachment.missing", Never, "The server does not have this attachment any more.";
    AttachmentDamaged = "attachment.damaged", Never, "The attachment is not what its sender sent; nothing was saved.";
    AttachmentNotVideo = "attachment.not_video", Never, "A poster and a length go with a video, and this file is none.";
    AttachmentUnreadable = "attachment.unreadable", Never, "The file can't be read.";
    AttachmentExists = "attachment.exists", Never, "There is a file of that name already; nothing was overwritten.";
    AttachmentUnwritable = "attachment.unwritable", Never, "The file can't be written there.";
    PreferenceInvalid = "settings.name_invalid", Never, "The name of a preference has 1 to 32 small letters and underscores.";
    ProtectionInvalid = "settings.protection_invalid", Never, "The limit of wrong passphrases is 3 or more (0: none), the timer has at most 3,650 days, and locking waits at most a day.";
    ContentMalformed = "message.malformed", Never, "A message could not be understood.";
    StateMissing = "state.missing", Never, "The conversation's encrypted state is not here.";
    StateBroken = "state.broken", Never, "The store holds something that can't be; this is a fault of the app.";
    DeviceUnknown = "device.unknown", Never, "There is no such device.";
    DeviceOwn = "device.own", Never, "This is the device itself; remove it from another one, or delete its home.";
    DeviceRemoved = "device.removed", Never, "This device was removed from the account by another one.";
    DeviceNameInvalid = "device.name_invalid", Never, "A device's name has 1 to 64 bytes and no control characters.";
    DeviceAmbiguous = "device.ambiguous", Never, "More than one device fits; say more of the name, or give the id.";
    PhraseWrong = "account.phrase_wrong", Never, "These are not the twelve words of this account.";
    LinkingInvalid = "linking.invalid", Never, "This is not a whole code of a new device.";
    LinkingOtherServer = "linking.other_server", Never, "The new device sees another server than this account's, or somebody between; nothing was sent.";
    LinkingExpired = "linking.expired", Never, "The code of the new device has expired; begin anew there.";
    LinkingBusy = "linking.busy", Never, "Another device is being linked; finish that or cancel it first.";
    LinkingNone = "linking.none", Never, "No device is being linked.";
    LinkingEarly = "linking.early", RetryLater, "The new device has not answered yet; there are no words to compare.";
    LinkingForged = "linking.forged", Never, "What answered is not the device that showed the code; nothing was sent.";
    LinkingRefused = "linking.refused", Never, "The other device ended it.";
    LinkingNoInvitation = "linking.no_invitation", Never, "The server lets no further device in today.";
    LinkingTooMany = "linking.too_many", Never, "This account has as many devices as it can have; remove one first.";
    LinkingUnfinished = "linking.unfinished", Never, "This home is still being linked to an account; go on with `undertone init --link`.";
    KillFull = "kill.full", Never, "There is no room for more who may wipe this device.";
    KillNone = "kill.none", Never, "There is no kill code; make one with `undertone kill-code new`.";
    KillNotReady = "kill.not_ready", RetryLater, "That device has not taken a place of the kill code yet, so it can't be reached by it.";
    BackupNone = "backup.none", Never, "There is no backup in this folder.";
    BackupDamaged = "backup.damaged", Never, "The backup is damaged, or was not made by this account.";
    BackupNewer = "backup.newer", Never, "The backup was made by a newer version of Undertone.";
    BackupForeign = "backup.foreign", Never, "There is something else in this folder; give an empty one, or the one of this device's own backup.";
    BackupNoKey = "backup.no_key", Never, "This device does not know yet what to encrypt backups to; give the recovery phrase once.";
    BackupBusy = "backup.busy", RetryLater, "A backup is being made already.";
    BackupCancelled = "backup.cancelled", Never, "The backup was cancelled; the one before is whole.";
    BackupDiskFull = "backup.disk_full", RetryLater, "The disk is full; the backup before is whole.";
    BackupUnwritable = "backup.unwritable", Never, "The backup's folder can't be written.";
    Closed = "state.closed", Never, "The client is closed.";
}

/// Any error of the client.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The engine's own.
    Reason(Reason),
    /// The store's.
    Store(crate::store::StoreError),
    /// The home's.
    Home(crate::home::HomeError),
    /// MLS's.
    Mls(undertone_mls::Error),
    /// The attachment files'.
    Attachment(crate::attachments::AttachmentError),
    /// A picture's or memo's.
    Media(crate::media::MediaError),
    /// The network's or the server's, or a value from outside was malformed.
    Wire(undertone_wire::Error),
}

/// Result with [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// Stable code; docs/errors.md and this crate's [`Reason`] list them.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Reason(reason) => reason.code(),
            Self::Store(error) => error.code(),
            Self::Home(error) => error.code(),
            Self::Mls(error) => error.code(),
            Self::Attachment(error) => error.code(),
            Self::Media(error) => error.code(),
            Self::Wire(error) => error.code.as_str(),
        }
    }

    /// What to do.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Reason(reason) => reason.class(),
            Self::Wire(error) => match error.class {
                Class::RetryNow => ErrorClass::RetryNow,
                Class::RetryLater => ErrorClass::RetryLater,
                Class::Never => ErrorClass::Never,
            },
            Self::Store(_)
            | Self::Home(_)
            | Self::Mls(_)
            | Self::Attachment(_)
            | Self::Media(_) => ErrorClass::Never,
        }
    }

    /// For showing and sending.
    #[must_use]
    pub fn problem(&self) -> Problem {
        Problem {
            code: self.code().to_owned(),
            class: self.class(),
            sentence: self.to_string(),
        }
    }

    /// Whether it says something about the machine, and nothing about what was worked on: the same may go well another time. What fails
    /// otherwise fails each time, so nothing else may wait for it.
    #[must_use]
    pub fn is_of_the_machine(&self) -> bool {
        use crate::{attachments::AttachmentError, home::HomeError};
        match self {
            Self::Store(error) => error.is_of_the_machine(),
            Self::Reason(reason) => *reason == Reason::Closed,
            Self::Attachment(error) => matches!(
                error,
                AttachmentError::DiskFull | AttachmentError::Io | AttachmentError::Random
            ),
            Self::Mls(error) => matches!(error, undertone_mls::Error::Migration),
            Self::Home(error) => match error {
                HomeError::ReadOnly
                | HomeError::DiskFull
                | HomeError::Memory
                | HomeError::Random
                | HomeError::Io => true,
                HomeError::Store(error) => error.is_of_the_machine(),
                _ => false,
            },
            Self::Media(_) | Self::Wire(_) => false,
        }
    }

    /// Whether this is the engine's own `reason`.
    #[must_use]
    pub fn is(&self, reason: Reason) -> bool {
        matches!(self, Self::Reason(own) if *own == reason)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reason(reason) => f.write_str(reason.sentence()),
            Self::Store(error) => error.fmt(f),
            Self::Home(error) => error.fmt(f),
            // Its texts are for developers; its code says more.
            Self::Mls(_) => f.write_str("The conversation's encrypted state does not allow that."),
            Self::Attachment(error) => error.fmt(f),
            Self::Media(error) => error.fmt(f),
            Self::Wire(error) => f.write_str(error.sentence()),
        }
    }
}

impl std::error::Error for Error {}

macro_rules! from {
    ($($variant:ident($type:ty)),* $(,)?) => { $( impl From<$type> for Error {
        fn from(error: $type) -> Self { Self::$variant(error) }
    } )* };
}
from! {
    Reason(Reason),
    Store(crate::store::StoreError),
    Home(crate::home::HomeError),
    Attachment(crate::attachments::AttachmentError),
    Media(crate::media::MediaError),
    Wire(undertone_wire::Error),
}

/// A disk that is full is full, whoever wanted to write.
impl From<undertone_mls::Error> for Error {
    fn from(error: undertone_mls::Error) -> Self {
        match error {
            undertone_mls::Error::Storage(cause) => Self::Store(cause.into()),
            other => Self::Mls(other),
        }
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error.into())
    }
}
