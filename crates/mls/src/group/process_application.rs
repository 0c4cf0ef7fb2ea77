//! Receiving what is not a commit: application messages and leave proposals.

use openmls::{
    framing::errors::{MessageDecryptionError, SecretTreeError},
    prelude::{
        BasicCredential, ContentType, ProcessMessageError, ProcessedMessage,
        ProcessedMessageContent, Proposal, QueuedProposal, Sender, ValidationError,
    },
};
use openmls_sqlite_storage::Codec as _;
use undertone_wire::ids::AccountId;
use zeroize::Zeroizing;

use super::{Group, LeafFacts, Refusal};
use crate::{
    Certificate, DeviceId, Error, Kind, Provider, Result, Role, Violation, provider::Cbor, store,
};

/// An application message.
pub struct Application {
    /// The epoch it was sent in.
    pub epoch: u64,
    /// The sender's leaf in that epoch.
    pub leaf: u32,
    /// Whose device sent it, by the certificate it had then.
    pub account: AccountId,
    /// Which device.
    pub device: DeviceId,
    /// What it signed with.
    pub key: [u8; 32],
    /// Whether that device is still in the group, or was taken out since.
    pub is_member: bool,
    /// What it said.
    pub plaintext: Zeroizing<Vec<u8>>,
}

/// What became of an application item.
pub enum ApplicationOutcome {
    /// A message.
    Message(Application),
    /// The echo of one of our own. The sender is claimed, not proven: compare it with the outbox.
    Own,
    /// A member asks to leave; the next commit of anybody else takes it along. Say [`crate::Change::AcceptLeaves`] if none
    /// is due.
    LeaveProposed {
        /// Whose device.
        account: AccountId,
        /// Which.
        device: DeviceId,
    },
    /// Opened before.
    Duplicate,
    /// Its secrets are gone: too many epochs or too many messages ago.
    TooOld,
    /// Its epoch has not come yet: commits are missing.
    Ahead,
    /// Not to be believed.
    Refused(Refusal),
}

impl Group {
    /// Takes an accepted application item: `epoch` as the channel accepted it, `body` as [`Group::open`] gave it.
    ///
    /// # Errors
    /// Our own trouble only: roll back and drop the group.
    pub fn process_application(
        &mut self,
        provider: &Provider<'_>,
        epoch: u64,
        body: &[u8],
    ) -> Result<ApplicationOutcome> {
        if epoch > self.epoch() {
            return Ok(ApplicationOutcome::Ahead);
        }
        let framing = Ok(ApplicationOutcome::Refused(Refusal::anonymous(
            Violation::Framing,
        )));
        let message = self
            .private_message(body, ContentType::Application)
            .or_else(|| self.private_message(body, ContentType::Proposal));
        let Some(message) = message.filter(|message| message.epoch().as_u64() == epoch) else {
            return framing;
        };
        let processed = match self.mls.process_message(provider, message) {
            Ok(processed) => processed,
            Err(error) => return classify(error),
        };
        if matches!(
            processed.content(),
            ProcessedMessageContent::OwnPrivateMessage
        ) {
            return Ok(ApplicationOutcome::Own);
        }
        let Sender::Member(leaf) = *processed.sender() else {
            return framing;
        };
        let (leaf, certificate) = (leaf.u32(), certificate_of(&processed)?);
        match processed.into_content() {
            ProcessedMessageContent::ApplicationMessage(message) => {
                let is_member = epoch == self.epoch() || self.has_device(&certificate)?;
                Ok(ApplicationOutcome::Message(Application {
                    epoch,
                    is_member,
                    leaf,
                    account: certificate.account_id(),
                    device: certificate.device_id(),
                    key: *certificate.device_key(),
                    plaintext: Zeroizing::new(message.into_bytes()),
                }))
            }
            ProcessedMessageContent::ProposalMessage(proposal) => {
                self.take_leave(provider, &certificate, &proposal)
            }
            _ => framing,
        }
    }

    /// Whether the device of a certificate is in the group now.
    fn has_device(&self, certificate: &Certificate) -> Result<bool> {
        Ok(self.leaves()?.values().any(|facts| {
            facts.account == certificate.account_id()
                && facts.device == certificate.device_id()
                && facts.key == *certificate.device_key()
        }))
    }

    /// Keeps a leave proposal for the next commit, if it is one and its sender may.
    fn take_leave(
        &self,
        provider: &Provider<'_>,
        sender: &Certificate,
        proposal: &QueuedProposal,
    ) -> Result<ApplicationOutcome> {
        let refused = |violation| {
            Ok(ApplicationOutcome::Refused(Refusal {
                violation,
                offender: Some(sender.account_id()),
            }))
        };
        let Proposal::Remove(remove) = proposal.proposal() else {
            return refused(Violation::Proposal);
        };
        let leaves = self.leaves()?;
        let leaf = remove.removed().u32();
        let Some(target) = leaves.get(&leaf) else {
            return refused(Violation::Invalid);
        };
        if target.account != sender.account_id() {
            return refused(Violation::NotOwnLeave);
        }
        if let Err(violation) = self.may_leave(leaf, leaves.iter()) {
            return refused(violation);
        }
        self.keep_leave(provider, leaf, proposal)?;
        Ok(ApplicationOutcome::LeaveProposed {
            account: target.account,
            device: target.device,
        })
    }

    pub(super) fn keep_leave(
        &self,
        provider: &Provider<'_>,
        leaf: u32,
        proposal: &QueuedProposal,
    ) -> Result<()> {
        let bytes = Cbor::to_vec(proposal).map_err(|_| Error::Library("leave proposal"))?;
        store::write_leave(
            provider,
            &self.id,
            proposal.proposal_reference_ref().as_slice(),
            leaf,
            &bytes,
        )
    }

    /// Whether the device at `leaf` may go: not the last one of a direct conversation's account, of notes, or of a group's
    /// only owner.
    pub(super) fn may_leave<'a>(
        &self,
        leaf: u32,
        leaves: impl Iterator<Item = (&'a u32, &'a LeafFacts)> + Clone,
    ) -> std::result::Result<(), Violation> {
        let mut others = leaves
            .clone()
            .filter(|(other, _)| **other != leaf)
            .map(|(_, facts)| facts.account);
        let account = leaves
            .into_iter()
            .find(|(other, _)| **other == leaf)
            .map(|(_, facts)| facts.account);
        match self.settings.kind {
            Kind::Group if others.any(|other| self.settings.role(&other) == Role::Owner) => Ok(()),
            Kind::Group => Err(Violation::NoOwner),
            Kind::Direct | Kind::Notes if others.any(|other| Some(other) == account) => Ok(()),
            Kind::Direct | Kind::Notes => Err(Violation::FixedMembers),
        }
    }
}

/// The certificate the sender had in the epoch of the message.
fn certificate_of(processed: &ProcessedMessage) -> Result<Certificate> {
    let corrupt = || Error::Corrupt("sender");
    let credential =
        BasicCredential::try_from(processed.credential().clone()).map_err(|_| corrupt())?;
    Certificate::decode_verified_before(credential.identity()).map_err(|_| corrupt())
}

fn classify(error: ProcessMessageError<rusqlite::Error>) -> Result<ApplicationOutcome> {
    let outcome = match error {
        ProcessMessageError::StorageError(error) => return Err(Error::Storage(error)),
        ProcessMessageError::GroupStateError(_) => return Err(Error::Corrupt("group state")),
        ProcessMessageError::ValidationError(
            ValidationError::NoPastEpochData | ValidationError::WrongEpoch,
        ) => ApplicationOutcome::TooOld,
        ProcessMessageError::ValidationError(ValidationError::UnableToDecrypt(
            MessageDecryptionError::SecretTreeError(error),
        )) => match error {
            SecretTreeError::SecretReuseError => ApplicationOutcome::Duplicate,
            SecretTreeError::TooDistantInThePast => ApplicationOutcome::TooOld,
            _ => ApplicationOutcome::Refused(Refusal::anonymous(Violation::Invalid)),
        },
        _ => ApplicationOutcome::Refused(Refusal::anonymous(Violation::Invalid)),
    };
    Ok(outcome)
}
