//! What the operator of a server tells everybody there.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::ids::AnnouncementId;

view! {
    /// Words of the operator of this account's server. They are nobody's message, prove nothing, and may be different for each person.
    struct AnnouncementInfo {
        /// Its id.
        id: AnnouncementId,
        /// `host:port` of the server whose operator says it.
        server: String,
        /// Plain text with line breaks: nothing in it is a link.
        text: String,
        /// When it was made, Unix milliseconds of a UTC day's beginning, as the server says.
        #[ts(type = "number")]
        day_ms: i64,
        /// Whether the owner has dismissed it, on any device of the account.
        dismissed: bool,
    }
}
