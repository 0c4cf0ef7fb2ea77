//! What the server's owner may ask: status, a new invitation, an announcement, a consistent copy for a backup.
//!
//! [`perform`] does it, for a running server ([`socket`] carries it there) and for a folder at rest alike; [`reach`]
//! finds out which it is. The socket is a file in the server's folder that only its owner can open, and the
//! peer's credentials are checked as well. No answer names a user: the server knows none.

pub mod reach;
pub mod socket;

use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use undertone_wire::ids::Pin;

use crate::admission::invitations;
use crate::announcements::{Announcement, Announcements};
use crate::config::{Config, Registration};
use crate::error::ServerError;
use crate::folder;
use crate::gateway::Gateway;
use crate::server::store_error;
use crate::store::sqlite::SqliteStore;
use crate::store::{Clock as _, Counts, FreeSpace as _, Store as _, SystemClock, VolumeFreeSpace};

/// What is asked.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    /// What the server holds.
    Status,
    /// A new invitation.
    CreateInvitation {
        /// How many devices it admits.
        uses: u32,
        /// Whole UTC days it is good for.
        days: u32,
    },
    /// What is announced.
    Announcements,
    /// Announces something to everybody here.
    Announce {
        /// Plain text.
        text: String,
        /// Whole UTC days it is shown for, today included.
        days: u32,
    },
    /// Takes an announcement back.
    RemoveAnnouncement {
        /// Its id, or the beginning of it.
        id: String,
    },
    /// A consistent copy of the store in [`folder::COPY`], which whoever asked removes.
    Copy,
}

/// What is answered.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    /// To [`Command::Status`].
    Status(Box<Status>),
    /// To [`Command::CreateInvitation`].
    Invitation {
        /// The string to hand on.
        invitation: String,
    },
    /// To the three about announcements: all, the new one, or the one that was removed.
    Announcements {
        /// As they are.
        announcements: Vec<Announcement>,
    },
    /// To [`Command::Copy`].
    Copied,
    /// It did not work.
    Failed {
        /// [`ServerError::code`].
        code: String,
        /// [`ServerError`]'s sentence.
        sentence: String,
    },
}

/// What the server holds: counts and sizes, which is all it knows.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Status {
    /// Version of the program that answers.
    pub version: String,
    /// Whether a server runs.
    pub running: bool,
    /// Public address.
    pub origin: String,
    /// What clients know the server by.
    pub pin: String,
    /// "open" or "invitation".
    pub registration: String,
    /// Whether sends are accepted; not while the disk is full.
    pub accepts_sends: bool,
    /// Open connections.
    pub connections: i64,
    /// Devices online.
    pub inboxes: i64,
    /// Registered devices.
    pub queues: u64,
    /// Their addresses.
    pub addresses: u64,
    /// Undelivered items.
    pub items: u64,
    /// Key packages in pools.
    pub key_packages: u64,
    /// Conversations' channels.
    pub channels: u64,
    /// Attachments.
    pub blobs: u64,
    /// Bytes of attachments.
    pub blob_bytes: u64,
    /// Invitations with uses left.
    pub invitations: u64,
    /// Parcels that wait for other servers.
    #[serde(default)]
    pub parcels: u64,
    /// Bytes of the database.
    pub database_bytes: u64,
    /// Bytes free on the disk.
    pub free_bytes: u64,
}

/// What a command works on.
pub struct Context {
    /// The server's folder.
    pub dir: PathBuf,
    /// The server's pin.
    pub pin: Pin,
    /// Its settings.
    pub config: Config,
    /// What is announced there.
    pub announcements: Arc<Announcements>,
    /// Its store.
    pub store: Arc<SqliteStore>,
    /// The running gateway, if one runs.
    pub gateway: Option<Arc<Gateway>>,
    /// Held while a copy is made.
    pub copying: Arc<Mutex<()>>,
}

/// Does what is asked.
///
/// # Errors
/// The sentence for what is in the way.
pub async fn perform(context: &Context, command: Command) -> Result<Answer, ServerError> {
    match command {
        Command::Status => status(context)
            .await
            .map(|status| Answer::Status(Box::new(status))),
        Command::CreateInvitation { uses, days } => create_invitation(context, uses, days).await,
        Command::Announcements | Command::Announce { .. } | Command::RemoveAnnouncement { .. } => {
            announce(context, command)
        }
        Command::Copy => copy(context).await,
    }
}

async fn status(context: &Context) -> Result<Status, ServerError> {
    let failed = |error| store_error(&context.dir, &error);
    let counts: Counts = context.store.counts().await.map_err(failed)?;
    let gateway = context.gateway.as_ref();
    Ok(Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        running: gateway.is_some(),
        origin: context.config.origin.clone(),
        pin: context.pin.to_string(),
        registration: match context.config.registration {
            Registration::Open => "open".to_owned(),
            Registration::Invitation => "invitation".to_owned(),
        },
        accepts_sends: context.store.activity().accepts_sends,
        connections: gateway.map_or(0, |g| g.metrics.connections.get()),
        inboxes: gateway.map_or(0, |g| g.metrics.inboxes.get()),
        queues: counts.queues,
        addresses: counts.addresses,
        items: counts.items,
        key_packages: counts.key_packages,
        channels: counts.channels,
        blobs: counts.blobs,
        blob_bytes: counts.blob_bytes,
        invitations: counts.invitations,
        parcels: counts.parcels,
        database_bytes: counts.database_bytes,
        free_bytes: VolumeFreeSpace(context.dir.clone())
            .free_bytes()
            .unwrap_or(0),
    })
}

async fn create_invitation(context: &Context, uses: u32, days: u32) -> Result<Answer, ServerError> {
    let today = SystemClock::default().day();
    let (stored, invitation) =
        invitations::make(&context.config.origin, context.pin, uses, today, days)?;
    let created = context.store.create_invitation(stored).await;
    created.map_err(|error| store_error(&context.dir, &error))?;
    Ok(Answer::Invitation { invitation })
}

fn announce(context: &Context, command: Command) -> Result<Answer, ServerError> {
    let today = SystemClock::default().day();
    let all = &context.announcements;
    let announcements = match command {
        Command::Announce { text, days } => vec![all.add(&text, today, days)?],
        Command::RemoveAnnouncement { id } => vec![all.remove(&id, today)?],
        _ => all.standing(today),
    };
    Ok(Answer::Announcements { announcements })
}

async fn copy(context: &Context) -> Result<Answer, ServerError> {
    let _copying = context.copying.lock().await;
    let target = context.dir.join(folder::COPY);
    if target.exists() {
        // Left behind by one that was interrupted.
        std::fs::remove_dir_all(&target).map_err(|e| ServerError::io("remove", &target, &e))?;
    }
    folder::create(&target)?;
    let store = Arc::clone(&context.store);
    let to = target.clone();
    let copied =
        tokio::task::spawn_blocking(move || crate::store::sqlite::backup(&store, &to)).await;
    match copied {
        Ok(Ok(())) => Ok(Answer::Copied),
        Ok(Err(error)) => {
            folder::undo_create(&target, false);
            Err(store_error(&context.dir, &error))
        }
        Err(_) => {
            folder::undo_create(&target, false);
            Err(ServerError::Store("the copy was interrupted".to_owned()))
        }
    }
}
