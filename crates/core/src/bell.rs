//! Hearing, while the home is locked, that something came.
//!
//! While an account is open its device has a random secret, and its server the secret's hash beside the queue. When the home is
//! locked, the secret goes to the fresh process in memory ([`BellPass`]), which shows it to the server on a connection of its own. It then
//! hears that something came, at most once in a minute, and nothing else: the secret signs nothing in, and reads and acknowledges nothing.
//! The next unlock sets another one.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use prost::Message as _;
use rand::Rng as _;
use undertone_wire::{
    Code, Error as WireError, ids::sha256, origin::ServerAddress, request::Request,
    response::Notice, secrets::Secret,
};
use zeroize::{Zeroize as _, Zeroizing};

use crate::{
    client::{ClientOptions, ProxyChoice},
    driver::Pause,
    error::{Error, Reason, Result},
    transport::{Connection, Push, Role, Transport},
};

/// The first connection is made after a random while of at most this, so that it does not come at the same moment as the kill queue's.
const APART: Duration = Duration::from_secs(4);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// A connection that lived so long was a good one.
const LIVED: Duration = Duration::from_secs(10);

/// What is called when something came.
pub type OnRing = Arc<dyn Fn() + Send + Sync>;

/// The bell of an open account.
pub(crate) struct Bell {
    secret: Secret<32>,
    is_set: AtomicBool,
}

impl Bell {
    /// One that the server does not know yet.
    pub(crate) fn new() -> Self {
        Self {
            secret: Secret::random(),
            is_set: AtomicBool::new(false),
        }
    }

    /// What to hear it with; None: the server has not been told of it.
    pub(crate) fn pass(&self, server: ServerAddress, proxy: String) -> Option<BellPass> {
        self.is_set.load(Ordering::Acquire).then(|| BellPass {
            server,
            proxy,
            secret: self.secret.duplicate(),
        })
    }

    /// Tells the server of it, by the queue's own connection. A server that knows no bells is no fault.
    pub(crate) async fn set(&self, connection: &Arc<dyn Connection>) -> Result<()> {
        let hash = sha256(self.secret.expose());
        match connection.request(Request::SetBell(hash)).await {
            Ok(_) => {
                self.is_set.store(true, Ordering::Release);
                Ok(())
            }
            Err(WireError {
                code: Code::RequestUnknown,
                ..
            }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// What a locked process hears a bell with.
pub struct BellPass {
    server: ServerAddress,
    proxy: String,
    secret: Secret<32>,
}

/// Its form on the way to the fresh process.
#[derive(Clone, PartialEq, prost::Message)]
struct Written {
    /// `host:port+pin`
    #[prost(string, tag = "1")]
    server: String,
    /// `host:port`, or empty.
    #[prost(string, tag = "2")]
    proxy: String,
    #[prost(bytes = "vec", tag = "3")]
    secret: Vec<u8>,
}

impl BellPass {
    /// As it is handed over; never to be written to a disk.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let mut written = Written {
            server: self.server.to_string(),
            proxy: self.proxy.clone(),
            secret: self.secret.expose().to_vec(),
        };
        let bytes = Zeroizing::new(written.encode_to_vec());
        written.secret.zeroize();
        bytes
    }

    /// Takes it over.
    ///
    /// # Errors
    /// `state.broken`, `address.*` if that is not what [`BellPass::to_bytes`] made.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let mut written = Written::decode(bytes).map_err(|_| Reason::StateBroken)?;
        let secret = Secret::from_slice(&written.secret);
        written.secret.zeroize();
        Ok(Self {
            server: written.server.parse()?,
            proxy: written.proxy,
            secret: secret?,
        })
    }
}

/// Hears a bell until it is over or this is dropped.
pub struct BellWatch {
    task: tokio::task::JoinHandle<()>,
}

impl BellWatch {
    /// Begins to hear it.
    #[must_use]
    pub fn start(pass: Arc<BellPass>, options: &ClientOptions, on_ring: OnRing) -> Self {
        let task = tokio::spawn(hear(pass, options.clone(), on_ring));
        Self { task }
    }

    /// Hears no more.
    pub async fn stop(mut self) {
        self.task.abort();
        let _ = (&mut self.task).await;
    }
}

impl Drop for BellWatch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn hear(pass: Arc<BellPass>, options: ClientOptions, on_ring: OnRing) {
    let proxy = match &options.proxy {
        ProxyChoice::Remembered => pass.proxy.clone(),
        ProxyChoice::Direct => String::new(),
        ProxyChoice::Socks5(proxy) => proxy.to_string(),
    };
    let Ok(transport) = crate::client::transport(&options, &proxy) else {
        return;
    };
    let apart = rand::rng().random_range(Duration::ZERO..=APART);
    tokio::time::sleep(apart).await;
    let mut pause = Pause::new(options.sending.reconnect_to.min(LONGEST_PAUSE));
    loop {
        let began = tokio::time::Instant::now();
        let ended = connected(&pass, &transport, &on_ring).await;
        let hint = match &ended {
            Ok(()) => return,
            Err(Error::Wire(error)) if is_over(error.code) => return,
            Err(Error::Wire(error)) => Duration::from_secs(u64::from(error.retry_after_s)),
            Err(_) => Duration::ZERO,
        };
        if began.elapsed() >= LIVED {
            pause.reset();
        }
        tokio::time::sleep(pause.next(hint)).await;
    }
}

/// Whether it makes no sense to ask again: only an unlock sets another bell.
fn is_over(code: Code) -> bool {
    matches!(
        code,
        Code::BellUnknown | Code::RequestUnknown | Code::AuthReplaced
    )
}

/// One connection. Ends well when the bell is over.
async fn connected(
    pass: &BellPass,
    transport: &Arc<dyn Transport>,
    on_ring: &OnRing,
) -> Result<()> {
    let connection = transport.connect(&pass.server, Role::Inbox).await?;
    let outcome = ringing(pass, &connection, on_ring).await;
    connection.close();
    outcome
}

async fn ringing(
    pass: &BellPass,
    connection: &Arc<dyn Connection>,
    on_ring: &OnRing,
) -> Result<()> {
    let request = Request::HearBell(pass.secret.duplicate());
    connection.request(request).await?;
    loop {
        match connection.next_push().await? {
            Push::Notice(Notice::Bell) => on_ring(),
            Push::Notice(Notice::Replaced) => return Ok(()),
            Push::Notice(Notice::ShuttingDown { retry_after_s }) => {
                return Err(WireError::retry_after(Code::ServerShuttingDown, retry_after_s).into());
            }
            // Nothing else is asked for.
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_handed_over_comes_as_it_was() {
        let server = format!(
            "relay.example.org:7443+{}",
            undertone_wire::ids::Pin::random()
        );
        let pass = BellPass {
            server: server.parse().unwrap(),
            proxy: "127.0.0.1:9050".to_owned(),
            secret: Secret::random(),
        };
        let taken = BellPass::from_bytes(&pass.to_bytes()).unwrap();
        assert!(taken.secret == pass.secret);
        assert_eq!(
            (taken.server.to_string(), taken.proxy),
            (server, pass.proxy)
        );
        assert!(BellPass::from_bytes(b"nonsense").is_err());
    }
}
