//! Conversations as scripts: every device with its own database, one server that orders channels and knows nothing.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod addresses;
mod cheat;
mod conversations;
mod foreign;
mod frozen;
mod hostile;
mod interop;
mod keys;
mod numbers;
mod policy;
mod races;
mod restored;
mod resync;
mod robustness;
mod scale;
mod server;
pub(super) mod town;
