//! Looking for messages: by words (FTS5), chat, person, date and sort, the newest first.
//!
//! The index lies in the same encrypted file as the messages. What a person types is never SQL and never FTS5's own language: it
//! is cut into words, each quoted, each the beginning of a word. Words of new messages come into it many messages at a time
//! (triggers of migration 0020), and whoever searches has the rest put in first.

use rusqlite::{Connection, ToSql};

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
const IN_TEXTS: &str = "SELECT m.id FROM messages_text x CROSS JOIN messages m ON m.id = x.rowid WHERE messages_text MATCH ?1 AND m.kind = 1 AND m.gone = 0";
/// Files by an index that has their names and kinds, and not the previews beside them.
const IN_FILES: &str =
    "SELECT DISTINCT n.message FROM message_files n INDEXED BY message_files_newest CROSS JOIN messages m ON m.id = n.message
    WHERE m.kind = 1 AND m.gone = 0";
const NAMED: &str = "instr(lower(n.name), lower(?1)) > 0";

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
        "INSERT INTO messages_text (rowid, text)
            SELECT id, text FROM messages WHERE kind = 1 AND id > (SELECT up_to FROM searchable) ORDER BY id;
         UPDATE searchable SET up_to = max(up_to, (SELECT coalesce(max(id), 0) FROM messages));",
    )?;
    Ok(())
}

/// Messages that fit, the newest first. Only what [`index`] has seen is found by its words.
pub(crate) fn search(db: &Connection, me: &Me, search: &Search) -> Result<Vec<MessageInfo>> {
    let limit = search.limit.unwrap_or(USUAL).clamp(1, MOST) as usize;
    let filter = Filter::of(db, search)?;
    let typed = search.text.trim();
    let mut found = if typed.is_empty() {
        match search.kind.and_then(of_files) {
            // There are fewer files than messages.
            Some(kind) => {
                let place = format!("{IN_FILES} AND {kind}");
                filter.find(db, &place, "n.message", None, limit)?
            }
            None => filter.find(db, EVERYWHERE, "m.id", None, limit)?,
        }
    } else {
        let words = words(typed);
        let query: Vec<String> = words.iter().map(|word| format!("\"{word}\"*")).collect();
        let mut found = if words.is_empty() {
            Vec::new()
        } else {
            filter.find(db, IN_TEXTS, "x.rowid", Some(query.join(" ")), limit)?
        };
        let place = format!("{IN_FILES} AND {NAMED}");
        found.extend(filter.find(db, &place, "n.message", Some(typed.to_owned()), limit)?);
        found
    };
    found.sort_unstable_by(|a, b| b.cmp(a));
    found.dedup();
    found.truncate(limit);
    found
        .into_iter()
        .filter_map(|local| message_by_row(db, me, local).transpose())
        .collect()
}

/// What a message must be besides.
struct Filter {
    conditions: String,
    values: Vec<Box<dyn ToSql>>,
}

impl Filter {
    fn of(db: &Connection, search: &Search) -> Result<Self> {
        let mut filter = Self {
            conditions: String::new(),
            values: Vec::new(),
        };
        if search.chat.is_none() {
            filter.conditions +=
                " AND m.conversation NOT IN (SELECT id FROM conversations WHERE request = 1)";
        }
        if let Some(chat) = &search.chat {
            filter.and("m.conversation =", conversation_of(db, chat)?.id);
        }
        if let Some(sender) = &search.sender {
            filter.and("m.sender =", sender.bytes()?.to_vec());
        }
        if let Some(from) = search.from_ms {
            filter.and("m.sent_at_ms >=", from);
        }
        if let Some(to) = search.to_ms {
            filter.and("m.sent_at_ms <", to);
        }
        if let Some(before) = search.before {
            filter.and("m.id <", before);
        }
        if let Some(kind) = search.kind {
            filter.conditions += " AND ";
            filter.conditions += &match of_files(kind) {
                Some(files) => {
                    format!(
                        "EXISTS (SELECT 1 FROM message_files n WHERE n.message = m.id AND {files})"
                    )
                }
                None => LINKS.to_owned(),
            };
        }
        Ok(filter)
    }

    fn and(&mut self, condition: &str, value: impl ToSql + 'static) {
        self.values.push(Box::new(value));
        // The first parameter is what is looked for.
        let position = self.values.len() + 1;
        self.conditions += &format!(" AND {condition} ?{position}");
    }

    fn sql(&self, place: &str, order: &str, limit: usize) -> String {
        format!(
            "{place}{} ORDER BY {order} DESC LIMIT {limit}",
            self.conditions
        )
    }

    fn find(
        &self,
        db: &Connection,
        place: &str,
        order: &str,
        wanted: Option<String>,
        limit: usize,
    ) -> Result<Vec<i64>> {
        let sql = self.sql(place, order, limit);
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

/// Messages with a link.
const LINKS: &str = "(m.text LIKE '%http://%' OR m.text LIKE '%https://%')";

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
mod tests {
    use super::*;
    use crate::store::{DataKey, Database};

    /// How the store answers, a step a line.
    fn plan(db: &Connection, sql: &str) -> String {
        let mut statement = db
            .prepare(&format!("EXPLAIN QUERY PLAN {sql}"))
            .expect("a query");
        let steps = statement.raw_query().mapped(|row| row.get::<_, String>(3));
        let steps: Vec<String> = steps.map(|step| step.expect("a step")).collect();
        steps.join("\n")
    }

    /// What takes as long as there are messages: going through all of them, or sorting what was found before the first is known.
    fn is_slow(plan: &str) -> bool {
        let scans = |line: &str| line == "SCAN m" || line.starts_with("SCAN m USING");
        plan.contains("TEMP B-TREE") || plan.lines().any(scans)
    }

    #[test]
    fn nothing_is_sorted_and_no_message_looked_at_that_is_not_asked_for() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Database::create(
            &folder.path().join("store"),
            DataKey::random().expect("a key"),
        )
        .expect("a store");
        let snapshot = store.snapshot().expect("a snapshot");
        let db = snapshot.connection();
        let filter = |conditions: &str| Filter {
            conditions: conditions.to_owned(),
            values: Vec::new(),
        };
        let photos = of_files(SearchKind::Photo).expect("of files");
        let in_kind = format!("{IN_FILES} AND {photos}");
        let in_names = format!("{IN_FILES} AND {NAMED}");
        for (place, order, conditions) in [
            (EVERYWHERE, "m.id", " AND m.conversation = ?2"),
            (EVERYWHERE, "m.id", " AND m.sender = ?2"),
            (IN_TEXTS, "x.rowid", ""),
            (IN_TEXTS, "x.rowid", " AND m.conversation = ?2"),
            (&in_kind, "n.message", ""),
            (&in_names, "n.message", " AND m.sender = ?2"),
        ] {
            let sql = filter(conditions).sql(place, order, MOST as usize);
            let plan = plan(db, &sql);
            assert!(!is_slow(&plan), "{sql}\n{plan}");
        }
        // Without a word or a condition the newest ones are the first of all.
        let all = plan(db, &filter("").sql(EVERYWHERE, "m.id", 50));
        assert!(!all.contains("TEMP B-TREE"), "{all}");
        for sql in crate::query::chat_queries() {
            let plan = plan(db, &sql);
            assert!(!is_slow(&plan), "{sql}\n{plan}");
        }
    }

    #[test]
    fn the_index_has_every_word_whatever_happened_before_it_was_written() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Database::create(
            &folder.path().join("store"),
            DataKey::random().expect("a key"),
        )
        .expect("a store");
        let tx = store.begin().expect("a transaction");
        let db = tx.connection();
        let say = |id: i64| {
            db.execute(
                "INSERT INTO messages (id, conversation, message_id, sender, device, kind, state, generation, number, counter,
                    content, text, markdown, reply_to, sent_at_ms, received_at_ms, delivered_at_ms, seen_at_ms)
                 VALUES (?1, 1, randomblob(32), x'', x'', 1, 1, 1, ?1, 0, x'', 'said number' || ?1, 0, x'', 0, 0, 0, 0)",
                [id],
            )
            .expect("a message");
        };
        let indexed = || {
            let count = "SELECT count(*) FROM messages_text_docsize";
            let count: i64 = db.query_row(count, [], |row| row.get(0)).expect("a count");
            count
        };
        let found = |word: &str| {
            let mut matching = db
                .prepare("SELECT rowid FROM messages_text WHERE messages_text MATCH ?1")
                .expect("a query");
            let rows = matching.query_map([word], |row| row.get::<_, i64>(0));
            rows.expect("rows")
                .map(|row| row.expect("a row"))
                .collect::<Vec<_>>()
        };

        // Not one at a time.
        (2..=60).for_each(say);
        assert_eq!(indexed(), 0);
        assert!(!is_indexed(db).expect("an answer"));
        // Edited, erased and removed before the index had them: as if they had never said anything else.
        db.execute_batch(
            "UPDATE messages SET text = 'corrected' WHERE id = 10;
             UPDATE messages SET text = '' WHERE id = 11;
             DELETE FROM messages WHERE id = 12;",
        )
        .expect("changes");
        (61..=100).for_each(say);
        assert!(indexed() > 50);
        index(db).expect("an index");
        assert!(is_indexed(db).expect("an answer"));
        assert_eq!(found("corrected"), [10]);
        for gone in ["number10", "number11", "number12"] {
            assert!(found(gone).is_empty(), "{gone}");
        }
        assert_eq!(found("number100"), [100]);

        // And afterwards; an older one that comes late, as from a backup, is found at once.
        db.execute_batch(
            "UPDATE messages SET text = 'corrected too' WHERE id = 20;
             DELETE FROM messages WHERE id = 21;",
        )
        .expect("changes");
        say(1);
        assert_eq!(found("number1"), [1]);
        assert_eq!(found("too"), [20]);
        assert!(found("number20").is_empty() && found("number21").is_empty());
        db.execute(
            "INSERT INTO messages_text (messages_text, rank) VALUES ('integrity-check', 1)",
            [],
        )
        .expect("the index and the messages say the same");
    }

    #[test]
    fn what_a_person_types_is_words_and_nothing_else() {
        assert_eq!(
            words("  Zoë's \"plan\" OR NEAR(a b) "),
            ["Zoë", "s", "plan", "OR", "NEAR", "a", "b"]
        );
        assert!(words("\"*^:-").is_empty());
    }
}
