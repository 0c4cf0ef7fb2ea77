//! A device's clock may run ahead and be put right. Then times that were written down meanwhile lie ahead: without more, nothing that
//! waits for them (what is asked again after an hour, sent after a moment, looked at once a day) would happen until they come.
//!
//! So the latest moment that anything was written at is known, and whoever writes at an earlier one brings all that back first. Every
//! transaction looks, also those of an app that is off-line or is closed soon after: what a clock that ran ahead has left behind must not be
//! found by one that never knew of it.
//!
//! A clock may also be behind, and be put right, or be set to nonsense for a while. As long as the app runs that shows: the clock that nobody
//! sets goes on as ever. Then what was written by the old time is moved along, so that what waits is waited for as long as it was to be, and
//! a link lives as long as was said. What a clock does between two runs can't be told from time that has passed.
//!
//! What must stay true: every column that holds the moment of something past, or of something that is to happen soon, stands in
//! [`MOMENTS`]. What was ended by a clock that ran ahead between two runs (a link that seemed to have expired) stays ended: that is the safe side.

use super::{Work, linking};
use crate::error::Result;

/// How stale the latest known moment may become, so that not every transaction writes it.
const STALE_MS: i64 = 60_000;

/// By so much a clock is set by whoever means it, at most. Beyond it nothing is moved: numbers have an end.
const MOST_SET_MS: i64 = 200 * 365 * DAY_MS;
/// No moment in [`MOMENTS`] lies further ahead than this; what does is no moment, but stands for never.
const SOON_MS: i64 = 400 * DAY_MS;
const DAY_MS: i64 = 24 * 3_600_000;

/// Tables and columns with a moment that can't lie ahead for long.
const MOMENTS: &[(&str, &str)] = &[
    ("absent", "since_ms"),
    ("automatic_sent", "sent_at_ms"),
    ("behind", "since_ms"),
    ("came_by_themselves", "since_ms"),
    ("commits", "accepted_at_ms"),
    ("commits", "staged_at_ms"),
    ("conversations", "changed_at_ms"),
    ("conversations", "created_at_ms"),
    ("device_checks", "not_before_ms"),
    ("devices", "added_at_ms"),
    ("downloads", "not_before_ms"),
    ("early_welcomes", "received_at_ms"),
    ("fetches", "not_before_ms"),
    ("gaps", "asked_at_ms"),
    ("gaps", "noticed_at_ms"),
    ("held_items", "received_at_ms"),
    ("intents", "created_at_ms"),
    ("intents", "not_before_ms"),
    ("invites", "tell_at_ms"),
    ("joins", "created_at_ms"),
    ("key_packages", "created_at_ms"),
    ("misses", "since_ms"),
    ("outbox", "accepted_at_ms"),
    ("outbox", "not_before_ms"),
    ("pools", "checked_at_ms"),
    ("profile_due", "not_before_ms"),
    ("proofs", "since_ms"),
    ("queue_keys", "retired_at_ms"),
    ("receipts_due", "at_ms"),
    ("refused_helpers", "at_ms"),
    ("resyncs", "since_ms"),
    ("sends", "not_before_ms"),
    ("sent_again", "at_ms"),
    ("server", "drained_at_ms"),
    ("server_keys", "fetched_at_ms"),
    ("spare_items", "received_at_ms"),
    ("strangers", "since_ms"),
    ("takes", "not_before_ms"),
    ("token_keys", "seen_at_ms"),
];

/// Notes the moment; if it is earlier than one known before, brings everything back to it. Called first in every transaction.
pub(crate) fn tick(work: &Work<'_>) -> Result<()> {
    if (STALE_MS..MOST_SET_MS).contains(&work.set_by_ms.saturating_abs()) {
        was_set(work)?;
    }
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

/// The clock was set while the app ran: what was written by it before is moved along.
fn was_set(work: &Work<'_>) -> Result<()> {
    let by = work.set_by_ms;
    let soon = work.now_ms.saturating_sub(by).saturating_add(SOON_MS);
    for (table, column) in MOMENTS {
        work.db.execute(
            &format!(
                "UPDATE {table} SET {column} = max(1, {column} + ?1) WHERE {column} > 0 AND {column} < ?2"
            ),
            [by, soon],
        )?;
    }
    // A link may live for longer.
    for table in ["links", "invites"] {
        work.db.execute(
            &format!(
                "UPDATE {table} SET created_at_ms = max(1, created_at_ms + ?1),
                    expires_at_ms = CASE expires_at_ms WHEN 0 THEN 0 ELSE max(1, expires_at_ms + ?1) END
                 WHERE expires_at_ms < ?2"
            ),
            [by, work.now_ms.saturating_add(MOST_SET_MS)],
        )?;
    }
    work.db.execute(
        "UPDATE linking SET expires_at_ms = max(1, expires_at_ms + ?1) WHERE expires_at_ms > 0 AND expires_at_ms < ?2",
        [by, soon],
    )?;
    // A request to be let in that says another day was refused as wrong: it is made anew.
    work.db.execute("UPDATE resyncs SET asked_at_ms = 0", [])?;
    work.wake();
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
    for table in ["links", "invites"] {
        work.db.execute(
            &format!(
                "UPDATE {table} SET expires_at_ms = CASE expires_at_ms WHEN 0 THEN 0 ELSE expires_at_ms - (created_at_ms - ?1) END,
                    created_at_ms = ?1 WHERE created_at_ms > ?1"
            ),
            [work.now_ms],
        )?;
    }
    // Nothing waits longer for a new device than since it was let in.
    work.db.execute(
        "UPDATE linking SET expires_at_ms = min(expires_at_ms, ?1)",
        [work.now_ms.saturating_add(linking::LONGEST_MS)],
    )?;
    work.wake();
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::MOMENTS;
    use crate::store::{DataKey, Database, StoreError};

    /// Columns that stay as they are when the clock comes back, and why that does no harm.
    const LEFT_ALONE: &[(&str, &[&str])] = &[
        (
            "only shown, or only an order",
            &[
                "account.created_at_ms",
                "actions.sent_at_ms",
                "addresses.created_at_ms",
                "adds.created_at_ms",
                "attachments.created_at_ms",
                "backups.made_at_ms",
                "chat_settings.pinned_at_ms",
                "contacts.added_at_ms",
                "custodians.accepted_at_ms",
                "invites_told.heard_at_ms",
                "join_requests.asked_at_ms",
                "message_files.duration_ms",
                "messages.delivered_at_ms",
                "messages.edited_at_ms",
                "messages.received_at_ms",
                "messages.seen_at_ms",
                "messages.sent_at_ms",
                "other_accounts.noticed_at_ms",
                "pins.pinned_at_ms",
                "receipts.delivered_at_ms",
                "receipts.read_at_ms",
                "reports.created_at_ms",
            ],
        ),
        (
            "brought back in a way of its own",
            &[
                "age.wall_ms",
                "announcements.came_at_ms",
                "clock.latest_ms",
                "invites.created_at_ms",
                "invites.expires_at_ms",
                "linking.expires_at_ms",
                "links.created_at_ms",
                "links.expires_at_ms",
                "resyncs.asked_at_ms",
            ],
        ),
        (
            "by the clock that nobody sets",
            &[
                "age.age_ms",
                "early.due_age_ms",
                "early.last_age_ms",
                "timers.after_ms",
                "timers.due_age_ms",
            ],
        ),
        (
            "a moment that somebody has named, or a code",
            &[
                "chat_settings.muted_until_ms",
                "early.at_ms",
                "invites_told.expires_at_ms",
                "joining.expires_at_ms",
                "timers.at_ms",
            ],
        ),
        ("never read", &["resync_seen.seen_at_ms"]),
    ];

    #[test]
    fn every_moment_in_the_store_is_brought_back_or_left_alone_on_purpose() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("store");
        let db = Database::create(&path, DataKey::from_bytes(&[7; 32])).expect("a store");
        let held = db
            .read(|snapshot| {
                let mut statement = snapshot.connection().prepare(
                    "SELECT t.name || '.' || c.name FROM sqlite_schema t, pragma_table_info(t.name) c
                     WHERE t.type = 'table' AND substr(c.name, -3) = '_ms'",
                )?;
                let held = statement
                    .query_map([], |row| row.get(0))?
                    .collect::<rusqlite::Result<BTreeSet<String>>>()?;
                Ok::<_, StoreError>(held)
            })
            .expect("read");
        let left_alone = LEFT_ALONE
            .iter()
            .flat_map(|(_, columns)| columns.iter().map(|column| (*column).to_owned()));
        let known: BTreeSet<String> = MOMENTS
            .iter()
            .map(|(table, column)| format!("{table}.{column}"))
            .chain(left_alone)
            .collect();
        assert_eq!(held, known);
    }
}
