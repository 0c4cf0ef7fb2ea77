//! What happens to what: the scripts that a proxy follows.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use undertone_wire::{ids::sha256, request::Request};

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It passes, and so does its response.
    Pass,
    /// It never arrives; the connection ends.
    LoseRequest,
    /// It arrives and is done; the response is lost and the connection ends.
    LoseResponse,
}

/// What becomes of a WebSocket message's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mangle {
    /// As it is.
    No,
    /// One bit is flipped.
    Flip {
        /// Which bit, modulo the message's length.
        bit: usize,
    },
    /// Cut short.
    Truncate {
        /// Bytes kept, modulo the message's length.
        keep: usize,
    },
    /// Sent twice.
    Repeat,
}

/// Decides over frames. Called in the order in which they pass.
pub trait Script: Send + Sync {
    /// A request on its way to the server; `bytes` is its encoded body.
    fn request(&self, request: &Request, bytes: &[u8]) -> Fate {
        let _ = (request, bytes);
        Fate::Pass
    }

    /// Whether an item on its way to an app, with these sealed bytes, is lost.
    fn lose_item(&self, sealed: &[u8]) -> bool {
        let _ = sealed;
        false
    }

    /// What becomes of a whole message to the server.
    fn mangle_to_server(&self, message: &[u8]) -> Mangle {
        let _ = message;
        Mangle::No
    }

    /// What becomes of a whole message to an app.
    fn mangle_to_app(&self, message: &[u8]) -> Mangle {
        let _ = message;
        Mangle::No
    }

    /// After how many bytes towards the server an HTTP (blob) connection ends; None: never.
    fn cut_blob_after(&self) -> Option<u64> {
        None
    }
}

/// Nothing is lost.
pub struct Pass;

impl Script for Pass {}

/// Every request is lost once, every response is lost once, every item is lost once; the seed decides in which order, and for
/// requests that are different at every try (signing in) which of them.
pub struct DropOnce {
    seed: u64,
    seen: Mutex<HashMap<[u8; 32], u32>>,
}

impl DropOnce {
    /// Losses for this seed.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            seen: Mutex::new(HashMap::new()),
        }
    }

    /// How often this was seen before.
    fn visits(&self, what: &[u8]) -> u32 {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let visits = seen.entry(sha256(what)).or_insert(0);
        *visits += 1;
        *visits - 1
    }

    /// A number that follows from the seed and what is looked at.
    fn draw(&self, what: &[u8], visit: u32) -> u64 {
        let digest =
            sha256(&[&self.seed.to_be_bytes()[..], &visit.to_be_bytes()[..], what].concat());
        digest
            .iter()
            .take(8)
            .fold(0, |number, byte| (number << 8) | u64::from(*byte))
    }
}

impl Script for DropOnce {
    fn request(&self, request: &Request, bytes: &[u8]) -> Fate {
        // These carry fresh randomness at every try: the kind stands for them, and only now and then one is lost again.
        let fresh_each_time = matches!(
            request,
            Request::SignIn(_) | Request::RedeemTokens(_) | Request::IssueTokens(_) | Request::Ping
        );
        let what = if fresh_each_time {
            request.name().as_bytes()
        } else {
            bytes
        };
        let visit = self.visits(what);
        let response_first = self.draw(what, 0).is_multiple_of(2);
        match visit {
            0 if response_first => Fate::LoseResponse,
            1 if response_first => Fate::LoseRequest,
            0 => Fate::LoseRequest,
            1 => Fate::LoseResponse,
            later if fresh_each_time && self.draw(what, later).is_multiple_of(16) => {
                Fate::LoseResponse
            }
            _ => Fate::Pass,
        }
    }

    fn lose_item(&self, sealed: &[u8]) -> bool {
        self.visits(sealed) == 0 && self.draw(sealed, 0).is_multiple_of(2)
    }
}
