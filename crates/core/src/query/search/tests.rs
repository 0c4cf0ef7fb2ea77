//! What a search looks at, and that the index says the same as the messages.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use rusqlite::params;

use super::*;
use crate::{
    ids::ContactId,
    store::{DataKey, Database},
};

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
        ..Filter::default()
    };
    let in_names = format!("{IN_FILES} AND instr(lower(n.name), lower(?1)) > 0");
    for (place, order, conditions) in [
        (IN_INDEX, "x.rowid", ""),
        (
            IN_INDEX,
            "x.rowid",
            " AND m.conversation = ?2 AND {id} < ?3",
        ),
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

/// Steps of SQLite's machine, of which it makes some for each row that it looks at.
fn steps<T>(db: &Connection, work: impl FnOnce() -> T) -> (T, usize) {
    let counted = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&counted);
    db.progress_handler(
        1,
        Some(move || {
            count.fetch_add(1, Ordering::Relaxed);
            false
        }),
    );
    let found = work();
    db.progress_handler(0, None::<fn() -> bool>);
    (found, counted.load(Ordering::Relaxed))
}

#[test]
fn a_word_of_all_messages_is_found_where_few_are_by_looking_at_those_few() {
    const ALL: i64 = 20_000;
    let folder = tempfile::tempdir().expect("a folder");
    let store = Database::create(
        &folder.path().join("store"),
        DataKey::random().expect("a key"),
    )
    .expect("a store");
    let tx = store.begin().expect("a transaction");
    let db = tx.connection();
    // One in four by Ben, the first ten in a chat of their own, the last ten by Cleo; all over five years.
    db.execute(
        "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?1)
         INSERT INTO messages (id, conversation, message_id, sender, device, kind, state, generation, number, counter,
             content, text, markdown, reply_to, sent_at_ms, received_at_ms, delivered_at_ms, seen_at_ms)
         SELECT n, CASE WHEN n <= 10 THEN 2 ELSE 1 END, randomblob(32),
             CASE WHEN n > ?1 - 10 THEN ?4 WHEN n % 4 = 0 THEN ?3 ELSE ?2 END, x'', 1, 1, 1, n, 0, x'',
             'common ' || n || CASE WHEN n = 100 THEN ' https://example.org' ELSE '' END,
             0, x'', ?5 + n * ?6, 0, 0, 0 FROM numbers",
        params![ALL, [1_u8; 32], [2_u8; 32], [3_u8; 32], FIRST_MS, 60 * MONTH_MS / ALL],
    )
    .expect("messages");
    index(db).expect("an index");
    let person = |byte: u8| ContactId::from_bytes(&[byte; 32]);
    let at = |n: i64| Some(FIRST_MS + n * (60 * MONTH_MS / ALL));
    let in_chat = |chat: i64, search: Search| {
        let mut filter = Filter::of(db, &search).expect("a filter");
        filter.terms.push(Mark::Chat(chat).term());
        filter.and("m.conversation =", chat);
        filter
    };
    let of = |search: Search| Filter::of(db, &search).expect("a filter");
    let any = Search::default;
    let common = ["common".to_owned()];
    for (what, filter, count, newest) in [
        ("in the small chat", in_chat(2, any()), 10, 10),
        (
            "by Ben in the small chat",
            in_chat(
                2,
                Search {
                    sender: Some(person(2)),
                    ..any()
                },
            ),
            2,
            8,
        ),
        (
            "by Cleo in the small chat",
            in_chat(
                2,
                Search {
                    sender: Some(person(3)),
                    ..any()
                },
            ),
            0,
            0,
        ),
        (
            "by Cleo",
            of(Search {
                sender: Some(person(3)),
                ..any()
            }),
            10,
            ALL,
        ),
        (
            "of the first days",
            of(Search {
                to_ms: at(30),
                ..any()
            }),
            29,
            29,
        ),
        (
            "since the last days",
            of(Search {
                from_ms: at(ALL - 30),
                ..any()
            }),
            31,
            ALL,
        ),
        (
            "of some days in between",
            of(Search {
                from_ms: at(5000),
                to_ms: at(5010),
                ..any()
            }),
            10,
            5009,
        ),
        (
            "after all of them",
            of(Search {
                from_ms: at(ALL + 9999),
                ..any()
            }),
            0,
            0,
        ),
        (
            "before all of them",
            of(Search {
                to_ms: Some(0),
                ..any()
            }),
            0,
            0,
        ),
        (
            "with a link",
            of(Search {
                kind: Some(SearchKind::Link),
                ..any()
            }),
            1,
            100,
        ),
        (
            "before the eleventh",
            of(Search {
                before: Some(11),
                ..any()
            }),
            10,
            10,
        ),
    ] {
        for words in [&common[..], &[]] {
            // A number that is passed over is not one of the index's words.
            let Some(query) = filter.query(words) else {
                continue;
            };
            let (found, steps) = steps(db, || {
                filter
                    .find(db, IN_INDEX, "x.rowid", Some(query), 50)
                    .expect("an answer")
            });
            assert_eq!(found.len(), count, "{what}");
            assert_eq!(found.first().copied().unwrap_or(0), newest, "{what}");
            // A month is as narrow as it gets by days.
            assert!(steps < 12_000, "{what}: {steps} steps");
        }
    }
}

#[test]
fn what_stands_beside_the_words_follows_a_message_to_another_chat() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Database::create(
        &folder.path().join("store"),
        DataKey::random().expect("a key"),
    )
    .expect("a store");
    let tx = store.begin().expect("a transaction");
    let db = tx.connection();
    db.execute(
        "INSERT INTO messages (id, conversation, message_id, sender, device, kind, state, generation, number, counter,
            content, text, markdown, reply_to, sent_at_ms, received_at_ms, delivered_at_ms, seen_at_ms)
         VALUES (1, 1, randomblob(32), x'', x'', 1, 1, 1, 1, 0, x'', 'see https://example.org', 0, x'', -5, 0, 0, 0)",
        [],
    )
    .expect("a message");
    index(db).expect("an index");
    let finds = |mark: Mark<'_>| {
        let matching = "SELECT 1 FROM messages_text WHERE messages_text MATCH ?1";
        let mut matching = db.prepare(matching).expect("a query");
        matching.exists([mark.term()]).expect("an answer")
    };
    assert!(finds(Mark::Chat(1)) && finds(Mark::Sort(SearchKind::Link)) && finds(Mark::Month(0)));
    db.execute_batch("UPDATE messages SET conversation = 12 WHERE id = 1")
        .expect("a move");
    assert!(finds(Mark::Chat(12)) && !finds(Mark::Chat(1)));
    db.execute_batch(
        "UPDATE messages SET text = 'see nothing', sent_at_ms = 1735689600000 WHERE id = 1",
    )
    .expect("an edit");
    assert!(
        !finds(Mark::Sort(SearchKind::Link)) && !finds(Mark::Month(0)) && finds(Mark::Month(12))
    );
    db.execute_batch(
        "INSERT INTO message_files (message, position, attachment, name, content_type, size, width, height, duration_ms, waveform, preview)
         VALUES (1, 0, x'', 'a.jpg', 'image/jpeg', 1, 0, 0, 0, x'', x''), (1, 1, x'', 'b.pdf', 'application/pdf', 1, 0, 0, 0, x'', x'')",
    )
    .expect("files");
    for (sort, there) in [
        (SearchKind::Photo, true),
        (SearchKind::Video, false),
        (SearchKind::Audio, false),
        (SearchKind::File, true),
    ] {
        assert_eq!(finds(Mark::Sort(sort)), there, "{sort:?}");
    }
    // What somebody writes is no mark of theirs.
    assert!(words("\u{e001}12").iter().all(|word| word == "12"));
    db.execute_batch("DELETE FROM messages").expect("a removal");
    assert!(!finds(Mark::Chat(12)) && !finds(Mark::Month(12)));
    db.execute(
        "INSERT INTO messages_text (messages_text, rank) VALUES ('integrity-check', 1)",
        [],
    )
    .expect("the index and the messages say the same");
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
