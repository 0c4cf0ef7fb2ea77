//! Files from the browser to the core: a bound address that is good for one PUT, whose body is encrypted as it comes.
//!
//! What must stay true: the bytes are never on disk as they came; an address takes exactly as many bytes as were announced, once,
//! from this origin; what comes of it belongs to the session that asked, and for no longer than its page is there.

use std::{
    collections::HashMap,
    io::{self, Read},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use bytes::{Buf as _, Bytes};
use http_body_util::BodyExt as _;
use hyper::{Request, Response, StatusCode, body::Incoming};
use serde_json::json;
use tokio::sync::mpsc;
use undertone_core::{Arriving, TakenFile};

use super::{
    Host,
    doors::{Hash, hash, token},
    route::{Body, empty, json_answer},
};
use crate::failure::Failure;

/// Addresses, and files that wait to be sent, at a time.
const MOST: usize = 64;
/// How long an address may wait for its file to begin.
const BEGIN: Duration = Duration::from_secs(60);
/// How long a body may stand still.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a page may be away and find its files again: longer than it keeps them itself.
const AWAY: Duration = Duration::from_secs(10);

/// Addresses that wait for their file, and files that wait for their message.
#[derive(Default)]
pub struct Uploads(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    expected: HashMap<Hash, Expected>,
    taken: HashMap<String, (Of, TakenFile)>,
    /// How often each page is connected.
    here: HashMap<Hash, usize>,
}

/// The session that asked, and its page.
type Of = (Hash, Option<Hash>);

struct Expected {
    of: Of,
    id: String,
    size: u64,
    arriving: Arriving,
    until: Instant,
}

/// Where to PUT a file, and what to call it afterwards.
pub struct Address {
    /// The path.
    pub url: String,
    /// The upload's id, for the message.
    pub id: String,
}

impl Uploads {
    /// An address for one file of `size` bytes.
    ///
    /// # Errors
    /// `host.too_many_uploads`, `host.random`.
    pub fn expect(&self, of: Of, size: u64, arriving: Arriving) -> Result<Address, Failure> {
        let (address, id) = (token()?, token()?);
        let id = id[..32].to_owned();
        let now = Instant::now();
        let mut waiting = self.lock();
        waiting.expected.retain(|_, expected| expected.until > now);
        if waiting.expected.len() + waiting.taken.len() >= MOST {
            return Err(Failure::new(
                "host.too_many_uploads",
                "Too many files wait to be sent; send or remove some first.",
            ));
        }
        waiting.expected.insert(
            hash(&address),
            Expected {
                of,
                id: id.clone(),
                size,
                arriving,
                until: now + BEGIN,
            },
        );
        Ok(Address {
            url: format!("/upload/{}", *address),
            id,
        })
    }

    /// The files of these uploads, for their message. All of them or none.
    ///
    /// # Errors
    /// `host.upload_unknown`.
    pub fn take(&self, session: &Hash, ids: &[String]) -> Result<Vec<TakenFile>, Failure> {
        let mut waiting = self.lock();
        let all_there = ids.iter().enumerate().all(|(index, id)| {
            let is_own = waiting
                .taken
                .get(id)
                .is_some_and(|((owner, _), _)| owner == session);
            is_own && !ids[..index].contains(id)
        });
        if !all_there {
            return Err(Failure::new(
                "host.upload_unknown",
                "A file of this message is not here any more; add it again.",
            ));
        }
        let files = ids.iter().filter_map(|id| waiting.taken.remove(id));
        Ok(files.map(|(_, file)| file).collect())
    }

    /// What a page left that is not here any more.
    fn abandoned(&self, page: Hash) -> Vec<TakenFile> {
        let mut waiting = self.lock();
        if waiting.here.contains_key(&page) {
            return Vec::new();
        }
        let left = waiting.taken.extract_if(|_, (of, _)| of.1 == Some(page));
        left.map(|(_, (_, file))| file).collect()
    }

    /// Forgets all of them. Files that were taken in are removed by the next start.
    pub fn revoke_all(&self) {
        let mut waiting = self.lock();
        waiting.expected.clear();
        waiting.taken.clear();
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A page that is connected. When the last connection of a page has ended and it doesn't come back, the files that it had sent are given back.
pub struct Here {
    host: Arc<Host>,
    page: Hash,
}

impl Here {
    /// From now on.
    pub fn of(host: Arc<Host>, page: Hash) -> Self {
        *host.uploads.lock().here.entry(page).or_default() += 1;
        Self { host, page }
    }
}

impl Drop for Here {
    fn drop(&mut self) {
        let mut waiting = self.host.uploads.lock();
        if let Some(times) = waiting.here.get_mut(&self.page) {
            *times -= 1;
            if *times > 0 {
                return;
            }
        }
        waiting.here.remove(&self.page);
        let (host, page) = (Arc::clone(&self.host), self.page);
        // Where everything ends, the next start removes them.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        runtime.spawn(async move {
            tokio::time::sleep(AWAY).await;
            let Ok((client, _)) = host.home.client() else {
                return;
            };
            for file in host.uploads.abandoned(page) {
                // If it can't be removed now, the next start does.
                let _ = client.give_back(file).await;
            }
        });
    }
}

/// Takes in the body of a PUT.
pub async fn serve(host: &Arc<Host>, token: &str, request: Request<Incoming>) -> Response<Body> {
    let expected = host.uploads.lock().expected.remove(&hash(token));
    let Some(expected) = expected.filter(|expected| expected.until > Instant::now()) else {
        return empty(StatusCode::NOT_FOUND);
    };
    let Ok((client, _)) = host.home.client() else {
        return empty(StatusCode::NOT_FOUND);
    };
    let (sender, receiver) = mpsc::channel(4);
    let pumping = pump(host, request.into_body(), sender, expected.size);
    let taking = client.take_in(Arrived::new(receiver), expected.arriving);
    let (came_whole, taken) = tokio::join!(pumping, taking);
    match taken {
        Ok(file) if came_whole => {
            let mut waiting = host.uploads.lock();
            // Locked meanwhile: it is nobody's, and the next start removes it.
            if host.home.client().is_ok() {
                waiting
                    .taken
                    .insert(expected.id.clone(), (expected.of, file));
            }
            json_answer(StatusCode::OK, &json!({"upload": expected.id}))
        }
        Ok(file) => {
            // If it can't be removed now, the next start does.
            let _ = client.give_back(file).await;
            let failure = Failure::new(
                "host.upload_cut",
                "The file did not come whole; add it again.",
            );
            json_answer(
                StatusCode::BAD_REQUEST,
                &json!({"error": failure.to_json()}),
            )
        }
        Err(error) => {
            let failure = Failure::from(error);
            json_answer(
                StatusCode::UNPROCESSABLE_ENTITY,
                &json!({"error": failure.to_json()}),
            )
        }
    }
}

/// Hands the body on, while the home is open. True if exactly `size` bytes came.
async fn pump(host: &Host, mut body: Incoming, sender: mpsc::Sender<Piece>, size: u64) -> bool {
    let mut home = host.home.watch();
    let mut left = size;
    loop {
        let next = tokio::select! {
            next = tokio::time::timeout(PATIENCE, body.frame()) => next,
            _ = home.wait_for(|now| now.client.is_none()) => break,
        };
        let frame = match next {
            Ok(None) if left == 0 => return sender.send(Piece::End).await.is_ok(),
            Ok(Some(Ok(frame))) => frame,
            _ => break,
        };
        let Ok(data) = frame.into_data() else {
            continue;
        };
        match left.checked_sub(data.len() as u64) {
            Some(less) => left = less,
            None => break,
        }
        if sender.send(Piece::Bytes(data)).await.is_err() {
            // The core wants no more of it, and says why.
            return false;
        }
    }
    false
}

/// What comes of a body.
enum Piece {
    Bytes(Bytes),
    /// It came whole. Without this it did not, whatever became of who handed it on.
    End,
}

/// The body as the core reads it, on a thread that may wait.
struct Arrived {
    pieces: mpsc::Receiver<Piece>,
    piece: Bytes,
    is_whole: bool,
}

impl Arrived {
    fn new(pieces: mpsc::Receiver<Piece>) -> Self {
        Self {
            pieces,
            piece: Bytes::new(),
            is_whole: false,
        }
    }
}

impl Read for Arrived {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            if self.is_whole {
                return Ok(0);
            }
            match self.pieces.blocking_recv() {
                Some(Piece::Bytes(piece)) => self.piece = piece,
                Some(Piece::End) => self.is_whole = true,
                None => return Err(io::ErrorKind::UnexpectedEof.into()),
            }
        }
        let length = self.piece.len().min(out.len());
        self.piece
            .split_to(length)
            .copy_to_slice(&mut out[..length]);
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn a_body_that_nobody_hands_on_any_more_did_not_come_whole() {
        for is_whole in [true, false] {
            let (sender, receiver) = mpsc::channel(4);
            let piece = Piece::Bytes(Bytes::from_static(b"half"));
            assert!(sender.send(piece).await.is_ok());
            if is_whole {
                assert!(sender.send(Piece::End).await.is_ok());
            }
            drop(sender);
            let read = tokio::task::spawn_blocking(|| {
                let mut text = String::new();
                Arrived::new(receiver).read_to_string(&mut text).is_ok()
            });
            assert_eq!(read.await.unwrap(), is_whole);
        }
    }
}
