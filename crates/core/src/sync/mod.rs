//! The protocol's logic without sockets and clocks: what one event does to the store.
//!
//! Every file holds one subject, as functions of ([`Work`], event) that read and change rows and leave behind what is to be done
//! next ([`duty`]). A message's way down is `message` -> `outbox` -> (driver) and up `inbox` -> `application` -> `message`.
//!
//! What must stay true:
//! - One event is one transaction: MLS state, messages, outbox and the inbox position change together or not at all.
//! - Authority comes from the MLS state of the epoch in hand, never from the cached tables.
//! - A commit is merged only when its accepted copy is seen in one's own queue.
//! - Time and randomness come in through [`Work`].

pub(crate) mod absent;
pub(crate) mod account;
pub(crate) mod act;
pub(crate) mod action;
pub(crate) mod add;
pub(crate) mod address;
pub(crate) mod again;
pub(crate) mod alarm;
pub(crate) mod announcement;
pub(crate) mod application;
pub(crate) mod automatic;
pub(crate) mod card;
pub(crate) mod change;
pub(crate) mod changes;
pub(crate) mod channel;
pub(crate) mod clock;
pub(crate) mod commit;
pub(crate) mod contact;
pub(crate) mod conversation;
pub(crate) mod departures;
pub(crate) mod devices;
pub(crate) mod downloads;
pub(crate) mod duty;
pub(crate) mod early;
pub(crate) mod early_welcome;
pub(crate) mod elsewhere;
pub(crate) mod ending;
pub(crate) mod engine;
pub(crate) mod erase;
pub(crate) mod fetch;
pub(crate) mod files;
pub(crate) mod gaps;
pub(crate) mod halt;
pub(crate) mod heard;
pub(crate) mod heartbeat;
pub(crate) mod held;
pub(crate) mod history;
pub(crate) mod ignored;
pub(crate) mod inbox;
pub(crate) mod intent;
pub(crate) mod invite;
pub(crate) mod invite_told;
pub(crate) mod join;
pub(crate) mod keys;
pub(crate) mod kill;
pub(crate) mod link;
pub(crate) mod linking;
pub(crate) mod message;
pub(crate) mod notes;
pub(crate) mod other_account;
pub(crate) mod outbox;
pub(crate) mod parting;
mod plan;
pub(crate) mod policy;
pub(crate) mod pool;
pub(crate) mod profile;
pub(crate) mod proof;
pub(crate) mod reach;
pub(crate) mod receipt;
pub(crate) mod request;
#[cfg(debug_assertions)]
pub(crate) mod rest;
pub(crate) mod resync;
pub(crate) mod rotation;
pub(crate) mod send;
pub(crate) mod settings;
pub(crate) mod shared;
pub(crate) mod shared_apply;
pub(crate) mod siblings;
pub(crate) mod spare;
pub(crate) mod take;
pub(crate) mod timer;
pub(crate) mod tokens;
pub(crate) mod typing;
pub(crate) mod unkept_phrase;
pub(crate) mod uploads;
pub(crate) mod welcome;
pub(crate) mod work;

pub(crate) use engine::Engine;
pub(crate) use work::Work;
