//! Looking for messages: by words (FTS5), chat, person, date and sort, the newest first.
//!
//! The index lies in the same encrypted file as the messages. What a person types is never SQL and never FTS5's own language: it
//! is cut into words, each quoted, each the beginning of a word.

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
const IN_NAMES: &str =
    "SELECT DISTINCT m.id FROM message_files n CROSS JOIN messages m ON m.id = n.message
    WHERE instr(lower(n.name), lower(?1)) > 0 AND m.kind = 1 AND m.gone = 0";

/// Messages that fit, the newest first.
pub(crate) fn search(db: &Connection, me: &Me, search: &Search) -> Result<Vec<MessageInfo>> {
    let limit = search.limit.unwrap_or(USUAL).clamp(1, MOST) as usize;
    let filter = Filter::of(db, search)?;
    let typed = search.text.trim();
    let mut found = if typed.is_empty() {
        filter.find(db, EVERYWHERE, "m.id", None, limit)?
    } else {
        let words = words(typed);
        let query: Vec<String> = words.iter().map(|word| format!("\"{word}\"*")).collect();
        let mut found = if words.is_empty() {
            Vec::new()
        } else {
            filter.find(db, IN_TEXTS, "x.rowid", Some(query.join(" ")), limit)?
        };
        found.extend(filter.find(db, IN_NAMES, "m.id", Some(typed.to_owned()), limit)?);
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
            filter.conditions += &format!(" AND {}", of_kind(kind));
        }
        Ok(filter)
    }

    fn and(&mut self, condition: &str, value: impl ToSql + 'static) {
        self.values.push(Box::new(value));
        // The first parameter is what is looked for.
        let position = self.values.len() + 1;
        self.conditions += &format!(" AND {condition} ?{position}");
    }

    fn find(
        &self,
        db: &Connection,
        place: &str,
        order: &str,
        wanted: Option<String>,
        limit: usize,
    ) -> Result<Vec<i64>> {
        let sql = format!(
            "{place}{} ORDER BY {order} DESC LIMIT {limit}",
            self.conditions
        );
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

/// A condition on the message or its files.
fn of_kind(kind: SearchKind) -> &'static str {
    match kind {
        SearchKind::Photo => {
            "EXISTS (SELECT 1 FROM message_files f WHERE f.message = m.id AND f.content_type LIKE 'image/%')"
        }
        SearchKind::Video => {
            "EXISTS (SELECT 1 FROM message_files f WHERE f.message = m.id AND f.content_type LIKE 'video/%')"
        }
        SearchKind::Audio => {
            "EXISTS (SELECT 1 FROM message_files f WHERE f.message = m.id AND f.content_type LIKE 'audio/%')"
        }
        SearchKind::File => {
            "EXISTS (SELECT 1 FROM message_files f WHERE f.message = m.id AND f.content_type NOT LIKE 'image/%'
                AND f.content_type NOT LIKE 'video/%' AND f.content_type NOT LIKE 'audio/%')"
        }
        SearchKind::Link => "(m.text LIKE '%http://%' OR m.text LIKE '%https://%')",
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
    use super::words;

    #[test]
    fn what_a_person_types_is_words_and_nothing_else() {
        assert_eq!(
            words("  Zoë's \"plan\" OR NEAR(a b) "),
            ["Zoë", "s", "plan", "OR", "NEAR", "a", "b"]
        );
        assert!(words("\"*^:-").is_empty());
    }
}
