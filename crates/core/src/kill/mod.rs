//! Being wiped from afar: by whoever has the kill code's twelve words, by another own device, by an organisation's custodian.
//!
//! [`section`] is what a device keeps of it beside the passphrase, in the home's sentinel; [`watch`] waits on the kill queue with nothing
//! else, so that it works in the locked state as in the open one; [`act`] judges a command and wipes. [`sender`] is the other side: it needs
//! no home and no account. The protocol is `undertone_mls::kill`'s, what an open account does for it is `sync::kill`'s.
//! Heartbeats, which put another own device's dead-man timer off, go the same way (`sync::heartbeat`).
//!
//! What must stay true:
//! - A command is obeyed only after its signature, generation, counter and end were found right by what is on this device. No clock
//!   but this device's own is asked.
//! - The wipe has begun, and is finished by the next start if need be, before the server is told that the command was taken.
//! - The kill queue is looked at before the messages are.

mod act;
mod leave;
mod line;
mod look;
pub(crate) mod section;
mod sender;
mod watch;

pub use leave::take_leave;
pub use look::look_once;
pub use sender::{KillAnswer, KillProgress, KillTarget, Sender, SendingOptions, server_address};
pub use undertone_mls::kill::{KillCode, KillSigner, SLOTS, Scope, Slot};
pub use undertone_wire::custodian::{CustodianKey, CustodianTicket};
pub use watch::{OnWiped, Watch};

pub(crate) use watch::{MainQueue, Parting, Step, Watcher};
