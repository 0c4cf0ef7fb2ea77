//! Identifiers that only members know. Like those of the wire crate they print their type and no byte.

use std::fmt;

use undertone_wire::ids::random_bytes;

use crate::{Error, Result};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name([u8; 16]);

        impl $name {
            /// A fresh one.
            pub fn random() -> Self {
                Self(random_bytes())
            }

            /// From bytes whose length is known to be right.
            pub const fn new(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// From bytes from outside.
            ///
            /// # Errors
            /// [`Error::Malformed`] when they are not 16.
            pub fn from_slice(bytes: &[u8]) -> Result<Self> {
                bytes.try_into().map(Self).map_err(|_| Error::Malformed(stringify!($name)))
            }

            /// Its bytes.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }
        }

        impl AsRef<[u8]> for $name {
            fn as_ref(&self) -> &[u8] {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(stringify!($name))
            }
        }
    };
}

id!(
    /// A device of an account; chosen at random by the device.
    DeviceId
);
id!(
    /// The MLS group id of a conversation; chosen at random by its creator.
    GroupId
);

impl GroupId {
    pub(crate) fn to_mls(self) -> openmls::group::GroupId {
        openmls::group::GroupId::from_slice(&self.0)
    }
}
