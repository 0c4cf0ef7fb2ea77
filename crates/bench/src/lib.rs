//! Load generator and benchmarks: what Undertone costs, beside what the machine can do at all.
//!
//! Every table states a floor measured in the same run on the same disk and loopback (grouped `fdatasync`, a bare WebSocket
//! echo), because figures of a shared machine mean little alone. The server is the real binary in a process of its own,
//! over TLS, with its default durability; the generator uses the wire crate and drives it as fast as it goes, and says
//! what share of the processor it took itself.
//!
//! What must stay true: nothing here is a test. A figure never makes a build fail; it is read by people.

pub mod connection;
pub mod crowd;
pub mod floors;
mod large;
pub mod linking;
pub mod load;
pub mod local;
pub mod mls_costs;
pub mod page;
pub mod server;
pub mod stage;
pub mod stats;
pub mod table;
