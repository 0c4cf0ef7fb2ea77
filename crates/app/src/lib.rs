//! The Undertone app: command line, JSON-RPC, and the host of the user interface in the browser.
//!
//! [`cli`] says what can be typed, [`commands`] do it through [`session`], which is either the home itself or the process
//! that has it open; both are spoken to by the same [`rpc`] methods, so that there is one way in. [`web`] serves the user
//! interface on loopback. [`terminal`] draws. What
//! must stay true: text from other people reaches the terminal only sanitized; secrets never come from arguments or the
//! environment; and a failure is one sentence, one stable code and one exit code wherever it is seen.

pub mod cli;
pub mod commands;
pub mod export;
pub mod failure;
pub mod guard;
pub mod rpc;
pub mod session;
pub mod terminal;
pub mod web;
