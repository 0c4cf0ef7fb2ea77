//! The server through its real port: TLS, WebSocket, HTTP, admin socket and command line. Each file is a script of
//! what clients and the owner do, and of what the server must answer.

#![allow(clippy::unwrap_used)]

mod admin;
mod bells;
mod blobs;
mod channels;
mod cli;
mod client;
mod delivery;
mod ephemeral;
mod other_servers;
mod parcels;
mod robustness;
mod signing_in;
mod tokens;
