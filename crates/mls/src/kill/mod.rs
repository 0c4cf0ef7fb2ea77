//! The kill code: twelve words with which an owner has lost devices wiped, from any machine, past a server that can do nothing about it
//! but keep the command back. See docs/protocol.md section 9.
//!
//! From the words come a signing key and a seed ([`KillCode`]). Devices keep the public key and the seed, and each has a [`Slot`]: what a
//! secret (of the seed and a number below [`SLOTS`], or drawn at random for a custodian) gives, an address, keys, and a generation that the
//! device draws when it takes the slot and leaves on the server in a [`Record`]. A [`Command`] is for one server, slot and generation; a
//! [`Receipt`] answers one command.
//!
//! What must stay true: nothing here can be made, changed or read without a slot's secret, and no command counts without a signature of a
//! key that the device was given for that slot. No clock of a server or of other people is looked at.

mod code;
mod command;
mod receipt;
mod record;
mod slot;
#[cfg(test)]
mod tests;

pub use code::{KillCode, KillSeed, KillSigner};
pub use command::{Command, Order, Refused, Scope, SealedCommand};
pub use receipt::{Receipt, Verdict};
pub use record::Record;
pub use slot::{Generation, SLOTS, Slot};
