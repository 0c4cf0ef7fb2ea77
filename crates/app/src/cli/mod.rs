//! The command line: what can be typed ([`args`], [`values`]), where the passphrase comes from ([`passphrase`]), and how results leave
//! ([`output`], [`progress`]). Secrets never come from arguments or the environment, where other processes of the machine
//! could read them.

pub mod args;
pub mod backup_args;
pub mod content_args;
pub mod devices;
pub mod group_args;
pub mod kill_args;
pub mod message_args;
pub mod output;
pub mod passphrase;
pub mod people_args;
pub mod progress;
pub mod protection;
pub mod transfer_args;
mod values;
