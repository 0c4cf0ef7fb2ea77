//! `restore`: a server folder from a backup, whole or not at all.
//!
//! Every queue gets a new incarnation, so that no client takes what comes next for something it has seen. The blind tokens
//! get a new seed: which of the old ones were spent since the backup is not known any more, so none of them counts.

use std::fs::{self, File};
use std::io::BufReader;
use std::path::Path;

use super::{RestoreArgs, answer};
use crate::admission::token_keys::{self, TokenKeys};
use crate::archive;
use crate::config::Config;
use crate::error::ServerError;
use crate::folder;
use crate::identity::Identity;
use crate::server::store_error;

/// Where the archive's store lies until it is restored.
const UNPACKED: &str = "restore.partial";

pub(super) fn run(args: &RestoreArgs) -> Result<(), ServerError> {
    let input = File::open(&args.file).map_err(|e| ServerError::io("read", &args.file, &e))?;
    let existed = args.dir.exists();
    folder::create(&args.dir)?;
    let pin = restore(&args.dir, &args.file, input)
        .inspect_err(|_| folder::undo_create(&args.dir, existed))?;
    let value = serde_json::json!({ "restored": true, "pin": pin });
    let text = format!(
        "Restored into {}. Pin {pin}\nDo not run the old server again: clients would see two servers with one name.",
        args.dir.display()
    );
    answer(args.json, &value, &text);
    Ok(())
}

fn restore(dir: &Path, file: &Path, input: File) -> Result<String, ServerError> {
    let unpacked = dir.join(UNPACKED);
    folder::create(&unpacked)?;
    archive::unpack(BufReader::new(input), &unpacked).map_err(|error| match error.kind() {
        std::io::ErrorKind::InvalidData | std::io::ErrorKind::UnexpectedEof => {
            ServerError::NotABackup(file.to_path_buf())
        }
        _ => ServerError::io("write", dir, &error),
    })?;
    for entry in fs::read_dir(&unpacked).map_err(|e| ServerError::io("read", &unpacked, &e))? {
        let entry = entry.map_err(|e| ServerError::io("read", &unpacked, &e))?;
        if entry.file_name() != folder::DATA && entry.file_name() != token_keys::FILE_NAME {
            let to = dir.join(entry.file_name());
            fs::rename(entry.path(), &to).map_err(|e| ServerError::io("write", &to, &e))?;
        }
    }
    TokenKeys::create_seed(dir)?;
    crate::store::sqlite::restore(&unpacked.join(folder::DATA), &dir.join(folder::DATA))
        .map_err(|error| store_error(dir, &error))?;
    fs::remove_dir_all(&unpacked).map_err(|e| ServerError::io("remove", &unpacked, &e))?;
    // What was restored must be a server.
    Config::read(dir)?;
    token_keys::check_seed(dir)?;
    Ok(Identity::read(dir)?.pin().to_string())
}
