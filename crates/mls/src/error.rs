//! What can go wrong. No variant carries a name, a text, an id or a key, so that an error may go to a log.
//!
//! [`Error`] is for the caller's own acts and its own store. What others send and must not be believed is a
//! [`Violation`] inside an outcome, not an `Err`: it is expected, and the transaction goes on.

/// This crate's result.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a call did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store failed. Roll back and drop every [`crate::Group`] that was used in the transaction.
    #[error("the local store failed")]
    Storage(#[from] rusqlite::Error),
    /// The store's tables could not be made or brought up to date.
    #[error("the local store could not be brought up to date")]
    Migration,
    /// What the store holds cannot be read back. Roll back; the conversation needs a resync.
    #[error("stored conversation state cannot be read ({0})")]
    Corrupt(&'static str),
    /// OpenMLS refused an act of our own.
    #[error("the MLS library refused ({0})")]
    Library(&'static str),
    /// Bytes from outside that do not decode.
    #[error("malformed {0}")]
    Malformed(&'static str),
    /// A rule of the conversation forbids it.
    #[error("not allowed: {0}")]
    Refused(#[from] Violation),
    /// A commit of ours is waiting for its echo; only one at a time.
    #[error("a change to this conversation is still on its way")]
    CommitPending,
    /// A Welcome that none of our key packages opens.
    #[error("an invitation to a conversation was made for a key package that is not here")]
    UnknownKeyPackage,
    /// A Welcome for a conversation that is here already and did not ask for a resync.
    #[error("an invitation to a conversation that is here already")]
    GroupExists,
    /// The words are not a recovery phrase.
    #[error("these are not the 12 words of a recovery phrase")]
    RecoveryPhrase,
    /// A sealed request that is not for us, or was tampered with.
    #[error("a sealed request does not open")]
    Sealed,
    /// There is no such member, or nothing to change.
    #[error("nothing to do ({0})")]
    NothingToDo(&'static str),
    /// A name or another text is over its limit.
    #[error("{0} is too long")]
    TooLong(&'static str),
}

impl Error {
    /// A stable name for logs and callers.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Storage(_) => "mls.storage",
            Self::Migration => "mls.migration",
            Self::Corrupt(_) => "mls.corrupt",
            Self::Library(_) => "mls.library",
            Self::Malformed(_) => "mls.malformed",
            Self::Refused(violation) => violation.code(),
            Self::CommitPending => "mls.commit_pending",
            Self::UnknownKeyPackage => "mls.unknown_key_package",
            Self::GroupExists => "mls.group_exists",
            Self::RecoveryPhrase => "mls.recovery_phrase",
            Self::Sealed => "mls.sealed",
            Self::NothingToDo(_) => "mls.nothing_to_do",
            Self::TooLong(_) => "mls.too_long",
        }
    }
}

impl From<undertone_wire::Error> for Error {
    fn from(_: undertone_wire::Error) -> Self {
        Self::Malformed("field")
    }
}

impl From<prost::DecodeError> for Error {
    fn from(_: prost::DecodeError) -> Self {
        Self::Malformed("message")
    }
}

macro_rules! violations {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $sentence:literal;)*) => {
        /// A rule that something received, or about to be sent, breaks.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
        pub enum Violation {
            $($(#[$doc])* #[error($sentence)] $name,)*
        }

        impl Violation {
            /// Every one, for tables and tests.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// A stable name for logs and callers.
            pub const fn code(&self) -> &'static str {
                match self {
                    $(Self::$name => $code,)*
                }
            }
        }
    };
}

violations! {
    /// The envelope or what is inside it does not decode.
    Envelope = "mls.envelope", "the envelope does not decode";
    /// The sender's signature on a commit envelope does not verify.
    EnvelopeSignature = "mls.envelope_signature", "the sender's signature does not verify";
    /// The message inside is not what the item says it is, or not from its sender.
    Framing = "mls.framing", "the message inside is not what the envelope says";
    /// OpenMLS refuses the message or the commit, for reasons that all members see.
    Invalid = "mls.invalid", "the message is not valid MLS";
    /// The secrets of a commit's path do not open for us, or its confirmation does not match.
    PathSecrets = "mls.path_secrets", "the commit's secrets do not open here";
    /// The commit names a proposal that is not here.
    MissingProposal = "mls.missing_proposal", "the commit names a proposal that is not here";
    /// A commit of this very device that this device does not remember: it has lost state.
    OwnUnknown = "mls.own_unknown", "a commit of this device that it does not remember";
    /// A certificate does not decode, verify, or match its leaf.
    Certificate = "mls.certificate", "a device's certificate is not valid";
    /// A leaf carries a device-signing key generation below the highest seen of its account.
    Generation = "mls.generation", "a device's certificate is of a withdrawn generation";
    /// A leaf's `undertone_leaf` extension or capabilities are not as they must be.
    Leaf = "mls.leaf", "a device's leaf is not as it must be";
    /// The `undertone_group` extension is not as it must be.
    Settings = "mls.settings", "the conversation's settings are not as they must be";
    /// An update changes account, device or key.
    Identity = "mls.identity", "an update changes whose device it is";
    /// A device stands in the group twice, or its key under another name.
    Duplicate = "mls.duplicate", "a device would stand in the conversation twice";
    /// More devices of one account, or in all, than a conversation may have.
    TooMany = "mls.too_many", "the account or the conversation would have too many devices";
    /// A key that nothing can be encrypted to, or that stands in the group already.
    EncryptionKey = "mls.encryption_key", "a key that cannot be encrypted to, or is in use already";
    /// A kind of proposal that Undertone never uses.
    Proposal = "mls.proposal", "a kind of change that is never used";
    /// The sender's role does not allow the addition.
    MayNotAdd = "mls.may_not_add", "this role may not add members here";
    /// The sender's role does not allow the removal.
    MayNotRemove = "mls.may_not_remove", "this role may not remove that member";
    /// The sender's role does not allow the change of settings.
    MayNotChange = "mls.may_not_change", "this role may not change that here";
    /// A direct conversation is between its two accounts, notes are one account's.
    FixedMembers = "mls.fixed_members", "the members of this conversation cannot change";
    /// A group with members but no owner.
    NoOwner = "mls.no_owner", "a group needs an owner: hand it over first";
    /// A leave proposal for somebody else.
    NotOwnLeave = "mls.not_own_leave", "somebody else's leaving was proposed";
    /// A resync request that is stale, repeated, too frequent, or not from a member.
    ResyncRequest = "mls.resync_request", "the request to come back is not acceptable";
    /// The payload was put in a blob that cannot be fetched.
    BlobMissing = "mls.blob_missing", "the payload's blob is missing";
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn codes_are_distinct() {
        let codes: BTreeSet<_> = Violation::ALL.iter().map(Violation::code).collect();
        assert_eq!(codes.len(), Violation::ALL.len());
    }
}
