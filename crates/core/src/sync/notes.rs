//! The notes to self of a device that has to begin their group anew.

use rusqlite::params;
use undertone_mls::Kind as GroupKind;

use super::{Work, add, conversation::Conversation, intent};
use crate::error::Result;

/// Tables that hold what is about the old group, and nothing that was written there.
const OF_THE_GROUP: &[&str] = &[
    "automatic_sent",
    "behind",
    "commits",
    "departures",
    "device_checks",
    "device_counters",
    "gaps",
    "leave_wishes",
    "member_since",
    "members",
    "misses",
    "old_channels",
    "profile_due",
    "proofs",
    "receipts_due",
    "refused_helpers",
    "resyncs",
    "rules",
    "sends",
    "sent_again",
    "spare_items",
    "spare_welcomes",
    "stuck",
];

/// Nobody but this account's devices was in the notes to self, and none of them can let this one in again: they go on in a new group.
pub(crate) fn renew(work: &Work<'_>, old: &Conversation) -> Result<()> {
    let new = add::create(work, GroupKind::Notes, "", None)?;
    for table in ["messages", "actions", "reactions", "pins", "chat_settings"] {
        work.db.execute(
            &format!("UPDATE OR REPLACE {table} SET conversation = ?2 WHERE conversation = ?1"),
            params![old.id, new],
        )?;
    }
    // What was written before stays before what is written now.
    work.db.execute(
        "UPDATE conversations SET (generation, read_up_to, created_at_ms) = (SELECT generation + 1, read_up_to, created_at_ms FROM conversations WHERE id = ?1)
         WHERE id = ?2",
        params![old.id, new],
    )?;
    work.db.execute(
        "UPDATE rules SET generation = (SELECT generation FROM conversations WHERE id = ?1) WHERE conversation = ?1",
        [new],
    )?;
    intent::drop_all(work, old.id)?;
    for table in OF_THE_GROUP {
        work.db.execute(
            &format!("DELETE FROM {table} WHERE conversation = ?1"),
            [old.id],
        )?;
    }
    // What waits goes out there.
    work.db.execute(
        "UPDATE outbox SET conversation = ?2, state = min(state, 1), payload = x'', payload_hash = x'' WHERE conversation = ?1",
        params![old.id, new],
    )?;
    work.db
        .execute("DELETE FROM conversations WHERE id = ?1", [old.id])?;
    Ok(())
}
