//! Whether a device has nothing left to do by itself, now or at any later moment that it has in mind. Tests wait for that before they act on a
//! group: a member's own update, which comes at a random moment after joining, is a commit like any other and races with theirs.

use rusqlite::OptionalExtension as _;

use super::{Work, duty};
use crate::error::Result;

/// Nothing is staged, waits for its moment, is on its way, is awaited, or is missing.
pub(crate) fn is_at_rest(work: &Work<'_>) -> Result<bool> {
    if duty::unsettled(work)? {
        return Ok(false);
    }
    let planned = work
        .db
        .prepare_cached(
            "SELECT 1 FROM intents i JOIN conversations v ON v.id = i.conversation WHERE v.state IN (1, 2)
             UNION ALL SELECT 1 FROM outbox o JOIN conversations v ON v.id = o.conversation WHERE v.state IN (1, 2)
             UNION ALL SELECT 1 FROM sends
             UNION ALL SELECT 1 FROM takes WHERE packages = x''
             UNION ALL SELECT 1 FROM fetches WHERE state = 0
             UNION ALL SELECT 1 FROM resyncs
             UNION ALL SELECT 1 FROM proofs
             UNION ALL SELECT 1 FROM behind
             UNION ALL SELECT 1 FROM spare_items
             UNION ALL SELECT 1 FROM gaps WHERE message = 0
             UNION ALL SELECT 1 FROM receipts_due
             UNION ALL SELECT 1 FROM device_checks
             UNION ALL SELECT 1 FROM shared WHERE told = 0 AND (SELECT count(*) FROM members m
                JOIN conversations v ON v.id = m.conversation WHERE v.kind = 3 AND v.state IN (1, 2)) > 1
             LIMIT 1",
        )?
        .query_row([], |_| Ok(()))
        .optional()?;
    Ok(planned.is_none())
}
