//! Secrets in memory.
//!
//! A [`Secret`] is wiped when dropped, compared in constant time, prints as `[secret]` and cannot be cloned by a derive:
//! [`Secret::duplicate`] is the only way to have two. A frame's own buffer is out of its reach; what is parsed
//! from a frame is wiped, the network buffer it came from is not.

use std::fmt;

use bytes::Bytes;
use subtle::ConstantTimeEq as _;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::{
    Code, Error, Result,
    ids::{AddressHash, random_bytes, sha256},
};

/// `N` secret bytes.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Secret<const N: usize>([u8; N]);

impl<const N: usize> Secret<N> {
    /// Takes the bytes; the caller's copy is the caller's to wipe.
    pub const fn new(bytes: [u8; N]) -> Self {
        Self(bytes)
    }

    /// A fresh one.
    pub fn random() -> Self {
        Self(random_bytes())
    }

    /// From bytes from outside.
    ///
    /// # Errors
    /// [`Code::RequestMalformed`] when the length is wrong.
    pub fn from_slice(bytes: &[u8]) -> Result<Self> {
        bytes
            .try_into()
            .map(Self)
            .map_err(|_| Error::new(Code::RequestMalformed))
    }

    /// The bytes, for the one call that needs them.
    pub const fn expose(&self) -> &[u8; N] {
        &self.0
    }

    /// A second copy, on purpose.
    pub fn duplicate(&self) -> Self {
        Self(self.0)
    }

    /// A copy as a field of a frame that is about to be sent.
    pub fn to_bytes(&self) -> Bytes {
        Bytes::copy_from_slice(&self.0)
    }

    /// A copy to be stored, wiped when dropped.
    pub fn to_zeroizing(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.0.to_vec())
    }
}

impl<const N: usize> PartialEq for Secret<N> {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl<const N: usize> Eq for Secret<N> {}

impl<const N: usize> fmt::Debug for Secret<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

macro_rules! secret {
    ($(#[$doc:meta])* $name:ident, $len:literal) => {
        $(#[$doc])*
        #[derive(PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
        pub struct $name(Secret<$len>);

        impl $name {
            /// Length in bytes.
            pub const LEN: usize = $len;

            /// Takes the bytes; the caller's copy is the caller's to wipe.
            pub const fn new(bytes: [u8; $len]) -> Self {
                Self(Secret::new(bytes))
            }

            /// A fresh one.
            pub fn random() -> Self {
                Self(Secret::random())
            }

            /// From bytes from outside.
            ///
            /// # Errors
            /// [`Code::RequestMalformed`] when the length is wrong.
            pub fn from_slice(bytes: &[u8]) -> Result<Self> {
                Secret::from_slice(bytes).map(Self)
            }

            /// The bytes, for the one call that needs them.
            pub const fn expose(&self) -> &[u8; $len] {
                self.0.expose()
            }

            /// A second copy, on purpose.
            pub fn duplicate(&self) -> Self {
                Self(self.0.duplicate())
            }

            /// A copy as a field of a frame that is about to be sent.
            pub fn to_bytes(&self) -> Bytes {
                self.0.to_bytes()
            }
        }

        impl TryFrom<&[u8]> for $name {
            type Error = Error;
            fn try_from(bytes: &[u8]) -> Result<Self> {
                Self::from_slice(bytes)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("[secret]")
            }
        }
    };
}

secret!(
    /// Whoever knows it may send to the address.
    AddressSecret, 32
);
secret!(
    /// One-time secret of a contact link; the first message proves knowledge of it.
    LinkSecret, 32
);
secret!(
    /// Opens the channel's lock for one epoch: exporter_n("undertone channel key", "").
    ChannelKey, 32
);
secret!(
    /// Opens the key packages of one address's pool; never reaches a server.
    KpKey, 32
);
secret!(
    /// Seals what two devices say to each other while one links the other; stands in the code and never reaches a server.
    DeviceCodeKey, 32
);
secret!(
    /// What an invitation lets its holder register with.
    InvitationCode, 16
);

impl AddressSecret {
    /// The address's name on the server.
    pub fn hash(&self) -> AddressHash {
        AddressHash::new(sha256(self.expose()))
    }
}

impl ChannelKey {
    /// The lock this key opens: its SHA-256.
    pub fn lock(&self) -> [u8; 32] {
        sha256(self.expose())
    }

    /// Whether this key opens `lock`, in constant time.
    pub fn opens(&self, lock: &[u8; 32]) -> bool {
        self.lock().ct_eq(lock).into()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_secret_does_not_print() {
        let secret = AddressSecret::new([0x41; 32]);
        assert_eq!(format!("{secret:?}"), "[secret]");
        assert_eq!(
            format!("{:?}", Some(Secret::new([0x41; 4]))),
            "Some([secret])"
        );
    }

    /// Types that are not wiped when dropped don't compile here.
    #[test]
    fn every_secret_is_wiped_when_dropped() {
        fn is_wiped<T: ZeroizeOnDrop>() -> bool {
            std::mem::needs_drop::<T>()
        }
        assert!(is_wiped::<Secret<32>>());
        assert!(is_wiped::<AddressSecret>() && is_wiped::<LinkSecret>());
        assert!(is_wiped::<ChannelKey>() && is_wiped::<KpKey>());
        assert!(is_wiped::<DeviceCodeKey>() && is_wiped::<InvitationCode>());
        let mut secret = Secret::new([0x41; 4]);
        secret.zeroize();
        assert_eq!(secret.expose(), &[0; 4]);
    }

    #[test]
    fn equality_is_of_all_bytes() {
        let secret = Secret::new([1, 2, 3, 4]);
        assert_eq!(secret, secret.duplicate());
        for index in 0..4 {
            let mut other = [1, 2, 3, 4];
            other[index] ^= 0x80;
            assert_ne!(secret, Secret::new(other));
        }
    }

    #[test]
    fn a_key_opens_its_own_lock_only() {
        let key = ChannelKey::random();
        assert!(key.opens(&key.lock()));
        assert!(!ChannelKey::random().opens(&key.lock()));
    }
}
