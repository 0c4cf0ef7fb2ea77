//! Strings between the owner of a device and a custodian who may wipe it: the custodian's key, and the ticket that the owner gives back.
//!
//! `undertone:k:` and `undertone:w:`, made like the other strings ([`crate::strings`]). Neither wipes anything by itself: that takes the
//! custodian's words. A ticket lets its holder see whether the device is still there.

use std::{fmt, str::FromStr};

use prost::Message;

use crate::{
    Code, Error, Result,
    ids::Pin,
    origin::ServerAddress,
    secrets::Secret,
    strings::{CUSTODIAN_KEY, CUSTODIAN_TICKET, decode, encode},
};

/// Longest name in bytes.
pub const NAME_BYTES: usize = 64;

#[derive(Clone, PartialEq, Message)]
struct EncodedKey {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(bytes = "vec", tag = "2")]
    public_key: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct EncodedTicket {
    #[prost(string, tag = "1")]
    origin: String,
    #[prost(bytes = "vec", tag = "2")]
    pin: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    slot: Vec<u8>,
    #[prost(string, tag = "4")]
    name: String,
}

fn malformed() -> Error {
    Error::new(Code::TextMalformed)
}

/// A name that can be shown: 1 to 64 bytes, no control characters, nothing that changes the direction of what follows.
fn name(name: String) -> Result<String> {
    let shown = |c: char| {
        !c.is_control()
            && !matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if name.trim().is_empty() || name.len() > NAME_BYTES || !name.chars().all(shown) {
        return Err(malformed());
    }
    Ok(name)
}

/// Whom an owner lets wipe a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CustodianKey {
    /// What they call themselves; 1 to 64 bytes.
    pub name: String,
    /// Ed25519, of the custodian's words.
    pub public_key: [u8; 32],
}

impl CustodianKey {
    /// With a name that was checked.
    ///
    /// # Errors
    /// [`Code::TextMalformed`] for a name that can't be shown.
    pub fn new(called: &str, public_key: [u8; 32]) -> Result<Self> {
        Ok(Self {
            name: name(called.trim().to_owned())?,
            public_key,
        })
    }
}

impl FromStr for CustodianKey {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let key: EncodedKey = decode(CUSTODIAN_KEY, text)?;
        Ok(Self {
            name: name(key.name)?,
            public_key: key.public_key[..].try_into().map_err(|_| malformed())?,
        })
    }
}

impl fmt::Display for CustodianKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = EncodedKey {
            name: self.name.clone(),
            public_key: self.public_key.to_vec(),
        };
        f.write_str(&encode(CUSTODIAN_KEY, &key))
    }
}

/// Where the custodian reaches a device.
#[derive(Debug, PartialEq, Eq)]
pub struct CustodianTicket {
    /// The device's server.
    pub server: ServerAddress,
    /// The secret of the device's slot for this custodian.
    pub slot: Secret<32>,
    /// What the owner calls the device.
    pub name: String,
}

impl FromStr for CustodianTicket {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let ticket: EncodedTicket = decode(CUSTODIAN_TICKET, text)?;
        Ok(Self {
            server: ServerAddress {
                origin: ticket.origin.parse().map_err(|_| malformed())?,
                pin: Pin::from_slice(&ticket.pin).map_err(|_| malformed())?,
            },
            slot: Secret::from_slice(&ticket.slot).map_err(|_| malformed())?,
            name: name(ticket.name)?,
        })
    }
}

/// The text to hand over.
impl fmt::Display for CustodianTicket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ticket = EncodedTicket {
            origin: self.server.origin.to_string(),
            pin: self.server.pin.as_bytes().to_vec(),
            slot: self.slot.expose().to_vec(),
            name: self.name.clone(),
        };
        f.write_str(&encode(CUSTODIAN_TICKET, &ticket))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn they_come_back_and_damage_shows() {
        let key = CustodianKey::new(" Works council ", [7; 32]).unwrap();
        assert_eq!(key.name, "Works council");
        let text = key.to_string();
        assert!(text.starts_with("undertone:k:"));
        assert_eq!(text.parse::<CustodianKey>().unwrap(), key);
        let ticket = CustodianTicket {
            server: ServerAddress {
                origin: "example.org:7443".parse().unwrap(),
                pin: Pin::random(),
            },
            slot: Secret::random(),
            name: "Laptop".to_owned(),
        };
        let said = ticket.to_string();
        assert_eq!(said.parse::<CustodianTicket>().unwrap(), ticket);
        let refused = |outcome: Result<CustodianKey>| outcome.unwrap_err().code;
        assert_eq!(refused(said.parse()), Code::TextKind);
        let mut broken = text;
        let last = if broken.pop() == Some('A') { 'B' } else { 'A' };
        broken.push(last);
        assert!(broken.parse::<CustodianKey>().is_err());
    }

    #[test]
    fn names_that_mislead_are_refused() {
        for bad in ["", "  ", "a\nb", "a\u{202e}b", &"x".repeat(65)] {
            assert!(CustodianKey::new(bad, [1; 32]).is_err(), "{bad:?}");
        }
    }
}
