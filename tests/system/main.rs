//! Whole-system tests: the real server, the real app, faults where they happen. One file a theme.

mod attachments;
mod backup;
mod command_line;
mod conversation;
mod deletion;
mod delivery;
mod disks;
mod docs;
mod harness;
mod home;
mod hostile_input;
mod hostile_member;
mod identity;
mod insider;
mod install;
mod membership;
mod order;
mod proxy;
mod races;
mod raw;
mod residents;
mod rpc;
mod seizure;
mod sentences;
mod tokens;
mod web_host;
