//! `undertone send` and `undertone save`.

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use serde_json::json;
use undertone_core::{
    Delivery, DraftAttachment, DraftFilm, Expires, LinkState, Location, SharedContact,
};

use super::{NEWS, Visit, select, with};
use crate::{
    cli::{
        args::Global,
        output::{Outcome, Output},
    },
    failure::Failure,
    rpc::{
        methods::{AttachmentsSave, MessagesSend, StatusGet},
        params::{NewMessage, Nothing, SaveAttachment},
    },
    terminal::{conversation, sanitize::single_line, width},
};

/// Longest text read from standard input; the core refuses less.
const LONGEST_TEXT: u64 = 64 * 1024;
/// How long `send` waits for the server to have the message, per started 8 MiB of attachments.
const WAIT_MS: u64 = 20_000;
const WAIT_STEP: u64 = 8 * 1024 * 1024;

pub(super) struct Writing {
    pub text: Option<String>,
    pub attach: Vec<PathBuf>,
    pub keep_metadata: bool,
    pub markdown: bool,
    pub reply_to: Option<String>,
    pub expires: Option<Expires>,
    pub view_once: bool,
    /// A picture of the video that is attached.
    pub poster: Option<PathBuf>,
    /// How long that video plays, seconds.
    pub plays: Option<u32>,
    /// Whose card; a name, the beginning of one, or an id.
    pub contact: Option<String>,
    /// A contact link that goes with the card; -: on standard input.
    pub contact_link: Option<String>,
    pub location: Option<Location>,
}

pub(super) async fn send(
    options: &Global,
    output: &Output,
    selector: &str,
    writing: Writing,
) -> Result<Outcome, Failure> {
    // Everything that can be wrong here is found before the passphrase is asked for.
    let text = match writing.text {
        Some(text) if text == "-" => Some(text_from_stdin()?),
        other => other,
    };
    let contact_link = match writing.contact_link {
        Some(link) if link == "-" => Some(text_from_stdin()?),
        other => other,
    };
    let film = match (&writing.poster, writing.plays) {
        (None, None) => None,
        _ if writing.attach.len() != 1 => {
            return Err(Failure::usage(
                "A poster and a length go with one video; attach nothing else.",
            ));
        }
        (poster, plays) => Some(DraftFilm {
            poster: poster
                .as_deref()
                .map(readable)
                .transpose()?
                .map(|(path, _)| path),
            duration_ms: plays.map(|seconds| u64::from(seconds) * 1000),
        }),
    };
    let mut attachments = Vec::new();
    let mut size = 0;
    for path in &writing.attach {
        let (path, bytes) = readable(path)?;
        size += bytes;
        attachments.push(DraftAttachment {
            path,
            name: None,
            keep_metadata: writing.keep_metadata,
            film: film.clone(),
        });
    }
    let visit = Visit::begin(options, output, NEWS).await?;
    with!(visit, |visit| {
        let chat = select::chat(&mut visit.session, selector).await?;
        let in_reply_to = match &writing.reply_to {
            Some(answered) => Some(
                select::message(&mut visit.session, &chat, answered)
                    .await?
                    .id,
            ),
            None => None,
        };
        let contact = match &writing.contact {
            Some(name) => Some(SharedContact {
                contact: select::contact(&mut visit.session, name).await?.id,
                link: contact_link.clone(),
            }),
            None => None,
        };
        visit.progress.say("Sending");
        let wait_ms = visit.is_online().then(|| WAIT_MS * (1 + size / WAIT_STEP));
        let new = NewMessage {
            chat: chat.id.clone(),
            text: text.clone(),
            markdown: writing.markdown,
            attachments: attachments.clone(),
            in_reply_to,
            expires: writing.expires,
            view_once: writing.view_once,
            contact,
            location: writing.location,
            wait_ms,
        };
        let sent = visit.session.call::<MessagesSend>(new).await?;
        let line = match sent.state {
            Delivery::Accepted => format!(
                "Sent to {}: the server has it on disk.",
                conversation::title(&chat)
            ),
            Delivery::Queued => {
                format!(
                    "Queued for {}: the next command or `undertone watch` sends it.",
                    conversation::title(&chat)
                )
            }
        };
        let note = match sent.state {
            Delivery::Accepted => None,
            Delivery::Queued => {
                visit.has_waited = true;
                why_it_waits(visit).await?
            }
        };
        Ok(Outcome::line(json!(sent), line).with_notes(note))
    })
}

/// What holds a message up, if that is known.
async fn why_it_waits(visit: &mut Visit) -> Result<Option<String>, Failure> {
    let status = visit.session.call::<StatusGet>(Nothing {}).await?;
    Ok(status.problem.map(|problem| match status.inbox {
        LinkState::Online => format!("Not sent yet: {}", problem.sentence),
        _ => format!("Offline: {}", problem.sentence),
    }))
}

pub(super) fn text_from_stdin() -> Result<String, Failure> {
    let mut bytes = Vec::new();
    std::io::stdin()
        .lock()
        .take(LONGEST_TEXT + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Failure::file("The message on standard input", &error))?;
    if bytes.len() as u64 > LONGEST_TEXT {
        return Err(Failure::new(
            "message.too_long",
            "The text on standard input is too long for a message; send it as a file.",
        ));
    }
    let mut text = String::from_utf8(bytes)
        .map_err(|_| Failure::usage("The text on standard input is not UTF-8."))?;
    if text.ends_with('\n') {
        text.pop();
    }
    Ok(text)
}

/// An absolute path and the size of a file that can be read.
fn readable(path: &Path) -> Result<(PathBuf, u64), Failure> {
    let failed = |error: std::io::Error| {
        Failure::file(&format!("The attachment {}", path.display()), &error)
    };
    let metadata = std::fs::metadata(path).map_err(failed)?;
    if !metadata.is_file() {
        return Err(Failure::new(
            "file.not_a_file",
            format!("The attachment {} is no regular file.", path.display()),
        ));
    }
    File::open(path).map_err(failed)?;
    Ok((std::path::absolute(path).map_err(failed)?, metadata.len()))
}

pub(super) async fn save(
    options: &Global,
    output: &Output,
    selector: &str,
    message: &str,
    file: &Path,
    number: u32,
) -> Result<Outcome, Failure> {
    let visit = Visit::begin(options, output, NEWS).await?;
    with!(visit, |visit| {
        let chat = select::chat(&mut visit.session, selector).await?;
        let message = select::message(&mut visit.session, &chat, message).await?;
        let index = number - 1;
        let attachment = message
            .attachments
            .iter()
            .find(|attachment| attachment.index == index)
            .ok_or_else(|| {
                let sentence = match message.attachments.len() {
                    0 => "This message has no attachment.".to_owned(),
                    1 => "This message has one attachment.".to_owned(),
                    count => format!("This message has {count} attachments."),
                };
                Failure::new("attachment.unknown", sentence)
            })?;
        let path = std::path::absolute(file)
            .map_err(|error| Failure::file("The file to save to", &error))?;
        let path = if path.is_dir() {
            path.join(safe_name(&attachment.name))
        } else {
            path
        };
        visit.progress.say("Fetching the attachment");
        let saved = visit
            .session
            .call::<AttachmentsSave>(SaveAttachment {
                chat: chat.id.clone(),
                message: message.id.clone(),
                index,
                path,
            })
            .await?;
        let line = format!(
            "Saved {} ({}).",
            single_line(&saved.path.display().to_string()),
            width::bytes(saved.bytes)
        );
        Ok(Outcome::line(json!(saved), line))
    })
}

/// A file name that a sender gave, as one visible component that hides nothing and escapes nowhere.
fn safe_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let clean: String = single_line(last)
        .chars()
        .filter(|c| {
            !matches!(
                c,
                '\u{2068}' | '\u{2069}' | '\u{fffd}' | ':' | '*' | '?' | '"' | '<' | '>' | '|'
            )
        })
        .collect();
    let clean = clean.trim_matches(|c: char| c == '.' || c.is_whitespace());
    let mut end = clean.len().min(200);
    while !clean.is_char_boundary(end) {
        end -= 1;
    }
    if end == 0 || clean == "(no name)" {
        "attachment".to_owned()
    } else {
        clean[..end].to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_senders_file_name_stays_in_its_folder() {
        for (given, saved) in [
            ("beach.jpg", "beach.jpg"),
            ("../../etc/passwd", "passwd"),
            ("..", "attachment"),
            ("", "attachment"),
            (".bashrc", "bashrc"),
            ("C:\\x\\evil.exe", "evil.exe"),
            ("a\u{202e}gpj.exe", "agpj.exe"),
            ("a\u{0}b\nc", "ab c"),
            ("/", "attachment"),
        ] {
            assert_eq!(safe_name(given), saved, "{given:?}");
        }
        assert!(safe_name(&"ü".repeat(300)).len() <= 200);
    }

    #[test]
    fn an_attachment_that_cannot_be_read_is_named() {
        let folder = tempfile::tempdir().expect("folder");
        assert_eq!(
            readable(&folder.path().join("none.jpg"))
                .expect_err("refused")
                .code,
            "file.not_found"
        );
        assert_eq!(
            readable(folder.path()).expect_err("refused").code,
            "file.not_a_file"
        );
    }
}
