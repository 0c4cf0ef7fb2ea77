//! JSON-RPC 2.0: the one way in, for scripts, bots, the command line and the user interface.
//!
//! [`message`] reads and writes single messages, [`methods`] is the table of what can be called, [`serve`] answers one
//! connection over any pair of streams, [`owner`] serves a home's socket, [`connection`] is the other end, [`reference`]
//! writes the TypeScript types and the method list of `docs/rpc.md` from the same table. What must stay true: there is one
//! table; a method exists for all callers or for none; and what comes in is hostile until parsed, so every message has a
//! size limit, every connection a limit of requests at work, and no input ends the process.

pub mod answers;
pub mod connection;
mod context;
pub mod line;
pub mod message;
mod method;
pub mod methods;
pub mod owner;
pub mod params;
pub mod profile_params;
pub mod protection_params;
pub mod reference;
pub mod serve;

/// Version of this interface. It grows only when something that was there changes or goes.
pub const RPC_VERSION: u32 = 1;

/// Longest message either way, in bytes without the line break.
pub const MAX_MESSAGE: usize = 4 * 1024 * 1024;
