//! Who may register, and who may send: invitations, blind tokens and the credit they buy.
//!
//! A queue's owner is known to the server as a queue and gets a daily allowance of blind tokens; a sender is known
//! as nobody and pays with them. Because the tokens are blind (VOPRF, RFC 9497), nothing the server sees or keeps joins
//! the two. What must stay true: every outbox request costs credit; a token counts once; no time finer than a day
//! is kept.

pub mod bringers;
pub mod credit;
pub mod guests;
pub mod invitations;
pub mod rate;
pub mod token_keys;
