//! Reading a backup with the recovery phrase, and checking every part of it.

use std::{io::Read as _, os::unix::fs::OpenOptionsExt as _, path::Path};

use prost::Message as _;
use undertone_mls::{AccountId, AccountRoot, Certificate, RecoveryPhrase, backup_pair};
use undertone_wire::ids::sha256;

use super::{
    Control,
    block::Block,
    folder::Folder,
    seal::{RunKey, SealedRun},
};
use crate::{
    attachments::{StreamKey, check_stream},
    error::{Reason, Result},
    view::BackupCheck,
};

/// What a manifest begins with; the last byte is the version of the format.
const MAGIC: &[u8] = b"undertone backup\n";
const VERSION: u8 = 1;

/// What stands in the open: random ids and sealed keys.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Head {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) set: Vec<u8>,
    /// The newest last: the manifest is sealed under its key.
    #[prost(message, repeated, tag = "2")]
    pub(crate) runs: Vec<SealedRun>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct ManifestFile {
    #[prost(bytes = "vec", tag = "1")]
    head: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    sealed: Vec<u8>,
}

/// What a backup holds.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Manifest {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) account: Vec<u8>,
    #[prost(int64, tag = "2")]
    pub(crate) made_at_ms: i64,
    /// The store's version then.
    #[prost(uint32, tag = "3")]
    pub(crate) store_version: u32,
    /// Of the account's device-signing key then.
    #[prost(uint32, tag = "4")]
    pub(crate) generation: u32,
    #[prost(string, tag = "5")]
    pub(crate) name: String,
    #[prost(string, tag = "6")]
    pub(crate) origin: String,
    #[prost(bytes = "vec", tag = "7")]
    pub(crate) pin: Vec<u8>,
    #[prost(bool, tag = "8")]
    pub(crate) media: bool,
    #[prost(message, repeated, tag = "9")]
    pub(crate) blocks: Vec<NamedBlock>,
    #[prost(message, repeated, tag = "10")]
    pub(crate) files: Vec<NamedFile>,
    /// Of the device that made it, and its signature over the rest.
    #[prost(bytes = "vec", tag = "11")]
    pub(crate) certificate: Vec<u8>,
    #[prost(bytes = "vec", tag = "12")]
    pub(crate) signature: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct NamedBlock {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(string, tag = "2")]
    pub(crate) file: String,
    #[prost(bytes = "vec", tag = "3")]
    pub(crate) run: Vec<u8>,
    #[prost(uint64, tag = "4")]
    pub(crate) length: u64,
    /// SHA-256 of the sealed block.
    #[prost(bytes = "vec", tag = "5")]
    pub(crate) hash: Vec<u8>,
    #[prost(uint64, tag = "6")]
    pub(crate) rows: u64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct NamedFile {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(uint64, tag = "2")]
    pub(crate) size: u64,
    /// What it lies under, as in the home.
    #[prost(bytes = "vec", tag = "3")]
    pub(crate) key: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    pub(crate) nonce: Vec<u8>,
}

/// What a block is sealed together with.
pub(crate) fn block_context(set: &[u8], name: &str) -> Vec<u8> {
    [b"undertone/1 backup block", set, name.as_bytes()].concat()
}

fn manifest_context(head: &[u8]) -> Vec<u8> {
    [b"undertone/1 backup manifest", &sha256(head)[..]].concat()
}

/// What the device signs.
pub(crate) fn signed(set: &[u8], manifest: &Manifest) -> Vec<u8> {
    let bare = Manifest {
        signature: Vec::new(),
        ..manifest.clone()
    };
    [
        b"undertone/1 backup",
        set,
        &sha256(&bare.encode_to_vec())[..],
    ]
    .concat()
}

impl Head {
    /// The whole file.
    pub(crate) fn with(&self, key: &RunKey, manifest: &Manifest) -> Result<Vec<u8>> {
        let head = self.encode_to_vec();
        let sealed = key.seal(&manifest_context(&head), &manifest.encode_to_vec())?;
        let mut bytes = MAGIC.to_vec();
        bytes.push(VERSION);
        ManifestFile { head, sealed }
            .encode(&mut bytes)
            .map_err(|_| Reason::BackupDamaged)?;
        Ok(bytes)
    }
}

/// The part of a manifest that anybody can read, and the sealed one.
pub(crate) fn read_head(bytes: &[u8]) -> Result<(Head, Vec<u8>, Vec<u8>)> {
    let (version, rest) = bytes
        .strip_prefix(MAGIC)
        .and_then(|rest| rest.split_first())
        .ok_or(Reason::BackupNone)?;
    if *version != VERSION {
        return Err(Reason::BackupNewer.into());
    }
    let file = ManifestFile::decode(rest).map_err(|_| Reason::BackupDamaged)?;
    let head = Head::decode(&file.head[..]).map_err(|_| Reason::BackupDamaged)?;
    Ok((head, file.head, file.sealed))
}

/// A backup that was opened with the phrase; its manifest is checked.
pub(crate) struct Backup {
    folder: Folder,
    pub(crate) set: [u8; 16],
    runs: Vec<(Vec<u8>, RunKey)>,
    pub(crate) manifest: Manifest,
}

impl Backup {
    /// Opens the manifest and checks who made it.
    pub(crate) fn open(place: &Path, phrase: &RecoveryPhrase) -> Result<Self> {
        let folder = Folder::at(place);
        let bytes = folder.manifest()?.ok_or(Reason::BackupNone)?;
        let (head, raw_head, sealed) = read_head(&bytes)?;
        let set = <[u8; 16]>::try_from(&head.set[..]).map_err(|_| Reason::BackupDamaged)?;
        let pair = backup_pair(phrase)?;
        let runs = head
            .runs
            .iter()
            .map(|run| Ok((run.id.clone(), RunKey::open(run, &pair, &set)?)))
            .collect::<Result<Vec<_>>>()?;
        let newest = runs.last().ok_or(Reason::BackupDamaged)?;
        let manifest = newest.1.unseal(&manifest_context(&raw_head), &sealed)?;
        let manifest = Manifest::decode(&manifest[..]).map_err(|_| Reason::BackupDamaged)?;
        let account = AccountRoot::from_phrase(phrase).account_id();
        let signature = <[u8; 64]>::try_from(&manifest.signature[..]);
        let genuine = Certificate::decode(&manifest.certificate).is_ok_and(|certificate| {
            certificate.account_id() == account
                && signature
                    .is_ok_and(|signature| certificate.verify(&signed(&set, &manifest), &signature))
        });
        let same = AccountId::from_slice(&manifest.account).is_ok_and(|named| named == account);
        if !genuine || !same {
            return Err(Reason::BackupDamaged.into());
        }
        if manifest.store_version > crate::store::migrations::newest_version() {
            return Err(Reason::BackupNewer.into());
        }
        Ok(Self {
            folder,
            set,
            runs,
            manifest,
        })
    }

    /// Opens a block and checks it against the manifest.
    pub(crate) fn block(&self, named: &NamedBlock) -> Result<Block> {
        let sealed = self.folder.block(&named.file)?;
        let (_, key) = self
            .runs
            .iter()
            .find(|(id, _)| *id == named.run)
            .ok_or(Reason::BackupDamaged)?;
        if sha256(&sealed)[..] != named.hash[..] {
            return Err(Reason::BackupDamaged.into());
        }
        let plaintext = key.unseal(&block_context(&self.set, &named.name), &sealed)?;
        let block = Block::decode(&plaintext[..]).map_err(|_| Reason::BackupDamaged)?;
        if block.count() == named.rows {
            Ok(block)
        } else {
            Err(Reason::BackupDamaged.into())
        }
    }

    /// Reads a file to its end and checks each of its chunks.
    pub(crate) fn check_file(&self, named: &NamedFile) -> Result<()> {
        let key = StreamKey::from_slices(&named.key, &named.nonce).ok_or(Reason::BackupDamaged)?;
        let file = self.folder.file(&named.name)?;
        check_stream(&key, named.size, file).map_err(|_| Reason::BackupDamaged.into())
    }

    /// Copies a file to a place in a home, as it is.
    pub(crate) fn copy_file(&self, named: &NamedFile, to: &Path) -> Result<()> {
        let mut from = self.folder.file(&named.name)?;
        let mut into = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(to)
            .map_err(|error| super::unwritable(&error))?;
        std::io::copy(&mut from.by_ref(), &mut into)
            .and_then(|_| into.sync_all())
            .map_err(|error| super::unwritable(&error).into())
    }

    /// Checks every block and file.
    pub(crate) fn check(&self, control: &Control) -> Result<BackupCheck> {
        let total = (self.manifest.blocks.len() + self.manifest.files.len()) as u64;
        let mut check = BackupCheck {
            made_ms: self.manifest.made_at_ms,
            account: crate::ids::ContactId::from_bytes(
                <&[u8; 32]>::try_from(&self.manifest.account[..])
                    .map_err(|_| Reason::BackupDamaged)?,
            ),
            name: self.manifest.name.clone(),
            blocks: 0,
            files: 0,
            chats: 0,
            contacts: 0,
            messages: 0,
            bytes: 0,
        };
        let mut done = 0;
        for named in &self.manifest.blocks {
            control.step(done, total)?;
            let block = self.block(named)?;
            for rows in &block.tables {
                let count = rows.rows.len() as u64;
                match rows.table.as_str() {
                    "conversations" => check.chats += count,
                    "contacts" => check.contacts += count,
                    "messages" => check.messages += count,
                    _ => {}
                }
            }
            check.blocks += 1;
            check.bytes += named.length;
            done += 1;
        }
        for named in &self.manifest.files {
            control.step(done, total)?;
            self.check_file(named)?;
            check.files += 1;
            check.bytes += named.size;
            done += 1;
        }
        control.step(total, total)?;
        Ok(check)
    }
}
