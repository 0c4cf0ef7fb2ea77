//! `restore`: a server folder from a backup, whole or not at all.
//!
//! Every queue gets a new incarnation, so that no client takes what comes next for something it has seen. The blind tokens
//! get a new seed: which of the old ones were spent since the backup is not known any more, so none of them counts.
//!
//! What must stay true: the settings come last, when everything else is in its place and on disk. A folder without them is no server,
//! so one whose restore was interrupted never runs with what the backup says of sequences.

use std::fs::{self, File};
use std::io::{BufReader, ErrorKind};
use std::path::{Path, PathBuf};

use super::{RestoreArgs, answer};
use crate::admission::token_keys::{self, TokenKeys};
use crate::config::{self, Config};
use crate::error::ServerError;
use crate::folder;
use crate::identity::Identity;
use crate::server::store_error;
use crate::{archive, store};

pub(super) fn run(args: &RestoreArgs) -> Result<(), ServerError> {
    File::open(&args.file).map_err(|e| ServerError::io("read", &args.file, &e))?;
    let existed = args.dir.exists();
    folder::create(&args.dir)?;
    let restore = Restore::new(&args.dir, &args.file);
    let pin = STEPS
        .iter()
        .try_for_each(|step| step(&restore))
        .and_then(|()| Identity::read(&args.dir))
        .map(|identity| identity.pin().to_string())
        .inspect_err(|_| folder::undo_create(&args.dir, existed))?;
    let value = serde_json::json!({ "restored": true, "pin": pin });
    let text = format!(
        "Restored into {}. Pin {pin}\nDo not run the old server again: clients would see two servers with one name.",
        args.dir.display()
    );
    answer(args.json, &value, &text);
    Ok(())
}

type Step = fn(&Restore) -> Result<(), ServerError>;

/// Whatever happens between two of them, or in the middle of one, the folder is no server, or the whole one.
const STEPS: [Step; 5] = [
    Restore::unpack,
    Restore::put_store,
    Restore::put_keys,
    Restore::put_settings,
    Restore::tidy,
];

struct Restore {
    dir: PathBuf,
    file: PathBuf,
    /// Where the archive lies until it is restored.
    unpacked: PathBuf,
}

impl Restore {
    fn new(dir: &Path, file: &Path) -> Self {
        Self {
            dir: dir.to_path_buf(),
            file: file.to_path_buf(),
            unpacked: dir.join(folder::UNPACKED),
        }
    }

    fn unpack(&self) -> Result<(), ServerError> {
        let input = File::open(&self.file).map_err(|e| ServerError::io("read", &self.file, &e))?;
        folder::create(&self.unpacked)?;
        archive::unpack(BufReader::new(input), &self.unpacked).map_err(|error| match error.kind() {
            ErrorKind::InvalidData | ErrorKind::UnexpectedEof => {
                ServerError::NotABackup(self.file.clone())
            }
            _ => ServerError::io("write", &self.dir, &error),
        })
    }

    fn put_store(&self) -> Result<(), ServerError> {
        let (from, to) = (
            self.unpacked.join(folder::DATA),
            self.dir.join(folder::DATA),
        );
        store::sqlite::restore(&from, &to).map_err(|error| store_error(&self.dir, &error))?;
        fs::remove_dir_all(&from).map_err(|e| ServerError::io("remove", &from, &e))
    }

    fn put_keys(&self) -> Result<(), ServerError> {
        let failed = |e: std::io::Error| ServerError::io("read", &self.unpacked, &e);
        for entry in fs::read_dir(&self.unpacked).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name();
            if name != config::FILE_NAME && name != token_keys::FILE_NAME {
                let to = self.dir.join(name);
                fs::rename(entry.path(), &to).map_err(|e| ServerError::io("write", &to, &e))?;
            }
        }
        TokenKeys::create_seed(&self.dir)
    }

    fn put_settings(&self) -> Result<(), ServerError> {
        // What was restored must be a server.
        Config::read(&self.unpacked)?;
        token_keys::check_seed(&self.dir)?;
        Identity::read(&self.dir)?;
        let to = self.dir.join(config::FILE_NAME);
        folder::sync_parent(&to)?;
        fs::rename(self.unpacked.join(config::FILE_NAME), &to)
            .map_err(|e| ServerError::io("write", &to, &e))?;
        folder::sync_parent(&to)
    }

    fn tidy(&self) -> Result<(), ServerError> {
        match fs::remove_dir_all(&self.unpacked) {
            // A server that was started at once has done it.
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(ServerError::io("remove", &self.unpacked, &error))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::admin::{Answer, Command, reach};
    use crate::cli::{BackupArgs, InitArgs, backup, init};
    use crate::store::sqlite::DATABASE;

    fn incarnation(dir: &Path) -> Vec<u8> {
        let database = dir.join(folder::DATA).join(DATABASE);
        let connection = rusqlite::Connection::open(database).unwrap();
        let sql = "SELECT value FROM server_records WHERE name = 'incarnation'";
        connection.query_row(sql, [], |row| row.get(0)).unwrap()
    }

    /// A server's folder and a backup of it.
    fn backed_up(place: &Path) -> (PathBuf, PathBuf) {
        let (dir, file) = (place.join("server"), place.join("backup"));
        init::run(&InitArgs {
            dir: dir.clone(),
            origin: Some("chat.example.org:7443".to_owned()),
            listen: None,
            open: true,
            uses: 1,
            json: true,
        })
        .unwrap();
        backup::run(&BackupArgs {
            dir: dir.clone(),
            file: file.clone(),
            json: true,
        })
        .unwrap();
        (dir, file)
    }

    #[test]
    fn a_restore_that_is_killed_anywhere_leaves_no_server_or_a_whole_new_one() {
        let place = tempfile::tempdir().unwrap();
        let (old, file) = backed_up(place.path());
        let mut ran = 0;
        for done in 0..=STEPS.len() {
            let dir = place.path().join(format!("killed-{done}"));
            folder::create(&dir).unwrap();
            let restore = Restore::new(&dir, &file);
            for step in &STEPS[..done] {
                step(&restore).unwrap();
            }
            match reach::ask(&dir, &Command::Status) {
                Ok(Answer::Status(_)) => {
                    assert_ne!(incarnation(&dir), incarnation(&old), "after step {done}");
                    assert!(!restore.unpacked.exists(), "nothing is left of the backup");
                    ran += 1;
                }
                Ok(_) => panic!("another answer"),
                Err(error) if done == 0 => assert_eq!(error.code(), "not_a_server_folder"),
                Err(error) => assert_eq!(error.code(), "unfinished", "after step {done}"),
            }
        }
        assert_eq!(ran, 2, "once the settings are there");
    }

    /// Versions before put the settings in their place first.
    #[test]
    fn settings_beside_what_is_still_to_be_restored_are_no_server() {
        let place = tempfile::tempdir().unwrap();
        let (dir, _) = backed_up(place.path());
        let unpacked = dir.join(folder::UNPACKED);
        fs::create_dir_all(unpacked.join(folder::DATA)).unwrap();
        let error = reach::ask(&dir, &Command::Status).unwrap_err();
        assert_eq!((error.code(), error.exit_code()), ("unfinished", 3));
        fs::remove_dir(unpacked.join(folder::DATA)).unwrap();
        reach::ask(&dir, &Command::Status).unwrap();
        assert!(!unpacked.exists());
    }
}
