//! A device's clock may run ahead and be put right. Then times that were written down meanwhile lie ahead: without more, nothing that
//! waits for them (what is asked again after an hour, sent after a moment, looked at once a day) would happen until they come.
//!
//! What must stay true: every column that holds the moment of something past, or of something that is to happen soon, stands in
//! [`MOMENTS`]. What was ended by a clock that ran ahead (a link that seemed to have expired) stays ended: that is the safe side.

use rusqlite::params;

use super::Work;
use crate::error::Result;

/// How stale the latest known moment may become, so that not every transaction writes it.
const STALE_MS: i64 = 60_000;

/// Tables and columns with a moment that can't lie ahead for long.
const MOMENTS: &[(&str, &str)] = &[
    ("absent", "since_ms"),
    ("automatic_sent", "sent_at_ms"),
    ("behind", "since_ms"),
    ("commits", "accepted_at_ms"),
    ("commits", "staged_at_ms"),
    ("conversations", "changed_at_ms"),
    ("conversations", "created_at_ms"),
    ("device_checks", "not_before_ms"),
    ("devices", "added_at_ms"),
    ("early_welcomes", "received_at_ms"),
    ("fetches", "not_before_ms"),
    ("gaps", "asked_at_ms"),
    ("gaps", "noticed_at_ms"),
    ("held_items", "received_at_ms"),
    ("intents", "created_at_ms"),
    ("intents", "not_before_ms"),
    ("key_packages", "created_at_ms"),
    ("misses", "since_ms"),
    ("outbox", "accepted_at_ms"),
    ("outbox", "not_before_ms"),
    ("pools", "checked_at_ms"),
    ("proofs", "since_ms"),
    ("queue_keys", "retired_at_ms"),
    ("receipts_due", "at_ms"),
    ("refused_helpers", "at_ms"),
    ("resyncs", "since_ms"),
    ("sends", "not_before_ms"),
    ("sent_again", "at_ms"),
    ("server", "drained_at_ms"),
    ("spare_items", "received_at_ms"),
    ("takes", "not_before_ms"),
    ("token_keys", "seen_at_ms"),
];

/// Notes the moment; if it is earlier than one known before, brings everything back to it. Called at every sign-in, and before what is due
/// is looked for.
pub(crate) fn tick(work: &Work<'_>) -> Result<()> {
    let latest: i64 = work
        .db
        .prepare_cached("SELECT latest_ms FROM clock WHERE id = 1")?
        .query_row([], |row| row.get(0))?;
    if work.now_ms < latest {
        come_back(work)?;
    } else if work.now_ms - latest < STALE_MS {
        return Ok(());
    }
    work.db
        .prepare_cached("UPDATE clock SET latest_ms = ?1 WHERE id = 1")?
        .execute([work.now_ms])?;
    Ok(())
}

fn come_back(work: &Work<'_>) -> Result<()> {
    for (table, column) in MOMENTS {
        work.db.execute(
            &format!("UPDATE {table} SET {column} = ?1 WHERE {column} > ?1"),
            [work.now_ms],
        )?;
    }
    // A request to be let in that says a day to come was refused as wrong: it is made anew.
    work.db.execute(
        "UPDATE resyncs SET asked_at_ms = 0 WHERE asked_at_ms > ?1",
        [work.now_ms],
    )?;
    // A link lives as long as was said when it was made.
    work.db.execute(
        "UPDATE links SET expires_at_ms = CASE expires_at_ms WHEN 0 THEN 0 ELSE expires_at_ms - (created_at_ms - ?1) END, created_at_ms = ?1
         WHERE created_at_ms > ?1",
        params![work.now_ms],
    )?;
    work.wake();
    Ok(())
}
