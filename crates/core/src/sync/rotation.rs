//! A new device-signing key: what makes the old one, which a removed device knows, worth nothing.
//!
//! The root, and so the recovery phrase, is needed for it. Whoever rotates certifies itself anew and tells its siblings the key through
//! the account's own group; each certifies itself and shows that in every conversation by an update of its leaf. The others believe only the
//! highest generation they have seen in a conversation (docs/protocol.md section 7).

use prost::Message as _;
use rusqlite::params;
use undertone_mls::{AccountRoot, BackupKey, DeviceKeys, DeviceSigningKey, RecoveryPhrase};
use zeroize::Zeroizing;

use super::{
    Work,
    conversation::{self, State},
    devices, intent, pool,
    shared::{self, Kind},
};
use crate::error::{Reason, Result};

/// The entry that tells siblings of the key.
#[derive(Clone, PartialEq, prost::Message)]
struct Told {
    #[prost(bytes = "vec", tag = "1")]
    key: Vec<u8>,
}

fn stored(work: &Work<'_>) -> Result<DeviceSigningKey> {
    let bytes: Zeroizing<Vec<u8>> =
        work.db
            .query_row("SELECT signing_key FROM account WHERE id = 1", [], |row| {
                Ok(Zeroizing::new(row.get(0)?))
            })?;
    Ok(DeviceSigningKey::from_secret_bytes(&bytes)?)
}

/// Makes the next key with the phrase.
pub(crate) fn rotate(work: &Work<'_>, phrase: &RecoveryPhrase) -> Result<()> {
    let root = AccountRoot::from_phrase(phrase);
    if root.account_id() != work.me.account {
        return Err(Reason::PhraseWrong.into());
    }
    let next = root.device_signing_key(stored(work)?.generation().saturating_add(1));
    take_over(work, &next)?;
    let told = Told {
        key: next.to_secret_bytes().to_vec(),
    };
    shared::put_value(work, Kind::SigningKey, &[], &told)
}

/// A sibling tells of a key.
pub(crate) fn came(work: &Work<'_>, value: &[u8]) -> Result<()> {
    let Ok(told) = Told::decode(value) else {
        return Ok(());
    };
    let key = Zeroizing::new(told.key);
    // Only what the root signed, and only forward.
    let Ok(key) = DeviceSigningKey::from_secret_bytes(&key) else {
        return Ok(());
    };
    if key.account_id() != work.me.account || key.generation() <= stored(work)?.generation() {
        return Ok(());
    }
    take_over(work, &key)?;
    // What siblings find of this device is certified by the key before.
    devices::replace_pool(work)
}

fn take_over(work: &Work<'_>, key: &DeviceSigningKey) -> Result<()> {
    let mut own = DeviceKeys::from_secret_bytes(&work.keys().to_secret_bytes())?;
    let certificate = key.certify(
        own.device_id(),
        own.certificate().device_key(),
        work.now_s(),
    );
    own.recertify(certificate)?;
    work.db.execute(
        "UPDATE account SET signing_key = ?1, device = ?2 WHERE id = 1",
        params![&key.to_secret_bytes()[..], &own.to_secret_bytes()[..]],
    )?;
    for row in conversation::sendable(work)? {
        // Somebody who is not accepted is told nothing; it is shown once they are.
        if row.state == State::Active && !row.request {
            intent::show_certificate(work, row.id)?;
        }
    }
    work.recertified(own);
    pool::renew(work)
}

/// What backups are sealed to is known now; the siblings are told.
pub(crate) fn set_backup_key(work: &Work<'_>, key: &BackupKey) -> Result<()> {
    backup_key_came(work, &key.encode())?;
    if stored_backup_key(work)?.is_empty() {
        return Err(Reason::PhraseWrong.into());
    }
    put_backup_key(work)
}

/// The entry that tells siblings of it, if it is known.
pub(crate) fn put_backup_key(work: &Work<'_>) -> Result<()> {
    let key = stored_backup_key(work)?;
    if key.is_empty() {
        return Ok(());
    }
    shared::put(work, &shared::key(Kind::BackupKey, &[]), &key)
}

/// A sibling tells of it: only what the account's root signed counts.
pub(crate) fn backup_key_came(work: &Work<'_>, value: &[u8]) -> Result<()> {
    if BackupKey::decode(value, &work.me.account).is_ok() {
        work.db
            .execute("UPDATE account SET backup_key = ?1 WHERE id = 1", [value])?;
    }
    Ok(())
}

fn stored_backup_key(work: &Work<'_>) -> Result<Vec<u8>> {
    Ok(work
        .db
        .query_row("SELECT backup_key FROM account WHERE id = 1", [], |row| {
            row.get(0)
        })?)
}
