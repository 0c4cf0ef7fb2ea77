//! This account, this device and its server: the rows that exist once.

use std::sync::{Arc, PoisonError, RwLock};

use rusqlite::{Connection, OptionalExtension as _, params};
use undertone_mls::{AccountId, DeviceId, DeviceKeys};
use undertone_wire::{
    ids::{Pin, QueueId},
    secrets::Secret,
};
use zeroize::Zeroizing;

use crate::{
    error::{Reason, Result},
    transport::ServerAddress,
};

/// Who we are. Read once when the store is opened.
pub(crate) struct Me {
    pub(crate) account: AccountId,
    pub(crate) device: DeviceId,
    name: RwLock<String>,
    keys: RwLock<Arc<DeviceKeys>>,
    pub(crate) server: ServerAddress,
    pub(crate) queue: QueueId,
    /// Ed25519 secret that signs the queue in.
    pub(crate) queue_key: Secret<32>,
}

impl Me {
    /// A device with these keys.
    pub(crate) fn new(
        keys: DeviceKeys,
        name: String,
        server: ServerAddress,
        queue: QueueId,
        queue_key: Secret<32>,
    ) -> Self {
        Self {
            account: keys.account_id(),
            device: keys.device_id(),
            name: RwLock::new(name),
            keys: RwLock::new(Arc::new(keys)),
            server,
            queue,
            queue_key,
        }
    }

    /// What the account is called.
    pub(crate) fn name(&self) -> String {
        let name = self.name.read().unwrap_or_else(PoisonError::into_inner);
        name.clone()
    }

    /// The account is called otherwise, and that is on disk.
    pub(crate) fn set_name(&self, name: String) {
        *self.name.write().unwrap_or_else(PoisonError::into_inner) = name;
    }

    /// What this device signs with, and its newest certificate.
    pub(crate) fn keys(&self) -> Arc<DeviceKeys> {
        Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The device was certified anew, and that is on disk.
    pub(crate) fn set_keys(&self, keys: Arc<DeviceKeys>) {
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = keys;
    }
}

/// What a new account is made of.
pub(crate) struct NewAccount<'a> {
    pub(crate) me: &'a Me,
    pub(crate) signing_key: &'a [u8],
    /// As [`undertone_mls::BackupKey`] encodes it; empty: not known yet.
    pub(crate) backup_key: &'a [u8],
    pub(crate) invitation: &'a [u8],
    /// `host:port`, or empty.
    pub(crate) proxy: &'a str,
    pub(crate) now_ms: i64,
}

/// Stores a new account.
pub(crate) fn create(db: &Connection, new: &NewAccount<'_>) -> Result<()> {
    let me = new.me;
    db.execute(
        "INSERT INTO account (id, account_id, name, signing_key, device, created_at_ms, backup_key)
         VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            me.account.as_bytes(),
            me.name(),
            new.signing_key,
            &*me.keys().to_secret_bytes(),
            new.now_ms,
            new.backup_key
        ],
    )?;
    db.execute(
        "INSERT INTO server (id, origin, pin, queue_id, queue_key, invitation, registered, incarnation, position, clock_off_s, drained_at_ms, proxy)
         VALUES (1, ?1, ?2, ?3, ?4, ?5, 0, x'', 0, 0, 0, ?6)",
        params![
            me.server.origin.to_string(),
            me.server.pin.as_bytes(),
            me.queue.as_bytes(),
            me.queue_key.expose(),
            new.invitation,
            new.proxy
        ],
    )?;
    Ok(())
}

/// Reads who we are.
pub(crate) fn load(db: &Connection) -> Result<Me> {
    let account = db
        .query_row("SELECT name, device FROM account WHERE id = 1", [], |row| {
            Ok((
                row.get::<_, String>(0)?,
                Zeroizing::new(row.get::<_, Vec<u8>>(1)?),
            ))
        })
        .optional()?
        .ok_or(Reason::NoAccount)?;
    let (name, device) = account;
    let keys = DeviceKeys::from_secret_bytes(&device)?;
    let (origin, pin, queue, queue_key) = db.query_row(
        "SELECT origin, pin, queue_id, queue_key FROM server WHERE id = 1",
        [],
        |row| {
            Ok((
                row.get::<_, String>(0)?,
                row.get::<_, Vec<u8>>(1)?,
                row.get::<_, Vec<u8>>(2)?,
                Zeroizing::new(row.get::<_, Vec<u8>>(3)?),
            ))
        },
    )?;
    let server = ServerAddress {
        origin: origin.parse()?,
        pin: Pin::from_slice(&pin)?,
    };
    Ok(Me::new(
        keys,
        name,
        server,
        QueueId::from_slice(&queue)?,
        Secret::from_slice(&queue_key)?,
    ))
}

/// What changes about the queue.
pub(crate) struct QueueState {
    pub(crate) registered: bool,
    pub(crate) invitation: Vec<u8>,
    pub(crate) incarnation: Vec<u8>,
    /// Sequence of the last item whose effects are stored.
    pub(crate) position: u64,
}

/// Reads the queue's state.
pub(crate) fn queue_state(db: &Connection) -> Result<QueueState> {
    Ok(db
        .prepare_cached(
            "SELECT registered, invitation, incarnation, position FROM server WHERE id = 1",
        )?
        .query_row([], |row| {
            Ok(QueueState {
                registered: row.get(0)?,
                invitation: row.get(1)?,
                incarnation: row.get(2)?,
                position: row.get(3)?,
            })
        })?)
}

/// The server has the queue; the invitation is used up.
pub(crate) fn set_registered(db: &Connection) -> Result<()> {
    db.execute(
        "UPDATE server SET registered = 1, invitation = x'' WHERE id = 1",
        [],
    )?;
    Ok(())
}

/// The effects of all items up to `sequence` are stored.
pub(crate) fn set_position(db: &Connection, sequence: u64) -> Result<()> {
    db.prepare_cached("UPDATE server SET position = ?1 WHERE id = 1")?
        .execute([sequence])?;
    Ok(())
}

/// The queue began a new life (the server was restored from a backup): positions start again.
pub(crate) fn set_incarnation(db: &Connection, incarnation: &[u8], position: u64) -> Result<()> {
    db.execute(
        "UPDATE server SET incarnation = ?1, position = ?2 WHERE id = 1",
        params![incarnation, position],
    )?;
    Ok(())
}

/// The proxy that was chosen: `host:port`, or empty.
pub(crate) fn proxy(db: &Connection) -> Result<String> {
    Ok(
        db.query_row("SELECT proxy FROM server WHERE id = 1", [], |row| {
            row.get(0)
        })?,
    )
}

/// Another device of the account took this one out of it.
pub(crate) fn set_removed(db: &Connection) -> Result<()> {
    db.execute("UPDATE account SET removed = 1 WHERE id = 1", [])?;
    Ok(())
}

/// Whether that happened.
pub(crate) fn is_removed(db: &Connection) -> Result<bool> {
    Ok(db
        .prepare_cached("SELECT removed FROM account WHERE id = 1")?
        .query_row([], |row| row.get(0))?)
}

/// Remembers the proxy, so that no later command forgets it.
pub(crate) fn set_proxy(db: &Connection, proxy: &str) -> Result<()> {
    db.execute("UPDATE server SET proxy = ?1 WHERE id = 1", [proxy])?;
    Ok(())
}

/// The server's clock minus ours.
pub(crate) fn set_clock_off(db: &Connection, off_s: i64) -> Result<()> {
    db.execute("UPDATE server SET clock_off_s = ?1 WHERE id = 1", [off_s])?;
    Ok(())
}

/// The queue is empty now.
pub(crate) fn set_drained(db: &Connection, now_ms: i64) -> Result<()> {
    db.execute(
        "UPDATE server SET drained_at_ms = ?1 WHERE id = 1",
        [now_ms],
    )?;
    Ok(())
}
