//! A chat as pages to keep: HTML that any browser shows, with its files beside it.
//!
//! The pages are static: no script, nothing from a network, and a policy in each page that forbids both. Whatever people wrote is escaped
//! ([`page`]); files get names of our own, and what a browser might run is not named so that it would. It is plain text on the disk, for its
//! owner alone to read (0700), and says so. Messages that disappear, and files that may be opened once, are left out: whoever wrote them wished
//! that nothing of them stays.

mod page;

use std::{
    collections::{HashMap, HashSet},
    fs::{self, DirBuilder, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
};

use serde::{Deserialize, Serialize};
use ts_rs::TS;
use undertone_core::{ChatId, ChatInfo, Client, MessageInfo, MessageKind, Page, Version};

use crate::failure::Failure;

/// Lines of one page.
const LINES: usize = 2000;
/// Lines read at once.
const READ: u32 = 1000;

/// What was exported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Exported {
    /// Where it begins: open this file.
    #[ts(type = "string")]
    pub index: std::path::PathBuf,
    /// Messages in it.
    #[ts(type = "number")]
    pub messages: u64,
    /// Files in it.
    #[ts(type = "number")]
    pub files: u64,
    /// Files that could not be had.
    #[ts(type = "number")]
    pub missing: u64,
    /// Messages that disappear: they are left out.
    #[ts(type = "number")]
    pub left_out: u64,
}

/// A file of a message, as the pages show it.
pub(crate) enum Kept {
    /// Under this name in `media`.
    Here(String),
    /// It may be opened once, or is gone.
    Once,
    /// It is not on this device, and could not be fetched.
    Missing,
}

/// All that the pages need of a line beside itself.
#[derive(Default)]
pub(crate) struct Extras {
    files: HashMap<(i64, u32), Kept>,
    versions: HashMap<i64, Vec<Version>>,
}

impl Extras {
    pub(crate) fn file(&self, local_id: i64, index: u32) -> &Kept {
        self.files.get(&(local_id, index)).unwrap_or(&Kept::Missing)
    }

    pub(crate) fn versions(&self, local_id: i64) -> &[Version] {
        self.versions.get(&local_id).map_or(&[], Vec::as_slice)
    }
}

fn unwritable(error: &io::Error) -> Failure {
    Failure::file("The folder to export to", error)
}

/// Writes a chat to a new or empty folder.
///
/// # Errors
/// `chat.unknown`, `file.*`.
pub async fn export(
    client: &Client,
    chat: &ChatId,
    folder: &Path,
    now_ms: i64,
) -> Result<Exported, Failure> {
    let info = client.chat(chat).await?;
    make_folder(folder)?;
    let (lines, left_out) = lines(client, chat).await?;
    let mut extras = Extras::default();
    let (mut files, mut missing) = (0, 0);
    for line in &lines {
        if line.edits > 0 && !line.deleted {
            let versions = client.history(chat, &line.id).await?;
            extras.versions.insert(line.local_id, versions);
        }
        for file in &line.attachments {
            let kept = if line.view_once || line.opened {
                Kept::Once
            } else {
                let name = page::file_name(files + 1, &file.name);
                match client
                    .save(
                        chat,
                        &line.id,
                        file.index,
                        &folder.join("media").join(&name),
                    )
                    .await
                {
                    Ok(_) => {
                        files += 1;
                        Kept::Here(name)
                    }
                    Err(error) if is_of_the_disk(error.code()) => return Err(error.into()),
                    Err(_) => {
                        missing += 1;
                        Kept::Missing
                    }
                }
            };
            extras.files.insert((line.local_id, file.index), kept);
        }
    }
    write_pages(folder, &info, &lines, &extras, left_out, now_ms)?;
    let messages = lines
        .iter()
        .filter(|line| line.kind == MessageKind::Message)
        .count();
    Ok(Exported {
        index: folder.join("index.html"),
        messages: messages as u64,
        files,
        missing,
        left_out,
    })
}

/// Not the file's own trouble: going on makes no sense.
fn is_of_the_disk(code: &str) -> bool {
    [
        "attachment.disk_full",
        "attachment.unwritable",
        "attachment.io",
    ]
    .contains(&code)
        || code.starts_with("store.")
        || code.starts_with("state.")
}

fn make_folder(folder: &Path) -> Result<(), Failure> {
    match fs::read_dir(folder).map(|mut entries| entries.next().is_some()) {
        Ok(true) => {
            return Err(Failure::new(
                "file.exists",
                "The folder to export to is not empty; nothing was written.",
            ));
        }
        Ok(false) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let made = DirBuilder::new().mode(0o700).create(folder);
            made.map_err(|error| unwritable(&error))?;
        }
        Err(error) => return Err(unwritable(&error)),
    }
    // Also one that was there: what comes into it is for its owner.
    let closed = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    fs::set_permissions(folder, closed)
        .and_then(|()| DirBuilder::new().mode(0o700).create(folder.join("media")))
        .map_err(|error| unwritable(&error))
}

/// All lines, oldest first, and how many were left out because they disappear. What quotes one of those says nothing of it.
async fn lines(client: &Client, chat: &ChatId) -> Result<(Vec<MessageInfo>, u64), Failure> {
    let mut pages = Vec::new();
    let mut before = None;
    loop {
        let page = client
            .messages(
                chat,
                Page {
                    limit: READ,
                    before,
                },
            )
            .await?;
        let Some(first) = page.first() else { break };
        before = Some(first.local_id);
        let whole = page.len() == READ as usize;
        pages.push(page);
        if !whole {
            break;
        }
    }
    let (mut kept, left_out): (Vec<_>, Vec<_>) = pages
        .into_iter()
        .rev()
        .flatten()
        .partition(|line| line.timer_s.is_none() && line.expires_ms.is_none());
    let gone: HashSet<i64> = left_out.iter().map(|line| line.local_id).collect();
    for quote in kept.iter_mut().filter_map(|line| line.quote.as_mut()) {
        if quote.local_id.is_some_and(|id| gone.contains(&id)) {
            quote.text.clear();
            quote.deleted = true;
        }
    }
    Ok((kept, left_out.len() as u64))
}

fn write_pages(
    folder: &Path,
    info: &ChatInfo,
    lines: &[MessageInfo],
    extras: &Extras,
    left_out: u64,
    now_ms: i64,
) -> Result<(), Failure> {
    let count = lines.len().div_ceil(LINES).max(1);
    for number in (1..=count).rev() {
        let from = (number - 1) * LINES;
        let part = lines
            .get(from..lines.len().min(from + LINES))
            .unwrap_or(&[]);
        let html = page::page(&page::What {
            name: &info.name,
            number,
            count,
            left_out,
            now_ms,
            lines: part,
            extras,
        });
        // The first page is written last: where it is, all is.
        write(&folder.join(page::page_name(number)), html.as_bytes())
            .map_err(|error| unwritable(&error))?;
    }
    Ok(())
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
