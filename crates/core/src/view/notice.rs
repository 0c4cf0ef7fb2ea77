//! Notices: the plain lines that a chat says of itself, as a kind with parameters, so that each page can say them in its own language.
//!
//! What must stay true: a kind keeps its number and the meaning of its parameters (they stand in stores and backups); `stored.rs` has
//! the encoding, `english.rs` the English sentences, `testdata/notices.json` a sample of each, which the page's texts are checked with.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::Role;
use crate::ids::ContactId;

mod english;
mod stored;
#[cfg(test)]
mod tests;

/// Somebody whom a notice names, as they were called when it was written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct NoticePerson {
    /// Their account; None: it could not be told who it was.
    pub account: Option<ContactId>,
    /// What they were called; empty: no name was known.
    pub name: String,
    /// Whether it is this account, here or on another device.
    pub me: bool,
}

view! {
    /// What the members of a group agree about, as in `GroupPolicy`.
    enum GroupAct {
        /// Add members.
        Add,
        /// Rename the group.
        Rename,
        /// Pin messages, and end that.
        Pin,
        /// Set how long messages stay.
        SetTimer,
        /// Write.
        Post,
    }
}

impl From<undertone_mls::Act> for GroupAct {
    fn from(act: undertone_mls::Act) -> Self {
        use undertone_mls::Act;
        match act {
            Act::Add => Self::Add,
            Act::Rename => Self::Rename,
            Act::Pin => Self::Pin,
            Act::SetTimer => Self::SetTimer,
            Act::Post => Self::Post,
        }
    }
}

/// Each kind: its number in the store, never given to another one; its name; its parameters and what they mean.
macro_rules! notices {
    ($($(#[$doc:meta])* $number:literal $kind:ident { $($field:ident : $type:ty = $meaning:literal),* $(,)? })*) => {
        /// What a notice says.
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
        #[serde(tag = "kind", rename_all = "snake_case")]
        pub enum Notice {
            $($(#[$doc])* $kind { $(#[doc = $meaning] $field: $type,)* },)*
        }

        impl Notice {
            /// As it stands in the store.
            pub(crate) fn encode(&self) -> Vec<u8> {
                stored::write(match self {
                    $(Self::$kind { $($field),* } => stored::Fields {
                        kind: $number,
                        $($field: Some(stored::Param::put($field)),)*
                        ..stored::Fields::default()
                    },)*
                })
            }

            /// From the store; None: it is of a kind, or has parameters, that this program does not know.
            pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
                let fields = stored::read(bytes)?;
                Some(match fields.kind {
                    $($number => Self::$kind { $($field: stored::Param::take(fields.$field?)?),* },)*
                    _ => return None,
                })
            }

            /// All kinds, as the RPC names them by number.
            #[cfg(test)]
            const KINDS: &[(u32, &str)] = &[$(($number, stringify!($kind))),*];
        }
    };
}

notices! {
    /// Somebody was added to a group.
    1 Added { who: NoticePerson = "Who added them.", whom: NoticePerson = "Who came." }
    /// Somebody was removed from a chat.
    2 Removed { who: NoticePerson = "Who removed them.", whom: NoticePerson = "Who went." }
    /// Somebody left.
    3 Left { who: NoticePerson = "Who went." }
    /// Somebody had lost the thread and is back.
    4 CameBack { who: NoticePerson = "Who." }
    /// The group has another name.
    5 Renamed { who: NoticePerson = "Who named it.", name: String = "The new name." }
    /// A member has another role.
    6 MadeRole { who: NoticePerson = "Who gave it.", whom: NoticePerson = "Who has it.", role: Role = "The new role." }
    /// A member gave up their role.
    7 SteppedDown { who: NoticePerson = "Who.", role: Role = "The role that is left." }
    /// It was decided who may do something.
    8 LetMay { who: NoticePerson = "Who decided it.", role: Role = "The lowest role that may.", act: GroupAct = "What." }
    /// New messages disappear.
    9 TimerSet { who: NoticePerson = "Who set it.", seconds: u32 = "How long after they were read, seconds." }
    /// New messages stay.
    10 TimerOff { who: NoticePerson = "Who set it." }
    /// A member is here with one more device.
    11 NewDevice { who: NoticePerson = "Whose device." }
    /// A member is here with one device less.
    12 DeviceGone { who: NoticePerson = "Whose device." }
    /// A member lost all devices and came back with a new one.
    13 Restored { who: NoticePerson = "Who." }
    /// A message was pinned.
    14 Pinned { who: NoticePerson = "Who pinned it." }
    /// This account came by a group's link.
    15 LetInByLink { who: NoticePerson = "Who let it in." }
    /// Somebody has a group's link and waits to be let in.
    16 AsksByLink { who: NoticePerson = "Who." }
    /// Somebody goes by a contact's name and has another account.
    17 OtherAccount { who: NoticePerson = "Who." }
    /// This account left a group that it could not tell.
    18 LeftUnheard {}
    /// Another device of this account took this one out of the chat.
    19 DeviceTakenOut {}
    /// This device was removed from the account.
    20 DeviceRemoved {}
    /// This device was let in again, and waits for another member's word that it is the same group.
    21 LetInUnconfirmed { who: NoticePerson = "Who let it in." }
    /// This device was let in again.
    22 LetInAgain { who: NoticePerson = "Who let it in." }
    /// What somebody sent to let this device in again did not fit the group.
    23 LetInRefused { who: NoticePerson = "Who sent it." }
    /// While this device was away the group was renamed.
    24 NowCalled { name: String = "The name." }
    /// While this device was away somebody came.
    25 NowIn { who: NoticePerson = "Who." }
    /// While this device was away somebody went.
    26 NotInAnyMore { who: NoticePerson = "Who." }
    /// While this device was away a role changed.
    27 NowRole { who: NoticePerson = "Whose role.", role: Role = "The role." }
    /// A change that no member could take in.
    28 ChangeIgnored {}
    /// The server did not take a change.
    29 ChangeNotTaken {}
    /// The server did not take an invitation.
    30 InvitationNotTaken {}
    /// This device could not take in a change.
    31 ChangeNotUnderstood { who: NoticePerson = "Who made it." }
    /// Somebody tried a change that their role does not allow.
    32 ChangeForbidden { who: NoticePerson = "Who." }
    /// A change was wrong.
    33 ChangeInvalid { who: NoticePerson = "Who made it." }
    /// Somebody tried to write or pin, which their role does not allow.
    34 ActForbidden { who: NoticePerson = "Who.", act: GroupAct = "What they tried." }
    /// What this account wrote or pinned came after the group had agreed that it may not.
    35 NotShown { act: GroupAct = "What it did." }
    /// A message could not be understood.
    36 MessageMalformed { who: NoticePerson = "Who wrote it." }
    /// A message was not sent, because its file was not.
    37 FileNotSent { code: String = "The failure's code.", why: String = "The failure in English." }
    /// Somebody is reached again.
    38 ReachedAgain { who: NoticePerson = "Who." }
    /// What is sent does not reach somebody.
    39 NotReached { who: NoticePerson = "Who.", group: bool = "Whether it is a group, in which they can be added again." }
    /// An invitation does not reach somebody yet.
    40 WelcomeWaits { who: NoticePerson = "Who." }
    /// An invitation has not reached somebody and is not sent any more.
    41 WelcomeLost { who: NoticePerson = "Who.", group: bool = "Whether it is a group, in which they can be added again." }
    /// A stranger wrote more than is kept of somebody who is not accepted.
    42 MoreNotKept {}
    /// Somebody's duress passphrase was given, and they had chosen that this account be told.
    43 DuressAlarm { who: NoticePerson = "Who." }
    /// Somebody calls themselves otherwise.
    44 NameChanged { who: NoticePerson = "Who, as they were called before.", name: String = "The new name." }
    /// The only device of somebody's account was wiped, and they had chosen that people be told.
    45 DeviceWiped { who: NoticePerson = "Who." }
}

impl Notice {
    /// Whether it says only that somebody has one device more or less: such a line neither moves its chat in the list nor stands for it
    /// there.
    #[must_use]
    pub fn is_of_devices(&self) -> bool {
        matches!(self, Self::NewDevice { .. } | Self::DeviceGone { .. })
    }
}
