//! Heartbeats to the account's other devices: that the owner gave this one the passphrase puts their dead-man timers off, where the owner
//! allowed it (`home::dead_man`).
//!
//! They go to the devices' kill queues, which are waited on in the locked state as in the open one, and are signed with the key that this
//! device signs commands to the others with. So there must be a kill code. What must stay true: only a passphrase that was given causes one.

use rusqlite::{OptionalExtension as _, params};
use undertone_mls::kill::{Generation, Heartbeat, Slot};
use undertone_wire::origin::ServerAddress;

use super::{Work, kill};
use crate::error::Result;

/// The others are told at most this often, in seconds: the shortest timer is a day.
const EVERY: u64 = 6 * 3600;

/// Whether heartbeats count on this device, as its sentinel has it too.
const WANTED: &str = "protection.heartbeats";
/// When the owner was here, as the others were told last, in Unix seconds.
const TOLD: &str = "heartbeat.told_s";

/// What is to be sent.
pub(crate) struct Due {
    pub(crate) server: ServerAddress,
    pub(crate) heartbeats: Vec<(Vec<u8>, Slot)>,
}

fn get(work: &Work<'_>, name: &str) -> Result<i64> {
    let value = work
        .db
        .prepare_cached("SELECT value FROM settings WHERE name = ?1")?
        .query_row([name], |row| row.get(0))
        .optional()?;
    Ok(value.unwrap_or(0))
}

fn set(work: &Work<'_>, name: &str, value: i64) -> Result<()> {
    work.db.execute(
        "INSERT INTO settings (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        params![name, value],
    )?;
    Ok(())
}

/// Whether heartbeats of the other devices count here.
pub(crate) fn are_wanted(work: &Work<'_>) -> Result<bool> {
    Ok(get(work, WANTED)? != 0)
}

/// They do from now on, or do no more; the others are told.
pub(crate) fn want(work: &Work<'_>, wanted: bool) -> Result<()> {
    set(work, WANTED, wanted.into())?;
    kill::tell_of_heartbeats(work)
}

/// What the others are to be told: the owner was here at `here_s`. None: nobody wants to know, or they were told of a moment near it.
pub(crate) fn due(work: &Work<'_>, here_s: u64) -> Result<Option<Due>> {
    let told_s = u64::try_from(get(work, TOLD)?).unwrap_or(0);
    if here_s == 0 || here_s.abs_diff(told_s) < EVERY {
        return Ok(None);
    }
    let Some(code) = kill::code(work)? else {
        return Ok(None);
    };
    let targets: Vec<(Slot, Generation)> = {
        let seed = kill::seed(&code)?;
        kill::siblings(work)?
            .into_iter()
            .filter(|sibling| sibling.wants_heartbeats && sibling.is_of(&code))
            .map(|sibling| (seed.slot(sibling.number), sibling.generation))
            .collect()
    };
    if targets.is_empty() {
        return Ok(None);
    }
    let signer = kill::signer(work)?;
    let heartbeat = Heartbeat { at_s: here_s };
    let heartbeats = targets
        .into_iter()
        .map(|(slot, generation)| {
            let sealed = heartbeat.seal(&signer, &work.me.server.pin, &slot, &generation)?;
            Ok((sealed, slot))
        })
        .collect::<Result<_>>()?;
    Ok(Some(Due {
        server: work.me.server.clone(),
        heartbeats,
    }))
}

/// They were told.
pub(crate) fn told(work: &Work<'_>, here_s: u64) -> Result<()> {
    set(work, TOLD, i64::try_from(here_s).unwrap_or(0))
}
