//! What accounts say of themselves.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::ids::ContactId;

view! {
    /// What this account says of itself.
    struct OwnProfile {
        /// The name that others see.
        name: String,
        /// A small square JPEG, base64; None: there is no picture.
        picture: Option<String>,
    }
}

view! {
    /// Of whom there is a picture. Nobody who waits to be accepted is among them.
    struct PersonPicture {
        /// The account.
        contact: ContactId,
        /// Another one whenever the picture is another one.
        version: String,
    }
}
