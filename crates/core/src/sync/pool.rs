//! Pools of key packages: what others need to reach this device while it is away.
//!
//! Each link has one and each direct conversation has one, under its address and sealed under its `kp_key`. A pool heals
//! itself: what is used is replaced, and the server is asked for its count once a day.

use rusqlite::{OptionalExtension as _, params};
use undertone_mls::{LeafProfile, create_key_package, delete_key_package, seal_key_package};
use undertone_wire::secrets::{AddressSecret, KpKey};
use zeroize::Zeroizing;

use super::{
    Work,
    address::{self, Kind},
    early_welcome,
};
use crate::error::Result;

/// One-time key packages that a contact finds ready.
pub(crate) const WANTED_CONVERSATION: u32 = 4;
/// More than one for a single use, so that an answer that was lost on the way does not cost the link.
pub(crate) const SPARE_FOR_LINK: u32 = 2;
/// How often the server's count is asked.
const CHECK_MS: i64 = 24 * 3600 * 1000;
/// How long the private half of a used-up or unused one is kept.
const KEPT_MS: i64 = 40 * 24 * 3600 * 1000;

/// What a pool is for.
pub(crate) struct Pool {
    pub(crate) address: i64,
    pub(crate) kp_key: KpKey,
    /// 0: a direct conversation's.
    pub(crate) link: i64,
    pub(crate) wanted: u32,
    pub(crate) last_resort: bool,
}

/// Makes a pool under an address and fills it.
pub(crate) fn create(work: &Work<'_>, pool: &Pool) -> Result<()> {
    work.db.execute(
        "INSERT OR IGNORE INTO pools (address, kp_key, link, wanted, last_resort, checked_at_ms) VALUES (?1, ?2, ?3, ?4, ?5, 0)",
        params![
            pool.address,
            pool.kp_key.expose(),
            pool.link,
            pool.wanted,
            pool.last_resort
        ],
    )?;
    fill(work, pool.address)
}

/// The pool under an address.
pub(crate) fn get(work: &Work<'_>, address: i64) -> Result<Option<Pool>> {
    let row = work
        .db
        .query_row(
            "SELECT kp_key, link, wanted, last_resort FROM pools WHERE address = ?1",
            [address],
            |row| {
                Ok((
                    Zeroizing::new(row.get::<_, Vec<u8>>(0)?),
                    row.get(1)?,
                    row.get(2)?,
                    row.get(3)?,
                ))
            },
        )
        .optional()?;
    row.map(|(kp_key, link, wanted, last_resort)| {
        Ok(Pool {
            address,
            kp_key: KpKey::from_slice(&kp_key)?,
            link,
            wanted,
            last_resort,
        })
    })
    .transpose()
}

/// Makes the key packages that a pool lacks.
pub(crate) fn fill(work: &Work<'_>, address: i64) -> Result<()> {
    let Some(pool) = get(work, address)? else {
        return Ok(());
    };
    let count = |last_resort: bool| -> Result<u32> {
        Ok(work.db.query_row(
            "SELECT count(*) FROM key_packages WHERE pool = ?1 AND state <> 2 AND last_resort = ?2",
            params![address, last_resort],
            |row| row.get(0),
        )?)
    };
    for _ in count(false)?..pool.wanted {
        add_key_package(work, &pool, false)?;
    }
    if pool.last_resort && count(true)? == 0 {
        add_key_package(work, &pool, true)?;
    }
    Ok(())
}

fn add_key_package(work: &Work<'_>, pool: &Pool, last_resort: bool) -> Result<()> {
    let landing = address::create(work, Kind::KeyPackage, 0)?;
    // A link leads to a direct conversation, whose address has a pool of its own; so may what this device's siblings add it to.
    let kp_key = (pool.link != 0 || is_for_siblings(work, pool.address)?).then(KpKey::random);
    let profile = profile(work, landing.secret.duplicate(), kp_key.as_ref());
    let new = create_key_package(&work.mls, &work.keys(), &profile, last_resort)?;
    let sealed = seal_key_package(&new, &pool.kp_key)?;
    work.db.execute(
        "INSERT INTO key_packages (id, pool, landing, hash_ref, sealed, last_resort, state, created_at_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, ?7)",
        params![
            new.id.as_bytes(),
            pool.address,
            landing.id,
            new.hash_ref,
            sealed,
            last_resort,
            work.now_ms
        ],
    )?;
    work.wake();
    Ok(())
}

/// Times its usual size that a pool is filled at most by [`renew`].
const RENEWED: u32 = 4;

/// This device is certified anew, and groups that know of that take no key package of before: new ones are put beside the old in the pools
/// of direct conversations, by which it is added to groups. The private halves of the old ones stay: who has taken one may still use it
/// where the change is not known. What lies under links is used in conversations that are begun with it.
pub(crate) fn renew(work: &Work<'_>) -> Result<()> {
    let pools = {
        let mut statement = work.db.prepare_cached(
            "SELECT p.address FROM pools p JOIN addresses a ON a.id = p.address WHERE p.link = 0 AND a.conversation <> 0",
        )?;
        statement
            .query_map([], |row| row.get::<_, i64>(0))?
            .collect::<std::result::Result<Vec<_>, _>>()?
    };
    for pool in pools.into_iter().filter_map(|id| get(work, id).transpose()) {
        let pool = pool?;
        let here: u32 = work.db.query_row(
            "SELECT count(*) FROM key_packages WHERE pool = ?1 AND state <> 2 AND last_resort = 0",
            [pool.address],
            |row| row.get(0),
        )?;
        let most = pool.wanted.saturating_mul(RENEWED);
        for _ in 0..pool.wanted.min(most.saturating_sub(here)) {
            add_key_package(work, &pool, false)?;
        }
        if pool.last_resort {
            // The new one takes its place on the server.
            work.db.execute(
                "UPDATE key_packages SET state = 2, created_at_ms = ?2 WHERE pool = ?1 AND last_resort = 1 AND state <> 2",
                params![pool.address, work.now_ms],
            )?;
            add_key_package(work, &pool, true)?;
        }
    }
    Ok(())
}

/// Whether it is the pool that the other devices of this account take from: of no link and no conversation.
fn is_for_siblings(work: &Work<'_>, address: i64) -> Result<bool> {
    Ok(address::get(work, address)?.is_some_and(|address| address.conversation == 0))
}

/// This device's leaf with an address.
pub(crate) fn profile(
    work: &Work<'_>,
    address: AddressSecret,
    kp_key: Option<&KpKey>,
) -> LeafProfile {
    LeafProfile {
        address,
        kp_key: kp_key.map(KpKey::duplicate),
        name: work.me.name(),
        // A key package is made before anybody knows on which server the conversation will be that it is used for.
        origin: work.me.server.origin.to_string(),
        pin: Some(work.me.server.pin),
        replaces: None,
    }
}

/// What a Welcome that came to a key package's address means.
pub(crate) struct Landed {
    /// The own link it came by; 0: by a direct conversation's pool.
    pub(crate) link: i64,
    /// The direct conversation whose pool it was; 0: by a link, or for the account's own devices.
    pub(crate) conversation: i64,
}

/// Which pool's key package has this address in its leaf.
pub(crate) fn landed(work: &Work<'_>, landing: i64) -> Result<Option<Landed>> {
    Ok(work
        .db
        .query_row(
            "SELECT p.link, a.conversation FROM key_packages k
             JOIN pools p ON p.address = k.pool JOIN addresses a ON a.id = k.pool WHERE k.landing = ?1",
            [landing],
            |row| {
                Ok(Landed {
                    link: row.get(0)?,
                    conversation: row.get(1)?,
                })
            },
        )
        .optional()?)
}

/// The key package with this landing address was used: its pool is filled up again.
pub(crate) fn used(work: &Work<'_>, landing: i64) -> Result<()> {
    let pool: Option<i64> = work
        .db
        .query_row(
            // A last-resort one may have been given to others too: its private half is kept for a while from now on.
            "UPDATE key_packages SET state = 2, created_at_ms = CASE last_resort WHEN 1 THEN ?2 ELSE created_at_ms END
             WHERE landing = ?1 RETURNING pool",
            params![landing, work.now_ms],
            |row| row.get(0),
        )
        .optional()?;
    let Some(pool) = pool else { return Ok(()) };
    let links: bool = work.db.query_row(
        "SELECT link <> 0 FROM pools WHERE address = ?1",
        [pool],
        |row| row.get(0),
    )?;
    if links { Ok(()) } else { fill(work, pool) }
}

/// A pool takes the place of another one. What others took from the old one may still be used: a Welcome with it can be on its way, and
/// without it this device would be a member that knows nothing of it. So the private halves of what is or may be published are kept as those
/// of what was used are; nothing more can be taken once the old address is revoked.
pub(crate) fn replace(work: &Work<'_>, old: i64, new: i64) -> Result<()> {
    work.db.execute(
        "UPDATE key_packages SET pool = ?2, created_at_ms = CASE state WHEN 2 THEN created_at_ms ELSE ?3 END, state = 2
         WHERE pool = ?1",
        params![old, new, work.now_ms],
    )?;
    remove(work, old)
}

/// Takes a pool away: its unused key packages can't be used any more.
pub(crate) fn remove(work: &Work<'_>, pool: i64) -> Result<()> {
    let unused = {
        let mut statement = work
            .db
            .prepare("SELECT hash_ref, landing FROM key_packages WHERE pool = ?1 AND state <> 2")?;
        statement
            .query_map([pool], |row| {
                Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, i64>(1)?))
            })?
            .collect::<std::result::Result<Vec<_>, _>>()?
    };
    for (hash_ref, landing) in unused {
        delete_key_package(&work.mls, &hash_ref)?;
        address::revoke(work, landing)?;
    }
    early_welcome::forget(work, pool)?;
    work.db
        .execute("DELETE FROM key_packages WHERE pool = ?1", [pool])?;
    work.db
        .execute("DELETE FROM pools WHERE address = ?1", [pool])?;
    Ok(())
}

/// What is published under one address by one request.
pub(crate) struct Publication {
    pub(crate) pool: i64,
    pub(crate) address_hash: [u8; 32],
    /// Id, sealed bytes, last resort.
    pub(crate) packages: Vec<([u8; 16], Vec<u8>, bool)>,
}

/// The next pool that has something to publish (its own address and the landing addresses being on the server), or whose count
/// is due to be asked.
pub(crate) fn to_publish(work: &Work<'_>) -> Result<Option<Publication>> {
    let pool: Option<i64> = work
        .db
        .prepare_cached(
            "SELECT p.address FROM pools p JOIN addresses a ON a.id = p.address
             WHERE a.state = 1 AND (p.checked_at_ms < ?1 OR EXISTS (
                SELECT 1 FROM key_packages k JOIN addresses l ON l.id = k.landing WHERE k.pool = p.address AND k.state = 0 AND l.state = 1))
             LIMIT 1",
        )?
        .query_row([work.now_ms - CHECK_MS], |row| row.get(0))
        .optional()?;
    let Some(pool) = pool else { return Ok(None) };
    let Some(address) = address::get(work, pool)? else {
        return Ok(None);
    };
    let mut statement = work.db.prepare_cached(
        "SELECT k.id, k.sealed, k.last_resort FROM key_packages k JOIN addresses l ON l.id = k.landing
         WHERE k.pool = ?1 AND k.state = 0 AND l.state = 1 LIMIT 50",
    )?;
    let packages = statement
        .query_map([pool], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<std::result::Result<Vec<_>, _>>()?;
    Ok(Some(Publication {
        pool,
        address_hash: *address.secret.hash().as_bytes(),
        packages,
    }))
}

/// The server has them, and says how many one-time ones it holds in all. If that is less than what was published and not seen
/// used, some were taken by somebody who has not written (yet): the pool is filled up beside them.
pub(crate) fn published(work: &Work<'_>, publication: &Publication, held: u32) -> Result<()> {
    for (id, _, _) in &publication.packages {
        work.db
            .prepare_cached(
                "UPDATE key_packages SET state = 1, sealed = x'' WHERE id = ?1 AND state = 0",
            )?
            .execute([id])?;
    }
    work.db.execute(
        "UPDATE pools SET checked_at_ms = ?2 WHERE address = ?1",
        params![publication.pool, work.now_ms],
    )?;
    let Some(pool) = get(work, publication.pool)? else {
        return Ok(());
    };
    let waiting: u32 = work.db.query_row(
        "SELECT count(*) FROM key_packages WHERE pool = ?1 AND state = 0 AND last_resort = 0",
        [pool.address],
        |row| row.get(0),
    )?;
    if pool.link == 0 {
        for _ in (held + waiting)..pool.wanted {
            add_key_package(work, &pool, false)?;
        }
    }
    // Somebody may have waited to say where they are.
    work.wake();
    forget_old(work, publication.pool, held)
}

/// Private halves that nobody can use any more are deleted: old last-resort ones, and as many old one-time ones as the server has given
/// out to somebody who never wrote. It gives them out in the order of their ids. Those that it still holds are kept however old they
/// are, or the pool would hold key packages that lead nowhere.
fn forget_old(work: &Work<'_>, pool: i64, held: u32) -> Result<()> {
    let published: u32 = work.db.query_row(
        "SELECT count(*) FROM key_packages WHERE pool = ?1 AND state = 1 AND last_resort = 0",
        [pool],
        |row| row.get(0),
    )?;
    let old = {
        let mut statement = work.db.prepare_cached(
            "SELECT id, hash_ref, landing, state <> 2 OR last_resort = 1 FROM key_packages
             WHERE pool = ?1 AND state = 2 AND created_at_ms < ?2
             UNION ALL SELECT * FROM (SELECT id, hash_ref, landing, 1 FROM key_packages
                WHERE pool = ?1 AND state = 1 AND last_resort = 0 AND created_at_ms < ?2 ORDER BY id LIMIT ?3)",
        )?;
        let given_out = published.saturating_sub(held);
        statement
            .query_map(params![pool, work.now_ms - KEPT_MS, given_out], |row| {
                Ok((
                    row.get::<_, Vec<u8>>(0)?,
                    row.get::<_, Vec<u8>>(1)?,
                    row.get::<_, i64>(2)?,
                    row.get::<_, bool>(3)?,
                ))
            })?
            .collect::<std::result::Result<Vec<_>, _>>()?
    };
    for (id, hash_ref, landing, has_private_half) in old {
        if has_private_half {
            delete_key_package(&work.mls, &hash_ref)?;
            if address::get(work, landing)?.is_some_and(|address| address.conversation == 0) {
                address::revoke(work, landing)?;
            }
        }
        work.db
            .execute("DELETE FROM key_packages WHERE id = ?1", [id])?;
    }
    Ok(())
}
