//! What a method is, and how it is described.

use serde::{Serialize, de::DeserializeOwned};
use ts_rs::TS;

use super::context::Context;
use crate::failure::Failure;

/// One method: its name, its types, and what it does.
pub trait Method {
    /// As called.
    const NAME: &'static str;
    /// One or two sentences for `docs/rpc.md`.
    const ABOUT: &'static str;
    /// By-name parameters.
    type Params: Serialize + DeserializeOwned + TS + Send + 'static;
    /// The result.
    type Answer: Serialize + DeserializeOwned + TS + Send + 'static;

    /// Does it.
    fn run(
        context: &Context,
        params: Self::Params,
    ) -> impl Future<Output = Result<Self::Answer, Failure>> + Send;
}

/// A method as `docs/rpc.md` and the TypeScript types describe it.
pub struct Entry {
    /// As called.
    pub name: &'static str,
    /// What it does.
    pub about: &'static str,
    /// Visits the types of parameters and answer.
    pub visit: fn(&mut super::reference::Types) -> (String, String),
    /// The parameters, written out.
    pub params: fn() -> String,
}

/// What can't be taken back is confirmed by a word.
///
/// # Errors
/// `usage.not_confirmed`.
pub(super) fn confirmed(given: &str, word: &str) -> Result<(), Failure> {
    if given == word {
        return Ok(());
    }
    Err(Failure::new(
        "usage.not_confirmed",
        format!("This can't be taken back; `confirm` must be the word \"{word}\"."),
    ))
}
