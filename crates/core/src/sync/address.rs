//! This device's delivery addresses: one for each conversation, link and key package.
//!
//! A row is made first and told to the server by the driver ([`super::duty`]); what depends on an address waits until it is
//! there. After a removal every remaining address has a new name; items carry the name of the moment they were queued, so
//! all names of an address are kept.

use rusqlite::{OptionalExtension as _, params};
use undertone_wire::secrets::AddressSecret;
use zeroize::Zeroizing;

use super::{Work, alarm, conversation, resync};
use crate::error::Result;

/// As in the wire protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Conversation = 1,
    Contact = 2,
    KeyPackage = 3,
}

/// An address row.
pub(crate) struct Address {
    pub(crate) id: i64,
    pub(crate) secret: AddressSecret,
    /// 0: none.
    pub(crate) conversation: i64,
}

/// Makes an address, to be told to the server.
pub(crate) fn create(work: &Work<'_>, kind: Kind, conversation: i64) -> Result<Address> {
    create_as(work, kind, conversation, AddressSecret::random())
}

/// The same, with a secret that others can compute too. Another queue may have the address already ([`refused`]).
pub(crate) fn create_as(
    work: &Work<'_>,
    kind: Kind,
    conversation: i64,
    secret: AddressSecret,
) -> Result<Address> {
    work.db
        .prepare_cached(
            "INSERT INTO addresses (secret, kind, state, conversation, created_at_ms) VALUES (?1, ?2, 0, ?3, ?4)",
        )?
        .execute(params![
            secret.expose(),
            kind as i64,
            conversation,
            work.now_ms
        ])?;
    let id = work.last_id();
    add_name(work, id, &secret)?;
    work.wake();
    Ok(Address {
        id,
        secret,
        conversation,
    })
}

/// An address by its row.
pub(crate) fn get(work: &Work<'_>, id: i64) -> Result<Option<Address>> {
    find(work, "id = ?1", id)
}

/// An address by any name it has or had.
pub(crate) fn by_name(work: &Work<'_>, hash: &[u8; 32]) -> Result<Option<Address>> {
    find(
        work,
        "id = (SELECT address FROM address_names WHERE hash = ?1)",
        hash,
    )
}

/// The address that has this secret now (addresses.id).
pub(crate) fn by_secret(work: &Work<'_>, secret: &AddressSecret) -> Result<Option<i64>> {
    Ok(find(work, "secret = ?1", secret.expose())?.map(|address| address.id))
}

fn find(work: &Work<'_>, condition: &str, value: impl rusqlite::ToSql) -> Result<Option<Address>> {
    let row = work
        .db
        .prepare_cached(&format!(
            "SELECT id, secret, conversation FROM addresses WHERE {condition}"
        ))?
        .query_row([value], |row| {
            let secret = Zeroizing::new(row.get::<_, Vec<u8>>(1)?);
            Ok((row.get(0)?, secret, row.get(2)?))
        })
        .optional()?;
    row.map(|(id, secret, conversation)| {
        Ok(Address {
            id,
            secret: AddressSecret::from_slice(&secret)?,
            conversation,
        })
    })
    .transpose()
}

/// The address becomes a conversation's: the server gives it a conversation's quota.
pub(crate) fn assign(work: &Work<'_>, id: i64, conversation: i64) -> Result<()> {
    work.db.execute(
        "UPDATE addresses SET conversation = ?2, kind = 1, state = CASE kind WHEN 1 THEN state ELSE 0 END WHERE id = ?1",
        params![id, conversation],
    )?;
    work.wake();
    Ok(())
}

/// The server has renamed the address in a removing commit. It is told the new name once more: the committer may have lied about it.
pub(crate) fn rename(work: &Work<'_>, id: i64, secret: &AddressSecret) -> Result<()> {
    work.db.execute(
        "UPDATE addresses SET secret = ?2, state = CASE state WHEN 1 THEN 0 ELSE state END WHERE id = ?1",
        params![id, secret.expose()],
    )?;
    work.wake();
    add_name(work, id, secret)
}

/// Has the server told of the address once more, in case somebody renamed it away.
pub(crate) fn assert(work: &Work<'_>, id: i64) -> Result<()> {
    work.db.execute(
        "UPDATE addresses SET state = 0 WHERE id = ?1 AND state = 1",
        [id],
    )?;
    work.wake();
    Ok(())
}

/// The address is not wanted any more.
pub(crate) fn revoke(work: &Work<'_>, id: i64) -> Result<()> {
    work.db
        .execute("UPDATE addresses SET state = 2 WHERE id = ?1", [id])?;
    work.wake();
    Ok(())
}

/// An address that was to be revoked is wanted after all. False: it was not to be.
pub(crate) fn take_back(work: &Work<'_>, id: i64) -> Result<bool> {
    let taken_back = work.db.execute(
        "UPDATE addresses SET state = 0 WHERE id = ?1 AND state = 2",
        [id],
    )?;
    work.wake();
    Ok(taken_back > 0)
}

/// The address is somebody else's: there is nothing to tell the server.
pub(crate) fn forget(work: &Work<'_>, id: i64) -> Result<()> {
    work.db
        .execute("DELETE FROM address_names WHERE address = ?1", [id])?;
    work.db
        .execute("DELETE FROM addresses WHERE id = ?1", [id])?;
    Ok(())
}

/// Whether the server has the address.
pub(crate) fn is_made(work: &Work<'_>, id: i64) -> Result<bool> {
    Ok(work
        .db
        .prepare_cached("SELECT 1 FROM addresses WHERE id = ?1 AND state = 1")?
        .exists([id])?)
}

fn add_name(work: &Work<'_>, id: i64, secret: &AddressSecret) -> Result<()> {
    work.db
        .prepare_cached("INSERT OR IGNORE INTO address_names (hash, address) VALUES (?1, ?2)")?
        .execute(params![secret.hash().as_bytes(), id])?;
    Ok(())
}

/// Addresses that the server has to be told of: at most `limit` (hash and wire kind).
pub(crate) fn to_make(work: &Work<'_>, limit: usize) -> Result<Vec<(i64, [u8; 32], i32)>> {
    let rows = rows(work, "state = 0", limit)?;
    Ok(rows)
}

/// Addresses that the server has to forget.
pub(crate) fn to_revoke(work: &Work<'_>, limit: usize) -> Result<Vec<(i64, [u8; 32], i32)>> {
    rows(work, "state = 2", limit)
}

fn rows(work: &Work<'_>, condition: &str, limit: usize) -> Result<Vec<(i64, [u8; 32], i32)>> {
    let mut statement = work.db.prepare_cached(&format!(
        "SELECT id, secret, kind FROM addresses WHERE {condition} ORDER BY id LIMIT ?1"
    ))?;
    let rows = statement
        .query_map([limit], |row| {
            Ok((
                row.get::<_, i64>(0)?,
                Zeroizing::new(row.get::<_, Vec<u8>>(1)?),
                row.get(2)?,
            ))
        })?
        .collect::<std::result::Result<Vec<_>, _>>()?;
    rows.into_iter()
        .map(|(id, secret, kind)| {
            Ok((
                id,
                *AddressSecret::from_slice(&secret)?.hash().as_bytes(),
                kind,
            ))
        })
        .collect()
}

/// The server has these now, under these names. One that was renamed in between is told again.
pub(crate) fn made(work: &Work<'_>, told: &[(i64, [u8; 32], i32)]) -> Result<()> {
    for (id, hash, kind) in told {
        let Some(address) = get(work, *id)? else {
            continue;
        };
        if address.secret.hash().as_bytes() == hash {
            work.db.execute(
                "UPDATE addresses SET state = 1 WHERE id = ?1 AND state = 0 AND kind = ?2",
                params![id, kind],
            )?;
        }
    }
    work.wake();
    Ok(())
}

/// The server will not make this address at present. A conversation that it belongs to is come back to by another one, if the name is
/// somebody else's: members can compute each other's next names, and one may have been quicker.
pub(crate) fn refused(work: &Work<'_>, id: i64, taken: bool) -> Result<()> {
    work.db.execute(
        "UPDATE addresses SET state = 3 WHERE id = ?1 AND state = 0",
        [id],
    )?;
    if taken {
        alarm::address_is_taken(work, id)?;
        for row in conversation::at_address(work, id)? {
            resync::need(work, &row)?;
        }
    }
    Ok(())
}

/// At a new sign-in what was refused is tried again: there may be room now.
pub(crate) fn try_refused_again(work: &Work<'_>) -> Result<()> {
    work.db
        .execute("UPDATE addresses SET state = 0 WHERE state = 3", [])?;
    Ok(())
}

/// Has the server told of all conversations' addresses once more. Once a day: whoever knows one can rename it away, and a device that
/// only reads would not notice.
pub(crate) fn assert_all(work: &Work<'_>) -> Result<()> {
    work.db.execute(
        "UPDATE addresses SET state = 0 WHERE state = 1 AND kind = 1",
        [],
    )?;
    Ok(())
}

/// The server has forgotten these.
pub(crate) fn revoked(work: &Work<'_>, told: &[(i64, [u8; 32], i32)]) -> Result<()> {
    for (id, _, _) in told {
        work.db
            .execute("DELETE FROM addresses WHERE id = ?1 AND state = 2", [id])?;
        work.db
            .execute("DELETE FROM address_names WHERE address = ?1 AND NOT EXISTS (SELECT 1 FROM addresses WHERE id = ?1)", [id])?;
    }
    Ok(())
}
