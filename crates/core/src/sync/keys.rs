//! The queue's HPKE keys: a new pair every day, and the old private half forgotten as soon as no item can need it.

use rusqlite::{OptionalExtension as _, params};
use undertone_wire::hpke::HpkeKeyPair;
use zeroize::Zeroizing;

use super::{Work, address};
use crate::error::Result;

const DAY_MS: i64 = 24 * 3600 * 1000;
/// A server replaces its sealing keys at least hourly; after that nothing new is sealed for an old key.
const SEALING_KEY_LIVES_MS: i64 = 2 * 3600 * 1000;
/// Items expire; after that nothing sealed for an old key is left, whatever this device has seen.
const ITEMS_LIVE_MS: i64 = 60 * DAY_MS;

/// The UTC day.
pub(crate) fn day(now_ms: i64) -> i64 {
    now_ms.div_euclid(DAY_MS)
}

/// Makes a key pair for today. It counts once the server has confirmed it.
pub(crate) fn create(work: &Work<'_>) -> Result<HpkeKeyPair> {
    let pair = HpkeKeyPair::generate()?;
    work.db.execute(
        "INSERT OR REPLACE INTO queue_keys (day, public, secret, confirmed, retired_at_ms) VALUES (?1, ?2, ?3, 0, 0)",
        params![
            day(work.now_ms),
            pair.public().as_bytes(),
            pair.private().expose()
        ],
    )?;
    Ok(pair)
}

/// The pair that is to be told to the server: the newest one if it is not confirmed, or a new one once a day.
pub(crate) fn to_rotate(work: &Work<'_>) -> Result<Option<HpkeKeyPair>> {
    let today = day(work.now_ms);
    let newest: Option<(i64, bool)> = work
        .db
        .query_row(
            "SELECT day, confirmed FROM queue_keys ORDER BY day DESC LIMIT 1",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?;
    match newest {
        Some((day, true)) if day >= today => Ok(None),
        Some((day, false)) => pair(work, day),
        _ => create(work).map(Some),
    }
}

/// The newest pair, for registering.
pub(crate) fn newest(work: &Work<'_>) -> Result<HpkeKeyPair> {
    let day: Option<i64> = work
        .db
        .query_row("SELECT max(day) FROM queue_keys", [], |row| row.get(0))?;
    match day {
        Some(day) => match pair(work, day)? {
            Some(pair) => Ok(pair),
            None => create(work),
        },
        None => create(work),
    }
}

fn pair(work: &Work<'_>, day: i64) -> Result<Option<HpkeKeyPair>> {
    let row = work
        .db
        .query_row(
            "SELECT secret, public FROM queue_keys WHERE day = ?1",
            [day],
            |row| {
                Ok((
                    Zeroizing::new(row.get::<_, Vec<u8>>(0)?),
                    row.get::<_, Vec<u8>>(1)?,
                ))
            },
        )
        .optional()?;
    row.map(|(secret, public)| Ok(HpkeKeyPair::from_parts(&secret, &public)?))
        .transpose()
}

/// The server has the newest pair.
pub(crate) fn confirmed(work: &Work<'_>) -> Result<()> {
    work.db.execute(
        "UPDATE queue_keys SET retired_at_ms = ?1 WHERE confirmed = 1 AND retired_at_ms = 0 AND day < (SELECT max(day) FROM queue_keys)",
        [work.now_ms],
    )?;
    work.db.execute(
        "UPDATE queue_keys SET confirmed = 1 WHERE day = (SELECT max(day) FROM queue_keys)",
        [],
    )?;
    address::assert_all(work)
}

/// All pairs that may still open something, newest first: the server's day and ours may differ.
pub(crate) fn all(work: &Work<'_>) -> Result<Vec<(i64, HpkeKeyPair)>> {
    let mut statement = work
        .db
        .prepare("SELECT day, secret, public FROM queue_keys ORDER BY day DESC")?;
    let rows = statement
        .query_map([], |row| {
            Ok((
                row.get::<_, i64>(0)?,
                Zeroizing::new(row.get::<_, Vec<u8>>(1)?),
                row.get::<_, Vec<u8>>(2)?,
            ))
        })?
        .collect::<std::result::Result<Vec<_>, _>>()?;
    rows.into_iter()
        .map(|(day, secret, public)| Ok((day, HpkeKeyPair::from_parts(&secret, &public)?)))
        .collect()
}

/// The queue was empty at this moment: what was retired long enough ago has no item left.
pub(crate) fn queue_is_empty(work: &Work<'_>) -> Result<()> {
    work.db.execute(
        "DELETE FROM queue_keys WHERE retired_at_ms > 0 AND (retired_at_ms < ?1 OR retired_at_ms < ?2)",
        params![
            work.now_ms - SEALING_KEY_LIVES_MS,
            work.now_ms - ITEMS_LIVE_MS
        ],
    )?;
    Ok(())
}

/// When the queue should be looked at again, so that an old pair can be forgotten.
pub(crate) fn next_due(work: &Work<'_>) -> Result<Option<i64>> {
    Ok(work.db.query_row(
        "SELECT min(retired_at_ms) + ?1 FROM queue_keys WHERE retired_at_ms > 0",
        [SEALING_KEY_LIVES_MS],
        |row| row.get(0),
    )?)
}
