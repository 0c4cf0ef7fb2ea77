//! The client's network code against small servers in the same process: whom it trusts, what it sends, what it refuses.

#![allow(clippy::unwrap_used)]

mod blobs;
mod damage;
mod proxy;
mod requests;
mod server;
mod trust;
