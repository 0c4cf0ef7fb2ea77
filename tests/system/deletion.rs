//! Deleted means gone: not in any file of the server's folder, a few seconds later.

use std::path::Path;
use std::time::{Duration, Instant};

use undertone_tests::disk::{Needle, files};
use undertone_tests::seizure::database::{Database, FILE, Item};
use undertone_tests::seizure::search::Search;
use undertone_tests::{Failed, Outcome, Person, ServerProcess, eventually, fixtures};

/// `docs/threat-model.md` section 1: within this long after an acknowledgement, or after the sweep that finds something expired, its
/// bytes are nowhere in the server's folder. Three seconds for the log, a tenth for the acknowledgement, the rest for a busy machine.
const STATED: Duration = Duration::from_secs(10);
/// A server that starts sweeps this soon.
const FIRST_SWEEP: Duration = Duration::from_secs(10);
/// How long a step of the script may take.
const PATIENCE: Duration = Duration::from_secs(60);

struct Scene {
    server: ServerProcess,
    ada: Person,
    ben: Person,
}

/// Ben is away; Ada has written to him: short, long, and a file.
fn letters_wait() -> Outcome<(Scene, Vec<Item>)> {
    let server = ServerProcess::start()?;
    let invitation = server.invitation(2)?;
    let ada = Person::join("Ada", &invitation)?;
    let ben = Person::join("Ben", &invitation)?;
    ada.meet(&ben)?;
    // Whatever still goes back and forth between the two is done before.
    let quiet = "the server's queues being empty";
    eventually(PATIENCE, quiet, || {
        ben.run(["status"])?;
        ada.run(["status"])?;
        Ok(waiting(&server)?.is_empty().then_some(()))
    })?;
    for number in 0..20 {
        ada.send(
            "Ben",
            &format!("letter {number} {}", "and so on ".repeat(number * 50)),
        )?;
    }
    let folder = tempfile::tempdir().map_err(|error| Failed::harness("a folder", error))?;
    let memo = folder.path().join("memo.opus");
    fixtures::memo()
        .and_then(|memo_bytes| std::fs::write(&memo, memo_bytes))
        .map_err(|error| Failed::harness("a memo", error))?;
    ada.send_file("Ben", &memo)?;
    let items = eventually(PATIENCE, "21 letters waiting for Ben", || {
        let items = waiting(&server)?;
        Ok((items.len() >= 21).then_some(items))
    })?;
    Ok((Scene { server, ada, ben }, items))
}

/// What waits in all queues.
fn waiting(server: &ServerProcess) -> Outcome<Vec<Item>> {
    Database::open(&server.data())?.items()
}

/// Pieces of each item, as a search for what is left of it.
fn pieces(items: &[Item]) -> Search {
    Search::new(items.iter().flat_map(|item| {
        // Every 64 bytes, so that a piece left anywhere in a page is found.
        item.sealed
            .chunks_exact(16)
            .step_by(4)
            .map(|piece| Needle::exact("a letter", piece.to_vec()))
    }))
}

/// How long after `since` nothing of it is left in the folder.
fn gone_after(since: Instant, folder: &Path, search: &Search) -> Outcome<Duration> {
    let read = |error| Failed::harness("reading the server's folder", error);
    eventually(PATIENCE, "the letters' bytes being gone", || {
        let begun = since.elapsed();
        Ok(search
            .in_folder(folder)
            .map_err(read)?
            .is_empty()
            .then_some(begun))
    })
}

#[test]
fn what_is_acknowledged_is_gone_from_the_disk() -> Outcome {
    let (scene, items) = letters_wait()?;
    let Scene {
        server,
        ada: _ada,
        ben,
    } = scene;
    let search = pieces(&items);
    let read = |error| Failed::harness("reading the server's folder", error);
    assert!(
        !search.in_folder(server.folder()).map_err(read)?.is_empty(),
        "the search finds what waits"
    );

    let shown = ben.texts("Ada")?;
    assert_eq!(shown.len(), 21, "20 letters and a file");
    let acknowledged = Instant::now();
    let gone = gone_after(acknowledged, server.folder(), &search)?;
    assert!(gone <= STATED, "gone after {gone:?}");
    Ok(())
}

#[test]
fn what_expires_is_gone_from_the_disk() -> Outcome {
    let (mut scene, items) = letters_wait()?;
    let search = pieces(&items);
    let blobs = scene.server.data().join("blobs");
    let read = |error| Failed::harness("reading the server's folder", error);
    assert!(
        !files(&blobs).map_err(read)?.is_empty(),
        "the memo is there"
    );

    // 31 days go by while the server is off: every day that it has written down is 31 days longer ago. Ben's queue was
    // kept for a year, so it still is there.
    scene.server.stop()?;
    let database =
        rusqlite::Connection::open(scene.server.data().join(FILE)).expect("the database");
    database
        .execute_batch(
            "UPDATE items SET last_day = last_day - 31; UPDATE blobs SET last_day = last_day - 31;",
        )
        .expect("days");
    database.close().expect("closed");
    scene.server.run()?;
    let swept = Instant::now() + FIRST_SWEEP;
    let gone = gone_after(swept, scene.server.folder(), &search)?;
    assert!(gone <= STATED, "gone after {gone:?}");
    eventually(STATED, "the memo's blob being gone", || {
        Ok(files(&blobs).map_err(read)?.is_empty().then_some(()))
    })?;

    // What is gone is not delivered; what comes now is.
    scene.ada.send("Ben", "a new letter")?;
    scene
        .ben
        .reads_eventually("Ada", &["a new letter"], PATIENCE)
}
