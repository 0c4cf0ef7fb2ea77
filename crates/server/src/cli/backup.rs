//! `backup`: everything a server needs in one file, from a running server or a folder at rest.
//!
//! The store's consistent copy is made inside the server's folder by whoever has it open; this process packs it with the keys
//! and settings, and removes it. The file appears under its name only when it is whole and on disk.

use std::fs::{self, File, OpenOptions};
use std::io::BufWriter;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::{BackupArgs, answer, status::size};
use crate::admin::{Command, reach};
use crate::archive;
use crate::error::ServerError;
use crate::{announcements, config, folder, identity};

/// How long somebody else may be at it.
const TURN: Duration = Duration::from_secs(2);

pub(super) fn run(args: &BackupArgs) -> Result<(), ServerError> {
    if args.file.exists() {
        return Err(ServerError::Usage(format!(
            "{} exists already; choose another name.",
            args.file.display()
        )));
    }
    let _making = alone(&args.dir)?;
    let copy = args.dir.join(folder::COPY);
    let partial = partial_name(&args.file);
    let result = reach::ask(&args.dir, &Command::Copy)
        .and_then(|_| pack(&args.dir, &copy, &partial, &args.file));
    let _ = fs::remove_dir_all(&copy);
    if result.is_err() {
        let _ = fs::remove_file(&partial);
    }
    let bytes = result?;
    let value = serde_json::json!({ "file": args.file.display().to_string(), "bytes": bytes });
    let text = format!(
        "{} written ({}). It holds the server's identity key: keep it as safe as the server.",
        args.file.display(),
        size(bytes)
    );
    answer(args.json, &value, &text);
    Ok(())
}

/// Waits for a server that just removes what another backup left.
fn alone(dir: &Path) -> Result<folder::BackupLock, ServerError> {
    let deadline = Instant::now() + TURN;
    loop {
        if let Some(lock) = folder::BackupLock::take(dir)? {
            return Ok(lock);
        }
        if Instant::now() >= deadline {
            return Err(ServerError::BackupUnderWay(dir.to_path_buf()));
        }
        std::thread::sleep(TURN / 100);
    }
}

fn partial_name(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".partial");
    PathBuf::from(name)
}

fn pack(dir: &Path, copy: &Path, partial: &Path, file: &Path) -> Result<u64, ServerError> {
    let failed = |e: std::io::Error| ServerError::io("write", file, &e);
    let output = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(partial)
        .map_err(failed)?;
    let mut writer = archive::Writer::new(BufWriter::new(output)).map_err(failed)?;
    // Not the seed of the blind tokens: a restored server has another.
    for name in [config::FILE_NAME, identity::FILE_NAME] {
        add(&mut writer, &dir.join(name), name)?;
    }
    if dir.join(announcements::FILE_NAME).exists() {
        let name = announcements::FILE_NAME;
        add(&mut writer, &dir.join(name), name)?;
    }
    add_folder(&mut writer, copy, folder::DATA)?;
    let output = writer.finish().map_err(failed)?;
    let output = output.into_inner().map_err(|e| failed(e.into_error()))?;
    output.sync_all().map_err(failed)?;
    let bytes = output.metadata().map_err(failed)?.len();
    fs::rename(partial, file).map_err(failed)?;
    folder::sync_parent(file)?;
    Ok(bytes)
}

fn add_folder(
    writer: &mut archive::Writer<BufWriter<File>>,
    dir: &Path,
    name: &str,
) -> Result<(), ServerError> {
    let failed = |e: std::io::Error| ServerError::io("read", dir, &e);
    let mut entries = fs::read_dir(dir)
        .map_err(failed)?
        .collect::<Result<Vec<_>, _>>()
        .map_err(failed)?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let inner = format!("{name}/{}", entry.file_name().to_string_lossy());
        if entry.file_type().map_err(failed)?.is_dir() {
            add_folder(writer, &path, &inner)?;
        } else {
            add(writer, &path, &inner)?;
        }
    }
    Ok(())
}

fn add(
    writer: &mut archive::Writer<BufWriter<File>>,
    path: &Path,
    name: &str,
) -> Result<(), ServerError> {
    let mut file = File::open(path).map_err(|e| ServerError::io("read", path, &e))?;
    writer
        .add(name, &mut file)
        .map_err(|e| ServerError::io("copy", path, &e))
}
