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

/// What is asked of a copied database.
pub struct Question {
    /// What it is about.
    pub thing: &'static str,
    /// The words of `docs/threat-model.md` section 1 that say that this can be known.
    pub admitted: &'static str,
    /// Its rows are joined by commas. Days are written as dates.
    pub sql: &'static str,
}

/// In the order of the table; every table of the database is in one of them.
pub const QUESTIONS: [Question; 27] = [
    Question {
        thing: "queues",
        admitted: "count queues",
        sql: "SELECT count(*) FROM queues",
    },
    Question {
        thing: "  kept until, and so the day of the last sign-in",
        admitted: "the day on which it last signed in (by its expiry)",
        sql: "SELECT date(last_day * 86400, 'unixepoch') || ' (' || count(*) || ')' FROM queues GROUP BY last_day",
    },
    Question {
        thing: "  day on which the owner last renewed the key",
        admitted: "on which it last renewed its key",
        sql: "SELECT date(hpke_key_day * 86400, 'unixepoch') || ' (' || count(*) || ')' FROM queues GROUP BY hpke_key_day",
    },
    Question {
        thing: "  items ever received, by queue (from their numbers)",
        admitted: "see of each queue how many items it ever got",
        sql: "SELECT max(coalesce(floor, 0), coalesce((SELECT max(sequence) + 1 FROM items i WHERE i.queue_id = q.queue_id), 0)) \
         FROM queues q LEFT JOIN queue_floors USING (queue_id) ORDER BY 1",
    },
    Question {
        thing: "  blind tokens issued on its last day (how many queues)",
        admitted: "how many tokens it was given on its last day",
        sql: "SELECT issued || ' (' || count(*) || ') on ' || date(day * 86400, 'unixepoch') FROM token_allowances GROUP BY issued, day",
    },
    Question {
        thing: "  invitations for further devices, made on its last such day (how many queues)",
        admitted: "how many invitations for further devices a queue made",
        sql: "SELECT made || ' (' || count(*) || ') on ' || date(day * 86400, 'unixepoch') FROM invitation_allowances GROUP BY made, day",
    },
    Question {
        thing: "  temporary ones",
        admitted: "see which queues are temporary",
        sql: "SELECT count(*) FROM temporary_queues",
    },
    Question {
        thing: "  temporary ones that were used and deleted, counted until",
        admitted: "how many temporary queues were used and deleted",
        sql: "SELECT queues || ' until ' || date(last_day * 86400, 'unixepoch') FROM ended_temporary_queues",
    },
    Question {
        thing: "  with a bell for a locked app, and its end, days after a sign-in",
        admitted: "the hash of its bell's secret",
        sql: "SELECT count(*) || ' until ' || date(last_day * 86400, 'unixepoch') FROM bells GROUP BY last_day",
    },
    Question {
        thing: "addresses: kind (how many)",
        admitted: "which of them are contact links and places for Welcomes",
        sql: "SELECT CASE kind WHEN 1 THEN 'conversation' WHEN 2 THEN 'contact link' ELSE 'key package' END || ' (' || count(*) || ')' \
         FROM addresses GROUP BY kind",
    },
    Question {
        thing: "  addresses, by queue",
        admitted: "see of each queue which addresses lead to it",
        sql: "SELECT count(*) FROM addresses GROUP BY queue_id ORDER BY count(*)",
    },
    Question {
        thing: "  renamed within the last 10 minutes (all of one removal together)",
        admitted: "see which addresses were renamed in the last ten minutes",
        sql: "SELECT count(*) FROM renamed_addresses",
    },
    Question {
        thing: "key packages, opaque",
        admitted: "count queues, addresses, key packages",
        sql: "SELECT CASE last_resort WHEN 0 THEN 'one-time' ELSE 'last resort' END || ' (' || count(*) || ')' \
         FROM key_packages GROUP BY last_resort",
    },
    Question {
        thing: "  key packages, by address",
        admitted: "of each address how many key packages are left",
        sql: "SELECT count(*) FROM key_packages GROUP BY address_hash ORDER BY count(*)",
    },
    Question {
        thing: "channels: epoch/next number, last used",
        admitted: "see of each channel how many commits and messages it ever ordered",
        sql: "SELECT group_concat(epoch || '/' || next_number, ' ') || ' on ' || date(last_used_day * 86400, 'unixepoch') FROM channels GROUP BY last_used_day",
    },
    Question {
        thing: "  messages since the last commit",
        admitted: "see of each channel how many messages came since its last commit",
        sql: "SELECT next_number - 1 - last_commit_number FROM channels ORDER BY 1",
    },
    Question {
        thing: "  oldest epoch taken, before the present one (2: nobody was removed lately)",
        admitted: "see of each channel the oldest epoch from which it still takes messages",
        sql: "SELECT (epoch - min_send_epoch) || ' (' || count(*) || ')' FROM channels GROUP BY epoch - min_send_epoch",
    },
    Question {
        thing: "  made with this server's tokens, or from another server only",
        admitted: "see of each channel whether somebody made it with this server's tokens",
        sql: "SELECT CASE hosted WHEN 0 THEN 'other server' ELSE 'this server' END || ' (' || count(*) || ')' FROM channels GROUP BY hosted",
    },
    Question {
        thing: "items waiting: bytes x how many, kept until",
        admitted: "which of five sizes each waiting item has",
        sql: "SELECT length(sealed) || ' x ' || count(*) || ' until ' || date(last_day * 86400, 'unixepoch') \
         FROM items GROUP BY length(sealed), last_day",
    },
    Question {
        thing: "  items waiting, by queue",
        admitted: "and how many wait",
        sql: "SELECT count(*) FROM items GROUP BY queue_id ORDER BY count(*)",
    },
    Question {
        thing: "  items waiting, by the key that sealed them",
        admitted: "which of its waiting items were sealed with one key",
        sql: "SELECT count(*) FROM items JOIN sealing_keys USING (queue_id, key_id) GROUP BY queue_id, key_id ORDER BY count(*)",
    },
    Question {
        thing: "blobs: bytes come of bytes in all x how many, kept until",
        admitted: "how much of an unfinished one has come",
        sql: "SELECT uploaded || ' of ' || size || ' x ' || count(*) || ' until ' || date(last_day * 86400, 'unixepoch') \
         FROM blobs GROUP BY uploaded, size, last_day",
    },
    Question {
        thing: "invitations: uses left, end",
        admitted: "of an invitation how many uses are left",
        sql: "SELECT uses || coalesce(' until ' || datetime(expires_s, 'unixepoch'), '') FROM invitations",
    },
    Question {
        thing: "parcels for other servers: which, how many and how large, kept until",
        admitted: "see which other servers something waits for, how much",
        sql: "SELECT server || ': ' || count(*) || ', ' || sum(length(sealed)) || ' bytes, until ' || date(last_day * 86400, 'unixepoch') \
         FROM parcels GROUP BY server, last_day",
    },
    Question {
        thing: "parcels that other servers brought: how many, marked until",
        admitted: "count what other servers brought on a day",
        sql: "SELECT count(*) || ' until ' || date(last_day * 86400, 'unixepoch') FROM brought_parcels GROUP BY last_day",
    },
    Question {
        thing: "spent tokens, kept until",
        admitted: "invitations and spent tokens",
        sql: "SELECT date(last_day * 86400, 'unixepoch') || ' (' || count(*) || ')' FROM spent_tokens GROUP BY last_day",
    },
    Question {
        thing: "the server's own records and keys: bytes",
        admitted: "read the server's own keys",
        sql: "SELECT name || ' ' || length(value) FROM server_records",
    },
];

/// What a copied data folder gives away.
///
/// # Errors
/// If it can't be read.
pub fn from_disk(data: &Path) -> Outcome<Vec<Line>> {
    let database = Database::open(data)?;
    let mut lines = Vec::new();
    for Question { thing, sql, .. } in QUESTIONS {
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
            format!(
                "{} bytes, {} transactions ({} of an earlier use of the file, read as far as can be)",
                log.bytes, log.commits, log.earlier
            ),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seizure::admitted::ADMITTED;

    /// Whoever admits a table shows it, too.
    #[test]
    fn every_table_is_in_a_question() {
        let asked: Vec<&str> = QUESTIONS
            .iter()
            .flat_map(|question| question.sql.split_whitespace())
            .collect();
        let is_asked = |table: &str| {
            asked
                .windows(2)
                .any(|pair| ["FROM", "JOIN"].contains(&pair[0]) && pair[1] == table)
        };
        let left_out: Vec<_> = ADMITTED
            .iter()
            .map(|(table, _)| table)
            .filter(|table| !is_asked(table))
            .collect();
        assert!(left_out.is_empty(), "{left_out:?}");
    }
}
