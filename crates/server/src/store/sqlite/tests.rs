//! The conformance suite over SQLite, and what only this backend can get wrong: files, logs, crashes.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use super::{Options, SqliteStore};
use crate::store::conformance::{Open, Parts, conformance_suite};

/// A fresh folder, opened again and again.
fn open() -> Open {
    let folder = tempfile::tempdir().unwrap();
    Box::new(move |parts| SqliteStore::open(folder.path(), options(parts)).unwrap())
}

pub(super) fn options(parts: &Parts) -> Options {
    Options {
        limits: parts.limits.clone(),
        clock: parts.clock.clone(),
        free_space: parts.disk.clone(),
        hub: Arc::clone(&parts.hub),
        cache_bytes: 4 << 20,
    }
}

conformance_suite!(open);

/// What only SQLite can get wrong.
mod files {
    use std::collections::HashSet;
    use std::path::{Path, PathBuf};
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};

    use bytes::Bytes;
    use rand::{Rng as _, SeedableRng as _};

    use super::super::{backup, restore};
    use super::*;
    use crate::store::conformance::{World, direct};
    use crate::store::{AddressHash, QueueId, Store, StoreError};

    /// A world in a folder that the test looks into.
    fn world_in(folder: &Path) -> World {
        let folder = folder.to_path_buf();
        World::new(Box::new(move |parts| {
            SqliteStore::open(&folder, options(parts)).unwrap()
        }))
    }

    fn every_byte(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
        let mut files = Vec::new();
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                files.extend(every_byte(&path));
            } else {
                let bytes = std::fs::read(&path).unwrap();
                files.push((path, bytes));
            }
        }
        files
    }

    /// How many of the 16-byte runs stand somewhere in the folder.
    fn found(folder: &Path, runs: &HashSet<[u8; 16]>) -> usize {
        let mut seen = HashSet::new();
        for (_, bytes) in every_byte(folder) {
            for window in bytes.windows(16) {
                if let Some(run) = runs.get(window) {
                    seen.insert(*run);
                }
            }
        }
        seen.len()
    }

    /// Three runs out of an item: near its start, middle and end.
    fn runs_of(sealed: &[u8]) -> [[u8; 16]; 3] {
        [8, sealed.len() / 2, sealed.len() - 24].map(|at| sealed[at..at + 16].try_into().unwrap())
    }

    fn wait_for_checkpoint(store: &Arc<dyn Store>, after: u64) {
        wait_for(|| store.activity().checkpoints > after);
    }

    fn wait_for(happened: impl Fn() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !happened() {
            assert!(Instant::now() < deadline, "it never happens");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    #[test]
    fn what_was_acknowledged_is_not_in_the_folder_soon_after() {
        let folder = tempfile::tempdir().unwrap();
        let mut world = world_in(folder.path());
        world.limit(|limits| limits.checkpoint_every = Duration::from_millis(100));
        let owners: Vec<_> = (0..24).map(|_| world.owner()).collect();
        let addresses: Vec<_> = owners
            .iter()
            .map(|owner| world.conversation(owner))
            .collect();
        let mut random = rand::rngs::StdRng::seed_from_u64(7);
        let mut draw = |below: usize| random.random_range(0..below);
        let mut gone = HashSet::new();
        let mut acked = vec![0; owners.len()];
        // Traffic as it comes: sizes mixed, owners reading at their own pace, some never to the end.
        for round in 0..60 {
            let replies: Vec<_> = (0..40)
                .map(|_| {
                    let length = [100, 900, 900, 4000, 15_000][draw(5)];
                    let mut send = direct("", &[addresses[draw(addresses.len())]]);
                    send.payload = Bytes::from(vec![round; length]);
                    world.store.send(send)
                })
                .collect();
            for reply in replies {
                reply.wait().unwrap();
            }
            for (index, owner) in owners.iter().enumerate() {
                let items = world.fetch(owner, acked[index] + 1);
                if items.is_empty() || draw(3) == 0 {
                    continue;
                }
                let upto = draw(items.len());
                for item in &items[..=upto] {
                    gone.extend(runs_of(&item.sealed));
                    acked[index] = item.sequence;
                }
                world.store.ack(owner.queue, acked[index]);
            }
            world.store.flush().wait().unwrap();
        }
        let kept: HashSet<_> = owners
            .iter()
            .enumerate()
            .flat_map(|(index, owner)| world.fetch(owner, acked[index] + 1))
            .flat_map(|item| runs_of(&item.sealed))
            .collect();
        assert!(gone.len() > 3000 && !kept.is_empty());
        // Twice, because a round may have been under way already.
        for _ in 0..2 {
            let before = world.store.activity().checkpoints;
            world
                .send(
                    "one more, so that there is something to truncate",
                    &addresses[..1],
                )
                .unwrap();
            wait_for_checkpoint(&world.store, before);
        }
        assert_eq!(
            found(folder.path(), &kept),
            kept.len(),
            "what is undelivered is there"
        );
        assert_eq!(
            found(folder.path(), &gone),
            0,
            "of {} runs of acknowledged items",
            gone.len()
        );
    }

    /// The log is empty at rest, and nothing else of a stopped store lies about.
    #[test]
    fn a_closed_store_leaves_one_file() {
        let folder = tempfile::tempdir().unwrap();
        let world = world_in(folder.path());
        let ada = world.owner();
        world.send("hello", &[world.conversation(&ada)]).unwrap();
        world.store.close().wait().unwrap();
        assert_eq!(world.send("late", &[]), Err(StoreError::Closed));
        drop(world);
        std::thread::sleep(Duration::from_millis(50));
        let log = folder
            .path()
            .join(format!("{}-wal", super::super::DATABASE));
        assert_eq!(std::fs::metadata(log).map_or(0, |file| file.len()), 0);
    }

    #[test]
    fn a_backup_opens_as_another_incarnation() {
        let folder = tempfile::tempdir().unwrap();
        let (data, copy, back) = (
            folder.path().join("a"),
            folder.path().join("b"),
            folder.path().join("c"),
        );
        let store = SqliteStore::open(
            &data,
            Options::new(&data, crate::delivery::Hub::new(Default::default())),
        )
        .unwrap();
        let opened = Arc::clone(&store);
        let world = World::new(Box::new(move |_| opened.clone()));
        let ada = world.owner();
        let address = world.conversation(&ada);
        world.send("hello", &[address]).unwrap();
        let before = world.store.sign_in(ada.queue).wait().unwrap();
        std::fs::create_dir_all(data.join("blobs/ab")).unwrap();
        std::fs::write(data.join("blobs/ab/abcd"), b"bytes").unwrap();
        backup(&store, &copy).unwrap();
        world.send("after the backup", &[address]).unwrap();
        assert_eq!(
            backup(&store, &copy),
            Err(StoreError::Folder("it is not empty"))
        );
        assert_eq!(
            restore(&copy, &data),
            Err(StoreError::Folder("it is not empty"))
        );
        assert_eq!(
            restore(folder.path(), &back),
            Err(StoreError::Folder("it is not a backup"))
        );
        restore(&copy, &back).unwrap();
        assert_eq!(std::fs::read(back.join("blobs/ab/abcd")).unwrap(), b"bytes");
        let restored = world_in(&back);
        let after = restored.store.sign_in(ada.queue).wait().unwrap();
        assert_eq!(after.next_sequence, before.next_sequence);
        assert_ne!(after.incarnation, before.incarnation);
        assert_eq!(restored.texts(&ada), ["hello"]);
        restored.send("on the new server", &[address]).unwrap();
        assert_eq!(restored.texts(&ada), ["hello", "on the new server"]);
    }

    /// The engine runs out of room in the middle of a batch: what fits is done, what does not is refused, and
    /// acknowledging makes room again.
    #[test]
    fn an_engine_that_is_full_spoils_no_other_call() {
        let folder = tempfile::tempdir().unwrap();
        let hub = crate::delivery::Hub::new(Default::default());
        let opened = SqliteStore::open(folder.path(), Options::new(folder.path(), hub)).unwrap();
        let store = Arc::clone(&opened);
        let world = World::new(Box::new(move |_| store.clone()));
        let ada = world.owner();
        let address = world.conversation(&ada);
        world.send("before", &[address]).unwrap();
        opened
            .write((), |writer, ()| {
                let pages: i64 =
                    writer
                        .connection
                        .pragma_query_value(None, "page_count", |row| row.get(0))?;
                writer
                    .connection
                    .pragma_update(None, "max_page_count", pages + 20)?;
                Ok(())
            })
            .wait()
            .unwrap();
        let replies: Vec<_> = (0..400)
            .map(|number| {
                world
                    .store
                    .send(direct(&format!("{number:0800}"), &[address]))
            })
            .collect();
        let outcomes: Vec<_> = replies.into_iter().map(crate::store::Reply::wait).collect();
        let accepted = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        assert!(accepted > 50 && accepted < 400, "{accepted}");
        assert!(
            outcomes
                .iter()
                .flatten()
                .all(|accepted| accepted.missed.is_empty())
        );
        assert!(
            outcomes
                .iter()
                .all(|outcome| matches!(outcome, Ok(_) | Err(StoreError::Full)))
        );
        assert_eq!(
            world.texts(&ada).len(),
            accepted + 1,
            "what was accepted is there, and nothing else"
        );
        let mut nonces = HashSet::new();
        assert!(
            world
                .fetch(&ada, 0)
                .iter()
                .all(|item| nonces.insert((item.key.key_id, item.nonce)))
        );
        world.ack(&ada, u64::MAX);
        world.send("room again", &[address]).unwrap();
        assert_eq!(world.texts(&ada), ["room again"]);
    }

    #[test]
    fn a_damaged_or_unwritable_folder_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let options = || Options::new(folder.path(), crate::delivery::Hub::new(Default::default()));
        std::fs::write(folder.path().join(super::super::DATABASE), vec![7; 100_000]).unwrap();
        let error = SqliteStore::open(folder.path(), options()).err();
        assert_eq!(error, Some(StoreError::Folder("its database is damaged")));
        let file = folder.path().join("file");
        std::fs::write(&file, b"").unwrap();
        assert_eq!(
            SqliteStore::open(&file, options()).err(),
            Some(StoreError::Folder("it is not a folder"))
        );
    }

    const CHILD: &str = "UNDERTONE_TEST_KILLED_STORE";

    /// The half of `kill_9_loses_nothing_acknowledged` that dies: says each sequence once its send is answered.
    #[test]
    fn the_child_that_is_killed() {
        let Some(folder) = std::env::var_os(CHILD) else {
            return;
        };
        let world = world_in(Path::new(&folder));
        let address = AddressHash::new([3; 32]);
        let ada = world.owner();
        world
            .store
            .create_addresses(
                ada.queue,
                vec![(address, crate::store::AddressKind::Conversation)],
            )
            .wait()
            .unwrap();
        eprintln!(
            "queue {}",
            data_encoding::HEXLOWER.encode(ada.queue.as_bytes())
        );
        for number in 1u64.. {
            world.send(&number.to_string(), &[address]).unwrap();
            eprintln!("accepted {number}");
        }
    }

    #[test]
    fn kill_9_loses_nothing_acknowledged() {
        use std::io::{BufRead, BufReader};
        for kill_after in [1u64, 40, 137] {
            let folder = tempfile::tempdir().unwrap();
            let mut child = Command::new(std::env::current_exe().unwrap())
                .args([
                    "the_child_that_is_killed",
                    "--nocapture",
                    "--test-threads=1",
                ])
                .env(CHILD, folder.path())
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            let mut queue = None;
            let mut accepted = 0;
            for line in BufReader::new(child.stderr.take().unwrap()).lines() {
                let line = line.unwrap();
                if let Some(hex) = line.strip_prefix("queue ") {
                    let bytes = data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap();
                    queue = Some(QueueId::from_slice(&bytes).unwrap());
                } else if let Some(number) = line.strip_prefix("accepted ") {
                    accepted = number.parse().unwrap();
                    if accepted == kill_after {
                        child.kill().unwrap();
                    }
                }
            }
            child.wait().unwrap();
            assert!(accepted >= kill_after);
            let world = world_in(folder.path());
            let queue = queue.unwrap();
            let position = world.store.sign_in(queue).wait().unwrap();
            // At most the one send whose answer was still on its way is there beside.
            assert!(
                (accepted + 1..=accepted + 2).contains(&position.next_sequence),
                "{accepted} {position:?}"
            );
            let limit = crate::store::FetchLimit {
                items: 100_000,
                bytes: usize::MAX,
            };
            let items = world.store.fetch(queue, 0, limit).wait().unwrap().items;
            assert!(
                items
                    .iter()
                    .map(|item| item.sequence)
                    .eq(1..position.next_sequence)
            );
        }
    }

    /// A fault in the program ends the writer; nobody is left waiting for it.
    #[test]
    fn a_dead_writer_leaves_nobody_waiting() {
        let folder = tempfile::tempdir().unwrap();
        let hub = crate::delivery::Hub::new(Default::default());
        let store = SqliteStore::open(folder.path(), Options::new(folder.path(), hub)).unwrap();
        let fault = store.write((), |_, ()| -> Result<(), super::super::writer::Failure> {
            panic!("on purpose")
        });
        let behind = store.flush();
        assert_eq!(fault.wait(), Err(StoreError::Closed));
        assert_eq!(behind.wait(), Err(StoreError::Closed));
        assert_eq!(store.flush().wait(), Err(StoreError::Closed));
        assert_eq!(store.close().wait(), Ok(()));
        assert!(!store.activity().accepts_sends);
    }

    /// How much waits for whom is kept count of, not counted anew in the whole table with every delivery.
    #[test]
    fn what_waits_for_other_servers_is_kept_count_of() {
        use crate::store::conformance::forwarding::{Other, finds_room};
        let folder = tempfile::tempdir().unwrap();
        let hub = crate::delivery::Hub::new(Default::default());
        let opened = SqliteStore::open(folder.path(), Options::new(folder.path(), hub)).unwrap();
        let store = Arc::clone(&opened);
        let world = World::new(Box::new(move |_| store.clone()));
        let others = ["ben", "cleo", "dora"].map(|name| Other::new(&format!("{name}.example")));
        for _ in 0..3 {
            assert!(finds_room(&world, &[&others[0], &others[1], &others[2]]));
        }
        for (other, taken) in [(0, 1), (1, 3)] {
            let server = others[other].server.to_string();
            let mark = others[other].waiting(&world)[taken - 1].0.clone();
            opened.parcels_taken(server, mark).wait().unwrap();
        }
        let (counted, there) = opened
            .write((), |writer, ()| {
                let counted = writer.state.waiting.clone();
                let mut there = writer
                    .connection
                    .prepare("SELECT server, sum(length(sealed)) FROM parcels GROUP BY server")?;
                let there = there
                    .query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?)))?
                    .collect::<rusqlite::Result<std::collections::HashMap<String, i64>>>()?;
                Ok((counted, there))
            })
            .wait()
            .unwrap();
        let counted = counted.expect("not to be counted anew");
        assert_eq!((counted.len(), there.len()), (2, 2));
        for (server, waiting) in counted {
            assert_eq!(i64::try_from(waiting.bytes), Ok(there[&server]));
        }
    }

    /// Calls that turn out to be long are not all done before anything is answered.
    #[test]
    fn a_batch_ends_when_it_has_taken_long_enough() {
        let folder = tempfile::tempdir().unwrap();
        let hub = crate::delivery::Hub::new(Default::default());
        let store = SqliteStore::open(folder.path(), Options::new(folder.path(), hub)).unwrap();
        let (begun, first) = std::sync::mpsc::channel();
        let (go, gone) = std::sync::mpsc::channel::<()>();
        let gate = store.write((begun, std::sync::Mutex::new(gone)), |_, (begun, gone)| {
            let _ = begun.send(());
            let _ = gone.lock().unwrap().recv();
            Ok(())
        });
        first.recv().unwrap();
        // All of these wait together.
        let order = Arc::new(std::sync::Mutex::new(Vec::new()));
        let slow: Vec<_> = (0..12)
            .map(|number| {
                store.write((number, Arc::clone(&order)), |_, (number, order)| {
                    std::thread::sleep(Duration::from_millis(60));
                    order.lock().unwrap().push(*number);
                    Ok(())
                })
            })
            .collect();
        let before = store.activity().commits;
        go.send(()).unwrap();
        gate.wait().unwrap();
        for reply in slow {
            reply.wait().unwrap();
        }
        let commits = store.activity().commits - before;
        assert!(commits >= 4, "{commits} transactions for 720 ms of work");
        let order = order.lock().unwrap();
        assert!(
            order.iter().copied().eq(0..12),
            "each once, in order: {order:?}"
        );
    }

    /// A backup reads for as long as it takes; the log can't be truncated meanwhile, but sends go on.
    #[test]
    fn a_long_reader_holds_up_no_send() {
        let folder = tempfile::tempdir().unwrap();
        let mut world = world_in(folder.path());
        world.limit(|limits| limits.checkpoint_every = Duration::from_millis(10));
        let ada = world.owner();
        let address = world.conversation(&ada);
        let reader = super::super::store::extra_reader(folder.path()).unwrap();
        reader
            .execute_batch("BEGIN; SELECT count(*) FROM items;")
            .unwrap();
        let start = Instant::now();
        for _ in 0..20 {
            world.send("hello", &[address]).unwrap();
            std::thread::sleep(Duration::from_millis(10));
        }
        assert!(start.elapsed() < Duration::from_secs(5));
        let before = world.store.activity().checkpoints;
        reader.execute_batch("COMMIT").unwrap();
        wait_for_checkpoint(&world.store, before);
    }

    /// A backlog that takes several steps to scrub stays whole, and the pass comes to its end without more traffic.
    #[test]
    fn scrubbing_a_large_backlog_changes_nothing_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let mut world = world_in(folder.path());
        world.limit(|limits| limits.checkpoint_every = Duration::from_millis(10));
        let owners = [world.owner(), world.owner(), world.owner()];
        let addresses: Vec<_> = owners
            .iter()
            .map(|owner| world.conversation(owner))
            .collect();
        let replies: Vec<_> = (0..220)
            .map(|number| {
                world
                    .store
                    .send(direct(&format!("{number:015000}"), &addresses))
            })
            .collect();
        for reply in replies {
            reply.wait().unwrap();
        }
        // The pass that every start begins with; nothing has been deleted since, so no other follows it.
        wait_for(|| world.store.activity().scrubs == 1);
        world.ack(&owners[1], 7);
        wait_for(|| world.store.activity().scrubs == 2);
        // With nothing left to do the log is empty.
        let log = folder
            .path()
            .join(format!("{}-wal", super::super::DATABASE));
        wait_for(|| std::fs::metadata(&log).is_ok_and(|file| file.len() == 0));
        let expected: Vec<_> = (0..220).map(|number| format!("{number:015000}")).collect();
        assert_eq!(world.texts(&owners[0]), expected);
        assert_eq!(world.texts(&owners[1]), expected[7..]);
        assert_eq!(world.texts(&owners[2]), expected);
    }
}
