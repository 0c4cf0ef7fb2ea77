//! From the store's errors to what a client is told.

use undertone_wire::{Code, Error};

use crate::store::StoreError;

/// Seconds after which a busy or full server may be asked again.
const RETRY_AFTER_S: u32 = 5;

/// The wire's error for a store's.
pub(super) fn refusal(error: &StoreError) -> Error {
    let code = match error {
        StoreError::UnknownQueue => Code::AuthQueueUnknown,
        StoreError::QueueTaken => Code::AuthQueueTaken,
        StoreError::InvitationRequired => Code::InvitationRequired,
        StoreError::InvitationUnknown => Code::InvitationUnknown,
        StoreError::InvitationUsed => Code::InvitationUsed,
        StoreError::InvitationExpired => Code::InvitationExpired,
        StoreError::AllowanceSpent => Code::QuotaTokens,
        StoreError::TooManyTemporary => {
            return Error::retry_after(Code::RegistrationTemporary, 3600);
        }
        StoreError::Temporary => Code::QuotaTemporary,
        StoreError::InvitationsSpent => Code::QuotaInvitations,
        StoreError::AddressTaken => Code::AddressTaken,
        StoreError::UnknownAddress => Code::AddressUnknown,
        StoreError::TooManyAddresses => Code::QuotaAddresses,
        StoreError::TooManyKeyPackages => Code::QuotaKeyPackages,
        StoreError::UnknownChannel => Code::ChannelUnknown,
        StoreError::ChannelTaken => Code::ChannelExists,
        StoreError::Epoch { epoch } => return Error::channel_epoch(*epoch),
        StoreError::Lock => Code::ChannelLock,
        StoreError::Stale {
            epoch,
            min_send_epoch,
        } => return Error::stale(*epoch, *min_send_epoch),
        StoreError::PayloadTooLarge => Code::LimitPayload,
        StoreError::UnknownBlob => Code::BlobUnknown,
        StoreError::BlobTaken => Code::BlobExists,
        StoreError::BlobOffset { .. } => Code::BlobOffset,
        StoreError::BlobTooLong => Code::BlobLength,
        StoreError::BlobIncomplete => Code::BlobIncomplete,
        StoreError::BlobNeeded => Code::BlobNeeded,
        StoreError::BlobRange => Code::BlobRange,
        StoreError::Full => return Error::retry_after(Code::StoreFull, 60),
        StoreError::Busy => return Error::retry_after(Code::LimitRate, 1),
        StoreError::Closed => return Error::retry_after(Code::ServerShuttingDown, RETRY_AFTER_S),
        error => {
            // An engine's own result code, or a variant added later; neither holds anything of a client's.
            tracing::error!(error = %error, "store");
            return Error::retry_after(Code::StoreUnavailable, RETRY_AFTER_S);
        }
    };
    Error::new(code)
}
