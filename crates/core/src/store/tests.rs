//! The client store by itself: transactions, migrations, search, and what is left of each after a sudden end or on a full disk.

#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rusqlite::Connection;

use super::{DataKey, Database, Migration, Step, StoreError, StoreResult, Transaction};

const NOTES: &[Migration] = &[Migration {
    version: 1,
    name: "notes",
    step: Step::Sql(
        "CREATE TABLE notes (id INTEGER NOT NULL PRIMARY KEY, body TEXT NOT NULL) STRICT;
         CREATE VIRTUAL TABLE note_words USING fts5(body, content='notes', content_rowid='id');",
    ),
}];

fn key() -> DataKey {
    DataKey::from_bytes(&[0x5a; 32])
}

fn new_store() -> (tempfile::TempDir, PathBuf, Database) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let db = Database::create_with(&path, key(), NOTES).unwrap();
    (folder, path, db)
}

fn write(tx: &Transaction<'_>, body: &str) -> StoreResult<()> {
    tx.connection()
        .execute("INSERT INTO notes (body) VALUES (?1)", [body])?;
    Ok(())
}

fn count(db: &Database) -> i64 {
    db.read(|view| -> StoreResult<i64> {
        Ok(view
            .connection()
            .query_row("SELECT count(*) FROM notes", [], |row| row.get(0))?)
    })
    .unwrap()
}

fn files(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn what_is_committed_is_there_after_opening_again_and_only_with_the_key() {
    let (folder, path, db) = new_store();
    db.transaction(|tx| write(tx, "the source meets us at nine"))
        .unwrap();
    drop(db);
    assert_eq!(files(folder.path()), ["store"]);

    let wrong = Database::open_with(&path, DataKey::random().unwrap(), NOTES);
    assert_eq!(wrong.err(), Some(StoreError::WrongKey));

    let db = Database::open_with(&path, key(), NOTES).unwrap();
    assert_eq!(count(&db), 1);
}

#[test]
fn an_error_or_a_panic_stores_nothing_and_wakes_nobody() {
    let (_folder, _, db) = new_store();
    let woken = Arc::new(AtomicUsize::new(0));
    let wake = |tx: &Transaction<'_>| {
        let woken = Arc::clone(&woken);
        tx.after_commit(move || {
            woken.fetch_add(1, Ordering::SeqCst);
        });
    };

    let refused: StoreResult<()> = db.transaction(|tx| {
        write(tx, "never")?;
        wake(tx);
        Err(StoreError::NotFound)
    });
    assert_eq!(refused, Err(StoreError::NotFound));
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        db.transaction(|tx| -> StoreResult<()> {
            write(tx, "never")?;
            wake(tx);
            panic!("a bug")
        })
    }));
    assert!(panicked.is_err());
    assert_eq!((count(&db), woken.load(Ordering::SeqCst)), (0, 0));

    db.transaction(|tx| {
        wake(tx);
        write(tx, "kept")
    })
    .unwrap();
    assert_eq!((count(&db), woken.load(Ordering::SeqCst)), (1, 1));
}

#[test]
fn what_runs_after_a_commit_may_write_again() {
    let (_folder, _, db) = new_store();
    let again = db.clone();
    db.transaction(|tx| {
        tx.after_commit(move || again.transaction(|tx| write(tx, "second")).unwrap());
        write(tx, "first")
    })
    .unwrap();
    assert_eq!(count(&db), 2);
}

#[test]
fn a_snapshot_stays_as_it_was_and_cannot_write() {
    let (_folder, _, db) = new_store();
    db.transaction(|tx| write(tx, "one")).unwrap();
    let view = db.snapshot().unwrap();
    db.transaction(|tx| write(tx, "two")).unwrap();

    let seen: i64 = view
        .connection()
        .query_row("SELECT count(*) FROM notes", [], |row| row.get(0))
        .unwrap();
    assert_eq!(seen, 1);
    assert_eq!(count(&db), 2);
    let refused = view.connection().execute("DELETE FROM notes", []);
    assert_eq!(StoreError::from(refused.unwrap_err()), StoreError::ReadOnly);
    assert_eq!(db.checkpoint(), Err(StoreError::Busy));
    drop(view);
    db.checkpoint().unwrap();
}

#[test]
fn search_works_and_settings_are_what_the_design_asks_for() {
    let (folder, _, db) = new_store();
    db.transaction(|tx| -> StoreResult<()> {
        write(tx, "the harbour at dawn")?;
        tx.connection()
            .execute_batch("INSERT INTO note_words(note_words) VALUES ('rebuild')")?;
        let found: i64 = tx.connection().query_row(
            "SELECT count(*) FROM note_words WHERE note_words MATCH 'harbour'",
            [],
            |row| row.get(0),
        )?;
        assert_eq!(found, 1);

        let setting = |name: &str| -> String {
            tx.connection()
                .query_row(&format!("PRAGMA {name}"), [], |row| {
                    Ok(match row.get_ref(0)? {
                        rusqlite::types::ValueRef::Integer(number) => number.to_string(),
                        other => other.as_str()?.to_owned(),
                    })
                })
                .unwrap()
        };
        assert!(setting("cipher_version").starts_with("4."));
        assert_eq!(setting("journal_mode"), "wal");
        assert_eq!(setting("synchronous"), "2", "FULL");
        assert_eq!(setting("secure_delete"), "1");
        assert_eq!(setting("temp_store"), "2", "memory");
        assert_eq!(setting("foreign_keys"), "1");
        Ok(())
    })
    .unwrap();

    // Neither the text nor SQLite's own header shows, in the file or in the write-ahead log.
    assert_eq!(files(folder.path()), ["store", "store-shm", "store-wal"]);
    for name in files(folder.path()) {
        let bytes = std::fs::read(folder.path().join(name)).unwrap();
        for needle in [&b"harbour"[..], b"notes", b"SQLite format", &[0x5a; 16]] {
            assert!(!bytes.windows(needle.len()).any(|window| window == needle));
        }
    }
}

#[test]
fn a_full_store_refuses_the_transaction_whole() {
    let (_folder, _, db) = new_store();
    db.transaction(|tx| write(tx, "before")).unwrap();
    let refused: StoreResult<()> = db.transaction(|tx| {
        tx.connection()
            .query_row("PRAGMA max_page_count = 1", [], |_| Ok(()))?;
        write(tx, "small")?;
        write(tx, &"large".repeat(100_000))
    });
    assert_eq!(refused, Err(StoreError::DiskFull));
    assert_eq!(
        refused.unwrap_err().to_string(),
        "The disk is full; nothing was changed."
    );
    assert_eq!(count(&db), 1);
}

#[test]
fn data_of_a_newer_version_is_refused_and_left_alone() {
    let (_folder, path, db) = new_store();
    db.transaction(|tx| -> StoreResult<()> {
        Ok(tx.connection().pragma_update(None, "user_version", 7)?)
    })
    .unwrap();
    drop(db);
    let before = std::fs::read(&path).unwrap();
    let refused = Database::open_with(&path, key(), NOTES);
    assert_eq!(
        refused.err(),
        Some(StoreError::Newer { found: 7, known: 1 })
    );
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

fn more(step: Step) -> Vec<Migration> {
    let mut steps = NOTES.to_vec();
    steps.push(Migration {
        version: 2,
        name: "more",
        step,
    });
    steps
}

#[test]
fn a_migration_that_fails_leaves_the_store_as_it_was() {
    fn half(connection: &mut Connection) -> StoreResult<()> {
        connection
            .execute_batch("CREATE TABLE half (x INTEGER NOT NULL) STRICT; DELETE FROM notes;")?;
        Err(StoreError::Io)
    }
    let (folder, path, db) = new_store();
    db.transaction(|tx| write(tx, "old")).unwrap();
    drop(db);
    let before = std::fs::read(&path).unwrap();

    let failed = Database::open_with(&path, key(), &more(Step::Rust(half)));
    assert_eq!(failed.err(), Some(StoreError::Io));
    assert_eq!(files(folder.path()), ["store"]);
    assert_eq!(std::fs::read(&path).unwrap(), before);

    let step = Step::Sql("CREATE TABLE more (x INTEGER NOT NULL) STRICT");
    let db = Database::open_with(&path, key(), &more(step)).unwrap();
    assert_eq!(count(&db), 1);
    drop(db);
    assert_eq!(files(folder.path()), ["store"], "the copy is gone");
}

#[test]
fn a_migration_cut_short_starts_again_from_the_copy() {
    let (folder, path, db) = new_store();
    db.transaction(|tx| write(tx, "old")).unwrap();
    drop(db);
    // As a kill in the middle leaves it: a whole copy, a half-changed store with its log, and perhaps a
    // copy of a copy that was not finished.
    std::fs::copy(&path, folder.path().join("store.before")).unwrap();
    std::fs::write(folder.path().join("store.copying"), b"unfinished").unwrap();
    std::fs::write(folder.path().join("store-wal"), b"rubbish").unwrap();
    std::fs::write(&path, b"half").unwrap();

    let step = Step::Sql("CREATE TABLE more (x INTEGER NOT NULL) STRICT");
    let db = Database::open_with(&path, key(), &more(step)).unwrap();
    assert_eq!(count(&db), 1);
    drop(db);
    assert_eq!(files(folder.path()), ["store"]);
}

#[test]
fn the_projects_own_migrations_apply_and_are_numbered_without_gaps() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    drop(Database::create(&path, key()).unwrap());
    drop(Database::open(&path, key()).unwrap());
    for (index, step) in super::migrations::STEPS.iter().enumerate() {
        assert_eq!(
            usize::try_from(step.version).unwrap(),
            index + 1,
            "{}",
            step.name
        );
    }
}

/// Not a script of its own: the process that the next test kills.
#[test]
fn child_that_writes_until_it_is_killed() {
    let Some(path) = std::env::var_os("UNDERTONE_TEST_STORE") else {
        return;
    };
    let db = Database::open_with(Path::new(&path), key(), NOTES).unwrap();
    for round in 1.. {
        db.transaction(|tx| {
            write(tx, "first half")?;
            write(tx, "second half")
        })
        .unwrap();
        println!("committed {round}");
    }
}

#[test]
fn killed_at_any_moment_every_commit_that_was_reported_is_there_and_none_is_half() {
    let (_folder, path, db) = new_store();
    drop(db);
    let mut known = 0;
    for round in 0..4 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "store::tests::child_that_writes_until_it_is_killed",
                "--nocapture",
            ])
            .env("UNDERTONE_TEST_STORE", &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut reported = 0;
        for line in lines {
            if let Some(number) = line.unwrap().strip_prefix("committed ") {
                reported = number.parse().unwrap();
                if reported > 5 + 7 * round {
                    child.kill().unwrap();
                    break;
                }
            }
        }
        child.wait().unwrap();

        let db = Database::open_with(&path, key(), NOTES).unwrap();
        let rows = count(&db);
        assert_eq!(rows % 2, 0);
        assert!(rows / 2 >= known + reported);
        known = rows / 2;
    }
}
