//! What was said before a device was linked, given to it by the device that linked it, if the owner wants that.
//!
//! It goes in portions, the newest lines of each conversation first. A portion is rows as a backup has them ([`crate::backup`]), deflated and
//! sealed under a key of its own, in a blob. The key and the blob's id stand in an entry that only the account's devices get
//! ([`super::shared`]); the new device takes the portion's place with one that says no more than how much came, so that nobody has the key any
//! longer. [`give`] makes portions, [`take`] puts them into the store, [`crate::driver`] carries them.
//!
//! What must stay true:
//! - A portion counts as given in the transaction that makes its entry, and as taken in the one that puts its lines into the store.
//! - A conversation's lines are given once the new device is in it (or nobody can be): what is said later it hears itself.
//! - What was deleted or has had its time since a portion was made does not come back: what this device has heard of a line counts for it.
//! - Lines of before get lower ids than those that come by themselves, in the order of the conversation: reading goes by them.

mod give;
mod take;

use prost::Message as _;
use rusqlite::{Connection, OptionalExtension as _, params};
use undertone_mls::DeviceId;

pub(crate) use give::{Given, begin, given};
pub(crate) use take::{take, took_nothing};

use super::{
    Work, devices,
    fetch::Fetch,
    shared::{self, Kind, Place},
};
use crate::{
    backup::Block,
    error::Result,
    ids::DeviceId as ShownId,
    view::{HistoryInfo, HistoryState},
};

/// Ids up to this one are for lines of before.
const ROOM: i64 = 1 << 40;
/// Bytes of an entry that says where a portion is are more than these, of one that was taken fewer.
const TAKEN_BYTES: i64 = 64;

/// What goes to a device.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(crate) struct Head {
    /// Lines in all, as counted at the beginning.
    #[prost(uint64, tag = "1")]
    pub(crate) total: u64,
    /// Once it is complete.
    #[prost(uint32, tag = "2")]
    pub(crate) portions: u32,
    #[prost(bool, tag = "3")]
    pub(crate) complete: bool,
}

/// Where a portion is; once it was taken, only the last two.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Portion {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) blob: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) key: Vec<u8>,
    /// SHA-256 of what the blob holds.
    #[prost(bytes = "vec", tag = "3")]
    pub(crate) hash: Vec<u8>,
    #[prost(uint64, tag = "4")]
    pub(crate) size: u64,
    /// The conversations it is about that the new device is in.
    #[prost(bytes = "vec", repeated, tag = "5")]
    pub(crate) groups: Vec<Vec<u8>>,
    #[prost(uint32, tag = "6")]
    pub(crate) messages: u32,
    /// 0: it waits, 1: its lines are in the store, 2: it never came.
    #[prost(uint32, tag = "7")]
    pub(crate) done: u32,
}

/// What a blob holds, deflated.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Body {
    #[prost(message, repeated, tag = "1")]
    pub(crate) parts: Vec<Part>,
}

/// Lines of one conversation.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Part {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) group: Vec<u8>,
    /// Messages and what belongs to them.
    #[prost(message, optional, tag = "2")]
    pub(crate) lines: Option<Block>,
    /// The conversation itself, if it is one that the account left or was taken out of.
    #[prost(message, optional, tag = "3")]
    pub(crate) closed: Option<Block>,
    /// How far it was read.
    #[prost(message, optional, tag = "4")]
    pub(crate) read: Option<Place>,
    /// When something was last said there.
    #[prost(int64, tag = "5")]
    pub(crate) changed_at_ms: i64,
}

/// In the store of a new device: makes room for lines of before.
pub(crate) fn leave_room(db: &Connection) -> Result<()> {
    db.execute("DELETE FROM sqlite_sequence WHERE name = 'messages'", [])?;
    db.execute(
        "INSERT INTO sqlite_sequence (name, seq) VALUES ('messages', ?1)",
        [ROOM],
    )?;
    Ok(())
}

fn numbered(device: &DeviceId, number: u32) -> Vec<u8> {
    shared::key(Kind::History, &[device.as_bytes(), &number.to_be_bytes()])
}

/// Numbers and values of a device's portions; of those that wait alone, if that is asked for.
fn portions(db: &Connection, device: &DeviceId, waiting: bool) -> Result<Vec<(u32, i64, Portion)>> {
    let mut statement = db.prepare_cached(
        "SELECT key, stamp, value FROM shared WHERE key >= ?1 AND key <= ?2 AND (NOT ?3 OR length(value) > ?4) ORDER BY key",
    )?;
    let rows = statement
        .query_map(
            params![
                numbered(device, 0),
                numbered(device, u32::MAX),
                waiting,
                TAKEN_BYTES
            ],
            |row| {
                Ok((
                    row.get::<_, Vec<u8>>(0)?,
                    row.get::<_, i64>(1)?,
                    row.get::<_, Vec<u8>>(2)?,
                ))
            },
        )?
        .collect::<std::result::Result<Vec<_>, _>>()?;
    // What can't be understood is passed by.
    Ok(rows
        .iter()
        .filter_map(|(key, stamp, value)| {
            let number = u32::from_be_bytes(*key.last_chunk::<4>()?);
            Some((number, *stamp, Portion::decode(&value[..]).ok()?))
        })
        .filter(|(_, _, portion)| !waiting || portion.done == 0)
        .collect())
}

fn head(db: &Connection, device: &DeviceId) -> Result<Option<(Head, Vec<u8>)>> {
    let found: Option<(Vec<u8>, Vec<u8>)> = db
        .prepare_cached("SELECT value, device FROM shared WHERE key = ?1")?
        .query_row([shared::key(Kind::History, &[device.as_bytes()])], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    Ok(found.and_then(|(value, giver)| Some((Head::decode(&value[..]).ok()?, giver))))
}

/// How far each device is that was linked with its past.
pub(crate) fn progress(db: &Connection, this: &DeviceId) -> Result<Vec<HistoryInfo>> {
    let all = devices::all(db)?;
    let is_in_use = |id: &[u8]| {
        all.iter()
            .any(|device| device.in_use && device.id.as_bytes()[..] == *id)
    };
    let mut infos = Vec::new();
    for device in all.iter().filter(|device| device.in_use) {
        let Some((head, giver)) = head(db, &device.id)? else {
            continue;
        };
        let portions = portions(db, &device.id, false)?;
        let count = |done: u32| portions.iter().filter(move |found| found.2.done == done);
        let waits = count(0).count() > 0
            || u32::try_from(portions.len()).is_ok_and(|known| known < head.portions);
        let state = match (head.complete, waits) {
            (true, false) if count(2).count() == 0 => HistoryState::Done,
            (true, false) => HistoryState::Incomplete,
            // Whoever gave it is no more.
            (false, _) if !is_in_use(&giver) && count(0).count() == 0 => HistoryState::Incomplete,
            _ => HistoryState::UnderWay,
        };
        infos.push(HistoryInfo {
            device: ShownId::from_bytes(device.id.as_bytes()),
            this: device.id == *this,
            done: count(1).map(|found| u64::from(found.2.messages)).sum(),
            total: head.total,
            state,
        });
    }
    Ok(infos)
}

/// What is to be done next.
pub(crate) enum Step {
    Nothing,
    /// One of the two devices is not in any of the conversations yet that are left.
    Wait,
    /// A portion, by its number.
    Take(u32, Fetch),
    /// A portion, to be put into a blob.
    Give(Box<Given>),
}

/// What can be given or taken now.
pub(crate) fn step(work: &Work<'_>) -> Result<Step> {
    if let Some((number, fetch)) = take::next(work)? {
        return Ok(Step::Take(number, fetch));
    }
    match give::gather(work)? {
        Step::Nothing if take::is_awaited(work)? => Ok(Step::Wait),
        step => Ok(step),
    }
}

/// Whether something can be given or taken now.
pub(crate) fn unsettled(work: &Work<'_>) -> Result<bool> {
    Ok(give::can(work)? || take::next(work)?.is_some())
}
