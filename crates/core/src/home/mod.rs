//! The home: the folder that holds everything of one person on one machine.
//!
//! ```text
//! HOME/ (0700)
//!   lock          held with flock by the one process that owns the home
//!   keys          KDF parameters and a fixed table of key slots; always the same size, a little longer while the
//!                 desktop's keyring is needed too
//!   store-a       two stores of the same format; one is in use, the other is random bytes until the
//!   store-b       owner prepares it as a decoy. Which is which is not written down anywhere
//!   attachments/  files as ciphertext, named at random
//!   rpc.sock      where later commands reach the owner (0600, peer credentials checked)
//!   sentinel      what a locked device needs to be killed and to count; under no passphrase
//! ```
//!
//! What must stay true:
//! - A passphrase opens one store and says nothing of the other: every attempt does the same work, and
//!   unused slots and an unused store are random bytes.
//! - Nothing here can be read without a passphrase, except sizes, times and the KDF parameters.
//! - A crash at any line of [`Creation`] leaves either no home or a whole one; one at any line of a
//!   passphrase change leaves either the old passphrase or the new one.
//! - A home that carries the wipe marker is wiped to the end before anything else, and never opened again.
//! - At most one process owns a home ([`Owner`]), and only the owner opens a store.
//! - Keys leave memory when the [`Home`] is dropped; for what an allocator may still hold, locking ends
//!   the process image ([`harden::execute_anew`]).

pub mod attempts;
mod calibration;
mod create;
pub mod dead_man;
mod duress;
mod error;
mod folder;
pub mod harden;
mod kdf;
mod key_table;
mod keyring;
pub(crate) mod leaving;
mod owner;
pub mod panic;
mod passphrase;
pub mod sentinel;
pub mod socket;
pub mod wipe;

pub use create::Creation;
pub use duress::{Cleaning, Decoy};
pub use error::{HomeError, HomeResult};
#[cfg(debug_assertions)]
pub use kdf::use_cheap_kdf_for_tests;
#[cfg(debug_assertions)]
pub use keyring::use_keyring_for_tests;
pub use owner::{Home, Owner};
pub use passphrase::Passphrase;
pub use sentinel::Sentinel;
pub use wipe::{Wipe, WipeReport};

// They need the cheap key derivation, which release builds do not have.
#[cfg(all(test, debug_assertions))]
mod tests;
