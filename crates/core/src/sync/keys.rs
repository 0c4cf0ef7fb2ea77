//! The queue's HPKE keys: a new pair every day, and the old private half forgotten as soon as no item can need it.

use rusqlite::{OptionalExtension as _, params};
use undertone_wire::hpke::HpkeKeyPair;
use zeroize::Zeroizing;

use super::{Work, address};
use crate::error::Result;

const DAY_MS: i64 = 24 * 3600 * 1000;
/// A server replaces its sealing keys at least hourly; after that nothing new is sealed for an old key.
const SEALING_KEY_LIVES_MS: i64 = 2 * 3600 * 1000;

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
    come_back_to(work, today)?;
    let newest: Option<(i64, bool)> = work
        .db
        .prepare_cached("SELECT day, confirmed FROM queue_keys ORDER BY day DESC LIMIT 1")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    match newest {
        Some((day, true)) if day >= today => Ok(None),
        Some((day, false)) => pair(work, day),
        _ => create(work).map(Some),
    }
}

/// The clock ran ahead and was put right: pairs of days that have not come become pairs of the days before today, in the same order, or
/// no new pair would be made until those days come. The old pairs stay for as long as any.
fn come_back_to(work: &Work<'_>, today: i64) -> Result<()> {
    let days = {
        let mut statement = work
            .db
            .prepare_cached("SELECT day FROM queue_keys ORDER BY day")?;
        statement
            .query_map([], |row| row.get::<_, i64>(0))?
            .collect::<std::result::Result<Vec<_>, _>>()?
    };
    if days.last().is_none_or(|newest| *newest <= today) {
        return Ok(());
    }
    // Oldest first: each goes down to just above the one before it, so that no two meet.
    let first = today - i64::try_from(days.len()).unwrap_or(i64::MAX);
    for (target, day) in (first..).zip(days) {
        work.db.execute(
            "UPDATE queue_keys SET day = ?2 WHERE day = ?1 AND day > ?2",
            params![day, target],
        )?;
    }
    Ok(())
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

/// The days of the pairs that are retired. What is sealed from now on is sealed for a later one: the server confirmed that pair, and takes
/// a new sealing key at that moment.
pub(crate) fn retired(work: &Work<'_>) -> Result<Vec<i64>> {
    let mut statement = work
        .db
        .prepare_cached("SELECT day FROM queue_keys WHERE retired_at_ms > 0")?;
    let days = statement
        .query_map([], |row| row.get(0))?
        .collect::<std::result::Result<_, _>>()?;
    Ok(days)
}

/// Everything that was in the queue after these pairs were `retired` has been taken: those retired long enough ago have no item left.
/// The order of events decides, not a clock, which may have jumped in between; the wait comes on top.
pub(crate) fn queue_is_empty(work: &Work<'_>, retired: &[i64]) -> Result<()> {
    for day in retired {
        work.db.execute(
            "DELETE FROM queue_keys WHERE day = ?1 AND retired_at_ms > 0 AND retired_at_ms < ?2",
            params![day, work.now_ms - SEALING_KEY_LIVES_MS],
        )?;
    }
    Ok(())
}

/// When the queue should be looked at again, so that an old pair can be forgotten.
pub(crate) fn next_due(work: &Work<'_>) -> Result<Option<i64>> {
    Ok(work.one(
        "SELECT min(retired_at_ms) + ?1 FROM queue_keys WHERE retired_at_ms > 0",
        [SEALING_KEY_LIVES_MS],
        |row| row.get(0),
    )?)
}
