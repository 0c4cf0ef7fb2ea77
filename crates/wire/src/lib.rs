//! What travels between an app and a server, and the types both sides share.
//!
//! The protobuf definitions in `proto/` are the contract (docs/protocol.md explains it). Around them stand typed ids and
//! secrets, error codes, framing, padding classes, and the few cryptographic operations that both sides must do alike:
//! sealing items, HPKE, signing in, blind tokens. There is no I/O, no clock and no storage in here.
//!
//! What must stay true:
//! - Bytes from outside become typed values at the edge ([`request`], [`response`], [`strings`]) or an [`Error`]; nothing
//!   panics on them.
//! - Ids and secrets cannot be printed by accident: no `Debug` here shows a byte of one.
//! - Stored and sent formats change only by adding; the snapshot tests say when one has changed.

pub mod auth;
pub mod codes;
pub mod custodian;
pub mod error;
pub mod forward;
pub mod frame;
#[doc(hidden)]
pub mod fuzzing;
pub mod hpke;
pub mod ids;
pub mod limits;
pub mod origin;
pub mod padding;
pub mod request;
pub mod response;
pub mod seal;
pub mod secrets;
pub mod strings;
pub mod tls;
pub mod tokens;

pub use codes::{Class, Code};
pub use error::{Error, Result};

/// Frames between an app and a server: `proto/undertone.proto`.
#[allow(clippy::all, missing_docs)]
pub mod proto {
    include!(concat!(env!("OUT_DIR"), "/undertone.v1.rs"));
    include!(concat!(env!("OUT_DIR"), "/undertone.v1.debug.rs"));
}

/// What apps say to each other through a server: `proto/client.proto`.
#[allow(clippy::all, missing_docs)]
pub mod client_proto {
    include!(concat!(env!("OUT_DIR"), "/undertone.client.v1.rs"));
    include!(concat!(env!("OUT_DIR"), "/undertone.client.v1.debug.rs"));
}
