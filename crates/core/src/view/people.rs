//! Contacts, contact links, and people who are no contacts (yet).

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::{ChatInfo, Choice, Delivery};
use crate::ids::{ChatId, ContactId, LinkId, ReportId};

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
        /// Whether who comes by it is to be accepted first.
        ask: bool,
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
    /// Whether who comes by it is to be accepted first; None: if more than one may use it.
    pub ask: Option<bool>,
}

impl Default for LinkOptions {
    fn default() -> Self {
        Self {
            expires_in_s: None,
            uses: 1,
            ask: None,
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
        /// Somebody unknown, who waits to be accepted.
        Request,
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
    /// Somebody unknown who waits to be accepted.
    struct RequestInfo {
        /// Who they say they are.
        person: ContactInfo,
        /// What they wrote; it can be read, and nothing can be sent there.
        chat: ChatInfo,
    }
}

view! {
    /// Somebody who is blocked.
    struct BlockedInfo {
        /// The account id.
        id: ContactId,
        /// The name they went by; empty if it is not known any more.
        name: String,
    }
}

view! {
    /// What was kept about somebody, on this device only.
    struct ReportInfo {
        /// Its id.
        id: ReportId,
        /// About whom.
        contact: ContactId,
        /// The name they went by.
        name: String,
        /// When it was made.
        #[ts(type = "number")]
        created_ms: i64,
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
    /// An account that goes by the name of a contact and is not that contact's.
    struct OtherAccount {
        /// The account.
        account: ContactId,
        /// What it is called.
        name: String,
        /// The contact of that name.
        known: ContactId,
        /// What the contact is called.
        known_name: String,
        /// Whether the contact's safety number was compared.
        known_verified: bool,
        /// The chats with this account.
        chats: Vec<ChatId>,
    }
}
