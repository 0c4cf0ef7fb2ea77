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
