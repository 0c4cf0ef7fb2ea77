//! What a copied disk may show at all: every column of every table, with the words of `docs/threat-model.md` section 1 that admit it.
//!
//! A column that is not here, a time finer than a day, a length that is no class, or a table whose row numbers tell an order, is told.

use super::database::Database;
use super::wal;
use super::{Copy, Evidence};
use crate::failed::Outcome;
use undertone_wire::padding::{ITEM_CLASSES, SEAL_OVERHEAD};

/// What the page says of days, names and keys, which many tables have.
const DAYS: &str = "see the day (UTC) on which rows expire";
const NAMES: &str = "All names (of queues, addresses, channels, blobs, invitations, tokens) are random or hashes of what is";
const SEALED_TOGETHER: &str = "which of its waiting items were sealed with one key";
const CAME_IN_ORDER: &str = "in what order they came";
const OWNERS_KEYS: &str = "the public keys of its owner";
const KEY_OF_A_DAY: &str = "to its owner's key of which day";
const EVER_ORDERED: &str = "see of each channel how many commits and messages it ever ordered, and the day on which it was last used";
const PACKAGES: &str =
    "of each address how many key packages are left and the ids by which they are taken back";
const PARCELS: &str = "see which other servers something waits for, how much and in what order";
const OWN_KEYS: &str = "read the server's own keys (TLS identity, token keys)";

/// A column, and the words that admit it.
type Admitted = (&'static str, &'static str);

/// Each table, and of each of its columns what is said of it.
pub const ADMITTED: [(&str, &[Admitted]); 19] = [
    ("server_records", &[("name", OWN_KEYS), ("value", OWN_KEYS)]),
    (
        "queues",
        &[
            ("queue_id", NAMES),
            ("signing_key", OWNERS_KEYS),
            ("hpke_key", OWNERS_KEYS),
            ("hpke_key_day", "on which it last renewed its key"),
            (
                "last_day",
                "the day on which it last signed in (by its expiry)",
            ),
        ],
    ),
    (
        "queue_floors",
        &[
            ("queue_id", NAMES),
            (
                "floor",
                "see of each queue how many items it ever got and how many wait",
            ),
        ],
    ),
    (
        "token_allowances",
        &[
            ("queue_id", NAMES),
            ("day", "how many tokens it was given on its last day"),
            ("issued", "how many tokens it was given on its last day"),
        ],
    ),
    (
        "items",
        &[
            (
                "queue_id",
                "see of each queue how many items it ever got and how many wait",
            ),
            ("sequence", CAME_IN_ORDER),
            ("key_id", SEALED_TOGETHER),
            ("nonce", CAME_IN_ORDER),
            ("last_day", DAYS),
            ("sealed", "which of five sizes each waiting item has"),
        ],
    ),
    (
        "sealing_keys",
        &[
            ("queue_id", SEALED_TOGETHER),
            ("key_id", SEALED_TOGETHER),
            ("first_sequence", CAME_IN_ORDER),
            ("enc", KEY_OF_A_DAY),
            ("sealed", KEY_OF_A_DAY),
            ("hpke_key_day", KEY_OF_A_DAY),
        ],
    ),
    (
        "addresses",
        &[
            ("address_hash", NAMES),
            ("queue_id", "see of each queue which addresses lead to it"),
            (
                "kind",
                "which of them are contact links and places for Welcomes",
            ),
        ],
    ),
    (
        "renamed_addresses",
        &[
            (
                "old_hash",
                "see which addresses were renamed in the last ten minutes, and to what",
            ),
            (
                "new_hash",
                "see which addresses were renamed in the last ten minutes, and to what",
            ),
        ],
    ),
    (
        "key_packages",
        &[
            ("random_key", NAMES),
            ("address_hash", PACKAGES),
            ("key_package_id", PACKAGES),
            ("last_resort", PACKAGES),
            ("sealed", "count queues, addresses, key packages"),
        ],
    ),
    (
        "channels",
        &[
            ("channel_hash", NAMES),
            ("epoch", EVER_ORDERED),
            ("lock", "of the key to the next"),
            (
                "min_send_epoch",
                "see of each channel the oldest epoch from which it still takes messages",
            ),
            ("next_number", EVER_ORDERED),
            ("last_commit_hash", "a hash of that commit"),
            (
                "last_commit_number",
                "see of each channel how many messages came since its last commit",
            ),
            ("last_used_day", EVER_ORDERED),
            (
                "hosted",
                "see of each channel whether somebody made it with this server's tokens",
            ),
        ],
    ),
    (
        "blobs",
        &[
            ("blob_hash", NAMES),
            ("size", "the size of each blob"),
            ("uploaded", "how much of an unfinished one has come"),
            ("last_day", DAYS),
        ],
    ),
    (
        "invitations",
        &[
            ("code_hash", NAMES),
            ("uses", "of an invitation how many uses are left"),
            ("expires_s", "the midnight at which it ends"),
        ],
    ),
    (
        "spent_tokens",
        &[("token_hash", "spent tokens"), ("last_day", DAYS)],
    ),
    (
        "temporary_queues",
        &[("queue_id", "see which queues are temporary")],
    ),
    (
        "ended_temporary_queues",
        &[
            ("last_day", "were used and deleted today and yesterday"),
            ("queues", "how many temporary queues were used and deleted"),
        ],
    ),
    (
        "invitation_allowances",
        &[
            ("queue_id", "a queue made on the last day that it made any"),
            ("day", "on the last day that it made any"),
            (
                "made",
                "how many invitations for further devices a queue made",
            ),
        ],
    ),
    (
        "parcels",
        &[
            ("server", PARCELS),
            ("sequence", PARCELS),
            ("last_day", DAYS),
            ("sealed", PARCELS),
        ],
    ),
    (
        "brought_parcels",
        &[
            ("parcel_hash", "count what other servers brought on a day"),
            ("last_day", "count what other servers brought on a day"),
        ],
    ),
    (
        "bells",
        &[
            (
                "queue_id",
                "see of each queue whether an app that goes on running while it is locked was open there within 31 days",
            ),
            ("bell_hash", "the hash of its bell's secret"),
            ("last_day", "was open there within 31 days"),
            (
                "rung",
                "but not whether it was ever locked, or heard anything",
            ),
        ],
    ),
];

/// The words of the page that are not there, of what is asked for: the section's text with single spaces.
pub fn unsaid<'w>(
    section: &str,
    words: impl IntoIterator<Item = (&'w str, &'w str)>,
) -> Vec<String> {
    let unsaid = words
        .into_iter()
        .filter(|(_, words)| !section.contains(words));
    unsaid.map(|(of, words)| format!("{of}: {words}")).collect()
}

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
            .any(|(of, its)| *of == table && its.iter().any(|(one, _)| *one == column));
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
        if log.bytes > 0 {
            found.push(format!(
                "the log still holds {} bytes and tells {} transactions apart ({})",
                log.bytes, log.commits, copy.moment
            ));
        }
    }
    Ok((found, at_rest.len()))
}
