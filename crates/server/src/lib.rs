//! The Undertone server: relays sealed messages between devices, and knows nothing worth taking.
//!
//! A request's way: `gateway` (TLS, HTTP, WebSocket) checks and converts it, `admission` says whether it may be made,
//! `store` puts it on disk in groups, `delivery` wakes whoever it is for. [`server`] ties them together and owns every task;
//! `admin` and `cli` are for the person who runs it. The crate is a library so that tests and benchmarks can
//! start a server in their own process; the program is `main.rs`.
//!
//! What must stay true, everywhere in here:
//! - No IP address, user agent, identifier or exact time of a client is written anywhere, logs included.
//! - A send is answered after it is on disk.
//! - Nothing at rest joins a sender to a receiver, or two queues to each other.

pub mod admin;
pub mod admission;
pub mod announcements;
pub mod archive;
pub mod cli;
pub mod config;
pub mod delivery;
pub mod error;
pub mod folder;
pub mod forward;
pub mod gateway;
pub mod identity;
pub mod logs;
pub mod metrics;
pub mod server;
pub mod store;

pub use config::Config;
pub use error::ServerError;
pub use server::Server;
