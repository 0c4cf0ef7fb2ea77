//! Files of messages, read by the browser piece by piece under addresses that nobody can guess.
//!
//! An address names one file, was made for one session, and is over when the home is locked, when the session lets go of it, or
//! when many newer ones were made. What must stay true: only kinds that a browser plays or paints, and never runs, are sent as what
//! they are, and never to be a page; everything else is bytes to be saved. A file is decrypted as it is sent and nowhere kept.

use std::{
    collections::VecDeque,
    io::{self, Read, Seek, SeekFrom},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use futures_util::stream;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::{
    HeaderMap, Response, StatusCode,
    body::Frame,
    header::{self, HeaderValue},
};
use tokio::sync::mpsc;
use undertone_core::{ChatId, Client, MessageId, attachments::AttachmentReader};

use super::{
    Host,
    doors::{Hash, hash, token},
    guard,
    ranges::{Wanted, wanted},
    route::{Body, empty},
};
use crate::failure::Failure;

/// Addresses at a time; the oldest goes.
const ADDRESSES: usize = 1024;
/// Bytes read at once.
const PIECE: usize = 64 * 1024;

/// What a browser may show by itself: kinds that hold no script and lead nowhere.
const SHOWN: &[&str] = &[
    "image/jpeg",
    "image/png",
    "image/webp",
    "image/gif",
    "audio/mp4",
    "audio/mpeg",
    "audio/ogg",
    "audio/wav",
    "audio/x-wav",
    "audio/webm",
    "audio/aac",
    "audio/x-flac",
    "audio/m4a",
    "video/mp4",
    "video/webm",
];

/// The addresses there are.
#[derive(Default)]
pub struct MediaUrls(Mutex<VecDeque<(Hash, Arc<Granted>)>>);

struct Granted {
    session: Hash,
    chat: ChatId,
    message: MessageId,
    index: u32,
    name: String,
    /// What it is sent as; none: as bytes to be saved.
    content_type: Option<String>,
    /// The one reader of a file that may be opened once.
    once: Option<Shared>,
}

type Shared = Arc<Mutex<AttachmentReader>>;

impl MediaUrls {
    /// An address for a file of a message, after it has been downloaded.
    ///
    /// # Errors
    /// `message.unknown`, `attachment.*`, `connection.offline`, `host.random`.
    pub async fn grant(
        &self,
        client: &Client,
        session: Hash,
        (chat, message, index): (ChatId, MessageId, u32),
        save: bool,
    ) -> Result<String, Failure> {
        let info = client.message(&chat, message.as_str()).await?;
        let reader = client.open_file(&chat, &message, index).await?;
        let file = info.attachments.iter().find(|file| file.index == index);
        let (name, content_type) = file.map_or_else(
            || (String::new(), String::new()),
            |file| (file.name.clone(), file.content_type.clone()),
        );
        let token = token()?;
        let granted = Granted {
            session,
            chat,
            message,
            index,
            name,
            content_type: shown(&content_type).filter(|_| !save),
            once: info.view_once.then(|| Arc::new(Mutex::new(reader))),
        };
        let mut addresses = self.lock();
        if addresses.len() == ADDRESSES {
            addresses.pop_front();
        }
        addresses.push_back((hash(&token), Arc::new(granted)));
        Ok(format!("/media/{}", *token))
    }

    /// Ends an address, if it is this session's.
    pub fn release(&self, session: &Hash, url: &str) {
        let Some(token) = url.strip_prefix("/media/") else {
            return;
        };
        let wanted = hash(token);
        self.lock()
            .retain(|(known, granted)| *known != wanted || granted.session != *session);
    }

    /// Ends all of them.
    pub fn revoke_all(&self) {
        self.lock().clear();
    }

    fn find(&self, token: &str) -> Option<Arc<Granted>> {
        // Looked up by hash: how long that takes says nothing of the token.
        let wanted = hash(token);
        let addresses = self.lock();
        addresses
            .iter()
            .find(|(known, _)| *known == wanted)
            .map(|(_, granted)| Arc::clone(granted))
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(Hash, Arc<Granted>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The type to send something as, without parameters other than Opus's, if it is one that may be shown.
fn shown(content_type: &str) -> Option<String> {
    let kind = content_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    SHOWN.contains(&kind.as_str()).then_some(kind)
}

/// Sends what is at an address, or the part of it that was asked for.
pub async fn serve(host: &Arc<Host>, token: &str, headers: &HeaderMap) -> Response<Body> {
    let Some(granted) = host.media.find(token) else {
        return empty(StatusCode::NOT_FOUND);
    };
    if granted.content_type.is_some() && guard::is_for_a_page(headers) {
        return empty(StatusCode::FORBIDDEN);
    }
    let reader = match &granted.once {
        Some(reader) => Arc::clone(reader),
        None => {
            let Ok((client, _)) = host.home.client() else {
                return empty(StatusCode::NOT_FOUND);
            };
            match client
                .open_file(&granted.chat, &granted.message, granted.index)
                .await
            {
                Ok(reader) => Arc::new(Mutex::new(reader)),
                // Deleted, or its time is over.
                Err(_) => return empty(StatusCode::NOT_FOUND),
            }
        }
    };
    let size = lock(&reader).size();
    let range = headers
        .get(header::RANGE)
        .and_then(|value| value.to_str().ok());
    let (status, first, length) = match wanted(range, size) {
        Wanted::Whole => (StatusCode::OK, 0, size),
        Wanted::Part(first, last) => (StatusCode::PARTIAL_CONTENT, first, last - first + 1),
        Wanted::Unsatisfiable => {
            let mut response = empty(StatusCode::RANGE_NOT_SATISFIABLE);
            put(
                &mut response,
                header::CONTENT_RANGE,
                &format!("bytes */{size}"),
            );
            return response;
        }
    };
    let mut response = Response::new(send(reader, first, length));
    *response.status_mut() = status;
    put(&mut response, header::ACCEPT_RANGES, "bytes");
    put(&mut response, header::CONTENT_LENGTH, &length.to_string());
    if status == StatusCode::PARTIAL_CONTENT {
        let last = first + length - 1;
        let said = format!("bytes {first}-{last}/{size}");
        put(&mut response, header::CONTENT_RANGE, &said);
    }
    match &granted.content_type {
        Some(kind) => {
            put(&mut response, header::CONTENT_TYPE, kind);
            put(&mut response, header::CONTENT_DISPOSITION, "inline");
        }
        None => {
            put(
                &mut response,
                header::CONTENT_TYPE,
                "application/octet-stream",
            );
            let said = format!("attachment; filename*=UTF-8''{}", escaped(&granted.name));
            put(&mut response, header::CONTENT_DISPOSITION, &said);
        }
    }
    response
}

fn put(response: &mut Response<Body>, name: header::HeaderName, value: &str) {
    // All of them are made of ASCII here.
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

/// A name as RFC 8187 has it: whatever isn't a letter, digit, dot, dash or underscore in hexadecimal. What could turn the
/// direction of a name, or hide in it, is left out.
fn escaped(name: &str) -> String {
    let name: String = name
        .chars()
        .filter(|letter| !letter.is_control() && !is_hidden(*letter))
        .collect();
    let name = if name.trim_matches(['.', ' ']).is_empty() {
        "file".to_owned()
    } else {
        name
    };
    let mut out = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_') {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push_str(&super::doors::hexadecimal(&[byte]).to_ascii_uppercase());
        }
    }
    out
}

/// Marks of direction and joining that aren't seen.
fn is_hidden(letter: char) -> bool {
    matches!(letter, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{61c}')
}

fn lock(reader: &Shared) -> MutexGuard<'_, AttachmentReader> {
    reader.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The bytes of `reader` from `first` on, read as the browser takes them.
fn send(reader: Shared, first: u64, length: u64) -> Body {
    let (sender, receiver) = mpsc::channel::<io::Result<Frame<Bytes>>>(2);
    tokio::task::spawn_blocking(move || {
        let (mut position, end) = (first, first + length);
        while position < end {
            let piece = read_piece(&reader, position, end);
            let failed = piece.is_err();
            if let Ok(bytes) = &piece {
                position += bytes.len() as u64;
            }
            // Nobody to read it, or nothing to be read any more: a body that ends early is seen as such.
            if sender.blocking_send(piece.map(Frame::data)).is_err() || failed {
                return;
            }
        }
    });
    let frames = stream::unfold(receiver, |mut receiver| async {
        receiver.recv().await.map(|frame| (frame, receiver))
    });
    StreamBody::new(frames).boxed_unsync()
}

fn read_piece(reader: &Shared, position: u64, end: u64) -> io::Result<Bytes> {
    let mut reader = lock(reader);
    reader.seek(SeekFrom::Start(position))?;
    let left = usize::try_from(end - position).unwrap_or(PIECE);
    let mut piece = vec![0; left.min(PIECE)];
    let read = reader.read(&mut piece)?;
    if read == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    piece.truncate(read);
    Ok(piece.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_holds_no_script_is_shown() {
        for kind in [
            "image/png",
            "image/JPEG",
            "audio/ogg;codecs=opus",
            "video/mp4",
        ] {
            assert!(shown(kind).is_some(), "{kind}");
        }
        for kind in [
            "image/svg+xml",
            "text/html",
            "text/html; charset=utf-8",
            "application/xhtml+xml",
            "application/pdf",
            "text/plain",
            "text/xml",
            "image/png/../text/html",
            "multipart/x-mixed-replace",
            "",
        ] {
            assert_eq!(shown(kind), None, "{kind}");
        }
        assert_eq!(shown("image/png; x=\r\ny").as_deref(), Some("image/png"));
    }

    #[test]
    fn names_are_escaped_and_nothing_hides_in_them() {
        assert_eq!(escaped("photo.jpg"), "photo.jpg");
        assert_eq!(escaped("a\"b\r\n; c.txt"), "a%22b%3B%20c.txt");
        assert_eq!(escaped("fdp\u{202e}gnp.exe"), "fdpgnp.exe");
        assert_eq!(escaped(".."), "file");
        assert_eq!(escaped(""), "file");
        assert_eq!(escaped("../../etc/passwd"), "..%2F..%2Fetc%2Fpasswd");
        assert_eq!(escaped("é"), "%C3%A9");
    }
}
