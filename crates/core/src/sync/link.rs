//! Contact links that this device makes: an address with a pool of key packages, and a secret that the first message must prove.

use rusqlite::{OptionalExtension as _, params};
use undertone_mls::{Application, KpKey};
use undertone_wire::secrets::LinkSecret;
use zeroize::Zeroizing;

use super::{
    Work,
    address::{self, Kind},
    change::Change,
    contact,
    conversation::{self, Conversation, State},
    devices, early_welcome,
    pool::{self, Pool},
    profile, request, settings,
};
use crate::{
    error::{Reason, Result},
    view::SettingsPart,
};

/// Told to watchers when there are others, or one has ended.
const LINKS: Change = Change::Settings(SettingsPart::Links);

/// As stored (links.state).
pub(crate) const OPEN: i64 = 1;
pub(crate) const USED: i64 = 2;
pub(crate) const EXPIRED: i64 = 3;
pub(crate) const REVOKED: i64 = 4;

/// How long the proof of a link is awaited: what is sent with it lies in a queue for 30 days at most.
const UNPROVEN_MS: i64 = 31 * 24 * 3600 * 1000;

/// Makes a link. It can be given away once its key packages are on the server ([`is_published`]).
/// With `ask` who comes by it is to be accepted first ([`super::request`]).
pub(crate) fn create(work: &Work<'_>, expires_at_ms: i64, uses: u32, ask: bool) -> Result<i64> {
    let address = address::create(work, Kind::Contact, 0)?;
    work.db.execute(
        "INSERT INTO links (link_id, secret, address, expires_at_ms, uses_left, state, created_at_ms, ask) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            work.random::<8>(),
            LinkSecret::random().expose(),
            address.id,
            expires_at_ms,
            uses,
            OPEN,
            work.now_ms,
            ask
        ],
    )?;
    let link = work.last_id();
    work.tell(LINKS);
    pool::create(
        work,
        &Pool {
            address: address.id,
            kp_key: KpKey::random(),
            link,
            wanted: uses + pool::SPARE_FOR_LINK,
            last_resort: false,
        },
    )?;
    Ok(link)
}

/// Whether everything that somebody needs who uses it is on the server.
pub(crate) fn is_published(work: &Work<'_>, link: i64) -> Result<bool> {
    Ok(work.db.query_row(
        "SELECT NOT EXISTS (SELECT 1 FROM links l JOIN key_packages k ON k.pool = l.address WHERE l.id = ?1 AND k.state = 0)",
        [link],
        |row| row.get(0),
    )?)
}

/// Whether a Welcome by it is welcome.
pub(crate) fn is_open(work: &Work<'_>, link: i64) -> Result<bool> {
    Ok(work
        .db
        .query_row(
            "SELECT 1 FROM links WHERE id = ?1 AND state = ?2 AND (expires_at_ms = 0 OR expires_at_ms > ?3)",
            params![link, OPEN, work.now_ms],
            |_| Ok(()),
        )
        .optional()?
        .is_some())
}

/// Whether who comes by it is to be accepted first.
pub(crate) fn asks(work: &Work<'_>, link: i64) -> Result<bool> {
    Ok(work
        .db
        .prepare_cached("SELECT 1 FROM links WHERE id = ?1 AND ask = 1")?
        .exists([link])?)
}

/// Withdraws it.
pub(crate) fn revoke(work: &Work<'_>, link: i64) -> Result<()> {
    end(work, link, REVOKED)
}

fn end(work: &Work<'_>, link: i64, state: i64) -> Result<()> {
    let address: Option<i64> = work
        .db
        .query_row(
            "UPDATE links SET state = ?2, secret = x'' WHERE id = ?1 AND state = 1 RETURNING address",
            params![link, state],
            |row| row.get(0),
        )
        .optional()?;
    if let Some(address) = address {
        work.tell(LINKS);
        pool::remove(work, address)?;
        address::revoke(work, address)?;
        // Nobody can prove it any more.
        for row in conversation::unproven(work, "link = ?1", link)? {
            conversation::drop_unproven(work, &row)?;
        }
    }
    Ok(())
}

/// Ends links whose time is over, and drops what somebody began with a link and has not proven in time. Called now and then.
pub(crate) fn tick(work: &Work<'_>) -> Result<()> {
    let over = {
        let mut statement = work.db.prepare_cached(
            "SELECT id FROM links WHERE state = 1 AND expires_at_ms > 0 AND expires_at_ms <= ?1",
        )?;
        statement
            .query_map([work.now_ms], |row| row.get::<_, i64>(0))?
            .collect::<std::result::Result<Vec<_>, _>>()?
    };
    for link in over {
        end(work, link, EXPIRED)?;
    }
    let before = work.now_ms - UNPROVEN_MS;
    for row in conversation::unproven(work, "created_at_ms < ?1", before)? {
        conversation::drop_unproven(work, &row)?;
    }
    Ok(())
}

/// The first message of a conversation made from a link: if it proves the link, they are a contact now.
pub(crate) fn proof_came(
    work: &Work<'_>,
    row: &Conversation,
    application: &Application,
    proof: &[u8; 32],
) -> Result<()> {
    if row.link == 0 || row.state != State::Joining || Some(application.account) != row.peer {
        return Ok(());
    }
    let link: Option<(Zeroizing<Vec<u8>>, u32)> = work
        .db
        .query_row(
            "SELECT secret, uses_left FROM links WHERE id = ?1 AND state = 1",
            [row.link],
            |row| Ok((Zeroizing::new(row.get(0)?), row.get(1)?)),
        )
        .optional()?;
    let Some((secret, uses_left)) = link else {
        return Ok(());
    };
    let secret = LinkSecret::from_slice(&secret)?;
    // The proof stands in fixed content: it may have been made some epochs before it was encrypted.
    let proven = work.group(&row.group, |group| {
        for epoch in application.epoch.saturating_sub(3)..=application.epoch {
            if group.verify_link_proof(&work.mls, &secret, epoch, proof)? {
                return Ok(true);
            }
        }
        Ok(false)
    })?;
    if !proven {
        return Ok(());
    }
    if settings::is_blocked(work.db, &application.account)? {
        return request::turn_away(work, row);
    }
    let ask = asks(work, row.link)? && !request::is_needless(work, &application.account)?;
    let name = work.group(&row.group, |group| {
        Ok(group
            .member(application.leaf)?
            .map(|member| member.name)
            .unwrap_or_default())
    })?;
    work.db.execute(
        "UPDATE conversations SET link = 0, request = ?2 WHERE id = ?1",
        params![row.id, ask],
    )?;
    conversation::set_state(work, row.id, State::Active)?;
    contact::put(work, &application.account, &name, row.id, true)?;
    devices::check(work, row.id)?;
    profile::look(work, row.id)?;
    work.db.execute(
        "UPDATE links SET uses_left = uses_left - 1 WHERE id = ?1",
        [row.link],
    )?;
    work.tell(LINKS);
    if uses_left <= 1 {
        end(work, row.link, USED)?;
    }
    early_welcome::try_again(work)
}

/// A link's row id, from its public one.
pub(crate) fn row_id(db: &rusqlite::Connection, id: &[u8; 8]) -> Result<i64> {
    Ok(db
        .query_row("SELECT id FROM links WHERE link_id = ?1", [id], |row| {
            row.get(0)
        })
        .optional()?
        .ok_or(Reason::LinkUnknown)?)
}
