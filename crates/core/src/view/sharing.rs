//! What is shared in a message of its own: a person's contact card, a place.

use geo_uri::GeoUri;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{
    error::{Reason, Result},
    ids::ContactId,
};

/// The longest text that is looked at for a place, bytes.
const PLACE_BYTES: usize = 128;

/// Somebody to tell others of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct SharedContact {
    /// One of this account's contacts.
    pub contact: ContactId,
    /// A contact link that this person gave to be passed on. Without it the others learn name and account id, and can't write to them.
    #[serde(default)]
    #[ts(optional)]
    pub link: Option<String>,
}

view! {
    /// Somebody's contact card in a message, as its sender says.
    struct CardInfo {
        /// The account id.
        account: ContactId,
        /// The name that the sender of the message knows them by.
        name: String,
        /// The name that this account knows them by; None: they are no contact.
        known_as: Option<String>,
        /// Whether it is this account itself.
        is_me: bool,
        /// A contact link of exactly this account, if the sender passed one on and it is of use here.
        link: Option<String>,
    }
}

/// A place on the earth, WGS 84 (RFC 5870).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct Location {
    /// Degrees north of the equator, -90 to 90.
    pub latitude: f64,
    /// Degrees east of Greenwich, -180 to 180.
    pub longitude: f64,
    /// How far it may be from there, metres; None: not said.
    #[serde(default)]
    #[ts(optional = nullable)]
    pub accuracy_m: Option<f64>,
}

impl Location {
    /// As a `geo:` URI.
    ///
    /// # Errors
    /// `message.location_invalid` for what is not on the earth.
    pub fn uri(&self) -> Result<String> {
        let mut uri = GeoUri::builder();
        uri.latitude(self.latitude).longitude(self.longitude);
        if let Some(accuracy) = self.accuracy_m {
            if !accuracy.is_finite() {
                return Err(Reason::LocationInvalid.into());
            }
            uri.uncertainty(accuracy);
        }
        let uri = uri.build().map_err(|_| Reason::LocationInvalid)?;
        Ok(uri.to_string())
    }

    /// The place that a text is: a `geo:` URI and nothing else.
    #[must_use]
    pub fn of_text(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.len() > PLACE_BYTES || !text.get(..4)?.eq_ignore_ascii_case("geo:") {
            return None;
        }
        let uri = GeoUri::parse(text).ok()?;
        Some(Self {
            latitude: uri.latitude(),
            longitude: uri.longitude(),
            accuracy_m: uri.uncertainty().filter(|metres| metres.is_finite()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_geo_uri_and_comes_back() {
        for (place, uri) in [
            ((52.3702, 4.8952, None), "geo:52.3702,4.8952"),
            ((-90.0, 180.0, Some(30.0)), "geo:-90,180;u=30"),
        ] {
            let place = Location {
                latitude: place.0,
                longitude: place.1,
                accuracy_m: place.2,
            };
            assert_eq!(place.uri().expect("it is on the earth"), uri);
            assert_eq!(Location::of_text(uri), Some(place));
        }
    }

    #[test]
    fn what_is_not_on_the_earth_is_no_place() {
        for (latitude, longitude, accuracy_m) in [
            (90.1, 0.0, None),
            (0.0, -180.5, None),
            (f64::NAN, 0.0, None),
            (0.0, f64::INFINITY, None),
            (0.0, 0.0, Some(-1.0)),
            (0.0, 0.0, Some(f64::INFINITY)),
        ] {
            let place = Location {
                latitude,
                longitude,
                accuracy_m,
            };
            let refused = place.uri().expect_err("it is nowhere");
            assert!(refused.is(Reason::LocationInvalid));
        }
        for text in [
            "geo:91,0",
            "geo:nan,0",
            "geo:1",
            "geo:1,2 and more",
            "see geo:1,2",
            "geo:1,2\ngeo:3,4",
            "geo:1,2;crs=moon-2011",
            "é",
            "ge",
            "",
        ] {
            assert_eq!(Location::of_text(text), None, "{text:?}");
        }
        assert_eq!(
            Location::of_text(&format!("geo:1,{}", "2".repeat(200))),
            None
        );
    }
}
