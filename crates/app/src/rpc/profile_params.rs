//! Parameters and answers of the methods about names and pictures, and what the server's operator announces.

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use ts_rs::TS;
use undertone_core::{AnnouncementId, ContactId, ProfileChange};

use crate::failure::Failure;

/// What this account says of itself from now on; what is left out stays.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct SetProfile {
    /// The name that others see, 1 to 64 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub name: Option<String>,
    /// A picture: JPEG, PNG, WebP or GIF, base64. Its middle is taken, made small, and loses all but its pixels. Empty: none any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub picture: Option<String>,
}

impl SetProfile {
    /// As the core takes it.
    ///
    /// # Errors
    /// `rpc.invalid_params` when the picture is not base64.
    pub fn change(self) -> Result<ProfileChange, Failure> {
        let picture = match self.picture {
            None => None,
            Some(text) if text.is_empty() => Some(None),
            Some(text) => Some(Some(BASE64.decode(text.as_bytes()).map_err(|_| {
                Failure::new("rpc.invalid_params", "`picture` is not base64.")
            })?)),
        };
        Ok(ProfileChange {
            name: self.name,
            picture,
        })
    }
}

/// Whose picture.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct WhosePicture {
    /// The account.
    pub contact: ContactId,
}

/// Something that the server's operator announced.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct OneAnnouncement {
    /// Which.
    pub announcement: AnnouncementId,
}

/// A picture.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct ShownPicture {
    /// A small square JPEG, base64; None: there is none.
    pub picture: Option<String>,
}
