//! Numbered steps from an empty store to the newest one.
//!
//! A step is either SQL (`crates/core/migrations/NNNN_name.sql`) or a Rust function, for libraries
//! that make their own tables. Steps are never changed once released; a new need is a new step.
//! `user_version` holds the number of the last step applied, written in the same transaction as it.
//!
//! An existing store is copied before the first step (`FILE.before`), the copy is put back if a step
//! fails or the program dies in between, and removed once the new version is on disk.
//! Rules for SQL: tables are STRICT, columns NOT NULL (an absent value is a row in another table, or a
//! column whose NULL has a stated meaning), a column's meaning never changes.

use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::connection::{self, Access};
use super::database::checkpoint;
use super::{DataKey, StoreError, StoreResult};

/// What a migration does.
#[derive(Clone, Copy)]
pub enum Step {
    /// SQL statements, run in one transaction.
    Sql(&'static str),
    /// A function that makes its own transactions; it must be able to run again after a crash.
    Rust(fn(&mut Connection) -> StoreResult<()>),
}

/// One numbered step.
#[derive(Clone, Copy)]
pub struct Migration {
    /// 1, 2, 3, ... without gaps; the store's `user_version` after this step.
    pub version: u32,
    /// What it adds, in a few words.
    pub name: &'static str,
    /// The work.
    pub step: Step,
}

/// All steps, in order. Add yours at the end.
pub const STEPS: &[Migration] = &[
    Migration {
        version: 1,
        name: "attachments",
        step: Step::Sql(include_str!("../../migrations/0001_attachments.sql")),
    },
    Migration {
        version: 2,
        name: "MLS",
        step: Step::Rust(|connection| {
            undertone_mls::migrate(connection).map_err(|error| match error {
                undertone_mls::Error::Storage(cause) => cause.into(),
                _ => StoreError::Malformed,
            })
        }),
    },
    Migration {
        version: 3,
        name: "engine",
        step: Step::Sql(include_str!("../../migrations/0003_engine.sql")),
    },
    Migration {
        version: 4,
        name: "bounds",
        step: Step::Sql(include_str!("../../migrations/0004_bounds.sql")),
    },
    Migration {
        version: 5,
        name: "proofs",
        step: Step::Sql(include_str!("../../migrations/0005_proofs.sql")),
    },
    Migration {
        version: 6,
        name: "by reference",
        step: Step::Sql(include_str!("../../migrations/0006_by_reference.sql")),
    },
    Migration {
        version: 7,
        name: "messages",
        step: Step::Sql(include_str!("../../migrations/0007_messages.sql")),
    },
    Migration {
        version: 8,
        name: "old channels",
        step: Step::Sql(include_str!("../../migrations/0008_old_channels.sql")),
    },
    Migration {
        version: 9,
        name: "devices",
        step: Step::Sql(include_str!("../../migrations/0009_devices.sql")),
    },
    Migration {
        version: 10,
        name: "groups",
        step: Step::Sql(include_str!("../../migrations/0010_groups.sql")),
    },
    Migration {
        version: 11,
        name: "astray",
        step: Step::Sql(include_str!("../../migrations/0011_astray.sql")),
    },
    Migration {
        version: 12,
        name: "kill code",
        step: Step::Sql(include_str!("../../migrations/0012_kill.sql")),
    },
    Migration {
        version: 13,
        name: "other servers",
        step: Step::Sql(include_str!("../../migrations/0013_other_servers.sql")),
    },
    Migration {
        version: 14,
        name: "backups",
        step: Step::Sql(include_str!("../../migrations/0014_backups.sql")),
    },
    Migration {
        version: 15,
        name: "notices",
        step: Step::Sql(include_str!("../../migrations/0015_notices.sql")),
    },
    Migration {
        version: 16,
        name: "early",
        step: Step::Sql(include_str!("../../migrations/0016_early.sql")),
    },
    Migration {
        version: 17,
        name: "history",
        step: Step::Sql(include_str!("../../migrations/0017_history.sql")),
    },
    Migration {
        version: 18,
        name: "alarms",
        step: Step::Sql(include_str!("../../migrations/0018_alarms.sql")),
    },
    Migration {
        version: 19,
        name: "downloads",
        step: Step::Sql(include_str!("../../migrations/0019_downloads.sql")),
    },
    Migration {
        version: 20,
        name: "search_in_batches",
        step: Step::Sql(include_str!("../../migrations/0020_search_in_batches.sql")),
    },
    Migration {
        version: 21,
        name: "profiles",
        step: Step::Sql(include_str!("../../migrations/0021_profiles.sql")),
    },
    Migration {
        version: 22,
        name: "announcements",
        step: Step::Sql(include_str!("../../migrations/0022_announcements.sql")),
    },
    Migration {
        version: 23,
        name: "absent",
        step: Step::Sql(include_str!("../../migrations/0023_absent.sql")),
    },
    Migration {
        version: 24,
        name: "stopped transfers",
        step: Step::Sql(include_str!("../../migrations/0024_stopped_transfers.sql")),
    },
    Migration {
        version: 25,
        name: "keys of members",
        step: Step::Sql(include_str!("../../migrations/0025_keys_of_members.sql")),
    },
    Migration {
        version: 26,
        name: "bidden by others",
        step: Step::Sql(include_str!("../../migrations/0026_bidden_by_others.sql")),
    },
    Migration {
        version: 27,
        name: "marks for search",
        step: Step::Sql(include_str!("../../migrations/0027_marks_for_search.sql")),
    },
    Migration {
        version: 28,
        name: "links of others",
        step: Step::Sql(include_str!("../../migrations/0028_links_of_others.sql")),
    },
];

/// The version of the data in an open store.
pub(super) fn version(connection: &Connection) -> StoreResult<u32> {
    let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    u32::try_from(version).map_err(|_| StoreError::Malformed)
}

/// The version of a store that this program has written.
pub(crate) fn newest_version() -> u32 {
    newest(STEPS)
}

/// The version that `steps` lead to.
fn newest(steps: &[Migration]) -> u32 {
    steps.last().map_or(0, |step| step.version)
}

/// Applies the steps that this store has not seen.
pub(super) fn apply(connection: &mut Connection, steps: &[Migration]) -> StoreResult<()> {
    let done = version(connection)?;
    for migration in steps.iter().filter(|step| step.version > done) {
        match migration.step {
            Step::Sql(sql) => {
                let tx = connection.transaction()?;
                tx.execute_batch(sql)?;
                tx.pragma_update(None, "user_version", migration.version)?;
                tx.commit()?;
            }
            Step::Rust(work) => {
                work(connection)?;
                connection.pragma_update(None, "user_version", migration.version)?;
            }
        }
    }
    Ok(())
}

/// Opens an existing store for writing and brings it to the newest version.
pub(super) fn open_migrated(
    path: &Path,
    key: &DataKey,
    steps: &[Migration],
) -> StoreResult<Connection> {
    let copy = beside(path, ".before");
    put_back(&copy, path)?;

    let mut connection = connection::open(path, key, Access::Write)?;
    let (found, known) = (version(&connection)?, newest(steps));
    if found > known {
        return Err(StoreError::Newer { found, known });
    }
    if found == known {
        return Ok(connection);
    }

    checkpoint(&connection)?;
    copy_durably(path, &copy)?;
    match apply(&mut connection, steps).and_then(|()| checkpoint(&connection)) {
        Ok(()) => {
            fs::remove_file(&copy)?;
            sync_folder(path)?;
            Ok(connection)
        }
        Err(error) => {
            drop(connection);
            put_back(&copy, path)?;
            Err(error)
        }
    }
}

/// If a copy exists a migration was cut short: the copy becomes the store again.
fn put_back(copy: &Path, path: &Path) -> StoreResult<()> {
    if !copy.try_exists()? {
        return Ok(());
    }
    for leftover in [beside(path, "-wal"), beside(path, "-shm")] {
        match fs::remove_file(leftover) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    fs::rename(copy, path)?;
    sync_folder(path)
}

/// Copies under another name first, so that a copy under its final name is always whole.
fn copy_durably(from: &Path, to: &Path) -> StoreResult<()> {
    let unfinished = beside(from, ".copying");
    let result = fs::copy(from, &unfinished)
        .and_then(|_| fs::File::open(&unfinished)?.sync_all())
        .and_then(|()| fs::rename(&unfinished, to));
    if result.is_err() {
        let _ = fs::remove_file(&unfinished);
    }
    result?;
    sync_folder(to)
}

fn sync_folder(path: &Path) -> StoreResult<()> {
    if let Some(folder) = path.parent() {
        fs::File::open(folder)?.sync_all()?;
    }
    Ok(())
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
