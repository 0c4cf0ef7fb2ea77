//! Asking to be let in to a group by a link of one of its members.
//!
//! A key package with an address of its own goes, sealed, to the link's address. Only a Welcome of the account that made the link counts
//! there, and only to a group. Everything is a row before it is done, so that it goes on after a restart.

use prost::Message as _;
use rusqlite::{OptionalExtension as _, params};
use undertone_mls::{AccountId, create_key_package, invite};
use undertone_wire::{
    client_proto::{DirectMessage, direct_message},
    strings::GroupLink,
};

use super::{
    Work,
    address::{self, Kind},
    pool, send,
};
use crate::error::{Reason, Result};

/// How long a Welcome is waited for: a key package's private half is kept no longer.
const WAITS_MS: i64 = 40 * 24 * 3600 * 1000;

/// Begins to ask.
pub(crate) fn begin(work: &Work<'_>, link: &GroupLink, text: &str) -> Result<i64> {
    if link.account == work.me.account {
        return Err(Reason::LinkOwn.into());
    }
    let landing = address::create(work, Kind::KeyPackage, 0)?;
    work.db.execute(
        "INSERT INTO joins (account_id, link, landing, send, failure, conversation, created_at_ms) VALUES (?1, ?2, ?3, 0, '', 0, ?4)",
        params![link.account.as_bytes(), text, landing.id, work.now_ms],
    )?;
    Ok(work.last_id())
}

/// Sends what waited for its address to be on the server, and forgets what was never answered. Called now and then.
pub(crate) fn tick(work: &Work<'_>) -> Result<()> {
    let waiting = {
        let mut statement = work
            .db
            .prepare_cached("SELECT id, link, landing FROM joins WHERE link <> ''")?;
        statement
            .query_map([], |row| {
                Ok((
                    row.get::<_, i64>(0)?,
                    row.get::<_, String>(1)?,
                    row.get::<_, i64>(2)?,
                ))
            })?
            .collect::<std::result::Result<Vec<_>, _>>()?
    };
    for (id, text, landing) in waiting {
        if address::is_made(work, landing)? {
            ask(work, id, &text, landing)?;
        }
    }
    let over = {
        let mut statement = work.db.prepare_cached(
            "SELECT id, landing FROM joins WHERE created_at_ms < ?1 AND conversation = 0",
        )?;
        statement
            .query_map([work.now_ms - WAITS_MS], |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))
            })?
            .collect::<std::result::Result<Vec<_>, _>>()?
    };
    for (id, landing) in over {
        address::revoke(work, landing)?;
        work.db.execute("DELETE FROM joins WHERE id = ?1", [id])?;
    }
    Ok(())
}

fn ask(work: &Work<'_>, id: i64, text: &str, landing: i64) -> Result<()> {
    let Some(landing) = address::get(work, landing)? else {
        return Ok(());
    };
    let link: GroupLink = text.parse()?;
    let profile = pool::profile(work, landing.secret, None);
    let package = create_key_package(&work.mls, &work.keys(), &profile, false)?;
    let sealed = invite::ask(&work.mls, &package.bytes, &link.public_key, &link.secret)?;
    let body = DirectMessage {
        body: Some(direct_message::Body::Join(sealed)),
    }
    .encode_to_vec();
    let server = if link.server.pin == work.me.server.pin {
        String::new()
    } else {
        link.server.to_string()
    };
    send::push_to(work, 0, &body, &[link.address], &server, work.now_ms)?;
    let sent = work.last_id();
    work.db.execute(
        "UPDATE joins SET link = '', send = ?2 WHERE id = ?1",
        params![id, sent],
    )?;
    Ok(())
}

/// The server does not know the link's address (any more): the link has ended.
pub(crate) fn not_reached(work: &Work<'_>, send: i64) -> Result<()> {
    let landing: Option<i64> = work
        .db
        .prepare_cached(
            "UPDATE joins SET failure = ?2 WHERE send = ?1 AND failure = '' RETURNING landing",
        )?
        .query_row(params![send, Reason::LinkUsed.code()], |row| row.get(0))
        .optional()?;
    if let Some(landing) = landing {
        address::revoke(work, landing)?;
    }
    Ok(())
}

/// Whose Welcome is waited for at an address.
pub(crate) fn awaited(work: &Work<'_>, landing: i64) -> Result<Option<AccountId>> {
    let account: Option<Vec<u8>> = work
        .db
        .prepare_cached(
            "SELECT account_id FROM joins WHERE landing = ?1 AND conversation = 0 AND failure = ''",
        )?
        .query_row([landing], |row| row.get(0))
        .optional()?;
    account
        .map(|account| Ok(AccountId::from_slice(&account)?))
        .transpose()
}

/// It came.
pub(crate) fn came(work: &Work<'_>, landing: i64, conversation: i64) -> Result<()> {
    work.db.execute(
        "UPDATE joins SET conversation = ?2 WHERE landing = ?1",
        [landing, conversation],
    )?;
    Ok(())
}

/// How far it is.
pub(crate) struct Progress {
    /// Whether the server has the request.
    pub(crate) sent: bool,
    pub(crate) failure: Option<Reason>,
    /// 0: not in yet.
    pub(crate) conversation: i64,
}

/// How far a join is.
pub(crate) fn progress(db: &rusqlite::Connection, join: i64) -> Result<Progress> {
    Ok(db.query_row(
        "SELECT send <> 0 AND NOT EXISTS (SELECT 1 FROM sends s WHERE s.id = joins.send), failure, conversation FROM joins WHERE id = ?1",
        [join],
        |row| {
            let failure: String = row.get(1)?;
            Ok(Progress {
                sent: row.get(0)?,
                failure: (!failure.is_empty()).then_some(Reason::LinkUsed),
                conversation: row.get(2)?,
            })
        },
    )?)
}
