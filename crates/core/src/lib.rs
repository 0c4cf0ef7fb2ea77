//! The Undertone client: everything between the user interface and the server.
//!
//! A message leaves by `outbox` (a row, then MLS ciphertext, then a frame) and arrives by `inbox`; both
//! stand on `store`, where every event is one transaction. What must stay true: protocol logic takes
//! time, randomness, transport and storage from outside; nothing decrypted is written to disk; keys live
//! in zeroizing types and are never printed.

pub mod attachments;
mod backup;
pub mod bell;
pub mod client;
mod driver;
pub mod error;
pub mod home;
pub mod ids;
mod joining;
pub mod kill;
pub mod media;
pub mod net;
mod query;
pub mod rich_text;
pub mod store;
mod sync;
pub mod transport;
pub mod view;

pub use client::{
    Arriving, Client, ClientOptions, Clock, DecoyAccount, DuressSet, Ending, EventStream, Film,
    KillWords, LinkServer, Linking, NewDuress, ProfileChange, Protection, ProtectionChange,
    ProxyChoice, Recording, RecoveryPhrase, SendingPace, ServerChoice, SocksProxy, SystemClock,
    TakenFile, Wiped,
};
pub use error::{Error, ErrorClass, Problem, Reason, Result};
pub use ids::{AnnouncementId, ChatId, ContactId, DeviceId, InviteId, LinkId, MessageId, ReportId};
pub use transport::Transport;
pub use view::*;
