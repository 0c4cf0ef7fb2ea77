//! The page's WebSocket: first who the program is, then who the page is, then JSON-RPC, one message a frame.
//!
//! Requests for `host.*` are answered here, all others by the same code that serves `HOME/rpc.sock`, over a pipe inside the
//! process. What must stay true: nothing is answered before the first message has shown a token or the code; a page that stops
//! reading holds back its own connection only; when the home is locked the connection ends.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use futures_util::{SinkExt as _, StreamExt as _};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, DuplexStream, ReadHalf},
    sync::{SemaphorePermit, mpsc, watch},
    task::JoinSet,
};
use tokio_websockets::{CloseCode, Limits, Message, ServerBuilder, WebSocketStream};

use super::{
    Host,
    doors::{Admitted, Hash, Key, hash_from_hexadecimal},
    methods::{self, Caller},
    route::turned,
    secret::Secret,
    upload,
};
use crate::{
    failure::Failure,
    rpc::{
        MAX_MESSAGE,
        line::{Line, Lines},
        message::{self, Incoming},
        methods::Context,
        serve::serve,
    },
};

/// How long a page may take to say who it is.
const FIRST: Duration = Duration::from_secs(10);
/// Longest first message: who has shown nothing yet gets no memory.
const FIRST_BYTES: usize = 4096;
/// Longest answer: a page of messages with previews.
const MAX_ANSWER: usize = 256 * 1024 * 1024;
/// Requests for the host that are worked on side by side.
const AT_WORK: usize = 64;
/// Answers that wait to be written.
const WAITING: usize = 64;
/// Bytes in the pipe to the core.
const PIPE: usize = 64 * 1024;
/// The page has no right to be here (a private code, RFC 6455 section 7.4.2).
const NOT_ADMITTED: u16 = 4401;
/// The home was locked.
const LOCKED: u16 = 4423;
/// The process ends, and no other takes its place.
const ENDED: u16 = 4411;
/// Close code: the home is wiped; the process ends.
const WIPED: u16 = 4410;

/// What a page asks first, before it says who it is: that the program proves itself.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Doubt {
    /// The page's name.
    page: String,
    /// What it just drew.
    nonce: String,
}

/// Who the page is.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct First {
    #[serde(default)]
    launch: Option<Secret>,
    #[serde(default)]
    code: Option<Secret>,
    #[serde(default)]
    session: Option<Secret>,
}

/// Talks to a page until it goes, the home is locked, or the process ends. `stranger` is its place among those who were not let in yet; who is
/// refused has as long to go as there was to say who it is.
pub async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
    host: Arc<Host>,
    stream: S,
    stranger: SemaphorePermit<'static>,
) {
    let limits = Limits::default().max_payload_len(Some(FIRST_BYTES));
    let mut socket = ServerBuilder::new().limits(limits).serve(stream);
    let first = tokio::time::timeout(FIRST, first_message(&host, &mut socket)).await;
    let Ok(Some((page, first))) = first else {
        return;
    };
    match admit(&host, &first) {
        Ok(admitted) => {
            let token = admitted.token.as_ref().map(|token| token.as_str());
            let welcome = json!({"admitted": true, "session": token});
            drop((first, stranger));
            socket.limits_mut().set_max_payload_len(Some(MAX_MESSAGE));
            if send(&mut socket, welcome.to_string()).await {
                let caller = Caller {
                    host: Arc::clone(&host),
                    session: admitted.session,
                    page,
                };
                let here = page.map(|page| upload::Here::of(host, page));
                exchange(Arc::new(caller), socket).await;
                drop(here);
            }
        }
        Err(failure) => {
            tracing::info!(code = failure.code, "a page was not let in");
            let refusal = json!({"admitted": false, "error": failure.to_json()});
            let parting = async {
                if send(&mut socket, refusal.to_string()).await {
                    close(&mut socket, NOT_ADMITTED).await;
                }
            };
            let _ = tokio::time::timeout(FIRST, parting).await;
        }
    }
}

/// Proves the program to the page if it asks for that, and hears who it is.
async fn first_message<S: AsyncRead + AsyncWrite + Unpin>(
    host: &Host,
    socket: &mut WebSocketStream<S>,
) -> Option<(Option<Hash>, First)> {
    let message = socket.next().await?.ok()?;
    let text = message.as_text()?;
    let Ok(doubt) = serde_json::from_str::<Doubt>(text) else {
        return serde_json::from_str(text).ok().map(|first| (None, first));
    };
    let proof = host.proofs.answer(&doubt.page, &doubt.nonce)?;
    if !send(socket, json!({"proof": proof}).to_string()).await {
        return None;
    }
    let message = socket.next().await?.ok()?;
    let first = serde_json::from_str(message.as_text()?).ok()?;
    Some((hash_from_hexadecimal(&doubt.page), first))
}

fn admit(host: &Host, first: &First) -> Result<Admitted, Failure> {
    let key = match (&first.launch, &first.code, &first.session) {
        (Some(token), None, None) => Key::Launch(&token.0),
        (None, Some(digits), None) => Key::Code(&digits.0),
        (None, None, Some(token)) => Key::Session(&token.0),
        _ => {
            return Err(Failure::new(
                "host.refused",
                "The first message says who the page is, in one way.",
            ));
        }
    };
    host.doors.enter(&key, Instant::now())
}

async fn send<S: AsyncRead + AsyncWrite + Unpin>(
    socket: &mut WebSocketStream<S>,
    text: String,
) -> bool {
    socket.send(Message::text(text)).await.is_ok()
}

async fn close<S: AsyncRead + AsyncWrite + Unpin>(socket: &mut WebSocketStream<S>, code: u16) {
    if let Ok(code) = CloseCode::try_from(code) {
        // A page that has gone needs no closing.
        let _ = socket.send(Message::close(Some(code), "")).await;
        let _ = socket.close().await;
    }
}

/// What is on its way to the page.
type Outgoing = mpsc::Sender<String>;

async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(
    caller: Arc<Caller>,
    mut socket: WebSocketStream<S>,
) {
    let host = Arc::clone(&caller.host);
    let (out, mut outgoing) = mpsc::channel::<String>(WAITING);
    let mut home = host.home.watch();
    let mut ending = host.ending.subscribe();
    let mut locking = host.locking.subscribe();
    let mut core = Core::default();
    let mut at_work = JoinSet::new();
    let mut was_open = false;
    let mut told = None;
    loop {
        let now = home.borrow_and_update().clone();
        // Whoever is not let in yet sees how far making or linking the home is, and that something came.
        let step = now.joining.as_ref().map(|info| info.step);
        let standing = (now.state, step, now.rings);
        let is_news = told
            .replace(standing)
            .is_some_and(|before| before != standing);
        if is_news && now.client.is_none() && !was_open {
            let state = message::notification("host", json!({"state": now.state}));
            if !send(&mut socket, state.to_string()).await {
                return;
            }
        }
        if *host.locking.borrow() || (was_open && now.client.is_none()) {
            break;
        }
        if let (Some((client, network)), false) = (now.client, was_open) {
            was_open = true;
            core.open(Context::new(client, network), out.clone());
            let state = message::notification("host", json!({"state": "open"}));
            if !send(&mut socket, state.to_string()).await {
                return;
            }
        }
        tokio::select! {
            biased;
            () = turned(&mut ending) => {
                close(&mut socket, last_word(&host)).await;
                return;
            }
            changed = home.changed() => if changed.is_err() { return },
            () = turned(&mut locking) => {}
            Some(_) = at_work.join_next(), if !at_work.is_empty() => {}
            Some(text) = outgoing.recv() => if !send(&mut socket, text).await { return },
            message = socket.next(), if at_work.len() < AT_WORK && core.has_room() => {
                let Some(Ok(message)) = message else { return };
                let Some(text) = message.as_text() else {
                    if message.is_close() { return }
                    continue;
                };
                receive(&caller, &mut core, &mut at_work, &out, text).await;
            }
        }
    }
    core.close();
    close(&mut socket, last_word(&host)).await;
}

/// Why the connection ends.
fn last_word(host: &Host) -> u16 {
    if host.home.is_wiped() {
        WIPED
    } else if host.is_leaving.load(Ordering::Acquire) {
        ENDED
    } else {
        LOCKED
    }
}

/// Takes one message of the page: to the host itself, or on to the core.
async fn receive(
    caller: &Arc<Caller>,
    core: &mut Core,
    at_work: &mut JoinSet<()>,
    out: &Outgoing,
    text: &str,
) {
    let incoming = message::parse(text.as_bytes());
    let parsed = match incoming {
        Incoming::Single(Ok(request)) if request.method.starts_with("host.") => request,
        incoming => {
            if core.is_open() {
                core.pass_on(text);
            } else {
                refuse_while_closed(incoming, out).await;
            }
            return;
        }
    };
    let (caller, out) = (Arc::clone(caller), out.clone());
    at_work.spawn(async move {
        let outcome = methods::dispatch(&caller, &parsed.method, parsed.params).await;
        let Some(id) = parsed.id else { return };
        let answer = match outcome {
            Ok(result) => message::success(result, id),
            Err(failure) => message::failure(&failure, id),
        };
        // The page may be gone.
        let _ = out.send(answer.to_string()).await;
    });
}

async fn refuse_while_closed(incoming: Incoming, out: &Outgoing) {
    let locked = Failure::new("host.locked", "Undertone is locked.");
    let answer = match incoming {
        Incoming::Single(Ok(request)) => request.id.map(|id| message::failure(&locked, id)),
        Incoming::Single(Err(answer)) => Some(answer),
        Incoming::Batch(_) => Some(message::failure(&locked, Value::Null)),
    };
    if let Some(answer) = answer {
        // The page may be gone.
        let _ = out.send(answer.to_string()).await;
    }
}

/// The core's end of the connection, while the home is open.
#[derive(Default)]
struct Core {
    requests: Option<mpsc::Sender<Vec<u8>>>,
    tasks: JoinSet<()>,
    stop: Option<watch::Sender<bool>>,
}

impl Core {
    fn open(&mut self, context: Context, out: Outgoing) {
        let (ours, theirs) = tokio::io::duplex(PIPE);
        let (answers, mut asking) = tokio::io::split(ours);
        let (stop, stopped) = watch::channel(false);
        let (requests, mut waiting) = mpsc::channel::<Vec<u8>>(WAITING);
        self.tasks.spawn(async move {
            let (reader, writer) = tokio::io::split(theirs);
            if serve(&context, reader, writer, stopped).await.is_err() {
                tracing::debug!("a page went away before it was answered");
            }
        });
        self.tasks.spawn(async move {
            while let Some(line) = waiting.recv().await {
                if asking.write_all(&line).await.is_err() {
                    return;
                }
            }
        });
        self.tasks.spawn(hand_on(answers, out));
        self.requests = Some(requests);
        self.stop = Some(stop);
    }

    fn is_open(&self) -> bool {
        self.requests.is_some()
    }

    /// Whether one more request can be passed on without waiting.
    fn has_room(&self) -> bool {
        self.requests
            .as_ref()
            .is_none_or(|requests| requests.capacity() > 0)
    }

    /// A line break is white space in JSON, and the end of a message in the pipe.
    fn pass_on(&mut self, text: &str) {
        let mut line: Vec<u8> = text
            .bytes()
            .map(|byte| {
                if matches!(byte, b'\n' | b'\r') {
                    b' '
                } else {
                    byte
                }
            })
            .collect();
        line.push(b'\n');
        if let Some(requests) = &self.requests {
            // There is room: it was asked before the message was read.
            let _ = requests.try_send(line);
        }
    }

    fn close(&mut self) {
        if let Some(stop) = self.stop.take() {
            stop.send_replace(true);
        }
        self.requests = None;
        self.tasks.abort_all();
    }
}

async fn hand_on(answers: ReadHalf<DuplexStream>, out: Outgoing) {
    let mut lines = Lines::new(answers, MAX_ANSWER);
    while let Ok(Some(line)) = lines.next().await {
        let Line::Text(line) = line else { continue };
        let Ok(text) = String::from_utf8(line) else {
            continue;
        };
        if out.send(text).await.is_err() {
            return;
        }
    }
}
