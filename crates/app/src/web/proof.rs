//! How a page knows that it still speaks to the program that it came from.
//!
//! Once the program has ended, anybody on this computer may take its port; a page that connects again must not tell them anything. So
//! each page that is loaded carries a key of its own, and asks whoever has the port to prove that they know it before it shows its token, the
//! code or a passphrase: HMAC-SHA-256 (RFC 2104) of a number that it just drew. What must stay true: the secret behind all those keys is in
//! memory only, of this process and of the image that takes its place when it locks; a page's key is told once, inside the page.

use std::fmt::Write as _;

use hmac::{Hmac, KeyInit as _, Mac as _};
use rand::{TryRngCore as _, rngs::OsRng};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::doors::{hash_from_hexadecimal, hexadecimal, no_randomness};
use crate::failure::Failure;

const BYTES: usize = 32;
/// Before the secret where it is handed over.
const HANDED_OVER: &[u8; 16] = b"undertone pages\n";
/// What the page has in the place of its key until it is served.
const PLACE: &str = "<meta name=\"proof\" content=\"\">";

/// What all pages' keys come from.
pub struct Proofs(Zeroizing<[u8; BYTES]>);

impl Proofs {
    /// For pages that are loaded from now on.
    ///
    /// # Errors
    /// `host.random`.
    pub fn new() -> Result<Self, Failure> {
        let mut secret = Zeroizing::new([0; BYTES]);
        OsRng
            .try_fill_bytes(&mut *secret)
            .map_err(|_| no_randomness())?;
        Ok(Self(secret))
    }

    /// What the image that takes this one's place is given, so that pages of this one believe it.
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new([&HANDED_OVER[..], &*self.0].concat())
    }

    /// The other way; None: it is not that.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let secret = bytes.strip_prefix(HANDED_OVER)?;
        Some(Self(Zeroizing::new(secret.try_into().ok()?)))
    }

    /// The page, with a name and a key that no other has.
    ///
    /// # Errors
    /// `host.random`.
    pub fn put_into(&self, page: &str) -> Result<String, Failure> {
        let mut name = [0; BYTES];
        OsRng
            .try_fill_bytes(&mut name)
            .map_err(|_| no_randomness())?;
        let key = Zeroizing::new(hexadecimal(&*self.key(&name)));
        let mut told = String::with_capacity(PLACE.len() + 4 * BYTES + 1);
        // Writing to a String can't fail.
        let _ = write!(
            told,
            "<meta name=\"proof\" content=\"{}.{}\">",
            hexadecimal(&name),
            *key
        );
        Ok(page.replace(PLACE, &told))
    }

    /// What only this program can answer to the page of that name (hexadecimal, as the nonce). None: these are no such things.
    pub fn answer(&self, name: &str, nonce: &str) -> Option<String> {
        let (name, nonce) = (hash_from_hexadecimal(name)?, hash_from_hexadecimal(nonce)?);
        Some(hexadecimal(&*mac(&self.key(&name), &nonce)))
    }

    fn key(&self, name: &[u8; BYTES]) -> Zeroizing<[u8; BYTES]> {
        mac(&self.0, name)
    }
}

fn mac(key: &[u8; BYTES], text: &[u8]) -> Zeroizing<[u8; BYTES]> {
    #[allow(clippy::expect_used)] // HMAC takes keys of any length
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key");
    mac.update(text);
    Zeroizing::new(mac.finalize().into_bytes().into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn told(proofs: &Proofs) -> (String, String) {
        let page = proofs.put_into(&format!("<head>{PLACE}</head>")).unwrap();
        let told = page
            .strip_prefix("<head><meta name=\"proof\" content=\"")
            .and_then(|rest| rest.strip_suffix("\"></head>"));
        let (name, key) = told.unwrap().split_once('.').unwrap();
        (name.to_owned(), key.to_owned())
    }

    #[test]
    fn a_page_is_answered_with_its_own_key_and_by_no_other_program() {
        let (proofs, other) = (
            Proofs::new().unwrap_or_else(|_| panic!("random")),
            Proofs::new().unwrap_or_else(|_| panic!("random")),
        );
        let (name, key) = told(&proofs);
        let nonce = "07".repeat(BYTES);
        let answer = proofs.answer(&name, &nonce).unwrap();
        let key = hash_from_hexadecimal(&key).unwrap();
        assert_eq!(answer, hexadecimal(&*mac(&key, &[7; BYTES])));
        assert_ne!(other.answer(&name, &nonce).unwrap(), answer);
        assert_ne!(proofs.answer(&name, &"08".repeat(BYTES)).unwrap(), answer);
        let (another, _) = told(&proofs);
        assert_ne!(proofs.answer(&another, &nonce).unwrap(), answer);
        for wrong in ["", "07", &"0g".repeat(BYTES)] {
            assert!(
                proofs.answer(wrong, &nonce).is_none() && proofs.answer(&name, wrong).is_none()
            );
        }
    }

    #[test]
    fn the_image_that_takes_the_place_answers_the_same() {
        let proofs = Proofs::new().unwrap_or_else(|_| panic!("random"));
        let bytes = proofs.to_bytes();
        let after = Proofs::from_bytes(&bytes).unwrap();
        let nonce = "07".repeat(BYTES);
        assert_eq!(after.answer(&nonce, &nonce), proofs.answer(&nonce, &nonce));
        assert!(Proofs::from_bytes(&bytes[1..]).is_none());
        assert!(Proofs::from_bytes(&bytes[..BYTES]).is_none());
    }

    #[test]
    fn the_page_has_a_place_for_its_key() {
        let Some(page) = super::super::assets::find("/") else {
            return;
        };
        let page = std::str::from_utf8(page.bytes).unwrap();
        assert_eq!(page.matches(PLACE).count(), 1);
    }
}
