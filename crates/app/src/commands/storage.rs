//! `undertone storage`: what the files of chats take on this device.

use serde_json::json;
use undertone_core::{ChatStorage, CleanUp};

use super::{NEWS, Visit, select, with};
use crate::{
    cli::{
        args::Global,
        output::{Outcome, Output},
    },
    failure::Failure,
    rpc::{
        methods::{StorageClean, StorageList},
        params::{CleanStorage, Nothing},
    },
    terminal::{single_line, width},
};

/// What to show or remove.
pub(super) struct Wanted {
    pub chat: Option<String>,
    pub clean: bool,
    pub larger_than_mb: Option<u32>,
    pub older_than_s: Option<u64>,
}

pub(super) async fn run(
    options: &Global,
    output: &Output,
    wanted: Wanted,
) -> Result<Outcome, Failure> {
    let visit = Visit::begin(options, output, NEWS).await?;
    with!(visit, |visit| {
        let session = &mut visit.session;
        let chat = match &wanted.chat {
            Some(selector) => Some(select::chat(session, selector).await?.id),
            None => None,
        };
        if wanted.clean {
            let now = std::time::SystemTime::now()
                .duration_since(std::time::UNIX_EPOCH)
                .map_or(0, |since| since.as_secs());
            let before = wanted
                .older_than_s
                .map(|span| now.saturating_sub(span).saturating_mul(1000));
            let clean = CleanUp {
                larger_than: wanted.larger_than_mb.map(|mb| u64::from(mb) * 1_000_000),
                older_than_ms: before.map(|ms| i64::try_from(ms).unwrap_or(i64::MAX)),
            };
            let done = session
                .call::<StorageClean>(CleanStorage { chat, clean })
                .await?;
            let line = format!(
                "Removed {} files, {}, from this device.",
                done.files,
                width::bytes(done.bytes)
            );
            return Ok(Outcome::line(json!(done), line));
        }
        let mut all = session.call::<StorageList>(Nothing {}).await?;
        all.retain(|one| chat.as_ref().is_none_or(|chat| one.chat == *chat));
        let lines = list(&all, chat.is_some());
        Ok(Outcome::new(json!(all), lines))
    })
}

fn list(all: &[ChatStorage], largest: bool) -> Vec<String> {
    if all.is_empty() {
        return vec!["There are no files on this device.".to_owned()];
    }
    let mut lines = Vec::new();
    for one in all {
        let name = single_line(&one.name);
        let files = if one.files == 1 { "file" } else { "files" };
        let bytes = width::bytes(one.bytes);
        lines.push(format!("{bytes:>10}  {} {files}  {name}", one.files));
        if largest {
            for file in &one.largest {
                let bytes = width::bytes(file.bytes);
                lines.push(format!("{bytes:>10}  {}", single_line(&file.name)));
            }
        }
    }
    lines
}
