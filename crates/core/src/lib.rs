//! The Undertone client: everything between the user interface and the server.
//!
//! A message leaves by `outbox` (a row, then MLS ciphertext, then a frame) and arrives by `inbox`; both
//! stand on `store`, where every event is one transaction. What must stay true: protocol logic takes
//! time, randomness, transport and storage from outside; nothing decrypted is written to disk; keys live
//! in zeroizing types and are never printed.

pub mod media;
pub mod store;
