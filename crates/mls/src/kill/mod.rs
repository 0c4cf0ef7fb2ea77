//! The kill code: twelve words with which an owner has lost devices wiped, from any machine, past a server that can do nothing about it
//! but keep the command back. See docs/protocol.md section 9.
//!
//! From the words come a signing key and a seed ([`KillCode`]). Devices keep the public key and the seed, and each has a [`Slot`]: what a
//! secret (of the seed and a number below [`SLOTS`], or drawn at random for a custodian) gives, an address, keys, and a generation that the
//! device draws when it takes the slot and leaves on the server in a [`Record`]. A [`Command`] is for one server, slot and generation; a
//! [`Receipt`] answers one command. By the same way a device can tell another, by a [`Heartbeat`], that the owner was there.
//!
//! What must stay true: nothing here can be made, changed or read without a slot's secret, and no command counts without a signature of a
//! key that the device was given for that slot. No clock of a server or of other people is looked at.

mod code;
mod command;
mod heartbeat;
mod receipt;
mod record;
mod slot;
#[cfg(test)]
mod tests;

use openmls_rust_crypto::RustCrypto;
use undertone_wire::{padding, secrets::Secret};

use crate::derive;

pub use code::{KillCode, KillSeed, KillSigner};
pub use command::{Command, Order, Refused, Scope, SealedCommand};
pub use heartbeat::Heartbeat;
pub use receipt::{Receipt, Verdict};
pub use record::Record;
pub use slot::{Generation, SLOTS, Slot};

/// Any bytes as the content of a command, a receipt and a record.
pub(crate) fn sealed_for_fuzzing(data: &[u8], slot: &Slot, reply_key: &Secret<32>) -> Vec<Vec<u8>> {
    let crypto = RustCrypto::default();
    let padded = padding::pad_payload(data, derive::NONCE + 16).unwrap_or_default();
    let command_key = slot.command_key();
    let heartbeat_key = slot.heartbeat_key();
    let record = undertone_wire::seal::seal_key_package(&slot.record_key(), data);
    [
        derive::seal(&crypto, command_key.expose(), command::LABEL, &padded).ok(),
        derive::seal(&crypto, reply_key.expose(), receipt::LABEL, &padded).ok(),
        derive::seal(&crypto, heartbeat_key.expose(), heartbeat::LABEL, &padded).ok(),
        record.ok().map(Vec::from),
    ]
    .into_iter()
    .flatten()
    .collect()
}
