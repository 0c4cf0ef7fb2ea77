//! What a device leaves on the server for whoever has the words: that it has the slot, and in which generation.
//!
//! It lies where a contact link's last-resort key package would, has the same size and is as unreadable. A server can hand out an
//! older one, or none: then the command is for nobody, which is no more than keeping it back.

use prost::Message as _;
use undertone_wire::seal;

use super::{Generation, Slot};
use crate::{Error, Result};

/// Longest name of a device in bytes.
const NAME_BYTES: usize = 64;

/// A device's entry.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    /// Of the slot on that device.
    pub generation: Generation,
    /// What the owner calls the device; may be empty.
    pub name: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Encoded {
    #[prost(bytes = "vec", tag = "1")]
    generation: Vec<u8>,
    #[prost(string, tag = "2")]
    name: String,
}

impl Record {
    /// 4,096 bytes for the server.
    ///
    /// # Errors
    /// [`Error::TooLong`] for a name that no device has.
    pub fn seal(&self, slot: &Slot) -> Result<Vec<u8>> {
        let encoded = Encoded {
            generation: self.generation.to_vec(),
            name: self.name.clone(),
        };
        seal::seal_key_package(&slot.record_key(), &encoded.encode_to_vec())
            .map(Vec::from)
            .map_err(|_| Error::TooLong("name of a device"))
    }

    /// Reads what the server handed out.
    ///
    /// # Errors
    /// [`Error::Sealed`] when it is not this slot's, [`Error::Malformed`].
    pub fn open(slot: &Slot, sealed: &[u8]) -> Result<Self> {
        let plain =
            seal::open_key_package(&slot.record_key(), sealed).map_err(|_| Error::Sealed)?;
        let encoded = Encoded::decode(&plain[..])?;
        let name = Some(encoded.name)
            .filter(|name| name.len() <= NAME_BYTES && !name.chars().any(char::is_control))
            .ok_or(Error::Malformed("name of a device"))?;
        Ok(Self {
            generation: encoded.generation[..]
                .try_into()
                .map_err(|_| Error::Malformed("generation"))?,
            name,
        })
    }
}
