//! Payloads to addresses outside a channel's order: Welcomes and requests for resync.

use bytes::Bytes;
use prost::Message as _;
use rusqlite::{OptionalExtension as _, params};
use undertone_wire::{
    client_proto::{BlobPointer, DirectMessage, Payload, direct_message, payload},
    ids::{BlobHash, BlobId, SendId, sha256},
    padding,
    request::Send,
    secrets::{AddressSecret, Secret},
};

use super::{
    Work, channel, conversation,
    elsewhere::{self, Elsewhere},
};
use crate::{error::Result, view::Notice};

/// The largest body that goes inline.
const INLINE_MAX: usize = padding::LARGEST_ENVELOPE_PLAINTEXT - 64;

/// What is to be done about one.
pub(crate) enum Step {
    Upload {
        blob: BlobId,
        key: Secret<32>,
        body: Vec<u8>,
    },
    /// The part of this account's own server, and what it passes on.
    Send(Send, Vec<Elsewhere>),
}

/// The name under which the server knows the blob with this id (empty: none), so that it can see that it is there.
pub(crate) fn named(blob_id: &[u8]) -> Result<Option<BlobHash>> {
    if blob_id.is_empty() {
        return Ok(None);
    }
    Ok(Some(BlobId::from_slice(blob_id)?.hash()))
}

/// Whether a DirectMessage goes as a blob. Nobody fetches anything but Welcomes, and requests are small.
fn by_reference(work: &Work<'_>, body: &[u8]) -> bool {
    let welcome = || {
        DirectMessage::decode(body)
            .is_ok_and(|message| matches!(message.body, Some(direct_message::Body::Welcome(_))))
    };
    body.len() > INLINE_MAX || (body.len() > work.inline_max && welcome())
}

/// Puts a DirectMessage on its way to these addresses of a conversation's members, or of this account's own server.
pub(crate) fn push(
    work: &Work<'_>,
    conversation: i64,
    body: &[u8],
    addresses: &[AddressSecret],
    not_before_ms: i64,
) -> Result<()> {
    let (addresses, servers) = elsewhere::lines(work, conversation, addresses)?;
    put(
        work,
        conversation,
        body,
        &addresses,
        &servers,
        not_before_ms,
    )
}

/// As [`push`], to addresses on these servers: a line each, or empty if all are this account's own.
pub(crate) fn push_to(
    work: &Work<'_>,
    conversation: i64,
    body: &[u8],
    addresses: &[AddressSecret],
    servers: &str,
    not_before_ms: i64,
) -> Result<()> {
    let addresses: Vec<u8> = addresses
        .iter()
        .flat_map(|address| *address.expose())
        .collect();
    put(work, conversation, body, &addresses, servers, not_before_ms)
}

fn put(
    work: &Work<'_>,
    conversation: i64,
    body: &[u8],
    addresses: &[u8],
    servers: &str,
    not_before_ms: i64,
) -> Result<()> {
    let blob = by_reference(work, body).then(|| (BlobId::random(), Secret::<32>::random()));
    let (blob_id, blob_key) = blob.as_ref().map_or((&[][..], &[][..]), |(id, key)| {
        (&id.as_bytes()[..], &key.expose()[..])
    });
    work.db.execute(
        "INSERT INTO sends (conversation, body, blob_id, blob_key, blob_done, send_id, addresses, not_before_ms, servers) VALUES (?1, ?2, ?3, ?4, 0, ?5, ?6, ?7, ?8)",
        params![
            conversation,
            body,
            blob_id,
            blob_key,
            SendId::random().as_bytes(),
            addresses,
            not_before_ms,
            servers
        ],
    )?;
    work.wake();
    Ok(())
}

/// Those that are due.
pub(crate) fn due(work: &Work<'_>, limit: usize) -> Result<Vec<(i64, Step)>> {
    let mut statement = work.db.prepare_cached(
        "SELECT id, body, blob_id, blob_key, blob_done, send_id, addresses, servers FROM sends WHERE not_before_ms <= ?1 ORDER BY id LIMIT ?2",
    )?;
    let rows = statement
        .query_map(params![work.now_ms, limit], |row| {
            Ok((
                row.get::<_, i64>(0)?,
                row.get::<_, Vec<u8>>(1)?,
                row.get::<_, Vec<u8>>(2)?,
                row.get::<_, Vec<u8>>(3)?,
                row.get::<_, bool>(4)?,
                row.get::<_, Vec<u8>>(5)?,
                row.get::<_, Vec<u8>>(6)?,
                row.get::<_, String>(7)?,
            ))
        })?
        .collect::<std::result::Result<Vec<_>, _>>()?;
    rows.into_iter()
        .map(
            |(id, body, blob_id, blob_key, done, send_id, addresses, servers)| {
                if !blob_id.is_empty() && !done {
                    return Ok((
                        id,
                        Step::Upload {
                            blob: BlobId::from_slice(&blob_id)?,
                            key: Secret::from_slice(&blob_key)?,
                            body,
                        },
                    ));
                }
                let inner = if blob_id.is_empty() {
                    payload::Body::Inline(body.into())
                } else {
                    payload::Body::Blob(BlobPointer {
                        blob_id: Bytes::copy_from_slice(&blob_id),
                        key: blob_key.into(),
                        hash: sha256(&body).to_vec().into(),
                        size: body.len() as u64,
                        // Whoever is on another server fetches it here.
                        origin: if servers.is_empty() {
                            String::new()
                        } else {
                            work.me.server.origin.to_string()
                        },
                        pin: if servers.is_empty() {
                            Bytes::new()
                        } else {
                            work.me.server.pin.to_bytes()
                        },
                    })
                };
                let blob = named(&blob_id)?;
                let plain = Payload { body: Some(inner) }.encode_to_vec();
                let addresses = addresses
                    .chunks_exact(32)
                    .map(AddressSecret::from_slice)
                    .collect::<std::result::Result<_, _>>()?;
                let split = elsewhere::split_lines(addresses, &servers)?;
                let send = Send {
                    send_id: SendId::from_slice(&send_id)?,
                    payload: Bytes::from(padding::pad_payload(&plain, 0)?),
                    addresses: channel::shuffled(split.here),
                    blob,
                };
                Ok((id, Step::Send(send, split.elsewhere)))
            },
        )
        .collect()
}

/// Its body is on the server.
pub(crate) fn uploaded(work: &Work<'_>, send: i64, blob: &BlobId) -> Result<()> {
    work.db.execute(
        "UPDATE sends SET blob_done = 1 WHERE id = ?1 AND blob_id = ?2",
        params![send, blob.as_bytes()],
    )?;
    work.wake();
    Ok(())
}

/// The server does not have its body any more, or not for long enough: it is uploaded anew.
pub(crate) fn upload_again(work: &Work<'_>, send: i64) -> Result<()> {
    work.db.execute(
        "UPDATE sends SET blob_id = ?2, blob_key = ?3, blob_done = 0 WHERE id = ?1 AND blob_id <> x''",
        params![
            send,
            BlobId::random().as_bytes(),
            Secret::<32>::random().expose()
        ],
    )?;
    work.wake();
    Ok(())
}

/// It goes once more, later, and only to these addresses: under a new id, since the server answers the old one as before.
pub(crate) fn again(
    work: &Work<'_>,
    send: i64,
    addresses: &[&AddressSecret],
    not_before_ms: i64,
) -> Result<()> {
    let conversation: i64 = work.db.query_row(
        "SELECT conversation FROM sends WHERE id = ?1",
        [send],
        |row| row.get(0),
    )?;
    let addresses: Vec<_> = addresses
        .iter()
        .map(|address| address.duplicate())
        .collect();
    let (addresses, servers) = elsewhere::lines(work, conversation, &addresses)?;
    work.db.execute(
        "UPDATE sends SET addresses = ?2, send_id = ?3, not_before_ms = ?4, servers = ?5 WHERE id = ?1",
        params![
            send,
            addresses,
            SendId::random().as_bytes(),
            not_before_ms,
            servers
        ],
    )?;
    work.wake();
    Ok(())
}

/// The server will never take its body.
pub(crate) fn body_refused(work: &Work<'_>, send: i64) -> Result<()> {
    let conversation: Option<i64> = work
        .db
        .query_row(
            "SELECT conversation FROM sends WHERE id = ?1",
            [send],
            |row| row.get(0),
        )
        .optional()?;
    let row = conversation.map(|id| conversation::get(work.db, id));
    if let Some(row) = row.transpose()?.flatten() {
        conversation::notice(work, row.id, &Notice::InvitationNotTaken {})?;
    }
    done(work, send)
}

/// The server has it, or will never take it.
pub(crate) fn done(work: &Work<'_>, send: i64) -> Result<()> {
    work.db.execute("DELETE FROM sends WHERE id = ?1", [send])?;
    Ok(())
}

/// Whether something is due to go.
pub(crate) fn unsettled(work: &Work<'_>) -> Result<bool> {
    Ok(work
        .db
        .query_row(
            "SELECT 1 FROM sends WHERE not_before_ms <= ?1",
            [work.now_ms],
            |_| Ok(()),
        )
        .optional()?
        .is_some())
}
