//! What happens to what: the scripts that a proxy follows.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, PoisonError},
};

use undertone_wire::{
    Code,
    ids::sha256,
    request::{Request, Role},
    response::ServerHello,
};

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

/// A blob request, as far as it tells it from others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpRequest {
    /// Method, path and version.
    pub line: String,
    /// Which part of the blob it is about: its `Range` or `Upload-Offset`; else empty.
    pub place: String,
}

/// Decides over frames. Called in the order in which they pass.
pub trait Script: Send + Sync {
    /// What the server says of itself on a new connection, to be changed at will.
    ///
    /// # Errors
    /// A code that is said in its place; the connection ends.
    fn hello(&self, role: Role, hello: &mut ServerHello) -> Result<(), Code> {
        let _ = (role, hello);
        Ok(())
    }

    /// A request on its way to the server: whose home it comes from, as far as that is known, and its encoded body.
    fn request(&self, home: &str, request: &Request, bytes: &[u8]) -> Fate {
        let _ = (home, request, bytes);
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

    /// A blob request.
    fn http(&self, request: &HttpRequest) -> Fate {
        let _ = request;
        Fate::Pass
    }
}

/// Nothing is lost.
pub struct Pass;

impl Script for Pass {}

/// Every request is lost once, its response is lost once, and every item is lost once; the seed decides which comes first. Requests
/// that are different at every try (signing in, tokens) are lost by kind, once for each home that the proxy serves, and now
/// and then again.
pub struct DropOnce {
    seed: u64,
    seen: Mutex<HashMap<[u8; 32], u32>>,
    kinds: Mutex<BTreeMap<(&'static str, String), u32>>,
}

impl DropOnce {
    /// Losses for this seed.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            seen: Mutex::new(HashMap::new()),
            kinds: Mutex::new(BTreeMap::new()),
        }
    }

    /// How many different requests and items passed, and how many of them were lost as often as they are to be: a run that is
    /// over has lost all of them.
    pub fn lost_of(&self) -> (usize, usize) {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        (
            seen.values().filter(|visits| **visits >= 2).count(),
            seen.len(),
        )
    }

    /// How often each home asked for something of this kind, which is another at every try. From two times on, one of them was lost on
    /// its way there and one on its way back.
    pub fn seen_of(&self, kind: &str) -> BTreeMap<String, u32> {
        let kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        let of_kind = kinds.iter().filter(|((name, _), _)| *name == kind);
        of_kind
            .map(|((_, home), times)| (home.clone(), *times))
            .collect()
    }

    fn fate_by_kind(&self, kind: &'static str, home: &str) -> Fate {
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        *kinds.entry((kind, home.to_owned())).or_insert(0) += 1;
        drop(kinds);
        self.fate(format!("{kind} {home}").as_bytes(), true)
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

    fn fate(&self, what: &[u8], fresh_each_time: bool) -> Fate {
        let visit = self.visits(what);
        let response_first = self.draw(what, 0).is_multiple_of(2);
        match visit {
            0 if response_first => Fate::LoseResponse,
            1 if response_first => Fate::LoseRequest,
            0 => Fate::LoseRequest,
            1 => Fate::LoseResponse,
            later if fresh_each_time => match self.draw(what, later) % 16 {
                0 => Fate::LoseResponse,
                1 => Fate::LoseRequest,
                _ => Fate::Pass,
            },
            _ => Fate::Pass,
        }
    }
}

impl Script for DropOnce {
    fn request(&self, home: &str, request: &Request, bytes: &[u8]) -> Fate {
        match request {
            // The queue tells whose it is; the signature is another at every try.
            Request::SignIn(sign_in) => self.fate(sign_in.queue_id.as_bytes(), true),
            Request::RegisterQueue(register) => self.fate(
                &[b"register", &register.queue_id.as_bytes()[..]].concat(),
                false,
            ),
            Request::RedeemTokens(_) | Request::IssueTokens(_) | Request::Ping => {
                self.fate_by_kind(request.name(), home)
            }
            _ => self.fate(bytes, false),
        }
    }

    fn lose_item(&self, sealed: &[u8]) -> bool {
        self.visits(sealed) == 0
    }

    fn http(&self, request: &HttpRequest) -> Fate {
        self.fate(
            format!("{} {}", request.line, request.place).as_bytes(),
            false,
        )
    }
}
