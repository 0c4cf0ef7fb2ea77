//! One run of a backup: what changed is written, then the manifest that names it all.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use rusqlite::{Connection, OptionalExtension as _, params};
use undertone_mls::BackupKey;
use undertone_wire::ids::{random_bytes, sha256};

use super::{
    Control,
    block::{self, Block, Reader},
    folder::Folder,
    open::{Head, Manifest, NamedBlock, NamedFile, block_context, read_head, signed},
    seal::{RunKey, SealedRun},
};
use crate::{
    error::{Reason, Result},
    store::{Database, migrations},
    sync::account::Me,
    view::BackupReport,
};

/// Runs whose blocks one manifest may name; beyond that the oldest run's blocks are written anew.
const RUNS: usize = 64;

/// What a run works on.
pub(crate) struct MakeBackup<'a> {
    pub(crate) database: &'a Database,
    /// The home's attachments.
    pub(crate) attachments: PathBuf,
    pub(crate) me: &'a Me,
    /// Whether files go along.
    pub(crate) media: bool,
    pub(crate) now_ms: i64,
}

/// A block that an earlier run wrote.
struct Known {
    hash: Vec<u8>,
    named: NamedBlock,
}

/// Makes a backup in a folder, or brings the one there up to date.
pub(crate) fn make(what: &MakeBackup<'_>, place: &Path, control: &Control) -> Result<BackupReport> {
    let (key, generation) = what.database.read(|snapshot| {
        let db = snapshot.connection();
        let key: Vec<u8> =
            db.query_row("SELECT backup_key FROM account WHERE id = 1", [], |row| {
                row.get(0)
            })?;
        if key.is_empty() {
            return Err(Reason::BackupNoKey.into());
        }
        let key = BackupKey::decode(&key, &what.me.account)?;
        Ok::<_, crate::Error>((key, what.me.keys().certificate().generation()))
    })?;
    let folder = Folder::for_writing(place)?;
    let before = match folder.manifest()? {
        Some(bytes) => Some(read_head(&bytes)?.0),
        None => None,
    };
    let set = set_of(what, before.as_ref())?;
    let run_key = RunKey::random();
    let run = run_key.sealed_to(key.public(), &set)?;
    let known = known(what.database, &set, before.as_ref())?;
    let written = write_blocks(what, &folder, &set, (&run_key, &run), &known, control)?;

    let mut manifest = Manifest {
        account: what.me.account.as_bytes().to_vec(),
        made_at_ms: what.now_ms,
        store_version: migrations::newest_version(),
        generation,
        name: what.me.name(),
        origin: what.me.server.origin.to_string(),
        pin: what.me.server.pin.as_bytes().to_vec(),
        media: what.media,
        blocks: written
            .blocks
            .values()
            .map(|known| known.named.clone())
            .collect(),
        files: written.files.clone(),
        certificate: what.me.keys().certificate().encode(),
        signature: Vec::new(),
    };
    manifest.signature = what.me.keys().sign(&signed(&set, &manifest)).to_vec();
    let used: BTreeSet<&[u8]> = manifest.blocks.iter().map(|block| &block.run[..]).collect();
    let mut runs: Vec<SealedRun> = before
        .map(|head| head.runs)
        .unwrap_or_default()
        .into_iter()
        .filter(|run| used.contains(&run.id[..]))
        .collect();
    runs.push(run);
    let bytes = Head {
        set: set.to_vec(),
        runs,
    }
    .with(&run_key, &manifest)?;
    control.step(written.total, written.total)?;
    folder.put_manifest(&bytes)?;
    remember(what, &set, &written.blocks)?;
    folder.clean(
        &manifest
            .blocks
            .iter()
            .map(|block| block.file.clone())
            .collect(),
        &manifest
            .files
            .iter()
            .map(|file| file.name.clone())
            .collect(),
    );
    Ok(BackupReport {
        written: written.new,
        blocks: written.total,
        files: written.files.len() as u64,
        new_files: written.new_files,
        bytes_written: written.bytes,
        made_ms: what.now_ms,
    })
}

/// Which backup this is: the one in the folder, if this device made it or came from it; a new one in an empty folder.
fn set_of(what: &MakeBackup<'_>, before: Option<&Head>) -> Result<[u8; 16]> {
    let Some(head) = before else {
        return Ok(random_bytes());
    };
    let set = <[u8; 16]>::try_from(&head.set[..]).map_err(|_| Reason::BackupDamaged)?;
    let ours = what.database.read(|snapshot| {
        Ok::<_, crate::Error>(
            snapshot
                .connection()
                .prepare("SELECT 1 FROM backups WHERE set_id = ?1")?
                .exists([set])?,
        )
    })?;
    if ours {
        Ok(set)
    } else {
        Err(Reason::BackupForeign.into())
    }
}

/// What is known of the blocks that are there. Those of the oldest runs are left out when there are too many runs.
fn known(
    database: &Database,
    set: &[u8; 16],
    before: Option<&Head>,
) -> Result<BTreeMap<String, Known>> {
    let Some(head) = before else {
        return Ok(BTreeMap::new());
    };
    let kept: BTreeSet<&[u8]> = head
        .runs
        .iter()
        .rev()
        .take(RUNS - 1)
        .map(|run| &run.id[..])
        .collect();
    database.read(|snapshot| {
        let mut statement = snapshot.connection().prepare(
            "SELECT name, hash, file, run, length, sealed_hash, rows FROM backup_blocks WHERE set_id = ?1",
        )?;
        let rows = statement
            .query_map([set], |row| {
                let name: String = row.get(0)?;
                Ok((
                    name.clone(),
                    Known {
                        hash: row.get(1)?,
                        named: NamedBlock {
                            name,
                            file: row.get(2)?,
                            run: row.get(3)?,
                            length: row.get(4)?,
                            hash: row.get(5)?,
                            rows: row.get(6)?,
                        },
                    },
                ))
            })?
            .collect::<std::result::Result<BTreeMap<_, _>, _>>()?;
        Ok(rows
            .into_iter()
            .filter(|(_, known)| kept.contains(&known.named.run[..]))
            .collect())
    })
}

#[derive(Default)]
struct Written {
    blocks: BTreeMap<String, Known>,
    files: Vec<NamedFile>,
    total: u64,
    new: u64,
    new_files: u64,
    bytes: u64,
}

fn write_blocks(
    what: &MakeBackup<'_>,
    folder: &Folder,
    set: &[u8; 16],
    (key, run): (&RunKey, &SealedRun),
    known: &BTreeMap<String, Known>,
    control: &Control,
) -> Result<Written> {
    // One moment of the store, however long it takes.
    let snapshot = what.database.snapshot()?;
    let db: &Connection = snapshot.connection();
    let places = block::places(db)?;
    let mut written = Written {
        total: places.len() as u64,
        ..Written::default()
    };
    let mut named = BTreeSet::new();
    for (done, place) in (0..).zip(&places) {
        control.step(done, written.total)?;
        let block = block::read(db, place, what.media)?;
        let plaintext = block.bytes();
        let hash = sha256(&plaintext);
        for file in files_of(&block, &mut named) {
            let from = what.attachments.join(&file.name);
            if !folder.has_file(&file.name, &from) {
                control.step(done, written.total)?;
                folder.put_file(&file.name, &from)?;
                written.new_files += 1;
                written.bytes += from.metadata().map_or(0, |found| found.len());
            }
            written.files.push(file);
        }
        let same = known
            .get(&place.name)
            .filter(|known| known.hash == hash)
            .filter(|known| folder.has_block(&known.named.file, known.named.length));
        let block = match same {
            Some(known) => Known {
                hash: known.hash.clone(),
                named: known.named.clone(),
            },
            None => {
                let sealed = key.seal(&block_context(set, &place.name), &plaintext)?;
                let file = data_encoding::HEXLOWER.encode(&random_bytes::<16>());
                folder.put_block(&file, &sealed)?;
                written.new += 1;
                written.bytes += sealed.len() as u64;
                Known {
                    hash: hash.to_vec(),
                    named: NamedBlock {
                        name: place.name.clone(),
                        file,
                        run: run.id.clone(),
                        length: sealed.len() as u64,
                        hash: sha256(&sealed).to_vec(),
                        rows: block.count(),
                    },
                }
            }
        };
        written.blocks.insert(place.name.clone(), block);
    }
    Ok(written)
}

/// The files of the home that a block's rows speak of, each once.
fn files_of(block: &Block, named: &mut BTreeSet<String>) -> Vec<NamedFile> {
    let mut files = Vec::new();
    for rows in block
        .tables
        .iter()
        .filter(|rows| rows.table == "attachments")
    {
        let Some(reader) = Reader::new(rows) else {
            continue;
        };
        for row in reader.rows {
            let name = reader
                .bytes(row, "file_name")
                .map(|name| String::from_utf8_lossy(name).into_owned());
            let size = reader
                .integer(row, "size")
                .and_then(|size| u64::try_from(size).ok());
            if let (Some(name), Some(size)) = (name, size)
                && named.insert(name.clone())
            {
                files.push(NamedFile {
                    name,
                    size,
                    key: reader.bytes(row, "rest_key").unwrap_or_default().to_vec(),
                    nonce: reader.bytes(row, "rest_nonce").unwrap_or_default().to_vec(),
                });
            }
        }
    }
    files
}

/// What is there now, so that the next run writes only what is new.
fn remember(what: &MakeBackup<'_>, set: &[u8; 16], blocks: &BTreeMap<String, Known>) -> Result<()> {
    what.database.transaction(|tx| {
        let db = tx.connection();
        db.execute(
            "INSERT INTO backups (set_id, made_at_ms) VALUES (?1, ?2) ON CONFLICT (set_id) DO UPDATE SET made_at_ms = excluded.made_at_ms",
            params![set, what.now_ms],
        )?;
        db.execute("DELETE FROM backup_blocks WHERE set_id = ?1", [set])?;
        let mut insert = db.prepare(
            "INSERT INTO backup_blocks (set_id, name, hash, file, run, length, sealed_hash, rows) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?;
        for (name, known) in blocks {
            let named = &known.named;
            insert.execute(params![
                set,
                name,
                known.hash,
                named.file,
                named.run,
                named.length,
                named.hash,
                named.rows
            ])?;
        }
        Ok(())
    })
}

/// When this device last finished a backup; 0: never.
pub(crate) fn last_made(db: &Connection) -> Result<i64> {
    Ok(db
        .query_row("SELECT max(made_at_ms) FROM backups", [], |row| {
            row.get::<_, Option<i64>>(0)
        })
        .optional()?
        .flatten()
        .unwrap_or(0))
}
