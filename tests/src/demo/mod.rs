//! The demo: Ada, Ben and Cleo talk through a server of their own, and then somebody takes its disk.
//!
//! What must stay true: everything is done by the real programs as a person would do it, with real passphrases; what is shown of
//! a chat is what the app prints.

mod script;
mod stage;

pub use script::play;
pub use stage::Stage;
