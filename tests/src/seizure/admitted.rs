//! What a copied disk may show at all: every column of every table, with the words of `docs/threat-model.md` section 1 that admit it.
//!
//! A column that is not here, a time finer than a day, a length that is no class, or a table whose row numbers tell an order, is told.

use super::database::Database;
use super::wal;
use super::{Copy, Evidence};
use crate::failed::Outcome;
use undertone_wire::padding::{ITEM_CLASSES, SEAL_OVERHEAD};

/// Table, its columns, and what is said of them.
pub const ADMITTED: [(&str, &str, &str); 19] = [
    (
        "server_records",
        "name value",
        "read the server's own keys (TLS identity, token keys)",
    ),
    (
        "queues",
        "queue_id signing_key hpke_key hpke_key_day last_day",
        "the day on which it last signed in (by its expiry) and on which it last renewed its key",
    ),
    (
        "queue_floors",
        "queue_id floor",
        "see of each queue how many items it ever got",
    ),
    (
        "token_allowances",
        "queue_id day issued",
        "how many tokens it was given on its last day",
    ),
    (
        "items",
        "queue_id sequence key_id nonce last_day sealed",
        "which of five sizes each waiting item has",
    ),
    (
        "sealing_keys",
        "queue_id key_id first_sequence enc sealed hpke_key_day",
        "which of its waiting items were sealed with one key",
    ),
    (
        "addresses",
        "address_hash queue_id kind",
        "see of each queue which addresses lead to it",
    ),
    (
        "renamed_addresses",
        "old_hash new_hash",
        "see which addresses were renamed in the last ten minutes",
    ),
    (
        "key_packages",
        "random_key address_hash key_package_id last_resort sealed",
        "count queues, addresses, key packages",
    ),
    (
        "channels",
        "channel_hash epoch lock min_send_epoch next_number last_commit_hash last_commit_number last_used_day hosted",
        "see of each channel how many commits and messages it ever ordered",
    ),
    (
        "blobs",
        "blob_hash size uploaded last_day",
        "the size of each blob",
    ),
    (
        "invitations",
        "code_hash uses expires_s",
        "invitations and spent tokens",
    ),
    (
        "spent_tokens",
        "token_hash last_day",
        "invitations and spent tokens",
    ),
    (
        "temporary_queues",
        "queue_id",
        "see which queues are temporary",
    ),
    (
        "ended_temporary_queues",
        "last_day queues",
        "how many temporary queues were used and deleted",
    ),
    (
        "invitation_allowances",
        "queue_id day made",
        "how many invitations for further devices a queue made on the last day",
    ),
    (
        "parcels",
        "server sequence last_day sealed",
        "see which other servers something waits for, how much and in what order",
    ),
    (
        "brought_parcels",
        "parcel_hash last_day",
        "count what other servers brought on a day",
    ),
    (
        "bells",
        "queue_id bell_hash last_day rung",
        "the hash of its bell's secret",
    ),
];

/// The only table with row numbers: they are random.
const NUMBERED: &str = "key_packages";
/// The only time that is finer than a day: an administrator wrote it.
const FINE: (&str, &str) = ("invitations", "expires_s");
/// Days since 1970 have five digits for the next two centuries; anything finer has more.
const LAST_DAY: i64 = 99_999;

/// What the columns of a database show beyond what is admitted, one sentence each, and how many columns were looked at.
///
/// # Errors
/// If it can't be read.
pub fn beyond(database: &Database) -> Outcome<(Vec<String>, usize)> {
    let mut found = Vec::new();
    let columns = database.texts(
        "SELECT t.name || ' ' || c.name FROM sqlite_schema t JOIN pragma_table_info(t.name) c WHERE t.type = 'table'",
    )?;
    for both in &columns {
        let Some((table, column)) = both.split_once(' ') else {
            continue;
        };
        let is_admitted = ADMITTED
            .iter()
            .any(|(of, its, _)| *of == table && its.split(' ').any(|one| one == column));
        if !is_admitted {
            found.push(format!("nothing is said of {table}.{column}"));
        }
        let is_time = column.ends_with("day") || column.ends_with("_s") || column.ends_with("_ms");
        if is_time && (table, column) != FINE {
            let fine = database.texts(&format!(
                "SELECT '{table}.{column} says more than a day: ' || max({column}) FROM {table} HAVING max({column}) > {LAST_DAY}"
            ))?;
            found.extend(fine);
        }
    }
    found.extend(database.texts(&format!(
        "SELECT name || ' numbers its rows in the order of writing' FROM sqlite_schema
         WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND sql NOT LIKE '%WITHOUT ROWID%' AND name <> '{NUMBERED}'"
    ))?);
    let sizes: Vec<_> = ITEM_CLASSES
        .iter()
        .map(|class| (class + SEAL_OVERHEAD).to_string())
        .collect();
    found.extend(database.texts(&format!(
        "SELECT DISTINCT 'an item of ' || length(sealed) || ' bytes' FROM items WHERE length(sealed) NOT IN ({})",
        sizes.join(", ")
    ))?);
    Ok((found, columns.len()))
}

/// What the write-ahead log of a server at rest still groups, which should be nothing: once it was stopped in order, and once it had nothing
/// to do for some seconds.
///
/// # Errors
/// If a copy can't be read.
pub fn grouped_at_rest(evidence: &Evidence) -> Outcome<(Vec<String>, usize)> {
    let at_rest: Vec<&Copy> = evidence.copies.iter().filter(|copy| copy.at_rest).collect();
    let mut found = Vec::new();
    for copy in &at_rest {
        let log = wal::grouping(&copy.data())?;
        if log.commits > 0 {
            found.push(format!(
                "the log still tells {} transactions apart ({})",
                log.commits, copy.moment
            ));
        }
    }
    Ok((found, at_rest.len()))
}
