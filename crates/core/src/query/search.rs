//! Looking for messages: by words (FTS5), chat, person, date and sort, the newest first.
//!
//! The index lies in the same encrypted file as the messages. What a person types is never SQL and never FTS5's own language: it
//! is cut into words, each quoted, each the beginning of a word. Words of new messages come into it many messages at a time
//! (triggers of migrations 0020 and 0027), and whoever searches has the rest put in first.
//!
//! Beside its words the index has marks of each message: where, by whom and in which month it was written ([`Mark`]). So what is narrowed
//! down is answered by the index alone, and not by looking at every message that has a common word.

use data_encoding::HEXUPPER;
use rusqlite::{Connection, OptionalExtension as _, ToSql};

use super::{conversation_of, message_by_row};
use crate::{
    error::Result,
    sync::account::Me,
    view::{MessageInfo, Search, SearchKind},
};

/// Found at once, if nothing is said, and at most.
const USUAL: u32 = 50;
const MOST: u32 = 200;
/// Words looked for, at most.
const WORDS: usize = 16;

/// Where to look. The index gives its rows newest first, so the first ones that fit are the newest ones.
const EVERYWHERE: &str = "SELECT m.id FROM messages m WHERE m.kind = 1 AND m.gone = 0";
const IN_INDEX: &str = "SELECT x.rowid FROM messages_text x CROSS JOIN messages m ON m.id = x.rowid WHERE messages_text MATCH ?1 AND m.kind = 1 AND m.gone = 0";
/// Files by an index that has their names and kinds, and not the previews beside them.
const IN_FILES: &str =
    "SELECT DISTINCT n.message FROM message_files n INDEXED BY message_files_newest CROSS JOIN messages m ON m.id = n.message
    WHERE m.kind = 1 AND m.gone = 0";
const FILES_OF: &str = "SELECT 1 FROM message_files n WHERE n.message = m.id";
/// So many messages at most are looked through for names of files; else the files are.
const FEW: u32 = 5_000;

/// What a month is (a twelfth of a year of 365.25 days), and where they begin: 2024. As in migration 0027.
const MONTH_MS: i64 = 2_629_800_000;
const FIRST_MS: i64 = 1_704_067_200_000;
/// Longer than that nobody has had this app, whatever clocks said: by so many months nothing is looked up.
const MONTHS: i64 = 360;

/// A word of the index that nobody can type, for it begins with a character for private use: what migration 0027 puts beside the words.
enum Mark<'s> {
    Chat(i64),
    Person(&'s [u8]),
    Month(i64),
    Sort(SearchKind),
}

impl Mark<'_> {
    fn term(&self) -> String {
        match self {
            Self::Chat(chat) => format!("\"\u{e001}{chat}\""),
            Self::Person(account) => {
                let begins = account.get(..8).unwrap_or(account);
                format!("\"\u{e002}{}\"", HEXUPPER.encode(begins))
            }
            Self::Month(month) => format!("\"\u{e003}{month}\""),
            Self::Sort(kind) => {
                let letter = match kind {
                    SearchKind::Link => '\u{e004}',
                    SearchKind::Photo => '\u{e005}',
                    SearchKind::Video => '\u{e006}',
                    SearchKind::Audio => '\u{e007}',
                    SearchKind::File => '\u{e008}',
                };
                format!("\"{letter}\"")
            }
        }
    }
}

/// A file of any sort.
fn any_file() -> String {
    let sorts = [
        SearchKind::Photo,
        SearchKind::Video,
        SearchKind::Audio,
        SearchKind::File,
    ];
    let terms = sorts.map(|kind| Mark::Sort(kind).term());
    format!("({})", terms.join(" OR "))
}

fn month(ms: i64) -> i64 {
    (ms.saturating_sub(FIRST_MS) / MONTH_MS).max(0)
}

/// Whether the index has the words of all messages.
pub(crate) fn is_indexed(db: &Connection) -> Result<bool> {
    let waits = "SELECT EXISTS (SELECT 1 FROM messages WHERE kind = 1 AND id > (SELECT up_to FROM searchable))";
    Ok(!db
        .prepare_cached(waits)?
        .query_row([], |row| row.get::<_, bool>(0))?)
}

/// Puts into the index what it doesn't have yet.
pub(crate) fn index(db: &Connection) -> Result<()> {
    db.execute_batch(
        "INSERT INTO messages_text (rowid, text, marks)
            SELECT id, text, marks FROM messages_said WHERE id > (SELECT up_to FROM searchable) ORDER BY id;
         UPDATE searchable SET up_to = max(up_to, (SELECT coalesce(max(id), 0) FROM messages));",
    )?;
    Ok(())
}

/// Messages that fit, the newest first. Only what [`index`] has seen is found by its words.
pub(crate) fn search(db: &Connection, me: &Me, search: &Search) -> Result<Vec<MessageInfo>> {
    let limit = search.limit.unwrap_or(USUAL).clamp(1, MOST) as usize;
    let filter = Filter::of(db, search)?;
    let typed = search.text.trim();
    let mut found = Vec::new();
    let words = words(typed);
    if typed.is_empty() || !words.is_empty() {
        found = match filter.query(&words) {
            Some(query) => filter.find(db, IN_INDEX, "x.rowid", Some(query), limit)?,
            None => filter.find(db, EVERYWHERE, "m.id", None, limit)?,
        };
    }
    if !typed.is_empty() {
        found.extend(by_name(db, search, filter, typed, limit)?);
    }
    found.sort_unstable_by(|a, b| b.cmp(a));
    found.dedup();
    found.truncate(limit);
    found
        .into_iter()
        .filter_map(|local| message_by_row(db, me, local).transpose())
        .collect()
}

/// Messages with a file of that name, and of the sort that is looked for, if it is one of files.
fn by_name(
    db: &Connection,
    search: &Search,
    mut filter: Filter,
    name: &str,
    limit: usize,
) -> Result<Vec<i64>> {
    let sort = search.kind.and_then(of_files).unwrap_or("TRUE");
    let named =
        |position: usize| format!("{sort} AND instr(lower(n.name), lower(?{position})) > 0");
    if !filter.terms.is_empty() {
        if search.kind.is_none() {
            filter.terms.push(any_file());
        }
        let query = filter.query(&[]).unwrap_or_default();
        if are_few(db, &query)? {
            let position = filter.take(name.to_owned());
            filter.has_file = format!(" AND EXISTS ({FILES_OF} AND {})", named(position));
            return filter.find(db, IN_INDEX, "x.rowid", Some(query), limit);
        }
        // Not through all that is newer or older than any of them.
        for (order, condition) in [("DESC", "n.message <="), ("ASC", "n.message >=")] {
            filter.and(condition, outermost(db, &query, order)?);
        }
    }
    filter.has_file.clear();
    let place = format!("{IN_FILES} AND {}", named(1));
    filter.find(db, &place, "n.message", Some(name.to_owned()), limit)
}

/// Whether the index finds few messages.
fn are_few(db: &Connection, query: &str) -> Result<bool> {
    let sql =
        format!("SELECT 1 FROM messages_text WHERE messages_text MATCH ?1 LIMIT 1 OFFSET {FEW}");
    Ok(!db.prepare_cached(&sql)?.exists([query])?)
}

/// The newest or the oldest message that the index finds.
fn outermost(db: &Connection, query: &str, order: &str) -> Result<i64> {
    let sql = format!(
        "SELECT rowid FROM messages_text WHERE messages_text MATCH ?1 ORDER BY rowid {order} LIMIT 1"
    );
    let found = db
        .prepare_cached(&sql)?
        .query_row([query], |row| row.get(0))
        .optional()?;
    Ok(found.unwrap_or(0))
}

/// What a message must be besides.
#[derive(Default)]
struct Filter {
    conditions: String,
    values: Vec<Box<dyn ToSql>>,
    /// A condition on its files.
    has_file: String,
    /// What the index knows of that: terms that all must be there.
    terms: Vec<String>,
}

impl Filter {
    fn of(db: &Connection, search: &Search) -> Result<Self> {
        let mut filter = Self::default();
        if search.chat.is_none() {
            filter.conditions +=
                " AND m.conversation NOT IN (SELECT id FROM conversations WHERE request = 1)";
        }
        if let Some(chat) = &search.chat {
            let chat = conversation_of(db, chat)?.id;
            filter.terms.push(Mark::Chat(chat).term());
            filter.and("m.conversation =", chat);
        }
        if let Some(sender) = &search.sender {
            let sender = sender.bytes()?.to_vec();
            filter.terms.push(Mark::Person(&sender).term());
            filter.and("m.sender =", sender);
        }
        if let Some(from) = search.from_ms {
            filter.and("m.sent_at_ms >=", from);
        }
        if let Some(to) = search.to_ms {
            filter.and("m.sent_at_ms <", to);
        }
        if search.from_ms.is_some() || search.to_ms.is_some() {
            filter.terms.extend(months(db, search)?);
        }
        if let Some(before) = search.before {
            filter.and("{id} <", before);
        }
        if let Some(kind) = search.kind {
            filter.terms.push(Mark::Sort(kind).term());
            match of_files(kind) {
                Some(sort) => filter.has_file = format!(" AND EXISTS ({FILES_OF} AND {sort})"),
                None => filter.conditions += LINKS,
            }
        }
        Ok(filter)
    }

    /// Where the value stands among the parameters of the query.
    fn take(&mut self, value: impl ToSql + 'static) -> usize {
        self.values.push(Box::new(value));
        // The first one is what is looked for.
        self.values.len() + 1
    }

    fn and(&mut self, condition: &str, value: impl ToSql + 'static) {
        let position = self.take(value);
        self.conditions += &format!(" AND {condition} ?{position}");
    }

    /// What the index is asked; None: nothing that it knows of.
    fn query(&self, words: &[String]) -> Option<String> {
        let words = words.iter().map(|word| format!("\"{word}\"*"));
        let terms: Vec<String> = words.chain(self.terms.iter().cloned()).collect();
        (!terms.is_empty()).then(|| terms.join(" AND "))
    }

    fn sql(&self, place: &str, id: &str, limit: usize) -> String {
        let conditions = self.conditions.replace("{id}", id);
        let has_file = &self.has_file;
        format!("{place}{conditions}{has_file} ORDER BY {id} DESC LIMIT {limit}")
    }

    fn find(
        &self,
        db: &Connection,
        place: &str,
        id: &str,
        wanted: Option<String>,
        limit: usize,
    ) -> Result<Vec<i64>> {
        let sql = self.sql(place, id, limit);
        let mut statement = db.prepare_cached(&sql)?;
        let first = wanted
            .into_iter()
            .map(|wanted| Box::new(wanted) as Box<dyn ToSql>);
        for (position, value) in first.enumerate() {
            statement.raw_bind_parameter(position + 1, value)?;
        }
        for (position, value) in self.values.iter().enumerate() {
            statement.raw_bind_parameter(position + 2, value)?;
        }
        let mut rows = statement.raw_query();
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(row.get(0)?);
        }
        Ok(found)
    }
}

/// The months that a stretch of time touches, of those in which anything was written: one term, if there are not too many.
fn months(db: &Connection, search: &Search) -> Result<Option<String>> {
    let end = |which: &str| {
        let sql = format!(
            "SELECT sent_at_ms FROM messages INDEXED BY messages_by_moment WHERE kind = 1 ORDER BY sent_at_ms {which} LIMIT 1"
        );
        let found: Option<i64> = db
            .prepare_cached(&sql)?
            .query_row([], |row| row.get(0))
            .optional()?;
        Ok::<_, rusqlite::Error>(found.unwrap_or(0))
    };
    let from = search.from_ms.unwrap_or(i64::MIN).max(end("ASC")?);
    let to = search.to_ms.unwrap_or(i64::MAX).min(end("DESC")?);
    let (first, last) = (month(from), month(to));
    if last - first >= MONTHS {
        return Ok(None);
    }
    // None at all is a month in which nothing was written, too.
    let terms: Vec<String> = (first..=last.max(first))
        .map(|month| Mark::Month(month).term())
        .collect();
    Ok(Some(format!("({})", terms.join(" OR "))))
}

/// Messages with a link.
const LINKS: &str = " AND (m.text LIKE '%http://%' OR m.text LIKE '%https://%')";

/// A condition on a file; None: it is not about files.
fn of_files(kind: SearchKind) -> Option<&'static str> {
    match kind {
        SearchKind::Photo => Some("n.content_type LIKE 'image/%'"),
        SearchKind::Video => Some("n.content_type LIKE 'video/%'"),
        SearchKind::Audio => Some("n.content_type LIKE 'audio/%'"),
        SearchKind::File => Some(
            "n.content_type NOT LIKE 'image/%' AND n.content_type NOT LIKE 'video/%' AND n.content_type NOT LIKE 'audio/%'",
        ),
        SearchKind::Link => None,
    }
}

/// The words of what a person typed, as the index cuts them.
fn words(text: &str) -> Vec<String> {
    text.split(|letter: char| !letter.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .take(WORDS)
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests;
