//! Whether a device has nothing left to do by itself, now or at any later moment that it has in mind. Tests wait for that before they act on a
//! group: a member's own update, which comes at a random moment after joining, is a commit like any other and races with theirs.

use super::{Work, duty};
use crate::error::Result;

/// What is staged, waits for its moment, is on its way, is awaited, or is missing: a word for each kind of it that there is.
pub(crate) fn what_is_left(work: &Work<'_>) -> Result<Vec<String>> {
    let mut left = Vec::new();
    if duty::unsettled(work)? {
        left.push("duty".to_owned());
    }
    let mut planned = work.db.prepare_cached(
        "SELECT 'intent' FROM intents i JOIN conversations v ON v.id = i.conversation WHERE v.state IN (1, 2)
         UNION SELECT 'outbox' FROM outbox o JOIN conversations v ON v.id = o.conversation WHERE v.state IN (1, 2)
         UNION SELECT 'send' FROM sends
         UNION SELECT 'take' FROM takes WHERE packages = x''
         UNION SELECT 'fetch' FROM fetches WHERE state = 0
         UNION SELECT 'resync' FROM resyncs
         UNION SELECT 'proof' FROM proofs
         UNION SELECT 'behind' FROM behind
         UNION SELECT 'spare item' FROM spare_items
         UNION SELECT 'gap' FROM gaps WHERE message = 0
         UNION SELECT 'receipt' FROM receipts_due
         UNION SELECT 'device check' FROM device_checks
         UNION SELECT 'profile' FROM profile_due
         UNION SELECT 'link' FROM invites i JOIN conversations v ON v.id = i.conversation
            WHERE i.state = 1 AND i.tell_at_ms > 0 AND v.state IN (1, 2) AND v.leaving = 0
         UNION SELECT 'absent' FROM absent WHERE said < 8
         UNION SELECT 'alarm' FROM alarms WHERE given_s > 0
         UNION SELECT 'own devices' FROM shared WHERE told = 0 AND (SELECT count(*) FROM members m
            JOIN conversations v ON v.id = m.conversation WHERE v.kind = 3 AND v.state IN (1, 2)) > 1",
    )?;
    for kind in planned.query_map([], |row| row.get(0))? {
        left.push(kind?);
    }
    Ok(left)
}
