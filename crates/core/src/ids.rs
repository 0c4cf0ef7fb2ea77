//! The ids that the outside sees, as text.
//!
//! Lower-case base32 of the protocol's bytes (contacts, chats, devices) or lower-case hex (messages, links).

use std::{fmt, str::FromStr};

use data_encoding::{BASE32_NOPAD, HEXLOWER};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::error::{Error, Reason};

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $unknown:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, TS)]
        pub struct $name(String);

        impl $name {
            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = Error;
            fn from_str(text: &str) -> Result<Self, Error> {
                let id = Self(text.trim().to_ascii_lowercase());
                id.bytes()?;
                Ok(id)
            }
        }
    };
}

macro_rules! base32_id {
    ($(#[$doc:meta])* $name:ident, $len:literal, $unknown:ident) => {
        text_id!($(#[$doc])* $name, $unknown);
        impl $name {
            pub(crate) fn from_bytes(bytes: &[u8]) -> Self {
                Self(BASE32_NOPAD.encode(bytes).to_ascii_lowercase())
            }

            pub(crate) fn bytes(&self) -> Result<[u8; $len], Error> {
                BASE32_NOPAD
                    .decode(self.0.to_ascii_uppercase().as_bytes())
                    .ok()
                    .and_then(|bytes| bytes.try_into().ok())
                    .ok_or(Error::Reason(Reason::$unknown))
            }
        }
    };
}

macro_rules! hex_id {
    ($(#[$doc:meta])* $name:ident, $len:literal, $unknown:ident) => {
        text_id!($(#[$doc])* $name, $unknown);
        impl $name {
            pub(crate) fn from_bytes(bytes: &[u8]) -> Self {
                Self(HEXLOWER.encode(bytes))
            }

            pub(crate) fn bytes(&self) -> Result<[u8; $len], Error> {
                HEXLOWER
                    .decode(self.0.as_bytes())
                    .ok()
                    .and_then(|bytes| bytes.try_into().ok())
                    .ok_or(Error::Reason(Reason::$unknown))
            }
        }
    };
}

base32_id!(
    /// A contact: the account id (52 characters).
    ContactId, 32, ContactUnknown
);
base32_id!(
    /// A chat: the MLS group id (26 characters).
    ChatId, 16, ChatUnknown
);
base32_id!(
    /// A device (26 characters).
    DeviceId, 16, ContactUnknown
);
hex_id!(
    /// A message: its MIMI message id (64 characters). Lines that are not messages have an id of the same form.
    MessageId, 32, MessageUnknown
);
hex_id!(
    /// A contact link (16 characters).
    LinkId, 8, LinkUnknown
);
hex_id!(
    /// A report (16 characters).
    ReportId, 8, ReportUnknown
);
hex_id!(
    /// A link to a group (16 characters).
    InviteId, 8, LinkUnknown
);
hex_id!(
    /// An announcement of the server's operator (32 characters).
    AnnouncementId, 16, AnnouncementUnknown
);
