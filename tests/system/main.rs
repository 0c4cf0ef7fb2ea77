//! Whole-system tests: the real server, the real app, faults where they happen. One file a theme.

mod files;
mod harness;
mod sentences;
