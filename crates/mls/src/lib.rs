//! Accounts, devices and conversations, as MLS groups (RFC 9420) on OpenMLS.
//!
//! Everything that decides who may read and who may change a conversation lives here: the certificate chain from a
//! recovery phrase to a device's leaf, key packages, commits and their envelopes, addresses, roles, and what to do with a
//! commit that is wrong. There is no socket and no clock: the time comes in as an argument, and all state lives in the
//! caller's rusqlite transaction, so that MLS state, messages and the position in the inbox change together or not at all.
//!
//! What must stay true:
//! - A commit is staged, stored, sent, and merged only when the accepted item comes back ([`Group::process_commit`]).
//! - Every receive path authorises against the MLS state of the epoch that is being processed, never against a cache.
//! - What all members see alike is told apart from what only some see ([`CommitOutcome`]): the first is ignored by all, the
//!   second leads to a resync.
//! - A [`Group`] in memory is as good as the transaction it was used in: after a rollback it is dropped and loaded again.

pub mod account;
pub mod bench_support;
mod derive;
mod error;
mod extension;
pub mod fuzzing;
mod group;
mod ids;
mod key_package;
pub mod kill;
pub mod linking;
mod provider;
mod store;

pub use account::{
    AccountRoot, BackupKey, Certificate, DeviceKeys, DeviceSigningKey, RecoveryPhrase, backup_pair,
    safety_number,
};
pub use error::{Error, Result, Violation};
pub use extension::{Act, Kind, LeafProfile, Policy, ResyncAddress, Role, Settings};
pub use group::{
    Application, ApplicationOutcome, Body, Change, ChannelPosition, CommitOutcome, DEVICES,
    DEVICES_OF_ACCOUNT, EnvelopeKind, Group, HandedOn, INLINE_MAX, Joined, KeysInUse, Member,
    Merged, NewGroup, OpenError, Opened, Outgoing, PendingCommit, PendingWelcome, Refusal, Rename,
    SettingsChange, VerifiedResync, commit_inline_max, invite, resync, update_jitter_ms,
};
pub use ids::{DeviceId, GroupId};
pub use key_package::{
    NewKeyPackage, PeerKeyPackage, create_key_package, delete_key_package, open_key_package,
    seal_key_package,
};
pub use provider::{Provider, migrate};
pub use undertone_wire::ids::{AccountId, ChannelId, Pin};
pub use undertone_wire::secrets::{AddressSecret, ChannelKey, KpKey, LinkSecret};
