//! What somebody learns who copies the server's disk: counts, sizes by class, days, and what the log groups.
//!
//! `docs/threat-model.md` section 1 says the same in words; a row that comes here is written there.

use std::path::Path;

use comfy_table::Table;
use comfy_table::presets::UTF8_FULL_CONDENSED;

use super::database::Database;
use super::wal::{self, Grouping};
use crate::failed::Outcome;

/// One line of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// What it is about.
    pub thing: &'static str,
    /// What can be seen of it.
    pub seen: String,
}

/// Questions, in order; the answers' rows are joined by commas. Days are written as dates.
const QUESTIONS: [(&str, &str); 18] = [
    ("queues", "SELECT count(*) FROM queues"),
    (
        "  kept until, and so the day of the last sign-in",
        "SELECT date(last_day * 86400, 'unixepoch') || ' (' || count(*) || ')' FROM queues GROUP BY last_day",
    ),
    (
        "  day on which the owner last renewed the key",
        "SELECT date(hpke_key_day * 86400, 'unixepoch') || ' (' || count(*) || ')' FROM queues GROUP BY hpke_key_day",
    ),
    (
        "  items ever received, by queue (from their numbers)",
        "SELECT max(coalesce(floor, 0), coalesce((SELECT max(sequence) + 1 FROM items i WHERE i.queue_id = q.queue_id), 0)) \
         FROM queues q LEFT JOIN queue_floors USING (queue_id) ORDER BY 1",
    ),
    (
        "  blind tokens issued on its last day (how many queues)",
        "SELECT issued || ' (' || count(*) || ') on ' || date(day * 86400, 'unixepoch') FROM token_allowances GROUP BY issued, day",
    ),
    (
        "  with a bell for a locked app, and its end, days after a sign-in",
        "SELECT count(*) || ' until ' || date(last_day * 86400, 'unixepoch') FROM bells GROUP BY last_day",
    ),
    (
        "addresses: kind (how many)",
        "SELECT CASE kind WHEN 1 THEN 'conversation' WHEN 2 THEN 'contact link' ELSE 'key package' END || ' (' || count(*) || ')' \
         FROM addresses GROUP BY kind",
    ),
    (
        "  addresses, by queue",
        "SELECT count(*) FROM addresses GROUP BY queue_id ORDER BY count(*)",
    ),
    (
        "  renamed within the last 10 minutes (all of one removal together)",
        "SELECT count(*) FROM renamed_addresses",
    ),
    (
        "key packages, opaque",
        "SELECT CASE last_resort WHEN 0 THEN 'one-time' ELSE 'last resort' END || ' (' || count(*) || ')' \
         FROM key_packages GROUP BY last_resort",
    ),
    (
        "channels: epoch/next number, last used",
        "SELECT group_concat(epoch || '/' || next_number, ' ') || ' on ' || date(last_used_day * 86400, 'unixepoch') FROM channels GROUP BY last_used_day",
    ),
    (
        "items waiting: bytes x how many, kept until",
        "SELECT length(sealed) || ' x ' || count(*) || ' until ' || date(last_day * 86400, 'unixepoch') \
         FROM items GROUP BY length(sealed), last_day",
    ),
    (
        "  items waiting, by queue",
        "SELECT count(*) FROM items GROUP BY queue_id ORDER BY count(*)",
    ),
    (
        "blobs: bytes x how many, kept until",
        "SELECT size || ' x ' || count(*) || ' until ' || date(last_day * 86400, 'unixepoch') FROM blobs GROUP BY size, last_day",
    ),
    (
        "invitations: uses left, end",
        "SELECT uses || coalesce(' until ' || datetime(expires_s, 'unixepoch'), '') FROM invitations",
    ),
    (
        "parcels for other servers: which, how many and how large, kept until",
        "SELECT server || ': ' || count(*) || ', ' || sum(length(sealed)) || ' bytes, until ' || date(last_day * 86400, 'unixepoch') \
         FROM parcels GROUP BY server, last_day",
    ),
    (
        "parcels that other servers brought: how many, marked until",
        "SELECT count(*) || ' until ' || date(last_day * 86400, 'unixepoch') FROM brought_parcels GROUP BY last_day",
    ),
    (
        "spent tokens, kept until",
        "SELECT date(last_day * 86400, 'unixepoch') || ' (' || count(*) || ')' FROM spent_tokens GROUP BY last_day",
    ),
];

/// What a copied data folder gives away.
///
/// # Errors
/// If it can't be read.
pub fn from_disk(data: &Path) -> Outcome<Vec<Line>> {
    let database = Database::open(data)?;
    let mut lines = Vec::new();
    for (thing, sql) in QUESTIONS {
        // Whatever type an answer has, it is shown as text.
        let answers = database.texts(&format!(
            "SELECT CAST(answer AS TEXT) FROM ({})",
            named(sql)
        ))?;
        lines.push(Line {
            thing,
            seen: shown(&answers),
        });
    }
    lines.extend(from_log(&wal::grouping(data)?));
    Ok(lines)
}

/// The question with its column called `answer`.
fn named(sql: &str) -> String {
    format!("WITH asked(answer) AS ({sql}) SELECT answer FROM asked")
}

fn from_log(log: &Grouping) -> Vec<Line> {
    let several = if log.several.is_empty() {
        "none".to_owned()
    } else {
        let least = log.several.iter().min().copied().unwrap_or_default();
        let most = log.several.iter().max().copied().unwrap_or_default();
        let queues = if least == most {
            most.to_string()
        } else {
            format!("{least} to {most}")
        };
        format!(
            "{}, into {queues} queues each; pairs of queues so joined: {}",
            log.several.len(),
            log.pairs
        )
    };
    let line = |thing, seen| Line { thing, seen };
    vec![
        line(
            "write-ahead log of the last seconds",
            format!("{} bytes, {} transactions", log.bytes, log.commits),
        ),
        line(
            "  transactions that put items into one queue",
            log.single.to_string(),
        ),
        line("  transactions that put items into several queues", several),
        line(
            "  of both, those that also changed a channel",
            log.with_channel.to_string(),
        ),
    ]
}

fn shown(answers: &[String]) -> String {
    const MOST: usize = 12;
    if answers.is_empty() {
        return "none".to_owned();
    }
    let mut shown = answers
        .iter()
        .take(MOST)
        .cloned()
        .collect::<Vec<_>>()
        .join(", ");
    if answers.len() > MOST {
        shown.push_str(&format!(", and {} more", answers.len() - MOST));
    }
    shown
}

/// The lines as a table for the terminal.
pub fn table(lines: &[Line], width: u16) -> String {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table.set_content_arrangement(comfy_table::ContentArrangement::Dynamic);
    table.set_width(width);
    table.set_header(["what is there", "what can be seen of it"]);
    for line in lines {
        table.add_row([line.thing, &line.seen]);
    }
    table.to_string()
}
