//! Welcomes that came too early: whoever sent one is not accepted yet, or has not proven their link, or this device has not heard yet that it was
//! taken out of that group before. Without them it would be a member that knows nothing of it. They are tried again when that has changed.

use rusqlite::params;
use undertone_wire::response::ItemKind;

use super::{
    Work,
    address::{self, Address},
    inbox::{self, Body, Item},
};
use crate::error::Result;

/// Welcomes held for one address: whoever holds a key package of this device could send without end.
const MOST: i64 = 8;
/// How long one is held.
const KEPT_MS: i64 = 31 * 24 * 3600 * 1000;

/// Puts one aside. Of too many the first count, and none that is old.
pub(crate) fn hold(work: &Work<'_>, address: &Address, item: &Item) -> Result<()> {
    work.db.execute(
        "INSERT INTO early_welcomes (address, payload, blob_hash, received_at_ms) SELECT ?1, ?2, ?3, ?4
         WHERE (SELECT count(*) FROM early_welcomes WHERE address = ?1) < ?5",
        params![address.id, item.payload, item.blob, work.now_ms, MOST],
    )?;
    work.db.execute(
        "DELETE FROM early_welcomes WHERE received_at_ms < ?1",
        [work.now_ms - KEPT_MS],
    )?;
    Ok(())
}

/// Somebody was accepted, or this device was taken out of a group: what came before that is tried now.
pub(crate) fn try_again(work: &Work<'_>) -> Result<()> {
    let held = {
        let mut statement = work.db.prepare_cached(
            "DELETE FROM early_welcomes RETURNING id, address, payload, blob_hash",
        )?;
        let mut rows = statement
            .query_map([], |row| {
                Ok((
                    row.get::<_, i64>(0)?,
                    row.get::<_, i64>(1)?,
                    row.get::<_, Vec<u8>>(2)?,
                    row.get::<_, Vec<u8>>(3)?,
                ))
            })?
            .collect::<std::result::Result<Vec<_>, _>>()?;
        rows.sort_unstable();
        rows
    };
    for (_, address, payload, blob) in held {
        let Some(address) = address::get(work, address)? else {
            continue;
        };
        let item = Item {
            kind: ItemKind::Direct,
            number: 0,
            epoch: 0,
            next_lock: Vec::new(),
            payload,
            channel: Vec::new(),
            blob,
        };
        inbox::direct(work, &address, &item, Body::Unknown)?;
    }
    Ok(())
}

/// The pool whose key packages they are for is gone.
pub(crate) fn forget(work: &Work<'_>, pool: i64) -> Result<()> {
    work.db.execute(
        "DELETE FROM early_welcomes WHERE address IN (SELECT landing FROM key_packages WHERE pool = ?1)",
        [pool],
    )?;
    Ok(())
}
