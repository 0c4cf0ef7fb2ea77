//! From the writer to the connections: who is online, and what is fresh for them.
//!
//! The [`Hub`] knows the queues that are signed in on this node. When the store's writer has a transaction on disk it
//! hands each fresh item to the hub, which puts it into the bounded ring of the queue's [`Inbox`], if there is one,
//! and wakes it. An inbox whose ring has overflowed reads from the store until it has caught up; nothing is lost,
//! because the ring only ever holds what the store holds as well. What must stay true:
//!
//! - an item is handed over only after its transaction is on disk;
//! - an inbox gives items in order of sequence, each once, and the sealing key before the first item that needs it;
//! - a queue has at most one inbox here: a second sign-in ends the first, which is told so;
//! - a device that is locked hears a bell ([`Hearing`]) and gets nothing;
//! - what is never stored ([`hand_over`]) goes past the store and the sequences: an inbox that is not there never gets it.

mod bell_place;
mod bells;
mod ephemeral;
mod hub;
mod inbox;

pub(crate) use bells::Hearer;
pub use bells::{Heard, Hearing};
pub use ephemeral::SealedEphemeral;
pub(crate) use ephemeral::hand_over;
pub(crate) use hub::Ring;
pub use hub::{Hub, RingLimits};
pub use inbox::{Inbox, Pushed, Wake};
