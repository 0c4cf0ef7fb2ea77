//! The seizure drill: a small town talks through a server, the server's disk is copied at several moments, and the copies
//! are read as by somebody who knows every format.
//!
//! [`live`] makes the [`Evidence`]; the other files each ask it one question. [`verdict`] asks all. What must stay true: nothing
//! is looked for by where it is expected. Secrets are taken from the apps' own stores and looked for in every byte, values are
//! compared across every table, and every 32 bytes are tried as a key.

pub mod admitted;
pub mod database;
pub mod joins;
pub mod keys;
pub mod learned;
mod leftover;
pub mod logs;
pub mod search;
mod secrets;
pub mod sharing;
mod town;
pub mod wal;

pub use secrets::Secrets;
pub use town::{Copy, EVERYTHING_WAITS, Evidence, live};

use std::collections::BTreeSet;

use crate::failed::{Failed, Outcome};
use database::Database;
use keys::Targets;
use search::Search;

/// One question's answer.
pub struct Finding {
    /// What must hold.
    pub claim: &'static str,
    /// What was looked at.
    pub extent: String,
    /// What speaks against it; empty: it holds.
    pub against: Vec<String>,
}

impl Finding {
    /// An error unless it holds.
    ///
    /// # Errors
    /// The first few things that speak against it.
    pub fn hold(&self) -> Outcome {
        if self.against.is_empty() {
            return Ok(());
        }
        let first = self
            .against
            .iter()
            .take(12)
            .cloned()
            .collect::<Vec<_>>()
            .join("; ");
        Err(Failed::harness(
            self.claim,
            format!("{first} ({} in all).", self.against.len()),
        ))
    }
}

/// Without these a search would find nothing because it looked for nothing.
const MUST_BE_LOOKED_FOR: [&str; 13] = [
    "message text",
    "name",
    "group name",
    "file name",
    "content of a file",
    "photo's metadata",
    "invitation",
    "link secret",
    "account.account_id",
    "certificate",
    "addresses.secret",
    "conversations.channel_id",
    "queue's HPKE private key",
];

/// Tables that say something of queues and channels; comparing them when they are empty joins nothing.
const MUST_HAVE_ROWS: [&str; 7] = [
    "queues",
    "addresses",
    "key_packages",
    "channels",
    "items",
    "sealing_keys",
    "blobs",
];

fn knows_what_to_look_for(evidence: &Evidence) -> Outcome {
    for kind in MUST_BE_LOOKED_FOR {
        let is_one = |needle: &crate::disk::Needle| needle.name == kind;
        if !evidence.secrets.needles.iter().any(is_one) {
            return Err(Failed::harness(
                "searching",
                format!("no {kind} is known to look for, so it proves nothing."),
            ));
        }
    }
    Ok(())
}

/// No byte of any copy is a secret's.
///
/// # Errors
/// If a copy can't be read.
pub fn names_nobody(evidence: &Evidence) -> Outcome<Finding> {
    knows_what_to_look_for(evidence)?;
    let search = Search::new(evidence.secrets.needles.iter().cloned());
    let mut against = Vec::new();
    for copy in &evidence.copies {
        let found = search
            .in_folder(&copy.folder)
            .map_err(|error| Failed::harness("reading a copied disk", error))?;
        against.extend(found.into_iter().map(|found| {
            let file = found
                .path
                .strip_prefix(&copy.folder)
                .unwrap_or(&found.path)
                .display()
                .to_string();
            format!(
                "{} stands in {file} at byte {} ({})",
                found.name, found.offset, copy.moment
            )
        }));
    }
    Ok(Finding {
        claim: "a seized disk names nobody and nothing",
        extent: format!(
            "{} secrets in all their forms, {} copies",
            search.len(),
            evidence.copies.len()
        ),
        against,
    })
}

/// No two queues, and no queue and blob, hold the same 16 bytes.
///
/// # Errors
/// If a copy can't be read.
pub fn shares_no_run(evidence: &Evidence) -> Outcome<Finding> {
    let runs = sharing::runs(&evidence.copies)?;
    if runs.compared == 0 {
        return Err(Failed::harness(
            "comparing queues",
            "no copy holds an item.",
        ));
    }
    Ok(Finding {
        claim: "no sixteen bytes stand in two queues",
        extent: format!("{} runs of {} bytes", runs.compared, sharing::RUN),
        against: runs
            .shared
            .iter()
            .map(|(one, other)| format!("{one:?} and {other:?}"))
            .collect(),
    })
}

/// No value joins what must not be joined.
///
/// # Errors
/// If a copy can't be read.
pub fn joins_nothing(evidence: &Evidence) -> Outcome<Finding> {
    let (mut against, mut cells, mut tables) = (Vec::new(), 0, BTreeSet::new());
    for copy in &evidence.copies {
        let database = Database::open(&copy.data())?;
        let found = database.cells()?;
        cells += found.len();
        tables.extend(found.into_iter().map(|cell| cell.table));
        let found = joins::forbidden(&database)?;
        against.extend(
            found
                .into_iter()
                .map(|found| format!("{found} ({})", copy.moment)),
        );
    }
    if let Some(empty) = MUST_HAVE_ROWS.iter().find(|name| !tables.contains(**name)) {
        let sentence = format!("no copy has a row of {empty}, so it proves nothing.");
        return Err(Failed::harness("comparing tables", sentence));
    }
    Ok(Finding {
        claim: "no table joins a channel to a queue, or two queues to each other",
        extent: format!("{cells} values of all tables"),
        against,
    })
}

/// Nothing is there but what `docs/threat-model.md` admits: by table and column, by row number, size, day, and transaction of the log.
///
/// # Errors
/// If a copy can't be read.
pub fn shows_what_is_admitted(evidence: &Evidence) -> Outcome<Finding> {
    let (mut against, mut columns) = (Vec::new(), 0);
    for copy in &evidence.copies {
        let (found, looked_at) = admitted::beyond(&Database::open(&copy.data())?)?;
        columns = columns.max(looked_at);
        against.extend(
            found
                .into_iter()
                .map(|found| format!("{found} ({})", copy.moment)),
        );
    }
    let (grouped, at_rest) = admitted::grouped_at_rest(evidence)?;
    if columns == 0 || at_rest == 0 {
        let sentence = format!("{columns} columns, {at_rest} copies at rest.");
        return Err(Failed::harness("looking at tables", sentence));
    }
    against.extend(grouped);
    Ok(Finding {
        claim: "rows, sizes, days and transactions show no more than is admitted",
        extent: format!("{columns} columns of all tables, the log of {at_rest} copies at rest"),
        against,
    })
}

/// No 32 bytes in a row, anywhere in these copies, open any item of any copy.
///
/// # Errors
/// If a copy can't be read, or the trial would not notice a key: then it proves nothing.
pub fn opens_nothing(
    evidence: &Evidence,
    copies: &[Copy],
    progress: &dyn Fn(&str),
) -> Outcome<Finding> {
    let step = "trying keys";
    let targets = Targets::of(&evidence.copies)?;
    let mut known = Vec::new();
    for copy in &evidence.copies {
        known.extend(keys::with_the_owners_help(copy, &evidence.secrets)?);
    }
    known.sort();
    known.dedup();
    if known.is_empty() || targets.keys() == 0 {
        return Err(Failed::harness(
            step,
            "no item waits whose owner could open it.",
        ));
    }
    if !known.iter().any(|key| targets.opened_by(key) == [0]) {
        return Err(Failed::harness(
            step,
            "the right key was not noticed, so this trial proves nothing.",
        ));
    }
    let sealing_keys = Search::new(
        known
            .iter()
            .flat_map(|key| crate::disk::Needle::bytes("sealing key", key)),
    );
    let (mut against, mut tried) = (Vec::new(), 0);
    for copy in copies {
        let (windows, opened) = targets.opened_by_folder(&copy.folder, &|done| {
            progress(&format!(
                "{}: {} million places tried as a key",
                copy.moment,
                done / 1_000_000
            ));
        })?;
        tried += windows;
        against.extend(
            opened
                .into_iter()
                .map(|at| format!("{} at byte {} ({})", at.file, at.offset, copy.moment)),
        );
        let found = sealing_keys
            .in_folder(&copy.folder)
            .map_err(|error| Failed::harness(step, error))?;
        against.extend(
            found
                .into_iter()
                .map(|found| format!("{} in {}", found.name, found.path.display())),
        );
    }
    Ok(Finding {
        claim: "no key on the disk opens an item, queued before or after",
        extent: format!(
            "every 32 bytes in a row of {} copies, {tried} in all, against {} sealing keys",
            copies.len(),
            targets.keys()
        ),
        against,
    })
}

/// What waits for somebody who is away.
#[derive(Debug)]
pub struct Waiting {
    /// How many messages were written to them.
    pub messages: usize,
    /// How many items the copied disk holds in their queue.
    pub items: usize,
}

/// What waits for each of those who were away, when the most did.
///
/// # Errors
/// If that copy can't be read, or somebody's queue is not known.
pub fn waiting(evidence: &Evidence) -> Outcome<Vec<Waiting>> {
    let step = "counting what waits";
    let copy = evidence
        .copies
        .iter()
        .find(|copy| copy.moment == EVERYTHING_WAITS)
        .ok_or_else(|| Failed::harness(step, "there is no such copy."))?;
    let items = Database::open(&copy.data())?.items()?;
    let of_person = |(person, messages): &(String, usize)| {
        let queue = evidence
            .secrets
            .queues
            .get(person)
            .ok_or_else(|| Failed::harness(step, format!("no queue of {person} is known.")))?;
        Ok(Waiting {
            messages: *messages,
            items: items.iter().filter(|item| item.queue == *queue).count(),
        })
    };
    evidence.written_to.iter().map(of_person).collect()
}

/// No log names anybody.
///
/// # Errors
/// If somebody's log has nothing in it at debug level: then it proves nothing.
pub fn logs_name_nobody(evidence: &Evidence) -> Outcome<Finding> {
    knows_what_to_look_for(evidence)?;
    if let Some(whose) = logs::quiet_at_debug_level(evidence) {
        return Err(Failed::harness(
            "reading logs",
            format!("{whose} has no line at debug level."),
        ));
    }
    let (server, apps) = logs::lines(evidence);
    Ok(Finding {
        claim: "logs name nobody, at debug level, on both sides",
        extent: format!("{server} lines of the server, {apps} of the apps"),
        against: logs::naming(evidence),
    })
}

/// Every question at once.
///
/// # Errors
/// If one can't be answered.
pub fn verdict(evidence: &Evidence, progress: &dyn Fn(&str)) -> Outcome<Vec<Finding>> {
    progress("Looking for every secret in every byte of the copies");
    let names = names_nobody(evidence)?;
    progress("Comparing what waits in different queues");
    let runs = shares_no_run(evidence)?;
    progress("Comparing the values of all tables");
    let joins = joins_nothing(evidence)?;
    let admitted = shows_what_is_admitted(evidence)?;
    progress("Trying every 32 bytes as a key");
    let opens = opens_nothing(evidence, &evidence.copies, progress)?;
    progress("Reading the logs");
    let logs = logs_name_nobody(evidence)?;
    Ok(vec![names, runs, joins, admitted, opens, logs])
}
