//! What the whole-system tests and the demo share: real processes, the files they send, and searches over what
//! they left on disk.

pub mod fixtures;
