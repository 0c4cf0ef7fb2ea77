//! Opening the database: the folder and its permissions, the settings of a connection, versioned migrations.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, MAIN_DB, OpenFlags, params};
use undertone_wire::ids::Incarnation;

use super::engine_error;
use crate::store::StoreError;

/// The database's file in the data folder.
pub const DATABASE: &str = "store.sqlite";

/// One file per version, in order; the database's `user_version` says how many have been applied.
const MIGRATIONS: [&str; 5] = [
    include_str!("../../../migrations/0001_initial.sql"),
    include_str!("../../../migrations/0002_devices.sql"),
    include_str!("../../../migrations/0003_other_servers.sql"),
    include_str!("../../../migrations/0004_bells.sql"),
    include_str!("../../../migrations/0005_temporary_tokens.sql"),
];

/// Behind the database's name, the copy that is made before migrating to a version.
const COPY_ENDING: &str = ".before-v";

/// The record that makes positions from before a restore incomparable.
pub(super) const INCARNATION: &str = "incarnation";

/// Creates the folder (0700) if need be and closes it to others.
pub(crate) fn private_folder(folder: &Path) -> Result<(), StoreError> {
    if !folder.exists() {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
    }
    if !folder.is_dir() {
        return Err(StoreError::Folder("it is not a folder"));
    }
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
    Ok(())
}

/// Opens the database of `folder` for the writer, creating or migrating it as needed.
///
/// # Errors
/// [`StoreError::Newer`] when it was written by a later version; nothing is changed then.
pub(super) fn open_writer(folder: &Path, cache_bytes: usize) -> Result<Connection, StoreError> {
    private_folder(folder)?;
    let path = folder.join(DATABASE);
    // The write-ahead log and its index take over the mode of this file.
    OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(&path)?;
    let connection = connect(&path)?;
    let found = version(&connection)?;
    if found > MIGRATIONS.len() {
        return Err(StoreError::Newer {
            found: number(found),
            known: number(MIGRATIONS.len()),
        });
    }
    configure_writer(&connection, cache_bytes).map_err(engine_error)?;
    if found > 0 && found < MIGRATIONS.len() {
        copy_before(&connection, &path, found)?;
    }
    migrate(&connection, found).map_err(engine_error)?;
    if (1..MIGRATIONS.len()).contains(&found) {
        check(&connection)?;
    }
    remove_copies(folder)?;
    Ok(connection)
}

/// Whether a database that was just migrated is whole.
fn check(connection: &Connection) -> Result<(), StoreError> {
    let found: String = connection
        .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
        .map_err(engine_error)?;
    if found != "ok" {
        return Err(StoreError::Folder("its database is damaged"));
    }
    Ok(())
}

/// Removes the copies that migrations made. Going back to one once anything was accepted would give out positions twice, and
/// what is deleted from now on would stay in it.
fn remove_copies(folder: &Path) -> Result<(), StoreError> {
    let copies = format!("{DATABASE}{COPY_ENDING}");
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(&copies) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Opens a connection that can only read.
pub(super) fn open_reader(folder: &Path) -> Result<Connection, StoreError> {
    let connection = connect(&folder.join(DATABASE))?;
    connection
        .execute_batch("PRAGMA query_only = ON; PRAGMA cache_size = -4096;")
        .map_err(engine_error)?;
    connection.set_prepared_statement_cache_capacity(32);
    Ok(connection)
}

/// Where SQLite keeps the database's write-ahead log.
pub(super) fn log_path(folder: &Path) -> PathBuf {
    folder.join(format!("{DATABASE}-wal"))
}

/// Opens the connection that copies the log into the database beside the writer.
pub(super) fn open_copier(folder: &Path) -> Result<Connection, StoreError> {
    let connection = connect(&folder.join(DATABASE))?;
    connection
        .execute_batch("PRAGMA synchronous = NORMAL; PRAGMA cache_size = -256;")
        .map_err(engine_error)?;
    Ok(connection)
}

fn connect(path: &Path) -> Result<Connection, StoreError> {
    // Each connection stays with one thread, so SQLite's own locking of it is left out.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(engine_error)?;
    connection
        .busy_timeout(Duration::from_secs(5))
        .map_err(engine_error)?;
    Ok(connection)
}

fn configure_writer(connection: &Connection, cache_bytes: usize) -> rusqlite::Result<()> {
    // The page size is taken at the first write of a new database, so it stands first. NORMAL syncs the log before it is
    // copied and the database before the log is used anew; that a transaction is on disk before it is answered is seen to in
    // `commit`, and when the log is copied in `checkpoint`.
    connection.execute_batch(&format!(
        "PRAGMA page_size = 16384;
         PRAGMA journal_mode = WAL;
         PRAGMA synchronous = NORMAL;
         PRAGMA secure_delete = ON;
         PRAGMA foreign_keys = OFF;
         PRAGMA cache_size = -{};
         PRAGMA temp_store = MEMORY;
         PRAGMA wal_autocheckpoint = 0;",
        cache_bytes / 1024
    ))?;
    connection.set_prepared_statement_cache_capacity(128);
    Ok(())
}

fn version(connection: &Connection) -> Result<usize, StoreError> {
    let found: i64 = connection
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .map_err(engine_error)?;
    usize::try_from(found).map_err(|_| StoreError::Folder("its database is damaged"))
}

/// Copies the database as it was before a migration, in case that fails.
fn copy_before(connection: &Connection, path: &Path, found: usize) -> Result<(), StoreError> {
    let mut copy = path.as_os_str().to_owned();
    copy.push(format!("{COPY_ENDING}{}", MIGRATIONS.len()));
    let copy = PathBuf::from(copy);
    if copy.exists() {
        fs::remove_file(&copy)?;
    }
    OpenOptions::new()
        .create_new(true)
        .write(true)
        .mode(0o600)
        .open(&copy)?;
    connection
        .backup(MAIN_DB, &copy, None)
        .map_err(engine_error)?;
    fs::File::open(&copy)?.sync_all()?;
    tracing::info!(
        from = found,
        to = MIGRATIONS.len(),
        "database copied before migration"
    );
    Ok(())
}

fn migrate(connection: &Connection, found: usize) -> rusqlite::Result<()> {
    for (index, sql) in MIGRATIONS.iter().enumerate().skip(found) {
        connection.execute_batch("BEGIN IMMEDIATE")?;
        let applied = connection
            .execute_batch(sql)
            .and_then(|()| {
                if index == 0 {
                    set_incarnation(connection)
                } else {
                    Ok(())
                }
            })
            .and_then(|()| connection.pragma_update(None, "user_version", number(index + 1)))
            .and_then(|()| connection.execute_batch("COMMIT"));
        if applied.is_err() {
            // The first error is the one to report.
            let _ = connection.execute_batch("ROLLBACK");
            return applied;
        }
    }
    Ok(())
}

/// Gives every queue a new incarnation: positions from before can no longer be mistaken for positions after.
pub(super) fn set_incarnation(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute(
        "INSERT INTO server_records (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        params![INCARNATION, Incarnation::random().as_bytes()],
    )?;
    Ok(())
}

fn number(version: usize) -> u32 {
    u32::try_from(version).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_new_database_has_the_settings_that_the_design_asks_for() {
        let folder = tempfile::tempdir().unwrap();
        let connection = open_writer(folder.path(), 1 << 20).unwrap();
        let pragma = |name: &str| {
            connection
                .pragma_query_value(None, name, |row| row.get::<_, i64>(0))
                .unwrap()
        };
        assert_eq!(pragma("page_size"), 16384);
        assert_eq!(
            pragma("synchronous"),
            1,
            "NORMAL: `commit` waits for the disk"
        );
        assert_eq!(pragma("wal_autocheckpoint"), 0);
        assert_eq!(pragma("secure_delete"), 1);
        assert_eq!(pragma("user_version"), 5);
        let mode: String = connection
            .pragma_query_value(None, "journal_mode", |row| row.get(0))
            .unwrap();
        assert_eq!(mode, "wal");
    }

    #[test]
    fn everything_in_the_folder_is_its_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let connection = open_writer(&data, 1 << 20).unwrap();
        connection
            .execute("INSERT INTO queue_floors VALUES (x'00', 1)", [])
            .unwrap();
        assert_eq!(
            fs::metadata(&data).unwrap().permissions().mode() & 0o777,
            0o700
        );
        let mut files = 0;
        for entry in fs::read_dir(&data).unwrap() {
            let entry = entry.unwrap();
            assert_eq!(
                entry.metadata().unwrap().permissions().mode() & 0o077,
                0,
                "{:?}",
                entry.file_name()
            );
            files += 1;
        }
        assert!(files >= 2);
    }

    #[test]
    fn newer_data_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let connection = open_writer(folder.path(), 1 << 20).unwrap();
        connection.pragma_update(None, "user_version", 7).unwrap();
        drop(connection);
        let before = fs::read(folder.path().join(DATABASE)).unwrap();
        let error = open_writer(folder.path(), 1 << 20).unwrap_err();
        assert_eq!(error, StoreError::Newer { found: 7, known: 5 });
        assert_eq!(fs::read(folder.path().join(DATABASE)).unwrap(), before);
    }

    #[test]
    fn the_copy_before_a_migration_is_whole_and_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(DATABASE);
        let connection = open_writer(folder.path(), 1 << 20).unwrap();
        connection
            .execute("INSERT INTO queue_floors VALUES (x'01', 5)", [])
            .unwrap();
        copy_before(&connection, &path, 1).unwrap();
        let copy = folder.path().join(format!("{DATABASE}.before-v5"));
        assert_eq!(
            fs::metadata(&copy).unwrap().permissions().mode() & 0o777,
            0o600
        );
        let opened = Connection::open(&copy).unwrap();
        let floor: i64 = opened
            .query_row("SELECT floor FROM queue_floors", [], |row| row.get(0))
            .unwrap();
        assert_eq!(floor, 5);
    }

    /// A folder as version 3 left it, with something in it.
    fn folder_of_version_3() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let connection = Connection::open(folder.path().join(DATABASE)).unwrap();
        for sql in &MIGRATIONS[..3] {
            connection.execute_batch(sql).unwrap();
        }
        connection
            .execute(
                "INSERT INTO queue_floors VALUES (x'0123456789abcdef', 5)",
                [],
            )
            .unwrap();
        connection.pragma_update(None, "user_version", 3).unwrap();
        folder
    }

    fn copies(folder: &Path) -> usize {
        let names = fs::read_dir(folder).unwrap();
        names
            .filter(|entry| {
                let name = entry.as_ref().unwrap().file_name();
                name.to_string_lossy().contains(".before-v")
            })
            .count()
    }

    #[test]
    fn what_is_deleted_after_a_migration_is_in_no_copy() {
        let folder = folder_of_version_3();
        // And one that an earlier version left.
        fs::write(folder.path().join("store.sqlite.before-v2"), b"old").unwrap();
        let connection = open_writer(folder.path(), 1 << 20).unwrap();
        assert_eq!(copies(folder.path()), 0);
        connection.execute("DELETE FROM queue_floors", []).unwrap();
        connection
            .execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")
            .unwrap();
        let id = [0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef];
        for entry in fs::read_dir(folder.path()).unwrap() {
            let bytes = fs::read(entry.unwrap().path()).unwrap();
            assert!(!bytes.windows(8).any(|window| window == id));
        }
    }

    #[test]
    fn a_migration_that_fails_leaves_the_copy() {
        let folder = folder_of_version_3();
        let connection = Connection::open(folder.path().join(DATABASE)).unwrap();
        connection.execute_batch("CREATE TABLE bells (x)").unwrap();
        drop(connection);
        assert!(open_writer(folder.path(), 1 << 20).is_err());
        assert_eq!(copies(folder.path()), 1);
    }

    #[test]
    fn the_schema_is_the_one_recorded() {
        let folder = tempfile::tempdir().unwrap();
        let connection = open_writer(folder.path(), 1 << 20).unwrap();
        let mut statement = connection
            .prepare("SELECT m.name || '.' || c.name FROM sqlite_schema m, pragma_table_info(m.name) c WHERE m.type = 'table' ORDER BY 1")
            .unwrap();
        let columns: Vec<String> = statement
            .query_map([], |row| row.get(0))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        let channel: Vec<_> = columns
            .iter()
            .filter(|name| name.starts_with("channels."))
            .collect();
        assert!(
            channel
                .iter()
                .all(|name| !name.contains("queue") && !name.contains("address"))
        );
        let item: Vec<_> = columns
            .iter()
            .filter(|name| name.starts_with("items."))
            .map(String::as_str)
            .collect();
        assert_eq!(
            item,
            [
                "items.key_id",
                "items.last_day",
                "items.nonce",
                "items.queue_id",
                "items.sealed",
                "items.sequence"
            ]
        );
        // Whoever adds a column weighs what it tells somebody who takes the disk.
        assert_eq!(columns.len(), 68);
        for telling in [
            "time", "stamp", "created", "ip", "agent", "sender", "member",
        ] {
            assert!(
                columns
                    .iter()
                    .all(|name| !name.split(['.', '_']).any(|word| word == telling))
            );
        }
    }
}
