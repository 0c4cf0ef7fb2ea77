//! What the whole-system tests and the demo share: the real programs in processes of their own, the files they send,
//! and searches over what they left on disk.
//!
//! What must stay true: nothing here reaches into a program. A [`ServerProcess`] is `undertone-server` and a
//! [`Person`] is `undertone`, both run as a user runs them, so a test that passes is a thing a user can do.

mod binaries;
mod chance;
pub mod demo;
pub mod disk;
mod failed;
pub mod fault_proxy;
pub mod fixtures;
pub mod hello_proxy;
mod keyring;
pub mod linking;
mod person;
pub mod seizure;
mod server_process;
mod session;
pub mod socks_server;
mod terminal;
mod waiting;

pub use binaries::binary;
pub use chance::chance;
pub use failed::{Failed, Outcome};
pub use keyring::DesktopKeyring;
pub use person::{Person, Watching};
pub use server_process::{LogLevel, ServerOptions, ServerProcess};
pub use session::{Session, written};
pub use terminal::Terminal;
pub use waiting::{eventually, is_soak, not_tried};
