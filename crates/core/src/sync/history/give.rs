//! The device that linked another one gives it what was said before.

use prost::Message as _;
use rusqlite::{OptionalExtension as _, params};
use undertone_mls::DeviceId;
use undertone_wire::{
    ids::{BlobId, sha256},
    secrets::Secret,
};
use zeroize::Zeroizing;

use super::{Body, Head, Part, Portion, Step, head, numbered, portions};
use crate::{
    backup::{self, Block},
    error::{Reason, Result},
    sync::{
        Work,
        change::Change,
        conversation::{self, State},
        devices,
        message::NO_PLACE,
        shared::{self, Kind, Place},
    },
};

/// A portion is full when it holds so many bytes. More than one message with all that was done to it is not held in memory beyond that.
const FULL_BYTES: usize = 1024 * 1024;
/// Lines of one conversation in one portion.
const LINES: usize = 1024;
/// Conversations in one portion: their ids stand in its entry.
const CONVERSATIONS: usize = 256;

/// A portion that is being given.
pub(crate) struct Given {
    pub(crate) blob: BlobId,
    pub(crate) key: Secret<32>,
    /// What the blob is to hold.
    pub(crate) body: Zeroizing<Vec<u8>>,
    /// Whether it holds as much as goes into one; else more may be ready soon.
    pub(crate) full: bool,
    device: DeviceId,
    groups: Vec<Vec<u8>>,
    messages: u32,
    ways: Vec<Way>,
}

/// How far a conversation was given.
#[derive(Clone, Copy)]
struct Way {
    conversation: i64,
    /// None: all of it.
    left: Option<Cursor>,
}

/// What stands before this is to be given.
#[derive(Clone, Copy)]
struct Cursor {
    generation: u32,
    number: i64,
    message: i64,
}

/// A device was linked that is to have what was said before.
pub(crate) fn begin(work: &Work<'_>, device: &DeviceId) -> Result<()> {
    work.db.execute(
        "INSERT OR IGNORE INTO history_out (device, conversation, generation, number, message)
         SELECT ?1, id, ?2, 0, 0 FROM conversations WHERE state <> 1 AND request = 0 AND link = 0",
        params![device.as_bytes(), NO_PLACE],
    )?;
    let total: u64 = work.db.query_row(
        "SELECT count(*) FROM messages m JOIN history_out h ON h.conversation = m.conversation AND h.device = ?1
         WHERE m.kind IN (1, 2) AND m.generation <> ?2",
        params![device.as_bytes(), NO_PLACE],
        |row| row.get(0),
    )?;
    put_head(
        work,
        device,
        &Head {
            total,
            portions: 0,
            complete: false,
        },
    )
}

fn put_head(work: &Work<'_>, device: &DeviceId, head: &Head) -> Result<()> {
    shared::put_value(work, Kind::History, &[device.as_bytes()], head)?;
    work.tell(Change::History);
    Ok(())
}

/// Conversations of which something is to be given to a device that is in them, or that nobody can be in.
const READY: &str = "SELECT h.conversation, h.generation, h.number, h.message, v.state
    FROM history_out h JOIN conversations v ON v.id = h.conversation
    WHERE h.device = ?1 AND (v.state IN (4, 5) OR EXISTS (
        SELECT 1 FROM members m WHERE m.conversation = v.id AND m.device_id = h.device))";

/// Whether something can be given now.
pub(super) fn can(work: &Work<'_>) -> Result<bool> {
    let Some(device) = whom(work)? else {
        return Ok(false);
    };
    Ok(work.db.prepare_cached(READY)?.exists([device.as_bytes()])?)
}

/// Who is to be given something.
fn whom(work: &Work<'_>) -> Result<Option<DeviceId>> {
    let found: Option<Vec<u8>> = work
        .db
        .prepare_cached("SELECT device FROM history_out LIMIT 1")?
        .query_row([], |row| row.get(0))
        .optional()?;
    Ok(found.map(|id| DeviceId::from_slice(&id)).transpose()?)
}

/// The next portion.
pub(super) fn gather(work: &Work<'_>) -> Result<Step> {
    while let Some(device) = whom(work)? {
        if !devices::is_in_use(work, &device)? {
            forget(work, &device)?;
            continue;
        }
        work.db.execute(
            "DELETE FROM history_out WHERE conversation NOT IN (SELECT id FROM conversations)",
            [],
        )?;
        let Some(given) = gather_for(work, device)? else {
            return Ok(Step::Wait);
        };
        if !given.body.is_empty() {
            return Ok(Step::Give(Box::new(given)));
        }
        // There is nothing in these conversations.
        move_on(work, &given)?;
    }
    Ok(Step::Nothing)
}

/// The device was removed: it gets nothing more, and the keys of what it did not take go.
fn forget(work: &Work<'_>, device: &DeviceId) -> Result<()> {
    work.db.execute(
        "DELETE FROM history_out WHERE device = ?1",
        [device.as_bytes()],
    )?;
    for (number, _, portion) in portions(work.db, device, true)? {
        put_lost(work, device, number, &portion)?;
    }
    Ok(())
}

/// A portion will never be taken.
pub(super) fn put_lost(
    work: &Work<'_>,
    device: &DeviceId,
    number: u32,
    portion: &Portion,
) -> Result<()> {
    let lost = Portion {
        messages: portion.messages,
        done: 2,
        ..Portion::default()
    };
    shared::put(work, &numbered(device, number), &lost.encode_to_vec())?;
    work.tell(Change::History);
    Ok(())
}

fn gather_for(work: &Work<'_>, device: DeviceId) -> Result<Option<Given>> {
    let ready = {
        let mut statement = work
            .db
            .prepare_cached(&format!("{READY} ORDER BY v.changed_at_ms DESC LIMIT ?2"))?;
        statement
            .query_map(params![device.as_bytes(), CONVERSATIONS], |row| {
                let cursor = Cursor {
                    generation: row.get(1)?,
                    number: row.get(2)?,
                    message: row.get(3)?,
                };
                Ok((row.get::<_, i64>(0)?, cursor, row.get::<_, i64>(4)? > 3))
            })?
            .collect::<std::result::Result<Vec<_>, _>>()?
    };
    if ready.is_empty() {
        return Ok(None);
    }
    let mut given = Given {
        blob: BlobId::random(),
        key: Secret::random(),
        body: Zeroizing::default(),
        full: ready.len() == CONVERSATIONS,
        device,
        groups: Vec::new(),
        messages: 0,
        ways: Vec::new(),
    };
    let mut body = Body::default();
    let mut bytes = 0;
    for (conversation, cursor, closed) in ready {
        if bytes >= FULL_BYTES {
            given.full = true;
            break;
        }
        let row = conversation::load(work.db, conversation)?;
        let lines = lines(work, conversation, cursor, FULL_BYTES - bytes)?;
        bytes += lines.bytes;
        given.full |= lines.left.is_some();
        given.ways.push(Way {
            conversation,
            left: lines.left,
        });
        let first = cursor.generation == NO_PLACE;
        if lines.ids.is_empty() && !(closed && first) {
            continue;
        }
        given.messages += u32::try_from(lines.ids.len()).unwrap_or(u32::MAX);
        if matches!(row.state, State::Active | State::Resyncing) {
            given.groups.push(row.group.as_bytes().to_vec());
        }
        body.parts
            .push(part(work, &row, &lines.ids, closed && first)?);
    }
    if !body.parts.is_empty() {
        given.body = backup::deflate(&Zeroizing::new(body.encode_to_vec()))?;
    }
    Ok(Some(given))
}

struct Lines {
    ids: Vec<i64>,
    bytes: usize,
    left: Option<Cursor>,
}

/// The last lines before a place, as many as there is room for, but one at least.
fn lines(work: &Work<'_>, conversation: i64, before: Cursor, room: usize) -> Result<Lines> {
    let mut statement = work.db.prepare_cached(
        "SELECT m.id, m.generation, m.number, m.kind, 400 + length(m.content) + length(m.text) + length(m.notice)
            + coalesce((SELECT sum(300 + length(f.preview)) FROM message_files f WHERE f.message = m.id), 0)
            + coalesce((SELECT sum(300 + length(a.content)) FROM actions a WHERE a.conversation = m.conversation AND a.target = m.message_id), 0)
         FROM messages m WHERE m.conversation = ?1 AND (m.generation, m.number, m.id) < (?2, ?3, ?4) AND m.generation < ?5
         ORDER BY m.generation DESC, m.number DESC, m.id DESC",
    )?;
    let mut rows = statement.query(params![
        conversation,
        before.generation,
        before.number,
        before.message,
        NO_PLACE
    ])?;
    let mut lines = Lines {
        ids: Vec::new(),
        bytes: 0,
        left: None,
    };
    while let Some(row) = rows.next()? {
        let cursor = Cursor {
            message: row.get(0)?,
            generation: row.get(1)?,
            number: row.get(2)?,
        };
        // Something is missing here: on this device, which asked for it.
        let is_gap = row.get::<_, i64>(3)? == 3;
        if !is_gap {
            lines.ids.push(cursor.message);
            lines.bytes += row.get::<_, usize>(4)?;
        }
        if lines.bytes >= room || lines.ids.len() >= LINES {
            lines.left = Some(cursor);
            break;
        }
    }
    Ok(lines)
}

fn part(
    work: &Work<'_>,
    row: &conversation::Conversation,
    ids: &[i64],
    closed: bool,
) -> Result<Part> {
    let which = serde_json::to_string(ids).map_err(|_| Reason::StateBroken)?;
    let these = "IN (SELECT value FROM json_each(?1))";
    let of_these = format!(
        "a.conversation = {} AND a.target IN (SELECT message_id FROM messages WHERE id {these})",
        row.id
    );
    let wanted = [
        ("names", format!("names WHERE account_id IN (SELECT sender FROM messages WHERE id {these})")),
        // The oldest first: they get their ids in this order.
        ("messages", format!("messages WHERE id {these} ORDER BY generation, number, id")),
        ("timers", format!("timers WHERE message {these}")),
        ("receipts", format!("receipts WHERE message {these}")),
        (
            "message_files",
            format!("message_files WHERE message {these} AND message NOT IN (SELECT id FROM messages WHERE view_once <> 0 AND id {these})"),
        ),
        (
            "actions",
            // And what took a reaction back, which names the reaction.
            format!(
                "actions WHERE generation <> {NO_PLACE} AND id IN (
                    SELECT a.id FROM actions a WHERE {of_these}
                    UNION SELECT b.id FROM actions a JOIN actions b ON b.conversation = a.conversation AND b.target = a.message_id WHERE {of_these})
                 ORDER BY id"
            ),
        ),
    ];
    let mut lines = Block::default();
    for (table, rows) in &wanted {
        let rows = backup::select(work.db, table, rows, &which)?;
        if !rows.rows.is_empty() {
            lines.tables.push(rows);
        }
    }
    let closed = closed
        .then(|| backup::read(work.db, &backup::Place::chat(row.id), false))
        .transpose()?;
    let read = work
        .db
        .prepare_cached(
            "SELECT m.generation, m.number FROM messages m JOIN conversations c ON c.id = m.conversation
             WHERE m.conversation = ?1 AND m.id <= c.read_up_to AND m.generation < ?2 ORDER BY m.generation DESC, m.number DESC LIMIT 1",
        )?
        .query_row(params![row.id, NO_PLACE], |found| {
            Ok(Place {
                generation: found.get(0)?,
                number: found.get(1)?,
            })
        })
        .optional()?;
    let changed_at_ms = work.db.query_row(
        "SELECT changed_at_ms FROM conversations WHERE id = ?1",
        [row.id],
        |found| found.get(0),
    )?;
    Ok(Part {
        group: row.group.as_bytes().to_vec(),
        lines: Some(lines),
        closed,
        read,
        changed_at_ms,
    })
}

/// The blob is there: the new device may take it.
pub(crate) fn given(work: &Work<'_>, given: &Given) -> Result<()> {
    let waits = work
        .db
        .prepare_cached("SELECT 1 FROM history_out WHERE device = ?1")?
        .exists([given.device.as_bytes()])?;
    // The device was removed meanwhile.
    if !waits {
        return Ok(());
    }
    let number = portions(work.db, &given.device, false)?
        .last()
        .map_or(0, |(last, ..)| last.saturating_add(1));
    let portion = Portion {
        blob: given.blob.as_bytes().to_vec(),
        key: given.key.expose().to_vec(),
        hash: sha256(&given.body).to_vec(),
        size: given.body.len() as u64,
        groups: given.groups.clone(),
        messages: given.messages,
        done: 0,
    };
    shared::put(
        work,
        &numbered(&given.device, number),
        &portion.encode_to_vec(),
    )?;
    move_on(work, given)
}

/// These conversations were given so far.
fn move_on(work: &Work<'_>, given: &Given) -> Result<()> {
    let device = given.device.as_bytes();
    for way in &given.ways {
        match way.left {
            Some(left) => work.db.execute(
                "UPDATE history_out SET generation = ?3, number = ?4, message = ?5 WHERE device = ?1 AND conversation = ?2",
                params![device, way.conversation, left.generation, left.number, left.message],
            )?,
            None => work.db.execute(
                "DELETE FROM history_out WHERE device = ?1 AND conversation = ?2",
                params![device, way.conversation],
            )?,
        };
    }
    let more = work
        .db
        .prepare_cached("SELECT 1 FROM history_out WHERE device = ?1")?
        .exists([device])?;
    if let (false, Some((head, _))) = (more, head(work.db, &given.device)?) {
        let portions = portions(work.db, &given.device, false)?.len();
        put_head(
            work,
            &given.device,
            &Head {
                portions: u32::try_from(portions).unwrap_or(u32::MAX),
                complete: true,
                ..head
            },
        )?;
    }
    work.tell(Change::History);
    work.wake();
    Ok(())
}
