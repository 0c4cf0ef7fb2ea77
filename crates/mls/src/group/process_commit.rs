//! Receiving a commit. Three ends are told apart, because the conversation goes on differently after each:
//!
//! - what all members see alike is wrong (envelope, framing, signature, rules): all ignore it and stay at epoch n;
//! - what only some see is wrong (secrets of the path, confirmation): those who see it come back by a resync;
//! - the commit is right: all move to n+1, and if the channel was given a wrong lock for it, to a fallback channel.
//!
//! One case falls between: a commit that breaks a rule *and* whose path does not open for some. Those few cannot read its
//! proposals, take it for the second kind and ask for a resync, while the others take it for the first.

use openmls::prelude::{
    ApplyUpdatePathError, ContentType, LeafNodeIndex, MlsMessageBodyIn, MlsMessageIn,
    ProcessMessageError, ProcessedMessageContent, ProtocolMessage, Sender, StageCommitError,
    StagedCommit, tls_codec::Deserialize as _,
};
use openmls_traits::OpenMlsProvider as _;
use prost::Message as _;
use undertone_wire::{
    client_proto::CommitEnvelope,
    ids::{AccountId, sha256},
};

use super::{
    Group, LeafFacts, Merged,
    authorize::{Before, authorize},
    merge::Source,
    stage::signed_commit,
};
use crate::{Error, Provider, Result, Violation, account::verify, store};

/// What became of a commit.
pub enum CommitOutcome {
    /// It is part of the conversation.
    Merged(Box<Merged>),
    /// It removed this device, and did not add it again. All state of the conversation is gone.
    Removed {
        /// By whose device.
        by: AccountId,
    },
    /// All members see alike that it is wrong: go on at this epoch on the next fallback channel. A commit of our own that
    /// was pending is still pending, and still good there.
    Refused(Refusal),
    /// It may be right for others: ask for a resync.
    Resync(Refusal),
    /// Of an epoch that is past: seen before, or lost the race.
    Stale,
    /// Of an epoch that has not come: commits are missing.
    Ahead,
}

/// Why something was not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The rule it breaks.
    pub violation: Violation,
    /// Who did it, where that is proven by a signature: shown to admins.
    pub offender: Option<AccountId>,
}

impl Refusal {
    pub(super) fn anonymous(violation: Violation) -> Self {
        Self {
            violation,
            offender: None,
        }
    }

    fn by(violation: Violation, facts: &LeafFacts) -> Self {
        Self {
            violation,
            offender: Some(facts.account),
        }
    }
}

enum Staged {
    Commit(Box<StagedCommit>),
    Refused(Violation),
    Resync(Violation),
}

impl Group {
    /// Takes an accepted commit item: `epoch` and `next_lock` as the channel accepted them, `body` as
    /// [`Group::open`] (or the blob) gave it.
    ///
    /// # Errors
    /// Our own trouble only: roll back and drop the group. A wrong commit is an outcome.
    pub fn process_commit(
        &mut self,
        provider: &Provider<'_>,
        epoch: u64,
        next_lock: &[u8],
        body: &[u8],
    ) -> Result<CommitOutcome> {
        if epoch < self.epoch() {
            return Ok(CommitOutcome::Stale);
        }
        if epoch > self.epoch() {
            return Ok(CommitOutcome::Ahead);
        }
        let refused = |refusal| Ok(CommitOutcome::Refused(refusal));
        let (Ok(next_lock), Ok(envelope)) = (
            <&[u8; 32]>::try_from(next_lock),
            CommitEnvelope::decode(body),
        ) else {
            return refused(Refusal::anonymous(Violation::Envelope));
        };
        let Some(node) = self
            .mls
            .public_group()
            .leaf(LeafNodeIndex::new(envelope.sender_leaf))
        else {
            return refused(Refusal::anonymous(Violation::EnvelopeSignature));
        };
        let committer = LeafFacts::read(node)?;
        let commit_hash = sha256(&envelope.commit);
        let signed = signed_commit(&self.id, epoch, &commit_hash, next_lock);
        let genuine = <&[u8; 64]>::try_from(&envelope.signature[..])
            .is_ok_and(|signature| verify(&committer.key, &signed, signature));
        if !genuine {
            return refused(Refusal::anonymous(Violation::EnvelopeSignature));
        }

        let leaves = self.leaves()?;
        if envelope.sender_leaf == self.own_leaf() {
            let ours = self
                .pending_record(provider)?
                .is_some_and(|record| record.epoch == epoch && record.commit_hash == commit_hash);
            let Some(staged) = self.mls.pending_commit().filter(|_| ours) else {
                return Ok(CommitOutcome::Resync(Refusal::anonymous(
                    Violation::OwnUnknown,
                )));
            };
            let effect = authorize(&before_of(&leaves, self), envelope.sender_leaf, staged)?;
            let merged = self.merge(provider, Source::Own, effect, leaves, next_lock)?;
            return Ok(CommitOutcome::Merged(Box::new(merged)));
        }

        let staged = match self.stage_received(provider, &envelope)? {
            Staged::Commit(staged) => staged,
            Staged::Refused(violation) => return refused(Refusal::by(violation, &committer)),
            Staged::Resync(violation) => {
                return Ok(CommitOutcome::Resync(Refusal::by(violation, &committer)));
            }
        };
        let effect = match authorize(&before_of(&leaves, self), envelope.sender_leaf, &staged) {
            Ok(effect) => effect,
            Err(violation) => return refused(Refusal::by(violation, &committer)),
        };
        match self.judge_keys_after(provider, &staged) {
            Ok(()) => {}
            Err(Error::Refused(violation)) => return refused(Refusal::by(violation, &committer)),
            Err(error) => return Err(error),
        }
        if staged.self_removed() {
            // Whoever removes this device and adds it again in one commit says that it asked for that, and the request is not in the
            // commit. Nothing is given up for it: either a Welcome for this device's own request follows, or it asks now.
            let own = leaves.get(&self.own_leaf());
            if own.is_some_and(|own| effect.added.iter().any(|added| added.same_device(own))) {
                return Ok(CommitOutcome::Resync(Refusal::by(
                    Violation::ResyncRequest,
                    &committer,
                )));
            }
            Self::forget_loaded(self, provider)?;
            return Ok(CommitOutcome::Removed {
                by: committer.account,
            });
        }
        let merged = self.merge(provider, Source::Other(staged), effect, leaves, next_lock)?;
        Ok(CommitOutcome::Merged(Box::new(merged)))
    }

    /// What to do about an accepted commit whose envelope or blob does not even give a body: all see that alike.
    pub fn refused(violation: Violation) -> CommitOutcome {
        CommitOutcome::Refused(Refusal::anonymous(violation))
    }

    fn stage_received(
        &mut self,
        provider: &Provider<'_>,
        envelope: &CommitEnvelope,
    ) -> Result<Staged> {
        let Some(message) = self.private_message(&envelope.commit, ContentType::Commit) else {
            return Ok(Staged::Refused(Violation::Framing));
        };
        if message.epoch() != self.mls.epoch() {
            return Ok(Staged::Refused(Violation::Framing));
        }
        self.queue_leaves(provider)?;
        let processed = self.mls.process_message(provider, message);
        self.mls.clear_pending_proposals(provider.storage())?;
        let processed = match processed {
            Ok(processed) => processed,
            Err(error) => return classify(error),
        };
        if *processed.sender() != Sender::Member(LeafNodeIndex::new(envelope.sender_leaf)) {
            return Ok(Staged::Refused(Violation::Framing));
        }
        match processed.into_content() {
            ProcessedMessageContent::StagedCommitMessage(staged) => Ok(Staged::Commit(staged)),
            _ => Ok(Staged::Refused(Violation::Framing)),
        }
    }

    /// An MLSMessage that is a PrivateMessage of this group with this content; anything else is `None`.
    pub(super) fn private_message(
        &self,
        bytes: &[u8],
        content: ContentType,
    ) -> Option<ProtocolMessage> {
        let message = MlsMessageIn::tls_deserialize_exact(bytes).ok()?;
        let MlsMessageBodyIn::PrivateMessage(message) = message.extract() else {
            return None;
        };
        let message = ProtocolMessage::from(message);
        (message.group_id() == self.mls.group_id() && message.content_type() == content)
            .then_some(message)
    }

    fn forget_loaded(&mut self, provider: &Provider<'_>) -> Result<()> {
        self.mls.delete(provider.storage())?;
        store::delete_conversation(provider, &self.id)
    }
}

pub(super) fn before_of<'a>(
    leaves: &'a std::collections::BTreeMap<u32, LeafFacts>,
    group: &'a Group,
) -> Before<'a> {
    Before {
        group: &group.id,
        leaves,
        settings: &group.settings,
    }
}

/// Who else sees this failure?
fn classify(error: ProcessMessageError<rusqlite::Error>) -> Result<Staged> {
    let staged = match error {
        ProcessMessageError::StorageError(error) => return Err(Error::Storage(error)),
        ProcessMessageError::GroupStateError(_) => return Err(Error::Corrupt("group state")),
        // What OpenMLS calls a library error can also come from a hostile commit, so it must not stop the inbox.
        ProcessMessageError::LibraryError(_) => Staged::Resync(Violation::PathSecrets),
        ProcessMessageError::InvalidCommit(error) => classify_commit(&error),
        _ => Staged::Refused(Violation::Invalid),
    };
    Ok(staged)
}

fn classify_commit(error: &StageCommitError) -> Staged {
    match error {
        StageCommitError::LibraryError(_)
        | StageCommitError::ConfirmationTagMismatch
        | StageCommitError::OwnKeyNotFound
        | StageCommitError::MissingDecryptionKey
        | StageCommitError::UpdatePathError(
            ApplyUpdatePathError::LibraryError(_)
            | ApplyUpdatePathError::PathMismatch
            | ApplyUpdatePathError::UnableToDecrypt
            | ApplyUpdatePathError::MissingCiphertext
            | ApplyUpdatePathError::MissingOwnLeaf,
        ) => Staged::Resync(Violation::PathSecrets),
        // The channel brought every member the same proposals before this commit. Whoever lost one knows that something is
        // missing; if it were always taken for a reason to resync, one made-up reference would stop the whole group.
        StageCommitError::MissingProposal => Staged::Refused(Violation::MissingProposal),
        StageCommitError::OwnCommitMismatch => Staged::Resync(Violation::OwnUnknown),
        _ => Staged::Refused(Violation::Invalid),
    }
}
