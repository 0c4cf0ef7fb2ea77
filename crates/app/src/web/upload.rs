//! Files from the browser to the core: a bound address that is good for one PUT, whose body is encrypted as it comes.
//!
//! What must stay true: the bytes are never on disk as they came; an address takes exactly as many bytes as were announced, once,
//! from this origin; what comes of it belongs to the session that asked.

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

/// Addresses that wait for their file, and files that wait for their message.
#[derive(Default)]
pub struct Uploads(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    expected: HashMap<Hash, Expected>,
    taken: HashMap<String, (Hash, TakenFile)>,
}

struct Expected {
    session: Hash,
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
    pub fn expect(&self, session: Hash, size: u64, arriving: Arriving) -> Result<Address, Failure> {
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
                session,
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
                .is_some_and(|(owner, _)| owner == session);
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

    /// Forgets all of them. Files that were taken in are removed by the next start.
    pub fn revoke_all(&self) {
        *self.lock() = Waiting::default();
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
                    .insert(expected.id.clone(), (expected.session, file));
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
async fn pump(
    host: &Host,
    mut body: Incoming,
    sender: mpsc::Sender<io::Result<Bytes>>,
    size: u64,
) -> bool {
    let mut home = host.home.watch();
    let mut left = size;
    loop {
        let next = tokio::select! {
            next = tokio::time::timeout(PATIENCE, body.frame()) => next,
            _ = home.wait_for(|now| now.client.is_none()) => break,
        };
        let frame = match next {
            Ok(None) if left == 0 => return true,
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
        if sender.send(Ok(data)).await.is_err() {
            // The core wants no more of it, and says why.
            return false;
        }
    }
    // Nobody may be listening any more.
    let _ = sender.send(Err(io::ErrorKind::UnexpectedEof.into())).await;
    false
}

/// The body as the core reads it, on a thread that may wait.
struct Arrived {
    pieces: mpsc::Receiver<io::Result<Bytes>>,
    piece: Bytes,
}

impl Arrived {
    fn new(pieces: mpsc::Receiver<io::Result<Bytes>>) -> Self {
        Self {
            pieces,
            piece: Bytes::new(),
        }
    }
}

impl Read for Arrived {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.pieces.blocking_recv() {
                Some(piece) => self.piece = piece?,
                None => return Ok(0),
            }
        }
        let length = self.piece.len().min(out.len());
        self.piece
            .split_to(length)
            .copy_to_slice(&mut out[..length]);
        Ok(length)
    }
}
