//! A home that is being linked to an account: what the new device does before it has one.
//!
//! One row, one transaction for each event: the code that is shown, the other device's offer, the owner's word that the six words are the
//! same, the account itself. Whatever the moment at which the power fails, the same home goes on from there. `rendezvous` carries it over a
//! temporary queue; `undertone_mls::linking` says what is safe about it.
//!
//! What must stay true: the account is taken only after the owner of this device has said that the words are the same.

mod rendezvous;
mod row;

pub(crate) use rendezvous::Rendezvous;
pub(crate) use row::{Joining, State, begin, confirm, forget, get, said_ready};
