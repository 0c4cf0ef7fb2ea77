//! What a method is, and how it is described.

use std::time::Duration;

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
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

const LONGEST_WAIT_MS: u64 = 600_000;

/// How long a caller wants to wait, at most ten minutes.
pub(super) fn wait(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds.min(LONGEST_WAIT_MS))
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

/// Reads the parameters, does it, writes the answer.
pub(super) async fn call<M: Method>(context: &Context, params: Value) -> Result<Value, Failure> {
    let given = if params.is_null() {
        Value::Object(serde_json::Map::new())
    } else {
        params
    };
    // serde's message names fields and types, and may quote a short value that the caller sent in this very request.
    let params = serde_json::from_value(given).map_err(|error| {
        Failure::new("rpc.invalid_params", format!("Wrong parameters: {error}."))
    })?;
    let answer = M::run(context, params).await?;
    serde_json::to_value(answer)
        .map_err(|_| Failure::new("rpc.internal", "The answer could not be written as JSON."))
}

/// The table of methods becomes types, a dispatcher and a catalogue.
macro_rules! methods {
    ($( #[doc = $about:literal] $method:ident = $name:literal ($params:ty) -> $answer:ty, |$context:ident, $given:pat_param| $body:expr; )*) => {
        $(
            #[doc = $about]
            pub struct $method;

            impl Method for $method {
                const NAME: &'static str = $name;
                const ABOUT: &'static str = $about;
                type Params = $params;
                type Answer = $answer;

                async fn run($context: &Context, $given: $params) -> Result<$answer, Failure> {
                    Ok($body)
                }
            }
        )*

        /// Calls a method by name.
        ///
        /// # Errors
        /// `rpc.unknown_method`, `rpc.invalid_params`, or what the method says.
        pub async fn dispatch(context: &Context, method: &str, params: Value) -> Result<Value, Failure> {
            match method {
                $( $name => call::<$method>(context, params).await, )*
                _ => Err(Failure::new("rpc.unknown_method", "There is no such method.")),
            }
        }

        /// All methods, in the table's order.
        #[must_use]
        pub fn catalogue() -> Vec<Entry> {
            vec![ $( Entry { name: $name, about: $about.trim_ascii(), visit: |types| (types.add::<$params>(), types.add::<$answer>()), params: super::reference::written_out::<$params> }, )* ]
        }
    };
}
pub(super) use methods;
