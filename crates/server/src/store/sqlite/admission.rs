//! Invitations, spent tokens, and the server's own records.

use rusqlite::{OptionalExtension, params};

use super::writer::{Failure, Writer};
use super::{loaded, stored};
use crate::store::{Day, Invitation, QueueId, Registration, StoreError, TokenHash};

impl Writer<'_> {
    pub(super) fn create_invitation(&mut self, invitation: &Invitation) -> Result<(), Failure> {
        self.connection
            .prepare_cached("INSERT OR REPLACE INTO invitations (code_hash, uses, expires_s) VALUES (?1, ?2, ?3)")?
            .execute(params![invitation.code.as_ref(), invitation.uses, invitation.expires_s.map(stored)])?;
        Ok(())
    }

    /// Makes an invitation for the owner of a queue. It is kept as any other, and names nobody.
    pub(super) fn create_own_invitation(
        &mut self,
        request: &(QueueId, Invitation),
    ) -> Result<(), Failure> {
        let (queue, invitation) = request;
        if !self.load_queue(queue)? {
            return Err(StoreError::UnknownQueue.into());
        }
        if self.is_temporary(queue)? {
            return Err(StoreError::Temporary.into());
        }
        let known = self
            .connection
            .prepare_cached("SELECT 1 FROM invitations WHERE code_hash = ?1")?
            .exists([invitation.code.as_ref()])?;
        if known {
            return Ok(());
        }
        let made: u32 = self
            .connection
            .prepare_cached(
                "SELECT made FROM invitation_allowances WHERE queue_id = ?1 AND day = ?2",
            )?
            .query_row(params![queue.as_bytes(), self.today.0], |row| row.get(0))
            .optional()?
            .unwrap_or(0);
        if made >= self.shared.limits.invitations {
            return Err(StoreError::InvitationsSpent.into());
        }
        if self.full {
            return Err(StoreError::Full.into());
        }
        self.connection
            .prepare_cached(
                "INSERT INTO invitation_allowances (queue_id, day, made) VALUES (?1, ?2, ?3)
                 ON CONFLICT (queue_id) DO UPDATE SET day = excluded.day, made = excluded.made",
            )?
            .execute(params![queue.as_bytes(), self.today.0, made + 1])?;
        self.create_invitation(invitation)
    }

    /// Uses up one use of a registration's invitation. A code that was given is checked also where none is needed.
    pub(super) fn use_invitation(&mut self, registration: &Registration) -> Result<(), Failure> {
        let Some(code) = registration.invitation else {
            return if registration.invitation_required {
                Err(StoreError::InvitationRequired.into())
            } else {
                Ok(())
            };
        };
        if !registration.invitation_required {
            return Ok(());
        }
        let found: Option<(u32, Option<i64>)> = self
            .connection
            .prepare_cached("SELECT uses, expires_s FROM invitations WHERE code_hash = ?1")?
            .query_row([code.as_ref()], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let Some((uses, expires_s)) = found else {
            return Err(StoreError::InvitationUnknown.into());
        };
        if expires_s.is_some_and(|expires_s| loaded(expires_s) <= self.shared.clock.unix_s()) {
            return Err(StoreError::InvitationExpired.into());
        }
        if uses == 0 {
            return Err(StoreError::InvitationUsed.into());
        }
        self.connection
            .prepare_cached("UPDATE invitations SET uses = uses - 1 WHERE code_hash = ?1")?
            .execute([code.as_ref()])?;
        Ok(())
    }

    pub(super) fn spend_tokens(
        &mut self,
        request: &(Vec<TokenHash>, Day),
    ) -> Result<Vec<bool>, Failure> {
        let (tokens, last_day) = request;
        let mut fresh = Vec::with_capacity(tokens.len());
        for token in tokens {
            let inserted = self
                .connection
                .prepare_cached(
                    "INSERT OR IGNORE INTO spent_tokens (token_hash, last_day) VALUES (?1, ?2)",
                )?
                .execute(params![token.as_ref(), last_day.0])?;
            fresh.push(inserted == 1);
        }
        Ok(fresh)
    }

    pub(super) fn set_record(&mut self, request: &(&'static str, Vec<u8>)) -> Result<(), Failure> {
        self.connection
            .prepare_cached("INSERT OR REPLACE INTO server_records (name, value) VALUES (?1, ?2)")?
            .execute(params![request.0, request.1])?;
        Ok(())
    }
}
