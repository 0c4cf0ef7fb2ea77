//! Notices in English, for the command line and as the text that is stored with them.

use std::fmt;

use super::{GroupAct, Notice, NoticePerson};
use crate::view::Role;

impl NoticePerson {
    fn named(&self) -> &str {
        if self.name.is_empty() {
            "Somebody"
        } else {
            &self.name
        }
    }

    /// Who does something.
    fn doing(&self) -> &str {
        if self.me { "You" } else { self.named() }
    }

    /// To whom it is done.
    fn done_to(&self) -> &str {
        if self.me { "you" } else { self.named() }
    }

    /// Who does something to this device; of one's own account that is another device.
    fn other_side(&self) -> &str {
        if self.me {
            "Another device of yours"
        } else {
            self.named()
        }
    }

    /// The same, later in a sentence.
    fn other_side_later(&self) -> &str {
        if self.me {
            "another device of yours"
        } else {
            self.named()
        }
    }
}

/// As it stands after `made somebody`.
fn role(role: Role) -> &'static str {
    match role {
        Role::Owner => "owner",
        Role::Admin => "admin",
        Role::Member => "plain member",
    }
}

/// As it stands after `somebody is now`.
fn a_role(role: Role) -> &'static str {
    match role {
        Role::Owner => "an owner",
        Role::Admin => "an admin",
        Role::Member => "a plain member",
    }
}

/// Whom a lowest role lets do something.
fn who_may(lowest: Role) -> &'static str {
    match lowest {
        Role::Member => "everybody",
        Role::Admin => "only admins",
        Role::Owner => "only owners",
    }
}

/// After `let everybody`.
fn verb(act: GroupAct) -> &'static str {
    match act {
        GroupAct::Add => "add members",
        GroupAct::Rename => "rename the group",
        GroupAct::Pin => "pin messages",
        GroupAct::SetTimer => "set how long messages stay",
        GroupAct::Post => "write",
    }
}

/// After `tried to`: only writing and pinning are tried by themselves, all else is a change of the group.
fn tried(act: GroupAct) -> &'static str {
    match act {
        GroupAct::Pin => "pin a message",
        _ => "write",
    }
}

/// "3 hours": in the largest unit that fits.
fn span(seconds: u32) -> String {
    let units = [
        (7 * 24 * 3600, "week"),
        (24 * 3600, "day"),
        (3600, "hour"),
        (60, "minute"),
        (1, "second"),
    ];
    let (size, unit) = units
        .into_iter()
        .find(|(size, _)| seconds.is_multiple_of(*size))
        .unwrap_or((1, "second"));
    match seconds / size {
        1 => format!("1 {unit}"),
        many => format!("{many} {unit}s"),
    }
}

/// One or two sentences.
impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Added { who, whom } => write!(f, "{} added {}.", who.doing(), whom.done_to()),
            Self::Removed { who, whom } => {
                write!(f, "{} removed {}.", who.doing(), whom.done_to())
            }
            Self::Left { who } => write!(f, "{} left.", who.doing()),
            Self::CameBack { who } => {
                write!(f, "{} came back after losing the thread.", who.doing())
            }
            Self::Renamed { who, name } => {
                write!(f, "{} named the group \u{201c}{name}\u{201d}.", who.doing())
            }
            Self::MadeRole { who, whom, role: to } => {
                write!(f, "{} made {} {}.", who.doing(), whom.done_to(), role(*to))
            }
            Self::SteppedDown { who, role: to } => {
                write!(f, "{} stepped down to {}.", who.doing(), role(*to))
            }
            Self::LetMay {
                who,
                role: lowest,
                act,
            } => {
                let (may, verb) = (who_may(*lowest), verb(*act));
                write!(f, "{} let {may} {verb}.", who.doing())
            }
            Self::TimerSet { who, seconds } => write!(
                f,
                "{} set messages to disappear {} after they are read.",
                who.doing(),
                span(*seconds)
            ),
            Self::TimerOff { who } => write!(f, "{} set messages to stay.", who.doing()),
            Self::NewDevice { who } if who.me => {
                f.write_str("Another device of yours is in this chat now.")
            }
            Self::NewDevice { who } => {
                write!(f, "{} reads this on another device too now.", who.named())
            }
            Self::DeviceGone { who } if who.me => f.write_str("A device of yours was removed."),
            Self::DeviceGone { who } => {
                write!(f, "{} removed one of their devices.", who.named())
            }
            Self::Restored { who } if who.me => f.write_str(
                "You came back with a new device, by your recovery phrase. Your account is the same.",
            ),
            Self::Restored { who } => write!(
                f,
                "{} came back with a new device, by their recovery phrase. Their account is the same.",
                who.named()
            ),
            Self::Pinned { who } => write!(f, "{} pinned a message.", who.doing()),
            Self::LetInByLink { who } => write!(f, "{} let you in by a link.", who.other_side()),
            Self::AsksByLink { who } => write!(f, "{} asks to be let in by a link.", who.named()),
            Self::OtherAccount { who } => write!(
                f,
                "{} has another account than the contact of that name: the safety number is another one. Compare it before you trust it.",
                who.named()
            ),
            Self::LeftUnheard {} => f.write_str(
                "You left. To the others you are a member until one of them removes you.",
            ),
            Self::DeviceTakenOut {} => {
                f.write_str("Another device of yours took this one out of this chat.")
            }
            Self::DeviceRemoved {} => f.write_str("This device was removed from your account."),
            Self::LetInUnconfirmed { who } => write!(
                f,
                "{} let this device in again. Nothing is sent until another member confirms that.",
                who.other_side()
            ),
            Self::LetInAgain { who } => write!(
                f,
                "This device had lost the thread here and was let in again by {}; what it missed is asked for.",
                who.other_side_later()
            ),
            Self::LetInRefused { who } => write!(
                f,
                "{} offered to let this device in again, but what they sent does not fit this group; it was refused.",
                who.other_side()
            ),
            Self::NowCalled { name } => {
                write!(f, "The group is now called \u{201c}{name}\u{201d}.")
            }
            Self::NowIn { who } if who.me => f.write_str("You are now in this group."),
            Self::NowIn { who } => write!(f, "{} is now in this group.", who.named()),
            Self::NotInAnyMore { who } if who.me => {
                f.write_str("You are no longer in this group.")
            }
            Self::NotInAnyMore { who } => {
                write!(f, "{} is no longer in this group.", who.named())
            }
            Self::NowRole { who, role } if who.me => write!(f, "You are now {}.", a_role(*role)),
            Self::NowRole { who, role } => {
                write!(f, "{} is now {}.", who.named(), a_role(*role))
            }
            Self::ChangeIgnored {} => {
                f.write_str("A change that nobody could take in was ignored.")
            }
            Self::ChangeNotTaken {} => {
                f.write_str("The server did not take a change to this group.")
            }
            Self::InvitationNotTaken {} => f.write_str(
                "The server did not take an invitation to this group. Whoever was added last reads nothing here until they are added again.",
            ),
            Self::ChangeNotUnderstood { who } => write!(
                f,
                "This device could not take in a change by {}.",
                who.other_side_later()
            ),
            Self::ChangeForbidden { who } => write!(
                f,
                "{} tried a change that their role does not allow; it was ignored.",
                who.other_side()
            ),
            Self::ChangeInvalid { who } => write!(
                f,
                "A change by {} was not valid; it was ignored.",
                who.other_side_later()
            ),
            Self::ActForbidden { who, act } => write!(
                f,
                "{} tried to {}, which their role does not allow; it was ignored.",
                who.other_side(),
                tried(*act)
            ),
            Self::NotShown {
                act: GroupAct::Pin, ..
            } => f.write_str("You may not pin messages here any more; nobody was shown it."),
            Self::NotShown { .. } => {
                f.write_str("You may not write here any more; nobody was shown what you wrote.")
            }
            Self::MessageMalformed { who } => {
                write!(f, "A message from {} could not be understood.", who.other_side_later())
            }
            Self::FileNotSent { why, .. } => write!(
                f,
                "A message was not sent, because its file was not: {why}"
            ),
            Self::DuressAlarm { who } => write!(
                f,
                "{} may be under duress: their duress passphrase was given, and this alarm went out silently. Whoever writes from that device now need not be them.",
                who.named()
            ),
            Self::NameChanged { who, name } => {
                write!(f, "{} is now called “{name}”.", who.other_side())
            }
            Self::DeviceWiped { who } => write!(
                f,
                "{}: the device used here was wiped. It reads and writes nothing any more.",
                who.named()
            ),
            Self::MoreNotKept {} => f.write_str("They wrote more, which was not kept."),
            Self::ReachedAgain { who } => {
                write!(f, "What is sent here reaches {} again.", who.other_side_later())
            }
            Self::NotReached { who, group: true } => write!(
                f,
                "What is sent here does not reach {}. An admin can remove them and add them again.",
                who.other_side_later()
            ),
            Self::NotReached { who, .. } => {
                write!(f, "What is sent here does not reach {}.", who.other_side_later())
            }
            Self::WelcomeWaits { who } => write!(
                f,
                "{} could not be let in yet: the invitation does not reach them. It is sent again for some days.",
                who.other_side()
            ),
            Self::WelcomeLost { who, group: true } => write!(
                f,
                "{} could not be let in. An admin can remove them and add them again.",
                who.other_side()
            ),
            Self::WelcomeLost { who, .. } => write!(
                f,
                "{} could not be let in and reads nothing here.",
                who.other_side()
            ),
        }
    }
}
