//! Taking key packages from the pools of others: of a contact link, or of contacts who are to join a group.
//!
//! The send id is fixed before the first attempt, so that a retry is answered alike while the server remembers it.

use prost::Message as _;
use rusqlite::{OptionalExtension as _, params};
use undertone_mls::{AccountId, DeviceId, KpKey, PeerKeyPackage, open_key_package};
use undertone_wire::{
    ids::SendId, request::TakeKeyPackages, response::TakenKeyPackage, secrets::AddressSecret,
};
use zeroize::Zeroizing;

use super::{Work, add, ignored, intent};
use crate::error::{Reason, Result};

/// Empty or outdated answers after which it is given up.
const ATTEMPTS: i64 = 20;
/// Outdated answers after which it is waited a while: a pool may hold as many old ones before those that were made since.
const OUTDATED_AT_ONCE: i64 = 12;
/// That while, and the longest after an empty answer.
const PAUSE_MS: i64 = 60_000;
/// Half of the one after the first empty answer; each is twice the one before.
const FIRST_PAUSE_MS: i64 = 250;

/// As stored (takes.purpose).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// adds.id
    Add = 1,
    /// intents.id
    Intent = 2,
}

/// Several encoded key packages in one column.
#[derive(Clone, PartialEq, prost::Message)]
struct Packages {
    #[prost(bytes = "vec", repeated, tag = "1")]
    packages: Vec<Vec<u8>>,
}

/// Where to take from: an address and what opens its pool.
pub(crate) struct Source {
    pub(crate) secret: AddressSecret,
    pub(crate) kp_key: KpKey,
}

/// Notes that these are to be taken, on this account's own server; they must be `account`'s.
pub(crate) fn push(
    work: &Work<'_>,
    purpose: Purpose,
    reference: i64,
    account: &AccountId,
    sources: &[Source],
) -> Result<()> {
    push_at(work, purpose, reference, account, sources, "")
}

/// As [`push`], on another server (as stored).
pub(crate) fn push_at(
    work: &Work<'_>,
    purpose: Purpose,
    reference: i64,
    account: &AccountId,
    sources: &[Source],
    server: &str,
) -> Result<()> {
    let secrets = joined(sources, |source| source.secret.expose());
    let kp_keys = joined(sources, |source| source.kp_key.expose());
    work.db.execute(
        "INSERT INTO takes (purpose, reference, account_id, secrets, kp_keys, send_id, packages, not_before_ms, attempts, server)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, x'', ?7, 0, ?8)",
        params![
            purpose as i64,
            reference,
            account.as_bytes(),
            secrets.as_slice(),
            kp_keys.as_slice(),
            SendId::random().as_bytes(),
            work.now_ms,
            server
        ],
    )?;
    work.wake();
    Ok(())
}

/// The same 32 bytes of each source, one after another. The room is taken at once, so that no copy stays where it was too small.
fn joined(sources: &[Source], part: impl Fn(&Source) -> &[u8; 32]) -> Zeroizing<Vec<u8>> {
    let mut all = Zeroizing::new(Vec::with_capacity(32 * sources.len()));
    for source in sources {
        all.extend_from_slice(part(source));
    }
    all
}

/// A key package that came by itself, for the intent that adds its owner.
pub(crate) fn given(
    work: &Work<'_>,
    intent: i64,
    account: &AccountId,
    package: Vec<u8>,
) -> Result<()> {
    let packages = Packages {
        packages: vec![package],
    };
    work.db.execute(
        "INSERT INTO takes (purpose, reference, account_id, secrets, kp_keys, send_id, packages, not_before_ms, attempts)
         VALUES (?1, ?2, ?3, x'', x'', ?4, ?5, ?6, 0)",
        params![
            Purpose::Intent as i64,
            intent,
            account.as_bytes(),
            SendId::random().as_bytes(),
            packages.encode_to_vec(),
            work.now_ms
        ],
    )?;
    Ok(())
}

/// The next ones to ask for, and where (as stored).
pub(crate) fn due(work: &Work<'_>, limit: usize) -> Result<Vec<(i64, String, TakeKeyPackages)>> {
    let mut statement = work.db.prepare_cached(
        "SELECT id, secrets, send_id, server FROM takes WHERE packages = x'' AND not_before_ms <= ?1 ORDER BY id LIMIT ?2",
    )?;
    let rows = statement
        .query_map(params![work.now_ms, limit], |row| {
            Ok((
                row.get::<_, i64>(0)?,
                Zeroizing::new(row.get::<_, Vec<u8>>(1)?),
                row.get::<_, Vec<u8>>(2)?,
                row.get::<_, String>(3)?,
            ))
        })?
        .collect::<std::result::Result<Vec<_>, _>>()?;
    rows.into_iter()
        .map(|(id, secrets, send_id, server)| {
            Ok((
                id,
                server,
                TakeKeyPackages {
                    send_id: SendId::from_slice(&send_id)?,
                    addresses: secrets
                        .chunks_exact(32)
                        .map(AddressSecret::from_slice)
                        .collect::<std::result::Result<_, _>>()?,
                },
            ))
        })
        .collect()
}

/// The server has answered.
pub(crate) fn answered(
    work: &Work<'_>,
    take: i64,
    taken: &[Option<TakenKeyPackage>],
) -> Result<()> {
    let row = work
        .db
        .query_row(
            "SELECT purpose, reference, account_id, kp_keys FROM takes WHERE id = ?1 AND packages = x''",
            [take],
            |row| {
                Ok((
                    row.get::<_, i64>(0)?,
                    row.get::<_, i64>(1)?,
                    row.get::<_, Vec<u8>>(2)?,
                    Zeroizing::new(row.get::<_, Vec<u8>>(3)?),
                ))
            },
        )
        .optional()?;
    let Some((purpose, reference, account, kp_keys)) = row else {
        return Ok(());
    };
    let account = AccountId::from_slice(&account)?;
    let mut opened = Vec::new();
    let mut forged = false;
    for (answer, kp_key) in taken.iter().zip(kp_keys.chunks_exact(32)) {
        let Some(answer) = answer else { continue };
        match open_key_package(&work.mls, &answer.sealed, &KpKey::from_slice(kp_key)?) {
            Ok(package) if package.account_id() == account => opened.push(package.encode()?),
            Ok(_) => {
                ignored::note("key_package.another_account");
                forged = true;
            }
            Err(error) => {
                ignored::note(error.code());
                forged = true;
            }
        }
    }
    let is_add = purpose == Purpose::Add as i64;
    if opened.is_empty() {
        // A retry under the same send id would be answered alike: empty.
        let attempts: i64 = work.db.query_row(
            "UPDATE takes SET attempts = attempts + 1, send_id = ?2 WHERE id = ?1 RETURNING attempts",
            params![take, SendId::random().as_bytes()],
            |row| row.get(0),
        )?;
        // A pool that was just made may be known before anything is in it.
        let pause = PAUSE_MS.min(FIRST_PAUSE_MS << attempts.clamp(0, 16));
        work.db.execute(
            "UPDATE takes SET not_before_ms = ?2 WHERE id = ?1",
            params![take, work.now_ms + pause],
        )?;
        if is_add {
            // An empty pool of a link never fills again.
            let reason = if forged {
                Reason::LinkForged
            } else {
                Reason::LinkUsed
            };
            add::failed(work, reference, reason)?;
            work.db.execute("DELETE FROM takes WHERE id = ?1", [take])?;
        } else if attempts >= ATTEMPTS {
            let why = if forged {
                Reason::LinkForged
            } else {
                Reason::NoKeyPackage
            };
            intent::give_up(work, reference, why)?;
            work.db.execute("DELETE FROM takes WHERE id = ?1", [take])?;
        }
        return Ok(());
    }
    work.db.execute(
        "UPDATE takes SET packages = ?2 WHERE id = ?1",
        params![take, Packages { packages: opened }.encode_to_vec()],
    )?;
    if is_add {
        add::key_packages_came(work, reference)
    } else {
        intent::key_packages_came(work, reference)
    }
}

/// What was taken for something.
pub(crate) fn packages(
    work: &Work<'_>,
    purpose: Purpose,
    reference: i64,
) -> Result<Vec<PeerKeyPackage>> {
    let stored: Option<Vec<u8>> = work
        .db
        .query_row(
            "SELECT packages FROM takes WHERE purpose = ?1 AND reference = ?2 AND packages <> x''",
            params![purpose as i64, reference],
            |row| row.get(0),
        )
        .optional()?;
    let Some(stored) = stored else {
        return Ok(Vec::new());
    };
    let stored = Packages::decode(&stored[..]).map_err(|_| Reason::StateBroken)?;
    let mut packages = Vec::with_capacity(stored.packages.len());
    for bytes in &stored.packages {
        match PeerKeyPackage::decode(&work.mls, bytes) {
            Ok(package) => packages.push(package),
            // Taken by a version that looked at less.
            Err(
                error @ (undertone_mls::Error::Malformed(_) | undertone_mls::Error::Refused(_)),
            ) => ignored::note(error.code()),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(packages)
}

/// What becomes of a wish whose key packages are outdated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outdated {
    /// They are taken anew.
    Again,
    /// No others are to be had; those that are not outdated do, if there are any.
    Left,
    /// Nobody has others, or has made some for long enough.
    GivenUp,
}

/// Some of the key packages taken for an intent are of an earlier device-signing key than the group takes. The pool may hold others, made
/// since; if not, their owner has to come on-line once. `some`: others of them are not outdated.
pub(crate) fn outdated(work: &Work<'_>, intent: i64, some: bool) -> Result<Outdated> {
    let attempts: Option<i64> = work
        .db
        .query_row(
            "SELECT attempts FROM takes WHERE purpose = ?1 AND reference = ?2 AND secrets <> x''",
            params![Purpose::Intent as i64, intent],
            |row| row.get(0),
        )
        .optional()?;
    let Some(attempts) = attempts else {
        // It came by itself.
        return Ok(Outdated::GivenUp);
    };
    let at_once = attempts < OUTDATED_AT_ONCE;
    if !at_once && some {
        return Ok(Outdated::Left);
    }
    if attempts >= ATTEMPTS {
        return Ok(Outdated::GivenUp);
    }
    let pause = if at_once { 0 } else { PAUSE_MS };
    work.db.execute(
        "UPDATE takes SET packages = x'', attempts = attempts + 1, send_id = ?3, not_before_ms = ?4 WHERE purpose = ?1 AND reference = ?2",
        params![
            Purpose::Intent as i64,
            intent,
            SendId::random().as_bytes(),
            work.now_ms + pause
        ],
    )?;
    intent::needs_key_packages(work, intent)?;
    Ok(Outdated::Again)
}

/// A device of this account has another pool now: what waits for key packages of it, or has some of the old one, takes from there.
pub(crate) fn moved(work: &Work<'_>, device: &DeviceId, source: &Source) -> Result<()> {
    let moved = {
        let mut statement = work.db.prepare_cached(
            "SELECT id, reference FROM takes WHERE purpose = ?1 AND secrets <> x'' AND secrets <> ?2 AND reference IN (
                SELECT id FROM intents WHERE kind = ?3 AND subject = ?4 AND state IN (0, 2))",
        )?;
        statement
            .query_map(
                params![
                    Purpose::Intent as i64,
                    source.secret.expose(),
                    intent::Kind::AddDevice as i64,
                    device.as_bytes()
                ],
                |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)),
            )?
            .collect::<std::result::Result<Vec<_>, _>>()?
    };
    for (take, reference) in moved {
        work.db.execute(
            "UPDATE takes SET secrets = ?2, kp_keys = ?3, packages = x'', attempts = 0, send_id = ?4, not_before_ms = ?5 WHERE id = ?1",
            params![
                take,
                source.secret.expose(),
                source.kp_key.expose(),
                SendId::random().as_bytes(),
                work.now_ms
            ],
        )?;
        intent::needs_key_packages(work, reference)?;
    }
    Ok(())
}

/// It is not needed any more.
pub(crate) fn forget(work: &Work<'_>, purpose: Purpose, reference: i64) -> Result<()> {
    work.db.execute(
        "DELETE FROM takes WHERE purpose = ?1 AND reference = ?2",
        params![purpose as i64, reference],
    )?;
    Ok(())
}
